"""The slots of a tape, 8 bytes for each number: how arguments are written there, and outputs read."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from .addresses import type_of
from .program import Constant, Program, Quantity

PACKED = {"double": "d", "float": "f4x", "i64": "q", "i32": "i4x", "i1": "?7x"}  # a slot, for the module struct


class Layout:
    """Where arguments and outputs stand among the slots; single numbers that are neighbours are taken together."""

    def __init__(self, program: Program, slot_of_outputs: int) -> None:
        quantities = program.quantities
        self.explicit = len(program.arguments) - len(program.captured)
        self.numbers: list[int] = []  # which arguments are single numbers
        self.arrays: list[tuple[int, int, Quantity]] = []  # argument, first slot, quantity
        packed, slot = "=", 0
        for i, n in enumerate(program.arguments):
            q = quantities[n]
            packed += f"{8 * q.size}x" if q.shape else PACKED[type_of(q.dtype)]
            if q.shape:
                self.arrays.append((i, slot, q))
            else:
                self.numbers.append(i)
            slot += q.size
        self.pack_into = struct.Struct(packed).pack_into
        self.captured = [(quantities[n].shape, quantities[n].dtype) for n in program.arguments[self.explicit :]]
        self.outputs: list[tuple[Any, int, int]] = []  # a constant or one of some like quantities, first slot, how many
        slot = slot_of_outputs
        for x in program.outputs:
            if isinstance(x, Constant):
                self.outputs.append((x, slot, 1))
                continue
            q = quantities[x]
            like, start, count = self.outputs[-1] if self.outputs else (None, 0, 0)
            if not q.shape and isinstance(like, Quantity) and (like.shape, like.dtype, like.weak) == ((), q.dtype, q.weak):
                self.outputs[-1] = like, start, count + 1
            else:
                self.outputs.append((q, slot, 1))
            slot += q.size


class Arena:
    """The slots, for one run at a time, and views of them."""

    def __init__(self, layout: Layout, size: int, constants: list[tuple[int, Any]]) -> None:
        self.slots = np.zeros(size)
        self.numbers: Sequence[int] | None = layout.numbers if layout.arrays else None  # None: all
        self.pack_into, self.explicit, self.captured = layout.pack_into, layout.explicit, layout.captured
        self.arrays = [(i, self._view(slot, q.size, q.dtype).reshape(q.shape)) for i, slot, q in layout.arrays]
        for slot, x in constants:
            self._view(slot, 1, x.dtype)[0] = x
        self.outputs = [
            q if isinstance(q, Constant) else (self._view(slot, q.size * count, q.dtype), q) for q, slot, count in layout.outputs
        ]

    def _view(self, slot: int, size: int, dtype: Any) -> Any:
        step = 8 // dtype.itemsize
        return self.slots.view(dtype)[slot * step : (slot + size) * step : step]

    def take(self, arguments: Sequence[Any], captured: list[Any]) -> bool:
        """Write the arguments in their slots, if they are of the kinds for which the program was recorded."""
        if captured:
            if [(x.shape, x.dtype) for x in captured] != self.captured:
                return False
            arguments = [*arguments, *captured]
        numbers = arguments if self.numbers is None else [arguments[i] for i in self.numbers]
        if numbers:
            try:
                self.pack_into(self.slots.data, 0, *numbers)
            except (struct.error, OverflowError):  # an integer that has more than 64 bits
                return False
        for i, view in self.arrays:
            view[...] = arguments[i]
        return True

    def given(self) -> list[Any]:
        """The outputs, in memory of their own."""
        result: list[Any] = []
        for output in self.outputs:
            if isinstance(output, Constant):
                result.append(output.value)
                continue
            view, q = output
            if q.shape:
                result.append(view.reshape(q.shape).copy())
            else:
                result += view.tolist() if q.weak else list(view)
        return result

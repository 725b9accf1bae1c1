"""The slots of a tape, 8 bytes for each number: where arguments and outputs stand, and how numbers get there and back."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernels.addresses import type_of
from ..program import Constant, Program, Quantity

PACKED = {"double": "d", "float": "f4x", "i64": "q", "i32": "i4x", "i1": "?7x"}  # a slot, for the module struct


def in_order(x: Any) -> np.ndarray:
    """x as an array in row-major order that machine code can read: x itself, if it is one."""
    if type(x) is np.ndarray and x.flags.c_contiguous and x.flags.aligned:
        return x
    return np.array(x, order="C")  # ascontiguousarray would give a number an axis


class Layout:
    """Where arguments and outputs are. Arrays are numbered as a tape is given them: behind the slots and the tape itself."""

    def __init__(self, program: Program) -> None:
        quantities = program.quantities
        given = [quantities[n] for n in program.arguments]
        self.numbers = [q for q in given if not q.shape]
        self.arrays: list[tuple[int, int, Quantity]] = []  # number of the array, first slot, quantity
        packed, slot, k = "=", 0, 2
        for q in given:
            packed += f"{8 * q.size}x" if q.shape else PACKED[type_of(q.dtype)]
            if q.shape:
                self.arrays.append((k, slot, q))
                k += 1
            slot += q.size
        self.pack_into = struct.Struct(packed).pack_into
        self.captured = [(q.shape, q.dtype) for q in given[len(given) - len(program.captured) :]]
        self.made: list[tuple[int, Quantity]] = []  # number of the array (0: none), quantity
        self.outputs: list[tuple[Any, int, int]] = []  # a constant or the first of like quantities, its place, how many
        place = 0
        for x in program.outputs:
            if isinstance(x, Constant):
                self.outputs.append((x, 0, 1))
                continue
            q = quantities[x]
            if q.shape:
                self.outputs.append((q, 0, 1))
                self.made.append((k, q))
                k += 1
            else:
                like, start, count = self.outputs[-1] if self.outputs else (None, 0, 0)
                if isinstance(like, Quantity) and (like.shape, like.dtype, like.weak) == ((), q.dtype, q.weak):
                    self.outputs[-1] = like, start, count + 1
                else:
                    self.outputs.append((q, place, 1))
                self.made.append((0, q))
                place += 1
        self.made_arrays = [q for _, q in self.made if q.shape]
        self.simple = len(self.made_arrays) == len(self.outputs)


class Arena:
    """The slots, for one run at a time, and views of those where numbers come out: the last ``results``."""

    def __init__(self, layout: Layout, constants: list[tuple[int, Any]], size: int, results: int) -> None:
        self.slots = np.zeros(size + results)
        self.pack_into = layout.pack_into
        for slot, x in constants:
            self._view(slot, 1, x.dtype)[0] = x
        self.outputs = [
            (q, None if isinstance(q, Constant) or q.shape else self._view(size + place, count, q.dtype))
            for q, place, count in layout.outputs
        ]

    def _view(self, slot: int, size: int, dtype: Any) -> Any:
        step = 8 // dtype.itemsize
        return self.slots.view(dtype)[slot * step : (slot + size) * step : step]

    def take(self, numbers: Sequence[Any]) -> bool:
        """Write the numbers among the arguments in their slots. False: one is an integer of more than 64 bits."""
        try:
            self.pack_into(self.slots.data, 0, *numbers)
        except (struct.error, OverflowError):
            return False
        return True

    def given(self, arrays: list[Any]) -> list[Any]:
        """The outputs: the numbers in the slots, and these arrays."""
        rest = iter(arrays)
        result: list[Any] = []
        for q, view in self.outputs:
            if view is not None:
                result += view.tolist() if q.weak else list(view)
            else:
                result.append(q.value if isinstance(q, Constant) else next(rest))
        return result

"""Results in the memory of arguments that the caller gives up, where nothing reads the argument after the result is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .assembling import Block
from .fusion import operands_of
from .kernels import Kernel
from .program import Program


def given_up(program: Program, block: Block, donated: list[int]) -> dict[int, int]:
    """For each output that is written in the memory of an argument the place of the argument among all.

    A program that may be declined leaves its arguments as they are, as they are needed again then.
    """
    if not donated or block.assembler.may_decline:
        return {}
    steps = [[step.item] if step.item is not None else [m.item for m in step.group.all()] for step in block.steps]  # type: ignore[union-attr]
    touched = [{n for item in items for n in (*item.made(), *(o.base for o in operands_of(item)))} for items in steps]
    taken: dict[int, int] = {}
    for place in donated:
        argument = program.arguments[place]
        a = program.quantities[argument]
        reading = [k for k, numbers in enumerate(touched) if argument in numbers]
        for number in block.outputs:
            q = program.quantities[number]
            if number in taken or argument in program.outputs or (q.shape, q.dtype) != (a.shape, a.dtype):
                continue
            first = next(k for k, numbers in enumerate(touched) if number in numbers)
            together = reading[-1] == first and _together(block.kernels.get(first), argument, number)
            if together or all(k < first for k in reading):
                taken[number] = place
                break
    return taken


def taken(arguments: Sequence[Any], place: int, otherwise: np.ndarray) -> np.ndarray:
    """The array of an argument for a result, if no other argument lies in its memory; else another array."""
    x = arguments[place]
    if type(x) is not np.ndarray or not x.flags.writeable or (x.shape, x.dtype) != (otherwise.shape, otherwise.dtype):
        return otherwise
    if not (x.flags.c_contiguous and x.flags.aligned):
        return otherwise
    shared = any(i != place and isinstance(y, np.ndarray) and np.may_share_memory(x, y) for i, y in enumerate(arguments))
    return otherwise if shared else x


def _together(kernel: Kernel | None, argument: int, number: int) -> bool:
    """Does a kernel read each element of the argument just before it writes that element of the result, and never later?"""
    if kernel is None or number not in kernel.group.members:
        return False
    writer = kernel.group.members[number]
    target = kernel.targets.get(id(writer))
    if target is None or writer.item.kind != "map":
        return False
    for (member, _), access in kernel.reads.items():
        if access.operand.base == argument:
            reader = next(m for m in kernel.members if id(m) == member)
            same = access.strides == target.strides and not access.operand.offset and not access.indices
            if not same or reader.stage > writer.stage:
                return False
    return all(access.operand.base != argument for access, _ in (pair for a in kernel.accesses.values() for pair in a.indices))


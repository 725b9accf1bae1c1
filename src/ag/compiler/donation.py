"""Results in the memory of arguments that the caller gives up, where nothing reads the argument after the result is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .assembling import Block
from .kernels.fusion import FULL, Member, operands_of
from .kernels.kernel_code import Kernel
from .kernels.planning import Access
from .kernels.views import Operand
from .program import Program


def given_up(program: Program, block: Block, donated: list[int]) -> dict[int, int]:
    """For each output that is written in the memory of an argument the place of the argument among all.

    A program that may be declined leaves its arguments as they are, as they are needed again then.
    """
    if not donated or block.assembler.may_decline:
        return {}
    touched = [
        {n for item in step.items() for n in (*item.made(), *(o.base for o in operands_of(item)))} for step in block.steps
    ]
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
            together = reading[-1:] == [first] and _together(block.kernels.get(first), argument, number)
            if together or all(k < first for k in reading):
                taken[number] = place
                break
    return taken


def taken(arguments: Sequence[Any], place: int, otherwise: np.ndarray) -> np.ndarray:
    """The array of an argument for a result, if no other argument lies in its memory; else another array."""
    x = arguments[place]
    if type(x) is not np.ndarray or (x.shape, x.dtype) != (otherwise.shape, otherwise.dtype) or not x.flags.carray:
        return otherwise
    shared = any(i != place and isinstance(y, np.ndarray) and np.may_share_memory(x, y) for i, y in enumerate(arguments))
    return otherwise if shared else x


def _together(kernel: Kernel | None, argument: int, number: int) -> bool:
    """Does a kernel read each element of the argument just before it writes that element of the result, and never later?"""
    writer = kernel.group.members.get(number) if kernel is not None else None
    target = kernel.targets.get(id(writer)) if kernel is not None else None
    if kernel is None or writer is None or target is None or writer.form != FULL or writer.item.kind != "map":
        return False
    if writer.stage < max(m.stage for m in kernel.members):  # what is cheap is computed again in later stages
        return False
    reads = {access for access in kernel.accesses.values() if access.operand.base == argument}
    if len(reads) != 1:
        return False
    (read,) = reads
    if read.strides != target.strides or read.operand.offset or read.indices:
        return False
    if any(index is read for a in kernel.accesses.values() for index, _ in a.indices):
        return False
    return _is_read_first(kernel, writer, read)


def _is_read_first(kernel: Kernel, writer: Member, read: Access) -> bool:
    """Is the element loaded, if it is at all, before the writer stores? What is loaded once stays known."""
    known: set[int] = set()

    def loads(m: Member) -> bool:
        """Does it take a load to compute the member in the last stage?"""
        known.add(id(m))
        found = False
        for i, operand in enumerate(m.item.operands):
            if kernel.reads.get((id(m), i)) is read:
                found = True
            elif isinstance(operand, Operand) and (id(m), i) not in kernel.reads:
                source = kernel.group.members[operand.base]
                again = source.form == FULL and source.stage < writer.stage and id(source) not in kernel.places
                found = (again and id(source) not in known and loads(source)) or found
        return found

    stored = False
    for m in kernel.members:
        if m.stage == writer.stage and loads(m):
            return not stored
        stored = stored or m is writer
    return True

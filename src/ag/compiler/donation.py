"""Results in the memory of arguments that the caller gives up, where nothing reads the argument after the result is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .assembling import Block
from .kernels.fusion import FULL, Member, operands_of
from .kernels.kernel_code import Kernel
from .kernels.planning import Access
from .kernels.walk import Walk
from .mathematics.emitter import Value
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
    if kernel is None or writer is None or writer.form != FULL or writer.item.kind != "map":
        return False
    work = _Order(kernel.program, kernel.group, kernel.machine)
    target = work.targets.get(id(writer))
    reads = {access for access in work.accesses.values() if access.operand.base == argument}
    if target is None or len(reads) != 1:
        return False
    (read,) = reads
    if read.strides != target.strides or read.operand.offset or read.indices:
        return False
    if any(index is read for a in work.accesses.values() for index, _ in a.indices):
        return False
    work.walk()
    return read not in work.order[work.order.index(target) :]


class _Order(Walk):
    """What is read and written at each point, in order. What was read there stays known."""

    order: list[Access]

    def each_row(self) -> None:
        self.order = []
        self.row()

    def each_column(self, work: list[Member]) -> None:
        self.point(work)

    def load(self, access: Access) -> Value:
        if access not in self.values:
            self.order.append(access)
        return self.values.setdefault(access, Value("", ""))

    def store(self, access: Access, value: Value, adds: bool) -> None:
        self.order.append(access)

    def _nothing(self, *_: Any) -> Any:
        return Value("", "")

    begin = join = total = end = constant = cast = row_value = applied = _nothing

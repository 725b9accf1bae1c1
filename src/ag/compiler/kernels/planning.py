"""How a group passes through memory: its loops, the widths of its vectors, and what it reads and writes on the way."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..machine.native import Machine
from ..program import Constant, Program, Quantity
from .addresses import collapsed, type_of
from .fusion import COLUMN, FULL, ONE, ROW, Group, Member, is_costly, is_heavy
from .views import Gather, Operand, strides_of

BLOCK = 32  # vectors that are summed plainly; sums of such sums are kept with twice the precision
NANOSECONDS = (0.006, 0.1)  # for a byte of an element: an operation, a function of dozens of instructions
PER_BYTE = 0.03  # read or written
SEVERAL = 6  # functions of dozens of instructions in one group
WASTE = 1.1  # lanes that are idle at the end of a row, as a share
SHORT = 0.5  # of a register: rows that are shorter are passed through side by side
LONGEST = 16  # columns that are written out one after another
SIZES = {"double": 8, "float": 4, "i64": 8, "i32": 4, "i1": 1}


class Access:
    """How a group reads or writes an array: along its rows and columns."""

    def __init__(self, operand: Operand, strides: list[int], indices: list[tuple[Access, Gather]]) -> None:
        self.operand = operand
        self.strides = strides  # along the axes of the group's space
        self.indices = indices
        self.rows: list[int] = []
        self.columns: list[int] = []
        self.lane = 0  # from lane to lane
        self.pointer = ""

    @property
    def varies(self) -> bool:
        """Is it another element for each column?"""
        return any(self.columns) or any(index.varies for index, _ in self.indices)


class Plan:
    """The rows and columns of a group, and for each operand and each result how it is reached from them."""

    def __init__(self, program: Program, group: Group, machine: Machine) -> None:
        self.program, self.group, self.machine = program, group, machine
        self.accesses: dict[Any, Access] = {}
        self.reads: dict[tuple[int, int], Access] = {}  # of a member and the number of its operand
        self.targets: dict[int, Access] = {}  # of a member: where it is written in memory
        self.members = group.all()
        for member in self.members:
            for i, operand in enumerate(member.item.operands):
                if isinstance(operand, Operand) and self._register(operand) is None:
                    self.reads[id(member), i] = self._access(operand, member.place)
            target = self._target(member)
            if target is not None:
                self.targets[id(member)] = self._access(*target)
        accesses = list(self.accesses.values())
        rank = len(group.space)
        split = group.split
        if split is None:  # one row, if all that is read lies in memory as it is passed through
            lengths, _ = collapsed(list(group.space), [a.strides for a in accesses])
            split = 0 if len(lengths) <= 1 else rank - 1
            while split and group.space[split] == 1:
                split -= 1
        self.row_lengths, rows = collapsed(list(group.space[:split]), [a.strides[:split] for a in accesses])
        self.column_lengths, columns = collapsed(list(group.space[split:]), [a.strides[split:] for a in accesses])
        for a, r, c in zip(accesses, rows, columns, strict=True):
            a.rows, a.columns = r, c
        self.scratch = {id(group.members[n]): self._in_scratch(n) for n in group.scratch}
        self.places = self.targets | self.scratch  # of a member: where its value is found again
        self.turned = self._is_turned()
        lengths = self.row_lengths if self.turned else self.column_lengths
        self.count = lengths[-1] if lengths else 1
        for a in accesses:
            a.lane = ((a.rows if self.turned else a.columns) or [0])[-1]
        self.heavy = sum(is_heavy(m.item.kernel) for m in self.members)
        self.apart = self.heavy > SEVERAL  # do such functions stand by themselves, so that each is compiled once?
        self.width = self._width()
        self.units = self._units()

    @property
    def stages(self) -> int:
        """How many times it passes through each row."""
        return max(m.stage for m in self.members) + 1

    def whole(self) -> list[Member]:
        """The members that all rows are reduced to."""
        return [m for m in self.members if m.item.kind == "reduce" and m.form in (ONE, COLUMN)]

    def of_rows(self, m: Member) -> bool:
        """Does it reduce what is one number for each row?"""
        return m.item.kind == "reduce" and m.form == ONE and {a for a in m.place if a is not None} != self.group.big

    def in_columns(self, m: Member) -> bool:
        """Is it computed in the passes over the columns?"""
        return m.form == FULL if m.item.kind == "map" else not self.of_rows(m)

    def type(self, number: int) -> str:
        """The type of a quantity in LLVM's words."""
        return type_of(self.program.quantities[number].dtype)

    def moves(self, access: Access) -> bool:
        """Is it another element in each lane?"""
        return access.lane != 0 or any(self.moves(index) for index, _ in access.indices)

    def _native(self) -> int:
        """How many elements a register holds."""
        sizes = [size for m in self.members for size in (SIZES[self._types(m)[1]], m.item.quantity.dtype.itemsize)]
        return self.machine.vector_bytes // max([s for s in sizes if s > 1], default=8)

    def _is_turned(self) -> bool:
        """Do lanes stand for rows? They do where a row is too short to fill a register."""
        if not self.row_lengths or self.group.alone:
            return False
        row = math.prod(self.column_lengths)
        if row > LONGEST or self.row_lengths[-1] <= row:
            return False
        crossed = any(a.rows[-1] == 1 and a.columns and a.columns[-1] != 1 for a in self.accesses.values())
        return crossed or row <= self._native() * SHORT

    def _width(self) -> int:
        """How many lanes vectors have: several registers wide, so that independent work hides the latency of each step."""
        if any(m.item.repeats and self._meets(self.targets[id(m)]) for m in self.members):
            return 1
        native = self._native()
        wide = 4 if self.heavy or any(is_costly(m.item.kernel) for m in self.members) else 2
        while wide > 1 and (self.count < native * wide * 2 or self._filled(native * wide) > WASTE * self._filled(native)):
            wide //= 2
        width = native * wide
        while width > 1 and width // 2 >= self.count:
            width //= 2
        return width

    def _meets(self, target: Access) -> bool:
        """May two lanes write the same element?"""
        return not target.lane or any(self.moves(index) for index, _ in target.indices)

    def _units(self) -> int:
        """Into how many equal pieces the outermost loop falls, which threads can share; 1 if they can't."""
        if self.turned:
            return self.row_lengths[0] if len(self.row_lengths) > 1 else self.count // self.width
        if self.row_lengths:
            return self.row_lengths[0]
        if len(self.column_lengths) == 1 and not self.group.alone and all(m.form in (FULL, ONE) for m in self.members):
            return -(-(self.count // self.width) // BLOCK)
        return 1

    def nanoseconds(self) -> float:
        """About how long one core takes."""
        points = math.prod(self.row_lengths) * math.prod(self.column_lengths)
        work = sum(NANOSECONDS[is_heavy(m.item.kernel)] * SIZES[self._types(m)[1]] for m in self.members if m.form != ROW)
        streams = sum(SIZES[self.type(a.operand.base)] for a in self.accesses.values() if a.varies)
        return points * (work + streams * PER_BYTE)

    def _filled(self, width: int) -> int:
        """How many lanes are passed through, with those of the last vector that are idle."""
        return -(-self.count // width) * width

    def _access(self, operand: Operand, place: Any) -> Access:
        strides = [0] * len(self.group.space)
        for axis, stride in zip(place, operand.strides, strict=True):
            if axis is not None:
                strides[axis] += stride
        key = (operand, tuple(strides))
        access = self.accesses.get(key)
        if access is None:  # an index comes before what it points into, so that its own address is known by then
            indices = [(self._access(g.index, place), g) for g in operand.gathers]
            access = self.accesses[key] = Access(operand, strides, indices)
        return access

    def _in_scratch(self, number: int) -> Access:
        """How a quantity is reached that is kept for one row: its columns follow each other."""
        access = Access(Operand(number, 0, (), ()), [], [])
        access.rows, access.columns, access.lane = [0] * len(self.row_lengths), list(strides_of(tuple(self.column_lengths))), 1
        return access

    def _register(self, operand: Operand) -> Member | None:
        """The member whose result the operand is."""
        return self.group.members.get(operand.base) if operand.axes is not None else None

    def _target(self, member: Member) -> tuple[Operand, Any] | None:
        """Where a member is written in memory, if it is."""
        item = member.item
        if item.into is not None:
            return item.into, member.place
        if item.number in self.group.stored:
            shape = self.program.quantities[item.number].shape
            return Operand(item.number, 0, strides_of(shape), ()), member.result
        return None

    def _types(self, member: Member) -> tuple[list[str], str]:
        """The types in which a member takes its operands, and in which it computes."""
        item = member.item
        q = item.quantity
        if item.kind == "reduce":
            return [type_of(q.dtype)], type_of(q.dtype)
        operands = [o if isinstance(o, Constant) else self.program.quantities[o.base] for o in item.operands]
        return types_of(item.kernel, q.dtype, operands)


def types_of(kernel: str, dtype: Any, operands: list[Quantity | Constant]) -> tuple[list[str], str]:
    """The types in which a kernel whose result is of this dtype takes its operands, and in which it computes."""
    own = type_of(dtype)
    if kernel == "x" or own != "i1":
        types = [own] * len(operands)
        if kernel == "y if x else z":
            types[0] = "i1"
        return types, own
    kinds = [x.value if isinstance(x, Constant) else x.dtype.type(0).item() if x.weak else x.dtype for x in operands]
    common = type_of(np.result_type(*kinds)) if kinds else own
    given = any(isinstance(x, Quantity) and x.weak and x.dtype.kind == "i" for x in operands)  # a number of any size
    if common == "i32" and (given or any(type(x) is int and not -(2**31) <= x < 2**31 for x in kinds)):
        common = "i64"  # integers of Python are compared with as they are
    return [common] * len(kinds), common

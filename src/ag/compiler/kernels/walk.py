"""The order in which a group's work is done, whichever way it is written down: as machine code or as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..machine.native import Machine
from ..mathematics.emitter import Value
from ..program import Constant, Program
from .fusion import ROW, Group, Member
from .planning import Access, Plan
from .views import Operand


class Walk(Plan):
    """A walk over the rows of a group, and for each stage over the columns of a row. What it does there is said by who writes."""

    each_row: Callable[[], None]  # row() for each
    each_column: Callable[[list[Member]], None]  # point(work) for each
    begin: Callable[[Member], None]  # of a reduction: nothing is joined yet
    join: Callable[[Member, Value], None]  # one more element, or one in each lane
    total: Callable[[Member], Value]  # what a row was reduced to
    end: Callable[[Member], None]  # what all rows were reduced to is stored
    constant: Callable[[Any, str], Value]  # in a type
    cast: Callable[[Value, str], Value]
    load: Callable[[Access], Value]
    store: Callable[[Access, Value, bool], None]  # or add, where that is True
    row_value: Callable[[int], Value]  # what is known of the row
    applied: Callable[[Member, list[Value]], Value]  # the kernel of a member to its operands

    def __init__(self, program: Program, group: Group, machine: Machine) -> None:
        super().__init__(program, group, machine)
        self.row_values: dict[int, Value] = {}  # of this row, by quantity
        self.values: dict[Any, Value] = {}  # of these columns

    def walk(self) -> None:
        """The whole work."""
        for m in self.whole():
            self.begin(m)
        self.each_row()
        for m in self.whole():
            self.end(m)

    def row(self) -> None:
        """One row: its numbers, and a pass over its columns for each stage."""
        self.row_values = {}
        for stage in range(self.stages):
            for m in self.members:
                if m.stage == stage and m.form == ROW and m.item.kind == "map":
                    self._row_result(m, self._computed(m))
                elif m.stage == stage and self.of_rows(m):
                    self.join(m, self._operand(m, 0, self._types(m)[1]))
            work = self._needed([m for m in self.members if m.stage == stage and self.in_columns(m)])
            sums = [m for m in work if m.item.kind == "reduce" and m.form == ROW]
            for m in sums:
                self.begin(m)
            if work:
                self.each_column(work)
            for m in sums:
                self._row_result(m, self.total(m))

    def _row_result(self, m: Member, value: Value) -> None:
        self.row_values[m.item.number] = value
        self._written(m, value)

    def _written(self, m: Member, value: Value) -> None:
        """In memory, if it is to be there."""
        target = self.places.get(id(m))
        if target is not None:
            self.store(target, value, m.item.adds)

    def _needed(self, work: list[Member]) -> list[Member]:
        """The members that a pass reduces, stores or needs for that; others are computed where a later pass needs them."""
        found: list[Member] = []
        needed: set[int] = set()
        for m in reversed(work):
            if m.item.kind == "reduce" or id(m) in self.places or m.item.number in needed:
                found.append(m)
                needed.update(o.base for o in m.item.operands if isinstance(o, Operand) and self._register(o) is not None)
        return found[::-1]

    def point(self, work: list[Member]) -> None:
        """What a pass does at a column, or at several side by side."""
        self.values = {}
        for m in work:
            if m.item.kind == "reduce":
                self.join(m, self._operand(m, 0, self._types(m)[1]))
                continue
            value = self._computed(m)
            if m.item.into is None:
                self.values[m.item.number] = value
            self._written(m, value)

    def _computed(self, m: Member) -> Value:
        types, _ = self._types(m)
        return self.applied(m, [self._operand(m, i, type) for i, type in enumerate(types)])

    def _operand(self, m: Member, i: int, type: str) -> Value:
        operand = m.item.operands[i]
        if isinstance(operand, Constant):
            return self.constant(operand.value, type)
        access = self.reads.get((id(m), i))
        return self.cast(self._value(self.group.members[operand.base]) if access is None else self.load(access), type)

    def _value(self, m: Member) -> Value:
        """A member's value: that of an earlier stage is read again where it was kept, or computed again."""
        number = m.item.number
        if m.form == ROW:
            return self.row_value(number)
        if number not in self.values:
            place = self.places.get(id(m))
            self.values[number] = self._computed(m) if place is None else self.load(place)
        return self.values[number]

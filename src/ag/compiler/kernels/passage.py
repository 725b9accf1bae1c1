"""The text of a group's function as it grows: what is read and written within its loops."""

from __future__ import annotations

from typing import Any

from ..machine.native import Machine
from ..mathematics.emitter import Value
from ..program import Program
from .addresses import stored_type, wrapped
from .fusion import Group
from .planning import Access, Plan
from .writing_code import Writer


class Passage(Plan, Writer):
    """The text of a group's function as it grows: vectors read and written within its loops."""

    def __init__(self, program: Program, group: Group, machine: Machine) -> None:
        Plan.__init__(self, program, group, machine)
        Writer.__init__(self, machine, set())
        self.vector, self.scalar = self.emitter(self.width), self.emitter()
        # Of the row and the columns where the text stands:
        self.loaded: dict[int, Value] = {}  # what was read that is the same for the row
        self.splats: dict[Any, Value] = {}  # the same as vectors
        self.values: dict[Any, Value] = {}  # vectors that are known
        self.start = "0"  # the first column
        self.live = self.width  # how many of the lanes count
        self.starts: dict[int, str] = {}  # where the outer columns begin in each array
        self.written = {id(a) for a in self.targets.values()}
        self.across = self.vector if self.turned else self.scalar  # of what is one number for each row

    def folded(self, index: Access) -> bool:
        """Is the index one number for the whole row, so that the row's pointer follows it?"""
        return not index.varies and not (self.turned and self.moves(index))

    def _one(self, access: Access) -> Value:
        """What is one number for the whole row."""
        return self.scalar.load(access.pointer, self.type(access.operand.base))

    def _row_load(self, access: Access) -> Value:
        """What is the same for all columns of a row, or of as many rows as there are lanes."""
        if id(access) not in self.loaded:
            self.loaded[id(access)] = self._read(access, access.pointer) if self.turned else self._one(access)
        return self.loaded[id(access)]

    def _load(self, access: Access) -> Value:
        """What an array holds at these columns."""
        key = "load", id(access)
        if not access.varies and key in self.splats:
            return self.splats[key]
        if key not in self.values or id(access) in self.written:
            self.values[key] = self._read(access, self._pointer(access))
        return self.values[key]

    def _pointer(self, access: Access) -> str:
        """The address of what the first lane holds at these columns."""
        start = self.starts[id(access)]
        if not self.turned:
            start = self.sum_of(start, [self.start], [access.lane])
        return self.element(access.pointer, self.type(access.operand.base), start)

    def _read(self, access: Access, pointer: str) -> Value:
        """One element in each lane."""
        type = self.type(access.operand.base)
        if not self.moves(access) and all(self.folded(index) for index, _ in access.indices):
            return self.vector.splat(self.scalar.load(pointer, type))
        places = self._places(access, pointer)
        if places is None or self.width == 1:
            return self.vector.load(places or pointer, type, self.live)
        return self.vector.gather(places, type, self.live)

    def _store(self, access: Access, value: Value, pointer: str = "") -> None:
        """Write one element of each lane."""
        pointer = pointer or self._pointer(access)
        places = self._places(access, pointer)
        if places is None or self.width == 1:
            self.vector.store(value, places or pointer, self.live)
        else:
            self.vector.scatter(value, places, self.live)

    def _places(self, access: Access, pointer: str) -> str | None:
        """The addresses of all lanes; None if they follow each other, beginning at the pointer."""
        e = self.vector
        moving = [(index, gather) for index, gather in access.indices if not self.folded(index)]
        if not moving and (access.lane == 1 or self.width == 1):
            return None
        lanes = "<" + ", ".join(f"i64 {i * access.lane}" for i in range(self.width)) + ">"
        offsets = Value(lanes if self.width > 1 else "0", "i64")
        for index, gather in moving:
            offset = wrapped(e, self._load(index) if index.varies else self._row_load(index), gather)
            offsets = e.add(offsets, offset)
        type = stored_type(self.type(access.operand.base))
        return self.line(f"getelementptr {type}, ptr {pointer}, {e.vector('i64')} {offsets.text}")

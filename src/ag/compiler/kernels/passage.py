"""The text of a group's function as it grows: what is read and written within its loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..machine.native import Machine
from ..mathematics.emitter import Value
from ..program import Program
from .addresses import stored_type, wrapped
from .fusion import Group
from .planning import Access
from .walk import Walk
from .writing_code import Writer


class Passage(Walk, Writer):
    """The text of a group's function as it grows: vectors read and written within its loops."""

    def __init__(self, program: Program, group: Group, machine: Machine) -> None:
        Walk.__init__(self, program, group, machine)
        Writer.__init__(self, machine, set())
        self.vector, self.scalar = self.emitter(self.width), self.emitter()
        self.across = self.vector if self.turned else self.scalar  # of what is one number for each row
        # Of the row and the columns where the text stands:
        self.e = self.across  # what writes instructions there
        self.fixed: dict[Any, Value] = {}  # what is the same for all columns of the row
        self.before: int | None = None  # where the text of a pass over the columns begins
        self.start = "0"  # the first column
        self.live = self.width  # how many of the lanes count
        self.starts: dict[int, str] = {}  # where the outer columns begin in each array
        self.all_accesses = [*self.accesses.values(), *self.scratch.values()]
        self.written = {id(a) for a in self.places.values()}

    def folded(self, index: Access) -> bool:
        """Is the index one number for the whole row, so that the row's pointer follows it?"""
        return not index.varies and not (self.turned and self.moves(index))

    def constant(self, value: Any, type: str) -> Value:
        return self.e.constant(value, type)

    def cast(self, value: Value, type: str) -> Value:
        return self.e.cast(value, type)

    def row_value(self, number: int) -> Value:
        return self._spread(number, self.row_values[number])

    def load(self, access: Access) -> Value:
        key = "load", id(access)
        if not access.varies and id(access) not in self.written:
            return self._spread(key, self._once(key, lambda: self._of_row(access)))
        if key not in self.values or id(access) in self.written:
            self.values[key] = self._read(access, self._pointer(access))
        return self.values[key]

    def store(self, access: Access, value: Value, adds: bool) -> None:
        if self.e is self.scalar:
            self.scalar.store(value, access.pointer)
        else:
            self._store(access, self.vector.add(self.load(access), value) if adds else value)

    def _once(self, key: Any, make: Callable[[], Value]) -> Value:
        """What is the same for all columns of a row, written before the passage over them that asks for it."""
        if key not in self.fixed:
            behind = len(self.body) - (self.before or 0)
            self.fixed[key] = make()
            if self.before is not None:
                lines = self.body[self.before + behind :]
                del self.body[self.before + behind :]
                self.body[self.before : self.before] = lines
                self.before += len(lines)
        return self.fixed[key]

    def _spread(self, key: Any, value: Value) -> Value:
        """What is one number for each row, where the text stands."""
        return value if self.e is self.across else self._once(("spread", key), lambda: self.vector.splat(value))

    def _one(self, access: Access) -> Value:
        """What is one number for the whole row."""
        return self.scalar.load(access.pointer, self.type(access.operand.base))

    def _of_row(self, access: Access) -> Value:
        """What is the same for all columns of a row, or of as many rows as there are lanes."""
        return self._read(access, access.pointer) if self.turned else self._one(access)

    def _pointer(self, access: Access) -> str:
        """The address of what the first lane holds at these columns."""
        if not any(access.columns):
            return access.pointer
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

    def _store(self, access: Access, value: Value) -> None:
        """Write one element of each lane."""
        pointer = self._pointer(access)
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
            offsets = e.add(offsets, wrapped(e, self.load(index), gather))
        type = stored_type(self.type(access.operand.base))
        return self.line(f"getelementptr {type}, ptr {pointer}, {e.vector('i64')} {offsets.text}")

"""The text of a group's function as it grows: loops, and what is read and written in them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from ..machine.native import Machine
from ..mathematics.emitter import Emitter, Value
from ..program import Program
from .addresses import stored_type, type_of, wrapped
from .fusion import Group
from .planning import SIZES, Access, Plan


class Passage(Plan):
    """The text of a group's function as it grows: loops, and vectors read and written within them."""

    def __init__(self, program: Program, group: Group, machine: Machine) -> None:
        super().__init__(program, group, machine)
        self.body: list[str] = []
        self.entry: list[str] = []
        self.declarations: set[str] = set()
        self.names: Iterator[int] = itertools.count()
        self.vector = Emitter(self.width, machine.features, self.body, self.declarations, self.names)
        self.scalar = Emitter(1, machine.features, self.body, self.declarations, self.names)
        # Of the row and the columns where the text stands:
        self.loaded: dict[int, Value] = {}  # what was read that is the same for the row
        self.splats: dict[Any, Value] = {}  # the same as vectors
        self.values: dict[Any, Value] = {}  # vectors that are known
        self.start = "0"  # the first column
        self.live: int | None = None  # how many of the lanes count (None: all)
        self.starts: dict[int, str] = {}  # where the outer columns begin in each array
        self.written = {id(a) for a in self.targets.values()}
        self.across = self.vector if self.turned else self.scalar  # of what is one number for each row

    # ------------------------------------------------------------------ loops

    def emit(self, text: str) -> None:
        self.body.append(f"  {text}")

    def fresh(self, prefix: str = "t") -> str:
        return f"%{prefix}{next(self.names)}"

    def alloca(self, type: str) -> str:
        name = self.fresh("m")
        self.entry.append(f"  {name} = alloca {type}, align 64")
        return name

    def left_of(self, count: int, index: str, most: int) -> str:
        """How many of ``count`` are left from index · most on, but not more than ``most``, as text."""
        begun, left, fewer, size = (self.fresh() for _ in range(4))
        self.emit(f"{begun} = mul i64 {index}, {most}")
        self.emit(f"{left} = sub i64 {count}, {begun}")
        self.emit(f"{fewer} = icmp ult i64 {left}, {most}")
        self.emit(f"{size} = select i1 {fewer}, i64 {left}, i64 {most}")
        return size

    def loop(self, count: int | str, do: Callable[[str], None], shared: bool = False) -> None:
        """do(index) for each index below ``count``; ``shared``: from %first to %last, which a thread is given as its share."""
        if count == 1:
            do("0")
            return
        counter = self.alloca("i64")
        head, after = f"loop{next(self.names)}", f"after{next(self.names)}"
        self.emit(f"store i64 {'%first' if shared else 0}, ptr {counter}")
        self.emit(f"br label %{head}")
        self.body.append(f"{head}:")
        index = self.fresh("i")
        self.emit(f"{index} = load i64, ptr {counter}")
        do(index)
        following, more = self.fresh("i"), self.fresh("c")
        self.emit(f"{following} = add i64 {index}, 1")
        self.emit(f"store i64 {following}, ptr {counter}")
        self.emit(f"{more} = icmp ult i64 {following}, {'%last' if shared else count}")
        self.emit(f"br i1 {more}, label %{head}, label %{after}")
        self.body.append(f"{after}:")

    def at_the_end(self, do: Callable[[], None], shared: bool) -> None:
        """do(), in a shared loop by the thread that has the last piece."""
        if not shared:
            do()
            return
        k, mine = next(self.names), self.fresh("c")
        self.emit(f"{mine} = icmp eq i64 %last, {self.units}")
        self.emit(f"br i1 {mine}, label %end{k}, label %done{k}")
        self.body.append(f"end{k}:")
        do()
        self.emit(f"br label %done{k}")
        self.body.append(f"done{k}:")

    def nested(self, lengths: list[int], do: Callable[[list[str]], None], shared: bool = False) -> None:
        """do(indices) for all combinations; ``shared``: the outermost loop is."""

        def at(k: int, indices: list[str]) -> None:
            if k == len(lengths):
                do(indices)
            else:
                self.loop(lengths[k], lambda i: at(k + 1, [*indices, i]), shared and not k)

        at(0, [])

    def sum_of(self, start: str, indices: list[str], strides: list[int]) -> str:
        """start + Σ index · stride, as text."""
        known = sum([int(i) * s for i, s in zip([start, *indices], [1, *strides], strict=True) if i.isdigit()])
        total = "" if start.isdigit() else start
        for index, stride in zip(indices, strides, strict=True):
            if not stride or index.isdigit():
                continue
            term = index
            if stride != 1:
                term = self.fresh()
                self.emit(f"{term} = mul i64 {index}, {stride}")
            total = self._added(total, term)
        return self._added(total, str(known)) if known else total or "0"

    def _added(self, total: str, term: str) -> str:
        if not total:
            return term
        new = self.fresh()
        self.emit(f"{new} = add i64 {total}, {term}")
        return new

    # ------------------------------------------------------------------ memory

    def _type(self, number: int) -> str:
        return type_of(self.program.quantities[number].dtype)

    def _element(self, access: Access, pointer: str, offset: str) -> str:
        """The address of an element, counted from a pointer."""
        if offset == "0":
            return pointer
        type = self._type(access.operand.base)
        name = self.fresh("p")
        self.emit(f"{name} = getelementptr {stored_type(type)}, ptr {pointer}, i64 {offset}")
        return name

    def folded(self, index: Access) -> bool:
        """Is the index one number for the whole row, so that the row's pointer follows it?"""
        return not index.varies and not (self.turned and self.moves(index))

    def _row_load(self, access: Access) -> Value:
        """What is the same for all columns of a row, or of as many rows as there are lanes."""
        if id(access) not in self.loaded:
            if self.turned:
                self.loaded[id(access)] = self._read(access, access.pointer)
            else:
                self.loaded[id(access)] = self.scalar.load(access.pointer, self._type(access.operand.base))
        return self.loaded[id(access)]

    def _load(self, access: Access) -> Value:
        """What an array holds at these columns."""
        if not access.varies and ("load", id(access)) in self.splats:
            return self.splats["load", id(access)]
        key = ("load", id(access))
        if key not in self.values or id(access) in self.written:
            self.values[key] = self._read(access, self._pointer(access))
        return self.values[key]

    def _pointer(self, access: Access) -> str:
        """The address of what the first lane holds at these columns."""
        start = self.starts[id(access)]
        if not self.turned:
            start = self.sum_of(start, [self.start], [access.lane])
        return self._element(access, access.pointer, start)

    def _read(self, access: Access, pointer: str) -> Value:
        """One element in each lane."""
        e = self.vector
        type = self._type(access.operand.base)
        if not self.moves(access) and all(self.folded(index) for index, _ in access.indices):
            return e.splat(self.scalar.load(pointer, type))
        places = self._places(access, pointer)
        if places is None or self.width == 1:
            return e.load(places or pointer, type, self.live)
        stored = stored_type(type)
        text = e.call(
            f"llvm.masked.gather.{e.mangled(stored)}.v{e.width}p0", e.vector(stored), (f"<{e.width} x ptr>", places),
            ("i32", str(SIZES[type])), self._mask(), (e.vector(stored), "zeroinitializer"),
        )
        return e.cast(e.line(text, stored), type)

    def _store(self, access: Access, value: Value, pointer: str = "") -> None:
        """Write one element of each lane."""
        e = self.vector
        pointer = pointer or self._pointer(access)
        places = self._places(access, pointer)
        if places is None or self.width == 1:
            e.store(value, places or pointer, self.live)
            return
        value = e.cast(value, "i8") if value.type == "i1" else value
        text = e.call(
            f"llvm.masked.scatter.{e.mangled(value.type)}.v{e.width}p0", "void", (e.vector(value.type), value.text),
            (f"<{e.width} x ptr>", places), ("i32", str(SIZES.get(value.type, 1))), self._mask(),
        )
        self.emit(text)

    def _mask(self) -> tuple[str, str]:
        live = self.width if self.live is None else self.live
        lanes = ", ".join(f"i1 {'true' if i < live else 'false'}" for i in range(self.width))
        return self.vector.vector("i1"), f"<{lanes}>"

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
        name = self.fresh("g")
        kind = f"{e.vector('i64')} {offsets.text}"
        type = stored_type(self._type(access.operand.base))
        self.emit(f"{name} = getelementptr {type}, ptr {pointer}, {kind}")
        return name

"""The text of a function as it grows: its instructions, its loops, and how addresses are counted."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

from ..machine.native import Machine
from ..mathematics.emitter import BITS, Emitter, Value
from .addresses import stored_type


class Writer:
    """A function in LLVM's text. ``declarations``: what its module must hold beside it."""

    def __init__(self, machine: Machine, declarations: set[str]) -> None:
        self.machine, self.declarations = machine, declarations
        self.names: Iterator[int] = itertools.count()
        self.entry: list[str] = []  # what stands before the body: places for numbers
        self.body: list[str] = []

    def emit(self, text: str) -> None:
        self.body.append(f"  {text}")

    def fresh(self, prefix: str = "t") -> str:
        """A new name."""
        return f"%{prefix}{next(self.names)}"

    def line(self, text: str) -> str:
        """The name of what an instruction gives."""
        name = self.fresh()
        self.emit(f"{name} = {text}")
        return name

    def label(self, name: str) -> None:
        """The next block begins."""
        self.body.append(f"{name}:")

    def function(self, head: str, linkage: str = "internal") -> str:
        """The whole text."""
        return "\n".join([f"define {linkage} void @{head} {{", *self.entry, *self.body, "  ret void", "}"])

    def emitter(self, width: int = 1) -> Emitter:
        """Writes instructions on vectors into the body."""
        return Emitter(width, self.machine.features, self.body, self.declarations, self.names)

    def lanes(self, type: str) -> int:
        """How many elements a register holds; of truths as many as of numbers of 32 bits."""
        return 8 * self.machine.vector_bytes // max(BITS[type], 32)

    # ------------------------------------------------------------------ memory

    def alloca(self, type: str) -> str:
        """A place of this function's own."""
        name = self.fresh("m")
        self.entry.append(f"  {name} = alloca {type}, align 64")
        return name

    def element(self, pointer: str, type: str, offset: int | str) -> str:
        """The address of an element, counted from a pointer."""
        if offset in (0, "0"):
            return pointer
        return self.line(f"getelementptr {stored_type(type)}, ptr {pointer}, i64 {offset}")

    def pointer(self, table: str, place: int) -> str:
        """The address that stands at a place of a table."""
        return self.line(f"load ptr, ptr {self.element(table, 'ptr', place)}")

    def sum_of(self, start: str, indices: Sequence[str], strides: Sequence[int]) -> str:
        """start + Σ index · stride, as text."""
        known = sum([int(i) * s for i, s in zip([start, *indices], [1, *strides], strict=True) if i.isdigit()])
        terms = [] if start.isdigit() else [start]
        for index, stride in zip(indices, strides, strict=True):
            if stride and not index.isdigit():
                terms.append(index if stride == 1 else self.line(f"mul i64 {index}, {stride}"))
        if known or not terms:
            terms.append(str(known))
        total, *rest = terms
        for term in rest:
            total = self.line(f"add i64 {total}, {term}")
        return total

    # ------------------------------------------------------------------ loops

    def loop(self, count: int | str, do: Callable[[str], None], shared: bool = False) -> None:
        """do(index) for each index below ``count``; ``shared``: from %first to %last, which a thread is given as its share."""
        if count == 1:
            do("0")
            return
        counter, k = self.alloca("i64"), next(self.names)
        self.emit(f"store i64 {'%first' if shared else 0}, ptr {counter}")
        self.emit(f"br label %loop{k}")
        self.label(f"loop{k}")
        index = self.line(f"load i64, ptr {counter}")
        do(index)
        following = self.line(f"add i64 {index}, 1")
        self.emit(f"store i64 {following}, ptr {counter}")
        more = self.line(f"icmp ult i64 {following}, {'%last' if shared else count}")
        self.emit(f"br i1 {more}, label %loop{k}, label %after{k}")
        self.label(f"after{k}")

    def when(self, held: str, do: Callable[[], None], otherwise: Callable[[], None] = lambda: None) -> None:
        """do() where a truth holds, else the other."""
        k = next(self.names)
        self.emit(f"br i1 {held}, label %yes{k}, label %no{k}")
        for name, way in (("yes", do), ("no", otherwise)):
            self.label(f"{name}{k}")
            way()
            self.emit(f"br label %joined{k}")
        self.label(f"joined{k}")

    def at_the_end(self, count: int, do: Callable[[], None], shared: bool = False) -> None:
        """do() after a loop; after a shared one by the thread that has the last of its ``count`` pieces."""
        if shared and count > 1:
            self.when(self.line(f"icmp eq i64 %last, {count}"), do)
        else:
            do()

    def in_pieces(self, count: int, size: int, do: Callable[[str, int], None], shared: bool = False) -> None:
        """do(start, size) for each piece of ``count`` elements, and do(start, length) for the rest, if some are left."""
        full, rest = divmod(count, size)
        if full:
            self.loop(full, lambda k: do(self.sum_of("0", [k], [size]), size), shared)
        if rest:
            self.at_the_end(full, lambda: do(str(full * size), rest), shared and full > 1)

    def nested(self, lengths: Sequence[int], do: Callable[[list[str]], None], shared: bool = False) -> None:
        """do(indices) for all combinations; ``shared``: the outermost loop is."""

        def at(k: int, indices: list[str]) -> None:
            if k == len(lengths):
                do(indices)
            else:
                self.loop(lengths[k], lambda i: at(k + 1, [*indices, i]), shared and not k)

        at(0, [])


class Variable:
    """A number in each lane that changes while a loop runs; LLVM keeps it in a register, unless it is part of an array."""

    def __init__(self, e: Emitter, place: str, type: str) -> None:
        self.e, self.place, self.type = e, place, type

    def get(self) -> Value:
        return self.e.line(f"load {self.e.vector(self.type)}, ptr {self.place}", self.type)

    def set(self, value: Value | float) -> None:
        if not isinstance(value, Value):
            value = self.e.constant(value, self.type)
        self.e.body.append(f"  store {self.e.vector(self.type)} {value.text}, ptr {self.place}")

"""Products of matrices of which one has few columns: a BLAS is made for large ones, and a small kernel of one's own is faster.

Both kernels keep a sum in a register for each of the few: `dots` of a row of the one factor with each column of the other,
`outers` of a column of the one with each of a few rows of the other.
"""

from __future__ import annotations

from typing import Any

from ..machine.native import Machine
from ..mathematics.emitter import Emitter, Value
from .blas import Product
from .writing_code import Writer, nested

FEW = 12  # columns, at most
LONG = 64  # elements that are summed, or that lie behind each other, at least
LONGEST = 8192  # elements that are summed in the lanes of one register
AHEAD = 2  # groups of rows
CHUNK = 128  # rows that are summed in a register before they are added to the result
REGISTERS = 24  # for sums


def kernel(name: str, product: Product, type: str, module: Any) -> str | None:
    """The function (left, right, result, scratch) of a skinny product; None where a BLAS does it."""
    way = way_of(product, module.machine)
    if way is None:
        return None
    skinny = _Skinny(name, product, type, module)
    return skinny.dots() if way == "dots" else skinny.outers(way == "outers, turned")


def way_of(product: Product, machine: Machine) -> str | None:
    """Which kernel does it: "dots", "outers", or "outers, turned", where the columns are the few; None where a BLAS does it."""
    p = product
    if p.lead or machine.vector_bytes < 32 or not machine.features & {"fma", "avx512f"}:
        return None
    if 2 <= p.columns <= FEW and not p.left.transposed and LONG <= p.inner <= LONGEST and p.rows >= 4:
        return "dots"
    if 2 <= p.rows <= FEW and not p.right.transposed and p.columns >= LONG and p.inner >= 4:
        return "outers"
    if 2 <= p.columns <= FEW and p.left.transposed and p.rows >= LONG and p.inner >= 4:
        return "outers, turned"
    return None


def scratch(product: Product, itemsize: int) -> int:
    """How many bytes the kernel needs for a copy of the small factor, with its columns behind each other."""
    return product.inner * product.columns * itemsize + 64 if product.columns <= FEW else 0


class _Skinny:
    def __init__(self, name: str, product: Product, type: str, module: Any) -> None:
        self.name, self.p, self.type = name, product, type
        self.w = Writer()
        size = 8 if type == "double" else 4
        self.width = module.machine.vector_bytes // size
        features, declarations = module.machine.features, module.declarations
        self.vector = Emitter(self.width, features, self.w.body, declarations, self.w.names)
        self.scalar = Emitter(1, features, self.w.body, declarations, self.w.names)

    def _place(self, base: str, *steps: tuple[str, int]) -> str:
        """base + Σ index · stride."""
        w, total = self.w, base
        for index, stride in steps:
            if index.isdigit():
                total = w.moved(total, self.type, int(index) * stride)
                continue
            term = index
            if stride != 1:
                term = w.fresh()
                w.emit(f"{term} = mul i64 {index}, {stride}")
            total = w.moved(total, self.type, term)
        return total

    def _variables(self, count: int) -> list[str]:
        names = [self.w.fresh("m") for _ in range(count)]
        self.w.entry += [f"  {name} = alloca {self.vector.vector(self.type)}, align 64" for name in names]
        return names

    def _get(self, place: str) -> Value:
        return self.vector.line(f"load {self.vector.vector(self.type)}, ptr {place}", self.type)

    def _set(self, place: str, value: Value) -> None:
        self.w.emit(f"store {self.vector.vector(self.type)} {value.text}, ptr {place}")

    def _ahead(self, address: str) -> None:
        """What will be read soon."""
        how = ("i32", "0"), ("i32", "3"), ("i32", "1")  # to be read, kept close, no instruction
        self.w.emit(self.vector.call("llvm.prefetch.p0", "void", ("ptr", address), *how))

    def _finished(self) -> str:
        self.w.emit("ret void")
        head = f"define internal void @{self.name}(ptr %left, ptr %right, ptr %result, ptr %scratch) {{"
        return "\n".join([head, *self.w.entry, *self.w.body, "}"])

    def dots(self) -> str:
        """Each row of the left with each column of the right, of which some rows are done at once."""
        p, w, few = self.p, self.w, self.p.columns
        line = p.inner
        if p.right.transposed:  # its columns lie behind each other
            columns, line = "%right", p.right.line
        else:
            columns = "%scratch"

            def copy(offsets: list[str]) -> None:
                value = self.scalar.load(w.moved("%right", self.type, offsets[0]), self.type)
                self.scalar.store(value, w.moved("%scratch", self.type, offsets[1]))

            nested(w, (p.inner, few), ((p.right.line, 1), (1, line)), copy)
        at_once = max(1, min(4, REGISTERS // few))
        blocks, rest = divmod(p.rows, at_once)

        def rows(first: str, count: int) -> None:
            sums = self._variables(count * few)
            for place in sums:
                self._set(place, self.vector.constant(0.0, self.type))
            full, tail = divmod(p.inner, self.width)

            def step(at: str, live: int | None) -> None:
                starts = [self._place("%left", (first, p.left.line), (str(r), p.left.line), (at, 1)) for r in range(count)]
                parts = [self.vector.load(x, self.type, live) for x in starts]
                for x in starts:  # memory is asked for the rows that come next
                    self._ahead(w.moved(x, self.type, AHEAD * at_once * p.left.line))
                for j in range(few):
                    column = self.vector.load(self._place(columns, (str(j), line), (at, 1)), self.type, live)
                    for r in range(count):
                        place = sums[r * few + j]
                        self._set(place, self.vector.fma(parts[r], column, self._get(place)))

            if full:
                nested(w, (full,), ((self.width,),), lambda offsets: step(offsets[0], None))
            if tail:
                step(str(full * self.width), tail)
            for r in range(count):
                for j in range(few):
                    total = self.vector.reduce("add", self._get(sums[r * few + j]))
                    self.scalar.store(total, self._place("%result", (first, few), (str(r * few + j), 1)))

        if blocks:
            nested(w, (blocks,), ((at_once,),), lambda offsets: rows(offsets[0], at_once))
        for r in range(rest):
            rows(str(blocks * at_once + r), 1)
        return self._finished()

    def outers(self, turned: bool) -> str:
        """The sum over the inner axis of column · row, where the row is long; ``turned``: the left is the long one."""
        p, w = self.p, self.w
        few, long = (p.columns, p.rows) if turned else (p.rows, p.columns)
        long_line = p.left.line if turned else p.right.line
        base, small = ("%left", "%right") if turned else ("%right", "%left")
        layout = p.right if turned else p.left  # of the factor with few
        # Distances in it along the inner axis, and from one of the few to the next.
        inner, across = (layout.line, 1) if layout.transposed != turned else (1, layout.line)
        wide = max(1, min(4, REGISTERS // few))
        block = wide * self.width

        def columns(first: str, lanes: list[int | None], start: str, count: int) -> None:
            """The sums over ``count`` elements of the inner axis, for some columns."""
            sums = self._variables(few * len(lanes))
            for place in sums:
                self._set(place, self.vector.constant(0.0, self.type))

            def step(index: str) -> None:
                steps = (start, long_line), (index, long_line), (first, 1)
                parts = [
                    self.vector.load(self._place(base, *steps, (str(k * self.width), 1)), self.type, live)
                    for k, live in enumerate(lanes)
                ]
                for k in range(len(lanes)):  # memory is asked for the columns that come next
                    self._ahead(self._place(base, *steps, (str(len(lanes) * self.width + k * self.width), 1)))
                for j in range(few):
                    number = self.scalar.load(self._place(small, (start, inner), (index, inner), (str(j), across)), self.type)
                    factor = self.vector.splat(number)
                    for k, part in enumerate(parts):
                        place = sums[j * len(lanes) + k]
                        self._set(place, self.vector.fma(part, factor, self._get(place)))

            nested(w, (count,), ((1,),), lambda offsets: step(offsets[0]))
            for j in range(few):
                for k, live in enumerate(lanes):
                    self._put(j, long, few, first, k, self._get(sums[j * len(lanes) + k]), live, turned, p.inner > CHUNK)

        def chunk(start: str, count: int) -> None:
            blocks, rest = divmod(long, block)
            if blocks:
                nested(w, (blocks,), ((block,),), lambda offsets: columns(offsets[0], [None] * wide, start, count))
            at = blocks * block
            while rest > 0:
                columns(str(at), [None if rest >= self.width else rest], start, count)
                at, rest = at + self.width, rest - self.width

        if p.inner <= CHUNK:
            chunk("0", p.inner)
            return self._finished()
        zero = self.scalar.constant(0.0, self.type)
        nested(w, (long * few,), ((1,),), lambda offsets: self.scalar.store(zero, w.moved("%result", self.type, offsets[0])))
        whole, rest = divmod(p.inner, CHUNK)
        nested(w, (whole,), ((CHUNK,),), lambda offsets: chunk(offsets[0], CHUNK))
        if rest:
            chunk(str(whole * CHUNK), rest)
        return self._finished()

    def _put(
        self, j: int, long: int, few: int, first: str, k: int, value: Value, live: int | None, turned: bool, adds: bool
    ) -> None:
        """Write, or add, the sums for one of the few in a register's columns."""
        if not turned:
            place = self._place("%result", (str(j), long), (first, 1), (str(k * self.width), 1))
            value = self.vector.add(self.vector.load(place, self.type, live), value) if adds else value
            self.vector.store(value, place, live)
            return
        whole = self.vector.vector(self.type)
        for lane in range(live or self.width):
            number = self.scalar.line(f"extractelement {whole} {value.text}, i32 {lane}", self.type)
            place = self._place("%result", (first, few), (str((k * self.width + lane) * few + j), 1))
            self.scalar.store(self.scalar.add(self.scalar.load(place, self.type), number) if adds else number, place)

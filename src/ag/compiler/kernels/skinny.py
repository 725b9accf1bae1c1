"""Products of matrices of which one has few columns: a BLAS is made for large ones, and a small kernel of one's own is faster.

Both kernels keep a sum in a register for each of the few: `dots` of a row of the one factor with each column of the other,
`outers` of a column of the one with each of a few rows of the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..machine.native import Machine
from ..mathematics.emitter import Value
from .blas import Product
from .writing_code import Variable, Writer

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
    skinny = _Skinny(product, type, module)
    if way == "dots":
        skinny.dots()
    else:
        skinny.outers(way == "outers, turned")
    return skinny.function(f"{name}(ptr %left, ptr %right, ptr %result, ptr %scratch)")


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


class _Skinny(Writer):
    def __init__(self, product: Product, type: str, module: Any) -> None:
        super().__init__(module.machine, module.declarations)
        self.p, self.type = product, type
        self.vector, self.scalar = self.emitter(self.lanes(type)), self.emitter()

    def _place(self, base: str, indices: Sequence[str], strides: Sequence[int], known: int = 0) -> str:
        """The address of base[Σ index · stride + known]; what is known is added last, as an instruction holds it."""
        return self.element(self.element(base, self.type, self.sum_of("0", indices, strides)), self.type, known)

    def _sum(self) -> Variable:
        """A sum in each lane, to which nothing has been added."""
        total = Variable(self.vector, self.alloca(self.vector.vector(self.type)), self.type)
        total.set(0.0)
        return total

    def _ahead(self, address: str) -> None:
        """What will be read soon."""
        how = ("i32", "0"), ("i32", "3"), ("i32", "1")  # to be read, kept close, no instruction
        self.emit(self.vector.call("llvm.prefetch.p0", "void", ("ptr", address), *how))

    def dots(self) -> None:
        """Each row of the left with each column of the right, of which some rows are done at once."""
        p, few, vector = self.p, self.p.columns, self.vector
        columns, line = "%right", p.right.line
        if not p.right.transposed:  # its columns do not lie behind each other
            columns, line = "%scratch", p.inner

            def copy(indices: list[str]) -> None:
                value = self.scalar.load(self._place("%right", indices, (p.right.line, 1)), self.type)
                self.scalar.store(value, self._place("%scratch", indices, (1, line)))

            self.nested((p.inner, few), copy)
        at_once = max(1, min(4, REGISTERS // few))

        def rows(first: str, count: int) -> None:
            sums = {(r, j): self._sum() for r in range(count) for j in range(few)}

            def step(at: str, live: int) -> None:
                starts = [self._place("%left", (first, at), (p.left.line, 1), r * p.left.line) for r in range(count)]
                parts = [vector.load(x, self.type, live) for x in starts]
                for x in starts:  # memory is asked for the rows that come next
                    self._ahead(self.element(x, self.type, AHEAD * at_once * p.left.line))
                for j in range(few):
                    column = vector.load(self._place(columns, (at,), (1,), j * line), self.type, live)
                    for r, part in enumerate(parts):
                        sums[r, j].set(vector.fma(part, column, sums[r, j].get()))

            self.in_pieces(p.inner, vector.width, step)
            for (r, j), total in sums.items():
                number = vector.reduce("add", total.get())
                self.scalar.store(number, self._place("%result", (first,), (few,), r * few + j))

        self.in_pieces(p.rows, at_once, rows)

    def outers(self, turned: bool) -> None:
        """The sum over the inner axis of column · row, where the row is long; ``turned``: the left is the long one."""
        p, vector, width = self.p, self.vector, self.vector.width
        few, long = (p.columns, p.rows) if turned else (p.rows, p.columns)
        long_line = p.left.line if turned else p.right.line
        base, small = ("%left", "%right") if turned else ("%right", "%left")
        layout = p.right if turned else p.left  # of the factor with few
        # Distances in it along the inner axis, and from one of the few to the next.
        inner, across = (layout.line, 1) if layout.transposed != turned else (1, layout.line)
        wide = max(1, min(4, REGISTERS // few))
        adds = p.inner > CHUNK

        def columns(first: str, length: int, start: str, count: int) -> None:
            """The sums over ``count`` elements of the inner axis, for ``length`` columns."""
            lanes = {k: min(width, length - k) for k in range(0, length, width)}  # of each register, by its first column
            sums = {(j, k): self._sum() for j in range(few) for k in lanes}

            def step(index: str) -> None:
                def column(k: int) -> str:
                    return self._place(base, (start, index, first), (long_line, long_line, 1), k)

                parts = {k: vector.load(column(k), self.type, live) for k, live in lanes.items()}
                for k in lanes:  # memory is asked for the columns that come next
                    self._ahead(column(len(lanes) * width + k))
                for j in range(few):
                    number = self.scalar.load(self._place(small, (start, index), (inner, inner), j * across), self.type)
                    factor = vector.splat(number)
                    for k, part in parts.items():
                        sums[j, k].set(vector.fma(part, factor, sums[j, k].get()))

            self.loop(count, step)
            for (j, k), total in sums.items():
                put(j, first, k, total.get(), lanes[k])

        def put(j: int, first: str, k: int, value: Value, live: int) -> None:
            """Write, or add, the sums for one of the few in a register's columns."""
            if not turned:
                place = self._place("%result", (first,), (1,), j * long + k)
                vector.store(vector.add(vector.load(place, self.type, live), value) if adds else value, place, live)
                return
            for lane in range(live):
                number = self.scalar.line(f"extractelement {vector.vector(self.type)} {value.text}, i32 {lane}", self.type)
                place = self._place("%result", (first,), (few,), (k + lane) * few + j)
                self.scalar.store(self.scalar.add(self.scalar.load(place, self.type), number) if adds else number, place)

        def chunk(start: str, count: int) -> None:
            self.in_pieces(long, wide * width, lambda first, length: columns(first, length, start, count))

        if adds:
            zero = self.scalar.constant(0.0, self.type)
            self.loop(long * few, lambda k: self.scalar.store(zero, self.element("%result", self.type, k)))
        self.in_pieces(p.inner, CHUNK, chunk)

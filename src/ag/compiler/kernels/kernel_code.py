"""A group as machine code: one function with loops over rows and columns, in LLVM's text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

from ..machine.native import Machine
from ..mathematics.elementary import apart, expression
from ..mathematics.emitter import Value
from ..program import Program
from .accumulators import JOIN, Accumulator, identity
from .addresses import stored_type, wrapped
from .fusion import COLUMN, ONE, Group, Member, is_heavy
from .passage import Passage
from .planning import BLOCK, Access
from .views import strides_of

UNROLLED = 4  # so few vectors of a row are written out without a loop


class Kernel(Passage):
    """The function of one group. ``slot``: where the address of a quantity stands in the table that the function is given."""

    def __init__(self, program: Program, group: Group, name: str, machine: Machine, slot: Callable[[int], int]) -> None:
        super().__init__(program, group, machine)
        self.name, self.slot = name, slot
        self.bases: dict[int, str] = {}
        self.outer: list[str] = []  # the indices of the outer columns
        self.accumulators: dict[int, Accumulator] = {}
        self.columns: dict[tuple[int, int], Accumulator] = {}  # of a quantity and the first of its columns
        self.turned_columns: dict[int, str] = {}  # where a turned kernel keeps them

    # ------------------------------------------------------------------ the function

    def text(self) -> str:
        """The function in LLVM's text."""
        for base in dict.fromkeys(a.operand.base for a in self.accesses.values()):
            self.bases[base] = self.pointer("%table", self.slot(base))
        for a in self.scratch.values():
            lanes = self.width if self.turned else 1
            a.columns = [n * lanes for n in a.columns]
            number = a.operand.base
            self.bases[number] = self.alloca(f"[{math.prod(self.column_lengths) * lanes} x {stored_type(self.type(number))}]")
        self.walk()
        return self.function(f"{self.name}(ptr noalias %table, i64 %first, i64 %last)")

    def reduced(self) -> list[Member]:
        """The members that all rows are reduced to, and that are stored."""
        return [m for m in self.whole() if id(m) in self.targets]

    # ------------------------------------------------------------------ rows

    def each_row(self) -> None:
        if self.turned:  # along the innermost axis as many at once as there are lanes
            self.nested(self.row_lengths[:-1], self._rows, shared=True)
        else:
            self.nested(self.row_lengths, self._at_row, shared=True)

    def _rows(self, outer: list[str]) -> None:
        def rows(first: str, live: int) -> None:
            self.live = live
            self._at_row([*outer, first])

        self.in_pieces(self.count, self.width, rows, shared=not outer)

    def _at_row(self, indices: list[str]) -> None:
        """One row, with the pointers to where it begins in each array."""
        self.fixed = {}
        for a in self.all_accesses:
            start = self.sum_of(str(a.operand.offset), indices, a.rows)
            a.pointer = self.element(self.bases[a.operand.base], self.type(a.operand.base), start)
        for a in self.accesses.values():
            for index, gather in a.indices:
                if self.folded(index):
                    offset = wrapped(self.scalar, self._one(index), gather)
                    a.pointer = self.element(a.pointer, self.type(a.operand.base), offset.text)
        self.row()

    def applied(self, m: Member, operands: list[Value]) -> Value:
        compute = apart if self.apart and is_heavy(m.item.kernel) else expression
        return self.cast(compute(self.e, m.item.kernel, dict(zip("xyz", operands, strict=False))), self.type(m.item.number))

    # ------------------------------------------------------------------ columns

    def each_column(self, work: list[Member]) -> None:
        self.e, self.before = self.vector, len(self.body)
        flushed = [self.accumulators[m.item.number] for m in work if m.item.kind == "reduce" and m.form != COLUMN]
        if self.turned:
            self._turned_pass(work)
            for x in flushed:
                x.flush()
        else:
            self.nested(self.column_lengths[:-1], lambda outer: self._pass(work, flushed, outer))
        self.e, self.before = self.across, None

    def _turned_pass(self, work: list[Member]) -> None:
        """A pass over the columns of as many rows as there are lanes."""

        def at(indices: list[str]) -> None:
            self.outer = indices
            self.starts = {id(a): self.sum_of("0", indices, a.columns) for a in self.all_accesses}
            self.point(work)

        self._each_column(at)

    def _each_column(self, do: Callable[[list[str]], None]) -> None:
        """do(indices) for each column of a turned kernel; few are written out, so that what they sum stays in registers."""
        if math.prod(self.column_lengths) > UNROLLED:
            self.nested(self.column_lengths, do)
            return
        for position in itertools.product(*map(range, self.column_lengths)):
            do([str(i) for i in position])

    def _pass(self, work: list[Member], flushed: list[Accumulator], outer: list[str]) -> None:
        """A pass over the innermost columns."""
        self.outer = outer
        self.starts = {id(a): self.sum_of("0", outer, a.columns[:-1]) for a in self.all_accesses}
        count, width = self.count, self.width
        full, rest = divmod(count, width)

        def step(start: str, live: int) -> None:
            self.start, self.live = start, live
            self.point(work)

        def flush() -> None:
            for x in flushed:
                x.flush()

        def block(index: str) -> None:
            first = self.sum_of("0", [index], [BLOCK * width])
            left = Value(self.sum_of(str(full), [index], [-BLOCK]), "i64")
            vectors = self.scalar.minimum(left, self.scalar.constant(BLOCK, "i64")).text if full % BLOCK else BLOCK
            self.loop(vectors, lambda k: step(self.sum_of(first, [k], [width]), width))
            flush()

        def tail() -> None:
            step(str(full * width), rest)
            flush()

        if full >= 2 * BLOCK and (flushed or self.units > 1):
            blocks, shared = -(-full // BLOCK), not self.row_lengths and self.units > 1
            self.loop(blocks, block, shared)
            if rest:
                self.at_the_end(blocks, tail, shared)
            return
        if full > UNROLLED:
            self.in_pieces(count, width, step)
        else:
            for start in range(0, count, width):
                step(str(start), min(width, count - start))
        flush()

    # ------------------------------------------------------------------ reductions

    def begin(self, m: Member) -> None:
        kind, type = m.item.kernel, self._types(m)[1]
        number = m.item.number
        if m.form == COLUMN and self.turned:
            self.turned_columns[number] = self.alloca(f"[{math.prod(self.column_lengths)} x {self.vector.vector(type)}]")
            self._each_column(lambda indices: self._turned_column(m, indices).begin())
            return
        if m.form == COLUMN and len(self.column_lengths) <= 1 and self.count <= UNROLLED * self.width:
            for start in range(0, self.count, self.width):  # in registers
                accumulator = self.columns[number, start] = Accumulator(self.vector, self.alloca, kind, type, False)
                accumulator.begin()
            return
        if m.form == COLUMN:
            self._fill(m, identity(kind, type))
            return
        if number not in self.accumulators:
            e = self.across if self.of_rows(m) else self.vector
            several = not self.turned and (len(self.column_lengths) > 1 or self.count // self.width >= 2 * BLOCK)
            self.accumulators[number] = Accumulator(e, self.alloca, kind, type, several or m.form == ONE)
        self.accumulators[number].begin()

    def join(self, m: Member, value: Value) -> None:
        if m.form == COLUMN:
            self._join_column(m, value)
            return
        accumulator = self.accumulators[m.item.number]
        accumulator.join(value, self.live)
        if self.of_rows(m):
            accumulator.flush()

    def total(self, m: Member) -> Value:
        accumulator = self.accumulators[m.item.number]
        return accumulator.value() if self.turned else accumulator.result(self.scalar)

    def _turned_column(self, m: Member, indices: list[str]) -> Accumulator:
        """What a turned kernel has reduced one column to in each lane."""
        type = self._types(m)[1]
        index = self.sum_of("0", indices, strides_of(tuple(self.column_lengths)))
        place = self.element(self.turned_columns[m.item.number], self.vector.vector(type), index)
        return Accumulator(self.vector, lambda _: place, m.item.kernel, type, False)

    def end(self, m: Member) -> None:
        target = self.targets.get(id(m))
        if target is None:
            return
        target.pointer = self.element(self.bases[target.operand.base], self.type(target.operand.base), target.operand.offset)
        if m.form == ONE:
            self.scalar.store(self.accumulators[m.item.number].result(self.scalar), target.pointer)
        elif self.turned:
            self._each_column(lambda indices: self._turned_result(m, target, indices))
        for (number, start), accumulator in self.columns.items():
            if number == m.item.number:
                self.start, self.live, self.starts = str(start), min(self.width, self.count - start), {id(target): "0"}
                self._store(target, accumulator.value())

    def _turned_result(self, m: Member, target: Access, indices: list[str]) -> None:
        result = self._turned_column(m, indices).result(self.scalar)
        place = self.sum_of("0", indices, target.columns)
        self.scalar.store(result, self.element(target.pointer, self.type(m.item.number), place))

    def _fill(self, m: Member, number: float | int) -> None:
        """The columns of the result, before the first row."""
        target = self.targets[id(m)]
        target.pointer = self.bases[target.operand.base]
        value = self.vector.constant(number, self.type(m.item.number))

        def fill(start: str, live: int) -> None:
            self.start, self.live = start, live
            self._store(target, value)

        def row(outer: list[str]) -> None:
            self.starts = {id(target): self.sum_of("0", outer, target.columns[:-1])}
            self.in_pieces(self.count, self.width, fill)

        self.nested(self.column_lengths[:-1], row)

    def _join_column(self, m: Member, value: Value) -> None:
        accumulator = self._turned_column(m, self.outer) if self.turned else None
        if not self.turned and self.start.isdigit():
            accumulator = self.columns.get((m.item.number, int(self.start)))
        if accumulator is not None:
            accumulator.join(value, self.live)
            return
        target = self.targets[id(m)]
        self._store(target, JOIN[m.item.kernel](self.vector, self.load(target), value))

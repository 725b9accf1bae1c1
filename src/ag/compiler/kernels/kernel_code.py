"""A group as machine code: one function with loops over rows and columns, in LLVM's text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

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
        self.outer: Sequence[str] = ()  # the indices of the columns of a turned kernel
        self.accumulators: dict[int, Accumulator] = {}
        self.many = len(self.column_lengths) > 1 or self.count > UNROLLED * self.width  # columns: their sums are in memory
        self.columns: dict[tuple[int, str], Accumulator] = {}  # of a quantity and the first of its columns
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
        for a in self.all_accesses:
            a.pointer = self.bases[a.operand.base]
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
        self._pass(lambda: self.point(work), flushed)
        self.e, self.before = self.across, None

    def _pass(self, do: Callable[[], None], flushed: Sequence[Accumulator] = ()) -> None:
        """do() at each column, or at as many side by side as there are lanes. ``flushed``: what it sums."""
        if self.turned:
            self._turned_pass(do)
            for x in flushed:
                x.flush()
        else:
            self.nested(self.column_lengths[:-1], lambda outer: self._along(outer, do, flushed))

    def _turned_pass(self, do: Callable[[], None]) -> None:
        """do() at each column of as many rows as there are lanes; few are written out, so that their sums stay in registers."""

        def at(indices: Sequence[str]) -> None:
            self.outer = indices
            self.starts = {id(a): self.sum_of("0", indices, a.columns) for a in self.all_accesses}
            do()

        if math.prod(self.column_lengths) > UNROLLED:
            self.nested(self.column_lengths, at)
            return
        for position in itertools.product(*map(range, self.column_lengths)):
            at([*map(str, position)])

    def _along(self, outer: list[str], do: Callable[[], None], flushed: Sequence[Accumulator]) -> None:
        """do() along the innermost columns."""
        self.starts = {id(a): self.sum_of("0", outer, a.columns[:-1]) for a in self.all_accesses}
        count, width = self.count, self.width
        full, rest = divmod(count, width)

        def step(start: str, live: int) -> None:
            self.start, self.live = start, live
            do()

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
        number, type = m.item.number, self._types(m)[1]
        if m.form == COLUMN:
            if self.turned:
                self.turned_columns[number] = self.alloca(f"[{math.prod(self.column_lengths)} x {self.vector.vector(type)}]")
            self._pass(lambda: self._begin_column(m))
            return
        if number not in self.accumulators:
            e = self.across if self.of_rows(m) else self.vector
            several = not self.turned and (len(self.column_lengths) > 1 or self.count // self.width >= 2 * BLOCK)
            self.accumulators[number] = Accumulator(e, self.alloca, m.item.kernel, type, several or m.form == ONE)
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

    def end(self, m: Member) -> None:
        target = self.targets.get(id(m))
        if target is not None and m.form == ONE:
            self.scalar.store(self.accumulators[m.item.number].result(self.scalar), target.pointer)
        elif target is not None and (self.turned or not self.many):
            self._pass(lambda: self._end_column(m, target))

    def _column(self, m: Member) -> Accumulator | None:
        """What these columns are reduced to, if it is not in memory: by a turned kernel in each lane, and few in registers."""
        number, type = m.item.number, self._types(m)[1]
        if self.turned:
            index = self.sum_of("0", self.outer, strides_of(tuple(self.column_lengths)))
            place = self.element(self.turned_columns[number], self.vector.vector(type), index)
            return Accumulator(self.vector, lambda _: place, m.item.kernel, type, False)
        if not self.many and (number, self.start) not in self.columns:
            self.columns[number, self.start] = Accumulator(self.vector, self.alloca, m.item.kernel, type, False)
        return self.columns.get((number, self.start))

    def _begin_column(self, m: Member) -> None:
        column, type = self._column(m), self._types(m)[1]
        if column is None:
            self._store(self.targets[id(m)], self.vector.constant(identity(m.item.kernel, type), type))
        else:
            column.begin()

    def _join_column(self, m: Member, value: Value) -> None:
        column = self._column(m)
        if column is None:
            target = self.targets[id(m)]
            self._store(target, JOIN[m.item.kernel](self.vector, self.load(target), value))
        else:
            column.join(value, self.live)

    def _end_column(self, m: Member, target: Access) -> None:
        column = self._column(m)
        assert column is not None
        if self.turned:
            self.scalar.store(column.result(self.scalar), self._pointer(target))
        else:
            self._store(target, column.value())

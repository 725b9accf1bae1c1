"""A group as machine code: one function with loops over rows and columns, in LLVM's text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from ..machine.native import Machine
from ..mathematics.elementary import apart, expression
from ..mathematics.emitter import Emitter, Value
from ..program import Constant, Program
from .accumulators import JOIN, Accumulator, identity
from .addresses import stored_type, wrapped
from .fusion import COLUMN, ONE, ROW, Group, Member, is_heavy
from .passage import Passage
from .planning import BLOCK, Access
from .views import Operand, strides_of

UNROLLED = 4  # so few vectors of a row are written out without a loop


class Kernel(Passage):
    """The function of one group. ``slot``: where the address of a quantity stands in the table that the function is given."""

    def __init__(self, program: Program, group: Group, name: str, machine: Machine, slot: Callable[[int], int]) -> None:
        super().__init__(program, group, machine)
        self.name, self.slot = name, slot
        self.bases: dict[int, str] = {}
        self.scratch: dict[int, str] = {}
        self.outer: list[str] = []  # the indices of the outer columns
        self.accumulators: dict[int, Accumulator] = {}
        self.columns: dict[tuple[int, int], Accumulator] = {}  # of a quantity and the first of its columns
        self.turned_columns: dict[int, str] = {}  # where a turned kernel keeps them
        self.row_values: dict[int, Value] = {}  # of this row, by quantity

    # ------------------------------------------------------------------ the function

    def text(self) -> str:
        """The function in LLVM's text."""
        for base in dict.fromkeys(a.operand.base for a in self.accesses.values()):
            self.bases[base] = self.pointer("%table", self.slot(base))
        row = math.prod(self.column_lengths) * (self.width if self.turned else 1)
        self.scratch = {n: self.alloca(f"[{row} x {stored_type(self.type(n))}]") for n in self.group.scratch}
        for m in self.whole():
            self._begin(m)
        if self.turned:
            self.nested(self.row_lengths[:-1], self._rows, shared=True)
        else:
            self.nested(self.row_lengths, self._row, shared=True)
        for m in self.whole():
            self._end(m)
        return self.function(f"{self.name}(ptr noalias %table, i64 %first, i64 %last)")

    def reduced(self) -> list[Member]:
        """The members that all rows are reduced to, and that are stored."""
        return [m for m in self.whole() if id(m) in self.targets]

    # ------------------------------------------------------------------ rows

    def _rows(self, outer: list[str]) -> None:
        """The rows of a turned kernel along the innermost axis, as many at once as there are lanes."""

        def rows(first: str, live: int) -> None:
            self.live = live
            self._row([*outer, first])

        self.in_pieces(self.count, self.width, rows, shared=not outer)

    def _row(self, indices: list[str]) -> None:
        """One row: its pointers, its numbers, and a pass over its columns for each stage."""
        self.row_values = {}
        self.loaded, self.splats = {}, {}
        for a in self.accesses.values():
            start = self.sum_of(str(a.operand.offset), indices, a.rows)
            a.pointer = self.element(self.bases[a.operand.base], self.type(a.operand.base), start)
        for a in self.accesses.values():
            for index, gather in a.indices:
                if self.folded(index):
                    offset = wrapped(self.scalar, self._one(index), gather)
                    a.pointer = self.element(a.pointer, self.type(a.operand.base), offset.text)
        for stage in range(self.stages):
            for m in self.members:
                if m.stage == stage and m.form == ROW and m.item.kind == "map":
                    self._row_result(m, self._computed(self.across, m, self._row_operand))
                elif m.stage == stage and self.of_rows(m):
                    accumulator = self.accumulators[m.item.number]
                    accumulator.join(self._row_operand(m, 0, accumulator.type), self.live)
                    accumulator.flush()
            work = [m for m in self.members if m.stage == stage and self.in_columns(m)]
            if work:
                self._columns(work)

    def _row_result(self, m: Member, value: Value) -> None:
        self.row_values[m.item.number] = value
        target = self.targets.get(id(m))
        if target is not None and self.turned:
            self._store(target, value, target.pointer)
        elif target is not None:
            self.scalar.store(value, target.pointer)

    def _row_operand(self, m: Member, i: int, type: str) -> Value:
        operand = m.item.operands[i]
        if isinstance(operand, Constant):
            return self.across.constant(operand.value, type)
        access = self.reads.get((id(m), i))
        return self.across.cast(self.row_values[operand.base] if access is None else self._row_load(access), type)

    def _computed(self, e: Emitter, m: Member, read: Callable[[Member, int, str], Value]) -> Value:
        types, _ = self._types(m)
        values = dict(zip("xyz", [read(m, i, type) for i, type in enumerate(types)], strict=False))
        compute = apart if self.apart and is_heavy(m.item.kernel) else expression
        return e.cast(compute(e, m.item.kernel, values), self.type(m.item.number))

    # ------------------------------------------------------------------ columns

    def _columns(self, work: list[Member]) -> None:
        """A pass over the columns of a row that computes ``work``."""
        for m in work:
            self._prepare(m, set(), work)
        sums = [m for m in work if m.item.kind == "reduce" and m.form == ROW]
        for m in sums:
            self._begin(m)
        flushed = [m for m in work if m.item.kind == "reduce" and m.form != COLUMN]
        if self.turned:
            self._turned_pass(work)
            for m in flushed:
                self.accumulators[m.item.number].flush()
        else:
            self.nested(self.column_lengths[:-1], lambda outer: self._pass(work, flushed, outer))
        for m in sums:
            accumulator = self.accumulators[m.item.number]
            self._row_result(m, accumulator.value() if self.turned else accumulator.result(self.scalar))

    def _prepare(self, m: Member, seen: set[int], work: list[Member]) -> None:
        """What a pass needs of numbers that are the same for all columns, before its loop begins."""
        if id(m) in seen:
            return
        seen.add(id(m))
        for i, operand in enumerate(m.item.operands):
            if not isinstance(operand, Operand):
                continue
            access = self.reads.get((id(m), i))
            if access is not None:
                self._prepare_access(access)
                continue
            source = self.group.members[operand.base]
            if source.form == ROW:
                self._splat(("row", operand.base), self.row_values[operand.base])
            elif source not in work and not self._kept(source):
                self._prepare(source, seen, work)

    def _prepare_access(self, access: Access) -> None:
        for index, _ in access.indices:
            if not self.folded(index):
                self._prepare_access(index)
        if not access.varies:
            self._splat(("load", id(access)), self._row_load(access))

    def _splat(self, key: Any, value: Value) -> None:
        if key not in self.splats:
            self.splats[key] = value if self.turned else self.vector.splat(value)

    def _kept(self, m: Member) -> bool:
        """Is the value of an earlier stage read again, rather than computed again?"""
        return id(m) in self.targets or m.item.number in self.scratch

    def _turned_pass(self, work: list[Member]) -> None:
        """A pass over the columns of as many rows as there are lanes."""

        def at(indices: list[str]) -> None:
            self.values, self.outer = {}, indices
            self.starts = {id(a): self.sum_of("0", indices, a.columns) for a in self.accesses.values()}
            for m in work:
                self._point(m)

        self._each_column(at)

    def _each_column(self, do: Callable[[list[str]], None]) -> None:
        """do(indices) for each column of a turned kernel; few are written out, so that what they sum stays in registers."""
        if math.prod(self.column_lengths) > UNROLLED:
            self.nested(self.column_lengths, do)
            return
        for position in itertools.product(*map(range, self.column_lengths)):
            do([str(i) for i in position])

    def _pass(self, work: list[Member], flushed: list[Member], outer: list[str]) -> None:
        """A pass over the innermost columns."""
        self.outer = outer
        self.starts = {id(a): self.sum_of("0", outer, a.columns[:-1]) for a in self.accesses.values()}
        count, width = self.count, self.width
        full, rest = divmod(count, width)

        def step(start: str, live: int) -> None:
            self.start, self.live, self.values = start, live, {}
            for m in work:
                self._point(m)

        def flush() -> None:
            for m in flushed:
                self.accumulators[m.item.number].flush()

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

    def _point(self, m: Member) -> None:
        """One vector of columns: the member's value there, joined or stored."""
        if m.item.kind == "reduce":
            value = self._operand(m, 0, self._types(m)[0][0])
            if m.form == COLUMN:
                self._join_column(m, value)
            else:
                self.accumulators[m.item.number].join(value, self.live)
            return
        value = self._computed(self.vector, m, self._operand)
        number = m.item.number
        target = self.targets.get(id(m))
        if m.item.into is None:
            self.values[number] = value
        elif m.item.adds:
            assert target is not None
            value = self.vector.add(self._load(target), value)
        if target is not None:
            self._store(target, value)
        elif number in self.scratch:
            self.vector.store(value, self._in_scratch(number), self.live)

    def _operand(self, m: Member, i: int, type: str) -> Value:
        operand = m.item.operands[i]
        if isinstance(operand, Constant):
            return self.vector.constant(operand.value, type)
        access = self.reads.get((id(m), i))
        if access is not None:
            return self.vector.cast(self._load(access), type)
        source = self.group.members[operand.base]
        if source.form == ROW:
            return self.vector.cast(self.splats["row", operand.base], type)
        value = self.values.get(operand.base)
        if value is None:  # of an earlier stage
            if id(source) in self.targets:
                value = self._load(self.targets[id(source)])
            elif operand.base in self.scratch:
                value = self.vector.load(self._in_scratch(operand.base), self.type(operand.base), self.live)
            else:
                value = self._computed(self.vector, source, self._operand)
            self.values[operand.base] = value
        return self.vector.cast(value, type)

    def _in_scratch(self, number: int) -> str:
        strides = strides_of(tuple(self.column_lengths))
        if self.turned:
            place = self.sum_of("0", self.outer, [n * self.width for n in strides])
        else:
            place = self.sum_of(self.start, self.outer, strides[:-1])
        return self.element(self.scratch[number], self.type(number), place)

    # ------------------------------------------------------------------ reductions

    def _begin(self, m: Member) -> None:
        """Nothing is reduced yet."""
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

    def _turned_column(self, m: Member, indices: list[str]) -> Accumulator:
        """What a turned kernel has reduced one column to in each lane."""
        type = self._types(m)[1]
        index = self.sum_of("0", indices, strides_of(tuple(self.column_lengths)))
        place = self.element(self.turned_columns[m.item.number], self.vector.vector(type), index)
        return Accumulator(self.vector, lambda _: place, m.item.kernel, type, False)

    def _end(self, m: Member) -> None:
        """What all rows were reduced to is stored."""
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
            self.start, self.live, self.values = start, live, {}
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
        self._store(target, JOIN[m.item.kernel](self.vector, self._load(target), value))

"""A group as Python text: the loops, loads and stores that its machine code has, with the names of the program.

The text runs, too: the arrays are flat, `lanes(n, w)` gives the numbers below n, w at a time, as an array, `at(i, n)` counts
negative indices from the end, `spread(x, i)` repeats a number for each index, and the functions are those of the table's kernels.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..kernels.accumulators import identity
from ..kernels.addresses import type_of
from ..kernels.fusion import COLUMN, ONE, ROW, Member
from ..kernels.planning import Access, Plan
from ..kernels.views import Gather, Operand, strides_of
from ..mathematics.elementary import FUNCTIONS
from ..mathematics.emitter import FLOATS
from ..program import Constant, Program

DTYPES = {"double": "float64", "float": "float32", "i64": "int64", "i32": "int32", "i1": "bool"}
TOTALS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}
JOINS = {"add": "{0} + {1}", "multiply": "{0} * {1}", "maximum": "maximum({0}, {1})", "minimum": "minimum({0}, {1})"}
WORDS = "lanes", "at", "spread", "where", "empty"  # what a text uses besides functions and types
TAKEN = {*FUNCTIONS, *TOTALS.values(), *DTYPES.values(), *keyword.kwlist, *dir(builtins), *WORDS}
INDENT = "    "
Index = tuple[str, int]  # the name of a loop's variable, and the stride along it


def array_name(program: Program, number: int) -> str:
    """How a quantity is called where it stands in memory: m7, or the name of an argument; its value is v7."""
    q = program.quantities[number]
    if q.op is not None or not q.name:
        return f"m{number}"
    clashes = q.name in TAKEN or q.name.startswith(("row", "column")) or (q.name[0] in "vmk" and q.name[1:].isdigit())
    return f"{q.name}_" if clashes else q.name


class KernelText:
    """The function of a group. ``name``: what it is called; ``notes``: what is said of a quantity at the end of its line."""

    def __init__(self, plan: Plan, name: str, notes: dict[int, str]) -> None:
        self.plan, self.name, self.notes = plan, name, notes
        self.program, self.group, self.members = plan.program, plan.group, plan.members
        self.lines: list[str] = []
        self.depth = 1
        self.last = ""  # the note at the end of the last line
        self.rows = _numbered("row", len(plan.row_lengths))
        self.columns = _numbered("column", len(plan.column_lengths))
        self.indices = [*self.rows, *self.columns]
        self.lane = ""  # the variable that counts lanes, in the innermost loop
        self.spread: dict[int, bool] = {}  # of the values that are known here: is there one in each lane?
        self.computed: set[int] = set()
        self.row_values: dict[int, bool] = {}  # the same, of what is one number for each row

    def text(self) -> str:
        """The function, as Python."""
        plan = self.plan
        arrays = dict.fromkeys(self._array(a.operand) for a in plan.accesses.values())
        self.lines = [f"def {self.name}({', '.join(arrays)}):"]
        row = math.prod(plan.column_lengths)
        for number in self.group.scratch:
            made = f"[0] * {row}" if plan.turned else f"empty({row}, {self._dtype(number)})"
            self._line(f"s{number} = {made}", "kept in the cache for the next stage of the row")
        for m in plan.whole():
            self._begin(m)
        self._loops(self.rows, plan.row_lengths, plan.turned, self._row)
        if self.lines[-1].endswith(":"):
            self.depth += len(self.lines) - 1
            self._line("pass", "nothing that is read")
            self.depth = 1
        for m in plan.whole():
            target = plan.targets.get(id(m))
            if m.form == ONE and target is not None:
                self._line(f"{self._address(target.operand, [])} = v{m.item.number}")
        return "\n".join(self.lines)

    def _array(self, operand: Operand) -> str:
        return array_name(self.program, operand.base)

    def _line(self, text: str, note: str = "") -> None:
        text = INDENT * self.depth + text
        note, self.last = ("" if note == self.last else note), note
        self.lines.append(f"{text:<58}  # {note}" if note else text)

    def _dtype(self, number: int) -> str:
        return DTYPES[type_of(self.program.quantities[number].dtype)]

    def _loops(self, names: list[str], lengths: list[int], in_lanes: bool, do: Any) -> None:
        """Loops over all indices, the innermost by lanes."""
        width = self.plan.width
        depth = self.depth
        for k, (name, n) in enumerate(zip(names, lengths, strict=True)):
            lanes = in_lanes and k == len(lengths) - 1 and width > 1
            self._line(f"for {name} in {f'lanes({n}, {width})' if lanes else f'range({n})'}:")
            self.depth += 1
            self.lane = name if lanes else self.lane
        do()
        self.depth = depth
        self.lane = "" if in_lanes else self.lane

    # ------------------------------------------------------------------ rows

    def _row(self) -> None:
        self.row_values = {}
        for stage in range(self.plan.stages):
            for m in self.members:
                if m.stage == stage and m.form == ROW and m.item.kind == "map":
                    self.spread = dict(self.row_values)
                    self._computed(m, set())
                    self._row_result(m)
                elif m.stage == stage and self.plan.of_rows(m):
                    self.spread = dict(self.row_values)
                    self._join(m)
            work = self._used([m for m in self.members if m.stage == stage and self.plan.in_columns(m)])
            if work:
                self._pass(work)

    def _row_result(self, m: Member) -> None:
        number = m.item.number
        self.row_values[number] = bool(self.lane)
        target = self.plan.targets.get(id(m))
        if target is not None:
            self._line(f"{self._at(target, self.rows)} = v{number}")

    # ------------------------------------------------------------------ columns

    def _used(self, work: list[Member]) -> list[Member]:
        """The members that a pass reduces, stores or needs for that; others are computed where a later pass needs them."""
        found: list[Member] = []
        needed: set[int] = set()
        for m in reversed(work):
            number = m.item.number
            if m.item.kind == "reduce" or id(m) in self.plan.targets or number in {*self.group.scratch, *needed}:
                found.append(m)
                needed.update(o.base for o in m.item.operands if isinstance(o, Operand) and self.plan._register(o) is not None)
        return found[::-1]

    def _pass(self, work: list[Member]) -> None:
        sums = [m for m in work if m.item.kind == "reduce" and m.form == ROW]
        for m in sums:
            self._begin(m)

        def columns() -> None:
            self.spread = dict(self.row_values)
            done: set[int] = set()
            for m in work:
                self._point(m, work, done)

        self._loops(self.columns, self.plan.column_lengths, not self.plan.turned, columns)
        for m in sums:
            self._row_result(m)

    def _point(self, m: Member, work: list[Member], done: set[int]) -> None:
        """What a pass does at each of its columns."""
        self._earlier(m, work, done)
        number = m.item.number
        if m.item.kind == "reduce":
            self._join(m)
            return
        self._computed(m, done)
        target = self.plan.targets.get(id(m))
        if target is not None:
            self._line(f"{self._at(target, self.indices)} {'+=' if m.item.adds else '='} v{number}")
        elif number in self.group.scratch:
            self._line(f"{self._scratch(number)} = v{number}")

    def _earlier(self, m: Member, work: list[Member], done: set[int]) -> None:
        """What a pass needs of an earlier stage: read again where it was kept, or computed again."""
        for operand in m.item.operands:
            source = self.plan._register(operand) if isinstance(operand, Operand) else None
            if source is None or source.form == ROW or source in work or source.item.number in done:
                continue
            number = source.item.number
            target = self.plan.targets.get(id(source))
            if target is not None or number in self.group.scratch:
                place = self._scratch(number) if target is None else self._at(target, self.indices)
                self._line(f"v{number} = {place}")
                self.spread[number] = bool(self.lane)
            else:
                self._earlier(source, work, done)
                self._computed(source, done, "again" if source.item.number in self.computed else "")
            done.add(number)

    def _scratch(self, number: int) -> str:
        strides = strides_of(tuple(self.plan.column_lengths))
        return f"s{number}[{_total(0, zip(self.columns, strides, strict=True))}]"

    # ------------------------------------------------------------------ one quantity

    def _computed(self, m: Member, done: set[int], note: str = "") -> None:
        """The line that computes a member."""
        types, common = self.plan._types(m)
        number = m.item.number
        operands = [self._operand(m, i, type) for i, type in enumerate(types)]
        tree = _Filled({name: text for name, (text, _) in zip("xyz", operands, strict=False)}).visit(
            ast.parse(m.item.kernel, mode="eval").body
        )
        text = ast.unparse(tree)
        in_lanes = any(spread for _, spread in operands)
        own = self._dtype(number)
        truth = own == "bool" and m.item.kernel != "x"  # what compares computes in the type of what it compares
        if (DTYPES[common] != own and not truth) or all(isinstance(o, Constant) for o in m.item.operands):
            text = f"{own}({text})"
        if self.lane and not in_lanes:
            text = f"spread({text}, {self.lane})"
        self.spread[number] = bool(self.lane)
        self.computed.add(number)
        done.add(number)
        self._line(f"v{number} = {text}", ", ".join(filter(None, (self.notes.get(number, ""), note))))

    def _operand(self, m: Member, i: int, type: str) -> tuple[str, bool]:
        """An operand in a type, and whether it is a number for each lane."""
        operand = m.item.operands[i]
        if isinstance(operand, Constant):
            return _constant(operand.value, type), False
        access = self.plan.reads.get((id(m), i))
        if access is not None:
            indices = self.rows if (m.form == ROW and m.item.kind == "map") or self.plan.of_rows(m) else self.indices
            text, spread = self._at(access, indices), self._moves(access, indices)
        else:
            text, spread = f"v{operand.base}", self.spread[operand.base]
        own = type_of(self.program.quantities[operand.base].dtype)
        return (text if own == type else f"{DTYPES[type]}({text})"), spread

    def _begin(self, m: Member) -> None:
        kind, type = m.item.kernel, self.plan._types(m)[1]
        start = 0.0 if kind == "add" and type in FLOATS else identity(kind, type)
        number = m.item.number
        place = f"{array_name(self.program, number)}[:]" if m.form == COLUMN else f"v{number}"
        self._line(f"{place} = {_constant(start, type)}", self.notes.get(number, ""))

    def _join(self, m: Member) -> None:
        """One more element of a reduction, or one in each lane."""
        text, spread = self._operand(m, 0, self.plan._types(m)[0][0])
        kind = m.item.kernel
        across = self.plan.turned if m.form == ROW else m.form == COLUMN and not self.plan.turned  # lanes are not joined
        if self.lane and not across:
            text = f"{TOTALS[kind]}({text if spread else f'spread({text}, {self.lane})'})"
        target = self.plan.targets.get(id(m))
        place = f"v{m.item.number}"
        if m.form == COLUMN:
            assert target is not None
            place = self._at(target, self.indices)
        self._line(f"{place} = {JOINS[kind].format(place, text)}")

    # ------------------------------------------------------------------ addresses

    def _steps(self, access: Access, indices: list[str]) -> Iterator[Index]:
        """The strides along these indices, which are those of the rows, or all."""
        return zip(indices, [*access.rows, *access.columns], strict=False)

    def _moves(self, access: Access, indices: list[str]) -> bool:
        """Is it another element in each lane?"""
        moving = any(stride and name == self.lane for name, stride in self._steps(access, indices))
        return moving or any(self._moves(index, indices) for index, _ in access.indices)

    def _at(self, access: Access, indices: list[str]) -> str:
        """An element of an array, as text."""
        gathers = [(self._at(index, indices), gather) for index, gather in access.indices]
        return self._address(access.operand, self._steps(access, indices), gathers)

    def _address(self, operand: Operand, steps: Iterable[Index], gathers: Iterable[tuple[str, Gather]] = ()) -> str:
        terms = [_term(f"at({index}, {gather.length})", gather.stride) for index, gather in gathers]
        return f"{self._array(operand)}[{_total(operand.offset, steps, terms)}]"


def running(program: Program, item: Any, name: str) -> tuple[str, list[int]]:
    """The text of running sums, and the arrays that it is given."""
    loops, (axis,) = _numbered("i", len(item.space)), item.reduced
    source, arrays = item.operands[0], [item.operands[0].base, item.number]
    outer = [k for k in range(len(item.space)) if k != axis]
    indent = INDENT * len(outer)
    read, written = [array_name(program, n) for n in arrays]
    value = f"{read}[{_total(source.offset, zip(loops, source.strides, strict=True))}]"
    place = f"{written}[{_total(0, zip(loops, strides_of(item.space), strict=True))}]"
    lines = [
        *_nest((loops[k], item.space[k]) for k in outer), f"{indent}total = {_constant(0, type_of(item.quantity.dtype))}",
        f"{indent}for {loops[axis]} in range({item.space[axis]}):",
        f"{indent}{INDENT}total = total + {value}", f"{indent}{INDENT}{place} = total",
    ]
    return _function(program, name, arrays, lines), arrays


def _function(program: Program, name: str, arrays: list[int], lines: list[str]) -> str:
    given = ", ".join(array_name(program, n) for n in arrays)
    return "\n".join([f"def {name}({given}):", *(f"{INDENT}{line}" for line in lines)])


def _nest(loops: Iterable[tuple[str, int]]) -> list[str]:
    """The heads of loops, one in the other."""
    return [f"{INDENT * depth}for {name} in range({n}):" for depth, (name, n) in enumerate(loops)]


def _numbered(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}{k}" for k in range(1, count + 1)]


def _term(name: str, stride: int) -> str:
    return name if stride == 1 else f"{stride} * {name}"


def _total(offset: int, steps: Iterable[Index], more: Iterable[str] = ()) -> str:
    """offset + Σ stride · index, as text."""
    terms = [_term(name, stride) for name, stride in steps if stride] + list(more)
    if offset or not terms:
        terms.insert(0, str(offset))
    return " + ".join(terms).replace("+ -", "- ")


def _constant(value: Any, type: str) -> str:
    """A number in a type, as Python writes it."""
    if type == "i1":
        return str(bool(value))
    if type not in FLOATS:
        return str(int(value))
    number = np.dtype(DTYPES[type]).type(value)
    return "nan" if np.isnan(number) else f"{'-' if number < 0 else ''}inf" if np.isinf(number) else str(number)


class _Filled(ast.NodeTransformer):
    """A kernel with its operands in place of x, y and z, in terms that hold for arrays."""

    def __init__(self, operands: dict[str, str]) -> None:
        self.operands = {name: ast.parse(text, mode="eval").body for name, text in operands.items()}

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.operands.get(node.id, node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        return ast.Call(node.func, [self.visit(x) for x in node.args], [])

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        return ast.Call(ast.Name("where"), [self.visit(x) for x in (node.test, node.body, node.orelse)], [])

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        name = "logical_or" if isinstance(node.op, ast.Or) else "logical_and"
        parts: Iterator[ast.expr] = map(self.visit, node.values)
        result = next(parts)
        for part in parts:
            result = ast.Call(ast.Name(name), [result, part], [])
        return result

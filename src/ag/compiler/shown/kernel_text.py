"""A group as Python text: the loops, loads and stores that its machine code has, with the names of the program.

The text runs, too: the arrays are flat, `lanes(n, w)` gives the numbers below n, w at a time, as an array, `at(i, n)` counts
negative indices from the end, `spread(x, i)` repeats a number for each index, and the functions are those of the table's kernels.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..kernels.accumulators import KERNELS, identity
from ..kernels.addresses import type_of
from ..kernels.fusion import COLUMN, ONE, ROW, Member
from ..kernels.lowering import FOLDS
from ..kernels.planning import Access, Plan
from ..kernels.views import strides_of
from ..kernels.walk import Walk
from ..mathematics.elementary import FUNCTIONS
from ..mathematics.emitter import FLOATS, Value
from ..program import Constant, Program

DTYPES = {"double": "float64", "float": "float32", "i64": "int64", "i32": "int32", "i1": "bool"}
TOTALS = {join: name for name, join in FOLDS.items()}
WORDS = "lanes", "at", "spread", "where", "empty"  # what a text uses besides functions and types
TAKEN = {*FUNCTIONS, *TOTALS.values(), *DTYPES.values(), *keyword.kwlist, *dir(builtins), *WORDS}
INDENT = "    "
WORD = re.compile(r"\w+")
Index = tuple[str, int]  # the name of a loop's variable, and the stride along it


def array_name(program: Program, number: int) -> str:
    """How a quantity is called where it stands in memory: m7, or the name of an argument; its value is v7."""
    q = program.quantities[number]
    if q.op is not None or not q.name:
        return f"m{number}"
    name = _identifier(q.name)
    if sum(_identifier(program.quantities[n].name) == name for n in program.arguments) > 1:
        return f"m{number}"
    clashes = name in TAKEN or name.startswith(("row", "column")) or (name[0] in "vmk" and name[1:].isdigit())
    return f"{name}_" if clashes else name


def _identifier(name: str) -> str:
    """p['W'] as p_W."""
    return re.sub(r"\W+", "_", name).strip("_")


class KernelText(Walk):
    """The function of a group. ``name``: what it is called; ``notes``: what is said of a quantity at the end of its line."""

    def __init__(self, plan: Plan, name: str, notes: dict[int, str]) -> None:
        super().__init__(plan.program, plan.group, plan.machine)
        self.name, self.notes = name, notes
        self.lines: list[str] = []
        self.depth = 1
        self.last = ""  # the note at the end of the last line
        self.indices: list[str] = []  # the variables of the loops around
        self.lane = ""  # the one that counts lanes
        self.lanes: set[str] = set()  # variables that hold a number for each lane
        self.computed: set[int] = set()

    def text(self) -> str:
        """The function, as Python."""
        arrays = dict.fromkeys(map(self._array, self.accesses.values()))
        self.lines = [f"def {self.name}({', '.join(arrays)}):"]
        for a in self.scratch.values():
            row = math.prod(self.column_lengths)
            made = f"[0] * {row}" if self.turned else f"empty({row}, {DTYPES[self.type(a.operand.base)]})"
            self._line(f"{self._array(a)} = {made}", "kept in the cache for the next stage of the row")
            self.lanes |= {self._array(a)} if self.turned else set()
        self.walk()
        return "\n".join(self.lines)

    def _array(self, access: Access) -> str:
        number = access.operand.base
        return f"s{number}" if access in self.scratch.values() else array_name(self.program, number)

    def _line(self, text: str, note: str = "") -> None:
        text = INDENT * self.depth + text
        note, self.last = ("" if note == self.last else note), note
        self.lines.append(f"{text:<58}  # {note}" if note else text)

    # ------------------------------------------------------------------ loops

    def each_row(self) -> None:
        self._loops("row", self.row_lengths, self.turned, self.row)

    def each_column(self, work: list[Member]) -> None:
        self._loops("column", self.column_lengths, not self.turned, lambda: self.point(work))

    def _loops(self, name: str, lengths: list[int], in_lanes: bool, do: Callable[[], None]) -> None:
        """do() within loops over all indices, the innermost by lanes."""
        outside = self.depth, self.indices, self.lane
        names = _numbered(name, len(lengths))
        self.indices = self.indices + names
        if in_lanes and names and self.width > 1:
            self.lane = names[-1]
            self.lanes.add(self.lane)
        for index, n in zip(names, lengths, strict=True):
            self._line(f"for {index} in {f'lanes({n}, {self.width})' if index == self.lane else f'range({n})'}:")
            self.depth += 1
        do()
        if self.lines[-1].endswith(":"):
            self._line("pass", "nothing that is read")
        self.depth, self.indices, self.lane = outside

    # ------------------------------------------------------------------ quantities

    def applied(self, m: Member, operands: list[Value]) -> Value:
        text = _filled(m.item.kernel, [x.text for x in operands])
        number, common = m.item.number, self._types(m)[1]
        own = self.type(number)
        truth = own == "i1" and m.item.kernel != "x"  # what compares computes in the type of what it compares
        if (common != own and not truth) or all(isinstance(o, Constant) for o in m.item.operands):
            text = f"{DTYPES[own]}({text})"
        again = m.item.into is None and number in self.computed
        self.computed.add(number)
        value = self._variable(number)
        self._line(f"{value.text} = {self._in_lanes(text)}", ", ".join(filter(None, (self.notes.get(number), again * "again"))))
        return value

    def _variable(self, number: int) -> Value:
        """The variable of a quantity; within lanes it holds a number for each."""
        name = f"v{number}"
        if self.lane:
            self.lanes.add(name)
        return Value(name, self.type(number))

    def _in_lanes(self, text: str) -> str:
        """An expression that has a number for each lane, where there are lanes."""
        return text if not self.lane or self.lanes & {*WORD.findall(text)} else f"spread({text}, {self.lane})"

    def begin(self, m: Member) -> None:
        kind, type = m.item.kernel, self._types(m)[1]
        start = 0.0 if kind == "add" and type in FLOATS else identity(kind, type)
        number = m.item.number
        place = f"{array_name(self.program, number)}[:]" if m.form == COLUMN else f"v{number}"
        self._line(f"{place} = {_constant(start, type)}", self.notes.get(number, ""))

    def join(self, m: Member, value: Value) -> None:
        kind, text = m.item.kernel, value.text
        across = self.turned if m.form == ROW else m.form == COLUMN and not self.turned  # lanes are not joined
        if self.lane and not across:
            text = f"{TOTALS[kind]}({self._in_lanes(text)})"
        place = self._at(self.targets[id(m)]) if m.form == COLUMN else f"v{m.item.number}"
        self._line(f"{place} = {_filled(KERNELS[kind], [place, text])}")

    def total(self, m: Member) -> Value:
        return self._variable(m.item.number)

    def end(self, m: Member) -> None:
        target = self.targets.get(id(m))
        if m.form == ONE and target is not None:
            self._line(f"{self._at(target)} = v{m.item.number}")

    def constant(self, value: Any, type: str) -> Value:
        return Value(_constant(value, type), type)

    def cast(self, value: Value, type: str) -> Value:
        return value if value.type == type else Value(f"{DTYPES[type]}({value.text})", type)

    def row_value(self, number: int) -> Value:
        return self.row_values[number]

    def load(self, access: Access) -> Value:
        return Value(self._at(access), self.type(access.operand.base))

    def store(self, access: Access, value: Value, adds: bool) -> None:
        self._line(f"{self._at(access)} {'+=' if adds else '='} {value.text}")

    def _at(self, access: Access) -> str:
        """An element of an array, as text. Within a row but before its columns the strides are those of the row alone."""
        gathered = [_term(f"at({self._at(index)}, {gather.length})", gather.stride) for index, gather in access.indices]
        steps = zip(self.indices, [*access.rows, *access.columns], strict=False)
        return f"{self._array(access)}[{_total(access.operand.offset, steps, gathered)}]"


def running(program: Program, item: Any, name: str) -> tuple[str, list[int]]:
    """The text of running sums, and the arrays that it is given."""
    loops, (axis,) = _numbered("i", len(item.space)), item.reduced
    source, arrays = item.operands[0], [item.operands[0].base, item.number]
    read, written = [array_name(program, n) for n in arrays]
    *outer, along = [f"for {loops[k]} in range({item.space[k]}):" for k in (*(k for k in range(len(loops)) if k != axis), axis)]
    start = f"total = {_constant(0, type_of(item.quantity.dtype))}"
    value = f"{read}[{_total(source.offset, zip(loops, source.strides, strict=True))}]"
    place = f"{written}[{_total(0, zip(loops, strides_of(item.space), strict=True))}]"
    lines = [f"def {name}({read}, {written}):", *outer, start, along, f"total = total + {value}", f"{place} = total"]
    inner = len(outer) + 1
    depths = [*range(inner), inner, inner, inner + 1, inner + 1]
    return "\n".join([INDENT * depth + line for depth, line in zip(depths, lines, strict=True)]), arrays


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


def _filled(kernel: str, operands: list[str]) -> str:
    """A kernel of these operands."""
    return ast.unparse(_Filled(dict(zip("xyz", operands, strict=False))).visit(ast.parse(kernel, mode="eval").body))


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

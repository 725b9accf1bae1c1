"""What a row computes as JavaScript, and what a rule leaves behind when it is given symbols.

- An elementwise row is its kernel, printed, and acts on small arrays element by element.
- A linear or bilinear row is a sum of products with constant weights, read off its own computation.
- A reduction whose kernel joins two elements is a fold.
- Any other row says as its kernel how it is computed by such rows.
"""

from __future__ import annotations

import ast
import itertools
import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..node import Node
from ..operators.rules import Bilinear, Elementwise, Linear, Zero, value_of
from ..operators.table import Operator
from ..symbol import Symbol

PROBES = 4096  # the most that a linear row is tried for its weights
ARGUMENTS = "xyz"
OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
COMPARISONS = {ast.Eq: "===", ast.NotEq: "!==", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
FUNCTIONS = {ast.Pow: "pow", ast.Mod: "remainder", ast.FloorDiv: "floor_divide"}


class NotPrintable(Exception):
    """What can't be computed on a page, in words that follow on "there are no sliders: "."""


# ---------------------------------------------------------------------- one kernel


def javascript(kernel: str) -> str:
    """A kernel, one Python expression of x, y, z, as a JavaScript expression of numbers."""
    return _expression(ast.parse(kernel, mode="eval").body)


def _expression(e: ast.AST) -> str:
    match e:
        case ast.Name(id=name):
            return name
        case ast.Constant(value=int() | float() as value):
            return literal(value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"(-{_expression(operand)})"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return f"({_expression(left)} {OPERATORS[type(op)]} {_expression(right)})"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in FUNCTIONS:
            return f"kernel.{FUNCTIONS[type(op)]}({_expression(left)}, {_expression(right)})"
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return f"kernel.{name}({', '.join(map(_expression, args))})"
        case ast.IfExp(test=test, body=body, orelse=other):
            return f"({_condition(test)} ? {_expression(body)} : {_expression(other)})"
    raise ValueError(f"a kernel is made of x, y, z, numbers, + - * / ** % //, functions and if-else; {ast.unparse(e)!r} is not")


def _condition(e: ast.AST) -> str:
    match e:
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
            return f"{_expression(left)} {COMPARISONS[type(op)]} {_expression(right)}"
        case ast.BoolOp(op=ast.Or(), values=values):
            return " || ".join(map(_condition, values))
    return f"{_expression(e)} !== 0"  # as for NumPy, nan is true


def literal(x: Any) -> str:
    """A number, or a small array, as JavaScript."""
    if isinstance(x, np.ndarray) and x.ndim:
        return f"array({json.dumps(x.shape)}, {json.dumps([*map(_short, x.ravel())])})"
    return json.dumps(_short(x))  # which writes NaN and Infinity as JavaScript does


def _short(x: Any) -> int | float:
    x = float(x)
    return int(x) if x.is_integer() and abs(x) < 1e15 and (x or np.copysign(1, x) > 0) else x


# ---------------------------------------------------------------------- functions made of rows


class Printer:
    """Functions in JavaScript, and what they use: ``rows`` by name, and ``tables`` of weights and places."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}
        self.tables: dict[str, str] = {}

    def function(self, parameters: str, names: Mapping[Symbol, str], result: Any) -> str:
        """``parameters => result``, where ``names`` says how the symbols are called."""
        body = _Body(self, names)
        value = body.written(result)
        if not body.lines:
            return f"({parameters}) => {value}"
        return f"({parameters}) => {{ {' '.join(body.lines)} return {value}; }}"

    def row(self, op: Operator) -> str:
        """The name of an elementwise row."""
        assert isinstance(op.kernel, str)
        self.rows.setdefault(op.name, f"lift(({_parameters(op.kernel)}) => {_bare(javascript(op.kernel))})")
        return f"row.{op.name}"

    def table(self, content: dict[str, Any]) -> str:
        """The name of a table of constants."""
        text = json.dumps(content)
        return self.tables.setdefault(text, f"table[{len(self.tables)}]")

    def definitions(self) -> str:
        """All that the printed functions use."""
        rows = "".join(f"\n  {name}: {text}," for name, text in sorted(self.rows.items()))
        tables = "".join(f"\n  {text}," for text in self.tables)
        return f"const row = {{{rows}\n}};\nconst table = [{tables}\n];\n"


def _parameters(kernel: str) -> str:
    used = {node.id for node in ast.walk(ast.parse(kernel)) if isinstance(node, ast.Name)}
    last = max(i for i, name in enumerate(ARGUMENTS) if name in used)
    return ", ".join(ARGUMENTS[: last + 1])


def _bare(text: str) -> str:
    """Without parentheses around the whole."""
    return text[1:-1] if text.startswith("(") and _closes_last(text) else text


def _closes_last(text: str) -> bool:
    depth = 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if not depth:
            return i == len(text) - 1
    return False


class _Body:
    """The body of one function. Equal expressions are one, by their text; what is used more than once gets a name."""

    def __init__(self, printer: Printer, names: Mapping[Symbol, str]) -> None:
        self.printer = printer
        self.texts: dict[Any, str] = dict(names)
        self.calls: dict[str, tuple[str, list[str]]] = {}  # of an expression: what it calls, with which expressions
        self.uses: Counter[str] = Counter()
        self.names: dict[str, str] = {}
        self.lines: list[str] = []

    def written(self, x: Any) -> str:
        """The expression for the result, after the lines that it needs."""
        text = self.text(x)
        self.uses[text] += 1
        return self.emitted(text)

    def emitted(self, text: str) -> str:
        if text in self.names or text not in self.calls:
            return self.names.get(text, text)
        function, args = self.calls[text]
        line = f"{function}({', '.join(map(self.emitted, args))})"
        if self.uses[text] == 1:
            return line
        self.names[text] = f"t{len(self.names) + 1}"
        self.lines.append(f"const {self.names[text]} = {line};")
        return self.names[text]

    def call(self, function: str, *args: str) -> str:
        text = f"{function}({', '.join(args)})"
        if text not in self.calls:
            self.calls[text] = (function, list(args))
            self.uses.update(args)
        return text

    def text(self, x: Any) -> str:
        if np.iscomplexobj(value_of(x)):
            raise NotPrintable("complex numbers are not computed on a page")
        if not isinstance(x, Node):
            return literal(x)
        if x not in self.texts:
            self.texts[x] = literal(x._value) if x.op is None else self.applied(x.op, x.inputs, x.params)
        return self.texts[x]

    def applied(self, op: Operator, inputs: tuple[Any, ...], params: dict[str, Any]) -> str:
        if callable(op.kernel):
            return self.text(op.kernel(*inputs, **params))
        if isinstance(op.rule, (Elementwise, Zero)) and op.kernel:
            return self.call(self.printer.row(op), *map(self.text, inputs))
        if isinstance(op.rule, (Linear, Bilinear)):
            return self.sum_of_products(op, inputs, params)
        if isinstance(op.kernel, str):
            return self.fold(op, op.kernel, inputs[0], params)
        raise NotPrintable(f"the row {op.name!r} has no kernel")

    def sum_of_products(self, op: Operator, inputs: tuple[Any, ...], params: dict[str, Any]) -> str:
        start, terms = _weights(op, inputs, params)
        given = [x for x in inputs if isinstance(x, Node)]
        shape, size = given[0]._value.shape, given[0]._value.size
        if len(given) == 1 and size == start.size and not start.any() and terms == [(k, 1, k) for k in range(size)]:
            text = self.text(given[0])
            return text if shape == start.shape else self.call("array", json.dumps(start.shape), self.call("elements", text))
        table = {"shape": start.shape, "start": [*map(_short, start.ravel())], "terms": terms}
        return self.call("form", self.printer.table(table), *map(self.text, given))

    def fold(self, op: Operator, kernel: str, x: Any, params: dict[str, Any]) -> str:
        value = np.asarray(x._value)
        axes = [axis % value.ndim for axis in params["axis"]]
        places = np.moveaxis(np.arange(value.size).reshape(value.shape), axes, range(-len(axes), 0))
        n = math.prod(value.shape[axis] for axis in axes)
        if not n:
            raise NotPrintable(f"{op.name} of no elements")
        shape = np.shape(op.forward(value, **params))
        table = self.printer.table({"shape": shape, "places": places.reshape(-1, n).tolist()})
        return self.call("fold", f"(x, y) => {_bare(javascript(kernel))}", table, self.text(x))


def _weights(op: Operator, inputs: tuple[Any, ...], params: dict[str, Any]) -> tuple[Any, list[tuple[Any, ...]]]:
    """A linear or bilinear row as start + Σ weight · x: its own computation, tried with a 1 at each place in turn."""
    given = [i for i, x in enumerate(inputs) if isinstance(x, Node)]
    sizes = [np.size(inputs[i]._value) for i in given]
    first = dict(zip(given, itertools.accumulate(sizes, initial=0), strict=False))
    ranges = [[(i, j) for j in range(n)] for i, n in zip(given, sizes, strict=True)]
    probes: list[tuple[tuple[int, int], ...]]
    if isinstance(op.rule, Linear):
        probes = [(place,) for places in ranges for place in places]
    elif math.prod(sizes) > PROBES:
        raise NotPrintable(f"{op.name} of so many elements")
    else:
        probes = list(itertools.product(*ranges))

    def at(probe: tuple[tuple[int, int], ...]) -> Any:
        args = [np.zeros(np.shape(x._value)) if isinstance(x, Node) else x for x in inputs]
        for i, j in probe:
            args[i].flat[j] = 1.0
        return np.array(op.forward(*args, **params), dtype=float)

    start = at(())
    terms = []
    for probe in probes:
        weights = at(probe) - start
        places = [first[i] + j for i, j in probe]
        terms += [(int(k), _short(weights.flat[k]), *places) for k in np.flatnonzero(weights)]
    return start, terms

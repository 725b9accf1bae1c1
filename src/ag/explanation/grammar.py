"""What each piece of an expression means: a number, a variable, a vector, an element, or a function of the table applied."""

from __future__ import annotations

import ast
import difflib
import math
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from .syntax import METHODS, REFUSED, TOO_LARGE, Syntax
from .vocabulary import CONSTANTS, ELSEWHERE, LABEL, VECTOR, Function, find, names, operator_function

EXACT = 2**53  # up to here floats hold every integer


class Number(NamedTuple):
    """A constant."""

    value: float


class Variable(NamedTuple):
    """A name that is given a value."""

    name: str


class Vector(NamedTuple):
    """[x, y]: its parts one after another."""


class Element(NamedTuple):
    """p[0], W[0, 1]: the integers, and where they stand."""

    integers: tuple[int, ...]
    places: tuple[ast.expr, ...]


class Label(NamedTuple):
    """The label of a loss: integers, names, or lists of them."""

    value: Any
    place: ast.expr


class Applied(NamedTuple):
    """A function, applied to the parts; the label, if it takes one, is no quantity and stands apart."""

    function: Function
    label: Label | None


class Piece(NamedTuple):
    """A node of the syntax tree: what it is, and the nodes that it is computed from."""

    what: Number | Variable | Vector | Element | Applied
    parts: list[ast.expr]


class Grammar:
    """The pieces of an expression, in which the names ``given`` are variables.

    pieces     what each node of the syntax tree means
    variables  the variables, each with the node where it occurs first
    labels     the same of those that occur as the label of a loss
    """

    def __init__(self, syntax: Syntax, given: Collection[str]) -> None:
        self.syntax = syntax
        self.given = given
        self.pieces: dict[ast.expr, Piece] = {}
        self.variables: dict[str, ast.expr] = {}
        self.labels: dict[str, ast.expr] = {}
        self._functions: dict[str, Function | None] = {}
        stack = [syntax.tree]
        while stack:
            node = stack.pop()
            visit = VISITS.get(type(node))
            if visit is None:
                raise syntax.error(self._refusal(node), node)
            piece = self.pieces[node] = visit(self, node)
            stack.extend(reversed(piece.parts))

    def function(self, name: str) -> Function | None:
        """The function of that name, looked up once."""
        if name not in self._functions:
            self._functions[name] = find(name)
        return self._functions[name]

    # ------------------------------------------------------------------ one kind of node each

    def _constant(self, node: ast.Constant) -> Piece:
        value = node.value
        if isinstance(value, bool):
            raise self.syntax.error(f"{value} is no number: write {int(value)}, or a condition such as x > 0", node)
        if isinstance(value, complex):
            raise self.syntax.error("only real numbers are differentiated: leave out the j", node)
        if isinstance(value, (str, bytes)):
            raise self.syntax.error("text is no number: variables are written without quotes", node)
        if not isinstance(value, (int, float)):
            raise self.syntax.error(f"{self.syntax.segment(node)} is no number: write one, or the name of a variable", node)
        try:
            number: float = float(value)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            raise self.syntax.error(TOO_LARGE, node)
        if isinstance(value, int) and abs(value) <= EXACT:
            number = value  # 1 stays 1, as in a program, and is shown so
        return Piece(Number(number), [])

    def _name(self, node: ast.Name) -> Piece:
        if node.id not in self.given and node.id in CONSTANTS:
            return Piece(Number(CONSTANTS[node.id]), [])
        self.variables.setdefault(node.id, node)
        return Piece(Variable(node.id), [])

    def _unary(self, node: ast.UnaryOp) -> Piece:
        if isinstance(node.op, ast.Not):
            raise self.syntax.error(f"a condition is negated by logical_not({self.syntax.segment(node.operand)})", node)
        return self._operator(node, node.op, [node.operand])

    def _binary(self, node: ast.BinOp) -> Piece:
        return self._operator(node, node.op, [node.left, node.right])

    def _compare(self, node: ast.Compare) -> Piece:
        if len(node.ops) > 1:
            a, b, c = (self.syntax.segment(x) for x in (node.left, *node.comparators[:2]))
            first, second = (self.syntax.between(x, y) for x, y in ((node.left, node.comparators[0]), node.comparators[:2]))
            hint = f"logical_and({a} {first} {b}, {b} {second} {c})"
            raise self.syntax.error(f"one comparison at a time: write {hint}", node)
        return self._operator(node, node.ops[0], [node.left, node.comparators[0]])

    def _operator(self, node: ast.expr, operator: ast.AST, parts: list[ast.expr]) -> Piece:
        method = METHODS.get(type(operator))
        if method is None:
            raise self.syntax.error(REFUSED[type(operator)], node)
        return Piece(Applied(operator_function(method), None), parts)

    def _called(self, node: ast.Call) -> Piece:
        if isinstance(node.func, ast.Attribute):
            raise self.syntax.error(self._refusal(node.func), node.func)
        if not isinstance(node.func, ast.Name):
            factor = self.syntax.segment(node.func)
            factor = factor if isinstance(node.func, ast.Constant) else f"({factor})"
            product = f"{factor}*({', '.join(map(self.syntax.segment, node.args))})"
            raise self.syntax.error(f"only functions are called, by their names: for a product write {product}", node)
        name = node.func.id
        function = self.function(name)
        if function is None:
            raise self.syntax.error(self._unknown(name, node), node.func)
        if node.keywords:
            raise self.syntax.error(f"arguments have no names here: write {function.usage(name)}", node.keywords[0])
        starred = [x for x in node.args if isinstance(x, ast.Starred)]
        if starred:
            raise self.syntax.error(REFUSED[ast.Starred], starred[0])
        if not function.least <= len(node.args) <= len(function.arguments):
            raise self.syntax.error(self._miscounted(name, function, node), node)
        if LABEL not in function.arguments:
            return Piece(Applied(function, None), node.args)
        i = function.arguments.index(LABEL)
        label = Label(self._label(node.args[i]), node.args[i])
        return Piece(Applied(function, label), [*node.args[:i], *node.args[i + 1 :]])

    def _label(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            self.labels.setdefault(node.id, node)
            return node.id
        if isinstance(node, ast.List):
            return [self._label(x) for x in node.elts]
        number = _integer(node)
        if number is None:
            raise self.syntax.error("a label is an integer, counted from 0, or a variable: write cross_entropy([x, y], 0)", node)
        return number

    def _list(self, node: ast.List) -> Piece:
        if not node.elts:
            raise self.syntax.error("a vector has at least one element: write [x, y]", node)
        return Piece(Vector(), node.elts)

    def _subscript(self, node: ast.Subscript) -> Piece:
        places = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        index = []
        for place in places:
            number = _integer(place)
            if number is None:
                raise self.syntax.error("an index is an integer, counted from 0: write p[0], or W[0, 1] for a matrix", place)
            index.append(number)
        return Piece(Element(tuple(index), tuple(places)), [node.value])

    # ------------------------------------------------------------------ what to write instead

    def _refusal(self, node: ast.AST) -> str:
        text = self.syntax.segment
        if isinstance(node, ast.Attribute):
            if self.function(node.attr) is not None:
                return f"functions are called by their own names: write {node.attr}(...)"
            return "nothing has attributes here: write functions and variables by their names alone"
        if isinstance(node, ast.IfExp):
            return f"a choice is written where({text(node.test)}, {text(node.body)}, {text(node.orelse)})"
        if isinstance(node, ast.BoolOp):
            name = "logical_and" if isinstance(node.op, ast.And) else "logical_or"
            return f"conditions are joined by {name}({text(node.values[0])}, {text(node.values[1])})"
        return REFUSED.get(type(node), "this is no part of an expression: write numbers, variables and functions")

    def _unknown(self, name: str, node: ast.Call) -> str:
        if name in self.given or name in CONSTANTS:
            kind = "variable" if name in self.given else "number"
            factor = self.syntax.segment(node.args[0]) if len(node.args) == 1 else "..."
            return f"{name} is a {kind}, not a function: for a product write {name}*({factor})"
        lower = name.lower()
        close = [ELSEWHERE[lower]] if lower in ELSEWHERE else difflib.get_close_matches(lower, names(), 2, 0.6)
        if close:
            return f"there is no function {name}: did you mean {' or '.join(close)}?"
        return f"there is no function {name}: there are the operators of the table, such as exp, log, sin, sqrt and softmax"

    def _miscounted(self, name: str, function: Function, node: ast.Call) -> str:
        least, most = function.least, len(function.arguments)
        expected = f"{least}" if least == most else f"{least} to {most}"
        message = f"{name} takes {expected} argument{'s' if most > 1 else ''}, got {len(node.args)}: write "
        if function.arguments == (VECTOR,) and len(node.args) > 1:
            longer = (x for x in names() if x.startswith(name) and (other := find(x)) and other.least == len(node.args))
            elements = ", ".join(map(self.syntax.segment, node.args))
            return " or ".join([f"{message}{name}([{elements}])", *(f"{x}({elements})" for x in longer)])
        return message + function.usage(name)


def _integer(node: ast.expr) -> int | None:
    """The integer that is written there, with its sign; None for anything else."""
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        sign, node = (-1 if isinstance(node.op, ast.USub) else 1), node.operand
    if isinstance(node, ast.Constant) and type(node.value) is int and node.value <= EXACT:
        return sign * node.value
    return None


VISITS: dict[type[ast.AST], Callable[[Grammar, Any], Piece]] = {
    ast.Constant: Grammar._constant, ast.Name: Grammar._name, ast.UnaryOp: Grammar._unary, ast.BinOp: Grammar._binary,
    ast.Compare: Grammar._compare, ast.Call: Grammar._called, ast.List: Grammar._list, ast.Subscript: Grammar._subscript,
}

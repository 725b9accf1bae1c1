"""Equations as rules: "x * 1 = x" is read, found in a program, and applied. Rows go by their names, + - * / ** by their signs."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any

from ...operators.table import TABLE
from ..program import COMMUTATIVE, Constant, Quantity
from .rewriter import Rewriter, Rules, Value

SIGNS: dict[type, str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "pow", ast.USub: "negative",
}
Bound = dict[str, Value]
Match = Callable[[Rewriter, Value, Bound], bool]


def equations(rules: Rules, texts: str, kinds: str, alike: bool = False) -> None:
    """One more rule a line: where the left side stands, the right side has the same value.

    ``kinds``: of the dtypes of the result for which they hold; ``alike``: if all variables have that dtype, or are floats.
    """
    for text in texts.strip().splitlines():
        text = text.strip()
        left, right = [ast.parse(side.strip(), mode="eval").body for side in text.split(" = ")]
        name, inputs = _row(left)
        rules.add(text, name)(_rule(name, inputs, right, kinds, alike))


def _rule(name: str, inputs: list[Any], right: Any, kinds: str, alike: bool) -> Any:
    # What is no variable is looked at first: there most quantities differ.
    match = sorted([(i, _match(x)) for i, x in enumerate(inputs)], key=lambda entry: isinstance(inputs[entry[0]], ast.Name))
    orders = [match]
    if name in COMMUTATIVE and len({type(x) for x in inputs}) > 1:
        orders.append([(1 - i, f) for i, f in match])

    def function(w: Rewriter, q: Quantity) -> Value | None:
        if q.dtype.kind not in kinds or (q.weak and name == "pow"):  # Python's own power rounds otherwise
            return None
        for match in orders:
            bound: Bound = {}
            for i, f in match:
                if not f(w, q.inputs[i], bound):
                    break
            else:
                types = [w[x].dtype for x in bound.values()] if alike else ()
                if all(t == q.dtype for t in types) or all(t.kind in "fc" for t in types):
                    return _made(w, right, bound)
        return None

    return function


def _number(node: Any) -> Any:
    """The number that stands there, with its sign; None if there is none."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def _row(node: Any) -> tuple[str, list[Any]]:
    if isinstance(node, ast.Call):
        return node.func.id, node.args  # type: ignore[attr-defined]
    return SIGNS[type(node.op)], [node.operand] if isinstance(node, ast.UnaryOp) else [node.left, node.right]


def _match(node: Any) -> Match:
    """Is an input what stands there? The variables are bound to what they stand for."""
    if isinstance(node, ast.Name):
        name = node.id
        return lambda w, x, bound: bound.setdefault(name, x) is x or (type(x) is int and bound[name] == x)
    number = _number(node)
    if number is not None:
        return lambda w, x, bound: _is(w.number(x), number)
    name, inputs = _row(node)
    matches = [_match(x) for x in inputs]
    op = TABLE[name]

    def inner(w: Rewriter, x: Value, bound: Bound) -> bool:
        if type(x) is not int or w.quantities[x].op is not op:
            return False
        return all(f(w, y, bound) for f, y in zip(matches, w.quantities[x].inputs, strict=True))

    return inner


def _is(x: Any, number: Any) -> bool:
    """Is x this number, with this sign?"""
    if x is None or x != number or isinstance(x, complex):
        return False
    return bool(math.copysign(1.0, x) == math.copysign(1.0, number))


def _made(w: Rewriter, node: Any, bound: Bound) -> Value:
    if isinstance(node, ast.Name):
        return bound[node.id]
    number = _number(node)
    if number is not None:
        return Constant(number)
    name, inputs = _row(node)
    return w.new(name, *[_made(w, x, bound) for x in inputs])

"""What quantities are called in a finding: by their labels, by a short formula, or by a letter; and what code they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..node import Node, describe, made
from ..operators.rules import Elementwise, Step, Zero, computed, is_complex, shape_of, value_of
from ..symbol import Symbol
from .causes import Operand
from .formula import Formula
from .influence import number_at, single, used
from .names import Name
from .numerals import factor, numeral

DEPTH, LENGTH, SHORT = 4, 32, 12  # operators and characters of a formula that serves as a name
LETTERS = "xyzuvwabcdhkmnpqrst"
INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "pow": "**"}
CALLED = {
    "abs", "acos", "asin", "atan", "cbrt", "cos", "cosh", "exp", "expm1", "log", "log10", "log1p", "log2", "maximum", "minimum",
    "negative", "sigmoid", "sin", "sinh", "softplus", "sqrt", "square", "tan", "tanh",
}  # fmt: skip


class Wording:
    """Names for the quantities of one graph, the same in all that is said of it."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        taken = {node.label for node in nodes}
        self._free = [c for c in LETTERS if c not in taken] + [f"{c}{n}" for n in range(1, 100) for c in LETTERS]
        self._letters: dict[int, tuple[str, Any]] = {}

    def letter(self, x: Any) -> str:
        """A letter for what has no other name."""
        x = _argument(x)
        if id(x) not in self._letters:
            self._letters[id(x)] = (self._free.pop(0), x)
        return self._letters[id(x)][0]

    def symbol(self, x: Any, depth: int = DEPTH) -> Any:
        """What stands for ``x`` in a formula."""
        x = _argument(x)
        if not isinstance(x, Node):
            return numbered(x) if np.ndim(x) == 0 else Symbol(Name.of(self.letter(x)), x)
        if x.label:
            return Symbol(Name.of(x.label), x._value)
        if x.op is not None and depth:
            whole = applied(x, [self.symbol(y, depth - 1) for y in x.inputs])
            if len(_text(whole)) <= LENGTH:
                return whole
        return Symbol(Name.of(self.letter(x)), x._value)

    def short(self, x: Any) -> Any:
        """What stands for ``x`` in a formula of which it is a part that should be seen at a glance."""
        symbol = self.symbol(x)
        if isinstance(symbol, Symbol) and symbol.op is not None and len(_text(symbol)) > SHORT:
            return Symbol(Name.of(self.letter(x)), x._value)
        return symbol

    def name(self, x: Any) -> str:
        """What ``x`` is called: its label, a short formula, a letter; of a constant its number."""
        return _text(self.symbol(x))

    def whole(self, node: Node) -> str:
        """What a node is called, where its operator should be seen even beside a label."""
        if node.op is None:
            return self.name(node)
        text = _text(applied(node, [self.symbol(x, DEPTH - 1) for x in node.inputs]))
        return text if len(text) <= LENGTH else _text(applied(node, [self.short(x) for x in node.inputs]))

    def partial(self, y: Node, i: int) -> str:
        """∂(√x)/∂x = 0.5 / √x: a local partial as the row states it."""
        names = [self.short(x) for x in y.inputs]
        ans = applied(y, names)
        left = f"∂({_text(ans)})/∂{_enclosed(_text(names[i]))}"
        rule = y.op.rule
        if not isinstance(rule, Elementwise) or any(map(is_complex, (y, *y.inputs))):
            return left
        return f"{left} = {Formula(rule.partial(i, ans, tuple(names))).text()}"

    def operands(self, node: Node, index: tuple[int, ...]) -> tuple[Operand, ...]:
        """What one element of a node was computed from."""
        if node.op is None:
            return ()
        step, element = computed(node), single(shape_of(node), index)
        return tuple(self._operand(step, i, x, element) for i, x in enumerate(node.inputs) if counts(node, i))

    def _operand(self, step: Step, i: int, x: Any, element: Any) -> Operand:
        values = np.asarray(step.args[i])
        part = values[used(step, i, element)]
        low, high = (number_at(part.min(), ()), number_at(part.max(), ())) if part.size else (np.nan, np.nan)
        return Operand(_text(self.short(x)), shape_of(x), part.size, low, high, not isinstance(x, Node) or x.op is None)

    def code(self, x: Any, depth: int = 2) -> str:
        """``x`` as it would be written in Python, if that is short; else a letter."""
        x = _argument(x)
        if not isinstance(x, Node):
            return numeral(x) if np.ndim(x) == 0 else self.letter(x)
        if x.label or x.op is None:
            return x.label if x.label and x.label.isidentifier() else self.letter(x)
        name = x.op.name
        if not depth or name not in CALLED | INFIX.keys():
            return self.letter(x)
        parts = [self.code(y, depth - 1) for y in x.inputs]
        if name == "negative":
            return f"(-{parts[0]})"
        return f"({parts[0]} {INFIX[name]} {parts[1]})" if name in INFIX else f"ag.{name}({', '.join(map(bare, parts))})"

    def letters(self) -> tuple[tuple[str, str], ...]:
        """The letters, and what they stand for."""
        return tuple((letter, _described(x)) for letter, x in self._letters.values())


def _argument(x: Any) -> Any:
    """Behind the argument of a transform: what was given."""
    while isinstance(x, Node) and x.op is not None and x.op.name == "argument":
        x = x.inputs[0]
    return x


def _described(x: Any) -> str:
    """A node or a constant in the legend; a leaf without a label by the line that made it."""
    if isinstance(x, Node) and x.op is None:
        return f"a leaf, {describe(x)}" + (f" ({x.source})" if x.source else "")
    return describe(x) if isinstance(x, Node) else f"a constant of shape {np.shape(x)}"


def numbered(x: Any) -> Any:
    """A number in a formula, short."""
    text = numeral(x)
    if isinstance(x, (bool, np.bool_)):
        return x
    if text.isdigit():
        return np.real(x)
    return Symbol(Name(factor(x), factor(x)), x)


def counts(node: Node, i: int) -> bool:
    """Is the value of argument i one that the result is computed from, and not a condition, a label or an index?"""
    return node.op.rule.depends_on(i) or isinstance(node.op.rule, Zero)


def applied(node: Node, inputs: list[Any]) -> Symbol:
    """The operator of a node on symbols."""
    symbol = made(Symbol, np.asarray(value_of(node))[()], node.op, inputs)
    symbol._params = node.params
    return symbol


def statement(node: Node, operands: tuple[Operand, ...]) -> str:
    """The formula of an elementwise operator with numbers for its arguments: log 0; empty where it is no such operator."""
    if node.op is None or not isinstance(node.op.rule, (Elementwise, Zero)) or len(operands) != len(node.inputs):
        return ""
    if any(x.count != 1 for x in operands):
        return ""
    return _text(applied(node, [numbered(x.low) for x in operands]))


def bare(code: str) -> str:
    """An expression without the parentheses around all of it."""
    return code[1:-1] if code.startswith("(") and code.endswith(")") and ")" not in code[1:-1] else code


def _enclosed(text: str) -> str:
    return text if text.isidentifier() else f"({text})"


def _text(symbol: Any) -> str:
    return Formula(symbol, as_recorded=True).text()

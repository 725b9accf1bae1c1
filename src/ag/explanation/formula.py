"""A formula from what a rule left behind: symbols and operators, set by the rows' own LaTeX.

The formula is simplified only as a reader would: a branch that is decided is taken, what only changes shape or dtype is
passed over, a transposed product is the product of the transposed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..node import Node
from ..operators.table import ANY, ATOM, CALL, SUM, TABLE, Operator
from ..symbol import Symbol
from .names import ONE, Name
from .plain_text import plain_text

DIGITS = 6
PRIVATE = 0xE000  # names stand in a formula as characters of Unicode's private area until it has become text
TRANSPARENT = "{0}"  # the formula of rows that only change shape, face or dtype

Typeset = tuple[str, int]  # LaTeX, and how tightly it binds


class Pattern(NamedTuple):
    """A formula that a row states with the names of its arguments and its result: a matrix, or what a letter stands for."""

    latex: str
    applied: Any
    ans: Any


class Formula:
    """What a symbol prints as.

    ``latex()``   with the names in LaTeX
    ``text()``    as one line
    ``value``     its number(s)

    ``as_recorded``: nothing is simplified; ``digits`` of its numbers.
    """

    __slots__ = ("as_recorded", "digits", "symbol")

    def __init__(self, symbol: Any, digits: int = DIGITS, as_recorded: bool = False) -> None:
        self.symbol = symbol
        self.digits = digits
        self.as_recorded = as_recorded

    @property
    def value(self) -> Any:
        return self.symbol._value if isinstance(self.symbol, Node) else self.symbol

    def latex(self, within: int = ANY) -> str:
        """In LaTeX; in parentheses if it binds less than ``within``."""
        return _slot(_Setter(lambda name: name.latex, self.digits, self.as_recorded).set(self.symbol), within)

    def text(self, within: int = ANY) -> str:
        """As one line of text."""
        names: list[Name] = []

        def mark(name: Name) -> str:
            names.append(name)
            return chr(PRIVATE + len(names) - 1)

        line = plain_text(_slot(_Setter(mark, self.digits, self.as_recorded).set(self.symbol), within))
        return re.sub("(/ )?[\ue000-\uf8ff](?=([ᵀ⁰¹²³⁴-⁹^[])?)", lambda m: _named(m, names), line)

    def given(self) -> list[Formula]:
        """What the letters of the rows in it stand for."""
        found, stack = [], [self.symbol]
        while stack:
            x = stack.pop()
            if isinstance(x, Node) and x.op is not None:
                if x.op.given:
                    found.append(Formula(Pattern(x.op.given, x, x), self.digits))
                stack.extend(x.inputs)
        return found

    def __str__(self) -> str:
        return self.text()


def _named(match: re.Match[str], names: list[Name]) -> str:
    """The name behind a mark; ∂f/∂x in parentheses where it would fall apart."""
    name = names[ord(match[0][-1]) - PRIVATE].text
    return (match[1] or "") + (f"({name})" if "/" in name and (match[1] or match[2]) else name)


def number(x: Any, digits: int = DIGITS) -> str:
    """A number in LaTeX, short: 0.5, 1.2 · 10⁻⁵, ∞."""
    if isinstance(x, (bool, np.bool_)):
        return "1" if x else "0"
    if isinstance(x, (int, np.integer)):
        return str(int(x))
    x = float(x)
    if x != x:
        return r"\text{nan}"
    if x in (np.inf, -np.inf):
        return r"\infty" if x > 0 else r"-\infty"
    text = f"{x:.{digits}g}"
    mantissa, e, exponent = text.partition("e")
    if not e:
        return text
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}"


def constant_name(array: Any) -> Name:
    """An array that is a constant: its elements if they are few, else its shape."""
    if array.ndim == 1 and array.size <= 6:
        text = f"({', '.join(number(v) for v in array)})"
        return Name(plain_text(text), text)
    shape = "×".join(map(str, array.shape))
    return Name(f"const({shape})", rf"\text{{const}}({shape.replace('×', chr(92) + 'times ')})")


class _Setter:
    """Sets symbols in LaTeX; ``named`` writes the names."""

    def __init__(self, named: Callable[[Name], str], digits: int, as_recorded: bool) -> None:
        self.named = named
        self.digits = digits
        self.as_recorded = as_recorded

    def set(self, x: Any) -> Typeset:
        if isinstance(x, Pattern):
            args = [_slot(self.set(y), ATOM) for y in x.applied.inputs]
            return x.latex.format(*args, ans=_slot(self.set(x.ans), ATOM)), SUM
        if not isinstance(x, Node):
            return self.constant(x)
        if x.op is None:
            assert isinstance(x, Symbol)
            return self.named(x.name), ATOM
        return self.applied(x.op, x.inputs, x.params)

    def constant(self, x: Any) -> Typeset:
        if isinstance(x, (bool, np.bool_)) and self.as_recorded:
            return r"\text{true}" if x else r"\text{false}", ATOM
        value = np.asarray(x)
        if value.size == 1:
            text = number(value.reshape(())[()], self.digits)
            return text, SUM if text.startswith("-") else ATOM if "cdot" not in text else CALL
        if value.size and not value.any():
            return "0", ATOM
        return constant_name(value).latex, ATOM

    def applied(self, op: Operator, inputs: tuple[Any, ...], params: dict[str, Any]) -> Typeset:
        """An operator on its inputs."""
        if op.latex == TRANSPARENT:
            return self.set(inputs[0])
        special = None if self.as_recorded else REWRITTEN.get(op.name)
        if special is not None:
            rewritten = special(inputs, params)
            if rewritten is not None:
                return self.set(rewritten)
        if op.name == "reshape":
            return self.reshaped(inputs[0], params["shape"])
        parts = [self.set(x) for x in inputs]
        needed = op.precedence[1:]
        args = [_slot(part, needed[min(i, len(needed) - 1)]) for i, part in enumerate(parts)]
        if callable(op.latex):
            return op.latex(*args, **params), op.precedence[0]
        if not op.latex:
            words = [*(_slot(part, ANY) for part in parts), *(rf"\text{{{k}}}={_param(v)}" for k, v in _shown(params))]
            return rf"\operatorname{{{op.name.replace('_', chr(92) + '_')}}}({', '.join(words)})", ATOM
        if op.name == "multiply" and all(np.size(getattr(x, "_value", x)) > 1 for x in inputs):
            return rf"{args[0]} \odot {args[1]}", op.precedence[0]
        fields = {k: _axes(v, inputs[0]) if k == "axis" else _param(v) for k, v in _shown(params)}
        return re.sub(r"_\{\}", "", op.latex.format(*args, **fields)), op.precedence[0]


    def reshaped(self, x: Any, shape: tuple[int, ...]) -> Typeset:
        """A reshape that only adds or drops axes of length 1 as an index, as broadcasting needs no word for leading ones."""
        given = np.shape(getattr(x, "_value", x))
        long = [n for n in given if n != 1]
        if long != [n for n in shape if n != 1]:
            return rf"\operatorname{{reshape}}({_slot(self.set(x), ANY)}, {shape})", ATOM
        first = next((i for i, n in enumerate(shape) if n != 1), len(shape))
        start = next((i for i, n in enumerate(given) if n != 1), len(given))
        if shape[first:] == given[start:]:
            return self.set(x)
        if long == list(given):
            return f"{_slot(self.set(x), ATOM)}[{', '.join(':' if n != 1 else 'None' for n in shape[first:])}]", ATOM
        return rf"\operatorname{{reshape}}({_slot(self.set(x), ANY)}, {shape})", ATOM


def _slot(part: Typeset, within: int) -> str:
    latex, binds = part
    return latex if binds >= within else rf"\left({latex}\right)"


def _shown(params: dict[str, Any]) -> list[tuple[str, Any]]:
    """The parameters that say something to a reader: not what a row keeps for its own derivative."""
    return [(k, v) for k, v in params.items() if not isinstance(v, dict)]


def _param(v: Any) -> str:
    if isinstance(v, str):
        return rf"\text{{{v}}}"
    return str(v).replace("np.", "").replace("_", r"\_").replace("{", r"\{").replace("}", r"\}")


def _axes(axis: Any, x: Any) -> str:
    """The axes of a reduction, counted from 0; nothing if there are no others."""
    ndim = np.ndim(x._value if isinstance(x, Node) else x)
    axes = axis if isinstance(axis, tuple) else (axis,)
    if len(axes) == ndim and ndim:
        return ""
    return ",".join(str(a % ndim) for a in axes)


# ---------------------------------------------------------------------- as a reader would write it

def _decided(inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """A condition that holds everywhere, or nowhere, is no question."""
    condition = np.asarray(inputs[0]._value if isinstance(inputs[0], Node) else inputs[0])
    if condition.all():
        return inputs[1]
    return inputs[2] if not condition.any() else None


def _quotient(inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """(-a) / b as -(a / b)."""
    return _signed("divide", inputs)


def _product(inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """1 · a as a, and (-a) · b as -(a · b)."""
    for one, other in (inputs, inputs[::-1]):
        if _is_one(one):
            return other
    return _signed("multiply", inputs)


def _is_one(x: Any) -> bool:
    if isinstance(x, Symbol):
        return x.op is None and x.name is ONE
    return isinstance(x, (int, float)) and x == 1


def _signed(name: str, inputs: tuple[Any, ...]) -> Any:
    a, b = inputs
    if isinstance(a, Symbol) and a.op is not None and a.op.name == "negative":
        return TABLE["negative"].apply((TABLE[name].apply((a.inputs[0], b), {}),), {})
    return None


def _transposed(inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """(A B)ᵀ as Bᵀ Aᵀ, and (Aᵀ)ᵀ as A."""
    x = inputs[0]
    axes = params["axes"]
    if not isinstance(x, Symbol) or x.op is None or axes != _last_two(len(axes)):
        return None
    if x.op.name == "permute_dims":
        return x.inputs[0] if x.params["axes"] == axes else None
    ranks = [np.ndim(getattr(y, "_value", y)) for y in x.inputs]
    if x.op.name != "matmul" or min(ranks) < 2:
        return None
    left, right = (
        TABLE["permute_dims"].apply((y,), {"axes": _last_two(n)}) if isinstance(y, Node) else np.matrix_transpose(y)
        for y, n in zip(x.inputs, ranks, strict=True)
    )
    return TABLE["matmul"].apply((right, left), {})


def _last_two(ndim: int) -> tuple[int, ...]:
    """The axes of a matrix transpose."""
    return (*range(-ndim, -2), -1, -2)


REWRITTEN: dict[str, Callable[[tuple[Any, ...], dict[str, Any]], Any]] = {
    "where": _decided, "divide": _quotient, "multiply": _product, "permute_dims": _transposed,
}

"""A formula from what a rule left behind: symbols and operators, set by the rows' own LaTeX.

What the text says is what it computes, as people read formulas: powers and indices bind first, then function words, which
take the next thing alone, then products and quotients from the left, then sums. ``·`` scales by a number or is the product of
matrices, ``⊙`` goes element by element; axes are counted from 0; an axis that a sum keeps is an index, ``[:, None]``, unless
broadcasting needs no word for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..node import Node
from ..operators.rules import Elementwise, Zero
from ..operators.table import ANY, ATOM, CALL, PRODUCT, SUM, Operator
from ..symbol import Symbol
from .names import Name
from .numerals import LISTED, numeral, times
from .plain_text import plain_text
from .rewriting import rewritten

DIGITS = 6
SHOWN = 8  # of the arguments of one operator, that are written out
PRIVATE = 0xE000  # names stand in a formula as characters of Unicode's private area until it has become text
TRANSPARENT = "{0}"  # the formula of rows that only change shape, face or dtype

Undecided = Callable[[Symbol], str]


class Typeset(NamedTuple):
    """A part of a formula, set.

    binds     how tightly
    shape     of what the text says by itself: broadcasting needs no word
    product   of arrays, if it is one, by elements (multiply) or of matrices (matmul), whatever numbers scale it
    factors   sign and kind of the product that it is itself
    """

    latex: str
    binds: int
    shape: tuple[int, ...]
    product: str = ""
    factors: tuple[str, ...] = ()


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

    def latex(self, within: int = ANY, undecided: Undecided | None = None) -> str:
        """In LaTeX; in parentheses if it binds less than ``within``. ``undecided`` gives a key for a condition that may change;
        the formula then has both branches, as a \\choice."""
        return self._set(None, within, undecided)

    def text(self, within: int = ANY) -> str:
        """As one line of text."""
        names: list[Name] = []
        line = plain_text(self._set(names, within))
        return re.sub("(/ )?[\ue000-\uf8ff](?=([ᵀ⁰¹²³⁴-⁹^[])?)", lambda m: _named(m, names), line)

    def _set(self, names: list[Name] | None, within: int, undecided: Undecided | None = None) -> str:
        setter = _Setter(names, self.digits, self.as_recorded, undecided)
        return _slot(setter.set(self.symbol, words=self.as_recorded), within)

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
    if isinstance(x, (complex, np.complexfloating)) and x.imag:
        real = f"{number(x.real, digits)} {'-' if x.imag < 0 else '+'} " if x.real else "-" if x.imag < 0 else ""
        return rf"{real}{'' if abs(x.imag) == 1 else number(abs(x.imag), digits) + ' '}\mathrm{{i}}"
    x = float(x.real)
    if x != x:
        return r"\text{nan}"
    if x in (np.inf, -np.inf):
        return r"\infty" if x > 0 else r"-\infty"
    text = f"{x:.{digits}g}"
    mantissa, e, exponent = text.partition("e")
    if not e:
        return text
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}"


def listed(array: Any) -> bool:
    """Are the elements of an array so few that they are written out?"""
    return bool(array.ndim == 1 and array.size <= LISTED)


def shape_name(array: Any, word: str = "const") -> Name:
    """The name of an array that is a constant without a name of its own: const(5×4)."""
    shape = times(array.shape)
    return Name(f"{word}({shape})", rf"\text{{{word}}}({shape.replace('×', ' ' + chr(92) + 'times ')})")


class _Setter:
    """Sets symbols in LaTeX. With a list of ``names`` each name is put there, and a mark in its place."""

    def __init__(self, names: list[Name] | None, digits: int, as_recorded: bool, undecided: Undecided | None = None) -> None:
        self.names = names
        self.undecided = undecided
        self.digits = digits
        self.as_recorded = as_recorded

    def named(self, name: Name) -> str:
        if self.names is None:
            return name.latex
        self.names.append(name)
        return chr(PRIVATE + len(self.names) - 1)

    def set(self, x: Any, words: bool = True) -> Typeset:
        """``words``: as an index or a condition, truth values as true and false, and arrays as such."""
        if isinstance(x, Pattern):
            args = [_slot(self.set(y, words=False), ATOM) for y in x.applied.inputs]
            return Typeset(x.latex.format(*args, ans=_slot(self.set(x.ans), ATOM)), SUM, ())
        if not isinstance(x, Node):
            return self.constant(x, words)
        if x.op is None:
            assert isinstance(x, Symbol)
            if not isinstance(x.name, Name):
                return self.constant(x._value, True)
            return Typeset(self.named(x.name), ATOM if x.name.whole else ANY, x.shape)
        if x.op.latex == TRANSPARENT:
            return self.set(x.inputs[0], words)
        if x.op.name == "where" and self.undecided and isinstance(x.inputs[0], Symbol) and not x.inputs[0].ndim:
            return self.choice(self.undecided(x.inputs[0]), *map(self.set, x.inputs[1:]))
        simpler = None if self.as_recorded else rewritten(x.op.name, x.inputs, x.params)
        if simpler is not None:
            return self.set(simpler[0], words)
        return self.applied(x.op, x.inputs, x.params, shape_of(x))

    @staticmethod
    def choice(key: str, taken: Typeset, other: Typeset) -> Typeset:
        """Both branches of a condition that may change."""
        shape = np.broadcast_shapes(taken.shape, other.shape)
        return Typeset(rf"\choice{{{key}}}{{{taken.latex}}}{{{other.latex}}}", min(taken.binds, other.binds), shape)

    def constant(self, x: Any, words: bool) -> Typeset:
        """A number as it is; the elements of a short array; of a longer one the shape."""
        value = np.asarray(x)
        if value.size == 1 and not (words and value.ndim):
            return self.number(value.reshape(())[()], words)
        if (value.size or value.ndim > 1) and not value.any() and (value.dtype.kind == "f" or not words):
            return Typeset("0", ATOM, ())
        if not listed(value) and not (0 < value.size <= 3 * LISTED):
            return Typeset(self.named(shape_name(value)), ATOM, value.shape)
        return Typeset(self.elements(value, words), ATOM, value.shape)

    def elements(self, x: Any, words: bool) -> str:
        """The elements of an array, those of each axis in brackets."""
        if not np.ndim(x):
            return self.number(x, words).latex
        return rf"\left[{', '.join(self.elements(element, words) for element in x)}\right]"

    def number(self, x: Any, words: bool) -> Typeset:
        if words and isinstance(x, np.bool_):
            return Typeset(rf"\text{{{'true' if x else 'false'}}}", ATOM, ())
        text = number(x, self.digits)
        if "i}" in text:
            return Typeset(text, SUM, ())
        sign = "-" if text.startswith("-") else ""
        if "cdot" not in text:
            return Typeset(text, SUM if sign else ATOM, ())
        binds = SUM if sign else CALL if self.names is None else ATOM  # in text it is 1.5e-07
        return Typeset(sign + self.named(Name(numeral(abs(x), self.digits), text.removeprefix("-"))), binds, ())

    def applied(self, op: Operator, inputs: tuple[Any, ...], params: dict[str, Any], shape: tuple[int, ...]) -> Typeset:
        """An operator on its inputs; ``shape`` of the result."""
        parts = [self.set(x, words=op.selects or not op.records) for x in inputs]
        if op.name == "reshape" or (op.name == "getitem" and not self.as_recorded and _only_adds(params["template"])):
            return self.reshaped(self.exact(parts[0], inputs[0], shape), shape_of(inputs[0]), shape)
        if isinstance(op.rule, (Elementwise, Zero)):
            shape = np.broadcast_shapes(*(part.shape for part in parts))
        else:
            parts = [self.exact(part, x) for part, x in zip(parts, inputs, strict=True)]
        if op.name in PRODUCTS:
            return self.product(op, parts[0], parts[1], shape)
        if op.name == "pow" and len(shape) > 1 and parts[1].latex == "-1":
            return Typeset(rf"\frac{{1}}{{{parts[0].latex}}}", ATOM, shape)  # of a matrix x⁻¹ is the inverse
        if params.get("keepdims"):
            return self.kept(op, inputs, params, shape)
        if len(parts) > SHOWN:
            parts[SHOWN // 2 : 1 - SHOWN // 2] = [Typeset(r"\dots ", ATOM, ())]
        needed = op.precedence[1:]
        args = [_slot(part, needed[min(i, len(needed) - 1)]) for i, part in enumerate(parts)]
        if op.name == "stack" and params["axis"] == -len(shape):
            return Typeset(rf"\left[{', '.join(args)}\right]", ATOM, shape)
        kind = ("matmul", (CDOT, "matmul")) if op.precedence[0] == PRODUCT else ("", ())  # x⁻¹ · y
        if callable(op.latex):
            return Typeset(op.latex(*args, **params), op.precedence[0], shape, *kind)
        if not op.latex:
            words = [*(part.latex for part in parts), *(rf"\text{{{k}}}={_param(v)}" for k, v in _shown(params, inputs[0]))]
            return Typeset(rf"\operatorname{{{op.name.replace('_', chr(92) + '_')}}}({', '.join(words)})", ATOM, shape)
        axis = {"axis": _axes(params["axis"], inputs[0])} if "axis" in params else {}
        latex = re.sub(r"_\{\}", "", op.latex.format(*args, **axis))
        closed = args[-1] != parts[-1].latex and latex.endswith(args[-1])  # a function word with its argument in parentheses
        return Typeset(latex, PRODUCT if op.precedence[0] == CALL and closed else op.precedence[0], shape, *kind)

    def product(self, op: Operator, left: Typeset, right: Typeset, shape: tuple[int, ...]) -> Typeset:
        """A product. One of matrices and one by elements do not mix without parentheses; what ends in a function word
        is open: another factor must not seem to belong to its argument."""
        by_number = op.name != "matmul" and not (left.shape and right.shape)
        sign = CDOT if by_number or op.name == "matmul" else ODOT
        kind = "" if by_number else op.name
        mixed_left = not by_number and left.product not in ("", kind)
        mixed_right = right.factors not in ((), (sign, kind)) and (not by_number or bool(left.shape and right.product))
        first = _slot(left, ATOM if mixed_left else op.precedence[1])
        last = _slot(right, ATOM if mixed_right else op.precedence[2])
        open_ended = last == right.latex and right.binds < op.precedence[0]
        return Typeset(
            f"{first} {sign} {last}", right.binds if open_ended else op.precedence[0], shape,
            product=kind or (left.product if first == left.latex else "") or (right.product if last == right.latex else ""),
            factors=(sign, kind),
        )  # fmt: skip

    def kept(self, op: Operator, inputs: tuple[Any, ...], params: dict[str, Any], shape: tuple[int, ...]) -> Typeset:
        """A reduction that keeps its axes: as one that does not, and they come back as an index."""
        axes = {a % len(shape) for a in params["axis"]}
        reduced = tuple(n for i, n in enumerate(shape) if i not in axes)
        return self.reshaped(self.applied(op, inputs, {**params, "keepdims": False}, reduced), reduced, shape)

    def exact(self, part: Typeset, x: Any, needed: tuple[int, ...] | None = None) -> Typeset:
        """An argument of a row to which its shape matters, with a word for what broadcasting has passed over; not where
        only the shape ``needed`` matters, and it differs by leading axes of length 1."""
        shape = shape_of(x)
        if part.shape == shape or not isinstance(x, Node) or (needed is not None and _drops(shape, needed)):
            return part
        if _drops(part.shape, shape):
            return Typeset(f"{_slot(part, ATOM)}[{'None, ' * (len(shape) - len(part.shape))}...]", ATOM, shape)
        return Typeset(rf"\operatorname{{broadcast\_to}}({part.latex}, {shape})", ATOM, shape)

    def reshaped(self, part: Typeset, given: tuple[int, ...], shape: tuple[int, ...]) -> Typeset:
        """A reshape that only adds axes of length 1 as an index; broadcasting needs no word for leading ones."""
        if _drops(given, shape):
            return part
        index = []
        rest = list(given)
        for n in shape:
            if rest and n == rest[0]:
                index.append(":")
                rest.pop(0)
            elif n == 1:
                index.append("None")
            else:
                break
        if rest or len(index) < len(shape):
            return Typeset(rf"\operatorname{{reshape}}({part.latex}, {shape})", ATOM, shape)
        first = index.index(":")
        return Typeset(f"{_slot(part, ATOM)}[{', '.join(index[first:])}]", ATOM, shape[first:])


PRODUCTS = {"multiply", "matmul"}
CDOT, ODOT = r"\cdot", r"\odot"


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of a symbol or a constant."""
    return np.shape(x._value if isinstance(x, Node) else x)


def _only_adds(template: tuple[Any, ...]) -> bool:
    """Does an index take everything, and only add axes?"""
    return all(part is None or part is Ellipsis or (isinstance(part, slice) and part == slice(None)) for part in template)


def _drops(given: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Do two shapes differ by leading axes of length 1 alone?"""
    n = min(len(given), len(shape))
    longer = given if len(given) > n else shape
    return given[len(given) - n :] == shape[len(shape) - n :] and all(k == 1 for k in longer[: len(longer) - n])


def _slot(part: Typeset, within: int) -> str:
    return part.latex if part.binds >= within else rf"\left({part.latex}\right)"


def _shown(params: dict[str, Any], x: Any) -> list[tuple[str, Any]]:
    """The parameters as a reader counts: axes from 0, without what is usual."""
    shown = []
    for k, v in params.items():
        if k == "axis":
            ndim = len(shape_of(x))
            v = tuple(a % ndim for a in v) if isinstance(v, tuple) else v % ndim
        if k != "keepdims" and (k, v) != ("correction", 0):
            shown.append((k, v))
    return shown


def _param(v: Any) -> str:
    if isinstance(v, str):
        return rf"\text{{{v}}}"
    if isinstance(v, tuple) and len(v) == 1:
        v = v[0]
    return str(v).replace("np.", "").replace("_", r"\_").replace("{", r"\{").replace("}", r"\}")


def _axes(axis: Any, x: Any) -> str:
    """The axes of a reduction, counted from 0; nothing if there are no others."""
    ndim = len(shape_of(x))
    axes = axis if isinstance(axis, tuple) else (axis,)
    if len(axes) == ndim and ndim:
        return ""
    return ",".join(str(a % ndim) for a in axes)

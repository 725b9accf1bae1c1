"""The chain rule of one quantity, written out: the same number several times, first in symbols, then in numbers.

The sides are written in one of two notations, a line of text or LaTeX, by the same code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..operators.table import PRODUCT
from .formula import Formula, Pattern, number as numeral_in_latex
from .names import Name, quoted
from .numerals import factor, kind, numeral, summary
from .plain_text import enclosed
from .quantities import Quantity, Term

DIGITS = 5
TERMS = 4  # of a sum, that are written out


class Number(NamedTuple):
    """A number in an explanation, and what it is, as a key: of z7 the value z7 and the derivative g7, of its use as input 0 of
    z8 the local partial p8.0 and the whole term t8.0."""

    value: Any
    key: str

    @classmethod
    def value_of(cls, q: Quantity) -> Number:
        """Its number(s)."""
        return cls(q.value, f"z{q.number}")

    @classmethod
    def derivative(cls, q: Quantity) -> Number:
        """The derivative of the output with respect to it."""
        return cls(q.adjoint, f"g{q.number}")

    @classmethod
    def partial(cls, term: Term) -> Number:
        """The local partial of a term, if it has one."""
        return cls(term.partial and term.partial.value, f"p{term.consumer.number}.{term.position}")

    @classmethod
    def term(cls, term: Term) -> Number:
        """What a term contributes."""
        return cls(term.value, f"t{term.consumer.number}.{term.position}")


class Notation(Protocol):
    """How the sides are written."""

    dot: str
    plus: str
    equals: str

    def name(self, name: Name) -> str:
        """A name."""

    def formula(self, formula: Formula, within: int = 0) -> str:
        """A formula, in parentheses if it binds less than ``within``."""

    def number(self, number: Number) -> str:
        """A number by itself."""

    def factor(self, number: Number) -> str:
        """A number as a factor."""

    def partial(self, formula: Formula) -> str:
        """A formula as a factor."""

    def words(self, text: str) -> str:
        """Words among the formulas."""

    def term(self, term: Term, side: str) -> str:
        """A term written out, or what it is if the output can't depend on it."""


class Text:
    """A line of text."""

    dot, plus, equals = " · ", " + ", " = "

    @staticmethod
    def name(name: Name) -> str:
        return name.text

    @staticmethod
    def formula(formula: Formula, within: int = 0) -> str:
        return formula.text(within)

    @staticmethod
    def number(number: Number) -> str:
        return numeral(number.value)

    @staticmethod
    def factor(number: Number) -> str:
        return factor(number.value)

    @staticmethod
    def partial(formula: Formula) -> str:
        return enclosed(formula.text(PRODUCT))

    @staticmethod
    def words(text: str) -> str:
        return text

    @staticmethod
    def term(term: Term, side: str) -> str:
        return side if term.depends else "0"


class Latex:
    """LaTeX."""

    dot, plus, equals = r" \cdot ", " + ", " = "

    @staticmethod
    def name(name: Name) -> str:
        return name.latex

    @staticmethod
    def formula(formula: Formula, within: int = 0) -> str:
        return formula.latex(within)

    @staticmethod
    def number(number: Number) -> str:
        return numeral_in_latex(number.value, DIGITS)

    @staticmethod
    def factor(number: Number) -> str:
        text = numeral_in_latex(number.value, DIGITS)
        return rf"\left({text}\right)" if text.startswith("-") else text

    @staticmethod
    def partial(formula: Formula) -> str:
        return formula.latex(PRODUCT)

    @staticmethod
    def words(text: str) -> str:
        return rf"\text{{{text}}}"

    term = staticmethod(Text.term)


def definition(q: Quantity, notation: Notation = Text) -> str:
    """What a quantity is computed as; of a leaf its label, if it has one."""
    if q.op is not None:
        return notation.formula(q.definition)
    return label(q, notation)


def label(q: Quantity, notation: Notation = Text) -> str:
    """The label of a quantity that goes by another name; empty if there is none."""
    return notation.name(quoted(q.label)) if q.label and q.label != q.name.text else ""


def value(q: Quantity) -> str:
    """The value of a quantity in a few words."""
    return " ".join(filter(None, (kind(q.value), summary(q.value))))


def gradient(q: Quantity) -> str:
    """The derivative with respect to a quantity in a few words."""
    return " ".join(filter(None, (kind(q.adjoint), summary(q.adjoint))))


def is_output(q: Quantity) -> bool:
    """Does the chain rule start from here?"""
    return not q.terms and q.adjoint is not None and bool(np.any(q.adjoint != 0))


def chain(q: Quantity, notation: Notation = Text) -> list[str]:
    """∂f/∂q as equal sides: ∂f/∂z7, ∂f/∂z8 · ∂z8/∂z7, 1 · z3, 3. Of an array the sides are in matrix form."""
    sides = [notation.name(q.derivative)]
    scalar = q.shape == () and all(term.consumer.shape == () and term.partial is not None for term in q.terms)
    if not q.terms:
        return [*sides, notation.number(Number.derivative(q)) if q.shape == () else notation.words(summary(q.adjoint))]
    if scalar:
        sides.append(_sum(q, notation, lambda t: _symbols(t, notation)))
        sides.append(_sum(q, notation, lambda t: _half(t, notation)))
        sides.append(_sum(q, notation, lambda t: _numbers(t, notation)))
        if len(q.terms) > 1:
            sides.append(_sum(q, notation, lambda t: notation.factor(Number.term(t))))
    else:
        if any(_jacobian(t, notation) for t in q.terms):
            sides.append(_sum(q, notation, lambda t: _jacobian(t, notation) or notation.formula(t.contribution, PRODUCT)))
        sides.append(_sum(q, notation, lambda t: notation.formula(t.contribution, 1)))
    if q.shape == ():
        sides.append(notation.number(Number.derivative(q)))
    return [side for i, side in enumerate(sides) if i == 0 or side != sides[i - 1]]


def _sum(q: Quantity, notation: Notation, side: Callable[[Term], str]) -> str:
    shown = q.terms if len(q.terms) <= TERMS + 1 else q.terms[:TERMS]
    sides = [notation.term(term, side(term)) for term in shown]
    if len(shown) < len(q.terms):
        sides.append(notation.words(f"{len(q.terms) - len(shown):,} more"))
    return notation.plus.join(sides)


def _symbols(term: Term, notation: Notation) -> str:
    """∂f/∂z8 · ∂z8/∂z7."""
    of = Name.derivative(term_name(term), term.consumer.name)
    return notation.name(term.consumer.derivative) + notation.dot + notation.name(of)


def term_name(term: Term) -> Name:
    """The name of the quantity that a term belongs to."""
    quantity: Quantity = term.consumer.inputs[term.position]
    return quantity.name


def _half(term: Term, notation: Notation) -> str:
    """1 · z3: the number that arrives, and the local partial in symbols."""
    assert term.partial is not None
    plain = isinstance(term.partial.symbol, (int, float))
    partial = notation.factor(Number.partial(term)) if plain else notation.partial(term.partial)
    return notation.factor(Number.derivative(term.consumer)) + notation.dot + partial


def _numbers(term: Term, notation: Notation) -> str:
    """1 · 3."""
    assert term.partial is not None
    return notation.factor(Number.derivative(term.consumer)) + notation.dot + notation.factor(Number.partial(term))


def _jacobian(term: Term, notation: Notation) -> str:
    """The matrix of local partials, where the row names it, times what arrives."""
    matrix = jacobian(term)
    return notation.formula(matrix, PRODUCT) + notation.dot + notation.name(term.consumer.derivative) if matrix else ""


def jacobian(term: Term) -> Formula | None:
    """The matrix of local partials, where the row names it."""
    template = term.consumer.op.jacobian
    return Formula(Pattern(template, term.consumer.definition.symbol, term.consumer.symbol)) if template else None


def given(q: Quantity, notation: Notation = Text) -> list[str]:
    """What the letters in the terms of a quantity stand for: p = softmax(z)."""
    found = [notation.formula(formula) for term in q.terms for formula in term.contribution.given()]
    return list(dict.fromkeys(found))

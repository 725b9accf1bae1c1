"""The two passes as steps, one quantity at a time: formulas in LaTeX with keys in place of the numbers that a page changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from ..node import made
from ..operators.table import PRODUCT
from ..symbol import Symbol
from . import printing, steps
from .folding import Block
from .formula import Formula
from .live import Program
from .names import Name, is_word
from .numerals import summary
from .plain_text import enclosed
from .quantities import Graph, Quantity, Term
from .steps import Latex, Number, Text

LISTED = 12  # elements of an array that are shown one by one
TITLE = 14  # operators of a formula that is written out as a whole


NUMBER, CHOICE, UNSAID = ("\ue000", "\ue001"), ("\ue002", "\ue003", "\ue004", "\ue005"), "\ue006"


class Spoken(Text):
    """As a screen reader says it, with keys in place of the numbers that change: between the signs of NUMBER; of a CHOICE key and
    both branches. What depends on a condition is left out."""

    def __init__(self, program: Program | None) -> None:
        self.program = program

    def formula(self, formula: Formula, within: int = 0) -> str:  # type: ignore[override]
        if self.program and r"\choice" in formula.latex(0, self.program.choice):
            return UNSAID
        return formula.text(within)

    def partial(self, formula: Formula) -> str:  # type: ignore[override]
        return enclosed(self.formula(formula, PRODUCT))

    @staticmethod
    def number(number: Number) -> str:
        return number.key.join(NUMBER)

    factor = number

    def term(self, term: Term, side: str) -> str:  # type: ignore[override]
        if self.program is None or not self.program.graph.reach.selecting:
            return side if term.depends else "0"
        start, then, other, end = CHOICE
        return f"{start}{self.program.depends(term)}{then}{side}{other}0{end}"

    @staticmethod
    def said(sides: Iterable[str]) -> str:
        """The sides that can be said."""
        return " = ".join(side for side in sides if side and UNSAID not in side)


class Typeset(Latex):
    """LaTeX with keys in place of the numbers that change, and with both branches where a condition may change."""

    def __init__(self, program: Program | None) -> None:
        self.program = program

    def formula(self, formula: Formula, within: int = 0) -> str:  # type: ignore[override]
        return formula.latex(within, self.program.choice if self.program else None)

    def partial(self, formula: Formula) -> str:  # type: ignore[override]
        return self.formula(formula, PRODUCT)

    @staticmethod
    def number(number: Number) -> str:
        return rf"\live{{{number.key}}}"

    @staticmethod
    def factor(number: Number) -> str:
        return rf"\factor{{{number.key}}}"

    def term(self, term: Term, side: str) -> str:
        if self.program is None or not self.program.graph.reach.selecting:
            return side if term.depends else "0"
        return rf"\choice{{{self.program.depends(term)}}}{{{side}}}{{0}}"


class Step(NamedTuple):
    """What is shown at once: one quantity, or a block of them, in one of the passes.

    phase   "forward" or "backward"
    block   what it is about
    head    what is computed, in LaTeX
    sides   what it is equal to, one after the other
    spoken  all of it as text
    array   the key of the array that results; empty for a number
    notes   what else is to be said, in words; formulas in it stand between dollars
    near    what it is computed from
    """

    phase: str
    block: Block
    head: str
    sides: list[str]
    spoken: str
    array: str
    notes: list[str]
    near: list[Quantity]

    @property
    def shown(self) -> Quantity:
        """The quantity that is shown for all of the block."""
        return self.block.first if self.phase == "forward" else self.block.last


def both_passes(graph: Graph, blocks: list[Block], program: Program | None) -> list[Step]:
    """The steps forward through a graph, and back."""
    notations = Typeset(program), Spoken(program)
    forward = [_forward(block, *notations) for block in blocks]
    return forward + [_backward(block, *notations) for block in reversed(blocks)] if graph.differentiated else forward


def _forward(block: Block, notation: Typeset, aloud: Spoken) -> Step:
    q = block.first
    definition = steps.definition(q, notation)
    sides = [definition] if definition else []
    inputs = [x for x in q.inputs if isinstance(x, Quantity)]
    notes = []
    if block.size > 1:
        notes.append(f"the first of {block.size:,}, whose values are {printing.words(block).partition('   ')[2]}")
    if q.shape == ():
        if q.op is not None and all(x.shape == () for x in inputs):
            substituted = _substituted(q, notation)
            sides += [substituted] if substituted != definition else []
        sides.append(notation.number(Number.value_of(q)))
    value = Number.value_of(q)
    spoken = aloud.said([q.name.text, steps.definition(q, aloud), aloud.number(value) if q.shape == () else steps.value(q)])
    return Step("forward", block, notation.name(q.name), sides, spoken, _array(value), notes, inputs)


def _backward(block: Block, notation: Typeset, aloud: Spoken) -> Step:
    q = block.last
    head, *sides = steps.chain(q, notation)
    notes = []
    if block.size > 1:
        notes.append(f"the last of {block.size:,}, which are computed in the same way")
    given = steps.given(q, notation)
    if given:
        notes.append("with " + ", ".join(f"${g}$" for g in given))
    if notation.program is None and any(not term.depends for term in q.terms):
        notes.append("a branch not taken contributes exactly 0")
    if steps.is_output(q):
        notes.append("This is where the chain rule starts from.")
    derivative = Number.derivative(q)
    array = [aloud.number(derivative) if _listed(q.adjoint) else summary(q.adjoint)] if q.shape else []
    spoken = aloud.said([*steps.chain(q, aloud), *array])
    near = [term.consumer for term in q.terms]
    return Step("backward", block, head, sides, spoken, _array(derivative), notes, near)


def _array(number: Number) -> str:
    return number.key if np.ndim(number.value) else ""


def _substituted(q: Quantity, notation: Typeset) -> str:
    """The definition with the numbers of the inputs in place of their names."""

    def named(x: Quantity) -> Symbol:
        number = Number.value_of(x)
        return Symbol(Name(number.key, notation.number(number), whole=False), x.node._value)

    latex = notation.formula(Formula(_applied(q, named), as_recorded=True))
    return re.sub(r"\\left\(\\live\{(\w+)\}\\right\)", r"\\factor{\1}", latex)


def _applied(q: Quantity, standing: Callable[[Quantity], Symbol]) -> Symbol:
    """The definition of a quantity, with what stands for its inputs; constants as they are called elsewhere."""
    inputs = [standing(x) if isinstance(x, Quantity) else c for x, c in zip(q.inputs, q.arguments, strict=True)]
    symbol: Symbol = made(Symbol, q.symbol._value, q.op, inputs)
    symbol._params = q.node.params
    return symbol


def called(q: Quantity) -> Name:
    """A leaf by its label, if that can stand in a formula."""
    return Name.of(q.label) if q.label and is_word(q.label) else q.name


def written_out(graph: Graph) -> Name:
    """The output as one formula of the leaves; only its name if that is long."""
    output = graph.output_name
    size: dict[Quantity, int] = {}
    symbols: dict[Quantity, Symbol] = {}
    for q in graph.quantities[: 2 * TITLE]:
        size[q] = sum(size[x] for x in q.inputs if isinstance(x, Quantity)) + (q.op is not None)
        if size[q] > TITLE:
            break
        if q.op is None:
            symbols[q] = Symbol(called(q), q.node._value)
        else:
            symbols[q] = _applied(q, symbols.__getitem__)
    if graph.output.op is None or graph.output not in symbols:
        return output
    leaves = [called(q) for q in graph.quantities if q.op is None and q.label] if graph.scalar else []
    text, latex = (f"({', '.join(names)})" if leaves else "" for names in ([x.text for x in leaves], [x.latex for x in leaves]))
    formula = Formula(symbols[graph.output], as_recorded=True)
    return Name(f"{output.text}{text} = {formula.text()}", f"{output.latex}{latex} = {formula.latex()}")


def numbers(graph: Graph) -> Iterable[Number]:
    """All numbers of an explanation, and the arrays of few elements."""
    for q in graph.quantities:
        found = [Number.value_of(q)]
        if graph.differentiated:
            found += [Number.derivative(q), *map(Number.term, q.terms), *(Number.partial(t) for t in q.terms if t.partial)]
        yield from (number for number in found if _listed(number.value))


def _listed(x: Any) -> bool:
    return np.size(x) <= LISTED

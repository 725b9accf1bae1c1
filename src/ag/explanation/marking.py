"""Answers marked: is one right, does it follow from an earlier wrong one, and if neither, which mistake was made?

What an answer is compared with comes from the rows' rules, given the derivatives that the learner found before. So one wrong
step is one wrong step, and all that follows from it is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from ..operators.rules import FUNCTIONS, value_of
from .numerals import summary, times
from .quantities import Graph, Quantity, Term
from .steps import term_name

TOLERANCE = 1e-3  # relative
ROUNDING = 1e-9  # of the largest term
DIGITS = 2  # so many a number must have to be taken for a rounded one
READ = 1000  # elements: up to here the digits of an array are looked at

RIGHT, FOLLOWS, ROUNDED, WRONG = "right", "follows", "rounded", "wrong"
SIGNS = {RIGHT: "✓", FOLLOWS: "(✓)", ROUNDED: "✗", WRONG: "✗"}


class Answer(NamedTuple):
    """An answer as it was given: its number(s), and how far off they may be for being rounded.

    value  a number or an array of floats
    unit   half a unit of the last digit; where there are fewer than two digits, of the finest number in the array
    rough  half a unit of the last digit, however few there are
    """

    value: Any
    unit: Any = 0.0
    rough: Any = 0.0

    @classmethod
    def of(cls, x: Any) -> Answer:
        """A number or an array."""
        if isinstance(x, Fraction):
            return cls(np.float64(x))
        if x is None:
            raise TypeError("None is no number")
        value = np.asarray(value_of(x), dtype=float)
        if value.size > READ or not np.isfinite(value).all():
            return cls(value[()])
        return cls.rounded(value, [repr(x)] if isinstance(x, int) else [repr(v) for v in value.ravel().tolist()])

    @classmethod
    def rounded(cls, value: Any, texts: Sequence[str]) -> Answer:
        """Numbers that were written as ``texts``, one after the other."""
        from decimal import Decimal  # here, as it is slow to import

        written = [Decimal(text).as_tuple() for text in texts]
        rough = np.reshape([0.5 * 10.0 ** int(number.exponent) for number in written], np.shape(value))
        enough = np.reshape([len(number.digits) >= DIGITS for number in written], np.shape(value))
        finest = rough.min() if np.any(enough) else 0.0
        return cls(np.asarray(value)[()], np.where(enough, rough, finest)[()], rough[()])

    def agrees(self, target: Any, scale: float = 0.0, *, roughly: bool = False) -> bool:
        """Is it the target, within the tolerance or to the digits given? One number stands for as many as there are."""
        target = np.asarray(target, dtype=float)
        if self.value.shape not in ((), target.shape):
            return False
        with np.errstate(all="ignore"):
            allowed = np.maximum(TOLERANCE * np.abs(target), ROUNDING * max(scale, float(np.max(np.abs(target), initial=0.0))))
            allowed = np.maximum(allowed, (self.rough if roughly else self.unit) * (1 + ROUNDING))
            near = np.isfinite(target) & (np.abs(self.value - target) <= allowed)
        return bool(np.all(near | (self.value == target) | (np.isnan(self.value) & np.isnan(target))))

    def __str__(self) -> str:
        return summary(self.value)


class Mark(NamedTuple):
    """One answer and what is to be said of it.

    status   "right"; "follows": it follows from an earlier wrong answer; "rounded": too few digits to tell; "wrong"
    note     what was done wrong, or what it follows from; empty if nothing can be said
    """

    quantity: Quantity
    answer: Answer
    status: str
    note: str = ""

    @property
    def right(self) -> bool:
        """Is it the derivative?"""
        return self.status == RIGHT

    def __str__(self) -> str:
        return " ".join(filter(None, (SIGNS[self.status], self.note)))


def mark(graph: Graph, q: Quantity, answer: Answer, earlier: Mapping[Quantity, Mark]) -> Mark:
    """Mark one answer, given those to the quantities that come before it on the way back."""
    parts = [_Part(graph, term, earlier) for term in q.terms]
    own = _sum(part.carried for part in parts) if parts else q.adjoint
    scale = max((float(np.max(np.abs(part.carried), initial=0.0)) for part in parts), default=0.0)
    note = _shape(q, answer, own)
    if note:
        return Mark(q, answer, WRONG, note)
    if answer.agrees(q.adjoint, scale):
        return Mark(q, answer, RIGHT)
    if answer.agrees(own, scale):
        doubtful = [part.consumer for part in parts if part.consumer in earlier and not earlier[part.consumer].right]
        return Mark(q, answer, FOLLOWS, _follows_from(doubtful, earlier)) if doubtful else Mark(q, answer, RIGHT)
    note = next(_notes(q, answer, parts, own), "")
    if not note and answer.agrees(own, scale, roughly=True):
        return Mark(q, answer, ROUNDED, f"give at least {DIGITS} digits")
    return Mark(q, answer, WRONG, note or next(_notes(q, answer, parts, own, roughly=True), ""))


def _follows_from(doubtful: list[Quantity], earlier: Mapping[Quantity, Mark]) -> str:
    """The wrong answers that an answer follows from, by way of those that follow from them."""
    roots, stack, seen = [], list(doubtful), set(doubtful)
    while stack:
        z = stack.pop()
        if earlier[z].status != FOLLOWS:
            roots.append(z)
            continue
        for consumer in (term.consumer for term in z.terms):
            if consumer in earlier and not earlier[consumer].right and consumer not in seen:
                seen.add(consumer)
                stack.append(consumer)
    names = [z.derivative.text for z in sorted(roots, key=lambda z: -z.number)]
    return f"follows from your {' and '.join(names)}, which {'is' if len(names) == 1 else 'are'} wrong"


# ---------------------------------------------------------------------- which mistake


class _Part:
    """One term of the chain rule with the learner's own derivative of the consumer, where there is one."""

    def __init__(self, graph: Graph, term: Term, earlier: Mapping[Quantity, Mark]) -> None:
        self.term = term
        self.consumer = z = term.consumer
        found = earlier.get(z)
        fits = found is not None and found.answer.value.shape in ((), z.shape)
        given = np.broadcast_to(found.answer.value, z.shape)[()] if found and fits else z.adjoint
        self.arriving = np.asarray(given, dtype=np.asarray(z.adjoint).dtype)[()]
        self.carried = graph.carried(z, term.position, self.arriving)
        self.alone = graph.carried(z, term.position, np.ones_like(self.arriving))
        self.local = f"∂{z.name.text}/∂{term_name(term).text}"
        self.incoming = z.derivative.text


def _sum(values: Any) -> Any:
    values = list(values)
    with np.errstate(all="ignore"):
        return sum(values[1:], start=values[0])


def _shape(q: Quantity, answer: Answer, own: Any) -> str:
    """What is wrong with the shape of an answer. A single number may stand for an array that has no other elements."""
    if answer.value.shape in ((), q.shape):
        return ""
    if answer.value.shape == q.shape[::-1] and Answer(answer.value.T).agrees(own):
        return f"rows and columns are exchanged: a gradient has the shape of what it belongs to, {q.name.text} is {_a(q.shape)}"
    given = f"this is {_a(answer.value.shape)}"
    return f"{given}, but a gradient has the shape of what it belongs to: {q.name.text} is {_a(q.shape)}"


def _a(shape: tuple[int, ...]) -> str:
    return f"a vector of {shape[0]}" if len(shape) == 1 else times(shape) if shape else "a number"


def _notes(q: Quantity, answer: Answer, parts: list[_Part], own: Any, *, roughly: bool = False) -> Iterator[str]:
    """What was done wrong, for every mistake that leads to the answer."""
    if not parts and np.any(q.adjoint):
        yield f"{q.name.text} is the output itself"
    elif not parts:
        yield f"the output does not depend on {q.name.text}"
    else:
        with np.errstate(all="ignore"):
            for wrong, note in _mistakes(q, parts, own):
                if np.shape(wrong) == q.shape and answer.agrees(wrong, roughly=roughly):
                    yield note


def _mistakes(q: Quantity, parts: list[_Part], own: Any) -> Iterator[tuple[Any, str]]:
    """What an answer would be, and the note, mistake by mistake, the plainest first."""
    yield -own, "the sign is wrong"
    yield from _forgotten(q, parts)
    if len(parts) > 1:
        for part in parts:
            yield own - 2 * part.carried, f"the sign of what comes through {part.consumer.name.text} is wrong"
    if np.ndim(own) == 2:
        yield np.transpose(own), "rows and columns are exchanged"
    for part in parts:
        yield from _in_one_term(q, part, own - part.carried)
    if len(parts) > 1:
        yield _sum(part.alone for part in parts), "multiply each local partial by the derivative that arrives there"
    yield value_of(q.node), f"that is the value of {q.name.text}, not the derivative with respect to it"
    for factor, word in ((2, "twice"), (0.5, "half")):
        yield factor * own, f"that is {word} as much as it should be"
    for n in sorted({n for z in (q, *(part.consumer for part in parts)) for n in z.shape} - {1, 2}):
        yield n * own, f"that is {n} times as much as it should be"
        yield own / n, f"that is {n} times less than it should be"


def _forgotten(q: Quantity, parts: list[_Part]) -> Iterator[tuple[Any, str]]:
    """Some uses of a quantity alone."""
    if len(parts) > 6:
        return
    for size in range(len(parts) - 1, 0, -1):
        for taken in combinations(parts, size):
            names = {part.consumer.name.text: None for part in parts if part not in taken}
            counted = {part.consumer.name.text for part in taken}
            if counted & names.keys():
                note = f"{next(iter(names))} uses {q.name.text} more than once, and each use counts"
            else:
                note = f"{q.name.text} is used in {' and '.join(names)}, too: what comes through there is missing"
            yield _sum(part.carried for part in taken), note


def _in_one_term(q: Quantity, part: _Part, rest: Any) -> Iterator[tuple[Any, str]]:
    """Mistakes in one term; ``rest`` are the others."""
    yield rest + part.alone, f"{part.local} stands alone: multiply it by what arrives, {part.incoming}"
    if part.consumer.op.name == "cross_entropy_of_labels":
        p = FUNCTIONS["softmax"](value_of(q.node))
        for examples in {1, np.size(p) // np.shape(p)[-1]}:
            yield p / examples, "that is p alone: subtract e_y, the 1 at the label"
    if part.term.partial is not None:  # element by element
        instead = f"stands where the local partial {part.local} belongs"
        z = part.consumer
        yield rest + part.arriving, f"{part.incoming} is passed on as it arrives: multiply it by {part.local}"
        yield rest + part.arriving * value_of(z.node), f"the value of {z.name.text} {instead}"
        yield rest + part.arriving * value_of(q.node), f"{q.name.text} itself {instead}"
        yield rest + part.arriving / part.alone, f"multiply by {part.local}, where you divided"

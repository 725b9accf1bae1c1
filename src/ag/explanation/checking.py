"""The numbers of an explanation compared with finite differences, which know the operators' values and none of their rules.

A derivative of the graph is compared in three ways:

- every term of the chain rule, ∂f/∂y · ∂y/∂x, with differences of the one operator that made y, weighted by ∂f/∂y, and with
  what its formula computes;
- the sum of the terms of a quantity with the derivative that is shown for it;
- the derivative as a whole with differences of f, computed again from the moved quantity on: for every quantity of a small
  graph, for single leaves of a larger one while they are few, and for all leaves together, moved at once, in any graph.

By the chain rule the first two are enough, and they cost what one pass costs; the third does not even rely on that rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from ..operators.rules import value_of
from .numerals import numeral
from .quantities import Graph, Quantity, Term

REACH = 1e-3  # the step of fourth-order differences, relative to the number that is moved
STEPS = (1.0, 1e-2, 1e-4)  # times that: the sharpest tells
ROUNDING = 4e-16  # of one number, relative
DIRECTIONS = 2  # random ones, in which an array is moved
BUDGET = 20_000  # operations that are computed again to compare derivatives as a whole
CLOSE = {"f4": 1e-4, "f2": 1e-1}  # relative; of doubles 1e-6
BLUNT = 2e-4  # relative: differences that are less sharp tell nothing


class Check(NamedTuple):
    """The comparison of one quantity: the worst of its terms, their sum, and the derivative as a whole.

    error  the largest, relative
    note   what is special about the point
    good   is nothing off?
    blame  the row whose derivative is off
    """

    quantity: Quantity
    error: float = 0.0
    note: str = ""
    good: bool = True
    blame: str = ""

    def __str__(self) -> str:
        if not self.good:
            off = f"{self.error:.0e}" if self.error else "rests on a number that is off"
            return f"✗ {off}" + (f": the row {self.blame!r} is off" if self.blame else "")
        if self.note:
            return f"✓ {self.note}" if np.isfinite(self.error) else f"- {self.note}"
        return f"✓ {self.error:.0e}" if self.error else "✓"


def check(graph: Graph) -> dict[Quantity, Check]:
    """All numbers of a graph against differences in float64; the module's first lines say what is compared with what."""
    if not graph.differentiated:
        raise ValueError("there is no derivative to check: give the cotangent of the output, ag.explain(node, cotangent=...)")
    with np.errstate(all="ignore"):
        return _Checking(graph).all()


class _Checking:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.values = {q: _double(value_of(q.node)) for q in graph.quantities}
        self.rng = np.random.default_rng(0)
        self.floats = [q for q in graph.quantities if _is_float(self.values[q])]

    def all(self) -> dict[Quantity, Check]:
        found: dict[Quantity, Check] = {}
        for q in reversed(self.floats):
            found[q] = self.of(q, found)
        leaves = [q for q in self.floats if q.op is None]
        n = len(self.graph.quantities)
        alone = self.floats if n * n <= BUDGET else leaves if len(leaves) * n <= BUDGET else []
        for q in alone:
            found[q] = _worse(found[q], self.whole([q]))
        together = self.whole(leaves) if len(leaves) > 1 and all(found[q].good for q in leaves) else None
        if together is not None and not together.good:
            found[leaves[0]] = together
        return found

    def of(self, q: Quantity, found: dict[Quantity, Check]) -> Check:
        """The terms of a quantity, and their sum."""
        worst = _added(q)
        for term in q.terms:
            behind = found.get(term.consumer)
            if behind is not None and not behind.good and term.depends:
                worst = _worse(worst, Check(q, 0.0, "", False, behind.blame))
            worst = _worse(worst, self.local(q, term))
        return worst

    def local(self, q: Quantity, term: Term) -> Check:
        """One term against differences of the operator that it goes through."""
        z, i = term.consumer, term.position
        args = [self.values[x] if isinstance(x, Quantity) else x for x in z.inputs]
        weights = np.asarray(z.adjoint, dtype=float)
        mask = self.graph.masks.get(z.node)
        if mask is not None:
            weights = np.where(mask, weights, 0.0)
        result = _printed(q, term) if mask is None else Check(q)
        for direction in _directions(self.values[q], self.rng):

            def f(h: Any, direction: Any = direction) -> Any:
                y = _apply(z, [*args[:i], args[i] + h * direction, *args[i + 1 :]])
                return np.where(weights == 0, 0.0, weights * y)  # what does not count may be nan

            result = _worse(result, _compared(q, term.value * direction, f, self.values[q]))
        return result if result.good else result._replace(blame=str(z.op.name))

    def whole(self, moved: list[Quantity]) -> Check:
        """The derivative with respect to some quantities together against differences of f."""
        directions = [_directions(self.values[q], self.rng)[0] for q in moved]
        later = self.later(moved)
        weights = np.asarray(self.graph.output.adjoint, dtype=float)

        def f(h: Any) -> Any:
            values = {q: self.values[q] + h * d for q, d in zip(moved, directions, strict=True)}
            for z in later:
                values[z] = _apply(z, [values.get(x, self.values[x]) if isinstance(x, Quantity) else x for x in z.inputs])
            y = values.get(self.graph.output, self.values[self.graph.output])
            return np.where(weights == 0, 0.0, weights * y)

        given = np.concatenate([np.ravel(q.adjoint * d) for q, d in zip(moved, directions, strict=True)])
        result = _compared(moved[0], given, f, self.values[moved[0]] if len(moved) == 1 else 1.0)
        return result if np.isfinite(result.error) else Check(moved[0])  # it need not tell, as the terms did

    def later(self, moved: Iterable[Quantity]) -> list[Quantity]:
        """All that is computed from some quantities, in order."""
        found = set(moved)
        start = min(q.number for q in found)
        later = []
        for z in self.graph.quantities[start:]:
            if z not in found and any(isinstance(x, Quantity) and x in found for x in z.inputs):
                found.add(z)
                later.append(z)
        return later


def _worse(one: Check, other: Check) -> Check:
    """The worse of two comparisons; what is special about the point stays."""
    worst, better = sorted((one, other), key=lambda c: (c.good, np.isfinite(c.error), -c.error))
    if not worst.good:
        return worst._replace(blame=worst.blame or better.blame)
    return worst if worst.note else worst._replace(note=better.note)


def _printed(q: Quantity, term: Term) -> Check:
    """What the formula of a term computes against the number that is shown for it: a row may have a faster way to that."""
    shown, formula = np.asarray(term.value, dtype=float), np.asarray(term.contribution.value, dtype=float)
    size = float(np.max(np.abs(shown), initial=0.0))
    off = float(np.max(np.abs(shown - formula), initial=0.0))
    arriving = float(np.max(np.abs(term.consumer.adjoint), initial=0.0))
    good = not off > _close(q) * (size + 1e-6 * arriving)  # not finite: nothing to compare
    return Check(q) if good else Check(q, off / size, "", False)


def _added(q: Quantity) -> Check:
    """The derivative that is shown against the sum of its terms."""
    if not q.terms:
        return Check(q)
    values = [np.asarray(term.value, dtype=float) for term in q.terms]
    total, size = sum(values), sum(map(np.abs, values))
    shown = np.asarray(q.adjoint, dtype=float)
    off = np.where((total == shown) | (np.isnan(total) & np.isnan(shown)), 0.0, np.abs(total - shown))
    allowed = (8 + len(values)) * np.finfo(np.asarray(q.adjoint).dtype).eps * size
    if np.all((off == 0) | (off <= allowed)):
        return Check(q)
    return Check(q, float(np.max(off / np.maximum(size, 1e-300), initial=0.0)), "", False)


def _compared(q: Quantity, given: Any, f: Callable[[Any], Any], x: Any) -> Check:
    """A derivative along a direction, Σ given, against differences of Σ f(h). At a kink any slope between those of the two
    sides is right."""
    slope = float(np.sum(given))
    if not np.isfinite(slope):
        return Check(q, np.inf, "not finite, so not compared")
    size = float(np.max(np.abs(x), initial=0.0))
    close = _close(q)
    rounded = 0.1 * close * float(np.sum(np.abs(given))) if close > 1e-6 else 0.0
    found, agreed = [], []
    for step in dict.fromkeys(REACH * unit * k for k in STEPS for unit in (max(1.0, size), size or 1.0)):
        difference = _difference(f, step)
        if not np.isfinite(difference.slope):
            continue
        largest = max(abs(slope), abs(difference.slope))
        off = abs(slope - difference.slope)
        error = off / largest if off else 0.0
        if off <= close * largest + rounded + min(difference.doubt, BLUNT * largest):
            agreed.append((difference.doubt, error))
            if difference.doubt <= 1e-9 * largest:
                break
        else:
            found.append((difference, error))
    if agreed:
        return Check(q, min(agreed)[1])
    if not found:
        return Check(q, np.inf, "no differences there, so not compared")
    best, error = min(found, key=lambda pair: pair[0].doubt)
    kink = _kink(q, slope, f, best.step)
    if kink is not None:
        return kink
    if best.doubt > BLUNT * max(abs(slope), abs(best.slope)):
        return Check(q, np.inf, "differences are not sharp there, so not compared")
    return Check(q, error, "", False)


class _Difference(NamedTuple):
    slope: float
    doubt: float  # how far off it may be
    step: float


def _difference(f: Callable[[Any], Any], h: float) -> _Difference:
    """The fourth-order difference, and what the second-order one and rounding say of it."""
    values = {k: f(k * h) for k in (-2, -1, 0, 1, 2)}
    near = float(np.sum(values[1] - values[-1]))
    far = float(np.sum(values[2] - values[-2]))
    slope = (8 * near - far) / (12 * h)
    rounding = ROUNDING * float(np.sum(np.abs(values[0]))) / h
    return _Difference(slope, 1e-3 * abs(slope - near / (2 * h)) + 4 * rounding, h)


def _kink(q: Quantity, slope: float, f: Callable[[Any], Any], step: float) -> Check | None:
    """Is the slope one between those of the two sides?"""
    tiny = step * 1e-3
    here = f(0.0)
    sides = sorted((float(np.sum(f(tiny) - here)) / tiny, float(np.sum(here - f(-tiny))) / tiny))
    if not np.isfinite(sides).all():
        return Check(q, np.inf, "no differences there, so not compared")
    allowed = 1e-6 * max(map(abs, sides)) + 8 * ROUNDING * float(np.sum(np.abs(here))) / tiny
    if sides[1] - sides[0] > 1e-3 * max(map(abs, sides)) + allowed and sides[0] - allowed <= slope <= sides[1] + allowed:
        return Check(q, 0.0, f"at a kink, between {numeral(sides[0])} and {numeral(sides[1])}")
    return None


def _close(q: Quantity) -> float:
    """How close two numbers must be, relative, in the precision of a quantity."""
    return CLOSE.get(np.asarray(value_of(q.node)).dtype.str[1:], 1e-6)


def _directions(x: Any, rng: np.random.Generator) -> list[Any]:
    shape = np.shape(x)
    if not shape:
        return [1.0]
    return [rng.choice((-1.0, 1.0), shape) * rng.uniform(0.5, 1.5, shape) for _ in range(DIRECTIONS)]


def _apply(z: Quantity, args: list[Any]) -> Any:
    """A quantity computed again. What a row keeps for its derivative is not touched."""
    params = {k: {} if isinstance(v, dict) else v for k, v in z.node.params.items()}
    if np.dtype(params.get("dtype", float)).kind == "f" and "dtype" in params:
        params["dtype"] = np.dtype(float)
    return z.op.forward(*[np.float64(x) if type(x) is float else x for x in args], **params)


def _double(x: Any) -> Any:
    array = np.asarray(x)
    return (array.astype(float) if array.dtype.kind == "f" else array)[()]


def _is_float(x: Any) -> bool:
    return bool(np.asarray(x).dtype.kind == "f")

"""Every number of an explanation compared with finite differences."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..operators.rules import value_of
from .numerals import numeral
from .quantities import Graph, Quantity

STEP = 1e-3  # of fourth-order central differences, relative to the size of the number
TOLERANCE = 1e-6
ROUNDING = 1e-13  # of the output, relative
DIRECTIONS = 2  # random ones, in which an array is moved


class Check(NamedTuple):
    """One comparison: the derivative of a quantity, and the worst of the terms that make it."""

    quantity: Quantity
    error: float  # relative
    note: str  # what is special about the point
    good: bool
    blame: str  # the row whose local partial is off, if one is

    def __str__(self) -> str:
        if self.note:
            return f"✓ {self.note}" if np.isfinite(self.error) else f"- {self.note}"
        if self.good:
            return f"✓ {self.error:.0e}" if self.error else "✓"
        return f"✗ {self.error:.0e}" + (f": the row {self.blame!r} is off" if self.blame else "")


def check(graph: Graph) -> dict[Quantity, Check]:
    """∂f/∂z of every quantity z against differences of the rest of the graph computed again, in float64."""
    if not graph.differentiated:
        raise ValueError("there is no derivative to check: give the cotangent of the output, ag.explain(node, cotangent=...)")
    values = {q: _double(value_of(q.node)) for q in graph.quantities}
    weights = graph.output.adjoint
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        return {q: _checked(graph, q, values, weights, rng) for q in graph.quantities if _is_float(values[q])}


def _checked(graph: Graph, q: Quantity, values: dict[Quantity, Any], weights: Any, rng: np.random.Generator) -> Check:
    later = _later(graph, q)

    def along(direction: Any) -> Any:
        """f as a function of how far q is moved along a direction."""

        def f(h: float) -> float:
            moved = {q: values[q] + h * direction}
            for z in later:
                moved[z] = _again(z, moved, values)
            return float(np.sum(weights * moved.get(graph.output, values[graph.output])))

        return f

    scale = max(1.0, float(np.max(np.abs(values[q]), initial=0.0)))
    worst = Check(q, 0.0, "", True, "")
    for direction in _directions(values[q], rng):
        given = float(np.sum(q.adjoint * direction))
        result = _compared(q, given, along(direction), STEP * scale)
        if not result.good and not result.note:
            result = result._replace(blame=_blame(q, direction, values))
        worst = max(worst, result, key=lambda r: (not r.good, r.error))
    return worst


def _directions(x: Any, rng: np.random.Generator) -> list[Any]:
    shape = np.shape(x)
    if not shape:
        return [1.0]
    return [rng.choice((-1.0, 1.0), shape) * rng.uniform(0.5, 1.5, shape) for _ in range(DIRECTIONS)]


def _compared(q: Quantity, given: float, f: Any, h: float) -> Check:
    """A derivative against differences. At a kink any slope between those of the two sides is right."""
    if not np.isfinite(given):
        return Check(q, np.inf, "not finite, so not compared", True, "")
    values = {k: f(k * h) for k in (-2, -1, 0, 1, 2)}
    difference = (8 * (values[1] - values[-1]) - (values[2] - values[-2])) / (12 * h)
    allowed = TOLERANCE * max(abs(given), abs(difference)) + ROUNDING * max(1.0, abs(values[0])) / h
    off = abs(given - difference)
    error = off / max(abs(given), abs(difference), 1e-300) if off else 0.0
    if off <= allowed:
        return Check(q, error, "", True, "")
    tiny = h * 1e-3
    sides = sorted(((f(tiny) - values[0]) / tiny, (values[0] - f(-tiny)) / tiny))
    if not np.isfinite(sides).all() or not np.isfinite(difference):
        return Check(q, np.inf, "no differences there, so not compared", True, "")
    if sides[1] - sides[0] > 1e-3 * max(map(abs, sides)) and sides[0] - allowed <= given <= sides[1] + allowed:
        return Check(q, 0.0, f"at a kink, between {numeral(sides[0])} and {numeral(sides[1])}", True, "")
    return Check(q, error, "", False, "")


def _blame(q: Quantity, direction: Any, values: dict[Quantity, Any]) -> str:
    """The row that states a wrong partial for a use of q, if one of those does; else the fault is further on."""
    for term in q.terms:
        z, i = term.consumer, term.position

        def f(h: float, z: Quantity = z, i: int = i) -> float:
            moved = [values[x] if isinstance(x, Quantity) else x for x in z.inputs]
            moved[i] = moved[i] + h * direction
            return float(np.sum(z.adjoint * _apply(z, moved)))

        given = float(np.sum(term.value * direction))
        if not _compared(q, given, f, STEP * max(1.0, float(np.max(np.abs(values[q]), initial=0.0)))).good:
            return str(z.op.name)
    return ""


def _later(graph: Graph, q: Quantity) -> list[Quantity]:
    """All that is computed from q, in order."""
    found = {q}
    for z in graph.quantities[q.number :]:
        if any(isinstance(x, Quantity) and x in found for x in z.inputs):
            found.add(z)
    found.discard(q)
    return sorted(found, key=lambda z: z.number)


def _again(z: Quantity, moved: dict[Quantity, Any], values: dict[Quantity, Any]) -> Any:
    return _apply(z, [moved.get(x, values[x]) if isinstance(x, Quantity) else x for x in z.inputs])


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

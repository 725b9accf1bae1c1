"""How much of a gradient came which way: through each use of a quantity, and along each path to the output."""

from __future__ import annotations

import heapq
from typing import Any, NamedTuple

import numpy as np

from .quantities import Graph, Quantity


class Path(NamedTuple):
    """A way from a quantity to the output, and what it contributes to the gradient."""

    quantities: tuple[Quantity, ...]
    value: Any

    def __str__(self) -> str:
        return " → ".join(q.name.text for q in self.quantities)


class Paths(NamedTuple):
    """The paths that contribute most, the largest first, and what all the others contribute together."""

    largest: tuple[Path, ...]
    remainder: Any
    complete: bool  # are these all the paths?


def contributions(q: Quantity) -> list[tuple[Quantity, Any]]:
    """What came through each use of a quantity; they add up to its gradient."""
    return [(term.consumer, term.value) for term in q.terms]


def paths(graph: Graph, q: Quantity, k: int = 5) -> Paths:
    """The k paths from ``q`` to the output that contribute most, by the norm of what they carry, and the rest.

    Of the paths that lead to one quantity only the k largest are followed further. For scalars no larger one can be
    missed, as all are multiplied by the same partials from there on.
    """
    if k < 1:
        raise ValueError(f"paths: k={k}: how many paths to show is at least 1")
    if q.adjoint is None:
        raise ValueError("paths need a derivative: give the cotangent of the output, ag.explain(node, cotangent)")
    between = _downstream(q)
    start = graph.output
    carried: dict[Quantity, list[Path]] = {start: [Path((start,), start.adjoint)]}
    ways = dict.fromkeys(between, 0)  # how many paths lead there
    ways[start] = 1
    for consumer in reversed(graph.quantities):
        if consumer is q or consumer not in between or consumer.op is None:
            continue
        kept = _largest(carried.pop(consumer, []), k)
        for i, x in enumerate(consumer.inputs):
            if isinstance(x, Quantity) and x in between and consumer.op.rule.depends_on(i):
                ways[x] += ways[consumer]
                found = [Path((x, *path.quantities), graph.carried(consumer, i, path.value)) for path in kept]
                carried.setdefault(x, []).extend(found)
    largest = _largest(carried.get(q, []), k)
    complete = ways[q] == len(largest)
    total = sum((path.value for path in largest), start=np.zeros_like(q.adjoint))
    remainder = np.zeros_like(q.adjoint)[()] if complete else q.adjoint - total
    if type(q.node._value) is float:
        largest = [Path(path.quantities, float(path.value)) for path in largest]
        remainder = float(remainder)
    return Paths(tuple(largest), remainder, complete)


def _largest(found: list[Path], k: int) -> list[Path]:
    return heapq.nlargest(k, found, key=_size)


def _size(path: Path) -> float:
    """The norm of what a path carries; what is not finite counts as largest."""
    with np.errstate(all="ignore"):
        size = float(np.sqrt(np.sum(np.square(path.value))))
    return size if size == size else np.inf


def _downstream(q: Quantity) -> set[Quantity]:
    """A quantity and all that the output uses it through."""
    found = {q}
    stack = [q]
    while stack:
        for term in stack.pop().terms:
            if term.consumer not in found:
                found.add(term.consumer)
                stack.append(term.consumer)
    return found

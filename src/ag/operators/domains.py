"""Where tests look: samples of an operator's domain."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

Interval = tuple[float, float]
if TYPE_CHECKING:  # np.random is slow to import
    Samples = Callable[[np.random.Generator], list[tuple[tuple[Any, ...], dict[str, Any]]]]

REAL: Interval = (-2.0, 2.0)
POSITIVE: Interval = (0.3, 3.0)
UNIT: Interval = (-0.9, 0.9)  # inside (-1, 1)
ABOVE_ONE: Interval = (1.2, 4.0)

# Every way that shapes broadcast, and an empty one.
ONE = (((),), ((3,),), ((2, 3),), ((0,),))
TWO = (((), ()), ((2, 3), (3,)), ((3,), (2, 3)), ((1, 3), (2, 1)), ((), (3,)), ((3,), ()), ((0,), (1,)))
THREE = (((), (), ()), ((2, 3), (2, 3), (3,)), ((3,), (2, 1), ()), ((2, 1), (), (1, 3)), ((0,), (0,), (1,)))


def on(*domains: Interval) -> Samples:
    """Samples of elementwise operators: every broadcast pair, uniform in the intervals."""
    shapes = (ONE, TWO, THREE)[len(domains) - 1]
    return lambda rng: [
        (tuple(rng.uniform(*domain, shape) for domain, shape in zip(domains, case, strict=True)), {})
        for case in shapes
    ]


def apart(*offsets: float) -> Samples:
    """Samples of operators that compare their arguments: both orders occur, and nothing is close to a tie.

    Each argument lies within 0.08 of a half-integer multiple plus its own offset."""
    shapes = (ONE, TWO, THREE)[len(offsets) - 1]

    def argument(rng: np.random.Generator, offset: float, shape: tuple[int, ...]) -> Any:
        return rng.integers(-3, 4, shape) / 2 + offset + rng.uniform(-0.08, 0.08, shape)

    return lambda rng: [
        (tuple(argument(rng, offset, shape) for offset, shape in zip(offsets, case, strict=True)), {})
        for case in (*shapes, *([(3, 4)] * len(offsets),))
    ]


def arrays(*cases: tuple[Any, dict[str, Any]], domain: Interval = REAL) -> Samples:
    """Samples of operators with parameters: each case is (shape or shapes, params)."""

    def samples(rng: np.random.Generator) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        result = []
        for shapes, params in cases:
            many = shapes if shapes and isinstance(shapes[0], tuple) else (shapes,)
            result.append((tuple(distinct(rng, domain, shape) for shape in many), params))
        return result

    return samples


def sequences(*cases: tuple[Any, dict[str, Any]]) -> Samples:
    """As `arrays`, for functions that take one sequence of arrays."""
    plain = arrays(*cases)
    return lambda rng: [((list(args),), params) for args, params in plain(rng)]


def distinct(rng: np.random.Generator, domain: Interval, shape: tuple[int, ...]) -> Any:
    """Numbers in the interval, no two closer than a finite difference reaches: no ties by accident."""
    size = int(np.prod(shape))
    grid = np.linspace(*domain, size + 2)[1:-1]
    width = (domain[1] - domain[0]) / (size + 1)
    return rng.permutation(grid + rng.uniform(-0.2, 0.2, size) * width).reshape(shape)

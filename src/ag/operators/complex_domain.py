"""The functions of ``np.lib.scimath``: where a real argument lies outside the real domain, the result is complex."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .batching import known_examples
from .domains import POSITIVE, UNIT, arrays
from .elementwise import acos, asin, atanh, log, log2, log10, power, sqrt
from .joining import as_array
from .rules import float_of, is_complex
from .shaping import astype
from .table import compose

WHERE_NEEDED = "of real numbers the result is complex, all of it, if one of them is outside the real domain."


def _extended(name: str, x: Any, outside: Callable[[Any], Any]) -> Any:
    """x, as complex numbers if some are outside the real domain."""
    x = as_array(x)
    x = astype(x, float_of(x))
    if is_complex(x):
        return x
    examples = known_examples(f"lib.scimath.{name}", "it with x.astype(complex)", x)
    if not any(np.any(outside(value)) for value in examples):
        return x
    return astype(x, np.result_type(float_of(x), np.complex64))


def _negative(x: Any) -> Any:
    return x < 0


def _beyond_one(x: Any) -> Any:
    return np.abs(x) > 1


def _of_scimath(name: str, function: Callable[..., Any], outside: Callable[[Any], Any], inside: Any, beyond: Any) -> Any:
    f = getattr(np.lib.scimath, name)

    def samples(rng: Any) -> Any:
        shapes: Any = (((3,), {}), ((2, 2), {}), ((), {}))
        return [*arrays(*shapes, domain=inside)(rng), *arrays(*shapes, domain=beyond)(rng)]

    @compose(f"scimath_{name}", numpy=(f,), convention=WHERE_NEEDED, samples=samples)
    def extended(x: Any) -> Any:
        return function(_extended(name, x, outside))

    extended.__doc__ = f"np.{name} of real and complex numbers, as np.lib.scimath.{name}: {WHERE_NEEDED}"
    return extended


NEGATIVE, BEYOND = (-3.0, -0.5), (1.2, 3.0)
SCIMATH = {
    **{name: _of_scimath(name, f, _negative, POSITIVE, NEGATIVE) for name, f in (
        ("sqrt", sqrt), ("log", log), ("log2", log2), ("log10", log10))},
    **{name: _of_scimath(name, f, _beyond_one, UNIT, BEYOND) for name, f in (
        ("arccos", acos), ("arcsin", asin), ("arctanh", atanh))},
}  # fmt: skip


@compose("scimath_logn", numpy=(np.lib.scimath.logn,), convention=WHERE_NEEDED, samples=lambda rng: [
    ((rng.uniform(2, 3), rng.uniform(1, 3, 3)), {}), ((rng.uniform(2, 3), rng.uniform(-3, -1, 3)), {}),
])  # fmt: skip
def logn(n: Any, x: Any) -> Any:
    """The logarithm of x to the base n, of real and complex numbers."""
    return log(_extended("logn", x, _negative)) / log(_extended("logn", n, _negative))


@compose("scimath_power", numpy=(np.lib.scimath.power,), convention=WHERE_NEEDED, samples=lambda rng: [
    ((rng.uniform(0.5, 2, 3), rng.uniform(1, 2)), {}), ((rng.uniform(-2, -0.5, 3), rng.uniform(1, 2, 3)), {}),
])  # fmt: skip
def scimath_power(x: Any, p: Any) -> Any:
    """x to the power p, of real and complex numbers."""
    return power(_extended("power", x, _negative), p)

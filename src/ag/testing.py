"""Checks of derivatives against finite differences: for this library's rows, and for people's own functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .operators.rules import shape_of, value_of
from .transforms.containers import leaves, rebuilt
from .transforms.forward import jvp
from .transforms.reverse import vjp

STEP = 1e-3  # of fourth-order differences in float64: truncation h⁴ and rounding ε/h balance near here


def check_grads(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    order: int = 2,
    modes: Sequence[str] = ("rev", "fwd"),
    *,
    rtol: float = 1e-6,
    atol: float = 1e-8,
) -> None:
    """Compare ∂f/∂x · t with (8 (f(x+ht) - f(x-ht)) - (f(x+2ht) - f(x-2ht))) / 12h, for a random direction t.

    Arguments: ``f``, a function of floats, float64 arrays and containers of them; ``args``, the tuple of its
    arguments, a point where f is smooth; ``order``, up to which derivatives of derivatives are checked;
    ``modes``, of "rev" and "fwd": those to check (from the second order on, every mixture of them); the
    tolerances, for each element.

    Raises AssertionError that names the mode, the order, and the element that is off the most.

    >>> ag.check_grads(lambda x: ag.sin(x) * x, (0.5,))
    """
    if not isinstance(args, tuple):
        raise TypeError("check_grads takes the arguments as a tuple: ag.check_grads(f, (x,))")
    unknown = set(modes) - {"rev", "fwd"}
    if unknown or not modes:
        raise ValueError(f"check_grads: modes are 'rev' and 'fwd', got {modes!r}")
    rng = np.random.default_rng(0)
    _check(f, args, order, tuple(modes), rtol, atol, rng, "")


def _check(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    order: int,
    modes: tuple[str, ...],
    rtol: float,
    atol: float,
    rng: np.random.Generator,
    of: str,
) -> None:
    points = [_double(x) for x in leaves(args)]
    args = rebuilt(args, points)
    directions = [rng.normal(size=shape_of(x)) if shape_of(x) else float(rng.normal()) for x in points]
    tangents = rebuilt(args, directions)
    expected = difference(f, args, directions)

    def push(*xs: Any) -> Any:
        return jvp(f, xs, tangents)[1]

    if "fwd" in modes:
        actual = _flat(push(*args))
        _compare(actual, expected, rtol, atol, f"forward mode{of}")
    y = f(*args)
    weights = rebuilt(y, [rng.normal(size=shape_of(z)) if shape_of(z) else float(rng.normal()) for z in leaves(y)])

    def pull(*xs: Any) -> Any:
        return vjp(f, *xs)[1](weights)

    if "rev" in modes:
        cotangents = leaves(pull(*args))
        actual = np.array([sum(np.vdot(value_of(c), t) for c, t in zip(cotangents, directions, strict=True))])
        scalar = np.array([np.vdot(_flat(weights), expected)])
        _compare(actual, scalar, rtol, atol, f"reverse mode{of}")
    if order > 1:
        for mode, derivative in (("fwd", push), ("rev", pull)):
            if mode in modes:
                name = {"fwd": "forward", "rev": "reverse"}[mode]
                _check(derivative, args, order - 1, modes, rtol, atol, rng, f" of {name} mode{of}")


def difference(f: Callable[..., Any], args: tuple[Any, ...], directions: list[Any], step: float = STEP) -> Any:
    """The derivative of f along the directions by fourth-order central differences, flat."""
    points = leaves(args)

    def at(h: float) -> Any:
        return _flat(f(*rebuilt(args, [x + h * t for x, t in zip(points, directions, strict=True)])))

    return (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)


def _double(x: Any) -> Any:
    if isinstance(x, (float, int)) and not isinstance(x, np.generic):
        return float(x)
    return np.asarray(x, dtype=float)


def _flat(y: Any) -> Any:
    parts = [np.ravel(value_of(z)) for z in leaves(y)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _compare(actual: Any, expected: Any, rtol: float, atol: float, what: str) -> None:
    error = np.abs(actual - expected)
    allowed = atol + rtol * np.abs(expected)
    bad = ~(error <= allowed)  # nan is bad, too
    if bad.any():
        worst = int(np.argmax(np.where(np.isnan(error), np.inf, error / allowed)))
        raise AssertionError(
            f"{what} is off in {int(bad.sum())} of {bad.size} elements; the worst is element {worst}: "
            f"the rule gives {actual[worst]:.12g}, differences {expected[worst]:.12g}"
        )

"""Differences, sums over intervals, and interpolation: numerical calculus, linear in the values."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..node import Operand, describe
from .axes import one_axis
from .batching import all_examples
from .domains import POSITIVE, arrays, distinct
from .elementwise import remainder, where
from .joining import as_array, concat
from .reductions import sum
from .rules import everywhere, float_of, numbers_of, shape_of
from .selecting import take
from .shaping import astype, broadcast_to, moveaxis, reshape
from .steps import equal, greater, isnan, less, logical_and, logical_not, logical_or, not_equal
from .table import compose, plainly

__all__ = [
    "diff", "ediff1d", "gradient", "interp", "trapezoid",
]


@compose("diff", numpy=(np.diff,), samples=lambda rng: [
    *arrays(((5,), {}), ((5,), {"n": 2}), ((2, 3), {"axis": 0}), ((3,), {"n": 0}))(rng),
    ((rng.normal(size=(2, 3)), 1, -1, rng.normal(size=(2, 2)), rng.normal()), {}),
])  # fmt: skip
def diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """yₖ = xₖ₊₁ - xₖ along ``axis``, n times; before, ``prepend`` and ``append`` are put at the ends.

    >>> ag.diff(ag.Tensor([1.0, 4.0, 9.0])).value
    array([3., 5.])
    """
    if n < 0:
        raise ValueError(f"diff: the order n is a natural number, got {n}")
    x = as_array(x)
    if not n:
        return x
    axis = one_axis(axis, len(shape_of(x)), x)
    line = moveaxis(x, axis, -1)
    ends: list[Any] = []
    for end in (prepend, append):
        if not isinstance(end, Operand) and (end is None or end is np._NoValue):
            ends.append([])
            continue
        end = as_array(end)
        ends.append([moveaxis(end, axis, -1) if shape_of(end) else broadcast_to(end, (*shape_of(line)[:-1], 1))])
    if ends[0] or ends[1]:
        line = concat([*ends[0], line, *ends[1]], -1)
    for _ in range(n):
        later, sooner = line[..., 1:], line[..., :-1]
        line = not_equal(later, sooner) if numbers_of(line) == "b" else later - sooner
    return moveaxis(line, -1, axis)


@compose("ediff1d", numpy=(np.ediff1d,), samples=lambda rng: [
    ((rng.normal(size=(2, 2)),), {}), ((rng.normal(size=3), rng.normal(size=2), rng.normal()), {}),
])  # fmt: skip
def ediff1d(x: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """yₖ = xₖ₊₁ - xₖ of x flattened, between ``to_begin`` and ``to_end``."""
    line = reshape(as_array(x), -1)
    parts = [None if part is None else reshape(as_array(part), -1) for part in (to_begin, line[1:] - line[:-1], to_end)]
    return concat([part for part in parts if part is not None])


def _spacings(varargs: tuple[Any, ...], x: Any, axes: tuple[int, ...]) -> list[Any]:
    """For each axis one number, or the differences of its coordinates."""
    given = [v if isinstance(v, (float, int)) else as_array(v) for v in varargs or (1.0,)]
    if len(given) == 1 and not shape_of(given[0]):
        given = given * len(axes)
    if len(given) != len(axes):
        raise TypeError(f"gradient: {len(given)} spacings for {len(axes)} axes: give one number, or one for each axis")
    result: list[Any] = []
    v: Any
    for v, axis in zip(given, axes, strict=True):
        if shape_of(v):
            if shape_of(v) != (shape_of(x)[axis],):
                raise ValueError(
                    f"gradient: coordinates of shape {shape_of(v)} along axis {axis} of {describe(x)}: give one for each point"
                )
            v = v[1:] - v[:-1]
        result.append(v)
    return result


def _samples_of_gradient(rng):
    steps = distinct(rng, POSITIVE, (4,))
    return [
        *arrays(((5,), {}), ((3, 4), {}), ((3, 4), {"axis": 1}), ((4,), {"edge_order": 2}))(rng),
        ((rng.normal(size=5), np.cumsum([0, *steps])), {}), ((rng.normal(size=5), np.cumsum([0, *steps])), {"edge_order": 2}),
        ((rng.normal(size=(3, 4)), 0.5, 2.0), {}), ((rng.normal(size=(3, 4)), 0.5), {"axis": 0, "edge_order": 2}),
    ]


@compose("gradient", numpy=(np.gradient,), samples=_samples_of_gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """∂f/∂x on a grid by central differences, one-sided at the ends: of second order inside, of ``edge_order`` there.

    ``varargs``: the spacing, one number or one for each axis, or the coordinates along each axis. Returns an array, or a tuple
    with one for each axis. For the derivative of a function there is ``ag.grad``.
    """
    f = as_array(f)
    if numbers_of(f) in "iu":
        f = astype(f, float)
    ndim = len(shape_of(f))
    chosen = range(ndim) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(one_axis(a, ndim, f) for a in chosen)
    if edge_order not in (1, 2):
        raise ValueError(f"gradient: edge_order is 1 or 2, got {edge_order}")
    results = []
    for a, h in zip(axes, _spacings(varargs, f, axes), strict=True):
        if shape_of(f)[a] < edge_order + 1:
            raise ValueError(f"gradient: axis {a} of {describe(f)} has fewer than {edge_order + 1} points")
        y = moveaxis(f, a, -1)
        results.append(moveaxis(_slopes(y, h, edge_order), -1, a))
    return results[0] if len(axes) == 1 else tuple(results)


def _slopes(y: Any, h: Any, edge_order: int) -> Any:
    """The differences along the last axis; with different spacings, the slope of the parabola through three points."""
    even = not shape_of(h)
    first, last = (h, h) if even else (h[0], h[-1])
    steps = y[..., 1:] - y[..., :-1]
    slopes = steps / h
    if shape_of(y)[-1] == 2:
        return concat([slopes, slopes], -1)
    if even:
        inside = (y[..., 2:] - y[..., :-2]) / (2 * h)
    else:
        left, right = h[:-1], h[1:]
        inside = (slopes[..., :-1] * right + slopes[..., 1:] * left) / (left + right)
    begin, end = slopes[..., :1], slopes[..., -1:]
    if edge_order == 2:
        second, before = (h, h) if even else (h[1], h[-2])
        begin = begin + (begin - slopes[..., 1:2]) * (first / (first + second))
        end = end + (end - slopes[..., -2:-1]) * (last / (last + before))
    return concat([begin, inside, end], -1)


@compose("trapezoid", numpy=(np.trapezoid,), samples=lambda rng: [
    *arrays(((4,), {}), ((2, 3), {"axis": 0}), ((2, 3), {"dx": 0.5}))(rng),
    ((rng.normal(size=4), np.sort(rng.normal(size=4))), {}), ((rng.normal(size=(3, 2)), np.sort(rng.normal(size=3)), 1.0, 0), {}),
    ((rng.normal(size=(2, 3)), np.sort(rng.normal(size=(2, 3)))), {}),
])  # fmt: skip
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Σ (xₖ₊₁ - xₖ) (yₖ + yₖ₊₁) / 2 along ``axis``: the integral by the trapezoidal rule."""
    y = as_array(y)
    axis = one_axis(axis, len(shape_of(y)), y)
    if x is not None:
        x = as_array(x)
        dx = diff(x) if len(shape_of(x)) == 1 else moveaxis(diff(x, axis=axis), axis, -1)
    y = moveaxis(y, axis, -1)
    return sum(dx * (y[..., 1:] + y[..., :-1]) / 2.0, -1)


def _samples_of_interp(rng):
    x, xp = np.array([0.2, 1.7, 3.3]) + rng.uniform(-0.1, 0.1, 3), np.array([0.0, 1.0, 2.5, 4.0])
    return [
        ((x, xp, rng.normal(size=4)), {}), ((float(x[1]), xp, rng.normal(size=4)), {}),
        ((np.array([-1.0, 0.5, 5.0]), xp, rng.normal(size=4)), {}),
        ((np.array([-1.0, 0.5, 5.0]), xp, rng.normal(size=4), rng.normal(), rng.normal()), {}),
        ((np.array([[-1.0, 0.5], [3.3, 9.2]]), np.array([2.0, 0.1, 1.0]), rng.normal(size=3)), {"period": 4.0}),
    ]


@compose("interp", numpy=(np.interp,), samples=_samples_of_interp,
         convention="at a knot the slope is that of the interval to its right; outside it is 0.")  # fmt: skip
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: float | None = None) -> Any:
    """The value at x of the broken line through the points (xp, fp), xp rising; outside ``left`` or ``right`` (the last value).

    With derivatives with respect to x, xp, fp, left and right.

    >>> ag.grad(np.interp)(0.5, np.array([0.0, 1.0]), np.array([10.0, 13.0]))
    3.0
    """
    xp, fp = as_array(xp), as_array(fp)
    xp, fp = (astype(z, np.result_type(float_of(z), np.float64)) for z in (xp, fp))  # as NumPy does
    if len(shape_of(xp)) != 1 or shape_of(xp) != shape_of(fp) or not shape_of(xp)[0]:
        raise ValueError(f"interp needs knots and values of one length, got {describe(xp)} and {describe(fp)}")
    if period is not None:
        x, xp = remainder(x, period), remainder(xp, period)
        order = plainly(np.argsort, xp)
        xp, fp = take(xp, order, 0), take(fp, order, 0)
        xp = concat([xp[-1:] - period, xp, xp[:1] + period])
        fp = concat([fp[-1:], fp, fp[:1]])
    n = shape_of(xp)[0]
    i = plainly(lambda x, xp: np.clip(np.searchsorted(xp, x, side="right") - 1, 0, max(n - 2, 0)), x, xp)
    j = np.minimum(i + 1, n - 1)
    left_x, left_f, right_x, right_f = take(xp, i, 0), take(fp, i, 0), take(xp, j, 0), take(fp, j, 0)
    width = right_x - left_x
    apart = not_equal(width, 0)
    slope = where(apart, (right_f - left_f) / where(apart, width, 1.0), 0.0)
    inside = left_f + slope * (x - left_x)
    lost = logical_and(isnan(inside), logical_not(isnan(x)))  # of values that are not finite
    if not all(map(everywhere, all_examples(logical_not(lost)))):
        on_line = where(logical_or(equal(x, left_x), equal(left_f, right_f)), left_f, right_f + slope * (x - right_x))
        inside = where(lost, where(equal(x, right_x), right_f, on_line), inside)
    if period is not None:
        return inside
    return where(
        less(x, xp[0]), fp[0] if left is None else left, where(greater(x, xp[-1]), fp[-1] if right is None else right, inside)
    )

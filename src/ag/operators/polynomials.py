"""Polynomials as vectors of coefficients, from the highest power down."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..node import Operand, describe
from .building import vander
from .domains import REAL, arrays, distinct
from .elementwise import sqrt
from .joining import as_array, concat
from .reductions import sum
from .rules import float_of, shape_of, value_of, zero_of
from .shaping import astype, reshape
from .signals import convolve
from .solving import inv, lstsq
from .table import compose

__all__ = [
    "poly", "polyadd", "polyder", "polydiv", "polyfit", "polyint", "polymul", "polysub", "polyval",
]


def _coefficients(p: Any) -> Any:
    if isinstance(p, np.poly1d):
        p = p.coeffs
    p = as_array(p)
    if len(shape_of(p)) > 1:
        raise ValueError(f"a polynomial is a vector of coefficients, from the highest power down; got {describe(p)}")
    return reshape(p, -1)


@compose("polyval", numpy=(np.polyval,), samples=arrays((((3,), (4,)), {}), (((3,), ()), {}), (((1,), (2, 2)), {})))
def polyval(p: Any, x: Any) -> Any:
    """p₁ xⁿ + ... + pₙ x + pₙ₊₁, by Horner's scheme.

    >>> ag.grad(np.polyval, argnums=1)(np.array([1.0, 0.0, 5.0]), 3.0)
    6.0
    """
    p = _coefficients(p)
    x = x if isinstance(x, (Operand, float, int)) else as_array(x)
    y = zero_of(x) * x
    for i in range(shape_of(p)[0]):
        y = y * x + p[i]
    return y


def _padded(p: Any, n: int) -> Any:
    return concat([np.zeros(n - shape_of(p)[0], value_of(p).dtype), p]) if n > shape_of(p)[0] else p


def _sum_of(p: Any, q: Any, sign: int) -> Any:
    p, q = _coefficients(p), _coefficients(q)
    n = max(shape_of(p)[0], shape_of(q)[0])
    return _padded(p, n) + _padded(q, n) if sign > 0 else _padded(p, n) - _padded(q, n)


PAIRS = arrays((((3,), (2,)), {}), (((2,), (4,)), {}))


@compose("polyadd", numpy=(np.polyadd,), samples=PAIRS)
def polyadd(a1: Any, a2: Any) -> Any:
    """The sum of two polynomials."""
    return _sum_of(a1, a2, 1)


@compose("polysub", numpy=(np.polysub,), samples=PAIRS)
def polysub(a1: Any, a2: Any) -> Any:
    """The difference of two polynomials."""
    return _sum_of(a1, a2, -1)


@compose("polymul", numpy=(np.polymul,), samples=PAIRS)
def polymul(a1: Any, a2: Any) -> Any:
    """The product of two polynomials."""
    return convolve(_coefficients(a1), _coefficients(a2))


@compose("polydiv", numpy=(np.polydiv,), samples=PAIRS)
def polydiv(u: Any, v: Any) -> Any:
    """(q, r) with u = q v + r, r of lower degree than v."""
    u, v = (z + 0.0 for z in (_coefficients(u), _coefficients(v)))
    m, n = shape_of(u)[0], shape_of(v)[0]
    zero = np.zeros(1, np.result_type(float_of(u), float_of(v)))
    if m < n:
        return zero, u
    quotient = []
    rest = u
    for _ in range(m - n + 1):
        q = rest[0] / v[0]
        quotient.append(q)
        rest = concat([rest[1:n] - q * v[1:], rest[n:]]) if n > 1 else rest[1:]
    return as_array(quotient), rest if shape_of(rest)[0] else zero


@compose("polyder", numpy=(np.polyder,), samples=arrays(((4,), {}), ((4,), {"m": 2}), ((2,), {"m": 3})))
def polyder(p: Any, m: int = 1) -> Any:
    """The coefficients of the m-th derivative of a polynomial."""
    if m < 0:
        raise ValueError(f"polyder: the order m is a natural number, got {m}; np.polyint integrates")
    p = _coefficients(p)
    for _ in range(m):
        p = p[:-1] * np.arange(shape_of(p)[0] - 1, 0, -1)
    return p


@compose("polyint", numpy=(np.polyint,), samples=lambda rng: [
    *arrays(((3,), {}), ((3,), {"m": 2}))(rng), ((rng.normal(size=2), 2, rng.normal(size=2)), {}),
])  # fmt: skip
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """The coefficients of the m-th antiderivative of a polynomial, with the constants of integration k (0)."""
    if m < 0:
        raise ValueError(f"polyint: the order m is a natural number, got {m}; np.polyder differentiates")
    p = _coefficients(p)
    constants = np.zeros(m) if k is None else reshape(as_array(k), -1)
    if shape_of(constants)[0] == 1 and m > 1:
        constants = concat([constants] * m)
    if shape_of(constants)[0] < m:
        raise ValueError(f"polyint: k holds {shape_of(constants)[0]} constants of integration for {m} integrations")
    for i in range(m):
        p = concat([p / np.arange(shape_of(p)[0], 0, -1), reshape(constants[i], 1)])
    return p


@compose("poly", numpy=(np.poly,), samples=arrays(((3,), {}), ((1,), {})))
def poly(seq_of_zeros: Any) -> Any:
    """The coefficients of the polynomial with the given zeros and the leading coefficient 1."""
    zeros = as_array(seq_of_zeros)
    if len(shape_of(zeros)) == 2:
        raise ValueError(
            f"poly of a matrix has no rule, got {describe(zeros)}: give its eigenvalues, np.poly(np.linalg.eigvalsh(A))"
        )
    dtype = np.dtype(np.mintypecode(value_of(zeros).dtype.char))  # as NumPy does
    p, zeros = np.ones(1, dtype), astype(zeros, dtype)
    for i in range(shape_of(zeros)[0]):
        p = convolve(p, concat([np.ones(1, dtype), reshape(-zeros[i], 1)]))
    return p


def _points(rng):
    """Points near parabolas, of which none has a coefficient near 0."""
    result = []
    for columns, params in (((), {}), ((2,), {}), ((), {"w": np.arange(1.0, 7.0)}), ((), {"cov": True}), ((), {"full": True})):
        x = distinct(rng, REAL, (6,))
        result.append(((x, np.vander(x, 3) @ rng.uniform(1, 2, (3, *columns)) + 0.1 * rng.normal(size=(6, *columns)), 2), params))
    return result


@compose("polyfit", numpy=(np.polyfit,), samples=_points)
def polyfit(x: Any, y: Any, deg: int, rcond: float | None = None, full: bool = False, w: Any = None, cov: Any = False) -> Any:
    """The coefficients of the polynomial of degree ``deg`` that is closest to the points (x, y), by least squares.

    ``w`` weighs the residuals. ``full``: with the sum of their squares, rank, singular values, rcond; ``cov``: with the
    covariances of the coefficients, scaled by χ² per degree of freedom (not if ``"unscaled"``).
    """
    x, y = as_array(x), as_array(y)
    order = int(deg) + 1
    n = shape_of(x)[0]
    if len(shape_of(x)) != 1 or shape_of(y)[0] != n or len(shape_of(y)) > 2:
        raise ValueError(f"polyfit takes a vector x and as many y (or rows of y): got {describe(x)} and {describe(y)}")
    rcond = n * float(np.finfo(float_of(x)).eps) if rcond is None else rcond
    columns, values = vander(x, order), y
    if w is not None:
        w = as_array(w)
        columns, values = columns * w[:, None], values * (w[:, None] if len(shape_of(y)) == 2 else w)
    scale = sqrt(sum(columns * columns, 0))
    columns = columns / scale
    c, residuals, rank, s = lstsq(columns, values, rcond)
    c = c / (scale[:, None] if len(shape_of(y)) == 2 else scale)
    if full:
        return c, residuals, rank, s, rcond
    if not cov:
        return c
    base = inv(columns.T @ columns) / (scale[:, None] * scale)
    if str(cov) != "unscaled":
        if n <= order:
            raise ValueError(
                f"polyfit: {n} points are too few for the covariance of {order} coefficients: give more, or cov='unscaled'"
            )
        factor = residuals / (n - order)
        base = base[..., None] * factor if len(shape_of(y)) == 2 else base * factor
    return c, base

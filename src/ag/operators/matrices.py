"""Norms of every order, condition numbers, and the trace and diagonal of a stack of matrices, as ``numpy.linalg`` has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .axes import Axis, normalized, one_axis
from .batching import leading
from .building import cross
from .dense import SQUARE, conj, matrices, matrix, spread
from .domains import POSITIVE, arrays
from .elementwise import absolute, power, where
from .joining import as_array
from .products import outer
from .reductions import along, max, min, norm, sum
from .rules import Reduction, is_complex, numbers_of, shape_of
from .selecting import diagonal
from .shaping import astype, expand_dims, moveaxis
from .solving import inv
from .spectra import svdvals
from .steps import equal, not_equal, sign
from .table import compose, constant_of, row

INF = np.inf

# ---------------------------------------------------------------------- norms


def _p_norm(x, axis, keepdims, ord):
    size = np.abs(x)
    scale = np.max(size, axis=axis, keepdims=True, initial=0)
    scale = np.where((scale > 0) & np.isfinite(scale) & (ord > 0), scale, 1).astype(size.dtype)
    with np.errstate(divide="ignore"):  # 0 to a negative power is inf, and the norm 0
        result = np.sum((size / scale) ** ord, axis=axis, keepdims=True) ** (1 / ord) * scale
    return result if keepdims else np.squeeze(result, axis)[()]


def _p_norm_weights(ans, x, axis, keepdims, ord):
    """|x|′ (|x| / ‖x‖)^(p-1), and 0 where the norm is 0."""
    zero = equal(ans, 0)
    size = absolute(x)
    direction = conj(x) / where(equal(size, 0), 1.0, size) if is_complex(x) else sign(x)
    return where(zero, 0.0, direction * power(size / where(zero, 1.0, ans), ord - 1))


@row(
    "p_norm", _p_norm, Reduction(_p_norm_weights), complex=True, batch=leading,
    samples=lambda rng: [
        (args, {**params, "ord": p})
        for p in (3.0, 1.5, -1.0) for args, params in arrays(((3,), {}), ((2, 3), {"axis": 0, "keepdims": True}))(rng)
    ],
    convention="the gradient at 0, where the norm has a kink, is 0.",
)
def p_norm(x: Any, /, axis: Axis = None, *, ord: float = 2.0, keepdims: bool = False) -> Any:
    """(Σ |x|ᵖ)^(1/p) over ``axis``, without overflow."""
    inputs, params = along(x, axis, keepdims)
    return inputs, {**params, "ord": float(ord)}


def _orders(*orders: Any, cases: Any) -> Any:
    """Samples away from 0, with both signs."""
    positive = arrays(*cases, domain=POSITIVE)
    return lambda rng: [
        ((x * rng.choice((-1, 1), x.shape),), {**params, "ord": ord}) for ord in orders for (x,), params in positive(rng)
    ]


@compose("vector_norm", numpy=(np.linalg.vector_norm,), convention="the gradient at 0, where the norm has a kink, is 0.",
         samples=_orders(1, 2, 3, 0.5, INF, -INF, cases=(((3,), {}), ((2, 3), {"axis": 1}), ((2, 3), {"keepdims": True}))))
def vector_norm(x: Any, /, *, axis: Axis = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """(Σ |x|ᵖ)^(1/p) over ``axis`` (None: over all), p = ``ord``; of inf max |x|, of -inf min |x|, of 0 how many are not 0."""
    x = as_array(x)
    if numbers_of(x) in "biu":
        x = astype(x, float)
    if ord in (None, 2):
        return norm(x, axis, keepdims=keepdims)
    if ord == 1:
        return sum(absolute(x), axis, keepdims=keepdims)
    if ord in (INF, -INF):
        return (max if ord > 0 else min)(absolute(x), axis, keepdims=keepdims)
    if ord == 0:
        return sum(astype(not_equal(x, 0), absolute(x).dtype), axis, keepdims=keepdims)
    if not isinstance(ord, (int, float, np.number)):
        raise ValueError(f"the order of the norm of vectors is a number, got {ord!r}; 'fro' and 'nuc' are norms of matrices")
    return p_norm(x, axis, ord=ord, keepdims=keepdims)


def _of_two_axes(x: Any, row_axis: int, column_axis: int, ord: Any, keepdims: bool) -> Any:
    """A norm of the matrices in two axes."""
    line = moveaxis(x, (row_axis, column_axis), (-2, -1))
    if ord in ("fro", None):
        result = norm(line, (-2, -1))
    elif ord in ("nuc", 2, -2):
        s = svdvals(line)
        result = sum(s, -1) if ord == "nuc" else s[..., 0 if ord == 2 else -1]
    elif ord in (1, -1, INF, -INF):
        sums = sum(absolute(line), -2 if ord in (1, -1) else -1)
        result = (max if ord > 0 else min)(sums, -1)
    else:
        raise ValueError(f"the order of the norm of a matrix is 'fro', 'nuc', 1, -1, 2, -2, inf or -inf; got {ord!r}")
    return expand_dims(result, sorted((row_axis, column_axis))) if keepdims else result


ORDERS = ("fro", "nuc", 1, -1, 2, -2, INF, -INF)


def _spread_orders(*cases: Any) -> Any:
    return lambda rng: [((spread(rng, shape),), {**params, "ord": ord}) for ord in ORDERS for shape, params in cases]


@compose("matrix_norm", numpy=(np.linalg.matrix_norm,), samples=_spread_orders(((3, 3), {}), ((2, 3, 2), {"keepdims": True})))
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """A norm of matrices: "fro" √Σ|x|², "nuc" Σ s, 2 the largest singular value, 1 the largest sum of a column, inf of a row.

    -2, -1 and -inf are the smallest ones.
    """
    x = matrix(x, "matrix_norm")
    ndim = len(shape_of(x))
    return _of_two_axes(x, ndim - 2, ndim - 1, ord, keepdims)


def norm_of_order(x: Any, ord: Any, axis: Axis, keepdims: bool) -> Any:
    """np.linalg.norm: of one axis a norm of vectors, of two a norm of matrices."""
    x = as_array(x)
    ndim = len(shape_of(x))
    axes = normalized(axis, x)
    if len(axes) == 1:
        return vector_norm(x, axis=axes[0], keepdims=keepdims, ord=ord)
    if len(axes) != 2:
        raise ValueError(f"norm: of {len(axes)} axes only the order None is defined, √Σ|x|², not {ord!r}: give one or two axes")
    first, second = (one_axis(a, ndim, x) + ndim for a in (axis if isinstance(axis, (tuple, list)) else axes))
    return _of_two_axes(x, first, second, ord, keepdims)


@compose("cond", numpy=(np.linalg.cond,), samples=lambda rng: [
    ((spread(rng, shape),), {"p": p})
    for shape, p in (((3, 3), None), ((3, 2), None), ((2, 3, 3), -2), ((3, 3), 1), ((3, 3), "fro"))
])  # fmt: skip
def cond(x: Any, p: Any = None) -> Any:
    """The condition number ‖A‖ ‖A⁻¹‖ in the norm of order p (None: 2, the largest singular value over the smallest)."""
    x = matrix(x, "cond")
    if p in (None, 2, -2):
        s = svdvals(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    ndim = len(shape_of(x))
    return _of_two_axes(x, ndim - 2, ndim - 1, p, False) * _of_two_axes(inv(x), ndim - 2, ndim - 1, p, False)


matrix_rank = constant_of("matrix_rank", np.linalg.matrix_rank)

# ---------------------------------------------------------------------- of a stack of matrices

STACKS = matrices(spread, *SQUARE, ((2, 3, 4), {"offset": 1}))


@compose("matrix_diagonal", numpy=(np.linalg.diagonal,), samples=STACKS)
def matrix_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """The elements x[..., i, i + offset] of the last two axes."""
    return diagonal(matrix(x, "diagonal"), offset, -2, -1)


@compose("matrix_trace", numpy=(np.linalg.trace,), samples=STACKS)
def matrix_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """Σ x[..., i, i + offset] of the last two axes."""
    return sum(matrix_diagonal(x, offset=offset), -1, dtype)


@compose("vector_cross", numpy=(np.linalg.cross,), samples=arrays((((3,), (3,)), {}), (((3, 2), (3, 2)), {"axis": 0})))
def vector_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """x₁ × x₂: the vector product of vectors of three elements along ``axis``."""
    return cross(x1, x2, axis=axis)


@compose("vector_outer", numpy=(np.linalg.outer,), samples=arrays((((2,), (3,)), {})))
def vector_outer(x1: Any, x2: Any, /) -> Any:
    """xᵢ yⱼ of two vectors."""
    for x in (x1, x2):
        if len(shape_of(as_array(x))) != 1:
            raise ValueError("outer takes two vectors; np.outer flattens its arguments")
    return outer(as_array(x1), as_array(x2))

"""Rows that reduce or accumulate along axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .axes import Axis, normalized, one_axis
from .batching import leading
from .domains import REAL, arrays, distinct
from .elementwise import absolute, exp, log, sqrt, square, where
from .joining import concat, flip
from .parts import conj
from .rules import Custom, Linear, Reduction, broadcast, everywhere, expanded, is_complex, shape_of, value_of
from .shaping import astype, moveaxis, reshape
from .steps import equal, greater, isfinite, isnan, logical_and
from .table import ANY, ATOM, CALL, compose, constant_of, of_numpy, row

AXES: tuple[Any, ...] = (
    ((), {}), ((3,), {}), ((2, 3), {"axis": 0}), ((2, 3), {"axis": (0, 1)}), ((2, 3, 2), {"axis": (0, -1)}),
    ((2, 3), {"axis": 1, "keepdims": True}),
)
EMPTY = (((0, 3), {"axis": 0}),)


def along(x: Any, axis: Axis, keepdims: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The one input and the parameters that all reductions have."""
    return (x,), {"axis": normalized(axis, x), "keepdims": bool(keepdims)}


def count(x: Any, axis: tuple[int, ...]) -> int:
    """How many elements are reduced to one."""
    shape = shape_of(x)
    return math.prod(shape[i] for i in axis)


def _sum_transpose(g, x, axis, keepdims):
    return broadcast(expanded(g, x, axis, keepdims), shape_of(x))


@row(
    "sum", np.add.reduce, Linear((_sum_transpose,)), numpy=(np.sum,), methods=("sum",), batch=leading,
    symbol="Σ", latex=r"\sum_{{{axis}}} {0}",
    samples=arrays(*AXES, *EMPTY),
)
def sum(x: Any, /, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """Σ x over ``axis`` (None: over all; an integer or several, from the end if negative).

    Returns a node without those axes, or with length 1 there if ``keepdims``.

    >>> ag.sum(ag.Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Tensor([4., 6.], op=sum)
    """
    return along(x if dtype is None else astype(x, dtype), axis, keepdims)


def _mean(x, axis, keepdims):
    if getattr(x, "dtype", None) == np.float16:
        return np.mean(x, axis=axis, keepdims=keepdims)  # which adds up in float32
    return np.add.reduce(x, axis=axis, keepdims=keepdims) / count(x, axis)


@row(
    "mean", _mean, Linear((lambda g, x, axis, keepdims: _sum_transpose(g / count(x, axis), x, axis, keepdims),)),
    numpy=(np.mean,), methods=("mean",), batch=leading, symbol="mean",
    latex=r"\operatorname{{mean}}_{{{axis}}} {0}",
    samples=arrays(*AXES),
)
def mean(x: Any, /, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """(1/n) Σ x over ``axis``: the arithmetic mean of n elements.

    >>> ag.mean(ag.Tensor([1.0, 2.0, 6.0])).value
    np.float64(3.0)
    """
    return along(x if dtype is None else astype(x, dtype), axis, keepdims)


def _prod_weights(ans, x, axis, keepdims):
    """The product of the other elements: ans / x, and without division where some element is 0."""
    if everywhere(value_of(x) != 0):
        return ans / x
    n = count(x, axis)
    rest = [i for i in range(-len(shape_of(x)), 0) if i not in axis]
    lined = reshape(moveaxis(x, axis, tuple(range(-len(axis), 0))), (*(shape_of(x)[i] for i in rest), n))
    before = cumprod(_shifted(lined), -1)
    after = flip(cumprod(_shifted(flip(lined, -1)), -1), -1)
    others = reshape(before * after, (*(shape_of(x)[i] for i in rest), *(shape_of(x)[i] for i in axis)))
    return moveaxis(others, tuple(range(-len(axis), 0)), axis)


def _shifted(x):
    """1 in front of all but the last along the last axis."""
    return concat([np.ones((*shape_of(x)[:-1], 1), value_of(x).dtype), x[..., :-1]], -1)


@row(
    "prod", np.multiply.reduce, Reduction(_prod_weights), complex=True, numpy=(np.prod,), methods=("prod",), symbol="Π",
    latex=r"\prod_{{{axis}}} {0}", samples=arrays(*AXES),
    convention="exact with zeros among the factors: the derivative is the product of the others.",
)
def prod(x: Any, /, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """Π x over ``axis``.

    >>> x = ag.Tensor([2.0, 0.0, 3.0])
    >>> ag.prod(x).backward()
    >>> x.grad
    array([0., 6., 0.])
    """
    return along(x if dtype is None else astype(x, dtype), axis, keepdims)


def _extreme_weights(ans, x, axis, keepdims):
    chosen = equal(x, ans)
    ties = sum(chosen, axis, keepdims=True)
    return where(isnan(x), math.nan, chosen / where(equal(ties, 0), 1, ties))  # none is equal to nan, which has no derivative


@row(
    "max", np.maximum.reduce, Reduction(_extreme_weights, selects=True), numpy=(np.max, np.amax), methods=("max",),
    latex=r"\max_{{{axis}}} {0}", kernel="maximum(x, y)", samples=arrays(*AXES),
    convention="elements that tie for the maximum share the derivative equally; by a nan it is nan.",
)
def max(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """The largest element along ``axis``; nan if one is nan. Raises ValueError for no elements.

    >>> x = ag.Tensor([1.0, 3.0, 3.0])
    >>> ag.max(x).backward()
    >>> x.grad
    array([0. , 0.5, 0.5])
    """
    return along(x, axis, keepdims)


@row(
    "min", np.minimum.reduce, Reduction(_extreme_weights, selects=True), numpy=(np.min, np.amin), methods=("min",),
    latex=r"\min_{{{axis}}} {0}", kernel="minimum(x, y)", samples=arrays(*AXES),
    convention="elements that tie for the minimum share the derivative equally; by a nan it is nan.",
)
def min(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """The smallest element along ``axis``; nan if one is nan. Raises ValueError for no elements."""
    return along(x, axis, keepdims)


def _var(x, axis, keepdims, correction):
    return np.var(x, axis=axis, ddof=correction, keepdims=keepdims)


def _std(x, axis, keepdims, correction):
    return np.std(x, axis=axis, ddof=correction, keepdims=keepdims)


def _centred(x, axis):
    d = x - mean(x, axis, keepdims=True)
    return conj(d) if is_complex(d) else d


def _var_kernel(x, axis, keepdims, correction):
    centred = _centred(x, axis)
    return sum(centred * centred, axis, keepdims=keepdims) / (count(x, axis) - correction)


def _std_kernel(x, axis, keepdims, correction):
    return sqrt(_var_kernel(x, axis, keepdims, correction))


def _with_correction(x, axis, keepdims, correction, ddof):
    inputs, params = along(x, axis, keepdims)
    return inputs, {**params, "correction": correction if ddof is None else ddof}


SPREAD: tuple[Any, ...] = (((4,), {}), ((2, 3), {"axis": 0}), ((2, 3), {"axis": 1, "keepdims": True}), ((4,), {"ddof": 1}))


@row(
    "var", _var,
    Reduction(lambda ans, x, axis, keepdims, correction: _centred(x, axis) * float(np.divide(2, count(x, axis) - correction))),
    complex=True, numpy=(np.var,), methods=("var",), kernel=_var_kernel, samples=arrays(*SPREAD),
)
def var(x: Any, /, axis: Axis = None, *, correction: float = 0, keepdims: bool = False, ddof: float | None = None) -> Any:
    """Σ (x - mean)² / (n - correction) over ``axis``; ``ddof`` is NumPy's name for the correction."""
    return _with_correction(x, axis, keepdims, correction, ddof)


def _std_weights(ans, x, axis, keepdims, correction):
    zero = equal(ans, 0)
    return where(zero, 0.0, _centred(x, axis) / (where(zero, 1.0, ans) * (count(x, axis) - correction)))


@row(
    "std", _std, Reduction(_std_weights), complex=True, numpy=(np.std,), methods=("std",), kernel=_std_kernel,
    samples=arrays(*SPREAD), convention="the gradient at equal elements, where std is 0 and has a kink, is 0.",
)
def std(x: Any, /, axis: Axis = None, *, correction: float = 0, keepdims: bool = False, ddof: float | None = None) -> Any:
    """√var over ``axis``: the standard deviation."""
    return _with_correction(x, axis, keepdims, correction, ddof)


def _logsumexp(x, axis, keepdims):
    x = np.asarray(x)
    if x.dtype.kind != "f":
        x = x.astype(float)  # integers have no -inf
    top = np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(top), top, 0).astype(x.dtype, copy=False)
    with np.errstate(divide="ignore"):  # log 0 = -inf is the answer where all are -inf
        result = np.log(np.add.reduce(np.exp(x - shift), axis=axis, keepdims=True)) + shift
    return result if keepdims else result.reshape([n for i, n in enumerate(x.shape, -x.ndim) if i not in axis])[()]


def _logsumexp_kernel(x, axis, keepdims):
    top = max(x, axis, keepdims=True)
    shift = where(isfinite(top), top, 0.0)
    total = log(sum(exp(x - shift), axis, keepdims=True)) + shift
    return sum(total, axis, keepdims=keepdims)  # of one element


def _logsumexp_weights(ans, x, axis, keepdims):
    """softmax(x), which is 0 for -inf, also where all are -inf."""
    return exp(x - where(isfinite(ans), ans, where(equal(ans, -np.inf), 0.0, ans)))


@row(
    "logsumexp", _logsumexp, Reduction(_logsumexp_weights), methods=("logsumexp",), latex=r"\log \sum_{{{axis}}} e^{{{0}}}",
    precedence=(CALL, ANY), kernel=_logsumexp_kernel, samples=arrays(*AXES),
    convention="-inf stands for a term of 0; of -inf alone the sum is -inf, its gradient 0.",
)
def logsumexp(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """log Σ eˣ over ``axis``, without overflow for any logits.

    >>> ag.logsumexp([1e4, 1e4]).item()
    10000.69314718056
    """
    return along(x, axis, keepdims)


def _norm(x, axis, keepdims):
    x = np.asarray(x)
    top = np.maximum.reduce(np.abs(x), axis=axis, keepdims=True, initial=0)
    scale = np.where(np.isfinite(top) & (top > 0), top, 1).astype(top.dtype, copy=False)
    scaled = np.abs(x / scale) if x.dtype.kind == "c" else x / scale
    result = np.sqrt(np.add.reduce(scaled * scaled, axis=axis, keepdims=True)) * scale
    return result if keepdims else result.reshape([n for i, n in enumerate(x.shape, -x.ndim) if i not in axis])[()]


def _norm_kernel(x, axis, keepdims):
    top = max(absolute(x), axis, keepdims=True)
    scale = where(logical_and(isfinite(top), greater(top, 0)), top, 1.0)
    total = sqrt(sum(square(x / scale), axis, keepdims=True)) * scale
    return sum(total, axis, keepdims=keepdims)  # of one element


def _norm_weights(ans, x, axis, keepdims):
    zero = equal(ans, 0)
    return where(zero, 0.0, (conj(x) if is_complex(x) else x) / where(zero, 1.0, ans))


@row(
    "norm", _norm, Reduction(_norm_weights), complex=True,
    latex=r"\left\|{0}\right\|_{{{axis}}}", precedence=(ATOM, ANY),
    kernel=_norm_kernel, samples=arrays(*AXES), convention="the gradient at 0, where the norm has a kink, is 0.",
)
def norm(x: Any, /, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """√Σ x² over ``axis`` (None: over all), without overflow.

    >>> x = ag.Tensor([0.0, 0.0])
    >>> ag.norm(x).backward()
    >>> x.grad
    array([0., 0.])
    """
    return along(x, axis, keepdims)


@compose("numpy_norm", numpy=(np.linalg.norm,), samples=lambda rng: [
    *arrays(((3,), {}), ((2, 3), {"axis": 1}), ((2, 3), {"ord": "fro"}))(rng), *((
        (distinct(rng, REAL, shape),), {"ord": ord, **params}) for shape, ord, params in (
            ((3,), 3, {}), ((2, 3), 1, {}), ((2, 3), 2, {}), ((2, 3, 2), -np.inf, {"axis": (2, 0), "keepdims": True}))),
])  # fmt: skip
def numpy_norm(x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Any:
    """The norm of vectors along one axis, of matrices in two: of order ``ord``, by default √Σ|x|².

    Of vectors: a number p for (Σ|x|ᵖ)^(1/p), inf, -inf, 0. Of matrices: "fro", "nuc", 1, -1, 2, -2, inf, -inf.
    """
    axes = len(normalized(axis, x))  # of two axes the order 2 is the spectral norm
    if ord is None or (ord == 2 and axes == 1) or (ord == "fro" and axes == 2):
        return norm(x, axis, keepdims=keepdims)
    from .matrices import norm_of_order  # here, as few need it

    return norm_of_order(x, ord, axis, keepdims)


# ---------------------------------------------------------------------- cumulative

CUMULATIVE: tuple[Any, ...] = (((4,), {}), ((2, 3), {"axis": 0}), ((2, 3), {"axis": -1}), ((2, 3), {}))


def _one_line(x: Any, axis: int | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if axis is None:
        x, axis = reshape(x, -1), 0
    return (x,), {"axis": one_axis(axis, len(shape_of(x)), x)}


@row(
    "cumulative_sum", lambda x, axis: np.cumsum(x, axis),
    Linear((lambda g, x, axis: flip(cumsum(flip(g, axis), axis), axis),)), numpy=of_numpy("cumsum", "cumulative_sum"),
    methods=("cumsum",), batch=leading, samples=arrays(*CUMULATIVE),
)
def cumsum(x: Any, /, axis: int | None = None) -> Any:
    """yₖ = x₁ + ... + xₖ along ``axis`` (None: of x flattened)."""
    return _one_line(x, axis)


def _pairs(x):
    """∂yₖ/∂xⱼ of y = cumprod(x) along the last axis, without division: (..., j, k)."""
    n = shape_of(x)[-1]
    j, k = np.arange(n)[:, None], np.arange(n)[None, :]
    between = cumprod(where(k > j, x[..., None, :], 1.0), -1)
    before = cumprod(_shifted(x), -1)
    return where(k >= j, before[..., None] * between, 0.0)


def _cumprod_jvp(tangents, ans, x, axis):
    t = tangents[0]
    if everywhere(value_of(x) != 0):
        return ans * cumsum(t / x, axis)
    x, t = moveaxis(x, axis, -1), moveaxis(t, axis, -1)
    return moveaxis(sum(t[..., None] * _pairs(x), -2), -1, axis)


def _cumprod_vjp(i, g, ans, x, axis):
    if everywhere(value_of(x) != 0):
        return flip(cumsum(flip(g * ans, axis), axis), axis) / x
    x, g = moveaxis(x, axis, -1), moveaxis(g, axis, -1)
    return moveaxis(sum(g[..., None, :] * _pairs(x), -1), -1, axis)


@row(
    "cumulative_prod", lambda x, axis: np.cumprod(x, axis), Custom(_cumprod_jvp, _cumprod_vjp), complex=True,
    numpy=of_numpy("cumprod", "cumulative_prod"), methods=("cumprod",), batch=leading,
    samples=arrays(*CUMULATIVE), convention="exact with zeros among the factors.",
)
def cumprod(x: Any, /, axis: int | None = None) -> Any:
    """yₖ = x₁ · ... · xₖ along ``axis`` (None: of x flattened)."""
    return _one_line(x, axis)


# ---------------------------------------------------------------------- truth

any = constant_of("any", np.any, methods=("any",))
all = constant_of("all", np.all, methods=("all",))

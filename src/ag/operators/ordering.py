"""Order statistics: each result is made of elements at places that the order of the values decides."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..node import Operand, describe
from ..traced import Traced
from .axes import Axis, normalized, one_axis
from .batching import all_examples
from .domains import REAL, arrays, distinct
from .elementwise import where
from .joining import as_array
from .reductions import max, min, sum
from .rules import float_of, holds, numbers_of, shape_of, value_of
from .selecting import sort, take_along_axis
from .shaping import as_tensor, astype, moveaxis, reshape
from .steps import equal, isnan, less
from .table import compose, constant_of, plainly

__all__ = [
    "argpartition", "cumulative_max", "cumulative_min", "median", "nanmedian", "nanpercentile", "nanquantile", "partition",
    "percentile", "ptp", "quantile",
]

AXES: tuple[Any, ...] = (
    ((5,), {}), ((4, 3), {"axis": 0}), ((2, 4), {"axis": 1, "keepdims": True}), ((2, 3, 2), {"axis": (0, -1)}),
)


@compose("ptp", numpy=(np.ptp,), samples=arrays(*AXES))
def ptp(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """max x - min x over ``axis``: the range."""
    return max(x, axis, keepdims=keepdims) - min(x, axis, keepdims=keepdims)


@compose("partition", numpy=(np.partition,), samples=arrays(((4,), {"kth": (0, 1, 2)}), ((2, 3), {"kth": (0, 1), "axis": 1})))
def partition(x: Any, kth: Any, axis: int | None = -1, kind: str = "introselect") -> Any:
    """The elements of x along ``axis``, with that of rank k in its place, smaller ones before, larger ones after it."""
    x = as_array(x)
    if axis is None:
        x, axis = reshape(x, -1), 0
    return take_along_axis(x, argpartition(x, kth, axis=axis), axis)


argpartition = constant_of("argpartition", np.argpartition, methods=("argpartition",))


def _running(name: str, ufunc: np.ufunc, doc: str) -> Any:
    """The running maximum or minimum along an axis."""

    def places(value: Any, axis: int) -> Any:
        shape = [-1 if i == axis % value.ndim else 1 for i in range(value.ndim)]
        order = np.arange(value.shape[axis]).reshape(shape)
        reached = (value == ufunc.accumulate(value, axis)) | np.isnan(value)  # from a nan on all is nan
        return np.maximum.accumulate(np.where(reached, order, 0), axis)

    @compose(name, forward=ufunc.accumulate, samples=arrays(((5,), {"axis": 0}), ((3, 4), {"axis": 1})))
    def running(x: Any, axis: int = 0) -> Any:
        return take_along_axis(x, plainly(places, x, one_axis(axis, len(shape_of(x)), x)), axis)

    running.__doc__ = doc + " At a tie the derivative goes to the last of them."
    return running


cumulative_max = _running("cumulative_max", np.maximum, "yₖ = max(x₁, ..., xₖ) along ``axis``, as np.maximum.accumulate.")
cumulative_min = _running("cumulative_min", np.minimum, "yₖ = min(x₁, ..., xₖ) along ``axis``, as np.minimum.accumulate.")

# ---------------------------------------------------------------------- quantiles


def _lines(x: Any, axis: Axis) -> tuple[Any, tuple[int, ...]]:
    """x with the given axes as one, the last; and the axes."""
    axes = normalized(axis, x)
    shape = shape_of(x)
    x = moveaxis(x, axes, tuple(range(-len(axes), 0)))
    rest = [n for i, n in enumerate(shape, -len(shape)) if i not in axes]
    return reshape(x, (*rest, math.prod(shape[i] for i in axes))), axes


def _ranks(n: Any, q: Any, method: str) -> Any:
    """Where the quantiles stand among n elements in order, from 0, between two of them: NumPy's quantiles of 0, 1, ..."""
    ranks = np.zeros((*n.shape, q.size))
    for m in np.unique(n[n > 0]):
        ranks[n == m] = np.quantile(np.arange(m, dtype=float), np.ravel(q), method=method)  # type: ignore[call-overload]
    return ranks


def _quantile(x: Any, q: Any, axis: Axis, method: str, keepdims: bool, skip: bool) -> Any:
    """The element of a sorted line at a rank, or between its neighbours. ``skip``: of the elements that are not nan."""
    x = as_array(x)
    weak = isinstance(q, float) or (type(q) is Traced and q.weak)
    dtype = np.result_type(float_of(x), 0.5 if weak else float_of(q))
    q = as_tensor(q) if weak and type(q) is Traced else as_array(q)
    line, axes = _lines(x, axis)
    if method in OF_ELEMENTS and numbers_of(x) in "biu":
        dtype = value_of(x).dtype
    missing = isnan(line)
    *lines, length = shape_of(line)
    n = plainly(lambda missing: np.sum(~missing, -1), missing) if skip else np.full(lines, length)
    if not all(holds((q >= 0) & (q <= 1)) for q in all_examples(q)):
        raise ValueError(f"a quantile lies between 0 and 1 (a percentile between 0 and 100), got {describe(q)}")
    if skip and not length:
        return _shaped(_of_nothing(line) + np.zeros((q.size, *(1,) * len(lines))), x, axes, keepdims, shape_of(q))
    if not isinstance(q, Operand) or type(q) is Traced:
        rank = plainly(_ranks, n, q, method)
    elif method == "linear":
        rank = reshape(q, -1) * np.maximum(n - 1, 0)[..., None]
    else:
        raise ValueError(f"quantile: with respect to q only method='linear' has a derivative, not {method!r}: write q.value")
    below = plainly(lambda rank: np.floor(rank).astype(int), rank)
    above = np.minimum(below + 1, np.maximum(n - 1, 0)[..., None])
    line = sort(astype(line, dtype) if numbers_of(line) == "b" else line)
    low = take_along_axis(line, below, -1)
    if dtype.kind in "fc":
        high, part = take_along_axis(line, above, -1), astype(rank - below, dtype)
        between = where(less(part, 0.5), low + (high - low) * part, high - (high - low) * (1 - part))  # as NumPy does
        result = _undefined(between, equal(n, 0) if skip else plainly(_any, missing), dtype)
    else:
        result = low
    return _shaped(moveaxis(result, -1, 0), x, axes, keepdims, shape_of(q))


OF_ELEMENTS = ("lower", "higher", "nearest", "inverted_cdf", "closest_observation")  # methods that choose one, without a mean


def _any(missing: Any) -> Any:
    return missing.any(-1)


def _undefined(result: Any, undefined: Any, dtype: Any) -> Any:
    """The result of each line, times nan where it is undefined: so that the derivative is nan, too."""
    return result * plainly(lambda undefined: np.where(undefined[..., None], np.nan, 1.0).astype(dtype), undefined)


def _shaped(result: Any, x: Any, axes: tuple[int, ...], keepdims: bool, lead: tuple[int, ...]) -> Any:
    """The result with the axes that were reduced as 1, if they are kept; in front of it those of q."""
    kept = [1 if i in axes else m for i, m in enumerate(shape_of(x), -len(shape_of(x)))] if keepdims else shape_of(result)[1:]
    return reshape(result, (*lead, *kept))


def _of_nothing(line: Any) -> Any:
    """nan for each line without elements, in front an axis of length 1."""
    return moveaxis(sum(line, -1, keepdims=True) + np.nan, -1, 0)


def _middle(x: Any, axis: Axis, keepdims: bool, skip: bool) -> Any:
    """The element in the middle of each sorted line, or the mean of the two there. ``skip``: of the elements that are not nan."""
    x = as_array(x)
    dtype = float_of(x)
    line, axes = _lines(x, axis)
    missing = isnan(line)
    line = sort(astype(line, dtype))
    length = shape_of(line)[-1]
    if not length:
        return _shaped(_of_nothing(line), x, axes, keepdims, ())
    if skip:
        n = plainly(lambda missing: np.sum(~missing, -1, keepdims=True), missing)
        below, above = np.maximum(n - 1, 0) // 2, n // 2
        low, high = take_along_axis(line, below, -1), take_along_axis(line, above, -1)
        result = where(equal(below, above), low, (low + high) / 2)
    else:
        low, high = (line[..., k : k + 1] for k in ((length - 1) // 2, length // 2))
        result = _undefined(low if length % 2 else (low + high) / 2, plainly(_any, missing), dtype)
    return _shaped(moveaxis(result, -1, 0), x, axes, keepdims, ())


BETWEEN = "two neighbours share the derivative as their weights are; equal elements stand in the order of a stable sort."


METHODS = [
    {"q": 0.37, "method": method}
    for method in ("lower", "higher", "midpoint", "nearest", "weibull", "median_unbiased", "inverted_cdf", "hazen")
]


def _at(*q: Any, methods: bool = False) -> Any:
    """Samples of quantiles, with all ways to give the axes, and the methods."""

    def samples(rng):
        cases = [((distinct(rng, REAL, shape), *q), params) for shape, params in AXES]
        return cases + [((distinct(rng, REAL, (6,)),), params) for params in METHODS if methods]

    return samples


def _with_nan(samples: Any) -> Any:
    """The same samples with a nan in each."""

    def changed(rng):
        result = samples(rng)
        for (x, *_), _ in result:
            x.flat[2] = np.nan
        return result

    return changed


@compose("median", numpy=(np.median,), samples=_at(), convention=BETWEEN)
def median(x: Any, axis: Axis = None, overwrite_input: bool = False, *, keepdims: bool = False) -> Any:
    """The middle of the sorted elements along ``axis``, or the mean of the two in the middle.

    >>> x = ag.Tensor([3.0, 1.0, 2.0, 10.0])
    >>> ag.median(x).backward()
    >>> x.grad
    array([0.5, 0. , 0.5, 0. ])
    """
    return _middle(x, axis, keepdims, False)


@compose("quantile", complex=False, numpy=(np.quantile,), convention=BETWEEN,
         samples=_at(np.array([[0.21, 0.57], [0.03, 0.97]]), methods=True))
def quantile(
    x: Any, q: Any, axis: Axis = None, overwrite_input: bool = False, method: str = "linear", *, keepdims: bool = False
) -> Any:
    """The q-th quantile of the elements along ``axis``, 0 ≤ q ≤ 1, by any of NumPy's methods.

    Several q lead the axes of the result. With ``method="linear"`` there is a derivative with respect to q, too.
    """
    return _quantile(x, q, axis, method, keepdims, False)


@compose("percentile", complex=False, numpy=(np.percentile,), convention=BETWEEN,
         samples=_at(37.0))
def percentile(
    x: Any, q: Any, axis: Axis = None, overwrite_input: bool = False, method: str = "linear", *, keepdims: bool = False
) -> Any:
    """The q-th percentile of the elements along ``axis``, 0 ≤ q ≤ 100: the quantile of q / 100."""
    return _quantile(x, as_array(q) / 100, axis, method, keepdims, False)


@compose("nanmedian", numpy=(np.nanmedian,), samples=_with_nan(_at()), convention=BETWEEN)
def nanmedian(x: Any, axis: Axis = None, overwrite_input: bool = False, *, keepdims: bool = False) -> Any:
    """The median along ``axis`` of the elements that are not nan; nan if there are none."""
    return _middle(x, axis, keepdims, True)


@compose("nanquantile", complex=False, numpy=(np.nanquantile,), convention=BETWEEN,
         samples=_with_nan(_at(np.array([0.21, 0.57]), methods=True)))
def nanquantile(
    x: Any, q: Any, axis: Axis = None, overwrite_input: bool = False, method: str = "linear", *, keepdims: bool = False
) -> Any:
    """The q-th quantile along ``axis`` of the elements that are not nan; nan if there are none."""
    return _quantile(x, q, axis, method, keepdims, True)


@compose("nanpercentile", complex=False, numpy=(np.nanpercentile,), convention=BETWEEN,
         samples=_with_nan(_at(37.0)))
def nanpercentile(
    x: Any, q: Any, axis: Axis = None, overwrite_input: bool = False, method: str = "linear", *, keepdims: bool = False
) -> Any:
    """The q-th percentile along ``axis`` of the elements that are not nan; nan if there are none."""
    return _quantile(x, as_array(q) / 100, axis, method, keepdims, True)

"""Weighted means, covariances, and histograms, which are linear in their weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..node import Operand, describe
from ..traced import Traced
from .axes import Axis, normalized
from .building import linspace
from .domains import POSITIVE, REAL, arrays, distinct
from .elementwise import clip, positive, sqrt, where
from .joining import as_array, concat, stack
from .parts import conj, imag, real
from .products import matmul
from .reductions import max, mean, min, sum
from .rules import as_known, float_of, holds, is_complex, shape_of, value_of
from .selecting import diagonal, index_add
from .shaping import astype, broadcast_to, reshape
from .steps import greater_equal
from .table import compose, constant_of, plainly

__all__ = [
    "average", "bincount", "corrcoef", "cov", "digitize", "histogram", "histogram2d", "histogram_bin_edges", "histogramdd",
]


def _weighted(*cases: Any) -> Any:
    """Samples of (x, axis, weights)."""

    def samples(rng):
        return [
            ((distinct(rng, REAL, shape), axis, distinct(rng, POSITIVE, weights)), params)
            for shape, axis, weights, params in cases
        ]

    return samples


@compose("average", numpy=(np.average,), samples=lambda rng: [
    *arrays(((3,), {}), ((2, 3), {"axis": 0}))(rng),
    *_weighted(((3,), None, (3,), {}), ((2, 3), 1, (3,), {}), ((2, 3), 0, (2, 3), {"returned": True}))(rng),
])  # fmt: skip
def average(
    x: Any, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False
) -> Any:
    """Σ w x / Σ w over ``axis``; without weights the mean. ``returned``: with the sum of the weights.

    >>> ag.average(ag.Tensor([1.0, 4.0]), weights=[3.0, 1.0]).value
    np.float64(1.75)
    """
    x = as_array(x)
    if weights is None:
        result = mean(x, axis, keepdims=keepdims)
        return (result, np.broadcast_to(value_of(x).size / value_of(result).size, shape_of(result))) if returned else result
    w = as_array(weights)
    if shape_of(w) != shape_of(x):
        axes = normalized(axis, x)
        if shape_of(w) != tuple(shape_of(x)[i] for i in axes):
            raise ValueError(
                f"average: weights of shape {shape_of(w)} fit neither {describe(x)} nor its axis {axis}: one for each element"
            )
        w = reshape(w, tuple(n if i in axes else 1 for i, n in enumerate(shape_of(x), -len(shape_of(x)))))
        w = broadcast_to(w, shape_of(x))
    total = sum(w, axis, keepdims=keepdims)
    result = sum(x * w, axis, keepdims=keepdims) / total
    return (result, total) if returned else result


def _observations(m: Any, y: Any, rowvar: bool) -> Any:
    """One variable a row, in float64 at least, as NumPy has it."""
    parts = [as_array(z) for z in (m, y) if z is not None]
    parts = [astype(z, np.result_type(float_of(z), np.float64)) for z in parts]
    rows = []
    for z in parts:
        if len(shape_of(z)) > 2:
            raise ValueError(f"cov takes at most two axes, variables and observations; got {describe(z)}")
        z = reshape(z, (1, -1)) if len(shape_of(z)) < 2 else z
        rows.append(z if rowvar or shape_of(z)[0] == 1 else z.T)
    return rows[0] if len(rows) == 1 else concat(rows)


PAIRS: tuple[Any, ...] = (((2, 4), {}), ((4,), {}), (((4,), (4,)), {}), ((4, 2), {"rowvar": False}))


@compose("cov", numpy=(np.cov,), samples=lambda rng: [
    *arrays(*PAIRS, ((2, 4), {"ddof": 0}), ((2, 4), {"bias": True}))(rng),
    ((distinct(rng, REAL, (2, 4)), None, True, False, None, np.array([1, 2, 1, 3]), distinct(rng, POSITIVE, (4,))), {}),
    ((distinct(rng, REAL, (2, 4)), None, True, False, 0, None, distinct(rng, POSITIVE, (4,))), {}),
])  # fmt: skip
def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None, fweights: Any = None,
    aweights: Any = None,
) -> Any:
    """(X - x̄) (X - x̄)ᵀ / (n - ddof): the covariances of variables, one a row of ``m`` (a column if not ``rowvar``).

    ``fweights`` count repetitions, ``aweights`` weigh observations, as in NumPy.
    """
    x = _observations(m, y, rowvar)
    ddof = (0 if bias else 1) if ddof is None else ddof
    w = None if fweights is None else astype(as_known(value_of(fweights)), float)
    if aweights is not None:
        w = as_array(aweights) if w is None else w * as_array(aweights)
    centred = x - average(x, 1, w, keepdims=True)
    if w is None:
        freedom: Any = shape_of(x)[1] - ddof
    else:
        freedom = sum(w)
        if ddof:
            freedom = freedom - (ddof if aweights is None else ddof * sum(w * as_array(aweights)) / sum(w))
    other = conj(centred) if is_complex(centred) else centred
    result = matmul(centred if w is None else centred * w, other.T) / freedom
    return reshape(result, tuple(n for n in shape_of(result) if n != 1)) if 1 in shape_of(result) else result


@compose("corrcoef", numpy=(np.corrcoef,), samples=arrays(*PAIRS))
def corrcoef(m: Any, y: Any = None, rowvar: bool = True) -> Any:
    """cᵢⱼ / √(cᵢᵢ cⱼⱼ): the correlation coefficients of variables, one a row of ``m`` (a column if not ``rowvar``)."""
    c = cov(m, y, rowvar)
    if not shape_of(c):
        return c / c
    if is_complex(c):
        deviation = sqrt(real(diagonal(c)))
        result = c / deviation[:, None] / deviation[None, :]
        return clip(real(result), -1.0, 1.0) + 1j * clip(imag(result), -1.0, 1.0)
    deviation = sqrt(diagonal(c))
    return clip(c / deviation[:, None] / deviation[None, :], -1.0, 1.0)


# ---------------------------------------------------------------------- histograms


def _counts(places: Any, weights: Any, length: int) -> Any:
    """The sums of the weights at each place."""
    return index_add(np.zeros(length, float_of(weights)), places, weights)


@compose("bincount", complex=False, numpy=(np.bincount,), samples=lambda rng: [
    ((np.array([0, 2, 2, 1]), rng.normal(size=4)), {}), ((np.array([0, 2]), rng.normal(size=2)), {"minlength": 5}),
])  # fmt: skip
def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    """How often each integer 0, 1, ... occurs in x (plain), or the sum of the ``weights`` at its places."""
    places = as_known(value_of(x))
    traced = type(places) is Traced
    if traced:
        if not minlength:
            raise TypeError("np.bincount under ag.jit: its length depends on the values: give minlength, larger than all of x")
        holds((places >= 0) & (places < minlength))
    if weights is None:
        return plainly(np.bincount, x, weights, minlength)
    length = minlength if traced else int(np.max(places + 1, initial=minlength))
    return _counts(places, astype(as_array(weights), float), length)


def _places(x: Any, edges: Any) -> Any:
    """Of each element the bin, whose upper edge belongs to the next, but for the last; -1 if there is none."""
    places = np.searchsorted(edges, x, side="right") - 1
    places[x == edges[-1]] = len(edges) - 2
    return np.where(places <= len(edges) - 2, places, -1)


def _edges(x: Any, bins: Any, *ends: Any) -> Any:
    return np.histogram_bin_edges(x, bins, ends or None)


def _numbers(x: Any, edges: Any) -> Any:
    return np.histogram(x, edges)[0]


def _numbers_of_boxes(places: Any, lengths: tuple[int, ...]) -> Any:
    return np.bincount(places[places >= 0], minlength=int(np.prod(lengths))).reshape(lengths).astype(float)


EDGES = "constant in x, as the counts are, linear in the weights; the edges go with the smallest and largest x."


def _samples_of_edges(rng):
    x = distinct(rng, REAL, (5,))
    return [((x,), {"bins": 3}), ((x, 4, (-3.0, float(rng.uniform(2.5, 3)))), {}), ((x, np.array([-1.0, 0.0, 2.5])), {})]


@compose("histogram_bin_edges", complex=False, numpy=(np.histogram_bin_edges,), samples=_samples_of_edges,
         convention="the number of the bins is constant.")  # fmt: skip
def histogram_bin_edges(x: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """The edges of the bins of a histogram: evenly spaced from the smallest x to the largest, or over ``range``."""
    ends = () if range is None else tuple(range)
    edges = plainly(_edges, x, bins, *ends)
    if np.ndim(value_of(bins)) == 1:
        return as_array(bins) if isinstance(bins, Operand) else edges
    if not any(isinstance(end, Operand) for end in ends or (x,)):
        return edges
    x = as_array(x)
    first, last = ends or ((min(x), max(x)) if x.size else (0.0, 1.0))
    moving = linspace(first, last, shape_of(edges)[-1])
    return edges + (moving - plainly(positive, moving))  # NumPy's numbers, and how they move


def _samples_of_histogram(rng):
    x, values = np.array([1, 5, 5, 9, 3]), distinct(rng, REAL, (5,))
    return [((x, 3, None, None, rng.normal(size=5)), {}), ((x, [0, 2, 5, 10], None, True, rng.uniform(1, 2, 5)), {}),
            ((x, 4, (2, 6), None, rng.normal(size=5)), {}), ((values, 3), {"density": True}), ((values, 2), {}),
            ((values, 3, None, True, rng.uniform(1, 2, 5)), {})]  # fmt: skip


@compose("histogram", complex=False, numpy=(np.histogram,), convention=EDGES, samples=_samples_of_histogram)
def histogram(x: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None) -> Any:
    """(counts, edges): how many elements of x are in each bin (plain), or the sum of their ``weights``; ``density``: over the
    total and the width of the bin."""
    edges = histogram_bin_edges(x, bins, range)
    x = plainly(np.ravel, x)
    if weights is None:
        counts = plainly(_numbers, x, edges)
    else:
        weights = reshape(as_array(weights), -1)
        counts = _weights_in(plainly(_places, x, edges), weights, shape_of(edges)[-1] - 1)
        counts = astype(counts, value_of(weights).dtype)
    return (counts / astype(edges[1:] - edges[:-1], float) / sum(counts) if density else counts), edges


def _weights_in(places: Any, weights: Any, length: int) -> Any:
    """The sums of the weights at each place; those at -1 count nowhere."""
    inside = greater_equal(places, 0)
    return _counts(where(inside, places, 0), where(inside, weights, 0.0), length)


def _samples_of_points(rng):
    x, values = rng.integers(0, 9, (5, 2)), distinct(rng, REAL, (5, 2))
    return [*[((x, bins, None, density, rng.uniform(1, 2, 5)), {}) for bins, density in (((2, 3), None), (2, True))],
            ((values, (2, 3)), {"density": True})]  # fmt: skip


@compose("histogramdd", complex=False, numpy=(np.histogramdd,), convention=EDGES, samples=_samples_of_points)
def histogramdd(x: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None) -> Any:
    """(counts, edges of each axis): how many rows of x are in each box (plain), or the sum of their ``weights``."""
    x = as_array(x)
    x = x if len(shape_of(x)) == 2 else reshape(x, (-1, 1))
    n = shape_of(x)[1]
    columns = [x[:, i] for i in np.arange(n)]
    each = [bins] * n if np.ndim(bins) == 0 else list(bins)
    if len(each) != n:
        raise ValueError(f"histogramdd: {len(each)} bins are given for {n} columns of {describe(x)}")
    ends = [None] * n if range is None else list(range)
    edges = [histogram_bin_edges(c, b, e) for c, b, e in zip(columns, each, ends, strict=True)]
    lengths = tuple(shape_of(e)[-1] - 1 for e in edges)
    places = plainly(_boxes, *columns, *edges)
    if weights is None:
        counts = plainly(_numbers_of_boxes, places, lengths)
    else:
        counts = reshape(_weights_in(places, astype(reshape(as_array(weights), -1), float), int(np.prod(lengths))), lengths)
    if density:
        counts = counts / sum(counts)
        for i, e in enumerate(edges):
            counts = counts / reshape(e[1:] - e[:-1], (-1, *(1,) * (n - 1 - i)))
    return counts, edges


def _boxes(*columns_and_edges: Any) -> Any:
    """Of each point the number of its box; -1 if it is in none."""
    n = len(columns_and_edges) // 2
    edges = columns_and_edges[n:]
    places = [_places(x, e) for x, e in zip(columns_and_edges[:n], edges, strict=True)]
    outside = np.logical_or.reduce([p < 0 for p in places])
    return np.where(outside, -1, np.ravel_multi_index([np.maximum(p, 0) for p in places], [len(e) - 1 for e in edges]))


@compose("histogram2d", complex=False, numpy=(np.histogram2d,), convention=EDGES, samples=lambda rng: [
    ((*rng.integers(0, 9, (2, 5)), 2, None, None, rng.uniform(1, 2, 5)), {}),
    ((distinct(rng, REAL, (5,)), distinct(rng, REAL, (5,)), 2), {"density": True}),
])  # fmt: skip
def histogram2d(x: Any, y: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None) -> Any:
    """(counts, edges of x, edges of y): how many points are in each box (plain), or the sum of their ``weights``."""
    if np.ndim(bins) == 1 and len(bins) not in (1, 2):
        bins = [bins, bins]
    points = stack([reshape(as_array(x), -1), reshape(as_array(y), -1)], 1)
    counts, edges = histogramdd(points, bins, range, density, weights)
    return counts, edges[0], edges[1]


digitize = constant_of("digitize", np.digitize)

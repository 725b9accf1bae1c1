"""Reductions of slices, ``ufunc.reduceat``: the i-th is that of x[places[i]:places[i + 1]], or x[places[i]] if this is empty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..node import describe
from .axes import one_axis
from .domains import arrays
from .joining import as_array, stack
from .reductions import max, min, prod
from .rules import shape_of, value_of
from .selecting import index_add, take
from .shaping import moveaxis
from .table import compose

SLICES = arrays(((6,), {"indices": [0, 3, 1, 4, 4]}), ((2, 5), {"indices": [1, 3], "axis": 1}), ((4,), {"indices": [2]}))


def _bounds(x: Any, indices: Any, axis: int, name: str) -> tuple[Any, Any, Any]:
    """x with the axis first, and where each slice starts and ends."""
    x = as_array(x)
    line = moveaxis(x, one_axis(axis, len(shape_of(x)), x), 0)
    starts = np.asarray(value_of(indices))
    n = shape_of(line)[0]
    if starts.ndim != 1 or starts.dtype.kind not in "iu" or (starts.size and (starts.min() < 0 or starts.max() >= n)):
        raise ValueError(f"{name}.reduceat of {describe(x)} takes a vector of places from 0 to {n - 1}, got {indices!r}")
    ends = np.append(starts[1:], n)
    return line, starts, np.where(ends > starts, ends, starts + 1)


@compose("add_reduceat", forward=np.add.reduceat, samples=SLICES)
def add_reduceat(x: Any, indices: Any, axis: int = 0) -> Any:
    """The sums of slices of x along ``axis``, as np.add.reduceat."""
    line, starts, ends = _bounds(x, indices, axis, "add")
    lengths = ends - starts
    slices = np.repeat(np.arange(starts.size), lengths)
    places = np.arange(lengths.sum()) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    zeros = np.zeros((starts.size, *shape_of(line)[1:]), value_of(line).dtype)
    return moveaxis(index_add(zeros, slices, take(line, places, 0)), 0, axis)


def _of_slices(ufunc: np.ufunc, reduce: Callable[..., Any], doc: str) -> Any:
    name = ufunc.__name__

    @compose(f"{name}_reduceat", forward=ufunc.reduceat, samples=SLICES)
    def reduceat(x: Any, indices: Any, axis: int = 0) -> Any:
        line, starts, ends = _bounds(x, indices, axis, name)
        return moveaxis(stack([reduce(line[i:j], 0) for i, j in zip(starts, ends, strict=True)]), 0, axis)

    reduceat.__doc__ = f"The {doc} of slices of x along ``axis``, as np.{name}.reduceat."
    return reduceat


multiply_reduceat = _of_slices(np.multiply, prod, "products")
maximum_reduceat = _of_slices(np.maximum, max, "largest elements")
minimum_reduceat = _of_slices(np.minimum, min, "smallest elements")

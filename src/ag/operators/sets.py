"""Arrays as sets: their values keep their derivatives, indices and counts are plain."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..node import describe
from .domains import REAL, distinct
from .joining import as_array, concat
from .rules import shape_of
from .selecting import sort, take
from .shaping import reshape
from .table import compose, constant_of, of_numpy, plainly

__all__ = [
    "intersect1d", "isin", "setdiff1d", "setxor1d", "trim_zeros", "union1d", "unique", "unique_all", "unique_counts",
    "unique_inverse", "unique_values",
]

FIRST = "of equal elements the first has the derivative."


def _sets(*cases: Any) -> Any:
    """Samples of vectors with no element in common."""

    def samples(rng):
        result = []
        for sizes, params in cases:
            everything = distinct(rng, REAL, (sum(sizes),))
            result.append((tuple(np.split(everything, np.cumsum(sizes)[:-1])), params))
        return result

    return samples


@compose("unique", numpy=(np.unique,), convention=FIRST, varying=True,
         samples=_sets(((5,), {}), ((3,), {"return_index": True, "return_counts": True})))  # fmt: skip
def unique(
    x: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False, axis: int | None = None,
    *, equal_nan: bool = True,
) -> Any:
    """The elements of x without repetition, in rising order (along ``axis``: the slices); indices and counts are plain.

    >>> ag.unique(ag.Tensor([2.0, 1.0, 2.0])).value
    array([1., 2.])
    """
    x = as_array(x)
    _, index, *more = plainly(np.unique, x, True, return_inverse, return_counts, axis, equal_nan=equal_nan)
    values = reshape(x, -1)[index] if axis is None else take(x, index, axis)
    rest = [index, *more] if return_index else more
    return (values, *rest) if rest else values


@compose("union1d", numpy=(np.union1d,), samples=_sets(((3, 2), {})), convention=FIRST, varying=True)
def union1d(x: Any, y: Any) -> Any:
    """The elements that are in x or in y, each once, in rising order."""
    return unique(concat([as_array(x), as_array(y)], None))


@compose("intersect1d", numpy=(np.intersect1d,), samples=_sets(((4, 2), {})), convention=FIRST, varying=True)
def intersect1d(x: Any, y: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """The elements that are in x and in y, each once, in rising order; those of x have the derivative."""
    x = as_array(x)
    _, of_x, of_y = plainly(np.intersect1d, x, as_array(y), assume_unique, True)
    values = reshape(x, -1)[of_x]
    return (values, of_x, of_y) if return_indices else values


def _outside(x: Any, y: Any) -> Any:
    """Where the elements of x are none of y's."""
    return plainly(lambda x, y: ~np.isin(x, y), x, y)


@compose("setdiff1d", numpy=(np.setdiff1d,), convention=FIRST, varying=True,
         samples=_sets(((4, 2), {}), ((4, 2), {"assume_unique": True})))  # fmt: skip
def setdiff1d(x: Any, y: Any, assume_unique: bool = False) -> Any:
    """The elements of x that are not in y, each once, in rising order (``assume_unique``: as they stand)."""
    x = reshape(as_array(x), -1) if assume_unique else unique(x)
    return x[_outside(x, as_array(y))]


@compose("setxor1d", numpy=(np.setxor1d,), samples=_sets(((3, 2), {})), convention=FIRST, varying=True)
def setxor1d(x: Any, y: Any, assume_unique: bool = False) -> Any:
    """The elements that are in one of x and y alone, each once, in rising order."""
    x, y = (reshape(as_array(z), -1) if assume_unique else unique(z) for z in (x, y))
    return sort(concat([x[_outside(x, y)], y[_outside(y, x)]]))


@compose("trim_zeros", numpy=(np.trim_zeros,), samples=_sets(((4,), {}), ((3,), {"trim": "b"})), varying=True)
def trim_zeros(x: Any, trim: str = "fb") -> Any:
    """A vector without the zeros at its front (``"f"``) and its back (``"b"``)."""
    x = as_array(x)
    if len(shape_of(x)) != 1:
        raise ValueError(f"trim_zeros takes a vector, got {describe(x)}: index it, x[first:last]")
    places = plainly(np.flatnonzero, x)
    if not len(places):
        return x[:0]
    return x[places[0] if "f" in trim.lower() else 0 : places[-1] + 1 if "b" in trim.lower() else None]


isin = constant_of("isin", np.isin)


def _answers(name: str) -> dict[str, Any]:
    """What NumPy's function of that name (from version 2.0 on) is answered by, and how it is tried."""
    f = of_numpy(name)
    return {"forward": f[0], "numpy": f, "samples": _sets(((4,), {})), "convention": FIRST, "varying": True}


def _named(name: str, *parts: Any) -> Any:
    """The parts in the named tuple that NumPy's function returns."""
    return type(getattr(np, name)(np.zeros(1)))(*parts)


@compose("unique_all", **_answers("unique_all"))
def unique_all(x: Any) -> Any:
    """The values without repetition, the first index of each, the inverse indices and the counts."""
    return _named("unique_all", *unique(x, True, True, True, equal_nan=False))


@compose("unique_counts", **_answers("unique_counts"))
def unique_counts(x: Any) -> Any:
    """The values without repetition, and their counts."""
    return _named("unique_counts", *unique(x, return_counts=True, equal_nan=False))


@compose("unique_inverse", **_answers("unique_inverse"))
def unique_inverse(x: Any) -> Any:
    """The values without repetition, and for each element the index of its value."""
    return _named("unique_inverse", *unique(x, return_inverse=True, equal_nan=False))


@compose("unique_values", **_answers("unique_values"))
def unique_values(x: Any) -> Any:
    """The values without repetition, in rising order."""
    return unique(x, equal_nan=False)

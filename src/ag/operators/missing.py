"""Functions that pass over nan: what is missing counts as absent, and gets the derivative 0."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .axes import Axis
from .domains import REAL, distinct
from .elementwise import INF, where
from .joining import as_array
from .parts import conj, real
from .reductions import cumprod, cumsum, max, min, norm, prod, sum
from .rules import float_of, is_complex, numbers_of
from .shaping import astype
from .steps import equal, greater, isnan, logical_not
from .table import compose, constant_of

__all__ = [
    "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum",
    "nanvar",
]

MISSING = "an element that is nan has the derivative 0."


def _with_gaps(*cases: Any) -> Any:
    """Samples with a nan in each."""

    def samples(rng):
        result = []
        for shape, params in cases:
            x = distinct(rng, REAL, shape)
            x.flat[1] = math.nan
            result.append(((x,), params))
        return result

    return samples


GAPS = _with_gaps(((4,), {}), ((2, 3), {"axis": 0}), ((2, 3), {"axis": -1, "keepdims": True}), ((2, 3, 2), {"axis": (0, 2)}))
LINES = _with_gaps(((4,), {}), ((2, 3), {"axis": 0}), ((2, 3), {}))


def _filled(x: Any, number: float) -> Any:
    """x with a number in the place of nan; integers have none."""
    x = as_array(x)
    return x if numbers_of(x) in "biu" else where(isnan(x), number, x)


def present(x: Any, axis: Axis, keepdims: bool) -> Any:
    """How many elements are not nan, along axes, as numbers of the dtype of x."""
    return sum(astype(logical_not(isnan(x)), float_of(x)), axis, keepdims=keepdims)


@compose("nansum", numpy=(np.nansum,), samples=GAPS, convention=MISSING)
def nansum(x: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """Σ x over ``axis``, where nan counts as 0.

    >>> ag.nansum(ag.Tensor([1.0, np.nan, 2.0])).value
    np.float64(3.0)
    """
    return sum(_filled(x, 0.0), axis, dtype, keepdims=keepdims)


@compose("nanprod", numpy=(np.nanprod,), samples=GAPS, convention=MISSING)
def nanprod(x: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """Π x over ``axis``, where nan counts as 1."""
    return prod(_filled(x, 1.0), axis, dtype, keepdims=keepdims)


@compose("nanmean", numpy=(np.nanmean,), samples=GAPS, convention=MISSING)
def nanmean(x: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """The arithmetic mean over ``axis`` of the elements that are not nan; nan if there are none."""
    x = as_array(x)
    return nansum(x, axis, dtype, keepdims=keepdims) / present(x, axis, keepdims)


def _deviations(x: Any, axis: Axis, correction: float, ddof: float | None, keepdims: bool) -> tuple[Any, Any]:
    """The deviations from the mean, 0 for nan, and how many count; where too few do, the count is nan."""
    missing = isnan(x)
    d = where(missing, 0.0, x - nanmean(x, axis, keepdims=True))
    n = present(x, axis, keepdims) - (correction if ddof is None else ddof)
    return d, where(greater(n, 0), n, math.nan)


@compose("nanvar", numpy=(np.nanvar,), samples=GAPS, convention=MISSING)
def nanvar(
    x: Any, axis: Axis = None, *, ddof: float | None = None, keepdims: bool = False, correction: float = 0
) -> Any:
    """Σ (x - mean)² / (n - correction) over ``axis``, of the n elements that are not nan."""
    d, n = _deviations(as_array(x), axis, correction, ddof, keepdims)
    return sum(real(d * conj(d)) if is_complex(d) else d * d, axis, keepdims=keepdims) / n


@compose("nanstd", numpy=(np.nanstd,), samples=GAPS, convention=MISSING + " At equal elements the gradient is 0.")
def nanstd(
    x: Any, axis: Axis = None, *, ddof: float | None = None, keepdims: bool = False, correction: float = 0
) -> Any:
    """√nanvar over ``axis``: the standard deviation of the elements that are not nan."""
    d, n = _deviations(as_array(x), axis, correction, ddof, keepdims)
    return norm(d, axis, keepdims=keepdims) / n**0.5


def _nanextreme(x: Any, axis: Axis, keepdims: bool, reduce: Any, worst: float) -> Any:
    x = as_array(x)
    result = reduce(_filled(x, worst), axis, keepdims=keepdims)
    if numbers_of(x) in "biu":
        return result
    return where(equal(present(x, axis, keepdims), 0), math.nan, result)


@compose("nanmax", numpy=(np.nanmax,), samples=GAPS, convention=MISSING)
def nanmax(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """The largest element along ``axis`` that is not nan; nan if there is none."""
    return _nanextreme(x, axis, keepdims, max, -INF)


@compose("nanmin", numpy=(np.nanmin,), samples=GAPS, convention=MISSING)
def nanmin(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """The smallest element along ``axis`` that is not nan; nan if there is none."""
    return _nanextreme(x, axis, keepdims, min, INF)


@compose("nancumsum", numpy=(np.nancumsum,), samples=LINES, convention=MISSING)
def nancumsum(x: Any, axis: int | None = None) -> Any:
    """yₖ = x₁ + ... + xₖ along ``axis`` (None: of x flattened), where nan counts as 0."""
    return cumsum(_filled(x, 0.0), axis)


@compose("nancumprod", numpy=(np.nancumprod,), samples=LINES, convention=MISSING)
def nancumprod(x: Any, axis: int | None = None) -> Any:
    """yₖ = x₁ · ... · xₖ along ``axis`` (None: of x flattened), where nan counts as 1."""
    return cumprod(_filled(x, 1.0), axis)


nanargmax = constant_of("nanargmax", np.nanargmax)
nanargmin = constant_of("nanargmin", np.nanargmin)

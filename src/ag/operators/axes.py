"""Axes as the rows keep them: counted from the end, so that a leading batch axis shifts nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..node import describe
from .rules import shape_of

Axis = int | tuple[int, ...] | list[int] | None


def one_axis(axis: Any, ndim: int, x: Any = None) -> int:
    """One axis of ``ndim``, counted from the end. Raises AxisError when there is none such."""
    try:
        number = axis.__index__()
    except AttributeError:
        raise TypeError(f"an axis is an integer, got {axis!r}") from None
    if not -ndim <= number < ndim:
        what = f" of {describe(x)}" if x is not None else ""
        raise np.exceptions.AxisError(
            f"axis {number}{what} does not exist: there are {ndim} axes, from {-ndim} to {ndim - 1}"
        )
    return number - ndim if number >= 0 else number


def normalized(axis: Axis, x: Any) -> tuple[int, ...]:
    """Several axes of ``x`` (None: all of them), counted from the end, in order."""
    ndim = len(shape_of(x))
    if axis is None:
        return tuple(range(-ndim, 0))
    if isinstance(axis, (tuple, list)):
        axes = tuple(sorted(one_axis(a, ndim, x) for a in axis))
        if len(set(axes)) < len(axes):
            raise ValueError(f"axis={axis} names an axis of {describe(x)} twice")
        return axes
    return (one_axis(axis, ndim, x),)

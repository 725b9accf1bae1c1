"""Choices among arrays, and functions applied along axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..node import Operand, describe
from .axes import one_axis
from .elementwise import clip, where
from .joining import as_array, stack
from .rules import as_known, holds, shape_of, value_of
from .selecting import index_set, take, take_along_axis
from .shaping import broadcast_arrays, moveaxis, reshape
from .table import compose, plainly

__all__ = [
    "apply_along_axis", "apply_over_axes", "choose", "compress", "extract", "piecewise", "select",
]

NOT_CHOSEN = "what is not chosen contributes exactly 0, even where its own derivative is inf or nan."


def _samples_of_select(rng):
    x, y = rng.normal(size=(2, 4))
    first, second = np.array([True, False, False, True]), np.array([True, True, False, False])
    return [(([first, second], [x, y], 3.0), {}), (([second], [rng.normal()]), {})]


@compose("select", numpy=(np.select,), samples=_samples_of_select, convention=NOT_CHOSEN)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """The element of the first of ``choicelist`` whose condition holds, ``default`` where none does."""
    if len(condlist) != len(choicelist):
        raise ValueError(f"select: {len(condlist)} conditions and {len(choicelist)} choices: give as many of both")
    result = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = where(condition, choice if isinstance(choice, (float, int)) else as_array(choice), result)
    return result


@compose("choose", numpy=(np.choose,), methods=("choose",), convention=NOT_CHOSEN, samples=lambda rng: [
    ((np.array([0, 2, 1]), [rng.normal(size=3), rng.normal(size=3), 5.0]), {}),
    ((np.array([[0, 3], [-1, 1]]), [rng.normal(size=2), rng.normal()]), {"mode": "clip"}),
])  # fmt: skip
def choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Any:
    """The element at each place of the array that the integer there names, choices[a[i]][i]."""
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError(f"choose: mode is 'raise', 'wrap' or 'clip', got {mode!r}")
    a, n = value_of(a), len(choices)
    a = as_known(a) % n if mode == "wrap" else clip(a, 0, n - 1) if mode == "clip" else as_known(a)
    if not holds((a >= 0) & (a < n)):
        raise ValueError(f"choose: the integers must lie in 0 .. {n - 1}, got some from {a.min()} to {a.max()}")
    index, *arrays = broadcast_arrays(a, *map(as_array, choices))
    return take_along_axis(stack(arrays), as_known(index)[None], 0)[0]


def _samples_of_piecewise(rng):
    x = np.array([-1.5, 0.5, 1.2, -0.2])
    return [
        ((x + rng.uniform(-0.1, 0.1, 4), [x < 0, x > 1], [np.sin, lambda x: x * x, 2.5]), {}),
        ((x + rng.uniform(-0.1, 0.1, 4), [x < 0], [-1.0, np.exp]), {}),
    ]


@compose("piecewise", numpy=(np.piecewise,), samples=_samples_of_piecewise, convention=NOT_CHOSEN)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """fₖ(x) where the k-th condition holds (the last that does), a last function more for the rest, 0 without one.

    Each function is given the elements of its condition alone; a number stands for a constant function.
    """
    x = as_array(x)
    if np.ndim(value_of(condlist[0])) < len(shape_of(x)):  # one condition alone, not a list of them
        condlist = [condlist]
    conditions = [np.asarray(value_of(c), bool) for c in condlist]
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.logical_or.reduce(conditions))
    elif len(funclist) != len(conditions):
        raise ValueError(
            f"piecewise: {len(conditions)} conditions and {len(funclist)} functions: give as many, or one more for the rest"
        )
    result = np.zeros(shape_of(x), value_of(x).dtype)
    for condition, f in zip(conditions, funclist, strict=True):
        if condition.any():
            result = index_set(result, condition, f(x[condition], *args, **kw) if callable(f) else f)
    return result


@compose("compress", numpy=(np.compress,), samples=lambda rng: [
    (([True, False, True], rng.normal(size=(3, 2)), 0), {}), ((np.array([False, True]), rng.normal(size=(2, 3))), {}),
])  # fmt: skip
def compress(condition: Any, x: Any, axis: int | None = None) -> Any:
    """The slices of x along ``axis`` (None: of x flattened) at which the condition holds."""
    places = plainly(np.flatnonzero, condition)
    x = as_array(x)
    return take(reshape(x, -1), places, 0) if axis is None else take(x, places, axis)


def _of_slices(self: Any, condition: Any, axis: int | None = None) -> Any:
    """The slices of x along ``axis`` at which the condition holds: np.compress(condition, x)."""
    return compress(condition, self, axis)


Operand.compress = _of_slices  # type: ignore[attr-defined]


@compose("extract", numpy=(np.extract,), samples=lambda rng: [
    ((np.array([[True, False], [True, True]]), rng.normal(size=(2, 2))), {}),
])  # fmt: skip
def extract(condition: Any, x: Any) -> Any:
    """The elements of x, flattened, at which the condition holds: x[condition]."""
    return compress(plainly(np.ravel, condition), x)


# ---------------------------------------------------------------------- functions along axes


@compose("apply_along_axis", numpy=(np.apply_along_axis,), samples=lambda rng: [
    ((lambda v: v / np.sum(v * v), 1, rng.normal(size=(2, 3))), {}), ((np.sum, 0, rng.normal(size=(2, 3))), {}),
])  # fmt: skip
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """func1d of each line of ``arr`` along ``axis``, in the place of the line."""
    x = as_array(arr)
    axis = one_axis(axis, len(shape_of(x)), x) + len(shape_of(x))
    lines = moveaxis(x, axis, -1)
    rest = shape_of(lines)[:-1]
    results = [as_array(func1d(lines[index], *args, **kwargs)) for index in np.ndindex(*rest)]
    if not results:
        raise ValueError(f"apply_along_axis: {describe(x)} has no lines along axis {axis}")
    shape = shape_of(results[0])
    joined = reshape(stack(results), (*rest, *shape))
    places = range(axis, axis + len(shape))
    return moveaxis(joined, tuple(range(len(rest), len(rest) + len(shape))), tuple(places))


@compose("apply_over_axes", numpy=(np.apply_over_axes,), samples=lambda rng: [
    ((np.sum, rng.normal(size=(2, 3, 2)), (0, -1)), {}),
])  # fmt: skip
def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    """func(func(a, axes[0]), axes[1]) ..., where each may keep or drop its axis."""
    result = as_array(a)
    for axis in axes if isinstance(axes, (tuple, list)) else (axes,):
        axis = one_axis(axis, len(shape_of(result)), result)
        new = func(result, axis)
        if len(shape_of(new)) != len(shape_of(result)):
            kept = list(shape_of(result))
            kept[axis] = 1
            new = reshape(new, tuple(kept))
        result = new
    return result

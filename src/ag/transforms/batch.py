"""vmap: a function of one example applied to all of them at once.

The function sees its arguments as `Batched`: one example each. What it computes is computed for all examples, by the rows'
rules of batching, so it runs once. See `operators.batching`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..batched import Batched, Level, live, under
from ..capture import ordinary
from ..node import Operand, describe
from ..operators.axes import one_axis
from ..operators.batching import full
from ..operators.rules import shape_of
from ..operators.shaping import moveaxis
from .arguments import function_of, owned
from .containers import leaves, prefixes, rebuilt

Axes = Any  # an integer, None, or a container of such


def vmap(f: Callable[..., Any], in_axes: Axes = 0, out_axes: Axes = 0, *, axis_size: int | None = None) -> Callable[..., Any]:
    """(x₁, ..., xₙ) ↦ (f(x₁), ..., f(xₙ)): a function of one example, applied to all examples at once, without a loop.

    Arguments: ``f``, a function of arrays and containers of arrays; ``in_axes``, the axis of the arguments that counts the
    examples: one integer for all, or a tuple with an integer, None (the same for all examples), or a container of
    such for each argument; ``out_axes``, where that axis stands in the results, in the same way (None: the result
    is the same for all examples); ``axis_size``, how many examples there are, needed if all of in_axes is None.

    Returns a function of the same arguments with one axis more (keyword arguments are mapped over axis 0). It nests with
    every other transform.

    Inside, one example has no number of its own: ``if x > 0`` raises (write ``ag.where``), as do ``float(x)`` and a
    mask as an index; random numbers that f draws are the same for all examples.

    Raises ValueError when the arguments have different numbers of examples, TypeError when in_axes do not fit them.

    >>> ag.vmap(ag.grad(lambda x: x**3))(np.array([1.0, 2.0, 3.0]))
    array([ 3., 12., 27.])
    >>> ag.vmap(lambda x, W: x @ W, in_axes=(0, None))(np.ones((5, 2)), np.ones((2, 3))).shape
    (5, 3)
    """
    function_of(f, "ag.vmap")
    if isinstance(in_axes, (float, np.ndarray, Operand)):
        raise TypeError(
            f"ag.vmap: in_axes says which axis of each argument counts the examples, got {describe(in_axes)}: write ag.vmap(f)(x)"
        )
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)

    @functools.wraps(f)
    def of_all(*args: Any, **kwargs: Any) -> Any:
        if isinstance(in_axes, tuple) and len(in_axes) != len(args):
            raise ValueError(
                f"ag.vmap: in_axes has {len(in_axes)} entries, the function was called with {len(args)} positional "
                f"arguments: give one for each, or one integer for all"
            )
        given = (args, kwargs)
        axes = [*prefixes(in_axes, args, "in_axes"), *prefixes(0, kwargs, "in_axes")]
        ends = leaves(given)
        ends, axes = _checked(ends, axes)
        level = Level(_count(ends, axes, axis_size))
        with under((level, *live.levels)):
            args, kwargs = rebuilt(given, [_entered(x, axis, level) for x, axis in zip(ends, axes, strict=True)])
            y = f(*args, **kwargs)
        results = [
            _left(z, axis, level) for z, axis in zip(leaves(y), prefixes(out_axes, y, "out_axes"), strict=True)
        ]
        return rebuilt(y, owned(results, ends))

    return of_all


def _checked(ends: list[Any], axes: list[Any]) -> tuple[list[Any], list[Any]]:
    """The arguments as arrays, and their axes counted from 0."""
    arrays, places = [], []
    for x, axis in zip(ends, axes, strict=True):
        if axis is not None:
            if not isinstance(x, Operand):
                x = np.asarray(ordinary(x))
                if x.dtype.kind not in "fiubc":
                    raise TypeError(
                        f"ag.vmap: an argument holds {describe(x) if x.shape else repr(x.item())}, which has no axis of "
                        f"examples: give it in_axes=None, as what is the same for all"
                    )
            ndim = len(shape_of(x))
            if not ndim:
                raise ValueError(
                    f"ag.vmap: {describe(x)} is one number, which has no axis of examples: pass an array with one axis more, "
                    f"or give it in_axes=None"
                )
            axis = one_axis(axis, ndim, x) + ndim
        arrays.append(x)
        places.append(axis)
    return arrays, places


def _count(ends: list[Any], axes: list[Any], axis_size: int | None) -> int:
    """How many examples there are."""
    counts = {shape_of(x)[axis]: describe(x) for x, axis in zip(ends, axes, strict=True) if axis is not None}
    if axis_size is not None:
        counts.setdefault(axis_size, "axis_size")
    if not counts:
        raise ValueError("ag.vmap: no argument has an axis of examples: give in_axes, or axis_size")
    if len(counts) > 1:
        listed = ", ".join(f"{n} ({what})" for n, what in counts.items())
        raise ValueError(f"ag.vmap: the arguments have different numbers of examples: {listed}")
    return next(iter(counts))


def _entered(x: Any, axis: int | None, level: Level) -> Any:
    """x as one example sees it."""
    if axis is None:
        return x
    if type(x) is Batched:
        hidden = len(x.levels)
        return Batched(moveaxis(x.physical, axis + hidden, 0) if axis + hidden else x.physical, (level, *x.levels))
    return Batched(moveaxis(x, axis, 0) if axis else x, (level,))


def _left(y: Any, axis: int | None, level: Level) -> Any:
    """A result of all examples, with their axis in its place."""
    if type(y) is not Batched or level not in y.levels:
        if axis is None:
            return y
        if not isinstance(y, (Operand, np.ndarray, np.generic, float, int)):
            raise TypeError(
                f"ag.vmap: the function returned {describe(y)}; results are arrays, numbers and containers of them, "
                f"or what is the same for all examples, with out_axes=None"
            )
        if type(y) is not Batched:
            lined = full(y, (level.size,))
            return moveaxis(lined, 0, axis) if axis else lined
        y = Batched(full(y.physical, (level.size,)), (level, *y.levels))
    if axis is None:
        raise ValueError(
            f"ag.vmap: out_axes=None is for what is the same for all examples, but {describe(y)} differs between them"
        )
    rest = y.levels[1:]
    place = one_axis(axis, y.ndim + 1) + y.ndim + 1 + len(rest)
    result = moveaxis(y.physical, 0, place) if place else y.physical
    return Batched(result, rest) if rest else result

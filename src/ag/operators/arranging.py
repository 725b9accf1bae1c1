"""Arrays turned, raised, cut and put together: NumPy's conveniences over the rows that do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..node import describe
from .axes import one_axis
from .domains import arrays, sequences
from .joining import as_array, concat, flip, split
from .rules import shape_of
from .selecting import take
from .shaping import broadcast_to, moveaxis, permute_dims, reshape
from .table import compose, of_numpy

__all__ = [
    "append", "array_split", "atleast_1d", "atleast_2d", "atleast_3d", "block", "delete", "dsplit", "dstack", "fliplr",
    "flipud", "hsplit", "insert", "resize", "rollaxis", "rot90", "sliding_window_view", "unstack", "vsplit",
]

# ---------------------------------------------------------------------- turned


@compose("flipud", numpy=(np.flipud,), samples=arrays(((3,), {}), ((2, 3), {})))
def flipud(x: Any) -> Any:
    """x upside down: in reverse order along its first axis."""
    return flip(x, 0)


@compose("fliplr", numpy=(np.fliplr,), samples=arrays(((2, 3), {})))
def fliplr(x: Any) -> Any:
    """x with left and right exchanged: in reverse order along its second axis."""
    return flip(x, 1)


@compose("rot90", numpy=(np.rot90,), samples=arrays(*(((2, 3), {"k": k}) for k in range(-1, 4)), ((2, 3, 2), {"axes": (1, 2)})))
def rot90(x: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """x turned k times by 90° in the plane of two axes, from the first to the second."""
    x = as_array(x)
    i, j = (one_axis(a, len(shape_of(x)), x) for a in axes)
    if i == j:
        raise ValueError(f"rot90 turns in the plane of two axes, got axes={axes}")
    order = list(range(-len(shape_of(x)), 0))
    order[i], order[j] = j, i
    if k % 4 == 2:
        return flip(x, (i, j))
    if k % 4 == 1:
        return permute_dims(flip(x, j), order)
    return flip(permute_dims(x, order), j) if k % 4 == 3 else x


@compose("rollaxis", numpy=(np.rollaxis,), samples=arrays(((2, 3, 4), {"axis": 2}), ((2, 3, 4), {"axis": 0, "start": 2})))
def rollaxis(x: Any, axis: int, start: int = 0) -> Any:
    """x with one axis moved before that at ``start``; `moveaxis` is easier to read."""
    ndim = len(shape_of(x))
    source = one_axis(axis, ndim, x) + ndim
    target = start + ndim if start < 0 else start
    if not 0 <= target <= ndim:
        raise np.exceptions.AxisError(f"start={start} does not exist: {describe(x)} has {ndim} axes")
    return moveaxis(x, source, target - (target > source))


# ---------------------------------------------------------------------- raised


def _raised(name: str, f: Callable[..., Any], shape: Callable[[tuple[int, ...]], tuple[int, ...]], doc: str) -> Any:
    @compose(name, forward=f, numpy=(f,), samples=arrays(((), {}), ((3,), {}), ((2, 3), {}), ((2, 3, 2), {})))
    def raised(*arrays: Any) -> Any:
        results = [reshape(x, shape(shape_of(x))) for x in map(as_array, arrays)]
        return results[0] if len(results) == 1 else tuple(results)

    raised.__doc__ = doc
    return raised


def _planes(shape: tuple[int, ...]) -> tuple[int, ...]:
    return {0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}.get(len(shape), shape)


atleast_1d = _raised("atleast_1d", np.atleast_1d, lambda s: s or (1,), "The arguments with at least one axis.")
atleast_2d = _raised("atleast_2d", np.atleast_2d, lambda s: (1,) * (2 - len(s)) + s, "With at least two axes: a vector is a row.")
atleast_3d = _raised("atleast_3d", np.atleast_3d, _planes, "With at least three axes: a matrix gets a last one.")

# ---------------------------------------------------------------------- cut


@compose("array_split", numpy=(np.array_split,), samples=arrays(
    ((5, 2), {"indices_or_sections": 3}), ((2, 4), {"indices_or_sections": (1, 3), "axis": 1})))  # fmt: skip
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """x cut along ``axis`` into sections whose lengths differ by at most 1, or before each of the given indices."""
    if isinstance(indices_or_sections, (int, np.integer)):
        n = shape_of(x)[axis]
        short, longer = divmod(n, int(indices_or_sections))
        lengths = [short + 1] * longer + [short] * (int(indices_or_sections) - longer)
        return split(x, np.cumsum(lengths)[:-1], axis)
    return split(x, indices_or_sections, axis)


def _along(name: str, f: Callable[..., Any], least: int, axis: Callable[[int], int], where: str) -> Any:
    @compose(name, forward=f, numpy=(f,), samples=arrays(((4, 2, 2)[: max(least, 2)], {"indices_or_sections": 2}),
                                                         ((2, 4, 4), {"indices_or_sections": (1,)})))  # fmt: skip
    def cut(x: Any, indices_or_sections: Any) -> Any:
        if len(shape_of(x)) < least:
            raise ValueError(f"{name} needs {least} axes, got {describe(x)}: ag.split takes an axis")
        return split(x, indices_or_sections, axis(len(shape_of(x))))

    cut.__doc__ = f"x cut along its {where} into equal sections, or before each of the given indices."
    return cut


vsplit = _along("vsplit", np.vsplit, 2, lambda ndim: 0, "first axis")
hsplit = _along("hsplit", np.hsplit, 1, lambda ndim: min(ndim - 1, 1), "second axis (the only one of a vector)")
dsplit = _along("dsplit", np.dsplit, 3, lambda ndim: 2, "third axis")

for _f in of_numpy("unstack"):

    @compose("unstack", forward=_f, numpy=(_f,), samples=arrays(((3, 2), {}), ((3, 2), {"axis": -1})))
    def unstack(x: Any, /, *, axis: int = 0) -> Any:
        """The slices of x along ``axis``, without it."""
        line = moveaxis(x, axis, 0)
        return tuple(line[i] for i in range(shape_of(line)[0]))


# ---------------------------------------------------------------------- put together


@compose("dstack", numpy=(np.dstack,), samples=sequences(
    (((2, 3), (2, 3)), {}), (((3,), (3,)), {}), (((2, 1, 1), (2, 1, 2)), {})))  # fmt: skip
def dstack(arrays: Any) -> Any:
    """A sequence of arrays joined along their third axis."""
    return concat([atleast_3d(x) for x in arrays], 2)


@compose("block", numpy=(np.block,), samples=lambda rng: [
    (([[rng.normal(size=(2, 2)), rng.normal(size=(2, 1))], [rng.normal(size=(1, 2)), rng.normal(size=(1, 1))]],), {}),
    (([rng.normal(size=2), rng.normal(size=3)],), {}), ((rng.normal(size=2),), {}),
])  # fmt: skip
def block(arrays: Any) -> Any:
    """Blocks joined to one array: the innermost lists along the last axis, the next ones along the last but one, ...

    >>> A = ag.Tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> ag.block([[A, np.zeros((2, 1))], [np.ones((1, 3))]]).shape
    (3, 3)
    """
    depth = _depth(arrays)
    ndim = max(depth, *(len(shape_of(as_array(x))) for x in _ends(arrays)))
    return _joined(arrays, depth, ndim)


def _depth(x: Any) -> int:
    return 1 + max(map(_depth, x)) if isinstance(x, list) else 0


def _ends(x: Any) -> list[Any]:
    return [end for part in x for end in _ends(part)] if isinstance(x, list) else [x]


def _joined(x: Any, depth: int, ndim: int) -> Any:
    if not isinstance(x, list):
        x = as_array(x)
        return reshape(x, (1,) * (ndim - len(shape_of(x))) + shape_of(x))
    return concat([_joined(part, depth - 1, ndim) for part in x], -depth)


@compose("append", numpy=(np.append,), samples=lambda rng: [
    ((rng.normal(size=(2, 2)), rng.normal(size=3)), {}), ((rng.normal(size=(2, 2)), rng.normal(size=(2, 1)), 1), {}),
])  # fmt: skip
def append(x: Any, values: Any, axis: int | None = None) -> Any:
    """x with ``values`` after it along ``axis`` (None: both flattened)."""
    return concat([as_array(x), as_array(values)], axis)


def _kept(obj: Any, n: int) -> Any:
    """The places that ``obj`` (an index, a slice, a mask) does not name."""
    keep = np.ones(n, bool)
    keep[obj if isinstance(obj, slice) else np.asarray(obj, int if np.size(obj) == 0 else None)] = False
    return np.flatnonzero(keep)


@compose("delete", numpy=(np.delete,), samples=lambda rng: [
    ((rng.normal(size=5), 1), {}), ((rng.normal(size=(3, 4)), [0, -1], 1), {}), ((rng.normal(size=(2, 3)), slice(0, 4, 2)), {}),
    ((rng.normal(size=3), np.array([True, False, True])), {}),
])  # fmt: skip
def delete(x: Any, obj: Any, axis: int | None = None) -> Any:
    """x without the elements (along ``axis``: the slices) at ``obj``: an integer, several, a slice or a mask."""
    x = as_array(x)
    if axis is None:
        x, axis = reshape(x, -1), 0
    return take(x, _kept(obj, shape_of(x)[axis]), axis)


@compose("insert", numpy=(np.insert,), samples=lambda rng: [
    ((rng.normal(size=4), 1, rng.normal()), {}), ((rng.normal(size=4), [1, 3, 1], rng.normal(size=3)), {}),
    ((rng.normal(size=(2, 3)), 1, rng.normal(size=2), 1), {}),
    ((rng.normal(size=(2, 3)), [0, 2], rng.normal(size=(2, 2)), 1), {}),
    ((rng.normal(size=(2, 3)), slice(0, 2), rng.normal()), {}), ((rng.normal(size=(2, 3)), [1], rng.normal(size=(2, 2)), 1), {}),
])  # fmt: skip
def insert(x: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """x with ``values`` put in before the places ``obj`` (along ``axis``; None: of x flattened)."""
    x, values = as_array(x), as_array(values)
    if axis is None:
        x, axis = reshape(x, -1), 0
    line = moveaxis(x, axis, 0)
    n, rest = shape_of(line)[0], shape_of(line)[1:]
    index = np.arange(n)[obj] if isinstance(obj, slice) else np.asarray(obj)
    places = np.flatnonzero(index) if index.dtype == bool else index
    values = reshape(values, (1,) * (len(shape_of(x)) - len(shape_of(values))) + shape_of(values))
    if places.ndim == 0:
        values = moveaxis(values, 0, axis)  # as NumPy: of one place the values lead
    values = moveaxis(values, axis, 0)
    count = shape_of(values)[0] if places.size == 1 else places.size
    values = broadcast_to(values, (count, *rest))
    starts = np.broadcast_to(np.where(places < 0, places + n, places).reshape(-1), (count,))
    if count and (starts.min() < 0 or starts.max() > n):
        raise IndexError(f"insert: a place of {obj} lies outside axis {axis} of {describe(x)}, which has length {n}")
    order = np.argsort(starts, kind="stable")
    new = starts[order] + np.arange(count)
    result = np.zeros(n + count, int)
    result[new] = n + order
    old = np.ones(n + count, bool)
    old[new] = False
    result[old] = np.arange(n)
    return moveaxis(take(concat([line, values]), result, 0), 0, axis)


@compose("resize", numpy=(np.resize,), samples=arrays(((2, 2), {"new_shape": (3, 2)}), ((3,), {"new_shape": 2})))
def resize(x: Any, new_shape: Any) -> Any:
    """The elements of x in another shape, repeated from the first or cut off, as many as it takes."""
    x = as_array(x)
    shape = (new_shape,) if isinstance(new_shape, (int, np.integer)) else tuple(new_shape)
    size = int(np.prod(shape))
    flat = reshape(x, -1)
    return reshape(take(flat, np.arange(size) % shape_of(flat)[0], 0), shape)



@compose("sliding_window_view", numpy=(np.lib.stride_tricks.sliding_window_view,), samples=arrays(
    ((5,), {"window_shape": 3}), ((3, 4), {"window_shape": (2, 2)}), ((2, 4), {"window_shape": 2, "axis": 1}),
    ((5,), {"window_shape": (3, 2), "axis": (0, 0)})))  # fmt: skip
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """All windows of x: of each axis with a window the places where it starts, and last the places inside the windows.

    >>> ag.sliding_window_view(ag.Tensor([1.0, 2.0, 4.0]), 2).value
    array([[1., 2.],
           [2., 4.]])
    """
    x = as_array(x)
    ndim = len(shape_of(x))
    lengths = (window_shape,) if isinstance(window_shape, (int, np.integer)) else tuple(window_shape)
    axes = range(ndim) if axis is None else (axis,) if isinstance(axis, (int, np.integer)) else axis
    places = [one_axis(a, ndim, x) + ndim for a in axes]
    if len(places) != len(lengths):
        raise ValueError(f"sliding_window_view of {describe(x)}: {len(lengths)} lengths of windows for {len(places)} axes")
    for place, length in zip(places, lengths, strict=True):
        starts = shape_of(x)[place] - length + 1
        if length < 0 or starts < 1:
            raise ValueError(f"sliding_window_view: a window of {length} does not fit axis {place} of {describe(x)}")
        x = moveaxis(take(x, np.arange(starts)[:, None] + np.arange(length), place), place + 1, -1)
    return x

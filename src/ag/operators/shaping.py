"""Rows that move elements about: each is linear, and its transpose moves them back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..node import Node, describe
from ..scalar import Scalar
from .axes import Axis, normalized, one_axis
from .domains import arrays, sequences
from .rules import FUNCTIONS, Linear, fit, shape_of, value_of, zeros_like
from .table import ATOM, compose, define, rewrite, row

Shape = int | tuple[int, ...] | list[int]

# ---------------------------------------------------------------------- faces and dtypes

as_scalar = define(
    "as_scalar", float, Linear((lambda g, x: as_tensor(g, getattr(value_of(x), "dtype", float)),)), face=Scalar,
    latex="{0}", precedence=(ATOM, ATOM), samples=arrays(((), {})), doc="a tensor of shape () as a scalar",
)


@row(
    "as_tensor", lambda x, dtype: np.asarray(x, dtype)[()], Linear((lambda g, x, dtype: as_scalar(g),)),
    latex="{0}", precedence=(ATOM, ATOM), samples=lambda rng: [((rng.normal(),), {"dtype": np.dtype(float)})],
)
def as_tensor(x: Any, dtype: Any = float) -> Any:
    """A scalar as a tensor of shape () of the given dtype."""
    return (x,), {"dtype": np.dtype(dtype)}


def _cast(x: Any, dtype: Any, copy: bool = True) -> Any:
    """x with its elements converted to ``dtype``. To integers or booleans it has no derivative: a plain array."""
    return (x,), {"dtype": np.dtype(dtype)}


_astype = define(
    "astype", lambda x, dtype: np.asarray(x).astype(dtype)[()],
    Linear((lambda g, x, dtype: astype(g, getattr(value_of(x), "dtype", float)),)), signature=_cast,
    latex="{0}", precedence=(ATOM, ATOM), samples=arrays(((2, 3), {"dtype": np.dtype(float)})),
)


def astype(x: Any, dtype: Any, *, copy: bool = True) -> Any:
    """x with its elements converted to ``dtype`` (a new node; ``copy`` changes nothing, as values are never written).

    Converted to integers or booleans it has no derivative, and the result is a plain array.

    >>> ag.astype(ag.Tensor([1.0, 2.5]), np.float32)
    Tensor([1. , 2.5], dtype=float32, op=astype)
    """
    if np.dtype(dtype).kind != "f":
        return np.asarray(value_of(x)).astype(dtype)
    return _astype(x, dtype)


rewrite("astype", astype)
Node.astype = astype  # type: ignore[attr-defined]

argument = define(
    "argument", lambda x: x, Linear((lambda g, x: g,)), scalar=lambda x: x, latex="{0}", precedence=(ATOM, ATOM),
    samples=arrays(((2,), {}), ((), {})), doc="x as the argument of a transform: a new node with the value of x",
)

# ---------------------------------------------------------------------- shapes


def lengths(shape: Shape, x: Any = None) -> tuple[int, ...]:
    """A shape as a tuple; with ``x``, -1 is what is left over."""
    try:
        given = tuple(n.__index__() for n in (shape if isinstance(shape, (tuple, list)) else (shape,)))
    except AttributeError:
        raise TypeError(f"a shape is a tuple of integers, got {shape!r}") from None
    if x is not None and -1 in given:
        size, known = math.prod(shape_of(x)), math.prod(n for n in given if n != -1)
        if given.count(-1) > 1 or known == 0 or size % known:
            raise ValueError(f"reshape of {describe(x)}: its {size} elements do not fit the shape {given}")
        given = tuple(size // known if n == -1 else n for n in given)
    return given


@row(
    "reshape", lambda x, shape: np.reshape(x, shape), Linear((lambda g, x, shape: reshape(g, shape_of(x)),)),
    numpy=(np.reshape,), latex=r"\operatorname{{reshape}}({0})",
    samples=arrays(((2, 3), {"shape": (6,)}), ((), {"shape": (1, 1)}), ((4,), {"shape": (2, -1)}), ((0, 2), {"shape": (2, 0)})),
)
def reshape(x: Any, /, shape: Shape, *, copy: bool | None = None) -> Any:
    """The elements of x in row-major order in another shape; -1 stands for what is left over.

    >>> ag.reshape(ag.Tensor([1.0, 2.0, 3.0, 4.0]), (2, -1)).shape
    (2, 2)
    """
    return (x,), {"shape": lengths(shape, x)}


def _method_reshape(self: Any, *shape: Any) -> Any:
    """x.reshape(2, 3) or x.reshape((2, 3))."""
    return reshape(self, shape[0] if len(shape) == 1 else shape)


def _flatten(self: Any) -> Any:
    """The elements of x in row-major order."""
    return reshape(self, -1)


Node.reshape = _method_reshape  # type: ignore[attr-defined]
Node.ravel = Node.flatten = _flatten  # type: ignore[attr-defined]


@compose("ravel", forward=np.ravel, samples=arrays(((2, 3), {}), ((), {})), numpy=(np.ravel,))
def ravel(x: Any) -> Any:
    """The elements of x in row-major order, in one axis."""
    return reshape(x, -1)


@row(
    "broadcast_to", lambda x, shape: np.broadcast_to(x, shape), Linear((lambda g, x, shape: fit(g, x),)),
    numpy=(np.broadcast_to,), latex="{0}", precedence=(ATOM, ATOM),
    samples=arrays(((1, 3), {"shape": (2, 3)}), ((3,), {"shape": (2, 3)}), ((), {"shape": (2,)}), ((2, 1), {"shape": (3, 2, 2)})),
)
def broadcast_to(x: Any, /, shape: Shape) -> Any:
    """x repeated along axes of length 1 and along new leading axes until it has the given shape."""
    return (x,), {"shape": lengths(shape)}


@compose(
    "broadcast_arrays", forward=np.broadcast_arrays, numpy=(np.broadcast_arrays,),
    samples=arrays((((2, 1), (3,)), {}), (((), (2,)), {})),
)
def broadcast_arrays(*arrays: Any) -> Any:
    """All arguments in their common broadcast shape."""
    shape = np.broadcast_shapes(*map(shape_of, arrays))
    return [broadcast_to(x, shape) for x in arrays]


@row(
    "permute_dims", lambda x, axes: np.transpose(x, axes),
    Linear((lambda g, x, axes: permute_dims(g, _inverse(axes)),)), symbol="ᵀ", latex=r"{{{0}}}^{{\top}}",
    precedence=(ATOM, ATOM), numpy=(np.transpose,),
    samples=arrays(((2, 3), {}), ((2, 3, 4), {"axes": (1, 2, 0)}), ((3,), {}), ((), {})),
)
def permute_dims(x: Any, /, axes: Any = None) -> Any:
    """x with its axes in another order (None: reversed).

    >>> ag.permute_dims(ag.Tensor([[1.0, 2.0, 3.0]]), (1, 0)).shape
    (3, 1)
    """
    ndim = len(shape_of(x))
    order = tuple(one_axis(a, ndim, x) for a in (reversed(range(ndim)) if axes is None else axes))
    if sorted(order) != list(range(-ndim, 0)):
        raise ValueError(f"axes={axes} is no order of the {ndim} axes of {describe(x)}: name each once")
    return (x,), {"axes": order}


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    n = len(axes)
    return tuple(axes.index(i) - n for i in range(-n, 0))


def _method_transpose(self: Any, *axes: Any) -> Any:
    """x.transpose(), x.transpose(1, 0) or x.transpose((1, 0))."""
    return permute_dims(self, None if not axes else axes[0] if len(axes) == 1 else axes)


Node.transpose = _method_transpose  # type: ignore[attr-defined]
Node.T = property(permute_dims)  # type: ignore[attr-defined]


@compose("swapaxes", forward=np.swapaxes, numpy=(np.swapaxes,), methods=("swapaxes",),
         samples=arrays(((2, 3, 4), {"axis1": 0, "axis2": -1})))
def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """x with two axes exchanged."""
    order = list(range(len(shape_of(x))))
    i, j = one_axis(axis1, len(order), x), one_axis(axis2, len(order), x)
    order[i], order[j] = order[j], order[i]
    return permute_dims(x, order)


@compose("matrix_transpose", forward=np.matrix_transpose, numpy=(np.matrix_transpose,), samples=arrays(((2, 3, 4), {})))
def matrix_transpose(x: Any) -> Any:
    """x with its last two axes exchanged: a stack of transposed matrices."""
    if len(shape_of(x)) < 2:
        raise ValueError(f"matrix_transpose needs two axes, got {describe(x)}: write x[:, None] for a column")
    return swapaxes(x, -1, -2)


Node.mT = property(matrix_transpose)  # type: ignore[attr-defined]


@compose("moveaxis", forward=np.moveaxis, numpy=(np.moveaxis,),
         samples=arrays(((2, 3, 4), {"source": 0, "destination": -1}), ((2, 3, 4), {"source": (0, 1), "destination": (1, 2)})))
def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """x with some axes moved to other positions; the rest keep their order."""
    ndim = len(shape_of(x))
    sources = [one_axis(a, ndim, x) + ndim for a in (source if isinstance(source, (tuple, list)) else (source,))]
    targets = [
        one_axis(a, ndim, x) + ndim for a in (destination if isinstance(destination, (tuple, list)) else (destination,))
    ]
    if len(sources) != len(targets):
        raise ValueError(f"moveaxis: {len(sources)} sources and {len(targets)} destinations: give as many of both")
    order = [a for a in range(ndim) if a not in sources]
    for target, a in sorted(zip(targets, sources, strict=True)):
        order.insert(target, a)
    return permute_dims(x, order)


@compose("squeeze", forward=np.squeeze, numpy=(np.squeeze,), methods=("squeeze",),
         samples=arrays(((1, 3, 1), {}), ((1, 3, 1), {"axis": 0}), ((1, 3, 1), {"axis": (0, -1)})))
def squeeze(x: Any, axis: Axis = None) -> Any:
    """x without axes of length 1 (None: without all of them)."""
    shape = shape_of(x)
    gone = [i for i in range(-len(shape), 0) if shape[i] == 1] if axis is None else normalized(axis, x)
    for i in gone:
        if shape[i] != 1:
            raise ValueError(f"squeeze: axis {i} of {describe(x)} has length {shape[i]}, not 1: index it or sum it")
    return reshape(x, tuple(n for i, n in enumerate(shape, -len(shape)) if i not in gone))


@compose("expand_dims", forward=np.expand_dims, numpy=(np.expand_dims,),
         samples=arrays(((3,), {"axis": 0}), ((2, 3), {"axis": -1}), ((2,), {"axis": (0, 2)})))
def expand_dims(x: Any, axis: Axis) -> Any:
    """x with new axes of length 1 at the given positions of the result."""
    shape = shape_of(x)
    places = axis if isinstance(axis, (tuple, list)) else (axis,)
    ndim = len(shape) + len(places)
    new = {one_axis(a, ndim, x) + ndim for a in places}
    rest = iter(shape)
    return reshape(x, tuple(1 if i in new else next(rest) for i in range(ndim)))


# ---------------------------------------------------------------------- joining and repeating


def _concat_transpose(i, g, *xs, axis):
    ends = np.cumsum([shape_of(x)[axis] for x in xs])
    start = int(ends[i]) - shape_of(xs[i])[axis]
    return g[_along(axis, slice(start, int(ends[i])))]


def _along(axis: int, index: Any) -> tuple[Any, ...]:
    """The index that takes ``index`` along one axis counted from the end."""
    return (..., index, *[slice(None)] * (-axis - 1))


@row(
    "concat", lambda *xs, axis: np.concatenate(xs, axis), Linear(_concat_transpose), numpy=(np.concatenate,),
    symbol="⊕", latex=r"\operatorname{{concat}}({0})",
    samples=sequences((((2,), (3,)), {"axis": 0}), (((2, 1), (2, 2), (2, 0)), {"axis": 1})),
)
def concat(arrays: Any, /, axis: int | None = 0) -> Any:
    """A sequence of arrays one after another along ``axis`` (None: all flattened).

    >>> ag.concat([ag.Tensor([1.0]), [2.0, 3.0]])
    Tensor([1., 2., 3.], op=concat)
    """
    parts = tuple(_sequence(arrays, "concat"))
    if axis is None:
        parts, axis = tuple(reshape(x, -1) for x in parts), 0
    return parts, {"axis": one_axis(axis, len(shape_of(parts[0])), parts[0])}


def _sequence(arrays: Any, name: str) -> list[Any]:
    if (isinstance(arrays, Node) and len(shape_of(arrays)) == 0) or not hasattr(arrays, "__iter__"):
        raise TypeError(f"{name} takes a sequence of arrays, got {describe(arrays)}: write ag.{name}([x, y])")
    parts = [x if isinstance(x, (Node, np.ndarray)) else np.asarray(x) for x in arrays]
    if not parts:
        raise ValueError(f"{name} needs at least one array, got none")
    return parts


@row(
    "stack", lambda *xs, axis: np.stack(xs, axis), Linear(lambda i, g, *xs, axis: g[_along(axis, i)]),
    numpy=(np.stack,), symbol="≡", latex=r"\operatorname{{stack}}({0})",
    samples=sequences((((2,), (2,)), {"axis": 0}), (((2, 3), (2, 3)), {"axis": -1}), (((), ()), {"axis": 0})),
)
def stack(arrays: Any, /, axis: int = 0) -> Any:
    """A sequence of arrays (or scalars) of one shape along a new axis.

    >>> ag.stack([ag.Scalar(1.0), ag.Scalar(2.0)])
    Tensor([1., 2.], op=stack)
    """
    parts = tuple(_sequence(arrays, "stack"))
    shapes = {shape_of(x) for x in parts}
    if len(shapes) > 1:
        raise ValueError(f"stack needs arrays of one shape, got {sorted(shapes)}: ag.concat joins along an axis")
    return parts, {"axis": one_axis(axis, len(shape_of(parts[0])) + 1)}


def _joined(name: str, f: Any, samples: Any, prepare: Any, axis: int) -> Any:
    """np.vstack and its like: concat after the shapes were raised."""

    @compose(name, forward=f, samples=samples, numpy=(f,))
    def join(arrays: Any, *more: Any) -> Any:
        parts = [prepare(x) for x in _sequence([arrays, *more] if more else arrays, name)]
        return concat(parts, axis if len(shape_of(parts[0])) > 1 else 0)

    join.__doc__ = f"As np.{name}: a sequence of arrays joined along axis {axis}."
    return join


def _rows(x: Any) -> Any:
    return reshape(x, (1, -1)) if len(shape_of(x)) < 2 else x


def _columns(x: Any) -> Any:
    return reshape(x, (-1, 1)) if len(shape_of(x)) < 2 else x


def _at_least_one(x: Any) -> Any:
    return reshape(x, (1,)) if not shape_of(x) else x


vstack = _joined("vstack", np.vstack, sequences((((2, 3), (1, 3)), {}), (((3,), (3,)), {})), _rows, 0)
hstack = _joined("hstack", np.hstack, sequences((((2, 3), (2, 1)), {}), (((3,), (2,)), {})), _at_least_one, 1)
column_stack = _joined("column_stack", np.column_stack, sequences((((2, 3), (2, 1)), {}), (((3,), (3,)), {})), _columns, 1)


@compose("split", forward=np.split, numpy=(np.split,),
         samples=arrays(((4, 2), {"indices_or_sections": 2}),
                        ((5,), {"indices_or_sections": (2, 3)}), ((2, 4), {"indices_or_sections": 2, "axis": 1})))
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """x cut along ``axis`` into equal sections, or before each of the given indices; a list of nodes."""
    axis = one_axis(axis, len(shape_of(x)), x)
    n = shape_of(x)[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        sections = int(indices_or_sections)
        if sections < 1 or n % sections:
            raise ValueError(f"split: the length {n} of axis {axis} can't be cut into {sections} equal sections")
        cuts = [n // sections * i for i in range(1, sections)]
    else:
        cuts = [int(i) for i in indices_or_sections]
    starts, ends = [0, *cuts], [*cuts, n]
    return [x[_along(axis, slice(a, b))] for a, b in zip(starts, ends, strict=True)]


@row(
    "flip", lambda x, axis: np.flip(x, axis), Linear((lambda g, x, axis: flip(g, axis),)), numpy=(np.flip,),
    samples=arrays(((3,), {}), ((2, 3), {"axis": 1}), ((2, 3), {"axis": (0, 1)})),
)
def flip(x: Any, /, axis: Axis = None) -> Any:
    """x with its elements in reverse order along ``axis`` (None: along all)."""
    return (x,), {"axis": normalized(axis, x)}


def _rolled(x: Any, shift: Any, axis: Any) -> Any:
    """x with its elements moved by ``shift`` along ``axis``, those that leave at one end entering at the other."""
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    shifts = shift if isinstance(shift, (tuple, list)) else (shift,) * len(axes)
    if len(shifts) != len(axes):
        raise ValueError(f"roll: {len(shifts)} shifts for {len(axes)} axes: give as many of both")
    ndim = len(shape_of(x))
    return (x,), {"shift": tuple(int(s) for s in shifts), "axis": tuple(one_axis(a, ndim, x) for a in axes)}


_roll = define(
    "roll", lambda x, shift, axis: np.roll(x, shift, axis),
    Linear((lambda g, x, shift, axis: roll(g, tuple(-s for s in shift), axis),)), signature=_rolled, numpy=(np.roll,),
    samples=arrays(((4,), {"shift": 1, "axis": 0}), ((2, 3), {"shift": (1, -1), "axis": (0, 1)})),
)


def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """x with its elements moved by ``shift`` along ``axis``, those that leave at one end entering at the other.

    With ``axis=None`` the elements move in row-major order.
    """
    if axis is None:
        return reshape(_roll(reshape(x, -1), shift, 0), shape_of(x))
    return _roll(x, shift, axis)


rewrite("roll", roll)


def _pad_transpose(g, x, widths, value):
    return g[(..., *(slice(before, before + n) for (before, _), n in zip(widths, shape_of(x), strict=True)))]


@row(
    "pad", lambda x, widths, value: np.pad(x, widths, constant_values=value), Linear((_pad_transpose,)), numpy=(np.pad,),
    samples=arrays(((3,), {"pad_width": 1}), ((2, 3), {"pad_width": ((1, 0), (0, 2))}), ((2, 3), {"pad_width": (1, 2)})),
)
def pad(x: Any, /, pad_width: Any, mode: str = "constant", *, constant_values: float = 0) -> Any:
    """x with ``constant_values`` put around it: ``pad_width`` is n, (before, after), or a pair for each axis.

    Other modes than "constant" are not here: write them with ag.concat.
    """
    if mode != "constant":
        raise ValueError(f"pad: mode={mode!r} has no rule; only mode='constant' has: join slices with ag.concat")
    if np.ndim(constant_values) or isinstance(constant_values, Node):
        raise TypeError("pad: constant_values is one plain number; join other arrays with ag.concat")
    widths = np.broadcast_to(np.asarray(pad_width), (len(shape_of(x)), 2))
    return (x,), {"widths": tuple((int(a), int(b)) for a, b in widths), "value": constant_values}


def _tile_transpose(g, x, reps):
    shape = shape_of(x)
    extra = len(reps) - len(shape)
    full = (1,) * extra + shape
    folded = tuple(n for pair in zip(reps, full, strict=True) for n in pair)
    return reshape(FUNCTIONS["sum"](reshape(g, folded), axis=tuple(range(0, len(folded), 2))), shape)


@row(
    "tile", lambda x, reps: np.tile(x, reps), Linear((_tile_transpose,)), numpy=(np.tile,),
    samples=arrays(((3,), {"reps": 2}), ((2, 3), {"reps": (2, 1)}), ((3,), {"reps": (2, 2)}), ((), {"reps": 3})),
)
def tile(x: Any, /, reps: Any) -> Any:
    """x laid side by side, ``reps`` times along each axis."""
    times = lengths(reps)
    return (x,), {"reps": (1,) * (len(shape_of(x)) - len(times)) + times}


def _repeat_transpose(g, x, repeats, axis):
    n = shape_of(x)[axis]
    if isinstance(repeats, int):
        shape = list(shape_of(x))
        place = len(shape) + axis + 1
        shape.insert(place, repeats)
        return FUNCTIONS["sum"](reshape(g, tuple(shape)), axis=place)
    owner = np.repeat(np.arange(n), repeats)
    return FUNCTIONS["index_add"](zeros_like(x), _along(axis, owner), g)


@row(
    "repeat", lambda x, repeats, axis: np.repeat(x, repeats, axis), Linear((_repeat_transpose,)),
    samples=arrays(((3,), {"repeats": 2}), ((2, 3), {"repeats": (1, 0, 2), "axis": 1}),
                   ((2, 3), {"repeats": 3, "axis": 0}), ((2, 3), {"repeats": 2})),
    numpy=(np.repeat,), methods=("repeat",),
)
def repeat(x: Any, /, repeats: Any, axis: int | None = None) -> Any:
    """Each element of x ``repeats`` times along ``axis`` (None: of x flattened); an integer, or one for each."""
    if axis is None:
        x, axis = reshape(x, -1), 0
    times = int(repeats) if np.ndim(repeats) == 0 else tuple(int(n) for n in repeats)
    return (x,), {"repeats": times, "axis": one_axis(axis, len(shape_of(x)), x)}


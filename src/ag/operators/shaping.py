"""Rows that move elements about: each is linear, and its transpose moves them back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..node import Operand, describe
from ..scalar import Scalar
from .axes import Axis, normalized, one_axis
from .batching import full, leading, padded, unchanged, with_params
from .domains import arrays
from .rules import Linear, fit, shape_of, value_of
from .table import ATOM, NUMPY, compose, define, of_numpy, rewrite, row

Shape = int | tuple[int, ...] | list[int]

# ---------------------------------------------------------------------- faces and dtypes

as_scalar = define(
    "as_scalar", float, Linear((lambda g, x: as_tensor(g, getattr(value_of(x), "dtype", float)),)), face=Scalar, batch=unchanged,
    latex="{0}", precedence=(ATOM, ATOM), samples=arrays(((), {})), doc="a tensor of shape () as a scalar",
)


@row(
    "as_tensor", lambda x, dtype: np.asarray(x, dtype)[()], Linear((lambda g, x, dtype: as_scalar(g),)), complex=False,
    batch=lambda op, lead, inputs, params: astype(full(inputs[0], lead), params["dtype"]),
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
    Linear((lambda g, x, dtype: fit(g, x),)), signature=_cast, batch=leading,
    latex="{0}", precedence=(ATOM, ATOM), samples=arrays(((2, 3), {"dtype": np.dtype(float)})),
)


def astype(x: Any, dtype: Any, *, copy: bool = True) -> Any:
    """x with its elements converted to ``dtype`` (a new node; ``copy`` changes nothing, as values are never written).

    Converted to integers or booleans it has no derivative, and the result is a plain array.

    >>> ag.astype(ag.Tensor([1.0, 2.5]), np.float32)
    Tensor([1. , 2.5], dtype=float32, op=astype)
    """
    if np.dtype(dtype).kind not in "fc":
        return _astype(value_of(x), dtype)
    return _astype(x, dtype)


rewrite("astype", astype)
NUMPY.update((f, astype) for f in of_numpy("astype") if hasattr(f, "_implementation"))  # before NumPy 2.1 it takes arrays alone
Operand.astype = astype  # type: ignore[attr-defined]

argument = define(
    "argument", lambda x: x, Linear((lambda g, x: g,)), scalar=lambda x: x, batch=unchanged, latex="{0}", precedence=(ATOM, ATOM),
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
    numpy=(np.reshape,), batch=with_params(lambda lead, shape: {"shape": lead + shape}),
    samples=arrays(((2, 3), {"shape": (6,)}), ((), {"shape": (1, 1)}), ((4,), {"shape": (2, -1)}), ((0, 2), {"shape": (2, 0)})),
)
def reshape(x: Any, /, shape: Shape, *, copy: bool | None = None) -> Any:
    """The elements of x in row-major order in another shape; -1 stands for what is left over.

    >>> ag.reshape(ag.Tensor([1.0, 2.0, 3.0, 4.0]), (2, -1)).shape
    (2, 2)
    """
    return (x,), {"shape": lengths(shape, x)}


def _reshaped(x: Any, /, shape: Shape, order: str = "C", *, copy: bool | None = None) -> Any:
    """NumPy's reshape, whose ``order`` is of the elements: "C", row by row, or "F", column by column."""
    if order == "C":
        return reshape(x, shape)
    if order != "F":
        raise ValueError(
            f"order={order!r} is that of an array's memory, which a node does not have: write 'C' (row by row) or 'F' (column by "
            f"column)"
        )
    return permute_dims(reshape(permute_dims(x), lengths(shape, x)[::-1]))


NUMPY[np.reshape] = _reshaped


def _method_reshape(self: Any, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
    """x.reshape(2, 3) or x.reshape((2, 3))."""
    return _reshaped(self, shape[0] if len(shape) == 1 else shape, order)


def _flatten(self: Any, order: str = "C") -> Any:
    """The elements of x, row by row, or with the order "F" column by column."""
    return _reshaped(self, -1, order)


Operand.reshape = _method_reshape  # type: ignore[attr-defined]
Operand.ravel = Operand.flatten = _flatten  # type: ignore[attr-defined]


@compose("ravel", forward=np.ravel, samples=arrays(((2, 3), {}), ((), {})), numpy=(np.ravel,))
def ravel(x: Any, order: str = "C") -> Any:
    """The elements of x in one axis: row by row, or with the order "F" column by column."""
    return _reshaped(x, -1, order)


def _broadcast_batch(op, lead, inputs, params):
    return op.apply((padded(inputs[0], len(params["shape"])),), {"shape": lead + params["shape"]})


@row(
    "broadcast_to", lambda x, shape: np.broadcast_to(x, shape), Linear((lambda g, x, shape: fit(g, x),)),
    numpy=(np.broadcast_to,), batch=_broadcast_batch, latex="{0}", precedence=(ATOM, ATOM),
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


def _transpose_formula(x, axes):
    if len(axes) < 2:
        return x
    if axes[-2:] == (-1, -2) and list(axes[:-2]) == list(range(-len(axes), -2)):
        return rf"{{{x}}}^{{\top}}"
    return rf"\operatorname{{permute\_dims}}({x}, \text{{axes}}={axes})"


@row(
    "permute_dims", lambda x, axes: np.transpose(x, axes),
    Linear((lambda g, x, axes: permute_dims(g, _inverse(axes)),)), symbol="ᵀ", latex=_transpose_formula,
    precedence=(ATOM, ATOM), numpy=(np.transpose,),
    batch=with_params(lambda lead, axes: {"axes": (*range(-len(lead) - len(axes), -len(axes)), *axes)}),
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


Operand.transpose = _method_transpose  # type: ignore[attr-defined]
Operand.T = property(permute_dims)  # type: ignore[attr-defined]


@compose("swapaxes", forward=np.swapaxes, numpy=(np.swapaxes,), methods=("swapaxes",),
         samples=arrays(((2, 3, 4), {"axis1": 0, "axis2": -1})))
def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """x with two axes exchanged."""
    order = list(range(len(shape_of(x))))
    i, j = one_axis(axis1, len(order), x), one_axis(axis2, len(order), x)
    order[i], order[j] = order[j], order[i]
    return permute_dims(x, order)


@compose("matrix_transpose", numpy=(np.matrix_transpose, np.linalg.matrix_transpose), samples=arrays(((2, 3, 4), {})))
def matrix_transpose(x: Any) -> Any:
    """x with its last two axes exchanged: a stack of transposed matrices."""
    if len(shape_of(x)) < 2:
        raise ValueError(f"matrix_transpose needs two axes, got {describe(x)}: write x[:, None] for a column")
    return swapaxes(x, -1, -2)


Operand.mT = property(matrix_transpose)  # type: ignore[attr-defined]


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

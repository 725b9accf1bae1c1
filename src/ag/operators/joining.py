"""Rows that join arrays, cut them, and lay them side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..capture import ordinary
from ..node import Operand, describe
from .axes import Axis, normalized, one_axis
from .batching import leading, padded, with_params
from .domains import arrays, sequences
from .rules import FUNCTIONS, Linear, shape_of, zeros_like
from .shaping import lengths, reshape
from .table import ANY, ATOM, compose, define, of_numpy, rewrite, row


def _concat_transpose(i, g, *xs, axis):
    ends = np.cumsum([shape_of(x)[axis] for x in xs])
    start = int(ends[i]) - shape_of(xs[i])[axis]
    return g[_along(axis, slice(start, int(ends[i])))]


def _along(axis: int, index: Any) -> tuple[Any, ...]:
    """The index that takes ``index`` along one axis counted from the end."""
    return (..., index, *[slice(None)] * (-axis - 1))


@row(
    "concat", lambda *xs, axis: np.concatenate(xs, axis), Linear(_concat_transpose), numpy=(np.concatenate,), batch=leading,
    symbol="⊕",
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
    if (isinstance(arrays, Operand) and len(shape_of(arrays)) == 0) or not hasattr(arrays, "__iter__"):
        raise TypeError(f"{name} takes a sequence of arrays, got {describe(arrays)}: write ag.{name}([x, y])")
    parts = [x if type(x) is np.ndarray or isinstance(x, Operand) else np.asarray(ordinary(x)) for x in arrays]
    if not parts:
        raise ValueError(f"{name} needs at least one array, got none")
    return parts


def _stack_formula(*xs, axis):
    return rf"\operatorname{{stack}}(\left[{', '.join(xs)}\right], \text{{axis}}={axis})"


@row(
    "stack", lambda *xs, axis: np.stack(xs, axis), Linear(lambda i, g, *xs, axis: g[_along(axis, i)]),
    numpy=(np.stack,), batch=leading, symbol="≡", latex=_stack_formula, precedence=(ATOM, ANY),
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


def as_array(x: Any) -> Any:
    """x itself if it is a node or an array; a number or a nested list as an array, of nodes as a node."""
    if hasattr(x, "shape"):
        return x
    if isinstance(x, (list, tuple)) and _holds_nodes(x):
        return stack([as_array(part) for part in x])
    return np.asarray(x)


def _holds_nodes(x: Any) -> bool:
    return any(isinstance(part, Operand) or (isinstance(part, (list, tuple)) and _holds_nodes(part)) for part in x)


def _joined(name: str, f: Any, samples: Any, prepare: Any, axis: int) -> Any:
    """np.vstack and its like: concat after the shapes were raised."""

    @compose(name, forward=f, samples=samples, numpy=(f, *of_numpy(*({"vstack": ["row_stack"]}.get(name, [])))))
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
    batch=leading,
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
    batch=leading,
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


def _widths(x: Any, pad_width: Any, constant_values: float = 0) -> Any:
    """x with a number put around it."""
    widths = np.broadcast_to(np.asarray(pad_width), (len(shape_of(x)), 2))
    return (x,), {"widths": tuple((int(a), int(b)) for a, b in widths), "value": constant_values}


_pad = define(
    "pad", lambda x, widths, value: np.pad(x, widths, constant_values=value), Linear((_pad_transpose,)), numpy=(np.pad,),
    batch=with_params(lambda lead, widths, value: {"widths": ((0, 0),) * len(lead) + widths, "value": value}), signature=_widths,
    samples=arrays(((3,), {"pad_width": 1}), ((2, 3), {"pad_width": ((1, 0), (0, 2))}), ((2, 3), {"pad_width": (1, 2)})),
)
REPEATED = ("edge", "reflect", "symmetric", "wrap")


def pad(
    x: Any, /, pad_width: Any, mode: str = "constant", *, constant_values: float = 0, reflect_type: str = "even"
) -> Any:
    """x with ``constant_values`` put around it: ``pad_width`` is n, (before, after), or a pair for each axis.

    ``mode``: "edge" repeats the outermost elements, "reflect" and "symmetric" mirror x without and with them, "wrap" begins anew.

    >>> ag.pad(ag.Tensor([1.0, 2.0, 3.0]), (0, 2), "reflect").value
    array([1., 2., 3., 2., 1.])
    """
    if mode == "constant":
        if np.ndim(constant_values) or isinstance(constant_values, Operand):
            raise TypeError("pad: constant_values is one plain number; join other arrays with ag.concat")
        return _pad(x, pad_width, constant_values)
    if mode not in REPEATED or reflect_type != "even":
        what = f"mode={mode!r}" if mode not in REPEATED else f"reflect_type={reflect_type!r}"
        raise ValueError(
            f"pad: {what} has no rule; the modes 'constant', {', '.join(map(repr, REPEATED))} have: join others with ag.concat"
        )
    for axis, widths in enumerate(np.broadcast_to(np.asarray(pad_width), (len(shape_of(x)), 2))):
        if widths.any():
            x = FUNCTIONS["take"](x, np.pad(np.arange(shape_of(x)[axis]), widths, mode=mode), axis)  # type: ignore[call-overload]
    return x


rewrite("pad", pad)


def _tile_transpose(g, x, reps):
    shape = shape_of(x)
    extra = len(reps) - len(shape)
    full = (1,) * extra + shape
    folded = tuple(n for pair in zip(reps, full, strict=True) for n in pair)
    return reshape(FUNCTIONS["sum"](reshape(g, folded), axis=tuple(range(0, len(folded), 2))), shape)


def _tile_batch(op, lead, inputs, params):
    reps = params["reps"]
    return op.apply((padded(inputs[0], len(reps)),), {"reps": (1,) * len(lead) + reps})


@row(
    "tile", lambda x, reps: np.tile(x, reps), Linear((_tile_transpose,)), numpy=(np.tile,), batch=_tile_batch,
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
    numpy=(np.repeat,), methods=("repeat",), batch=leading,
)
def repeat(x: Any, /, repeats: Any, axis: int | None = None) -> Any:
    """Each element of x ``repeats`` times along ``axis`` (None: of x flattened); an integer, or one for each."""
    if axis is None:
        x, axis = reshape(x, -1), 0
    times = int(repeats) if np.ndim(repeats) == 0 else tuple(int(n) for n in repeats)
    return (x,), {"repeats": times, "axis": one_axis(axis, len(shape_of(x)), x)}


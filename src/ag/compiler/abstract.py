"""Abstract evaluation: the shape and dtype of an operator's result from those of its inputs, without computing it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..operators.batching import elementwise
from ..operators.rules import Elementwise, Reduction, Zero
from ..traced import zeros
from .program import PYTHON, Constant, Quantity, stand_in

Type = tuple[tuple[int, ...], Any, bool]  # shape, dtype, weak

_known: dict[Any, Any] = {}
BOUND = 10_000
COUNTING = ("add", "subtract", "multiply", "negative", "positive", "abs")  # in which Python's True is 1, not a truth


def abstract(op: Any, inputs: list[Any], params: dict[str, Any]) -> Type:
    """Shape, dtype and weakness of op(*inputs, **params) for quantities and constants.

    Raises what the operator raises for inputs that do not fit.
    """
    if is_elementwise(op) and not params:
        return (_broadcast(inputs), *_kind(op, inputs))
    key = (op, tuple([_key(x) for x in inputs]), repr(params))
    found = _known.get(key)
    if found is None:
        if len(_known) > BOUND:
            _known.clear()
        found = _known[key] = _evaluated(op, inputs, params)
    return found


def _broadcast(inputs: list[Any]) -> tuple[int, ...]:
    """The shape of inputs that meet element by element."""
    shapes = [x.shape for x in inputs]
    first = shapes[0]
    for shape in shapes:
        if shape != first:
            return np.broadcast_shapes(*shapes)
    return first


def is_elementwise(op: Any) -> bool:
    """Does it act element by element on broadcast inputs?"""
    return isinstance(op.rule, Elementwise) or (isinstance(op.rule, Zero) and op.batch is elementwise)


def _key(x: Any) -> Any:
    if type(x) is Constant and isinstance(x.value, np.ndarray):
        return x.shape, x.value.tobytes()
    return (x.shape, x.dtype, x.weak) if type(x) is Quantity else (type(x.value), x.value)


def _kind(op: Any, inputs: list[Any]) -> tuple[Any, bool]:
    """The dtype of an elementwise result: it does not depend on shapes, but for 0-d arrays, which count as arrays."""
    key = (op, tuple([(x.dtype, x.weak) if type(x) is Quantity else (type(x.value), _like(x.value)) for x in inputs]))
    found = _known.get(key)
    if found is None:
        given = [stand_in(x) if type(x) is Quantity else _like(x.value) for x in inputs]
        weak = op.scalar is not None and all(type(x) in (float, int, bool) for x in given)
        if op.output is not None:
            dtype = op.output([((), x if type(x) in PYTHON else x.dtype) for x in given])[1]
        else:
            if weak and op.name in COUNTING:
                given = [x + 0 for x in given]
            with np.errstate(all="ignore"):
                dtype = np.asarray(op.forward(*given)).dtype
        found = _known[key] = dtype, weak
    return found


def _like(x: Any) -> Any:
    """1 as a number of the same type; an integer that does not fit every type of integers, as it is."""
    return x if type(x) is int and not 0 <= x < 2**7 else type(x)(1)


def _evaluated(op: Any, inputs: list[Any], params: dict[str, Any]) -> Type:
    exact = EXACT.get(op.name)
    if exact is not None:
        shape, dtype = exact(*[_array(x) for x in inputs], **params)
        return shape, dtype, False
    if isinstance(op.rule, Reduction) or op.name in ("sum", "mean"):
        x = _array(inputs[0])
        axis, keepdims = params.get("axis", ()), params.get("keepdims", False)
        if set(params) <= {"axis", "keepdims", "correction"} and 0 not in x.shape:
            one = {**params, "correction": 0} if "correction" in params else params  # which a single element has
            dtype = np.asarray(op.forward(np.ones((1,) * x.ndim, x.dtype), **one)).dtype
            reduced = {i % x.ndim for i in axis}
            shape = tuple([1 if i in reduced else n for i, n in enumerate(x.shape) if keepdims or i not in reduced])
            return shape, dtype, False
    if op.output is not None:
        shape, dtype = op.output([(x.shape, x.dtype) for x in map(_array, inputs)], **params)
        return shape, np.dtype(dtype), False
    given = [x.value if type(x) is Constant else stand_in(x) if x.weak else zeros(x.shape, x.dtype) for x in inputs]
    with np.errstate(all="ignore"):
        value = op.forward(*given, **{**params, **({"kept": {}} if "kept" in params else {})})
    weak = type(value) in (float, int, bool)
    value = np.asarray(value)
    return value.shape, value.dtype, weak


def _array(x: Any) -> Any:
    """Something of the same shape and dtype that takes no memory."""
    return zeros(x.shape, x.dtype) if type(x) is Quantity else np.asarray(x.value)


# ---------------------------------------------------------------------- of rows that would be slow to try


def _einsum(*xs: Any, subscripts: str) -> tuple[Any, Any]:
    terms, _, result = subscripts.partition("->")
    lengths: dict[str, int] = {}
    for term, x in zip(terms.split(","), xs, strict=True):
        for letter, n in zip(term, x.shape, strict=True):
            if lengths.setdefault(letter, n) != n:
                if 1 not in (n, lengths[letter]):
                    raise ValueError(f"{subscripts!r}: the axis {letter} is {n} long and {lengths[letter]} long")
                lengths[letter] = max(n, lengths[letter])
    return tuple([lengths[letter] for letter in result]), np.result_type(*xs)


def _getitem(x: Any, *found: Any, template: Any) -> tuple[Any, Any]:
    rest = iter(found)
    index = tuple([next(rest) if type(part) is str else part for part in template])
    return x[index].shape, x.dtype


EXACT: dict[str, Any] = {
    "einsum": _einsum,
    "getitem": _getitem,
    "reshape": lambda x, shape: (shape, x.dtype),
    "broadcast_to": lambda x, shape: (np.broadcast_to(x, shape).shape, x.dtype),
    "permute_dims": lambda x, axes: (x.transpose(axes).shape, x.dtype),
    "astype": lambda x, dtype: (x.shape, np.dtype(dtype)),
    "as_tensor": lambda x, dtype: (x.shape, np.dtype(dtype)),
    "argument": lambda x: (x.shape, x.dtype),
    "flip": lambda x, axis: (x.shape, x.dtype),
    "roll": lambda x, shift, axis: (x.shape, x.dtype),
}

"""What rules do with their operands, be they nodes, batches, arrays or numbers: shapes, broadcasting, masks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..batched import Batched
from ..capture import ordinary, recorder
from ..node import Node, Operand
from ..traced import Traced, zeros

# The functions of the table by name, filled by `table`: rules stand below the operators they are written in.
FUNCTIONS: dict[str, Callable[..., Any]] = {}


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of a node, an array or a number."""
    try:
        return x.shape
    except AttributeError:
        return np.shape(x)


def float_of(x: Any) -> Any:
    """The dtype of the floats that x holds, or would hold: float64 for integers and Python's numbers."""
    dtype = getattr(value_of(x), "dtype", None)
    return dtype if dtype is not None and dtype.kind in "fc" else np.dtype(float)


def value_of(x: Any) -> Any:
    """The number(s) of a node, also of all examples of a batch of nodes; anything else as it is."""
    if isinstance(x, Node):
        return x._value
    return x.value if type(x) is Batched else x


def as_known(x: Any) -> Any:
    """x as an array, if its numbers are known; a batch or a traced value as it is."""
    return x if type(x) is Batched or type(x) is Traced else np.asarray(ordinary(x))


def as_floats(x: Any) -> Any:
    """x, an array or what stands for one, as floats."""
    if isinstance(x, Operand):
        return FUNCTIONS["astype"](x, float) if getattr(x, "dtype", np.dtype(float)).kind in "iub" else x
    array = np.asarray(ordinary(x))
    return array if array.dtype.kind == "f" else array.astype(float)


def numbers_of(x: Any) -> str:
    """What x holds, as NumPy's letter for the kind of a dtype: b, i, u, f or c; f of a number without a dtype."""
    return str(getattr(getattr(value_of(x), "dtype", None), "kind", "f"))


def zero_of(x: Any) -> Any:
    """The number 0 that leaves x its dtype."""
    return {"b": False, "i": 0, "u": 0}.get(numbers_of(x), 0.0)


def zeros_like(x: Any) -> Any:
    """Plain zeros of the shape and dtype of a node, an array or a number."""
    value = value_of(x)
    if recorder.trace is not None and hasattr(value, "dtype"):
        return zeros(value.shape, value.dtype) if value.shape else value.dtype.type(0)
    return np.zeros_like(value)


def fit(c: Any, x: Any) -> Any:
    """A contribution ``c`` in the shape and dtype of ``x``: summed over the axes along which x was broadcast."""
    shape = shape_of(x)
    given = shape_of(c)
    if given != shape:
        extra = len(given) - len(shape)
        axes = tuple(range(extra)) + tuple(
            i + extra for i, n in enumerate(shape) if n == 1 and given[i + extra] != 1
        )
        if isinstance(c, Operand):
            c = FUNCTIONS["sum"](c, axis=axes, keepdims=True)
            if extra:
                c = FUNCTIONS["reshape"](c, shape)
        elif len(axes) == extra:
            c = np.add.reduce(c, axis=axes)
        else:
            c = np.add.reduce(c, axis=axes, keepdims=True).reshape(shape)[()]
    number = value_of(x)
    if type(c) is complex:
        c = np.complex128(c)
    if is_number(number):
        return c if is_number(value_of(c)) else FUNCTIONS["as_scalar"](real_like(c, float))
    if type(value_of(c)) is float:
        return FUNCTIONS["as_tensor"](c, number.dtype)
    return c if c.dtype == number.dtype else FUNCTIONS["astype"](real_like(c, number.dtype), number.dtype)


def is_number(x: Any) -> bool:
    """Is x a float of Python, or will it be one?"""
    return type(x) is float or (type(x) is Traced and x.weak and x.dtype.kind != "c")


def is_complex(x: Any) -> bool:
    """Does x hold complex numbers?"""
    dtype = getattr(x._value if isinstance(x, Node) else x, "dtype", None)
    return dtype.kind == "c" if dtype is not None else type(x) is complex


def real_like(c: Any, dtype: Any) -> Any:
    """The real part of ``c`` where the dtype is real: what df = Re(c dx) leaves of a complex c for a real x."""
    return FUNCTIONS["real"](c) if is_complex(c) and np.dtype(dtype).kind != "c" else c


def reshaped(t: Any, shape: tuple[int, ...]) -> Any:
    """``t`` with its elements in the given shape."""
    if isinstance(t, Operand):
        return t if shape_of(t) == shape else FUNCTIONS["reshape"](t, shape)
    return t.reshape(shape) if isinstance(t, (np.ndarray, np.generic)) else np.reshape(t, shape)


def expanded(y: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """``y``, reduced from ``x``, so that it broadcasts against x: with the reduced axes as 1, or one number."""
    shape = list(shape_of(x))
    if keepdims or len(axis) == len(shape):
        return y
    for i in axis:
        shape[i] = 1
    return reshaped(y, tuple(shape))


SMALL = 4096  # elements: up to here a copy is cheaper than a view that NumPy sets up in Python


def broadcast(t: Any, shape: tuple[int, ...]) -> Any:
    """``t`` repeated until it has the given shape."""
    if shape_of(t) == shape:
        return t
    if isinstance(t, Operand):
        return FUNCTIONS["broadcast_to"](t, shape)
    if math.prod(shape) > SMALL or recorder.trace is not None:
        return np.broadcast_to(t, shape)
    result = np.empty(shape, getattr(t, "dtype", float))
    result[...] = t
    return result


def scale(x: Any, partial: Any) -> Any:
    """x · partial, where a partial of 1 or -1 costs no product."""
    if type(partial) is int:
        return x if partial == 1 else -x if partial == -1 else x * partial
    return x * partial


def total(terms: list[Any]) -> Any:
    """The sum of a non-empty list."""
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result


def everywhere(mask: Any) -> bool:
    """Does the mask hold everywhere, for sure?"""
    return type(mask) is not Traced and bool(np.all(mask))


def holds(condition: Any) -> bool:
    """Does a condition that is checked hold for all elements? What is traced is expected to, in each call of the program."""
    if type(condition) is Traced:
        recorder.trace.expect_zero(FUNCTIONS["sum"](FUNCTIONS["logical_not"](condition)))
        return True
    return bool(np.all(condition))


def masked(mask: Any, x: Any) -> Any:
    """``x`` where the mask holds, exactly 0 elsewhere."""
    return x if everywhere(mask) else FUNCTIONS["where"](mask, x, 0.0)


def any_over(mask: Any, x: Any) -> Any:
    """A mask of a broadcast result brought back to the shape of ``x``: true where any position is."""
    return fit(np.asarray(mask, dtype=float), np.zeros(shape_of(x))) > 0


def benign(x: Any) -> Any:
    """Finite numbers in place of those that are not, to see where a rule carries things, not what."""
    return np.nan_to_num(x, nan=0.5, posinf=2.0, neginf=-2.0) if np.asarray(x).dtype.kind == "f" else x

"""The namespace of the array API standard 2024.12 for tensors: ``x.__array_namespace__()``.

Libraries that ask an array for its namespace run on tensors by it, and are differentiated. Three things differ from the
standard, as nodes are values with derivatives: nothing is written in place (``x[i] = v``, ``out=``); comparisons, integers and
booleans are plain NumPy arrays; a node can't be handed over by DLPack.

>>> x = ag.Tensor([3.0, 4.0])
>>> xp = x.__array_namespace__()
>>> xp.sqrt(xp.sum(xp.square(x)))
Tensor(5., op=sqrt)
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .node import Node
from .tensor import Tensor

VERSION = "2024.12"
__array_api_version__ = VERSION

# What the standard asks for that NumPy itself has: dtypes, constants, and questions about dtypes.
DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "complex64",
    "complex128",
)
PLAIN = (*DTYPES, "e", "inf", "nan", "newaxis", "pi", "finfo", "iinfo", "isdtype", "__array_namespace_info__")

# Functions on arrays that answer with plain ones, or with what is no array.
VALUES = (
    "can_cast", "result_type", "bitwise_and", "bitwise_left_shift", "bitwise_invert", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "broadcast_shapes",
)

CREATION = ("arange", "empty", "eye", "full", "linspace", "ones", "zeros")
LIKE = ("empty_like", "full_like", "ones_like", "zeros_like")

FUNCTIONS = (
    "abs", "acos", "acosh", "add", "all", "any", "argmax", "argmin", "asin", "asinh", "astype", "atan", "atan2",
    "atanh", "broadcast_arrays", "broadcast_to", "ceil", "clip", "concat", "conj", "copysign", "cos", "cosh", "count_nonzero",
    "diff", "divide", "equal", "exp", "expand_dims", "expm1", "flip", "floor",
    "floor_divide", "greater", "greater_equal", "hypot", "imag", "isfinite", "isinf", "isnan", "less", "less_equal", "log",
    "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor", "matmul",
    "matrix_transpose", "max", "maximum", "mean", "meshgrid", "min", "minimum", "moveaxis", "multiply", "negative",
    "nextafter", "nonzero", "not_equal", "permute_dims", "positive", "pow", "prod", "real", "reciprocal", "remainder",
    "repeat", "reshape", "roll", "round", "searchsorted", "sign", "signbit", "sin", "sinh", "sqrt", "square",
    "squeeze", "stack", "std", "subtract", "sum", "take", "take_along_axis", "tan", "tanh", "tensordot", "tile", "tril",
    "triu", "trunc", "unique_all", "unique_counts", "unique_inverse", "unique_values", "unstack", "var", "vecdot", "where",
)


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Any:
    """A tensor of the numbers given; a node as it is."""
    _on_cpu(device)
    if isinstance(obj, Node):
        x = obj if dtype is None or np.result_type(obj._value) == dtype else _function("astype")(obj, dtype)
        return x if not copy or x is not obj else _function("positive")(obj)
    if copy is False and not isinstance(obj, np.ndarray):
        raise ValueError("asarray: copy=False, and only an array can be taken without a copy")
    return Tensor(np.asarray(obj, dtype))


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
    """A tensor of an array of another library, by the DLPack protocol."""
    return Tensor(np.from_dlpack(x))


def sort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """The elements in rising order along ``axis``, or in falling order."""
    rising = _function("sort")(x, axis)
    return _function("flip")(rising, axis) if descending else rising


def argsort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """The places of the elements in rising order, or in falling order; equal ones stay as they stand."""
    value = _plain(x)
    if not descending:
        return np.argsort(value, axis=axis, stable=True)
    backwards = np.argsort(np.flip(value, axis), axis=axis, stable=True)
    return value.shape[axis] - 1 - np.flip(backwards, axis)


def _with_initial(name: str, initial: float) -> Callable[..., Any]:
    """A cumulative function of the standard, which can begin with what no elements give."""

    def call(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Any:
        if axis is None:
            if x.ndim != 1:
                raise ValueError(f"{name} of several axes needs axis=: got an array of shape {x.shape}")
            axis = 0
        if dtype is not None:
            x = _function("astype")(x, dtype)
        y = _function(name)(x, axis)
        if not include_initial:
            return y
        shape = list(x.shape)
        shape[axis] = 1
        return _function("concat")([np.full(shape, initial, _plain(y).dtype), y], axis)

    call.__name__ = name
    call.__doc__ = f"As ag.{name}; ``include_initial`` puts {initial:g} in front."
    return call


cumulative_sum, cumulative_prod = _with_initial("cumulative_sum", 0.0), _with_initial("cumulative_prod", 1.0)


def _created(name: str) -> Callable[..., Any]:
    create = getattr(np, name)

    @functools.wraps(create)
    def call(*args: Any, device: Any = None, **kwargs: Any) -> Any:
        _on_cpu(device)
        return Tensor(create(*map(_plain, args), **{key: _plain(x) for key, x in kwargs.items()}))

    return call


def _plain(x: Any) -> Any:
    return x._value if isinstance(x, Node) else x


def _values(name: str) -> Callable[..., Any]:
    f = getattr(np, name)

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        return f(*map(_plain, args), **kwargs)

    return call


def _on_cpu(device: Any) -> None:
    if device not in (None, "cpu"):
        raise ValueError(f"device={device!r}: arrays are in the memory of this machine, device='cpu'")


def _function(name: str) -> Any:
    import ag  # here, as most functions are imported when they are asked for first

    return getattr(ag, name)


def __getattr__(name: str) -> Any:
    if name in PLAIN:
        value: Any = getattr(np, name)
    elif name in CREATION or name in LIKE:
        value = _created(name)
    elif name in VALUES:
        value = _values(name)
    elif name in FUNCTIONS or name in ("linalg", "fft"):
        value = _function(name)
    else:
        raise AttributeError(f"the array API standard {VERSION} has no {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    own = (
        "asarray", "from_dlpack", "sort", "argsort", "cumulative_sum", "cumulative_prod", "linalg", "fft",
        "__array_api_version__",
    )
    return sorted({*PLAIN, *CREATION, *LIKE, *VALUES, *FUNCTIONS, *own})


def namespace(api_version: str | None) -> Any:
    """This module, if it follows that version of the standard. Raises ValueError."""
    import sys

    if api_version not in (None, "2021.12", "2022.12", "2023.12", VERSION):
        raise ValueError(f"api_version={api_version!r}: the array API standard is followed up to {VERSION}")
    return sys.modules[__name__]

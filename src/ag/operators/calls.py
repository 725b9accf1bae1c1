"""From a row to a function: record a node where an argument is a node, else just compute.

`unary`, `binary` and `methods` are the same as `apply`, written out for speed: most of the time of a small graph is spent
here. They cost no more than a few attribute stores over the computation itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from sys import _getframe
from typing import TYPE_CHECKING, Any

import numpy as np

from ..batched import Batched
from ..capture import capture, constant, ordinary, seen
from ..node import Node, describe, made, next_stamp, relocate
from ..scalar import Scalar
from ..source import user_frame
from ..symbol import Symbol
from ..tensor import Tensor
from ..traced import Traced, is_traced, recorded
from . import batching
from .rules import Bilinear, is_complex, shape_of

if TYPE_CHECKING:
    from .table import Operator

# What Python's own arithmetic raises where IEEE has an answer (inf or nan).
ARITHMETIC = (ValueError, ZeroDivisionError, OverflowError)

new = object.__new__


def ieee(op: Operator, *numbers: Any) -> float:
    """The row's value on Python numbers by NumPy, whose floats obey IEEE (and its error state)."""
    return float(op.forward(*map(np.float64, numbers)))


def unary(op: Operator, array: Callable[..., Any], scalar: Callable[..., Any], depth: int) -> Callable[..., Any]:
    """The function of an elementwise row of one argument, for a user who stands ``depth`` frames above it."""

    def call(x: Any) -> Any:
        face = type(x)
        if face is Scalar:
            try:
                value = scalar(x._value)
            except ARITHMETIC:
                value = ieee(op, x._value)
        elif face is Tensor:
            value = array(x._value)
        elif face is np.ndarray:
            return array(x)
        else:
            return apply(op, (x,), {})
        node = new(face)
        node._value = value
        node.op = op
        node._first = x
        node._second = None
        frame = _getframe(depth)
        node._code = frame.f_code
        node._stamp = next_stamp() + frame.f_lasti
        return node

    return call


def binary(op: Operator, array: Callable[..., Any], scalar: Callable[..., Any], depth: int) -> Callable[..., Any]:
    """The function of an elementwise row of two arguments, for a user who stands ``depth`` frames above it."""

    def call(x: Any, y: Any) -> Any:
        kind: Any = type(x)
        face: Any
        if kind is Scalar:
            a = x._value
            kind = type(y)
            if kind is Scalar:
                b = y._value
                face = Scalar
            elif kind is float or kind is int:
                b = y
                face = Scalar
            elif kind is Tensor:
                b = y._value
                face = Tensor
            else:
                return apply(op, (x, y), {})
        elif kind is Tensor:
            a = x._value
            kind = type(y)
            if kind is Tensor or kind is Scalar:
                b = y._value
            elif kind is float or kind is int:
                b = y
            else:
                return apply(op, (x, y), {})
            face = Tensor
        elif kind is float or kind is int:
            a = x
            face = type(y)
            if face is not Scalar and face is not Tensor:
                return apply(op, (x, y), {})
            b = y._value
        else:
            return apply(op, (x, y), {})
        try:
            value = scalar(a, b) if face is Scalar else array(a, b)
        except ARITHMETIC as error:
            if face is Tensor:
                raise mismatch(op, (x, y), error) from None
            value = ieee(op, a, b)
        if type(value) is int:
            value = float(value)  # of rows that select: the integer that was given
        node = new(face)
        node._value = value
        node.op = op
        node._first = x
        node._second = y
        frame = _getframe(depth)
        node._code = frame.f_code
        node._stamp = next_stamp() + frame.f_lasti
        return node

    return call


def methods(op: Operator, array: Callable[..., Any], scalar: Callable[..., Any]) -> tuple[Callable[..., Any], ...]:
    """The Python operators of an elementwise row of two arguments, of a scalar and of a tensor: ``x * y``."""
    function = binary(op, array, scalar, 2)

    def of_scalar(x: Any, y: Any) -> Any:
        kind = type(y)
        if kind is Scalar:
            b = y._value
        elif kind is float or kind is int:
            b = y
        else:
            return function(x, y)
        try:
            value = scalar(x._value, b)
        except ARITHMETIC:
            value = ieee(op, x._value, b)
        node = new(Scalar)
        node._value = value
        node.op = op
        node._first = x
        node._second = y
        frame = _getframe(1)
        node._code = frame.f_code
        node._stamp = next_stamp() + frame.f_lasti
        return node

    def of_tensor(x: Any, y: Any) -> Any:
        kind = type(y)
        if kind is Tensor or kind is Scalar:
            b = y._value
        elif kind is float or kind is int:
            b = y
        else:
            return function(x, y)
        try:
            value = array(x._value, b)
        except ValueError as error:
            raise mismatch(op, (x, y), error) from None
        node = new(Tensor)
        node._value = value
        node.op = op
        node._first = x
        node._second = y
        frame = _getframe(1)
        node._code = frame.f_code
        node._stamp = next_stamp() + frame.f_lasti
        return node

    return of_scalar, of_tensor


def apply(op: Operator, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """op(*inputs, **params) for any inputs: a node if one of them is a node and the row records, else plain."""
    face: Any = None
    for x in inputs:
        kind = type(x)
        if kind is Tensor:
            face = Tensor
        elif kind is Scalar and face is None:
            face = Scalar
        elif kind is Batched:
            return batched(op, inputs, params)
        elif kind is Symbol:
            return symbolic(op, inputs, params)
    if face is None:
        traced = False
        for x in inputs:
            kind = type(x)
            if kind is not np.ndarray and kind is not float:
                traced |= kind is Traced
                ordinary(x)
        if traced:
            return recorded(op, inputs, params)
        try:
            return op.plain(inputs, params)
        except ValueError as error:
            raise mismatch(op, inputs, error) from None
    if op.scalar is None:
        face = Tensor
    kept = []
    values = []
    for x in inputs:
        if isinstance(x, Node):
            values.append(x._value)
        else:
            if type(x) is np.ndarray:
                x = capture(x)
                face = Tensor
            elif type(x) is Traced:
                face = Tensor
            elif type(x) is not float and type(x) is not int:
                x = constant(x)
                if face is Scalar:
                    if isinstance(x, (np.float64, np.integer, np.bool_)):
                        x = x.item()  # beside scalars a NumPy number is a number
                    elif type(x) is not bool:
                        face = Tensor
            values.append(x)
        kept.append(x)
    if seen.traced and is_traced(*values):
        value = recorded(op, tuple(values), params)
        if not op.records:
            return value
        face = Tensor  # whose value has no numbers
    elif not op.records:
        return op.plain(tuple(values), params)
    elif face is Scalar:
        value = float(op.plain(tuple(values), params))  # of rows that select, it may be an integer that was given
    else:
        try:
            value = op.forward(*values, **params)
        except ValueError as error:
            raise mismatch(op, inputs, error) from None
        if op.face is not None:
            face = op.face
    if not seen.complex and is_complex(value):
        seen.complex = True
    node = made(face, value, op, kept)
    if params:
        node._params = params
    return node


def traceable(op: Operator) -> Callable[..., Any]:
    """The row's value on arrays, for values that may be traced. A ufunc of NumPy sees to that by itself."""
    forward = op.forward
    if isinstance(forward, np.ufunc):
        return forward

    def value(*values: Any) -> Any:
        if seen.traced and is_traced(*values):
            return recorded(op, values, {})
        return forward(*values)

    return value


def batched(op: Operator, inputs: tuple[Any, ...], params: dict[str, Any]) -> Batched:
    """op(*inputs, **params) for all examples of a batch at once."""
    try:
        return batching.apply(op, inputs, params)
    except ValueError as error:
        raise mismatch(op, inputs, error) from None


def symbolic(op: Operator, inputs: tuple[Any, ...], params: dict[str, Any]) -> Symbol:
    """op(*inputs, **params) as a part of a formula."""
    values = [x._value if isinstance(x, Node) else x for x in inputs]
    values = [np.float64(x) if type(x) is float else x for x in values]  # Python's floats raise where IEEE has an answer
    node = made(Symbol, np.asarray(op.forward(*values, **params))[()], op, inputs)
    node._params = params
    return node


def located(body: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: all nodes that the function makes are located at the user's line."""

    @functools.wraps(body)
    def call(*args: Any, **kwargs: Any) -> Any:
        since = next_stamp()
        for x in (*args, *kwargs.values()) if kwargs else args:
            if type(x) is not np.ndarray:
                ordinary(x)
        result = body(*args, **kwargs)
        if type(result) is not np.ndarray:
            frame = user_frame()
            relocate(result if isinstance(result, (list, tuple)) else (result,), since, frame.f_code, frame.f_lasti)
        return result

    return call


def mismatch(op: Operator, inputs: tuple[Any, ...], error: Exception) -> ValueError:
    """What to say of arrays that do not go together; ``error`` is what NumPy said."""
    given = " and ".join(describe(x) for x in inputs)
    if op.rule.partials is not None:
        shapes = [shape_of(x) for x in inputs]
        try:
            np.broadcast_shapes(*shapes)
        except ValueError:
            return ValueError(
                f"{op.name}: {given} do not broadcast: of the shapes {' and '.join(map(str, shapes))}, aligned at their "
                f"last axes, each pair of lengths must be equal or contain a 1; reshape one of them, for example x[:, None]"
            )
    if isinstance(op.rule, Bilinear) and op.output is not None:
        try:
            op.output([(shape_of(x), float) for x in inputs])
        except ValueError as said:
            error = said
    kind = np.linalg.LinAlgError if isinstance(error, np.linalg.LinAlgError) else ValueError
    return kind(f"{op.name} of {given}: {error}")

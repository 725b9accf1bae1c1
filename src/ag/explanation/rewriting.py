"""A formula as a reader would write it: what rules leave behind, made simpler where that is exact.

A branch that is decided is taken; 1 · a is a; a transposed product is the product of the transposed; what NumPy can only
write by adding an axis and taking it away is a product with a vector.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..node import Node, made
from ..operators.table import TABLE
from ..symbol import Symbol
from .names import ONE

Inputs = tuple[Any, ...]
Params = dict[str, Any]


def rewritten(name: str, inputs: Inputs, params: Params) -> tuple[Any] | None:
    """The simpler symbol or constant, in a tuple as it may be any; None if there is none."""
    rule = RULES.get(name)
    return None if rule is None else rule(inputs, params)


def _apply(name: str, *inputs: Any, **params: Any) -> Any:
    return TABLE[name].apply(inputs, params)


def _value(x: Any) -> Any:
    return x._value if isinstance(x, Node) else x


def _is(x: Any, name: str) -> bool:
    return isinstance(x, Symbol) and x.op is not None and x.op.name == name


def _is_one(x: Any) -> bool:
    if isinstance(x, Symbol):
        return x.op is None and x.name is ONE
    return np.ndim(x) == 0 and bool(x == 1)


def _decided(inputs: Inputs, params: Params) -> tuple[Any] | None:
    """A condition that holds everywhere, or nowhere, is no question."""
    condition = np.asarray(_value(inputs[0]))
    if condition.all():
        return (inputs[1],)
    return None if condition.any() else (inputs[2],)


def _unequal_to_zero(inputs: Inputs, params: Params) -> tuple[Any] | None:
    """c ≠ 0, for truth values, as c."""
    return (inputs[0],) if _is_truth(inputs) else None


def _equal_to_zero(inputs: Inputs, params: Params) -> tuple[Any] | None:
    """c = 0, for truth values, as ¬ c."""
    return (_apply("logical_not", inputs[0]),) if _is_truth(inputs) else None


def _is_truth(inputs: Inputs) -> bool:
    c, zero = inputs
    return not isinstance(zero, Node) and np.ndim(zero) == 0 and not zero and np.asarray(_value(c)).dtype.kind == "b"


def _quotient(inputs: Inputs, params: Params) -> tuple[Any] | None:
    """a / 1 as a, and (-a) / b as -(a / b)."""
    return (inputs[0],) if _is_one(inputs[1]) else _signed("divide", inputs)


def _product(inputs: Inputs, params: Params) -> tuple[Any] | None:
    """1 · a as a, -1 · a as -a, (-a) · b as -(a · b), and x[:, None] ⊙ y of two vectors as x · yᵀ."""
    for one, other in (inputs, inputs[::-1]):
        if _is_one(one):
            return (other,)
        number = other._value.dtype.kind == "f" if isinstance(other, Symbol) else False
        if number and not isinstance(one, Node) and np.ndim(one) == 0 and one == -1:
            return (_apply("negative", other),)
    column, row = (_vector(x) for x in inputs)
    if column is not None and row is not None and np.shape(_value(inputs[0])) == (len(_value(column)), 1):
        return (_outer(column, row),)
    return _signed("multiply", inputs)


def _signed(name: str, inputs: Inputs) -> tuple[Any] | None:
    a, b = inputs
    return (_apply("negative", _apply(name, a.inputs[0], b)),) if _is(a, "negative") else None


def _vector(x: Any) -> Any:
    """The vector behind x[:, None] or x[None, :], or x itself if it is one; else None."""
    if _is(x, "getitem") and all(part is None or part is Ellipsis or part == slice(None) for part in x.params["template"]):
        x = x.inputs[0]
    return x if np.ndim(_value(x)) == 1 and isinstance(x, Node) else None


def _outer(x: Symbol, y: Symbol) -> Symbol:
    """x · yᵀ of two vectors, where yᵀ is a row."""
    row = _written("permute_dims", y._value[None, :], y)
    row._params = {"axes": _last_two(2)}
    return _written("matmul", np.multiply.outer(x._value, y._value), x, row)


def _written(name: str, value: Any, *inputs: Any) -> Symbol:
    """A symbol with the formula of a row on inputs that the row itself would not take."""
    symbol: Symbol = made(Symbol, value, TABLE[name], inputs)
    symbol._params = {}
    return symbol


def _power(inputs: Inputs, params: Params) -> tuple[Any] | None:
    """x¹ as x."""
    return (inputs[0],) if not isinstance(inputs[1], Node) and _is_one(inputs[1]) else None


def _element(inputs: Inputs, params: Params) -> tuple[Any] | None:
    """(A · v[..., :, None])[..., 0] as A · v."""
    x = inputs[0]
    if params["template"] != (Ellipsis, 0) or not _is(x, "matmul"):
        return None
    a, v = x.inputs[0], _vector(x.inputs[1])
    return None if v is None or np.shape(_value(x.inputs[1])) != (len(_value(v)), 1) else (_apply("matmul", a, v),)


def _transposed(inputs: Inputs, params: Params) -> tuple[Any] | None:
    """(A B)ᵀ as Bᵀ Aᵀ, and (Aᵀ)ᵀ as A."""
    x = inputs[0]
    axes = params["axes"]
    if axes != _last_two(len(axes)):
        return None
    if _is(x, "permute_dims"):
        return (x.inputs[0],) if x.params["axes"] == axes else None
    if not _is(x, "matmul"):
        return None
    ranks = [np.ndim(_value(y)) for y in x.inputs]
    if min(ranks) < 2:
        return None
    left, right = (_transpose(y, n) for y, n in zip(x.inputs, ranks, strict=True))
    return (_apply("matmul", right, left),)


def _transpose(x: Any, ndim: int) -> Any:
    return _apply("permute_dims", x, axes=_last_two(ndim)) if isinstance(x, Node) else np.matrix_transpose(x)


def _last_two(ndim: int) -> tuple[int, ...]:
    """The axes of a matrix transpose."""
    return (*range(-ndim, -2), -1, -2)


RULES: dict[str, Callable[[Inputs, Params], tuple[Any] | None]] = {
    "where": _decided, "not_equal": _unequal_to_zero, "equal": _equal_to_zero, "divide": _quotient, "multiply": _product,
    "pow": _power, "getitem": _element, "permute_dims": _transposed,
}

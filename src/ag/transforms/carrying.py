"""What a loop carries: numbers and arrays in containers, which keep their shapes and dtypes from step to step."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..batched import physical
from ..capture import ordinary
from ..node import Operand
from ..operators.elementwise import where
from ..operators.rules import value_of
from ..operators.shaping import as_tensor, astype
from ..scalar import Scalar
from ..traced import is_traced
from .arguments import owned
from .containers import leaves, paths, rebuilt, same_shape, shown


class Kept:
    """What keeps its containers, shapes and dtypes from step to step.

    tree    the first of it, as it was given
    ends    its leaves, as arrays and nodes
    kinds   the shape and dtype of each
    """

    def __init__(self, tree: Any, who: str, name: str) -> None:
        self.tree, self.who, self.name = tree, who, name
        self.given = leaves(tree)
        self.paths = paths(tree, name)
        self.ends = [number_of(x, path, who) for x, path in zip(self.given, self.paths, strict=True)]
        self.kinds = [kind_of(x) for x in self.ends]

    def seen(self, ends: list[Any]) -> Any:
        """As the user's function is given it: in its containers, and read-only, as it may be needed again."""
        return rebuilt(self.tree, map(sealed, ends))

    def after(self, new: Any, ends: list[Any], step: int, active: Any = True) -> list[Any]:
        """The ends after one step that gave ``new``; those before it where an example is not active."""
        if not same_shape(new, self.tree):
            hint = ": does the function end in a return?" if new is None else ""
            raise TypeError(
                f"{self.who}: {self.name} was {shown(self.tree)} and became {shown(new)} in step {step}: it must keep its "
                f"containers{hint}"
            )
        result = []
        for x, (shape, dtype), path in zip(leaves(new, like=self.tree), self.kinds, self.paths, strict=True):
            x = number_of(x, path, self.who, dtype)
            if kind_of(x) != (shape, dtype):
                how = (
                    f"begin with an array of shape {x.shape}, or let the function return one of shape {shape}"
                    if x.shape != shape
                    else f"begin with the dtype {x.dtype}, or let the function return it as .astype({dtype.name!r})"
                )
                raise TypeError(
                    f"{self.who}: {path} was {named(shape, dtype)} and became {named(*kind_of(x))} in step {step}, but must keep "
                    f"its shape and dtype: {how}"
                )
            result.append(x)
        if active is True or (not is_traced(physical(active)) and np.all(physical(active))):
            return result
        return [x if x is old else where(active, x, old) for x, old in zip(result, ends, strict=True)]

    def result(self, ends: list[Any]) -> Any:
        """What the caller is given: arrays of their own, in the containers."""
        return rebuilt(self.tree, owned(ends, self.given))


def kind_of(x: Any) -> tuple[tuple[int, ...], Any]:
    return x.shape, x.dtype


def named(shape: tuple[int, ...], dtype: Any) -> str:
    return f"{dtype} of shape {shape}"


# Python's numbers: the dtype that they count as, and the kinds of dtype that they can take.
PYTHON = {bool: np.dtype(bool), int: np.dtype(np.int64), float: np.dtype(float), complex: np.dtype(complex)}
WEAK = {"b": "b", "i": "iufc", "f": "fc", "c": "c"}


def number_of(x: Any, path: str, who: str, dtype: Any = None) -> Any:
    """x as an array or a node with shape and dtype: Python's numbers take ``dtype``, if it can hold them."""
    own = _dtype_of_python(x)
    if own is not None:
        wanted = dtype if dtype is not None and dtype.kind in WEAK[own.kind] else own
        if isinstance(x, Scalar):
            x = as_tensor(x)
            return x if x.dtype == wanted else astype(x, wanted)
        if isinstance(x, Operand):
            return astype(x, wanted)
        try:
            return np.asarray(x, wanted)[()]
        except OverflowError:
            raise OverflowError(f"{who}: {path} is {x}, which is too large for {wanted}: write {float(x)}") from None
    if isinstance(x, Operand):
        return x
    ordinary(x, f"{who}: {path}: ")
    if not isinstance(x, (np.ndarray, np.generic)) or x.dtype.kind not in "fiubc":
        what = f"an array of dtype {x.dtype}" if isinstance(x, np.ndarray) else f"a {type(x).__name__}"
        raise TypeError(f"{who}: {path} is {what}; here are numbers and arrays of numbers: let the function capture the rest")
    return x


def _dtype_of_python(x: Any) -> Any:
    """The dtype that x counts as, if it is or stands for a Python number; else None."""
    value = value_of(x)
    return value.dtype if is_traced(value) and value.weak else PYTHON.get(type(value))


def sealed(x: Any) -> Any:
    """x as it may be shown: a write into it would change what is still needed."""
    if not isinstance(x, np.ndarray) or not x.flags.writeable:
        return x
    view = x.view()
    view.flags.writeable = False
    return view

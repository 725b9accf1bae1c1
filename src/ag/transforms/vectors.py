"""A container of numbers and arrays as one vector, and back: what solvers of other libraries work on."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..capture import ordinary
from ..node import describe
from ..operators.joining import concat
from ..operators.operands import shape_of, value_of
from ..operators.shaping import as_scalar, astype, reshape
from ..traced import Traced
from .containers import leaves, rebuilt, same_shape


class Layout:
    """Where the parts of a container stand in the vector. Raises TypeError for what is no real number or array of such."""

    def __init__(self, tree: Any, who: str) -> None:
        ends = [_as_float(x) for x in leaves(tree)]
        for x in ends:
            ordinary(x)
            dtype = getattr(value_of(x), "dtype", None)
            if not (dtype.kind == "f" if dtype is not None else type(value_of(x)) is float):
                raise TypeError(f"{who}: x0 holds {describe(x)}; it is made of floats and float arrays: write x.astype(float)")
        self.tree_like = rebuilt(tree, ends)
        self.parts = [(shape_of(x), getattr(value_of(x), "dtype", None)) for x in ends]
        self.sizes = [int(np.prod(shape, dtype=int)) for shape, _ in self.parts]
        self.size = sum(self.sizes)

    def vector(self, tree: Any, who: str = "") -> Any:
        """The parts of a container one after another."""
        if not same_shape(tree, self.tree_like) and who:
            raise TypeError(f"{who} has to return a container like x")
        parts = [reshape(x, (-1,)) for x in leaves(tree, like=self.tree_like)]
        return parts[0] if len(parts) == 1 else concat(parts)

    def tree(self, vector: Any) -> Any:
        """The container from the vector, with Python floats where there were such."""
        start, ends = 0, []
        for (shape, dtype), size in zip(self.parts, self.sizes, strict=True):
            part = reshape(vector if size == self.size else vector[start : start + size], shape)
            ends.append(as_scalar(part) if dtype is None else part if part.dtype == dtype else astype(part, dtype))
            start += size
        return rebuilt(self.tree_like, ends)


def _as_float(x: Any) -> Any:
    """A Python integer as a float, also where it is recorded."""
    if type(x) is Traced and x.weak and x.dtype.kind == "i":
        return astype(x, np.dtype(float))
    return float(x) if type(x) is int else x

"""Scalar: the face of a node whose value is a Python float."""

from __future__ import annotations

from typing import Any

import numpy as np

from .node import Node, Operand, describe


class Scalar(Node):
    """A number in a computation graph.

    Arguments: ``value``, a real number; ``label``, a name for drawing and explaining.
    It obeys IEEE arithmetic as arrays do (``ag.log(ag.Scalar(0.0))`` is -inf), and in a mixture with arrays it
    is weak as a Python float: float32 stays float32.

    Raises TypeError for what is not a real number.

    >>> x, y = ag.Scalar(2.0, label="x"), ag.Scalar(1.0, label="y")
    >>> f = x * y + ag.exp(-x)
    >>> f.backward()
    >>> x.grad, y.grad
    (0.8646647167633873, 2.0)
    """

    __slots__ = ()
    value: Any

    def __init__(self, value: Any, label: str | None = None) -> None:
        self._set_leaf(self._leaf_value(value), label)

    def _leaf_value(self, new: Any) -> float:
        if type(new) is float:
            return new
        if isinstance(new, Operand):
            raise TypeError(
                f"{describe(new)} is a node already: use it as it is, or x.detach() for a leaf with its value"
            )
        if isinstance(new, (int, float, np.integer, np.floating, np.bool_)):
            return float(new)
        if isinstance(new, np.ndarray) and new.ndim == 0 and new.dtype.kind in "fiub":
            return float(new)
        raise TypeError(f"a Scalar holds one real number, got {describe(new)}: for arrays write ag.Tensor(array)")

    def __repr__(self) -> str:
        label = "" if self.label is None else f", label={self.label!r}"
        op = "" if self.op is None else f", op={self.op.name}"
        return f"Scalar({self._value!r}{label}{op})"

    shape = ()
    ndim = 0
    size = 1

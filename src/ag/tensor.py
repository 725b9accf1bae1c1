"""Tensor: the face of a node whose value is a NumPy array."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Never, NoReturn

import numpy as np

from .advice import unknown_keyword
from .capture import capture, constant, frozen, numeric
from .node import Arraylike, Node, Operand, describe
from .traced import Traced


class Tensor(Arraylike, Node):
    """An array in a computation graph.

    Arguments: ``array``, anything that ``np.asarray`` makes an array of numbers (its dtype is kept);
    ``label``, a name for drawing and explaining. Up to 64 KiB the array is copied; a larger one is
    write-locked as long as the tensor, or a graph that uses it, lives.

    Raises TypeError for nodes (``ag.stack`` joins them) and for what holds no numbers.

    >>> W = ag.Tensor([[1.0, 2.0], [3.0, 4.0]], label="W")
    >>> (W * W).sum().backward()
    >>> W.grad
    array([[2., 4.],
           [6., 8.]])
    """

    __slots__ = ("_params",)
    _params: dict[str, Any]

    def __init__(self, array: Any, label: str | None = None, **other: Never) -> None:
        if other:
            raise unknown_keyword(other)
        self._set_leaf(self._leaf_value(array), label)

    def _leaf_value(self, new: Any) -> Any:
        if type(new) is Traced:
            return new
        if isinstance(new, Operand):
            raise TypeError(
                f"{describe(new)} is a node already: use it as it is, or x.detach() for a leaf with its value"
            )
        if isinstance(new, np.ndarray):
            return capture(new)
        if isinstance(new, np.generic):
            return numeric(np.asarray(new))[()]
        return frozen(numeric(np.asarray(constant(new))))

    def __repr__(self) -> str:
        text = np.array2string(np.asarray(self._value), separator=", ", prefix="Tensor(", threshold=100)
        dtype = "" if self._value.dtype in (np.float64, np.int64, np.bool_) else f", dtype={self._value.dtype}"
        label = "" if self.label is None else f", label={self.label!r}"
        op = "" if self.op is None else f", op={self.op.name}"
        return f"Tensor({text}{dtype}{label}{op})"

    # ------------------------------------------------------------------ the array API standard

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        """The module with the functions of the array API standard, up to ``api_version`` 2024.12."""
        from .array_api import namespace

        return namespace(api_version)

    @property
    def device(self) -> str:
        """Where its numbers are: in the memory of this machine."""
        return "cpu"

    def to_device(self, device: str, /, *, stream: Any = None) -> Tensor:
        """Itself; there is one device, "cpu"."""
        if device != "cpu":
            raise ValueError(f"{describe(self)} can't be moved to {device!r}: it is in the memory of this machine, 'cpu'")
        return self

    def __dlpack__(self, **kwargs: Any) -> NoReturn:
        raise TypeError(f"{describe(self)} can't be handed over by DLPack, as its derivative would be lost: hand over x.value")

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    # ------------------------------------------------------------------ as a sequence

    def __len__(self) -> int:
        return len(self._value)

    def __iter__(self) -> Iterator[Any]:
        if self.ndim == 0:
            raise TypeError(f"{describe(self)} has no axis to iterate over")
        row: Any = self  # indexing is attached to nodes by its row
        return (row[i] for i in range(len(self)))

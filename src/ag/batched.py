"""Batched: what a function sees of its arguments while it runs under ``vmap``.

It stands for one example, and holds all of them: a node or an array, whose leading axes are hidden. Each vmap that runs
adds one such axis, of the newest first. What operators do with it stands in `operators.batching`. So the graph below is
made of ordinary nodes, and no walk over it knows of batches.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count
from typing import Any, NoReturn

import numpy as np

from .advice import STACKED, advice, said_last, storing
from .node import Node, Operand, Shaped

_next_number = count().__next__


class Level:
    """One vmap that runs, or ran: how many examples it has."""

    __slots__ = ("number", "size")

    def __init__(self, size: int) -> None:
        self.number = _next_number()
        self.size = size


class _Live(threading.local):
    """The vmaps that run in this thread, the newest first."""

    levels: tuple[Level, ...] = ()


live = _Live()


class under:
    """While the body runs, these are the vmaps that run."""

    __slots__ = ("levels", "outer")

    def __init__(self, levels: tuple[Level, ...]) -> None:
        self.levels = levels

    def __enter__(self) -> None:
        self.outer = live.levels
        live.levels = self.levels

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        live.levels = self.outer
        if kind is ValueError:
            said_last(error)


def physical(x: Any) -> Any:
    """What stands below the hidden axes of x; x itself if it is no batch."""
    return x.physical if type(x) is Batched else x


class Batched(Shaped, Operand):
    """One example of a batch: ``physical``, a node or an array with one hidden leading axis for each of ``levels``."""

    __slots__ = ("levels", "physical")
    physical: Any
    levels: tuple[Level, ...]  # the newest first

    def __init__(self, physical: Any, levels: tuple[Level, ...]) -> None:
        self.physical = physical
        self.levels = levels

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths along each axis of one example."""
        return self.physical.shape[len(self.levels) :]

    @property
    def ndim(self) -> int:
        """How many axes one example has."""
        return self.physical.ndim - len(self.levels)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its elements."""
        return self.physical.dtype

    @property
    def value(self) -> Any:
        """Its numbers, still as one example of the batch."""
        return Batched(self.physical.value, self.levels) if isinstance(self.physical, Node) else self

    def __repr__(self) -> str:
        examples = " × ".join(str(level.size) for level in self.levels)
        return f"Batched(shape {self.shape}, {self.dtype}, one of {examples} examples)"

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("one example is a number and has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("one example is a number: there is no axis to iterate over")
        example: Any = self  # indexing is attached by its row
        return (example[i] for i in range(self.shape[0]))

    # ------------------------------------------------------------------ what would need one example alone

    def _several(self, what: str, instead: str) -> NoReturn:
        raise TypeError(f"{what} under ag.vmap has no one answer, as the examples differ: {instead}{advice()} (x is {self!r})")

    def __bool__(self) -> bool:
        self._several(
            "the truth of x",
            "write ag.where(condition, a, b) for a choice, and ag.logical_and, ag.logical_or, ag.logical_not "
            "in place of and, or, not",
        )

    def __float__(self) -> float:
        self._several("float(x)", STACKED if storing() else "keep x and use ag's functions (ag.sin(x), not math.sin(x))")

    def __int__(self) -> int:
        self._several("int(x)", "keep x, or write x.astype(int) for indices")

    def __complex__(self) -> complex:
        self._several("complex(x)", "keep x and use ag's functions")

    def item(self) -> Any:
        """Raises TypeError: there are as many values as examples."""
        self._several("x.item()", "keep x")

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._several(
            "a plain array of x",
            "keep x and use NumPy's functions or ag's (np.exp(x), ag.exp(x)); for an array of several x write "
            "ag.stack([x, y]), for a plain array at the index x ag.take(array, x, axis=0)",
        )

    def __index__(self) -> int:
        self._several("x as a Python integer", "index an array with it as it is, array[x], or use ag.take(array, x)")

    def backward(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises TypeError: derivatives of each example are ``ag.vmap(ag.grad(f))``."""
        self._several("x.backward()", "write ag.vmap(ag.grad(f))(xs) for the gradient of each example")

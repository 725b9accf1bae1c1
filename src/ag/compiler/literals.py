"""Arrays that stand in a program itself: those that rows are written with, such as the numbers of classes."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import numpy as np

from ..capture import frozen
from ..operators.rules import Zero
from ..operators.table import Operator
from .program import Quantity


class Literal:
    """An array that nobody changes; equal ones are one."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = frozen(array.copy())

    @functools.cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.array.tobytes()).hexdigest()

    def __repr__(self) -> str:
        flat = self.array.ravel()
        if self.counts:
            return f"0 .. {flat.size - 1}"
        return f"{flat.tolist()}" if flat.size <= 6 else f"{flat[:3].tolist()} ... {self.digest[:16]}"

    @functools.cached_property
    def counts(self) -> bool:
        """Are the elements 0, 1, 2, ... in row-major order?"""
        return rises(self.array)


def rises(a: np.ndarray) -> bool:
    """Are the elements 0, 1, 2, ... in row-major order?"""
    return a.dtype.kind in "iu" and bool(np.array_equal(a.ravel(), np.arange(a.size)))


LITERAL = Operator("literal", lambda value: value.array, Zero())


def literal(array: np.ndarray) -> Quantity:
    """The quantity of an array."""
    return Quantity(LITERAL, (), {"value": Literal(array)}, array.shape, array.dtype)


def array_of(q: Any) -> np.ndarray | None:
    """The array that a quantity is, if that is known."""
    return q.params["value"].array if q.op is LITERAL else None


def counts(q: Any) -> bool:
    """Is it a literal whose elements are 0, 1, 2, ...?"""
    return q.op is LITERAL and bool(q.params["value"].counts)

"""How arrays lie in memory: their types, and the places of their elements."""

from __future__ import annotations

import functools
import math
from typing import Any

from ..mathematics.emitter import Emitter, Value
from .views import TYPES, Gather

ALIGNED = 64  # bytes: the longest vectors, and a line of the cache


def size_of(shape: tuple[int, ...], dtype: Any) -> int:
    """How many bytes an array takes."""
    return math.prod(shape) * dtype.itemsize


def aligned(size: int) -> int:
    """How many bytes are kept for an array of ``size`` bytes, so that the next one starts where a vector may."""
    return -(-max(size, 1) // ALIGNED) * ALIGNED


@functools.cache
def type_of(dtype: Any) -> str:
    """The type of a dtype in LLVM's words."""
    return TYPES[str(dtype)]


def stored_type(type: str) -> str:
    """The type in memory: a truth is a byte."""
    return "i8" if type == "i1" else type


def collapsed(lengths: list[int], strides: list[list[int]]) -> tuple[list[int], list[list[int]]]:
    """Fewer axes with the same addresses: neighbours that all arrays pass through as one axis are joined."""
    new: list[int] = []
    moved: list[list[int]] = [[] for _ in strides]
    for k, n in enumerate(lengths):
        if n == 1:
            continue
        if new and all(own[-1] == s[k] * n for own, s in zip(moved, strides, strict=True)):
            new[-1] *= n
            for own, s in zip(moved, strides, strict=True):
                own[-1] = s[k]
        else:
            new.append(n)
            for own, s in zip(moved, strides, strict=True):
                own.append(s[k])
    return new, moved


def wrapped(e: Emitter, index: Value, gather: Gather) -> Value:
    """The offset of an index: negative ones count from the end, and none leaves the array."""
    index = e.cast(index, "i64")
    zero = e.constant(0, "i64")
    index = e.select(e.compare("<", index, zero), e.add(index, e.constant(gather.length, "i64")), index)
    index = e.minimum(e.maximum(index, zero), e.constant(gather.length - 1, "i64"))
    return e.multiply(index, e.constant(gather.stride, "i64"))

"""Loops in the text of a function."""

from __future__ import annotations

import itertools
from collections.abc import Callable


class Writer:
    """The body of a function in LLVM's text."""

    def __init__(self) -> None:
        self.names = itertools.count()
        self.body: list[str] = []
        self.entry: list[str] = []  # what stands before: places for numbers

    def emit(self, text: str) -> None:
        self.body.append(f"  {text}")

    def fresh(self, prefix: str = "r") -> str:
        """A new name."""
        return f"%{prefix}{next(self.names)}"

    def moved(self, address: str, type: str, offset: int | str) -> str:
        """An address some elements further."""
        if offset in (0, "0"):
            return address
        new = self.fresh()
        self.emit(f"{new} = getelementptr {type}, ptr {address}, i64 {offset}")
        return new


def nested(w: Writer, lengths: tuple[int, ...], strides: tuple[tuple[int, ...], ...], do: Callable[..., None]) -> None:
    """do(offsets) for all indices below ``lengths``: the sums of index · stride for each list of strides, as text."""

    def at(k: int, offsets: list[str]) -> None:
        if k == len(lengths):
            do(offsets)
        elif lengths[k] == 1:
            at(k + 1, offsets)
        else:
            loop(w, lengths[k], lambda i: at(k + 1, [added(w, o, i, s[k]) for o, s in zip(offsets, strides, strict=True)]))

    at(0, ["0"] * len(strides))


def added(w: Writer, offset: str, index: str, stride: int) -> str:
    """offset + index · stride."""
    if not stride:
        return offset
    term, total = w.fresh(), w.fresh()
    w.emit(f"{term} = mul i64 {index}, {stride}")
    w.emit(f"{total} = add i64 {offset}, {term}")
    return total


def loop(w: Writer, count: int, do: Callable[..., None]) -> None:
    """do(index) for each index below ``count``."""
    counter = w.fresh("m")
    k = next(w.names)
    w.entry.append(f"  {counter} = alloca i64")
    w.emit(f"store i64 0, ptr {counter}")
    w.emit(f"br label %loop{k}")
    w.body.append(f"loop{k}:")
    index, following, more = w.fresh(), w.fresh(), w.fresh()
    w.emit(f"{index} = load i64, ptr {counter}")
    do(index)
    w.emit(f"{following} = add i64 {index}, 1")
    w.emit(f"store i64 {following}, ptr {counter}")
    w.emit(f"{more} = icmp ult i64 {following}, {count}")
    w.emit(f"br i1 {more}, label %loop{k}, label %after{k}")
    w.body.append(f"after{k}:")

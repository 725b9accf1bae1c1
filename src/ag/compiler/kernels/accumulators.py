"""What a reduction joins its elements in, while a loop runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..mathematics.emitter import FLOATS, Emitter, Value

LEAST = {"i64": (-(2**63), 2**63 - 1), "i32": (-(2**31), 2**31 - 1), "i1": (0, 1)}
JOIN = {"add": Emitter.add, "multiply": Emitter.multiply, "maximum": Emitter.maximum, "minimum": Emitter.minimum}


def identity(kind: str, type: str) -> float | int:
    """What changes nothing when it is joined."""
    if kind in ("add", "multiply"):
        return int(kind == "multiply")
    if type in FLOATS:
        return -np.inf if kind == "maximum" else np.inf
    return LEAST[type][kind == "minimum"]


class Accumulator:
    """Lanes that are joined to one number at the end.

    ``exact``: a sum of sums. What was added plainly is moved by ``flush`` to a sum of twice the precision: of float in double, of
    double with the error of each addition (the two-sum of Knuth, The Art of Computer Programming 2, 4.2.2).
    """

    def __init__(self, e: Emitter, alloca: Callable[[str], str], kind: str, type: str, exact: bool) -> None:
        self.e, self.kind, self.type = e, kind, type
        self.exact = exact and kind == "add" and type in FLOATS
        self.plain = alloca(e.vector(type))
        self.high = alloca(e.vector("double")) if self.exact else ""
        self.low = alloca(e.vector("double")) if self.exact and type == "double" else ""

    def _get(self, place: str, type: str) -> Value:
        return self.e.line(f"load {self.e.vector(type)}, ptr {place}", type)

    def _set(self, place: str, value: Value) -> None:
        self.e.body.append(f"  store {self.e.vector(value.type)} {value.text}, ptr {place}")

    def begin(self) -> None:
        """Nothing joined yet."""
        start = identity(self.kind, self.type)
        self._set(self.plain, self.e.constant(start, self.type))
        for place in (self.high, self.low):
            if place:
                self._set(place, self.e.constant(0.0, "double"))

    def join(self, value: Value, live: int | None = None) -> None:
        """Join one element in each of the first ``live`` lanes (None: in all)."""
        e = self.e
        old = self._get(self.plain, self.type)
        new = JOIN[self.kind](e, old, value)
        if live is not None and live < e.width:
            mask = "<" + ", ".join(f"i1 {'true' if i < live else 'false'}" for i in range(e.width)) + ">"
            new = e.select(Value(mask, "i1"), new, old)
        self._set(self.plain, new)

    def value(self) -> Value:
        """What was joined in each lane."""
        return self._get(self.plain, self.type)

    def flush(self) -> None:
        """Move what was added so far to the exact sum."""
        if not self.exact:
            return
        e = self.e
        term = e.cast(self._get(self.plain, self.type), "double")
        high = self._get(self.high, "double")
        total = e.add(high, term)
        if self.low:
            moved = e.subtract(total, high)
            error = e.add(e.subtract(high, e.subtract(total, moved)), e.subtract(term, moved))
            self._set(self.low, e.add(self._get(self.low, "double"), error))
        self._set(self.high, total)
        self._set(self.plain, e.constant(0.0, self.type))

    def result(self, scalar: Emitter) -> Value:
        """The lanes joined to one number."""
        e = self.e
        if not self.exact:
            return e.reduce(self.kind, self._get(self.plain, self.type))
        self.flush()
        total = e.reduce("add", self._get(self.high, "double"))
        if self.low:
            rest = e.reduce("add", self._get(self.low, "double"))
            known = scalar.compare("==", rest, rest)  # the error of an infinite sum is nan
            total = scalar.select(known, scalar.add(total, rest), total)
        return scalar.cast(total, self.type)

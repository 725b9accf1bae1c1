"""What a reduction joins its elements in, while a loop runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..mathematics.emitter import FLOATS, Emitter, Value
from .writing_code import Variable

LEAST = {"i64": (-(2**63), 2**63 - 1), "i32": (-(2**31), 2**31 - 1), "i1": (0, 1)}
KERNELS = {"add": "x + y", "multiply": "x * y", "maximum": "maximum(x, y)", "minimum": "minimum(x, y)"}
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
        self.plain = Variable(e, alloca(e.vector(type)), type)
        if self.exact:
            self.high = Variable(e, alloca(e.vector("double")), "double")
            self.low = Variable(e, alloca(e.vector("double")), "double") if type == "double" else None

    def begin(self) -> None:
        """Nothing joined yet."""
        self.plain.set(identity(self.kind, self.type))
        if self.exact:
            self.high.set(0.0)
            if self.low:
                self.low.set(0.0)

    def join(self, value: Value, live: int) -> None:
        """Join one element in each of the first ``live`` lanes."""
        e, old = self.e, self.plain.get()
        new = JOIN[self.kind](e, old, value)
        self.plain.set(new if live >= e.width else e.select(e.mask(live), new, old))

    def value(self) -> Value:
        """What was joined in each lane."""
        return self.plain.get()

    def flush(self) -> None:
        """Move what was added so far to the exact sum."""
        if not self.exact:
            return
        e = self.e
        term, high = e.cast(self.plain.get(), "double"), self.high.get()
        total = e.add(high, term)
        if self.low:
            moved = e.subtract(total, high)
            error = e.add(e.subtract(high, e.subtract(total, moved)), e.subtract(term, moved))
            self.low.set(e.add(self.low.get(), error))
        self.high.set(total)
        self.plain.set(0.0)

    def result(self, scalar: Emitter) -> Value:
        """The lanes joined to one number."""
        e = self.e
        if not self.exact:
            return e.reduce(self.kind, self.plain.get())
        self.flush()
        total = e.reduce("add", self.high.get())
        if self.low:
            rest = e.reduce("add", self.low.get())
            known = scalar.compare("==", rest, rest)  # the error of an infinite sum is nan
            total = scalar.select(known, scalar.add(total, rest), total)
        return scalar.cast(total, self.type)

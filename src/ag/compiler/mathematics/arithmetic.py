"""Sums, products and quotients with what their rounding lost, and other small parts of the elementary functions."""

from __future__ import annotations

import functools
from collections.abc import Callable

from .coefficients import POLYNOMIALS
from .emitter import Emitter, Value, rounded

INF, NAN = float("inf"), float("nan")
Function = Callable[..., Value]


def in_double(f: Function) -> Function:
    """Of floats: computed in double and rounded."""

    @functools.wraps(f)
    def wrapped(e: Emitter, *values: Value) -> Value:
        if values[0].type == "double":
            return f(e, *values)
        return e.cast(f(e, *[e.cast(v, "double") for v in values]), "float")

    return wrapped


def split(e: Emitter, pair: tuple[float, float], type: str) -> tuple[Value, Value]:
    """A constant that is given as a sum of two doubles, in two parts of the type."""
    high = rounded(pair[0], type)
    return e.constant(high, type), e.constant(pair[0] - high + pair[1], type)


def polynomial(e: Emitter, name: str, x: Value) -> Value:
    highest, *others = POLYNOMIALS[name][x.type]
    p = e.constant(highest, x.type)
    for c in others:
        p = e.fma(p, x, e.constant(c, x.type))
    return p


def at_most(e: Emitter, x: Value, limit: float) -> Value:
    bound = e.constant(limit, x.type)
    return e.select(e.compare(">", x, bound), bound, x)  # nan stays


def at_least(e: Emitter, x: Value, limit: float) -> Value:
    bound = e.constant(limit, x.type)
    return e.select(e.compare("<", x, bound), bound, x)


def where(e: Emitter, x: Value, predicate: str, number: float, result: Value | float, other: Value) -> Value:
    """The result where x compares so with the number, else the other."""
    if not isinstance(result, Value):
        result = e.constant(result, other.type)
    return e.select(e.compare(predicate, x, e.constant(number, x.type)), result, other)


def times(e: Emitter, a: Value, number: float) -> Value:
    return e.multiply(a, e.constant(number, a.type))


def plus(e: Emitter, a: Value, number: float) -> Value:
    return e.add(a, e.constant(number, a.type))


def two_sum(e: Emitter, a: Value, b: Value) -> tuple[Value, Value]:
    """a + b rounded, and what that lost."""
    s = e.add(a, b)
    t = e.subtract(s, a)
    return s, e.add(e.subtract(a, e.subtract(s, t)), e.subtract(b, t))


def fast_two_sum(e: Emitter, a: Value, b: Value) -> tuple[Value, Value]:
    """The same for |a| ≥ |b|."""
    s = e.add(a, b)
    return s, e.subtract(b, e.subtract(s, a))


def two_product(e: Emitter, a: Value, b: Value) -> tuple[Value, Value]:
    p = e.multiply(a, b)
    return p, e.fma(a, b, e.negative(p))


def quotient(e: Emitter, a: Value, b: Value, a_low: Value | None = None, b_low: Value | None = None) -> Value:
    """(a + a_low) / (b + b_low), from one division, corrected by what is left of a."""
    return e.add(*quotient_parts(e, a, b, a_low, b_low))


def quotient_parts(
    e: Emitter, a: Value, b: Value, a_low: Value | None = None, b_low: Value | None = None
) -> tuple[Value, Value]:
    inverse = e.divide(e.constant(1.0, a.type), b)
    q = e.multiply(a, inverse)
    minus = e.negative(q)
    left = e.fma(minus, b, a)
    if a_low:
        left = e.add(left, a_low)
    if b_low:
        left = e.fma(minus, b_low, left)
    return q, e.multiply(inverse, left)


def where_rare(e: Emitter, needed: Value, fast: list[Value], slow: Callable[[], list[Value]]) -> list[Value]:
    """In the lanes that need it what ``slow`` writes, else ``fast``; no time is spent on it if no lane does."""
    start, detour, end = e.label(), e.label(), e.label()
    any_lane = e.reduce("maximum", needed)
    e.body += [f"  br label %{start}", f"{start}:", f"  br i1 {any_lane.text}, label %{detour}, label %{end}", f"{detour}:"]
    exact = [e.select(needed, s, f) for s, f in zip(slow(), fast, strict=True)]
    last = e.label()  # what is slow may be several blocks
    e.body += [f"  br label %{last}", f"{last}:", f"  br label %{end}", f"{end}:"]
    return [
        e.line(f"phi {e.vector(f.type)} [ {f.text}, %{start} ], [ {s.text}, %{last} ]", f.type)
        for f, s in zip(fast, exact, strict=True)
    ]

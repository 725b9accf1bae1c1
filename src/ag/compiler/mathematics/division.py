"""Remainders, exact for all quotients, and whole quotients, as NumPy has them."""

from __future__ import annotations

from .arithmetic import INF, where, where_rare
from .emitter import MANTISSA, Emitter, Value

STEPS = {"double": 48, "float": 20}  # binary digits of the quotient that one step of a long division finds


def _remainder(e: Emitter, a: Value, b: Value) -> Value:
    """a - ⌊a / b⌋ b, exact, of a, b ≥ 0 with a / b of no more digits than the type has: the rounding of a / b may make the
    quotient 1 too large."""
    r = e.fma(e.negative(e.trunc(e.divide(a, b))), b, a)
    return where(e, r, "<", 0.0, e.add(r, b), r)


def fmod(e: Emitter, x: Value, y: Value) -> Value:
    """x - trunc(x / y) y, with the sign of x."""
    type = x.type
    a, b = e.absolute(x), e.absolute(y)
    fast = where(e, b, "==", INF, e.select(e.compare("<", a, b), a, e.constant(float("nan"), type)), _remainder(e, a, b))
    bound = e.multiply(b, e.constant(2.0 ** MANTISSA[type], type))
    long = e.logical_and(e.compare(">=", a, bound), e.compare("<", a, e.constant(INF, type)))
    long = e.logical_and(long, e.compare(">", b, e.constant(0.0, type)))
    (result,) = where_rare(e, long, [fast], lambda: [_long_division(e, long, a, b)])
    return e.copysign(result, x)


def _long_division(e: Emitter, needed: Value, a: Value, b: Value) -> Value:
    """The remainder in the lanes where it is needed, by divisors b 2ⁿˢ, n = ..., 2, 1, 0."""
    type, step = a.type, STEPS[a.type]
    one, up, down = (e.constant(number, type) for number in (1.0, 2.0**step, 2.0**-step))
    a, b = e.select(needed, a, one), e.select(needed, b, one)
    vector, growing, dividing, end = e.vector(type), e.label(), e.label(), e.label()
    start = e.label()
    e.body += [f"  br label %{start}", f"{start}:"]
    small = e.multiply(a, e.constant(2.0 ** (-step - 1), type))
    larger, smaller, rest = (Value(f"%{e.label()}", type) for _ in range(3))  # the next round's

    def choose(name: Value, mask: Value, yes: Value, no: Value) -> None:
        e.body.append(f"  {name.text} = select {e.vector('i1')} {mask.text}, {vector} {yes.text}, {vector} {no.text}")

    e.body += [f"  br label %{growing}", f"{growing}:"]
    t = e.line(f"phi {vector} [ {b.text}, %{start} ], [ {larger.text}, %{growing} ]", type)
    grows = e.compare("<=", t, small)
    choose(larger, grows, e.multiply(t, up), t)
    more = e.reduce("maximum", grows)
    e.body += [f"  br i1 {more.text}, label %{growing}, label %{dividing}", f"{dividing}:"]
    t = e.line(f"phi {vector} [ {larger.text}, %{growing} ], [ {smaller.text}, %{dividing} ]", type)
    r = e.line(f"phi {vector} [ {a.text}, %{growing} ], [ {rest.text}, %{dividing} ]", type)
    result = _remainder(e, r, t)
    choose(rest, needed, result, r)
    left = e.compare(">", t, b)
    choose(smaller, left, e.multiply(t, down), t)
    more = e.reduce("maximum", left)
    e.body += [f"  br i1 {more.text}, label %{dividing}, label %{end}", f"{end}:"]
    return rest


def _opposite(e: Emitter, rest: Value, y: Value) -> Value:
    """Has a remainder that is not 0 the other sign than y?"""
    zero = e.constant(0.0, y.type)
    differ = e.logical_xor(e.compare("<", rest, zero), e.compare("<", y, zero))
    return e.logical_and(differ, e.compare("!=", rest, zero))


def remainder(e: Emitter, x: Value, y: Value) -> Value:
    """x - ⌊x / y⌋ y, with the sign of y."""
    rest = fmod(e, x, y)
    moved = e.select(_opposite(e, rest, y), e.add(rest, y), rest)
    return where(e, rest, "==", 0.0, e.copysign(rest, y), moved)


def floor_divide(e: Emitter, x: Value, y: Value) -> Value:
    """⌊x / y⌋, by way of the exact remainder."""
    rest = fmod(e, x, y)
    one = e.constant(1.0, x.type)
    ratio = e.divide(x, y)
    quotient = e.divide(e.subtract(x, rest), y)  # all but whole
    quotient = e.select(_opposite(e, rest, y), e.subtract(quotient, one), quotient)
    whole = e.floor(quotient)
    whole = where(e, e.subtract(quotient, whole), ">", 0.5, e.add(whole, one), whole)
    whole = where(e, quotient, "==", 0.0, e.copysign(quotient, ratio), whole)
    return where(e, y, "==", 0.0, ratio, whole)

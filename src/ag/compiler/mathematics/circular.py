"""Circular functions and their inverses, for vectors of float and of double."""

from __future__ import annotations

from .arithmetic import INF, at_most, fast_two_sum, polynomial, quotient, quotient_parts, split, times, two_sum, where
from .emitter import BITS, MANTISSA, Emitter, Value
from .reduction import reduced_angle

PI = (3.141592653589793, 1.2246467991473532e-16)


def _sin_and_cos(e: Emitter, x: Value) -> tuple[Value, Value, Value, Value, Value]:
    """Of the reduced angle: it, sin less it, 1 - t² / 2 and cos less that; and the multiple of π/2."""
    t, low, multiple = reduced_angle(e, x)
    z = e.multiply(t, t)
    half = times(e, z, 0.5)
    sin_low = e.fma(e.multiply(t, z), polynomial(e, "sin", z), e.fma(e.negative(half), low, low))
    w = e.subtract(e.constant(1.0, x.type), half)
    lost = e.subtract(e.subtract(e.constant(1.0, x.type), w), half)
    cos_low = e.add(lost, e.fma(e.multiply(z, z), polynomial(e, "cos", z), e.negative(e.multiply(t, low))))
    return t, sin_low, w, cos_low, multiple


def _circular(e: Emitter, x: Value, quarter: int) -> Value:
    """sin(x + quarter π/2)."""
    t, sin_low, w, cos_low, multiple = _sin_and_cos(e, x)
    sine, cosine = e.add(t, sin_low), e.add(w, cos_low)
    multiple = e.add(multiple, e.constant(quarter, multiple.type))
    sign = e.shift_left(e.shift_right(multiple, 1), BITS[x.type] - 1)
    y = e.select(_odd(e, multiple), cosine, sine)
    return e.number(e.logical_xor(e.bits(y), sign))


def _odd(e: Emitter, n: Value) -> Value:
    return e.truth(e.logical_and(n, e.constant(1, n.type)))


def sin(e: Emitter, x: Value) -> Value:
    return where(e, e.absolute(x), "<", 2.0**-30, x, _circular(e, x, 0))


def cos(e: Emitter, x: Value) -> Value:
    return _circular(e, x, 1)


def tan(e: Emitter, x: Value) -> Value:
    t, sin_low, w, cos_low, multiple = _sin_and_cos(e, x)
    s, s_low = fast_two_sum(e, t, sin_low)
    c, c_low = fast_two_sum(e, w, cos_low)
    odd = _odd(e, multiple)
    above, above_low = e.select(odd, e.negative(c), s), e.select(odd, e.negative(c_low), s_low)
    below, below_low = e.select(odd, s, c), e.select(odd, s_low, c_low)
    q = quotient(e, above, below, above_low, below_low)
    return where(e, e.absolute(x), "<", 2.0**-30, x, q)


def _pi_over(e: Emitter, n: int, type: str) -> tuple[Value, Value]:
    return split(e, (PI[0] / n, PI[1] / n), type)


def _asin_parts(e: Emitter, x: Value) -> tuple[Value, Value, Value]:
    """Of |x| = a: whether a > 1/2; r = a or √((1 - a) / 2); asin r."""
    a = e.absolute(x)
    large = e.compare(">", a, e.constant(0.5, x.type))
    z = e.select(large, times(e, e.subtract(e.constant(1.0, x.type), a), 0.5), e.multiply(a, a))
    r = e.select(large, e.sqrt(z), a)
    return large, r, e.multiply(e.multiply(r, z), polynomial(e, "asin", z))


def asin(e: Emitter, x: Value) -> Value:
    large, r, rest = _asin_parts(e, x)
    high, low = _pi_over(e, 2, x.type)
    s, lost = fast_two_sum(e, high, times(e, r, -2.0))
    far = e.add(s, e.add(lost, e.fma(rest, e.constant(-2.0, x.type), low)))
    return e.copysign(e.select(large, far, e.add(r, rest)), x)


def acos(e: Emitter, x: Value) -> Value:
    large, r, rest = _asin_parts(e, x)
    y = e.add(r, rest)
    twice = e.add(y, y)
    negative = e.compare("<", x, e.constant(0.0, x.type))
    high, low = _pi_over(e, 1, x.type)
    far = e.subtract(high, e.subtract(twice, low))
    signed, signed_rest = e.copysign(r, x), e.copysign(rest, x)
    high, low = _pi_over(e, 2, x.type)
    near = e.subtract(high, e.subtract(signed, e.subtract(low, signed_rest)))
    return e.select(large, e.select(negative, far, twice), near)


def _angle_of(e: Emitter, y: Value, x: Value) -> Value:
    """atan(y / x) of y, x ≥ 0, finite and not both 0, by way of the nearest of 0, π/4, π/2."""
    first = e.compare("<=", y, times(e, x, 0.4142135623730951))
    last = e.compare(">", y, times(e, x, 2.414213562373095))
    difference, difference_low = two_sum(e, y, e.negative(x))
    total, total_low = two_sum(e, y, x)
    zero = e.constant(0.0, x.type)

    def choose(a: Value, b: Value, c: Value) -> Value:
        return e.select(first, a, e.select(last, b, c))

    above, above_low = choose(y, e.negative(x), difference), choose(zero, zero, difference_low)
    below, below_low = choose(x, y, total), choose(zero, zero, total_low)
    t, low = quotient_parts(e, above, below, above_low, below_low)
    z = e.multiply(t, t)
    rest = e.fma(e.multiply(t, z), polynomial(e, "atan", z), low)
    base, base_low = (choose(zero, *parts) for parts in zip(_pi_over(e, 2, x.type), _pi_over(e, 4, x.type), strict=True))
    s, lost = fast_two_sum(e, base, t)
    s, lost = e.select(first, t, s), e.select(first, zero, lost)
    return e.add(s, e.add(lost, e.add(rest, base_low)))


def atan(e: Emitter, x: Value) -> Value:
    size = at_most(e, e.absolute(x), 2.0**80)
    angle = _angle_of(e, size, e.constant(1.0, x.type))
    return e.copysign(where(e, size, "<", _is_its_tangent(x.type), size, angle), x)


def _is_its_tangent(type: str) -> float:
    """Up to where atan t = t."""
    return 2.0 ** -(MANTISSA[type] // 2 + 2)


def atan2(e: Emitter, y: Value, x: Value) -> Value:
    type = x.type
    a, b = e.absolute(y), e.absolute(x)
    largest = e.maximum(a, b)
    infinite = e.compare("==", largest, e.constant(INF, type))
    one, zero = e.constant(1.0, type), e.constant(0.0, type)
    a = e.select(infinite, where(e, a, "==", INF, one, zero), a)
    b = e.select(infinite, where(e, b, "==", INF, one, zero), b)
    b = where(e, largest, "==", 0.0, one, b)  # 0 / 0 counts as 0
    far, up, down = (2.0**500, 2.0**500, 2.0**-100) if type == "double" else (2.0**60, 2.0**60, 2.0**-20)
    factor = where(e, largest, "<", 1 / far, up, where(e, largest, ">", far, down, one))
    angle = _angle_of(e, e.multiply(a, factor), e.multiply(b, factor))
    # a small ratio is its own angle, also where the parts of a quotient would underflow
    angle = e.select(e.compare("<=", a, times(e, b, _is_its_tangent(type))), e.divide(a, b), angle)
    high, low = _pi_over(e, 1, type)
    other = e.subtract(high, e.subtract(angle, low))
    behind = e.compare("<", e.copysign(one, x), zero)
    result = e.copysign(e.select(behind, other, angle), y)
    return e.select(e.compare("==", largest, largest), result, largest)

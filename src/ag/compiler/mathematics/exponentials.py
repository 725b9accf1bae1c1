"""Exponentials, logarithms, powers, hyperbolic functions and the error function, for vectors of float and of double.

A sum r + small is arranged so that the rounding of the last addition is most of the error. Where two roundings would add up,
what the first one lost is carried along. Fused products are written where they are wanted, and nowhere else.
"""

from __future__ import annotations

from typing import NamedTuple

from .arithmetic import (
    INF,
    NAN,
    Function,
    at_least,
    at_most,
    fast_two_sum,
    in_double,
    plus,
    polynomial,
    quotient,
    quotient_parts,
    split,
    times,
    two_product,
    where,
)
from .coefficients import ERF_CENTRE, ERFC_CENTRE
from .emitter import BIAS, INTEGERS, MAGIC, MANTISSA, Emitter, Value

LOG_2 = (0.6931471805599453, 2.3190468138462996e-17)
LOG2_E = (1.4426950408889634, 2.0355273740931033e-17)
LOG10_E = (0.4342944819032518, 1.098319650216765e-17)
LOG10_2 = (0.3010299956639812, -2.8037281277851704e-18)
THIRD = (1 / 3, 1.850371707708594e-17)
ROOT_HALF = (0.7071067811865476, -4.833646656726457e-17)


class Limits(NamedTuple):
    """What depends on the type: where eˣ is inf, and 0; where 1 + e⁻ˣ = 1; the smallest normal number; √½ as bits."""

    overflow: float
    underflow: float
    negligible: float
    normal: float
    root_half: int


LIMITS = {
    "double": Limits(710.0, -746.0, 40.0, 2.0**-1022, 0x3FE6A09E667F3BCD),
    "float": Limits(89.0, -104.5, 18.0, 2.0**-126, 0x3F3504F3),
}


# ---------------------------------------------------------------------- exponentials


def _exponent(e: Emitter, x: Value) -> tuple[Value, Value]:
    """k and r with x = k log 2 + r, |r| ≤ log(2) / 2."""
    high, low = split(e, (-LOG_2[0], -LOG_2[1]), x.type)
    magic = e.constant(MAGIC[x.type], x.type)
    k = e.subtract(e.fma(x, e.constant(LOG2_E[0], x.type), magic), magic)
    return k, e.fma(k, low, e.fma(k, high, x))


def _expm1_reduced(e: Emitter, r: Value) -> Value:
    return e.fma(polynomial(e, "exp", r), e.multiply(r, r), r)


def _bounded(e: Emitter, x: Value) -> Value:
    limits = LIMITS[x.type]
    return at_least(e, at_most(e, x, limits.overflow), limits.underflow)


def exp(e: Emitter, x: Value, low: Value | None = None) -> Value:
    """eˣ, or of the sum of x and a low part."""
    k, r = _exponent(e, _bounded(e, x))
    if low:
        r = e.add(r, low)
    return e.scale(plus(e, _expm1_reduced(e, r), 1.0), k)


def exp2(e: Emitter, x: Value) -> Value:
    limits = LIMITS[x.type]
    x = at_least(e, at_most(e, x, limits.overflow * 1.5), limits.underflow * 1.5)
    magic = e.constant(MAGIC[x.type], x.type)
    k = e.subtract(e.add(x, magic), magic)
    r = e.subtract(x, k)
    high, low = split(e, LOG_2, x.type)
    t, t_low = two_product(e, r, high)
    fraction = e.fma(polynomial(e, "exp", t), e.multiply(t, t), e.fma(r, low, t_low))
    return e.scale(plus(e, e.add(t, fraction), 1.0), k)


def _expm1(e: Emitter, x: Value) -> Value:
    """Of |x| ≤ 700 (80 in float), and without care for the sign of 0."""
    k, r = _exponent(e, x)
    power = e.power_of_two(k)
    return e.fma(_expm1_reduced(e, r), power, plus(e, power, -1.0))


def expm1(e: Emitter, x: Value) -> Value:
    limits = LIMITS[x.type]
    k, r = _exponent(e, at_least(e, at_most(e, x, limits.overflow), -limits.negligible))
    half = e.power_of_two(plus(e, k, -1.0))  # 2ᵏ may be too large
    result = e.fma(_expm1_reduced(e, r), half, plus(e, half, -0.5))
    return where(e, e.absolute(x), "<", 2.0 ** -(MANTISSA[x.type] + 2), x, e.add(result, result))


def tanh(e: Emitter, x: Value) -> Value:
    size = e.absolute(x)
    m = _expm1(e, at_most(e, e.add(size, size), LIMITS[x.type].negligible))
    below, lost = fast_two_sum(e, e.constant(2.0, x.type), m)  # also exact for 2 < m < 2⁵³
    return e.copysign(quotient(e, m, below, b_low=lost), x)


def sigmoid(e: Emitter, x: Value) -> Value:
    z = exp(e, e.negative(e.absolute(x)))
    one = e.constant(1.0, x.type)
    below, lost = fast_two_sum(e, one, z)
    return quotient(e, where(e, x, "<", 0.0, z, one), below, b_low=lost)


def softplus(e: Emitter, x: Value) -> Value:
    tail = _log1p(e, exp(e, e.negative(e.absolute(x))))
    return where(e, x, ">", 0.0, e.add(x, tail), tail)


def sinh(e: Emitter, x: Value) -> Value:
    size = e.absolute(x)
    half = _half_exp(e, size)
    m = _expm1(e, at_most(e, size, 2.0))
    small = times(e, e.add(m, e.divide(m, plus(e, m, 1.0))), 0.5)
    large = e.subtract(half, e.divide(e.constant(0.25, x.type), half))
    small = where(e, size, "<", 2.0 ** -(MANTISSA[x.type] // 2 + 2), size, small)
    return e.copysign(where(e, size, "<", 1.0, small, large), x)


def cosh(e: Emitter, x: Value) -> Value:
    half = _half_exp(e, e.absolute(x))
    return e.add(half, e.divide(e.constant(0.25, x.type), half))


def _half_exp(e: Emitter, x: Value) -> Value:
    """eˣ / 2 of x ≥ 0, which overflows later than eˣ."""
    k, r = _exponent(e, at_most(e, x, LIMITS[x.type].overflow + 1.0))
    return e.scale(plus(e, _expm1_reduced(e, r), 1.0), plus(e, k, -1.0))


# ---------------------------------------------------------------------- logarithms


def _mantissa(e: Emitter, x: Value) -> tuple[Value, Value]:
    """k and m with x = 2ᵏ m, √½ ≤ m < √2, of a positive normal x."""
    places, bias, root_half = MANTISSA[x.type], BIAS[x.type], LIMITS[x.type].root_half
    integer = INTEGERS[x.type]
    shifted = e.add(e.bits(x), e.constant((bias << places) - root_half, integer))
    fraction = e.logical_and(shifted, e.constant((1 << places) - 1, integer))
    m = e.number(e.add(fraction, e.constant(root_half, integer)))
    biased = e.logical_or(e.shift_right(shifted, places), e.constant((bias + places) << places, integer))
    return plus(e, e.number(biased), -(2.0**places + bias)), m


def _normal(e: Emitter, x: Value) -> tuple[Value, Value]:
    """The same of any positive x."""
    small = e.compare("<", x, e.constant(LIMITS[x.type].normal, x.type))
    places = MANTISSA[x.type] + 2
    k, m = _mantissa(e, e.select(small, times(e, x, 2.0**places), x))
    return e.select(small, plus(e, k, -float(places)), k), m


def _tail(e: Emitter, f: Value) -> tuple[Value, Value]:
    """f² / 2, and t, with log(1 + f) = f - (f² / 2 - t): by s = f / (2 + f), log(1 + f) = 2s + 2s³/3 + ..."""
    s = e.divide(f, plus(e, f, 2.0))
    z = e.multiply(s, s)
    half = e.multiply(times(e, f, 0.5), f)
    return half, e.multiply(s, e.fma(polynomial(e, "log", z), z, half))


def _log_of(e: Emitter, k: Value, f: Value) -> Value:
    """k log 2 + log(1 + f)."""
    high, low = split(e, LOG_2, f.type)
    half, t = _tail(e, f)
    return e.fma(k, high, e.subtract(f, e.subtract(half, e.fma(k, low, t))))


def _with_limits(e: Emitter, x: Value, result: Value, start: float = 0.0) -> Value:
    """A logarithm that starts at -inf: what it is there, at nan, at inf and below."""
    result = where(e, x, "<", INF, result, x)  # inf and nan
    result = where(e, x, "==", start, -INF, result)
    return where(e, x, "<", start, NAN, result)


def log(e: Emitter, x: Value) -> Value:
    k, m = _normal(e, x)
    return _with_limits(e, x, _log_of(e, k, plus(e, m, -1.0)))


def _log_in_base(e: Emitter, x: Value, factor: tuple[float, float], of_2: tuple[float, float]) -> Value:
    k, m = _normal(e, x)
    f = plus(e, m, -1.0)
    half, t = _tail(e, f)
    y, y_low = fast_two_sum(e, f, e.subtract(t, half))
    high, low = split(e, factor, x.type)
    p, p_low = two_product(e, y, high)
    p_low = e.fma(y_low, high, e.fma(y, low, p_low))
    of_2_high, of_2_low = split(e, of_2, x.type)
    whole, whole_low = two_product(e, k, of_2_high)
    s, lost = fast_two_sum(e, whole, p)
    rest = e.add(e.add(lost, p_low), e.fma(k, of_2_low, whole_low))
    return _with_limits(e, x, e.add(s, rest))


def log2(e: Emitter, x: Value) -> Value:
    return _log_in_base(e, x, LOG2_E, (1.0, 0.0))


def log10(e: Emitter, x: Value) -> Value:
    return _log_in_base(e, x, LOG10_E, LOG10_2)


def _log1p(e: Emitter, x: Value) -> Value:
    """log(1 + x) of x > -1, but for inf and the sign of 0: the rounding of 1 + x is put back into the fraction."""
    u = plus(e, x, 1.0)
    lost = e.subtract(x, plus(e, u, -1.0))
    k, m = _mantissa(e, u)
    inverse = e.power_of_two(e.negative(at_most(e, k, BIAS[x.type] - 1.0)))
    return _log_of(e, k, e.fma(lost, inverse, plus(e, m, -1.0)))


def log1p(e: Emitter, x: Value) -> Value:
    return _with_limits(e, x, e.copysign(_log1p(e, x), x), -1.0)


def asinh(e: Emitter, x: Value) -> Value:
    size = e.absolute(x)
    large = _root_is_1(x.type)
    t = at_most(e, size, large)
    square = e.multiply(t, t)
    near = _log1p(e, e.add(t, e.divide(square, plus(e, e.sqrt(plus(e, square, 1.0)), 1.0))))
    return e.copysign(where(e, size, "<", large, near, _log_of_twice(e, size)), x)


def acosh(e: Emitter, x: Value) -> Value:
    t = plus(e, x, -1.0)
    near = _log1p(e, e.add(t, e.sqrt(e.multiply(t, plus(e, t, 2.0)))))
    result = where(e, x, "<", _root_is_1(x.type), near, _log_of_twice(e, x))
    return where(e, x, "<", 1.0, NAN, where(e, x, "==", 1.0, 0.0, result))


def _root_is_1(type: str) -> float:
    """From where on √(x² ± 1) = x."""
    return 2.0 ** (MANTISSA[type] // 2 + 2)


def _log_of_twice(e: Emitter, x: Value) -> Value:
    """log(2 x) of a large x."""
    return plus(e, log(e, x), LOG_2[0])


def atanh(e: Emitter, x: Value) -> Value:
    size = e.absolute(x)
    ratio = e.divide(e.add(size, size), e.subtract(e.constant(1.0, x.type), size))
    return e.copysign(times(e, log1p(e, ratio), 0.5), x)


@in_double
def logaddexp(e: Emitter, x: Value, y: Value) -> Value:
    return e.add(*_log_of_sum(e, x, y, exp))


@in_double
def logaddexp2(e: Emitter, x: Value, y: Value) -> Value:
    """The product with log₂ e is not rounded before the sum, in which it may cancel."""
    larger, log = _log_of_sum(e, x, y, exp2)
    high, low = (e.constant(part, x.type) for part in LOG2_E)
    equal = e.add(larger, e.constant(1.0, x.type))  # exactly
    return e.select(e.compare("==", x, y), equal, e.fma(log, low, e.fma(log, high, larger)))


def _log_of_sum(e: Emitter, x: Value, y: Value, power: Function) -> tuple[Value, Value]:
    """The larger of two, and log(1 + bᵈ) by ``power`` of b, for d the other less the larger."""
    larger = e.maximum(x, y)
    distance = e.absolute(e.subtract(x, y))
    distance = e.select(e.compare("==", x, y), e.constant(0.0, x.type), distance)  # also of two equal infinities
    return larger, _log1p(e, power(e, e.negative(distance)))


# ---------------------------------------------------------------------- powers


def rsqrt(e: Emitter, x: Value) -> Value:
    return e.divide(e.constant(1.0, x.type), e.sqrt(x))


def _log_parts(e: Emitter, x: Value) -> tuple[Value, Value]:
    """log x as a sum of two numbers, to some 2⁻⁶⁴ of it, of a positive finite x."""
    k, m = _normal(e, x)
    f = plus(e, m, -1.0)
    below, below_low = fast_two_sum(e, e.constant(2.0, x.type), f)
    s, s_low = fast_two_sum(e, *quotient_parts(e, f, below, b_low=below_low))
    z, z_low = two_product(e, s, s)
    z_low = e.fma(e.add(s, s), s_low, z_low)
    third, third_low = split(e, THIRD, x.type)
    c, c_low = two_product(e, z, third)  # z / 3, to which z²(1/5 + z/7 + ...) adds
    c_low = e.fma(z, third_low, e.fma(z_low, third, c_low))
    c, c_low = fast_two_sum(e, c, e.fma(e.multiply(z, z), polynomial(e, "log_tail", z), c_low))
    twice, twice_low = e.add(s, s), e.add(s_low, s_low)
    p, p_low = two_product(e, twice, c)
    p_low = e.fma(twice, c_low, e.fma(twice_low, c, p_low))
    y, y_low = fast_two_sum(e, twice, p)
    y_low = e.add(y_low, e.add(twice_low, p_low))
    high, low = split(e, LOG_2, x.type)
    n, n_low = two_product(e, k, high)
    total, lost = fast_two_sum(e, n, y)
    lost = e.add(lost, e.add(y_low, e.fma(k, low, n_low)))
    k_is_0 = e.compare("==", k, e.constant(0.0, x.type))
    return fast_two_sum(e, e.select(k_is_0, y, total), e.select(k_is_0, y_low, lost))


def power(e: Emitter, x: Value, y: Value) -> Value:
    """|x|ʸ = exp(y log |x|), the logarithm in two parts; then the sign, and the cases that IEEE 754 lists."""
    type = x.type
    size = e.absolute(x)
    if type == "float":  # the digits that double has to spare stand for the second part
        wide, exponent = e.cast(size, "double"), e.cast(y, "double")
        k, m = _mantissa(e, wide)
        high = _log_of(e, k, plus(e, m, -1.0))
        high = where(e, wide, "==", 0.0, -INF, where(e, wide, "<", INF, high, wide))
        result = e.cast(exp(e, e.multiply(exponent, high)), type)
    else:
        high, low = _log_parts(e, size)
        high = where(e, size, "==", 0.0, -INF, where(e, size, "<", INF, high, size))
        p = e.multiply(y, high)
        rest = e.fma(y, low, e.fma(y, high, e.negative(p)))
        result = exp(e, p, where(e, e.absolute(p), "<", 2000.0, rest, e.constant(0.0, type)))
    whole = e.compare("==", e.trunc(y), y)
    half = times(e, y, 0.5)
    odd = e.logical_and(whole, e.compare("!=", e.trunc(half), half))
    result = e.select(odd, e.copysign(result, x), result)
    negative = e.logical_and(e.compare("<", x, e.constant(0.0, type)), e.compare(">", x, e.constant(-INF, type)))
    result = e.select(e.logical_and(negative, e.invert(whole)), e.constant(NAN, type), result)
    infinite = where(e, e.absolute(y), "==", INF, 1.0, result)
    result = where(e, size, "==", 1.0, infinite, result)
    return where(e, y, "==", 0.0, 1.0, where(e, x, "==", 1.0, 1.0, result))


@in_double
def cbrt(e: Emitter, x: Value) -> Value:
    """exp(log(x) / 3), and one step of Newton's method."""
    size = e.absolute(x)
    small = e.compare("<", size, e.constant(2.0**-900, x.type))
    a = e.select(small, times(e, size, 2.0**300), size)
    y = exp(e, times(e, log(e, a), 1 / 3))
    square, square_low = two_product(e, y, y)
    left = e.fma(e.negative(y), square_low, e.fma(e.negative(y), square, a))
    better = e.add(y, e.divide(left, times(e, square, 3.0)))
    result = e.select(small, times(e, better, 2.0**-100), better)
    finite = e.logical_and(e.compare(">", size, e.constant(0.0, x.type)), e.compare("<", size, e.constant(INF, x.type)))
    return e.select(finite, e.copysign(result, x), x)


@in_double
def hypot(e: Emitter, x: Value, y: Value) -> Value:
    a, b = e.absolute(x), e.absolute(y)
    swap = e.compare(">", b, a)
    a, b = e.select(swap, b, a), e.select(swap, a, b)
    ratio = where(e, a, "==", 0.0, b, e.divide(b, a))
    result = e.multiply(a, e.sqrt(plus(e, e.multiply(ratio, ratio), 1.0)))
    return where(e, a, "==", INF, INF, where(e, b, "==", INF, INF, result))


# ---------------------------------------------------------------------- the error function


def _erfc(e: Emitter, x: Value) -> Value:
    """Of x ≥ 0: e^(-x²) P(t) / (1 + 2x), t = (x - c) / (x + c)."""
    x = at_most(e, x, 27.5 if x.type == "double" else 10.5)
    square, lost = two_product(e, x, x)
    t = e.divide(plus(e, x, -ERFC_CENTRE), plus(e, x, ERFC_CENTRE))
    p = e.divide(polynomial(e, "erfc", t), e.fma(x, e.constant(2.0, x.type), e.constant(1.0, x.type)))
    k, r = _exponent(e, e.negative(square))
    power = plus(e, _expm1_reduced(e, e.subtract(r, lost)), 1.0)
    shift = 6.0  # keeps the fraction near 1, where scale() rounds once
    return e.scale(times(e, e.multiply(power, p), 2.0**shift), plus(e, k, -shift))


def _erf_near_0(e: Emitter, x: Value) -> Value:
    """Of |x| < 1."""
    return e.fma(polynomial(e, "erf", e.multiply(x, x)), x, x)


def erf(e: Emitter, x: Value) -> Value:
    """Far from 0: 1 - e^(-x²) P(t), t = (x - c) / (x + c)."""
    size = e.absolute(x)
    a = at_most(e, size, 6.2)
    square, lost = two_product(e, a, a)
    p = polynomial(e, "erf_far", e.divide(plus(e, a, -ERF_CENTRE), plus(e, a, ERF_CENTRE)))
    k, r = _exponent(e, e.negative(square))
    power = plus(e, _expm1_reduced(e, e.subtract(r, lost)), 1.0)
    far = e.fma(e.multiply(power, e.negative(e.power_of_two(k))), p, e.constant(1.0, x.type))
    return e.copysign(where(e, size, "<", 1.0, _erf_near_0(e, size), far), x)


def erfc(e: Emitter, x: Value) -> Value:
    size = e.absolute(x)
    y = _erfc(e, size)
    far = where(e, x, "<", 0.0, e.subtract(e.constant(2.0, x.type), y), y)
    return where(e, size, "<", 0.8, e.subtract(e.constant(1.0, x.type), _erf_near_0(e, x)), far)


def ndtr(e: Emitter, x: Value) -> Value:
    """erfc(t) / 2, t = -x/√2; what the rounding of t lost is put back by the slope, which is -2 t erfc(t) where that counts."""
    x = at_least(e, at_most(e, x, 40.0), -40.0)
    high, low = split(e, (-ROOT_HALF[0], -ROOT_HALF[1]), x.type)
    t, lost = two_product(e, x, high)
    y = erfc(e, t)
    rest = e.multiply(times(e, at_least(e, t, 0.0), -2.0), e.fma(x, low, lost))
    return times(e, e.fma(y, rest, y), 0.5)

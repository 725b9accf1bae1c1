"""Rows of single numbers as a machine has them: signs, exponents, remainders, degrees, and what stands in for nan and inf."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..scalar import Scalar
from .axes import one_axis
from .batching import elementwise
from .domains import POSITIVE, REAL, apart, on
from .elementwise import INF, LN2, remainder, sigmoid, where
from .joining import as_array
from .parts import imag, real
from .rules import Elementwise, Linear, Zero, is_complex, numbers_of, shape_of, value_of
from .shaping import astype
from .steps import equal, floor_divide, greater, isinf, isnan, logical_and, logical_or, rint, sign, trunc
from .table import ANY, ATOM, CALL, POWER, SUM, TABLE, compose, constant_of, define, plainly

__all__ = [
    "copysign", "degrees", "fabs", "float_power", "fmax", "fmin", "fmod", "frexp", "heaviside", "isneginf", "isposinf", "ldexp",
    "logaddexp2", "modf", "nan_to_num", "nextafter", "radians", "sinc", "spacing", "unwrap",
]

DEGREE = math.pi / 180

# ---------------------------------------------------------------------- angles

degrees = define(
    "degrees", np.degrees, Elementwise((lambda ans, x: 1 / DEGREE,)), scalar=math.degrees, numpy=(np.rad2deg,),
    latex=r"\frac{{180}}{{\pi}} \cdot {0}", precedence=(SUM, CALL), kernel="x * 57.29577951308232", samples=on(REAL),
    doc="180 x / π: radians in degrees",
)
radians = define(
    "radians", np.radians, Elementwise((lambda ans, x: DEGREE,)), scalar=math.radians, numpy=(np.deg2rad,),
    latex=r"\frac{{\pi}}{{180}} \cdot {0}", precedence=(SUM, CALL), kernel="x * 0.017453292519943295", samples=on(REAL),
    doc="π x / 180: degrees in radians",
)


@compose("unwrap", complex=False, numpy=(np.unwrap,), samples=lambda rng: [
    ((np.array([0.5, 1.0, 6.0, 7.5, 0.1]) + rng.uniform(-0.1, 0.1, 5),), {}),
    ((np.array([[0.5, 3.0, 6.0], [7.5, 0.1, 0.2]]) + rng.uniform(-0.1, 0.1, (2, 3)),), {"axis": 0}),
    ((np.array([0.5, 1.0, 3.0, 0.5]) + rng.uniform(-0.1, 0.1, 4),), {"period": 2.0}),
])  # fmt: skip
def unwrap(p: Any, discont: float | None = None, axis: int = -1, *, period: float = 2 * math.pi) -> Any:
    """Angles plus multiples of the period, so that none is further than half of it from the one before; ∂/∂p = 1."""
    p = as_array(p)
    axis = one_axis(axis, len(shape_of(p)), p)
    return p + plainly(lambda value: np.unwrap(value, discont, axis, period=period) - value, p)


# ---------------------------------------------------------------------- the larger and the smaller, without nan


def _wins(x, y):
    """1 where x is the larger of the two, ½ at a tie; a nan loses."""
    return where(equal(x, y), 0.5, logical_or(greater(x, y), isnan(y)))


fmax = define(
    "fmax", np.fmax, Elementwise((lambda ans, x, y: _wins(x, y), lambda ans, x, y: _wins(y, x)), selects=True),
    scalar=lambda x, y: x if x >= y or y != y else y, precedence=(ATOM, ANY, ANY),
    kernel="x if x >= y or y != y else y", samples=apart(0.0, 0.25),
    special=(((1.0, 1.0), (0.5, 0.5)), ((math.nan, 1.0), (0.0, 1.0))),
    convention="a tie is shared equally: ½ each; of two zeros the sign of the result is not defined.",
    doc="the larger of x and y; of a number and nan the number",
)
fmin = define(
    "fmin", np.fmin, Elementwise((lambda ans, x, y: _wins(-x, -y), lambda ans, x, y: _wins(-y, -x)), selects=True),
    scalar=lambda x, y: x if x <= y or y != y else y, precedence=(ATOM, ANY, ANY),
    kernel="x if x <= y or y != y else y", samples=apart(0.0, 0.25),
    special=(((1.0, 1.0), (0.5, 0.5)), ((1.0, math.nan), (1.0, 0.0))),
    convention="a tie is shared equally: ½ each; of two zeros the sign of the result is not defined.",
    doc="the smaller of x and y; of a number and nan the number",
)


def _share_of_two(x, y):
    """2ˣ / (2ˣ + 2ʸ), without overflow; equal infinities share equally."""
    tie = logical_and(equal(x, y), isinf(x))
    return where(tie, 0.5, sigmoid(where(tie, 0.0, (x - y) * LN2)))


logaddexp2 = define(
    "logaddexp2", np.logaddexp2,
    Elementwise((lambda ans, x, y: _share_of_two(x, y), lambda ans, x, y: _share_of_two(y, x))),
    scalar=lambda x, y: float(np.logaddexp2(x, y)), latex=r"\log_2(2^{{{0}}} + 2^{{{1}}})", precedence=(CALL, ANY, ANY),
    kernel="logaddexp2(x, y)", samples=on(REAL, REAL), special=(((-INF, 0.0), (0.0, 1.0)),),
    convention="two equal infinities share the derivative equally.", doc="log₂(2ˣ + 2ʸ) without overflow",
)

# ---------------------------------------------------------------------- signs, remainders, steps

copysign = define(
    "copysign", np.copysign, Elementwise((lambda ans, x, y: sign(x) * copysign(1.0, y), None)), scalar=math.copysign,
    precedence=(ATOM, ANY, ANY), kernel="copysign(x, y)",
    samples=lambda rng: [((*x, *y), {}) for (x, _), (y, _) in zip(on(POSITIVE)(rng), apart(0.25)(rng), strict=False)],
    special=(((2.0, -1.0), (-1.0, 0.0)),), convention="as for abs, the derivative at x = 0 is 0; the sign of y has none.",
    doc="|x| with the sign of y",
)
fabs = define(
    "fabs", np.fabs, Elementwise((lambda ans, x: sign(x),)), scalar=math.fabs, symbol="|x|", latex=r"\left|{0}\right|",
    precedence=(ATOM, ANY), kernel="abs(x)", samples=apart(0.25), special=(((0.0,), (0.0,)), ((-2.0,), (-1.0,))),
    convention="the derivative at 0 is 0.", doc="|x| of real numbers, as floats",
)
fmod = define(
    "fmod", np.fmod, Elementwise((1, lambda ans, x, y: rint((ans - x) / y))), scalar=math.fmod,
    precedence=(ATOM, ANY, ANY), kernel="fmod(x, y)", samples=on((-1.9, -1.6), (0.7, 0.75)),
    doc="x - y trunc(x / y), with the sign of x",
)
heaviside = define(
    "heaviside", np.heaviside, Elementwise((None, lambda ans, x, y: equal(x, 0)), selects=True),
    scalar=lambda x, y: x if x != x else 0.0 if x < 0 else y if x == 0 else 1.0, precedence=(ATOM, ANY, ANY),
    kernel="y if x == 0 else 0.0 if x < 0 else 1.0 if x > 0 else x",
    samples=lambda rng: [((x, rng.normal(size=shape)), {})
                         for x, shape in ((0.0, ()), (np.array([-1.0, 0.0, 2.0]), (3,)), (np.array([-1.0, 0.0, 2.0]), (2, 3)))],
    convention="the step itself has the derivative 0.", doc="0 for x < 0, 1 for x > 0, and y for x = 0",
)
nextafter = define(
    "nextafter", np.nextafter, Elementwise((1, None)), scalar=math.nextafter, precedence=(ATOM, ANY, ANY),
    kernel="nextafter(x, y)", samples=on(POSITIVE, REAL), doc="the next number after x towards y",
)
spacing = define(
    "spacing", np.spacing, Zero(), kernel="spacing(x)", scalar=lambda x: float(np.spacing(x)), samples=on((1.1, 1.9)),
    doc="the distance from x to the next number",
)


def _divmod_samples(rng):
    return [(tuple(rng.uniform(*d, (2, 3)) for d in ((1.6, 1.9), (0.7, 0.75))), {})]


@compose("divmod", complex=False, numpy=(np.divmod,), methods=("__divmod__", "__rdivmod__"), samples=_divmod_samples)
def _divmod(x: Any, y: Any) -> Any:
    """(⌊x / y⌋, x - y ⌊x / y⌋)"""
    return floor_divide(x, y), remainder(x, y)


fractional_part = define(
    "fractional_part", lambda x: np.modf(x)[0], Elementwise((1,)), scalar=lambda x: math.modf(x)[0],
    latex=r"\{{{0}\}}", precedence=(ATOM, ANY), kernel="fractional_part(x)", samples=on((0.1, 0.9)),
    doc="x - trunc(x), with the sign of x",
)


@compose("modf", complex=False, numpy=(np.modf,), samples=on((0.1, 0.9)))
def modf(x: Any) -> Any:
    """(x - trunc(x), trunc(x)): the fractional and the integral part, both with the sign of x."""
    fraction = fractional_part(x)
    return fraction, trunc(astype(x, value_of(fraction).dtype) if numbers_of(x) in "biu" else x)


# ---------------------------------------------------------------------- exponents

ldexp = define(
    "ldexp", np.ldexp, Linear((lambda g, x, n: ldexp(g, n), None)), batch=elementwise, complex=False,
    latex=r"\operatorname{{ldexp}}({0}, {1})",
    scalar=lambda x, n: float(np.ldexp(x, n)), precedence=(ATOM, ANY, ANY),
    samples=lambda rng: [((rng.normal(size=shape), n), {}) for shape, n in (((), 3), ((3,), np.array([1, 0, -2])), ((2, 3), 2))],
    doc="x · 2ⁿ for integers n",
)


@compose("frexp", complex=False, numpy=(np.frexp,), samples=on(POSITIVE))
def frexp(x: Any) -> Any:
    """(m, n) with x = m · 2ⁿ and ½ ≤ |m| < 1; the exponents n are plain integers."""
    exponent = plainly(lambda x: np.frexp(x)[1], x)
    return ldexp(x, -exponent), exponent


POW = TABLE["pow"]
general_power = define(
    "general_power", lambda x, y: np.float_power(x, y).astype(np.result_type(x, y, np.float32)), POW.rule,
    scalar=math.pow, symbol="xʸ", latex="{{{0}}}^{{{1}}}", precedence=(POWER, ATOM, ANY), kernel="power(x, y)",
    samples=on(POSITIVE, REAL), special=POW.special, convention=POW.convention, complex=True,
    doc="x ** y of floats; of -0 and -inf to the power ½ it is 0 and inf, where ** takes the square root",
)


@compose("float_power", numpy=(np.float_power,), samples=on(POSITIVE, REAL))
def float_power(x: Any, y: Any) -> Any:
    """xʸ, in float64 at least."""
    return general_power(*(
        z if isinstance(z, (Scalar, float, int)) else astype(z, np.result_type(value_of(z), np.float64)) for z in (x, y)
    ))  # fmt: skip


# ---------------------------------------------------------------------- nan and inf


def _with_gaps(rng):
    x = rng.normal(size=(2, 3))
    x[0, 1], x[1, 0], x[1, 2] = math.nan, INF, -INF
    return [((x,), {"nan": 1.0, "posinf": 2.0, "neginf": -3.0}), ((x[:, 1],), {})]


@compose("nan_to_num", numpy=(np.nan_to_num,), samples=_with_gaps, convention="a number that was put in has the derivative 0.")
def nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """x with numbers in the place of nan (0), inf and -inf (the largest number, and minus it).

    >>> ag.nan_to_num(ag.Tensor([1.0, np.nan])).value
    array([1., 0.])
    """
    if is_complex(x):
        return nan_to_num(real(x), copy, nan, posinf, neginf) + 1j * nan_to_num(imag(x), copy, nan, posinf, neginf)
    dtype = getattr(value_of(x), "dtype", np.dtype(float))
    if dtype.kind not in "fc":
        return x  # which has no nan and no inf
    largest = float(np.finfo(dtype).max)
    x = where(isnan(x), nan, x)
    x = where(equal(x, INF), largest if posinf is None else posinf, x)
    return where(equal(x, -INF), -largest if neginf is None else neginf, x)


isneginf = constant_of("isneginf", np.isneginf)
isposinf = constant_of("isposinf", np.isposinf)

# ---------------------------------------------------------------------- the cardinal sine


def _spherical_bessel(order, z):
    """Near 0 by the series, elsewhere upwards from sin z / z and cos z, which is stable for |z| > n."""
    order, z = int(order), np.asarray(z)
    near = np.abs(z) < order + 1
    small = np.where(near, z, 0)
    term = np.ones_like(small) / math.prod(range(1, 2 * order + 2, 2))
    series = term
    for k in range(1, 40):
        term = term * (-0.5 * small * small) / (k * (2 * order + 2 * k + 1))
        series = series + term
    large = np.where(near, 1, z)
    with np.errstate(invalid="ignore"):  # of inf
        below, here = np.cos(large) / large, np.sin(large) / large
    for n in range(order):
        below, here = here, (2 * n + 1) / large * here - below
    result = np.where(near, series * small**order, np.where(np.isinf(z), 0, here))
    return result.astype(z.dtype if z.dtype.kind == "f" else float)[()]


def _spherical_bessel_slope(ans, n, z):
    """jₙ′ = (n jₙ₋₁ - (n + 1) jₙ₊₁) / (2n + 1), which is regular at 0."""
    return (n * spherical_bessel(max(n - 1, 0), z) - (n + 1) * spherical_bessel(n + 1, z)) / (2 * n + 1)


spherical_bessel = define(
    "spherical_bessel", _spherical_bessel, Elementwise((None, _spherical_bessel_slope)),
    scalar=lambda n, z: float(_spherical_bessel(n, z)), latex=r"j_{{{0}}}({1})", precedence=(ATOM, ANY, ANY),
    samples=lambda rng: [((n, rng.uniform(-4, 4, shape)), {}) for n, shape in ((0, ()), (1, (3,)), (2, (2, 3)), (3, (0,)))],
    special=(((0, 0.0), (0.0, 0.0)), ((1, 0.0), (0.0, 1 / 3))),
    doc="jₙ(z), the spherical Bessel function of the first kind, for one integer n ≥ 0",
)
sinc = define(
    "sinc", np.sinc, Elementwise((lambda ans, x: -math.pi * spherical_bessel(1, math.pi * x),)), numpy=(np.sinc,),
    scalar=lambda x: math.sin(math.pi * x) / (math.pi * x) if x else 1.0, latex=r"\operatorname{{sinc}} {0}",
    kernel="sin(3.141592653589793 * x) / (3.141592653589793 * x) if x else 1.0", samples=on(REAL), special=(((0.0,), (0.0,)),),
    convention="derivatives of any order are exact at 0, by the spherical Bessel functions.", doc="sin(πx) / (πx), and 1 at 0",
)

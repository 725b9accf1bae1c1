"""Rows that act element by element. A partial is ∂ans/∂argument, as in a table of derivatives."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..node import Node
from .domains import ABOVE_ONE, POSITIVE, REAL, UNIT, apart, on
from .parts import conj
from .rules import Elementwise, is_complex, value_of
from .steps import equal, floor_divide, greater, isinf, isnan, less, less_equal, logical_and, logical_or, not_equal, sign
from .table import ANY, ATOM, CALL, POWER, PRODUCT, SUM, define, plainly, rewrite

LN2, LN10 = math.log(2.0), math.log(10.0)
INF, NAN = math.inf, math.nan

# ---------------------------------------------------------------------- arithmetic

add = define(
    "add", np.add, Elementwise((1, 1)), scalar=operator.add, methods=("__add__", "__radd__"),
    symbol="+", latex="{0} + {1}", precedence=(SUM, SUM, CALL), kernel="x + y", samples=on(REAL, REAL),
    complex=True, doc="x + y",
)
subtract = define(
    "subtract", np.subtract, Elementwise((1, -1)), scalar=operator.sub, methods=("__sub__", "__rsub__"),
    symbol="−", latex="{0} - {1}", precedence=(SUM, SUM, CALL), kernel="x - y", samples=on(REAL, REAL),
    complex=True, doc="x - y",
)
multiply = define(
    "multiply", np.multiply, Elementwise((lambda ans, x, y: y, lambda ans, x, y: x)), scalar=operator.mul,
    methods=("__mul__", "__rmul__"), symbol="×", latex=r"{0} \cdot {1}", precedence=(PRODUCT, PRODUCT, CALL),
    kernel="x * y", samples=on(REAL, REAL), complex=True, doc="x · y",
)
divide = define(
    "divide", np.divide, Elementwise((lambda ans, x, y: 1 / y, lambda ans, x, y: -ans / y)),
    scalar=operator.truediv, methods=("__truediv__", "__rtruediv__"), symbol="÷", latex=r"\frac{{{0}}}{{{1}}}",
    precedence=(ATOM, ANY, ANY), kernel="x / y", samples=on(REAL, POSITIVE),
    special=(((1e-170, 1e-170), (1e170, -1e170)), ((1.0, INF), (0.0, 0.0))),
    complex=True, doc="x / y; the partial -(x/y)/y does not overflow where the derivative does not.",
)
negative = define(
    "negative", np.negative, Elementwise((-1,)), scalar=operator.neg, methods=("__neg__",), symbol="−",
    latex="-{0}", precedence=(SUM, CALL), kernel="-x", samples=on(REAL), complex=True, doc="-x",
)
positive = define(
    "positive", np.positive, Elementwise((1,)), scalar=operator.pos, methods=("__pos__",), symbol="+",
    latex="{0}", precedence=(ATOM, ATOM), kernel="x", samples=on(REAL), complex=True, doc="+x, a new node with the value of x",
)
reciprocal = define(
    "reciprocal", np.reciprocal, Elementwise((lambda ans, x: -ans * ans,)), scalar=lambda x: 1.0 / x,
    symbol="1/x", latex=r"\frac{{1}}{{{0}}}", precedence=(ATOM, ANY), kernel="1 / x", samples=on(POSITIVE),
    complex=True, doc="1 / x (of floats)",
)


def _power_base(ans, x, y):
    """y x^(y-1), and 0 for y = 0 even at x = 0, where x^(y-1) is inf."""
    zero = equal(y, 0)
    if isinstance(y, Node):  # elsewhere it is 0 at y = 0 as well, but no constant: by y it has the derivative 1/x
        zero = logical_and(zero, logical_or(equal(x, 0), isnan(x)))
    return where(zero, 0.0, y * power(x, where(zero, 1.0, y - 1)))


def _power_exponent(ans, x, y):
    """x^y ln x; 0 at x = 0 for y > 0, where the product is 0 · -inf and its limit 0."""
    zero = logical_and(equal(x, 0), greater(y, 0))
    return where(zero, 0.0, ans * log(where(zero, 1.0, x)))


def _power_of_numbers(x: float, y: float) -> float:
    if type(x) is type(y) is int and y >= 0:
        return x**y
    return math.sqrt(x) if y == 0.5 else math.pow(x, y)  # as NumPy does, which tells for x = -inf


power = define(
    "pow", np.power, Elementwise((_power_base, _power_exponent)), scalar=_power_of_numbers, methods=("__pow__", "__rpow__"),
    numpy=() if getattr(np, "pow", np.power) is np.power else (np.pow,),
    symbol="xʸ", latex="{{{0}}}^{{{1}}}", precedence=(POWER, ATOM, ANY), kernel="x ** y",
    samples=on(POSITIVE, REAL),
    special=(((0.0, 2.0), (0.0, 0.0)), ((0.0, 1.0), (1.0, 0.0)), ((0.0, 0.0), (0.0, -INF)), ((-2.0, 3.0), (12.0, NAN))),
    convention="∂/∂x of x⁰ is 0, also at x = 0; ∂/∂y of 0^y is 0 for y > 0; of x = -0 the sign of the result is not defined.",
    complex=True, doc="x ** y; nan for negative x and a fractional y, as for arrays",
)
square = define(
    "square", np.square, Elementwise((lambda ans, x: 2 * x,)), scalar=lambda x: x * x, symbol="x²",
    latex="{{{0}}}^2", precedence=(POWER, ATOM), kernel="x * x", samples=on(REAL), complex=True, doc="x²",
)
sqrt = define(
    "sqrt", np.sqrt, Elementwise((lambda ans, x: 0.5 / ans,)), scalar=math.sqrt, symbol="√",
    latex=r"\sqrt{{{0}}}", precedence=(ATOM, ANY), kernel="sqrt(x)", samples=on(POSITIVE),
    special=(((0.0,), (INF,)), ((-1.0,), (NAN,))),
    convention="sqrt'(0) is inf; ag.norm has the gradient 0 at 0.", complex=True, doc="√x",
)
cbrt = define(
    "cbrt", np.cbrt, Elementwise((lambda ans, x: 1 / (3 * ans * ans),)), scalar=lambda x: float(np.cbrt(x)),
    symbol="∛", latex=r"\sqrt[3]{{{0}}}", precedence=(ATOM, ANY), kernel="cbrt(x)", samples=on(POSITIVE),
    special=(((0.0,), (INF,)),), doc="∛x",
)
hypot = define(
    "hypot", np.hypot,
    Elementwise((lambda ans, x, y: _ratio(x, ans), lambda ans, x, y: _ratio(y, ans))),
    scalar=math.hypot, latex=r"\sqrt{{{0}^2 + {1}^2}}", precedence=(ATOM, ATOM, ATOM), kernel="hypot(x, y)",
    samples=on(REAL, POSITIVE), special=(((0.0, 0.0), (0.0, 0.0)),),
    convention="the gradient at (0, 0) is 0, as for ag.norm.", doc="√(x² + y²) without overflow",
)


def _ratio(x, r):
    """x / r, and 0 where r is 0."""
    zero = equal(r, 0)
    return where(zero, 0.0, x / where(zero, 1.0, r))


# ---------------------------------------------------------------------- exponentials and logarithms

exp = define(
    "exp", np.exp, Elementwise((lambda ans, x: ans,)), scalar=math.exp, latex="e^{{{0}}}", precedence=(POWER, ANY),
    kernel="exp(x)", samples=on(REAL), complex=True, doc="eˣ",
)
exp2 = define(
    "exp2", np.exp2, Elementwise((lambda ans, x: LN2 * ans,)), scalar=lambda x: 2.0**x, latex="2^{{{0}}}",
    precedence=(POWER, ANY), kernel="exp2(x)", samples=on(REAL), complex=True, doc="2ˣ",
)
expm1 = define(
    "expm1", np.expm1, Elementwise((lambda ans, x: exp(x),)), scalar=math.expm1, latex="e^{{{0}}} - 1",
    precedence=(SUM, ANY), kernel="expm1(x)", samples=on(REAL), complex=True, doc="eˣ - 1, exact for small x",
)
log = define(
    "log", np.log, Elementwise((lambda ans, x: 1 / x,)), scalar=math.log, latex=r"\log {0}", kernel="log(x)",
    samples=on(POSITIVE), special=(((0.0,), (INF,)),),
    convention="x · log x at 0 is nan by IEEE; ag.xlogy(x, x) is 0 there.", complex=True, doc="the natural logarithm of x",
)
log2 = define(
    "log2", np.log2, Elementwise((lambda ans, x: 1 / (LN2 * x),)), scalar=math.log2, latex=r"\log_2 {0}",
    kernel="log2(x)", samples=on(POSITIVE), special=(((0.0,), (INF,)),), complex=True, doc="log₂ x",
)
log10 = define(
    "log10", np.log10, Elementwise((lambda ans, x: 1 / (LN10 * x),)), scalar=math.log10, latex=r"\log_{{10}} {0}",
    kernel="log10(x)", samples=on(POSITIVE), special=(((0.0,), (INF,)),), complex=True, doc="log₁₀ x",
)
log1p = define(
    "log1p", np.log1p, Elementwise((lambda ans, x: 1 / (1 + x),)), scalar=math.log1p, latex=r"\log(1 + {0})",
    precedence=(POWER, CALL), kernel="log1p(x)", samples=on(POSITIVE), special=(((-1.0,), (INF,)),),
    complex=True, doc="log(1 + x), exact for small x",
)


def _share(x, other):
    """eˣ / (eˣ + e^other), without overflow; equal infinities share equally."""
    tie = logical_and(equal(x, other), isinf(x))
    return where(tie, 0.5, sigmoid(where(tie, 0.0, x - other)))


logaddexp = define(
    "logaddexp", np.logaddexp,
    Elementwise((lambda ans, x, y: _share(x, y), lambda ans, x, y: _share(y, x))),
    scalar=lambda x, y: float(np.logaddexp(x, y)), latex=r"\log(e^{{{0}}} + e^{{{1}}})", precedence=(POWER, ANY, ANY),
    kernel="logaddexp(x, y)", samples=on(REAL, REAL), special=(((-INF, 0.0), (0.0, 1.0)), ((1e4, -1e4), (1.0, 0.0))),
    convention="two equal infinities share the derivative equally.", doc="log(eˣ + eʸ) without overflow",
)

# ---------------------------------------------------------------------- trigonometric and hyperbolic

sin = define(
    "sin", np.sin, Elementwise((lambda ans, x: cos(x),)), scalar=math.sin, latex=r"\sin {0}", kernel="sin(x)",
    samples=on(REAL), complex=True, doc="sin x, x in radians",
)
cos = define(
    "cos", np.cos, Elementwise((lambda ans, x: -sin(x),)), scalar=math.cos, latex=r"\cos {0}", kernel="cos(x)",
    samples=on(REAL), complex=True, doc="cos x, x in radians",
)
tan = define(
    "tan", np.tan, Elementwise((lambda ans, x: 1 + ans * ans,)), scalar=math.tan, latex=r"\tan {0}", kernel="tan(x)",
    samples=on((-1.2, 1.2)), complex=True, doc="tan x, x in radians",
)
ONE = complex(1.0, -0.0)  # added to or diminished by z it keeps the sign of a zero, which says on which side of a cut z lies


def _root_of_one_minus_square(x):
    """√(1 - x²); of complex x that with a positive real part, or with the sign of the side of the cut."""
    return sqrt(ONE - x) * sqrt(x + ONE) if is_complex(x) else sqrt((1 - x) * (1 + x))


asin = define(
    "asin", np.arcsin, Elementwise((lambda ans, x: 1 / _root_of_one_minus_square(x),)), scalar=math.asin,
    latex=r"\arcsin {0}", kernel="asin(x)", samples=on(UNIT), special=(((1.0,), (INF,)), ((-1.0,), (INF,))),
    complex=True, doc="arcsin x in radians, |x| ≤ 1",
)
acos = define(
    "acos", np.arccos, Elementwise((lambda ans, x: -1 / _root_of_one_minus_square(x),)), scalar=math.acos,
    latex=r"\arccos {0}", kernel="acos(x)", samples=on(UNIT), special=(((1.0,), (-INF,)), ((-1.0,), (-INF,))),
    complex=True, doc="arccos x in radians, |x| ≤ 1",
)
atan = define(
    "atan", np.arctan, Elementwise((lambda ans, x: 1 / (1 + x * x),)), scalar=math.atan, latex=r"\arctan {0}",
    kernel="atan(x)", samples=on(REAL), complex=True, doc="arctan x in radians",
)
atan2 = define(
    "atan2", np.arctan2,
    Elementwise((lambda ans, y, x: _ratio(_ratio(x, hypot(y, x)), hypot(y, x)),
                 lambda ans, y, x: -_ratio(_ratio(y, hypot(y, x)), hypot(y, x)))),
    scalar=math.atan2, latex=r"\operatorname{{atan2}}({0}, {1})", precedence=(ATOM, ANY, ANY), kernel="atan2(x, y)",
    samples=on(POSITIVE, REAL), special=(((0.0, 0.0), (0.0, 0.0)), ((1e-170, 1e-170), (5e169, -5e169))),
    convention="the gradient at (0, 0) is 0.", doc="the angle of the point (x, y), in radians: atan2(y, x)",
)
sinh = define(
    "sinh", np.sinh, Elementwise((lambda ans, x: cosh(x),)), scalar=math.sinh, latex=r"\sinh {0}", kernel="sinh(x)",
    samples=on(REAL), complex=True, doc="sinh x",
)
cosh = define(
    "cosh", np.cosh, Elementwise((lambda ans, x: sinh(x),)), scalar=math.cosh, latex=r"\cosh {0}", kernel="cosh(x)",
    samples=on(REAL), complex=True, doc="cosh x",
)
tanh = define(
    "tanh", np.tanh, Elementwise((lambda ans, x: (1 - ans) * (1 + ans),)), scalar=math.tanh, latex=r"\tanh {0}",
    kernel="tanh(x)", samples=on(REAL), complex=True, doc="tanh x",
    convention="the derivative (1 - y)(1 + y) is exact to a rounding of 1; far out, where it is tiny, it has fewer digits.",
)
asinh = define(
    "asinh", np.arcsinh, Elementwise((lambda ans, x: 1 / hypot(1.0, x),)), scalar=math.asinh,
    latex=r"\operatorname{{arsinh}} {0}", kernel="asinh(x)", samples=on(REAL), doc="arsinh x",
)
acosh = define(
    "acosh", np.arccosh, Elementwise((lambda ans, x: 1 / (sqrt(x - 1) * sqrt(x + (ONE if is_complex(x) else 1))),)),
    scalar=math.acosh, latex=r"\operatorname{{arcosh}} {0}", kernel="acosh(x)", samples=on(ABOVE_ONE),
    special=(((1.0,), (INF,)),), complex=True, doc="arcosh x, x ≥ 1",
)
atanh = define(
    "atanh", np.arctanh, Elementwise((lambda ans, x: 1 / ((1 - x) * (1 + x)),)), scalar=math.atanh,
    latex=r"\operatorname{{artanh}} {0}", kernel="atanh(x)", samples=on(UNIT), special=(((1.0,), (INF,)),),
    complex=True, doc="artanh x, |x| ≤ 1",
)

# ---------------------------------------------------------------------- sigmoids and entropies


def _sigmoid(x):
    """1 / (1 + e⁻ˣ) by e^-|x|, which can't overflow."""
    x = np.asarray(x)
    small = np.exp(-np.abs(x))
    return (np.where(x >= 0, 1, small) / (1 + small)).astype(x.dtype if x.dtype.kind == "f" else float)[()]


def _sigmoid_of_float(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


sigmoid = define(
    "sigmoid", _sigmoid, Elementwise((lambda ans, x: ans * sigmoid(-x),)), scalar=_sigmoid_of_float,
    symbol="σ", latex=r"\sigma({0})", precedence=(ATOM, ANY), kernel="sigmoid(x)", samples=on(REAL),
    special=(((1e4,), (0.0,)), ((-1e4,), (0.0,))), doc="1 / (1 + e⁻ˣ), without overflow; its derivative is σ(x) σ(-x)",
)
softplus = define(
    "softplus", lambda x: np.logaddexp(x, 0), Elementwise((lambda ans, x: sigmoid(x),)),
    scalar=lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))), latex=r"\log(1 + e^{{{0}}})", precedence=(POWER, ANY),
    kernel="softplus(x)", samples=on(REAL), special=(((1e4,), (1.0,)), ((-1e4,), (0.0,))),
    doc="log(1 + eˣ), without overflow",
)


def _xlogy(x, y):
    x, y = np.asarray(x), np.asarray(y)
    zero = (x == 0) & ~np.isnan(y)
    return np.where(zero, 0, x * np.log(np.where(zero, 1, y)))[()]


def _log_of_second(ans, x, y):
    return log(y)


def over(x, y):
    """x / y, and 0 for x = 0 even where y is 0."""
    zero = equal(x, 0)
    if isinstance(x, Node):  # elsewhere it is 0 at x = 0 as well, but no constant: by x it has the derivative 1/y
        zero = logical_and(zero, equal(y, 0))
    return where(zero, 0.0, x / where(zero, 1.0, y))


xlogy = define(
    "xlogy", _xlogy, Elementwise((_log_of_second, lambda ans, x, y: over(x, y))),
    scalar=lambda x, y: 0.0 if x == 0 and y == y else x * math.log(y), latex=r"{0} \log {1}", precedence=(CALL, ATOM, ATOM),
    kernel="xlogy(x, y)", samples=on(REAL, POSITIVE), special=(((0.0, 0.0), (-INF, 0.0)), ((0.0, 2.0), (LN2, 0.0))),
    convention="0 · log y is 0 for every y, also for y = 0; ∂/∂x = log y, so at x = y = 0 it is -inf.",
    doc="x log y, and 0 where x = 0",
)

# ---------------------------------------------------------------------- kinks

def _direction(ans, x):
    """The sign of x; of a complex number conj(x) / |x|, and 0 at 0."""
    return _ratio(conj(x), ans) if is_complex(x) else sign(x)


absolute = define(
    "abs", np.absolute, Elementwise((_direction,)), complex=True, scalar=abs, methods=("__abs__",), symbol="|x|",
    latex=r"\left|{0}\right|", precedence=(ATOM, ANY), kernel="abs(x)", samples=apart(0.25),
    special=(((0.0,), (0.0,)), ((-2.0,), (-1.0,))), convention="abs'(0) = 0.", doc="|x|",
)


def _larger(x, y):
    """1 where x is the larger of the two, ½ at a tie; a nan is taken, and has no derivative."""
    return where(isnan(x), NAN, where(equal(x, y), 0.5, greater(x, y)))


def _smaller(x, y):
    return where(isnan(x), NAN, where(equal(x, y), 0.5, less(x, y)))


maximum = define(
    "maximum", np.maximum,
    Elementwise((lambda ans, x, y: _larger(x, y), lambda ans, x, y: _larger(y, x)), selects=True),
    scalar=lambda x, y: x if x >= y or x != x else y, latex=r"\max({0}, {1})", precedence=(ATOM, ANY, ANY),
    kernel="maximum(x, y)", samples=apart(0.0, 0.25),
    special=(((1.0, 1.0), (0.5, 0.5)), ((2.0, 1.0), (1.0, 0.0)), ((NAN, 1.0), (NAN, 0.0))),
    convention="a tie is shared equally: ½ each; of two zeros the sign of the result is not defined; by a nan it is nan.",
    doc="the larger of x and y; nan if either is",
)
minimum = define(
    "minimum", np.minimum,
    Elementwise((lambda ans, x, y: _smaller(x, y), lambda ans, x, y: _smaller(y, x)), selects=True),
    scalar=lambda x, y: x if x <= y or x != x else y, latex=r"\min({0}, {1})", precedence=(ATOM, ANY, ANY),
    kernel="minimum(x, y)", samples=apart(0.0, 0.25),
    special=(((1.0, 1.0), (0.5, 0.5)), ((2.0, 1.0), (0.0, 1.0)), ((NAN, 1.0), (NAN, 0.0))),
    convention="a tie is shared equally: ½ each; of two zeros the sign of the result is not defined; by a nan it is nan.",
    doc="the smaller of x and y; nan if either is",
)
relu = define(
    "relu", lambda x: np.maximum(x, 0), Elementwise((lambda ans, x: sign(ans),), selects=True),
    scalar=lambda x: 0.0 if x <= 0 else x, latex=r"\max(0, {0})", precedence=(ATOM, ANY), kernel="maximum(x, 0)",
    methods=("relu",), samples=apart(0.25), special=(((0.0,), (0.0,)), ((-1.0,), (0.0,)), ((2.0,), (1.0,)), ((NAN,), (NAN,))),
    convention="relu'(0) = 0.", doc="max(0, x)",
)
_choice = define(
    "where", np.where,
    Elementwise((None, lambda ans, condition, x, y: not_equal(condition, 0), lambda ans, condition, x, y: equal(condition, 0)),
                selects=True),
    scalar=lambda condition, x, y: x if condition else y, numpy=(np.where,),
    latex=r"\begin{{cases}} {1} & {0} \\ {2} \end{{cases}}", precedence=(ATOM, ANY, ANY, ANY),
    kernel="y if x else z",
    samples=lambda rng: [
        ((rng.random(c) < 0.5, rng.normal(size=x), rng.normal(size=y)), {})
        for c, x, y in (((), (), ()), ((2, 3), (2, 3), (3,)), ((3,), (2, 1), ()), ((2, 1), (), (1, 3)), ((0,), (0,), (1,)))
    ],
    convention="the branch not taken contributes exactly 0, even where its own derivative is inf or nan.",
    complex=True, doc="x where the condition holds, y elsewhere",
)


def where(condition: Any, /, *choices: Any) -> Any:
    """x where the condition holds, y elsewhere: where(condition, x, y).

    Without x and y the places where it holds, as `nonzero` gives them: plain arrays.

    >>> x = ag.Tensor([-1.0, 4.0])
    >>> ag.where(x > 0, x, 0.0)
    Tensor([0., 4.], op=where)
    >>> ag.where(x > 0)
    (array([1]),)
    """
    return _choice(condition, *choices) if choices else plainly(np.nonzero, condition)


rewrite("where", where)

# ---------------------------------------------------------------------- with steps

remainder = define(
    "remainder", np.remainder, Elementwise((1, lambda ans, x, y: -floor_divide(x, y))), scalar=operator.mod,
    methods=("__mod__", "__rmod__"), symbol="mod", latex=r"{0} \bmod {1}", precedence=(SUM, POWER, POWER),
    kernel="x % y", samples=on((1.6, 1.9), (0.7, 0.75)), doc="x - y ⌊x / y⌋, with the sign of y",
)


def _clip(x, min=None, max=None, *, a_min=None, a_max=None):
    """min(max(x, low), high): x kept between two bounds, either of which may be None.

    Integers stay integers. ``a_min`` and ``a_max`` are NumPy's other names of the bounds.

    >>> x = ag.Tensor([-1.0, 0.5, 2.0])
    >>> ag.clip(x, 0.0, 1.0).sum().backward()
    >>> x.grad
    array([0., 1., 0.])
    """
    least, most = _ends(getattr(value_of(x), "dtype", np.dtype(float)))
    min, max = a_min if min is None else min, a_max if max is None else max
    low, high = least if min is None else min, most if max is None else max
    if type(least) is int and type(low) is type(high) is int:  # a bound beyond all that the dtype holds is none
        low, high = least if low < least else low, most if high > most else high
    return (x, low, high), {}


def _ends(dtype):
    """The least and the largest number of a dtype, as Python's."""
    if dtype.kind in "iu":
        return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    return (False, True) if dtype.kind == "b" else (-INF, INF)


clip = define(
    "clip", np.clip,
    Elementwise((
        lambda ans, x, low, high: where(isnan(x), NAN, logical_and(less_equal(low, x), less_equal(x, high))),
        lambda ans, x, low, high: where(isnan(low), NAN, logical_and(less(x, low), less_equal(low, high))),
        lambda ans, x, low, high: where(isnan(high), NAN, logical_or(greater(x, high), greater(low, high))),
    ), selects=True),
    scalar=lambda x, low, high: min(max(x, low), high) if x == x and low == low and high == high else NAN, signature=_clip,
    methods=("clip",),
    numpy=(np.clip,), latex=r"\operatorname{{clip}}({0}, {1}, {2})", precedence=(ATOM, ANY, ANY, ANY),
    kernel="minimum(maximum(x, y), z)", samples=apart(0.0, 0.17, 0.33),
    special=(((0.0, 0.0, 1.0), (1.0, 0.0, 0.0)), ((2.0, 0.0, 1.0), (0.0, 0.0, 1.0)), ((-1.0, 0.0, 1.0), (0.0, 1.0, 0.0))),
    convention="at a bound the derivative is that of x: 1; by a nan it is nan.",
)

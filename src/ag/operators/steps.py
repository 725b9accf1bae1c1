"""Rows that are constant between steps: rounding, comparisons and truth values. Their derivative is 0, or there is none."""

from __future__ import annotations

import operator

import numpy as np

from .domains import POSITIVE, REAL, on
from .rules import FUNCTIONS, Zero, value_of
from .table import ANY, ATOM, SUM, compose, constant_of, define

floor = define(
    "floor", np.floor, Zero(), scalar=lambda x: float(np.floor(x)), methods=("__floor__",),
    latex=r"\lfloor {0} \rfloor", precedence=(ATOM, ANY), kernel="floor(x)", samples=on((0.1, 0.9)), doc="⌊x⌋",
)
ceil = define(
    "ceil", np.ceil, Zero(), scalar=lambda x: float(np.ceil(x)), methods=("__ceil__",),
    latex=r"\lceil {0} \rceil", precedence=(ATOM, ANY), kernel="ceil(x)", samples=on((0.1, 0.9)), doc="⌈x⌉",
)
trunc = define(
    "trunc", np.trunc, Zero(), scalar=lambda x: float(np.trunc(x)), methods=("__trunc__",), numpy=(np.fix,),
    kernel="trunc(x)", samples=on((0.1, 0.9)), doc="x rounded towards 0",
)
rint = define(
    "rint", np.rint, Zero(), scalar=lambda x: float(np.rint(x)), kernel="rint(x)", samples=on((0.1, 0.4)),
    doc="x rounded to the nearest integer, halves to even",
)
sign = define(
    "sign", np.sign, Zero(), scalar=lambda x: x if x != x else float((x > 0) - (x < 0)),
    latex=r"\operatorname{{sign}} {0}", kernel="sign(x)", samples=on(POSITIVE),
    convention="sign(0) = 0, and its derivative is 0 everywhere.", doc="-1, 0 or 1",
)
floor_divide = define(
    "floor_divide", np.floor_divide, Zero(), scalar=operator.floordiv, methods=("__floordiv__", "__rfloordiv__"),
    symbol="//", latex=r"\left\lfloor \frac{{{0}}}{{{1}}} \right\rfloor", precedence=(ATOM, ANY, ANY),
    kernel="x // y", samples=on((0.1, 0.9), (1.1, 1.9)), doc="⌊x / y⌋",
)


def _compare(name, ufunc, scalar, method, symbol):
    """A comparison: plain booleans, even of nodes."""
    return define(
        name, ufunc, Zero(), scalar=scalar, methods=(method,), symbol=symbol,
        latex=rf"\left[{{0}} {symbol} {{1}}\right]", precedence=(ATOM, SUM, SUM), kernel=f"{name}(x, y)",
        samples=on(REAL, REAL), records=False, doc=f"x {symbol} y as plain booleans, also of nodes",
    )


equal = _compare("equal", np.equal, operator.eq, "__eq__", "=")
not_equal = _compare("not_equal", np.not_equal, operator.ne, "__ne__", r"\neq")
less = _compare("less", np.less, operator.lt, "__lt__", "<")
less_equal = _compare("less_equal", np.less_equal, operator.le, "__le__", r"\leq")
greater = _compare("greater", np.greater, operator.gt, "__gt__", ">")
greater_equal = _compare("greater_equal", np.greater_equal, operator.ge, "__ge__", r"\geq")


def _logical(name, ufunc, latex, kernel, doc):
    """A property or a combination of truth values: plain booleans, even of nodes."""
    return define(
        name, ufunc, Zero(), symbol=name, latex=latex, precedence=(ATOM, *[ATOM] * ufunc.nin), kernel=kernel,
        samples=on(*[REAL] * ufunc.nin), records=False, doc=f"{doc}: plain booleans, also of nodes",
    )


logical_and = _logical("logical_and", np.logical_and, r"\left[{0} \land {1}\right]", "logical_and(x, y)", "x and y")
logical_or = _logical("logical_or", np.logical_or, r"\left[{0} \lor {1}\right]", "logical_or(x, y)", "x or y")
logical_xor = _logical("logical_xor", np.logical_xor, r"\left[{0} \oplus {1}\right]", "logical_xor(x, y)", "one of x and y")
logical_not = _logical("logical_not", np.logical_not, r"\left[\lnot {0}\right]", "logical_not(x)", "not x")
isfinite = _logical("isfinite", np.isfinite, r"\operatorname{{isfinite}}({0})", "isfinite(x)", "is x finite?")
isinf = _logical("isinf", np.isinf, r"\operatorname{{isinf}}({0})", "isinf(x)", "is x ±inf?")
isnan = _logical("isnan", np.isnan, r"\operatorname{{isnan}}({0})", "isnan(x)", "is x nan?")
signbit = _logical("signbit", np.signbit, r"\operatorname{{signbit}}({0})", "signbit(x)", "has x the sign -?")

# Of truth values and integers: computed from the values, plain.
bitwise_and = constant_of("bitwise_and", np.bitwise_and, methods=("__and__", "__rand__"))
bitwise_or = constant_of("bitwise_or", np.bitwise_or, methods=("__or__", "__ror__"))
bitwise_xor = constant_of("bitwise_xor", np.bitwise_xor, methods=("__xor__", "__rxor__"))
invert = constant_of("invert", np.invert, methods=("__invert__",))
left_shift = constant_of("left_shift", np.left_shift, methods=("__lshift__", "__rlshift__"))
right_shift = constant_of("right_shift", np.right_shift, methods=("__rshift__", "__rrshift__"))


def _samples_of_round(rng):
    return [((rng.uniform(0.011, 0.014, shape),), {"decimals": 2}) for shape in ((), (2, 3))]


@compose("round", forward=np.round, samples=_samples_of_round, numpy=(np.round, np.around), methods=("round", "__round__"))
def round(x, decimals=0):
    """x rounded to the given number of decimals, halves to even; its derivative is 0."""
    dtype = getattr(value_of(x), "dtype", np.dtype(float))
    if dtype.kind in "iu" and decimals >= 0:
        return x
    if decimals >= 0:
        return rint(x) if not decimals else rint(x * 10.0**decimals) / 10.0**decimals
    tens = rint(x / 10.0**-decimals) * 10.0**-decimals
    return FUNCTIONS["astype"](tens, dtype) if dtype.kind in "iu" else tens

"""Every function that a kernel of the table of operators may call, by its name, and kernels as instructions."""

from __future__ import annotations

import ast
import functools
import hashlib
import itertools

from . import circular, division, exponentials
from .arithmetic import INF, Function, where
from .emitter import FLOATS, Emitter, Value

ARITHMETIC = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide"}
CALLED = {ast.Pow: "power", ast.Mod: "remainder", ast.FloorDiv: "floor_divide"}
COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


def sign(e: Emitter, x: Value) -> Value:
    zero, one = e.constant(0, x.type), e.constant(1, x.type)
    if x.type not in FLOATS:
        return e.select(e.compare("<", x, zero), e.negative(one), e.cast(e.compare(">", x, zero), x.type))
    return e.select(e.compare(">", x, zero), one, e.select(e.compare("<", x, zero), e.negative(one), e.absolute(x)))


def xlogy(e: Emitter, x: Value, y: Value) -> Value:
    """x log y, and 0 where x = 0, unless y is nan."""
    product = e.multiply(x, exponentials.log(e, y))
    zero = e.select(e.compare("==", y, y), e.constant(0.0, x.type), y)
    return where(e, x, "==", 0.0, zero, product)


def fractional_part(e: Emitter, x: Value) -> Value:
    """x less what is before the point, with the sign of x; 0 of ±inf, as of `numpy.modf`."""
    return e.copysign(e.select(isinf(e, x), e.constant(0.0, x.type), e.subtract(x, e.trunc(x))), x)


def isfinite(e: Emitter, x: Value) -> Value:
    return e.compare("<", e.absolute(x), e.constant(INF, x.type))


def isinf(e: Emitter, x: Value) -> Value:
    return e.compare("==", e.absolute(x), e.constant(INF, x.type))


def isnan(e: Emitter, x: Value) -> Value:
    return e.compare("!=", x, x)


def signbit(e: Emitter, x: Value) -> Value:
    bits = e.bits(x)
    return e.compare("<", bits, e.constant(0, bits.type))


def nextafter(e: Emitter, x: Value, y: Value) -> Value:
    """The next number after x towards y: its bits, as an integer, one up or one down."""
    zero, bits = e.constant(0.0, x.type), e.bits(x)
    one = e.constant(1, bits.type)
    inwards = e.logical_xor(e.compare(">", y, x), e.compare(">", x, zero))
    moved = e.number(e.select(inwards, e.subtract(bits, one), e.add(bits, one)))
    moved = where(e, x, "==", 0.0, e.copysign(e.number(one), y), moved)
    result = e.select(e.compare("==", x, y), y, moved)
    ordered = e.logical_and(e.compare("==", x, x), e.compare("==", y, y))
    return e.select(ordered, result, e.add(x, y))


def spacing(e: Emitter, x: Value) -> Value:
    """From x to the next number away from 0, with the sign of x."""
    return e.subtract(nextafter(e, x, where(e, x, "<", 0.0, -INF, e.constant(INF, x.type))), x)


def _compared(predicate: str) -> Function:
    return lambda e, x, y: e.compare(predicate, x, y)


FUNCTIONS: dict[str, Function] = {
    **{f.__name__: f for f in (
        exponentials.exp, exponentials.exp2, exponentials.expm1, exponentials.log, exponentials.log2, exponentials.log10,
        exponentials.log1p, exponentials.tanh, exponentials.sigmoid, exponentials.softplus, exponentials.sinh,
        exponentials.cosh, exponentials.asinh, exponentials.acosh, exponentials.atanh, exponentials.logaddexp,
        exponentials.logaddexp2, exponentials.rsqrt, exponentials.power, exponentials.cbrt, exponentials.hypot,
        exponentials.erf, exponentials.erfc, exponentials.ndtr, circular.sin, circular.cos, circular.tan, circular.asin,
        circular.acos, circular.atan, circular.atan2, division.fmod, division.remainder, division.floor_divide,
        sign, xlogy, fractional_part, nextafter, spacing, isfinite, isinf, isnan, signbit,
    )},
    "pow": exponentials.power,
    "abs": Emitter.absolute,
    **{name: getattr(Emitter, name) for name in (
        "sqrt", "copysign", "floor", "ceil", "trunc", "rint", "maximum", "minimum",
    )},
    "less": _compared("<"), "less_equal": _compared("<="), "greater": _compared(">"), "greater_equal": _compared(">="),
    "equal": _compared("=="), "not_equal": _compared("!="),
    "logical_and": lambda e, x, y: e.logical_and(e.truth(x), e.truth(y)),
    "logical_or": lambda e, x, y: e.logical_or(e.truth(x), e.truth(y)),
    "logical_xor": lambda e, x, y: e.logical_xor(e.truth(x), e.truth(y)),
    "logical_not": lambda e, x: e.invert(e.truth(x)),
}  # fmt: skip


# ---------------------------------------------------------------------- kernels


@functools.cache
def _parsed(kernel: str) -> ast.expr:
    return ast.parse(kernel, mode="eval").body


@functools.cache
def printable(kernel: str) -> bool:
    """Is every function that the kernel uses there? If not, the row runs through NumPy."""
    for node in ast.walk(_parsed(kernel)):
        if isinstance(node, ast.Call):
            if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
                return False
        elif isinstance(node, ast.BinOp) and type(node.op) not in ARITHMETIC and CALLED.get(type(node.op)) not in FUNCTIONS:
            return False
    return True


def expression(e: Emitter, kernel: str, values: dict[str, Value]) -> Value:
    """A kernel, one Python expression of x, y, z (``values``), as instructions; constants take the type of what they meet.

    ValueError: the kernel is made of something else, or its arguments are of different types.
    """
    kinds = {v.type for name, v in values.items() if v.type != "i1"} or {"i1"}
    if len(kinds) > 1:
        given = ", ".join(f"{name}: {v.type}" for name, v in values.items())
        raise ValueError(f"the arguments of the kernel {kernel!r} must have one type, not {given}; cast them before")
    return _Kernel(e, kernel, values, kinds.pop()).value(_parsed(kernel))


WITHOUT_FLOATS = {  # the functions of integers and truths
    "abs", "sign", "floor", "ceil", "trunc", "rint", "maximum", "minimum", "less", "less_equal", "greater", "greater_equal",
    "equal", "not_equal", "logical_and", "logical_or", "logical_xor", "logical_not",
}  # fmt: skip


def is_of_integers(kernel: str) -> bool:
    """Can the kernel be computed of integers and truths? Their quotients, remainders and powers have rules of their own."""
    nodes = list(ast.walk(_parsed(kernel)))
    if any(isinstance(node, ast.BinOp) and (type(node.op) in CALLED or isinstance(node.op, ast.Div)) for node in nodes):
        return False
    return all(not isinstance(node, ast.Call) or getattr(node.func, "id", "") in WITHOUT_FLOATS for node in nodes)


def apart(e: Emitter, kernel: str, values: dict[str, Value]) -> Value:
    """The same as a call of a function that stands by itself in the module, once for each kernel and type."""
    digest = hashlib.sha256(repr((kernel, e.width, [v.type for v in values.values()])).encode()).hexdigest()[:16]
    body: list[str] = []
    inner = Emitter(e.width, e.features, body, e.declarations, itertools.count())
    result = expression(inner, kernel, {name: Value(f"%{name}", v.type) for name, v in values.items()})
    parameters = ", ".join(f"{e.vector(v.type)} %{name}" for name, v in values.items())
    kind = e.vector(result.type)
    lines = [f"define internal {kind} @ag.apart.{digest}({parameters}) noinline {{", *body, f"  ret {kind} {result.text}", "}"]
    e.declarations.add("\n".join(lines))
    given = ", ".join(f"{e.vector(v.type)} {v.text}" for v in values.values())
    return e.line(f"call {kind} @ag.apart.{digest}({given})", result.type)


class _Kernel:
    def __init__(self, e: Emitter, kernel: str, values: dict[str, Value], type: str) -> None:
        self.e, self.kernel, self.values, self.type = e, kernel, values, type

    def value(self, node: ast.expr) -> Value:
        e = self.e
        match node:
            case ast.Name(id=name) if name in self.values:
                return self.values[name]
            case ast.Constant(value=int() | float() as number):
                return e.constant(number, self.type)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return e.negative(self.value(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                a, b = self.alike(left, right)
                if isinstance(op, ast.Div) and a.type not in FLOATS:
                    raise self.needs_floats(node, a.type)
                return getattr(e, ARITHMETIC[type(op)])(a, b)
            case ast.BinOp(left=left, op=op, right=right) if CALLED.get(type(op)) in FUNCTIONS:
                return self.call(node, CALLED[type(op)], self.alike(left, right))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
                return self.call(node, name, self.alike(*args))
            case ast.IfExp(test=test, body=body, orelse=other):
                return e.select(e.truth(self.value(test)), *self.alike(body, other))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
                return e.compare(COMPARISONS[type(op)], *self.alike(left, right))
            case ast.BoolOp(op=op, values=parts):
                join = e.logical_or if isinstance(op, ast.Or) else e.logical_and
                return functools.reduce(join, [e.truth(self.value(part)) for part in parts])
        known = "a kernel is made of its arguments, numbers, + - * /, comparisons, if-else and the names in FUNCTIONS"
        raise ValueError(f"{known}; {ast.unparse(node)!r} in {self.kernel!r} is not")

    def alike(self, *nodes: ast.expr) -> list[Value]:
        """Their values, where a truth next to a number counts as 0 or 1."""
        values = [self.value(node) for node in nodes]
        same = len({v.type for v in values}) == 1
        return values if same else [self.e.cast(v, self.type) for v in values]

    def call(self, node: ast.expr, name: str, values: list[Value]) -> Value:
        if values[0].type not in FLOATS and name not in WITHOUT_FLOATS:
            raise self.needs_floats(node, values[0].type)
        return FUNCTIONS[name](self.e, *values)

    def needs_floats(self, node: ast.expr, type: str) -> ValueError:
        what = f"{ast.unparse(node)!r} in the kernel {self.kernel!r}"
        return ValueError(f"{what} is of float or double, not of {type}; cast before")

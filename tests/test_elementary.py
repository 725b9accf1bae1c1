"""The compiler's elementary functions: their accuracy against mpmath, their special values against NumPy."""

import ctypes
import importlib.util
import itertools
import re
from pathlib import Path

import mpmath
import numpy as np
import pytest

from ag.compiler.mathematics import coefficients, elementary
from ag.compiler.mathematics.emitter import Emitter
from ag.operators import everything
from ag.operators.rules import Elementwise, Zero
from ag.operators.table import TABLE

llvm = pytest.importorskip("llvmlite.binding")
special = pytest.importorskip("scipy.special")

TYPES = {"double": np.float64, "float": np.float32}
RESULTS = {"double": np.float64, "float": np.float32, "i1": bool, "i32": np.int32, "i64": np.int64}
NATIVE = {"double": 8, "float": 16}  # of AVX-512; what has less splits it


# ---------------------------------------------------------------------- from a kernel to a function of arrays


@pytest.fixture(scope="module")
def compiled():
    """compiled(kernel or function of an emitter, number of arguments, type, width, processor) -> a function of arrays."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    engines = {}

    def build(kernel, arity, type, width, cpu=None):
        key = kernel, arity, type, width, cpu
        if key not in engines:
            engines[key] = machine_code(kernel, arity, type, width, cpu)
        return engines[key][0]

    return build


def features_of(cpu):
    """What the emitter is told, and what LLVM is, of this processor (None) or of one of LLVM's models."""
    if cpu is None:
        host = llvm.get_host_cpu_features()
        return frozenset(name for name, there in host.items() if there), host.flatten()
    return {"x86-64": frozenset(), "x86-64-v3": frozenset(("avx", "avx2", "fma"))}[cpu], ""


def module_text(kernel, arity, type, width, features):
    """void f(in0, in1, ..., out, n): n is a multiple of the width."""
    body, declarations = [], set()
    e = Emitter(width, features, body, declarations, itertools.count())
    values = [e.load(f"%p{i}", type) for i in range(arity)]
    write = kernel if callable(kernel) else lambda e, *xs: elementary.expression(e, kernel, dict(zip("xyz", xs, strict=False)))
    result = write(e, *values)
    e.store(result, "%q")
    stored = "i8" if result.type == "i1" else result.type
    places = "\n".join(f"  %p{i} = getelementptr {type}, ptr %in{i}, i64 %i" for i in range(arity))
    text = f"""
define void @f({", ".join(f"ptr %in{i}" for i in range(arity))}, ptr %out, i64 %n) {{
start:
  br label %loop
loop:
  %i = phi i64 [ 0, %start ], [ %j, %latch ]
{places}
  %q = getelementptr {stored}, ptr %out, i64 %i
{chr(10).join(body)}
  br label %latch
latch:
  %j = add i64 %i, {width}
  %more = icmp ult i64 %j, %n
  br i1 %more, label %loop, label %end
end:
  ret void
}}"""
    return "\n".join(sorted(declarations)) + text, result.type


def machine_code(kernel, arity, type, width, cpu):
    features, flat = features_of(cpu)
    text, result = module_text(kernel, arity, type, width, features)
    module = llvm.parse_assembly(text)
    module.verify()
    cpu = cpu or llvm.get_host_cpu_name()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu=cpu, features=flat, opt=1, jit=True)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    f = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (arity + 1), ctypes.c_int64)(engine.get_function_address("f"))

    def call(*arrays):
        arrays = np.broadcast_arrays(*[np.asarray(a, TYPES[type]).ravel() for a in arrays])
        n = arrays[0].size
        padded = [np.append(a, np.ones(-n % width, a.dtype)) for a in arrays]
        out = np.empty(padded[0].size, RESULTS[result])
        f(*[a.ctypes.data for a in padded], out.ctypes.data, out.size)
        return out[:n]

    return call, engine, module


# ---------------------------------------------------------------------- accuracy


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def softplus(x):
    return mpmath.log1p(mpmath.exp(x))


def ndtr(x):
    with mpmath.workprec(160):
        return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def cbrt(x):
    return mpmath.sign(x) * mpmath.cbrt(abs(x))


def logaddexp(x, y):
    return max(x, y) + mpmath.log1p(mpmath.exp(-abs(x - y)))


# Where to look: an interval, or a law by name (see `points`). The bound is in units in the last place.
ACCURACY = {
    "exp": (1.5, mpmath.exp, [(-746, 710), (-1, 1)]), "exp2": (1.5, lambda x: mpmath.mpf(2) ** x, [(-1075, 1024), (-1, 1)]),
    "expm1": (2.4, mpmath.expm1, [(-45, 710), (-1, 1), "small"]), "log": (1.5, mpmath.log, ["positive", (0.5, 2)]),
    "log2": (1.5, lambda x: mpmath.log(x) / mpmath.log(2), ["positive", (0.5, 2)]),
    "log10": (1.5, mpmath.log10, ["positive", (0.5, 2)]),
    "log1p": (1.5, mpmath.log1p, ["positive", "small", (-1, 1), (1, 100)]),
    "tanh": (2.2, mpmath.tanh, ["small", (-1, 1), (-20, 20)]), "sigmoid": (1.5, sigmoid, [(-745, 50), (-5, 5)]),
    "softplus": (1.7, softplus, [(-745, 700), (-5, 5), (-40, 40)]),
    "sin": (1.0, mpmath.sin, ["small", "any", "quarters", (-10, 10), (-2e5, 2e5)]),
    "cos": (1.0, mpmath.cos, ["small", "any", "quarters", (-10, 10), (-2e5, 2e5)]),
    "tan": (1.5, mpmath.tan, ["small", "any", "quarters", (-10, 10), (-2e5, 2e5)]),
    "asin": (2.0, mpmath.asin, ["small", (-1, 1), (0.4, 0.6)]), "acos": (2.0, mpmath.acos, ["small", (-1, 1), (0.99, 1)]),
    "atan": (1.0, mpmath.atan, ["small", "any", (-5, 5)]), "sinh": (2.5, mpmath.sinh, ["small", (-5, 5), (-711, 711)]),
    "cosh": (2.0, mpmath.cosh, ["small", (-5, 5), (-711, 711)]), "asinh": (2.0, mpmath.asinh, ["small", "any", (-5, 5)]),
    "acosh": (2.5, mpmath.acosh, ["above 1", (1, 2), (1, 1.001)]), "atanh": (2.0, mpmath.atanh, ["small", (-1, 1)]),
    "erf": (1.5, mpmath.erf, ["small", (-6, 6), (-1, 1)]), "erfc": (4.0, mpmath.erfc, ["small", (-6, 27.3), (-1, 1)]),
    "ndtr": (5.0, ndtr, ["small", (-38.5, 9), (-13, 6), (-1, 1)]),
    "cbrt": (1.0, cbrt, ["small", "any"]), "sqrt": (0.5, mpmath.sqrt, ["positive"]),
    "rsqrt": (1.5, lambda x: 1 / mpmath.sqrt(x), ["positive"]),
}  # fmt: skip
ACCURACY_OF_TWO = {
    "pow": (1.5, lambda x, y: x**y, ["power"]),
    "atan2": (1.5, mpmath.atan2, ["small", "any", (-5, 5), (-700, 700)]), "hypot": (2.0, mpmath.hypot, ["small", "any", (-5, 5)]),
    "logaddexp": (2.0, logaddexp, [(0.5, 3), (-700, 700)]),
}  # fmt: skip


def points(law, dtype, rng, n):
    limits = np.finfo(dtype)
    lowest, highest = np.log2(limits.smallest_subnormal), np.log2(limits.max)
    with np.errstate(over="ignore", under="ignore"):
        match law:
            case "small":
                x = np.exp2(rng.uniform(lowest, 0, n)) * rng.choice([-1, 1], n)
            case "any":
                x = np.exp2(rng.uniform(-5, highest, n)) * rng.choice([-1, 1], n)
            case "positive":
                x = np.exp2(rng.uniform(lowest, highest, n))
            case "above 1":
                x = np.exp2(rng.uniform(0, highest, n))
            case "quarters":  # next to a multiple of π/2, where the reduction cancels most
                x = np.rint(np.exp2(rng.uniform(0, 32, n))) * (np.pi / 2)
            case (start, end):
                x = rng.uniform(start, end, n)
        x = x.astype(dtype)
    return x[np.isfinite(x)]


def powers(dtype, rng, n):
    """x and y with xʸ from below the smallest number to the largest."""
    limits = np.finfo(dtype)
    spread = rng.choice([0.01, 1, 10, limits.maxexp - 3], n)
    x = np.exp2(spread * rng.uniform(-1, 1, n)).astype(dtype)
    x[x == 1] = 2
    bound = rng.uniform(np.log(float(limits.smallest_subnormal)) - 1, np.log(float(limits.max)), n)
    return x, (bound / np.log(x.astype(float))).astype(dtype)


def error(got, exact, dtype):
    """The largest distance in units in the last place, by mpmath, and where. Beyond the largest number inf is exact."""
    limits = np.finfo(dtype)
    worst = (-1.0, None)
    for i, (g, e) in enumerate(zip(got.tolist(), exact, strict=True)):
        if not np.isfinite(g):
            assert abs(e) > float(limits.max) and g == np.inf * float(mpmath.sign(e)), f"{g} for {mpmath.nstr(e, 20)}"
            continue
        exponent = max(mpmath.frexp(e)[1] - 1 if e else -(10**6), limits.minexp)
        worst = max(worst, (float(abs(g - e) * mpmath.ldexp(1, limits.nmant - exponent)), i))
    return worst


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("name", [*ACCURACY, *ACCURACY_OF_TWO])
def test_accuracy(name, type, compiled):
    dtype, rng = TYPES[type], np.random.default_rng(7)
    bound, exact, laws = (ACCURACY | ACCURACY_OF_TWO)[name]
    arity = 1 if name in ACCURACY else 2
    f = compiled(f"{name}({', '.join('xy'[:arity])})", arity, type, NATIVE[type])
    for law in laws:
        args = powers(dtype, rng, 400) if law == "power" else [points(law, dtype, rng, 150) for _ in range(arity)]
        args = [a[: min(map(len, args))] for a in args]
        with mpmath.workprec(160):
            values = [exact(*map(mpmath.mpf, numbers)) for numbers in zip(*[a.tolist() for a in args], strict=True)]
            worst, i = error(f(*args), values, dtype)
        assert worst <= bound, f"{name}({', '.join(repr(a[i]) for a in args)}) is {worst:.2f} ulp off"


HARD_ANGLES = [6381956970095103.0 * 2.0**797, 5.319372648326541e255, 2.0**1023, 1.7976931348623157e308, 1e22, 2.0**30, 411775.0]


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_huge_angles_are_reduced_exactly(name, compiled):
    """The first is, of all doubles, the one nearest to a multiple of π/2 (Muller, Elementary Functions)."""
    x = np.array(HARD_ANGLES)
    with mpmath.workprec(1500):
        assert abs(mpmath.cos(x[0])) < 1e-18
        exact = [getattr(mpmath, name)(mpmath.mpf(v)) for v in x.tolist()]
        assert error(compiled(f"{name}(x)", 1, "double", 8)(x), exact, np.float64)[0] <= 1.5


# ---------------------------------------------------------------------- special values

NUMPY = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10, "log1p": np.log1p,
    "tanh": np.tanh, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "cbrt": np.cbrt,
    "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x), "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "abs": np.abs,
    "softplus": lambda x: np.logaddexp(x, np.zeros_like(x)), "sign": np.sign, "floor": np.floor, "ceil": np.ceil,
    "rint": np.rint, "trunc": np.trunc, "signbit": np.signbit, "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite,
    "logical_not": np.logical_not, "fractional_part": lambda x: np.modf(x)[0],
    "erf": lambda x: special.erf(x.astype(float)), "erfc": lambda x: special.erfc(x.astype(float)),
    "ndtr": np.vectorize(lambda x: float(ndtr(mpmath.mpf(float(np.clip(x, -1e3, 1e3))))), otypes=[float]),
}  # fmt: skip
NUMPY_OF_TWO = {
    "pow": np.power, "atan2": np.arctan2, "hypot": np.hypot, "logaddexp": np.logaddexp, "logaddexp2": np.logaddexp2,
    "maximum": np.maximum, "minimum": np.minimum, "copysign": np.copysign, "less": np.less, "less_equal": np.less_equal,
    "greater": np.greater, "greater_equal": np.greater_equal, "equal": np.equal, "not_equal": np.not_equal,
    "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor,
    "xlogy": lambda x, y: special.xlogy(x.astype(float), y.astype(float)),
}  # fmt: skip


def special_points(dtype):
    limits = np.finfo(dtype)
    tiny, least, eps, largest = limits.tiny, limits.smallest_subnormal, limits.eps, limits.max
    numbers = [0, least, 3 * least, tiny - least, tiny, 2 * tiny, eps / 4, 1e-5, 0.25, 0.5, 1 - eps / 2, 1, 1 + eps, 1.5, 2, 2.5, 3]
    numbers += [4, 5, 10, 20.5, 88.5, 89, 100, 103.5, 104, 127, 128, 149, 150, 700, 709.5, 709.79, 710.4, 710.5, 745, 745.2, 746]
    numbers += [1000, 1023, 1024, 1074, 1075, 2**24 + 1, 2.0**53 - 1, 2.0**53, 2.0**60, 1e22, largest / 4, largest / 1.9, largest]
    x = np.array([*numbers, np.inf], dtype)
    return np.concatenate([x, -x, np.array([np.nan], dtype)])


def arguments(arity, dtype):
    x = special_points(dtype)
    return [x] if arity == 1 else [a.ravel() for a in np.meshgrid(x, x)]


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("name", [*NUMPY, *NUMPY_OF_TWO])
def test_special_values_are_numpys(name, type, compiled):
    dtype, arity = TYPES[type], 1 if name in NUMPY else 2
    args = arguments(arity, dtype)
    got = compiled(f"{name}({', '.join('xy'[:arity])})", arity, type, NATIVE[type])(*args)
    with np.errstate(all="ignore"):
        want = (NUMPY | NUMPY_OF_TWO)[name](*[a.astype(np.longdouble) for a in args])
        want = want if want.dtype == bool else want.astype(dtype)
        if want.dtype == bool:
            right = got == want
        else:
            cancels = name in ("logaddexp", "logaddexp2")
            size = np.maximum(np.abs(want), 1 if cancels else 0)
            near = np.isfinite(got) & np.isfinite(want) & (np.abs(got - want) <= 4 * np.spacing(size))
            right = (got == want) | near | (np.isnan(got) & np.isnan(want))
            if not cancels and name not in ("maximum", "minimum"):  # of 0 and -0 any
                right &= np.isnan(want) | (np.signbit(got) == np.signbit(want))
    wrong = np.flatnonzero(~right)
    assert not wrong.size, [([a[i] for a in args], got[i], want[i]) for i in wrong[:5]]


EXACT = {"spacing": lambda x, y: np.spacing(x), "nextafter": np.nextafter, "fmod": np.fmod, "remainder": np.remainder, "floor_divide": np.floor_divide}


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("name", EXACT)
def test_what_is_exact_is_numpys_to_the_bit(name, type, compiled):
    dtype, rng = TYPES[type], np.random.default_rng(5)
    bits = np.uint64 if type == "double" else np.uint32
    anything = [rng.integers(0, np.iinfo(bits).max, 2000, dtype=bits).view(dtype) for _ in range(2)]  # quotients to 2²⁰⁰⁰
    tenths = [rng.integers(-99, 99, 2000).astype(dtype) / 10 for _ in range(2)]
    args = [np.concatenate(parts) for parts in zip(arguments(2, dtype), anything, tenths, strict=True)]
    with np.errstate(all="ignore"):
        want = EXACT[name](*args)
    for width in (1, NATIVE[type], 4 * NATIVE[type]):
        got = compiled("spacing(x)" if name == "spacing" else f"{name}(x, y)", 2, type, width)(*args)
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(np.signbit(got[want == want]), np.signbit(want[want == want]))


# ---------------------------------------------------------------------- other processors, other widths

@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("name", [*NUMPY, *ACCURACY_OF_TWO])
def test_every_width_and_processor_gives_the_same_bits(name, type, compiled):
    dtype, arity = TYPES[type], 1 if name in NUMPY else 2
    kernel = f"{name}({', '.join('xy'[:arity])})"
    rng = np.random.default_rng(3)
    args = [np.concatenate([a[::7], points((-9, 9), dtype, rng, 99), points("any", dtype, rng, 99)]) for a in arguments(arity, dtype)]
    native = compiled(kernel, arity, type, NATIVE[type])(*args)
    ways = [(1, None), (4 * NATIVE[type], None)]
    if llvm.get_host_cpu_features().get("avx2") and llvm.get_host_cpu_features().get("fma"):
        ways += [(NATIVE[type] // 2, "x86-64-v3"), (2 * NATIVE[type], "x86-64-v3")]
        if name in ("exp", "tanh"):  # without instructions for fma: by calls
            ways.append((2, "x86-64"))
    for width, cpu in ways:
        np.testing.assert_array_equal(compiled(kernel, arity, type, width, cpu)(*args), native, err_msg=f"{width} {cpu}")


@pytest.fixture(scope="module")
def assembly():
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()

    def assembled(kernel, arity, type, triple, features, width):
        text, _ = module_text(kernel, arity, type, width, {f for f in features.split(",") if f})
        flat = ",".join(f"+{f}" for f in features.split(","))
        machine = llvm.Target.from_triple(triple).create_target_machine(features=flat, opt=1, codemodel="small")
        module = llvm.parse_assembly(text)
        module.triple = triple
        module.verify()
        return machine.emit_assembly(module)

    return assembled


@pytest.mark.parametrize("triple, features", [
    ("aarch64-unknown-linux-gnu", "neon"), ("arm64-apple-darwin", "neon"), ("x86_64-unknown-linux-gnu", "avx,avx2,fma"),
    ("x86_64-pc-windows-msvc", "avx,avx2,fma,avx512f"),
])
def test_no_function_calls_a_library(triple, features, assembly):
    found = set()
    for name in elementary.FUNCTIONS:
        arity = 2 if name in {*NUMPY_OF_TWO, *EXACT, "power"} - {"spacing"} else 1
        kernel = f"{name}({', '.join('xy'[:arity])})"
        for type, width in (("double", 4), ("float", 4), ("double", 1)):
            text = assembly(kernel, arity, type, triple, features, width)
            found |= (called := {*re.findall(r"^\s+(?:call|callq|bl|blr)\s+\"?_?([\w.]+)", text, re.M)})
            assert {c for c in called if not c.startswith("ag.")} == set(), (name, type)
    assert "ag.angle" in found


# ---------------------------------------------------------------------- the emitter


NUMBERS = {"double": special_points(np.float64), "float": special_points(np.float32)}


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("kernel", ["x + y", "x - y", "x * y", "x / y", "x * y + x", "x * x - y * y"])
def test_arithmetic_rounds_as_numpys(kernel, type, compiled):
    rng = np.random.default_rng(0)
    x, y = (np.concatenate([points((-3, 3), TYPES[type], rng, 500), rng.permutation(NUMBERS[type])]) for _ in range(2))
    with np.errstate(all="ignore"):
        want = eval(kernel)
    np.testing.assert_array_equal(compiled(kernel, 2, type, NATIVE[type])(x, y), want)


@pytest.mark.parametrize("to", ["double", "float", "i1", "i32", "i64"])
@pytest.mark.parametrize("type", TYPES)
def test_cast_is_astype(type, to, compiled):
    x = NUMBERS[type]
    if to.startswith("i") and to != "i1":
        x = x[np.abs(x) < 2.0**30]
    with np.errstate(all="ignore"):
        want = x.astype(RESULTS[to])
    np.testing.assert_array_equal(compiled(lambda e, v: e.cast(v, to), 1, type, 8)(x), want)
    back = compiled(lambda e, v: e.cast(e.cast(v, to), type), 1, type, 8)(x)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(back, want.astype(TYPES[type]))


@pytest.mark.parametrize("type", TYPES)
def test_select_truth_and_logic(type, compiled):
    x = NUMBERS[type]
    np.testing.assert_array_equal(compiled(lambda e, v: e.invert(e.truth(v)), 1, type, 8)(x), ~x.astype(bool))
    kernel = "x if x >= y or y != y else y"
    with np.errstate(invalid="ignore"):
        want = np.fmax(x, 1)
    np.testing.assert_array_equal(compiled(kernel, 2, type, 8)(x, np.ones_like(x)), want)


@pytest.mark.parametrize("kind, fold", [("add", np.sum), ("multiply", np.prod), ("maximum", np.max), ("minimum", np.min)])
@pytest.mark.parametrize("type", TYPES)
def test_reduction_of_lanes(kind, fold, type, compiled):
    rng = np.random.default_rng(1)
    x = rng.uniform(0.5, 2, 64).astype(TYPES[type])
    f = compiled(lambda e, v: e.splat(Emitter(1, e.features, e.body, e.declarations, e.names).negative(e.reduce(kind, v))), 1, type, 8)
    np.testing.assert_allclose(f(x), -np.repeat(fold(x.reshape(8, 8), axis=1), 8), rtol=4 * np.finfo(x.dtype).eps)
    x[5] = np.nan
    assert np.isnan(f(x)[:8]).all() and not np.isnan(f(x)[8:]).any()


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("lanes", [1, 3, 7])
def test_only_the_live_lanes_are_loaded_and_stored(lanes, type, compiled):
    def twice_over(e, value):
        part = e.load("%p0", type, lanes)
        e.store(e.negative(e.constant(7, type)), "%q")
        e.store(e.add(part, part), "%q", lanes)
        return e.load("%q", type)

    x = np.arange(1, 17, dtype=TYPES[type])
    want = np.where(np.arange(16) % 8 < lanes, 2 * x, -7)
    np.testing.assert_array_equal(compiled(twice_over, 1, type, 8)(x), want)


@pytest.mark.parametrize("kernel", [
    "x + y", "x - y", "x * y", "-x", "abs(x)", "sign(x)", "maximum(x, y)", "minimum(x, 3)", "x if x > y else y", "floor(x)", "x < y", "x != y",
])
@pytest.mark.parametrize("type", ["i32", "i64"])
def test_integers(kernel, type, compiled):
    rng = np.random.default_rng(4)
    x, y = rng.integers(-9, 9, (2, 64))
    f = compiled(lambda e, a, b: elementary.expression(e, kernel, {"x": e.cast(a, type), "y": e.cast(b, type)}), 2, "double", 8)
    names = {"x": x, "y": y, "abs": np.abs, "sign": np.sign, "maximum": np.maximum, "minimum": np.minimum, "floor": np.floor}
    want = np.maximum(x, y) if " if " in kernel else eval(kernel, names)
    np.testing.assert_array_equal(f(x, y), want)


@pytest.mark.parametrize("kernel, f", [
    ("x + y", np.add), ("x * y", np.multiply), ("maximum(x, y)", np.maximum), ("logical_xor(x, y)", np.logical_xor), ("x < y", np.less),
    ("x if x <= y or y != y else y", np.logical_and),
])
def test_truths(kernel, f, compiled):
    def write(e, a, b):
        return elementary.expression(e, kernel, {"x": e.truth(a), "y": e.truth(b)})

    x, y = np.array([0, 0, 1, 1] * 4), np.array([0, 1, 0, 1] * 4)
    np.testing.assert_array_equal(compiled(write, 2, "double", 8)(x, y), f(x.astype(bool), y.astype(bool)))


def test_a_truth_next_to_a_number_is_0_or_1(compiled):
    def write(e, a, b):
        return elementary.expression(e, "x * y + (x if x else y)", {"x": e.truth(a), "y": b})

    x, y = np.arange(8) % 2, np.linspace(2, 3, 8)
    np.testing.assert_array_equal(compiled(write, 2, "double", 8)(x, y), x * y + np.where(x, 1, y))


# ---------------------------------------------------------------------- kernels


def test_stored_coefficients_are_what_the_tool_derives():
    path = Path(__file__).parent.parent / "tools" / "coefficients.py"
    spec = importlib.util.spec_from_file_location("coefficients_tool", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.module() == Path(coefficients.__file__).read_text(encoding="utf-8")


everything()
ROWS = {op.name: op for op in TABLE.values() if isinstance(op.rule, (Elementwise, Zero)) and isinstance(op.kernel, str)}


def test_every_elementwise_row_has_instructions():
    assert len(ROWS) > 60
    assert not [name for name, op in ROWS.items() if not elementary.printable(op.kernel)]
    assert not elementary.printable("gamma(x) + 1") and not elementary.printable("x @ y")


@pytest.mark.parametrize("name", ROWS)
def test_a_row_computes_what_its_kernel_says(name, compiled):
    op, rng = ROWS[name], np.random.default_rng(2)
    arity = max(i + 1 for i, letter in enumerate("xyz") if re.search(rf"\b{letter}\b", op.kernel))
    args = [rng.uniform(1.05, 3, 50) if name == "acosh" else rng.uniform(0.05, 0.95, 50) for _ in range(arity)]
    got = compiled(op.kernel, arity, "double", 8)(*args)
    np.testing.assert_allclose(got, op.forward(*args), rtol=1e-14, atol=1e-15)


def test_what_is_no_kernel_is_refused():
    e = Emitter(8, set(), [], set(), itertools.count())
    x, n = e.constant(1, "double"), e.constant(1, "float")
    with pytest.raises(ValueError, match="'gamma\\(x\\)' in 'gamma\\(x\\)' is not"):
        elementary.expression(e, "gamma(x)", {"x": x})
    with pytest.raises(ValueError, match="'sin\\(x\\)' in the kernel 'sin\\(x\\)' is of float or double, not of i64; cast before"):
        elementary.expression(e, "sin(x)", {"x": e.constant(1, "i64")})
    with pytest.raises(ValueError, match="'x / y' in the kernel 'x / y' is of float or double, not of i32"):
        elementary.expression(e, "x / y", {"x": e.constant(1, "i32"), "y": e.constant(2, "i32")})
    with pytest.raises(ValueError, match="'x @ x' in"):
        elementary.expression(e, "x @ x", {"x": x})
    with pytest.raises(ValueError, match="must have one type, not x: double, y: float"):
        elementary.expression(e, "x + y", {"x": x, "y": n})

"""Compiled functions give NumPy's numbers: its dtypes, its special values, and sums as exact as its own."""

import functools

import numpy as np
import pytest

import ag
from ag.compiler import executable
from ag.compiler.machine import native
from ag.node import Operand
from ag.traced import Traced

pytestmark = pytest.mark.filterwarnings("ignore:ag.jit runs programs through NumPy")


@pytest.fixture(params=["machine code", "numpy"], autouse=True)
def way(request, monkeypatch):
    """How programs are run."""
    monkeypatch.setenv("AG_CACHE_DIR", "")
    if request.param == "numpy":
        monkeypatch.setattr(native, "available", lambda: False)
    elif not native.available():
        pytest.skip("llvmlite is missing")
    return request.param


def compiled(f, *args):
    """The result of f compiled, computed by its program and not by f itself."""
    g = ag.jit(f)
    result = g(*args)
    assert g.entry(*args)(ag.transforms.containers.leaves(args)) is not executable.DECLINED
    return result


def same(found, expected):
    """Equal in shape, dtype and every bit that is not that of a nan's sign."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(found, expected)
    if expected.dtype.kind == "f":
        kept = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(found)[kept], np.signbit(expected)[kept])


def test_no_attribute_of_a_traced_value_hides_a_method():
    methods = {name for face in Operand.__mro__ for name in vars(face)}
    assert not methods & {"recorded_by", "number", "weak"}
    assert set(Traced.__slots__) == {"recorded_by", "number", "weak", "shape", "dtype"}
    x = np.arange(6.0).reshape(2, 3)
    assert compiled(lambda x: x.trace(), x) == x.trace()
    assert compiled(lambda x: x.trace(offset=1), x) == x.trace(offset=1)


# ---------------------------------------------------------------------- loops

INTEGERS = [np.dtype(f"{sign}int{bits}").type for bits in (8, 16, 32, 64) for sign in ("", "u")]


@pytest.mark.parametrize("integer", INTEGERS, ids=lambda t: t.__name__)
def test_bounds_of_loops_of_any_width(integer):
    def f(lower, upper):
        return ag.fori_loop(lower, upper, lambda i, total: total + i, 0.0)

    assert compiled(f, integer(2), integer(100)) == sum(range(2, 100))
    assert compiled(lambda n: ag.fori_loop(0, n, lambda i, c: c + 1, 0), integer(7)) == 7
    counts = np.array([0, 3, 7], integer)
    same(compiled(ag.vmap(lambda n: ag.fori_loop(0, n, lambda i, c: c + 1, 0)), counts), counts.astype(int))
    same(compiled(ag.vmap(lambda n: ag.fori_loop(n, 7, lambda i, c: c + 1, 0)), counts), 7 - counts.astype(int))


def test_the_number_of_steps_needs_more_bits_than_the_bounds():
    def steps(lower, upper):
        return ag.fori_loop(lower, upper, lambda i, c: c + 1, 0)

    assert compiled(steps, np.int8(-100), np.int8(100)) == 200
    assert compiled(steps, np.uint8(5), np.uint8(2)) == 0  # and not 253
    for f in (ag.vmap(lambda n: steps(-100, n)), ag.jit(ag.vmap(lambda n: steps(-100, n)))):
        same(f(np.array([100, -100, 27], np.int8)), np.array([200, 0, 127]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.int32])
def test_the_number_of_a_step_is_one_of_python(dtype):
    x = np.arange(1, 4).astype(dtype)

    def f(x, lower):
        return ag.fori_loop(lower, 6, lambda i, c: (c + i) * i, x)

    expected = x
    for i in range(1, 6):
        expected = (expected + i) * i
    same(compiled(lambda x: f(x, 1), x), expected)
    same(compiled(f, x, np.int16(1)), expected)
    same(compiled(f, x, 1), expected)
    same(f(x, 1), expected)


# ---------------------------------------------------------------------- indices


@pytest.mark.parametrize("f, expected", [
    (lambda x, i: x[i].sum(), [[0, 0, 0], [1, 1, 1]]),
    (lambda x, i: x[0, i], [[0, 1, 0], [0, 0, 0]]),
    (lambda x, i: ag.take(x, i), [[0, 1, 0], [0, 0, 0]]),
    (lambda x, i: ag.take(x, i, axis=1).sum(), [[0, 1, 0], [0, 1, 0]]),
    (lambda x, i: x.at[i].set(0.0).sum(), [[1, 1, 1], [0, 0, 0]]),
    (lambda x, i: x.at[i].add(x[0] * i).sum(), [[2, 2, 2], [1, 1, 1]]),
])  # fmt: skip
def test_integers_of_python_as_indices(f, expected):
    x = np.arange(6.0).reshape(2, 3)
    for gradient in (ag.jit(ag.grad(f)), ag.grad(ag.jit(f)), ag.grad(f)):
        same(gradient(x, 1), np.array(expected, float))


# ---------------------------------------------------------------------- dot products

LONG = 600_000


def errors(f, exact, *args):
    """The errors of f eager and compiled, in units in the last place."""
    results = [np.asarray(g(*args)) for g in (f, ag.jit(f))]
    return [np.max(np.abs(y - exact) / np.spacing(np.abs(exact).astype(y.dtype))) for y in results]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("f", [
    lambda x, y: x @ y, np.dot, np.vdot, np.inner, np.vecdot, lambda x, y: np.einsum("i,i", x, y),
    lambda x, y: np.einsum("ij,ij->", x.reshape(-1, 8), y.reshape(-1, 8)), lambda x, y: (x[None] @ y[:, None])[0, 0],
    lambda x, y: (x.reshape(1, 1, -1) @ y.reshape(1, -1, 1))[0, 0, 0], lambda x, y: (x * 1) @ (y + 0),
    lambda x, y: np.stack([x, y], 1)[:, 0] @ np.stack([x, y], 1)[:, 1],
])  # fmt: skip
def test_long_dot_products(f, dtype):
    rng = np.random.default_rng(0)
    x, y = (1 + rng.random((2, LONG)) * 1e-3).astype(dtype)
    eager, own = errors(f, (x.astype(np.longdouble) * y.astype(np.longdouble)).sum(), x, y)
    assert own <= 4 * eager + 4


@pytest.mark.parametrize("shapes", [
    ((3,), (3,)), ((1, 3), (3,)), ((3,), (3, 1)), ((1, 3), (3, 1)), ((1, 1), (1, 1)), ((2, 1, 3), (2, 3, 1)), ((2, 1, 3), (3,)),
    ((3,), (2, 3, 1)), ((4, 1, 1, 3), (2, 3, 1)), ((1, 3), (2, 3, 1)), ((2, 1, 0), (2, 0, 1)), ((0, 1, 3), (0, 3, 1)), ((0,), (0,)),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.int32, bool, np.float16])
def test_products_of_rows_and_columns(shapes, dtype):
    rng = np.random.default_rng(1)
    x, y = (rng.integers(-3, 4, shape).astype(dtype) for shape in shapes)  # whose products are exact
    same(compiled(lambda x, y: x @ y, x, y), x @ y)
    same(compiled(lambda x, y: x[..., ::-1] @ y, x, y), x[..., ::-1] @ y)


def test_infinities_in_dot_products():
    x, y = np.array([np.inf, 0.0, 1.0]), np.array([1.0, np.inf, 2.0])
    with np.errstate(all="ignore"):
        for a, b in ((x, y), (x, x + 1), (x[:1], y[:1]), (-x, x + 1)):
            same(compiled(lambda a, b: a @ b, a, b), a @ b)


# ---------------------------------------------------------------------- integers and truths

BIG = np.array([[2**60 + 1, -5], [3, 15]])  # not all of which are floats
TRUTHS = np.array([True, False, True])


@pytest.mark.parametrize("f", [
    np.tril, np.triu, lambda x: np.clip(x, None, 2**59), lambda x: np.clip(x, 0, None), lambda x: np.clip(x, None, 1.5), np.round,
    lambda x: np.round(x, 2), lambda x: np.round(x, -1), np.nansum, np.nanmax, np.nanmin, np.nanprod, np.nancumsum, np.nancumprod,
    lambda x: np.polyval(x[0], x), lambda x: np.vecdot(x, x), np.fabs, np.diff, lambda x: np.gradient(x[1]), lambda x: np.fmod(x, 4), np.reciprocal,
    lambda x: np.modf(x)[0], lambda x: np.modf(x)[1], lambda x: np.linalg.vector_norm(x, ord=np.inf), np.median, np.ptp,
    lambda x: np.quantile(x[1], 0.5, method="lower"), lambda x: np.histogram(x, [-9, 0, 9], weights=x)[0], np.cumprod, np.sign,
    lambda x: np.remainder(x, 4), lambda x: x // 4, lambda x: np.linspace(x[1, 0], x[0, 1], 3), lambda x: np.interp(2.5, x[1], x[0]),
])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.int8, np.uint8])
def test_integers(f, dtype):
    x = BIG if dtype == np.int64 else (BIG % 16).astype(dtype)
    with np.errstate(all="ignore"):
        same(compiled(f, x), f(x))
        result = f(ag.Tensor(x))
        same(getattr(result, "value", result), f(x))


@pytest.mark.parametrize("f", [
    lambda x: x**2, lambda x: np.clip(x, None, False), lambda x: np.clip(x, True, None), np.tril, np.nansum, np.nanmax, np.nanprod,
    lambda x: np.vecdot(x, x), np.diff, lambda x: np.diff(x, 2), np.median, np.nanmedian, np.copy, lambda x: x.copy(), np.angle,
    lambda x: np.quantile(x, 0.5, method="higher"), np.fabs, lambda x: np.fmod(x, x), np.reciprocal,
    lambda x: np.polyval(x, x), lambda x: np.linspace(x[0], x[1], 3),
])  # fmt: skip
def test_truths(f):
    with np.errstate(all="ignore"):
        same(compiled(f, TRUTHS), f(TRUTHS))


# ---------------------------------------------------------------------- special values

INF = np.inf


@pytest.mark.parametrize("f", [
    np.median, np.nanmedian, lambda x: np.quantile(x, 0.5), lambda x: np.quantile(x, 0.2), lambda x: np.nanquantile(x, 0.7),
    lambda x: np.median(np.stack([x, -x]), 1, keepdims=True), lambda x: np.median(np.stack([x, -x])),
])  # fmt: skip
@pytest.mark.parametrize("x", [
    [INF] * 3, [INF, INF], [1, INF], [1, 2, INF], [-INF, 1, 2], [-INF, -INF, 3], [-INF, INF], [np.nan, 1, INF], [1e308, 1e308],
    [2, 7, 1], [4, 1, 3, 2],
], ids=str)  # fmt: skip
def test_order_statistics_of_infinities(f, x):
    x = np.array(x, float)
    with np.errstate(all="ignore"):
        same(compiled(f, x), f(x))
        same(f(ag.Tensor(x)).value, f(x))


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")
@pytest.mark.parametrize("f", [np.median, np.nanmedian, lambda x: np.nanquantile(x, 0.5)])
@pytest.mark.parametrize("shape", [(0,), (0, 3)])
def test_order_statistics_of_nothing(f, shape):
    same(compiled(f, np.zeros(shape)), f(np.zeros(shape)))
    g = functools.partial(f, axis=0) if f is np.median else f
    same(g(ag.Tensor(np.zeros(shape))).value, g(np.zeros(shape)))


@pytest.mark.parametrize("values", [
    [1, INF, INF], [-INF, 2, 3], [INF, INF, 1], [-INF, INF, INF], [1, 2, np.nan], [1, INF, -INF], [1, 2, 4],
], ids=str)  # fmt: skip
def test_interpolation_between_infinities(values):
    values, x = np.array(values, float), np.array([-1, 0, 0.5, 1, 1.5, 2, 3, np.nan])
    with np.errstate(all="ignore"):
        same(compiled(lambda f: np.interp(x, [0.0, 1.0, 2.0], f), values), np.interp(x, [0.0, 1.0, 2.0], values))
        same(np.interp(x, [0.0, 1.0, 2.0], ag.Tensor(values)).value, np.interp(x, [0.0, 1.0, 2.0], values))


def test_powers_and_bounds_of_zeros_and_infinities():
    x = np.array([-0.0, 0.0, -INF, INF, np.nan, 4.0])
    bounds = [(-1, -0.0), (0.0, 1), (INF, INF), (-INF, 0.0), (2, 1), (np.nan, 1), (1, np.nan)]
    with np.errstate(all="ignore"):
        for dtype in (np.float64, np.float32):
            for f in (*(lambda x, y=y: np.float_power(x, y) for y in (0.5, -0.5, 2.0, 0.0)), lambda x: x**0.5):
                same(compiled(f, x.astype(dtype)), f(x.astype(dtype)))
            for low, high in bounds:
                f = functools.partial(np.clip, min=low, max=high)
                same(compiled(f, x.astype(dtype)), f(x.astype(dtype)))


# ---------------------------------------------------------------------- derivatives that are not finite whatever the arguments are


@pytest.mark.parametrize("f, expected", [
    (lambda x: (x[::-1] * x * INF).sum(), [INF, INF]),
    (lambda x: (np.where(x > 1, x, x * x) * np.nan).sum(), [np.nan, np.nan]),
    (lambda x: (x[::-1] / 0.0).sum(), [INF, INF]),
    (lambda x: (x[:1] * INF).sum(), [INF, 0]),
    (lambda x: (np.maximum(x, 1.5) * np.array([INF, 1.0])).sum(), [0, 1]),
    (lambda x: np.gradient(x, 0.0).sum(), [-INF, INF]),
    (lambda x: np.cov(x[0]), [np.nan, 0]),
])  # fmt: skip
def test_derivatives_that_are_never_finite(f, expected):
    x = np.array([1.0, 2.0])
    with np.errstate(all="ignore"):
        for gradient in (ag.grad(f), ag.jit(ag.grad(f)), ag.grad(ag.jit(f)), ag.jit(ag.jacrev(f))):
            np.testing.assert_array_equal(gradient(x), expected)


def test_bounds_beyond_what_integers_hold():
    x = np.arange(-3, 3, dtype=np.int8)
    for low, high in ((None, 300), (-300, 1), (-1, None), (-300, 300)):
        same(compiled(functools.partial(np.clip, min=low, max=high), x), np.clip(x, low, high))
    for f in (np.clip, ag.jit(np.clip, static_argnums=(1, 2))):
        with pytest.raises(OverflowError, match="300 out of bounds for int8"):
            f(x, 300, None)

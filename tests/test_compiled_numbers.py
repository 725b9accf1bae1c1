"""Compiled functions give NumPy's numbers: its dtypes, its special values, and sums as exact as its own."""

import functools
import math

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


# ---------------------------------------------------------------------- what kind of number results


@pytest.mark.parametrize("f", [
    np.sin, np.log1p, lambda x: np.clip(x, 0, 1), lambda x: 2 * x, lambda x: np.sqrt(x) + 1, lambda x: np.maximum(x, 0), ag.sin, abs,
    lambda x: x**2, lambda x: np.add(x, 1), np.sum, lambda x: x < 1, np.isnan, lambda x: -x / 3, lambda x: x.real, round, math.floor,
    math.ceil, math.trunc, lambda x: round(x, 1), np.round, lambda x: ag.cond(x > 0, lambda x: np.sin(x) * 10, lambda x: -x, x),
    lambda x: ag.fori_loop(0, 4, lambda i, x: 2 * x, x),
])  # fmt: skip
@pytest.mark.parametrize("x", [0.75, np.float64(0.75), np.float32(1.75), np.float64(2.5), 3])
def test_the_type_of_one_number(f, x):
    if f is math.trunc and type(x) is np.float32:
        pytest.skip("NumPy has none")
    found, expected = compiled(f, x), f(x)
    assert type(found) is type(expected) and found == pytest.approx(expected, rel=1e-6 if type(x) is np.float32 else 1e-14)


@pytest.mark.parametrize("f", [
    lambda a, b: a ^ b, lambda a, b: a & b, lambda a, b: a | b, lambda a, b: a << b, lambda a, b: a >> b, lambda a, b: ~a,
    lambda a, b: a // b, lambda a, b: a % b, lambda a, b: a**b, lambda a, b: np.bitwise_and(a, b), lambda a, b: round(a),
])  # fmt: skip
def test_operators_on_integers_of_python(f):
    for a, b in ((5, 3), (-6, 1), (2**30, 2)):
        found = compiled(f, a, b)
        assert type(found) is type(f(a, b)) and found == f(a, b)
    for g in (lambda a, b: a & b, lambda a, b: a | b, lambda a, b: a ^ b):
        assert compiled(g, True, False) is g(True, False)


def test_what_is_rounded_to_an_integer_is_finite():
    for f in (round, math.floor):
        for x, error in ((np.float64(INF), OverflowError), (np.float64(np.nan), ValueError)):
            with pytest.raises(error, match="cannot convert float"):
                ag.jit(f)(x)
    same(compiled(lambda x, c: c * round(x[0]), np.array([2.7]), np.float32(1.5)), np.float32(4.5))


def test_numbers_meet_others_as_those_of_numpy_do():
    x = np.ones(2, np.float32)
    for f in (lambda s: np.sin(s) * x, lambda s: 2 * s * x, lambda s: np.add(x, s), lambda s: np.multiply(s, 2) * x, lambda s: ag.sin(s) * x):
        assert compiled(f, 0.5).dtype == f(0.5).dtype


def test_a_branch_that_returns_what_it_was_given():
    for x in (np.float64(10.0), np.array(10.0)):
        found = compiled(lambda x: ag.cond(x > 0, lambda x: x, np.sin, x), x)
        assert type(found) is np.float64 and found == 10


def test_the_parts_of_what_a_compiled_function_returns():
    def f(x):
        return (x * x).sum(), {"first": 2 * x[0], "largest": x.max(), "all": x}

    x = np.array([1.0, 3.0])
    (value, parts), gradient = ag.value_and_grad(ag.jit(f), has_aux=True)(x)
    assert [type(y) for y in (value, parts["first"], parts["largest"])] == [np.float64] * 3
    assert (value, parts["first"], parts["largest"]) == (10, 2, 3)
    same(parts["all"], x)
    same(gradient, 2 * x)


# ---------------------------------------------------------------------- masks, and what depends on values


def test_writing_where_a_mask_holds():
    x = np.arange(6.0).reshape(2, 3)

    def written(x, v, mask):
        y = x.copy()
        y[mask] = v
        return y

    cases = [
        (x, 7.0, lambda x: x > 2), (x, np.float32(7), lambda x: x > 9), (x, np.array([1.0, 2.0, 3.0]), lambda x: x[:, 0] > 1),
        (x.astype(np.float32), np.float64(0.1), lambda x: x > 2), (x.astype(int), 5, lambda x: x % 2 == 0),
    ]  # fmt: skip
    for x, v, mask in cases:
        same(compiled(lambda x, v, mask=mask: x.at[mask(x)].set(v), x, v), written(x, v, mask(x)))
        same(compiled(lambda x, v, mask=mask: x.at[mask(x)].add(v), x, v), written(x, x[mask(x)] + v, mask(x)).astype(x.dtype))
    x, w = np.array([1.0, -2.0, 3.0]), np.array([1.0, 10.0, 100.0])
    for wrap in (lambda f: f, ag.jit):
        same(wrap(ag.grad(lambda x: (x.at[x > 0].set(7.0) * w).sum()))(x), np.array([0.0, 10.0, 0.0]))
        same(wrap(ag.grad(lambda v: (ag.Tensor(x).at[x > 0].add(v) * w).sum()))(2.0), 101.0)
        same(wrap(ag.vmap(lambda x: x.at[x > 0].set(7.0)))(x[:, None]), np.where(x > 0, 7.0, x)[:, None])
    with pytest.raises(TypeError, match=r"v has the shape \(1,\), an element for each that the mask selects.*write ag.where"):
        ag.jit(lambda x: x.at[x > 0].set(np.array([1.0])))(x)
    with pytest.raises(IndexError, match="the mask has the shape"):
        ag.jit(lambda x: x.at[x[:2] > 0].set(1.0))(x)
    with pytest.raises(TypeError, match="is real and .* complex"):
        ag.jit(lambda x: x.at[x > 0].set(1j))(x)


def test_compress_is_a_method_of_what_is_compressed():
    x = np.arange(6.0).reshape(2, 3)
    for f in (lambda x: x.compress([True, False, True]), lambda x: x.compress([False, True], axis=0)):
        same(compiled(f, x), f(x))
        same(f(ag.Tensor(x)).value, f(x))


@pytest.mark.parametrize("f, x, instead", [
    (np.linalg.eigvals, np.eye(2), "np.linalg.eigvals(a.astype(complex))"), (np.roots, np.ones(3), "np.roots(p.astype(complex))"),
    (np.linalg.eig, np.eye(2), "np.linalg.eig(a.astype(complex))"), (np.real_if_close, np.ones(2, complex), "x.real, or x"),
    (np.lib.scimath.sqrt, np.ones(2), "it with x.astype(complex)"), (lambda x: np.lib.scimath.logn(2, x), np.ones(2), "it with"),
])  # fmt: skip
def test_results_that_are_real_or_complex_as_the_values_are(f, x, instead):
    if f in (np.linalg.eigvals, np.linalg.eig) and f(np.eye(1))[0].dtype.kind == "c":
        pytest.skip("this NumPy's results are complex")
    with pytest.raises(TypeError, match="real or complex depends on the values") as error:
        ag.jit(f)(x)
    assert f"write {instead}" in str(error.value)


def test_eigenvalues_of_complex_matrices():
    a = np.array([[0.0, 1.0], [-4.0, 3.0]])
    np.testing.assert_allclose(compiled(lambda a: np.linalg.eigvals(a.astype(complex)), a), np.linalg.eigvals(a.astype(complex)))
    np.testing.assert_allclose(compiled(lambda p: np.roots(p.astype(complex)), np.array([1.0, -3, 2])), [2, 1])
    np.testing.assert_allclose(compiled(lambda x: np.lib.scimath.sqrt(x.astype(complex)), np.array([-4.0])), [2j])


def test_bounds_by_any_of_their_names():
    x = np.array([-1.0, 0.5, 2.0])
    for f in (lambda x: np.clip(x, a_min=0, a_max=1), lambda x: np.clip(x, a_min=0, a_max=None), lambda x: np.clip(x, max=1)):
        same(compiled(f, x), f(x))
        same(f(ag.Tensor(x)).value, f(x))

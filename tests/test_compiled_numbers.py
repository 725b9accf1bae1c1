"""Compiled functions give NumPy's numbers: its dtypes, its special values, and sums as exact as its own."""

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

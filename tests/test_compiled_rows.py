"""Every row of the table as machine code: values and derivatives, in all kinds of arrays, against what the row computes eagerly."""

import itertools

import numpy as np
import pytest

import ag
from ag.compiler import executable
from ag.compiler.abstract import is_elementwise
from ag.compiler.machine import native
from ag.compiler.mathematics.elementary import printable
from ag.operators.rules import FUNCTIONS
from ag.operators.table import COMPOSITES, TABLE
from ag.transforms.containers import leaves, rebuilt
from test_table import DIFFERENTIABLE, Case, samples
from test_tracing import refused

pytestmark = [
    pytest.mark.skipif(not native.available() or native.blas() is None, reason="nothing to compile with"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]
TOGETHER = 12  # samples in one program: to compile them one by one would take minutes


@pytest.fixture(autouse=True)
def machine_code(monkeypatch):
    """No tape, nothing kept on disk, and what can't be computed is an error."""
    monkeypatch.setenv("AG_CACHE_DIR", "")
    monkeypatch.setattr(executable, "prepare", lambda program, donated: executable.Machine(program))


def run(f, *args):
    """What the compiled function gives, which must not fall back on the function."""
    with np.errstate(all="ignore"):
        entry = ag.jit(f).entry(*args)
        results = entry(leaves(args))
    assert results is not executable.DECLINED, entry.program
    return results


def is_array(x):
    return isinstance(x, (float, np.ndarray, np.generic))


def sample(name, k):
    """The function of one sample, of its arrays alone, and these."""
    args, params = samples({**TABLE, **COMPOSITES}[name])[k]
    everything = leaves(list(args))
    places = [i for i, x in enumerate(everything) if is_array(x)]

    def f(*arrays):
        given = list(everything)
        for i, x in zip(places, arrays, strict=True):
            given[i] = x
        return FUNCTIONS[name](*rebuilt(list(args), given), **params)

    return f, [everything[i] for i in places]


def batches(names, most):
    """The samples of these rows, some together."""
    every = [(n, k) for n in names for k in range(min(len(samples({**TABLE, **COMPOSITES}[n])), most)) if not refused(n, k)]
    every = [(n, k) for n, k in every if sample(n, k)[1]]
    parts = [every[i : i + TOGETHER] for i in range(0, len(every), TOGETHER)]
    return [pytest.param(part, id=f"{part[0][0]}-to-{part[-1][0]}") for part in parts]


def same(actual, expected, tolerance, what):
    actual, expected = leaves(actual), leaves(expected)
    assert len(actual) == len(expected), what
    for a, e in zip(actual, expected, strict=True):
        if not is_array(e) and not isinstance(e, (int, complex)):
            assert a == e, what
            continue
        assert np.shape(a) == np.shape(e) and np.asarray(a).dtype == np.asarray(e).dtype, what
        assert (type(a) is float) == (type(e) is float), what
        scale = np.max(np.abs(np.where(np.isfinite(e), e, 0)), initial=0) if np.asarray(e).dtype.kind in "fc" else 0
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance * max(scale, 1), err_msg=str(what))


def together(functions):
    def f(*groups):
        return [g(*arrays) for g, arrays in zip(functions, groups, strict=True)]

    return f


def compare(functions, groups, names, tolerance=1e-12):
    with np.errstate(all="ignore"):
        expected = [f(*arrays) for f, arrays in zip(functions, groups, strict=True)]
    for a, e, name in zip(run(together(functions), *groups), expected, names, strict=True):
        same(a, e, tolerance, name)


# ---------------------------------------------------------------------- values


def rearranged(x, way):
    """The same array in another order in memory."""
    if not isinstance(x, np.ndarray) or not x.ndim:
        return x
    if way == "Fortran":
        return np.asfortranarray(x)
    if way == "reversed":
        return np.ascontiguousarray(x[..., ::-1])[..., ::-1]
    if way == "strided":
        return np.repeat(x, 2, -1)[..., ::2]
    x = x.copy()
    x.flags.writeable = False
    return x


@pytest.mark.parametrize("batch", batches({**TABLE, **COMPOSITES}, 2))
def test_values(batch):
    functions, groups = zip(*[sample(*each) for each in batch], strict=True)
    compare(functions, groups, batch)


@pytest.mark.parametrize("batch", batches(TABLE, 1))
def test_values_of_single_precision_in_any_order_in_memory(batch):
    functions, groups = zip(*[sample(*each) for each in batch], strict=True)
    single = [[x.astype(np.float32) if getattr(x, "dtype", None) == np.float64 else x for x in arrays] for arrays in groups]
    with np.errstate(all="ignore"):
        expected = [f(*arrays) for f, arrays in zip(functions, single, strict=True)]
        f = ag.jit(together(functions))
        for way in ("Fortran", "reversed", "strided", "read-only"):
            results = f(*[[rearranged(x, way) for x in arrays] for arrays in single])
            for a, e, name in zip(results, expected, batch, strict=True):
                same(a, e, 1e-5, (name, way))
    assert len(f.entries) == 1


# ---------------------------------------------------------------------- derivatives


def both_ways(case):
    """The value, the cotangents of all ones and the tangent of all ones."""

    def f(*xs):
        y, pullback = ag.vjp(case, *xs)
        ones = [1.0 if type(z) is float or np.shape(z) == () else np.ones(np.shape(z), z.dtype) for z in leaves(y)]
        tangents = tuple([1.0 if np.shape(x) == () else np.ones(np.shape(x), x.dtype) for x in xs])
        return y, pullback(rebuilt(y, ones)), ag.jvp(case, xs, tangents)[1]

    return f


@pytest.mark.parametrize("batch", batches([name for name in TABLE if name in DIFFERENTIABLE], 1))
def test_derivatives(batch):
    cases = [case for case in itertools.starmap(Case, batch) if case.floats]
    compare([both_ways(case) for case in cases], [list(case.floats) for case in cases], [case.entry.name for case in cases], 1e-10)


# ---------------------------------------------------------------------- shapes, dtypes and special values

KERNELS = [n for n, op in TABLE.items() if is_elementwise(op) and isinstance(op.kernel, str) and printable(op.kernel)]
ARITY = {name: len(TABLE[name].rule.partials or ()) or len(samples(TABLE[name])[0][0]) for name in KERNELS}
FREE_SIGN = ("maximum", "minimum", "fmax", "fmin", "clip", "max", "min", "relu")  # NumPy may give either of 0 and -0
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 5e-324, -1e-310, 1e308, 3.0, -7.0, 1e-30, 40.0])
LOOSE = {"pow": 2e-15, "xlogy": 1e-14}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_special_values_come_out_as_numpys(dtype):
    """Every kernel, of all pairs of special values: nan, ±inf and ±0 in the same places, all else within a few ULP."""
    x, y = (np.ascontiguousarray(a.ravel()) for a in np.meshgrid(SPECIAL.astype(dtype), SPECIAL.astype(dtype)))
    z = x[::-1].copy()
    names = [name for name in KERNELS if name not in ("ldexp",)]

    def f(x, y, z):
        return [FUNCTIONS[name](*(x, y, z)[: ARITY[name]]) for name in names]

    with np.errstate(all="ignore"):
        expected = f(x, y, z)
    for name, a, e in zip(names, run(f, x, y, z), expected, strict=True):
        assert a.dtype == e.dtype, name
        if e.dtype.kind != "f":
            np.testing.assert_array_equal(a, e, err_msg=name)
            continue
        bound = 8 * np.finfo(dtype).eps * np.abs(e) + 4 * np.finfo(dtype).smallest_subnormal
        with np.errstate(all="ignore"):
            fine = (a == e) | (np.isnan(a) & np.isnan(e)) | (np.abs(a - e) <= bound)
        assert fine.all(), (name, x[~fine], y[~fine], a[~fine], e[~fine])
        zero = (a == 0) & (e == 0)
        if name not in FREE_SIGN:
            assert (np.signbit(a) == np.signbit(e))[zero].all(), (name, x[zero], y[zero])


@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (1, 1, 1)], ids=str)
def test_numbers_and_empty_arrays(shape):
    """0-d arrays and arrays without elements through every kernel."""
    x, y, z = np.full(shape, 0.5), np.full(shape, 0.75), np.full(shape, 0.25)

    def f(x, y, z):
        return [FUNCTIONS[name](*(x, y, z)[: ARITY[name]]) for name in KERNELS]

    for name, a, e in zip(KERNELS, run(f, x, y, z), f(x, y, z), strict=True):
        same(a, e, 1e-14, name)


FLOATS = np.random.default_rng(1).normal(size=(5, 7))
WHOLE = np.random.default_rng(2).integers(-(2**62), 2**62, (5, 7))
PLACES = np.array([0, -1, 2, -5, 4])


def arithmetic(x):
    return (x + x, x * x, x - 1, x.sum(0), x.sum(), x.prod(1), x.max(0), x.min(), x // 7, x % 7, x > 3, x.mean(), x / 2, x * 0.5,
            x.cumsum(0), x.T, x[::-1], x.reshape(-1), x.astype(float).sum(), abs(x), np.sign(x), np.where(x > 3, x, 0),
            x & 3, x == 2**40, x << 1, x**2)  # fmt: skip


def of_truths(x):
    return (x.sum(), x.sum(0), x.mean(1), x.max(0), x.any(), x.all(0), ~x, x & x[::-1], x | True, x ^ x, x + x, x * x, x * 2, x * 1.5,
            np.where(x, 1, 0), np.where(x, 1.0, 2), x.prod(), x.cumsum(), x.argmax(0), x == False, x.T, x[::-1, ::2])  # noqa: E712 # fmt: skip


def of_any(x):
    return x + x, x.sum(0), x.mean(), np.exp(x), x * 2, x @ x.T, x.T, np.abs(x), x == x, x[::-1], x.reshape(-1)


def with_number(x, n):
    return x * n, x + n, n * 2, x - n, np.maximum(x, n), np.where(x > 0, n, x), np.where(x > 0, x, n), x.astype(bool), n + 1


def at_places(x, i):
    return (x[i], x[i, 0], x[:, i], x[i][::-1], x[i].T, x[i].sum(0), np.take(x, i, axis=1), x[abs(i) % 5][i % 5], x[i[::-1]],
            x[i[:, None], i], x[i % 2])  # fmt: skip


# What runs through NumPy's own steps as well as through kernels: a function and its arguments.
DTYPES = {
    "int64": (arithmetic, WHOLE), "int32": (arithmetic, WHOLE.astype(np.int32)), "int8": (lambda x: arithmetic(x)[:20], WHOLE.astype(np.int8)),
    "uint8": (lambda x: arithmetic(x)[:20], WHOLE.astype(np.uint8)), "bool": (of_truths, FLOATS > 0), "float16": (of_any, np.float16(FLOATS)),
    "complex128": (of_any, FLOATS + 1j * FLOATS[::-1]), "complex64": (of_any, np.complex64(FLOATS + 1j * FLOATS[::-1])),
    "single and a float": (with_number, np.float32(FLOATS), 0.1), "single and an integer": (with_number, np.float32(FLOATS), 3),
    "single and a truth": (lambda x, n: (x * n, x + n, n * 2), np.float32(FLOATS), True),
    "integers and an integer": (with_number, WHOLE.astype(np.int32), 3), "single and a double": (with_number, np.float32(FLOATS), np.float64(0.1)),
    "integers and a float": (lambda x, n: (x * n, x + n, x / (n + 1)), WHOLE.astype(np.int32), 0.5),
    "integers and a large one": (lambda x, n: (x < n, x == n, n > x, np.less_equal(n, x)), WHOLE.astype(np.int32), 2**40),
    "floats and a larger one": (lambda x, n: (x < n, x * n, n - x), FLOATS, 2**70),
    "places": (at_places, FLOATS, PLACES), "truths at places": (at_places, FLOATS > 0, PLACES), "short places": (at_places, FLOATS, np.int8(PLACES)),
    "places of 32 bits": (at_places, WHOLE.astype(np.int32), PLACES.astype(np.int32)), "a place": (lambda x, i: (x[i], x[i + 1], x[i] * 2), FLOATS, 2),
    "integers of floats": (lambda x: (x.astype(int), x.astype(np.int32), x.astype(bool)), np.array([3.7, -3.7, 1e9, -0.0])),
}  # fmt: skip


@pytest.mark.parametrize("name", DTYPES)
def test_dtypes_come_out_as_numpys(name):
    f, *args = DTYPES[name]
    with np.errstate(all="ignore"):
        expected = f(*args)
        actual = ag.jit(f)(*args)
    for k, (a, e) in enumerate(zip(actual, expected, strict=True)):
        e = np.asarray(e)
        tolerance = {"e": 2e-3, "f": 2e-6, "F": 2e-6}.get(e.dtype.char, 1e-14) if e.dtype.kind in "fc" else 0
        same(a if type(a) is not float or e.ndim else np.asarray(a), e, tolerance, (name, k))

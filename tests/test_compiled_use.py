"""Compiled functions as they are used: what guards them, transforms in any order, threads, processes, memory, and without a compiler."""

import dataclasses
import functools
import gc
import os
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest

import ag
from ag.compiler import abstract, executable
from ag.compiler.machine import native
from ag.transforms.containers import leaves, rebuilt
from side_by_side import run_side_by_side

X = np.array([0.5, -1.0, 2.0])
A = np.array([[2.0, 0.3, 0.1], [0.3, 1.5, 0.2], [0.1, 0.2, 1.0]])

needs_compiler = pytest.mark.skipif(not native.available() or native.blas() is None, reason="nothing to compile with")


@pytest.fixture(autouse=True)
def not_kept(monkeypatch):
    monkeypatch.setenv("AG_CACHE_DIR", "")


def same(actual, expected, rtol=1e-11):
    actual, expected = leaves(actual), leaves(expected)
    assert len(actual) == len(expected)
    for a, e in zip(actual, expected, strict=True):
        assert np.shape(a) == np.shape(e) and np.asarray(a).dtype == np.asarray(e).dtype
        np.testing.assert_allclose(a, e, rtol=rtol, atol=1e-12)


# ---------------------------------------------------------------------- guards


def test_an_index_out_of_range_gives_the_eager_error():
    for f in (lambda x, i: x[i] * 2, lambda x, i: ag.grad(lambda x: (x[i] ** 2).sum())(x), lambda x, i: np.take(x, i)):
        g = ag.jit(f)
        same(g(X, np.array([0, -3, 2])), f(X, np.array([0, -3, 2])))
        for bad in (3, -4, 2**40):
            with pytest.raises(IndexError, match="out of bounds"):
                g(X, np.array([0, bad, 1]))
        same(g(X, np.array([1, 1, 1])), f(X, np.array([1, 1, 1])))


def test_gradients_that_are_not_finite_come_from_the_exact_pass():
    def f(x):
        return np.where(x > 0, np.sqrt(x), 0.0).sum() + np.log(x[x.argmax()])

    g = ag.jit(ag.grad(f))
    with np.errstate(all="ignore"):
        for x in (X, np.array([0.0, -1.0, 4.0]), np.array([-1.0, -2.0, 0.25])):
            same(g(x), ag.grad(f)(x))
        same(ag.jit(ag.hessian(lambda x: (0.5 * (np.exp(np.log(x)) - 1) ** 2).sum()))(X[::2]), np.eye(2), 1e-9)


def test_labels():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(33, 7)), rng.integers(0, 7, 33)
    for f in (ag.cross_entropy, ag.negative_log_likelihood, lambda z, y: z[np.arange(33), y] - ag.logsumexp(z, axis=1)):
        total = ag.value_and_grad(lambda z, y, f=f: np.sum(f(z, y)))
        same(ag.jit(total)(z, y), total(z, y))
        same(ag.jit(total)(z, y.astype(np.int32)), total(z, y))
        with pytest.raises((ValueError, IndexError), match="out of|run from 1 to 7"):
            ag.jit(total)(z, y + 1)


def test_labels_by_row_numbers_are_one_kernel():
    """Value and gradient of the cross-entropy in one passage: no matrix is written but the gradient. In loops, too."""
    rng = np.random.default_rng(1)
    z, y = rng.normal(size=(33, 7)), rng.integers(-7, 7, 33)
    total = ag.value_and_grad(lambda z, y: -np.mean(ag.log_softmax(z)[np.arange(33), y]))
    program = ag.jit(total)
    same(program(z, y), total(z, y))
    written = [s.program.quantities[n] for s in program.show(z, y).steps for n in s.made]
    assert sum(q.shape == z.shape for q in written) == 1
    rows = np.arange(33)[:, None]
    loop = ag.value_and_grad(lambda z, y: ag.fori_loop(0, 3, lambda i, z: z - ag.log_softmax(z)[rows, y[:, None]] / (1 + i), z).sum())
    same(ag.jit(loop)(z, y), loop(z, y))


def test_elements_of_what_is_computed():
    """Taken before it is computed, where that has the same shape; an index of an axis of length 1 may have another."""
    rng = np.random.default_rng(3)
    z, b = rng.normal(size=(100, 1)), rng.normal(size=40)
    i, j = rng.integers(-40, 40, 5), rng.integers(-1, 1, 4)
    for f in (
        lambda z, b: np.exp(z)[i[:, None], j], lambda z, b: np.exp(z * b)[i, i % 40 - 40], lambda z, b: (z - b)[i[:, None], i % 40].T,
        lambda z, b: np.where(z > b, b, 2.0)[i, i], lambda z, b: np.tanh(b)[i] + np.tanh(b)[i[::-1]], lambda z, b: np.exp(z * b)[i],
    ):  # fmt: skip
        same(ag.jit(f)(z, b), f(z, b))
        total = ag.value_and_grad(lambda z, b, f=f: np.sum(f(z, b) ** 2), argnums=(0, 1))
        same(ag.jit(total)(z, b), total(z, b))


def test_row_numbers_that_change():
    """What was 0, 1, 2, ... when the function was recorded and is not any more: compiled again, without taking it for granted."""
    rng = np.random.default_rng(2)
    z, y, rows = rng.normal(size=(5, 7)), rng.integers(0, 7, 5), np.arange(5)
    total = ag.value_and_grad(lambda z: np.sum(ag.log_softmax(z)[rows, y]))
    f = ag.jit(total)
    same(f(z), total(z))
    rows[:] = 4, 4, 0, 1, 0
    with ag.debug(), pytest.warns(UserWarning, match="no longer takes index arrays to be 0, 1, 2"):
        same(f(z), total(z))
    for again in ([0, 1, 2, 3, 4], [-1, -2, -3, -4, -5], [2, 2, 2, 2, 2]):
        rows[:] = again
        with ag.debug(), warnings.catch_warnings():
            warnings.simplefilter("error")  # neither compiled again nor computed without the compiler
            same(f(z), total(z))
    rows[2] = 5
    with pytest.raises(IndexError, match="out of bounds"):
        f(z)


def test_shapes_and_dtypes_that_change():
    f = ag.jit(lambda x, y: (x @ y, x.sum(0), x * 2))
    for n, dtype in ((3, float), (4, float), (3, np.float32), (3, int), (3, float), (0, float)):
        x, y = np.ones((n, 3), dtype), np.full((3, 2), 2, dtype)
        same(f(x, y), (x @ y, x.sum(0), x * 2))
    assert len(f.entries) == 5
    same(ag.jit(lambda x: x * 2)(X.astype(">f8")), 2 * X)


def test_static_values_that_are_equal_and_differ():
    f = ag.jit(lambda x, n: x * n, static_argnums=1)
    x = np.array([1, 2])
    for n in (2, 2.0, True, 1, np.int64(1), 0.0, -0.0):
        same(f(x, n), x * n)
        np.testing.assert_array_equal(np.signbit(f(x, n)), np.signbit(x * n))


def test_static_arguments_by_place_or_by_name():
    def powers(x, n):
        return sum(x**k for k in range(n))

    for f in (ag.jit(powers, static_argnums=1), ag.jit(powers, static_argnums=-1), ag.jit(powers, static_argnames="n")):
        same(f(2.0, 4), 15.0)
        same(f(2.0, n=4), 15.0)
        same(f(x=2.0, n=4), 15.0)
    same(ag.jit(lambda *xs: xs[0] * len(range(xs[1])), static_argnums=-1)(2.0, 3), 6.0)
    same(ag.jit(lambda x, **rest: x * len(range(rest["n"])), static_argnames="n")(2.0, n=3), 6.0)
    with pytest.raises(ValueError, match="static_argnames='m' is none of the arguments x, n of .*powers"):
        ag.jit(powers, static_argnames="m")
    for option, place in (("static_argnums", 2), ("static_argnums", -3), ("static_argnums", "n"), ("donate_argnums", 5)):
        with pytest.raises(ValueError, match=f"{option}={place!r} is none of the arguments x, n of .*powers"):
            ag.jit(powers, **{option: place})


def test_truths_of_python_count():
    for f in (
        lambda x: (x > 0) + (x > 1), lambda x: True + (x > 0), lambda x: (x > 0) * (x > 1), lambda x: abs(x > 0), lambda x: -(x > 0),
        lambda x: +(x > 5), lambda x: (x > 0) - (x > 5), lambda x: (x > 0) * 2.5, lambda x: np.ones(2) * (x > 0) + (x > 1),
    ):  # fmt: skip
        for x in (2.0, 0.5, -1.0):
            same(ag.jit(f)(x), f(x))


def test_powers_of_integers_that_are_no_integers():
    same(ag.jit(lambda n: 2**n)(-2), 0.25)
    same(ag.jit(lambda n, x: x * 2**n)(-2, np.ones(2)), np.full(2, 0.25))
    same(ag.jit(lambda n: 2**n)(3), 8)


def test_captured_arrays_that_change_shape_in_place_of_a_name():
    state = {"w": np.ones(3), "b": np.array(2.0)}
    f = ag.jit(lambda x: x * state["w"] + state["b"])
    same(f(X), X + 2)
    state["w"][:] = 3.0
    state["b"][...] = 1.0
    same(f(X), 3 * X + 1)


# ---------------------------------------------------------------------- transforms in any order


def cost(x):
    return np.sum(np.sin(x) * x) / (1 + x @ x) + np.sum(np.cumsum(x) ** 2)


@ag.custom_vjp
def clipped(x):
    return np.tanh(x)


clipped.defvjp(lambda x: (np.tanh(x), x), lambda x, g: (g * 2.0,))

ORDERS = {
    "hessian": lambda f, j: j(ag.hessian(f))(X), "jacfwd of jacrev": lambda f, j: j(ag.jacfwd(j(ag.jacrev(j(f)))))(X),
    "jvp of grad": lambda f, j: j(lambda x, t: ag.jvp(j(ag.grad(f)), (x,), (t,)))(X, X[::-1].copy()),
    "vmap of grad": lambda f, j: j(ag.vmap(j(ag.grad(j(f)))))(A), "grad of vmap": lambda f, j: j(ag.grad(lambda a: ag.vmap(j(f))(a).sum()))(A),
    "vmap of vmap": lambda f, j: j(ag.vmap(ag.vmap(j(f))))(np.stack([A, 2 * A])),
    "checkpoint": lambda f, j: j(ag.value_and_grad(ag.checkpoint(j(f))))(X), "checkpoint outside": lambda f, j: ag.grad(ag.checkpoint(j(f)))(X),
    "custom_vjp": lambda f, j: j(ag.grad(lambda x: j(f)(clipped(x))))(X), "root": lambda f, j: j(ag.grad(lambda a: ag.root(
        lambda x, a: x**3 + x - a, 1.0, a) ** 2))(2.0) if j is same_function else ag.grad(lambda a: ag.root(
            j(lambda x, a: x**3 + x - a), 1.0, a) ** 2)(2.0),
    "minimize": lambda f, j: ag.minimize(j(lambda x: np.sum((x - 1) ** 4 + (x - 1) ** 2)), X).x,
    "jit in jit": lambda f, j: j(lambda x: j(f)(x) + j(ag.grad(j(f)))(x).sum())(X), "vjp": lambda f, j: j(lambda x, g: ag.vjp(j(f), x)[1](g))(X, 2.0),
    "hvp": lambda f, j: j(lambda x, t: ag.hvp(j(f), (x,), (t,)))(X, X), "third": lambda f, j: j(ag.grad(lambda x: ag.hessian(j(f))(x).sum()))(X),
    "stop_gradient": lambda f, j: j(ag.grad(lambda x: j(f)(ag.stop_gradient(x) * x)))(X),
}  # fmt: skip


def same_function(f):
    return f


@pytest.mark.parametrize("name", ORDERS)
def test_transforms_in_any_order(name):
    same(ORDERS[name](cost, ag.jit), ORDERS[name](cost, same_function), 1e-9)


# ---------------------------------------------------------------------- what is compiled, and with which arguments


@dataclasses.dataclass
class Parameters:
    weight: object
    bias: object


def test_dataclasses_dictionaries_and_keywords():
    def f(p, x, *, scale=1.0, also=None):
        return {"y": (p.weight @ x + p.bias) * scale, "also": also}

    p = Parameters(A, 0.5)
    g = ag.jit(f)
    same(g(p, X)["y"], f(p, X)["y"])
    same(g(p, X, scale=2.0)["y"], f(p, X, scale=2.0)["y"])
    assert g(p, x=X)["also"] is None
    gradient = ag.jit(ag.grad(lambda p, x: f(p, x)["y"].sum()))(p, X)
    assert type(gradient) is Parameters
    same((gradient.weight, gradient.bias), (np.tile(X, (3, 1)), 3.0))
    h = ag.jit(lambda d: d["a"] - 2 * d["b"])
    same(h({"a": X, "b": 2.0}), X - 4)
    same(h({"b": 2.0, "a": X}), X - 4)  # another order of the keys is the same dictionary
    same(ag.jit(lambda **d: d["a"] - 2 * d["b"])(b=2.0, a=X), X - 4)


def test_methods():
    class Model:
        def __init__(self, scale):
            self.scale = scale

        def predict(self, x):
            return np.tanh(x * self.scale)

    model = Model(np.full(3, 2.0))
    predict = ag.jit(model.predict)
    same(predict(X), np.tanh(2 * X))
    model.scale[:] = 3.0
    same(predict(X), np.tanh(3 * X))


def test_results_that_are_arguments_constants_or_the_same():
    f = ag.jit(lambda x, y: (x, y.T, x, 2.5, x + 1, x + 1, None, "text", y[0]))
    x, y, again, number, one, other, nothing, text, row = f(X, A)
    same((x, y, again, number, one, other, row), (X, A.T, X, 2.5, X + 1, X + 1, A[0]))
    assert nothing is None and text == "text"
    for given in (x, y, again, row):
        given[...] = 0.0  # each is an array of its own
    assert X[0] == 0.5 and A[0, 0] == 2.0 and (again == 0).all()
    one[...] = 0.0
    same(other, X + 1)


def test_a_function_runs_only_to_be_recorded():
    seen, rng = [], np.random.default_rng(0)

    @ag.jit
    def noisy(x):
        seen.append(1)
        return x + rng.normal(size=3)

    first = noisy(X)
    same(noisy(X), first)  # the numbers were drawn once
    assert len(seen) == 1
    with_noise = ag.jit(lambda x, noise: x + noise)
    assert (with_noise(X, rng.normal(size=3)) != with_noise(X, rng.normal(size=3))).all()


# ---------------------------------------------------------------------- memory, threads, processes


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@needs_compiler
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")
def test_many_programs_leave_little_behind(monkeypatch):
    monkeypatch.setattr(executable, "prepare", lambda program, donated: executable.Machine(program))

    def compile_some(first, count):
        for k in range(first, first + count):
            n = k % 50 + 1
            f = ag.jit(lambda x, k=k: (x * k).sum())
            assert f(np.ones(n)) == n * k
        gc.collect()

    compile_some(0, 50)  # what is made once
    before = resident()
    compile_some(50, 150)
    assert resident() - before < 12e6
    assert len(abstract._known) <= abstract.BOUND + 1


@needs_compiler
def test_threads_call_one_function():
    f = ag.jit(ag.value_and_grad(lambda x, y: np.sum(np.sort(np.exp(x @ y), 0)[0])))
    rng = np.random.default_rng(0)
    inputs = [(rng.normal(size=(9, 5)), rng.normal(size=(5, 7))) for _ in range(4)]
    expected = [f.function(x, y) for x, y in inputs]
    wrong = []

    def call(k):
        for _ in range(100):
            value, gradient = f(*inputs[k])
            if abs(value - expected[k][0]) > 1e-12 or not np.allclose(gradient, expected[k][1], rtol=1e-12):
                wrong.append(k)

    run_side_by_side(*[functools.partial(call, k) for k in range(4)])
    assert not wrong


@needs_compiler
def test_processes_share_what_is_compiled(tmp_path):
    program = textwrap.dedent("""
        import sys
        import numpy as np
        import ag
        from ag.compiler import executable
        from ag.compiler.machine import native
        made = []
        compile_to_object = native.compile_to_object
        native.compile_to_object = lambda *given: made.append(1) or compile_to_object(*given)
        executable.prepare = lambda program, donated: executable.Machine(program)
        f = ag.jit(ag.grad(lambda x: np.sum(np.tanh(x) * x)))
        assert np.allclose(f(np.arange(20.0)), f.function(np.arange(20.0)))
        print(len(made))
    """)
    environment = {**os.environ, "AG_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}

    def start():
        return subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)

    together = [start(), start()]
    for process in together:
        assert int(process.communicate()[0]) > 0 or process.returncode == 0
        assert process.returncode == 0
    last = start()
    assert last.communicate()[0].strip() == "0" and last.returncode == 0
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-20])  # damaged
    again = start()
    assert int(again.communicate()[0]) > 0 and again.returncode == 0


def test_without_llvmlite_the_results_are_the_same(monkeypatch):
    monkeypatch.setattr(native, "available", lambda: False)
    executable._say_what_to_install.cache_clear()
    f = ag.value_and_grad(cost)
    with pytest.warns(UserWarning, match=r"runs programs through NumPy, .*pip install 'ag-autodiff\[jit\]'"):
        same(ag.jit(f)(X), f(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        same(ag.jit(ag.hessian(cost))(X), ag.hessian(cost)(X))
        same(ag.jit(lambda x, i: (x[i], x.T, 2.5))(A, np.array([0, -1])), (A[[0, -1]], A.T, 2.5))
        with pytest.raises(IndexError, match="out of bounds"):
            ag.jit(lambda x, i: x[i])(X, np.array([5]))
    executable._say_what_to_install.cache_clear()


def test_containers_of_results_are_rebuilt():
    f = ag.jit(lambda p: rebuilt(p, [x * 2 for x in leaves(p)]))
    p = {"a": [X, (A, 1.5)], "b": Parameters(X, 2.0)}
    result = f(p)
    assert type(result["b"]) is Parameters and type(result["a"][1]) is tuple and type(result["a"][1][1]) is float
    same(result, rebuilt(p, [x * 2 for x in leaves(p)]))


def test_an_integer_that_does_not_fit_is_refused_as_by_numpy():
    x = np.arange(3, dtype=np.int32)
    f = ag.jit(lambda x, n: x + n)
    np.testing.assert_array_equal(f(x, 5), [5, 6, 7])
    with pytest.raises(OverflowError):
        f(x, 2**40)
    np.testing.assert_array_equal(f(x.astype(np.int64), 2**40), x + np.int64(2**40))
    g = ag.jit(lambda x, many: x + many[0] + many[1])
    np.testing.assert_array_equal(g(x.astype(np.int64), [2**40, 1]), x + np.int64(2**40 + 1))

"""Loops and branches within `ag.jit`: recorded as one quantity, and run as machine code or by NumPy."""

import numpy as np
import pytest

import ag
from ag.compiler import executable
from ag.compiler.machine import native

rng = np.random.default_rng(5)
pytestmark = pytest.mark.filterwarnings("ignore:ag.jit runs programs through NumPy")


@pytest.fixture(params=["machine code", "numpy"])
def way(request, monkeypatch):
    """How programs are run."""
    if request.param == "numpy":
        monkeypatch.setattr(native, "available", lambda: False)
    elif not native.available():
        pytest.skip("llvmlite is missing")
    return request.param


def compiled(f, *args, holds=True):
    """The result of f compiled, computed by its program and not by f itself."""
    g = ag.jit(f)
    result = g(*args)
    entry = g.entry(*args)
    ends = ag.transforms.containers.leaves(args)
    assert (entry(ends) is executable.DECLINED) != holds
    return result


def same(found, expected, tolerance=1e-11):
    if isinstance(expected, (tuple, list)):
        assert type(found) is type(expected) and len(found) == len(expected)
        for x, y in zip(found, expected, strict=True):
            same(x, y, tolerance)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        same(list(found.values()), list(expected.values()), tolerance)
    else:
        assert np.shape(found) == np.shape(expected)
        assert np.asarray(found).dtype == np.asarray(expected).dtype
        np.testing.assert_allclose(found, expected, tolerance, tolerance)


def ops_of(program):
    return [q.op.name for q in program.quantities if q.op is not None]


# ---------------------------------------------------------------------- functions of two arguments, with one number for result

W = rng.normal(size=(3, 3)) / 2


def recurrent(h, xs):
    """With a captured matrix; ys."""
    end, ys = ag.scan(lambda h, x: (np.tanh(h @ W + x), np.sum(h * x)), h, xs)
    return np.sum(end * end) + np.sum(ys)


def backwards(h, xs):
    end, ys = ag.scan(lambda h, x: (np.sin(h) * x, {"twice": 2.0 * h}), h, xs, reverse=True)
    return np.sum(end) + np.sum(ys["twice"] ** 2)


def containers(h, xs):
    """A dictionary and an integer are carried."""
    def step(carry, x):
        k = carry["k"]
        return {"k": k + 1, "h": carry["h"] * 0.9 + x * np.cos(carry["h"]) / (k + 1)}, None

    end, _ = ag.scan(step, {"k": 0, "h": h}, xs)
    return np.sum(end["h"] * end["k"])


def counted(h, xs):
    """The index is used for indexing."""
    return np.sum(ag.fori_loop(0, xs.shape[0], lambda i, h: h + np.sin(xs[i] * h), h))


def written(h, xs):
    def step(i, state):
        total, kept = state
        if isinstance(kept, np.ndarray):  # which has no .at
            kept = np.where(np.arange(kept.size) == i, np.sum(total), kept)
            return total + xs[i] * h, kept
        return total + xs[i] * h, kept.at[i].set(np.sum(total))

    total, kept = ag.fori_loop(0, xs.shape[0], step, (h, np.zeros(xs.shape[0])))
    return np.sum(total * total) + np.sum(np.exp(-kept))


def nested(h, xs):
    def outer(h, x):
        inner = ag.fori_loop(0, 3, lambda i, y: y * 0.5 + np.sin(x + h * i), h)
        return inner, np.sum(inner)

    end, ys = ag.scan(outer, h, xs)
    return np.sum(end) + np.prod(ys)


def exchanged(h, xs):
    """Parts of the carry that change places, stay, and are constant."""
    a, b, c, d, e = ag.scan(lambda s, x: ((s[1], s[0] + s[1] * x, s[2], np.float64(2.0), s[0]), None), (h, h * h, h + 1, 1.0, h), xs)[0]
    return np.sum(a + b * c * d + e)


def repeated(h, xs):
    end, n = ag.while_loop(lambda s: np.logical_and(np.sum(s[0] ** 2) > 0.1, s[1] < 9), lambda s: (s[0] * np.cos(xs[0]) / 2, s[1] + 1), (h, 0))
    return np.sum(end * end) * n


def halves(h, xs):
    """A branch in each step, with different branches at different steps."""
    def step(h, x):
        h = ag.cond(np.sum(x) > 0, lambda h: np.exp(-h) @ W, lambda h: h / (2.0 + x * x), h)
        return h, np.max(h)

    end, ys = ag.scan(step, h, xs)
    return np.sum(end) + np.sum(ys)


FUNCTIONS = [recurrent, backwards, containers, counted, written, nested, exchanged, repeated, halves]
H, XS = rng.normal(size=3), rng.normal(size=(6, 3))


def reverse_twice(f):
    return ag.grad(lambda h, xs: np.sum(ag.grad(f)(h, xs) ** 2))


DERIVATIVES = {
    "value": lambda f: f,
    "grad": lambda f: ag.value_and_grad(f, argnums=(0, 1)),
    "jvp": lambda f: lambda h, xs: ag.jvp(f, (h, xs), (np.cos(h), np.sin(xs))),
    "hessian": ag.hessian,
    "reverse over reverse": reverse_twice,
    "forward over forward": lambda f: ag.jacfwd(ag.jacfwd(f)),
}


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("derivative", DERIVATIVES)
def test_loops_are_as_eager_ones(f, derivative, way):
    g = DERIVATIVES[derivative](f)
    same(compiled(g, H, XS), g(H, XS))


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("derivative", ["value", "grad", "jvp"])
def test_loops_over_batches(f, derivative, way):
    hs = rng.normal(size=(4, 3))
    g = ag.vmap(DERIVATIVES[derivative](f), in_axes=(0, None))
    same(compiled(g, hs, XS), g(hs, XS))
    g = DERIVATIVES[derivative](lambda h, xs: np.sum(ag.vmap(f, in_axes=(0, None))(h, xs)))
    same(compiled(g, hs, XS), g(hs, XS))


# ---------------------------------------------------------------------- against other means


def test_a_recurrence_of_many_steps(way):
    """x ↦ r x (1 - x), against NumPy and against the product of the derivatives of its steps."""
    def f(x, r):
        return ag.fori_loop(0, 200, lambda i, x: r * x * (1 - x), x)

    x, r, slope = 0.3, 2.9, 1.0
    for _ in range(200):
        x, slope = r * x * (1 - x), slope * r * (1 - 2 * x)
    value, derivative = compiled(ag.value_and_grad(f), np.float64(0.3), np.float64(2.9))
    assert value == pytest.approx(x, rel=1e-12)
    assert derivative == pytest.approx(slope, rel=1e-9)


def test_a_loop_is_one_quantity():
    g = ag.jit(lambda x: ag.fori_loop(0, 10_000, lambda i, x: np.sin(x), x))
    program = g.entry(np.ones(3)).program
    assert ops_of(program) == ["scan", "result"]
    body = next(q for q in program.quantities if q.op is not None).params["body"]
    assert ops_of(body) == ["sin"]  # nothing is left of the index, which is not read
    assert "sin(" in str(program)


def test_dead_results_of_loops():
    """Of a gradient of a sum of ys the last carry, and of the forward loop the ys, are not computed."""
    def f(x, w):
        return np.sum(ag.scan(lambda c, x: (c * w + x, np.exp(c)), 0.0, x)[1])

    program = ag.jit(ag.grad(f)).entry(rng.normal(size=50), np.float64(0.5)).program
    forward, backward = [q for q in program.quantities if q.op is not None and q.op.name == "scan"]
    assert "exp" not in ops_of(forward.params["body"])
    assert len(forward.params["body"].outputs) == 2  # the next carry, and the one before it, which is kept
    assert "exp" in ops_of(backward.params["body"])


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_steps(n, way):
    def f(c, xs):
        c, ys = ag.scan(lambda c, x: (c * x, c + x), c, xs)
        return c, ys, ag.fori_loop(2, 2 + n, lambda i, x: x * i, c)

    args = np.float64(2.0), np.arange(1.0, 1.0 + n)
    same(compiled(f, *args), f(*args))


def test_bounds_that_are_not_known(way):
    def f(x, n):
        return ag.fori_loop(n - 3, n, lambda i, x: np.sin(x) * i, x)

    def steps(x, n):
        return ag.fori_loop(0, n, lambda i, x: np.cos(x) * x, x)

    x = np.array([0.5, 2.0])
    same(compiled(f, x, np.int64(7)), f(x, 7))
    def loss(x, n):
        return np.sum(steps(x, n) ** 2)

    for n in (0, 1, 5, -2):
        for derivative in (ag.value_and_grad(loss), ag.hessian(loss), reverse_twice(loss)):
            same(compiled(derivative, x, np.int64(n)), derivative(x, n))
    counts = np.array([3, 0])
    f = ag.vmap(lambda x, n: ag.fori_loop(0, n, lambda i, x: x * (i + 2), x))
    same(compiled(f, x, counts), np.array([0.5 * 2 * 3 * 4, 2.0]))


def test_newton(way):
    """The square root by a loop that ends by itself: its derivatives are those of the root, once it has converged."""
    def root(a):
        def step(x):
            return (x + a / x) / 2

        return ag.while_loop(lambda x: np.max(np.abs(x * x - a)) > 1e-14 * np.max(a), step, a)

    a = np.array([2.0, 3.0, 10.0])
    same(compiled(root, a), np.sqrt(a), 1e-13)
    for derivative in (ag.grad, lambda f: lambda a: ag.jvp(f, (a,), (np.ones(3),))[1] * np.ones(3) / 3):
        found = compiled(derivative(lambda a: np.sum(root(a))), a)
        if np.ndim(found):
            assert np.sum(found) == pytest.approx(np.sum(0.5 / np.sqrt(a)), rel=1e-5)
    single = np.float64(5.0)
    assert compiled(ag.grad(root), single) == pytest.approx(0.5 / np.sqrt(5.0), rel=1e-9)
    assert compiled(ag.grad(ag.grad(root)), single) == pytest.approx(-0.25 * 5.0**-1.5, rel=1e-5)


def test_a_loop_without_end_for_one_example(way):
    """Examples of a batch end at different steps, and keep then what they have."""
    f = ag.vmap(lambda x: ag.while_loop(lambda s: s[0] < 100, lambda s: (s[0] * s[0], s[1] + 1), (x, 0)))
    xs = np.array([3.0, 5.0, 200.0])
    same(compiled(f, xs), (np.array([6561.0, 625.0, 200.0]), np.array([3, 2, 0])))
    g = ag.vmap(ag.grad(lambda x: ag.while_loop(lambda x: x < 100, lambda x: x * x, x)))
    same(compiled(g, xs), np.array([8 * 3.0**7, 4 * 5.0**3, 1.0]))


def test_only_the_branch_that_is_taken_is_run(way):
    """The other one would be out of range, and would give nan in every derivative."""
    table = np.arange(4.0)

    def f(i, x):
        return ag.cond(i < 4, lambda x: ag.take(table, i, axis=0) * np.exp(x), lambda x: np.log(x - 5.0) * 2, x)

    g = ag.value_and_grad(lambda x, i: f(i, x))
    same(compiled(g, np.float64(1.5), np.int64(2)), (2 * np.exp(1.5), 2 * np.exp(1.5)))
    same(compiled(g, np.float64(7.0), np.int64(9)), (2 * np.log(2.0), 1.0))


def test_results_of_branches_are_alike(way):
    """A Python number takes the dtype of the other result; containers are kept."""
    def f(x, p):
        return ag.cond(p > 0, lambda: {"a": 1.0, "b": (x, None)}, lambda: {"a": np.sum(x), "b": (np.exp(x), None)})

    x = np.array([0.5, 1.0], np.float32)
    for p in (1.0, -1.0):
        found = compiled(f, x, np.float64(p))
        assert found["a"].dtype == np.float32 and found["b"][1] is None
        expected = {"a": 1.0, "b": (x, None)} if p > 0 else {"a": np.sum(x), "b": (np.exp(x), None)}
        np.testing.assert_allclose(found["a"], expected["a"])
        np.testing.assert_allclose(found["b"][0], expected["b"][0], rtol=1e-6)
    with pytest.raises(TypeError, match="both must return the same containers"):
        ag.jit(lambda p: ag.cond(p > 0, lambda: 1.0, lambda: (1.0, 2.0)))(np.float64(1.0))
    with pytest.raises(TypeError, match="both must be alike"):
        ag.jit(lambda p: ag.cond(p > 0, lambda: np.ones(2), lambda: np.ones(3)))(np.float64(1.0))


# ---------------------------------------------------------------------- what bodies expect


def test_an_index_out_of_range_within_a_loop(way):
    xs = np.arange(5.0)
    f = ag.jit(lambda n, x: ag.fori_loop(0, n, lambda i, t: t + ag.take(xs, i, axis=0) * x, 0.0))
    assert f(np.int64(5), 2.0) == 20.0
    with pytest.raises(IndexError):
        f(np.int64(6), 2.0)


def test_a_branch_not_taken_within_a_loop(way):
    """where(x > 0, sqrt(x), x) has the derivative 1 below 0: the call is computed by the passes with masks."""
    def f(x):
        return np.sum(ag.scan(lambda c, x: (c + np.where(x > 0, np.sqrt(x), x), None), 0.0, x)[0])

    x = np.array([4.0, -1.0, 0.0, 9.0])
    g = ag.grad(f)
    with np.errstate(invalid="ignore"):
        same(compiled(g, x, holds=False), np.array([0.25, 1.0, 1.0, 1 / 6]))
    same(compiled(g, np.array([4.0, 1.0, 1.0, 9.0])), np.array([0.25, 0.5, 0.5, 1 / 6]))


# ---------------------------------------------------------------------- what bodies use


def test_what_a_body_captures(way):
    """Arrays (read at each call), nodes that are older, values of the function, and values of an outer loop."""
    scale, tensor = np.array([1.0, 2.0]), ag.Tensor([0.5, 0.25])

    def f(x, y):
        z = np.exp(y)

        def outer(c, x):
            d = c * z
            return ag.fori_loop(0, 3, lambda i, e: np.sin(e * d) + scale * e + tensor.value * x, c), None

        return np.sum(ag.scan(outer, x[0], x)[0])

    g = ag.value_and_grad(f, argnums=(0, 1))
    x, y = np.linspace(-1, 1, 6).reshape(3, 2), np.array([0.5, -0.25])  # other numbers may grow without bound
    h = ag.jit(g)
    same(h(x, y), g(x, y))
    scale[1] = -0.5
    same(h(x, y), g(x, y))


def test_a_loop_of_nodes(way):
    """A compiled function with a loop inside of eager transforms and graphs."""
    f = ag.jit(lambda w, xs: ag.scan(lambda h, x: (np.tanh(w @ h + x), np.sum(h)), np.zeros(3), xs)[1].sum())
    eager = f.function
    same(ag.grad(f)(W, XS), ag.grad(eager)(W, XS))
    same(ag.hessian(f)(W, XS), ag.hessian(eager)(W, XS))
    w = ag.Tensor(W)
    f(w, XS).backward()
    same(w.grad, ag.grad(eager)(W, XS))


def test_products_solves_and_gathers_within_loops(way):
    """Matrix products by BLAS, rows through NumPy, and gathers stand within bodies."""
    A, index = rng.normal(size=(4, 4)) / 3 + 2 * np.eye(4), np.array([3, 1, 1, 0])

    def f(x, A):
        def step(x, i):
            return np.linalg.solve(A, x[index]) + (A @ x) * 0.1, np.sort(x)[i]

        end, ys = ag.scan(step, x, np.array([0, 3, 2, 1, 1]))
        return np.sum(end) + np.sum(ys * ys)

    x = rng.normal(size=4)
    g = ag.value_and_grad(f, argnums=(0, 1))
    same(compiled(g, x, A), g(x, A), 1e-9)


def test_kinds_of_numbers(way):
    """float32 stays so, in derivatives, too; complex numbers, small integers and truths are carried."""
    def f(x, xs):
        def step(state, x):
            a, z, k, seen = state
            return (a * np.float32(0.5) + x, z * (1 + 1j) + x, k + np.int8(1), np.logical_or(seen, x > 1)), k

        (a, z, k, seen), ks = ag.scan(step, (x, 1j, np.int8(3), False), xs)
        return np.sum(a * a) + np.real(z * np.conj(z)) * 1e-3, k, seen, ks

    args = np.float32(0.5), rng.normal(size=5).astype(np.float32)
    same(compiled(f, *args), f(*args), 1e-6)
    g = ag.grad(lambda x, xs: f(x, xs)[0], argnums=(0, 1))
    same(compiled(g, *args), g(*args), 1e-5)


def test_memory_of_loops_is_freed():
    """What a loop of unknown length keeps is got anew in each call, and within an outer loop in each step."""
    def f(x):
        inner = lambda x: ag.while_loop(lambda s: s[1] < 50, lambda s: (np.sin(s[0]), s[1] + 1), (x, 0))[0]  # noqa: E731
        return np.sum(ag.fori_loop(0, 5, lambda i, x: inner(x) + x, x))

    g = ag.jit(ag.grad(f))
    x = np.linspace(0.1, 1.0, 1000)
    expected = ag.grad(f)(x)
    import resource

    for k in range(200):
        found = g(x)
        if k == 20:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    same(found, expected)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # one call keeps 2,000 KB


def test_loops_are_shown_and_counted():
    """The kernels of bodies are printed, and what they do counts once for each step."""
    if not native.available():
        pytest.skip("llvmlite is missing")
    f = ag.jit(lambda x: ag.fori_loop(0, 50, lambda i, x: np.sin(x) * x + i, x))
    shown, x = f.show(np.ones(4)), np.ones(4)
    assert "scan(0, x, length=50" in str(shown) and "def k0_0_0(" in str(shown)
    once = ag.jit(lambda x: np.sin(x) * x + 3.0)
    assert f.cost(x).operations == pytest.approx(50 * once.cost(x).operations, rel=0.05)
    assert f.cost(x).functions == {"sin": 200}
    g = ag.jit(lambda x: ag.while_loop(lambda x: np.sum(x) < 9, lambda x: x + 1, x))
    assert g.cost(x).uncounted == ["k0"] and "def k0_1_0(" in str(g.show(x))


# ---------------------------------------------------------------------- passes on loops


@pytest.mark.parametrize("reverse", [False, True])
def test_products_of_loops_are_kept_and_summed_at_once(reverse, way):
    """A backward loop multiplies once: h @ W is kept by the forward loop, and the gradients of W and V are one product each."""
    def f(W, V, xs):
        def step(h, x):
            h = np.tanh(h @ W + x @ V + 0.5)
            return h, np.sum(h * h)

        end, ys = ag.scan(step, np.zeros((4, 20)), xs, reverse=reverse)
        return np.sum(np.exp(end)) + np.sum(ys)

    args = rng.normal(size=(20, 20)) / 5, rng.normal(size=(16, 20)) / 5, rng.normal(size=(7, 4, 16))
    g = ag.value_and_grad(f, argnums=(0, 1))
    same(compiled(g, *args), g(*args))
    program = ag.jit(g).entry(*args).program
    forward, backward = [q for q in program.quantities if q.op is not None and q.op.name == "scan"]
    assert ops_of(forward.params["body"]).count("matmul") == 2
    assert ops_of(backward.params["body"]).count("matmul") == 1
    assert ops_of(program).count("matmul") == 2
    h = ag.grad(lambda *args: sum(np.sum(np.sin(x)) for x in ag.grad(f, argnums=(0, 1))(*args)), argnums=(0, 1))
    same(compiled(h, *args), h(*args), 1e-10)


def test_what_is_read_within_the_loop_is_not_summed_after_it(way):
    """Weights that each step changes by a product and uses: stochastic gradient descent in a loop, against NumPy."""
    xs, ys = rng.normal(size=(6, 5, 3)), rng.normal(size=(6, 5, 2))

    def train(w, xs, ys):
        return ag.scan(lambda w, xy: (w - 0.1 * (xy[0].T @ (xy[0] @ w - xy[1])), np.sum(w)), w, (xs, ys))

    w, sums = np.zeros((3, 2)), []
    for x, y in zip(xs, ys, strict=True):
        sums.append(np.sum(w))
        w = w - 0.1 * (x.T @ (x @ w - y))
    same(compiled(train, np.zeros((3, 2)), xs, ys), (w, np.array(sums)))


def test_a_sum_of_products_with_a_start(way):
    """Σ xᵀy from a start that is not 0, whose steps are read elsewhere, or not."""
    xs = rng.normal(size=(6, 5, 3))

    def f(start, xs):
        alone = ag.scan(lambda s, x: (s + x.T @ np.sin(x), None), start, xs)[0]
        seen, steps = ag.scan(lambda s, x: (x.T @ np.cos(x) + s, s), start, xs)
        return alone, seen, steps

    start = rng.normal(size=(3, 3))
    partial = np.cumsum([start, *(x.T @ np.cos(x) for x in xs)], axis=0)
    expected = start + sum(x.T @ np.sin(x) for x in xs), partial[-1], partial[:-1]
    same(compiled(f, start, xs), expected)
    loops = [q for q in ag.jit(f).entry(start, xs).program.quantities if q.op is not None and q.op.name == "scan"]
    assert [ops_of(q.params["body"]).count("matmul") for q in loops] == [0, 1]


@pytest.mark.parametrize("size", [1, 30])
@pytest.mark.parametrize("n", [5, 6])
def test_places_of_the_carry(size, n, way):
    """Parts that change places, stay, are constant, are given twice, or are a y as well; few bytes and many, even and odd steps."""
    def step(s, x):
        a, b, c, _, _ = s
        new = a + b * x
        return (b, new, c, np.zeros(size), new), (new, a, c, 2.0)

    def f(a, xs):
        return ag.scan(step, (a, a * a, a + 1, a, a), xs)

    def g(a, count, xs):
        return ag.fori_loop(0, count, lambda i, s: step(s, xs[0])[0], (a, a * a, a + 1, a, a))

    a, xs = rng.normal(size=size), rng.normal(size=(n, size))
    same(compiled(f, a, xs), f(a, xs))
    same(compiled(g, a, np.int64(n), xs), g(a, n, xs))
    loss = ag.grad(lambda a, xs: sum(np.sum(x * x) for x in ag.transforms.containers.leaves(f(a, xs))), argnums=(0, 1))
    same(compiled(loss, a, xs), loss(a, xs))


def test_kernels_of_loops_are_shared_by_threads():
    """Many elements in each step."""
    xs = rng.normal(size=(4, 300_000))

    def f(h, xs):
        return ag.scan(lambda h, x: (np.sin(h) * x, np.sum(np.exp(h))), h, xs)

    h = rng.normal(size=300_000)
    same(compiled(f, h, xs), f(h, xs))


def test_a_loop_writes_no_argument():
    """Also one that is given up keeps its numbers, where it is what a loop begins with."""
    x = np.arange(50.0)
    f = ag.jit(lambda x: ag.fori_loop(0, 3, lambda i, x: 2.0 * x, x), donate_argnums=0)
    same(f(x), 8 * np.arange(50.0))
    y = np.arange(50.0)
    same(ag.jit(lambda x: ag.fori_loop(0, 3, lambda i, x: 2.0 * x, x))(y), 8 * y)
    same(y, np.arange(50.0))


def test_an_index_that_differs_between_examples(way):
    """Within a loop over a batch, read and differentiated."""
    def f(i, x):
        return ag.fori_loop(0, 3, lambda k, c: c + x[i] * x[k] + k, 0.0)

    i, x = np.array([0, 2, -1]), rng.normal(size=(3, 4))
    same(compiled(ag.vmap(f), i, x), np.array([row[k] * row[:3].sum() + 3 for k, row in zip(i, x, strict=True)]))
    g = ag.vmap(ag.grad(lambda x, i: f(i, x)))
    same(compiled(g, x, i), g(x, i))

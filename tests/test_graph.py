"""The graph: what a node keeps, how long it lives, and the pass that fills the gradients."""

import gc
import inspect
import math
import threading
import weakref

import numpy as np
import pytest

import ag
from ag.node import Node
from side_by_side import run_side_by_side


def watch(x):
    """A weak reference to the array of a node, which nobody else holds: nodes themselves have no room for one."""
    return weakref.ref(x.value)


@pytest.fixture
def counting_alone():
    """No garbage collector: what is freed is freed by reference counting."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def nodes_alive():
    return sum(isinstance(x, Node) for x in gc.get_objects())


def reachable(*outputs):
    """All nodes behind the outputs, latest first."""
    found, stack = set(), list(outputs)
    while stack:
        x = stack.pop()
        if isinstance(x, Node) and x not in found:
            found.add(x)
            stack.extend(x.inputs)
    return sorted(found, key=lambda x: -x.number)


# ---------------------------------------------------------------------- the running example

EXPONENTIAL = math.exp(-3.0)


@pytest.fixture
def example():
    """f(x, y) = log(1 + e^{-(x+y)}) (x+y) at x = 2, y = 1: eight quantities."""
    z1, z2 = ag.Scalar(2.0, label="x"), ag.Scalar(1.0, label="y")
    z3 = z1 + z2
    z4 = -z3
    z5 = ag.exp(z4)
    z6 = 1 + z5
    z7 = ag.log(z6)
    z8 = z7 * z3
    return z1, z2, z3, z4, z5, z6, z7, z8


def test_the_running_example_has_eight_quantities(example):
    assert reachable(example[-1]) == list(reversed(example)), "the order of creation is the order of the notes"
    assert [z.op and z.op.name for z in example] == [None, None, "add", "negative", "exp", "add", "log", "multiply"]
    assert [z.label for z in example] == ["x", "y", None, None, None, None, None, None]
    z1, z2, z3, z4, z5, z6, z7, _ = example
    assert [z.inputs for z in example] == [(), (), (z1, z2), (z3,), (z4,), (1, z5), (z6,), (z7, z3)]
    assert type(z6.inputs[0]) is int, "the constant 1 is plain, and not a quantity"


def test_the_values_of_the_running_example(example):
    expected = [2.0, 1.0, 3.0, -3.0, EXPONENTIAL, 1 + EXPONENTIAL, math.log1p(EXPONENTIAL), 3 * math.log1p(EXPONENTIAL)]
    np.testing.assert_allclose([z.value for z in example], expected, rtol=4e-15)
    assert all(type(z.value) is float and z.grad is None for z in example)


def by_hand():
    """∂f/∂z1 ... ∂f/∂z8 of the running example by the chain rule on paper."""
    g8 = 1.0
    g7 = g8 * 3.0
    g6 = g7 / (1 + EXPONENTIAL)
    g5 = g6
    g4 = g5 * EXPONENTIAL
    g3 = g8 * math.log1p(EXPONENTIAL) - g4
    return [g3, g3, g3, g4, g5, g6, g7, g8]


def test_the_gradients_of_the_running_example(example):
    example[-1].backward()
    np.testing.assert_allclose([z.grad for z in example], by_hand(), rtol=4e-15)
    assert all(type(z.grad) is float for z in example), "intermediate ones, too"
    sigma = 1 / (1 + math.exp(3.0))  # f = s · softplus(-s): f' = softplus(-s) - s σ(-s)
    assert example[0].grad == pytest.approx(math.log1p(EXPONENTIAL) - 3 * sigma, rel=1e-14)


def test_the_loop_written_by_hand_equals_backward(example):
    f = example[-1]
    f.grad = 1.0
    for z in reversed(example):
        z._backward()
    loop = [z.grad for z in example]
    f.backward()
    assert loop == [z.grad for z in example]


def test_the_loop_by_hand_on_tensors():
    """With broadcasting, a node used twice, a selecting row, a reduction, and more than two inputs."""

    def make():
        x, b = ag.Tensor([[1.0, -2.0], [0.5, 3.0]]), ag.Tensor([0.1, 0.2])
        h = ag.where(x > 0, x * x + b, x)
        return x, b, (ag.softmax(ag.concat([h, x, h], axis=1)) * h.sum()).sum()

    x, b, y = make()
    y.backward()
    x2, b2, y2 = make()
    y2.grad = np.float64(1.0)
    for z in reachable(y2):
        z._backward()
    np.testing.assert_array_equal(x2.grad, x.grad)
    np.testing.assert_array_equal(b2.grad, b.grad)
    assert x2.grad.shape == x.shape and b2.grad.shape == b.shape


def test_one_step_by_hand():
    """grad of the node × local partial, added to what the inputs have; None counts as 0."""
    x, y = ag.Scalar(3.0), ag.Scalar(5.0)
    z = x * y
    z._backward()
    assert (x.grad, y.grad) == (0.0, 0.0)
    z.grad = 2.0
    z._backward()
    assert (x.grad, y.grad) == (10.0, 6.0)
    z._backward()
    assert (x.grad, y.grad) == (20.0, 12.0)
    square = x * x
    x.grad, square.grad = None, 1.0
    square._backward()
    assert x.grad == 6.0
    assert x._backward() is None, "a leaf has nothing to hand on"


# ---------------------------------------------------------------------- backward


def test_backward_is_afresh_at_each_call():
    x = ag.Scalar(3.0)
    h = x * x
    y, z = h + x, h * 2
    y.backward()
    assert (x.grad, h.grad) == (7.0, 1.0)
    y.backward()
    assert (x.grad, h.grad) == (7.0, 1.0)
    z.backward()
    assert (x.grad, h.grad, y.grad) == (12.0, 2.0, 1.0), "grad is of the last output that depends on the node"


def test_accumulate_adds_on_leaves_alone():
    x, b = ag.Tensor([1.0, 2.0]), ag.Scalar(0.0)
    h = x * x
    y = h.sum() + b
    for k in (1, 2, 3):
        y.backward(accumulate=True)
        np.testing.assert_array_equal(x.grad, k * 2 * x.value)
        assert b.grad == k
        np.testing.assert_array_equal(h.grad, [1.0, 1.0])
    y.backward()
    np.testing.assert_array_equal(x.grad, 2 * x.value)


def test_accumulated_gradients_are_that_of_the_sum():
    rng = np.random.default_rng(0)
    W, parts = ag.Tensor(rng.normal(size=(3, 2))), rng.normal(size=(4, 5, 3))
    for X in parts:
        ag.exp(X @ W).sum().backward(accumulate=True)
    accumulated = W.grad
    sum(ag.exp(X @ W).sum() for X in parts).backward()
    np.testing.assert_allclose(accumulated, W.grad, rtol=1e-14)


def test_a_cotangent():
    x = ag.Tensor([1.0, 2.0])
    y = x * x
    y.backward([1.0, 10.0])
    np.testing.assert_array_equal(x.grad, [2.0, 40.0])
    np.testing.assert_array_equal(y.grad, [1.0, 10.0])
    given = np.array([1.0, 1.0])
    y.backward(given)
    given[:] = 7.0
    np.testing.assert_array_equal(y.grad, [1.0, 1.0])
    s = ag.Scalar(3.0)
    (s * s).backward(0.5)
    assert s.grad == 3.0
    one = ag.Tensor([[4.0]])
    ag.sqrt(one).backward()
    np.testing.assert_array_equal(one.grad, [[0.25]])


def test_backward_of_a_leaf_and_of_what_does_not_depend():
    x = ag.Scalar(2.0)
    x.backward()
    assert x.grad == 1.0
    y, z = ag.Scalar(2.0), ag.Tensor([1.0, 2.0])
    (ag.floor(y) + ag.sign(z).sum() + z.detach().sum()).backward()
    assert y.grad == 0.0 and (z.grad == 0).all(), "piecewise constant: 0, not None"
    unused = ag.Scalar(1.0)
    (x * 2).backward()
    assert unused.grad is None


@pytest.mark.parametrize("face", [ag.Scalar, ag.Tensor])
def test_a_node_used_many_times(face):
    """The adjoints of all uses are summed before they are handed on: x^(2^20) has 2^20 paths in 20 nodes."""
    x = y = face(1.0)
    for _ in range(20):
        y = y * y
    y.backward()
    assert x.grad == 2.0**20


def test_values_do_not_change_by_differentiation():
    x = ag.Tensor([1.0, 2.0])
    y = ag.exp(x) + x
    before = y.value.copy()
    for _ in range(2):
        y.sum().backward()
        y.backward(np.ones(2))
    np.testing.assert_array_equal(y.value, before)


# ---------------------------------------------------------------------- lifetime


def test_a_graph_is_freed_at_once_with_its_output(counting_alone):
    leaf = ag.Tensor(np.ones(3))
    before = nodes_alive()
    inner = ag.exp(leaf)
    watches = watch(leaf), watch(inner)
    y = (inner * leaf).sum() + ag.concat([leaf, leaf, leaf])[0] + ag.Scalar(2.0) ** 2
    y.backward()
    del inner
    assert nodes_alive() > before and watches[1]() is not None
    del y
    assert nodes_alive() == before and watches[1]() is None, "what the output alone needed"
    assert watches[0]() is leaf.value
    np.testing.assert_allclose(leaf.grad, 2 * math.e + np.array([1.0, 0.0, 0.0]), rtol=1e-15)
    del leaf
    assert watches[0]() is None


@pytest.mark.parametrize("use", [
    lambda x: x * 2 + 1, lambda x: np.where(x > 0, x, -x), lambda x: x[::-1].reshape(3, 1) @ x[None, :],
    lambda x: ag.softmax(x), lambda x: ag.cross_entropy(x, 0), lambda x: x.at[0].set(1.0), lambda x: ag.std(x),
    lambda x: ag.grad(lambda w: (w * x).sum())(np.ones(3)), lambda x: ag.grad(lambda w: ag.norm(w))(x),
    lambda x: ag.jvp(ag.exp, (x,), (np.ones(3),)), lambda x: ag.vjp(ag.exp, x),
    lambda x: ag.grad(lambda d: (d["a"][0] * d["b"]).sum())({"a": [x], "b": np.ones(3)}), lambda x: ag.stop_gradient({"a": [x]}),
    lambda x: ag.jvp(lambda d: {"u": [d["a"]]}, ({"a": x},), ({"a": np.ones(3)},)), lambda x: ag.vjp(lambda t: [t, (t,)], x)[1]([x, (x,)]),
])  # fmt: skip
def test_no_row_makes_a_cycle(use, counting_alone):
    leaf = ag.Tensor([1.0, 2.0, 3.0])
    watched = watch(leaf)
    before = nodes_alive()
    use(leaf)
    assert nodes_alive() == before
    del leaf
    assert watched() is None


def test_a_transform_leaves_nothing_behind(counting_alone):
    before = nodes_alive()
    ag.grad(lambda x: ag.grad(lambda y: y**3)(x) * x)(2.0)
    try:
        ag.grad(lambda x: ag.exp(x) / (1 // 0))(2.0)
    except ZeroDivisionError:
        pass
    else:
        pytest.fail("the error of the function did not come through")
    assert nodes_alive() == before


def test_a_million_nodes(counting_alone):
    """Builds, differentiates and frees; nothing recurses, and no other garbage is left."""
    n = 1_000_000
    x = y = ag.Scalar(1.0)
    for _ in range(n):
        y = y + 1.0
    y.backward()
    assert y.value == n + 1.0 and x.grad == 1.0
    before = nodes_alive()
    del y
    assert nodes_alive() == before - n


@pytest.mark.parametrize("derivative", [
    lambda f: ag.grad(f)(0.5), lambda f: ag.jvp(f, (0.5,), (1.0,))[1], lambda f: ag.grad(ag.grad(f))(0.5),
    lambda f: ag.jvp(ag.grad(f), (0.5,), (1.0,))[1],
])  # fmt: skip
def test_deep_chains_in_every_mode(derivative):
    """x + x + ... + x², n times: n + 2x, and 2."""
    n = 5_000

    def f(x):
        y = x * x
        for _ in range(n):
            y = y + x
        return y

    assert derivative(f) in (n + 1.0, 2.0)


def test_a_deep_chain_of_rows_with_many_inputs(counting_alone):
    """Nodes with three inputs and more keep them in a tuple: these free without recursion as well."""
    x = y = ag.Tensor([1.0, 2.0])
    for _ in range(50_000):
        y = ag.where(True, y, x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, 1.0)
    before = nodes_alive()
    del y
    assert nodes_alive() == before - 50_000


# ---------------------------------------------------------------------- order and threads


def test_an_inputs_number_is_smaller_also_in_recorded_passes():
    w = ag.Scalar(0.5)
    g = ag.grad(lambda x: ag.grad(lambda x: ag.sin(x * w) + ag.where(x > 0, x**3, w))(x) * w)(2.0)
    for node in reachable(g, ag.cross_entropy(ag.Tensor([1.0, 2.0]) * g, 0), ag.grad(ag.norm)(ag.Tensor([3.0, 4.0]))):
        assert all(x.number < node.number for x in node.inputs if isinstance(x, Node))


def test_threads_build_and_differentiate_side_by_side():
    shared = ag.Tensor(np.linspace(0.1, 1.0, 10))
    numbers = [[], []]

    def body(k):
        for i in range(200):
            x = ag.Tensor(np.full(10, 1.0 + k))
            y = x * shared
            for _ in range(5):
                y = ag.sin(y) + x
            assert ag.grad(lambda t: ag.grad(lambda u: u**3 * t)(t))(float(i)) == 9.0 * i * i  # d/dt 3t³
            numbers[k] += [z.number for z in reachable(y) if z is not shared]
            y.backward(np.ones(10))
            h = 1e-6
            expected = (chain(1.0 + k + h) - chain(1.0 + k - h)) / (2 * h)
            np.testing.assert_allclose(x.grad, expected, rtol=1e-7)

    def chain(x):
        y = x * shared.value
        for _ in range(5):
            y = np.sin(y) + x
        return y

    run_side_by_side(lambda: body(0), lambda: body(1))
    assert len(set(numbers[0]) | set(numbers[1])) == len(numbers[0]) + len(numbers[1]), "no number is given twice"


def test_a_transform_in_one_thread_does_not_bind_another():
    """float(x) inside a transform raises; of a node that another thread's transform knows nothing of, it may not."""
    inside, done = threading.Event(), threading.Event()
    other = ag.Scalar(2.0)

    def transforming():
        def f(x):
            inside.set()
            assert done.wait(10)
            with pytest.raises(TypeError, match="cut its gradient"):
                float(x)
            return x * x

        assert ag.grad(f)(3.0) == 6.0

    def reading():
        assert inside.wait(10)
        y = other * 2
        assert float(y) == 4.0
        y.backward()
        assert other.grad == 2.0
        done.set()

    run_side_by_side(transforming, reading)


def test_locks_of_captured_arrays_are_counted_across_threads():
    c = np.ones(20_000)

    def body():
        for _ in range(200):
            x = ag.Tensor(c)
            y = x * c
            del x, y

    run_side_by_side(body, body, body)
    assert c.flags.writeable


# ---------------------------------------------------------------------- labels, and the user's line


def test_labels():
    x = ag.Tensor([1.0], label="x")
    assert x.label == "x" and ag.Scalar(1.0).label is None
    y = x * 2
    assert y.label is None
    y.label = "y"
    assert y.label == "y" and "label='y'" in repr(y) and "op=multiply" in repr(y)
    assert x.detach().label == "x" and x.detach().inputs == () and x.detach() is not x


def test_inputs_keep_their_order_and_constants_stay_plain():
    x, y = ag.Tensor([1.0, 2.0]), ag.Scalar(3.0)
    assert (x - y).inputs == (x, y) and (y - x).inputs == (y, x)
    assert (2.0 / x).inputs == (2.0, x) and (x / 2.0).inputs == (x, 2.0)
    z = np.array([5.0, 6.0]) - x
    np.testing.assert_array_equal(z.inputs[0], [5.0, 6.0])
    assert type(z.inputs[0]) is np.ndarray and z.inputs[1] is x
    assert len(ag.where(True, x, y).inputs) == 3
    assert ag.stack([y, y, y, y]).inputs == (y, y, y, y)
    assert ag.sum(x, axis=0).params == {"axis": (-1,), "keepdims": False} and (x + y).params == {}


X = ag.Tensor([[1.0, 2.0], [3.0, 4.0]])
S = ag.Scalar(0.5)


def named(*fs):
    return [pytest.param(f, id=str(k)) for k, f in enumerate(fs)]


@pytest.mark.parametrize("make", named(
    lambda: ag.Scalar(1.0), lambda: ag.Tensor([1.0]), lambda: S.detach(),
    lambda: X + X, lambda: X + 1.0, lambda: 1.0 + X, lambda: S * S, lambda: S * 2, lambda: 2 * S, lambda: 2 - S, lambda: S - X,
    lambda: X / S, lambda: 1 / X, lambda: -X, lambda: -S, lambda: abs(X), lambda: +S, lambda: X**2, lambda: 2**X, lambda: S**S,
    lambda: X @ X, lambda: np.ones((2, 2)) @ X, lambda: np.ones(2) * X, lambda: np.float64(2) * X, lambda: np.float32(2) + S,
    lambda: X % 2, lambda: X // 2, lambda: 5 % X, lambda: X[0], lambda: X[:, [1, 0]], lambda: X.T, lambda: X.mT,
    lambda: ag.exp(X), lambda: ag.exp(S), lambda: ag.log(X), lambda: ag.log(ag.softmax(X)), lambda: ag.maximum(X, S),
    lambda: ag.where(X > 2, X, S), lambda: ag.clip(X, 0, 1), lambda: ag.sum(X), lambda: ag.mean(X, axis=0), lambda: ag.norm(X),
    lambda: ag.softmax(X), lambda: ag.cross_entropy(X, [0, 1]), lambda: ag.squared_error(X, 1.0), lambda: ag.dot(X, X),
    lambda: ag.outer(X, X), lambda: ag.einsum("ij->j", X), lambda: ag.concat([X, X]), lambda: ag.stack([S, S]),
    lambda: ag.round(X),
    lambda: np.exp(X), lambda: np.exp(S), lambda: np.log(X), lambda: np.add(X, S), lambda: np.add(1.0, X), lambda: np.sum(X),
    lambda: np.mean(X, axis=0), lambda: np.concatenate([X, X]), lambda: np.where(X > 2, X, 0.0), lambda: np.dot(X, X),
    lambda: np.linalg.norm(X), lambda: np.clip(X, 0, 1), lambda: np.add.reduce(X), lambda: np.diag(X), lambda: np.sort(X),
    lambda: X.sum(), lambda: X.mean(axis=0), lambda: X.max(), lambda: X.reshape(4), lambda: X.transpose(), lambda: X.ravel(),
    lambda: X.clip(0, 1), lambda: X.dot(X), lambda: X.trace(), lambda: X.take([0]), lambda: X.at[0].set(1.0),
    lambda: X.at[0].add(1.0), lambda: X.astype(np.float32), lambda: round(X, 1), lambda: ag.grad(lambda w: (w * X).sum())(S),
    lambda: ag.Categorical(X).entropy(), lambda: ag.Categorical(X).log_prob([0, 1]),
    lambda: ag.cross_entropy(X, np.eye(2), probabilities=True),
))  # fmt: skip
def test_the_source_is_the_users_line(make):
    """For a leaf, an operator, ag's function, NumPy's and a method alike; and for all that a composite makes."""
    node = make()
    assert isinstance(node, Node)
    line, file = make.__code__.co_firstlineno, __file__
    for z in reachable(node):
        if z.number > max(X.number, S.number):
            source = z.source
            assert (source.file, source.line) == (file, line), z
            assert source.function.endswith("<lambda>")
            assert "lambda: " in source.text and str(source) == f"{file}:{line}"


def test_the_source_of_a_call_over_several_lines():
    here = inspect.currentframe().f_lineno
    y = (
        X
        * 2.0
    )  # fmt: skip
    assert here < y.source.line <= here + 4
    assert y.source.function == "test_the_source_of_a_call_over_several_lines"


def test_the_source_in_code_without_a_file():
    scope = {"x": ag.Scalar(2.0)}
    exec(compile("a = 1\ny = x * x\n", "<typed in>", "exec"), scope)
    assert (scope["y"].source.file, scope["y"].source.line, scope["y"].source.text) == ("<typed in>", 2, "")


def test_recorded_passes_stand_at_the_line_they_differentiate():
    w = ag.Scalar(2.0)

    def f(x):
        return ag.sin(x) * w  # the only line of the user

    g = ag.grad(f)(1.0)
    lines = {z.source.line for z in reachable(g) if z.op is not None}
    assert lines == {f.__code__.co_firstlineno + 1}


def test_where_of_one_argument_is_the_places():
    x = ag.Tensor([3.0, 0.0, 2.0])
    for places in (ag.where(x), np.where(x), np.where(x > 1)):
        np.testing.assert_array_equal(places, [[0, 2]])
    np.testing.assert_array_equal(ag.grad(lambda x: (x[np.where(x)] ** 2).sum())(x.value), [6, 0, 4])
    with pytest.raises(TypeError, match=r"the result of np\.nonzero has a shape that depends on the values, in which the examples of ag\.vmap differ"):
        ag.vmap(lambda x: np.where(x))(np.ones((2, 3)))

"""vmap on whole functions: axes, containers, indices, choices, nesting, errors; always against a loop over the examples."""

import dataclasses
import functools
from typing import Any, NamedTuple

import numpy as np
import pytest

import ag
from ag.node import Node
from side_by_side import run_side_by_side

rng = np.random.default_rng(0)
X, Y, W = rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), rng.normal(size=(3, 2))
IDX = np.array([2, 0, 1, 2, 2])


def loop(f, *args):
    """f of the examples one after another, which stand along the first axis."""
    return np.stack([f(*example) for example in zip(*args, strict=True)])


# ---------------------------------------------------------------------- axes and containers


@pytest.mark.parametrize("in_axes,args", [
    (0, (X, Y)), ((0, 0), (X, Y)), ([0, 0], (X, Y)), ((0, 1), (X, Y.T)), ((-1, 0), (X.T, Y)), ((1, -2), (X.T, Y)), (1, (X.T, Y.T)),
    ((np.int64(0), 0), (X, Y)),
])  # fmt: skip
def test_the_axis_of_examples(in_axes, args):
    np.testing.assert_array_equal(ag.vmap(lambda x, y: x * y + x[0], in_axes)(*args), X * Y + X[:, :1])


@pytest.mark.parametrize("out_axes,place", [(0, 0), (1, 1), (2, 2), (-1, 2), (-3, 0), (-2, 1)])
def test_the_axis_of_results(out_axes, place):
    result = ag.vmap(lambda x: x[:, None] * np.ones(2), out_axes=out_axes)(X)
    np.testing.assert_array_equal(result, np.moveaxis(np.repeat(X[:, :, None], 2, 2), 0, place))


def test_what_is_the_same_for_all_examples():
    np.testing.assert_allclose(ag.vmap(lambda x, W: x @ W, (0, None))(X, W), X @ W)
    np.testing.assert_allclose(ag.vmap(lambda x: x @ W)(X), X @ W)
    result = ag.vmap(lambda x, name, n: x * n, (0, None, None))(X, "name", 2)
    np.testing.assert_array_equal(result, 2 * X)
    np.testing.assert_array_equal(ag.vmap(lambda x: 3.0)(X), [3.0] * 5)
    np.testing.assert_array_equal(ag.vmap(lambda x: W)(X), np.stack([W] * 5))
    same, differs = ag.vmap(lambda x: ("same", x), out_axes=(None, 0))(X)
    assert same == "same" and (differs == X).all()
    np.testing.assert_array_equal(ag.vmap(lambda: 2.0, axis_size=4)(), [2.0] * 4)
    np.testing.assert_array_equal(ag.vmap(lambda x: x, in_axes=None, axis_size=2)(W), [W, W])


class Pair(NamedTuple):
    a: Any
    b: Any


@dataclasses.dataclass
class Model:
    W: Any
    rest: Any


@pytest.mark.parametrize("make,axes", [
    (lambda a, b: (a, b), (0, 1)), (lambda a, b: [a, b], (0, 1)), (lambda a, b: [a, b], [0, 1]),
    (lambda a, b: {"a": a, "b": b}, {"b": 1, "a": 0}), (lambda a, b: Pair(a, b), Pair(0, 1)), (lambda a, b: Model(a, [b, None]), Model(0, 1)),
    (lambda a, b: (a, {"deep": [b]}), (0, 1)), (lambda a, b: (a, {"deep": [b]}), (0, {"deep": [1]})),
])  # fmt: skip
def test_containers_with_an_axis_for_each_part(make, axes):
    def ends(tree):
        if isinstance(tree, dict):
            return [x for k in sorted(tree) for x in ends(tree[k])]
        if isinstance(tree, (tuple, list)):
            return [x for part in tree for x in ends(part)]
        if isinstance(tree, Model):
            return ends((tree.W, tree.rest))
        return [] if tree is None else [tree]

    def f(tree):
        a, b = ends(tree)
        return make(a + b, a * b)

    result = ag.vmap(f, in_axes=(axes,), out_axes=axes)(make(X, Y.T))
    assert type(result) is type(make(X, Y))
    first, second = ends(result)
    np.testing.assert_array_equal(first, X + Y)
    np.testing.assert_array_equal(second, (X * Y).T)


def test_keyword_arguments_are_mapped_over_their_first_axis():
    np.testing.assert_array_equal(ag.vmap(lambda x, y: x - y)(X, y=Y), X - Y)


def test_results_are_plain_and_own_their_memory():
    for f in (lambda x: x, lambda x: x[::-1], lambda x: (x, x), lambda x: W):
        x = X.copy()
        results = ag.vmap(f)(x)
        for k, result in enumerate(results if isinstance(results, tuple) else [results]):
            assert type(result) is np.ndarray
            result[...] = 7.0 + k
        assert (x == X).all() and not (W == 7.0).any()
    assert ag.vmap(lambda x: x)(X.astype(np.float32)).dtype == np.float32
    assert ag.vmap(lambda x: x * 2.0)(X.astype(np.float32)).dtype == np.float32


def test_no_examples():
    assert ag.vmap(lambda x: x.sum())(np.ones((0, 3))).shape == (0,)
    assert ag.vmap(ag.grad(lambda x: (x @ W).sum()))(np.ones((0, 3))).shape == (0, 3)


def test_names_and_words_are_kept():
    assert ag.vmap(loop).__name__ == "loop" and ag.vmap(loop).__doc__ == loop.__doc__


# ---------------------------------------------------------------------- inside the function


def test_an_example_looks_like_an_array():
    def f(x):
        assert x.shape == (3,) and x.ndim == 1 and x.size == 3 and len(x) == 3 and x.dtype == float
        assert np.shape(x) == (3,) and np.ndim(x) == 1 and "one of 5 examples" in repr(x)
        a, b, c = x
        return a * b - c + sum(part for part in x) + np.zeros_like(x).sum() + np.ones_like(x).sum()

    np.testing.assert_allclose(ag.vmap(f)(X), X[:, 0] * X[:, 1] - X[:, 2] + X.sum(1) + 3)


@pytest.mark.parametrize("f", [
    lambda x: np.where(x > 0, np.sqrt(np.abs(x)), -x), lambda x: ag.where((x > 0) & (x < 1), x, 0.0),
    lambda x: ag.where(~(x > 0) | (x > 1), x, 2.0), lambda x: np.logical_and(x > 0, x < 1) * x, lambda x: (x > 0) ^ (x < 1),
    lambda x: np.argmax(x), lambda x: x.argmax(axis=0), lambda x: np.argsort(-x), lambda x: np.sort(x), lambda x: (x > 0).any(),
    lambda x: (x > 0).all(axis=-1), lambda x: np.count_nonzero(x > 0), lambda x: np.isfinite(x), lambda x: np.sign(x),
    lambda x: np.argmax(x[:, None] * W, axis=0), lambda x: np.floor(x).astype(int),
    lambda x: np.array_equal(x, x), lambda x: np.searchsorted([-1.0, 0.0, 1.0], x), lambda x: x == x[0], lambda x: x.max() == x,
    lambda x: np.argmax(x[:, None] * W), lambda x: (x[:, None] > W).any(keepdims=True), lambda x: np.isclose(x, x[0]),
    lambda x: np.linalg.norm(x), lambda x: np.einsum("i,ij->j", x, W), lambda x: np.concatenate([x, [1.0], x[:1]]),
    lambda x: np.stack([x, np.zeros(3)]), lambda x: ag.stack([x[0], 1.0]),
    lambda x: 2 - x, lambda x: 2 / x, lambda x: 2**x, lambda x: np.float64(2) * x, lambda x: W.T @ x, lambda x: x @ x, lambda x: abs(-x),
    lambda x: x // 1, lambda x: x % 1, lambda x: np.round(x, 1), lambda x: np.add.reduce(x), lambda x: np.outer(x, x), lambda x: x.T,
    lambda x: np.tile(x, 2), lambda x: np.pad(x, 1), lambda x: np.broadcast_to(x, (2, 3)), lambda x: x.reshape(3, 1).mT,
    lambda x: np.dot(x, W), lambda x: np.tensordot(x, W, axes=1), lambda x: np.inner(x, x), lambda x: np.diag(x), lambda x: np.trace(np.outer(x, x)),
    lambda x: ag.softmax(x), lambda x: ag.log(ag.softmax(x)), lambda x: ag.cross_entropy(x, 1), lambda x: x.astype(np.float32),
])  # fmt: skip
def test_one_function_under_vmap_and_in_a_loop(f):
    expected = loop(f, X)
    result = ag.vmap(f)(X)
    assert result.dtype == expected.dtype
    np.testing.assert_allclose(result, expected, rtol=1e-14)


@pytest.mark.parametrize("f", [
    lambda x, i: ag.take(x, i), lambda x, i: x[i], lambda x, i: x[..., i], lambda x, i: ag.take(W, i, axis=0) * x[0],
    lambda x, i: ag.Tensor(W)[i].value * x[0], lambda x, i: ag.Tensor(W)[i, 1].value + x, lambda x, i: x.at[i].set(7.0),
    lambda x, i: x.at[i].add(x[0]), lambda x, i: ag.Tensor(W).at[i].add(x[:2]).value, lambda x, i: ag.Tensor(W).at[i, 0].set(x[1]).value,
    lambda x, i: x[ag.stack([i, 0 * i])], lambda x, i: (x[:, None] * W)[i], lambda x, i: (x[:, None] * W)[:, 0 * i],
    lambda x, i: (x[:, None] * W)[None, i, :, None], lambda x, i: (x[:, None, None] * W)[i, :, 0 * i], lambda x, i: np.roll(x, 1)[i],
    lambda x, i: (x[:, None, None] * W)[np.array([0, 2]), :, 0 * i], lambda x, i: (x[:, None, None] * W)[:, np.array([[0], [1]]), 0 * i],
    lambda x, i: (x[:, None] * W)[1, 0 * i], lambda x, i: (x[:, None] * W)[i][0 * i], lambda x, i: x[i] * x,
    lambda x, i: np.take_along_axis(x, ag.stack([i, i]), axis=0), lambda x, i: ag.take(x, ag.stack([i, 0 * i, i])),
    lambda x, i: x.at[ag.stack([i, (i + 1) % 3])].set(ag.stack([1.0, 2.0])), lambda x, i: ag.cross_entropy(x, i), lambda x, i: ag.one_hot(i, 3),
    lambda x, i: x[np.array([True, False, True])], lambda x, i: x[[2, 0]], lambda x, i: x.at[np.array([True, False, True])].set(i * 1.0),
    lambda x, i: x[(x > 0).argmax()], lambda x, i: x.at[1].set(0.0), lambda x, i: x.at[1:].add(x[0]),
])  # fmt: skip
def test_indices_of_each_example(f):
    def each(x, i):
        y = f(ag.Tensor(x), np.asarray(i))
        return np.asarray(getattr(y, "value", y))

    np.testing.assert_allclose(ag.vmap(f)(X, IDX), loop(each, X, IDX), rtol=1e-15)


def test_gradients_through_indices_of_each_example():
    table = rng.normal(size=(4, 2))

    def loss(table, x, i):
        return (ag.take(table, i, axis=0) * x[:2]).sum() + x[i] ** 2

    for argnums in (0, 1):
        actual = ag.vmap(ag.grad(loss, argnums), (None, 0, 0))(table, X, IDX)
        np.testing.assert_allclose(actual, [ag.grad(loss, argnums)(table, x, np.array(i)) for x, i in zip(X, IDX, strict=True)])
    total = ag.grad(lambda t: ag.vmap(loss, (None, 0, 0))(t, X, IDX).sum())(table)
    np.testing.assert_allclose(total, ag.vmap(ag.grad(loss), (None, 0, 0))(table, X, IDX).sum(0))


def test_gradients_of_each_example_of_a_network():
    rng = np.random.default_rng(1)
    params = {"W": rng.normal(size=(3, 4)), "b": rng.normal(size=4), "V": rng.normal(size=(4, 3))}

    def loss(params, x, y):
        z = np.tanh(x @ params["W"] + params["b"]) @ params["V"]
        return ag.cross_entropy(z, y)

    each = ag.vmap(ag.grad(loss), (None, 0, 0))(params, X, IDX)
    for k in params:
        expected = np.stack([ag.grad(loss)(params, x, int(y))[k] for x, y in zip(X, IDX, strict=True)])
        np.testing.assert_allclose(each[k], expected, rtol=1e-12)
    together = ag.grad(lambda p: ag.cross_entropy(np.tanh(X @ p["W"] + p["b"]) @ p["V"], IDX))(params)
    for k in params:
        np.testing.assert_allclose(each[k].mean(0), together[k], rtol=1e-12)


# ---------------------------------------------------------------------- nesting


def test_vmap_of_vmap():
    expected = np.array([[f * g for g in range(3)] for f in range(2)], float)
    f = ag.vmap(ag.vmap(lambda x, y: x * y, (None, 0)), (0, None))
    np.testing.assert_array_equal(f(np.arange(2.0), np.arange(3.0)), expected)
    A, B = rng.normal(size=(2, 3, 4)), rng.normal(size=(3, 2, 4))
    actual = ag.vmap(ag.vmap(lambda a, b: a @ b), in_axes=(0, 1))(A, B)
    np.testing.assert_allclose(actual, np.einsum("ijk,jik->ij", A, B))
    actual = ag.vmap(lambda a: ag.vmap(lambda b: a * b.sum(), out_axes=1)(B[0]), out_axes=-1)(A[0])
    np.testing.assert_allclose(actual, np.einsum("ik,jl->kji", A[0], B[0]))
    three = ag.vmap(ag.vmap(ag.vmap(lambda x: x * x.sum() if x.ndim else x * 2)))(A)
    np.testing.assert_array_equal(three, 2 * A)


def test_a_function_in_a_function_captures_examples_of_the_outer_one():
    def outer(x):
        return ag.vmap(lambda y: (x * y).sum() + ag.grad(lambda z: (x * z * y).sum())(y).sum())(Y)

    expected = [[(x * y).sum() + (x * y).sum() for y in Y] for x in X]
    np.testing.assert_allclose(ag.vmap(outer)(X), expected)


def test_every_order_of_nesting():
    """Σ x³ w for each example: all ways to the same second derivatives."""
    w = np.array([1.0, -2.0, 0.5])

    def f(x):
        return (w * x**3).sum()

    second = 6 * w * X
    V = rng.normal(size=X.shape)
    np.testing.assert_allclose(ag.vmap(ag.hessian(f))(X), [np.diag(s) for s in second])
    np.testing.assert_allclose(ag.vmap(lambda x, v: ag.hvp(f, (x,), (v,)))(X, V), second * V)
    np.testing.assert_allclose(ag.jvp(ag.vmap(ag.grad(f)), (X,), (V,))[1], second * V)
    np.testing.assert_allclose(ag.vjp(ag.vmap(ag.grad(f)), X)[1](V)[0], second * V)
    np.testing.assert_allclose(ag.grad(lambda X: (ag.vmap(ag.grad(f))(X) * V).sum())(X), second * V)
    np.testing.assert_allclose(ag.vmap(ag.grad(lambda x, v: ag.jvp(f, (x,), (v,))[1]))(X, V), second * V)
    np.testing.assert_allclose(ag.vmap(lambda x: ag.linearize(ag.grad(f), x)[1](x))(X), second * X)
    np.testing.assert_allclose(ag.vmap(lambda x: ag.vmap(ag.linearize(ag.grad(f), x)[1])(np.eye(3)))(X), [np.diag(s) for s in second])
    full = ag.jacfwd(ag.vmap(ag.grad(f)))(X)
    np.testing.assert_allclose(full, np.einsum("ia,ij,ab->iajb", second, np.eye(5), np.eye(3)))
    np.testing.assert_allclose(ag.jacrev(ag.vmap(ag.grad(f)))(X), full)
    np.testing.assert_allclose(ag.hessian(lambda X: ag.vmap(f)(X).sum())(X), full)


def test_captured_nodes_make_it_record():
    w = ag.Tensor([1.0, 2.0, 3.0])
    y = ag.vmap(lambda x: (x * w).sum())(X)
    assert isinstance(y, ag.Tensor) and y.shape == (5,)
    y.backward(np.ones(5))
    np.testing.assert_allclose(w.grad, X.sum(0))
    x = ag.Tensor(X)
    z = ag.vmap(ag.grad(lambda x: (x**2 * w).sum()))(x)
    assert isinstance(z, Node)
    z.sum().backward()
    np.testing.assert_allclose(x.grad, np.stack([2 * w.value] * 5))
    np.testing.assert_allclose(w.grad, 2 * X.sum(0))
    s = ag.Scalar(2.0)
    ag.vmap(lambda x: x * s)(X).sum().backward()
    assert s.grad == pytest.approx(X.sum())


def test_an_argument_that_is_the_same_for_all_has_a_gradient_for_each():
    """Also a Python number, and one whose gradient is 0."""
    np.testing.assert_allclose(ag.vmap(lambda x: ag.grad(lambda a: (a * x).sum())(2.0))(X), X.sum(1))
    np.testing.assert_array_equal(ag.vmap(lambda x: ag.grad(lambda a: x.sum())(2.0))(X), np.zeros(5))
    np.testing.assert_array_equal(ag.vmap(lambda x: ag.grad(lambda a: a * a)(2.0))(X), [4.0] * 5)
    np.testing.assert_array_equal(ag.vmap(lambda x: ag.jvp(lambda a: a * x, (2.0,), (3.0,))[1])(X), 3 * X)
    value, gradient = ag.vmap(lambda x: ag.value_and_grad(lambda a: (x**a).sum())(2.0))(np.abs(X))
    np.testing.assert_allclose(value, (X * X).sum(1))
    np.testing.assert_allclose(gradient, (X * X * np.log(np.abs(X))).sum(1))


def test_a_branch_not_taken_in_one_example_contributes_nothing():
    x = np.array([-1.0, 4.0, 0.0])
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(ag.vmap(ag.grad(lambda x: ag.where(x > 0, ag.sqrt(x), x)))(x), [1.0, 0.25, 1.0])
        forward = ag.vmap(lambda x: ag.jvp(lambda x: ag.where(x > 0, ag.sqrt(x), x), (x,), (1.0,))[1])(x)
    np.testing.assert_array_equal(forward, [1.0, 0.25, 1.0])
    f = lambda x: ag.where(x > 0, ag.sqrt(x), x) * np.ones(2)  # noqa: E731
    for jacobian in (ag.jacfwd, ag.jacrev):
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(jacobian(f)(-1.0), [1.0, 1.0])


def test_the_auxiliary_data_of_each_example():
    gradient, aux = ag.vmap(ag.grad(lambda x: ((x * x).sum(), {"twice": 2 * x}), has_aux=True))(X)
    np.testing.assert_allclose(gradient, 2 * X)
    np.testing.assert_allclose(aux["twice"], 2 * X)


def test_threads_do_not_meet():
    results = {}

    def run(k):
        results[k] = ag.vmap(lambda x: ag.grad(lambda x: (x**2).sum())(x) * k)(X)

    run_side_by_side(*[functools.partial(run, k) for k in range(4)])
    for k, result in results.items():
        np.testing.assert_allclose(result, 2 * k * X)


# ---------------------------------------------------------------------- errors


def branching(x):
    return x if x.sum() > 0 else -x


@pytest.mark.parametrize("f,words", [
    (branching, "ag.where"), (lambda x: x[0] > 0 and x[1] > 0, "logical_and"), (lambda x: float(x[0]), "ag.sin"),
    (lambda x: int(x[0]), "astype"), (lambda x: x[0].item(), "keep x"), (lambda x: np.array([x[0], x[1]]), "ag.stack"),
    (lambda x: complex(x[0]), "keep x"), (lambda x: x[x > 0], "ag.where"), (lambda x: W[(x > 0).argmax()], "ag.take"),
    (lambda x: x[x], "integers or booleans"), (lambda x: max(x[0], x[1]), "ag.where"),
    (lambda x: range(x[0]), "ag.take"), (lambda x: (x * 2).sum().backward(), "ag.vmap\\(ag.grad"), (lambda x: ag.Tensor(x), "use it as it is"),
    (lambda x: np.unique(x), "depends on the values"), (lambda x: np.nonzero(x), "depends on the values"), (lambda x: len(x[0]), "no length"),
    (lambda x: list(x[0]), "no axis to iterate"), (lambda x: np.asarray(x), "ag.stack"),
])  # fmt: skip
def test_what_would_need_one_example_alone_says_what_to_write(f, words):
    with pytest.raises(TypeError, match=words):
        ag.vmap(f)(X)
    assert ag.vmap(lambda x: x)(X).shape == X.shape, "an error leaves nothing behind"


def test_writing_into_an_example():
    def f(x):
        x[0] = 1.0

    with pytest.raises(TypeError, match="at\\[index\\]"):
        ag.vmap(f)(X)


@pytest.mark.parametrize("call,error,words", [
    (lambda: ag.vmap(lambda x, y: x)(X, np.ones(4)), ValueError, "5 .*4"), (lambda: ag.vmap(lambda x: x)(2.0), ValueError, "in_axes=None"),
    (lambda: ag.vmap(lambda x: x, (0, 0))(X), ValueError, "2 entries"), (lambda: ag.vmap(lambda x: x, 2)(X), np.exceptions.AxisError, "axis 2"),
    (lambda: ag.vmap(lambda x: x, None)(X), ValueError, "axis_size"), (lambda: ag.vmap(lambda x: x)("text"), TypeError, "in_axes=None"),
    (lambda: ag.vmap(lambda x: x, ({"a": 0},))((X, X)), TypeError, "in_axes"), (lambda: ag.vmap(lambda x: "text")(X), TypeError, "out_axes=None"),
    (lambda: ag.vmap(lambda x: x, out_axes=None)(X), ValueError, "differs between"), (lambda: ag.vmap(lambda x: x, out_axes=2)(X), np.exceptions.AxisError, "axis 2"),
    (lambda: ag.vmap(lambda x: x, "0")(X), TypeError, "in_axes='0'"), (lambda: ag.vmap(3), TypeError, "function"),
    (lambda: ag.vmap(lambda x: x, axis_size=4)(X), ValueError, "4 \\(axis_size\\)"), (lambda: ag.vmap(lambda x: x + np.ones(4))(X), ValueError, r"\(3,\).*\(4,\)"),
    (lambda: ag.vmap(ag.grad(lambda x: x))(X), TypeError, "scalar output"), (lambda: ag.vmap(ag.grad(lambda i: 1.0))(IDX), TypeError, "astype"),
    (lambda: ag.vmap(lambda x: ag.cross_entropy(x, 3))(X), ValueError, "out of range"), (lambda: ag.vmap(ag.cross_entropy)(X, IDX + 1), ValueError, "from 1 to"),
])  # fmt: skip
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_what_leaves_a_vmap_by_the_back_door():
    kept = []
    ag.vmap(lambda x: kept.append(x) or x)(X)
    with pytest.raises(RuntimeError, match="return it from the function"):
        kept[0] + 1.0

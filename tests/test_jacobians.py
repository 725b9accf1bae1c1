"""Jacobians, Hessians and their products against closed forms, SciPy and differences."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.optimize

import ag
from ag.node import Node

rng = np.random.default_rng(0)
A, B = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
X, Y = rng.normal(size=3), rng.normal(size=2)
JACOBIANS = [ag.jacfwd, ag.jacrev, ag.jacobian]


def rosenbrock(x):
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def f(x, y):
    return np.tanh(A @ x + B @ y)


def slope(x, y):
    return 1 - np.tanh(A @ x + B @ y) ** 2


@pytest.mark.parametrize("jacobian", JACOBIANS)
def test_arguments(jacobian):
    s = slope(X, Y)
    np.testing.assert_allclose(jacobian(f)(X, Y), s[:, None] * A)
    np.testing.assert_allclose(jacobian(f, 1)(X, Y), s[:, None] * B)
    np.testing.assert_allclose(jacobian(f, -1)(X, Y), s[:, None] * B)
    both = jacobian(f, (1, 0))(X, Y)
    assert type(both) is tuple and len(both) == 2
    np.testing.assert_allclose(both[0], s[:, None] * B)
    np.testing.assert_allclose(both[1], s[:, None] * A)
    (single,) = jacobian(f, (0,))(X, y=Y)
    np.testing.assert_allclose(single, s[:, None] * A)
    assert jacobian(f, ())(X, Y) == ()


@pytest.mark.parametrize("jacobian", JACOBIANS)
def test_shapes_and_dtypes(jacobian):
    assert jacobian(lambda x: x * x)(3.0) == 6.0 and type(jacobian(lambda x: x * x)(3.0)) is float
    np.testing.assert_array_equal(jacobian(lambda x: x * np.ones((2, 1)))(3.0), np.ones((2, 1)))
    np.testing.assert_array_equal(jacobian(lambda x: x.sum())(np.ones((2, 3))), np.ones((2, 3)))
    J = jacobian(lambda x: x.T @ x)(np.ones((4, 2)))
    assert J.shape == (2, 2, 4, 2)
    single = jacobian(lambda x: x * 2)(np.ones(2, np.float32))
    assert single.dtype == np.float32 and type(single) is np.ndarray
    np.testing.assert_array_equal(jacobian(lambda x: np.ones(2))(np.ones(3)), np.zeros((2, 3)))
    assert jacobian(lambda x: 1.0)(2.0) == 0.0
    assert jacobian(lambda x: x[:0])(np.ones(3)).shape == (0, 3)
    assert jacobian(lambda x: x.sum(keepdims=True))(np.ones(0)).shape == (1, 0)
    np.testing.assert_array_equal(jacobian(lambda x: x[np.array([2, 0, 2])])(np.ones(3)), np.eye(3)[[2, 0, 2]])


class Point(NamedTuple):
    a: Any
    b: Any


@dataclasses.dataclass
class State:
    x: Any
    rest: Any


@pytest.mark.parametrize("jacobian", JACOBIANS)
def test_containers_in_and_out(jacobian):
    """A container like the output, with one like the argument in the place of each array."""

    def g(state):
        return {"sum": Point(state.x.sum(), [state.x * state.rest["s"]]), "none": None}

    J = jacobian(g)(State(X, {"s": 2.0, "n": None}))
    assert J["none"] is None and type(J["sum"]) is Point
    first, second = J["sum"].a, J["sum"].b[0]
    assert type(first) is type(second) is State and second.rest["n"] is None
    np.testing.assert_array_equal(first.x, np.ones(3))
    assert first.rest["s"] == 0.0
    np.testing.assert_array_equal(second.x, 2 * np.eye(3))
    np.testing.assert_array_equal(second.rest["s"], X)


@pytest.mark.parametrize("jacobian", JACOBIANS)
def test_auxiliary_data(jacobian):
    J, aux = jacobian(lambda x: (x * x, {"y": x.sum(), "name": "n"}), has_aux=True)(X)
    np.testing.assert_allclose(J, np.diag(2 * X))
    assert aux == {"y": X.sum(), "name": "n"}


def test_hessians():
    x = rng.normal(size=10)
    np.testing.assert_allclose(ag.hessian(rosenbrock)(x), scipy.optimize.rosen_hess(x), rtol=1e-12)
    v = rng.normal(size=10)
    np.testing.assert_allclose(ag.hvp(rosenbrock, (x,), (v,)), scipy.optimize.rosen_hess_prod(x, v), rtol=1e-12)
    assert ag.hessian(lambda x: x**3)(2.0) == 12.0
    H = ag.hessian(lambda x: ag.stack([x[0] ** 3, x[0] * x[1]]))(np.array([2.0, 5.0]))
    np.testing.assert_array_equal(H, [[[12.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]])
    H, aux = ag.hessian(lambda x: ((x**3).sum(), x.sum()), has_aux=True)(X)
    np.testing.assert_allclose(H, np.diag(6 * X))
    assert aux == X.sum()


def test_the_hessian_of_several_arguments():
    def g(d, y):
        return (d["x"] ** 2).sum() * y

    H = ag.hessian(g, (0, 1))({"x": X}, 3.0)
    np.testing.assert_allclose(H[0]["x"][0]["x"], 6 * np.eye(3))
    np.testing.assert_allclose(H[0]["x"][1], 2 * X)
    np.testing.assert_allclose(H[1][0]["x"], 2 * X)
    assert H[1][1] == 0.0
    product = ag.hvp(g, ({"x": X}, 3.0), ({"x": np.ones(3)}, 1.0))
    np.testing.assert_allclose(product[0]["x"], 6 + 2 * X)
    assert product[1] == pytest.approx(2 * X.sum())


def test_a_function_that_differentiates_inside():
    """f(x) = |∇g(x)|² for g = Σ sin x: ∂f = -sin 2x, ∂²f = -2 cos 2x."""

    def f(x):
        return (ag.grad(lambda x: np.sin(x).sum())(x) ** 2).sum()

    np.testing.assert_allclose(ag.jacrev(f)(X), -np.sin(2 * X), rtol=1e-13)
    np.testing.assert_allclose(ag.hessian(f)(X), np.diag(-2 * np.cos(2 * X)), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(ag.hvp(f, (X,), (np.ones(3),)), -2 * np.cos(2 * X), rtol=1e-12)


@pytest.mark.parametrize("jacobian", [*JACOBIANS, ag.hessian])
def test_nodes_in_nodes_out(jacobian):
    x = ag.Tensor(X)
    J = jacobian(lambda x: (x**4).sum() if jacobian is ag.hessian else x**3)(x)
    assert isinstance(J, ag.Tensor) and J.shape == (3, 3) and x.grad is None
    J.sum().backward()
    np.testing.assert_allclose(x.grad, 24 * X if jacobian is ag.hessian else 6 * X)
    w = ag.Scalar(2.0)
    J = jacobian(lambda x: x**3 * w)(3.0)
    assert isinstance(J, ag.Scalar)
    J.backward()
    assert w.grad == (18.0 if jacobian is ag.hessian else 27.0)


def test_results_own_their_memory():
    for jacobian in JACOBIANS:
        x = X.copy()
        for f in (lambda x: x, lambda x: (x, x), lambda x: x[::-1], lambda x: {"a": x * 2.0}):
            blocks = jacobian(f)(x)
            blocks = blocks if isinstance(blocks, tuple) else (blocks,) if not isinstance(blocks, dict) else tuple(blocks.values())
            for k, block in enumerate(blocks):
                block[...] = 5.0 + k
            assert all((block == 5.0 + k).all() for k, block in enumerate(blocks)) and (x == X).all()


def test_linearize_runs_the_function_once():
    calls = []

    def g(x, d):
        calls.append(1)
        return {"y": np.sin(x) * d["s"]}, x.sum()

    y, push, aux = ag.linearize(g, X, {"s": 2.0}, has_aux=True)
    np.testing.assert_allclose(y["y"], 2 * np.sin(X))
    assert aux == X.sum()
    for v in np.eye(3):
        np.testing.assert_allclose(push(v, {"s": 0.0})["y"], 2 * np.cos(X) * v)
    np.testing.assert_allclose(push(np.zeros(3), {"s": 1.0})["y"], np.sin(X))
    assert len(calls) == 1
    assert ag.linearize(lambda x: 3.0, 2.0)[1](1.0) == 0.0
    _, tangent, _ = ag.jvp(g, (X, {"s": 1.0}), (X, {"s": 0.0}), has_aux=True)
    np.testing.assert_allclose(tangent["y"], X * np.cos(X))


def test_the_value_of_linearize_is_a_node_when_a_captured_one_is_older():
    w = ag.Scalar(3.0)
    y, push = ag.linearize(lambda x: x * w, 2.0)
    t = push(5.0)
    assert isinstance(y, Node) and isinstance(t, Node)
    t.backward()
    assert w.grad == 5.0


@pytest.mark.parametrize("call,error,words", [
    (lambda: ag.jacfwd(3.0), TypeError, "takes a function"), (lambda: ag.jacrev(f, 2)(X, Y), ValueError, "argnums=2"),
    (lambda: ag.jacobian(lambda x: x)(3), TypeError, "3.0 for 3"), (lambda: ag.hessian(lambda x: x)(np.arange(3)), TypeError, "astype"),
    (lambda: ag.linearize(f), TypeError, "ag.linearize\\(f, x\\)"), (lambda: ag.linearize(lambda x: x, X)[1](Y), ValueError, r"\(2,\).*\(3,\)"),
    (lambda: ag.linearize(lambda x: x, X)[1](X, X), TypeError, "nested"), (lambda: ag.hvp(rosenbrock, X, X), TypeError, "tuples"),
    (lambda: ag.hvp(lambda x: x, (X,), (X,)), TypeError, "scalar output"), (lambda: ag.hvp(rosenbrock, (X,), (Y,)), ValueError, r"\(2,\).*\(3,\)"),
    (lambda: ag.jacrev(lambda x: "text")(1.0), TypeError, "output"), (lambda: ag.jacfwd(lambda x: ("text", x))(1.0), TypeError, "output"),
    (lambda: ag.jacfwd(lambda x: x, has_aux=True)(1.0), TypeError, "has_aux"),
])  # fmt: skip
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_complex_numbers():
    """Of complex results the columns; of complex arguments there is no such matrix."""

    def wave(x):
        return np.exp(1j * x[0]) * x

    x = np.array([0.5, 2.0])
    expected = np.exp(0.5j) * (np.eye(2) + np.stack([1j * x, 0 * x], axis=1))
    for jacobian in (ag.jacfwd, ag.jacobian):
        np.testing.assert_allclose(jacobian(wave)(x), expected, rtol=1e-14)
    parts = ag.jacrev(lambda x: (ag.real(wave(x)), ag.imag(wave(x))))(x)
    np.testing.assert_allclose(parts[0] + 1j * parts[1], expected, rtol=1e-14)
    np.testing.assert_allclose(ag.hessian(lambda x: (ag.abs(wave(x)) ** 2).sum())(x), 2 * np.eye(2), atol=1e-14)
    with pytest.raises(TypeError, match=r"ag.jacrev: the output .* is complex.*ag.jacfwd"):
        ag.jacrev(wave)(x)
    for transform in (*JACOBIANS, ag.hessian):
        with pytest.raises(TypeError, match=r"argument .* is complex.*z = x \+ 1j \* y"):
            transform(lambda z: ag.abs(z).sum())(1j * x)


def test_names_and_words_are_kept():
    for transform in (*JACOBIANS, ag.hessian):
        assert transform(rosenbrock).__name__ == "rosenbrock"

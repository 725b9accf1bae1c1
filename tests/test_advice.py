"""Where a derivative would be lost, the error shows the call and what to write instead; and what it advises works."""

import math
import re
import statistics

import numpy as np
import pytest

import ag
from ag.operators.rules import value_of

rng = np.random.default_rng(0)


def in_a_gradient(f):
    return lambda: ag.grad(f)(2.0)


def stores(x):
    y = np.zeros(2)
    y[0] = x * 1.0
    return ag.Tensor(y).sum()


SINE = math.sin
CASES = [
    (lambda x: np.array([x, 2 * x]), r"in place of np\.array\(\[x, 2 \* x\]\) write ag\.stack\(\[x, 2 \* x\]\)$"),
    (lambda x: np.array([[x, x], [x, x]]), r"in place of np\.array\(.*\) write ag\.stack\(\[x, y\]\)$"),
    (lambda x: np.full(3, x), r"in place of np\.full\(3, x\) write x \* np\.ones\(shape\)"),
    (lambda x: np.full_like(np.zeros(3), x), r"np\.copyto has no rule.*Write a = ag\.where"),
    (lambda x: rng.normal(x), r"in place of rng\.normal\(x\) write mean \+ scale \* rng\.normal"),
    (lambda x: rng.normal(x, size=2), r"in place of rng\.normal\(x, size=2\) write mean"),
    (lambda x: rng.uniform(0, x), r"write low \+ \(high - low\) \* rng\.random"),
    (lambda x: np.vectorize(lambda v: v * 2)(x), r"in place of np\.vectorize\(.*write the function on the whole array"),
    (lambda x: np.ones(2).dot(x), r"write a @ x"),
    (lambda x: np.asarray(x, dtype=object), "write x itself, or ag.stack"),
    (lambda x: memoryview(np.asarray(x)), "write x itself, or ag.stack"),
]


@pytest.mark.parametrize("call,words", CASES)
@pytest.mark.parametrize("x", [ag.Scalar(2.0, "x"), ag.Tensor([1.0, 2.0], "x")], ids=["scalar", "tensor"])
def test_a_call_that_would_lose_the_derivative_is_shown_with_its_rewrite(call, words, x):
    with pytest.raises(TypeError, match=words):
        call(x)


@pytest.mark.parametrize("f,words", [
    (lambda x: math.sin(x) * x, r"in place of math\.sin\(x\) write ag\.sin"),
    (lambda x: math.fsum([x, x]), r"in place of math\.fsum\(\[x, x\]\) write ag\.sum\(ag\.stack\(values\)\)"),
    (lambda x: ag.grad(math.sin)(x), r"in place of math\.sin write ag\.sin;"),
    (lambda x: ag.vjp(math.gamma, x), r"in place of math\.gamma write ag\.special\.gamma;"),
    (lambda x: ag.vmap(math.sin)(ag.stack([x])), r"in place of math\.sin write ag\.sin "),
    (lambda x: ag.grad(SINE)(x), r"x > 0, not bool\(x\)\); write ag\.stop_gradient"),  # which function it is can't be told
    (lambda x: ag.sum([x, x]), r"np\.exp\(x\), ag\.exp\(x\)\) to compute with it$"),  # ag.sum is no advice in place of ag.sum
    (lambda x: float(x) * x, r"inside a transform.*keep the node.*write ag\.stop_gradient\(x\)"),
    (lambda x: int(x) * x, "inside a transform would cut its gradient"),
    (lambda x: np.fromiter((v for v in [x]), float).sum(), "write ag.stack"),
])  # fmt: skip
def test_inside_a_transform_numbers_are_not_taken(f, words):
    with pytest.raises((TypeError, ValueError)) as caught:
        in_a_gradient(f)()
    text = " ".join(str(error) for error in (caught.value, caught.value.__cause__) if error)
    assert re.search(words, text), text


@pytest.mark.parametrize("run", [lambda: stores(ag.Scalar(2.0)), in_a_gradient(stores)], ids=["outside", "inside"])
def test_storing_a_node_in_a_plain_array_says_how_to_build_one(run):
    """NumPy puts its own words in front; the cause has ours."""
    with pytest.raises((TypeError, ValueError)) as caught:
        run()
    text = f"{caught.value} {caught.value.__cause__}"
    assert "would cut its gradient: build the array from nodes, ag.stack([x, y])" in text


def test_outside_a_transform_a_number_is_a_number():
    x = ag.Scalar(2.0)
    y = np.zeros(2)
    y[0] = float(x)
    y[1] = x.value
    assert math.sin(x) == math.sin(2.0) and (y == 2.0).all()
    assert statistics.fmean([x.value]) == 2.0


def test_a_function_of_another_library_is_named_by_the_users_own_call():
    linalg = pytest.importorskip("scipy.special")
    with pytest.raises(TypeError, match=r"in place of linalg\.softmax\(.*write ag\.softmax"):
        linalg.softmax(ag.Tensor([1.0, 2.0]))


def test_the_advice_is_sound():
    """What is advised computes the same, with a derivative."""
    x = ag.Scalar(2.0)
    noise = np.random.default_rng(1).normal(size=3)
    np.testing.assert_array_equal((x * np.ones(3)).value, np.full(3, 2.0))
    np.testing.assert_allclose((x + (5.0 - x) * np.linspace(0, 1, 4)).value, np.linspace(2.0, 5.0, 4))
    np.testing.assert_allclose((x * (3.0 / x) ** np.linspace(0, 1, 3)).value, np.geomspace(2.0, 3.0, 3))
    np.testing.assert_array_equal((x + 0.5 * noise).value, np.random.default_rng(1).normal(2.0, 0.5, 3))
    np.testing.assert_array_equal(ag.Tensor(np.zeros(2)).at[0].set(x).value, [2.0, 0.0])
    a = np.zeros((2, 2))
    np.testing.assert_array_equal((a * (1 - np.eye(2)) + x * np.eye(2)).value, np.diag([2.0, 2.0]))
    covariance = np.array([[2.0, 0.5], [0.5, 1.0]])
    draws = np.linalg.cholesky(covariance) @ np.random.default_rng(2).normal(size=(2, 200_000))
    np.testing.assert_allclose(np.cov(draws), covariance, atol=0.02)


def test_a_specification_formats_each_element():
    assert f"{ag.Tensor([1.0, 2.5]):.2f} {ag.Scalar(0.25):.1%}" == "[1.00, 2.50] 25.0%"


# ---------------------------------------------------------------------- the names of other libraries


@pytest.mark.parametrize("kind", [ag.Scalar, ag.Tensor])
@pytest.mark.parametrize("use,words", [
    (lambda x: x.numpy(), r"its numbers are x\.value"),
    (lambda x: x.data, r"its numbers are x\.value"),
    (lambda x: x.tolist(), r"write x\.value\.tolist\(\)"),
    (lambda x: x.zero_grad(), r"backward\(\) writes grad afresh"),
    (lambda x: x.requires_grad, r"x\.detach\(\) and ag\.stop_gradient\(x\) stop it"),
    (lambda x: setattr(x, "data", 1.0), r"its numbers are x\.value"),
    (lambda x: setattr(x, "requires_grad", True), "every node has a derivative"),
    (lambda x: x._prev, r"x\.inputs"),
])  # fmt: skip
def test_attributes_of_other_libraries_are_answered(kind, use, words):
    with pytest.raises(AttributeError, match=rf"^{kind.__name__} has no attribute '\w+': .*{words}"):
        use(kind(2.0))


def test_such_attributes_do_not_seem_to_be_there():
    x = ag.Tensor([1.0])
    assert not hasattr(x, "numpy") and "numpy" not in dir(x) and "sum" in dir(x)
    with pytest.raises(AttributeError, match="^'Tensor' object has no attribute 'nonsense'$"):
        x.nonsense  # noqa: B018
    with pytest.raises(AttributeError, match=r"Batched has no attribute 'data': its numbers are x\.value"):
        ag.vmap(lambda x: x.data)(np.ones(3))
    with pytest.raises(AttributeError, match=r"Traced has no attribute 'numpy'"):
        ag.jit(lambda x: x.numpy())(np.ones(3))


@pytest.mark.parametrize("given,words", [
    ({"requires_grad": True}, r"takes no requires_grad=True: every node has a derivative"),
    ({"dtype": float}, r"takes no dtype=.*: the dtype is that of the array, write np\.asarray\(a, dtype=\.\.\.\)"),
    ({"name": "x"}, r"takes no name='x': write label="), ({"nonsense": 1}, r"takes no nonsense=1, only label"),
])  # fmt: skip
def test_keywords_of_other_libraries_are_answered(given, words):
    with pytest.raises(TypeError, match=rf"^ag\.Tensor {words}"):
        ag.Tensor(2.0, **given)


@pytest.mark.parametrize("name,words", [
    ("array", r"write ag\.Tensor\(a\) for a node, np\.array\(a\) for a plain array"), ("tensor", r"write ag\.Tensor\(a\)"),
    ("scalar", r"write ag\.Scalar\(2\.0\)"), ("zeros", r"NumPy has it, np\.zeros"), ("elementwise_grad", r"write ag\.vmap\(ag\.grad\(f\)\)"),
])  # fmt: skip
def test_names_that_ag_has_not_are_answered(name, words):
    with pytest.raises(AttributeError, match=rf"^module 'ag' has no attribute '{name}': {words}"):
        getattr(ag, name)
    assert name not in dir(ag)


def test_other_names_are_not_guessed():
    for name in ("nonsense", "_private"):
        with pytest.raises(AttributeError, match=f"^module 'ag' has no attribute '{name}'$"):
            getattr(ag, name)


def test_the_modules_of_the_two_faces_can_be_imported_by_name():
    from ag.scalar import Scalar
    from ag.tensor import Tensor

    assert (Scalar, Tensor) == (ag.Scalar, ag.Tensor)


def test_a_model_is_saved_and_loaded_by_functions():
    for ask in (lambda: ag.learn.LinearClassifier.load, lambda: ag.learn.LinearClassifier().load("x")):
        with pytest.raises(AttributeError, match=r"^LinearClassifier has no attribute 'load': write ag\.learn\.load\(path\)"):
            ask()
    with pytest.raises(AttributeError, match=r"write ag\.learn\.save\(model, path\)"):
        ag.learn.LinearClassifier().save("x")


# ---------------------------------------------------------------------- what writes in place


def changed(x, i, v):
    return x.reshape(-1).at[i].set(v).reshape(x.shape)


WRITES = [
    (lambda x: x.sort(), "np.sort(x, axis=-1)", lambda x: np.sort(x, axis=-1)),
    (lambda x: x.partition(1), "np.partition(x, k, axis=-1)", lambda x: np.partition(x, 1, axis=-1)),
    (lambda x: x.fill(3.0), "np.full_like(x, v)", lambda x: np.full_like(x, 3.0)),
    (lambda x: x.put([0, 5], [7.0, 8.0]), "x.reshape(-1).at[i].set(v).reshape(x.shape)", lambda x: changed(x, [0, 5], [7.0, 8.0])),
    (lambda x: x.flat.__setitem__(4, 7.0), "x.reshape(-1).at[i].set(v)", lambda x: changed(x, 4, 7.0)),
    (lambda x: x.resize((3, 2)), "x.reshape(shape)", lambda x: x.reshape((3, 2))),
]  # fmt: skip


@pytest.mark.parametrize("write,words,instead", WRITES)
def test_methods_that_write_in_place_name_what_to_write(write, words, instead):
    """An AttributeError, as programs ask whether there is such a method; and what is advised gives what NumPy's method does."""
    array = np.array([[3.0, 1.0, 2.0], [6.0, 4.0, 5.0]])
    for run in (lambda: write(ag.Tensor(array)), lambda: ag.jit(write)(array), lambda: ag.vmap(write)(array[None])):
        with pytest.raises(AttributeError) as raised:
            run()
        assert f"write {'x = ' if 'flat' not in str(raised.value) else ''}" in str(raised.value)
        assert words in str(raised.value)
    expected = array.copy()
    write(expected)
    for actual in (value_of(instead(ag.Tensor(array))), ag.jit(instead)(array)):
        np.testing.assert_array_equal(actual, expected)
    assert not hasattr(ag.Tensor(array), "sort")
    assert not hasattr(ag.Tensor, "sort")


def test_bytes_and_deletions_are_refused_by_name():
    x = ag.Tensor(np.ones(2), label="x")
    with pytest.raises(AttributeError, match=r"Tensor has no attribute 'tobytes': .* x\.value\.tobytes\(\.\.\.\)"):
        x.tobytes()
    with pytest.raises(TypeError, match=r"del x\[i\] of Tensor .x. of shape \(2,\): a node is a value.*np\.delete\(x, i\)"):
        del x[0]
    assert np.delete(x, 0).value.tolist() == [1.0]


ORDERS = [
    lambda x, order: x.reshape(3, 2, order=order), lambda x, order: x.reshape((6, -1), order=order),
    lambda x, order: np.reshape(x, (-1, 3), order), lambda x, order: np.reshape(x, (2, 1, 3), order=order),
    lambda x, order: x.ravel(order), lambda x, order: x.flatten(order=order), lambda x, order: np.ravel(x, order=order),
]  # fmt: skip


@pytest.mark.parametrize("f", ORDERS)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(2, 3), (6,), (1, 3, 2)])
def test_elements_are_taken_row_by_row_or_column_by_column(f, order, shape):
    array = rng.normal(size=shape)
    expected = f(array, order)
    weights = rng.normal(size=expected.shape)
    np.testing.assert_array_equal(f(ag.Tensor(array), order).value, expected)
    np.testing.assert_array_equal(ag.jit(lambda x: f(x, order))(array), expected)
    # The function is linear, so its gradient is found by its inverse, which NumPy gives for the numbers of the places.
    places = f(np.arange(array.size).reshape(shape), order)
    gradient = np.empty(array.size)
    gradient[places.ravel()] = weights.ravel()
    np.testing.assert_array_equal(ag.grad(lambda x: (f(x, order) * weights).sum())(array), gradient.reshape(shape))


def test_the_order_of_memory_is_none_of_a_nodes():
    with pytest.raises(ValueError, match="order='A' is that of an array's memory.*'C' .row by row. or 'F'"):
        ag.Tensor(np.ones((2, 2))).ravel("A")

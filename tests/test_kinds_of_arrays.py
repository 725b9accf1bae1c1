"""Arrays of every kind, as leaves and as constants: what NumPy code may hand over is computed right, or refused by name."""

import math

import numpy as np
import pytest

import ag
from ag.operators import everything
from ag.operators.rules import FUNCTIONS
from ag.operators.table import COMPOSITES, CONSTANTS, TABLE

everything()
FILLED = np.arange(1.0, 13.0).reshape(3, 4)
READ_ONLY = FILLED.copy()
READ_ONLY.flags.writeable = False
KINDS = {
    "0-d": np.array(2.0), "of one element": np.ones((1, 1)), "empty": np.zeros((0, 3)), "reversed": FILLED[::-1],
    "every second": FILLED[:, ::2], "transposed": FILLED.T, "in the order of Fortran": np.asfortranarray(FILLED),
    "with strides of 0": np.broadcast_to(np.array([1.0, 2.0, 3.0]), (2, 3)), "read-only": READ_ONLY,
    "the other byte order": FILLED.astype(">f8"), "not aligned": np.frombuffer(b"\0" + FILLED.tobytes(), float, offset=1),
    "a number of NumPy": np.float64(2.0),
}  # fmt: skip


@pytest.mark.parametrize("x", KINDS.values(), ids=KINDS)
def test_leaves_and_constants(x):
    """Σ x³ with the gradient 3x², and Σ c · x with the gradient c, in every transform."""
    n = np.size(x)
    cube = lambda x: (x**3).sum()  # noqa: E731
    value, gradient = ag.value_and_grad(cube)(x)
    assert value == np.sum(np.asarray(x) ** 3)
    np.testing.assert_array_equal(gradient, 3 * np.asarray(x) ** 2)
    assert np.shape(gradient) == np.shape(x)
    np.testing.assert_array_equal(ag.grad(lambda t: (x * t).sum())(np.ones(np.shape(x))), x)
    np.testing.assert_array_equal(ag.jvp(cube, (x,), (np.ones(np.shape(x)),))[1], 3 * np.sum(np.asarray(x) ** 2))
    hessian = np.reshape(ag.hessian(cube)(x), (n, n))
    np.testing.assert_array_equal(hessian, np.diag(6 * np.ravel(x)))
    leaf = ag.Tensor(x)
    cube(leaf).backward()
    np.testing.assert_array_equal(leaf.grad, gradient)
    if np.ndim(x) and len(x):
        np.testing.assert_array_equal(ag.vmap(ag.grad(cube))(x), gradient)


@pytest.mark.parametrize("x", [np.array([1.0, 2.0]), np.float32([1.0, 2.0])], ids=["float64", "float32"])
def test_a_number_of_numpy_on_the_left(x):
    """NumPy's numbers, 0-d arrays and arrays ask for the operator of the node on their right."""
    for c in (np.float64(3.0), np.float32(3.0), np.int64(3), np.array(3.0), np.array([3.0, 3.0])):
        for f, derivative in (
            (lambda x: c * x, 3.0), (lambda x: c + x, 1.0), (lambda x: c - x, -1.0), (lambda x: c / x, -3.0 / x**2),  # noqa: B023
            (lambda x: c**x, math.log(3) * 3.0**x),  # noqa: B023
        ):  # fmt: skip
            y = f(ag.Tensor(x))
            assert isinstance(y, ag.Tensor)
            assert y.dtype == f(x).dtype
            gradient = ag.grad(lambda x: f(x).sum())(x)  # noqa: B023
            assert gradient.dtype == x.dtype
            np.testing.assert_allclose(gradient, np.broadcast_to(derivative, 2), rtol=1e-6)
    for compare in (lambda x: np.float64(1.0) < x, lambda x: np.array([1.0, 1.0]) < x):
        np.testing.assert_array_equal(compare(ag.Tensor(x)), [False, True])


class Named(np.ndarray):
    """A subclass that adds nothing."""


FOREIGN = [np.ma.array([1.0, 2.0], mask=[True, False]), np.ones(2).view(Named)]


@pytest.mark.parametrize("other", FOREIGN, ids=lambda x: type(x).__name__)
def test_subclasses_are_refused(other):
    """Their operators mean other things: a masked element would be counted."""
    x = ag.Tensor([1.0, 2.0])
    square = lambda t: (t * t).sum()  # noqa: E731
    for use in (
        lambda: ag.Tensor(other), lambda: x * other, lambda: ag.where(x > 0, x, other), lambda: ag.concat([x, other]),
        lambda: x.at[:].set(other), lambda: x[0] * np.ma.masked if type(other) is np.ma.MaskedArray else x * other,
        lambda: ag.grad(square)(other), lambda: ag.jvp(square, (np.ones(2),), (other,)), lambda: ag.hvp(square, (np.ones(2),), (other,)),
        lambda: ag.linearize(square, np.ones(2))[1](other), lambda: ag.vjp(lambda t: t, np.ones(2))[1](other),
        lambda: (x * x).backward(other), lambda: ag.vmap(lambda t: t)(other), lambda: ag.root(lambda t: t * t - 2, other),
        lambda: ag.minimize(square, other), lambda: ag.check_grads(square, (other,)),
    ):  # fmt: skip
        with pytest.raises(TypeError, match="Masked|Named"):
            use()
    with pytest.raises(TypeError, match=r"can't become a plain array|plain NumPy array"):
        other * x


MASKED = np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False])
MASKED_LABELS = np.ma.array([0, 1, 2], mask=[False, True, False])
MODEL = ag.learn.LinearClassifier(epochs=1, random_state=0).fit(np.eye(3), [0, 1, 2])


@pytest.mark.parametrize("use", [
    lambda: ag.sum(MASKED), lambda: ag.sum([MASKED, MASKED]), lambda: ag.Tensor(np.ones((2, 3))) * [MASKED, MASKED],
    lambda: ag.Tensor([[1.0, 2.0]])[0, MASKED_LABELS], lambda: ag.add(MASKED, 1.0), lambda: ag.exp(MASKED), lambda: ag.dot(MASKED, MASKED),
    lambda: ag.average(np.ones(3), weights=MASKED), lambda: ag.grad(ag.sum)(MASKED), lambda: ag.grad(ag.sum)({"x": [MASKED]}),
    lambda: ag.jacobian(ag.exp)(MASKED), lambda: ag.jit(ag.exp)(MASKED), lambda: ag.jit(lambda x: x * MASKED)(np.ones(3)),
    lambda: ag.jit(lambda x: (x, MASKED))(np.ones(3)), lambda: ag.jit(lambda x: x * [MASKED])(np.ones(3)), lambda: ag.scan(lambda c, x: (c + x, x), 0.0, MASKED),
    lambda: ag.fori_loop(0, 2, lambda i, x: x, MASKED), lambda: ag.while_loop(lambda x: x.sum() < 9, lambda x: 2 * x, MASKED),
    lambda: ag.softmax(MASKED), lambda: ag.Categorical(MASKED), lambda: ag.cross_entropy(MASKED, 0), lambda: ag.cross_entropy(np.eye(3), MASKED_LABELS),
    lambda: ag.accuracy(np.eye(3), MASKED_LABELS), lambda: ag.one_hot(MASKED_LABELS, 3), lambda: ag.squared_error(MASKED, np.ones(3)),
    lambda: MODEL.fit(np.ma.array(np.eye(3)), [0, 1, 2]), lambda: MODEL.fit(np.eye(3), MASKED_LABELS),
    lambda: MODEL.predict(np.ma.array(np.eye(3))), lambda: MODEL.score(np.eye(3), MASKED_LABELS),
    lambda: ag.learn.expected_calibration_error(np.ma.array(np.eye(3)), [0, 1, 2]),
    lambda: ag.learn.confusion_table(MASKED_LABELS, [0, 1, 2], [0, 1, 2]),
])  # fmt: skip
def test_a_masked_array_is_refused_wherever_arrays_enter(use):
    """np.asarray would drop the mask, so the message does not name it."""
    with pytest.raises(TypeError, match=r"got MaskedArray, whose masked elements would be counted: write x\.filled\(v\)") as caught:
        use()
    assert "np.asarray" not in str(caught.value)


def with_masks(args):
    """The arguments with one of the arrays masked, for each of them."""
    for i, x in enumerate(args):
        if isinstance(x, np.ndarray):
            yield (*args[:i], np.ma.array(x, mask=True), *args[i + 1 :])
        elif type(x) in (list, tuple) and any(isinstance(part, np.ndarray) for part in x):
            yield (*args[:i], type(x)([np.ma.array(part) if isinstance(part, np.ndarray) else part for part in x]), *args[i + 1 :])


@pytest.mark.parametrize("name", sorted({**TABLE, **COMPOSITES}))
def test_every_function_refuses_masked_arrays_among_plain_ones(name):
    """A function of plain arrays alone records nothing, and refuses them all the same."""
    for args, params in {**TABLE, **COMPOSITES}[name].samples(np.random.default_rng(0)):
        for given in with_masks(args):
            with pytest.raises(TypeError, match="got MaskedArray"):
                FUNCTIONS[name](*given, **params)


@pytest.mark.parametrize("name", sorted(CONSTANTS))
def test_functions_without_a_derivative_refuse_masked_arrays(name):
    with pytest.raises(TypeError, match="got MaskedArray"):
        FUNCTIONS[name](MASKED)


def test_an_array_in_a_file_is_a_plain_one(tmp_path):
    array = np.memmap(tmp_path / "numbers", float, "w+", shape=(3,))
    array[:] = [1.0, 2.0, 3.0]
    assert ag.sum(array) == 6.0
    np.testing.assert_array_equal(ag.stack([array, [4.0, 5.0, 6.0]]), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    np.testing.assert_array_equal(ag.grad(lambda x: (x * x * array).sum())(array), [2.0, 8.0, 18.0])


@pytest.mark.parametrize("other", [np.array(["1", "2"]), np.array([1, 2], object), np.array([1j, 2.0])], ids=["text", "objects", "complex"])
def test_directions_hold_real_numbers(other):
    square = lambda t: t * t  # noqa: E731
    for use in (
        lambda: ag.jvp(square, (np.ones(2),), (other,)), lambda: ag.linearize(square, np.ones(2))[1](other),
        lambda: ag.vjp(square, np.ones(2))[1](other), lambda: ag.Tensor([1.0, 2.0]).backward(other),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=r"tangent of .* holds real numbers, got dtype|a cotangent holds real numbers, got dtype"):
            use()
    with pytest.raises(TypeError, match="holds complex numbers, got dtype"):
        ag.jvp(ag.exp, (np.array([1j, 2.0]),), (np.array(["1", "2"]),))
    assert ag.jvp(square, (np.ones(2),), (np.array([1, 0]),))[1].tolist() == [2.0, 0.0]  # integers are numbers


def test_a_complex_number_is_not_put_into_a_real_array():
    """NumPy keeps the real part, with a warning."""
    x = ag.Tensor([1.0, 2.0])
    for put in (x.at[0].set, x.at[0].add):
        with pytest.raises(TypeError, match=r"is real, and would keep only the real part of 1j: write ag\.astype\(x, complex\)"):
            put(1j)
    put = lambda x: ag.real(ag.astype(x, complex).at[0].set(1j)).sum()  # noqa: E731
    np.testing.assert_array_equal(ag.grad(put)(np.ones(2)), [0.0, 1.0])


def test_a_comparison_is_plain_and_a_node_is_its_own_key():
    x, y = ag.Tensor([1.0, 2.0]), ag.Tensor([1.0, 3.0])
    np.testing.assert_array_equal(x == y, [True, False])
    assert type(x == y) is np.ndarray
    assert len({x, y, ag.Tensor([1.0, 2.0])}) == 3
    assert {x: "x", y: "y"}[x] == "x"
    assert (ag.Scalar(1.0) == 1.0) is True
    assert hash(x) == hash(x)
    f = lambda t: ag.where(t == 2.0, t * t, 3 * t).sum()  # noqa: E731
    np.testing.assert_array_equal(ag.grad(f)(np.array([2.0, 5.0])), [4.0, 3.0])


def test_a_branch_of_python_is_taken_by_the_value():
    f = lambda x: x * x if x > 1 else 5 * x  # noqa: E731
    assert [ag.grad(f)(2.0), ag.grad(f)(0.5), ag.jvp(f, (2.0,), (1.0,))[1]] == [4.0, 5.0, 4.0]
    with pytest.raises(TypeError, match="inside a transform would cut its gradient"):
        ag.grad(lambda x: x if x else 0.0)(2.0)
    with pytest.raises(ValueError, match=r"truth value"):
        ag.grad(lambda x: x.sum() if x > 1 else 0.0)(np.array([0.0, 2.0]))


# ---------------------------------------------------------------------- nan

PICKS = {
    "max": np.max, "min": np.min, "ptp": np.ptp, "median": np.median, "quantile": lambda x: np.quantile(x, 0.5), "clip": lambda x: np.clip(x, 0.0, 1.0),
    "maximum": lambda x: np.maximum(x, 2.0), "minimum": lambda x: np.minimum(2.0, x), "relu": lambda x: ag.relu(x),
    "largest norm": lambda x: np.linalg.norm(x, np.inf), "running maximum": lambda x: np.maximum.accumulate(x),
}  # fmt: skip


@pytest.mark.parametrize("differentiate", [ag.grad, ag.jacfwd])
@pytest.mark.parametrize("pick", PICKS.values(), ids=PICKS)
def test_a_nan_that_is_picked_is_never_passed_over(pick, differentiate):
    """NumPy's answer is nan; a gradient of 0 would say that all is well."""
    x = np.array([1.0, np.nan, 3.0])
    for y in (pick(x), pick(ag.Tensor(x)).value):
        assert np.isnan(y).any()
    gradient = differentiate(lambda x: (pick(x) * x).sum())(x)
    assert np.isnan(gradient[1])


def test_of_a_scalar_too():
    for f in (lambda x: ag.maximum(x, 2.0), lambda x: ag.minimum(2.0, x), ag.relu, lambda x: ag.clip(x, 0.0, 1.0), lambda x: ag.max(x)):
        assert math.isnan(ag.grad(f)(math.nan))
        assert math.isnan(ag.jvp(f, (math.nan,), (1.0,))[1])


def test_running_extremes_of_nan():
    """From a nan on all is nan, as NumPy has it."""
    x = np.array([[1.0, np.nan, 3.0], [2.0, 1.0, np.nan]])
    for ufunc in (np.maximum, np.minimum):
        for axis in (0, 1):
            np.testing.assert_array_equal(ufunc.accumulate(ag.Tensor(x), axis).value, ufunc.accumulate(x, axis))

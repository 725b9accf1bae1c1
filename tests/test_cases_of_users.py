"""Cases that users of other libraries reported as wrong, silent or hard to understand, each with its true answer."""

import math
import re

import numpy as np
import pytest
import scipy.special

import ag


def test_where_with_a_square_root_of_a_negative_number():
    """Torch, JAX, HIPS autograd, MyGrad and Advect give nan for the first element."""
    with np.errstate(invalid="ignore"):
        gradient = ag.grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), x)))(np.array([-1.0, 4.0]))
    np.testing.assert_array_equal(gradient, [1.0, 0.25])


@pytest.mark.parametrize("x", [0.0, np.array(0.0), np.float32(0.0)])
def test_square_root_at_0_is_infinitely_steep(x):
    assert ag.grad(np.sqrt)(x) == ag.grad(ag.sqrt)(x) == math.inf


@pytest.mark.parametrize("norm", [ag.norm, np.linalg.norm, np.linalg.vector_norm, lambda x: ag.hypot(x[0], x[1])])
def test_norm_at_0_has_the_subgradient_0(norm):
    np.testing.assert_array_equal(ag.grad(norm)(np.zeros(2)), [0.0, 0.0])
    np.testing.assert_array_equal(ag.jvp(norm, (np.zeros(2),), (np.ones(2),))[1], 0.0)
    np.testing.assert_allclose(ag.grad(norm)(np.array([3.0, 4.0])), [0.6, 0.8])


def test_square_root_of_a_sum_of_squares_at_0_is_nan_by_ieee():
    """∞ · 0: written out it follows IEEE; `ag.norm` says what is meant."""
    assert np.isnan(ag.grad(lambda x: np.sqrt(np.sum(x**2)))(np.zeros(2))).all()


def test_x_log_x_at_0():
    """log x + 1 → -∞; the written-out product is 0 · ∞ in the second term, nan by IEEE."""
    with np.errstate(all="ignore"):
        assert math.isnan(ag.grad(lambda x: x * ag.log(x))(0.0))
    assert ag.grad(lambda x: ag.xlogy(x, x))(0.0) == -math.inf
    assert ag.grad(lambda x: ag.xlogy(x, x))(2.0) == pytest.approx(math.log(2) + 1, rel=1e-15)


@pytest.mark.parametrize("log_probability", [
    lambda z: ag.log(ag.softmax(z))[0], lambda z: np.log(ag.softmax(z))[0], lambda z: ag.log_softmax(z)[0],
    lambda z: -ag.cross_entropy(z, 0), lambda z: z[0] - ag.logsumexp(z),
])  # fmt: skip
def test_log_of_a_softmax_of_large_differences(log_probability):
    """Naively log 0 = -∞ and a gradient of nan; exactly -1000 and (1 - p₀, -p₁) = (1, -1)."""
    value, gradient = ag.value_and_grad(log_probability)(np.array([-1000.0, 0.0]))
    assert value == -1000.0
    np.testing.assert_array_equal(gradient, [1.0, -1.0])


@pytest.mark.parametrize("largest", [np.max, ag.max, lambda x: x.max(), lambda x: np.maximum(x[0], x[1])])
def test_ties_of_max_share_equally(largest):
    np.testing.assert_array_equal(ag.grad(largest)(np.array([3.0, 3.0])), [0.5, 0.5])


def test_a_constant_changed_after_its_use():
    """HIPS autograd and Advect return [100, 100], as does torch with from_numpy."""
    c = np.ones(2)

    def f(x):
        y = (x * c).sum()
        c[:] = 100.0
        return y

    np.testing.assert_array_equal(ag.grad(f)(np.ones(2)), [1.0, 1.0])


def test_a_large_constant_changed_after_its_use_fails_at_that_line():
    c = np.ones(20_000)

    def f(x):
        y = (x * c).sum()
        c[:] = 100.0
        return y

    with pytest.raises(ValueError, match="read-only") as caught:
        ag.grad(f)(np.ones(20_000))
    assert str(caught.traceback[-1].statement).strip() == "c[:] = 100.0"
    del caught
    c[:] = 1.0


@pytest.mark.parametrize("f", [
    lambda x: x**2, lambda x: (x * x).sum(), lambda x: x - 1, lambda x: -x, lambda x: x.sum(), lambda x: ag.sum(x),
])  # fmt: skip
def test_a_list_is_a_container_and_no_array(f):
    """The error of Python has a last line that says so."""
    for transform in (ag.grad, ag.jacobian, lambda f: lambda x: ag.minimize(f, x), lambda f: lambda x: ag.vjp(f, x)):
        for given in ([1.0, 2.0], (1.0, 2.0)):
            with pytest.raises((TypeError, AttributeError)) as caught:
                transform(f)(given)
            (note,) = caught.value.__notes__
            assert re.fullmatch(rf"The argument is a {type(given).__name__}, which ag\.\w+ takes for a container of 2 numbers: give np\.array\(x\) .*", note)


def test_other_errors_say_nothing_of_lists():
    def f(x):
        raise TypeError("this is about something else")

    for x in ([1.0, 2.0], np.ones(2)):
        with pytest.raises(TypeError, match="something else") as caught:
            ag.grad(f)(x)
        assert not hasattr(caught.value, "__notes__")
    assert ag.grad(lambda x: x[0] * x[1])([2.0, 3.0]) == [3.0, 2.0]


def test_writing_an_element_into_a_plain_array():
    """NumPy says "setting an array element with a sequence."; what to write is the last line of the error."""

    def f(x):
        y = np.zeros(2)
        y[0] = x[0]
        return y.sum()

    x = np.array([1.0, 2.0])
    for run, words in (
        (lambda: ag.grad(f)(x), "inside a transform would cut its gradient"),
        (lambda: ag.grad(lambda x: ag.grad(f)(x).sum())(x), "inside a transform would cut its gradient"),
        (lambda: ag.jacobian(f)(x), "inside a transform would cut its gradient"),
        (lambda: ag.jit(f)(x), "The float that y[0] asks for is not known"),
        (lambda: ag.vmap(f)(np.ones((2, 2))), "under ag.vmap has no one answer"),
    ):
        with pytest.raises(ValueError, match="with a sequence") as caught:
            run()
        (note,) = caught.value.__notes__
        assert words in note and "build the array from nodes, ag.stack([x, y]), or make a new one, ag.Tensor(a).at[index].set(x)" in note
    np.testing.assert_array_equal(ag.grad(lambda x: ag.stack([x[0], 0.0]).sum())(np.array([1.0, 2.0])), [1.0, 0.0])


def test_writing_an_element_of_a_result():
    def f(x):
        y = x * 1
        y[0] = 5
        return y.sum()

    with pytest.raises(TypeError, match=r"made by multiply \(.*test_cases_of_users.py:\d+\).*x\.at\[index\]\.set"):
        ag.grad(f)(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(ag.grad(lambda x: (x * 1).at[0].set(5).sum())(np.array([1.0, 2.0])), [0.0, 1.0])


@pytest.mark.parametrize("x", [3, np.array([1, 2]), np.int32(3)])
def test_integer_input(x):
    """MyGrad returns None and Advect an integer gradient."""
    with pytest.raises(TypeError, match=r"only floats have derivatives: write x\.astype\(float\)"):
        ag.grad(lambda x: (x * x).sum())(x)


@pytest.mark.parametrize("index", [3, -4, (slice(None), 0), np.array([0, 3]), [0, 1, 5]])
def test_an_index_out_of_range_is_not_clamped(index):
    """JAX returns the last element."""
    with pytest.raises(IndexError, match=r"shape \(3,\).*(out of bounds|too many indices)"):
        ag.grad(lambda x: x[index].sum())(np.arange(3.0))


@pytest.mark.parametrize("sine", [np.sin, ag.sin])
def test_numpys_own_functions(sine):
    assert ag.grad(sine)(0.5) == math.cos(0.5)
    np.testing.assert_allclose(ag.grad(lambda x: sine(x).sum())(np.array([0.5])), [math.cos(0.5)], rtol=1e-15)


def test_mathematics_of_the_standard_library_would_cut_the_gradient():
    with pytest.raises(TypeError, match=r"ag\.sin\(x\), not math\.sin\(x\)"):
        ag.grad(lambda x: math.sin(x))(0.5)


def test_flip_and_cumprod():
    """NotImplementedError in HIPS autograd. Σₖ wₖ ∏_{j≤k} xⱼ, differentiated by hand, also at a zero."""
    x, w = np.array([2.0, 3.0, 5.0]), np.array([1.0, 10.0, 100.0])
    np.testing.assert_array_equal(ag.grad(lambda x: np.sum(np.flip(x) * w))(x), w[::-1])
    for a, b, c in (x, [2.0, 0.0, 5.0]):
        expected = [1 + 10 * b + 100 * b * c, 10 * a + 100 * a * c, 100 * a * b]
        np.testing.assert_allclose(ag.grad(lambda x: np.sum(np.cumprod(x) * w))(np.array([a, b, c])), expected, rtol=1e-15)


def test_a_column_minus_a_vector():
    """(N, 1) - (N,) makes N² differences without a word; a loss refuses it, the raw expression follows NumPy."""
    column, vector = ag.Tensor(np.ones((3, 1))), np.ones(3)
    with pytest.raises(ValueError, match=r"\(3, 1\), the target \(3,\): they must be equal; reshape"):
        ag.squared_error(column, vector)
    assert (column - vector).shape == (3, 3)
    (column - vector).sum().backward()
    np.testing.assert_array_equal(column.grad, np.full((3, 1), 3.0))


@pytest.mark.parametrize("depth", [1_200, 20_000])
def test_deep_chains(depth):
    """micrograd meets the recursion limit at 1 200. (A chain of a million is built in the tests of the graph.)"""
    x = y = ag.Scalar(1.0)
    for _ in range(depth):
        y = y + 1.0
    y.backward()
    assert y.value == depth + 1.0 and x.grad == 1.0


def test_backward_twice():
    """x² + x at 3: micrograd gives 7, then 20."""
    x = ag.Scalar(3.0)
    y = x * x + x
    for _ in range(3):
        y.backward()
        assert x.grad == 7.0


# ---------------------------------------------------------------------- labels, targets and losses

Z = np.array([[0.5, -1.0, 2.0], [1.0, 1.5, -0.5]])
EXPECTED = -scipy.special.log_softmax(Z, axis=1)[[0, 1], [2, 1]].mean()


@pytest.mark.parametrize("dtype", [int, np.int8, np.uint8, np.int32, np.uint64])
def test_labels_of_every_integer_type(dtype):
    assert ag.cross_entropy(Z, np.array([2, 1], dtype)) == pytest.approx(EXPECTED, rel=1e-15)


def test_labels_as_one_hot_rows():
    assert ag.cross_entropy(Z, np.eye(3)[[2, 1]], probabilities=True) == pytest.approx(EXPECTED, rel=1e-15)
    for rows in (np.eye(3, dtype=int)[[2, 1]], np.eye(3)[[2, 1]]):
        with pytest.raises(ValueError, match=r"one-hot rows.*y\.argmax\(axis=-1\), or probabilities=True"):
            ag.cross_entropy(Z, rows)


@pytest.mark.parametrize("loss", [ag.cross_entropy, ag.negative_log_likelihood, ag.accuracy, ag.jit(ag.cross_entropy)])
def test_logits_and_labels_that_are_swapped(loss):
    labels = np.array([2, 1])
    for swapped in ((labels, Z), (2, Z[0]), (labels, Z.astype(np.float32))):
        with pytest.raises(TypeError, match=r"they look swapped, write (cross_entropy|accuracy)\(z, y\), the logits first"):
            loss(*swapped)
    with pytest.raises(TypeError, match="they look swapped"):
        loss(labels, ag.Tensor(Z))


def test_lists_that_are_swapped():
    with pytest.raises(TypeError, match="they look swapped"):
        ag.cross_entropy([2, 1], Z.tolist())


@pytest.mark.parametrize("labels,error,advice", [
    (np.array([2.0, 1.0]), TypeError, r"dtype float64, but integers are expected: write y\.astype\(int\)"),
    (np.array([3, 1]), ValueError, r"run from 1 to 3, .* stand for the labels 0 to 2: pass y - 1"),
    (np.array([[2], [1]]), ValueError, r"column of shape \(2, 1\): write y\[:, 0\]"),
    (np.array(["cat", "dog"]), TypeError, r"np\.unique\(y, return_inverse=True\) numbers them"),
    (np.array([2, -1]), ValueError, r"label -1 at position 1 is out of range"),
])  # fmt: skip
def test_mistaken_labels_are_named(labels, error, advice):
    with pytest.raises(error, match=advice):
        ag.cross_entropy(Z, labels)


def test_targets_that_sum_to_15():
    """Accepted elsewhere without a complaint."""
    with pytest.raises(ValueError, match=r"a row sums to 15: divide by y\.sum\(axis=-1, keepdims=True\)"):
        ag.cross_entropy(Z, np.full((2, 3), 5.0), probabilities=True)


def test_probabilities_in_place_of_logits():
    """Elsewhere the loss is 0.658 in place of 0.170 and says nothing."""
    with pytest.warns(UserWarning, match=r"softmax would be applied twice, and the loss could never fall below 0\.551"):
        ag.cross_entropy(np.array([[0.1, 0.8, 0.1]]), [1])


# ---------------------------------------------------------------------- ordinary NumPy expressions

A = np.array([[2.0, 0.5, 0.1], [0.3, 3.0, 0.2], [0.4, 0.6, 4.0]])
EXPRESSIONS = {
    "exp of dot": lambda x: np.exp(np.dot(A, x)).sum(),
    "concatenate": lambda x: (np.concatenate([x, 2 * x]) ** 2).sum(),
    "where": lambda x: np.where(x > 1, x**2, 3 * x).sum(),
    "stack": lambda x: (np.stack([x, x**2], axis=1) @ np.array([1.0, 2.0])).sum(),
    "clip": lambda x: np.clip(x, 0.6, 1.4).sum(),
    "cumsum": lambda x: (np.cumsum(x) ** 2).sum(),
    "dot": lambda x: np.dot(x, np.dot(A, x)),
    "diag": lambda x: (np.diag(x) @ A).sum(),
    "outer": lambda x: (np.outer(x, x) * A).sum(),
    "pad": lambda x: (np.pad(x, 1) * np.arange(5.0)).sum(),
    "softmax": lambda x: (np.exp(x) / np.sum(np.exp(x)))[0],
    "einsum": lambda x: np.einsum("i,ij,j->", x, A, x),
    "broadcast": lambda x: (x[:, None] * x[None, :] * A).sum(),
    "sort": lambda x: (np.sort(x) * np.arange(3.0)).sum(),
    "var": lambda x: np.var(x) + np.mean(x) + np.prod(x),
    "norm": lambda x: np.linalg.norm(A @ x),
    "array on the left": lambda x: (A @ x + A * x - A / x).sum(),
    "transpose, reshape": lambda x: (np.transpose(np.reshape(x, (3, 1))) @ A).sum(),
}  # fmt: skip


@pytest.mark.parametrize("f", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_plain_numpy_code(f):
    """The code runs as it stands on arrays, and its gradient is that of central differences."""
    x, h = np.array([0.5, 1.2, 1.7]), 1e-5
    expected = [(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(3)]
    value, gradient = ag.value_and_grad(f)(x)
    assert value == pytest.approx(f(x), rel=1e-15)
    np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-8)

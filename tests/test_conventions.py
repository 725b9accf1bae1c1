"""Each convention that mathematics or NumPy leaves open, decided once and held here."""

import copy
import gc
import math
import pickle
import warnings

import mpmath
import numpy as np
import pytest
import scipy.special

import ag
from ag.node import Node


def forward(f):
    """x ↦ f'(x) by forward mode."""
    return lambda x: ag.jvp(f, (x,), (np.ones(np.shape(x))[()] if np.shape(x) else 1.0,))[1]


DERIVATIVES = [pytest.param(ag.grad, id="reverse"), pytest.param(forward, id="forward")]


def partials(f, *args):
    """All partial derivatives of a function of numbers, after both modes and both faces have agreed on them."""
    reverse = ag.grad(f, tuple(range(len(args))))(*args)
    nodes = [ag.Tensor(x) for x in args]
    f(*nodes).backward()
    for i, expected in enumerate(reverse):
        tangents = tuple(float(i == j) for j in range(len(args)))
        np.testing.assert_array_equal(ag.jvp(f, args, tangents)[1], expected)
        np.testing.assert_array_equal(nodes[i].grad, expected)
    return reverse


# ---------------------------------------------------------------------- dtypes

SINGLE = np.arange(1, 4, dtype=np.float32)
OTHERS = {
    "float": 2.0, "int": 2, "bool": True, "float32": np.float32(2), "float64": np.float64(2), "float16": np.float16(2),
    "array32": np.ones(3, np.float32), "array64": np.ones(3), "array int": np.ones(3, int), "array bool": np.ones(3, bool),
}  # fmt: skip


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("f", [np.add, np.multiply, np.divide, np.maximum, np.arctan2], ids=lambda f: f.__name__)
def test_dtypes_follow_numpy(f, other):
    """Promotion is NumPy's (NEP 50), on either side, and a gradient has its value's dtype all the same."""
    x = ag.Tensor(SINGLE)
    for y, expected in ((f(x, other), f(SINGLE, other)), (f(other, x), f(other, SINGLE))):
        assert y.dtype == expected.dtype
        np.testing.assert_array_equal(y.value, expected)
        y.sum().backward()
        assert x.grad.dtype == np.float32


def test_a_scalar_is_weak_as_a_python_float_is():
    s, x = ag.Scalar(2.0), ag.Tensor(SINGLE)
    for y in (x + s, s + x, x**s, s**x, ag.maximum(x, s), np.where(x > 1, x, s), SINGLE * s, s * SINGLE, np.float32(1) + s):
        assert y.dtype == np.float32
    (x * s).sum().backward()
    assert x.grad.dtype == np.float32
    assert type(s.grad) is float and s.grad == 6.0


def test_faces_of_results():
    s = ag.Scalar(2.0)
    assert type(s * s) is type(s + 1) is type(s * np.float64(3)) is ag.Scalar
    assert type(s * ag.Tensor(1.0)) is type(s * np.ones(2)) is ag.Tensor
    assert type((s * 3).value) is float


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_gradient_has_its_values_dtype(dtype):
    x = np.array([0.5, 1.5], dtype)
    assert ag.grad(lambda x: (ag.exp(x) * np.ones(2)).sum())(x).dtype == dtype
    assert ag.grad(lambda x: ag.cross_entropy(x, 0))(x).dtype == dtype
    assert ag.jvp(lambda x: x * x, (x,), (x,))[1].dtype == dtype
    assert ag.grad(lambda x: ag.astype(x, np.float64).sum())(x).dtype == dtype


@pytest.mark.parametrize(
    "differentiate",
    [
        lambda: ag.grad(lambda x: x * x)(3),
        lambda: ag.grad(lambda x: x * x)(True),
        lambda: ag.grad(lambda x: x * x)(np.int64(3)),
        lambda: ag.value_and_grad(lambda x: (x * x).sum())(np.array([1, 2])),
        lambda: ag.grad(lambda d: d["a"][0])({"a": [3]}),
        lambda: ag.grad(lambda x: x * x)(ag.Tensor(3)),
        lambda: ag.vjp(lambda x: x * x, 3),
        lambda: ag.jvp(lambda x: x * x, (3,), (1.0,)),
        lambda: ag.Tensor([1, 2]).sum().backward(),
        lambda: (ag.Tensor([1, 2]) * ag.Tensor([1.0, 2.0])).sum().backward(),
        lambda: (ag.Tensor([True, False]) * 2.0).sum().backward(),
    ],
)
def test_differentiating_an_integer_says_what_to_write(differentiate):
    with pytest.raises(TypeError, match=r"only floats have derivatives.*astype\(float\)"):
        differentiate()


def test_an_integer_beside_a_float_is_a_constant_like_any_other():
    assert ag.grad(lambda x, n: x * n)(2.0, 3) == 3.0
    np.testing.assert_array_equal(ag.grad(lambda x: (x * np.array([1, 2])).sum())(np.ones(2)), [1.0, 2.0])


@pytest.mark.parametrize("f,expected", [
    (ag.sum, 1.0), (ag.mean, 1.0), (ag.prod, 1.0), (ag.max, 1.0), (ag.min, 1.0), (ag.norm, -1.0), (ag.logsumexp, 1.0),
    (ag.var, 0.0), (ag.std, 0.0), (lambda x: ag.cumsum(x)[0], 1.0), (lambda x: ag.cumprod(x)[0], 1.0),
    (lambda x: ag.reshape(x, (1, 1))[0, 0], 1.0), (lambda x: ag.broadcast_to(x, (3,)).sum(), 3.0), (lambda x: x.T, 1.0),
    (lambda x: ag.tile(x, 3).sum(), 3.0), (lambda x: ag.dot(x, x), -4.0), (lambda x: ag.einsum(",->", x, x), -4.0),
])  # fmt: skip
def test_reductions_and_the_like_of_a_scalar(f, expected):
    """A Scalar is an array of shape () to them, in both modes."""
    assert partials(f, -2.0) == (expected,)
    assert type(ag.grad(f)(-2.0)) is float
    x = ag.Scalar(-2.0)
    f(x).backward()
    assert x.grad == expected and type(x.grad) is float


# ---------------------------------------------------------------------- IEEE


@pytest.mark.parametrize(
    "f,x",
    [
        (ag.log, 0.0), (ag.log, -1.0), (ag.sqrt, -1.0), (ag.exp, 1e3), (ag.atanh, 1.0), (ag.acosh, 0.5), (ag.asin, 2.0),
        (ag.log1p, -1.0), (ag.reciprocal, 0.0), (lambda x: x / 0.0, 1.0), (lambda x: 0.0 / x, 0.0), (lambda x: x**0.5, -1.0),
        (lambda x: x**-1, 0.0), (lambda x: x % 0.0, 1.0), (lambda x: x // 0.0, 1.0), (ag.cosh, 1e3), (ag.sin, math.inf),
    ],
)  # fmt: skip
def test_scalars_never_raise_where_arrays_do_not(f, x):
    with np.errstate(all="ignore"):
        expected = f(np.array([x]))[0]
        y = f(ag.Scalar(x))
        np.testing.assert_array_equal(y.value, expected)
        assert type(y.value) is float
        y.backward()


def test_forward_keeps_the_error_state_and_derivatives_are_silent():
    x = ag.Tensor([0.0])
    for make in (lambda: ag.log(x), lambda: ag.log(ag.Scalar(0.0)), lambda: 1.0 / x, lambda: 1.0 / ag.Scalar(0.0)):
        with np.errstate(all="raise"), pytest.raises(FloatingPointError):
            make()
        with np.errstate(all="warn"), pytest.warns(RuntimeWarning, match="divide by zero"):
            make()
    with np.errstate(all="raise"):  # √ is fine at 0, its derivative is not
        y = ag.sqrt(x)
        y.sum().backward()
        assert x.grad == math.inf
        assert ag.grad(ag.sqrt)(0.0) == forward(ag.sqrt)(0.0) == math.inf
        assert ag.grad(ag.grad(ag.sqrt))(0.0) == -math.inf
        y.grad = np.ones(1)
        y._backward()
    with np.errstate(divide="raise"):
        ag.grad(ag.sqrt)(0.0)
        assert np.geterr()["divide"] == "raise"


# ---------------------------------------------------------------------- kinks and singular points


def test_kinks():
    assert partials(ag.relu, 0.0) == (0.0,)
    assert partials(abs, 0.0) == (0.0,)
    assert partials(ag.maximum, 1.0, 1.0) == (0.5, 0.5)
    assert partials(ag.minimum, 1.0, 1.0) == (0.5, 0.5)
    assert partials(ag.hypot, 0.0, 0.0) == (0.0, 0.0)
    assert partials(ag.atan2, 0.0, 0.0) == (0.0, 0.0)
    assert partials(lambda x: ag.clip(x, 0.0, 1.0), 0.0) == (1.0,)
    assert partials(ag.sign, 0.0) == (0.0,)
    assert partials(lambda x: x**0, 0.0) == (0.0,)


@pytest.mark.parametrize("derivative", DERIVATIVES)
def test_kinks_of_reductions(derivative):
    def of_sum(f):
        return derivative(lambda t: f(ag.stack([t, t, t * 0.0])))(0.0)

    assert of_sum(ag.norm) == of_sum(np.linalg.norm) == of_sum(ag.std) == 0.0
    np.testing.assert_array_equal(ag.grad(ag.norm)(np.zeros(2)), [0, 0])
    np.testing.assert_array_equal(ag.grad(ag.std)(np.ones(2)), [0, 0])
    np.testing.assert_array_equal(ag.grad(ag.max)(np.array([1.0, 3.0, 3.0, 2.0])), [0, 0.5, 0.5, 0])
    np.testing.assert_array_equal(ag.grad(ag.min)(np.array([1.0, 1.0, 1.0, 2.0])), [1 / 3, 1 / 3, 1 / 3, 0])


def test_singular_points_follow_ieee():
    """√ of a sum of squares and x log x are nan at 0; norm and xlogy say what is meant there."""
    with np.errstate(all="ignore"):
        assert np.isnan(ag.grad(lambda x: ag.sqrt((x**2).sum()))(np.zeros(2))).all()
        assert math.isnan(ag.grad(lambda x: x * ag.log(x))(0.0))
    assert ag.grad(lambda x: ag.xlogy(x, x))(0.0) == -math.inf
    assert ag.grad(ag.xlogy, (0, 1))(0.0, 3.0) == (math.log(3), 0.0)


# ---------------------------------------------------------------------- branches not taken

WHERES = [
    pytest.param(lambda x: np.where(x > 0, np.sqrt(x), x), id="np.where"),
    pytest.param(lambda x: ag.where(x > 0, ag.sqrt(x), x), id="ag.where"),
    pytest.param(lambda x: ag.where(x <= 0, x, ag.sqrt(x)), id="swapped"),
    pytest.param(lambda x: ag.stack([ag.sqrt(x), x])[1], id="index"),
    pytest.param(lambda x: x.at[()].set(x) if not isinstance(x, ag.Scalar) else ag.where(True, x, ag.log(x)), id="set"),
]


@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize("f", WHERES)
def test_the_branch_not_taken_contributes_nothing(f, derivative):
    with np.errstate(all="ignore"):
        assert derivative(f)(-1.0) == 1.0
        assert derivative(f)(np.array(-1.0)) == 1.0
        x = ag.Scalar(-1.0)
        f(x).backward()
        assert x.grad == 1.0


def test_the_branch_not_taken_in_arrays_and_at_every_order():
    """d/dx and d²/dx² of √x (x > 0) and x (else), beside a branch whose derivatives are inf and nan."""

    def f(x):
        return np.where(x > 0, np.sqrt(x), x).sum()

    x = np.array([-1.0, 0.0, 4.0])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(ag.grad(f)(x), [1.0, 1.0, 0.25])
        np.testing.assert_array_equal(ag.grad(lambda x: ag.grad(f)(x).sum())(x), [0.0, 0.0, -1 / 32])
        np.testing.assert_array_equal(ag.jvp(ag.grad(f), (x,), (np.ones(3),))[1], [0.0, 0.0, -1 / 32])
        for t in np.eye(3):
            assert ag.jvp(f, (x,), (t,))[1] == ag.grad(f)(x) @ t


@pytest.mark.parametrize("derivative", DERIVATIVES)
def test_an_element_not_selected_contributes_nothing(derivative):
    """log x has an infinite derivative at 0; the element 0 is never chosen."""

    def logs(t):
        return ag.log(ag.stack([t, t + 2.0]))

    with np.errstate(all="ignore"):
        for f in (
            lambda t: logs(t)[1], lambda t: logs(t).max(), lambda t: ag.maximum(logs(t)[0], logs(t)[1]),
            lambda t: ag.clip(logs(t), -5.0, None).sum(), lambda t: ag.relu(logs(t)).sum(),
            lambda t: logs(t).at[0].set(0.0).sum(), lambda t: ag.take(logs(t), [1]).sum(),
            lambda t: -ag.min(-logs(t)), lambda t: ag.sort(logs(t))[-1],
        ):  # fmt: skip
            assert derivative(f)(0.0) == 0.5


@pytest.mark.parametrize("condition", [[3, 0], [2.5, 0.0], [-1.0, 0.0], [math.nan, 0.0], [True, False], [np.uint8(200), np.uint8(0)]])
def test_a_condition_that_is_a_number_chooses_and_does_not_scale(condition):
    """NumPy takes all but 0 for true."""
    condition = np.array(condition)
    x = np.array([5.0, 7.0])
    np.testing.assert_array_equal(ag.grad(lambda x: np.where(condition, x, -x).sum())(x), [1.0, -1.0])
    np.testing.assert_array_equal(ag.jvp(lambda x: ag.where(condition, x, -x), (x,), (np.ones(2),))[1], [1.0, -1.0])
    np.testing.assert_array_equal(ag.grad(lambda x: ag.where(ag.Tensor(condition), x, -x).sum())(ag.Tensor(x)).value, [1.0, -1.0])
    for c, expected in zip(condition.tolist(), (1.0, -1.0), strict=True):
        assert partials(lambda x, c=c: ag.where(c, x, -x), 5.0) == (expected,)
    assert ag.grad(lambda x: ag.where(x, x, 0.0))(3.0) == 1.0


def test_an_integer_that_is_chosen_becomes_a_float():
    for f in (
        lambda x: ag.where(x > 0, 1, x), lambda x: ag.where(x > 0, True, x), lambda x: ag.maximum(x, 5), lambda x: ag.maximum(5, x),
        lambda x: ag.minimum(x, 1), lambda x: ag.clip(x, 0, 1), lambda x: np.clip(x, 4, 5),
    ):  # fmt: skip
        y = f(ag.Scalar(2.0))
        assert type(y.value) is float
        y.backward()
        assert partials(f, 2.0) == (0.0,)


W = np.array([[1.0, -2.0], [0.5, 3.0], [2.0, 1.0]])
NODE = ag.Scalar(0.0)  # plain arrays have no .at
ROW_BY_ROW = {
    "sum": lambda s: s.sum(axis=-1), "mean": lambda s: ag.mean(s, axis=1), "prod": lambda s: ag.prod(s, axis=1),
    "max": lambda s: s.max(axis=1), "min": lambda s: s.min(axis=1), "norm": lambda s: ag.norm(s, axis=1),
    "var": lambda s: ag.var(s, axis=1), "std": lambda s: ag.std(s, axis=1), "logsumexp": lambda s: ag.logsumexp(s, axis=1),
    "cumsum": lambda s: ag.cumsum(s, axis=1), "cumprod": lambda s: ag.cumprod(s, axis=1), "softmax": lambda s: ag.softmax(s)[:, :2],
    "log_softmax": ag.log_softmax, "cross_entropy": lambda s: ag.cross_entropy(s, [0, 1], reduction="none"),
    "flip": lambda s: ag.flip(s, axis=1) * W.T, "sort": lambda s: ag.sort(s, axis=1) * W.T, "matmul": lambda s: s @ W,
    "einsum": lambda s: ag.einsum("ij,jk->ik", s, W), "product": lambda s: s * s, "quotient": lambda s: 1 / s,
    "concat": lambda s: ag.concat([s, s * s], axis=1), "stack": lambda s: ag.stack([s, s * s], axis=1), "relu": ag.relu,
    "pad": lambda s: ag.pad(s, ((0, 0), (1, 2))), "roll": lambda s: ag.roll(s, 1, 1) * W.T, "repeat": lambda s: ag.repeat(s, 2, 1),
    "tile": lambda s: ag.tile(s, (1, 2)), "clip": lambda s: ag.clip(s, 0.1, 1.3), "where": lambda s: ag.where(W.T > 0, s, s * s),
    "take_along_axis": lambda s: ag.take_along_axis(s, np.array([[2, 0], [1, 1]]), 1), "reshape": lambda s: s.reshape(2, 3, 1) * W,
    "transpose": lambda s: (s.T * W).T, "broadcast": lambda s: (s + ag.sum(s, axis=1, keepdims=True)) * W.T,
    "outer": lambda s: s[:, :, None] * s[:, None, :], "maximum": lambda s: ag.maximum(s, 1.2), "xlogy": lambda s: ag.xlogy(s, s),
    "set": lambda s: (s + NODE).at[:, 1].set(2.0), "add": lambda s: (s + NODE).at[:, [0, 0]].add(s[:, 1:]),
    "pow": lambda s: s**1.5, "hypot": lambda s: ag.hypot(s, W.T),
    "batch of products": lambda s: s[:, None, :] @ s[:, :, None], "vecdot": lambda s: ag.vecdot(s, s * 2.0),
}  # fmt: skip


@pytest.mark.parametrize("bad", [-1.0, 0.0], ids=["nan", "inf"])
@pytest.mark.parametrize("row", ROW_BY_ROW.values(), ids=ROW_BY_ROW)
def test_what_can_not_depend_stays_0_through_every_kind_of_row(row, bad):
    """√ in two rows, of which the first has no derivative; only the second is selected. The oracle: differences there."""
    good = np.array([0.7, 1.9, 1.1])
    x = np.stack([np.full(3, bad), good])

    def f(x):
        return (row(ag.sqrt(x))[1] ** 2).sum()

    h = 1e-5
    with np.errstate(all="ignore"):
        steps = [[f(np.stack([good, good + h * e])) for h in (h, -h)] for e in np.eye(3)]
        expected = [float(up - down) / (2 * h) for up, down in steps]
        gradient = getattr(ag.grad(f)(x), "value", ag.grad(f)(x))
        np.testing.assert_array_equal(gradient[0], [0.0, 0.0, 0.0])
        np.testing.assert_allclose(gradient[1], expected, rtol=1e-7, atol=1e-8)
        for i in np.ndindex(2, 3):
            t = np.zeros((2, 3))
            t[i] = 1.0
            tangent = ag.jvp(f, (x,), (t,))[1]
            np.testing.assert_allclose(getattr(tangent, "value", tangent), gradient[i], rtol=1e-12, atol=1e-14)
        recorded = ag.grad(f)(ag.Tensor(x))
        np.testing.assert_allclose(recorded.value, gradient, rtol=1e-14)


def test_a_cotangent_that_happens_to_be_0_follows_ieee():
    """exp(log x) at 0 is 0 · inf: nan, or 1 by algebra; never a silent 0."""
    with np.errstate(all="ignore"):
        for derivative in (ag.grad, forward):
            d = derivative(lambda x: ag.exp(ag.log(x)))(0.0)
            assert math.isnan(d) or d == 1.0
            d = derivative(lambda x: ag.exp(ag.log(x)) + ag.where(x > -1, x, 0.0))(0.0)  # a selecting row elsewhere
            assert math.isnan(d) or d == 2.0


@pytest.mark.parametrize("inner", DERIVATIVES)
@pytest.mark.parametrize("outer", DERIVATIVES)
def test_a_derivative_of_0_is_still_differentiated(outer, inner):
    """f = ½(eˣ - 1)²: f'(0) = 0 but f''(0) = 1, in every mixture of modes, also beside a selecting row."""

    def f(x):
        return 0.5 * (ag.exp(x) - 1) ** 2

    assert inner(f)(0.0) == 0.0
    assert outer(inner(f))(0.0) == 1.0
    assert outer(inner(lambda x: ag.where(x > 1, ag.log(x + 2), f(x))))(0.0) == 1.0
    with np.errstate(all="ignore"):
        assert outer(inner(lambda x: ag.where(x > 1, ag.log(x), f(x))))(0.0) == 1.0
        assert outer(inner(outer(lambda x: ag.where(x > 1, ag.sqrt(x - 1), x**3))))(0.5) == pytest.approx(6.0)


# ---------------------------------------------------------------------- overflow


def test_the_chain_rule_does_not_overflow_where_the_derivative_does_not():
    dx, dy = partials(ag.divide, 1e-170, 1e-170)
    assert dx == pytest.approx(1e170, rel=1e-15) and dy == pytest.approx(-1e170, rel=1e-15)
    assert partials(ag.hypot, 3e200, 4e200) == pytest.approx((0.6, 0.8), rel=1e-15)
    np.testing.assert_allclose(ag.grad(ag.norm)(np.array([3e200, 4e200])), [0.6, 0.8], rtol=1e-15)
    np.testing.assert_allclose(ag.grad(ag.norm)(np.array([3e-200, 4e-200])), [0.6, 0.8], rtol=1e-15)


@pytest.mark.parametrize("x", [-1e4, -800.0, -30.0, 0.0, 1e-3, 30.0, 800.0, 1e4])
def test_sigmoid_and_softplus_to_the_last_digits(x):
    with mpmath.workdps(60):
        s = 1 / (1 + mpmath.exp(-mpmath.mpf(x)))
        expected = float(s), float(s * (1 - s)), float(mpmath.log1p(mpmath.exp(mpmath.mpf(x))))
    assert ag.sigmoid(x) == pytest.approx(expected[0], rel=1e-14)
    assert partials(ag.sigmoid, x) == pytest.approx([expected[1]], rel=1e-14)
    assert ag.softplus(x) == pytest.approx(expected[2], rel=1e-14)
    assert partials(ag.softplus, x) == pytest.approx([expected[0]], rel=1e-14)


# ---------------------------------------------------------------------- softmax and cross-entropy

LOGITS = {
    "moderate": [0.3, -1.2, 2.0], "large": [1e4, -1e4, 9999.0], "equal": [1e4, 1e4, 1e4], "small": [-1e4, -1e4, -10001.0],
    "no class": [0.0, -math.inf, 1.0], "one class": [-math.inf, 5.0, -math.inf], "far apart": [-1e4, 0.0, 1e4],
}  # fmt: skip


def exact(z):
    """(p, log p, log Σ eᶻ) of logits, in 60 digits; e^-inf = 0."""
    with mpmath.workdps(60):
        e = [mpmath.exp(mpmath.mpf(x)) if x > -math.inf else mpmath.mpf(0) for x in z]
        total = mpmath.fsum(e)
        log_p = [float(mpmath.log(x / total)) if x else -math.inf for x in e]
        return np.array([float(x / total) for x in e]), np.array(log_p), float(mpmath.log(total))


@pytest.mark.parametrize("z", LOGITS.values(), ids=LOGITS)
def test_classification_is_exact_for_any_logits(z):
    p, log_p, total = exact(z)
    x = ag.Tensor(z)
    close = {"rtol": 1e-12, "atol": 1e-300}
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(ag.softmax(x).value, p, **close)
        np.testing.assert_allclose(ag.log_softmax(x).value, log_p, **close)
        np.testing.assert_allclose(ag.logsumexp(x).value, total, **close)
        np.testing.assert_allclose(ag.grad(ag.logsumexp)(np.array(z)), p, **close)
        for y in range(3):
            loss = ag.cross_entropy(x, y)
            assert loss.value == pytest.approx(-log_p[y], rel=1e-12)
            loss.backward()
            np.testing.assert_allclose(x.grad, p - np.eye(3)[y], rtol=1e-12, atol=1e-16)
            if p[y] > 0:
                ag.softmax(x)[y].backward()
                np.testing.assert_allclose(x.grad, p[y] * (np.eye(3)[y] - p), rtol=1e-12, atol=1e-16)
                ag.log_softmax(x)[y].backward()
                np.testing.assert_allclose(x.grad, np.eye(3)[y] - p, rtol=1e-12, atol=1e-16)


def test_no_logit_but_minus_infinity():
    z = np.full(2, -math.inf)
    assert ag.logsumexp(z) == -math.inf
    np.testing.assert_array_equal(ag.grad(ag.logsumexp)(z), [0.0, 0.0])
    with np.errstate(all="ignore"):
        assert np.isnan(ag.softmax(z)).all()


@pytest.mark.parametrize("take", [lambda z: ag.log(ag.softmax(z)), lambda z: np.log(ag.softmax(z, axis=-1))])
def test_the_logarithm_of_a_softmax_is_recorded_as_log_softmax(take):
    z = ag.Tensor([[-1000.0, 0.0], [1e4, -1e4]])
    y = take(z)
    assert y.op.name == "log_softmax" and y.inputs == (z,)
    np.testing.assert_array_equal(y.value, scipy.special.log_softmax(z.value, axis=-1))
    y[:, 0].sum().backward()
    np.testing.assert_array_equal(z.grad, [[1.0, -1.0], [0.0, 0.0]])
    by_columns = ag.log(ag.softmax(z, axis=0))
    np.testing.assert_array_equal(by_columns.value, scipy.special.log_softmax(z.value, axis=0))
    z1 = np.array([-1000.0, 0.0])
    assert ag.jvp(lambda z: take(z)[0], (z1,), (np.array([1.0, 0.0]),))[1] == 1.0


# ---------------------------------------------------------------------- plain results


def test_comparisons_and_the_like_are_plain():
    x, s = ag.Tensor([1.0, np.nan, 3.0]), ag.Scalar(2.0)
    for result, expected in (
        (x == 1.0, [True, False, False]), (x != 1.0, [False, True, True]), (x < s, [True, False, False]),
        (s <= x, [False, False, True]), (x > x, [False] * 3), (x <= 2.0, [True, False, False]),
        (np.isnan(x), [False, True, False]), (ag.isfinite(x), [True, False, True]), (np.greater(x, 2), [False, False, True]),
        (np.argmax(ag.Tensor([1.0, 3.0])), 1), (ag.argsort(ag.Tensor([2.0, 1.0])), [1, 0]), (x.astype(bool), [True] * 3),
        (ag.logical_not(x > 2), [True, True, False]), (np.zeros_like(x), [0.0] * 3),
    ):  # fmt: skip
        assert not isinstance(result, Node)
        np.testing.assert_array_equal(result, expected)
    assert (s > 1) is True and (s == ag.Scalar(2.0)) is True and (s != s) is False
    assert len({s, ag.Scalar(2.0), s}) == 2, "nodes are told apart by identity in sets"


# ---------------------------------------------------------------------- nodes are values


def test_augmented_assignment_rebinds():
    x = ag.Tensor([1.0, 2.0])
    y = x
    y += 1.0
    y *= x
    assert y is not x
    np.testing.assert_array_equal(x.value, [1.0, 2.0])
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [3.0, 5.0])  # (x + 1) x


def test_values_and_gradients_can_not_be_written():
    x = ag.Tensor([1.0, 2.0])
    y = x * 2.0
    y.sum().backward()
    for array in (x.value, y.value, x.grad, y.grad):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5.0


def test_writing_into_a_node_names_the_ways_to_do_it():
    x = ag.Tensor([1.0, 2.0], label="x")
    with pytest.raises(TypeError, match=r"Tensor 'x' of shape \(2,\).*x\.at\[index\]\.set\(v\).*ag\.where"):
        x[0] = 5.0
    y = x.at[0].set(5.0)
    y.sum().backward()
    np.testing.assert_array_equal(y.value, [5.0, 2.0])
    np.testing.assert_array_equal(x.grad, [0.0, 1.0])
    (x.at[np.array([0, 0])].add(1.0) * 2.0).sum().backward()
    np.testing.assert_array_equal(x.grad, [2.0, 2.0])


def test_an_index_that_names_each_element_once():
    x = ag.Tensor(np.zeros((2, 3)))
    for index in ((slice(None), [0, 2]), ([0, 1], [1, 1]), ([1, 0],), (np.array([[True, False, True], [False, True, False]]),)):
        expected = np.zeros((2, 3))
        expected[index] = 5.0
        y = x.at[index].set(5.0)
        np.testing.assert_array_equal(y.value, expected)
        y.sum().backward()
        np.testing.assert_array_equal(x.grad, expected == 0.0)


def test_a_node_can_not_be_written_into_an_array():
    x, a = ag.Tensor([1.0, 2.0]), np.zeros(2)
    with pytest.raises(TypeError, match=r"changed in place by a node.*write a = a \+ x"):
        a += x
    with pytest.raises(TypeError, match=r"np\.add with out=.*a = np\.add\(\.\.\.\)"):
        np.add(x, x, out=a)
    with pytest.raises(TypeError, match=r"np\.sum with out="):
        np.sum(x, out=np.zeros(()))
    with pytest.raises(TypeError, match=r"can't become a plain array"):
        a[:] = x
    np.testing.assert_array_equal(a, 0.0)


@pytest.mark.parametrize("mode", ["edge", "reflect", "symmetric", "wrap"])
@pytest.mark.parametrize("widths", [1, (2, 0), ((0, 3), (5, 4))])
def test_padding_with_elements(mode, widths):
    """Also further than x is wide: each element gets the cotangents of all its copies."""
    x = ag.Tensor(np.arange(6.0).reshape(2, 3) ** 2)
    y = np.pad(x, widths, mode)
    np.testing.assert_array_equal(y.value, np.pad(x.value, widths, mode))
    g = np.random.default_rng(0).normal(size=y.shape)
    y.backward(g)
    copies = np.pad(np.arange(6).reshape(2, 3), widths, mode)
    np.testing.assert_allclose(x.grad, [[g[copies == 3 * i + j].sum() for j in range(3)] for i in range(2)], rtol=1e-13)


@pytest.mark.parametrize("bins", ["sqrt", "auto", 7])
def test_edges_of_histograms_go_with_the_ends(bins):
    """eₖ = x_min + (x_max - x_min) k / n, whatever rule chose n; all x equal have edges that are 1 apart."""
    x = np.random.default_rng(0).normal(size=40)
    edges, jacobian = np.histogram(x, bins)[1], ag.jacobian(lambda x: np.histogram(x, bins)[1])(x)
    np.testing.assert_array_equal(np.histogram(ag.Tensor(x), bins)[1].value, edges)
    share = np.arange(edges.size) / (edges.size - 1)
    expected = np.zeros((edges.size, x.size))
    expected[:, x.argmin()], expected[:, x.argmax()] = 1 - share, share
    np.testing.assert_allclose(jacobian, expected, atol=1e-15)
    same = ag.Tensor([2.0, 2.0])
    np.testing.assert_array_equal(np.histogram(same, 2)[1].value, [1.5, 2.0, 2.5])


def test_ufunc_methods():
    x = ag.Tensor([[1.0, 2.0], [3.0, 5.0]])
    for ufunc in (np.add, np.multiply, np.maximum, np.minimum):
        np.testing.assert_array_equal(ufunc.reduce(x).value, ufunc.reduce(x.value))
        np.testing.assert_array_equal(ufunc.reduce(x, axis=1).value, ufunc.reduce(x.value, axis=1))
    np.multiply.reduce(x, axis=None).backward()
    np.testing.assert_allclose(x.grad, 30.0 / x.value)
    for ufunc in (np.add, np.multiply):
        np.testing.assert_array_equal(ufunc.accumulate(x, axis=1).value, ufunc.accumulate(x.value, axis=1))
    for ufunc in (np.maximum, np.minimum):
        np.testing.assert_array_equal(ufunc.accumulate(x, axis=1).value, ufunc.accumulate(x.value, axis=1))
    for ufunc in (np.fmax, np.fmin, np.logaddexp):
        np.testing.assert_allclose(ufunc.reduce(x).value, ufunc.reduce(x.value), rtol=1e-15)
    for ufunc in (np.subtract, np.hypot, np.logaddexp2):
        np.testing.assert_array_equal(ufunc.outer(x, x[0]).value, ufunc.outer(x.value, x.value[0]))
        np.testing.assert_array_equal(ufunc.outer([1.0, 2.0], x).value, ufunc.outer([1.0, 2.0], x.value))
    for ufunc in (np.add, np.multiply, np.maximum, np.minimum):
        np.testing.assert_array_equal(ufunc.reduceat(x, [0, 1, 0]).value, ufunc.reduceat(x.value, [0, 1, 0]))
        with pytest.raises(TypeError, match=rf"np\.{ufunc.__name__}\.at has no rule"):
            ufunc.at(x, [0], 1.0)
    with pytest.raises(TypeError, match=r"np\.hypot\.reduceat has no rule"):
        np.hypot.reduceat(x, [0])
    with pytest.raises(TypeError, match=r"np\.hypot\.reduce has no rule"):
        np.hypot.reduce(x)


# ---------------------------------------------------------------------- leaving the graph


@pytest.mark.parametrize("make", [
    np.asarray, np.array, np.ascontiguousarray, lambda x: np.array([x, x]), lambda x: np.array([1.0, x]),
    lambda x: np.asarray([[x]]), lambda x: np.asarray(x, dtype=float), lambda x: ag.Tensor([x, x]),
    lambda x: np.array((x,), object),
])  # fmt: skip
@pytest.mark.parametrize("face", [ag.Scalar, ag.Tensor])
def test_no_silent_array_of_a_node(make, face):
    """Silent object arrays and silently cut gradients are the worst errors that such libraries make."""
    x = face(2.0)
    with pytest.raises(TypeError, match=r"can't become a plain array.*x\.value.*ag\.stack"):
        make(x)
    with pytest.raises(TypeError, match=r"can't become a plain array.*x\.value.*ag\.stack"):
        ag.grad(lambda x: make(x).sum())(2.0)


CONVERSIONS = [float, int, bool, complex, lambda x: x.item(), math.sin, lambda x: "yes" if x else "no"]


@pytest.mark.parametrize("face", [ag.Scalar, ag.Tensor])
@pytest.mark.parametrize("convert", CONVERSIONS)
def test_plain_numbers_outside_transforms(convert, face):
    plain = float if convert is CONVERSIONS[4] else convert
    assert convert(face(2.5)) == plain(2.5)
    assert type(convert(face(2.5))) is type(plain(2.5))


@pytest.mark.parametrize("convert", CONVERSIONS)
def test_plain_numbers_inside_transforms_would_cut_the_gradient(convert):
    def cuts(x):
        convert(x * 1.0)
        return x

    advice = r"inside a transform would cut its gradient.*ag\.sin\(x\).*ag\.stop_gradient"
    for x in (2.5, np.array(2.5)):
        for transform in (ag.grad, ag.value_and_grad, forward, lambda f: lambda *xs: ag.vjp(f, *xs)):
            with pytest.raises(TypeError, match=advice):
                transform(cuts)(x)
    with pytest.raises(TypeError, match=advice):  # an outer transform's gradient would be cut just as well
        ag.grad(lambda x: ag.grad(lambda y: y * float(x))(1.0))(2.0)


def test_plain_numbers_that_cut_nothing_inside_transforms():
    w = ag.Scalar(3.0)

    def f(x):
        assert float(w) == 3.0 and bool(w * 2 > 1)  # does not depend on x
        assert float(ag.stop_gradient(x)) == 2.0
        return x * x if x > 1 else x

    assert ag.grad(f)(2.0) == 4.0
    ag.grad(f)(2.0)
    assert float(w) == 3.0
    with pytest.raises(ZeroDivisionError):
        ag.grad(lambda x: x * (1 // 0))(2.0)
    assert float(ag.Scalar(1.0) * 2) == 2.0, "an error inside a transform leaves nothing behind"


def test_what_is_no_number():
    x = ag.Tensor([1.0, 2.0])
    conversions = (float, r"float\(x\)"), (int, r"int\(x\)"), (bool, "the truth of x"), (lambda x: x.item(), r"\.item\(\)")
    for convert, what in conversions:
        with pytest.raises(TypeError, match=what + r" needs one element, got Tensor of shape \(2,\).*reduce it"):
            convert(x)
    for use in (lambda n: [1, 2, 3][n], range):
        with pytest.raises(TypeError, match=r"can't be an index.*int\(x\.value\)"):
            use(ag.Scalar(1.0))
    with pytest.raises(TypeError, match="no axis to iterate over"):
        list(ag.Tensor(1.0))


def test_a_node_is_formatted_by_its_value():
    s = ag.Scalar(2.0, label="s")
    assert f"{s:.3f}" == "2.000" and f"{s}" == repr(s) == "Scalar(2.0, label='s')"
    assert repr(ag.Tensor(np.float32([1, 2])) * 2) == "Tensor([2., 4.], dtype=float32, op=multiply)"


@pytest.mark.parametrize("copying", [pickle.dumps, copy.copy, copy.deepcopy])
def test_pickling_is_refused(copying):
    with pytest.raises(TypeError, match=r"Tensor 'W' of shape \(1,\) can't be pickled or copied: send its numbers, x\.value"):
        copying(ag.Tensor([1.0], label="W"))
    with pytest.raises(TypeError, match="can't be pickled"):
        copying(ag.Scalar(1.0) * 2)


# ---------------------------------------------------------------------- captured arrays

SMALL, LARGE = 100, 20_000  # elements of float64: below and above 64 KiB


def test_a_small_array_is_copied():
    c = np.ones(SMALL)
    x = ag.Tensor(np.ones(SMALL))
    y = (x * c).sum()
    c[:] = 100.0
    y.backward()
    np.testing.assert_array_equal(x.grad, 1.0)
    a = np.ones(SMALL)
    w = ag.Tensor(a)
    a[:] = 5.0
    np.testing.assert_array_equal(w.value, 1.0)


@pytest.mark.parametrize("capture", [
    lambda c: ag.Tensor(c), lambda c: (ag.Tensor(np.ones(LARGE)) * c).sum(), lambda c: ag.Tensor(np.ones((1, LARGE))) @ c,
    lambda c: ag.concat([ag.Tensor([1.0]), c]), lambda c: np.where(c > 0, ag.Scalar(1.0), c),
])  # fmt: skip
def test_a_large_array_is_locked_until_the_graph_is_gone(capture):
    base = np.ones(2 * LARGE)
    c = base[:LARGE]
    before = base[:3]  # a view made before keeps its own flag: what remains undetected is only a write through it
    y = capture(c)
    for array in (c, base):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 100.0
    z = y + 1.0
    del y
    with pytest.raises(ValueError, match="read-only"):
        c[0] = 100.0
    del z
    assert c.flags.writeable and base.flags.writeable and before.flags.writeable
    c[0] = 100.0


def test_a_write_through_an_older_view_is_found_by_debug():
    """The one thing that a lock can't prevent."""
    c = np.ones(LARGE)
    view = c[:]
    with ag.debug():
        x = ag.Tensor(np.ones(LARGE))
        y = (x * c).sum()
        y.backward()
        view[0] = 100.0
        with pytest.raises(RuntimeError, match=r"array of shape \(20000,\).*multiply.*was changed.*give the graph a copy"):
            y.backward()
        view[0] = 1.0
        y.backward()


def test_two_graphs_share_a_lock():
    c = np.ones(LARGE)
    y, z = ag.Tensor(c), ag.Tensor(c)
    del y
    assert not c.flags.writeable
    del z
    assert c.flags.writeable
    ag.grad(lambda x: (x * c).sum())(np.ones(LARGE))
    assert c.flags.writeable, "a transform that recorded nothing holds nothing"


def test_what_was_read_only_stays_so():
    c = np.ones(LARGE)
    c.flags.writeable = False
    y = ag.Tensor(c)
    del y
    assert not c.flags.writeable


def test_locks_need_no_garbage_collector():
    c = np.ones(LARGE)
    gc.disable()
    try:
        y = ag.exp(ag.Tensor(np.ones(LARGE)) * c).sum()
        y.backward()
        del y
        assert c.flags.writeable
    finally:
        gc.enable()


def test_a_memory_map_is_captured_like_an_array(tmp_path):
    c = np.memmap(tmp_path / "c", float, "w+", shape=(LARGE,))
    c[:] = 2.0
    x = ag.Tensor(np.ones(LARGE))
    (x * c).sum().backward()
    np.testing.assert_array_equal(x.grad, 2.0)


# ---------------------------------------------------------------------- new values of leaves


def test_a_leaf_can_be_given_a_new_value():
    W, b = ag.Tensor([1.0, 2.0], label="W"), ag.Scalar(1.0)
    new = np.array([3.0, 4.0])
    W.value, b.value = new, 2
    new[:] = 0.0
    (W * W * b).sum().backward()
    np.testing.assert_array_equal(W.value, [3.0, 4.0])
    np.testing.assert_array_equal(W.grad, [12.0, 16.0])
    assert type(b.value) is float


def test_a_graph_older_than_its_leafs_value_is_refused():
    W = ag.Tensor([1.0, 2.0], label="W")
    y = (W * W).sum()
    W.value = [3.0, 4.0]
    with pytest.raises(RuntimeError, match=r"value of Tensor 'W' .* was set after .*multiply.*compute the output again"):
        y.backward()
    v = ag.Scalar(2.0)
    y = v * v
    v.value = 3.0
    with pytest.raises(RuntimeError, match="was set after"):
        ag.grad(lambda x: x * y)(1.0).backward()
    (v * v).backward()
    assert v.grad == 6.0


def test_only_a_leaf_can_be_given_a_value():
    y = ag.Scalar(1.0) * 2.0
    with pytest.raises(TypeError, match=r"made by multiply \(.*test_conventions\.py:\d+\) is computed from its inputs"):
        y.value = 3.0


# ---------------------------------------------------------------------- every other error, once

X = ag.Tensor(np.arange(6.0).reshape(2, 3), label="X")
S = ag.Scalar(1.0)
LABELS = [0, 1]


def each(*cases):
    return [pytest.param(*case, id=str(k)) for k, case in enumerate(cases)]


@pytest.mark.parametrize("error,words,wrong", each(
    # making nodes
    (TypeError, r"a label is a string, got int: label=3", lambda: ag.Scalar(1.0, label=3)),
    (TypeError, r"Scalar holds one real number.*ag\.Tensor\(array\)", lambda: ag.Scalar([1.0])),
    (TypeError, r"Scalar holds one real number", lambda: ag.Scalar("1")),
    (TypeError, r"Scalar holds one real number", lambda: ag.Scalar(1j)),
    (TypeError, r"is a node already.*x\.detach\(\)", lambda: ag.Scalar(S)),
    (TypeError, r"is a node already.*x\.detach\(\)", lambda: ag.Tensor(S)),
    (TypeError, r"got NoneType: convert it first.*np\.asarray", lambda: ag.Tensor(None)),
    (TypeError, r"needs a real output.*dtype complex128: take ag\.real\(y\)", lambda: ag.Tensor([1j]).sum().backward()),
    (TypeError, r"dtype object: ag\.stack", lambda: ag.Tensor(np.array([None]))),
    (TypeError, r"dtype <U1: convert it to numbers", lambda: ag.Tensor(["a"])),
    (TypeError, r"got MaskedArray, whose masked elements would be counted: write x\.filled\(v\)", lambda: ag.Tensor(np.ma.array([1.0]))),
    (TypeError, r"got MaskedArray", lambda: X + np.ma.array([1.0, 2.0, 3.0])),
    (TypeError, r"got str: convert it first", lambda: X + "a"),
    (TypeError, r"got NoneType", lambda: S * None),
    # shapes
    (ValueError, r"Tensor 'X' of shape \(2, 3\) and .* do not broadcast.*\(2,\).*reshape", lambda: X + ag.Tensor([1.0, 2.0])),
    (ValueError, r"add: Tensor 'X' .* and ndarray of shape \(2,\) do not broadcast", lambda: X + np.ones(2)),
    (ValueError, r"add: ndarray of shape \(2,\) and Tensor 'X'.* do not broadcast", lambda: np.ones(2) + X),
    (ValueError, r"multiply.*broadcast", lambda: ag.multiply(X, ag.Tensor([1.0, 2.0]))),
    (ValueError, r"pow of Tensor.*negative integer powers", lambda: ag.Tensor([2, 3]) ** -1),
    (ValueError, r"matmul of Tensor 'X' .*: the last axis of the first is 3 long, the last but one of the second 2; x @ y\.mT would do",
     lambda: X @ X),
    (ValueError, r"matmul of ndarray .*: the last axis of the first is 3 long, the only one of the second 2$", lambda: ag.matmul(X.value, np.ones(2))),
    (ValueError, r"dot of ndarray .* and Tensor 'X' .*: the last axis of the first is 3", lambda: np.dot(X.value, X)),
    (ValueError, r"matmul of Traced .*: the last axis of the first is 3 long, the last but one of the second 2", lambda: ag.jit(lambda x: x @ x)(X.value)),
    (ValueError, r"matmul of Batched of shape \(2,\) .*: the last axis of the first is 2 long, the last but one of the second 3",
     lambda: ag.vmap(lambda x: x @ np.ones((3, 2)))(np.ones((4, 2)))),
    (ValueError, r"matmul of Tensor 'X' .* and 2\.0: a number has no axis to sum over: write x \* y", lambda: X @ 2.0),
    (ValueError, r"matmul of .*: shape mismatch", lambda: ag.matmul(np.ones((2, 2, 2)), np.ones((3, 2, 2)))),
    (ValueError, r"add: ndarray of shape \(2,\) and ndarray of shape \(3,\) do not broadcast", lambda: ag.add(np.ones(2), np.ones(3))),
    (ValueError, r"where: True and Tensor 'X'.* do not broadcast", lambda: ag.where(True, X, np.ones(2))),
    (ValueError, r"max of .*no identity", lambda: ag.max(ag.Tensor(np.zeros(0)))),
    (TypeError, r"an axis is an integer, got 'a'", lambda: ag.sum(X, axis="a")),
    (np.exceptions.AxisError, r"axis 5 of Tensor 'X'.*2 axes, from -2 to 1", lambda: X.sum(axis=5)),
    (ValueError, r"axis=\(0, -2\) names an axis of Tensor 'X'.*twice", lambda: X.sum(axis=(0, -2))),
    (TypeError, r"a shape is a tuple of integers, got 'a'", lambda: X.reshape("a")),
    (ValueError, r"its 6 elements do not fit the shape \(4, -1\)", lambda: X.reshape(4, -1)),
    (ValueError, r"reshape of Tensor 'X'.*\(4, ?2\)", lambda: X.reshape(4, 2)),
    (ValueError, r"no order of the 2 axes.*name each once", lambda: ag.permute_dims(X, (0, 0))),
    (ValueError, r"matrix_transpose needs two axes.*x\[:, None\]", lambda: ag.Tensor([1.0]).mT),
    (ValueError, r"moveaxis: 2 sources and 1 destinations", lambda: ag.moveaxis(X, (0, 1), 0)),
    (ValueError, r"squeeze: axis -2.*length 2, not 1", lambda: ag.squeeze(X, 0)),
    (ValueError, r"broadcast_to of Tensor 'X'", lambda: ag.broadcast_to(X, (5,))),
    (TypeError, r"concat takes a sequence of arrays.*ag\.concat\(\[x, y\]\)", lambda: ag.concat(S)),
    (TypeError, r"stack takes a sequence of arrays.*ag\.stack\(\[x, y\]\)", lambda: ag.stack(1.0)),
    (ValueError, r"concat needs at least one array", lambda: ag.concat([])),
    (ValueError, r"concat of .*number of dimensions", lambda: ag.concat([X, ag.Tensor([1.0])])),
    (ValueError, r"stack needs arrays of one shape.*ag\.concat", lambda: ag.stack([X, S])),
    (ValueError, r"split: the length 2.*4 equal sections", lambda: ag.split(X, 4)),
    (ValueError, r"roll: 2 shifts for 1 axes", lambda: ag.roll(X, (1, 2), (0,))),
    (ValueError, r"pad: mode='mean' has no rule; the modes 'constant', 'edge', .* have: join others with ag\.concat", lambda: ag.pad(X, 1, "mean")),
    (ValueError, r"pad: reflect_type='odd' has no rule", lambda: np.pad(X, 1, "reflect", reflect_type="odd")),
    (TypeError, r"constant_values is one plain number", lambda: ag.pad(X, 1, constant_values=S)),
    # products
    (ValueError, r"tensordot: axes=3", lambda: ag.tensordot(X, X, 3)),
    (ValueError, r"names 2 operands, 1 were given", lambda: ag.einsum("ij,jk", X)),
    (ValueError, r"'ijk' does not name the axes of Tensor 'X'", lambda: ag.einsum("ijk->i", X)),
    (TypeError, r"subscripts as a string, such as", lambda: np.einsum(X, [0, 1])),
    # indexing
    (IndexError, r"shape \(2, 3\): index 5 is out of bounds", lambda: X[5]),
    (IndexError, r"out of bounds", lambda: ag.take(X, [9], axis=0)),
    (TypeError, r"an index is an integer, a slice.*got 1\.0", lambda: X[1.0]),
    (TypeError, r"an index is an integer, a slice.*got Scalar", lambda: X[S]),
    (TypeError, r"index arrays hold integers or booleans.*idx\.astype\(int\)", lambda: X[np.array([0.5])]),
    (ValueError, r"the index selects the shape \(3,\) of Tensor 'X'.*does not broadcast", lambda: X.at[0].set(np.ones(4))),
    (ValueError, r"names an element twice.*\.add\(v\)", lambda: X.at[np.array([0, 0])].set(1.0)),
    (ValueError, r"names an element twice", lambda: X.at[:, [1, -2]].set(1.0)),
    (ValueError, r"names an element twice", lambda: X.at[[0, 0, 1], [1, 1, 1]].set(1.0)),
    (IndexError, r"out of bounds", lambda: X.at[[0, 2]].set(1.0)),
    (ValueError, r"take_along_axis: the indices have 1 axes", lambda: ag.take_along_axis(X, np.array([0]))),
    (ValueError, r"a diagonal needs two axes", lambda: ag.diagonal(ag.Tensor([1.0]))),
    (ValueError, r"diag takes a vector or a matrix", lambda: ag.diag(ag.Tensor(np.ones((1, 1, 1))))),
    # NumPy's functions
    (TypeError, r"takes no dtype: for dtype write \.astype", lambda: np.add(X, X, dtype=np.float32)),
    (TypeError, r"takes no where.*ag\.where\(mask", lambda: np.add(X, X, where=[True, False, True])),
    (TypeError, r"np\.sum on a node takes \(x, axis, dtype, keepdims\).*initial", lambda: np.sum(X, initial=3.0)),
    (TypeError, r"np\.broadcast_to on a node takes \(x, shape\).*subok", lambda: np.broadcast_to(X, (2, 3), subok=True)),
    # backward
    (ValueError, r"one element.*X\.sum\(\).*cotangent.*\(2, 3\)", lambda: X.backward()),
    (ValueError, r"cotangent has shape \(2,\).*Tensor 'X'.*must be equal", lambda: X.backward([1.0, 2.0])),
    (TypeError, r"a cotangent holds real numbers, got dtype <U1", lambda: S.backward("a")),
    (RuntimeError, r"backward\(\) inside a transform.*nest ag\.grad", lambda: ag.grad(lambda x: (x * x).backward())(1.0)),
    # transforms
    (TypeError, r"ag\.grad takes a function, got Tensor.*ag\.grad\(f\)\(x\)", lambda: ag.grad(X)),
    (TypeError, r"ag\.value_and_grad takes a function, got int", lambda: ag.value_and_grad(3)),
    (TypeError, r"ag\.vjp takes a function", lambda: ag.vjp(3.0, 1.0)),
    (TypeError, r"ag\.jvp takes a function", lambda: ag.jvp(3.0, (1.0,), (1.0,))),
    (ValueError, r"argnums=2 names argument 2; .* 1 positional argument$", lambda: ag.grad(lambda x: x, 2)(1.0)),
    (TypeError, r"ag\.grad: argnums is an integer or several, .*, got 'x': .* write ag\.grad\(f\)\(x\)", lambda: ag.grad(lambda x: x, "x")),
    (TypeError, r"ag\.grad: argnums .* got 2\.0: .* write ag\.grad\(f\)\(x\)", lambda: ag.grad(lambda x: x, 2.0)),
    (TypeError, r"ag\.value_and_grad: argnums .* got ndarray of shape \(3,\)", lambda: ag.value_and_grad(lambda x: x, np.ones(3))),
    (TypeError, r"ag\.grad: argnums .* got \(0, 1\.0\)", lambda: ag.grad(lambda x: x, (0, 1.0))),
    (TypeError, r"ag\.hessian: argnums .* got Tensor 'X'", lambda: ag.hessian(lambda x: x, X)),
    (TypeError, r"ag\.jacfwd: argnums .* got None", lambda: ag.jacfwd(lambda x: x, None)),
    (TypeError, r"ag\.vmap: in_axes .* got 2\.0: write ag\.vmap\(f\)\(x\)", lambda: ag.vmap(lambda x: x, 2.0)),
    (ValueError, r"argnums=\(0, -1\) names an argument twice", lambda: ag.grad(lambda x: x, (0, -1))(1.0)),
    (TypeError, r"one scalar output, got 'a'", lambda: ag.grad(lambda x: "a")(1.0)),
    (TypeError, r"argument 0 holds str; .*floats and float arrays, nested", lambda: ag.grad(lambda x: x)("a")),
    (TypeError, r"scalar output, got Tensor of shape \(3,\).*\.sum\(\).*ag\.vjp", lambda: ag.grad(lambda x: x * 2)(np.ones(3))),
    (TypeError, r"scalar output, got ndarray of shape \(3,\)", lambda: ag.grad(lambda x: np.ones(3))(1.0)),
    (TypeError, r"ag\.grad: argument 0 is None, and has no derivative", lambda: ag.grad(lambda x: x)(None)),
    (TypeError, r"ag\.jacobian: argument 1 is None, and has no derivative", lambda: ag.jacobian(lambda x, y: x, 1)(1.0, None)),
    (TypeError, r"ag\.jacobian: argument 1 is the integer 2", lambda: ag.jacobian(lambda x, y: x, 1)(1.0, 2)),
    (TypeError, r"ag\.jacobian: the function returned None", lambda: ag.jacobian(lambda x: None)(1.0)),
    (TypeError, r"one scalar output, got a tuple.*has_aux=True", lambda: ag.grad(lambda x: (x, x))(1.0)),
    (TypeError, r"returned None: does it end in a return", lambda: ag.grad(lambda x: None)(1.0)),
    (TypeError, r"returns \(output, auxiliary data\), got Scalar", lambda: ag.grad(lambda x: x, has_aux=True)(1.0)),
    (TypeError, r"ag\.vjp\(f, x\)", lambda: ag.vjp(lambda: 1.0)),
    (ValueError, r"a cotangent like the output, a tuple; got a float", lambda: ag.vjp(lambda x: (x, x), 1.0)[1](1.0)),
    (ValueError, r"like the output, a single array; got a tuple", lambda: ag.vjp(lambda x: x, 1.0)[1]((1.0,))),
    (ValueError, r"the pullback: the cotangent has shape \(2,\)", lambda: ag.vjp(lambda x: x, np.ones(3))[1](np.ones(2))),
    (TypeError, r"ag\.jvp takes tuples: ag\.jvp\(f, \(x,\), \(t,\)\)", lambda: ag.jvp(lambda x: x, 1.0, 1.0)),
    (TypeError, r"tangents must be nested as the primals", lambda: ag.jvp(lambda x: x[0], ((1.0,),), (1.0,))),
    (ValueError, r"a tangent has the shape \(2,\), its primal \(3,\)", lambda: ag.jvp(lambda x: x, (np.ones(3),), (np.ones(2),))),
    # classification
    (ValueError, r"softmax needs an axis of classes.*ag\.stack\(\[z1, z2\]\)", lambda: ag.softmax(S)),
    (ValueError, r"logits along a last axis", lambda: ag.cross_entropy(S, 0)),
    (TypeError, r"labels are constants: pass plain integers", lambda: ag.cross_entropy(X, ag.Tensor(LABELS))),
    (TypeError, r"dtype <U1, but integers.*np\.unique\(y, return_inverse=True\)", lambda: ag.cross_entropy(X, ["a", "b"])),
    (TypeError, r"dtype float64, but integers.*y\.astype\(int\)", lambda: ag.cross_entropy(X, [0.0, 1.0])),
    (ValueError, r"as one-hot rows have.*y\.argmax\(axis=-1\)", lambda: ag.cross_entropy(X, np.eye(2, 3))),
    (ValueError, r"as class probabilities have.*probabilities=True", lambda: ag.cross_entropy(X, np.full((2, 3), 0.3))),
    (ValueError, r"a column of shape \(2, 1\): write y\[:, 0\]", lambda: ag.cross_entropy(X, [[0], [1]])),
    (ValueError, r"need labels of shape \(2,\), got \(3,\)", lambda: ag.cross_entropy(X, [0, 1, 2])),
    (ValueError, r"labels run from 1 to 3.*pass y - 1", lambda: ag.cross_entropy(X, [1, 3])),
    (ValueError, r"label 7 at position 1 is out of range.*0 to 2", lambda: ag.cross_entropy(X, [0, 7])),
    (ValueError, r"label -1 at position 0 is out of range", lambda: ag.negative_log_likelihood(X, [-1, 0])),
    (ValueError, r"class probabilities need the shape \(2, 3\)", lambda: ag.cross_entropy(X, LABELS, probabilities=True)),
    (ValueError, r"a row sums to 15: divide", lambda: ag.cross_entropy(X, np.full((2, 3), 5.0), probabilities=True)),
    (ValueError, r"smallest is -1", lambda: ag.cross_entropy(X, [[-1.0, 1, 1], [0, 0, 1]], probabilities=True)),
    (ValueError, r"reduction='avg' is none of", lambda: ag.cross_entropy(X, LABELS, "avg")),
    (ValueError, r"\(3, 1\), the target \(3,\).*prediction\[:, 0\]", lambda: ag.squared_error(np.ones((3, 1)), np.ones(3))),
    (ValueError, r"one_hot: label 5 at position 1 is out of range", lambda: ag.one_hot([0, 5], 3)),
    (ValueError, r"accuracy needs at least one example", lambda: ag.accuracy(np.zeros((0, 3)), np.zeros(0, int))),
    (ValueError, r"Categorical needs logits along a last axis", lambda: ag.Categorical(1.0)),
    (TypeError, r"np\.random\.default_rng\(seed\), got int", lambda: ag.Categorical([0.0, 1.0]).sample(3)),
    (ValueError, r"no distribution: they contain nan", lambda: ag.Categorical([0.0, np.nan]).sample(np.random.default_rng(0))),
    (ValueError, r"a row of -inf alone", lambda: ag.Categorical([-np.inf] * 2).sample(np.random.default_rng(0))),
    # checks of people's own functions
    (TypeError, r"arguments as a tuple: ag\.check_grads\(f, \(x,\)\)", lambda: ag.check_grads(lambda x: x, 1.0)),
    (ValueError, r"modes are 'rev' and 'fwd', got \('x',\)", lambda: ag.check_grads(lambda x: x, (1.0,), modes=("x",))),
    (AssertionError, r"forward mode is off in 1 of 1", lambda: ag.check_grads(lambda x: x * ag.stop_gradient(x), (1.5,))),
    (AssertionError, r"reverse mode is off", lambda: ag.check_grads(lambda x: x * ag.stop_gradient(x), (1.5,), modes=("rev",))),
))  # fmt: skip
def test_every_error_says_what_was_given_and_what_to_write(error, words, wrong):
    with pytest.raises(error, match=words):
        wrong()


@pytest.mark.parametrize("define,words", [
    (lambda: ag.operators.table.define("add", np.add, None, samples=print), "the operator 'add' is already defined"),
    (lambda: ag.operators.table.define("new", np.add, None), "no samples: every test looks there"),
    (lambda: ag.operators.table.compose("take", forward=None, samples=None)(print), "the operator 'take' is already defined"),
    (lambda: ag.operators.table._publish(print, "x", (np.sum,), ()), "sum of NumPy is already answered by sum"),
])  # fmt: skip
def test_errors_of_the_table(define, words):
    before = dict(ag.operators.table.FUNCTIONS)
    with pytest.raises(ValueError, match=words):
        define()
    ag.operators.table.FUNCTIONS.clear()
    ag.operators.table.FUNCTIONS.update(before)
    with pytest.raises(TypeError, match="the row 'x' has no field colour; there are scalar"):
        ag.operators.table.Operator("x", np.add, ag.operators.rules.Zero(), colour=1)


def test_two_softmaxes_are_warned_of_with_the_floor_of_the_loss():
    """-log(e/(e + K - 1)): what remains when the true class has the 'logit' 1 and the others 0."""
    floor = math.log((math.e + 2) / math.e)
    for z in (ag.softmax(X), np.full((2, 3), 1 / 3), np.eye(3)[:2]):
        with pytest.warns(UserWarning, match=f"softmax would be applied twice.*below {floor:.3f}") as caught:
            ag.cross_entropy(z, LABELS)
        assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="applied twice"):
        ag.cross_entropy(ag.softmax(X), np.eye(2, 3), probabilities=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ag.cross_entropy(X, LABELS)


def test_a_scalar_has_no_elements():
    for take in (lambda s: s[0], lambda s: s[()], lambda s: list(s)):
        with pytest.raises(TypeError, match="is one number and has no elements"):
            take(ag.Scalar(1.0))


@pytest.mark.parametrize("face", [ag.Scalar, ag.Tensor])
def test_a_face_has_no_subclasses(face):
    with pytest.raises(TypeError, match="can't be subclassed.*keep a node in an attribute"):
        type("Other", (face,), {})


def test_clip_to_a_bound_that_is_nan():
    """As NumPy: nan, for numbers as for arrays."""
    for args in ((2.0, np.nan, 3.0), (2.0, 1.0, np.nan), (np.nan, 1.0, 3.0)):
        assert np.isnan(ag.clip(ag.Scalar(args[0]), *args[1:]).value) and np.isnan(ag.clip(ag.Tensor(args[0]), *args[1:]).value)

"""Operators of people's own, and the check that tries them."""

import math

import numpy as np
import pytest
import scipy.linalg

import ag
from ag.operators.rules import FUNCTIONS
from ag.operators.table import TABLE
from ag.testing import check_operator
from ag.transforms.defining import OWN

rng = np.random.default_rng(0)

@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    yield
    for name in [name for name in OWN if name.startswith("test_")]:
        OWN.discard(name)
        del TABLE[name], FUNCTIONS[name]


POINTS = [(0.5,), (np.array([0.3, -1.0]),), (np.ones((2, 3)),), (np.zeros(0),)]


def gaussian(factor=1.0, **fields):
    return ag.define(
        "test_gaussian", lambda x: np.exp(-x * x), partials=[lambda ans, x: -2 * factor * x * ans], samples=POINTS, **fields
    )


def solve(rules="vjps", factor=1.0, **fields):
    """A x = b by SciPy, which knows nothing of nodes, one system at a time."""

    def adjoint(g, x, A, b):
        return own(np.swapaxes(A, -1, -2), g)

    stated = {
        "vjps": [lambda g, x, A, b: -factor * adjoint(g, x, A, b)[:, None] * x, adjoint],
        "jvps": [lambda t, x, A, b: -factor * own(A, t @ x), lambda t, x, A, b: own(A, t)],
    }
    samples = [(rng.normal(size=(3, 3)) + 4 * np.eye(3), rng.normal(size=3))]
    given = {kind: stated[kind] for kind in rules.split()}
    own = ag.define("test_solve", scipy.linalg.solve, samples=samples, **given, **fields)
    return own


def moved(factor=1.0):
    """x rolled along its last axis, by a parameter."""
    return ag.define(
        "test_moved", lambda x, by=1: np.roll(x, by, -1), linear=[lambda g, x, by=1: factor * np.roll(g, -by, -1)], batch="leading",
        samples=lambda rng: [((rng.normal(size=(2, 4)),), {"by": 2}), ((rng.normal(size=3),), {})],
    )  # fmt: skip


def cross(factor=1.0):
    """The vector product: bilinear."""
    own = ag.define(
        "test_cross", lambda x, y: np.cross(x, y), bilinear=[lambda g, x, y: factor * own(y, g), lambda g, x, y: own(g, x)],
        batch="leading", samples=[(rng.normal(size=3), rng.normal(size=3))],
    )  # fmt: skip
    return own


def product(rules, factor=1.0):
    """x · y and its rules for one mode alone, with broadcasting: the other is the transpose."""
    stated = {
        "jvps": [lambda t, ans, x, y: factor * t * y, lambda t, ans, x, y: t * x],
        "vjps": [lambda g, ans, x, y: factor * g * y, lambda g, ans, x, y: g * x],
    }
    samples = [(2.0, 3.0), (rng.normal(size=(2, 3)), rng.normal(size=3)), (2.0, rng.normal(size=3))]
    return ag.define(f"test_product_{rules}", lambda x, y: x * y, samples=samples, **{rules: stated[rules]})


KINDS = [
    gaussian, solve, lambda factor=1.0: solve("vjps jvps", factor), moved, cross,
    lambda factor=1.0: product("jvps", factor), lambda factor=1.0: product("vjps", factor),
]  # fmt: skip


@pytest.mark.parametrize("make", KINDS)
def test_every_kind_of_rule(make):
    operator = make()
    check_operator(operator)
    check_operator(operator.__name__)


@pytest.mark.parametrize("make", KINDS)
def test_a_rule_that_is_wrong_by_a_thousandth_is_caught(make):
    with pytest.raises(AssertionError, match=r"test_\w+, sample 0: "):
        check_operator(make(factor=1.001))


def test_it_is_a_row_like_any_other():
    own = gaussian(symbol="G", latex=r"G({0})", doc="e^{-x²}", special=[((0.0,), (0.0,))])
    x = ag.Scalar(0.5, label="x")
    y = own(x)
    assert isinstance(y, ag.Scalar) and y.op is TABLE["test_gaussian"] and own.__doc__ == "e^{-x²}"
    assert "G(x)" in str(ag.explain(y)) or "G(z1)" in str(ag.explain(y))
    y.backward()
    assert x.grad == pytest.approx(-math.exp(-0.25))
    assert own(0.5) == y.value and type(own(0.5)) is float
    np.testing.assert_allclose(ag.vmap(ag.grad(own))(np.array([0.5, 1.0])), [-math.exp(-0.25), -2 * math.exp(-1)])
    assert ag.hessian(own)(0.0) == -2.0


def test_parameters_and_wrong_numbers_of_arguments():
    own = moved()
    x = ag.Tensor([1.0, 2.0, 3.0])
    y = own(x, by=2)
    assert y.params == {"by": 2}
    np.testing.assert_array_equal(y.value, [2.0, 3.0, 1.0])
    with pytest.raises(TypeError, match="test_moved takes 1 argument, got 2"):
        own(x, 2)


def test_numbers_for_partials():
    own = ag.define("test_numbers", lambda x, y, z: 2 * x - y + np.sign(z), partials=[2.0, -1, 0], samples=[(1.0, 2.0, 3.0), (np.ones(2), 1.0, 2.0)])
    check_operator(own)
    assert ag.grad(own, (0, 1, 2))(1.0, 2.0, 3.0) == (2.0, -1.0, 0.0)


def test_a_rule_that_nobody_wrote_is_named_with_its_argument():
    half = ag.define("test_half", lambda x, power: x**power, partials=[lambda ans, x, power: power * x ** (power - 1), None], samples=[(2.0, 3.0)])
    check_operator(half)
    assert ag.grad(half)(2.0, 3.0) == 12.0
    for call in (lambda: ag.grad(half, 1)(2.0, 3.0), lambda: ag.jvp(lambda p: half(2.0, p), (3.0,), (1.0,))):
        with pytest.raises(TypeError, match="∂test_half/∂power has no rule"):
            call()
    own = ag.define("test_half_stated", lambda x, y: x * y, vjps=[lambda g, ans, x, y: g * y, None])
    assert ag.grad(own)(2.0, 3.0) == 3.0 and ag.jvp(lambda x: own(x, 3.0), (2.0,), (1.0,)) == (6.0, 3.0)
    for call in (lambda: ag.grad(own, 1)(2.0, 3.0), lambda: ag.jacfwd(own, 1)(2.0, 3.0)):
        with pytest.raises(TypeError, match="∂test_half_stated/∂y has no rule"):
            call()
    pair = ag.define("test_pair", np.multiply.outer, bilinear=[lambda g, x, y: g @ y, None])
    with pytest.raises(TypeError, match="∂test_pair/∂argument 1 has no rule"):
        ag.jacrev(pair, 1)(np.ones(2), np.ones(3))


def test_a_transpose_that_leads_back_to_itself_is_named():
    own = solve("jvps")
    with pytest.raises(TypeError, match=r"jvps\[1\] of test_solve is written with test_solve itself.*state vjps\[1\] as well"):
        ag.grad(lambda b: own(np.eye(3), b).sum())(np.ones(3))


def test_one_example_after_another_unless_it_is_said_otherwise():
    """SciPy's solve takes one system; a loop is right for every forward function."""
    own = solve()
    A, b = rng.normal(size=(4, 3, 3)) + 4 * np.eye(3), rng.normal(size=(4, 3))
    np.testing.assert_allclose(ag.vmap(own)(A, b), np.linalg.solve(A, b[..., None])[..., 0])
    np.testing.assert_allclose(ag.vmap(own, (None, 0))(A[0], b), np.linalg.solve(A[0], b.T).T)
    shapes = []
    seen = ag.define("test_seen", lambda x: shapes.append(x.shape) or x, linear=[lambda g, x: g], batch="leading")
    ag.vmap(seen)(np.ones((4, 3)))
    assert shapes == [(4, 3)]
    with pytest.raises(AssertionError, match="under vmap differs from a loop|is its batch wrong"):
        wrong = ag.define("test_wrong_batch", lambda x: x - x.mean(), linear=[lambda g, x: g - g.mean()], batch="leading", samples=[(np.array([1.0, 2.0]),)])
        check_operator(wrong)


def test_the_check_finds_each_kind_of_mistake():
    def single(x):
        return np.asarray(x) * np.float64(2.0) + np.zeros(1, np.float64)

    with pytest.raises(AssertionError, match="float32"):
        check_operator(ag.define("test_double", single, linear=[lambda g, x: 2.0 * g.sum()], samples=[(np.array(1.0),)]))
    with pytest.raises(AssertionError, match="tabulated"):
        check_operator(gaussian(special=[((0.0,), (1.0,))]))
    with pytest.raises(AssertionError, match="the modes disagree|is off"):
        check_operator(ag.define("test_apart", np.sin, jvps=[lambda t, ans, x: t * np.cos(x)], vjps=[lambda g, ans, x: g * np.cos(x) * (1 + 1e-11)],
                                 samples=[(0.5,)]))  # fmt: skip


def test_the_check_of_any_function():
    check_operator("exp")
    check_operator(ag.matmul)
    check_operator(lambda x, y: x * ag.sin(y), [(2.0, np.array([0.5, 1.0]))])
    clipped = ag.custom_vjp(lambda x: x * x)
    clipped.defvjp(lambda x: (x * x, x), lambda x, g: (2 * x * g,))
    check_operator(clipped, [(0.5,), (np.ones(2),)], modes=("rev",))
    with pytest.raises(AssertionError, match=r"<lambda>, sample 0: reverse mode is off"):
        check_operator(lambda x: x * ag.stop_gradient(x), [(1.0,)], modes=("rev",))


@pytest.mark.parametrize("call,error,words", [
    (lambda: ag.define("exp", np.exp, partials=[1]), ValueError, "'exp' is the name of an operator of the library"),
    (lambda: ag.define("two words", np.exp, partials=[1]), ValueError, "identifier"), (lambda: ag.define("f", 3, partials=[1]), TypeError, "forward is a function"),
    (lambda: ag.define("test_f", np.exp), TypeError, "one way.*got none"), (lambda: ag.define("test_f", np.exp, partials=[1], linear=[np.exp]), TypeError, "partials, linear"),
    (lambda: ag.define("test_f", np.exp, partials=["x"]), TypeError, r"partials\[0\]"), (lambda: ag.define("test_f", np.exp, vjps=[1]), TypeError, r"vjps\[0\]"),
    (lambda: ag.define("test_f", np.exp, jvps=[np.exp], vjps=[np.exp, np.exp]), ValueError, "1 jvps, 2 vjps"), (lambda: ag.define("test_f", np.exp, partials=[]), ValueError, "0 partials"),
    (lambda: ag.define("test_f", np.exp, partials=[1], samples=[1.0]), TypeError, "tuples of arguments"), (lambda: ag.define("test_f", np.exp, partials=[1], batch="fast"), ValueError, "'leading'"),
    (lambda: ag.define("test_f", np.exp, partials=[1], tex="x"), TypeError, "tex"), (lambda: check_operator("nothing"), ValueError, "no operator 'nothing'"),
    (lambda: check_operator(np.sin), ValueError, "Give samples"), (lambda: check_operator(ag.sin, [(3,)]), ValueError, "3.0 for 3"),
])  # fmt: skip
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()
    assert "test_f" not in TABLE

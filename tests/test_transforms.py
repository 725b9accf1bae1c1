"""grad, value_and_grad, vjp, jvp and stop_gradient as functions of functions; and random expressions."""

import collections
import dataclasses
import math
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import ag
from ag.node import Node


def forward(f):
    """x ↦ f'(x) of a function of one number, by forward mode."""
    return lambda x: ag.jvp(f, (x,), (1.0,))[1]


def pulled(f):
    """x ↦ f'(x) by a pullback."""
    return lambda x: ag.vjp(f, x)[1](1.0)[0]


MODES = [pytest.param(ag.grad, id="grad"), pytest.param(forward, id="jvp"), pytest.param(pulled, id="vjp")]

# ---------------------------------------------------------------------- arguments


def product(x, y, z=1.0):
    return x * y * y * z


@pytest.mark.parametrize("argnums,expected", [
    (0, 9.0), (1, 12.0), (-1, 12.0), (-2, 9.0), ((0,), (9.0,)), ((0, 1), (9.0, 12.0)), ((1, 0), (12.0, 9.0)), ([1], (12.0,)),
    (np.int64(1), 12.0), (range(2), (9.0, 12.0)), ((), ()),
])  # fmt: skip
def test_argnums(argnums, expected):
    assert ag.grad(product, argnums)(2.0, 3.0) == expected
    assert ag.value_and_grad(product, argnums)(2.0, 3.0) == (18.0, expected)


def test_what_is_not_differentiated_goes_in_as_it_is():
    seen = []

    def f(x, label, n, options=None):
        seen.append((label, n, options))
        return x * n

    assert ag.grad(f)(2.0, "label", 3, options={"a": 1}) == 3.0
    assert ag.grad(product, 1)(2, 3.0, z=10) == 120.0
    assert seen == [("label", 3, {"a": 1})]


def test_results_are_plain_and_like_the_arguments():
    value, gradient = ag.value_and_grad(lambda x: x * x)(3.0)
    assert (value, gradient) == (9.0, 6.0) and type(value) is type(gradient) is float
    value, gradient = ag.value_and_grad(lambda x: (x * x).sum())(np.ones((2, 3), np.float32))
    assert not isinstance(value, Node) and type(gradient) is np.ndarray
    assert gradient.dtype == value.dtype == np.float32 and gradient.shape == (2, 3)
    assert ag.grad(lambda x: x * x)(np.float64(3.0)) == ag.grad(lambda x: x * x)(np.array(3.0)) == 6.0
    assert ag.grad(lambda x: 3.0)(2.0) == 0.0, "an output that does not depend has the derivative 0"
    np.testing.assert_array_equal(ag.grad(lambda x: 3.0)(np.ones(2)), [0.0, 0.0])
    np.testing.assert_array_equal(ag.grad(lambda x, y: y * 2, 0)(np.ones(2), 1.0), [0.0, 0.0])
    assert ag.grad(lambda x: x)(2.0) == 1.0
    assert ag.jvp(lambda x: 3.0, (2.0,), (1.0,)) == (3.0, 0.0)
    assert ag.vjp(lambda x: 3.0, 2.0)[1](1.0) == (0.0,)


def test_transforms_keep_the_name_and_the_words_of_a_function():
    for transform in (ag.grad, ag.value_and_grad):
        assert transform(test_argnums).__name__ == "test_argnums"
        assert transform(math.sqrt).__doc__ == math.sqrt.__doc__


def test_auxiliary_data():
    def f(x):
        return x * x, {"twice": 2 * x, "name": "f", "n": 3, "list": [x, None]}

    expected = {"twice": 6.0, "name": "f", "n": 3, "list": [3.0, None]}
    assert ag.grad(f, has_aux=True)(3.0) == (6.0, expected)
    assert ag.value_and_grad(f, has_aux=True)(3.0) == ((9.0, expected), 6.0)
    value, pullback, aux = ag.vjp(f, 3.0, has_aux=True)
    assert (value, pullback(1.0), aux) == (9.0, (6.0,), expected)
    assert ag.grad(lambda x: ag.grad(f, has_aux=True)(x)[0])(3.0) == 2.0


@pytest.mark.parametrize("outer", MODES)
def test_auxiliary_data_is_differentiated_by_an_outer_transform(outer):
    """Also where the output itself does not depend on the outer argument."""

    def f(x):
        return x * x, {"twice": 2 * x}

    def inner(x):
        return lambda y: (y * y, [x * y])

    assert outer(lambda x: ag.grad(f, has_aux=True)(x)[1]["twice"])(3.0) == 2.0
    assert outer(lambda x: ag.value_and_grad(inner(x), has_aux=True)(2.0)[0][1][0])(3.0) == 2.0
    assert outer(lambda x: ag.vjp(inner(x), 2.0, has_aux=True)[2][0])(3.0) == 2.0


# ---------------------------------------------------------------------- containers


class Layer(NamedTuple):
    W: Any
    b: Any


@dataclasses.dataclass
class Model:
    layers: Any
    scale: Any


@dataclasses.dataclass(frozen=True)
class Frozen:
    layers: Any
    scale: Any


class Numbers(list):
    """A list with a name."""


def loss_of(model, x):
    for layer in model.layers:
        x = ag.tanh(x @ layer.W + layer.b)
    return (x * model.scale["a"][0]).sum() + model.scale["b"]


@pytest.mark.parametrize("kind", [Model, Frozen])
def test_nested_arguments(kind):
    """Each number at the ends of the containers against central differences."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 3))
    ends = [rng.normal(size=shape) for shape in ((3, 2), (2,), (2, 2), (2,))]

    def model(*ends, scale=(0.7, 0.2)):
        layers = [Layer(*ends[:2]), Layer(*ends[2:])]
        return kind(layers, {"a": (scale[0], None), "b": scale[1]})

    gradient = ag.grad(loss_of)(model(*ends), x)
    assert type(gradient) is kind and type(gradient.layers[0]) is Layer and type(gradient.scale["a"][0]) is float
    assert gradient.scale["a"][1] is None and gradient.scale["b"] == 1.0
    h = 1e-6
    for k, (array, actual) in enumerate(zip(ends, [g for layer in gradient.layers for g in layer], strict=True)):
        expected = np.empty_like(array)
        for i in np.ndindex(array.shape):
            step = np.zeros_like(array)
            step[i] = h
            plus, minus = ([*ends[:k], array + s, *ends[k + 1 :]] for s in (step, -step))
            expected[i] = (loss_of(model(*plus), x) - loss_of(model(*minus), x)) / (2 * h)
        np.testing.assert_allclose(actual, expected, atol=1e-8)
    difference = (loss_of(model(*ends, scale=(0.7 + h, 0.2)), x) - loss_of(model(*ends, scale=(0.7 - h, 0.2)), x)) / (2 * h)
    assert gradient.scale["a"][0] == pytest.approx(difference, rel=1e-7)


@pytest.mark.parametrize("make", [
    lambda a, b: (a, b), lambda a, b: [a, b], lambda a, b: {"first": a, 2: b}, lambda a, b: Layer(a, b),
    lambda a, b: Model(a, {"n": [b]}), lambda a, b: Frozen((a,), b), lambda a, b: [[], (a, None), {}, [b]],
    lambda a, b: Numbers([a, b]), lambda a, b: collections.OrderedDict(z=a, y=b),
    lambda a, b: collections.defaultdict(list, {"a": a, "b": b}),
])  # fmt: skip
def test_a_result_is_a_container_like_the_argument(make):
    """f = Σ a² + 3b², with a and b picked out of every kind of container."""

    def ends(tree):
        if isinstance(tree, dict):
            return [x for part in tree.values() for x in ends(part)]
        if isinstance(tree, (tuple, list)):
            return [x for part in tree for x in ends(part)]
        if dataclasses.is_dataclass(tree):
            return [x for f in dataclasses.fields(tree) for x in ends(getattr(tree, f.name))]
        return [] if tree is None else [tree]

    def f(tree):
        a, b = ends(tree)
        return (a * a).sum() + 3.0 * b * b

    a = np.array([1.0, 2.0])
    gradient = ag.grad(f)(make(a, 5.0))
    expected = make(2 * a, 30.0)
    assert type(gradient) is type(expected)
    np.testing.assert_equal(ends(gradient)[0], [2.0, 4.0])
    assert ends(gradient)[1] == 30.0
    if isinstance(expected, dict):
        assert list(gradient) == list(expected)
    value, pullback = ag.vjp(f, make(a, 5.0))
    assert value == 80.0 and ends(pullback(2.0))[1] == 60.0
    assert ag.jvp(f, (make(a, 5.0),), (make(np.ones(2), 1.0),)) == (80.0, 36.0)


def test_outputs_in_containers():
    def f(x, y):
        return {"sum": x + y, "rest": (x * y, [3.0, None])}

    value, pullback = ag.vjp(f, 2.0, 5.0)
    assert value == {"sum": 7.0, "rest": (10.0, [3.0, None])}
    assert pullback({"sum": 1.0, "rest": (10.0, [100.0, None])}) == (51.0, 21.0)
    assert pullback({"sum": 1.0, "rest": (0.0, [0.0, None])}) == (1.0, 1.0), "a pullback can be called again and again"
    value, tangent = ag.jvp(f, (2.0, 5.0), (1.0, 10.0))
    assert value == {"sum": 7.0, "rest": (10.0, [3.0, None])}
    assert tangent == {"sum": 11.0, "rest": (25.0, [0.0, None])}


def test_dictionaries_are_matched_by_key_not_by_order():
    def f(d):
        return {"u": 10.0 * d["a"], "v": d["b"]}

    _, tangent = ag.jvp(f, ({"a": 1.0, "b": 2.0},), ({"b": 5.0, "a": 7.0},))
    assert tangent == {"u": 70.0, "v": 5.0}
    assert ag.vjp(f, {"a": 1.0, "b": 2.0})[1]({"v": 3.0, "u": 4.0}) == ({"a": 40.0, "b": 3.0},)
    _, pullback = ag.vjp(lambda d: [(d["a"], {"u": d["b"].sum(), "v": d["b"]})], {"a": 1.0, "b": np.ones(2)})
    (cotangent,) = pullback([(1.0, {"v": np.array([1.0, 2.0]), "u": 10.0})])
    np.testing.assert_array_equal(cotangent["b"], [11.0, 12.0])


def test_the_same_output_twice_gets_both_cotangents():
    assert ag.vjp(lambda x: (lambda y: (y, y))(x * x), 3.0)[1]((1.0, 10.0)) == (66.0,)
    assert ag.vjp(lambda x: [x, x], 3.0)[1]([1.0, 10.0]) == (11.0,)


# ---------------------------------------------------------------------- nesting


@pytest.mark.parametrize("a", MODES)
@pytest.mark.parametrize("b", MODES)
@pytest.mark.parametrize("c", MODES)
def test_any_three_derivatives_nest(a, b, c):
    """sin(x²)‴ = -12 x sin x² - 8 x³ cos x²."""
    with mpmath.workdps(30):
        expected = [float(mpmath.diff(lambda x: mpmath.sin(x * x), 0.7, n)) for n in (1, 2, 3)]

    def f(x):
        return ag.sin(x**2)

    actual = [c(f)(0.7), b(c(f))(0.7), a(b(c(f)))(0.7)]
    np.testing.assert_allclose(actual, expected, rtol=1e-13)
    assert all(type(x) is float for x in actual)


@pytest.mark.parametrize("outer", MODES)
@pytest.mark.parametrize("inner", MODES)
def test_no_perturbation_is_confused_with_another(outer, inner):
    """Siskind and Pearlmutter's examples, in every mixture of modes."""
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0
    assert outer(lambda x: x * inner(lambda y: x * y)(2.0))(3.0) == 6.0
    assert outer(lambda x: inner(lambda y: x * y * y)(x))(3.0) == 12.0  # 2xy at y = x is 2x²
    assert outer(lambda x: inner(lambda x: x**3)(x) * x)(2.0) == 36.0
    assert outer(lambda x: inner(lambda y: inner(lambda z: x * y * z)(5.0))(4.0))(3.0) == 1.0
    assert inner(lambda x: 3.0)(1.0) == outer(lambda x: inner(lambda y: x)(1.0))(1.0) == 0.0


def test_the_hessian_of_a_quadratic_form_in_all_four_mixtures():
    A = np.array([[2.0, 1.0, 0.0], [3.0, -1.0, 4.0], [0.5, 0.0, 1.0]])
    x, v = np.array([1.0, -2.0, 0.5]), np.array([0.3, 1.0, -1.0])

    def f(x):
        return x @ A @ x

    expected = (A + A.T) @ v
    for actual in (
        ag.jvp(ag.grad(f), (x,), (v,))[1], ag.grad(lambda x: (ag.grad(f)(x) * v).sum())(x),
        ag.grad(lambda x: ag.jvp(f, (x,), (v,))[1])(x), ag.vjp(ag.grad(f), x)[1](v)[0],
    ):  # fmt: skip
        np.testing.assert_allclose(actual, expected, rtol=1e-14)
    second = ag.jvp(lambda x: ag.jvp(f, (x,), (v,))[1], (x,), (v,))[1]
    assert second == pytest.approx(v @ expected, rel=1e-14)


def test_a_derivative_inside_a_loss():
    """d/dw of (f_w'(x))² for f = sin(w x): f' = w cos(w x), so 2 f' (cos(wx) - w x sin(wx))."""
    x, w = 0.4, 1.3

    def loss(w):
        return ag.grad(lambda x: ag.sin(w * x))(x) ** 2

    expected = 2 * w * math.cos(w * x) * (math.cos(w * x) - w * x * math.sin(w * x))
    assert ag.grad(loss)(w) == pytest.approx(expected, rel=1e-14)
    assert forward(loss)(w) == pytest.approx(expected, rel=1e-14)


# ---------------------------------------------------------------------- nodes in, nodes out


def test_a_captured_node_makes_the_pass_record():
    w = ag.Scalar(3.0)
    for derivative in (ag.grad, forward, pulled):
        g = derivative(lambda x: x * x * w)(2.0)
        assert isinstance(g, ag.Scalar) and g.value == 12.0
        g.backward()
        assert w.grad == 4.0
    value, gradient = ag.value_and_grad(lambda x: x * w)(2.0)
    assert isinstance(value, Node) and isinstance(gradient, Node)
    assert w.grad == 4.0, "transforms never touch grad"
    value.backward()
    assert w.grad == 2.0


def test_an_argument_that_is_a_node_makes_the_pass_record():
    x = ag.Tensor([1.0, 2.0])
    g = ag.grad(lambda x: (x**3).sum())(x)
    assert isinstance(g, ag.Tensor) and x.grad is None
    g.sum().backward()
    np.testing.assert_array_equal(x.grad, [6.0, 12.0])
    y, t = ag.jvp(lambda x: x**3, (x,), (np.ones(2),))
    assert isinstance(y, Node)
    t.sum().backward()
    np.testing.assert_array_equal(x.grad, [6.0, 12.0])
    t = ag.Scalar(2.0)
    _, tangent = ag.jvp(lambda x: x * x, (3.0,), (t,))
    tangent.backward()
    assert tangent.value == 12.0 and t.grad == 6.0
    _, tangent = ag.jvp(lambda x: x * x, (np.ones(2, np.float32),), (ag.Tensor([1.0, 2.0]),))
    assert isinstance(tangent, Node) and tangent.dtype == np.float32
    c = ag.Scalar(2.0)
    (cotangent,) = ag.vjp(lambda x: x * x, 3.0)[1](c)
    cotangent.backward()
    assert cotangent.value == 12.0 and c.grad == 6.0


def test_a_captured_node_that_the_output_does_not_need():
    w = ag.Scalar(3.0)
    result = ag.grad(lambda x: (x * x, w * 2)[0])(2.0)
    assert result == 4.0 and type(result) is float
    g = ag.grad(lambda x: w * 2)(2.0)  # does not depend on x
    assert float(g) == 0.0


def test_transforms_never_touch_grad():
    w = ag.Tensor([1.0, 2.0])
    (w * 2).sum().backward()
    before = w.grad
    ag.grad(lambda x: (x * w).sum())(np.ones(2))
    ag.jvp(lambda x: x * w, (np.ones(2),), (np.ones(2),))
    ag.vjp(lambda x: x * w, w)[1](np.ones(2))
    assert w.grad is before


# ---------------------------------------------------------------------- stop_gradient


@pytest.mark.parametrize("derivative", MODES)
def test_stop_gradient(derivative):
    assert derivative(lambda x: x * ag.stop_gradient(x))(3.0) == 3.0
    assert derivative(lambda x: ag.stop_gradient(x * x))(3.0) == 0.0
    assert derivative(derivative(lambda x: x**3 + ag.stop_gradient(x) * x**2))(2.0) == 16.0  # 6x + 2c
    # the straight-through estimator: the value of round, the derivative of x
    assert derivative(lambda x: x + ag.stop_gradient(ag.round(x) - x))(2.7) == 1.0


def test_stop_gradient_in_containers():
    x = ag.Tensor([1.0, 2.0])
    stopped = ag.stop_gradient({"a": x, "b": (ag.Scalar(2.0), [3, "c", None])})
    assert stopped["b"] == (2.0, [3, "c", None]) and type(stopped["a"]) is np.ndarray
    np.testing.assert_array_equal(stopped["a"], [1.0, 2.0])


# ---------------------------------------------------------------------- memory


@pytest.mark.parametrize("size", [3, 20_000])
@pytest.mark.parametrize("f", [
    lambda x: x, lambda x: x * 1.0, lambda x: x.reshape(-1), lambda x: x[::-1], lambda x: x + 0.0, lambda x: -x,
    lambda x: (x, x), lambda x: [x, x.T],
])  # fmt: skip
def test_results_never_alias_inputs_or_each_other(f, size):
    """What a caller does with a result changes no argument and no other result."""
    x, t = np.arange(1.0, size + 1), np.ones(size)
    value, tangent = ag.jvp(f, (x,), (t,))
    tangents = list(tangent) if isinstance(tangent, (tuple, list)) else [tangent]
    for k, array in enumerate(tangents):
        array[:] = 100.0 + k
    assert (t == 1.0).all() and (x == np.arange(1.0, size + 1)).all()
    assert all((array == 100.0 + k).all() for k, array in enumerate(tangents))
    values, pullback = ag.vjp(f, x)
    cotangent = type(values)(t for _ in values) if isinstance(values, (tuple, list)) else t
    (first,), (second,) = pullback(cotangent), pullback(cotangent)
    expected = second.copy()
    first[:] = 100.0
    np.testing.assert_array_equal(second, expected)
    assert (t == 1.0).all() and (x == np.arange(1.0, size + 1)).all()
    del value, values, pullback
    x[:] = 0.0  # no lock is left


def test_gradients_do_not_alias_each_other():
    x, y = np.ones(3), np.ones(3)
    for f in (lambda x, y: (x + y).sum(), lambda x, y: (x.reshape(3, 1) + y.reshape(3, 1)).sum(), lambda x, y: x.sum()):
        gx, gy = ag.grad(f, (0, 1))(x, y)
        gx[:] = 100.0
        assert (gy != 100.0).all() and (x == 1.0).all() and (y == 1.0).all()
    g = ag.grad(lambda d: (d["a"] + d["b"]).sum())({"a": x, "b": x})
    g["a"] += 1.0
    np.testing.assert_array_equal(g["b"], 1.0)


def test_a_captured_array_is_not_changed_through_a_gradient():
    c = np.arange(3.0)
    g = ag.grad(lambda x: (x * c).sum())(np.ones(3))
    g[:] = 100.0
    np.testing.assert_array_equal(c, [0.0, 1.0, 2.0])


# ---------------------------------------------------------------------- checks of people's own functions


def test_check_grads_passes_what_is_right():
    ag.check_grads(lambda x, d: ag.sin(x) * d["a"] + (d["b"][0] ** 2).sum(), (0.5, {"a": 2.0, "b": [np.ones(2)]}), order=3)


@pytest.mark.parametrize("mode", ["rev", "fwd"])
def test_check_grads_finds_what_is_wrong_at_second_order_alone(mode):
    """The first derivative of x·x with a factor stopped, made right at first order by a term that is 0."""

    def f(x):
        return ag.stop_gradient(x) * x + ag.stop_gradient(x) * (x - ag.stop_gradient(x))

    ag.check_grads(f, (1.5,), order=1, modes=(mode,), rtol=1e-6, atol=1e-8)
    with pytest.raises(AssertionError, match=r"mode of (reverse|forward) mode is off"):
        ag.check_grads(f, (1.5,), order=2, modes=(mode,))


# ---------------------------------------------------------------------- random expressions

UNARY = {
    "sin": ag.sin, "exp of tanh": lambda x: ag.exp(ag.tanh(x)), "negative": lambda x: -x, "sigmoid": ag.sigmoid,
    "softplus": ag.softplus, "sqrt": lambda x: ag.sqrt(x * x + 1.0), "log": lambda x: ag.log(2.0 + ag.sin(x)),
    "square": lambda x: ag.square(x) * 0.2, "power": lambda x: (1.5 + ag.cos(x)) ** 1.7, "atan": np.arctan,
    "expm1": lambda x: ag.expm1(ag.sin(x)), "reciprocal": lambda x: 1 / (2.0 + ag.cos(x)), "where": lambda x: ag.where(True, x, ag.log(x)),
}  # fmt: skip
BINARY = {
    "add": lambda x, y: x + y, "subtract": lambda x, y: x - y, "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / (2.0 + ag.sin(y)), "logaddexp": ag.logaddexp, "hypot": lambda x, y: np.hypot(x, 1.0 + y * y),
    "atan2": lambda x, y: np.arctan2(x, 2.0 + y * y), "power": lambda x, y: (2.0 + ag.sin(x)) ** ag.tanh(y),
}  # fmt: skip
REDUCTIONS = {
    "sum": ag.sum, "mean": np.mean, "logsumexp": ag.logsumexp, "norm": lambda x, **k: ag.norm(1.0 + x * x, **k), "var": np.var,
    "prod": lambda x, **k: ag.prod(1.0 + 0.3 * ag.sin(x), **k),
}  # fmt: skip
SHAPES = [(), (1,), (3,), (2, 1), (1, 3), (2, 3), (4, 1, 3), (4, 2, 1)]  # any two broadcast

trees = st.recursive(
    st.tuples(st.just("leaf"), st.integers(0, 2)) | st.tuples(st.just("number"), st.floats(-2, 2)),
    lambda inner: st.one_of(
        st.tuples(st.just("unary"), st.sampled_from(sorted(UNARY)), inner),
        st.tuples(st.just("binary"), st.sampled_from(sorted(BINARY)), inner, inner),
        st.tuples(st.just("reduction"), st.sampled_from(sorted(REDUCTIONS)), inner, st.integers(0, 3), st.booleans()),
    ),
    max_leaves=8,
)


def evaluated(tree, leaves):
    kind, what, *inner = tree
    if kind == "leaf":
        return leaves[what]
    if kind == "number":
        return what
    if kind == "unary":
        return UNARY[what](evaluated(inner[0], leaves))
    if kind == "binary":
        return BINARY[what](evaluated(inner[0], leaves), evaluated(inner[1], leaves))
    x = evaluated(inner[0], leaves)
    ndim = len(np.shape(x) if not isinstance(x, Node) else x.shape)
    axis = inner[1] if inner[1] < ndim else None
    # keeping the axes lets what follows broadcast against the leaves again
    return REDUCTIONS[what](x, axis=axis, keepdims=inner[2] or axis is not None)


def flat(tree):
    return np.concatenate([np.ravel(x) for x in tree])


@settings(max_examples=150, deadline=None)
@given(tree=trees, shapes=st.tuples(*[st.sampled_from(SHAPES)] * 3), seed=st.integers(0, 2**16), scalars=st.booleans())
def test_random_expressions(tree, shapes, seed, scalars):
    """Reverse mode against the slope of the function itself, and both modes by ⟨Jᵀg, t⟩ = ⟨g, Jt⟩."""
    rng = np.random.default_rng(seed)
    points, directions = ([rng.uniform(-1.5, 1.5, shape) for shape in shapes] for _ in range(2))
    if scalars:  # Python floats where the shape allows
        points, directions = ([float(x) if x.shape == () else x for x in xs] for xs in (points, directions))

    def f(*xs):
        with np.errstate(divide="ignore", invalid="ignore"):  # of a branch that is not taken
            return evaluated(tree, xs)

    weights = rng.normal(size=np.shape(f(*points)))[()]

    def along(t):
        return float(np.sum(weights * f(*[x + t * d for x, d in zip(points, directions, strict=True)])))

    h = 1e-3
    slope = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
    value, tangent = ag.jvp(f, tuple(points), tuple(directions))
    np.testing.assert_allclose(value, f(*points), rtol=1e-13, atol=1e-13)
    gradient = ag.grad(lambda *xs: ag.sum(weights * f(*xs)), (0, 1, 2))(*points)
    for g, x in zip(gradient, points, strict=True):
        assert np.shape(g) == np.shape(x) and type(g) in (float, np.ndarray, np.float64)
    pushed = float(np.sum(weights * tangent))
    pulled = float(flat(gradient) @ flat(directions))
    size = 1.0 + np.abs(flat(gradient)) @ np.abs(flat(directions))
    assert pulled == pytest.approx(pushed, rel=1e-12, abs=1e-12 * size)
    assert pulled == pytest.approx(slope, rel=1e-6, abs=1e-7 * size)
    second = ag.jvp(lambda *xs: ag.jvp(f, xs, tuple(directions))[1], tuple(points), tuple(directions))[1]
    curve = ag.jvp(ag.grad(lambda *xs: ag.sum(weights * f(*xs)), (0, 1, 2)), tuple(points), tuple(directions))[1]
    assert flat(curve) @ flat(directions) == pytest.approx(float(np.sum(weights * second)), rel=1e-10, abs=1e-10 * size**2)

"""checkpoint, custom_jvp, custom_vjp: functions that are single nodes of the graph, in every transform."""

import dataclasses
import gc
import math
import weakref
from typing import Any

import numpy as np
import pytest

import ag
from ag.node import Node

rng = np.random.default_rng(0)
X, W = rng.normal(size=(4, 3)), rng.normal(size=(3, 3))


def layer(x, params):
    """Several results of several kinds: arrays, a number, an integer, nothing."""
    h = ag.tanh(x @ params["W"] + params["s"])
    return h, {"norm": (x * x).sum(), "n": 3, "none": None}


def loss_with(f):
    def loss(x, W):
        h, rest = f(x, {"W": W, "s": 0.5})
        return (h * h).sum() * rest["norm"] * rest["n"]

    return loss


@ag.custom_jvp
def with_jvp(x, params):
    """As `layer`, computed by something that knows nothing of nodes."""
    assert not isinstance(x, Node) and not isinstance(params["s"], Node)
    return layer(x, params)


@with_jvp.defjvp
def _(primals, tangents):
    (x, params), (tx, tp) = primals, tangents
    h = ag.tanh(x @ params["W"] + params["s"])
    th = (1 - h * h) * (tx @ params["W"] + x @ tp["W"] + tp["s"])
    result = h, {"norm": (x * x).sum(), "n": 3, "none": None}
    return result, (th, {"norm": 2 * (x * tx).sum(), "n": 0, "none": None})


@ag.custom_vjp
def with_vjp(x, params):
    return layer(x, params)


def _forward(x, params):
    h, rest = layer(x, params)
    return (h, rest), (x, params, h)


def _backward(residuals, cotangent):
    x, params, h = residuals
    gh, rest = cotangent
    assert rest["none"] is None and np.all(np.asarray(rest["n"]) == 0)
    gz = gh * (1 - h * h)
    return gz @ params["W"].T + 2 * x * rest["norm"], {"W": x[:, None] * gz[None, :], "s": gz.sum()}


with_vjp.defvjp(_forward, _backward)

BOTH_MODES = {
    "grad": lambda f: ag.grad(f, (0, 1))(X[0], W),
    "value and grad": lambda f: ag.value_and_grad(f, 1)(X[0], W),
    "grad of grad": lambda f: ag.grad(lambda x, W: (ag.grad(f)(x, W) ** 2).sum(), (0, 1))(X[0], W),
    "jacrev of grad": lambda f: ag.jacrev(ag.grad(f, 1))(X[0], W),
    "vmap": lambda f: ag.vmap(f, (0, None))(X, W),
    "vmap of grad": lambda f: ag.vmap(ag.grad(f, (0, 1)), (0, None))(X, W),
    "grad of vmap": lambda f: ag.grad(lambda X, W: ag.vmap(f, (0, None))(X, W).sum(), (0, 1))(X, W),
    "jacrev of vmap": lambda f: ag.jacrev(ag.vmap(f, (0, None)), 1)(X, W),
    "vmap of vmap": lambda f: ag.vmap(ag.vmap(ag.grad(f), (None, 0)), (0, None))(X, np.stack([W, 2 * W])),
    "vmap of jacrev of grad": lambda f: ag.vmap(ag.jacrev(ag.grad(f)), (0, None))(X, W),
    "a captured batch": lambda f: ag.vmap(lambda x: ag.grad(lambda s: f(s * x, W))(2.0))(X),
    "vjp": lambda f: ag.vjp(f, X[0], W)[1](2.0),
    "plain": lambda f: f(X[0], W),
}
FORWARD = {
    "jvp": lambda f: ag.jvp(f, (X[0], W), (X[1], W.T)),
    "hessian": lambda f: ag.hessian(f)(X[0], W),
    "jacfwd": lambda f: ag.jacfwd(f, (0, 1))(X[0], W),
    "jvp of jvp": lambda f: ag.jvp(lambda x: ag.jvp(f, (x, W), (X[1], W))[1], (X[0],), (X[2],)),
    "jvp of vmap of grad": lambda f: ag.jvp(lambda X: ag.vmap(ag.grad(f), (0, None))(X, W), (X,), (X,)),
    "vmap of hessian": lambda f: ag.vmap(ag.hessian(f), (0, None))(X, W),
    "hvp": lambda f: ag.hvp(f, (X[0], W), (X[1], W)),
}


def flat(result):
    return [x for part in result for x in flat(part)] if isinstance(result, tuple) else [result]


@pytest.mark.parametrize("how", [*BOTH_MODES, *FORWARD])
@pytest.mark.parametrize("kind", [ag.checkpoint(layer), with_jvp, with_vjp], ids=["checkpoint", "custom_jvp", "custom_vjp"])
def test_the_same_as_without_a_rule(kind, how):
    if kind is with_vjp and how in FORWARD:
        pytest.skip("has no forward mode")
    transform = {**BOTH_MODES, **FORWARD}[how]
    for actual, expected in zip(flat(transform(loss_with(kind))), flat(transform(loss_with(layer))), strict=True):
        assert type(actual) is type(expected)
        np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kind", [ag.checkpoint(lambda s: ag.exp(s) * s), None], ids=["checkpoint", "custom_jvp"])
def test_scalars_stay_scalars(kind):
    if kind is None:
        kind = ag.custom_jvp(lambda s: math.exp(s) * s)
        kind.defjvps(lambda t, y, s: t * ag.exp(s) * (1 + s))
    s = ag.Scalar(2.0)
    y = kind(s)
    assert isinstance(y, ag.Scalar) and y.inputs == (s,)
    y.backward()
    assert s.grad == pytest.approx(3 * math.exp(2))
    assert ag.grad(ag.grad(kind))(1.0) == pytest.approx(3 * math.e)
    assert f"∂f/∂z1 = 1 · (∂ {y.op.name} / (∂ z1))" in str(ag.explain(y)), "explained by its numbers, as it has no text"


# ---------------------------------------------------------------------- checkpoint


def test_a_checkpoint_keeps_nothing_and_runs_again():
    calls, kept = [], []

    @ag.checkpoint
    def f(x):
        calls.append(1)
        y = ag.exp(x * 2)
        kept.append(weakref.ref(y.value))
        return y.sum()

    x = ag.Tensor(np.ones(20_000))
    y = f(x)
    gc.collect()
    assert len(calls) == 1 and kept[0]() is None and y.inputs == (x,)
    y.backward()
    assert len(calls) == 2
    np.testing.assert_allclose(x.grad, 2 * np.exp(2))


def test_a_checkpoint_runs_once_for_all_of_its_arguments():
    calls = []

    @ag.checkpoint
    def f(*xs):
        calls.append(1)
        return sum(xs)

    ag.grad(f, (0, 1, 2))(1.0, 2.0, 3.0)
    assert len(calls) == 2
    calls.clear()
    ag.jacrev(lambda x: f(x, x) * np.ones(5))(2.0)
    assert len(calls) == 2


def test_a_checkpoint_may_capture_nodes():
    w, v = ag.Tensor(W), ag.Scalar(2.0)
    f = ag.checkpoint(lambda x: ag.tanh(x @ w) * v)
    y = f(X[0]).sum()
    y.backward()
    w2, v2 = ag.Tensor(W), ag.Scalar(2.0)
    (ag.tanh(X[0] @ w2) * v2).sum().backward()
    np.testing.assert_allclose(w.grad, w2.grad)
    assert v.grad == v2.grad
    assert ag.grad(lambda a: ag.checkpoint(lambda: a * a)())(3.0) == 6.0
    assert ag.grad(ag.grad(lambda a: ag.checkpoint(lambda x: x * a * a)(a)))(3.0) == 18.0
    assert ag.jvp(lambda a: ag.checkpoint(lambda x: x * a * a)(2.0), (3.0,), (1.0,)) == (18.0, 12.0)


def test_checkpoints_in_checkpoints():
    inner = ag.checkpoint(lambda x: ag.sin(x) * x)
    outer = ag.checkpoint(lambda x: inner(inner(x)))
    plain = lambda x: ag.sin(ag.sin(x) * x) * ag.sin(x) * x  # noqa: E731
    for transform in (ag.grad, ag.hessian, lambda f: ag.grad(ag.grad(ag.grad(f)))):
        assert transform(outer)(0.7) == pytest.approx(transform(plain)(0.7), rel=1e-12)


def test_a_checkpoint_of_a_branch_not_taken():
    f = ag.checkpoint(lambda x: ag.where(x > 0, ag.sqrt(x), x))
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(ag.grad(lambda x: f(x).sum())(np.array([-1.0, 4.0])), [1.0, 0.25])
        np.testing.assert_array_equal(ag.jacrev(f)(np.array([-1.0, 4.0])), [[1.0, 0.0], [0.0, 0.25]])


# ---------------------------------------------------------------------- rules of people's own


def test_the_example_of_a_logarithm_that_overflows():
    @ag.custom_jvp
    def log1pexp(x):
        return np.log1p(np.exp(x))

    @log1pexp.defjvp
    def _(primals, tangents):
        (x,), (t,) = primals, tangents
        return log1pexp(x), t * (1 - 1 / (1 + ag.exp(x)))

    with np.errstate(over="ignore"):
        assert ag.grad(log1pexp)(1e3) == 1.0
    assert ag.hessian(log1pexp)(0.3) == pytest.approx(ag.hessian(ag.softplus)(0.3))
    assert log1pexp.__name__ == "log1pexp"


def test_code_that_knows_no_nodes():
    """The function is given floats and arrays, so it may branch, and call what it likes."""

    @ag.custom_vjp
    def f(x, n):
        return math.sin(x) if x > 0 else math.cos(x) * n

    f.defvjp(lambda x, n: (f(x, n), (x, n)), lambda r, g: (g * (math.cos(r[0]) if r[0] > 0 else -math.sin(r[0]) * r[1]), None))
    assert ag.grad(f)(1.0, 2) == math.cos(1.0) and ag.grad(f)(-1.0, 2) == pytest.approx(-2 * math.sin(-1.0))
    assert f(1.0, 2) == math.sin(1.0)


def test_arguments_that_are_not_differentiated():
    power = ag.custom_jvp(lambda g, x, n: g(x) ** n, nondiff_argnums=(0, 2))

    @power.defjvp
    def _(g, n, primals, tangents):
        (x,), (t,) = primals, tangents
        y, ty = ag.jvp(g, (x,), (t,))
        return y**n, n * y ** (n - 1) * ty

    assert ag.grad(lambda x: power(ag.sin, x, 3))(0.5) == pytest.approx(3 * math.sin(0.5) ** 2 * math.cos(0.5))
    with pytest.raises(TypeError, match="argument 2 is among nondiff_argnums.*derivative would be lost"):
        ag.grad(lambda n: power(ag.sin, 0.5, n))(3.0)

    scaled = ag.custom_vjp(lambda x, k: x * k, nondiff_argnums=(1,))
    scaled.defvjp(lambda x, k: (x * k, None), lambda k, residuals, g: (g * k,))
    assert ag.grad(scaled)(2.0, 5) == 5.0


def test_keyword_arguments():
    @ag.custom_jvp
    def f(x, y=2.0, *, n=1):
        return x * y**n

    @f.defjvp
    def _(primals, tangents):
        (x, y), (tx, ty) = primals, tangents
        return f(x, y), tx * y + x * ty

    assert ag.grad(f)(3.0) == 2.0 and ag.grad(lambda y: f(3.0, y=y))(5.0) == 3.0
    with pytest.raises(TypeError, match="by keyword alone"):
        ag.grad(lambda n: f(3.0, n=n))(1.0)


@dataclasses.dataclass
class Model:
    scale: Any

    @ag.custom_jvp
    def __call__(self, x):
        return self.scale * x

    @__call__.defjvp
    def _(primals, tangents):
        (self, x), (ts, tx) = primals, tangents
        return self.scale * x, ts.scale * x + self.scale * tx


def test_methods():
    assert ag.grad(lambda s: Model(s)(5.0))(2.0) == 5.0 and ag.grad(Model(2.0))(5.0) == 2.0


def test_one_rule_for_each_argument():
    f = ag.custom_jvp(lambda x, y: (x * y, x))
    f.defjvps(lambda t, ans, x, y: (t * y, t), lambda t, ans, x, y: (t * x, 0 * t))
    assert ag.jacrev(lambda x, y: f(x, y)[0], (0, 1))(2.0, 3.0) == (3.0, 2.0)
    g = ag.custom_jvp(lambda x, y: x * y)
    g.defjvps(lambda t, ans, x, y: t * y, None)
    assert ag.grad(g, (0, 1))(2.0, 3.0) == (3.0, 0.0)


def test_a_rule_that_changes_the_gradient():
    reverse = ag.custom_vjp(lambda x: x)
    reverse.defvjp(lambda x: (x, None), lambda residuals, g: (-g,))
    assert ag.grad(lambda x: reverse(x) * 3)(1.0) == -3.0


def test_results_of_a_function_are_its_own():
    buffer = np.zeros(3)

    @ag.custom_jvp
    def f(x):
        buffer[:] = x
        return buffer

    f.defjvps(lambda t, y, x: t * y)
    x = ag.Tensor(np.ones(3))
    y = f(x)
    buffer[:] = 100.0
    y.backward(np.ones(3))
    np.testing.assert_array_equal(x.grad, 1.0)


def no_rule(kind):
    return kind(lambda x: x * 2)


def bad(kind, *rules):
    f = kind(lambda x: x * 2)
    (f.defjvp if kind is ag.custom_jvp else f.defvjp)(*rules)
    return f


def forward(x):
    return x * 2, None


w = ag.Scalar(2.0)


@pytest.mark.parametrize("f,words", [
    (no_rule(ag.custom_jvp), "has no rule yet.*defjvp"), (no_rule(ag.custom_vjp), "has no rule yet.*defvjp"),
    (bad(ag.custom_jvp, lambda p, t: t[0]), r"returns \(output, tangent\)"), (bad(ag.custom_jvp, lambda p, t: (p[0], (t[0],))), "not nested as the output"),
    (bad(ag.custom_jvp, lambda p, t: (p[0], t[0] * np.ones(2))), r"tangent of shape \(2,\) for an output of shape \(\)"),
    (bad(ag.custom_vjp, lambda x: x, lambda r, g: (g,)), r"returns \(output, residuals\)"),
    (bad(ag.custom_vjp, forward, lambda r, g: g), "tuple with one cotangent for each of the 1 arguments"), (bad(ag.custom_vjp, forward, lambda r, g: (g, g)), "got 2 cotangents"),
    (bad(ag.custom_vjp, forward, lambda r, g: ([g],)), "argument 0 that is not nested"), (bad(ag.custom_vjp, forward, lambda r, g: (g * np.ones(2),)), r"shape \(2,\)"),
])  # fmt: skip
def test_errors(f, words):
    with pytest.raises(TypeError, match=words):
        ag.grad(f)(1.0)


@pytest.mark.parametrize("kind", [ag.custom_jvp, ag.custom_vjp])
def test_a_captured_node_is_refused(kind):
    f = kind(lambda x: x * w)
    if kind is ag.custom_jvp:
        f.defjvp(lambda p, t: (p[0] * w, t[0] * w))
    else:
        f.defvjp(lambda x: (x * w, None), lambda r, g: (g * w,))
    with pytest.raises(TypeError, match="captures a node.*pass the node as an argument"):
        ag.grad(f)(1.0)


def test_forward_mode_of_a_rule_for_reverse_mode_names_the_argument():
    with pytest.raises(TypeError, match="argument 1 was asked for in forward mode.*custom_jvp"):
        ag.jvp(lambda W: loss_with(with_vjp)(X[0], W), (W,), (W,))
    with pytest.raises(TypeError, match="argument 0 and 1"):
        ag.jacfwd(loss_with(with_vjp), (0, 1))(X[0], W)
    with pytest.raises(TypeError, match="takes a function"):
        ag.custom_jvp(3)
    with pytest.raises(TypeError, match="takes a function"):
        ag.checkpoint(3)


def test_complex_numbers():
    """d/dz eᶻz = eᶻ(1 + z); the gradient of a real function of z is ∂/∂x + i ∂/∂y."""
    z = rng.normal(size=3) + 1j * rng.normal(size=3)
    batch = np.stack([z, 2 * z])

    def body(z):
        return ag.exp(z) * z

    forward = ag.custom_jvp(body)
    forward.defjvps(lambda t, y, z: t * ag.exp(z) * (1 + z))
    reverse = ag.custom_vjp(body)
    reverse.defvjp(lambda z: (body(z), z), lambda z, g: (g * ag.conj(ag.exp(z) * (1 + z)),))
    plain = ag.grad(lambda z: ag.abs(body(z) * (1 + 2j)).sum())
    for f in (ag.checkpoint(body), forward, reverse):
        gradient = ag.grad(lambda z, f=f: ag.abs(f(z) * (1 + 2j)).sum())
        np.testing.assert_allclose(gradient(z), plain(z), rtol=1e-12)
        np.testing.assert_allclose(ag.vmap(gradient)(batch), [plain(z) for z in batch], rtol=1e-12)
        if f is not reverse:
            np.testing.assert_allclose(ag.jvp(f, (z,), (z,))[1], np.exp(z) * (1 + z) * z, rtol=1e-12)

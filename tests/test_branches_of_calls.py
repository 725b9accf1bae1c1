"""Branches that are not taken, where the branch is a call that the graph holds as one node."""

import numpy as np
import pytest

import ag


@ag.custom_jvp
def forward_root(x):
    return np.sqrt(x)


@forward_root.defjvp
def _(primals, tangents):
    return forward_root(*primals), tangents[0] / (2 * ag.sqrt(primals[0]))


@ag.custom_vjp
def reverse_root(x):
    return np.sqrt(x)


reverse_root.defvjp(lambda x: (reverse_root(x), x), lambda x, g: (g / (2 * ag.sqrt(x)),))


def solved_root(x):
    """A fixed point that is found at once: y = √x, with ∂y/∂x as infinite as that of √x."""
    return ag.fixed_point(lambda y, x: ag.sqrt(x), np.zeros(np.shape(x)), x, solver=lambda g, y: g(y))


ROOTS = {
    "checkpoint": ag.checkpoint(ag.sqrt),
    "checkpoint of a checkpoint": ag.checkpoint(ag.checkpoint(lambda x: ag.sqrt(x))),
    "custom_jvp": forward_root,
    "checkpoint of custom_jvp": ag.checkpoint(lambda x: forward_root(x)),
    "custom_vjp": reverse_root,
}
POINTS = [np.array([-1.0, 4.0]), np.array([0.0, 4.0])]  # √ is nan at one, and infinitely steep at the other


def chosen(root):
    return lambda x: ag.where(x > 0, root(x), x)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("x", POINTS, ids=["nan", "inf"])
@pytest.mark.parametrize("root", ROOTS.values(), ids=ROOTS)
def test_a_call_that_is_not_taken_contributes_nothing(root, x):
    f = chosen(root)
    jacobian = [[1.0, 0.0], [0.0, 0.25]]
    np.testing.assert_array_equal(ag.grad(lambda x: f(x).sum())(x), [1.0, 0.25])
    np.testing.assert_array_equal(ag.jacrev(f)(x), jacobian)
    np.testing.assert_array_equal(ag.vmap(ag.grad(f))(x), [1.0, 0.25])
    np.testing.assert_array_equal(ag.grad(lambda x: ag.vmap(f)(x).sum())(x), [1.0, 0.25])
    np.testing.assert_array_equal([ag.grad(f)(float(n)) for n in x], [1.0, 0.25])
    if root is not reverse_root:
        np.testing.assert_array_equal(ag.jacfwd(f)(x), jacobian)
        np.testing.assert_array_equal(ag.jvp(f, (x,), (np.ones(2),))[1], [1.0, 0.25])


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("x", POINTS, ids=["nan", "inf"])
@pytest.mark.parametrize("root", ROOTS.values(), ids=ROOTS)
def test_nor_at_second_order(root, x):
    """Σ x² where x ≤ 0 and Σ √x³ elsewhere: the second derivatives are 2 and ¾ / √x."""
    f = lambda x: (ag.where(x > 0, root(x) ** 3, x**2)).sum()  # noqa: E731
    hessian = [[2.0, 0.0], [0.0, 0.375]]
    np.testing.assert_allclose(ag.jacrev(ag.grad(f))(x), hessian, rtol=1e-15)
    if root is not reverse_root:
        for outer, inner in [(ag.jacfwd, ag.grad), (ag.jacrev, ag.jacfwd), (ag.jacfwd, ag.jacfwd)]:
            np.testing.assert_allclose(outer(inner(f))(x), hessian, rtol=1e-15)


@pytest.mark.parametrize("mode", [ag.jacrev, ag.jacfwd])
def test_a_solution_that_is_not_taken_contributes_nothing(mode):
    f = chosen(solved_root)
    assert mode(f)(0.0) == 1.0
    np.testing.assert_array_equal(ag.vmap(mode(f))(np.array([0.0, 4.0])), [1.0, 0.25])
    square = lambda x: ag.where(x > 0, solved_root(x) ** 3, x**2)  # noqa: E731
    np.testing.assert_allclose(ag.vmap(mode(mode(square)))(np.array([0.0, 4.0])), [2.0, 0.375], rtol=1e-12)


def test_the_system_of_a_solution_is_dense_within_an_example():
    """One number of the solution is taken: the system couples it to the others, so all can depend, and 0 · inf is nan."""
    x = np.array([0.0, 4.0])
    gradient = ag.grad(lambda x: chosen(solved_root)(x).sum())(x)
    assert np.isnan(gradient[0])
    assert gradient[1] == 0.25


@pytest.mark.parametrize("mode", [ag.jacrev, ag.jacfwd])
@pytest.mark.parametrize("kind", ["checkpoint", "custom_jvp", "custom_vjp"])
def test_a_choice_within_the_call(kind, mode):
    """The call chooses; what it does not take was computed outside of it."""

    def choice(x, y):
        return ag.where(x > 0, y, x)

    if kind == "checkpoint":
        f = ag.checkpoint(choice)
    elif kind == "custom_jvp":
        f = ag.custom_jvp(choice)
        f.defjvp(lambda p, t: (f(*p), ag.where(p[0] > 0, t[1], t[0])))
    else:
        if mode is ag.jacfwd:
            pytest.skip("a rule for reverse mode alone")
        f = ag.custom_vjp(choice)
        f.defvjp(lambda x, y: (f(x, y), x > 0), lambda taken, g: (ag.where(taken, 0.0, g), ag.where(taken, g, 0.0)))
    np.testing.assert_array_equal(mode(lambda x: f(x, ag.sqrt(x)))(np.array([0.0, 4.0])), [[1.0, 0.0], [0.0, 0.25]])


@pytest.mark.parametrize("kind", [ag.checkpoint, "custom_jvp", "custom_vjp"])
def test_several_results_in_a_container_and_a_captured_node(kind):
    """(√x, 3x) and √w for x = w = 0: only the second result is taken, or none of the first's elements that are infinitely steep."""
    x = np.array([0.0, 4.0])

    def both(x, w):
        return {"root": ag.sqrt(x) + ag.sqrt(w), "triple": 3 * x}

    if kind == "custom_jvp":
        f = ag.custom_jvp(both)

        @f.defjvp
        def _(primals, tangents):
            root = tangents[0] / (2 * ag.sqrt(primals[0])) + tangents[1] / (2 * ag.sqrt(primals[1]))
            return f(*primals), {"root": root, "triple": 3 * tangents[0]}
    elif kind == "custom_vjp":
        f = ag.custom_vjp(both)

        def back(residuals, g):
            x, w = residuals
            return 3 * g["triple"] + g["root"] / (2 * ag.sqrt(x)), g["root"] / (2 * ag.sqrt(w))

        f.defvjp(lambda x, w: (f(x, w), (x, w)), back)
    else:
        inner = {}
        g = kind(lambda x: both(x, inner["w"]))  # w is captured

        def f(x, w):
            inner["w"] = w
            return g(x)

    def loss(x, w):
        y = f(x, w)
        return ag.where(x > 0, y["root"], y["triple"]).sum()

    by_x, by_w = ag.grad(loss, (0, 1))(x, x)
    np.testing.assert_array_equal(by_x, [3.0, 0.25])
    np.testing.assert_array_equal(by_w, [0.0, 0.25])
    only = ag.grad(lambda x, w: f(x, w)["triple"].sum(), (0, 1))(x, x)
    np.testing.assert_array_equal(only, [[3.0, 3.0], [0.0, 0.0]])


@pytest.mark.parametrize("kind", [ag.checkpoint, "custom_vjp"])
def test_complex_numbers(kind):
    """f = Re(z · √z) where taken: its gradient is the conjugate of d(z√z)/dz = 3/2 √z."""
    if kind == "custom_vjp":
        root = ag.custom_vjp(lambda z: np.sqrt(z))
        root.defvjp(lambda z: (root(z), z), lambda z, g: (g / ag.conj(2 * ag.sqrt(z)),))
    else:
        root = kind(lambda z: ag.sqrt(z))
    z = np.array([0j, 3 + 4j])
    f = lambda z: ag.real(ag.where(ag.abs(z) > 0, z * root(z), z)).sum()  # noqa: E731
    np.testing.assert_allclose(ag.grad(f)(z), [1.0, np.conj(1.5 * np.sqrt(z[1]))], rtol=1e-15)


def test_a_rule_that_takes_plain_numbers_alone_is_not_seen_through():
    """Its backward rule can't be recorded. What is not taken as a whole contributes nothing; else 0 · inf stays nan."""
    root = ag.custom_vjp(lambda x: np.sqrt(x))
    root.defvjp(lambda x: (np.sqrt(x), x), lambda x, g: (np.asarray(g, dtype=float) / (2 * np.sqrt(x)),))
    assert ag.grad(chosen(root))(0.0) == 1.0
    gradient = ag.grad(lambda x: chosen(root)(x).sum())(np.array([0.0, 4.0]))
    assert np.isnan(gradient[0])
    assert gradient[1] == 0.25


@pytest.mark.parametrize("differentiate", [ag.jacfwd, ag.jacrev])
def test_a_tangent_that_is_no_input_meets_no_infinity(differentiate):
    """xᵖ by x at x = 0: the term by p, xᵖ log x, is nan there, and nobody asked for it."""

    @ag.custom_jvp
    def power(x, p):
        return x**p

    @power.defjvp
    def _(primals, tangents):
        (x, p), (s, t) = primals, tangents
        return power(x, p), s * p * x ** (p - 1) + t * ag.log(x) * x**p

    assert differentiate(lambda x: power(x, 2.0))(0.0) == 0.0
    assert differentiate(power)(0.0, 2.0) == 0.0
    assert np.isnan(differentiate(power, argnums=1)(0.0, 2.0))


def test_a_cotangent_that_happens_to_be_0_follows_ieee_there_too():
    """Nothing is masked by a product with 0: exp(log x) at 0 is nan or 1, never 0."""
    for exp, log in [(ag.checkpoint(ag.exp), ag.log), (ag.exp, ag.checkpoint(ag.log)), (ag.exp, ag.log)]:
        with np.errstate(divide="ignore"):
            for mode in (ag.jacfwd, ag.jacrev):
                assert np.isnan(mode(lambda x: exp(log(x)))(0.0))  # noqa: B023
    assert np.isnan(ag.grad(lambda x: 0.0 * forward_root(x))(0.0))
    assert np.isnan(ag.grad(lambda x: 0.0 * reverse_root(x))(0.0))


@pytest.mark.filterwarnings("ignore:invalid value")
def test_under_debug_it_is_no_alarm():
    for root in ROOTS.values():
        with ag.debug():
            np.testing.assert_array_equal(ag.grad(lambda x: chosen(root)(x).sum())(POINTS[1]), [1.0, 0.25])  # noqa: B023


# ---------------------------------------------------------------------- branches that are infinitely curved, not infinitely steep

HIDING = {
    "where": lambda x, h: ag.where(x > 0, h, x),
    "maximum": lambda x, h: ag.maximum(h, x + 1),
    "index": lambda x, h: ag.stack([h, x])[1],
    "max": lambda x, h: ag.max(ag.stack([h, x + 1])),
    "relu": lambda x, h: ag.relu(h - 1) + x,
    "clip": lambda x, h: ag.clip(h, -1.0, -0.5) + x,
    "product of matrices": lambda x, h: (ag.where(x > 0, ag.stack([h, x]), ag.stack([x, x])) @ np.ones((2, 2)))[0] / 2,
}


@pytest.mark.parametrize("call", [lambda f: f, ag.checkpoint], ids=["plain", "checkpoint"])
@pytest.mark.parametrize("hides", HIDING.values(), ids=HIDING)
def test_a_branch_with_a_finite_first_and_an_infinite_second_derivative(hides, call):
    """x^1.5 at 0 is flat, with the second derivative inf: the pass of the first order meets nothing that is not finite."""
    f = lambda x: hides(x, call(lambda x: x**1.5)(x))  # noqa: E731
    for outer in (ag.grad, ag.jacfwd):
        for inner in (ag.grad, ag.jacfwd):
            assert inner(f)(0.0) == 1.0
            assert outer(inner(f))(0.0) == 0.0
            assert outer(inner(f))(np.array(0.0)) == 0.0
            assert outer(outer(inner(f)))(0.0) == 0.0
    np.testing.assert_array_equal(ag.vmap(ag.hessian(f))(np.zeros(3)), np.zeros(3))


def test_a_division_by_a_constant_0_is_recorded_as_ieee_has_it():
    """Python's own numbers raise there."""
    for derivative in (lambda f: ag.grad(ag.grad(f)), ag.hessian, lambda f: ag.jacfwd(ag.jacfwd(f))):
        with np.errstate(divide="ignore"):
            assert derivative(lambda x: x / 0.0)(7.0) == 0.0
            assert ag.grad(lambda x: ag.grad(lambda y: x * y / 0.0)(x))(7.0) == np.inf


# ---------------------------------------------------------------------- compiled


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("root", [ag.sqrt, *ROOTS.values()], ids=["plain", *ROOTS])
@pytest.mark.parametrize("second", [
    ag.hessian, lambda f: ag.jacfwd(ag.grad(f)), lambda f: ag.jacrev(ag.grad(f)), lambda f: ag.jacfwd(ag.jacfwd(f)),
    lambda f: ag.jacrev(ag.jacfwd(f)),
], ids=["hessian", "forward on reverse", "reverse on reverse", "forward on forward", "reverse on forward"])  # fmt: skip
def test_compiled_functions_agree(second, root):
    """The program was recorded without knowing what will be selected; where that matters another pass decides."""
    if root is reverse_root:
        second = lambda f: ag.jacrev(ag.grad(f))  # noqa: E731
    f = lambda x: ag.where(x > 0, root(x) ** 3, x**2).sum()  # noqa: E731
    gradient, hessian = ag.jit(ag.grad(f)), ag.jit(second(f))
    for x in (np.array([1.0, 4.0]), *POINTS, np.array([4.0, 1.0])):
        np.testing.assert_allclose(gradient(x), np.where(x > 0, 1.5 * np.sqrt(np.abs(x)), 2 * x), rtol=1e-14)
        curvature = np.diag(np.where(x > 0, 0.75 / np.sqrt(np.maximum(np.abs(x), 1e-9)), 2.0))
        np.testing.assert_allclose(hessian(x), curvature, rtol=1e-14)

"""Roots, fixed points and minima: the derivative of what an equation defines, against closed forms."""

import warnings

import numpy as np
import pytest
import scipy.optimize

import ag

rng = np.random.default_rng(0)
A, B = rng.normal(size=(3, 3)) + 4 * np.eye(3), rng.normal(size=3)
NUMBERS = np.array([1.0, 8.0, 27.0])


def cube_root(a, **how):
    return ag.root(lambda x, a: x**3 - a, 1.0, a, **how)


def bisection(f, x):
    low, high = 0.0, 10.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if f(middle) > 0 else (middle, high)
    return (low + high) / 2


def solution(A, b):
    return ag.root(lambda x, A, b: A @ x - b, np.zeros(3), A, b)


FINDERS = {
    "hybr": cube_root,
    "another method": lambda a: cube_root(a, method="lm", options={"xtol": 1e-14}),
    "a solver": lambda a: cube_root(a, solver=bisection),
    "a captured parameter": lambda a: ag.root(lambda x: x**3 - a, 1.0),
    "an array": lambda a: ag.root(lambda x, a: x**3 - a, np.ones(1), a)[0],
    "a container": lambda a: ag.root(lambda p, a: {"x": p["x"] ** 3 - a["of"], "y": [p["y"][0] - p["x"]]}, {"x": 1.0, "y": [np.zeros(())]}, {"of": a})["y"][0],
    "a fixed point": lambda a: ag.fixed_point(lambda x, a: (2 * x + a / x**2) / 3, 1.0, a),
    "a captured parameter of a fixed point": lambda a: ag.fixed_point(lambda x: (2 * x + a / x**2) / 3, 1.0),
    "a solver of a fixed point": lambda a: ag.fixed_point(lambda x, a: (2 * x + a / x**2) / 3, 1.0, a, solver=lambda g, x: [x := g(x) for _ in range(50)][-1]),
}  # fmt: skip


@pytest.mark.parametrize("find", FINDERS.values(), ids=FINDERS)
def test_cube_roots_to_the_third_order_in_both_modes(find):
    """x = a^(1/3): 1/3 a^(-2/3), -2/9 a^(-5/3), 10/27 a^(-8/3)."""
    a = 8.0
    first, second, third = a ** (-2 / 3) / 3, -2 / 9 * a ** (-5 / 3), 10 / 27 * a ** (-8 / 3)
    assert float(find(a)) == pytest.approx(2.0, rel=1e-9)

    def forward(f):
        return lambda a: ag.jvp(f, (a,), (1.0,))[1]

    for one in (ag.grad, forward):
        assert one(find)(a) == pytest.approx(first, rel=1e-7)
        for two in (ag.grad, forward):
            assert two(one(find))(a) == pytest.approx(second, rel=1e-7)
    assert ag.grad(ag.grad(ag.grad(find)))(a) == pytest.approx(third, rel=1e-6)
    assert ag.hessian(find)(a) == pytest.approx(second, rel=1e-7)


@pytest.mark.parametrize("find", [FINDERS[k] for k in ("hybr", "a captured parameter", "a container", "a fixed point", "an array")])
def test_all_examples_at_once(find):
    np.testing.assert_allclose(ag.vmap(find)(NUMBERS), [1.0, 2.0, 3.0], rtol=1e-10)
    np.testing.assert_allclose(ag.vmap(ag.grad(find))(NUMBERS), NUMBERS ** (-2 / 3) / 3, rtol=1e-9)
    np.testing.assert_allclose(ag.vmap(ag.hessian(find))(NUMBERS), -2 / 9 * NUMBERS ** (-5 / 3), rtol=1e-8)
    np.testing.assert_allclose(ag.grad(lambda a: ag.vmap(find)(a).sum())(NUMBERS), NUMBERS ** (-2 / 3) / 3, rtol=1e-9)
    np.testing.assert_allclose(ag.jacfwd(ag.vmap(find))(NUMBERS), np.diag(NUMBERS ** (-2 / 3) / 3), rtol=1e-9, atol=1e-15)


def test_a_linear_equation_has_the_derivatives_of_solve():
    np.testing.assert_allclose(solution(A, B), np.linalg.solve(A, B), rtol=1e-10)
    for jacobian in (ag.jacfwd, ag.jacrev):
        for argnums in (0, 1):
            expected = jacobian(lambda A, b: np.linalg.solve(A, b), argnums)(A, B)
            np.testing.assert_allclose(jacobian(solution, argnums)(A, B), expected, rtol=1e-8, atol=1e-10)
    expected = ag.hessian(lambda A: np.linalg.solve(A, B).sum())(A)
    np.testing.assert_allclose(ag.hessian(lambda A: solution(A, B).sum())(A), expected, rtol=1e-7, atol=1e-9)


def test_differences_agree():
    def f(p):
        return ag.root(lambda x, p: np.array([1.0, 2.0]) * x + 0.3 * np.sin(x[::-1] * p[0]) - p, np.zeros(2), p).sum()

    ag.check_grads(f, (np.array([0.7, -0.4]),), rtol=1e-5, atol=1e-7)


def test_of_nodes_a_node():
    a = ag.Scalar(8.0)
    x = cube_root(a)
    assert isinstance(x, ag.Scalar)
    x.backward()
    assert a.grad == pytest.approx(1 / 12)
    assert type(cube_root(8.0)) is float
    x0 = ag.Scalar(1.0)
    y = ag.root(lambda x: x**3 - a, x0)
    y.backward()
    assert x0.grad is None, "where the search began has no influence"


def test_a_root_inside_a_loss_and_a_gradient_inside_a_root():
    """argmin over x of (x - a)² + x⁴ by the root of its gradient: ∂x/∂a = 2 / (2 + 12 x²)."""

    def smallest(a):
        return ag.root(ag.grad(lambda x, a: (x - a) ** 2 + x**4), 1.0, a)

    x = smallest(3.0)
    assert 2 * (x - 3.0) + 4 * x**3 == pytest.approx(0.0, abs=1e-9)
    assert ag.grad(smallest)(3.0) == pytest.approx(2 / (2 + 12 * x * x))


@pytest.mark.parametrize("call,error,words", [
    (lambda: ag.root(lambda x: x * x + 1, 1.0), RuntimeError, "'hybr' found no root.*largest residual"),
    (lambda: ag.root(lambda x: x[:1], np.ones(2)), ValueError, "1 numbers, x has 2"), (lambda: ag.root(lambda x: (x, x), 1.0), TypeError, "container like x"),
    (lambda: ag.root(3, 1.0), TypeError, "takes a function"), (lambda: ag.root(lambda x: x, "a"), TypeError, "x0 holds 'a'"),
    (lambda: ag.root(lambda x: x, np.zeros(0)), ValueError, "no elements"), (lambda: ag.root(lambda x: x - 1, 0.0, solver=lambda f, x: 0.5), RuntimeError, "does not hold"),
    (lambda: ag.root(lambda x: np.log(x), 1.0, solver=lambda f, x: 0.0 * x), RuntimeError, "not finite"),
    (lambda: ag.grad(lambda a: ag.root(lambda x: (x - a) ** 2, 1.0, solver=lambda f, x: 2.0))(2.0), np.linalg.LinAlgError, "singular"),
    (lambda: ag.vmap(lambda a: ag.root(lambda x: x * x + a, 1.0))(np.array([-1.0, 1.0])), RuntimeError, "1 of 2 examples"),
    (lambda: ag.vmap(lambda a: ag.root(lambda x: np.arctan(x) + a, 1.0))(np.array([-1.0, 2.0])), RuntimeError, "1 of 2 examples"),
    (lambda: ag.fixed_point(lambda x: 1.5 - x, 1.0), RuntimeError, "does not settle"), (lambda: ag.fixed_point(lambda x: 2 * x + 1, 1.0), RuntimeError, "does not settle"),
])  # fmt: skip
def test_errors(call, error, words):
    with np.errstate(all="ignore"), pytest.raises(error, match=words):
        call()


# ---------------------------------------------------------------------- minima


def rosenbrock(x):
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def bowl(p):
    return (p["x"] - 1.0) ** 2 + ((p["y"][0] - p["x"]) ** 2).sum()


START = {"x": 0.0, "y": [np.zeros(2)]}


@pytest.mark.parametrize("method", [None, "BFGS", "CG", "L-BFGS-B", "TNC", "SLSQP", "Newton-CG", "trust-ncg", "trust-krylov", "trust-constr", "trust-exact", "dogleg", "Powell"])
def test_every_method_of_scipy(method):
    """The same as SciPy finds with the derivatives that it was given by hand."""
    x0 = np.array([1.1, 1.2]) if method == "dogleg" else np.array([1.3, 0.7, 0.8, 1.2])
    result = ag.minimize(rosenbrock, x0, method=method)
    by_hand = {"jac": scipy.optimize.rosen_der, "hess": scipy.optimize.rosen_hess}
    if method == "Powell":
        by_hand = {}
    elif method not in ("trust-exact", "dogleg"):
        by_hand.pop("hess")
        if method in ("Newton-CG", "trust-ncg", "trust-krylov", "trust-constr"):
            by_hand["hessp"] = scipy.optimize.rosen_hess_prod
    expected = scipy.optimize.minimize(scipy.optimize.rosen, x0, method=method, **by_hand)
    assert result.success
    np.testing.assert_allclose(result.x, expected.x, atol=1e-5)
    assert result.fun == pytest.approx(expected.fun, abs=1e-9)


def test_containers_in_and_out():
    result = ag.minimize(bowl, START)
    assert type(result) is scipy.optimize.OptimizeResult and type(result.x["x"]) is float
    assert result.x["x"] == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(result.x["y"][0], 1.0, atol=1e-6)
    assert set(result.jac) == {"x", "y"}
    single = ag.minimize(lambda x: ((x - 2) ** 2).sum(), np.zeros(2, np.float32))
    assert single.x.dtype == np.float32
    assert ag.minimize(lambda x, a, b: (x - a * b) ** 2, 1, args=(2.0, 3.0)).x == pytest.approx(6.0)
    assert ag.minimize(lambda x, a: (x - a) ** 2, 1.0, 2.0).x == pytest.approx(2.0)


def test_bounds_constraints_and_callbacks():
    result = ag.minimize(bowl, START, bounds=(None, {"x": 0.5, "y": [np.array([0.2, 9.0])]}))
    assert result.x["x"] == pytest.approx(0.5)
    np.testing.assert_allclose(result.x["y"][0], [0.2, 0.5], atol=1e-6)
    assert ag.minimize(lambda x: x * x, 3.0, bounds=(1.0, 5.0)).x == pytest.approx(1.0)
    assert ag.minimize(lambda x: (x * x).sum(), np.ones(2) * 3, bounds=[(1.0, None), (2.0, None)]).x == pytest.approx([1.0, 2.0])
    constrained = ag.minimize(bowl, START, constraints={"type": "eq", "fun": lambda p: p["x"] + p["y"][0].sum() - 1.0})
    assert constrained.x["x"] == pytest.approx(5 / 11, abs=1e-6), "by Lagrange: x = 5/11, y = 3/11"
    np.testing.assert_allclose(constrained.x["y"][0], 3 / 11, atol=1e-6)
    seen = []
    ag.minimize(bowl, START, callback=seen.append)
    assert seen and set(seen[-1]) == {"x", "y"}


w = ag.Scalar(2.0)


@pytest.mark.parametrize("call,error,words", [
    (lambda: ag.minimize(lambda x: (x - w) ** 2, 1.0), TypeError, "ag.root\\(ag.grad"), (lambda: ag.minimize(lambda x: (x - w) ** 2, 1.0, method="Powell"), TypeError, "ag.root"),
    (lambda: ag.minimize(lambda x: x * x, w), TypeError, "would be lost"), (lambda: ag.minimize(lambda x, a: x * a, 1.0, (w,)), TypeError, "x.value"),
    (lambda: ag.minimize(lambda x: x * np.ones(2), 1.0), TypeError, r"scalar output; f returned an array of shape \(2,\): reduce it"),
    (lambda: ag.minimize(ag.square, np.ones(2)), TypeError, r"square returned an array of shape \(2,\)"),
    (lambda: ag.minimize(ag.square, np.ones(2), method="Powell"), TypeError, r"square returned an array of shape \(2,\)"),
    (lambda: ag.minimize(lambda x: x, "a"), TypeError, "x0 holds"),
    (lambda: ag.minimize(3, 1.0), TypeError, "takes a function"), (lambda: ag.minimize(bowl, START, bounds=(0.0, 1.0, 2.0)), ValueError, "low, high"),
    (lambda: ag.minimize(bowl, START, bounds=(np.zeros(3), 1.0)), TypeError, "container like x"),
])  # fmt: skip
def test_errors_of_minimize(call, error, words):
    with pytest.raises(error, match=words):
        call()


# ---------------------------------------------------------------------- compiled


def third_root(a):
    return ag.root(lambda x, a: x**3 - a, 1.5, a)


def square_root(a):
    return ag.fixed_point(lambda x: (x + a / x) / 2, 1.0)


def captured_root(a):
    return ag.root(lambda x: x**3 - a, 1.5)


def own_root(a):
    def halved(f, x):
        low, high = ag.fori_loop(0, 60, lambda i, ends: narrowed(f, *ends), (0.0, 10.0))
        return (low + high) / 2

    def narrowed(f, low, high):
        middle = (low + high) / 2
        return np.where(f(middle) < 0, middle, low), np.where(f(middle) < 0, high, middle)

    return ag.root(lambda x, a: x**3 - a, 1.0, a, solver=halved)


@pytest.mark.parametrize("f,exponent", [(third_root, 1 / 3), (captured_root, 1 / 3), (square_root, 1 / 2), (own_root, 1 / 3)])
def test_solutions_are_compiled(f, exponent):
    """Of xⁿ = a the solution and its derivatives are powers of a; no call is computed without the compiler."""
    xs = np.array([0.5, 2.0, 7.0])
    first, second = exponent * xs ** (exponent - 1), exponent * (exponent - 1) * xs ** (exponent - 2)
    forms = [
        (ag.jit(f), xs**exponent), (ag.jit(ag.grad(f)), first), (ag.grad(ag.jit(f)), first),
        (ag.jit(ag.grad(ag.grad(f))), second), (ag.jit(lambda a: ag.jvp(f, (a,), (1.0,))[1]), first),
    ]  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with ag.debug():  # which warns of a call that is computed otherwise
            for compiled, expected in forms:
                np.testing.assert_allclose([compiled(a) for a in xs.tolist()], expected, rtol=1e-11)
            for compiled, expected in ((ag.jit(ag.vmap(f)), xs**exponent), (ag.jit(ag.vmap(ag.grad(f))), first)):
                np.testing.assert_allclose(compiled(xs), expected, rtol=1e-11)


def test_a_compiled_root_in_a_container_from_an_x0_that_is_given():
    f = ag.jit(lambda x0, a: ag.root(lambda p, a: {"x": p["x"] ** 3 - p["y"], "y": p["y"] - a}, x0, a))
    found = f({"x": np.ones(2), "y": np.ones(2)}, np.array([8.0, 27.0]))
    np.testing.assert_allclose((found["x"], found["y"]), ([2.0, 3.0], [8.0, 27.0]), rtol=1e-12)
    assert ag.jit(lambda x0, a: ag.root(lambda x, a: x**2 - a, x0, a))(1, 9.0) == pytest.approx(3.0, rel=1e-14)
    jacobian = ag.jit(ag.jacobian(lambda A: ag.root(lambda x, A: A @ x - 1, np.zeros(2), A)))(np.array([[2.0, 1.0], [0.0, 4.0]]))
    inverse = np.linalg.inv([[2.0, 1.0], [0.0, 4.0]])
    np.testing.assert_allclose(jacobian, -np.einsum("ij,k->ijk", inverse, inverse @ np.ones(2)), rtol=1e-12)


def test_a_compiled_root_within_a_loop():
    f = ag.jit(lambda a: ag.fori_loop(0, 5, lambda i, total: total + ag.root(lambda x: x**2 - (a + i), 1.0), 0.0))
    assert f(2.0) == pytest.approx(sum((2.0 + i) ** 0.5 for i in range(5)), rel=1e-13)


@pytest.mark.parametrize("f,words", [
    (lambda a: ag.root(lambda x: x * x + 1 + a, 1.0), "SciPy's 'hybr' found no root"),
    (lambda a: ag.root(lambda x: x * x - a, 1.0, solver=lambda f, x: x + 1.0), "the solver stopped where the equation does not hold"),
    (lambda a: ag.fixed_point(lambda x: 2 * x + a, 1.0, max_iterations=50), "x does not settle, but still changes by 0.5"),
])  # fmt: skip
def test_a_compiled_search_that_fails_raises(f, words):
    compiled = ag.jit(f)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=words):
            compiled(9.0)


def test_minimize_is_not_recorded():
    def f(a):
        return ag.minimize(lambda x: (x - a) ** 2, 1.0).x

    with pytest.raises(TypeError, match=r"ag.minimize runs SciPy's methods.*ag\.minimize\(ag\.jit\(f\), x0\); within, ag\.root\(ag\.grad"):
        ag.jit(f)(2.0)
    assert ag.minimize(ag.jit(lambda x: (x - 2.0) ** 2), 1.0).x == pytest.approx(2.0)
    assert ag.jit(lambda a: ag.root(ag.grad(lambda x: (x - a) ** 2), 1.0))(2.0) == pytest.approx(2.0)


def test_roots_and_fixed_points_in_float32_under_jit():
    """To the last digits, in the dtype of what is found without it; by roots that are known."""
    cube = ag.jit(lambda t: ag.root(lambda z, t: z**3 - t, np.float32(1.0), t))
    for t in (2.0, 20.0, 30.0):
        x = cube(np.float32(t))
        assert x.dtype == np.float32 and x == pytest.approx(t ** (1 / 3), rel=3e-7)
        assert ag.jit(ag.grad(cube))(np.float32(t)) == pytest.approx(t ** (-2 / 3) / 3, rel=3e-6)
    settled = ag.jit(lambda s: ag.fixed_point(lambda z: np.cos(z), s))
    for start in (np.float32(0.7), np.array([0.7, 0.2], np.float32), 0.7):
        x = settled(start)
        assert np.asarray(x).dtype == np.asarray(start).dtype
        np.testing.assert_allclose(x, 0.7390851332151607, rtol=3e-7)

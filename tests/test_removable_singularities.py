"""Points at which a rule is 0/0, or has a case of its own, and the function is smooth: its higher derivatives are no constants."""

import math

import mpmath
import numpy as np
import pytest
import scipy.special as sp

import ag

mpmath.mp.dps = 60
BESSEL = {
    "j0": (sp.j0, lambda x: mpmath.besselj(0, x)), "j1": (sp.j1, lambda x: mpmath.besselj(1, x)),
    "i0": (sp.i0, lambda x: mpmath.besseli(0, x)), "i1": (sp.i1, lambda x: mpmath.besseli(1, x)),
    "numpy's i0": (np.i0, lambda x: mpmath.besseli(0, x)),
}  # fmt: skip
CASES = {
    **{f"{name} at {x}": (*pair, x) for name, pair in BESSEL.items() for x in (0.0, 1e-8, 1e-3, 2.0, -3.0)},
    "spence at 1": (sp.spence, lambda x: mpmath.polylog(2, 1 - x), 1.0),
    "spence next to 1": (sp.spence, lambda x: mpmath.polylog(2, 1 - x), 1.0005),
    "sinc at 0": (np.sinc, lambda x: mpmath.sinc(mpmath.pi * x), 0.0),
    "sinc next to 0": (np.sinc, lambda x: mpmath.sinc(mpmath.pi * x), 1e-5),
    "logaddexp of equals": (lambda x: np.logaddexp(x, -x), lambda x: mpmath.log(2 * mpmath.cosh(x)), 0.0),
    "logaddexp of equals, one constant": (lambda x: np.logaddexp(0.7, x), lambda x: mpmath.log(mpmath.e**0.7 + mpmath.e**x), 0.7),
    "logaddexp2 of equals": (lambda x: np.logaddexp2(x, -x), lambda x: mpmath.log(2**x + mpmath.mpf(2) ** -x, 2), 0.0),
    "logsumexp of equals": (lambda x: ag.logsumexp(ag.stack([x, -x])), lambda x: mpmath.log(2 * mpmath.cosh(x)), 0.0),
    "softplus at 0": (ag.softplus, lambda x: mpmath.log(1 + mpmath.exp(x)), 0.0),
    "a product with zeros": (lambda x: ag.prod(ag.stack([x, x + 2, x])), lambda x: x * x * (x + 2), 0.0),
    "a determinant of 0": (lambda x: np.linalg.det(x * np.eye(3)), lambda x: x**3, 0.0),
    "a power at 0": (lambda x: x**3.0, lambda x: x**3, 0.0),
}  # fmt: skip


@pytest.mark.parametrize("differentiate", [ag.grad, ag.jacfwd])
@pytest.mark.parametrize("f,exact,x", CASES.values(), ids=CASES)
def test_the_first_three_derivatives(f, exact, x, differentiate):
    derivative = f
    for order in (1, 2, 3):
        derivative = differentiate(derivative)
        expected = float(mpmath.diff(exact, mpmath.mpf(x), order, h=mpmath.mpf(10) ** -12))
        assert float(derivative(x)) == pytest.approx(expected, rel=1e-8, abs=1e-9), order


MIXED = {
    "xʸ at y = 0": (lambda x, y: x**y, 2.0, 0.0, [[0.0, 1 / 2], [1 / 2, math.log(2) ** 2]]),
    "x log y at x = 0": (ag.xlogy, 0.0, 2.0, [[0.0, 1 / 2], [1 / 2, 0.0]]),
    "x log (1 + y) at x = 0": (sp.xlog1py, 0.0, 2.0, [[0.0, 1 / 3], [1 / 3, 0.0]]),
    "log (eˣ + eʸ) at x = y": (np.logaddexp, 1.0, 1.0, [[1 / 4, -1 / 4], [-1 / 4, 1 / 4]]),
}  # fmt: skip


@pytest.mark.parametrize("outer", [ag.jacfwd, ag.jacrev])
@pytest.mark.parametrize("inner", [ag.jacfwd, ag.jacrev])
@pytest.mark.parametrize("f,x,y,expected", MIXED.values(), ids=MIXED)
def test_mixed_second_derivatives(f, x, y, expected, inner, outer):
    """A rule that gives 0 for x = 0 gives no constant: ∂/∂x of x / y is 1 / y."""
    for point in ((x, y), (np.array(x), np.array(y))):
        np.testing.assert_allclose(outer(inner(f, (0, 1)), (0, 1))(*point), expected, rtol=1e-14)
        jitted = ag.jit(outer(inner(f, (0, 1)), (0, 1)))(*point)
        np.testing.assert_allclose(jitted, expected, rtol=1e-14)


def test_equal_infinities_share_still():
    for x in (math.inf, -math.inf):
        assert ag.grad(np.logaddexp, (0, 1))(x, x) == (0.5, 0.5)
        assert ag.grad(np.logaddexp2, (0, 1))(x, x) == (0.5, 0.5)
    assert ag.grad(lambda x: x**0.0)(0.0) == 0.0
    assert ag.grad(lambda x, y: x**y, (0, 1))(0.0, 0.0) == (0.0, -math.inf)
    assert ag.grad(sp.xlog1py, (0, 1))(0.0, -1.0) == (-math.inf, 0.0)


def test_a_compiled_function_is_differentiated_again_and_again():
    f = ag.jit(lambda x: x[::-1] * 2)
    for _ in range(3):
        np.testing.assert_array_equal(ag.grad(lambda x: (f(x) * np.array([1.0, 2.0])).sum())(np.ones(2)), [4.0, 2.0])
        np.testing.assert_array_equal(ag.jacfwd(f)(np.ones(2)), [[0.0, 2.0], [2.0, 0.0]])

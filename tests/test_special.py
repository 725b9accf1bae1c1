"""The special functions against mpmath, with thirty digits: values and derivatives."""

import math

import mpmath
import numpy as np
import pytest
import scipy.special

import ag
from ag.operators.rules import FUNCTIONS
from ag.operators.special import SCIPY

mpmath.mp.dps = 30
tau = 2 * mpmath.pi
phi = lambda x: mpmath.erfc(-x / mpmath.sqrt(2)) / 2  # noqa: E731

# name: (the function in mpmath, points)
ONE = {
    "gamma": (mpmath.gamma, (0.3, 1.0, 4.5, -0.5, -2.3, 20.0)),
    "gammaln": (lambda x: mpmath.log(abs(mpmath.gamma(x))), (0.3, 4.5, -0.5, 100.0)),
    "loggamma": (mpmath.loggamma, (0.3, 4.5, 100.0)),
    "rgamma": (mpmath.rgamma, (0.3, 4.5, -0.5)),
    "digamma": (mpmath.digamma, (0.3, 2.5, 50.0, -0.7)),
    "erf": (mpmath.erf, (0.0, 1e-8, 0.3, -2.0, 5.0)),
    "erfc": (mpmath.erfc, (0.0, 0.3, -2.0, 5.0, 20.0)),
    "erfcx": (lambda x: mpmath.exp(x * x) * mpmath.erfc(x), (0.0, 0.3, -1.0, 3.0)),
    "erfi": (mpmath.erfi, (0.0, 0.3, -2.0, 3.0)),
    "dawsn": (lambda x: mpmath.exp(-x * x) * mpmath.erfi(x) * mpmath.sqrt(mpmath.pi) / 2, (0.0, 0.3, -0.8)),
    "erfinv": (mpmath.erfinv, (0.0, 0.3, -0.9, 0.999)),
    "erfcinv": (lambda x: mpmath.erfinv(1 - x), (0.3, 1.7)),
    "ndtr": (phi, (0.0, 0.3, -5.0, 2.0)),
    "log_ndtr": (lambda x: mpmath.log(phi(x)), (0.0, 0.3, -5.0, 2.0)),
    "ndtri": (lambda x: mpmath.sqrt(2) * mpmath.erfinv(2 * x - 1), (0.3, 0.01, 0.9)),
    "logit": (lambda x: mpmath.log(x / (1 - x)), (0.3, 0.01, 0.9)),
    "log_expit": (lambda x: -mpmath.log(1 + mpmath.exp(-x)), (0.3, -20.0, 20.0)),
    "entr": (lambda x: -x * mpmath.log(x), (0.3, 2.0)),
    "j0": (lambda x: mpmath.besselj(0, x), (0.0, 0.3, 5.0, -2.0)),
    "j1": (lambda x: mpmath.besselj(1, x), (0.0, 0.3, 5.0, -2.0)),
    "y0": (lambda x: mpmath.bessely(0, x), (0.3, 5.0)),
    "y1": (lambda x: mpmath.bessely(1, x), (0.3, 5.0)),
    "i0": (lambda x: mpmath.besseli(0, x), (0.0, 0.3, 5.0, -2.0)),
    "i1": (lambda x: mpmath.besseli(1, x), (0.0, 0.3, 5.0, -2.0)),
    "k0": (lambda x: mpmath.besselk(0, x), (0.3, 5.0)),
    "k1": (lambda x: mpmath.besselk(1, x), (0.3, 5.0)),
    "i0e": (lambda x: mpmath.exp(-abs(x)) * mpmath.besseli(0, x), (0.3, 5.0, -2.0)),
    "i1e": (lambda x: mpmath.exp(-abs(x)) * mpmath.besseli(1, x), (0.3, 5.0, -2.0)),
    "expi": (mpmath.ei, (0.5, 3.0)),
    "exp1": (mpmath.e1, (0.3, 3.0)),
    "spence": (lambda x: mpmath.polylog(2, 1 - x), (0.3, 0.9, 1.7)),
    "ellipk": (mpmath.ellipk, (0.3, 0.9)),
    "ellipe": (mpmath.ellipe, (0.3, 0.9)),
    "wrightomega": (lambda x: mpmath.lambertw(mpmath.exp(x)).real, (0.3, -2.0, 5.0)),
    "exp10": (lambda x: mpmath.power(10, x), (0.3, -2.0)),
    "cosm1": (lambda x: mpmath.cos(x) - 1, (0.3, 1e-4, 2.0)),
}
TWO = {
    "beta": (mpmath.beta, ((0.5, 2.0), (3.0, 1.5))),
    "betaln": (lambda a, b: mpmath.log(mpmath.beta(a, b)), ((0.5, 2.0), (3.0, 1.5))),
    "binom": (mpmath.binomial, ((5.0, 2.0), (4.5, 1.5))),
    "xlog1py": (lambda x, y: x * mpmath.log(1 + y), ((0.5, 2.0), (3.0, 1e-9))),
    "rel_entr": (lambda x, y: x * mpmath.log(x / y), ((0.5, 2.0), (3.0, 1.5))),
    "kl_div": (lambda x, y: x * mpmath.log(x / y) - x + y, ((0.5, 2.0), (3.0, 1.5))),
    "pseudo_huber": (lambda d, r: d * d * (mpmath.sqrt(1 + (r / d) ** 2) - 1), ((0.5, 2.0), (3.0, -1.5))),
    "huber": (lambda d, r: r * r / 2 if abs(r) <= d else d * (abs(r) - d / 2), ((1.0, 0.4), (0.5, -2.0), (2.0, 3.0))),
    "boxcox": (lambda x, p: (mpmath.power(x, p) - 1) / p, ((0.5, 2.0), (3.0, 0.5))),
}
LAST = {"betainc": (lambda a, b, x: mpmath.betainc(a, b, 0, x, regularized=True), ((0.5, 2.0, 0.3), (3.0, 1.5, 0.9)))}
SECOND = {  # of these only the derivative by the second argument has a rule
    "jv": (mpmath.besselj, ((2.0, 1.3), (0.5, 3.0))),
    "yv": (mpmath.bessely, ((2.0, 1.3), (0.5, 3.0))),
    "iv": (mpmath.besseli, ((2.0, 1.3), (0.5, 3.0))),
    "kv": (mpmath.besselk, ((2.0, 1.3), (0.5, 3.0))),
    "yn": (mpmath.bessely, ((2, 1.3), (0, 3.0))),
    "ive": (lambda v, x: mpmath.exp(-abs(x)) * mpmath.besseli(v, x), ((2.0, 1.3), (0.5, 3.0))),
    "kve": (lambda v, x: mpmath.exp(x) * mpmath.besselk(v, x), ((2.0, 1.3), (0.5, 3.0))),
    "gammainc": (lambda a, x: mpmath.gammainc(a, 0, x, regularized=True), ((0.5, 2.0), (3.0, 1.5))),
    "gammaincc": (lambda a, x: mpmath.gammainc(a, x, regularized=True), ((0.5, 2.0), (3.0, 1.5))),
    "zeta": (lambda x, q: mpmath.zeta(x, q), ((2.5, 1.0), (3.0, 0.4))),
}


ELSEWHERE = {"sigmoid", "xlogy", "log1p", "expm1", "exp2", "cbrt"}  # NumPy's and the core's own: test_accuracy
CONSTANT = {"gammasgn"}


def test_every_special_function_is_here():
    assert {f.op.name for f in SCIPY.values()} - {*ONE, *TWO, *SECOND, *LAST} == ELSEWHERE | CONSTANT


def close(actual, expected, name):
    assert float(actual) == pytest.approx(float(expected), rel=1e-13, abs=1e-15), name


@pytest.mark.parametrize("name,x", [(name, x) for name, (_, points) in ONE.items() for x in points])
def test_functions_of_one_argument(name, x):
    f, oracle = FUNCTIONS[name], ONE[name][0]
    close(f(x), mpmath.re(oracle(mpmath.mpf(x))), name)
    close(ag.grad(f)(x), mpmath.re(mpmath.diff(oracle, mpmath.mpf(x))), name)


@pytest.mark.parametrize("name,point,argnum", [
    (name, point, i) for table, places in ((TWO, (0, 1)), (SECOND, (1,)), (LAST, (2,))) for name, (_, points) in table.items()
    for point in points for i in places
])  # fmt: skip
def test_functions_of_several_arguments(name, point, argnum):
    f, oracle = FUNCTIONS[name], {**TWO, **SECOND, **LAST}[name][0]
    exact = tuple(map(mpmath.mpf, point))
    close(f(*point), oracle(*exact), name)
    close(ag.grad(f, argnum)(*point), mpmath.diff(oracle, exact, tuple(int(i == argnum) for i in range(len(point)))), name)


@pytest.mark.parametrize("n", range(4))
def test_polygamma(n):
    close(ag.grad(lambda x: FUNCTIONS["polygamma"](n, x))(1.7), mpmath.polygamma(n + 1, mpmath.mpf(1.7)), "polygamma")
    with pytest.raises(ValueError, match="order is a plain integer"):
        FUNCTIONS["polygamma"](1.5, 2.0)


@pytest.mark.parametrize("name", [name for name in SECOND if name != "yn"])  # whose order is an integer
def test_a_derivative_without_a_closed_form_is_named(name):
    with pytest.raises(TypeError, match=rf"∂{name}/∂\w has no rule.*give \w as a plain number"):
        ag.grad(FUNCTIONS[name])(1.5, 2.0)
    with pytest.raises(TypeError, match="has no rule"):
        ag.jvp(FUNCTIONS[name], (1.5, 2.0), (1.0, 0.0))


@pytest.mark.parametrize("name", [name for name in SCIPY if isinstance(getattr(scipy.special, name, None), np.ufunc)])
def test_scipys_own_functions_record_the_row(name):
    f = getattr(scipy.special, name)
    x = ag.Tensor([0.3, 0.6])
    args = (*(2.0,) * (f.nin - 1), x)
    y = f(*args)
    assert isinstance(y, ag.Tensor) and y.op is SCIPY[name].op
    np.testing.assert_allclose(y.value, f(*(getattr(a, "value", a) for a in args)), rtol=5e-16)
    assert isinstance(SCIPY[name](*args[:-1], ag.Scalar(0.3)), ag.Scalar)


def test_the_namespace_has_them_all():
    for name in SCIPY:
        assert callable(getattr(ag.special, name))
    assert ag.special.logsumexp is ag.logsumexp and ag.special.softmax is ag.softmax
    with pytest.raises(AttributeError, match="no_such_function"):
        ag.special.no_such_function  # noqa: B018


@pytest.mark.parametrize("call,ours", [
    (lambda x: scipy.special.logsumexp(x), "ag.logsumexp"),
    (lambda x: scipy.special.softmax(x), "ag.softmax"),
    (lambda x: scipy.special.log_softmax(x, axis=0), "ag.log_softmax"),
    (lambda x: scipy.special.multigammaln(x[0], 2), "ag.special.multigammaln"),
])  # fmt: skip
def test_what_scipy_does_not_dispatch_names_our_own(call, ours):
    with pytest.raises(TypeError, match=rf"in place of scipy\.special\..* write {ours}"):
        call(ag.Tensor([1.0, 2.0]))


def test_a_ufunc_of_nobody_is_refused_by_name():
    with pytest.raises(TypeError, match=r"scipy\.special\.hyp2f1 has no rule"):
        scipy.special.hyp2f1(1.0, 2.0, 3.0, ag.Scalar(0.5))


def test_the_limits_of_the_bessel_functions_at_zero():
    assert ag.grad(FUNCTIONS["j1"])(0.0) == 0.5 == ag.grad(FUNCTIONS["i1"])(0.0)
    assert ag.grad(FUNCTIONS["j0"])(0.0) == 0.0
    assert math.isfinite(ag.grad(ag.grad(FUNCTIONS["j1"]))(0.3))

"""Rows of the special functions of SciPy: each computes by SciPy's own function and answers to it on nodes.

The derivatives are those of Olver et al., NIST Digital Library of Mathematical Functions (dlmf.nist.gov).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .domains import POSITIVE, REAL, UNIT, apart, on
from .elementwise import LN10, absolute, exp, log, log1p, over, sigmoid, sin, sqrt, where
from .rules import FUNCTIONS, Elementwise, Missing, Zero
from .steps import equal, less_equal, sign
from .table import ANY, ATOM, CALL, POWER, SUM, compose, define, row

INF = math.inf
OPEN = (0.1, 0.9)  # inside (0, 1)

SCIPY: dict[str, Callable[..., Any]] = {}  # what SciPy's functions become on nodes, by their names


def library() -> Any:
    """SciPy's special functions. Raises ImportError that says what to install."""
    try:
        import scipy.special as special
    except ImportError:
        raise ImportError("special functions are SciPy's: pip install 'ag-autodiff[learn]'") from None
    return special


def special(
    name: str, *partials: Any, samples: Any, latex: str = "", doc: str, scipy: tuple[str, ...] = (), **fields: Any
) -> Callable[..., Any]:
    """A row for the function of that name in SciPy; ``scipy`` are further names that it has there."""

    def forward(*args: Any) -> Any:
        result = getattr(library(), (*scipy, name)[0])(*args)
        dtype = np.result_type(*args)  # of float32 and a Python number some functions of SciPy make float64
        return result.astype(dtype) if dtype.kind == "f" and result.dtype != dtype else result

    def output(inputs: list[tuple[tuple[int, ...], Any]]) -> tuple[tuple[int, ...], Any]:
        kinds = [kind for _, kind in inputs]
        dtype = np.result_type(*kinds)
        if dtype.kind != "f":  # SciPy has rules of its own for integers and complex numbers
            dtype = forward(*[np.ones((), kind) if isinstance(kind, np.dtype) else kind for kind in kinds]).dtype
        return np.broadcast_shapes(*[shape for shape, _ in inputs]), dtype

    arguments = "xyz"[: len(partials) or 1]
    fields.setdefault("precedence", (ATOM, *[ANY] * len(arguments)))
    rule = Elementwise(partials) if partials else Zero()
    function = define(
        name, forward, rule, scalar=lambda *args: float(forward(*args)),
        latex=latex or rf"\operatorname{{{{{name}}}}}({', '.join('{%d}' % i for i in range(len(arguments)))})",  # noqa: UP031
        samples=samples, doc=doc, output=output, **fields,
    )
    for known in (name, *scipy):
        SCIPY[known] = function
    return function


# ---------------------------------------------------------------------- the gamma function and its family

ROOT_PI, ROOT_TAU = math.sqrt(math.pi), math.sqrt(2 * math.pi)


def _second(*domains: Any) -> Any:
    """Samples of two arguments, of which the first is a plain number."""
    first, second = domains
    return lambda rng: [((float(rng.uniform(*first)), rng.uniform(*second, shape)), {}) for shape in ((), (3,), (2, 3), (0,))]


def apart_from_kinks(rng: Any) -> Any:
    """A residual that is not close to ± the threshold."""
    r = rng.choice((-1, 1), (2, 3)) * rng.choice((0.4, 1.7), (2, 3))
    return [((1.0 + 0.1 * rng.uniform(size=shape), r + 0.05 * rng.uniform(size=(2, 3))), {}) for shape in ((), (3,), (2, 3))]

gamma = special(
    "gamma", lambda ans, x: ans * digamma(x), latex=r"\Gamma({0})", samples=on((0.5, 4.0)), doc="Γ(x) = ∫₀^∞ t^{x-1} e^{-t} dt",
)
gammaln = special(
    "gammaln", lambda ans, x: digamma(x), latex=r"\log \left|\Gamma({0})\right|", precedence=(CALL, ANY), samples=on((0.5, 4.0)),
    doc="log |Γ(x)|",
)
loggamma = special(
    "loggamma", lambda ans, x: digamma(x), latex=r"\log \Gamma({0})", precedence=(CALL, ANY), samples=on((0.5, 4.0)),
    doc="log Γ(x), of x > 0; nan elsewhere",
)
gammasgn = special("gammasgn", samples=on((0.5, 4.0)), doc="the sign of Γ(x)")
rgamma = special(
    "rgamma", lambda ans, x: -ans * digamma(x), latex=r"\frac{{1}}{{\Gamma({0})}}", samples=on((0.5, 4.0)), doc="1/Γ(x)",
)
digamma = special(
    "digamma", lambda ans, x: polygamma(1, x), scipy=("psi",), latex=r"\psi({0})", samples=on((0.5, 4.0)),
    doc="ψ(x) = Γ'(x)/Γ(x)",
)


def _polygamma(n: Any, x: Any) -> Any:
    x = np.asarray(x)
    return np.asarray(library().polygamma(n, x)).astype(x.dtype if x.dtype.kind == "f" else float)[()]


@row(
    "polygamma", _polygamma, Elementwise((None, lambda ans, n, x: polygamma(n + 1, x))),
    latex=r"\psi^{{({0})}}({1})", precedence=(ATOM, ANY, ANY), scalar=lambda n, x: float(_polygamma(n, x)),
    samples=lambda rng: [((n, rng.uniform(0.5, 4.0, shape)), {}) for n, shape in ((0, ()), (1, (3,)), (2, (2, 3)))],
)
def polygamma(n: int, x: Any) -> Any:
    """ψ⁽ⁿ⁾(x): the n-th derivative of the digamma function, n = 0, 1, 2, ..."""
    if not isinstance(n, (int, np.integer)) or n < 0:
        raise ValueError(f"polygamma: the order is a plain integer from 0, got {n!r}")
    return (int(n), x), {}


@compose(
    "multigammaln", complex=False, forward=lambda a, d: library().multigammaln(a, d),
    samples=lambda rng: [((rng.uniform(2.0, 4.0), 3), {}), ((rng.uniform(2.0, 4.0, (3,)), 2), {})],
)
def multigammaln(a: Any, d: int) -> Any:
    """log Γ_d(a) = ¼ d (d - 1) log π + Σⱼ log Γ(a - j/2), j = 0 ... d - 1: of the d-dimensional gamma function."""
    return sum((gammaln(a - 0.5 * j) for j in range(d)), start=0.25 * d * (d - 1) * math.log(math.pi))


beta = special(
    "beta", lambda ans, a, b: ans * (digamma(a) - digamma(a + b)), lambda ans, a, b: ans * (digamma(b) - digamma(a + b)),
    latex=r"B({0}, {1})", samples=on(POSITIVE, POSITIVE), doc="B(a, b) = Γ(a) Γ(b) / Γ(a + b)",
)
betaln = special(
    "betaln", lambda ans, a, b: digamma(a) - digamma(a + b), lambda ans, a, b: digamma(b) - digamma(a + b),
    latex=r"\log \left|B({0}, {1})\right|", precedence=(CALL, ANY, ANY), samples=on(POSITIVE, POSITIVE), doc="log |B(a, b)|",
)
binom = special(
    "binom", lambda ans, n, k: ans * (digamma(n + 1) - digamma(n - k + 1)),
    lambda ans, n, k: ans * (digamma(n - k + 1) - digamma(k + 1)),
    latex=r"\binom{{{0}}}{{{1}}}", samples=on((4.0, 6.0), (0.5, 2.5)), doc="the binomial coefficient, of real n and k",
)
gammainc = special(
    "gammainc", Missing("gammainc", "a"), lambda ans, a, x: exp((a - 1) * log(x) - x - gammaln(a)),
    latex=r"P({0}, {1})", samples=_second(POSITIVE, POSITIVE),
    doc="P(a, x) = 1/Γ(a) ∫₀^x t^{a-1} e^{-t} dt; by a it has no rule",
)
gammaincc = special(
    "gammaincc", Missing("gammaincc", "a"), lambda ans, a, x: -exp((a - 1) * log(x) - x - gammaln(a)),
    latex=r"Q({0}, {1})", samples=_second(POSITIVE, POSITIVE), doc="Q(a, x) = 1 - P(a, x); by a it has no rule",
)
betainc = special(
    "betainc", Missing("betainc", "a"), Missing("betainc", "b"),
    lambda ans, a, b, x: exp((a - 1) * log(x) + (b - 1) * log1p(-x) - betaln(a, b)),
    samples=lambda rng: [
        ((*map(float, rng.uniform(*POSITIVE, 2)), rng.uniform(*OPEN, shape)), {}) for shape in ((), (3,), (2, 3))
    ],
    doc="I(a, b, x) = 1/B(a, b) ∫₀^x t^{a-1} (1 - t)^{b-1} dt, 0 < x < 1; by a and b it has no rule",
)
zeta = special(
    "zeta", Missing("zeta", "x"), lambda ans, x, q: -x * zeta(x + 1, q), latex=r"\zeta({0}, {1})",
    samples=_second((1.5, 4.0), POSITIVE), doc="ζ(x, q) = Σ 1/(k + q)^x, Hurwitz's; by x it has no rule",
)

# ---------------------------------------------------------------------- the error function and the normal distribution

erf = special(
    "erf", lambda ans, x: 2 / ROOT_PI * exp(-x * x), kernel="erf(x)", samples=on(REAL), doc="2/√π ∫₀^x e^{-t²} dt",
)
erfc = special(
    "erfc", lambda ans, x: -2 / ROOT_PI * exp(-x * x), kernel="erfc(x)", samples=on(REAL), doc="1 - erf(x), exact for large x",
)
erfcx = special(
    "erfcx", lambda ans, x: 2 * x * ans - 2 / ROOT_PI, samples=on(REAL), doc="e^{x²} erfc(x), without overflow for large x",
)
erfi = special("erfi", lambda ans, x: 2 / ROOT_PI * exp(x * x), samples=on(REAL), doc="2/√π ∫₀^x e^{t²} dt")
dawsn = special("dawsn", lambda ans, x: 1 - 2 * x * ans, samples=on(REAL), doc="e^{-x²} ∫₀^x e^{t²} dt: Dawson's integral")
erfinv = special("erfinv", lambda ans, x: ROOT_PI / 2 * exp(ans * ans), samples=on(UNIT), doc="the inverse of erf, |x| < 1")
erfcinv = special(
    "erfcinv", lambda ans, x: -ROOT_PI / 2 * exp(ans * ans), samples=on((0.2, 1.8)), doc="the inverse of erfc, 0 < x < 2",
)
ndtr = special(
    "ndtr", lambda ans, x: exp(-0.5 * x * x) / ROOT_TAU, latex=r"\Phi({0})", kernel="ndtr(x)", samples=on(REAL),
    doc="Φ(x): the probability that a standard normal is at most x",
)
log_ndtr = special(
    "log_ndtr", lambda ans, x: exp(-0.5 * x * x - ans) / ROOT_TAU, latex=r"\log \Phi({0})", precedence=(CALL, ANY),
    samples=on(REAL), doc="log Φ(x), exact far to the left",
)
ndtri = special(
    "ndtri", lambda ans, x: ROOT_TAU * exp(0.5 * ans * ans), samples=on(OPEN), doc="Φ⁻¹(x), 0 < x < 1",
)

# ---------------------------------------------------------------------- logits, entropies, losses

SCIPY["expit"] = sigmoid
logit = special(
    "logit", lambda ans, x: 1 / (x * (1 - x)), latex=r"\operatorname{{logit}} {0}", precedence=(CALL, ATOM), samples=on(OPEN),
    special=(((0.0,), (INF,)), ((1.0,), (INF,))), doc="log(x / (1 - x)), 0 ≤ x ≤ 1: the inverse of the sigmoid",
)
log_expit = special(
    "log_expit", lambda ans, x: sigmoid(-x), latex=r"\log \sigma({0})", precedence=(CALL, ANY), kernel="-softplus(-x)",
    samples=on(REAL),
    special=(((1e4,), (0.0,)), ((-1e4,), (1.0,))), doc="log σ(x), without overflow",
)
xlog1py = special(
    "xlog1py", lambda ans, x, y: log1p(y), lambda ans, x, y: over(x, 1 + y),
    latex=r"{0} \log(1 + {1})", precedence=(CALL, ATOM, CALL), kernel="x * log1p(y) if x != 0 or isnan(y) else 0.0",
    samples=on(REAL, POSITIVE),
    special=(((0.0, -1.0), (-INF, 0.0)),), convention="0 · log(1 + y) is 0 for every y, also for y = -1.",
    doc="x log(1 + y), and 0 where x = 0",
)
entr = special(
    "entr", lambda ans, x: -log(x) - 1, samples=on(POSITIVE), special=(((0.0,), (INF,)),),
    kernel="-x * log(x) if x > 0 or isnan(x) else 0.0 if x == 0 else log(0.0)",
    doc="-x log x, 0 at 0 and -inf below: a term of the entropy",
)
rel_entr = special(
    "rel_entr", lambda ans, x, y: log(x / y) + 1, lambda ans, x, y: -x / y, samples=on(POSITIVE, POSITIVE),
    doc="x log(x / y): a term of the relative entropy",
)
kl_div = special(
    "kl_div", lambda ans, x, y: log(x / y), lambda ans, x, y: 1 - x / y, samples=on(POSITIVE, POSITIVE),
    doc="x log(x / y) - x + y: a term of the Kullback-Leibler divergence",
)
huber = special(
    "huber", lambda ans, d, r: where(less_equal(absolute(r), d), 0.0, absolute(r) - d),
    lambda ans, d, r: where(less_equal(absolute(r), d), r, d * sign(r)), samples=apart_from_kinks,
    kernel="-log(0.0) if x < 0 else 0.5 * y * y if abs(y) <= x else x * (abs(y) - 0.5 * x)",
    doc="½ r² for |r| ≤ d, else d (|r| - ½ d): Huber's loss of the residual r (Huber 1964)",
)
pseudo_huber = special(
    "pseudo_huber", lambda ans, d, r: (2 * d + r * (r / d)) / sqrt(1 + (r / d) * (r / d)) - 2 * d,
    lambda ans, d, r: r / sqrt(1 + (r / d) * (r / d)), samples=on(POSITIVE, REAL),
    doc="d² (√(1 + (r/d)²) - 1): Huber's loss without its kinks",
)
boxcox = special(
    "boxcox", lambda ans, x, p: exp((p - 1) * log(x)), lambda ans, x, p: (exp(p * log(x)) * log(x) - ans) / p,
    samples=on(POSITIVE, (0.5, 2.0)), doc="(x^p - 1) / p, of p ≠ 0",
)

# ---------------------------------------------------------------------- Bessel functions


def _half_at_zero(y: Any, x: Any) -> Any:
    """y / x, and its limit ½ at x = 0."""
    zero = equal(x, 0)
    return where(zero, 0.5, y / where(zero, 1.0, x))


def bessel(letter: str, of: str, samples: Any, cylinder: tuple[float, float]) -> tuple[Any, Any, Any]:
    """The rows of order 0, 1 and v of one kind: f₀' = s f₁ and f_v' = ½ (t f_{v-1} + s f_{v+1}).

    The latter is exact to any order at x = 0, too, where f₁' = t f₀ - f₁/x is 0/0.
    """
    s, t = cylinder
    zero = special(
        f"{letter}0", lambda ans, x: s * one(x), numpy=(np.i0,) if letter == "i" else (),
        latex=rf"{letter.upper()}_{{{{0}}}}({{0}})", samples=samples,
        doc=f"{of}, order 0",
    )
    one = special(
        f"{letter}1", lambda ans, x: 0.5 * (t * zero(x) + s * any_order(2.0, x)),
        latex=rf"{letter.upper()}_{{{{1}}}}({{0}})", samples=samples, doc=f"{of}, order 1",
    )
    any_order = special(
        f"{letter}v", Missing(f"{letter}v", "v"), lambda ans, v, x: 0.5 * (t * any_order(v - 1, x) + s * any_order(v + 1, x)),
        latex=rf"{letter.upper()}_{{{{{{0}}}}}}({{1}})", samples=_second((0.5, 2.5), POSITIVE),
        doc=f"{of}, of any real order v; by v it has no rule",
    )
    return zero, one, any_order


j0, j1, jv = bessel("j", "Bessel's function of the first kind", on(REAL), (-1.0, 1.0))
y0, y1, yv = bessel("y", "Bessel's function of the second kind, x > 0", on(POSITIVE), (-1.0, 1.0))
i0, i1, iv = bessel("i", "the modified Bessel function of the first kind", on(REAL), (1.0, 1.0))
k0, k1, kv = bessel("k", "the modified Bessel function of the second kind, x > 0", on(POSITIVE), (-1.0, -1.0))
yn = special(
    "yn", Missing("yn", "n", "as it is an integer"), lambda ans, n, x: 0.5 * (yn(n - 1, x) - yn(n + 1, x)),
    latex=r"Y_{{{0}}}({1})", samples=lambda rng: [((n, rng.uniform(*POSITIVE, (3,))), {}) for n in (0, 2)],
    doc="Bessel's function of the second kind, x > 0, of an integer order n",
)
ive = special(
    "ive", Missing("ive", "v"), lambda ans, v, x: 0.5 * (ive(v - 1, x) + ive(v + 1, x)) - sign(x) * ans,
    latex=r"\operatorname{{ive}}({0}, {1})", samples=_second((0.5, 2.5), POSITIVE),
    doc="e^{-|x|} I_v(x), of any real order v; by v it has no rule",
)
kve = special(
    "kve", Missing("kve", "v"), lambda ans, v, x: ans - 0.5 * (kve(v - 1, x) + kve(v + 1, x)),
    latex=r"\operatorname{{kve}}({0}, {1})", samples=_second((0.5, 2.5), POSITIVE),
    doc="e^x K_v(x), x > 0, of any real order v; by v it has no rule",
)
i0e = special(
    "i0e", lambda ans, x: i1e(x) - sign(x) * ans, samples=apart(0.25), special=(((0.0,), (0.0,)),),
    convention="at 0, a kink, the derivative is 0.", doc="e^{-|x|} I₀(x)",
)
i1e = special(
    "i1e", lambda ans, x: i0e(x) - sign(x) * ans - _half_at_zero(ans, x), samples=apart(0.25), doc="e^{-|x|} I₁(x)",
)

# ---------------------------------------------------------------------- integrals

expi = special(
    "expi", lambda ans, x: exp(x) / x, latex=r"\operatorname{{Ei}}({0})", samples=on(POSITIVE), doc="∫_{-∞}^x e^t/t dt",
)
exp1 = special("exp1", lambda ans, x: -exp(-x) / x, latex=r"E_{{1}}({0})", samples=on(POSITIVE), doc="∫_x^∞ e^{-t}/t dt")


def _slope_of_spence(ans: Any, x: Any) -> Any:
    """log x / (1 - x); next to 1, where that is 0/0, its series."""
    near = less_equal(absolute(x - 1), 1e-3)
    u = where(near, 1 - x, 0.0)
    series: Any = 0.0
    for k in range(9, 0, -1):
        series = series * u - 1 / k
    return where(near, series, log(x) / where(near, 1.0, 1 - x))


spence = special(
    "spence", _slope_of_spence, samples=on(OPEN),
    special=(((1.0,), (-1.0,)),), doc="∫_1^x log t / (1 - t) dt: the dilogarithm of 1 - x",
)
ellipk = special(
    "ellipk", lambda ans, m: (ellipe(m) / (1 - m) - ans) / (2 * m), latex=r"K({0})", samples=on(OPEN),
    doc="∫₀^{π/2} dt / √(1 - m sin²t), 0 < m < 1: the complete elliptic integral of the first kind",
)
ellipe = special(
    "ellipe", lambda ans, m: (ans - ellipk(m)) / (2 * m), latex=r"E({0})", samples=on(OPEN),
    doc="∫₀^{π/2} √(1 - m sin²t) dt, 0 < m < 1: the complete elliptic integral of the second kind",
)
wrightomega = special(
    "wrightomega", lambda ans, x: ans / (1 + ans), latex=r"\omega({0})", samples=on(REAL), doc="w with w + log w = x",
)
exp10 = special(
    "exp10", lambda ans, x: LN10 * ans, latex="10^{{{0}}}", precedence=(POWER, ANY), kernel="10 ** x", samples=on(REAL),
    doc="10^x",
)
cosm1 = special("cosm1", lambda ans, x: -sin(x), latex=r"\cos {0} - 1", precedence=(SUM, ATOM), samples=on(REAL), doc="cos x - 1")

SCIPY |= {name: FUNCTIONS[name] for name in ("xlogy", "log1p", "expm1", "exp2", "cbrt")}

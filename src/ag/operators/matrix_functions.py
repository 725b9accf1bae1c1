"""Rows of triangular systems, Sylvester's equation, and functions of matrices: exponential, square root, logarithm.

They are what ``scipy.linalg`` has and NumPy has not. Sources: N. J. Higham, "The scaling and squaring method for the matrix
exponential revisited" (2005), and "Functions of matrices" (2008); R. Mathias, "A chain rule for matrix functions" (1996).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..node import describe
from .batching import elementwise, leading
from .building import tril, triu
from .dense import SQUARE, Dense, adjoint_of, definite, matrices, matrix, similar, spread
from .factors import cholesky
from .joining import concat
from .rules import float_of, shape_of, total
from .shaping import broadcast_to
from .solving import solution, system
from .table import ANY, ATOM, compose, define


def library() -> Any:
    """SciPy's linear algebra. Raises ImportError that says what to install."""
    try:
        import scipy.linalg as linalg
    except ImportError:
        raise ImportError("this function of matrices is computed by SciPy: pip install 'ag-autodiff[learn]'") from None
    return linalg


def _each(compute: Callable[..., Any], *operands: Any) -> Any:
    """``compute`` of complex matrices, for stacks of them one by one; nan where they are not finite."""
    lead = np.broadcast_shapes(*[a.shape[:-2] for a in operands])
    dtype = np.result_type(*operands)
    whole = [np.broadcast_to(a, lead + a.shape[-2:]).astype(complex) for a in operands]
    result = np.full(whole[-1].shape, np.nan, complex)
    for index in np.ndindex(lead):
        given = [a[index] for a in whole]
        if all(np.isfinite(a).all() for a in given):
            result[index] = compute(*given)
    return result, dtype if dtype.kind in "fc" else np.dtype(float)


def _by_scipy(name: str) -> Callable[..., Any]:
    """SciPy's own function, with which tests compare; older ones take one matrix each."""

    def forward(*args: Any, **params: Any) -> Any:
        function = getattr(library(), name)
        lead = np.shape(args[-1])[:-2]
        if not lead:
            return function(*args, **params)
        results = [function(*[x if np.ndim(x) == 2 else x[index] for x in args]) for index in np.ndindex(lead)]
        return np.reshape(results, np.shape(args[-1]))

    return forward


# ---------------------------------------------------------------------- triangular systems


def _triangle(a: Any, lower: bool, unit_diagonal: bool) -> Any:
    if not unit_diagonal:
        return tril(a) if lower else triu(a)
    return (tril(a, -1) if lower else triu(a, 1)) + np.eye(shape_of(a)[-1], dtype=float_of(a))


def _triangular_systems(rng):
    return [
        ((spread(rng, a), rng.normal(size=b)), params)
        for a, b, params in (
            ((3, 3), (3,), {}), ((3, 3), (3, 2), {"lower": True}), ((3, 3), (3,), {"trans": 1}),
            ((3, 3), (3,), {"lower": True, "trans": "C", "unit_diagonal": True}),
        )
    ]


@compose("solve_triangular", forward=_by_scipy("solve_triangular"), samples=_triangular_systems)
def solve_triangular(
    a: Any, b: Any, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False, overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """x with T x = b, where T is the upper (``lower``: the lower) triangle of A; the other triangle has no influence.

    ``trans``: 1 or "T" solves Tᵀ x = b, 2 or "C" solves Tᴴ x = b. ``unit_diagonal``: T has ones on its diagonal. The last two
    arguments of SciPy's function are taken and have no effect. Raises LinAlgError for a singular triangle.

    >>> ag.linalg.solve_triangular(np.array([[2.0, 1.0], [0.0, 4.0]]), ag.Tensor([4.0, 8.0])).value
    array([1., 2.])
    """
    kinds = {0: 0, 1: 1, 2: 2, "N": 0, "T": 1, "C": 2}
    if trans not in kinds:
        raise ValueError(f"solve_triangular: trans is 0, 1 or 2 (or 'N', 'T', 'C'); got {trans!r}")
    a, b, vector = system(a, b, "solve_triangular")
    t = _triangle(a, bool(lower), bool(unit_diagonal))
    kind = kinds[trans]
    x = solution(t if kind == 0 else t.mT if kind == 1 else adjoint_of(t), b)
    return x[..., 0] if vector else x


def cho_factor(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Any, bool]:
    """(U, False) with Uᴴ U = A, or (L, True) with L Lᴴ = A, of a positive definite matrix: what `cho_solve` takes. The other
    triangle is 0.

    Raises LinAlgError if A is not positive definite. The last two arguments have no effect.
    """
    return cholesky(a, upper=not lower), bool(lower)


def _factored_systems(rng):
    return [
        (((np.linalg.cholesky(definite(rng, (3, 3)), upper=not lower), lower), rng.normal(size=b)), {})
        for lower, b in ((True, (3,)), (False, (3, 2)))
    ]


@compose("cho_solve", forward=_by_scipy("cho_solve"), samples=_factored_systems)
def cho_solve(c_and_lower: Any, b: Any, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    """x with A x = b, from Cholesky's factor of A and whether it is the lower one, as `cho_factor` gives them.

    >>> factor = np.linalg.cholesky(np.array([[4.0, 0.0], [0.0, 2.0]]))
    >>> ag.linalg.cho_solve((factor, True), ag.Tensor([4.0, 1.0])).value
    array([1. , 0.5])
    """
    c, lower = c_and_lower
    y = solve_triangular(c, b, trans=0 if lower else 2, lower=lower)
    return solve_triangular(c, y, trans=2 if lower else 0, lower=lower)


# ---------------------------------------------------------------------- Sylvester's equation


def _sylvester_jvp(tangents, x, a, b, q):
    t_a, t_b, t_q = tangents
    terms = [] if t_q is None else [t_q]
    if t_a is not None:
        terms.append(-(t_a @ x))
    if t_b is not None:
        terms.append(-(x @ t_b))
    return sylvester(a, b, total(terms))


def _sylvester_vjp(i, g, x, a, b, q):
    y = sylvester(a.mT, b.mT, g)
    return y if i == 2 else -(y @ x.mT) if i == 0 else -(x.mT @ y)


def _sylvester_shape(inputs: Any) -> Any:
    lead = np.broadcast_shapes(*[shape[:-2] for shape, _ in inputs])
    return (*lead, *inputs[2][0][-2:]), np.result_type(*[dtype for _, dtype in inputs])


def _solve_sylvester(a, b, q):
    """By Schur's forms of A and B, between which LAPACK solves; nan where A and -B have an eigenvalue in common."""

    def solve(a, b, q):
        (r, u), (s, v) = (library().schur(x, output="complex") for x in (a, b))
        y, scale, shared = library().lapack.ztrsyl(r, s, u.conj().T @ q @ v)
        return np.nan if shared else u @ (y / scale) @ v.conj().T

    x, dtype = _each(solve, a, b, q)
    return (x if dtype.kind == "c" else x.real).astype(dtype)


def _sylvester_samples(rng):
    return [
        ((spread(rng, (*lead, 3, 3)) + 4 * np.eye(3), spread(rng, (2, 2)) + 4 * np.eye(2), rng.normal(size=(*lead, 3, 2))), {})
        for lead in ((), (2,))
    ]


sylvester = define(
    "sylvester", _solve_sylvester, Dense(_sylvester_jvp, _sylvester_vjp, (0, 1, 2), core=2), batch=elementwise,
    output=_sylvester_shape, latex=r"\operatorname{{sylvester}}({0}, {1}, {2})", precedence=(ATOM, ANY, ANY, ANY),
    samples=_sylvester_samples, doc="X with A X + X B = Q",
)


@compose("solve_sylvester", forward=_by_scipy("solve_sylvester"), samples=_sylvester_samples)
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """X with A X + X B = Q; dX solves A dX + dX B = dQ - dA X - X dB.

    Where A and -B have an eigenvalue in common there is no such X: nan. Computed by SciPy.
    """
    a, b, q = matrix(a, "solve_sylvester", square=True), matrix(b, "solve_sylvester", square=True), matrix(q, "solve_sylvester")
    if shape_of(q)[-2:] != (shape_of(a)[-1], shape_of(b)[-1]):
        raise ValueError(
            f"solve_sylvester: {describe(q)} does not fit {describe(a)} and {describe(b)}: "
            f"it has as many rows as the first, and as many columns as the second"
        )
    return sylvester(a, b, q)


# ---------------------------------------------------------------------- functions of matrices

# Of Padé's [13/13] approximant to the exponential: its coefficients, and up to which 1-norm of A it is exact to the rounding.
PADE = [math.comb(13, k) / math.perm(26, k) for k in range(14)]
REACH = 5.371920351148152  # Higham 2005, table 2.3


def _expm(a):
    if a.dtype.kind not in "fc":
        a = a.astype(float)
    size = np.max(np.sum(np.abs(a), -2), -1, initial=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        halvings = np.ceil(np.log2(size / REACH))
    halvings = np.where(np.isfinite(halvings) & (halvings > 0), halvings, 0)
    a = a * np.ldexp(1.0, -halvings.astype(int))[..., None, None].astype(a.real.dtype)
    second = a @ a
    fourth = second @ second
    powers = (np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape), second, fourth, fourth @ second)

    def part(k):
        """The terms of PADE with k, k + 2, ..., over the power k of A."""
        low = total([PADE[k + 2 * i] * power for i, power in enumerate(powers)])
        return low + powers[3] @ total([PADE[k + 6 + 2 * i] * power for i, power in enumerate(powers) if i])

    odd, even = a @ part(1), part(0)
    result = np.linalg.solve(even - odd, even + odd)
    for k in range(int(np.max(halvings, initial=0))):
        result = np.where((halvings > k)[..., None, None], result @ result, result)
    return result


def _along(function: Callable[..., Any], a: Any, t: Any) -> Any:
    """The derivative of a function of matrices at A along T: the upper right block of its value at [[A, T], [0, A]]."""
    n = shape_of(a)[-1]
    a = broadcast_to(a, np.broadcast_shapes(shape_of(a), shape_of(t)))
    whole = concat([concat([a, t], -1), concat([0.0 * a, a], -1)], -2)
    return function(whole)[..., :n, n:]


def _function_of_matrices(name: str, forward: Callable[..., Any], **fields: Any) -> Any:
    function = define(
        name, forward, Dense(lambda tangents, ans, a: _along(function, a, tangents[0]),
                             lambda i, g, ans, a: _along(function, a.mT, g), core=2),
        signature=lambda a: ((matrix(a, name, square=True),), {}), batch=leading, output=similar, **fields,
    )  # fmt: skip
    return function


def _positive(rng: Any, shape: tuple[int, ...]) -> Any:
    """Matrices that are not symmetric, with eigenvalues far from the negative axis."""
    return definite(rng, shape) + 0.1 * rng.normal(size=shape)


expm = _function_of_matrices(
    "expm", _expm, latex=r"\operatorname{{expm}}({0})", precedence=(ATOM, ANY),
    samples=matrices(lambda rng, shape: spread(rng, shape) * (0.6 if shape[-1] == 3 else -3.0), *SQUARE, ((2, 2), {})),
    doc="""The exponential of square matrices, 1 + A + A²/2! + ..., by scaling and squaring (Higham 2005).

    Its derivative along T is the upper right block of the exponential of [[A, T], [0, A]] (Mathias 1996).

    >>> ag.linalg.expm(ag.Tensor([[0.0, 1.0], [0.0, 0.0]])).value
    array([[1., 1.],
           [0., 1.]])
    """,
)
def _root(a):
    """By Schur's form: of a triangular matrix the root is triangular, and is found diagonal by diagonal (Higham 2008, 6.2)."""

    def root(a):
        t, q = library().schur(a, output="complex")
        n = len(t)
        x = np.diag(np.sqrt(np.diag(t)))
        d = np.diag(x)
        with np.errstate(all="ignore"):  # of a singular matrix it may be 0 / 0
            for k in range(1, n):
                i, j = np.arange(n - k), np.arange(k, n)
                inner = np.einsum("ik,ki->i", x[: n - k], x[:, k:])
                x[i, j] = (t[i, j] - inner) / (d[i] + d[j])
        return q @ x @ q.conj().T

    x, dtype = _each(root, a)
    if dtype.kind != "c" and not np.any(_on_the_cut(a)):
        return x.real.astype(dtype)
    return x.astype(np.result_type(dtype, np.complex64))


def _on_the_cut(a):
    """Of which matrices do eigenvalues lie on the negative axis?"""
    w = np.linalg.eigvals(np.where(np.isfinite(a).all((-2, -1), keepdims=True), a, 0.0))
    return np.any((np.imag(w) == 0) & (np.real(w) < 0), -1)


# Gauss' nodes and weights for ∫₀¹ X (1 + t X)⁻¹ dt = log(1 + X); up to this 1-norm of X they are exact to the rounding.
NODES, WEIGHTS = (np.polynomial.legendre.leggauss(8) + np.array([[1.0], [0.0]])) / 2
NEAR = 0.25
ROOTS = 64  # as many bring every matrix near the identity that is not singular but for rounding


def _logm(a):
    """2ᵏ log A^{1/2ᵏ}: by square roots near the identity, and there by quadrature (Higham 2008, 11.5)."""
    dtype = a.dtype if a.dtype.kind in "fc" else np.dtype(float)
    x, eye = a.astype(np.result_type(dtype, float)), np.eye(a.shape[-1])
    doublings = 0
    while np.any(np.abs(x - eye).sum(-2) > NEAR) and doublings < ROOTS:
        x, doublings = _root(x), doublings + 1
    x = x - eye
    near = (np.abs(x).sum(-2).max(-1, initial=0) <= NEAR)[..., None, None]
    x = np.where(near, x, np.nan)
    terms = [weight * np.linalg.solve(eye + node * x, x) for node, weight in zip(NODES, WEIGHTS, strict=True)]
    return (2.0**doublings * total(terms)).astype(np.result_type(dtype, np.complex64) if x.dtype.kind == "c" else dtype)


logm = _function_of_matrices(
    "logm", _logm, latex=r"\operatorname{{logm}}({0})", precedence=(ATOM, ANY),
    samples=matrices(_positive, ((2, 2), {}), ((1, 1), {}), ((2, 2, 2), {}), ((0, 2, 2), {})),
    convention="the principal logarithm: of a real matrix with eigenvalues on the negative axis it is complex.",
    doc="""The principal logarithm of square matrices: X with eˣ = A, and eigenvalues between -iπ and iπ; nan of a singular A.

    By square roots, for which it needs SciPy, and quadrature (Higham 2008, 11.5).

    Its derivative along T is the upper right block of the logarithm of [[A, T], [0, A]] (Mathias 1996).
    """,
)

_square_root = define(
    "square_root_of_matrix", _root,
    Dense(lambda tangents, x, a: sylvester(x, x, tangents[0]), lambda i, g, x, a: sylvester(x.mT, x.mT, g), core=2),
    batch=leading, output=similar, latex=r"\operatorname{{sqrtm}}({0})", precedence=(ATOM, ANY),
    samples=matrices(_positive, *SQUARE, ((2, 2), {})),
    convention="the principal root: of a real matrix with eigenvalues on the negative axis it is complex.",
    doc="X with X X = A, and eigenvalues with positive real parts (Higham 2008, 6.1)",
)


@compose("sqrtm", forward=_by_scipy("sqrtm"), samples=matrices(_positive, *SQUARE))
def sqrtm(a: Any) -> Any:
    """X with X X = A: the principal square root of square matrices. Computed by SciPy.

    dX solves X dX + dX X = dA (Higham 2008). At a singular matrix there is no derivative.
    """
    return _square_root(matrix(a, "sqrtm", square=True))

"""Rows of eigenvalues and singular values. They act on the last two axes.

Sources: M. B. Giles, "An extended collection of matrix derivative results" (2008); J. Townsend, "Differentiating the singular
value decomposition" (2016); Z.-Q. Wan and S.-X. Zhang, "Automatic differentiation for complex valued SVD" (2019).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .batching import leading
from .dense import (
    SQUARE,
    SYMMETRIC,
    Dense,
    adjoint_of,
    conj,
    definite,
    matrices,
    matrix,
    on_diagonal,
    pack,
    spread,
    standard,
    symmetric_part,
    unpack,
)
from .elementwise import where
from .joining import concat
from .parts import imag, real
from .reductions import sum
from .rules import float_of, is_complex, shape_of, value_of
from .selecting import diagonal
from .steps import equal, logical_or
from .table import ANY, ATOM, compose, define

# ---------------------------------------------------------------------- eigenvalues of symmetric matrices


class EighResult(NamedTuple):
    """The eigenvalues in rising order, and the eigenvectors in the columns of a matrix."""

    eigenvalues: Any
    eigenvectors: Any


def differences(v):
    """vⱼ - vᵢ, and 0 for what is equal but for rounding."""
    value = np.abs(value_of(v))
    largest = np.max(value, -1, keepdims=True)[..., None] if value.size else 0.0
    tolerance = value.shape[-1] * np.finfo(float_of(value)).eps * largest
    d = v[..., None, :] - v[..., :, None]
    return where(np.abs(value_of(d)) <= tolerance, 0.0, d)


def over(x, d):
    """x / d off the diagonal, and 0 where x is 0: two equal values are no matter to a function that does not tell them apart."""
    nothing = logical_or(equal(x, 0), np.eye(shape_of(x)[-1], dtype=bool))
    return where(nothing, 0.0, x / where(nothing, 1.0, d))


def _real(x):
    """The real part of what is real by nature, beside complex numbers."""
    return real(x) if is_complex(x) else x


def _eigh(a, uplo):
    return pack(a.shape[:-2], *np.linalg.eigh(a, uplo))


def _eigh_parts(packed, a):
    n = shape_of(a)[-1]
    w, v = unpack(packed, (n,), (n, n))
    return _real(w), v


def _eigh_jvp(tangents, ans, a, uplo):
    """dλ = diag(Vᴴ dA V), dV = V (Vᴴ dA V / (λⱼ - λᵢ))."""
    w, v = _eigh_parts(ans, a)
    x = adjoint_of(v) @ symmetric_part(tangents[0]) @ v
    return pack(shape_of(a)[:-2], diagonal(x, 0, -2, -1), v @ over(x, differences(w)))


@standard
def _eigh_vjp(i, g, ans, a, uplo):
    w, v = _eigh_parts(ans, a)
    g_w, g_v = _eigh_parts(g, a)
    inner = on_diagonal(g_w) + over(adjoint_of(v) @ g_v, differences(w))
    return symmetric_part(v @ inner @ adjoint_of(v))


GAUGE = "An eigenvector is determined up to its sign: the derivative keeps the sign that NumPy chose."
DEGENERATE = (
    "Eigenvalues that are equal (but for rounding) have no separate eigenvectors: what depends on those has the derivative "
    "nan or inf, what depends on the eigenvalues alone is exact. "
)

_eigen = define(
    "eigen", _eigh, Dense(_eigh_jvp, _eigh_vjp), signature=lambda a, uplo: ((a,), {"uplo": uplo}), batch=leading,
    within=symmetric_part, latex=lambda a, uplo: rf"\operatorname{{eigh}} {a}",
    samples=matrices(definite, *((shape, {"uplo": "L"}) for shape, _ in SQUARE)), convention=DEGENERATE + GAUGE,
    doc="the eigenvalues and eigenvectors of symmetric matrices, one after another (Giles 2008, 3.1)",
)


def _uplo(name: str) -> str:
    if str(name).upper() not in ("L", "U"):
        raise ValueError(f"UPLO is 'L' or 'U', the triangle that is read; got {name!r}")
    return str(name).upper()


@compose("eigh", numpy=(np.linalg.eigh,), within=symmetric_part, convention=f"{SYMMETRIC} {DEGENERATE}{GAUGE}",
         samples=matrices(definite, *SQUARE, ((3, 3), {"UPLO": "U"})))  # fmt: skip
def eigh(a: Any, UPLO: str = "L") -> Any:
    """(λ, V) with A V = V diag(λ), VᴴV = 1, of a symmetric (Hermitian) matrix A; λ rises.

    dλ = diag(Vᴴ dA V), dV = V (F ∘ Vᴴ dA V) with Fᵢⱼ = 1 / (λⱼ - λᵢ) off the diagonal (Giles 2008, 3.1). The cotangent of A is
    symmetric. Of equal eigenvalues the eigenvectors have no derivative (nan); functions of the eigenvalues alone have one.

    >>> ag.grad(lambda a: ag.linalg.eigh(a).eigenvalues[-1])(np.array([[1.0, 0.0], [0.0, 2.0]]))
    array([[0., 0.],
           [0., 1.]])
    """
    a = matrix(a, "eigh", square=True)
    w, v = _eigh_parts(_eigen(a, _uplo(UPLO)), a)
    return EighResult(w, v)


def _eigvalsh_jvp(tangents, ans, a, uplo):
    v = _eigh_parts(_eigen(a, uplo), a)[1]
    return _real(sum(conj(v) * (symmetric_part(tangents[0]) @ v), -2))


@standard
def _eigvalsh_vjp(i, g, ans, a, uplo):
    v = _eigh_parts(_eigen(a, uplo), a)[1]
    return (v * g[..., None, :]) @ adjoint_of(v)


_eigenvalues = define(
    "eigvalsh", lambda a, uplo: np.linalg.eigvalsh(a, uplo), Dense(_eigvalsh_jvp, _eigvalsh_vjp), batch=leading,
    signature=lambda a, uplo: ((a,), {"uplo": uplo}), within=symmetric_part, latex=lambda a, uplo: rf"\lambda({a})",
    precedence=(ATOM, ANY), samples=matrices(definite, *((shape, {"uplo": "L"}) for shape, _ in SQUARE)),
    convention="of equal eigenvalues, in NumPy's order, a function that is symmetric in them has the exact derivative.",
    doc="the eigenvalues of symmetric matrices, rising (Giles 2008, 3.1)",
)


@compose("symmetric_eigenvalues", numpy=(np.linalg.eigvalsh,), within=symmetric_part, samples=matrices(definite, *SQUARE))
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """The eigenvalues of a symmetric (Hermitian) matrix in rising order; dλ = diag(Vᴴ dA V) (Giles 2008, 3.1)."""
    return _eigenvalues(matrix(a, "eigvalsh", square=True), _uplo(UPLO))


# ---------------------------------------------------------------------- singular values


class SVDResult(NamedTuple):
    """The left singular vectors in columns, the singular values, and the right singular vectors in rows."""

    U: Any
    S: Any
    Vh: Any


def _svd(a, full, hermitian):
    return pack(a.shape[:-2], *np.linalg.svd(a, full, hermitian=hermitian))


def _svd_parts(packed, a, full):
    """U, s, V"""
    m, n = shape_of(a)[-2:]
    k = min(m, n)
    u, s, vh = unpack(packed, (m, m if full else k), (k,), (n if full else k, n))
    return u, _real(s), adjoint_of(vh)


def _outside(x, u, k):
    """The part of x, a matrix of k columns, that is orthogonal to the first k columns of u."""
    return x - u[..., :k] @ (adjoint_of(u[..., :k]) @ x)


def _ratio(x, s):
    """x / s, and 0 where x is 0."""
    nothing = equal(x, 0)
    return where(nothing, 0.0, x / where(nothing, 1.0, s))


def _by(x, s):
    """x / s in columns, and 0 where x is 0."""
    return _ratio(x, s[..., None, :])


def _squared_differences(s):
    """sⱼ² - sᵢ²"""
    return differences(s) * (s[..., None, :] + s[..., :, None])


def _svd_jvp(tangents, ans, a, full, hermitian):
    """dU = U (F ∘ (P S + S Pᴴ)) + ..., ds = diag P, with P = Uᴴ dA V, Fᵢⱼ = 1 / (sⱼ² - sᵢ²)."""
    t = tangents[0]
    u, s, v = _svd_parts(ans, a, full)
    k = shape_of(s)[-1]
    u1, v1 = u[..., :k], v[..., :k]
    p = adjoint_of(u1) @ t @ v1
    gaps = _squared_differences(s)
    row, column = s[..., None, :], s[..., :, None]

    def turned(x, x1, image, inner):
        """The tangent of singular vectors: within their span, and out of it."""
        d1 = x1 @ over(inner, gaps)
        if shape_of(x)[-2] == k:
            return d1
        if not full:
            return d1 + _by(_outside(image, x, k), s)
        x2 = x[..., k:]
        omega = _by(adjoint_of(x2) @ image, s)
        return concat([d1 + x2 @ omega, -(x1 @ adjoint_of(omega))], -1)

    d_u = turned(u, u1, t @ v1, p * row + column * adjoint_of(p))
    if is_complex(p):  # a phase that U and V share is free, and V's stays
        turn = u1 @ on_diagonal(1j * _ratio(imag(diagonal(p, 0, -2, -1)), s))
        d_u = d_u + (concat([turn, 0.0 * u[..., k:]], -1) if full else turn)
    d_v = turned(v, v1, adjoint_of(t) @ u1, column * p + adjoint_of(p) * row)
    return pack(shape_of(a)[:-2], d_u, diagonal(p, 0, -2, -1), adjoint_of(d_v))


@standard
def _svd_vjp(i, g, ans, a, full, hermitian):
    u, s, v = _svd_parts(ans, a, full)
    g_u, g_s, g_v = _svd_parts(g, a, full)
    k = shape_of(s)[-1]
    u1, v1 = u[..., :k], v[..., :k]
    gaps = _squared_differences(s)

    def within(x1, g_x):
        inner = over(adjoint_of(x1) @ g_x[..., :k], gaps)
        return inner + adjoint_of(inner)

    def outside(x, g_x):
        if not full:
            return _by(_outside(g_x, x, k), s)
        x1, x2, g1, g2 = x[..., :k], x[..., k:], g_x[..., :k], g_x[..., k:]
        return x2 @ _by(adjoint_of(x2) @ g1 - adjoint_of(g2) @ x1, s)

    inner = within(u1, g_u) * s[..., None, :] + s[..., :, None] * within(v1, g_v) + on_diagonal(g_s)
    if is_complex(a):
        inner = inner + on_diagonal(1j * _ratio(imag(diagonal(adjoint_of(u1) @ g_u[..., :k], 0, -2, -1)), s))
    result = u1 @ inner @ adjoint_of(v1)
    if shape_of(u)[-2] > k:
        result = result + outside(u, g_u) @ adjoint_of(v1)
    if shape_of(v)[-2] > k:
        result = result + u1 @ adjoint_of(outside(v, g_v))
    return result


_singular = define(
    "singular", _svd, Dense(_svd_jvp, _svd_vjp), batch=leading,
    signature=lambda a, full, hermitian: ((a,), {"full": full, "hermitian": hermitian}),
    latex=lambda a, full, hermitian: rf"\operatorname{{svd}}({a}{', full=True' if full else ''})", precedence=(ATOM, ANY),
    convention=DEGENERATE.replace("Eigenvalues", "Singular values").replace("eigenv", "singular v"),
    samples=matrices(spread, *(
        (shape, {"full": full, "hermitian": False}) for shape in ((3, 3), (3, 2), (2, 3), (2, 2, 2)) for full in (False, True)
    ), ((4, 2), {"full": False, "hermitian": False})),
    doc="U, s, Vᴴ of A = U diag(s) Vᴴ, one after another (Townsend 2016)",
)


@compose("svd", numpy=(np.linalg.svd,), samples=matrices(
    spread, *SQUARE, ((3, 2), {}),
    ((2, 3), {}), ((4, 2), {"full_matrices": False}), ((2, 3), {"compute_uv": False})))  # fmt: skip
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """(U, s, Vᴴ) with A = U diag(s) Vᴴ; s falls. ``compute_uv=False``: s alone.

    ds = diag(Uᴴ dA V), dU = U (F ∘ (P S + S Pᴴ)) + ... with P = Uᴴ dA V, Fᵢⱼ = 1 / (sⱼ² - sᵢ²) (Townsend 2016). Equal singular
    values have no separate vectors: their derivatives are nan; functions of s alone have one. Of ``full_matrices`` the further
    columns of U (rows of Vᴴ) are any orthonormal ones: their derivative is the least one that keeps them orthonormal.
    """
    a = matrix(a, "svd")
    if not compute_uv:
        return svdvals(a)
    m, n = shape_of(a)[-2:]
    k = min(m, n)
    full = bool(full_matrices) and m != n
    u, s, vh = unpack(_singular(a, full, bool(hermitian)), (m, m if full else k), (k,), (n if full else k, n))
    return SVDResult(u, _real(s), vh)


def _thin(a):
    """The decomposition within a rule: nan where there is none, as a pass back raises nothing."""
    try:
        packed = _singular(a, False, False)
    except np.linalg.LinAlgError:
        m, n = shape_of(a)[-2:]
        packed = np.full((*shape_of(a)[:-2], min(m, n) * (m + n + 1)), np.nan, float_of(a))
    return _svd_parts(packed, a, False)


def _svdvals_jvp(tangents, ans, a):
    u, _, v = _thin(a)
    return _real(sum(conj(u) * (tangents[0] @ v), -2))


@standard
def _svdvals_vjp(i, g, ans, a):
    u, _, v = _thin(a)
    return (u * g[..., None, :]) @ adjoint_of(v)


svdvals = define(
    "svdvals", lambda a: np.linalg.svd(a, compute_uv=False), Dense(_svdvals_jvp, _svdvals_vjp),
    signature=lambda a: ((matrix(a, "svdvals"),), {}), numpy=(np.linalg.svdvals,), batch=leading,
    samples=matrices(spread, *SQUARE, ((4, 2), {}), ((2, 3), {})),
    convention="of equal singular values, in NumPy's order, a function that is symmetric in them has the exact derivative.",
    doc="the singular values of matrices, falling; ds = diag(Uᴴ dA V) (Giles 2008, 3.2)",
)

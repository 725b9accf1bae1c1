"""Rows of factors of matrices: Cholesky's and QR. They act on the last two axes.

Sources: I. Murray, "Differentiation of the Cholesky decomposition" (2016); M. Seeger, A. Hetzel, Z. Dai, E. Meissner and
N. Lawrence, "Auto-differentiating linear algebra" (2017).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .batching import leading
from .building import tril
from .dense import (
    SQUARE,
    SYMMETRIC,
    Dense,
    adjoint_of,
    definite,
    matrices,
    matrix,
    on_diagonal,
    pack,
    similar,
    spread,
    standard,
    symmetric_part,
    unpack,
)
from .joining import concat
from .parts import imag, real
from .rules import float_of, is_complex, shape_of
from .selecting import diagonal
from .solving import solved
from .table import ANY, ATOM, compose, define

# ---------------------------------------------------------------------- Cholesky


def _halved(x):
    """The lower triangle with half the diagonal."""
    n = shape_of(x)[-1]
    return x * (np.tri(n, dtype=float_of(x)) - 0.5 * np.eye(n, dtype=float_of(x)))


def _cholesky_jvp(tangents, ans, a):
    """dL = L Φ(L⁻¹ dA L⁻ᴴ)."""
    t = symmetric_part(tangents[0])
    inner = solved(ans, adjoint_of(solved(ans, t)))
    return ans @ _halved(adjoint_of(inner))


@standard
def _cholesky_vjp(i, g, ans, a):
    """½ (S + Sᴴ) of S = L⁻ᴴ Φ(Lᴴ L̄) L⁻¹."""
    upper = adjoint_of(ans)
    s = solved(upper, adjoint_of(solved(upper, adjoint_of(_halved(upper @ tril(g))))))
    return symmetric_part(s)


_lower_factor = define(
    "cholesky_factor", np.linalg.cholesky, Dense(_cholesky_jvp, _cholesky_vjp, core=2), batch=leading, output=similar,
    within=symmetric_part, latex=r"\operatorname{{chol}} {0}", samples=matrices(definite, *SQUARE), convention=SYMMETRIC,
    doc="L, lower triangular with a positive diagonal, with L Lᴴ = A (Murray 2016)",
)


@compose("cholesky", numpy=(np.linalg.cholesky,), within=symmetric_part, convention=SYMMETRIC,
         samples=matrices(definite, *SQUARE, ((3, 3), {"upper": True})))  # fmt: skip
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """L, lower triangular with a positive diagonal, with L Lᴴ = A; ``upper``: its transpose. A is positive definite.

    dL = L Φ(L⁻¹ dA L⁻ᴴ), where Φ takes the lower triangle and half the diagonal (Murray 2016). The cotangent of A is symmetric.
    Raises LinAlgError if A is not positive definite.

    >>> ag.linalg.cholesky(ag.Tensor([[4.0, 2.0], [2.0, 5.0]])).value
    array([[2., 0.],
           [1., 2.]])
    """
    a = matrix(a, "cholesky", square=True)
    return adjoint_of(_lower_factor(adjoint_of(a))) if upper else _lower_factor(a)


# ---------------------------------------------------------------------- QR


class QRResult(NamedTuple):
    """A matrix with orthonormal columns, and an upper triangular one."""

    Q: Any
    R: Any


def _qr(a):
    return pack(a.shape[:-2], *np.linalg.qr(a))


def _qr_parts(packed, a):
    m, n = shape_of(a)[-2:]
    return unpack(packed, (m, n), (n, n))


def _from_right(a, r):
    """A R⁻¹"""
    return adjoint_of(solved(adjoint_of(r), adjoint_of(a)))


def _qr_jvp(tangents, ans, a):
    """dQ = C - Q (QᴴC - Ω), dR = (QᴴC - Ω) R with C = dA R⁻¹, and Ω skew with the lower triangle of QᴴC."""
    q, r = _qr_parts(ans, a)
    c = _from_right(tangents[0], r)
    inner = adjoint_of(q) @ c
    lower = tril(inner, -1)
    skew = lower - adjoint_of(lower)
    if is_complex(inner):  # the diagonal of R stays real
        skew = skew + on_diagonal(1j * imag(diagonal(inner, 0, -2, -1)))
    upper = inner - skew
    return pack(shape_of(a)[:-2], c - q @ upper, upper @ r)


@standard
def _qr_vjp(i, g, ans, a):
    """(Q̄ + Q copyltu(R R̄ᴴ - Q̄ᴴ Q)) R⁻ᴴ (Seeger et al. 2017)."""
    q, r = _qr_parts(ans, a)
    g_q, g_r = _qr_parts(g, a)
    inner = r @ tril(adjoint_of(g_r)) - adjoint_of(g_q) @ q
    lower = tril(inner, -1)
    middle = diagonal(inner, 0, -2, -1)
    middle = real(middle) if is_complex(middle) else middle
    return _from_right(g_q + q @ (lower + adjoint_of(lower) + on_diagonal(middle)), adjoint_of(r))


_orthogonal_and_triangular = define(
    "orthogonal_and_triangular", _qr, Dense(_qr_jvp, _qr_vjp), batch=leading, latex=r"\operatorname{{qr}} {0}",
    samples=matrices(spread, *SQUARE, ((4, 2), {}), ((2, 3, 2), {})), doc="Q and R of A = Q R, one after another",
)


FURTHER = (
    "of mode 'complete' the further columns of Q are any orthonormal ones: the derivative is the least one that keeps them "
    "orthonormal."
)


def _complement_jvp(tangents, ans, a):
    """dQ₂ = -Q₁ R⁻ᴴ dAᴴ Q₂: it stays orthonormal, and orthogonal to A."""
    q, r = _qr_parts(_orthogonal_and_triangular(a), a)
    return -(_from_right(q, adjoint_of(r)) @ (adjoint_of(tangents[0]) @ ans))


@standard
def _complement_vjp(i, g, ans, a):
    q, r = _qr_parts(_orthogonal_and_triangular(a), a)
    return -(ans @ (adjoint_of(g) @ _from_right(q, adjoint_of(r))))


_orthonormal_complement = define(
    "orthonormal_complement", lambda a: np.linalg.qr(a, "complete")[0][..., a.shape[-1] :],
    Dense(_complement_jvp, _complement_vjp, core=2), batch=leading, latex=r"\operatorname{{complement}}({0})",
    precedence=(ATOM, ANY),
    output=lambda inputs: ((*inputs[0][0][:-1], inputs[0][0][-2] - inputs[0][0][-1]), inputs[0][1]),
    samples=matrices(spread, ((3, 2), {}), ((2, 2, 1), {}), ((2, 1), {})),
    convention="of two columns or more A determines the span alone: the derivative is the least one that keeps them orthonormal.",
    doc="orthonormal columns that are orthogonal to those of A, of more rows than columns",
)


@compose("qr", numpy=(np.linalg.qr,), samples=matrices(
    spread, *SQUARE, ((4, 2), {}), ((2, 4), {}), ((2, 3, 2), {}), ((3, 2), {"mode": "r"}), ((3, 2), {"mode": "complete"}),
    ((2, 3), {"mode": "complete"})), convention=FURTHER)  # fmt: skip
def qr(a: Any, mode: str = "reduced") -> Any:
    """(Q, R) with A = Q R, QᴴQ = 1, R upper triangular; ``mode="r"``: R alone; "complete": Q is square.

    dQ = C - Q (QᴴC - Ω), dR = (QᴴC - Ω) R with C = dA R⁻¹ and Ω skew (Seeger et al. 2017). The first columns of A must be
    linearly independent. The mode "raw" has no rule.
    """
    a = matrix(a, "qr")
    if mode not in ("reduced", "r", "complete"):
        raise ValueError(f"qr: mode={mode!r} has no rule, as it gives LAPACK's factors; 'reduced', 'complete' and 'r' have one")
    m, n = shape_of(a)[-2:]
    left = a[..., :m] if m < n else a
    q, r = _qr_parts(_orthogonal_and_triangular(left), left)
    if m < n:
        r = concat([r, adjoint_of(q) @ a[..., m:]], -1)
    if mode == "complete" and m > n:
        q = concat([q, _orthonormal_complement(a)], -1)
        r = concat([r, np.zeros((*shape_of(a)[:-2], m - n, n), float_of(a))], -2)
    return r if mode == "r" else QRResult(q, r)

"""Rows of the eigenvalues of matrices that need not be symmetric, and of the zeros of polynomials. Their results are complex.

Sources: M. B. Giles, "An extended collection of matrix derivative results" (2008), 3.1; C. Boeddeker, P. Hanebrink, L. Drude,
J. Heymann and R. Haeb-Umbach, "On the computation of complex-valued gradients" (2017), 4.20.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..node import describe
from .batching import known_examples, leading, varying
from .dense import SQUARE, Dense, adjoint_of, conj, matrices, matrix, on_diagonal, pack, standard, unpack
from .domains import arrays
from .elementwise import NAN, where
from .joining import as_array, stack
from .parts import imag, real
from .reductions import sum
from .rules import Custom, float_of, is_complex, shape_of, value_of
from .selecting import diagonal, sort, take_along_axis
from .shaping import astype
from .solving import solved
from .spectra import differences, over
from .table import compose, define, plainly

__all__ = ["real_if_close", "roots", "sort_complex"]


def complex_of(dtype: Any) -> Any:
    """The complex dtype of the same precision."""
    return np.result_type(dtype, np.complex64)


# Well separated eigenvalues, two of them a conjugate pair, and eigenvectors whose signs LAPACK keeps when it changes a little.
STEADY = np.array([[-1.0, -1.0, -1.0], [2.0, 0.0, 3.0], [2.0, 1.0, -1.0]])


def _general(rng: Any, shape: tuple[int, ...]) -> Any:
    """Matrices that are not symmetric: of three rows with complex eigenvalues, smaller ones with real ones."""
    n = shape[-1]
    base = STEADY if n == 3 else np.array([[1.0, 2.0], [0.5, 4.0]])[:n, :n]
    return base + rng.uniform(-0.05, 0.05, shape)


class EigResult(NamedTuple):
    """The eigenvalues, and the eigenvectors in the columns of a matrix."""

    eigenvalues: Any
    eigenvectors: Any


# ---------------------------------------------------------------------- eigenvalues and eigenvectors


def _eig(a):
    w, v = np.linalg.eig(a)
    dtype = complex_of(a.dtype)
    return pack(a.shape[:-2], w.astype(dtype), v.astype(dtype))


def _eig_parts(packed, a):
    n = shape_of(a)[-1]
    return unpack(packed, (n,), (n, n))


def _independent(v):
    """The eigenvectors, if they are linearly independent but for rounding; else nan, as then there is no derivative."""

    def dependent(v):
        return (np.linalg.cond(v) * v.shape[-1] * np.finfo(v.dtype).eps > 1)[..., None, None]

    return where(plainly(dependent, v), NAN, v) if shape_of(v)[-1] else v


def _fixed_places(v):
    """The places in each column that LAPACK makes real, to fix the phase: of those that are real the largest."""
    size = np.where(np.imag(v) == 0, np.abs(v), -1)
    return np.argmax(size, -2)[..., None, :]


def _eig_jvp(tangents, ans, a):
    """dλ = diag P, dV = V (F ∘ P) + V diag c with P = V⁻¹ dA V, Fᵢⱼ = 1 / (λⱼ - λᵢ), and c such that the columns keep the
    length 1, and one place of each stays real."""
    w, v = _eig_parts(ans, a)
    v = _independent(v)
    p = solved(v, tangents[0] @ v)
    t = v @ over(p, differences(w))
    places = plainly(_fixed_places, v)
    turn = imag(take_along_axis(t, places, -2)) / real(take_along_axis(v, places, -2))
    t = t - v * (real(sum(conj(v) * t, -2))[..., None, :] + 1j * turn)
    return pack(shape_of(a)[:-2], diagonal(p, 0, -2, -1), t)


@standard
def _eig_vjp(i, g, ans, a):
    w, v = _eig_parts(ans, a)
    g_w, g_v = _eig_parts(g, a)
    places = plainly(_fixed_places, v)
    s = sum(conj(g_v) * v, -2)[..., None, :]
    turn = imag(s) / real(take_along_axis(v, places, -2))
    here = np.arange(shape_of(a)[-1])[:, None] == value_of(places)
    t = g_v - v * real(s) + 1j * turn * here
    inner = on_diagonal(g_w) + over(adjoint_of(v) @ t, conj(differences(w)))
    v = _independent(v)
    return solved(adjoint_of(v), inner @ adjoint_of(v))


EQUAL = (
    "Equal eigenvalues have no separate derivatives: what depends on their eigenvectors, or on eigenvalues of a matrix without a "
    "full set of eigenvectors, has the derivative nan or inf. "
)
PHASE = "An eigenvector has the length 1, its largest element stays real: so LAPACK fixes its phase, but for the sign."

_eigen = define(
    "general_eigen", _eig, Dense(_eig_jvp, _eig_vjp), batch=leading, latex=r"\operatorname{{eig}} {0}",
    samples=matrices(_general, *SQUARE), convention=EQUAL + PHASE,
    doc="the eigenvalues and eigenvectors of square matrices, one after another, complex (Giles 2008, 3.1)",
)


def as_numpy_has_them(name: str, w: Any, *rest: Any) -> Any:
    """Complex results, or their real parts where NumPy gives those: if all eigenvalues are real, before NumPy 2.5."""
    always = np.linalg.eigvals(np.eye(1)).dtype.kind == "c"
    if always or any(np.any(np.imag(x)) for x in known_examples(f"linalg.{name}", f"np.linalg.{name}(a.astype(complex))", w)):
        return (w, *rest)
    return tuple(real(x) for x in (w, *rest))


@compose("eig", numpy=(np.linalg.eig,), samples=matrices(_general, *SQUARE, ((2, 2), {})), convention=EQUAL + PHASE)
def eig(a: Any) -> Any:
    """(λ, V) with A V = V diag(λ), of square matrices; the columns of V have the length 1. Complex, unless all are real.

    dλ = diag(V⁻¹ dA V), dV = V (F ∘ V⁻¹ dA V) with Fᵢⱼ = 1 / (λⱼ - λᵢ) off the diagonal, and the columns kept at length 1
    (Giles 2008, 3.1). Of equal eigenvalues there is no derivative (nan). For symmetric matrices take ``eigh``.

    >>> a = np.array([[0.0, 1.0], [-4.0, 0.0]])
    >>> ag.grad(lambda a: ag.imag(ag.linalg.eig(a).eigenvalues[0]))(a)
    array([[ 0.  ,  1.  ],
           [-0.25,  0.  ]])
    """
    a = matrix(a, "eig", square=True)
    w, v = _eig_parts(_eigen(a), a)
    if not is_complex(a):
        w, v = as_numpy_has_them("eig", w, v)
    return EigResult(w, v)


def _eigvals_jvp(tangents, ans, a):
    v = _independent(_eig_parts(_eigen(a), a)[1])
    return diagonal(solved(v, tangents[0] @ v), 0, -2, -1)


@standard
def _eigvals_vjp(i, g, ans, a):
    v = _independent(_eig_parts(_eigen(a), a)[1])
    return solved(adjoint_of(v), g[..., :, None] * adjoint_of(v))


_eigenvalues = define(
    "general_eigenvalues", lambda a: np.linalg.eigvals(a).astype(complex_of(a.dtype)), Dense(_eigvals_jvp, _eigvals_vjp),
    batch=leading, latex=r"\lambda({0})", samples=matrices(_general, *SQUARE), convention=EQUAL.strip(),
    doc="the eigenvalues of square matrices, complex (Giles 2008, 3.1)",
)


@compose("eigvals", numpy=(np.linalg.eigvals,), samples=matrices(_general, *SQUARE, ((2, 2), {})), convention=EQUAL.strip())
def eigvals(a: Any) -> Any:
    """The eigenvalues of square matrices, complex, unless all are real; dλ = diag(V⁻¹ dA V) (Giles 2008, 3.1).

    >>> ag.grad(lambda a: ag.sum(ag.linalg.eigvals(a)).real)(np.array([[1.0, 2.0], [0.0, 3.0]]))  # the trace
    array([[1., 0.],
           [0., 1.]])
    """
    a = matrix(a, "eigvals", square=True)
    w = _eigenvalues(a)
    return w if is_complex(a) else as_numpy_has_them("eigvals", w)[0]


# ---------------------------------------------------------------------- zeros of polynomials


def _zeros(p):
    lines = [np.roots(line) for line in p.reshape(-1, p.shape[-1])]
    if len({line.size for line in lines}) > 1:
        raise varying("roots")
    zeros = np.array(lines) if lines else np.zeros((0, max(p.shape[-1] - 1, 0)))
    return zeros.astype(complex_of(p.dtype)).reshape(*p.shape[:-1], -1 if lines else zeros.shape[-1])


def _at(p, r):
    """p(r), by Horner's scheme."""
    y = 0.0 * r
    for k in range(shape_of(p)[-1]):
        y = y * r + p[..., k : k + 1]
    return y


def _slope(p, r):
    """p′(r)"""
    n = shape_of(p)[-1] - 1
    return _at(p[..., :n] * np.arange(n, 0, -1, dtype=float_of(p)), r)


def _roots_vjp(i, g, r, p):
    """-Σ g r^k / p′(r) for each power k."""
    terms = [-g / _slope(p, r)]
    for _ in range(shape_of(p)[-1] - 1):
        terms.append(terms[-1] * r)
    return stack([sum(x, -1) for x in reversed(terms)], -1)


_polynomial_zeros = define(
    "zeros_of_polynomial", _zeros, Custom(lambda tangents, r, p: -_at(tangents[0], r) / _slope(p, r), _roots_vjp),
    complex=True, batch=leading, latex=r"\operatorname{{roots}} {0}",
    output=lambda inputs: ((*inputs[0][0][:-1], max(inputs[0][0][-1] - 1, 0)), complex_of(inputs[0][1])),
    samples=lambda rng: [((np.poly(_separate(rng, n)) * rng.uniform(1, 2),), {}) for n in (3, 1)],
    doc="the zeros of a polynomial, complex",
)


def _separate(rng: Any, n: int) -> Any:
    """Zeros far from each other, of which the first two are a conjugate pair if there is room for it."""
    z = -3.0 + 2.5 * np.arange(n) + rng.uniform(-0.2, 0.2, n)
    return np.array([z[0] + 2j, z[0] - 2j, *z[2:]]) if n > 2 else z


@compose("roots", numpy=(np.roots,), convention="a zero that coincides with another has the derivative inf or nan.",
         samples=lambda rng: [((np.poly(_separate(rng, n)).real * rng.uniform(1, 2),), {}) for n in (3, 2)])
def roots(p: Any) -> Any:
    """The zeros of the polynomial p₁ xⁿ + ... + pₙ x + pₙ₊₁: complex, unless all are real. dr = -dp(r) / p′(r).

    Raises ValueError if p is no vector. Leading coefficients that are 0 lower the degree; the derivative counts them.

    >>> ag.roots(ag.Tensor([1.0, -3.0, 2.0])).value
    array([2., 1.])
    """
    p = as_array(p)
    if len(shape_of(p)) != 1:
        raise ValueError(f"roots takes a vector of coefficients, from the highest power down; got {describe(p)}")
    r = _polynomial_zeros(astype(p, float_of(p)))
    if is_complex(p) or any(np.any(np.imag(x)) for x in known_examples("roots", "np.roots(p.astype(complex))", r)):
        return r
    return real(r)


# ---------------------------------------------------------------------- beside real numbers


@compose("sort_complex", numpy=(np.sort_complex,), samples=arrays(((4,), {}), ((2, 3), {})))
def sort_complex(x: Any) -> Any:
    """The elements of x along its last axis as complex numbers, in the order of their real parts, then of the imaginary ones."""
    x = as_array(x)
    return sort(x if is_complex(x) else astype(x, np.sort_complex(np.zeros(0, value_of(x).dtype)).dtype))


@compose("real_if_close", numpy=(np.real_if_close,), samples=arrays(((3,), {})))
def real_if_close(x: Any, tol: float = 100) -> Any:
    """The real part of x if all imaginary parts are below ``tol`` units of rounding (if tol ≤ 1: below tol), else x.

    Where it takes the real part, the imaginary part has no influence any more.
    """
    x = as_array(x)
    if not is_complex(x):
        return x
    least = tol * np.finfo(value_of(x).dtype).eps if tol > 1 else tol
    examples = known_examples("real_if_close", "x.real, or x", x)
    return real(x) if all(np.all(np.abs(np.imag(value)) < least) for value in examples) else x

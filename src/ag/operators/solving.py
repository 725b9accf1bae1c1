"""Rows of linear equations: inverses, solutions, determinants, pseudo-inverses. All act on the last two axes.

The rules are those of M. B. Giles, "An extended collection of matrix derivative results for forward and reverse mode
algorithmic differentiation" (2008), and for the pseudo-inverse of G. H. Golub and V. Pereyra (1973).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..node import describe
from .batching import all_examples, elementwise, leading
from .dense import SQUARE, Dense, adjoint_of, conj, matrices, matrix, pack, similar, spread, standard
from .elementwise import where
from .joining import as_array
from .parts import imag, real
from .products import matmul
from .reductions import sum
from .rules import everywhere, float_of, holds, is_complex, shape_of, total, value_of
from .shaping import permute_dims, reshape
from .table import ATOM, CALL, POWER, PRODUCT, compose, define, plainly

# ---------------------------------------------------------------------- inverses and solutions


def _square(name: str) -> Any:
    """The signature of rows of one square matrix."""
    return lambda a: ((matrix(a, name, square=True),), {})


inv = define(
    "inv", np.linalg.inv,
    Dense(lambda tangents, ans, a: -(ans @ tangents[0] @ ans), lambda i, g, ans, a: -(ans.mT @ g @ ans.mT), core=2),
    signature=_square("inv"), numpy=(np.linalg.inv,), batch=leading, output=similar, latex="{{{0}}}^{{-1}}",
    precedence=(POWER, ATOM), samples=matrices(spread, *SQUARE),
    doc="""A⁻¹, of square matrices. dA⁻¹ = -A⁻¹ dA A⁻¹ (Giles 2008, 2.2.3).

    Raises LinAlgError for a singular matrix. To solve A x = b, ``solve`` is faster and more accurate.

    >>> ag.linalg.inv(ag.Tensor([[2.0, 0.0], [0.0, 4.0]])).value
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """,
)


def _solve_jvp(tangents, x, a, b):
    t_a, t_b = tangents
    terms = [] if t_b is None else [t_b]
    if t_a is not None:
        terms.append(-(t_a @ x))
    return solution(a, total(terms))


def _solve_vjp(i, g, x, a, b):
    y = solution(a.mT, g)
    return y if i == 1 else -(y @ x.mT)


def _solve_shape(inputs: Any) -> Any:
    (a, kind), (b, other) = inputs
    return (*np.broadcast_shapes(a[:-2], b[:-2]), *b[-2:]), np.result_type(kind, other)


solution = define(
    "solution", np.linalg.solve, Dense(_solve_jvp, _solve_vjp, (0, 1), core=2), batch=elementwise, output=_solve_shape,
    latex="{{{0}}}^{{-1}} \\cdot {1}", precedence=(PRODUCT, ATOM, CALL),
    samples=lambda rng: [
        ((spread(rng, a), rng.normal(size=b)), {})
        for a, b in (((3, 3), (3, 2)), ((2, 3, 3), (3, 1)), ((2, 2), (2, 2, 1)), ((0, 2, 2), (2, 1)))
    ],
    doc="X with A X = B, of matrices (Giles 2008, 2.3.1)",
)


def solved(a: Any, b: Any) -> Any:
    """A⁻¹ B within a rule: nan where A is singular, as a pass back raises nothing."""
    try:
        return solution(a, b)
    except np.linalg.LinAlgError:
        singular = plainly(lambda a: np.linalg.slogdet(a)[0] == 0, a)[..., None, None]
        return where(singular, math.nan, solution(where(singular, np.eye(shape_of(a)[-1]), a), b))


def system(a: Any, b: Any, name: str) -> tuple[Any, Any, bool]:
    """The matrix and the right-hand side as a matrix; was it a vector?"""
    a, b = matrix(a, name, square=True), as_array(b)
    vector = len(shape_of(b)) == 1
    if not shape_of(b) or shape_of(b)[-1 if vector else -2] != shape_of(a)[-1]:
        raise ValueError(
            f"{name}: {describe(b)} does not fit {describe(a)}: the right-hand side is a vector of length {shape_of(a)[-1]}, "
            f"or a matrix with that many rows"
        )
    return a, b[:, None] if vector else b, vector


@compose("solve", numpy=(np.linalg.solve,), samples=lambda rng: [
    ((spread(rng, a), rng.normal(size=b)), {})
    for a, b in (((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (2, 3, 2)), ((2, 3, 3), (3,)))
])  # fmt: skip
def solve(a: Any, b: Any) -> Any:
    """x with A x = b: of a square matrix A (or a stack of them), and a vector b, or a matrix of several.

    dx = A⁻¹ (db - dA x). Raises LinAlgError for a singular matrix. Source: Giles 2008, 2.3.1.

    >>> ag.linalg.solve(np.array([[2.0, 0.0], [0.0, 4.0]]), ag.Tensor([2.0, 2.0])).value
    array([1. , 0.5])
    """
    a, b, vector = system(a, b, "solve")
    x = solution(a, b)
    return x[..., 0] if vector else x


# ---------------------------------------------------------------------- determinants


def _cofactors(det_a, a):
    """∂ det A / ∂A. Of a singular matrix, which has no inverse, by its minors."""
    n = shape_of(a)[-1]
    if n <= 1:
        return np.ones(shape_of(a), float_of(a))
    if everywhere(value_of(det_a) != 0):
        return det_a[..., None, None] * inv(a).mT
    others = np.array([[j for j in range(n) if j != i] for i in range(n)])
    signs = (-1.0) ** np.add.outer(np.arange(n), np.arange(n))
    return det(a[..., others[:, None, :, None], others[None, :, None, :]]) * signs.astype(np.real(np.zeros(0, float_of(a))).dtype)


det = define(
    "det", np.linalg.det,
    Dense(lambda tangents, ans, a: sum(_cofactors(ans, a) * tangents[0], (-2, -1)),
          lambda i, g, ans, a: g[..., None, None] * _cofactors(ans, a), core=0),
    signature=_square("det"), numpy=(np.linalg.det,), batch=leading, latex=r"\det {0}",
    samples=lambda rng: [*matrices(spread, *SQUARE)(rng), ((np.outer([1.0, 2.0, -1.0], [0.5, 1.0, 2.0]),), {})],
    convention="exact for singular matrices, too: the derivative is the matrix of the cofactors.",
    doc="""det A, of square matrices; its derivative is the matrix of the cofactors, det A · A⁻ᵀ (Giles 2008, 2.2.4).

    Of large matrices it over- or underflows: there ``slogdet`` gives its sign and logarithm.
    """,
)


class SlogdetResult(NamedTuple):
    """The sign and the logarithm of the absolute value of a determinant."""

    sign: Any
    logabsdet: Any


def _slogdet(a):
    return np.stack(np.linalg.slogdet(a), -1)


def _inverse_transposed(a):
    """A⁻ᵀ; nan where A is singular."""
    return solved(a, np.broadcast_to(np.eye(shape_of(a)[-1], dtype=float_of(a)), shape_of(a))).mT


def _slogdet_jvp(tangents, ans, a):
    t = sum(_inverse_transposed(a) * tangents[0], (-2, -1))
    if not is_complex(t):
        return pack(shape_of(t), 0.0 * t, t)
    return pack(shape_of(t), 1j * ans[..., 0] * imag(t), real(t))


def _slogdet_vjp(i, g, ans, a):
    """Of complex A = s |det A| both depend on t = tr(A⁻¹ dA): d log |det A| = Re t, ds = i s Im t."""
    c = real(g[..., 1]) - 1j * real(1j * g[..., 0] * ans[..., 0]) if is_complex(ans) else g[..., 1]
    return c[..., None, None] * _inverse_transposed(a)


_sign_and_logarithm = define(
    "sign_and_logarithm_of_det", _slogdet,
    Dense(_slogdet_jvp, _slogdet_vjp),
    batch=leading, latex=r"\operatorname{{slogdet}} {0}", samples=matrices(spread, *SQUARE),
    convention="log |det A| of a singular matrix is -inf, its derivative nan.", doc="the sign of det A, and log |det A|",
)


@compose("slogdet", numpy=(np.linalg.slogdet,), samples=matrices(spread, *SQUARE))
def slogdet(a: Any) -> Any:
    """(sign, log |det A|), without overflow; d log |det A| = tr(A⁻¹ dA) (Giles 2008, 2.2.4).

    >>> ag.grad(lambda a: ag.linalg.slogdet(a).logabsdet)(np.array([[2.0, 1.0], [0.0, 4.0]]))
    array([[ 0.5  ,  0.   ],
           [-0.125,  0.25 ]])
    """
    ans = _sign_and_logarithm(matrix(a, "slogdet", square=True))
    return SlogdetResult(ans[..., 0], real(ans[..., 1]) if is_complex(ans) else ans[..., 1])


# ---------------------------------------------------------------------- least squares


def _pinv_jvp(tangents, p, a, rcond):
    t = adjoint_of(tangents[0])
    first = p @ tangents[0] @ p
    return p @ adjoint_of(p) @ (t - t @ a @ p) + (t - p @ (a @ t)) @ adjoint_of(p) @ p - first


@standard
def _pinv_vjp(i, g, p, a, rcond):
    h, q = adjoint_of(g), adjoint_of(p)
    left, right = h @ p @ q, q @ p @ h
    return (left - a @ (p @ left)) + (right - (right @ p) @ a) - q @ g @ q


_pseudo_inverse = define(
    "pseudo_inverse", lambda a, rcond: np.linalg.pinv(a, rcond), Dense(_pinv_jvp, _pinv_vjp, core=2),
    signature=lambda a, rcond: ((a,), {"rcond": rcond}), batch=leading, latex=lambda a, rcond: f"{{{a}}}^{{+}}",
    precedence=(POWER, ATOM), output=lambda inputs, rcond: ((*inputs[0][0][:-2], *inputs[0][0][:-3:-1]), inputs[0][1]),
    samples=matrices(spread, *(((shape), {"rcond": 1e-15}) for shape in ((3, 3), (3, 2), (2, 3), (2, 3, 2)))),
    convention="differentiated at constant rank, where it is smooth.", doc="A⁺, the pseudo-inverse (Golub and Pereyra 1973)",
)


@compose("pinv", numpy=(np.linalg.pinv,), samples=matrices(spread, *((s, {}) for s in ((3, 3), (3, 2), (2, 3), (2, 3, 2)))))
def pinv(a: Any, rcond: float | None = None, hermitian: bool = False, *, rtol: Any = ()) -> Any:
    """A⁺, the pseudo-inverse of Moore and Penrose: singular values below ``rcond`` times the largest count as 0.

    The derivative is that at constant rank (Golub and Pereyra 1973); where the rank changes there is none.
    """
    a = matrix(a, "pinv")
    if rcond is None:
        small = max(shape_of(a)[-2:]) * np.finfo(float_of(a)).eps
        rcond = 1e-15 if isinstance(rtol, (tuple, type(np._NoValue))) else float(small) if rtol is None else rtol
    return _pseudo_inverse(a, rcond)


def _lstsq_jvp(tangents, x, a, b, rcond):
    t_a, t_b = tangents
    p = _pseudo_inverse(a, rcond)
    terms = [] if t_b is None else [p @ t_b]
    if t_a is not None:
        h = adjoint_of(t_a)
        bent = h @ (adjoint_of(p) @ x)
        terms += [-(p @ (t_a @ x)), p @ (adjoint_of(p) @ (h @ (b - a @ x))), bent - p @ (a @ bent)]
    return total(terms)


@standard
def _lstsq_vjp(i, g, x, a, b, rcond):
    p = _pseudo_inverse(a, rcond)
    q = adjoint_of(p)
    y = q @ g
    if i == 1:
        return y
    rest = adjoint_of(g) - (adjoint_of(y) @ a)
    return (b - a @ x) @ (adjoint_of(g) @ p @ q) + (q @ x) @ rest - y @ adjoint_of(x)


_least_squares = define(
    "least_squares", lambda a, b, rcond: np.linalg.lstsq(a, b, rcond)[0], Dense(_lstsq_jvp, _lstsq_vjp, (0, 1), core=2),
    signature=lambda a, b, rcond: ((a, b), {"rcond": rcond}), latex=lambda a, b, rcond: rf"{{{a}}}^{{+}} \cdot {b}",
    precedence=(PRODUCT, ATOM, CALL),
    output=lambda inputs, rcond: ((inputs[0][0][1], inputs[1][0][1]), np.result_type(inputs[0][1], inputs[1][1])),
    samples=lambda rng: [((spread(rng, (m, n)), rng.normal(size=(m, 2))), {"rcond": 1e-15}) for m, n in ((3, 3), (4, 2), (2, 3))],
    convention="differentiated at constant rank, where it is smooth.", doc="A⁺ B: the least squares solution of A X = B",
)


@compose("lstsq", numpy=(np.linalg.lstsq,), samples=lambda rng: [
    ((spread(rng, (m, n)), rng.normal(size=b)), {}) for m, n, b in ((4, 2, (4,)), (4, 2, (4, 2)), (3, 3, (3,)), (2, 3, (2,)))
])  # fmt: skip
def lstsq(a: Any, b: Any, rcond: float | None = None) -> Any:
    """(x, Σ|b - A x|², rank, singular values): x minimises |b - A x|, and among those |x|. The rank is plain.

    The derivative is that at constant rank (Golub and Pereyra 1973).
    """
    from .spectra import svdvals

    a, b = matrix(a, "lstsq"), as_array(b)
    m, n = shape_of(a)[-2:]
    vector = len(shape_of(b)) == 1
    if len(shape_of(a)) > 2 or len(shape_of(b)) not in (1, 2) or shape_of(b)[0] != m:
        raise np.linalg.LinAlgError(
            f"lstsq: {describe(b)} does not fit {describe(a)}: it takes one matrix, and a vector of length {m} or a matrix with "
            f"that many rows"
        )
    tolerance = max(m, n) * np.finfo(float_of(a)).eps if rcond is None else 0.0 if rcond == -1 else rcond
    x = _least_squares(a, b[:, None] if vector else b, float(tolerance))
    rank = plainly(lambda a: np.linalg.lstsq(a, np.zeros(m), tolerance)[2], a)
    short = m <= n or not all(holds(r >= n) for r in all_examples(rank))
    residuals = np.zeros(0, float_of(a)) if short else _squares((b[:, None] if vector else b) - a @ x)
    return (x[:, 0] if vector else x), residuals, rank, svdvals(a)


def _squares(r: Any) -> Any:
    return sum(real(r * conj(r)) if is_complex(r) else r * r, 0)


# ---------------------------------------------------------------------- products of many


@compose("matrix_power", numpy=(np.linalg.matrix_power,),
         samples=matrices(spread, *(((3, 3), {"n": n}) for n in (-2, 1, 2, 3, 5)), ((2, 2, 2), {"n": 6})))  # fmt: skip
def matrix_power(a: Any, n: int) -> Any:
    """Aⁿ for an integer n, by repeated squaring; A⁻ⁿ = (A⁻¹)ⁿ."""
    a = matrix(a, "matrix_power", square=True)
    if n == 0:
        return np.broadcast_to(np.eye(shape_of(a)[-1], dtype=float_of(a)), shape_of(a))
    if n < 0:
        a, n = inv(a), -n
    if n == 3:
        return (a @ a) @ a
    result, square = None, a
    while True:
        n, odd = divmod(n, 2)
        if odd:
            result = square if result is None else result @ square
        if not n:
            return result
        square = square @ square


@compose("multi_dot", numpy=(np.linalg.multi_dot,), samples=lambda rng: [
    (([rng.normal(size=s) for s in shapes],), {})
    for shapes in (((2, 3), (3, 4)), ((2, 3), (3, 4), (4, 2)), ((3,), (3, 4), (4, 2), (2,)), ((4, 1), (1, 4), (4, 2), (2, 3)))
])  # fmt: skip
def multi_dot(arrays: Any) -> Any:
    """The product of two or more matrices in the order that needs the fewest multiplications; the ends may be vectors."""
    parts = [as_array(x) for x in arrays]
    if len(parts) < 2:
        raise ValueError(f"multi_dot takes two or more matrices, got {len(parts)}")
    first, last = len(shape_of(parts[0])) == 1, len(shape_of(parts[-1])) == 1
    parts[0] = parts[0][None, :] if first else parts[0]
    parts[-1] = parts[-1][:, None] if last else parts[-1]
    sides = [shape_of(parts[0])[0], *(shape_of(x)[1] for x in parts)]
    best: dict[tuple[int, int], tuple[int, int]] = {(i, i): (0, i) for i in range(len(parts))}  # cost, and where to cut
    for length in range(1, len(parts)):
        for i in range(len(parts) - length):
            j = i + length
            cuts = [(best[i, k][0] + best[k + 1, j][0] + sides[i] * sides[k + 1] * sides[j + 1], k) for k in range(i, j)]
            best[i, j] = min(cuts)

    def product(i: int, j: int) -> Any:
        cut = best[i, j][1]
        return parts[i] if i == j else matmul(product(i, cut), product(cut + 1, j))

    result = product(0, len(parts) - 1)
    result = result[0] if first else result
    return result[..., 0] if last else result


# ---------------------------------------------------------------------- tensors as matrices


@compose("tensorinv", numpy=(np.linalg.tensorinv,), samples=lambda rng: [
    ((spread(rng, (4, 4)).reshape(2, 2, 4),), {}), ((spread(rng, (4, 4)).reshape(4, 2, 2),), {"ind": 1}),
])  # fmt: skip
def tensorinv(a: Any, ind: int = 2) -> Any:
    """The inverse of a as a map from its last axes to its first ``ind``: tensordot(tensorinv(a), a, ind) is the identity."""
    a = as_array(a)
    if ind <= 0:
        raise ValueError(f"tensorinv: ind counts the first axes, at least 1; got {ind}")
    shape = shape_of(a)
    return reshape(inv(reshape(a, (math.prod(shape[:ind]), -1))), (*shape[ind:], *shape[:ind]))


@compose("tensorsolve", numpy=(np.linalg.tensorsolve,), samples=lambda rng: [
    ((spread(rng, (4, 4)).reshape(2, 2, 4), rng.normal(size=(2, 2))), {}),
    ((np.moveaxis(spread(rng, (4, 4)).reshape(2, 2, 4), -1, 0), rng.normal(size=(2, 2))), {"axes": (0,)}),
])  # fmt: skip
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """x with tensordot(a, x, x.ndim) = b; before, ``axes`` of a are moved to its end."""
    a, b = as_array(a), as_array(b)
    if axes is not None:
        order = [k for k in range(len(shape_of(a))) if k not in axes]
        a = permute_dims(a, (*order, *axes))
    rest = shape_of(a)[len(shape_of(b)) :]
    return reshape(solve(reshape(a, (-1, math.prod(rest))), reshape(b, -1)), rest)



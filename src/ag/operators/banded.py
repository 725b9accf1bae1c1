"""Banded systems of linear equations. A matrix with some diagonals below and above the main one is given by those, in rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..node import describe
from .batching import leading
from .dense import Dense, matrix
from .joining import as_array, pad, stack
from .matrix_functions import library
from .reductions import sum
from .rules import shape_of, total
from .table import ANY, ATOM, compose, define


def _shifted(x, rows):
    """x moved down by so many rows, with zeros where nothing comes in."""
    if not rows:
        return x
    n = shape_of(x)[-2]
    move = min(abs(rows), n)
    kept = x[..., : n - move, :] if rows > 0 else x[..., move:, :]
    widths = (move, 0) if rows > 0 else (0, move)
    return pad(kept, (*((0, 0),) * (len(shape_of(x)) - 2), widths, (0, 0)))


def _times(ab, x, upper):
    """A x, of A given by its diagonals: row d of them holds those elements whose row is d - upper more than their column."""
    return total([_shifted(ab[..., d, :, None] * x, d - upper) for d in range(shape_of(ab)[-2])])


def _transposed(ab, upper):
    """The diagonals of Aᵀ."""
    rows = [_shifted(ab[..., d, :, None], d - upper)[..., 0] for d in reversed(range(shape_of(ab)[-2]))]
    return stack(rows, -2)


def _solve(ab, b, lower, upper):
    lead = np.broadcast_shapes(ab.shape[:-2], b.shape[:-2])
    ab, b = np.broadcast_to(ab, lead + ab.shape[-2:]), np.broadcast_to(b, lead + b.shape[-2:])
    x = np.empty(b.shape, np.result_type(ab, b, np.float32) if ab.dtype.kind in "fc" or b.dtype.kind in "fc" else float)
    for index in np.ndindex(lead):
        x[index] = library().solve_banded((lower, upper), ab[index], b[index], check_finite=False)
    return x


def _jvp(tangents, x, ab, b, lower, upper):
    t_ab, t_b = tangents
    terms = [] if t_b is None else [t_b]
    if t_ab is not None:
        terms.append(-_times(t_ab, x, upper))
    return banded_solution(ab, total(terms), lower, upper)


def _vjp(i, g, x, ab, b, lower, upper):
    y = banded_solution(_transposed(ab, upper), g, upper, lower)
    if i == 1:
        return y
    return -stack([sum(_shifted(y, upper - d) * x, -1) for d in range(lower + upper + 1)], -2)


def _output(inputs: Any, lower: int, upper: int) -> Any:
    (ab, kind), (b, other) = inputs
    return (*np.broadcast_shapes(ab[:-2], b[:-2]), *b[-2:]), np.result_type(kind, other)


def _samples(rng: Any) -> Any:
    result = []
    for lower, upper, n in ((1, 1, 4), (2, 1, 3), (0, 1, 3)):
        ab = rng.normal(size=(lower + upper + 1, n))
        ab[upper] += 4.0
        result.append((lower, upper, ab, rng.normal(size=(n, 2))))
    return result


banded_solution = define(
    "banded_solution", _solve, Dense(_jvp, _vjp, (0, 1), core=2), batch=leading, output=_output,
    signature=lambda ab, b, lower, upper: ((ab, b), {"lower": lower, "upper": upper}), precedence=(ATOM, ANY, ANY),
    latex=lambda ab, b, lower, upper: rf"\operatorname{{banded}}({ab}, {b}, lower={lower}, upper={upper})",
    samples=lambda rng: [((ab, b), {"lower": lower, "upper": upper}) for lower, upper, ab, b in _samples(rng)],
    doc="X with A X = B, of banded A given by its diagonals",
)  # fmt: skip


@compose(
    "solve_banded", forward=lambda bands, ab, b: library().solve_banded(bands, ab, b),
    samples=lambda rng: [(((lower, upper), ab, b if lower else b[:, 0]), {}) for lower, upper, ab, b in _samples(rng)],
    convention="places in the rows of diagonals that lie outside of the matrix have no influence.",
)
def solve_banded(lower_and_upper: Any, ab: Any, b: Any) -> Any:
    """x with A x = b, where A has so many diagonals below and above the main one: ab[upper + i - j, j] = A[i, j].

    b is a vector or a matrix of several. Computed by SciPy. Raises LinAlgError for a singular matrix.
    """
    lower, upper = (int(n) for n in lower_and_upper)
    ab, b = matrix(ab, "solve_banded"), as_array(b)
    vector = len(shape_of(b)) == 1
    fits = shape_of(b) and shape_of(b)[-1 if vector else -2] == shape_of(ab)[-1]
    if shape_of(ab)[-2] != lower + upper + 1 or not fits:
        raise ValueError(
            f"solve_banded: of {lower} diagonals below and {upper} above the main one the matrix of diagonals has "
            f"{lower + upper + 1} rows, and as many columns as b has rows; got {describe(ab)} and {describe(b)}"
        )
    x = banded_solution(ab, b[:, None] if vector else b, lower, upper)
    return x[..., 0] if vector else x

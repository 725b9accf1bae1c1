"""What the rows of linear algebra share: their kind of rule, several results in one array, and matrices to try them with.

A row acts on the last two axes; axes before them are a stack of matrices. A decomposition has several results and a node
holds one array, so the row gives them one after another in a vector, which is taken apart again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..node import describe
from .joining import as_array, concat
from .rules import FUNCTIONS, Custom, any_over, fit, float_of, is_complex, masked, shape_of
from .shaping import reshape


def conj(x: Any) -> Any:
    """The complex conjugate of x; x itself if it is real."""
    return FUNCTIONS["conj"](x) if is_complex(x) else x


def adjoint_of(x: Any) -> Any:
    """Matrices transposed and conjugated."""
    return conj(x).mT


class Dense(Custom):
    """A `Custom` rule of matrices, in which everything of one matrix depends on everything of another.
    ``core``: how many axes of the result belong to one matrix. Rules hold for complex matrices, too."""

    complex = True

    def __init__(
        self, jvp_rule: Callable[..., Any], vjp_rule: Callable[..., Any], arguments: tuple[int, ...] = (0,), core: int = 1
    ) -> None:
        super().__init__(jvp_rule, vjp_rule, arguments)
        self.core = core

    def exact_vjp(self, i: int, g: Any, mask: Any, step: Any) -> tuple[Any, Any]:
        x = step.args[i]
        whole = np.any(mask, axis=tuple(range(-self.core, 0)))[..., None, None]
        reached = any_over(np.broadcast_to(whole, np.broadcast_shapes(whole.shape, shape_of(x))), x)
        return masked(reached, fit(self.vjp(i, g, step), x)), reached


def standard(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: a rule of reverse mode as the literature has it, where the cotangent of z = x + iy is ∂f/∂x + i ∂f/∂y;
    the passes carry its conjugate."""

    def vjp_rule(i: int, g: Any, *args: Any, **params: Any) -> Any:
        return conj(rule(i, conj(g), *args, **params))

    return vjp_rule


# ---------------------------------------------------------------------- several results in one array

Shapes = tuple[tuple[int, ...], ...]


def pack(lead: tuple[int, ...], *parts: Any) -> Any:
    """Arrays with the leading axes ``lead``, one after another along the last axis."""
    return concat([reshape(x, (*lead, math.prod(shape_of(x)[len(lead) :]))) for x in parts], -1)


def unpack(packed: Any, *shapes: tuple[int, ...]) -> list[Any]:
    """The inverse, of arrays with these shapes after the leading axes."""
    lead = shape_of(packed)[:-1]
    parts, start = [], 0
    for shape in shapes:
        stop = start + math.prod(shape)
        parts.append(reshape(packed[..., start:stop], (*lead, *shape)))
        start = stop
    return parts


def matrix(x: Any, name: str, square: bool = False) -> Any:
    """x as an array of matrices. Raises LinAlgError for other shapes, as NumPy does."""
    x = as_array(x)
    if len(shape_of(x)) < 2:
        raise np.linalg.LinAlgError(f"{name} takes a matrix, or a stack of matrices; got {describe(x)}")
    if square and shape_of(x)[-1] != shape_of(x)[-2]:
        raise np.linalg.LinAlgError(f"{name} takes square matrices; got {describe(x)}")
    return x


def on_diagonal(v: Any) -> Any:
    """The diagonal matrices of vectors."""
    return v[..., None, :] * np.eye(shape_of(v)[-1], dtype=float_of(v))


# ---------------------------------------------------------------------- domains


SYMMETRIC = (
    "A is symmetric by contract (NumPy reads one triangle): its cotangent is symmetric, the derivative along such matrices."
)


def symmetric_part(a: Any) -> Any:
    """½ (A + Aᴴ)"""
    return (a + conj(a).mT) / 2


def similar(inputs: list[Any], **_: Any) -> Any:
    """The output of rows that keep shape and dtype."""
    return inputs[0]


def rotation(rng: Any, shape: tuple[int, ...], dtype: Any = float) -> Any:
    """Orthogonal (unitary) matrices."""
    z = rng.normal(size=shape)
    return np.linalg.qr(z if dtype is float else z + 1j * rng.normal(size=shape))[0]


def spread(rng: Any, shape: tuple[int, ...], dtype: Any = float) -> Any:
    """Matrices with singular values near 1, 2.5, 4, ...: well away from each other and from 0."""
    *lead, m, n = shape
    k = min(m, n)
    left, right = rotation(rng, (*lead, m, m), dtype)[..., :k], rotation(rng, (*lead, n, n), dtype)[..., :k]
    values = 1 + 1.5 * np.arange(k) + rng.uniform(-0.2, 0.2, k)
    return (left * values) @ conj(right).mT


def definite(rng: Any, shape: tuple[int, ...], dtype: Any = float) -> Any:
    """Positive definite matrices with eigenvalues near 1, 2.5, 4, ..."""
    q = rotation(rng, shape, dtype)
    return symmetric_part((q * (1 + 1.5 * np.arange(shape[-1]) + rng.uniform(-0.2, 0.2, shape[-1]))) @ conj(q).mT)


def matrices(make: Callable[..., Any], *cases: tuple[tuple[int, ...], dict[str, Any]]) -> Any:
    """Samples of rows of one matrix."""
    return lambda rng: [((make(rng, shape),), params) for shape, params in cases]


SQUARE: tuple[Any, ...] = (((3, 3), {}), ((1, 1), {}), ((2, 3, 3), {}), ((0, 2, 2), {}))

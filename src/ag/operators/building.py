"""Arrays built from others: triangles, grids, sequences, and products that have no sum."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..node import Operand, describe
from .batching import all_examples
from .domains import arrays
from .elementwise import exp, log, positive, power, where
from .joining import as_array
from .parts import conj
from .products import matmul
from .rules import float_of, holds, is_complex, numbers_of, shape_of, zero_of
from .selecting import diag
from .shaping import astype, broadcast_arrays, broadcast_to, moveaxis, reshape
from .steps import equal
from .table import compose, of_numpy, plainly

__all__ = [
    "copy", "cross", "diagflat", "full_like", "geomspace", "kron", "linspace", "logspace", "matvec", "meshgrid", "tril",
    "triu", "vander", "vdot", "vecmat",
]

# ---------------------------------------------------------------------- triangles


def _triangle(x: Any, k: int, lower: bool) -> Any:
    x = as_array(x)
    shape = shape_of(x) if len(shape_of(x)) > 1 else shape_of(x) * 2
    if not shape:
        raise ValueError(f"a triangle needs a matrix, got {describe(x)}")
    mask = np.tri(shape[-2], shape[-1], k if lower else k - 1, bool)
    return where(mask if lower else ~mask, x, zero_of(x))


TRIANGLES = arrays(((3, 3), {}), ((2, 3), {"k": 1}), ((2, 3, 2), {"k": -1}), ((3,), {}))


@compose("tril", numpy=(np.tril,), samples=TRIANGLES)
def tril(x: Any, k: int = 0) -> Any:
    """The matrix x with 0 above its k-th diagonal: its lower triangle."""
    return _triangle(x, k, True)


@compose("triu", numpy=(np.triu,), samples=TRIANGLES)
def triu(x: Any, k: int = 0) -> Any:
    """The matrix x with 0 below its k-th diagonal: its upper triangle."""
    return _triangle(x, k, False)


@compose("diagflat", numpy=(np.diagflat,), samples=arrays(((3,), {}), ((2, 2), {"k": 1})))
def diagflat(x: Any, k: int = 0) -> Any:
    """The matrix with the elements of x on its k-th diagonal."""
    return diag(reshape(as_array(x), -1), k)


# ---------------------------------------------------------------------- products


@compose("kron", numpy=(np.kron,), samples=arrays(
    (((2,), (3,)), {}), (((2, 2), (1, 3)), {}), (((2,), (2, 2)), {}), (((), (2,)), {})))  # fmt: skip
def kron(x: Any, y: Any) -> Any:
    """Kronecker's product: every element of x times the whole of y, in blocks."""
    x, y = as_array(x), as_array(y)
    ndim = max(len(shape_of(x)), len(shape_of(y)))
    m, n = ((1,) * (ndim - len(shape_of(z))) + shape_of(z) for z in (x, y))
    x = reshape(x, tuple(length for i in m for length in (i, 1)))
    y = reshape(y, tuple(length for i in n for length in (1, i)))
    return reshape(x * y, tuple(i * j for i, j in zip(m, n, strict=True)))


@compose("cross", numpy=(np.cross,), samples=lambda rng: [
    *arrays((((3,), (3,)), {}), (((2, 3), (3,)), {}), (((3, 2), (3, 2)), {"axis": 0}))(rng),
    ((rng.normal(size=(3, 2)), rng.normal(size=(2, 3))), {"axisa": 0, "axisc": 0}),
])  # fmt: skip
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """a × b: the vector product of vectors of three elements."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(as_array(a), axisa, -1), moveaxis(as_array(b), axisb, -1)
    if shape_of(a)[-1] != 3 or shape_of(b)[-1] != 3:
        raise ValueError(
            f"cross takes vectors of three elements, got {describe(a)} and {describe(b)}; in a plane write x[0]*y[1] - x[1]*y[0]"
        )
    i, j = np.array([1, 2, 0]), np.array([2, 0, 1])
    return moveaxis(a[..., i] * b[..., j] - a[..., j] * b[..., i], -1, axisc)


def _conjugate(x: Any) -> Any:
    return conj(x) if is_complex(x) else x


@compose("vdot", numpy=(np.vdot,), samples=arrays((((3,), (3,)), {}), (((2, 2), (2, 2)), {}), (((), ()), {})))
def vdot(x: Any, y: Any) -> Any:
    """Σ x̄ y of x and y flattened."""
    return matmul(reshape(_conjugate(as_array(x)), -1), reshape(as_array(y), -1))


for _f in of_numpy("matvec"):

    @compose("matvec", numpy=(_f,), samples=arrays((((2, 3), (3,)), {}), (((2, 2, 3), (2, 3)), {}), (((2, 3), (2, 3)), {})))
    def matvec(x: Any, y: Any) -> Any:
        """Σⱼ x[..., i, j] y[..., j]: matrices times vectors, the leading axes broadcast."""
        return matmul(x, as_array(y)[..., None])[..., 0]


for _f in of_numpy("vecmat"):

    @compose("vecmat", numpy=(_f,), samples=arrays((((2,), (2, 3)), {}), (((2, 2), (2, 2, 3)), {}), (((2, 2), (2, 3)), {})))
    def vecmat(x: Any, y: Any) -> Any:
        """Σᵢ x̄[..., i] y[..., i, j]: vectors times matrices, the leading axes broadcast."""
        return matmul(_conjugate(as_array(x))[..., None, :], y)[..., 0, :]


# ---------------------------------------------------------------------- grids and sequences


@compose("meshgrid", numpy=(np.meshgrid,), samples=arrays(
    (((2,), (3,)), {}), (((2,), (3,)), {"indexing": "ij"}), (((2,), (3,), (2,)), {"sparse": True}), (((2,),), {})))  # fmt: skip
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    """The coordinates of a grid, one array for each axis; ``sparse``: of length 1 along the others."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing is 'xy' or 'ij', got {indexing!r}")
    n = len(xi)
    grid = []
    for i, x in enumerate(map(as_array, xi)):
        place = 1 - i if indexing == "xy" and n > 1 and i < 2 else i
        grid.append(reshape(x, tuple(-1 if k == place else 1 for k in range(n))))
    return tuple(grid) if sparse else tuple(broadcast_arrays(*grid))


@compose("vander", numpy=(np.vander,), samples=arrays(((3,), {}), ((3,), {"N": 2, "increasing": True}), ((2,), {"N": 4})))
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Vandermonde's matrix: the powers of x in columns, from the highest (``increasing``: from x⁰)."""
    x = as_array(x)
    powers = np.arange(shape_of(x)[0] if N is None else N)
    return power(x[:, None], powers if increasing else powers[::-1])


def _parts(num: int, endpoint: bool) -> Any:
    return np.arange(num) / max(num - 1 if endpoint else num, 1)


@compose("linspace", numpy=(np.linspace,), samples=lambda rng: [
    ((rng.normal(), rng.normal()), {"num": 4}), ((rng.normal(size=2), rng.normal(size=2)), {"num": 3, "axis": -1}),
    ((rng.normal(), rng.normal()), {"num": 3, "endpoint": False, "retstep": True}),
])  # fmt: skip
def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0
) -> Any:
    """start + k h for k = 0, 1, ..., num - 1, with h such that the last is ``stop`` (the one after it if not ``endpoint``)."""
    start, stop = (as_array(z) for z in (start, stop))
    start, stop = broadcast_arrays(*(astype(z, float_of(z)) for z in (start, stop)))
    parts = _parts(num, endpoint).astype(np.result_type(float_of(start), float_of(stop)))
    parts = parts.reshape((-1, *(1,) * len(shape_of(start))))
    line = where(equal(parts, 1), stop, start + (stop - start) * parts) if endpoint else start + (stop - start) * parts
    line = moveaxis(line, 0, axis)
    line = line if dtype is None else line.astype(dtype)
    return (line, (stop - start) / max(num - 1 if endpoint else num, 1)) if retstep else line


@compose("logspace", numpy=(np.logspace,), samples=lambda rng: [
    ((rng.normal(), rng.normal()), {"num": 4}), ((rng.normal(), rng.normal(), 3, True, rng.uniform(1, 3)), {}),
])  # fmt: skip
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Any:
    """base to the powers `linspace` (start, stop): numbers that are evenly spaced on a logarithmic scale."""
    line = power(base, linspace(start, stop, num, endpoint, axis=axis))
    return line if dtype is None else line.astype(dtype)


@compose("geomspace", numpy=(np.geomspace,), samples=lambda rng: [
    ((float(rng.uniform(1, 2)), float(rng.uniform(3, 9))), {"num": 4}),
    ((-float(rng.uniform(1, 2)), -8.0), {"num": 3, "endpoint": False}),
])  # fmt: skip
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """start · qᵏ for k = 0, 1, ..., num - 1, with q such that the last is ``stop``; both of one sign."""
    start, stop = broadcast_arrays(as_array(start), as_array(stop))
    if not holds(np.multiply(*all_examples(start, stop)) > 0):
        raise ValueError(f"geomspace goes between two numbers of one sign, not 0; got {describe(start)} and {describe(stop)}")
    start, stop = (astype(z, np.result_type(float_of(z), np.float64)) for z in (start, stop))  # as NumPy does
    line = start * exp(linspace(0.0 * start, log(stop / start), num, endpoint, axis=axis))
    return line if dtype is None else line.astype(dtype)


@compose("full_like", numpy=(np.full_like,), samples=lambda rng: [((np.ones((2, 3), int), rng.normal(size=3), float), {})])
def full_like(
    x: Any, fill_value: Any, dtype: Any = None, order: Any = None, subok: Any = None, shape: Any = None, *, device: Any = None
) -> Any:
    """An array of the shape and dtype of x, filled with ``fill_value``; x itself has no influence."""
    shape = shape_of(x) if shape is None else shape
    if not isinstance(fill_value, Operand):
        return plainly(np.full_like, x, fill_value, dtype, shape=shape)
    filled = broadcast_to(fill_value, shape)
    return filled if dtype is None else filled.astype(dtype)


@compose("copy", numpy=(np.copy,), methods=("copy",), samples=arrays(((2,), {}), ((), {})))
def copy(x: Any, order: str = "K", subok: bool = False) -> Any:
    """x itself: values are never written."""
    if not isinstance(x, Operand):
        return np.array(x)
    return plainly(np.copy, x) if numbers_of(x) == "b" else positive(x)



"""Convolution and correlation of vectors: bilinear, and each is the transpose of the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..node import describe
from .batching import elementwise
from .domains import arrays
from .joining import as_array, flip
from .parts import conj
from .rules import Bilinear, is_complex, shape_of
from .table import ATOM, SUM, compose, define

__all__ = [
    "convolve", "correlate",
]


def _full(x, y):
    """Vectors along the last axis; leading axes broadcast."""
    if np.ndim(x) == np.ndim(y) == 1:
        return np.convolve(x, y)
    m = np.shape(y)[-1]
    padded = np.pad(x, [(0, 0)] * (np.ndim(x) - 1) + [(m - 1, m - 1)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, m, axis=-1)
    return (windows @ np.flip(y, -1)[..., :, None])[..., 0]


def _full_transpose(i, g, x, y):
    """Σ g over the places that an element came to."""
    other, n, m = (y, shape_of(x)[-1], shape_of(y)[-1]) if i == 0 else (x, shape_of(y)[-1], shape_of(x)[-1])
    return convolution(g, flip(other, -1))[..., m - 1 : m - 1 + n]


convolution = define(
    "convolution", _full, Bilinear(_full_transpose), symbol="∗", batch=elementwise, latex=r"{0} * {1}",
    precedence=(SUM, ATOM, ATOM),
    samples=arrays((((4,), (3,)), {}), (((2,), (4,)), {}), (((1,), (1,)), {})),
    doc="yₖ = Σⱼ aⱼ vₖ₋ⱼ: the whole convolution, of length n + m - 1",
)

MODES: tuple[Any, ...] = tuple(
    (shapes, {"mode": mode}) for mode in ("full", "same", "valid") for shapes in (((5,), (3,)), ((2,), (5,)))
)


def _cut(y: Any, n: int, m: int, mode: str) -> Any:
    """What ``mode`` keeps of a whole convolution of a longer and a shorter vector."""
    n, m = max(n, m), min(n, m)
    if mode == "full":
        return y
    if mode == "same":
        return y[..., (m - 1) // 2 : (m - 1) // 2 + n]
    if mode == "valid":
        return y[..., m - 1 : n]
    raise ValueError(f"mode is 'full', 'same' or 'valid', got {mode!r}")


def _vectors(a: Any, v: Any, name: str) -> tuple[Any, Any]:
    a, v = (z if shape_of(z) else z.reshape(1) for z in (as_array(a), as_array(v)))
    for z in (a, v):
        if len(shape_of(z)) != 1 or not shape_of(z)[0]:
            raise ValueError(f"{name} takes two vectors, not empty; got {describe(z)}")
    return a, v


@compose("convolve", numpy=(np.convolve,), samples=arrays(*MODES))
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """yₖ = Σⱼ aⱼ vₖ₋ⱼ of two vectors. ``mode``: all of it, the "same" length as the longer, or where both are whole ("valid").

    >>> ag.convolve(ag.Tensor([1.0, 2.0, 3.0]), [1.0, -1.0]).value
    array([ 1.,  1.,  1., -3.])
    """
    a, v = _vectors(a, v, "convolve")
    return _cut(convolution(a, v), shape_of(a)[0], shape_of(v)[0], mode)


@compose("correlate", numpy=(np.correlate,), samples=arrays(*MODES))
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """cₖ = Σⱼ aⱼ₊ₖ v̄ⱼ of two vectors; ``mode`` as of `convolve`."""
    a, v = _vectors(a, v, "correlate")
    v = conj(v) if is_complex(v) else v
    n, m = shape_of(a)[0], shape_of(v)[0]
    if mode == "same" and m > n:  # counted from the other end
        return flip(_cut(convolution(v, flip(a)), n, m, mode))
    return _cut(convolution(a, flip(v)), n, m, mode)

"""Rows of the discrete Fourier transform. They are linear, and their matrices symmetric: the transpose is the transform itself.

y_k = Σ_n x_n e^{-2πi kn/N}; ``norm`` says where the factor 1/N goes, as in NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..node import describe
from .axes import one_axis
from .batching import leading
from .domains import arrays
from .joining import pad, roll
from .parts import conj
from .rules import Linear, shape_of, value_of
from .table import compose, row

NORMS = ("backward", "ortho", "forward")
LENGTHS: tuple[Any, ...] = (
    ((4,), {}), ((5,), {}), ((2, 4), {"axis": 0}), ((3, 4), {"n": 3}), ((4,), {"n": 6}), ((2, 4), {"norm": "ortho"}),
    ((5,), {"norm": "forward"}),
)


def _one(x: Any, n: int | None, axis: int, norm: str | None, half: bool = False) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The one input, and the length of the transform, its axis and its norm."""
    axis = one_axis(axis, len(shape_of(x)), x)
    given = shape_of(x)[axis]
    length = (2 * (given - 1) if half else given) if n is None else int(n)
    if length < 1:
        raise ValueError(f"a Fourier transform has at least one point: n={length} for {describe(x)}")
    if (norm or "backward") not in NORMS:
        raise ValueError(f"norm={norm!r} is none of 'backward', 'ortho' and 'forward'")
    return (x,), {"n": length, "axis": axis, "norm": norm or "backward"}


def _resized(x: Any, n: int, axis: int) -> Any:
    """x with n elements along ``axis``: cut, or with zeros at the end."""
    given = shape_of(x)[axis]
    if n <= given:
        return x if n == given else x[(..., slice(n), *[slice(None)] * (-axis - 1))]
    widths = [(0, 0)] * len(shape_of(x))
    widths[axis] = (0, n - given)
    return pad(x, widths)


def _opposite(norm: str) -> str:
    return {"backward": "forward", "forward": "backward", "ortho": "ortho"}[norm]


@row(
    "fft", lambda x, n, axis, norm: np.fft.fft(x, n, axis, norm),
    Linear((lambda g, x, n, axis, norm: _resized(fft(g, n, axis, norm), shape_of(x)[axis], axis),)), numpy=(np.fft.fft,),
    batch=leading,
    samples=arrays(*LENGTHS),
)
def fft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """y_k = Σ_m x_m e^{-2πi km/n} along ``axis``: the discrete Fourier transform, of x cut or padded to length n."""
    return _one(x, n, axis, norm)


@row(
    "ifft", lambda x, n, axis, norm: np.fft.ifft(x, n, axis, norm),
    Linear((lambda g, x, n, axis, norm: _resized(ifft(g, n, axis, norm), shape_of(x)[axis], axis),)), numpy=(np.fft.ifft,),
    batch=leading,
    samples=arrays(*LENGTHS),
)
def ifft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """x_m = 1/n Σ_k y_k e^{2πi km/n}: the inverse of `fft`."""
    return _one(x, n, axis, norm)


def _rfft_transpose(g, x, n, axis, norm):
    return _resized(fft(g, n, axis, norm), shape_of(x)[axis], axis)


@row(
    "rfft", lambda x, n, axis, norm: np.fft.rfft(x, n, axis, norm), Linear((_rfft_transpose,)), numpy=(np.fft.rfft,),
    batch=leading,
    samples=arrays(*LENGTHS),
)
def rfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The first half of the `fft` of real numbers, k = 0 ... ⌊n/2⌋: the rest are its conjugates."""
    if value_of(x).dtype.kind == "c":
        raise TypeError(f"rfft is of real numbers, got {describe(x)} of dtype {value_of(x).dtype}: write ag.fft.fft")
    return _one(x, n, axis, norm)


def _irfft_transpose(g, x, n, axis, norm):
    """Each of the half counts twice, for itself and its conjugate, but for the ends that have none."""
    kept = n // 2 + 1
    twice = np.full(kept, 2.0)
    twice[0] = 1.0
    if n % 2 == 0:
        twice[-1] = 1.0
    spread = conj(rfft(g, n, axis, _opposite(norm))) * twice.reshape([-1] + [1] * (-axis - 1)).astype(value_of(g).dtype)
    return _resized(spread, shape_of(x)[axis], axis)


@row(
    "irfft", lambda x, n, axis, norm: np.fft.irfft(x, n, axis, norm), Linear((_irfft_transpose,)), numpy=(np.fft.irfft,),
    batch=leading,
    samples=arrays(((4,), {}), ((4,), {"n": 7}), ((3, 4), {"axis": 0}), ((4,), {"n": 4}), ((2, 4), {"norm": "ortho"}),
                   ((4,), {"n": 9, "norm": "forward"})),
)
def irfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The inverse of `rfft`: n real numbers (None: 2 (m - 1) from m)."""
    return _one(x, n, axis, norm, half=True)


@compose("hfft", forward=np.fft.hfft, numpy=(np.fft.hfft,), samples=arrays(((4,), {}), ((4,), {"n": 5})))
def hfft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The `fft` of a signal whose second half is the conjugate of the first: real numbers."""
    return irfft(conj(x), n, axis, _opposite(norm or "backward"))


@compose("ihfft", forward=np.fft.ihfft, numpy=(np.fft.ihfft,), samples=arrays(((4,), {}), ((5,), {"n": 4})))
def ihfft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """The inverse of `hfft`."""
    return conj(rfft(x, n, axis, _opposite(norm or "backward")))


# ---------------------------------------------------------------------- along several axes


def _several(x: Any, s: Any, axes: Any, name: str) -> list[tuple[int, int]]:
    """Pairs of an axis and the length there."""
    shape = shape_of(x)
    if axes is None:
        axes = range(-len(shape), 0) if s is None else range(-len(s), 0)
    places = [one_axis(axis, len(shape), x) for axis in axes]
    wanted = [-1] * len(places) if s is None else s
    given = [shape[axis] if n == -1 else int(n) for n, axis in zip(wanted, places, strict=True)]
    if not places:
        raise ValueError(f"{name} needs at least one axis of {describe(x)}")
    return list(zip(places, given, strict=True))


def _repeated(name: str, one: Any, f: Any, axes: Any, samples: Any) -> Any:
    """One transform along several axes, the last one first, as NumPy has it."""

    @compose(name, forward=f, samples=samples, numpy=(f,))
    def transform(x: Any, s: Any = None, axes: Any = axes, norm: str | None = None) -> Any:
        for axis, n in reversed(_several(x, s, axes, name)):
            x = one(x, n, axis, norm)
        return x

    transform.__doc__ = f"The {'inverse ' if name[0] == 'i' else ''}Fourier transform along several axes, as np.fft.{name}."
    return transform


BOTH = arrays(((2, 3), {}), ((3, 4), {"s": (4, 3)}), ((2, 2, 3), {"axes": (0, -1)}), ((2, 3), {"norm": "ortho"}))
fft2 = _repeated("fft2", fft, np.fft.fft2, (-2, -1), BOTH)
ifft2 = _repeated("ifft2", ifft, np.fft.ifft2, (-2, -1), BOTH)
SEVERAL = arrays(
    ((2, 3), {}), ((3, 4), {"s": (4, 3), "axes": (0, 1)}), ((2, 2, 3), {"axes": (0, -1)}), ((2, 3), {"norm": "ortho"}),
)
fftn = _repeated("fftn", fft, np.fft.fftn, None, SEVERAL)
ifftn = _repeated("ifftn", ifft, np.fft.ifftn, None, SEVERAL)


def _halved(name: str, f: Any, axes: Any, samples: Any) -> Any:
    """The transform of real numbers along the last axis, then that of complex ones along the others."""

    @compose(name, forward=f, samples=samples, numpy=(f,))
    def transform(x: Any, s: Any = None, axes: Any = axes, norm: str | None = None) -> Any:
        *others, (last, n) = _several(x, s, axes, name)
        y = rfft(x, n, last, norm)
        for axis, n in reversed(others):
            y = fft(y, n, axis, norm)
        return y

    transform.__doc__ = f"The Fourier transform of real numbers along several axes, as np.fft.{name}."
    return transform


def _restored(name: str, f: Any, axes: Any, samples: Any) -> Any:
    """The inverse of `_halved`: the others first, then the last axis."""

    @compose(name, forward=f, samples=samples, numpy=(f,))
    def transform(x: Any, s: Any = None, axes: Any = axes, norm: str | None = None) -> Any:
        *others, (last, n) = _several(x, s, axes, name)
        for axis, m in others:
            x = ifft(x, m, axis, norm)
        return irfft(x, n if s is not None and s[-1] != -1 else None, last, norm)

    transform.__doc__ = f"Real numbers from their Fourier transform along several axes, as np.fft.{name}."
    return transform


rfft2 = _halved("rfft2", np.fft.rfft2, (-2, -1), BOTH)
rfftn = _halved("rfftn", np.fft.rfftn, None, SEVERAL)
BACK = arrays(((2, 3), {}), ((3, 4), {"s": (3, 5), "axes": (0, 1)}), ((2, 3), {"norm": "ortho"}))
irfft2 = _restored("irfft2", np.fft.irfft2, (-2, -1), BACK)
irfftn = _restored("irfftn", np.fft.irfftn, None, BACK)


# ---------------------------------------------------------------------- frequencies in the middle


def _centred(name: str, f: Any, half: Any) -> Any:
    @compose(name, forward=f, samples=arrays(((4,), {}), ((5,), {}), ((2, 3), {"axes": 1})), numpy=(f,))
    def shift(x: Any, axes: Any = None) -> Any:
        shape = shape_of(x)
        places = range(len(shape)) if axes is None else axes if isinstance(axes, (tuple, list)) else (axes,)
        return roll(x, tuple(half(shape[axis]) for axis in places), tuple(places))

    return shift


fftshift = _centred("fftshift", np.fft.fftshift, lambda n: n // 2)
fftshift.__doc__ = "The frequencies in rising order, with 0 in the middle."
ifftshift = _centred("ifftshift", np.fft.ifftshift, lambda n: -(n // 2))
ifftshift.__doc__ = "The inverse of `fftshift`."


"""Images made upright by their moments: half of what tells two writers of a digit apart is slant and place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

CHUNK = 1024  # images at a time: what is in work stays in the cache


def deskew(X: Any, shape: tuple[int, int] | None = None) -> Any:
    """I'(r, c) = I(r + r̄ - r₀, c + c̄ - c₀ + a (r - r₀)), with the slant a = cov(r, c) / var(r): upright and centred.

    The moments r̄, c̄, cov and var are those of the image taken as a distribution of mass, (r₀, c₀) is the centre of
    the frame. Between pixels the image is interpolated linearly; outside it is 0.

    Arguments: ``X``, images as rows, float of shape (examples, height · width), not negative; ``shape``,
    (height, width), by default a square. An image of zeros stays as it is.

    Returns an array of the shape and dtype of X. Raises ValueError when the rows are not images of that shape.

    Source: moment-based slant correction, as in LeCun et al., 1998 ("deslanting").

    >>> X = ag.datasets.digits().X_test
    >>> ag.datasets.deskew(X).shape == X.shape
    True
    """
    X = np.asarray(X)
    if X.ndim != 2:
        raise ValueError(f"deskew takes images as rows, of shape (examples, height · width), got {X.shape}")
    if shape is None:
        side = math.isqrt(X.shape[1])
        shape = (side, side)
    if shape[0] * shape[1] != X.shape[1]:
        raise ValueError(f"deskew: rows of {X.shape[1]} numbers are no images of shape {shape}: give shape=(height, width)")
    if X.dtype.kind != "f":
        X = X.astype(np.float32)
    result = np.empty_like(X)
    for start in range(0, len(X), CHUNK):
        images = X[start : start + CHUNK].reshape(-1, *shape)
        result[start : start + CHUNK] = _upright(images).reshape(len(images), -1)
    return result


def _upright(images: Any) -> Any:
    _, height, width = images.shape
    r = np.arange(height, dtype=images.dtype) - (height - 1) / 2
    c = np.arange(width, dtype=images.dtype) - (width - 1) / 2
    rows = images.sum(axis=2)
    mass = rows.sum(axis=1)
    mass = np.where(mass > 0, mass, 1)
    first = images @ c  # Σ I c of each row
    mean_r, mean_c = rows @ r / mass, first.sum(axis=1) / mass
    variance = rows @ (r * r) / mass - mean_r**2
    slant = np.where(variance > 0, (first @ r / mass - mean_r * mean_c) / np.where(variance > 0, variance, 1), 0)
    sheared = _shifted(images, mean_c[:, None] + slant[:, None] * (r - mean_r[:, None]))
    upward = np.ascontiguousarray(sheared.transpose(0, 2, 1))
    moved = _shifted(upward, np.broadcast_to(mean_r[:, None], (len(images), width)))
    return moved.transpose(0, 2, 1)


def _shifted(lines: Any, shift: Any) -> Any:
    """Each last-axis line read at i + shift, linearly between its elements and 0 outside: shift has shape (n, m)."""
    n, m, length = lines.shape
    shift = np.clip(shift, -length, length)
    whole = np.floor(shift)
    part = (shift - whole).astype(lines.dtype)[..., None]
    padded = np.zeros((n, m, 3 * length + 2), lines.dtype)
    padded[..., length : 2 * length] = lines
    flat = padded.reshape(-1)
    begin = np.arange(n * m).reshape(n, m) * (3 * length + 2) + length + whole.astype(np.intp)
    index = begin[..., None] + np.arange(length)
    left = flat.take(index)
    index += 1
    return left + part * (flat.take(index) - left)

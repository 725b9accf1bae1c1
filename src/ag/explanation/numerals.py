"""Numbers and arrays as people read them: few digits, arrays by their shape and a summary."""

from __future__ import annotations

from typing import Any

import numpy as np

DIGITS = 5
LISTED = 6  # elements: up to here an array is written out


def numeral(x: Any, digits: int = DIGITS) -> str:
    """A number as text: 0.048587, 1.5e-07, 1 - 2i."""
    if np.iscomplexobj(x):
        z = complex(x)
        if z.imag == 0:
            return numeral(z.real, digits)
        sign = "-" if z.imag < 0 else "+"
        return f"{numeral(z.real, digits)} {sign} {numeral(abs(z.imag), digits)}i"
    x = float(x)
    if x == int(x) if abs(x) < 1e15 else False:
        return str(int(x))
    return f"{x:.{digits}g}"


def times(shape: tuple[int, ...]) -> str:
    """A shape as 784×10."""
    return "×".join(map(str, shape))


def summary(x: Any, digits: int = 4) -> str:
    """An array in a few words: its elements if they are few, else their range and mean."""
    array = np.asarray(x)
    if array.ndim == 0:
        return numeral(array, DIGITS)
    if array.size <= LISTED:
        return _listed(array, digits)
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    lost = array.size - finite.size
    words = []
    if finite.size:
        middle = finite.mean()
        if finite.dtype.kind == "f" and abs(middle) < finite.size * np.finfo(finite.dtype).eps * np.abs(finite).max():
            middle = 0.0  # what rounding leaves of numbers that add up to 0
        low, high, mean = (numeral(x, digits) for x in (finite.min(), finite.max(), middle))
        words.append(f"all {low}" if low == high else f"{low} ... {high}, mean {mean}")
    if lost:
        words.append(f"{lost} of {array.size} not finite")
    return ", ".join(words)


def _listed(array: Any, digits: int) -> str:
    if array.ndim == 0:
        return numeral(array, digits)
    return f"[{', '.join(_listed(x, digits) for x in array)}]"


def kind(x: Any) -> str:
    """Shape and dtype in words: (784×10) float32; nothing for a number."""
    array = np.asarray(x)
    if array.ndim == 0:
        return ""
    return f"({times(array.shape)})" + ("" if array.dtype == np.float64 else f" {array.dtype}")


def factor(x: Any, digits: int = DIGITS) -> str:
    """A number as a factor: a negative or complex one in parentheses."""
    text = numeral(x, digits)
    return f"({text})" if text.startswith("-") or " " in text else text



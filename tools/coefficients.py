"""Derives the polynomials of the compiler's elementary functions, and prints the module that keeps them.

    python tools/coefficients.py > src/ag/compiler/mathematics/coefficients.py

Each is the near-minimax (Chebyshev) fit of what remains of a function once its leading terms are taken off exactly.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import mpmath
from mpmath import mpf

HALF_LOG_2 = 0.34658
SQRT_2_REDUCED = 0.02944  # ((√2 - 1) / (√2 + 1))²
QUARTER_PI_SQUARED = 0.6169
TAN_PI_8_SQUARED = 0.17158
ERFC_CENTRE = 3.75
ERF_CENTRE = 3.0


def series(f: Callable[[Any], Any], limit: list[int | str]) -> Callable[[Any], Any]:
    """f, and near 0 its Taylor polynomial, whose coefficients are given, for f loses all digits there."""
    terms = [mpf(t) if isinstance(t, int) else mpf(t.split("/")[0]) / mpf(t.split("/")[1]) for t in limit]
    return lambda z: f(z) if abs(z) > mpf(10) ** -12 else mpmath.fsum(t * z**i for i, t in enumerate(terms))


def root(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda z: f(mpmath.sqrt(z))


def scaled_erfc(t: Any) -> Any:
    """(1 + 2x) exp(x²) erfc(x), where t = (x - c) / (x + c)."""
    x = ERFC_CENTRE * (1 + t) / (1 - t)
    return (1 + 2 * x) * mpmath.exp(x * x) * mpmath.erfc(x)


def damped_erfc(t: Any) -> Any:
    """exp(x²) erfc(x), where t = (x - c) / (x + c)."""
    x = ERF_CENTRE * (1 + t) / (1 - t)
    return mpmath.exp(x * x) * mpmath.erfc(x)


# name: the function, from, to, number of coefficients in double and in float (0: float goes through double)
FITS: dict[str, tuple[Callable[[Any], Any], float, float, int, int]] = {
    "exp": (series(lambda r: (mpmath.exp(r) - 1 - r) / r**2, ["1/2", "1/6"]), -HALF_LOG_2, HALF_LOG_2, 10, 5),
    "log": (
        series(root(lambda s: (2 * mpmath.atanh(s) - 2 * s) / s**3), ["2/3", "2/5"]), 0.0, SQRT_2_REDUCED, 7, 3,
    ),
    "log_tail": (
        series(root(lambda s: (mpmath.atanh(s) - s - s**3 / 3) / s**5), ["1/5", "1/7"]), 0.0, SQRT_2_REDUCED, 8, 0,
    ),
    "sin": (series(root(lambda x: (mpmath.sin(x) - x) / x**3), ["-1/6", "1/120"]), 0.0, QUARTER_PI_SQUARED, 6, 3),
    "cos": (
        series(root(lambda x: (mpmath.cos(x) - 1 + x**2 / 2) / x**4), ["1/24", "-1/720"]), 0.0, QUARTER_PI_SQUARED, 6, 3,
    ),
    "asin": (series(root(lambda x: (mpmath.asin(x) - x) / x**3), ["1/6", "3/40"]), 0.0, 0.25, 13, 6),
    "atan": (series(root(lambda x: (mpmath.atan(x) - x) / x**3), ["-1/3", "1/5"]), 0.0, TAN_PI_8_SQUARED, 12, 5),
    "erf": (lambda z: mpmath.erf(mpmath.sqrt(z)) / mpmath.sqrt(z) - 1 if z else 2 / mpmath.sqrt(mpmath.pi) - 1, 0.0, 1.0, 12, 7),
    "erf_far": (damped_erfc, -0.5, 0.348, 16, 8),  # 1 < x < 6.2
    "erfc": (scaled_erfc, -1.0, 0.77, 25, 13),
}  # fmt: skip


def single(x: float) -> float:
    return struct.unpack("f", struct.pack("f", x))[0]


def fitted(f: Callable[[Any], Any], start: float, end: float, n: int) -> list[Any]:
    """The polynomial of n coefficients, from the highest power down, that meets f in the Chebyshev points."""
    middle, half = (mpf(end) + start) / 2, (mpf(end) - start) / 2
    angles = [mpmath.pi * (2 * k + 1) / (2 * n) for k in range(n)]
    values = [f(middle + half * mpmath.cos(a)) for a in angles]
    weights = [2 * mpmath.fsum(v * mpmath.cos(j * a) for v, a in zip(values, angles, strict=True)) / n for j in range(n)]
    weights[0] /= 2
    scaled_x = [1 / half, -middle / half]  # the argument on [-1, 1]
    before, last, result = [mpf(0)], [mpf(1)], [weights[0]]
    for weight in weights[1:]:
        following = scaled_x if len(last) == 1 else added([2 * c for c in multiplied(scaled_x, last)], [-c for c in before])
        before, last = last, following
        result = added(result, [weight * c for c in last])
    return result


def multiplied(p: list[Any], q: list[Any]) -> list[Any]:
    result = [mpf(0)] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            result[i + j] += a * b
    return result


def added(p: list[Any], q: list[Any]) -> list[Any]:
    n = max(len(p), len(q))
    return [a + b for a, b in zip([0] * (n - len(p)) + p, [0] * (n - len(q)) + q, strict=True)]


def coefficients(name: str) -> dict[str, tuple[float, ...]]:
    """Of one function, by type, from the highest power down."""
    f, start, end, double, float_ = FITS[name]
    with mpmath.workdps(50):
        found = {"double": tuple(float(c) for c in fitted(f, start, end, double))}
        if float_:
            found["float"] = tuple(single(float(c)) for c in fitted(f, start, end, float_))
    return found


def two_over_pi(words: int) -> list[int]:
    """The bits of 2/π in words of 64: the first holds those before the point, all 0."""
    with mpmath.workprec(64 * words + 64):
        bits = int(mpmath.floor(2 / mpmath.pi * mpf(2) ** (64 * (words - 1))))
    return [bits >> 64 * (words - 1 - i) & (1 << 64) - 1 for i in range(words)]


def wrapped(items: list[str]) -> str:
    lines = [" " * 11]
    for item in items:
        if len(lines[-1]) + len(item) > 126:
            lines.append(" " * 11)
        lines[-1] += f" {item},"
    return "\n".join(lines)


def module() -> str:
    text = '"""Polynomials of the elementary functions, from the highest power down: what ``tools/coefficients.py`` prints."""\n'
    text += "\nPOLYNOMIALS: dict[str, dict[str, tuple[float, ...]]] = {\n"
    for name in FITS:
        text += f'    "{name}": {{\n'
        for type, values in coefficients(name).items():
            text += f'        "{type}": (\n{wrapped([*map(repr, values)])}\n        ),\n'
        text += "    },\n"
    text += f"}}\nERF_CENTRE = {ERF_CENTRE}\nERFC_CENTRE = {ERFC_CENTRE}\n"
    text += "\n# 2/π in words of 64 bits, the first of which stand before the point\n"
    return text + f"TWO_OVER_PI = (\n{wrapped([f'0x{w:016X}' for w in two_over_pi(21)])}\n)\n"


if __name__ == "__main__":
    print(module(), end="")

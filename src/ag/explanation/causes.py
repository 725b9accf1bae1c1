"""Why a number is not finite, and what to do about it: for each operator, at which points, as data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .numerals import numeral


@dataclass(frozen=True)
class Operand:
    """An argument of an operator, as far as one element of the result is computed from it.

    name    its label, or a letter; of a constant the number
    shape   of the whole argument
    count   how many of its elements were used
    low, high  the smallest and the largest of them (equal if there is one)
    given   is it a leaf or a constant, so that it was not computed?
    """

    name: str
    shape: tuple[int, ...]
    count: int
    low: Any
    high: Any
    given: bool

    def __str__(self) -> str:
        if self.count == 1:
            return f"{self.name} = {numeral(self.low)}" if self.name != numeral(self.low) else self.name
        numbers = f"all {numeral(self.low)}" if self.low == self.high else f"from {numeral(self.low)} to {numeral(self.high)}"
        return f"{self.count:,} elements of {self.name}, {numbers}"


class Cause(NamedTuple):
    """What an operator does at a point, and the advice where the graph around it shows no better way to write it."""

    when: Callable[..., bool]  # of the numbers, one for each argument
    says: str  # {0}, {1} are the numbers
    advice: str  # {x}, {y} are the names of the arguments


def _negative(x: float, *rest: float) -> bool:
    return x < 0


def _zero(x: float, *rest: float) -> bool:
    return x == 0


def _large(x: float, *rest: float) -> bool:
    return 1 < x < math.inf


def _outside(x: float, *rest: float) -> bool:
    return abs(x) > 1


def _infinite(*x: float) -> bool:
    return any(map(math.isinf, x))


ALWAYS: Callable[..., bool] = lambda *x: True  # noqa: E731

CHECK = "check where {x} comes from"
CLIP = "keep {x} in the domain, for example ag.clip({x}, {low}, {high}), or " + CHECK
LOGARITHM = (
    Cause(_zero, "the logarithm of 0 is -inf", "keep {x} above 0, for example ag.{op}(ag.maximum({x}, 1e-12)), or compute the "
          "logarithm itself instead of {x}"),
    Cause(_negative, "a negative number, {0}, has no logarithm", CHECK + ": it should not be negative"),
)
BIG = "the result is larger than the largest {dtype}, {largest}"
SCALE = "compute with smaller numbers (subtract the maximum, divide by a scale, stay with logarithms){wider}"
OVERFLOW = (Cause(ALWAYS, BIG, SCALE),)
POWERS = (
    Cause(lambda x, *y: _large(x),
          "e to the {0} is larger than the largest {dtype}, {largest}: the exponent may be {exponent} at most", SCALE),
)
UNIT_INTERVAL = (Cause(_outside, "{0} lies outside of [-1, 1]", CLIP.replace("{low}", "-1").replace("{high}", "1")),)
LEFT_OUT = (
    Cause(_infinite, "all logits are -inf: no class is left that could have a probability",
          "leave at least one logit of each row finite"),
)
SPREAD = (
    Cause(ALWAYS, "n - correction is not above 0, or the squares are too large",
          "give it more elements, or a smaller correction"),
)
PERIODIC = (Cause(_infinite, "there is no such value at {0}", CHECK),)

# By operator; the first that holds is said. What is not here is said by CAUSES_OF_ALL.
CAUSES: dict[str, tuple[Cause, ...]] = {
    "log": LOGARITHM, "log2": LOGARITHM, "log10": LOGARITHM,
    "log1p": (
        Cause(lambda x: x == -1, "the logarithm of 1 + (-1) is -inf", "keep {x} above -1, or compute the logarithm itself"),
        Cause(lambda x: x < -1, "1 + ({0}) is negative, and has no logarithm", CHECK + ": it should not fall below -1"),
    ),
    "sqrt": (Cause(_negative, "a negative number, {0}, has no root",
                   CHECK + "; if rounding makes it negative, ag.sqrt(ag.maximum({x}, 0.0))"),),
    "divide": (
        Cause(lambda x, y: x == 0 == y, "0 / 0 is nan", "decide what 0 / 0 means: ag.where({y} != 0, {x} / {y}, 0.0)"),
        Cause(lambda x, y: y == 0, "{0} is divided by 0", "leave out what has no quotient: ag.where({y} != 0, {x} / {y}, 0.0)"),
        Cause(lambda x, y: _infinite(x) and _infinite(y), "inf / inf is nan", SCALE),
        *OVERFLOW,
    ),
    "reciprocal": (
        Cause(_zero, "1 is divided by 0", "leave out what has no reciprocal: ag.where({x} != 0, 1 / {x}, 0.0)"), *OVERFLOW,
    ),
    "remainder": (Cause(lambda x, y: y == 0, "there is no remainder of a division by 0", "check where {y} comes from"),),
    "floor_divide": (Cause(lambda x, y: y == 0, "{0} is divided by 0", "check where {y} comes from"),),
    "exp": POWERS, "expm1": POWERS, "sinh": POWERS, "cosh": POWERS,
    "pow": (
        Cause(lambda x, y: x < 0 and y % 1 != 0, "a negative number, {0}, has no power with the fractional exponent {1}",
              CHECK + ": it should not be negative"),
        Cause(lambda x, y: x == 0 and y < 0, "0 to the negative power {1} is a division by 0",
              "leave it out: ag.where({x} != 0, {x} ** {y}, 0.0)"),
        *OVERFLOW,
    ),
    "asin": UNIT_INTERVAL, "acos": UNIT_INTERVAL,
    "atanh": (
        Cause(lambda x: abs(x) == 1, "it is infinite at {0}", CLIP.replace("{low}", "-1 + 1e-12").replace("{high}", "1 - 1e-12")),
        *UNIT_INTERVAL,
    ),
    "acosh": (Cause(lambda x: x < 1, "{0} lies below 1", CHECK + ": it should be 1 at least"),),
    "sin": PERIODIC, "cos": PERIODIC, "tan": PERIODIC,
    "add": (Cause(lambda x, y: _infinite(x) and _infinite(y), "inf - inf is nan", CHECK), *OVERFLOW),
    "subtract": (Cause(lambda x, y: _infinite(x) and _infinite(y), "inf - inf is nan", CHECK), *OVERFLOW),
    "multiply": (
        Cause(lambda x, y: (x == 0 and _infinite(y)) or (y == 0 and _infinite(x)), "0 · inf is nan",
              "select with ag.where(mask, value, 0.0) instead of multiplying with 0"),
        *OVERFLOW,
    ),
    "softmax": LEFT_OUT, "log_softmax": LEFT_OUT,
    "var": SPREAD, "std": SPREAD,
}  # fmt: skip


class Said(NamedTuple):
    """Why, and what to do."""

    cause: str
    advice: str


# Of rows that reduce: no elements at all.
EMPTY = Said("there are no elements", "leave out what is empty")
FINITE_ONLY = "check the data: np.isfinite({x}).all() should hold before they are used"


def said(op: str, operands: tuple[Operand, ...], dtype: Any, other: str) -> Said:
    """Why ``op`` of these operands is not finite; ``other`` is said where the table knows no better."""
    largest = np.finfo(dtype if dtype is not None else float)
    names = {key: x.name for key, x in zip("xyz", operands, strict=False)}
    words = {
        **names, "op": op, "dtype": str(largest.dtype), "largest": numeral(float(largest.max), 2),
        "exponent": numeral(math.log(float(largest.max)), 4),
        "wider": "" if largest.bits >= 64 else ", or in float64",
    }
    if not operands or any(x.count == 0 for x in operands):
        return EMPTY
    numbers = [x.low.real if isinstance(x.low, complex) and not x.low.imag else x.low for x in operands]
    bad = next((x for x in operands if x.given and not np.isfinite((x.low, x.high)).all()), None)
    known = CAUSES.get(op, ()) if not np.iscomplexobj(numbers) else ()  # complex numbers have no order
    for cause in known:
        if cause.when(*numbers) and not (bad and cause.when is ALWAYS):
            return Said(*(text.format(*map(numeral, numbers), **words) for text in (cause.says, cause.advice)))
    if bad is not None:
        number = bad.low if not np.isfinite(bad.low) else bad.high
        return Said(f"{bad.name} is given as {numeral(number)}", FINITE_ONLY.format(x=bad.name))
    return Said(other, CHECK.format(**words)) if other else Said(BIG.format(**words), SCALE.format(**words))

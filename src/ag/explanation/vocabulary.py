"""What an expression may call and compute with: the rows of the table, by their names and those of NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..operators import everything
from ..operators.rules import FUNCTIONS, Bilinear, Elementwise, Zero
from ..operators.table import TABLE, Operator

CONSTANTS = {"pi": math.pi, "π": math.pi, "e": math.e, "inf": math.inf}

# What an argument may be: ORDER stands for numbers without a derivative, such as the n of polygamma(n, x).
NUMBERS, ORDER, VECTOR, CONDITION, EITHER, LABEL = "numbers", "order", "vector", "condition", "either", "label"

# What mathematics and other languages call some rows: for hints.
ELSEWHERE = {
    "ln": "log", "lg": "log10", "ld": "log2", "tg": "tan", "arctg": "atan", "sgn": "sign", "logistic": "sigmoid",
    "expit": "sigmoid", "arsinh": "asinh", "arcosh": "acosh", "artanh": "atanh", "length": "norm", "average": "mean",
    "avg": "mean", "int": "trunc", "round": "rint", "mod": "remainder", "lse": "logsumexp", "nll": "cross_entropy",
    "dot": "matmul", "ifelse": "where",
}


class Function(NamedTuple):
    """A function as expressions call it: what its arguments may be, how many must be given, does a condition result?"""

    name: str
    call: Callable[..., Any]
    arguments: tuple[str, ...]
    least: int
    conditional: bool = False

    def usage(self, name: str) -> str:
        """How it is called, for hints: clip(x, y, z), softmax([x, y]), where(x > 0, y, z)."""
        letters = iter("xyz")
        return f"{name}({', '.join(EXAMPLES.get(kind) or next(letters) for kind in self.arguments)})"

    def instead(self, text: str) -> str:
        """What to write where a number was given in place of a vector."""
        return "write * for numbers" if self.arguments == (VECTOR, VECTOR) else f"write {self.name}([{text}, ...])"


EXAMPLES = {VECTOR: "[x, y]", CONDITION: "x > 0", EITHER: "x > 0", LABEL: "0", ORDER: "1"}


def find(name: str) -> Function | None:
    """The function of that name; None if there is none."""
    op = _rows().get(name)
    if op is not None:
        return _function(op)
    loss = _losses().get(name)
    if loss is not None:
        return Function(name, loss, (VECTOR, LABEL), 2)
    everything()
    op = _rows().get(name)
    return None if op is None else _function(op)


def names() -> list[str]:
    """The names of all functions, those of the table before NumPy's."""
    everything()
    return [*_rows(), *_losses()]


def operator_function(method: str) -> Function:
    """The function of a Python operator, by the name of its method: ``__add__``."""
    return next(_function(op) for op in TABLE.values() if method in op.methods)


def _rows() -> dict[str, Operator]:
    rows = {name: op for name, op in TABLE.items() if _arguments(op) is not None}
    others = {f.__name__: op for op in rows.values() for f in op.numpy}
    return rows | {name: op for name, op in others.items() if name not in rows}


def _losses() -> dict[str, Callable[..., Any]]:
    from ..learn.losses import cross_entropy, negative_log_likelihood  # here, as the losses stand above

    return {f.__name__: f for f in (cross_entropy, negative_log_likelihood)}


def _function(op: Operator) -> Function:
    arguments = _arguments(op)
    assert arguments is not None
    least = len(arguments) if op.signature is None else _required(op)
    return Function(op.name, FUNCTIONS[op.name], arguments, least, not op.records)


def _arguments(op: Operator) -> tuple[str, ...] | None:
    """What the arguments of a row may be, by its kind; None for rows that make no sense in an expression (shapes, dtypes)."""
    rule = op.rule
    count = len(op.precedence) - 1
    if not op.records:
        return (NUMBERS if op.scalar is not None else EITHER,) * count
    if isinstance(rule, Elementwise):
        return tuple(NUMBERS if rule.depends_on(i) else _without_derivative(op, i) for i in range(count))
    if isinstance(rule, Zero) and op.scalar is not None:
        return (NUMBERS,) * count
    if isinstance(rule, Bilinear) and op.signature is None:
        return (VECTOR,) * count
    several = callable(getattr(rule, "transposes", None))  # of any number of arrays: concat and stack
    if op.signature is not None and not several and "axis" in _parameters(op) and _required(op) == 1:
        return (VECTOR,)
    return None


def _without_derivative(op: Operator, i: int) -> str:
    """What an argument without a derivative is: its samples tell."""
    assert op.samples is not None
    return CONDITION if np.asarray(op.samples(np.random.default_rng(0))[0][0][i]).dtype == bool else ORDER


def _parameters(op: Operator) -> tuple[str, ...]:
    code = _code(op)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _required(op: Operator) -> int:
    """How many arguments must be given."""
    assert op.signature is not None
    code, function = _code(op), op.signature
    return code.co_argcount - len(function.__defaults__ or ()) + code.co_kwonlyargcount - len(function.__kwdefaults__ or {})


def _code(op: Operator) -> Any:
    return op.signature.__code__  # type: ignore[union-attr]

"""The program computed by NumPy, quantity by quantity: where there is no compiler, and to check it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .program import Constant, Program, Quantity


class Differs(Exception):
    """The program does not hold for these numbers: a quantity is not what it expects, or has another shape or dtype."""


def run(program: Program, arguments: Sequence[Any]) -> list[Any]:
    """The outputs of the program. Values are dropped when nothing needs them any more. Raises Differs where it does not hold."""
    values: dict[int, Any] = dict(zip(program.arguments, arguments, strict=True))
    last = lifetimes(program)
    with np.errstate(all="ignore"):
        for number, value in computed(program, values):
            values[number] = value
            for x in last.get(number, ()):
                del values[x]
    if any(values[x] for x in program.expected):
        raise Differs("what is expected to be 0 is not")
    return [x.value if isinstance(x, Constant) else values[x] for x in program.outputs]


def computed(program: Program, values: dict[int, Any]) -> Iterator[tuple[int, Any]]:
    """Each quantity that is computed, with its value."""
    for number, q in enumerate(program.quantities):
        if q.op is None:
            continue
        given = [values[x] if type(x) is int else x.value for x in q.inputs]
        given = [
            x.item() if type(n) is int and program.quantities[n].weak and hasattr(x, "item") else x
            for n, x in zip(q.inputs, given, strict=True)
        ]
        yield number, value_of(q, given)


def value_of(q: Quantity, inputs: Sequence[Any]) -> Any:
    """What NumPy gives for a quantity. Raises Differs."""
    params = {**q.params, "kept": {}} if "kept" in q.params else q.params
    value = q.op.plain(tuple(inputs), params)
    shape, dtype = np.shape(value), np.asarray(value).dtype
    if shape != q.shape or dtype != q.dtype:
        raise Differs(f"{q.op.name} gave {dtype}{list(shape)} where the trace foresaw {q.dtype}{list(q.shape)}")
    return value


def lifetimes(program: Program) -> dict[int, list[int]]:
    """For each quantity those that nothing needs after it."""
    kept = set(program.results())
    dropped: dict[int, list[int]] = {}
    for x, users in enumerate(program.consumers()):
        if users and x not in kept:
            dropped.setdefault(users[-1], []).append(x)
    return dropped

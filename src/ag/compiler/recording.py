"""A call of a function, recorded as a program: what goes in, what comes out, and where each of it stands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..advice import said_last
from ..batched import Batched
from ..node import Node, Operand, describe, next_stamp
from ..operators.rules import value_of
from ..operators.table import TABLE
from ..reach import Reach
from ..traced import Traced
from ..transforms.containers import leaves, paths, rebuilt
from .program import Program
from .returned import refuse_kept
from .signature import NUMBERS, is_end
from .tracing import Trace

# Of a call its key, the arrays and numbers among its arguments, these (those by name last), and which of them are static.
Given = tuple[Any, list[Any], Sequence[Any], Collection[int]]


class Captures(Exception):
    """Of a function whose result depends on nodes or batches that it was not given: what is compiled has plain results."""


class Recording(NamedTuple):
    """``places``: of each leaf of the result its output, or None where it stands as it is; ``donated``: the arguments that are
    given up; ``rising``: the captured indices that are taken to stay 0, 1, 2, ...
    """

    program: Program
    result: Any
    places: list[int | None]
    donated: list[int]
    rising: list[Any]


def recording(f: Callable[..., Any], given: Given, names: Sequence[str], donate: Sequence[int], rising: bool) -> Recording:
    """f of such arguments, the last of them by ``names``; ``donate``: those that are given up; ``rising``: see `Trace`."""
    _, ends, arguments, static = given
    trace, since = Trace(rising=rising), next_stamp()
    with trace:
        inputs = [trace.argument(*_type(x)) for x in ends]
        rest = iter(inputs)
        new = [x if i in static else _replaced(x, rest) for i, x in enumerate(arguments)]
        args = new[: len(new) - len(names)]
        given_up = [x for i in donate if -len(args) <= i < len(args) for x in leaves(args[i])]
        called = [*zip(_names(f, len(args)), args, strict=False), *zip(names, new[len(args) :], strict=True)]
        for name, x in called:
            for leaf, path in zip(leaves(x), paths(x, name), strict=True):
                if type(leaf) is Traced:
                    trace.program.quantities[leaf.number].name = path
        try:
            result = f(*args, **dict(zip(names, new[len(args) :], strict=True)))
        except ValueError as error:
            said_last(error)
            raise
        if type(result) is Traced and result.weak and getattr(np, getattr(f, "__name__", ""), None) is f:
            result = TABLE["astype"].apply((result,), {"dtype": result.dtype})  # NumPy's own functions give numbers of NumPy's
        found = leaves(result)
        _refuse_captured(found, since)
        outputs: list[Any] = []
        places: list[int | None] = []
        for y in found:
            is_output = isinstance(value_of(y), (Operand, np.ndarray, np.generic, float, int, complex))
            places.append(len(outputs) if is_output else None)
            if is_output:
                outputs.append(value_of(y))
        program = trace.finish(outputs)
    result = rebuilt(result, [0.0 if place is not None else y for place, y in zip(places, found, strict=True)])
    refuse_kept(result)
    donated = sorted({x.number for x in given_up if type(x) is Traced})
    return Recording(program, result, places, donated, [array for array in trace.kept if id(array) in trace.risen])


def _names(f: Any, n: int) -> list[str]:
    """What f calls the first n of its arguments, as far as they have names."""
    f = getattr(f, "__wrapped__", f)
    code = getattr(f, "__code__", None)
    if code is None:
        return []
    bound = int(hasattr(f, "__self__"))
    return list(code.co_varnames[bound : min(code.co_argcount, bound + n)])


def _refuse_captured(ends: list[Any], since: int) -> None:
    """Raises Captures if one of them depends on a batch, or on a node from before this stamp."""
    for y in ends:
        older = Reach([y], since).older if isinstance(y, Node) else [y] if type(y) is Batched else []
        if older:
            raise Captures(describe(older[0]))


def _type(x: Any) -> tuple[tuple[int, ...], Any, bool]:
    """Shape, dtype and weakness of an argument."""
    if type(x) in NUMBERS:
        return (), NUMBERS[type(x)], True
    return x.shape, x.dtype, False


def _replaced(tree: Any, rest: Iterator[Any]) -> Any:
    """An argument with the next traced values in place of its arrays and numbers."""
    return rebuilt(tree, [next(rest) if is_end(x) else x for x in leaves(tree)])

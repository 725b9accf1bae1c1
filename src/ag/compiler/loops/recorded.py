"""Loops and branches that are recorded: each is one quantity, whose body is a program of its own.

A loop gives several results, so that it is followed by quantities that take one of them each. ``scan`` is a loop of known length,
or of one that is known when the program runs (then its ys are a stack, of which only other loops can read); ``while`` has a
second program that says whether it goes on; ``cond`` runs one of two programs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ...capture import recorder
from ...node import Node, next_stamp
from ...operators.batching import unchanged
from ...operators.rules import Zero, value_of
from ...operators.table import Operator
from ...reach import Reach
from ...traced import Traced
from ...transforms.opaque import is_float
from ..interpreter import run
from ..program import Constant, Program, Quantity
from ..tracing import Trace, user_place

OBJECT = np.dtype(object)  # of a loop, whose value is a box, and of a stack
Type = tuple[tuple[int, ...], Any]  # shape and dtype


class Box:
    """What NumPy is to hold as one thing."""

    def __init__(self, content: Any) -> None:
        self.content = content


def boxed(content: Any) -> np.ndarray:
    """An array of shape () that holds something else than numbers."""
    return np.array(Box(content), OBJECT)


# ---------------------------------------------------------------------- what they compute


def _scan(*inputs: Any, body: Program, length: int | None, reverse: bool, carries: int, slices: int) -> Any:
    """The last carry, and the ys of all steps."""
    rest = list(inputs)
    n = int(rest.pop(0)) if length is None else length
    carry, xs, constants = rest[:carries], rest[carries : carries + slices], rest[carries + slices :]
    xs = [x[()].content if x.dtype == OBJECT else x for x in xs]
    rows: list[Any] = [None] * max(n, 0)
    for i in reversed(range(n)) if reverse else range(n):
        outputs = run(body, [*carry, *[x[i] for x in xs], *constants])
        carry, rows[i] = outputs[:carries], outputs[carries:]
    kinds = types_of(body, body.outputs[carries:])
    ys = [
        np.array([row[k] for row in rows], dtype).reshape(len(rows), *shape) for k, (shape, dtype) in enumerate(kinds)
    ]
    return boxed([*carry, *(map(boxed, ys) if length is None else ys)])


def _while(*inputs: Any, body: Program, going: Program, carries: int, first: int) -> Any:
    """The last carry, and the number of steps."""
    carry, constants, more = list(inputs[:carries]), inputs[carries : carries + first], inputs[carries + first :]
    count = 0
    while run(going, [*carry, *more])[0]:
        carry = run(body, [*carry, *constants])
        count += 1
    return boxed([*carry, np.int64(count)])


def _cond(pred: Any, *constants: Any, yes: Program, no: Program, first: int) -> Any:
    return boxed(run(yes, constants[:first]) if pred else run(no, constants[first:]))


SCAN = Operator("scan", _scan, Zero())
WHILE = Operator("while", _while, Zero())
COND = Operator("cond", _cond, Zero())
NUMBER = Operator("number", int, Zero(), batch=unchanged)  # an integer of 64 bits as one of Python's
RESULT = Operator("result", lambda box, k: box[()].content[k], Zero())
LOOPS = {SCAN: ("body",), WHILE: ("body", "going"), COND: ("yes", "no")}  # and the programs among their parameters


def types_of(program: Program, numbers: Iterable[int | Constant]) -> list[Type]:
    """Shape and dtype of these quantities and constants."""
    return [(y.shape, y.dtype) for y in map(program.__getitem__, numbers)]


# ---------------------------------------------------------------------- how they are recorded


class Body:
    """A function of values, recorded as a program within the trace that runs.

    constants   the values of the enclosing trace that it uses: arguments of the program, after its own
    captured    the nodes that its results depend on
    """

    def __init__(self, f: Callable[..., list[Any]], types: Sequence[Type]) -> None:
        floor = next_stamp()
        trace = Trace(recorder.trace)
        with trace:
            outputs = f(*[trace.argument(*kind) for kind in types])
            self.program = trace.finish([value_of(y) for y in outputs])
        recorder.trace.unmasked |= trace.unmasked
        self.constants: list[Traced] = trace.kept
        nodes = [y for y in outputs if isinstance(y, Node)]
        self.captured = [x for x in Reach(nodes, floor).older if is_float(x)]
        self.types = types_of(self.program, self.program.outputs)


def recorded_loop(op: Operator, inputs: Sequence[Any], params: dict[str, Any], types: Sequence[Type]) -> list[Traced]:
    """A loop as the next quantity of the trace that runs, and its results."""
    trace, place = recorder.trace, user_place()
    loop = trace.added(Quantity(op, tuple(map(trace.given, inputs)), params, (), OBJECT, False, place))
    results = [Quantity(RESULT, (loop.number,), {"k": k}, *kind, False, place) for k, kind in enumerate(types)]
    return list(map(trace.added, results))


# ---------------------------------------------------------------------- without what nobody reads


def split(op: Operator, params: dict[str, Any], inputs: Sequence[Any]) -> tuple[list[Any], list[Any], list[list[Any]]]:
    """What a loop is given: what it asks itself (its length, a condition), the carry, and what else each of its bodies gets."""
    lead = int(op is COND or (op is SCAN and params["length"] is None))
    end = lead + params.get("carries", 0)
    rest = list(inputs[end:])
    first = params.get("first", len(rest))
    return list(inputs[:lead]), list(inputs[lead:end]), [rest[:first], rest[first:]][: len(LOOPS[op])]


def pruned(q: Quantity, used: list[int], simplified: Callable[[Program], Program]) -> tuple[Quantity, dict[int, int]]:
    """The loop without results that nobody reads, and the new number of each that is left.

    ``simplified`` removes dead code from a body.
    """
    params = dict(q.params)
    lead, carry, others = split(q.op, params, q.inputs)
    carries = len(carry)

    def read(body: Program, results: Iterable[int | Constant]) -> set[int]:
        """Which parts of the carry these results of a body depend on."""
        needed = body.needed([*results, *body.expected])
        return {k for k, x in enumerate(body.arguments[:carries]) if x in needed}

    kept = {k for k in used if k < carries}
    ys = [k for k in used if k >= carries and q.op is not WHILE]
    if q.op is WHILE:
        kept |= read(params["going"], params["going"].outputs)
    while q.op is not COND and not (more := read(params["body"], [params["body"].outputs[k] for k in [*kept, *ys]])) <= kept:
        kept |= more
    outputs = [*sorted(kept), *ys]
    left: list[list[int]] = []
    for name in LOOPS[q.op]:
        body: Program = params[name]
        body = simplified(body.giving([body.outputs[k] for k in (outputs if name != "going" else [0])]))
        needed = body.needed(body.results())
        own = body.arguments[carries:]
        left.append([k for k, x in enumerate(own) if x in needed])
        body.arguments = [*[body.arguments[k] for k in sorted(kept)], *[own[k] for k in left[-1]]]
        params[name] = body
    if "slices" in params:
        params["slices"] = sum(k < params["slices"] for k in left[0])
    if "first" in params:
        params["first"] = len(left[0])
    if q.op is not COND:
        params["carries"] = len(kept)
    inputs = [*lead, *[carry[k] for k in sorted(kept)]]
    inputs += [given[k] for given, numbers in zip(others, left, strict=True) for k in numbers]
    results = outputs if q.op is not WHILE else [*outputs, carries]
    return q.of(tuple(inputs), params), {k: i for i, k in enumerate(results)}

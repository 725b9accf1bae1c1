"""Loops and branches that are recorded: each is one quantity, whose body is a program of its own.

A loop gives several results, so that it is followed by quantities that take one of them each. ``scan`` is a loop of known length,
or of one that is known when the program runs (then its ys are a stack, of which only other loops can read); ``while`` has a
second program that says whether it goes on; ``cond`` runs one of two programs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...capture import recorder
from ...node import Node, next_stamp
from ...operators.rules import Zero, value_of
from ...operators.table import Operator
from ...reach import Reach
from ...source import user_frame
from ...traced import Traced
from ...transforms.opaque import is_float
from .. import interpreter
from ..program import Constant, Program, Quantity
from ..tracing import Trace

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


def _ran(body: Program, given: Sequence[Any]) -> list[Any]:
    """The outputs of a body, in NumPy."""
    count = len(body.outputs)
    results = interpreter.run(body, given)
    if any(results[count:]):
        raise interpreter.Differs("a step of a loop does not hold for these numbers")
    return results[:count]


def _scan(*inputs: Any, body: Program, length: int | None, reverse: bool, carries: int, slices: int) -> Any:
    """The last carry, and the ys of all steps."""
    rest = list(inputs)
    n = int(rest.pop(0)) if length is None else length
    carry, xs, constants = rest[:carries], rest[carries : carries + slices], rest[carries + slices :]
    xs = [x[()].content if x.dtype == OBJECT else x for x in xs]
    rows: list[Any] = [None] * max(n, 0)
    for i in reversed(range(n)) if reverse else range(n):
        outputs = _ran(body, [*carry, *[x[i] for x in xs], *constants])
        carry, rows[i] = outputs[:carries], outputs[carries:]
    kinds = types_of(body)[carries:]
    ys = [
        np.array([row[k] for row in rows], dtype).reshape(len(rows), *shape) for k, (shape, dtype) in enumerate(kinds)
    ]
    return boxed([*carry, *(map(boxed, ys) if length is None else ys)])


def _while(*inputs: Any, going: Program, body: Program, carries: int, first: int) -> Any:
    """The last carry, and the number of steps."""
    carry, more, constants = list(inputs[:carries]), inputs[carries : carries + first], inputs[carries + first :]
    count = 0
    while _ran(going, [*carry, *more])[0]:
        carry = _ran(body, [*carry, *constants])
        count += 1
    return boxed([*carry, np.int64(count)])


def _cond(pred: Any, *constants: Any, yes: Program, no: Program, first: int) -> Any:
    return boxed(_ran(yes, constants[:first]) if pred else _ran(no, constants[first:]))


SCAN = Operator("scan", _scan, Zero())
WHILE = Operator("while", _while, Zero())
COND = Operator("cond", _cond, Zero())
RESULT = Operator("result", lambda box, k: box[()].content[k], Zero())
LOOPS = (SCAN, WHILE, COND)


def types_of(program: Program) -> list[Type]:
    """Shape and dtype of each output."""
    found: list[Type] = []
    for x in program.outputs:
        if isinstance(x, Constant):
            found.append((np.shape(x.value), np.asarray(x.value).dtype))
        else:
            found.append((program.quantities[x].shape, program.quantities[x].dtype))
    return found


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
        self.types = types_of(self.program)


def recorded_loop(op: Operator, inputs: Sequence[Any], params: dict[str, Any], types: Sequence[Type]) -> list[Traced]:
    """A loop as the next quantity of the trace that runs, and its results."""
    trace = recorder.trace
    frame = user_frame()
    place = frame.f_code, frame.f_lasti
    loop = trace.added(Quantity(op, tuple(map(trace.given, inputs)), params, (), OBJECT, False, place))
    results = [Quantity(RESULT, (loop.number,), {"k": k}, *kind, False, place) for k, kind in enumerate(types)]
    return list(map(trace.added, results))


# ---------------------------------------------------------------------- without what nobody reads


def pruned(q: Quantity, used: list[int], simplified: Callable[[Program], Program]) -> tuple[Quantity, dict[int, int]]:
    """The loop without results that nobody reads, and the new number of each that is left.

    ``simplified`` removes dead code from a body.
    """
    params = dict(q.params)
    if q.op is COND:
        params["yes"], yes = _bound(params["yes"], used, q.inputs[1 : 1 + params["first"]], 0, simplified)
        params["no"], no = _bound(params["no"], used, q.inputs[1 + q.params["first"] :], 0, simplified)
        params["first"] = len(yes)
        inputs = (q.inputs[0], *yes, *no)
        return _with(q, inputs, params), {k: i for i, k in enumerate(used)}
    carries = params["carries"]
    body: Program = params["body"]
    kept = {k for k in used if k < carries}
    ys = [k for k in used if k >= carries] if q.op is SCAN else []
    if q.op is WHILE:
        kept |= _read(params["going"], params["going"].outputs + params["going"].expected, carries)
    while True:
        more = kept | _read(body, [body.outputs[k] for k in [*sorted(kept), *ys]] + body.expected, carries)
        if more == kept:
            break
        kept = more
    carried = sorted(kept)
    lead = 1 if q.op is SCAN and params["length"] is None else 0
    slices = params.get("slices", 0)
    own = carries + slices
    first = params.get("first", 0)
    given = list(q.inputs[lead : lead + own])
    dropped = [k for k in range(carries) if k not in kept]
    body, constants = _bound(body, [*carried, *ys], q.inputs[lead + own + first :], own, simplified, dropped)
    left: list[Any] = [*q.inputs[:lead], *[given[k] for k in carried]]
    if q.op is WHILE:
        params["going"], more_constants = _bound(params["going"], [0], q.inputs[own : own + first], own, simplified, dropped)
        left += more_constants
        params["first"] = len(more_constants)
    else:
        read = _read(body, [*body.outputs, *body.expected], len(carried) + slices)
        xs = [k for k in range(slices) if len(carried) + k in read]
        unread = [len(carried) + k for k in range(slices) if k not in xs]
        body.arguments = [x for i, x in enumerate(body.arguments) if i not in unread]
        left += [given[carries + k] for k in xs]
        params["slices"] = len(xs)
    params["body"], params["carries"] = body, len(carried)
    results = [*carried, *ys] if q.op is SCAN else [*carried, carries]
    return _with(q, (*left, *constants), params), {k: i for i, k in enumerate(results)}


def _with(q: Quantity, inputs: Sequence[Any], params: dict[str, Any]) -> Quantity:
    return Quantity(q.op, tuple(inputs), params, q.shape, q.dtype, q.weak, q.place, q.name)


def _read(body: Program, outputs: Sequence[Any], count: int) -> set[int]:
    """Which of the first arguments these depend on."""
    found = {x for x in outputs if type(x) is int}
    for number in range(len(body.quantities) - 1, -1, -1):
        if number in found:
            found.update(body.inputs_of(number))
    return {i for i, x in enumerate(body.arguments[:count]) if x in found}


def _bound(
    body: Program, outputs: Sequence[int], constants: Sequence[Any], own: int, simplified: Callable[[Program], Program],
    dropped: Sequence[int] = (),
) -> tuple[Program, list[Any]]:
    """The body with these outputs, without the dropped arguments and unread constants; and the constants that are left."""
    new = Program()
    new.quantities, new.arguments, new.expected = body.quantities, list(body.arguments), body.expected
    new.outputs = [body.outputs[k] for k in outputs]
    new = simplified(new)
    read = _read(new, [*new.outputs, *new.expected], len(new.arguments))
    left = [i for i in range(len(constants)) if own + i in read]
    arguments = new.arguments
    new.arguments = [x for i, x in enumerate(arguments[:own]) if i not in dropped] + [arguments[own + i] for i in left]
    return new, [constants[i] for i in left]

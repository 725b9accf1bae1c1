"""The passes: each makes a program that computes the same, to the bit where the numbers are not nan, with less work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..operators.reductions import sum as total
from ..operators.rules import shape_of
from ..operators.steps import greater_equal, less, logical_or
from ..traced import Traced
from .program import Constant, Program, Quantity
from .tracing import Trace

Change = Callable[[Trace, Quantity, tuple[Any, ...]], Any]


def replayed(program: Program, change: Change) -> Program:
    """The program recorded again, with what ``change(trace, quantity, inputs)`` gives for each quantity (None: the same).

    Inputs are traced values of the new program, and plain numbers.
    """
    trace = Trace()
    known: dict[int, Any] = {}

    def value(x: int | Constant) -> Any:
        return known[x] if type(x) is int else x.value  # type: ignore[union-attr]

    with trace:
        for number in program.arguments:
            q = program.quantities[number]
            known[number] = trace.argument(q.shape, q.dtype, q.weak, q.name)
        trace.program.captured = list(program.captured)
        for number, q in enumerate(program.quantities):
            if q.op is None:
                continue
            inputs = tuple([value(x) for x in q.inputs])
            result = change(trace, q, inputs)
            if result is None:
                numbers = tuple([trace.given(x) for x in inputs])
                result = trace.added(Quantity(q.op, numbers, q.params, q.shape, q.dtype, q.weak, q.place, q.name))
            known[number] = result
        trace.finish([value(x) for x in program.outputs])
        for x in program.expected:
            trace.expect_zero(value(x))
    return trace.program


def expand(program: Program) -> Program:
    """Rows that are computed by other rows, written out: softmax, the cross-entropy, var, ..."""

    def change(trace: Trace, q: Quantity, inputs: tuple[Any, ...]) -> Any:
        if not callable(q.op.kernel):
            return None
        first = len(trace.program.quantities)
        result = q.op.kernel(*inputs, **q.params)
        for new in trace.program.quantities[first:]:
            new.place = q.place
        return result

    return replayed(program, change)


def without_dead_code(program: Program) -> Program:
    """Only what a result depends on."""
    needed = program.needed()
    return _kept(program, lambda number: number in needed)


def _kept(program: Program, is_kept: Callable[[int], bool]) -> Program:
    result = Program()
    result.captured = list(program.captured)
    places: dict[int, int] = {}

    def moved(x: int | Constant) -> Any:
        return places[x] if type(x) is int else x

    for number, q in enumerate(program.quantities):
        if q.op is None or is_kept(number):
            places[number] = len(result.quantities)
            inputs = tuple([moved(x) for x in q.inputs])
            result.quantities.append(Quantity(q.op, inputs, q.params, q.shape, q.dtype, q.weak, q.place, q.name))
    result.arguments = [places[x] for x in program.arguments]
    result.outputs = [moved(x) for x in program.outputs]
    result.expected = [places[x] for x in program.expected]
    return result


def with_bounds(program: Program) -> Program:
    """The program expects that index arrays point into what they index: machine code can't raise."""

    def change(trace: Trace, q: Quantity, inputs: tuple[Any, ...]) -> Any:
        template = q.params.get("template", ()) if q.op.name in ("getitem", "index_add", "index_set") else ()
        found = inputs[len(inputs) - sum(type(part) is str for part in template) :] if template else ()
        lengths = iter(shape_of(inputs[0])) if template else iter(())
        rest = iter(found)
        for part in template:
            if part is Ellipsis:
                break  # what stands behind the dots is computed by NumPy, which looks itself
            if part is None:
                continue
            n = next(lengths)
            if type(part) is str:
                index = next(rest)
                if isinstance(index, Traced) and index.dtype.kind in "iu":
                    trace.expect_zero(total(logical_or(less(index, -n), greater_equal(index, n))))
        return None

    return replayed(program, change)


PASSES: list[Callable[[Program], Program]] = [expand, without_dead_code, with_bounds]


def optimized(program: Program) -> Program:
    """The program after all passes."""
    for step in PASSES:
        program = step(program)
    return program


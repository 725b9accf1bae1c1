"""Passes on loops: what a backward loop need not compute again, and what need not be added up step by step.

Both cost memory for each step, so there are bounds on it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from ...capture import recorder
from ...operators.shaping import permute_dims, reshape
from ...operators.table import TABLE
from ...traced import Traced
from ..abstract import is_elementwise
from ..loops.recorded import RESULT, SCAN
from ..program import Program, Quantity

MOST = 1 << 27  # bytes that are kept for one quantity of all steps
SHORT = 256  # rows of a factor, above which products step by step are as fast
DEEP = 16  # inner length of a product, above which reading it again is faster than computing it again
Changes = dict[int, Callable[[list[Any]], Any]]  # by the identity of a quantity: what takes its place, from its inputs


def _loop(q: Quantity, inputs: list[Any], **params: Any) -> Traced:
    """The loop with other inputs and parameters."""
    trace = recorder.trace
    return trace.added(q.of(tuple(map(trace.given, inputs)), {**q.params, **params}))


def _result(loop: Traced, k: int, q: Quantity, length: int) -> Traced:
    """One more result of a loop: a quantity of its body, in all steps."""
    trace = recorder.trace
    return trace.added(Quantity(RESULT, (loop.number,), {"k": k}, (length, *q.shape), q.dtype, False, trace.place))


def _fits(q: Quantity, length: int) -> bool:
    return q.nbytes * length <= MOST


# ---------------------------------------------------------------------- products that are kept


def kept_products(program: Program) -> Changes:
    """Matrix products that a loop computes again of an earlier loop are kept by that one, as ys."""
    for q in program.quantities:
        if q.op is not SCAN or not q.params["length"]:
            continue
        carries, slices = q.params["carries"], q.params["slices"]
        for x in q.inputs[carries : carries + slices]:
            made = program.quantities[x] if type(x) is int else q
            if made.op is RESULT:
                forward = program.quantities[made.inputs[0]]
                if forward.op is SCAN and forward.params["length"] == q.params["length"]:
                    changes = _kept(program, forward, q, made.inputs[0])
                    if changes:
                        return changes
    return {}


def _kept(program: Program, forward: Quantity, backward: Quantity, number: int) -> Changes:
    first, second = forward.params["body"], backward.params["body"]
    length, carries, slices = backward.params["length"], backward.params["carries"], backward.params["slices"]
    same = _same(program, forward, backward, number)
    users = second.consumers()
    found: dict[int, None] = {}
    for n in same:
        q = second.quantities[n]
        if q.op is not None and q.op.name == "matmul" and second.quantities[q.inputs[0]].shape[-1] >= DEEP:
            while len(users[n]) == 1 and users[n][0] in same:  # on to what is made of it
                after = second.quantities[users[n][0]]
                if not is_elementwise(after.op) or after.size != q.size:
                    break
                n = users[n][0]
            if _fits(second.quantities[n], length):
                found[n] = None
    if not found:
        return {}
    count = len(first.outputs)
    results: list[Traced] = []

    def change_forward(given: list[Any]) -> Traced:
        loop = _loop(forward, given, body=first.giving([*first.outputs, *(same[n] for n in found)]))
        results.extend(_result(loop, count + k, second.quantities[n], length) for k, n in enumerate(found))
        return loop

    def change_backward(given: list[Any]) -> Traced:
        body = copy.copy(second)
        body.quantities = list(second.quantities)
        for n in found:
            q = second.quantities[n]
            body.quantities[n] = Quantity(None, (), {}, q.shape, q.dtype, q.weak, q.place)
        place = carries + slices
        body.arguments = [*second.arguments[:place], *found, *second.arguments[place:]]
        return _loop(backward, [*given[:place], *results, *given[place:]], body=body, slices=slices + len(found))

    return {id(forward): change_forward, id(backward): change_backward}


def _same(program: Program, forward: Quantity, backward: Quantity, number: int) -> dict[int, int]:
    """The quantities in the body of the one loop that are equal to some in that of the other, step by step."""
    first, second = forward.params["body"], backward.params["body"]
    own, other = forward.params["carries"], backward.params["carries"]
    end = own + forward.params["slices"]
    # What the inputs of the backward loop are in the body of the forward loop.
    slices, constants = [
        dict(zip(forward.inputs[part], first.arguments[part], strict=True)) for part in (slice(own, end), slice(end, None))
    ]
    same: dict[int, int] = {}
    for k, (x, n) in enumerate(zip(backward.inputs[other:], second.arguments[other:], strict=True)):
        made = program.quantities[x] if type(x) is int else None
        if k >= backward.params["slices"]:
            y = constants.get(x)
        elif made is not None and made.op is RESULT and made.inputs[0] == number:
            y = first.outputs[made.params["k"]]  # which is a y, as it has an element for each step
        else:
            y = slices.get(x)
        if type(y) is int:
            same[n] = y
    known = {q.key(): n for n, q in enumerate(first.quantities) if q.op is not None}
    for n, q in enumerate(second.quantities):
        if q.op is not None and all(type(x) is not int or x in same for x in q.inputs):
            equal = known.get(q.renumbered(same).key())
            if equal is not None:
                same[n] = equal
    return same


# ---------------------------------------------------------------------- products that are added up


def summed_products(program: Program) -> Changes:
    """A sum that a loop adds up, Σ AₖᵀBₖ, is one product after it: of all Aₖ one below the other, and all Bₖ."""
    changes: Changes = {}
    for number, q in enumerate(program.quantities):
        if q.op is SCAN and q.params["length"]:
            sums = {k: found for k in range(q.params["carries"]) if (found := _sum(q, k)) is not None}
            if sums:
                changes.update(_summed(program, number, q, sums))
    return changes


def _sum(q: Quantity, k: int) -> tuple[int, int] | None:
    """The numbers of A and B in the body, if all that it does with this part of its carry is to add AᵀB."""
    body: Program = q.params["body"]
    users, results, new, old = body.consumers(), body.results(), body.outputs[k], body.arguments[k]
    if type(new) is not int or users[new] or results.count(new) > 1 or users[old] != [new] or old in results:
        return None
    made = body.quantities[new]
    if made.op is None or made.op.name != "add" or made.inputs.count(old) != 1:
        return None
    product = made.inputs[1 - made.inputs.index(old)]
    if type(product) is not int or users[product] != [new] or body.quantities[product].op is not TABLE["matmul"]:
        return None
    left, right = body.quantities[product].inputs
    turned = body.quantities[left]
    if turned.op is not TABLE["permute_dims"] or len(turned.shape) != 2 or len(body.quantities[right].shape) != 2:
        return None
    A, B = body.quantities[turned.inputs[0]], body.quantities[right]
    fits = A.shape[0] <= SHORT and turned.dtype == B.dtype and all(_fits(x, q.params["length"]) for x in (A, B))
    return (turned.inputs[0], right) if fits else None


def _summed(program: Program, number: int, q: Quantity, sums: dict[int, tuple[int, int]]) -> Changes:
    body: Program = q.params["body"]
    carries, slices, length = q.params["carries"], q.params["slices"], q.params["length"]
    sliced = body.arguments[carries : carries + slices]
    kept = list(dict.fromkeys(n for pair in sums.values() for n in pair if n not in sliced))
    outputs = [body.arguments[k] if k in sums else x for k, x in enumerate(body.outputs)]
    stacks: dict[int, Any] = {}
    start: list[Any] = []

    def change_loop(given: list[Any]) -> Traced:
        loop = _loop(q, given, body=body.giving([*outputs, *kept]))
        start.extend(given[:carries])
        stacks.update({n: given[carries + i] for i, n in enumerate(sliced)})
        stacks.update({n: _result(loop, len(outputs) + i, body.quantities[n], length) for i, n in enumerate(kept)})
        return loop

    def change_result(k: int) -> Callable[[list[Any]], Any]:
        def change(given: list[Any]) -> Any:
            A, B = (reshape(stacks[n], (-1, body.quantities[n].shape[1])) for n in sums[k])
            return TABLE["add"].apply((start[k], TABLE["matmul"].apply((permute_dims(A, (1, 0)), B), {})), {})

        return change

    changes: Changes = {id(q): change_loop}
    for result in program.quantities:
        if result.op is RESULT and result.inputs[0] == number and result.params["k"] in sums:
            changes[id(result)] = change_result(result.params["k"])
    return changes

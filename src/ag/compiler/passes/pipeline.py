"""The passes: each makes a program that computes the same with less work, and can be printed between them."""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from ...capture import recorder
from ...operators.reductions import sum as total
from ...operators.rules import shape_of
from ...operators.steps import greater_equal, less, logical_or
from ...operators.table import TABLE
from ...traced import Traced
from ..literals import array_of
from ..loops.recorded import LOOPS, RESULT, SCAN, pruned
from ..program import Constant, Program, Quantity
from ..tracing import Trace
from .loop_passes import Changes, kept_products, summed_products
from .products import PRODUCTS, is_changed
from .rewriter import Rules, rewritten
from .rewrites import EXACT

Pass = Callable[[Program], Program]
INDEXED = (TABLE["getitem"], TABLE["index_add"], TABLE["index_set"])


def expand(program: Program) -> Program:
    """Rows that are computed by other rows, written out: softmax, the cross-entropy, var, ..."""
    while changes := {id(q): _written_out(q) for q in program.quantities if _is_expanded(program, q)}:
        program = replayed(program, changes)
    return program


def _written_out(q: Quantity) -> Callable[[list[Any]], Any]:
    return lambda given: q.op.kernel(*given, **q.params)


def _is_expanded(program: Program, q: Quantity) -> bool:
    """Has it a kernel in other rows? Those hold for floats, and for at least one."""
    if q.op is None or not callable(q.op.kernel):
        return False
    first = program.quantities[q.inputs[0]]
    return first.dtype.kind == "f" and first.size > 0


def with_bounds(program: Program) -> Program:
    """The program expects that index arrays point into what they index: machine code can't raise."""
    indexed = [q for q in program.quantities if q.op in INDEXED and len(q.inputs) > 1]
    counted = _counted(program) if indexed else {}
    below = {id(q): [_below(program, counted, x) for x in q.inputs] for q in indexed}
    return replayed(program, {id(q): functools.partial(_bounded, q, below[id(q)]) for q in indexed})


def _counted(program: Program) -> dict[int, int]:
    """Arrays of which the program expects already that all elements are in 0 ... n - 1, as of labels: each with its n."""
    found = {}
    for number in program.expected:
        match _made(program, number):
            case ("sum", (either,)):
                match _made(program, either):
                    case ("logical_or", (low, high)):
                        match _made(program, low), _made(program, high):
                            case ("less", (x, Constant(0))), ("greater_equal", (y, Constant(n))) if x == y:
                                found[_viewed(program, x)] = n
    return found


def _made(program: Program, x: int | Constant) -> tuple[str, tuple[Any, ...]] | None:
    q = program[x]
    return (q.op.name, q.inputs) if isinstance(q, Quantity) and q.op is not None else None


def _viewed(program: Program, x: int) -> int:
    """The array that another is a view of, with all of its elements and new axes at most."""
    q = program.quantities[x]
    if q.op is TABLE["getitem"] and all(part in (None, ...) for part in q.params["template"]):
        return _viewed(program, q.inputs[0])
    return x


def _below(program: Program, counted: dict[int, int], x: int | Constant) -> int | None:
    """The n that all elements of an index array are known to be below, while none is negative."""
    return counted.get(_viewed(program, x)) if type(x) is int else None


def _bounded(q: Quantity, below: list[int | None], given: list[Any]) -> None:
    template = q.params["template"]
    lengths = iter(shape_of(given[0]))
    first = len(given) - sum(type(part) is str for part in template)
    rest = iter(zip(given[first:], below[first:], strict=True))
    for part in template:
        if part is Ellipsis:
            break  # what stands behind the dots is computed by NumPy, which looks itself
        if part is None:
            continue
        n = next(lengths)
        if type(part) is str:
            index, known = next(rest)
            if index.dtype == bool:
                lengths = itertools.islice(lengths, index.ndim - 1, None)  # of as many axes
            if known is not None and known <= n:
                continue
            if isinstance(index, Traced) and index.dtype.kind in "iu" and not _lies_within(index, n):
                recorder.trace.expect_zero(total(logical_or(less(index, -n), greater_equal(index, n))))


def _lies_within(index: Traced, n: int) -> bool:
    """Is it known that the indices do?"""
    known = array_of(index.recorded_by.program.quantities[index.number])
    return known is not None and bool(((known >= -n) & (known < n)).all())


def replayed(program: Program, changes: Changes) -> Program:
    """The program recorded again, with what changes give (None: the same)."""
    if not changes:
        return program
    trace = Trace()
    trace.replays = True
    new = trace.program
    moved: list[int | Constant] = []

    with trace:
        for q in program.quantities:
            again = q.renumbered(moved)
            result = None
            if id(q) in changes:
                trace.place = q.place
                result = changes[id(q)]([_traced(trace, x) for x in again.inputs])
            if result is None:
                moved.append(len(new.quantities))
                new.quantities.append(again)
            else:
                moved.append(trace.given(result))
    new.stands_for(program, moved)
    return new


def _traced(trace: Trace, x: int | Constant) -> Any:
    if type(x) is not int:
        return x.value  # type: ignore[union-attr]
    q = trace.program.quantities[x]
    return Traced(trace, x, q.shape, q.dtype, q.weak)


def loops(program: Program) -> Program:
    """Matrix products of forward loops are kept for backward loops, and those that loops add up are one product after them."""
    if not any(q.op is SCAN for q in program.quantities):
        return program
    program = without_dead_code(program)
    while changes := kept_products(program):
        program = replayed(program, changes)
    return replayed(program, summed_products(program))


def simplify(program: Program) -> Program:
    """Equations that hold for every number, such as x · 1 = x; constants are folded, and what occurs twice is computed once."""
    return rewritten(program, _EXACT)


def products(program: Program) -> Program:
    """Sums of Einstein and stacks of matrices as few plain matrix products."""
    return rewritten(program, _WITH_PRODUCTS) if is_changed(program) else program


def without_dead_code(program: Program) -> Program:
    """Only what a result depends on; loops without the results that nobody reads."""
    needed = set(program.results())
    used: dict[int, list[int]] = {}  # of each loop the results that are read
    loops: dict[int, tuple[Quantity, dict[int, int]]] = {}
    for number in range(len(program.quantities) - 1, -1, -1):
        q = program.quantities[number]
        if number not in needed:
            continue
        if q.op is RESULT:
            used.setdefault(q.inputs[0], []).append(q.params["k"])
        elif q.op in LOOPS:
            q, _ = loops[number] = pruned(q, sorted(set(used[number])), without_dead_code)
        needed.update(x for x in q.inputs if type(x) is int)
    new = Program()
    moved: dict[int, int] = {}
    for number, q in enumerate(program.quantities):
        if q.op is None or number in needed:
            moved[number] = len(new.quantities)
            if number in loops:
                q = loops[number][0]
            elif q.op is RESULT:
                k = loops[q.inputs[0]][1][q.params["k"]]
                q = q.of(q.inputs, {"k": k})
            new.quantities.append(q.renumbered(moved))
    new.stands_for(program, moved)
    return new


_EXACT = Rules(EXACT).by_row()
_WITH_PRODUCTS = Rules([*EXACT, *PRODUCTS]).by_row()
PASSES: dict[str, Pass] = {
    "written out": expand, "with bounds": with_bounds, "loops": loops, "simplified": simplify, "products": products,
    "without dead code": without_dead_code,
}
BODIES = "bodies"  # a stage before the passes


def meaning(name: str) -> str:
    """What a stage does, in one line."""
    step = _with_optimized_bodies if name == BODIES else PASSES[name]
    return (step.__doc__ or "").strip().splitlines()[0]


def stages(program: Program) -> Iterator[tuple[str, Program]]:
    """The program after each pass, with the name of the pass; the bodies of loops, if there are any, are optimized before."""
    given, program = program, _with_optimized_bodies(program)
    if program is not given:
        yield BODIES, program
    for name, step in PASSES.items():
        program = step(program)
        yield name, program


def optimized(program: Program) -> Program:
    """The program after all passes."""
    *_, (_, program) = stages(program)
    return program


def for_numpy(program: Program) -> Program:
    """The program as NumPy computes it best: rows are not written out, as they are one function of NumPy's each."""
    return without_dead_code(simplify(loops(_with_optimized_bodies(program, for_numpy))))


def _with_optimized_bodies(program: Program, optimized: Pass = optimized) -> Program:
    """The bodies of loops and branches, each by all of these passes."""
    if not any(isinstance(value, Program) for q in program.quantities for value in q.params.values()):
        return program
    new = copy.copy(program)
    new.quantities = []
    for q in program.quantities:
        params = {key: optimized(value) if isinstance(value, Program) else value for key, value in q.params.items()}
        new.quantities.append(q.of(q.inputs, params))
    return new

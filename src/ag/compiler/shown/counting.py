"""What a step costs: its floating-point operations, and the bytes that it reads and writes.

An operation is one + - * / or square root of floats, and a fused multiply-add is two; comparisons, choices, changes of sign and
arithmetic of integers are none. An elementary function counts as many as its instructions have, so nothing is assumed of it.
"""

from __future__ import annotations

import ast
import functools
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..kernels.addresses import type_of
from ..kernels.fusion import Step, operands_of
from ..kernels.planning import Access, Plan
from ..kernels.views import Operand
from ..mathematics.elementary import expression
from ..mathematics.emitter import FLOATS, Emitter, Value
from ..program import Program

ONCE = re.compile(r"= f(add|sub|mul|div|rem)\b|@llvm\.sqrt\.")
TWICE = re.compile(r"@llvm\.fma\.")
FEATURES = frozenset(("fma", "avx2"))  # what is counted does not depend on the machine at hand
PLAIN = ("abs", "maximum", "minimum", "sqrt", "sign", "copysign", "floor", "ceil", "trunc", "rint", "less", "less_equal",
         "greater", "greater_equal", "equal", "not_equal", "isfinite", "isinf", "isnan", "signbit")  # fmt: skip


@dataclass
class Work:
    """Operations (None: nobody knows, as in NumPy), calls of elementary functions by name, bytes read and written."""

    operations: int | None = 0
    functions: Counter[str] = field(default_factory=Counter)
    read: int = 0
    written: int = 0

    @property
    def moved(self) -> int:
        """Bytes that pass between the step and memory or a cache."""
        return self.read + self.written


@functools.cache
def of_kernel(kernel: str, types: tuple[str, ...]) -> int:
    """The operations of one application of a kernel to arguments of these types."""
    body: list[str] = []
    e = Emitter(8, FEATURES, body, set(), itertools.count())
    expression(e, kernel, {name: Value(f"%{name}", type) for name, type in zip("xyz", types, strict=False)})
    return sum(1 if ONCE.search(line) else 2 if TWICE.search(line) else 0 for line in body)


@functools.cache
def functions_of(kernel: str) -> tuple[str, ...]:
    """The elementary functions that a kernel calls."""
    found = []
    for node in ast.walk(ast.parse(kernel, mode="eval")):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id not in PLAIN and not node.func.id.startswith("logical_"):
                found.append(node.func.id)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Pow, ast.Mod, ast.FloorDiv)):
            found.append({ast.Pow: "power", ast.Mod: "remainder", ast.FloorDiv: "floor_divide"}[type(node.op)])
    return tuple(found)


def work_of(program: Program, step: Step, plan: Plan | None) -> Work:
    """The work of one step; ``plan`` is that of its group, if it is one."""
    if plan is not None:
        return _of_group(plan)
    item = step.item
    assert item is not None
    q = item.quantity
    read = sum(program.quantities[n].nbytes for n in dict.fromkeys(o.base for o in operands_of(item)))
    if item.product is not None:
        p = item.product
        lead = math.prod(p.lead)
        size = q.dtype.itemsize
        # A factor that is the same for all of the stack is read once.
        stacks = [math.prod([n for n, s in zip(p.lead, steps, strict=True) if s]) for steps in p.steps[:2]]
        read = size * p.inner * (stacks[0] * p.rows + stacks[1] * p.columns)
        read += sum(program.quantities[o.base].nbytes for o in item.operands[2:] if isinstance(o, Operand))  # added to that
        added = q.size * (len(item.operands) > 2)
        return Work(2 * lead * p.rows * p.inner * p.columns + added, Counter(), read, q.nbytes)
    if item.kind == "literal":  # which stands there before the program runs
        return Work()
    if item.kind == "cumulate":
        return Work(q.size if type_of(q.dtype) in FLOATS else 0, Counter(), read, q.nbytes)
    written = sum(program.quantities[n].nbytes for n in item.made())
    return Work(None, Counter(), read, written)


def repeated(times: int, works: list[Work]) -> Work:
    """The work of a loop with so many steps, each of which does all of this."""
    counts = [w.operations for w in works]
    functions = Counter({name: times * n for name, n in sum((w.functions for w in works), Counter()).items()})
    operations = None if None in counts else times * sum(n for n in counts if n is not None)
    return Work(operations, functions, times * sum(w.read for w in works), times * sum(w.written for w in works))


def _of_group(plan: Plan) -> Work:
    work = Work()
    operations = 0
    for m in plan.members:
        item = m.item
        count = math.prod(item.space)
        types, own = plan._types(m)
        if item.kind == "reduce":
            operations += count if own in FLOATS and item.kernel in ("add", "multiply") else 0
            continue
        operations += count * (of_kernel(item.kernel, tuple(types)) if item.kernel != "x" else 0)
        operations += count if item.adds and own in FLOATS else 0
        for name in functions_of(item.kernel):
            work.functions[name] += count
    work.operations = operations
    written = {id(a): a for a in plan.targets.values()}
    read = {id(a): a for a in plan.accesses.values() if id(a) not in written}
    for m in plan.members:
        if m.item.adds:  # what is added to is read
            read[id(m)] = plan.targets[id(m)]
    work.read, work.written = _bytes(plan, read.values()), _bytes(plan, written.values())
    return work


def _bytes(plan: Plan, accesses: Iterable[Access]) -> int:
    """How many bytes are touched: of each array at most all of them."""
    touched: dict[int, int] = {}
    for a in accesses:
        moving = [0] * len(plan.group.space)
        for index in (a, *(index for index, _ in a.indices)):
            moving = [s or t for s, t in zip(moving, index.strides, strict=True)]
        count = math.prod(n for n, s in zip(plan.group.space, moving, strict=True) if s)
        touched[a.operand.base] = touched.get(a.operand.base, 0) + count
    quantities = plan.program.quantities
    return sum(min(count, quantities[n].size) * quantities[n].dtype.itemsize for n, count in touched.items())

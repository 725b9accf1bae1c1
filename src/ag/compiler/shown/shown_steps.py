"""The steps of a program as they are shown: what each computes, by what, and what it costs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np

from ..assembling import Assembler, Block
from ..kernels import sharing, skinny
from ..kernels.views import Operand
from ..loops.recorded import COND, LOOPS, WHILE, split
from ..program import Constant, Program, Quantity
from . import counting
from .amounts import amount
from .kernel_text import KernelText, array_name, running


class ShownStep:
    """One step of a program: a group of quantities that are computed together, a product, or a call of NumPy."""

    def __init__(self, block: Block, k: int, name: str, note: Callable[[Quantity], str], depth: int = 0) -> None:
        program, step, kernel, assembler = block.program, block.steps[k], block.kernels.get(k), block.assembler
        self.program, self.step, self.kernel, self.name, self.depth = program, step, kernel, name, depth
        shared = kernel is not None and sharing.parts_of(kernel, assembler.threads) > 1
        self.threads = (assembler.threads if shared else 1) if kernel else None  # which share its outermost loop
        self.item = cast(Any, step.item)  # None of a group
        self.inner: list[list[ShownStep]] = []  # of a loop or branch the steps of each of its bodies
        if k in block.loops:
            self.inner = [
                [ShownStep(body, i, f"{name}_{n}_{i}", note, depth + 1) for i in range(len(body.steps))]
                for n, body in enumerate(block.loops[k].blocks)
            ]
        self.work = self._work()
        self.kind = "kernel" if kernel else self._kind(assembler)
        self.arrays: list[int] = []
        self.made = step.written()
        self.numbers = [m.item.number for m in kernel.members] if kernel else list(dict.fromkeys([self.item.number, *self.made]))
        if kernel is not None:
            self.arrays = list(dict.fromkeys(a.operand.base for a in kernel.accesses.values()))
            notes = {n: note(q) for n, q in enumerate(program.quantities)}
            self.text = KernelText(kernel, name, notes).text()
        elif self.item.kind == "cumulate":
            self.text, self.arrays = running(program, self.item, name)
        elif self.inner:
            self.text = "\n".join(self._loop())
        else:
            self.text = self._call()

    def _kind(self, assembler: Assembler) -> str:
        """What computes it: a kernel, a kernel for products, BLAS or NumPy."""
        item = self.item
        if item.product is not None:
            return "BLAS" if skinny.way_of(item.product, assembler.machine) is None else "product"
        return {"cumulate": "kernel", "call": "NumPy", "literal": "constant"}.get(item.kind, item.kind)

    def _work(self) -> counting.Work:
        length = self.item.quantity.params.get("length") if self.inner else None
        if length is not None:
            return counting.repeated(length, [s.work for s in self.inner[0]])
        return counting.work_of(self.program, self.step, self.kernel)

    def every(self) -> Iterator[ShownStep]:
        """This step, and those within it."""
        yield self
        for body in self.inner:
            for step in body:
                yield from step.every()

    def _loop(self) -> Iterator[str]:
        """The loop or branch, with the calls of its steps and what moves between them: v is outside, m the memory within."""
        item, outer = self.item, self.program.name
        q = item.quantity
        yield f"# v{item.number} = {self.program.call(q).partition(chr(10))[0]}"
        asked, init, others = split(q.op, q.params, q.inputs)
        bodies = [q.params[name] for name in LOOPS[q.op]]
        slices = q.params.get("slices", 0)
        xs, others[0] = others[0][:slices], others[0][slices:]
        given = []
        for body, rest in zip(bodies, others, strict=True):
            last = body.arguments[len(body.arguments) - len(rest) :]
            given.append([f"{_name(body, n)} = {outer(x)}" for n, x in zip(last, rest, strict=True)])
        calls = [[s.called() for s in body] for body in self.inner]
        if q.op is COND:
            for head, body, first, called in zip((f"if {outer(asked[0])}:", "else:"), bodies, given, calls, strict=True):
                ends = [f"v{n} = {_name(body, body.outputs[k])}" for k, n in item.results.items()]
                yield from _indented(head, [*first, *called, *ends])
            return
        body, carries = bodies[0], len(init)
        carried = [_name(body, n) for n in body.arguments[:carries]]
        following = [_name(body, x) for x in body.outputs[:carries]]
        yield from (line for lines in given for line in lines)
        yield from (f"{name}[:] = {outer(x)}" for name, x in zip(carried, init, strict=True))
        moves = [f"{old}[:] = {new}" for old, new in zip(carried, following, strict=True) if old != new]
        if q.op is WHILE:
            going = bodies[1]
            seen = zip((_name(going, n) for n in going.arguments), carried, strict=False)
            asking = [*calls[1], f"if not {_value(going, going.outputs[0])}: break"]
            asking = [re.sub(r"\bm(?=\d)", "c", line) for line in asking]  # what the condition calls m0 is not that of the body
            same = [f"{re.sub(r'^m', 'c', there)} = {name}" for there, name in seen]
            yield from _indented("while True:", [*same, *asking, *calls[0], *moves])
        else:
            count = q.params["length"] if q.params["length"] is not None else outer(asked[0])
            steps = f"reversed(range({count}))" if q.params["reverse"] else f"range({count})"
            rows = [f"{_name(body, n)} = {outer(x)}[step]" for n, x in zip(body.arguments[carries:], xs, strict=False)]
            ys = [f"v{n}[step] = {_value(body, body.outputs[k])}" for k, n in item.results.items() if k >= carries]
            yield from _indented(f"for step in {steps}:", [*rows, *calls[0], *ys, *moves])
        yield from (f"v{n} = {carried[k]}" for k, n in item.results.items() if k < carries)

    def called(self) -> str:
        """How it stands where it is called."""
        if self.arrays:
            return f"{self.name}({', '.join(array_name(self.program, n) for n in self.arrays)})"
        return self.name if self.inner else self.text

    def _call(self) -> str:
        item = self.item
        p = item.product
        if p is None:
            return f"m{item.number} = {self.program.call(item.quantity)}  # {self.kind}"
        factors = (_name(self.program, x.base if isinstance(x, Operand) else x) for x in item.operands[:2])
        call = f"m{item.number} = matmul({', '.join(factors)})"
        lead = f"{' x '.join(map(str, p.lead))} times " if p.lead else ""
        read = [w for w, layout in (("left", p.left), ("right", p.right)) if layout.transposed]
        turned = f", the {' and the '.join(read)} one transposed" if read else ""
        if len(item.operands) > 2:  # added to an argument
            added = item.operands[2]
            call = call.replace(" = ", f" = {array_name(self.program, added.base)} + ", 1)
        said = "a kernel for few columns" if self.kind == "product" else "BLAS"
        return f"{call}  # {said}: {lead}{p.rows} x {p.inner} x {p.columns}{turned}"

    @property
    def stands_alone(self) -> bool:
        """Is its text more than a line of the loop that it is in?"""
        return bool(self.depth == 0 or self.arrays or self.inner)

    @property
    def space(self) -> str:
        """How many rows and columns it passes through."""
        if self.kernel is None:
            item = self.item
            p = item.product
            if self.inner:
                length = item.quantity.params.get("length")
                return "branches" if item.quantity.op is COND else f"{length} steps" if length is not None else "steps"
            return " x ".join(map(str, (*p.lead, p.rows, p.inner, p.columns) if p else item.space)) or "1"
        sizes = [str(int(np.prod(n, dtype=int))) for n in (self.kernel.row_lengths, self.kernel.column_lengths)]
        return f"{sizes[0]} row{'s' * (sizes[0] != '1')} of {sizes[1]}"

    @property
    def lanes(self) -> int | None:
        """How many numbers its instructions work on at once."""
        return self.kernel.width if self.kernel else None

    @property
    def stages(self) -> int | None:
        """How many times it passes through each row."""
        return self.kernel.stages if self.kernel else None

    @property
    def functions(self) -> str:
        """Its elementary functions, and how often each is computed."""
        return ", ".join(f"{name} {amount(count)}" for name, count in self.work.functions.items())


def _name(program: Program, x: int | Constant) -> str:
    """How a quantity is called where it stands in memory, or a constant."""
    return array_name(program, x) if isinstance(x, int) else program.name(x)


def _value(program: Program, x: int | Constant) -> str:
    """The same where it is not a place, but what stands there: of shape () a number."""
    return f"{_name(program, x)}[0]" if isinstance(x, int) and not program.quantities[x].shape else _name(program, x)


def _indented(head: str, lines: list[str]) -> Iterator[str]:
    yield head
    yield from (f"    {line}" for line in lines or ["pass"])

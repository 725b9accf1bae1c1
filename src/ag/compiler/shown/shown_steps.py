"""The steps of a program as they are shown: what each computes, by what, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np

from ..assembling import Assembler, Block
from ..kernels import sharing, skinny
from ..kernels.views import Operand
from ..loops.recorded import COND, WHILE
from ..program import Quantity
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
        """The loop or branch, with the calls of its steps."""
        item = self.item
        q = item.quantity
        head = self.program.call(q).partition("\n")[0]
        first = item.operands[0] if item.operands else None
        given = f"{array_name(self.program, first.base)}[0]" if isinstance(first, Operand) else self.program.name(q.inputs[0])
        count = given if q.params.get("length") is None else q.params["length"]
        yield f"# v{item.number} = {head}"
        if q.op is WHILE:
            yield "while True:"
            yield from (f"    {s.called()}" for s in self.inner[1])
            yield f"    if not {self._answer()}: break"
            yield from (f"    {s.called()}" for s in self.inner[0])
            return
        opening = [f"if {given}:", "else:"] if q.op is COND else [f"for step in range({count}):"]
        for line, body in zip(opening, self.inner, strict=True):
            yield line
            yield from (f"    {s.called()}" for s in body)
            if not body:
                yield "    pass"

    def _answer(self) -> str:
        """What says whether a loop goes on."""
        program = self.item.quantity.params["going"]
        x = program.outputs[0]
        return f"{array_name(program, x)}[0]" if isinstance(x, int) else program.name(x)

    def called(self) -> str:
        """How it stands where it is called."""
        if self.arrays:
            return f"{self.name}({', '.join(array_name(self.program, n) for n in self.arrays)})"
        return self.name if self.inner else self.text

    def _call(self) -> str:
        item = self.item
        call = f"m{item.number} = {self.program.call(item.quantity)}"
        p = item.product
        if p is None:
            return f"{call}  # {self.kind}"
        lead = f"{' x '.join(map(str, p.lead))} times " if p.lead else ""
        read = [w for w, layout in (("left", p.left), ("right", p.right)) if layout.transposed]
        turned = f", the {' and the '.join(read)} one transposed" if read else ""
        if len(item.operands) > 2:  # added to an argument
            added = item.operands[2]
            call = call.replace(" = ", f" = {array_name(self.program, added.base)} + ", 1)
        said = "a kernel for few columns" if self.kind == "product" else "BLAS"
        return f"{call}  # {said}: {lead}{p.rows} x {p.inner} x {p.columns}{turned}"

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

"""What a compiled function is, stage by stage: as it was recorded, after each pass, its steps, its kernels, its code."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..files import write_by_ending
from . import counting, native, passes, sharing, skinny
from .assembling import Assembler
from .executable import Machine
from .fusion import Step
from .kernel_text import KernelText, Names, scattered
from .kernels import Kernel
from .program import Constant, Program, typed
from .tape import Tape

STAGES = ("program", "passes", "steps", "kernels", "ir", "assembly")
ALL = STAGES[:-1]  # the assembly is long, and only shown when it is asked for
ASSUMED = native.Machine("", "", frozenset(("avx", "avx2", "fma")))  # where there is no compiler that knows the machine
UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
NOTE = 44  # characters of an expression of the user's beside a line


@dataclass
class Pass:
    """What one pass made of a program."""

    name: str
    meaning: str
    program: Program
    changed: bool
    new: set[int]  # the quantities that were not in the program before
    gone: int  # how many that were are no more


class ShownStep:
    """One step of a program: a group of quantities that are computed together, a product, or a call of NumPy."""

    def __init__(
        self, program: Program, step: Step, kernel: Kernel | None, name: str, notes_of: Callable[[Program], dict[int, str]],
        assembler: Assembler,
    ) -> None:
        self.program, self.step, self.kernel, self.name = program, step, kernel, name
        self.threads = sharing.parts_of(kernel, assembler.threads) if kernel else None  # which share its outermost loop
        self.names = Names(program)
        item = step.item
        loop = next((x for x in assembler.loops if x.item is item), None)
        self.inner = [] if loop is None else list(_steps_of(loop, notes_of, name, assembler))  # of the bodies of a loop
        times = None if loop is None else loop.params.get("length")
        self.work: counting.Work = counting.work_of(program, step, kernel)
        if times is not None:
            self.work = counting.repeated(times, [s.work for s in self.inner])
        self.numbers = [m.item.number for m in kernel.members] if kernel else [item.number]  # type: ignore[union-attr]
        self.made = list(dict.fromkeys([*self._stored()])) if kernel else self.numbers
        self.kind = "kernel" if kernel else self._kind(assembler)
        self.arrays: list[int] = []
        if kernel is not None:
            self.arrays = list(dict.fromkeys(a.operand.base for a in kernel.accesses.values()))
            self.text = KernelText(kernel, name, notes_of(program)).text()
        elif item.kind == "scatter":  # type: ignore[union-attr]
            self.text, self.arrays = scattered(program, item, name)
        else:
            self.text = "\n\n".join([self._call(), *(s.text for s in self.inner)])

    def _kind(self, assembler: Assembler) -> str:
        """What computes it: a kernel, a kernel for products, BLAS or NumPy."""
        item = self.step.item
        assert item is not None
        if item.product is not None:
            return "BLAS" if skinny.way_of(item.product, assembler.machine) is None else "product"
        return {"scatter": "kernel", "call": "NumPy"}.get(item.kind, item.kind)

    def _stored(self) -> Iterator[int]:
        assert self.kernel is not None
        group = self.kernel.group
        yield from group.stored
        yield from (m.item.number for m in group.others)

    def _call(self) -> str:
        item = self.step.item
        assert item is not None
        call = f"m{item.number} = {self.program.call(item.quantity)}"
        p = item.product
        if p is None:
            first, _, rest = call.partition("\n")
            return f"{first}  # {self.kind}" + (f"\n{rest}" if rest else "")
        lead = f"{' x '.join(map(str, p.lead))} times " if p.lead else ""
        read = [w for w, layout in (("left", p.left), ("right", p.right)) if layout.transposed]
        turned = f", the {' and the '.join(read)} one transposed" if read else ""
        said = "a kernel for few columns" if self.kind == "product" else "BLAS"
        return f"{call}  # {said}: {lead}{p.rows} x {p.inner} x {p.columns}{turned}"

    @property
    def space(self) -> str:
        """How many rows and columns it passes through."""
        if self.kernel is None:
            item = self.step.item
            assert item is not None
            p = item.product
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
        return max(m.stage for m in self.kernel.members) + 1 if self.kernel else None

    @property
    def functions(self) -> str:
        """Its elementary functions, and how often each is computed."""
        return ", ".join(f"{name} {amount(count)}" for name, count in self.work.functions.items())


def _steps_of(
    loop: Any, notes_of: Callable[[Program], dict[int, str]], name: str, assembler: Assembler
) -> Iterator[ShownStep]:
    """The steps of the bodies of a loop, which are named as their functions are."""
    for n, block in enumerate(loop.blocks):
        for k, step in enumerate(block.steps):
            yield ShownStep(block.program, step, block.kernels.get(k), f"{name}_{n}_{k}", notes_of, assembler)


class Shown:
    """A compiled function in readable form. ``print`` it, look at it in a notebook, or ``save`` it as a page."""

    def __init__(self, compiled: Any, entry: Any, stage: str) -> None:
        if stage not in (*STAGES, "all"):
            raise ValueError(f"show: stage is one of {', '.join(map(repr, (*STAGES, 'all')))}, not {stage!r}")
        self.name, self.stage = compiled.name, stage
        self.recorded: Program = entry.traced
        self.compiled: Program = entry.program
        self.caller = entry.caller
        self.names = dict(compiled.watched.numbers)
        self.run = entry.run.fastest if isinstance(entry.run, Tape) else entry.run
        self.machine = native.host() if native.available() else ASSUMED
        is_native = isinstance(self.run, Machine)
        self.assembler: Assembler = self.run.assembler if is_native else Assembler(entry.program, self.machine)
        self.passes = list(self._passes())
        block = self.assembler.block
        self.steps = [
            ShownStep(self.compiled, step, block.kernels.get(k), f"k{k}", self.notes_of, self.assembler)
            for k, step in enumerate(block.steps)
        ]

    def _passes(self) -> Iterator[Pass]:
        known: dict[Any, int] = {}
        before, kinds = str(self.recorded), set(_kinds(self.recorded, known))
        for name, program in passes.stages(self.recorded):
            text, own = str(program), _kinds(program, known)
            meaning = (passes.PASSES[name].__doc__ or "").strip().splitlines()[0].replace("`", "")
            new = {n for n, kind in enumerate(own) if kind not in kinds}
            yield Pass(name, meaning, program, text != before, new, len(kinds - set(own)))
            before, kinds = text, set(own)

    @property
    def ir(self) -> str:
        """The module in LLVM's text."""
        return self.assembler.ir

    @property
    def assembly(self) -> str:
        """The machine code, disassembled. Raises ImportError where llvmlite is missing."""
        m = native.host()
        return native.assembly(self.ir, m.triple, m.cpu, m.features)

    @property
    def how(self) -> str:
        """What runs it."""
        m = self.machine
        code = f"machine code for {m.cpu}, in registers of {m.vector_bytes} bytes"
        if isinstance(self.run, Machine):
            return code
        if isinstance(self.run, Tape):
            runs = sum(len(run.numbers) for run in self.run.runs)
            return f"a tape of {runs} instructions in {len(self.run.runs)} runs; when it is called often, {code}"
        if native.available():
            return "NumPy, whose BLAS was not found: the steps, kernels and IR below are what would be compiled"
        return f"NumPy: {native.NEEDS}. The steps, kernels and IR below are what would be compiled for a machine with AVX2"

    # ------------------------------------------------------------------ what is said of quantities

    def notes_of(self, program: Program) -> dict[int, str]:
        """For each quantity the user's expression that made it."""
        return {n: self.note(q) for n, q in enumerate(program.quantities)}

    def note(self, q: Any) -> str:
        """The user's expression that made a quantity; nothing for what a transform made."""
        if q.place is None or q.place == self.caller:
            return ""
        text = " ".join(q.text.split())
        return text if len(text) <= NOTE else f"{text[: NOTE - 3]}..."

    def place(self, q: Any) -> str:
        """The user's line that made a quantity, as file:line."""
        if q.op is None or q.place is None:
            return ""
        if q.place == self.caller:
            return "of the derivative"
        source = q.source
        return f"{os.path.basename(source.file)}:{source.line}" if source else ""

    def arguments(self) -> list[tuple[str, str, str]]:
        """Name, type and kind of each array that goes in."""
        program = self.recorded
        given = len(program.arguments) - len(program.captured)
        return [
            (program.name(n), typed(program.quantities[n]), "argument" if i < given else "captured: read at each call")
            for i, n in enumerate(program.arguments)
        ]

    def constants(self) -> list[tuple[str, str]]:
        """The Python numbers of the program, and the quantities that use them; and the names that stand for numbers."""
        used: dict[str, list[str]] = {}
        for number, q in enumerate(self.recorded.quantities):
            for x in q.inputs:
                if isinstance(x, Constant):
                    used.setdefault(self.recorded.name(x), []).append(self.recorded.name(number))
        rows = [(value, f"in {', '.join(dict.fromkeys(users))}") for value, users in used.items()]
        again = "recorded again when it is bound to another"
        return rows + [(f"{name} = {value!r}", again) for name, value in self.names.items()]

    # ------------------------------------------------------------------ text

    def text(self, stage: str | None = None) -> str:
        """One stage, or all but the assembly, as text."""
        stage = stage or self.stage
        if stage != "all":
            return "\n".join(getattr(self, f"_{stage}_text")())
        parts = [f"{self.name}, run by {self.how}"]
        for number, name in enumerate(ALL, 1):
            lines = getattr(self, f"_{name}_text")()
            parts.append("\n".join([f"{number}. {TITLES[name]}", *(f"  {line}" if line else "" for line in lines)]))
        return "\n\n".join(parts)

    def _program_text(self) -> Iterator[str]:
        rows = [(name, type, kind) for name, type, kind in self.arguments()]
        yield from aligned([(f"{name}: {type}", kind) for name, type, kind in rows])
        if self.constants():
            yield "constants"
            yield from aligned([(f"  {value}", users) for value, users in self.constants()])
        yield "computed"
        yield from (f"  {line}" for line in self.listing(self.recorded))

    def listing(self, program: Program, new: set[int] | None = None) -> Iterator[str]:
        """A program, with the user's expression and line beside each quantity; a + before those that are ``new``."""
        rows: list[tuple[str, ...]] = []
        last = None
        for number, q in enumerate(program.quantities):
            if q.op is not None:
                first, *rest = f"{program.name(number)}: {typed(q)} = {program.call(q)}".split("\n")
                said = (self.note(q), self.place(q))
                mark = "" if new is None else "+ " if number in new else "  "
                shown = said if said != last else ('"' if said[0] else "", '"')
                rows += [(mark + first, *shown), *((line, "", "") for line in rest)]
                last = said
        yield from aligned(rows)
        if program.expected:
            yield f"expect {', '.join(map(program.name, program.expected))} = 0, else computed without the compiler"
        yield f"return {', '.join(map(program.name, program.outputs))}"

    def _passes_text(self) -> Iterator[str]:
        yield from self._pass_counts()
        for step in self.passes:
            if step.changed:
                yield ""
                new = sum(step.program.quantities[n].op is not None for n in step.new)
                yield f"after {step.name}: {new} new (+), {step.gone} gone"
                yield from (f"  {line}" for line in self.listing(step.program, step.new))

    def _pass_counts(self) -> Iterator[str]:
        rows = [("recorded", str(computed(self.recorded)), "")]
        for step in self.passes:
            count = str(computed(step.program)) if step.changed else ""
            rows.append((step.name, count, step.meaning if step.changed else "changes nothing"))
        yield from aligned([("pass", "quantities", ""), *rows], right=(1,))

    def _steps_text(self) -> Iterator[str]:
        yield from aligned([STEP_HEAD, *map(self.step_row, self.steps)], right=(3, 4, 5, 6, 7, 8))
        for s in self.steps:
            numbers = ", ".join(dict.fromkeys(self.compiled.name(n) for n in s.numbers))
            yield f"{s.name} computes {numbers}"

    def step_row(self, s: ShownStep) -> tuple[str, ...]:
        """A step as a row of the table."""
        operations = "?" if s.work.operations is None else amount(s.work.operations)
        lanes, stages, threads = ("" if n is None else str(n) for n in (s.lanes, s.stages, s.threads))
        read, written = amount(s.work.read, "B"), amount(s.work.written, "B")
        return s.name, s.kind, s.space, lanes, stages, threads, read, written, operations, s.functions

    def _kernels_text(self) -> Iterator[str]:
        for k, s in enumerate(self.steps):
            if k:
                yield ""
            yield from s.text.split("\n")

    def _ir_text(self) -> Iterator[str]:
        yield from self.ir.rstrip("\n").split("\n")

    def _assembly_text(self) -> Iterator[str]:
        yield from self.assembly.rstrip("\n").split("\n")

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    # ------------------------------------------------------------------ pages

    def html(self) -> str:
        """A page that works by itself."""
        from ..explanation.compiled_page import page  # above the compiler, and only needed here

        return page(self)

    def _repr_html_(self) -> str:
        from ..explanation.compiled_page import notebook

        return notebook(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, by its ending: .html or .txt."""
        write_by_ending(path, {".html": self.html, ".txt": lambda: self.text() + "\n"})


STEP_HEAD = "step", "by", "space", "lanes", "stages", "threads", "read", "written", "operations", "functions"
TITLES = {
    "program": "The program as it was recorded", "passes": "The passes", "steps": "The steps", "kernels": "The kernels",
    "ir": "The code in LLVM's text", "assembly": "The machine code",
}  # fmt: skip


def _kinds(program: Program, known: dict[Any, int]) -> list[int]:
    """For each quantity a number that is the same in all programs that compute it alike."""
    kinds: list[int] = []
    for n, q in enumerate(program.quantities):
        inputs = tuple([kinds[x] if type(x) is int else x for x in q.inputs])
        key = ("given", program.arguments.index(n)) if q.op is None else q.of(inputs).key()
        kinds.append(known.setdefault(key, len(known)))
    return kinds


def computed(program: Program) -> int:
    """How many quantities of a program are computed."""
    return sum(q.op is not None for q in program.quantities)


def amount(x: float, unit: str = "") -> str:
    """A count in three or four digits: 2007040 is 2.01 M."""
    for factor, prefix in UNITS:
        if x >= factor:
            return f"{x / factor:.3g} {prefix}{unit}"
    return f"{x:g} {unit}".rstrip()


def aligned(rows: list[tuple[str, ...]], right: tuple[int, ...] = ()) -> Iterator[str]:
    """Rows as lines of text with columns."""
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        yield "  ".join(cells).rstrip()

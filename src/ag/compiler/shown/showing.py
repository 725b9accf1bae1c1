"""What a compiled function is, stage by stage: as it was recorded, after each pass, its steps, its kernels, its code."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..assembling import Assembler
from ..executable import Machine
from ..loops.recorded import LOOPS, SCAN, split
from ..machine import native
from ..passes import pipeline as passes
from ..program import Constant, Program, Quantity, typed
from ..tape.running import Tape
from .amounts import aligned, amount
from .readable import Readable
from .shown_steps import ShownStep

TITLES = {
    "program": "The program as it was recorded", "passes": "The passes", "steps": "The steps", "kernels": "The kernels",
    "ir": "The code in LLVM's text", "assembly": "The machine code",
}  # fmt: skip
STAGES = tuple(TITLES)
ALL = STAGES[:-1]  # the assembly is long, and only shown when it is asked for
ASSUMED = native.Machine("", "", frozenset(("avx", "avx2", "fma")))  # where there is no compiler that knows the machine
NOTE = 44  # characters of an expression of the user's beside a line
CALL = 84  # characters of a line that others are aligned with
STEPS = {"body": "at each step", "going": "before each step, made while this is true", "yes": "if it is true", "no": "else"}
LOOP = (
    "A loop or a branch gives several results at once, object[]: result(v, k=0) takes the first of them. Its body is a program "
    "of its own, whose v0, v1, ... are counted anew; outer1, outer2, ... are what it takes from around it."
)
CAPTURED = "captured1, captured2, ... are arrays that are no arguments: from around the function, or made in it of no argument."


@dataclass
class Pass:
    """What one pass made of a program."""

    name: str
    meaning: str
    program: Program
    changed: bool
    new: set[int]  # the quantities that were not in the program before
    gone: int  # how many that were are no more


class Shown(Readable):
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
        self.steps = [ShownStep(block, k, f"k{k}", self.note) for k in range(len(block.steps))]

    def every(self) -> Iterator[ShownStep]:
        """All steps, with those of the bodies of loops behind these."""
        for step in self.steps:
            yield from step.every()

    def _passes(self) -> Iterator[Pass]:
        known: dict[Any, int] = {}
        before, kinds = str(self.recorded), set(_kinds(self.recorded, known))
        for name, program in passes.stages(self.recorded):
            text, own = str(program), _kinds(program, known)
            meaning = passes.meaning(name)
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
            runs = sum(run.times for run in self.run.runs)
            return f"a tape of {runs} instructions in {len(self.run.runs)} runs; when it is called often, {code}"
        if native.available():
            return "NumPy, whose BLAS was not found: the steps, kernels and IR below are what would be compiled"
        return f"NumPy: {native.NEEDS}. The steps, kernels and IR below are what would be compiled for a machine with AVX2"

    # ------------------------------------------------------------------ what is said of quantities

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

    def annotated(self, program: Program) -> Iterator[tuple[int, Quantity, str, str, bool]]:
        """Each quantity that is computed, with what is said of it: the expression, the line, and is it the same as before?"""
        last = None
        for number, q in enumerate(program.quantities):
            if q.op is not None:
                said = self.note(q), self.place(q)
                yield number, q, *said, said == last
                last = said

    def arguments(self) -> list[tuple[str, str, str]]:
        """Name, type and kind of each array that goes in."""
        program = self.recorded
        given = len(program.arguments) - len(program.captured)
        return [
            (program.name(n), typed(program.quantities[n]), "argument" if i < given else "captured: read at each call")
            for i, n in enumerate(program.arguments)
        ]

    @staticmethod
    def bodies(program: Program, q: Quantity) -> Iterator[tuple[str, Program, list[str]]]:
        """The programs of a loop or branch: when each runs, the program, and where its arguments come from."""
        if q.op not in LOOPS:
            return
        _, carry, others = split(q.op, q.params, [program.name(x) for x in q.inputs])
        for key, more in zip(LOOPS[q.op], others, strict=True):
            n = q.params["slices"] if q.op is SCAN else 0
            length = q.params.get("length")
            when = STEPS[key] if length is None else f"at each of {length:,} steps"
            when += ", from the last to the first" if q.params.get("reverse") else ""
            kinds = [f"carried on, at first {x}" for x in carry] + [f"{x}[step]" for x in more[:n]] + more[n:]
            yield when, q.params[key], kinds

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
            return "\n".join(self._lines(stage))
        parts = [f"{self.name}, run by {self.how}"]
        for number, name in enumerate(ALL, 1):
            parts.append("\n".join([f"{number}. {TITLES[name]}", *(f"  {line}" if line else "" for line in self._lines(name))]))
        return "\n\n".join(parts)

    def _lines(self, stage: str) -> Iterable[str]:
        if stage in ("ir", "assembly"):
            return getattr(self, stage).rstrip("\n").split("\n")
        return getattr(self, f"_{stage}_text")()

    def _program_text(self) -> Iterator[str]:
        yield from aligned([(f"{name}: {type}", kind) for name, type, kind in self.arguments()])
        if self.constants():
            yield "constants"
            yield from aligned([(f"  {value}", users) for value, users in self.constants()])
        yield "computed"
        yield from (f"  {line}" for line in self.listing(self.recorded))
        for sentence in self.legend():
            yield from ["", *textwrap.wrap(sentence, CALL)]

    def legend(self) -> list[str]:
        """What is to be known to read the program."""
        has_loops = any(q.op in LOOPS for q in self.recorded.quantities)
        return [LOOP] * has_loops + [CAPTURED] * bool(self.recorded.captured)

    def listing(self, program: Program, new: set[int] | None = None) -> Iterator[str]:
        """A program, with the user's expression and line beside each quantity; a + before those that are ``new``."""
        rows: list[tuple[str, ...]] = []
        inner: list[list[str]] = []
        for number, q, note, place, again in self.annotated(program):
            head = f"{program.name(number)}: {typed(q)} = {program.call(q)}".partition("\n")[0]
            mark = "" if new is None else "+ " if number in new else "  "
            rows.append((mark + head, *(('"' if note else "", '"') if again else (note, place))))
            inner.append([" " * len(mark) + line for line in self._bodies_text(program, q)])
        for line, within in zip(aligned(rows, widest=CALL), inner, strict=True):
            yield line
            yield from within
        if program.expected:
            yield f"expect {', '.join(map(program.name, program.expected))} = 0, else computed without the compiler"
        yield f"return {', '.join(map(program.name, program.outputs))}"

    def _bodies_text(self, program: Program, q: Quantity) -> Iterator[str]:
        for when, body, kinds in self.bodies(program, q):
            yield f"    {when}:"
            given = [f"{body.name(n)}: {typed(body.quantities[n])}" for n in body.arguments]
            yield from (f"      {line}" for line in aligned([*zip(given, kinds, strict=True)]))
            yield from (f"      {line}" for line in self.listing(body))

    def _passes_text(self) -> Iterator[str]:
        rows = [("pass", "quantities", ""), ("recorded", str(computed(self.recorded)), "")]
        for p in self.passes:
            rows.append((p.name, str(computed(p.program)), p.meaning) if p.changed else (p.name, "", "changes nothing"))
        yield from aligned(rows, right=(1,))
        for step in self.passes:
            if step.changed:
                yield ""
                new = sum(step.program.quantities[n].op is not None for n in step.new)
                yield f"after {step.name}: {new} new (+), {step.gone} gone"
                yield from (f"  {line}" for line in self.listing(step.program, step.new))

    def _steps_text(self) -> Iterator[str]:
        yield from aligned([STEP_HEAD, *map(self.step_row, self.every())], right=(3, 4, 5, 6, 7, 8))
        for s in self.every():
            numbers = ", ".join(dict.fromkeys(s.program.name(n) for n in s.numbers))
            yield f"{'  ' * s.depth}{s.name} computes {numbers}"

    def step_row(self, s: ShownStep) -> tuple[str, ...]:
        """A step as a row of the table."""
        operations = "?" if s.work.operations is None else amount(s.work.operations)
        lanes, stages, threads = ("" if n is None else str(n) for n in (s.lanes, s.stages, s.threads))
        read, written = amount(s.work.read, "B"), amount(s.work.written, "B")
        return "  " * s.depth + s.name, s.kind, s.space, lanes, stages, threads, read, written, operations, s.functions

    def _kernels_text(self) -> list[str]:
        return "\n\n".join(s.text for s in self.every() if s.stands_alone).split("\n")

    def html(self) -> str:
        from ...explanation.compiled_page import page  # above the compiler, and only needed here

        return page(self)


STEP_HEAD = "step", "by", "space", "lanes", "stages", "threads", "read", "written", "operations", "functions"


def _kinds(program: Program, known: dict[Any, int]) -> list[int]:
    """For each quantity a number that is the same in all programs that compute it alike."""
    kinds: list[int] = []
    for n, q in enumerate(program.quantities):
        bodies = [str(x) for x in q.params.values() if isinstance(x, Program)]
        if q.op is None:
            key: Any = "given", program.arguments.index(n)
        elif bodies:  # a loop or branch
            key = q.op, q.renumbered(kinds).inputs, *bodies
        else:
            key = q.renumbered(kinds).key()
        kinds.append(known.setdefault(key, len(known)))
    return kinds


def computed(program: Program) -> int:
    """How many quantities of a program are computed."""
    return sum(q.op is not None for q in program.quantities)

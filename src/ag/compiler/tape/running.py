"""Tapes: programs of single numbers, run by functions that were compiled before.

Straight-line code for thousands of numbers takes seconds to compile. A tape takes none: it lists which instruction is applied
to which slots. As any order will do in which everything is known when it is needed, equal instructions are brought together and
stand on the tape once, with all their slots, so that the time to find out what comes next is shared by many results.
"""

from __future__ import annotations

import functools
import math
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..kernels.addresses import type_of
from ..machine import entry
from ..program import Program
from . import instructions
from .instructions import COPY, END, Instruction, Step, expect, load, simple, store
from .scalars import NotScalar, Scalars
from .slots import Arena, Layout, in_order

# In seconds: what each run costs beyond its arithmetic, what a call costs beyond that of machine code, and what it takes to
# compile such code, for each result. A program that has lost as much by the tape as that compiling takes is compiled.
JUMP, CALL, COMPILING = 2e-9, 2e-7, 1.2e-4
REDUCED = 500  # the same for a program with reductions, whose order of summation is then another one
SMALLEST = 30  # quantities from which on a tape is made sooner than machine code for the program


class Run(NamedTuple):
    """An instruction many times: the first slot or the array that is written, and of each operand the slots or the array."""

    step: Step
    times: int
    place: int
    operands: Sequence[Sequence[int]]


def tape(program: Program, compile: Callable[[Program], Any], declined: object) -> Tape | None:
    """The tape of a program, or None if that is not what suits it. It returns ``declined`` where the program does not hold.

    ``compile`` makes machine code, a function of the same arguments, for a program that is run often.
    """
    quantities = program.quantities
    if len(quantities) - len(program.arguments) < SMALLEST or 3 * sum(not q.shape for q in quantities) < len(quantities):
        return None
    try:
        scalars = Scalars(program)
    except NotScalar:
        return None
    return None if scalars.reduces and len(quantities) < REDUCED else Tape(program, scalars, compile, declined)


class Tape:
    """What runs a program of single numbers: a function from its arguments to its outputs, or ``declined``."""

    def __init__(self, program: Program, scalars: Scalars, compile: Callable[[Program], Any], declined: object) -> None:
        self.program, self.compile, self.declined = program, compile, declined
        made = with_products_in_sums(scalars)
        layout = self.layout = Layout(program)
        slots, computing, size = scheduled(scalars, made)
        results = iter(scalars.outputs)
        stores, numbers = [], []
        for k, q in layout.made:
            found = [slots[next(results)] for _ in range(q.size)]
            if q.shape:
                stores.append(Run(store(type_of(q.dtype)), q.size, k, [found]))
            else:
                numbers += found
        loads = [Run(load(type_of(q.dtype)), q.size, slot, [[k]]) for k, slot, q in layout.arrays]
        self.runs = [*loads, *computing, *stores, Run(COPY, len(numbers), size, [numbers])]
        self.stream = stream(self.runs)
        constants = [(slots[n], x) for n, x in scalars.values.items()]
        self.arena = functools.partial(Arena, layout, constants, size, len(numbers))
        self.arenas = [self.arena()]
        kinds = [(x.shape, x.dtype) for x in (self.arenas[0].slots, self.stream)]
        kinds += [(q.shape, q.dtype) for _, _, q in layout.arrays]
        self.entry = entry.entry(instructions.run_address(), len(kinds) + len(stores), "run", kinds=kinds)
        self.direct = not layout.numbers
        total = sum(run.times for run in self.runs)
        self.calls_left: float = int(COMPILING * total / (CALL + JUMP * len(self.runs)))
        if scalars.reduces:
            self.calls_left = math.inf  # the results of a function don't change by being asked for often
        self.lock = threading.Lock()
        self.compiling: threading.Thread | None = None
        self.compiled: Any = None

    @property
    def fastest(self) -> Any:
        """What to call in place of the tape from now on."""
        return self if self.compiled is None else self.compiled

    def __call__(self, arguments: Sequence[Any]) -> Any:
        """The outputs for arguments of any kind, or ``declined``."""
        if self.compiled is not None:
            return self.compiled(arguments)
        if self.layout.arrays:
            arrays = [in_order(x) for x in arguments if isinstance(x, np.ndarray) and x.ndim]
            outputs = self._run(arrays, [x for x in arguments if not np.ndim(x)])
        else:
            outputs = self._run((), arguments)
        return self.declined if outputs is None else outputs

    def directly(self, arguments: Sequence[Any]) -> Any:
        """The outputs, if the arguments are arrays as they are expected, in row-major order, and the program holds; else None."""
        return self._run(arguments, ()) if self.compiled is None else self.compiled.directly(arguments)

    def _run(self, arrays: Sequence[Any], numbers: Sequence[Any]) -> Any:
        if self.calls_left <= 0:
            self._begin_compiling()
        self.calls_left -= 1
        if self.program.captured:
            captured = [fetch() for fetch in self.program.captured]
            if [(x.shape, x.dtype) for x in captured] != self.layout.captured:
                return None
            arrays = [*arrays, *[in_order(x) for x in captured if x.ndim]]
            numbers = [*numbers, *[x for x in captured if not x.ndim]]
        outputs = [np.empty(q.shape, q.dtype) for q in self.layout.made_arrays]
        try:
            arena = self.arenas.pop()
        except IndexError:
            arena = self.arena()
        try:
            if (numbers and not arena.take(numbers)) or self.entry(arena.slots, self.stream, *arrays, *outputs):
                return None
            return outputs if self.layout.simple else arena.given(outputs)
        except TypeError:
            return None
        finally:
            self.arenas.append(arena)

    def _begin_compiling(self) -> None:
        """Straight-line code is made by another thread, while the tape serves."""
        with self.lock:
            if self.compiling is None:
                self.compiling = threading.Thread(target=self._compile, name="ag.jit")
                self.compiling.start()

    def _compile(self) -> None:
        self.compiled = self.compile(self.program)


def with_products_in_sums(scalars: Scalars) -> list[Any]:
    """What each number is made of, where a product that only one sum needs is a part of that sum, rounded as before."""
    made = list(scalars.made)
    uses = Counter(x for pair in made if pair is not None for x in pair[1])
    uses.update(scalars.outputs + scalars.expected)
    for number, pair in enumerate(made):
        if pair is None or pair[0].kernel != "x + y":
            continue
        (instruction, (a, b)), type = pair, pair[0].result
        for product, other in ((a, b), (b, a)):
            inner = made[product]
            if inner is None or inner[0].kernel != "x * y" or uses[product] > 1:
                continue
            if inner[0].stored == instruction.stored == (type, type):
                made[number] = simple("x * y + z", 3, type), (*inner[1], other)
                break
    return made


def scheduled(scalars: Scalars, made: list[Any]) -> tuple[list[int], list[Run], int]:
    """The slot of each number, runs of equal instructions in an order in which they can be computed, and the number of slots.

    Always the instruction that most results are ready for is next. Behind these slots those of the outputs begin.
    """
    needed = bytearray(len(made))
    for n in scalars.outputs + scalars.expected:
        needed[n] = 1
    slots = [-1] * len(made)
    pending = [0] * len(made)
    users: list[list[int]] = [[] for _ in made]
    ready: dict[Instruction, list[int]] = {}
    for n in range(len(made) - 1, -1, -1):
        if needed[n] and made[n] is not None:
            for x in made[n][1]:
                needed[x] = 1
                if made[x] is not None:
                    users[x].append(n)
                    pending[n] += 1
            if not pending[n]:
                ready.setdefault(made[n][0], []).append(n)
    size = scalars.count
    slots[:size] = range(size)
    for n in scalars.values:
        slots[n] = size
        size += 1
    runs: list[Run] = []
    while ready:
        instruction = max(ready, key=lambda x: len(ready[x]))
        results = ready.pop(instruction)
        operands = zip(*[made[n][1] for n in results], strict=True)
        runs.append(Run(instruction, len(results), size, [[slots[x] for x in operand] for operand in operands]))
        for n in results:
            slots[n] = size
            size += 1
            for user in users[n]:
                pending[user] -= 1
                if not pending[user]:
                    ready.setdefault(made[user][0], []).append(user)
    for type in dict.fromkeys(scalars.types[n] for n in scalars.expected):
        zeros = [slots[n] for n in scalars.expected if scalars.types[n] == type]
        runs.append(Run(expect(type), len(zeros), 0, [zeros]))
    return slots, runs, size


def stream(runs: list[Run]) -> np.ndarray:
    """The tape as integers."""
    found = instructions.addresses([*[run.step for run in runs], END])
    parts: list[int] = []
    for step, times, place, operands in runs:
        parts += [*found[step], times, place]
        for slots in operands:
            parts += slots
    return np.array([*parts, *found[END]], np.int32)

"""The instructions of a tape: each does one thing many times, then jumps to the next.

An instruction lies on the tape as 32-bit integers: the address of its function (two), how many results it computes, the first
of the slots that they are written to, then for each operand the slots that it is read from. A slot is 8 bytes, whatever its type.
Loads and stores have the number of an array instead: of the slots that are read, or of the first that is written.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..kernels.addresses import stored_type
from ..kernels.fusion import is_costly
from ..kernels.writing_code import Writer
from ..machine import kept, native
from ..mathematics.elementary import expression
from ..mathematics.emitter import BITS, FLOATS, Emitter, Value

DTYPES = {"double": "f8", "float": "f4", "i64": "i8", "i32": "i4", "i1": "?"}  # in memory
NAMES = "xyz"  # of the operands of a kernel
STEP = "i32 (ptr, ptr, ptr)"  # of the slots, the tape and the addresses of all arrays


class Instruction(NamedTuple):
    """A kernel of operands that are read as ``stored`` and cast to ``types``; its result is cast to ``result``, and written."""

    kernel: str
    stored: tuple[str, ...]
    types: tuple[str, ...]
    result: str
    source: str = "slots"  # or "array", whose elements are read
    target: str = "slots"  # or "array", whose elements are written, or "zero": a run ends with 1 unless all results are 0


END = "end"  # of the tape
Step = Instruction | str


def simple(kernel: str, count: int = 1, type: str = "double", source: str = "slots", target: str = "slots") -> Instruction:
    """A kernel of so many operands, all of one type."""
    return Instruction(kernel, (type,) * count, (type,) * count, type, source, target)


def load(type: str) -> Instruction:
    """Elements of an array into slots."""
    return simple("x", type=type, source="array")


def store(type: str) -> Instruction:
    """Slots into the elements of an array."""
    return simple("x", type=type, target="array")


def expect(type: str) -> Instruction:
    """Slots that have to hold 0."""
    return simple("x", type=type, target="zero")


COPY = simple("x", type="i64")  # of slots of any type
# What nearly every tape is made of is compiled at once, so that few programs need code of their own.
COMMON: tuple[Step, ...] = (
    END, COPY, expect("double"), load("double"), store("double"), simple("-x"), simple("x * y + z", 3),
    *[simple(f"x {sign} y", 2) for sign in "+-*/"],
)  # fmt: skip

_addresses: dict[Step, int] = {}
_libraries: list[native.Library] = []
_lock = threading.Lock()


def addresses(instructions: Iterable[Step]) -> dict[Step, list[int]]:
    """Where the functions of these instructions are, as two 32-bit integers; those that are new are compiled."""
    with _lock:
        wanted = dict.fromkeys(instructions)
        if not _addresses:
            _compile(COMMON)
        new = [x for x in wanted if x not in _addresses]
        if new:
            _compile(new)
        return {x: np.array([_addresses[x]], np.uint64).view(np.int32).tolist() for x in wanted}


def run_address() -> int:
    """The address of ``int run(void **data)``, which runs the tape data[1] on the slots data[0] and on arrays from there on."""
    addresses([END])
    return _addresses["run"]


def _compile(new: Iterable[Step]) -> None:
    ir, names = module(new, native.host())
    library = native.Library(kept.compiled(ir), names)
    _libraries.append(library)
    _addresses.update((x, library.address(name)) for name, x in names.items())


def module(instructions: Iterable[Step], machine: native.Machine) -> tuple[str, dict[str, Step]]:
    """The text of their functions, and what each name stands for."""
    declarations: set[str] = set()
    names: dict[str, Step] = {}
    functions = []
    for k, x in enumerate(instructions):
        names[f"step{k}"] = x
        functions.append(f"define i32 @step{k}(ptr %v, ptr %tape, ptr %data) {{\n{_text(x, declarations, machine)}\n}}")
        if x == END:
            names["run"] = "run"
            functions.append(RUN)
    return "\n".join([*sorted(declarations), *functions, ""]), names


RUN = f"""define i32 @run(ptr %data) {{
  %v = load ptr, ptr %data
  %at = getelementptr ptr, ptr %data, i64 1
  %tape = load ptr, ptr %at
  %step = load ptr, ptr %tape, align 4
  %status = call {STEP} %step(ptr %v, ptr %tape, ptr %data)
  ret i32 %status
}}"""


def _text(x: Step, declarations: set[str], machine: native.Machine) -> str:
    """The body of a function: a loop over the results, and the jump to what comes next on the tape."""
    return "  ret i32 0" if isinstance(x, str) else _Body(x, machine, declarations).text()


def _lanes(x: Instruction, machine: native.Machine) -> int:
    """How many results are computed at once: several where that takes long, and nothing else would overlap."""
    if not is_costly(x.kernel):
        return 1
    size = max(BITS[type] for type in (*x.types, x.result)) // 8
    return max(machine.vector_bytes // size, 1) if size else 1  # truths alone, as logical_and has them


class _Body(Writer):
    """The body of the function of an instruction, as it is written."""

    def __init__(self, x: Instruction, machine: native.Machine, declarations: set[str]) -> None:
        super().__init__(machine, declarations)
        self.x, self.wide = x, _lanes(x, machine)
        self.count, place = self.word("%tape", 2), self.word("%tape", 3)
        self.operands = [self.element("%tape", "i32", 4)]
        for _ in x.stored:
            self.operands.append(self.element(self.operands[-1], "i32", 1 if x.source == "array" else self.count))
        self.next = self.operands.pop()
        self.source = self.array(self.word(self.operands[0])) if x.source == "array" else "%v"
        self.target = self.array(place) if x.target == "array" else self.element("%v", "i64", place)

    def word(self, pointer: str, offset: int | str = 0) -> str:
        """An integer of the tape."""
        short = self.line(f"load i32, ptr {self.element(pointer, 'i32', offset)}, align 4")
        return self.line(f"zext i32 {short} to i64")

    def array(self, number: str) -> str:
        """The address of an array."""
        return self.line(f"load ptr, ptr {self.element('%data', 'ptr', number)}")

    def results(self, width: int, count: str, start: str) -> None:
        """The next so many results, ``width`` at once."""
        e = self.emitter(width)
        some = self.line(f"icmp ne i64 {count}, 0")
        self.when(some, lambda: self.loop(count, lambda k: self.compute(e, self.sum_of(start, [k], [width]))))

    def text(self) -> str:
        left, done = self.count, "0"
        if self.wide > 1:
            groups = self.line(f"udiv i64 {self.count}, {self.wide}")
            self.results(self.wide, groups, done)
            done = self.sum_of("0", [groups], [self.wide])
            left = self.sum_of(self.count, [done], [-1])
        self.results(1, left, done)
        self.emit(f"%step = load ptr, ptr {self.next}, align 4")
        self.emit(f"%status = musttail call {STEP} %step(ptr %v, ptr {self.next}, ptr %data)")
        self.emit("ret i32 %status")
        return "\n".join([*self.entry, *self.body])

    def compute(self, e: Emitter, index: str) -> None:
        """The next results, written to where they belong."""
        x = self.x
        values = [e.cast(self.read(e, k, index, s), t) for k, (s, t) in enumerate(zip(x.stored, x.types, strict=True))]
        value = e.cast(expression(e, x.kernel, dict(zip(NAMES, values, strict=False))), x.result)
        if x.target == "slots":
            self.write(e, value, index)
        elif x.target == "array":
            e.store(value, self.element(self.target, value.type, index))
        else:
            k = next(self.names)
            held = e.compare("==", value, e.constant(0, value.type))
            self.emit(f"br i1 {held.text}, label %held{k}, label %declined{k}")
            self.body += [f"declined{k}:", "  ret i32 1", f"held{k}:"]

    def read(self, e: Emitter, operand: int, index: str, type: str) -> Value:
        """The next values of an operand."""
        if self.x.source == "array":
            return e.load(self.element(self.source, type, index), type)
        one = self.emitter()
        whole = Value("poison", type)
        for lane in range(e.width):
            slot = self.word(self.element(self.operands[operand], "i32", index), lane)
            value = one.load(self.element(self.source, "i64", slot), type)
            if e.width == 1:
                return value
            whole = e.line(f"insertelement {e.vector(type)} {whole.text}, {type} {value.text}, i32 {lane}", type)
        return whole

    def write(self, e: Emitter, value: Value, index: str) -> None:
        """The value into the next of the slots that are written; what is left of a slot is 0."""
        stored = stored_type(value.type)
        value = e.cast(value, stored)
        if BITS[stored] < 64:
            bits = e.bits(value) if stored in FLOATS else value
            value = e.line(f"zext {e.vector(bits.type)} {bits.text} to {e.vector('i64')}", "i64")
        e.store(value, self.element(self.target, "i64", index))

"""The instructions of a tape: each does one thing many times, then jumps to the next.

An instruction lies on the tape as 32-bit integers: the address of its function (two), how many results it computes, the first
of the slots that they are written to, then for each operand the slots that it is read from. A slot is 8 bytes, whatever its type.
Loads and stores have the number of an array instead: of the slots that are read, or of the first that is written.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ..kernels.addresses import stored_type
from ..kernels.fusion import is_costly
from ..machine import kept, native
from ..mathematics.elementary import expression
from ..mathematics.emitter import BITS, FLOATS, Emitter, Value

DTYPES = {"double": "f8", "float": "f4", "i64": "i8", "i32": "i4", "i1": "?"}  # in memory
NAMES = "xyz"  # of the operands of a kernel
STEP = "i32 (ptr, ptr, ptr)"  # of the slots, the tape and the addresses of all arrays


class Instruction(NamedTuple):
    """A kernel of operands that lie in slots as ``stored``, are cast to ``types``; its result is cast to ``result``."""

    kernel: str
    stored: tuple[str, ...]
    types: tuple[str, ...]
    result: str


@dataclass(frozen=True)
class Expect:
    """Ends the run with 1 unless all slots hold 0."""

    type: str


@dataclass(frozen=True)
class Load:
    """Elements of an array into slots."""

    type: str


@dataclass(frozen=True)
class Store:
    """Slots into the elements of an array."""

    type: str


Step = Instruction | Expect | Load | Store | str
END = "end"  # of the tape
COPY = Instruction("x", ("i64",), ("i64",), "i64")  # of slots of any type


def _simple(kernel: str, count: int, type: str = "double", result: str = "") -> Instruction:
    return Instruction(kernel, (type,) * count, (type,) * count, result or type)


# What nearly every tape is made of is compiled at once, so that few programs need code of their own.
COMMON: tuple[Step, ...] = (
    END, COPY, Expect("double"), Load("double"), Store("double"),
    _simple("x + y", 2), _simple("x - y", 2), _simple("x * y", 2), _simple("x / y", 2),
    _simple("-x", 1), _simple("x * y + z", 3),
)  # fmt: skip

_addresses: dict[Step, int] = {}
_libraries: list[native.Library] = []
_lock = threading.Lock()


def addresses(instructions: Iterable[Step]) -> dict[Step, int]:
    """Where the functions of these instructions are; those that are new are compiled."""
    with _lock:
        wanted = dict.fromkeys(instructions)
        if not _addresses:
            _compile(COMMON)
        new = [x for x in wanted if x not in _addresses]
        if new:
            _compile(new)
        return {x: _addresses[x] for x in wanted}


def run_address() -> int:
    """The address of ``int run(void **data)``, which runs the tape data[1] on the slots data[0] and on arrays from there on."""
    addresses([END])
    return _addresses["run"]


def _compile(new: Iterable[Step]) -> None:
    machine = native.host()
    ir, names = module(new, machine)
    code, _ = kept.kept(f"{kept.versions()}\n{machine.text()}\n{ir}", lambda: (native.compile_to_object(ir, machine), {}))
    library = native.Library(code, names)
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
    if x == END:
        return "  ret i32 0"
    assert not isinstance(x, str)
    if isinstance(x, Load):
        w = _Body(machine, declarations, 0, 1)
        w.array("from0")
        w.loop(1, lambda e, index: w.load(x.type, e, index))
        return w.text()
    w = _Body(machine, declarations, len(x.stored) if isinstance(x, Instruction) else 1)
    if isinstance(x, Store):
        w.array("to.at")
        w.loop(1, lambda e, index: w.store(x.type, e, index))
    elif isinstance(x, Expect):
        w.loop(1, lambda e, index: w.expect(x, e, index))
    else:
        wide = _lanes(x, machine)
        if wide > 1:
            w.loop(wide, lambda e, index: w.compute(x, e, index))
        w.loop(1, lambda e, index: w.compute(x, e, index))
    return w.text()


def _lanes(x: Instruction, machine: native.Machine) -> int:
    """How many results are computed at once: several where that takes long, and nothing else would overlap."""
    if not is_costly(x.kernel):
        return 1
    size = max(BITS[type] for type in (*x.types, x.result)) // 8
    return max(machine.vector_bytes // size, 1) if size else 1  # truths alone, as logical_and has them


class _Body:
    """The body of the function of an instruction, as it is written."""

    def __init__(self, machine: native.Machine, declarations: set[str], operands: int, words: int = 0) -> None:
        self.machine, self.declarations = machine, declarations
        self.names = itertools.count()
        self.body: list[str] = []
        self.done = "0"  # results so far
        self.before = "entry"
        self.emit("%count.at = getelementptr i32, ptr %tape, i64 2")
        self.emit("%count.short = load i32, ptr %count.at, align 4")
        self.emit("%count = zext i32 %count.short to i64")
        self.emit("%to.at = getelementptr i32, ptr %tape, i64 3")
        self.emit("%to.short = load i32, ptr %to.at, align 4")
        self.emit("%to = zext i32 %to.short to i64")
        self.emit("%out = getelementptr i64, ptr %v, i64 %to")
        self.emit("%from0 = getelementptr i32, ptr %tape, i64 4")
        for k in range(operands):
            self.emit(f"%from{k + 1} = getelementptr i32, ptr %from{k}, i64 %count")
        self.emit(f"%next = getelementptr i32, ptr %from{operands}, i64 {words}")

    def emit(self, text: str) -> None:
        self.body.append(f"  {text}")

    def fresh(self) -> str:
        return f"%r{next(self.names)}"

    def loop(self, width: int, do: object) -> None:
        """do(emitter, index) as long as ``width`` results are left."""
        e = Emitter(width, self.machine.features, self.body, self.declarations, self.names)
        k = next(self.names)
        start, end = self.done, f"end{k}"
        self.emit(f"br label %begin{k}")
        self.body.append(f"begin{k}:")
        self.emit(f"%stop{k} = sub i64 %count, {width - 1}")
        self.emit(f"%any{k} = icmp slt i64 {start}, %stop{k}")
        self.emit(f"br i1 %any{k}, label %loop{k}, label %{end}")
        self.body.append(f"loop{k}:")
        self.emit(f"%i{k} = phi i64 [ {start}, %begin{k} ], [ %next{k}, %last{k} ]")
        do(e, f"%i{k}")  # type: ignore[operator]
        self.emit(f"br label %last{k}")
        self.body.append(f"last{k}:")
        self.emit(f"%next{k} = add i64 %i{k}, {width}")
        self.emit(f"%more{k} = icmp slt i64 %next{k}, %stop{k}")
        self.emit(f"br i1 %more{k}, label %loop{k}, label %{end}")
        self.body.append(f"{end}:")
        self.emit(f"%done{k} = phi i64 [ {start}, %begin{k} ], [ %next{k}, %last{k} ]")
        self.done = f"%done{k}"

    def text(self) -> str:
        self.emit("%step = load ptr, ptr %next, align 4")
        self.emit(f"%status = musttail call {STEP} %step(ptr %v, ptr %next, ptr %data)")
        self.emit("ret i32 %status")
        return "\n".join(self.body)

    def read(self, e: Emitter, operand: int, index: str, type: str) -> Value:
        """The values in the next slots of an operand."""
        one = Emitter(1, e.features, self.body, self.declarations, self.names)
        whole = Value("poison", type)
        for lane in range(e.width):
            at, short, slot, pointer = (self.fresh() for _ in range(4))
            place = index
            if lane:
                place = self.fresh()
                self.emit(f"{place} = add i64 {index}, {lane}")
            self.emit(f"{at} = getelementptr i32, ptr %from{operand}, i64 {place}")
            self.emit(f"{short} = load i32, ptr {at}, align 4")
            self.emit(f"{slot} = zext i32 {short} to i64")
            self.emit(f"{pointer} = getelementptr i64, ptr %v, i64 {slot}")
            value = one.load(pointer, type)
            if e.width == 1:
                return value
            whole = e.line(f"insertelement {e.vector(type)} {whole.text}, {type} {value.text}, i32 {lane}", type)
        return whole

    def compute(self, x: Instruction, e: Emitter, index: str) -> None:
        """The next results, written to their slots."""
        values = [e.cast(self.read(e, k, index, s), t) for k, (s, t) in enumerate(zip(x.stored, x.types, strict=True))]
        result = expression(e, x.kernel, dict(zip(NAMES, values, strict=False)))
        self.write(e, e.cast(result, x.result), index)

    def write(self, e: Emitter, value: Value, index: str) -> None:
        """The value into the next of the slots that are written; what is left of a slot is 0."""
        stored = stored_type(value.type)
        value = e.cast(value, stored)
        if BITS[stored] < 64:
            bits = e.bits(value) if stored in FLOATS else value
            value = e.line(f"zext {e.vector(bits.type)} {bits.text} to {e.vector('i64')}", "i64")
        e.store(value, self.element("%out", "i64", index))

    def element(self, base: str, type: str, index: str) -> str:
        pointer = self.fresh()
        self.emit(f"{pointer} = getelementptr {type}, ptr {base}, i64 {index}")
        return pointer

    def array(self, place: str) -> None:
        """%array, whose number stands at this place of the tape."""
        self.emit(f"%array.short = load i32, ptr %{place}, align 4")
        self.emit("%array.number = zext i32 %array.short to i64")
        self.emit("%array.at = getelementptr ptr, ptr %data, i64 %array.number")
        self.emit("%array = load ptr, ptr %array.at")

    def load(self, type: str, e: Emitter, index: str) -> None:
        self.write(e, e.load(self.element("%array", stored_type(type), index), type), index)

    def store(self, type: str, e: Emitter, index: str) -> None:
        e.store(self.read(e, 0, index, type), self.element("%array", stored_type(type), index))

    def expect(self, x: Expect, e: Emitter, index: str) -> None:
        value = self.read(e, 0, index, x.type)
        ok = e.compare("==", value, e.constant(0, x.type))
        k = next(self.names)
        self.emit(f"br i1 {ok.text}, label %held{k}, label %declined{k}")
        self.body += [f"declined{k}:", "  ret i32 1", f"held{k}:"]

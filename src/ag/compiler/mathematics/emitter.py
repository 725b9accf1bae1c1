"""Writes instructions on vectors as LLVM text.

A value is the text that names it and the type of one lane. The methods of an emitter follow NumPy: + - * / and sqrt round
once each, as IEEE 754 says, so that a result equals NumPy's to the bit; nothing is contracted or reordered.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

FLOATS = ("double", "float")
BITS = {"double": 64, "float": 32, "i1": 1, "i8": 8, "i32": 32, "i64": 64}
SUFFIXES = {"double": "f64", "float": "f32"}
INTEGERS = {"double": "i64", "float": "i32"}  # of the same size
PREDICATES = {  # of floats, of signed integers, of i1 and i8, which hold truth
    "<": ("olt", "slt", "ult"), "<=": ("ole", "sle", "ule"), ">": ("ogt", "sgt", "ugt"), ">=": ("oge", "sge", "uge"),
    "==": ("oeq", "eq", "eq"), "!=": ("une", "ne", "ne"),
}  # fmt: skip
REDUCTIONS = {  # of floats, of signed integers, of i1 and i8
    "add": ("fadd", "add", "or"), "multiply": ("fmul", "mul", "and"),
    "maximum": ("fmaximum", "smax", "umax"), "minimum": ("fminimum", "smin", "umin"),
}  # fmt: skip


class Value(NamedTuple):
    """A scalar or a vector in LLVM text: the name or the constant, and the type of one lane."""

    text: str
    type: str


class Emitter:
    """Appends to ``body`` instructions on vectors of ``width`` lanes; a width of 1 means scalars.

    ``features`` are LLVM's names of what the processor has ("avx512f", "fma"). Into ``declarations`` goes what the module
    must hold outside its functions. Emitters that share ``names`` write into one function without a clash.
    A function of several basic blocks may be needed for one operation (``sin``): whoever writes a phi must name its
    predecessors by labels of his own, for the block in which an operation starts need not be the one in which it ends.
    """

    def __init__(
        self, width: int, features: frozenset[str] | set[str], body: list[str], declarations: set[str], names: Iterator[int]
    ) -> None:
        self.width = width
        self.features = features
        self.body = body
        self.declarations = declarations
        self.names = names

    # ------------------------------------------------------------------ text

    def vector(self, type: str, width: int | None = None) -> str:
        """The type of a vector (or of a scalar, for a width of 1)."""
        width = width or self.width
        return type if width == 1 else f"<{width} x {type}>"

    def mangled(self, type: str, width: int | None = None) -> str:
        """The same, as it stands in the name of an intrinsic."""
        width = width or self.width
        return (f"v{width}" if width > 1 else "") + SUFFIXES.get(type, type)

    def line(self, text: str, type: str) -> Value:
        name = f"%v{next(self.names)}"
        self.body.append(f"  {name} = {text}")
        return Value(name, type)

    def label(self) -> str:
        return f"block{next(self.names)}"

    def call(self, function: str, result: str, *arguments: tuple[str, str]) -> str:
        """The text of a call, of arguments given as (type, text)."""
        self.declarations.add(f"declare {result} @{function}({', '.join(type for type, _ in arguments)})")
        return f"call {result} @{function}({', '.join(f'{type} {text}' for type, text in arguments)})"

    def _intrinsic(self, name: str, *values: Value) -> Value:
        type = self.vector(values[0].type)
        text = self.call(f"llvm.{name}.{self.mangled(values[0].type)}", type, *[(type, v.text) for v in values])
        return self.line(text, values[0].type)

    def _binary(self, floats: str, integers: str, a: Value, b: Value) -> Value:
        assert a.type == b.type, f"{floats} of {a.type} and {b.type}"
        return self.line(f"{floats if a.type in FLOATS else integers} {self.vector(a.type)} {a.text}, {b.text}", a.type)

    # ------------------------------------------------------------------ constants and memory

    def constant(self, number: float | int | bool, type: str) -> Value:
        if type == "i1":
            text = "true" if number else "false"
        elif type not in FLOATS:
            text = str(int(number))
        else:
            text = f"0x{struct.unpack('<Q', struct.pack('<d', rounded(number, type)))[0]:016X}"
        return Value(text if self.width == 1 else f"splat ({type} {text})", type)

    def load(self, pointer: str, type: str, lanes: int | None = None) -> Value:
        """The next ``width`` elements, or the first ``lanes`` of them, and 0. A truth is a byte in memory."""
        stored = "i8" if type == "i1" else type
        align = BITS[stored] // 8
        if lanes is None or lanes == self.width:
            value = self.line(f"load {self.vector(stored)}, ptr {pointer}, align {align}", stored)
        elif lanes == 1:
            first = self.line(f"load {stored}, ptr {pointer}, align {align}", stored)
            value = self.line(f"insertelement {self.vector(stored)} zeroinitializer, {stored} {first.text}, i64 0", stored)
        else:
            arguments = ("ptr", pointer), ("i32", str(align)), self._live(lanes), (self.vector(stored), "zeroinitializer")
            text = self.call(f"llvm.masked.load.{self.mangled(stored)}.p0", self.vector(stored), *arguments)
            value = self.line(text, stored)
        return self.cast(value, "i1") if type == "i1" else value

    def store(self, value: Value, pointer: str, lanes: int | None = None) -> None:
        if value.type == "i1":
            value = self.cast(value, "i8")
        type, align = self.vector(value.type), BITS[value.type] // 8
        if lanes is None or lanes == self.width:
            self.body.append(f"  store {type} {value.text}, ptr {pointer}, align {align}")
        elif lanes == 1:  # for x86 LLVM makes a store of the wide element of a masked one that follows a truncation
            first = self.line(f"extractelement {type} {value.text}, i64 0", value.type)
            self.body.append(f"  store {value.type} {first.text}, ptr {pointer}, align {align}")
        else:
            arguments = (type, value.text), ("ptr", pointer), ("i32", str(align)), self._live(lanes)
            self.body.append("  " + self.call(f"llvm.masked.store.{self.mangled(value.type)}.p0", "void", *arguments))

    def gather(self, pointers: str, type: str, lanes: int) -> Value:
        """The elements at the addresses of the first ``lanes``, and 0."""
        stored = "i8" if type == "i1" else type
        arguments = (f"<{self.width} x ptr>", pointers), ("i32", str(BITS[stored] // 8)), self._live(lanes)
        whole = self.vector(stored)
        text = self.call(
            f"llvm.masked.gather.{self.mangled(stored)}.v{self.width}p0", whole, *arguments, (whole, "zeroinitializer")
        )
        return self.cast(self.line(text, stored), type)

    def scatter(self, value: Value, pointers: str, lanes: int) -> None:
        """Write the first ``lanes`` at their addresses."""
        value = self.cast(value, "i8") if value.type == "i1" else value
        arguments = (f"<{self.width} x ptr>", pointers), ("i32", str(BITS[value.type] // 8)), self._live(lanes)
        name = f"llvm.masked.scatter.{self.mangled(value.type)}.v{self.width}p0"
        self.body.append("  " + self.call(name, "void", (self.vector(value.type), value.text), *arguments))

    def mask(self, lanes: int) -> Value:
        """True in the first ``lanes``."""
        return Value("<" + ", ".join(f"i1 {'true' if i < lanes else 'false'}" for i in range(self.width)) + ">", "i1")

    def _live(self, lanes: int) -> tuple[str, str]:
        assert 0 < lanes <= self.width, f"{lanes} live lanes of {self.width}"
        return self.vector("i1"), self.mask(lanes).text

    def splat(self, scalar: Value) -> Value:
        if self.width == 1:
            return scalar
        type = self.vector(scalar.type)
        first = self.line(f"insertelement {type} poison, {scalar.type} {scalar.text}, i32 0", scalar.type)
        return self.line(f"shufflevector {type} {first.text}, {type} poison, {self.vector('i32')} zeroinitializer", scalar.type)

    def reduce(self, kind: str, value: Value) -> Value:
        """The "add", "multiply", "maximum" or "minimum" of all lanes; the order of a sum is free, and nan propagates."""
        if self.width == 1:
            return value
        arguments = [(self.vector(value.type), value.text)]
        name = REDUCTIONS[kind][_kind(value.type)]
        if name in ("fadd", "fmul"):  # they start from their neutral element
            number = -0.0 if name == "fadd" else 1.0
            start = struct.unpack("<Q", struct.pack("<d", number))[0]
            arguments.insert(0, (value.type, f"0x{start:016X}"))
        text = self.call(f"llvm.vector.reduce.{name}.{self.mangled(value.type)}", value.type, *arguments)
        return self.line(text.replace("call", "call reassoc", 1) if name in ("fadd", "fmul") else text, value.type)

    # ------------------------------------------------------------------ arithmetic

    def add(self, a: Value, b: Value) -> Value:
        return self._binary("fadd", "or" if a.type == "i1" else "add", a, b)

    def subtract(self, a: Value, b: Value) -> Value:
        return self._binary("fsub", "sub", a, b)

    def multiply(self, a: Value, b: Value) -> Value:
        return self._binary("fmul", "and" if a.type == "i1" else "mul", a, b)

    def divide(self, a: Value, b: Value) -> Value:
        assert a.type in FLOATS, f"a quotient of {a.type}"
        return self._binary("fdiv", "", a, b)

    def negative(self, a: Value) -> Value:
        if a.type in FLOATS:
            return self.line(f"fneg {self.vector(a.type)} {a.text}", a.type)
        return self.subtract(self.constant(0, a.type), a)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a b + c, rounded once."""
        return self._intrinsic("fma", a, b, c)

    def multiply_add(self, a: Value, b: Value, c: Value) -> Value:
        """a b + c, by one instruction where there is one."""
        return self._intrinsic("fmuladd", a, b, c)

    def absolute(self, a: Value) -> Value:
        if a.type in FLOATS:
            return self._intrinsic("fabs", a)
        return a if a.type in ("i1", "i8") else self.maximum(a, self.negative(a))

    def sqrt(self, a: Value) -> Value:
        return self._intrinsic("sqrt", a)

    def copysign(self, a: Value, b: Value) -> Value:
        return self._intrinsic("copysign", a, b)

    def floor(self, a: Value) -> Value:
        return self._intrinsic("floor", a) if a.type in FLOATS else a

    def ceil(self, a: Value) -> Value:
        return self._intrinsic("ceil", a) if a.type in FLOATS else a

    def trunc(self, a: Value) -> Value:
        return self._intrinsic("trunc", a) if a.type in FLOATS else a

    def rint(self, a: Value) -> Value:
        return self._intrinsic("rint", a) if a.type in FLOATS else a

    def maximum(self, a: Value, b: Value) -> Value:
        return self._extreme(">", a, b)

    def minimum(self, a: Value, b: Value) -> Value:
        return self._extreme("<", a, b)

    def _extreme(self, predicate: str, a: Value, b: Value) -> Value:
        result = self.select(self.compare(predicate, a, b), a, b)  # one instruction on x86; b if one of them is nan
        return self.select(self.compare("!=", a, a), a, result) if a.type in FLOATS else result

    def scale(self, y: Value, k: Value) -> Value:
        """y 2ᵏ, rounded once, where 1/4 < y < 4 or so, k is an integer and y 2ᵏ overflows by a few powers of 2 at most."""
        bits, total = BITS[y.type], BITS[y.type] * self.width
        if self.width > 1 and "avx512f" in self.features and (total % 512 == 0 or ("avx512vl" in self.features and total >= 128)):
            return self._chunked(y, k, min(total, 512) // bits)
        magic = self.constant(MAGIC[y.type], y.type)
        half = self.subtract(self.fma(k, self.constant(0.5, y.type), magic), magic)
        once = self.multiply(y, self.power_of_two(half))
        return self.multiply(once, self.power_of_two(self.subtract(k, half)))

    def power_of_two(self, k: Value) -> Value:
        """2ᵏ, where it is a normal number."""
        shifted = self.add(k, self.constant(MAGIC[k.type] + BIAS[k.type], k.type))
        return self.number(self.shift_left(self.bits(shifted), MANTISSA[k.type]))

    def _chunked(self, y: Value, k: Value, lanes: int) -> Value:
        """The instruction of AVX-512 for y 2ᵏ on so many lanes at a time."""
        part, whole = self.vector(y.type, lanes), self.vector(y.type)
        mask = f"i{max(lanes, 8)}"
        name = f"llvm.x86.avx512.mask.scalef.p{y.type[0] if y.type == 'double' else 's'}.{lanes * BITS[y.type]}"
        rounding = [("i32", "4")] if lanes * BITS[y.type] == 512 else []
        parts = []
        for start in range(0, self.width, lanes):
            places = f"<{lanes} x i32> <" + ", ".join(f"i32 {i}" for i in range(start, start + lanes)) + ">"
            cut = [self.line(f"shufflevector {whole} {v.text}, {whole} poison, {places}", v.type).text for v in (y, k)]
            text = self.call(name, part, (part, cut[0]), (part, cut[1]), (part, "zeroinitializer"), (mask, "-1"), *rounding)
            parts.append(self.line(text, y.type))
        while len(parts) > 1:
            lanes *= 2
            type, places = self.vector(y.type, lanes // 2), ", ".join(f"i32 {i}" for i in range(lanes))
            parts = [
                self.line(f"shufflevector {type} {a.text}, {type} {b.text}, <{lanes} x i32> <{places}>", y.type)
                for a, b in zip(parts[::2], parts[1::2], strict=True)
            ]
        return parts[0]

    # ------------------------------------------------------------------ truth

    def compare(self, predicate: str, a: Value, b: Value) -> Value:
        """a < b and so on; with nan all are false but !=."""
        assert a.type == b.type, f"a comparison of {a.type} and {b.type}"
        word = PREDICATES[predicate][_kind(a.type)]
        return self.line(f"{'f' if a.type in FLOATS else 'i'}cmp {word} {self.vector(a.type)} {a.text}, {b.text}", "i1")

    def select(self, mask: Value, a: Value, b: Value) -> Value:
        assert mask.type == "i1" and a.type == b.type, f"a selection by {mask.type} of {a.type} and {b.type}"
        type = self.vector(a.type)
        return self.line(f"select {self.vector('i1')} {mask.text}, {type} {a.text}, {type} {b.text}", a.type)

    def logical_and(self, a: Value, b: Value) -> Value:
        return self._binary("", "and", a, b)

    def logical_or(self, a: Value, b: Value) -> Value:
        return self._binary("", "or", a, b)

    def logical_xor(self, a: Value, b: Value) -> Value:
        return self._binary("", "xor", a, b)

    def invert(self, a: Value) -> Value:
        return self._binary("", "xor", a, self.constant(1 if a.type == "i1" else -1, a.type))

    def truth(self, a: Value) -> Value:
        """x ≠ 0; nan is true."""
        return a if a.type == "i1" else self.compare("!=", a, self.constant(0, a.type))

    # ------------------------------------------------------------------ types and bits

    def cast(self, a: Value, type: str) -> Value:
        """As ``astype``."""
        if a.type == type:
            return a
        if type == "i1":
            return self.truth(a)
        floats = a.type in FLOATS, type in FLOATS
        unsigned = a.type in ("i1", "i8")
        wider = BITS[type] > BITS[a.type]
        if floats == (True, True):
            word = "fpext" if wider else "fptrunc"
        elif floats == (False, False):
            word = ("zext" if unsigned else "sext") if wider else "trunc"
        else:
            word = "fptosi" if floats[0] else "uitofp" if unsigned else "sitofp"
        result = self.line(f"{word} {self.vector(a.type)} {a.text} to {self.vector(type)}", type)
        if word == "fptosi":  # of nan and of what is too large some number, as in NumPy
            result = self.line(f"freeze {self.vector(type)} {result.text}", type)
        return result

    def bits(self, a: Value) -> Value:
        """The bits of a float as an integer."""
        return self.line(f"bitcast {self.vector(a.type)} {a.text} to {self.vector(INTEGERS[a.type])}", INTEGERS[a.type])

    def number(self, a: Value) -> Value:
        """The float that has these bits."""
        type = {integer: float_ for float_, integer in INTEGERS.items()}[a.type]
        return self.line(f"bitcast {self.vector(a.type)} {a.text} to {self.vector(type)}", type)

    def shift_left(self, a: Value, places: int) -> Value:
        return self._binary("", "shl", a, self.constant(places, a.type))

    def shift_right(self, a: Value, places: int) -> Value:
        """Filled with zeros."""
        return self._binary("", "lshr", a, self.constant(places, a.type))


MANTISSA = {"double": 52, "float": 23}  # bits after the point
BIAS = {"double": 1023, "float": 127}
MAGIC = {"double": 1.5 * 2.0**52, "float": 1.5 * 2.0**23}  # added, it moves an integer to the low bits


def _kind(type: str) -> int:
    """Which column of the tables: floats, signed integers, truths."""
    return 0 if type in FLOATS else 2 if type in ("i1", "i8") else 1


def rounded(number: float, type: str) -> float:
    """The nearest number of the type."""
    if type == "double":
        return float(number)
    try:
        return float(struct.unpack("<f", struct.pack("<f", number))[0])
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")

"""What runs a program: machine code, or NumPy."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..source import warn
from ..transforms.arguments import owned
from . import donation, interpreter
from .assembling import HELD, Assembler
from .loops.recorded import types_of
from .machine import entry, kept, native, workers
from .passes import pipeline as passes
from .program import Constant, Program, Quantity
from .tape import running as tape
from .tape.slots import in_order

DECLINED = object()  # the program does not hold for these arguments
FAILURES = (interpreter.Differs, ValueError, IndexError, ArithmeticError, TypeError)  # by which NumPy says that it does not
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p)


def optimized(program: Program) -> Program:
    """The program as it is run: after all passes, where it is compiled."""
    return passes.optimized(program) if native.available() else passes.for_numpy(program)


@functools.cache
def _say_what_to_install() -> None:
    """Once in a process."""
    warn(f"ag.jit runs programs through NumPy, which is slower: {native.NEEDS}")


def prepare(program: Program, donated: list[int]) -> Callable[[Sequence[Any]], Any]:
    """A function from the arguments to the outputs, or DECLINED."""
    if native.available():
        return (None if donated else tape.tape(program, Machine, DECLINED)) or Machine(program, donated)
    _say_what_to_install()
    return by_numpy(program)


def by_numpy(program: Program) -> Callable[[Sequence[Any]], Any]:
    """The program through NumPy."""

    def run(arguments: Sequence[Any]) -> Any:
        everything = [*arguments, *[fetch() for fetch in program.captured]]
        try:
            results = interpreter.run(program, everything)
        except FAILURES:
            return DECLINED
        numbers = [y[()] if isinstance(y, np.ndarray) and not y.shape else y for y in results]
        return owned(numbers, everything)

    return run


class Machine:
    """A program as machine code."""

    def __init__(self, program: Program, donated: Sequence[int] = ()) -> None:
        self.program = program
        self.threads = workers.count()
        a = self.assembler = Assembler(program, native.host(), self.threads)
        given = donation.given_up(program, a.block, list(donated))
        self.given = [given.get(n) for n in a.outputs] if given else []
        self.callback = CALLBACK(self._numpy)
        symbols = {**(native.blas() or {}), "numpy": native.function_address(self.callback)}
        if a.is_shared:
            symbols["share"] = workers.share_address(self.threads)
        self.library = native.Library(kept.compiled(a.ir), ["run"], symbols)
        self.arenas: list[np.ndarray] = []
        count = len(program.arguments) + len(a.outputs) + 1 + len(a.large)
        self.types = types_of(program, program.arguments)
        self.entry = entry.entry(self.library.address("run"), count, "run", self.library, self.types)
        self.captured = program.captured
        self.made = types_of(program, a.outputs)
        self.results = [self._result(x) for x in program.outputs]
        # What is asked for twice is two arrays.
        self.again = {k for k, r in enumerate(self.results) if r[1] == "array" and r in self.results[:k]}
        self.simple = self.results == [(k, "array") for k in range(len(self.made))]

    def _result(self, x: int | Constant) -> tuple[Any, str]:
        """Where a result comes from: the number of an output, or of an argument below 0, or a constant; and its kind."""
        if isinstance(x, Constant):
            return x, "constant"
        q = self.program.quantities[x]
        kind = "weak" if q.weak else "array" if q.shape else "number"
        if x in self.assembler.outputs:
            return self.assembler.outputs.index(x), kind
        return ~self.program.arguments.index(x), kind

    def __call__(self, arguments: Sequence[Any]) -> Any:
        """The outputs for arguments of any kind, or DECLINED."""
        arrays = []
        for x, (_, dtype) in zip(arguments, self.types, strict=False):
            try:
                arrays.append(in_order(x) if type(x) is np.ndarray else np.array(x, dtype))
            except OverflowError:  # an integer of more than 64 bits, which the function may know what to do with
                return DECLINED
        outputs = self.directly(arrays)
        return DECLINED if outputs is None else outputs

    def directly(self, arguments: Sequence[Any]) -> Any:
        """The outputs or DECLINED; None if the arguments are not arrays as they are expected, in row-major order."""
        outputs = [np.empty(shape, dtype) for shape, dtype in self.made]
        if self.captured:
            arguments = [*arguments, *[in_order(fetch()) for fetch in self.captured]]
        if self.given:
            outputs = [y if p is None else donation.taken(arguments, p, y) for y, p in zip(outputs, self.given, strict=True)]
        try:
            arena = self.arenas.pop()
        except IndexError:
            arena = np.empty(self.assembler.arena.size + 64, np.uint8)
        try:
            status = self.entry(*arguments, *outputs, arena, *self.assembler.large)
        except TypeError:
            return None
        finally:
            self.arenas.append(arena)
        if status != HELD:
            return None if status == entry.UNEXPECTED else DECLINED
        if self.simple:
            return outputs
        results = [self._taken(r, kind, arguments, outputs) for r, kind in self.results]
        return [results[k].copy() if k in self.again else y for k, y in enumerate(results)] if self.again else results

    def _taken(self, result: Any, kind: str, arrays: Sequence[Any], outputs: list[Any]) -> Any:
        if kind == "constant":
            return result.value
        y = outputs[result] if result >= 0 else arrays[~result].copy()
        return y if kind == "array" else y.item() if kind == "weak" else y[()]

    def _numpy(self, k: int, table: int) -> int:
        """The step k, which NumPy computes."""
        block, item = self.assembler.calls[k]
        q = item.quantity

        def given(x: int | Constant, operand: Any) -> Any:
            if isinstance(x, Constant):
                return x.value
            array = _at(table, block.slots[operand.base], block.program.quantities[x])
            return array.item() if block.program.quantities[x].weak else array

        try:
            with np.errstate(all="ignore"):
                value = interpreter.value_of(q, [given(x, o) for x, o in zip(q.inputs, item.operands, strict=True)])
                _at(table, block.slots[item.number], q)[...] = value
        except Exception:  # whatever it is, f raises it again, where it can be seen
            return 1
        return 0


def _at(table: int, slot: int, q: Quantity) -> np.ndarray:
    """The array of a quantity whose address stands in a slot of the table."""
    address = ctypes.c_uint64.from_address(table + 8 * slot).value
    memory: Any = (ctypes.c_char * q.nbytes).from_address(address)
    return np.ndarray(q.shape, q.dtype, memory)

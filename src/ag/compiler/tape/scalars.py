"""A program as arithmetic on single numbers: what it does with the elements of its arrays, one by one.

That is worth it where nearly all quantities are single numbers. Indexing, stacking and the like are then no work at all: they
only say which number an element is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...operators.table import TABLE
from ..kernels.accumulators import KERNELS
from ..kernels.addresses import type_of
from ..kernels.lowering import FOLDS, kernel_of
from ..kernels.planning import types_of
from ..kernels.views import CASTS, basic, is_known
from ..mathematics.emitter import FLOATS
from ..program import Constant, Program, Quantity
from .instructions import DTYPES, Instruction, simple

LARGEST = 4096  # elements of an array
PER_QUANTITY = 8  # elements that are computed, at most, for each quantity: else the program is one of arrays
MOVES = {  # rows that put elements in other places; NumPy does it with their numbers instead of their values
    "getitem", "reshape", "permute_dims", "broadcast_to", "flip", "stack", "concat", "index_set", "index_add",
}  # fmt: skip
ZERO, UNSIGNED = 2, 1  # what is known of a number: it is +0; it is not -0


class NotScalar(Exception):
    """The program does something with arrays that is not written out in single numbers."""


class Scalars:
    """The numbers of a program: arguments first, then constants and results, in an order in which they can be computed.

    ``made``: of each number its instruction and the numbers that it is made of, or None. ``elements``: of each quantity its
    numbers: one integer, or an array of them. ``outputs``: the numbers of all outputs; ``expected``: those that have to be 0.
    Raises NotScalar.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.made: list[tuple[Instruction, tuple[int, ...]] | None] = []
        self.types: list[str] = []
        self.known = bytearray()
        self.constants: dict[Any, int] = {}
        self.values: dict[int, Any] = {}  # of the constants
        self.elements: list[Any] = []
        self.kinds: list[str] = []  # type and weakness of each quantity
        self.limit = PER_QUANTITY * len(program.quantities)
        self.instructions: dict[Any, Any] = {}
        self.reduces = False  # Are there sums that machine code computes in another order?
        starts = {}
        for number in program.arguments:
            q = program.quantities[number]
            _check(q)
            starts[number] = len(self.made)
            for _ in range(q.size):
                self._new(None, type_of(q.dtype))
        self.count = len(self.made)  # elements of the arguments
        only_expected = self._only_expected()
        for number, q in enumerate(program.quantities):
            _check(q)
            self.kinds.append(("weak " if q.weak else "") + type_of(q.dtype))
            if q.op is None:
                start = starts[number]
                x: Any = np.arange(start, start + q.size).reshape(q.shape) if q.shape else start
            elif number in only_expected:
                x = self.elements[q.inputs[0]]
            else:
                found = self._instruction(q, self.kinds[-1])
                x = self._moved(q) if found is None else self._elementwise(q, *found)
            self.elements.append(x)
        self.outputs = self._numbers([x for x in program.outputs if isinstance(x, int)])
        self.expected = list(dict.fromkeys(self._numbers(program.expected)))

    def _numbers(self, results: list[int]) -> list[int]:
        found = [self.elements[x] for x in results]
        return [n for x in found for n in (x.ravel().tolist() if isinstance(x, np.ndarray) else [x])]

    def _only_expected(self) -> set[int]:
        """Sums that are 0 exactly if each of their terms is: of 0 · x, which is 0 or nan; and that only have to be 0."""
        program = self.program
        quantities = program.quantities
        candidates = set(program.expected) - {x for x in program.outputs if isinstance(x, int)}
        candidates -= {x for q in quantities for x in q.inputs if type(x) is int}

        def inputs_of(x: int | Constant, name: str) -> tuple[Any, ...]:
            """The inputs of a quantity, if this row makes it."""
            q = quantities[x] if isinstance(x, int) else None
            return q.inputs if q is not None and q.op is not None and q.op.name == name else ()

        return {
            number for number in candidates for terms in inputs_of(number, "sum")
            if any(isinstance(x, Constant) and x.value == 0 for x in inputs_of(terms, "multiply"))
        }

    # ------------------------------------------------------------------ numbers

    def _new(self, made: tuple[Instruction, tuple[int, ...]] | None, type: str, known: int = 0) -> int:
        self.made.append(made)
        self.types.append(type)
        self.known.append(known)
        return len(self.made) - 1

    def constant(self, value: Any, type: str) -> int:
        """The number that a constant is where it meets others of this type."""
        key = type, value.__class__, value, str(value) if not value else ""  # 0.0 and -0.0 are equal
        number = self.constants.get(key)
        if number is None:
            with np.errstate(all="ignore"):
                x = np.asarray(value).astype(DTYPES[type])
            known = 0 if type not in FLOATS or (np.signbit(x) and x == 0) else ZERO if x == 0 else UNSIGNED
            number = self.constants[key] = self._new(None, type, known)
            self.values[number] = x
        return number

    def _result(self, instruction: Instruction, inputs: tuple[int, ...]) -> int:
        known = 0
        if instruction.kernel == "x + y":
            a, b = inputs
            x, y = self.known[a], self.known[b]
            if x == ZERO and y:
                return b
            if y == ZERO and x:
                return a
            known = UNSIGNED if x or y else 0
        if len(self.made) > self.limit:
            raise NotScalar(f"more than {self.limit} numbers")
        return self._new((instruction, inputs), instruction.result, known)

    # ------------------------------------------------------------------ quantities

    def _moved(self, q: Quantity) -> Any:
        """The numbers of a quantity that has those of its inputs in other places."""
        name = q.op.name
        if name in CASTS and self.program[q.inputs[0]].dtype == q.dtype:
            return self._array(q.inputs[0], q.dtype)
        if name in MOVES and basic(q.params.get("template", ())):
            given, move = [np.asarray(self._array(x, q.dtype)) for x in q.inputs], q.op.forward
            if name == "index_add":
                given[1] = self._combined(simple("x + y", 2, type_of(q.dtype)), given[0][q.params["template"]], given[1])
                move = TABLE["index_set"].forward
            result = move(*given, **q.params)
            return result if q.shape else int(result)
        if name in FOLDS and self.program[q.inputs[0]].dtype == q.dtype:
            return self._reduced(q)
        if name == "matmul":
            return self._product(q)
        raise NotScalar(q)

    def _reduced(self, q: Quantity) -> Any:
        """What an array is reduced to, half with half."""
        type, array = type_of(q.dtype), np.asarray(self._array(q.inputs[0], q.dtype))
        axes = sorted(a % array.ndim for a in q.params["axis"])
        x = np.moveaxis(array, axes, range(len(axes))).reshape(-1, *[n for a, n in enumerate(array.shape) if a not in axes])
        x = self._folded(simple(KERNELS[FOLDS[q.op.name]], 2, type), x)
        if q.op.name == "sum":  # which begins with 0
            x = self._combined(simple("x + y", 2, type), x, np.full(x.shape, self.constant(0, type)))
        return x.reshape(q.shape) if q.shape else int(x)

    def _folded(self, instruction: Instruction, x: Any) -> Any:
        """The parts of x along its first axis joined by an instruction, half with half."""
        if len(x) > 1:
            self.reduces = True
        while len(x) > 1:
            half = len(x) // 2
            x = np.concatenate([self._combined(instruction, x[:half], x[half : 2 * half]), x[2 * half :]])
        return x[0]

    def _product(self, q: Quantity) -> Any:
        """A product of small matrices or vectors."""
        type = type_of(q.dtype)
        x, y = (np.asarray(self._array(i, q.dtype)) for i in q.inputs)
        x, y = x if x.ndim > 1 else x[None], y if y.ndim > 1 else y[:, None]
        terms = self._combined(simple("x * y", 2, type), x[..., :, :, None], y[..., None, :, :])
        result = self._folded(simple("x + y", 2, type), np.moveaxis(terms, -2, 0))
        return result.reshape(q.shape) if q.shape else int(result.item())

    def _array(self, x: int | Constant, dtype: Any) -> Any:
        """The numbers of an input of this dtype."""
        if isinstance(x, int):
            if self.program.quantities[x].dtype != dtype:
                raise NotScalar(x)
            return self.elements[x]
        if np.ndim(x.value):
            raise NotScalar(x)
        return self.constant(x.value, type_of(dtype))

    def _instruction(self, q: Quantity, kind: str) -> tuple[Instruction, list[str]] | None:
        """What computes the elements of a quantity one by one, and the types of its constants; None where nothing is computed."""
        kinds = self.kinds
        key = q.op, kind, *[kinds[x] if type(x) is int else type(x.value) for x in q.inputs]
        found = self.instructions.get(key, self)
        if found is self:
            found = self.instructions[key] = self._new_instruction(q)
        return found

    def _new_instruction(self, q: Quantity) -> Any:
        program = self.program
        kernel = kernel_of(q, [q.dtype, *[program[x].dtype for x in q.inputs]])
        if kernel is None or (q.op.name in CASTS and program[q.inputs[0]].dtype == q.dtype):
            return None
        types, _ = types_of(kernel, q.dtype, list(map(program.__getitem__, q.inputs)))
        stored = [type_of(program[x].dtype) if isinstance(x, int) else t for x, t in zip(q.inputs, types, strict=True)]
        return Instruction(kernel, tuple(stored), tuple(types), type_of(q.dtype)), types

    def _elementwise(self, q: Quantity, instruction: Instruction, types: list[str]) -> Any:
        elements = self.elements
        inputs = [elements[x] if type(x) is int else self.constant(x.value, t) for x, t in zip(q.inputs, types, strict=True)]
        return self._combined(instruction, *inputs) if q.shape else self._result(instruction, tuple(inputs))

    def _combined(self, instruction: Instruction, *inputs: Any) -> Any:
        """The results of an instruction for arrays of numbers."""
        arrays = np.broadcast_arrays(*inputs)
        if instruction.kernel == "x + y":
            return self._sums(instruction, *arrays)
        if len(self.made) + arrays[0].size > self.limit:
            raise NotScalar(f"more than {self.limit} numbers")
        results = [self._result(instruction, x) for x in zip(*[a.ravel().tolist() for a in arrays], strict=True)]
        return np.array(results).reshape(arrays[0].shape)

    def _sums(self, instruction: Instruction, a: Any, b: Any) -> Any:
        """Sums of arrays of which most elements are 0, as the parts of a gradient are."""
        if not a.ndim:
            return np.array(self._result(instruction, (int(a), int(b))))
        known = np.frombuffer(self.known, np.uint8)
        x, y = known[a], known[b]
        del known  # which keeps the bytes from growing
        result = np.where(x == ZERO, b, a)
        rest = ((x != ZERO) | (y == 0)) & ((y != ZERO) | (x == 0))
        for i in zip(*np.nonzero(rest), strict=True):
            result[i] = self._result(instruction, (int(a[i]), int(b[i])))
        return result


def _check(q: Quantity) -> None:
    if (q.shape and not 0 < q.size <= LARGEST) or not is_known(q.dtype):
        raise NotScalar(q)

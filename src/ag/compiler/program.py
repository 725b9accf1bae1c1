"""The program: a flat list of quantities, each made by one operator from earlier ones.

It knows shapes and dtypes and no numbers. A trace makes it, passes make others from it, kernels compute it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from ..node import Shaped
from ..source import Source, expression, locate

PYTHON = frozenset((bool, int, float, complex))


class Constant(NamedTuple):
    """A number among the inputs of a quantity: Python's, which takes the dtype of what it meets, or NumPy's."""

    value: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """Nothing, but of an array of NumPy's."""
        return () if self.weak else np.shape(self.value)

    @property
    def dtype(self) -> Any:
        """What it has where it meets nothing else."""
        return np.asarray(self.value).dtype

    @property
    def weak(self) -> bool:
        """Is it a number of Python's?"""
        return type(self.value) in PYTHON


class Quantity(Shaped):
    """One quantity of a program: ``op`` applied to ``inputs`` (numbers of earlier quantities, and constants) and ``params``.

    An argument has no operator. ``weak``: a Python number stands there. ``place``: the code and the instruction that made it.
    """

    __slots__ = ("dtype", "inputs", "name", "op", "params", "place", "shape", "weak")

    def __init__(
        self, op: Any, inputs: tuple[Any, ...], params: dict[str, Any], shape: tuple[int, ...], dtype: Any, weak: bool = False,
        place: tuple[CodeType, int] | None = None, name: str = "",
    ) -> None:
        self.op, self.inputs, self.params = op, inputs, params
        self.shape, self.dtype, self.weak = shape, dtype, weak
        self.place, self.name = place, name

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        return self.size * int(self.dtype.itemsize)

    @property
    def source(self) -> Source | None:
        """The line of the user's program that made it."""
        return None if self.place is None else locate(*self.place)

    @property
    def text(self) -> str:
        """The expression of the user's program that made it."""
        return "" if self.place is None else expression(*self.place)

    def of(self, inputs: tuple[Any, ...], params: dict[str, Any] | None = None) -> Quantity:
        """The same of other inputs, and by other parameters, if there are any."""
        if inputs == self.inputs and params is None:
            return self
        params = self.params if params is None else params
        return Quantity(self.op, inputs, params, self.shape, self.dtype, self.weak, self.place, self.name)

    def renumbered(self, numbers: Any) -> Quantity:
        """The same where the quantity x is ``numbers[x]``, a number or a constant."""
        return self.of(tuple([numbers[x] if type(x) is int else x for x in self.inputs]))

    def key(self) -> Any:
        """What tells two quantities apart that are computed: equal keys have equal values.

        The order of two inputs does not count where the result is the same to the bit.
        """
        inputs: Any = tuple([x if type(x) is int else repr(x.value) for x in self.inputs])
        if self.op.name in COMMUTATIVE and self.dtype.kind != "c":
            inputs = frozenset(inputs) if inputs[0] != inputs[1] else inputs
        return self.op, inputs, _frozen(self.params) if self.params else None, self.dtype, self.weak


COMMUTATIVE = frozenset(("add", "multiply", "equal", "not_equal", "logical_and", "logical_or", "logical_xor"))


def _frozen(x: Any) -> Any:
    """What two parameters have in common exactly if they mean the same."""
    if isinstance(x, dict):
        return tuple([(key, _frozen(value)) for key, value in sorted(x.items())])
    if isinstance(x, tuple):
        return tuple(map(_frozen, x))
    if isinstance(x, slice):
        return "slice", x.start, x.stop, x.step
    if isinstance(x, (str, np.dtype)) or x is None or x is Ellipsis:
        return x
    return (type(x), repr(x)) if isinstance(x, (bool, int, float, complex, np.generic)) else id(x)


class Program:
    """``quantities`` in the order of computation, ``arguments`` (numbers, as they are given), ``outputs`` (numbers or constants).

    ``expected``: numbers of quantities that are 0 as long as all is well; else the call is computed again without the compiler.
    ``captured``: for each argument after the explicit ones a function that fetches it at each call.
    """

    def __init__(self) -> None:
        self.quantities: list[Quantity] = []
        self.arguments: list[int] = []
        self.outputs: list[int | Constant] = []
        self.expected: list[int] = []
        self.captured: list[Callable[[], Any]] = []

    def __getitem__(self, x: int | Constant) -> Any:
        """The quantity of a number; a constant is itself."""
        return self.quantities[x] if type(x) is int else x

    def inputs_of(self, number: int) -> list[int]:
        """The quantities that a quantity is computed from."""
        return [x for x in self.quantities[number].inputs if type(x) is int]

    def results(self) -> list[int]:
        """All quantities that are asked for."""
        return [x for x in self.outputs if type(x) is int] + self.expected

    def consumers(self) -> list[list[int]]:
        """For each quantity those that are computed from it."""
        users: list[list[int]] = [[] for _ in self.quantities]
        for number in range(len(self.quantities)):
            for x in dict.fromkeys(self.inputs_of(number)):
                users[x].append(number)
        return users

    def giving(self, outputs: list[int | Constant]) -> Program:
        """The program with other outputs."""
        new = copy.copy(self)
        new.outputs = outputs
        return new

    def stands_for(self, program: Program, numbers: Any) -> None:
        """Take and give what another program does, whose quantity x is ``numbers[x]`` here; its own come last."""
        self.arguments = [numbers[x] for x in program.arguments] + self.arguments
        self.captured = program.captured + self.captured
        self.outputs = [numbers[x] if type(x) is int else x for x in program.outputs]
        self.expected = [numbers[x] for x in program.expected if type(numbers[x]) is int] + self.expected

    def needed(self, results: Iterable[int | Constant]) -> set[int]:
        """The quantities that these results depend on."""
        found = {x for x in results if type(x) is int}
        for number in range(len(self.quantities) - 1, -1, -1):
            if number in found:
                found.update(self.inputs_of(number))
        return found

    def name(self, number: int | Constant) -> str:
        """How a quantity is called where the program is printed."""
        if not isinstance(number, int):
            value = number.value
            return repr(value.item() if isinstance(value, np.generic) else value)
        return self.quantities[number].name or f"v{number}"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterable[str]:
        """The program as text: one line a quantity, with its shape and dtype."""
        given = ", ".join(f"{self.name(n)}: {typed(self.quantities[n])}" for n in self.arguments)
        yield f"program({given}):"
        for number, q in enumerate(self.quantities):
            if q.op is None:
                continue
            yield f"    {self.name(number)}: {typed(q)} = {self.call(q)}"
        if self.expected:
            yield f"    expect {', '.join(map(self.name, self.expected))} = 0"
        yield f"    return {', '.join(map(self.name, self.outputs))}"

    def call(self, q: Quantity) -> str:
        """The operator of a quantity with its arguments and parameters."""
        shown = {k: v for k, v in q.params.items() if k != "kept" and not isinstance(v, Program)}
        given = [*map(self.name, q.inputs), *(f"{key}={_short(value)}" for key, value in shown.items())]
        inner = "".join(
            "".join(f"\n        {line}" for line in value.lines()) for value in q.params.values() if isinstance(value, Program)
        )
        return f"{q.op.name}({', '.join(given)}){inner}"


def typed(q: Quantity) -> str:
    """The dtype and the shape of a quantity: float64[3, 4]."""
    name = str(q.dtype)
    if q.weak:
        return {"float64": "float", "int64": "int", "bool": "bool"}.get(name, name)
    return f"{name}[{', '.join(map(str, q.shape))}]"


def _short(value: Any) -> str:
    if isinstance(value, slice):
        ends = ["" if n is None else str(n) for n in (value.start, value.stop)]
        return ":".join(ends if value.step is None else [*ends, str(value.step)])
    if isinstance(value, tuple):
        return f"({', '.join(map(_short, value))}{',' if len(value) == 1 else ''})"
    if value is Ellipsis:
        return "..."
    return str(value)


def stand_in(q: Quantity) -> Any:
    """Something that meets others as the quantity does: a Python number where it is weak, else one element."""
    if q.weak:
        return q.dtype.type(1).item()
    return np.ones((1,) * len(q.shape), q.dtype)

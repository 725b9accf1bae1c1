"""Traced: what a function sees of its arguments while `ag.jit` records it.

It has a shape and a dtype and no numbers. Every row that is applied to one is recorded in the program of its trace. Where it
stands as the value of a node, the derivative passes record as well, by the rules that they follow in numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from .advice import STACKED, advice, called, storing
from .capture import recorder
from .node import Operand, Shaped
from .source import expression, locate, user_frame

LONGEST = 80  # characters of an expression that an error quotes


class Traced(Shaped, Operand):
    """One quantity of the program that is recorded: ``number`` is its place there.

    ``weak``: it stands for a Python number, which takes the dtype of what it meets.
    """

    __slots__ = ("dtype", "number", "recorded_by", "shape", "weak")
    shape: tuple[int, ...]
    dtype: Any

    def __init__(self, trace: Any, number: int, shape: tuple[int, ...], dtype: Any, weak: bool = False) -> None:
        self.recorded_by = trace
        self.number = number
        self.shape = shape
        self.dtype = dtype
        self.weak = weak

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes its elements take."""
        return self.size * self.dtype.itemsize

    @property
    def real(self) -> Any:
        """The real part, as of an array or a number."""
        return self if self.weak and self.dtype.kind != "c" else np.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part, as of an array."""
        return np.imag(self)

    @property
    def value(self) -> Traced:
        """Itself: a program has no derivative of its own."""
        return self

    def __repr__(self) -> str:
        return f"Traced(shape {self.shape}, {self.dtype})"

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(f"{self!r} is one number and has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError(f"{self!r} is one number: there is no axis to iterate over")
        row: Any = self  # indexing is attached by its row
        return (row[i] for i in range(self.shape[0]))

    def _integer_of(self, name: str, *decimals: int | None) -> Any:
        """What Python's rounding gives: of one number an integer of Python's."""
        rounding: Any = getattr(super(), name)
        if self.shape or self.dtype.kind not in "fiu" or (decimals and decimals[0] is not None):
            return rounding(*[n for n in decimals if n is not None])
        self.recorded_by.expect_finite([self])  # else Python raises
        return self.recorded_by.loops.number(rounding() if self.dtype.kind == "f" else self)

    def __round__(self, decimals: int | None = None) -> Any:
        """round(x), round(x, decimals)"""
        return self._integer_of("__round__", decimals)

    def __floor__(self) -> Any:
        """math.floor(x)"""
        return self._integer_of("__floor__")

    def __ceil__(self) -> Any:
        """math.ceil(x)"""
        return self._integer_of("__ceil__")

    def __trunc__(self) -> Any:
        """math.trunc(x)"""
        return self._integer_of("__trunc__")

    def __pow__(self, y: Any) -> Any:
        """x ** y; NumPy's arrays of truths have a square of their own, of int8."""
        if self.dtype.kind == "b" and not self.weak and type(y) is int and y == 2:
            return np.square(self)
        power: Any = super()
        return power.__pow__(y)

    # ------------------------------------------------------------------ what would need the numbers

    def _unknown(self, what: str, instead: str, named: bool = True) -> NoReturn:
        """``named``: the expression that asks for it is named as well, in the user's words."""
        frame = user_frame()
        place = locate(frame.f_code, frame.f_lasti)
        where = f", at {place}: {place.text}" if place is not None else ""
        what += _asked(frame) if named else ""
        error = TypeError(f"{what} is not known while ag.jit records the function{where}. It is {self!r}: {instead}")
        self.recorded_by.asked = error
        raise error

    def __bool__(self) -> bool:
        self._unknown(
            "The truth",
            "write ag.where(condition, a, b) or ag.cond(condition, f, g, x) for a choice, ag.while_loop for a loop, or name the "
            "argument in static_argnums, if it takes few values",
        )

    def __float__(self) -> float:
        keep = "keep the array, and use NumPy's functions on it (np.sin(x), not math.sin(x))"
        self._unknown("The float", STACKED if storing() else keep)

    def __int__(self) -> int:
        self._unknown("The integer", "keep the array, x.astype(int), or name the argument in static_argnums")

    def __complex__(self) -> complex:
        self._unknown("The complex number", "keep the array, x.astype(complex)")

    def __index__(self) -> int:
        self._unknown(
            "The integer", "name the argument in static_argnums, as shapes and Python's loops need it, write ag.fori_loop in "
            "place of range(n), or index an array with it (x[i], ag.take(a, i, axis=0))",
        )

    def item(self) -> Any:
        self._unknown("The number", "keep the array and return it")

    def tolist(self) -> Any:
        self._unknown("The list", "keep the array and return it")

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        if self.dtype.kind in "iu" and called() == "arange":
            self.__index__()
        self._unknown(
            "The array", "write np.stack([x, y]) for np.array([x, y]), ag.take(a, x, axis=0) for a[x], and functions of "
            f"NumPy or ag that record (np.exp(x)) for others{advice()}",
        )

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        self._unknown("What a write in place changes", "write x = x.at[index].set(v), or ag.where(mask, v, x)", named=False)

    def __format__(self, specification: str) -> str:
        if specification:
            self._unknown("The text", "print it after the call, or print(x) for its shape")
        return repr(self)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        self._unknown("A copy", "it is a value and never written: use it as it is", named=False)


def _asked(frame: FrameType) -> str:
    """What the user's program asks a number of, or what asks for it there; empty where its text is not at hand or long."""
    import ast  # here, as they are slow to import and only errors need them
    import dis

    text = " ".join(expression(frame.f_code, frame.f_lasti).split())
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:  # as of a whole statement, where Python does not keep apart what it tests
        return ""
    if len(text) > LONGEST or isinstance(tree, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        return ""
    instruction = dis.opname[frame.f_code.co_code[frame.f_lasti]]
    tested = "JUMP" in instruction or instruction in ("TO_BOOL", "UNARY_NOT")
    return f" of {text}" if tested else f" that {text} asks for"


def recorded(op: Any, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
    """op(*inputs, **params), where one of the inputs is traced, as a quantity of the program that is recorded in this thread.

    Raises RuntimeError if there is none: a traced value was kept beyond its call.
    """
    if recorder.trace is None:
        traced = next(x for x in inputs if type(x) is Traced)
        frame = user_frame()
        place = locate(frame.f_code, frame.f_lasti)
        where = f", at {place}: {place.text}" if place is not None else ""
        raise RuntimeError(
            f"{traced!r} was recorded by ag.jit and is used after its call has ended{where}. It stands for no numbers: "
            f"let the compiled function return the value, and keep none in a global, an attribute, a generator or a function"
        )
    return recorder.trace.record(op, inputs, params)


def is_traced(*xs: Any) -> bool:
    """Is one of them recorded by `ag.jit`?"""
    return any(type(x) is Traced for x in xs)


def zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Zeros of a shape that take no memory: for functions that ask for shapes and dtypes."""
    return np.broadcast_to(np.zeros((), dtype), shape)

"""What runs a program: machine code, or NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..transforms.arguments import owned
from . import interpreter
from .program import Program

DECLINED = object()  # the program does not hold for these arguments


def prepare(program: Program, donated: list[int]) -> Callable[[list[Any]], Any]:
    """A function from the arguments to the outputs, or DECLINED."""
    return by_numpy(program)


def by_numpy(program: Program) -> Callable[[list[Any]], Any]:
    """The program through NumPy."""
    captured = program.captured
    count = len(program.outputs)

    def run(arguments: list[Any]) -> Any:
        everything = [*arguments, *[fetch() for fetch in captured]]
        try:
            results = interpreter.run(program, everything)
        except (interpreter.Differs, ValueError, IndexError, ArithmeticError, TypeError):
            return DECLINED
        if any(results[count:]):
            return DECLINED
        return owned([_own(x) for x in results[:count]], everything)

    return run


def _own(x: Any) -> Any:
    return x

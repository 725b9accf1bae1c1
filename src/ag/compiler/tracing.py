"""The trace: what a function does with traced arguments, recorded as a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..capture import numeric, ordinary, recorder, seen
from ..node import Node
from ..operators import calls
from ..operators.table import TABLE
from ..source import user_frame
from ..traced import Traced
from .abstract import abstract
from .literals import literal, rises
from .program import Constant, Program, Quantity

LOOKED_AT = (np.float64, np.float32, np.int64, np.int32, bool)  # the dtypes in which code can ask whether a number is 0
INDEXED = {"getitem": 1, "index_add": 2, "index_set": 2}  # from which input on they are index arrays

# What NumPy says in place of the error that it was given.
SWALLOWING = "expected a sequence of integers or a single integer"


class Trace:
    """Records what is applied to its traced values. ``parent``: the trace in which it runs, as the body of a loop does.

    While it runs (``with trace:``) arrays that enter are taken as captured: fetched at each call of the program. ``rising``: a
    captured index 0, 1, 2, ..., as rows are counted with, is taken to stay that; the program expects it to.
    """

    def __init__(self, parent: Trace | None = None, rising: bool = True) -> None:
        self.parent = parent
        self.program = Program()
        self.free: dict[Any, Traced] = {}  # captured arrays by identity, and quantities of the parent by number
        self.kept: list[Any] = []  # what must live as long as its identity is asked for
        self.arrays: dict[int, Any] = {}  # the captured arrays by their numbers
        self.rising = rising
        self.risen: dict[int, int] = {}  # the indices 0, 1, 2, ... by identity
        self.finished = False
        self.replays = False  # is it a program that is recorded again? Then what enters are arrays of rows, which nobody changes
        self.unmasked: bool = parent is not None and parent.unmasked  # was a pass recorded without its masks?
        self.asked: TypeError | None = None  # what was said last of a number that is not known
        self.place: Any = None  # of what is recorded; if there is none, where the user stands

    def __enter__(self) -> Trace:
        seen.traced = True
        self.outer = recorder.trace
        recorder.trace = self
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        recorder.trace = self.outer
        self.finished = True
        if self.asked is not None and str(error).startswith(SWALLOWING):
            raise self.asked from None

    # ------------------------------------------------------------------ what goes in

    def argument(self, shape: tuple[int, ...], dtype: Any, weak: bool = False, name: str = "") -> Traced:
        """A new argument of the program."""
        self.program.arguments.append(len(self.program.quantities))
        return self.added(Quantity(None, (), {}, shape, dtype, weak, name=name))

    def captured(self, array: Any, fetch: Callable[[], Any] | None = None) -> Traced:
        """An array that the function did not get as an argument: an argument that is fetched at each call."""
        if self.parent is not None:
            own = self.from_parent(self.parent.captured(array, fetch))
            self.arrays[own.number] = array
            return own
        if self.replays and fetch is None:
            return self.added(literal(numeric(array)))
        known = self.free.get(id(array))
        if known is None:
            numeric(ordinary(array))
            self.kept.append(array)
            known = self.argument(array.shape, array.dtype, name=f"captured{len(self.program.captured) + 1}")
            self.program.captured.append(fetch or (lambda: array))
            self.free[id(array)] = known
            self.arrays[known.number] = array
        return known

    def from_parent(self, x: Traced) -> Traced:
        """A quantity of the enclosing trace: an argument, whose value is given by what encloses this program."""
        known = self.free.get(x.number)
        if known is None:
            known = self.free[x.number] = self.argument(x.shape, x.dtype, x.weak, name=f"outer{len(self.free) + 1}")
            self.kept.append(x)
        return known

    # ------------------------------------------------------------------ what is done

    def added(self, q: Quantity) -> Traced:
        """The quantity at the end of the program."""
        self.program.quantities.append(q)
        return Traced(self, len(self.program.quantities) - 1, q.shape, q.dtype, q.weak)

    def given(self, x: Any) -> int | Constant:
        """An input of an operator, as the program has it."""
        if type(x) is Traced:
            return self.own(x).number
        if isinstance(x, Node):
            return self.given(x._value)
        if isinstance(x, np.ndarray):
            if x.size > 1 and not any(x.strides):  # one number repeated
                return self.record(TABLE["broadcast_to"], (x[(0,) * x.ndim],), {"shape": x.shape}).number
            return self.captured(x).number
        if isinstance(x, (bool, int, float, complex, np.generic)):
            return Constant(x)
        return self.captured(numeric(np.asarray(x))).number

    def index(self, x: Any) -> int | Constant:
        """An index array as the program has it."""
        outermost = self
        while outermost.parent is not None:
            outermost = outermost.parent
        array = x.recorded_by.arrays.get(x.number) if type(x) is Traced else x
        if self.replays or not outermost.rising or type(array) is not np.ndarray:
            return self.given(x)
        if array.size < 2 or not array.dtype.isnative or not rises(array):
            return self.given(x)
        if id(array) not in outermost.risen:
            outermost.expect_rising(outermost.captured(array))
        for trace in (outermost, self):
            if id(array) not in trace.risen:
                trace.risen[id(array)] = trace.added(literal(array)).number
        return self.risen[id(array)]

    def _known(self, number: int | Constant) -> Any:
        """What stands for an input where its shape and dtype are asked for: of a captured mask the mask as it is now."""
        array = self.arrays.get(number) if type(number) is int else None
        return self.program[number] if array is None or array.dtype != bool else Constant(array)

    def own(self, x: Traced) -> Traced:
        """x as a quantity of this trace. Raises RuntimeError for one of a trace that has ended."""
        if x.recorded_by is self:
            return x
        outer = self.parent
        if x.recorded_by.finished or outer is None:
            raise RuntimeError(
                f"{x!r} was recorded by another call of ag.jit, which has ended: a compiled function returns its results, "
                f"and keeps none of them elsewhere (in a global, an attribute or x.grad)"
            )
        return self.from_parent(outer.own(x))

    def record(self, op: Any, inputs: Sequence[Any], params: dict[str, Any]) -> Traced:
        """op(*inputs, **params) as the next quantity."""
        indices = INDEXED.get(op.name, len(inputs))
        numbers = tuple([self.given(x) if i < indices else self.index(x) for i, x in enumerate(inputs)])
        try:
            inputs_of = self._known if op.name in INDEXED else self.program.__getitem__
            kind = abstract(op, list(map(inputs_of, numbers)), params)
        except ValueError as error:
            raise calls.mismatch(op, tuple(inputs), error) from None
        if kind[1].kind == "c":
            seen.complex = True
        return self.added(Quantity(op, numbers, params, *kind, self.place or user_place()))

    @property
    def loops(self) -> Any:
        """What records loops and branches, on leaves of what they carry: a module that stands above this one."""
        from .loops import recurrences

        return recurrences

    def forgotten(self, f: Callable[[], Any]) -> Any:
        """What f returns, without what it does: to learn of its shapes and dtypes."""
        with Trace(self):
            return f()

    def expect_finite(self, adjoints: Sequence[Any]) -> None:
        """The program holds as long as these are finite; else another pass has to decide."""
        for g in adjoints:
            if type(g) is Traced and g.dtype.kind in "fc":
                zero = TABLE["multiply"].apply((g, 0.0), {})
                self.expect_zero(TABLE["sum"].apply((zero,), {"axis": tuple(range(-g.ndim, 0)), "keepdims": False}))

    def expect_zero(self, x: Any) -> None:
        """The program holds as long as this number is 0."""
        if type(x) is Traced and x.dtype not in LOOKED_AT:
            x = TABLE["astype"].apply((x,), {"dtype": np.dtype(float if x.dtype.kind == "f" else np.int64)})
        self.program.expected.append(self.given(x))  # type: ignore[arg-type]

    def expect_rising(self, x: Traced) -> None:
        """The program holds as long as the elements of x, at least one, are 0, 1, 2, ..."""

        def part(of: Traced, *template: Any) -> Traced:
            return self.record(TABLE["getitem"], (of,), {"template": template})

        line = self.record(TABLE["reshape"], (x,), {"shape": (x.size,)})
        following = self.record(TABLE["add"], (part(line, slice(None, -1)), 1), {})
        wrong = self.record(TABLE["not_equal"], (part(line, slice(1, None)), following), {})
        self.expect_zero(self.record(TABLE["sum"], (wrong,), {"axis": (-1,), "keepdims": False}))
        self.expect_zero(part(line, 0))

    def finish(self, outputs: Sequence[Any]) -> Program:
        """The program that computes these."""
        self.program.outputs = [self.given(x) for x in outputs]
        return self.program


def user_place() -> Any:
    """Where the user's program stands: the code and the instruction."""
    frame = user_frame()
    return frame.f_code, frame.f_lasti

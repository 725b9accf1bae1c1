"""Functions as single nodes of the graph: the derivative of such a node follows a rule of its own.

The node's inputs are those arguments that are nodes or batches; of a batch all examples, with the hidden axes in front. If
the function returns several arrays, the node's value is a vector of them all, which ordinary operators cut up again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..batched import Batched, live, physical, under
from ..capture import capture, seen
from ..node import Node, Operand, describe, made
from ..operators.batching import lowered, raised
from ..operators.joining import concat
from ..operators.operands import real_like
from ..operators.rules import Rule, Step, fit, is_complex, shape_of, value_of, zeros_like
from ..operators.shaping import as_scalar, astype, reshape
from ..operators.table import ANY, PRODUCT, Operator
from ..scalar import Scalar
from ..symbol import Symbol
from ..tensor import Tensor
from .containers import leaves, rebuilt, same_shape
from .recording import Recorded


class Call:
    """One call of a function: which of its arguments are inputs of the node, and which of its results are in its value."""

    def __init__(self, arguments: Any) -> None:
        self.arguments = arguments
        self.levels = live.levels  # the vmaps under which it is called: its rules run under the same
        self.ends = leaves(arguments)
        self.places = [i for i, x in enumerate(self.ends) if isinstance(x, Operand) and is_float(x)]
        self.hidden = [type(self.ends[i]) is Batched for i in self.places]
        self.inputs = [
            lowered(self.ends[i], self.levels) if hidden else self.ends[i]
            for i, hidden in zip(self.places, self.hidden, strict=True)
        ]
        self.result: Any = None
        # Of the floats of the result: place, shape, dtype (None: a Python float), is it batched?
        self.parts: list[tuple[int, tuple[int, ...], Any, bool]] = []

    def is_recorded(self) -> bool:
        """Is there a node among the inputs?"""
        return any(isinstance(x, Node) for x in self.inputs)

    def argument_numbers(self) -> list[int]:
        """For each input the argument that it is a part of."""
        owners = [n for n, argument in enumerate(self.arguments) for _ in leaves(argument)]
        return [owners[i] for i in self.places]

    def given(self, inputs: Sequence[Any]) -> Any:
        """The arguments as the function sees them, with these inputs."""
        ends = list(self.ends)
        for i, hidden, x in zip(self.places, self.hidden, inputs, strict=True):
            ends[i] = raised(x, self.levels) if hidden else x
        return rebuilt(self.arguments, ends)

    def packed(self, result: Any) -> Any:
        """The floats of a result as one array. The first result says what there is to be packed."""
        ends = leaves(result, like=self.result[0] if self.result else None)
        if self.result is None:
            self.result = (rebuilt(result, [0.0 if is_float(y) else y for y in ends]),)
            self.parts = [
                (i, shape_of(lowered(y, self.levels)), None if type(value_of(y)) is float else y.dtype, type(y) is Batched)
                for i, y in enumerate(ends) if is_float(y)
            ]
        pieces = [lowered(ends[i], self.levels) for i, *_ in self.parts]
        if len(pieces) == 1:
            return pieces[0]
        return concat([reshape(y, (-1,)) for y in pieces]) if pieces else np.zeros(0)

    def unpacked(self, packed: Any) -> Any:
        """The inverse: the result, or one like it, from one array; what is not float stands as it was."""
        (result,) = self.result
        ends = leaves(result)
        start = 0
        for i, shape, dtype, hidden in self.parts:
            if len(self.parts) == 1:
                piece = packed
            else:
                size = int(np.prod(shape, dtype=int))
                piece = reshape(packed[start : start + size], shape) if shape else packed[start]  # a number, and no array of one
                piece = real_like(piece, float if dtype is None else dtype)  # complex if another part is
                piece = as_scalar(piece) if dtype is None else piece if piece.dtype == dtype else astype(piece, dtype)
                start += size
            ends[i] = raised(piece, self.levels) if hidden else piece
        return rebuilt(result, ends)

    def running(self, *tangents: Any) -> under:
        """The vmaps under which it was called, and newer ones that these tangents or cotangents belong to."""
        newer = {level for t in tangents if type(t) is Batched for level in t.levels} - set(self.levels)
        return under((*sorted(newer, key=lambda level: -level.number), *self.levels))

    def directions(self, primals: Any, tangents: Sequence[Any]) -> Any:
        """Tangents of the inputs in a container like the arguments; of everything else a tangent of 0."""
        ends = [zero_like(x) for x in leaves(primals)]
        for i, hidden, t in zip(self.places, self.hidden, tangents, strict=True):
            ends[i] = raised(t, self.levels) if hidden else t
        return rebuilt(primals, ends)

    def tangent(self, given: Any, who: str) -> Any:
        """A tangent of the result that a rule gave, packed. Raises TypeError if it is not like the result."""
        (result,) = self.result
        if not same_shape(given, result):
            raise TypeError(f"{who} gives a tangent that is not nested as the output is: return (output, tangent), both alike")
        ends = leaves(given, like=result)
        for i, shape, _, _ in self.parts:
            found = shape_of(lowered(ends[i], self.levels))
            if found != shape:
                hidden = len(self.levels)
                raise TypeError(
                    f"{who} gives a tangent of shape {found[hidden:]} for an output of shape {shape[hidden:]}: they must be equal"
                )
        return self.packed(given)

    def cotangent(self, packed: Any) -> Any:
        """A cotangent of the result in a container like it; 0 for what is not float."""
        result = self.unpacked(packed)
        places = {i for i, *_ in self.parts}
        return rebuilt(result, [x if i in places else zero_like(x) for i, x in enumerate(leaves(result))])

    def cotangents(self, given: Any, who: str) -> list[Any]:
        """The cotangents that a rule gave for the arguments, as those of the inputs. Raises TypeError for a wrong shape."""
        if not isinstance(given, (tuple, list)) or len(given) != len(self.arguments):
            what = f"{len(given)} cotangents" if isinstance(given, (tuple, list)) else f"a {type(given).__name__}"
            raise TypeError(
                f"{who} returns a tuple with one cotangent for each of the {len(self.arguments)} arguments, got {what}"
            )
        ends: list[Any] = []
        for n, (c, argument) in enumerate(zip(given, self.arguments, strict=True)):
            if c is None:
                ends += [None] * len(leaves(argument))
            elif same_shape(c, argument):
                ends += leaves(c, like=argument)
            else:
                raise TypeError(f"{who} gives a cotangent for argument {n} that is not nested as the argument is")
        for i in self.places:
            if ends[i] is not None and shape_of(ends[i]) != shape_of(self.ends[i]):
                raise TypeError(
                    f"{who} gives a cotangent of shape {shape_of(ends[i])} for {describe(self.ends[i])} of shape "
                    f"{shape_of(self.ends[i])}: they must be equal"
                )
        return [None if ends[i] is None else lowered(ends[i], self.levels) for i in self.places]

    def node(self, name: str, value: Any, rule: Rule, forward: Callable[..., Any], captured: Sequence[Node] = ()) -> Any:
        """The result as nodes, cut out of one node with the packed value."""
        inputs = [capture(x) if isinstance(x, np.ndarray) else x for x in (*self.inputs, *captured)]
        op = Operator(name, forward, rule, symbol=name, complex=True, doc=f"{name} as one node")
        if is_complex(value):
            seen.complex = True
        if isinstance(value, np.ndarray):
            value = capture(value)
        return self.unpacked(made(Scalar if type(value) is float else Tensor, value, op, inputs))


def zero_like(x: Any) -> Any:
    """A tangent or cotangent of 0: plain zeros; None for what is no number."""
    if not isinstance(x, (Operand, np.ndarray, np.generic, float, int)):
        return None
    value = physical(value_of(x))
    dtype = getattr(value, "dtype", np.dtype(float))
    return 0.0 if type(value) in (float, int, bool) else np.zeros(shape_of(x), dtype if dtype.kind in "fc" else float)[()]


def name_of(f: Any, otherwise: str) -> str:
    """What a node of the function is called."""
    name = getattr(f, "__name__", type(f).__name__)
    return otherwise if name == "<lambda>" else name


def is_float(x: Any) -> bool:
    """Is x a number or an array that can be differentiated?"""
    if isinstance(x, (Operand, np.ndarray, np.generic)):
        return type(value_of(x)) is float or x.dtype.kind in "fc"
    return type(x) is float


def records(step: Step, *more: Any) -> bool:
    """Is a rule to be recorded?"""
    return any(isinstance(physical(x), Node) for x in (*step.args, *more))


class Together(Rule):
    """A rule that gives the cotangents of all inputs at once: ``pulled(g, step)``, None for those without dependence.

    ``pulled_exactly(g, mask, step)`` gives them with their masks: see `Rule`. What the function does inside may select.
    """

    selects = True

    def __init__(self) -> None:
        self.last: tuple[Step, Any, Any, dict[int, Any]] | None = None  # of the pass that asks for one after another

    def pulled(self, g: Any, step: Step) -> list[Any]:
        raise NotImplementedError

    def pulled_exactly(self, g: Any, mask: Any, step: Step) -> list[tuple[Any, Any]]:
        raise NotImplementedError

    def vjp(self, i: int, g: Any, step: Step) -> Any:
        if isinstance(g, Symbol):
            return text_of(self, i, g, step)
        c = self._one(i, g, None, step)
        return zeros_like(step.args[i]) if c is None else c

    def exact_vjp(self, i: int, g: Any, mask: Any, step: Step) -> tuple[Any, Any]:
        c, reached = self._one(i, g, mask, step)
        x = step.args[i]
        return (zeros_like(x), np.zeros(shape_of(x), bool)) if c is None else (fit(c, x), reached)

    def _one(self, i: int, g: Any, mask: Any, step: Step) -> Any:
        """That of input i: all are computed when the first is asked for."""
        last = self.last
        if last is None or last[0] is not step or last[1] is not g or last[2] is not mask or i not in last[3]:
            found = self.pulled(g, step) if mask is None else self.pulled_exactly(g, mask, step)
            last = self.last = (step, g, mask, dict(enumerate(found)))
        c = last[3].pop(i)
        if not last[3]:
            self.last = None
        return c


def text_of(rule: Rule, i: int, g: Symbol, step: Step) -> Symbol:
    """The contribution in a formula, of a rule that leaves no text: g · ∂f/∂x."""
    numbers = Step(step.op, value_of(step.ans), tuple(map(value_of, step.args)), step.params)
    op = Operator(
        f"the rule of {step.op.name}", step.op.forward, rule, precedence=(PRODUCT, PRODUCT, ANY),
        latex=lambda g, x: rf"{g} \cdot \frac{{\partial \operatorname{{{step.op.name}}}}}{{\partial {x}}}",
    )
    return made(Symbol, np.asarray(rule.vjp(i, value_of(g), numbers))[()], op, (g, step.args[i]))


class Again(Together):
    """The derivative of a function that is run again for it: what it computes on the way is kept by nobody."""

    def __init__(self, function: Callable[..., Any], name: str, captured: list[Node]) -> None:
        super().__init__()
        self.function, self.name, self.captured = function, name, captured

    def recorded(self, step: Step) -> Recorded:
        return recorded_call(self.function, step.args[: len(step.args) - len(self.captured)], self.name)

    def pulled(self, g: Any, step: Step) -> list[Any]:
        return self.recorded(step).carried_back(g, self.captured, records(step, g))

    def pulled_exactly(self, g: Any, mask: Any, step: Step) -> list[tuple[Any, Any]]:
        record = self.recorded(step)
        return record.carried_back_from(record.roots[0], g, mask, self.captured, records(step, g))

    def jvp(self, tangents: list[Any], step: Step) -> Any:
        return self.recorded(step).carried_forward(tangents, self.captured, records(step, *tangents))


def recorded_call(function: Callable[..., Any], inputs: Sequence[Any], name: str) -> Recorded:
    """A function of inputs with all examples, recorded: outside of every vmap."""
    with under(()):
        return Recorded(function, tuple(inputs), False, name)

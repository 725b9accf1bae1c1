"""The results of loops as values of nodes: several as one, parts of it, and ys whose number is known when the program runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...batched import Batched, Level, physical, under
from ...capture import recorder
from ...node import Node, Operand, made
from ...operators.rules import Custom, value_of
from ...operators.shaping import astype
from ...operators.table import TABLE, Operator
from ...tensor import Tensor
from ...traced import Traced
from .recorded import OBJECT, Type


class Bundle(Operand):
    """The results of a loop as the value of one node, or a tangent or cotangent of them (None: no dependence)."""

    __slots__ = ("parts",)
    shape, dtype = (), np.dtype(float)  # as the passes ask for them

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = list(parts)

    def __add__(self, other: Bundle) -> Bundle:
        return Bundle([y if x is None else x if y is None else x + y for x, y in zip(self.parts, other.parts, strict=True)])


class Stack(Operand):
    """The ys of a loop whose length is not known while it is recorded: what only another loop of this length can read.

    ``content``: the traced value, or a node with it; ``kind``: shape and dtype of one y; ``levels``: whose axes are hidden in it.
    """

    __slots__ = ("content", "kind", "length", "levels")
    shape, dtype = (), OBJECT

    def __init__(self, content: Any, kind: Type, length: Any, levels: tuple[Level, ...] = ()) -> None:
        self.content, self.kind, self.length, self.levels = content, kind, length, levels

    def of(self, content: Any, levels: tuple[Level, ...] = ()) -> Stack:
        """A like one with other content."""
        return Stack(content, self.kind, self.length, levels)

    def __add__(self, other: Stack) -> Stack:
        from .recurrences import scanned  # which stands above

        with newer(self, other):
            return scanned(lambda carry, x: ([], [x[0] + x[1]]), [], [self, other], self.length)[1][0]


def _part_jvp(tangents: list[Any], ans: Any, bundle: Any, k: int) -> Any:
    return tangents[0].parts[k]


def _part_vjp(i: int, g: Any, ans: Any, bundle: Any, k: int) -> Any:
    return Bundle([g if n == k else None for n in range(len(value_of(bundle).parts))])


PART = Operator("part", lambda bundle, k: bundle.parts[k], Custom(_part_jvp, _part_vjp), complex=True)


def part(bundle: Any, k: int) -> Any:
    """One result of a loop, from its node or the value of that."""
    value = value_of(bundle).parts[k]
    if not isinstance(bundle, Node):
        return value
    if isinstance(value, Stack):
        return value.of(_part(bundle, k, value.content)) if value.kind[1].kind in "fc" else value
    return _part(bundle, k, value) if value.dtype.kind in "fc" else value


def _part(bundle: Node, k: int, value: Any) -> Node:
    node = made(Tensor, value, PART, (bundle,))
    node._params = {"k": k}
    return node


def content(x: Any) -> Any:
    """The node or value that stands for x."""
    return x.content if isinstance(x, Stack) else x


def kind_of(x: Any) -> Type:
    """Shape and dtype; of a stack those of one element."""
    return x.kind if isinstance(x, Stack) else (x.shape, x.dtype)


def kind_of_slice(x: Any) -> Type:
    """Shape and dtype of one element along axis 0."""
    return x.kind if isinstance(x, Stack) else (x.shape[1:], x.dtype)


def kind_of_value(x: Node) -> Type:
    """Shape and dtype in which a cotangent of the node is carried."""
    return ((), np.dtype(float)) if type(x._value) is float else (x._value.shape, x._value.dtype)


def zero(kind: Type) -> Any:
    """A traced 0."""
    return recorder.trace.record(TABLE["broadcast_to"], (kind[1].type(0),), {"shape": kind[0]})


def like(c: Any, kind: Type) -> Any:
    """A tangent or cotangent (None: 0) in the dtype that a loop carries."""
    if c is None:
        return zero(kind)
    value = physical(value_of(c))
    if type(value) is float or (type(value) is Traced and value.weak):
        return TABLE["as_tensor"].apply((c,), {"dtype": kind[1]})
    return c if c.dtype == kind[1] else astype(c, kind[1])


def newer(*xs: Any) -> under:
    """The vmaps that these cotangents belong to: newer ones than those of the loop."""
    levels = {level for x in xs if type(x) in (Batched, Stack) for level in x.levels}
    return under(tuple(sorted(levels, key=lambda level: -level.number)))

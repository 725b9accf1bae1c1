"""Node: one quantity of a computation graph, and what made it.

A node keeps its value, the operator that produced it and the inputs of that operator, so the graph is there
as soon as the value is. An input was always made before its node: there are no cycles, the order of creation
is a topological order, and the last reference to an output frees all that only it needed.

Both faces of a node, `Scalar` and `Tensor`, share everything here. The operators are attached to it by
their rows (`operators.table`), ``backward`` by `adjoint`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import count
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .advice import ATTRIBUTES, STACKED, Elsewhere, advice, said_last, storing
from .source import Source, locate, user_frame

# One integer orders a node and tells where it was made: creation number · 2²⁰ + instruction offset.
# It spares each node a slot, an object, and the garbage collector a visit.
OFFSETS = 1 << 20
next_stamp = count(OFFSETS, OFFSETS).__next__


class Operand:
    """What operators apply to: nodes, and batches of them (`batched`). The rows attach their methods here."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def shape(self) -> tuple[int, ...]: ...

        @property
        def dtype(self) -> Any: ...

        @property
        def value(self) -> Any: ...

    def __delitem__(self, index: Any) -> NoReturn:
        raise TypeError(f"del x[i] of {describe(self)}: a node is a value that is never written: write x = np.delete(x, i)")

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in ATTRIBUTES]

    __hash__ = object.__hash__  # told apart by identity; == compares values

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            f"{describe(self)} can't become a plain array: its derivative would be lost without a word. "
            f"Write x.value for its numbers, ag.stack([x, y]) for an array of nodes, "
            f"and NumPy functions or ag's (np.exp(x), ag.exp(x)) to compute with it{advice()}"
        )

    def __index__(self) -> int:
        raise TypeError(f"{describe(self)} can't be an index: a derivative does not pass through one; use int(x.value)")

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise TypeError(
            f"{describe(self)} is a value and can't be written in place: write x = x.at[index].set(v), "
            f"x = x.at[index].add(v), or ag.where(mask, v, x)"
        )

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(f"{describe(self)} can't be pickled or copied: send its numbers, x.value, and make a new leaf")


for _name, _hint in ATTRIBUTES.items():
    setattr(Operand, _name, Elsewhere(_name, _hint))


class Shaped:
    """What follows from a shape."""

    __slots__ = ()

    @property
    def size(self) -> int:
        """How many elements it has."""
        shape: tuple[int, ...] = self.shape  # type: ignore[attr-defined]
        size = 1
        for n in shape:
            size *= n
        return size


class Node(Operand):
    """A quantity: its number(s), what it was computed from, and the derivative of an output with respect to it."""

    __slots__ = ("_code", "_first", "_grad", "_label", "_second", "_stamp", "_value", "op")

    # A node's inputs stand in two slots, as most operators have one or two; more stand in _first as a tuple.
    # A leaf keeps in _second the stamp of the last assignment to its value (None: never assigned).
    _value: Any
    op: Any  # a row of the table of operators, which stands above; None for a leaf
    _first: Any
    _second: Any
    _stamp: int
    _code: CodeType
    _grad: Any
    _label: str | None

    def __init_subclass__(cls) -> None:
        if Node not in cls.__bases__:
            name = cls.__bases__[0].__name__
            raise TypeError(f"{name} can't be subclassed, as the passes know two faces: keep a node in an attribute")

    def _set_leaf(self, value: Any, label: str | None, frame: FrameType | None = None) -> None:
        self._value = value
        self.op = self._first = self._second = None
        frame = frame or user_frame()
        self._code = frame.f_code
        self._stamp = next_stamp() + frame.f_lasti
        if label is not None:
            if not isinstance(label, str):
                raise TypeError(f"a label is a string, got {type(label).__name__}: label={label!r}")
            self._label = label

    # ------------------------------------------------------------------ what it is

    @property
    def value(self) -> Any:
        """Its number(s): a float, or a read-only array. On a leaf it may be set: ``W.value = new``."""
        value = self._value
        if isinstance(value, np.ndarray) and value.flags.writeable:
            value.flags.writeable = False  # a value is part of a graph: a write would falsify its derivatives
        return value

    @value.setter
    def value(self, new: Any) -> None:
        if self.op is not None:
            raise TypeError(
                f"the value of {describe(self)} is computed from its inputs; only the value of a leaf can be set"
            )
        self._value = self._leaf_value(new)
        self._second = next_stamp()

    @property
    def grad(self) -> Any:
        """The derivative of the last output on which ``backward()`` was called; None before."""
        try:
            grad = self._grad
        except AttributeError:
            return None
        if isinstance(grad, np.ndarray) and grad.flags.writeable:
            grad.flags.writeable = False  # neighbours may share it
        return grad

    @grad.setter
    def grad(self, new: Any) -> None:
        self._grad = new

    @property
    def label(self) -> str | None:
        """A name for drawing and explaining."""
        try:
            return self._label
        except AttributeError:
            return None

    @label.setter
    def label(self, name: str | None) -> None:
        self._label = name

    @property
    def inputs(self) -> tuple[Any, ...]:
        """What it was computed from, in order: nodes, and plain constants. Empty for a leaf."""
        if self.op is None:
            return ()
        first, second = self._first, self._second
        if type(first) is tuple:
            return first
        return (first,) if second is None else (first, second)

    @property
    def params(self) -> dict[str, Any]:
        """The static parameters of its operator (axes, shapes, ...)."""
        return {}

    @property
    def number(self) -> int:
        """Its place in the order of creation: greater than the number of every input."""
        return self._stamp // OFFSETS

    @property
    def source(self) -> Source | None:
        """The line of the program that made it."""
        return locate(self._code, self._stamp % OFFSETS)

    # ------------------------------------------------------------------ leaving the graph

    def detach(self) -> Any:
        """The same value as a new leaf: derivatives stop here."""
        leaf = type(self).__new__(type(self))
        leaf._set_leaf(self._value, self.label)
        return leaf

    def like(self, value: Any) -> Any:
        """A new leaf of the same face."""
        leaf = type(self).__new__(type(self))
        leaf._set_leaf(leaf._leaf_value(value), None)
        return leaf

    def item(self) -> Any:
        """The value of a one-element node as a Python number."""
        return plain(self, ".item()", lambda value: value.item() if hasattr(value, "item") else value)

    def __float__(self) -> float:
        return plain(self, "float(x)", float)

    def __int__(self) -> int:
        return plain(self, "int(x)", int)

    def __bool__(self) -> bool:
        return plain(self, "the truth of x", bool)

    def __complex__(self) -> complex:
        return plain(self, "complex(x)", complex)

    def __format__(self, specification: str) -> str:
        if not specification:
            return repr(self)
        if isinstance(self._value, np.ndarray):
            return np.array2string(self._value, separator=", ", formatter={"all": lambda x: format(x, specification)})
        return format(self._value, specification)

    def _repr_html_(self) -> str:
        from .explanation.notebook import node_html  # from above, as only a notebook asks

        return node_html(self)

    def _repr_latex_(self) -> str:
        from .explanation.notebook import node_latex

        return node_latex(self)

    def _leaf_value(self, new: Any) -> Any:
        """A given value as this face keeps it."""
        raise NotImplementedError


class Arraylike:
    """What the faces share whose value is NumPy's: the static parameters of their operator, and an array's shape."""

    __slots__ = ()
    _value: Any

    @property
    def params(self) -> dict[str, Any]:
        """The static parameters of its operator (axes, shapes, ...)."""
        return getattr(self, "_params", {})

    @property
    def shape(self) -> tuple[int, ...]:
        """Its lengths along each axis."""
        return self._value.shape

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return self._value.ndim

    @property
    def size(self) -> int:
        """How many elements it has."""
        return self._value.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its elements."""
        return self._value.dtype


def made(face: Any, value: Any, op: Any, inputs: Sequence[Any]) -> Any:
    """A new node of the given face, located at the user's line."""
    node = object.__new__(face)
    node._value = value
    node.op = op
    count = len(inputs)
    if count == 1:
        node._first, node._second = inputs[0], None
    elif count == 2:
        node._first, node._second = inputs
    else:
        node._first, node._second = tuple(inputs), None
    frame = user_frame()
    node._code = frame.f_code
    node._stamp = next_stamp() + frame.f_lasti
    return node


def relocate(results: Any, since: int, code: CodeType, offset: int) -> None:
    """Give every node behind ``results`` that was made after the stamp ``since`` the same place in the program."""
    stack = [x for x in (getattr(x, "physical", x) for x in results) if isinstance(x, Node)]
    seen = set()
    while stack:
        node = stack.pop()
        if node._stamp > since and node not in seen:
            seen.add(node)
            node._code = code
            node._stamp += offset - node._stamp % OFFSETS
            stack.extend(x for x in node.inputs if isinstance(x, Node))


def describe(x: Any) -> str:
    """A node or constant in an error message: its label or operator, its shape, and its line."""
    if not isinstance(x, Node):
        shape = getattr(x, "shape", None)
        return f"{type(x).__name__} of shape {shape}" if shape else repr(x)
    kind = type(x).__name__
    name = f" {x.label!r}" if x.label else ""
    shape = f" of shape {np.shape(x._value)}" if kind == "Tensor" else ""
    origin = f" made by {x.op.name}" if x.op is not None else ""
    source = x.source
    return f"{kind}{name}{shape}{origin}" + (f" ({source})" if source and origin else "")


# ---------------------------------------------------------------------- plain numbers inside a transform

def plain(node: Node, what: str, convert: Any) -> Any:
    """The value as a Python number, unless a running transform would lose its derivative by it."""
    inside = cut(node)
    if inside or storing():
        how = (
            f"keep the node and use ag's functions (ag.sin(x), not math.sin(x); x > 0, not bool(x)){advice()}"
            if inside and not storing()
            else STACKED
        )
        raise TypeError(
            f"{what} of {describe(node)} {'inside a transform' if inside else 'stored in a plain array'} would cut its "
            f"gradient: {how}; write ag.stop_gradient(x) or x.value if that is meant"
        )
    value = node._value
    if np.size(value) != 1:
        raise TypeError(f"{what} needs one element, got {describe(node)}: index it or reduce it first")
    return convert(value)


class _Running(threading.local):
    """The leaves of the transforms that are running in this thread, outermost first."""

    def __init__(self) -> None:
        self.leaves: list[list[Node]] = []


running = _Running()


class transforming:
    """While the body runs, plain numbers may not be taken from what depends on ``leaves``."""

    __slots__ = ("leaves",)

    def __init__(self, leaves: list[Node]) -> None:
        self.leaves = leaves

    def __enter__(self) -> None:
        running.leaves.append(self.leaves)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        running.leaves.pop()
        if kind is ValueError:
            said_last(error)


def cut(node: Node) -> bool:
    """Would turning ``node`` into a plain number cut the gradient of a transform that is running?"""
    leaves = {leaf for group in running.leaves for leaf in group}
    if not leaves:
        return False
    oldest = min(leaf._stamp for leaf in leaves)
    stack, seen = [node], {node}
    while stack:
        x = stack.pop()
        if x in leaves:
            return True
        for y in x.inputs:
            if isinstance(y, Node) and y._stamp >= oldest and y not in seen:
                seen.add(y)
                stack.append(y)
    return False

"""What goes into a transform and what comes out: fresh leaves in, plain numbers (or nodes) out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import numpy as np

from ..batched import Level, live
from ..capture import capture, numeric, ordinary, recorder
from ..node import Node, Operand, describe, next_stamp
from ..operators.batching import lowered, raised
from ..operators.rules import shape_of
from ..operators.table import TABLE
from ..reach import Reach
from ..scalar import Scalar
from ..source import user_frame
from ..tensor import Tensor
from ..traced import Traced
from .containers import ENDS, leaves, mapped, rebuilt

ArgNums = int | Sequence[int]


def function_of(f: Any, transform: str, usage: str = "") -> Callable[..., Any]:
    """``f`` itself, if it can be called. ``usage`` is a call as it is meant, if that is not transform(f)(x)."""
    if not callable(f):
        what = describe(f) if isinstance(f, Node) else f"{type(f).__name__}"
        raise TypeError(
            f"{transform} takes a function, got {what}: write {usage or f'{transform}(f)(x) with f a function of x'}"
        )
    return f


def checked_argnums(argnums: ArgNums, transform: str) -> None:
    """Raises TypeError unless they are integers: a point, say."""
    numbers = argnums if isinstance(argnums, (tuple, list, range)) else (argnums,)
    if not all(isinstance(n, (int, np.integer)) for n in numbers):
        given = repr(argnums) if isinstance(argnums, (str, float, complex, tuple, list, type(None))) else describe(argnums)
        raise TypeError(
            f"{transform}: argnums is an integer or several, the places of the arguments to differentiate, got {given}: to "
            f"differentiate at a point write {transform}(f)(x)"
        )


def chosen(argnums: ArgNums, args: tuple[Any, ...], transform: str) -> tuple[int, ...]:
    """The positions of the arguments to differentiate, checked and counted from 0."""
    if type(argnums) is int and 0 <= argnums < len(args):
        return (argnums,)
    numbers = tuple(argnums) if isinstance(argnums, (tuple, list, range)) else (argnums,)
    for n in numbers:
        if not -len(args) <= n < len(args):
            raise ValueError(
                f"{transform}: argnums={argnums} names argument {n}; the function was called with "
                f"{len(args)} positional argument{'s' if len(args) != 1 else ''}"
            )
    places = tuple(n % len(args) for n in numbers)
    if len(set(places)) < len(places):
        raise ValueError(f"{transform}: argnums={argnums} names an argument twice: name each once")
    return places


def fresh(x: Any, transform: str, n: int, frame: FrameType, levels: tuple[Level, ...] = ()) -> Node:
    """A new leaf with the value of x. Of a node: a new node upon it, so that an outer transform sees through.

    Under vmap it is one leaf for all examples: they do not meet, so the derivative of each stands in its place. A complex
    number of Python is one of NumPy's, as it has no face of its own."""
    if type(x) is complex:
        x = np.complex128(x)
    elif type(x) is Traced and x.weak and x.dtype.kind == "c":
        x = TABLE["astype"].apply((x,), {"dtype": x.dtype})
    if levels:
        _check_float(x if isinstance(x, Operand) else np.asarray(x), x, transform, n)
        x = lowered(x, levels)
    if type(x) is np.ndarray and x.dtype.kind in "fc":
        leaf = object.__new__(Tensor)
        leaf._set_leaf(capture(x), None, frame)
        return leaf
    if type(x) is Traced:
        _check_float(x, x, transform, n)
        leaf = object.__new__(Tensor)
        leaf._set_leaf(x, None, frame)
        return leaf
    if isinstance(x, Node):
        if type(x._value) is not float:
            _check_float(x, x, transform, n)
        return TABLE["argument"].apply((x,), {})
    if type(x) is float:
        return Scalar(x)
    if (isinstance(x, np.ndarray) and type(x) in (np.ndarray, np.memmap)) or isinstance(x, np.generic):
        _check_float(numeric(x), x, transform, n)
        return Tensor(x)
    raise _not_float(ordinary(x, f"{transform}: argument {n}: "), transform, n)


def _check_float(array: Any, x: Any, transform: str, n: int) -> None:
    if getattr(array, "dtype", np.dtype(float)).kind not in "fc":
        raise _not_float(x, transform, n)


def _not_float(x: Any, transform: str, n: int) -> TypeError:
    """What to say of an argument that has no derivative."""
    if isinstance(x, (bool, int)):
        given = f"the integer {x}"
    elif isinstance(x, (Operand, np.ndarray, np.generic)) and x.dtype.kind not in "fc":
        given = f"{'a node' if isinstance(x, Operand) else 'an array'} of dtype {x.dtype}"
    else:
        return TypeError(
            f"{transform}: argument {n} holds {describe(x) if isinstance(x, Operand) else type(x).__name__}; derivatives are "
            f"taken with respect to floats and float arrays, nested in tuples, lists, dicts or dataclasses"
        )
    return TypeError(
        f"{transform}: argument {n} is {given}, and only floats have derivatives: "
        f"write x.astype(float) for an array, 3.0 for 3"
    )


class Fresh:
    """The arguments of one call with the chosen ones made of fresh leaves.

    Under vmap the function sees them as batched; the leaves, the outputs and the passes between them see all examples,
    with the hidden axes in front as ordinary ones."""

    def __init__(self, args: tuple[Any, ...], argnums: ArgNums, transform: str, places: Sequence[int] | None = None) -> None:
        """``places``: where the user's function has these arguments, if it has more."""
        self.numbers = chosen(argnums, args, transform)
        self.single = isinstance(argnums, (int, np.integer))
        self.chosen = [args[n] for n in self.numbers]
        self.nodes: list[Node] = []  # the fresh leaves
        self.args = list(args)
        self.levels = levels = live.levels
        self.floor = next_stamp()  # what is older was made before the leaves
        frame = user_frame()
        for n in self.numbers:
            x = args[n]
            place = n if places is None else places[n]
            if type(x) in ENDS:
                leaf = fresh(x, transform, place, frame, levels)
                self.nodes.append(leaf)
                self.args[n] = raised(leaf, levels) if levels else leaf
            elif all(x is None for x in self.chosen):
                raise TypeError(f"{transform}: argument {place} is None, and has no derivative: give a float or a float array")
            else:
                new = [fresh(leaf, transform, place, frame, levels) for leaf in leaves(x)]
                self.nodes += new
                self.args[n] = rebuilt(x, [raised(leaf, levels) for leaf in new])

    def outputs(self, result: Any) -> list[Any]:
        """The ends of what the function returned."""
        return [lowered(y, self.levels) for y in leaves(result)]

    def reach(self, outputs: list[Any], captured: Sequence[Node] = ()) -> Reach:
        """What lies between outputs of the function and the fresh leaves (and nodes that it captured)."""
        reach = Reach([y for y in outputs if isinstance(y, Node)], self.floor)
        if reach.older:
            reach.towards([*self.nodes, *captured])
        return reach

    def like(self, results: list[Any]) -> Any:
        """Results, one for each leaf, in the shape of the arguments."""
        if self.levels:
            results = [raised(c, self.levels) for c in results]
        if all(type(tree) in ENDS for tree in self.chosen):
            return results[0] if self.single else tuple(results)
        rest = iter(results)
        parts = tuple(rebuilt(tree, [next(rest) for _ in leaves(tree)]) for tree in self.chosen)
        return parts[0] if self.single else parts


def said_of_lists(error: Exception, args: Sequence[Any], transform: str) -> None:
    """Of an error that f raised: it may be that a list of numbers was given to it where an array is meant."""
    for x in args:
        if type(x) in (list, tuple) and x and all(isinstance(part, (int, float, Operand)) and not shape_of(part) for part in x):
            kind = type(x).__name__
            if any(word in str(error) for word in (kind, "sequence", "plain array")):
                error.add_note(
                    f"The argument is a {kind}, which {transform} takes for a container of {len(x)} numbers: give np.array(x) "
                    f"where an array is meant"
                )
                return


def split(result: Any, has_aux: bool, transform: str) -> tuple[Any, Any]:
    """The output of a function and its auxiliary data."""
    if has_aux:
        if not (isinstance(result, tuple) and len(result) == 2):
            raise TypeError(
                f"{transform} with has_aux=True needs a function that returns (output, auxiliary data), "
                f"got {type(result).__name__}"
            )
        return result
    return result, ()


def nothing(transform: str) -> TypeError:
    """What to say of a function that returned None."""
    return TypeError(f"{transform}: the function returned None: does it end in a return?")


def number(y: Any, transform: str) -> None:
    """The output must be one number: a node or a plain one."""
    if type(y) is Scalar or (type(y) is Tensor and y._value.shape == ()):
        return
    if isinstance(y, (tuple, list, dict)):
        raise TypeError(
            f"{transform} needs a function with one scalar output, got a {type(y).__name__}: "
            f"return one of them, or (output, rest) with has_aux=True"
        )
    if y is None:
        raise nothing(transform)
    if not isinstance(y, Operand) and np.asarray(y).dtype.kind not in "fiub":
        raise TypeError(f"{transform} needs a function with one scalar output, got {describe(y)}")
    if shape_of(y) != ():
        raise TypeError(
            f"{transform} needs a scalar output, got {describe(y)}: reduce it, for example with .sum(), "
            f"or use ag.vjp with a cotangent"
        )


def plain(y: Any) -> Any:
    """Nodes as their numbers, read-only arrays as their own: what leaves a transform that records nothing."""
    return y.value if isinstance(y, Operand) else y


def released(aux: Any, arguments: Fresh) -> Any:
    """Auxiliary data, plain unless it depends on nodes that are older than the leaves."""
    return aux if arguments.reach(arguments.outputs(aux)).older else mapped(plain, aux)


def owned(results: list[Any], given: list[Any]) -> list[Any]:
    """The results as arrays that can be written: copies of those that share memory with another, or with the given."""
    taken = {id(x) for x in given}
    results = list(results)
    for i, c in enumerate(results):
        if isinstance(c, np.ndarray):
            if recorder.trace is not None and c.size > 1 and not any(c.strides):
                continue  # one number repeated: recorded as that, and written out by the program
            owner = c if c.base is None else c.base
            if id(owner) in taken or not c.flags.writeable or c.base is not None:
                results[i] = c.copy()
            taken.add(id(owner))
    return results

"""What tells one call of a compiled function from another: containers, shapes, dtypes and static values."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..capture import ordinary
from ..node import Operand
from ..transforms.containers import attributes, fields
from ..transforms.opaque import name_of

NUMBERS = {float: np.dtype(np.float64), int: np.dtype(np.int64), bool: np.dtype(np.bool_), complex: np.dtype(np.complex128)}
STATIC = "static"  # of a value that is a part of the key: another value is another program
WIDEST = 2**31  # from here on whether NumPy takes an integer depends on what it meets, so that it is a constant of the program


def is_end(x: Any) -> bool:
    """Is it an argument of the program?"""
    kind = type(x)
    if kind is int:
        return -WIDEST <= x < WIDEST
    return kind in NUMBERS or isinstance(x, (np.ndarray, np.generic))


def form(tree: Any, ends: list[Any]) -> Any:
    """A hashable description of a container; its arrays and numbers are appended to ``ends``."""
    kind = type(tree)
    if kind is np.ndarray or kind is np.memmap:
        if tree.dtype.kind not in "fiubc":
            raise TypeError(f"ag.jit takes arrays of numbers, got one of dtype {tree.dtype}: name the argument in static_argnums")
        ends.append(tree)
        return tree.shape, tree.dtype
    if kind in NUMBERS:
        if kind is int and not is_end(tree):
            return STATIC, tree
        ends.append(tree)
        return kind
    if isinstance(tree, np.generic) and tree.dtype.kind in "fiubc":
        ends.append(tree)
        return (), tree.dtype, "number"
    if isinstance(tree, Operand):
        ends.append(tree)
        return Operand
    if isinstance(tree, (tuple, list)):
        kinds = set(map(type, tree))
        if len(kinds) == 1 and kinds <= NUMBERS.keys() and (int not in kinds or all(map(is_end, tree))):
            ends += tree
            return kind, kinds.pop(), len(tree), *_attributes(tree)
        return kind, tuple([form(x, ends) for x in tree]), *_attributes(tree)
    if isinstance(tree, dict):
        return kind, tuple([(key, form(x, ends)) for key, x in tree.items()]), *_attributes(tree)
    if hasattr(kind, "__dataclass_fields__"):
        return kind, tuple([form(getattr(tree, name, None), ends) for name in fields(kind)]), *_attributes(tree)
    if isinstance(tree, np.ndarray):
        ordinary(tree, "ag.jit: ")
    try:
        hash(tree)
    except TypeError:
        raise TypeError(
            f"ag.jit takes numbers, arrays, containers of them, and values that can be compared and hashed, got {kind.__name__}"
        ) from None
    return STATIC, tree


def _attributes(tree: Any) -> list[Any]:
    """What a container has besides its parts is found by f as it is while f is recorded: other values are another program."""
    if type(tree) in (tuple, list, dict):
        return []
    return [(name, type(x), x if _is_hashable(x) else _Itself(x)) for name, x in attributes(tree).items()]


def _is_hashable(x: Any) -> bool:
    try:
        hash(x)
    except TypeError:
        return False
    return True


class _Itself:
    """An object as a key: no other is equal."""

    __slots__ = ("of",)

    def __init__(self, of: Any) -> None:
        self.of = of

    def __hash__(self) -> int:
        return id(self.of)

    def __eq__(self, other: object) -> bool:
        return type(other) is _Itself and other.of is self.of


def chosen(f: Callable[..., Any], static: Any, names: Any, donated: Any) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The static arguments by their places and by their names, whichever was given, if f has these and the donated ones."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # a function of C that does not tell
        return static, names
    kinds, known = {p.kind for p in parameters}, [p.name for p in parameters]
    positional = [p for p in parameters if p.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    count = len(positional)
    places = range(-count, count), int, inspect.Parameter.VAR_POSITIONAL
    for option, given, (there, kind, more) in (
        ("static_argnums", static, places), ("donate_argnums", donated, places),
        ("static_argnames", names, (known, str, inspect.Parameter.VAR_KEYWORD)),
    ):
        for one in given:
            if one not in there and not (isinstance(one, kind) and more in kinds):
                raise ValueError(f"ag.jit: {option}={one!r} is none of the arguments {', '.join(known)} of {name_of(f, 'f')}")
    if {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL} & kinds:
        return static, names  # there a place has no name
    placed = [p.name for p in positional]
    numbers = [n % count for n in static] + [placed.index(name) for name in names if name in placed]
    return tuple(dict.fromkeys(numbers)), tuple(dict.fromkeys([*names, *[placed[n] for n in numbers]]))


def several(given: Any) -> tuple[Any, ...]:
    """A number or name as several."""
    return (given,) if isinstance(given, (int, str)) else tuple(given)


def told_apart(x: Any) -> Any:
    """A static value as a key: 1, 1.0 and True are three, and so are 0.0 and -0.0 two."""
    if isinstance(x, (tuple, frozenset)):
        parts = map(told_apart, x)
        return type(x), tuple(parts) if isinstance(x, tuple) else frozenset(parts)
    return type(x), repr(x) if isinstance(x, (float, complex, np.inexact)) else x

"""What tells one call of a compiled function from another: containers, shapes, dtypes, static values, and what f refers to."""

from __future__ import annotations

from types import FunctionType
from typing import Any

import numpy as np

from ..node import Operand
from ..source import PACKAGE
from ..transforms.containers import attributes, fields

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
        raise TypeError(f"ag.jit takes plain NumPy arrays, got {kind.__name__}: pass np.asarray(x)")
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


class Watched:
    """The numbers and arrays that a function refers to by name (globals and variables of enclosing functions).

    They are constants of the program, so when such a name is bound to something else the function has to be recorded again.
    """

    def __init__(self, f: Any) -> None:
        self.entries: list[tuple[Any, Any, Any]] = []
        self.numbers: list[tuple[str, Any]] = []  # by the names that the user's own functions have for them
        self._walk(f, set())

    def _walk(self, f: Any, seen: set[int]) -> None:
        while not isinstance(f, FunctionType):
            f = getattr(f, "__wrapped__", None) or getattr(f, "__func__", None) or getattr(f, "func", None)
            if f is None:
                return
        if id(f) in seen or len(seen) > 100:
            return
        seen.add(id(f))
        is_own = f.__code__.co_filename.startswith(PACKAGE)
        homes: list[tuple[Any, str]] = list(zip(f.__closure__ or (), f.__code__.co_freevars, strict=True))
        if not is_own:
            homes += [(f.__globals__, name) for name in _names(f.__code__) if name in f.__globals__]
        for home, name in homes:
            try:
                value = home[name] if type(home) is dict else home.cell_contents
            except ValueError:  # a variable that has no value yet
                value = None
            if _is_plain(value):
                self.entries.append((home, name, value))
            elif callable(value) and not isinstance(value, type):
                self._walk(value, seen)
            if not is_own and isinstance(value, (int, float, complex, np.generic)):
                self.numbers.append((name, value))

    def changed(self) -> str | None:
        """The name that is bound to something else; None if there is none."""
        for home, name, value in self.entries:
            if type(home) is dict:
                current = home.get(name)
            else:
                try:
                    current = home.cell_contents
                except ValueError:
                    current = None
            if current is not value and not (type(current) is type(value) and _is_number(value) and current == value):
                return name
        return None


def _names(code: Any) -> set[str]:
    """The global names of a function, and of those that are defined in it."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            names |= _names(constant)
    return names


def _is_number(x: Any) -> bool:
    return isinstance(x, (bool, int, float, complex, str, np.generic))


def _is_plain(x: Any) -> bool:
    return x is None or _is_number(x) or isinstance(x, np.ndarray) or (isinstance(x, tuple) and all(map(_is_number, x)))

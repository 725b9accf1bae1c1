"""What a compiled function refers to besides its arguments: other functions, numbers and arrays, by their names."""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from ..source import PACKAGE

CALL = "__call__"
WRAPPED = "__wrapped__", "__func__", "func", "fget"  # where a callable has the function that it was made of
MOST = 1000  # functions are followed
LIBRARIES = {"builtins", "numpy", "scipy", *sys.stdlib_module_names} - {"__main__"}


class Watched:
    """What a function refers to by name: globals, variables of enclosing functions, and those of the functions that it calls.

    It is a part of the program, so when such a name is bound to something else the function has to be recorded again.
    """

    def __init__(self, f: Any) -> None:
        self.entries: list[tuple[Any, Any, Any]] = []
        self.numbers: list[tuple[str, Any]] = []  # by the names that the user's own functions have for them
        self._seen: set[int] = set()
        self._walk(f, None)

    def _walk(self, f: Any, owner: Any) -> None:
        """The names of a function; ``owner``: the object or class that it is a method of."""
        while not isinstance(f, FunctionType):
            owner = getattr(f, "__self__", owner)
            inner = next(filter(None, (getattr(f, name, None) for name in WRAPPED)), None)
            if inner is None and isinstance(getattr(type(f), CALL, None), FunctionType):
                inner, owner = getattr(type(f), CALL), f
            if inner is None:
                return
            f = inner
        if id(f) in self._seen or len(self._seen) > MOST or _is_of_a_library(f.__module__):
            return
        self._seen.add(id(f))
        cells = zip(f.__closure__ or (), f.__code__.co_freevars, strict=True)
        if f.__code__.co_filename.startswith(PACKAGE):  # whose variables nobody binds anew
            for cell, _ in cells:
                self._walk(_bound(cell, ""), None)
            return
        names = _names(f.__code__)
        for home, name in (*cells, *((f.__globals__, name) for name in names if name in f.__globals__)):
            value = _bound(home, name)
            if isinstance(value, ModuleType):
                if not _is_of_a_library(value.__name__):
                    for inner in names & vars(value).keys():
                        self._watch(vars(value), inner, names)
            else:
                self._watch(home, name, names)
        for default in (*(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values()):
            self._walk(default, None)
        self._walk_members(owner, names)

    def _watch(self, home: Any, name: str, names: set[str]) -> None:
        """A name, and the functions among ``names`` that belong to what it is bound to."""
        value = _bound(home, name)
        self.entries.append((home, name, value))
        if isinstance(value, (int, float, complex, np.generic)):
            self.numbers.append((name, value))
        elif not isinstance(value, (np.ndarray, type)):
            self._walk(value, None)
        self._walk_members(value, names)

    def _walk_members(self, owner: Any, names: set[str]) -> None:
        kind = owner if isinstance(owner, type) else type(owner)
        for base in kind.__mro__:
            if not _is_of_a_library(base.__module__):
                for name in names & vars(base).keys():
                    self._walk(vars(base)[name], owner)

    def changed(self) -> str | None:
        """The name that is bound to something else; None if there is none."""
        for home, name, value in self.entries:
            current = home.get(name) if type(home) is dict else _bound(home, name)
            if current is not value and not _is_same_number(current, value):
                return name
        return None


def _is_of_a_library(module: str | None) -> bool:
    """Does the module belong to what nobody changes while a program runs?"""
    return (module or "").partition(".")[0] in LIBRARIES


def _bound(home: Any, name: str) -> Any:
    """What a name is bound to: in a dictionary of globals, or as a cell of a closure."""
    if type(home) is dict:
        return home.get(name)
    try:
        return home.cell_contents
    except ValueError:  # a variable that has no value yet
        return None


def _names(code: Any) -> set[str]:
    """The global names of a function, and of those that are defined in it."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            names |= _names(constant)
    return names


def _is_same_number(x: Any, y: Any) -> bool:
    """Are they one number, or one text? 0.0 and -0.0 are two."""
    return type(x) is type(y) and isinstance(x, (bool, int, float, complex, str, np.generic)) and repr(x) == repr(y)

"""What a compiled function refers to besides its arguments: other functions, numbers and arrays, by their names."""

from __future__ import annotations

import dis
import functools
import itertools
import sys
from collections.abc import Iterable
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..node import Node
from ..source import PACKAGE

CALL = "__call__"
WRAPPED = "__wrapped__", "__func__", "func", "fget"  # where a callable has the function that it was made of
MAKERS = MethodType, functools.partial, staticmethod, classmethod, property  # what is followed besides objects
GLOBALS = {"LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL"}  # the instructions whose names are those of globals
MOST = 1000  # functions are followed
LIBRARIES = {"builtins", "numpy", "scipy", *sys.stdlib_module_names} - {"__main__"}


class Watched:
    """What a function refers to by name: globals, variables of enclosing functions, and those of the functions that it calls.

    It is a part of the program, so when such a name is bound to something else the function has to be recorded again.
    ``given``: what it was given, among which there may be functions.
    """

    def __init__(self, f: Any, given: Iterable[Any] = ()) -> None:
        self.entries: list[tuple[Any, Any, Any]] = []
        self.numbers: list[tuple[str, Any]] = []  # by the names that the user's own functions have for them
        self._followed: set[int] = set()  # functions, by identity
        self._known: set[tuple[int, str]] = set()  # names, by where they stand
        for one in (f, *given):
            self._walk(one, None)

    def _walk(self, f: Any, owner: Any) -> None:
        """The names of a function; ``owner``: the object or class that it is a method of."""
        if isinstance(f, functools.partial):
            for x in (*f.args, *f.keywords.values()):
                self._walk(x, None)
        f, owner = _function(f, owner)
        if f is None or id(f) in self._followed or len(self._followed) > MOST or _is_of_a_library(f.__module__):
            return
        self._followed.add(id(f))
        cells = list(zip(f.__closure__ or (), f.__code__.co_freevars, strict=True))
        if f.__code__.co_filename.startswith(PACKAGE):  # whose variables nobody binds anew
            for cell, _ in cells:
                self._walk(_bound(cell, ""), None)
            return
        globals_of, members = _names(f.__code__)
        for home, name in (*cells, *((f.__globals__, name) for name in globals_of if name in f.__globals__)):
            value = _bound(home, name)
            if isinstance(value, ModuleType):
                if not _is_of_a_library(value.__name__):
                    for inner in members & vars(value).keys():
                        self._watch(vars(value), inner, members)
            else:
                self._watch(home, name, members)
        for default in (*(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values()):
            self._walk(default, None)
        self._walk_members(owner, members)

    def _watch(self, home: Any, name: str, members: set[str]) -> None:
        """A name, and the functions among ``members`` that belong to what it is bound to."""
        key = id(home), name
        if key in self._known:
            return
        self._known.add(key)
        value = _bound(home, name)
        self.entries.append((home, name, value))
        if isinstance(value, Node):
            self.entries.append((value, name, value._value))  # which may be set
        elif isinstance(value, (int, float, complex, np.generic)):
            self.numbers.append((name, value))
        elif type(value) in (list, tuple, dict):
            for x in itertools.islice(value.values() if type(value) is dict else value, MOST):
                if callable(x):
                    self._walk(x, None)
        elif not isinstance(value, np.ndarray):
            if not isinstance(value, type):
                self._walk(value, None)
            self._walk_members(value, members)

    def _walk_members(self, owner: Any, members: set[str]) -> None:
        """The functions of these names that an object or a class has; nothing of it is run."""
        if owner is None:
            return
        kind = owner if isinstance(owner, type) else type(owner)
        own = [] if isinstance(owner, type) else [_attributes(owner)]
        for names in (*own, *(vars(base) for base in kind.__mro__ if not _is_of_a_library(base.__module__))):
            for name in members & names.keys():
                self._walk(names[name], owner)

    def changed(self) -> str | None:
        """The name that is bound to something else; None if there is none."""
        for home, name, value in self.entries:
            current = home.get(name) if type(home) is dict else _bound(home, name)
            if current is not value and not _is_same_number(current, value):
                return name
        return None


def _function(f: Any, owner: Any) -> tuple[Any, Any]:
    """The function that something callable was made of, and the object that it is a method of; None if there is none."""
    for _ in range(MOST):
        if f is None or isinstance(f, FunctionType):
            return f, owner
        if isinstance(f, MAKERS):
            owner = getattr(f, "__self__", owner)
            f = next((inner for name in WRAPPED if (inner := getattr(f, name, None)) is not None), None)
            continue
        wrapped = _attributes(f).get("__wrapped__")
        if wrapped is None and isinstance(getattr(type(f), CALL, None), FunctionType):
            wrapped, owner = getattr(type(f), CALL), f
        f = wrapped
    return None, None


def _attributes(x: Any) -> dict[str, Any]:
    """The attributes of an object, without asking the object."""
    try:
        found = object.__getattribute__(x, "__dict__")
    except AttributeError:
        return {}
    return found if type(found) is dict else {}


def _is_of_a_library(module: str | None) -> bool:
    """Does the module belong to what nobody changes while a program runs?"""
    return (module or "").partition(".")[0] in LIBRARIES


def _bound(home: Any, name: str) -> Any:
    """What a name is bound to: in a dictionary of globals, or as a cell of a closure; of a node its value."""
    if type(home) is dict:
        return home.get(name)
    if isinstance(home, Node):
        return home._value
    try:
        return home.cell_contents
    except ValueError:  # a variable that has no value yet
        return None


def _names(code: Any) -> tuple[set[str], set[str]]:
    """The names of the globals that a function reads, and of what it reads of objects; also of functions defined in it."""
    found: set[str] = {i.argval for i in dis.get_instructions(code) if i.opname in GLOBALS}
    members = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner, more = _names(constant)
            found, members = found | inner, members | more
    return found, members


def _is_same_number(x: Any, y: Any) -> bool:
    """Are they one number, or one text? 0.0 and -0.0 are two."""
    if type(x) is not type(y) or not isinstance(x, (bool, int, float, complex, str, np.generic)):
        return False
    return x == y if isinstance(x, (int, str)) else repr(x) == repr(y)

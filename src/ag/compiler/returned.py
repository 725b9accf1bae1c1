"""What a compiled function may return: arrays, numbers, containers of them, and objects that hold nothing of the recording."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from ..node import Node
from ..traced import Traced
from ..transforms.containers import leaves

RUNNING = (Iterator, AsyncIterator, Awaitable)  # what computes later, or once
PLAIN = frozenset((float, str, type(None)))
MOST = 10_000  # objects that are looked at


def refuse_kept(result: Any) -> None:
    """Raises TypeError if something of the recording is left in a result whose arrays and numbers were taken out."""
    for y in (*leaves(result), result):
        if isinstance(y, RUNNING):
            raise TypeError(
                f"ag.jit: the function returns a {type(y).__name__}, which computes when it is asked, after the recording has "
                f"ended: return its elements, in a list or by np.stack"
            )
        path = None if type(y) in PLAIN else _path_to_traced(y)
        if path is not None:
            raise TypeError(
                f"ag.jit: the function returns a {type(y).__name__} that holds a recorded value ({path}), in a place where no "
                f"result can be put: return arrays, numbers, and tuples, lists, dictionaries (as values, not as keys), named "
                f"tuples and dataclasses of them"
            )


def _path_to_traced(result: Any) -> str | None:
    """Where in an object a traced value is, as an expression; None if there is none."""
    seen: set[int] = set()
    rest: list[tuple[Any, str]] = [(result, "")]
    while rest and len(seen) < MOST:
        x, path = rest.pop()
        if type(x) is Traced or (isinstance(x, Node) and type(x._value) is Traced):
            return path.lstrip(". ")
        if id(x) not in seen:
            seen.add(id(x))
            rest += [(part, path + step) for part, step in _parts(x)]
    return None


def _parts(x: Any) -> list[tuple[Any, str]]:
    """What an object refers to, each with the step that leads there."""
    if isinstance(x, (type, ModuleType, CodeType, str, bytes, int, float, complex)):
        return []
    if isinstance(x, FunctionType):
        names = x.__code__.co_freevars
        cells = [(cell, name) for cell, name in zip(x.__closure__ or (), names, strict=True) if _is_filled(cell)]
        return [(cell.cell_contents, f"its variable {name}") for cell, name in cells]
    if isinstance(x, MethodType):
        return [(x.__self__, ".__self__")]
    if isinstance(x, functools.partial):
        return [(y, " an argument of it") for y in (x.func, *x.args, *x.keywords.values())]
    found: list[tuple[Any, str]] = []
    if isinstance(x, dict):
        found += [(key, " a key") for key in x] + [(y, f"[{key!r}]") for key, y in x.items()]
    elif isinstance(x, (set, frozenset)):
        found += [(y, " an element") for y in x]
    elif isinstance(x, (list, tuple)):
        found += [(y, f"[{i}]") for i, y in enumerate(x)]
    state = object.__getstate__(x)
    for attributes in state if type(state) is tuple else (state,):
        if attributes:
            found += [(y, f".{name}") for name, y in attributes.items()]
    return found


def _is_filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True

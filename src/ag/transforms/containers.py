"""Nested arguments: tuples, lists, dictionaries, named tuples and dataclasses, and the arrays at their ends.

A container is built again without a call of its class, which could compute, check or count: its parts are set, nothing else runs.
"""

from __future__ import annotations

import functools
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from types import BuiltinMethodType
from typing import Any

import numpy as np

from ..batched import Batched
from ..node import Operand
from ..operators.operands import shape_of
from ..scalar import Scalar
from ..tensor import Tensor
from ..traced import Traced

ENDS = frozenset((np.ndarray, float, Scalar, Tensor, Batched, Traced))  # what is no container, known at once


def leaves(tree: Any, like: Any = None) -> list[Any]:
    """All that is no container, in order; None counts as none.

    Dictionaries are in the order of their keys' insertion, or in that of ``like``, a container of the same shape."""
    if like is not None:
        tree = _ordered(tree, like)
    if type(tree) in ENDS:
        return [tree]
    if isinstance(tree, (tuple, list)):
        return [x for part in tree for x in leaves(part)]
    if isinstance(tree, dict):
        return [x for part in tree.values() for x in leaves(part)]
    if _is_dataclass(tree):
        return [x for name in fields(type(tree)) for x in leaves(getattr(tree, name, None))]
    return [] if tree is None else [tree]


def rebuilt(tree: Any, new: Iterable[Any]) -> Any:
    """A container of the same shape with ``new`` in place of its leaves."""
    return _build(tree, iter(new))


def _build(part: Any, rest: Iterator[Any]) -> Any:
    kind = type(part)
    if kind in ENDS:
        return next(rest)
    if kind is tuple or kind is list:
        return kind([_build(x, rest) for x in part])
    if isinstance(part, tuple):
        return _with_attributes(_empty(kind, [_build(x, rest) for x in part]), part)
    if isinstance(part, list):
        items = _with_attributes(_empty(kind), part)
        list.extend(items, [_build(x, rest) for x in part])
        return items
    if isinstance(part, dict):
        values = {key: _build(x, rest) for key, x in part.items()}
        if kind is dict:
            return values
        result = _with_attributes(_empty(kind), part)
        if isinstance(part, defaultdict):
            result.default_factory = part.default_factory
        store = OrderedDict.__setitem__ if isinstance(part, OrderedDict) else dict.__setitem__
        for key, value in values.items():
            store(result, key, value)
        return result
    if _is_dataclass(part):
        result = _with_attributes(_empty(kind), part)
        for name in fields(kind):
            value = getattr(part, name, None)
            if value is not None:
                object.__setattr__(result, name, _build(value, rest))  # also of a frozen one
        return result
    return None if part is None else next(rest)


def _empty(kind: Any, *parts: Any) -> Any:
    """A new object of this class: made by the first ``__new__`` among its bases that is not written in Python."""
    new = next(c.__dict__["__new__"] for c in kind.__mro__ if type(c.__dict__.get("__new__")) is BuiltinMethodType)
    try:
        return new(kind, *parts)
    except TypeError as error:
        raise TypeError(
            f"a container of the class {kind.__qualname__} can't be built again with other parts ({error}): pass its parts in a "
            f"tuple, a dictionary or a dataclass"
        ) from None


def _with_attributes(new: Any, part: Any) -> Any:
    """A new object with the attributes that an object has besides its parts."""
    for name, value in attributes(part).items():
        object.__setattr__(new, name, value)
    return new


def attributes(tree: Any) -> dict[str, Any]:
    """What a container has besides its parts, without what a cached property has kept: that follows from the parts.

    Raises TypeError for an attribute that could be differentiated: a function would find its old numbers beside the new parts.
    """
    state = object.__getstate__(tree)
    if state is None:
        return {}
    plain, in_slots = state if type(state) is tuple else (state, None)
    kind = type(tree)
    parts = fields(kind) if _is_dataclass(tree) else ()
    own = {
        name: value for name, value in {**(plain or {}), **(in_slots or {})}.items()
        if name not in parts and not isinstance(getattr(kind, name, None), functools.cached_property)
    }
    for name, value in own.items():
        if any(_is_float(x) for x in leaves(value)):
            raise TypeError(
                f"{kind.__qualname__}.{name} holds {_named(value)} and is no part of the {kind.__name__} as a container, so no "
                f"transform would see it: " + (
                    f"declare it as a field, {name}: object = dataclasses.field(init=False), or compute it where it is used, "
                    f"in a property" if _is_dataclass(tree) else "pass it as an argument, or make the class a dataclass"
                )
            )
    return own


def _is_float(x: Any) -> bool:
    if isinstance(x, (float, complex, np.inexact)):
        return True
    return type(x) in ENDS and getattr(getattr(x, "dtype", None), "kind", "f") in "fc"


def _named(x: Any) -> str:
    return f"the number {x}" if isinstance(x, (float, np.generic)) else f"a {type(x).__name__}"


def _names_of_fields(kind: Any) -> tuple[str, ...]:
    import dataclasses  # here, as it is slow to import and few need it

    return tuple(field.name for field in dataclasses.fields(kind))


# The names of the fields of a dataclass: not of its class variables, nor of what only its ``__init__`` takes.
fields: Callable[[Any], tuple[str, ...]] = functools.lru_cache(1024)(_names_of_fields)


def replaced(leaves: Sequence[Any], places: Iterable[int], new: Iterable[Any]) -> list[Any]:
    """The leaves with ``new`` in these places."""
    result = list(leaves)
    for i, x in zip(places, new, strict=True):
        result[i] = x
    return result


def built_from(tree: Any, places: Sequence[int | None]) -> Callable[[list[Any]], Any]:
    """A function from a list of values to the container, with the value at ``places[i]`` as its leaf i (None: the leaf itself).

    It is made once where the same container is built many times; long lists of neighbours in the values are cut out at once.
    """
    part = _part(tree, iter(zip(places, leaves(tree), strict=True)))
    return part if callable(part) else lambda values: values[part]


def _part(tree: Any, rest: Iterator[tuple[int | None, Any]]) -> Any:
    """The same for a part of the container: a function, or the place of a value."""
    kind = type(tree)
    if kind in (tuple, list):
        parts = [_part(x, rest) for x in tree]
        if parts and type(parts[0]) is int:
            first, end = parts[0], parts[0] + len(parts)
            if parts == list(range(first, end)):
                return (lambda values: tuple(values[first:end])) if kind is tuple else (lambda values: values[first:end])
        functions = [x if callable(x) else itemgetter(x) for x in parts]
        return lambda values: kind([f(values) for f in functions])
    found = [next(rest) for _ in leaves(tree)]
    if len(found) == 1 and found[0][1] is tree:
        place = found[0][0]
        return place if place is not None else lambda values: tree
    return lambda values: rebuilt(tree, [leaf if place is None else values[place] for place, leaf in found])


def _ordered(tree: Any, like: Any) -> Any:
    """The parts of a container, with the keys of dictionaries in the order of those in ``like``."""
    if type(like) in ENDS:
        return tree
    if isinstance(like, (tuple, list)):
        return [_ordered(x, y) for x, y in zip(tree, like, strict=True)]
    if isinstance(like, dict):
        return [_ordered(tree[key], y) for key, y in like.items()]
    if _is_dataclass(like):
        return [_ordered(getattr(tree, name, None), getattr(like, name, None)) for name in fields(type(like))]
    return tree


def _is_dataclass(x: Any) -> bool:
    return hasattr(type(x), "__dataclass_fields__")


def mapped(f: Callable[[Any], Any], tree: Any) -> Any:
    """The container with f applied to each leaf."""
    return rebuilt(tree, map(f, leaves(tree)))


def same_shape(a: Any, b: Any) -> bool:
    """Are two containers alike but for their leaves?"""
    hole = object()
    return _skeleton(a, hole) == _skeleton(b, hole)


def _skeleton(tree: Any, hole: object) -> Any:
    if isinstance(tree, (tuple, list)):
        return (type(tree), [_skeleton(x, hole) for x in tree])
    if isinstance(tree, dict):
        return (type(tree), {key: _skeleton(x, hole) for key, x in tree.items()})
    if _is_dataclass(tree):
        return (type(tree), [_skeleton(getattr(tree, name, None), hole) for name in fields(type(tree))])
    return None if tree is None else hole


def paths(tree: Any, name: str) -> list[str]:
    """For each leaf the expression that takes it out of the container called ``name``."""
    if isinstance(tree, dict):
        return [path for key, x in tree.items() for path in paths(x, f"{name}[{key!r}]")]
    if isinstance(tree, (tuple, list)) and not hasattr(tree, "_fields"):
        return [path for i, x in enumerate(tree) for path in paths(x, f"{name}[{i}]")]
    names = _fields(tree)
    if names is not None:
        return [path for field in names for path in paths(getattr(tree, field, None), f"{name}.{field}")]
    return [] if tree is None else [name]


def outline(tree: Any) -> str:
    """A container in an error message: · for each leaf."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key!r}: {outline(x)}" for key, x in tree.items()) + "}"
    names = _fields(tree)
    if names is not None:
        return f"{type(tree).__name__}({', '.join(f'{name}={outline(getattr(tree, name, None))}' for name in names)})"
    if isinstance(tree, (tuple, list)):
        parts = ", ".join(map(outline, tree))
        return f"[{parts}]" if isinstance(tree, list) else f"({parts},)" if len(tree) == 1 else f"({parts})"
    return "None" if tree is None else "·"


def shown(tree: Any) -> str:
    """A container, or the one array that stands in its place, in an error message."""
    text = outline(tree)
    if text != "·":
        return text
    if isinstance(tree, (Operand, np.ndarray, np.generic, bool, int, float, complex)):
        return f"one array of shape {shape_of(tree)}"
    return f"one {type(tree).__name__}"


def _fields(tree: Any) -> Iterable[str] | None:
    """The names of the parts of a named tuple or a dataclass."""
    if type(tree) in ENDS:
        return None
    if isinstance(tree, tuple):
        return getattr(tree, "_fields", None)
    return fields(type(tree)) if _is_dataclass(tree) else None


def prefixes(axes: Any, tree: Any, name: str) -> list[Any]:
    """For each leaf of a container its axis: one for all, or a container of the same shape as far as it goes."""
    if axes is None or isinstance(axes, (int, np.integer)):
        return [axes] * len(leaves(tree))
    if (type(axes) is tuple and type(tree) in (list, tuple)) or type(axes) is type(tree):
        if isinstance(tree, (tuple, list)) and len(axes) == len(tree):
            return [a for x, part in zip(axes, tree, strict=True) for a in prefixes(x, part, name)]
        if isinstance(tree, dict) and axes.keys() == tree.keys():
            return [a for key, part in tree.items() for a in prefixes(axes[key], part, name)]
        if _is_dataclass(tree):
            return [a for field in fields(type(tree)) for a in prefixes(getattr(axes, field), getattr(tree, field, None), name)]
    raise TypeError(
        f"ag.vmap: {name}={axes!r} is neither an integer, None nor a container like the {type(tree).__name__} that it "
        f"is for"
    )

"""Nested arguments: tuples, lists, dictionaries, named tuples and dataclasses, and the arrays at their ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from ..batched import Batched
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
        return [x for name in tree.__dataclass_fields__ for x in leaves(getattr(tree, name))]
    return [] if tree is None else [tree]


def rebuilt(tree: Any, new: Iterable[Any]) -> Any:
    """A container of the same shape with ``new`` in place of its leaves."""
    return _build(tree, iter(new))


def _build(part: Any, rest: Iterator[Any]) -> Any:
    if type(part) in ENDS:
        return next(rest)
    if hasattr(part, "_fields") and isinstance(part, tuple):  # a named tuple
        return type(part)(*[_build(x, rest) for x in part])
    if isinstance(part, (tuple, list)):
        return type(part)([_build(x, rest) for x in part])
    if isinstance(part, dict):
        values = {key: _build(x, rest) for key, x in part.items()}
        if type(part) is dict:
            return values
        result = part.copy()  # which keeps what a subclass adds, as the default of a defaultdict
        result.update(values)
        return result
    if _is_dataclass(part):
        import dataclasses  # here, as it is slow to import and few need it

        fields = [f.name for f in dataclasses.fields(part) if f.init]
        return dataclasses.replace(part, **{name: _build(getattr(part, name), rest) for name in fields})
    return None if part is None else next(rest)


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
        return [_ordered(getattr(tree, name), getattr(like, name)) for name in like.__dataclass_fields__]
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
        return (type(tree), [_skeleton(getattr(tree, name), hole) for name in tree.__dataclass_fields__])
    return None if tree is None else hole


def paths(tree: Any, name: str) -> list[str]:
    """For each leaf the expression that takes it out of the container called ``name``."""
    if isinstance(tree, dict):
        return [path for key, x in tree.items() for path in paths(x, f"{name}[{key!r}]")]
    if isinstance(tree, (tuple, list)) and not hasattr(tree, "_fields"):
        return [path for i, x in enumerate(tree) for path in paths(x, f"{name}[{i}]")]
    fields = _fields(tree)
    if fields is not None:
        return [path for field in fields for path in paths(getattr(tree, field), f"{name}.{field}")]
    return [] if tree is None else [name]


def outline(tree: Any) -> str:
    """A container in an error message: · for each leaf."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key!r}: {outline(x)}" for key, x in tree.items()) + "}"
    fields = _fields(tree)
    if fields is not None:
        return f"{type(tree).__name__}({', '.join(f'{field}={outline(getattr(tree, field))}' for field in fields)})"
    if isinstance(tree, (tuple, list)):
        parts = ", ".join(map(outline, tree))
        return f"[{parts}]" if isinstance(tree, list) else f"({parts},)" if len(tree) == 1 else f"({parts})"
    return "None" if tree is None else "·"


def _fields(tree: Any) -> Iterable[str] | None:
    """The names of the parts of a named tuple or a dataclass."""
    if type(tree) in ENDS:
        return None
    if isinstance(tree, tuple):
        return getattr(tree, "_fields", None)
    return tree.__dataclass_fields__ if _is_dataclass(tree) else None


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
            return [a for field in tree.__dataclass_fields__ for a in prefixes(getattr(axes, field), getattr(tree, field), name)]
    raise TypeError(
        f"ag.vmap: {name}={axes!r} is neither an integer, None nor a container like the {type(tree).__name__} that it "
        f"is for"
    )

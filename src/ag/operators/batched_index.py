"""Indexing under vmap: an index of one example, as the places in the flattened array where it points.

An index is kept as a template (slices, integers, None, ... as a static parameter) and the integer arrays in it,
which are inputs of the row: an index may be computed, and may differ between the examples of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..batched import Batched
from ..capture import capture, recorder
from ..node import Operand
from ..traced import is_traced
from .batching import Lead, full, levels_of, padded
from .rules import FUNCTIONS, broadcast, reshaped, shape_of, value_of
from .shaping import moveaxis

HERE = "array"  # stands in a template for an index array

Template = tuple[Any, ...]


def filled(template: Template, found: Any) -> Template:
    """The index: the template with its arrays."""
    rest = iter(found)
    return tuple(next(rest) if part is HERE else part for part in template)


def selected_shape(shape: tuple[int, ...], found: Any, template: Template) -> tuple[int, ...]:
    """The shape of what an index selects of one example."""
    stand_ins = [np.zeros(x.shape, np.intp) if isinstance(x, Operand) else x for x in found]
    return np.broadcast_to(0.0, shape)[filled(template, stand_ins)].shape


def places(lead: Lead, shape: tuple[int, ...], found: Any, template: Template) -> Any:
    """Where an index points, counted in row-major order: of shape lead + selected, or selected if no index array is batched."""
    numbers = np.arange(math.prod(shape)).reshape(shape)
    if not any(type(x) is Batched for x in found):
        return _taken(numbers, filled(template, found))
    parts: list[Any] = []  # with the arrays in it, and masks as integers
    for part in filled(template, found):
        if isinstance(part, np.ndarray) and part.dtype.kind == "b":
            parts.extend(part.nonzero())
        else:
            parts.append(part)
    arrays = [x for x in parts if isinstance(x, (np.ndarray, Operand))]
    ndim = max(len(shape_of(x)) for x in arrays)
    hidden = len(lead)
    start = _place_of_arrays(parts, len(shape))
    index = tuple(value_of(padded(x, ndim)) if type(x) is Batched else x for x in parts)
    result = np.moveaxis(_taken(numbers, index), tuple(range(start, start + hidden)), tuple(range(hidden)))
    return np.broadcast_to(result, lead + result.shape[hidden:])


def _taken(numbers: Any, index: Any) -> Any:
    return FUNCTIONS["getitem"](numbers, index) if is_traced(*index) else numbers[index]


def _place_of_arrays(parts: list[Any], ndim: int) -> int:
    """Where NumPy puts the axes of index arrays in the result: first if a slice stands between them, else in their place."""
    first, apart = _arrays_in(parts)
    if apart:
        return 0
    named = sum(part is not None and part is not Ellipsis for part in parts)
    return sum(ndim - named if part is Ellipsis else 1 for part in parts[:first])


def _arrays_in(parts: Sequence[Any]) -> tuple[int, bool]:
    """Where the first of the arrays and integers of an index stands, and whether something else stands between them."""
    places = [i for i, part in enumerate(parts) if isinstance(part, (np.ndarray, Operand, int))]
    return places[0], places[-1] - places[0] + 1 != len(places)


def names_twice(shape: tuple[int, ...], found: Any, template: Template) -> bool:
    """Does an index name an element twice (in one example)?"""
    if not any(map(shape_of, found)):
        return False  # of numbers, which name one place
    lead = tuple([level.size for level in levels_of(found)])
    lines = np.sort(places(lead, shape, found, template).reshape(*lead, -1), axis=-1)
    twice = lines[..., 1:] == lines[..., :-1]
    if is_traced(twice):
        recorder.trace.expect_zero(np.sum(twice))
        return False
    return bool(twice.any())


def _of_all(lead: Lead, size: int, where: Any, hidden: bool) -> Any:
    """The places in the examples written one after another, of shape lead + selected."""
    if not hidden:
        where = where.reshape((1,) * len(lead) + where.shape)
    starts = (np.arange(math.prod(lead)) * size).reshape(lead)
    return where + starts.reshape(lead + (1,) * (where.ndim - len(lead)))


def _is_recorded(found: Any) -> bool:
    """Is the index the same for all examples, and not known yet?"""
    return is_traced(*found) and not any(type(i) is Batched for i in found)


def _read_at_each_call(found: Any) -> list[Any]:
    """The index arrays, as a function that is recorded has them: their numbers may be others at its next call."""

    def own(x: Any) -> Any:
        if type(x) is Batched:
            return Batched(own(x.physical), x.levels)
        return capture(x) if type(x) is np.ndarray and x.dtype.kind != "b" else x

    return list(found) if recorder.trace is None else list(map(own, found))


def _with_lead(lead: Lead, found: Any, template: Template) -> tuple[Template, tuple[int, ...], tuple[int, ...]]:
    """The index into all examples; of what it selects the axes that NumPy puts in front of the hidden ones, and where they
    belong: index arrays with a slice between them are in front of everything."""
    index = (slice(None),) * len(lead) + template
    if not found or not _arrays_in(filled(template, found))[1]:
        return index, (), ()
    ndim = max(1 if x.dtype.kind == "b" else len(shape_of(x)) for x in found)
    return index, tuple(range(ndim)), tuple(range(len(lead), len(lead) + ndim))


def take_batch(op: Any, lead: Lead, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """x[index] of each example."""
    x, *found = inputs
    found = _read_at_each_call(found)
    template = params["template"]
    if not found:
        return op.apply((x.physical,), {"template": (slice(None),) * len(lead) + template})
    if _is_recorded(found):
        index, front, behind = _with_lead(lead, found, template)
        taken = op.apply((full(x, lead), *found), {"template": index})
        return moveaxis(taken, front, behind) if front else taken
    size = math.prod(shape_of(x))
    where = places(lead, shape_of(x), found, template)
    if not any(type(i) is Batched for i in found):
        return op.apply((reshaped(x.physical, (*lead, size)), where), {"template": (Ellipsis, HERE)})
    if type(x) is Batched:
        x, where = reshaped(full(x, lead), (math.prod(lead) * size,)), _of_all(lead, size, where, True)
    else:
        x = reshaped(x, (size,))
    return op.apply((x, where), {"template": (HERE,)})


def put_batch(op: Any, lead: Lead, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """x with v at the index, or added there, of each example."""
    x, v, *found = inputs
    found = _read_at_each_call(found)
    template, shape = params["template"], shape_of(x)
    selected = selected_shape(shape, found, template)
    v = padded(v, len(selected))
    if not found or _is_recorded(found):
        index, front, behind = _with_lead(lead, found, template)
        v = moveaxis(broadcast(v, lead + selected), behind, front) if front else v
        return op.apply((full(x, lead), v, *found), {"template": index})
    hidden = any(type(i) is Batched for i in found)
    where = _of_all(lead, math.prod(shape), places(lead, shape, found, template), hidden)
    flat = reshaped(full(x, lead), (math.prod(lead) * math.prod(shape),))
    result = op.apply((flat, broadcast(v, lead + selected), where), {"template": (HERE,)})
    return reshaped(result, lead + shape)

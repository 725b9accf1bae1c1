"""What operators do with batches: the hidden axes of `Batched` lead, and the row is applied to all examples at once.

A rule of batching is a function (op, lead, inputs, params) -> result. ``lead`` are the lengths of the hidden axes; an
input is plain, the same for all examples, or `Batched` with all hidden axes (of length 1 where it is the same for all).
The result has the hidden axes first. Rules are written in the library's operators, so on nodes they record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

from ..batched import Batched, Level, live
from ..capture import recorder
from ..node import Operand
from ..traced import Traced
from .axes import one_axis
from .rules import FUNCTIONS, Elementwise, Reduction, Rule, Zero, as_known, broadcast, reshaped, shape_of, value_of

Lead = tuple[int, ...]
Batching = Callable[[Any, Lead, tuple[Any, ...], dict[str, Any]], Any]


def apply(op: Any, inputs: tuple[Any, ...], params: dict[str, Any]) -> Batched:
    """op(*inputs, **params) where some of the inputs are batched."""
    levels = levels_of(inputs)
    lead = tuple([level.size for level in levels])
    aligned = tuple([_with(levels, x) if type(x) is Batched else x for x in inputs])
    return Batched(op.batch(op, lead, aligned, params), levels)


def levels_of(inputs: Any) -> tuple[Level, ...]:
    """All levels that occur, the newest first. Raises RuntimeError for one that has ended."""
    levels: tuple[Level, ...] = ()
    for x in inputs:
        if type(x) is Batched and x.levels is not levels:
            levels = tuple(sorted({*levels, *x.levels}, key=lambda level: -level.number)) if levels else x.levels
    running = live.levels
    if levels is not running:
        for level in levels:
            if level not in running:
                raise RuntimeError(
                    "a value from inside ag.vmap is used after that vmap has ended, where it stands for no one example: "
                    "return it from the function that is mapped"
                )
    return levels


def _with(levels: tuple[Level, ...], x: Batched) -> Batched:
    """x with all these levels: an axis of length 1 for those that it has not."""
    if x.levels == levels:
        return x
    lead = tuple(level.size if level in x.levels else 1 for level in levels)
    return Batched(reshaped(x.physical, lead + x.shape), levels)


# ---------------------------------------------------------------------- inputs as a rule needs them


def padded(x: Any, ndim: int) -> Any:
    """The physical x with as many axes of length 1 after the hidden ones as an example needs to have ``ndim``."""
    if type(x) is not Batched:
        return x
    missing = ndim - x.ndim
    if not missing:
        return x.physical
    hidden = len(x.levels)
    shape = shape_of(x.physical)
    return reshaped(x.physical, shape[:hidden] + (1,) * missing + shape[hidden:])


def full(x: Any, lead: Lead) -> Any:
    """The physical x with all examples written out, also if they are the same."""
    return broadcast(x.physical if type(x) is Batched else x, lead + shape_of(x))


def all_examples(*xs: Any) -> list[Any]:
    """The values of the xs, of all examples where some of them are batched: what a check looks at."""
    if not any(type(x) is Batched for x in xs):
        return [value_of(x) for x in xs]
    levels = levels_of(xs)
    lead = tuple([level.size for level in levels])
    return [value_of(full(_with(levels, x) if type(x) is Batched else as_known(value_of(x)), lead)) for x in xs]


# ---------------------------------------------------------------------- what stands below the levels of a transform


def lowered(x: Any, levels: tuple[Level, ...]) -> Any:
    """x with the hidden axes of ``levels`` (the oldest ones) as ordinary ones in front, and all examples written out."""
    if not levels:
        return x
    newer = tuple([level for level in x.levels if level not in levels]) if type(x) is Batched else ()
    everything = newer + levels
    own = _with(everything, x) if type(x) is Batched else x
    lead = tuple([level.size for level in everything])
    if type(own) is not Batched:
        return broadcast(own, lead + shape_of(own))
    shape = shape_of(own.physical)
    physical = broadcast(own.physical, shape[: len(newer)] + lead[len(newer) :] + own.shape)
    return Batched(physical, newer) if newer else physical


def raised(x: Any, levels: tuple[Level, ...]) -> Any:
    """The inverse: x with its leading axes hidden as those of ``levels``."""
    if not levels:
        return x
    return Batched(x.physical, x.levels + levels) if type(x) is Batched else Batched(x, levels)


# ---------------------------------------------------------------------- the rules


def elementwise(op: Any, lead: Lead, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Examples are aligned at their last axes, as NumPy does, and the hidden axes stay in front."""
    ndim = max([len(shape_of(x)) for x in inputs])
    return op.apply(tuple([padded(x, ndim) for x in inputs]), params)


def leading(op: Any, lead: Lead, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """The row itself, as its axes are counted from the end."""
    return op.apply(tuple([full(x, lead) for x in inputs]), params)


def with_params(change: Callable[..., dict[str, Any]]) -> Batching:
    """The row itself with ``change(lead, **params)`` for parameters, where those name all axes."""

    def batch(op: Any, lead: Lead, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
        return op.apply(tuple([full(x, lead) for x in inputs]), change(lead, **params))

    return batch


def unchanged(op: Any, lead: Lead, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """For rows that only change the face."""
    return full(inputs[0], lead)


def one_by_one(op: Any, lead: Lead, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Each example by itself: right for every row, and as slow as a loop."""
    results = [
        op.apply(tuple([example(x, index) for x in inputs]), params) for index in product(*map(range, lead))
    ]
    return stacked(op.name, results, lead) if results else _nothing(op, lead, inputs, params)


def example(x: Any, index: tuple[int, ...]) -> Any:
    """One example of x."""
    if type(x) is not Batched:
        return x
    shape = shape_of(x.physical)
    return x.physical[tuple([0 if n == 1 else i for i, n in zip(index, shape, strict=False)])]


def one_by_one_of(values: dict[Any, Any]) -> Iterator[dict[Any, Any]]:
    """Of a dictionary with batched values the dictionary of each example; the dictionary itself if nothing is batched."""
    levels = levels_of(values.values())
    aligned = {key: _with(levels, x) if type(x) is Batched else x for key, x in values.items()}
    for index in product(*[range(level.size) for level in levels]):
        yield {key: example(x, index) for key, x in aligned.items()}


def stacked(name: str, results: list[Any], lead: Lead) -> Any:
    """The results of all examples in one."""
    shapes = {shape_of(y) for y in results}
    if len(shapes) > 1:
        raise ValueError(
            f"{name} under ag.vmap gives results of different shapes, {sorted(shapes)[:3]}, which no array holds: "
            f"write it so that the shape does not depend on the values, for example with ag.where"
        )
    joined = FUNCTIONS["stack"](results) if any(isinstance(y, Operand) for y in results) else np.stack(results)
    return reshaped(joined, lead + shapes.pop())


def _nothing(op: Any, lead: Lead, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """The result of no examples."""
    dtypes = [np.asarray(x).dtype if not isinstance(x, Operand) else x.dtype for x in inputs]
    shape, dtype = op.abstract(list(zip(map(shape_of, inputs), dtypes, strict=True)), params)
    return np.zeros(lead + shape, dtype)


def of_kind(rule: Rule) -> Batching:
    """The rule of batching of a kind, for rows that state none."""
    if isinstance(rule, (Elementwise, Zero)):
        return elementwise
    return leading if isinstance(rule, Reduction) else one_by_one


# ---------------------------------------------------------------------- functions without a derivative

# Functions of an array along an axis, and the axis that they take if none is given (None: all).
ALONG: dict[Any, Any] = {np.argmax: None, np.argmin: None, np.any: None, np.all: None, np.count_nonzero: None, np.argsort: -1}

VARYING = frozenset((np.nonzero, np.flatnonzero, np.argwhere))

# Functions of shapes and dtypes alone.
TYPES = frozenset((np.shape, np.ndim, np.size, np.zeros_like, np.ones_like, np.empty_like, np.result_type))


def varying(name: str) -> TypeError:
    """What to say of a function whose result has not the same shape for all values."""
    what = "x[mask]" if name == "getitem" else f"the result of np.{name}"
    why = "which ag.jit does not know" if recorder.trace is not None else "in which the examples of ag.vmap differ"
    return TypeError(
        f"{what} has a shape that depends on the values, {why}: write it with a mask, for example with ag.where(mask, x, 0)"
    )


def known_examples(name: str, instead: str, *xs: Any) -> list[Any]:
    """`all_examples` of a function whose result is real or complex, as these are. Raises TypeError where they are not known."""
    examples = all_examples(*xs)
    if any(type(x) is Traced for x in examples):
        raise TypeError(
            f"np.{name}: whether the result is real or complex depends on the values, which ag.jit does not know: write {instead}"
        )
    return examples


def of_values(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """f(*args, **kwargs) of values, some of which are batched, where f is one of NumPy's without a derivative."""
    everything = [*args, *kwargs.values()]
    if f in TYPES:
        everything = [np.broadcast_to(np.zeros((), x.dtype), x.shape) if type(x) is Batched else x for x in everything]
        return f(*everything[: len(args)], **dict(zip(kwargs, everything[len(args) :], strict=True)))
    if f in VARYING:
        raise varying(f.__name__)
    levels = levels_of(everything)
    lead = tuple([level.size for level in levels])
    everything = [_with(levels, x) if type(x) is Batched else x for x in everything]
    if isinstance(f, np.ufunc) and not kwargs:
        ndim = max([len(shape_of(x)) for x in everything])
        return Batched(f(*[padded(x, ndim) for x in everything]), levels)
    if f in ALONG and type(everything[0]) is Batched and sum(type(x) is Batched for x in everything) == 1:
        return Batched(_along(f, everything[0], *args[1:], **kwargs), levels)
    results = []
    for index in product(*map(range, lead)):
        each = [example(x, index) for x in everything]
        results.append(f(*each[: len(args)], **dict(zip(kwargs, each[len(args) :], strict=True))))
    if not results:
        raise ValueError(f"np.{f.__name__} under ag.vmap needs at least one example")
    return Batched(stacked(f.__name__, results, lead), levels)


def _along(f: Callable[..., Any], x: Batched, axis: Any = ..., *rest: Any, **kwargs: Any) -> Any:
    if axis is ...:
        axis = ALONG[f]
    physical, ndim = x.physical, x.ndim
    if axis is not None:
        axes = [one_axis(a, ndim, x) for a in (axis if isinstance(axis, tuple) else (axis,))]
        return f(physical, tuple(axes) if isinstance(axis, tuple) else axes[0], *rest, **kwargs)
    keepdims = kwargs.pop("keepdims", False)
    result = f(physical.reshape((*shape_of(physical)[: len(x.levels)], x.size)), -1, *rest, **kwargs)
    return result[(..., *[None] * ndim)] if keepdims else result

"""Which elements of a result are computed from which elements of an argument, found by the rules themselves.

A mask is carried down through one operator (to the elements that were used) or up (to those that were computed from
them). A branch not taken, an element not selected, is not used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..operators.rules import Elementwise, Reduction, Step, Zero, any_over, benign, expanded, shape_of


def wrong(x: Any) -> Any:
    """Where numbers are not finite."""
    array = np.asarray(x)
    return ~np.isfinite(array) if array.dtype.kind in "fc" else np.zeros(array.shape, bool)


def number_at(x: Any, index: tuple[int, ...]) -> Any:
    """One element as Python's number, real or complex."""
    element = np.asarray(x)[index]
    return complex(element) if element.dtype.kind == "c" else float(element)


def used(step: Step, i: int, mask: Any) -> Any:
    """The elements of argument i from which the elements ``mask`` of the result are computed."""
    op, ans, args, _ = step
    rule, x = op.rule, args[i]
    if isinstance(rule, Zero):
        broadcasts = np.shape(ans) == np.broadcast_shapes(*map(shape_of, args))
        return any_over(mask, x) if broadcasts else np.full(shape_of(x), bool(np.any(mask)))
    if not rule.depends_on(i):
        return np.zeros(shape_of(x), bool)
    if isinstance(rule, Elementwise):
        return any_over(np.broadcast_to(mask & _selected(rule, i, step), shape_of(ans)), x)
    with np.errstate(all="ignore"):
        found = rule.exact_vjp(i, np.ones(shape_of(ans)), np.asarray(mask), step)[1]
        if isinstance(rule, Reduction) and rule.selects:  # a nan is larger than nothing: where there is one it is the result
            axis, keepdims = step.params["axis"], step.params.get("keepdims", False)
            found = found | (np.isnan(x) & np.isnan(expanded(ans, x, axis, keepdims)) & expanded(mask, x, axis, keepdims))
    return found


def using(step: Step, i: int, mask: Any) -> Any:
    """The elements of the result that are computed from the elements ``mask`` of argument i."""
    op, ans, args, params = step
    rule = op.rule
    shape = shape_of(ans)
    if isinstance(rule, Zero):
        return np.broadcast_to(mask, shape) if _broadcasts(shape_of(args[i]), shape) else np.full(shape, bool(np.any(mask)))
    if not rule.depends_on(i):
        return np.zeros(shape, bool)
    if isinstance(rule, Elementwise):
        return np.broadcast_to(mask & _selected(rule, i, step), shape)
    if rule.selects and isinstance(rule, Reduction):
        tame, result = args, ans  # which element is selected depends on the numbers
    else:
        tame = tuple(benign(x) for x in args)
        result = op.forward(*tame, **{k: {} if isinstance(v, dict) else v for k, v in params.items()})
    tangents: list[Any] = [None] * len(args)
    tangents[i] = np.where(mask, np.nan, 0.0)
    with np.errstate(all="ignore"):
        reached = np.isnan(np.asarray(rule.jvp(tangents, Step(op, result, tame, params))))
        if rule.selects and isinstance(rule, Reduction):
            reached = reached | (np.isnan(ans) & _reduced(mask & np.isnan(args[i]), step))
    return np.broadcast_to(reached, shape)


def _reduced(mask: Any, step: Step) -> Any:
    """A mask of the argument of a reduction, reduced as the argument is."""
    return np.any(mask, axis=step.params["axis"], keepdims=step.params.get("keepdims", False))


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False


def _selected(rule: Elementwise, i: int, step: Step) -> Any:
    """Of an elementwise row: where the result is computed from argument i."""
    if not rule.selects:
        return np.True_
    with np.errstate(all="ignore"):
        partials = [None if p is None else np.asarray(rule.partial(j, step.ans, step.args)) for j, p in enumerate(rule.partials)]
    mine = partials[i]
    if mine is None:
        return np.False_
    nobody = np.asarray(~np.any(np.broadcast_arrays(*[p != 0 for p in partials if p is not None]), axis=0))
    return (mine != 0) | (nobody & np.isnan(step.ans) & np.isnan(step.args[i]))  # a nan is selected by no comparison


def single(shape: tuple[int, ...], index: tuple[int, ...]) -> Any:
    """The mask of one element."""
    mask = np.zeros(shape, bool)
    mask[index] = True
    return mask


def first(mask: Any) -> tuple[int, ...]:
    """The index of the first element in the mask."""
    mask = np.asarray(mask)
    return tuple(int(n) for n in np.unravel_index(int(mask.argmax()), mask.shape))


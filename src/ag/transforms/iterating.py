"""Newton's method and repeated functions, for all examples at once: loops that run as they are, or are recorded by `ag.jit`.

A program that is recorded can't raise: it expects that the search ends well. If that does not hold the call is computed without
the compiler, and raises what there is to be said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..batched import under
from ..capture import recorder
from ..operators.elementwise import absolute, where
from ..operators.operands import value_of
from ..operators.reductions import all as every, any as some, max as largest
from ..operators.shaping import astype
from ..operators.solving import solve
from ..operators.steps import greater, isfinite, less, less_equal, logical_and, logical_not, logical_or
from ..traced import is_traced
from .control import while_loop

Function = Callable[[Any], Any]

NEWTON = 100  # steps
HALVINGS = 30  # of one step
CLOSE = 450  # units in the last place: so short is the last step


def newton(residual: Function, jacobian: Function, start: Any) -> tuple[Any, bool]:
    """x with residual(x) = 0, on arrays with one row for each example, and whether it was found; a singular Jacobian ends it.

    A step that does not come nearer is halved, in each example by itself.
    """
    last = start
    close = CLOSE * np.finfo(residual(start).dtype).eps

    def size(r: Any) -> Any:
        return largest(where(isfinite(r), absolute(r), np.inf), axis=-1)

    def after(state: Any) -> Any:
        nonlocal last
        x, r, k = state
        last = x
        step = solve(jacobian(x), r[..., None])[..., 0]
        small = less_equal(largest(absolute(step), axis=-1), close * (1 + largest(absolute(x), axis=-1)))
        exact = size(r) == 0

        def tried(share: Any) -> tuple[Any, Any, Any]:
            trial = x - share[..., None] * step
            return share, trial, residual(trial)

        def worse(state: Any) -> Any:
            return logical_and(greater(size(state[2]), size(r)), logical_not(small))

        def halved(counted: Any) -> Any:
            state, halvings = counted
            return tried(where(worse(state), state[0] / 2, state[0])), halvings + 1

        def going(counted: Any) -> Any:
            state, halvings = counted
            return logical_and(less(halvings, HALVINGS), some(worse(state)))

        (_, trial, left), _ = while_loop(going, halved, (tried(where(exact, 0.0, 1.0)), 1))
        done = every(logical_or(small, exact))
        farther = logical_not(less_equal(size(left), size(r)))
        kept = logical_and(done, logical_or(exact, farther))[..., None]  # else the last step comes nearer yet
        return where(kept, x, trial), where(kept, r, left), where(done, 2 * NEWTON, k + 1)

    with under(()):
        try:
            x, _, k = while_loop(lambda state: less(state[2], NEWTON), after, (start, residual(start), 0))
        except np.linalg.LinAlgError:
            return last, False
    return x, ended(k >= 2 * NEWTON)


def repeated(following: Function, start: Any, tol: float, most: int) -> tuple[Any, Any, bool]:
    """x, f(x), f(f(x)), ... until it changes by no more than tol (1 + |x|); the last change, and whether it is so small."""

    def after(state: Any) -> Any:
        x, _, k = state
        y = following(x)
        return y, np.max(np.abs(y - x) / (1 + np.abs(y))) * np.float64(1.0), k + 1

    def going(state: Any) -> Any:
        _, change, k = state
        return logical_and(less(k, most), logical_and(greater(change, tol), logical_or(isfinite(change), k == 0)))

    x, change, k = start, np.float64(np.inf), 0
    with under(()):
        if recorder.trace is None:  # numbers, which are compared faster by themselves
            while k < most and change > tol and (k == 0 or np.isfinite(change)):
                x, change, k = after((x, change, k))
        else:
            dtype = following(start).dtype  # which it stays in
            x, change, _ = while_loop(going, after, (astype(start, dtype), change, k))
    return x, change, ended(less_equal(change, tol))


def ended(well: Any) -> bool:
    """Did it end well? Where that is not known the program expects it."""
    if is_traced(well):
        recorder.trace.expect_zero(logical_not(well))
        return True
    return bool(value_of(well))

"""Control flow as functions: scan, fori_loop, while_loop, cond, with JAX's names and meaning.

They are Python's loops and branches over arrays and nodes, so every derivative goes through them by itself. What a loop carries
keeps its containers, shapes and dtypes from step to step. Under vmap a condition may differ between the examples: then a
branch or a step is computed for all of them, and `where` keeps what is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..batched import Batched, live, physical
from ..capture import recorder
from ..node import Operand, describe
from ..operators.elementwise import minimum, where
from ..operators.joining import stack
from ..operators.reductions import max as largest
from ..operators.rules import shape_of
from ..operators.shaping import astype
from ..operators.steps import less, logical_and, not_equal
from ..traced import is_traced
from .arguments import function_of, plain
from .carrying import Kept, kind_of, named, number_of, sealed
from .checkpointing import checkpoint
from .containers import leaves, mapped, paths, rebuilt, same_shape, shown

UNROLLED = 2  # so few steps of a loop that is recorded are written out
FAN = 16  # into so many pieces a node is cut at once


def scan(f: Callable[[Any, Any], Any], init: Any, xs: Any = None, length: int | None = None, reverse: bool = False) -> Any:
    """cₖ₊₁, yₖ = f(cₖ, xₖ) with c₀ = init: the last carry, and all yₖ stacked along axis 0.

    Arguments: ``f``, a function (carry, x) -> (carry, y); ``init``, the first carry: numbers, arrays or containers of them;
    ``xs``, arrays or containers of arrays, whose axis 0 counts the steps (None: each x is None); ``length``, the number of steps,
    needed without xs; ``reverse``, from the last x to the first, where yₖ still stands beside xₖ.

    The carry keeps its containers, and each array in it its shape and dtype. A Python number counts as float64, int64, bool or
    complex128; one that f returns takes the dtype that the carry has there. f is given arrays that can't be written in place.
    Without any step f is still called once, on zeros for x, to learn the shapes of ys.

    Returns (carry, ys), where ys is in a container like each y (None where y is None).

    Raises TypeError when f returns no pair, or its carry is not like init; ValueError when xs have different lengths.

    >>> ag.scan(lambda total, x: (total + x, total * x), 0.0, np.array([1.0, 2.0, 3.0]))
    (np.float64(6.0), array([0., 2., 9.]))
    """
    function_of(f, "ag.scan", "ag.scan(f, init, xs) with f a function (carry, x) -> (carry, y)")
    carry = Kept(init, "ag.scan", "carry")
    parts = [number_of(x, path, "ag.scan") for x, path in zip(leaves(xs), paths(xs, "xs"), strict=True)]
    n = _steps(parts, paths(xs, "xs"), length)
    ends, ys = _scanned(f, carry, xs, parts, n, reverse)
    return carry.result(ends), ys


def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    """x ↦ body_fun(i, x) for i = lower, ..., upper - 1, from init_val on.

    Arguments: ``lower`` and ``upper``, integers; ``body_fun``, a function (i, x) -> x; ``init_val``, numbers, arrays or
    containers of them, which keep their containers, shapes and dtypes (see `scan`).

    Under ``vmap`` the bounds may differ between the examples: the body runs as often as the longest needs, and an example that
    is finished keeps its x. If ``lower`` differs, so does i, which is then an integer array; for examples that are finished
    it is the last one.

    Returns the last x. Raises TypeError when a bound is no integer, or when x does not stay as it is.

    >>> ag.fori_loop(1, 6, lambda i, x: x * i, 1.0)  # 5!
    np.float64(120.0)
    """
    function_of(body_fun, "ag.fori_loop", "ag.fori_loop(lower, upper, body_fun, x) with a function (i, x) -> x")
    carry = Kept(init_val, "ag.fori_loop", "x")
    return carry.result(_counted(lower, upper, body_fun, carry))


def while_loop(
    cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init_val: Any, *, checkpoint_every: int | None = None
) -> Any:
    """x ↦ body_fun(x) as long as cond_fun(x) holds, from init_val on.

    Arguments: ``cond_fun``, a function of x that gives one truth value; ``body_fun``, a function x -> x; ``init_val``, numbers,
    arrays or containers of them, which keep their containers, shapes and dtypes (see `scan`); ``checkpoint_every``, after how
    many steps x is kept for reverse mode.

    The derivative is that of the steps that were made; how many there are is a constant. For reverse mode what each of n steps
    begins with is kept, as much as n times x; under ``jit`` the loop is run twice for that. With ``checkpoint_every=m`` it is
    n / m + m times x, least at m = √n, and the steps are computed once more. Under ``vmap`` the loop runs until no
    example goes on. One that is finished keeps its x, and the body is still computed for it: there it may give inf or nan (and
    NumPy's warning), which does no harm to x nor to its derivatives, but it must not raise.

    Returns the last x. A condition that always holds never ends.

    Raises TypeError or ValueError when cond_fun gives no single truth value, TypeError when x does not stay as it is.

    >>> ag.while_loop(lambda x: x < 100, lambda x: x * x, 3.0)
    np.float64(6561.0)
    >>> ag.vmap(lambda x: ag.while_loop(lambda x: x < 100, lambda x: x * x, x))(np.array([3.0, 5.0, 200.0]))
    array([6561.,  625.,  200.])
    """
    for f in (cond_fun, body_fun):
        function_of(f, "ag.while_loop", "ag.while_loop(cond_fun, body_fun, x) with two functions of x")
    if checkpoint_every is not None:
        return while_loop(cond_fun, checkpoint(_several(cond_fun, body_fun, checkpoint_every)), init_val)
    carry = Kept(init_val, "ag.while_loop", "x")
    return carry.result(_repeated(cond_fun, body_fun, carry))


def cond(pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any) -> Any:
    """true_fun(*operands) if pred holds, false_fun(*operands) otherwise.

    Arguments: ``pred``, one truth value: a number, an array or node of shape (), whose value is a constant for derivatives;
    ``true_fun`` and ``false_fun``, functions of the ``operands``, which may be anything.

    Under ``vmap``, if pred differs between the examples, both functions are computed for all examples, and ``ag.where`` takes
    each array of the result from the one or the other: so both return the same containers, shapes and dtypes. The one that
    is not taken may give inf or nan (and NumPy's warning), which does no harm to derivatives.

    Returns what the function returns. Raises TypeError or ValueError when pred is no single truth value; TypeError when the two
    results can't be chosen from.

    >>> ag.cond(3.0 > 2.0, lambda x: x * x, lambda x: -x, 4.0)
    16.0
    >>> ag.vmap(lambda x: ag.cond(x > 0, ag.square, ag.negative, x))(np.array([3.0, -3.0]))
    array([9., 3.])
    """
    for f in (true_fun, false_fun):
        function_of(f, "ag.cond", "ag.cond(pred, true_fun, false_fun, x) with two functions of x")
    return _branched(pred, true_fun, false_fun, operands)


def _several(cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], most: int) -> Callable[[Any], Any]:
    """As many steps of a loop as there are, but not more than ``most``."""
    if not isinstance(most, (int, np.integer)) or isinstance(most, bool) or most < 1:
        raise TypeError(f"ag.while_loop: checkpoint_every is a number of steps from 1 on, got {most!r}")

    def going(counted: Any) -> Any:
        step, x = counted
        return logical_and(less(step, most), cond_fun(x))

    def steps(x: Any) -> Any:
        return while_loop(going, lambda counted: (counted[0] + 1, body_fun(counted[1])), (0, x))[1]

    return steps


# ---------------------------------------------------------------------- the loops themselves


def _scanned(
    f: Callable[[Any, Any], Any], carry: Kept, xs: Any, parts: list[Any], n: int, reverse: bool
) -> tuple[list[Any], Any]:
    """The ends of the last carry, and ys."""
    if not n:
        with np.errstate(all="ignore"):
            x = rebuilt(xs, [np.zeros(shape_of(part)[1:], part.dtype)[()] for part in parts])
            after, y = _pair(f(mapped(plain, carry.seen(carry.ends)), x))
            carry.after(after, carry.ends, 0)
        form = Kept(y, "ag.scan", "y")
        return carry.ends, rebuilt(y, [np.zeros((0, *shape), dtype) for shape, dtype in form.kinds])
    if recorder.trace is not None and n > UNROLLED:
        return _recorded_scan(f, carry, xs, parts, n, reverse)
    slices = [list(_slices(sealed(part), n)) for part in parts]
    ends, rows, kept = carry.ends, [], None
    for i in reversed(range(n)) if reverse else range(n):
        after, y = _pair(f(carry.seen(ends), rebuilt(xs, [part[i] for part in slices])))
        ends = carry.after(after, ends, i)
        kept = kept or Kept(y, "ag.scan", "y")
        rows.append(kept.after(y, kept.ends, i))
    if reverse:
        rows.reverse()
    assert kept is not None
    return ends, rebuilt(kept.tree, [_stacked(list(column)) for column in zip(*rows, strict=True)])


def _recorded_scan(
    f: Callable[[Any, Any], Any], carry: Kept, xs: Any, parts: list[Any], n: int, reverse: bool
) -> tuple[list[Any], Any]:
    """The same while a function is recorded, as one loop."""
    forms: list[Kept] = []

    def step(ends: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        after, y = _pair(f(carry.seen(ends), rebuilt(xs, slices)))
        forms.append(Kept(y, "ag.scan", "y"))
        return carry.after(after, ends, 0), forms[0].after(y, forms[0].ends, 0)

    ends, ys = recorder.trace.loops.scanned(step, carry.ends, parts, n, reverse)
    return ends, rebuilt(forms[0].tree, ys)


def _counted(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], carry: Kept) -> list[Any]:
    """The ends of the last x."""
    ends = carry.ends
    lower, upper = _bound(lower, "lower"), _bound(upper, "upper")
    differing = isinstance(lower, Batched) or isinstance(upper, Batched)

    def after(i: Any, ends: list[Any], step: int = 0) -> list[Any]:
        active = less(i, upper) if differing else True
        if isinstance(lower, Batched):
            i = minimum(i, upper - 1)  # of those that are finished: an index that still is one
        return carry.after(body_fun(i, carry.seen(ends)), ends, step, active)

    # In 64 bits, whatever integers the bounds are.
    count = physical(upper - lower) if type(upper) is type(lower) is int else physical(_wide(upper) - _wide(lower))
    if not is_traced(count):
        count = int(np.max(count, initial=0))
    elif count.shape:
        count = largest(count)
    if recorder.trace is not None and (is_traced(count) or count > UNROLLED):
        start = recorder.trace.loops.number(lower) if is_traced(lower) else lower
        return recorder.trace.loops.counted(lambda i, ends: after(start + i, ends), ends, count)
    for step in range(count):
        ends = after(lower + step, ends, step)
    return ends


def _repeated(cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], carry: Kept) -> list[Any]:
    """The ends of the last x."""
    ends, step, active = carry.ends, 0, True

    def goes(ends: list[Any]) -> Any:
        return _truth(cond_fun(carry.seen(ends)), "ag.while_loop", "what cond_fun returned")

    if recorder.trace is not None:

        def after(ends: list[Any]) -> list[Any]:
            going = goes(ends) if live.levels else True
            return carry.after(body_fun(carry.seen(ends)), ends, 0, going if isinstance(going, Batched) else True)

        return recorder.trace.loops.repeated(goes, after, ends)
    while True:
        going = goes(ends)
        active = going if active is True else logical_and(active, going)
        if not np.any(physical(active)):
            return ends
        ends = carry.after(body_fun(carry.seen(ends)), ends, step, active)
        step += 1


def _branched(pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], operands: tuple[Any, ...]) -> Any:
    """The result of the one, of the other, or of each where it is meant."""
    pred = _truth(pred, "ag.cond", "pred")
    if is_traced(pred):
        return _recorded_branch(pred, true_fun, false_fun, operands)
    if not isinstance(pred, Batched):
        return true_fun(*operands) if pred else false_fun(*operands)
    yes, no = true_fun(*operands), false_fun(*operands)
    return rebuilt(yes, [a if a is b else where(pred, a, b) for a, b in zip(*_alike(yes, no), strict=True)])


def _recorded_branch(pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], operands: tuple[Any, ...]) -> Any:
    """The same while a function is recorded and pred is not known: both are recorded, and one is run."""
    trees: list[Any] = []

    def tried() -> None:
        yes, no = true_fun(*operands), false_fun(*operands)
        _alike(yes, no)
        trees.extend((yes, no))

    def ends(f: Callable[..., Any], other: Any) -> list[Any]:
        result = f(*operands)
        given = zip(leaves(result, like=trees[0]), leaves(other, like=trees[0]), paths(trees[0], "result"), strict=True)
        return [number_of(x, path, "ag.cond", getattr(y, "dtype", None)) for x, y, path in given]

    recorder.trace.forgotten(tried)
    results = recorder.trace.loops.branched(pred, lambda: ends(true_fun, trees[1]), lambda: ends(false_fun, trees[0]))
    return rebuilt(trees[0], results)


def _alike(yes: Any, no: Any) -> tuple[list[Any], list[Any]]:
    """The leaves of two results of `cond`, with the same shapes and dtypes."""
    when = "under ag.jit, and where pred differs between the examples of ag.vmap"
    if not same_shape(yes, no):
        raise TypeError(
            f"ag.cond: true_fun returned {shown(yes)} and false_fun {shown(no)}: {when}, both must return the same containers"
        )
    pairs = []
    for x, y, path in zip(leaves(yes), leaves(no, like=yes), paths(yes, "result"), strict=True):
        a = number_of(x, path, "ag.cond", getattr(y, "dtype", None))
        b = number_of(y, path, "ag.cond", getattr(x, "dtype", None))
        if kind_of(a) != kind_of(b):
            raise TypeError(
                f"ag.cond: {path} of true_fun is {named(*kind_of(a))}, of false_fun {named(*kind_of(b))}: {when}, both must be "
                f"alike: use ag.broadcast_to and astype"
            )
        pairs.append((a, b))
    return [a for a, _ in pairs], [b for _, b in pairs]


# ---------------------------------------------------------------------- what is given


def _pair(result: Any) -> tuple[Any, Any]:
    if type(result) is not tuple or len(result) != 2:
        raise TypeError(f"ag.scan: f returns a pair (carry, y), got {shown(result)}: write return carry, None without any y")
    return result


def _steps(parts: list[Any], names: list[str], length: int | None) -> int:
    """How many steps there are."""
    if length is not None and (not isinstance(length, (int, np.integer)) or isinstance(length, bool) or length < 0):
        raise TypeError(f"ag.scan: length is an integer from 0 on, got {length!r}")
    for x, name in zip(parts, names, strict=True):
        if not x.shape:
            raise ValueError(f"ag.scan: {name} is one number, which has no axis 0 to go along: write np.asarray(list) for a list")
    counts = {x.shape[0]: name for x, name in zip(reversed(parts), reversed(names), strict=True)}
    if len(counts) > 1:
        listed = ", ".join(f"{n} ({name})" for n, name in sorted(counts.items()))
        raise ValueError(f"ag.scan: xs have different lengths along axis 0: {listed}")
    if not counts and length is None:
        raise ValueError("ag.scan: how many steps? There are no xs: write length=n")
    n = next(iter(counts), length)
    if length is not None and n != length:
        raise ValueError(f"ag.scan: length={length}, but xs have {n} along axis 0: leave length out, or cut xs, xs[:{length}]")
    assert n is not None
    return int(n)


def _slices(x: Any, n: int) -> Iterator[Any]:
    """x[0], ..., x[n - 1]. The derivative of a slice is as large as what it is cut from: so a node is cut into pieces first."""
    if n <= FAN or isinstance(x, np.ndarray):
        yield from (x[i] for i in range(n))
        return
    size = -(-n // FAN)
    for start in range(0, n, size):
        yield from _slices(x[start : start + size], min(size, n - start))


def _stacked(column: list[Any]) -> Any:
    return stack(column) if any(isinstance(x, Operand) for x in column) else np.stack(column)


def _bound(x: Any, name: str) -> Any:
    """A bound of fori_loop: a Python integer, or one for each example, or one that is recorded."""
    n = plain(x)
    known = not isinstance(n, Batched) and not is_traced(n)
    if known:
        n = np.asarray(n)
    if n.dtype.kind not in "iu" or n.shape:
        raise TypeError(f"ag.fori_loop: {name} is one integer, got {describe(x)}: write int(n) or n.astype(int) if it is meant")
    return int(n) if known else n


def _wide(n: Any) -> Any:
    return n if type(n) is int or n.dtype == np.int64 else astype(n, np.dtype(np.int64))


def _truth(x: Any, who: str, name: str) -> Any:
    """x as True or False; as a mask, if it differs between the examples or is recorded."""
    value = plain(x)
    known = not isinstance(value, Batched) and not is_traced(value)
    if known:
        value = np.asarray(value)
    if value.dtype.kind not in "biuf":
        raise TypeError(f"{who}: {name} is {describe(x)}, which is neither true nor false: write a comparison")
    if value.shape:
        raise ValueError(
            f"{who}: {name} has the shape {value.shape}, and one truth value is needed: write .all() or .any() of it, or "
            f"ag.where(condition, a, b) for a choice in each element"
        )
    if known:
        return bool(value)
    return value if value.dtype.kind == "b" else not_equal(value, 0)

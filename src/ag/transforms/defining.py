"""ag.define: operators of people's own, as rows of the table."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..operators import later
from ..operators.batching import elementwise, leading, one_by_one
from ..operators.rules import (
    FUNCTIONS,
    Bilinear,
    Elementwise,
    Linear,
    Missing,
    Rule,
    Step,
    broadcast,
    fit,
    shape_of,
    total,
)
from ..operators.table import COMPOSITES, CONSTANTS, TABLE, define as define_row
from ..symbol import Symbol
from .opaque import recorded_call, records, text_of, zero_like

OWN: set[str] = set()  # the names that were defined here: they may be defined again
FIELDS = ("symbol", "latex", "precedence", "kernel", "special", "convention", "doc", "scalar", "output", "complex")
BATCHES = {"elementwise": elementwise, "leading": leading, "loop": one_by_one}

NOBODY = "as it was defined with None for it"

Derivatives = Sequence[Callable[..., Any] | float | None] | None


def define(
    name: str,
    forward: Callable[..., Any],
    *,
    partials: Derivatives = None,
    jvps: Derivatives = None,
    vjps: Derivatives = None,
    linear: Derivatives = None,
    bilinear: Derivatives = None,
    samples: Any = (),
    batch: str | Callable[..., Any] | None = None,
    **fields: Any,
) -> Callable[..., Any]:
    """A new operator: a function of nodes, numbers and arrays with the derivative that is stated.

    Arguments: ``name``, as it is recorded and drawn; ``forward``, a function of plain arrays, with NumPy or anything else. Its
    derivative is stated in one of these ways, each a tuple with one entry for each argument:

    - ``partials``, for an operator that acts element by element: (ans, *args) ↦ ∂ans/∂argument, or a number;
    - ``vjps``, (g, ans, *args, **params) ↦ the cotangent of the argument, and/or ``jvps``, (t, ans, *args, **params) ↦ the
      tangent of the result; each follows from the other, as its transpose;
    - ``linear``, for what is linear in all arguments together: (g, *args, **params) ↦ the cotangent of the argument;
    - ``bilinear``, the same for what is linear in each argument.

    They are written with NumPy's functions or ag's, so that they can be differentiated themselves. None stands for a rule that
    nobody wrote: asking for that derivative raises. Keywords of a call are static parameters of the operator.

    ``samples``, points of its domain, where `ag.testing.check_operator` tries it: a list of tuples of arguments, or a function
    of a random generator that returns [(args, params)]; ``batch``, what it does under ``vmap``: "leading", if it acts on
    the last axes and leaves leading ones alone, "elementwise", or "loop" (the default where there are no partials), one example
    after another; and any of the fields of a row: ``symbol``, ``latex``, ``precedence``, ``kernel``, ``special``, ``convention``,
    ``doc``, ``scalar``, ``output``, ``complex``.

    Returns the function. Raises TypeError and ValueError for what is not like this, and for a name of the library. A name
    of one's own may be defined again.

    >>> gaussian = ag.define("gaussian", lambda x: np.exp(-x * x), partials=[lambda ans, x: -2 * x * ans], samples=[(0.5,)])
    >>> ag.grad(gaussian)(1.0), ag.grad(ag.grad(gaussian))(0.0)
    (-0.7357588823428847, -2.0)
    >>> ag.testing.check_operator(gaussian)
    """
    _check_name(name)
    if not callable(forward):
        raise TypeError(f"ag.define({name!r}): forward is a function of arrays, got {type(forward).__name__}")
    unknown = fields.keys() - set(FIELDS)
    if unknown:
        raise TypeError(f"ag.define({name!r}) has no argument {', '.join(sorted(unknown))}; there are {', '.join(FIELDS)}")
    stated = {"partials": partials, "jvps": jvps, "vjps": vjps, "linear": linear, "bilinear": bilinear}
    given = {kind: tuple(rules) for kind, rules in stated.items() if rules is not None}
    rule, count = _rule(name, forward, given)
    if callable(batch) or batch is None:
        fields["batch"] = batch
    elif batch in BATCHES:
        fields["batch"] = BATCHES[batch]
    else:
        raise ValueError(f"ag.define({name!r}): batch={batch!r} is none of {', '.join(map(repr, BATCHES))}, and no function")
    if partials is not None:
        fields.setdefault("scalar", lambda *xs: float(forward(*map(np.float64, xs))))
    else:
        fields["signature"] = _signature(name, count)
    if name in OWN:
        del TABLE[name]

    @functools.wraps(forward)
    def computed(*arrays: Any, **params: Any) -> Any:
        return np.asarray(forward(*arrays, **params))[()]

    function = define_row(name, computed, rule, samples=_sampler(name, samples), **fields)
    OWN.add(name)
    return function


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"ag.define: a name is an identifier, such as 'gaussian', got {name!r}")
    later.everything()  # rows that join the table when they are asked for have their names as well
    if name not in OWN and (name in TABLE or name in COMPOSITES or name in CONSTANTS or name in FUNCTIONS):
        raise ValueError(f"ag.define: {name!r} is the name of an operator of the library: choose another")


def _rule(name: str, forward: Any, given: dict[str, tuple[Any, ...]]) -> tuple[Rule, int]:
    """The rule, and the number of arguments."""
    kinds = given.keys()
    if not kinds or (len(kinds) > 1 and kinds != {"jvps", "vjps"}):
        raise TypeError(
            f"ag.define({name!r}): state the derivative in one way, partials, jvps and/or vjps, linear or bilinear; "
            f"got {', '.join(kinds) or 'none'}"
        )
    for kind, rules in given.items():
        for i, r in enumerate(rules):
            number = kind == "partials" and isinstance(r, (int, float))
            if r is not None and not callable(r) and not number:
                raise TypeError(
                    f"ag.define({name!r}): {kind}[{i}] is a function{' or a number' * (kind == 'partials')}, or None, "
                    f"got {type(r).__name__}"
                )
    counts = {len(rules) for rules in given.values()}
    if len(counts) > 1 or not counts - {0}:
        listed = ", ".join(f"{len(rules)} {kind}" for kind, rules in given.items())
        raise ValueError(f"ag.define({name!r}): one rule for each argument is needed, got {listed}")
    count = counts.pop()
    names = _names(forward, count)
    if "partials" in given:
        return Elementwise(tuple(_partial(name, x, p) for x, p in zip(names, given["partials"], strict=True))), count
    for kind, make in (("linear", Linear), ("bilinear", Bilinear)):
        if kind in given:
            return make(tuple(r or Missing(name, x, NOBODY) for x, r in zip(names, given[kind], strict=True))), count
    nobody = (None,) * count
    return _Stated(name, names, given.get("jvps", nobody), given.get("vjps", nobody)), count


def _partial(name: str, argument: str, partial: Any) -> Any:
    if partial is None:
        return Missing(name, argument, NOBODY)
    if callable(partial) or partial in (1, -1):
        return partial if callable(partial) else int(partial)
    return None if partial == 0 else lambda ans, *args: partial


def _names(forward: Any, count: int) -> list[str]:
    """What the arguments are called."""
    code = getattr(forward, "__code__", None)
    names = list(code.co_varnames[: code.co_argcount]) if code is not None else []
    return names if len(names) == count else [f"argument {i}" for i in range(count)]


def _signature(name: str, count: int) -> Callable[..., Any]:
    def signature(*args: Any, **params: Any) -> tuple[Any, Any]:
        if len(args) != count:
            raise TypeError(f"{name} takes {count} argument{'s' * (count != 1)}, got {len(args)}; parameters go by keyword")
        return args, params

    return signature


def _sampler(name: str, samples: Any) -> Callable[..., Any]:
    if callable(samples):
        return samples
    if not isinstance(samples, (list, tuple)) or not all(isinstance(args, tuple) for args in samples):
        raise TypeError(f"ag.define({name!r}): samples is a list of tuples of arguments, [(x, y), ...], or a function")
    return lambda rng: [(args, {}) for args in samples]


class _Stated(Rule):
    """Rules for each argument in one mode or both; the other mode is the transpose."""

    def __init__(self, name: str, names: list[str], jvps: tuple[Any, ...], vjps: tuple[Any, ...]) -> None:
        self.name, self.names, self.jvps, self.vjps = name, names, jvps, vjps
        self.open: set[tuple[int, str]] = set()  # the transposes that are being formed

    def states(self, i: int) -> bool:
        return self.jvps[i] is not None or self.vjps[i] is not None

    def _missing(self, i: int) -> Any:
        return Missing(self.name, self.names[i], NOBODY)()

    def vjp(self, i: int, g: Any, step: Step) -> Any:
        if self.vjps[i] is not None:
            return self.vjps[i](g, step.ans, *step.args, **step.params)
        if self.jvps[i] is None:
            self._missing(i)
        if isinstance(g, Symbol):
            return text_of(self, i, g, step)

        def tangent(t: Any) -> Any:
            return broadcast(self.jvps[i](t, step.ans, *step.args, **step.params), shape_of(step.ans))

        return self._transposed(i, "jvps", "vjps", tangent, step.args[i], g, step)

    def jvp(self, tangents: list[Any], step: Step) -> Any:
        terms = [self._tangent(i, t, step) for i, t in enumerate(tangents) if t is not None]
        return broadcast(total(terms), shape_of(step.ans))

    def _tangent(self, i: int, t: Any, step: Step) -> Any:
        if self.jvps[i] is not None:
            return self.jvps[i](t, step.ans, *step.args, **step.params)
        if self.vjps[i] is None:
            self._missing(i)

        def cotangent(g: Any) -> Any:
            return fit(self.vjps[i](g, step.ans, *step.args, **step.params), step.args[i])

        return self._transposed(i, "vjps", "jvps", cotangent, step.ans, t, step)

    def _transposed(self, i: int, given: str, needed: str, linear: Any, like: Any, g: Any, step: Step) -> Any:
        """The transpose of a linear function, applied to g."""
        if (i, given) in self.open:
            raise TypeError(
                f"{given}[{i}] of {self.name} is written with {self.name} itself, so its transpose leads back to itself: "
                f"state {needed}[{i}] as well"
            )
        self.open.add((i, given))
        try:
            (c,) = recorded_call(linear, [zero_like(like)], self.name).carried_back(g, [], records(step, g))
        finally:
            self.open.discard((i, given))
        return zero_like(like) if c is None else c


"""The kinds of derivative rule. A row states its derivative once; both modes follow from the kind.

Every rule is written in the library's own operators. Called on plain arrays it computes plain arrays, called on
nodes it records, so derivatives of any order are derivatives like any other.

`vjp(i, g, step)` gives the cotangent of argument i (before broadcasting is undone), `jvp(tangents, step)` the
tangent of the result; None stands for "does not depend".

`exact_vjp` does the same with a mask of what can depend at all. A position that the output can't depend on
contributes exactly zero, even where the local partial is inf or nan; see `adjoint`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import numpy as np

from .operands import (
    FUNCTIONS as FUNCTIONS,
    any_over as any_over,
    as_floats as as_floats,
    as_known as as_known,
    benign as benign,
    broadcast as broadcast,
    everywhere as everywhere,
    expanded as expanded,
    fit as fit,
    float_of as float_of,
    holds as holds,
    is_complex as is_complex,
    masked as masked,
    numbers_of as numbers_of,
    real_like as real_like,
    reshaped as reshaped,
    scale as scale,
    shape_of as shape_of,
    total as total,
    value_of as value_of,
    zero_of as zero_of,
    zeros_like as zeros_like,
)

Partial = Callable[..., Any] | int | None

# What the passes write out in place of a call: partials of 1 and -1, and those that only name the result or the
# other argument, as those of exp and of a product do.
PLUS, MINUS = 1, -1
ANSWER, OTHER = object(), object()
_NAMES = tuple(f.__code__.co_code for f in (lambda ans, x, y: ans, lambda ans, x, y: x, lambda ans, x, y: y))


class Step(NamedTuple):
    """One application of an operator: ans = op(*args, **params), in nodes (to record) or in plain values."""

    op: Any
    ans: Any
    args: tuple[Any, ...]
    params: dict[str, Any]


def recorded(node: Any) -> Step:
    """The application that made a node, in nodes."""
    return Step(node.op, node, node.inputs, node.params)


def computed(node: Any) -> Step:
    """The application that made a node, in plain values: NumPy's floats in place of Python's, as those raise."""
    return Step(node.op, _as_numpy(node._value), tuple(_as_numpy(value_of(x)) for x in node.inputs), node.params)


def _as_numpy(x: Any) -> Any:
    return np.float64(x) if type(x) is float else x


class Rule:
    """What all kinds share."""

    partials: tuple[Partial, ...] | None = None  # only of elementwise rows: the passes inline those
    selects: bool = False  # is a partial of exactly 0 a position that the output can't depend on?
    complex: bool = False  # does such a rule hold for complex numbers, if the row does not say?

    def written_out(self) -> tuple[Partial | object, ...]:
        """Of elementwise rows: the partials as the passes write them out."""
        raise NotImplementedError

    def depends_on(self, i: int) -> bool:
        """Has argument i a derivative at all?"""
        return True

    def states(self, i: int) -> bool:
        """Has argument i a derivative, and a rule for it?"""
        parts = self.partials or getattr(self, "transposes", None)
        return self.depends_on(i) and not (isinstance(parts, tuple) and isinstance(parts[i], Missing))

    def vjp(self, i: int, g: Any, step: Step) -> Any:
        raise NotImplementedError

    def jvp(self, tangents: list[Any], step: Step) -> Any:
        raise NotImplementedError

    def factors(self, i: int, g: Any, step: Step) -> tuple[Any, Any] | None:
        """g and the local partial, broadcast against each other, whose product is the vjp; None where it is no such product."""
        return None

    def exact_vjp(self, i: int, g: Any, mask: Any, step: Step) -> tuple[Any, Any]:
        """The cotangent of argument i, in its shape, and its mask. For any rule: nan put in at the dependent
        positions shows where this linear map of g carries them, with benign numbers for the arguments."""
        args = tuple(benign(value_of(x)) for x in step.args)
        traced = Step(step.op, step.op.forward(*args, **step.params), args, step.params)
        poison = np.where(mask, np.nan, 0.0)
        reached = np.isnan(fit(self.vjp(i, poison, traced), np.zeros(shape_of(args[i]))))
        return masked(reached, fit(self.vjp(i, g, step), step.args[i])), reached


class Missing:
    """In the place of a partial that nobody can state: an error that names it."""

    def __init__(self, name: str, argument: str, reason: str = "as it has no closed form") -> None:
        self.name, self.argument, self.reason = name, argument, reason

    def __call__(self, *args: Any) -> NoReturn:
        raise TypeError(
            f"∂{self.name}/∂{self.argument} has no rule, {self.reason}: give {self.argument} as a plain number, "
            f"or ag.stop_gradient({self.argument})"
        )


class Elementwise(Rule):
    """``partials[i](ans, *args)`` is ∂ans/∂args[i], element by element; 1 and -1 stand as plain numbers, and None
    for an argument without a derivative. ``selects``: see `Rule`."""

    def __init__(self, partials: tuple[Partial, ...], selects: bool = False) -> None:
        self.partials: tuple[Partial, ...] = partials
        self.selects = selects

    def depends_on(self, i: int) -> bool:
        return self.partials[i] is not None

    def partial(self, i: int, ans: Any, args: tuple[Any, ...]) -> Any:
        partial = self.partials[i]
        if not callable(partial):
            return partial
        try:
            return partial(ans, *args)
        except (ZeroDivisionError, OverflowError):  # of Python's numbers alone, where IEEE has an answer
            found = partial(ans, *[np.float64(x) if type(x) in (float, int) else x for x in args])
            return float(found) if type(found) is np.float64 else found

    def written_out(self) -> tuple[Any, ...]:
        """The partials, with marks for those that need no call."""
        marks = {(0, 0): ANSWER, (1, 0): ANSWER, (0, 2): OTHER, (1, 1): OTHER}
        codes = [getattr(getattr(partial, "__code__", None), "co_code", None) for partial in self.partials]
        named = [_NAMES.index(code) if code in _NAMES else None for code in codes]
        return tuple(marks.get((i, k), self.partials[i]) for i, k in enumerate(named))  # type: ignore[arg-type]

    def vjp(self, i: int, g: Any, step: Step) -> Any:
        return scale(g, self.partial(i, step.ans, step.args))

    def factors(self, i: int, g: Any, step: Step) -> tuple[Any, Any] | None:
        return g, self.partial(i, step.ans, step.args)

    def jvp(self, tangents: list[Any], step: Step) -> Any:
        terms = []
        for i, t in enumerate(tangents):
            if t is not None and self.partials[i] is not None:
                partial = self.partial(i, step.ans, step.args)
                term = real_like(scale(t, partial), float_of(step.ans))
                terms.append(masked(value_of(partial) != 0, term) if self.selects else term)
        return broadcast(total(terms), shape_of(step.ans)) if terms else None

    def exact_vjp(self, i: int, g: Any, mask: Any, step: Step) -> tuple[Any, Any]:
        partial = self.partial(i, step.ans, step.args)
        if self.selects:
            mask = mask & np.asarray(value_of(partial) != 0)
        contribution = masked(mask, scale(g, partial))
        return fit(contribution, step.args[i]), any_over(mask, step.args[i])


class Reduction(Rule):
    """A function of one array along axes, with ``weights(ans, x, **params)`` = ∂ans/∂x of the shape of x,
    where ans is given with the reduced axes kept as 1. Further arguments have no derivative."""

    def __init__(self, weights: Callable[..., Any], selects: bool = False) -> None:
        self.weights = weights
        self.selects = selects

    def depends_on(self, i: int) -> bool:
        return i == 0

    def _expanded(self, y: Any, step: Step) -> Any:
        return expanded(y, step.args[0], step.params["axis"], step.params.get("keepdims", False))

    def _weights(self, step: Step) -> Any:
        return self.weights(self._expanded(step.ans, step), *step.args, **step.params)

    def factors(self, i: int, g: Any, step: Step) -> tuple[Any, Any] | None:
        return self._expanded(g, step), self._weights(step)

    def vjp(self, i: int, g: Any, step: Step) -> Any:
        return self._expanded(g, step) * self._weights(step)

    def jvp(self, tangents: list[Any], step: Step) -> Any:
        weights = self._weights(step)
        product = real_like(tangents[0] * weights, float_of(step.ans))
        if self.selects:
            product = masked(value_of(weights) != 0, product)
        return FUNCTIONS["sum"](product, axis=step.params["axis"], keepdims=step.params.get("keepdims", False))

    def exact_vjp(self, i: int, g: Any, mask: Any, step: Step) -> tuple[Any, Any]:
        weights = self._weights(step)
        mask = np.broadcast_to(self._expanded(np.asarray(mask), step), shape_of(step.args[0]))
        if self.selects:
            mask = mask & np.asarray(value_of(weights) != 0)
        return fit(masked(mask, self._expanded(g, step) * weights), step.args[0]), mask


class Linear(Rule):
    """Linear in its arguments together: the tangent is the operator itself applied to the tangents.
    ``transposes[i](g, *args, **params)`` uses the shapes of args alone; None for an argument without a derivative.
    A single function ``transposes(i, g, *args, **params)`` serves any number of like arguments."""

    def __init__(
        self, transposes: tuple[Callable[..., Any] | None, ...] | Callable[..., Any], selects: bool = False
    ) -> None:
        self.transposes = transposes
        self.selects = selects

    def depends_on(self, i: int) -> bool:
        return callable(self.transposes) or self.transposes[i] is not None

    def vjp(self, i: int, g: Any, step: Step) -> Any:
        if callable(self.transposes):
            return self.transposes(i, g, *step.args, **step.params)
        transpose = self.transposes[i]
        assert transpose is not None
        return transpose(g, *step.args, **step.params)

    def jvp(self, tangents: list[Any], step: Step) -> Any:
        args = tuple(
            x if not self.depends_on(i) else zeros_like(x) if t is None else t
            for i, (t, x) in enumerate(zip(tangents, step.args, strict=True))
        )
        return step.op.apply(args, step.params)


class Bilinear(Rule):
    """Linear in each argument: the tangent is the operator with one argument replaced by its tangent, summed.
    ``transposes[i](g, *args, **params)``, or one function ``transposes(i, g, *args, **params)`` for like arguments."""

    def __init__(self, transposes: tuple[Callable[..., Any], ...] | Callable[..., Any]) -> None:
        self.transposes = transposes

    def vjp(self, i: int, g: Any, step: Step) -> Any:
        if callable(self.transposes):
            return self.transposes(i, g, *step.args, **step.params)
        return self.transposes[i](g, *step.args, **step.params)

    def jvp(self, tangents: list[Any], step: Step) -> Any:
        terms = []
        for i, t in enumerate(tangents):
            if t is not None:
                terms.append(step.op.apply((*step.args[:i], t, *step.args[i + 1 :]), step.params))
        return total(terms)

    def exact_vjp(self, i: int, g: Any, mask: Any, step: Step) -> tuple[Any, Any]:
        """A sum of products: a product with something not finite counts only where its g can depend."""
        op, ans, args, params = step
        x = args[i]

        def carried(mask: Any, stand_ins: list[Any]) -> Any:
            c = self.vjp(i, np.asarray(mask, dtype=float), Step(op, ans, tuple(stand_ins), params))
            return fit(c, np.zeros(shape_of(x))) > 0

        ones = [np.ones(shape_of(a)) for a in args]
        touched = np.zeros(shape_of(x), bool)
        finite = list(args)
        for j, a in enumerate(args):
            bad = ~np.isfinite(value_of(a))
            if j != i and bad.any():
                finite[j] = masked(~bad, a)
                touched = touched | carried(mask, [*ones[:j], bad.astype(float), *ones[j + 1 :]])
        contribution = fit(self.vjp(i, g, Step(op, ans, tuple(finite), params)), x)
        if touched.any():
            plain = fit(self.vjp(i, g, step), x)
            contribution = FUNCTIONS["where"](touched, plain, contribution)
        return contribution, carried(mask, ones)


class Custom(Rule):
    """Both modes written out: ``jvp_rule(tangents, ans, *args, **params)`` (None: does not depend), and
    ``vjp_rule(i, g, ans, *args, **params)``. ``arguments``: those that have a derivative."""

    def __init__(
        self, jvp_rule: Callable[..., Any], vjp_rule: Callable[..., Any], arguments: tuple[int, ...] = (0,),
        selects: bool = False,
    ) -> None:
        self.jvp_rule = jvp_rule
        self.vjp_rule = vjp_rule
        self.arguments = arguments
        self.selects = selects

    def depends_on(self, i: int) -> bool:
        return i in self.arguments

    def vjp(self, i: int, g: Any, step: Step) -> Any:
        return self.vjp_rule(i, g, step.ans, *step.args, **step.params)

    def jvp(self, tangents: list[Any], step: Step) -> Any:
        return self.jvp_rule(tangents, step.ans, *step.args, **step.params)


class Zero(Rule):
    """Piecewise constant: the derivative is 0 wherever there is one, so nothing depends on the arguments."""

    def depends_on(self, i: int) -> bool:
        return False

    def jvp(self, tangents: list[Any], step: Step) -> Any:
        return None

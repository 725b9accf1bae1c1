"""Derivatives that people write for their own functions: custom_jvp and custom_vjp, as JAX has them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..adjoint import conjugate
from ..batched import physical, under
from ..node import Node, Operand, describe
from ..operators.rules import Step, broadcast, shape_of, value_of, zeros_like
from ..traced import Traced
from .arguments import function_of
from .containers import leaves, mapped, rebuilt
from .opaque import Call, Together, name_of, recorded_call, records, zero_like
from .recording import Recorded

Function = Callable[..., Any]


class _Custom:
    """What both have in common: the function, and which of its arguments are differentiated."""

    transform = ""

    def __init__(self, f: Function, nondiff_argnums: Sequence[int] = ()) -> None:
        self.f = function_of(f, self.transform)
        self.name = name_of(f, self.transform.removeprefix("ag."))
        self.fixed = tuple(nondiff_argnums)
        self._has_defaults = bool(getattr(f, "__defaults__", None))
        functools.update_wrapper(self, f)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs or self._has_defaults:
            import inspect  # here, as it is slow to import

            bound = inspect.signature(self.f).bind(*args, **kwargs)
            bound.apply_defaults()
            args, rest = bound.args, bound.kwargs
            if any(isinstance(x, Operand) for x in leaves(rest)):
                raise TypeError(
                    f"{self.name}: {', '.join(rest)} can be given by keyword alone, and {self.transform} differentiates "
                    f"positional arguments: make it positional"
                )
            if rest:
                return type(self)._with_keywords(self, rest)(*args)
        fixed = {n % len(args) for n in self.fixed} if args else set()
        for n in sorted(fixed):
            if any(isinstance(x, Node) for x in leaves(args[n])):
                raise TypeError(
                    f"{self.name}: argument {n} is among nondiff_argnums, and was given {describe(leaves(args[n])[0])}, whose "
                    f"derivative would be lost: pass its numbers, or take {n} out of nondiff_argnums"
                )
        call = Call(tuple(x for n, x in enumerate(args) if n not in fixed))
        if not call.is_recorded():
            return self.f(*args)
        return self._differentiable(call, args, fixed)

    def _with_keywords(self, keywords: dict[str, Any]) -> Any:
        raise NotImplementedError

    def _differentiable(self, call: Call, args: tuple[Any, ...], fixed: set[int]) -> Any:
        raise NotImplementedError

    def _plain(self, result: Any) -> Any:
        """A result of the function on plain numbers. Raises TypeError if it captured a node."""
        for y in leaves(result):
            node = physical(y)
            if isinstance(node, Node):
                raise TypeError(
                    f"{self.name} with {self.transform} captures a node, on which its result {describe(node)} depends, and its "
                    f"rule says nothing of it: pass the node as an argument"
                )
        return result


def _merged(args: tuple[Any, ...], fixed: set[int], rest: tuple[Any, ...]) -> tuple[Any, ...]:
    """All arguments in their order: the fixed ones, and ``rest`` in the places between."""
    others = iter(rest)
    return tuple(x if n in fixed else next(others) for n, x in enumerate(args))


class custom_jvp(_Custom):
    """f with a derivative of its own: ẏ = rule(x, ẋ).

    Arguments: ``f``, a function of arrays and containers of arrays, which is given plain numbers and may compute with
    anything (but under ``jit``, where it is recorded, with NumPy's functions and ag's); ``nondiff_argnums``, positions of
    arguments that are not differentiated and go to the rule as they are.

    ``f.defjvp(rule)`` states the rule, a function (primals, tangents) -> (output, tangent of the output), after the arguments
    that are not differentiated; it is linear in the tangents, and is written with NumPy's or ag's functions.
    ``f.defjvps(rule, ...)`` states one for each argument, (tangent, output, *primals) -> tangent, or None for a tangent of 0.
    Reverse mode and higher derivatives follow from it.

    Raises TypeError when there is no rule yet, when the rule gives a tangent that is not like the output, and when f
    captures a node.

    >>> @ag.custom_jvp
    ... def log1pexp(x):
    ...     return np.log1p(np.exp(x))
    >>> @log1pexp.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return log1pexp(x), t * ag.sigmoid(x)
    >>> ag.grad(log1pexp)(0.0), ag.grad(ag.grad(log1pexp))(0.0)
    (0.5, 0.25)
    """

    transform = "ag.custom_jvp"
    rule: Function | None = None

    def defjvp(self, rule: Function) -> Function:
        """State the rule (*fixed, primals, tangents) -> (output, tangent); returns it, so that it can be a decorator."""
        self.rule = function_of(rule, f"{self.name}.defjvp")
        return rule

    def defjvps(self, *rules: Function | None) -> None:
        """State a rule (tangent, output, *primals) -> tangent for each argument; None for a tangent of 0."""
        if self.fixed:
            raise TypeError(f"{self.name}.defjvps is for functions without nondiff_argnums: write defjvp")

        def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
            if len(rules) != len(primals):
                raise TypeError(f"{self.name}.defjvps was given {len(rules)} rules, the function {len(primals)} arguments")
            y = self(*primals)
            parts = [r(t, y, *primals) for r, t in zip(rules, tangents, strict=True) if r is not None]
            if not parts:
                return y, mapped(zero_like, y)
            columns = [leaves(part, like=y) for part in parts]
            return y, rebuilt(y, [functools.reduce(lambda a, b: a + b, ts) for ts in zip(*columns, strict=True)])

        self.defjvp(rule)

    def _with_keywords(self, keywords: dict[str, Any]) -> Any:
        copy = custom_jvp(functools.partial(self.f, **keywords), self.fixed)
        copy.name, copy.rule = self.name, self.rule
        return copy

    def _differentiable(self, call: Call, args: tuple[Any, ...], fixed: set[int]) -> Any:
        rule = self.rule
        if rule is None:
            raise TypeError(f"{self.name} is decorated with ag.custom_jvp and has no rule yet: write {self.name}.defjvp(rule)")
        static = tuple(x for n, x in enumerate(args) if n in fixed)

        def forward(*inputs: Any) -> Any:
            with under(call.levels):
                return call.packed(self._plain(self.f(*_merged(args, fixed, call.given(inputs)))))

        def tangent(inputs: Sequence[Any], tangents: Sequence[Any]) -> Any:
            with call.running(*tangents):
                primals = call.given(inputs)
                result = rule(*static, primals, call.directions(primals, tangents))
                if not (isinstance(result, tuple) and len(result) == 2):
                    raise TypeError(f"the rule of {self.name} returns (output, tangent), got {type(result).__name__}")
                return call.tangent(result[1], f"the rule of {self.name}")

        value = forward(*map(value_of, call.inputs))
        return call.node(self.name, value, _Forward(tangent, self.name), forward)


class _Forward(Together):
    """A rule for forward mode; reverse mode is its transpose."""

    def __init__(self, tangent: Callable[[Sequence[Any], Sequence[Any]], Any], name: str) -> None:
        super().__init__()
        self.tangent, self.name = tangent, name

    def jvp(self, tangents: list[Any], step: Step) -> Any:
        filled = [zero_like(x) if t is None else t for t, x in zip(tangents, step.args, strict=True)]
        tangent = self.tangent(step.args, filled)
        numbers = physical(value_of(tangent))
        if type(numbers) is Traced or not np.isfinite(numbers).all():  # a tangent that is no input, and 0, may have met inf
            tangent = self._linear(step).carried_forward(tangents, [], records(step, *tangents))
            tangent = zeros_like(step.ans) if tangent is None else tangent
        return broadcast(tangent, shape_of(step.ans))

    def pulled(self, g: Any, step: Step) -> list[Any]:
        return self._linear(step).carried_back(g, [], records(step, g))

    def pulled_exactly(self, g: Any, mask: Any, step: Step) -> list[tuple[Any, Any]]:
        linear = self._linear(step)
        return linear.carried_back_from(linear.roots[0], g, mask, [], records(step, g))

    def _linear(self, step: Step) -> Recorded:
        """The rule as a function of the tangents."""
        return recorded_call(lambda *ts: self.tangent(step.args, ts), [zero_like(x) for x in step.args], self.name)


class custom_vjp(_Custom):
    """f with a derivative of its own for reverse mode: x̄ = backward(residuals, ȳ).

    Arguments: as for `custom_jvp`.

    ``f.defvjp(forward, backward)`` states the rule: ``forward(*args)`` returns (output, residuals), where the residuals
    are what the derivative needs; ``backward(*fixed, residuals, cotangent)`` returns a tuple with one cotangent for each
    argument that is differentiated, each like its argument, or None for 0. Both are written with NumPy's or ag's functions.

    Raises TypeError when there is no rule yet, in forward mode (which custom_jvp has), when a cotangent is not like its
    argument, and when f captures a node.

    >>> @ag.custom_vjp
    ... def clipped_gradient(x):
    ...     return x
    >>> clipped_gradient.defvjp(lambda x: (x, None), lambda residuals, g: (np.clip(g, -1.0, 1.0),))
    >>> ag.grad(lambda x: 10 * clipped_gradient(x))(3.0)
    1.0
    """

    transform = "ag.custom_vjp"
    rules: Any = None

    def defvjp(self, forward: Function, backward: Function) -> None:
        """State the rule: forward(*args) -> (output, residuals), backward(*fixed, residuals, cotangent) -> cotangents."""
        self.rules = function_of(forward, f"{self.name}.defvjp"), function_of(backward, f"{self.name}.defvjp")

    def _with_keywords(self, keywords: dict[str, Any]) -> Any:
        copy = custom_vjp(functools.partial(self.f, **keywords), self.fixed)
        if self.rules is not None:
            copy.rules = functools.partial(self.rules[0], **keywords), self.rules[1]
        copy.name = self.name
        return copy

    def _differentiable(self, call: Call, args: tuple[Any, ...], fixed: set[int]) -> Any:
        if self.rules is None:
            raise TypeError(
                f"{self.name} is decorated with ag.custom_vjp and has no rule yet: write {self.name}.defvjp(forward, backward)"
            )
        run, backward = self.rules
        static = tuple(x for n, x in enumerate(args) if n in fixed)

        def forward(*inputs: Any) -> tuple[Any, Any]:
            with under(call.levels):
                result = run(*_merged(args, fixed, call.given(inputs)))
                if not (isinstance(result, tuple) and len(result) == 2):
                    raise TypeError(f"the forward rule of {self.name} returns (output, residuals), got {type(result).__name__}")
                return call.packed(result[0]), result[1]

        def back(residuals: Any, g: Any) -> list[Any]:
            with call.running(g):
                given = backward(*static, residuals, call.cotangent(conjugate(g)))
                return [c if c is None else conjugate(c) for c in call.cotangents(given, f"the backward rule of {self.name}")]

        value, residuals = forward(*map(value_of, call.inputs))
        self._plain(call.unpacked(value))
        rest = [n for n in range(len(args)) if n not in fixed]
        numbers = [rest[n] for n in call.argument_numbers()]
        return call.node(self.name, value, _Reverse(forward, back, residuals, self.name, numbers), lambda *xs: forward(*xs)[0])


class _Reverse(Together):
    """A rule for reverse mode alone."""

    def __init__(self, forward: Function, back: Function, residuals: Any, name: str, numbers: list[int]) -> None:
        super().__init__()
        self.forward, self.back, self.residuals, self.name, self.numbers = forward, back, residuals, name, numbers

    def pulled(self, g: Any, step: Step) -> list[Any]:
        if records(step):
            return self.back(self.forward(*step.args)[1], g)
        return self.back(self.residuals, g)

    def pulled_exactly(self, g: Any, mask: Any, step: Step) -> list[tuple[Any, Any]]:
        """The backward rule is linear in g: transposed twice it is itself, as a graph that has masks."""
        given = self.pulled(g, step)
        if not np.any(mask):
            return [(None, None)] * len(given)
        residuals = self.forward(*step.args)[1] if records(step) else self.residuals
        places = [i for i, c in enumerate(given) if c is not None]
        try:
            linear = recorded_call(lambda g: [self.back(residuals, g)[i] for i in places], [zeros_like(step.ans)], self.name)
        except Exception:
            # It computes with something that takes plain numbers alone. They went through it: anything may depend.
            return [(c, None if c is None else np.ones(shape_of(c), bool)) for c in given]
        results: list[tuple[Any, Any]] = [(None, None)] * len(given)
        for i, root in zip(places, linear.roots, strict=True):
            if isinstance(root, Node):
                transposed = recorded_call(
                    lambda c, root=root: linear.carried_back_from(root, c, None, [], True)[0][0], [zeros_like(root)], self.name
                )
                (results[i],) = transposed.carried_back_from(transposed.roots[0], g, mask, [], records(step, g))
        return results

    def jvp(self, tangents: list[Any], step: Step) -> Any:
        numbers = sorted({n for n, t in zip(self.numbers, tangents, strict=True) if t is not None})
        raise TypeError(
            f"{self.name} has a rule for reverse mode alone (ag.custom_vjp), and its derivative along argument "
            f"{' and '.join(map(str, numbers))} was asked for in forward mode: use ag.grad, ag.vjp or ag.jacrev, or state a "
            f"rule for both modes with ag.custom_jvp"
        )

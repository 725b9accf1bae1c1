"""Functions that an equation defines: roots and fixed points. Their derivative follows from the equation, not from the solver.

Where f(x, θ) = 0 and J = ∂f/∂x is invertible, ∂x/∂θ = -J⁻¹ ∂f/∂θ (the implicit function theorem).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..batched import under
from ..capture import recorder
from ..node import Node
from ..operators.batching import lowered, raised
from ..operators.elementwise import absolute
from ..operators.operands import shape_of, value_of
from ..operators.reductions import all as every, max as largest
from ..operators.rules import Step, masked
from ..operators.shaping import astype
from ..operators.solving import solve
from ..operators.steps import isfinite, less_equal
from ..traced import is_traced
from .arguments import function_of, plain
from .containers import mapped
from .iterating import ended, newton, repeated
from .jacobians import jacrev
from .opaque import Call, Together, recorded_call, records
from .stopping import stop_gradient
from .vectors import Layout

Solver = Callable[[Callable[[Any], Any], Any], Any] | None

WITH_JACOBIAN = ("hybr", "lm")  # of SciPy's methods


def root(
    f: Callable[..., Any], x0: Any, *args: Any, method: str = "hybr", solver: Solver = None,
    tol: float | None = None, options: dict[str, Any] | None = None,
) -> Any:
    """x with f(x, *args) = 0. Its derivative is ∂x/∂θ = -(∂f/∂x)⁻¹ ∂f/∂θ for each θ among ``args``, whatever finds x.

    Arguments: ``f``, a function of x and args that returns as many numbers as x has, in a container like it; ``x0``, where
    the search begins: a float, a float array or a container of them; ``args``, arrays and containers of arrays. Nodes that
    f captures are differentiated as well; x0 is not. ``method``, ``tol`` and ``options`` are those of
    ``scipy.optimize.root``, which is given the Jacobian; ``solver`` takes its place: a function (f, x0) -> x.
    Under ``vmap`` the search is Newton's, for all examples at once, unless there is a solver; so it is under ``jit``, and where
    it finds no root there, the call is computed without the compiler.

    Returns x, like x0; both modes and all orders of derivatives follow.

    Raises RuntimeError when no root is found; numpy.linalg.LinAlgError when ∂f/∂x is singular there and a derivative is
    asked for; TypeError and ValueError when f(x) is not like x. Needs SciPy (the extra ``learn``) without a solver.

    >>> def cube_root(a):
    ...     return ag.root(lambda x, a: x**3 - a, 1.0, a)
    >>> round(cube_root(8.0), 12), round(ag.grad(cube_root)(8.0), 12)
    (2.0, 0.083333333333)
    """
    function_of(f, "ag.root")
    equation = _Equation(f, x0, args, "ag.root")
    if solver is None:
        by_newton = equation.call.levels or recorder.trace is not None
        solver = _newton(equation) if by_newton else _scipy(equation, method, tol, options)
        return equation.solved(solver, False)
    return equation.solved(solver, True)


def fixed_point(
    g: Callable[..., Any], x0: Any, *args: Any, solver: Solver = None, tol: float = 1e-12, max_iterations: int = 10_000
) -> Any:
    """x with x = g(x, *args). Its derivative is ∂x/∂θ = (1 - ∂g/∂x)⁻¹ ∂g/∂θ for each θ among ``args``, whatever finds x.

    Arguments: as for `root`, for a function that returns the next x. Without a ``solver``, a function (g, x0) -> x, it is
    repeated until x changes by no more than ``tol`` · (1 + |x|), at most ``max_iterations`` times.

    Returns x, like x0. Raises RuntimeError when it does not settle, and as `root` does.

    >>> ag.fixed_point(lambda x: np.cos(x), 1.0)
    0.739085133215...
    >>> ag.grad(lambda a: ag.fixed_point(lambda x: (x + a / x) / 2, 1.0))(2.0)  # of √a: 1 / (2√2)
    0.35355339059327...
    """
    function_of(g, "ag.fixed_point")

    def f(x: Any, *args: Any) -> Any:
        layout = equation.layout
        return layout.tree(layout.vector(g(x, *args), "ag.fixed_point: g") - layout.vector(x))

    def next_one(x: Any) -> Any:
        return mapped(plain, g(x, *equation.plain_args))

    equation = _Equation(f, x0, args, "ag.fixed_point")
    if solver is None:
        return equation.solved(lambda *_: _repeated(equation, next_one, tol, max_iterations), False)
    own = solver
    return equation.solved(lambda _, x: own(next_one, x), True)


class _Equation:
    """f(x, *args) = 0 on vectors: under vmap, of all examples, with the hidden axes in front."""

    def __init__(self, f: Callable[..., Any], x0: Any, args: tuple[Any, ...], who: str) -> None:
        self.f, self.who = f, who
        self.x0 = stop_gradient(x0)
        self.layout = Layout(self.x0, who)
        if not self.layout.size:
            raise ValueError(f"{who}: x0 has no elements")
        self.call = Call(args)
        self.values = [value_of(x) for x in self.call.inputs]
        self.plain_args = self.call.given(self.values)

    def of_example(self, vector: Any, inputs: Any) -> Any:
        """f as a function of the vector of one example (under vmap: batched)."""
        y = self.f(self.layout.tree(vector), *self.call.given(inputs))
        result = self.layout.vector(y, f"{self.who}: f")
        if shape_of(result) != (self.layout.size,):
            raise ValueError(
                f"{self.who}: f(x) has {shape_of(result)[0]} numbers, x has {self.layout.size}: as many equations as unknowns "
                f"are needed"
            )
        return result

    def residual(self, x: Any, *inputs: Any) -> Any:
        """The same of all examples."""
        levels = self.call.levels
        with under(levels):
            return lowered(self.of_example(raised(x, levels), inputs), levels)

    def jacobian(self, x: Any, inputs: Any) -> Any:
        """∂f/∂x, of each example."""
        return jacrev(lambda v: self.of_example(v, inputs))(raised(x, self.call.levels))

    def solved(self, solver: Callable[[Callable[[Any], Any], Any], Any], check: bool) -> Any:
        """x, as a node if it depends on nodes."""
        levels = self.call.levels
        found = solver(lambda x: mapped(plain, self.f(x, *self.plain_args)), self.x0)
        x = _floats(lowered(self.layout.vector(stop_gradient(found), f"{self.who}: the solver"), levels))
        record = recorded_call(self.residual, [x, *self.values], self.who)
        captured = record.captured()
        if not ended(every(isfinite(value_of(record.output)))):
            raise RuntimeError(f"{self.who}: f is not finite at the x that was found: begin elsewhere, with another x0")
        if check:
            self._check(x)
        if not self.call.is_recorded() and not captured:
            return self.layout.tree(raised(x, levels))
        self.call.packed(raised(x, levels))
        rule = _Implicit(self, captured)
        node = self.call.node(self.who.removeprefix("ag."), x, rule, lambda *_: x, captured)
        return self.layout.tree(node)

    def matrix(self, x: Any) -> Any:
        """The numbers of ∂f/∂x, of all examples."""
        with under(self.call.levels):
            return value_of(lowered(self.jacobian(x, self.values), self.call.levels))

    def start(self) -> Any:
        """The numbers of x0, of all examples."""
        return _floats(lowered(self.layout.vector(self.x0), self.call.levels))

    def _check(self, x: Any) -> None:
        """Is it a root at all? A step of Newton's method from there must be short."""
        try:
            step = solve(self.matrix(x), value_of(self.residual(x, *self.values))[..., None])[..., 0]
        except np.linalg.LinAlgError:
            return  # a derivative will say so
        far = largest(absolute(step) / (1 + absolute(x)))
        if not ended(less_equal(far, 1e-3)):
            raise RuntimeError(
                f"{self.who}: the solver stopped where the equation does not hold: Newton's method would go on by {far:.2g} "
                f"of x; the derivative is that of a solution, so let the solver run longer"
            )


def _floats(x: Any) -> Any:
    """The numbers of an array in float64."""
    x = value_of(x)
    return astype(x, np.dtype(float)) if is_traced(x) else np.array(x, float)


class _Implicit(Together):
    """∂x/∂θ = -J⁻¹ ∂f/∂θ."""

    def __init__(self, equation: _Equation, captured: list[Node]) -> None:
        super().__init__()
        self.equation, self.captured = equation, captured

    def _record(self, step: Step) -> Any:
        own = step.args[: len(step.args) - len(self.captured)]
        return recorded_call(lambda *inputs: self.equation.residual(step.ans, *inputs), own, self.equation.who)

    def _solved(self, b: Any, step: Step, transposed: bool) -> Any:
        """-J⁻¹ b, or -J⁻ᵀ b."""
        equation = self.equation
        levels = equation.call.levels
        own = step.args[: len(step.args) - len(self.captured)]
        with under(levels):
            matrix = equation.jacobian(step.ans, own)
            if not records(step):
                matrix = mapped(plain, matrix)
        with equation.call.running(b):
            try:
                return -lowered(solve(matrix.mT if transposed else matrix, raised(b, levels)), levels)
            except np.linalg.LinAlgError:
                raise np.linalg.LinAlgError(
                    f"{equation.who}: ∂f/∂x is singular at the solution, so it has no derivative there"
                ) from None

    def pulled(self, g: Any, step: Step) -> list[Any]:
        w = self._solved(g, step, True)
        return self._record(step).carried_back(w, self.captured, records(step, g))

    def pulled_exactly(self, g: Any, mask: Any, step: Step) -> list[tuple[Any, Any]]:
        """The system is dense: all of w can depend if one number of x can, in each example by itself."""
        w = masked(mask := np.broadcast_to(mask.any(axis=-1, keepdims=True), mask.shape), self._solved(g, step, True))
        record = self._record(step)
        return record.carried_back_from(record.roots[0], w, mask, self.captured, records(step, g))

    def jvp(self, tangents: list[Any], step: Step) -> Any:
        change = self._record(step).carried_forward(tangents, self.captured, records(step, *tangents))
        return None if change is None else self._solved(change, step, False)


# ---------------------------------------------------------------------- solvers


def _scipy(equation: _Equation, method: str, tol: float | None, options: dict[str, Any] | None) -> Any:
    """scipy.optimize.root, with the Jacobian where the method takes one."""
    try:
        import scipy.optimize
    except ImportError:
        raise ImportError(
            "ag.root finds roots by SciPy: pip install 'ag-autodiff[learn]', or give a solver, a function (f, x0) -> x"
        ) from None

    def solver(f: Callable[[Any], Any], x0: Any) -> Any:
        layout = equation.layout
        jacobian = (lambda v: value_of(equation.jacobian(v, equation.values))) if method in WITH_JACOBIAN else None
        result = scipy.optimize.root(
            lambda v: np.asarray(value_of(equation.of_example(v, equation.values))), np.array(layout.vector(x0), float),
            jac=jacobian, method=method, tol=tol, options=options,
        )  # fmt: skip
        if not result.success:
            left = np.max(np.abs(result.fun))
            raise RuntimeError(
                f"ag.root: SciPy's {method!r} found no root ({' '.join(str(result.message).split())}); the largest residual is "
                f"{left:.3g}: begin nearer to one, or try another method"
            )
        return layout.tree(result.x)

    return solver


def _newton(equation: _Equation) -> Any:
    """Newton's method for all examples at once."""

    def residual(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return value_of(equation.residual(x, *equation.values))

    def solver(f: Callable[[Any], Any], x0: Any) -> Any:
        x, found = newton(residual, equation.matrix, equation.start())
        if not found:
            left = np.where(np.isfinite(r := np.asarray(residual(x))), np.abs(r), np.inf).max(axis=-1)
            raise RuntimeError(
                f"ag.root: Newton's method found no root for {int((left > 1e-9).sum())} of {left.size} examples, or came to a "
                f"point where ∂f/∂x is singular; the largest residual is {float(left.max()):.3g}: begin nearer to a root, or "
                f"give a solver"
            )
        return equation.layout.tree(raised(x, equation.call.levels))

    return solver


def _repeated(equation: _Equation, g: Callable[[Any], Any], tol: float, most: int) -> Any:
    """x, g(x), g(g(x)), ... until it settles."""
    levels = equation.call.levels

    def following(v: Any) -> Any:
        with under(levels):
            y = g(equation.layout.tree(raised(v, levels)))
            return value_of(lowered(equation.layout.vector(y, "ag.fixed_point: g"), levels))

    x, change, found = repeated(following, equation.start(), tol, most)
    if not found:
        raise RuntimeError(
            f"ag.fixed_point: x does not settle, but still changes by {change:.3g} (at most {most} repetitions): begin "
            f"elsewhere, damp g, (x + g(x)) / 2, or give a solver"
        )
    return equation.layout.tree(raised(x, levels))

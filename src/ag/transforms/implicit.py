"""Functions that an equation defines: roots and fixed points. Their derivative follows from the equation, not from the solver.

Where f(x, θ) = 0 and J = ∂f/∂x is invertible, ∂x/∂θ = -J⁻¹ ∂f/∂θ (the implicit function theorem).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..batched import under
from ..node import Node
from ..operators.batching import lowered, raised
from ..operators.operands import shape_of, value_of
from ..operators.rules import Step, masked
from ..operators.solving import solve
from .arguments import function_of, plain
from .containers import leaves, mapped
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
    Under ``vmap`` the search is Newton's, for all examples at once, unless there is a solver.

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
        solver = _newton(equation) if equation.call.levels else _scipy(equation, method, tol, options)
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
        return equation.solved(lambda _, x: _repeated(next_one, x, tol, max_iterations), False)
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
        x = np.asarray(value_of(lowered(self.layout.vector(stop_gradient(found), f"{self.who}: the solver"), levels)), float)
        record = recorded_call(self.residual, [x, *self.values], self.who)
        captured = record.captured()
        if not np.isfinite(value_of(record.output)).all():
            raise RuntimeError(f"{self.who}: f is not finite at the x that was found: begin elsewhere, with another x0")
        if check:
            self._check(x)
        if not self.call.is_recorded() and not captured:
            return self.layout.tree(raised(x, levels))
        self.call.packed(raised(x, levels))
        rule = _Implicit(self, captured)
        node = self.call.node(self.who.removeprefix("ag."), x, rule, lambda *_: x, captured)
        return self.layout.tree(node)

    def _check(self, x: Any) -> None:
        """Is it a root at all? A step of Newton's method from there must be short."""
        with under(self.call.levels):
            matrix = value_of(lowered(self.jacobian(x, self.values), self.call.levels))
        try:
            step = np.linalg.solve(matrix, value_of(self.residual(x, *self.values))[..., None])[..., 0]
        except np.linalg.LinAlgError:
            return  # a derivative will say so
        far = float(np.max(np.abs(step) / (1 + np.abs(x))))
        if not far <= 1e-3:
            raise RuntimeError(
                f"{self.who}: the solver stopped where the equation does not hold: Newton's method would go on by {far:.2g} "
                f"of x; the derivative is that of a solution, so let the solver run longer"
            )


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


def _newton(equation: _Equation, most: int = 100) -> Any:
    """Newton's method for all examples at once; a step that does not come nearer is halved, in each example by itself."""

    def residual(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return value_of(equation.residual(x, *equation.values))

    def size(r: Any) -> Any:
        return np.where(np.isfinite(r), np.abs(r), np.inf).max(axis=-1)

    def solver(f: Callable[[Any], Any], x0: Any) -> Any:
        levels = equation.call.levels
        x = np.array(value_of(lowered(equation.layout.vector(x0), levels)), float)
        r = residual(x)
        for _ in range(most):
            matrix = value_of(lowered(equation.jacobian(x, equation.values), levels))
            try:
                step = np.linalg.solve(matrix, r[..., None])[..., 0]
            except np.linalg.LinAlgError:
                break
            small = np.abs(step).max(axis=-1) <= 1e-13 * (1 + np.abs(x).max(axis=-1))
            if (small | (size(r) == 0)).all():
                return equation.layout.tree(raised(x, levels))
            share = np.where(size(r) == 0, 0.0, 1.0)
            for _ in range(30):
                trial = x - share[..., None] * step
                after = residual(trial)
                worse = (size(after) > size(r)) & ~small
                if not worse.any():
                    break
                share = np.where(worse, share / 2, share)
            x, r = trial, after
        far = size(r) > 1e-9
        raise RuntimeError(
            f"ag.root: Newton's method found no root for {int(far.sum())} of {far.size} examples, or came to a point where "
            f"∂f/∂x is singular; the largest residual is {float(size(r).max()):.3g}: begin nearer to a root, or give a solver"
        )

    return solver


def _repeated(g: Callable[[Any], Any], x: Any, tol: float, most: int) -> Any:
    """x, g(x), g(g(x)), ... until it settles."""
    change = np.inf
    for _ in range(most):
        after = g(x)
        pairs = [(_numbers(a), _numbers(b)) for a, b in zip(leaves(after, like=x), leaves(x), strict=True)]
        change = max(float(np.max(np.abs(a - b) / (1 + np.abs(a)), initial=0.0)) for a, b in pairs)
        x = after
        if change <= tol:
            return x
        if not np.isfinite(change):
            break
    raise RuntimeError(
        f"ag.fixed_point: x does not settle, but still changes by {change:.3g} (at most {most} repetitions): begin elsewhere, "
        f"damp g, (x + g(x)) / 2, or give a solver"
    )


def _numbers(x: Any) -> Any:
    """The numbers of all examples."""
    return np.asarray(getattr(x, "physical", x))

"""ag.minimize: SciPy's minimizers, given the derivatives that they ask for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..capture import recorder
from ..node import Node, Operand, describe
from ..operators.operands import shape_of, value_of
from .arguments import function_of, number, plain, said_of_lists
from .containers import leaves, mapped
from .jacobians import hessian, hvp, jacobian
from .opaque import name_of
from .recording import Recorded
from .vectors import Layout

# What SciPy's methods take: the gradient, products with the Hessian, the Hessian.
NO_GRADIENT = frozenset(("nelder-mead", "powell", "cobyla", "cobyqa"))
PRODUCTS = frozenset(("newton-cg", "trust-ncg", "trust-krylov", "trust-constr"))
MATRIX = frozenset(("dogleg", "trust-exact"))


def minimize(
    f: Callable[..., Any], x0: Any, args: tuple[Any, ...] = (), method: str | None = None, *, bounds: Any = None,
    constraints: Any = (), tol: float | None = None, callback: Callable[[Any], Any] | None = None,
    options: dict[str, Any] | None = None,
) -> Any:
    """x that makes f(x, *args) smallest, by ``scipy.optimize.minimize``, which is given the gradient of f and, for the methods
    that take them, products with its Hessian, or the Hessian.

    Arguments: ``f``, a function with one scalar output; ``x0``, where it begins: a float, a float array or a container of
    them; ``args``, further arguments of f; ``method``, one of SciPy's (None: BFGS, or one for bounds or constraints);
    ``bounds``, a tuple (low, high) of numbers or of containers like x0 (None: no bound), or as SciPy has them;
    ``constraints``, SciPy's dictionaries, with functions of x whose Jacobians follow; ``callback``, called with each x;
    ``tol`` and ``options`` as SciPy has them.

    Returns SciPy's OptimizeResult: ``x`` and the gradient ``jac`` are containers like x0, ``fun`` is the least value,
    ``success`` and ``message`` say how it ended.

    The minimum is not differentiated: for the derivative of x by a parameter write ``ag.root(ag.grad(f), result.x, ...)``.
    Raises TypeError if x0, args or f hold nodes that would be cut off, and under ``jit``; ImportError without SciPy (the extra
    ``learn``).

    >>> result = ag.minimize(lambda p: (p["x"] - 1.0) ** 2 + ((p["y"] - p["x"]) ** 2).sum(), {"x": 0.0, "y": np.zeros(2)})
    >>> result.success, round(result.x["x"], 6), result.x["y"].round(6)
    (True, 1.0, array([1., 1.]))
    """
    try:
        import scipy.optimize
    except ImportError:
        raise ImportError("ag.minimize is SciPy's: pip install 'ag-autodiff[learn]'") from None
    function_of(f, "ag.minimize")
    if recorder.trace is not None:
        raise TypeError(
            "ag.minimize runs SciPy's methods, whose steps depend on numbers, and they are not known while ag.jit records a "
            "function: call it outside, with what it minimizes compiled, ag.minimize(ag.jit(f), x0); within, "
            "ag.root(ag.grad(f), x0, ...) finds where the gradient is 0"
        )
    args = args if isinstance(args, tuple) else (args,)
    for x in leaves((x0, args)):
        if isinstance(x, Node):
            raise _cut(x)
    layout = Layout(x0, "ag.minimize")
    f = _of_container(f)
    kind = (method or "").lower()
    given: dict[str, Any] = {"method": method, "tol": tol, "options": options}
    if kind not in NO_GRADIENT:
        given["jac"] = True
    if kind in PRODUCTS:
        given["hessp"] = lambda v, p: layout.vector(hvp(lambda x: f(x, *args), (layout.tree(v),), (layout.tree(p),)))
    elif kind in MATRIX:
        given["hess"] = hessian(lambda v: f(layout.tree(v), *args))
    if callback is not None:
        given["callback"] = lambda v, *state: callback(layout.tree(np.array(v)))
    if bounds is not None:
        given["bounds"] = _bounds(bounds, layout, scipy.optimize)
    if constraints:
        listed = constraints if isinstance(constraints, (list, tuple)) else (constraints,)
        given["constraints"] = [_constraint(c, layout) for c in listed]
    function = _value if kind in NO_GRADIENT else _value_and_gradient
    result = scipy.optimize.minimize(function(f, args, layout), np.array(layout.vector(layout.tree_like), float), **given)
    result.x = layout.tree(np.array(result.x))
    if getattr(result, "jac", None) is not None and shape_of(result.jac) == (layout.size,):
        result.jac = layout.tree(np.array(result.jac))
    return result


def _of_container(f: Callable[..., Any]) -> Callable[..., Any]:
    """f itself, with a word on lists in what it raises."""

    @functools.wraps(f)
    def of_container(x: Any, *args: Any) -> Any:
        try:
            return f(x, *args)
        except (TypeError, AttributeError) as error:
            said_of_lists(error, (x,), "ag.minimize")
            raise

    return of_container


def _value_and_gradient(f: Callable[..., Any], args: tuple[Any, ...], layout: Layout) -> Callable[[Any], Any]:
    def value_and_gradient(v: Any) -> tuple[float, Any]:
        record = Recorded(lambda v: f(layout.tree(v), *args), (np.array(v),), False, "ag.minimize")
        y = record.output
        _checked(y, f)
        if record.older:
            raise _cut(record.captured()[0])
        (gradient,) = record.pullback(np.ones(())[()] if type(value_of(y)) is not float else 1.0)
        return float(value_of(y)), np.asarray(gradient, float)

    return value_and_gradient


def _value(f: Callable[..., Any], args: tuple[Any, ...], layout: Layout) -> Callable[[Any], Any]:
    def value(v: Any) -> float:
        y = f(layout.tree(np.array(v)), *args)
        if isinstance(y, Node):
            raise _cut(y)
        _checked(y, f)
        return float(y)

    return value


def _checked(y: Any, f: Callable[..., Any]) -> None:
    """Raises TypeError unless f gave one number. What made y need not be f: x comes from the solver."""
    if isinstance(y, (Operand, np.ndarray)) and shape_of(y):
        raise TypeError(
            f"ag.minimize needs a function with one scalar output; {name_of(f, 'f')} returned an array of shape {shape_of(y)}: "
            f"reduce it, for example with .sum()"
        )
    number(y, "ag.minimize")


def _cut(node: Node) -> TypeError:
    return TypeError(
        f"ag.minimize does not differentiate the minimum, so the derivative by {describe(node)} would be lost: pass its numbers, "
        f"x.value or ag.stop_gradient(x); for the derivative of the minimum write ag.root(ag.grad(f), result.x, parameters)"
    )


def _bounds(bounds: Any, layout: Layout, optimize: Any) -> Any:
    """(low, high) on vectors; SciPy's own forms as they are."""
    if not isinstance(bounds, tuple):
        return bounds
    if len(bounds) != 2:
        raise ValueError(
            f"ag.minimize: bounds is a tuple (low, high), or a list of pairs, one for each number; got {len(bounds)} entries"
        )
    low, high = (
        np.full(layout.size, none) if b is None else np.full(layout.size, float(b)) if np.ndim(b) == 0 and not isinstance(b, dict)
        else layout.vector(mapped(np.asarray, b), "ag.minimize: a bound")
        for b, none in zip(bounds, (-np.inf, np.inf), strict=True)
    )  # fmt: skip
    return optimize.Bounds(low, high)


def _constraint(constraint: Any, layout: Layout) -> Any:
    """A dictionary with functions of vectors, and the Jacobian that it does not have."""
    if not isinstance(constraint, dict):
        return constraint
    own = constraint["fun"]
    extra = tuple(constraint.get("args", ()))

    def fun(v: Any) -> Any:
        return own(layout.tree(v), *extra)

    derivative = jacobian(fun)
    return {"type": constraint["type"], "fun": lambda v: plain(fun(np.array(v))), "jac": lambda v: plain(derivative(np.array(v)))}

"""Reverse mode on functions: vjp, grad, value_and_grad.

A transform gives the function fresh leaves, and walks back from what it returns. If the graph reaches nodes that are
older than the leaves, an outer differentiation may go on through them: then the pass is recorded, and the
results are nodes. As leaves are always new, no perturbation can be confused with another.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..adjoint import seed
from ..node import Node, transforming
from ..operators.batching import lowered
from .arguments import ArgNums, Fresh, checked_argnums, function_of, number, plain, released, said_of_lists, split
from .recording import Recorded, cotangents

Function = Callable[..., Any]


def value_and_grad(f: Function, argnums: ArgNums = 0, *, has_aux: bool = False) -> Function:
    """x ↦ (f(x), ∂f/∂x), in one pass forward and one back.

    Arguments: ``f``, a function with one scalar output; ``argnums``, the position(s) of the arguments to
    differentiate: floats, float arrays, or tuples, lists, dicts and dataclasses of them; ``has_aux``: f returns
    (output, auxiliary data).

    Returns a function of the same arguments. Its gradient has the shape and dtype of the argument (for several
    ``argnums`` a tuple of them); with ``has_aux`` the value is (output, auxiliary data). The results are plain
    unless an argument, or a node that f captures, is a node: then they are nodes, and can be differentiated again.

    Raises TypeError when the output is not one number, or an argument holds integers.

    >>> ag.value_and_grad(lambda x: (x * x).sum())(np.array([1.0, 2.0]))
    (np.float64(5.0), array([2., 4.]))
    """
    return _gradient(f, argnums, has_aux, "ag.value_and_grad")


def _gradient(f: Function, argnums: ArgNums, has_aux: bool, transform: str) -> Function:
    function_of(f, transform)
    checked_argnums(argnums, transform)

    @functools.wraps(f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        arguments = Fresh(args, argnums, transform)
        try:
            with transforming(arguments.nodes):
                result = f(*arguments.args, **kwargs)
        except (TypeError, AttributeError) as error:
            said_of_lists(error, arguments.args, transform)
            raise
        y, aux = split(result, has_aux, transform)
        number(y, transform)
        root, one = (lowered(y, arguments.levels), np.ones([n.size for n in arguments.levels])) if arguments.levels else (y, None)
        reach = arguments.reach([root])
        seeds = {root: seed(root, one, transform)} if isinstance(root, Node) and root in reach else {}
        gradient = arguments.like(cotangents(seeds, reach, arguments.nodes))
        if not reach.older:
            y = plain(y)
        if has_aux:
            aux = released(aux, arguments)
        return ((y, aux) if has_aux else y), gradient

    return value_and_gradient


def grad(f: Function, argnums: ArgNums = 0, *, has_aux: bool = False) -> Function:
    """x ↦ ∂f/∂x: the gradient of a function with one scalar output.

    Arguments, results and errors as for `value_and_grad`; with ``has_aux`` the result is (gradient, auxiliary data).

    >>> ag.grad(lambda x: x**3)(2.0), ag.grad(ag.grad(lambda x: x**3))(2.0)
    (12.0, 12.0)
    """
    both = _gradient(f, argnums, has_aux, "ag.grad")

    @functools.wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return gradient


def vjp(f: Function, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """(f(x), ȳ ↦ ȳᵀ · ∂f/∂x): the value, and the function from cotangents to the cotangents of the arguments.

    Arguments: ``f``, a function whose output is an array or a container of arrays; ``primals``, its arguments, as
    for `value_and_grad`; all of them are differentiated.

    Returns the output and the pullback, which takes a cotangent like the output and returns a tuple with one
    cotangent for each argument, and can be called again and again; with ``has_aux`` also the auxiliary data.

    Raises ValueError when a cotangent has not the shape of the output.

    >>> y, pullback = ag.vjp(lambda x: x * x, np.array([1.0, 2.0]))
    >>> pullback(np.array([1.0, 10.0]))
    (array([ 2., 40.]),)
    """
    function_of(f, "ag.vjp")
    if not primals:
        raise TypeError("ag.vjp takes the function and its arguments: ag.vjp(f, x)")
    record = Recorded(f, primals, has_aux, "ag.vjp")
    return (record.value, record.pullback, *record.aux)

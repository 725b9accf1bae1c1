"""Forward mode: tangents carried from the leaves of a graph to its output, and `jvp` on functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..adjoint import Adjoints, zero
from ..capture import debug
from ..node import OFFSETS, Node, next_stamp, relocate, transforming
from ..operators.rules import computed, fit, recorded, shape_of
from ..reach import Reach
from .arguments import Fresh, function_of, owned, plain
from .containers import leaves, mapped, rebuilt, same_shape


def push(tangents: Adjoints, reach: Reach, record: bool) -> Adjoints:
    """The tangent of every node in ``reach`` from the tangents of leaves (None: no dependence)."""
    carried: Adjoints = dict(tangents)
    with np.errstate(all="ignore"):
        for node in reversed(reach.order):
            op = node.op
            if op is None or node in tangents:
                continue
            inputs = node.inputs
            given = [carried.get(x) if isinstance(x, Node) and op.rule.depends_on(i) else None for i, x in enumerate(inputs)]
            if all(t is None for t in given):
                continue
            since = next_stamp()
            t = op.rule.jvp(given, recorded(node) if record else computed(node))
            relocate((t,), since, node._code, node._stamp % OFFSETS)
            carried[node] = t
    if debug.depth and not record:
        debug.watch.pushed(tangents, reach, carried)
    return carried


def jvp(f: Callable[..., Any], primals: Any, tangents: Any) -> tuple[Any, Any]:
    """(f(x), ∂f/∂x · ẋ): the value and the directional derivative along the tangents ẋ.

    Arguments: ``f``, a function; ``primals``, the tuple of its arguments; ``tangents``, the same with a direction in
    the place of each number.

    Returns the output and its tangent, alike. Raises TypeError and ValueError when primals and tangents differ.

    >>> ag.jvp(lambda x: x * x, (3.0,), (1.0,))
    (9.0, 6.0)
    """
    function_of(f, "ag.jvp")
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError("ag.jvp takes tuples: ag.jvp(f, (x,), (t,)) for a function of one argument")
    arguments = Fresh(tuple(primals), range(len(primals)), "ag.jvp")
    if not same_shape(tuple(primals), tuple(tangents)):
        raise TypeError("ag.jvp: the tangents must be nested as the primals are, one for each number or array")
    given = leaves(tuple(tangents), like=tuple(primals))
    for leaf, t in zip(arguments.nodes, given, strict=True):
        if shape_of(t) != shape_of(leaf):
            raise ValueError(f"ag.jvp: a tangent has the shape {shape_of(t)}, its primal {shape_of(leaf)}: they must be equal")
    with transforming(arguments.nodes):
        y = f(*arguments.args)
    outputs = leaves(y)
    reach = arguments.reach(outputs)
    record = bool(reach.older) or any(isinstance(t, Node) for t in given)
    start = {leaf: _tangent(t, leaf) for leaf, t in zip(arguments.nodes, given, strict=True)}
    carried = push(start, reach, record)

    def tangent(z: Any) -> Any:
        t = carried.get(z) if isinstance(z, Node) else None
        if t is None:
            return zero(z) if isinstance(z, Node) else mapped(lambda x: np.zeros(shape_of(x))[()], z)
        if isinstance(t, Node) or not isinstance(z, Node):
            return t
        return float(t) if type(z._value) is float else np.asarray(t, z._value.dtype)[()]

    return (y if record else rebuilt(y, map(plain, outputs))), rebuilt(y, owned(list(map(tangent, outputs)), given))


def _tangent(t: Any, leaf: Node) -> Any:
    if isinstance(t, Node):
        return fit(t, leaf)
    return float(t) if type(leaf._value) is float else np.asarray(t, leaf._value.dtype)

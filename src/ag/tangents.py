"""The forward pass: tangents carried from the leaves of a graph to all that depends on them."""

from __future__ import annotations

import numpy as np

from .adjoint import Adjoints, expect_finite
from .capture import debug, recorder
from .node import OFFSETS, Node, next_stamp, relocate
from .operators.rules import computed, recorded
from .reach import Reach


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
    if recorder.trace is not None:
        inner = {x for node in reach.order for x in node.inputs if isinstance(x, Node)}
        expect_finite(reach, lambda: [t for node, t in carried.items() if t is not None and node not in inner])
    if debug.depth and not record:
        debug.watch.pushed(tangents, reach, carried)
    return carried

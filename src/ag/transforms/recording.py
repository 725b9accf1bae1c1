"""One call of a function, recorded: its derivative can be pushed forward and pulled back, again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..adjoint import Adjoints, conjugate, pull, seed, zero
from ..batched import physical
from ..capture import debug, ordinary, recorder
from ..node import Node, Operand, describe, transforming
from ..operators.batching import lowered, raised
from ..operators.operands import is_number
from ..operators.rules import fit, is_complex, shape_of
from ..reach import Reach
from ..tangents import push
from ..traced import Traced
from .arguments import Fresh, owned, plain, released, said_of_lists, split
from .containers import leaves, mapped, rebuilt, same_shape


class Recorded:
    """f(*primals) with all arguments made of fresh leaves, and what lies between them and the output.

    value, aux   what f returned: plain, unless it depends on nodes that are older than the leaves
    """

    def __init__(
        self, f: Callable[..., Any], primals: tuple[Any, ...], has_aux: bool, transform: str, places: Sequence[int] | None = None,
    ) -> None:
        self.transform = transform
        self.primals = primals
        self.arguments = Fresh(primals, range(len(primals)), transform, places)
        try:
            with transforming(self.arguments.nodes):
                result = f(*self.arguments.args)
        except (TypeError, AttributeError) as error:
            said_of_lists(error, self.arguments.args, transform)
            raise
        y, aux = split(result, has_aux, transform)
        self.output = y
        self.ends = leaves(y)
        self.roots = self.arguments.outputs(y)
        self.older = bool(self.reach().older)
        self.value = y if self.older else mapped(plain, y)
        self.aux = (released(aux, self.arguments),) if has_aux else ()

    def reach(self) -> Reach:
        """The nodes between the leaves and the output."""
        return self.arguments.reach(self.roots)

    def captured(self) -> list[Node]:
        """The nodes that f captured and that the output depends on."""
        given = {x for leaf in self.arguments.nodes for x in leaf.inputs}
        everything = Reach([y for y in self.roots if isinstance(y, Node)], self.arguments.floor)
        return [x for x in everything.older if x not in given]

    def carried_back(self, cotangent: Any, captured: list[Node], record: bool) -> list[Any]:
        """The cotangents of the leaves and of captured nodes from that of the one output (None: no dependence)."""
        (root,) = self.roots
        return [c for c, _ in self.carried_back_from(root, cotangent, None, captured, record)]

    def carried_back_from(
        self, root: Any, cotangent: Any, mask: Any, captured: list[Node], record: bool
    ) -> list[tuple[Any, Any]]:
        """The same from one of several outputs, each with its mask, if that of the output is given: see `pull`."""
        masks: Adjoints = {} if mask is None else {root: mask}
        found = self.carried_back_together([(root, cotangent)], captured, record, masks)
        return [(c, masks.get(x)) for c, x in zip(found, (*self.arguments.nodes, *captured), strict=True)]

    def carried_back_together(
        self, given: list[tuple[Any, Any]], captured: list[Node], record: bool, masks: Adjoints | None = None
    ) -> list[Any]:
        """The same from pairs of an output and its cotangent (None: no dependence)."""
        reach = self.arguments.reach(self.roots, captured)
        # A rule is given what a pass carries, the conjugate of what a pass begins and ends with.
        seeds: Adjoints = {}
        for root, cotangent in given:
            if cotangent is not None and isinstance(root, Node) and root in reach:
                c = conjugate(cotangent)
                seeds[root] = seeds[root] + c if root in seeds else c
        targets = (*self.arguments.nodes, *captured)
        if not seeds:
            return [None] * len(targets)
        if captured:  # below the leaves there may be nodes that were captured as well: that is another way to them
            mine = set(self.arguments.nodes)
            reach.order = [node for node in reach.order if node not in mine]
        adjoints = pull(seeds, reach, record, masks)
        results = [adjoints.get(x) for x in targets]
        return [c if c is None else conjugate(c) for c in results]

    def carried_forward(self, tangents: list[Any], captured: list[Node], record: bool) -> Any:
        """The tangent of the one output from those of the leaves and of captured nodes (None: no dependence)."""
        (tangent,) = self.carried_forward_together(tangents, captured, record)
        return tangent

    def carried_forward_together(self, tangents: list[Any], captured: list[Node], record: bool) -> list[Any]:
        """The same for all outputs."""
        pairs = zip((*self.arguments.nodes, *captured), tangents, strict=True)
        start = {x: t for x, t in pairs if t is not None}
        carried = push(start, self.arguments.reach(self.roots, captured), record)
        return [carried.get(root) if isinstance(root, Node) else None for root in self.roots]

    def pullback(self, cotangent: Any) -> tuple[Any, ...]:
        """ȳ ↦ ȳᵀ · ∂f/∂x: one cotangent for each argument."""
        if not same_shape(cotangent, self.output):
            what = type(self.output).__name__ if self.ends != [self.output] else "single array"
            raise ValueError(f"the pullback takes a cotangent like the output, a {what}; got a {type(cotangent).__name__}")
        reach = self.reach()
        levels = self.arguments.levels
        seeds: Adjoints = {}
        for root, c in zip(self.roots, leaves(cotangent, like=self.output), strict=True):
            if isinstance(root, Node):
                start = seed(root, lowered(c, levels), "the pullback")
                seeds[root] = seeds[root] + start if root in seeds else start
        seeds = {root: c for root, c in seeds.items() if root in reach}
        return self.arguments.like(cotangents(seeds, reach, self.arguments.nodes))

    def pushforward(self, *tangents: Any) -> Any:
        """ẋ ↦ ∂f/∂x · ẋ: the tangent of the output."""
        if not same_shape(self.primals, tangents):
            raise TypeError(f"{self.transform}: the tangents must be nested as the primals are, one for each number or array")
        leaf_nodes, levels = self.arguments.nodes, self.arguments.levels
        given = [lowered(t, levels) for t in leaves(tangents, like=self.primals)]
        for leaf, t in zip(leaf_nodes, given, strict=True):
            if shape_of(t) != shape_of(leaf):
                hidden = len(levels)
                raise ValueError(
                    f"{self.transform}: a tangent has the shape {shape_of(t)[hidden:]}, its primal "
                    f"{shape_of(leaf)[hidden:]}: they must be equal"
                )
        record = self.older or any(isinstance(physical(t), Node) for t in given)
        start = {leaf: _tangent(t, leaf) for leaf, t in zip(leaf_nodes, given, strict=True)}
        carried = push(start, self.reach(), record)

        def tangent(root: Any, end: Any) -> Any:
            t = carried.get(root) if isinstance(root, Node) else None
            if t is None:
                return zero(end) if isinstance(end, Node) else mapped(lambda x: np.zeros(shape_of(x))[()], end)
            if isinstance(t, Operand):
                return raised(fit(t, root), levels)
            return float(t) if is_number(root._value) else raised(np.asarray(t, root._value.dtype)[()], levels)

        return rebuilt(self.output, owned(list(map(tangent, self.roots, self.ends)), given))


def cotangents(seeds: Adjoints, reach: Reach, targets: list[Node]) -> list[Any]:
    """The cotangents of the targets: nodes if the pass is recorded, else arrays that nobody else holds."""
    record = bool(reach.older) or any(isinstance(physical(c), Node) for c in seeds.values())
    adjoints = pull(seeds, reach, record)
    if debug.depth and not record:
        debug.watch.pulled(seeds, reach, adjoints, targets)
    results = [zero(leaf) if adjoints.get(leaf) is None else adjoints[leaf] for leaf in targets]
    if record:
        return [c if isinstance(c, Operand) else leaf.like(c) for c, leaf in zip(results, targets, strict=True)]
    if recorder.trace is not None:  # where a number is picked it is recorded as an array
        results = [fit(c, leaf) if type(leaf._value) is Traced else c for c, leaf in zip(results, targets, strict=True)]
    return owned(results, [])


def _tangent(t: Any, leaf: Node) -> Any:
    if isinstance(t, Operand):
        return fit(t, leaf)
    given = np.asarray(ordinary(t))
    if given.dtype.kind not in ("fiubc" if is_complex(leaf) else "fiub"):
        kind = "complex" if is_complex(leaf) else "real"
        raise TypeError(f"a tangent of {describe(leaf)} holds {kind} numbers, got dtype {given.dtype}")
    return float(given) if is_number(leaf._value) else given.astype(leaf._value.dtype)

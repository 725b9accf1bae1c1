"""What an output depends on, in the order in which it was computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from .capture import changed, debug, seen
from .node import Node, describe
from .operators.rules import is_complex
from .scalar import Scalar
from .tensor import Tensor

by_age = attrgetter("_stamp")
absent = object()  # in the place of an adjoint: not part of this pass


class Reach:
    """The nodes that ``roots`` depend on, without those that are older than the stamp ``floor``.

    nodes      a dictionary of the nodes, all without an adjoint yet (None), and of those where the walk stopped (absent)
    order      the same, by falling number
    leaves     those of them that were not computed
    older      the nodes where the walk stopped
    selecting  is there a row that selects among them?
    complex    is one of them complex?
    """

    __slots__ = ("complex", "leaves", "nodes", "older", "order", "selecting")

    def __init__(self, roots: Iterable[Node], floor: int = 0) -> None:
        nodes: dict[Node, Any] = dict.fromkeys(roots)
        order = list(nodes)
        push = order.append
        leaves: list[Node] = []
        older: list[Node] = []
        selecting = False
        for node in order:  # grows while it is walked
            if node._stamp < floor:
                nodes[node] = absent
                older.append(node)
                continue
            op = node.op
            if op is None:
                leaves.append(node)
                continue
            if op.selects:
                selecting = True
            x = node._first
            kind = type(x)
            if kind is Scalar or kind is Tensor:
                if x not in nodes:
                    nodes[x] = None
                    push(x)
            elif kind is tuple:
                for y in x:
                    if isinstance(y, Node) and y not in nodes:
                        nodes[y] = None
                        push(y)
            x = node._second
            kind = type(x)
            if (kind is Scalar or kind is Tensor) and x not in nodes:
                nodes[x] = None
                push(x)
        order.sort(key=by_age, reverse=True)
        if older:
            del order[-len(older) :]
        self.nodes = nodes
        self.order = order
        self.leaves = leaves
        self.older = older
        self.selecting = selecting
        self.complex = seen.complex and self._check_complex()
        assigned = [x for x in leaves + older if x.op is None and x._second is not None]
        if assigned:
            self._check_assigned(assigned)
        if debug.depth:
            self._check_captured()

    def __contains__(self, node: Any) -> bool:
        return self.nodes.get(node, absent) is not absent

    def _check_assigned(self, assigned: list[Node]) -> None:
        """No node may be older than the value of a leaf that it was computed from."""
        latest = max(leaf._second for leaf in assigned)
        leaves = set(assigned)
        for node in reversed(self.order):
            if node._stamp > latest:
                return
            for x in node.inputs:
                if isinstance(x, Node) and x in leaves and x._second > node._stamp:
                    raise RuntimeError(
                        f"the value of {describe(x)} was set after {describe(node)} was computed from it, so its "
                        f"derivatives would be wrong: compute the output again, then call backward()"
                    )

    def _check_complex(self) -> bool:
        """Is a node complex? Then what was computed from it must be a row whose rule holds for complex numbers."""
        found = False
        for node in self.order:
            if is_complex(node):
                found = True
            op = node.op
            if op is not None and not op.complex and (is_complex(node) or any(map(is_complex, node.inputs))):
                raise TypeError(
                    f"{describe(node)}: {op.name} has no derivative rule for complex numbers: write it with ag.real(z), "
                    f"ag.imag(z) and ag.abs(z)"
                )
        return found

    def _check_captured(self) -> None:
        """No array that the graph uses may have been changed."""
        for node in self.order:
            for x in (node._value, *node.inputs):
                if changed(x):
                    raise RuntimeError(
                        f"an array of shape {x.shape} that {describe(node)} uses was changed after it entered the graph, "
                        f"through a view that was made before, so its derivatives would be wrong: give the graph a copy"
                    )

    def towards(self, targets: Sequence[Node]) -> None:
        """Keep only what depends on the targets."""
        depends = set(targets)
        for node in reversed(self.order):
            if node not in depends:
                for x in node.inputs:
                    if isinstance(x, Node) and x in depends:
                        depends.add(node)
                        break
        self.order = [node for node in self.order if node in depends]
        self.nodes = {node: None if node in depends else absent for node in self.nodes}

"""From births of numbers that are not finite to findings: the operator, its operands, the cause, and what to write instead."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..adjoint import Adjoints
from ..node import OFFSETS, Node
from ..operators.rules import computed, shape_of, value_of
from ..operators.table import TABLE
from .causes import FINITE_ONLY, Operand, Said, said
from .findings import Finding, Product
from .influence import first, number_at, single, using, wrong
from .numerals import numeral
from .rewrites import NEAR, REWRITES, SINGULAR, Advice, Match, Rewrite, matches, tree_of
from .tracing import Birth, Masks, given_as_constant, product_of_cotangent, product_of_tangent
from .wording import Wording, bare, statement


class Describing:
    """Findings about the nodes of one graph."""

    def __init__(self, order: list[Node]) -> None:
        self.order = order
        self.words = Wording(order)
        self._consumers: dict[Node, list[Node]] = {}

    @property
    def consumers(self) -> dict[Node, list[Node]]:
        """What uses each node."""
        if not self._consumers:
            for y in self.order:
                for x in y.inputs:
                    if isinstance(x, Node):
                        self._consumers.setdefault(x, []).append(y)
        return self._consumers

    # ------------------------------------------------------------------ values

    def value(self, birth: Birth) -> Finding:
        """A value that does harm."""
        return self._value(birth, advise=True)

    def _value(self, birth: Birth, advise: bool) -> Finding:
        node, index = birth.node, first(birth.mask)
        number = number_at(node._value, index)
        operands = self.words.operands(node, index)
        cause = self._cause(node, operands, number)
        instead = (advise and self._rewrite(node, index)) or Advice(_inside(node) or cause.advice)
        return Finding(
            "value", node, self.words.whole(node), number, index, int(birth.mask.sum()),
            None if node.op is None else node.op.name, node.source, statement(node, operands), operands, None,
            cause.cause, instead, True,
        )

    def spared(self, births: list[Birth], reached: Masks, carried: bool) -> Finding:
        """Values made at one place of the program that do no harm, and why."""
        birth = births[0]
        finding = self._value(birth, advise=False)
        mask = reached.get(birth.node)
        is_used = mask is not None and bool(np.any(mask & birth.mask))
        given = birth.node.op is None or given_as_constant(birth.node)
        if is_used and given:
            why = f"it was given, and {'comes out as it was put in' if carried else 'what is computed from it is finite'}"
        elif is_used:
            why = "what is computed from it is finite"
        else:
            selecting = self._selecting(birth)
            if selecting is None:
                why = "the output does not depend on it"
            else:
                how = "is in the branch not taken by" if selecting.op.name == "where" else "is not selected by"
                source = selecting.source
                why = f"it {how} {selecting.op.name}{f' (line {source.line})' if source else ''}, and contributes exactly 0"
        count = sum(int(b.mask.sum()) for b in births)
        return replace(finding, used=is_used, harmless=why, count=count)

    def _selecting(self, birth: Birth) -> Node | None:
        """The first node that is computed from these elements no more, as it selects others."""
        for y, carried in self._upwards({birth.node: birth.mask}):
            if y.op.selects and not np.any(carried):
                return y
        return None

    def _upwards(self, ahead: Masks) -> Iterator[tuple[Node, Any]]:
        """What is computed from masked elements, in order, with the mask of what is."""
        waiting: list[tuple[int, Node]] = []
        seen = set(ahead)

        def push(x: Node) -> None:
            for y in self.consumers.get(x, ()):
                if y not in seen:
                    seen.add(y)
                    heapq.heappush(waiting, (y._stamp, y))

        for x in list(ahead):
            push(x)
        while waiting:
            y = heapq.heappop(waiting)[1]
            step = computed(y)
            masks = [using(step, i, ahead[x]) for i, x in enumerate(y.inputs) if isinstance(x, Node) and x in ahead]
            ahead[y] = np.any(np.broadcast_arrays(*masks), axis=0)
            yield y, ahead[y]
            if np.any(ahead[y]):
                push(y)

    def _cause(self, node: Node, operands: tuple[Operand, ...], number: Any) -> Said:
        if node.op is None:
            name = self.words.name(node)
            return Said(f"{name} was given as {numeral(number)}", FINITE_ONLY.format(x=name))
        dtype = None if type(node._value) is float else node._value.dtype
        found = said(node.op.name, operands, dtype, "it is not defined there" if np.isnan(number) else "")
        primal = self._primal(node)
        if primal.op is node.op:
            return found
        return found._replace(cause=f"{found.cause}, in what was computed for {primal.op.name}")

    # ------------------------------------------------------------------ cotangents and tangents

    def carried(self, birth: Birth, numbers: Adjoints, kind: str, given: bool) -> Finding:
        """A cotangent or a tangent that does harm."""
        node, y, i = birth.node, birth.through, birth.position
        index = first(birth.mask)
        number = number_at(numbers[node], index)
        start = (kind, node, self.words.name(node), number, index, int(birth.mask.sum()))
        if y is None or i is None:
            large = "finite contributions add up to more than the largest number"
            cause = f"it was given as {numeral(number)}" if given else large
            what = f"start from a finite {kind}" if given else "compute with smaller numbers, or in float64"
            return Finding(*start, None, node.source, "", (), None, cause, Advice(what), True)
        if kind == "cotangent":
            found = product_of_cotangent(birth, numbers[y])
            place = found.place if found else first(using(computed(y), i, single(shape_of(node), index)))
        else:
            found = product_of_tangent(birth, numbers[y.inputs[i]])
            place = index
        operands = self.words.operands(y, place)
        product = Product(found.g, found.partial, self.words.partial(y, i)) if found else None
        cause = _cause_of_product(y, operands, product, number)
        instead = self._rewrite(y, place)
        lost = [x for x in operands if _lost(x)]
        if instead is None and lost and not all(x.given for x in lost):
            instead = Advice(f"mend {' and '.join(x.name for x in lost)} first")
        if instead is None and not _inside(y) and (lost or wrong(np.asarray(y._value)[place])):
            instead = Advice(self._cause(y, operands, number_at(y._value, place)).advice)
        if instead is None:
            instead = self._singular(y, product)
        return Finding(*start, y.op.name, y.source, statement(y, operands), operands, product, cause, instead, True)

    def _singular(self, y: Node, product: Product | None) -> Advice:
        """What to do where the derivative of an operator is infinite, or the numbers are too large."""
        if _inside(y):
            return Advice(_inside(y))
        if product is not None and np.isfinite(product.partial):
            return Advice("compute with smaller numbers, for example with a mean in place of a sum, or in float64")
        if y.op.name in SINGULAR:
            return self._advised(y, SINGULAR[y.op.name])
        return Advice("keep its arguments away from this point, or leave the element out: ag.where(condition, value, 0.0)")

    # ------------------------------------------------------------------ better ways to write it

    def _rewrite(self, node: Node, index: tuple[int, ...]) -> Advice | None:
        """A better way to write what is around a node."""
        if node.op is None:
            return None
        primal = self._primal(node)
        for here in (node,) if primal is node else (primal, node):
            ends = [here, *self._later(here)]
            for rewrite in REWRITES:
                for end in ends:
                    for pattern in rewrite.patterns:
                        for match in matches(end, tree_of(pattern), Match({}, ()), here):
                            if any(x is here for x in match.nodes) and self._helps(rewrite, match, here, index, end):
                                return self._advice(rewrite, match)
            if here is not node and here.op.name in SINGULAR:
                return self._advised(here, SINGULAR[here.op.name])
        return None

    def _advised(self, y: Node, rewrite: Rewrite) -> Advice:
        return self._advice(rewrite, next(matches(y, tree_of(rewrite.patterns[0]), Match({}, ()), y)))

    def _advice(self, rewrite: Rewrite, match: Match) -> Advice:
        """A rewrite in the names of the user's quantities."""
        called = {}
        for letter, x in match.names.items():
            unnamed = letter == rewrite.zero == "mask" and not getattr(x, "label", None)
            called[letter] = letter if unnamed or f"{{{letter}}}" not in rewrite.write + rewrite.because else self.words.code(x)
        alone = {k: bare(v) for k, v in called.items()}
        write = rewrite.write.format(**called)
        for k, v in called.items():  # an argument of a call needs no parentheses
            write = write.replace(f"({v})", f"({alone[k]})")
        return Advice(write, rewrite.because.format(**alone))

    def _helps(self, rewrite: Rewrite, match: Match, here: Node, index: tuple[int, ...], end: Node) -> bool:
        """Is the factor that the rewrite asks for 0 where the element of ``here`` is used?"""
        if not rewrite.zero:
            return True
        factor = np.asarray(value_of(match.names[rewrite.zero]))
        for y, mask in self._upwards({here: single(shape_of(here), index)}):
            if y is end:
                return bool((np.broadcast_to(factor, mask.shape)[mask] == 0).any())
            if y._stamp > end._stamp:
                break
        return here is end

    def _later(self, node: Node) -> list[Node]:
        """What is computed from a node within a few operators."""
        found: list[Node] = []
        frontier, seen = [node], {node}
        for _ in range(NEAR):
            following = []
            for x in frontier:
                for y in self.consumers.get(x, ()):
                    if y not in seen:
                        seen.add(y)
                        following.append(y)
            found += following
            frontier = following
        return found

    def _primal(self, node: Node) -> Node:
        """The first node at the same place of the program, where what a recorded pass computes for it stands, too."""
        here = (node._code, node._stamp % OFFSETS)
        alike = [x for x in self.order if x.op is not None and x._stamp <= node._stamp and (x._code, x._stamp % OFFSETS) == here]
        return min(alike, key=lambda x: x._stamp, default=node)


def _inside(node: Node) -> str:
    """What to do with a function that is one operator here, as those of ag.checkpoint and of custom rules are."""
    if node.op is None or node.op.name in TABLE:
        return ""
    return f"{node.op.name} is a whole function that counts as one operator: to see inside, call the function itself, undecorated"


def _lost(x: Operand) -> bool:
    return not np.isfinite((x.low, x.high)).all()


def _cause_of_product(y: Node, operands: tuple[Operand, ...], product: Product | None, number: Any) -> str:
    at = ", ".join(map(str, operands))
    lost = ", ".join(str(x) for x in operands if _lost(x))
    if product is not None and np.isfinite(product.partial):
        return "the product of the chain rule is larger than the largest number"
    how = f"is computed from {lost}" if lost else f"is infinite at {at}"
    if product is not None and product.arrived == 0 and not np.isnan(product.partial):
        return f"0 · inf is nan by IEEE, even where the 0 means that nothing depends on it; the derivative of {y.op.name} {how}"
    if lost:
        return f"the derivative of {y.op.name} {how}"
    if product is None:
        return f"the derivative of {y.op.name} at {at} makes it {numeral(number)} from finite numbers"
    return f"{y.op.name} has {'no' if np.isnan(product.partial) else 'an infinite'} derivative at {at}"

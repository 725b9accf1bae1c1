"""Where did the nan come from? The first value, and the first cotangent, that is not finite and does harm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..adjoint import Adjoints, pull, seed
from ..node import OFFSETS, Node
from ..operators.rules import computed, is_complex, shape_of, value_of
from ..reach import Reach, absent
from .describing import Describing
from .findings import Damage, Finding, Report
from .influence import first, number_at, used, using, wrong
from .tracing import Birth, Masks, given_as_constant, is_number, trace_cotangents, trace_tangents, trace_values

LISTED = 20  # harmless findings that are described


def nonfinite(root: Node, cotangent: Any = None) -> Report:
    """The first value, and the first cotangent of the reverse pass, that is infinite or nan, and what to write instead.

    Arguments: ``root``, the output; ``cotangent``, the weights of its derivative, for an output with several elements
    or a complex one (without it only values are looked at).

    Returns a `Report`, which is true if the output or a derivative of it is not finite, prints as text, and holds what it
    prints as data. A value that does no harm, in a branch not taken for example, is listed as harmless.
    """
    reach = Reach([root])
    if cotangent is None and (np.size(root._value) != 1 or is_complex(root)):
        return inspect_values([root], reach)
    return inspect_cotangents({root: value_of(seed(root, cotangent, "nonfinite"))}, reach, reach.leaves)


def inspect_values(roots: Iterable[Node], reach: Reach) -> Report:
    """The report on the values behind some outputs."""
    with np.errstate(all="ignore"):
        return _Inspection(reach, roots).report()


def inspect_cotangents(seeds: Adjoints, reach: Reach, ends: Iterable[Node]) -> Report:
    """The report on a reverse pass: ``ends`` are the nodes whose derivatives it was to find."""
    with np.errstate(all="ignore"):
        masks: Masks = {}
        adjoints = pull(seeds, _unwalked(reach), masks=masks)
        return _Inspection(reach, seeds, adjoints=adjoints, masks=masks, ends=ends).report()


def inspect_tangents(tangents: Adjoints, reach: Reach, outputs: Iterable[Node]) -> Report:
    """The report on a forward pass that gave the ``tangents``."""
    with np.errstate(all="ignore"):
        return _Inspection(reach, outputs, tangents=tangents).report()


def _unwalked(reach: Reach) -> Reach:
    """The same reach for another pass."""
    again = object.__new__(Reach)
    for slot in Reach.__slots__:
        setattr(again, slot, getattr(reach, slot))
    again.nodes = {node: absent if g is absent else None for node, g in reach.nodes.items()}
    return again


class _Inspection:
    """One look at a graph, with the cotangents or tangents of a pass."""

    def __init__(
        self, reach: Reach, roots: Iterable[Node], *, adjoints: Adjoints | None = None, masks: Masks | None = None,
        ends: Iterable[Node] = (), tangents: Adjoints | None = None,
    ) -> None:
        self.order = reach.order
        self.roots = list(roots)
        self.adjoints = adjoints or {}
        self.masks = masks or {}
        self.ends = list(ends)
        self.tangents = tangents or {}
        self.describing = Describing(reach.order)

    def report(self) -> Report:
        every = trace_values({x: lost for x in self.order if (lost := wrong(x._value)).any()}, self.order)
        bad: Masks = {root: lost for root in self.roots if (lost := wrong(root._value)).any()}
        births = trace_values(dict(bad), self.order)
        carried = {root for root in bad if _as_given(root, births)}
        bad = {root: mask for root, mask in bad.items() if root not in carried}
        damage = [_damage("the output", root._value) for root in bad]
        finding = self._derivative(damage, bad)
        births = trace_values(bad, self.order)  # bad now holds every element that does harm
        value = self.describing.value(births[-1]) if births else None
        fields = {finding.kind: finding} if finding is not None else {}
        spared, more = self._harmless(every, bad, bool(carried))
        return Report(value, harmless=spared, damage=tuple(damage), others=max(len(births) - 1, 0), unlisted=more,
                      letters=self.describing.words.letters(), **fields)

    def _derivative(self, damage: list[Damage], bad: Masks) -> Finding | None:
        """The first cotangent or tangent that is not finite; what is behind it is added to ``bad``, as is the damage."""
        births: list[Birth] = []
        numbers = self.adjoints or self.tangents
        ends = {x: wrong(numbers[x]) for x in (self.ends if self.adjoints else self.roots) if is_number(numbers.get(x))}
        ends = {x: mask for x, mask in ends.items() if mask.any()}
        if self.adjoints:
            damage += [_damage(f"the derivative by {self.describing.words.name(x)}", numbers[x]) for x in ends]
            births = trace_cotangents(dict(ends), self.order, numbers, self.masks)
        elif self.tangents:
            damage += [_damage("the tangent of the output", numbers[x]) for x in ends]
            births = trace_tangents(dict(ends), self.order, numbers)
        for birth in births:
            _blame_values(birth, bad)
        if not births:
            return None
        given = any(births[-1].node is x for x in (self.roots if self.adjoints else self.ends))
        return self.describing.carried(births[-1], numbers, "cotangent" if self.adjoints else "tangent", given)

    def _harmless(self, every: list[Birth], bad: Masks, carried: bool) -> tuple[tuple[Finding, ...], int]:
        """The values that are not finite and do no harm, one for each place of the program, and how many more places."""
        places: dict[Any, list[Birth]] = {}
        for birth in reversed(every):
            mask = birth.mask & ~bad.get(birth.node, False)
            if np.any(mask):
                node = birth.node
                places.setdefault((node._code, node._stamp % OFFSETS, node.op), []).append(birth._replace(mask=mask))
        reached = self._reached() if places else {}
        shown = [self.describing.spared(births, reached, carried) for births in list(places.values())[:LISTED]]
        return tuple(shown), max(len(places) - LISTED, 0)

    def _reached(self) -> Masks:
        """The elements from whose values the outputs are computed."""
        masks: Masks = {root: np.ones(shape_of(root), bool) for root in self.roots}
        for y in self.order:
            mask = masks.get(y)
            if y.op is None or mask is None or not mask.any():
                continue
            step = computed(y)
            for i, x in enumerate(y.inputs):
                if isinstance(x, Node):
                    found = used(step, i, mask)
                    masks[x] = masks[x] | found if x in masks else found
        return masks


def _as_given(root: Node, births: list[Birth]) -> bool:
    """Infinities that were put into an array, and come out of it as they were, are no surprise."""
    if np.size(root._value) == 1 or np.isnan(root._value).any():
        return False
    return all(birth.node.op is None or given_as_constant(birth.node) for birth in births)


def _damage(what: str, number: Any) -> Damage:
    lost = wrong(number)
    index = first(lost)
    return Damage(what, number_at(number, index), index, int(lost.sum()), lost.size)


def _blame_values(birth: Birth, bad: Masks) -> None:
    """The values from which the local partial was computed do harm, if they are not finite."""
    y, i = birth.through, birth.position
    if y is None or i is None:
        return
    step = computed(y)
    reached = birth.mask if birth.node is y else using(step, i, birth.mask)
    for x, mask in [(y, reached), *((x, used(step, j, reached)) for j, x in enumerate(y.inputs) if isinstance(x, Node))]:
        lost = wrong(x._value) & mask
        if lost.any():
            bad[x] = bad[x] | lost if x in bad else lost

"""Numbers that are not finite, followed back to where they came into being: values, cotangents and tangents.

Each function takes masks of elements that are not finite, and returns births: elements that are not finite although
everything that they were computed from is. A number that is infinite but vanishes further on (1 / inf) is not followed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..adjoint import Adjoints, conjugate
from ..node import Node
from ..operators.rules import Bilinear, Elementwise, Step, computed, shape_of
from .influence import first, number_at, single, used, using, wrong

Masks = dict[Node, Any]


class Birth(NamedTuple):
    """Elements of a quantity that are the first to be not finite.

    node      the quantity
    mask      its elements
    through   the node whose operator, or whose rule, made them (a leaf: itself; None: a sum of finite contributions)
    position  of cotangents and tangents: as which input of ``through``
    """

    node: Node
    mask: Any
    through: Node | None
    position: int | None = None


def trace_values(bad: Masks, order: list[Node]) -> list[Birth]:
    """Where values came into being; ``bad`` is completed by all that lies between. The latest node comes first."""
    births = []
    for node in order:
        mask = bad.get(node)
        if mask is None or not np.any(mask):
            continue
        if node.op is None:
            births.append(Birth(node, mask, node))
            continue
        step = computed(node)
        known = np.zeros(shape_of(node), bool)
        for i, x in enumerate(node.inputs):
            lost = wrong(x._value) if isinstance(x, Node) else None
            if lost is not None and lost.any():
                source = used(step, i, mask) & lost
                if source.any():
                    bad[x] = bad[x] | source if x in bad else source
                    known = known | using(step, i, source)
        if np.any(mask & ~known):
            births.append(Birth(node, mask & ~known, node))
    return births


def trace_cotangents(bad: Masks, order: list[Node], adjoints: Adjoints, masks: Masks) -> list[Birth]:
    """Where cotangents came into being, from elements of leaves upwards. The first of the reverse pass comes last."""
    births = []
    explained: Masks = {}
    for y in reversed(order):
        g = adjoints.get(y)
        if y.op is None or not is_number(g) or not any(x in bad for x in y.inputs if isinstance(x, Node)):
            continue
        step, mask = computed(y), masks.get(y, np.ones(shape_of(y), bool))
        lost = wrong(g) & mask
        for i, x in enumerate(y.inputs):
            if not isinstance(x, Node) or x not in bad or not y.op.rule.depends_on(i):
                continue
            c = y.op.rule.exact_vjp(i, _carried(g), mask, step)[0]
            mine = bad[x] & wrong(c)
            if not mine.any():
                continue
            explained[x] = explained[x] | mine if x in explained else mine
            source = using(step, i, mine) & lost
            if source.any():
                bad[y] = bad[y] | source if y in bad else source
                mine = mine & ~used(step, i, source)
            if mine.any():
                births.append(Birth(x, mine, y, i))
    rest = [Birth(x, mask & ~explained.get(x, False), None) for x, mask in bad.items()]
    births += [birth for birth in rest if np.any(birth.mask)]
    return sorted(births, key=lambda birth: (birth.node if birth.through is None else birth.through)._stamp)


def trace_tangents(bad: Masks, order: list[Node], tangents: Adjoints) -> list[Birth]:
    """Where tangents came into being, from elements of outputs downwards. The first of the forward pass comes last."""
    births = []
    for y in order:
        mask = bad.get(y)
        if mask is None or not np.any(mask):
            continue
        if y.op is None:
            births.append(Birth(y, mask, None))
            continue
        step = computed(y)
        known = np.zeros(shape_of(y), bool)
        given: list[Any] = [
            tangents.get(x) if isinstance(x, Node) and y.op.rule.depends_on(i) else None for i, x in enumerate(y.inputs)
        ]
        for i, (x, t) in enumerate(zip(y.inputs, given, strict=True)):
            if t is not None and wrong(t).any():
                source = used(step, i, mask) & wrong(t)
                if source.any():
                    bad[x] = bad[x] | source if x in bad else source
                    known = known | using(step, i, source)
        born = mask & ~known
        if not np.any(born):
            continue
        for i, t in enumerate(given):
            if t is not None:
                alone = [t if j == i else None for j in range(len(given))]
                term = np.broadcast_to(y.op.rule.jvp(alone, step), shape_of(y))
                if np.any(born & wrong(term)):
                    births.append(Birth(y, born & wrong(term), y, i))
                    break
        else:
            births.append(Birth(y, born, None))
    return births


def is_number(x: Any) -> bool:
    """Is there a cotangent or tangent, in numbers?"""
    return isinstance(x, (float, np.ndarray, np.generic))


def _carried(g: Any) -> Any:
    """A cotangent as a pass carries it: in NumPy's numbers, and conjugate."""
    return np.float64(g) if type(g) is float else conjugate(g)


class Product(NamedTuple):
    """g · partial at one element of the result of an operator."""

    place: tuple[int, ...]
    g: Any
    partial: Any


def product_of_cotangent(birth: Birth, g: Any) -> Product | None:
    """The product that first was not finite, for the first element of a cotangent; None where there is no single one."""
    y, i = birth.through, birth.position
    if y is None or i is None or y.op is None:
        return None
    step, rule = computed(y), y.op.rule
    element = single(shape_of(birth.node), first(birth.mask))
    reached = using(step, i, element)
    factors = rule.factors(i, _carried(g), step)
    if factors is None:
        factors = _factors_of_sum(step, i, _carried(g), element)
    if factors is None:
        return None
    a, b = np.broadcast_arrays(*factors)
    if isinstance(rule, (Elementwise, Bilinear)):
        a, b = np.broadcast_to(a, reached.shape), np.broadcast_to(b, reached.shape)
        places = reached & wrong(a * b)
        return Product(first(places), number_at(a, first(places)), number_at(b, first(places))) if places.any() else None
    a, b = np.broadcast_to(a, element.shape), np.broadcast_to(b, element.shape)
    place = first(element)
    return Product(first(reached), number_at(a, place), number_at(b, place)) if wrong(a * b)[place] else None


def _factors_of_sum(step: Step, i: int, g: Any, element: Any) -> tuple[Any, Any] | None:
    """Of a product of two matrices: what each element of g is multiplied with in the sum that makes one cotangent."""
    rule = step.op.rule
    if not isinstance(rule, Bilinear) or len(step.args) != 2:
        return None
    other = np.asarray(step.args[1 - i])
    one = element.astype(float)

    def column(numbers: Any) -> Any:
        tangents = [None, None]
        tangents[i] = one
        args = (one, numbers) if i == 0 else (numbers, one)
        return rule.jvp(tangents, Step(step.op, step.ans, args, step.params))

    partial = np.asarray(column(np.where(np.isfinite(other), other, 0.0)))
    for bad, where in ((np.nan, np.isnan(other)), (np.inf, other == np.inf), (-np.inf, other == -np.inf)):
        partial = np.where(np.asarray(column(where.astype(float))) > 0, bad, partial)
    return np.asarray(g), partial


def product_of_tangent(birth: Birth, t: Any) -> Product | None:
    """The product that first was not finite, for the first element of a tangent."""
    y, i = birth.through, birth.position
    if y is None or i is None or not isinstance(y.op.rule, Elementwise):
        return None
    step = computed(y)
    partial = y.op.rule.partial(i, step.ans, step.args)
    place = first(birth.mask)
    a, b = np.broadcast_to(np.asarray(t), shape_of(y)), np.broadcast_to(np.asarray(partial), shape_of(y))
    return Product(place, number_at(a, place), number_at(b, place))


def given_as_constant(node: Node) -> bool:
    """Is a constant among the inputs of a node that is not finite itself?"""
    return any(not isinstance(x, Node) and wrong(x).any() for x in node.inputs)

"""Loops and branches on values, nodes and batches, within a trace: what is recorded for them, and their derivatives.

With nodes among what it is given, or what its body uses, a loop is one node, and its derivatives are loops of the same kind: the
tangent is carried beside the carry, the cotangent against the order of the steps, from the carries before each step, which the
loop keeps. Both are made of the functions below, so that there are derivatives of every order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...batched import Batched, Level, live, under
from ...capture import recorder
from ...node import Node, made
from ...operators.batching import lowered, raised
from ...operators.elementwise import where
from ...operators.reductions import sum as total
from ...operators.rules import Step, fit, value_of
from ...operators.shaping import astype, moveaxis
from ...operators.table import Operator
from ...tensor import Tensor
from ...transforms.containers import replaced
from ...transforms.opaque import Together, recorded_call, records
from ...transforms.recording import Recorded
from ..program import Program
from .bundles import Bundle, Stack, content, kind_of, kind_of_slice, kind_of_value, like, newer, part, zero
from .recorded import COND, NUMBER, OBJECT, SCAN, WHILE, Body, recorded_loop

Steps = Callable[[list[Any], list[Any]], tuple[list[Any], list[Any]]]  # (carry, x) -> (carry, y)


def _all_lowered(carry: list[Any], levels: tuple[Level, ...], alike: int = 0) -> list[Any]:
    """The examples of a batch as leading axes. ``alike``: how many of the first parts are the same for all of them."""
    return [*carry[:alike], *(lowered(c, levels) for c in carry[alike:])]


def _all_raised(carry: list[Any], levels: tuple[Level, ...], alike: int = 0) -> list[Any]:
    """The inverse."""
    return [*carry[:alike], *(raised(c, levels) for c in carry[alike:])]


# ---------------------------------------------------------------------- scan


def scanned(f: Steps, init: list[Any], xs: list[Any], length: Any, reverse: bool = False, alike: int = 0) -> Any:
    """The last carry and the ys of f(carry, x) -> (carry, y), two lists. ``length``: an integer or a traced one; ``alike``: see
    `_all_lowered`."""
    levels = live.levels
    if not levels:
        return Scan(f, init, xs, length, reverse).results()
    depth = len(levels)
    hidden = [x.levels if isinstance(x, Stack) else levels if type(x) is Batched else () for x in xs]

    def of_all(carry: list[Any], x: list[Any]) -> tuple[list[Any], list[Any]]:
        with under(levels):
            one = [raised(t, own) for t, own in zip(x, hidden, strict=True)]
            new, ys = f(_all_raised(carry, levels, alike), one)
            return _all_lowered(new, levels, alike), _all_lowered(ys, levels)

    slices = [
        x.of(x.content) if isinstance(x, Stack) else moveaxis(lowered(x, own), depth, 0) if own else x
        for x, own in zip(xs, hidden, strict=True)
    ]
    with under(()):
        ends, ys = scanned(of_all, _all_lowered(init, levels, alike), slices, length, reverse)
        ys = [y if isinstance(y, Stack) else moveaxis(y, 0, depth) for y in ys]
    ys = [y.of(y.content, levels) if isinstance(y, Stack) else raised(y, levels) for y in ys]
    return _all_raised(ends, levels, alike), ys


def number(n: Any) -> Any:
    """A traced integer as one of Python's, which takes the dtype of what it meets."""
    return recorder.trace.record(NUMBER, (astype(n, np.dtype(np.int64)),), {})


def counted(f: Callable[[Any, list[Any]], list[Any]], init: list[Any], length: Any) -> list[Any]:
    """The last carry of f(i, carry) -> carry for i = 0, ..., length - 1, numbers as Python's."""

    def step(carry: list[Any], x: list[Any]) -> tuple[list[Any], list[Any]]:
        return [carry[0] + 1, *f(number(carry[0]), carry[1:])], []

    return scanned(step, [np.int64(0), *init], [], length, alike=1)[0][1:]


class Looped(Together):
    """What the rules of loops and branches share. ``nodes``: what the loop depends on, ``values``: its results."""

    selects = False  # what the body selects is looked at where it is differentiated
    nodes: list[Any]
    values: list[Any]
    captured: list[Node]

    def parts(self, name: str, count: int) -> list[Any]:
        """The first results, which are parts of one node, if the loop depends on nodes."""
        value: Any = Bundle(self.values)
        op = Operator(name, lambda *inputs: value, self, complex=True)
        bundle = made(Tensor, value, op, self.nodes) if self.nodes else value
        return [part(bundle, k) for k in range(count)]

    def pulled(self, g: Any, step: Step) -> list[Any]:
        with newer(*step.args, *g.parts):
            return self.back(g.parts, step, records(step, *map(content, g.parts)))

    def jvp(self, tangents: list[Any], step: Step) -> Any:
        with newer(*step.args, *tangents):
            return Bundle(self.forward(tangents, step, records(step, *map(content, tangents))))

    def back(self, g: list[Any], step: Step, record: bool) -> list[Any]:
        """The cotangents of the nodes from those of the results (None: no dependence)."""
        raise NotImplementedError

    def forward(self, tangents: list[Any], step: Step, record: bool) -> list[Any]:
        """The tangents of the results from those of the nodes (None: no dependence)."""
        raise NotImplementedError

    def exact_vjp(self, i: int, g: Any, mask: Any, step: Step) -> tuple[Any, Any]:
        return fit(self.vjp(i, g, step), step.args[i]), np.ones(np.shape(value_of(step.args[i])), bool)


class Scan(Looped):
    """A loop without batches, recorded; and its rule. Its results: the last carry, the ys, and the carries before each step."""

    name = "scan"

    def __init__(self, f: Steps, init: list[Any], xs: list[Any], length: Any, reverse: bool) -> None:
        super().__init__()
        self.f, self.length, self.reverse, self.carries = f, length, reverse, len(init)
        self.given = [*init, *xs]
        self.kinds = [*map(kind_of, init), *map(kind_of_slice, xs)]
        body = Body(self.step, self.kinds)
        known = isinstance(length, int)
        inputs = [*([] if known else [length]), *map(content, self.given), *body.constants]
        params = {
            "body": body.program, "length": length if known else None, "reverse": reverse, "carries": self.carries,
            "slices": len(xs),
        }  # fmt: skip
        self.types = body.types
        ys = [((length, *shape), dtype) if known else ((), OBJECT) for shape, dtype in self.types[self.carries :]]
        self.values = [*recorded_loop(SCAN, inputs, params, [*self.types[: self.carries], *ys])]
        if not known:
            self.values[self.carries :] = [
                Stack(y, kind, length) for y, kind in zip(self.values[self.carries :], self.types[self.carries :], strict=True)
            ]
        self.captured = body.captured
        floats = [i for i, (_, dtype) in enumerate(self.kinds) if dtype.kind in "fc"]
        self.floats = [i for i in floats if i < self.carries]  # parts of the carry that have derivatives
        self.places = [i for i in floats if isinstance(content(self.given[i]), Node)]
        self.nodes = [*(content(self.given[i]) for i in self.places), *self.captured]

    def step(self, *given: Any) -> list[Any]:
        """One step: the new carry, the ys, and the carry before it."""
        carry = list(given[: self.carries])
        new, ys = self.f(carry, list(given[self.carries :]))
        return [*new, *ys, *carry]

    def results(self) -> tuple[list[Any], list[Any]]:
        found = self.parts(self.name, len(self.values) - self.carries)
        return found[: self.carries], found[self.carries :]

    # ------------------------------------------------------------------ derivatives

    def _inputs(self, step: Step) -> list[Any]:
        """The first carry and the xs, of which some are inputs of the node."""
        inputs = [x if isinstance(x, Stack) else value_of(x) for x in self.given]
        for i, x in zip(self.places, step.args, strict=False):
            old = inputs[i]
            inputs[i] = old.of(x) if isinstance(old, Stack) else x
        return inputs

    def _recorded(self, given: list[Any], leaves: list[int]) -> Recorded:
        """A step with fresh leaves in these places."""

        def of_leaves(*fresh: Any) -> tuple[Any, ...]:
            return tuple(self.step(*replaced(given, leaves, fresh)))

        return recorded_call(of_leaves, [given[i] for i in leaves], self.name)

    def back(self, g: list[Any], step: Step, record: bool) -> list[Any]:
        inputs, floats = self._inputs(step), self.floats
        results = len(self.types)
        leaves = floats + [i for i in self.places if i >= self.carries]
        known = [k for k in range(self.carries, results) if g[k] is not None]
        kinds = list(map(kind_of_value, self.captured))
        saved = [part(step.ans, k) for k in range(results - self.carries, results)]

        def body(carry: list[Any], x: list[Any]) -> tuple[list[Any], list[Any]]:
            given, more = x[: len(inputs)], x[len(inputs) :]
            found = self._recorded(given, leaves)
            pairs = zip([*floats, *known], [*carry[: len(floats)], *more], strict=True)
            c = found.carried_back_together([(found.roots[k], y) for k, y in pairs], self.captured, record)
            new = [like(y, self.kinds[i]) for y, i in zip(c, leaves, strict=False)]
            sums = [
                old if y is None else old + like(y, kind)
                for old, y, kind in zip(carry[len(floats) :], c[len(leaves) :], kinds, strict=True)
            ]
            return [*new[: len(floats)], *sums], new[len(floats) :]

        start = [*(like(g[i], self.types[i]) for i in floats), *map(zero, kinds)]
        xs = [*saved, *inputs[self.carries :], *(g[k] for k in known)]
        ends, ys = scanned(body, start, xs, self.length, not self.reverse)
        of_place = dict(zip(leaves, [*ends[: len(floats)], *ys], strict=True))
        return [*(of_place[i] for i in self.places), *ends[len(floats) :]]

    def forward(self, tangents: list[Any], step: Step, record: bool) -> list[Any]:
        inputs, floats = self._inputs(step), self.floats
        given = dict(zip(self.places, tangents, strict=False))
        more = tangents[len(self.places) :]
        leaves = floats + [i for i in self.places if i >= self.carries and given[i] is not None]
        outputs = [k for k in range(self.carries, len(self.types)) if self.types[k][1].kind in "fc"]

        def body(carry: list[Any], x: list[Any]) -> tuple[list[Any], list[Any]]:
            count = len(inputs) - self.carries
            found = self._recorded([*carry[: self.carries], *x[:count]], leaves)
            t = found.carried_forward_together([*carry[self.carries :], *x[count:], *more], self.captured, record)
            new = [like(t[i], self.types[i]) for i in floats]
            return [*found.value[: self.carries], *new], [like(t[k], self.types[k]) for k in outputs]

        start = [*inputs[: self.carries], *(like(given.get(i), self.types[i]) for i in floats)]
        xs = [*inputs[self.carries :], *(given[i] for i in leaves[len(floats) :])]
        ends, ys = self._carried_forward(body, start, xs)
        of_result = {**dict(zip(floats, ends[self.carries :], strict=True)), **dict(zip(outputs, ys, strict=False))}
        return [of_result.get(k) for k in range(len(self.types))]

    def _carried_forward(self, body: Steps, start: list[Any], xs: list[Any]) -> tuple[list[Any], list[Any]]:
        return scanned(body, start, xs, self.length, self.reverse, self.carries)


# ---------------------------------------------------------------------- while


def repeated(
    going: Callable[[list[Any]], Any], f: Callable[[list[Any]], list[Any]], init: list[Any], alike: int = 0
) -> list[Any]:
    """The last carry of a loop that goes on while ``going`` holds (of batches: for one of them)."""
    levels = live.levels
    if not levels:
        return _repeated(going, f, init)

    def any_goes(carry: list[Any]) -> Any:
        with under(levels):
            truth = going(_all_raised(carry, levels, alike))
            return total(astype(lowered(truth, levels), np.dtype(int))) > 0 if type(truth) is Batched else truth

    def of_all(carry: list[Any]) -> list[Any]:
        with under(levels):
            return _all_lowered(f(_all_raised(carry, levels, alike)), levels, alike)

    with under(()):
        ends = _repeated(any_goes, of_all, _all_lowered(init, levels, alike))
    return _all_raised(ends, levels, alike)


def _repeated(going: Callable[[list[Any]], Any], f: Callable[[list[Any]], list[Any]], init: list[Any]) -> list[Any]:
    kinds = [kind_of(x) for x in init]
    test = Body(lambda *carry: [going(list(carry))], kinds)
    body = Body(lambda *carry: f(list(carry)), kinds)
    params = {"body": body.program, "going": test.program, "carries": len(init), "first": len(body.constants)}
    inputs = [*init, *body.constants, *test.constants]
    *ends, count = recorded_loop(WHILE, inputs, params, [*body.types, ((), np.dtype(np.int64))])
    if not body.captured and not any(isinstance(x, Node) for x in init):
        return list(ends)
    loop = While(lambda carry, x: (f(carry), []), init, [], count, False)
    loop.going, loop.values[: len(init)] = going, ends
    return loop.results()[0]


class While(Scan):
    """The derivatives of ``while``: those of a scan of as many steps as there were. What its steps began with is kept by running
    them again; a tangent is carried beside the carry at once."""

    name = "while"
    going: Callable[[list[Any]], Any]

    def _carried_forward(self, body: Steps, start: list[Any], xs: list[Any]) -> tuple[list[Any], list[Any]]:
        ends = repeated(lambda carry: self.going(carry[: self.carries]), lambda carry: body(carry, [])[0], start, self.carries)
        return ends, scanned(body, start, xs, self.length, alike=self.carries)[1]


# ---------------------------------------------------------------------- cond

# Where both branches are a few such operators on a few elements, both are computed: they have finite derivatives everywhere.
CHEAP = frozenset((
    "add", "subtract", "multiply", "negative", "abs", "maximum", "minimum", "where", "astype", "as_tensor", "broadcast_to",
    "less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "logical_and", "logical_or", "logical_not",
))  # fmt: skip
FEW = 16


def branched(pred: Any, yes: Callable[[], list[Any]], no: Callable[[], list[Any]]) -> list[Any]:
    """The results of the one or the other, which are alike."""
    levels = live.levels
    if not levels:
        return _branched(pred, yes, no)

    def of_all(f: Callable[[], list[Any]]) -> list[Any]:
        with under(levels):
            return _all_lowered(f(), levels)

    with under(()):
        results = _branched(pred, lambda: of_all(yes), lambda: of_all(no))
    return _all_raised(results, levels)


def _branched(pred: Any, yes: Callable[[], list[Any]], no: Callable[[], list[Any]]) -> list[Any]:
    bodies = [Body(yes, []), Body(no, [])]
    if all(_is_cheap(body.program) for body in bodies):
        return [where(pred, a, b) for a, b in zip(yes(), no(), strict=True)]
    return Branch(pred, yes, no, bodies).parts("cond", len(bodies[0].types))


def _is_cheap(program: Program) -> bool:
    made = [q for q in program.quantities if q.op is not None]
    return len(made) <= FEW and all(q.op.name in CHEAP and q.size <= FEW for q in made) and not program.expected


class Branch(Looped):
    """A branch without batches, recorded; and its rule: a branch of the two derivatives."""

    def __init__(self, pred: Any, yes: Any, no: Any, bodies: list[Body]) -> None:
        super().__init__()
        self.pred, self.functions = pred, (yes, no)
        one, other = bodies
        params = {"yes": one.program, "no": other.program, "first": len(one.constants)}
        self.values = recorded_loop(COND, [pred, *one.constants, *other.constants], params, one.types)
        self.captured = self.nodes = list(dict.fromkeys([*one.captured, *other.captured]))

    def _branched(self, derivative: Callable[[Recorded], list[Any]]) -> list[Any]:
        yes, no = (
            lambda f=f: derivative(recorded_call(lambda: tuple(f()), [], "cond")) for f in self.functions
        )
        return branched(self.pred, yes, no)

    def back(self, g: list[Any], step: Step, record: bool) -> list[Any]:
        known = [k for k, y in enumerate(g) if y is not None]
        kinds = list(map(kind_of_value, self.captured))

        def pulled(found: Recorded) -> list[Any]:
            c = found.carried_back_together([(found.roots[k], g[k]) for k in known], self.captured, record)
            return [like(y, kind) for y, kind in zip(c, kinds, strict=True)]

        return self._branched(pulled)

    def forward(self, tangents: list[Any], step: Step, record: bool) -> list[Any]:
        floats = [k for k, y in enumerate(self.values) if y.dtype.kind in "fc"]

        def pushed(found: Recorded) -> list[Any]:
            t = found.carried_forward_together(tangents, self.captured, record)
            return [like(t[k], kind_of(self.values[k])) for k in floats]

        of_result = dict(zip(floats, self._branched(pushed), strict=True))
        return [of_result.get(k) for k in range(len(self.values))]


"""A graph as a program in JavaScript that computes it again, forward and backward, at other values of its leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from ..operators.rules import Bilinear, Elementwise, Reduction, Step, Zero, broadcast, expanded, fit
from ..symbol import Symbol
from .kernels import NotPrintable, Printer, literal
from .quantities import Graph, Quantity, Term

QUANTITIES = 60
ELEMENTS = 64  # of one quantity
CONSTANTS = 256  # elements of one of those
SLIDERS = 24
LABELLED = {"cross_entropy_of_labels", "residual"}

# At which numbers, in place of the recorded ones, a rule must leave the same text: else it looked at them.
OTHERWISE: tuple[Callable[[Any], Any], ...] = (np.zeros_like, np.ones_like)


class Program:
    """A graph as a JavaScript program. Raises NotPrintable, saying why, for a graph that can't be one."""

    def __init__(self, graph: Graph) -> None:
        _check(graph)
        self.graph = graph
        self.printer = Printer()
        with np.errstate(all="ignore"):
            computed = [_computed(q, self.printer, graph.differentiated) for q in graph.quantities if q.op is not None]
        leaves = ", ".join(f"{q.number}: {literal(q.value)}" for q in graph.quantities if q.op is None)
        seed = literal(graph.output.adjoint) if graph.differentiated else "null"
        self.lines = [
            f"output: {graph.output.number}, seed: {seed}, selects: {json.dumps(graph.reach.selecting)},",
            f"leaves: {{{leaves}}},",
            "computed: [", *(f"  {line}," for line in computed), "],",
        ]  # fmt: skip
        self.choices: dict[str, str] = {}

    def choice(self, condition: Symbol) -> str:
        """A key for a condition among the quantities: of two branches of a formula the one to be shown."""
        text = self.function(condition)
        return self.choices.setdefault(text, f"c{len(self.choices)}")

    def depends(self, term: Term) -> str:
        """A key for whether the output can depend on a quantity through a term."""
        key = f"{term.consumer.number}.{term.position}"
        return self.choices.setdefault(f'(z, terms) => terms["{key}"].depends', f"d{key}")

    def add(self, name: str, result: Symbol) -> None:
        """One more function of the quantities."""
        self.lines.append(f"{name}: {self.function(result)},")

    def function(self, result: Symbol) -> str:
        """A formula of the quantities as a function of their values."""
        with np.errstate(all="ignore"):
            return self.printer.function("z", {q.symbol: f"z[{q.number}]" for q in self.graph.quantities}, result)

    def text(self) -> str:
        """The definition of the constant ``program``."""
        choices = ", ".join(f'"{key}": {text}' for text, key in self.choices.items())
        lines = [*self.lines, f"choices: {{{choices}}},"]
        return self.printer.definitions() + "const program = {\n" + "\n".join(f"  {line}" for line in lines) + "\n};\n"


def _check(graph: Graph) -> None:
    """Is the graph small and made of what can be computed again?"""
    if len(graph.quantities) > QUANTITIES:
        raise NotPrintable(f"a page computes up to {QUANTITIES} quantities again, and the graph has {len(graph.quantities):,}")
    for q in graph.quantities:
        value = np.asarray(q.value)
        if value.dtype != np.float64:
            raise NotPrintable(f"{q.name.text} is {value.dtype}, and a page computes in float64")
        if value.size > ELEMENTS:
            raise NotPrintable(f"a page computes arrays of up to {ELEMENTS} elements again, and {q.name.text} has {value.size:,}")
        if any(np.size(x) > CONSTANTS for x in q.inputs):
            raise NotPrintable(f"a page takes constants of up to {CONSTANTS} elements, and one of {q.name.text} has more")
        decided = _decided(q)
        if decided:
            line = f" (line {q.source.line})" if q.source else ""
            raise NotPrintable(f"the {decided} of {q.name.text}{line} was fixed before it entered the graph: it would not follow")
    sliders = sum(np.size(q.value) for q in graph.quantities if q.op is None)
    if sliders > SLIDERS:
        raise NotPrintable(f"a page has up to {SLIDERS}, one for each element of a leaf, and here they would be {sliders:,}")


def _decided(q: Quantity) -> str:
    """What a quantity was told by plain integers or truth values, which may have been computed from the leaves: a condition, an
    index. Labels are data."""
    if q.op is None or isinstance(q.op.rule, Zero) or q.op.name in LABELLED:
        return ""
    for i, x in enumerate(q.inputs):
        if not isinstance(x, Quantity) and not q.op.rule.depends_on(i) and np.asarray(x).dtype.kind in "bi":
            return "condition" if q.op.name == "where" else "index" if q.op.selects else "integer"
    return ""


def _computed(q: Quantity, printer: Printer, differentiated: bool) -> str:
    """One quantity: its inputs, its computation, and what it carries back to each of them."""
    inputs = ", ".join(f"z[{x.number}]" if isinstance(x, Quantity) else literal(x) for x in q.inputs)
    forward = _steadily(q, lambda step: printer.function("a", _arguments(step), step.op.apply(step.args, step.params)))
    uses = []
    if differentiated:
        for i, x in enumerate(q.inputs):
            if isinstance(x, Quantity) and q.op.rule.depends_on(i):
                uses.append(f"{{of: {x.number}, position: {i}, {_use(q, i, printer)}}}")
    return f"{{number: {q.number}, inputs: (z) => [{inputs}], forward: {forward}, uses: [{', '.join(uses)}]}}"


def _use(q: Quantity, i: int, printer: Printer) -> str:
    rule = q.op.rule
    if isinstance(rule, (Elementwise, Reduction)):
        return ", ".join(filter(None, [
            f"weight: {_steadily(q, lambda step: printer.function('ans, a', _arguments(step, 'ans'), _partial(rule, i, step)))}",
            _steadily(q, lambda step: _spread(rule, step, printer)),
            _steadily(q, lambda step: _gather(step, i, printer)),
            "selects: true" if rule.selects else "",
        ]))  # fmt: skip

    def carry(step: Step) -> str:
        g = Symbol("g", np.ones_like(step.ans._value))
        return printer.function("g, ans, a", {**_arguments(step, "ans"), g: "g"}, fit(rule.vjp(i, g, step), step.args[i]))

    if isinstance(rule, Bilinear):
        return f"bilinear: true, carry: {_steadily(q, carry, everything=True)}"
    return f"carry: {_steadily(q, carry)}"


def _partial(rule: Any, i: int, step: Step) -> Any:
    return rule.partial(i, step.ans, step.args) if isinstance(rule, Elementwise) else rule._weights(step)


def _spread(rule: Any, step: Step, printer: Printer) -> str:
    """How what arrives at a reduction is spread over what was reduced."""
    if isinstance(rule, Elementwise):
        return ""
    g = Symbol("g", np.ones_like(step.ans._value))
    x = step.args[0]
    spread = expanded(g, x, step.params["axis"], step.params.get("keepdims", False))
    return f"spread: {printer.function('g', {g: 'g'}, broadcast(spread, x.shape))}"


def _gather(step: Step, i: int, printer: Printer) -> str:
    """How a contribution is summed where an argument was broadcast."""
    if isinstance(step.op.rule, Reduction) or step.args[i].shape == step.ans.shape:
        return ""
    c = Symbol("c", np.ones_like(step.ans._value))
    return f"gather: {printer.function('c', {c: 'c'}, fit(c, step.args[i]))}"


def _arguments(step: Step, ans: str = "") -> dict[Symbol, str]:
    """How the symbols of a step are called."""
    names = {x: f"a[{i}]" for i, x in enumerate(step.args) if isinstance(x, Symbol)}
    return {**names, step.ans: ans} if ans else names


def _steadily(q: Quantity, printed: Callable[[Step], str], everything: bool = False) -> str:
    """What a rule leaves behind, printed, if it is the same for all numbers."""
    text = printed(_step(q, np.asarray, everything))
    for other in OTHERWISE:
        if printed(_step(q, other, everything)) != text:
            raise NotPrintable(f"the row {q.op.name!r} is computed otherwise for other numbers")
    return text


def _step(q: Quantity, valued: Callable[[Any], Any], everything: bool) -> Step:
    """The application of the row in symbols; ``everything``: constants too, which else stand as they are."""
    args = []
    for i, x in enumerate(q.inputs):
        if isinstance(x, Quantity):
            args.append(Symbol(f"a{i}", valued(x.node._value)))
        elif everything:
            args.append(Symbol(f"a{i}", np.asarray(x, dtype=float)))
        else:
            args.append(x)
    with np.errstate(all="ignore"):
        ans = q.op.apply(tuple(args), q.node.params)
    return Step(q.op, Symbol("ans", ans._value), tuple(args), q.node.params)

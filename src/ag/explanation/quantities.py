"""The quantities of a graph, z1, z2, ... in the order in which they were computed, and what each contributed to which.

Everything is read off the graph and the rows: a definition is the row's formula on the names of the inputs; a term of
the chain rule is what the row's rule leaves behind when it is given symbols for its arguments.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from ..adjoint import Adjoints, pull, seed, zero
from ..node import Node, describe, made
from ..operators.rules import Elementwise, Step, computed, fit, shape_of, value_of
from ..reach import Reach
from ..source import Source
from ..symbol import Symbol
from .constants import Constants
from .formula import Formula
from .names import ONE, Name, is_word


class Quantity:
    """One quantity of an explained graph.

    number      its place in the order of computation, from 1
    node        the node of the graph
    name        as it is called in formulas
    inputs      what it was computed from: quantities, and plain constants
    adjoint     the derivative of the output with respect to it, a number or an array; None if there is none
    terms       the chain rule: one term for each use of it, in the order in which the reverse pass meets them
    """

    __slots__ = ("adjoint", "arguments", "derivative", "inputs", "name", "node", "number", "symbol", "terms")

    def __init__(self, number: int, node: Node, name: Name, output: Name) -> None:
        self.number = number
        self.node = node
        self.name = name
        self.derivative = name.derivative(output)
        self.inputs: tuple[Any, ...] = ()
        self.arguments: tuple[Any, ...] = ()  # what stands for the inputs in formulas
        self.adjoint: Any = None
        self.terms: list[Term] = []
        self.symbol = Symbol(name, node._value)

    def __repr__(self) -> str:
        return f"{self.name.text} = {self.definition.text() if self.op else self.value}"

    @property
    def op(self) -> Any:
        """The operator that made it; None for a leaf."""
        return self.node.op

    @property
    def label(self) -> str | None:
        """The label of its node."""
        return self.node.label

    @property
    def value(self) -> Any:
        """Its number(s)."""
        return self.node.value

    @property
    def shape(self) -> tuple[int, ...]:
        """Its lengths along each axis; () for a number."""
        return shape_of(self.node)

    @property
    def source(self) -> Source | None:
        """The line of the program that made it."""
        return self.node.source

    @property
    def definition(self) -> Formula:
        """How it is computed from earlier ones; of a leaf its name."""
        if self.node.op is None:
            return Formula(self.symbol)
        symbol = made(Symbol, self.symbol._value, self.node.op, self.arguments)
        symbol._params = self.node.params
        return Formula(symbol, as_recorded=True)


class Term:
    """One term of the chain rule: what came to a quantity through one use of it.

    consumer      the quantity that used it
    position      as which of the consumer's inputs
    partial       ∂consumer/∂quantity as a formula, element by element; None where it is no such thing
    contribution  the whole term as a formula of ∂output/∂consumer
    value         its number(s)
    depends       False: the output can't depend on it this way (a branch not taken), so the term is exactly 0
    """

    __slots__ = ("consumer", "contribution", "depends", "partial", "position", "value")

    def __init__(
        self, consumer: Quantity, position: int, partial: Formula | None, contribution: Formula, value: Any, depends: bool
    ) -> None:
        self.consumer = consumer
        self.position = position
        self.partial = partial
        self.contribution = contribution
        self.value = value
        self.depends = depends

    def __repr__(self) -> str:
        return f"{self.contribution.text()} through {self.consumer.name.text}"


class Graph:
    """The quantities of a graph, and the chain rule on them if the output has a derivative.

    Arguments: ``root``, the output; ``cotangent``, what its derivative is weighted with, for an output of several elements;
    ``caller``, who asks, for errors.
    """

    def __init__(self, root: Node, cotangent: Any = None, caller: str = "ag.explain") -> None:
        self.reach = Reach([root])
        if self.reach.complex:
            raise TypeError(
                f"{describe(root)} is computed with complex numbers, whose derivatives have two parts that a line can't show: "
                f"explain a function of x and y in place of x + iy, or look at ag.real(z) and ag.imag(z) alone"
            )
        nodes = self.reach.order[::-1]
        self.root = root
        self.differentiated = cotangent is not None or np.size(value_of(root)) == 1
        self.scalar = all(type(node._value) is float for node in nodes)
        names, self.output_name = _names(nodes, self.scalar)
        self.quantities = tuple(
            Quantity(i, node, name, self.output_name) for i, (node, name) in enumerate(zip(nodes, names, strict=True), 1)
        )
        self.by_node = {q.node: q for q in self.quantities}
        constants = Constants({name.text for name in names})
        for q in self.quantities:
            q.inputs = tuple(self.by_node[x] if isinstance(x, Node) else x for x in q.node.inputs)
            q.arguments = tuple(
                x.symbol if isinstance(x, Quantity) else constants.symbol(q.node, i) for i, x in enumerate(q.inputs)
            )
        self.constants = constants.all()
        self.masks: Adjoints = {}
        if self.differentiated:
            with np.errstate(all="ignore"):
                self._differentiate(value_of(seed(root, cotangent, caller)))

    @property
    def output(self) -> Quantity:
        """The last quantity: what is explained."""
        return self.by_node[self.root]

    def __getitem__(self, key: Any) -> Quantity:
        """The quantity of a node, or by its label or name ("x", "z3")."""
        if isinstance(key, Quantity):
            key = key.node
        found = self.by_node.get(key) if isinstance(key, Node) else None
        if isinstance(key, str):
            found = self._named(key)
        if found is None:
            ends = range(min(len(self.quantities), 20))
            what = describe(key) if isinstance(key, Node) else repr(key)
            names = ", ".join(self.quantities[i].name.text for i in ends)
            raise KeyError(f"{what} is no quantity of this graph; they are called {names}")
        return found

    def _named(self, key: str) -> Quantity | None:
        """The quantity of that label, else of that name, else of that number."""
        labelled = [q for q in self.quantities if q.label == key]
        if len(labelled) > 1:
            numbers = ", ".join(f"z{q.number}" for q in labelled[:20])
            raise KeyError(f"{len(labelled)} quantities have the label {key!r}: say which, {numbers}, or give the node")
        return next((q for q in (*labelled, *self.quantities) if key in (q.label, q.name.text, f"z{q.number}")), None)

    def carried(self, consumer: Quantity, position: int, adjoint: Any) -> Any:
        """What a derivative with respect to a quantity contributes to the one with respect to its input: numbers by the rule."""
        return self._carried(consumer, position, adjoint)[0]

    def _carried(self, consumer: Quantity, position: int, adjoint: Any) -> tuple[Any, bool]:
        """The same, and whether the output can depend on the input this way at all."""
        rule, step, mask = consumer.op.rule, computed(consumer.node), self.masks.get(consumer.node)
        with np.errstate(all="ignore"):
            if mask is None:
                return fit(rule.vjp(position, adjoint, step), step.args[position]), True
            value, mask = rule.exact_vjp(position, adjoint, mask, step)
        return value, bool(np.any(mask)) if np.size(mask) else True

    def _differentiate(self, start: Any) -> None:
        adjoints = pull({self.root: start}, self.reach, masks=self.masks)
        for q in self.quantities:
            g = adjoints[q.node]
            q.adjoint = zero(q.node) if g is None else g
        for q in reversed(self.quantities):
            if q.op is not None and adjoints[q.node] is not None:
                self._spread(q)

    def _spread(self, q: Quantity) -> None:
        """The terms that one quantity contributes to its inputs."""
        rule = q.op.rule
        args = q.arguments
        step = Step(q.op, q.symbol, args, q.node.params)
        whole = q is self.output and np.size(q.adjoint) == 1 and np.all(q.adjoint == 1)
        g = Symbol(ONE if whole else q.derivative, q.adjoint)
        for i, x in enumerate(q.inputs):
            if not isinstance(x, Quantity) or not rule.depends_on(i):
                continue
            partial = Formula(rule.partial(i, step.ans, args)) if isinstance(rule, Elementwise) else None
            contribution = Formula(fit(rule.vjp(i, g, step), args[i]))
            value, depends = self._carried(q, i, q.adjoint)
            x.terms.append(Term(q, i, partial, contribution, self._as(x, value), depends))

    @staticmethod
    def _as(q: Quantity, value: Any) -> Any:
        return float(value) if type(q.node._value) is float else value



def _names(nodes: list[Node], scalar: bool) -> tuple[list[Name], Name]:
    """Names for the nodes, and for the last of them, the output, in derivatives.

    A graph of scalars is read by its numbers, z1, z2, ...; in one of arrays labels stand where there are some that can."""
    labels = [" ".join((node.label or "").split()) for node in nodes]
    counts = Counter(Name.of(label).latex for label in labels if label)
    usable = [Name.of(label) if is_word(label) and counts[Name.of(label).latex] == 1 else None for label in labels]
    names = [Name.of(f"z{i}") if scalar or name is None else name for i, name in enumerate(usable, 1)]
    taken = {name.text for name in names} | {label for label in labels if label}
    free = next(letter for letter in ("f" if scalar else "L", "J", "F", "output", "the_output") if letter not in taken)
    return names, usable[-1] or Name.of(free)

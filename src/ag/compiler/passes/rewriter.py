"""The engine of the rewriting passes: a program written again, each quantity by the first rule that knows it better.

A rule is a function (rewriter, quantity) -> the number or constant that has the same value, or None. Values of another dtype or
shape are refused by the engine, so a rule says only what is equal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ...operators.table import TABLE
from ..abstract import abstract, is_elementwise
from ..literals import counts
from ..program import Constant, Program, Quantity

Value = int | Constant
BROADCAST = TABLE["broadcast_to"]


class Rule(NamedTuple):
    """``text``: the equation that it stands for; ``ops``: the rows that it is tried on."""

    text: str
    ops: tuple[str, ...]
    function: Callable[[Rewriter, Quantity], Value | None]


class Rules(list[Rule]):
    """A numbered list of rules, tried in this order."""

    def add(self, text: str, *ops: str) -> Callable[[Any], Any]:
        """Decorator: one more rule for these rows (none: for all)."""

        def added(function: Any) -> Any:
            self.append(Rule(text, ops, function))
            return function

        return added

    def by_row(self) -> dict[Any, list[Any]]:
        """The functions of the rules for each row of the table."""
        found: dict[Any, list[Any]] = {}
        for rule in self:
            for op in [TABLE[name] for name in rule.ops] or TABLE.values():
                found.setdefault(op, []).append(rule.function)
        return found

    def __str__(self) -> str:
        return "\n".join(f"{number}. {rule.text}" for number, rule in enumerate(self, 1))


class Rewriter:
    """Makes a program quantity by quantity. What was computed before is not computed again."""

    def __init__(self, rules: dict[Any, list[Any]]) -> None:
        self.rules = rules
        self.program = Program()
        self.quantities = self.program.quantities
        self.known: dict[Any, int] = {}  # a quantity that is computed, by its key
        self.numbers: dict[int, Any] = {}  # what is one number everywhere
        self.place: Any = None

    # ------------------------------------------------------------------ what rules ask for

    def __getitem__(self, x: Value) -> Any:
        """The quantity of a number; of a constant a quantity without an operator."""
        return self.quantities[x] if type(x) is int else Quantity(None, (), {}, x.shape, x.dtype, x.weak)  # type: ignore[union-attr]

    def made_by(self, x: Value, name: str) -> Quantity | None:
        """The quantity x, if this row makes it."""
        if type(x) is int:
            q = self.quantities[x]
            if q.op is not None and q.op is TABLE[name]:
                return q
        return None

    def number(self, x: Value) -> Any:
        """The number that x is everywhere, if that is known; else None."""
        return x.value if type(x) is Constant else self.numbers.get(x)  # type: ignore[arg-type]

    def counts(self, x: Value) -> bool:
        """Is it 0, 1, 2, ...?"""
        return type(x) is int and counts(self.quantities[x])

    def new(self, name: str, *inputs: Value, **params: Any) -> Value:
        """One more quantity, made by a row of the table."""
        op = TABLE[name]
        kind = abstract(op, [self.quantities[x] if type(x) is int else x for x in inputs], params)
        return self.added(Quantity(op, inputs, params, *kind, self.place))

    # ------------------------------------------------------------------ what is added

    def added(self, q: Quantity) -> Value:
        """A quantity by the rules, or as it was computed before, or at the end of the program."""
        for rule in self.rules.get(q.op, ()):
            found = rule(self, q)
            if found is not None:
                found = self.fitted(found, q)
                if found is not None:
                    return found
        key = q.key()
        known = self.known.get(key)
        if known is None:
            known = self.known[key] = self.appended(q)
        return known

    def appended(self, q: Quantity) -> int:
        number = len(self.quantities)
        self.quantities.append(q)
        if q.op is BROADCAST:
            known = self.number(q.inputs[0])
            if known is not None:
                self.numbers[number] = known
        return number

    def fitted(self, x: Value, q: Quantity) -> Value | None:
        """x in the shape of q, if it has its dtype and weakness."""
        y = self.program[x]
        if y.dtype != q.dtype or y.weak != q.weak:
            if y.weak and not q.weak and type(x) is Constant:  # a Python number that has taken a dtype
                return self.fitted(Constant(q.dtype.type(x.value)), q)
            return None
        if y.shape == q.shape:
            return x
        return self.new("broadcast_to", x, shape=q.shape) if is_elementwise(q.op) else None

    def quantity_of(self, x: Value) -> int:
        """x as a quantity of the program."""
        if isinstance(x, int):
            return x
        return self.appended(Quantity(TABLE["broadcast_to"], (x,), {"shape": ()}, (), x.dtype, False, self.place))


def rewritten(program: Program, rules: dict[Any, list[Any]]) -> Program:
    """The program by these rules (as `Rules.by_row` gives them), with common subexpressions computed once."""
    w = Rewriter(rules)
    moved: list[Value] = []
    for q in program.quantities:
        w.place = q.place
        moved.append(w.appended(q) if q.op is None else w.added(q.renumbered(moved)))
    w.program.stands_for(program, moved)
    expected = dict.fromkeys(moved[x] for x in program.expected)
    w.program.expected = [w.quantity_of(x) for x in expected if type(x) is int or x.value]  # type: ignore[union-attr]
    return w.program

"""Better ways to write what overflows or has no derivative, found by the pattern of the graph around a node.

A pattern is a Python expression: names stand for anything (the same name for the same quantity), ``here`` for the node in
question. What only moves elements about (indexing, reshape, ...) is passed over.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..node import Node

TRANSPARENT = {
    "argument", "as_scalar", "as_tensor", "astype", "broadcast_to", "getitem", "permute_dims", "positive", "reshape",
}  # fmt: skip
COMMUTATIVE = {"add", "multiply"}
NEAR = 8  # how many operators further on a pattern may end


class Rewrite(NamedTuple):
    """What is written, and what should be.

    patterns  any of them
    write     with the names of the pattern
    because   what the other way does better
    zero      the name in the pattern that must be 0 at the element, else it would not help
    """

    patterns: tuple[str, ...]
    write: str
    because: str
    zero: str = ""


SQUARES = ("sum(square(x))", "sum(x * x)", "sum(x ** 2)")
ROOTS = ("sqrt({})", "{} ** 0.5")


def _all(*forms: str, inner: tuple[str, ...] = ("",)) -> tuple[str, ...]:
    return tuple(form.format(part) for form in forms for part in inner)


NORMS = (*_all(*ROOTS, inner=SQUARES), "norm(x)")
SIGMOIDS = ("1 / (1 + exp(-x))", "reciprocal(1 + exp(-x))", "sigmoid(x)", "exp(x) / (1 + exp(x))", "exp(x) / (exp(x) + 1)")
SOFTMAXES = ("exp(z - m) / sum(exp(z - m))", "exp(z) / sum(exp(z))", "softmax(z)")

UNFORMED = "it does not form eˣ, which overflows or rounds to 0"
AND_NO_OVERFLOW = ", and it does not overflow"
TRULY = "the derivative there is truly inf"

# The first that matches is advised, so the larger patterns come first.
REWRITES = (
    Rewrite(_all("log({})", inner=SOFTMAXES), "ag.log_softmax({z})",
            "it never forms the probability, which rounds to 0 or overflows, and is exact for logits of ±10⁴"),
    Rewrite(_all("log(1 - {})", inner=SIGMOIDS), "-ag.softplus({x})",
            "log(1 - σ(x)) = -log(1 + eˣ), without forming σ(x), which rounds to 1"),
    Rewrite(_all("log({})", inner=SIGMOIDS), "-ag.softplus(-{x})",
            "log σ(x) = -log(1 + e⁻ˣ), without forming σ(x), which rounds to 0"),
    Rewrite(("log(1 + exp(x))", "log1p(exp(x))"), "ag.softplus({x})", f"log(1 + eˣ), but {UNFORMED}"),
    Rewrite(("log(exp(x) + exp(y))",), "ag.logaddexp({x}, {y})", UNFORMED),
    Rewrite(("log(sum(exp(x)))",), "ag.logsumexp({x})", UNFORMED),
    Rewrite(("log(mean(exp(x)))",), "ag.logsumexp({x}) - np.log(n)", f"for n elements; {UNFORMED}"),
    Rewrite(("log(prod(p))",), "ag.sum(ag.log({p}))",
            "a product of many numbers rounds to 0 or overflows, the sum of their logarithms does not"),
    Rewrite(("log(exp(x))",), "{x}", "the two cancel"),
    Rewrite(SIGMOIDS[:2] + SIGMOIDS[3:], "ag.sigmoid({x})", "it forms only e^-|x|, which can't overflow"),
    Rewrite(("(exp(x) - exp(-x)) / (exp(x) + exp(-x))", "(exp(2 * x) - 1) / (exp(2 * x) + 1)"), "ag.tanh({x})", UNFORMED),
    Rewrite(SOFTMAXES[:2], "ag.softmax({z})", "it subtracts the largest logit first, so nothing overflows"),
    Rewrite(_all("a / {}", inner=NORMS), "n = ag.norm({x}); ag.where(n > 0, {a} / n, 0.0)",
            "a vector of zeros has no direction: this keeps it 0, with the derivative 0"),
    Rewrite(_all(*ROOTS, inner=SQUARES), "ag.norm({x})",
            f"with the same axis: its derivative at 0, where the norm has a kink, is 0{AND_NO_OVERFLOW}"),
    Rewrite(_all("sqrt({})", inner=("x * x + y * y", "square(x) + square(y)", "x ** 2 + y ** 2")), "ag.hypot({x}, {y})",
            f"its derivative at (0, 0) is 0{AND_NO_OVERFLOW}"),
    Rewrite(_all("sqrt({})", inner=("square(x)", "x * x", "x ** 2")), "ag.abs({x})",
            f"its derivative at 0 is 0{AND_NO_OVERFLOW}"),
    Rewrite(_all(*ROOTS, inner=("var(x)",)), "ag.std({x})", "its derivative is 0 where all elements are equal"),
    Rewrite(("a * log(b)",), "ag.xlogy({a}, {b})",
            "it is 0 where {a} is 0, whatever the logarithm; the derivative by {a} is log {b}, and truly -inf at 0", zero="a"),
    Rewrite(("mask * here",), "ag.where({mask}, {here}, 0.0)",
            "the mask is the factor that is 0 here: 0 · inf is nan, but a branch that is not taken contributes exactly 0, to the "
            "value and to the derivatives", zero="mask"),
)

# Where a derivative is infinite and no pattern is found: by operator.
SINGULAR = {
    "sqrt": Rewrite(("sqrt(x)",), "ag.where({x} > 0, ag.sqrt({x}), 0.0)",
                    f"{TRULY}; this takes it as 0 there (or keep away from 0: ag.sqrt({{x}} + 1e-12))"),
    "cbrt": Rewrite(("cbrt(x)",), "ag.where({x} != 0, ag.cbrt({x}), 0.0)", f"{TRULY}; this takes it as 0 there"),
    "pow": Rewrite(("x ** y",), "ag.where({x} > 0, {x} ** {y}, 0.0)", f"{TRULY}; this takes it as 0 there"),
    "asin": Rewrite(("asin(x)",), "ag.asin(ag.clip({x}, -1 + 1e-12, 1 - 1e-12))", TRULY),
    "acos": Rewrite(("acos(x)",), "ag.acos(ag.clip({x}, -1 + 1e-12, 1 - 1e-12))", TRULY),
    "acosh": Rewrite(("acosh(x)",), "ag.acosh(ag.maximum({x}, 1 + 1e-12))", TRULY),
}


class Advice(NamedTuple):
    """What to write, and what that does better; without ``because`` it is what to do, in words."""

    write: str
    because: str = ""


Tree = Any  # (operator name, [trees]), a name, or a number

OPERATORS = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "pow"}


@functools.cache
def tree_of(pattern: str) -> Tree:
    """A pattern, read."""

    def read(x: ast.expr) -> Tree:
        if isinstance(x, ast.BinOp):
            return OPERATORS[type(x.op)], (read(x.left), read(x.right))
        if isinstance(x, ast.UnaryOp):
            return "negative", (read(x.operand),)
        if isinstance(x, ast.Call):
            assert isinstance(x.func, ast.Name)
            return x.func.id, tuple(map(read, x.args))
        if isinstance(x, ast.Constant):
            return x.value
        assert isinstance(x, ast.Name)
        return x.id

    return read(ast.parse(pattern, mode="eval").body)


class Match(NamedTuple):
    """The names of a pattern with what they stand for, and the nodes that the pattern's operators matched."""

    names: dict[str, Any]
    nodes: tuple[Node, ...]


def matches(x: Any, tree: Tree, so_far: Match, here: Node) -> Iterator[Match]:
    """The ways in which ``x`` is what the tree says."""
    if isinstance(tree, str):
        if tree == "here":
            if stripped(x) is here:
                yield Match({**so_far.names, "here": here}, (*so_far.nodes, here))
        elif tree not in so_far.names:
            yield Match({**so_far.names, tree: x}, so_far.nodes)
        elif same(so_far.names[tree], x):
            yield so_far
    elif isinstance(tree, (int, float)):
        if not isinstance(x, Node) and np.all(np.asarray(x) == tree) and np.size(x):
            yield so_far
    else:
        name, parts = tree
        while isinstance(x, Node) and x.op is not None and x.op.name != name and x.op.name in TRANSPARENT:
            x = x.inputs[0]
        if isinstance(x, Node) and x.op is not None and x.op.name == name:
            start = Match(so_far.names, (*so_far.nodes, x))
            orders = [x.inputs, x.inputs[::-1]] if name in COMMUTATIVE else [x.inputs]
            for inputs in orders:
                yield from _parts(inputs, parts, start, here)


def _parts(inputs: tuple[Any, ...], trees: tuple[Tree, ...], so_far: Match, here: Node) -> Iterator[Match]:
    if not trees:
        yield so_far
        return
    for found in matches(inputs[0], trees[0], so_far, here):
        yield from _parts(inputs[1:], trees[1:], found, here)


def stripped(x: Any) -> Any:
    """Without what only moves elements about."""
    while isinstance(x, Node) and x.op is not None and x.op.name in TRANSPARENT:
        x = x.inputs[0]
    return x


def same(x: Any, y: Any, depth: int = 4) -> bool:
    """Are these the same quantity, or computed in the same way from the same?"""
    x, y = stripped(x), stripped(y)
    if x is y:
        return True
    if isinstance(x, Node) and isinstance(y, Node):
        return (
            depth > 0 and x.op is not None and x.op is y.op and repr(x.params) == repr(y.params)
            and len(x.inputs) == len(y.inputs) and all(same(a, b, depth - 1) for a, b in zip(x.inputs, y.inputs, strict=True))
        )
    return not isinstance(x, Node) and not isinstance(y, Node) and np.array_equal(x, y)

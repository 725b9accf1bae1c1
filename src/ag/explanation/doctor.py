"""Wrong uses of a loss, found in the graph: each with the number that proves it, and what to write instead.

Nothing is said on suspicion: a finding states what was counted or computed on the numbers of the graph.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..node import Node
from ..operators.probability import NEAR, are_probabilities
from ..operators.rules import Elementwise, shape_of, value_of
from ..reach import Reach
from ..source import Source
from .findings import place
from .numerals import numeral
from .rewrites import SOFTMAXES, Match, matches, tree_of

ENOUGH = 10  # examples for each class, before a class that never occurs means something
MANY = 0.05  # share of the examples that are hopelessly wrong


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """A wrong use of a loss.

    kind     "softmax twice", "saturated logits", "labels from 1", "targets", "broadcast"
    title    what is wrong, in one sentence
    proof    the numbers that show it, in words
    numbers  the same as data
    write    what to write instead
    node     the quantity where it is seen; source: its line
    """

    kind: str
    title: str
    proof: str
    numbers: dict[str, float]
    write: str
    node: Node | None = None

    @property
    def source(self) -> Source | None:
        """The line of the program."""
        return None if self.node is None else self.node.source

    def __str__(self) -> str:
        where = f" ({place(self.source)})" if self.source is not None else ""
        return f"{self.title}{where}: {self.proof}. {self.write}"


def diagnose(root: Node) -> list[Diagnosis]:
    """The wrong uses of a loss in the graph behind ``root``, in the order of computation; an empty list if there are none.

    Looked for are softmax applied twice, logits at which softmax is one-hot within rounding and wrong, labels that start
    from 1, targets that do not sum to 1, and a column minus a vector that became a matrix of all differences.
    """
    order = Reach([root]).order[::-1]
    consumers: dict[Node, list[Node]] = {}
    for y in order:
        for x in y.inputs:
            if isinstance(x, Node):
                consumers.setdefault(x, []).append(y)
    found: list[Diagnosis] = []
    with np.errstate(all="ignore"):
        for node in order:
            if node.op is not None:
                for look in LOOKS.get(node.op.name, ()):
                    found += look(node, consumers)
    return found


Consumers = dict[Node, list[Node]]


# ---------------------------------------------------------------------- softmax


def bounds_on_probabilities(classes: int) -> tuple[float, float]:
    """The smallest and the largest cross-entropy if probabilities stand in the place of logits.

    log Σ e^{pⱼ} - p_y is smallest at p = e_y, where it is log(e + K - 1) - 1 = log(1 + (K - 1)/e), and largest where another
    class has all the probability, log(e + K - 1): it is moved by 1 at most.
    """
    return math.log1p((classes - 1) / math.e), math.log(math.e + classes - 1)


def softmax_twice(name: str, classes: int, node: Node | None = None) -> Diagnosis:
    """What to say when ``name`` is given probabilities of so many classes as logits."""
    low, high = bounds_on_probabilities(classes)
    return Diagnosis(
        "softmax twice", f"{name} takes logits, but each row is not negative and sums to 1, like probabilities",
        f"softmax would be applied twice, and the loss could never fall below {low:.3f}, which is log(1 + (K - 1)/e) for "
        f"K = {classes} classes, nor rise above {high:.3f}",
        {"classes": classes, "floor": low, "ceiling": high}, "Pass the logits before the softmax", node,
    )


def _twice(node: Node, consumers: Consumers) -> Iterator[Diagnosis]:
    """softmax, or a loss that begins with it, of a softmax."""
    z = node.inputs[0]
    axis = node.params["axis"] if node.op.name != "cross_entropy_of_labels" else -1
    if not isinstance(z, Node) or not shape_of(z) or shape_of(z)[axis] < 2 or not are_probabilities(z._value, axis):
        return
    written = any(True for form in SOFTMAXES for _ in matches(z, tree_of(form), Match({}, ()), z))
    if written or z._value.size > shape_of(z)[axis]:  # a few numbers that happen to sum to 1 prove nothing
        name = "cross_entropy" if node.op.name == "cross_entropy_of_labels" else node.op.name
        yield softmax_twice(name, shape_of(z)[axis], node)


def _saturated(node: Node, consumers: Consumers) -> Iterator[Diagnosis]:
    """Logits so far apart that p is one-hot within rounding, and at the wrong class."""
    z, y = node.inputs[0], np.asarray(node.inputs[1])
    values = np.asarray(value_of(z))
    classes = values.shape[-1]
    rows, labels = values.reshape(-1, classes), y.reshape(-1)
    if classes < 2 or not labels.size:
        return
    dtype = values.dtype
    rounding = -math.log(float(np.finfo(dtype).eps) / 2)  # from here on 1 - p is 0
    own = rows[np.arange(labels.size), labels]
    losses = rows.max(axis=1) - own
    wrong = np.isfinite(losses) & (losses > rounding)
    count = int(wrong.sum())
    if count < max(1.0, MANY * labels.size):
        return
    finite = rows[np.isfinite(rows)]
    scale = float(finite.std())
    largest = float(np.abs(finite).max())
    mean, guess = float(losses[wrong].mean()), math.log(classes)
    yield Diagnosis(
        "saturated logits", "the logits are so far apart that softmax is certain, and wrong",
        f"in {count:,} of {labels.size:,} examples p_y is 0 within the rounding of {dtype} (the largest logit is {rounding:.3g} "
        f"above z_y, or more), with a loss of {numeral(mean, 4)} on average, where a guess costs log {classes} = {guess:.3f}; "
        f"the largest |z| is {numeral(largest, 4)}, the standard deviation of z is {numeral(scale, 4)}",
        {"examples": labels.size, "saturated": count, "loss": mean, "guess": guess, "largest": largest, "deviation": scale},
        "Scale the inputs (X / X.std(), pixels / 255), start from smaller weights or take smaller steps, until the logits have a "
        "standard deviation of about 1", node,
    )


# ---------------------------------------------------------------------- labels and targets


def _from_one(node: Node, consumers: Consumers) -> Iterator[Diagnosis]:
    """Labels 1 to K with K + 1 logits: the logit of the class 0 has no example."""
    labels = np.asarray(node.inputs[1])
    classes = shape_of(node.inputs[0])[-1]
    if labels.size < ENOUGH * classes or classes < 3 or not np.isfinite(value_of(node.inputs[0])[..., 0]).any():
        return  # too few to tell, or a class that is left out on purpose
    counts = np.bincount(labels.reshape(-1).astype(np.intp), minlength=classes)
    if counts[0] == 0 and counts[1:].all():
        yield Diagnosis(
            "labels from 1", f"the labels run from 1 to {classes - 1}, and there are {classes} logits",
            f"none of {labels.size:,} examples has the label 0, so its logit only learns to be small",
            {"examples": labels.size, "classes": classes, "of label 0": 0},
            f"Pass y - 1, with {classes - 1} logits for the labels 0 to {classes - 2}", node,
        )


def _targets(node: Node, consumers: Consumers) -> Iterator[Diagnosis]:
    """y · log p with rows of y that are no distribution."""
    for y, log_p in (node.inputs, node.inputs[::-1]):
        if isinstance(y, Node) or not isinstance(log_p, Node) or log_p.op is None or log_p.op.name != "log_softmax":
            continue
        targets, axis = np.asarray(y, dtype=float), log_p.params["axis"]
        if targets.shape != shape_of(log_p) or not targets.size or (targets < 0).any():
            continue
        several = (targets != 0).sum(axis=axis) > 1  # a single one may be a weight
        sums = targets.sum(axis=axis)
        off = several & (np.abs(sums - 1) > NEAR)
        if np.any(off):
            worst = float(sums[off].ravel()[np.argmax(np.abs(sums[off] - 1))]) if np.ndim(sums) else float(sums)
            count = int(np.sum(off))
            yield Diagnosis(
                "targets", "the targets are multiplied with log p, but they are no probabilities",
                f"in {count:,} of {np.size(sums):,} rows they do not sum to 1; one sums to {numeral(worst)}, so its loss is "
                f"{numeral(worst)} times as large, with the derivative {numeral(worst)} · p - y in place of p - y",
                {"rows": np.size(sums), "off": count, "sum": worst}, "Divide them: y / y.sum(axis=-1, keepdims=True)", node,
            )


# ---------------------------------------------------------------------- a column minus a vector

RESHAPING = {"getitem", "reshape", "broadcast_to"}


def _differences(node: Node, consumers: Consumers) -> Iterator[Diagnosis]:
    """(N, 1) - (N,) within a loss: N² differences, of which N were meant."""
    shapes = [shape_of(x) for x in node.inputs]
    n = max((shape[0] for shape in shapes if shape), default=1)
    if n < 2 or sorted(shapes, key=len) != [(n,), (n, 1)]:
        return
    column = max(node.inputs, key=lambda x: len(shape_of(x)))
    if isinstance(column, Node) and column.op is not None and column.op.name in RESHAPING:
        return  # made a column on purpose
    way = _to_one_number(node, consumers)
    if not way or not (isinstance(column, Node) or _is_square(way[0], node)):
        return
    matrix = np.asarray((way[-2] if len(way) > 1 else node)._value)
    reduce = np.mean if way[-1].op.name == "mean" else np.sum
    every, meant = float(reduce(matrix)), float(reduce(np.diagonal(matrix)))
    proof = (
        f"{n * n:,} numbers in place of {n:,}; their {way[-1].op.name} is {numeral(every)}, that of the {n:,} pairs that belong "
        f"together {numeral(meant)}"
    )
    numbers = {"differences": n * n, "examples": n, "loss": every, "meant": meant}
    targets = [x for x in node.inputs if not isinstance(x, Node)]
    if targets and len(way) == 2 and _is_square(way[0], node) and reduce is np.mean:
        numbers["floor"] = float(np.var(targets[0]))  # reached where every prediction is the mean of the targets
        proof += f"; it can't fall below the variance of the targets, {numeral(numbers['floor'])}, however good the prediction is"
    a, b = (" ".join(filter(None, (getattr(x, "label", None), str(shape_of(x))))) for x in node.inputs)
    name = (column.label or "prediction") if isinstance(column, Node) else "target"
    yield Diagnosis(
        "broadcast", f"{a} minus {b} is a matrix of {n:,} × {n:,} differences, of each with each", proof, numbers,
        f"Make both one shape, {name}[:, 0] for ({n},), or use ag.squared_error, which checks it", node,
    )


def _is_square(y: Node, x: Node) -> bool:
    """Is y = x²?"""
    if y.op.name == "pow":
        return y.inputs[0] is x and not isinstance(y.inputs[1], Node) and bool(np.all(np.asarray(y.inputs[1]) == 2))
    return y.op.name == "square" or (y.op.name == "multiply" and y.inputs[0] is x and y.inputs[1] is x)


def _to_one_number(node: Node, consumers: Consumers) -> list[Node]:
    """The elementwise operators from a matrix to the sum or mean over all of it; empty if it is used in another way."""
    way: list[Node] = []
    y = node
    while len(users := list(dict.fromkeys(consumers.get(y, ())))) == 1:
        y = users[0]
        way.append(y)
        if y.op.name in ("sum", "mean"):
            return way if shape_of(y) == () else []
        others = [x for x in y.inputs if shape_of(x) not in ((), shape_of(node))]
        if not isinstance(y.op.rule, Elementwise) or others:
            return []
    return []


LOOKS: dict[str, tuple[Any, ...]] = {
    "softmax": (_twice,), "log_softmax": (_twice,), "cross_entropy_of_labels": (_twice, _saturated, _from_one),
    "multiply": (_targets,), "subtract": (_differences,),
}

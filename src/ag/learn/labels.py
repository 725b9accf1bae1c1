"""Labels and logits as people give them: what goes together, and what to say when it does not."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..batched import Batched, physical
from ..capture import recorder
from ..node import Node, Operand, describe
from ..operators.batching import all_examples
from ..operators.probability import NEAR, are_probabilities, softmax
from ..operators.reductions import sum
from ..operators.rules import as_known, shape_of, value_of
from ..operators.steps import logical_or
from ..source import warn
from ..traced import is_traced

SIDES = ("cross_entropy", "accuracy")  # which take logits and labels side by side
UNSIGNED = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}


def checked_labels(z: Any, y: Any, name: str) -> Any:
    """``y`` as integers in 0..K-1, one for each row of the logits ``z``; errors say which mistake was made."""
    if type(y) is Batched or type(z) is Batched:
        every_z, every_y = all_examples(z, y)
        checked_labels(every_z, every_y, name)
        return y if isinstance(y, Operand) else np.asarray(y)
    shape = shape_of(z)
    if type(y) is np.ndarray and y.dtype.kind in "iu" and shape and y.shape == shape[:-1] and _within(y, shape[-1]):
        return y
    given = shape_of(y)
    if given and given[:-1] == shape and name in SIDES and (isinstance(y, Node) or as_known(y).dtype.kind == "f"):
        raise TypeError(
            f"{name}: the first argument has the shape {shape}, as labels have, the second {given}, as logits have: they look "
            f"swapped, write {name}(z, y), the logits first"
        )
    if not shape:
        raise ValueError(f"{name} needs logits along a last axis, one for each class; got {describe(z)}")
    classes = shape[-1]
    if isinstance(y, Node):
        raise TypeError(
            f"{name}: the labels are {describe(y)}; labels are constants: pass plain integers, y.value.astype(int), "
            f"or class probabilities with probabilities=True"
        )
    labels = as_known(y)
    if labels.dtype.kind in "OUS":
        raise TypeError(
            f"{name}: the labels have dtype {labels.dtype}, but integers are expected: "
            f"names, y = np.unique(y, return_inverse=True) numbers them (ag.learn.LinearClassifier takes names)"
        )
    if labels.shape == shape and labels.ndim > 0:
        kind = "one-hot rows" if np.isin(labels, (0, 1)).all() else "class probabilities"
        raise ValueError(
            f"{name}: the labels have the shape {labels.shape} of the logits, as {kind} have; expected one integer for "
            f"each row: pass y.argmax(axis=-1), or probabilities=True for class probabilities"
        )
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{name}: the labels have dtype {labels.dtype}, but integers are expected: write y.astype(int)")
    if labels.shape != shape[:-1]:
        if labels.shape == (*shape[:-1], 1):
            raise ValueError(f"{name}: the labels are a column of shape {labels.shape}: write y[:, 0] for {shape[:-1]}")
        raise ValueError(f"{name}: logits of shape {shape} need labels of shape {shape[:-1]}, got {labels.shape}")
    if is_traced(labels):
        recorder.trace.expect_zero(sum(logical_or(labels < 0, labels >= classes)))
        return labels
    if not _within(labels, classes):
        low, high = labels.min(), labels.max()
        if low == 1 and high == classes:
            raise ValueError(
                f"{name}: the labels run from 1 to {classes}, but {classes} logits stand for the labels "
                f"0 to {classes - 1}: pass y - 1"
            )
        bad = int(np.argmax((labels < 0) | (labels >= classes)))
        raise ValueError(
            f"{name}: label {labels.ravel()[bad]} at position {bad} is out of range: "
            f"{classes} logits stand for the labels 0 to {classes - 1}"
            + ("; if the labels count from 1, pass y - 1" if low > 1 and high == classes else "")
        )
    return labels


def _within(labels: Any, classes: int) -> bool:
    """Are all labels in 0..classes-1? Read without their sign, negative ones are large: one look is enough."""
    if not labels.dtype.isnative:
        labels = labels.astype(labels.dtype.newbyteorder("="))
    unsigned = labels if labels.dtype.kind == "u" else labels.view(UNSIGNED[labels.itemsize])
    flat = unsigned.reshape(-1)
    return not flat.size or int(flat[flat.argmax()]) < classes


def checked_probabilities(z: Any, y: Any, name: str) -> Any:
    """``y`` as class probabilities of the shape of the logits: not negative, each row with the sum 1."""
    if type(y) is Batched or type(z) is Batched:
        every_z, every_y = all_examples(z, y)
        checked_probabilities(every_z, every_y, name)
        return y
    values = as_known(value_of(y))
    if values.shape != shape_of(z):
        raise ValueError(
            f"{name}: class probabilities need the shape {shape_of(z)} of the logits, got {values.shape}; "
            f"integer labels go without probabilities=True"
        )
    if is_traced(values):
        recorder.trace.expect_zero(sum(values < 0) + sum(abs(sum(values, -1) - 1) >= NEAR))
        return y
    if (values < 0).any():
        raise ValueError(
            f"{name}: class probabilities are not negative; here the smallest is {values.min():.4g}: pass probabilities, not "
            f"logits or scores (ag.softmax makes some of logits)"
        )
    if not are_probabilities(values):
        sums = np.ravel(values.sum(axis=-1))
        off = np.abs(sums - 1)
        worst = sums[int(np.argmax(np.where(np.isnan(off), np.inf, off)))]
        raise ValueError(
            f"{name}: class probabilities sum to 1 in each row; in {int((~(off < NEAR)).sum())} of {sums.size} they do not, "
            f"which would multiply the losses by the sums; a row sums to {worst:.4g}: divide by y.sum(axis=-1, keepdims=True)"
        )
    return y if isinstance(y, Node) else values.astype(value_of(z).dtype if hasattr(value_of(z), "dtype") else float)


def warn_if_probabilities(z: Any, name: str) -> None:
    """One warning when the logits are probabilities already: softmax would be applied twice."""
    values = physical(value_of(z))
    if is_traced(values):
        return
    classes = values.shape[-1]
    if classes < 2 or not values.size:
        return
    if not isinstance(z, Node) or z.op is not softmax.op or z.params["axis"] != -1:
        # the first row tells nearly always, for next to nothing
        first = values[(0,) * (values.ndim - 1)]
        if min(first[:16].tolist()) < 0:
            return
        if first.min() < 0 or not abs(float(first.sum()) - 1) < NEAR or not are_probabilities(values):
            return
    from ..explanation.doctor import softmax_twice

    warn(str(softmax_twice(name, classes)))

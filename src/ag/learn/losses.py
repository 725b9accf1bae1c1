"""Losses on logits: functions of floats and labels. A classification loss takes a vector of floats and an integer, a
regression loss a float and a float."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..batched import Batched
from ..node import Operand, describe
from ..operators.calls import located
from ..operators.elementwise import square, where
from ..operators.probability import cross_entropy_of_labels, log_softmax
from ..operators.reductions import mean, sum
from ..operators.rules import as_floats, as_known, shape_of, value_of
from ..operators.shaping import astype
from ..operators.steps import equal
from ..traced import Traced
from .labels import checked_labels, checked_probabilities, warn_if_probabilities

REDUCTIONS = {"mean": mean, "sum": sum, "none": lambda losses: losses}


def _check_reduction(reduction: str, name: str) -> None:
    if reduction not in REDUCTIONS:
        raise ValueError(f"{name}: reduction={reduction!r} is none of 'mean', 'sum' and 'none'")


def cross_entropy(z: Any, y: Any, reduction: str = "mean", *, probabilities: bool = False) -> Any:
    """L(z, y) = -log softmax(z)_y = log Σⱼ e^{zⱼ} - z_y, whose derivative is ∂L/∂z = p - e_y with p = softmax(z).

    Arguments: ``z``, logits of shape (..., K); ``y``, labels of shape (...), integers in 0..K-1, or with
    ``probabilities=True`` class probabilities of shape (..., K), for which L = -Σ yₖ log softmax(z)ₖ;
    ``reduction``, over the examples: "mean", "sum" or "none".

    Returns a node if z is one, else plain. Exact for logits of ±10⁴; -inf stands for a class of probability 0.

    Raises TypeError for labels that are no integers; ValueError for labels out of 0..K-1 and for shapes that do not
    go together. Warns when z are probabilities already.

    >>> z = ag.Tensor([[0.0, 0.0], [10000.0, 0.0]])
    >>> ag.cross_entropy(z, [0, 1]).backward()
    >>> z.grad
    array([[-0.25,  0.25],
           [ 0.5 , -0.5 ]])
    """
    _check_reduction(reduction, "cross_entropy")
    z = as_floats(z)
    if probabilities:
        return REDUCTIONS[reduction](_with_probabilities(z, checked_probabilities(z, y, "cross_entropy")))
    labels = checked_labels(z, y, "cross_entropy")
    warn_if_probabilities(z, "cross_entropy")
    return cross_entropy_of_labels(z, labels, reduction)


@located
def _with_probabilities(z: Any, y: Any) -> Any:
    """-Σ yₖ log pₖ, where a class with y = 0 counts as 0 even at log p = -inf."""
    warn_if_probabilities(z, "cross_entropy")
    return -sum(y * where(value_of(y) == 0, 0.0, log_softmax(z)), axis=-1)


def negative_log_likelihood(z: Any, y: Any) -> Any:
    """Σ over the examples of -log softmax(z)_y: the negative log-likelihood of the labels.

    Arguments, errors and warnings as for `cross_entropy`; the two differ by the number of examples.

    >>> ag.negative_log_likelihood([[0.0, 0.0], [0.0, 0.0]], [0, 1])
    np.float64(1.3862943611198906)
    """
    return cross_entropy(z, y, reduction="sum")


@located
def squared_error(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """(prediction - target)²: the loss of a regression.

    Arguments: two arrays of one shape, or numbers; ``reduction`` as for `cross_entropy`.

    Raises ValueError when the shapes differ: broadcasting (N, 1) against (N,) would make N² differences.

    >>> ag.squared_error([1.0, 2.0], [1.0, 4.0])
    np.float64(2.0)
    """
    _check_reduction(reduction, "squared_error")
    if shape_of(prediction) != shape_of(target) and shape_of(prediction) != () != shape_of(target):
        raise ValueError(
            f"squared_error: the prediction has the shape {shape_of(prediction)}, the target {shape_of(target)}: "
            f"they must be equal; reshape one of them, for example prediction[:, 0]"
        )
    if not isinstance(prediction, Operand) and not isinstance(target, Operand):
        prediction = np.asarray(prediction)
    return REDUCTIONS[reduction](square(prediction - target))


def one_hot(y: Any, classes: int, dtype: Any = float) -> Any:
    """e_y: rows with a 1 at the label and 0 elsewhere.

    Arguments: ``y``, integers in 0..classes-1 of any shape; ``classes``, how many there are.
    Returns an array of shape (*y.shape, classes). Raises ValueError for labels out of range.

    >>> ag.one_hot([0, 2], 3)
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    if type(value_of(y)) in (Batched, Traced):
        labels = checked_labels(np.zeros((*y.shape, classes)), y, "one_hot")
        return astype(equal(labels[..., None], np.arange(classes)), dtype)
    labels = as_known(value_of(y))
    result = np.zeros((*labels.shape, classes), dtype)
    labels = checked_labels(result, labels, "one_hot")
    np.put_along_axis(result, labels[..., None].astype(np.intp), 1, axis=-1)
    return result


def accuracy(z: Any, y: Any) -> Any:
    """The share of examples whose largest logit is that of their label.

    Arguments: ``z``, logits or probabilities of shape (..., K); ``y``, labels of shape (...).

    >>> ag.accuracy([[2.0, 1.0], [0.0, 1.0]], [0, 0])
    0.5
    """
    z = as_floats(z)
    labels = checked_labels(z, y, "accuracy")
    if not labels.size:
        raise ValueError(f"accuracy needs at least one example, got {describe(z)}")
    share = (value_of(z).argmax(axis=-1) == labels).mean()
    return share if isinstance(share, Operand) else float(share)

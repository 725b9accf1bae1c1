"""Do the probabilities hold? Of all examples with p = 0.8, 80 % should be right."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..capture import ordinary
from .examples import places


def expected_calibration_error(p: Any, y: Any, bins: int = 15) -> float:
    """Σ over bins of (n_b / n) |accuracy_b - confidence_b|: how far the confidence is from the truth.

    Arguments: ``p``, probabilities of shape (examples, K); ``y``, labels 0..K-1 of shape (examples,); ``bins`` of equal
    width over the confidence max p. Returns a number in [0, 1]; 0 for perfect calibration.

    Raises ValueError when the shapes do not go together.

    Source: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", 2017.

    >>> ag.learn.expected_calibration_error([[0.9, 0.1], [0.9, 0.1]], [0, 0])
    0.09999999999999998
    """
    p, y = np.asarray(ordinary(p)), np.asarray(ordinary(y))
    if p.ndim != 2 or y.shape != p.shape[:1] or not len(p):
        raise ValueError(f"p of shape (examples, K) and y of shape (examples,) are expected, got {p.shape} and {y.shape}")
    confidence = p.max(axis=1).astype(float)
    right = p.argmax(axis=1) == y
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.bincount(place, right - confidence, bins)
    return float(np.abs(gap).sum() / len(p))


def confusion_table(y: Any, prediction: Any, classes: Any) -> Any:
    """C[i, j]: how many examples of class i were taken for class j.

    Arguments: ``y`` and ``prediction``, labels of shape (examples,); ``classes``, all labels in order.
    Returns integers of shape (K, K). Raises ValueError for a label that is not among the classes.

    >>> ag.learn.confusion_table(["a", "b", "b"], ["a", "a", "b"], ["a", "b"])
    array([[1, 0],
           [1, 1]])
    """
    y, prediction, classes = [np.asarray(ordinary(x)) for x in (y, prediction, classes)]
    table = np.zeros((len(classes), len(classes)), int)
    rows, columns = places(y, classes), places(prediction, classes)
    for labels, found in ((y, rows), (prediction, columns)):
        if (found < 0).any():
            raise ValueError(f"label {labels[found < 0][0].item()!r} is none of the classes {classes.tolist()}")
    np.add.at(table, (rows, columns), 1)
    return table

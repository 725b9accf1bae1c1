"""Examples and class names as people give them to an estimator."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..capture import ordinary


def checked_examples(X: Any, name: str, features: int | None = None) -> Any:
    """``X`` as a float array of shape (examples, d), finite; float32 and float64 as they are, others as float64."""
    if hasattr(X, "toarray"):
        raise TypeError(f"{name}: X is a sparse matrix, a dense array is expected: pass X.toarray()")
    array = np.asarray(ordinary(X, f"{name}: X: "))
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: X holds {array.dtype}, numbers are expected: turn names into numbers first")
    if array.ndim != 2:
        hint = {1: "X[None, :] for one example, X[:, None] for one feature"}.get(array.ndim, "X.reshape(len(X), -1)")
        raise ValueError(f"{name}: X has the shape {array.shape}, (examples, features) is expected: write {hint}")
    if features is not None and array.shape[1] != features:
        raise ValueError(f"{name} takes {features} features, X has {array.shape[1]}: prepare it as the training examples")
    if not len(array) or not array.shape[1]:
        raise ValueError(f"{name}: X of shape {array.shape} is empty: at least one example and one feature are expected")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    with np.errstate(all="ignore"):
        total = np.add.reduce(array, axis=None)
    if not np.isfinite(total):  # a cheap look first: the sum of finite numbers is finite, or overflows
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            row, column = bad[0]
            raise ValueError(
                f"{name}: X has {array[row, column]} in row {row}, column {column} ({len(bad)} such in all): "
                f"drop those rows, or fill them in"
            )
    return array


def places(labels: Any, classes: Any) -> Any:
    """Where each label stands among the classes, which may be in any order; -1 for a label that is none of them."""
    order = np.argsort(classes, kind="stable")
    found = order[np.minimum(np.searchsorted(classes, labels, sorter=order), len(classes) - 1)]
    return np.where(classes[found] == labels, found, -1)


def checked_names(y: Any, examples: int, name: str = "fit") -> tuple[Any, Any]:
    """The class names in order, and each example's class as an integer 0..K-1; errors begin with the ``name``."""
    names = np.asarray(ordinary(y, f"{name}: y: "))
    if names.ndim != 1:
        hint = "y[:, 0]" if names.ndim == 2 and names.shape[1:] == (1,) else "y.argmax(axis=1) for one-hot rows"
        raise ValueError(f"{name}: y has the shape {names.shape}, one label for each example is expected: write {hint}")
    if len(names) != examples:
        raise ValueError(f"{name}: {examples} examples in X, {len(names)} labels in y: there must be as many of both")
    if names.dtype.kind == "f" and not (names == np.floor(names)).all():
        raise ValueError(
            f"{name}: y holds numbers that are no integers: labels are classes; for a regression use ag.squared_error"
        )
    try:
        classes, labels = np.unique(names, return_inverse=True)
    except TypeError:
        kinds = sorted({type(label).__name__ for label in names})
        raise TypeError(f"{name}: y mixes labels of the types {', '.join(kinds)}: make them all one type") from None
    if len(classes) < 2:
        raise ValueError(f"{name}: all labels are {classes.tolist()[0]!r}; a classifier needs examples of at least two classes")
    return classes, labels

"""A data set in two parts: one to learn from, one to be judged by."""

from __future__ import annotations

from typing import Any, NamedTuple


class Dataset(NamedTuple):
    """Examples and labels, split once and for all.

    X_train, X_test   float32 of shape (examples, d), one example a row, in [0, 1] for images
    y_train, y_test   integers of shape (examples,), in 0..K-1
    """

    X_train: Any
    y_train: Any
    X_test: Any
    y_test: Any

    def __repr__(self) -> str:
        n, d = self.X_train.shape
        return f"Dataset({n} examples to train, {len(self.X_test)} to test, d={d})"

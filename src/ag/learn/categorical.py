"""The distribution of a label: many labels are possible for one example, each with its probability."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..operators.calls import located
from ..operators.elementwise import exp, where
from ..operators.probability import cross_entropy_of_labels, log_softmax, softmax
from ..operators.rules import as_floats, shape_of, value_of
from .labels import checked_labels


class Categorical:
    """p(y) = softmax(z)_y over the labels 0..K-1.

    Arguments: ``logits`` z of shape (..., K): one distribution for each row. Only their differences matter.

    >>> p = ag.Categorical([0.0, 0.0, -np.inf])
    >>> p.probabilities
    array([0.5, 0.5, 0. ])
    >>> p.entropy()
    np.float64(0.6931471805599453)
    """

    def __init__(self, logits: Any) -> None:
        self.logits = as_floats(logits)
        if not shape_of(self.logits):
            raise ValueError("Categorical needs logits along a last axis, one for each class; got a single number")

    def __repr__(self) -> str:
        shape = shape_of(self.logits)
        return f"Categorical({shape[-1]} classes" + (f", batch {shape[:-1]})" if shape[:-1] else ")")

    @property
    def probabilities(self) -> Any:
        """p = softmax(z), of shape (..., K)."""
        return softmax(self.logits)

    def sample(self, rng: np.random.Generator, size: int | tuple[int, ...] = ()) -> Any:
        """Labels drawn from p: argmax of z + Gumbel noise (Gumbel 1954; Maddison et al. 2014).

        Arguments: ``rng``, a NumPy generator; ``size``, how many of each. Returns integers of shape (*size, ...).
        Raises ValueError when the logits contain nan.
        """
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"sample takes a generator, np.random.default_rng(seed), got {type(rng).__name__}")
        z = value_of(self.logits)
        if np.isnan(z).any() or np.isneginf(z).all(axis=-1).any():
            raise ValueError("these logits are no distribution: they contain nan, or a row of -inf alone")
        size = (size,) if isinstance(size, (int, np.integer)) else tuple(size)
        return (z + rng.gumbel(size=(*size, *z.shape))).argmax(axis=-1)

    @located
    def log_prob(self, y: Any) -> Any:
        """log p(y), of the shape of the labels ``y``."""
        return -cross_entropy_of_labels(self.logits, checked_labels(self.logits, y, "log_prob"), "none")

    @located
    def entropy(self) -> Any:
        """-Σ pₖ log pₖ in nats, where 0 log 0 = 0."""
        log_p = log_softmax(self.logits)
        possible = ~np.isneginf(value_of(log_p))
        return -where(possible, exp(log_p) * where(possible, log_p, 0.0), 0.0).sum(axis=-1)

"""Ways to go downhill, given the gradient: each changes a list of arrays in place.

The mini-batch solvers also keep a running average of the weights: a step that is long enough to be fast leaves the
weights jumping about the minimum, and their average lies nearer to it than any of them (Polyak and Juditsky, 1992).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Weights = list[Any]
Gradient = Callable[[Weights], tuple[float, Weights]]


class Sgd:
    """v ← m v - η ∂L/∂w;  w ← w + v: stochastic gradient descent with momentum (Polyak, 1964).

    Arguments: ``weights``, arrays that will be changed; ``learning_rate`` η; ``momentum`` m in [0, 1).
    """

    def __init__(self, weights: Weights, learning_rate: float, momentum: float = 0.0) -> None:
        self.weights, self.learning_rate, self.momentum = weights, learning_rate, momentum
        self.velocities = [np.zeros_like(w) for w in weights]

    def restart(self) -> None:
        """Begin again at 0."""
        for w, v in zip(self.weights, self.velocities, strict=True):
            w[...] = v[...] = 0

    def step(self, gradients: Weights, share: float = 1.0) -> None:
        """One step against the gradient, of a share of the learning rate."""
        rate = share * self.learning_rate
        for w, v, g in zip(self.weights, self.velocities, gradients, strict=True):
            if self.momentum:
                v *= self.momentum
                v -= rate * g
                w += v
            else:
                w -= rate * g


class Adam:
    """m ← β₁m + (1-β₁)g;  v ← β₂v + (1-β₂)g²;  w ← w - η m̂ / (√v̂ + ε), with m̂ = m/(1-β₁ᵗ), v̂ = v/(1-β₂ᵗ).

    Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2015.
    """

    def __init__(self, weights: Weights, learning_rate: float, beta1: float = 0.9, beta2: float = 0.999) -> None:
        self.weights, self.learning_rate, self.beta1, self.beta2 = weights, learning_rate, beta1, beta2
        self.means = [np.zeros_like(w) for w in weights]
        self.squares = [np.zeros_like(w) for w in weights]
        self.steps = 0

    def step(self, gradients: Weights, share: float = 1.0) -> None:
        """One step, of a share of the learning rate."""
        self.steps += 1
        rate = share * self.learning_rate / (1 - self.beta1**self.steps)
        scale = 1 / np.sqrt(1 - self.beta2**self.steps)
        for w, m, v, g in zip(self.weights, self.means, self.squares, gradients, strict=True):
            m += (1 - self.beta1) * (g - m)
            v += (1 - self.beta2) * (g * g - v)
            w -= rate * m / (float(scale) * np.sqrt(v) + 1e-8)


class Rising:
    """Does the loss rise? Its mean over 20 steps is compared with the lowest before: a rise is more by a tenth of log K, and by
    two standard errors of the mean.

    log K is the loss of equal probabilities, with which the training begins. After a rise the comparison begins anew. More than
    the ``entropy`` of the labels, the loss of their frequencies without a look at x, is a rise as well: then the weights have
    gone ``astray``, and their beginning was better.
    """

    STEPS, SHARE = 20, 0.1

    def __init__(self, classes: int, entropy: float) -> None:
        self.scale, self.entropy = math.log(max(classes, 2)), entropy
        self.lowest = self.scale
        self.losses: list[float] = []
        self.first = True  # the first steps may overshoot
        self.astray = False

    def after(self, loss: float) -> bool:
        """Take the loss of a step in."""
        self.losses.append(loss)
        if len(self.losses) < self.STEPS:
            return False
        mean, deviation = float(np.mean(self.losses)), float(np.std(self.losses))
        noise = 2 * deviation / math.sqrt(self.STEPS)
        self.astray = mean > self.entropy + noise and not self.first
        rises = self.astray or (mean > self.lowest + self.SHARE * self.scale + noise and not self.first)
        self.lowest = mean if rises else min(self.lowest, mean)
        self.losses, self.first = [], self.astray
        return rises


def entropy_of(labels: Any) -> float:
    """-Σ p log p of the frequencies of labels 0..K-1."""
    p = np.bincount(labels) / len(labels)
    return float(-(p[p > 0] * np.log(p[p > 0])).sum())


class Average:
    """w̄ ← w̄ + (w - w̄) / min(t, max(T, t/6)): the mean of the weights so far, then of about the last T steps, in the
    long run of the last sixth of all steps, so that it becomes the calmer the longer the training goes on.

    Arguments: ``weights``, arrays that others change; ``window`` T, in steps.
    """

    def __init__(self, weights: Weights, window: float) -> None:
        self.weights, self.window, self.steps = weights, window, 0
        self.means = [w.copy() for w in weights]

    def restart(self) -> None:
        """Forget the weights before the present ones."""
        self.steps = 0
        for mean, w in zip(self.means, self.weights, strict=True):
            mean[...] = w

    def step(self) -> None:
        """Take the present weights in."""
        self.steps += 1
        share = 1 / min(self.steps, max(self.window, self.steps / 6))
        for mean, w in zip(self.means, self.weights, strict=True):
            difference = w - mean
            difference *= share
            mean += difference


def lbfgs(gradient: Gradient, weights: Weights, iterations: int, after: Callable[[Weights, float], bool]) -> None:
    """Quasi-Newton steps on all examples at once (Liu and Nocedal, 1989), through SciPy.

    Arguments: ``gradient``, w ↦ (L, ∂L/∂w); ``weights``, changed in place; ``iterations``, at most;
    ``after(weights, loss)`` is called after each and returns True to stop.
    Raises ImportError when SciPy is missing.
    """
    try:
        from scipy.optimize import minimize
    except ImportError:
        raise ImportError("solver='lbfgs' needs SciPy: pip install 'ag-autodiff[learn]', or use solver='sgd'") from None

    def unpacked(vector: Any) -> Weights:
        parts, start = [], 0
        for w in weights:
            parts.append(vector[start : start + w.size].reshape(w.shape).astype(w.dtype))
            start += w.size
        return parts

    last = np.inf

    def value(vector: Any) -> tuple[float, Any]:
        nonlocal last
        last, gradients = gradient(unpacked(vector))
        return float(last), np.concatenate([g.ravel() for g in gradients]).astype(float)

    def callback(vector: Any) -> None:
        for w, new in zip(weights, unpacked(vector), strict=True):
            w[...] = new
        if after(weights, float(last)):
            raise StopIteration

    start = np.concatenate([w.ravel() for w in weights]).astype(float)
    options = {"maxiter": iterations, "maxfun": 10 * iterations, "gtol": 1e-6, "ftol": 64 * np.finfo(float).eps}
    minimize(value, start, jac=True, method="L-BFGS-B", callback=callback, options=options)

"""A portfolio whose bad days are few: an expectation over correlated draws, differentiated through the Cholesky factor.

The returns of three assets are N(μ, Σ) with Σ = D R D, and are drawn as μ + L ε with L Lᵀ = Σ. The risk is the mean of the worst
tenth of the days (the expected shortfall, Rockafellar & Uryasev 2000). Its gradient by the weights tells how to invest; the one
by the volatilities D, which passes through the Cholesky factor, tells which asset's risk matters.
"""

import sys

import needed  # noqa: F401
import numpy as np

import ag

MEAN = np.array([0.04, 0.06, 0.10]) / 12
CORRELATION = np.array([[1.0, 0.3, 0.1], [0.3, 1.0, 0.6], [0.1, 0.6, 1.0]])
VOLATILITY = np.array([0.06, 0.15, 0.25]) / np.sqrt(12)


def draws(volatility, noise):
    """Correlated returns from independent noise."""
    covariance = CORRELATION * volatility[:, None] * volatility[None, :]
    return MEAN + noise @ np.linalg.cholesky(covariance).T


def shortfall(weights, volatility, noise, share=0.1):
    """The mean loss of the worst share of the days: plain NumPy."""
    losses = -(draws(volatility, noise) @ weights)
    worst = np.sort(losses)[-int(share * len(noise)) :]
    return np.mean(worst)


gradients = ag.value_and_grad(shortfall, argnums=(0, 1))  # the line that was added


def run(steps=150, days=4000, price=4.0):
    """Weights that trade the mean return for the shortfall, by exponentiated gradient; and the last gradients."""
    rng = np.random.default_rng(0)
    weights, path = np.ones(3) / 3, []
    for _ in range(steps):
        risk, (by_weight, by_volatility) = gradients(weights, VOLATILITY, rng.normal(size=(days, 3)))
        path.append((weights, risk))
        weights = weights * np.exp(20 * (price * MEAN - by_weight))
        weights = weights / weights.sum()
    return path, by_volatility


def draw(path):
    import matplotlib.pyplot as plt

    steps, by_volatility = run()
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    names, colours = ("bonds", "shares", "start-ups"), ("#93c5fd", "#3b82f6", "#1e3a8a")
    left.stackplot(range(len(steps)), np.array([weights for weights, _ in steps]).T, labels=names, colors=colours)
    left.set(xlabel="step", ylabel="share", ylim=(0, 1), xlim=(0, len(steps) - 1))
    left.legend(loc="lower left", fontsize=9)
    right.bar(names, by_volatility, color=colours)
    right.set_title("∂ shortfall / ∂ volatility, through the Cholesky factor", fontsize=11)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    draw(sys.argv[1] if len(sys.argv) > 1 else "cholesky_sampler.png")

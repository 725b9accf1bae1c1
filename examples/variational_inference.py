"""A Bayesian line between two classes: variational inference with draws that are differentiated through.

The posterior of the weights is approximated by a Gaussian with mean m and covariance L Lᵀ. Its evidence lower bound
E[log p(y | X, w)] - KL(q ‖ p) is estimated with w = m + L ε, where the noise ε does not depend on the parameters
(Kingma & Welling 2014; Jordan et al. 1999).
"""

import sys

import needed  # noqa: F401
import numpy as np

import ag

ROWS, COLUMNS = np.tril_indices(3)


def unpacked(p):
    """The mean and the lower triangle, its diagonal kept positive."""
    full = np.zeros((3, 3))
    for place, i, j in zip(range(3, 9), ROWS, COLUMNS, strict=True):
        unit = np.zeros((3, 3))
        unit[i, j] = 1.0
        full = full + unit * (np.exp(p[place]) if i == j else p[place])
    return p[:3], full


def negative_bound(p, X, y, noise):
    """-ELBO for weights with the prior N(0, 4 I), from draws made of the given noise: plain NumPy."""
    m, L = unpacked(p)
    w = m + noise @ L.T
    margins = (w @ X.T) * (2 * y - 1)
    likelihood = -np.mean(np.sum(np.logaddexp(0, -margins), axis=1))
    divergence = 0.5 * (np.sum(L**2) / 4 + np.sum(m**2) / 4 - 3 + 3 * np.log(4)) - np.sum(np.log(np.diag(L)))
    return divergence - likelihood


value_and_gradient = ag.value_and_grad(negative_bound)  # the line that was added


def data(n=60):
    rng = np.random.default_rng(3)
    y = np.arange(n) % 2
    points = rng.normal(size=(n, 2)) + np.where(y[:, None] == 1, [1.0, 0.8], [-0.8, -0.6])
    return np.column_stack([points, np.ones(n)]), y


def run(steps=600):
    """Adam (Kingma & Ba 2015) on the bound; the parameters and the bound at each step."""
    X, y = data()
    rng = np.random.default_rng(0)
    p, mean, square, history = np.zeros(9), np.zeros(9), np.zeros(9), []
    for t in range(1, steps + 1):
        value, g = value_and_gradient(p, X, y, rng.normal(size=(16, 3)))
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g**2
        p = p - 0.03 * (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
        history.append(-value)
    return X, y, p, history


def draw(path):
    import matplotlib.pyplot as plt

    X, y, p, history = run()
    m, L = unpacked(p)
    w = m + np.random.default_rng(5).normal(size=(400, 3)) @ L.T
    grid = np.stack(np.meshgrid(np.linspace(-4, 4, 120), np.linspace(-4, 4, 120)), axis=-1)
    probability = np.mean(1 / (1 + np.exp(-(grid @ w[:, :2].T + w[:, 2]))), axis=-1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    left.plot(history, color="#1d4ed8", linewidth=0.8)
    left.set(xlabel="step", ylabel="evidence lower bound")
    shades = right.contourf(grid[..., 0], grid[..., 1], probability, levels=np.linspace(0, 1, 11), cmap="RdBu", alpha=0.7)
    right.plot(*X[y == 1, :2].T, "o", color="#1e3a8a", markersize=5, markeredgecolor="white")
    right.plot(*X[y == 0, :2].T, "s", color="#7f1d1d", markersize=5, markeredgecolor="white")
    right.set_title("averaged over the posterior: less sure far away", fontsize=11)
    figure.colorbar(shades, ax=right, label="p(blue)")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    draw(sys.argv[1] if len(sys.argv) > 1 else "variational_inference.png")

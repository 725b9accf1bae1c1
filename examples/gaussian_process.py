"""A Gaussian process learns how smooth its function is: the marginal likelihood, differentiated by the hyperparameters.

log p(y | X, θ) = -½ yᵀ K⁻¹ y - ½ log det K - (n/2) log 2π with K = σ² exp(-(x - x')²/2ℓ²) + s² I
(Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006, equation 2.30).
"""

import sys

import needed  # noqa: F401
import numpy as np
from scipy.optimize import minimize

import ag


def kernel(a, b, amplitude, length):
    """The covariance of two sets of points."""
    return amplitude**2 * np.exp(-0.5 * ((a[:, None] - b[None, :]) / length) ** 2)


def negative_log_likelihood(logs, x, y):
    """-log p(y | x) for the logarithms of amplitude, length scale and noise: plain NumPy, written without a thought of ag."""
    amplitude, length, noise = np.exp(logs)
    K = kernel(x, x, amplitude, length) + noise**2 * np.eye(len(x))
    L = np.linalg.cholesky(K)
    white = np.linalg.solve(L, y)
    return 0.5 * np.sum(white**2) + np.sum(np.log(np.diag(L))) + 0.5 * len(x) * np.log(2 * np.pi)


value_and_gradient = ag.value_and_grad(negative_log_likelihood)  # the line that was added


def posterior(logs, x, y, at):
    """Mean and standard deviation of the function at new points."""
    amplitude, length, noise = np.exp(logs)
    K = kernel(x, x, amplitude, length) + noise**2 * np.eye(len(x))
    across = kernel(x, at, amplitude, length)
    mean = across.T @ np.linalg.solve(K, y)
    variance = amplitude**2 - np.sum(across * np.linalg.solve(K, across), axis=0)
    return mean, np.sqrt(np.maximum(variance, 0))


def data(n=40):
    rng = np.random.default_rng(4)
    x = np.sort(rng.uniform(0, 10, n))
    return x, np.sin(x) + 0.4 * np.sin(3 * x) + 0.2 * rng.normal(size=n)


def run():
    """The hyperparameters before and after, as logarithms."""
    x, y = data()
    start = np.log([1.0, 3.0, 0.6])
    return x, y, start, minimize(value_and_gradient, start, args=(x, y), jac=True, method="L-BFGS-B").x


def draw(path):
    import matplotlib.pyplot as plt

    x, y, start, end = run()
    at = np.linspace(0, 10, 300)
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True, layout="constrained")
    for axis, logs, name in zip(axes, (start, end), ("as guessed", "as learned"), strict=True):
        mean, deviation = posterior(logs, x, y, at)
        axis.fill_between(at, mean - 2 * deviation, mean + 2 * deviation, color="#bfdbfe", label="two standard deviations")
        axis.plot(at, mean, color="#1d4ed8", label="mean")
        axis.plot(x, y, "o", color="#334155", markersize=3.5, label="data")
        axis.set_title(f"{name}: length {np.exp(logs[1]):.2f}, noise {np.exp(logs[2]):.2f}", fontsize=11)
        axis.set_xlabel("x")
    axes[0].legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    draw(sys.argv[1] if len(sys.argv) > 1 else "gaussian_process.png")

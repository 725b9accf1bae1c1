"""A Kalman filter finds out how noisy its sensor is: its likelihood, differentiated by the noise.

A point moves with a slowly changing velocity and is seen with noise. The filter's likelihood of what was seen is the
product of its predictions' (Kalman 1960; Särkkä, Bayesian Filtering and Smoothing, 2013, theorem 4.2).
"""

import sys

import needed  # noqa: F401
import numpy as np
from scipy.optimize import minimize

import ag

A = np.array([[1.0, 1.0], [0.0, 1.0]])  # position += velocity
H = np.array([[1.0, 0.0]])  # the position is seen


def filtered(logs, seen):
    """Means of the state after each observation, and -log p(seen): plain NumPy."""
    push, noise = np.exp(logs)
    Q = push**2 * np.array([[0.25, 0.5], [0.5, 1.0]])
    R = noise**2 * np.eye(1)
    mean, P = np.zeros(2), 100.0 * np.eye(2)
    means, loss = [], 0.0
    for z in seen:
        mean, P = A @ mean, A @ P @ A.T + Q
        surprise, S = z - H @ mean, H @ P @ H.T + R
        gain = P @ H.T @ np.linalg.inv(S)
        loss = loss + 0.5 * (surprise @ np.linalg.solve(S, surprise) + np.linalg.slogdet(2 * np.pi * S)[1])
        mean, P = mean + gain @ surprise, P - gain @ S @ gain.T
        means.append(mean)
    return means, loss


def negative_log_likelihood(logs, seen):
    return filtered(logs, seen)[1]


value_and_gradient = ag.value_and_grad(negative_log_likelihood)  # the line that was added


def data(n=120, push=0.05, noise=2.0):
    rng = np.random.default_rng(1)
    velocity = 0.5 + np.cumsum(push * rng.normal(size=n))
    position = np.cumsum(velocity)
    return position, (position + noise * rng.normal(size=n))[:, None]


def run():
    """The logarithms of the two standard deviations, before and after."""
    position, seen = data()
    start = np.log([1.0, 0.5])
    return position, seen, start, minimize(value_and_gradient, start, args=(seen,), jac=True, method="L-BFGS-B").x


def draw(path):
    import matplotlib.pyplot as plt

    position, seen, start, end = run()
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True, layout="constrained")
    for axis, logs, name in zip(axes, (start, end), ("as guessed", "as learned"), strict=True):
        estimate = np.array([mean[0] for mean in filtered(logs, seen)[0]])
        error = np.sqrt(np.mean((estimate - position) ** 2))
        axis.plot(seen - position[:, None], ".", color="#94a3b8", markersize=4, label="seen")
        axis.plot(estimate - position, color="#1d4ed8", label="filtered")
        axis.axhline(0, color="#334155", linewidth=0.8)
        axis.set_title(f"{name}: noise {np.exp(logs[1]):.2f}, error {error:.2f}", fontsize=11)
        axis.set_xlabel("time")
    axes[0].set_ylabel("distance from the true position")
    axes[0].legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    draw(sys.argv[1] if len(sys.argv) > 1 else "kalman_filter.png")

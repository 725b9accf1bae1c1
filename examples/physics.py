"""A throw through wind and drag that hits its target: a physics loop, differentiated through every step.

The equations of motion ẍ = -g - k |v - w| (v - w) are integrated by the midpoint rule in a Python loop; where the ball is
after the last step depends on the first velocity, and the gradient goes back through all of them.
"""

import sys

import needed  # noqa: F401
import numpy as np
from scipy.optimize import minimize

import ag

GRAVITY, DRAG, STEPS, DT = np.array([0.0, -9.81]), 0.03, 80, 0.03
TARGET = np.array([14.0, 3.0])


def acceleration(position, velocity):
    """Gravity, and drag against a wind that grows with the height."""
    wind = np.array([-0.8, 0.0]) * np.maximum(position[1], 0.0)
    relative = velocity - wind
    return GRAVITY - DRAG * np.sqrt(np.sum(relative**2)) * relative


def flight(velocity):
    """The positions of the ball: plain NumPy."""
    position, path = np.zeros(2), []
    for _ in range(STEPS):
        half = velocity + 0.5 * DT * acceleration(position, velocity)
        middle = position + 0.5 * DT * velocity
        position = position + DT * half
        velocity = velocity + DT * acceleration(middle, half)
        path.append(position)
    return path


def miss(velocity):
    """The squared distance from the target at the end, and a little for the force of the throw."""
    return np.sum((flight(velocity)[-1] - TARGET) ** 2) + 1e-4 * np.sum(velocity**2)


value_and_gradient = ag.value_and_grad(miss)  # the line that was added


def run():
    """The velocities that were tried, the last one the best."""
    tried = [np.array([6.0, 6.0])]
    result = minimize(value_and_gradient, tried[0], jac=True, method="BFGS", callback=lambda v: tried.append(v.copy()))
    return [*tried, result.x]


def draw(path):
    import matplotlib.pyplot as plt

    tried = run()
    figure, axis = plt.subplots(figsize=(8, 3.8), layout="constrained")
    for i, velocity in enumerate(tried):
        last = i == len(tried) - 1
        x, y = np.array([np.zeros(2), *flight(velocity)]).T
        axis.plot(x, y, color="#1d4ed8" if last else "#94a3b8", linewidth=2 if last else 0.8, zorder=1 + last)
    axis.plot(*TARGET, "o", color="#dc2626", markersize=9, zorder=3, label="target")
    speed, angle = np.hypot(*tried[-1]), np.degrees(np.arctan2(tried[-1][1], tried[-1][0]))
    axis.set_title(f"{len(tried) - 2} steps of BFGS: throw at {speed:.1f} m/s, {angle:.0f}°", fontsize=11)
    axis.set(xlabel="metres", ylabel="metres")
    axis.legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    draw(sys.argv[1] if len(sys.argv) > 1 else "physics.png")

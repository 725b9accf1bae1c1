"""A 2-16-16-1 network on 100 points of two moons, hinge loss + L2: one step of about 65,000 scalar nodes."""

from __future__ import annotations

import json
import random
import sys
import time

import numpy as np

from .harness import Row, reports_in_turns, row

POINTS = 100


def moons():
    """Two half circles, interleaved, with noise."""
    rng = np.random.default_rng(0)
    t = rng.uniform(0, np.pi, POINTS)
    y = np.arange(POINTS) % 2 * 2 - 1
    upper, lower = np.stack([np.cos(t), np.sin(t)], 1), np.stack([1 - np.cos(t), 0.5 - np.sin(t)], 1)
    return np.where((y > 0)[:, None], upper, lower) + rng.normal(0, 0.1, (POINTS, 2)), y


def engine(name):
    """The engine's class for a number, and its relu."""
    if name == "ag":
        import ag

        return ag.Scalar, ag.relu
    from micrograd.engine import Value

    return Value, Value.relu


def measure(name):
    """The median seconds of a step, and its loss."""
    number, relu = engine(name)
    rng = random.Random(0)

    def layer(inputs, outputs):
        return [([number(rng.uniform(-1, 1)) for _ in range(inputs)], number(0.0)) for _ in range(outputs)]

    network = [layer(2, 16), layer(16, 16), layer(16, 1)]
    parameters = [p for neurons in network for w, b in neurons for p in (*w, b)]
    X, y = moons()

    def output(x):
        for depth, neurons in enumerate(network):
            z = []
            for w, b in neurons:
                s = b
                for wi, xi in zip(w, x, strict=True):
                    s = s + wi * xi
                z.append(relu(s) if depth < 2 else s)
            x = z
        return x[0]

    def step():
        hinge = number(0.0)
        for x, t in zip(X.tolist(), y.tolist(), strict=True):
            hinge = hinge + relu(1 + (-t) * output([number(v) for v in x]))
        penalty = number(0.0)
        for p in parameters:
            penalty = penalty + p * p
        loss = hinge * (1 / POINTS) + penalty * 1e-4
        for p in parameters:
            p.grad = 0.0
        loss.backward()
        return loss

    times = []
    for _ in range(6):
        start = time.perf_counter()
        loss = step()
        value = getattr(loss, "value", getattr(loss, "data", None))
        del loss
        times.append(time.perf_counter() - start)
    return {"seconds": float(np.median(times[1:])), "loss": value, "grad": parameters[0].grad}


def rows() -> list[Row]:
    reports = reports_in_turns("benchmarks.scalars", ["ag", "micrograd"], 5)
    for ours, theirs in zip(reports["ag"], reports["micrograd"], strict=True):
        np.testing.assert_allclose([ours["loss"], ours["grad"]], [theirs["loss"], theirs["grad"]], rtol=1e-9)
    times = {name: [r["seconds"] for r in found] for name, found in reports.items()}
    return row("a network of 65,000 scalars, one step", times, {"micrograd": 0.12})


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))

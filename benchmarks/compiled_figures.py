"""What is measured of the compiler beside its programs: a whole epoch, a program of scalars, the overhead of a call."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from .compiled_programs.sides import converted
from .harness import agree, medians_in_turns, seconds, time_text
from .numpy_step import numpy_step

Clock = Callable[[], float]
EXAMPLES, PIXELS, CLASSES, BATCH, RATE = 60_000, 784, 10, 128, 0.5


def epoch(sides: dict[str, Any], most: int, clock: Clock) -> list[tuple[str, str, str, bool]]:
    """Softmax regression by mini-batches: one compiled program with the loop inside, against a Python loop of NumPy."""
    rng = np.random.default_rng(0)
    batches = EXAMPLES // BATCH
    X = rng.uniform(0, 0.1, (batches, BATCH, PIXELS)).astype(np.float32)  # with these the descent converges
    y = rng.integers(0, CLASSES, (batches, BATCH))
    W, b = np.zeros((PIXELS, CLASSES), np.float32), np.zeros(CLASSES, np.float32)

    def program(np: Any, library: Any) -> Any:
        def loss(W: Any, b: Any, x: Any, t: Any) -> Any:
            return -np.mean(library.log_softmax(x @ W + b)[np.arange(BATCH), t])

        def step(weights: Any, batch: Any) -> Any:
            value, gradients = library.value_and_grad(loss, argnums=(0, 1))(*weights, *batch)
            return tuple([w - RATE * g for w, g in zip(weights, gradients, strict=True)]), value

        def run(W: Any, b: Any, X: Any, y: Any) -> Any:
            weights, losses = library.scan(step, (W, b), (X, y))
            return *weights, losses

        return run

    def run_numpy() -> Any:
        weights, losses = (W.copy(), b.copy()), []
        for x, t in zip(X, y, strict=True):
            losses.append(numpy_step(*weights, x, t, RATE))
        return *weights, np.array(losses)

    compiled = sides["ag"].jit(program(np, sides["ag"].library))
    runs = {"ag": lambda: compiled(W, b, X, y), "hand-written NumPy": run_numpy}
    if "JAX" in sides:
        jax, jnp = sides["JAX"].jax, sides["JAX"].jnp
        scan = jax.jit(program(jnp, sides["JAX"].library))
        arrays = [jnp.asarray(a) for a in (W, b, X, y)]
        runs["JAX"] = lambda: converted(np.asarray, scan(*arrays))
    first = {name: seconds(run, clock) for name, run in runs.items()}
    expected = run_numpy()
    for name, run in runs.items():
        agree(f"the epoch of {name}", run(), expected, 1e-3)
    times = medians_in_turns(runs, most, clock)
    result = []
    for peer in list(runs)[1:]:
        r = times["ag"] / times[peer]
        shown = f"{r:.3f}  ({time_text(times['ag'])} / {time_text(times[peer])})"
        result.append((f"a compiled epoch of 60,000 x 784 / {peer}", shown, "≤ 0.6", r <= 0.6))
    if "JAX" in runs:
        r = first["ag"] / first["JAX"]
        shown = f"{r:.3f}  ({time_text(first['ag'])} / {time_text(first['JAX'])})"
        result.append(("its first call / JAX", shown, "≤ 0.35", r <= 0.35))
    return result


LAYERS, POINTS = (2, 16, 16, 1), 14


def network(parameters: Any, points: list[tuple[list[float], float]], maximum: Any) -> Any:
    """The mean hinge loss of a network, in arithmetic on single numbers."""
    total = 0.0
    for x, target in points:
        following = iter(parameters)
        for depth, (inputs, outputs) in enumerate(pairwise(LAYERS)):
            sums = []
            for _ in range(outputs):
                s = next(following)
                for i in range(inputs):
                    s = s + next(following) * x[i]
                sums.append(s if depth == len(LAYERS) - 2 else maximum(s))
            x = sums
        total = total + maximum(1.0 - target * x[0])
    return total * (1 / len(points))


def scalars(sides: dict[str, Any], most: int, clock: Clock) -> list[tuple[str, str, str, bool]]:
    """A program of some 10,000 numbers: its loss and its gradient, run again; micrograd counts the nodes and checks them."""
    from micrograd.engine import Value

    import ag

    rng = random.Random(0)
    points = [([rng.uniform(-1, 1), rng.uniform(-1, 1)], rng.choice([-1.0, 1.0])) for _ in range(POINTS)]
    count = sum((i + 1) * o for i, o in pairwise(LAYERS))
    start = [rng.uniform(-1, 1) for _ in range(count)]
    theirs = [Value(p) for p in start]
    loss = network(theirs, points, Value.relu)
    loss.backward()
    nodes, reached = [loss], {loss}
    for node in nodes:
        for made_of in node._prev - reached:
            reached.add(made_of)
            nodes.append(made_of)
    expected = np.array([p.grad for p in theirs])
    result = []
    forms = {
        "a list of numbers": (start, lambda p: network(p, points, ag.relu)),
        "the elements of an array": (np.array(start), lambda p: network([p[i] for i in range(count)], points, ag.relu)),
    }
    for form, (parameters, f) in forms.items():
        compiled = ag.jit(ag.value_and_grad(f))

        def run(compiled: Any = compiled, parameters: Any = parameters) -> Any:
            return compiled(parameters)

        first = seconds(run, clock)
        value, gradient = run()
        agree(f"the network of {form}", [np.float64(value), np.asarray(gradient)], [np.float64(loss.data), expected], 1e-9)
        each = medians_in_turns({"ag": run}, most, clock)["ag"] / len(nodes) * 1e9
        shown = f"{each:.2f} ns  (first call {time_text(first)})"
        result.append((f"a compiled program of {len(nodes):,} scalars ({form}), a node", shown, "≤ 10 ns", each <= 10))
    return result


def recurrence(sides: dict[str, Any], most: int, clock: Clock) -> list[tuple[str, str, str, bool]]:
    """The gradient of a loop of 10 steps and of 10,000: how long they compile, which is the first call less a later one."""
    from .compiled_programs.calculation import lorenz_slopes, lorenz_start, solved

    start, parameters = lorenz_start(np.random.default_rng(0))
    compiling: dict[int, list[float]] = {10: [], 10_000: []}
    for turn in range(3):
        for steps, found in compiling.items():
            # Each turn has a step of its own, so that nothing is found compiled already.
            f, _ = solved(lorenz_slopes, steps, 1e-4 * (1 + turn / 10))

            def loss(start: Any, p: Any, f: Any = f) -> Any:
                return f(np, sides["ag"].library, start, p)

            compiled = sides["ag"].jit(sides["ag"].library.value_and_grad(loss, argnums=(0, 1)))

            def run(compiled: Any = compiled) -> Any:
                return compiled(start, parameters)

            first = seconds(run, clock)
            found.append(first - min(seconds(run, clock) for _ in range(3)))
    short, long = (float(np.median(found)) for found in compiling.values())
    shown = f"{long / short:.2f}  ({time_text(long)} / {time_text(short)})"
    return [("compiling a loop of 10,000 steps / of 10", shown, "≤ 1.5", long <= 1.5 * short)]


def overhead(sides: dict[str, Any], most: int, clock: Clock) -> list[tuple[str, str, str, bool]]:
    """x + 1 for ten elements."""
    x = np.arange(10.0)

    def f(x: Any) -> Any:
        return x + 1.0

    compiled = sides["ag"].jit(f)
    runs = {"ag": lambda: compiled(x)}
    if "JAX" in sides:
        theirs, x_jax = sides["JAX"].jax.jit(f), sides["JAX"].jnp.asarray(x)
        runs["JAX"] = lambda: np.asarray(theirs(x_jax))
    for run in runs.values():
        np.testing.assert_array_equal(run(), x + 1)
    times = medians_in_turns(runs, most, clock)
    shown = ", ".join(f"{name} {time_text(t)}" for name, t in times.items())
    return [("a call of a compiled x + 1, 10 elements", shown, "≤ 5 µs", times["ag"] <= 5e-6)]


FIGURES = {"epoch": epoch, "recurrence": recurrence, "scalars": scalars, "overhead": overhead}

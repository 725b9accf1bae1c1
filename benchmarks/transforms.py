"""Hessians and Jacobians against the peers' functional transforms, and vmap against a Python loop."""

from __future__ import annotations

import statistics

import numpy as np

from .harness import Row, in_turns, row

rng = np.random.default_rng(0)
X = rng.normal(size=100)
W, B, V = rng.normal(size=(200, 200)) / 14, rng.normal(size=200), rng.normal(size=200)
DATA, TARGETS = rng.normal(size=(1000, 8)), rng.normal(size=1000)
START = rng.normal(size=(1000, 8))


def rows() -> list[Row]:
    import autograd
    import autograd.numpy as anp
    import torch

    import ag

    torch.set_num_threads(1)

    def chain(x):
        """Rosenbrock's function of 100 variables."""
        return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    def layer(np):
        """200 -> 200: two products with a matrix, and what is between."""
        W_, B_ = (torch.tensor(W), torch.tensor(B)) if np is torch else (W, B)

        def f(x):
            return np.tanh(W_ @ np.tanh(W_ @ x + B_)) * x

        return f

    def torch_of(f, x):
        return lambda: f(torch.tensor(x)).numpy()

    result: list[Row] = []
    hessians = {
        "ag": lambda: ag.hessian(chain)(X),
        "HIPS autograd": lambda: autograd.hessian(lambda x: anp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))(X),
        "torch.func": torch_of(torch.func.hessian(chain), X),
    }
    result += _row("hessian of a 100-variable Rosenbrock chain", hessians)
    mine = layer(np)
    for name in ("jacfwd", "jacrev"):
        peers = {
            "ag": lambda name=name: getattr(ag, name)(mine)(V),
            "HIPS autograd": lambda: autograd.jacobian(layer(anp))(V),
            "torch.func": torch_of(getattr(torch.func, name)(layer(torch)), V),
        }
        result += _row(f"{name} of 200 -> 200", peers)

    def loss(w, x, y):
        return (np.tanh(x @ w) - y) ** 2

    gradient = ag.grad(loss)
    small = {
        "ag": lambda: ag.vmap(gradient)(START, DATA, TARGETS),
        "loop": lambda: np.stack([gradient(w, x, y) for w, x, y in zip(START, DATA, TARGETS, strict=True)]),
    }
    np.testing.assert_allclose(small["ag"](), small["loop"](), rtol=1e-12)
    times = in_turns(small, 11)
    faster = statistics.median(b / a for a, b in zip(times["ag"], times["loop"], strict=True))
    what = "vmap(grad(f)) over 1,000 small problems / Python loop"
    return [*result, Row(what, f"{faster:.0f} × faster", "≥ 100 ×", faster >= 100)]


def _row(what: str, runs: dict) -> list[Row]:
    expected = runs["ag"]()
    for run in runs.values():
        np.testing.assert_allclose(run(), expected, rtol=1e-10, atol=1e-10)
    return row(what, in_turns(runs, 11), {"HIPS autograd": 0.2, "torch.func": 1.0})

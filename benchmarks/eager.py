"""x = exp(x·w + w)·0.1, 300 times, on 10 float64 elements: 1,200 operations, forward and backward."""

from __future__ import annotations

import numpy as np

from .harness import Row, in_turns, row

STEPS = 300
X, W = np.linspace(-1.0, 1.0, 10), np.linspace(0.1, 0.5, 10)


def rows() -> list[Row]:
    import autograd
    import autograd.numpy as anp
    import torch

    import ag

    torch.set_num_threads(1)

    def run_ag():
        x, w = ag.Tensor(X), ag.Tensor(W)
        y = x
        for _ in range(STEPS):
            y = ag.exp(y * w + w) * 0.1
        y.sum().backward()
        return x.grad

    def run_torch():
        x, w = torch.tensor(X, requires_grad=True), torch.tensor(W, requires_grad=True)
        y = x
        for _ in range(STEPS):
            y = torch.exp(y * w + w) * 0.1
        y.sum().backward()
        return x.grad.numpy()

    def function(x, w):
        for _ in range(STEPS):
            x = anp.exp(x * w + w) * 0.1
        return anp.sum(x)

    gradient = autograd.grad(function, (0, 1))

    def run_hips():
        return gradient(X, W)[0]

    np.testing.assert_allclose(run_ag(), run_torch(), rtol=1e-12)
    np.testing.assert_allclose(run_ag(), run_hips(), rtol=1e-12)
    times = in_turns({"ag": run_ag, "PyTorch": run_torch, "HIPS autograd": run_hips}, 60)
    return row("1,200 small operations, eager", times, {"PyTorch": 0.5, "HIPS autograd": 0.17})

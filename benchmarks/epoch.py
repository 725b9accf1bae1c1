"""One epoch of softmax regression on MNIST: 60,000 rows, batches of 128, float32, one thread."""

from __future__ import annotations

import numpy as np

from .harness import Row, in_turns, row
from .numpy_step import numpy_step

BATCH, RATE = 128, 0.5


def rows() -> list[Row]:
    import torch

    import ag

    torch.set_num_threads(1)
    data = ag.datasets.mnist()
    X, y = data.X_train, data.y_train
    order = np.random.default_rng(0).permutation(len(X))
    batches = [order[i : i + BATCH] for i in range(0, len(X), BATCH)]

    def start():
        return np.zeros((784, 10), np.float32), np.zeros(10, np.float32)

    def run_numpy():
        W, b = start()
        for batch in batches:
            loss = numpy_step(W, b, X[batch], y[batch], RATE)
        return W, loss

    gradient = ag.value_and_grad(lambda W, b, x, t: ag.cross_entropy(x @ W + b, t), argnums=(0, 1))

    def run_ag():
        W, b = start()
        for batch in batches:
            loss, (gW, gb) = gradient(W, b, X[batch], y[batch])
            W -= RATE * gW
            b -= RATE * gb
        return W, loss

    X_torch, y_torch = torch.from_numpy(X), torch.from_numpy(y)
    batches_torch = [torch.from_numpy(batch) for batch in batches]

    def run_torch():
        W, b = (torch.from_numpy(w).requires_grad_() for w in start())
        for batch in batches_torch:
            loss = torch.nn.functional.cross_entropy(X_torch[batch] @ W + b, y_torch[batch])
            loss.backward()
            with torch.no_grad():
                W -= RATE * W.grad
                b -= RATE * b.grad
                W.grad = b.grad = None
        return W.detach().numpy(), loss.item()

    for run in (run_ag, run_torch):
        np.testing.assert_allclose(run()[0], run_numpy()[0], atol=1e-3)
    times = in_turns({"ag": run_ag, "hand-written NumPy": run_numpy, "PyTorch": run_torch}, 11)
    return row("an epoch of MNIST", times, {"hand-written NumPy": 1.3, "PyTorch": 0.5})

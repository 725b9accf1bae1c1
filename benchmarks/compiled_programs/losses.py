"""Losses of classification and regression: elementwise work, reductions of rows, gathers by label."""

from __future__ import annotations

from .program import Program

# softplus(-x), summed


def logistic(np, library, x):
    return np.mean(np.log1p(np.exp(-x)))


def torch_logistic(torch, x):
    return torch.log1p(torch.exp(-x)).mean()


# The cross-entropy of softmax with integer labels


def cross_entropy(np, library, z, y):
    return -np.mean(library.log_softmax(z)[np.arange(z.shape[0]), y])


def torch_cross_entropy(torch, z, y):
    return torch.nn.functional.cross_entropy(z, y)


def logits(n, k):
    return lambda rng: (2 * rng.normal(size=(n, k)), rng.integers(0, k, n))


def linear_cross_entropy(np, library, W, b, x, y):
    return cross_entropy(np, library, x @ W + b, y)


def torch_linear_cross_entropy(torch, W, b, x, y):
    return torch.nn.functional.cross_entropy(x @ W + b, y)


def linear_model(n, d, k):
    return lambda rng: (rng.normal(size=(d, k)) / d, rng.normal(size=k), rng.uniform(size=(n, d)), rng.integers(0, k, n))


# One step of momentum descent on the same loss, with a penalty


RATE, MOMENTUM, PENALTY = 0.1, 0.9, 1e-4


def penalised(np, library, W, b, vW, vb, x, y):
    return linear_cross_entropy(np, library, W, b, x, y) + PENALTY * np.sum(W * W)


def torch_penalised(torch, W, b, vW, vb, x, y):
    return torch_linear_cross_entropy(torch, W, b, x, y) + PENALTY * (W * W).sum()


def training_step(library, f, argnums):
    gradient = library.value_and_grad(f, argnums=argnums)

    def step(W, b, vW, vb, x, y):
        loss, (gW, gb) = gradient(W, b, vW, vb, x, y)
        vW, vb = MOMENTUM * vW - RATE * gW, MOMENTUM * vb - RATE * gb
        return loss, W + vW, b + vb, vW, vb

    return step


def torch_training_step(torch, f, argnums, W, b, vW, vb, x, y):
    W, b = W.detach().requires_grad_(), b.detach().requires_grad_()
    loss = f(torch, W, b, vW, vb, x, y)
    gW, gb = torch.autograd.grad(loss, [W, b])
    with torch.no_grad():
        vW, vb = MOMENTUM * vW - RATE * gW, MOMENTUM * vb - RATE * gb
        return loss.detach(), W + vW, b + vb, vW, vb


def training(n, d, k):
    def inputs(rng):
        W, b, x, y = linear_model(n, d, k)(rng)
        return W, b, rng.normal(size=W.shape) / d, rng.normal(size=b.shape), x, y

    return inputs


# Branches: Huber's loss of clipped residuals


def huber(np, library, prediction, target):
    r = np.clip(prediction - target, -4.0, 4.0)
    size = np.abs(r)
    return np.mean(np.where(size < 1.0, 0.5 * r * r, size - 0.5))


def torch_huber(torch, prediction, target):
    r = torch.clamp(prediction - target, -4.0, 4.0)
    size = torch.abs(r)
    return torch.where(size < 1.0, 0.5 * r * r, size - 0.5).mean()


def regression(n):
    return lambda rng: (2 * rng.normal(size=n), rng.normal(size=n))


# log Σ eˣ of each row


def row_logsumexp(np, library, x):
    return np.sum(library.logsumexp(x, axis=1) ** 2) * 0.5


def torch_row_logsumexp(torch, x):
    return (torch.logsumexp(x, 1) ** 2).sum() * 0.5


PROGRAMS = [
    Program("logistic loss", "1,000", "float64", logistic, torch_logistic, lambda rng: (3 * rng.normal(size=1000),), (0,)),
    Program(
        "logistic loss", "1,000 x 1,000", "float32",
        logistic, torch_logistic, lambda rng: (3 * rng.normal(size=(1000, 1000)),), (0,),
    ),
    Program("cross-entropy", "128 x 10", "float32", cross_entropy, torch_cross_entropy, logits(128, 10), (0,)),
    Program("cross-entropy", "1,000 x 1,000", "float64", cross_entropy, torch_cross_entropy, logits(1000, 1000), (0,)),
    Program(
        "linear cross-entropy", "100 x 20 x 5", "float64",
        linear_cross_entropy, torch_linear_cross_entropy, linear_model(100, 20, 5), (0, 1),
    ),
    Program(
        "linear cross-entropy", "2,000 x 784 x 10", "float32",
        linear_cross_entropy, torch_linear_cross_entropy, linear_model(2000, 784, 10), (0, 1),
    ),
    Program(
        "training step", "128 x 784 x 10", "float32",
        penalised, torch_penalised, training(128, 784, 10), (0, 1), training_step, torch_training_step,
    ),
    Program("Huber loss", "1,000", "float32", huber, torch_huber, regression(1000), (0,)),
    Program("Huber loss", "1,000,000", "float64", huber, torch_huber, regression(1_000_000), (0,)),
    Program(
        "logsumexp of rows", "2,000 x 200", "float32",
        row_logsumexp, torch_row_logsumexp, lambda rng: (rng.normal(size=(2000, 200)),), (0,),
    ),
]  # fmt: skip

"""Graphs whose pages are tried."""

import numpy as np

import ag


def running(x=2.0, y=1.0):
    """The running example of the notes."""
    x, y = ag.Scalar(x, label="x"), ag.Scalar(y, label="y")
    s = x + y
    return ag.log(1 + ag.exp(-s)) * s


def stacked(a=1.0, b=2.0, c=0.5):
    """The softmax of three logits that are numbers."""
    p = ag.softmax(ag.stack([ag.Scalar(a, label="a"), ag.Scalar(b, label="b"), ag.Scalar(c, label="c")]))
    return -ag.log(p[1])


def logits(*z):
    """The cross-entropy of a tensor of logits."""
    return ag.cross_entropy(ag.Tensor(np.array(z or (1.0, 2.0, 0.5)), label="z"), 1)


def linear(*numbers):
    """A linear classifier of two features and three classes."""
    given = np.array(numbers or (1.0, -0.5, 0.5, -1.0, 0.2, 1.5, 0.3, -0.4, 0.1, 0.0, -0.2))
    x, W, b = ag.Tensor(given[:2], label="x"), ag.Tensor(given[2:8].reshape(2, 3), label="W"), ag.Tensor(given[8:], label="b")
    return ag.cross_entropy(x @ W + b, 0)


def kinks(x=1.5, y=2.0):
    """Branches, a power whose exponent moves, and a root that has no derivative where it is not used."""
    x, y = ag.Scalar(x, label="x"), ag.Scalar(y, label="y")
    return ag.maximum(x, 0.2) ** y + abs(x - 1) + ag.sqrt(ag.relu(x)) + ag.hypot(x, y)


def network():
    """A network of two layers on real digits."""
    rng = np.random.default_rng(0)
    digits = ag.datasets.digits()
    W1, b1 = ag.Tensor(rng.normal(size=(64, 32)) * 0.1, label="W1"), ag.Tensor(np.zeros(32), label="b1")
    W2, b2 = ag.Tensor(rng.normal(size=(32, 10)) * 0.1, label="W2"), ag.Tensor(np.zeros(10), label="b2")
    X, y = digits.X_train[:64], digits.y_train[:64]
    hidden = ag.relu(X @ W1 + b1)
    return ag.cross_entropy(hidden @ W2 + b2, y)


def loop(n=400):
    """Many quantities that few lines made."""
    x = ag.Scalar(0.3, label="x")
    y = x
    for _ in range(n):
        y = ag.sin(y) * 1.01 + x
    return y


def vector():
    """An output of several elements, which has no derivative by itself."""
    return ag.softmax(ag.Tensor([1.0, 2.0, 0.5], label="z"))


LIVE = (running, stacked, logits, linear, kinks)
ALL = (*LIVE, network, loop, vector)

"""Pieces of neural networks: products of matrices, normalisation, attention, a recurrence, a convolution, embeddings."""

from __future__ import annotations

import math

from .program import Program

# Normalisation of each row, and of each column


def layer_norm(np, library, x, gain, bias, target):
    centred = x - np.mean(x, axis=1, keepdims=True)
    variance = np.mean(centred * centred, axis=1, keepdims=True)
    y = centred / np.sqrt(variance + 1e-5) * gain + bias
    return np.mean((y - target) ** 2)


def torch_layer_norm(torch, x, gain, bias, target):
    y = torch.nn.functional.layer_norm(x, x.shape[1:], gain, bias, 1e-5)
    return ((y - target) ** 2).mean()


def batch_norm(np, library, x, gain, bias, target):
    y = (x - np.mean(x, axis=0)) / np.sqrt(np.var(x, axis=0) + 1e-5) * gain + bias
    return np.mean((y - target) ** 2)


def torch_batch_norm(torch, x, gain, bias, target):
    y = torch.nn.functional.batch_norm(x, None, None, gain, bias, True, 0.1, 1e-5)
    return ((y - target) ** 2).mean()


def normalised(n, d):
    return lambda rng: (rng.normal(2, 3, (n, d)), rng.normal(size=d), rng.normal(size=d), rng.normal(size=(n, d)))


# Two layers with GELU (by tanh) between them, and the residual


def gelu_block(np, library, x, W1, b1, W2, b2):
    h = x @ W1 + b1
    h = 0.5 * h * (1.0 + np.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)))
    return np.mean((x + h @ W2 + b2) ** 2)


def torch_gelu_block(torch, x, W1, b1, W2, b2):
    h = torch.nn.functional.gelu(x @ W1 + b1, approximate="tanh")
    return ((x + h @ W2 + b2) ** 2).mean()


def two_layers(n, d, hidden, out):
    def inputs(rng):
        first = rng.normal(size=(n, d)), rng.normal(size=(d, hidden)) / math.sqrt(d), rng.normal(size=hidden)
        return *first, rng.normal(size=(hidden, out)) / math.sqrt(hidden), rng.normal(size=out)

    return inputs


# Attention: softmax(q kᵀ / √d) v


def attention(np, library, q, k, v):
    weights = library.softmax(q @ np.swapaxes(k, 1, 2) / math.sqrt(q.shape[2]))
    return np.mean((weights @ v) ** 2)


def torch_attention(torch, q, k, v):
    weights = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(q.shape[2]), -1)
    return ((weights @ v) ** 2).mean()


def heads(n, length, d):
    return lambda rng: tuple(rng.normal(size=(n, length, d)) for _ in range(3))


# A multilayer perceptron with integer labels


def perceptron(np, library, W1, b1, W2, b2, x, y):
    z = np.maximum(x @ W1 + b1, 0.0) @ W2 + b2
    return -np.mean(library.log_softmax(z)[np.arange(z.shape[0]), y])


def torch_perceptron(torch, W1, b1, W2, b2, x, y):
    return torch.nn.functional.cross_entropy(torch.relu(x @ W1 + b1) @ W2 + b2, y)


def perceptron_inputs(n, d, hidden, k):
    def inputs(rng):
        x, *weights = two_layers(n, d, hidden, k)(rng)
        return *weights, x, rng.integers(0, k, n)

    return inputs


# A recurrent network with long short-term memory


def lstm(np, library, Wx, Wh, b, xs):
    size = Wh.shape[0]

    def step(state, x):
        h, c = state
        z = x @ Wx + h @ Wh + b
        i, f, o = (library.sigmoid(z[:, j * size : (j + 1) * size]) for j in range(3))
        c = f * c + i * np.tanh(z[:, 3 * size :])
        h = o * np.tanh(c)
        return (h, c), np.mean(h * h)

    start = np.zeros((xs.shape[1], size), xs.dtype)
    _, losses = library.scan(step, (start, start), xs)
    return np.sum(losses)


def torch_lstm(torch, Wx, Wh, b, xs):
    size = Wh.shape[0]
    h = c = torch.zeros((xs.shape[1], size), dtype=xs.dtype)
    loss = 0.0
    for x in xs:
        z = x @ Wx + h @ Wh + b
        i, f, o = torch.sigmoid(z[:, : 3 * size]).chunk(3, 1)
        c = f * c + i * torch.tanh(z[:, 3 * size :])
        h = o * torch.tanh(c)
        loss = loss + (h * h).mean()
    return loss


def sequences(length, n, d, size):
    def inputs(rng):
        Wx, Wh = rng.normal(size=(d, 4 * size)) / math.sqrt(d), rng.normal(size=(size, 4 * size)) / math.sqrt(size)
        return Wx, Wh, rng.normal(size=4 * size), rng.normal(size=(length, n, d))

    return inputs


# A convolution with a 3 x 3 stencil, by slices


def convolution(np, library, x, k):
    rows, columns = x.shape[1] - 2, x.shape[2] - 2
    y = sum(k[i, j] * x[:, i : i + rows, j : j + columns] for i in range(3) for j in range(3))
    return np.mean(np.tanh(y) ** 2)


def torch_convolution(torch, x, k):
    y = torch.nn.functional.conv2d(x[:, None], k[None, None])
    return (torch.tanh(y) ** 2).mean()


def images(n, size):
    return lambda rng: (rng.normal(size=(n, size, size)), rng.normal(size=(3, 3)) / 3)


# The mean of the embeddings of a text's words, classified


def embedding(np, library, table, w, words, y):
    z = np.mean(table[words], axis=1) @ w
    return np.mean(np.log1p(np.exp(-y * z)))


def torch_embedding(torch, table, w, words, y):
    z = torch.nn.functional.embedding(words, table).mean(1) @ w
    return torch.log1p(torch.exp(-y * z)).mean()


def texts(n, length, vocabulary, d):
    def inputs(rng):
        words = rng.integers(0, vocabulary, (n, length))
        return rng.normal(size=(vocabulary, d)), rng.normal(size=d), words, rng.choice([-1.0, 1.0], n)

    return inputs


PROGRAMS = [
    Program("layer norm", "128 x 256", "float64", layer_norm, torch_layer_norm, normalised(128, 256), (0, 1, 2)),
    Program("layer norm", "2,048 x 768", "float32", layer_norm, torch_layer_norm, normalised(2048, 768), (0, 1, 2)),
    Program("batch norm", "64 x 32", "float64", batch_norm, torch_batch_norm, normalised(64, 32), (0, 1, 2)),
    Program("batch norm", "4,096 x 256", "float32", batch_norm, torch_batch_norm, normalised(4096, 256), (0, 1, 2)),
    Program("GELU block", "16 x 32 x 64", "float64", gelu_block, torch_gelu_block, two_layers(16, 32, 64, 32), (0, 1, 2, 3, 4)),
    Program(
        "GELU block", "256 x 256 x 1,024", "float32",
        gelu_block, torch_gelu_block, two_layers(256, 256, 1024, 256), (0, 1, 2, 3, 4),
    ),
    Program("attention", "2 x 16 x 16", "float64", attention, torch_attention, heads(2, 16, 16), (0, 1, 2)),
    Program("attention", "16 x 128 x 64", "float32", attention, torch_attention, heads(16, 128, 64), (0, 1, 2)),
    Program(
        "perceptron", "128 x 784 x 128 x 10", "float32",
        perceptron, torch_perceptron, perceptron_inputs(128, 784, 128, 10), (0, 1, 2, 3),
    ),
    Program("LSTM", "20 x 4 x 8 x 16", "float64", lstm, torch_lstm, sequences(20, 4, 8, 16), (0, 1, 2)),
    Program("LSTM", "50 x 32 x 64 x 128", "float32", lstm, torch_lstm, sequences(50, 32, 64, 128), (0, 1, 2)),
    Program("convolution", "1 x 28 x 28", "float64", convolution, torch_convolution, images(1, 28), (0, 1)),
    Program("convolution", "32 x 128 x 128", "float32", convolution, torch_convolution, images(32, 128), (0, 1)),
    Program("embedding", "512 x 40 x 10,000 x 64", "float32", embedding, torch_embedding, texts(512, 40, 10_000, 64), (0, 1)),
]  # fmt: skip

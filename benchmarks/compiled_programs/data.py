"""Programs on data: mixtures, clusters, covariances, distances, prices, paths, features."""

from __future__ import annotations

import math

import numpy

from .program import Program

# The log-likelihood of a mixture of Gaussians with full precision matrices Qᵀ Q


def gaussian_mixture(np, library, weights, means, logs, lower, x):
    d = x.shape[1]
    strict = np.tril(np.ones((d, d), x.dtype), -1)
    Q = lower * strict + np.exp(logs)[:, :, None] * np.eye(d, dtype=x.dtype)
    y = np.einsum("kij,nkj->nki", Q, x[:, None, :] - means)
    terms = weights + np.sum(logs, axis=1) - 0.5 * np.sum(y * y, axis=2)
    return np.mean(library.logsumexp(terms, axis=1)) - library.logsumexp(weights, axis=0)


def torch_gaussian_mixture(torch, weights, means, logs, lower, x):
    Q = torch.tril(lower, -1) + torch.diag_embed(torch.exp(logs))
    y = torch.einsum("kij,nkj->nki", Q, x[:, None, :] - means)
    terms = weights + logs.sum(1) - 0.5 * (y * y).sum(2)
    return torch.logsumexp(terms, 1).mean() - torch.logsumexp(weights, 0)


def mixture(n, k, d):
    def inputs(rng):
        parameters = rng.normal(size=k), rng.normal(size=(k, d)), rng.normal(size=(k, d)) / 4, rng.normal(size=(k, d, d)) / 4
        return *parameters, rng.normal(size=(n, d))

    return inputs


# The cost of k-means, and the product of its Hessian with a vector: forward over reverse


def kmeans(np, library, centres, x, direction):
    return np.sum(np.min(np.sum((x[:, None, :] - centres) ** 2, axis=2), axis=1))


def torch_kmeans(torch, centres, x, direction):
    return ((x[:, None, :] - centres) ** 2).sum(2).amin(1).sum()


def hessian_vector(library, f, argnums):
    def product(centres, x, direction):
        return library.jvp(lambda c: library.grad(f)(c, x, direction), (centres,), (direction,))

    return product


def torch_hessian_vector(torch, f, argnums, centres, x, direction):
    centres = centres.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(f(torch, centres, x, direction), centres, create_graph=True)
    return gradient.detach(), torch.autograd.grad(gradient, centres, direction)[0]


def clusters(n, k, d):
    return lambda rng: (rng.normal(size=(k, d)), rng.normal(size=(n, d)), rng.normal(size=(k, d)))


# A covariance, fitted by one of low rank


def covariance(np, library, x, w):
    centred = x - np.mean(x, axis=0)
    return np.sum((centred.T @ centred / x.shape[0] - w @ w.T) ** 2)


def torch_covariance(torch, x, w):
    centred = x - x.mean(0)
    return ((centred.T @ centred / x.shape[0] - w @ w.T) ** 2).sum()


def low_rank(n, d, rank):
    return lambda rng: (rng.normal(size=(n, d)), rng.normal(size=(d, rank)) / math.sqrt(rank))


# The distances between all pairs of two sets of points


def distances(np, library, a, b):
    return np.mean(np.sqrt(np.sum((a[:, None, :] - b[None, :, :]) ** 2, axis=2) + 1e-6))


def torch_distances(torch, a, b):
    return torch.sqrt(((a[:, None, :] - b[None, :, :]) ** 2).sum(2) + 1e-6).mean()


def two_sets(n, m, d):
    return lambda rng: (rng.normal(size=(n, d)), rng.normal(size=(m, d)))


# The price of European calls


INTEREST = 0.03


def black_scholes(np, library, spot, strike, years, volatility):
    spread = volatility * np.sqrt(years)
    d1 = (np.log(spot / strike) + INTEREST * years) / spread + 0.5 * spread
    d2 = d1 - spread
    up, down = (0.5 * (1.0 + library.erf(d * math.sqrt(0.5))) for d in (d1, d2))
    return np.sum(spot * up - strike * np.exp(-INTEREST * years) * down)


def torch_black_scholes(torch, spot, strike, years, volatility):
    spread = volatility * torch.sqrt(years)
    d1 = (torch.log(spot / strike) + INTEREST * years) / spread + 0.5 * spread
    d2 = d1 - spread
    up, down = (0.5 * (1.0 + torch.erf(d * math.sqrt(0.5))) for d in (d1, d2))
    return (spot * up - strike * torch.exp(-INTEREST * years) * down).sum()


def options(n):
    def inputs(rng):
        return rng.uniform(80, 120, n), rng.uniform(80, 120, n), rng.uniform(0.2, 2, n), rng.uniform(0.1, 0.4, n)

    return inputs


# An Asian call on paths of geometric Brownian motion: a cumulative sum


def brownian_paths(np, library, drift_and_volatility, noise):
    drift, volatility = drift_and_volatility[0], drift_and_volatility[1]
    dt = 1 / noise.shape[1]
    steps = (drift - 0.5 * volatility**2) * dt + volatility * math.sqrt(dt) * noise
    mean_price = np.mean(np.exp(np.cumsum(steps, axis=1)), axis=1)
    return np.mean(np.maximum(mean_price - 1.0, 0.0))


def torch_brownian_paths(torch, drift_and_volatility, noise):
    drift, volatility = drift_and_volatility[0], drift_and_volatility[1]
    dt = 1 / noise.shape[1]
    steps = (drift - 0.5 * volatility**2) * dt + volatility * math.sqrt(dt) * noise
    mean_price = torch.exp(torch.cumsum(steps, 1)).mean(1)
    return torch.clamp(mean_price - 1.0, min=0.0).mean()


def paths(rng):
    return numpy.array([0.05, 0.3]), rng.normal(size=(1000, 250))


# Regression on random Fourier features


def fourier_features(np, library, W, b, a, x, y):
    h = x @ W + b
    return np.mean((np.sin(h) @ a[0] + np.cos(h) @ a[1] - y) ** 2)


def torch_fourier_features(torch, W, b, a, x, y):
    h = x @ W + b
    return ((torch.sin(h) @ a[0] + torch.cos(h) @ a[1] - y) ** 2).mean()


def features(n, d, k):
    def inputs(rng):
        weights = 3 * rng.normal(size=(d, k)), rng.uniform(0, 6, k), rng.normal(size=(2, k)) / math.sqrt(k)
        return *weights, rng.normal(size=(n, d)), rng.normal(size=n)

    return inputs


PROGRAMS = [
    Program(
        "Gaussian mixture", "200 x 5 x 3", "float64",
        gaussian_mixture, torch_gaussian_mixture, mixture(200, 5, 3), (0, 1, 2, 3),
    ),
    Program(
        "Gaussian mixture", "2,000 x 20 x 8", "float32",
        gaussian_mixture, torch_gaussian_mixture, mixture(2000, 20, 8), (0, 1, 2, 3),
    ),
    Program("k-means", "500 x 5 x 2", "float32", kmeans, torch_kmeans, clusters(500, 5, 2), (0,)),
    Program("k-means", "10,000 x 20 x 8", "float64", kmeans, torch_kmeans, clusters(10_000, 20, 8), (0,)),
    Program(
        "k-means, Hessian x vector", "2,000 x 10 x 8", "float64",
        kmeans, torch_kmeans, clusters(2000, 10, 8), (0,), hessian_vector, torch_hessian_vector,
    ),
    Program("covariance", "4,000 x 64 x 8", "float64", covariance, torch_covariance, low_rank(4000, 64, 8), (0, 1)),
    Program("distances", "500 x 400 x 3", "float32", distances, torch_distances, two_sets(500, 400, 3), (0, 1)),
    Program("Black-Scholes", "100,000", "float64", black_scholes, torch_black_scholes, options(100_000), (0, 2, 3)),
    Program("Brownian paths", "1,000 x 250", "float32", brownian_paths, torch_brownian_paths, paths, (0, 1)),
    Program(
        "Fourier features", "2,000 x 4 x 128", "float64",
        fourier_features, torch_fourier_features, features(2000, 4, 128), (0, 1, 2),
    ),
]  # fmt: skip

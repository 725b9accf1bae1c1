"""Scientific calculation: loops, scalars, polynomials, long chains, projections of points into cameras."""

from __future__ import annotations

import numpy

from .program import Program

# Ordinary differential equations by the classical Runge-Kutta method


def runge_kutta(derivative, state, h):
    def moved(by, k):
        return tuple(s + by * d for s, d in zip(state, k, strict=True))

    k1 = derivative(state)
    k2 = derivative(moved(h / 2, k1))
    k3 = derivative(moved(h / 2, k2))
    k4 = derivative(moved(h, k3))
    slopes = (a + 2 * b + 2 * c + d for a, b, c, d in zip(k1, k2, k3, k4, strict=True))
    return tuple(s + h / 6 * slope for s, slope in zip(state, slopes, strict=True))


def lorenz_slopes(p):
    return lambda s: (p[0] * (s[1] - s[0]), s[0] * (p[1] - s[2]) - s[1], s[0] * s[1] - p[2] * s[2])


def lotka_volterra_slopes(p):
    return lambda s: (s[0] * (p[0] - p[1] * s[1]), s[1] * (p[2] * s[0] - p[3]))


def solved(slopes, steps, h):
    def f(np, library, start, p):
        parts = tuple(start[i] for i in range(start.shape[0]))
        end = library.fori_loop(0, steps, lambda i, state: runge_kutta(slopes(p), state, h), parts)
        return sum(np.sum(s * s) for s in end)

    def torch_f(torch, start, p):
        state = tuple(start[i] for i in range(start.shape[0]))
        for _ in range(steps):
            state = runge_kutta(slopes(p), state, h)
        return sum((s * s).sum() for s in state)

    return f, torch_f


def lorenz_start(rng):
    return 1 + rng.uniform(size=3), rng.normal([10.0, 28.0, 8 / 3], 0.1)


def lotka_volterra_start(n):
    return lambda rng: (rng.uniform(0.8, 1.2, (2, n)), rng.uniform(0.8, 1.2, (4, n)))


# A ball that bounces: at each step it flies, or the ground turns its velocity


DT = 0.01


def bouncing(np, library, start, gravity_and_loss):
    gravity, loss = gravity_and_loss[0], gravity_and_loss[1]

    def step(i, state):
        height, velocity = state
        velocity = library.cond(
            np.logical_and(height < 0.0, velocity < 0.0),
            lambda v: -loss * v,
            lambda v: v - DT * gravity,
            velocity,
        )
        return height + DT * velocity, velocity

    height, velocity = library.fori_loop(0, 500, step, (start[0], start[1]))
    return height * height + velocity


def torch_bouncing(torch, start, gravity_and_loss):
    gravity, loss = gravity_and_loss
    height, velocity = start
    for _ in range(500):
        velocity = -loss * velocity if height < 0.0 and velocity < 0.0 else velocity - DT * gravity
        height = height + DT * velocity
    return height * height + velocity


# Newton's method for Kepler's equation E - e sin E = M, until all have converged, and its derivative forward


def kepler(np, library, M, e, dM, de):
    def unsolved(state):
        n, E = state
        return np.logical_and(n < 50, np.max(np.abs(E - e * np.sin(E) - M)) > 1e-12)

    def improved(state):
        n, E = state
        return n + 1, E - (E - e * np.sin(E) - M) / (1.0 - e * np.cos(E))

    return library.while_loop(unsolved, improved, (0, M + e))[1]


def torch_kepler(torch, M, e, dM, de):
    E = M + e
    for _ in range(50):
        if not torch.max(torch.abs(E - e * torch.sin(E) - M)) > 1e-12:
            break
        E = E - (E - e * torch.sin(E) - M) / (1.0 - e * torch.cos(E))
    return E


def forward(library, f, argnums):
    return lambda M, e, dM, de: library.jvp(lambda M, e: f(M, e, dM, de), (M, e), (dM, de))


def torch_forward(torch, f, argnums, M, e, dM, de):
    return torch.func.jvp(lambda M, e: f(torch, M, e, dM, de), (M, e), (dM, de))


def orbits(n):
    return lambda rng: (rng.uniform(0, 6, n), rng.uniform(0.05, 0.6, n), rng.normal(size=n), rng.normal(size=n))


# A determinant by minors: scalars alone


def minors(rows):
    if len(rows) == 1:
        return rows[0][0]
    terms = [rows[0][j] * minors([row[:j] + row[j + 1 :] for row in rows[1:]]) for j in range(len(rows))]
    total = terms[0]
    for j, term in enumerate(terms[1:]):
        total = total - term if j % 2 == 0 else total + term
    return total


def determinant(np, library, x):
    return minors([[x[i, j] for j in range(x.shape[1])] for i in range(x.shape[0])])


def torch_determinant(torch, x):
    return minors([list(row) for row in x])


# Rosenbrock's function


def rosenbrock(np, library, x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def torch_rosenbrock(torch, x):
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


# A polynomial by Horner's rule


def horner(np, library, coefficients, x):
    y = coefficients[0]
    for i in range(1, coefficients.shape[0]):
        y = y * x + coefficients[i]
    return np.mean(y * y)


def torch_horner(torch, coefficients, x):
    y = coefficients[0]
    for i in range(1, coefficients.shape[0]):
        y = y * x + coefficients[i]
    return (y * y).mean()


def polynomial(degree, n):
    return lambda rng: (rng.normal(size=degree + 1), rng.uniform(-1, 1, n))


# A hundred elementwise operations in a row


def links(np, x):
    y = x
    for _ in range(20):
        y = np.tanh(y * 1.1 + x)
        y = y * y - 0.5 * x
    return y


def chain(np, library, x):
    return np.sum(links(np, x))


def torch_chain(torch, x):
    return links(torch, x).sum()


# Points seen by cameras: rotations by Rodrigues' formula, radial distortion, squared errors


def columns(a):
    return a[:, 0], a[:, 1], a[:, 2]


def projections(np, cameras, points, camera, point, seen):
    c, X = cameras[camera], points[point]
    r, t, focal, k1, k2 = c[:, :3], c[:, 3:6], c[:, 6:7], c[:, 7:8], c[:, 8:9]
    square = (r * r).sum(1)[:, None]
    angle = np.sqrt(square)
    axis = r / angle
    (a1, a2, a3), (x1, x2, x3) = columns(axis), columns(X)
    cross = np.stack([a2 * x3 - a3 * x2, a3 * x1 - a1 * x3, a1 * x2 - a2 * x1], 1)
    along = (axis * X).sum(1)[:, None]
    cosine = np.cos(angle)
    P = X * cosine + cross * np.sin(angle) + axis * along * (1.0 - cosine) + t
    p = P[:, :2] / P[:, 2:]
    radius = (p * p).sum(1)[:, None]
    error = focal * (1.0 + k1 * radius + k2 * radius * radius) * p - seen
    return 0.5 * (error * error).sum()


def bundle(np, library, cameras, points, camera, point, seen):
    return projections(np, cameras, points, camera, point, seen)


def scene(cameras, points, observations):
    def inputs(rng):
        rotation, shift = rng.normal(size=(cameras, 3)) / 5, rng.normal(size=(cameras, 3)) / 5
        optics = rng.normal([1.0, 0.01, 0.001], [0.1, 0.01, 0.001], (cameras, 3))
        which = rng.integers(0, cameras, observations), rng.integers(0, points, observations)
        all_of_them = numpy.concatenate([rotation, shift, optics], 1)
        return all_of_them, rng.normal([0, 0, 5], 0.5, (points, 3)), *which, rng.normal(size=(observations, 2)) / 5

    return inputs


LORENZ, TORCH_LORENZ = solved(lorenz_slopes, 1000, 0.01)
LOTKA_VOLTERRA, TORCH_LOTKA_VOLTERRA = solved(lotka_volterra_slopes, 100, 0.05)

PROGRAMS = [
    Program("Lorenz, 1,000 steps", "3", "float64", LORENZ, TORCH_LORENZ, lorenz_start, (0, 1)),
    Program(
        "Lotka-Volterra, 100 steps", "2 x 2,000", "float32",
        LOTKA_VOLTERRA, TORCH_LOTKA_VOLTERRA, lotka_volterra_start(2000), (0, 1),
    ),
    Program(
        "bouncing ball, 500 steps", "2", "float64",
        bouncing, torch_bouncing, lambda rng: (numpy.array([1.0, 0.5]), numpy.array([9.81, 0.8])), (0, 1),
    ),
    Program("Newton, forward", "10", "float64", kepler, torch_kepler, orbits(10), (0, 1), forward, torch_forward),
    Program("Newton, forward", "10,000", "float64", kepler, torch_kepler, orbits(10_000), (0, 1), forward, torch_forward),
    Program("determinant", "5 x 5", "float64", determinant, torch_determinant, lambda rng: (rng.normal(size=(5, 5)),), (0,)),
    Program("Rosenbrock", "100", "float64", rosenbrock, torch_rosenbrock, lambda rng: (rng.normal(size=100),), (0,)),
    Program("Rosenbrock", "100,000", "float32", rosenbrock, torch_rosenbrock, lambda rng: (rng.normal(size=100_000),), (0,)),
    Program("Horner", "16, 100,000", "float64", horner, torch_horner, polynomial(16, 100_000), (0, 1)),
    Program("chain of 100", "1,000", "float32", chain, torch_chain, lambda rng: (rng.normal(size=1000),), (0,)),
    Program("chain of 100", "50,000", "float64", chain, torch_chain, lambda rng: (rng.normal(size=50_000),), (0,)),
    Program("bundle adjustment", "5, 50, 200", "float64", bundle, projections, scene(5, 50, 200), (0, 1)),
    Program("bundle adjustment", "50, 2,000, 20,000", "float32", bundle, projections, scene(50, 2000, 20_000), (0, 1)),
]  # fmt: skip

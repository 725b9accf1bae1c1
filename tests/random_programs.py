"""Random programs: what an integer says is done to arrays, by NumPy's and ag's functions."""

import random

import numpy as np

import ag
import ag.special

SIZES = (1, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65)
LARGEST = 40_000

UNARY = (
    lambda x: np.exp(np.minimum(x, 3.0)), lambda x: np.log(np.abs(x) + 0.1), np.sin, np.cos, lambda x: np.sqrt(np.abs(x)),
    np.tanh, ag.sigmoid, ag.relu, np.abs, np.negative, lambda x: 1 / (1 + x * x), np.floor, np.sign, ag.softplus,
    ag.special.erf, lambda x: np.log1p(np.abs(x)), np.arctan, lambda x: np.tanh(x) ** 3, lambda x: (x * x + 0.5) ** -1.5,
    np.cbrt, lambda x: np.clip(x, -1, 1), lambda x: x / 8, lambda x: 0.5 * x + 1, lambda x: np.where(x > 0, x, 0.1 * x),
    lambda x: np.expm1(np.tanh(x)), lambda x: x.astype(np.float64), lambda x: x.astype(np.float32), np.rint,
)  # fmt: skip
BINARY = (
    np.add, np.subtract, np.multiply, lambda x, y: x / (1 + y * y), np.maximum, np.minimum, np.arctan2, np.hypot,
    lambda x, y: np.where(x > y, x, y * 2), lambda x, y: (np.abs(x) + 0.2) ** np.tanh(y), np.copysign, np.logaddexp,
    lambda x, y: np.heaviside(x, y), lambda x, y: x * y - x, lambda x, y: np.remainder(x, np.abs(y) + 1),
)  # fmt: skip
REDUCTIONS = (np.sum, np.sum, np.mean, np.max, np.min, ag.logsumexp, np.var, lambda x, **how: np.prod(np.tanh(x) + 0.6, **how))
COMPARISONS = (np.less, np.greater, np.less_equal, np.greater_equal, np.equal, np.not_equal)
LOGIC = (
    np.logical_and, np.logical_or, np.logical_xor, lambda x, y: ~x, lambda x, y: x & y, lambda x, y: x | y, lambda x, y: x ^ y,
)
INTEGERS = (
    np.add, np.multiply, np.subtract, np.maximum, lambda x, y: x // 3, lambda x, y: x % 5, lambda x, y: x & y, lambda x, y: x << 1,
    lambda x, y: -x, lambda x, y: x * 1.5, lambda x, y: x / 2, lambda x, y: x.astype(np.int32), lambda x, y: x**2, lambda x, y: ~x,
)  # fmt: skip


def kind(x):
    return x.dtype.kind


class Program:
    """A function of arrays: ``args``, of which the first ``floats`` hold floats; ``steps``, an integer for each operation."""

    def __init__(self, seed):
        rng = random.Random(seed)
        self.steps = [rng.randrange(2**30) for _ in range(rng.randint(10, 40))]
        draw = np.random.default_rng(seed)
        self.dtype = rng.choice((np.float64, np.float32))
        shape = [rng.choice(SIZES) for _ in range(rng.choice((1, 2, 2, 3)))]
        if rng.random() < 0.15:
            shape[rng.randrange(len(shape))] = rng.choice((0, 257, 1000))
        while np.prod(shape) > LARGEST // 2:
            shape.pop()
        self.args = [self.array(rng, draw, shape, k) for k in range(rng.choice((2, 3)))]
        self.floats = len(self.args)
        if rng.random() < 0.4:
            self.args.append(draw.integers(-3, 4, shape).astype(rng.choice((np.int64, np.int32, np.int8))))
        if rng.random() < 0.3:
            self.args.append(draw.random(shape) < 0.5)

    def array(self, rng, draw, shape, k):
        """Floats that lie in memory in one of many ways, and may broadcast against the others."""
        if k and rng.random() < 0.5:
            shape = [1 if rng.random() < 0.5 else n for n in shape][rng.randrange(len(shape)) :]
        x = draw.normal(size=shape)
        if rng.random() < 0.3:
            x = np.round(x)
        x = x.astype(self.dtype)
        way = rng.randrange(6)
        if way == 0:
            x = np.asfortranarray(x)
        elif way == 1:
            x = np.ascontiguousarray(x[::-1])[::-1]
        elif way == 2:
            x = np.repeat(x, 2, -1)[..., ::2]
        elif way == 3:
            x.flags.writeable = False
        return x

    def __call__(self, *args):
        values = list(args)
        for step in self.steps:
            rng = random.Random(step)
            y = rng.choice(OPERATIONS)(rng, values)
            if y is not None and 0 < np.ndim(y) < 5 and np.size(y) <= LARGEST:
                values.append(y)
        rng = random.Random(len(values))
        outputs = [y for y in values[len(args) :] if rng.random() < 0.25][-4:] or values[-1:]
        return [*outputs, *(outputs[:1] if rng.random() < 0.2 else ()), *(args[:1] if rng.random() < 0.2 else ())]

    def cost(self, *args):
        """One number for the derivatives."""
        terms = [np.sum(np.tanh(y)) for y in self(*args) if kind(y) == "f" and np.size(y)]
        return sum(terms, np.sum(args[0]) * 0.5)


def pick(rng, values, kinds="f"):
    """A value of this kind, rather one of the last."""
    found = [x for x in values if kind(x) in kinds]
    if not found:
        return None
    return found[-1 - min(int(rng.expovariate(0.4)), len(found) - 1)] if rng.random() < 0.7 else rng.choice(found)


def partner(rng, values, x, kinds):
    """A value that broadcasts against x."""
    found = []
    for y in values:
        if kind(y) in kinds and (shape := broadcast(x, y)) is not None and np.prod(shape, dtype=int) <= LARGEST:
            found.append(y)
    return rng.choice(found) if found else None


def broadcast(*xs):
    try:
        return np.broadcast_shapes(*map(np.shape, xs))
    except ValueError:
        return None


def unary(rng, values):
    return rng.choice(UNARY)(pick(rng, values))


def binary(rng, values):
    x = pick(rng, values)
    return rng.choice(BINARY)(x, partner(rng, values, x, "f"))


def crossed(rng, values):
    """(n, 1) with (m,)."""
    x, y = pick(rng, values), pick(rng, values)
    if np.ndim(y) > 1 or np.size(x) * np.size(y) > LARGEST:
        return None
    return rng.choice(BINARY)(x[..., None], y)


def reduced(rng, values):
    x = pick(rng, values)
    axes = tuple(rng.sample(range(np.ndim(x)), rng.randint(1, np.ndim(x))))
    return None if not np.size(x) else rng.choice(REDUCTIONS)(x, axis=axes, keepdims=rng.random() < 0.6)


def in_stages(rng, values):
    """Programs like softmax: what a row is reduced to goes into the row again."""
    x = pick(rng, values)
    if not np.size(x):
        return None
    how = {"axis": rng.randrange(np.ndim(x)), "keepdims": True}
    way = rng.randrange(5)
    if way == 0:
        return ag.softmax(x, axis=how["axis"])
    if way == 1:
        return ag.log_softmax(x, axis=how["axis"])
    if way == 2:
        e = np.exp(x - np.max(x, **how))
        return e / (1 + np.sum(e, **how))
    if way == 3:
        centred = x - np.mean(x, **how)
        return centred / np.sqrt(np.mean(centred * centred, **how) + 0.1)
    return x / (1 + np.max(np.abs(x), **how))


def compared(rng, values):
    x = pick(rng, values, "fi")
    return rng.choice(COMPARISONS)(x, partner(rng, values, x, "fi"))


def logical(rng, values):
    x = pick(rng, values, "b")
    return None if x is None else rng.choice(LOGIC)(x, partner(rng, values, x, "b"))


def chosen(rng, values):
    x = pick(rng, values)
    mask, y = partner(rng, values, x, "b"), partner(rng, values, x, "fi")
    return None if mask is None or broadcast(mask, x, y) is None else np.where(mask, x, y)


def integers(rng, values):
    x = pick(rng, values, "i")
    return None if x is None else rng.choice(INTEGERS)(x, partner(rng, values, x, "i"))


def counted(rng, values):
    x = pick(rng, values, "bi")
    if x is None or not np.size(x):
        return None
    return rng.choice((np.any, np.all, np.sum, np.max, np.min, np.argmax, np.cumsum))(x, axis=rng.randrange(np.ndim(x)))


def shaped(rng, values):
    """Transposes, slices with all kinds of steps, flips, reshapes; joined and repeated arrays."""
    x = pick(rng, values, "fffib")
    shape, axis = np.shape(x), rng.randrange(np.ndim(x))
    n = shape[axis]
    before, step = (slice(None),) * axis, rng.choice((1, 2, 3, -1, -2))
    start = rng.randrange(max(n // 2, 1))
    grown = (
        lambda: np.concatenate([x, x[::-1]], axis=axis), lambda: np.stack([x, x], axis=axis), lambda: np.tile(x, 2),
        lambda: np.repeat(x, 2, axis=axis), lambda: np.broadcast_to(x, (3, *shape)),
        lambda: np.pad(x, [(rng.randrange(3), rng.randrange(3)) for _ in shape]),
    )  # fmt: skip
    others = (
        lambda: np.swapaxes(x, 0, -1), lambda: np.moveaxis(x, axis, 0), lambda: x[(*before, slice(None, None, step))],
        lambda: x[(*before, slice(start, start + n // 2 + 1, abs(step)))], lambda: np.flip(x, axis), lambda: x.reshape(-1),
        lambda: x.reshape(n, -1) if n else x, lambda: np.roll(x, step, axis=axis), lambda: np.expand_dims(x, axis),
        lambda: x[(*before, n // 2)] if n else x, lambda: x[None, ..., ::-1],
    )  # fmt: skip
    return rng.choice(grown)() if np.size(x) < LARGEST // 4 and rng.random() < 0.3 else rng.choice(others)()


def gathered(rng, values):
    """x at places that an array names, some of them negative, some twice."""
    x, n = (x := pick(rng, values, "ffib")), np.shape(x)[0]
    i = pick(rng, values, "i") if rng.random() < 0.3 else None
    if not np.size(x):
        return None
    if i is None or np.size(i) > 200 or i.dtype == np.int8:
        i = np.random.default_rng(rng.randrange(1000)).integers(-n, n, rng.choice(((1,), (5,), (17,), (3, 4), (33,))))
    else:
        i = np.remainder(i, n) - rng.choice((0, n))
    if np.size(i) * np.size(x) // n > LARGEST:
        return None
    return x[i, np.remainder(i * 3, np.shape(x)[1])] if np.ndim(x) > 1 and rng.random() < 0.4 else x[i]


def put(rng, values):
    """Added or written in a part of x."""
    x = pick(rng, values)
    n = np.shape(x)[0]
    if not n:
        return None
    i = np.random.default_rng(rng.randrange(1000)).integers(-n, n, rng.choice(((1,), (5,), (17,), (33,))))
    i = rng.choice((i, i, slice(None, None, 2), slice(None, None, -1), slice(0, n // 2), n // 2))
    adds = isinstance(i, np.ndarray) or rng.random() < 0.5
    v = x[i] * 0.5 if rng.random() < 0.8 else 1.5
    if not isinstance(x, np.ndarray):
        return x.at[i].add(v) if adds else x.at[i].set(v)
    y = x.copy()
    if adds:
        np.add.at(y, i, v)
    else:
        y[i] = v
    return y


def multiplied(rng, values):
    x, y = pick(rng, values), pick(rng, values)
    way = rng.randrange(5)
    if np.ndim(x) > 1 and np.shape(x) == np.shape(y) and way == 0:
        return np.einsum("...ij,...ij->...j", x, y) * 0.5
    if way == 1:
        y = x
    if np.shape(x)[-1] != np.shape(y)[-1]:
        return None
    product = x @ (np.swapaxes(y, -1, -2) if np.ndim(y) > 1 else y) if broadcast(x[..., :1, :1] if np.ndim(x) > 1 else 0,
        y[..., :1, :1] if np.ndim(y) > 1 else 0) is not None else None  # fmt: skip
    return None if product is None else product * 0.25


def accumulated(rng, values):
    x = pick(rng, values)
    return np.cumsum(x, axis=rng.randrange(np.ndim(x)))


OPERATIONS = (
    *(unary,) * 6, *(binary,) * 7, *(crossed,) * 2, *(reduced,) * 6, *(in_stages,) * 3, *(compared,) * 2, logical, *(chosen,) * 2,
    *(integers,) * 3, counted, *(shaped,) * 8, *(gathered,) * 3, *(put,) * 2, *(multiplied,) * 3, accumulated,
)  # fmt: skip

"""Products with few columns by kernels of their own, against NumPy in twice the precision."""

import numpy as np
import pytest

import ag
from ag.compiler.kernels import skinny

pytest.importorskip("llvmlite")

SHAPES = [(4, 64, 2), (7, 64, 12), (5, 65, 3), (9, 100, 11), (3, 80, 5), (1, 300, 4), (128, 784, 10), (2, 700, 130), (12, 600, 64)]
FORMS = {
    "x @ y": lambda m, k, n: ((m, k), (k, n), lambda x, y: x @ y),
    "x @ y.T": lambda m, k, n: ((m, k), (n, k), lambda x, y: x @ y.T),
    "x.T @ y": lambda m, k, n: ((k, m), (k, n), lambda x, y: x.T @ y),
    "x.T @ y.T": lambda m, k, n: ((k, m), (n, k), lambda x, y: x.T @ y.T),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_layout(shape, form, dtype):
    rng = np.random.default_rng(0)
    for m, k, n in (shape, shape[::-1]):
        left, right, f = FORMS[form](m, k, n)
        x, y = (rng.normal(size=s).astype(dtype) for s in (left, right))
        exact = f(x.astype(np.longdouble), y.astype(np.longdouble))
        scale = f(abs(x.astype(np.longdouble)), abs(y.astype(np.longdouble)))
        result = ag.jit(f)(x, y)
        assert result.dtype == dtype
        assert (abs(result - exact) <= 16 * np.finfo(dtype).eps * scale).all()


def test_which_products_are_skinny(monkeypatch):
    seen = []
    real = skinny.kernel
    monkeypatch.setattr(skinny, "kernel", lambda *args: seen.append(real(*args)) or seen[-1])
    x, y = np.ones((128, 784)), np.ones((784, 10))
    ag.jit(lambda x, y: x @ y)(x, y)
    ag.jit(lambda x, y: x @ y)(x.T.copy(), x)  # nothing about it is small
    if seen[0] is not None:  # a machine with wide vectors
        assert "define internal void" in seen[0]
    assert seen[1] is None


def test_what_is_not_finite():
    x, y = np.ones((8, 70)), np.ones((70, 3))
    x[1, 3], x[2, 69], y[5, 2] = np.inf, np.nan, -np.inf
    with np.errstate(invalid="ignore"):
        expected = x @ y
    np.testing.assert_array_equal(ag.jit(lambda x, y: x @ y)(x, y), expected)

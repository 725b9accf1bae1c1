"""Where llvmlite is missing, programs run through NumPy; where NumPy's BLAS is not found, products do."""

import warnings

import numpy as np
import pytest

import ag
from ag.compiler import executable
from ag.compiler.machine import native


@pytest.fixture
def without(monkeypatch):
    monkeypatch.setattr(native, "available", lambda: False)
    executable._say_what_to_install.cache_clear()
    yield
    executable._say_what_to_install.cache_clear()


def loss(W, x, y):
    return ag.cross_entropy(np.tanh(x @ W), y) + (W**2).sum()


def arguments():
    rng = np.random.default_rng(0)
    return rng.normal(size=(5, 3)), rng.normal(size=(8, 5)), rng.integers(0, 3, 8)


def test_the_same_results_and_one_warning(without):
    W, x, y = arguments()
    expected = ag.value_and_grad(loss)(W, x, y)
    compiled = ag.jit(ag.value_and_grad(loss))
    with pytest.warns(UserWarning, match=r"pip install 'ag-autodiff\[jit\]'") as seen:
        value, gradient = compiled(W, x, y)
    assert len(seen) == 1 and seen[0].filename == __file__
    np.testing.assert_allclose(value, expected[0], rtol=1e-14)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-13)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ag.jit(lambda x: x + 1)(x)
    with pytest.raises(ValueError, match="out of range"):
        compiled(W, x, y + 5)


def test_rows_stay_whole(without):
    with pytest.warns(UserWarning, match="through NumPy"):
        entry = ag.jit(loss).entry(*arguments())
    assert "cross_entropy_of_labels" in str(entry.program)


def test_products_without_a_blas(monkeypatch):
    pytest.importorskip("llvmlite")
    monkeypatch.setattr(native, "blas", lambda: None)
    W, x, y = arguments()
    compiled = ag.jit(ag.value_and_grad(loss))
    value, gradient = compiled(W, x, y)
    expected = ag.value_and_grad(loss)(W, x, y)
    assert isinstance(compiled.entry(W, x, y).run, executable.Machine)
    np.testing.assert_allclose(value, expected[0], rtol=1e-14)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-13)

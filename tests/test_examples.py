"""The examples are short, their gradients are those of differences, and they draw."""

import importlib.util
import os
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from ag.testing import difference

FOLDER = Path(__file__).parent.parent / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def case(name):
    """The plain function, the differentiated one, its arguments, and how many of them are differentiated."""
    m, rng = load(name), np.random.default_rng(0)
    if name == "gaussian_process":
        return m.negative_log_likelihood, m.value_and_gradient, (np.log([1.0, 2.0, 0.5]), *m.data(12)), 1
    if name == "kalman_filter":
        return m.negative_log_likelihood, m.value_and_gradient, (np.log([0.3, 1.0]), m.data(15)[1]), 1
    if name == "variational_inference":
        return m.negative_bound, m.value_and_gradient, (0.1 * rng.normal(size=9), *m.data(10), rng.normal(size=(4, 3))), 1
    if name == "physics":
        return m.miss, m.value_and_gradient, (np.array([7.0, 9.0]),), 1
    if name == "deconvolution":
        x = rng.normal(size=m.SIZE**2)
        return m.cost, m.value_and_gradient, (x, m.picture(), m.transfer()), 1
    return m.shortfall, m.gradients, (np.array([0.5, 0.3, 0.2]), m.VOLATILITY, rng.normal(size=(200, 3))), 2


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_that_of_differences(name):
    f, differentiated, args, n = case(name)
    value, gradient = differentiated(*args)
    assert value == pytest.approx(f(*args), rel=1e-13)
    gradients = gradient if n > 1 else (gradient,)
    rng = np.random.default_rng(1)
    directions = [rng.normal(size=x.shape) * 1e-2 * np.abs(x).max() for x in args[:n]]
    expected = difference(lambda *xs: f(*xs, *args[n:]), args[:n], directions)
    assert sum(np.vdot(g, t) for g, t in zip(gradients, directions, strict=True)) == pytest.approx(expected.item(), rel=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_short_and_has_its_picture_in_the_documents(name):
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 100
    assert text.count("the line that was added") == 1
    assert f"images/{name}.png" in (FOLDER.parent / "docs/examples.md").read_text(encoding="utf-8")
    assert (FOLDER.parent / f"docs/images/{name}.png").stat().st_size > 5000


@pytest.mark.parametrize("name", NAMES)
def test_an_example_draws(name, tmp_path):
    matplotlib.use("Agg")
    load(name).draw(os.fspath(tmp_path / "picture.png"))
    assert (tmp_path / "picture.png").stat().st_size > 5000

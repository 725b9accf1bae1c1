"""Compiled functions as values: methods of objects, copied, and sent to other processes."""

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ag

X = np.array([1.0, 2.0, 4.0])


@ag.jit
def doubled(x):
    return 2 * x


def plain(x):
    return 3 * x


tripled = ag.jit(plain, donate_argnums=())


class Model:
    def __init__(self, scale):
        self.scale = scale
        self.own = ag.jit(self.apply)

    def apply(self, x):
        return x * self.scale

    @ag.jit
    def predict(self, x):
        return x * self.scale


def test_a_bound_method_has_what_a_compiled_function_has():
    model = Model(2.0)
    assert model.predict(X).tolist() == [2.0, 4.0, 8.0]
    assert "x: float64[3]  argument" in str(model.predict.show(X, stage="program"))
    assert "* " in str(model.predict.show(X, stage="kernels"))
    assert model.predict.cost(X).operations == Model.predict.cost(model, X).operations == 3
    assert model.predict.entry(X) is Model.predict.entry(model, X)
    assert (model.predict.name, model.predict.__name__) == ("predict", "predict")
    assert model.predict.__wrapped__ is Model.predict.function
    assert "compiled for 1 kind" in repr(model.predict) and "Model object" in repr(model.predict)
    assert ag.grad(lambda x: model.predict(x).sum())(X).tolist() == [2.0] * 3
    with pytest.raises(AttributeError, match="nothing"):
        _ = model.predict.nothing


@pytest.mark.parametrize("used", [False, True])
def test_copies(used):
    """A function is itself when it is copied; a method is that of the copied object."""
    model = Model(2.0)
    if used:
        doubled(X), model.own(X), model.predict(X)
    assert copy.deepcopy(doubled) is doubled
    other = copy.deepcopy(model)
    other.scale = 5.0
    assert other.own(X).tolist() == [5.0, 10.0, 20.0]
    assert model.own(X).tolist() == [2.0, 4.0, 8.0]
    assert copy.copy(doubled)(X).tolist() == [2.0, 4.0, 8.0]
    assert copy.deepcopy(model.predict)(X).tolist() == [2.0, 4.0, 8.0]


@pytest.mark.parametrize("used", [False, True])
def test_pickled(used):
    model = Model(2.0)
    if used:
        doubled(X), tripled(X), model.own(X), model.predict(X)
    assert pickle.loads(pickle.dumps(doubled)) is doubled
    assert pickle.loads(pickle.dumps(tripled))(X).tolist() == [3.0, 6.0, 12.0]
    assert pickle.loads(pickle.dumps(Model.predict)) is Model.predict
    back = pickle.loads(pickle.dumps(model))
    assert back.own.function.__self__ is back
    assert back.own(X).tolist() == [2.0, 4.0, 8.0]
    bound = pickle.loads(pickle.dumps(model.predict))
    assert bound(X).tolist() == [2.0, 4.0, 8.0]


def test_options_are_kept():
    f = ag.jit(powers, static_argnums=1, donate_argnums=0)
    for g in (pickle.loads(pickle.dumps(f)), copy.deepcopy(ag.jit(Powers(), static_argnames="n"))):
        assert g(2.0, 3) == 7.0
    assert pickle.loads(pickle.dumps(f)).donate_argnums == (0,)


def powers(x, n):
    return sum(x**k for k in range(n))


class Powers:
    __name__ = "powers"

    def __call__(self, x, n):
        return powers(x, n)


SENDER = """
import numpy as np, ag, sys

@ag.jit
def f(x):
    return x * scale

scale = 2.0

class Model:
    @ag.jit
    def g(self, x):
        return x + 1

def send(pickle):
    model = Model()
    f(np.ones(2)), model.g(np.ones(2))
    sys.stdout.buffer.write(pickle.dumps((f, model.g)))

if __name__ == "__main__":
    import cloudpickle
    send(cloudpickle)
"""


@pytest.mark.parametrize("name", ["pickle", "cloudpickle"])
def test_to_another_process(name, tmp_path, monkeypatch):
    """By name, of a module that both can import; and by value, of a script, with cloudpickle."""
    pytest.importorskip(name)
    (tmp_path / "sender_of_functions.py").write_text(SENDER)
    by_name = ["-c", "import pickle, sender_of_functions; sender_of_functions.send(pickle)"]
    path = os.pathsep.join([str(Path(ag.__file__).parents[1]), str(tmp_path)])
    sent = subprocess.run(
        [sys.executable, *(by_name if name == "pickle" else ["sender_of_functions.py"])], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=True,
    )  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    f, g = pickle.loads(sent.stdout)
    assert f(np.ones(3)).tolist() == [2.0] * 3
    assert g(np.ones(3)).tolist() == [2.0] * 3

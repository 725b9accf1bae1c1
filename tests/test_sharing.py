"""Kernels that several threads share."""

import os
import subprocess
import sys

import numpy as np
import pytest

import ag
from ag.compiler.kernels import sharing
from ag.compiler.machine import workers
from ag.transforms.containers import leaves
from side_by_side import run_side_by_side

pytest.importorskip("llvmlite")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are for Linux")


def layer_norm(x, w):
    mean = x.mean(-1, keepdims=True)
    spread = np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + 1e-5)
    return np.sum(((x - mean) / spread * w) ** 2)


def batch_norm(x, w):
    return np.sum(((x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) * w) ** 3)


def nearest(x, w):
    return np.min(((x[:, None, :5] - w[:15].reshape(3, 5)) ** 2).sum(-1), axis=1).sum()


def logistic(x, w):
    return np.sum(np.log1p(np.exp(-x)) * w)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("f", [layer_norm, batch_norm, nearest, logistic])
def test_every_number_of_threads_gives_the_same(f, dtype, monkeypatch):
    monkeypatch.setattr(sharing, "WORTH", 50_000.0)  # so that small programs are shared
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(3001, 131)).astype(dtype), rng.normal(size=131).astype(dtype)
    both = ag.value_and_grad(f, (0, 1))
    exact = leaves(both(x.astype(float), w.astype(float)))
    shared = []
    for threads in (1, 2, 3, 5):
        monkeypatch.setenv("AG_THREADS", str(threads))
        compiled = ag.jit(both)
        results = leaves(compiled(x, w))
        for again, first in zip(leaves(compiled(x, w)), results, strict=True):
            np.testing.assert_array_equal(again, first)  # the same to the bit, call for call
        for y, z in zip(results, exact, strict=True):
            np.testing.assert_allclose(y, z, rtol=0, atol=(1e-4 if dtype == np.float32 else 1e-11) * np.abs(z).max())
        shared.append(compiled.entry(x, w).run.assembler.is_shared)
    assert shared == [False, True, True, True]


def test_small_programs_are_not_shared(monkeypatch):
    monkeypatch.setenv("AG_THREADS", "2")
    f = ag.jit(lambda x: np.exp(x).sum())
    f(np.ones(100))
    assert not f.entry(np.ones(100)).run.assembler.is_shared


def test_what_is_added_one_after_another_is_not_shared(monkeypatch):
    monkeypatch.setenv("AG_THREADS", "2")
    monkeypatch.setattr(sharing, "WORTH", 0.0)
    rng = np.random.default_rng(0)
    i, v = rng.integers(0, 3, 3000), rng.integers(0, 9, (3000, 20)).astype(float)
    f = ag.jit(lambda v, i: ag.Tensor(np.zeros((3, 20))).at[i].add(v))
    expected = np.zeros((3, 20))
    np.add.at(expected, i, v)
    np.testing.assert_array_equal(f(v, i), expected)


def test_python_threads_and_children(monkeypatch):
    monkeypatch.setenv("AG_THREADS", "2")
    x = np.random.default_rng(0).normal(size=(2000, 500))
    f = ag.jit(lambda x: np.tanh(x).sum())
    expected = f(x)
    assert f.entry(x).run.assembler.is_shared
    results = []
    run_side_by_side(*[lambda: results.extend(f(x) for _ in range(5))] * 3)
    assert results == [expected] * 15
    child = os.fork()
    if not child:  # where no worker lives
        os._exit(int(f(x) != expected))
    assert os.waitpid(child, 0)[1] == 0


def test_threads_are_begun_once(tmp_path):
    """Whatever the number is changed to, and in a child that begins its own."""
    program = tmp_path / "program.py"
    program.write_text("""
import os, numpy as np, ag
from ag.compiler.kernels import sharing
sharing.WORTH = 50_000.0
x = np.random.default_rng(0).normal(size=(3001, 131))
def call(threads):
    os.environ["AG_THREADS"] = str(threads)
    result = ag.jit(lambda x: np.sum(np.log1p(np.exp(-x)), axis=0))(x)
    return result.tobytes(), len(os.listdir("/proc/self/task"))
first = {threads: call(threads)[0] for threads in (2, 5, 3)}
before = len(os.listdir("/proc/self/task"))
for threads in (2, 3, 5, 2, 4, 5):
    result, tasks = call(threads)
    assert tasks == before and first.setdefault(threads, result) == result
child = os.fork()
if not child:
    alone = call(5)[0] == first[5]
    new = call(6)
    os._exit(0 if alone and new[1] == 6 else 1)
assert os.waitpid(child, 0)[1] == 0
assert call(6)[1] == before + 1
""")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    subprocess.run([sys.executable, program], env=environment, check=True, timeout=300)


def test_first_calls_by_several_threads():
    """They make one library between them, with the threads that live in it."""
    program = """
import numpy as np, ag, threading
x = np.ones(800_000)
f = ag.jit(lambda x: np.tanh(x) * 2)
callers = [threading.Thread(target=f, args=(x,)) for _ in range(4)]
for caller in callers: caller.start()
for caller in callers: caller.join()
assert (f(x) == 2 * np.tanh(1.0)).all()
"""
    environment = {**os.environ, "AG_THREADS": "2", "AG_CACHE_DIR": ""}
    for _ in range(3):
        subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)


def test_how_many_threads(monkeypatch):
    monkeypatch.setenv("AG_THREADS", "3")
    assert workers.count() == 3
    monkeypatch.setenv("AG_THREADS", "many")
    with pytest.raises(ValueError, match="AG_THREADS is a number of threads"):
        workers.count()
    monkeypatch.delenv("AG_THREADS")
    assert 1 <= workers.count() <= workers.MOST


def test_a_process_ends_though_workers_sleep():
    program = "import ag, numpy as np; print(ag.jit(lambda x: np.tanh(x).sum())(np.zeros((2000, 500))))"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "AG_THREADS": "2"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "0.0\n", done.stderr

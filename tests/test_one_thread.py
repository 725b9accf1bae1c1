"""Small products by one thread of BLAS: for whom, for how long, and that nothing of it is left behind."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import ag
from ag.compiler.machine import native
from ag.compiler.machine.one_thread import OPENBLAS, SMALL, OneThread, for_products
from ag.learn import LinearClassifier
from side_by_side import run_side_by_side

needs_openblas = pytest.mark.skipif(OPENBLAS is None, reason="NumPy was built with another BLAS")


class Counted:
    """A library with a count of threads."""

    def __init__(self, threads):
        self.threads = threads

    def count(self):
        return self.threads

    def set_count(self, n):
        self.threads = n


@pytest.fixture
def library():
    return Counted(6)


@pytest.fixture
def one(library):
    return OneThread(library.count, library.set_count)


@pytest.fixture
def three_threads():
    """NumPy's own library, which computes by three threads, however many cores there are."""
    before = OPENBLAS.count()
    OPENBLAS.set_count(3)
    yield
    OPENBLAS.set_count(before)


def test_one_inside_and_as_many_as_before_outside(library, one):
    for before in (6, 1, 4):
        library.threads = before
        with one:
            assert library.threads == 1
        assert library.threads == before
    with pytest.raises(ZeroDivisionError), one:
        raise ZeroDivisionError
    assert library.threads == 4


def test_the_last_that_leaves_sets_the_count_back(library, one):
    """Two threads of Python: the second enters while the first is inside, and leaves after it."""
    first, second, left = threading.Event(), threading.Event(), threading.Event()
    seen = []

    def begins_first():
        with one:
            first.set()
            assert second.wait(10)
        seen.append(library.threads)
        left.set()

    def ends_last():
        assert first.wait(10)
        with one:
            second.set()
            assert left.wait(10)
            seen.append(library.threads)

    run_side_by_side(begins_first, ends_last)
    assert seen == [1, 1] and library.threads == 6


def test_many_threads_in_any_order(library, one):
    def enter():
        for _ in range(300):
            with one:
                assert library.threads == 1

    run_side_by_side(*[enter] * 4)
    assert library.threads == 6


@pytest.mark.parametrize("place", ["count", "set_count"])
def test_who_was_interrupted_while_entering(library, one, place):
    """Before the count was set, and after it."""
    plain = getattr(one, place)

    def interrupted(*given):
        setattr(one, place, plain)
        plain(*given)
        raise KeyboardInterrupt

    setattr(one, place, interrupted)
    with pytest.raises(KeyboardInterrupt):
        one.__enter__()
    one.leave()
    assert library.threads == 6
    with one:
        assert library.threads == 1
    assert library.threads == 6


def test_to_leave_what_others_are_inside_of(library, one):
    with one:
        run_side_by_side(one.leave)
        assert library.threads == 1
    library.threads = 5
    one.leave()
    assert library.threads == 5


@needs_openblas
def test_the_count_is_that_of_numpys_library(three_threads):
    assert native.blas_threads() == 3
    with for_products(SMALL) as products:
        assert native.blas_threads() == 3
        with products:
            assert native.blas_threads() == 1
        assert native.blas_threads() == 3
    with for_products(SMALL + 1) as products, products:
        assert native.blas_threads() == 3


@needs_openblas
@pytest.mark.parametrize("batch_size, threads", [(128, {1}), (4000, {1}), (60_000, {3})])
def test_training_by_small_batches_takes_one_thread(three_threads, monkeypatch, batch_size, threads):
    """For the batches alone: evaluations, and the user's callback, compute as ever."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(9000, 40)), rng.integers(0, 20, 9000)
    inside, outside = [], []
    loss = LinearClassifier._loss

    def spied(self, *given):
        inside.append(native.blas_threads())
        return loss(self, *given)

    monkeypatch.setattr(LinearClassifier, "_loss", spied)
    callback = lambda *_: outside.append(native.blas_threads())  # noqa: E731
    LinearClassifier(epochs=2, batch_size=batch_size, callback=callback).fit(X, y)
    assert set(inside) == threads and outside == [3, 3] and native.blas_threads() == 3


@needs_openblas
def test_an_interrupted_training_leaves_the_count(three_threads, monkeypatch):
    def interrupt(*given):
        assert native.blas_threads() == 1
        raise KeyboardInterrupt

    monkeypatch.setattr(LinearClassifier, "_loss", interrupt)
    data = ag.datasets.digits()
    with pytest.raises(KeyboardInterrupt):
        LinearClassifier().fit(data.X_train, data.y_train)
    assert native.blas_threads() == 3


FORKED = """
import os, threading
from ag.compiler.machine.one_thread import OPENBLAS
OPENBLAS.set_count(3)
inside, done = threading.Event(), threading.Event()

def enter():
    with OPENBLAS:
        inside.set()
        done.wait(10)

thread = threading.Thread(target=enter)
thread.start()
inside.wait(10)
child = os.fork()
if not child:
    with OPENBLAS:
        small = OPENBLAS.count()
    os._exit(10 * small + OPENBLAS.count())
done.set()
thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), OPENBLAS.count())
"""


@needs_openblas
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes begin anew")
def test_a_child_of_a_process_in_which_another_thread_is_inside():
    """It computes by three threads, in small products by one, and so does its parent."""
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], capture_output=True, text=True, timeout=60)
    assert result.stdout.split() == ["13", "3"], result.stderr

"""What a lock can't prevent is found when it is looked for."""

import numpy as np
import pytest

import ag

LARGE = 10_000


@pytest.mark.parametrize("leaf", [True, False])
def test_a_write_through_an_older_view_is_found_under_debug(leaf):
    a = np.ones(LARGE)
    view = a[:]
    with ag.debug():
        x = ag.Tensor(a, label="x") if leaf else ag.Tensor(np.ones(LARGE), label="x")
        y = (x * x).sum() if leaf else (x * a).sum()
        y.backward()
        view[3] = 5.0
        with pytest.raises(RuntimeError, match=r"array of shape \(10000,\).*was changed after it entered the graph.*give the graph a copy"):
            y.backward()


def test_debug_says_nothing_of_what_did_not_change():
    a = np.arange(2.0 * LARGE).reshape(2, LARGE).T  # not contiguous
    with ag.debug():
        x = ag.Tensor(a)
        y = (x * a).sum()
        y.backward()
    np.testing.assert_array_equal(x.grad, a)
    del x, y
    a[0, 0] = 1.0  # and the lock is gone


def test_without_debug_nothing_is_looked_for():
    a = np.ones(LARGE)
    view = a[:]
    x = ag.Tensor(a)
    y = x.sum()
    view[0] = 2.0
    y.backward()
    assert (x.grad == 1.0).all()


@pytest.mark.parametrize("jacobian", [ag.jacfwd, ag.jacrev, lambda f: ag.vmap(ag.grad(lambda x: f(x).sum()), axis_size=2)])
def test_a_batch_of_directions_is_looked_at_one_by_one(jacobian):
    x = np.array([[1.0, 0.0], [2.0, 3.0]])
    with np.errstate(divide="ignore"), pytest.raises(FloatingPointError, match="sqrt"), ag.debug():
        jacobian(lambda x: ag.sqrt(x))(x)
    with ag.debug():
        jacobian(lambda x: ag.sqrt(x + 1.0))(x)


def test_what_is_left_of_a_recording_is_no_result():
    kept = []
    with ag.debug():
        ag.jit(lambda x: kept.append(ag.Tensor(x) * 2))(np.ones(2))
    assert len(kept) == 1

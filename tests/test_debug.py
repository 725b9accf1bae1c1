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


def distance(x):
    return np.sqrt((x * x).sum())


def test_compiled_derivatives_that_are_not_finite_raise_as_others_do():
    plain, compiled = ag.grad(distance), ag.jit(ag.grad(distance))
    assert np.isnan(compiled(np.zeros(2))).all()
    for f in (compiled, ag.jit(ag.value_and_grad(distance)), ag.jit(ag.jacobian(distance))):
        with ag.debug():
            with pytest.raises(FloatingPointError) as raised:
                f(np.zeros(2))
            with pytest.raises(FloatingPointError) as expected:
                plain(np.zeros(2))
        assert str(raised.value).splitlines()[0] == str(expected.value).splitlines()[0]
        assert "np.sqrt((x * x).sum())" in str(raised.value)
    with ag.debug():
        np.testing.assert_allclose(compiled(np.array([3.0, 4.0])), [0.6, 0.8], rtol=1e-15)


def test_compiled_values_that_are_not_finite_are_no_error():
    """As eagerly: what is not differentiated may be infinite."""
    f = ag.jit(lambda x: (1 / x, "text", 3))
    with ag.debug(), np.errstate(divide="ignore"):
        assert f(np.zeros(1))[0] == np.inf


def test_a_compiled_result_of_arguments_that_were_given_up():
    f = ag.jit(lambda x: x / x, donate_argnums=0)
    with ag.debug(), pytest.warns(UserWarning, match="a result of function is not finite.* compile it without donate_argnums"):
        assert np.isnan(f(np.zeros(1)))

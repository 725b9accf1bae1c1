"""Results in the memory of arguments that are given up."""

import numpy as np
import pytest

import ag

pytest.importorskip("llvmlite")


def test_an_update_is_made_in_place():
    step = ag.jit(lambda w, g: w - 0.1 * g, donate_argnums=0)
    w, g = np.ones((3, 4)), np.full((3, 4), 2.0)
    new = step(w, g)
    assert new is w
    np.testing.assert_allclose(w, 0.8)
    kept = np.ones((3, 4))
    assert ag.jit(lambda w, g: w - 0.1 * g)(kept, g) is not kept


@pytest.mark.parametrize("f", [
    lambda w: w.T + w, lambda w: w[::-1] * 2, lambda w: w - w.mean(), lambda w: w @ w, lambda w: w + w.sum(0), lambda w: np.take(w, [2, 0, 1], 0),
    lambda w: np.roll(w, 1, 0) + w, lambda w: w - w.max(1, keepdims=True),
])  # fmt: skip
def test_what_is_still_needed_is_not_overwritten(f):
    w = np.random.default_rng(0).normal(size=(3, 3))
    expected = f(w)
    np.testing.assert_allclose(ag.jit(f, donate_argnums=0)(w.copy()), expected, rtol=1e-14, atol=1e-15)


def test_several_results_and_arguments():
    f = ag.jit(lambda a, b: (a - b, a * b), donate_argnums=(0, 1))
    a, b = np.ones(5), np.full(5, 2.0)
    x, y = f(a, b)
    assert x is a and y is b
    np.testing.assert_array_equal(x, -1.0)
    np.testing.assert_array_equal(y, 2.0)


def _written_before_it_is_read(w, v):
    return v + 1, w * 2


def _computed_again_in_a_later_stage(w, v):
    centred = w - w.max(1, keepdims=True)
    doubled = centred * 2
    return doubled, centred + doubled.sum(1, keepdims=True)


@pytest.mark.parametrize("f", [
    _written_before_it_is_read, _computed_again_in_a_later_stage, lambda w, v: (v + 1, (w * 2).sum()), lambda w, v: (v * 2, v.sum()),
    lambda w, v: (np.exp(v), np.concatenate([w, w])), lambda w, v: (ag.softmax(w), w + v), lambda w, v: (w * 2, w + 1, w.sum()),
])  # fmt: skip
def test_results_beside_one_in_the_place_of_an_argument(f):
    w, v = np.random.default_rng(0).normal(size=(2, 40, 64))
    expected = f(w.copy(), v)
    for actual, e in zip(ag.jit(f, donate_argnums=0)(w.copy(), v), expected, strict=True):
        np.testing.assert_allclose(actual, e, rtol=1e-13)


def test_a_result_that_later_stages_read_takes_the_place_of_what_they_do_not_read():
    f = ag.jit(lambda w: (np.exp(w), np.exp(w) / np.exp(w).sum(1, keepdims=True)), donate_argnums=0)
    w = np.random.default_rng(0).normal(size=(40, 64))
    expected = np.exp(w)
    exponentials, shares = f(w)
    assert exponentials is w
    np.testing.assert_allclose(exponentials, expected, rtol=1e-14)
    np.testing.assert_allclose(shares, expected / expected.sum(1, keepdims=True), rtol=1e-13)


def test_one_array_given_twice_is_not_overwritten():
    f = ag.jit(lambda a, b: (a - b, a * b), donate_argnums=(0, 1))
    x = np.full(5, 3.0)
    difference, product = f(x, x)
    assert difference is not x and product is not x
    np.testing.assert_array_equal(product, 9.0)
    whole = np.arange(10.0)
    f(whole[:5], whole[5:])  # parts of one array lie apart


def test_what_can_not_be_written_is_left():
    f = ag.jit(lambda w: w * 2, donate_argnums=0)
    w = np.ones(4)
    w.flags.writeable = False
    np.testing.assert_array_equal(f(w), 2.0)
    np.testing.assert_array_equal(w, 1.0)
    w = np.ones((4, 4))[:, 0]
    np.testing.assert_array_equal(ag.jit(lambda w: w * 2, donate_argnums=0)(w), 2.0)


def test_a_program_that_may_be_declined_keeps_its_arguments():
    f = ag.jit(ag.grad(lambda w: ag.where(w > 0, ag.sqrt(w), 0.0).sum()), donate_argnums=0)
    w = np.array([0.0, 4.0, -1.0])
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(f(w), [0.0, 0.25, 0.0])
    np.testing.assert_array_equal(w, [0.0, 4.0, -1.0])

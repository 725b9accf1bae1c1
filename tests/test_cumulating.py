"""Running sums in machine code, against NumPy's."""

import numpy as np
import pytest

import ag

pytest.importorskip("llvmlite")

FORMS = {
    "of an array": lambda x, axis: np.cumsum(x, axis=axis),
    "from the end": lambda x, axis: np.flip(np.cumsum(np.flip(x, axis), axis=axis), axis),
    "of a transpose": lambda x, axis: np.cumsum(x.T, axis=x.ndim - 1 - axis),
    "of what is computed": lambda x, axis: np.cumsum(x[..., ::-1] * 2, axis=axis),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(5,), (1,), (3, 50), (17, 33), (4, 5, 6), (9, 1), (20, 300)])
def test_along_each_axis(shape, form, dtype):
    x = (np.random.default_rng(0).normal(size=shape) * 10).astype(dtype)
    for axis in range(len(shape)):
        result, expected = ag.jit(lambda x, axis=axis: FORMS[form](x, axis))(x), FORMS[form](x, axis)
        assert result.dtype == expected.dtype
        np.testing.assert_array_equal(result, expected)  # the same additions in the same order


def test_what_is_not_finite():
    x = np.array([[1.0, np.inf, -np.inf, 2.0], [-0.0, -0.0, np.nan, 1.0]])
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(ag.jit(lambda x: np.cumsum(x, axis=1))(x), np.cumsum(x, axis=1))


@pytest.mark.parametrize("exponent", [3, 4])
def test_small_powers_are_products(exponent):
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-150, 5e-324, 1e200, 2.5, -1.1])
    with np.errstate(over="ignore"):
        result, expected = ag.jit(lambda x: x**exponent)(x), x**exponent
    np.testing.assert_allclose(result, expected, rtol=4e-16, atol=0)
    assert (np.signbit(result) == np.signbit(expected)).all()

"""Compiled functions give NumPy's numbers: its dtypes, its special values, and sums as exact as its own."""

import numpy as np
import pytest

import ag
from ag.compiler import executable
from ag.compiler.machine import native
from ag.node import Operand
from ag.traced import Traced

pytestmark = pytest.mark.filterwarnings("ignore:ag.jit runs programs through NumPy")


@pytest.fixture(params=["machine code", "numpy"], autouse=True)
def way(request, monkeypatch):
    """How programs are run."""
    monkeypatch.setenv("AG_CACHE_DIR", "")
    if request.param == "numpy":
        monkeypatch.setattr(native, "available", lambda: False)
    elif not native.available():
        pytest.skip("llvmlite is missing")
    return request.param


def compiled(f, *args):
    """The result of f compiled, computed by its program and not by f itself."""
    g = ag.jit(f)
    result = g(*args)
    assert g.entry(*args)(ag.transforms.containers.leaves(args)) is not executable.DECLINED
    return result


def same(found, expected):
    """Equal in shape, dtype and every bit that is not that of a nan's sign."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(found, expected)
    if expected.dtype.kind == "f":
        kept = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(found)[kept], np.signbit(expected)[kept])


def test_no_attribute_of_a_traced_value_hides_a_method():
    methods = {name for face in Operand.__mro__ for name in vars(face)}
    assert not methods & {"recorded_by", "number", "weak"}
    assert set(Traced.__slots__) == {"recorded_by", "number", "weak", "shape", "dtype"}
    x = np.arange(6.0).reshape(2, 3)
    assert compiled(lambda x: x.trace(), x) == x.trace()
    assert compiled(lambda x: x.trace(offset=1), x) == x.trace(offset=1)

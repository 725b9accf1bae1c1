"""Every function of the table under `ag.jit` has the dtype and the values that NumPy's function has, of integers and truths too.

The programs run through NumPy here, which costs no compiling: what is tested is what was recorded.
"""

import numpy as np
import pytest

import ag
from ag.compiler.machine import native
from ag.operators.table import COMPOSITES, TABLE
from ag.transforms.containers import leaves, rebuilt
from test_table import samples
from test_tracing import refused

pytestmark = pytest.mark.filterwarnings("ignore")
# NumPy asks its full_like for the array alone what it is, not for the number; its row_stack is on the way out.
NAMES = sorted(name for name, row in {**TABLE, **COMPOSITES}.items() if row.numpy and name not in ("full_like", "vstack"))

# What differs: NumPy's polynomials lose leading zeros, of which truths have many; and where it raises by an accident of its own
# implementation, or computes something else of truths than of the same numbers.
NOT_OF_TRUTHS = {"polydiv", "polymul", "polyfit", "interp", "lstsq", "histogram", "quantile", "nanquantile"}


@pytest.fixture(autouse=True)
def by_numpy(monkeypatch):
    monkeypatch.setattr(native, "available", lambda: False)


def cast(x, dtype):
    """Floats as numbers of another dtype, some of which are as large as others."""
    if dtype is bool:
        return x > np.median(x) if x.size else x.astype(bool)
    x = np.round(np.where(np.isfinite(x), 3 * x, 5))
    return (np.abs(x) if np.dtype(dtype).kind == "u" else x).astype(dtype)


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, bool])
def test_integers_and_truths(dtype):
    compared = 0
    for name in NAMES:
        row = {**TABLE, **COMPOSITES}[name]
        if dtype is bool and name in NOT_OF_TRUTHS:
            continue
        for f in row.numpy:
            for k, (args, params) in enumerate(samples(row)[:3]):
                if refused(name, k):
                    continue
                ends = leaves(list(args))
                places = [i for i, x in enumerate(ends) if isinstance(x, (float, np.ndarray)) and np.asarray(x).dtype.kind == "f"]
                arrays = [np.asarray(cast(np.asarray(ends[i]), dtype))[()] for i in places]

                def call(*arrays, f=f, args=args, ends=ends, places=places, params=params):
                    own = dict(zip(places, arrays, strict=True))
                    return f(*rebuilt(list(args), [own.get(i, x) for i, x in enumerate(ends)]), **params)

                try:
                    with np.errstate(all="ignore"):
                        expected = call(*arrays)
                except Exception:  # NumPy does not take them
                    continue
                with np.errstate(all="ignore"):
                    found = ag.jit(call)(*arrays)
                for x, y in zip(leaves(found), leaves(expected), strict=True):
                    x, y = np.asarray(x), np.asarray(y)
                    assert (x.shape, x.dtype) == (y.shape, y.dtype), (f, k)
                    scale = np.max(np.abs(np.where(np.isfinite(y), y, 0)), initial=0) if y.dtype.kind in "fc" else 0
                    eps = np.finfo(y.dtype).eps if y.dtype.kind in "fc" else 0
                    np.testing.assert_allclose(x, y, rtol=100 * eps, atol=1000 * eps * max(1, scale), err_msg=f"{f} {k}")
                    compared += 1
    assert compared > 300

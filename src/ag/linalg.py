"""Linear algebra: the functions of ``numpy.linalg``, differentiable. NumPy's own do the same on nodes, ``np.linalg.solve(A, b)``.

Of ``scipy.linalg`` there are ``cho_factor``, ``cho_solve``, ``expm``, ``logm``, ``solve_banded``, ``solve_sylvester``,
``solve_triangular`` and ``sqrtm``; SciPy's own can't take nodes. Four of them need SciPy (the extra ``learn``): logm,
solve_banded, solve_sylvester, sqrtm.

>>> ag.grad(ag.linalg.det)(np.array([[2.0, 1.0], [0.0, 3.0]]))
array([[ 3.,  0.],
       [-1.,  2.]])
"""

from numpy.linalg import LinAlgError

from .operators.banded import solve_banded
from .operators.eigenvalues import eig, eigvals
from .operators.factors import cholesky, qr
from .operators.matrices import (
    cond,
    matrix_diagonal as diagonal,
    matrix_norm,
    matrix_rank,
    matrix_trace as trace,
    vector_cross as cross,
    vector_norm,
    vector_outer as outer,
)
from .operators.matrix_functions import cho_factor, cho_solve, expm, logm, solve_sylvester, solve_triangular, sqrtm
from .operators.products import matmul, tensordot, vecdot
from .operators.reductions import numpy_norm as norm
from .operators.shaping import matrix_transpose
from .operators.solving import det, inv, lstsq, matrix_power, multi_dot, pinv, slogdet, solve, tensorinv, tensorsolve
from .operators.spectra import eigh, eigvalsh, svd, svdvals

__all__ = [
    "LinAlgError", "cho_factor", "cho_solve", "cholesky", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals",
    "eigvalsh", "expm", "inv", "logm", "lstsq", "matmul", "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose",
    "multi_dot", "norm", "outer", "pinv", "qr", "slogdet", "solve", "solve_banded", "solve_sylvester", "solve_triangular",
    "sqrtm", "svd", "svdvals", "tensordot", "tensorinv", "tensorsolve", "trace", "vecdot", "vector_norm",
]  # fmt: skip

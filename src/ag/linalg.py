"""Linear algebra: the functions of ``numpy.linalg``, differentiable. NumPy's own do the same on nodes, ``np.linalg.solve(A, b)``.

>>> ag.grad(ag.linalg.det)(np.array([[2.0, 1.0], [0.0, 3.0]]))
array([[ 3.,  0.],
       [-1.,  2.]])
"""

from numpy.linalg import LinAlgError

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
from .operators.products import matmul, tensordot, vecdot
from .operators.reductions import numpy_norm as norm
from .operators.shaping import matrix_transpose
from .operators.solving import det, inv, lstsq, matrix_power, multi_dot, pinv, slogdet, solve, tensorinv, tensorsolve
from .operators.spectra import eigh, eigvalsh, svd, svdvals

__all__ = [
    "LinAlgError", "cholesky", "cond", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "lstsq", "matmul", "matrix_norm",
    "matrix_power", "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "qr", "slogdet", "solve", "svd",
    "svdvals", "tensordot", "tensorinv", "tensorsolve", "trace", "vecdot", "vector_norm",
]  # fmt: skip

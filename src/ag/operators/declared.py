"""NumPy's functions without a derivative give plain results: indices, counts, truth values, integers, shapes, texts."""

from __future__ import annotations

from .table import constant_of, of_numpy

PLAIN = (
    "count_nonzero", "array_equal", "allclose", "isclose", "shape", "ndim", "size", "zeros_like", "ones_like", "empty_like",
    "result_type", "argwhere", "flatnonzero", "lexsort", "ix_", "ravel_multi_index", "unravel_index", "diag_indices_from",
    "tril_indices_from", "triu_indices_from", "array_equiv", "iscomplex", "iscomplexobj", "isreal", "isrealobj", "isscalar",
    "isfortran", "can_cast", "common_type", "min_scalar_type", "may_share_memory", "shares_memory", "broadcast_shapes",
    "bitwise_count", "gcd", "lcm",
    "array2string", "array_repr", "array_str", "einsum_path", "isnat", "packbits", "unpackbits",
)
__all__ = [name for name in PLAIN if of_numpy(name)]
for _name in PLAIN:
    for _f in of_numpy(_name):
        globals()[_name] = constant_of(_name, _f)

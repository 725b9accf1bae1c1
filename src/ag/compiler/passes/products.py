"""Products: sums of Einstein as matrix products, and matrix products of stacks as few large ones.

What comes out has operands of one, two or three axes, with at most a permutation of the last two directly below. The numbers
are those of another order of summation: equal to a few units in the last place, and a 0 may have the other sign.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ...operators.table import TABLE
from ..program import Program, Quantity
from .rewriter import Rewriter, Rules, Value

PRODUCTS = Rules()


def _axes(term: str, letters: Iterable[str]) -> tuple[int, ...]:
    return tuple([term.index(c) - len(term) for c in letters])


def _permuted(w: Rewriter, x: Value, axes: tuple[int, ...]) -> Value:
    return w.new("permute_dims", x, axes=axes)


def _summed(w: Rewriter, x: Value, term: str, letters: str) -> tuple[Value, str]:
    """x summed over these letters, and what is left of its term."""
    if not letters:
        return x, term
    return w.new("sum", x, axis=_axes(term, letters), keepdims=False), "".join([c for c in term if c not in letters])


def _without_ones(w: Rewriter, x: Value, term: str, lengths: dict[str, int]) -> tuple[Value, str]:
    """x without the axes along which it is repeated."""
    shape = w[x].shape
    kept = [i for i, c in enumerate(term) if shape[i] == lengths[c]]
    if len(kept) == len(term):
        return x, term
    return w.new("reshape", x, shape=tuple([shape[i] for i in kept])), "".join([term[i] for i in kept])


@PRODUCTS.add("einsum of one or two operands = sums, permutations and a product", "einsum")
def _einsum(w: Rewriter, q: Quantity) -> Value | None:
    left, _, result = q.params["subscripts"].partition("->")
    terms = left.split(",")
    if len(terms) > 2 or any(len(set(t)) < len(t) for t in (*terms, result)) or q.dtype.kind not in "fc" or q.dtype.itemsize == 2:
        return None
    lengths: dict[str, int] = {}
    for x, term in zip(q.inputs, terms, strict=True):
        for c, n in zip(term, w[x].shape, strict=True):
            lengths[c] = n if lengths.get(c, 1) == 1 else lengths[c]
    if 0 in lengths.values() or any(w[x].weak for x in q.inputs):
        return None
    xs = list(q.inputs)
    for i, term in enumerate(terms):
        xs[i], terms[i] = _without_ones(w, xs[i], term, lengths)
    if len(xs) == 1:
        summed, left = _summed(w, xs[0], terms[0], "".join([c for c in terms[0] if c not in result]))
        return _permuted(w, summed, _axes(left, result))
    if any(c not in result for c in set(terms[0]) ^ set(terms[1])):  # summed first, an inf would not meet each 0 of the other
        return None
    return _of_two(w, xs[0], xs[1], terms[0], terms[1], result, lengths)


def _of_two(w: Rewriter, x: Value, y: Value, s: str, t: str, result: str, lengths: dict[str, int]) -> Value:
    batch = [c for c in result if c in s and c in t]
    left = [c for c in s if c in result and c not in t]
    right = [c for c in t if c in result and c not in s]
    inner = [c for c in s if c in t and c not in result]
    if not inner or (batch and not left and not right):
        spread = [_spread(w, z, term, [*result, *inner], lengths) for z, term in ((x, s), (y, t))]
        product = w.new("multiply", *spread)
        return w.new("sum", product, axis=tuple(range(-len(inner), 0)), keepdims=False) if inner else product
    b, rows, columns, k = [math.prod([lengths[c] for c in letters]) for letters in (batch, left, right, inner)]
    lead = (b,) if batch else ()
    first = _matrix(w, x, s, (batch, left, inner), (*lead, rows, k)) if batch or left else _grouped(w, x, s, (inner,), (k,))
    second = _matrix(w, y, t, (batch, inner, right), (*lead, k, columns)) if batch or right else _grouped(w, y, t, (inner,), (k,))
    letters = [*batch, *left, *right]
    shaped = w.new("reshape", w.new("matmul", first, second), shape=tuple([lengths[c] for c in letters]))
    return _permuted(w, shaped, _axes("".join(letters), result))


def _grouped(w: Rewriter, x: Value, term: str, groups: Any, shape: tuple[int, ...]) -> Value:
    """x with its axes in the order of the groups of letters, each group as one axis."""
    return w.new("reshape", _permuted(w, x, _axes(term, [c for group in groups for c in group])), shape=shape)


def _matrix(w: Rewriter, x: Value, term: str, groups: Any, shape: tuple[int, ...]) -> Value:
    """The same for (batch, rows, columns), as a transposed matrix where x lies so."""
    batch, rows, columns = groups
    if [*term] == [*batch, *columns, *rows] and rows and columns:
        flat = w.new("reshape", x, shape=(*shape[:-2], shape[-1], shape[-2]))
        return _transposed(w, flat)
    return _grouped(w, x, term, groups, shape)


def _spread(w: Rewriter, x: Value, term: str, letters: list[str], lengths: dict[str, int]) -> Value:
    """x with an axis for each of the letters, of length 1 where it has none, but for leading ones."""
    own = [c for c in letters if c in term]
    shape = tuple([lengths[c] if c in term else 1 for c in letters[letters.index(own[0]) :]]) if own else ()
    return w.new("reshape", _permuted(w, x, _axes(term, own)), shape=shape)


def _transposed(w: Rewriter, x: Value) -> Value:
    n = len(w[x].shape)
    return _permuted(w, x, (*range(-n, -2), -1, -2))


def _stacked(w: Rewriter, x: Value, shape: tuple[int, ...]) -> Value:
    """A stack of matrices in another shape, with a permutation of the last two axes kept outside."""
    n = len(w[x].shape)
    below = w.made_by(x, "permute_dims")
    if below is not None and len(shape) > 2 and below.params["axes"] == (*range(-n, -2), -1, -2):
        return _transposed(w, w.new("reshape", below.inputs[0], shape=(*shape[:-2], shape[-1], shape[-2])))
    return w.new("reshape", x, shape=shape)


@PRODUCTS.add("a column times a row = their elements' products, broadcast", "matmul")
def _outer(w: Rewriter, q: Quantity) -> Value | None:
    x, y = q.inputs
    if len(w[x].shape) > 1 and len(w[y].shape) > 1 and w[x].shape[-1] == 1 and q.dtype.kind != "b" and q.size:
        return w.new("multiply", x, y)
    return None


@PRODUCTS.add("a stack of matrices times one matrix or vector = all their rows times it", "matmul")
def _of_rows(w: Rewriter, q: Quantity) -> Value | None:
    x, y = q.inputs
    shape, other = w[x].shape, w[y].shape
    if len(shape) < 3 or len(other) > 2 or 0 in shape + other:
        return None
    rows = w.new("reshape", x, shape=(math.prod(shape[:-1]), shape[-1]))
    return w.new("reshape", w.new("matmul", rows, y), shape=q.shape)


@PRODUCTS.add("a row times a column = the sum of their elements' products", "matmul")
def _of_row_and_column(w: Rewriter, q: Quantity) -> Value | None:
    shapes = [w[x].shape for x in q.inputs]
    if not _is_of_rows_and_columns(*shapes) or str(q.dtype) not in ("float64", "float32") or 0 in (*shapes[0], *shapes[1]):
        return None  # a sum is added up in twice the precision, as a BLAS does it for vectors alone, and not for long ones
    lines = [w.new("reshape", x, shape=(*shape[:-2], math.prod(shape[-2:]))) for x, shape in zip(q.inputs, shapes, strict=True)]
    return w.new("reshape", w.new("sum", w.new("multiply", *lines), axis=(-1,), keepdims=False), shape=q.shape)


def _is_of_rows_and_columns(x: tuple[int, ...], y: tuple[int, ...]) -> bool:
    """Is each product of matrices of these shapes a single number?"""
    return (len(x) == 1 or x[-2] == 1) and (len(y) == 1 or y[-1] == 1)


@PRODUCTS.add("stacks of matrices along many axes = along one", "matmul")
def _of_stacks(w: Rewriter, q: Quantity) -> Value | None:
    x, y = q.inputs
    m, n = w[x].shape, w[y].shape
    if max(len(m), len(n)) < 4 or 0 in m + n or not (m[:-2] == n[:-2] or (len(m) == 2 and len(n) > 3)):
        return None
    lead = math.prod(n[:-2])
    first = x if len(m) == 2 else _stacked(w, x, (lead, *m[-2:]))
    return w.new("reshape", w.new("matmul", first, _stacked(w, y, (lead, *n[-2:]))), shape=q.shape)


EINSUM, MATMUL = TABLE["einsum"], TABLE["matmul"]
PERMUTE = TABLE["permute_dims"]


def is_changed(program: Program) -> bool:
    """Is there a product that one of the rules may be about?"""
    for q in program.quantities:
        if q.op is EINSUM:
            return True
        if q.op is MATMUL:
            shapes = [program.quantities[x].shape for x in q.inputs]
            if max(map(len, shapes)) > 2 or shapes[0][-1] == 1 or _is_of_rows_and_columns(*shapes):
                return True
        if q.op is PERMUTE and type(q.inputs[0]) is int and program.quantities[q.inputs[0]].op is MATMUL:
            return True
    return False


FEW = 12  # rows: a product with no more is computed as it is, and turned afterwards


@PRODUCTS.add("(x.mT @ y).mT = y.mT @ x, for matrices, but for few rows", "permute_dims")
def _turned(w: Rewriter, q: Quantity) -> Value | None:
    product = w.made_by(q.inputs[0], "matmul")
    if product is None or len(q.shape) != 2 or tuple(a % 2 for a in q.params["axes"]) != (1, 0) or product.shape[0] <= FEW:
        return None
    left, y = w.made_by(product.inputs[0], "permute_dims"), product.inputs[1]
    if left is None or len(w[y].shape) != 2 or len(left.shape) != 2:
        return None
    return w.new("matmul", _permuted(w, y, (-1, -2)), left.inputs[0])

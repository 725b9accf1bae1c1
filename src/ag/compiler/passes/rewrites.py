"""Algebraic rewrites: equations that hold to the bit for every number, ±0, ±inf, nan and subnormals among them.

x + 0 = x is none (-0 + 0 is 0), nor is 0 - x = -x; arithmetic of complex numbers has none at all, as inf · 0 spoils them.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ...operators.table import TABLE
from ..abstract import is_elementwise
from ..literals import literal
from ..program import Constant, Quantity
from .equations import equations
from .rewriter import Rewriter, Rules, Value

EXACT = Rules()
ELEMENTWISE = tuple(name for name, op in TABLE.items() if is_elementwise(op))
EXTREMES = ("max", "min", "prod")


# ---------------------------------------------------------------------- constants


@EXACT.add("f(2, 3) = its value, for numbers", *ELEMENTWISE)
def _folded(w: Rewriter, q: Quantity) -> Value | None:
    if type(q.inputs[0]) is not Constant or any(type(x) is not Constant for x in q.inputs):
        return None
    try:
        with np.errstate(all="ignore"):
            value = q.op.plain(tuple([x.value for x in q.inputs]), q.params)
    except (ValueError, ArithmeticError):  # which the call is to raise
        return None
    return Constant(value if q.weak else np.asarray(value)[()])


@EXACT.add("f(broadcast(x), y) = f(x, y), where y has the shape of the result already", *ELEMENTWISE)
def _not_broadcast(w: Rewriter, q: Quantity) -> Value | None:
    inputs = list(q.inputs)
    if len(inputs) < 2:
        return None
    for i, x in enumerate(inputs):
        spread = w.made_by(x, "broadcast_to")
        if spread is not None:
            (source,) = spread.inputs
            if type(source) is Constant:
                source = Constant(spread.dtype.type(source.value))
            shapes = [w[y].shape for j, y in enumerate(inputs) if j != i]
            if not w[source].weak and (q.shape in shapes or np.broadcast_shapes(w[source].shape, *shapes) == q.shape):
                inputs[i] = source
    return w.added(q.of(tuple(inputs))) if tuple(inputs) != q.inputs else None


# ---------------------------------------------------------------------- numbers and choices

equations(EXACT, """
    x * 1 = x
    x - 0 = x
    -(-x) = x
    maximum(x, x) = x
    minimum(x, x) = x
""", "fiub")
equations(EXACT, """
    x / 1 = x
    x + -0.0 = x
""", "f")
equations(EXACT, "x + 0 = x", "iub")
equations(EXACT, """
    x / -1 = -x
    -x * -y = x * y
    -x / -y = x / y
    x ** 0 = 1
    x ** -1 = reciprocal(x)
""", "f", alike=True)
equations(EXACT, """
    x * -1 = -x
    abs(-x) = abs(x)
    abs(abs(x)) = abs(x)
    square(-x) = square(x)
    square(abs(x)) = square(x)
""", "fi", alike=True)
equations(EXACT, """
    x ** 1 = x
    x ** 2 = x * x
""", "fiu", alike=True)
equations(EXACT, """
    x + -y = x - y
    x - -y = x + y
""", "fiuc", alike=True)
equations(EXACT, """
    where(True, x, y) = x
    where(False, x, y) = y
    where(c, x, x) = x
    where(logical_not(c), x, y) = where(c, y, x)
    where(c, where(c, x, y), z) = where(c, x, z)
    where(c, x, where(c, y, z)) = where(c, x, z)
    argument(x) = x
    positive(x) = x
    as_scalar(x) = x
    as_tensor(x) = x
    astype(x) = x
    reshape(x) = x
    broadcast_to(x) = x
""", "fiubc")
equations(EXACT, """
    logical_and(c, True) = c
    logical_and(c, False) = False
    logical_or(c, False) = c
    logical_or(c, True) = True
    logical_not(logical_not(c)) = c
""", "b")


@EXACT.add("x + (v at an index, else 0) = (x + 0) with v added at the index", "add")
def _added_at(w: Rewriter, q: Quantity) -> Value | None:
    if q.dtype.kind != "f":
        return None
    for x, y in (q.inputs, q.inputs[::-1]):
        part = w.made_by(y, "index_add")
        if part is None or len(part.inputs) > 2 or not _is_zero(w.number(part.inputs[0])) or w[x].shape != q.shape:
            continue
        if w[x].dtype != q.dtype:
            continue
        start = x if _starts_with_zeros(w, x) else w.new("add", x, Constant(0.0))
        return w.new("index_add", start, part.inputs[1], **part.params)
    return None


def _starts_with_zeros(w: Rewriter, x: Value) -> bool:
    """Was it made by adding to zeros? Then no element of it is -0."""
    inner = w.made_by(x, "index_add")
    while inner is not None:
        x, inner = inner.inputs[0], w.made_by(inner.inputs[0], "index_add")
    return _is_zero(w.number(x))


def _is_zero(number: Any) -> bool:
    """Is it known to be +0?"""
    return number is not None and bool(number == 0) and math.copysign(1.0, number) > 0


@EXACT.add("x ** 0.5 = sqrt(x), but for float16", "pow")
def _root(w: Rewriter, q: Quantity) -> Value | None:
    half = q.dtype.char in "fd" and not q.weak and w[q.inputs[0]].dtype == q.dtype and w.number(q.inputs[1]) == 0.5
    return w.new("sqrt", q.inputs[0]) if half else None


@EXACT.add("x / c = x · (1 / c), for c a power of two whose inverse is a normal number", "divide")
def _by_power_of_two(w: Rewriter, q: Quantity) -> Value | None:
    x, (y, c) = q.inputs[0], (q.inputs[1], w.number(q.inputs[1]))
    if q.dtype.kind != "f" or w[x].dtype != q.dtype or type(c) in (bool, np.bool_) or c is None:
        return None
    c = c.item() if isinstance(c, np.generic) else c
    if not isinstance(c, (int, float)) or not 2**-200 < abs(c) < 2**200 or abs(math.frexp(c)[0]) != 0.5:
        return None
    limits = np.finfo(q.dtype)
    if abs(c) > limits.max or not limits.smallest_normal <= abs(1.0 / c) <= limits.max:
        return None
    weak = type(y) is Constant and type(y.value) in (int, float)
    return w.new("multiply", x, Constant(1.0 / c if weak else q.dtype.type(1.0 / c)))


# ---------------------------------------------------------------------- dtypes


@EXACT.add("astype(astype(x, d), e) = astype(x, e), where d holds all that x can be", "astype")
def _converted_twice(w: Rewriter, q: Quantity) -> Value | None:
    inner = w.made_by(q.inputs[0], "astype")
    if inner is None or w[inner.inputs[0]].weak:
        return None
    first, middle = w[inner.inputs[0]].dtype, inner.dtype
    digits = {"b": 1, "i": 8 * first.itemsize - 1, "u": 8 * first.itemsize}.get(first.kind, 0)
    holds = np.can_cast(first, middle) and (middle.kind not in "fc" or digits <= np.finfo(middle).nmant)
    if not holds or (first.kind == "f" and q.dtype.kind in "iu"):  # what is too large for an integer is not defined
        return None
    return w.new("astype", inner.inputs[0], dtype=q.dtype)


# ---------------------------------------------------------------------- shapes


@EXACT.add("reshape(reshape(x)) = reshape(x),  broadcast(broadcast(x)) = broadcast(x)", "reshape", "broadcast_to")
def _shaped_twice(w: Rewriter, q: Quantity) -> Value | None:
    inner = w.made_by(q.inputs[0], q.op.name)
    return None if inner is None else w.new(q.op.name, inner.inputs[0], shape=q.shape)


@EXACT.add("a shape or a part of one number repeated = the number repeated", "reshape", "permute_dims", "getitem", "flip", "roll")
def _of_one_number(w: Rewriter, q: Quantity) -> Value | None:
    inner = w.made_by(q.inputs[0], "broadcast_to")
    if inner is None or len(q.inputs) > 1 or w[inner.inputs[0]].size != 1 or len(w[inner.inputs[0]].shape) > len(q.shape):
        return None
    return w.new("broadcast_to", inner.inputs[0], shape=q.shape)


@EXACT.add("permute(permute(x)) = permute(x)", "permute_dims")
def _permuted_twice(w: Rewriter, q: Quantity) -> Value | None:
    inner = w.made_by(q.inputs[0], "permute_dims")
    if inner is None:
        return None
    return w.new("permute_dims", inner.inputs[0], axes=tuple([inner.params["axes"][i] for i in q.params["axes"]]))


@EXACT.add("a permutation that moves only axes of length 1 = a reshape", "permute_dims")
def _not_moved(w: Rewriter, q: Quantity) -> Value | None:
    shape = w[q.inputs[0]].shape
    moved = [i for i in q.params["axes"] if shape[i] != 1]
    return w.new("reshape", q.inputs[0], shape=q.shape) if moved == sorted(moved) else None


@EXACT.add("a part of the whole of x = x;  a part of concat or stack within one piece = that part of the piece", "getitem")
def _piece(w: Rewriter, q: Quantity) -> Value | None:
    source = q.inputs[0]
    index = _along_axes(q.params["template"], w[source].shape)
    if index is None:
        return None
    if index == [slice(0, n, 1) for n in w[source].shape]:
        return source
    stacked = w.made_by(source, "stack")
    joined = stacked or w.made_by(source, "concat")
    if joined is None:
        return None
    axis = joined.params["axis"] + len(index)
    at = index[axis]
    if stacked is not None:
        return None if isinstance(at, slice) else _part(w, stacked.inputs[at], index[:axis] + index[axis + 1 :])
    start = 0
    for x in joined.inputs:
        n = w[x].shape[axis]
        if isinstance(at, slice):
            if at.step == 1 and start <= at.start < at.stop <= start + n:
                return _part(w, x, [*index[:axis], slice(at.start - start, at.stop - start, 1), *index[axis + 1 :]])
        elif start <= at < start + n:
            return _part(w, x, [*index[:axis], at - start, *index[axis + 1 :]])
        start += n
    return None


def _along_axes(template: tuple[Any, ...], shape: tuple[int, ...]) -> list[Any] | None:
    """For each axis the integer or the slice that an index takes there, counted from 0; None for other indices."""
    if any(type(part) is not int and type(part) is not slice and part is not Ellipsis for part in template):
        return None
    at = template.index(...) if ... in template else len(template)
    missing = len(shape) - len(template) + (... in template)
    parts = [*template[:at], *[slice(None)] * missing, *template[at + 1 :]]
    if any(type(part) is slice and (part.step or 1) < 0 for part in parts):  # whose end can't be counted from 0
        return None
    return [
        slice(*part.indices(n)) if type(part) is slice else part % n
        for part, n in zip(parts, shape, strict=True)
    ]


def _part(w: Rewriter, x: Value, index: list[Any]) -> Value:
    if type(x) is Constant or not index:
        return x
    return w.new("getitem", x, template=tuple([_open(i, n) for i, n in zip(index, w[x].shape, strict=True)]))


def _open(i: Any, n: int) -> Any:
    return slice(None) if i == slice(0, n, 1) else i


# ---------------------------------------------------------------------- index arrays


@EXACT.add("x[0 .. n-1] = x, of the length n", "getitem")
def _all_rows(w: Rewriter, q: Quantity) -> Value | None:
    x, *found = q.inputs
    if not _is_taken(q, 1) or not w.counts(found[0]) or w[found[0]].size != w[x].shape[0]:
        return None
    return w.new("reshape", x, shape=q.shape)


@EXACT.add("f(x, y)[i, j] = f(x[i, j], y[i, j]), where that is less than half of the elements", "getitem")
def _taken_before(w: Rewriter, q: Quantity) -> Value | None:
    source, *found = q.inputs
    made = w[source]
    if type(source) is not int or made.op is None or not is_elementwise(made.op) or 2 * q.size >= made.size:
        return None
    if not _is_taken(q, len(made.shape)):
        return None
    inputs: list[Value] = []
    for x in made.inputs:
        shape = w[x].shape
        if not shape:
            inputs.append(x)
            continue
        kept = [(n, i) for n, i in zip(shape, found[len(made.shape) - len(shape) :], strict=True) if n > 1]
        line = w.new("reshape", x, shape=tuple([n for n, _ in kept]))
        part = w.new("getitem", line, *[i for _, i in kept], template=q.params["template"][: len(kept)]) if kept else line
        inputs.append(part)
    if np.broadcast_shapes(*[w[x].shape for x in inputs]) != q.shape:  # an index of an axis of length 1 had the larger shape
        return None
    return w.added(Quantity(made.op, tuple(inputs), made.params, q.shape, q.dtype, q.weak, q.place))


@EXACT.add("v at [0 .. n-1, j], else 0 = where(j = 0 .. k-1, v + 0, 0)", "index_add")
def _one_in_each_row(w: Rewriter, q: Quantity) -> Value | None:
    x, v, *found = q.inputs
    if not _is_taken(q, 2) or len(q.shape) != 2 or q.dtype.kind != "f" or not _is_zero(w.number(x)) or q.shape[1] > WIDEST:
        return None
    n, k = q.shape
    rows, columns = found
    if not w.counts(rows) or w[rows].size != n or w[columns].shape != w[rows].shape or w[columns].dtype.kind not in "iu":
        return None
    known = w.number(v)
    if known is not None:
        value: Value = Constant(q.dtype.type(known) + q.dtype.type(0))
    elif w[v].shape == w[rows].shape and w[v].dtype == q.dtype:
        value = w.new("add", w.new("reshape", v, shape=(n, 1)), Constant(0.0))
    else:
        return None
    column = w.new("astype", w.new("reshape", columns, shape=(n, 1)), dtype=np.dtype(np.int64))
    column = w.new("where", w.new("less", column, Constant(0)), w.new("add", column, Constant(k)), column)
    hit = w.new("equal", w.new("astype", column, dtype=np.dtype(np.int32)), w.added(rising(k)))
    return w.new("where", hit, value, Constant(q.dtype.type(0)))


@EXACT.add("Σ over a row of where(j = 0 .. k-1, v, 0) = v + 0", "sum")
def _of_one_in_each_row(w: Rewriter, q: Quantity) -> Value | None:
    chosen = w.made_by(q.inputs[0], "where")
    hit = w.made_by(chosen.inputs[0], "equal") if chosen else None
    if chosen is None or hit is None or q.params["axis"] != (-1,) or chosen.dtype != q.dtype:
        return None
    column, places = hit.inputs
    # The rule before made it, for a j that is one of 0 .. k-1; of what others compare with, nothing is known.
    if not w.counts(places) or w.quantities[places].params["value"] is not rising(chosen.shape[-1]).params["value"]:
        return None
    value = chosen.inputs[1]
    kept = w.new("broadcast_to", value, shape=w[column].shape)
    return w.new("add", kept if q.params["keepdims"] else w.new("reshape", kept, shape=q.shape), Constant(0.0))


WIDEST = 2**16  # columns that are counted


@functools.lru_cache(64)
def rising(k: int) -> Quantity:
    """0, 1, ..., k - 1."""
    return literal(np.arange(k, dtype=np.int32))


def _is_taken(q: Quantity, axes: int) -> bool:
    """Is each of the so many axes indexed by an array?"""
    template = q.params["template"]
    return len(template) == axes and all(type(part) is str for part in template)


# ---------------------------------------------------------------------- reductions


@EXACT.add("Σ of one element = it + 0;  max, min, Π of one element = it", "sum", *EXTREMES)
def _of_one_element(w: Rewriter, q: Quantity) -> Value | None:
    x = q.inputs[0]
    if w[x].size != q.size or not w[x].size or w[x].weak:
        return None
    if w[x].dtype != q.dtype:  # integers and truths are counted in larger integers
        x = w.new("astype", x, dtype=q.dtype)
    kept = x if w[x].shape == q.shape else w.new("reshape", x, shape=q.shape)
    return kept if q.op is not TABLE["sum"] or q.dtype.kind not in "fc" else w.new("add", kept, Constant(0.0))


@EXACT.add("mean(x) = Σ x / n (not in float16)", "mean")
def _mean(w: Rewriter, q: Quantity) -> Value | None:
    x = w[q.inputs[0]]
    if x.weak or x.dtype == np.float16:
        return None
    count = math.prod([x.shape[i] for i in q.params["axis"]])
    return w.new("divide", w.new("sum", q.inputs[0], **q.params), Constant(count))


@EXACT.add("Σ of one number c repeated n times = n · c, where no partial sum is rounded", "sum")
def _sum_of_one_number(w: Rewriter, q: Quantity) -> Value | None:
    x = q.inputs[0]
    c = w.number(x)
    if c is None or type(x) is Constant or q.dtype.kind not in "fiu" or not q.size:
        return None
    c, n = float(c), w[x].size // q.size
    if not math.isfinite(c) or (c == 0 and math.copysign(1.0, c) < 0) or abs(c) * n > 2**15:
        return None
    whole = math.frexp(c)[0] * 2**24  # of 24 digits or fewer
    if whole != int(whole):
        return None
    digits = int(whole) // (int(whole) & -int(whole)) if whole else 0
    if abs(digits) * n > 2 ** (10 if q.dtype == np.float16 else 23) or (q.dtype.kind == "f" and 0 < abs(c) < 2**-10):
        return None
    return w.new("broadcast_to", Constant(q.dtype.type(c * n)), shape=q.shape)

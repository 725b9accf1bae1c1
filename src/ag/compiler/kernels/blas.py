"""Products of matrices by the BLAS that NumPy brings: its operands are read in place where they lie as BLAS can read them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..machine import native
from ..program import Quantity
from .lowering import Item, Lowered
from .views import Operand, strides_of

ROW_MAJOR, AS_IT_IS, TRANSPOSED = 101, 111, 112
DECLARATIONS = {
    f"declare void @cblas_{name}ge{kind}({', '.join(arguments.format(type).split())})"
    for name, type in (("s", "float"), ("d", "double"))
    for kind, arguments in (("mm", "i32 i32 i32 i64 i64 i64 {0} ptr i64 ptr i64 {0} ptr i64"),
                            ("mv", "i32 i32 i64 i64 {0} ptr i64 ptr i64 {0} ptr i64"))
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """A matrix as BLAS reads it: transposed or not, and the distance of its lines."""

    transposed: bool
    line: int


@dataclass(frozen=True)
class Product:
    """Matrices of ``rows`` x ``inner`` and ``inner`` x ``columns``, for each index of ``lead``; strides in elements."""

    lead: tuple[int, ...]
    rows: int
    inner: int
    columns: int
    left: Layout
    right: Layout
    steps: tuple[tuple[int, ...], ...]  # along lead: of the left, the right and the result


def product_of(lowered: Lowered, number: int, q: Quantity) -> Item | None:
    """The item of a matmul quantity; None where NumPy has to compute it."""
    quantities = lowered.program.quantities
    like = all(isinstance(x, int) and quantities[x].dtype == q.dtype for x in q.inputs)
    if str(q.dtype) not in ("float64", "float32") or not like or native.blas() is None:
        return None
    x, y = [quantities[n].shape for n in q.inputs]
    inner = x[-1]
    if not q.size or not inner:
        return None
    lead = np.broadcast_shapes(x[:-2], y[:-2])
    rows = x[-2] if len(x) > 1 else 1
    columns = y[-1] if len(y) > 1 else 1
    left, a = _matrix(lowered, q.inputs[0], lead, (rows, inner), len(x) == 1, False)
    right, b = _matrix(lowered, q.inputs[1], lead, (inner, columns), False, len(y) == 1)
    strides = tuple(n * rows * columns for n in strides_of(lead))
    n = len(lead)
    steps = (left.strides[:n], right.strides[:n], strides)
    product = Product(lead, rows, inner, columns, a, b, steps)
    return Item(number, "product", q.shape, [left, right], quantity=q, product=product)


def _matrix(
    lowered: Lowered, x: int, lead: tuple[int, ...], shape: tuple[int, int], is_row: bool, is_column: bool
) -> tuple[Operand, Layout]:
    """A factor as an operand over (*lead, two axes), and its layout; copied first where BLAS can't read it."""
    space = (*lead, *shape)
    own = lowered.program.quantities[x].shape
    for _ in range(2):
        if is_row or is_column:
            vector = lowered.reader.operand(x, (*lead, max(shape)))
            assert isinstance(vector, Operand)
            step = vector.strides[-1]
            strides = (*vector.strides[:-1], *((0, step) if is_row else (step, 0)))
            operand = replace(vector, strides=strides, axes=None)
        else:
            found = lowered.reader.operand(x, space if len(own) > 1 else shape)
            assert isinstance(found, Operand)
            operand = replace(found, axes=None)
        layout = _layout(shape, operand.strides[-2:])
        if layout is not None and not operand.gathers:
            return operand, layout
        lowered.reader.copied.add(x)
    raise AssertionError("a copy that BLAS can't read")


def _layout(shape: tuple[int, int], strides: tuple[int, ...]) -> Layout | None:
    """How a matrix with these strides is read."""
    (m, n), (down, right) = shape, strides
    if (right == 1 or n == 1) and (down >= max(n, 1) or m == 1):
        return Layout(False, max(down if m > 1 else n, n, 1))
    if (down == 1 or m == 1) and (right >= max(m, 1) or n == 1):
        return Layout(True, max(right if n > 1 else m, m, 1))
    return None


def call(product: Product, type: str, pointers: list[str], adds: bool = False) -> str:
    """The call for one pair of matrices; ``adds``: to what stands in the place of the result."""
    p = product
    a, b, c = pointers
    beta = f"{type} {float(adds)}"
    name = "s" if type == "float" else "d"
    if p.columns == 1 and p.rows > 1:
        arguments = _vector(p.left, (p.rows, p.inner), a, b, _step(p.right), c, type, False, beta)
        return f"call void @cblas_{name}gemv({arguments})"
    if p.rows == 1 and p.columns > 1:
        arguments = _vector(p.right, (p.inner, p.columns), b, a, _step(p.left, True), c, type, True, beta)
        return f"call void @cblas_{name}gemv({arguments})"
    given = (
        f"i32 {ROW_MAJOR}", f"i32 {TRANSPOSED if p.left.transposed else AS_IT_IS}",
        f"i32 {TRANSPOSED if p.right.transposed else AS_IT_IS}", f"i64 {p.rows}", f"i64 {p.columns}", f"i64 {p.inner}",
        f"{type} 1.0", f"ptr {a}", f"i64 {p.left.line}", f"ptr {b}", f"i64 {p.right.line}", beta, f"ptr {c}",
        f"i64 {p.columns}",
    )
    return f"call void @cblas_{name}gemm({', '.join(given)})"


def _step(layout: Layout, row: bool = False) -> int:
    """The distance of the elements of a vector, kept as a matrix of one row or one column."""
    along = not layout.transposed if row else layout.transposed
    return 1 if along else layout.line


def _vector(
    layout: Layout, shape: tuple[int, int], matrix: str, vector: str, step: int, result: str, type: str, from_left: bool,
    beta: str,
) -> str:
    """The arguments for a matrix times a vector; ``from_left``: for the vector times the matrix."""
    m, n = (shape[1], shape[0]) if layout.transposed else shape
    turned = TRANSPOSED if layout.transposed != from_left else AS_IT_IS
    return ", ".join((
        f"i32 {ROW_MAJOR}", f"i32 {turned}", f"i64 {m}", f"i64 {n}", f"{type} 1.0", f"ptr {matrix}", f"i64 {layout.line}",
        f"ptr {vector}", f"i64 {step}", beta, f"ptr {result}", "i64 1",
    ))  # fmt: skip

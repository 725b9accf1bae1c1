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
    left, a = _matrix(lowered, q.inputs[0], (*lead, rows, inner))
    right, b = _matrix(lowered, q.inputs[1], (*lead, inner, columns), behind=int(len(y) == 1))
    strides = tuple(n * rows * columns for n in strides_of(lead))
    n = len(lead)
    steps = (left.strides[:n], right.strides[:n], strides)
    product = Product(lead, rows, inner, columns, a, b, steps)
    return Item(number, "product", q.shape, [left, right], quantity=q, product=product)


def _matrix(lowered: Lowered, x: int, space: tuple[int, ...], behind: int = 0) -> tuple[Operand, Layout]:
    """A factor as an operand over the stack and two axes, and its layout; copied first where BLAS can't read it."""
    for _ in range(2):
        operand = replace(lowered.reader.operand(x, space, behind), axes=None)
        layout = _layout(space[-2:], operand.strides[-2:])
        if layout is not None and not operand.gathers:
            return operand, layout
        lowered.reader.copied.add(x)
    raise AssertionError("a copy that BLAS can't read")


def _layout(shape: tuple[int, ...], strides: tuple[int, ...]) -> Layout | None:
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
    alpha, beta = f"{type} 1.0", f"{type} {float(adds)}"

    def form(transposed: bool) -> str:
        return f"i32 {TRANSPOSED if transposed else AS_IT_IS}"

    if (p.columns == 1) != (p.rows == 1):  # a matrix and a column, or a row and a matrix, which is read as its transpose
        column = p.columns == 1
        matrix, vector = (p.left, p.right) if column else (p.right, p.left)
        m, n = (p.rows, p.inner) if column else (p.inner, p.columns)
        m, n = (n, m) if matrix.transposed else (m, n)
        step = 1 if vector.transposed == column else vector.line
        a, b = (a, b) if column else (b, a)
        name, given = "mv", [
            form(matrix.transposed == column), f"i64 {m}", f"i64 {n}", alpha, f"ptr {a}", f"i64 {matrix.line}",
            f"ptr {b}", f"i64 {step}", beta, f"ptr {c}", "i64 1",
        ]  # fmt: skip
    else:
        name, given = "mm", [
            form(p.left.transposed), form(p.right.transposed), f"i64 {p.rows}", f"i64 {p.columns}", f"i64 {p.inner}", alpha,
            f"ptr {a}", f"i64 {p.left.line}", f"ptr {b}", f"i64 {p.right.line}", beta, f"ptr {c}", f"i64 {p.columns}",
        ]  # fmt: skip
    return f"call void @cblas_{'s' if type == 'float' else 'd'}ge{name}({', '.join([f'i32 {ROW_MAJOR}', *given])})"

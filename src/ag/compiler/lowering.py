"""Lowering: from quantities to items, and from views to addresses.

An item is something to be computed: a map (element by element), a reduction, a product of matrices, ... Views, such as a
transpose, a slice or a broadcast, are no items: they change how an item that reads them counts addresses.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .abstract import is_elementwise
from .elementary import printable
from .program import Constant, Program, Quantity

TYPES = {"float64": "double", "float32": "float", "int64": "i64", "int32": "i32", "bool": "i1"}  # what kernels compute with
FOLDS = {"sum": "add", "max": "maximum", "min": "minimum", "prod": "multiply"}
TRUTHS = {"bitwise_and": "logical_and(x, y)", "bitwise_or": "logical_or(x, y)", "bitwise_xor": "logical_xor(x, y)",
          "invert": "logical_not(x)"}  # fmt: skip
CASTS = ("astype", "as_tensor", "as_scalar", "argument", "positive")
OF_FLOATS = ("x ** y", "x % y", "x // y")  # of integers they go through NumPy, whose rules are their own


@functools.cache
def is_known(dtype: Any) -> bool:
    """Do kernels compute with it?"""
    return str(dtype) in TYPES


@dataclass(frozen=True)
class Operand:
    """What an item reads at each point of its space: base[offset + Σ strides[a] · index[a] + Σ stride · wrapped index].

    ``base``: the quantity in memory. ``axes``: for each axis of the base the axis of the item along which it runs (None: it is
    one long), if that is all there is to it; then it may be read from a register.
    """

    base: int
    offset: int
    strides: tuple[int, ...]
    axes: tuple[int | None, ...] | None
    gathers: tuple[Gather, ...] = ()


@dataclass(frozen=True)
class Gather:
    """An index that is read: its operand, the stride that it multiplies, and the length of the axis that it indexes."""

    index: Operand
    stride: int
    length: int


@dataclass
class Item:
    """One thing to be computed. ``space``: the shape over which it runs; ``target``: where its result stands in memory."""

    number: int
    kind: str  # map, reduce, product, call, scatter, loop
    space: tuple[int, ...]
    operands: list[Operand | Constant]
    kernel: str = "x"
    reduced: tuple[int, ...] = ()  # axes of the space
    into: Operand | None = None  # a part of another quantity, in which the result is written
    adds: bool = False  # ... and added there
    quantity: Any = None
    product: Any = None
    ordered: bool = False  # after all else that is written in the same quantity


def strides_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of an array in row-major order, in elements."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def basic(template: Any) -> bool:
    """Is it an index without arrays?"""
    return all(part is None or part is Ellipsis or isinstance(part, slice) or type(part) is int for part in template)


def is_view(q: Quantity) -> bool:
    """Is it only another way to count the addresses of its input?"""
    name = q.op.name
    if name in ("reshape", "permute_dims", "broadcast_to", "flip"):
        return type(q.inputs[0]) is int
    if name == "getitem":
        return q.size > 0 and type(q.inputs[0]) is int and (basic(q.params["template"]) or gathered_axes(q) is not None)
    return name in CASTS


def gathered_axes(q: Quantity) -> int | None:
    """How many leading axes the index arrays of a gather index, if they are in front; slices behind them take all."""
    template = q.params["template"]
    count = sum(type(part) is str for part in template)
    if not count or any(type(part) is not str for part in template[:count]):
        return None
    return count if all(part is Ellipsis or part == slice(None) for part in template[count:]) else None


class Reader:
    """Finds out how quantities are read, through all views."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.copied: set[int] = set()  # views that are copied, as what reads them can't follow them

    def is_same(self, q: Quantity) -> bool:
        """Is it a cast that changes nothing?"""
        return q.op.name in CASTS and type(q.inputs[0]) is int and self.program.quantities[q.inputs[0]].dtype == q.dtype

    def follows(self, number: int) -> bool:
        """Is it a view that is read through?"""
        q = self.program.quantities[number]
        if q.op is None or number in self.copied or not is_view(q):
            return False
        return q.op.name not in CASTS or self.is_same(q)

    def operand(self, x: int | Constant, space: tuple[int, ...]) -> Operand | Constant:
        """x, broadcast to the space, as an operand."""
        if not isinstance(x, int):
            return x
        shape = self.program.quantities[x].shape
        first = len(space) - len(shape)
        # Of each axis of x: the strides of the space that move along it, and where it starts.
        index = [({first + a: 1} if n > 1 else {}, 0) for a, n in enumerate(shape)]
        return self._read(x, index, len(space), ())

    def _read(self, number: int, index: list[Any], rank: int, gathers: tuple[Gather, ...]) -> Operand:
        q = self.program.quantities[number]
        while self.follows(number):
            name = q.op.name
            below = q.inputs[0]
            source = self.program.quantities[below]
            if name == "permute_dims":
                moved: list[Any] = [None] * len(index)
                for i, a in zip(index, q.params["axes"], strict=True):
                    moved[a % len(index)] = i
                index = moved
            elif name == "broadcast_to":
                kept = index[len(index) - len(source.shape) :]
                index = [({}, 0) if n == 1 else i for i, n in zip(kept, source.shape, strict=True)]
            elif name == "flip":
                flipped = {a % len(index) for a in q.params["axis"]}
                index = [
                    ({a: -s for a, s in steps.items()}, n - 1 - start) if i in flipped else (steps, start)
                    for i, ((steps, start), n) in enumerate(zip(index, source.shape, strict=True))
                ]
            elif name == "getitem" and not basic(q.params["template"]):
                return self._gathered(q, index, rank)
            elif name == "getitem":
                index = _sliced(q.params["template"], index, source.shape)
            elif name == "reshape":
                squeezed = _squeezed(index, q.shape, source.shape)
                if squeezed is None:  # counted in row-major order of what is in memory
                    base = self._alias(below)
                    return Operand(base, *_flat(index, strides_of(q.shape), rank), None, gathers)
                index = squeezed
            number, q = below, source
        strides = strides_of(q.shape)
        offset, total = _flat(index, strides, rank)
        plain = not gathers and all(start == 0 and len(steps) <= 1 and set(steps.values()) <= {1} for steps, start in index)
        axes = tuple([next(iter(steps), None) for steps, _ in index]) if plain else None
        if axes is not None and any(n > 1 and a is None for a, n in zip(axes, q.shape, strict=True)):
            axes = None
        return Operand(number, offset, total, axes, gathers)

    def _alias(self, number: int) -> int:
        """The quantity whose memory holds the elements of this one in row-major order; a view on others is copied."""
        while self.follows(number):
            q = self.program.quantities[number]
            if q.op.name not in ("reshape", *CASTS):
                self.copied.add(number)
                return number
            number = q.inputs[0]
        return number

    def _gathered(self, q: Quantity, index: list[Any], rank: int) -> Operand:
        """An element of an array at places that other arrays name, which are broadcast against each other."""
        count = gathered_axes(q) or 0
        source = self.program.quantities[q.inputs[0]]
        base = self._alias(q.inputs[0])
        strides = strides_of(source.shape)
        arrays = [self.program.quantities[x] for x in q.inputs[1:]]
        rank_of_index = max(len(a.shape) for a in arrays)
        gathers = []
        for k, (x, a) in enumerate(zip(q.inputs[1:], arrays, strict=True)):
            own = index[rank_of_index - len(a.shape) : rank_of_index]
            own = [({}, 0) if n == 1 else i for i, n in zip(own, a.shape, strict=True)]
            gathers.append(Gather(self._read(x, own, rank, ()), strides[k], source.shape[k]))
        offset, total = _flat(index[rank_of_index:], strides[count:], rank)
        return Operand(base, offset, total, None, tuple(gathers))


def _flat(index: list[Any], strides: tuple[int, ...], rank: int) -> tuple[int, tuple[int, ...]]:
    """The offset and the strides along the space of what is indexed so."""
    total = [0] * rank
    offset = 0
    for (steps, start), stride in zip(index, strides, strict=True):
        offset += start * stride
        for a, step in steps.items():
            total[a] += step * stride
    return offset, tuple(total)


def _sliced(template: Any, index: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """The index into x from one into x[template], of slices, integers, None and dots."""
    given = sum(part is not None and part is not Ellipsis for part in template)
    parts: list[Any] = []
    for part in template:
        parts += [slice(None)] * (len(shape) - given) if part is Ellipsis else [part]
    if Ellipsis not in template:
        parts += [slice(None)] * (len(shape) - given)
    rest, lengths = iter(index), iter(shape)
    result = []
    for part in parts:
        if part is None:
            next(rest)
            continue
        n = next(lengths)
        if isinstance(part, slice):
            start, _, step = part.indices(n)
            steps, first = next(rest)
            result.append(({a: s * step for a, s in steps.items()}, start + first * step))
        else:
            result.append(({}, part % n))
    return result


def _squeezed(index: list[Any], shape: tuple[int, ...], below: tuple[int, ...]) -> list[Any] | None:
    """The index below a reshape that only adds and removes axes of length 1; None for others."""
    if [n for n in shape if n != 1] != [n for n in below if n != 1]:
        return None
    rest = iter([i for i, n in zip(index, shape, strict=True) if n != 1])
    return [({}, 0) if n == 1 else next(rest) for n in below]


# ---------------------------------------------------------------------- items


def kernel_of(q: Quantity, kinds: list[Any]) -> str | None:
    """The kernel expression of an elementwise quantity, if it is computed by a kernel."""
    name = q.op.name
    if name in CASTS:
        return "x"
    kernel = TRUTHS.get(name) if q.dtype == bool else None
    if kernel is None and is_elementwise(q.op) and isinstance(q.op.kernel, str):
        kernel = q.op.kernel
    if kernel is None or not printable(kernel):
        return None
    if q.dtype.kind in "iu" and any(part in kernel for part in OF_FLOATS):
        return None
    return kernel if all(map(is_known, kinds)) else None


class Lowered:
    """The items of a program in order, and how they read memory."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.reader = Reader(program)
        self.items: list[Item] = []
        for number, q in enumerate(program.quantities):
            if q.op is not None and not self.reader.follows(number):
                self._lower(number, q)
        self._copy_views()

    def _kinds(self, q: Quantity) -> list[Any]:
        return [q.dtype, *[
            self.program.quantities[x].dtype if isinstance(x, int) else np.asarray(x.value).dtype for x in q.inputs
        ]]  # fmt: skip

    def _lower(self, number: int, q: Quantity) -> None:
        name, kinds = q.op.name, self._kinds(q)
        known = all(map(is_known, kinds))
        kernel = kernel_of(q, kinds)
        if kernel is not None and q.size:
            self._map(number, q.shape, q.inputs, kernel)
        elif known and q.size and name in FOLDS and math.prod(self._shape(q.inputs[0])) > q.size:
            space = self._shape(q.inputs[0])
            reduced = tuple(a % len(space) for a in q.params["axis"])
            operand = self.reader.operand(q.inputs[0], space)
            self.items.append(Item(number, "reduce", space, [operand], FOLDS[name], reduced, quantity=q))
        elif known and q.size and name in PARTS:
            PARTS[name](self, number, q)
        elif name == "broadcast_to" and q.size and known:  # of a constant
            self._map(number, q.shape, q.inputs, "x")
        else:
            self.items.append(Item(number, "call", q.shape, [*map(self._whole, q.inputs)], quantity=q))

    def _shape(self, x: Any) -> tuple[int, ...]:
        return self.program.quantities[x].shape if isinstance(x, int) else np.shape(x.value)

    def _map(self, number: int, space: tuple[int, ...], inputs: Any, kernel: str, **more: Any) -> None:
        operands = [self.reader.operand(x, space) for x in inputs]
        self.items.append(Item(number, "map", space, operands, kernel, quantity=self.program.quantities[number], **more))

    def _whole(self, x: int | Constant) -> Operand | Constant:
        """An input that must stand in memory in row-major order."""
        if not isinstance(x, int):
            return x
        return Operand(self.reader._alias(x), 0, (), None)

    def region(self, number: int, template: Any) -> Operand:
        """The part of a quantity that an index without arrays selects, as the target of an item."""
        shape = self.program.quantities[number].shape
        selected = np.broadcast_to(0, shape)[template].shape
        index: list[Any] = [({a: 1} if n > 1 else {}, 0) for a, n in enumerate(selected)]
        return Operand(number, *_flat(_sliced(template, index, shape), strides_of(shape), len(selected)), None)

    # ------------------------------------------------------------------ joined from parts

    def _joined(self, number: int, q: Quantity) -> None:
        """concat and stack: each part is written in its place."""
        start, axis = 0, q.params["axis"] % len(q.shape)
        for x in q.inputs:
            shape = self._shape(x)
            if q.op.name == "stack":
                template: Any = (slice(None),) * axis + (start,)
                length = 1
            else:
                length = shape[axis]
                template = (slice(None),) * axis + (slice(start, start + length),)
            if math.prod(shape):
                self._map(number, shape, (x,), "x", into=self.region(number, template))
            start += length

    def _padded(self, number: int, q: Quantity) -> None:
        shape = self._shape(q.inputs[0])
        self._map(number, q.shape, (Constant(q.params["value"]),), "x", into=self.region(number, (...,)))
        widths = q.params["widths"]
        lead = len(shape) - len(widths)
        template = (slice(None),) * lead + tuple(
            slice(before, before + n) for (before, _), n in zip(widths, shape[lead:], strict=True)
        )
        if math.prod(shape):
            self._map(number, shape, q.inputs[:1], "x", into=self.region(number, template), ordered=True)

    def _put(self, number: int, q: Quantity) -> None:
        """index_set and index_add: a copy of x, in a part of which v is written, or added."""
        x, v, *found = q.inputs
        adds = q.op.name == "index_add"
        template = q.params["template"]
        if not basic(template) and (not adds or gathered_axes(q) is None):
            self.items.append(Item(number, "call", q.shape, [*map(self._whole, q.inputs)], quantity=q))
            return
        self._map(number, q.shape, (x,), "x", into=self.region(number, (...,)))
        if basic(template):
            into = self.region(number, template)
            selected = np.broadcast_to(0, q.shape)[template].shape
            if math.prod(selected):
                self._map(number, selected, (v,), "x", into=into, adds=adds, ordered=True)
            return
        count = gathered_axes(q) or 0
        space = np.broadcast_shapes(*map(self._shape, found)) + q.shape[count:]
        rank = len(space) - len(q.shape[count:])
        strides = strides_of(q.shape)
        gathers = []
        for k, i in enumerate(found):
            index = self.reader.operand(i, space[:rank])
            assert isinstance(index, Operand)
            spread = Operand(index.base, index.offset, index.strides + (0,) * (len(space) - rank), None, index.gathers)
            gathers.append(Gather(spread, strides[k], q.shape[k]))
        into = Operand(number, 0, (0,) * rank + strides[count:], None, tuple(gathers))
        if math.prod(space):
            operand = self.reader.operand(v, space)
            self.items.append(Item(number, "scatter", space, [operand], "x", into=into, adds=True, quantity=q, ordered=True))

    def _product(self, number: int, q: Quantity) -> None:
        """A product of matrices by BLAS: its operands in memory, in a layout that BLAS can read."""
        from .blas import product_of

        item = product_of(self, number, q)
        self.items.append(item or Item(number, "call", q.shape, [*map(self._whole, q.inputs)], quantity=q))

    # ------------------------------------------------------------------ views that must be in memory

    def _copy_views(self) -> None:
        """Views that are results, or that something reads which can't follow them, are copied by a map."""
        views = set(self.reader.copied)
        while True:
            done = {item.number for item in self.items}
            missing = [n for n in sorted(views | self._views_as_results()) if n not in done]
            if not missing:
                break
            for number in missing:
                q = self.program.quantities[number]
                self.reader.copied.discard(number)
                operand = self.reader.operand(number, q.shape)
                self.reader.copied.add(number)
                self.items.append(Item(number, "map", q.shape, [operand], "x", quantity=q))
            views |= self.reader.copied
        self.items.sort(key=lambda item: item.number)

    def _views_as_results(self) -> set[int]:
        return {n for n in self.program.results() if self.reader.follows(n) or (n in self.reader.copied)}


PARTS = {
    "concat": Lowered._joined, "stack": Lowered._joined, "pad": Lowered._padded,
    "index_add": Lowered._put, "index_set": Lowered._put, "matmul": Lowered._product,
}  # fmt: skip

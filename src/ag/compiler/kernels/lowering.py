"""Lowering: from quantities to items.

An item is something to be computed: a map (element by element), a reduction, a product of matrices, ... Views are no items.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..abstract import is_elementwise
from ..literals import LITERAL
from ..loops.recorded import LOOPS, RESULT
from ..mathematics.elementary import is_of_integers, printable
from ..program import Constant, Program, Quantity
from .views import (
    CASTS,
    Gather,
    Operand,
    Reader,
    along_axes,
    basic,
    flat,
    is_known,
    pointed,
    pointed_axes,
    sliced,
    strides_of,
)

FOLDS = {"sum": "add", "max": "maximum", "min": "minimum", "prod": "multiply"}
TRUTHS = {"bitwise_and": "logical_and(x, y)", "bitwise_or": "logical_or(x, y)", "bitwise_xor": "logical_xor(x, y)",
          "invert": "logical_not(x)"}  # fmt: skip
POWERS = {3: "x * x * x", 4: "(x * x) * (x * x)"}  # which are as accurate as any power, and as special
BETWEEN = "y if x < y else z if x > z else x"  # clip by numbers that are none of them nan: a zero keeps its sign, as NumPy's does


@dataclass
class Item:
    """One thing to be computed. ``space``: the shape over which it runs; ``target``: where its result stands in memory."""

    number: int
    kind: str  # map, reduce, product, cumulate, call, literal, loop
    space: tuple[int, ...]
    operands: list[Operand | Constant]
    kernel: str = "x"
    reduced: tuple[int, ...] = ()  # axes of the space
    into: Operand | None = None  # a part of another quantity, in which the result is written
    adds: bool = False  # ... and added there
    repeats: bool = False  # ... where an element may be named twice, so that one is added after another
    quantity: Any = None
    product: Any = None
    ordered: bool = False  # after all else that is written in the same quantity
    results: dict[int, int] = field(default_factory=dict)  # of a loop: the quantity that each of its results is

    def made(self) -> list[int]:
        """The quantities that it computes, or a part of them."""
        return list(self.results.values()) if self.kind == "loop" else [self.number]


# ---------------------------------------------------------------------- items


def kernel_of(q: Quantity, kinds: list[Any]) -> str | None:
    """The kernel expression of an elementwise quantity, if it is computed by a kernel."""
    name = q.op.name
    kernel = "x" if name in CASTS or (name in FOLDS and not q.params["axis"]) else None
    if q.dtype == bool and name in TRUTHS and len(q.inputs) == TRUTHS[name].count(",") + 1:  # a number is no input of these rows
        kernel = TRUTHS[name]
    if kernel is None and is_elementwise(q.op) and isinstance(q.op.kernel, str):
        kernel = q.op.kernel
        if name == "pow" and type(q.inputs[1]) is Constant and q.dtype.kind == "f":
            kernel = POWERS.get(q.inputs[1].value, kernel)
        if name == "clip" and all(type(x) is Constant for x in q.inputs[1:]) and q.inputs[1].value <= q.inputs[2].value:
            kernel = BETWEEN
    if kernel is None or not printable(kernel):
        return None
    of_integers = q.dtype.kind in "iu" or (q.dtype == bool and not any(kind.kind == "f" for kind in kinds))
    if of_integers and not is_of_integers(kernel):
        return None
    return kernel if all(map(is_known, kinds)) else None


class Lowered:
    """The items of a program in order, and how they read memory."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.reader = Reader(program)
        self.items: list[Item] = []
        self.results: dict[int, dict[int, int]] = {}  # of each loop
        for number, q in enumerate(program.quantities):
            if q.op is RESULT:
                self.results.setdefault(q.inputs[0], {})[q.params["k"]] = number
        self.users, self.asked = program.consumers(), program.results()
        self.started: set[int] = set()  # what is written where its one consumer stands
        self.accumulated: dict[Any, int] = {}  # of a sum to which a product is added in place the argument that it adds to
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
        if q.op is LITERAL and number not in self.asked:
            self.items.append(Item(number, "literal", (), [], quantity=q))
            return
        if q.op is RESULT or number in self.accumulated:  # which its loop writes, or its product
            return
        if q.op in LOOPS:
            operands = [*map(self._whole, q.inputs)]
            self.items.append(Item(number, "loop", (), operands, quantity=q, results=self.results.get(number, {})))
            return
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
            self._call(number, q)

    def _shape(self, x: Any) -> tuple[int, ...]:
        return self.program.quantities[x].shape if isinstance(x, int) else np.shape(x.value)

    def _map(self, number: int, space: tuple[int, ...], inputs: Any, kernel: str, **more: Any) -> None:
        operands = [self.reader.operand(x, space) for x in inputs]
        self.items.append(Item(number, "map", space, operands, kernel, quantity=self.program.quantities[number], **more))

    def _call(self, number: int, q: Quantity) -> None:
        """Computed by NumPy."""
        self.items.append(Item(number, "call", q.shape, [*map(self._whole, q.inputs)], quantity=q))

    def _whole(self, x: int | Constant) -> Operand | Constant:
        """An input that must stand in memory in row-major order."""
        if not isinstance(x, int):
            return x
        return Operand(self.reader.alias(x), 0, (), None)

    def region(self, number: int, template: Any) -> Operand:
        """The part of a quantity that an index without arrays selects, as the target of an item."""
        shape = self.program.quantities[number].shape
        selected = np.broadcast_to(0, shape)[template].shape
        index: list[Any] = [({a: 1} if n > 1 else {}, 0) for a, n in enumerate(selected)]
        return Operand(number, *flat(sliced(template, index, shape), strides_of(shape), len(selected)), None)

    # ------------------------------------------------------------------ joined from parts

    def _joined(self, number: int, q: Quantity) -> None:
        """concat and stack: each part is written in its place."""
        start, axis = 0, q.params["axis"] % len(q.shape)
        for x in q.inputs:
            shape = self._shape(x)
            length = 1 if q.op.name == "stack" else shape[axis]
            part = start if q.op.name == "stack" else slice(start, start + length)
            if math.prod(shape):
                self._map(number, shape, (x,), "x", into=self.region(number, (slice(None),) * axis + (part,)))
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
        if self._is_in_place(q) and self._is_only_added_to(number):
            self.started.add(number)  # and written where its one consumer stands
            return
        self._put_into(number, q)

    def _is_only_added_to(self, number: int) -> bool:
        """Is all that is computed from it an index_add to it, in whose memory it can stand?"""
        if len(self.users[number]) != 1 or number in self.asked:
            return False
        q = self.program.quantities[self.users[number][0]]
        return q.op.name == "index_add" and q.inputs[0] == number and q.inputs.count(number) == 1 and self._is_in_place(q)

    def _is_in_place(self, q: Quantity) -> bool:
        """Can it be computed in the memory of what is computed from it?"""
        known = q.op.name == "index_add" and all(map(is_known, self._kinds(q)))
        return known and (self._is_region(q) or self.reader.gathers(q))

    def _is_region(self, q: Quantity) -> bool:
        """Does the index select a part that slices could select, too, were its numbers known?"""
        return basic(q.params["template"]) or self.reader.points(q)

    def _put_into(self, number: int, q: Quantity) -> None:
        x, v, *found = q.inputs
        template = q.params["template"]
        if not self._is_region(q) and not self._is_in_place(q):
            self._call(number, q)
            return
        if isinstance(x, int) and x in self.started:
            self._put_into(number, self.program.quantities[x])
        elif self._is_zero(x) and basic(template) and self._put_among_zeros(number, q, v):
            return
        else:
            self._map(number, q.shape, (x,), "x", into=self.region(number, (...,)))
        selected = np.broadcast_to(0, q.shape)[pointed(template)].shape
        spread = np.broadcast_shapes(*map(self._shape, found))  # the axes of the arrays come first
        space = spread + selected
        if math.prod(space):
            axes, strides = pointed_axes(template, q.shape), strides_of(q.shape)
            indices = [self.reader.operand(i, space, len(selected)) for i in found]
            gathers = tuple([Gather(i, strides[a], q.shape[a]) for i, a in zip(indices, axes, strict=True)])
            part = self.region(number, pointed(template))
            into = replace(part, strides=(0,) * len(spread) + part.strides, gathers=gathers)
            adds = q.op.name == "index_add"
            self._map(number, space, (v,), "x", into=into, adds=adds, repeats=bool(spread), ordered=True)

    def _is_zero(self, x: Any) -> bool:
        """Is it known to be +0 everywhere?"""
        while isinstance(x, int):
            q = self.program.quantities[x]
            if q.op is None or q.op.name != "broadcast_to":
                return False
            x = q.inputs[0]
        return bool(x.value == 0) and math.copysign(1.0, x.value) > 0

    def _put_among_zeros(self, number: int, q: Quantity, v: Any) -> bool:
        """v in its part and zeros around it, each written once. False where the part is no block."""
        ranges, template = [], q.params["template"]
        for n, index in zip(q.shape, along_axes(template, q.shape), strict=True):
            first, last, step = index.indices(n) if isinstance(index, slice) else (index % n, index % n + 1, 1)
            if step != 1 or last <= first:
                return False
            ranges.append((first, last))
        selected = np.broadcast_to(0, q.shape)[template].shape
        inputs, kernel = ((v, Constant(0)), "x + y") if q.op.name == "index_add" else ((v,), "x")
        self._map(number, selected, inputs, kernel, into=self.region(number, template))
        for a, (first, last) in enumerate(ranges):
            for start, end in ((0, first), (last, q.shape[a])):
                block = (*(slice(*r) for r in ranges[:a]), slice(start, end))
                shape = np.broadcast_to(0, q.shape)[block].shape
                if math.prod(shape):
                    self._map(number, shape, (Constant(0),), "x", into=self.region(number, block))
        return True

    def _product(self, number: int, q: Quantity) -> None:
        """A product of matrices by BLAS: its operands in memory, in a layout that BLAS can read."""
        from .blas import product_of

        item = product_of(self, number, q)
        if item is None:
            self._call(number, q)
            return
        added = self._added_to(number, q)
        if added is not None:
            item.number, argument = added
            item.operands.append(Operand(argument, 0, (), None))
            self.accumulated[item.number] = argument
        self.items.append(item)

    def _added_to(self, number: int, q: Quantity) -> tuple[int, int] | None:
        """If a product is only added to an argument, as a loop carries a sum of products: the sum, and the argument.

        A BLAS adds to what is there, so that the argument is passed through once.
        """
        if len(self.users[number]) != 1 or number in self.asked or len(q.shape) != 2:
            return None
        (only,) = self.users[number]
        total = self.program.quantities[only]
        if total.op.name != "add" or self.users[only] or self.asked.count(only) != 1:
            return None
        for c in total.inputs:
            if c in self.program.arguments and self.users[c] == [only] and c not in self.asked:
                own = self.program.quantities[c]
                if (q.shape, q.dtype) == (own.shape, own.dtype) == (total.shape, total.dtype):
                    return only, c
        return None

    def _cumulated(self, number: int, q: Quantity) -> None:
        """Running sums along an axis of floats or integers."""
        source = self.program.quantities[q.inputs[0]] if isinstance(q.inputs[0], int) else None
        if source is None or source.dtype != q.dtype or q.dtype == bool or not q.size:
            self._call(number, q)
            return
        operand = self.reader.operand(q.inputs[0], q.shape)
        if operand.gathers:
            operand = Operand(self.reader.alias(q.inputs[0]), 0, strides_of(q.shape), None)
        axis = q.params["axis"] % len(q.shape)
        self.items.append(Item(number, "cumulate", q.shape, [replace(operand, axes=None)], reduced=(axis,), quantity=q))

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
        return {n for n in self.asked if self.reader.follows(n) or (n in self.reader.copied)}


PARTS = {
    "concat": Lowered._joined, "stack": Lowered._joined, "pad": Lowered._padded,
    "index_add": Lowered._put, "index_set": Lowered._put, "matmul": Lowered._product, "cumulative_sum": Lowered._cumulated,
}  # fmt: skip

"""Views: transposes, slices and broadcasts are no work, but other ways to count the addresses of what is in memory."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from ..literals import counts
from ..program import Program, Quantity

TYPES = {"float64": "double", "float32": "float", "int64": "i64", "int32": "i32", "bool": "i1"}  # what kernels compute with
INDEXING = ("getitem", "index_add", "index_set")
CASTS = ("astype", "as_tensor", "as_scalar", "number", "argument", "positive")


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
        return type(q.inputs[0]) is int and basic(q.params["template"])
    return name in CASTS


def gathered_axes(q: Quantity) -> int | None:
    """How many leading axes the index arrays of a gather index, if they are in front; slices behind them take all."""
    template = q.params["template"]
    count = sum(type(part) is str for part in template)
    if not count or any(type(part) is not str for part in template[:count]):
        return None
    return count if all(part is Ellipsis or part == slice(None) for part in template[count:]) else None


def found_in(q: Quantity) -> tuple[Any, ...]:
    """The index arrays among the inputs of an indexing quantity."""
    count = sum(type(part) is str for part in q.params["template"]) if q.op.name in INDEXING else 0
    return q.inputs[len(q.inputs) - count :]


def pointed(template: Any) -> Any:
    """A template with 0 in place of its arrays."""
    return tuple([0 if type(part) is str else part for part in template])


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
        if q.op is None or number in self.copied or not q.size:
            return False
        if not is_view(q) and not (q.op.name == "getitem" and type(q.inputs[0]) is int and (self.gathers(q) or self.points(q))):
            return False
        if not all(is_known(self.program.quantities[x].dtype) for x in q.inputs if type(x) is int):
            return False
        return q.op.name not in CASTS or self.is_same(q)

    def points(self, q: Quantity) -> bool:
        """Is it an index whose arrays are one number each, beside slices?"""
        return self._by_integers(q) and not any(self.program.quantities[x].shape for x in found_in(q))

    def gathers(self, q: Quantity) -> bool:
        """Is it an index whose arrays are in front, and slices behind them take all?"""
        return self._by_integers(q) and gathered_axes(q) is not None

    def _by_integers(self, q: Quantity) -> bool:
        """Are there arrays in the index, and none of them a mask?"""
        found = found_in(q)
        return bool(found) and all(isinstance(x, int) and self.program.quantities[x].dtype.kind in "iu" for x in found)

    def operand(self, x: Any, space: tuple[int, ...], behind: int = 0) -> Any:
        """x, broadcast to the space, as an operand; a constant is itself. ``behind``: so many axes come after those of x."""
        if not isinstance(x, int):
            return x
        shape = self.program.quantities[x].shape
        first = len(space) - behind - len(shape)
        # Of each axis of x: the strides of the space that move along it, and where it starts.
        index = [({first + a: 1} if n > 1 else {}, 0) for a, n in enumerate(shape)]
        return self._read(x, index, len(space))

    def _read(self, number: int, index: list[Any], rank: int) -> Operand:
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
                index = sliced(q.params["template"], index, source.shape)
            elif name == "reshape":
                squeezed = _squeezed(index, q.shape, source.shape)
                if squeezed is None:  # counted in row-major order of what is in memory
                    base = self.alias(below)
                    return Operand(base, *flat(index, strides_of(q.shape), rank), None)
                index = squeezed
            number, q = below, source
        strides = strides_of(q.shape)
        offset, total = flat(index, strides, rank)
        plain = all(start == 0 and len(steps) <= 1 and set(steps.values()) <= {1} for steps, start in index)
        axes = tuple([next(iter(steps), None) for steps, _ in index]) if plain else None
        if axes is not None and any(n > 1 and a is None for a, n in zip(axes, q.shape, strict=True)):
            axes = None
        return Operand(number, offset, total, axes)

    def alias(self, number: int) -> int:
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
        template, source = q.params["template"], self.program.quantities[q.inputs[0]]
        base, strides = self.alias(q.inputs[0]), strides_of(source.shape)
        arrays = [self.program.quantities[x] for x in found_in(q)]
        spread = max(len(a.shape) for a in arrays)  # the axes of the arrays come first
        offset, total = flat(sliced(pointed(template), index[spread:], source.shape), strides, rank)
        gathers = []
        for x, a, k in zip(found_in(q), arrays, pointed_axes(template, source.shape), strict=True):
            own = index[spread - len(a.shape) : spread]
            own = [({}, 0) if n == 1 else i for i, n in zip(own, a.shape, strict=True)]
            if counts(a) and a.size <= source.shape[k]:  # an index that is the place itself
                first, along = flat(own, strides_of(a.shape), rank)
                offset += first * strides[k]
                total = tuple([t + step * strides[k] for t, step in zip(total, along, strict=True)])
                continue
            gathers.append(Gather(self._read(x, own, rank), strides[k], source.shape[k]))
        return Operand(base, offset, total, None, tuple(gathers))


def flat(index: list[Any], strides: tuple[int, ...], rank: int) -> tuple[int, tuple[int, ...]]:
    """The offset and the strides along the space of what is indexed so."""
    total = [0] * rank
    offset = 0
    for (steps, start), stride in zip(index, strides, strict=True):
        offset += start * stride
        for a, step in steps.items():
            total[a] += step * stride
    return offset, tuple(total)


def expanded(template: Any, rank: int) -> list[Any]:
    """A template with a slice for each axis that it does not name."""
    given = sum(part is not None and part is not Ellipsis for part in template)
    parts = list(template) if Ellipsis in template else [*template, Ellipsis]
    at = parts.index(Ellipsis)
    return [*parts[:at], *[slice(None)] * (rank - given), *parts[at + 1 :]]


def along_axes(template: Any, shape: tuple[int, ...]) -> list[Any]:
    """For each axis the slice, the integer or the array that an index takes there."""
    return [part for part in expanded(template, len(shape)) if part is not None]


def pointed_axes(template: Any, shape: tuple[int, ...]) -> list[int]:
    """The axes that the arrays of a template index."""
    return [a for a, part in enumerate(along_axes(template, shape)) if type(part) is str]


def sliced(template: Any, index: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """The index into x from one into x[template], of slices, integers, None and dots."""
    rest, lengths = iter(index), iter(shape)
    result = []
    for part in expanded(template, len(shape)):
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

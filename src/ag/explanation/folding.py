"""Large graphs made small: what one line of the program computed again and again is one block."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from ..node import OFFSETS
from ..source import Source
from .quantities import Quantity

SHOWN = 60  # quantities: up to here every one is shown by itself
LABELS = 8  # of leaves that one place made: up to here each keeps its own block


class Block(NamedTuple):
    """Quantities that one line of the program made by one operator in one shape; a single one mostly."""

    quantities: tuple[Quantity, ...]

    @property
    def first(self) -> Quantity:
        """The one that is shown for all."""
        return self.quantities[0]

    @property
    def last(self) -> Quantity:
        """The one that is nearest to the output: where the reverse pass comes by first."""
        return self.quantities[-1]

    @property
    def size(self) -> int:
        """How many quantities it stands for."""
        return len(self.quantities)

    @property
    def source(self) -> Source | None:
        """The line of the program."""
        return self.first.source


def folded(quantities: tuple[Quantity, ...], limit: int = SHOWN) -> list[Block]:
    """The quantities as blocks, in the order of their first ones; every quantity by itself if there are few.

    What belongs together is seen ever more coarsely, until there are at most ``limit`` blocks: the place in the line and the
    shape, the line and the operator, the line, the function, the file; at last there are the leaves, and what is computed.
    """
    if len(quantities) <= limit:
        return [Block((q,)) for q in quantities]
    blocks: list[Block] = []
    for key in _KEYS:
        blocks = _grouped(quantities, _remembering(key))
        if key is _place:
            blocks = [part for block in blocks for part in _by_label(block)]
            blocks.sort(key=lambda block: block.first.number)
        if len(blocks) <= limit:
            break
    return blocks


def _grouped(quantities: Sequence[Quantity], key: Callable[[Quantity], Hashable]) -> list[Block]:
    groups: dict[Hashable, list[Quantity]] = {}
    for q in quantities:
        groups.setdefault(key(q), []).append(q)
    return [Block(tuple(group)) for group in groups.values()]


def _by_label(block: Block) -> list[Block]:
    """The leaves that one place made, apart by their labels, if those are few: the W1 and W2 of a helper function."""
    parts = _grouped(block.quantities, lambda q: q.label if q.op is None else None)
    return parts if len(parts) <= LABELS else [block]


def _place(q: Quantity, source: Source | None) -> Hashable:
    # Where a quantity was made is told by code and offset alone.
    return q.node._code, q.node._stamp % OFFSETS, _op(q), q.shape


def _line_and_operator(q: Quantity, source: Source | None) -> Hashable:
    return source and (source.file, source.line), _op(q)


def _line(q: Quantity, source: Source | None) -> Hashable:
    return source and (source.file, source.line), q.op is None


def _function(q: Quantity, source: Source | None) -> Hashable:
    return source and (source.file, source.function), q.op is None


def _file(q: Quantity, source: Source | None) -> Hashable:
    return source and source.file, q.op is None


def _leaf(q: Quantity, source: Source | None) -> Hashable:
    return q.op is None


def _op(q: Quantity) -> str | None:
    return None if q.op is None else q.op.name


_KEYS = (_place, _line_and_operator, _line, _function, _file, _leaf)


def _remembering(key: Callable[[Quantity, Source | None], Hashable]) -> Callable[[Quantity], Hashable]:
    """The key with the sources of the quantities, each place in the program read once."""
    if key is _place:
        return lambda q: key(q, None)
    sources: dict[tuple[object, int], Source | None] = {}

    def remembered(q: Quantity) -> Hashable:
        place = (q.node._code, q.node._stamp % OFFSETS)
        if place not in sources:
            sources[place] = q.source
        return key(q, sources[place])

    return remembered

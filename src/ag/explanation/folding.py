"""Large graphs made small: what one line of the program computed again and again is one block."""

from __future__ import annotations

from typing import NamedTuple

from ..source import Source
from .quantities import Quantity

SHOWN = 60  # quantities: up to here every one is shown by itself


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
    """The quantities as blocks, in the order of their first ones; every quantity by itself if there are few."""
    if len(quantities) <= limit:
        return [Block((q,)) for q in quantities]
    blocks: dict[tuple[object, ...], list[Quantity]] = {}
    for q in quantities:
        # Where a quantity was made is told by code and offset alone; reading the line would cost more.
        place = (q.node._code, q.node._stamp % (1 << 20))
        key = (*place, None if q.op is None else q.op.name, q.shape, q.label if q.op is None else None)
        blocks.setdefault(key, []).append(q)
    if len(blocks) > limit:
        blocks = _by_line(quantities)
    return [Block(tuple(block)) for block in blocks.values()]


def _by_line(quantities: tuple[Quantity, ...]) -> dict[tuple[object, ...], list[Quantity]]:
    """Blocks by line and operator, whatever the shape, place in the line and label."""
    lines: dict[tuple[object, int], tuple[str, int] | None] = {}
    blocks: dict[tuple[object, ...], list[Quantity]] = {}
    for q in quantities:
        place = (q.node._code, q.node._stamp % (1 << 20))
        if place not in lines:
            source = q.source
            lines[place] = (source.file, source.line) if source else None
        blocks.setdefault((lines[place], None if q.op is None else q.op.name), []).append(q)
    return blocks

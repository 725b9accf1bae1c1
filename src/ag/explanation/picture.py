"""What is drawn: discs and plates with their lines of text, and the edges between them. Nothing here knows of a file format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..node import Node
from ..symbol import Symbol
from . import writing
from .appearance import LETTERS, MARGIN, SMALLEST, radius, width
from .folding import Block, folded
from .names import Name
from .quantities import Graph, Quantity, Term
from .writing import Line

Size = tuple[float, float]


class Shown(NamedTuple):
    """One disc or plate.

    key      its name among the nodes of the picture: z7, and z6_c1 for the first input of z6, a constant
    kind     "leaf", "quantity", or "constant"
    lines    what is written in it
    note     all that is known of it, for who points at it
    numbers  of the quantities that it stands for, the z's; empty for a constant
    amount   how many quantities, or uses of a constant, it stands for
    """

    key: str
    kind: str
    lines: tuple[Line, ...]
    note: str
    numbers: tuple[int, ...] = ()
    amount: int = 1

    @property
    def is_plate(self) -> bool:
        """Is it a plate, not a disc?"""
        return self.kind == "constant"

    @property
    def is_stack(self) -> bool:
        """Is it several discs, one behind the other?"""
        return self.amount > 1 and not self.is_plate


class Edge(NamedTuple):
    """An arrow from an input to what was computed from it.

    label    in a backward drawing the local partial
    note     the same in full
    amount   how many uses it stands for
    again    it leads back: what a loop computed goes into its next pass
    carries  the derivative passes through it
    use      of a single use the numbers of who uses it, and as which input
    """

    tail: str
    head: str
    label: str = ""
    note: str = ""
    amount: int = 1
    again: bool = False
    carries: bool = True
    use: tuple[int, int] | None = None

    @property
    def plate(self) -> Size:
        """Width and height of the plate with its label."""
        letters = LETTERS["note"]
        return round(width(self.label, letters) + 10), round(letters.height + 5)


class Picture(NamedTuple):
    """All that is drawn of a graph."""

    title: str
    description: str
    nodes: tuple[Shown, ...]
    edges: tuple[Edge, ...]
    backward: bool

    @property
    def radius(self) -> float:
        """Of all discs: that of the largest that is needed."""
        return max([SMALLEST, *(radius(_widths(node), MARGIN + 2 * node.is_stack) for node in self.nodes if not node.is_plate)])

    def size(self, node: Shown) -> Size:
        """Width and height of a node."""
        if not node.is_plate:
            return (2 * self.radius,) * 2
        widths, letters = zip(*_widths(node), strict=True)
        return max(max(widths) + 16, 28), sum(x.height for x in letters) + 8

    @property
    def levels(self) -> int:
        """How many nodes stand one after the other on the longest way through the picture."""
        level = dict.fromkeys((node.key for node in self.nodes), 1)
        for edge in self.edges:  # those into a node stand after all those into its inputs
            if not edge.again:
                level[edge.head] = max(level[edge.head], level[edge.tail] + 1)
        return max(level.values())


def _widths(node: Shown) -> list[tuple[float, Any]]:
    return [(width(line.text, LETTERS[line.letters]), LETTERS[line.letters]) for line in node.lines]


def picture(graph: Graph, limit: int, backward: bool) -> Picture:
    """The picture of a graph of at most about ``limit`` blocks (and their constants)."""
    blocks = folded(graph.quantities, limit)
    of = {q: block for block in blocks for q in block.quantities}
    terms = {(term.consumer, term.position): term for q in graph.quantities for term in q.terms} if backward else {}
    nodes: list[Shown] = []
    edges: list[Edge] = []
    for block in blocks:
        for shown, edge in _constants(block):
            nodes.append(shown)
            edges.append(edge)
        kind = "leaf" if block.first.op is None else "quantity"
        numbers = tuple(q.number for q in block.quantities)
        lines = writing.lines(block, graph, backward)
        nodes.append(Shown(_key(block), kind, lines, writing.note(block, backward), numbers, block.size))
        edges += _edges(block, of, terms)
    edges.sort(key=lambda edge: edge.again)
    return Picture(writing.title(graph, backward), writing.description(blocks, backward), tuple(nodes), tuple(edges), backward)


def _key(block: Block) -> str:
    return f"z{block.first.number}"


def _constants(block: Block) -> Iterator[tuple[Shown, Edge]]:
    """A plate for each place at which a block uses constants."""
    for i in range(max(len(q.inputs) for q in block.quantities)):
        users = [q for q in block.quantities if i < len(q.inputs) and _is_constant(q.inputs[i])]
        if users:
            key = f"{_key(block)}_c{i + 1}"
            used, standing = [q.inputs[i] for q in users], [q.arguments[i] for q in users]
            names = [x.name.text if isinstance(x, Symbol) and isinstance(x.name, Name) else "" for x in standing]
            lines, note = writing.constant(used, names)
            yield Shown(key, "constant", lines, note, amount=len(used)), Edge(key, _key(block), amount=len(used), carries=False)


def _is_constant(x: Any) -> bool:
    return x is not None and not isinstance(x, (Quantity, Node))


Terms = dict[tuple[Quantity, int], Term]
Use = tuple[Quantity, int]  # a quantity, and which of its inputs


def _edges(block: Block, of: dict[Quantity, Block], terms: Terms) -> Iterator[Edge]:
    """The arrows into a block: one for each use by a single quantity, one for all uses by a larger block."""
    uses: dict[Any, list[Use]] = {}
    tails: dict[Any, Block] = {}
    for q in block.quantities:
        for i, x in enumerate(q.inputs):
            if isinstance(x, Quantity):
                key = i if block.size == 1 else of[x].first.number
                tails[key] = of[x]
                uses.setdefault(key, []).append((q, i))
    for key, found in uses.items():
        yield _edge(tails[key], block, found, terms)


def _edge(tail: Block, head: Block, uses: list[Use], terms: Terms) -> Edge:
    used = [terms[use] for use in uses if use in terms]
    label, note = writing.partials(used)
    if len(uses) > 1:
        note = f"{len(uses):,} uses"
    again = tail.first.number >= head.first.number
    use = (uses[0][0].number, uses[0][1]) if len(uses) == 1 else None
    return Edge(_key(tail), _key(head), label, note, len(uses), again, bool(used) or not terms, use)

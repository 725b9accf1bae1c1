"""`ag.draw`: a graph, or a function, as a picture."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ..files import write_by_ending
from ..node import describe
from . import layout
from .appearance import WIDEST
from .dot_text import dot
from .explained import output_of
from .layout import Layout, LayoutTimeout
from .mermaid import mermaid
from .picture import Edge, Picture, Shown, picture
from .quantities import Graph
from .svg import PAD, svg

LIMITS = (60, 30, 15, 8, 4, 2)  # blocks: from one to the next the graph is folded harder
NODES, EDGES = 120, 360  # that may be drawn
CLOSEST = 24.0  # pixels between two discs, at least
TALLEST = 3000.0  # pixels: a higher picture of many nodes beside each other is folded
BROAD = 5  # many: so many times those one after the other
DPI = {"png": 192, "pdf": 72}
NEEDS = "The picture itself needs pygraphviz: pip install 'ag-autodiff[draw]'"


class Drawing:
    """A graph as a picture: it shows itself in a notebook, and ``save`` writes it to a file.

    nodes        what is drawn: discs for leaves and quantities, plates for constants
    edges        the arrows between them
    title        what is drawn, in one line
    description  its equations in order, as a screen reader reads them

    A large graph is folded: what one line of the program computed again and again is one disc. It is folded harder if the
    picture would be too wide to be read, or if Graphviz takes too long to find it.
    """

    def __init__(self, graph: Graph, backward: bool = False) -> None:
        self._graph = graph
        self._backward = backward
        self._layout: Layout | None = None
        self._fold(0)

    def _fold(self, start: int) -> None:
        """Take the first degree of folding, from ``start`` on, that draws few enough nodes and edges."""
        for i in range(start, len(LIMITS)):
            found = picture(self._graph, LIMITS[i], self._backward)
            if len(found.nodes) <= NODES and len(found.edges) <= EDGES:
                break
        self._degree, self._picture = i, found
        # From left to right, as one reads, if the picture can be narrow enough.
        self._across = found.levels * (2 * found.radius + CLOSEST) <= WIDEST

    @property
    def picture(self) -> Picture:
        """What is drawn, without where."""
        return self._picture

    @property
    def nodes(self) -> tuple[Shown, ...]:
        """What is drawn: discs and plates."""
        return self._picture.nodes

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The arrows between the nodes."""
        return self._picture.edges

    @property
    def title(self) -> str:
        """What is drawn, in one line."""
        return self._picture.title

    @property
    def description(self) -> str:
        """The equations in order."""
        return self._picture.description

    def _placed(self) -> Layout:
        """The layout; the graph is folded as hard as is needed to find one that can be read."""
        while self._layout is None:
            last = self._degree == len(LIMITS) - 1
            try:
                found = {self._across: self._try(self._across)}
                if not _fits(found[self._across]):
                    found[not self._across] = self._try(not self._across)
            except LayoutTimeout:
                if last:
                    raise TimeoutError(
                        f"Graphviz found no places for {len(self.nodes)} nodes within {layout.SECONDS:g} seconds; "
                        f"DOT and Mermaid text need none: .save('graph.dot'), .save('graph.mmd')"
                    ) from None
                self._fold(self._degree + 1)
                continue
            across = min(found, key=lambda key: found[key].width)
            broad = found[across].height > TALLEST and len(self.nodes) > BROAD * self._picture.levels
            if last or (_fits(found[across]) and not broad):
                self._layout, self._across = found[across], across
            else:
                self._fold(self._degree + 1)
        return self._layout

    def _try(self, across: bool) -> Layout:
        sizes = {node.key: self._picture.size(node) for node in self.nodes}
        plates = {i: edge.plate for i, edge in enumerate(self.edges) if edge.label}
        return layout.laid_out(dot(self._picture, across), sizes, plates)

    # ------------------------------------------------------------------ as it is shown

    def svg(self) -> str:
        """As SVG text. Raises ImportError if there is no pygraphviz."""
        placed = self._placed()  # first, as it may fold the picture
        return svg(self._picture, placed)

    def png(self) -> bytes:
        """As a PNG file. Raises ImportError if there is no pygraphviz."""
        return self._rendered("png")

    def pdf(self) -> bytes:
        """As a PDF file. Raises ImportError if there is no pygraphviz."""
        return self._rendered("pdf")

    def dot(self) -> str:
        """As text in DOT, Graphviz's language."""
        return dot(self._picture, self._across)

    def mermaid(self) -> str:
        """As text in Mermaid, which notebooks and code hosts draw by themselves."""
        return mermaid(self._picture, self._across)

    def html(self) -> str:
        """As a page that works by itself: the drawing, and both passes step by step."""
        from .page import page  # which draws, and stands above

        return page(self._graph)

    def _rendered(self, form: str) -> bytes:
        placed, limit = self._placed(), layout.SECONDS
        try:
            return layout.graphviz(dot(self._picture, self._across, placed, DPI[form]), form, "nop2")
        except LayoutTimeout:
            raise TimeoutError(f"Graphviz did not write the {form.upper()} within {limit:g} seconds; save the .svg") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, by its ending: .svg, .png, .pdf, .dot, .mmd, or .html, the page that steps through it.

        Raises ValueError for another ending, ImportError if there is no pygraphviz for .svg, .png and .pdf.
        """
        forms: dict[str, Callable[[], str | bytes]] = {
            ".svg": self.svg, ".png": self.png, ".pdf": self.pdf, ".dot": self.dot, ".mmd": self.mermaid, ".html": self.html,
        }  # fmt: skip
        write_by_ending(path, forms)

    def __repr__(self) -> str:
        return f"<{self.title}; a notebook shows it, .save('graph.svg') writes it>"

    def _repr_svg_(self) -> str | None:
        return self.svg() if layout.installed() else None

    def _repr_html_(self) -> str | None:
        return self._repr_svg_()  # within a page, SVG keeps its titles, for pointers and for screen readers

    def _repr_markdown_(self) -> str | None:
        return None if layout.installed() else f"```mermaid\n{self.mermaid()}```\n\n{NEEDS}\n"


def _fits(placed: Layout) -> bool:
    return placed.width + 2 * PAD <= WIDEST


def draw(f: Any, *args: Any, backward: bool = False, cotangent: Any = None) -> Drawing:
    """The picture of a graph: leaves, quantities as blue discs, constants as grey plates, and an arrow for each use.

    Arguments: ``f``, a node, before or after ``backward()``; or a function of numbers and arrays, with its arguments ``args``, as
    for `ag.explain`; ``backward``, whether to draw the backward pass: ∂f/∂z in each disc, and on each arrow the local partial
    by which the derivative is multiplied on its way back; ``cotangent``, the weights of the derivative, for an output with
    several elements.

    Returns a `Drawing`, which shows itself in a notebook, and is saved by ``.save("graph.svg")``, or .png, .pdf (these need the
    extra ``draw``), .dot, .mmd, .html. A disc bears the name that `ag.explain` gives the quantity, its value, its shape, and its
    ``grad`` if there is one.

    Raises TypeError for what is neither a node nor a function that returns one, ValueError for a backward drawing of an output
    with several elements and no cotangent.

    >>> x, y = ag.Scalar(2.0, label="x"), ag.Scalar(1.0, label="y")
    >>> picture = ag.draw(ag.log(x) * y)
    >>> picture
    <Computation graph of f: 4 quantities, 2 leaves; a notebook shows it, .save('graph.svg') writes it>
    >>> [(edge.tail, edge.head) for edge in picture.edges]
    [('z1', 'z3'), ('z3', 'z4'), ('z2', 'z4')]
    """
    graph = Graph(output_of(f, args, "ag.draw"), cotangent, "ag.draw")
    if backward and not graph.differentiated:
        raise ValueError(
            f"ag.draw: a backward drawing needs an output with one element, got {describe(graph.root)}: "
            f"reduce it, for example by .sum(), or give its cotangent"
        )
    return Drawing(graph, backward)

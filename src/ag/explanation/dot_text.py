"""A picture in DOT, Graphviz's language: it is laid out from this, and can be saved as it is."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from .appearance import BACKWARD, FONTS, FORWARD, KINDS, LETTERS, PARTIAL, SMALL, runs
from .layout import POINTS, Curve, Layout, Point, discs
from .picture import Edge, Picture, Shown
from .writing import Line

RING = 4  # how far a second periphery lies outside


def dot(picture: Picture, across: bool, layout: Layout | None = None, dpi: int = 96) -> str:
    """The picture in DOT, from left to right if ``across``, else from top to bottom; with a layout, everything in its place."""
    writer = _Writer(picture, layout)
    labelled = any(edge.label for edge in picture.edges)
    # Operands stand in their order; of folded ones there is none.
    order = "" if any(node.is_stack for node in picture.nodes) else " ordering=in"
    # Nodes are drawn as they are written: of a stack the front disc covers the one behind.
    drawn_in = "" if layout is None else " outputorder=nodesfirst"
    between = (0.36 if labelled else 0.42) if across else (0.62 if labelled else 0.4)
    spread = f"nodesep={0.22 if across else 0.3} ranksep={between}"
    font = f"fontname={quoted(FONTS)}"
    lines = [
        "digraph {",
        f"  graph [rankdir={'LR' if across else 'TB'} {spread}{order}{drawn_in} bgcolor=transparent pad=0.1 dpi={dpi}"
        f" tooltip={quoted(picture.title)}]",
        f"  node [{font} fixedsize=true penwidth=1.4]",
        f"  edge [{font} color={quoted(FORWARD)} penwidth=1.2 arrowsize=0.7]",
    ]
    lines += [f"  {line}" for node in picture.nodes for line in writer.node(node)]
    edges = list(enumerate(picture.edges))
    if layout is not None:
        edges.sort(key=lambda pair: bool(pair[1].label))  # what is written last lies on top
    lines += [f"  {edge.tail} -> {edge.head} [{' '.join(writer.edge(i, edge))}]" for i, edge in edges]
    return "\n".join([*lines, "}", ""])


class _Writer:
    """Writes the attributes of nodes and edges."""

    def __init__(self, picture: Picture, layout: Layout | None) -> None:
        self.picture = picture
        self.layout = layout

    def node(self, node: Shown) -> Iterable[str]:
        colours = KINDS[node.kind]
        paint = f"fillcolor={quoted(colours.face)} color={quoted(colours.rim)}"
        shape = 'shape=box style="filled,rounded"' if node.is_plate else "shape=circle style=filled"
        text = "<BR/>".join(_html(line, colours.faint if line.faint else colours.ink) for line in node.lines)
        says = f"label=<{text}> tooltip={quoted(node.note)}"
        if self.layout is None:
            w, h = self.picture.size(node)
            if node.is_stack:
                shape, w, h = shape + " peripheries=2", w - 2 * RING, h - 2 * RING
            yield f"{node.key} [{shape} {_size(w, h)} {paint} {says}]"
            return
        *behind, front = discs(self.layout.nodes[node.key], node.is_stack)
        for box in behind:
            yield f'{node.key}_behind [{shape} {_size(box.width, box.height)} {paint} label="" {self._pos((box.x, box.y))}]'
        yield f"{node.key} [{shape} {_size(front.width, front.height)} {paint} {says} {self._pos((front.x, front.y))}]"

    def edge(self, i: int, edge: Edge) -> list[str]:
        fields = [f"id={i}"]
        if edge.again:
            fields.append("style=dashed" + (" constraint=false" if edge.tail != edge.head else ""))
        if self.picture.backward:  # nothing flows back to a constant
            fields.append(f"dir=back color={quoted(BACKWARD)}" if edge.carries else "dir=none")
        if edge.label:
            fields.append(f"label=<{_plate(edge)}>")
        if edge.note:
            fields.append(f"tooltip={quoted(edge.note)}")
        if self.layout is not None:
            fields += self._course(self.layout.edges[i])
        return fields

    def _course(self, curve: Curve) -> Iterable[str]:
        ends = [f"{end},{self._point(at)}" for end, at in (("s", curve.start), ("e", curve.end)) if at is not None]
        yield f'pos="{" ".join([*ends, *map(self._point, curve.points)])}"'
        if curve.label is not None:
            yield f'lp="{self._point(curve.label)}"'

    def _pos(self, point: Point) -> str:
        return f'pos="{self._point(point)}"'

    def _point(self, point: Point) -> str:
        assert self.layout is not None
        return f"{point[0]:.2f},{self.layout.height - point[1]:.2f}"


def _size(w: float, h: float) -> str:
    return f"width={w / POINTS:.3f} height={h / POINTS:.3f}"


def _plate(edge: Edge) -> str:
    """The plate on an edge: a table of one cell, of our own size."""
    w, h = edge.plate
    size = f'FIXEDSIZE="TRUE" WIDTH="{w:.0f}" HEIGHT="{h:.0f}"'
    text = _html(Line(edge.label, "note"), PARTIAL.ink)
    return (
        f'<TABLE BORDER="1" CELLBORDER="0" CELLPADDING="0" CELLSPACING="0" STYLE="ROUNDED" BGCOLOR="{PARTIAL.face}"'
        f' COLOR="{PARTIAL.rim}" {size}><TR><TD ALIGN="CENTER" {size}>{text}</TD></TR></TABLE>'
    )


TAGS = {0: "", 1: "SUP", -1: "SUB"}


def _html(line: Line, colour: str) -> str:
    letters = LETTERS[line.letters]
    text = "".join(
        f'<{tag}><FONT POINT-SIZE="{letters.size * SMALL:g}">{escape(run.text)}</FONT></{tag}>' if tag else escape(run.text)
        for run in runs(line.text) for tag in (TAGS[run.level],)
    )
    text = f"<B>{text}</B>" if letters.bold else text
    return f'<FONT POINT-SIZE="{letters.size:g}" COLOR="{colour}">{text}</FONT>'


def quoted(text: str) -> str:
    """A string of DOT that says exactly this."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

"""A picture with its layout as SVG: drawn with the plainest means, so that every program shows it alike."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from html import escape

from .appearance import BACKWARD, FONTS, FORWARD, KINDS, LETTERS, PARTIAL, SMALL, Colours, runs
from .layout import Box, Curve, Layout, discs
from .picture import Edge, Picture, Shown
from .writing import Line

LETTERING = f'font-family="{FONTS}" text-anchor="middle"'
PAD = 10.0
TIP, WING = 8.0, 3.2  # length and half the width of an arrowhead


def svg(picture: Picture, layout: Layout) -> str:
    """The picture as SVG text."""
    parts = [f'<g transform="translate({PAD:g} {PAD:g})" fill="none" stroke-width="1.4" {LETTERING}>']
    for i, edge in enumerate(picture.edges):
        parts += _edge(edge, layout.edges[i], picture.backward)
    for node in picture.nodes:
        parts += _node(node, layout.nodes[node.key])
    for i, edge in enumerate(picture.edges):
        at = layout.edges[i].label
        if edge.label and at is not None:
            parts += _label(edge, at)
    body = "\n".join([*parts, "</g>"])
    # Several pictures may stand on one page, and the titles are found by their ids.
    name = "ag-" + hashlib.sha256((picture.description + body).encode()).hexdigest()[:10]
    w, h = layout.width + 2 * PAD, layout.height + 2 * PAD
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w:.0f}" height="{h:.0f}" viewBox="0 0 {w:.2f} {h:.2f}" role="img"',
        f' aria-labelledby="{name}-title {name}-desc" style="max-width:100%;height:auto">',
        f'<title id="{name}-title">{escape(picture.title)}</title>',
        f'<desc id="{name}-desc">{escape(picture.description)}</desc>',
        body, "</svg>", "",
    ])  # fmt: skip


def _node(node: Shown, box: Box) -> Iterable[str]:
    colours = KINDS[node.kind]
    yield f'<g class="ag-{node.kind}" data-key="{node.key}">'
    yield f"<title>{escape(node.note)}</title>"
    paint = f'fill="{colours.face}" stroke="{colours.rim}"'
    if node.is_plate:
        x, y = box.x - box.width / 2, box.y - box.height / 2
        yield f'<rect x="{x:.2f}" y="{y:.2f}" width="{box.width:.2f}" height="{box.height:.2f}" rx="7" {paint}/>'
    else:
        *behind, box = discs(box, node.is_stack)
        for disc in (*behind, box):
            yield f'<circle cx="{disc.x:.2f}" cy="{disc.y:.2f}" r="{disc.width / 2:.2f}" {paint}/>'
    yield from _lines(node.lines, box.x, box.y, colours)
    yield "</g>"


def _lines(lines: tuple[Line, ...], x: float, y: float, colours: Colours) -> Iterable[str]:
    """Lines under each other, the middle of all at (x, y)."""
    top = y - sum(LETTERS[line.letters].height for line in lines) / 2
    for line in lines:
        letters = LETTERS[line.letters]
        baseline = top + letters.height / 2 + 0.35 * letters.size
        top += letters.height
        weight = ' font-weight="bold"' if letters.bold else ""
        kind = f' class="ag-{line.number}"' if line.number else ""
        yield (
            f'<text{kind} x="{x:.2f}" y="{baseline:.2f}" font-size="{letters.size:g}"{weight}'
            f' fill="{colours.faint if line.faint else colours.ink}">{_runs(line.text, letters.size)}</text>'
        )


SHIFTS = {0: 0.0, 1: -0.35, -1: 0.2}  # of the baseline, relative to the size of the letters


def _runs(text: str, size: float) -> str:
    out, level = "", 0
    for run in runs(text):
        move = f' dy="{(SHIFTS[run.level] - SHIFTS[level]) * size:.1f}"' if run.level != level else ""
        small = f' font-size="{size * SMALL:g}"' if run.level else ""
        out += f"<tspan{move}{small}>{escape(run.text)}</tspan>" if move or small else escape(run.text)
        level = run.level
    return out


def _edge(edge: Edge, curve: Curve, backward: bool) -> Iterable[str]:
    colour = BACKWARD if backward and edge.carries else FORWARD
    first, *rest = curve.points
    path = f"M{first[0]:.1f},{first[1]:.1f}C" + " ".join(f"{x:.1f},{y:.1f}" for x, y in rest)
    dashes = ' stroke-dasharray="5 4"' if edge.again else ""
    yield f'<g class="ag-edge" data-tail="{edge.tail}" data-head="{edge.head}" stroke="{colour}">'
    if edge.note:
        yield f"<title>{escape(edge.note)}</title>"
    yield f'<path d="{path}"{dashes}/>'
    for tip, base in ((curve.end, curve.points[-1]), (curve.start, curve.points[0])):
        if tip is not None:
            yield _arrowhead(base, tip, colour)
    yield "</g>"


def _arrowhead(base: tuple[float, float], tip: tuple[float, float], colour: str) -> str:
    dx, dy = tip[0] - base[0], tip[1] - base[1]
    length = math.hypot(dx, dy) or 1.0
    dx, dy = dx / length, dy / length
    bx, by = tip[0] - TIP * dx, tip[1] - TIP * dy
    points = (tip, (bx - WING * dy, by + WING * dx), (bx + WING * dy, by - WING * dx))
    return f'<polygon points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="{colour}" stroke="none"/>'


def _label(edge: Edge, at: tuple[float, float]) -> Iterable[str]:
    (w, h), (x, y) = edge.plate, at
    use = f' data-use="{edge.use[0]}.{edge.use[1]}"' if edge.use else ""
    yield f'<g class="ag-partial" data-tail="{edge.tail}" data-head="{edge.head}"{use}><title>{escape(edge.note)}</title>'
    yield (
        f'<rect x="{x - w / 2:.1f}" y="{y - h / 2:.1f}" width="{w:.1f}" height="{h:.1f}" rx="6"'
        f' fill="{PARTIAL.face}" stroke="{PARTIAL.rim}" stroke-width="1"/>'
    )
    yield from _lines((Line(edge.label, "note"),), x, y, PARTIAL)
    yield "</g>"

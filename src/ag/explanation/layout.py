"""Graphviz, run aside: where the nodes and edges of a drawing go, and the drawing as PNG or PDF.

Graphviz may take for ever, and can't be interrupted where it runs. So it runs in a process of its own, which is ended when its
time is over.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

SECONDS = 5.0
POINTS = 72  # to an inch: Graphviz gives sizes in inches, and places in points
GAP = 2.0  # between labels
STACKED = 4.0  # how far two discs stand out behind each other

Point = tuple[float, float]

# What the process runs: it reads DOT and writes what Graphviz makes of it. Graphviz's warnings (of fonts) help nobody.
RUN = """
import sys
import pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog=sys.argv[2]))
"""


class LayoutTimeout(Exception):
    """Graphviz took longer than it may."""


class Box(NamedTuple):
    """Where a node or a label stands: its middle, its width and its height; y grows downwards."""

    x: float
    y: float
    width: float
    height: float


class Curve(NamedTuple):
    """An edge: the points of its Bézier curves, the tips of its arrows at the start and at the end, and the middle of its label;
    ``loop``: it ends where it starts."""

    points: tuple[Point, ...]
    start: Point | None
    end: Point | None
    label: Point | None
    loop: bool


class Layout(NamedTuple):
    """Where everything of a picture goes, in pixels: nodes by their key, edges by their number."""

    width: float
    height: float
    nodes: dict[str, Box]
    edges: dict[int, Curve]


def installed() -> bool:
    """Is there a Graphviz to run?"""
    try:
        return find_spec("pygraphviz") is not None
    except ImportError:
        return False


def graphviz(dot: str, form: str, engine: str = "dot") -> bytes:
    """What Graphviz makes of DOT text, in one of its formats: ``engine`` "dot" finds the places, "nop2" keeps those in the text.

    Raises ImportError if it is not installed, LayoutTimeout after ``SECONDS``, RuntimeError with its own words if it fails.
    """
    if not installed():
        raise ImportError(
            "drawing as SVG, PNG or PDF needs pygraphviz: pip install 'ag-autodiff[draw]'; "
            "DOT and Mermaid text need nothing: .save('graph.dot'), .save('graph.mmd')"
        )
    # -P, and the same path as here, so that no module of the working folder is taken for one of Graphviz's.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        command = [sys.executable, "-P", "-c", RUN, form, engine]
        done = subprocess.run(command, input=dot.encode(), capture_output=True, timeout=SECONDS, env=environment)
    except subprocess.TimeoutExpired:
        raise LayoutTimeout from None
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise RuntimeError(f"Graphviz failed: {words[-1] if words else f'it ended with code {done.returncode}'}")
    return done.stdout


def laid_out(dot: str, sizes: dict[str, Point], labels: dict[int, Point]) -> Layout:
    """The layout that Graphviz finds for DOT text whose nodes bear their keys, and whose edges their numbers as ids.

    ``sizes``: of the nodes; ``labels``: of the plates on the edges. Graphviz puts these beside the edges; here they are moved
    onto them.
    """
    found: dict[str, Any] = json.loads(graphviz(dot, "json0"))
    _, _, width, height = map(float, found["bb"].split(","))

    def point(text: str) -> Point:
        x, y = map(float, text.split(","))
        return x, height - y

    nodes = {node["name"]: Box(*point(node["pos"]), *sizes[node["name"]]) for node in found["objects"]}
    edges = {}
    for edge in found.get("edges", ()):
        ends: dict[str, Point] = {}
        points = []
        for part in edge["pos"].split():
            if part[0] in "se":
                ends[part[0]] = point(part[2:])
            else:
                points.append(point(part))
        label = point(edge["lp"]) if "lp" in edge else None
        edges[int(edge["id"])] = Curve(tuple(points), ends.get("s"), ends.get("e"), label, edge["tail"] == edge["head"])
    return Layout(width, height, nodes, _labels_on_edges(edges, nodes, labels))


def _labels_on_edges(edges: dict[int, Curve], nodes: dict[str, Box], sizes: dict[int, Point]) -> dict[int, Curve]:
    """Each label on its edge, near the middle, where it covers nothing else; at least no other text."""
    taken = {i: Box(*curve.label, *sizes[i]) for i, curve in edges.items() if curve.label}
    ways = {i: np.array(list(along(curve.points))) for i, curve in edges.items()}
    for i, box in taken.items():
        if edges[i].loop:
            continue
        others = [*nodes.values(), *(other for j, other in taken.items() if j != i)]
        lines = np.concatenate([way for j, way in ways.items() if j != i] or [np.zeros((0, 2))])
        places = [box._replace(x=x, y=y) for x, y in _along_the_middle(ways[i])]
        free = [place for place in places if not any(_meet(place, other) for other in others)]
        best = next((place for place in free if not _covers(place, lines)), free[0] if free else box)
        taken[i] = best
        edges[i] = edges[i]._replace(label=(best.x, best.y))
    return edges


def _along_the_middle(way: Any) -> Any:
    """Places along a line: the middle first, then further and further from it."""
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(way, axis=0).T))])
    parts = np.array([0.5, 0.44, 0.56, 0.38, 0.62, 0.32, 0.68]) * lengths[-1]
    return np.stack([np.interp(parts, lengths, way[:, 0]), np.interp(parts, lengths, way[:, 1])], axis=-1).tolist()


def _covers(box: Box, points: Any) -> bool:
    return bool(np.any((abs(points[:, 0] - box.x) < box.width / 2 + GAP) & (abs(points[:, 1] - box.y) < box.height / 2 + GAP)))


def along(points: tuple[Point, ...], steps: int = 16) -> Iterator[Point]:
    """Points along the Bézier curves of an edge."""
    for i in range(0, len(points) - 1, 3):
        a, b, c, d = points[i : i + 4]
        for k in range(steps + 1):
            t = k / steps
            w = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
            yield (
                w[0] * a[0] + w[1] * b[0] + w[2] * c[0] + w[3] * d[0],
                w[0] * a[1] + w[1] * b[1] + w[2] * c[1] + w[3] * d[1],
            )


def _meet(a: Box, b: Box) -> bool:
    return abs(a.x - b.x) < (a.width + b.width) / 2 + GAP and abs(a.y - b.y) < (a.height + b.height) / 2 + GAP


def discs(box: Box, several: bool) -> tuple[Box, ...]:
    """Of one quantity a disc that fills the box; of several two of them, one behind the other, that fill it together."""
    if not several:
        return (box,)
    size = box.width - STACKED
    return tuple(Box(box.x + shift, box.y - shift, size, size) for shift in (STACKED / 2, -STACKED / 2))

"""A picture in Mermaid, which notebooks, GitHub and GitLab draw by themselves."""

from __future__ import annotations

import math

from .appearance import BACKWARD, FORWARD, KINDS, LETTERS, MARGIN, Letters, radius, runs, width
from .picture import Edge, Picture, Shown
from .writing import Line

DIRECTIONS = {(True, False): "LR", (False, False): "TB", (True, True): "RL", (False, True): "BT"}
SAFE = " .,+=/"
TAGS = {0: "{}", 1: "<sup>{}</sup>", -1: "<sub>{}</sub>"}
SIZE, HEIGHT = 16, 24  # of Mermaid's letters and lines
PADDING = 15  # what it adds to the diameter of a circle
SPACE = "\u00a0"  # one that is not removed


def mermaid(picture: Picture, across: bool) -> str:
    """The picture as a flowchart of Mermaid. In a backward one the arrows lead from the output back to the leaves."""
    lines = [f"flowchart {DIRECTIONS[across, picture.backward]}"]
    lines += [f"  accTitle: {_word(picture.title)}", f"  accDescr: {_word(picture.description)}"]
    diameter = 2 * max(radius(_widths(node), MARGIN) for node in picture.nodes if not node.is_plate)
    lines += [f"  {_node(node, diameter)}" for node in picture.nodes]
    lines += [f"  {_edge(edge, picture.backward)}" for edge in picture.edges]
    for kind, colours in KINDS.items():
        keys = ",".join(node.key for node in picture.nodes if node.kind == kind)
        if keys:
            lines.append(f"  classDef {kind} fill:{colours.face},stroke:{colours.rim},color:{colours.ink}")
            lines.append(f"  class {keys} {kind}")
    lines.append(f"  linkStyle default stroke:{BACKWARD if picture.backward else FORWARD}")
    still = ",".join(str(i) for i, edge in enumerate(picture.edges) if picture.backward and not edge.carries)
    if still:
        lines.append(f"  linkStyle {still} stroke:{FORWARD}")
    return "\n".join([*lines, ""])


def _widths(node: Shown) -> list[tuple[float, Letters]]:
    return [(width(line.text, _letters(line)), _letters(line)) for line in node.lines]


def _letters(line: Line) -> Letters:
    return Letters(SIZE, LETTERS[line.letters].bold, HEIGHT)


def _node(node: Shown, diameter: float) -> str:
    first, *more = node.lines
    texts = [_line(line) for line in more]
    if node.is_plate:
        return f'{node.key}["{"<br/>".join([_line(first), *texts])}"]'
    # Mermaid's circles are as large as their text is wide, however many lines there are: spaces widen the first.
    missing = diameter - PADDING - width(first.text, _letters(first))
    spaces = SPACE * math.ceil(max(missing, 0) / 2 / width(" ", _letters(first)))
    left, right = ("(((", ")))") if node.is_stack else ("((", "))")
    return f'{node.key}{left}"{"<br/>".join([_line(first, spaces), *texts])}"{right}'


def _edge(edge: Edge, backward: bool) -> str:
    label = f'|"{_line(Line(edge.label, "note"))}"|' if edge.label else ""
    arrow = "-.->" if edge.again else "-->" if edge.carries else "---"  # nothing flows back to a constant
    if backward:
        return f"{edge.head} {arrow}{label} {edge.tail}"
    return f"{edge.tail} {arrow.replace('---', '-->')}{label} {edge.head}"


def _line(line: Line, spaces: str = "") -> str:
    text = spaces + "".join(TAGS[run.level].format(_word(run.text)) for run in runs(line.text)) + spaces
    return f"<b>{text}</b>" if LETTERS[line.letters].bold else text


def _word(text: str) -> str:
    """Text that Mermaid takes for nothing else: all but letters, digits and a few signs as entities."""
    return "".join(c if c.isalnum() or c in SAFE or ord(c) > 127 else f"#{ord(c)};" for c in text)

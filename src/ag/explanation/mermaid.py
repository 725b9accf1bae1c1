"""A picture in Mermaid, which notebooks, GitHub and GitLab draw by themselves."""

from __future__ import annotations

from .appearance import BACKWARD, FORWARD, KINDS, LETTERS, runs
from .picture import Edge, Picture, Shown
from .writing import Line


def mermaid(picture: Picture, across: bool) -> str:
    """The picture as a flowchart of Mermaid."""
    lines = [f"flowchart {'LR' if across else 'TB'}"]
    lines += [f"  accTitle: {_word(picture.title)}", f"  accDescr: {_word(picture.description)}"]
    lines += [f"  {_node(node)}" for node in picture.nodes]
    lines += [f"  {_edge(edge, picture.backward)}" for edge in picture.edges]
    for kind, colours in KINDS.items():
        keys = ",".join(node.key for node in picture.nodes if node.kind == kind)
        if keys:
            lines.append(f"  classDef {kind} fill:{colours.face},stroke:{colours.rim},color:{colours.ink}")
            lines.append(f"  class {keys} {kind}")
    lines.append(f"  linkStyle default stroke:{BACKWARD if picture.backward else FORWARD}")
    return "\n".join([*lines, ""])


def _node(node: Shown) -> str:
    text = "<br/>".join(map(_line, node.lines))
    if node.is_plate:
        return f'{node.key}["{text}"]'
    return f'{node.key}((("{text}")))' if node.is_stack else f'{node.key}(("{text}"))'


def _edge(edge: Edge, backward: bool) -> str:
    label = f'|"{_line(Line(edge.label, "note"))}"|' if edge.label else ""
    if backward and edge.carries:
        return f"{edge.head} {'-.->' if edge.again else '-->'}{label} {edge.tail}"
    return f"{edge.tail} {'-.->' if edge.again else '-->'}{label} {edge.head}"


def _line(line: Line) -> str:
    text = "".join(TAGS[run.level].format(_word(run.text)) for run in runs(line.text))
    return f"<b>{text}</b>" if LETTERS[line.letters].bold else text


def _word(text: str) -> str:
    """Text that Mermaid takes for nothing else: all but letters, digits and a few signs as entities."""
    return "".join(c if c.isalnum() or c in SAFE or ord(c) > 127 else f"#{ord(c)};" for c in text)


SAFE = " .,+=/"
TAGS = {0: "{}", 1: "<sup>{}</sup>", -1: "<sub>{}</sub>"}

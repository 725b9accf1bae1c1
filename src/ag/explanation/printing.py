"""An explanation as text for a terminal, as Markdown, and as a LaTeX document."""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Iterable

import numpy as np

from ..node import Node
from . import steps
from .folding import Block, folded
from .numerals import LISTED, numeral, summary, times
from .quantities import Graph, Quantity
from .steps import Latex, Notation, Text

NARROWEST, WIDEST = 40, 160
LEAST = 16  # characters of a value that should be seen


def place(q: Quantity | Node) -> str:
    """The line of the program, short: model.py:12."""
    source = q.source
    return f"{os.path.basename(source.file)}:{source.line}" if source else ""


def blocks_of(graph: Graph, fold: bool) -> list[Block]:
    """What is shown: every quantity, or blocks of them if there are many."""
    return folded(graph.quantities) if fold else [Block((q,)) for q in graph.quantities]


def title(graph: Graph) -> str:
    """What is explained, in one line."""
    n = len(graph.quantities)
    leaves = sum(q.op is None for q in graph.quantities)
    what = "quantity" if n == 1 else "quantities"
    return f"{graph.output_name.text}: {n:,} {what}, {leaves:,} of them {'a leaf' if leaves == 1 else 'leaves'}"


def equation(q: Quantity, notation: Notation) -> str:
    """z7 = log z6; of a leaf the equation with its label."""
    right = steps.definition(q, notation)
    return notation.name(q.name) + (notation.equals + right if right else "")


def words(block: Block) -> str:
    """The values of a block in a few words."""
    if block.size == 1:
        return steps.value(block.first)
    values = np.array([np.mean(q.value) for q in block.quantities])
    low, high = numeral(values.min()), numeral(values.max())
    spread = summary(values) if block.size > LISTED else low if low == high else f"{low} ... {high}"
    return f"× {block.size:,}   {spread}"


# ---------------------------------------------------------------------- a terminal


def text(
    graph: Graph, width: int | None = None, fold: bool = True, marks: dict[Quantity, str] | None = None,
    warnings: Iterable[str] = (),
) -> str:
    """All of it for a terminal of ``width`` characters (None: the one at hand)."""
    width = columns(width)
    blocks = blocks_of(graph, fold)
    lines = [title(graph), "", *forward(blocks, width)]
    if graph.differentiated:
        lines += ["", "backward"]
        for block in reversed(blocks):
            lines += _chain(block, width, (marks or {}).get(block.last, ""))
    else:
        lines += ["", f"no derivative: {graph.output_name.text} has {graph.output.node.value.size} elements; give its cotangent"]
    for warning in warnings:
        lines += ["", *textwrap.wrap(warning, width, initial_indent="! ", subsequent_indent="  ", break_long_words=False)]
    return "\n".join(lines)


def columns(width: int | None) -> int:
    """How many characters a line may have: as asked for, or as the terminal at hand has."""
    return min(max(width or shutil.get_terminal_size((100, 24)).columns, NARROWEST), WIDEST)


def forward(blocks: list[Block], width: int) -> list[str]:
    """The quantities with their values and the lines of the program."""
    return ["forward", *_columns([(equation(b.first, Text), words(b), place(b.first)) for b in blocks], width)]


def _columns(rows: list[tuple[str, str, str]], width: int) -> list[str]:
    """Three columns under each other; the middle one is cut, and the last one left out, where the width asks for it."""
    first = min(max(len(a) for a, _, _ in rows), max(width // 2, 24))
    last = max(len(c) for _, _, c in rows)
    needed = max(len(b) for _, b, _ in rows)
    middle = min(needed, width - first - last - 8)
    if middle < min(needed, LEAST):
        last, middle = 0, min(needed, max(width - first - 5, 8))
    lines = []
    for a, b, c in rows:
        head, *rest = textwrap.wrap(a, first, subsequent_indent="    ", break_long_words=False) or [""]
        line = f"  {head.ljust(first)}   {cut(b, middle).ljust(middle)}" + (f"   {c}" if last else "")
        lines += [line.rstrip(), *(f"  {more}" for more in rest)]
    return lines


def cut(line: str, width: int) -> str:
    """The line, ended by ... where it is longer."""
    return line if len(line) <= width else line[: max(width - 3, 0)] + "..."


def _chain(block: Block, width: int, mark: str) -> list[str]:
    q = block.last
    sides = steps.chain(q, Text)
    note = "  " + f"({times(q.shape)})" if q.shape else ""
    if block.size > 1:
        note += f"   × {block.size:,}"
    given = steps.given(q, Text)
    if given:
        note += f"   with {'; '.join(given)}"
    if any(not term.depends for term in q.terms):
        note += "   a branch not taken contributes exactly 0"
    lines = wrapped(sides, width - 2, note + (f"   {mark}" if mark else ""))
    return [f"  {line}" for line in lines]


def wrapped(sides: list[str], width: int, note: str = "") -> list[str]:
    """Equal sides on one line if they fit, else one under the other."""
    line = " = ".join(sides) + note
    if len(line) <= width:
        return [line]
    start = " " * len(sides[0]) if len(sides[0]) < width // 3 else "  "
    lines: list[str] = []
    for i, side in enumerate(sides[1:], 1):
        whole = (sides[0] if i == 1 and start.strip() == "" and len(start) == len(sides[0]) else start) + " = " + side
        whole += note if i == len(sides) - 1 else ""
        lines += textwrap.wrap(whole, width, subsequent_indent=start + "   ", break_long_words=False, drop_whitespace=True)
    if not lines or not lines[0].startswith(sides[0]):
        lines.insert(0, sides[0])
    return lines


# ---------------------------------------------------------------------- Markdown and LaTeX


def markdown(graph: Graph, fold: bool = True, warnings: Iterable[str] = ()) -> str:
    """All of it as Markdown, with the formulas in TeX between dollars."""
    blocks = blocks_of(graph, fold)
    lines = [f"**{title(graph)}**", "", "| quantity | value | line |", "|---|---|---|"]
    lines += [f"| ${_cell(equation(b.first, Latex))}$ | {_cell(words(b))} | {_cell(place(b.first))} |" for b in blocks]
    if graph.differentiated:
        lines += ["", "| the chain rule, backward | |", "|---|---|"]
        for b in reversed(blocks):
            note = [f"× {b.size:,}"] if b.size > 1 else []
            note += [f"({times(b.last.shape)})"] if b.last.shape else []
            note += [f"${_cell(g)}$" for g in steps.given(b.last, Latex)]
            lines.append(f"| ${_cell(' = '.join(steps.chain(b.last, Latex)))}$ | {', '.join(note)} |")
    for warning in warnings:
        lines += ["", "> " + warning.replace("*", r"\*").replace("_", r"\_")]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    text = text.replace(r"\operatorname{", r"\mathrm{")  # which GitHub refuses
    return text.replace("|", r"\vert ") if "$" not in text else text


PREAMBLE = r"""\documentclass{article}
\usepackage{amsmath,amssymb}
\usepackage[margin=2cm]{geometry}
\setlength{\parindent}{0pt}
\allowdisplaybreaks
"""


def latex(graph: Graph, fold: bool = True) -> str:
    """All of it as a LaTeX document that compiles as it is."""
    forward, *backward = equations(graph, fold)
    lines = [PREAMBLE, r"\begin{document}", rf"\section*{{{escaped(title(graph))}}}", forward]
    if backward:
        lines += [r"\section*{The chain rule, backward}", *backward]
    return "\n".join([*lines, r"\end{document}", ""])


def equations(graph: Graph, fold: bool = True) -> list[str]:
    """The equations of the forward pass, and those of the backward pass if there is one, each as an environment of LaTeX."""
    blocks = blocks_of(graph, fold)
    found = [_align(rf"{_aligned(equation(b.first, Latex))} && {escaped(words(b))}" for b in blocks)]
    if graph.differentiated:
        found.append(_align(line for b in reversed(blocks) for line in _latex_chain(b)))
    return ["\n".join(lines) for lines in found]


def _latex_chain(block: Block) -> Iterable[str]:
    head, *sides = steps.chain(block.last, Latex)
    note = [rf"({times(block.last.shape)})".replace("×", r"\times ")] if block.last.shape else []
    note += [rf"\times {block.size}"] if block.size > 1 else []
    note += [rf"\text{{with }} {g}" for g in steps.given(block.last, Latex)]
    for i, side in enumerate(sides):
        last = rf" \quad {' , '.join(note)}" if note and i == len(sides) - 1 else ""
        yield f"{head if i == 0 else ''} &= {side}{last}"


def _aligned(equation: str) -> str:
    left, equals, right = equation.partition(" = ")
    return f"{left} &= {right}" if equals else f"{left} &"


def _align(rows: Iterable[str]) -> list[str]:
    return [r"\begin{align*}", " \\\\\n".join(rows), r"\end{align*}"]


ESCAPES = {
    "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "#": r"\#", "$": r"\$", "_": r"\_", "×": r"$\times$", "∂": r"$\partial$",
    "...": r"\dots ",
}


def escaped(text: str) -> str:
    """Plain text in LaTeX."""
    for c, code in ESCAPES.items():
        text = text.replace(c, code)
    return rf"\text{{{text}}}" if text else ""

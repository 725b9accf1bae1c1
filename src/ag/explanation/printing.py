"""An explanation as text for a terminal, and what is said of a graph, line by line, wherever it is shown."""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ..node import Node
from . import steps
from .folding import SHOWN, Block, folded
from .numerals import LISTED, kind, numeral, summary, times
from .quantities import Graph, Quantity
from .steps import Notation, Text

NARROWEST, WIDEST = 40, 160
LEAST = 16  # characters of a value that should be seen
TALLEST = 126  # lines of a text
CONSTANTS = 8  # that are listed

Row = tuple[str, str, str]  # an equation, a value, and where it comes from
Marks = dict[Quantity, str]  # how the comparisons with differences went


def blocks_of(graph: Graph, fold: bool, limit: int = SHOWN) -> list[Block]:
    """What is shown: every quantity, or blocks of them if there are many."""
    return folded(graph.quantities, limit) if fold else [Block((q,)) for q in graph.quantities]


def title(graph: Graph) -> str:
    """What is explained, in one line."""
    n = len(graph.quantities)
    leaves = sum(q.op is None for q in graph.quantities)
    what = "quantity" if n == 1 else "quantities"
    return f"{graph.output_name.text}: {n:,} {what}, {leaves:,} of them {'a leaf' if leaves == 1 else 'leaves'}"


def place(q: Quantity | Node) -> str:
    """The line of the program, short: model.py:12."""
    source = q.source
    return f"{os.path.basename(source.file)}:{source.line}" if source else ""


def equation(q: Quantity, notation: Notation) -> str:
    """z7 = log z6, with its label if it has one that is not its name: z3 = s = z1 + z2; of a leaf the name and the label."""
    sides = [notation.name(q.name), steps.label(q, notation), steps.definition(q, notation) if q.op is not None else ""]
    return notation.equals.join(filter(None, sides))


def words(block: Block) -> str:
    """The values of a block in a few words."""
    if block.size == 1:
        return steps.value(block.first)
    values = np.array([np.mean(q.value) for q in block.quantities])
    low, high = numeral(values.min()), numeral(values.max())
    spread = summary(values) if block.size > LISTED else low if low == high else f"{low} ... {high}"
    return f"× {block.size:,}   {spread}"


def quantities(blocks: list[Block], notation: Notation) -> list[Row]:
    """The forward pass, a block a row."""
    rows = []
    for block in blocks:
        operators = dict.fromkeys(q.op.name for q in block.quantities if q.op is not None)
        if len(operators) > 1:  # folded so hard that no formula holds for all
            ends = notation.name(block.first.name) + notation.words(" ... ") + notation.name(block.last.name)
            names = ", ".join([*operators][:4]) + (", ..." if len(operators) > 4 else "")
            rows.append((ends, f"× {block.size:,}   {names}", place(block.first)))
        else:
            rows.append((equation(block.first, notation), words(block), place(block.first)))
    return rows


def constants(graph: Graph, notation: Notation) -> list[Row]:
    """The arrays that formulas name and that are no quantities."""
    rows = []
    for name, value, uses in graph.constants[:CONSTANTS]:
        rows.append((notation.name(name), (f"× {uses:,}   " if uses > 1 else "") + described(value), "constant"))
    more = len(graph.constants) - CONSTANTS
    return [*rows, (notation.words(f"{more:,} more"), "", "constants")] if more > 0 else rows


def described(x: Any) -> str:
    """An array or a number in a few words: (2×3) float32 0 ... 5, mean 2.5."""
    return " ".join(filter(None, (kind(x), summary(x))))


class Note(NamedTuple):
    """What is said beside the chain rule of a block."""

    shape: str  # of an array
    numbers: str  # of an array
    size: str  # for how many quantities it stands
    letters: list[str]  # what letters mean, as formulas
    branch: str  # that a branch was not taken


def note(block: Block, notation: Notation) -> Note:
    """What is to be said of the derivative with respect to a block, the chain rule apart."""
    q = block.last
    mixed = len({z.op for z in block.quantities}) > 1
    return Note(
        f"({times(q.shape)})" if q.shape else "",
        summary(q.adjoint) if q.shape and q.terms else "",
        "" if block.size == 1 else f"and {block.size - 1:,} more" if mixed else f"× {block.size:,}",
        steps.given(q, notation),
        "a branch not taken contributes exactly 0" if any(not term.depends for term in q.terms) else "",
    )


def mark(block: Block, marks: Marks) -> str:
    """How the comparisons of a block went: one that failed stands for all, else one that could not be made."""
    found = [marks[q] for q in reversed(block.quantities) if q in marks]
    return min(found, key=lambda text: "✗-✓".find(text[0]), default="")


# ---------------------------------------------------------------------- a terminal


def text(
    graph: Graph, width: int | None = None, fold: bool = True, marks: Marks | None = None, warnings: Iterable[str] = (),
) -> str:
    """All of it for a terminal of ``width`` characters (None: the one at hand); shorter, then folded harder, if it is long."""
    width = columns(width)
    lines: list[str] = []
    for limit, brief in ((SHOWN, False), (SHOWN, True), (30, True), (15, True), (8, True)) if fold else ((0, False),):
        blocks = blocks_of(graph, fold, limit)
        lines = [*wrapped_line(title(graph), width), "", *forward(blocks, width, graph, brief)]
        if graph.differentiated:
            lines += ["", "backward"]
            for block in reversed(blocks):
                lines += _chain(block, width, mark(block, marks or {}), brief)
        else:
            missing = f"no derivative: {graph.output_name.text} has {graph.output.node.value.size} elements; give its cotangent"
            lines += ["", *wrapped_line(missing, width)]
        if len(lines) <= TALLEST:
            break
    for warning in warnings:
        lines += ["", *textwrap.wrap(f"! {warning}", width, subsequent_indent="  ", break_on_hyphens=False)]
    return "\n".join(lines)


def columns(width: int | None) -> int:
    """How many characters a line may have: as asked for, or as the terminal at hand has."""
    return min(max(width or shutil.get_terminal_size((100, 24)).columns, NARROWEST), WIDEST)


def forward(blocks: list[Block], width: int, graph: Graph | None = None, brief: bool = False) -> list[str]:
    """The quantities with their values and the lines of the program; of a ``graph`` the constants, too."""
    rows = constants(graph, Text) if graph is not None else []
    return ["forward", *_columns([*rows, *quantities(blocks, Text)], width, brief)]


def _columns(rows: list[Row], width: int, brief: bool) -> list[str]:
    """Three columns under each other; the middle one is cut, and the last one left out, where the width asks for it."""
    first = min(max(len(a) for a, _, _ in rows), max(width // 2, 24))
    last = max(len(c) for _, _, c in rows)
    needed = max(len(b) for _, b, _ in rows)
    middle = min(needed, width - first - last - 8)
    if middle < min(needed, LEAST):
        last, middle = 0, min(needed, width - first - 5)
    lines = []
    for a, b, c in rows:
        whole = textwrap.wrap(a, first, subsequent_indent="    ", break_on_hyphens=False)
        head, *rest = [cut(a, first)] if brief else whole
        line = f"  {head.ljust(first)}   {cut(b, middle).ljust(middle)}" + (f"   {c}" if last else "")
        lines += [line.rstrip(), *(f"  {more}" for more in rest)]
    return lines


def cut(line: str, width: int) -> str:
    """The line; where it is longer without the mean of its numbers, or ended by ..."""
    if len(line) > width:
        line = line.partition(", mean ")[0]
    return line if len(line) <= width else line[: max(width - 3, 0)] + "..."


def wrapped_line(line: str, width: int) -> list[str]:
    """A line of words as one or more of at most ``width`` characters."""
    return textwrap.wrap(line, width, subsequent_indent="  ", break_on_hyphens=False)


def _chain(block: Block, width: int, sign: str, brief: bool) -> list[str]:
    """The chain rule of a block, with what is to be said of it. The numbers of an array have the room that is left."""
    sides = steps.chain(block.last, Text)
    if brief and len(sides) > 2:
        sides = [sides[0], sides[1], sides[-1]] if block.last.shape == () else sides[:2]
    width -= 2
    without = _noted(block, sign, 0)
    lines = wrapped(sides, width, without)
    if brief and len(lines) > 1:
        short = [sides[0], sides[-1]] if block.last.shape == () else sides[:2]
        lines = [cut(" = ".join(short), width - len(without)) + without]
    elif block.last.shape:
        lines = wrapped(sides, width, _noted(block, sign, width - len(lines[-1]) - 1))
    return [f"  {line}" for line in lines]


def _noted(block: Block, sign: str, room: int) -> str:
    """The note as it follows the chain rule, with the numbers of an array in up to ``room`` characters."""
    said = note(block, Text)
    numbers = cut(said.numbers, room) if room >= LEAST else ""
    letters = f"with {'; '.join(said.letters)}" if said.letters else ""
    array = f"  {said.shape} {numbers}".rstrip()
    return array + "".join(f"   {part}" for part in (said.size, letters, said.branch, sign) if part)


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
        lines += textwrap.wrap(whole, width, subsequent_indent=start + "   ", break_on_hyphens=False)
    if not lines or not lines[0].startswith(sides[0]):
        alone = sides[0] + (note if len(sides) == 1 else "")
        lines[:0] = textwrap.wrap(alone, width, subsequent_indent="    ", break_on_hyphens=False)
    return lines

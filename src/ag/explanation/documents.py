"""An explanation as Markdown, and as a LaTeX document."""

from __future__ import annotations

from collections.abc import Iterable

from . import printing, steps
from .folding import Block
from .names import escaped
from .printing import Marks
from .quantities import Graph
from .steps import Latex


def markdown(graph: Graph, fold: bool = True, marks: Marks | None = None, warnings: Iterable[str] = ()) -> str:
    """All of it as Markdown, with the formulas in TeX between dollars."""
    blocks = printing.blocks_of(graph, fold)
    lines = [f"**{_cell(printing.title(graph))}**", "", "| quantity | value | line |", "|---|---|---|"]
    rows = [*printing.constants(graph, Latex), *printing.quantities(blocks, Latex)]
    lines += [f"| {_formula(a)} | {_cell(b)} | {_cell(c)} |" for a, b, c in rows]
    if graph.differentiated:
        lines += ["", "| the chain rule, backward | |", "|---|---|"]
        for block in reversed(blocks):
            said = printing.note(block, Latex)
            notes = [*_cells(f"{said.shape} {said.numbers}".strip(), said.size), *map(_formula, said.letters)]
            notes += _cells(said.branch, printing.mark(block, marks or {}))
            lines.append(f"| {_formula(' = '.join(steps.chain(block.last, Latex)))} | {', '.join(notes)} |")
    for warning in warnings:
        lines += ["", "> " + _cell(warning).replace("_", r"\_")]
    return "\n".join(lines) + "\n"


def _formula(latex: str) -> str:
    """A formula that may stand in a table, and that GitHub sets."""
    piped = latex.replace(r"\operatorname{", r"\mathrm{").replace(r"\|", r"\Vert ").replace("|", r"\vert ")
    return f"${piped}$"


def _cells(*words: str) -> list[str]:
    return [_cell(text) for text in words if text]


def _cell(text: str) -> str:
    """Words that may stand in a table."""
    for c, code in {"\\": r"\\", "|": r"\|", "<": "&lt;", "*": r"\*", "$": r"\$"}.items():
        text = text.replace(c, code)
    return text


PREAMBLE = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage{amsmath,amssymb}
\usepackage[margin=2cm]{geometry}
\setlength{\parindent}{0pt}
\allowdisplaybreaks
"""


def latex(graph: Graph, fold: bool = True, marks: Marks | None = None) -> str:
    """All of it as a LaTeX document that compiles as it is."""
    forward, *backward = equations(graph, fold, marks)
    lines = [PREAMBLE, r"\begin{document}", rf"\section*{{${_words(printing.title(graph))}$}}", forward]
    if backward:
        lines += [r"\section*{The chain rule, backward}", *backward]
    return "\n".join([*lines, r"\end{document}", ""])


def equations(graph: Graph, fold: bool = True, marks: Marks | None = None) -> list[str]:
    """The equations of the forward pass, and those of the backward pass if there is one, each as an environment of LaTeX."""
    blocks = printing.blocks_of(graph, fold)
    rows = [*printing.constants(graph, Latex), *printing.quantities(blocks, Latex)]
    found = [_align(f"{_aligned(a)} && {_words(b)}" for a, b, _ in rows)]
    if graph.differentiated:
        found.append(_align(line for block in reversed(blocks) for line in _chain(block, printing.mark(block, marks or {}))))
    return ["\n".join(lines) for lines in found]


def _chain(block: Block, mark: str) -> Iterable[str]:
    head, *sides = steps.chain(block.last, Latex)
    said = printing.note(block, Latex)
    words = [_words(text) for text in (f"{said.shape} {said.numbers}".strip(), said.size) if text]
    notes = [*words, *said.letters, *(_words(text) for text in (said.branch, mark) if text)]
    beside = r",\ ".join(notes)
    for i, side in enumerate(sides):
        last = rf" \quad {beside}" if notes and i == len(sides) - 1 else ""
        yield f"{head if i == 0 else ''} &= {side}{last}"


def _aligned(equation: str) -> str:
    left, equals, right = equation.partition(" = ")
    return f"{left} &= {right}" if equals else f"{left} &"


def _align(rows: Iterable[str]) -> list[str]:
    return [r"\begin{align*}", " \\\\\n".join(rows), r"\end{align*}"]


def _words(text: str) -> str:
    return rf"\text{{{escaped(text)}}}" if text else ""

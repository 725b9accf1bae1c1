"""An explanation as Markdown, and as a LaTeX document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..node import made
from ..symbol import Symbol
from . import printing, steps
from .folding import Block
from .formula import Formula
from .names import escaped, quoted
from .printing import Marks
from .quantities import Graph
from .steps import Latex

LONGEST = 20  # quantities and constants of a formula of the whole


def markdown(graph: Graph, fold: bool = True, marks: Marks | None = None, warnings: Iterable[str] = ()) -> str:
    """All of it as Markdown, with the formulas in TeX between dollars."""
    blocks = printing.blocks_of(graph, fold)
    rows = [*printing.constants(graph, Latex), *printing.quantities(blocks, Latex)]
    forward = [(_formula(a), _cell(b), _cell(c)) for a, b, c in rows]
    whole = _whole(graph)
    title = [f"**{_cell(printing.title(graph))}**", "", *([_formula(whole), ""] if whole else [])]
    lines = [*title, *_table(("quantity", "value", "line"), forward)]
    if graph.differentiated:
        backward = []
        for block in reversed(blocks):
            said = printing.note(block, Latex)
            notes = [*_cells(f"{said.shape} {said.numbers}".strip(), said.size), *map(_formula, said.letters)]
            notes += _cells(said.branch, printing.mark(block, marks or {}))
            backward.append((_formula(" = ".join(steps.chain(block.last, Latex))), ", ".join(notes)))
        lines += ["", *_table(("the chain rule, backward", ""), backward)]
    for warning in warnings:
        lines += ["", "> " + _cell(warning).replace("_", r"\_")]
    return "\n".join(lines) + "\n"


def _whole(graph: Graph) -> str:
    """The output as one formula of the leaves, in LaTeX; empty where that would be long."""
    labels = Counter(q.label for q in graph.quantities)
    nested: dict[int, Symbol] = {}  # what stands in place of a quantity's symbol
    sizes: dict[int, int] = {}
    for q in graph.quantities:
        if q.op is None:
            name = quoted(q.label) if q.label and labels[q.label] == 1 else q.name
            symbol = Symbol(name, q.symbol._value)
        else:
            symbol = made(Symbol, q.symbol._value, q.op, tuple(nested.get(id(x), x) for x in q.arguments))
            symbol._params = q.node.params
        size = 1 + sum(sizes.get(id(x), 1) for x in q.arguments)
        if size > LONGEST:
            return ""
        nested[id(q.symbol)], sizes[id(q.symbol)] = symbol, size
    output = graph.output
    if output.op is None:
        return ""
    return f"{graph.output_name.latex} = {Formula(nested[id(output.symbol)], as_recorded=True).latex()}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, without the last column if nothing stands in it."""
    columns = len(header) if any(row[-1] for row in rows) else len(header) - 1
    return [f"| {' | '.join(row[:columns])} |" for row in (header, ["---"] * columns, *rows)]


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
    whole = _whole(graph)
    title = [rf"\section*{{${_words(printing.title(graph))}$}}", *([rf"\[ {whole} \]"] if whole else [])]
    lines = [PREAMBLE, r"\begin{document}", *title, forward]
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

"""How explanations and nodes show themselves in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from . import printing, steps
from .folding import Block
from .numerals import times
from .quantities import Graph, Quantity
from .steps import Text

if TYPE_CHECKING:
    from .quizzing import Quiz

STYLE = (
    "<style>.ag-explained{border-collapse:collapse;font:14px/1.5 system-ui,sans-serif}"
    ".ag-explained td,.ag-explained th{text-align:left;padding:.15em .9em .15em 0;border:0;background:none}"
    ".ag-explained td{font-family:ui-monospace,monospace;font-size:13px;vertical-align:top}"
    ".ag-explained th{padding-top:.8em}.ag-explained .dim{opacity:.65}</style>"
)


def explanation_html(graph: Graph, marks: dict[Quantity, str]) -> str:
    """An explanation as a table."""
    blocks = printing.blocks_of(graph, True)
    rows = _forward(graph, blocks)
    if graph.differentiated:
        rows.append(_heading("The chain rule, backward"))
        for b in reversed(blocks):
            notes = [f"({times(b.last.shape)})"] if b.last.shape else []
            notes += [f"× {b.size:,}"] if b.size > 1 else []
            notes += steps.given(b.last, Text)
            rows.append(_row(" = ".join(steps.chain(b.last, Text)), ", ".join(notes), marks.get(b.last, "")))
    return _table(rows)


def quiz_html(quiz: Quiz) -> str:
    """A quiz as a table: the forward pass, what is to be found, and how to answer."""
    rows = _forward(quiz.graph, printing.blocks_of(quiz.graph, True))
    rows.append(_heading("The chain rule, backward: what is to be found"))
    rows += [
        f"<tr><td>{escape(question)}</td><td class='dim' colspan='2'>{escape(note)}</td></tr>"
        for question, note in map(quiz.cells, quiz.questions)
    ]
    return _table([*rows, _heading(quiz.how)])


def _forward(graph: Graph, blocks: list[Block]) -> list[str]:
    values = [_row(printing.equation(b.first, Text), printing.words(b), printing.place(b.first)) for b in blocks]
    return [_heading(printing.title(graph)), *values]


def _table(rows: list[str]) -> str:
    return f"{STYLE}<table class='ag-explained'>{''.join(rows)}</table>"


def _heading(text: str) -> str:
    return f"<tr><th colspan='3'>{escape(text)}</th></tr>"


def _row(*cells: str) -> str:
    first, *rest = cells
    return f"<tr><td>{escape(first)}</td>" + "".join(f"<td class='dim'>{escape(cell)}</td>" for cell in rest) + "</tr>"

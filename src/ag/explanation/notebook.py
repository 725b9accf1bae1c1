"""How explanations and nodes show themselves in a notebook."""

from __future__ import annotations

from html import escape

from . import printing, steps
from .numerals import times
from .quantities import Graph, Quantity
from .steps import Text

STYLE = (
    "<style>.ag-explained{border-collapse:collapse;font:14px/1.5 system-ui,sans-serif}"
    ".ag-explained td,.ag-explained th{text-align:left;padding:.15em .9em .15em 0;border:0;background:none}"
    ".ag-explained td{font-family:ui-monospace,monospace;font-size:13px;vertical-align:top}"
    ".ag-explained th{padding-top:.8em}.ag-explained .dim{opacity:.65}</style>"
)


def explanation_html(graph: Graph, marks: dict[Quantity, str]) -> str:
    """An explanation as a table."""
    blocks = printing.blocks_of(graph, True)
    rows = [f"<tr><th colspan='3'>{escape(printing.title(graph))}</th></tr>"]
    rows += [
        _row(printing.equation(b.first, Text), printing.words(b), printing.place(b.first)) for b in blocks
    ]
    if graph.differentiated:
        rows.append("<tr><th colspan='3'>The chain rule, backward</th></tr>")
        for b in reversed(blocks):
            notes = [f"({times(b.last.shape)})"] if b.last.shape else []
            notes += [f"× {b.size:,}"] if b.size > 1 else []
            notes += steps.given(b.last, Text)
            rows.append(_row(" = ".join(steps.chain(b.last, Text)), ", ".join(notes), marks.get(b.last, "")))
    return f"{STYLE}<table class='ag-explained'>{''.join(rows)}</table>"


def _row(*cells: str) -> str:
    first, *rest = cells
    return f"<tr><td>{escape(first)}</td>" + "".join(f"<td class='dim'>{escape(cell)}</td>" for cell in rest) + "</tr>"

"""How explanations and nodes show themselves in a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from ..node import Node
from . import printing, steps
from .folding import Block
from .formula import number
from .names import Name
from .numerals import DIGITS, kind, numeral, times
from .quantities import Graph, Quantity
from .steps import Text

if TYPE_CHECKING:
    from .quizzing import Quiz

LISTED_IN_ROWS = 64  # elements: up to here all of an array are shown
LARGEST_MATRIX = 8  # rows and columns that are written as a matrix

STYLE = (
    "<style>.ag-explained{border-collapse:collapse;font:14px/1.5 system-ui,sans-serif}"
    ".ag-explained td,.ag-explained th{text-align:left;padding:.15em .9em .15em 0;border:0;background:none}"
    ".ag-explained td{font-family:ui-monospace,monospace;font-size:13px;vertical-align:top}"
    ".ag-explained th{padding-top:.8em}.ag-explained .dim{opacity:.65}</style>"
)


def node_html(node: Node) -> str:
    """A node as a table: its value, its derivative, and what made it. Not its graph, which may be large."""
    rows = [_heading(f"{type(node).__name__} {node.label or ''}".strip()), _field("value", *_number(node.value))]
    if node.grad is not None:
        rows.append(_field("grad", *_number(node.grad)))
    if node.op is not None:
        inputs = ", ".join(_brief(x) for x in node.inputs if x is not None)
        rows.append(_field("made by", f"{node.op.name}({inputs})", printing.place(node)))
    return _table(rows)


def _field(name: str, text: str, note: str) -> str:
    first, second, third = map(escape, (name, text, note))
    return f"<tr><td class='dim'>{first}</td><td style='white-space:pre'>{second}</td><td class='dim'>{third}</td></tr>"


def _number(x: Any) -> tuple[str, str]:
    """An array with its shape and dtype, a number alone."""
    if np.ndim(x) == 0:
        return repr(float(x)) if np.asarray(x).dtype.kind == "f" else str(x), ""
    return np.array2string(x, separator=", ", threshold=LISTED_IN_ROWS, edgeitems=2, precision=5), kind(x)


def _brief(x: Any) -> str:
    """An input in a few characters: its label, its number, or its shape."""
    if isinstance(x, Node):
        return x.label or _brief(x.value)
    return kind(x) or (numeral(x) if np.asarray(x).dtype.kind in "biuf" else str(x))


def node_latex(node: Node) -> str:
    """A node as a formula: W = (...), with the elements if they are few."""
    name = f"{Name.of(node.label).latex} = " if node.label else ""
    return rf"$\displaystyle {name}{_matrix(node.value)}$"


def _matrix(x: Any) -> str:
    array = np.asarray(x)
    if array.ndim == 0:
        return number(array[()], DIGITS)
    if array.ndim > 2 or max(array.shape) > LARGEST_MATRIX or not array.size:
        return rf"\text{{array of shape }} {times(array.shape).replace('×', chr(92) + 'times ')}"
    rows = r" \\ ".join(" & ".join(number(v, DIGITS) for v in row) for row in np.atleast_2d(array))
    return rf"\begin{{bmatrix}} {rows} \end{{bmatrix}}"


def explanation_html(graph: Graph, marks: dict[Quantity, str], warnings: Iterable[str] = ()) -> str:
    """An explanation as a table."""
    blocks = printing.blocks_of(graph, True)
    rows = _forward(graph, blocks)
    if graph.differentiated:
        rows.append(_heading("The chain rule, backward"))
        for b in reversed(blocks):
            said = printing.note(b, Text)
            notes = [said.shape, said.numbers, said.size, *said.letters, said.branch]
            rows.append(_row(" = ".join(steps.chain(b.last, Text)), ", ".join(filter(None, notes)), printing.mark(b, marks)))
    wide = "colspan='3' style='white-space:normal;max-width:60em'"
    rows += [f"<tr><td {wide}>⚠ {escape(warning)}</td></tr>" for warning in warnings]
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
    rows = [*printing.constants(graph, Text), *printing.quantities(blocks, Text)]
    return [_heading(printing.title(graph)), *(_row(*row) for row in rows)]


def _table(rows: list[str]) -> str:
    return f"{STYLE}<table class='ag-explained'>{''.join(rows)}</table>"


def _heading(text: str) -> str:
    return f"<tr><th colspan='3'>{escape(text)}</th></tr>"


def _row(*cells: str) -> str:
    first, *rest = cells
    return f"<tr><td>{escape(first)}</td>" + "".join(f"<td class='dim'>{escape(cell)}</td>" for cell in rest) + "</tr>"

"""An explanation as one HTML file that works by itself: the drawing, the steps of both passes, and sliders that recompute it all.

All text is in the file already. The script shows one step at a time, lights what it is about, and puts other numbers in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np

from ..operators.table import TABLE
from ..symbol import Symbol
from . import layout, printing
from .appearance import drawn
from .assets import filled
from .drawing import NEEDS, Drawing
from .folding import Block, folded
from .kernels import NotPrintable
from .live import Program
from .mathml import mathml, pieces
from .names import Name, quoted
from .numerals import kind, numeral, summary
from .passes import LISTED, Step, Typeset, both_passes, called, numbers, written_out
from .quantities import Graph, Quantity
from .steps import Number

CLASSES = 48  # elements of logits
FEW = 4  # elements of an array that are shown in a line
LEAVES = 6  # whose derivatives are in the overview
PROBABILITIES = ("softmax", "log_softmax", "cross_entropy_of_labels")  # rows of logits


def page(graph: Graph) -> str:
    """The page of a graph, as HTML."""
    return _Page(graph).html()


class _Page:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.blocks = folded(graph.quantities)
        self.program: Program | None = None
        self.reason = ""
        try:
            self.program = Program(graph)
        except NotPrintable as error:
            self.reason = str(error)
        self.notation = Typeset(self.program)
        self.steps = both_passes(graph, self.blocks, self.program)
        self.labels = {name.latex: name.text for name in _names(graph) if r"\text" in name.latex}
        self.values = {number.key: number.value for number in numbers(graph)}
        drawing = Drawing(graph, backward=graph.differentiated) if layout.installed() else None
        self.picture = drawing.svg() if drawing else f'<p class="hint">{escape(NEEDS[0].upper() + NEEDS[1:])}</p>'
        self.keys = {number: node.key for node in drawing.nodes for number in node.numbers} if drawing else {}

    def html(self) -> str:
        parts = {
            "kind": " ".join(filter(None, ("wide" if self.wide else "", "" if self.program else "still"))),
            "title": escape(printing.title(self.graph)),
            "heading": self.heading(),
            "subtitle": escape(printing.title(self.graph).partition(": ")[2]),
            "picture": self.picture,
            "overview": self.overview(),
            "steps": "\n".join(self.step(i, step) for i, step in enumerate(self.steps, 1)),
            "derivative": '<th scope="col" class="derivative">derivative</th>' if self.graph.differentiated else "",
            "quantities": "\n".join(map(self.row, self.blocks)),
            "reason": f'<p class="hint">There are no sliders: {escape(self.reason)}.</p>' if self.reason else "",
            "data": _embedded(self.data()),
            "program": self.program.text() if self.program else "const program = null;",
        }
        return filled("page.html", parts)

    # ------------------------------------------------------------------ formulas and numbers

    def math(self, latex: str, display: bool = False) -> str:
        style = ' displaystyle="true"' if display else ""
        return f"<math{style}>{mathml(latex, self.number, self.labels)}</math>"

    def wrapping(self, latex: str, display: bool = False) -> str:
        """A formula that continues on the next line where there is no room for all of it."""
        style = ' displaystyle="true"' if display else ""
        parts = (f"<math{style}>{piece}</math>" for piece in pieces(latex, self.number, self.labels))
        return f'<span class="formula">{"<wbr>".join(parts)}</span>'

    def number(self, key: str, factor: bool) -> str:
        """A number by its key, in MathML: the script writes others in its place in the same way."""
        inner = numeral_mathml(self.values[key])
        if factor and inner.startswith("<mo>−"):
            inner = f'<mo stretchy="false">(</mo><mrow>{inner}</mrow><mo stretchy="false">)</mo>'
        return f'<mrow data-value="{key}"{" data-factor" if factor else ""}>{inner}</mrow>'

    def note(self, text: str) -> str:
        """Words, with formulas between dollars."""
        parts = text.split("$")
        return "".join(self.math(part) if i % 2 else escape(part) for i, part in enumerate(parts))

    def equation(self, head: str, sides: list[str]) -> str:
        rows = "".join(f'<div class="side">{self.wrapping(f"= {side}", True)}</div>' for side in sides)
        return f'<div class="equation"><div class="head">{self.wrapping(head, True)}</div><div class="sides">{rows}</div></div>'

    def result(self, name: Name, number: Number) -> str:
        """∂f/∂x = -0.09369, or an array."""
        if np.ndim(number.value):
            return f'<div class="result">{self.math(f"{name.latex} =", True)}{self.array(number, FEW)}</div>'
        return f'<div class="result">{self.math(f"{name.latex} = {self.notation.number(number)}", True)}</div>'

    def array(self, number: Number, most: int = LISTED) -> str:
        """An array in words; its elements with bars if they are few."""
        if np.size(number.value) <= most:
            return f'<div class="vector" data-vector="{number.key}">{_printed(summary(number.value))}</div>'
        return f'<p class="summary"><span class="shape">{escape(kind(number.value))}</span> {self.range(number)}</p>'

    def range(self, number: Number) -> str:
        """The ends of an array."""
        return _one(_range(number.value), f' data-range="{number.key}"' if number.key in self.values else "")

    # ------------------------------------------------------------------ the parts of the page

    def heading(self) -> str:
        name = written_out(self.graph)
        return f'<h1 aria-label="{escape(name.text)}">{self.wrapping(name.latex)}</h1>'

    def overview(self) -> str:
        """What results: the output, and its derivatives with respect to the leaves."""
        output = self.graph.output
        results = [self.result(self.graph.output_name, Number.value_of(output))]
        leaves = [q for q in self.graph.quantities if q.op is None and q is not output]
        if self.graph.differentiated and len(leaves) <= LEAVES:
            for q in leaves:
                name = self.graph.output_name
                results.append(self.result(called(q).derivative(name), Number.derivative(q)))
        return "".join(results)

    def step(self, i: int, step: Step) -> str:
        n = len(self.blocks)
        place = f"<b>{step.phase.title()}</b> {(i - 1) % n + 1} of {n}"
        q = step.shown
        notes = [self.note(note) for note in step.notes]
        array = self.array(Number.value_of(q) if step.phase == "forward" else Number.derivative(q)) if step.array else ""
        source = f"<span>{escape(printing.place(q))}</span> <code>{escape(q.source.text)}</code>" if q.source else ""
        return (
            f'<li class="step {step.phase}" value="{i}"><p class="phase">{place}</p>{self.equation(step.head, step.sides)}{array}'
            + "".join(f'<p class="note">{note}</p>' for note in notes)
            + (f'<p class="source">{source}</p></li>' if source else "</li>")
        )

    @property
    def wide(self) -> bool:
        """Does the table of quantities tell of arrays, or of many quantities at once?"""
        return not self.graph.scalar or any(block.size > 1 for block in self.blocks)

    def row(self, block: Block) -> str:
        q = block.first
        shape, value, derivative = kind(q.value), self.cell(Number.value_of(q)), ""
        if self.graph.differentiated:
            derivative = self.cell(Number.derivative(q))
        if block.size > 1:
            shape, value = f"× {block.size:,}", _means([x.value for x in block.quantities])
            derivative = _means([x.adjoint for x in block.quantities]) if derivative else ""
        words = f'<span class="shape">{escape(shape)}</span> {value}' if shape else value
        listed = 1 < np.size(q.value) <= FEW and block.size == 1
        cells = [f'<td class="value"><span class="{"" if listed else "one"}">{words}</span></td>']
        if derivative:
            cells.append(f'<td class="derivative"><span>{derivative}</span></td>')
        equation = self.wrapping(printing.equation(q, self.notation))
        return f'<tr data-row="{q.number}"><th scope="row"><button type="button">{equation}</button></th>{"".join(cells)}</tr>'

    def cell(self, number: Number) -> str:
        if np.size(number.value) > FEW:
            return self.range(number)
        return f'<span data-text="{number.key}">{_printed(summary(number.value))}</span>'

    # ------------------------------------------------------------------ what the script is told

    def data(self) -> dict[str, Any]:
        return {
            "steps": [
                {
                    "phase": step.phase, "spoken": step.spoken, "row": step.block.first.number,
                    "quantities": [q.number for q in step.block.quantities], "near": [q.number for q in step.near],
                }
                for step in self.steps
            ],
            "keys": self.keys,
            "values": {key: _plain(x) for key, x in self.values.items()},
            "ranges": {q.number: _range(q.value) for q in self.graph.quantities if q.shape},
            "leaves": [self.leaf(q) for q in self.graph.quantities if q.op is None] if self.program else [],
            "output": {"name": self.graph.output_name.text, "number": self.graph.output.number},
            "classes": self.classes(),
        }  # fmt: skip

    def leaf(self, q: Quantity) -> dict[str, Any]:
        """What its sliders are called."""
        label = " ".join((q.label or q.name.text).split())
        name = self.math(called(q).latex) if called(q).text == label else escape(label)
        return {"number": q.number, "name": label, "typeset": name}

    def classes(self) -> dict[str, Any] | None:
        """The logits of the graph, and the labels that they are compared with, if there are any."""
        found = [q for q in self.graph.quantities if q.op is not None and q.op.name in PROBABILITIES]
        if not self.program or not found or not isinstance(found[-1].inputs[0], Quantity):
            return None
        last, logits = found[-1], found[-1].inputs[0]
        labels = np.ravel(last.inputs[1]).tolist() if len(last.inputs) > 1 else []
        if logits.value.size > CLASSES or (not labels and last.node.params["axis"] != -1):
            return None
        self.program.add("probabilities", TABLE["softmax"].apply((logits.symbol,), {"axis": -1}))
        return {"logits": logits.number, "count": logits.shape[-1], "labels": labels}


def _names(graph: Graph) -> Iterable[Name]:
    """All names in the formulas of a graph."""
    yield graph.output_name
    for q in graph.quantities:
        yield q.name
        if q.label:
            yield Name.of(q.label)
            yield quoted(q.label)
        yield from (x.name for x in q.arguments if isinstance(x, Symbol) and isinstance(x.name, Name))


# ---------------------------------------------------------------------- numbers


def numeral_mathml(x: Any) -> str:
    """A number in MathML: −0.09369, 1.5 · 10⁻⁷."""
    if np.ndim(x):
        return f"<mtext>{escape(summary(x))}</mtext>"
    text = numeral(x)
    sign = "<mo>−</mo>" if text.startswith("-") else ""
    text = text.removeprefix("-")
    if text in ("inf", "nan"):
        return sign + ("<mi>∞</mi>" if text == "inf" else "<mtext>nan</mtext>")
    mantissa, e, exponent = text.partition("e")
    if not e:
        return f"{sign}<mn>{text}</mn>"
    return f"{sign}<mn>{mantissa}</mn><mo>⋅</mo><msup><mn>10</mn><mrow>{numeral_mathml(int(exponent))}</mrow></msup>"


def _range(x: Any) -> str:
    """An array by its ends."""
    array = np.asarray(x)
    if not array.size:
        return "empty"
    low, high = numeral(np.min(array), 3), numeral(np.max(array), 3)
    return low if low == high else f"{low} … {high}"


def _means(arrays: list[Any]) -> str:
    """Several quantities by the ends of their means."""
    return _one(_range(np.array([np.mean(x) for x in arrays])))


def _one(text: str, attributes: str = "") -> str:
    """A number or a range, which stays on one line."""
    return f'<span class="one"{attributes}>{_printed(text)}</span>'


def _printed(text: str) -> str:
    """Numbers in words, with the signs of print, in HTML."""
    return escape(drawn(text))


def _plain(x: Any) -> Any:
    """A number, or a list of the elements and the shape, for JSON, which knows no nan."""
    if np.ndim(x):
        return {"shape": np.shape(x), "data": [_plain(v) for v in np.ravel(x)]}
    value = float(x)
    return value if np.isfinite(value) else str(value)


def _embedded(data: Any) -> str:
    """JSON that can stand in a script element, whatever it says."""
    text = json.dumps(data, separators=(",", ":"))
    for c in "<>&":
        text = text.replace(c, f"\\u{ord(c):04x}")
    return text

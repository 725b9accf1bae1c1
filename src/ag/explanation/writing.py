"""What is written in a picture, and said of it in words: every line in as many characters as there is room for."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_CEILING, Context
from typing import Any, NamedTuple

import numpy as np

from ..node import Node
from . import printing, steps
from .appearance import LABEL, LARGEST, LETTERS, MARGIN, PLATE, corners, cut, drawn, plain, width
from .folding import Block
from .formula import listed
from .names import Name
from .numerals import kind, numeral, summary, times
from .quantities import Graph, Quantity, Term
from .steps import Text

DIGITS = 4
LISTED = 3  # elements of an array that are written out


class Line(NamedTuple):
    """One line of text: what it says, in which letters (a key of `appearance.LETTERS`), and if it is a value or a derivative."""

    text: str
    letters: str
    faint: bool = False
    number: str = ""


class Version(NamedTuple):
    """A line in several versions, from the fullest to the shortest."""

    letters: str
    texts: list[str]
    faint: bool = False
    number: str = ""

    def fitting(self, room: float) -> Line:
        """The fullest that fits into so many pixels; the shortest, cut, if none does."""
        texts = [drawn(plain(text)) for text in self.texts]
        letters = LETTERS[self.letters]
        fits = (text for text in texts if width(text, letters) <= room)
        return Line(next(fits, None) or cut(texts[-1], letters, room), self.letters, self.faint, self.number)


# ---------------------------------------------------------------------- in a disc


def lines(block: Block, graph: Graph, backward: bool) -> tuple[Line, ...]:
    """The lines of a disc."""
    versions = _single(block.first, backward) if block.size == 1 else _several(block, graph, backward)
    reach = [y for _, y in corners([(0.0, LETTERS[version.letters]) for version in versions])]
    room = [2 * max((LARGEST - MARGIN) ** 2 - y**2, 0) ** 0.5 for y in reach]
    return tuple(version.fitting(space) for version, space in zip(versions, room, strict=True))


def _single(q: Quantity, backward: bool) -> list[Version]:
    """Name and definition, shape, value, derivative."""
    equation = printing.equation(q, Text)
    if q.op is None or width(drawn(equation), LETTERS["head"]) <= 2 * LARGEST - 24:
        found = [Version("head", [equation])]
    else:
        found = [Version("head", [q.name.text]), Version("text", [q.op.symbol])]
    if q.shape:
        found.append(Version("text", [kind(q.value), f"({times(q.shape)})"]))
    if backward and q.shape:  # there is room for one array in a disc
        head = Version("note", [f"{q.derivative.text} ="], True, "derivative")
        return [*found, head, Version("note", _ranges(q.adjoint), True, "derivative")]
    found.append(Version("text", _ranges(q.value), number="value"))
    if backward:
        texts = [f"{q.derivative.text} = {x}" for x in _ranges(q.adjoint, DIGITS - 1)]
        found.append(Version("note", texts, True, "derivative"))
    elif q.node.grad is not None:
        if q.shape:
            found.append(Version("note", ["grad"], True))
        found.append(Version("note", [x if q.shape else f"grad {x}" for x in _ranges(q.node.grad)], True))
    return found


def _several(block: Block, graph: Graph, backward: bool) -> list[Version]:
    """Operator or names, how many, where, and the range of their values or derivatives."""
    if block.first.op is None:
        names = list(dict.fromkeys(q.label or q.name.text for q in block.quantities))
        head = Version("head", [f"{names[0]} ... {names[-1]}", f"{names[0]} ..."] if len(names) > 1 else names)
    else:
        head = Version("sign", [_symbols(block)])
    numbers = [np.ravel(q.adjoint if backward else q.value) for q in block.quantities]
    number = "derivative" if backward else "value"
    what = f"∂{graph.output_name.text}: " if backward else ""
    place = printing.place(block.first)
    return [
        head, Version("head", [f"× {block.size:,}"]), *([Version("note", [place], True)] if place else []),
        Version("note", [what + text for text in _ranges(np.concatenate(numbers))], backward, number),
    ]  # fmt: skip


def _symbols(block: Block) -> str:
    symbols = list(dict.fromkeys(q.op.symbol for q in block.quantities))
    return "  ".join(symbols) if len(symbols) <= 3 else f"{len(symbols)} operators"


def _ranges(x: Any, digits: int = DIGITS) -> list[str]:
    """The numbers of an array, in fewer and fewer characters."""
    array = np.asarray(x)
    if array.ndim == 0:
        return [numeral(array, n) for n in range(digits, 1, -1)]
    if array.ndim == 1 and 0 < array.size <= LISTED:
        return [summary(array, n) for n in range(digits, 1, -1)] + [_range(array, 2), *_bound(array)]
    return [_range(array, n) for n in range(DIGITS - 1, 1, -1)] + _bound(array)


def _range(array: Any, digits: int) -> str:
    finite = _finite(array)
    if not finite.size:
        return "not finite" if array.size else "empty"
    low, high = numeral(finite.min(), digits), numeral(finite.max(), digits)
    return f"all {low}" if low == high and finite.min() == finite.max() else f"{low} ... {high}"


def _bound(array: Any) -> list[str]:
    """How large its numbers are at most, rounded up, so that it is true."""
    finite = _finite(array)
    if not finite.size:
        return []
    most = Context(prec=2, rounding=ROUND_CEILING).create_decimal(float(np.abs(finite).max()))
    return [f"|·| ≤ {numeral(float(most), 2)}"]


def _finite(array: Any) -> Any:
    return array[np.isfinite(array)] if array.dtype.kind == "f" else array


# ---------------------------------------------------------------------- in a plate


def constant(used: list[Any], names: list[str]) -> tuple[tuple[Line, ...], str]:
    """What a plate says of a constant, or of the different ones that a block uses in the same place; and in full. ``names``: what
    they are called in formulas, empty where these have the numbers themselves."""
    first = np.asarray(used[0])
    same = all(x is used[0] or (np.ndim(x) == 0 and first.ndim == 0 and x == used[0]) for x in used)
    if same:
        small = first.size <= LISTED or listed(first)
        texts = [summary(first, n) for n in range(DIGITS, 1, -1)] if small else []
        texts.append(kind(first) or numeral(first, 2))
        note = f"the constant {_few(first)}" + (f", used {len(used):,} times" if len(used) > 1 else "")
    else:
        texts = [_range(np.array(used), DIGITS - 1) if all(np.ndim(x) == 0 for x in used) else f"{len(used):,} arrays"]
        note = f"{len(used):,} constants"
    name = names[0] if len(set(names)) == 1 else ""
    if name.endswith(f"({times(first.shape)})"):  # an array that the program does not name is called by its shape
        texts = [name]
    head = [Version("head", [name])] if name and name != texts[0] else []
    return tuple(version.fitting(PLATE) for version in (*head, Version("text", texts))), note


# ---------------------------------------------------------------------- on an edge


def partials(terms: list[Term]) -> tuple[str, str]:
    """What stands on an edge in a backward drawing: the local partial, if it is the same for all uses; and in full."""
    if not terms:
        return "", ""
    texts, full = _partial(terms[0])
    if len(terms) > 1:
        plainly = {t.partial.symbol if t.partial is not None and not isinstance(t.partial.symbol, Node) else None for t in terms}
        texts = [numeral(plainly.pop(), DIGITS)] if len(plainly) == 1 and None not in plainly else [""]
    return Version("note", texts).fitting(LABEL).text, full


def _partial(term: Term) -> tuple[list[str], str]:
    """The local partial in versions from the fullest to the shortest; and in full."""
    name = Name.derivative(steps.term_name(term), term.consumer.name).text
    if not term.depends:
        return ["0"], f"{name}: the branch is not taken, so it contributes exactly 0"
    matrix = steps.jacobian(term)
    if matrix is not None:
        return [matrix.text()], f"{name} = {matrix.text()}"
    if term.partial is None or term.consumer.shape or np.shape(term.value):
        text = term.contribution.text()
        return [text], f"what comes through here: {text}"
    symbols, number = term.partial.text(), numeral(term.partial.value, DIGITS)
    if not isinstance(term.partial.symbol, Node):
        return [number], f"{name} = {number}"
    return [f"{symbols} = {number}", number], f"{name} = {symbols} = {number}"


# ---------------------------------------------------------------------- in words


def title(graph: Graph, backward: bool) -> str:
    """What is drawn, in one line."""
    n, leaves = len(graph.quantities), sum(q.op is None for q in graph.quantities)
    quantities = f"{n:,} {'quantity' if n == 1 else 'quantities'}, {leaves:,} {'leaf' if leaves == 1 else 'leaves'}"
    return plain(f"Computation graph of {graph.output_name.text}: {quantities}") + (", with local partials" if backward else "")


def description(blocks: list[Block], backward: bool) -> str:
    """The equations in order, for who can't see the picture."""
    words = [_span(b) if b.size > 1 else f"{printing.equation(b.first, Text)} = {_few(b.first.value)}" for b in blocks]
    for block in reversed(blocks) if backward else blocks:
        q = block.first
        if block.size > 1:
            continue
        if backward:
            words.append(f"{q.derivative.text} = {_few(q.adjoint)}")
        elif q.node.grad is not None:
            words.append(f"grad of {q.name.text}: {_few(q.node.grad)}")
    return plain(". ".join(words) + ".")


def note(block: Block, backward: bool) -> str:
    """What the pointer shows at a disc."""
    return "\n".join(plain(line) for line in _note(block, backward))


def _note(block: Block, backward: bool) -> Iterator[str]:
    q, source = block.first, block.source
    if block.size > 1:
        yield _span(block)
    else:
        yield printing.equation(q, Text)
        yield f"value {_few(q.value)}"
        if backward:
            yield " = ".join(steps.chain(q, Text))
        elif q.node.grad is not None:
            yield f"grad {_few(q.node.grad)}"
    if source is not None:
        yield printing.place(q) + (f": {source.text}" if source.text else "")


def _few(x: Any) -> str:
    """A value in a few words."""
    array = np.asarray(x)
    return " ".join(filter(None, (kind(array), summary(array))))


def _span(block: Block) -> str:
    names = ", ".join(sorted({q.op.name for q in block.quantities if q.op is not None}))
    what = f"quantities made by {names}" if names else "leaves"
    place = printing.place(block.first)
    return f"{block.first.name.text} to {block.last.name.text}: {block.size:,} {what}" + (f" at {place}" if place else "")

"""What was found out about a number that is not finite, as data and as a page of text."""

from __future__ import annotations

import os
import re
import textwrap
from dataclasses import dataclass
from typing import Any

from ..node import Node
from ..source import Source
from .causes import Operand
from .numerals import factor, numeral
from .rewrites import Advice

WIDTH = 100
SHOWN = 3  # harmless findings that are written out


@dataclass(frozen=True)
class Product:
    """What the chain rule multiplied: what arrived, and the local partial."""

    arrived: Any
    partial: Any
    of: str  # ∂(√x)/∂x = 0.5 / √x

    @property
    def result(self) -> Any:
        """Their product, by IEEE: 0 · inf is nan."""
        return self.arrived * self.partial


@dataclass(frozen=True, eq=False)
class Finding:
    """One number that is not finite, where it came into being, and why.

    kind      "value", "cotangent" or "tangent"
    node      the quantity that has it
    name      what the quantity is called: its label or its formula
    number    the number itself: inf, -inf or nan
    index     of the element; () for a number
    count     how many elements of the quantity came into being in the same way
    operator  the operator that computed it, or whose derivative did; None for a leaf, or where it was given
    source    the line of the program
    statement the formula with numbers, log 0; empty where many elements are involved
    operands  what the operator was given, at that element
    product   of cotangents and tangents: the two numbers that were multiplied
    cause     why, in words
    advice    what to write instead
    used      can the output depend on it?
    harmless  why it does no harm; empty if it does
    """

    kind: str
    node: Node
    name: str
    number: Any
    index: tuple[int, ...]
    count: int
    operator: str | None
    source: Source | None
    statement: str
    operands: tuple[Operand, ...]
    product: Product | None
    cause: str
    advice: Advice
    used: bool
    harmless: str = ""

    def __str__(self) -> str:
        return "\n".join(_block(self))


@dataclass(frozen=True)
class Damage:
    """A result that is not finite: the output, or the derivative of a leaf."""

    what: str  # "the output", "∂/∂x"
    number: Any
    index: tuple[int, ...]
    count: int
    size: int

    def __str__(self) -> str:
        at = f" at {_index(self.index)}" if self.index else ""
        more = f" (and {self.count - 1:,} more of {self.size:,} elements)" if self.count > 1 else ""
        return f"{self.what} is {numeral(self.number)}{at}{more}"


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """Where numbers that are not finite came from. It is true if any does harm: the output or a derivative is not finite.

    value      the first value that is not finite and does harm
    cotangent  the first cotangent of the reverse pass that does
    tangent    the first tangent of a forward pass that does
    harmless   values that are not finite, and do no harm: a branch not taken, or nothing that follows is infinite or nan
    damage     the results that are not finite
    others     in how many other places values that do harm come into being
    unlisted   how many more harmless ones there are
    letters    what the letters in the findings stand for
    """

    value: Finding | None = None
    cotangent: Finding | None = None
    tangent: Finding | None = None
    harmless: tuple[Finding, ...] = ()
    damage: tuple[Damage, ...] = ()
    others: int = 0
    unlisted: int = 0
    letters: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.damage)

    @property
    def headline(self) -> str:
        """What is not finite, in one sentence."""
        if not self.damage:
            return f"{'The output and its derivatives' if self.harmless else 'All values and cotangents'} are finite."
        shown = [str(d) for d in self.damage[:SHOWN]]
        rest = len(self.damage) - len(shown)
        return _sentence("; ".join(shown) + (f"; and {rest} more derivatives" if rest else "")) + "."

    def __str__(self) -> str:
        parts = []
        found = [x for x in (self.value, self.cotangent, self.tangent) if x is not None]
        parts.append(textwrap.fill(self.headline, WIDTH))
        advised: set[Advice] = set()
        for x in found:
            parts.append("\n".join(_block(x, x.advice in advised)))
            advised.add(x.advice)
        if self.others:
            places = "1 other place" if self.others == 1 else f"{self.others} other places"
            parts.append(f"Values that do harm come into being in {places}, too.")
        if self.harmless:
            parts.append("\n".join(_harmless(self)))
        text = "\n\n".join(parts)
        meant = [f"{letter} = {what}" for letter, what in self.letters if _is_named(letter, found, text)]
        return text + ("\n\n" + "\n".join(_wrapped("where", "; ".join(meant))) if meant else "")

    def __repr__(self) -> str:
        return str(self)


def place(source: Source | None) -> str:
    """The line of the program, its file seen from where we are."""
    if source is None:
        return ""
    try:
        near = os.path.relpath(source.file)
    except ValueError:  # on another drive
        near = source.file
    return f"{near if not near.startswith('..') else source.file}:{source.line}"


def _index(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _is_named(letter: str, found: list[Finding], text: str) -> bool:
    """Does a letter stand in the text, apart from the lines of the program that it quotes?"""
    for f in found:
        if f.source is not None:
            text = text.replace(f.source.text, "")
    return re.search(rf"(?<![\w.]){letter}(?!\w)", text) is not None


def _at(f: Finding) -> str:
    shape = getattr(f.node, "shape", ())
    at = f"at {_index(f.index)} of shape {shape}" if shape else ""
    return at + (f", and {f.count - 1:,} more like it" if f.count > 1 else "")


def _equation(f: Finding) -> str:
    """log x = log 0 = -inf, or 1 · ∂(log x)/∂x = 1 · inf = inf."""
    if f.product is None:
        what = f.name if f.kind == "value" else f"the {f.kind} of {f.name}"
        return " = ".join(dict.fromkeys(filter(None, (what, f.statement, numeral(f.number)))))
    p = f.product
    arrived, partial = numeral(p.arrived), factor(p.partial)
    arrived = f"({arrived})" if " " in arrived else arrived
    left, _, formula = p.of.partition(" = ")
    sides = [f"{arrived} · {left}", f"{arrived} · {_enclosed(formula)}" if formula else "", f"{arrived} · {partial}"]
    return " = ".join(dict.fromkeys(filter(None, (*sides, numeral(p.result)))))


def _block(f: Finding, advised: bool = False) -> list[str]:
    of = "" if f.kind == "value" else f", of {f.name}"
    lines = [f"The first {f.kind} that is not finite{of}:", f"    {_equation(f)}"]
    lines += [f"    {at}"] if (at := _at(f)) else []
    if f.source is not None:
        lines.append(f"    {place(f.source)}    {f.source.text}".rstrip())
    if f.operands and not f.statement and f.product is None:
        lines += _wrapped("from", ", ".join(map(str, f.operands)))
    lines += _wrapped("why", f.cause)
    if advised:
        return [*lines, *_wrapped("write", "the same")]
    return lines + _wrapped("write" if f.advice.because else "do", f.advice.write) + _wrapped("", f.advice.because)


def _enclosed(formula: str) -> str:
    return f"({formula})" if " " in formula or formula.startswith("-") else formula


def _wrapped(head: str, text: str) -> list[str]:
    if not text:
        return []
    start = f"    {head:<6}"
    return textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start), break_long_words=False)


def _harmless(report: Report) -> list[str]:
    lines = ["Harmless:"]
    for f in report.harmless[:SHOWN]:
        where = f" ({place(f.source)})" if f.source is not None else ""
        at = f" {_at(f)}" if _at(f) else ""
        lines += textwrap.wrap(f"{_equation(f)}{at}{where}: {f.harmless}", WIDTH,
                               initial_indent="    ", subsequent_indent="      ", break_long_words=False)
    more = len(report.harmless) - SHOWN + report.unlisted
    return [*lines, f"    and {more} more"] if more > 0 else lines

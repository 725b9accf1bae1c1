"""Formulas read: the LaTeX of the rows as a tree, of which a line of text or MathML is written.

Only what the rows' formulas use is understood: groups, fractions, roots, powers, indices, cases, words and named symbols.
"""

from __future__ import annotations

from typing import NamedTuple

from .plain_text import TOKEN, Tokens

WORDS = ("\\operatorname", "\\text", "\\mathrm")


class Sign(NamedTuple):
    """One character, or a symbol by its name in LaTeX."""

    token: str


class Group(NamedTuple):
    """What stands in braces."""

    items: Items


class Raised(NamedTuple):
    """A power, or a sign like that of a transpose."""

    items: Items


class Lowered(NamedTuple):
    """An index."""

    items: Items


class Fraction(NamedTuple):
    """A quotient."""

    top: Items
    bottom: Items


class Root(NamedTuple):
    """A square root, or one of a higher degree."""

    degree: Items
    items: Items


class Cases(NamedTuple):
    """One thing where a condition holds, else another."""

    taken: Items
    condition: Items
    other: Items


class Words(NamedTuple):
    """Letters that are a word: the name of an operator, or text."""

    command: str
    items: Items


class Fenced(NamedTuple):
    """What stands between two brackets that grow with it."""

    left: str
    items: Items
    right: str


class Live(NamedTuple):
    """A number that a page changes, by its key: ``\\live{z7}``; ``\\factor{z7}`` is in parentheses if it is negative."""

    key: str
    factor: bool


class Label(NamedTuple):
    """A label as the user wrote it, by its number: ``\\label{0}``."""

    number: int


class Choice(NamedTuple):
    """One of two things, as a page decides by a key: ``\\choice{c1}{x}{y}``."""

    key: str
    taken: Items
    other: Items


Item = Sign | Group | Raised | Lowered | Fraction | Root | Cases | Words | Fenced | Live | Label | Choice
Items = list[Item]


def read(latex: str) -> Items:
    """A formula in LaTeX as a tree."""
    return _Reader(TOKEN.findall(latex)).sequence(())


class _Reader(Tokens):
    def sequence(self, ends: tuple[str, ...]) -> Items:
        """All up to one of the ends, which is passed over."""
        items: Items = []
        while self.place < len(self.tokens) and self.peek() not in ends:
            items.append(self.item())
        self.next()
        return items

    def argument(self) -> Items:
        """The items of the next group, or the next single item."""
        while self.peek().isspace():
            self.next()
        if self.peek() == "{":
            self.next()
            return self.sequence(("}",))
        return [self.item()]

    def item(self) -> Item:
        token = self.next()
        if token == "{":
            return Group(self.sequence(("}",)))
        if token == "^":
            return Raised(self.argument())
        if token == "_":
            return Lowered(self.argument())
        if token == "\\frac":
            return Fraction(self.argument(), self.argument())
        if token == "\\sqrt":
            degree: Items = []
            if self.peek() == "[":
                self.next()
                degree = self.sequence(("]",))
            return Root(degree, self.argument())
        if token == "\\begin{cases}":
            return Cases(self.sequence(("&",)), self.sequence(("\\\\",)), self.sequence(("\\end{cases}",)))
        if token in WORDS:
            return Words(token, self.argument())
        if token in ("\\live", "\\factor"):
            return Live(self.key(), token == "\\factor")
        if token == "\\label":
            return Label(int(self.key()))
        if token == "\\choice":
            return Choice(self.key(), self.argument(), self.argument())
        if token == "\\left":
            left = self.next()
            items = self.sequence(("\\right",))
            return Fenced(left, items, self.next())
        return Sign(token)

    def key(self) -> str:
        return "".join(item.token for item in self.argument() if isinstance(item, Sign))

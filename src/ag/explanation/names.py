"""What quantities are called: z1, z2, ... in order, or their labels; and the derivatives that bear their names."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from ..operators.table import TABLE
from .plain_text import SYMBOLS

LETTERS = {letter: name for name, letter in SYMBOLS.items() if "Α" <= letter <= "ω" and len(letter) == 1}
GREEK = set(LETTERS.values())
RESERVED = {"e", *TABLE}  # words that say something else in a formula
ESCAPES = {c: rf"\{c}" for c in "%&#$_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "…": r"\dots{}",
} | {c: rf"}}\{name}\text{{" for c, name in {"×": "times", "∂": "partial", "·": "cdot", "✓": "checkmark", "✗": "times"}.items()}
LONGEST = 24  # characters of a label that is used in formulas


class Name(NamedTuple):
    """A name as text and in LaTeX; ``whole``: it needs no parentheses, whatever stands beside it."""

    text: str
    latex: str
    whole: bool = True

    @classmethod
    def of(cls, label: str) -> Name:
        """The name for a label: ``x1`` and ``x₁`` are set as x₁, ``alpha`` and ``α`` as α, a word as a word."""
        label = " ".join(label.split())
        spelled = "".join(LETTERS.get(c, c) for c in unicodedata.normalize("NFKC", label))
        if spelled in GREEK:
            return cls(label, rf"\{spelled}")
        stem = re.fullmatch(r"([A-Za-z]|[A-Za-z][a-z]+)_?(\d+)", spelled)
        if len(label) == 1 and label.isalpha() and label.isascii():
            return cls(label, label)
        if stem and (len(stem[1]) == 1 or stem[1] in GREEK):
            return cls(label, f"{stem[1] if len(stem[1]) == 1 else chr(92) + stem[1]}_{{{stem[2]}}}")
        return cls(label, rf"\text{{{escaped(label)}}}")

    def derivative(self, of: Name) -> Name:
        """∂ of / ∂ self."""
        return Name(f"∂{of.text}/∂{self.text}", rf"\frac{{\partial {of.latex}}}{{\partial {self.latex}}}")


def is_word(label: str) -> bool:
    """Can a label stand in a formula, where it must not be taken for something else?"""
    word = re.fullmatch(r"[^\W\d]\w*(\.\w+)*['′]*", label) is not None
    return word and len(label) <= LONGEST and label not in RESERVED and not re.fullmatch(r"z\d+", label)


def quoted(label: str, longest: int = 2 * LONGEST) -> Name:
    """A label as it is, where it is told of: in quotation marks if it can't stand in a formula."""
    label = " ".join(label.split())
    if is_word(label):
        return Name.of(label)
    short = label if len(label) <= longest else label[: longest - 3] + "..."
    return Name(f'"{short}"', rf"\text{{``{escaped(short)}''}}")


def escaped(text: str) -> str:
    """Plain text in LaTeX, inside ``\\text``; a letter that LaTeX may not have by its number."""
    return "".join(_escaped(c) for c in text).rstrip()


def _escaped(c: str) -> str:
    if c in ESCAPES or (" " <= c < "\x7f") or ("À" <= c <= "ž" and c.isalpha()):
        return ESCAPES.get(c, c)
    return rf"}}\{LETTERS[c]}\text{{" if c in LETTERS else f"U+{ord(c):04X} "


ONE = Name("1", "1")  # the derivative of the output with respect to itself

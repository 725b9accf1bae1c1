"""What quantities are called: z1, z2, ... in order, or their labels; and the derivatives that bear their names."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from .plain_text import SYMBOLS

LETTERS = {letter: name for name, letter in SYMBOLS.items() if "Α" <= letter <= "ω" and len(letter) == 1}
GREEK = set(LETTERS.values())
ESCAPES = str.maketrans({c: rf"\{c}" for c in "%&#$_{}"} | {"\\": r"\backslash ", "~": r"\sim ", "^": r"\hat{\ }"})


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
        if len(label) == 1 and label.isalpha():
            return cls(label, label if label.isascii() else rf"\text{{{label}}}")
        if stem and (len(stem[1]) == 1 or stem[1] in GREEK):
            return cls(label, f"{stem[1] if len(stem[1]) == 1 else chr(92) + stem[1]}_{{{stem[2]}}}")
        return cls(label, rf"\text{{{label.translate(ESCAPES)}}}")

    def derivative(self, of: Name) -> Name:
        """∂ of / ∂ self."""
        return Name(f"∂{of.text}/∂{self.text}", rf"\frac{{\partial {of.latex}}}{{\partial {self.latex}}}")


ONE = Name("1", "1")  # the derivative of the output with respect to itself

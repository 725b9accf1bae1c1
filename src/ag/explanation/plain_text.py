"""Formulas as one line of text: the LaTeX of the rows, read and written again in Unicode.

Only what the rows' formulas use is understood: groups, fractions, roots, powers, indices, cases and named symbols. So a formula
is stated once, in its row, and the terminal can't say anything else than the typeset page.
"""

from __future__ import annotations

import re
from typing import NamedTuple

SYMBOLS = {
    "cdot": "·", "times": "×", "odot": "⊙", "partial": "∂", "sum": "Σ", "prod": "Π", "infty": "∞", "top": "ᵀ", "pm": "±",
    "leq": "≤", "geq": "≥", "neq": "≠", "land": "∧", "lor": "∨", "lnot": "¬", "oplus": "⊕", "in": "∈", "to": "→",
    "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "|": "‖", "{": "{", "}": "}", ",": " ", "quad": "  ",
    "bmod": "mod", "mathrel": "",
    "dagger": "ᴴ", "ldots": "...", "dots": "...", "mid": "|", "_": "_", "%": "%", "&": "&", "#": "#", "$": "$",
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ", "iota": "ι",
    "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ",
    "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π",
    "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}  # fmt: skip
RAISED = str.maketrans("0123456789+-n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ")
LOWERED = str.maketrans("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋")
TOKEN = re.compile(r"\\begin\{cases\}|\\end\{cases\}|\\\\|\\[A-Za-z]+|\\.|\s+|.", re.S)
WORDS = "if|else|with|mod"  # between things, where a function word stands before its argument
FUNCTION = re.compile(rf"(?:(?!(?:{WORDS})\b)\b[A-Za-z]\w+|[ΣΠ])[₀-₉,]*$")  # what takes the next thing as its argument
OPEN = re.compile(rf"[ΣΠ][₀-₉,]* |(?!(?:{WORDS})\b)\b[A-Za-z]\w+[₀-₉,]* (?![·⊙/+-])")  # the same with an argument beside it
ROOT = re.compile("[⁰¹²³⁴-⁹]*[√∛]")


class Piece(NamedTuple):
    """A part of the line; ``loose``: it falls apart beside a stronger operator, as a fraction or a sum does."""

    text: str
    loose: bool = False


def plain_text(latex: str) -> str:
    """A formula in LaTeX as a line of text: ``\\frac{1}{z_{6}}`` as ``1 / z6``."""
    reader = _Reader(TOKEN.findall(latex))
    return _tidy(reader.sequence(()))


def _tidy(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(rf"(?!(?:{WORDS})\b)\b([A-Za-z]\w+[₀-₉]*) \(", r"\1(", text)  # log (x + y) as log(x + y)
    return re.sub(r"([(\[⌊⌈]) | ([)\]⌋⌉])", r"\1\2", text)


def enclosed(text: str) -> str:
    """The text in parentheses, unless it is one piece already."""
    return text if is_one(text) else f"({text})"


def is_one(text: str) -> bool:
    """A name, a number, or something in brackets of its own."""
    depth = 0
    for i, c in enumerate(text):
        depth += (c in "([{⌊") - (c in ")]}⌋")
        if not depth and (c in " -+/^" and i < len(text)):
            return False
    return bool(text)


def bare(text: str) -> str:
    """The text in parentheses, unless it is a bare name or number, or in parentheses already."""
    if re.search("[(⁰¹²³⁴-⁹ⁿ⁻^]", text) and not (is_one(text) and text.startswith("(") and text.endswith(")")):
        return f"({text})"
    return enclosed(text)


class Tokens:
    """A formula in pieces, and the place up to which it was read."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.place = 0

    def peek(self) -> str:
        """The next piece; empty at the end."""
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def next(self) -> str:
        """The next piece, which is passed."""
        token = self.peek()
        self.place += 1
        return token


class _Reader(Tokens):
    def sequence(self, ends: tuple[str, ...]) -> str:
        """All up to one of the ends, as text."""
        out = ""
        while self.place < len(self.tokens) and self.peek() not in ends:
            piece = self.piece()
            text = piece.text
            follows = self.peek()
            if piece.loose and self.falls_apart(text, out.rstrip(), follows):
                text = f"({text})"
            out += text
        return out

    @staticmethod
    def falls_apart(text: str, before: str, follows: str) -> bool:
        """Would a loose piece be read otherwise where it stands?"""
        if follows in ("^", "_", "["):
            return not is_one(text) or bool(ROOT.match(text))
        return not is_one(text) and bool(before.endswith(("^", "·", "⊙", "mod")) or FUNCTION.search(before))

    def group(self) -> str:
        """The text of the next group or single token."""
        while self.peek().isspace():
            self.next()
        if self.peek() == "{":
            self.next()
            text = self.sequence(("}",))
            self.next()
            return _tidy(text)
        return self.piece().text

    def piece(self) -> Piece:
        token = self.next()
        if token == "{":
            text = _tidy(self.sequence(("}",)))
            self.next()
            return Piece(text, loose=True) if self.peek() == "^" else Piece(text)
        if token == "^":
            return Piece(_raised(self.group()))
        if token == "_":
            return Piece(_lowered(self.group()))
        if token == "\\frac":
            top, bottom = self.group(), self.group()
            outside = _outside(top)
            over = f"({top})" if re.search(r" [-+] | mod ", outside) or OPEN.search(outside) else top
            return Piece(f"{over} / {enclosed(bottom)}", loose=True)
        if token == "\\binom":
            return Piece(f"binom({self.group()}, {self.group()})")
        if token == "\\sqrt":
            root = "√"
            if self.peek() == "[":
                self.next()
                degree = self.sequence(("]",))
                self.next()
                root = "∛" if degree == "3" else degree.translate(RAISED) + "√"
            return Piece(root + bare(self.group()), loose=True)
        if token == "\\begin{cases}":
            taken = self.sequence(("&",))
            self.next()
            condition = self.sequence(("\\\\",))
            self.next()
            other = self.sequence(("\\end{cases}",))
            self.next()
            return Piece(f"({_tidy(taken)} if {_tidy(condition)} else {_tidy(other)})")
        if token in ("\\operatorname", "\\mathrm", "\\text", "\\mathit", "\\overline"):
            return Piece(self.group())
        if token in ("\\left", "\\right"):
            return Piece("")
        if token.startswith("\\"):
            return Piece(SYMBOLS.get(token[1:], token[1:]))
        return Piece("∗" if token == "*" else token)


def _outside(text: str) -> str:
    """The text without what stands in brackets."""
    out, depth = "", 0
    for c in text:
        depth += c in "(["
        if not depth:
            out += c
        depth -= c in ")]"
    return out


def _raised(text: str) -> str:
    if text == "ᵀ" or text == "ᴴ":
        return text
    if re.fullmatch(r"-?\d{1,3}|n|\+", text):
        return text.translate(RAISED)
    return "^" + enclosed(text)


def _lowered(text: str) -> str:
    if not text:
        return ""
    if re.fullmatch(r"[\d,+-]+", text):
        return text.translate(LOWERED)
    return "_" + bare(text)

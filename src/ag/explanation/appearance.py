"""How drawings look: colours that stand on white and on black, the sizes of letters, and how wide a text is.

Widths are those of Helvetica, which its substitutes (Arial, Liberation Sans, Nimbus Sans) share. Discs and plates get their
size from them and not from the fonts of the machine, so a drawing is the same everywhere.
"""

from __future__ import annotations

import math
import re
import unicodedata
from itertools import accumulate
from typing import NamedTuple

FONTS = "Helvetica,Arial,Liberation Sans,sans-serif"


class Colours(NamedTuple):
    """Of one kind of node: its face, its rim, its letters, and those of what is less important."""

    face: str
    rim: str
    ink: str
    faint: str


KINDS = {
    "leaf": Colours("#e6f0ff", "#2563eb", "#0f1f3d", "#1d4ed8"),
    "quantity": Colours("#2160e8", "#1a4fc4", "#ffffff", "#e8f0ff"),
    "constant": Colours("#d5dbe4", "#8490a4", "#1f2937", "#4b5563"),
}
FORWARD = "#6b7a90"  # edges: 4 : 1 against white and against black
BACKWARD = "#d97706"
PARTIAL = Colours("#fff4e0", "#f0b35c", "#7a3d00", "#7a3d00")  # the plates on the edges of the backward drawing


class Letters(NamedTuple):
    """Of one line of text: how large, how bold, how far from the next line."""

    size: float
    bold: bool
    height: float


LETTERS = {
    "head": Letters(14, True, 18),
    "sign": Letters(17, True, 20),
    "text": Letters(13, False, 16),
    "note": Letters(12, False, 15),
}
SMALL = 0.8  # the size of an exponent or index, relative
# So wide may a drawing be: shown with 1280 pixels, its smallest letters have 9.
WIDEST = 1280 * min(letters.size for letters in LETTERS.values()) * SMALL / 9

SMALLEST, LARGEST = 30.0, 62.0  # radius of the discs
MARGIN = 6.0  # between their text and their rim
PLATE, LABEL = 110.0, 150.0  # the longest texts of a plate, and on an edge

# The widths of printable ASCII in Helvetica, in thousandths of its size.
ASCII = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778,
    722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278,
    278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)  # fmt: skip
BOLD = 1.08  # how much wider bold letters are
SLACK = 1.04  # for fonts that are not quite Helvetica
SIGNS = dict.fromkeys("₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹₊₋⁺⁻", 390) | {
    "·": 333, "ᵀ": 450, "…": 1000, "−": 584, "×": 584, "∂": 520, "⊙": 850, "Σ": 640,
}  # fmt: skip


class Run(NamedTuple):
    """Letters in a row: on the line (level 0), raised (1) or lowered (-1)."""

    text: str
    level: int = 0


def width(text: str, letters: Letters) -> float:
    """How wide a line is, exponents and indices small."""
    total = sum(_thousandths(run.text) * (SMALL if run.level else 1) for run in runs(text))
    return total / 1000 * letters.size * (BOLD if letters.bold else 1) * SLACK


def _thousandths(text: str) -> float:
    return sum(map(_thousandth, text))


def _thousandth(c: str) -> float:
    if " " <= c <= "~":
        return ASCII[ord(c) - 32]
    if c in SIGNS:
        return SIGNS[c]
    if unicodedata.combining(c):
        return 0
    return 1050 if unicodedata.east_asian_width(c) in "WF" or ord(c) > 0xFFFF else 680


def cut(text: str, letters: Letters, room: float) -> str:
    """The text, ended by … where there is no room for all of it; of brackets that would stay open nothing is left but (…)."""
    if width(text, letters) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if width(_ended(text[:middle]), letters) <= room else (low, middle - 1)
    return _ended(text[:low])


def _ended(start: str) -> str:
    depths = list(accumulate((c == "(") - (c == ")") for c in start))
    if depths and depths[-1] > 0:
        opened = max((i for i, depth in enumerate(depths) if depth == 0), default=-1)
        return start[: start.index("(", opened + 1)] + "(…)"
    return start.rstrip(" …") + "…"


SHIFTED = re.compile(r"\^(?:(?P<exponent>[−-]?[\w.₀-₉]+)|\()|(?<=[\w)])_(?:(?P<index>[a-z])(?![A-Za-z0-9_])|\()")


def runs(text: str) -> list[Run]:
    """A line as runs: what follows ^ is raised, a letter or a bracket that follows _ is lowered."""
    out, place = [], 0
    while (match := SHIFTED.search(text, place)) is not None:
        inner, end = match["exponent"] or match["index"], match.end()
        if inner is None:
            end = _closing(text, match.end())
            inner = text[match.end() : end - 1]
        out += [Run(text[place : match.start()]), Run(inner, 1 if match[0][0] == "^" else -1)]
        place = end
    return [run for run in (*out, Run(text[place:])) if run.text]


def _closing(text: str, start: int) -> int:
    """Behind the bracket that closes the one before ``start``."""
    depth = 1
    for i in range(start, len(text)):
        depth += (text[i] == "(") - (text[i] == ")")
        if not depth:
            return i + 1
    return len(text) + 1


# ---------------------------------------------------------------------- as it is drawn

LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
LIFTED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def drawn(text: str) -> str:
    """A line of an explanation with the signs of print: z₇ for z7, − for -, 10⁻⁵ for e-05, ∞ for inf, … for three dots.

    Files like d5.py keep their names.
    """
    text = re.sub(r"(?<=\d)e([+-]?)0*(\d+)\b", lambda m: "·10" + (m[1].replace("+", "") + m[2]).translate(LIFTED), text)
    text = re.sub(r"(?<!\w)([A-Za-zΑ-Ωα-ω])_?(\d+)(?![A-Za-z0-9_]|\.[A-Za-z])", lambda m: m[1] + m[2].translate(LOWERED), text)
    text = re.sub(r"(?<![\w.])inf(?![\w.(])", "∞", text)
    return re.sub(r"(?<![^\W\d_])-(?!\W*$)|-(?=[\d∞])", "−", text).replace("...", "…")


def plain(text: str) -> str:
    """User text on one line, without characters that no file format allows."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text)


def radius(lines: list[tuple[float, Letters]], margin: float) -> float:
    """Of the smallest disc that holds lines of these widths under each other, with a margin."""
    return max((math.hypot(w / 2, y) for w, y in corners(lines)), default=0) + margin


def corners(lines: list[tuple[float, Letters]]) -> list[tuple[float, float]]:
    """Of each line its width, and how far its letters reach from the middle of all."""
    top = -sum(letters.height for _, letters in lines) / 2
    out = []
    for w, letters in lines:
        middle = top + letters.height / 2
        out.append((w, abs(middle) + 0.36 * letters.size))
        top += letters.height
    return out

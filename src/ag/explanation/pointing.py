"""Errors about an expression: they show the place."""

from __future__ import annotations

import unicodedata

SHOWN = 72  # characters of a long expression around the place that is meant


class ExpressionError(ValueError):
    """What is wrong with an expression, and where: ``message``, and the characters ``start`` to ``stop`` of ``text``.

    As a string it is the message, the expression on one line, and a line with carets under the place.
    """

    def __init__(self, message: str, text: str, start: int, stop: int) -> None:
        super().__init__(message, text, start, stop)
        self.message, self.text, self.start, self.stop = message, text, start, stop

    def __str__(self) -> str:
        return f"{self.message}\n{pointer(self.text, self.start, self.stop)}" if self.text else self.message


def pointer(text: str, start: int, stop: int) -> str:
    """The text on one line, of a long one what stands around the place, and under it carets from start to stop."""
    stop = min(max(stop, start + 1), start + SHOWN)
    first = max(0, min(start - (SHOWN - (stop - start)) // 2, len(text) - SHOWN)) if len(text) > SHOWN else 0
    last = min(len(text), first + SHOWN)
    before = "…" if first else ""
    after = "…" if last < len(text) else ""
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[first:last])
    indent = columns(before + line[: start - first])
    width = max(columns(line[start - first : stop - first]), 1)
    return f"  {before}{line}{after}\n  {' ' * indent}{'^' * width}"


def columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )

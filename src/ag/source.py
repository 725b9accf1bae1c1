"""Where in the user's program a quantity was made: a code object and an instruction offset, read when asked."""

from __future__ import annotations

import itertools
import os
from sys import _getframe
from types import CodeType, FrameType
from typing import NamedTuple

import numpy as np

PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
NUMPY = os.path.dirname(os.path.abspath(np.__file__)) + os.sep  # which calls the library back for the user


class Source(NamedTuple):
    """A line of the user's program: file name, line number (from 1), function, and the text of the line."""

    file: str
    line: int
    function: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class _Inside(dict[str, bool]):
    """Is a file the library's own, or NumPy's? Asked for every frame of every call, so the answers are kept."""

    def __missing__(self, file: str) -> bool:
        answer = self[file] = file.startswith((PACKAGE, NUMPY))
        return answer


_inside = _Inside()


def is_inside(frame: FrameType) -> bool:
    """Does it run code of the library, or of NumPy?"""
    return _inside[frame.f_code.co_filename]


def user_frame() -> FrameType:
    """The innermost frame that runs code from outside the library and NumPy (the outermost frame if there is none)."""
    frame = _getframe(1)
    while _inside[frame.f_code.co_filename]:
        outer = frame.f_back
        if outer is None:
            break
        frame = outer
    return frame


def expression(code: CodeType, offset: int) -> str:
    """The text of the expression that the instruction at ``offset`` computes; empty where the program's text is not at hand."""
    import linecache  # as below

    line, last, start, end = next(itertools.islice(code.co_positions(), offset // 2, None), (None,) * 4)
    if line is None or last is None or start is None or end is None:
        return ""
    lines = [text.encode() for text in linecache.getlines(code.co_filename)[line - 1 : last]]
    if len(lines) != last - line + 1:
        return ""
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    return b"".join(lines).decode(errors="replace")


def locate(code: CodeType, offset: int) -> Source | None:
    """The source line of the instruction at ``offset`` in ``code``; None for instructions without a line."""
    import linecache  # here, as it is slow to import and only a question for the place needs it

    for start, stop, line in code.co_lines():
        if start <= offset < stop and line is not None:
            text = linecache.getline(code.co_filename, line).strip()
            return Source(code.co_filename, line, code.co_qualname, text)
    return None


def warn(text: str) -> None:
    """A warning at the line of the user."""
    import warnings  # here, as few need it

    frame = user_frame()
    module, seen = frame.f_globals.get("__name__"), frame.f_globals.setdefault("__warningregistry__", {})
    warnings.warn_explicit(text, UserWarning, frame.f_code.co_filename, frame.f_lineno, module, seen)

"""The parts of the page: they are put into one file."""

from __future__ import annotations

import re
from collections.abc import Mapping


def asset(name: str) -> str:
    """The text of one of the files here."""
    from importlib.resources import files  # here, as it is slow to import

    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def filled(name: str, parts: Mapping[str, str]) -> str:
    """One of the files, with others, and these parts, in the places that bear their names: <!-- page.css -->, <!-- title -->."""
    return re.sub(r"<!-- ([a-z]+(?:\.[a-z]+)?) -->", lambda m: asset(m[1]) if "." in m[1] else parts[m[1]], asset(name))

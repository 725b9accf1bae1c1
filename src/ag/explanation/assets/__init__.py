"""The parts of the page: they are put into one file."""

from __future__ import annotations


def asset(name: str) -> str:
    """The text of one of the files here."""
    from importlib.resources import files  # here, as it is slow to import

    return files(__name__).joinpath(name).read_text(encoding="utf-8")

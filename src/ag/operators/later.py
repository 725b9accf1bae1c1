"""The rows that few programs need. They join the table when one of them is asked for first, so that importing ag stays fast."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from ..node import Operand

MODULES = (
    "floating", "missing", "ordering", "sets", "statistics", "differences", "signals", "arranging", "building", "choosing",
    "polynomials", "declared", "special", "fourier", "solving", "factors", "spectra", "eigenvalues", "matrices",
    "matrix_functions", "banded", "segments", "complex_domain",
)


def everything() -> list[ModuleType]:
    """All modules of rows that are not imported at once, imported."""
    return [importlib.import_module(f".{name}", __package__) for name in MODULES]


def _method(name: str) -> Any:
    """A method of nodes that its row replaces when it joins the table."""

    def method(self: Operand, *args: Any, **kwargs: Any) -> Any:
        everything()
        return getattr(self, name)(*args, **kwargs)

    method.__name__ = name
    return method


METHODS = ("argpartition", "choose", "compress", "copy", "__divmod__", "__rdivmod__")
for _name in METHODS:
    setattr(Operand, _name, _method(_name))


def public(name: str) -> Any:
    """What one of those modules offers under this name; None if there is nothing."""
    for module in everything():
        if name in getattr(module, "__all__", ()):
            return vars(module)[name]
    return None


def names() -> set[str]:
    """The names that `public` knows."""
    return {name for module in everything() for name in getattr(module, "__all__", ())}

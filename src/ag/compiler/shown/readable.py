"""What is shown of a compiled function: as text, in a notebook, and as a page."""

from __future__ import annotations

import os

from ...files import write_by_ending


class Readable:
    """``print`` it, look at it in a notebook, or ``save`` it as a page."""

    def text(self) -> str:
        """All of it as text."""
        raise NotImplementedError

    def html(self) -> str:
        """A page that works by itself."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ...explanation.compiled_page import notebook  # above the compiler, and only needed here

        return notebook(self.text())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, by its ending: .html or .txt."""
        write_by_ending(path, {".html": self.html, ".txt": lambda: self.text() + "\n"})

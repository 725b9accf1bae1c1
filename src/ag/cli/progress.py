"""How far the training is, in one line of a terminal that is written again and again."""

from __future__ import annotations

import os
import time
from typing import TextIO


class Progress:
    """The line ``epoch 3 of 10, 0:04, loss 0.2893``; nothing where the stream is no terminal."""

    def __init__(self, stream: TextIO, epochs: int | None) -> None:
        self.stream = stream
        self.start = time.monotonic()
        self.length = 0  # of what stands there
        self.open = stream.isatty()
        self.show(0, epochs)

    def show(self, epoch: float, epochs: int | None, *said: str) -> None:
        """Write the line again, cut to the width of the terminal. ``epochs`` of None are not known yet."""
        if self.open:
            minutes, seconds = divmod(int(time.monotonic() - self.start), 60)
            planned = f" of {epochs}" if epochs else ""
            line = ", ".join([f"  epoch {epoch:g}{planned}", f"{minutes}:{seconds:02}", *said])
            line = line[: self._columns() - 1]  # a full line would wrap
            self._write("\r" + line.ljust(self.length))
            self.length = len(line)

    def close(self) -> None:
        """What is written next begins a line."""
        if self.open:
            self._write("\n")
            self.open = False

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or 80
        except OSError:
            return 80

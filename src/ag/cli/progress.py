"""How far the training is, in one line of a terminal that is written again and again."""

from __future__ import annotations

from typing import Any, TextIO


class Progress:
    """The line ``epoch 3 of 10 ██▍ 00:04, loss 0.2893``; nothing where the stream is no terminal."""

    def __init__(self, stream: TextIO, epochs: int | None) -> None:
        self.line = _line(stream) if stream.isatty() else None
        self.show(0, epochs)

    def show(self, epoch: float, epochs: int | None, *said: str) -> None:
        """Write the line again, cut to the width of the terminal. ``epochs`` of None are not known yet."""
        if self.line is not None:
            planned = f" of {epochs} {{bar}}" if epochs else ","
            self.line.bar_format = f"  epoch {epoch:g}{planned} {{elapsed}}{{postfix}}"
            self.line.total, self.line.n = epochs, epoch
            self.line.set_postfix_str(", ".join(said))

    def close(self) -> None:
        """What is written next begins a line."""
        if self.line is not None:
            self.line.close()
            self.line = None


def _line(stream: TextIO) -> Any:
    try:
        from tqdm import tqdm  # here, as it is slow to import and of no use without a terminal
    except ImportError:
        raise ImportError("the line of progress needs tqdm: pip install 'ag-autodiff[cli]'") from None
    return tqdm(file=stream, dynamic_ncols=True, delay=1e-9)  # by which it writes nothing before it is told what

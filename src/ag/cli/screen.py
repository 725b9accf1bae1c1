"""How results look in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

BAR = 40  # characters of a full bar
EIGHTHS = " ▏▎▍▌▋▊▉"


def table(rows: Iterable[Sequence[Any]], header: Sequence[Any] = ()) -> str:
    """Columns under each other: the first to the left, the others to the right, a line under the header."""
    texts = [[str(x) for x in row] for row in ([header] if header else []) + list(rows)]
    widths = [max(len(row[i]) for row in texts) for i in range(len(texts[0]))]
    lines = [
        "  " + "   ".join(x.ljust(w) if i == 0 else x.rjust(w) for i, (x, w) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in texts
    ]
    if header:
        lines.insert(1, "  " + "   ".join("─" * w for w in widths))
    return "\n".join(lines)


def percent(share: float) -> str:
    """0.9269 as 92.69 %."""
    return f"{100 * share:.2f} %"


def decimals(x: float, places: int = 4) -> str:
    """0.2717, and 16,002 to 0 places; 1.36e+27 where the digits would fill a line."""
    return f"{x:,.{places}f}" if x < 1e12 else f"{x:.3g}"


def bar(share: float) -> str:
    """A bar of a length in proportion, to an eighth of a character."""
    eighths = round(share * BAR * 8)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()

"""Counts, times and tables as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def amount(x: float, unit: str = "") -> str:
    """A count in three or four digits: 2007040 is 2.01 M."""
    for factor, prefix in UNITS:
        if x >= factor:
            return f"{x / factor:.3g} {prefix}{unit}"
    return f"{x:g} {unit}".rstrip()


def duration(seconds: float) -> str:
    """A time in three digits: 0.000123 is 123 µs."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def aligned(rows: Sequence[tuple[str, ...]], right: tuple[int, ...] = (), widest: int | None = None) -> Iterator[str]:
    """Rows as lines of text with columns; cells of more than ``widest`` characters push what stands beside them away."""
    if not rows:
        return
    columns = zip(*rows, strict=True)
    widths = [max((len(c) for c in column if widest is None or len(c) <= widest), default=0) for column in columns]
    for row in rows:
        cells = [c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        yield "  ".join(cells).rstrip()

"""What a call of a compiled function costs, as one HTML file that works by itself."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from ..compiler.shown.amounts import amount, duration
from .compiled_page import bar, file, section

if TYPE_CHECKING:
    from ..compiler.shown.costing import Cost

WIDTH, HEIGHT, LEFT, RIGHT, ABOVE, BELOW = 700, 420, 76, 24, 44, 72  # of the picture, and of its margins


def cost_page(cost: Cost) -> str:
    """The page of a cost: the figures, the limits beside the measured time, and the roofline."""
    figures = [
        (duration(cost.seconds), f"median of {cost.runs:,} runs"), (amount(cost.operations), "operations"),
        (amount(cost.least_bytes, "B"), "in and out"), (f"{cost.intensity:.3g}", "operations a byte"),
    ]  # fmt: skip
    if cost.fraction is not None:
        figures.append((f"{cost.fraction:.0%}", f"of what the machine can do, bound by {cost.bound}"))
    cells = "".join(f"<div><b>{escape(number)}</b><span>{escape(said)}</span></div>" for number, said in figures)
    sections = [f'<div class="figures">{cells}</div>']
    if cost.limits:
        title = "The time, and what it can't be below"
        meaning = "Arithmetic alone, memory alone, and a call that computes nothing."
        sections.append(section("limits", title, meaning, _limits(cost)))
        title = "Under the roof"
        meaning = (
            "The roof is what this machine can do, measured: where little is computed of each byte, what memory delivers; then "
            "what it multiplies and adds. Both axes go by powers of ten."
        )
        sections.append(section("roof", title, meaning, roofline(cost)))
    facts = "".join(_cells(row) for row in cost.rows())
    sections.append(section("facts", "All figures", "", f'<table class="facts">{facts}</table>'))
    return file(cost.name, "What a call costs, and the least that it could cost here.", "", sections, "cost")


def _limits(cost: Cost) -> str:
    longest = max([cost.seconds, *cost.limits.values()])
    rows = [("measured", cost.seconds, "negative")] + [(name, t, "") for name, t in cost.limits.items()]
    cells = []
    for name, seconds, kind in rows:
        highest = ' class="highest"' if name in (cost.bound, "measured") else ""
        cells.append(f"<span{highest}>{name}</span>{bar(seconds / longest, kind)}<span{highest}>{duration(seconds)}</span>")
    return f'<div class="limits">{"".join(cells)}</div>'


def roofline(cost: Cost) -> str:
    """The rate of a program under the machine's roof, both axes by powers of ten."""
    assert cost.peak_flops is not None and cost.peak_bandwidth is not None
    x, rate = max(cost.intensity, 1e-3), max(cost.flops, 1.0)
    ridge = cost.peak_flops / cost.peak_bandwidth
    left, right = math.floor(math.log10(min(x, ridge) / 3)), math.ceil(math.log10(max(x, ridge) * 3))
    roof = min(cost.peak_flops, x * cost.peak_bandwidth)
    low = math.floor(math.log10(min(rate, 10**left * cost.peak_bandwidth)))
    high = math.ceil(math.log10(cost.peak_flops * 1.3))

    def at(intensity: float, flops: float) -> tuple[float, float]:
        return (
            LEFT + (math.log10(intensity) - left) / (right - left) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BELOW - (math.log10(flops) - low) / (high - low) * (HEIGHT - BELOW - ABOVE),
        )

    parts = []
    for k in range(left, right + 1):
        px, py = at(10.0**k, 10.0**low)
        parts.append(f'<path class="grid" d="M{px:.1f} {py:.1f}V{ABOVE}"/>{_text(px, py + 24, "middle", f"{10.0**k:g}")}')
    for k in range(low, high + 1):
        px, py = at(10.0**left, 10.0**k)
        label = _text(px - 8, py + 4, "end", amount(10.0**k))
        parts.append(f'<path class="grid" d="M{px:.1f} {py:.1f}H{WIDTH - RIGHT}"/>{label}')
    parts.append(_text(8, 20, "start", "operations a second"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, "middle", "operations a byte"))
    corners = [at(10.0**left, 10.0**left * cost.peak_bandwidth), at(ridge, cost.peak_flops), at(10.0**right, cost.peak_flops)]
    parts.append(f'<path class="edge" d="M{" L".join(f"{a:.1f} {b:.1f}" for a, b in corners)}"/>')
    parts += _peaks(corners, amount(cost.peak_bandwidth, "B/s"), amount(cost.peak_flops, "flop/s"))
    (px, py), (_, top) = at(x, rate), at(x, roof)
    parts.append(f'<path class="gap" d="M{px:.1f} {py:.1f}V{top:.1f}"/><circle cx="{px:.1f}" cy="{py:.1f}" r="6"/>')
    side, anchor = (-12, "end") if px > WIDTH / 2 else (12, "start")
    parts.append(_text(px + side, py + 5, anchor, f"{cost.name}: {amount(rate, 'flop/s')}", "said"))
    label = f"Roofline: {amount(rate, 'flop/s')} of {amount(roof, 'flop/s')} at {x:.3g} operations a byte"
    return f'<svg class="roof" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _peaks(corners: list[tuple[float, float]], bandwidth: str, flops: str) -> Iterable[str]:
    """The names of the two sides of the roof: along the slope, and above what is level."""
    (x0, y0), (x1, y1), (x2, _) = corners
    length, angle = math.hypot(x1 - x0, y1 - y0), math.degrees(math.atan2(y1 - y0, x1 - x0))
    text = f"memory {bandwidth}"
    if length > 13 * len(text):
        turned = f'<g transform="translate({(x0 + x1) / 2:.1f} {(y0 + y1) / 2:.1f}) rotate({angle:.1f})">'
        yield f'{turned}{_text(0, -10, "middle", text, "peak")}</g>'
    else:
        yield _text(x0 + 6, y0 + 24, "start", text, "peak")
    yield _text(x2 - 6, y1 - 10, "end", f"arithmetic {flops}", "peak")


def _text(x: float, y: float, anchor: str, text: str, kind: str = "axis") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _cells(row: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"

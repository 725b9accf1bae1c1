"""A chain of 1,000,000 scalar nodes: built, differentiated, freed."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

from .harness import Row, reports_in_turns

NODES = 1_000_000


def resident():
    """The bytes of memory that this process has now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def measure():
    """Microseconds and bytes a node."""
    import ag

    def build():
        x = y = ag.Scalar(0.5)
        for _ in range(NODES // 2):
            y = y * 1.0000001
            y = y + 1e-9
        return x, y

    before = resident()
    x, y = build()
    held = resident() - before
    y.backward()
    assert abs(x.grad - 1.0000001 ** (NODES // 2)) < 1e-6
    del x, y
    times = []
    for _ in range(3):
        start = time.perf_counter()
        x, y = build()
        y.backward()
        times.append(time.perf_counter() - start)
        del x, y
    return {"seconds": statistics.median(times), "bytes": held / NODES}


def rows() -> list[Row]:
    reports = reports_in_turns("benchmarks.chain", ["ag"], 3)["ag"]
    micros = statistics.median(r["seconds"] for r in reports) / NODES * 1e6
    size = statistics.median(r["bytes"] for r in reports)
    return [
        Row("a chain of 1,000,000 scalars, µs a node", f"{micros:.2f}", "≤ 2", micros <= 2),
        Row("a chain of 1,000,000 scalars, bytes a node", f"{size:.0f}", "≤ 300", size <= 300),
    ]


if __name__ == "__main__":
    print(json.dumps(measure()))

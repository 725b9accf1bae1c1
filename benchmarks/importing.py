"""`import ag` over `import numpy`, in milliseconds."""

from __future__ import annotations

import statistics
import sys

from .harness import Row, processes_in_turns


def rows() -> list[Row]:
    commands = {name: [sys.executable, "-c", f"import {name}"] for name in ("ag", "numpy")}
    times = processes_in_turns(commands, 21)
    more = 1e3 * statistics.median(a - b for a, b in zip(times["ag"], times["numpy"], strict=True))
    return [Row("`import ag` over `import numpy`", f"{more:.0f} ms more", "≤ 30 ms", more <= 30)]

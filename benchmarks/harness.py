"""Measuring: everything is run in turns, so that a slow minute of the machine meets all alike, and medians are taken."""

from __future__ import annotations

import gc
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent

# One thread for everybody, before any of them is imported.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ENVIRONMENT = {
    **os.environ,
    **ONE_THREAD,
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "PYTHONPATH": str(ROOT),
}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode beside it


# Calls shorter than this are timed several together; all rounds of what is measured together end within about the other.
ENOUGH, LONG = 2e-3, 8.0  # seconds


class Row(NamedTuple):
    """One line of the result: what was measured, the figure, what was aimed at, and whether it is met."""

    what: str
    measured: str
    aim: str
    met: bool


def seconds(f: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long one call takes."""
    start = clock()
    f()
    return clock() - start


def in_turns(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Times of each function, run in turns after one run to warm up."""
    for f in runs.values():
        f()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, f in runs.items():
            times[name].append(seconds(f))
    return times


def processes_in_turns(commands: dict[str, list[str]], repeats: int) -> dict[str, list[float]]:
    """Wall times of whole processes, run in turns after one to warm the disk's cache."""
    return in_turns({name: lambda c=c: _process(c) for name, c in commands.items()}, repeats)


def reports_in_turns(module: str, names: list[str], repeats: int) -> dict[str, list[dict[str, float]]]:
    """What ``python -m module name`` prints as JSON, each in a process of its own, in turns."""
    reports: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(repeats):
        for name in names:
            reports[name].append(json.loads(_process([sys.executable, "-m", module, name])))
    return reports


def _process(command: list[str]) -> str:
    result = subprocess.run(command, env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout


def ratio(times: dict[str, list[float]], ours: str, theirs: str) -> float:
    """The median over the turns of our time over theirs."""
    return statistics.median(a / b for a, b in zip(times[ours], times[theirs], strict=True))


def row(what: str, times: dict[str, list[float]], peers: dict[str, float], ours: str = "ag") -> list[Row]:
    """One line for each peer: our median time as a multiple of theirs."""
    result = []
    for peer, aim in peers.items():
        r = ratio(times, ours, peer)
        own, other = (statistics.median(times[name]) for name in (ours, peer))
        result.append(Row(f"{what} / {peer}", f"{r:.3f}  ({time_text(own)} / {time_text(other)})", f"≤ {aim:g}", r <= aim))
    return result


def time_text(t: float) -> str:
    """A time with its unit."""
    return f"{t:.2f} s" if t >= 1 else f"{t * 1e3:.3g} ms" if t >= 1e-3 else f"{t * 1e6:.3g} µs"


def agree(what: str, found: Any, expected: Any, tolerance: float) -> None:
    """Raise unless both have the same structure, shapes, dtypes and, to the tolerance, numbers."""
    import numpy as np

    if isinstance(expected, (tuple, list)):
        if len(found) != len(expected):
            raise AssertionError(f"{what}: {len(found)} results, not {len(expected)}")
        for i, (one, other) in enumerate(zip(found, expected, strict=True)):
            agree(f"{what}, result {i}", one, other, tolerance)
        return
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape or found.dtype != expected.dtype:
        raise AssertionError(f"{what}: {found.dtype}{found.shape}, not {expected.dtype}{expected.shape}")
    error, size = np.abs(found - expected).max(initial=0), np.abs(expected).max(initial=0)
    if not error <= tolerance * size:
        raise AssertionError(f"{what}: differs by {error:.3g}, where the largest is {size:.3g}")


def medians_in_turns(runs: dict[Any, Callable[[], object]], most: int, clock: Callable[[], float]) -> dict[Any, float]:
    """The median seconds of a call of each, measured in turns; short calls several at a time, long ones less often.

    At each turn a first call isn't counted: it finds the caches full of what the others left. Each turn has an order of its own,
    as the threads of some go on spinning for a while and take a core from whoever comes next.
    """

    def several(run: Callable[[], object], calls: int) -> Callable[[], None]:
        def repeated() -> None:
            for _ in range(calls):
                run()

        return repeated

    once = {key: min(seconds(run, clock), seconds(run, clock)) for key, run in runs.items()}
    calls = {key: max(1, math.ceil(ENOUGH / max(t, 1e-7))) for key, t in once.items()}
    rounds = max(5, min(most, int(LONG / sum(max(t, ENOUGH) for t in once.values()))))
    times: dict[Any, list[float]] = {key: [] for key in runs}
    gc.collect()
    order, shuffle = list(runs), random.Random(0).shuffle
    for _ in range(rounds):
        shuffle(order)
        for key in order:
            runs[key]()
            times[key].append(seconds(several(runs[key], calls[key]), clock) / calls[key])
    return {key: statistics.median(found) for key, found in times.items()}

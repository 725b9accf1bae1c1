"""What a call of a compiled function costs, and the least that it could cost on this machine."""

from __future__ import annotations

import functools
import statistics
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...transforms.containers import mapped
from ..executable import DECLINED
from ..machine import native
from . import machine_peaks
from .amounts import aligned, amount, duration
from .readable import Readable
from .showing import Shown

LONGEST, MOST, LEAST = 0.3, 1000, 5  # seconds and runs that are measured
SHORT = 50e-6  # seconds: what is shorter is timed several times in a row
OF_MATRICES, OF_VECTORS = 2**18, 9216  # multiply-adds: up to so many OpenBLAS computes a product in one thread


@dataclass(repr=False)
class Cost(Readable):
    """What a call costs.

    ``operations``: floating-point operations (a fused multiply-add is two, an elementary function what its code has), without
    those of ``uncounted``, the steps that NumPy computes, branches, and loops of unknown length; ``functions``: how often each
    elementary function is computed.
    ``least_bytes``: arguments, captured arrays and results, each once; ``moved_bytes``: what all steps read and write.
    ``seconds``: the median of ``runs`` calls. ``peak_flops`` and ``peak_bandwidth``: of this machine with ``threads`` threads in
    ``dtype``, measured (None without llvmlite); ``overhead``: the seconds that the smallest call takes.
    """

    name: str
    operations: int
    functions: Counter[str]
    uncounted: list[str]
    least_bytes: int
    moved_bytes: int
    seconds: float
    runs: int
    declined: bool
    dtype: str
    threads: int
    peak_flops: float | None
    peak_bandwidth: float | None
    overhead: float

    @classmethod
    def measured(cls, compiled: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Cost:
        """Run it, and measure the machine."""
        shown: Shown = compiled.show(*args, **kwargs, stage="steps")
        program = shown.compiled
        ends = compiled.given(args, kwargs)[1]
        declined = compiled.entry(*args, **kwargs)(_copied(ends)) is DECLINED  # copied, as it may take the memory of arguments
        times, runs = _times(compiled, args, kwargs)
        quantities = program.quantities
        results = {x for x in program.outputs if isinstance(x, int)} - set(program.arguments)
        least = sum(quantities[n].nbytes for n in [*program.arguments, *results])
        floats = {str(q.dtype) for q in quantities if q.dtype.kind in "fc" and not q.weak}
        dtype = "float32" if floats and floats <= {"float32", "complex64"} else "float64"
        threads = max([s.threads or 1 for s in shown.every()], default=1)
        products = [s.item.product for s in shown.every() if s.kind == "BLAS"]
        if any(p.rows * p.inner * p.columns > (OF_VECTORS if 1 in (p.rows, p.columns) else OF_MATRICES) for p in products):
            threads = max(threads, native.blas_threads() or 1)
        known = native.available()
        peak_flops = machine_peaks.flops(dtype, threads) if known else None
        peak_bandwidth = machine_peaks.bandwidth(machine_peaks.size_class(least), threads) if known else None
        works = [s.work for s in shown.steps]
        return cls(
            compiled.name, sum(w.operations or 0 for w in works), sum((w.functions for w in works), Counter()),
            [s.name for s in shown.steps if s.work.operations is None], least, sum(w.moved for w in works),
            statistics.median(times), runs, declined, dtype, threads, peak_flops, peak_bandwidth, _overhead(),
        )  # fmt: skip

    # ------------------------------------------------------------------ what follows

    @property
    def flops(self) -> float:
        """Operations a second."""
        return self.operations / self.seconds

    @property
    def bandwidth(self) -> float:
        """Bytes a second, of those that have to be moved."""
        return self.least_bytes / self.seconds

    @property
    def intensity(self) -> float:
        """Operations a byte."""
        return self.operations / max(self.least_bytes, 1)

    @property
    def limits(self) -> dict[str, float]:
        """The least seconds that arithmetic alone, memory alone, and a call that does nothing take."""
        if self.peak_flops is None or self.peak_bandwidth is None:
            return {}
        return {
            "arithmetic": self.operations / self.peak_flops, "memory": self.least_bytes / self.peak_bandwidth,
            "the call": self.overhead,
        }  # fmt: skip

    @property
    def bound(self) -> str | None:
        """Which of the limits is the highest: "arithmetic", "memory" or "the call"; None where the peaks are not known."""
        return max(self.limits, key=self.limits.__getitem__, default=None)

    @property
    def fraction(self) -> float | None:
        """The highest limit over the measured time: 1 is as fast as this machine can be."""
        return max(self.limits.values()) / self.seconds if self.limits else None

    # ------------------------------------------------------------------ as it is shown

    def rows(self) -> list[tuple[str, ...]]:
        """What it says, as a table: what, how much, and of what."""
        functions = ", ".join(f"{name} {amount(count)}" for name, count in self.functions.items())
        uncounted = f"without {', '.join(self.uncounted)}, computed by NumPy, or not known how often" if self.uncounted else ""
        found: list[tuple[str, ...]] = [
            ("operations", amount(self.operations), "; ".join(filter(None, (functions, uncounted)))),
            ("bytes", amount(self.least_bytes, "B"), f"in and out, once; the steps move {amount(self.moved_bytes, 'B')}"),
            ("time", duration(self.seconds), f"median of {self.runs:,} runs" + (self.declined * ", by the function itself")),
        ]
        with_threads = f"with {self.threads} threads" if self.threads > 1 else "on one core"
        if self.peak_flops is None or self.peak_bandwidth is None:
            note = f"of a peak that is not known: {native.NEEDS}"
            return [*found, ("arithmetic", amount(self.flops, "flop/s"), note), ("memory", amount(self.bandwidth, "B/s"), "")]
        size = amount(machine_peaks.size_class(self.least_bytes), "B")
        adds = f"of {amount(self.peak_flops, 'flop/s')}: multiply-adds in {self.dtype} {with_threads}"
        triad = f"of {amount(self.peak_bandwidth, 'B/s')}: a triad over {size} {with_threads}"
        bound = f"bound by {self.bound}: {self.fraction:.0%} of what the machine can do"
        return [
            *found, ("arithmetic", amount(self.flops, "flop/s"), adds), ("memory", amount(self.bandwidth, "B/s"), triad),
            ("at least", duration(max(self.limits.values())), bound),
        ]  # fmt: skip

    def text(self) -> str:
        return "\n".join([f"cost of {self.name}", *(f"  {line}" for line in aligned(self.rows()))])

    def html(self) -> str:
        from ...explanation.cost_page import cost_page  # above the compiler, and only needed here

        return cost_page(self)


def _times(f: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[float], int]:
    """The seconds that calls take, and how many were made."""

    def once(repeats: int) -> float:
        fresh = [_copied(x) if i in f.donate_argnums else x for i, x in enumerate(args)]
        start = time.perf_counter()
        for _ in range(repeats):
            f(*fresh, **kwargs)
        return (time.perf_counter() - start) / repeats

    once(1)
    first = once(1)
    repeats = 1 if f.donate_argnums else max(int(SHORT / max(first, 1e-9)), 1)
    end = time.perf_counter() + LONGEST
    found: list[float] = []
    while len(found) < LEAST or (time.perf_counter() < end and len(found) * repeats < MOST):
        found.append(once(repeats))
    return found, len(found) * repeats


def _copied(x: Any) -> Any:
    return mapped(lambda part: np.array(part) if isinstance(part, np.ndarray) else part, x)


@functools.cache
def _overhead() -> float:
    """The least seconds of a call that computes next to nothing."""
    from ..compiled import jit

    return min(_times(jit(lambda x: x + 1), (np.zeros(1),), {})[0])

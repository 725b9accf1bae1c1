"""`ag.jit` against `jax.jit` and PyTorch, eager, on the programs of ``compiled_programs``, all in one process and in turns.

``python -m benchmarks.compiled --only LSTM --threads 2`` measures some of them and prints the whole table: value and
gradient (or what else the program makes), the function alone, and the first call, which compiles.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from .harness import ENVIRONMENT, ROOT, Row, agree, medians_in_turns, time_text

TOLERANCE = {"float64": 1e-9, "float32": 1e-3}  # of the largest element of each result


def environment(threads: int) -> dict[str, str]:
    """The variables of a process in which everybody has so many threads, and nothing compiled is kept on the disk."""
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    here = os.pathsep.join([str(ROOT), str(ROOT / "src")])  # this tree's ag, whichever is installed
    result = {**ENVIRONMENT, **counts, "JAX_ENABLE_X64": "1", "AG_CACHE_DIR": "", "PYTHONPATH": here}
    if threads > 1:
        result["XLA_FLAGS"] = ""
    return result


def measured(program: Any, sides: dict[str, Any], most: int, clock: Callable[[], float]) -> dict[str, Any]:
    """The seconds of one program: {"first": {side: ...}, "both": {side: ...}, "primal": {side: ...}}."""
    runs: dict[Any, Callable[[], object]] = {}
    results: dict[Any, Any] = {}
    first = {}
    for derivative in (True, False):
        for name, side in sides.items():
            side.forget()
            run = runs[name, derivative] = side.prepared(program, derivative)
            start = clock()
            results[name, derivative] = run()
            if derivative:
                first[name] = clock() - start
    reference = list(sides)[-1]
    for (name, derivative), result in results.items():
        what = f"{program.title}, {'derivative' if derivative else 'primal'}, {name} against {reference}"
        agree(what, result, results[reference, derivative], TOLERANCE[program.dtype])
    del results
    found = medians_in_turns(runs, most, clock)
    return {
        "name": program.title,
        "gradient": program.is_gradient,
        "first": first,
        "both": {name: found[name, True] for name in sides},
        "primal": {name: found[name, False] for name in sides},
    }


def mean(ratios: list[float]) -> float:
    return statistics.geometric_mean(ratios)


def ratios(report: dict[str, Any], part: str, ours: str, theirs: str) -> list[float]:
    return [p[part][ours] / p[part][theirs] for p in report["programs"] if "failed" not in p]


HEAD = (
    f"{'program':50}{'ag':>10}{'JAX':>10}{'PyTorch':>10}{'/JAX':>7}{'/PyTorch':>9}"
    f"{'first: ag':>11}{'JAX':>9}{'ratio':>7}{'primal: ag':>12}{'JAX':>10}{'both/it':>8}"
)


def line(p: dict[str, Any]) -> str:
    """One program in the table."""
    if "failed" in p:
        return f"{p['name']:50}  failed: {p['failed']}"

    def ratio(part: str, theirs: str) -> str:
        ours, other = p[part].get("ag"), p[part].get(theirs)
        return f"{ours / other:.2f}" if ours and other else ""

    def times_of(part: str) -> list[str]:
        return [time_text(p[part][name]) if name in p[part] else "" for name in ("ag", "JAX", "PyTorch")]

    both, first, primal = times_of("both"), times_of("first"), times_of("primal")
    mine = "ag" if "ag" in p["both"] else "JAX"
    times = f"{p['both'][mine] / p['primal'][mine]:.2f}" if p["gradient"] and mine in p["both"] else ""
    return (
        f"{p['name']:50}{both[0]:>10}{both[1]:>10}{both[2]:>10}{ratio('both', 'JAX'):>7}{ratio('both', 'PyTorch'):>9}"
        f"{first[0]:>11}{first[1]:>9}{ratio('first', 'JAX'):>7}{primal[0]:>12}{primal[1]:>10}{times:>8}"
    )


def summary(report: dict[str, Any]) -> list[Row]:
    """The figures of a whole run, one line each."""
    threads = report["threads"]
    suffix = "one thread" if threads == 1 else f"{threads} threads"
    done = [p for p in report["programs"] if "failed" not in p]
    failed = len(report["programs"]) - len(done)
    rows = [Row(f"compiled programs that failed, {suffix}", str(failed), "0", not failed)]
    present = set(report["sides"])

    def add(what: str, value: float, aim: float, digits: int = 3) -> None:
        rows.append(Row(f"{what}, {suffix}", f"{value:.{digits}f}", f"≤ {aim:g}", value <= aim))

    if done and {"ag", "JAX"} <= present:
        against = ratios(report, "both", "ag", "JAX")
        add(f"{len(done)} compiled programs / JAX, geometric mean", mean(against), 0.5)
        add("compiled programs slower than JAX", sum(r > 1 for r in against), 2, 0)
        worst = max(range(len(against)), key=against.__getitem__)
        add(f"the worst of them / JAX ({done[worst]['name']})", against[worst], 1.3)
        add("first call / JAX, geometric mean", mean(ratios(report, "first", "ag", "JAX")), 0.35)
        add("the functions alone / JAX, geometric mean", mean(ratios(report, "primal", "ag", "JAX")), 0.5)
    if done and {"ag", "PyTorch"} <= present:
        add("compiled programs / PyTorch eager, geometric mean", mean(ratios(report, "both", "ag", "PyTorch")), 0.3)
    if "ag" in present:
        times = [p["both"]["ag"] / p["primal"]["ag"] for p in done if p["gradient"]]
        if times:
            add("gradient over its own primal, compiled, geometric mean", mean(times), 3)
    return rows + [Row(f"{what}, {suffix}", *rest) for what, *rest in report["figures"]]


def failure(error: Exception, options: argparse.Namespace) -> str:
    """What is told of a program that failed: the others are measured all the same, and the run ends as failed."""
    if options.traceback:
        traceback.print_exception(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure everything that is asked for, with the table on the standard error as it grows."""
    from . import compiled_figures
    from .compiled_programs import PROGRAMS
    from .compiled_programs.sides import SIDES

    def wanted(title: str) -> bool:
        return not options.only or any(part.lower() in title.lower() for part in options.only)

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    sides = {name: SIDES[name](options.threads) for name in SIDES if name in options.sides}
    most = 5 if options.quick else 21
    clock = time.process_time if options.processor_time else time.perf_counter
    chosen = [p for p in PROGRAMS if wanted(p.title)]
    figures = [(title, f) for title, f in compiled_figures.FIGURES.items() if wanted(title) and "ag" in sides]
    if not chosen and not figures:
        names = ", ".join([*(p.title for p in PROGRAMS), *compiled_figures.FIGURES])
        raise SystemExit(f"no program has {' or '.join(options.only)} in its name; there are: {names}")
    for side in sides.values():
        side.prepared(PROGRAMS[0], True)()  # whatever a compiler starts once is not counted to the first program
    report: dict[str, Any] = {"threads": options.threads, "sides": list(sides), "programs": [], "figures": []}
    if chosen:
        say(HEAD)
    for program in chosen:
        try:
            found = measured(program, sides, most, clock)
        except Exception as error:
            found = {"name": program.title, "failed": failure(error, options)}
        report["programs"].append(found)
        say(line(found))
    for title, figure in figures:
        try:
            report["figures"] += figure(sides, most, clock)
        except Exception as error:
            report["figures"].append((title, f"failed: {failure(error, options)}", "", False))
    return report


def rows() -> list[Row]:
    """Both runs, each in a process of its own: one thread and one core, then two."""
    result = []
    for threads in range(1, min(2, os.cpu_count() or 1) + 1):
        command = [sys.executable, "-m", "benchmarks.compiled", "--json", "--threads", str(threads)]
        found = subprocess.run(command, env=environment(threads), cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        result += summary(json.loads(found.stdout))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compiled", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="what has this in its name; may be repeated")
    parser.add_argument("--quick", action="store_true", help="5 rounds at most, not 21")
    parser.add_argument("--threads", type=int, default=1, choices=range(1, (os.cpu_count() or 1) + 1))
    parser.add_argument("--sides", nargs="+", default=["ag", "JAX", "PyTorch"], choices=["ag", "JAX", "PyTorch"])
    parser.add_argument("--processor-time", action="store_true", help="not the wall's clock: for a machine that others use too")
    parser.add_argument("--traceback", action="store_true", help="print where a program failed")
    parser.add_argument("--json", action="store_true", help="print the report as JSON, and nothing else")
    options = parser.parse_args()
    if options.processor_time and options.threads > 1:
        parser.error("--processor-time adds up the time of all threads, so it tells nothing with --threads 2: leave one out")
    wanted = environment(options.threads)
    if dict(os.environ) != wanted:
        os.chdir(ROOT)
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.compiled", *sys.argv[1:]], wanted)
    # The cores are fewer before any of the libraries is imported: they start as many threads as they see.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    report = run(options)
    if options.json:
        print(json.dumps(report))
        return
    for row in summary(report):
        print(f"{row.what}: {row.measured}, aim {row.aim}{'' if row.met else '  ← not met'}")
    if any("failed" in p for p in report["programs"]) or any(shown.startswith("failed") for _, shown, _, _ in report["figures"]):
        raise SystemExit(1)


if __name__ == "__main__":
    main()

"""`make bench`: every row, in one run. Names as arguments choose some: ``python -m benchmarks.run eager epoch``."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from datetime import date

from .harness import ENVIRONMENT, ROOT

MODULES = ("accuracy", "epoch", "race", "eager", "scalars", "chain", "losses", "transforms", "importing", "compiled")


def main() -> None:
    if dict(os.environ) != ENVIRONMENT:
        os.chdir(ROOT)
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.run", *sys.argv[1:]], ENVIRONMENT)
    names = sys.argv[1:] or MODULES
    unknown = [name for name in names if name not in MODULES]
    if unknown:
        raise SystemExit(f"no benchmark is named {', '.join(unknown)}; there are {', '.join(MODULES)}")
    rows = []
    for name in names:
        for row in importlib.import_module(f"benchmarks.{name}").rows():
            rows.append(row)
            print(f"{row.what}: {row.measured}, aim {row.aim}{'' if row.met else '  ← not met'}", flush=True)
    machine = f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores, one thread unless told"
    print(f"\n{date.today()}, {machine}\n")
    print("| what | measured | aim |\n|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.measured} | {row.aim}{'' if row.met else ' (not met)'} |")


if __name__ == "__main__":
    main()

"""The entry of the command: what is missing is said here, the subcommands stand beside it."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command with the arguments of the process, and exit."""
    try:
        import click  # noqa: F401
    except ImportError as error:
        print(f"ag: the command needs {error.name}: pip install 'ag-autodiff[cli]'", file=sys.stderr)
        raise SystemExit(2) from None
    from .commands import ag

    ag(prog_name="ag")

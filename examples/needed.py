"""What the examples need beside ag: imported by each of them first, it says what to install where something is missing."""

import sys
from importlib.util import find_spec

for name in ("matplotlib", "scipy"):
    if find_spec(name) is None:
        sys.exit(f"{name} is missing, which the examples need: pip install 'ag-autodiff[learn,plots]'")

"""Where derivatives are meant to stop."""

from __future__ import annotations

from typing import Any

from .arguments import plain
from .containers import mapped


def stop_gradient(x: Any) -> Any:
    """x, as a constant: ∂/∂x = 0. Nodes (also in containers) become plain numbers and arrays.

    >>> ag.grad(lambda x: x * ag.stop_gradient(x))(3.0)
    3.0
    """
    return mapped(plain, x)

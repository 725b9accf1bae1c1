"""Symbol: the face of a node that stands for a quantity in a formula.

All that is applied to a symbol is recorded, comparisons too, and nothing is cut: so a derivative rule that is given symbols
leaves its own text behind. A symbol carries the value of what it stands for, as NumPy's number or array.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .node import Arraylike, Node


class Symbol(Arraylike, Node):
    """A named quantity in a formula, with its value; or what an operator made of such.

    Arguments: ``name``, whatever prints as its name; ``value``, a number or an array.
    """

    __slots__ = ("_params", "name")
    name: Any
    _params: dict[str, Any]

    def __init__(self, name: Any, value: Any) -> None:
        self._set_leaf(np.asarray(value)[()], None)
        self.name = name

    def __repr__(self) -> str:
        return f"Symbol({self.name if self.op is None else self.op.name}: {self._value!r})"

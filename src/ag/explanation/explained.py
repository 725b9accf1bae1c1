"""`ag.explain`: a graph, or a function, explained."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from ..files import write_by_ending
from ..node import Node, describe
from ..scalar import Scalar
from ..tensor import Tensor
from ..transforms.containers import leaves, rebuilt
from . import documents, printing
from .chain_rule import Paths, contributions, paths
from .checking import Check, check
from .doctor import Diagnosis, diagnose
from .findings import Report
from .influence import wrong
from .quantities import Graph, Quantity


class Explanation:
    """An explained graph: it prints itself, and holds everything that it prints as data.

    quantities   z1, z2, ... in the order of computation, each with its value, its adjoint and the terms of the chain rule
    output       the last of them

    ``explanation["x"]`` or ``explanation[node]`` is the quantity of that name.
    """

    def __init__(self, root: Node, cotangent: Any = None) -> None:
        self.graph = Graph(root, cotangent)
        self._checked: dict[Quantity, Check] = {}

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """All quantities, in the order of computation."""
        return self.graph.quantities

    @property
    def output(self) -> Quantity:
        """The quantity that is explained."""
        return self.graph.output

    def __getitem__(self, key: Any) -> Quantity:
        return self.graph[key]

    def contributions(self, of: Any) -> list[tuple[Quantity, Any]]:
        """What came to the gradient of one quantity through each use of it: (consumer, value), adding up to the gradient."""
        return contributions(self[of])

    def paths(self, of: Any, k: int = 5) -> Paths:
        """What came to the gradient of one quantity along each path to the output: the k largest, and the remainder."""
        return paths(self.graph, self[of], k)

    def check(self) -> Explanation:
        """Compare every printed number with finite differences; the explanation then shows a tick with the error, or a cross.

        Returns the explanation itself; ``explanation.failures`` lists what is off.
        """
        self._checked = check(self.graph)
        return self

    @property
    def failures(self) -> list[Check]:
        """After `check`: the comparisons that failed, each with the row to blame."""
        return [result for result in self._checked.values() if not result.good]

    def nonfinite(self) -> Report:
        """Where numbers that are infinite or nan came from: the first value and the first cotangent, why, and what to write
        instead. The `Report` is true if they do harm: if the output or one of its derivatives is not finite."""
        from .nonfinite import nonfinite

        return nonfinite(self.graph.root, self.output.adjoint if self.graph.differentiated else None)

    @functools.cached_property
    def diagnoses(self) -> list[Diagnosis]:
        """Wrong uses of a loss that the numbers of the graph prove: softmax applied twice, saturated logits, labels from 1,
        targets that do not sum to 1, a column minus a vector."""
        return diagnose(self.graph.root)

    @property
    def misuses(self) -> list[str]:
        """The diagnoses, each as a sentence."""
        return [f"{d}." if "_" in str(d).split()[0] else f"{str(d)[:1].upper()}{str(d)[1:]}." for d in self.diagnoses]

    @property
    def warnings(self) -> list[str]:
        """What a reader should know before the rest: wrong uses of a loss, and numbers that are not finite."""
        found = self.misuses
        if any(wrong(x).any() for q in self.quantities for x in (q.value, q.adjoint) if x is not None):
            report = self.nonfinite()
            if report:
                found.append(f"{report.headline} Its .nonfinite() tells where this came from, and what to write instead.")
        return found

    # ------------------------------------------------------------------ as it is shown

    def text(self, width: int | None = None, *, fold: bool = True) -> str:
        """For a terminal of ``width`` characters (None: the one at hand); ``fold=False`` shows every quantity."""
        return printing.text(self.graph, width, fold, self._marks(), self.warnings)

    def markdown(self, *, fold: bool = True) -> str:
        """As Markdown, with formulas in TeX."""
        return documents.markdown(self.graph, fold, self._marks(), self.warnings)

    def latex(self, *, fold: bool = True) -> str:
        """As a LaTeX document that compiles as it is."""
        return documents.latex(self.graph, fold, self._marks())

    def html(self) -> str:
        """As a page that works by itself: the drawing, both passes step by step, and sliders for the leaves of a small graph."""
        from .page import page

        return page(self.graph)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, by its ending: .html, .md, .tex or .txt."""
        text = {".html": self.html, ".md": self.markdown, ".tex": self.latex, ".txt": lambda: self.text(100) + "\n"}
        write_by_ending(path, text)

    def _marks(self) -> dict[Quantity, str]:
        return {q: str(result) for q, result in self._checked.items()}

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    def _repr_latex_(self) -> str:
        return "\n".join(documents.equations(self.graph))

    def _repr_html_(self) -> str:
        from .notebook import explanation_html

        return explanation_html(self.graph, self._marks(), self.warnings)


def explain(f: Any, *args: Any, cotangent: Any = None) -> Explanation:
    """∂f/∂z for every quantity z of a graph, written out: ∂f/∂z = Σ over the uses y of z of ∂f/∂y · ∂y/∂z, with numbers.

    Arguments: ``f``, a node, before or after ``backward()``; or a function of numbers and arrays, with its arguments ``args``,
    of which floats and float arrays (also in containers) become leaves that bear the names of the parameters;
    ``cotangent``, the weights of the derivative, for an output with several elements (without it only the values are explained).

    Returns an `Explanation`, which shows itself and holds what it shows as data. Nothing is written to any ``grad``.

    Raises TypeError for what is neither a node nor a function that returns one.

    >>> x, y = ag.Scalar(2.0, label="x"), ag.Scalar(1.0, label="y")
    >>> print(ag.explain(ag.log(x) * y).text(100))
    f: 4 quantities, 2 of them leaves
    ...
    backward
      ∂f/∂z4 = 1
      ∂f/∂z3 = ∂f/∂z4 · ∂z4/∂z3 = 1 · z2 = 1 · 1 = 1
      ∂f/∂z2 = ∂f/∂z4 · ∂z4/∂z2 = 1 · z3 = 1 · 0.69315 = 0.69315
      ∂f/∂z1 = ∂f/∂z3 · ∂z3/∂z1 = 1 · (1 / z1) = 1 · 0.5 = 0.5
    """
    return Explanation(output_of(f, args, "ag.explain"), cotangent)


def output_of(f: Any, args: tuple[Any, ...], name: str) -> Node:
    """A node; or the output of a function on labelled leaves. ``name`` is the function that was called, for errors."""
    if isinstance(f, Node):
        if args:
            raise TypeError(f"{name}(node) takes no further arguments: a node knows its inputs")
        return f
    if not callable(f):
        raise TypeError(f"{name} takes a node, or a function and its arguments, got {describe(f)}")
    names = _parameters(f, len(args))
    given = []
    for parameter, x in zip(names, args, strict=True):
        parts = leaves(x)
        single = len(parts) == 1 and parts[0] is x
        labels = [parameter if single else f"{parameter}{i}" for i in range(1, len(parts) + 1)]
        given.append(rebuilt(x, [_leaf(part, label) for part, label in zip(parts, labels, strict=True)]))
    y = f(*given)
    if not isinstance(y, Node):
        what = describe(y) if not isinstance(y, (tuple, list, dict)) else f"a {type(y).__name__}"
        raise TypeError(
            f"{name}: the function returned {what}, which does not depend on its arguments in any way that ag could "
            f"see: return one number or array that is computed from them"
        )
    return y


def _leaf(x: Any, label: str) -> Any:
    if isinstance(x, Node):
        return x
    if isinstance(x, float):
        return Scalar(x, label)
    if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind == "f":
        return Tensor(x, label)
    return x


def _parameters(f: Callable[..., Any], n: int) -> list[str]:
    import inspect  # here, as it is slow to import

    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:n]
    return names + [f"x{i}" for i in range(len(names) + 1, n + 1)]

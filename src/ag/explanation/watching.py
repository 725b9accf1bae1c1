"""What ``ag.debug()`` looks for: derivatives and results that are not finite. `capture.debug` fetches this module when it begins.

A reverse or forward pass raises when what it was to find, or the output that it started from, is not finite; a value that is
infinite or nan on the way, and does no harm, does not. A pass that is recorded, or that a rule runs within another pass,
belongs to an outer one, which sees it. What was computed and never differentiated is looked at when the block ends. The graph of
each loss is searched once for wrong uses of it, which are warned of.
"""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Iterable, Sequence
from types import FrameType
from typing import Any

import numpy as np

from ..adjoint import Adjoints, pull
from ..capture import recorder
from ..node import OFFSETS, Node, describe, running
from ..operators.batching import one_by_one_of
from ..operators.rules import value_of
from ..reach import Reach, absent
from ..scalar import Scalar
from ..source import user_frame
from ..tangents import push
from ..tensor import Tensor
from ..traced import Traced
from .doctor import diagnose
from .findings import Report
from .influence import wrong
from .nonfinite import inspect_cotangents, inspect_tangents, inspect_values

PASSES = {f.__code__ for f in (pull, push, inspect_cotangents, inspect_tangents, inspect_values)}

known: set[int] = set()  # the stamps of nodes that are not finite, and were judged already
looked_at: set[Any] = set()  # the places of outputs whose graphs were looked at for wrong uses of a loss


def forget() -> None:
    """At the end of the outermost block."""
    known.clear()
    looked_at.clear()


def pulled(seeds: Adjoints, reach: Reach, adjoints: Adjoints, ends: Sequence[Node]) -> None:
    """After a reverse pass: raise if a derivative, or the output, is not finite."""
    if recorder.trace is not None or _within_a_pass():
        return  # a program has no numbers yet
    _remember(reach.order)
    starts = one_by_one_of({root: value_of(g) for root, g in seeds.items()})
    for start, found in zip(starts, one_by_one_of({x: adjoints.get(x) for x in (*seeds, *ends)}), strict=False):
        if any(_is_lost(found[x]) for x in ends) or any(_is_lost(root._value) for root in seeds):
            _raise(inspect_cotangents(start, reach, ends))
    for root in seeds:
        _diagnose(root)


def pushed(tangents: Adjoints, reach: Reach, carried: Adjoints) -> None:
    """After a forward pass: raise if the tangent of an output, or an output, is not finite."""
    if recorder.trace is not None or _within_a_pass(1):
        return
    _remember(reach.order)
    inner = {x for y in reach.order for x in y.inputs if isinstance(x, Node)}
    outputs = [y for y in reach.order if y not in inner]
    for tangents in one_by_one_of({x: value_of(t) for x, t in carried.items()}):
        if any(_is_lost(tangents.get(y)) or _is_lost(y._value) for y in outputs):
            _raise(inspect_tangents(tangents, reach, outputs))


def ended(since: int) -> None:
    """At the end of a block: warn of results that are not finite, were made since, and are still there."""
    if running.leaves:  # what is made inside a transform is used further on
        return
    found = []
    for x in gc.get_objects():
        kind = type(x)
        if kind is Scalar or kind is Tensor:
            try:
                if x._stamp > since and type(x._value) is not Traced:  # as is left of a recording that is not collected yet
                    found.append((x, x.inputs))
            except AttributeError:  # another thread is making it
                continue
    inner = {y for _, inputs in found for y in inputs if isinstance(y, Node)}
    results = [x for x, _ in found if x.op is not None and x not in inner and x._stamp not in known and _is_lost(x._value)]
    for x in sorted(results, key=lambda x: x._stamp):
        reach = Reach([x])
        report = inspect_values([x], reach)
        _remember(reach.order)
        if report:
            _warn(f"{describe(x)} is not finite at the end of ag.debug(). {report}")


def is_finite(ends: Sequence[Any]) -> bool:
    """Are the numbers among the results of a compiled function finite?"""
    return not any(isinstance(x, (np.ndarray, np.generic, float, complex)) and wrong(x).any() for x in ends)


def _within_a_pass(own: int = 0) -> bool:
    """Is this a pass that a rule runs for another pass, or for an inspection? The outer one is judged. ``own``: of the passes
    on the stack, how many are this one."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code in PASSES:
            own -= 1
            if own < 0:
                return True
        frame = frame.f_back
    return False


def _diagnose(root: Node) -> None:
    """Warn of wrong uses of a loss, once for each place where one is computed."""
    here = (root._code, root._stamp % OFFSETS)
    if here not in looked_at:
        looked_at.add(here)
        for found in diagnose(root):
            _warn(str(found), UserWarning)


def _is_lost(x: Any) -> bool:
    return x is not None and x is not absent and bool(wrong(value_of(x)).any())


def _remember(order: Iterable[Node]) -> None:
    known.update(x._stamp for x in order if _is_lost(x._value))


def _raise(report: Report) -> None:
    if report:
        error = FloatingPointError(str(report))
        error.report = report  # type: ignore[attr-defined]
        raise error


def _warn(text: str, category: type[Warning] = RuntimeWarning) -> None:
    frame = user_frame()
    warnings.warn_explicit(text, category, frame.f_code.co_filename, frame.f_lineno, frame.f_globals.get("__name__"))

"""What the graph may trust: plain numbers and arrays that nobody can change behind its back.

A derivative is computed later than the value it belongs to. If an array that the graph uses is written in
between, the derivative is silently wrong. So a small array is copied, and a large one is write-locked,
together with the arrays whose memory it shares, until the last graph that uses it is gone: a write then
fails at the line that writes.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

import numpy as np

COPIED = 64 * 1024  # bytes: up to here a copy is cheaper than keeping a lock

_guard = threading.RLock()  # re-entrant: a lock may be released by a deallocation while another is taken
_held: set[_Lock] = set()
_locked: dict[int, list[Any]] = {}  # id of an array that was writeable -> [the array, how many locks hold it]

NUMBERS = (bool, int, float, complex, np.generic)
ORDINARY = frozenset((np.ndarray, np.memmap, bool, int, float, complex, np.float64, np.float32, np.int64, str))


class _Recorder(threading.local):
    """The trace that runs in this thread, if `ag.jit` records a function."""

    trace: Any = None


recorder = _Recorder()


class seen:
    """What has entered a graph of this process at all: what never did costs no pass a look."""

    complex = False
    traced = False  # has `ag.jit` recorded a function?


def constant(x: Any) -> Any:
    """``x`` as a constant of the graph: a number as it is, an array copied or write-locked, a list as an array.

    Raises TypeError for what is no number and no array of numbers.
    """
    if isinstance(x, np.ndarray):
        return capture(x)
    if isinstance(x, NUMBERS):
        if isinstance(x, (np.generic, complex)):
            numeric(np.asarray(x))
        return x
    if isinstance(x, (list, tuple)):
        return frozen(numeric(np.asarray(ordinary(x))))
    raise TypeError(
        f"expected a number, a NumPy array or a node, got {type(x).__name__}: "
        f"convert it first, for example with np.asarray(x, dtype=float)"
    )


def capture(array: np.ndarray) -> np.ndarray:
    """``array`` as a read-only value: a copy up to 64 KiB, a view with its memory write-locked above."""
    ordinary(array)
    numeric(array)
    if recorder.trace is not None:
        return recorder.trace.captured(array)  # which is read at each call of what is compiled
    if array.nbytes <= COPIED:
        return frozen(array.copy())
    view = locked(array)
    if debug.depth:
        _digests[id(view)] = digest(view)
        weakref.finalize(view, _digests.pop, id(view), None).atexit = False
    return view


def ordinary(x: Any, who: str = "") -> Any:
    """``x`` itself, unless it is an array of a subclass of NumPy's, or a list of such: a masked element would be counted.

    ``who``: what the error begins with."""
    kind = type(x)
    if kind is np.ndarray or kind is np.memmap:
        return x
    if isinstance(x, np.ndarray):
        if isinstance(x, np.ma.MaskedArray):
            why = "whose masked elements would be counted: write x.filled(v) with the number v that they count as"
        else:
            why = "whose operations mean other things: write np.asarray(x) for its numbers"
        raise TypeError(f"{who}expected a plain NumPy array, got {kind.__name__}, {why}")
    if (kind is list or kind is tuple) and not ORDINARY.issuperset(map(type, x)):
        for part in x:
            ordinary(part, who)
    return x


def numeric(array: Any) -> Any:
    """``array`` itself, if it holds numbers; else a TypeError that says what to write."""
    kind = array.dtype.kind
    if kind not in "fiubc":
        hint = "ag.stack([...]) joins nodes" if kind == "O" else "convert it to numbers first"
        raise TypeError(f"expected an array of real numbers, got one of dtype {array.dtype}: {hint}")
    if kind == "c":
        seen.complex = True
    return array


def frozen(array: np.ndarray) -> np.ndarray:
    """``array`` itself, made read-only: for arrays that nobody else holds."""
    array.setflags(write=False)
    return array


def locked(array: np.ndarray) -> np.ndarray:
    """A read-only view of ``array``; while it lives, ``array`` and the arrays it is a view of are read-only."""
    view = frozen(array.view(np.ndarray))
    chain: list[np.ndarray] = []
    owner: Any = array
    with _guard:
        while isinstance(owner, np.ndarray):
            entry = _locked.get(id(owner))
            if entry is not None:
                entry[1] += 1
                chain.append(owner)
            elif owner.flags.writeable:
                owner.setflags(write=False)
                _locked[id(owner)] = [owner, 1]
                chain.append(owner)
            owner = owner.base
    if chain:
        lock = _Lock(view, _release)
        lock.chain = chain
        _held.add(lock)
    return view


class _Lock(weakref.ref[Any]):
    """A lock lives as long as the view that it was taken for."""

    __slots__ = ("chain",)
    chain: list[np.ndarray]
    __hash__ = object.__hash__


def _release(lock: Any) -> None:
    with _guard:
        _held.discard(lock)
        for owner in reversed(lock.chain):  # a view can be made writeable only after its base
            entry = _locked[id(owner)]
            entry[1] -= 1
            if entry[1] == 0:
                del _locked[id(owner)]
                base = owner.base
                if not isinstance(base, np.ndarray) or base.flags.writeable:
                    owner.setflags(write=True)


_digests: dict[int, int] = {}  # id of a view that was locked under debug() -> the checksum of its bytes


class debug:
    """Look for what can't be seen from outside: numbers that are not finite, and arrays that were changed.

    Under ``with ag.debug():`` every derivative pass checks what it found. Raises FloatingPointError, when a derivative or the
    output of the pass is infinite or nan: it tells the first value and the first cotangent that was, the line, the element, and
    what to write instead (the report is its attribute ``report``). A branch not taken, or an inf that does no harm further on,
    is no error. Results that are never differentiated are looked at when the block ends, with a RuntimeWarning. Wrong uses of a
    loss that the numbers prove (softmax applied twice, saturated logits, a column minus a vector) give a UserWarning.

    A lock can't prevent a write through a view that was made before its array entered a graph. So a checksum of each large
    array is kept when it enters, and every derivative pass compares it. Raises RuntimeError, with the line that used the array,
    when it was changed.

    While a block runs, the passes of all threads are checked.

    >>> with ag.debug():
    ...     ag.sqrt(ag.Scalar(0.0, label="x")).backward()
    Traceback (most recent call last):
    FloatingPointError: The derivative by x is inf.
    ...
    >>> a = np.zeros(10_000)
    >>> view = a[:]
    >>> with ag.debug():
    ...     x = ag.Tensor(np.ones(10_000))
    ...     y = (x * a).sum()
    ...     view[0] = 1.0
    ...     y.backward()
    Traceback (most recent call last):
    RuntimeError: an array of shape (10000,) that Tensor of shape (10000,) made by multiply ... uses was changed ...
    """

    depth = 0  # how many are active: kept here, as it is asked for each array
    watch: Any = None  # what looks at the passes; it stands above them, and is fetched when the first block begins

    def __init__(self) -> None:
        self._began: list[int] = []

    def __enter__(self) -> None:
        from .explanation import watching
        from .node import next_stamp

        with _guard:
            debug.watch = watching
            debug.depth += 1
        self._began.append(next_stamp())

    def __exit__(self, kind: Any, *error: object) -> None:
        since = self._began.pop()
        try:
            if kind is None:
                debug.watch.ended(since)
        finally:
            with _guard:
                debug.depth -= 1
                if not debug.depth:
                    debug.watch.forget()


def digest(array: np.ndarray) -> int:
    """A checksum of the elements."""
    import zlib

    return zlib.crc32(np.ascontiguousarray(array).tobytes())


def changed(x: Any) -> bool:
    """Was an array that was captured under `debug` changed since?"""
    return isinstance(x, np.ndarray) and id(x) in _digests and _digests[id(x)] != digest(x)

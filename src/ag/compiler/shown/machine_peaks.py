"""What this machine can do at most, measured once in a process by code that does nothing else."""

from __future__ import annotations

import ctypes
import functools
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ..kernels.writing_code import Variable, Writer
from ..machine import native

CHAINS = 12  # multiply-adds that do not wait for each other: more than the units have stages, no more than there are registers
STEPS = 1_000_000
VECTORS = 4  # that each step of the triad passes through
RUNS = 7  # of which the best counts: others were disturbed
SMALLEST, LARGEST = 2**14, 2**28  # bytes that the triad passes through
PASSED = 2**27  # bytes that it passes through at least, again and again
TYPES = {"float64": "double", "float32": "float"}


def flops(dtype: str, threads: int = 1) -> float:
    """Operations a second of fused multiply-adds in registers, each of which counts as two.

    Raises ImportError without llvmlite.
    """
    return max(_flops(dtype, k) for k in (1, threads))  # several are no faster than one where others keep the cores busy


@functools.cache
def _flops(dtype: str, threads: int) -> float:
    lanes = native.host().vector_bytes // np.dtype(dtype).itemsize
    function, _library = _function(_multiply_adds(TYPES[dtype]), 1)
    numbers = [np.full(2 * lanes, 0.5, dtype) for _ in range(threads)]

    def run(k: int) -> None:
        function(STEPS, numbers[k].ctypes.data)

    return 2 * CHAINS * lanes * STEPS * threads / _best(run, threads)


def size_class(size: int) -> int:
    """The power of two that is the next to a number of bytes, within what is measured."""
    return min(max(1 << (max(size, 1) - 1).bit_length(), SMALLEST), LARGEST)


def bandwidth(size: int, threads: int = 1) -> float:
    """Bytes a second of the triad a = b + s c over arrays of ``size`` bytes together: two are read and one is written.

    Raises ImportError without llvmlite.
    """
    return max(_bandwidth(size, k) for k in (1, threads))


@functools.cache
def _bandwidth(size: int, threads: int) -> float:
    step = VECTORS * native.host().vector_bytes // 8
    steps = size // 24 // threads // step
    count = steps * step
    function, _library = _function(_triad(), 4)
    times = max(PASSED // size, 1)
    arrays = [[np.ones(count) for _ in range(3)] for _ in range(threads)]

    def run(k: int) -> None:
        function(steps, times, *(a.ctypes.data for a in arrays[k]))

    return 24 * count * threads * times / _best(run, threads)


def _best(run: Callable[[int], None], threads: int) -> float:
    """The shortest time in which run(k) is done for every thread k."""
    run(0)
    found = []
    for _ in range(RUNS):
        others = [threading.Thread(target=run, args=(k,)) for k in range(1, threads)]
        start = time.perf_counter()
        for thread in others:
            thread.start()
        run(0)
        for thread in others:
            thread.join()
        found.append(time.perf_counter() - start)
    return min(found)


def _function(ir: str, given: int) -> tuple[Any, native.Library]:
    """The function ``run`` of a module as Python calls it, and what keeps it alive."""
    library = native.Library(native.compile_to_object(ir), ["run"])
    kind = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * given)
    return kind(library.address("run")), library


def _multiply_adds(type: str) -> str:
    """The module of ``run(n, x)``: x y + c n times for each of the chains, where x and y are the first two vectors there."""
    w = Writer(native.host(), set())
    e = w.emitter(w.lanes(type))
    x, y = (e.load(w.element("%x", type, k * e.width), type) for k in range(2))
    chains = [Variable(e, w.alloca(e.vector(type)), type) for _ in range(CHAINS)]
    for k, chain in enumerate(chains):
        chain.set(float(k))

    def step(_: str) -> None:
        for chain in chains:
            chain.set(e.multiply_add(chain.get(), x, y))

    w.loop("%n", step)
    e.store(functools.reduce(e.add, [chain.get() for chain in chains]), "%x")
    return _module(w, "run(i64 %n, ptr %x)")


def _triad() -> str:
    """The module of ``run(n, times, a, b, c)``: a = b + 3 c for n steps of some vectors, again and again."""
    w = Writer(native.host(), set())
    e = w.emitter(w.lanes("double"))

    def step(index: str) -> None:
        for k in range(VECTORS):
            at = w.sum_of(str(k * e.width), [index], [VECTORS * e.width])
            b, c = (e.load(w.element(x, "double", at), "double") for x in ("%b", "%c"))
            e.store(e.multiply_add(c, e.constant(3.0, "double"), b), w.element("%a", "double", at))

    w.loop("%times", lambda _: w.loop("%n", step))
    return _module(w, "run(i64 %n, i64 %times, ptr noalias %a, ptr noalias %b, ptr noalias %c)")


def _module(w: Writer, head: str) -> str:
    function = w.function(head, "external")
    return "\n".join([*sorted(w.declarations), function, ""])

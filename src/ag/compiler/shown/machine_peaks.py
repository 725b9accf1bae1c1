"""What this machine can do at most, measured once in a process by code that does nothing else."""

from __future__ import annotations

import ctypes
import functools
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ..machine import native

CHAINS = 12  # multiply-adds that do not wait for each other: more than the units have stages, no more than there are registers
STEPS = 1_000_000
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
    function, _library = _function(_multiply_adds(TYPES[dtype], lanes), 1)
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
    lanes = native.host().vector_bytes // 8
    count = size // 24 // threads // (4 * lanes) * (4 * lanes)
    function, _library = _function(_triad(lanes), 4)
    times = max(PASSED // size, 1)
    arrays = [[np.ones(count) for _ in range(3)] for _ in range(threads)]

    def run(k: int) -> None:
        function(count, times, *(a.ctypes.data for a in arrays[k]))

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


def _multiply_adds(type: str, lanes: int) -> str:
    vector = f"<{lanes} x {type}>"
    name = f"llvm.fmuladd.v{lanes}{'f64' if type == 'double' else 'f32'}"
    chains = range(CHAINS)
    return "\n".join([
        f"declare {vector} @{name}({vector}, {vector}, {vector})", "define void @run(i64 %n, ptr %x) {",
        f"  %a = load {vector}, ptr %x, align 4",
        f"  %q = getelementptr {type}, ptr %x, i64 {lanes}",
        f"  %b = load {vector}, ptr %q, align 4", "  br label %loop", "loop:",
        "  %i = phi i64 [0, %0], [%j, %loop]",
        *[f"  %c{k} = phi {vector} [splat ({type} {k}.0), %0], [%d{k}, %loop]" for k in chains],
        *[f"  %d{k} = call {vector} @{name}({vector} %c{k}, {vector} %a, {vector} %b)" for k in chains],
        "  %j = add i64 %i, 1", "  %more = icmp ult i64 %j, %n", "  br i1 %more, label %loop, label %done", "done:",
        "  %s0 = " + f"fadd {vector} %d0, %d0",
        *[f"  %s{k} = fadd {vector} %s{k - 1}, %d{k}" for k in chains if k],
        f"  store {vector} %s{CHAINS - 1}, ptr %x, align 4", "  ret void", "}",
    ])  # fmt: skip


def _triad(lanes: int) -> str:
    vector = f"<{lanes} x double>"
    name = f"llvm.fmuladd.v{lanes}f64"
    body = []
    for k in range(4):
        body += [f"  %i{k} = add i64 %i, {k * lanes}"]
        body += [f"  %{p}{k} = getelementptr double, ptr %{p}, i64 %i{k}" for p in "abc"]
        body += [f"  %x{k} = load {vector}, ptr %b{k}, align 8", f"  %y{k} = load {vector}, ptr %c{k}, align 8"]
        body += [f"  %z{k} = call {vector} @{name}({vector} %y{k}, {vector} splat (double 3.0), {vector} %x{k})"]
        body += [f"  store {vector} %z{k}, ptr %a{k}, align 8"]
    return "\n".join([
        f"declare {vector} @{name}({vector}, {vector}, {vector})",
        "define void @run(i64 %n, i64 %times, ptr noalias %a, ptr noalias %b, ptr noalias %c) {", "  br label %again", "again:",
        "  %t = phi i64 [0, %0], [%u, %after]", "  br label %loop", "loop:",
        "  %i = phi i64 [0, %again], [%j, %loop]", *body,
        f"  %j = add i64 %i, {4 * lanes}", "  %more = icmp ult i64 %j, %n", "  br i1 %more, label %loop, label %after", "after:",
        "  %u = add i64 %t, 1", "  %most = icmp ult i64 %u, %times", "  br i1 %most, label %again, label %done", "done:",
        "  ret void", "}",
    ])  # fmt: skip

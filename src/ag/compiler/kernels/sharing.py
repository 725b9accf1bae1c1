"""Kernels that several threads share: each has its part of the outermost loop, and its own sums, which are joined at the end."""

from __future__ import annotations

from typing import Any

from .accumulators import JOIN
from .kernel_code import Kernel
from .writing_code import Writer

WORTH = 500_000.0  # nanoseconds of work, by estimate: waking a thread that sleeps takes 100 µs or more
PARTS = 4  # of each thread, so that one that comes late, or goes slower, does fewer
DECLARATION = "declare void @share(ptr, ptr, i64, i64)"

# The function of one of several threads: its share of the outermost loop.
PART = """define internal void @{name}.part(ptr %table, i64 %part, i64 %parts) {{
  %next = add i64 %part, 1
  %a = mul i64 %part, {units}
  %b = mul i64 %next, {units}
  %first = udiv i64 %a, %parts
  %last = udiv i64 %b, %parts
  call void @{name}(ptr %table, i64 %first, i64 %last)
  ret void
}}"""


def parts_of(kernel: Kernel, threads: int) -> int:
    """Into how many parts the kernel falls, which threads take one after another."""
    parts = PARTS * threads
    several = threads > 1 and kernel.units >= parts and not kernel.group.alone  # alone: it adds one element after another
    return parts if several and kernel.nanoseconds() > WORTH else 1


def call(kernel: Kernel, a: Any, slots: dict[int, int], places: list[dict[int, str]]) -> None:
    """Write the call of a kernel by several threads. ``places``: for each part but the first, where it reduces to what."""
    a.declarations.add(DECLARATION)
    a.functions.append(PART.format(name=kernel.name, units=kernel.units))
    given = a.alloca(f"[{len(places) + 1} x ptr]")
    a.put(0, "%table", given)
    for part, own in enumerate(places, 1):
        table = a.alloca(f"[{a.TABLE} x ptr]")
        a.emit(f"call void @llvm.memcpy.p0.p0.i64(ptr {table}, ptr %table, i64 {a.TABLE_BYTES}, i1 false)")
        for number, address in own.items():
            a.put(slots[number], address, table)
        a.put(part, table, given)
    a.emit(f"call void @share(ptr @{kernel.name}.part, ptr {given}, i64 {len(places) + 1}, i64 {a.threads})")
    for m in kernel.reduced():
        number = m.item.number
        name = f"{kernel.name}.join{number}"
        a.functions.append(joined(name, m.item.kernel, kernel.type(number), m.item.quantity.size, a))
        for own in places:
            a.emit(f"call void @{name}(ptr {a.get(slots[number])}, ptr {own[number]})")


def joined(name: str, kind: str, type: str, size: int, module: Any) -> str:
    """The function that joins the numbers of one thread to those of another."""
    w = Writer(module.machine, module.declarations)
    e = w.emitter(w.lanes(type))

    def join(start: str, live: int) -> None:
        own, other = (w.element(x, type, start) for x in ("%own", "%other"))
        e.store(JOIN[kind](e, e.load(own, type, live), e.load(other, type, live)), own, live)

    w.in_pieces(size, e.width, join)
    return w.function(f"{name}(ptr %own, ptr %other)")

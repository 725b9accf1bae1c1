"""Kernels that several threads share: each has its part of the outermost loop, and its own sums, which are joined at the end."""

from __future__ import annotations

import itertools
from typing import Any

from ..mathematics.emitter import Emitter
from .accumulators import JOIN
from .addresses import stored_type, type_of
from .kernel_code import Kernel
from .writing_code import Writer, nested

WORTH = 500_000.0  # nanoseconds of work, by estimate: waking a thread that sleeps takes 100 µs or more
PARTS = 4  # of each thread, so that one that comes late, or goes slower, does fewer
DECLARATION = "declare void @share(ptr, ptr, i64)"

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


def call(kernel: Kernel, parts: int, a: Any, slots: dict[int, int], places: dict[int, list[int]]) -> None:
    """Write the call of a kernel by several threads. ``places``: in the arena, for what each but the first reduces to."""
    a.declarations.add(DECLARATION)
    a.functions.append(PART.format(name=kernel.name, units=kernel.units))
    given = a.fresh("m")
    a.entry.append(f"  {given} = alloca [{parts} x ptr]")
    tables = ["%table"]
    for part in range(1, parts):
        table = a.fresh("m")
        a.entry.append(f"  {table} = alloca [{a.TABLE} x ptr]")
        a.emit(f"call void @llvm.memcpy.p0.p0.i64(ptr {table}, ptr %table, i64 {a.TABLE_BYTES}, i1 false)")
        for number, offsets in places.items():
            target = a.moved(table, "ptr", slots[number])
            a.emit(f"store ptr {a.moved(a.arena_address, 'i8', offsets[part - 1])}, ptr {target}")
        tables.append(table)
    for part, table in enumerate(tables):
        a.emit(f"store ptr {table}, ptr {a.moved(given, 'ptr', part)}")
    a.emit(f"call void @share(ptr @{kernel.name}.part, ptr {given}, i64 {parts})")
    for m in kernel.reduced():
        number = m.item.number
        q = kernel.program.quantities[number]
        name = f"{kernel.name}.join{number}"
        a.functions.append(joined(name, m.item.kernel, type_of(q.dtype), q.size, a))
        for offset in places[number]:
            part_of_it = a.moved(a.arena_address, "i8", offset)
            a.emit(f"call void @{name}(ptr {a.get(slots[number])}, ptr {part_of_it})")


def joined(name: str, kind: str, type: str, size: int, module: Any) -> str:
    """The function that joins the numbers of one thread to those of another."""
    w = Writer()
    w.names = itertools.count()
    width = module.machine.vector_bytes // 8
    full, rest = divmod(size, width)

    def step(e: Emitter, offset: str) -> None:
        own, other = (w.moved(x, stored_type(type), offset) for x in ("%own", "%other"))
        e.store(JOIN[kind](e, e.load(own, type), e.load(other, type)), own)

    vector, scalar = (Emitter(n, module.machine.features, w.body, module.declarations, w.names) for n in (width, 1))
    if full:
        nested(w, (full,), ((width,),), lambda offsets: step(vector, offsets[0]))
    for k in range(rest):
        step(scalar, str(full * width + k))
    w.emit("ret void")
    return "\n".join([f"define internal void @{name}(ptr %own, ptr %other) {{", *w.entry, *w.body, "}"])

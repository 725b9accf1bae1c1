"""Running sums: each is one addition after another, so that several lines are summed side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..mathematics.emitter import Emitter, Value
from ..program import Program
from .addresses import collapsed, type_of
from .lowering import Item
from .views import Operand, strides_of
from .writing_code import Writer, nested

SIDE_BY_SIDE = 8  # lines


def running_sums(name: str, program: Program, item: Item, slot: Callable[[int], int], module: Any) -> str:
    """The function that writes the running sums of the operand along ``item.reduced``, its one axis."""
    w = Writer()
    (source,), (axis,) = item.operands, item.reduced
    assert isinstance(source, Operand)
    type = type_of(item.quantity.dtype)
    own = strides_of(item.space)
    n, down, along = item.space[axis], source.strides[axis], own[axis]
    rest = [k for k in range(len(item.space)) if k != axis]
    lengths, (given, written) = collapsed(
        [item.space[k] for k in rest], [[source.strides[k] for k in rest], [own[k] for k in rest]]
    )
    pointers = []
    for number in (source.base, item.number):
        place, pointer = w.fresh(), w.fresh()
        w.entry += [f"  {place} = getelementptr ptr, ptr %table, i64 {slot(number)}", f"  {pointer} = load ptr, ptr {place}"]
        pointers.append(pointer)
    start = w.moved(pointers[0], type, source.offset)
    native = module.machine.vector_bytes // (8 if type in ("double", "i64") else 4)
    lined = bool(lengths) and given[-1] == written[-1] == 1  # lines lie side by side: lanes are lines
    width = native if lined else 1
    e = Emitter(width, module.machine.features, w.body, module.declarations, w.names)

    def sums(offsets: list[str], lines: int, live: int | None) -> None:
        """Of so many lines, which begin at these offsets."""
        inner = (given[-1], written[-1]) if lengths else (0, 0)
        beginnings = [
            (w.moved(w.moved(start, type, offsets[0]), type, k * inner[0] * width),
             w.moved(w.moved(pointers[1], type, offsets[1]), type, k * inner[1] * width)) for k in range(lines)
        ]  # fmt: skip
        places = [w.fresh("m") for _ in range(lines)]
        w.entry += [f"  {place} = alloca {e.vector(type)}, align 64" for place in places]
        for place in places:
            w.emit(f"store {e.vector(type)} {e.constant(0, type).text}, ptr {place}")

        def step(at: list[str]) -> None:
            for (x, y), place in zip(beginnings, places, strict=True):
                total = Value(w.fresh(), type)
                w.emit(f"{total.text} = load {e.vector(type)}, ptr {place}")
                total = e.add(total, e.load(w.moved(x, type, at[0]), type, live))
                w.emit(f"store {e.vector(type)} {total.text}, ptr {place}")
                e.store(total, w.moved(y, type, at[1]), live)

        nested(w, (n,), ((down,), (along,)), step)

    lines = lengths[-1] if lengths else 1
    outer = tuple(lengths[:-1]), (tuple(given[:-1]), tuple(written[:-1]))
    at_once = width * (1 if lined else SIDE_BY_SIDE)
    blocks, left = divmod(lines, at_once)

    def part(offsets: list[str]) -> None:
        step = (given[-1], written[-1]) if lengths else (0, 0)
        if blocks:
            strides = tuple((s * at_once,) for s in step)
            nested(w, (blocks,), strides, lambda more: sums(_both(w, offsets, more), 1 if lined else SIDE_BY_SIDE, None))
        if left:
            more = [str(blocks * at_once * s) for s in step]
            sums(_both(w, offsets, more), 1 if lined else left, left if lined else None)

    nested(w, *outer, part)
    w.emit("ret void")
    return "\n".join([f"define internal void @{name}(ptr %table) {{", *w.entry, *w.body, "}"])


def _both(w: Writer, offsets: list[str], more: list[str]) -> list[str]:
    """The sums of offsets."""
    results = []
    for a, b in zip(offsets, more, strict=True):
        if a == "0" or b == "0":
            results.append(b if a == "0" else a)
            continue
        total = w.fresh()
        w.emit(f"{total} = add i64 {a}, {b}")
        results.append(total)
    return results


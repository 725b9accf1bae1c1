"""Elements added where integer arrays say: one after another, as an element may be named twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..mathematics.emitter import Emitter
from ..program import Constant, Program
from .addresses import stored_type, type_of, wrapped
from .lowering import Item
from .views import Operand
from .writing_code import Writer, nested


def scatter(name: str, program: Program, item: Item, slot: Callable[[int], int], module: Any) -> str:
    """The function that adds the operand of the item into its target, along the last axis by vectors where both lie so."""
    w = Writer()
    (source,), into = item.operands, item.into
    assert into is not None
    space = item.space
    lined = len(space) > 0 and into.strides[-1] == 1 and not any(g.index.strides[-1] for g in into.gathers)
    lined = lined and (isinstance(source, Constant) or source.strides[-1] == 1)
    type = type_of(program.quantities[item.number].dtype)
    width = module.machine.vector_bytes // (8 if type in ("double", "i64") else 4) if lined else 1
    scalar = Emitter(1, module.machine.features, w.body, module.declarations, w.names)
    vector = Emitter(width, module.machine.features, w.body, module.declarations, w.names)
    bases = {}
    everything = [into, *(g.index for g in into.gathers), *([source] if isinstance(source, Operand) else [])]
    for base in dict.fromkeys(operand.base for operand in everything):
        place, bases[base] = w.fresh(), w.fresh()
        w.entry += [f"  {place} = getelementptr ptr, ptr %table, i64 {slot(base)}", f"  {bases[base]} = load ptr, ptr {place}"]

    def at(operand: Operand, offset: str) -> str:
        kind = stored_type(type_of(program.quantities[operand.base].dtype))
        return w.moved(w.moved(bases[operand.base], kind, operand.offset), kind, offset)

    def add(e: Emitter, target: str, value: str, live: int | None) -> None:
        """The next elements of the source, or its number, added to those of the target."""
        if isinstance(source, Constant):
            added = e.constant(source.value, type)
        else:
            added = e.cast(e.load(value, type_of(program.quantities[source.base].dtype), live), type)
        e.store(e.add(e.load(target, type, live), added), target, live)

    def one(offsets: list[str]) -> None:
        target, *rest = [at(operand, offset) for operand, offset in zip(everything, offsets, strict=True)]
        for gather, place in zip(into.gathers, rest, strict=False):
            index = scalar.load(place, type_of(program.quantities[gather.index.base].dtype))
            target = w.moved(target, stored_type(type), wrapped(scalar, index, gather).text)
        value = rest[-1]  # of a constant it is not looked at
        if not lined:
            add(scalar, target, value, None)
            return
        full, left = divmod(space[-1], width)

        def shifted(address: str, operand: Any, shift: int | str) -> str:
            return w.moved(address, stored_type(type_of(program.quantities[operand.base].dtype)), shift)

        def line(shift: int | str, live: int | None) -> None:
            moved = value if isinstance(source, Constant) else shifted(value, source, shift)
            add(vector, shifted(target, into, shift), moved, live)

        if full:
            nested(w, (full,), ((width,),), lambda shift: line(shift[0], None))
        if left:
            line(full * width, left)

    lengths = space[:-1] if lined else space
    nested(w, lengths, tuple(o.strides[: len(lengths)] for o in everything), one)
    w.emit("ret void")
    return "\n".join([f"define internal void @{name}(ptr %table) {{", *w.entry, *w.body, "}"])


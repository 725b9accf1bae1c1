"""Elements added where integer arrays say: one after another, as an element may be named twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .addresses import stored_type, type_of, wrapped
from .emitter import Emitter
from .lowering import Item
from .program import Program
from .views import Operand
from .writing_code import Writer, nested


def scatter(name: str, program: Program, item: Item, slot: Callable[[int], int], module: Any) -> str:
    """The function that adds the operand of the item into its target, along the last axis by vectors where both lie so."""
    w = Writer()
    (source,), into = item.operands, item.into
    assert isinstance(source, Operand) and into is not None
    space = item.space
    lined = len(space) > 0 and source.strides[-1] == into.strides[-1] == 1 and not source.gathers
    lined = lined and not any(g.index.strides[-1] for g in into.gathers)
    type = type_of(program.quantities[item.number].dtype)
    width = module.machine.vector_bytes // (8 if type in ("double", "i64") else 4) if lined else 1
    scalar = Emitter(1, module.machine.features, w.body, module.declarations, w.names)
    vector = Emitter(width, module.machine.features, w.body, module.declarations, w.names)
    bases = {}
    for base in dict.fromkeys([source.base, into.base, *(g.index.base for g in (*into.gathers, *source.gathers))]):
        place, bases[base] = w.fresh(), w.fresh()
        w.entry += [f"  {place} = getelementptr ptr, ptr %table, i64 {slot(base)}", f"  {bases[base]} = load ptr, ptr {place}"]

    def at(operand: Operand, offset: str) -> str:
        kind = stored_type(type_of(program.quantities[operand.base].dtype))
        return w.moved(w.moved(bases[operand.base], kind, operand.offset), kind, offset)

    everything = [source, into, *(g.index for g in (*source.gathers, *into.gathers))]

    def one(offsets: list[str]) -> None:
        places = [at(operand, offset) for operand, offset in zip(everything, offsets, strict=True)]
        indices = iter(places[2:])
        addresses = []
        for operand, place in ((source, places[0]), (into, places[1])):
            for gather in operand.gathers:
                index = scalar.load(next(indices), type_of(program.quantities[gather.index.base].dtype))
                place = w.moved(place, type, wrapped(scalar, index, gather).text)
            addresses.append(place)
        if not lined:
            _add(scalar, type, addresses, None, type_of(program.quantities[source.base].dtype))
            return
        full, rest = divmod(space[-1], width)

        def line(shift: list[str]) -> None:
            _add(vector, type, [w.moved(x, type, shift[0]) for x in addresses], None, type)

        if full:
            nested(w, (full,), ((width,),), line)
        if rest:
            _add(vector, type, [w.moved(x, type, full * width) for x in addresses], rest, type)

    lengths = space[:-1] if lined else space
    nested(w, lengths, tuple(o.strides[: len(lengths)] for o in everything), one)
    w.emit("ret void")
    return "\n".join([f"define internal void @{name}(ptr %table) {{", *w.entry, *w.body, "}"])


def _add(e: Emitter, type: str, addresses: list[str], live: int | None, given: str) -> None:
    source, target = addresses
    value = e.cast(e.load(source, given, live), type)
    e.store(e.add(e.load(target, type, live), value), target, live)

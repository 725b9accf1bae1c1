"""Running sums: each is one addition after another, so that several lines are summed side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .addresses import collapsed, type_of
from .lowering import Item
from .views import Operand, strides_of
from .writing_code import Variable, Writer

SIDE_BY_SIDE = 8  # lines


def running_sums(name: str, item: Item, slot: Callable[[int], int], module: Any) -> str:
    """The function that writes the running sums of the operand along ``item.reduced``, its one axis."""
    w = Writer(module.machine, module.declarations)
    (source,), (axis,) = item.operands, item.reduced
    assert isinstance(source, Operand)
    type = type_of(item.quantity.dtype)
    own = strides_of(item.space)
    rest = [k for k in range(len(item.space)) if k != axis]
    lengths, (given, written) = collapsed(
        [item.space[k] for k in rest], [[source.strides[k] for k in rest], [own[k] for k in rest]]
    )
    if not lengths:  # one line
        lengths, given, written = [1], [0], [0]
    start = w.element(w.pointer("%table", slot(source.base)), type, source.offset)
    target = w.pointer("%table", slot(item.number))
    lined = given[-1] == written[-1] == 1  # lines lie side by side: lanes are lines
    e = w.emitter(w.lanes(type) if lined else 1)

    def sums(outer: list[str], first: str, count: int) -> None:
        """Of so many lines."""
        passed = []
        for k in range(1 if lined else count):
            indices = [*outer, first, str(k)]
            x = w.element(start, type, w.sum_of("0", indices, [*given, given[-1]]))
            y = w.element(target, type, w.sum_of("0", indices, [*written, written[-1]]))
            total = Variable(e, w.alloca(e.vector(type)), type)
            total.set(0)
            passed.append((x, y, total))

        def step(index: str) -> None:
            down, along = (w.sum_of("0", [index], [strides[axis]]) for strides in (source.strides, own))
            for x, y, total in passed:
                value = e.add(total.get(), e.load(w.element(x, type, down), type, live))
                total.set(value)
                e.store(value, w.element(y, type, along), live)

        live = count if lined else 1
        w.loop(item.space[axis], step)

    def part(outer: list[str]) -> None:
        w.in_pieces(lengths[-1], e.width if lined else SIDE_BY_SIDE, lambda first, count: sums(outer, first, count))

    w.nested(lengths[:-1], part)
    return w.function(f"{name}(ptr %table)")

"""Loops and branches as machine code: their bodies stand within the function of the program, as blocks of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..kernels.addresses import size_of
from ..kernels.lowering import Item
from ..kernels.views import Operand
from ..program import Constant, Program
from .recorded import COND, LOOPS, OBJECT, SCAN, split, types_of

if TYPE_CHECKING:
    from ..assembling import Assembler, Block

SMALL = 64  # bytes: so much is copied after each step; where more is carried, the places of old and new are exchanged


class Loop:
    """The code of one loop.

    A step reads the carry in one place and writes the new one in another; ys are written where they are to stand.
    """

    def __init__(self, assembler: Assembler, outer: Block, item: Item, block: Callable[[Program, int], Block]) -> None:
        self.assembler, self.outer, self.item = assembler, outer, item
        self.op, self.params = item.quantity.op, item.quantity.params
        self.blocks = [block(self.params[name], k) for k, name in enumerate(LOOPS[self.op])]
        self.body = self.blocks[0]
        self.sizes = [size_of(*kind) for kind in types_of(self.body.program, self.body.program.outputs)]

    def _end(self, k: int) -> int:
        """The slot of a result."""
        return self.outer.slots[self.item.results[k]] if k in self.item.results else self.assembler.memory(self.sizes[k])

    # ------------------------------------------------------------------ what it reads and writes

    def _address(self, x: Operand | Constant) -> str:
        """Where an input of the loop is."""
        if isinstance(x, Constant):
            return self.assembler.constant(x.value)
        return self.assembler.get(self.outer.slots[x.base])

    def _output(self, block: Block, k: int) -> str:
        """Where an output of a body is after it ran."""
        x = block.program.outputs[k]
        return self.assembler.constant(x.value) if isinstance(x, Constant) else self.assembler.get(block.slots[x])

    def _give(self, block: Block, operands: list[Any]) -> None:
        """The last arguments of a body, which stay the same."""
        numbers = block.program.arguments
        for number, x in zip(numbers[len(numbers) - len(operands) :], operands, strict=True):
            self.assembler.put(block.slots[number], self._address(x))

    def _truth(self, address: str) -> str:
        return self.assembler.emitter().load(address, "i1").text

    def _run(self, block: Block, places: dict[int, str]) -> None:
        """A body, whose outputs are to stand in these places: they are written there at once, or copied."""
        direct = _direct(block)
        for k, place in places.items():
            if direct[k]:
                self.assembler.put(block.slots[block.program.outputs[k]], place)  # type: ignore[index]
        block.emit()
        for number in block.program.expected:
            self.assembler.check(block, number)
        for k, place in places.items():
            if not direct[k]:
                self.assembler.copy(place, self._output(block, k), self.sizes[k])


def _direct(block: Block) -> list[bool]:
    """Can an output be written at once where it is to stand? What is asked for twice only once."""
    outputs = block.program.outputs
    return [x in block.outputs and x not in outputs[:k] for k, x in enumerate(outputs)]


class Steps(Loop):
    """The code of ``scan`` and ``while``."""

    def __init__(self, assembler: Assembler, outer: Block, item: Item, block: Callable[[Program, int], Block]) -> None:
        super().__init__(assembler, outer, item, block)
        program = self.body.program
        self.carries = self.params["carries"]
        self.is_scan = self.op is SCAN
        self.known = self.params["length"] if self.is_scan else None
        self.direct = _direct(self.body)
        accumulated = self.body.fused.lowered.accumulated
        self.summed = [
            self.direct[k] and accumulated.get(program.outputs[k]) == program.arguments[k] for k in range(self.carries)
        ]
        self.body.in_place |= {program.outputs[k] for k in range(self.carries) if self.summed[k]}
        # Of each part of the carry the slots of two places: of the result, and another, if it needs one.
        self.ends = [self._end(k) for k in range(self.carries)]
        self.others = [
            end if self._stays(k) or self.summed[k] else assembler.memory(self.sizes[k]) for k, end in enumerate(self.ends)
        ]
        # ... and of the place where the next is written.
        self.next = [
            self.body.slots[program.outputs[k]] if self.direct[k] else assembler.slot()  # type: ignore[index]
            for k in range(self.carries)
        ]
        if not self.is_scan:
            going = self.blocks[1]
            assembler.placed.update((going.slots[x], assembler.arena.apart(1)) for x in going.outputs)
        self.unread = {k: assembler.memory(self.sizes[k]) for k in range(self.carries, len(self.sizes)) if k not in item.results}

    def _stays(self, k: int) -> bool:
        """Is this part of the carry what it was?"""
        return self.body.program.outputs[k] == self.body.program.arguments[k]

    def _exchanged(self, k: int) -> bool:
        return self.sizes[k] > SMALL and not self._stays(k) and not self.summed[k]

    def emit(self) -> None:
        """The loop."""
        a = self.assembler
        length, init, others = split(self.op, self.params, self.item.operands)
        count: Any = self.known
        if length:
            count = a.line(f"load i64, ptr {self._address(length[0])}")
        slices = self.params.get("slices", 0)
        xs = [self._address(x) for x in others[0][:slices]]
        others[0] = others[0][slices:]
        for block, given in zip(self.blocks, others, strict=True):
            self._give(block, given)
        for k, x in enumerate(init):
            self._begin(k, self._address(x))
        ys = {k: self._results(k, count) for k in range(self.carries, len(self.sizes))}
        counter, label = a.alloca("i64"), next(a.names)
        a.emit(f"store i64 0, ptr {counter}")
        a.emit(f"br label %loop{label}")
        a.label(f"loop{label}")
        i = a.line(f"load i64, ptr {counter}")
        if self.is_scan:
            more = a.line(f"icmp slt i64 {i}, {count}")
        else:
            self._run(self.blocks[1], {})
            more = self._truth(self._output(self.blocks[1], 0))
        a.emit(f"br i1 {more}, label %step{label}, label %after{label}")
        a.label(f"step{label}")
        self._step(i, count, xs, ys)
        a.emit(f"store i64 {a.sum_of('1', [i], [1])}, ptr {counter}")
        a.emit(f"br label %loop{label}")
        a.label(f"after{label}")
        for k in range(self.carries):
            self._finish(k)
        if not self.is_scan and self.carries in self.item.results:
            a.copy(a.get(self.outer.slots[self.item.results[self.carries]]), counter, 8)

    def _step(self, i: str, count: Any, xs: list[str], ys: dict[int, str]) -> None:
        a, body = self.assembler, self.body
        arguments = body.program.arguments
        if self.params.get("reverse"):
            i = a.sum_of(str(count), ["1", i], [-1, -1])
        for number, x in zip(arguments[self.carries :], xs, strict=False):
            q = body.program.quantities[number]
            a.put(body.slots[number], a.element(x, f"[{size_of(q.shape, q.dtype)} x i8]", i))
        self._run(body, {k: y if k in self.unread else a.element(y, f"[{self.sizes[k]} x i8]", i) for k, y in ys.items()})
        moving = [k for k in range(self.carries) if not self._stays(k)]
        for k in moving:
            if not self.direct[k]:
                a.copy(a.get(self.next[k]), self._output(body, k), self.sizes[k])
        for k in moving:
            if self._exchanged(k):
                old, new = a.get(body.slots[arguments[k]]), a.get(self.next[k])
                self._see(k, new)
                a.put(self.next[k], old)
            elif not self.summed[k]:
                a.copy(a.get(self.ends[k]), a.get(self.next[k]), self.sizes[k])

    def _see(self, k: int, address: str) -> None:
        """The next step finds this part of the carry there."""
        for block in self.blocks:
            self.assembler.put(block.slots[block.program.arguments[k]], address)

    def _begin(self, k: int, init: str) -> None:
        a = self.assembler
        if self._stays(k):
            self._see(k, init)
            return
        here, there = a.get(self.ends[k]), a.get(self.others[k])
        if self._exchanged(k) and self.known is not None and self.known % 2:
            here, there = there, here  # so that the last is in the place of the result
        a.copy(here, init, self.sizes[k])
        self._see(k, here)
        a.put(self.next[k], there)

    def _finish(self, k: int) -> None:
        """The last carry in the place of the result."""
        a = self.assembler
        if k in self.item.results and (self._stays(k) or (self._exchanged(k) and self.known is None)):
            found = a.get(self.body.slots[self.body.program.arguments[k]])
            a.copy(a.get(self.ends[k]), found, self.sizes[k])

    def _results(self, k: int, count: Any) -> str:
        """Where ys are to stand; of a stack new memory."""
        a = self.assembler
        if k in self.unread:
            return a.get(self.unread[k])
        slot = self.outer.slots[self.item.results[k]]
        if self.known is None:
            a.stack(slot, count, self.sizes[k])
        return a.get(slot)


class Choice(Loop):
    """The code of ``cond``."""

    def __init__(self, assembler: Assembler, outer: Block, item: Item, block: Callable[[Program, int], Block]) -> None:
        super().__init__(assembler, outer, item, block)
        self.targets = [self._end(k) for k in range(len(self.sizes))]

    def emit(self) -> None:
        """The branch."""
        a = self.assembler
        (pred,), _, others = split(self.op, self.params, self.item.operands)
        yes, no = (partial(self._way, block, given) for block, given in zip(self.blocks, others, strict=True))
        a.when(self._truth(self._address(pred)), yes, no)

    def _way(self, block: Block, given: list[Any]) -> None:
        self._give(block, given)
        self._run(block, dict(enumerate(map(self.assembler.get, self.targets))))


def loop_of(assembler: Assembler, outer: Block, item: Item, block: Callable[[Program, int], Block]) -> Steps | Choice:
    """The code of a loop or branch."""
    return (Choice if item.quantity.op is COND else Steps)(assembler, outer, item, block)


def is_stack(dtype: Any) -> bool:
    """Is it memory of its own, as large as the number of steps asks for?"""
    return bool(dtype == OBJECT)

"""A whole program as one function of machine code: its steps in order, its buffers, its calls of BLAS and of NumPy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .kernels import blas, sharing, skinny
from .kernels.addresses import aligned, size_of, stored_type, type_of
from .kernels.cumulating import running_sums
from .kernels.fusion import Fused, Step, operands_of
from .kernels.kernel_code import Kernel
from .kernels.lowering import Item, Lowered
from .kernels.views import Operand
from .kernels.writing_code import Writer, nested
from .literals import array_of
from .loops.loop_code import is_stack, loop_of
from .machine.native import Machine
from .program import Program

HELD, DECLINED = 0, 1  # what the function returns: the program holds for these arguments or not


@dataclass
class Arena:
    """Memory for what lies between arguments and outputs; what nothing needs any more gives its place to others."""

    size: int = 0
    taken: list[tuple[int, int, int]] = field(default_factory=list)  # start, end, last step

    def apart(self, size: int) -> int:
        """Where ``size`` bytes are that nothing else uses."""
        start = self.size
        self.size += aligned(size)
        return start

    def place(self, size: int, first: int, last: int) -> int:
        """Where ``size`` bytes are free from the step ``first`` to ``last``."""
        size = aligned(size)
        self.taken = sorted(x for x in self.taken if x[2] >= first)
        start = 0
        for begin, end, _ in self.taken:
            if begin - start >= size:
                break
            start = max(start, end)
        self.taken.append((start, start + size, last))
        self.size = max(self.size, start + size)
        return start


class Assembler(Writer):
    """The module of a program: the functions of its groups, and ``run``, which calls them."""

    # In the place of the size of the table, which is known when all is written.
    TABLE, TABLE_BYTES = "<slots>", "<bytes of slots>"

    def __init__(self, program: Program, machine: Machine, threads: int = 1) -> None:
        super().__init__()
        self.program, self.machine, self.threads = program, machine, threads
        self.functions: list[str] = []
        self.declarations: set[str] = set()
        self.slots = 0  # of the table of addresses
        self.stacks: list[int] = []  # slots of memory that is got and freed by the program
        self.calls: list[tuple[Block, Item]] = []  # items that NumPy computes
        self.block = Block(self, program, "k")
        self.arena = self.block.arena
        self.outputs = self.block.outputs
        self.ir = self._module()

    @property
    def is_shared(self) -> bool:
        """Does it use several threads?"""
        return sharing.DECLARATION in self.declarations

    @property
    def may_decline(self) -> bool:
        """Can it turn out that the program does not hold?"""
        return any("label %declined" in line for line in self.body)

    def slot(self) -> int:
        self.slots += 1
        return self.slots - 1

    def put(self, slot: int, address: str) -> None:
        """Write an address in the table."""
        place = self.fresh()
        self.emit(f"{place} = getelementptr ptr, ptr %table, i64 {slot}")
        self.emit(f"store ptr {address}, ptr {place}")

    def get(self, slot: int) -> str:
        """The address in a slot of the table."""
        place, address = self.fresh(), self.fresh()
        self.emit(f"{place} = getelementptr ptr, ptr %table, i64 {slot}")
        self.emit(f"{address} = load ptr, ptr {place}")
        return address

    def at(self, address: str, index: str, size: int) -> str:
        """The address of an element of this size."""
        offset = self.fresh()
        self.emit(f"{offset} = mul i64 {index}, {size}")
        return self.moved(address, "i8", offset)

    def copy(self, target: str, source: str, size: int) -> None:
        """Copy bytes."""
        if size in (1, 2, 4, 8, 16):
            value = self.fresh()
            self.emit(f"{value} = load i{8 * size}, ptr {source}, align 1")
            self.emit(f"store i{8 * size} {value}, ptr {target}, align 1")
        elif size:
            self.emit(f"call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {source}, i64 {size}, i1 false)")

    def constant(self, value: Any) -> str:
        """The address of a number."""
        content = np.asarray(value).tobytes()
        name = f"@constant{len(self.functions)}"
        text = "".join(f"\\{byte:02X}" for byte in content)
        self.functions.append(f'{name} = private constant [{len(content)} x i8] c"{text}", align 16')
        return name

    def stack(self, slot: int, count: str, size: int) -> None:
        """New memory for ``count`` elements; what was in the slot is freed. Declines, if there is none."""
        self.stacks.append(slot)
        self.declarations |= {"declare ptr @malloc(i64)", "declare void @free(ptr)", "declare i64 @llvm.smax.i64(i64, i64)"}
        self.emit(f"call void @free(ptr {self.get(slot)})")
        self.put(slot, "null")
        least, bytes, more, pointer, none = (self.fresh() for _ in range(5))
        label = f"got{next(self.names)}"
        self.emit(f"{least} = call i64 @llvm.smax.i64(i64 {count}, i64 0)")
        self.emit(f"{bytes} = mul i64 {least}, {size}")
        self.emit(f"{more} = add i64 {bytes}, 1")
        self.emit(f"{pointer} = call ptr @malloc(i64 {more})")
        self.put(slot, pointer)
        self.emit(f"{none} = icmp eq ptr {pointer}, null")
        self.emit(f"br i1 {none}, label %declined, label %{label}")
        self.body.append(f"{label}:")

    def _given(self, place: int) -> str:
        """The address of one of the arrays that the function is called with."""
        pointer, address = self.fresh(), self.fresh()
        self.emit(f"{pointer} = getelementptr ptr, ptr %data, i64 {place}")
        self.emit(f"{address} = load ptr, ptr {pointer}")
        return address

    def _module(self) -> str:
        """The text of the module. ``run`` gets the arguments, the outputs and the arena."""
        block = self.block
        for place, number in enumerate(self.program.arguments):
            self.put(block.slots[number], self._given(place))
        count = len(self.program.arguments)
        for place, number in enumerate(self.outputs):
            self.put(block.slots[number], self._given(count + place))
        count += len(self.outputs)
        self.arena_address = self._given(count)
        block.place(0)
        block.emit()
        for number in self.program.expected:
            self.check(block, number)
        self._end(HELD)
        self.body.append("declined:")
        self._end(DECLINED)
        for slot in dict.fromkeys(self.stacks):  # so that they can be freed, whatever has run
            null = self.fresh()
            self.entry += [f"  {null} = getelementptr ptr, ptr %table, i64 {slot}", f"  store ptr null, ptr {null}"]
        slots = max(self.slots, 1)
        run = ["define i32 @run(ptr %data) {", f"  %table = alloca [{slots} x ptr]", *self.entry, *self.body, "}"]
        body = "\n".join(run).replace(self.TABLE, str(slots)).replace(self.TABLE_BYTES, str(8 * slots))
        return "\n".join([*sorted(self.declarations), *self.functions, body, ""])

    def _end(self, status: int) -> None:
        for slot in dict.fromkeys(self.stacks):
            self.emit(f"call void @free(ptr {self.get(slot)})")
        self.emit(f"ret i32 {status}")

    def check(self, block: Block, number: int) -> None:
        """Decline, unless the number is 0."""
        type = type_of(block.program.quantities[number].dtype)
        value, ok, label = self.fresh(), self.fresh(), f"held{next(self.names)}"
        self.emit(f"{value} = load {stored_type(type)}, ptr {self.get(block.slots[number])}")
        compare = f"fcmp oeq {type}" if type in ("double", "float") else f"icmp eq {stored_type(type)}"
        self.emit(f"{ok} = {compare} {value}, {'0.0' if type in ('double', 'float') else '0'}")
        self.emit(f"br i1 {ok}, label %{label}, label %declined")
        self.body.append(f"{label}:")


class Block:
    """The steps of one program, which may be the body of a loop. ``slots``: where the addresses of its quantities stand."""

    def __init__(self, assembler: Assembler, program: Program, prefix: str) -> None:
        self.assembler, self.program = assembler, program
        self.fused = Fused(Lowered(program))
        self.steps = self.fused.steps
        self.arena = Arena()
        self.offsets: dict[int, int] = {}
        made = list(dict.fromkeys(number for step in self.steps for number in step.written()))
        self.outputs = list(dict.fromkeys(x for x in program.outputs if isinstance(x, int) and x in made))
        self.slots = {number: assembler.slot() for number in [*program.arguments, *made]}
        self.loops = {
            k: loop_of(assembler, self, step.item, lambda body, n, k=k: Block(assembler, body, f"{prefix}{k}_{n}_"))  # type: ignore[misc]
            for k, step in enumerate(self.steps) if step.item is not None and step.item.kind == "loop"
        }
        self.rooms: dict[int, int] = {}  # of each loop its place in the arena
        items = [step.item for step in self.steps if step.item is not None]
        self.literals = {item.number: array_of(item.quantity) for item in items if item.kind == "literal"}
        self.base = 0  # of the block's own memory in the arena
        self.skinny: dict[int, tuple[str, int]] = {}  # of a product its own function, and its memory
        self.in_place: set[Any] = set()  # sums of products that stand where the argument does to which they are added
        self.kernels: dict[int, Kernel] = {}
        self.places: dict[int, dict[int, list[int]]] = {}  # of a shared kernel, for what the other threads reduce to
        for k, step in enumerate(self.steps):
            if step.group is not None:
                kernel = Kernel(program, step.group, f"{prefix}{k}", assembler.machine, self.slots.__getitem__)
                self.kernels[k] = kernel
                assembler.functions.append(kernel.text())
                assembler.declarations |= kernel.declarations
        self._plan(made)

    def _plan(self, made: list[int]) -> None:
        """Places in the arena, for as long as something reads them."""
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        end = len(self.steps)
        for k, step in enumerate(self.steps):
            for item in step.items():
                for number in item.made():
                    first.setdefault(number, k)
                for number in [*item.made(), *(o.base for o in operands_of(item))]:
                    last[number] = k
        for number in self.program.results():
            last[number] = end
        for number in sorted(made, key=first.__getitem__):
            if number not in self.outputs and number not in self.literals and not is_stack(self.program.quantities[number].dtype):
                self.offsets[number] = self.arena.place(self._bytes(number), first[number], last[number])
        for k, loop in self.loops.items():
            self.rooms[k] = self.arena.apart(loop.size)
        for step in self.steps:
            if step.item is not None and step.item.kind == "product":
                self._plan_skinny(step.item)
        for k, kernel in self.kernels.items():
            parts = sharing.parts_of(kernel, self.assembler.threads)
            if parts > 1:
                self.places[k] = {
                    m.item.number: [self.arena.apart(self._bytes(m.item.number)) for _ in range(parts - 1)]
                    for m in kernel.reduced()
                }

    def _plan_skinny(self, item: Item) -> None:
        """The function and the memory of a product that is none for a BLAS."""
        a, type = self.assembler, type_of(item.quantity.dtype)
        name = f"product{len(a.functions)}"
        function = skinny.kernel(name, item.product, type, a) if len(item.operands) == 2 else None
        if function is not None:
            a.functions.append(function)
            self.skinny[item.number] = name, self.arena.apart(skinny.scratch(item.product, item.quantity.dtype.itemsize))

    def _bytes(self, number: int) -> int:
        q = self.program.quantities[number]
        return size_of(q.shape, q.dtype)

    def place(self, base: int) -> None:
        """Write in the table where all is that stays where it is. ``base``: of its memory in the arena."""
        a = self.assembler
        self.base = base
        for number, offset in self.offsets.items():
            a.put(self.slots[number], a.moved(a.arena_address, "i8", base + offset))
        for number, array in self.literals.items():
            a.put(self.slots[number], a.constant(array))
        for k, loop in self.loops.items():
            loop.place(base + self.rooms[k])

    def emit(self) -> None:
        """The steps, as calls."""
        a = self.assembler
        for k, step in enumerate(self.steps):
            if k in self.loops:
                self.loops[k].emit()
            elif step.group is not None:
                kernel = self.kernels[k]
                if k in self.places:
                    places = {number: [self.base + offset for offset in own] for number, own in self.places[k].items()}
                    sharing.call(kernel, sharing.parts_of(kernel, a.threads), a, self.slots, places)
                else:
                    a.emit(f"call void @{kernel.name}(ptr %table, i64 0, i64 {kernel.units})")
            else:
                self._item(step)

    def _item(self, step: Step) -> None:
        item = step.item
        assert item is not None
        if item.kind == "literal":
            return
        if item.kind == "product":
            self._product(item)
        elif item.kind == "cumulate":
            self._written_out(item)
        else:
            self._numpy(item)

    def _numpy(self, item: Item) -> None:
        """A step that is computed by NumPy, which is called back."""
        a = self.assembler
        a.calls.append((self, item))
        a.declarations.add("declare i32 @numpy(i64, ptr)")
        status, ok, label = a.fresh(), a.fresh(), f"done{next(a.names)}"
        a.emit(f"{status} = call i32 @numpy(i64 {len(a.calls) - 1}, ptr %table)")
        a.emit(f"{ok} = icmp eq i32 {status}, 0")
        a.emit(f"br i1 {ok}, label %{label}, label %declined")
        a.body.append(f"{label}:")

    def _product(self, item: Item) -> None:
        a = self.assembler
        product = item.product
        type = type_of(item.quantity.dtype)
        left, right, *begun = item.operands
        assert isinstance(left, Operand) and isinstance(right, Operand)
        pointers = [
            a.moved(a.get(self.slots[left.base]), type, left.offset), a.moved(a.get(self.slots[right.base]), type, right.offset),
            a.get(self.slots[item.number]),
        ]
        if item.number in self.skinny:
            name, offset = self.skinny[item.number]
            pointers.append(a.moved(a.arena_address, "i8", self.base + offset))
            a.emit(f"call void @{name}({', '.join(f'ptr {x}' for x in pointers)})")
            return
        if begun and item.number not in self.in_place:
            assert isinstance(begun[0], Operand)
            a.copy(pointers[2], a.get(self.slots[begun[0].base]), self._bytes(item.number))

        def one(offsets: list[str]) -> None:
            places = [a.moved(p, type, o) for p, o in zip(pointers, offsets, strict=True)]
            a.emit(blas.call(product, type, places, bool(begun)))
            a.declarations |= blas.DECLARATIONS

        nested(a, product.lead, product.steps, one)

    def _written_out(self, item: Item) -> None:
        """An item with a function of its own."""
        a = self.assembler
        name = f"{item.kind}{len(a.functions)}"
        a.functions.append(running_sums(name, self.program, item, self.slots.__getitem__, a))
        a.emit(f"call void @{name}(ptr %table)")

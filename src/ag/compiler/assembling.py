"""A whole program as one function of machine code: its steps in order, its buffers, its calls of BLAS and of NumPy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .kernels import blas, sharing, skinny
from .kernels.addresses import aligned, size_of, type_of
from .kernels.cumulating import running_sums
from .kernels.fusion import Fused, operands_of
from .kernels.kernel_code import Kernel
from .kernels.lowering import Item, Lowered
from .kernels.views import Operand
from .kernels.writing_code import Writer
from .literals import array_of
from .loops.loop_code import is_stack, loop_of
from .machine.native import Machine
from .program import Program

HELD, DECLINED = 0, 1  # what the function returns: the program holds for these arguments or not
LARGE = 1 << 12  # bytes of a literal: more would take long to read as text


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
        super().__init__(machine, set())
        self.program, self.threads = program, threads
        self.functions: list[str] = []
        self.slots = 0  # of the table of addresses
        self.stacks: list[int] = []  # slots of memory that is got and freed by the program
        self.calls: list[tuple[Block, Item]] = []  # items that NumPy computes
        self.arena = Arena()
        self.placed: dict[int, int] = {}  # of slots whose memory stays where it is: its place in the arena
        self.literals: dict[int, Any] = {}  # of slots: arrays that stand in the program
        self.large: list[Any] = []  # those that are given after the arena
        self.block = Block(self, program, "k")
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

    def memory(self, size: int) -> int:
        """The slot of memory that nothing else uses."""
        slot = self.slot()
        self.placed[slot] = self.arena.apart(size)
        return slot

    def put(self, place: int, address: str, table: str = "%table") -> None:
        """Write an address in a table."""
        self.emit(f"store ptr {address}, ptr {self.element(table, 'ptr', place)}")

    def get(self, slot: int) -> str:
        """The address in a slot of the table."""
        return self.pointer("%table", slot)

    def room(self, offset: int) -> str:
        """The address of memory in the arena."""
        return self.element(self.arena_address, "i8", offset)

    def require(self, held: str) -> None:
        """Decline, unless this is true."""
        label = f"held{next(self.names)}"
        self.emit(f"br i1 {held}, label %{label}, label %declined")
        self.label(label)

    def copy(self, target: str, source: str, size: int) -> None:
        """Copy bytes."""
        if size in (1, 2, 4, 8, 16):
            value = self.line(f"load i{8 * size}, ptr {source}, align 1")
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

    def literal(self, array: Any) -> str:
        """The address of an array that stands in the program; a large one is given at each call."""
        if array.nbytes <= LARGE:
            return self.constant(array)
        self.large.append(array)
        return self.pointer("%data", len(self.program.arguments) + len(self.outputs) + len(self.large))

    def stack(self, slot: int, count: str, size: int) -> None:
        """New memory for ``count`` elements; what was in the slot is freed. Declines, if there is none."""
        self.stacks.append(slot)
        self.declarations |= {"declare ptr @malloc(i64)", "declare void @free(ptr)", "declare i64 @llvm.smax.i64(i64, i64)"}
        self.emit(f"call void @free(ptr {self.get(slot)})")
        self.put(slot, "null")
        least = self.line(f"call i64 @llvm.smax.i64(i64 {count}, i64 0)")
        pointer = self.line(f"call ptr @malloc(i64 {self.sum_of('1', [least], [size])})")  # of 0 bytes it may be null
        self.put(slot, pointer)
        self.require(self.line(f"icmp ne ptr {pointer}, null"))

    def _module(self) -> str:
        """The text of the module. ``run`` gets the arguments, the outputs, the arena, and literals that are large."""
        block = self.block
        given = [*self.program.arguments, *self.outputs]
        for place, number in enumerate(given):
            self.put(block.slots[number], self.pointer("%data", place))
        self.arena_address = self.pointer("%data", len(given))
        for slot, offset in self.placed.items():
            self.put(slot, self.room(offset))
        for slot, array in self.literals.items():
            self.put(slot, self.literal(array))
        block.emit()
        for number in self.program.expected:
            self.check(block, number)
        self._end(HELD)
        self.label("declined")
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
        e, address = self.emitter(), self.get(block.slots[number])
        self.require(e.compare("==", e.load(address, type), e.constant(0, type)).text)


class Block:
    """The steps of one program, which may be the body of a loop. ``slots``: where the addresses of its quantities stand."""

    def __init__(self, assembler: Assembler, program: Program, prefix: str) -> None:
        self.assembler, self.program = assembler, program
        self.fused = Fused(Lowered(program))
        self.steps = self.fused.steps
        made = list(dict.fromkeys(number for step in self.steps for number in step.written()))
        self.outputs = list(dict.fromkeys(x for x in program.outputs if isinstance(x, int) and x in made))
        self.slots = {number: assembler.slot() for number in [*program.arguments, *made]}
        self.loops = {
            k: loop_of(assembler, self, step.item, lambda body, n, k=k: Block(assembler, body, f"{prefix}{k}_{n}_"))  # type: ignore[misc]
            for k, step in enumerate(self.steps) if step.item is not None and step.item.kind == "loop"
        }
        items = [step.item for step in self.steps if step.item is not None]
        literals = {item.number: array_of(item.quantity) for item in items if item.kind == "literal"}
        assembler.literals.update((self.slots[number], array) for number, array in literals.items())
        self.skinny: dict[int, tuple[str, int]] = {}  # of a product its own function, and its memory
        self.in_place: set[Any] = set()  # sums of products that stand where the argument does to which they are added
        self.kernels: dict[int, Kernel] = {}
        self.places: dict[int, list[dict[int, int]]] = {}  # of a shared kernel, for what the other threads reduce to
        for k, step in enumerate(self.steps):
            if step.group is not None:
                kernel = Kernel(program, step.group, f"{prefix}{k}", assembler.machine, self.slots.__getitem__)
                self.kernels[k] = kernel
                assembler.functions.append(kernel.text())
                assembler.declarations |= kernel.declarations
        self._plan([number for number in made if number not in literals])

    def _plan(self, made: list[int]) -> None:
        """Places in the arena, for as long as something reads them."""
        a, own = self.assembler, Arena()
        offsets: dict[int, int] = {}
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
            if number not in self.outputs and not is_stack(self.program.quantities[number].dtype):
                offsets[number] = own.place(self._bytes(number), first[number], last[number])
        base = a.arena.apart(own.size)
        a.placed.update((self.slots[number], base + offset) for number, offset in offsets.items())
        for step in self.steps:
            if step.item is not None and step.item.kind == "product":
                self._plan_skinny(step.item)
        for k, kernel in self.kernels.items():
            parts = sharing.parts_of(kernel, a.threads)
            if parts > 1:
                numbers = [m.item.number for m in kernel.reduced()]
                self.places[k] = [{n: a.arena.apart(self._bytes(n)) for n in numbers} for _ in range(parts - 1)]

    def _plan_skinny(self, item: Item) -> None:
        """The function and the memory of a product that is none for a BLAS."""
        a, type = self.assembler, type_of(item.quantity.dtype)
        name = f"product{len(a.functions)}"
        function = skinny.kernel(name, item.product, type, a) if len(item.operands) == 2 else None
        if function is not None:
            a.functions.append(function)
            self.skinny[item.number] = name, a.arena.apart(skinny.scratch(item.product, item.quantity.dtype.itemsize))

    def _bytes(self, number: int) -> int:
        q = self.program.quantities[number]
        return size_of(q.shape, q.dtype)

    def emit(self) -> None:
        """The steps, as calls."""
        for k, step in enumerate(self.steps):
            if k in self.loops:
                self.loops[k].emit()
            elif step.group is not None:
                self._kernel(k)
            elif step.item is not None:
                self._item(step.item)

    def _kernel(self, k: int) -> None:
        a, kernel = self.assembler, self.kernels[k]
        if k in self.places:
            places = [{n: a.room(offset) for n, offset in own.items()} for own in self.places[k]]
            sharing.call(kernel, a, self.slots, places)
        else:
            a.emit(f"call void @{kernel.name}(ptr %table, i64 0, i64 {kernel.units})")

    def _item(self, item: Item) -> None:
        if item.kind == "product":
            self._product(item)
        elif item.kind == "cumulate":
            a, name = self.assembler, f"sums{len(self.assembler.functions)}"
            a.functions.append(running_sums(name, item, self.slots.__getitem__, a))
            a.emit(f"call void @{name}(ptr %table)")
        elif item.kind != "literal":
            self._numpy(item)

    def _numpy(self, item: Item) -> None:
        """A step that is computed by NumPy, which is called back."""
        a = self.assembler
        a.calls.append((self, item))
        a.declarations.add("declare i32 @numpy(i64, ptr)")
        status = a.line(f"call i32 @numpy(i64 {len(a.calls) - 1}, ptr %table)")
        a.require(a.line(f"icmp eq i32 {status}, 0"))

    def _product(self, item: Item) -> None:
        a = self.assembler
        product = item.product
        type = type_of(item.quantity.dtype)
        left, right, *begun = item.operands
        assert isinstance(left, Operand) and isinstance(right, Operand)
        pointers = [
            *(a.element(a.get(self.slots[x.base]), type, x.offset) for x in (left, right)), a.get(self.slots[item.number])
        ]
        if item.number in self.skinny:
            name, offset = self.skinny[item.number]
            pointers.append(a.room(offset))
            a.emit(f"call void @{name}({', '.join(f'ptr {x}' for x in pointers)})")
            return
        if begun and item.number not in self.in_place:
            assert isinstance(begun[0], Operand)
            a.copy(pointers[2], a.get(self.slots[begun[0].base]), self._bytes(item.number))

        def one(indices: list[str]) -> None:
            offsets = [a.sum_of("0", indices, strides) for strides in product.steps]
            places = [a.element(p, type, o) for p, o in zip(pointers, offsets, strict=True)]
            a.emit(blas.call(product, type, places, bool(begun)))
            a.declarations |= blas.DECLARATIONS

        a.nested(product.lead, one)

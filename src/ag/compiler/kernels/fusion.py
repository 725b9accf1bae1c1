"""Fusion: maps and reductions that run over the same space are computed in one pass over memory.

The space of a group is split into rows and columns. Relative to it a quantity is full, or one number for each row, or a sum
over rows with one number for each column, or one number for all. What is reduced along a row is known when the row has been
passed, so what needs it is computed in a later stage, in another pass over the same row, which is in the cache.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .lowering import Item, Lowered
from .views import Operand

SCRATCH = 32 * 1024  # bytes of a row that are kept between stages in the cache; longer rows are written to memory
# Functions worth to be kept for a later stage; what is cheaper is computed again.
HEAVY = ("exp", "log", "sin", "cos", "tan", "sigmoid", "softplus", "erf", "ndtr", "pow", "**", "hypot", "cbrt", "%")
COSTLY = (*HEAVY, "sqrt", "/")
LONG = 2**15  # elements: what fewer are reduced to is known to the same group, what more are to later ones
LARGEST = 300  # items in one group: longer ones take more time to compile than they save
FULL, ROW, COLUMN, ONE = "full", "row", "column", "one"
Place = tuple[int | None, ...]  # for each axis the axis of the group's space (None: one long)


@dataclass(eq=False)
class Member:
    """An item in a group: where its axes lie in the group's space, and what its result is relative to it."""

    item: Item
    place: Place  # of the item's space
    result: Place  # of its result
    form: str  # of its result
    stage: int  # in which it is computed
    ready: int  # from which stage on its result is known


@dataclass
class Group:
    """Items that are computed together. ``split``: how many axes of the space count the rows (None: not decided)."""

    space: tuple[int, ...]
    split: int | None = None
    members: dict[int, Member] = field(default_factory=dict)  # by the number of the quantity
    stored: list[int] = field(default_factory=list)  # the quantities that are written to memory
    others: list[Member] = field(default_factory=list)  # that write a part of another quantity
    scratch: list[int] = field(default_factory=list)  # the quantities that are kept from stage to stage of a row
    alone: bool = False  # does nothing else join it?

    @property
    def big(self) -> frozenset[int]:
        """The axes that are longer than 1."""
        return frozenset(i for i, n in enumerate(self.space) if n > 1)

    def rows(self) -> frozenset[int]:
        return frozenset(i for i in self.big if i < (self.split or 0))

    def all(self) -> list[Member]:
        """The members in the order in which they were added."""
        return sorted([*self.members.values(), *self.others], key=lambda m: m.item.number)


@dataclass
class Step:
    """What is done at once: a group, or one item that is none of a group."""

    group: Group | None = None
    item: Item | None = None

    def items(self) -> list[Item]:
        """All that it computes."""
        return [self.item] if self.item is not None else [m.item for m in self.group.all()]  # type: ignore[union-attr]

    def written(self) -> list[int]:
        """The quantities that it writes to memory, or a part of them."""
        if self.group is None:
            return self.item.made()  # type: ignore[union-attr]
        return list(dict.fromkeys([*self.group.stored, *(m.item.number for m in self.group.others)]))


class Fused:
    """The steps of a program."""

    def __init__(self, lowered: Lowered) -> None:
        self.lowered = lowered
        self.steps: list[Step] = []
        self.home: dict[int, int] = {}  # of each quantity the last step that computes a part of it
        self.read: set[int] = set()  # quantities that are read from memory
        for item in lowered.items:
            self._add(item)
        self.steps = [x for x in self.steps if x.item is None or x.item.kind != "literal" or x.item.number in self.read]
        results = set(lowered.program.results())
        for step in self.steps:
            if step.group is not None:
                step.group.stored = [n for n in step.group.members if n in self.read or n in results]
                _keep(step.group)

    def _add(self, item: Item) -> None:
        first = 0
        for operand in operands_of(item):
            home = self.home.get(operand.base)
            if home is not None:
                group = self.steps[home].group
                inside = group is not None and _is_register(group, item, operand)
                first = max(first, home if inside and group.members[operand.base].form in (FULL, ROW) else home + 1)  # type: ignore[union-attr]
        if item.ordered:
            first = max(first, self.home[item.number] + 1)
        if item.kind in ("map", "reduce"):
            for k in range(first, len(self.steps)):
                group = self.steps[k].group
                if group is not None and len(group.members) + len(group.others) < LARGEST and self._join(group, item):
                    self._placed(item, k, group)
                    return
            order = _order(item)
            group = Group(tuple([item.space[a] for a in order]), alone=item.repeats)
            place = tuple([order.index(a) if n > 1 else None for a, n in enumerate(item.space)])
            joined = self._join(group, item, place)
            assert joined, f"an item that fits no group: {item}"
            self.steps.append(Step(group=group))
            self._placed(item, len(self.steps) - 1, group)
            return
        self.steps.append(Step(item=item))
        self._placed(item, len(self.steps) - 1, None)

    def _placed(self, item: Item, k: int, group: Group | None) -> None:
        for number in item.made():
            if item.kind != "literal":  # which stands there before all steps
                self.home[number] = max(k, self.home.get(number, 0))
        for operand in operands_of(item):
            if group is None or not _is_register(group, item, operand):
                self.read.add(operand.base)

    def _join(self, group: Group, item: Item, place: Place | None = None) -> bool:
        """Add the item to the group, if it can be computed there."""
        if place is None:
            place = None if group.alone or item.repeats else self._place(group, item)
        if place is None:
            return False
        used = frozenset(a for a in place if a is not None)
        if item.into is not None and used != group.big:
            return False
        ready = max([group.members[o.base].ready for o in _registers(group, item)], default=0)
        if item.kind == "map":
            form, split = _form(group, used)
            if form is None:
                return False
            member = Member(item, place, place, form, ready, ready)
        else:
            axes = frozenset(place[a] for a in item.reduced) - {None}
            kept = tuple(a for i, a in enumerate(place) if i not in item.reduced)
            result = tuple(None if i in item.reduced else a for i, a in enumerate(place)) if _keeps(item) else kept
            form, split = _reduced(group, used, axes)  # type: ignore[arg-type]
            if form is None:
                return False
            member = Member(item, place, result, form, ready, ready + 1)
        group.split = split
        if item.into is not None:
            group.others.append(member)
        else:
            group.members[item.number] = member
        return True

    def _place(self, group: Group, item: Item) -> Place | None:
        """Where the axes of the item's space lie in the group's: as those of what it reads from registers do."""
        place: list[int | None] = [None] * len(item.space)
        for operand in _registers(group, item):
            result = group.members[operand.base].result
            for own, a in zip(result, operand.axes or (), strict=True):
                if own is None or a is None:
                    continue
                if place[a] not in (None, own):
                    return None
                place[a] = own
        taken = {a for a in place if a is not None}
        if len(taken) != sum(a is not None for a in place):
            return None
        shift = len(group.space) - len(item.space)
        for a, n in enumerate(item.space):
            if n == 1:
                place[a] = None
                continue
            if place[a] is None:
                own = a + shift
                if not (0 <= own < len(group.space) and group.space[own] == n and own not in taken):
                    return None
                place[a] = own
                taken.add(own)
            if group.space[place[a] or 0] != n:
                return None
        return tuple(place)


def is_heavy(kernel: str) -> bool:
    """Does it take dozens of instructions?"""
    return _calls(kernel, HEAVY)


def is_costly(kernel: str) -> bool:
    """Does it take longer to compute than to read again?"""
    return _calls(kernel, COSTLY)


def _calls(kernel: str, words: tuple[str, ...]) -> bool:
    return any(word in kernel.replace("logical", "") for word in words)


def _keep(group: Group) -> None:
    """Costly values that a later stage needs are kept: in the cache, or in memory where a row is too long."""
    row = math.prod(group.space[group.split or 0 :])
    late = {
        o.base for m in group.all() for o in _registers(group, m.item)
        if group.members[o.base].form == FULL and group.members[o.base].stage < m.stage
    }
    for number in late:
        item = group.members[number].item
        if is_costly(item.kernel) and number not in group.stored:
            fits = row * item.quantity.dtype.itemsize <= SCRATCH
            (group.scratch if fits else group.stored).append(number)


def operands_of(item: Item) -> list[Operand]:
    """All that an item reads, indices too."""
    found: list[Operand] = []
    rest = [x for x in item.operands if isinstance(x, Operand)]
    if item.into is not None:
        rest += [g.index for g in item.into.gathers]
    while rest:
        operand = rest.pop()
        found.append(operand)
        rest += [g.index for g in operand.gathers]
    return found


def _is_register(group: Group, item: Item, operand: Operand) -> bool:
    """Is this operand read from a register? What is only an index, never: it may be equal to an operand, and be none."""
    return any(operand is x for x in _registers(group, item))


def _registers(group: Group, item: Item) -> list[Operand]:
    """What an item reads of quantities that the group computes."""
    return [o for o in item.operands if isinstance(o, Operand) and o.axes is not None and o.base in group.members]


def _order(item: Item) -> list[int]:
    """The axes of the item in the order of a new group: those that it reduces last, unless they are first."""
    rank, reduced = len(item.space), sorted(item.reduced)
    if reduced == list(range(len(reduced))):
        return list(range(rank))
    return [a for a in range(rank) if a not in reduced] + reduced


def _keeps(item: Item) -> bool:
    return bool(item.quantity.params.get("keepdims"))


def _form(group: Group, used: frozenset[int]) -> tuple[str | None, int | None]:
    """What a quantity that runs along these axes is, and where the space is to be split for that."""
    if used == group.big:
        return FULL, group.split
    if group.split is None:
        split = max(used, default=-1) + 1
        if used == frozenset(i for i in group.big if i < split) and split:
            return ROW, split
        return None, None
    return (ROW, group.split) if used == group.rows() else (None, None)


def _reduced(group: Group, used: frozenset[int], axes: frozenset[int]) -> tuple[str | None, int | None]:
    """What the reduction along these axes of such a quantity is, and where the space is to be split for that."""
    big = group.big
    if used != big:  # one number for each row
        return (ONE, group.split) if group.split is not None and used == group.rows() and axes == used and used else (None, None)
    if group.split is None:
        if axes == big:
            return (ROW, 0) if math.prod(group.space) < LONG else (ONE, None)
        split = min(axes, default=0)
        if axes == frozenset(i for i in big if i >= split):
            return ROW, split
        split = max(axes) + 1
        return (COLUMN, split) if axes == frozenset(i for i in big if i < split) else (None, None)
    rows = group.rows()
    if axes == big - rows:
        return ROW, group.split
    if axes == rows:
        return COLUMN, group.split
    return (ONE, group.split) if axes == big else (None, None)


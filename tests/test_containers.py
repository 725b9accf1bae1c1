"""Containers come back as they were: built again with other parts, without a call of their class."""

import collections
import dataclasses
import datetime
import functools
import time
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest

import ag
from ag.transforms.containers import leaves, rebuilt


def as_it_is(f, x):
    return rebuilt(x, leaves(x))


def differentiated(f, x):
    """The gradient of half the sum of squares is the container itself."""
    return ag.grad(lambda x: sum(0.5 * y**2 for y in leaves(f(x))))(x)


def compiled(f, x):
    return ag.jit(f)(x)


def in_a_loop(f, x):
    return ag.fori_loop(0, 1, lambda i, x: f(x), x)


WAYS = [as_it_is, differentiated, compiled, in_a_loop]


@dataclasses.dataclass
class Doubled:
    a: Any

    def __post_init__(self):
        self.a = self.a * 2


@dataclasses.dataclass(frozen=True)
class Frozen:
    a: Any
    twice: Any = dataclasses.field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "twice", 2 * self.a)


@dataclasses.dataclass(slots=True)
class Slots:
    a: Any
    b: Any = dataclasses.field(default=1.0, init=False)


@dataclasses.dataclass
class Scaled:
    count: ClassVar[float] = 7.0
    a: Any = 1.0
    by: dataclasses.InitVar[float] = 3.0

    def __post_init__(self, by):
        self.a = self.a * by


@dataclasses.dataclass(init=False)
class OwnInit:
    a: Any
    unset: Any = dataclasses.field(init=False)

    def __init__(self, *, size):
        self.a = float(size)
        self.name = "own"


class Pair(tuple):
    def __new__(cls, a, b):
        return super().__new__(cls, (a, b))


class Checked(NamedTuple):
    a: Any
    b: Any


class Named(list):
    def __init__(self, name, parts):
        super().__init__(parts)
        self.name = name


class Options(dict):
    def __init__(self, name, **values):
        super().__init__(**values)
        self.name = name


def frozen():
    x = Frozen(1.0)
    object.__setattr__(x, "twice", 5.0)
    return x


def slots():
    x = Slots(2.0)
    x.b = 4.0
    return x


CONTAINERS = [
    (Doubled(1.0), [2.0]), (frozen(), [1.0, 5.0]), (slots(), [2.0, 4.0]), (Scaled(2.0), [6.0]), (OwnInit(size=3), [3.0]),
    (Pair(1.0, 2.0), [1.0, 2.0]), (Checked(1.0, 2.0), [1.0, 2.0]), (Named("n", [1.0, 2.0]), [1.0, 2.0]),
    (Options("o", b=1.0, a=2.0), [1.0, 2.0]), (collections.OrderedDict(b=1.0, a=2.0), [1.0, 2.0]),
    (collections.defaultdict(list, a=3.0), [3.0]), (collections.Counter(a=1.5), [1.5]),
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("x", "parts"), CONTAINERS, ids=lambda x: type(x).__name__)
def test_what_comes_back_is_what_was_given(x, parts, way):
    y = way(lambda x: x, x)
    assert type(y) is type(x) and y is not x
    assert leaves(y) == parts == leaves(x)
    if isinstance(x, dict):
        assert list(y.items()) == list(x.items())
    assert getattr(y, "name", None) == getattr(x, "name", None)
    assert getattr(y, "default_factory", None) is getattr(x, "default_factory", None)
    assert hasattr(y, "unset") == hasattr(x, "unset")


@pytest.mark.parametrize("way", [compiled, in_a_loop])
def test_no_code_of_a_class_runs_again(way):
    """Neither __init__, __post_init__, __new__, __setattr__ nor __setitem__."""

    class Counting(dict):
        calls = 0

        def __setitem__(self, key, value):
            type(self).calls += 1
            super().__setitem__(key, value)

    @dataclasses.dataclass
    class Watched:
        a: Any
        made: ClassVar[int] = 0

        def __post_init__(self):
            type(self).made += 1

        def __setattr__(self, name, value):
            type(self).made += 1
            super().__setattr__(name, value)

    x, d = Watched(1.0), Counting()
    d["a"] = 2.0
    made = Watched.made
    y, e = way(lambda both: both, (x, d))
    assert (y.a, e["a"]) == (1.0, 2.0)
    assert (Watched.made, Counting.calls) == (made, 1)


def test_functions_see_the_fields_as_they_are():
    assert ag.jit(lambda d: 3 * d.a)(Doubled(1.0)) == 6.0
    assert ag.grad(lambda d: d.a**2)(Doubled(1.0)).a == 4.0
    assert ag.grad(lambda s: s.a**2 * s.count)(Scaled(2.0)).a == 84.0  # 2 · 6 · 7, and the class variable is no part
    gradient = ag.grad(lambda s: s.a * s.b)(slots())
    assert (gradient.a, gradient.b) == (4.0, 2.0)
    value, tangent = ag.jvp(lambda p: p[0] * p[1], (Pair(2.0, 5.0),), (Pair(1.0, 10.0),))
    assert (value, tangent) == (10.0, 25.0)
    batch = ag.vmap(lambda p: Pair(p[1], p[0]))(Pair(np.arange(3.0), np.ones(3)))
    assert type(batch) is Pair and batch[1].tolist() == [0.0, 1.0, 2.0]


def test_other_attributes_are_other_programs():
    """They are read while f is recorded, so they tell one call from another."""
    f = ag.jit(lambda d: d["a"] * len(d.name))
    assert [f(Options(name, a=2.0)) for name in ("a", "bcd", "a")] == [2.0, 6.0, 2.0]
    x = OwnInit(size=3)
    x.name = ["a list"]
    g = ag.jit(lambda d: d.a * len(d.name))
    assert (g(x), g(OwnInit(size=3))) == (3.0, 9.0)
    assert ag.jit(lambda n: n[0] * len(n.name))(Named("four", [2.0])) == 8.0


def test_what_a_cached_property_has_kept_is_computed_again():
    @dataclasses.dataclass
    class Model:
        W: Any

        @functools.cached_property
        def square(self):
            return self.W**2

    model = Model(3.0)
    assert model.square == 9.0
    assert ag.grad(lambda m: m.square)(model).W == 6.0
    f = ag.jit(lambda m: m.square + 0.0)
    assert (f(model), f(Model(4.0))) == (9.0, 16.0)


@pytest.mark.parametrize("way", [differentiated, compiled])
def test_numbers_beside_the_fields_are_an_error(way):
    """f would find the old numbers of such an attribute beside the new fields, and no derivative."""

    @dataclasses.dataclass
    class Factored:
        matrix: Any

        def __post_init__(self):
            self.factor = np.linalg.cholesky(self.matrix)

    with pytest.raises(TypeError, match=r"Factored.factor holds a ndarray and is no part .* dataclasses.field\(init=False\)"):
        way(lambda x: x, Factored(np.eye(2)))
    rates = Named("n", [1.0])
    rates.rate = 0.5
    with pytest.raises(TypeError, match=r"Named.rate holds the number 0.5 and is no part .* make the class a dataclass"):
        way(lambda x: x, rates)


def test_records_of_python():
    """A type of C that is a tuple, and has more to it than its parts."""
    now = time.struct_time(range(9))
    assert type(rebuilt(now, [float(x) for x in now])) is time.struct_time


def test_a_class_that_cannot_be_built_again():
    @dataclasses.dataclass(init=False)
    class Day(datetime.date):
        a: Any = 1.0

    with pytest.raises(TypeError, match="a container of the class .*Day can't be built again with other parts .* a dataclass"):
        ag.grad(lambda d: d.a)(Day(2000, 1, 1))

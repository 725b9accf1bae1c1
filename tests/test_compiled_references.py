"""What a compiled function finds besides its arguments: names that are bound anew, nodes of others, static values."""

import functools
import sys
import types
from collections import namedtuple

import numpy as np
import pytest

import ag

RATE = 1.0
RULE = np.sin
TABLE = {"w": 1.0}
LEAF = ag.Tensor(2.0)


def helper(x):
    return x * RATE


class Model:
    def __call__(self, x):
        return self.scaled(x)

    def scaled(self, x):
        return x * RATE

    @staticmethod
    def fixed(x):
        return x * RATE

    @classmethod
    def of_class(cls, x):
        return cls.fixed(x)

    @property
    def rate(self):
        return RATE


MODEL = Model()
BY_NAME = {
    "a number": lambda x: x * RATE, "a function that is called": lambda x: helper(x), "a callable object": lambda x: MODEL(x),
    "a method": lambda x: MODEL.scaled(x), "a static method": lambda x: Model.fixed(x), "a class method": lambda x: Model.of_class(x),
    "a property": lambda x: x * MODEL.rate, "a default": lambda x, h=(lambda x: x * RATE): h(x), "itself an object": MODEL,
    "itself a method": MODEL.scaled, "within a transform": ag.grad(lambda x: helper(x)),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_NAME)
def test_a_number_that_is_bound_anew_is_seen_wherever_it_is_used(name, monkeypatch):
    f = ag.jit(BY_NAME[name])
    for rate in (1.0, 7.0, 0.5):
        monkeypatch.setattr(sys.modules[__name__], "RATE", rate)
        assert f(1.0) == rate
        assert f(1.0) == rate


def test_other_things_that_are_bound_anew(monkeypatch):
    here = sys.modules[__name__]
    rule, table, leaf = ag.jit(lambda x: RULE(x)), ag.jit(lambda x: x * TABLE["w"]), ag.jit(lambda x: x * LEAF.value)
    assert (rule(0.0), table(2.0), leaf(2.0)) == (0.0, 2.0, 4.0)
    for name, new in (("RULE", np.cos), ("TABLE", {"w": 4.0}), ("LEAF", ag.Tensor(5.0))):
        monkeypatch.setattr(here, name, new)
    assert (rule(0.0), table(2.0), leaf(2.0)) == (1.0, 8.0, 10.0)


def test_names_of_modules(monkeypatch):
    module = types.ModuleType("settings_of_a_test")
    exec("RATE = 2.0\ndef scaled(x): return x * RATE", vars(module))
    f = ag.jit(lambda x: module.scaled(x) + module.RATE)
    assert f(1.0) == 4.0
    module.RATE = 3.0
    assert f(1.0) == 6.0


def test_a_zero_of_the_other_sign():
    divisor = 0.0
    f = ag.jit(lambda x: x / divisor)
    assert f(np.float64(1.0)) == np.inf
    divisor = -0.0
    assert f(np.float64(1.0)) == -np.inf


def test_what_f_binds_itself_does_not_compile_it_again():
    calls = 0

    def f(x):
        nonlocal calls
        calls += 1
        return x + 1

    compiled = ag.jit(f)
    assert [compiled(x) for x in (1.0, 2.0, 3.0)] == [2.0, 3.0, 4.0]
    assert calls == 1


def test_other_numbers_within_transforms(monkeypatch):
    f = ag.jit(lambda x: x * x * RATE)
    for rate in (1.0, 3.0):
        monkeypatch.setattr(sys.modules[__name__], "RATE", rate)
        assert ag.grad(f)(2.0) == 4 * rate
        assert ag.grad(ag.grad(f))(2.0) == 2 * rate


def test_functions_that_are_given_or_stand_in_containers(monkeypatch):
    several, holder = (helper,), types.SimpleNamespace(act=helper)
    applied, fixed = ag.jit(lambda f, x: f(x)), ag.jit(lambda f, x: f(x), static_argnums=0)
    compiled = [
        lambda x: applied(helper, x), lambda x: fixed(helper, x), ag.jit(functools.partial(lambda f, x: f(x), helper)),
        ag.jit(lambda x: several[0](x)), ag.jit(lambda x: holder.act(x)),
    ]  # fmt: skip
    for rate in (1.0, 3.0):
        monkeypatch.setattr(sys.modules[__name__], "RATE", rate)
        assert [f(1.0) for f in compiled] == [rate] * len(compiled)


def test_objects_are_not_asked_for_what_f_does_not_use():
    class Odd:
        value = 2.0

        @property
        def func(self):
            raise RuntimeError("nobody asked")

        def __getattr__(self, name):
            return self  # as proxies and mocks have everything

    odd, itself, large = Odd(), types.SimpleNamespace(value=2.0), 10**5000
    itself.func = itself
    assert ag.jit(lambda x: x * odd.value)(1.0) == ag.jit(lambda x: x * itself.value)(1.0) == 2.0
    itself.func = np.ones(2)
    np.testing.assert_array_equal(ag.jit(lambda x: x * itself.func)(np.ones(2)), [1, 1])
    f = ag.jit(lambda x: x * (large > 0))
    assert f(1.0) == 1.0
    large = -(10**5000)
    assert f(1.0) == 0.0


def test_an_attribute_is_no_global_of_that_name(monkeypatch):
    """A training script has weights W and parameters p.W."""
    Weights, traces = namedtuple("Weights", "RATE"), []

    def loss(p, x):
        traces.append(1)
        return (x * p.RATE) ** 2

    f = ag.jit(ag.grad(loss))
    for rate in (1.0, 2.0, 3.0):
        monkeypatch.setattr(sys.modules[__name__], "RATE", rate)
        assert 2 * rate == f(Weights(rate), 1.0).RATE
    assert len(traces) == 1


def test_the_value_of_a_leaf_where_no_derivative_flows():
    w, x = ag.Tensor([0.5, 1.5]), np.array([1.0, 3.0])
    compiled = [ag.jit(f) for f in (lambda x: x * ag.stop_gradient(w), lambda x: np.where(x > w, x, 0).sum(), lambda x: x * np.argmax(w))]
    for value, expected in (([0.5, 1.5], ([0.5, 4.5], 4.0, x)), ([2.6, 2.5], ([2.6, 7.5], 3.0, 0 * x))):
        w.value = value
        for f, y in zip(compiled, expected, strict=True):
            np.testing.assert_allclose(f(x), y)


# ---------------------------------------------------------------------- nodes that are not arguments

CAPTURED = {  # functions of w, in which a compiled function of another argument uses it; and the derivative at 3
    "alone": (lambda w: ag.jit(lambda x: x * w)(2.0), 2.0), "computed before": (lambda w: ag.jit(lambda x: x * (w * w))(2.0), 12.0),
    "as the result": (lambda w: ag.jit(lambda x: w * 5.0)(2.0), 5.0),
    "in a loop": (lambda w: ag.jit(lambda x: ag.fori_loop(0, 3, lambda i, c: c * w, x))(2.0), 54.0),
    "in a branch": (lambda w: ag.jit(lambda x: ag.cond(x > 1, lambda y: y * w, lambda y: y, x))(2.0), 2.0),
    "in a derivative": (lambda w: ag.jit(lambda x: ag.grad(lambda v: v * v * w)(x))(2.0), 4.0),
    "as a step": (lambda w: ag.scan(ag.jit(lambda c, x: (c * w + x, c)), 1.0, np.ones(3))[0], 34.0),
    "beside an argument": (lambda w: ag.jit(lambda x: x * w)(w), 6.0),
}  # fmt: skip


@pytest.mark.parametrize("name", CAPTURED)
def test_a_node_that_was_not_given_is_differentiated(name):
    """By finite differences, too: the derivative is not lost where the program can't have it."""
    f, expected = CAPTURED[name]
    with pytest.warns(UserWarning, match="depends on a node that it was not given .*: make it an argument"):
        assert ag.grad(f)(3.0) == pytest.approx(expected, rel=1e-12)
    assert (f(3.0 + 1e-6) - f(3.0 - 1e-6)) / 2e-6 == pytest.approx(expected, rel=1e-8)
    with pytest.warns(UserWarning, match="not given"):
        assert ag.jvp(f, (3.0,), (1.0,))[1] == pytest.approx(expected, rel=1e-12)
    if name != "beside an argument":
        assert ag.jit(ag.grad(f))(3.0) == pytest.approx(expected, rel=1e-12)  # there it is a value of the outer program


def test_a_leaf_that_was_not_given():
    w = ag.Tensor([3.0, 4.0])
    f = ag.jit(lambda x: (x * w).sum())
    for new in ([3.0, 4.0], [5.0, 6.0]):
        w.value = new
        with pytest.warns(UserWarning, match="not given"):
            loss = f(np.array([1.0, 2.0]))
        assert loss.value == new[0] + 2 * new[1]
        loss.backward()
        np.testing.assert_array_equal(w.grad, [1.0, 2.0])
    with pytest.warns(UserWarning, match="not given"):
        np.testing.assert_array_equal(ag.vmap(lambda v: ag.jit(lambda x: x * v)(2.0))(np.arange(3.0)), [0.0, 2.0, 4.0])


# ---------------------------------------------------------------------- static values


def test_derivatives_of_functions_with_static_arguments():
    def powers(x, n):
        return sum(x**k for k in range(n))

    for f in (ag.jit(powers, static_argnums=1), ag.jit(powers, static_argnames="n"), ag.jit(powers, static_argnums=-1)):
        for n in (4, 3, 4):
            assert ag.grad(f)(2.0, n) == sum(k * 2.0 ** (k - 1) for k in range(1, n))
            assert ag.grad(lambda x, f=f, n=n: f(x, n=n))(2.0) == sum(k * 2.0 ** (k - 1) for k in range(1, n))
        assert f(ag.Tensor(2.0), 4).value == 15.0
        np.testing.assert_array_equal(ag.hessian(lambda x, f=f: f(x[0], 4))(np.array([2.0])), [[14.0]])
        assert ag.jvp(lambda x, f=f: f(x, 4), (2.0,), (1.0,)) == (15.0, 17.0)
    choice = ag.jit(lambda x, options: x * options[0] if options[1] else x, static_argnums=1)
    assert [ag.grad(choice)(2.0, o) for o in ((3.0, True), (3.0, False), (4.0, True))] == [3.0, 1.0, 4.0]


def test_static_values_that_are_equal_and_are_told_apart():
    Pair = namedtuple("Pair", "first")
    divided = ag.jit(lambda x, c: x / c, static_argnums=1)
    assert [divided(np.float64(1), np.float32(c)) for c in (0.0, -0.0)] == [np.inf, -np.inf]
    added = ag.jit(lambda x, c: x + sorted(c)[0], static_argnums=1)
    for one, dtype in ((1, np.int8), (1.0, np.float64)):
        for container in (Pair(one), frozenset([one]), (one,)):
            assert added(np.int8(1), container).dtype == dtype


def test_derivatives_keep_a_bounded_number_of_programs(monkeypatch):
    monkeypatch.setattr("ag.compiler.compiled.BOUND", 3)
    f = ag.jit(lambda x: (x * x).sum())
    for n in range(1, 8):
        np.testing.assert_array_equal(ag.grad(f)(np.ones(n)), np.full(n, 2.0))
    assert len(f.programs) == 3

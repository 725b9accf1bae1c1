"""scan, fori_loop, while_loop and cond: against loops and branches written out, and differences, in both modes, of any order."""

import collections
import dataclasses
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import ag

rng = np.random.default_rng(0)
XS = rng.normal(size=(7, 3))
W = rng.normal(size=(3, 3)) / 3


def differences(f, x, h=1e-3):
    """The gradient of f at an array by differences of fourth order."""
    result = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[index] = h
        result[index] = (8 * (f(x + step) - f(x - step)) - (f(x + 2 * step) - f(x - 2 * step))) / (12 * h)
    return result


def close(a, b, tolerance=1e-9):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


# ---------------------------------------------------------------------- scan


def rnn(W, xs, reverse=False):
    def step(h, x):
        h = ag.tanh(W @ h + x)
        return h, (h * h).sum()

    return ag.scan(step, np.zeros(3), xs, reverse=reverse)


def rnn_written_out(W, xs, reverse=False):
    h, ys = np.zeros(3), np.zeros(len(xs))
    for i in reversed(range(len(xs))) if reverse else range(len(xs)):
        h = np.tanh(W @ h + xs[i])
        ys[i] = (h * h).sum()
    return h, ys


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("n", [1, 7, 300])
def test_scan_is_the_loop(n, reverse):
    xs = rng.normal(size=(n, 3))
    for found, expected in zip(rnn(W, xs, reverse), rnn_written_out(W, xs, reverse), strict=True):
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_has_the_derivatives_of_the_loop(reverse):
    weights = np.arange(1.0, 8.0)

    def loss(W, xs, f=rnn):
        h, ys = f(W, xs, reverse)
        return (ys * weights).sum() + h[0]

    by_w, by_xs = ag.grad(loss, (0, 1))(W, XS)
    close(by_w, differences(lambda W: loss(W, XS, rnn_written_out), W))
    close(by_xs, differences(lambda xs: loss(W, xs, rnn_written_out), XS))
    close(ag.jacfwd(loss)(W, XS), by_w, 1e-12)
    direction = rng.normal(size=W.shape)
    close(ag.jvp(lambda W: loss(W, XS), (W,), (direction,))[1], (by_w * direction).sum(), 1e-12)
    second = differences(lambda W: (ag.grad(loss)(W, XS) * direction).sum(), W)
    close(ag.hvp(lambda W: loss(W, XS), (W,), (direction,)), second, 1e-8)
    close(ag.grad(lambda W: (ag.grad(loss)(W, XS) * direction).sum())(W), second, 1e-8)
    close(ag.grad(lambda W: ag.jvp(lambda W: loss(W, XS), (W,), (direction,))[1])(W), second, 1e-8)


def test_the_derivative_by_many_slices():
    """More than are cut from one node at once."""
    xs = rng.normal(size=(700, 2))

    def f(xs):
        return ag.scan(lambda c, x: (c * 0.9 + (x**3).sum(), None), 0.0, xs)[0]

    close(ag.grad(f)(xs), 3 * xs**2 * 0.9 ** np.arange(699, -1, -1)[:, None], 1e-12)


def test_what_nodes_give():
    x = ag.Tensor(XS)
    total, ys = ag.scan(lambda c, x: (c + x, c * x), np.zeros(3), x)
    assert isinstance(total, ag.Tensor) and ys.shape == (7, 3)
    (total.sum() + ys.sum()).backward()
    close(x.grad, 1 + XS.sum(0) - XS, 1e-12)


def test_without_xs_and_without_ys():
    carry, ys = ag.scan(lambda c, x: (c * 2 if x is None else c, None), 1.0, length=10)
    assert carry == 1024.0 and type(carry) is np.float64 and ys is None
    carry, ys = ag.scan(lambda c, x: (c + 1, (c, None)), 0, xs={}, length=np.int64(3))
    assert carry == 3 and type(carry) is np.int64 and ys[1] is None
    np.testing.assert_array_equal(ys[0], [0, 1, 2])
    assert ag.scan(lambda c, x: (None, x["a"] + 1), None, {"a": np.arange(2)})[0] is None


def test_no_step_at_all():
    seen = []

    def f(c, x):
        seen.append(x)
        return c, {"y": 1 / x["a"], "n": 3, "c": c}

    with np.errstate(all="raise"):
        carry, ys = ag.scan(f, np.ones((2, 2), np.float32), {"a": np.zeros((0, 4), np.float32)})
    np.testing.assert_array_equal(carry, np.ones((2, 2), np.float32))
    assert len(seen) == 1
    assert {k: (v.shape, v.dtype.name) for k, v in ys.items()} == {
        "y": ((0, 4), "float32"), "n": ((0,), "int64"), "c": ((0, 2, 2), "float32"),
    }  # fmt: skip
    assert ag.grad(lambda c: ag.scan(lambda c, x: (c * c, c), c, np.zeros((0, 2)))[0])(3.0) == 1.0
    with pytest.raises(TypeError, match="in step 0"):
        ag.scan(lambda c, x: (c + x, None), 1.0, np.zeros((0, 4)))


class Pair(NamedTuple):
    a: Any
    b: Any


@dataclasses.dataclass
class Cell:
    h: Any
    c: Any


def test_containers_of_the_carry():
    def step(s, x):
        return Pair(Cell(s.a.h + x["u"], s.a.c * 2), [{"k": s.b[0]["k"] + 1}, s.b[1]]), Cell(s.a.h, (x["v"], s.b))

    start = Pair(Cell(0.0, np.ones(2)), [{"k": 0}, None])
    carry, ys = ag.scan(step, start, {"u": np.arange(3.0), "v": np.ones((3, 2))})
    assert type(carry) is Pair and type(carry.a) is Cell and carry.a.h == 3.0 and carry.b[0]["k"] == 3 and carry.b[1] is None
    np.testing.assert_array_equal(carry.a.c, [8.0, 8.0])
    assert type(ys) is Cell and ys.c[0].shape == (3, 2)
    np.testing.assert_array_equal(ys.h, [0.0, 0.0, 1.0])
    np.testing.assert_array_equal(ys.c[1][0]["k"], [0, 1, 2])


def test_dictionaries_may_come_in_any_order():
    carry, ys = ag.scan(
        lambda c, x: ({"b": c["b"] + 1, "a": c["a"]}, {"p": x, "q": -x} if x > 0 else {"q": -x, "p": x}),
        {"a": 10.0, "b": 0.0}, np.array([1.0, -2.0]),
    )  # fmt: skip
    assert carry == {"a": 10.0, "b": 2.0} and list(carry) == ["a", "b"]
    np.testing.assert_array_equal(ys["p"], [1.0, -2.0])
    np.testing.assert_array_equal(ys["q"], [-1.0, 2.0])


trees = st.recursive(
    st.one_of(st.floats(-2, 2), st.integers(-5, 5), st.lists(st.floats(-2, 2), min_size=1, max_size=3).map(np.array), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(tuple), st.dictionaries(st.text(max_size=2), inner, max_size=3),
        st.builds(Pair, inner, inner), st.builds(Cell, inner, inner),
    ),
    max_leaves=6,
)  # fmt: skip


def flat(tree):
    """The numbers of a container one after another, by a walk of our own."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if dataclasses.is_dataclass(tree):
        tree = [tree.h, tree.c]
    if isinstance(tree, (list, tuple)):
        return [x for part in tree for x in flat(part)]
    return [] if tree is None else [np.asarray(tree)]


def doubled(tree):
    if isinstance(tree, dict):
        return {key: doubled(x) for key, x in tree.items()}
    if isinstance(tree, (Pair, Cell)):
        return type(tree)(*map(doubled, (tree.a, tree.b) if isinstance(tree, Pair) else (tree.h, tree.c)))
    if isinstance(tree, (list, tuple)):
        return type(tree)(map(doubled, tree))
    return None if tree is None else tree * 2


@settings(max_examples=60, deadline=None)
@given(trees, st.integers(0, 4))
def test_any_container(tree, n):
    before = [x.copy() for x in flat(tree)]
    carry, ys = ag.scan(lambda c, x: (doubled(c), c), tree, length=n)
    for found in (carry, ag.fori_loop(0, n, lambda i, c: doubled(c), tree)):
        assert type(found) is type(carry)
        for a, b in zip(flat(found), before, strict=True):
            np.testing.assert_array_equal(a, b * 2**n)
            assert a.dtype == b.dtype
    for a, b in zip(flat(ys), before, strict=True):
        np.testing.assert_array_equal(a, np.stack([b * 2**k for k in range(n)]) if n else np.zeros((0, *b.shape)))
        assert a.dtype == b.dtype
    for a, b in zip(flat(tree), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_dtypes_stay():
    c32 = np.float32(1.0)
    carry, ys = ag.scan(lambda c, x: (c * 0.5 + x, c), c32, np.ones(3, np.float32))
    assert carry.dtype == ys.dtype == np.float32
    assert ag.scan(lambda c, x: (c + x, None), 0.0, np.ones(3, np.float32))[0].dtype == np.float64
    assert ag.fori_loop(0, 3, lambda i, c: c * i, c32).dtype == np.float32
    assert ag.fori_loop(0, 3, lambda i, c: 1, c32).dtype == np.float32
    assert ag.fori_loop(0, 3, lambda i, c: i, np.int16(0)).dtype == np.int16
    assert ag.fori_loop(0, 3, lambda i, c: not c, True) is np.False_
    assert ag.fori_loop(0, 2, lambda i, c: c * 1j, 1 + 0j) == -1
    x = ag.Scalar(2.0)
    assert ag.fori_loop(0, 2, lambda i, c: x, c32).dtype == np.float32
    assert ag.fori_loop(0, 2, lambda i, c: c * x, c32).dtype == np.float32
    assert ag.fori_loop(0, 0, lambda i, c: c, x).dtype == np.float64
    g = ag.grad(lambda a: ag.fori_loop(0, 3, lambda i, c: c * a, c32))(np.float32(2.0))
    assert g == 12 and g.dtype == np.float32
    assert ag.grad(lambda a: ag.fori_loop(0, 3, lambda i, c: a, 1j * 0).real)(2.0) == 1.0


def test_nobody_writes_into_what_is_carried():
    start, xs = np.zeros(2), np.ones((3, 2))

    def writing(c, x):
        c += x
        return c, c

    with pytest.raises(ValueError, match="read-only"):
        ag.scan(writing, start, xs)
    with pytest.raises(ValueError, match="read-only"):
        ag.scan(lambda c, x: (c, np.add(x, 1, out=x)), start, xs)
    for result in (ag.scan(lambda c, x: (c, x), start, xs)[0], ag.fori_loop(0, 2, lambda i, c: c, start)):
        result += 5.0
    result = ag.scan(lambda c, x: (c, x), start, xs)[1]
    result += 5.0
    a, b = ag.fori_loop(0, 2, lambda i, c: (c[0], c[0]), (start, start))
    a += 5.0
    assert not start.any() and (xs == 1).all() and not b.any() and start.flags.writeable and xs.flags.writeable


# ---------------------------------------------------------------------- fori_loop and while_loop


@pytest.mark.parametrize("lower,upper", [(0, 5), (2, 5), (-2, 3), (3, 3), (5, 2), (np.int32(1), np.array(4)), (0, ag.Tensor(3))])
def test_fori_loop_is_the_loop(lower, upper):
    x, seen = 1.5, []
    for i in range(int(lower), int(getattr(upper, "value", upper))):
        x = x * 0.5 + i
        seen.append(i)
    told = []
    assert ag.fori_loop(lower, upper, lambda i, x: (told.append(i), x * 0.5 + i)[1], 1.5) == x
    assert told == seen and all(type(i) is int for i in told)


def test_powers_of_any_order():
    def power(x, n=5):
        return ag.fori_loop(0, n, lambda i, y: y * x, 1.0)

    f = power
    for expected in (3.0**5, 5 * 3.0**4, 20 * 3.0**3, 60 * 3.0**2, 120 * 3.0):
        assert f(3.0) == expected
        f = ag.grad(f)
    assert ag.jvp(ag.grad(power), (3.0,), (1.0,))[1] == 20 * 3.0**3
    assert ag.grad(lambda x: ag.jvp(power, (x,), (1.0,))[1])(3.0) == 20 * 3.0**3


def heron(a):
    return ag.while_loop(lambda s: abs(s[0] * s[0] - a) > 1e-12 * a, lambda s: ((s[0] + a / s[0]) / 2, s[1] + 1), (a, 0))


def test_while_loop_is_the_loop():
    x, n = 7.0, 0
    while abs(x * x - 7.0) > 7e-12:
        x, n = (x + 7.0 / x) / 2, n + 1
    assert heron(7.0) == (x, n)
    assert ag.while_loop(lambda x: False, lambda x: x / 0, 2.0) == 2.0
    for true, false in ((1, 0), (1.0, 0.0), (np.array(True), np.array(0)), (ag.Tensor(2.0), ag.Scalar(0.0))):
        assert ag.while_loop(lambda x, true=true, false=false: true if x < 3 else false, lambda x: x + 1, 0) == 3


def test_the_condition_may_be_a_node():
    assert ag.grad(lambda a: ag.while_loop(lambda x: x, lambda x: ag.relu(x - 1), a * 1.0) + a)(3.0) == 1.0
    assert ag.grad(lambda a: ag.cond(a, lambda a: a * a, lambda a: a, a))(3.0) == 6.0
    assert ag.grad(lambda a: ag.cond(a, lambda a: a * a, lambda a: a, a))(0.0) == 1.0


def test_derivatives_of_a_while_loop():
    close(ag.grad(lambda a: heron(a)[0])(7.0), 0.5 / np.sqrt(7.0), 1e-10)
    close(ag.jvp(lambda a: heron(a)[0], (7.0,), (2.0,))[1], 1 / np.sqrt(7.0), 1e-10)
    close(ag.grad(ag.grad(lambda a: heron(a)[0]))(7.0), -0.25 * 7.0**-1.5, 1e-8)
    assert ag.check_grads(lambda a: heron(a)[0], (7.0,), order=2) is None


def test_captured_nodes():
    w = ag.Scalar(1.1)
    y = ag.while_loop(lambda x: x < 2, lambda x: x * w, 1.0)
    y.backward()
    close(w.grad, 8 * 1.1**7, 1e-12)


# ---------------------------------------------------------------------- cond


def test_cond_runs_one_branch():
    ran = []
    for pred, expected in ((True, 1), (False, 2), (np.True_, 1), (0, 2), (np.array(2.0), 1), (ag.Scalar(0.0), 2)):
        assert ag.cond(pred, lambda x: ran.append("t") or 1, lambda x: ran.append("f") or 2, "anything") == expected
    assert "".join(ran) == "tftftf"
    assert ag.cond(True, lambda: {"a": 1}, lambda: None) == {"a": 1}


def safe_root(x):
    return ag.cond(x > 0, ag.sqrt, lambda x: x * x, x)


def test_the_branch_not_taken_does_no_harm():
    """Where both are computed, under vmap, at points where the other one is nan or has an infinite derivative."""
    xs = np.array([4.0, -1.0, 0.0, -3.0, 0.25])
    first = [0.25, -2.0, 0.0, -6.0, 1.0]
    second = [-1 / 32, 2.0, 2.0, 2.0, -2.0]
    with np.errstate(invalid="ignore"):
        close(ag.vmap(safe_root)(xs), [2.0, 1.0, 0.0, 9.0, 0.5], 1e-15)
        close(ag.vmap(ag.grad(safe_root))(xs), first, 1e-15)
        close(ag.grad(lambda xs: ag.vmap(safe_root)(xs).sum())(xs), first, 1e-15)
        close(ag.vmap(lambda x: ag.jvp(safe_root, (x,), (1.0,))[1])(xs), first, 1e-15)
        close(ag.jvp(ag.vmap(safe_root), (xs,), (np.ones(5),))[1], first, 1e-15)
        close(ag.vmap(ag.grad(ag.grad(safe_root)))(xs), second, 1e-15)
        close(ag.vmap(lambda x: ag.jvp(ag.grad(safe_root), (x,), (1.0,))[1])(xs), second, 1e-15)
        close(ag.vmap(ag.grad(lambda x: ag.jvp(safe_root, (x,), (1.0,))[1]))(xs), second, 1e-15)
        close(ag.hvp(lambda xs: ag.vmap(safe_root)(xs).sum(), (xs,), (np.ones(5),)), second, 1e-15)
    for x, g in zip(xs, first, strict=True):
        assert ag.grad(safe_root)(x) == g


def test_cond_of_a_batch_chooses_in_containers():
    table = np.arange(6.0).reshape(2, 3)

    def f(p, x):
        return ag.cond(
            p, lambda x: {"a": (x, table), "b": 1.0, "n": None, "i": 1, "same": table},
            lambda x: {"b": x.sum(), "a": (2 * x, -table), "n": None, "i": 2, "same": table}, x,
        )  # fmt: skip

    for preds in (np.array([True, False, True, True, False, False, False]), np.array([2, 0, 1, 1, 0, 0, 0])):
        found = ag.vmap(f)(preds, XS)
        mask = preds.astype(bool)
        close(found["a"][0], np.where(mask[:, None], XS, 2 * XS), 1e-15)
        np.testing.assert_array_equal(found["a"][1], np.where(mask[:, None, None], table, -table))
        np.testing.assert_array_equal(found["b"], np.where(mask, 1.0, XS.sum(1)))
        np.testing.assert_array_equal(found["i"], np.where(mask, 1, 2))
        assert found["n"] is None and (found["same"] == table).all()
    single = ag.vmap(lambda x: ag.cond(x > 0, lambda: 1.0, lambda: x))(XS[:, 0].astype(np.float32))
    assert single.dtype == np.float32


# ---------------------------------------------------------------------- batches in loops


def test_scan_of_a_batch():
    xs = rng.normal(size=(5, 7, 3))
    expected = [rnn_written_out(W, x) for x in xs]
    h, ys = ag.vmap(lambda x: rnn(W, x))(xs)
    close(h, [e[0] for e in expected], 1e-14)
    close(ys, [e[1] for e in expected], 1e-14)
    Ws = rng.normal(size=(4, 3, 3)) / 3
    close(ag.vmap(lambda W: rnn(W, XS)[1])(Ws), [rnn_written_out(V, XS)[1] for V in Ws], 1e-14)
    both = ag.vmap(lambda W: ag.vmap(lambda x: rnn(W, x)[1])(xs))(Ws)
    close(both, [[rnn_written_out(V, x)[1] for x in xs] for V in Ws], 1e-14)
    each = ag.vmap(ag.grad(lambda W, x: rnn(W, x)[1].sum()), (None, 0))(W, xs)
    close(each, [differences(lambda W, x=x: rnn_written_out(W, x)[1].sum(), W) for x in xs])
    close(ag.grad(lambda W: ag.vmap(lambda x: rnn(W, x)[1].sum())(xs).sum())(W), each.sum(0), 1e-12)
    assert ag.vmap(lambda x: ag.scan(lambda c, x: (c, x), 0.0, x)[1])(np.zeros((2, 0, 4))).shape == (2, 0, 4)


def collatz(n):
    return ag.while_loop(
        lambda s: s[0] != 1, lambda s: (ag.cond(s[0] % 2 == 0, lambda n: n // 2, lambda n: 3 * n + 1, s[0]), s[1] + 1), (n, 0)
    )


def test_while_loop_of_a_batch():
    """Each example makes as many steps as it would alone."""
    starts = np.array([1, 2, 7, 27, 6, 19])
    expected = []
    for n in starts.tolist():
        steps = 0
        while n != 1:
            n, steps = n // 2 if n % 2 == 0 else 3 * n + 1, steps + 1
        expected.append(steps)
    ends, steps = ag.vmap(collatz)(starts)
    assert steps.tolist() == expected and (ends == 1).all() and ends.dtype == steps.dtype == starts.dtype
    for n, steps in zip(starts, expected, strict=True):
        assert collatz(n) == (1, steps)


def test_gradient_of_a_batch_of_while_loops():
    a = np.array([0.3, 2.0, 7.0, 900.0])
    values, steps = ag.vmap(heron)(a)
    assert [(v, n) for v, n in zip(values, steps, strict=True)] == [heron(x) for x in a]
    assert len(set(steps.tolist())) > 2
    expected = 0.5 / np.sqrt(a)
    close(ag.grad(lambda a: ag.vmap(heron)(a)[0].sum())(a), expected)
    close(ag.vmap(ag.grad(lambda a: heron(a)[0]))(a), expected)
    close(ag.jvp(lambda a: ag.vmap(heron)(a)[0], (a,), (np.ones(4),))[1], expected)
    close(ag.vmap(ag.grad(ag.grad(lambda a: heron(a)[0])))(a), -0.25 * a**-1.5, 1e-7)


def countdown(x):
    """√ as long as x ≥ 1, whose step is nan, with an infinite derivative, where it is finished at 0 or below."""
    return ag.while_loop(lambda x: x >= 1, lambda x: ag.sqrt(x) - 1, x)


def test_finished_examples_do_no_harm():
    xs = np.array([0.0, -2.0, 25.0, 9.0, 1.0])  # 25 -> 4 -> 1 -> 0; 9 -> 2 -> √2 - 1; 1 -> 0
    values = [0.0, -2.0, 0.0, np.sqrt(2) - 1, 0.0]
    slopes = [1.0, 1.0, 1 / 10 * 1 / 4 * 1 / 2, 1 / 6 / (2 * np.sqrt(2)), 0.5]
    with np.errstate(invalid="ignore"):
        close(ag.vmap(countdown)(xs), values, 1e-15)
        close(ag.vmap(ag.grad(countdown))(xs), slopes, 1e-14)
        close(ag.grad(lambda xs: ag.vmap(countdown)(xs).sum())(xs), slopes, 1e-14)
        close(ag.jvp(ag.vmap(countdown), (xs,), (np.ones(5),))[1], slopes, 1e-14)
        second = ag.vmap(ag.grad(ag.grad(countdown)))(xs)
        forward = ag.vmap(ag.grad(lambda x: ag.jvp(countdown, (x,), (1.0,))[1]))(xs)
    alone = [ag.grad(ag.grad(countdown))(float(x)) for x in xs]
    close(second, alone, 1e-14)
    close(forward, alone, 1e-14)
    close(alone[3], -(2.0**-1.5) / 4 / 36 - 1 / (2 * np.sqrt(2)) / 4 / 27, 1e-12)


def test_who_is_finished_stays_finished():
    """Also if the condition is later the same for all examples."""
    asked = []

    def goes_on(x):
        asked.append(x)
        return x < 2 if len(asked) == 1 else len(asked) < 4

    assert ag.vmap(lambda x: ag.while_loop(goes_on, lambda x: x + 1, x))(np.array([1.0, 5.0])).tolist() == [4.0, 5.0]


@pytest.mark.parametrize("lowers,uppers", [
    (0, [3, 0, 4, 1]), ([0, 1, 2, 4], 4), ([0, 3, 2, 1], [4, 3, 1, 2]), ([0, 0, 0, 0], [0, -1, 0, 0]),
])  # fmt: skip
def test_bounds_that_differ(lowers, uppers):
    table = np.array([2.0, 3.0, 5.0, 7.0])
    starts = np.array([1.0, 10.0, -1.0, 0.5])
    axes = tuple(0 if isinstance(x, list) else None for x in (lowers, uppers))

    def f(lower, upper, x):
        return ag.fori_loop(lower, upper, lambda i, x: x * ag.take(table, i, axis=0), x)

    rows = [x if isinstance(x, list) else [x] * 4 for x in (lowers, uppers)]
    factors = [np.prod(table[a:b]) if b > a else 1.0 for a, b in zip(*rows, strict=True)]
    given = [np.array(x) if isinstance(x, list) else x for x in (lowers, uppers)]
    close(ag.vmap(f, (*axes, 0))(*given, starts), starts * factors, 1e-14)
    close(ag.vmap(ag.grad(f, 2), (*axes, 0))(*given, starts), factors, 1e-14)


def test_conditions_of_one_vmap_inside_another():
    """The condition differs along the outer, the inner, or both axes of examples; what is carried may be the same for all."""
    a, b = np.array([0.5, 3.0]), np.array([1.0, 2.0, 9.0])

    def over_both(f):
        return ag.vmap(lambda x: ag.vmap(lambda y: f(x, y))(b))(a)

    def steps(limit, factor):
        x, n = 1.0, 0
        while x < limit:
            x, n = x * factor, n + 1
        return n

    def counted(limit, factor):
        return ag.while_loop(lambda s: s[0] < limit, lambda s: (s[0] * factor, s[1] + 1), (1.0, 0))[1]

    for f in (lambda count, x, y: count(x + y, 1.5), lambda count, x, y: count(x, 1.5), lambda count, x, y: count(y, 1.5),
              lambda count, x, y: count(y, 1 + x), lambda count, x, y: count(x, 1 + y)):  # fmt: skip
        assert over_both(lambda x, y, f=f: f(counted, x, y)).tolist() == [[f(steps, x, y) for y in b] for x in a]
    chosen = over_both(lambda x, y: ag.cond(x > 1, lambda: ag.cond(y > 1, lambda: x * y, lambda: 0.0), lambda: 0.5))
    np.testing.assert_array_equal(chosen, np.where(a[:, None] > 1, np.where(b > 1, a[:, None] * b, 0.0), 0.5))
    by_x = ag.grad(lambda a: ag.vmap(lambda x: ag.vmap(lambda y: ag.fori_loop(0, 2, lambda i, z: z * x + y, 1.0))(b))(a).sum())(a)
    close(by_x, (2 * a[:, None] + b).sum(1), 1e-13)


def test_an_equation_of_motion():
    """x'' = -w² x by Runge and Kutta: cos(w t) and its derivatives, to the order of the method."""
    def end(w, n=400):
        def slope(s):
            return ag.stack([s[1], -w * w * s[0]])

        def step(i, s):
            h = 2.0 / n
            k1 = slope(s)
            k2 = slope(s + h / 2 * k1)
            k3 = slope(s + h / 2 * k2)
            return s + h / 6 * (k1 + 2 * k2 + 2 * k3 + slope(s + h * k3))

        return ag.fori_loop(0, n, step, np.array([1.0, 0.0]))[0]

    close(end(1.5), np.cos(3.0), 1e-9)
    close(ag.grad(end)(1.5), -2 * np.sin(3.0), 1e-8)
    close(ag.jvp(end, (1.5,), (1.0,))[1], -2 * np.sin(3.0), 1e-8)
    close(ag.grad(lambda w: end(w, 100))(1.5), -2 * np.sin(3.0), 1e-6)
    close(ag.grad(ag.grad(lambda w: end(w, 100)))(1.5), -4 * np.cos(3.0), 1e-5)


def test_no_examples():
    none = np.zeros(0)
    assert ag.vmap(countdown)(none).shape == (0,)
    assert ag.vmap(lambda n: ag.fori_loop(0, n, lambda i, x: x + 1, 0.0))(np.zeros(0, int)).shape == (0,)
    assert ag.vmap(safe_root)(none).shape == (0,)


# ---------------------------------------------------------------------- in one another


def test_scan_in_scan():
    """The sum over i of the products x[i, :i+1 ...], by hand: Σᵢ Πⱼ (1 + xᵢⱼ)."""
    def f(xs):
        return ag.scan(lambda c, row: (c + ag.scan(lambda p, x: (p * (1 + x), None), 1.0, row)[0], None), 0.0, xs)[0]

    products = np.prod(1 + XS, axis=1)
    close(f(XS), products.sum(), 1e-13)
    close(ag.grad(f)(XS), products[:, None] / (1 + XS), 1e-12)
    close(ag.jacfwd(f)(XS), products[:, None] / (1 + XS), 1e-12)
    close(ag.vmap(f)(np.stack([XS, 2 * XS])), [products.sum(), np.prod(1 + 2 * XS, axis=1).sum()], 1e-13)


def leaky(xs):
    return ag.scan(lambda c, x: (ag.cond(c * x > 0, lambda c: c * 0.5 + x * x, lambda c: c - x, c), c), 1.0, xs)


def test_cond_in_scan():
    def written_out(xs):
        c = 1.0
        for x in xs:
            c = c * 0.5 + x * x if c * x > 0 else c - x
        return c

    def f(xs):
        return leaky(xs)[0]

    xs = rng.normal(size=(6, 9))
    close([f(x) for x in xs], [written_out(x) for x in xs], 1e-14)
    close(ag.vmap(f)(xs), [written_out(x) for x in xs], 1e-14)
    slopes = [differences(written_out, x, 1e-4) for x in xs]
    close([ag.grad(f)(x) for x in xs], slopes)
    close(ag.vmap(ag.grad(f))(xs), slopes)
    close(ag.vmap(ag.jacfwd(f))(xs), slopes)
    close(ag.vmap(ag.hessian(f))(xs), [ag.jacfwd(ag.grad(f))(x) for x in xs], 1e-12)
    close(ag.hessian(f)(xs[0]), [differences(lambda x, i=i: ag.grad(f)(x)[i], xs[0], 1e-4) for i in range(9)], 1e-7)


def test_under_checkpoint_and_root():
    cell = ag.checkpoint(lambda h, x: ag.tanh(W @ h + x))

    def f(xs):
        return ag.scan(lambda h, x: (cell(h, x), None), np.zeros(3), xs)[0].sum()

    close(ag.grad(f)(XS), ag.grad(lambda xs: rnn(W, xs)[0].sum())(XS), 1e-14)
    whole = ag.checkpoint(lambda xs: rnn(W, xs)[0].sum())
    close(ag.grad(whole)(XS), ag.grad(f)(XS), 1e-14)
    x = ag.root(lambda x: ag.fori_loop(0, 3, lambda i, y: y * x, 1.0) - 8.0, 1.0)
    close(x, 2.0, 1e-10)


@pytest.mark.parametrize("f,args", [
    (lambda W, xs: rnn(W, xs), (W, XS)), (ag.grad(lambda W, xs: rnn(W, xs, True)[1].sum(), (0, 1)), (W, XS)),
    (lambda c, x: ag.fori_loop(0, 3, lambda i, c: c * x, c), (1.0, np.float32(3))),
    (lambda c, x: ag.fori_loop(0, 3, lambda i, c: c * x, c), (np.float32(3), 1.5)),
    (lambda c, x: ag.fori_loop(0, 3, lambda i, c: x, c), (np.float32(3), 2)),
    (lambda c, x: ag.scan(lambda c, x: (c * x.sum(), c), c, x), (1.0, np.ones((0, 2), np.float32))),
    (ag.vmap(lambda x: ag.cond(x > 2, ag.sqrt, ag.square, x)), (np.array([1.0, 4.0]),)),
    (lambda x: ag.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] * x), (0, x)), (1.5,)),
])  # fmt: skip
def test_compiled_they_are_the_same(f, args):
    found, expected = ag.jit(f)(*args), f(*args)
    for a, b in zip(flat(found), flat(expected), strict=True):
        close(a, b, 1e-13)
        assert a.dtype == b.dtype


# ---------------------------------------------------------------------- errors


def fails(kind, *parts):
    class Failing:
        def __enter__(self):
            self.raised = pytest.raises(kind)
            self.info = self.raised.__enter__()

        def __exit__(self, *error):
            done = self.raised.__exit__(*error)
            for part in parts:
                assert part in str(self.info.value), str(self.info.value)
            return done

    return Failing()


def test_a_carry_that_changes():
    with fails(TypeError, "ag.scan: carry['h'] was float32 of shape (3,) and became float64 of shape (3,) in step 0",
               "begin with the dtype float64", ".astype('float32')"):  # fmt: skip
        ag.scan(lambda c, x: ({"h": c["h"] + np.ones(3)}, None), {"h": np.zeros(3, np.float32)}, length=2)
    with fails(TypeError, "ag.scan: carry was int64 of shape () and became float64 of shape () in step 1"):
        ag.scan(lambda c, x: (c + x, None) if x > 1 else (c, None), 0, np.array([1.0, 2.0]))
    with fails(TypeError, "ag.fori_loop: x[1].a was float64 of shape () and became float64 of shape (2,) in step 0",
               "begin with an array of shape (2,)", "return one of shape ()"):  # fmt: skip
        ag.fori_loop(0, 2, lambda i, x: (x[0], Pair(np.ones(2), x[1].b)), (0, Pair(0.0, 1.0)))
    with fails(TypeError, "ag.while_loop: x was int64 of shape () and became bool of shape ()"):
        ag.while_loop(lambda x: x < 1, lambda x: x < 1, 0)
    with fails(TypeError, "ag.scan: carry was (·, ·) and became [·, ·] in step 0", "keep its containers"):
        ag.scan(lambda c, x: (list(c), None), (1.0, 2.0), length=1)
    with fails(TypeError, "ag.fori_loop: x was {'a': ·, 'b': (None,)} and became None", "end in a return?"):
        ag.fori_loop(0, 1, lambda i, x: None, {"a": 1.0, "b": (None,)})
    with fails(TypeError, "ag.while_loop: x was Pair(a=·, b=[]) and became Cell(h=·, c=None)"):
        ag.while_loop(lambda x: True, lambda x: Cell(1.0, None), Pair(1.0, []))
    with fails(TypeError, "ag.scan: y was (·,) and became one array of shape () in step 1"):
        ag.scan(lambda c, x: (c, c if x else (c,)), 0, np.array([0, 1]))
    with fails(TypeError, "ag.scan: y was float64 of shape () and became int64 of shape () in step 1"):
        ag.scan(lambda c, x: (c, x if x else 1.0), 0, np.array([0, 1]))


def test_what_can_not_be_carried():
    with fails(TypeError, "ag.scan: carry['name'] is a str", "capture the rest"):
        ag.scan(lambda c, x: (c, None), {"name": "a", "x": 1.0}, length=1)
    with fails(TypeError, "ag.fori_loop: x is an array of dtype object"):
        ag.fori_loop(0, 1, lambda i, x: x, np.array([None]))
    for n, dtype in ((10**30, "int64"), (300, "int8")):
        with fails(OverflowError, f"ag.fori_loop: x[1] is {n}, which is too large for {dtype}"):
            ag.fori_loop(0, 1, lambda i, x, n=n: (x[0], n), (0, np.int8(1) if n == 300 else 10**30))
    with fails(TypeError, "ag.while_loop: x is a str"):
        ag.while_loop(lambda x: True, lambda x: "a", 1.0)
    with fails(TypeError, "ag.scan: y is a function"):
        ag.scan(lambda c, x: (c, fails), 1.0, length=1)
    with fails(TypeError, "ag.scan: f returns a pair (carry, y), got one array of shape ()"):
        ag.scan(lambda c, x: c + x, 0.0, np.ones(2))
    with fails(TypeError, "ag.scan: f returns a pair (carry, y), got one array of shape (2,)"):
        ag.scan(lambda c, x: c + x, ag.Tensor(np.ones(2)), np.ones((2, 2)))
    with fails(TypeError, "ag.scan: f returns a pair (carry, y), got one str"):
        ag.scan(lambda c, x: "text", 0.0, np.ones(2))
    with fails(TypeError, "ag.scan: f returns a pair (carry, y), got (·, ·, ·)"):
        ag.scan(lambda c, x: (c, x, x), 0.0, np.ones(2))


def test_the_number_of_steps():
    with fails(ValueError, "ag.scan: xs have different lengths along axis 0: 2 (xs['b']), 3 (xs['a'])"):
        ag.scan(lambda c, x: (c, None), 0.0, {"a": np.ones(3), "b": np.ones((2, 3))})
    with fails(ValueError, "ag.scan: length=2, but xs have 3", "xs[:2]"):
        ag.scan(lambda c, x: (c, None), 0.0, np.ones(3), length=2)
    assert ag.scan(lambda c, x: (c + x, None), 0.0, np.ones(3), length=3)[0] == 3
    with fails(ValueError, "ag.scan: how many steps?", "length=n"):
        ag.scan(lambda c, x: (c, None), 0.0)
    for xs in ([1.0, 2.0], (ag.Scalar(1.0),)):
        with fails(ValueError, "ag.scan: xs[0] is one number", "np.asarray(list)"):
            ag.scan(lambda c, x: (c, None), 0.0, xs)
    for length in (-1, 2.0, True, "3"):
        with fails(TypeError, "ag.scan: length is an integer from 0 on"):
            ag.scan(lambda c, x: (c, None), 0.0, length=length)
    with fails(TypeError, "ag.scan: xs is an array of dtype"):
        ag.scan(lambda c, x: (c, None), 0.0, np.array(["a"]))
    for lower, upper in ((0, 2.0), (0.0, 2), (0, np.arange(2)), (0, "3"), (True, 3), (0, ag.Scalar(3.0)), (0, None)):
        with fails(TypeError, "ag.fori_loop:", "is one integer, got", "int(n)"):
            ag.fori_loop(lower, upper, lambda i, x: x, 0.0)
    with fails(TypeError, "ag.fori_loop: upper is one integer"):
        ag.vmap(lambda n: ag.fori_loop(0, n, lambda i, x: x, 0.0))(np.ones(3))


def test_no_truth_value():
    for pred in (np.array([True, False]), np.array([True]), ag.Tensor([1.0, 2.0]), np.zeros((0, 2))):
        with fails(ValueError, "ag.cond: pred has the shape", ".all() or .any()", "ag.where"):
            ag.cond(pred, lambda: 1, lambda: 2)
    with fails(ValueError, "ag.while_loop: what cond_fun returned has the shape (2,)"):
        ag.while_loop(lambda x: x > 0, lambda x: x, np.ones(2))
    with fails(ValueError, "ag.cond: pred has the shape (3,)"):
        ag.vmap(lambda x: ag.cond(x > 0, lambda: 1, lambda: 2))(XS)
    for pred in (None, "yes", 1j, {}, (True,)):
        with pytest.raises((TypeError, ValueError), match=r"ag\.cond: pred"):
            ag.cond(pred, lambda: 1, lambda: 2)
    with fails(TypeError, "ag.while_loop: what cond_fun returned is None"):
        ag.while_loop(lambda x: None, lambda x: x, 1.0)


def test_what_is_not_known_while_compiling():
    """Conditions and bounds may depend on traced values: `test_compiled_loops` looks at the results."""
    for f, expected in (
        (lambda x: ag.cond(x > 0, lambda: 1.0, lambda: 2.0), 1.0),
        (lambda x: ag.while_loop(lambda y: y < x, lambda y: y + 1, 0.0), 3.0),
        (lambda x: ag.fori_loop(0, x.astype(int), lambda i, y: y + 1, 0.0), 2.0),
        (lambda x: ag.vmap(lambda x: ag.while_loop(lambda y: y < x, lambda y: y + 1, 0.0))(ag.stack([x, x + 1]))[1], 4.0),
    ):
        assert ag.jit(f)(np.float64(2.5)) == expected
    with fails(TypeError, "The truth of x > 0 is not known while ag.jit records"):
        ag.jit(lambda x: 1.0 if x > 0 else 2.0)(np.float64(2.0))


def test_branches_that_differ():
    def chosen(yes, no):
        return ag.vmap(lambda x: ag.cond(x > 0, lambda: yes, lambda: no))(np.array([1.0, -1.0]))

    with fails(TypeError, "ag.cond: true_fun returned (·, ·) and false_fun one array of shape ()", "same containers"):
        chosen((1.0, 2.0), 1.0)
    with fails(TypeError, "ag.cond: result['a'] of true_fun is float64 of shape (2,), of false_fun float64 of shape (3,)"):
        chosen({"a": np.ones(2)}, {"a": np.ones(3)})
    with fails(TypeError, "of true_fun is float64 of shape (), of false_fun int64 of shape ()", "astype"):
        chosen(np.float64(1.0), np.int64(2))
    with fails(TypeError, "ag.cond: result is a str"):
        chosen("a", "b")


def test_functions_are_functions():
    for call in (
        lambda: ag.scan(1.0, lambda c, x: (c, x)), lambda: ag.fori_loop(0, 3, 1.0, lambda i, x: x),
        lambda: ag.while_loop(True, lambda x: x, 1.0), lambda: ag.while_loop(lambda x: x, 1.0, 1.0),
        lambda: ag.cond(True, 1.0, 2.0), lambda: ag.cond(True, lambda: 1.0, 2.0),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=r"ag\.(\w+) takes a function, got (float|bool): write ag\.\1\(.* function"):
            call()


def test_subclasses_of_dictionaries():
    start = collections.OrderedDict(b=1.0, a=2.0)
    result = ag.fori_loop(0, 2, lambda i, d: collections.OrderedDict(b=d["b"] + 1, a=d["a"]), start)
    assert type(result) is collections.OrderedDict and result == {"b": 3.0, "a": 2.0}


# ---------------------------------------------------------------------- checkpoints


def _growing(x, w, every=None):
    """Some seventy steps."""
    return ag.while_loop(
        lambda c: np.sum(c[0]) < 60, lambda c: (c[0] * 1.02 + np.sin(c[0] * w) * 0.05 + 0.05, c[1] + 1), (x, 0),
        checkpoint_every=every,
    )  # fmt: skip


@pytest.mark.parametrize("every", [1, 4, 7, 100])
def test_checkpoints_change_no_number(every):
    x, w = np.ones(5), np.linspace(0.5, 1.5, 5)
    assert _growing(x, w, every)[1] == _growing(x, w)[1] > 50

    def gradients(every):
        return ag.grad(lambda x, w: np.sum(_growing(x, w, every)[0] ** 2), (0, 1))

    for one, other in zip(gradients(every)(x, w), gradients(None)(x, w), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13)
    for one, other in zip(ag.jit(gradients(every))(x, w), gradients(None)(x, w), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13)
    np.testing.assert_allclose(
        ag.jvp(lambda x: _growing(x, w, every)[0], (x,), (x,))[1], ag.jvp(lambda x: _growing(x, w)[0], (x,), (x,))[1], rtol=1e-13
    )
    batch = np.stack([x, 2 * x])
    each = ag.vmap(ag.grad(lambda x: np.sum(_growing(x, w, every)[0])))(batch)
    np.testing.assert_allclose(each, ag.vmap(ag.grad(lambda x: np.sum(_growing(x, w)[0])))(batch), rtol=1e-12)


def test_checkpoints_take_less_memory():
    import tracemalloc

    x = np.ones(20_000)

    def peak(every):
        def f(x):
            return np.sum(ag.while_loop(lambda c: c[1] < 64, lambda c: (np.sin(c[0]), c[1] + 1), (x, 0), checkpoint_every=every)[0])

        tracemalloc.start()
        gradient = ag.grad(f)(x)
        most = tracemalloc.get_traced_memory()[1] / x.nbytes
        tracemalloc.stop()
        return most, gradient

    (all_kept, one), (few_kept, other) = peak(None), peak(8)
    np.testing.assert_allclose(one, other, rtol=1e-14)
    assert all_kept > 64 > 40 > few_kept


@pytest.mark.parametrize("every", [0, -1, 2.5, True])
def test_checkpoints_are_counted(every):
    with pytest.raises(TypeError, match="checkpoint_every is a number of steps from 1 on"):
        _growing(np.ones(2), np.ones(2), every)

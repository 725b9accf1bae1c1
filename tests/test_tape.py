"""Under `ag.jit`: programs of single numbers run by a tape, to the bit as by machine code of their own."""

import functools
import gc
import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

pytest.importorskip("llvmlite")

import ag
from ag.compiler import executable
from ag.compiler.abstract import is_elementwise
from ag.compiler.compiled import uncollected
from ag.compiler.machine import native
from ag.compiler.mathematics.elementary import printable
from ag.compiler.passes import pipeline as passes
from ag.compiler.tape import instructions, running as tape
from ag.compiler.tape.scalars import NotScalar, Scalars
from ag.operators import everything
from ag.operators.table import TABLE
from side_by_side import run_side_by_side

everything()
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 2.5, -3.0, np.inf, -np.inf, np.nan, 5e-324, 1e300, 0.3])


def runner(compiled, *args):
    """What runs the program of a compiled function."""
    return compiled.entry(*args).run


def on_tape(f, *args):
    """f compiled for these arguments, of which a tape is made."""
    compiled = ag.jit(f)
    assert type(runner(compiled, *args)) is tape.Tape
    return compiled


def machine_code(compiled, *args):
    """The same program as machine code of its own: a function of the arguments, without their containers."""
    return executable.Machine(compiled.entry(*args).program)


def same(actual, expected):
    """Equal to the bit, where nan is nan."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.dtype == expected.dtype and actual.shape == expected.shape
    np.testing.assert_array_equal(actual, expected)
    if actual.dtype.kind == "f":
        known = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(actual)[known], np.signbit(expected)[known])


# ---------------------------------------------------------------------- random programs


BINARY = [
    lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x / y, np.maximum, np.minimum,
    lambda x, y: np.where(x < y, x, y * 2.0), lambda x, y: x * y + x, lambda x, y: 0.0 - x * y, lambda x, y: (x > y) * x,
]
UNARY = [np.sqrt, np.abs, lambda x: -x, lambda x: x + 0.0, lambda x: x * 0.5, lambda x: 1.0 / x, ag.relu, np.floor, np.square]
STEPS = st.lists(
    st.tuples(st.integers(0, len(BINARY) - 1), st.integers(0, len(UNARY) - 1), st.integers(0, 99), st.integers(0, 99)),
    min_size=25, max_size=60,
)  # fmt: skip


def computed(steps, numbers):
    """Three numbers that are computed so from these."""
    values = list(numbers)
    for binary, unary, i, j in steps:
        values.append(BINARY[binary](values[i % len(values)], UNARY[unary](values[j % len(values)])))
    return values[-1], values[-2], values[len(values) // 2]


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, x=st.lists(st.sampled_from(SPECIAL.tolist()), min_size=3, max_size=3))
def test_random_programs_equal_numpy_to_the_bit(steps, x):
    def f(x):
        return computed(steps, [x[i] for i in range(3)])

    compiled = ag.jit(f)
    x = np.array(x)
    with np.errstate(all="ignore"):
        for actual, expected in zip(compiled(x), f(x), strict=True):
            same(actual, np.float64(expected))
    assert type(runner(compiled, x)) is (tape.Tape if _is_long(compiled, x) else executable.Machine)


def _is_long(compiled, x):
    program = compiled.entry(x).program
    return len(program.quantities) - len(program.arguments) >= tape.SMALLEST


@settings(max_examples=25, deadline=None)
@given(steps=STEPS, x=st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_gradients_of_random_programs_equal_eager_ones(steps, x):
    def f(x):
        return sum(computed(steps, [x[0], x[1], x[2]]))

    x = np.array(x)
    with np.errstate(all="ignore"):
        value, gradient = ag.value_and_grad(f)(x)
        for actual, expected in zip(ag.jit(ag.value_and_grad(f))(x), (value, gradient), strict=True):
            same(actual, expected)


# ---------------------------------------------------------------------- instructions


OF_THE_DTYPE = ("spacing", "nextafter")  # about the numbers next to one


def rows():
    """The elementwise rows that have a kernel in words, with points of their domain as columns."""
    for name, op in TABLE.items():
        if is_elementwise(op) and isinstance(op.kernel, str) and printable(op.kernel):
            args, params = op.samples(np.random.default_rng(0))[0]
            if not params and not any(np.iscomplexobj(a) for a in args):
                points = np.array(np.broadcast_arrays(*[np.asarray(a, float) for a in args])).reshape(len(args), -1)[:, :3]
                yield name, op, points


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_instruction(dtype):
    """All rows in one tape: as NumPy within 4 units in the last place, and to the bit as machine code for arrays."""
    tried = list(rows())
    assert len(tried) > 60
    inputs = [points.astype(dtype) for _, _, points in tried]
    with np.errstate(all="ignore"):
        special = SPECIAL.astype(dtype)

    def one_by_one(inputs, special):
        return [
            [op.apply(tuple([x[k, i] for k in range(x.shape[0])]), {}) for i in range(x.shape[1])]
            + [op.apply((special[i], special[(i + 3) % 12], special[(i + 5) % 12])[: x.shape[0]], {}) for i in range(12)]
            for (_, op, _), x in zip(tried, inputs, strict=True)
        ]

    def as_arrays(inputs, special):
        turned = [special, np.roll(special, -3), np.roll(special, -5)]
        return [
            (op.apply(tuple(x), {}), op.apply(tuple(turned[: x.shape[0]]), {})) for (_, op, _), x in zip(tried, inputs, strict=True)
        ]

    with np.errstate(all="ignore"):
        actual = on_tape(one_by_one, inputs, special)(inputs, special)
        expected = ag.jit(as_arrays)(inputs, special)
        for (name, op, _), x, found, (points, specials) in zip(tried, inputs, actual, expected, strict=True):
            found = np.array(found)
            same(found, np.concatenate([points, specials]))
            exact = np.asarray(op.forward(*(x if name in OF_THE_DTYPE else x.astype(np.float64))))
            if found.dtype.kind == "f":
                scale = np.spacing(np.abs(exact).astype(dtype)).astype(float)
                assert (np.abs(found[: exact.size] - exact) <= 4 * scale).all(), name
            else:
                np.testing.assert_array_equal(found[: exact.size], exact, name)


SOME = [
    *instructions.COMMON, *[instructions.load(type) for type in instructions.DTYPES], *[instructions.store(type) for type in instructions.DTYPES],
    instructions.Instruction("exp(x)", ("double",), ("double",), "double"), instructions.Instruction("sin(x)", ("float",), ("float",), "float"),
    instructions.Instruction("less(x, y)", ("double", "double"), ("double", "double"), "i1"),
]  # fmt: skip


@pytest.mark.parametrize("triple,cpu,features,jump", [
    ("x86_64-linux-gnu", "x86-64-v3", ["avx", "avx2", "fma"], "jmpq"), ("x86_64-linux-gnu", "x86-64", [], "jmpq"),
    ("aarch64-linux-gnu", "", ["neon"], "br"),
])  # fmt: skip
def test_code_for_other_machines(triple, cpu, features, jump):
    """It is assembled, and each instruction ends with a jump to the next, not with a call."""
    machine = native.Machine(triple, cpu, frozenset(features))
    text, names = instructions.module(list(dict.fromkeys(SOME)), machine)
    assembly = native.assembly(text, triple, cpu, features)
    assert all(f"{name}:" in assembly for name in names)
    jumps = [line.split() for line in assembly.splitlines()]
    assert sum(line[:1] == [jump] and len(line) == 2 and line[1][0] in "*x" for line in jumps) >= len(names) - 2


def test_costly_functions_are_computed_side_by_side():
    exp = instructions.Instruction("exp(x)", ("double",), ("double",), "double")
    text, names = instructions.module([instructions.simple("x + y", 2), exp], native.host())
    assert list(names) == ["step0", "step1"]
    assert "insertelement" in text.split("@step1")[1] and "insertelement" not in text.split("@step1")[0]


# ---------------------------------------------------------------------- whole programs


def network(parameters, points, sizes=(2, 4, 4, 1)):
    """The hinge loss of a network of single numbers."""
    loss = 0.0
    for x, target in points:
        rest = iter(parameters)
        for depth, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
            sums = []
            for _ in range(outputs):
                s = next(rest)
                for i in range(inputs):
                    s = s + next(rest) * x[i]
                sums.append(ag.relu(s) if depth < 2 else np.tanh(s))
            x = sums
        loss = loss + ag.relu(1.0 - target * x[0])
    return loss


POINTS = [((0.3, -0.8), 1.0), ((-0.5, 0.1), -1.0), ((0.9, 0.4), 1.0)]
COUNT = 12 + 20 + 5


@pytest.mark.parametrize("form", ["list", "dict", "array", "float32", "captured"])
def test_networks_of_single_numbers(form):
    numbers = np.random.default_rng(1).normal(size=COUNT)
    captured = numbers.copy()
    if form == "list":
        parameters = numbers.tolist()
        f = ag.value_and_grad(lambda p: network(p, POINTS))
    elif form == "dict":
        parameters = {"first": numbers[:12].tolist(), "others": (numbers[12:32], [*numbers[32:].tolist()])}
        f = ag.value_and_grad(lambda p: network([*p["first"], *(p["others"][0][i] for i in range(20)), *p["others"][1]], POINTS))
    elif form == "captured":
        parameters = 1.5
        f = ag.value_and_grad(lambda p: network(list(p * captured), POINTS))
    else:
        parameters = numbers.astype(np.float32 if form == "float32" else float)
        f = ag.value_and_grad(lambda p: network([p[i] for i in range(COUNT)], POINTS))
    compiled = on_tape(f, parameters)
    for _ in range(2):
        captured *= 0.9
        value, gradient = compiled(parameters)
        expected, expected_gradient = f(parameters)
        rtol = 1e-5 if form == "float32" else 1e-13
        np.testing.assert_allclose(value, expected, rtol)
        ends, expected_ends = ag.transforms.containers.leaves(gradient), ag.transforms.containers.leaves(expected_gradient)
        assert np.isscalar(gradient) or type(gradient) is type(expected_gradient)
        for a, b in zip(ends, expected_ends, strict=True):
            assert np.asarray(a).dtype == np.asarray(b).dtype and np.shape(a) == np.shape(b)
            np.testing.assert_allclose(a, b, rtol, 1e-6 if form == "float32" else 1e-14)


def minors(rows):
    if len(rows) == 1:
        return rows[0][0]
    return sum((-1.0) ** j * rows[0][j] * minors([row[:j] + row[j + 1 :] for row in rows[1:]]) for j in range(len(rows)))


def test_a_determinant_by_minors():
    a = np.random.default_rng(2).normal(size=(4, 4))
    compiled = on_tape(ag.value_and_grad(lambda x: minors([[x[i, j] for j in range(4)] for i in range(4)])), a)
    value, gradient = compiled(a)
    np.testing.assert_allclose(value, np.linalg.det(a), 1e-12)
    np.testing.assert_allclose(gradient, np.linalg.det(a) * np.linalg.inv(a).T, 1e-11)
    for actual, expected in zip(compiled.entry(a).run([a]), machine_code(compiled, a)([a]), strict=True):
        same(actual, expected)
    same(compiled(np.asfortranarray(a))[1], gradient)


def test_elements_are_moved_and_arrays_built_of_single_numbers():
    def f(x, n, flag):
        rows = [[x[i, j] * (i + 1) - x[j, i] for j in range(3)] for i in range(3)]
        stacked = np.stack([np.stack(row) for row in rows])
        flipped = np.flip(stacked.T[1:, ::-1], 0).reshape(6)
        joined = np.concatenate([flipped, stacked[0], np.broadcast_to(x[0, 0], (2,))])
        if isinstance(stacked, np.ndarray):
            written = stacked.copy()
            written[1, 1] = x[2, 2]
            written[0] += x[1]
        else:
            written = stacked.at[1, 1].set(x[2, 2]).at[0].add(x[1])
        return joined, written, {"count": n * 3 + 1, "truth": flag, "larger": x[0, 0] > x[0, 1], "constant": 2.5}, np.sum(x[0, 0])

    x = np.arange(9.0).reshape(3, 3) - 4
    for actual, expected in zip(on_tape(f, x, 4, True)(x, 4, True), f(x, 4, True), strict=True):
        if isinstance(expected, dict):
            assert actual == expected and [type(a) for a in actual.values()] == [type(b) for b in expected.values()]
        else:
            same(actual, expected)


def test_long_programs_may_reduce():
    def f(x):
        parts = np.stack([np.stack([x[i] * x[j] for i in range(10)]) for j in range(10)])
        a, b = np.max(parts, 0), np.sum(parts, axis=(0, 1))
        for i in range(300):
            b = b * 0.5 + np.min(a[i % 5 : i % 5 + 3])
        return b, np.prod(parts[1:3], axis=0, keepdims=True)[:, :4], np.sum(x[:1] * -0.0), parts @ x, x @ x, parts[:3] @ parts[:, :2]

    x = np.linspace(1, 2, 10)
    compiled = on_tape(f, x)
    for actual, expected in zip(compiled(x), f(x), strict=True):
        np.testing.assert_allclose(actual, expected, 1e-13)
    assert not np.signbit(compiled(x)[2])
    assert runner(compiled, x).calls_left > 1e9


def test_arrays_are_left_to_machine_code():
    def f(x):
        parts = [x[i] * x[i + 1] for i in range(40)]
        return np.sum(np.stack(parts) * x[:40])

    x = np.linspace(1, 2, 41)
    compiled = ag.jit(f)
    assert type(runner(compiled, x)) is executable.Machine
    np.testing.assert_allclose(compiled(x), f(x), 1e-13)
    with pytest.raises(NotScalar):
        Scalars(ag.jit(lambda x: x @ x).entry(np.ones((30, 30))).program)
    with pytest.raises(NotScalar):
        Scalars(ag.jit(np.cumsum).entry(x).program)


def test_what_does_not_hold_is_computed_without_the_tape():
    """A derivative that is not finite is decided by another pass."""

    def f(x):
        total = x[0]
        for _ in range(20):
            total = np.where(x[0] > 0, np.sqrt(x[0]), x[0]) + total * x[1]
        return total

    compiled = on_tape(ag.grad(f), np.ones(2))
    for x in (np.array([2.0, 0.5]), np.array([0.0, 0.5])):
        with np.errstate(all="ignore"):
            same(compiled(x), ag.grad(f)(x))
    assert runner(compiled, np.ones(2))([np.array([0.0, 0.5])]) is executable.DECLINED
    big = on_tape(lambda n: [n * k + k for k in range(40)], 3)
    assert big(2**70) == [2**70 * k + k for k in range(40)]


# ---------------------------------------------------------------------- often, side by side, and many of them


def test_a_program_that_is_run_often_becomes_machine_code():
    f = ag.value_and_grad(lambda p: network([p[i] for i in range(COUNT)], POINTS))
    x = np.random.default_rng(3).normal(size=COUNT)
    compiled = on_tape(f, x)
    before = compiled(x)
    run = runner(compiled, x)
    assert run.calls_left > 1000
    run.calls_left = 1
    compiled(x)
    assert run.compiling is None
    compiled(x)
    run.compiling.join()
    assert type(run.fastest) is executable.Machine
    for a, b, c in zip(before, compiled(x), compiled(np.stack([x, x], 1)[:, 0]), strict=True):
        same(b, a)
        same(c, a)
    assert runner(compiled, x) is run.fastest


def test_threads_share_a_tape():
    f = ag.value_and_grad(lambda p: network([p[i] for i in range(COUNT)], POINTS))
    compiled = on_tape(f, np.ones(COUNT))
    inputs = [np.random.default_rng(k).normal(size=COUNT) for k in range(4)]
    expected = [compiled(x) for x in inputs]
    wrong = []

    def work(k):
        for _ in range(300):
            value, gradient = compiled(inputs[k])
            if value != expected[k][0] or not np.array_equal(gradient, expected[k][1]):
                wrong.append(k)

    run_side_by_side(*[functools.partial(work, k) for k in range(4)])
    assert not wrong
    assert len(runner(compiled, inputs[0]).arenas) <= 4


def test_tapes_leave_nothing_behind():
    def count():
        gc.collect()
        return sum(type(x) in (tape.Tape, tape.Arena, executable.Machine) for x in gc.get_objects())

    def one(k):
        compiled = on_tape(lambda x: [x[i % 3] * (k + i) + x[0] for i in range(40 + k)], np.ones(3))
        assert len(compiled(np.ones(3))) == 40 + k

    one(0)
    before, libraries = count(), len(instructions._libraries)
    for k in range(1, 60):
        one(k)
    assert count() == before
    assert len(instructions._libraries) == libraries


def test_long_programs_are_recorded_and_run():
    """Twenty thousand numbers, one after another: nothing recurses."""

    def f(x):
        a = x[0]
        for _ in range(10_000):
            a = a * x[1] + x[0]
        return a

    x = np.array([0.5, 0.25])
    compiled = on_tape(f, x)
    assert compiled(x) == f(x)
    assert len(passes.optimized(compiled.entry(x).traced).quantities) > 20_000


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(enabled):
    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(KeyError), uncollected():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() == enabled
    finally:
        gc.enable()

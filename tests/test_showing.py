"""Compiled functions, shown: the text of their kernels computes what their machine code does, and what is counted is right."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import ag
import kernel_runner
from ag.compiler.machine import native
from ag.compiler.shown import amounts, costing, counting, machine_peaks, showing
from ag.compiler.shown.kernel_text import array_name

pytestmark = [
    pytest.mark.skipif(not native.available(), reason="needs llvmlite"),
    pytest.mark.filterwarnings("ignore:ag.jit runs programs through NumPy"),
]
RNG = np.random.default_rng(7)


def normal(*shape, dtype=float):
    return RNG.normal(size=shape).astype(dtype)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def normalized(x, g, b):
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5) * g + b


def attention(q, k, v):
    return softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(8.0)) @ v


def cross_entropy(W, X, y):
    return ag.cross_entropy(X @ W, y)


def written_out(W, X, y):
    z = X @ W
    z = z - z.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y])


def logistic(w, X, y):
    return np.mean(np.logaddexp(0, -y * (X @ w)))


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


LABELS = np.arange(33) % 10
INDICES = np.array([1, -1, 3, 0, 9, 3])
PROGRAMS = {
    "x + 1": (lambda x: x + 1, normal(1000)),
    "a broadcast": (lambda x, y: (x + y[:, None]) * 2, normal(5, 7), normal(5)),
    "scalars": (lambda a, b: a * np.sin(b) + 2, 1.5, 2.0),
    "cross-entropy": (ag.value_and_grad(cross_entropy), normal(20, 10), normal(33, 20), LABELS),
    "cross-entropy, written out": (ag.value_and_grad(written_out), normal(20, 10), normal(33, 20), LABELS),
    "softmax": (softmax, normal(20, 256)),
    "softmax of short rows": (softmax, normal(1000, 3, dtype=np.float32)),
    "its gradient": (ag.grad(lambda x: (softmax(x) ** 2).sum()), normal(301, 3)),
    "a normalized layer": (normalized, normal(33, 77), normal(77), normal(77)),
    "its gradients": (ag.grad(lambda *a: (normalized(*a) ** 3).sum(), argnums=(0, 1, 2)), normal(33, 77), normal(77), normal(77)),
    "attention": (attention, *[normal(2, 3, 16, 8) for _ in range(3)]),
    "its derivatives": (ag.grad(lambda *a: attention(*a).sum(), argnums=(0, 1, 2)), *[normal(2, 3, 16, 8) for _ in range(3)]),
    "logistic regression": (ag.value_and_grad(logistic), normal(25), normal(400, 25), np.sign(normal(400))),
    "sums over rows and columns": (lambda x: (x.sum(axis=0), x.max(axis=0), x.sum()), normal(40, 70)),
    "the same of short rows": (lambda x: (x.sum(axis=0), x.max(axis=1), x.min()), normal(400, 3)),
    "sums over the first of three axes": (lambda x: (x.sum(axis=0), np.exp(x)), normal(4, 3, 50)),
    "sums of what rows are reduced to": (lambda x: (np.exp(x.sum(axis=1)), x.sum(axis=1).sum()), normal(50, 60)),
    "the same of very short rows": (lambda x: (np.exp(x.sum(axis=1)), np.exp(x.sum(axis=1)).sum()), normal(500, 2)),
    "a sum of one number for each row, beside longer rows": (
        lambda x, r: (np.exp(x - x.max(axis=1, keepdims=True)), r.sum()), normal(33, 7), normal(33, 1),
    ),
    "a number repeated and summed": (
        lambda x: np.sum(np.broadcast_to(x.sum(axis=1, keepdims=True), (5, 60)), axis=1), normal(5, 60),
    ),
    "a gather": (lambda t, i: np.tanh(t[i]) * 2, normal(10, 16), INDICES),
    "its derivative": (ag.grad(lambda t, i: (np.tanh(t[i]) ** 2).sum()), normal(10, 16), INDICES),
    "concatenated and reversed": (lambda x, y: np.concatenate([x, np.exp(y)], axis=1)[:, ::-1], normal(5, 6), normal(5, 3)),
    "stacked": (lambda x, y: np.stack([x, y]) * 2, normal(5), normal(5)),
    "padded": (lambda x: np.pad(x, 1) * 3, normal(4, 5)),
    "a choice": (lambda x: np.where(x > 0, np.sqrt(np.abs(x)), -x * 2), normal(123)),
    "a transpose": (lambda x: x.T * 2 + 1, normal(12, 35)),
    "slices": (ag.value_and_grad(rosenbrock), normal(1000)),
    "a convolution": (lambda x, w: sum(x[i : i + 90] * w[i] for i in range(10)), normal(100), normal(10)),
    "integers and truths": (lambda x, i: (x * i, i + 1, (x > 0).sum(), (x > 0) & (x < 1)), normal(30), np.arange(30)),
    "NumPy inside": (lambda x: np.linalg.inv(x) + np.exp(x), normal(4, 4)),
    "a product that is added": (lambda c, x, y: (c + x @ y, np.exp(x)), normal(6, 9), normal(6, 20), normal(20, 9)),
    "running sums": (lambda x: (np.cumsum(x, axis=0), np.cumsum(x, axis=1), np.cumsum(x[::-1, 2])), normal(5, 6)),
    "products": (lambda x: np.prod(x, axis=1), normal(5, 6)),
    "any": (lambda x: np.any(x > 2, axis=1), normal(50, 20)),
    "many functions": (lambda x: np.exp(x) + np.sin(x) + np.cos(x) * np.tanh(x) + np.arctan(x) + np.log1p(np.exp(x)), normal(99)),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_text_of_kernels_computes_the_same(name):
    """It is run by NumPy, and compared with the machine code: no loop, address, stage or cast is another one."""
    function, *arguments = PROGRAMS[name]
    compiled = ag.jit(function)
    results = compiled(*arguments)
    results = results if isinstance(results, tuple) else (results,)
    shown = compiled.show(*arguments)
    found = kernel_runner.run(shown, arguments)
    assert len(found) == len(results) and any(step.kind == "kernel" for step in shown.steps)
    for x, y in zip(results, found, strict=True):
        x = np.asarray(x)
        assert x.shape == np.shape(y) and x.dtype == np.asarray(y).dtype
        eps = np.finfo(x.dtype).eps if x.dtype.kind == "f" else 0
        np.testing.assert_allclose(np.asarray(y, float), np.asarray(x, float), rtol=64 * eps, atol=64 * eps * np.abs(x).max())


PIECES = [  # of bounded numbers bounded numbers are made, so that no rounding is magnified
    lambda x, y: np.tanh(x) + y, lambda x, y: np.sin(x) * np.cos(y), lambda x, y: x - y, lambda x, y: np.exp(-np.abs(x)) * y,
    lambda x, y: np.maximum(x, y), lambda x, y: ag.where(x > y, np.sqrt(np.abs(x)), -y), lambda x, y: x / (1.0 + y * y),
    lambda x, y: x - x.max(axis=-1, keepdims=True), lambda x, y: x - x.mean(axis=-1, keepdims=True), lambda x, y: x.mean(axis=0),
    lambda x, y: x.mean(axis=-1), lambda x, y: x + np.tanh(y.sum()), lambda x, y: x.min(axis=0, keepdims=True), lambda x, y: x.max() - y,
    lambda x, y: softmax(x), lambda x, y: x.T, lambda x, y: x[::-1], lambda x, y: x[..., :2], lambda x, y: x[1:], lambda x, y: x[0],
    lambda x, y: x[..., None] * y, lambda x, y: np.concatenate([x, y]), lambda x, y: np.stack([x, np.tanh(y)]), lambda x, y: np.pad(x, 1),
    lambda x, y: x[INDICES % len(x)] + 0.5, lambda x, y: np.tanh(x @ y), lambda x, y: np.tanh(x.T @ y), lambda x, y: x.reshape(-1),
    lambda x, y: (x > 0).sum(axis=-1) * 0.25, lambda x, y: np.broadcast_to(x, (2, *x.shape)) * 0.5,
]  # fmt: skip
CHOICES = st.lists(st.tuples(*[st.integers(0, 1000)] * 3), min_size=2, max_size=9)
GIVEN = [normal(33, 7), normal(7), normal(33, 1), normal(20, 2), normal(64, 65)]


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(choices=CHOICES, dtype=st.sampled_from((np.float64, np.float32)))
def test_the_text_of_random_programs_computes_the_same(choices, dtype):
    given = [x.astype(dtype) for x in GIVEN]

    def f(*arrays):
        found = [*arrays]
        for which, i, j in choices:
            x, y = found[-1 - i % len(found)], found[-1 - j % len(found)]
            try:
                result = PIECES[which % len(PIECES)](x, y)
            except (ValueError, TypeError, IndexError):
                continue
            if result.size < 20_000 and 0 < result.ndim < 4:
                found.append(result)
        return tuple(found[len(arrays) :])

    compiled = ag.jit(f)
    results = compiled(*given)
    found = kernel_runner.run(compiled.show(*given), given)
    eager = f(*given)
    assert len(results) == len(found) == len(eager)
    for x, y, z in zip(results, found, eager, strict=True):
        assert x.shape == np.shape(y) == z.shape and x.dtype == np.asarray(y).dtype == z.dtype
        close = 1e4 * np.finfo(dtype).eps
        np.testing.assert_allclose(y, x, rtol=close, atol=close)
        np.testing.assert_allclose(z, x, rtol=close, atol=close)


# ---------------------------------------------------------------------- what is counted


def steps(f, *arguments):
    return ag.jit(f).show(*arguments).steps


def test_an_addition_is_counted():
    (step,) = steps(lambda x: x + 1, np.ones(1000))
    assert (step.work.operations, step.work.read, step.work.written) == (1000, 8000, 8000)
    (step,) = steps(lambda x: x + 1, np.ones(1000, np.float32))
    assert (step.work.operations, step.work.read, step.work.written) == (1000, 4000, 4000)


def test_a_product_of_matrices_is_counted():
    (step,) = steps(lambda x, y: x @ y, np.ones((30, 40)), np.ones((40, 50)))
    assert step.kind == "BLAS"
    assert (step.work.operations, step.work.read, step.work.written) == (2 * 30 * 40 * 50, 8 * (30 * 40 + 40 * 50), 8 * 30 * 50)


def test_a_product_with_few_columns_has_a_kernel():
    (step,) = steps(lambda x, y: x @ y, np.ones((50, 100)), np.ones((100, 3)))
    assert step.kind == ("BLAS" if native.host().vector_bytes < 32 else "product")
    assert (step.work.operations, step.work.read, step.work.written) == (2 * 50 * 100 * 3, 8 * (5000 + 300), 8 * 150)


def test_softmax_is_counted():
    """Of each element: a difference, an exponential, a term of a sum, a quotient; the maximum is none."""
    (step,) = steps(softmax, np.ones((20, 30)))
    n = 20 * 30
    assert step.work.operations == n * (3 + counting.of_kernel("exp(x)", ("double",)))
    assert step.work.functions == {"exp": n}
    assert (step.work.read, step.work.written) == (8 * n, 8 * n)
    assert step.stages == 3 and step.space == "20 rows of 30"


def test_what_is_read_again_is_counted_once():
    (step,) = steps(lambda x, y: (x + y[:, None]) * x, np.ones((50, 70)), np.ones(50))
    assert (step.work.operations, step.work.read, step.work.written) == (2 * 3500, 8 * 3550, 8 * 3500)
    (step,) = [s for s in steps(lambda t, i: t[i] * 2.0, np.ones((10, 16)), np.arange(5)) if s.work.operations]
    assert (step.work.operations, step.work.read, step.work.written) == (80, 8 * (80 + 5), 8 * 80)


def test_the_operations_of_a_kernel():
    """Of + - * / and roots one each; comparisons and choices none; exp has a polynomial of some degree."""
    double = ("double",) * 3
    assert counting.of_kernel("x * y + z", double) == 2
    assert counting.of_kernel("sqrt(x) / y", double) == 2
    assert counting.of_kernel("y if x > 0 else -z", double) == 0
    assert 15 <= counting.of_kernel("exp(x)", ("double",)) <= 45
    assert counting.of_kernel("exp(x)", ("float",)) < counting.of_kernel("exp(x)", ("double",))
    assert sorted(counting.functions_of("x * log1p(exp(y)) + x ** y")) == ["exp", "log1p", "power"]


def test_what_numpy_computes_is_not_counted():
    shown = ag.jit(lambda x: np.linalg.inv(x) + 1).show(np.eye(4))
    assert [s.work.operations for s in shown.steps if s.kind == "NumPy"] == [None]
    assert shown.steps[0].work.read == 8 * 16


# ---------------------------------------------------------------------- what is shown

RATE = 0.125
SHIFT = np.linspace(0.0, 1.0, 20)


def penalized(W, X, y):
    logits = X @ W + SHIFT.sum()
    return ag.cross_entropy(logits, y) + RATE * (W**2).sum()


@pytest.fixture(scope="module")
def shown():
    return ag.jit(ag.value_and_grad(penalized)).show(normal(20, 10), normal(33, 20), LABELS)


def test_every_quantity_and_step_is_shown(shown):
    text, page = str(shown), shown.html()
    for program in (shown.recorded, shown.compiled):
        for number, q in enumerate(program.quantities):
            if q.op is not None:
                assert f"{program.name(number)}: " in text and f'data-v="{number}"' in page
    listing = shown.text("steps")
    for step in shown.steps:
        assert re.search(rf"^{step.name} ", listing, re.MULTILINE) and f'id="{step.name}"' in page
    computed = {n for step in shown.steps for n in step.numbers}
    assert set(shown.compiled.results()) <= computed
    assert all(step.text in shown.text("kernels") for step in shown.steps)
    assert "define i32 @run" in text


def test_the_lines_of_the_function_are_shown(shown):
    text = shown.text("program")
    line = penalized.__code__.co_firstlineno + 1
    assert re.search(rf"matmul\(X, W\) +X @ W +test_showing.py:{line}$", text, re.MULTILINE)
    assert "of the derivative" in text
    assert "# logits" not in text and "ag.cross_entropy(logits, y)" in text


def test_captured_arrays_and_constants_are_listed(shown):
    text = shown.text("program")
    assert "RATE = 0.125" in text and "recorded again when it is bound to another" in text
    assert "captured: read at each call" in ag.jit(lambda x: x * SHIFT).show(np.ones(20)).text("program")
    assert re.search(r"^  0\.125 +in v\d+", text, re.MULTILINE)


def recurrent(p, xs):
    def step(h, x):
        h = ag.tanh(p["W"] @ h + p["U"] @ x)
        return h, p["v"] @ h

    return (ag.scan(step, np.zeros(8), xs)[1] ** 2).sum()


PARAMETERS = {"W": np.eye(8) / 2, "U": normal(8, 4), "v": np.ones(8)}


def test_arguments_in_containers_have_their_names():
    shown = ag.jit(ag.value_and_grad(recurrent)).show(PARAMETERS, normal(50, 4))
    assert [name for name, _, _ in shown.arguments()] == ["p['W']", "p['U']", "p['v']", "xs", "captured1"]
    (step,) = ag.jit(lambda p: np.exp(p["W"]) * 2).show(PARAMETERS).steps
    assert step.text.startswith("def k0(p_W, m"), "there a name of Python's"

    def f(pair, p_W, *more, scale, n):
        return (pair[0] * pair[1] + p_W + more[0]) * scale**n

    shown = ag.jit(f, static_argnames="n").show((normal(9), 2.0), normal(9), normal(9), scale=3.0, n=2)
    assert [name for name, _, _ in shown.arguments()] == ["pair[0]", "pair[1]", "p_W", "v3", "scale"]


def test_names_that_are_the_same_in_python_are_kept_apart():
    shown = ag.jit(lambda p, p_W: np.exp(p["W"]) * 2 + np.sin(p_W)).show({"W": normal(9)}, x := normal(9))
    (step,) = shown.steps
    assert step.text.startswith("def k0(m0, m1, ")
    found = kernel_runner.run(shown, [x, x])[0]
    np.testing.assert_allclose(found, np.exp(x) * 2 + np.sin(x), rtol=1e-13)


def test_bodies_of_loops_are_listings_within_the_listing():
    shown = ag.jit(ag.value_and_grad(recurrent)).show(PARAMETERS, normal(50, 4))
    program = shown.recorded
    (forward, backward) = [q for q in program.quantities if q.op is not None and q.op.name == "scan"]
    ((when, body, kinds),) = shown.bodies(program, forward)
    assert when == "at each of 50 steps" and len(kinds) == len(body.arguments)
    assert kinds == ["carried on, at first captured1", "xs[step]", "p['W']", "p['U']", "p['v']"]
    assert next(shown.bodies(program, backward))[0] == "at each of 50 steps, from the last to the first"
    page = shown.html()
    looked_at(page)
    assert "v5 at each of 50 steps:" in page and page.count("data-program") > 2
    assert "recorded</span>" in page and "rewrites." not in page
    places = [line.rindex("ag.scan(") for line in shown.text("program").splitlines() if "ag.scan(" in line]
    assert max(places) < 130, "a long body pushes nothing away"
    text = " ".join(shown.text("program").split())
    assert "object[]" in text and "takes the first of them" in text
    assert "takes the first of them" not in ag.jit(lambda x: x + 1).show(np.ones(50)).text("program")


def test_what_a_loop_and_a_branch_are_given():
    def f(x):
        x = ag.while_loop(lambda x: (x * x).sum() < 100.0, lambda x: 2.0 * x, x)
        return ag.cond(x[0] > 1.0, lambda x: np.exp(x), lambda x: -x, x)

    shown = ag.jit(f).show(np.ones(4))
    loop, branch = [q for q in shown.recorded.quantities if q.op is not None and q.op.name in ("while", "cond")]
    assert [(when, kinds) for when, _, kinds in shown.bodies(shown.recorded, loop)] == [
        ("at each step", ["carried on, at first x"]),
        ("before each step, made while this is true", ["carried on, at first x"]),
    ]
    assert [when for when, _, _ in shown.bodies(shown.recorded, branch)] == ["if it is true", "else"]


def test_the_bodies_are_a_stage_of_their_own():
    """What is optimized in a body is not put down to the first pass."""
    shown = ag.jit(ag.value_and_grad(recurrent)).show(PARAMETERS, normal(50, 4))
    assert next(p.name for p in shown.passes if p.changed) == "bodies"
    assert not next(p for p in shown.passes if p.name == "written out").changed
    assert "bodies" not in [p.name for p in ag.jit(lambda x: x + 1).show(np.ones(50)).passes]


def test_passes_are_shown_with_their_programs(shown):
    text = shown.text("passes")
    for step in shown.passes:
        assert (f"after {step.name}:" in text) == step.changed
    last = [step for step in shown.passes if step.changed][-1]
    assert [str(q.op and q.op.name) for q in last.program.quantities] == [str(q.op and q.op.name) for q in shown.compiled.quantities]


@pytest.mark.parametrize("stage", showing.STAGES)
def test_one_stage_alone(stage):
    shown = ag.jit(lambda x: x * 2).show(np.ones(50), stage=stage)
    assert str(shown) == shown.text(stage) and str(shown)
    parts = re.findall(r'<section id="part-([a-z]+)"', shown.html())
    assert parts == [stage]


def test_ir_and_assembly():
    shown = ag.jit(lambda x: x * 2).show(np.ones(50))
    assert shown.ir == shown.run.assembler.ir
    assert re.search(r"^run:", shown.assembly, re.MULTILINE)
    assert "run:" not in str(shown)  # which is long: only where it is asked for


def test_stages_are_named():
    with pytest.raises(ValueError, match="'program', 'passes', 'steps'"):
        ag.jit(lambda x: x * 2).show(np.ones(50), stage="llvm")


def test_it_is_not_compiled_again():
    compiled = ag.jit(lambda x: x * 2)
    compiled.show(np.ones(50))
    compiled(np.ones(50))
    compiled.show(np.ones(50))
    assert len(compiled.entries) == 1


def test_arguments_whose_names_are_taken():
    """An argument may be called as a function, a variable or a keyword of the text is."""
    def f(exp, row, v1, sum):
        return np.exp(exp) + row * v1 - sum

    arguments = [normal(9) for _ in range(4)]
    shown = ag.jit(f).show(*arguments)
    (found,) = kernel_runner.run(shown, arguments)
    np.testing.assert_allclose(found, f(*arguments), rtol=1e-14)


def test_a_program_of_single_numbers_has_a_tape():
    def f(a, b):
        for _ in range(40):
            a, b = a * b + 1.0, a - b
        return a * b

    shown = ag.jit(f).show(0.5, 0.25)
    assert "a tape of" in str(shown)
    np.testing.assert_allclose(kernel_runner.run(shown, [0.5, 0.25])[0], f(0.5, 0.25), rtol=1e-13)


def repeated(x, A):
    def step(c, _):
        c = np.tanh(A @ c)
        return c, c.sum()

    c, sums = ag.scan(step, x, None, 10)
    return c.sum() + sums.sum()


def test_loops_are_shown_with_their_steps():
    shown = ag.jit(repeated).show(np.ones(4), np.eye(4))
    (loop,) = [s for s in shown.steps if s.inner]
    product, kernel = loop.inner[0]
    assert loop.kind == "loop" and loop.space == "10 steps" and "for step in range(10):" in loop.text
    assert loop.work.functions == {"tanh": 40}
    assert product.work.operations == 2 * 4 * 4
    assert loop.work.operations == 10 * (product.work.operations + kernel.work.operations)
    assert f"    {kernel.called()}" in loop.text and "tanh(" in kernel.text and kernel.text in shown.text("kernels")
    assert {s.name for s in shown.every()} == {loop.name, product.name, kernel.name, *(s.name for s in shown.steps)}
    tags = looked_at(shown.html())
    assert {s.name for s in shown.every()} <= tags.ids
    assert f"define internal void @{kernel.name}(" in shown.ir


def test_loops_of_unknown_length_and_branches_are_shown():
    def f(x):
        x = ag.while_loop(lambda x: (x * x).sum() < 100.0, lambda x: 2.0 * x, x)
        return ag.cond(x[0] > 1.0, lambda x: np.exp(x), lambda x: -x, x)

    shown = ag.jit(f).show(np.ones(4))
    text = shown.text("kernels")
    assert "while True:" in text and re.search(r"if not c\d+\[0\]: break", text)
    assert re.search(r"^if v\d+:\n(    .*\n)*    k\w+.*\n(    .*\n)*else:\n(    .*\n)*    k", text, re.MULTILINE)
    cost = ag.jit(f).cost(np.ones(4))
    assert len(cost.uncounted) == 2 and "not known how often" in str(cost)
    looked_at(shown.html())
    looked_at(ag.jit(ag.grad(lambda x: f(x).sum())).show(np.ones(4)).html())


LOOPS = {
    "carried": lambda x, n: ag.fori_loop(0, 5, lambda i, c: np.sin(c) * x + i, x),
    "of unknown length": lambda x, n: ag.fori_loop(0, n, lambda i, c: np.sin(c) * x, 2 * x),
    "with rows": lambda x, n: ag.scan(lambda c, row: (c + row * x, np.exp(-c).sum()), x, np.arange(12.0).reshape(4, 3), reverse=True),
    "exchanged": lambda x, n: ag.fori_loop(0, 3, lambda i, c: (c[1] + 1.0, c[0] * 2.0), (x, -x)),
    "while": lambda x, n: ag.while_loop(lambda c: (c * c).sum() < 100.0, lambda c: c * 2.0 + x, x),
    "branch": lambda x, n: ag.cond(n > 3, lambda c: np.exp(c), lambda c: -c, x),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOPS)
def test_the_text_of_a_loop_does_what_the_loop_does(name):
    """It runs as Python, on the texts of its kernels."""
    x, n = np.array([0.5, 0.25, -1.0]), 4
    compiled = ag.jit(LOOPS[name])
    shown = compiled.show(x, n)
    program = shown.compiled
    memory = {"x": x.copy(), "n": np.array(n), "__builtins__": {}, "reversed": reversed, **kernel_runner.FUNCTIONS}
    for number, fetch in zip(program.arguments[2:], program.captured, strict=True):
        memory[program.name(number)] = fetch()
    (loop,) = [s for s in shown.steps if s.inner]
    for s in shown.every():
        if s.kind == "kernel":
            exec(s.text, memory)
        for number in s.made if s in shown.steps else ():  # what stands in memory before anything is computed
            q = program.quantities[number]
            if q.dtype.kind != "O":
                memory[f"v{number}"] = np.array(s.item.quantity.params["value"]) if s.kind == "constant" else np.zeros(q.shape, q.dtype)
    for letter, inner in zip("mc" if name == "while" else "mm", loop.inner, strict=False):
        for body in {id(s.program): s.program for s in inner}.values():
            for number, q in enumerate(body.quantities):
                if q.dtype.kind != "O":
                    memory.setdefault(re.sub("^m", letter, array_name(body, number)), np.zeros(q.size, q.dtype))
    for s in shown.steps:
        if s.inner:
            exec(s.text, memory)
        elif s.kind == "kernel":
            memory[s.name](*[memory[s.program.name(k)].reshape(-1) for k in s.arrays])
    expected = compiled(x, n)
    outputs = [memory[program.name(k)] for k in program.outputs]
    for found, y in zip(outputs, expected if isinstance(expected, tuple) else (expected,), strict=True):
        np.testing.assert_allclose(np.ravel(found), np.ravel(y), rtol=1e-12)


def test_without_llvmlite(monkeypatch):
    monkeypatch.setattr(native, "available", lambda: False)
    compiled = ag.jit(lambda x: np.exp(x).sum())
    shown = compiled.show(np.ones(50))
    assert "pip install 'ag-autodiff[jit]'" in str(shown) and "exp(x)" in shown.text("steps") + shown.text("program")
    assert shown.steps[0].work.functions == {"exp": 50}
    cost = compiled.cost(np.ones(50))
    assert cost.bound is None and cost.fraction is None and cost.seconds > 0
    assert "pip install 'ag-autodiff[jit]'" in str(cost) and "roofline" not in cost.html().lower()


# ---------------------------------------------------------------------- pages


class Tags(HTMLParser):
    """Finds out whether elements are closed in order, and what is fetched."""

    EMPTY = ("meta", "input", "link", "br", "circle", "path", "rect")

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.ids, self.links = [], [], set(), []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.fetched += [given[name] for name in ("src", "data") if name in given]
        self.ids |= {given["id"]} if "id" in given else set()
        self.links += [given["href"]] if "href" in given else []
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.EMPTY:
            assert self.open.pop() == tag


def looked_at(page):
    tags = Tags()
    tags.feed(page)
    tags.close()
    assert not tags.open and not tags.fetched
    assert all(link.startswith("#") and link[1:] in tags.ids for link in tags.links)
    assert not re.search(r"https?://|@import|url\(", page)
    assert "<!-- " not in page
    return tags


def test_the_page_works_by_itself(shown, tmp_path):
    shown.save(tmp_path / "loss.html")
    page = (tmp_path / "loss.html").read_text(encoding="utf-8")
    tags = looked_at(page)
    assert {f"part-{name}" for name in showing.ALL} <= tags.ids
    shown.save(tmp_path / "loss.txt")
    assert (tmp_path / "loss.txt").read_text(encoding="utf-8") == f"{shown}\n"
    with pytest.raises(ValueError, match=r"\.html, \.txt"):
        shown.save(tmp_path / "loss.pdf")
    assert "<div class='ag-compiled'>" in shown._repr_html_()


def test_what_users_write_is_escaped():
    page = ag.jit(lambda x: np.where(x < 1, x, 2.0)).show(np.ones(3)).html()
    assert "x &lt; 1" in page and "x < 1" not in page
    looked_at(page)


# ---------------------------------------------------------------------- cost


def test_a_cost_has_its_figures():
    cost = ag.jit(lambda x, y: x @ y).cost(np.ones((64, 32)), np.ones((32, 16)))
    assert cost.operations == 2 * 64 * 32 * 16
    assert cost.least_bytes == cost.moved_bytes == 8 * (64 * 32 + 32 * 16 + 64 * 16)
    assert cost.seconds > 0 and cost.runs >= 5 and not cost.declined
    assert cost.flops == cost.operations / cost.seconds and cost.bandwidth == cost.least_bytes / cost.seconds
    assert cost.bound in cost.limits and cost.fraction == max(cost.limits.values()) / cost.seconds
    assert "65.5 k" in str(cost) and f"bound by {cost.bound}" in str(cost) and "65.5 k" in cost._repr_html_()
    page = cost.html()
    looked_at(page)
    assert '<svg class="roof"' in page and "nan" not in page


def test_small_products_are_measured_on_one_core(monkeypatch):
    """The peaks of several threads are those of programs that have work for them."""
    monkeypatch.setattr(native, "blas_threads", lambda: 2)
    x = np.ones((8, 8))
    assert ag.jit(lambda W, h: np.tanh(W @ h)).cost(x, x[0]).threads == 1
    assert ag.jit(lambda x, y: x @ y).cost(np.ones((200, 200)), np.ones((200, 200))).threads == 2


def test_the_roof_says_what_it_is():
    page = ag.jit(lambda x, y: x @ y).cost(np.ones((64, 32)), np.ones((32, 16))).html()
    for words in ("operations a second", "operations a byte", "memory ", "arithmetic "):
        assert re.search(rf"<text[^>]*>{words}", page), words
    cost = costing.Cost(
        name="f", functions={}, uncounted=[], moved_bytes=0, seconds=1.0, runs=1000, declined=False, dtype="float64", threads=1,
        operations=10, least_bytes=10**9, peak_flops=1e10, peak_bandwidth=2e9, overhead=1e-6,
    )  # fmt: skip
    assert "1,000 runs" in str(cost) and "1,000 runs" in cost.html() and "1000 runs" not in cost.html()


def test_the_bound_is_the_highest_limit():
    given = {"name": "f", "functions": {}, "uncounted": [], "moved_bytes": 0, "seconds": 1.0, "runs": 5, "declined": False}
    given |= {"dtype": "float64", "threads": 1}
    high = costing.Cost(operations=10**9, least_bytes=10, peak_flops=1e10, peak_bandwidth=1e10, overhead=1e-6, **given)
    assert (high.bound, round(high.fraction, 9)) == ("arithmetic", 0.1)
    wide = costing.Cost(operations=10, least_bytes=10**9, peak_flops=1e10, peak_bandwidth=2e9, overhead=1e-6, **given)
    assert (wide.bound, round(wide.fraction, 9)) == ("memory", 0.5)
    small = costing.Cost(operations=10, least_bytes=10, peak_flops=1e10, peak_bandwidth=2e9, overhead=1e-6, **given)
    assert small.bound == "the call"


def test_what_is_declined_is_said():
    f = ag.jit(ag.grad(lambda x: np.where(x > 0, np.sqrt(x), x).sum()))  # at -1 the root has no derivative, and no say
    with np.errstate(all="ignore"):
        cost = f.cost(np.full(3, -1.0))
    assert cost.declined and "by the function itself" in str(cost)
    assert not f.cost(np.ones(3)).declined


def test_arguments_that_are_given_up_are_copied():
    x = np.ones(100)
    ag.jit(lambda x: x + 1, donate_argnums=0).cost(x)
    assert (x == 1).all()


def test_peaks_are_measured():
    assert machine_peaks.flops("float64") > 1e7 and machine_peaks.flops("float32", 2) >= machine_peaks.flops("float32")
    assert machine_peaks.bandwidth(2**14) > 1e6
    assert [machine_peaks.size_class(n) for n in (1, 2**14 + 1, 2**20, 2**40)] == [2**14, 2**15, 2**20, 2**28]


def test_amounts_and_times_are_short():
    assert [amounts.amount(x, "B") for x in (0, 999, 1000, 1234567, 2.5e9)] == ["0 B", "999 B", "1 kB", "1.23 MB", "2.5 GB"]
    assert [amounts.duration(x) for x in (2.0, 1.5e-3, 96e-6, 823e-9)] == ["2 s", "1.5 ms", "96 µs", "823 ns"]

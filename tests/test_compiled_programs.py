"""Compiled programs against eager ones: random ones, and small ones for each way in which code is made.

What is compared: shapes, dtypes, integers and truths exactly, and where floats are nan and infinite. Of the other floats: let r be
the program computed in long doubles, and s the largest change of an output when each quantity of the program is changed by a unit
in its last place, at random, in several runs (Monte Carlo arithmetic, after Parker). Then the error |compiled - r| of an output, in
its largest element, is at most 4 |eager - r| + 4 s + 4 ULP. A bound for each element by its own ULP would make no sense where
numbers cancel, and s knows where they do. Where a comparison or a rounding to an integer is decided by the last place, s is large.
"""

import numpy as np
import pytest
from hypothesis import Phase, given, settings, strategies as st

import ag
from ag.compiler import executable
from ag.compiler.assembling import Assembler
from ag.compiler.kernels.kernel_code import UNROLLED
from ag.compiler.machine import native
from random_programs import Program

pytestmark = [
    pytest.mark.skipif(not native.available() or native.blas() is None, reason="nothing to compile with"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]
GUARD = 128  # bytes before and behind each array
RANDOM = settings(deadline=None, database=None, phases=(Phase.explicit, Phase.generate))  # no integer is simpler than another
SEEDS = st.integers(0, 2**64 - 1)


@pytest.fixture(autouse=True)
def not_kept(monkeypatch):
    monkeypatch.setenv("AG_CACHE_DIR", "")


class Guarded:
    """NumPy, but that new arrays are full of nan, and what is written next to them is noticed."""

    def __init__(self):
        self.arrays = []

    def __getattr__(self, name):
        return getattr(np, name)

    def empty(self, shape, dtype):
        size = int(np.prod(shape, dtype=int)) * np.dtype(dtype).itemsize
        memory = np.full(size + 2 * GUARD, 0xA7, np.uint8)
        memory[GUARD : GUARD + size] = 1 if np.dtype(dtype).kind == "b" else 0xFF
        self.arrays.append(memory)
        return memory[GUARD : GUARD + size].view(dtype).reshape(shape)

    def is_whole(self):
        return all((m[:GUARD] == 0xA7).all() and (m[-GUARD:] == 0xA7).all() for m in self.arrays)


def compiled(f, args, machine=None):
    """The outputs of the machine code for f, whatever is faster, and the program as it was recorded."""
    made = []

    def prepare(program, donated):
        made.append(executable.Machine(program))
        return made[0]

    guarded = Guarded()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executable, "prepare", prepare)
        patch.setattr(executable, "np", guarded)
        if machine is not None:
            patch.setattr(native, "host", lambda: machine)
        entry = ag.jit(f).entry(*args)
        before = [np.copy(x) for x in args]
        outputs = made[0](args)
        again = made[0](args)  # in the same arena, where other numbers lie now
    if outputs is executable.DECLINED:  # as a derivative is not finite: eager passes are exact there
        assert executable.by_numpy(entry.program)(args) is executable.DECLINED, entry.program
    assert guarded.is_whole(), f"written beyond an array: {entry.program}"
    for x, kept in zip(args, before, strict=True):
        np.testing.assert_array_equal(x, kept)
    for x, kept in zip(outputs, again, strict=True) if outputs is not executable.DECLINED else ():
        np.testing.assert_array_equal(x, kept)
    return outputs, entry


def reference(program, args, nudge=None):
    """The outputs in long doubles; with ``nudge`` in the program's own dtypes, each quantity changed by it."""
    values = dict(zip(program.arguments, [*args, *[fetch() for fetch in program.captured]], strict=True))
    if nudge is None:
        values = {k: x.astype(np.longdouble) if np.asarray(x).dtype.kind == "f" else x for k, x in values.items()}
    for number, q in enumerate(program.quantities):
        if q.op is None:
            continue
        inputs = [values[x] if type(x) is int else x.value for x in q.inputs]
        if nudge is not None:
            inputs = [nudge(x) if type(n) is int else x for n, x in zip(q.inputs, inputs, strict=True)]
        params = {**q.params, "kept": {}} if "kept" in q.params else q.params
        if nudge is None and "dtype" in params and np.dtype(params["dtype"]).kind == "f":
            params = {**params, "dtype": np.longdouble}
        try:
            values[number] = q.op.plain(tuple(inputs), params)
        except TypeError:  # there is no function for long doubles
            values[number] = q.op.plain(tuple([x.astype(float) if isinstance(x, np.ndarray) else x for x in inputs]), params)
    return [values[x] if type(x) is int else x.value for x in program.outputs]


def nudged(seed):
    rng = np.random.default_rng(seed)

    def nudge(x):
        if np.asarray(x).dtype.kind != "f":
            return x
        x = np.asarray(x)
        return x * (1 + np.finfo(x.dtype).eps * rng.integers(-1, 2, x.shape)).astype(x.dtype)

    return nudge


def agree(actual, eager, program, args):
    """The outputs of compiled code against those of the function, by the rule above."""
    with np.errstate(all="ignore"):
        exact = reference(program, args)
        changed = [reference(program, args, nudged(seed)) for seed in range(4)]
    assert len(actual) == len(eager)
    for k, (a, e, r) in enumerate(zip(actual, eager, exact, strict=True)):
        a, e, others = np.asarray(a), np.asarray(e), [np.asarray(outputs[k]) for outputs in changed]
        assert a.shape == e.shape and a.dtype == e.dtype, f"{a.dtype}{a.shape}, not {e.dtype}{e.shape}: {program}"
        if a.dtype.kind != "f":
            steady = np.logical_and.reduce([o == e for o in others])
            assert (a == e)[steady].all(), f"output {k}: {program}"
            continue
        steady = np.logical_and.reduce([np.isfinite(o) == np.isfinite(e) for o in others])
        assert ((np.isnan(a) == np.isnan(e)) | ~steady).all(), f"output {k}: nan: {program}"
        infinite = np.isinf(e) & steady
        assert (a[infinite] == e[infinite]).all(), f"output {k}: {program}"
        finite = np.isfinite(e) & np.isfinite(a) & np.isfinite(np.asarray(r, np.longdouble))
        if finite.any():
            error, own = [np.abs(x.astype(np.longdouble) - r)[finite].max() for x in (a, e)]
            spread = max([0, *[np.nanmax(np.abs(o.astype(np.longdouble) - e)[finite]) for o in others]])
            ulp = np.spacing(np.abs(e[finite]).max())
            assert error <= 4 * own + 4 * spread + 4 * ulp, f"output {k}: {error / ulp} ULP, eager {own / ulp}: {program}"


def check(f, args, machine=None):
    with np.errstate(all="ignore"):
        eager = f(*args)
        actual, entry = compiled(f, args, machine)
    if actual is not executable.DECLINED:
        agree(actual, eager, entry.traced, args)
    return entry


def with_gradient(p):
    """The cost of a random program and its gradient, as a list of arrays."""
    both = ag.value_and_grad(p.cost, argnums=tuple(range(p.floats)))

    def value_and_gradient(*args):
        value, gradient = both(*args)
        return [value, *gradient]

    return value_and_gradient


@given(SEEDS)
@settings(RANDOM, max_examples=50)
def test_random_programs(seed):
    p = Program(seed)
    check(p, p.args)


@given(SEEDS)
@settings(RANDOM, max_examples=20)
def test_gradients_of_random_programs(seed):
    p = Program(seed)
    check(with_gradient(p), p.args)


@given(SEEDS)
@settings(RANDOM, max_examples=10)
@pytest.mark.parametrize("features", [("avx", "avx2", "fma", "f16c"), ()], ids=["avx2", "sse"])
def test_random_programs_on_narrower_machines(features, seed):
    if "x86" not in native.host().triple:
        pytest.skip("another processor")
    p = Program(seed)
    check(p, p.args, native.host().restricted(features))


@given(SEEDS)
@settings(RANDOM, max_examples=15)
def test_special_values(seed):
    """nan, ±inf and -0 among the numbers."""
    p = Program(seed)
    rng = np.random.default_rng(seed)
    specials = np.array([np.nan, np.inf, -np.inf, -0.0])
    for k in range(p.floats):
        x = p.args[k]
        p.args[k] = np.where(rng.random(x.shape) < 0.15, rng.choice(specials, x.shape), x).astype(x.dtype)
    check(p, p.args)


# ---------------------------------------------------------------------- every way in which code is made

RNG = np.random.default_rng(0)


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def kernels(a):
    return list(a.block.kernels.values())


def accumulators(a):
    return [x for k in kernels(a) for x in (*k.accumulators.values(), *k.columns.values())]


def products(a, name):
    return f"@cblas_d{name}(" in a.ir


def items(a, kind):
    return [s.item for s in a.block.steps if s.item is not None and s.item.kind == kind]


I5, I20 = np.array([0, -1, 2, 2, -5]), RNG.integers(-5, 5, 20)
# What the code has to show, a function, and the shapes of its arguments (an array stands for itself).
PATHS = {
    "a loop over blocks": (lambda a: any(x.exact for x in accumulators(a)), np.sum, [(5003,)]),
    "written out": (lambda a: all(k.count <= UNROLLED * k.width for k in kernels(a)), np.sin, [(17,)]),
    "a tail": (lambda a: any(k.count % k.width for k in kernels(a)), lambda x, y: x * y + x, [(65, 33), (33,)]),
    "a full loop": (lambda a: any(k.count % k.width == 0 for k in kernels(a)), lambda x, y: x * y + x, [(64, 64), (64,)]),
    "turned": (lambda a: any(k.turned for k in kernels(a)), softmax, [(33, 3)]),
    "turned, nested": (lambda a: any(k.turned for k in kernels(a)), lambda x, y: np.sum(x * y, (1, 2)), [(65, 2, 1), (2, 2)]),
    "turned, columns": (lambda a: any(k.turned and k.turned_columns for k in kernels(a)), lambda x: np.exp(x).sum(0), [(33, 3)]),
    "turned, a loop over columns": (lambda a: any(k.turned_columns and len(k.column_lengths) == 1 for k in kernels(a)),
                                    lambda x, v: (np.exp(x - v) - x.max(1, keepdims=True)).sum(0), [(70, 7), (70, 1)]),
    "turned, loops over columns": (lambda a: any(k.turned_columns and len(k.column_lengths) == 2 for k in kernels(a)),
                                   lambda x, y: np.sum(x.transpose(2, 0, 1) * y, 0), [(3, 1, 65), (2,)]),
    "stages": (lambda a: any(m.stage > 1 for k in kernels(a) for m in k.members), softmax, [(9, 33)]),
    "kept in scratch": (lambda a: any(k.group.scratch for k in kernels(a)), softmax, [(9, 65)]),
    "kept in memory": (lambda a: any(k.group.stored for k in kernels(a)), softmax, [(2, 5000)]),
    "columns in registers": (lambda a: any(k.columns for k in kernels(a)), lambda x: np.sum(x * x, 0), [(40, 17)]),
    "columns in memory": (lambda a: not accumulators(a), lambda x: np.max(x * x, 0), [(5, 300)]),
    "one number of rows": (lambda a: any(m.form == "one" for k in kernels(a) for m in k.members),
                           lambda x: (x.sum(1), np.sum(x.sum(1) ** 2)), [(20, 17)]),
    "one number of rows in memory": (lambda a: len(kernels(a)) < 3, lambda x, v: (x - x.max(1, keepdims=True), v.sum(), v - 1),
                                     [(16, 2), (16, 1)]),
    "gathers": (lambda a: "masked.gather" in a.ir, lambda x, i: x[i] * 2, [(33,), I20]),
    "gathers by what was computed": (lambda a: "masked.gather" in a.ir, lambda x, i: x[i % 5 - 5] + x[i], [(33,), I20]),
    "gathered rows": (lambda a: items(a, "call") == [], lambda x, i: x[i] @ x[i].T, [(5, 9), I5]),
    "rows gathered by an index of an index": (lambda a: items(a, "call") == [], lambda x, i: x[i[i[::-1]]] * 2, [(5, 17), I5]),
    "scatters": (lambda a: scatters(a), lambda x, i: added(x, i, x[i]), [(5, 17), I5]),
    "scatters a number": (lambda a: scatters(a), lambda x, i: added(x, i, 1.5), [(5, 17), I5]),
    "scatters into short rows": (lambda a: scatters(a), lambda x, i: added(x, i, x[i] * 2),
                                 [(5, 3), I20]),
    "scatters into one element": (lambda a: scatters(a),
                                  lambda x, v, i: added(x, np.broadcast_to(i[1:2], (33,)), v), [(5,), (33,), I5]),
    "scatters by an index of an index": (lambda a: scatters(a), lambda x, i: added(x, i[::-1][abs(i) % 5], x[i[abs(i) % 5]]),
                                         [(5, 3), I5]),
    "matrices": (lambda a: products(a, "gemm"), lambda x, y: (x @ y, y.T @ x.T, x[::2] @ y[:, ::3]), [(9, 17), (17, 5)]),
    "matrices and vectors": (lambda a: products(a, "gemv"), lambda x, y: (x @ y, x.T[::-1] @ y[:9], y @ x.T, x[::-1, ::-1] @ y[::-1]),
                             [(9, 17), (17,)]),
    "stacks of matrices": (lambda a: "loop" in a.ir, lambda x, y: x @ np.swapaxes(y, -1, -2), [(4, 1, 3, 5), (2, 7, 5)]),
    "thin products": (lambda a: a.ir, lambda x, y: (x @ y, y @ x, y[:, :1] @ x[:1], x[:1] @ y[:, :1]), [(3, 20), (20, 3)]),
    "parts of a result": (lambda a: any(k.group.others for k in kernels(a)),
                          lambda x: np.concatenate([x, x[::-1] * 2, np.pad(x, ((1, 0), (0, 0)))]), [(7, 9)]),
    "through NumPy": (lambda a: items(a, "call"), lambda x: np.sort(np.sin(x), 0) * 2, [(7, 9)]),
    "truths": (lambda a: "i8" in a.ir, lambda x: (x > 0, (x > 0).any(0), (x > 0).sum(), ~(x > 0).T), [(33, 9)]),
    "empty arrays": (lambda a: a.ir, lambda x: (x + 1, x.sum(1), x.T, x.sum(), x.T @ x, np.concatenate([x, x])), [(0, 7)]),
    "one lane after a cast": (lambda a: a.ir, lambda i: (i.astype(np.int32), i.astype(np.float32), i > 0), [RNG.integers(-9, 9, 17)]),
    "no work": (lambda a: not kernels(a), lambda x: (x, x, 2.5), [(3, 4)]),
    "views": (lambda a: kernels(a), lambda x: (x.T, x[::-2], x[0], x.reshape(-1)[3:], np.flip(x), x[None, :, ::-1]), [(5, 6)]),
}  # fmt: skip


def scatters(a):
    return any(m.item.repeats for k in kernels(a) for m in k.members)


def added(x, i, v):
    """x with v added at the places i."""
    if not isinstance(x, np.ndarray):
        return x.at[i].add(v)
    y = x.copy()
    np.add.at(y, i, v)
    return y


def arguments(shapes, dtype=np.float64):
    return [x if isinstance(x, np.ndarray) else RNG.normal(size=x).astype(dtype) for x in shapes]


def listed(f):
    def outputs(*args):
        y = f(*args)
        return list(y) if isinstance(y, tuple) else [y]

    return outputs


@pytest.mark.parametrize("name", PATHS)
def test_every_way_is_taken(name):
    shows, f, shapes = PATHS[name]
    args = arguments(shapes)
    assert shows(check(listed(f), args).run.assembler)
    check(listed(f), arguments(shapes, np.float32))


@pytest.mark.parametrize("name", PATHS)
def test_every_way_is_code_for_arm(name):
    _, f, shapes = PATHS[name]
    program = ag.jit(listed(f)).entry(*arguments(shapes)).program
    a = Assembler(program, native.Machine("aarch64-linux-gnu", "", frozenset({"neon"})))
    text = native.assembly(a.ir, "aarch64-linux-gnu", "", ["neon"])
    assert "run:" in text

"""What ag.jit records: what it refuses and how it says so, what it fetches at each call, and that every row can be recorded."""

import contextlib
import copy
import functools
import math
import pickle
import warnings

import numpy as np
import pytest

import ag
from ag.compiler import compiled, executable
from ag.operators.rules import FUNCTIONS
from ag.transforms.containers import leaves, rebuilt
from test_table import ENTRIES, cases, samples

X = np.array([0.5, -1.0, 2.0])


@pytest.fixture(autouse=True)
def through_numpy(monkeypatch):
    """What is recorded is looked at here, not the machine code that is made of it."""
    monkeypatch.setattr(executable, "prepare", lambda program, donated: executable.by_numpy(program))


def same(actual, expected, rtol=1e-12):
    assert len(leaves(actual)) == len(leaves(expected))
    for x, y in zip(leaves(actual), leaves(expected), strict=True):
        if isinstance(y, str) or y is None:
            assert x == y
            continue
        assert np.shape(x) == np.shape(y) and np.asarray(x).dtype == np.asarray(y).dtype
        np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-13)


# ---------------------------------------------------------------------- what would need the numbers


def written(x):
    x[0] = 1.0
    return x


def added_in_place(x):
    x += 1
    x[1:] *= 2
    return x


# What a function does, the words of the error, and what it advises.
REFUSED = [
    (lambda x: x if x[0] > 0 else -x, "The truth of x[0] > 0", "ag.where(condition, a, b) or ag.cond("),
    (lambda x: not x[0], "The truth of not x[0]", "ag.where"),
    (lambda x: 1.0 if 0 < x[0] < 1 else x, "The truth of 0 < x[0] < 1", "static_argnums"),
    (lambda x: max(x[0], x[1]), "The truth that max(x[0], x[1]) asks for", "ag.where"),
    (lambda x: x * float(x[0]), "The float that float(x[0]) asks for", "np.sin(x), not math.sin(x)"),
    (lambda x: math.sin(x[0]), "The float that math.sin(x[0]) asks for", "np.sin(x), not math.sin(x)"),
    (lambda x: x * int(x[0]), "The integer that int(x[0]) asks for", "x.astype(int)"),
    (lambda x: x * complex(x[0]), "The complex number that complex(x[0]) asks for", "x.astype(complex)"),
    (lambda x: x * x[0].item(), "The number that x[0].item() asks for", "return it"),
    (lambda x: x.tolist(), "The list that x.tolist() asks for", "return it"),
    (lambda x: sum(x for _ in range(x.astype(int)[0])), "The integer that range(x.astype(int)[0]) asks for", "name the argument in static_argnums, as"),
    (lambda x: [1, 2, 3][x.astype(int)[0]], "The integer that [1, 2, 3][x.astype(int)[0]] asks for", "ag.take(a, i, axis=0)"),
    (lambda x: x[: x.astype(int)[0]], "The integer that x[: x.astype(int)[0]] asks for", "ag.fori_loop in place of range(n)"),
    (lambda x: np.array([x[0], x[1]]), "The array that np.array([x[0], x[1]]) asks for", "np.stack([x, y])"),
    (lambda x: np.asarray(x), "The array that np.asarray(x) asks for", "np.exp(x)"),
    (lambda x: np.sum([x[0], x[1]]), "The array that np.sum([x[0], x[1]]) asks for", "np.stack([x, y])"),
    (written, "What a write in place changes", "x.at[index].set(v)"),
    (added_in_place, "What a write in place changes", "ag.where(mask, v, x)"),
    (lambda x: f"{x[0]:.3f}", "The text that f\"{x[0]:.3f}\" asks for", "print it after the call"),
]  # fmt: skip


@pytest.mark.parametrize("f,what,instead", REFUSED)
def test_what_would_need_the_numbers_is_refused(f, what, instead):
    with pytest.raises(TypeError) as raised:
        ag.jit(f)(X)
    text = str(raised.value)
    assert text.startswith(f"{what} is not known while ag.jit records the function, at {__file__}:{_line(f)}")
    assert instead in text and "Traced(shape" in text


def _line(f):
    return {"written": written.__code__.co_firstlineno + 1, "added_in_place": added_in_place.__code__.co_firstlineno + 2}.get(
        f.__name__, f.__code__.co_firstlineno
    )


def test_a_traced_value_is_not_copied():
    for f in (copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="A copy is not known while ag.jit records the function, .* use it as it is"):
            ag.jit(f)(X)


def test_shapes_that_depend_on_values_are_refused():
    with pytest.raises(TypeError, match=r"^x\[mask\] has a shape that depends on the values, which ag\.jit does not know: .* ag\.where\(mask, x, 0\)"):
        ag.jit(lambda x: x[x > 0])(X)
    with pytest.raises(TypeError, match=r"^the result of np\.nonzero has a shape that depends on the values, which ag\.jit does not know"):
        ag.jit(lambda x: np.nonzero(x))(X)
    with pytest.raises(TypeError, match=r"^the result of np\.nonzero has a shape that depends on the values, which ag\.jit does not know"):
        ag.jit(lambda x: np.where(x > 0))(X)
    with pytest.raises(TypeError, match="is one number and has no length"):
        ag.jit(lambda x: len(x))(2.0)
    with pytest.raises(TypeError, match="is one number: there is no axis to iterate over"):
        ag.jit(lambda x: list(x))(2.0)
    with pytest.raises(TypeError, match="is one number and has no elements"):
        ag.jit(lambda x: x[None])(2.0)
    with pytest.raises(ValueError, match=r"add: .* do not broadcast"):
        ag.jit(lambda x: x + np.ones(2))(X)


def test_a_traced_value_does_not_outlive_its_call():
    kept = []

    def f(x):
        kept.append(x)
        return sum(kept) * 1.0

    same(ag.jit(f)(X), X)
    with pytest.raises(RuntimeError, match=r"was recorded by another call of ag\.jit, which has ended: .*returns its results"):
        ag.jit(f)(X)


def test_what_is_no_number_is_refused():
    with pytest.raises(TypeError, match=r"of dtype <U1: name the argument in static_argnums"):
        ag.jit(lambda x: x)(np.array(["a"]))
    with pytest.raises(TypeError, match=r"ag\.jit: expected a plain NumPy array, got MaskedArray"):
        ag.jit(lambda x: x)(np.ma.array([1.0]))
    with pytest.raises(TypeError, match="ag.jit takes a function, got float"):
        ag.jit(1.0)
    with pytest.raises(TypeError, match="static arguments have to be hashable"):
        ag.jit(lambda x, n: x, static_argnums=1)(X, [1])


# ---------------------------------------------------------------------- what is read at each call, and what is a constant

scale = 2.0
OFFSET = np.zeros(3)


def scaled(x):
    return x * scale + OFFSET


def test_captured_arrays_are_read_at_each_call():
    own = np.ones(3)
    f = ag.jit(lambda x: x * own + OFFSET)
    same(f(X), X)
    own[:] = 3.0
    same(f(X), 3 * X)
    assert len(f.entries) == 1
    OFFSET[:] = 1.0
    same(f(X), 3 * X + 1)
    OFFSET[:] = 0.0
    gradient = ag.jit(ag.grad(lambda x: (x * own).sum()))
    same(gradient(X), own)
    own[:] = 5.0
    same(gradient(X), own)


def test_a_name_that_is_bound_to_another_number_is_recorded_again(monkeypatch):
    f = ag.jit(scaled)
    same(f(X), 2 * X)
    monkeypatch.setitem(globals(), "scale", 3.0)
    same(f(X), 3 * X)
    monkeypatch.setitem(globals(), "OFFSET", np.ones(3))
    same(f(X), 3 * X + 1)

    def maker():
        factor = 2.0

        def inner(x):
            return x * factor

        def bind(new):
            nonlocal factor
            factor = new

        return ag.jit(inner), bind

    g, bind = maker()
    same(g(X), 2 * X)
    bind(7.0)
    same(g(X), 7 * X)
    bind(7.0)
    same(g(X), 7 * X)
    assert len(g.entries) == 1


def test_debug_says_why_a_function_is_compiled_again(monkeypatch):
    f = ag.jit(scaled)
    with ag.debug(), warnings.catch_warnings():
        warnings.simplefilter("error")
        f(X)
    with ag.debug(), pytest.warns(UserWarning, match="compiles scaled again: other shapes, dtypes or static values were given"):
        f(np.float32(X))
    monkeypatch.setitem(globals(), "scale", 3.0)
    with ag.debug(), pytest.warns(UserWarning, match="compiles scaled again: scale is bound to something else"):
        f(X)


def test_what_is_shown_follows_a_name_that_is_bound_to_something_else(monkeypatch):
    f = ag.jit(scaled)
    f(X)
    monkeypatch.setitem(globals(), "scale", 3.0)
    assert "3.0" in str(f.entry(X).program)


def test_random_numbers_and_defaults():
    def f(x, y=2.0, *, z=3.0):
        return x * y + z

    same(ag.jit(f)(X), X * 2 + 3)
    same(ag.jit(f)(X, z=1.0), X * 2 + 1)
    same(ag.jit(f)(X, y=X), X * X + 3)
    same(ag.jit(f)(y=X, x=1.0), X + 3)


# ---------------------------------------------------------------------- containers, static arguments, dtypes


def test_containers_go_in_and_come_out():
    def f(parameters, pair):
        w, b = parameters["w"], parameters["b"]
        return {"sum": w @ pair[0] + b, "rest": (pair[1], [w.sum()], None, "text", 3)}

    parameters = {"w": np.eye(3), "b": 0.5}
    same(ag.jit(f)(parameters, (X, 2)), f(parameters, (X, 2)))
    gradient = ag.jit(ag.grad(lambda p, x: (p["w"] @ x + p["b"]).sum()))
    same(gradient(parameters, X), {"w": np.tile(X, (3, 1)), "b": 3.0})


def test_static_arguments_are_known():
    calls = []

    def f(x, n, mode="up"):
        calls.append(n)
        for _ in range(n):
            x = x * 2 if mode == "up" else x / 2
        return x

    g = ag.jit(f, static_argnums=1, static_argnames="mode")
    same(g(X, 3), 8 * X)
    same(g(X, 2), 4 * X)
    same(g(X, 3), 8 * X)
    same(g(X, 3, mode="down"), X / 8)
    assert calls == [3, 2, 3]


def test_python_numbers_take_the_dtype_of_what_they_meet():
    x = X.astype(np.float32)
    for f, args in (
        (lambda x, n: x * n, (x, 0.1)), (lambda x, n: x * n + 1, (x, 3)), (lambda x, n: n * 2.5, (x, 0.1)),
        (lambda x, n: ag.where(x > 0, n, x), (x, 0.1)), (lambda x, n: ag.exp(n) * x, (x, 0.1)),
        (lambda x, n: x * n, (x, np.float64(0.1))), (lambda x, n: x * n, (x.astype(np.int8), 2)),
        (lambda x, n: x * n, (np.float32(0.5), 0.1)), (lambda x, n: (x.sum() * n, n, n + 1), (x, True)),
    ):  # fmt: skip
        actual, expected = ag.jit(f)(*args), f(*args)
        same(actual, expected, rtol=1e-7)
    assert ag.jit(ag.grad(lambda x: (x * 0.1).sum()))(x).dtype == np.float32
    assert type(ag.jit(ag.grad(lambda x: x * x))(2.0)) is float


def test_the_cache_is_bounded(monkeypatch):
    monkeypatch.setattr(compiled, "BOUND", 3)
    f = ag.jit(lambda x: x * 2)
    for n in range(1, 8):
        same(f(np.ones(n)), np.full(n, 2.0))
        same(ag.grad(lambda x: f(x).sum())(np.ones(n)), np.full(n, 2.0))
    assert len(f.entries) == 3 and "compiled for 3 kinds of arguments" in repr(f)
    assert len(f.programs) == 3


def test_methods_and_decorators():
    class Model:
        scale = 3.0

        @ag.jit
        def __call__(self, x):
            return x * 3.0

        @ag.jit
        def twice(self, x):
            return x * 2.0

    same(ag.jit(Model.twice.function, static_argnums=0)(Model(), X), X * 2)
    same(Model().twice(X), X * 2)


# ---------------------------------------------------------------------- where the program does not hold


def test_labels_out_of_range_give_the_error_of_the_function():
    f = ag.jit(lambda z, y: ag.cross_entropy(z, y))
    z = np.zeros((2, 3))
    same(f(z, np.array([0, 2])), np.float64(math.log(3)))
    with pytest.raises(ValueError, match="label 3 at position 1 is out of range"):
        f(z, np.array([0, 3]))
    with pytest.raises(IndexError, match="out of bounds"):
        ag.jit(lambda x, i: x[i])(X, np.array([0, 3]))
    with pytest.raises(ValueError, match="a quantile lies between 0 and 1"):
        ag.jit(lambda x, q: ag.quantile(x, q))(X, 1.5)
    with pytest.raises(np.linalg.LinAlgError):
        ag.jit(lambda a: ag.linalg.inv(a))(np.zeros((2, 2)))


def test_branches_not_taken_contribute_nothing():
    for f in (
        lambda x: np.where(x > 0, np.sqrt(x), x).sum(),
        lambda x: np.where(x > 0, np.log(np.where(x > 0, x, -1.0)), 0.0).sum(),
        lambda x: np.maximum(x, 1.0 / (x * 0.0 + 1.0)).sum(),
    ):
        for x in (X, np.array([0.0, -1.0, 4.0])):
            with np.errstate(all="ignore"):
                same(ag.jit(ag.grad(f))(x), ag.grad(f)(x))
                same(ag.jit(ag.value_and_grad(f))(x), ag.value_and_grad(f)(x))
    with np.errstate(all="ignore"):
        assert ag.jit(ag.grad(REFINED))(np.array([0.0, 4.0])).tolist() == [1.0, 0.25]


def REFINED(x):
    return np.where(x > 0, np.sqrt(x), x).sum()


def test_debug_says_when_the_program_does_not_hold():
    f = ag.jit(ag.grad(REFINED))
    x = np.array([-1.0, 4.0])
    with np.errstate(all="ignore"), ag.debug(), pytest.warns(UserWarning, match="was computed without the compiler"):
        same(f(x), np.array([1.0, 0.25]))


# ---------------------------------------------------------------------- transforms around and inside


def cost(x):
    return (np.sin(x) * x).sum() / (1 + x @ x)


TRANSFORMED = {
    "jit": ag.jit, "grad": ag.grad, "value_and_grad": ag.value_and_grad, "hessian": ag.hessian,
    "jvp": lambda f: lambda x: ag.jvp(f, (x,), (X,)), "vjp": lambda f: lambda x: ag.vjp(f, x)[1](1.5),
    "vmap": lambda f: lambda x: ag.vmap(f)(np.stack([X, 2 * X]) * x), "jacrev": ag.jacrev, "jacfwd": ag.jacfwd,
    "hvp": lambda f: lambda x: ag.jvp(ag.grad(f), (x,), (X,))[1],
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSFORMED)
def test_jit_and_transforms_compose(name):
    transform = TRANSFORMED[name]
    expected = transform(cost)(X)
    same(ag.jit(transform(cost))(X), expected, 1e-11)
    same(transform(ag.jit(cost))(X), expected, 1e-11)
    same(ag.jit(transform(ag.jit(cost)))(X), expected, 1e-11)
    batch = np.stack([X, -X, 3 * X])
    looped = [transform(cost)(x) for x in batch]
    expected = rebuilt(looped[0], [np.stack(xs) for xs in zip(*map(leaves, looped), strict=True)])
    same(ag.jit(ag.vmap(transform(cost)))(batch), expected, 1e-11)
    same(ag.vmap(ag.jit(transform(cost)))(batch), expected, 1e-11)


def test_nodes_go_through_compiled_functions():
    x = ag.Tensor(X)
    y = ag.jit(cost)(x)
    y.backward()
    same(x.grad, ag.grad(cost)(X), 1e-11)
    assert isinstance(y, ag.Tensor) and len(y.inputs) == 1
    s = ag.Scalar(2.0)
    ag.jit(lambda s: s * s * 3)(s).backward()
    assert s.grad == 12.0
    same(ag.grad(ag.grad(ag.jit(lambda s: s**3)))(2.0), 12.0)


# ---------------------------------------------------------------------- every row

# What has no program: the shape or the dtype of the result depends on values.
DEPENDS = {
    **dict.fromkeys(("getitem-7", "getitem-8", "index_set-4", "index_add-4"), r"x\[mask\] has a shape that depends on the values"),
    **dict.fromkeys((f"{name}-0" for name in (
        "unique", "union1d", "intersect1d", "setdiff1d", "setxor1d", "trim_zeros", "unique_all", "unique_counts", "unique_inverse",
        "unique_values", "extract",
    )), "has a shape that depends on the values"),
    **dict.fromkeys(("unique-1", "setdiff1d-1", "trim_zeros-1", "compress-1"), "has a shape that depends on the values"),
    "bincount-0": "its length depends on the values: give minlength",
    **dict.fromkeys(("delete-3", "piecewise-0", "piecewise-1"), "The array that .* asks for is not known"),
}  # fmt: skip
COMPLEX = ("eig", "eigvals", "roots")  # whose result is complex if it has to be, as those of scimath


def refused(name, k):
    if name in COMPLEX or name.startswith("scimath_"):
        return "whether the result is real or complex depends on the values"
    return DEPENDS.get(f"{name}-{k}")


@pytest.mark.parametrize("name,k", cases(ENTRIES))
def test_every_row_can_be_recorded(name, k):
    args, params = samples(ENTRIES[name])[k]
    everything = leaves(list(args))
    places = [i for i, x in enumerate(everything) if isinstance(x, (float, np.ndarray, np.generic))]

    def f(*xs):
        given = list(everything)
        for i, x in zip(places, xs, strict=True):
            given[i] = x
        return FUNCTIONS[name](*rebuilt(list(args), given), **params)

    inputs = [everything[i] for i in places]
    if not inputs:
        pytest.skip("no array")
    g = ag.jit(f)
    if refused(name, k):
        with pytest.raises(TypeError, match=refused(name, k)):
            g(*inputs)
        return
    expected = f(*inputs)
    same(g(*inputs), expected, 1e-11)
    assert g.entry(*inputs).run(inputs) is not executable.DECLINED


def test_the_list_of_what_is_refused_names_rows():
    known = {f"{name}-{k}" for name, entry in ENTRIES.items() for k in range(len(samples(entry)))}
    assert known >= DEPENDS.keys()


def conjunction(x):
    if x[0] > 0 and x[1] > 0:
        return x
    return -x


def test_jit_is_a_decorator_with_options_as_well():
    traces = []

    @ag.jit(static_argnames="n")
    def power(x, n):
        traces.append(n)
        return x**n if n else x  # n is known

    same(power(X, n=2), X**2)
    same(power(X, n=2), X**2)
    same(power(X, 3), X**3)
    assert traces == [2, 3] and power.__name__ == "power"

    @ag.jit()
    def double(x):
        return 2 * x

    same(double(X), 2 * X)
    with pytest.raises(TypeError, match="ag.jit takes a function, got float"):
        ag.jit(static_argnums=1)(1.0)
    with pytest.raises(ValueError, match=r"static_argnames='m' is none of the arguments x, n of g"):

        @ag.jit(static_argnames="m")
        def g(x, n):
            return x


def test_what_asks_for_numbers_is_not_named_where_it_can_not_be_told():
    """A condition of several, what is too long to quote, a comprehension, and a program whose text is not at hand."""
    hidden = {}
    exec("def f(x):\n    return x if x[0] > 0 else -x", hidden)
    long = lambda x: x if x[0] + x[0] + x[0] + x[0] + x[0] + x[0] + x[0] + x[0] + x[0] + x[0] + x[0] + x[0] > 0 else -x  # noqa: E731
    for f in (hidden["f"], long, lambda x: [y for y in x if y]):
        with pytest.raises(TypeError, match=r"^The truth is not known while ag\.jit records.* It is Traced\(shape \(\), (bool|float64)\): write ag\.where"):
            ag.jit(f)(X)
    with pytest.raises(TypeError, match=r"^The truth( of x\[0\] > 0( and x\[1\] > 0)?)? is not known"):  # by the version of Python
        ag.jit(conjunction)(X)


# ---------------------------------------------------------------------- what outlives the recording


class Holder:
    def __init__(self, x):
        self.x = x


HELD = [
    (lambda x: {x[0] * 2}, "a set that holds a recorded value (an element)"),
    (lambda x: {x[0]: 1.0}, "a dict that holds a recorded value (a key)"),
    (lambda x: [1.0, {"a": {x[0]: 1.0}}], "a list that holds a recorded value ([1]['a'] a key)"),
    (lambda x: (x, Holder([x])), "a Holder that holds a recorded value (x[0])"),
    (lambda x: lambda: x + 1, "a function that holds a recorded value (its variable x)"),
    (lambda x: Holder(x).__init__, "a method that holds a recorded value (__self__.x)"),
    (lambda x: functools.partial(np.add, x), "a partial that holds a recorded value (an argument of it)"),
    (lambda x: Holder(ag.Tensor(x)), "a Holder that holds a recorded value (x)"),
]  # fmt: skip


@pytest.mark.parametrize("f,words", HELD)
def test_a_result_that_holds_recorded_values_is_refused(f, words):
    with pytest.raises(TypeError) as raised:
        ag.jit(f)(X)
    assert f"the function returns {words}, in a place where no result can be put: return arrays" in str(raised.value)


async def waited(x):
    return x


async def yielded(x):
    yield x


@pytest.mark.parametrize("f,kind", [
    (lambda x: (x * i for i in range(2)), "generator"), (lambda x: [1.0, map(abs, x)], "map"), (lambda x: iter([x]), "list_iterator"),
    (waited, "coroutine"), (yielded, "async_generator"),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_what_computes_later_is_no_result(f, kind):
    with pytest.raises(TypeError, match=f"the function returns a {kind}, which computes .* after the recording has ended: return"):
        ag.jit(f)(X)


def test_objects_without_recorded_values_are_results():
    held = Holder([1.0, np.ones(2)])
    held.self = held
    held.f = lambda: held
    assert ag.jit(lambda x: (x, held, {1, 2}, len, np))(X)[1:] == (held, {1, 2}, len, np)


def test_a_traced_value_that_is_used_after_its_call():
    kept = []
    ag.jit(lambda x: kept.append(x * 2))(X)
    (x,) = kept
    for use in (lambda: x + 1, lambda: np.sin(x), lambda: x.sum(), lambda: ag.Tensor(x) * 2, lambda: np.isnan(x), lambda: x @ X):
        with pytest.raises(RuntimeError, match=r"Traced\(shape \(3,\), float64\) was recorded by ag.jit and is used after .*test_tracing.py:\d+: .*let the compiled"):
            use()


SHAPES = [
    lambda n: np.zeros(n), lambda n: np.ones((2, n)), lambda n: np.full(n, 1.0), lambda n: np.arange(n), lambda n: np.eye(n),
    lambda n: np.arange(0, n, 2), lambda n: np.linspace(0, 1, n), lambda n: np.ones(6).reshape(n, 3), lambda n: np.tile(X, n),
]  # fmt: skip


@pytest.mark.parametrize("f", SHAPES)
def test_a_shape_that_is_traced_is_refused_at_the_users_line(f):
    with pytest.raises(TypeError) as raised:
        ag.jit(f)(2)
    text = str(raised.value)
    assert text.startswith("The integer that ")
    assert f" is not known while ag.jit records the function, at {__file__}:{_line(f)}: " in text
    assert "name the argument in static_argnums" in text
    assert np.shape(ag.jit(f, static_argnums=0)(2)) == np.shape(f(2))


def test_an_error_of_the_users_own_is_not_covered():
    """Only what NumPy says in place of the error is replaced by it."""

    def f(n):
        with contextlib.suppress(TypeError):
            np.zeros(n)
        raise TypeError("own")

    with pytest.raises(TypeError, match="^own$"):
        ag.jit(f)(2)
    with pytest.raises(TypeError, match="The array that .* is not known .* in place of np.vectorize.* write the function on the whole"):
        ag.jit(lambda x: np.vectorize(abs)(x))(X)

"""Index arrays in compiled functions: under vmap and in second derivatives, shared or one for each example, and read at each call."""

import numpy as np
import pytest

import ag
from ag.transforms.containers import leaves

RNG = np.random.default_rng(0)
X, Z, W = RNG.normal(size=(2, 2, 3)), RNG.normal(size=(4, 3)), RNG.normal(size=(2, 4, 5, 6))
ROWS, LABELS, FIRST, SECOND = np.arange(4), np.array([0, 1, 2, 0]), np.array([0, 3, 2]), np.array([5, 1, 1])


def same(actual, expected):
    for a, b in zip(leaves(actual), leaves(expected), strict=True):
        assert np.shape(a) == np.shape(b) and np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=1e-10)


SHARED = {  # with an index for each example, and one for all
    "in front": lambda x, y, i: x[i, y], "a column": lambda x, y, i: x[i[:, None], y], "behind": lambda x, y, i: x[y % 2, i[:, None]],
    "added": lambda x, y, i: ag.Tensor(x).at[i, y].add(1.0) if isinstance(x, np.ndarray) else x.at[i, y].add(1.0),
    "with numbers": lambda x, y, i: x[1, y] + x[i, 0].sum(),
}  # fmt: skip


@pytest.mark.parametrize("name", SHARED)
def test_an_index_for_all_examples_beside_one_for_each(name):
    f, y, i = SHARED[name], np.array([[0, 1], [2, 0]]), np.array([0, 1])
    gradient = ag.grad(lambda x, y, i: (f(x, y, i) ** 2).sum())
    for g in (f, gradient) if name != "added" else (gradient,):
        mapped = ag.vmap(g, in_axes=(0, 0, None))
        same(mapped(X, y, i), np.stack([g(x, k, i) for x, k in zip(X, y, strict=True)]))
        same(ag.jit(mapped)(X, y, i), mapped(X, y, i))


FUNCTIONS = {
    "rows": lambda z, y: np.exp(z)[ROWS, y].sum(), "columns": lambda z, y: (z[:, y] ** 3).sum(),
    "take": lambda z, y: np.sum(ag.take(z, y, axis=1) ** 3), "along": lambda z, y: np.sum(np.take_along_axis(z, y[:, None], 1) ** 3),
    "added": lambda z, y: np.sum(z.at[ROWS, y].add(z[:, 0]) ** 3), "set": lambda z, y: np.sum(z.at[ROWS, y].set(z[:, 1]) ** 3),
    "losses": lambda z, y: ag.cross_entropy(z, y), "residuals": lambda z, y: np.sum(ag.softmax(z)[ROWS, y] ** 2),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_transforms_of_what_is_taken_by_a_traced_index(name):
    f, two = FUNCTIONS[name], np.stack([Z, 2 * Z])
    labels = np.stack([LABELS, LABELS[::-1]])
    for g, args in (
        (ag.hessian(f), (Z, LABELS)), (ag.jacfwd(ag.grad(f)), (Z, LABELS)), (ag.vmap(ag.grad(f), in_axes=(0, None)), (two, LABELS)),
        (ag.vmap(ag.grad(f)), (two, labels)), (ag.vmap(ag.grad(f), in_axes=(None, 0)), (Z, labels)),
    ):  # fmt: skip
        same(ag.jit(g)(*args), g(*args))


APART = {  # arrays with a slice between them: NumPy has their axes in front
    "apart": lambda w, i, j: w[i, :, j], "by dots": lambda w, i, j: w[i, ..., j], "side by side": lambda w, i, j: w[:, i, j],
    "beside a number": lambda w, i, j: w[i, 0, j], "a number apart": lambda w, i, j: w[1, :, j],
    "added": lambda w, i, j: w.at[i, :, j].add(w[i, :, j] * 2), "set": lambda w, i, j: w.at[i, :, j].set(np.ones((3, 5))),
}  # fmt: skip


@pytest.mark.parametrize("name", APART)
def test_index_arrays_apart_under_vmap(name):
    f = APART[name]
    g = ag.grad(lambda w, i, j: (f(w, i, j) ** 2).sum())
    mapped = ag.vmap(g, in_axes=(0, None, None))
    same(mapped(W, FIRST, SECOND), np.stack([g(w, FIRST, SECOND) for w in W]))
    same(ag.jit(mapped)(W, FIRST, SECOND), mapped(W, FIRST, SECOND))


def test_an_index_that_changes_under_vmap():
    index, each = np.array([0, 1]), np.array([[0, 1], [1, 1]])
    f = ag.jit(ag.vmap(lambda z: z[index]))
    g = ag.jit(lambda z: ag.vmap(lambda z, i: z[i])(z, each))
    for new in ([0, 1], [2, 2], [-1, 0]):
        index[:] = each[0] = new
        same(f(Z), Z[:, index])
        same(g(Z[:2]), np.stack([Z[0, each[0]], Z[1, each[1]]]))


def test_an_index_that_names_an_element_twice_is_refused():
    f = ag.jit(ag.grad(lambda z, y: np.sum(z.at[y, 0].set(1.0) ** 2)))
    same(f(Z, np.array([0, 2])), ag.grad(lambda z, y: np.sum(z.at[y, 0].set(1.0) ** 2))(Z, np.array([0, 2])))
    with pytest.raises(ValueError, match="names an element twice"):
        f(Z, np.array([0, -4]))


@pytest.mark.parametrize("dtype", [bool, np.int32, np.uint8, np.int64])
def test_logits_that_are_integers(dtype):
    u = np.array([[1, 0, 1], [1, 1, 0]]).astype(dtype)
    for f in (ag.softmax, ag.log_softmax, ag.logsumexp, lambda u: ag.cross_entropy(u, np.array([0, 2])), np.var, np.nan_to_num):
        same(ag.jit(f)(u), f(u))


@pytest.mark.parametrize("dtype", [bool, np.int32, np.uint8, np.int64])
def test_questions_about_integers(dtype):
    u = np.array([[1, 0, 1], [1, 1, 0]]).astype(dtype)
    for f in (np.isfinite, np.isnan, np.isinf, np.signbit, lambda u: u > 0, lambda u: np.sum(u, axis=1, keepdims=True).sum(axis=1)):
        try:
            expected = f(u)
        except TypeError:  # NumPy has no sign bit of integers
            continue
        same(ag.jit(f)(u), expected)


def test_derivatives_in_float16():
    """Whether they are finite is looked at, too."""
    z = np.ones((2, 3), np.float16)
    for f in (lambda z: z.max(axis=0).sum(), lambda z: z[np.arange(2), np.array([0, 2])].sum(), lambda z: np.where(z > 0, np.sqrt(z), z).sum()):
        same(ag.jit(ag.grad(f))(z), ag.grad(f)(z))


def test_masks_and_other_byte_orders_among_indices():
    mask = np.array([False, True, True, False])
    for f in (
        lambda z: z[mask, np.arange(2)] * 2, lambda z: z[mask], lambda z: z[mask] + z[np.arange(2)],
        lambda z: z[np.arange(4).astype(">i8"), LABELS], lambda z: z[ROWS, LABELS.astype(">i4")],
    ):  # fmt: skip
        compiled = ag.jit(ag.value_and_grad(lambda z, f=f: np.sum(f(z) ** 2)))
        for new in ([False, True, True, False], [True, False, False, True], [False, True, True, False]):
            mask[:] = new
            same(compiled(Z), ag.value_and_grad(lambda z, f=f: np.sum(f(z) ** 2))(Z))


def test_large_arrays_of_a_program_are_no_text():
    """Row numbers that are read as numbers, too: they are given at each call, not written into the code."""
    n = 50_000
    z, y, rows = RNG.normal(size=(n, 3)), RNG.integers(0, 3, n), np.arange(n)
    total = ag.value_and_grad(lambda z, y: (np.exp(z)[rows, y] * z[rows, 0]).sum() + (z[rows[:-1]] ** 2).sum())
    compiled = ag.jit(total)
    same(compiled(z, y), total(z, y))
    assert len(compiled.show(z, y).ir) < 200_000


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_rows(n):
    """Nothing of them goes through NumPy."""
    f = ag.jit(lambda z, y: z[np.arange(n), y])
    same(f(Z[:n], LABELS[:n]), Z[np.arange(n), LABELS[:n]])
    assert {step.kind for step in f.show(Z[:n], LABELS[:n]).steps} == {"kernel"}


def test_a_label_that_is_none_does_not_question_the_rows():
    f = ag.jit(lambda z, y: z[ROWS, y])
    f(Z, LABELS)
    with ag.debug(), pytest.warns(UserWarning, match="computed without the compiler"), pytest.raises(IndexError, match="out of bounds"):
        f(Z, LABELS + 2)
    assert len(f.entries) == 1 and f.rising


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "u4", "i4", "u8"])
def test_indices_of_every_dtype(dtype):
    """Also where one part is added after another, of which code computes the first and NumPy the second."""
    rising, index, z = np.array([0, 1], dtype), np.array([0, 1, 1], dtype), np.arange(3.0)
    for f in (lambda z, i: z[rising] * z[i[1:]], lambda z, i: z.at[1:].add(1.0).at[i].add(2.0), lambda z, i: z.at[i].add(z[i]).at[rising].add(0.5)):
        total = ag.value_and_grad(lambda z, i, f=f: np.sum(f(z, i) ** 3))
        same(ag.jit(total)(z, index), total(z, index))


def test_what_is_added_to_integers_is_not_cut_off():
    """As what is set: the result has the dtype of both."""
    number, several = np.array([0, 2]), np.array([0, 0, 2])
    for f, expected in (
        (lambda x: x.at[0].add(0.5), [0.5, 1.0, 2.0]), (lambda x: (x * 2).at[several].add(0.5), [1.0, 2.0, 4.5]),
        (lambda x: x.at[0].add(1).at[1].add(0.5).at[1:].add(x[1:]), [1.0, 2.5, 4.0]), (lambda x: x.at[number].add(x[1:] * 0.25), [0.25, 1, 2.5]),
        (lambda x: x.at[0].add(np.int8(3)), [3, 1, 2]), (lambda x: x.at[0].set(0.5), [0.5, 1.0, 2.0]),
    ):  # fmt: skip
        for result in (f(ag.Tensor(np.arange(3))).value, ag.jit(f)(np.arange(3))):
            same(result, np.array(expected))


def test_what_is_added_is_broadcast():
    """By hand, as NumPy's add.at reads behind a shorter array."""
    index, v = np.array([[0, 1, 2], [2, 2, 4]]), np.array([1.0, 10.0, 100.0])
    for f in (lambda x: x.at[index].add(v), lambda x: ag.jit(lambda x: x.at[index].add(v))(x)):
        np.testing.assert_array_equal(f(ag.Tensor(np.arange(5.0))).value, [1, 11, 113, 3, 104])


def test_numbers_that_the_program_does_not_hold_for_where_f_uses_at():
    """Arrays have no x.at, with which f is computed by itself."""
    f = ag.jit(lambda x, i: {"sum": x.at[i].add(1.0), "index": i})
    same(f(np.zeros(3), np.array([1, 1])), {"sum": np.array([0.0, 2.0, 0.0]), "index": np.array([1, 1])})
    with pytest.raises(IndexError, match="out of bounds"):
        f(np.zeros(3), np.array([1, 7]))
    with pytest.raises(ValueError, match="names an element twice"):
        ag.jit(lambda x, i: x.at[i].set(1.0))(np.zeros(3), np.array([1, 1]))


def test_a_chain_of_additions_is_written_once():
    def f(x, i):
        for _ in range(40):
            x = x.at[i].add(x[i] * 0.1)
        return x

    compiled, i = ag.jit(f), np.array([1, 2, 2, 5])
    same(compiled(np.ones(9), i), f(ag.Tensor(np.ones(9)), i).value)
    assert len(compiled.show(np.ones(9), i).steps) <= 4 * 40


def test_indices_of_several_levels_of_vmap():
    outer, inner = np.array([0, 1]), np.array([[0, 1, 2], [2, 1, 0]])

    def f(i, j):
        return ag.Tensor(np.zeros((2, 3))).at[i[None], j[None]].set(1.0)

    mapped = ag.vmap(lambda i, js: ag.vmap(lambda j: f(i, j))(js))(outer, inner)
    expected = [[f(i, j).value for j in js] for i, js in zip(outer, inner, strict=True)]
    same(mapped.value, np.array(expected))

"""vmap is a loop over examples: for every row of the table, its derivatives, and for whole programs."""

import numpy as np
import pytest

import ag
from ag.operators.batching import one_by_one
from ag.operators.table import COMPOSITES, TABLE
from ag.transforms.containers import leaves, rebuilt
from ag.transforms.defining import OWN
from test_table import DIFFERENTIABLE, ENTRIES, Case, cases

EXAMPLES = 3
VARYING = [name for name, entry in COMPOSITES.items() if entry.varying]
BATCHED = [name for name in ENTRIES if name not in VARYING]
SMOOTH = [name for name in DIFFERENTIABLE if name not in VARYING]


def examples(name, k):
    """The sample of a row several times, with other numbers."""
    case = Case(name, k)
    alike = []
    for seed in range(EXAMPLES):
        everything = leaves(list(ENTRIES[name].samples(np.random.default_rng(seed))[k][0]))
        alike.append([everything[i] for i in case.places])
    return case, alike


def subsets(n):
    """All arguments batched; each of them alone."""
    return [tuple(range(n)), *((i,) for i in range(n) if n > 1)]


def same(actual, expected, rtol=1e-12):
    assert len(leaves(actual)) == len(leaves(expected))
    for x, y in zip(leaves(actual), leaves(expected), strict=True):
        assert np.shape(x) == np.shape(y) and np.asarray(x).dtype == np.asarray(y).dtype
        np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-13)


def test_no_row_is_applied_to_one_example_after_another():
    """A row that is not elementwise says what it does with a batch; the loop is for rows of people's own."""
    loops = {"least_squares"}  # LAPACK's is for one matrix
    assert {name for name, op in TABLE.items() if op.batch is one_by_one and name not in OWN} == loops


def stacked(results):
    return rebuilt(results[0], [np.stack(xs) for xs in zip(*map(leaves, results), strict=True)])


def batches(case, alike):
    """Arguments with in_axes, and the same as a list of examples."""
    for chosen in subsets(len(case.places)):
        axes = tuple(0 if i in chosen else None for i in range(len(case.places)))
        args = tuple(np.stack([x[i] for x in alike]) if i in chosen else alike[0][i] for i in range(len(case.places)))
        each = [tuple(x[i] if i in chosen else alike[0][i] for i in range(len(case.places))) for x in alike]
        yield axes, args, each


@pytest.mark.parametrize("name,k", cases(BATCHED))
def test_vmap_is_a_loop(name, k):
    case, alike = examples(name, k)
    if not case.places:
        pytest.skip("no float argument")
    for axes, args, each in batches(case, alike):
        same(ag.vmap(case, axes)(*args), stacked([case(*xs) for xs in each]))


@pytest.mark.parametrize("name", VARYING)
def test_a_shape_that_depends_on_values_is_refused(name):
    case = Case(name, 0)
    with pytest.raises(TypeError, match=rf"the result of np\.{name} has a shape that depends on the values, in which the examples of ag\.vmap differ"):
        ag.vmap(case, 0)(*[np.stack([x, x]) for x in case.floats])


@pytest.mark.parametrize("name,k", cases(SMOOTH))
def test_vmap_of_derivatives_is_a_loop(name, k):
    case, alike = examples(name, k)
    rng = np.random.default_rng(7)
    y = case(*alike[0])
    weights = rebuilt(y, [rng.normal(size=np.shape(z))[()] for z in leaves(y)])
    tangents = tuple(rng.normal(size=np.shape(x))[()] for x in alike[0])

    def pulled(*xs):
        return ag.vjp(case, *xs)[1](weights)

    def pushed(*xs):
        return ag.jvp(case, xs, tangents)[1]

    def second(*xs):
        return ag.jvp(pulled, xs, tangents)[1]

    for derivative in (pulled, pushed, second):
        for axes, args, each in batches(case, alike):
            same(ag.vmap(derivative, axes)(*args), stacked([derivative(*xs) for xs in each]), 1e-10)


@pytest.mark.parametrize("name,k", cases(SMOOTH))
def test_derivatives_of_vmap_are_those_of_a_loop(name, k):
    """Also where the arguments are nodes, and where an argument is the same for all examples."""
    case, alike = examples(name, k)
    rng = np.random.default_rng(7)
    for axes, args, each in batches(case, alike):
        expected_value = stacked([case(*xs) for xs in each])
        weights = rebuilt(expected_value, [rng.normal(size=np.shape(z)) for z in leaves(expected_value)])
        value, pullback = ag.vjp(ag.vmap(case, axes), *args)
        same(value, expected_value)
        loop = [ag.vjp(case, *xs)[1](rebuilt(weights, [w[n][()] for w in leaves(weights)])) for n, xs in enumerate(each)]
        expected = [
            np.stack(cs) if axis == 0 else np.sum(cs, axis=0) for axis, cs in zip(axes, zip(*loop, strict=True), strict=True)
        ]
        for actual, c in zip(pullback(weights), expected, strict=True):
            np.testing.assert_allclose(actual, c, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name,k", cases(SMOOTH))
def test_both_jacobians_are_the_rows_of_pullbacks(name, k):
    """A batch of cotangents or tangents over a graph that is not batched itself."""
    case = Case(name, k)
    numbers = tuple(range(len(case.floats)))
    y, pullback = ag.vjp(case, *case.floats)
    ends = leaves(y)
    expected = []
    for i, z in enumerate(ends):
        rows = []
        for position in np.ndindex(np.shape(z)):
            unit = [np.zeros(np.shape(other)) for other in ends]
            unit[i][position] = 1.0
            rows.append(pullback(rebuilt(y, [u[()] for u in unit])))
        for j, x in enumerate(case.floats):
            expected.append(np.array([row[j] for row in rows]).reshape(np.shape(z) + np.shape(x)))
    for transform in (ag.jacfwd, ag.jacrev, ag.jacobian):
        blocks = leaves(transform(case, numbers)(*case.floats))
        for actual, block in zip(blocks, expected, strict=True):
            assert np.shape(actual) == block.shape
            np.testing.assert_allclose(actual, block, rtol=1e-10, atol=1e-12)

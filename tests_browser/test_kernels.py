"""The engine's numbers in JavaScript: every kernel, and every row of the table in a graph that is computed again."""

import itertools
import math

import numpy as np
import pytest

import ag
from ag.explanation.assets import asset
from ag.explanation.kernels import NotPrintable, javascript
from ag.explanation.live import Program
from ag.explanation.quantities import Graph
from ag.node import Node
from ag.operators import everything
from ag.operators.rules import FUNCTIONS, Bilinear, Elementwise, Linear, Missing, Zero
from ag.operators.table import COMPOSITES, TABLE
from ag.transforms.containers import leaves, rebuilt

everything()
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, 1.5, -2.5, 3.0, math.inf, -math.inf, math.nan, 1e-310, 1e300, -1e4, 710.0, 0.1, 1e-9, -0.7)
ELEMENTWISE = [name for name, op in TABLE.items() if isinstance(op.rule, (Elementwise, Zero)) and op.kernel]
ENTRIES = {**TABLE, **COMPOSITES}


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=asset("kernels.js") + asset("live.js"))
    yield page
    page.close()


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_kernel_gives_the_numbers_of_numpy(page, name):
    op = TABLE[name]
    arity = len(op.samples(np.random.default_rng(0))[0][0]) if name != "clip" else 3
    values = SPECIAL if arity < 3 else SPECIAL[:12]
    points = [list(point) for point in itertools.product(values, repeat=arity)]
    rng = np.random.default_rng(1)
    points += [[float(np.ravel(x)[0]) for x in args] for args, _ in op.samples(rng) if all(map(np.size, args))] * (name != "clip")
    given = page.evaluate(f"(points) => points.map(([x, y, z]) => {javascript(op.kernel)})", points)
    with np.errstate(all="ignore"):
        expected = [float(op.forward(*map(np.float64, point))) for point in points]
    for point, x, y in zip(points, given, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-13, atol=0, err_msg=f"{name}{tuple(point)}")


def node(x):
    return ag.Scalar(float(x)) if np.ndim(x) == 0 else ag.Tensor(x)


def graph_of(name, args, params):
    """A number computed by one entry of the table from leaves of the given values."""
    rule = getattr(ENTRIES[name], "rule", None)
    missing = [isinstance(p, Missing) for p in (rule.partials if isinstance(rule, Elementwise) else ())]
    inputs = [node(x) if is_float(x) and not (missing and missing[i]) else x for i, x in enumerate(leaves(list(args)))]
    outputs = leaves(FUNCTIONS[name](*rebuilt(list(args), inputs), **params))
    weights = np.random.default_rng(2)
    terms = [(y * weights.normal(size=np.shape(y.value))).sum() for y in outputs if isinstance(y, Node)]
    return Graph(sum(terms[1:], terms[0]) * 1.0) if terms else None


def is_float(x):
    return isinstance(x, (float, np.ndarray, np.floating)) and np.asarray(x).dtype.kind == "f"


def plain(x):
    """A number or array as the program has it."""
    return float(x) if np.ndim(x) == 0 else {"shape": list(np.shape(x)), "data": np.ravel(x).tolist()}


def numbers(x):
    return x if isinstance(x, (int, float)) else np.reshape(x["data"], x["shape"])


def compare(page, graph, text):
    """All values, derivatives and terms of a graph against those of a program that was printed for another."""
    start = {str(q.number): plain(q.value) for q in graph.quantities if q.op is None}
    result = page.evaluate(f"(leaves) => {{ {text} return evaluate(program, leaves); }}", start)
    for q in graph.quantities:
        z, g = numbers(result["z"][str(q.number)]), numbers(result["g"][str(q.number)])
        np.testing.assert_allclose(z, q.value, rtol=1e-12, atol=1e-14, err_msg=f"the value of {q!r}")
        np.testing.assert_allclose(g, q.adjoint, rtol=1e-12, atol=1e-14, err_msg=f"the derivative of {q!r}")
        assert np.shape(z) == q.shape == np.shape(g)
        for expected in q.terms:
            term = result["terms"][f"{expected.consumer.number}.{expected.position}"]
            np.testing.assert_allclose(numbers(term["value"]), expected.value, rtol=1e-12, atol=1e-14)
            assert term["depends"] == expected.depends
            if expected.partial is not None and q.shape == ():
                np.testing.assert_allclose(numbers(term["partial"]), expected.partial.value, rtol=1e-12, atol=1e-14)


CASES = [
    pytest.param(name, k, id=f"{name}-{k}")
    for name, entry in ENTRIES.items()
    if getattr(entry, "records", True)
    for k in range(len(entry.samples(np.random.default_rng(0))))
]
LIVE, WHY_NOT = set(), {}
REASONS = ("was fixed before it entered", "otherwise for other numbers", "has no kernel", "of no elements", "complex numbers")


@pytest.mark.parametrize("name,k", CASES)
def test_every_row_is_computed_again(page, monkeypatch, name, k):
    """Printed at one sample of its domain, evaluated at that and at two others."""
    graphs = []
    for seed in (0, 1, 2):
        args, params = ENTRIES[name].samples(np.random.default_rng(seed))[k]
        if seed and any(not is_float(x) for x in leaves(list(args))):
            continue  # an index or a condition is a constant of the graph
        try:
            graphs.append(graph_of(name, args, params))
        except TypeError as error:
            assert "complex" in str(error)
            WHY_NOT[name] = "it is not explained either"
            return
    monkeypatch.setattr("ag.explanation.live.SLIDERS", 1000)
    try:
        text = Program(graphs[0]).text()
    except NotPrintable as error:
        assert any(reason in str(error) for reason in REASONS), error
        WHY_NOT[name] = str(error)
        return
    LIVE.add(name)
    for graph in graphs:
        compare(page, graph, text)


def test_rows_with_a_kernel_and_linear_rows_are_computed_again():
    """What the test before found: where such a row can't be, it is told by something fixed, complex, or has a derivative without a kernel."""
    able = {name for name, op in TABLE.items() if op.records and (op.kernel or isinstance(op.rule, (Linear, Bilinear)))}
    for name in able - LIVE:
        assert f"the row {name!r} has no kernel" not in WHY_NOT[name]  # that of its derivative may have none
        assert "of no elements" not in WHY_NOT[name] and "for other numbers" not in WHY_NOT[name]
    assert {"softmax", "cross_entropy_of_labels", "matmul", "getitem", "stack", "sum", "max", "logsumexp", "norm", "std"} <= LIVE

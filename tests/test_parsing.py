"""Expressions as text: what they become, what they are worth, and what is said of those that are none."""

import math
import operator
import warnings

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings, strategies as st

import ag
from ag.explanation import vocabulary
from ag.explanation.parsing import assignments, parse, read
from ag.explanation.pointing import ExpressionError
from ag.operators.table import TABLE

RUNNING = "log(1+exp(-(x+y)))*(x+y)"


def graph(node):
    """What a node stands on, in the order of creation: (operator or label, numbers of the inputs or constants)."""
    seen, stack = {}, [node]
    while stack:
        x = stack.pop()
        if x not in seen:
            seen[x] = None
            stack.extend(y for y in x.inputs if isinstance(y, ag.node.Node))
    order = sorted(seen, key=lambda x: x.number)
    names = {x: f"z{i}" for i, x in enumerate(order, 1)}
    return [(x.op.name if x.op else x.label, *(names.get(y, y) if isinstance(y, ag.node.Node) else y for y in x.inputs)) for x in order]


# ---------------------------------------------------------------------- the graph


def test_the_running_example():
    f = parse(RUNNING, {"x": 2.0, "y": 1.0})
    assert graph(f) == [
        ("x",), ("y",), ("add", "z1", "z2"), ("negative", "z3"), ("exp", "z4"), ("add", 1, "z5"), ("log", "z6"),
        ("multiply", "z7", "z3"),
    ]  # fmt: skip
    assert type(f.inputs[0].inputs[0].inputs[0]) is int, "the constant 1 is 1, as in a program"
    x, y = ag.Scalar(2.0, label="x"), ag.Scalar(1.0, label="y")
    s = x + y
    assert graph(f) == graph(ag.log(1 + ag.exp(-s)) * s)
    assert f.value == pytest.approx(math.log1p(math.exp(-3)) * 3, rel=1e-14)


def test_where_each_node_stands():
    expression = read(RUNNING, {"x": 2.0, "y": 1.0})
    texts = [expression.text[start:stop] for start, stop in expression.spans.values()]
    assert texts == ["x", "y", "x+y", "-(x+y)", "exp(-(x+y))", "1+exp(-(x+y))", "log(1+exp(-(x+y)))", RUNNING]
    assert list(expression.leaves) == ["x", "y"]
    expression.node.backward()
    assert expression.leaves["x"].grad == pytest.approx(-0.09369026795895842, rel=1e-12)
    assert expression.node.source is None, "no line of a program made it"


@pytest.mark.parametrize("text, expected", [
    ("b*a", [("b",), ("a",), ("multiply", "z1", "z2")]),  # leaves in the order in which they occur
    ("2*3*a*b", [("a",), ("b",), ("multiply", 6, "z1"), ("multiply", "z3", "z2")]),
    ("a*b + b*a", [("a",), ("b",), ("multiply", "z1", "z2"), ("multiply", "z2", "z1"), ("add", "z3", "z4")]),
    ("sin(a*b)+sin((a * b))", [("a",), ("b",), ("multiply", "z1", "z2"), ("sin", "z3"), ("add", "z4", "z4")]),
    ("a*1 + a*1.0 + b", [("a",), ("b",), ("multiply", "z1", 1), ("add", "z3", "z3"), ("add", "z4", "z2")]),
    ("a*0.0 + a*-0.0 + b", [("a",), ("b",), ("multiply", "z1", 0.0), ("multiply", "z1", -0.0), ("add", "z3", "z4"), ("add", "z5", "z2")]),
    ("where(a>0,a,b) + where(b>0,a,b)", [("a",), ("b",), ("where", True, "z1", "z2"), ("where", True, "z1", "z2"), ("add", "z3", "z4")]),
    ("where(a>0,a,b) * where(a > 0,a,b)", [("a",), ("b",), ("where", True, "z1", "z2"), ("multiply", "z3", "z3")]),
    ("log(softmax([a,b]))[0]", [("a",), ("b",), ("stack", "z1", "z2"), ("log_softmax", "z3"), ("getitem", "z4")]),
    ("cross_entropy([a,b,0],2)", [("a",), ("b",), ("stack", "z1", "z2", 0), ("cross_entropy_of_labels", "z3", 2)]),
    ("[a,b]@[a,b]", [("a",), ("b",), ("stack", "z1", "z2"), ("matmul", "z3", "z3")]),
    ("[a,b][0]+[a,b][1]+[a,b][-1]", [("a",), ("b",), ("stack", "z1", "z2"), ("getitem", "z3"), ("getitem", "z3"), ("add", "z4", "z5"), ("getitem", "z3"), ("add", "z6", "z7")]),
    ("arcsin(a)+asin(a)+b", [("a",), ("b",), ("asin", "z1"), ("add", "z3", "z3"), ("add", "z4", "z2")]),
])  # fmt: skip
def test_graphs(text, expected):
    found = graph(parse(text, {"a": 0.5, "b": 0.25}))
    assert found == expected
    assert [[math.copysign(1, x) for x in row if type(x) is float] for row in found] == [[math.copysign(1, x) for x in row if type(x) is float] for row in expected]


def test_a_node_is_taken_as_it_is():
    x = ag.Scalar(3.0, label="mine")
    f = parse("x*x + y", {"x": x, "y": 1.0})
    f.backward()
    assert x.grad == 6.0 and graph(f)[0] == ("mine",)


def test_vectors_and_matrices_as_values():
    W = np.array([[1.0, 2.0, 0.0], [0.0, -1.0, 3.0]])
    e = read("cross_entropy([x, 1] @ W, y) + norm(W)", {"x": 2, "W": W, "y": 1})
    assert e.leaves["W"].label == "W" and type(e.leaves["W"]) is ag.Tensor and list(e.leaves) == ["x", "W"]
    z = np.array([2.0, 1.0]) @ W
    assert e.node.value == pytest.approx(scipy.special.logsumexp(z) - z[1] + np.linalg.norm(W), rel=1e-12)
    e = read("sum(v*v)", {"v": np.arange(3)})
    assert e.node.value == 5.0 and e.leaves["v"].dtype == float
    assert read("sum(v)", {"v": np.ones(2, np.float32)}).leaves["v"].dtype == np.float32
    labels = {"W": W, "y": np.array([0, 2])}
    assert parse("cross_entropy(W, y)", labels).value == parse("cross_entropy(W, [0, 2])", {"W": W}).value
    assert parse("W[1, 2] + W[0][1] + W[-1,-1]", {"W": W}).value == 8.0


def test_names_beyond_ascii():
    e = read("α*x₁ + 日本·".replace("·", "*2"), {"α": 2.0, "x1": 3.0, "日本": 1.0})
    assert e.node.value == 8.0 and list(e.leaves) == ["α", "x1", "日本"]
    assert parse("x₁ + x1", {"x₁": 1.0}).value == 2.0, "one variable, as Python reads it"
    assert parse("π*r**2", {"r": 2.0}).value == 4 * math.pi


def test_a_value_goes_before_a_constant():
    assert parse("e*x", {"x": 1.0}).value == math.e
    assert parse("e*x + log", {"x": 1.0, "e": 2.0, "log": 5.0}).value == 7.0


def test_space_is_free():
    assert parse("  x +\n\ty ", {"x": 1.0, "y": 2.0}).value == 3.0


def test_long_and_deep():
    assert parse("+".join(["x"] * 700), {"x": 1.0}).value == 700
    assert parse("-" * 600 + "x", {"x": 1.0}).value == 1
    assert parse("(" * 100 + "x" + ")" * 100 + "*2", {"x": 1.0}).value == 2
    assert parse("sin(" * 80 + "x" + ")" * 80, {"x": 1.0}).value < 0.2


def test_ieee_without_a_word():
    """Warnings are errors here."""
    at = {"x": 0.0}
    for text, value in [("1/x", math.inf), ("-1/x", -math.inf), ("0/x", math.nan), ("log(x)", -math.inf), ("log(x-1)", math.nan),
                        ("(x-1)**0.5", math.nan), ("x + 1/0", math.inf), ("exp(x+1e3)", math.inf), ("x+9**9**9", math.inf),
                        ("x % 0", math.nan), ("x // 0", math.nan), ("sum(log([x, 1]))", -math.inf)]:  # fmt: skip
        assert np.array_equal(parse(text, at).value, value, equal_nan=True), text


# ---------------------------------------------------------------------- its value

XS = {"x": 2.0, "y": -0.75, "α": 0.3}
SUM, PRODUCT, UNARY, POWER, ATOM = range(1, 6)


def ieee(name):
    """A function of Python's math module, with NumPy's answer where Python raises."""

    def call(*args):
        try:
            return np.float64(getattr(math, name)(*map(float, args)))
        except (ValueError, OverflowError, ZeroDivisionError):
            return np.float64(getattr(np, name)(*args))

    return call


EXACT = {name: (ieee(name), 1) for name in "exp log sin cos tan sqrt tanh sinh cosh expm1 log1p log2 log10".split()} | {
    "hypot": (ieee("hypot"), 2), "abs": (np.abs, 1), "fabs": (np.abs, 1), "relu": (lambda x: np.maximum(x, 0), 1), "square": (np.square, 1),
    "maximum": (np.maximum, 2), "minimum": (np.minimum, 2), "clip": (np.clip, 3), "sign": (np.sign, 1), "floor": (np.floor, 1),
}  # fmt: skip
ROUNDED = {  # by other formulas than ag's, so to a last bit or two
    "sigmoid": (scipy.special.expit, 1), "softplus": (lambda x: np.logaddexp(x, 0), 1), "xlogy": (scipy.special.xlogy, 2),
    "logaddexp": (np.logaddexp, 2), "cbrt": (np.cbrt, 1), "arctan": (np.arctan, 1), "atan2": (np.arctan2, 2), "asinh": (np.arcsinh, 1),
}  # fmt: skip
VECTORS = {
    "sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "prod": np.prod, "norm": np.linalg.norm, "var": np.var,
    "logsumexp": scipy.special.logsumexp, "softmax": scipy.special.softmax, "log_softmax": scipy.special.log_softmax, "-": np.negative,
    "exp": np.exp, "2 * ": lambda x: 2 * x, "cumsum": np.cumsum,
}  # fmt: skip
BINARY = {"+": (np.add, SUM), "-": (np.subtract, SUM), "*": (np.multiply, PRODUCT), "/": (np.divide, PRODUCT),
          "%": (np.remainder, PRODUCT), "//": (np.floor_divide, PRODUCT)}  # fmt: skip
COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne}


def within(piece, level):
    """The text of (text, value, level) where at least ``level`` is needed."""
    text, _, own = piece
    return text if own >= level else f"({text})"


def applied(draw, functions, below):
    name = draw(st.sampled_from([*functions]))
    f, arity = functions[name]
    args = [draw(below) for _ in range(arity)]
    return f"{name}({', '.join(text for text, _, _ in args)})", np.float64(f(*(value for _, value, _ in args))), ATOM


@st.composite
def scalars(draw, depth=4):
    """An expression as text, its value by NumPy, and how tightly it binds."""
    below = scalars(depth=depth - 1)
    kind = draw(st.sampled_from(["name", "number"] + ["binary", "binary", "power", "minus", "call", "call", "where"] * (depth > 0)))
    if kind == "name":
        name = draw(st.sampled_from([*XS, "pi", "e"]))
        return name, np.float64(XS.get(name) or getattr(math, name)), ATOM
    if kind == "number":
        text = draw(st.sampled_from(["0", "1", "2", "3", "0.5", "1e-3", ".25", "7.", "1_0"]))
        return text, np.float64(text), ATOM
    if kind == "binary":
        sign = draw(st.sampled_from([*BINARY]))
        left, right, space = draw(below), draw(below), draw(st.sampled_from(["", " "]))
        f, level = BINARY[sign]
        return f"{within(left, level)}{space}{sign}{space}{within(right, level + 1)}", f(left[1], right[1]), level
    if kind == "power":
        left, right = draw(below), draw(below)
        return f"{within(left, ATOM)}**{within(right, UNARY)}", np.power(left[1], right[1]), POWER
    if kind == "minus":
        x = draw(below)
        return f"-{within(x, UNARY)}", -x[1], UNARY
    if kind == "call":
        return applied(draw, EXACT, below)
    a, b, sign, yes, no = draw(below), draw(below), draw(st.sampled_from([*COMPARE])), draw(below), draw(below)
    return f"where({a[0]} {sign} {b[0]}, {yes[0]}, {no[0]})", yes[1] if COMPARE[sign](a[1], b[1]) else no[1], ATOM


@st.composite
def expressions(draw):
    """A scalar or a vector: text and value."""
    kind = draw(st.sampled_from(["scalar", "scalar", "rounded", "vector"]))
    if kind == "scalar":
        return draw(scalars())[:2]
    if kind == "rounded":
        return applied(draw, ROUNDED, scalars(depth=3))[:2]
    elements = draw(st.lists(scalars(depth=2), min_size=1, max_size=3))
    name = draw(st.sampled_from([*VECTORS]))
    text, value = f"{name}([{', '.join(x[0] for x in elements)}])", VECTORS[name](np.array([x[1] for x in elements]))
    if np.ndim(value) and draw(st.booleans()):
        i = draw(st.integers(-len(elements), len(elements) - 1))
        return f"({text})[{i}]", value[i]
    return text, value


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_values_are_those_of_numpy(data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the oracles
        text, expected = data.draw(expressions())
    value = parse(f"where(x == 0, x*y*α, {text})", XS).value
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-300, err_msg=text)


@pytest.mark.parametrize("name", [name for name in TABLE if vocabulary.find(name) is not None])
def test_every_row_that_can_be_called_is_called_by_its_name(name):
    """With the samples of its row, written out as text."""
    function = vocabulary.find(name)
    args, params = TABLE[name].samples(np.random.default_rng(0))[0]
    if vocabulary.VECTOR in function.arguments:
        args = tuple(np.array([0.3, -1.25, 2.0]) for _ in function.arguments)
        params = {}
    assert not params
    texts = [f"{'>' if kind == vocabulary.CONDITION else ''}{np.asarray(x, float).tolist()!r}" for x, kind in zip(args, function.arguments, strict=True)]
    texts = [f"1{text}" if text.startswith(">") else text for text in texts]
    args = [1 > np.asarray(x, float) if kind == vocabulary.CONDITION else x for x, kind in zip(args, function.arguments, strict=True)]
    call = f"{name}({', '.join(texts)})"
    if function.conditional:
        call = f"where({call}, 1, 0)"
    result = parse(f"[x, 1] @ [1, 1] - 2 + {call}", {"x": 1.0}).value
    expected = getattr(ag, name, None) or vocabulary.FUNCTIONS[name]
    np.testing.assert_allclose(result, expected(*args), rtol=1e-12)

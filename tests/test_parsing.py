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
from ag.explanation.names import Name
from ag.explanation.parsing import assignments, parse, read
from ag.explanation.pointing import ExpressionError
from ag.explanation.syntax import REFUSED
from ag.operators import everything
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
    e = read("α*x₁ + 日本*2", {"α": 2.0, "x1": 3.0, "日本": 1.0})
    assert e.node.value == 8.0 and list(e.leaves) == ["α", "x1", "日本"]
    assert parse("x₁ + x1", {"x₁": 1.0}).value == 2.0, "one variable, as Python reads it"
    for label, latex in {"α": r"\alpha", "α₁": r"\alpha_{1}", "Ω2": r"\Omega_{2}", "x₁": "x_{1}", "W_1": "W_{1}", "ab1": r"\text{ab1}"}.items():
        assert Name.of(label)[:2] == (label, latex)
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


SAME = ("exp", "log", "sin", "cos", "tan", "sqrt", "tanh", "sinh", "cosh", "expm1", "log1p", "log2", "log10")
EXACT = {name: (ieee(name), 1) for name in SAME} | {
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
        parts = scalars(depth=0) if sign in ("%", "//") else below  # of computed ones a rounding becomes a whole step
        left, right, space = draw(parts), draw(parts), draw(st.sampled_from(["", " "]))
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


everything()
CALLED = [name for name in TABLE if vocabulary.find(name) is not None]


@pytest.mark.parametrize("name", CALLED)
def test_every_row_that_can_be_called_is_called_by_its_name(name):
    """With the samples of its row, written out as text."""
    function = vocabulary.find(name)
    args, params = TABLE[name].samples(np.random.default_rng(0))[0]
    if vocabulary.VECTOR in function.arguments:
        args, params = [np.array([0.3, -1.25, 2.0]) for _ in function.arguments], {}
    assert not params
    texts = [repr(np.asarray(x).tolist()) for x in args]
    for i, kind in enumerate(function.arguments):
        if kind == vocabulary.CONDITION:
            texts[i] = f"{np.asarray(args[i], int).tolist()} > 0"
    call = f"{name}({', '.join(texts)})"
    expected = vocabulary.FUNCTIONS[name](*args)
    if np.iscomplexobj(expected):
        with pytest.raises(ExpressionError, match="is complex: only what is real is explained"):
            parse(f"x + {call}", {"x": 1.0})
        return
    if function.conditional:
        call = f"where({call}, 1, 0)"
    result = parse(f"[x, 1] @ [1, 1] - 2 + {call}", {"x": 1.0}).value
    np.testing.assert_allclose(result, expected, rtol=1e-12)


def test_what_can_be_called():
    """Everything that takes numbers, truth values or one vector; nothing that only moves elements about or takes shapes."""
    assert {"exp", "erf", "sinc", "where", "softmax", "matmul", "logical_and", "cumulative_sum", "heaviside"} <= set(CALLED)
    assert not {"reshape", "concat", "stack", "getitem", "astype", "residual", "argument", "einsum", "pad", "real", "conj"} & set(CALLED)
    assert vocabulary.find("where").arguments == ("condition", "numbers", "numbers")
    assert vocabulary.find("polygamma").arguments == ("order", "numbers")
    assert set(CALLED) <= set(vocabulary.names())


# ---------------------------------------------------------------------- what is no expression

ERRORS = [
    # Python's grammar beyond expressions
    ("x^2", "^ is no power here: write ** (x**2)", "^^^"),
    ("x & y", "& has no meaning for numbers: of two conditions write logical_and(x > 0, y > 0)", "^^^^^"),
    ("|x", "this can't stand here: write numbers, variables and functions with operators between them", "^"),
    ("x|y", "| has no meaning for numbers: write abs(x) for an absolute value, logical_or(x > 0, y > 0) of two conditions", "^^^"),
    ("~x", "~ has no meaning for numbers: of a condition write logical_not(x > 0)", "^^"),
    ("x<<y", "<< has no meaning for numbers: write x * 2**n", "^^^^"),
    ("x>>y", ">> has no meaning for numbers: write x / 2**n", "^^^^"),
    ("x is y", "'is' compares no numbers: write ==", "^^^^^^"),
    ("x is not y", "'is not' compares no numbers: write !=", "^^^^^^^^^^"),
    ("x in y", "'in' has no meaning for numbers: compare with ==, <, <=, > or >=", "^^^^^^"),
    ("x not in y", "'not in' has no meaning for numbers: compare with ==, <, <=, > or >=", "^^^^^^^^^^"),
    ("x + (lambda: y)()", "only functions are called, by their names: for a product write (lambda: y)*()", "    ^^^^^^^^^^^^^"),
    ("lambda: x", "an expression defines no functions: write the formula itself", "^^^^^^^^^"),
    ("sum([x for x in y])", "an expression has no loops: write the elements out, [x, y, z]", "    ^^^^^^^^^^^^^^"),
    ("sum(x for x in y)", "an expression has no loops: write the terms out, x + y + z", "   ^^^^^^^^^^^^^^"),
    ("{x for x in y}", "an expression has no loops: write the elements out, [x, y, z]", "^^^^^^^^^^^^^^"),
    ("{x: y for x in y}", "an expression has no loops: write the elements out, [x, y, z]", "^^^^^^^^^^^^^^^^^"),
    ("{x + y}", "braces have no meaning here: write ( ) around a formula, [ ] around a vector", "^^^^^^^"),
    ("{x: y}", "braces have no meaning here: write ( ) around a formula, [ ] around a vector", "^^^^^^"),
    ("x, y", "several numbers make a vector in brackets: write [x, y]", "^^^^"),
    ("[*x, y]", "a star unpacks nothing here: write the elements out, [x, y, z]", " ^^"),
    ("max(*x)", "a star unpacks nothing here: write the elements out, [x, y, z]", "    ^^"),
    ("(z := x)", "an expression sets no variables: what occurs several times is computed once anyway", " ^^^^^^"),
    ("await x", "an expression awaits nothing: write the formula itself", "^^^^^^^"),
    ("(yield x)", "an expression yields nothing: write the formula itself", " ^^^^^^^"),
    ("(yield from x)", "an expression yields nothing: write the formula itself", " ^^^^^^^^^^^^"),
    ("x + f'{y}'", "this is no part of an expression: write numbers, variables and functions", "    ^^^^^^"),
    ("x + 'y'", "text is no number: variables are written without quotes", "    ^^^"),
    ("x + b'y'", "text is no number: variables are written without quotes", "    ^^^^"),
    ("x + None", "None is no number: write one, or the name of a variable", "    ^^^^"),
    ("x + ...", "... is no number: write one, or the name of a variable", "    ^^^"),
    ("x + True", "True is no number: write 1, or a condition such as x > 0", "    ^^^^"),
    ("x + 2j", "only real numbers are differentiated: leave out the j", "    ^^"),
    ("x if y > 0 else 0", "a choice is written where(y > 0, x, 0)", "^^^^^^^^^^^^^^^^^"),
    ("where(x > 0 and y > 0, x, y)", "conditions are joined by logical_and(x > 0, y > 0)", "      ^^^^^^^^^^^^^^^"),
    ("where(x > 0 or y > 0, x, y)", "conditions are joined by logical_or(x > 0, y > 0)", "      ^^^^^^^^^^^^^^"),
    ("where(not x > 0, x, y)", "a condition is negated by logical_not(x > 0)", "      ^^^^^^^^^"),
    ("where(0 < x <= y, x, y)", "one comparison at a time: write logical_and(0 < x, x <= y)", "      ^^^^^^^^^^"),
    ("x.value + y", "nothing has attributes here: write functions and variables by their names alone", "^^^^^^^"),
    ("x + np.exp(y)", "functions are called by their own names: write exp(...)", "    ^^^^^^"),
    ("x.__class__.__bases__[0]", "nothing has attributes here: write functions and variables by their names alone", "^^^^^^^^^^^^^^^^^^^^^"),
    # names
    ("x + z", "the variable z has no value: add z=...", "    ^"),
    ("z + x*w", "the variables z and w have no values: add z=... w=...", "^"),
    ("z + u*w", "the variables z, u and w have no values: add z=... u=... w=...", "^"),
    ("x + sin", "sin is a function: write sin(...); or for a variable of that name add sin=...", "    ^^^"),
    ("x + sni(y)", "there is no function sni: did you mean sin?", "    ^^^"),
    ("x + Exp(y)", "there is no function Exp: did you mean exp or expi?", "    ^^^"),
    ("ln(x) + y", "there is no function ln: did you mean log?", "^^"),
    ("x + __import__('os')", "there is no function __import__: there are the operators of the table, such as exp, log, sin, sqrt and softmax", "    ^^^^^^^^^^"),
    ("reshape(x, y)", "there is no function reshape: there are the operators of the table, such as exp, log, sin, sqrt and softmax", "^^^^^^^"),
    ("x(y + 1)", "x is a variable, not a function: for a product write x*(y + 1)", "^"),
    ("pi(x)", "pi is a number, not a function: for a product write pi*(x)", "^^"),
    ("x(y, 1)", "x is a variable, not a function: for a product write x*(...)", "^"),
    ("2(x + y)", "only functions are called, by their names: for a product write 2*(x + y)", "^^^^^^^^"),
    ("(x + y)(x - y)", "only functions are called, by their names: for a product write (x + y)*(x - y)", "^^^^^^^^^^^^^^"),
    # arguments
    ("clip(x, min=0)", "arguments have no names here: write clip(x, y, z)", "        ^^^^^"),
    ("atan2(x)", "atan2 takes 2 arguments, got 1: write atan2(x, y)", "^^^^^^^^"),
    ("x + exp()", "exp takes 1 argument, got 0: write exp(x)", "    ^^^^^"),
    ("clip(x, 0, 1, y)", "clip takes 1 to 3 arguments, got 4: write clip(x, y, z)", "^^^^^^^^^^^^^^^^"),
    ("polygamma(x)", "polygamma takes 2 arguments, got 1: write polygamma(1, x)", "^^^^^^^^^^^^"),
    ("polygamma(x > 1, y)", "x > 1 is a condition, not a number: write where(x > 1, 1, 0) for 1 or 0", "          ^^^^^"),
    ("where(x, y)", "where takes 3 arguments, got 2: write where(x > 0, x, y)", "^^^^^^^^^^^"),
    ("cross_entropy([x, y])", "cross_entropy takes 2 arguments, got 1: write cross_entropy([x, y], 0)", "^^^^^^^^^^^^^^^^^^^^^"),
    ("softmax(x, y)", "softmax takes 1 argument, got 2: write softmax([x, y])", "^^^^^^^^^^^^^"),
    ("max(x, y)", "max takes 1 argument, got 2: write max([x, y]) or maximum(x, y)", "^^^^^^^^^"),
    ("softmax(x + y)", "softmax takes a vector, x + y is a number: write softmax([x + y, ...])", "        ^^^^^"),
    ("x @ y", "matmul takes a vector, x is a number: write * for numbers", "^"),
    ("cross_entropy(x, 1) + y", "cross_entropy takes a vector, x is a number: write cross_entropy([x, ...])", "              ^"),
    ("where(x, x, y)", "x is a number, not a condition: compare it, as in x > 0", "      ^"),
    ("(x > y) * x", "x > y is a condition, not a number: write where(x > y, 1, 0) for 1 or 0", " ^^^^^"),
    ("[x, x > y]", "x > y is a condition, not a number: write where(x > y, 1, 0) for 1 or 0", "    ^^^^^"),
    ("isnan(x) + y", "isnan(x) is a condition, not a number: write where(isnan(x), 1, 0) for 1 or 0", "^^^^^^^^"),
    ("(x == y)[0]", "x == y is a condition, not a number: write where(x == y, 1, 0) for 1 or 0", " ^^^^^^"),
    ("(x > 0) > y", "x > 0 is a condition, not a number: write where(x > 0, 1, 0) for 1 or 0", " ^^^^^"),
    ("[x, y] + [1, 2, 3]", "a vector of 2 and a vector of 3 do not go together: elements are paired one by one", "^^^^^^^^^^^^^^^^^^"),
    ("[x, y] @ [1, 2, 3]", "a vector of 2 and a vector of 3 have no product: a row of the one must be as long as a column of the other", "^^^^^^^^^^^^^^^^^^"),
    ("[x, y] @ [[1, 2, 3]]", "a vector of 2 and a matrix of 1×3 have no product: a row of the one must be as long as a column of the other", "^^^^^^^^^^^^^^^^^^^^"),
    ("[x, [y, 1]]", "the elements of a vector are of one kind; this is a vector of 2, the first is a number", "    ^^^^^^"),
    ("[[[x, y]]]", "a matrix is a vector of vectors, and nothing goes deeper", "^^^^^^^^^^"),
    ("sum([])*x", "a vector has at least one element: write [x, y]", "    ^^"),
    ("x[0] + y", "an index is one too many: x is a number", "^^^^"),
    ("[x, y][0, 1]", "2 indices are one too many: [x, y] is a vector of 2", "^^^^^^^^^^^^"),
    ("[x, y][2]", "there is no element 2: this is a vector of 2, counted from 0 to 1", "       ^"),
    ("[[x, y]][0, -3]", "there is no element -3: this is a matrix of 1×2, counted from 0 to 1", "            ^^"),
    ("[x, y][x]", "an index is an integer, counted from 0: write p[0], or W[0, 1] for a matrix", "       ^"),
    ("[x, y][0:1]", "an index is an integer, counted from 0: write p[0], or W[0, 1] for a matrix", "       ^^^"),
    ("[x, y][1.0]", "an index is an integer, counted from 0: write p[0], or W[0, 1] for a matrix", "       ^^^"),
    ("[x, y][10**9]", "an index is an integer, counted from 0: write p[0], or W[0, 1] for a matrix", "       ^^^^^"),
    ("[x, y][99999999999999999999]", "an index is an integer, counted from 0: write p[0], or W[0, 1] for a matrix", "       ^^^^^^^^^^^^^^^^^^^^"),
    ("cross_entropy([x, y], 0.5)", "a label is an integer, counted from 0, or a variable: write cross_entropy([x, y], 0)", "                      ^^^"),
    ("cross_entropy([x, 1], y)", "a label is an integer, counted from 0; y is -0.75", "                      ^"),
    ("cross_entropy([x, y], 2)", "labels of 2 classes are counted from 0 to 1, got 2", "                      ^"),
    ("cross_entropy([x, y], -1)", "labels of 2 classes are counted from 0 to 1, got -1", "                      ^^"),
    ("cross_entropy([x, y], [0, 1])", "a vector of 2 takes one label", "                      ^^^^^^"),
    ("cross_entropy([[x, y], [y, x]], 0)", "a matrix of 2×2 takes 2 labels in brackets", "                                ^"),
    # numbers
    ("x + 1e400*y", "this number is too large: the largest is about 1.8e308, and infinity is written inf", "    ^^^^^"),
    ("x + 0x" + "F" * 300, "this number is too large: the largest is about 1.8e308, and infinity is written inf", None),
    ("x + " + "9" * 5000, "this number is too large: the largest is about 1.8e308, and infinity is written inf", None),
    ("2 * 3", "no variable occurs here, so there is nothing to differentiate", "^^^^^"),
    ("cross_entropy([1, 2], y)", "no variable occurs here, so there is nothing to differentiate", "^^^^^^^^^^^^^^^^^^^^^^^^"),
    # syntax
    ("", "the expression is empty: write one such as x*y", None),
    ("x + ", "the expression ends too early: something must follow", "   ^"),
    ("x * (y", "'(' is never closed", "    ^"),
    ("sum([x, y)", "')' closes nothing that was opened with '('", "         ^"),
    ("x * y]", "']' closes nothing that was opened with '['", "     ^"),
    ("2x + y", "a product is written with *: 2*x", "^^"),
    ("y + 2.5x", "a product is written with *: 2.5*x", "    ^^^^"),
    ("2 x + y", "an operator is missing here: write 2*x for a product", "  ^"),
    ("2π + y", "an operator is missing here: write 2*π for a product", " ^"),
    ("x + sin y", "a function is called with parentheses: sin(y)", "        ^"),
    ("f(x) = x + y", "an expression has no '=': the values of variables are given beside it, as in x=2", "     ^"),
    ("x <= y = 2", "an expression has no '=': the values of variables are given beside it, as in x=2", "       ^"),
    ("x + 007", "this can't stand here (leading zeros in decimal integer literals are not permitted; use an 0o prefix for octal integers): write numbers, variables and functions with operators between them", None),
    ("x; y", "this can't stand here: write numbers, variables and functions with operators between them", " ^"),
    ("x*y # the product", "an expression has no comments: leave out # and what follows", "    ^"),
    ("x\0y", "this character can't be read", " ^"),
    ("x\ud800", "this character can't be read", " ^"),
    ("x + y²", "'²' can't be read: write **2", "     ^"),
    ("x − y", "'−' can't be read: write -", "  ^"),
    ("x · y", "'·' can't be read: write *", "  ^"),
    ("(" * 10_000, "the parentheses are nested too deeply: at most 200 levels are read", None),
    ("(" * 4000 + "x" + ")" * 4000, "the parentheses are nested too deeply: at most 200 levels are read", None),
    ("-" * 9999 + "x", "the expression is nested too deeply, or has too many terms: shorten it", None),
    ("x**" * 3000 + "x", "the expression is nested too deeply, or has too many terms: shorten it", None),
    ("x" * 10_001, "the expression has 10,001 characters, at most 10,000 are read", None),
]  # fmt: skip


@pytest.mark.parametrize("text, message, caret", ERRORS, ids=[repr(text)[:40] for text, _, _ in ERRORS])
def test_errors_show_the_place(text, message, caret):
    with pytest.raises(ExpressionError) as caught:
        parse(text, {"x": 2.0, "y": -0.75})
    error = caught.value
    assert error.message == message
    lines = str(error).splitlines()
    assert lines[0] == message and (len(lines) == 3 or not text)
    if caret is not None:
        assert lines[1].strip() == "".join(c if c.isprintable() else "\ufffd" for c in text).strip()
        assert lines[2] == "  " + caret
    assert all(len(line) < 80 for line in lines[1:])


def test_every_refusal_was_tried():
    assert set(REFUSED.values()) <= {message for _, message, _ in ERRORS}


def test_the_message_is_one_line_and_the_place_is_data():
    with pytest.raises(ValueError, match=r"^there is no function lgo: did you mean log\?\n  1 \+ lgo\(x\)\n      \^\^\^$") as caught:
        parse("1 + lgo(x)", {"x": 1.0})
    assert (caught.value.text, caught.value.start, caught.value.stop) == ("1 + lgo(x)", 4, 7)


@pytest.mark.parametrize("text, lines", [
    ("α + β*lgo(γ)", ["α + β*lgo(γ)", "      ^^^"]),
    ("日本 + lgo(γ)", ["日本 + lgo(γ)", "       ^^^"]),  # two columns each
    ("e\u0301 + lgo(γ)", ["e\u0301 + lgo(γ)", "    ^^^"]),  # a letter and its accent: one column
    ("  α\n+ lgo(β)", ["α + lgo(β)", "    ^^^"]),
    ("x+" * 100 + "lgo(x)" + "+x" * 100, None),  # of a long one a part is shown
])  # fmt: skip
def test_carets_stand_under_the_place(text, lines):
    with pytest.raises(ExpressionError) as caught:
        parse(text, dict.fromkeys(["α", "β", "γ", "日本", "é", "x"], 1.0))
    shown, carets = (line[2:] for line in str(caught.value).splitlines()[1:])
    if lines is None:
        assert shown[0] == shown[-1] == "…" and len(shown) == 74
        assert shown[carets.index("^") :].startswith("lgo") and carets.strip() == "^^^"
    else:
        assert [shown, carets] == lines


@pytest.mark.parametrize("values, message", [
    ({"x": 1.0}, "the variable y has no value: add y=..."),
    ({}, "the variables x and y have no values: add x=... y=..."),
    ({"x": 1.0, "Y": 2.0}, "the variable y has no value: add y=..."),
    ({"x": 1.0, "y": 1.0, "z": 2.0}, "z does not occur in the expression, its variables are x, y: leave out z=..."),
    ({"x": 1.0, "y": 1.0, "z": 2.0, "w": 2.0}, "z and w do not occur in the expression, its variables are x, y: leave out z=... w=..."),
    ({"x": "1", "y": 1.0}, "the value of x: a Scalar holds one real number, got '1': for arrays write ag.Tensor(array)"),
    ({"x": ["a"], "y": 1.0}, "the value of x: expected an array of real numbers, got one of dtype <U1: convert it to numbers first"),
    ({"x": np.ones(2), "y": np.ones(3)}, "a vector of 2 and a vector of 3 do not go together: elements are paired one by one"),
])  # fmt: skip
def test_values(values, message):
    with pytest.raises(ExpressionError) as caught:
        parse("x*y", values)
    assert caught.value.message == message


def test_values_of_odd_shapes():
    with pytest.raises(ExpressionError, match=r"^max of Tensor 'x' of shape \(0,\): zero-size array to reduction operation maximum which has no identity\n  max\(x\)\n  \^\^\^\^\^\^"):
        parse("max(x)", {"x": []})
    with pytest.raises(ExpressionError, match=r"^the variable alpha has no value: add alpha=...; alhpa was given: is that it\?"):
        parse("alpha*x", {"alhpa": 1.0, "x": 1.0})
    with pytest.raises(ExpressionError, match=r"^x does not occur in the expression, its variable is y: leave out x=..."):
        parse("y", {"x": 1.0, "y": 1.0})
    with pytest.raises(ExpressionError, match=r"^x is complex: only what is real is explained\n  x\*x\n  \^"):
        parse("x*x", {"x": np.array([1j])})
    with pytest.raises(TypeError, match=r"^an expression is a string, got int: write parse\('x\*y', {'x': 2.0, 'y': 1.0}\)"):
        parse(3, {})


def test_a_loss_of_probabilities_warns_as_ever():
    with pytest.warns(UserWarning, match="probabilities"):
        parse("cross_entropy(softmax([x, 1, 2]), 0)", {"x": 1.0})


# ---------------------------------------------------------------------- values from the command line


def test_assignments():
    found = assignments(["x=2", "y = -1.5e-3", "α=pi/4", "x₁=1/3", "z=1,2,3", "w=[0.5, -inf]", "W=[[1,2],[3,4]]", "s=log(2)", "i=inf"])
    for name, value in {
        "x": 2.0, "y": -0.0015, "α": math.pi / 4, "x₁": 1 / 3, "z": [1, 2, 3], "w": [0.5, -math.inf], "W": [[1, 2], [3, 4]], "s": math.log(2), "i": math.inf,
    }.items():  # fmt: skip
        np.testing.assert_array_equal(found.pop(name), value)
    assert not found
    assert type(assignments(["x=2"])["x"]) is float and assignments(["z=1,2"])["z"].dtype == float
    assert assignments([]) == {}


@pytest.mark.parametrize("words, message, caret", [
    (["x"], "a value is given as NAME=NUMBER, such as x=2", "^"),
    (["x="], "x has no value: write a number after =, as in x=2", "  ^"),
    (["2=x"], "left of = stands the name of a variable, as in x=2; this is no name", "^"),
    (["x+y=2"], "left of = stands the name of a variable, as in x=2; this is no name", "^^^"),
    (["=2"], "left of = stands the name of a variable, as in x=2; this is empty", "^"),
    (["lambda=2"], "left of = stands the name of a variable, as in x=2; this is a word of Python's grammar", "^^^^^^"),
    (["x=1", "y=2", "x=3"], "x is given twice, as x=1 and as x=3", "^"),
    (["x₁=1", "x1=3"], "x1 is given twice, as x₁=1 and as x1=3", "^^"),
    (["x=abc"], "x: abc is not a number", "  ^^^"),
    (["x=sin"], "x: sin is not a number", "  ^^^"),
    (["αβ=1, y"], "αβ: y is not a number", "      ^"),
    (["x==2"], "x: an expression has no '=': the values of variables are given beside it, as in x=2", "  ^"),
    (["x=1,5e"], "x: a product is written with *: 5*e", "    ^^"),
    (["x=1 2"], "x: an operator is missing here: write 1*2 for a product", "    ^"),
    (["x='2'"], "x: text is no number: variables are written without quotes", "  ^^^"),
    (["x=1>0"], "x: 1>0 is a condition, not a number: write where(1>0, 1, 0) for 1 or 0", "  ^^^"),
    (["x=1/0"], "x would be inf: give a finite number, or inf by its name", "  ^^^"),
    (["x=nan"], "x: nan is not a number", "  ^^^"),
    (["x=inf-inf"], "x would be nan: give a finite number, or inf by its name", "  ^^^^^^^"),
    (["x=1e999"], "x: this number is too large: the largest is about 1.8e308, and infinity is written inf", "  ^^^^^"),
])  # fmt: skip
def test_errors_of_assignments(words, message, caret):
    with pytest.raises(ExpressionError) as caught:
        assignments(words)
    assert str(caught.value).splitlines() == [message, f"  {words[-1]}", f"  {caret}"]

"""Where a nan came from: the value, the cotangent, the line, the element, the cause, and what to write instead."""

import functools
import inspect
import math
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import ag
from ag.explanation.causes import CAUSES
from ag.explanation.nonfinite import nonfinite
from ag.explanation.rewrites import REWRITES, SINGULAR, tree_of
from ag.operators import everything
from ag.operators.rules import Missing
from ag.operators.table import TABLE
from side_by_side import run_side_by_side

mpmath = pytest.importorskip("mpmath")

everything()

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning"), pytest.mark.filterwarnings("ignore:Degrees of freedom:RuntimeWarning"),
]  # fmt: skip


def here():
    """The line of the test that calls."""
    return inspect.currentframe().f_back.f_lineno


def lost(f):
    """Is the output, or the gradient of a leaf, not finite? By backward() itself."""
    f.backward()
    stack, seen = [f], {f}
    while stack:
        x = stack.pop()
        if x.op is None and not np.isfinite(x.grad).all():
            return True
        for y in x.inputs:
            if isinstance(y, ag.node.Node) and y not in seen:
                seen.add(y)
                stack.append(y)
    return not np.isfinite(f.value)


# ---------------------------------------------------------------------- the cases of the users


def test_the_branch_of_where_that_is_not_taken_is_harmless():
    x = ag.Tensor([-1.0, 4.0], label="x")
    f = ag.where(x > 0, ag.sqrt(x), x).sum(); line = here()  # fmt: skip  # noqa: E702
    report = nonfinite(f)
    assert not report and report.value is None and report.cotangent is None
    (spared,) = report.harmless
    assert (spared.operator, spared.index, spared.used) == ("sqrt", (0,), False)
    assert (spared.source.file, spared.source.line) == (__file__, line)
    assert math.isnan(spared.number) and spared.operands[0].low == -1.0
    assert spared.harmless == f"it is in the branch not taken by where (line {line}), and contributes exactly 0"
    assert "√x = √(-1) = nan at [0] of shape (2,)" in str(report)
    f.backward()
    np.testing.assert_array_equal(x.grad, [1.0, 0.25])


def test_the_root_at_0():
    x = ag.Scalar(0.0, label="x")
    report = nonfinite(ag.sqrt(x))
    assert report and report.value is None
    found = report.cotangent
    assert (found.operator, found.name, found.index, found.number) == ("sqrt", "x", (), math.inf)
    assert (found.product.arrived, found.product.partial, found.product.result) == (1.0, math.inf, math.inf)
    assert found.product.of == "∂(√x)/∂x = 0.5 / √x"
    assert found.cause == "sqrt has an infinite derivative at x = 0"
    assert found.advice.write == "ag.where(x > 0, ag.sqrt(x), 0.0)"
    assert str(report).startswith("The derivative by x is inf.")


def test_the_norm_at_0_is_finite():
    assert not nonfinite(ag.norm(ag.Tensor([0.0, 0.0])))


@pytest.mark.parametrize("squares", [lambda x: x**2, lambda x: x * x, ag.square], ids=["power", "product", "square"])
def test_the_root_of_a_sum_of_squares_at_0(squares):
    x = ag.Tensor([0.0, 0.0], label="x")
    report = nonfinite(ag.sqrt(squares(x).sum()))
    found = report.cotangent
    assert (found.operator, found.product.arrived, found.product.partial) == ("sqrt", 1.0, math.inf)
    assert found.advice.write == "ag.norm(x)"
    assert "The derivative by x is nan at [0] (and 1 more of 2 elements)." in str(report)


@pytest.mark.parametrize("x", [ag.Scalar(0.0, "x"), ag.Tensor([2.0, 0.0], "x")], ids=["scalar", "tensor"])
def test_x_log_x_at_0(x):
    f = ag.sum(x * ag.log(x)); line = here()  # fmt: skip  # noqa: E702
    report = nonfinite(f)
    index = () if x.shape == () else (1,)
    assert [damage.what for damage in report.damage] == ["the output", "the derivative by x"]
    value, cotangent = report.value, report.cotangent
    assert (value.operator, value.index, value.number, value.statement) == ("log", index, -math.inf, "log 0")
    assert (value.source.file, value.source.line) == (__file__, line)
    assert value.operands[0].low == value.operands[0].high == 0.0 and value.operands[0].shape == x.shape
    assert value.advice.write == "ag.xlogy(x, x)"
    assert (cotangent.operator, cotangent.index) == ("multiply", index)
    assert (cotangent.product.arrived, cotangent.product.partial) == (1.0, -math.inf)
    assert "write the same" in str(report)


def test_the_logarithm_of_a_softmax():
    assert not nonfinite(ag.log(ag.softmax(ag.Tensor([-1000.0, 0.0])))[0]), "the engine writes it better itself"
    z = ag.Tensor([-1000.0, 0.0], label="z")
    p = ag.exp(z) / ag.exp(z).sum()
    report = nonfinite(ag.log(p)[0])
    assert (report.value.operator, report.value.number, report.value.advice.write) == ("log", -math.inf, "ag.log_softmax(z)")
    assert (report.cotangent.product.arrived, report.cotangent.product.partial) == (1.0, math.inf)
    picked = nonfinite(ag.log(ag.softmax(z)[0]))
    assert picked.value.advice.write == "ag.log_softmax(z)"


def test_a_mask_that_is_multiplied_with():
    """0 · inf in the value, and in the cotangent."""
    x = ag.Tensor([0.0, 4.0], label="x")
    mask = np.array([False, True])
    report = nonfinite((mask * ag.log(x)).sum())
    assert report.value.advice.write == "ag.xlogy(y, x)" and "y = a constant of shape (2,)" in str(report)
    report = nonfinite((mask * ag.sqrt(x)).sum())
    assert report.value is None
    found = report.cotangent
    assert (found.product.arrived, found.product.partial, found.index) == (0.0, math.inf, (0,))
    assert math.isnan(found.product.result)
    assert found.advice.write == "ag.where(mask, ag.sqrt(x), 0.0)"
    assert "0 · ∂(√x)/∂x = 0 · (0.5 / √x) = 0 · inf = nan" in str(report)
    better = ag.where(mask, ag.sqrt(x), 0.0).sum()
    assert not nonfinite(better)


def test_a_zero_elsewhere_is_no_reason_for_xlogy():
    """0 · log 0 is cured by xlogy; 2 · log 0 is not, whatever stands beside it."""
    p = ag.Tensor([0.0, 1.0], label="p")
    report = nonfinite((np.array([2.0, 0.0]) * ag.log(p)).sum())
    assert "xlogy" not in report.value.advice.write
    assert report.value.advice.write == (
        "keep p above 0, for example ag.log(ag.maximum(p, 1e-12)), or compute the logarithm itself instead of p"
    )


# ---------------------------------------------------------------------- rewrites help

X = {"x": [0.0, 0.0]}
BIG = {"x": [1000.0, -1000.0]}
LOGITS = {"z": [-1000.0, 0.0, 1000.0]}

# What people write, at which point, what is advised, and the true values and derivatives there, by mpmath or by hand.
WRITTEN = [
    ("ag.log(ag.exp(z) / ag.exp(z).sum())", LOGITS, "ag.log_softmax(z)", [-2000.0, -1000.0, 0.0], [1.0, 1.0, -2.0]),
    ("ag.log(ag.exp(z - z.max()) / ag.exp(z - z.max()).sum())", LOGITS, "ag.log_softmax(z)", [-2000.0, -1000.0, 0.0], None),
    ("ag.log(1 / (1 + ag.exp(-x)))", BIG, "-ag.softplus(-x)", [0.0, -1000.0], [0.0, 1.0]),
    ("ag.log(ag.sigmoid(x))", BIG, "-ag.softplus(-x)", [0.0, -1000.0], [0.0, 1.0]),
    ("ag.log(1 - ag.sigmoid(x))", BIG, "-ag.softplus(x)", [-1000.0, 0.0], [-1.0, 0.0]),
    ("ag.log(1 - 1 / (1 + ag.exp(-x)))", BIG, "-ag.softplus(x)", [-1000.0, 0.0], [-1.0, 0.0]),
    ("ag.log(1 + ag.exp(x))", BIG, "ag.softplus(x)", [1000.0, 0.0], [1.0, 0.0]),
    ("ag.log1p(ag.exp(x))", BIG, "ag.softplus(x)", [1000.0, 0.0], [1.0, 0.0]),
    ("ag.log(ag.exp(x) + ag.exp(y))", {"x": [1000.0], "y": [1000.0]}, "ag.logaddexp(x, y)", [1000.0 + math.log(2)], [0.5]),
    ("ag.log(ag.exp(x).sum())", {"x": [1000.0, 1000.0]}, "ag.logsumexp(x)", 1000.0 + math.log(2), [0.5, 0.5]),
    ("ag.log(ag.exp(x).sum())", {"x": [-1000.0, -1000.0]}, "ag.logsumexp(x)", -1000.0 + math.log(2), [0.5, 0.5]),
    ("ag.log(ag.exp(x).mean())", {"x": [1000.0, 1000.0]}, "ag.logsumexp(x) - np.log(n)", 1000.0, [0.5, 0.5]),
    ("ag.log(ag.prod(p))", {"p": [1e-200, 1e-200]}, "ag.sum(ag.log(p))", 2 * math.log(1e-200), [1e200, 1e200]),
    ("ag.log(ag.exp(x))", BIG, "x", [1000.0, -1000.0], [1.0, 1.0]),
    ("1 / (1 + ag.exp(-x))", BIG, "ag.sigmoid(x)", [1.0, 0.0], [0.0, 0.0]),
    ("ag.reciprocal(ag.exp(-x) + 1)", BIG, "ag.sigmoid(x)", [1.0, 0.0], [0.0, 0.0]),
    ("ag.exp(x) / (1 + ag.exp(x))", BIG, "ag.sigmoid(x)", [1.0, 0.0], [0.0, 0.0]),
    ("(ag.exp(x) - ag.exp(-x)) / (ag.exp(x) + ag.exp(-x))", BIG, "ag.tanh(x)", [1.0, -1.0], [0.0, 0.0]),
    ("(ag.exp(2 * x) - 1) / (ag.exp(2 * x) + 1)", BIG, "ag.tanh(x)", [1.0, -1.0], [0.0, 0.0]),
    ("ag.exp(z) / ag.exp(z).sum()", LOGITS, "ag.softmax(z)", [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]),
    ("x / ag.norm(x)", X, "n = ag.norm(x); ag.where(n > 0, x / n, 0.0)", [0.0, 0.0], [0.0, 0.0]),
    ("x / ag.sqrt((x * x).sum())", X, "n = ag.norm(x); ag.where(n > 0, x / n, 0.0)", [0.0, 0.0], [0.0, 0.0]),
    ("ag.sqrt((x**2).sum())", X, "ag.norm(x)", 0.0, [0.0, 0.0]),
    ("(x * x).sum() ** 0.5", X, "ag.norm(x)", 0.0, [0.0, 0.0]),
    ("ag.sqrt(ag.square(x).sum())", {"x": [3e200, 4e200]}, "ag.norm(x)", 5e200, [0.6, 0.8]),
    ("ag.sqrt(x * x + y * y)", {"x": [0.0], "y": [0.0]}, "ag.hypot(x, y)", [0.0], [0.0]),
    ("ag.sqrt(x**2)", X, "ag.abs(x)", [0.0, 0.0], [0.0, 0.0]),
    ("ag.sqrt(ag.var(x))", {"x": [3.0, 3.0]}, "ag.std(x)", 0.0, [0.0, 0.0]),
    ("p * ag.log(q)", {"p": [0.0, 1.0], "q": [0.0, 1.0]}, "ag.xlogy(p, q)", [0.0, 0.0], None),
    ("m * ag.sqrt(x)", {"m": [0.0, 1.0], "x": [-1.0, 4.0]}, "ag.where(m, ag.sqrt(x), 0.0)", [0.0, 2.0], [0.0, 0.0]),
    ("ag.sqrt(x)", X, "ag.where(x > 0, ag.sqrt(x), 0.0)", [0.0, 0.0], [0.0, 0.0]),
    ("ag.cbrt(x)", X, "ag.where(x != 0, ag.cbrt(x), 0.0)", [0.0, 0.0], [0.0, 0.0]),
    ("x ** 0.4", X, "ag.where(x > 0, x ** 0.4, 0.0)", [0.0, 0.0], [0.0, 0.0]),
    ("ag.asin(x)", {"x": [1.0, -1.0]}, "ag.asin(ag.clip(x, -1 + 1e-12, 1 - 1e-12))", [math.pi / 2, -math.pi / 2], [0.0, 0.0]),
    ("ag.acos(x)", {"x": [1.0, -1.0]}, "ag.acos(ag.clip(x, -1 + 1e-12, 1 - 1e-12))", [0.0, math.pi], [0.0, 0.0]),
    ("ag.acosh(x)", {"x": [1.0]}, "ag.acosh(ag.maximum(x, 1 + 1e-12))", [0.0], [0.0]),
]  # fmt: skip


def run(code, names):
    """A piece of code, of which the last statement is an expression."""
    *before, last = code.split("; ")
    names = {"ag": ag, "np": np, **names}
    for statement in before:
        exec(statement, names)
    return eval(last, names)


@pytest.mark.parametrize("written, at, advised, value, derivative", WRITTEN, ids=[row[0] for row in WRITTEN])
def test_what_is_advised_is_finite_and_right(written, at, advised, value, derivative):
    leaves = {name: ag.Tensor(x, label=name) for name, x in at.items()}
    f = run(written, leaves).sum()
    report = nonfinite(f)
    assert report and lost(f), "what people write does fail there"
    first = report.value if report.value is not None else report.cotangent
    assert first.advice.write == advised and first.advice.because
    leaves = {name: ag.Tensor(x, label=name) for name, x in at.items()}
    better = run(advised, {**leaves, "n": 2})
    np.testing.assert_allclose(better.value, value, rtol=1e-12, atol=2e-6)
    if derivative is not None:
        better.sum().backward()
        first_leaf = next(iter(leaves.values()))
        np.testing.assert_allclose(first_leaf.grad, derivative, rtol=1e-12, atol=1e-12)


def test_every_rewrite_is_tried():
    """No advice stands in the table that was not followed in the test above."""
    advised = [row[2] for row in WRITTEN]
    for rewrite in (*REWRITES, *SINGULAR.values()):
        pattern = re.sub(r"\\\{\w+\\\}", ".+", re.escape(rewrite.write))
        assert any(re.fullmatch(pattern, advice) for advice in advised), rewrite.write
        for form in rewrite.patterns:
            tree_of(form)


def test_the_true_values_of_the_rewrites():
    """The closed forms in the table, with 50 digits."""
    with mpmath.workdps(50):
        mp = mpmath.mpf
        assert float(mpmath.log(1 + mpmath.exp(mp(1000)))) == 1000.0
        assert float(mpmath.log(1 / (1 + mpmath.exp(mp(1000))))) == -1000.0
        assert float(mpmath.log(mpmath.exp(mp(-1000)) + mpmath.exp(mp(-1000)))) == -1000.0 + math.log(2)
        z = [mp(-1000), mp(0), mp(1000)]
        total = sum(map(mpmath.exp, z))
        assert [float(mpmath.log(mpmath.exp(x) / total)) for x in z] == [-2000.0, -1000.0, 0.0]


# ---------------------------------------------------------------------- causes

POINTS = [
    ("log", (0.0,), "the logarithm of 0 is -inf"), ("log", (-2.0,), "a negative number, -2, has no logarithm"),
    ("log1p", (-1.0,), "the logarithm of 1 + (-1) is -inf"), ("log1p", (-3.0,), "1 + (-3) is negative"),
    ("sqrt", (-4.0,), "a negative number, -4, has no root"),
    ("divide", (0.0, 0.0), "0 / 0 is nan"), ("divide", (3.0, 0.0), "3 is divided by 0"),
    ("divide", (1e300, 1e-300), "larger than the largest float64, 1.8e+308"),
    ("reciprocal", (0.0,), "1 is divided by 0"), ("reciprocal", (1e-320,), "larger than the largest float64"),
    ("remainder", (1.0, 0.0), "no remainder of a division by 0"), ("floor_divide", (1.0, 0.0), "1 is divided by 0"),
    ("exp", (800.0,), "e to the 800 is larger than the largest float64, 1.8e+308: the exponent may be 709.8 at most"),
    ("sinh", (800.0,), "e to the 800"), ("pow", (-2.0, 0.5), "a negative number, -2, has no power with the fractional exponent 0.5"),
    ("pow", (0.0, -1.0), "0 to the negative power -1"), ("pow", (1e200, 2.0), "larger than the largest float64"),
    ("asin", (2.0,), "2 lies outside of [-1, 1]"), ("acos", (-2.0,), "-2 lies outside of [-1, 1]"),
    ("atanh", (1.0,), "it is infinite at 1"), ("atanh", (2.0,), "2 lies outside"), ("acosh", (0.5,), "0.5 lies below 1"),
    ("add", (1e308, 1e308), "larger than the largest float64"), ("subtract", (1e308, -1e308), "larger than the largest"),
    ("multiply", (1e200, 1e200), "larger than the largest float64"),
]  # fmt: skip


@pytest.mark.parametrize("name, point, cause", POINTS)
@pytest.mark.parametrize("face", ["scalar", "tensor"])
def test_the_cause_is_told(name, point, cause, face):
    make = ag.Scalar if face == "scalar" else lambda x: ag.Tensor([0.5, x] if name != "acosh" else [1.5, x])
    y = TABLE[name].apply(tuple(make(x) for x in point), {})
    report = nonfinite(ag.sum(y))
    assert report.value.operator == name and cause in report.value.cause
    assert [x.low for x in report.value.operands] == list(point)
    assert report.value.index == (() if face == "scalar" else (1,))
    assert report.value.advice.write and "{" not in report.value.cause + report.value.advice.write


GIVEN = [
    ("divide", (math.inf, math.inf), "inf / inf is nan"), ("add", (math.inf, -math.inf), "inf - inf is nan"),
    ("subtract", (math.inf, math.inf), "inf - inf is nan"), ("multiply", (0.0, math.inf), "0 · inf is nan"),
    ("sin", (math.inf,), "there is no such value at inf"),
]  # fmt: skip


@pytest.mark.parametrize("name, point, cause", GIVEN)
def test_what_was_given_comes_first(name, point, cause):
    """The leaf is to blame; of a constant, the operator that met it, with what it makes of it."""
    leaves = [ag.Scalar(x, label=f"x{i}") for i, x in enumerate(point)]
    report = nonfinite(TABLE[name].apply(tuple(leaves), {}))
    assert report.value.operator is None and "was given as" in report.value.cause
    x = ag.Scalar(1.0, label="x")
    made = TABLE[name].apply((x * point[0], *point[1:]), {}) if math.isfinite(point[0]) else None
    if made is not None:
        assert nonfinite(made).value.cause == cause


def test_every_cause_can_be_met():
    """Each operator of the table of causes exists, and each cause is said by one of the points above, or follows."""
    met = {name for name, *_ in POINTS + GIVEN}
    aliases = {"log2": "log", "log10": "log", "expm1": "exp", "cosh": "sinh", "cos": "sin", "tan": "sin"}
    apart = {"softmax", "log_softmax", "var", "std"}
    assert {aliases.get(name, name) for name in CAUSES} - apart <= met
    assert set(CAUSES) <= set(TABLE)
    z = ag.Tensor([[0.0, 1.0], [-np.inf, -np.inf]], label="z")
    for f in (ag.softmax, ag.log_softmax):
        report = nonfinite(f(z).sum())
        assert report.value.name == "z" and report.value.index == (1, 0)
        report = nonfinite(f(z.value + 0 * ag.Tensor(np.zeros((2, 2)), "w")).sum())
        assert report.value.operator == "add" and "given" in report.value.cause
    report = nonfinite(ag.var(ag.Tensor([1.0]), ddof=1))
    assert report.value.operator == "var" and "n - correction is not above 0" in report.value.cause
    report = nonfinite(ag.mean(ag.Tensor(np.zeros(0))))
    assert report.value.cause == "there are no elements"


def test_float32_overflows_earlier():
    x = ag.Tensor(np.array([1.0, 100.0], np.float32), label="x")
    report = nonfinite(ag.exp(x).sum())
    assert report.value.cause == "e to the 100 is larger than the largest float32, 3.4e+38: the exponent may be 88.72 at most"
    assert report.value.advice.write.endswith("or in float64")


def test_what_is_given_is_told():
    x = ag.Tensor([[1.0, np.nan], [np.inf, 0.0]], label="x")
    report = nonfinite((x * 2).sum())
    assert report.value.node is x and report.value.operator is None and report.value.index == (0, 1)
    assert report.value.count == 2
    assert report.value.cause == "x was given as nan" and "np.isfinite(x).all()" in report.value.advice.write
    y = ag.Tensor([1.0, 2.0], label="y")
    report = nonfinite((y + np.array([0.0, np.inf])).sum())
    assert report.value.operator == "add" and "is given as inf" in report.value.cause
    report = nonfinite(y, cotangent=[np.nan, 0.0])
    assert report.cotangent.cause == "it was given as nan" and report.cotangent.index == (0,)


# ---------------------------------------------------------------------- harmless


def masked_logits():
    return ag.Tensor([-np.inf, 1.0, 2.0], label="z")


HARMLESS = [
    ("a class that is left out of a softmax", lambda: ag.softmax(masked_logits())[1], "it was given"),
    ("of a cross-entropy", lambda: ag.cross_entropy(masked_logits(), 1), "it was given"),
    ("of a logsumexp", lambda: ag.logsumexp(masked_logits()), "it was given"),
    ("of a log_softmax, and comes out again", lambda: (ag.log_softmax(masked_logits()), [0.0, 1.0, 1.0]), "comes out as it was put in"),
    ("a maximum", lambda: ag.max(masked_logits()), "it is not selected by max"),
    ("an element that is not taken", lambda: masked_logits()[1:].sum(), "it is not selected by getitem"),
    ("a bound that is not met", lambda: ag.maximum(masked_logits(), 0.0).sum(), "it is not selected by maximum"),
    ("an infinite bound", lambda: ag.clip(ag.Tensor([1.0]), 0.0, np.inf).sum(), None),
    ("a reciprocal", lambda: (1 / ag.Tensor([np.inf, 2.0])).sum(), "what is computed from it is finite"),
    ("a step", lambda: ag.relu(masked_logits()).sum(), "it is not selected by relu"),
    ("a branch", lambda: ag.where([True, False], ag.Tensor([1.0, 2.0]), np.nan * ag.Tensor([1.0, 1.0]))[0], None),
    ("an arc tangent", lambda: ag.atan(ag.Tensor([np.inf])).sum(), "what is computed from it is finite"),
]  # fmt: skip


@pytest.mark.parametrize("f, why", [row[1:] for row in HARMLESS], ids=[row[0] for row in HARMLESS])
def test_what_does_no_harm(f, why):
    made = f()
    root, cotangent = made if isinstance(made, tuple) else (made, None)
    report = nonfinite(root, cotangent)
    assert not report, str(report)
    if why:
        assert any(why in spared.harmless for spared in report.harmless), report
    with warnings.catch_warnings(), ag.debug():
        warnings.simplefilter("error")
        root.backward(cotangent)


def test_a_nan_is_never_passed_over():
    """Comparisons with nan select nothing; the result is nan all the same, and the first is found."""
    for f in (ag.max, ag.min, lambda x: ag.relu(x).sum(), lambda x: ag.clip(x, 0.0, 1.0).sum(), lambda x: ag.maximum(x, 0.0).sum()):
        x = ag.Tensor([1.0, -1.0], label="x")
        report = nonfinite(f(ag.sqrt(x)))
        assert report and report.value.operator == "sqrt" and report.value.index == (1,)


def test_rounding_carries_values_though_no_derivatives():
    x = ag.Tensor([-1.0, 4.0], label="x")
    report = nonfinite(ag.floor(ag.sqrt(x)).sum())
    assert report.value.operator == "sqrt" and report.damage[0].what == "the output"


def test_a_loss_of_inf_is_harm_though_its_gradient_is_finite():
    z = masked_logits()
    report = nonfinite(ag.cross_entropy(z, 0))
    assert report and report.value.node is z and str(report.damage[0]) == "the output is inf"


def test_harmless_ones_in_a_loop_are_told_once():
    x = ag.Tensor([-1.0, 4.0], label="x")
    total = x.sum()
    for _ in range(50):
        total = total + ag.where(x > 0, ag.sqrt(x), x).sum()
    report = nonfinite(total)
    assert not report and len(report.harmless) == 1 and report.harmless[0].count == 50


# ---------------------------------------------------------------------- which element, which line, which order


def test_the_element_of_a_large_array():
    x = np.random.default_rng(0).uniform(1.0, 2.0, (500, 700))
    x[123, 45] = x[400, 0] = -1.0
    x = ag.Tensor(x, label="x")
    report = nonfinite(ag.log(x).mean())
    assert report.value.index == (123, 45) and report.value.count == 2
    assert report.value.operands[0].low == -1.0 and report.value.operands[0].shape == (500, 700)
    assert "and 1 more like it" in str(report)


def test_the_element_through_broadcasting_and_reductions():
    x = ag.Tensor([[4.0], [0.0]], label="x")
    scale = ag.Tensor([1.0, 0.0, 2.0], label="scale")
    f = (ag.sqrt(x) * scale).sum(axis=0).mean()
    report = nonfinite(f)
    found = report.cotangent
    assert found.name == "x" and found.index == (1, 0)
    assert found.product.arrived == pytest.approx(1.0) and found.product.partial == math.inf
    report = nonfinite((x / scale).sum())
    assert report.value.index == (0, 1) and [x.low for x in report.value.operands] == [4.0, 0.0]


def test_through_a_product_of_matrices():
    """0 · inf within one sum of products."""
    a = ag.Tensor([[1.0, 2.0], [0.0, 3.0]], label="A")
    b = np.array([[1.0, 0.0], [np.inf, 1.0]])
    report = nonfinite(a @ b, cotangent=[[0.0, 1.0], [0.0, 1.0]])
    found = report.cotangent
    assert found.operator == "matmul" and found.index == (0, 1)
    assert (found.product.arrived, found.product.partial) == (0.0, math.inf)


def test_the_first_of_several_is_told():
    x = ag.Tensor([0.0, -1.0], label="x")
    first = ag.log(x); line = here()  # fmt: skip  # noqa: E702
    report = nonfinite((first + ag.sqrt(x)).sum())
    assert report.value.operator == "log" and report.value.source.line == line
    assert report.value.index == (0,) and report.value.count == 2
    assert report.others == 1 and "1 other place, too" in str(report)


def test_only_what_does_harm_comes_first():
    """An earlier nan that is masked is not the one that is reported."""
    x = ag.Tensor([-1.0, 4.0], label="x")
    spared = ag.where(x > 0, ag.sqrt(x), 0.0)
    harm = ag.log(ag.Tensor([0.0], label="y"))
    report = nonfinite(spared.sum() + harm.sum())
    assert report.value.operator == "log" and report.harmless[0].operator == "sqrt"


def test_opposite_infinities_meet():
    """inf - inf: the two were born apart, and the first of the pass is told."""
    x = ag.Scalar(0.0, label="x")
    report = nonfinite(ag.sqrt(x) - ag.sqrt(x))
    assert math.isnan(report.damage[0].number)
    assert report.cotangent.operator == "sqrt"


def test_sums_of_finite_contributions():
    x = ag.Scalar(1.0, label="x")
    big = 1.5e308
    report = nonfinite(x * big - 0.5 * big * x + x * big)
    assert report.cotangent.cause == "finite contributions add up to more than the largest number"


def test_deep_graphs():
    """Nothing recurses."""
    x = ag.Scalar(-1.0, label="x")
    y = ag.sqrt(x)
    for _ in range(20_000):
        y = y + 1.0
    report = nonfinite(y)
    assert report.value.operator == "sqrt"
    assert len(str(report)) < 2000


def test_second_order():
    """The derivative of a derivative is told at the line of the function that was derived."""
    x = ag.Scalar(0.0, label="x")
    f = ag.grad(lambda t: ag.sqrt(t) * t)(x); line = here()  # fmt: skip  # noqa: E702
    report = nonfinite(f)
    assert report.value.source.line == line and report.value.operator == "divide"
    assert report.value.cause == "0.5 is divided by 0, in what was computed for sqrt"
    assert report.value.advice.write == "ag.where(x > 0, ag.sqrt(x), 0.0)"
    inner = ag.grad(lambda t: ag.where(t > 0, ag.sqrt(t), t * t).sum())(ag.Tensor([-1.0, 4.0], label="t"))
    assert not nonfinite(inner, cotangent=[1.0, 1.0])


def test_only_values_without_a_cotangent():
    x = ag.Tensor([0.0, 1.0], label="x")
    assert not nonfinite(ag.sqrt(x))
    report = nonfinite(ag.log(x))
    assert report.value.operator == "log" and report.cotangent is None
    with pytest.raises(ValueError, match=r"nonfinite: the cotangent has shape \(3,\)"):
        nonfinite(x, cotangent=[1.0, 1.0, 1.0])


def test_from_an_explanation():
    report = ag.explain(lambda x: x * ag.log(x), 0.0).nonfinite()
    assert report.value.operator == "log" and report.value.advice.write == "ag.xlogy(x, x)"
    assert not ag.explain(ag.Tensor([1.0, 2.0]) * 2).nonfinite()


# ---------------------------------------------------------------------- every row of the table

SPECIAL = (0.0, -1.0, 2.0, np.inf, -np.inf, np.nan, 1e308, -1e308, 5e-324)


def spoilt(x, rng):
    """An array with a few numbers at the edge."""
    array = np.array(x, dtype=np.result_type(np.asarray(x).dtype, np.float32))
    if array.size:
        flat = array.reshape(-1)
        flat[rng.integers(flat.size, size=1 + flat.size // 3)] = rng.choice(SPECIAL)
    return array


@pytest.mark.parametrize("name", [name for name, op in TABLE.items() if op.records])
def test_a_report_is_true_exactly_if_something_is_lost(name):
    """With numbers at the edge for each argument of each row: the report agrees with backward(), and can be printed."""
    op, rng = TABLE[name], np.random.default_rng(0)
    partials = op.rule.partials or ()
    tried = 0
    for args, params in [sample for sample in op.samples(rng) for _ in range(5)]:
        given = [
            x if i < len(partials) and isinstance(partials[i], Missing)
            else ag.Tensor(spoilt(x, rng)) if isinstance(x, (np.ndarray, float, complex)) and np.asarray(x).dtype.kind in "fc"
            else [ag.Tensor(spoilt(part, rng)) for part in x] if name in ("concat", "stack") else x
            for i, x in enumerate(args)
        ]  # fmt: skip
        try:
            y = op.apply(tuple(given), params) if op.signature is None else op.apply(*op.signature(*given, **params))
        except (TypeError, ValueError):  # labels and indices that the row does not take as they are
            continue
        if not isinstance(y, ag.node.Node) or np.asarray(y.value).dtype.kind not in "fc":
            continue
        f = ag.sum(y) if np.asarray(y.value).dtype.kind == "f" else ag.sum(ag.real(y) + ag.imag(y))
        try:
            gone = lost(f)
        except TypeError:  # a row without a rule for complex numbers
            continue
        report = nonfinite(f)
        assert bool(report) == gone, (args, params, str(report))
        if report:
            first = report.value if report.value is not None else report.cotangent
            assert first is not None and not np.isfinite(first.number)
            if first.kind == "value" and first.operator is not None:
                assert all(np.isfinite((x.low, x.high)).all() for x in first.operands if not x.given), "its inputs are finite"
        assert str(report)
        tried += 1
    assert tried


# ---------------------------------------------------------------------- ag.debug()


def test_debug_raises_with_the_report():
    x = ag.Tensor([1.0, 0.0], label="x")
    with ag.debug(), pytest.raises(FloatingPointError, match="The output is nan; the derivative by x is nan at") as caught:
        loss = (x * ag.log(x)).sum(); line = here()  # fmt: skip  # noqa: E702
        loss.backward()
    assert f"{Path(__file__).name}:{line}" in str(caught.value)
    assert caught.value.report.value.index == (1,) and "ag.xlogy(x, x)" in str(caught.value)
    assert x.grad is None, "nothing was written"
    loss.backward()
    assert np.isnan(x.grad[1]), "without debug() IEEE goes on"


PASSES = [
    ("grad", lambda f, x: ag.grad(f)(x)),
    ("value_and_grad", lambda f, x: ag.value_and_grad(f)(x)),
    ("vjp", lambda f, x: ag.vjp(f, x)[1](1.0)),
    ("jvp", lambda f, x: ag.jvp(f, (x,), (np.ones_like(x),))),
    ("backward", lambda f, x: f(ag.Tensor(x)).backward()),
    ("grad of grad", lambda f, x: ag.grad(lambda t: (ag.grad(f)(t) * np.ones(2)).sum())(x)),
    ("jvp of grad", lambda f, x: ag.jvp(ag.grad(f), (x,), (np.ones_like(x),))),
    ("grad of jvp", lambda f, x: ag.grad(lambda t: ag.jvp(f, (t,), (np.ones(2),))[1])(x)),
]  # fmt: skip


@pytest.mark.parametrize("differentiate", [row[1] for row in PASSES], ids=[row[0] for row in PASSES])
def test_every_pass_is_watched(differentiate):
    with ag.debug():
        differentiate(lambda x: ag.where(x > 0, ag.sqrt(x), x * x).sum(), np.array([-1.0, 4.0]))
        with pytest.raises(FloatingPointError, match="sqrt"):
            differentiate(lambda x: (ag.sqrt(x) * x).sum() + ag.sqrt(x).sum(), np.array([0.0, 4.0]))


def test_the_tangent_of_a_forward_pass():
    with ag.debug(), pytest.raises(FloatingPointError) as caught:
        ag.jvp(ag.sqrt, (np.array([4.0, 0.0]),), (np.array([1.0, 2.0]),))
    report = caught.value.report
    assert report.cotangent is None and report.tangent.operator == "sqrt" and report.tangent.index == (1,)
    assert (report.tangent.product.arrived, report.tangent.product.partial) == (2.0, math.inf)
    assert str(report).startswith("The tangent of the output is inf at [1].")


def test_an_inner_pass_that_an_outer_one_masks_is_no_alarm():
    """The derivative of the root at 0 is inf, but the outer function leaves it out."""

    def f(x):
        return ag.where(x > 0, ag.grad(lambda t: ag.sqrt(t))(x), 0.0)

    with ag.debug():
        assert ag.grad(f)(0.0) == 0.0
        assert ag.grad(f)(4.0) == pytest.approx(-0.25 * 4.0**-1.5)


def test_what_is_never_differentiated_is_looked_at_in_the_end():
    with pytest.warns(RuntimeWarning, match=r"made by log .*not finite at the end of ag.debug\(\).*\n\n(.*\n)*.*log 0 = -inf") as caught:  # noqa: SIM117
        with np.errstate(all="ignore"), ag.debug():
            kept = ag.log(ag.Tensor([0.0, 1.0], label="p"))
    assert len(caught) == 1 and caught[0].filename == __file__
    del kept


@pytest.mark.filterwarnings("error")
def test_no_alarm_in_the_end():
    """For what is used further on, was judged already, was given, is gone, or was made before."""
    before = ag.Tensor([np.nan]) * 1
    with ag.debug():
        x = ag.Tensor([-1.0, 4.0], label="x")
        with np.errstate(all="ignore"):
            root = ag.sqrt(x)
        f = ag.where(x > 0, root, x).sum()
        f.backward()
        del f  # the root is a result now, but harmless
        given = ag.log_softmax(masked_logits())
        ag.log(ag.Tensor([1.0]))
    del before, root, given


def test_blocks_may_be_nested_and_used_again():
    block = ag.debug()
    for _ in range(2):
        with block, ag.debug(), block, pytest.raises(FloatingPointError):
            ag.sqrt(ag.Scalar(0.0)).backward()
    assert ag.debug.depth == 0
    ag.sqrt(ag.Scalar(0.0)).backward()


def test_an_error_of_the_user_comes_through():
    with pytest.raises(KeyError), ag.debug():
        kept = ag.log(ag.Scalar(0.0))
        raise KeyError(kept.value)
    assert ag.debug.depth == 0


def test_threads_that_differentiate_under_debug():
    results = []

    def work(k):
        try:
            for _ in range(50):
                value = ag.grad(lambda x: ag.where(x > 0, ag.sqrt(x), x).sum())(np.array([-1.0, 4.0]))
            results.append((k, value.tolist()))
            ag.grad(lambda x: ag.sqrt(x))(0.0)
        except FloatingPointError as error:
            results.append((k, error.report.cotangent.operator))

    with ag.debug():
        run_side_by_side(*[functools.partial(work, k) for k in range(4)])
    assert sorted(results, key=str) == sorted([(k, r) for k in range(4) for r in ([1.0, 0.25], "sqrt")], key=str)


def test_without_debug_nothing_of_it_is_imported():
    code = (
        "import sys, ag; ag.sqrt(ag.Scalar(0.0)).backward(); ag.jvp(ag.exp, (1.0,), (1.0,)); "
        "assert not [m for m in sys.modules if m.startswith('ag.explanation')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---------------------------------------------------------------------- as it reads


def test_the_report_as_it_reads():
    x = ag.Tensor([0.0, 1.0], label="x")
    f = (x * ag.log(x)).sum(); line = here()  # fmt: skip  # noqa: E702
    text = str(nonfinite(f)).splitlines()
    assert text[0] == "The output is nan; the derivative by x is nan at [0]."
    assert text[2:6] == [
        "The first value that is not finite:", "    log x = log 0 = -inf", "    at [0] of shape (2,)", text[5],
    ]  # fmt: skip
    assert text[5].strip().endswith("f = (x * ag.log(x)).sum(); line = here()  # fmt: skip  # noqa: E702") and f".py:{line} " in text[5]
    assert text[6:8] == ["    why   the logarithm of 0 is -inf", "    write ag.xlogy(x, x)"]
    assert "    1 · ∂(x ⊙ log x)/∂x = 1 · (log x) = 1 · (-inf) = -inf" in text
    assert all(len(row) <= 100 for row in text if ".py" not in row)


def test_what_has_no_name_gets_a_letter_that_is_explained():
    report = nonfinite(ag.sqrt(ag.exp(ag.Tensor([[-1e4, -1e4]]) @ np.ones((2, 2)))).sum())
    text = str(report)
    legend = " ".join(text[text.index("    where "):].split())
    assert re.match(r"where x = a leaf, Tensor of shape \(1, 2\) \(.*\.py:\d+\); y = a constant of shape \(2, 2\); z = Tensor of "
                    r"shape \(1, 2\) made by matmul \(.*\.py:\d+\)$", legend)
    assert "write ag.where(ag.exp(z) > 0, ag.sqrt(ag.exp(z)), 0.0)" in text
    assert str(nonfinite(ag.Scalar(1.0) * 2)) == "All values and cotangents are finite."


# ---------------------------------------------------------------------- functions that are one operator


def root_of(x):
    return ag.sqrt(x)


def test_a_function_that_is_one_operator():
    """A rule that runs passes of its own: the outer pass is judged, and the report says how to see inside."""
    f = ag.checkpoint(root_of)
    with ag.debug():
        np.testing.assert_allclose(ag.grad(lambda x: f(x).sum())(np.array([1.0, 4.0])), [0.5, 0.25])
        with pytest.raises(FloatingPointError, match=r"to see inside, call the function\s+itself, undecorated") as caught:
            ag.grad(lambda x: f(x).sum())(np.array([0.0, 4.0]))
    assert caught.value.report.cotangent.index == (0,)
    assert str(caught.value).startswith("The derivative by x is inf at [0].")


def test_every_example_of_a_batch_is_watched():
    with ag.debug():
        f = ag.vmap(ag.grad(lambda x: ag.where(x > 0, ag.sqrt(x), x).sum()))
        np.testing.assert_allclose(f(np.array([[-1.0, 4.0], [1.0, -4.0]])), [[1.0, 0.25], [0.5, 1.0]])
        with pytest.raises(FloatingPointError) as caught:
            ag.vmap(ag.grad(lambda x: ag.sqrt(x).sum()))(np.array([[1.0, 4.0], [1.0, 0.0]]))
    assert caught.value.report.cotangent.index == (1, 1)


def test_complex_numbers():
    z = ag.Tensor(np.array([1 + 1j, 0j]), label="z")
    report = nonfinite(ag.abs(1 / z).sum())
    found = report.value
    assert (found.operator, found.index, found.cause) == ("divide", (1,), "1 is divided by 0")
    assert found.operands[1].low == 0 and not np.isfinite(found.number)
    assert "mend 1 / z first" in str(report)
    f = ag.real(z * (2 + 1j)).sum()
    f.backward()
    assert not nonfinite(f) and (z.grad == 2 - 1j).all()
    spoilt = ag.Tensor(np.array([1.0, np.inf]), label="x")
    assert nonfinite(ag.abs(np.fft.fft(spoilt)).sum()).value.node is spoilt

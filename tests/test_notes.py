"""The notes: every fact has its section, the equations are right, and GitHub can set them."""

import re
from pathlib import Path

import numpy as np
import pytest

import ag

mpmath = pytest.importorskip("mpmath")
special = pytest.importorskip("scipy.special")

NOTES = (Path(__file__).parent.parent / "docs/notes.md").read_text(encoding="utf-8")
FACTS = {
    1: "The logits are a function, the label is drawn",
    2: "Only differences of logits matter",
    3: "The softmax and its derivative",
    4: "The loss is a negative log-likelihood",
    5: "Its derivative is the probabilities minus the label",
    6: "From the logits back to the weights",
    7: "Are these probabilities?",
    8: "How far a linear model gets",
    9: "What a library for differentiation is",
    10: "The running example",
    11: "The picture",
    12: "Inside a quantity",
}


def section(number):
    """The text of one fact, without its heading."""
    found = re.search(rf"^## {number}\. [^\n]+\n(.*?)(?=^## |\Z)", NOTES, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def slug(heading):
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_fact_has_its_section():
    headings = re.findall(r"^## (\d+)\. (.+)$", NOTES, re.MULTILINE)
    assert {int(number): title for number, title in headings} == FACTS
    assert [int(number) for number, _ in headings] == list(range(1, 13))


@pytest.mark.parametrize("number", FACTS)
def test_every_fact_is_shown_by_code(number):
    assert ">>> " in section(number)
    if number in (1, 2, 3, 4, 5, 6, 7, 10):
        assert "```math" in section(number)


def test_the_contents_lead_to_the_sections():
    links = re.findall(r"^(\d+)\. \[(.+)\]\(#(.+)\)$", NOTES, re.MULTILINE)
    assert {int(number): title for number, title, _ in links} == FACTS
    assert [anchor for _, _, anchor in links] == [slug(f"{number}. {title}") for number, title in FACTS.items()]


def test_the_equations_can_be_set():
    """What GitHub refuses or takes for Markdown: \\operatorname anywhere, a backslash before punctuation within a line."""
    blocks = re.findall(r"```math\n(.*?)```", NOTES, re.DOTALL)
    prose = re.sub(r"```.*?```|`[^`\n]+`", "", NOTES, flags=re.DOTALL)
    inline = re.findall(r"\$([^$]+)\$", prose)
    assert len(blocks) > 20 and len(inline) > 50
    assert prose.count("$") == 2 * len(inline)
    for equation in (*blocks, *inline):
        assert r"\operatorname" not in equation
        assert equation.count("{") == equation.count("}"), equation
        assert equation.count(r"\left") == equation.count(r"\right"), equation
        assert re.findall(r"\\begin\{(\w+)\}", equation) == re.findall(r"\\end\{(\w+)\}", equation), equation
    for equation in inline:
        assert "\n" not in equation and not re.search(r"\\[^A-Za-z]", equation), equation
        assert equation.strip() == equation, f"no space inside the dollars: {equation!r}"


def test_explanations_in_markdown_can_be_set_as_well():
    text = ag.explain(lambda z: ag.cross_entropy(z, 1), np.zeros(3)).markdown()
    assert r"\mathrm{softmax}" in text and r"\operatorname" not in text


# ---------------------------------------------------------------------- the equations, with 40 digits

POINTS = [((2, 1, -1), 0), ((2, 1, -1), 2), ((0, 0), 1), ((0.3, -4, 2.5, 1), 3), ((11, 2, 3, -5, 0.5), 1)]


@pytest.fixture(autouse=True)
def digits():
    with mpmath.workdps(40):
        yield


def softmax(z):
    powers = [mpmath.exp(x) for x in z]
    return [power / mpmath.fsum(powers) for power in powers]


def derivative(f, z, j):
    """∂f/∂z_j by differences of 40 digits."""
    return mpmath.diff(lambda x: f([*z[:j], x, *z[j + 1 :]]), z[j])


def all_equal(*lines):
    assert all(mpmath.almosteq(line, lines[0], 1e-15, 1e-15) for line in lines), lines


@pytest.mark.parametrize("z, y", POINTS)
def test_the_quotient_rule_line_by_line(z, y):
    p, powers = softmax(z), [mpmath.exp(x) for x in z]
    S = mpmath.fsum(powers)
    for j in range(len(z)):
        if j == y:
            lines = (
                (powers[y] * S - powers[y] * powers[y]) / S**2,
                powers[y] / S * ((S - powers[y]) / S),
                p[y] * (1 - p[y]),
            )
        else:
            lines = (
                (0 * S - powers[y] * powers[j]) / S**2,
                -powers[y] / S * (powers[j] / S),
                -p[y] * p[j],
            )
        all_equal(derivative(lambda z: softmax(z)[y], z, j), *lines)


@pytest.mark.parametrize("z, y", POINTS)
def test_the_second_way_line_by_line(z, y):
    p = softmax(z)
    D = mpmath.fsum(mpmath.exp(x - z[y]) for x in z)
    all_equal(p[y], 1 / D, 1 / (1 + mpmath.fsum(mpmath.exp(x - z[y]) for k, x in enumerate(z) if k != y)))
    for j in range(len(z)):
        expected = derivative(lambda z: softmax(z)[y], z, j)
        if j == y:
            all_equal(expected, -1 / D**2 * -(D - 1), (D - 1) / D**2, 1 / D * (1 - 1 / D), p[y] * (1 - p[y]))
        else:
            all_equal(mpmath.exp(z[j] - z[y]), p[j] / p[y])
            all_equal(expected, -mpmath.exp(z[j] - z[y]) / D**2, -(p[y] ** 2) * (p[j] / p[y]), -p[y] * p[j])


@pytest.mark.parametrize("z, y", POINTS)
def test_both_cases_are_what_the_engine_computes(z, y):
    """Forward and reverse mode against the differences of 40 digits, and the matrix diag(p) - p pᵀ."""
    at = np.array(z, float)
    row = ag.grad(lambda z: ag.softmax(z)[y])(at)
    columns = [ag.jvp(ag.softmax, (at,), (tangent,))[1][y] for tangent in np.eye(len(z))]
    expected = [float(derivative(lambda z: softmax(z)[y], z, j)) for j in range(len(z))]
    np.testing.assert_allclose(row, expected, rtol=1e-13)
    np.testing.assert_allclose(columns, expected, rtol=1e-13)
    p = np.array(softmax(z), float)
    np.testing.assert_allclose(row, (np.diag(p) - np.outer(p, p))[y], rtol=1e-13)


@pytest.mark.parametrize("z, y", POINTS)
def test_the_derivative_of_the_loss_both_ways(z, y):
    p = softmax(z)
    for j in range(len(z)):
        expected = derivative(lambda z: -mpmath.log(softmax(z)[y]), z, j)
        short = p[j] - (1 if j == y else 0)
        through_p = -1 / p[y] * derivative(lambda z: softmax(z)[y], z, j)
        all_equal(expected, short, through_p, p[y] - 1 if j == y else p[j])
    np.testing.assert_allclose(
        ag.grad(lambda z: ag.cross_entropy(z, y))(np.array(z, float)), np.array([p[j] - (j == y) for j in range(len(z))], float),
        rtol=1e-13,
    )  # fmt: skip


@pytest.mark.parametrize("z, y", POINTS)
def test_how_large_the_derivative_of_the_loss_is(z, y):
    """Its absolute values sum to 2 (1 - p_y)."""
    g = ag.grad(lambda z: ag.cross_entropy(z, y))(np.array(z, float))
    assert abs(g).sum() == pytest.approx(float(2 * (1 - softmax(z)[y])), rel=1e-12)
    assert abs(g.sum()) < 1e-15


def test_the_derivative_of_the_loss_is_zero_for_one_hot_probabilities_alone():
    one_hot = np.array([0.0, -np.inf, -np.inf])
    assert not ag.grad(lambda z: ag.cross_entropy(z, 0))(one_hot).any()
    assert ag.grad(lambda z: ag.cross_entropy(z, 0))(np.array([0.0, -700.0, -np.inf])).any()
    assert abs(ag.grad(lambda z: ag.cross_entropy(z, 1))(one_hot)).sum() == 2, "sure of the wrong label"


def test_the_honest_probabilities_have_the_smallest_mean_loss():
    """-Σ q log p over many p, against the entropy of q; and its derivative p - q by the engine."""
    q = np.array([0.5, 0.3, 0.2])
    z = np.random.default_rng(0).normal(0, 1, (1000, 3))
    losses = -(q * special.log_softmax(z, axis=1)).sum(axis=1)
    assert losses.min() > -(q * np.log(q)).sum() > losses.min() - 0.01
    for row in z[:5]:
        gradient = ag.grad(lambda z: ag.cross_entropy(z, q, probabilities=True))(row)
        np.testing.assert_allclose(gradient, special.softmax(row) - q, atol=1e-15)


def test_the_derivative_of_the_weights_by_differences():
    rng = np.random.default_rng(0)
    x, W, y, h = rng.normal(size=(1, 4)), rng.normal(size=(4, 3)), 2, 1e-5

    def loss(W):
        return -special.log_softmax(x @ W)[0, y]

    differences = np.empty_like(W)
    for place in np.ndindex(W.shape):
        step = np.zeros_like(W)
        step[place] = h
        differences[place] = (8 * (loss(W + step) - loss(W - step)) - loss(W + 2 * step) + loss(W - 2 * step)) / (12 * h)
    by_formula = x.T @ (special.softmax(x @ W) - np.eye(3)[[y]])
    np.testing.assert_allclose(by_formula, differences, rtol=1e-8)
    np.testing.assert_allclose(ag.grad(lambda W: ag.negative_log_likelihood(x @ W, [y]))(W), by_formula, rtol=1e-13)

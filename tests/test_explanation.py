"""The explanation as data: golden on the running example, sums that must come out, and what a reader is shown of large graphs."""

import copy
import re

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import ag
from ag.explanation import steps
from ag.explanation.chain_rule import Path
from ag.explanation.parsing import parse
from ag.explanation.plain_text import plain_text
from ag.operators.rules import FUNCTIONS
from formula_reader import evaluate


def running_example():
    x, y = ag.Scalar(2.0, label="x"), ag.Scalar(1.0, label="y")
    s = x + y
    return x, y, ag.log(1 + ag.exp(-s)) * s


DEFINITIONS = ["x", "y", "z1 + z2", "-z3", "e^z4", "1 + z5", "log z6", "z7 · z3"]
VALUES = [2.0, 1.0, 3.0, -3.0, np.exp(-3), 1 + np.exp(-3), np.log1p(np.exp(-3)), 3 * np.log1p(np.exp(-3))]
TERMS = {  # quantity: its terms as (consumer, local partial), in the order in which the reverse pass meets them
    "z1": [("z3", "1")], "z2": [("z3", "1")], "z3": [("z8", "z7"), ("z4", "-1")], "z4": [("z5", "z5")], "z5": [("z6", "1")],
    "z6": [("z7", "1 / z6")], "z7": [("z8", "z3")], "z8": [],
}  # fmt: skip


def test_the_running_example():
    x, y, f = running_example()
    e = ag.explain(f)
    assert [q.name.text for q in e.quantities] == [f"z{i}" for i in range(1, 9)]
    assert [steps.definition(q) for q in e.quantities] == DEFINITIONS
    np.testing.assert_allclose([q.value for q in e.quantities], VALUES, rtol=1e-14)
    assert {q.name.text: [(t.consumer.name.text, t.partial.text()) for t in q.terms] for q in e.quantities} == TERMS
    assert steps.chain(e["z7"]) == ["∂f/∂z7", "∂f/∂z8 · ∂z8/∂z7", "1 · z3", "1 · 3", "3"]
    assert steps.chain(e["z3"])[:3] == ["∂f/∂z3", "∂f/∂z8 · ∂z8/∂z3 + ∂f/∂z4 · ∂z4/∂z3", "1 · z7 + 0.14228 · (-1)"]
    sigmoid = 1 / (1 + np.exp(3))
    for node in (x, y):
        assert e[node].adjoint == pytest.approx(np.log1p(np.exp(-3)) - 3 * sigmoid, rel=1e-14)
    assert r"\frac{\partial f}{\partial z_{7}} &= \frac{\partial f}{\partial z_{8}} \cdot \frac{\partial z_{8}}{\partial z_{7}}" in e.latex()
    assert r"z_{5} &= e^{z_{4}}" in e.latex()


def test_before_and_after_backward_it_is_the_same_and_touches_no_grad():
    x, _, f = running_example()
    before = ag.explain(f).text(100)
    assert x.grad is None
    f.backward()
    grad = x.grad
    assert ag.explain(f).text(100) == before and x.grad == grad


def test_a_function_of_plain_numpy_bears_the_names_of_its_parameters():
    e = ag.explain(lambda w, b: np.tanh(w @ np.ones(2) + b), np.array([0.5, -1.0]), 0.25)
    assert e["w"].label == "w" and e["b"].label == "b"
    np.testing.assert_allclose(e["w"].adjoint, (1 - np.tanh(-0.25) ** 2) * np.ones(2), rtol=1e-14)


def test_matrices_with_their_shapes():
    rng = np.random.default_rng(0)
    W = ag.Tensor(rng.normal(size=(4, 3)), label="W")
    x = ag.Tensor(rng.normal(size=(5, 4)), label="x")
    z = x @ W
    z.label = "z"
    L = ag.cross_entropy(z, [0, 1, 2, 0, 1], reduction="sum")
    L.label = "L"
    e = ag.explain(L)
    assert steps.chain(e["W"])[:2] == ["∂L/∂W", "xᵀ · ∂L/∂z"] and e["W"].adjoint.shape == (4, 3)
    assert steps.chain(e["z"])[1] == "p - e_y" and steps.given(e["z"])[0].startswith("p = softmax(z)")
    p = ag.Tensor(rng.normal(size=3), label="u")
    s = ag.softmax(p)
    s.label = "p"
    assert steps.chain(ag.explain((s * s).sum())["u"])[1] == "(diag(p) - p · pᵀ) · ∂L/∂p"


def random_graph(seed, tensors):
    """A random expression in which quantities are used again and again."""
    rng = np.random.default_rng(seed)
    make = (lambda: ag.Tensor(rng.uniform(0.5, 1.5, (2, 3)))) if tensors else (lambda: ag.Scalar(rng.uniform(0.5, 1.5)))
    nodes = [make(), make()]
    leaves = list(nodes)
    for _ in range(rng.integers(3, 9)):
        a, b = (nodes[i] for i in rng.integers(0, len(nodes), 2))
        nodes.append([lambda a, b: a * b, lambda a, b: a + b, lambda a, b: ag.sin(a), lambda a, b: a / (1 + b * b), lambda a, b: ag.exp(-a)][rng.integers(5)](a, b))
    total = nodes[-1] * nodes[0] + nodes[-2]
    return leaves[0], total.sum() if tensors else total


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.booleans())
def test_contributions_and_paths_add_up_to_the_gradient(seed, tensors):
    x, f = random_graph(seed, tensors)
    e = ag.explain(f)
    f.backward()
    scale = np.max(np.abs(x.grad)) + sum(np.max(np.abs(v)) for _, v in e.contributions(x))
    np.testing.assert_allclose(sum(v for _, v in e.contributions(x)), x.grad, rtol=0, atol=1e-12 * scale)
    paths = e.paths(x, k=3)
    total = sum((path.value for path in paths.largest), start=np.zeros_like(x.grad)) + paths.remainder
    np.testing.assert_allclose(total, x.grad, rtol=0, atol=1e-12 * scale)
    if not tensors:  # the largest are the largest of all, which are found one by one
        everything = all_paths(e, e[x])
        assert len(everything) <= 3 or not paths.complete
        np.testing.assert_allclose(
            [abs(path.value) for path in paths.largest], sorted(map(abs, everything), reverse=True)[:3], rtol=1e-10
        )


def all_paths(e, q):
    if q is e.output:
        return [1.0]
    return [float(t.partial.value) * rest for t in q.terms for rest in all_paths(e, t.consumer)]


@pytest.mark.parametrize("name", ["exp", "multiply", "divide", "matmul", "sum", "softmax", "max", "getitem", "log"])
def test_a_check_names_the_row_whose_rule_is_wrong(name, monkeypatch):
    def program():
        x = ag.Tensor(np.array([[0.5, 1.0], [1.5, 0.2]]), label="x")
        y = ag.softmax(ag.exp(x) @ x, axis=-1) / (1 + x * x)
        return ag.max(y) + ag.sum(ag.log(y)) * y[0, 1]

    assert not ag.explain(program()).check().failures
    op = FUNCTIONS[name].op
    rule, vjp = copy.copy(op.rule), op.rule.vjp
    if op.rule.partials is not None:
        rule.partials = tuple((lambda *a, p=p: 1.001 * (p(*a) if callable(p) else p)) if p is not None else None for p in op.rule.partials)
        monkeypatch.setattr(op, "partials", None)
    else:
        rule.vjp = lambda *args: vjp(*args) * 1.001
    monkeypatch.setattr(op, "rule", rule)
    failures = ag.explain(program()).check().failures
    assert failures and name in "".join(map(str, failures))


def test_large_graphs_are_folded_by_line_and_lines_keep_to_the_width():
    x = ag.Scalar(0.5, label="x")
    y = x
    for _ in range(468):
        y = ag.sin(y) * 1.01 + x
    text = ag.explain(y).text(80)
    assert text.count("× 468") >= 3 and len(text.splitlines()) < 60
    for width in (40, 60, 80, 120, 160):
        for f in (y, running_example()[2]):
            assert max(map(len, ag.explain(f).text(width).splitlines())) <= width


def test_a_branch_not_taken_contributes_exactly_zero():
    with np.errstate(all="ignore"):
        e = ag.explain(lambda x: np.where(x > 0, np.sqrt(x), x), -1.0)
    assert e["x"].adjoint == 1.0 and [t.value for t in e["x"].terms] == [1.0, 0.0]
    assert "a branch not taken contributes exactly 0" in " ".join(e.text(200).split())


def cells(markdown):
    """The lines of tables, each as its cells."""
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in markdown.splitlines() if line.startswith("|")]


def test_markdown_is_a_table_and_latex_is_balanced():
    e = ag.explain(running_example()[2])
    table = cells(e.markdown())
    assert len(table) == 2 * 2 + 2 * 8 and [len(row) for row in table] == [3] * 10 + [1] * 10, "nothing stands beside the chain rule"
    text = e.latex()
    assert text.startswith(r"\documentclass") and text.rstrip().endswith(r"\end{document}")
    assert text.count("{") == text.count("}") and text.count(r"\begin{align*}") == text.count(r"\end{align*}")


def test_markdown_has_no_empty_columns():
    parsed = parse("log(x) * y", {"x": 2.0, "y": 1.0})
    assert {len(row) for row in cells(ag.explain(parsed).markdown())[:6]} == {2}, "no line of a program made it"
    table = cells(ag.explain(parsed).check().markdown())
    assert [len(row) for row in table] == [2] * 12 and all("✓" in row[1] for row in table[-4:])
    table = cells(ag.explain(parse("softmax([x, 2])[0]", {"x": 2.0})).markdown())
    assert [len(row) for row in table] == [2] * 12 and table[-1][1].strip() == "" != table[-2][1].strip()


@pytest.mark.parametrize("text", [
    "log(1+exp(-(x+y)))*(x+y)", "-x**2/(y-(x-y))", "(x*2)/(y/3)", "(x-1)**2/(y*x)**0.5", "-(x-y)", "sum([x, y]*[x, 3]) - x",
    "mean([x, y, x])/log(y + 1)",
])  # fmt: skip
def test_the_formula_of_the_whole(text):
    """Read by somebody else, it gives the value; and it is the same in both documents."""
    values = {"x": 2.0, "y": 1.25}
    node = parse(text, values)
    e = ag.explain(node)
    latex = re.search(r"of them leaves\}\$\}\n\\\[ (\w) = (.*) \\\]\n", e.latex())
    assert float(evaluate(plain_text(latex[2]), values)) == pytest.approx(float(node.value), rel=1e-14)
    assert f"\n\n${latex[1]} = {latex[2]}$\n\n" in e.markdown().replace(r"\mathrm{", r"\operatorname{")


def test_the_formula_of_the_whole_is_short():
    """It repeats what is used twice, so one of few quantities may be long; a leaf is none; names that two leaves have are none."""
    x = ag.Scalar(1.1, label="x")
    y = x
    for n in range(1, 7):
        y = y * y
        assert (r"\[" in ag.explain(y).latex()) == (2 ** (n + 1) - 1 <= 20)
    assert r"\[" not in ag.explain(x).latex() and "$f" not in ag.explain(x).markdown()
    twice = ag.Scalar(1.0, label="x") - ag.Scalar(2.0, label="x")
    assert r"\[ f = z_{1} - z_{2} \]" in ag.explain(twice).latex()


def test_saved_by_the_ending_of_the_path(tmp_path):
    e = ag.explain(running_example()[2])
    for ending, begin in ((".txt", "f"), (".md", "**f"), (".tex", r"\documentclass"), (".html", "<!")):
        e.save(tmp_path / f"f{ending}")
        assert (tmp_path / f"f{ending}").read_text(encoding="utf-8").lower().startswith(begin)
    with pytest.raises(ValueError, match=r"the ending says what to write; it is one of \.html, \.md, \.tex, \.txt"):
        e.save(tmp_path / "f.docx")
    assert not list(tmp_path.glob("*.docx"))


def test_a_folder_that_is_not_there_is_said_before_the_work(tmp_path, monkeypatch):
    """Of the path that was given, not of the temporary one beside it."""
    e = ag.explain(running_example()[2])
    monkeypatch.setattr(type(e), "html", lambda self: pytest.fail("the work was begun"))
    path = tmp_path / "absent" / "f.html"
    with pytest.raises(FileNotFoundError, match=re.escape(f"as the folder {path.parent} is not there: '{path}'")) as caught:
        e.save(path)
    assert caught.value.filename == str(path)


@pytest.mark.parametrize("call,error,words", [
    (lambda: ag.explain(3.0), TypeError, "takes a node, or a function and its arguments"),
    (lambda: ag.explain(ag.Scalar(1.0), 2.0), TypeError, "takes no further arguments"),
    (lambda: ag.explain(lambda x: 3.0, 1.0), TypeError, "does not depend on its arguments"),
    (lambda: ag.explain(running_example()[2])["w"], KeyError, "is no quantity of this graph; they are called z1"),
    (lambda: ag.explain(running_example()[2]).paths("x", k=0), ValueError, "at least 1"),
    (lambda: ag.explain(ag.Tensor([1.0, 2.0]) * 2.0).check(), ValueError, "give the cotangent"),
])  # fmt: skip
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_path_reads_as_one():
    _, _, f = running_example()
    paths = ag.explain(f).paths("x")
    assert paths.complete and paths.remainder == 0 and isinstance(paths.largest[0], Path)
    assert [str(path) for path in paths.largest] == ["z1 → z3 → z4 → z5 → z6 → z7 → z8", "z1 → z3 → z8"]

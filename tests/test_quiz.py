"""The quiz: answers are marked by the chain rule on the learner's own numbers, mistakes are recognised, nothing is given away."""

import math
import re
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import ag
from ag.explanation.parsing import evaluate
from ag.explanation.pointing import ExpressionError


@pytest.fixture
def example():
    """f(x, y) = log(1 + e^{-(x+y)}) (x+y) at x = 2, y = 1."""
    x, y = ag.Scalar(2.0, label="x"), ag.Scalar(1.0, label="y")
    s = x + y
    return ag.log(1 + ag.exp(-s)) * s


Z = [2.0, 1.0, 3.0, -3.0, math.exp(-3), 1 + math.exp(-3), math.log1p(math.exp(-3)), 3 * math.log1p(math.exp(-3))]
G = {8: 1.0, 7: 3.0, 6: 3 / Z[5], 5: 3 / Z[5], 4: 3 / Z[5] * Z[4]}
G[3] = Z[6] - G[4]
G[2] = G[1] = G[3]
TRUTH = {f"z{i}": G[i] for i in range(8, 0, -1)}


def statuses(marks):
    return [result.status for result in marks]


def only(marks):
    (result,) = marks
    return result


# ---------------------------------------------------------------------- what is shown


def test_the_question_shows_the_forward_pass_and_hides_the_gradients(example):
    example.backward()  # the gradients exist, and are still not shown
    quiz = ag.quiz(example)
    for shown in (quiz.text(100), quiz._repr_html_(), str(quiz), repr(quiz)):
        for name in ("z3 = z1 + z2", "0.049787", "∂f/∂z8 = ?", "∂f/∂z1 = ?", "test_quiz.py"):
            assert name in shown
        for gradient in ("0.0936", "0.142", "2.857"):
            assert gradient not in shown
        assert shown.index("∂f/∂z8") < shown.index("∂f/∂z7") < shown.index("∂f/∂z1"), "in the order of the reverse pass"
    assert "quiz.answer('z8', ...)" in quiz.text(100)


def test_what_was_answered_is_shown_with_its_mark(example):
    quiz = ag.quiz(example)
    quiz.answer({"z8": 1, "z7": -3})
    text = quiz.text(100)
    assert re.search(r"∂f/∂z8 = 1 +✓\n", text) and re.search(r"∂f/∂z7 = -3 +✗ the sign is wrong", text)
    assert "∂f/∂z6 = ?" in text and "quiz.answer('z6', ...)" in text
    assert "<td>∂f/∂z7 = -3</td><td class='dim' colspan='2'>✗ the sign is wrong</td>" in quiz._repr_html_()
    assert "the first wrong step" in quiz.answer("z7", -3)._repr_html_()


def test_nothing_is_written_to_the_graph(example):
    quiz = ag.quiz(example)
    quiz.answer(TRUTH)
    quiz.run(input=lambda prompt: "!", print=lambda text: None)
    assert example.grad is None and example.inputs[0].grad is None


def test_functions_and_leaves():
    quiz = ag.quiz(lambda x, y: np.log(x) * y, 2.0, 1.0)
    assert [q.name.text for q in quiz.questions] == ["z4", "z3", "z2", "z1"]
    assert quiz.answer({"x": 0.5, "y": "0.693"}).right
    leaf = ag.quiz(ag.Scalar(3.0, label="x"))
    assert leaf.answer("x", 1).right and leaf.score == (1, 1)


# ---------------------------------------------------------------------- right answers


@pytest.mark.parametrize("form", [
    lambda g: g, lambda g: str(g), lambda g: np.float64(g), lambda g: np.array(g), lambda g: f"{g:.4g}", lambda g: round(g, 4),
    lambda g: Fraction(g), lambda g: ag.Scalar(g), lambda g: f"  {g} ", lambda g: np.array([[g]])[0, 0], lambda g: g * 1.0009,
])  # fmt: skip
def test_right_answers_in_every_form(example, form):
    quiz = ag.quiz(example)
    marks = quiz.answer({name: form(g) for name, g in TRUTH.items()})
    assert marks.right and marks.first_wrong is None and quiz.score == (8, 8)
    assert "✗" not in str(marks) and "the first wrong step" not in str(marks)


def test_answers_as_expressions(example):
    quiz = ag.quiz(example)
    given = {"z8": "1", "z7": "z3", "z6": "z3/z6", "z5": "z3*1/(1+exp(-3))", "z4": "3*z5/z6", "z3": "z7 - 3*z5/z6", "x": "-0.0937"}
    assert quiz.answer(given).right
    assert quiz.answer("y", "z7 - 3*z5/z6").right
    assert quiz.answer("z7", "9/3").right and quiz.answer("z7", "y + x").right


def test_quantities_by_every_name(example):
    z7, z3 = example.inputs
    quiz = ag.quiz(example)
    marks = quiz.answer({z3: TRUTH["z3"], "x": TRUTH["z1"], z7: 3, example: 1})
    assert [result.quantity.number for result in marks] == [8, 7, 3, 1], "in the order of the reverse pass"
    assert marks.right
    with pytest.raises(KeyError, match=r"'z9' is no quantity of this graph; they are called z1, z2, z3"):
        quiz.answer("z9", 1)


@pytest.mark.parametrize("text, status", [
    ("0.14", "right"), ("0.142", "right"), ("0.1423", "right"), ("1.4e-1", "right"), ("14e-2", "right"),  # 0.14228
    ("0.141", "wrong"), ("0.143", "wrong"), ("0.15", "wrong"), ("0.1425", "wrong"), ("0.1", "rounded"), ("1e-1", "rounded"), ("0.2", "wrong"),
])  # fmt: skip
def test_digits(example, text, status):
    """0.1 %, or as many digits as are given, but two at least."""
    quiz = ag.quiz(example)
    result = only(quiz.answer("z4", text))
    assert result.status == status
    assert only(quiz.answer("z4", float(text))).status == status, "a number is read as it is written"
    assert str(only(quiz.answer("z4", "0.1"))) == "✗ give at least 2 digits"


def test_an_answer_from_rounded_answers_is_right(example):
    """2.9 · 0.05 = 0.145 is off by 2 %, but each step is right."""
    quiz = ag.quiz(example)
    assert statuses(quiz.answer({"z6": 2.9, "z5": 2.9, "z4": "2.9*z5"})) == ["right"] * 3
    assert only(ag.quiz(example).answer("z4", "2.9*z5")).status == "wrong", "without the steps before it"


def test_zero_nan_and_infinity():
    x = ag.Scalar(0.0, label="x")
    assert ag.quiz(ag.cos(x)).answer("x", 0).right
    with np.errstate(divide="ignore"):
        logarithm = ag.log(x)
    quiz = ag.quiz(logarithm)
    assert quiz.answer("x", math.inf).right and quiz.answer("x", "inf").right and not quiz.answer("x", 1e300).right
    quiz = ag.quiz(ag.exp(logarithm))
    assert quiz.answer("x", math.nan).right and not quiz.answer("x", 0).right, "0 · inf"
    s = ag.Scalar(0.1, label="s")
    assert ag.quiz(s * 3.0 - (s + s + s)).answer("s", 0).right, "what is left of the rounding does not count"


def test_a_branch_not_taken_contributes_nothing():
    x = ag.Tensor(-1.0, label="x")
    with np.errstate(invalid="ignore"):
        y = ag.where(x > 0, ag.sqrt(x), x)
    quiz = ag.quiz(y)
    assert quiz.answer("x", 1).right
    root = next(q for q in quiz.questions if q.op is not None and q.op.name == "sqrt")
    assert quiz.answer(root.node, 0).right


# ---------------------------------------------------------------------- what follows from a wrong answer


def test_what_follows_from_a_wrong_answer_counts(example):
    quiz = ag.quiz(example)
    marks = quiz.answer({"z8": 1, "z7": 3, "z6": 3, "z5": 3, "z4": 3 * Z[4], "z3": Z[6] - 3 * Z[4], "y": Z[6] - 3 * Z[4], "x": 0.5})
    assert statuses(marks) == ["right", "right", "wrong", "follows", "follows", "follows", "follows", "wrong"]
    assert marks.first_wrong.quantity.name.text == "z6"
    assert str(marks[4]) == "(✓) follows from your ∂f/∂z6, which is wrong"
    assert str(marks).endswith("the first wrong step\n  ∂f/∂z6 = ∂f/∂z7 · ∂z7/∂z6   where z7 = log z6")
    assert not marks.right and quiz.score == (2, 8)


def test_two_wrong_answers_that_an_answer_follows_from(example):
    quiz = ag.quiz(example)
    marks = quiz.answer({"z8": 2, "z4": 5, "z3": 2 * Z[6] - 5})
    assert statuses(marks) == ["wrong", "wrong", "follows"]
    assert marks[2].note == "follows from your ∂f/∂z8 and ∂f/∂z4, which are wrong"


def test_right_in_spite_of_a_wrong_answer(example):
    """The true derivative is right, wherever it came from."""
    assert statuses(ag.quiz(example).answer({"z7": 5, "z6": G[6]})) == ["wrong", "right"]


def test_answers_are_marked_again_when_an_earlier_one_changes(example):
    quiz = ag.quiz(example)
    assert only(quiz.answer("z5", 3)).status == "wrong"
    quiz.answer("z6", 3)
    assert quiz.marks[quiz.graph["z5"]].status == "follows"
    quiz.answer("z6", G[6])
    assert quiz.marks[quiz.graph["z5"]].status == "wrong"


# A straight-line program in numbers, with its partials written out by hand: the oracle of the next test.
STEPS = {
    "add": (lambda a, b: a + b, lambda a, b: (1, 1)),
    "multiply": (lambda a, b: a * b, lambda a, b: (b, a)),
    "subtract": (lambda a, b: a - b, lambda a, b: (1, -1)),
    "divide": (lambda a, b: a / b, lambda a, b: (1 / b, -a / b**2)),
    "hypot": (lambda a, b: math.hypot(a, b), lambda a, b: (a / math.hypot(a, b), b / math.hypot(a, b))),
}


@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_one_wrong_step_is_one_wrong_step(data):
    """A learner who makes one mistake and goes on rightly from it has one wrong answer, whatever the graph."""
    values = [data.draw(st.floats(0.5, 2.0)) for _ in range(2)]
    nodes = [ag.Scalar(v, label=name) for v, name in zip(values, "xy", strict=True)]
    uses = []
    for _ in range(data.draw(st.integers(1, 6))):
        name = data.draw(st.sampled_from(sorted(STEPS)))
        i, j = data.draw(st.integers(0, len(nodes) - 1)), len(nodes) - 1
        value = STEPS[name][0](values[i], values[j])
        if not 1e-3 < abs(value) < 1e3:
            name, value = "add", values[i] + values[j]
        uses.append((name, i, j))
        values.append(value)
        nodes.append(getattr(ag, name)(nodes[i], nodes[j]))
    quiz = ag.quiz(nodes[-1])
    asked = [n for n, node in enumerate(nodes) if node in quiz.graph.by_node]
    wrong = data.draw(st.sampled_from(asked))
    factor = data.draw(st.sampled_from([-1, 0.5, 1.5, 3]))
    learnt, truth = [0.0] * len(nodes), [0.0] * len(nodes)
    learnt[-1] = truth[-1] = 1.0
    for n in reversed(range(len(nodes))):
        if n == wrong:
            learnt[n] = learnt[n] * factor if abs(learnt[n]) > 1e-6 else 1.0
        if n >= 2:
            name, i, j = uses[n - 2]
            for k, partial in zip((i, j), STEPS[name][1](values[i], values[j]), strict=True):
                learnt[k] += learnt[n] * partial
                truth[k] += truth[n] * partial
    marks = quiz.answer({nodes[n]: learnt[n] for n in asked})
    assert [result.quantity.node for result in marks if result.status in ("wrong", "rounded")] == [nodes[wrong]]
    assert marks.first_wrong.quantity.node is nodes[wrong]
    for n in asked:
        far = abs(learnt[n] - truth[n]) > 1e-2 * abs(truth[n]) + 1e-6
        if n != wrong and far:
            assert quiz.marks[quiz.graph[nodes[n]]].status == "follows"
    assert ag.quiz(nodes[-1]).answer({nodes[n]: truth[n] for n in asked}).right


# ---------------------------------------------------------------------- mistakes


@pytest.mark.parametrize("name, answer, note", [
    ("z8", Z[7], "z8 is the output itself"),
    ("z4", -G[4], "the sign is wrong"),
    ("z3", Z[6], "z3 is used in z4, too: what comes through there is missing"),
    ("z3", -G[4], "z3 is used in z8, too: what comes through there is missing"),
    ("z3", Z[6] + G[4], "the sign of what comes through z4 is wrong"),
    ("z3", Z[6] - 1, "∂z4/∂z3 stands alone: multiply it by what arrives, ∂f/∂z4"),
    ("z4", Z[4], "∂z5/∂z4 stands alone: multiply it by what arrives, ∂f/∂z5"),
    ("z5", 1, "∂z6/∂z5 stands alone: multiply it by what arrives, ∂f/∂z6"),
    ("z6", 3, "∂f/∂z7 is passed on as it arrives: multiply it by ∂z7/∂z6"),
    ("z6", 3 * Z[6], "the value of z7 stands where the local partial ∂z7/∂z6 belongs"),
    ("z6", 3 * Z[5], "z6 itself stands where the local partial ∂z7/∂z6 belongs"),
    ("z7", Z[6], "z7 itself stands where the local partial ∂z8/∂z7 belongs"),
    ("z7", 1 / 3, "multiply by ∂z8/∂z7, where you divided"),
    ("z5", Z[4], "that is the value of z5, not the derivative with respect to it"),
    ("z5", 2 * G[5], "that is twice as much as it should be"),
    ("z5", G[5] / 2, "that is half as much as it should be"),
    ("z4", "-0.1", "the sign is wrong"),
    ("z4", 17.0, ""),
    ("z5", [1.0, 2.0], "this is a vector of 2, but a gradient has the shape of what it belongs to: z5 is a number"),
])  # fmt: skip
def test_mistakes_are_recognised(example, name, answer, note):
    result = only(ag.quiz(example).answer(name, answer))
    assert (result.status, result.note) == ("wrong", note)


def test_a_mistake_after_a_mistake(example):
    """What was done wrong is seen with the learner's own numbers."""
    quiz = ag.quiz(example)
    marks = quiz.answer({"z5": 7, "z4": -7 * Z[4]})
    assert [result.note for result in marks][1] == "the sign is wrong"


def test_a_quantity_that_is_used_twice_in_one_place():
    x = ag.Scalar(3.0, label="x")
    assert only(ag.quiz(x * x).answer("x", 3)).note == "z2 uses z1 more than once, and each use counts"
    three = x * x + x
    quiz = ag.quiz(three)
    assert quiz.answer("x", 7).right
    assert only(quiz.answer("x", 6)).note == "z1 is used in z3, too: what comes through there is missing"


def test_what_does_not_depend():
    x = ag.Scalar(2.0, label="x")
    assert only(ag.quiz(ag.floor(x) + 0 * x).answer("x", 1)).status == "wrong"
    y = ag.floor(x)
    quiz = ag.quiz(y * 1.0)
    assert quiz.answer("x", 0).right
    assert only(quiz.answer("x", 2)).note == "the output does not depend on z1"
    assert quiz.hints("x") == ["∂f/∂z1: does the output depend on z1 at all?"]


# ---------------------------------------------------------------------- arrays


@pytest.fixture
def classifier():
    x = ag.Tensor([[1.0, 2.0]], label="x")
    W = ag.Tensor([[1.0, 0.0, 0.0], [0.5, 0.5, -0.5]], label="W")
    return ag.negative_log_likelihood(x @ W, [1])


P = np.exp([2.0, 1.0, -1.0]) / np.exp([2.0, 1.0, -1.0]).sum()
E = np.array([0.0, 1.0, 0.0])
X = np.array([[1.0, 2.0]])
W = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, -0.5]])


def test_arrays(classifier):
    quiz = ag.quiz(classifier)
    assert quiz.answer({"z4": 1, "z3": [P - E], "W": X.T @ [P - E], "x": [P - E] @ W.T}).right
    assert quiz.answer("z3", P - E).right, "a row may be written as a vector"
    assert quiz.answer("z3", "softmax(z3) - [[0, 1, 0]]").right
    assert quiz.answer("W", "[[0.71, -0.74, 0.035], [1.41, -1.48, 0.07]]").right, "to the digits given"
    assert quiz.answer("W", np.round(X.T @ [P - E], 2)).right
    assert not quiz.answer("W", "[[0.71, -0.74, 0.035], [1.41, -1.48, 0.08]]").right
    assert "∂L/∂W = ?" in ag.quiz(classifier).text(100) and "(2×3)" in ag.quiz(classifier).text(100)


@pytest.mark.parametrize("name, answer, note", [
    ("z3", [P], "that is p alone: subtract e_y, the 1 at the label"),
    ("z3", [E - P], "the sign is wrong"),
    ("z3", [[2.0, 1.0, -1.0]], "that is the value of z3, not the derivative with respect to it"),
    ("W", np.outer(P - E, X), "rows and columns are exchanged: a gradient has the shape of what it belongs to, W is 2×3"),
    ("W", [P - E], "this is 1×3, but a gradient has the shape of what it belongs to: W is 2×3"),
    ("W", X.T @ np.ones((1, 3)), "∂z3/∂W stands alone: multiply it by what arrives, ∂L/∂z3"),
    ("W", 3 * X.T @ [P - E], "that is 3 times as much as it should be"),
    ("W", X.T @ [P - E] / 3, "that is 3 times less than it should be"),
])  # fmt: skip
def test_mistakes_with_arrays(classifier, name, answer, note):
    result = only(ag.quiz(classifier).answer(name, answer))
    assert (result.status, result.note) == ("wrong", note)


def test_a_square_matrix_transposed():
    A, B = ag.Tensor([[1.0, 2.0], [3.0, 4.0]], label="A"), np.array([[1.0, -1.0], [0.5, 2.0]])
    G = np.array([[1.0, 2.0], [3.0, 5.0]])
    quiz = ag.quiz(A @ B, cotangent=G)
    assert quiz.answer("A", G @ B.T).right
    assert only(quiz.answer("A", (G @ B.T).T)).note == "rows and columns are exchanged"


def test_what_follows_with_arrays(classifier):
    quiz = ag.quiz(classifier)
    marks = quiz.answer({"z3": [P], "W": X.T @ [P], "x": [P] @ W.T})
    assert statuses(marks) == ["wrong", "follows", "follows"]
    unfit = quiz.answer({"z3": [1.0, 2.0], "W": X.T @ [P - E]})
    assert statuses(unfit) == ["wrong", "right"], "a wrong shape leads nowhere: the step after it is judged by the truth"


def test_one_number_for_equal_elements():
    v = ag.Tensor([1.0, 2.0, 3.0], label="v")
    assert ag.quiz(v.sum()).answer("v", 1).right
    assert not ag.quiz((v * v).sum()).answer("v", 2).right


def test_a_mean_counts_its_elements():
    v = ag.Tensor([1.0, 2.0, 4.0], label="v")
    quiz = ag.quiz(ag.mean(ag.exp(v)))
    assert only(quiz.answer("z2", 1)).note == "that is 3 times as much as it should be"
    assert only(quiz.answer("v", np.exp([1.0, 2.0, 4.0]))).status == "follows"


def test_large_arrays_are_marked():
    A = np.random.default_rng(0).normal(size=(60, 50))
    W = ag.Tensor(A, label="W")
    quiz = ag.quiz((W * W).sum())
    assert quiz.answer("W", 2 * A).right
    assert only(quiz.answer("W", A)).note == "z2 uses W more than once, and each use counts"


def test_an_output_of_several_elements():
    v = ag.Tensor([1.0, 2.0], label="v")
    with pytest.raises(ValueError, match="the output has 2 elements, so it has no single derivative: give the weights"):
        ag.quiz(v * v)
    assert ag.quiz(v * v, cotangent=[1.0, 0.0]).answer("v", [2, 0]).right


# ---------------------------------------------------------------------- what is asked


def test_only_some_quantities(example):
    quiz = ag.quiz(example, of=["x", "z7"])
    assert [q.name.text for q in quiz.questions] == ["z7", "z1"] and quiz.score == (0, 2)
    assert [q.name.text for q in ag.quiz(example, of="x").questions] == ["z1"]
    assert [q.name.text for q in ag.quiz(example, of=example).questions] == ["z8"]
    assert quiz.answer("z8", 1).right and quiz.score == (0, 2), "others can be marked, but do not count"


def test_too_many_questions():
    x = y = ag.Scalar(0.5, label="x")
    for _ in range(100):
        y = ag.sin(y)
    with pytest.raises(ValueError, match=r"101 derivatives are too many to ask for: choose some, of=\['x', 'z7'\]"):
        ag.quiz(y)
    quiz = ag.quiz(y, of="x")
    assert "× 100" in quiz.text(100) and len(quiz.text(100).splitlines()) < 12
    assert quiz.answer(x, ag.grad(lambda x: _many(x))(0.5)).right


def _many(x):
    for _ in range(100):
        x = ag.sin(x)
    return x


@pytest.mark.parametrize("answer", [None, object(), "1 apple", ["1", "x"], 1j, [[1.0], [1.0, 2.0]]])
def test_what_is_no_answer(example, answer):
    quiz = ag.quiz(example)
    with pytest.raises((TypeError, ExpressionError), match="an answer is a number, an array of numbers, or text|missing|read"):
        quiz.answer("z7", answer)
    assert not quiz.marks


def test_errors_of_text_point_at_the_place(example):
    quiz = ag.quiz(example)
    with pytest.raises(ExpressionError, match=r"w is not known here; these are: z1, x, z2, y, z3.*\n  2\*w\n    \^"):
        quiz.answer("z7", "2*w")


def test_what_can_not_be_asked():
    with pytest.raises(TypeError, match=r"ag.quiz takes a node, or a function and its arguments, got 3.0"):
        ag.quiz(3.0)
    with pytest.raises(TypeError, match=r"ag.quiz\(node\) takes no further arguments"):
        ag.quiz(ag.Scalar(1.0), 2.0)
    with pytest.raises(TypeError, match="ag.quiz: the function returned"):
        ag.quiz(lambda x: 1.0, 2.0)


def test_expressions_of_some_values_or_none():
    assert evaluate("1/3", {"x": 2.0}) == 1 / 3
    assert evaluate("x*y", {"x": 2.0, "y": 3.0, "z": 5.0}) == 6.0
    np.testing.assert_array_equal(evaluate("v * [1, 2]", {"v": np.array([3.0, 4.0])}), [3.0, 8.0])
    with pytest.raises(ExpressionError, match="w is not a number"):
        evaluate("w", {})
    with pytest.raises(ExpressionError, match="exp is a function"):
        evaluate("exp + x", {"x": 1.0})


# ---------------------------------------------------------------------- asking


def session(quiz, *answers):
    """What a terminal shows when these lines are typed, and then the end of the input."""
    lines, typed = [], iter(answers)

    def read(prompt):
        try:
            answer = next(typed)
        except StopIteration:
            lines.append(prompt)
            raise EOFError from None
        if isinstance(answer, type):
            lines.append(prompt)
            raise answer
        lines.append(prompt + answer)
        return answer

    quiz.run(input=read, print=lines.append)
    return "\n".join(lines)


def test_a_session_from_the_output_to_the_leaves(example):
    quiz = ag.quiz(example)
    shown = session(quiz, "1", "z3", "2.86", "2.86", "0.1423", "z7 - 0.1423", "-0.0937", "-0.0937")
    head, _, talk = shown.partition("\n\nFind")
    assert "z8 = z7 · z3   0.14576" in head and "∂" not in head
    assert "?  a hint" in talk and "the last one first" in talk
    asked = re.findall(r"^(∂f/∂z\d) = ", talk, re.MULTILINE)
    assert asked == [f"∂f/∂z{i}" for i in range(8, 0, -1)]
    assert talk.count("✓") == 8 and "✗" not in talk
    assert "∂f/∂z7 = z3\n  ✓ 3\n" in talk and "∂f/∂z8 = 1\n  ✓\n" in talk, "the number is shown if it was not typed"
    assert shown.endswith("\n8 of 8 found") and quiz.score == (8, 8)


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_what_to_do_fits_the_terminal(monkeypatch, columns):
    """Between words: no number is broken."""
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = session(ag.quiz(lambda x: ag.norm(x), np.array([1.0, 2.0])))
    how = shown[shown.index("Find the derivative") : shown.index("?  a hint")]
    assert max(map(len, shown.splitlines())) <= columns
    words = "Answer with a number, 0.25 or 1/3, or an expression, z3 or -exp(-3)/z6."
    assert " ".join(how.split()).endswith(f"{words} A vector is written [1, 0.5].") and (columns == 60 or words in how)


def test_hints_the_answer_and_three_wrong_ones(example):
    quiz = ag.quiz(example)
    shown = session(quiz, "?", "1", "?", "?", "?", "3", "3", "3*z6", "17", "!", "q")
    assert "∂f/∂z8: z8 is the output itself: how much does it change when it changes by 1?" in shown
    assert shown.count("  ∂f/∂z7 = ∂f/∂z8 · ∂z8/∂z7   where z8 = z7 · z3\n") == 1
    assert shown.count("  ∂f/∂z7 = ∂f/∂z8 · ∂z8/∂z7 = 1 · z3\n") == 2, "there is no third hint"
    assert "✗ ∂f/∂z7 is passed on as it arrives" in shown and "✗ z6 itself stands" in shown
    assert "∂f/∂z6 = 17\n  ✗ not so; ? gives a hint\n  ∂f/∂z6 = ∂f/∂z7 · ∂z7/∂z6 = 3 · (1 / z6) = 3 · 0.95257 = 2.8577\n∂f/∂z5 =" in shown
    assert "∂f/∂z5 = !\n  ∂f/∂z5 = ∂f/∂z6 · ∂z6/∂z5 = 2.8577 · 1 = 2.8577\n∂f/∂z4 = q\n" in shown
    assert shown.endswith("2 of 8 found, 2 of them with help; 2 shown") and quiz.score == (2, 8)


def test_hints_do_not_give_the_result_away(example):
    quiz = ag.quiz(example)
    for q in quiz.questions[1:]:
        assert not any(hint.endswith(f"= {G[q.number]:.5g}") for hint in quiz.hints(q))
    assert quiz.hints("z3")[1].endswith("= 1 · z7 + 0.14228 · (-1)")


def test_what_can_not_be_read_is_asked_again(example):
    shown = session(ag.quiz(example), "", "one", "1/", "1", "q")
    assert "  one is not known here" in shown and "\n    ^^^\n∂f/∂z8 = 1/\n" in shown
    assert "the expression ends too early" in shown
    assert shown.endswith("1 of 8 found"), "it counts as the first try"


def test_rounded_answers_cost_no_try(example):
    quiz = ag.quiz(example, of="z4")
    assert session(quiz, "0.1", "0.1", "0.1", "0.1", "0.14").endswith("✓ 0.14228\n1 of 1 found")


@pytest.mark.parametrize("end", [EOFError, KeyboardInterrupt])
def test_the_end_of_the_input_and_ctrl_c(example, end):
    assert session(ag.quiz(example), "1", end).endswith("∂f/∂z7 = \n\n1 of 8 found")


def test_a_quantity_called_q():
    q = ag.Scalar(2.0, label="q")
    assert session(ag.quiz(q * 1.5 * q), "1", "q", "quit").count("✓") == 2
    assert session(ag.quiz(q * q), "exit").endswith("0 of 2 found")


def test_arrays_in_a_session(classifier):
    shown = session(ag.quiz(classifier), "1", "[0.71, -0.74, 0.035]", "!", "x")
    assert "A vector is written [1, 0.5]." in shown and "∂L/∂z3 (1×3) = [0.71" in shown
    assert "∂L/∂W = xᵀ · ∂L/∂z3 = [[0.7054, -0.7405, 0.03512], [1.411, -1.481, 0.07024]]" in shown
    assert "✗ that is the value of x" in shown
    large = ag.Tensor(np.ones((7, 9)), label="W")
    shown = session(ag.quiz((large * large).sum()), "1")
    assert "∂L/∂W has 63 elements: quiz.answer('W', array) marks it" in shown
    assert shown.endswith("1 of 3 found")


def test_in_a_real_process():
    """Python's own input and print; the input ends in the middle."""
    code = "import ag; ag.quiz(ag.log(ag.Scalar(2.0, label='x')) * 3.0).run()"
    done = subprocess.run(
        [sys.executable, "-c", code], input="1\n3\n?\n", capture_output=True, text=True, encoding="utf-8",
        env={"PYTHONPATH": ":".join(sys.path), "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.endswith("∂f/∂z1 =   ∂f/∂z1 = ∂f/∂z2 · ∂z2/∂z1   where z2 = log z1\n∂f/∂z1 = \n2 of 3 found\n")


def test_a_cotangent_of_another_shape():
    with pytest.raises(ValueError, match=r"ag.quiz: the cotangent has shape \(3,\), the output"):
        ag.quiz(ag.Tensor([1.0, 2.0], label="v") * 2, cotangent=[1.0, 2.0, 3.0])

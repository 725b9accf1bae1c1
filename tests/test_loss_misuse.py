"""Wrong uses of a loss: one warning or error each, with the number that proves it."""

import math
import warnings

import numpy as np
import pytest

import ag
from ag.explanation.doctor import bounds_on_probabilities, diagnose

mpmath = pytest.importorskip("mpmath")
optimize = pytest.importorskip("scipy.optimize")
special = pytest.importorskip("scipy.special")

RNG = np.random.default_rng(0)
N, K = 60, 5
X, Y, LABELS = RNG.normal(size=(N, 4)), RNG.normal(size=N), RNG.integers(0, K, N)


def logits(scale=1.0):
    return ag.Tensor(scale * np.random.default_rng(1).normal(size=(N, K)), label="z")


def only(root, kind):
    """The one diagnosis of a graph."""
    (found,) = diagnose(root)
    assert found.kind == kind
    assert (found.source.file, type(found.source.line)) == (__file__, int)
    return found


# ---------------------------------------------------------------------- softmax twice


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
def test_the_bounds_of_a_loss_on_probabilities(classes):
    """log(1 + (K - 1)/e) with 40 digits, and found by minimising over the simplex."""
    low, high = bounds_on_probabilities(classes)
    with mpmath.workdps(40):
        assert low == pytest.approx(float(mpmath.log(1 + (classes - 1) / mpmath.e)), rel=1e-14)
        assert high == pytest.approx(float(mpmath.log(mpmath.e + classes - 1)), rel=1e-14)
    assert high - low == pytest.approx(1.0)
    assert low < math.log(classes) < high
    ends = np.eye(classes)[:2]  # the own class has all the probability, or another one has
    np.testing.assert_allclose(special.logsumexp(ends, axis=1) - ends[:, 0], [low, high], rtol=1e-14)
    if classes <= 10:
        def loss(z):
            p = special.softmax(z)
            return special.logsumexp(p) - p[0]

        start = 0.1 * np.random.default_rng(0).normal(size=classes)
        assert optimize.minimize(loss, start).fun == pytest.approx(low, abs=1e-4)
        assert -optimize.minimize(lambda z: -loss(z), start).fun == pytest.approx(high, abs=1e-4)


def test_the_floor_that_is_known_for_ten_classes():
    assert bounds_on_probabilities(10)[0] == pytest.approx(1.4612, abs=5e-5)


@pytest.mark.parametrize("call", [
    lambda p: ag.cross_entropy(p, LABELS),
    lambda p: ag.negative_log_likelihood(p, LABELS),
    lambda p: ag.cross_entropy(p, np.eye(K)[LABELS], probabilities=True),
    lambda p: ag.cross_entropy(p.value, LABELS),
], ids=["labels", "likelihood", "probabilities", "plain"])  # fmt: skip
def test_the_loss_warns_with_its_floor(call):
    with pytest.warns(UserWarning, match="softmax would be applied twice") as caught:
        call(ag.softmax(logits()))
    (warning,) = caught
    assert warning.filename == __file__
    assert str(warning.message) == (
        "cross_entropy takes logits, but each row is not negative and sums to 1, like probabilities: softmax would be applied "
        "twice, and the loss could never fall below 0.905, which is log(1 + (K - 1)/e) for K = 5 classes, nor rise above 1.905. "
        "Pass the logits before the softmax"
    )


def test_once_for_each_line():
    """As warnings of Python are by default: a loop over batches says it once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for k in range(5):
            ag.cross_entropy(ag.softmax(logits(1.0 + k)), LABELS)
        ag.cross_entropy(ag.softmax(logits()), LABELS)
    assert len(caught) == 2 and caught[0].lineno != caught[1].lineno


TWICE = {
    "softmax of softmax": lambda z: ag.softmax(ag.softmax(z)).mean(),
    "log_softmax of softmax": lambda z: -ag.log_softmax(ag.softmax(z))[np.arange(N), LABELS].mean(),
    "by hand": lambda z: -ag.log_softmax(ag.exp(z) / ag.exp(z).sum(axis=1, keepdims=True))[np.arange(N), LABELS].mean(),
}


@pytest.mark.parametrize("f", TWICE.values(), ids=TWICE)
def test_softmax_twice_is_seen_in_the_graph(f):
    found = only(f(logits()), "softmax twice")
    assert found.numbers["classes"] == K and found.numbers["floor"] == pytest.approx(math.log((math.e + 4) / math.e))
    assert "0.905" in str(found) and found.write == "Pass the logits before the softmax"


@pytest.mark.parametrize("f", [
    lambda z: ag.cross_entropy(z, LABELS),
    lambda z: -ag.log(ag.softmax(z))[np.arange(N), LABELS].mean(),
    lambda z: ag.cross_entropy(ag.softmax(z @ z.T) @ z, LABELS),  # attention
    lambda z: ag.log_softmax(ag.log_softmax(z)).mean(),  # of no use, but right
    lambda z: ag.cross_entropy(ag.Tensor([0.25, 0.75]), 1),  # two numbers may sum to 1
], ids=["cross-entropy", "log softmax", "attention", "log_softmax twice", "two numbers"])  # fmt: skip
@pytest.mark.filterwarnings("ignore:cross_entropy takes logits")
def test_softmax_once_is_right(f):
    assert diagnose(f(logits())) == []


# ---------------------------------------------------------------------- labels and targets


@pytest.mark.parametrize("labels, said", [
    ([1, 2, 3], r"the labels run from 1 to 3, but 3 logits stand for the labels 0 to 2: pass y - 1$"),
    ([2, 3, 3], r"label 3 at position 1 is out of range: 3 logits stand for the labels 0 to 2; if the labels count from 1, pass y - 1$"),
    ([0, 3, 3], r"label 3 at position 1 is out of range: 3 logits stand for the labels 0 to 2$"),
])  # fmt: skip
def test_labels_from_one(labels, said):
    with pytest.raises(ValueError, match=said):
        ag.cross_entropy(np.zeros((3, 3)), labels)


def test_labels_from_one_with_a_logit_more():
    y = RNG.integers(1, K, 200)
    found = only(ag.cross_entropy(ag.Tensor(RNG.normal(size=(200, K))), y), "labels from 1")
    assert found.numbers == {"examples": 200, "classes": K, "of label 0": 0}
    assert "none of 200 examples has the label 0" in found.proof and "Pass y - 1, with 4 logits" in found.write
    y[7] = 0
    assert diagnose(ag.cross_entropy(ag.Tensor(RNG.normal(size=(200, K))), y)) == []
    few = ag.cross_entropy(ag.Tensor(RNG.normal(size=(4, K))), [1, 2, 3, 4])
    assert diagnose(few) == [], "a batch of four proves nothing"


def test_targets_that_do_not_sum_to_one():
    y = np.array([[0.5, 0.5, 0.0], [5.0, 5.0, 5.0]])
    with pytest.raises(ValueError, match=r"in 1 of 2 they do not, which would multiply the losses by the sums; a row sums to 15: divide"):
        ag.cross_entropy(np.zeros((2, 3)), y, probabilities=True)
    with pytest.raises(ValueError, match="class probabilities are not negative; here the smallest is -2: pass probabilities, not logits"):
        ag.cross_entropy(np.zeros((1, 3)), [[3.0, 0.0, -2.0]], probabilities=True)
    with pytest.raises(ValueError, match="a row sums to nan"):
        ag.cross_entropy(np.zeros((1, 3)), [[np.nan, 0.5, 0.5]], probabilities=True)
    z = ag.Tensor([[0.0, 1.0, 2.0], [2.0, 0.0, 1.0]], label="z")
    loss = -(y * ag.log_softmax(z)).sum(axis=1).mean()
    found = only(loss, "targets")
    assert found.numbers == {"rows": 2, "off": 1, "sum": 15.0} and "15 · p - y" in found.proof
    loss.backward()
    p = special.softmax(z.value, axis=1)
    np.testing.assert_allclose(z.grad, (np.array([[1.0], [15.0]]) * p - y) / 2, rtol=1e-12, err_msg="as it says")


@pytest.mark.parametrize("y", [np.eye(K)[LABELS], 3.0 * np.eye(K)[LABELS], np.full((N, K), 1 / K)], ids=["one-hot", "weighted", "soft"])
def test_targets_that_are_right(y):
    assert diagnose(-(y * ag.log_softmax(logits())).sum(axis=1).mean()) == []


# ---------------------------------------------------------------------- saturated logits


@pytest.mark.parametrize("dtype, rounding", [(np.float64, 53 * math.log(2)), (np.float32, 24 * math.log(2))])
def test_saturated_logits(dtype, rounding):
    """p_y is 0 within rounding where the largest logit is log(2/ε) above its own."""
    z = (300 * np.random.default_rng(1).normal(size=(N, K))).astype(dtype)
    found = only(ag.cross_entropy(ag.Tensor(z), LABELS), "saturated logits")
    losses = special.logsumexp(z.astype(float), axis=1) - z[np.arange(N), LABELS]
    assert found.numbers["saturated"] == (losses > rounding).sum() > 30
    assert found.numbers["loss"] == pytest.approx(losses[losses > rounding].mean(), rel=1e-5)
    assert found.numbers["largest"] == np.abs(z).max() and found.numbers["deviation"] == pytest.approx(z.std(), rel=1e-5)
    assert found.numbers["guess"] == math.log(5)
    assert f"of 60 examples p_y is 0 within the rounding of {np.dtype(dtype)}" in found.proof and "log 5 = 1.609" in found.proof


def test_certain_and_right_is_no_fault():
    """A model that separates its examples by far, a masked class, and a single outlier."""
    z = 1000 * np.eye(K)[LABELS]
    assert diagnose(ag.cross_entropy(ag.Tensor(z), LABELS)) == []
    z[0] = 1000 * np.eye(K)[(LABELS[0] + 1) % K]
    assert diagnose(ag.cross_entropy(ag.Tensor(z), LABELS)) == [], "1 of 60"
    z = np.random.default_rng(0).normal(size=(N, K))
    z[:, 0] = -np.inf
    assert diagnose(ag.cross_entropy(ag.Tensor(z), np.maximum(LABELS, 1))) == []


# ---------------------------------------------------------------------- a column minus a vector

w = np.random.default_rng(2).normal(size=(4, 1))
MATRICES = {
    "product": lambda W: ((X @ W - Y) ** 2).mean(),
    "turned round": lambda W: ((Y - X @ W) ** 2).mean(),
    "square": lambda W: ag.square(X @ W - Y).mean(),
    "times itself": lambda W: (lambda d: (d * d).mean())(X @ W - Y),
}


@pytest.mark.parametrize("f", MATRICES.values(), ids=MATRICES)
def test_a_column_minus_a_vector_within_a_loss(f):
    W = ag.Tensor(w, label="W")
    found = only(f(W), "broadcast")
    prediction = (X @ w)[:, 0]
    assert found.numbers["differences"] == N * N and found.numbers["examples"] == N
    assert found.numbers["loss"] == pytest.approx(((prediction[:, None] - Y) ** 2).mean(), rel=1e-12)
    assert found.numbers["meant"] == pytest.approx(((prediction - Y) ** 2).mean(), rel=1e-12)
    assert found.numbers["floor"] == pytest.approx(Y.var(), rel=1e-12)
    assert "3,600 numbers in place of 60" in found.proof and "prediction[:, 0] for (60,), or use ag.squared_error" in found.write
    best = optimize.minimize(lambda p: ((p[:, None] - Y) ** 2).mean(), np.zeros(N))
    assert best.fun == pytest.approx(found.numbers["floor"], rel=1e-6), "no prediction does better"


def test_other_losses_of_a_column_minus_a_vector():
    W = ag.Tensor(w, label="W")
    prediction = X @ W
    prediction.label = "prediction"
    found = only(ag.abs(prediction - Y).sum(), "broadcast")
    assert found.title == "prediction (60, 1) minus (60,) is a matrix of 60 × 60 differences, of each with each"
    assert "floor" not in found.numbers
    assert found.numbers["meant"] == pytest.approx(np.abs((X @ w)[:, 0] - Y).sum(), rel=1e-12)
    v = ag.Tensor(Y, label="v")
    found = only(((v - Y[:, None]) ** 2).mean(), "broadcast")
    assert "target[:, 0] for (60,)" in found.write
    assert only((0.5 * (X @ W - Y) ** 2).mean(), "broadcast")


MEANT = {
    "one shape": lambda W, v: (((X @ W)[:, 0] - Y) ** 2).mean(),
    "two columns": lambda W, v: ((X @ W - Y[:, None]) ** 2).mean(),
    "pairs of the same": lambda W, v: ((v[:, None] - v) ** 2).mean(),
    "a reshaped column": lambda W, v: (v.reshape(-1, 1) - Y).sum(),
    "a kernel": lambda W, v: (ag.exp(-((v - Y[:, None]) ** 2)) @ Y).sum(),
    "a distance to points": lambda W, v: ag.abs(v - Y[:, None]).mean(),
    "a grid of another length": lambda W, v: ((v - np.linspace(0, 1, 7)[:, None]) ** 2).mean(),
    "one example": lambda W, v: ((X[:1] @ W - Y[:1]) ** 2).mean(),
    "a smallest difference": lambda W, v: ((X @ W - Y) ** 2).min(axis=1).mean(),
}


@pytest.mark.parametrize("f", MEANT.values(), ids=MEANT)
def test_a_matrix_of_differences_that_is_meant(f):
    assert diagnose(f(ag.Tensor(w, label="W"), ag.Tensor(Y, label="v"))) == []


def test_squared_error_refuses_it():
    with pytest.raises(ValueError, match=r"prediction has the shape \(60, 1\), the target \(60,\)"):
        ag.squared_error(X @ ag.Tensor(w), Y)


# ---------------------------------------------------------------------- where they are shown


def test_debug_warns_once_for_each_place():
    W = ag.Tensor(w, label="W")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with ag.debug():
            for _ in range(3):
                ((X @ W - Y) ** 2).mean().backward()
                ag.grad(lambda W: ((X @ W - Y) ** 2).mean())(w)
        ((X @ W - Y) ** 2).mean().backward()
    assert len(caught) == 2 and all("60 × 60 differences" in str(x.message) and x.filename == __file__ for x in caught)
    assert {x.category for x in caught} == {UserWarning}


def test_an_explanation_shows_them():
    explanation = ag.explain(((X @ ag.Tensor(w, label="W") - Y) ** 2).mean())
    (found,) = explanation.diagnoses
    assert found.kind == "broadcast"
    text = explanation.text(80)
    assert "\n\n! (60, 1) minus (60,) is a matrix of 60 × 60 differences, of each with each" in text
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "\n> (60, 1) minus (60,)" in explanation.markdown() and "ag.squared\\_error" in explanation.markdown()
    assert "⚠ (60, 1) minus (60,)" in explanation._repr_html_()
    right = ag.explain(lambda W: (((X @ W)[:, 0] - Y) ** 2).mean(), w)
    assert right.warnings == [] and "!" not in right.text(100)


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_an_explanation_tells_of_nan():
    x = ag.Tensor([0.0, 1.0], label="x")
    text = ag.explain((x * ag.log(x)).sum()).text(100)
    assert text.endswith(
        "! The output is nan; the derivative by x is nan at [0]. Its .nonfinite() tells where this came from,\n"
        "  and what to write instead."
    )
    harmless = ag.explain(ag.where(x > 0, ag.log(x), x).sum())
    assert harmless.warnings == []

"""The linear classifier: what it learns, from what, and what it is asked afterwards."""

import math
import sys

import numpy as np
import pytest

import ag
from ag.learn import LinearClassifier, load, save
from ag.learn.examples import checked_examples
from ag.learn.solvers import Adam, Rising, Sgd

sklearn_linear = pytest.importorskip("sklearn.linear_model")
DIGITS = ag.datasets.digits()
X, Y = DIGITS.X_train.astype(float), DIGITS.y_train


def loss_of(W, b, l2=0.0):
    """The objective, written by hand."""
    z = X @ W + b
    top = z.max(axis=1, keepdims=True)
    log_p = z - top - np.log(np.exp(z - top).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(Y)), Y].mean() + l2 / 2 * (W**2).sum()


@pytest.fixture(scope="module")
def reference():
    """Scikit-learn minimises C Σ loss + ½ ΣW²: the same minimum for C = 1/(n l2)."""
    l2 = 1e-3
    model = sklearn_linear.LogisticRegression(C=1 / (l2 * len(X)), tol=1e-8, max_iter=5000).fit(X, Y)
    return l2, model


def test_lbfgs_finds_scikit_learns_minimum(reference):
    l2, peer = reference
    model = LinearClassifier("lbfgs", l2=l2, validation_fraction=0, epochs=2000).fit(X, Y)
    assert loss_of(model.coef_, model.intercept_, l2) <= loss_of(peer.coef_.T, peer.intercept_, l2) + 1e-6
    np.testing.assert_allclose(model.predict_proba(DIGITS.X_test), peer.predict_proba(DIGITS.X_test), atol=2e-3)


@pytest.mark.parametrize("solver, options", [("sgd", {}), ("sgd", {"momentum": 0.9}), ("adam", {"learning_rate": 0.01})])
def test_mini_batches_come_close_to_it(reference, solver, options):
    l2, peer = reference
    model = LinearClassifier(solver, l2=l2, validation_fraction=0, random_state=0, **options).fit(X, Y)
    assert loss_of(model.coef_, model.intercept_, l2) < loss_of(peer.coef_.T, peer.intercept_, l2) * 1.05


@pytest.mark.parametrize("n, d, classes, apart", [
    (96, 2, 3, 0.6), (1000, 2, 2, 0.5), (300, 4, 3, 0.5), (5000, 20, 5, 0.3), (200, 1, 2, 0.0), (1000, 1, 3, 0.5), (2000, 1, 2, 0.5),
])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_steps_become_short_enough_where_classes_overlap(n, d, classes, apart, momentum):
    """There no weights make the loss small, and steps that are right for images would leave probabilities worse than none."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, n)
    x = rng.normal(size=(classes, d))[y] * apart + rng.normal(size=(n, d))
    peer = sklearn_linear.LogisticRegression(C=1e10, tol=1e-8, max_iter=5000).fit(x, y)
    least, found = (
        -np.log(m.predict_proba(x)[np.arange(n), y]).mean()
        for m in (peer, LinearClassifier(momentum=momentum, validation_fraction=0, random_state=0).fit(x, y))
    )
    assert found < 1.02 * least


def test_a_rise_is_told_from_noise():
    rising = Rising(2, 9.0)
    rng = np.random.default_rng(0)
    assert not any(rising.after(0.5 + 0.1 * x) for x in rng.normal(size=2000))
    rises = [rising.after(loss) for loss in [0.9] * 60]
    assert sum(rises) == 1 and rises[19]  # once; after it what follows is compared with that
    above = Rising(2, 0.5)
    assert not any(above.after(1e6) for _ in range(20)), "the first steps may overshoot"
    rises = [above.after(0.6) for _ in range(20)]
    assert rises[-1] and above.astray, "without a look at x the loss would be 0.5"


def test_the_gradient_is_x_times_p_minus_e():
    rng = np.random.default_rng(0)
    W, b = rng.normal(size=(64, 10)), rng.normal(size=10)
    value, (gW, gb) = ag.value_and_grad(LinearClassifier(l2=0.5)._loss)([W, b], X, Y)
    z = X @ W + b
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    residual = (p - np.eye(10)[Y]) / len(X)
    assert value == pytest.approx(loss_of(W, b, 0.5), rel=1e-12)
    np.testing.assert_allclose(gW, X.T @ residual + 0.5 * W, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(gb, residual.sum(axis=0), rtol=1e-10, atol=1e-12)


def test_float32_stays():
    model = LinearClassifier(random_state=0, epochs=2).fit(DIGITS.X_train, Y)
    assert model.coef_.dtype == model.intercept_.dtype == model.predict_proba(DIGITS.X_test).dtype == np.float32


NAMES = [
    np.array(["zero", "one", "two", "three"]), np.array([-7, 3, 10**12, -1]), np.array([0.0, 5.0, 2.0, -1.0]),
    np.array(["b", "a", "d", "c"], object), np.array([9, 1, 5, 3], np.uint8),
]  # fmt: skip


@pytest.mark.parametrize("names", NAMES, ids=lambda n: n.dtype.str)
def test_class_names_of_any_type(names, tmp_path):
    few = Y < 4
    model = LinearClassifier(random_state=0, epochs=30).fit(X[few], names[Y[few]])
    assert model.classes_.tolist() == sorted(names.tolist())
    assert model.score(X[few], names[Y[few]]) > 0.97
    assert set(model.sample(X[few])) <= set(names.tolist())
    save(model, tmp_path / "m")
    other, _ = load(tmp_path / "m")
    assert other.predict(X[few]).tolist() == model.predict(X[few]).tolist()


def test_two_booleans():
    model = LinearClassifier(random_state=0, epochs=30).fit(X, Y == 0)
    assert model.classes_.tolist() == [False, True] and model.score(X, Y == 0) > 0.99


def test_without_an_intercept():
    model = LinearClassifier(random_state=0, epochs=2, fit_intercept=False).fit(X, Y)
    assert (model.intercept_ == 0).all() and model.intercept_.shape == (10,)


def test_a_seed_reproduces():
    def weights(seed):
        return LinearClassifier(random_state=seed, epochs=2).fit(X, Y).coef_

    np.testing.assert_array_equal(weights(3), weights(3))
    assert not np.array_equal(weights(3), weights(4))


def test_the_best_epoch_is_that_of_the_smallest_validation_loss():
    rng = np.random.default_rng(0)
    noise, labels = rng.normal(size=(300, 50)), rng.integers(0, 3, 300)
    model = LinearClassifier(random_state=0, epochs=60, validation_fraction=0.3, batch_size=30).fit(noise, labels)
    losses = [e.loss for e in model.history_]
    assert len(losses) == model.epochs_ == 60
    assert model.history_[int(np.argmin(losses))].epoch == model.best_epoch_ < 60
    held = np.random.default_rng(0).permutation(300)[:90]
    np.testing.assert_allclose(ag.cross_entropy(model.decision_function(noise[held]), labels[held]), min(losses), rtol=1e-12)


def test_several_evaluations_in_an_epoch():
    model = LinearClassifier(random_state=0, epochs=2, evaluations_per_epoch=4, batch_size=50).fit(X, Y)
    epochs = [e.epoch for e in model.history_]
    assert len(epochs) == 8 and epochs[3] == 1 and epochs[-1] == 2 and epochs == sorted(epochs)


def test_a_callback_stops():
    seen = []
    model = LinearClassifier(random_state=0, epochs=9, callback=lambda e, m: seen.append(m.coef_.copy()) or e.epoch == 3).fit(X, Y)
    assert len(model.history_) == len(seen) == 3


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_an_interrupt_keeps_the_best_weights(solver):
    def interrupt(evaluation, model):
        if evaluation.epoch == 3:
            raise KeyboardInterrupt

    model = LinearClassifier(solver, random_state=0, callback=interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert model.interrupted_ and model.best_epoch_ <= 3 and model.score(X, Y) > 0.5


def test_samples_have_the_frequencies_of_p():
    stats = pytest.importorskip("scipy.stats")
    model = LinearClassifier(random_state=0, epochs=1).fit(X, Y)
    example = X[5:6] / 4
    p = model.predict_proba(example)[0]
    drawn = model.sample(np.repeat(example, 20_000, axis=0), np.random.default_rng(1))
    assert stats.chisquare(np.bincount(drawn, minlength=10), 20_000 * p).pvalue > 1e-3
    assert (model.sample(X[:50]) == model.sample(X[:50])).all(), "the same random_state, the same draw"


def test_parameters():
    model = LinearClassifier("adam", l2=0.5)
    assert model.get_params()["l2"] == 0.5 and model.get_params()["solver"] == "adam"
    assert repr(model) == "LinearClassifier(solver='adam', l2=0.5)" and repr(LinearClassifier()) == "LinearClassifier()"
    assert model.set_params(l2=2.0) is model and model.l2 == 2.0
    with pytest.raises(ValueError, match="no argument 'lambda'; its arguments are solver, epochs"):
        model.set_params(**{"lambda": 1})
    clone = pytest.importorskip("sklearn.base").clone
    assert clone(model).get_params() == model.get_params()


BAD = np.array([[1.0, 2.0], [np.nan, 1.0], [0.0, np.inf]])


@pytest.mark.parametrize("error, words, arguments, X, y", [
    (ValueError, "solver='newton' is none of 'sgd', 'adam', 'lbfgs'", {"solver": "newton"}, X, Y),
    (ValueError, "epochs=0: expected an integer, at least 1", {"epochs": 0}, X, Y),
    (ValueError, "batch_size=1.5: expected an integer", {"batch_size": 1.5}, X, Y),
    (ValueError, "learning_rate=-1: expected a positive", {"learning_rate": -1}, X, Y),
    (ValueError, r"momentum=1: expected a number in \[0, 1\)", {"momentum": 1}, X, Y),
    (ValueError, "l2=-1: expected", {"l2": -1}, X, Y),
    (ValueError, r"validation_fraction=1: expected a number in \[0, 1\)", {"validation_fraction": 1}, X, Y),
    (ValueError, r"X has the shape \(64,\).*X\[None, :\]", {}, X[0], Y),
    (ValueError, r"X has the shape \(2, 3, 4\).*X.reshape\(len\(X\), -1\)", {}, np.zeros((2, 3, 4)), Y),
    (TypeError, "X holds <U1, numbers are expected", {}, np.array([["a", "b"]]), [0]),
    (ValueError, r"X of shape \(0, 3\) is empty", {}, np.zeros((0, 3)), []),
    (ValueError, r"X has nan in row 1, column 0 \(2 such in all\)", {}, BAD, [0, 1, 0]),
    (ValueError, r"y has the shape \(1437, 10\).*argmax", {}, X, np.eye(10)[Y]),
    (ValueError, r"y has the shape \(1437, 1\).*y\[:, 0\]", {}, X, Y[:, None]),
    (ValueError, "1437 examples in X, 1436 labels in y", {}, X, Y[:-1]),
    (ValueError, "numbers that are no integers.*regression", {}, X, Y + 0.5),
    (TypeError, "y mixes labels of the types int, str", {}, X[:2], np.array([1, "a"], object)),
    (ValueError, "fit: all labels are 3; a classifier needs", {}, X, np.full(len(X), 3)),
])  # fmt: skip
def test_what_can_not_be_learned_from(error, words, arguments, X, y):
    with pytest.raises(error, match=words):
        LinearClassifier(**arguments).fit(X, y)


def test_sparse_matrices_are_named():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match=r"sparse matrix.*X.toarray\(\)"):
        LinearClassifier().fit(sparse.csr_array(X), Y)


def test_use_before_training_and_on_other_features():
    with pytest.raises(ag.learn.NotFittedError, match="not trained yet: call fit"):
        LinearClassifier().predict(X)
    with pytest.raises(ag.learn.NotFittedError, match="before it is saved"):
        save(LinearClassifier(), "nowhere")
    model = LinearClassifier(random_state=0, epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match="takes 64 features, X has 63"):
        model.predict(X[:, 1:])
    with pytest.raises(ValueError, match=r"labels of shape \(1437,\), got \(3,\)"):
        model.score(X, Y[:3])


def test_steps_that_are_too_long():
    with pytest.raises(FloatingPointError, match="smaller learning_rate"), np.errstate(all="ignore"):
        LinearClassifier(learning_rate=1e300, random_state=0).fit(DIGITS.X_train, Y)


def test_lbfgs_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(ImportError, match=r"ag-autodiff\[learn\].*solver='sgd'"):
        LinearClassifier("lbfgs").fit(X, Y)


def test_the_average_of_weights():
    """The mean of all weights so far; then of a window that is at least T steps, and a sixth of all."""
    from ag.learn.solvers import Average

    w = np.zeros(1)
    average = Average([w], 4)
    for k in range(1, 5):
        w[:] = k
        average.step()
    assert average.means[0][0] == pytest.approx(2.5)
    for _ in range(4000):
        w[:] = 7.0
        average.step()
    assert math.isclose(average.means[0][0], 7.0, rel_tol=1e-9)


def test_sgd_is_the_textbooks():
    """v ← m v - η g; w ← w + v, unrolled by hand for three gradients."""
    w = [np.zeros(1)]
    solver = Sgd(w, 0.1, 0.5)
    for g in (1.0, 2.0, 4.0):
        solver.step([np.array([g])])
    v1, v2 = -0.1, 0.5 * -0.1 - 0.2
    assert w[0][0] == pytest.approx(v1 + v2 + 0.5 * v2 - 0.4)


def test_adam_is_the_papers():
    """The formulas of Kingma and Ba with both corrections, written out."""
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(20, 4))
    w, expected = [np.ones(4)], np.ones(4)
    solver = Adam(w, 0.01)
    m = v = np.zeros(4)
    for t, g in enumerate(gradients, 1):
        solver.step([g])
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        expected = expected - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(w[0], expected, rtol=1e-9)


def test_one_batch_of_everything_is_one_step_downhill():
    """From zeros p = 1/K, so the first step has a closed form."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 3)), np.arange(30) % 3
    seen = []
    LinearClassifier(epochs=1, batch_size=30, learning_rate=0.3, validation_fraction=0, callback=lambda e, m: seen.append((e, m.coef_))).fit(x, y)
    [(evaluation, W)] = seen
    assert evaluation.training_loss == pytest.approx(np.log(3)) and np.isnan(evaluation.loss)
    np.testing.assert_allclose(W, -0.3 * x.T @ (1 / 3 - np.eye(3)[y]) / 30, rtol=1e-9)


def test_units_do_not_matter():
    """The default step is measured in the size of the examples."""
    def probabilities(unit):
        model = LinearClassifier(random_state=0, epochs=5, fit_intercept=False).fit(X.astype(float) * unit, Y)
        return model.predict_proba(DIGITS.X_test.astype(float) * unit)

    np.testing.assert_allclose(probabilities(1000.0), probabilities(1.0), rtol=1e-6, atol=1e-9)


def test_the_penalty_spares_the_intercept():
    """With a large penalty W vanishes, and what is left are the frequencies of the classes."""
    y = (np.arange(400) % 4 == 0).astype(int)
    x = np.random.default_rng(0).normal(size=(400, 2))
    model = LinearClassifier("lbfgs", l2=1e4, validation_fraction=0).fit(x, y)
    assert np.abs(model.coef_).max() < 1e-3
    np.testing.assert_allclose(model.predict_proba(x), np.tile([0.75, 0.25], (400, 1)), atol=1e-3)


def test_where_there_is_nothing_to_learn():
    """The gradient is 0 from the start: L-BFGS makes no step, and the model is a model all the same."""
    model = LinearClassifier("lbfgs", validation_fraction=0).fit(np.zeros((4, 2)), [0, 1, 0, 1])
    assert [e.epoch for e in model.history_] == [0] and model.history_[0].training_loss == pytest.approx(np.log(2))
    np.testing.assert_array_equal(model.predict_proba([[5.0, 6.0]]), [[0.5, 0.5]])


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_every_solver_can_be_stopped(solver):
    model = LinearClassifier(solver, random_state=0, callback=lambda evaluation, model: evaluation.epoch >= 2).fit(X, Y)
    assert [e.epoch for e in model.history_] == [1, 2]


def test_an_interrupt_before_the_first_evaluation(monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(Sgd, "step", interrupt)
    model = LinearClassifier(random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert model.interrupted_ and model.history_ == []
    with pytest.raises(ag.learn.NotFittedError):
        model.predict(X)


def test_an_error_of_the_callback_goes_on():
    def fail(evaluation, model):
        raise ZeroDivisionError("mine")

    model = LinearClassifier(random_state=0, callback=fail)
    with pytest.raises(ZeroDivisionError, match="mine"):
        model.fit(X, Y)
    assert not model.interrupted_ and model.best_epoch_ == 1


def test_without_a_seed_no_two_are_alike():
    a, b = (LinearClassifier(epochs=1).fit(X, Y).coef_ for _ in range(2))
    assert not np.array_equal(a, b)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.float16, ">f8"])
def test_numbers_of_any_type(dtype):
    x = np.array([[0, 1], [1, 0], [1, 1], [0, 0]] * 10).astype(dtype)
    model = LinearClassifier(random_state=0).fit(x, x[:, 0].astype(int))
    assert model.coef_.dtype == np.float64 and model.score(x, x[:, 0].astype(int)) == 1


@pytest.mark.parametrize("name, value", [
    ("batch_size", None), ("evaluations_per_epoch", None), ("epochs", "3"), ("learning_rate", 0), ("learning_rate", np.nan),
    ("l2", np.nan), ("momentum", -0.1), ("validation_fraction", -0.1), ("evaluations_per_epoch", 0),
])  # fmt: skip
def test_arguments_that_are_none(name, value):
    with pytest.raises(ValueError, match=f"^{name}="):
        LinearClassifier(**{name: value}).fit(X, Y)


def test_numbers_that_are_not_finite_but_cancel():
    """The sum of all is nan, whatever the cheap look at it says; large finite numbers are fine."""
    for bad in ([np.inf, -np.inf], [np.nan, 0.0]):
        with pytest.raises(ValueError, match="in row 1, column 0"):
            LinearClassifier().fit([[0.0, 1.0], bad], [0, 1])
    assert checked_examples(np.full((2, 2), 1e308), "fit").shape == (2, 2)


def test_labels_of_foreign_types_are_merely_wrong():
    model = LinearClassifier(random_state=0, epochs=1).fit(X, Y)
    assert model.score(X, Y.astype(str)) == 0 and model.score(X, Y.astype(float)) > 0.5

"""The linear classifier, its labels, its calibration and its files."""

import json
import math
import os
import sys

import numpy as np
import pytest

import ag
from ag.learn import LinearClassifier, ModelFileError, confusion_table, expected_calibration_error, load, save

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
    (ValueError, "holds np.int64\\(3\\) alone", {}, X, np.full(len(X), 3)),
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


# ---------------------------------------------------------------------- calibration


def test_calibration_error_by_hand():
    p = np.array([[0.95, 0.05], [0.9, 0.1], [0.35, 0.65], [0.4, 0.6]])
    y = [0, 1, 1, 1]
    # With 5 bins 0.95 and 0.9 share one: right 1 of 2, confidence 0.925; 0.65 and 0.6 another: right 2 of 2.
    assert expected_calibration_error(p, y, 5) == pytest.approx(0.5 * (0.925 - 0.5) + 0.5 * (1 - 0.625))
    assert expected_calibration_error([[1.0, 0.0]], [0]) == 0
    with pytest.raises(ValueError, match=r"got \(2, 2\) and \(3,\)"):
        expected_calibration_error(np.ones((2, 2)) / 2, [0, 1, 1])


def test_confusion_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    names = np.array(["d", "a", "c", "b"])
    y, prediction = names[rng.integers(0, 4, 200)], names[rng.integers(0, 4, 200)]
    expected = metrics.confusion_matrix(y, prediction, labels=names)
    np.testing.assert_array_equal(confusion_table(y, prediction, names), expected)
    with pytest.raises(ValueError, match="'d' is none of the classes"):
        confusion_table(y, prediction, names[1:])


def test_the_distribution_of_a_label():
    stats = pytest.importorskip("scipy.stats")
    z = np.array([[0.0, 1.0, -np.inf, 2.0], [3.0, 0.0, 0.0, 1.0]])
    p = ag.Categorical(z)
    np.testing.assert_allclose(p.probabilities, np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), rtol=1e-14)
    np.testing.assert_allclose(p.entropy(), stats.entropy(p.probabilities, axis=1), rtol=1e-14)
    np.testing.assert_allclose(p.log_prob([3, 0]), np.log(p.probabilities[[0, 1], [3, 0]]), rtol=1e-14)
    drawn = p.sample(np.random.default_rng(0), 20_000)
    assert drawn.shape == (20_000, 2)
    for k in range(2):
        counts, expected = np.bincount(drawn[:, k], minlength=4), 20_000 * p.probabilities[k]
        possible = expected > 0
        assert (counts[~possible] == 0).all()
        assert stats.chisquare(counts[possible], expected[possible]).pvalue > 1e-3


# ---------------------------------------------------------------------- files


@pytest.fixture(scope="module")
def model():
    return LinearClassifier(random_state=0, epochs=2).fit(X, Y)


def test_a_model_in_a_file(model, tmp_path):
    path = tmp_path / "m.safetensors"
    save(model, path, preprocessing={"deskew": True, "mean": np.arange(3.0)})
    other, preprocessing = load(path)
    np.testing.assert_array_equal(other.predict_proba(DIGITS.X_test), model.predict_proba(DIGITS.X_test))
    assert other.get_params() == model.get_params() and other.best_epoch_ == model.best_epoch_
    assert preprocessing["deskew"] is True
    np.testing.assert_array_equal(preprocessing["mean"], np.arange(3.0))
    assert os.listdir(tmp_path) == ["m.safetensors"]


def test_a_file_is_written_whole_or_not_at_all(model, tmp_path, monkeypatch):
    path = tmp_path / "m"
    path.write_bytes(b"what was there")

    def fails(*names):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="the disk is full"):
        save(model, path)
    assert path.read_bytes() == b"what was there" and os.listdir(tmp_path) == ["m"]


def changed(content, **fields):
    """The bytes of a model file with other metadata."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"]["ag"] = json.dumps({**json.loads(header["__metadata__"]["ag"]), **fields})
    new = json.dumps(header).encode()
    new += b" " * (-len(new) % 8)
    return len(new).to_bytes(8, "little") + new + content[8 + length :]


@pytest.mark.parametrize("damage, words", [
    (lambda c: b"", "not a model of this library.*found 0 bytes"),
    (lambda c: b"\x80\x04\x95" + c, "not a model of this library"),
    (lambda c: c[:-100], "damaged, its arrays can't be read"),
    (lambda c: c[:200], "not a model of this library"),
    (lambda c: changed(c, format="another"), "holds 'another', not a model"),
    (lambda c: changed(c, version=99), "version 99 of the format, this library reads version 1"),
    (lambda c: changed(c, classes=[1, 2]), "damaged, its parts do not fit together"),
    (lambda c: changed(c, classes_dtype="nonsense"), "damaged, its parts do not fit together"),
    (lambda c: changed(c, parameters={"unknown": 1}), "damaged, its parts do not fit together"),
])  # fmt: skip
def test_a_damaged_model(model, tmp_path, damage, words):
    path = tmp_path / "m"
    save(model, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelFileError, match=words):
        load(path)


def test_a_foreign_file_of_arrays(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    safetensors.save_file({"weight": np.zeros((2, 2))}, tmp_path / "m")
    with pytest.raises(ModelFileError, match="not a model of this library"):
        load(tmp_path / "m")


def test_what_to_install_for_files(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    for call in (lambda: save(model, tmp_path / "m"), lambda: load(tmp_path / "m")):
        with pytest.raises(ImportError, match=r"ag-autodiff\[cli\]"):
            call()


# ---------------------------------------------------------------------- losses


def test_losses_and_their_reductions():
    log_softmax = pytest.importorskip("scipy.special").log_softmax
    z, y = np.random.default_rng(0).normal(size=(5, 4)), np.array([0, 3, 1, 1, 2])
    each = -log_softmax(z, axis=1)[np.arange(5), y]
    np.testing.assert_allclose(ag.cross_entropy(z, y, reduction="none"), each, rtol=1e-13)
    assert ag.cross_entropy(z, y) == pytest.approx(each.mean(), rel=1e-13)
    assert ag.negative_log_likelihood(z, y) == pytest.approx(each.sum(), rel=1e-13)
    p = np.abs(z) / np.abs(z).sum(axis=1, keepdims=True)
    assert ag.cross_entropy(z, p, probabilities=True) == pytest.approx(-(p * log_softmax(z, axis=1)).sum(axis=1).mean(), rel=1e-13)
    assert ag.squared_error(z, z + 2) == pytest.approx(4.0)
    np.testing.assert_array_equal(ag.one_hot(y, 4), np.eye(4)[y])
    assert ag.accuracy(z, z.argmax(axis=1)) == 1.0
    with pytest.raises(ValueError, match="reduction='avg' is none of 'mean', 'sum' and 'none'"):
        ag.cross_entropy(z, y, reduction="avg")


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

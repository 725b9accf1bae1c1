"""The classifier, its losses and its files at their edges: what `test_classifier.py` leaves out."""

import json
import os
import pickle
import struct
import sys
import warnings

import numpy as np
import pytest

import ag
from ag.learn import LinearClassifier, ModelFileError, confusion_table, expected_calibration_error, load, save
from ag.learn.examples import checked_examples
from ag.learn.solvers import Adam, Sgd

special = pytest.importorskip("scipy.special")
DIGITS = ag.datasets.digits()
X, Y = DIGITS.X_train, DIGITS.y_train


# ---------------------------------------------------------------------- training


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


# ---------------------------------------------------------------------- calibration


def test_calibration_error_of_honest_probabilities():
    """Labels drawn from p itself: the error goes to 0. Sharper probabilities than the truth are found out."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(40_000, 3))
    y = ag.Categorical(z).sample(rng)
    assert expected_calibration_error(special.softmax(z, axis=1), y) < 0.015
    assert expected_calibration_error(special.softmax(3 * z, axis=1), y) > 0.1


def test_calibration_error_bin_by_bin():
    rng = np.random.default_rng(1)
    p = special.softmax(rng.normal(size=(500, 4)), axis=1)
    y = rng.integers(0, 4, 500)
    expected, confidence, right = 0.0, p.max(axis=1), p.argmax(axis=1) == y
    for low in np.arange(10) / 10:
        inside = (confidence >= low) & (confidence < low + 0.1)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert expected_calibration_error(p, y, 10) == pytest.approx(expected)


@pytest.mark.parametrize("p, y", [([0.5, 0.5], [0]), (np.zeros((0, 2)), []), ([[0.5, 0.5]], [[0]])])
def test_calibration_error_of_other_shapes(p, y):
    with pytest.raises(ValueError, match=r"p of shape \(examples, K\)"):
        expected_calibration_error(p, y)


def test_confusion_is_not_symmetrical():
    """Rows are the truth; the order of classes is the given one, and the prediction may be foreign too."""
    assert confusion_table([2, 2, 1], [1, 1, 1], [2, 1]).tolist() == [[0, 2], [0, 1]]
    with pytest.raises(ValueError, match=r"label 3 is none of the classes \[2, 1\]"):
        confusion_table([2], [3], [2, 1])


# ---------------------------------------------------------------------- losses and the distribution of a label


@pytest.mark.parametrize("shape", [(4,), (5, 3), (2, 3, 7), (3, 100)])
@pytest.mark.parametrize("reduction, reduce", [("mean", np.mean), ("sum", np.sum), ("none", np.asarray)])
def test_cross_entropy_of_any_shape(shape, reduction, reduce):
    rng = np.random.default_rng(0)
    z, y = 5 * rng.normal(size=shape), rng.integers(0, shape[-1], shape[:-1])
    log_p = special.log_softmax(z, axis=-1)
    each = -np.take_along_axis(log_p, np.asarray(y)[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(ag.cross_entropy(z, y, reduction), reduce(each), rtol=1e-12)
    p = rng.dirichlet(np.ones(shape[-1]), shape[:-1])
    np.testing.assert_allclose(ag.cross_entropy(z, p, reduction, probabilities=True), reduce(-(p * log_p).sum(axis=-1)), rtol=1e-12)


def test_impossible_classes():
    """0 · log 0 = 0, in silence, and what is left has the derivative p - y."""
    z = ag.Tensor([[0.0, -np.inf, 1.0]])
    loss = ag.cross_entropy(z, [[0.5, 0.0, 0.5]], probabilities=True)
    loss.backward()
    p = special.softmax([0.0, 1.0])
    assert loss.value == pytest.approx(-np.log(p).mean())
    np.testing.assert_allclose(z.grad, [[p[0] - 0.5, 0, p[1] - 0.5]], atol=1e-15)
    assert ag.cross_entropy([[0.0, -np.inf]], [1]) == np.inf


@pytest.mark.parametrize("reduction, expected", [("mean", 2.5), ("sum", 5.0), ("none", [1.0, 4.0])])
def test_squared_error(reduction, expected):
    np.testing.assert_allclose(ag.squared_error([1.0, 2.0], [2.0, 4.0], reduction), expected)
    x = ag.Tensor([1.0, 2.0])
    ag.squared_error(x, [2.0, 4.0], "sum").backward()
    np.testing.assert_allclose(x.grad, [-2.0, -4.0])


def test_squared_error_does_not_broadcast():
    with pytest.raises(ValueError, match=r"shape \(3, 1\), the target \(3,\).*prediction\[:, 0\]"):
        ag.squared_error(np.zeros((3, 1)), np.zeros(3))
    with pytest.raises(ValueError, match="squared_error: reduction='avg'"):
        ag.squared_error([1.0], [1.0], "avg")
    assert ag.squared_error([1.0, 3.0], 0.0) == 5.0, "a number is a target for all"


def test_one_hot_of_any_shape():
    labels = np.array([[0, 2], [1, 1], [2, 0]])
    result = ag.one_hot(labels, 3, np.float32)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, np.eye(3)[labels])
    assert ag.one_hot(1, 2).tolist() == [0, 1]
    with pytest.raises(TypeError, match=r"one_hot: the labels have dtype float64.*y.astype\(int\)"):
        ag.one_hot([0.0, 1.0], 2)


def test_accuracy():
    z = np.array([[[0.0, 2.0], [3.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    assert ag.accuracy(z, [[1, 0], [1, 0]]) == 0.75
    assert ag.accuracy(ag.Tensor(z), [[1, 0], [0, 0]]) == 0.5
    with pytest.raises(ValueError, match=r"accuracy needs at least one example.*\(0, 2\)"):
        ag.accuracy(np.zeros((0, 2)), np.zeros(0, int))


def test_the_warning_points_at_the_users_line():
    with pytest.warns(UserWarning, match=r"never fall below 0\.313") as caught:
        ag.cross_entropy([[0.2, 0.8]], [1])
    assert caught[0].filename == __file__
    assert -special.log_softmax([0.0, 1.0])[1] == pytest.approx(0.313, abs=5e-4), "the best that such logits can do"


@pytest.mark.parametrize("z", [[[0.2, 0.7]], [[0.5, 0.5], [0.5, 0.6]], [[1.5, -0.5]], [[1.0], [1.0]]])
def test_logits_are_not_taken_for_probabilities(z):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ag.cross_entropy(z, [0] * len(z))


def test_what_is_known_of_a_label_can_be_derived():
    """∂ log p_y = e_y - p, and the entropy -Σ p log p falls by p (log p + H)."""
    z = np.array([0.5, -1.0, 2.0])
    p = special.softmax(z)
    np.testing.assert_allclose(ag.grad(lambda z: ag.Categorical(z).log_prob(1))(z), np.eye(3)[1] - p, rtol=1e-12)
    entropy = -(p * np.log(p)).sum()
    np.testing.assert_allclose(ag.grad(lambda z: ag.Categorical(z).entropy())(z), -p * (np.log(p) + entropy), rtol=1e-12)


def test_draws_from_several_distributions():
    """Each row has its own frequencies, and a class without probability is never drawn."""
    stats = pytest.importorskip("scipy.stats")
    p = np.array([[[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]])
    with np.errstate(divide="ignore"):
        drawn = ag.Categorical(np.log(p)).sample(np.random.default_rng(0), (100, 50))
    assert drawn.shape == (100, 50, 2, 2)
    for row in np.ndindex(2, 2):
        counts, possible = np.bincount(drawn[(..., *row)].ravel(), minlength=3), p[row] > 0
        assert not counts[~possible].any()
        if possible.sum() > 1:
            assert stats.chisquare(counts[possible], 5000 * p[row][possible]).pvalue > 1e-3


def test_what_is_no_distribution():
    with pytest.raises(ValueError, match="a single number"):
        ag.Categorical(1.0)
    for z in ([0.0, np.nan], [[0.0, 1.0], [-np.inf, -np.inf]]):
        with pytest.raises(ValueError, match="no distribution"):
            ag.Categorical(z).sample(np.random.default_rng(0))
    with pytest.raises(TypeError, match=r"np.random.default_rng\(seed\), got int"):
        ag.Categorical([0.0, 1.0]).sample(0)
    with pytest.raises(ValueError, match="log_prob: label 2 at position 0 is out of range"):
        ag.Categorical([[0.0, 1.0]]).log_prob([2])
    assert repr(ag.Categorical(np.zeros((4, 3)))) == "Categorical(3 classes, batch (4,))"
    assert repr(ag.Categorical([0.0, 0.0])) == "Categorical(2 classes)"


# ---------------------------------------------------------------------- files


@pytest.fixture(scope="module")
def model():
    return LinearClassifier(random_state=0, epochs=1).fit(X, Y)


@pytest.mark.parametrize("names", [[False, True], [-5, 2**40], [-1.0, 2.0], ["ja", "nein ü"], np.array([1, 2], np.float32)])
def test_names_come_back_as_they_were(names, tmp_path):
    names = np.asarray(names)
    model = LinearClassifier(random_state=0, epochs=1).fit(X, names[(Y > 4).astype(int)])
    save(model, tmp_path / "m")
    classes = load(tmp_path / "m")[0].classes_
    assert classes.dtype == names.dtype and classes.tolist() == names.tolist()


def test_arguments_of_numpys_types_are_kept(tmp_path):
    arguments = {"epochs": np.int64(1), "l2": np.float32(0.5), "random_state": np.int32(3)}
    save(LinearClassifier(**arguments).fit(X, Y), tmp_path / "m")
    assert {name: load(tmp_path / "m")[0].get_params()[name] for name in arguments} == arguments


def test_preprocessing_comes_back(model, tmp_path):
    kept = {"frame": [8, 8], "note": "ü", "nothing": None, "mean": np.arange(4.0), "T": np.arange(6).reshape(2, 3).T}
    save(model, tmp_path / "m", preprocessing=kept)
    _, back = load(tmp_path / "m")
    assert back.keys() == kept.keys()
    for name, value in kept.items():
        np.testing.assert_array_equal(back[name], value)


def test_a_file_is_replaced(model, tmp_path):
    (tmp_path / "m").write_bytes(b"an older one")
    save(model, tmp_path / "m")
    assert load(tmp_path / "m")[0].coef_.shape == (64, 10) and os.listdir(tmp_path) == ["m"]


@pytest.mark.skipif(os.name == "nt", reason="other rights")
def test_others_may_read_it(model, tmp_path):
    """A temporary file is for its owner alone; the model has the rights of any new file."""
    save(model, tmp_path / "m")
    (tmp_path / "n").touch()
    assert (tmp_path / "m").stat().st_mode == (tmp_path / "n").stat().st_mode


def test_a_file_that_is_not_there(model, tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "absent")
    with pytest.raises(FileNotFoundError):
        save(model, tmp_path / "absent" / "m")


class Trap:
    """Unpickling it would call `print` with a word that the test looks for."""

    def __reduce__(self):
        return print, ("unpickled",)


@pytest.mark.parametrize("wrapped", [False, True])
def test_nothing_is_unpickled(tmp_path, capsys, wrapped):
    content = pickle.dumps(Trap())
    pickle.loads(content)
    assert "unpickled" in capsys.readouterr().out, "the trap works"
    (tmp_path / "m").write_bytes(struct.pack("<Q", len(content)) + content if wrapped else content)
    with pytest.raises(ModelFileError, match="not a model of this library"):
        load(tmp_path / "m")
    assert "unpickled" not in capsys.readouterr().out


def tampered(path, **fields):
    """Change the metadata of a model file."""
    library = pytest.importorskip("safetensors")
    with library.safe_open(path, "numpy") as file:
        metadata = json.loads(file.metadata()["ag"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    content = sys.modules["safetensors.numpy"].save(arrays, {"ag": json.dumps({**metadata, **fields})})
    path.write_bytes(content)


@pytest.mark.parametrize("fields", [
    {"classes": list(range(9))}, {"classes": None}, {"classes": [300] * 10, "classes_dtype": "|u1"}, {"shape": [10, 64]},
    {"preprocessing": 5}, {"best_epoch": "soon"}, {"parameters": []}, {"parameters": {"callback_": 1}}, {"classes_dtype": "bogus"},
], ids=str)  # fmt: skip
def test_parts_that_do_not_fit(model, tmp_path, fields):
    save(model, tmp_path / "m")
    tampered(tmp_path / "m")
    load(tmp_path / "m")  # with nothing changed it is still a model
    tampered(tmp_path / "m", **fields)
    with pytest.raises(ModelFileError, match="damaged, its parts do not fit together"):
        load(tmp_path / "m")

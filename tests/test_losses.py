"""Losses, labels that are drawn, and whether probabilities hold."""

import warnings

import numpy as np
import pytest

import ag
from ag.learn import confusion_table, expected_calibration_error

special = pytest.importorskip("scipy.special")


def test_calibration_error_by_hand():
    p = np.array([[0.95, 0.05], [0.9, 0.1], [0.35, 0.65], [0.4, 0.6]])
    y = [0, 1, 1, 1]
    # With 5 bins 0.95 and 0.9 share one: right 1 of 2, confidence 0.925; 0.65 and 0.6 another: right 2 of 2.
    assert expected_calibration_error(p, y, 5) == pytest.approx(0.5 * (0.925 - 0.5) + 0.5 * (1 - 0.625))
    assert expected_calibration_error([[1.0, 0.0]], [0]) == 0
    with pytest.raises(ValueError, match=r"got \(2, 2\) and \(3,\)"):
        expected_calibration_error(np.ones((2, 2)) / 2, [0, 1, 1])


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


def test_confusion_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    names = np.array(["d", "a", "c", "b"])
    y, prediction = names[rng.integers(0, 4, 200)], names[rng.integers(0, 4, 200)]
    expected = metrics.confusion_matrix(y, prediction, labels=names)
    np.testing.assert_array_equal(confusion_table(y, prediction, names), expected)
    with pytest.raises(ValueError, match="'d' is none of the classes"):
        confusion_table(y, prediction, names[1:])


def test_confusion_is_not_symmetrical():
    """Rows are the truth; the order of classes is the given one, and the prediction may be foreign too."""
    assert confusion_table([2, 2, 1], [1, 1, 1], [2, 1]).tolist() == [[0, 2], [0, 1]]
    with pytest.raises(ValueError, match=r"label 3 is none of the classes \[2, 1\]"):
        confusion_table([2], [3], [2, 1])


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


def test_the_loss_of_one_example_is_recorded_without_a_mean():
    """So its derivative is read as p - e_y."""
    z = ag.Tensor([1.0, 2.0, 0.5])
    for reduction in ("mean", "sum", "none"):
        loss = ag.cross_entropy(z, 1, reduction)
        assert loss.params["reduction"] == "none"
        loss.backward()
        p = np.exp(z.value) / np.exp(z.value).sum()
        np.testing.assert_allclose(z.grad, p - np.eye(3)[1], rtol=1e-12)

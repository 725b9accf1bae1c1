"""The linear classifier: z = x W + b, p = softmax(z), trained by cross-entropy with the engine's own gradients."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np

from ..advice import MODELS, Elsewhere
from ..capture import ordinary
from ..operators.probability import softmax
from ..transforms import value_and_grad
from .categorical import Categorical
from .examples import checked_examples, checked_names
from .losses import accuracy, cross_entropy
from .solvers import Adam, Average, Rising, Sgd, Weights, entropy_of, lbfgs

SOLVERS = ("sgd", "adam", "lbfgs")
ENOUGH_STEPS = 3000  # small data are gone through more often


class Evaluation(NamedTuple):
    """How well a model did at one point of its training.

    epoch           how often the training examples were gone through
    training_loss   mean cross-entropy of the batches since the last evaluation
    loss, accuracy  on the validation split (nan without one)
    seconds         since the training began
    """

    epoch: float
    training_loss: float
    loss: float
    accuracy: float
    seconds: float


class NotFittedError(ValueError, AttributeError):
    """The model was used before it was trained."""


class LinearClassifier:
    """p(y|x) = softmax(x W + b)_y: multinomial logistic regression, with W and b at the minimum of

    L = mean over examples of -log p(y|x) + (l2 / 2) Σ W².

    Arguments
    ---------
    solver               "sgd" (mini-batches, momentum, averaged weights), "adam" (the same with Adam's steps), or
                         "lbfgs" (all examples at once; needs SciPy)
    epochs               how often to go through the examples, for "lbfgs" the number of iterations; None: 10, more for
                         small data ("lbfgs": 300)
    batch_size           examples in a mini-batch
    learning_rate        length of a step, which shrinks to 0 in the second half of the epochs; None: 0.003 for "adam",
                         100 (1 - momentum) / mean ‖x‖² for "sgd", which does the same in any units of x, halved
                         wherever the loss rises, as it does with long steps where classes overlap, and begun
                         again where it is above that of the labels' frequencies
    momentum             of "sgd", in [0, 1)
    l2                   weight of the penalty on W (not on b)
    fit_intercept        with b? Else it is 0
    validation_fraction  share of the examples that are set aside: the weights with the smallest loss on them are kept.
                         0: the last weights are kept
    evaluations_per_epoch  how often to evaluate
    random_state         seed of the split, the order of examples and `sample`; None: another one each time
    callback             called as callback(evaluation, model) after each evaluation; returns True to stop

    After ``fit``: ``coef_`` W of shape (d, K), ``intercept_`` b of shape (K,), ``classes_`` the K labels in order,
    ``n_features_in_`` d, ``history_`` a list of `Evaluation`, ``best_epoch_``, ``epochs_`` that were planned,
    ``interrupted_``.

    >>> data = ag.datasets.digits()
    >>> model = ag.learn.LinearClassifier(random_state=0).fit(data.X_train, data.y_train)
    >>> model.score(data.X_test, data.y_test) > 0.88
    True
    """

    coef_: Any
    intercept_: Any
    classes_: Any
    n_features_in_: int
    history_: list[Evaluation]
    best_epoch_: float
    epochs_: int
    interrupted_: bool

    def __init__(
        self,
        solver: str = "sgd",
        *,
        epochs: int | None = None,
        batch_size: int = 128,
        learning_rate: float | None = None,
        momentum: float = 0.0,
        l2: float = 0.0,
        fit_intercept: bool = True,
        validation_fraction: float = 0.1,
        evaluations_per_epoch: int = 1,
        random_state: int | None = None,
        callback: Callable[[Evaluation, LinearClassifier], Any] | None = None,
    ) -> None:
        self.solver = solver
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.l2 = l2
        self.fit_intercept = fit_intercept
        self.validation_fraction = validation_fraction
        self.evaluations_per_epoch = evaluations_per_epoch
        self.random_state = random_state
        self.callback = callback

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments it was made with."""
        return {name: getattr(self, name) for name in self._defaults()}

    save = Elsewhere("save", MODELS["save"])
    load = Elsewhere("load", MODELS["load"])

    def _defaults(self) -> dict[str, Any]:
        init = LinearClassifier.__init__
        return dict(zip(("solver",), init.__defaults__ or (), strict=True)) | (init.__kwdefaults__ or {})

    def set_params(self, **params: Any) -> LinearClassifier:
        """Change arguments by name; returns the model. Raises ValueError for a name that is none of them."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise ValueError(f"LinearClassifier has no argument {name!r}; its arguments are {', '.join(known)}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = self._defaults()
        changed = [f"{name}={value!r}" for name, value in self.get_params().items() if value != defaults[name]]
        return f"LinearClassifier({', '.join(changed)})"

    # ------------------------------------------------------------------ training

    def fit(self, X: Any, y: Any) -> LinearClassifier:
        """Train on examples and their labels; returns the model.

        Arguments: ``X`` of shape (examples, d), one example a row, finite (float32 stays float32); ``y`` of shape
        (examples,), labels of any one type.

        Raises ValueError or TypeError for data that are no such arrays, FloatingPointError when the loss grows beyond
        all bounds. After a KeyboardInterrupt the model keeps the best weights so far, and the exception goes on.
        """
        from ..compiler.machine.one_thread import for_products  # here, as `import ag` is to stay light

        self._check_arguments()
        X = checked_examples(X, "fit")
        self.classes_, labels = checked_names(y, len(X))
        self.n_features_in_ = X.shape[1]
        rng = np.random.default_rng(self.random_state)
        order = rng.permutation(len(X))
        held_out = int(self.validation_fraction * len(X))
        validation = (X[order[:held_out]], labels[order[:held_out]]) if held_out else None
        weights: Weights = [np.zeros((X.shape[1], len(self.classes_)), X.dtype)]
        if self.fit_intercept:
            weights.append(np.zeros(len(self.classes_), X.dtype))
        self.history_, self.interrupted_ = [], False
        progress = _Progress(self, validation)
        try:
            if self.solver == "lbfgs":
                self._fit_all(X, labels, order[held_out:], weights, progress)
            else:
                with for_products(min(self.batch_size, len(X)) * weights[0].size) as products:
                    self._fit_batches(X, labels, order[held_out:], weights, progress, rng, products)
        except KeyboardInterrupt:
            self.interrupted_ = True
            raise
        finally:
            progress.keep()
        return self

    def _check_arguments(self) -> None:
        if self.solver not in SOLVERS:
            raise ValueError(f"solver={self.solver!r} is none of {', '.join(map(repr, SOLVERS))}")
        for name, least in (("epochs", 1), ("batch_size", 1), ("evaluations_per_epoch", 1)):
            value = getattr(self, name)
            if (name, value) != ("epochs", None) and (not isinstance(value, (int, np.integer)) or value < least):
                raise ValueError(f"{name}={value!r}: expected an integer, at least {least}")
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise ValueError(f"learning_rate={self.learning_rate!r}: expected a positive number, or None")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum={self.momentum!r}: expected a number in [0, 1)")
        if not self.l2 >= 0:
            raise ValueError(f"l2={self.l2!r}: expected a number that is not negative")
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(f"validation_fraction={self.validation_fraction!r}: expected a number in [0, 1)")

    def _loss(self, weights: Weights, x: Any, y: Any) -> Any:
        z = x @ weights[0]
        if len(weights) > 1:
            z = z + weights[1]
        loss = cross_entropy(z, y)
        return loss + (self.l2 / 2) * (weights[0] * weights[0]).sum() if self.l2 else loss

    def _fit_batches(
        self, X: Any, y: Any, rows: Any, weights: Weights, progress: _Progress, rng: Any, products: AbstractContextManager[None]
    ) -> None:
        gradient = value_and_grad(self._loss)
        n, size = len(rows), min(self.batch_size, len(rows))
        steps = math.ceil(n / size)
        self.epochs_ = epochs = self.epochs if self.epochs is not None else max(10, math.ceil(ENOUGH_STEPS / steps))
        average = Average(weights, max(50.0, steps / 5))
        solver, rising = self._solver(X, weights), Rising(weights[0].shape[1], entropy_of(y[rows]))
        every = max(1, steps // self.evaluations_per_epoch)
        progress.weights = average.means
        x = np.empty((size, X.shape[1]), X.dtype)
        losses = []
        for epoch in range(epochs):
            order = rng.permutation(rows)
            labels = y[order]
            for step in range(steps):
                batch = order[step * size : (step + 1) * size]
                part = X.take(batch, axis=0, out=x[: len(batch)], mode="clip")
                with products:
                    loss, gradients = gradient(weights, part, labels[step * size : (step + 1) * size])
                solver.step(gradients, min(1.0, 2 - 2 * (epoch * steps + step) / (epochs * steps)))
                average.step()
                losses.append(loss)
                if self.learning_rate is None and isinstance(solver, Sgd) and rising.after(float(loss)):
                    solver.learning_rate /= 2
                    if rising.astray:
                        solver.restart()
                        average.restart()
                        progress.best = None
                last = step == steps - 1
                if last or ((step + 1) % every == 0 and steps - step > every // 2):
                    done = epoch + 1.0 if last else epoch + (step + 1) / steps
                    if progress.evaluate(done, float(np.mean(losses))):
                        return
                    losses = []

    def _solver(self, X: Any, weights: Weights) -> Sgd | Adam:
        if self.solver == "adam":
            return Adam(weights, self.learning_rate or 0.003)
        rate = self.learning_rate
        if rate is None:
            some = X[:: max(1, len(X) // 1000)]
            rate = 100 * (1 - self.momentum) / max(float(np.mean((some * some).sum(axis=1))), 1e-30)
        return Sgd(weights, rate, self.momentum)

    def _fit_all(self, X: Any, y: Any, rows: Any, weights: Weights, progress: _Progress) -> None:
        X, y = (X, y) if len(rows) == len(X) else (X[rows], y[rows])
        gradient = value_and_grad(self._loss)
        progress.weights = weights
        iteration = 0

        def after(weights: Weights, loss: float) -> bool:
            nonlocal iteration
            iteration += 1
            return progress.evaluate(float(iteration), loss)

        self.epochs_ = self.epochs if self.epochs is not None else 300
        lbfgs(lambda w: gradient(w, X, y), weights, self.epochs_, after)
        if not self.history_:  # the start was the minimum
            progress.evaluate(0.0, float(self._loss(weights, X, y)))

    # ------------------------------------------------------------------ use

    def decision_function(self, X: Any) -> Any:
        """z = x W + b, the logits, of shape (examples, K): the classifier as a deterministic function."""
        if not hasattr(self, "coef_"):
            raise NotFittedError("this LinearClassifier was not trained yet: call fit(X, y), or ag.learn.load(path)")
        X = checked_examples(X, "this model", self.n_features_in_)
        return _logits(X, self.coef_, self.intercept_)

    def predict_proba(self, X: Any) -> Any:
        """p = softmax(z), the probabilities of ``classes_``, of shape (examples, K)."""
        return softmax(self.decision_function(X))

    def predict(self, X: Any) -> Any:
        """The most probable label of each example, of shape (examples,)."""
        z = self.decision_function(X)
        return self.classes_[z.argmax(axis=1)]

    def sample(self, X: Any, rng: np.random.Generator | None = None) -> Any:
        """A label for each example, drawn from p(y|x): many are possible.

        Arguments: ``X``, examples; ``rng``, a generator (None: a new one from ``random_state``).
        """
        z = self.decision_function(X)
        return self.classes_[Categorical(z).sample(np.random.default_rng(self.random_state) if rng is None else rng)]

    def score(self, X: Any, y: Any) -> float:
        """The share of examples whose most probable label is the given one: the accuracy."""
        given = np.asarray(ordinary(y, "score: y: "))
        predicted = self.predict(X)
        if given.shape != predicted.shape:
            raise ValueError(f"score: {len(predicted)} examples need labels of shape {predicted.shape}, got {given.shape}")
        return float(np.mean(predicted == given))


def _logits(X: Any, W: Any, b: Any) -> Any:
    return X @ W + b


class _Progress:
    """Evaluates on the validation split, and remembers the best weights."""

    def __init__(self, model: LinearClassifier, validation: tuple[Any, Any] | None) -> None:
        self.model, self.validation = model, validation
        self.weights: Weights = []
        self.start = time.perf_counter()
        self.best: tuple[float, float, Weights] | None = None

    def evaluate(self, epoch: float, training_loss: float) -> bool:
        """One evaluation of the present weights; True to stop."""
        model = self.model
        if not math.isfinite(training_loss):
            raise FloatingPointError(
                f"the training loss is {training_loss} in epoch {epoch:.3g}: the steps are too long. Give a smaller "
                f"learning_rate, or scale the columns of X to a like size"
            )
        loss = share = math.nan
        weights = [w.copy() for w in self.weights]
        self._set(weights)
        if self.validation is not None:
            X, y = self.validation
            z = _logits(X, model.coef_, model.intercept_)
            loss = float(cross_entropy(z, y))
            share = accuracy(z, y)
        if self.best is None or self.validation is None or loss < self.best[0]:
            self.best = (loss, epoch, weights)
        evaluation = Evaluation(epoch, training_loss, loss, share, time.perf_counter() - self.start)
        model.history_.append(evaluation)
        return bool(model.callback(evaluation, model)) if model.callback is not None else False

    def _set(self, weights: Weights) -> None:
        model = self.model
        model.coef_ = weights[0]
        model.intercept_ = weights[1] if len(weights) > 1 else np.zeros(weights[0].shape[1], weights[0].dtype)

    def keep(self) -> None:
        """Give the model the best weights."""
        if self.best is not None:
            _, self.model.best_epoch_, weights = self.best
            self._set(weights)

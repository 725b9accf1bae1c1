"""`ag train`."""

from __future__ import annotations

import sys
import time
from typing import Any

import click
import numpy as np

from ..learn.examples import places
from ..learn.linear import Evaluation, LinearClassifier
from ..learn.losses import accuracy, cross_entropy
from ..learn.storage import save
from .screen import percent, table
from .sources import Preprocessing, load, split

INTERRUPTED = 130  # what a shell expects after Ctrl-C


def run(
    data: str, solver: str, epochs: int | None, batch_size: int, learning_rate: float | None, momentum: float, l2: float,
    deskew: bool, standardize: bool, validation: float, test_fraction: float, label: str | None, folder: str | None,
    seed: int, evaluations_per_epoch: int, target_accuracy: float | None, output: str,
) -> None:
    """Read, prepare, train, report, save."""
    start = time.perf_counter()
    examples = split(load(data, folder, label), test_fraction, seed)
    if deskew and examples.frame is None:
        raise click.UsageError(f"--deskew needs images; {data} holds none (an .npz file holds them as X of three axes)")
    prepare = Preprocessing(examples.frame, deskew)
    X, X_test = prepare.straightened(examples.X), prepare.straightened(examples.X_test)
    if standardize:
        prepare.learn(X)
        X, X_test = prepare.standardized(X), prepare.standardized(X_test)
    model = LinearClassifier(
        solver, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, momentum=momentum, l2=l2,
        validation_fraction=validation, evaluations_per_epoch=evaluations_per_epoch, random_state=seed,
    )
    sizes = f"{len(X):,} examples to train, {len(X_test):,} to test, {X.shape[1]} features"
    click.echo(f"{data}: {sizes}, {len(np.unique(examples.y))} classes")
    watch = _Watch(X_test, examples.y_test, target_accuracy)
    model.callback = watch
    try:
        model.fit(X, examples.y)
    except KeyboardInterrupt:
        if not getattr(model, "history_", None):
            click.echo("\nstopped before the first evaluation: nothing is kept", err=True)
            sys.exit(INTERRUPTED)
    finally:
        watch.close()
    model.callback = None
    seconds = time.perf_counter() - start
    if model.interrupted_:
        last = model.history_[-1].epoch
        click.echo(f"stopped after epoch {last:g}: the best weights so far, of epoch {model.best_epoch_:g}, are kept")
    if watch.reached:
        weights = "as they were when the test accuracy reached the target"
        model.coef_, model.intercept_ = watch.weights
        model.best_epoch_ = model.history_[-1].epoch
    elif validation:
        weights = f"of epoch {model.best_epoch_:g} of {model.history_[-1].epoch:g}, the best on the validation examples"
    else:
        weights = f"of the last epoch, {model.best_epoch_:g}"
    rows = []
    for name, x, y in (("training", X, examples.y), ("test", X_test, examples.y_test)):
        z = model.decision_function(x)
        share, likelihood = judged(z, known(y, model))
        rows.append((name, percent(share), f"{likelihood:.4f}", f"{likelihood * len(x):,.0f}"))
    click.echo("\n" + table(rows, ("", "accuracy", "negative log-likelihood", "its sum")) + "\n")
    click.echo(f"  {seconds:.1f} seconds; weights {weights}")
    save(model, output, preprocessing=prepare.saved())
    click.echo(f"  saved to {output}")
    if model.interrupted_:
        sys.exit(INTERRUPTED)
    if target_accuracy is not None and not watch.reached:
        click.echo(f"the test accuracy {target_accuracy:g} was not reached; the highest was {watch.highest:.4f}", err=True)
        sys.exit(1)


def known(y: Any, model: LinearClassifier) -> Any:
    """Where each label stands among the model's classes; one that it does not know is an error."""
    y = np.asarray(y)
    found = places(y, model.classes_)
    if (found < 0).any():
        classes = ", ".join(map(str, model.classes_))
        raise ValueError(f"the label {y[found < 0].tolist()[0]!r} is none of the model's classes, {classes}")
    return found


def judged(z: Any, y: Any) -> tuple[float, float]:
    """Accuracy and mean negative log-likelihood of logits, for labels 0..K-1."""
    return accuracy(z, y), float(cross_entropy(z.astype(float), y))


class _Watch:
    """Shows the progress; with a target, looks at the test set after each evaluation."""

    def __init__(self, X: Any, y: Any, target: float | None) -> None:
        self.X, self.y, self.target = X, y, target
        self.reached, self.highest = False, 0.0
        self.weights: tuple[Any, Any] = (None, None)
        self.bar = _bar() if sys.stderr.isatty() else None

    def __call__(self, evaluation: Evaluation, model: LinearClassifier) -> bool:
        if self.bar is not None:
            self.bar.total = model.epochs_
            self.bar.n = evaluation.epoch
            shown = f"loss {evaluation.training_loss:.4f}"
            if model.validation_fraction:
                shown += f", validation loss {evaluation.loss:.4f}, accuracy {percent(evaluation.accuracy)}"
            self.bar.set_postfix_str(shown)
        if self.target is not None:
            accuracy = model.score(self.X, self.y)
            self.highest = max(self.highest, accuracy)
            self.reached = accuracy >= self.target
            self.weights = (model.coef_, model.intercept_)
        return self.reached

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def _bar() -> Any:
    """A progress bar for a terminal."""
    try:
        from tqdm import tqdm  # here, as it is slow to import and of no use without a terminal
    except ImportError:
        raise ImportError("the progress bar needs tqdm: pip install 'ag-autodiff[cli]'") from None
    return tqdm(total=1, bar_format="  epoch {n:g} of {total:g} {bar:20} {elapsed}{postfix}")

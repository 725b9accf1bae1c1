"""`ag train`."""

from __future__ import annotations

import sys
import time
from typing import Any

import click
import numpy as np

from ..learn.examples import checked_names, places
from ..learn.linear import Evaluation, LinearClassifier
from ..learn.losses import accuracy, cross_entropy
from ..learn.storage import check_savable, save
from .progress import Progress
from .screen import decimals, percent, table
from .sources import Preprocessing, Split, load, split

INTERRUPTED = 130  # what a shell expects after Ctrl-C


def run(
    data: str, solver: str, epochs: int | None, batch_size: int, learning_rate: float | None, momentum: float, l2: float,
    deskew: bool, standardize: bool, validation: float, test_fraction: float, label: str | None, folder: str | None,
    seed: int, evaluations_per_epoch: int, target_accuracy: float | None, output: str,
) -> None:
    """Read, prepare, train, report, save."""
    start = time.perf_counter()
    check_savable(output)
    given = load(data, folder, label)
    examples = split(given, test_fraction, seed)
    if deskew and examples.frame is None:
        raise click.UsageError(f"--deskew needs images; {data} holds none (an .npz file holds them as X of three axes)")
    checked_names(examples.y, len(examples.X), f"{data}, {len(examples.X):,} examples to train")
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
    watch = _Watch(X_test, examples.y_test, target_accuracy, Progress(sys.stderr, epochs))
    model.callback = watch
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # an error tells of it
            model.fit(X, examples.y)
    except KeyboardInterrupt:
        if not getattr(model, "history_", None):
            watch.close()
            click.echo("stopped before the first evaluation: nothing is kept", err=True)
            sys.exit(INTERRUPTED)
    except FloatingPointError as error:
        what, _, _ = str(error).partition(" Give ")
        raise click.ClickException(f"{what} Give a smaller --learning-rate, or --standardize the features") from None
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
        rows.append((name, percent(share), decimals(likelihood), decimals(likelihood * len(x), 0)))
    click.echo("\n" + table(rows, ("", "accuracy", "negative log-likelihood", "its sum")) + "\n")
    click.echo(f"  {seconds:.1f} seconds; weights {weights}")
    division = Split.of(examples, test_fraction, seed)._asdict() if given.X_test is None else None
    save(model, output, preprocessing={**prepare.saved(), "split": division})
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

    def __init__(self, X: Any, y: Any, target: float | None, progress: Progress) -> None:
        self.X, self.y, self.target, self.progress = X, y, target, progress
        self.reached, self.highest = False, 0.0
        self.weights: tuple[Any, Any] = (None, None)

    def __call__(self, evaluation: Evaluation, model: LinearClassifier) -> bool:
        said = [f"loss {decimals(evaluation.training_loss)}"]
        if model.validation_fraction:
            said += [f"validation loss {decimals(evaluation.loss)}", f"accuracy {percent(evaluation.accuracy)}"]
        self.progress.show(evaluation.epoch, model.epochs_, *said)
        if self.target is not None:
            accuracy = model.score(self.X, self.y)
            self.highest = max(self.highest, accuracy)
            self.reached = accuracy >= self.target
            self.weights = (model.coef_, model.intercept_)
        return self.reached

    def close(self) -> None:
        self.progress.close()

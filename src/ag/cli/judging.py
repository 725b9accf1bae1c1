"""`ag evaluate`."""

from __future__ import annotations

from typing import Any

import click
import numpy as np

from ..learn.calibration import confusion_table, expected_calibration_error
from ..learn.examples import checked_examples
from ..learn.linear import LinearClassifier
from ..learn.storage import load as load_model
from ..operators.probability import softmax
from .screen import percent, table
from .sources import Preprocessing, load
from .training import judged, known


def run(path: str, data: str, label: str | None, folder: str | None) -> None:
    """Read the model and the data, and print how well they agree."""
    model, prepare = opened(path)
    examples = load(data, folder, label)
    X, y = (examples.X, examples.y) if examples.X_test is None else (examples.X_test, examples.y_test)
    if model.classes_.dtype.kind == "U":  # a file may hold only those names that look like numbers
        y = np.asarray(y).astype(str)
    X = prepare(checked_examples(X, path, model.n_features_in_))
    z, labels = model.decision_function(X), known(y, model)
    share, likelihood = judged(z, labels)
    rows = [
        ("accuracy", percent(share)),
        ("negative log-likelihood", f"{likelihood:.4f}"),
        ("expected calibration error", percent(expected_calibration_error(softmax(z), labels))),
    ]
    click.echo(f"{path} on {len(X):,} examples of {data}\n\n" + table(rows) + "\n")
    counts = confusion_table(y, model.classes_[z.argmax(axis=1)], model.classes_)
    names = [str(name) for name in model.classes_]
    click.echo("  rows: the label, columns: what the model takes it for\n")
    click.echo(table([(name, *(n or "·" for n in row)) for name, row in zip(names, counts.tolist(), strict=True)], ("", *names)))


def opened(path: str) -> tuple[LinearClassifier, Preprocessing]:
    """The model in a file and what it wants done to examples."""
    model, kept = load_model(path)
    known: dict[str, Any] = {name: kept[name] for name in ("frame", "deskew", "mean", "scale") if name in kept}
    return model, Preprocessing(**known)

"""`ag evaluate`."""

from __future__ import annotations

from typing import Any

import click
import numpy as np

from ..learn.calibration import confusion_table, expected_calibration_error
from ..learn.linear import LinearClassifier
from ..learn.storage import load as load_model
from ..operators.probability import softmax
from .screen import decimals, percent, table
from .sources import Preprocessing, Split, load
from .training import judged, known


def run(path: str, data: str, label: str | None, folder: str | None) -> None:
    """Read the model and the data, and print how well they agree."""
    model, prepare, division = opened(path)
    examples = load(data, folder, label)
    again = division.again(examples) if division is not None and examples.X_test is None else None
    kept = again or examples
    X, y = (kept.X, kept.y) if kept.X_test is None else (kept.X_test, kept.y_test)
    d = model.n_features_in_
    if X.shape[1] != d:
        raise ValueError(f"{path} takes {d} features, {data} has {X.shape[1]}: give it data like those it was trained on")
    if model.classes_.dtype.kind == "U":  # a file may hold only those names that look like numbers
        y = np.asarray(y).astype(str)
    X = prepare(X)
    z, labels = model.decision_function(X), known(y, model)
    share, likelihood = judged(z, labels)
    rows = [
        ("accuracy", percent(share)),
        ("negative log-likelihood", decimals(likelihood)),
        ("expected calibration error", percent(expected_calibration_error(softmax(z), labels))),
    ]
    which = f"{path} on {len(X):,} examples of {data}"
    if again is not None:
        which += f"\n(the model was trained on the other {len(again.X):,} of them)"
    click.echo(f"{which}\n\n" + table(rows) + "\n")
    counts = confusion_table(y, model.classes_[z.argmax(axis=1)], model.classes_)
    names = [str(name) for name in model.classes_]
    click.echo("  rows: the label, columns: what the model takes it for\n")
    click.echo(table([(name, *(n or "·" for n in row)) for name, row in zip(names, counts.tolist(), strict=True)], ("", *names)))


def opened(path: str) -> tuple[LinearClassifier, Preprocessing, Split | None]:
    """The model in a file, what it wants done to examples, and how those were divided that it was trained on."""
    model, kept = load_model(path)
    known: dict[str, Any] = {name: kept[name] for name in ("frame", "deskew", "mean", "scale") if name in kept}
    return model, Preprocessing(**known), Split(**kept["split"]) if kept.get("split") else None

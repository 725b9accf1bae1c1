"""The accuracy on MNIST's test set with default settings."""

from __future__ import annotations

from .harness import Row


def rows() -> list[Row]:
    import ag

    data = ag.datasets.mnist()
    result = []
    for name, prepare, aim in (("raw pixels", lambda X: X, 0.924), ("deskewed", ag.datasets.deskew, 0.955)):
        model = ag.learn.LinearClassifier(random_state=0).fit(prepare(data.X_train), data.y_train)
        accuracy = model.score(prepare(data.X_test), data.y_test)
        result.append(Row(f"MNIST test accuracy, {name}", f"{100 * accuracy:.2f} %", f"≥ {100 * aim:.1f} %", accuracy >= aim))
    return result

"""Data by name or file, as the command takes them, and what is done to them before training."""

from __future__ import annotations

import csv
import math
import os
import zlib
from typing import Any, NamedTuple

import numpy as np

from ..datasets import DataError, deskew, digits, mnist
from ..learn.examples import checked_examples

LABELS = ("label", "class", "target", "y")


class Examples(NamedTuple):
    """Examples with their labels; ``frame`` is (height, width) of images, else None."""

    X: Any
    y: Any
    X_test: Any
    y_test: Any
    frame: tuple[int, int] | None


def load(data: str, folder: str | None = None, label: str | None = None) -> Examples:
    """The examples that a name or a file holds; the test part is None where it names none."""
    if data in ("mnist", "digits"):
        d = mnist(folder) if data == "mnist" else digits()
        return Examples(*d, (28, 28) if data == "mnist" else (8, 8))
    if not os.path.exists(data):
        raise FileNotFoundError(f"{data}: there is no such file; DATA is mnist, digits, FILE.npz or FILE.csv")
    kind = os.path.splitext(data)[1].lower()
    if kind == ".npz":
        return _checked(_from_npz(data), data)
    if kind == ".csv":
        return _checked(Examples(*_from_csv(data, label), None, None, None), data)
    raise DataError(f"{data}: files of the kinds .npz and .csv are read, not {kind or 'files without an ending'}")


def _checked(examples: Examples, path: str) -> Examples:
    """Examples from a file, with finite numbers of the right shape, and as many labels."""
    X = checked_examples(examples.X, path)
    X_test = examples.X_test
    if X_test is not None:
        X_test = checked_examples(X_test, f"{path}, X_test")
        if X.shape[1] != X_test.shape[1]:
            raise DataError(f"{path}: X has {X.shape[1]} features, X_test has {X_test.shape[1]}: there must be as many in both")
    for x, y in ((X, examples.y), (X_test, examples.y_test)):
        if x is not None and len(x) != len(y):
            raise DataError(f"{path}: {len(x)} examples, {len(y)} labels: there must be as many of both")
    return Examples(X, examples.y, X_test, examples.y_test, examples.frame)


def _from_npz(path: str) -> Examples:
    import zipfile  # here, as it is slow to import and MNIST needs it not

    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:  # NumPy leaves a damaged file open
            arrays = {name: file[name] for name in file.files}
    except (ValueError, TypeError, OSError, EOFError, KeyError, zlib.error) as error:
        raise DataError(f"{path}: can't be read as an .npz file of plain arrays ({error})") from None
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: damaged, or no .npz file ({error})") from None
    X, y = (arrays.get(name, arrays.get(f"{name}_train")) for name in ("X", "y"))
    if X is None or y is None:
        held = ", ".join(arrays) or "nothing"
        raise DataError(f"{path}: holds {held}; the arrays X and y are expected: np.savez(path, X=X, y=y)")
    frame = (X.shape[1], X.shape[2]) if X.ndim == 3 else None
    X_test, y_test = arrays.get("X_test"), arrays.get("y_test")
    if (X_test is None) != (y_test is None):
        raise DataError(f"{path}: holds one of X_test and y_test: give both, or neither")
    X, X_test = (x.reshape(len(x), -1) if x is not None and x.ndim > 2 else x for x in (X, X_test))
    return Examples(X, y, X_test, y_test, frame)


def _from_csv(path: str, label: str | None) -> tuple[Any, Any]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        try:
            reader = csv.reader(file)
            numbered = [(reader.line_num, row) for row in reader if row]
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(f"{path}: can't be read as CSV ({error})") from None
    rows = [row for _, row in numbered]
    if not rows:
        raise DataError(f"{path}: is empty")
    header = None if _all_numbers(rows[0][:-1]) and len(rows[0]) > 1 else [name.strip() for name in rows.pop(0)]
    width = len(header or rows[0])
    if width < 2:
        raise DataError(f"{path}: has {width} column; a label and at least one feature are expected, separated by commas")
    if not rows:
        raise DataError(f"{path}: holds a header and no examples")
    place = _label_column(path, header, width, label)
    X, y = np.empty((len(rows), width - 1)), []
    for i, row in enumerate(rows):
        line = numbered[i + (header is not None)][0]
        if len(row) != width:
            raise DataError(f"{path}: line {line} has {len(row)} fields, {width} are expected")
        y.append(row[place].strip())
        for j, text in enumerate(row[:place] + row[place + 1 :]):
            X[i, j] = x = _number(text)
            if not math.isfinite(x):
                column = (header[:place] + header[place + 1 :])[j] if header else j + (j >= place) + 1
                raise DataError(
                    f"{path}: line {line}, column {column}: {text!r} is no finite number; turn names into numbers, and fill in "
                    f"or drop what is missing"
                )
    if all(_is_integer(name) for name in y):
        return X, np.array([int(name) for name in y])
    return X, np.array(y)


def _number(text: str) -> float:
    """The number that is written; nan where there is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _label_column(path: str, header: list[str] | None, width: int, label: str | None) -> int:
    if header is None:
        if label is not None:
            raise DataError(f"{path}: has no header line, so no column {label!r}: the last column holds the labels")
        return width - 1
    if label is not None:
        if label not in header:
            raise DataError(f"{path}: has no column {label!r}; its columns are {', '.join(header)}")
        return header.index(label)
    lower = [name.lower() for name in header]
    return next((lower.index(name) for name in LABELS if name in lower), width - 1)


def _all_numbers(texts: list[str]) -> bool:
    try:
        for text in texts:
            float(text)
    except ValueError:
        return False
    return True


def _is_integer(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


class Split(NamedTuple):
    """How examples without a test part were divided, and which they were: so they are divided so again."""

    fraction: float
    seed: int
    examples: str  # a checksum of both parts

    @classmethod
    def of(cls, divided: Examples, fraction: float, seed: int) -> Split:
        """The split that gave these parts."""
        from hashlib import sha256  # here, as it is of use with files alone

        state = sha256()
        for array in divided[:4]:
            state.update(f"{array.dtype.str} {array.shape}".encode())
            state.update(np.ascontiguousarray(array).tobytes())
        return cls(fraction, seed, state.hexdigest())

    def again(self, examples: Examples) -> Examples | None:
        """The same parts of the same examples; None where these are others."""
        divided = split(examples, self.fraction, self.seed)
        return divided if Split.of(divided, self.fraction, self.seed) == self else None


def split(examples: Examples, fraction: float, seed: int) -> Examples:
    """With a test part: the one given, or a random share."""
    if examples.X_test is not None:
        return examples
    n = len(examples.X)
    order = np.random.default_rng(seed).permutation(n)
    held = max(1, round(fraction * n))
    test, rest = order[:held], order[held:]
    X, y = examples.X, examples.y
    return Examples(X[rest], y[rest], X[test], y[test], examples.frame)


class Preprocessing:
    """What is done to examples before the classifier sees them, kept with the model."""

    def __init__(self, frame: Any = None, deskew: bool = False, mean: Any = None, scale: Any = None) -> None:
        self.frame = tuple(frame) if frame else None
        self.deskew, self.mean, self.scale = bool(deskew), mean, scale

    def straightened(self, X: Any) -> Any:
        """Images upright and centred, if that was asked for."""
        return deskew(X, self.frame) if self.deskew else X

    def learn(self, X: Any) -> None:
        """Means and scales from the training examples, straightened."""
        self.mean = X.mean(axis=0)
        deviation = X.std(axis=0)
        self.scale = 1 / np.where(deviation > 0, deviation, 1)

    def standardized(self, X: Any) -> Any:
        """Features on the scale that was learned, if one was."""
        return (X - self.mean) * self.scale if self.mean is not None else X

    def __call__(self, X: Any) -> Any:
        return self.standardized(self.straightened(X))

    def saved(self) -> dict[str, Any]:
        """As `learn.save` keeps it."""
        arrays = {"mean": self.mean, "scale": self.scale} if self.mean is not None else {}
        return {"frame": list(self.frame) if self.frame else None, "deskew": self.deskew, **arrays}

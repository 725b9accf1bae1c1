"""Images of digits with their labels."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .. import files
from .idx import DataError, read_idx
from .splits import Dataset

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))

# The four files of MNIST in the order of `Dataset`, and the shapes that their headers must tell.
MNIST = {
    "train-images-idx3-ubyte.gz": (60000, 28, 28),
    "train-labels-idx1-ubyte.gz": (60000,),
    "t10k-images-idx3-ubyte.gz": (10000, 28, 28),
    "t10k-labels-idx1-ubyte.gz": (10000,),
}
CLASSES = 10


def mnist(folder: str | os.PathLike[str] | None = None) -> Dataset:
    """The MNIST database of handwritten digits: 60,000 images to train, 10,000 to test, of 28 × 28 pixels.

    Arguments: ``folder`` that holds the four IDX files, compressed or not. Without it they are looked for in the
    folder that the variable AG_DATA names, in the user's cache, and in ``data/mnist`` beside the package's source
    or here; else they are downloaded into the cache, which needs the extra ``data``.

    Returns a `Dataset`: X float32 of shape (examples, 784) in [0, 1], y integers 0..9.

    Raises FileNotFoundError when a given folder lacks a file; DataError for a damaged or mislabelled one;
    ImportError when a download is needed and pooch is missing.

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998.

    >>> ag.datasets.mnist("data/mnist")
    Dataset(60000 examples to train, 10000 to test, d=784)
    """
    if folder is not None:
        return _from_folder(os.fspath(folder))
    for place in places():
        if all(_file(place, name) for name in MNIST):
            return _from_folder(place)
    from .download import fetch

    return _from_folder(fetch(cache()))


def places() -> list[str]:
    """Where MNIST is looked for, in this order."""
    named = os.environ.get("AG_DATA")
    given = [named, os.path.join(named, "mnist")] if named else []
    return [*given, cache(), os.path.join(REPOSITORY, "data", "mnist"), os.path.join("data", "mnist")]


def cache() -> str:
    """The folder for downloaded data."""
    return os.path.join(files.cache(), "mnist")


def _file(folder: str, name: str) -> str | None:
    """The path of a data file, compressed or not; None if there is neither."""
    for path in (os.path.join(folder, name), os.path.join(folder, name.removesuffix(".gz"))):
        if os.path.isfile(path):
            return path
    return None


def _from_folder(folder: str) -> Dataset:
    missing = [name for name in MNIST if not _file(folder, name)]
    if missing:
        raise FileNotFoundError(
            f"{folder} lacks {', '.join(missing)}: the four files of MNIST (with or without .gz) must lie in one folder"
        )
    arrays = []
    for name, shape in MNIST.items():
        path = _file(folder, name)
        assert path is not None
        arrays.append(_checked(read_idx(path), shape, path))
    return Dataset(scaled(arrays[0], 255), arrays[1].astype(np.int64), scaled(arrays[2], 255), arrays[3].astype(np.int64))


def _checked(array: Any, shape: tuple[int, ...], path: str) -> Any:
    """An array with the shape that the file's name promises, labels in 0..9."""
    if array.shape != shape or array.dtype != np.uint8:
        raise DataError(
            f"{path}: holds {array.dtype} of shape {array.shape}; a file of this name holds uint8 of shape {shape}, "
            f"{4 + 4 * len(shape) + int(np.prod(shape))} bytes unpacked: is it mislabelled?"
        )
    if array.ndim == 1 and array.max() >= CLASSES:
        raise DataError(f"{path}: label {array.max()} at position {int(array.argmax())}; the labels are 0..{CLASSES - 1}")
    return array


def scaled(images: Any, largest: int) -> Any:
    """Images of integers 0..largest as rows of float32 in [0, 1]."""
    rows = images.reshape(len(images), -1)
    return np.multiply(rows, np.float32(1 / largest), dtype=np.float32)


def digits() -> Dataset:
    """1,797 images of handwritten digits of 8 × 8 pixels, inside the package: 1,437 to train, 360 to test.

    Returns a `Dataset`: X float32 of shape (examples, 64) in [0, 1], y integers 0..9. The order is that of the
    source, so the test set has other writers than most of the training set.

    Source: Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI Machine Learning Repository, 1998.

    >>> ag.datasets.digits()
    Dataset(1437 examples to train, 360 to test, d=64)
    """
    folder = os.path.join(HERE, "files")
    X = scaled(read_idx(os.path.join(folder, "digits-images-idx3-ubyte.gz")), 16)
    y = read_idx(os.path.join(folder, "digits-labels-idx1-ubyte.gz")).astype(np.int64)
    n = len(y) * 4 // 5
    return Dataset(X[:n], y[:n], X[n:], y[n:])

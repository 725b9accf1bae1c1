"""Models in files: safetensors for the arrays, JSON for the rest. Nothing that is read can run."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ..files import check_place, write
from .linear import LinearClassifier, NotFittedError

FORMAT = "ag.LinearClassifier"
VERSION = 1


class ModelFileError(ValueError):
    """A file that holds no model of this library, or a damaged one."""


def _safetensors() -> Any:
    try:
        import safetensors.numpy as library
    except ImportError:
        raise ImportError("model files need safetensors: pip install 'ag-autodiff[cli]'") from None
    return library


def check_savable(path: str | os.PathLike[str]) -> None:
    """Raises what `save` would raise of a trained model: before it is trained."""
    _safetensors()
    check_place(path)


def save(model: LinearClassifier, path: str | os.PathLike[str], *, preprocessing: dict[str, Any] | None = None) -> None:
    """Write a trained model to a file: all of it, or nothing.

    Arguments: ``model``; ``path`` of the file, by custom ``*.safetensors``; ``preprocessing``, what was done to the
    examples, as JSON values and arrays.

    Raises NotFittedError before training, ImportError without safetensors, OSError when the file can't be written.
    """
    import json

    library = _safetensors()
    if not hasattr(model, "coef_"):
        raise NotFittedError("this LinearClassifier was not trained yet: call fit(X, y) before it is saved")
    arrays = {"coef": model.coef_, "intercept": model.intercept_}
    plain: dict[str, Any] = {}
    for name, x in (preprocessing or {}).items():
        if isinstance(x, np.ndarray):
            arrays[f"preprocessing.{name}"] = x
        else:
            plain[name] = x
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "classes": model.classes_.tolist(),
        "classes_dtype": model.classes_.dtype.str if model.classes_.dtype.kind != "O" else "O",
        "shape": list(model.coef_.shape),
        "best_epoch": model.best_epoch_,
        "parameters": {k: v for k, v in model.get_params().items() if k != "callback"},
        "preprocessing": plain,
    }
    text = json.dumps(metadata, default=np.generic.item)
    content = library.save({k: np.ascontiguousarray(v) for k, v in arrays.items()}, {"ag": text})
    write(path, content)


def load(path: str | os.PathLike[str]) -> tuple[LinearClassifier, dict[str, Any]]:
    """The model in a file, and its preprocessing.

    Raises FileNotFoundError; ModelFileError for a foreign or damaged file; ImportError without safetensors.
    """
    library = _safetensors()
    with open(path, "rb") as file:
        content = file.read()
    metadata = _metadata(content, path)
    try:
        arrays = library.load(content)
    except Exception as error:  # safetensors raises its own kinds; whatever it is, the file is no good
        raise ModelFileError(f"{path}: damaged, its arrays can't be read ({error}): train the model again") from None
    if metadata.get("format") != FORMAT:
        raise ModelFileError(f"{path}: holds {metadata.get('format')!r}, not a model that `ag train` wrote")
    if metadata.get("version") != VERSION:
        raise ModelFileError(
            f"{path}: was written in version {metadata.get('version')} of the format, this library reads version "
            f"{VERSION}: install the library that wrote it, or train the model again"
        )
    try:
        dtype = metadata["classes_dtype"]
        classes = np.array(metadata["classes"], dtype=None if dtype == "O" else dtype)
        W, b = arrays["coef"], arrays["intercept"]
        if list(W.shape) != metadata["shape"] or W.shape[1:] != classes.shape or b.shape != classes.shape:
            raise ValueError(f"weights of shape {W.shape} and {b.shape} for {len(classes)} classes")
        model = LinearClassifier(**metadata["parameters"])
        preprocessing = dict(metadata["preprocessing"])
        best_epoch = float(metadata["best_epoch"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelFileError(f"{path}: damaged, its parts do not fit together ({error!r}): train the model again") from None
    model.coef_, model.intercept_, model.classes_ = W, b, classes
    model.n_features_in_ = W.shape[0]
    model.history_, model.best_epoch_, model.interrupted_ = [], best_epoch, False
    for name, x in arrays.items():
        if name.startswith("preprocessing."):
            preprocessing[name.removeprefix("preprocessing.")] = x
    return model, preprocessing


def _metadata(content: bytes, path: Any) -> dict[str, Any]:
    """What stands in the header under "ag"."""
    import json

    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length])
        return dict(json.loads(header["__metadata__"]["ag"]))
    except (ValueError, KeyError, TypeError):
        raise ModelFileError(
            f"{path}: not a model of this library: expected a safetensors file that `ag train` wrote, "
            f"found {len(content)} bytes that begin with {content[:16]!r}"
        ) from None

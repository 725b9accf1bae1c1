"""Multiclass classification: losses, labels drawn from probabilities, and the linear classifier."""

from .calibration import confusion_table, expected_calibration_error
from .categorical import Categorical
from .linear import Evaluation, LinearClassifier, NotFittedError
from .losses import accuracy, cross_entropy, negative_log_likelihood, one_hot, squared_error
from .storage import ModelFileError, load, save

__all__ = [
    "Categorical",
    "Evaluation",
    "LinearClassifier",
    "ModelFileError",
    "NotFittedError",
    "accuracy",
    "confusion_table",
    "cross_entropy",
    "expected_calibration_error",
    "load",
    "negative_log_likelihood",
    "one_hot",
    "save",
    "squared_error",
]

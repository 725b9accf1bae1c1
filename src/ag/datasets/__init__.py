"""Data to classify: the real MNIST, a small set of digits inside the package, and the IDX format they come in."""

from .idx import DataError, read_idx
from .images import digits, mnist
from .splits import Dataset
from .straightening import deskew

__all__ = ["DataError", "Dataset", "deskew", "digits", "mnist", "read_idx"]

"""The table of operators: importing the package fills it. See README.md for how a row becomes everything else."""

from . import dispatch, elementwise, joining, linalg, piecewise, probability, reductions, selecting, shaping
from .table import COMPOSITES, TABLE, Operator, define

__all__ = ["COMPOSITES", "TABLE", "Operator", "define"]

_ = (dispatch, elementwise, joining, linalg, piecewise, probability, reductions, selecting, shaping)

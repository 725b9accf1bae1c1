"""The table of operators: importing the package fills it. See README.md for how a row becomes everything else."""

from . import dispatch, elementwise, joining, parts, probability, products, reductions, selecting, shaping, steps
from .later import everything
from .table import COMPOSITES, TABLE, Operator, define

__all__ = ["COMPOSITES", "TABLE", "Operator", "define", "everything"]

_ = (dispatch, elementwise, joining, parts, probability, products, reductions, selecting, shaping, steps)

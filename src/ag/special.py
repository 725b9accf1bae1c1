"""The special functions of SciPy, differentiable: ``ag.special.erf(x)``. They compute by SciPy (the extra ``learn``).

SciPy's own ufuncs work on nodes as well: ``scipy.special.erf(x)``. Its other functions do not, and name the ones here.

>>> ag.grad(ag.special.erf)(0.0)
1.1283791670955126
"""

from __future__ import annotations

from typing import Any

from .operators.probability import log_softmax as log_softmax, softmax as softmax
from .operators.reductions import logsumexp as logsumexp
from .operators.special import SCIPY, multigammaln as multigammaln, polygamma as polygamma

_OWN = ("log_softmax", "logsumexp", "multigammaln", "polygamma", "softmax")


def __getattr__(name: str) -> Any:
    try:
        return SCIPY[name]
    except KeyError:
        raise AttributeError(f"ag.special has no function {name!r}; it has {', '.join(sorted({*SCIPY, *_OWN}))}") from None


def __dir__() -> list[str]:
    return sorted({*SCIPY, *_OWN})

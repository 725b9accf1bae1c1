"""NumPy's own functions on nodes: ``np.exp(x)``, ``np.sum(x)``, ``array + x``, through NumPy's two protocols."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..advice import instead
from ..node import Operand, describe
from .table import NUMPY

METHODS: dict[str, dict[Any, Any]] = {
    "reduce": {np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min},
    "accumulate": {np.add: np.cumsum, np.multiply: np.cumprod},
}

BELOW: dict[Any, Any] = {}  # the functions of ufuncs for callers that stand one frame below the user


def array_ufunc(self: Operand, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """NumPy calls this for every ufunc with a node among its arguments."""
    if method == "__call__" and not kwargs:
        below = BELOW.get(ufunc)
        if below is not None:
            return below(*inputs)
    _refuse_out(ufunc, inputs, kwargs)
    if method == "__call__":
        function = NUMPY.get(ufunc) or of_scipy(ufunc)
        if function is None:
            raise unknown(ufunc)
        if kwargs:
            raise TypeError(
                f"np.{ufunc.__name__} on a node takes no {', '.join(kwargs)}: "
                f"for dtype write .astype(dtype), for where write ag.where(mask, result, x)"
            )
        below = BELOW[ufunc] = function.at(2) if hasattr(function, "at") else function
        return below(*inputs)
    table = METHODS.get(method, {})
    if ufunc not in table:
        raise TypeError(f"np.{ufunc.__name__}.{method} has no rule for {describe(self)}: write it with ag's operators")
    kwargs.setdefault("axis", 0)
    return call(table[ufunc], NUMPY[table[ufunc]], inputs, kwargs)


def array_function(self: Operand, f: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """NumPy calls this for every other function with a node among its arguments."""
    function = NUMPY.get(f)
    if function is None:
        raise unknown(f)
    _refuse_out(f, args, kwargs)
    return call(f, function, args, kwargs)


def call(f: Callable[..., Any], function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """function(*args, **kwargs); parameters that only NumPy's f has are named in the error."""
    kwargs = {key: x for key, x in kwargs.items() if not (key == "out" and x is None)}
    try:
        return function(*args, **kwargs)
    except TypeError as error:
        import inspect  # here, as it is slow to import and only errors need it

        try:
            inspect.signature(function).bind(*args, **kwargs)
        except TypeError:
            accepted = ", ".join(inspect.signature(function).parameters)
            raise TypeError(f"np.{f.__name__} on a node takes ({accepted}): {error}") from None
        raise


def of_scipy(ufunc: np.ufunc) -> Callable[..., Any] | None:
    """What a special function of SciPy becomes on nodes. It can only have come here if SciPy was imported."""
    library = sys.modules.get("scipy.special")
    if library is None or getattr(library, ufunc.__name__, None) is not ufunc:
        return None
    from .special import SCIPY  # here, as few need it

    return SCIPY.get(ufunc.__name__)


def unknown(f: Any) -> TypeError:
    """What to say of a NumPy function without a row."""
    module = getattr(f, "__module__", None) or "numpy"
    if getattr(sys.modules.get("scipy.special"), f.__name__, None) is f:
        module = "scipy.special"
    name = module.replace("numpy", "np", 1) + "." + f.__name__
    rewrite = instead(f.__name__)
    return TypeError(
        f"{name} has no rule, so it can't be applied to a node: its derivative would be lost. Write "
        f"{rewrite or 'it with operators that have one'}, or use x.value if it needs no derivative"
    )


def _refuse_out(f: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    out = kwargs.get("out")
    if out is None:
        return
    target = out[0] if isinstance(out, tuple) else out
    if inputs and target is inputs[0]:
        raise TypeError(
            "an array can't be changed in place by a node, as its derivative would be lost: "
            "write a = a + x in place of a += x"
        )
    raise TypeError(f"np.{f.__name__} with out= can't write a node into an array: use the result, a = np.{f.__name__}(...)")


Operand.__array_ufunc__ = array_ufunc  # type: ignore[attr-defined]
Operand.__array_function__ = array_function  # type: ignore[attr-defined]

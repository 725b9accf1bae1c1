"""NumPy's own functions on nodes: ``np.exp(x)``, ``np.sum(x)``, ``array + x``, through NumPy's two protocols."""

from __future__ import annotations

import sys
from collections.abc import Callable
from sys import _getframe
from typing import Any

import numpy as np

from ..advice import instead
from ..node import Operand, describe
from ..source import is_inside
from ..traced import Traced
from .later import everything
from .rules import FUNCTIONS, shape_of
from .table import NUMPY

# What the methods of ufuncs are called in the table.
METHODS: dict[str, dict[np.ufunc, str]] = {
    "reduce": {
        np.add: "sum", np.multiply: "prod", np.maximum: "max", np.minimum: "min", np.fmax: "nanmax", np.fmin: "nanmin",
        np.logaddexp: "logsumexp", np.logical_and: "all", np.logical_or: "any",
    },
    "accumulate": {
        np.add: "cumulative_sum", np.multiply: "cumulative_prod", np.maximum: "cumulative_max", np.minimum: "cumulative_min",
    },
    "reduceat": {f: f"{f.__name__}_reduceat" for f in (np.add, np.multiply, np.maximum, np.minimum)},
}

BELOW: dict[Any, Any] = {}  # the functions of ufuncs for callers that stand one frame below the user


def array_ufunc(self: Operand, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """NumPy calls this for every ufunc with a node among its arguments."""
    if method == "__call__" and not kwargs:
        below = BELOW.get(ufunc)
        if below is not None:
            result = below(*inputs)
            return _of_numpy(result) if type(self) is Traced else result
    _refuse_out(ufunc, inputs, kwargs)
    if method == "__call__":
        function = known(ufunc)
        if kwargs:
            raise TypeError(
                f"np.{ufunc.__name__} on a node takes no {', '.join(kwargs)}: "
                f"for dtype write .astype(dtype), for where write ag.where(mask, result, x)"
            )
        below = BELOW[ufunc] = function.at(2) if hasattr(function, "at") else function
        return _of_numpy(below(*inputs))
    if method == "outer" and len(inputs) == 2 and not kwargs:
        x, y = inputs
        return known(ufunc)(FUNCTIONS["reshape"](x, shape_of(x) + (1,) * len(shape_of(y))), y)
    name = METHODS.get(method, {}).get(ufunc)
    if name is None:
        rewrite = _at_in_other_words(ufunc, inputs) if method == "at" else "write it with ag's operators"
        raise TypeError(f"np.{ufunc.__name__}.{method} has no rule for {describe(self)}: {rewrite}")
    if name not in FUNCTIONS:
        everything()
    if len(inputs) == 1:
        kwargs.setdefault("axis", 0)
    return call(f"{ufunc.__name__}.{method}", FUNCTIONS[name], inputs, kwargs)


def _at_in_other_words(ufunc: np.ufunc, inputs: tuple[Any, ...]) -> str:
    """What to write in place of ``ufunc.at``, which changes an array."""
    start = "a = a.at[index]" if inputs and isinstance(inputs[0], Operand) else "a = ag.Tensor(a).at[index]"
    if ufunc in (np.add, np.subtract):
        return f"it writes into an array; write {start}.add({'v' if ufunc is np.add else '-v'})"
    arguments = "a[index], v" if ufunc.nin == 2 else "a[index]"
    return f"it writes into an array; write {start}.set(np.{ufunc.__name__}({arguments})), which names each element once"


def array_function(self: Operand, f: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """NumPy calls this for every other function with a node among its arguments."""
    function = known(f)
    _refuse_out(f, args, kwargs)
    return _of_numpy(call(name_of(f), function, args, kwargs))


def _of_numpy(result: Any) -> Any:
    """What a function of NumPy's gives the user: while Python's numbers are recorded, of them alone a number of NumPy's."""
    if type(result) is Traced and result.weak and not is_inside(_getframe(2)):
        return FUNCTIONS["astype"](result, result.dtype)
    return result


def call(name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """function(*args, **kwargs); parameters that only NumPy's function of that name has are named in the error."""
    kwargs = {key: x for key, x in kwargs.items() if not (key == "out" and x is None)}
    try:
        return function(*args, **kwargs)
    except TypeError as error:
        import inspect  # here, as it is slow to import and only errors need it

        try:
            inspect.signature(function).bind(*args, **kwargs)
        except TypeError:
            accepted = ", ".join(inspect.signature(function).parameters)
            raise TypeError(f"np.{name} on a node takes ({accepted}): {error}") from None
        raise


def of_scipy(ufunc: Any) -> Callable[..., Any] | None:
    """What a special function of SciPy becomes on nodes. It can only have come here if SciPy was imported."""
    if not _is_scipys(ufunc):
        return None
    from .special import SCIPY  # here, as few need it

    return SCIPY.get(ufunc.__name__)


def _is_scipys(f: Any) -> bool:
    library: Any = sys.modules.get("scipy.special")
    return getattr(library, f.__name__, None) is f


def known(f: Any) -> Callable[..., Any]:
    """What a function of NumPy or SciPy becomes on nodes. Raises TypeError if there is no such thing."""
    function = NUMPY.get(f) or of_scipy(f)
    if function is None:
        everything()
        function = NUMPY.get(f)
        if function is None:
            raise unknown(f)
    return function


def unknown(f: Any) -> TypeError:
    """What to say of a NumPy function without a row."""
    rewrite = instead(f.__name__)
    return TypeError(
        f"{name_of(f, 'np.')} has no rule, so it can't be applied to a node: its derivative would be lost. Write "
        f"{rewrite or 'it with operators that have one'}, or use x.value if it needs no derivative"
    )


def name_of(f: Any, numpy: str = "") -> str:
    """The name of a function within NumPy: median, linalg.solve; of one of SciPy's in full."""
    if _is_scipys(f):
        return f"scipy.special.{f.__name__}"
    module = getattr(f, "__module__", None) or "numpy"
    return numpy + ".".join([*module.split(".")[1:], f.__name__])


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
    raise TypeError(f"np.{name_of(f)} with out= can't write a node into an array: use the result, a = np.{name_of(f)}(...)")


Operand.__array_ufunc__ = array_ufunc  # type: ignore[attr-defined]
Operand.__array_function__ = array_function  # type: ignore[attr-defined]

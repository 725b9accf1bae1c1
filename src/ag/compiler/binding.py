"""Compiled functions as methods of objects, and on their way to other processes."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from operator import attrgetter
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .compiled import Compiled
    from .shown.costing import Cost
    from .shown.showing import Shown

SUFFIX = ".function"


class Bound(functools.partial[Any]):
    """A compiled method of an object: what is asked of it is asked for that object."""

    def show(self, *args: Any, stage: str = "all", **kwargs: Any) -> Shown:
        """What these arguments are compiled to: see ``show`` of a compiled function."""
        shown: Shown = self.func.show(*self.args, *args, stage=stage, **kwargs)  # type: ignore[attr-defined]
        return shown

    def cost(self, *args: Any, **kwargs: Any) -> Cost:
        """Operations, bytes and time for these arguments: see ``cost`` of a compiled function."""
        cost: Cost = self.func.cost(*self.args, *args, **kwargs)  # type: ignore[attr-defined]
        return cost

    def entry(self, *args: Any, **kwargs: Any) -> Any:
        """What these arguments are compiled to."""
        return self.func.entry(*self.args, *args, **kwargs)  # type: ignore[attr-defined]

    @property
    def __signature__(self) -> Any:
        import inspect  # here, as it is slow to import and only this needs it

        signature = inspect.signature(self.func)
        return signature.replace(parameters=list(signature.parameters.values())[1:])

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.func.__doc__

    @property
    def __self__(self) -> Any:
        return self.args[0]

    def __eq__(self, other: object) -> bool:
        return type(other) is Bound and other.func is self.func and other.args[0] is self.args[0]

    def __hash__(self) -> int:
        return hash((id(self.func), id(self.args[0])))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__name__", "__qualname__", "__wrapped__"):
            raise AttributeError(name)  # what protocols look for is not that of the function
        return getattr(self.func, name)

    def __repr__(self) -> str:
        return f"<{self.func!r}, of {self.args[0]!r}>"


def sent(compiled: Compiled) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """What pickle makes of it: the function that it was made of, and the options; machine code stays where it is.

    A decorated function can't be found under its own name, where the compiled one stands, but as an attribute of that one. So it
    is told this as its name: pickle takes functions by name, and what takes them by value (cloudpickle) does not mind.
    """
    f = compiled.function
    if type(f) is FunctionType and found(f.__module__, f.__qualname__) is compiled:
        f.__qualname__ += SUFFIX
    return received, (f, compiled.static_argnums, compiled.static_argnames, compiled.donate_argnums)


def received(f: Callable[..., Any], *options: Any) -> Compiled:
    """The compiled function of f in this process: the one that f was found in, if it was."""
    from .compiled import Compiled

    name = getattr(f, "__qualname__", "")
    if name.endswith(SUFFIX):
        own = found(f.__module__, name.removesuffix(SUFFIX))
        if type(own) is Compiled and own.function is f:
            return own
    return Compiled(f, *options)


def found(module: str, name: str) -> Any:
    """What stands under a name in a module; None if there is nothing."""
    try:
        return attrgetter(name)(sys.modules.get(module))
    except AttributeError:
        return None

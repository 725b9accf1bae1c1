"""checkpoint: memory for time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..batched import under
from ..operators.rules import value_of
from .arguments import function_of
from .opaque import Again, Call, name_of, recorded_call


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """f, whose intermediate values are not kept: a derivative runs f again. It takes less memory and more time.

    Arguments: ``f``, a function of arrays and containers of arrays. It has to give the same when it is run again.

    Returns a function of the same arguments with the same results and derivatives, of any order and in both modes. In the
    graph a call of it is one node.

    >>> layer = ag.checkpoint(lambda x, W: ag.tanh(x @ W))
    >>> ag.grad(lambda x, W: layer(x, W).sum())(np.zeros(2), np.eye(2))
    array([1., 1.])
    """
    function_of(f, "ag.checkpoint")
    name = name_of(f, "checkpoint")

    @functools.wraps(f)
    def without_memory(*args: Any, **kwargs: Any) -> Any:
        call = Call((args, kwargs))

        def function(*inputs: Any) -> Any:
            with under(call.levels):
                args, kwargs = call.given(inputs)
                return call.packed(f(*args, **kwargs))

        record = recorded_call(function, [value_of(x) for x in call.inputs], "ag.checkpoint")
        captured = record.captured()
        value = value_of(record.output)
        if not call.is_recorded() and not captured:
            return call.unpacked(value)
        return call.node(name, value, Again(function, "ag.checkpoint", captured), lambda *xs: value_of(function(*xs)), captured)

    return without_memory

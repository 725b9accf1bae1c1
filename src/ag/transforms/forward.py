"""Forward mode on functions: jvp and linearize."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .arguments import function_of
from .recording import Recorded


def linearize(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """(f(x), ẋ ↦ ∂f/∂x · ẋ): the value, and the derivative at x as a function of the tangents.

    Arguments: ``f``, a function; ``primals``, its arguments, as for `value_and_grad`; ``has_aux``: f returns
    (output, auxiliary data).

    Returns the output and the pushforward, which takes one tangent for each argument and returns the tangent of
    the output. f is run once, however often the pushforward is called; with ``has_aux`` the auxiliary data comes third.

    Raises TypeError and ValueError when a tangent is not like its primal.

    >>> y, pushforward = ag.linearize(lambda x: x * x, np.array([1.0, 2.0]))
    >>> pushforward(np.array([1.0, 0.0])), pushforward(np.array([0.0, 1.0]))
    (array([2., 0.]), array([0., 4.]))
    """
    function_of(f, "ag.linearize")
    if not primals:
        raise TypeError("ag.linearize takes the function and its arguments: ag.linearize(f, x)")
    record = Recorded(f, primals, has_aux, "ag.linearize")
    return (record.value, record.pushforward, *record.aux)


def jvp(f: Callable[..., Any], primals: Any, tangents: Any, *, has_aux: bool = False) -> tuple[Any, ...]:
    """(f(x), ∂f/∂x · ẋ): the value and the directional derivative along the tangents ẋ.

    Arguments: ``f``, a function; ``primals``, the tuple of its arguments; ``tangents``, the same with a direction in
    the place of each number; ``has_aux``: f returns (output, auxiliary data).

    Returns the output and its tangent, alike; with ``has_aux`` the auxiliary data comes third. Raises TypeError and
    ValueError when primals and tangents differ.

    >>> ag.jvp(lambda x: x * x, (3.0,), (1.0,))
    (9.0, 6.0)
    """
    function_of(f, "ag.jvp")
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError("ag.jvp takes tuples: ag.jvp(f, (x,), (t,)) for a function of one argument")
    record = Recorded(f, tuple(primals), has_aux, "ag.jvp")
    return (record.value, record.pushforward(*tangents), *record.aux)

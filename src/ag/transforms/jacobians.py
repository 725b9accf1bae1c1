"""Jacobians and Hessians. The graph is recorded once, and one pass over it carries all directions at once, as a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy as np

from ..node import Operand, describe
from ..operators.rules import fit, is_complex, shape_of, value_of
from ..operators.shaping import reshape
from .arguments import ArgNums, checked_argnums, chosen, function_of, nothing
from .batch import vmap
from .containers import leaves, rebuilt
from .forward import jvp
from .recording import Recorded
from .reverse import grad

Function = Callable[..., Any]


def jacfwd(f: Function, argnums: ArgNums = 0, *, has_aux: bool = False) -> Function:
    """x ↦ ∂f/∂x, the Jacobian, by forward mode: one column for each element of x. Best for few inputs.

    Arguments: ``f``, a function whose output is an array or a container of arrays; ``argnums``, the position(s) of the
    arguments to differentiate, as for `value_and_grad`; ``has_aux``: f returns (output, auxiliary data).

    Returns a function of the same arguments. ∂f/∂x has the shape (*f.shape, *x.shape); for containers it is a
    container like the output with one like the argument in the place of each array (for several ``argnums`` a tuple
    of them). With ``has_aux`` it returns (Jacobian, auxiliary data).

    >>> ag.jacfwd(lambda x: x * x[0])(np.array([2.0, 3.0]))
    array([[4., 0.],
           [3., 2.]])
    """
    return _of(f, argnums, has_aux, "ag.jacfwd", _columns)


def jacrev(f: Function, argnums: ArgNums = 0, *, has_aux: bool = False) -> Function:
    """x ↦ ∂f/∂x, the Jacobian, by reverse mode: one row for each element of the output. Best for few outputs.

    Arguments and results as for `jacfwd`.

    >>> ag.jacrev(lambda x: (x * x).sum(keepdims=True))(np.array([2.0, 3.0]))
    array([[4., 6.]])
    """
    return _of(f, argnums, has_aux, "ag.jacrev", _rows)


def jacobian(f: Function, argnums: ArgNums = 0, *, has_aux: bool = False) -> Function:
    """x ↦ ∂f/∂x, the Jacobian, in the mode that takes fewer passes: `jacfwd` if f has at least as many outputs as
    inputs, else `jacrev`.

    Arguments and results as for `jacfwd`.

    >>> ag.jacobian(lambda x: x[::-1] * x)(np.array([2.0, 3.0]))
    array([[3., 2.],
           [3., 2.]])
    """
    return _of(f, argnums, has_aux, "ag.jacobian", _fewer)


def hessian(f: Function, argnums: ArgNums = 0, *, has_aux: bool = False) -> Function:
    """x ↦ ∂²f/∂x², the matrix of second derivatives: forward mode over the recorded reverse pass.

    Arguments and results as for `jacfwd` of the gradient: of a function with one scalar output the shape is
    (*x.shape, *x.shape), in general (*f.shape, *x.shape, *x.shape).

    >>> ag.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    first = _of(f, argnums, has_aux, "ag.hessian", _rows)
    return functools.wraps(f)(_of(first, argnums, has_aux, "ag.hessian", _columns))


def hvp(f: Function, primals: Any, tangents: Any) -> Any:
    """∂²f/∂x² · ẋ: the Hessian times a vector, without the Hessian, at the cost of a few calls of f.

    Arguments: ``f``, a function with one scalar output; ``primals``, the tuple of its arguments; ``tangents``, the same
    with a direction in the place of each number, as for `jvp`.

    Returns the product, like the argument (for several arguments a tuple, one for each). Raises as `grad` and `jvp` do.

    >>> ag.hvp(lambda x: (x**3).sum(), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
    array([ 6., 12.])
    """
    function_of(f, "ag.hvp")
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError("ag.hvp takes tuples: ag.hvp(f, (x,), (v,)) for a function of one argument")
    numbers = 0 if len(primals) == 1 else tuple(range(len(primals)))
    return jvp(grad(f, numbers), primals, tangents)[1]


# ---------------------------------------------------------------------- all directions at once


def _of(f: Function, argnums: ArgNums, has_aux: bool, transform: str, blocks_of: Callable[[Recorded], list[Any]]) -> Function:
    function_of(f, transform)
    checked_argnums(argnums, transform)

    @functools.wraps(f)
    def of_point(*args: Any, **kwargs: Any) -> Any:
        numbers = chosen(argnums, args, transform)
        single = isinstance(argnums, (int, np.integer))

        def g(*xs: Any) -> Any:
            everything = list(args)
            for n, x in zip(numbers, xs, strict=True):
                everything[n] = x
            return f(*everything, **kwargs)

        xs = tuple(args[n] for n in numbers)
        record = Recorded(g, xs, has_aux, transform, numbers)
        if record.output is None:
            raise nothing(transform)
        for y in record.ends:
            if not isinstance(y, Operand) and np.asarray(y).dtype.kind not in "fiub":
                raise TypeError(
                    f"{transform} needs a function whose output is an array or a container of arrays, got {describe(y)}: "
                    f"return what is not differentiated as auxiliary data, with has_aux=True"
                )
        _refuse_complex(transform, leaves(xs), "argument", "of real and imaginary parts, z = x + 1j * y, as functions of x and y")
        if blocks_of is _rows:
            _refuse_complex(transform, record.ends, "output", "of its ag.real and ag.imag, or ag.jacfwd")
        rest = iter(blocks_of(record) if xs else ())

        def like_xs() -> Any:
            parts = tuple(rebuilt(x, [next(rest) for _ in leaves(x)]) for x in xs)
            return parts[0] if single else parts

        result = rebuilt(record.output, [like_xs() for _ in record.ends])
        return (result, *record.aux) if has_aux else result

    return of_point


def _columns(record: Recorded) -> list[Any]:
    """∂y/∂x for each y and each x, all directions of x pushed forward."""
    xs = leaves(record.primals)
    parts = leaves(vmap(record.pushforward, out_axes=-1)(*rebuilt(record.primals, basis(xs))))
    return [
        _block(part[..., start : start + _size(x)] if len(xs) > 1 else part, z, x)
        for z, part in zip(record.ends, parts, strict=True)
        for x, start in zip(xs, _starts(xs), strict=True)
    ]


def _rows(record: Recorded) -> list[Any]:
    """The same, all directions of y pulled back."""
    ys = record.ends
    parts = leaves(vmap(record.pullback)(rebuilt(record.output, basis(ys))))
    return [
        _block(part[start : start + _size(z)] if len(ys) > 1 else part, z, x)
        for z, start in zip(ys, _starts(ys), strict=True)
        for x, part in zip(leaves(record.primals), parts, strict=True)
    ]


def _fewer(record: Recorded) -> list[Any]:
    """The same in the mode with fewer directions."""
    inputs, outputs = (sum(map(_size, ends)) for ends in (leaves(record.primals), record.ends))
    return _columns(record) if inputs <= outputs or any(map(is_complex, record.ends)) else _rows(record)


def _refuse_complex(transform: str, ends: list[Any], what: str, instead: str) -> None:
    """A function of complex numbers has no matrix of complex derivatives, unless it is complex-differentiable."""
    for x in ends:
        if is_complex(x):
            raise TypeError(
                f"{transform}: the {what} {describe(x)} is complex, and has no Jacobian of complex numbers: take that {instead}"
            )


def _block(part: Any, z: Any, x: Any) -> Any:
    """∂z/∂x in its shape; one number is like x."""
    shape = shape_of(z) + shape_of(x)
    block = reshape(part, shape)
    return block if shape else fit(block, x) if isinstance(block, Operand) else fit(block[()], x)


def _size(x: Any) -> int:
    return int(np.prod(shape_of(x), dtype=int))


def _starts(ends: list[Any]) -> list[int]:
    return list(accumulate(map(_size, ends), initial=0))[:-1]


def basis(ends: list[Any]) -> list[Any]:
    """The unit vectors of all the arrays together, as a batch: for each of them an array (their number, *its shape)."""
    total = sum(map(_size, ends))
    result = []
    for x, start in zip(ends, _starts(ends), strict=True):
        value = value_of(x)
        dtype = getattr(value, "dtype", np.dtype(float))
        unit = np.zeros((total, _size(x)), dtype if dtype.kind == "f" else float)
        unit[start : start + _size(x)] = np.eye(_size(x))
        result.append(unit.reshape(total, *shape_of(x)))
    return result

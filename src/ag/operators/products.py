"""Rows of products of matrices: each is linear in each argument."""

from __future__ import annotations

import math
import string
from typing import Any

import numpy as np

from ..batched import Batched
from ..capture import ordinary
from ..node import describe
from .batching import full, padded
from .domains import arrays
from .parts import conj
from .rules import Bilinear, float_of, is_complex, numbers_of, reshaped, shape_of, value_of
from .selecting import index_add
from .shaping import moveaxis, permute_dims, reshape
from .table import ANY, ATOM, CALL, PRODUCT, compose, define, row


def _matmul_left(g, x, y):
    if len(shape_of(y)) == 1:
        return g[..., None] * y
    if len(shape_of(x)) == 1:
        return y @ g if len(shape_of(y)) == 2 else (y @ g[..., :, None])[..., 0]
    return g @ y.mT


def _matmul_right(g, x, y):
    if len(shape_of(x)) == 1:
        return g * x if len(shape_of(y)) == 1 else x[:, None] * g[..., None, :]
    if len(shape_of(y)) == 1:
        return x.mT @ g if len(shape_of(x)) == 2 else (x.mT @ g[..., :, None])[..., 0]
    if shape_of(g)[-1] < shape_of(x)[-1]:
        return (g.mT @ x).mT  # the same product; a BLAS is faster with the long axis last
    return x.mT @ g


def _matmul_batch(op, lead, inputs, params):
    """Matrices are stacked; where one side is the same for all, one large product does."""
    x, y = inputs
    m, n = len(shape_of(x)), len(shape_of(y))
    if type(y) is not Batched and n <= 2 and m:
        if m == 1:
            return op.apply((full(x, lead), y), params)
        rows = reshaped(full(x, lead), (math.prod(lead + shape_of(x)[:-1]), shape_of(x)[-1]))
        return reshaped(op.apply((rows, y), params), (*lead, *shape_of(x)[:-1], *shape_of(y)[1:]))
    if type(x) is not Batched and m <= 2 and n == 1:
        return op.apply((full(y, lead), x if m == 1 else permute_dims(x, (1, 0))), params)
    if m == n == 1:
        return einsum("...k,...k->...", full(x, lead), full(y, lead))
    stack = max(m, n, 2)
    left = padded(x, stack) if m > 1 else _new_axis(x, lead, stack, -2)
    right = padded(y, stack) if n > 1 else _new_axis(y, lead, stack, -1)
    result = op.apply((left, right), params)
    shape = shape_of(result)
    return result if m > 1 and n > 1 else reshaped(result, shape[:-1] if n == 1 else (*shape[:-2], shape[-1]))


def _new_axis(v, lead, ndim, axis):
    """A vector as a matrix of one row or of one column, with ``ndim`` axes after the hidden ones."""
    k = shape_of(v)[0]
    return reshaped(full(v, lead), (*lead, *(1,) * (ndim - 2), *((1, k) if axis == -2 else (k, 1))))


def _matmul_output(inputs):
    (x, first), (y, second) = inputs
    if not x or not y:
        raise ValueError("a number has no axis to sum over: write x * y")
    n = y[-2 if len(y) > 1 else 0]
    if x[-1] != n:
        which = "last but one" if len(y) > 1 else "only one"
        hint = "; x @ y.mT would do" if len(y) > 1 and x[-1] == y[-1] else ""
        raise ValueError(f"the last axis of the first is {x[-1]} long, the {which} of the second {n}{hint}")
    lead = np.broadcast_shapes(x[:-2], y[:-2])
    return (*lead, *(x[-2:-1] if len(x) > 1 else ()), *(y[-1:] if len(y) > 1 else ())), np.result_type(first, second)


matmul = define(
    "matmul", np.matmul, Bilinear((_matmul_left, _matmul_right)), numpy=(np.linalg.matmul,),
    methods=("__matmul__", "__rmatmul__"), batch=_matmul_batch, output=_matmul_output,
    symbol="@",
    latex=r"{0} \cdot {1}", precedence=(PRODUCT, PRODUCT, CALL),
    samples=arrays(
        (((2, 3), (3, 4)), {}), (((3,), (3,)), {}), (((3,), (3, 2)), {}), (((2, 3), (3,)), {}),
        (((2, 2, 3), (3, 2)), {}), (((2, 3), (2, 3, 2)), {}), (((2, 1, 2, 3), (2, 3, 2)), {}), (((2, 2, 3), (3,)), {}),
        (((3,), (2, 3, 2)), {}), (((0, 3), (3, 2)), {}), (((2, 0), (0, 2)), {}),
    ),
    doc="x @ y: the matrix product, of the last two axes; a vector counts as a row on the left, as a column on the right",
)


@compose("dot", forward=np.dot, numpy=(np.dot,), methods=("dot",),
         samples=arrays((((3,), (3,)), {}), (((2, 3), (3, 2)), {}), (((2, 3), (3,)), {}),
                        (((), (3,)), {}), (((2, 3), (2, 3, 4)), {})))
def dot(x: Any, y: Any) -> Any:
    """Σ x[..., i] y[..., i, ...]: the last axis of x with the last but one of y (its only one, for a vector)."""
    if not shape_of(x) or not shape_of(y):
        return x * y
    if len(shape_of(y)) > 2:
        return tensordot(x, y, ((-1,), (-2,)))
    try:
        return matmul(x, y)
    except ValueError as error:
        raise ValueError(str(error).replace("matmul", "dot", 1)) from None


@compose("inner", forward=np.inner, numpy=(np.inner,),
         samples=arrays((((3,), (3,)), {}), (((2, 3), (4, 3)), {}), (((), (3,)), {})))
def inner(x: Any, y: Any) -> Any:
    """Σ x[..., i] y[..., i] over the last axes of both."""
    if not shape_of(x) or not shape_of(y):
        return x * y
    return tensordot(x, y, ((-1,), (-1,)))


@compose("outer", forward=np.outer, numpy=(np.outer,), samples=arrays((((2,), (3,)), {}), (((2, 2), (3,)), {})))
def outer(x: Any, y: Any) -> Any:
    """xᵢ yⱼ, of x and y flattened."""
    return reshape(x, (-1, 1)) * reshape(y, (1, -1))


@compose("vecdot", numpy=(np.vecdot, np.linalg.vecdot), samples=arrays((((3,), (3,)), {}), (((2, 3), (2, 3)), {})))
def vecdot(x: Any, y: Any, axis: int = -1) -> Any:
    """Σ x̄ y along one axis of both, broadcast along the others."""
    x = conj(x) if is_complex(x) else x
    if all(numbers_of(z) in "biu" for z in (x, y)):  # whose sums would have more bits
        x, y = (moveaxis(z, axis, -1) for z in (x, y))
        return matmul(x[..., None, :], y[..., None])[..., 0, 0]
    return (x * y).sum(axis=axis)


@compose("tensordot", forward=np.tensordot, numpy=(np.tensordot, np.linalg.tensordot),
         samples=arrays((((2, 3, 4), (3, 4, 2)), {}), (((2, 3), (3, 2)), {"axes": 1}),
                        (((2, 3), (4, 3)), {"axes": ((1,), (1,))}), (((2,), (3,)), {"axes": 0})))
def tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    """The sum of products over ``axes``: a number of last axes of x with as many first ones of y, or a pair of lists."""
    m, n = len(shape_of(x)), len(shape_of(y))
    if isinstance(axes, int):
        if axes > min(m, n):
            raise ValueError(f"tensordot: axes={axes} of {describe(x)} and {describe(y)}: one has fewer axes")
        left, right = list(range(m - axes, m)), list(range(axes))
    else:
        sides = [side if hasattr(side, "__iter__") else (side,) for side in axes]
        left, right = ([a % k for a in side] for side, k in zip(sides, (m, n), strict=True))
    names = iter(string.ascii_letters)
    xs = [next(names) for _ in range(m)]
    ys = [next(names) for _ in range(n)]
    for i, j in zip(left, right, strict=True):
        ys[j] = xs[i]
    rest = [c for i, c in enumerate(xs) if i not in left] + [c for j, c in enumerate(ys) if j not in right]
    return einsum(f"{''.join(xs)},{''.join(ys)}->{''.join(rest)}", x, y)


# ---------------------------------------------------------------------- Einstein's sum


def _explicit(subscripts: str, operands: tuple[Any, ...]) -> tuple[list[str], str]:
    """The subscripts of each operand and of the result, with letters in place of dots, all written out."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise ValueError(f"einsum: {subscripts!r} names {len(terms)} operands, {len(operands)} were given")
    free = [c for c in string.ascii_letters if c not in text]
    hidden = [len(shape_of(x)) - len(t.replace("...", "")) for t, x in zip(terms, operands, strict=True) if "..." in t]
    longest = max(hidden, default=0)
    dots = "".join(free[:longest])
    full = []
    for t, x in zip(terms, operands, strict=True):
        here = len(shape_of(x)) - len(t.replace("...", ""))
        full.append(t.replace("...", dots[longest - here :] if here else ""))
        if len(full[-1]) != len(shape_of(x)):
            raise ValueError(f"einsum: {t!r} does not name the axes of {describe(x)}")
    if arrow:
        result = right.replace("...", dots)
    else:
        letters = "".join(full)
        result = dots + "".join(sorted(c for c in set(letters) if letters.count(c) == 1 and c not in dots))
    return full, result


def _einsum_transpose(i: int, g: Any, *operands: Any, subscripts: str) -> Any:
    """The same sum with g in the place of operand i, and letters that only i has spread over their length."""
    left, _, result = subscripts.partition("->")
    terms = left.split(",")
    mine = terms[i]
    once = "".join(dict.fromkeys(mine))
    others = [x for j, x in enumerate(operands) if j != i]
    names = [t for j, t in enumerate(terms) if j != i]
    known = set("".join(names) + result)
    lengths: dict[str, int] = {}
    for t, x in zip(terms, operands, strict=True):
        for c, n in zip(t, shape_of(x), strict=True):
            if lengths.get(c, 1) == 1:  # an axis of length 1 is broadcast
                lengths[c] = n
    for c in once:  # summed within operand i alone: its cotangent is the same along c
        if c not in known:
            others.append(np.ones(lengths[c], value_of(g).dtype if hasattr(value_of(g), "dtype") else float))
            names.append(c)
    c = einsum(f"{','.join([result, *names])}->{once}", g, *others)
    if len(once) == len(mine):
        return c
    # A repeated letter took a diagonal: put the cotangent back onto it.
    index = tuple(np.arange(lengths[letter]).reshape([-1 if letter == o else 1 for o in once]) for letter in mine)
    return index_add(np.zeros(shape_of(operands[i]), float_of(c)), index, c)


def _einsum_batch(op, lead, inputs, params):
    """The same sum with a letter for each hidden axis in front."""
    left, _, result = params["subscripts"].partition("->")
    letters = [c for c in string.ascii_letters if c not in params["subscripts"]][: len(lead)]
    arrays, terms = [], []
    for x, term in zip(inputs, left.split(","), strict=True):
        if type(x) is Batched:
            own = [i for i, n in enumerate(lead) if shape_of(x.physical)[i] == n]
            x = reshaped(x.physical, (*(lead[i] for i in own), *shape_of(x)))
            term = "".join(letters[i] for i in own) + term
        arrays.append(x)
        terms.append(term)
    return op.apply(tuple(arrays), {"subscripts": f"{','.join(terms)}->{''.join(letters)}{result}"})


def _einsum_formula(*xs, subscripts):
    letters = subscripts.replace("->", r" \to ")
    return rf"""\operatorname{{einsum}}(\text{{"}}{letters}\text{{"}}, {', '.join(xs)})"""


@row(
    "einsum", lambda *xs, subscripts: np.einsum(subscripts, *xs, optimize=len(xs) > 2),
    Bilinear(_einsum_transpose), numpy=(np.einsum,), batch=_einsum_batch, symbol="Σ",
    latex=_einsum_formula, precedence=(ATOM, ANY),
    samples=lambda rng: [
        ((text, *(rng.normal(size=shape) for shape in shapes)), {})
        for text, shapes in (
            ("ij,jk->ik", ((2, 3), (3, 4))), ("ij->j", ((2, 3),)), ("ii->i", ((3, 3),)), ("ii", ((3, 3),)),
            ("ij,ij->", ((2, 3), (2, 3))), ("i,j->ij", ((2,), (3,))), ("...ij,...jk->...ik", ((2, 2, 3), (3, 2))),
            ("ij,jk,kl->il", ((2, 3), (3, 2), (2, 2))), ("ij,k->i", ((2, 3), (2,))), ("ji", ((2, 3),)),
        )
    ],
)
def einsum(subscripts: str, /, *operands: Any, optimize: Any = None) -> Any:
    """Σ over the letters that the result does not name of the product of the operands: "ij,jk->ik" is x @ y.

    >>> ag.einsum("ij,j->i", ag.Tensor([[1.0, 2.0], [3.0, 4.0]]), [1.0, 10.0])
    Tensor([21., 43.], op=einsum)
    """
    if not isinstance(subscripts, str):
        raise TypeError(f"einsum takes its subscripts as a string, such as 'ij,jk->ik', got {describe(subscripts)}")
    arrays = tuple(x if hasattr(x, "shape") else np.asarray(ordinary(x)) for x in operands)
    terms, result = _explicit(subscripts, arrays)
    return arrays, {"subscripts": f"{','.join(terms)}->{result}"}

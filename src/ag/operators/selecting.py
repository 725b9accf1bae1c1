"""Rows that take elements by index, and their transposes, which put them back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..batched import Batched
from ..node import Operand, describe
from ..scalar import Scalar
from ..traced import Traced
from .axes import one_axis
from .batched_index import HERE, Template, filled, names_twice, put_batch, selected_shape, take_batch
from .batching import varying
from .domains import REAL, arrays, distinct
from .elementwise import where
from .rules import Linear, as_known, is_complex, numbers_of, shape_of, value_of, zeros_like
from .shaping import astype, moveaxis, reshape
from .table import ANY, ATOM, SUM, TABLE, compose, constant_of, define


def _indexing(x: Any, index: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """x and the index arrays; the template of the index."""
    if isinstance(x, Scalar) or (type(x) is Traced and x.weak):
        raise TypeError(f"{describe(x)} is one number and has no elements: use it as it is, or make it a Tensor")
    template: list[Any] = []
    found: list[Any] = []
    for part in index if isinstance(index, tuple) else (index,):
        part = _part(part, x)
        if isinstance(part, (np.ndarray, Batched, Traced)):
            template.append(HERE)
            found.append(part)
        else:
            template.append(part)
    return (x, *found), {"template": tuple(template)}


def _part(part: Any, x: Any) -> Any:
    if part is None or part is Ellipsis or isinstance(part, (bool, np.bool_)):
        return part
    if isinstance(part, slice):
        return slice(*(None if n is None else _integer(n, x) for n in (part.start, part.stop, part.step)))
    if type(value_of(part)) is Traced or isinstance(part, (list, np.ndarray, Batched)) or isinstance(value_of(part), np.ndarray):
        array = as_known(value_of(part))
        if type(array) is Traced and array.dtype.kind == "b":
            raise varying("getitem")
        if type(array) is Batched and array.dtype.kind == "b":
            raise TypeError(
                f"index of {describe(x)}: under ag.vmap a mask that differs between the examples selects different numbers "
                f"of elements: write ag.where(mask, x, 0)"
            )
        if array.size == 0 and isinstance(part, list):
            array = array.astype(int)
        if array.dtype.kind not in "iub":
            raise TypeError(
                f"index of {describe(x)}: index arrays hold integers or booleans, got dtype {array.dtype}: "
                f"round and convert them, idx.astype(int)"
            )
        return astype(array, array.dtype) if type(array) is Traced and array.weak else array
    return _integer(part, x)


def _integer(n: Any, x: Any) -> int:
    if type(n) is Traced:
        return n.__index__()  # which says that it is not known, and what to write
    try:
        return n.__index__()
    except (AttributeError, TypeError):
        raise TypeError(
            f"index of {describe(x)}: an index is an integer, a slice, None, ... or an integer or boolean array, "
            f"got {describe(n)}"
        ) from None


def _take(x: Any, *found: Any, template: Template) -> Any:
    try:
        return x[filled(template, found)]
    except IndexError as error:
        raise IndexError(f"index of an array of shape {np.shape(x)}: {error}") from None


def _distinct(template: Template) -> bool:
    """Is no element selected twice, for sure? Without index arrays no element is."""
    return HERE not in template


def _copy_for(x: Any, v: Any) -> np.ndarray:
    """A copy of x that can hold v: floats keep their dtype, of integers and truths it is the common one."""
    return np.array(x, np.result_type(x) if np.asarray(x).dtype.kind == "f" else np.result_type(x, v))


def _put(x: Any, v: Any, *found: Any, template: Template) -> Any:
    result = _copy_for(x, v)
    result[filled(template, found)] = v
    return result


def _accumulate(x: Any, v: Any, *found: Any, template: Template) -> Any:
    result = _copy_for(x, v)
    index = filled(template, found)
    if _distinct(template):
        result[index] += v
        return result
    rows = len(template) == 1 and found[0].dtype.kind != "b"
    if np.ndim(v):  # add.at reads behind a shorter v
        v = np.broadcast_to(v, found[0].shape + result.shape[1:] if rows else selected_shape(result.shape, found, template))
    np.add.at(result, index[0] if rows else index, v)
    return result


def _index_transpose(i: int, g: Any, x: Any, *found: Any, template: Template) -> Any:
    return _added((zeros_like(x), g, *found), template)


def _added(inputs: tuple[Any, ...], template: Template) -> Any:
    return TABLE["index_add"].apply(inputs, {"template": template})


def _index_formula(template: Template, found: tuple[str, ...]) -> str:
    """An index as people write it: [1:3, 0]."""
    rest = iter(found)
    parts = []
    for part in template:
        if part is HERE:
            parts.append(next(rest))
        elif isinstance(part, slice):
            ends = ["" if n is None else str(n) for n in (part.start, part.stop)]
            parts.append(":".join(ends if part.step is None else [*ends, str(part.step)]))
        else:
            parts.append("..." if part is Ellipsis else str(part))
    return f"[{', '.join(parts) or '...'}]"


class _Take(Linear):
    """Linear in the array alone."""

    def depends_on(self, i: int) -> bool:
        return i == 0


getitem = define(
    "getitem", _take, _Take(_index_transpose, selects=True), signature=_indexing, methods=("__getitem__",), batch=take_batch,
    symbol="[ ]", latex=lambda x, *found, template: x + _index_formula(template, found), precedence=(ATOM, ATOM, ANY),
    samples=lambda rng: [
        ((rng.normal(size=shape), index), {})
        for shape, index in (
            ((4,), 1), ((4,), slice(None, None, -2)), ((2, 3), (slice(None), 1)), ((2, 3), (None, ..., 0)),
            ((4,), np.array([0, 2, 0])), ((3, 4), (np.array([0, 2]), np.array([1, 1]))), ((2, 3), (slice(None), [2, 0])),
            ((4,), np.array([True, False, True, True])), ((2, 3), np.array([[True, False, True], [False, True, False]])),
            ((2, 3), ()), ((4,), []),
        )
    ],
    convention="an element that is not selected gets exactly 0; one selected twice gets both contributions.",
    doc="x[index]: basic indexing (integers, slices, None, ...) and integer or boolean arrays, as in NumPy",
)


def _indexing_with(x: Any, index: Any, v: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    (_, *found), params = _indexing(x, index)
    selected = selected_shape(shape_of(x), found, params["template"])
    try:
        fits = np.broadcast_shapes(selected, shape_of(v)) == selected
    except ValueError:
        fits = False
    if is_complex(value_of(v)) and not is_complex(value_of(x)):
        raise TypeError(
            f"{describe(x)} is real, and would keep only the real part of {describe(v)}: write ag.astype(x, complex) first"
        )
    if not fits:
        raise ValueError(f"the index selects the shape {selected} of {describe(x)}; {describe(v)} does not broadcast to it")
    return (x, v, *found), params


def _set_transpose_x(g: Any, x: Any, v: Any, *found: Any, template: Template) -> Any:
    return TABLE["index_set"].apply((g, 0.0, *found), {"template": template})


def _gathered(g: Any, x: Any, v: Any, *found: Any, template: Template) -> Any:
    return TABLE["getitem"].apply((g, *found), {"template": template})


class _Put(Linear):
    """Linear in the array and in what is put into it, together."""

    def depends_on(self, i: int) -> bool:
        return i < 2

    def vjp(self, i, g, step):
        assert not callable(self.transposes)
        transpose = self.transposes[i]
        assert transpose is not None
        return transpose(g, *step.args, **step.params)


def _samples_with_value(rng):
    return [
        ((rng.normal(size=(4,)), 1, rng.normal()), {}),
        ((rng.normal(size=(2, 3)), (slice(None), 1), rng.normal(size=(2,))), {}),
        ((rng.normal(size=(2, 3)), (0,), rng.normal(size=(1,))), {}),
        ((rng.normal(size=(4,)), np.array([2, 0]), rng.normal(size=(2,))), {}),
        ((rng.normal(size=(3,)), np.array([True, False, True]), rng.normal(size=())), {}),
    ]


index_set = define(
    "index_set", _put, _Put((_set_transpose_x, _gathered), selects=True), signature=_indexing_with, batch=put_batch,
    latex=lambda x, v, *found, template: rf"{x} \text{{ with }} {_index_formula(template, found)} = {v}",
    precedence=(ANY, ATOM, SUM, ANY), samples=_samples_with_value,
    convention="an index array that names an element twice keeps one of the values, as NumPy does; such an index is refused.",
    doc="a copy of x with v at the index: x.at[index].set(v)",
)
index_add = define(
    "index_add", _accumulate, _Put((lambda g, x, v, *found, template: g, _gathered), selects=True),
    signature=_indexing_with, batch=put_batch,
    latex=lambda x, v, *found, template: rf"{x} \text{{ with }} {_index_formula(template, found)} \mathrel{{+}}= {v}",
    precedence=(ANY, ATOM, SUM, ANY),
    samples=_samples_with_value, doc="a copy of x with v added at the index, as often as it is named: x.at[index].add(v)",
)


class At:
    """``x.at[index]``: what can be done at an index, each giving a new node."""

    __slots__ = ("index", "node")

    def __init__(self, node: Any, index: Any = None) -> None:
        self.node = node
        self.index = index

    def __getitem__(self, index: Any) -> At:
        return At(self.node, index)

    def set(self, value: Any) -> Any:
        """x with ``value`` in place of the elements at the index."""
        if _is_unknown_mask(self.index):
            return self._where("set", value, value)
        (_, *found), params = _indexing(self.node, self.index)
        if any(array.dtype.kind != "b" for array in found) and names_twice(shape_of(self.node), found, params["template"]):
            raise ValueError(
                f"x.at[index].set(v) of {describe(self.node)}: the index names an element twice, so the result "
                f"would depend on an order; name each once, or use .add(v)"
            )
        return index_set(self.node, self.index, value)

    def add(self, value: Any) -> Any:
        """x with ``value`` added to the elements at the index, as often as it is named."""
        if _is_unknown_mask(self.index):
            return self._where("add", value, self.node + value)
        return index_add(self.node, self.index, value)


    def _where(self, name: str, value: Any, result: Any) -> Any:
        """x with the result where a mask holds that is not known, or that differs between examples."""
        x, shape, mask = self.node, shape_of(self.node), shape_of(self.index)
        rest = shape[len(mask) :]
        if mask != shape[: len(mask)]:
            raise IndexError(f"x.at[mask].{name}(v) of {describe(x)}: the mask has the shape {mask}, which are not axes of x")
        if len(shape_of(value)) > len(rest):
            raise TypeError(
                f"x.at[mask].{name}(v) of {describe(x)}: v has the shape {shape_of(value)}, an element for each that the mask "
                f"selects, and how many there are depends on the values: write ag.where(mask, v, x) with v of the shape of x"
            )
        if is_complex(value_of(value)) and not is_complex(value_of(x)):
            raise TypeError(f"{describe(x)} is real and {describe(value)} complex: write ag.astype(x, complex) first")
        chosen = where(reshape(value_of(self.index), (*mask, *(1,) * len(rest))), result, x)
        return astype(chosen, value_of(x).dtype) if numbers_of(x) in "fc" else chosen


def _is_unknown_mask(index: Any) -> bool:
    """Is it a mask that is recorded, or that differs between the examples of a batch?"""
    value = value_of(index)
    return type(value) in (Traced, Batched) and value.dtype.kind == "b"


Operand.at = property(At)  # type: ignore[attr-defined]


def _as_indices(indices: Any) -> Any:
    return as_known(value_of(indices))


@compose("take", forward=np.take, numpy=(np.take,), methods=("take",),
         samples=lambda rng: [((rng.normal(size=(4,)), np.array([0, 2, 0])), {}),
                              ((rng.normal(size=(2, 3)), [2, 0]), {"axis": 1})])
def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The elements of x at integer ``indices`` along ``axis`` (None: of x flattened)."""
    indices = _as_indices(indices)
    if axis is None:
        return getitem(reshape(x, -1), indices)
    return getitem(x, (*(slice(None),) * (one_axis(axis, len(shape_of(x)), x) + len(shape_of(x))), indices))


@compose("take_along_axis", forward=np.take_along_axis, numpy=(np.take_along_axis,),
         samples=lambda rng: [((rng.normal(size=(2, 3)), np.array([[2, 0], [1, 1]]), 1), {}),
                              ((rng.normal(size=(2, 3)), np.array([[1, 0, 1]]), 0), {})])
def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Any:
    """x at ``indices`` along ``axis``, one for each position of the other axes."""
    indices = _as_indices(indices)
    shape = shape_of(x)
    if indices.ndim != len(shape):
        raise ValueError(f"take_along_axis: the indices have {indices.ndim} axes, {describe(x)} has {len(shape)}")
    axis = one_axis(axis, len(shape), x) + len(shape)
    full = tuple(
        indices if i == axis else np.arange(n).reshape([-1 if j == i else 1 for j in range(len(shape))])
        for i, n in enumerate(shape)
    )
    return getitem(x, full)


@compose("sort", forward=np.sort, numpy=(np.sort,),
         samples=lambda rng: [((distinct(rng, REAL, (4,)),), {}), ((distinct(rng, REAL, (2, 3)),), {"axis": 0})])
def sort(x: Any, axis: int = -1) -> Any:
    """The elements of x in rising order along ``axis``; the derivative follows each element to its place."""
    return take_along_axis(x, argsort(x, axis=axis, kind="stable"), axis)


def _diagonal_index(x: Any, offset: int, axis1: int, axis2: int) -> tuple[Any, Any]:
    ndim = len(shape_of(x))
    if ndim < 2:
        raise ValueError(f"a diagonal needs two axes, got {describe(x)}")
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    m, n = shape_of(x)[-2:]
    rows = np.arange(max(0, min(m, n - offset) if offset >= 0 else min(m + offset, n)))
    return x, (..., rows - min(offset, 0), rows + max(offset, 0))


@compose("diagonal", forward=np.diagonal, numpy=(np.diagonal,), methods=("diagonal",),
         samples=arrays(((3, 3), {}), ((2, 3), {"offset": 1}), ((2, 3, 3), {"axis1": 1, "axis2": 2})))
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The elements x[..., i, i + offset] of two axes, as a new last axis."""
    x, index = _diagonal_index(x, offset, axis1, axis2)
    return x[index]


@compose("trace", forward=np.trace, numpy=(np.trace,), methods=("trace",),
         samples=arrays(((3, 3), {}), ((2, 3), {"offset": 1}), ((2, 3, 3), {"axis1": 1, "axis2": 2})))
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Σ x[..., i, i + offset]: the sum of a diagonal."""
    return diagonal(x, offset, axis1, axis2).sum(axis=-1)


@compose("diag", forward=np.diag, numpy=(np.diag,), samples=arrays(((3,), {}), ((3,), {"k": 1}), ((3, 3), {"k": -1})))
def diag(x: Any, k: int = 0) -> Any:
    """The k-th diagonal of a matrix, or the matrix with x on its k-th diagonal."""
    if len(shape_of(x)) == 2:
        return diagonal(x, k)
    if len(shape_of(x)) != 1:
        raise ValueError(f"diag takes a vector or a matrix, got {describe(x)}")
    n = shape_of(x)[0] + abs(k)
    rows = np.arange(shape_of(x)[0])
    return index_add(np.zeros((n, n), value_of(x).dtype), (rows - min(k, 0), rows + max(k, 0)), x)


# Integers and booleans: computed from the values, plain.
argmax = constant_of("argmax", np.argmax, methods=("argmax",))
argmin = constant_of("argmin", np.argmin, methods=("argmin",))
argsort = constant_of("argsort", np.argsort, methods=("argsort",))
nonzero = constant_of("nonzero", np.nonzero, methods=("nonzero",))
searchsorted = constant_of("searchsorted", np.searchsorted, methods=("searchsorted",))

"""Rows of classification: logits, probabilities, and the losses that compare them with labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..batched import Batched
from ..node import Node, Operand, describe
from .axes import one_axis
from .batching import full, leading
from .domains import arrays
from .elementwise import exp, log as natural_log
from .rules import FUNCTIONS, Custom, Reduction, as_floats, as_known, shape_of
from .steps import equal
from .table import ANY, ATOM, CALL, SUM, define, rewrite, row

# ---------------------------------------------------------------------- softmax


def _last(x: Any, axis: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    shape = shape_of(x)
    if not shape:
        raise ValueError(f"softmax needs an axis of classes, got {describe(x)}: stack the logits, ag.stack([z1, z2])")
    return (as_floats(x),), {"axis": one_axis(axis, len(shape), x)}


SHORT = 64  # NumPy reduces a last axis line by line: short lines are turned to stand in the first axis


def _first(z, axis):
    """A view of z with ``axis`` first."""
    return z.T if z.ndim == 2 and axis == -1 else np.moveaxis(z, axis, 0)


def _back(p, axis):
    """A view of p with its first axis as ``axis`` again."""
    return p.T if p.ndim == 2 and axis == -1 else np.moveaxis(p, 0, axis)


def _shifted(z, axis):
    """A copy of z with ``axis`` first, minus its largest element along it as e to it can't overflow: only differences
    of logits matter."""
    shifted = _first(z, axis).copy(order="C" if z.shape[axis] <= SHORT else "K")
    shifted -= np.maximum.reduce(shifted, axis=0)
    return shifted


def _probabilities(z, axis):
    """softmax(z) with ``axis`` first."""
    p = _shifted(z, axis)
    np.exp(p, out=p)
    p /= np.add.reduce(p, axis=0)
    return p


def _softmax(z, axis):
    return np.ascontiguousarray(_back(_probabilities(z, axis), axis))


def _log_softmax(z, axis):
    shifted = _shifted(z, axis)
    return np.ascontiguousarray(_back(shifted - np.log(np.add.reduce(np.exp(shifted), axis=0)), axis))


def _softmax_rule(t, p, axis):
    """(diag(p) - p pᵀ) t: symmetric, so the same in both modes."""
    return p * (t - (p * t).sum(axis=axis, keepdims=True))


def _top(z, axis):
    """The largest logit along an axis, as 1 long."""
    return FUNCTIONS["max"](z, axis, keepdims=True)


def _softmax_kernel(z, axis):
    powers = exp(z - _top(z, axis))
    return powers / FUNCTIONS["sum"](powers, axis, keepdims=True)


def _log_softmax_kernel(z, axis):
    shifted = z - _top(z, axis)
    return shifted - natural_log(FUNCTIONS["sum"](exp(shifted), axis, keepdims=True))


def _axis_formula(axis):
    return "" if axis == -1 else rf", \text{{axis}}={axis}"


@row(
    "softmax", _softmax,
    Custom(lambda tangents, ans, z, axis: _softmax_rule(tangents[0], ans, axis),
           lambda i, g, ans, z, axis: _softmax_rule(g, ans, axis)),
    batch=leading, latex=lambda z, axis: rf"\operatorname{{softmax}}({z}{_axis_formula(axis)})", precedence=(ATOM, ANY),
    jacobian=r"\operatorname{{diag}}({ans}) - {ans} \cdot {ans}^{{\top}}", kernel=_softmax_kernel,
    samples=arrays(((3,), {}), ((2, 3), {}), ((2, 3), {"axis": 0}), ((0, 2), {})),
    convention="-inf stands for a class of probability 0; logits that are all -inf give nan.",
)
def softmax(z: Any, /, axis: int = -1) -> Any:
    """pₖ = e^{zₖ} / Σⱼ e^{zⱼ} along ``axis``: the probabilities of the classes whose logits are z.

    Its derivative is the matrix diag(p) - p pᵀ. Exact for logits of ±10⁴.

    >>> ag.softmax([0.0, 0.0, -np.inf])
    array([0.5, 0.5, 0. ])
    """
    return _last(z, axis)


@row(
    "log_softmax", _log_softmax,
    Custom(lambda tangents, ans, z, axis: tangents[0] - (exp(ans) * tangents[0]).sum(axis=axis, keepdims=True),
           lambda i, g, ans, z, axis: g - exp(ans) * g.sum(axis=axis, keepdims=True)),
    batch=leading, latex=lambda z, axis: rf"\log \operatorname{{softmax}}({z}{_axis_formula(axis)})", precedence=(CALL, ANY),
    kernel=_log_softmax_kernel, samples=arrays(((3,), {}), ((2, 3), {}), ((2, 3), {"axis": 0}), ((0, 2), {})),
    convention="the logarithm of a softmax node is recorded as this row: its derivative is exact where p rounds to 0.",
)
def log_softmax(z: Any, /, axis: int = -1) -> Any:
    """log pₖ = zₖ - log Σⱼ e^{zⱼ} along ``axis``, exact for logits of ±10⁴.

    >>> ag.log_softmax([0.0, -1e4])
    array([     0., -10000.])
    """
    return _last(z, axis)


NEAR = 1e-3  # sums of probabilities in float32 are this close to 1


def are_probabilities(values: Any, axis: int = -1) -> bool:
    """Is no number negative, and do they sum to 1 along ``axis``?"""
    return bool((values >= 0).all() and (np.abs(values.sum(axis=axis) - 1) < NEAR).all())


# ---------------------------------------------------------------------- cross-entropy


def _own(y: Any) -> tuple[Any, ...]:
    """The index of each example's own class, with the classes along the first axis."""
    y = np.asarray(y)
    return (y, np.arange(len(y))) if y.ndim == 1 else (y, *np.ix_(*map(np.arange, y.shape)))


def _cross_entropy(z, y, axis, reduction, kept):
    """log Σ e^{zⱼ} - z_y, both measured from the largest logit. The exponentials are kept for the derivative."""
    powers = _shifted(z, -1)
    index = _own(y)
    own = powers[index]
    np.exp(powers, out=powers)
    totals = np.add.reduce(powers, axis=0)
    kept["logits"], kept["powers"] = z, (powers, totals, index)
    losses = np.log(totals) - own
    if reduction == "none":
        return losses
    total = np.add.reduce(losses, axis=None)
    return total / losses.size if reduction == "mean" else total


def _cross_entropy_weights(ans, z, y, axis, reduction, kept):
    weights = _residual_row(z, y)
    return weights / np.size(y) if reduction == "mean" else weights


class _CrossEntropy(Reduction):
    """p - e_y. In numbers p comes from the exponentials of the forward computation."""

    def vjp(self, i, g, step):
        z = step.args[0]
        kept = step.params["kept"]
        if kept.get("logits") is not z or isinstance(g, Operand):
            return super().vjp(i, g, step)
        powers, totals, index = kept["powers"]
        if step.params["reduction"] == "mean":
            g = g / totals.size
        contribution = powers * (g / totals)
        contribution[index] -= g
        return _back(contribution, -1)


def _residual(z, y):
    p = _probabilities(z, -1)
    p[_own(y)] -= 1
    return _back(p, -1)


def _residual_kernel(z, y):
    return _softmax_kernel(z, -1) - equal(as_known(y)[..., None], np.arange(shape_of(z)[-1]))


def _cross_entropy_kernel(z, y, axis, reduction, kept):
    own = FUNCTIONS["take_along_axis"](_log_softmax_kernel(z, -1), as_known(y)[..., None], -1)
    losses = -own[..., 0]
    return losses if reduction == "none" else FUNCTIONS[reduction](losses)


def _labelled(rng):
    return [
        ((rng.normal(size=shape), rng.integers(0, shape[-1], shape[:-1])), {}) for shape in ((3,), (2, 3), (2, 2, 3), (0, 3))
    ]


def _reduced(rng):
    return [(args, {"reduction": "none"}) for args, _ in _labelled(rng)] + [
        (args, {"reduction": reduction}) for args, _ in _labelled(rng)[:3] for reduction in ("mean", "sum")
    ]


def _loss(z, y, reduction):
    if len(shape_of(z)) == 1:
        reduction = "none"  # of one example: its loss is its mean and its sum
    axes = tuple(range(-len(shape_of(z)), 0)) if reduction != "none" else (-1,)
    return (z, y), {"axis": axes, "reduction": reduction, "kept": {}}


def _loss_batch(op, lead, inputs, params):
    losses = op.apply(tuple(full(x, lead) for x in inputs), {"axis": (-1,), "reduction": "none", "kept": {}})
    axes = params["axis"][1:]
    return losses if params["reduction"] == "none" or not axes else FUNCTIONS[params["reduction"]](losses, axis=axes)


def _loss_formula(z, y, axis, reduction, kept):
    loss = rf"-\log \operatorname{{softmax}}({z})_{{{y}}}"
    return {"none": loss, "mean": rf"\operatorname{{mean}} \left({loss}\right)", "sum": rf"\sum \left({loss}\right)"}[reduction]


_residual_row = define(
    "residual", _residual,
    Custom(lambda tangents, ans, z, y: _softmax_rule(tangents[0], softmax(z), -1),
           lambda i, g, ans, z, y: _softmax_rule(g, softmax(z), -1)),
    batch=leading, symbol="p − e_y", latex=r"p - e_{{y}}", precedence=(SUM, ANY),
    kernel=_residual_kernel, given=r"p = \operatorname{{softmax}}({0}), y = {1}", samples=_labelled,
    doc="softmax(z) - e_y: the derivative of the cross-entropy with respect to the logits",
)

cross_entropy_of_labels = define(
    "cross_entropy_of_labels", _cross_entropy,
    _CrossEntropy(_cross_entropy_weights), signature=_loss, batch=_loss_batch,
    symbol="cross-entropy", latex=_loss_formula, precedence=(SUM, ANY, ANY),
    kernel=_cross_entropy_kernel, samples=_reduced, convention="∂L/∂z = p - e_y; -inf stands for a class of probability 0.",
    doc="-log softmax(z)_y along the last axis for labels y in 0..K-1: one for each example, their mean or their sum",
)


# ---------------------------------------------------------------------- the one rewrite


def _log_at(depth: int) -> Any:
    logarithm = natural_log.at(depth + 1)  # type: ignore[attr-defined]

    def log(x: Any, /) -> Any:
        if isinstance(x, Node) and x.op is softmax.op:
            return log_softmax(x._first, **x.params)
        if type(x) is Batched and isinstance(x.physical, Node) and x.physical.op is softmax.op:
            return Batched(log(x.physical), x.levels)
        return logarithm(x)

    return log


log = _log_at(1)
log.at = _log_at
rewrite("log", log)

"""The reverse pass: cotangents carried from an output to all that it depends on, by the chain rule.

A quantity depends on earlier ones only, so the nodes are visited by falling number, and when a node is reached all
that used it has been. The pass keeps the adjoints in a dictionary of its own; only ``backward`` writes ``grad``.

There are three ways to walk:
- plain: the rules compute numbers. Elementwise rows are written out in the loop, for speed.
- recorded: the rules are given nodes, so the pass is a graph itself and can be differentiated again.
- exact: run only when a pass met something that is not finite, in a graph with selecting rows (where, indexing,
  max, ...). It carries with each adjoint the mask of the positions that can depend at all; elsewhere the
  contribution is exactly 0, where the product 0 · inf would say nan.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .batched import physical
from .capture import debug, ordinary, recorder
from .node import OFFSETS, Node, Operand, describe, next_stamp, relocate, running
from .operators.calls import ARITHMETIC
from .operators.operands import is_number
from .operators.parts import conj
from .operators.rules import ANSWER, MINUS, OTHER, PLUS, Linear, Step, computed, fit, is_complex, recorded, shape_of, value_of
from .operators.shaping import astype
from .operators.table import TABLE
from .reach import Reach, absent
from .scalar import Scalar
from .tensor import Tensor
from .traced import Traced

Adjoints = dict[Node, Any]



def pull(seeds: Adjoints, reach: Reach, record: bool = False, masks: Adjoints | None = None) -> Adjoints:
    """The adjoint of every node in ``reach``: the cotangents of the outputs carried back (None: no dependence).

    ``masks``, if given, receives where each node can depend at all, when that had to be found out; if it holds the masks of
    the seeds, the pass is exact from the start.

    For complex z = x + iy the adjoint of a real output f is ∂f/∂x + i ∂f/∂y, so that z - h z̄ descends; of a complex
    output w it is Jᴴ w̄. Inside, a pass carries the conjugates: for them the chain rule has the form that it has for real
    numbers, a product with the derivative, and the rules need not know.
    """
    if reach.complex:
        seeds = {node: conjugate(g) for node, g in seeds.items()}
    adjoints = reach.nodes
    adjoints.update(seeds)
    with np.errstate(all="ignore"):
        if masks:
            _exact(reach.order, adjoints, masks, record)
        elif record:
            _recorded(reach.order, adjoints, reach.selecting and recorder.trace is None)
        else:
            _plain(reach.order, adjoints)
        if not masks and reach.selecting and not _is_traced(reach.order) and not _finite(adjoints):
            adjoints = {node: absent if g is absent else None for node, g in adjoints.items()}
            adjoints.update(seeds)
            masks = {} if masks is None else masks
            masks.update((root, np.ones(shape_of(root), bool)) for root in seeds)
            _exact(reach.order, adjoints, masks, record)
        elif recorder.trace is not None:
            recorder.trace.unmasked |= record and reach.selecting
            expect_finite(reach, lambda: _outcome(reach.order, adjoints))
    if reach.complex:
        adjoints = {node: g if g is None or g is absent else conjugate(g) for node, g in adjoints.items()}
    return adjoints


def _is_traced(order: list[Node]) -> bool:
    """Are the numbers of some nodes not known yet? Then an exact pass has to wait until the program runs."""
    return recorder.trace is not None and any(type(physical(node._value)) is Traced for node in order)


def _finite(adjoints: Adjoints) -> bool:
    numbers = 0.0
    for g in adjoints.values():
        g = physical(value_of(g))
        if isinstance(g, Operand):
            continue  # traced, which is asked when the program runs
        if type(g) is float:
            numbers += g
        elif g is not None and g is not absent and not np.isfinite(g).all():
            return False
    return numbers - numbers == 0


def expect_finite(reach: Reach, outcome: Callable[[], list[Any]]) -> None:
    """While `ag.jit` records: a pass that keeps no masks holds as long as its outcome is finite."""
    if reach.selecting or recorder.trace.unmasked:
        ends = [physical(value_of(g)) for g in outcome()]
        recorder.trace.expect_finite(ends)
        if not all(isinstance(g, Operand) or np.isfinite(g).all() for g in ends):  # whatever the arguments are
            recorder.trace.expect_zero(recorder.trace.record(TABLE["broadcast_to"], (1.0,), {"shape": ()}))


def _outcome(order: list[Node], adjoints: Adjoints) -> list[Any]:
    """The adjoints with which a pass ends: if they are finite, it met nothing that was not."""
    return [adjoints[node] for node in order if adjoints[node] is not None and _ends(node, adjoints)]


def _plain(order: list[Node], adjoints: Adjoints) -> None:
    """Numbers only; elementwise rows of one or two inputs are written out.

    An adjoint has the shape and dtype of its node. So has a contribution, if there is one input, or a Python number
    beside it, or two inputs of one shape and dtype; else it may need a fit.
    """
    for node in order:
        op = node.op
        if op is None:
            continue
        g = adjoints[node]
        if g is None:
            continue
        partials = op.partials
        if partials is None:
            _contribute(node, g, adjoints)
            continue
        x = node._first
        y = node._second
        kind = type(x)
        if y is None:
            old = adjoints[x]
            if old is absent:
                continue
            partial = partials[0]
            if partial is ANSWER:
                c = g * node._value
            elif partial is PLUS:
                c = g
            elif partial is MINUS:
                c = -g
            else:
                c = _product(g, partial, node._value, x._value)
            adjoints[x] = c if old is None else old + c
            continue
        other = type(y)
        if kind is Scalar or kind is Tensor:
            a = x._value
            old = adjoints[x]
        else:
            a = x
            old = absent
        if other is Scalar or other is Tensor:
            b = y._value
            known = adjoints[y]
            alike = other is kind and (kind is Scalar or (a.shape == b.shape and a.dtype is b.dtype))
            if known is not absent:
                partial = partials[1]
                if partial is PLUS:
                    c = g
                elif partial is OTHER:
                    c = g * a
                elif partial is MINUS:
                    c = -g
                else:
                    c = _product(g, partial, node._value, a, b)
                if not alike:
                    c = fit(c, b)
                adjoints[y] = c if known is None else known + c
                if x is y:
                    old = adjoints[y]
        else:
            b = y
            alike = other is float or other is int
        if old is not absent:
            partial = partials[0]
            if partial is PLUS:
                c = g
            elif partial is OTHER:
                c = g * b
            elif partial is MINUS:
                c = -g
            else:
                c = _product(g, partial, node._value, a, b)
            if not alike:
                c = fit(c, a)
            adjoints[x] = c if old is None else old + c


def _product(g: Any, partial: Any, *values: Any) -> Any:
    """g · partial(*values) in the dtype of g; in NumPy's floats, which obey IEEE, where Python's raise."""
    try:
        c = g * partial(*values)
    except ARITHMETIC:
        c = _of_numpy(g) * partial(*map(_of_numpy, values))
    if type(g) is float:
        return c if type(c) is Traced else float(c)
    return c if c.dtype is g.dtype or c.dtype.kind == "c" else c.astype(g.dtype)


def _of_numpy(x: Any) -> Any:
    """A number of Python's as NumPy's, which obeys IEEE."""
    return np.float64(x) if type(x) in (float, int) else x


def _contribute(node: Node, g: Any, adjoints: Adjoints) -> None:
    """The contributions of one node to its inputs by its rule, in numbers."""
    op = node.op
    assert op is not None
    rule = op.rule
    inputs = node.inputs
    values = tuple([x._value if isinstance(x, Node) else x for x in inputs])
    step = Step(op, node._value, values, node.params)
    for i, x in enumerate(inputs):
        if values[i] is not x and adjoints[x] is not absent and rule.depends_on(i):
            try:
                c = rule.vjp(i, g, step)
            except ARITHMETIC:
                if type(node._value) is not float:
                    raise
                numbers = Step(op, _of_numpy(step.ans), tuple(map(_of_numpy, step.args)), step.params)
                c = rule.vjp(i, _of_numpy(g), numbers)
            a = x._value
            if type(c) is not np.ndarray or type(a) is not np.ndarray or c.shape != a.shape or c.dtype is not a.dtype:
                c = fit(c, a)
            old = adjoints[x]
            adjoints[x] = c if old is None else old + c


def _recorded(order: list[Node], adjoints: Adjoints, selecting: bool) -> None:
    """The rules are given nodes: what they compute is recorded, at the line of the node they differentiate.

    With selecting rows there are masks, though all be finite: an adjoint that is 0 where it can't depend is multiplied with
    partials whose own derivatives may be infinite. Kept are only the masks that do not hold everywhere.
    """
    masks: Adjoints = {}
    for node in order:
        op = node.op
        g = adjoints[node]
        if op is None or g is None:
            continue
        step = recorded(node)
        given = masks.pop(node, None)
        for i, x in enumerate(step.args):
            if isinstance(x, Node) and adjoints[x] is not absent and op.rule.depends_on(i):
                since = next_stamp()
                mask = None
                if given is not None or (selecting and op.selects and not (isinstance(op.rule, Linear) and _ends(x, adjoints))):
                    c, mask = op.rule.exact_vjp(i, g, np.ones(shape_of(node), bool) if given is None else given, step)
                    mask = None if mask.all() else mask
                else:
                    c = fit(op.rule.vjp(i, g, step), x)
                old = adjoints[x]
                adjoints[x] = c = c if old is None else old + c
                if mask is None:
                    masks.pop(x, None)
                elif old is None or x in masks:
                    masks[x] = mask if old is None else masks[x] | mask
                relocate((c,), since, node._code, node._stamp % OFFSETS)


def _ends(x: Node, adjoints: Adjoints) -> bool:
    """Does the pass end at x?"""
    return all(adjoints.get(y, absent) is absent for y in x.inputs if isinstance(y, Node))


def _exact(order: list[Node], adjoints: Adjoints, masks: Adjoints, record: bool) -> None:
    """As the others, with a mask beside each adjoint: where can it depend at all?"""
    for node in order:
        op = node.op
        g = adjoints[node]
        if op is None or g is None:
            continue
        step = recorded(node) if record else computed(node)
        for i, x in enumerate(node.inputs):
            if isinstance(x, Node) and adjoints[x] is not absent and op.rule.depends_on(i):
                since = next_stamp()
                c, mask = op.rule.exact_vjp(i, g, masks[node], step)
                if not record and type(x._value) is float and not isinstance(c, Operand):
                    c = float(c)
                old = adjoints[x]
                adjoints[x] = c = c if old is None else old + c
                masks[x] = mask if old is None else masks[x] | mask
                relocate((c,), since, node._code, node._stamp % OFFSETS)


# ---------------------------------------------------------------------- what a pass starts from and ends with


def seed(root: Node, cotangent: Any, what: str = "backward()") -> Any:
    """The cotangent to start from: as given, checked against the output; 1 for a scalar output."""
    value = root._value
    if cotangent is None:
        if type(value) is float or (type(value) is Traced and value.weak):
            return 1.0
        if value.size != 1:
            raise ValueError(
                f"{what} needs an output with one element, got {describe(root)}: reduce it, for example "
                f"{root.label or 'y'}.sum(), or give the cotangent, an array of shape {value.shape}"
            )
        _check_float(root)
        if is_complex(root):
            raise TypeError(
                f"{what} needs a real output, got {describe(root)} of dtype {value.dtype}: take ag.real(y), ag.abs(y) or "
                f"the like, or give the cotangent"
            )
        return np.ones(value.shape, value.dtype) if value.shape else value.dtype.type(1)
    given: Any = cotangent
    if not isinstance(cotangent, Operand):
        given = np.asarray(ordinary(cotangent))
        if given.dtype.kind not in ("fiubc" if is_complex(root) else "fiub"):
            kind = "complex" if is_complex(root) else "real"
            raise TypeError(f"{what}: a cotangent holds {kind} numbers, got dtype {given.dtype}")
    if shape_of(given) != shape_of(value):
        raise ValueError(
            f"{what}: the cotangent has shape {shape_of(given)}, the output {describe(root)} has "
            f"shape {shape_of(value)}: they must be equal"
        )
    if isinstance(given, Node):
        return given
    if isinstance(given, Operand):
        return given if type(value) is float or given.dtype == value.dtype else astype(given, value.dtype)
    if type(value) is float:
        return float(given)
    _check_float(root)
    return given.astype(value.dtype)[()]


def conjugate(g: Any) -> Any:
    """The conjugate of a complex cotangent; a real one as it is."""
    return conj(g) if is_complex(g) else g


def zero(node: Node) -> Any:
    """The derivative of what does not depend on ``node``."""
    value = node._value
    return 0.0 if is_number(value) else np.zeros_like(value)[()]


def _check_float(node: Node) -> None:
    if type(node._value) is not float and node._value.dtype.kind not in "fc":
        raise TypeError(
            f"{describe(node)} has dtype {node._value.dtype}; only floats have derivatives: "
            f"write ag.Tensor(array.astype(float))"
        )


def backward(self: Node, cotangent: Any = None, *, accumulate: bool = False) -> None:
    """x̄ = Σ over consumers y of ȳ · ∂y/∂x: fill ``grad`` of every node that this output depends on.

    Arguments: ``cotangent``, of the shape of the output (for a single element it may be left out, and is 1);
    ``accumulate=True`` adds to the gradients of leaves instead of replacing them (intermediate ones are always
    afresh). Nothing is recorded: for derivatives of derivatives there is ``ag.grad``.

    Raises ValueError for an output with several elements and no cotangent, or a cotangent of another shape;
    TypeError for integers; RuntimeError inside a transform, and when a leaf's value was set after it was used.

    >>> x = ag.Tensor([1.0, 2.0])
    >>> (x * x).backward([1.0, 10.0])
    >>> x.grad
    array([ 2., 40.])
    """
    reach = Reach([self])
    if running.leaves and any(leaf in reach.nodes for group in running.leaves for leaf in group):
        raise RuntimeError(
            "backward() inside a transform would leave the transform's own pass without a record: "
            "return the value and let the transform differentiate, or nest ag.grad"
        )
    for leaf in reach.leaves:
        _check_float(leaf)
    seeds = {self: value_of(seed(self, cotangent))}
    adjoints = pull(seeds, reach)
    if debug.depth:
        debug.watch.pulled(seeds, reach, adjoints, reach.leaves)
    if accumulate:
        for leaf in reach.leaves:
            if leaf.grad is not None:
                g = adjoints[leaf]
                adjoints[leaf] = leaf.grad if g is None else leaf.grad + g
    for node, g in adjoints.items():
        node._grad = zero(node) if g is None else g


def _backward(self: Node) -> None:
    """x̄ += ȳ · ∂y/∂x for each input x of this node y, as one step of the loop written by hand:

    >>> x = ag.Scalar(3.0)
    >>> y = x * x + x
    >>> y.grad = 1.0
    >>> for z in sorted({y, *y.inputs, x}, key=lambda z: -z.number):
    ...     z._backward()
    >>> x.grad
    7.0
    """
    if self.op is None:
        return
    inputs = [x for x in self.inputs if isinstance(x, Node)]
    contributions: Adjoints = dict.fromkeys(inputs)
    g = self.grad
    with np.errstate(all="ignore"):
        _contribute(self, zero(self) if g is None else conjugate(g), contributions)
    for x, c in contributions.items():
        if c is not None:
            c = conjugate(c)
            x._grad = c if x.grad is None else x.grad + c


Node.backward = backward  # type: ignore[attr-defined]
Node._backward = _backward  # type: ignore[attr-defined]

"""The table of operators: all that is known of an operator stands in one row.

`define` makes a row and returns the function that applies it. Every feature is derived from the rows: both modes
of differentiation, NumPy's names and the methods of nodes, the drawing, the formula, the kernels, the tests.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..batched import Batched
from ..capture import ordinary, seen
from ..node import Node, Operand, describe
from ..scalar import Scalar
from ..tensor import Tensor
from ..traced import Traced, recorded, zeros
from . import batching, calls
from .batching import TYPES, VARYING, Batching, of_kind, of_values
from .rules import FUNCTIONS, Bilinear, Linear, Rule, Zero, is_complex, value_of

TABLE: dict[str, Operator] = {}

# What a NumPy function becomes when one of its arguments is a node.
NUMPY: dict[Any, Callable[..., Any]] = {}

# How tightly an expression binds in a formula: an argument below its slot's level is put in parentheses.
ATOM, POWER, PRODUCT, CALL, SUM, ANY = 5, 4, 3, 2, 1, 0


DEFAULTS: dict[str, Any] = {
    "scalar": None, "signature": None, "numpy": (), "methods": (), "symbol": "", "latex": "", "precedence": (CALL, ATOM),
    "given": "", "jacobian": "", "kernel": None, "batch": None, "within": None,
    "output": None, "samples": None, "special": (), "convention": "", "doc": "",
    "records": True, "face": None, "complex": None,
}


class Operator:
    """One row. Arrays are positional, static parameters are keywords.

    name       as in the array API standard, where it has the operator
    forward    the value from arrays: a NumPy function
    rule       the derivative; its kind gives both modes
    scalar     the value from Python floats (None: a tensor results even from scalars); it may raise where IEEE
               has inf or nan
    signature  a function from the arguments that people write to (inputs, params); axes in params count from the
               end, so that a leading batch axis shifts nothing. None: the inputs as they stand.
    numpy      the NumPy functions it answers to
    methods    its names as a method of nodes; a name after "r" with two underscores has its arguments swapped
    symbol     in the drawing
    latex      the formula, {0}, {1} its arguments, {axis} the axes; or a function of the texts of its arguments and of the
               parameters; empty: name(arguments, parameters). precedence: of the result, then what each argument must reach
    jacobian   the matrix of the local partials of a vector, where it has a name; {ans} is the result
    given      what letters of the formula stand for, {0}, {1} the arguments
    kernel     how it is computed, for the compiler and the page (None: through NumPy). Of an elementwise row one Python
               expression of x, y, z; of a reduction the expression that joins two elements; of any other row that is not
               linear a function of the inputs and parameters, written in other rows
    batch      what it does with a batch, as `batching` has it (None: the default of its kind)
    within     the arrays on which it is defined, as a function from all arrays to them: there its derivative is stated
    output     its shape and dtype from those of the inputs (None: by trying it on zeros); among those of an elementwise row
               a Python number may stand for a dtype
    samples    rng -> [(args, params)]: points of its domain, where every test looks
    special    [(args, partials)]: kinks and ends of the domain, with the derivatives that hold there
    convention what was decided where mathematics leaves a choice
    records    False: plain arrays result even from nodes (comparisons and the like)
    complex    does the rule hold for complex numbers? (None: as its kind; a product or a linear row does)
    face       the face of the result, when it is not the usual one
    """

    name: str
    forward: Callable[..., Any]
    rule: Rule
    scalar: Callable[..., Any] | None
    signature: Callable[..., Any] | None
    numpy: tuple[Any, ...]
    methods: tuple[str, ...]
    symbol: str
    latex: str | Callable[..., str]
    given: str
    jacobian: str
    precedence: tuple[int, ...]
    kernel: str | Callable[..., Any] | None
    batch: Batching
    within: Callable[..., Any] | None
    output: Callable[..., Any] | None
    samples: Callable[..., Any] | None
    special: tuple[Any, ...]
    convention: str
    doc: str
    records: bool
    face: type[Node] | None
    complex: bool
    partials: Any  # of elementwise rows with one or two inputs: what the passes write out
    selects: bool

    __slots__ = tuple(__annotations__)

    def __init__(self, name: str, forward: Callable[..., Any], rule: Rule, **fields: Any) -> None:
        unknown = fields.keys() - DEFAULTS.keys()
        if unknown:
            raise TypeError(f"the row {name!r} has no field {', '.join(sorted(unknown))}; there are {', '.join(DEFAULTS)}")
        self.name, self.forward, self.rule = name, forward, rule
        for field, default in DEFAULTS.items():
            setattr(self, field, fields.get(field, default))
        self.partials, self.selects = None, rule.selects
        if self.complex is None:
            self.complex = rule.complex or isinstance(rule, (Linear, Bilinear))
        self.batch = fields.get("batch") or of_kind(rule)

    def __repr__(self) -> str:
        return self.name

    def apply(self, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """op(*inputs, **params): a node if one of the inputs is one, else plain."""
        return calls.apply(self, inputs, params)

    def plain(self, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """op(*inputs, **params) of plain numbers and arrays; of Python numbers a Python number."""
        if self.scalar is not None and not params and all(type(x) in (float, int, bool) for x in inputs):
            try:
                return self.scalar(*inputs)
            except calls.ARITHMETIC:
                return self.forward(*map(np.float64, inputs)).item()
        return self.forward(*inputs, **params)

    def abstract(self, inputs: list[tuple[tuple[int, ...], Any]], params: dict[str, Any]) -> tuple[Any, Any]:
        """Shape and dtype of the result from shapes and dtypes alone."""
        if self.output is not None:
            return self.output(inputs, **params)
        with np.errstate(all="ignore"):
            value = np.asarray(self.forward(*[np.zeros(shape, dtype) for shape, dtype in inputs], **params))
        return value.shape, value.dtype


def define(name: str, forward: Callable[..., Any], rule: Rule, **fields: Any) -> Callable[..., Any]:
    """A new row of the table; returns the function that applies it. A name can be defined once."""
    if name in TABLE:
        raise ValueError(f"the operator {name!r} is already defined")
    if fields.get("samples") is None:
        raise ValueError(f"the operator {name!r} has no samples: every test looks there")
    fields.setdefault("symbol", name)
    if isinstance(forward, np.ufunc):
        fields["numpy"] = (forward, *fields.get("numpy", ()))
    op = TABLE[name] = Operator(name, forward, rule, **fields)
    function = _function(op)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = op.doc or (op.signature.__doc__ if op.signature else None)
    function.op = op  # type: ignore[attr-defined]
    _publish(function, name, op.numpy, op.methods)
    if op.partials is not None and op.scalar is not None and len(op.partials) == 2:
        for method in op.methods:
            if getattr(Operand, method) is function:
                for face, written_out in zip((Scalar, Tensor), calls.methods(op, calls.traceable(op), op.scalar), strict=True):
                    setattr(face, method, written_out)
    return function


def row(name: str, forward: Callable[..., Any], rule: Rule, **fields: Any) -> Callable[..., Any]:
    """`define` as a decorator of the signature, for rows with parameters."""
    return lambda signature: define(name, forward, rule, signature=signature, **fields)


def _function(op: Operator) -> Callable[..., Any]:
    """The function of a row: as fast as its form allows."""
    signature = op.signature
    call: Callable[..., Any]
    if signature is not None:

        @functools.wraps(signature)
        def call_with(*args: Any, **kwargs: Any) -> Any:
            inputs, params = signature(*args, **kwargs)
            return calls.apply(op, inputs, params)

        return call_with
    partials = op.rule.partials
    if op.scalar is not None and op.records and partials is not None and len(partials) in (1, 2) and None not in partials:
        op.partials = op.rule.written_out()
        array = calls.traceable(op)
        at = functools.partial(calls.unary if len(partials) == 1 else calls.binary, op, array, op.scalar)
        call = at(1)
        call.at = at  # type: ignore[attr-defined]
        return call

    def call_inputs(*inputs: Any) -> Any:
        return calls.apply(op, inputs, {})

    return call_inputs


class Composite(NamedTuple):
    """A function written in other operators: it needs no rule, only a name and samples for the tests."""

    name: str
    function: Callable[..., Any]
    forward: Callable[..., Any]
    samples: Callable[..., Any]
    numpy: tuple[Any, ...] = ()
    convention: str = ""
    varying: bool = False  # does the shape of the result depend on values?
    within: Callable[..., Any] | None = None
    complex: bool = True  # does it hold for complex numbers?


COMPOSITES: dict[str, Composite] = {}
CONSTANTS: dict[str, Any] = {}


def compose(
    name: str, *, forward: Callable[..., Any] | None = None, samples: Callable[..., Any],
    numpy: tuple[Any, ...] = (), methods: tuple[str, ...] = (), convention: str = "", varying: bool = False,
    within: Callable[..., Any] | None = None, complex: bool = True,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: a function of other operators that answers to NumPy's names. ``forward`` computes the same from arrays,
    for tests: NumPy's function, if it is not given."""

    def decorate(body: Callable[..., Any]) -> Callable[..., Any]:
        if name in TABLE or name in COMPOSITES:
            raise ValueError(f"the operator {name!r} is already defined")

        checked = _for_one_example(name, body) if varying else body
        call = calls.located(checked if complex else _of_real_numbers(name, checked))
        COMPOSITES[name] = Composite(name, call, forward or numpy[0], samples, numpy, convention, varying, within, complex)
        _publish(call, name, numpy, methods)
        return call

    return decorate


def _for_one_example(name: str, body: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which refuses batches."""

    @functools.wraps(body)
    def call(*args: Any, **kwargs: Any) -> Any:
        if any(type(x) is Batched or contains_traced((value_of(x),)) for x in (*args, *kwargs.values())):
            raise batching.varying(name)
        return body(*args, **kwargs)

    return call


def _of_real_numbers(name: str, body: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which refuses complex numbers."""

    @functools.wraps(body)
    def call(*args: Any, **kwargs: Any) -> Any:
        for x in (*args, *kwargs.values()):
            if is_complex(x):
                raise TypeError(
                    f"{name} takes real numbers, got {describe(x)}, which is complex: give it z.real, z.imag or ag.abs(z)"
                )
        return body(*args, **kwargs)

    return call


def rewrite(name: str, function: Callable[..., Any]) -> None:
    """Put ``function`` in front of a row: it may record another operator where that is exact and the row is not."""
    plain = FUNCTIONS[name]
    function.op = plain.op  # type: ignore[attr-defined]
    function.__doc__ = function.__doc__ or plain.__doc__
    FUNCTIONS[name] = function
    for f in TABLE[name].numpy:
        NUMPY[f] = function


def constant_of(name: str, f: Callable[..., Any], methods: tuple[str, ...] = ()) -> Callable[..., Any]:
    """A function without a derivative (isnan, argmax, ...): NumPy's own on the values, a plain result."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return plainly(f, *args, **kwargs)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"np.{name} of the values, with its arguments: a plain result, as it has no derivative."
    CONSTANTS[name] = f
    _publish(call, name, (f,), methods)
    return call


def of_numpy(*names: str) -> tuple[Any, ...]:
    """The functions of these names, as far as the installed NumPy has them."""
    return tuple(getattr(np, name) for name in names if hasattr(np, name))


def plainly(f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """f of the values of nodes, also of those in lists: what a rule or composite asks for that has no derivative."""
    args = tuple([_values(x) for x in args])
    kwargs = {key: _values(x) for key, x in kwargs.items()}
    everything = (*args, *kwargs.values())
    if any(type(x) is Batched for x in everything):
        return of_values(f, args, kwargs)
    if seen.traced and contains_traced(everything):
        return of_traced(f, args, kwargs)
    return f(*args, **kwargs)


def _values(x: Any) -> Any:
    if isinstance(x, (list, tuple)):
        return type(x)(map(_values, x)) if type(x) in (list, tuple) else x
    return value_of(ordinary(x))


def contains_traced(xs: Any) -> bool:
    """Is one of them traced, or one in a list of them?"""
    return any(type(x) is Traced or (type(x) in (list, tuple) and contains_traced(x)) for x in xs)


# What stands for Python's operators, of which numbers of Python's: ~ of its truths is -1 or -2, and on the way out.
OF_INTEGERS: dict[Any, tuple[Any, ...]] = {
    np.bitwise_and: (operator.and_, int, bool), np.bitwise_or: (operator.or_, int, bool),
    np.bitwise_xor: (operator.xor, int, bool), np.invert: (operator.invert, int),
    np.left_shift: (operator.lshift, int), np.right_shift: (operator.rshift, int),
}  # fmt: skip


def of_traced(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """f(*args, **kwargs) of traced values, where f is one of NumPy's without a derivative: a step of the program."""
    if f in VARYING:
        raise batching.varying(f.__name__)
    if f in TYPES:
        shapes = [zeros(x.shape, x.dtype) if type(x) is Traced else x for x in (*args, *kwargs.values())]
        result = f(*shapes[: len(args)], **dict(zip(kwargs, shapes[len(args) :], strict=True)))
        return zeros(result.shape, result.dtype) if f in (np.zeros_like, np.empty_like) else result
    places = [i for i, x in enumerate(args) if type(x) is Traced or isinstance(x, np.ndarray)]
    if contains_traced([x for i, x in enumerate(args) if i not in places]) or contains_traced(kwargs.values()):
        raise TypeError(f"np.{f.__name__} under ag.jit takes arrays one by one: join those in a list first, np.stack([x, y])")

    def forward(*inputs: Any, **static: Any) -> Any:
        given = list(args)
        for i, x in zip(places, inputs, strict=True):
            given[i] = x
        if f in OF_INTEGERS and all(type(x) in OF_INTEGERS[f][1:] for x in given):
            return OF_INTEGERS[f][0](*given)
        return f(*given, **static)

    op = Operator(f.__name__, forward, Zero(), records=False, batch=batching.one_by_one)
    return recorded(op, tuple(args[i] for i in places), kwargs)


def _publish(function: Callable[..., Any], name: str, numpy: tuple[Any, ...], methods: tuple[str, ...]) -> None:
    FUNCTIONS[name] = function
    for f in numpy:
        if f in NUMPY:
            raise ValueError(f"{f.__name__} of NumPy is already answered by {NUMPY[f].__name__}")
        NUMPY[f] = function
    for method in methods:
        if method.startswith("__r") and "__" + method[3:] in methods:
            setattr(Operand, method, _swapped(function))
        else:
            setattr(Operand, method, function)


def _swapped(function: Callable[..., Any]) -> Callable[..., Any]:
    below = function.at(2) if hasattr(function, "at") else function
    return lambda y, x: below(x, y)


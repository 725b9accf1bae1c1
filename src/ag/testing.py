"""Checks of derivatives: for this library's rows, and for people's own functions and operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .capture import ordinary
from .operators import later
from .operators.rules import FUNCTIONS, is_complex, shape_of, value_of
from .tensor import Tensor
from .transforms.batch import vmap
from .transforms.containers import leaves, mapped, rebuilt
from .transforms.defining import OWN
from .transforms.forward import jvp
from .transforms.jacobians import jacfwd, jacrev
from .transforms.opaque import is_float
from .transforms.reverse import vjp

STEP = 1e-3  # of fourth-order differences in float64: truncation h⁴ and rounding ε/h balance near here


def check_grads(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    order: int = 2,
    modes: Sequence[str] = ("rev", "fwd"),
    *,
    rtol: float = 1e-6,
    atol: float = 1e-8,
) -> None:
    """Compare ∂f/∂x · t with (8 (f(x+ht) - f(x-ht)) - (f(x+2ht) - f(x-2ht))) / 12h, for a random direction t.

    Arguments: ``f``, a function of real or complex numbers, arrays and containers of them; ``args``, the tuple of its
    arguments, a point where f is smooth, taken in double precision; ``order``, up to which derivatives of derivatives
    are checked; ``modes``, of "rev" and "fwd": those to check (from the second order on, every mixture of them);
    the tolerances, for each element.

    Raises AssertionError that names the mode, the order, and the element that is off the most.

    >>> ag.check_grads(lambda x: ag.sin(x) * x, (0.5,))
    """
    if not isinstance(args, tuple):
        raise TypeError("check_grads takes the arguments as a tuple: ag.check_grads(f, (x,))")
    unknown = set(modes) - {"rev", "fwd"}
    if unknown or not modes:
        raise ValueError(f"check_grads: modes are 'rev' and 'fwd', got {modes!r}")
    rng = np.random.default_rng(0)
    _check(f, args, order, tuple(modes), rtol, atol, rng, "")


def _check(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    order: int,
    modes: tuple[str, ...],
    rtol: float,
    atol: float,
    rng: np.random.Generator,
    of: str,
) -> None:
    points = [_double(x) for x in leaves(args)]
    args = rebuilt(args, points)
    directions = [_random_like(x, rng) for x in points]
    tangents = rebuilt(args, directions)
    expected = difference(f, args, directions)

    def push(*xs: Any) -> Any:
        return jvp(f, xs, tangents)[1]

    if "fwd" in modes:
        actual = _flat(push(*args))
        _compare(actual, expected, rtol, atol, f"forward mode{of}")
    y = f(*args)
    weights = rebuilt(y, [_random_like(z, rng) for z in leaves(y)])

    def pull(*xs: Any) -> Any:
        return vjp(f, *xs)[1](weights)

    if "rev" in modes:
        cotangents = leaves(pull(*args))
        actual = np.array([sum(np.vdot(value_of(c), t).real for c, t in zip(cotangents, directions, strict=True))])
        scalar = np.array([np.vdot(_flat(weights), expected).real])
        _compare(actual, scalar, rtol, atol, f"reverse mode{of}")
    if order > 1:
        for mode, derivative in (("fwd", push), ("rev", pull)):
            if mode in modes:
                name = {"fwd": "forward", "rev": "reverse"}[mode]
                _check(derivative, args, order - 1, modes, rtol, atol, rng, f" of {name} mode{of}")


def difference(f: Callable[..., Any], args: tuple[Any, ...], directions: list[Any], step: float = STEP) -> Any:
    """The derivative of f along the directions by fourth-order central differences, flat."""
    points = leaves(args)

    def at(h: float) -> Any:
        return _flat(f(*rebuilt(args, [x + h * t for x, t in zip(points, directions, strict=True)])))

    return (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)


def _double(x: Any) -> Any:
    if isinstance(x, (float, int)) and not isinstance(x, np.generic):
        return float(x)
    return np.asarray(ordinary(x), dtype=complex if is_complex(x) else float)


def _random_like(x: Any, rng: np.random.Generator) -> Any:
    """Random numbers of its shape, complex where it is."""
    shape = shape_of(x)
    numbers = rng.normal(size=shape)
    if is_complex(value_of(x)):
        return numbers + 1j * rng.normal(size=shape)
    return numbers if shape else float(numbers)


def _flat(y: Any) -> Any:
    parts = [np.ravel(value_of(z)) for z in leaves(y)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _compare(actual: Any, expected: Any, rtol: float, atol: float, what: str) -> None:
    error = np.abs(actual - expected)
    allowed = atol + rtol * np.abs(expected)
    bad = ~(error <= allowed)  # nan is bad, too
    if bad.any():
        worst = int(np.argmax(np.where(np.isnan(error), np.inf, error / allowed)))
        raise AssertionError(
            f"{what} is off in {int(bad.sum())} of {bad.size} elements; the worst is element {worst}: "
            f"the rule gives {actual[worst]:.12g}, differences {expected[worst]:.12g}"
        )


# ---------------------------------------------------------------------- operators


def check_operator(
    operator: Any, samples: Any = None, *, modes: Sequence[str] = ("rev", "fwd"), rtol: float = 1e-8, atol: float = 1e-9
) -> None:
    """Try an operator in all that the library does with it: both modes against fourth-order differences, second order in every
    mixture, ⟨Jᵀg, t⟩ = ⟨g, Jt⟩ to 1e-12, Jacobians, ``vmap`` against a loop, float32, and its special points.

    Arguments: ``operator``, the name of one, its function, or any function of numbers and arrays (one with rules of its own,
    say); ``samples``, points where it is smooth: a list of tuples of arguments, or a function of a random generator that
    returns [(args, params)] (None: those that it was defined with); ``modes``, those that it has; the tolerances of
    first derivatives.

    Raises AssertionError that says what is wrong, at which sample.

    >>> ag.testing.check_operator("exp")
    >>> ag.testing.check_operator(lambda x, y: x * ag.sin(y), [(2.0, np.array([0.5, 1.0]))])
    """
    name = operator if isinstance(operator, str) else getattr(operator, "__name__", type(operator).__name__)
    function = _function_named(operator) if isinstance(operator, str) else operator
    op = getattr(function, "op", None)
    samples = samples if samples is not None else op.samples if op is not None else None
    points = samples(np.random.default_rng(0)) if callable(samples) else [(args, {}) for args in samples or ()]
    if not points:
        raise ValueError(f"check_operator({name}): where shall it be tried? Give samples, a list of tuples of arguments")
    for k, (args, params) in enumerate(points):
        f, floats = _of_floats(function, args, params, op)
        try:
            _check_values(f, floats)
            check_grads(f, floats, 1, modes, rtol=rtol, atol=atol)
            check_grads(f, floats, 2, modes, rtol=10 * rtol, atol=10 * atol)
            if set(modes) == {"rev", "fwd"}:
                _check_duality(f, floats)
                _check_jacobians(f, floats)
            _check_vmap(f, floats, modes)
            if "dtype" not in params:
                _check_single(function, args, params, op, modes)
        except AssertionError as error:
            raise AssertionError(f"{name}, sample {k}: {error}") from None
    for args, partials in op.special if op is not None else ():
        _check_special(name, function, args, partials)


def _function_named(name: str) -> Any:
    later.everything()
    if name not in FUNCTIONS:
        raise ValueError(f"check_operator: there is no operator {name!r}")
    return FUNCTIONS[name]


def _of_floats(function: Any, args: Any, params: dict[str, Any], op: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The function of those of its float arguments that have a derivative, and these."""
    everything = leaves(list(args))
    places = [i for i, x in enumerate(everything) if is_float(x)]
    if op is not None and (op.signature is None or op.name in OWN):
        places = [i for i in places if op.rule.states(i)]
    if not places:
        raise ValueError("check_operator: a sample has no float argument: write 3.0 for 3")

    def f(*floats: Any) -> Any:
        filled = list(everything)
        for i, x in zip(places, floats, strict=True):
            filled[i] = x
        return function(*rebuilt(list(args), filled), **params)

    return f, tuple(_double(everything[i]) for i in places)


def _check_values(f: Callable[..., Any], floats: tuple[Any, ...]) -> None:
    """On nodes the same as on arrays, of the same shape and dtype."""
    for x, y in zip(leaves(f(*floats)), map(value_of, leaves(f(*map(Tensor, floats)))), strict=True):
        _equal(y, x, "the value on tensors differs from that on arrays", 0.0)
        on_tensors, on_arrays = np.asarray(y).dtype, np.asarray(x).dtype
        if on_tensors != on_arrays:
            raise AssertionError(f"the result has dtype {on_tensors} on tensors, {on_arrays} on arrays")


def _check_duality(f: Callable[..., Any], floats: tuple[Any, ...]) -> None:
    """⟨Jᵀg, t⟩ = ⟨g, Jt⟩, whatever the step of a difference."""
    rng = np.random.default_rng(1)
    tangents = tuple(rng.normal(size=np.shape(x))[()] for x in floats)
    y, t = jvp(f, floats, tangents)
    g = mapped(lambda z: rng.normal(size=np.shape(z))[()], y)
    backward = [np.vdot(a, b) for a, b in zip(leaves(vjp(f, *floats)[1](g)), tangents, strict=True)]
    pairs = [(np.ravel(a), np.ravel(b)) for a, b in zip(leaves(g), leaves(t), strict=True)]
    left, right = sum(backward), sum(a @ b for a, b in pairs)
    if not abs(left - right) <= 1e-12 * (1 + sum(np.abs(a) @ np.abs(b) for a, b in pairs)):
        raise AssertionError(
            f"the modes disagree: reverse mode gives ⟨Jᵀg, t⟩ = {left:.15g}, forward mode ⟨g, Jt⟩ = {right:.15g}"
        )


def _check_jacobians(f: Callable[..., Any], floats: tuple[Any, ...]) -> None:
    numbers = tuple(range(len(floats)))
    columns, rows = (leaves(transform(f, numbers)(*floats)) for transform in (jacfwd, jacrev))
    for a, b in zip(columns, rows, strict=True):
        _equal(a, b, "jacfwd and jacrev differ: is a rule not linear, or its batch wrong?", 1e-10)


def _check_vmap(f: Callable[..., Any], floats: tuple[Any, ...], modes: Sequence[str]) -> None:
    """vmap is a loop, also of derivatives, for all arguments and for each alone."""
    alike = [tuple(x * (1 + 0.003 * n) for x in floats) for n in range(3)]
    weights = mapped(lambda z: np.cos(np.arange(np.size(z))).reshape(np.shape(z))[()], f(*floats))
    derivatives: dict[str, Callable[..., Any]] = {"the function": f}
    if "rev" in modes:
        derivatives["reverse mode"] = lambda *xs: vjp(f, *xs)[1](weights)
    if "fwd" in modes:
        derivatives["forward mode"] = lambda *xs: jvp(f, xs, tuple(np.ones(np.shape(x))[()] for x in floats))[1]
    places = range(len(floats))
    for what, derivative in derivatives.items():
        for chosen in {tuple(places), *((i,) for i in places)}:
            each = [tuple(x[i] if i in chosen else floats[i] for i in places) for x in alike]
            axes = tuple(0 if i in chosen else None for i in places)
            batch = tuple(np.stack([x[i] for x in each]) if i in chosen else floats[i] for i in places)
            mapped_over = leaves(vmap(derivative, axes)(*batch))
            for n, xs in enumerate(each):
                for a, b in zip(mapped_over, leaves(derivative(*xs)), strict=True):
                    _equal(a[n], b, f"{what} under vmap differs from a loop: is its batch wrong?", 1e-10)


def _check_single(function: Any, args: Any, params: dict[str, Any], op: Any, modes: Sequence[str]) -> None:
    """float32 stays float32, near the answer in float64."""
    everything = leaves(list(args))
    exact, floats = _of_floats(function, args, params, op)
    single = [np.asarray(x, np.float32) if is_float(x) else x for x in everything]
    f, _ = _of_floats(function, rebuilt(list(args), single), params, op)
    points = tuple(np.asarray(x, np.float32) for x in floats)
    y = f(*map(Tensor, points))
    for z, expected in zip(map(value_of, leaves(y)), leaves(exact(*floats)), strict=True):
        if type(z) is not float and z.dtype.kind == "f" and z.dtype != np.float32:
            raise AssertionError(f"of float32 it makes {z.dtype}: is a constant a NumPy float64? Write it as a Python number")
        _equal(z, expected, "in float32 it is not near the answer in float64", 1e-4, 1e-5)
    if "rev" in modes:
        weights = mapped(lambda z: np.ones(shape_of(z), np.float32)[()], y)
        for x, c in zip(points, vjp(f, *points)[1](weights), strict=True):
            if c.shape != x.shape or c.dtype != np.float32:
                raise AssertionError(f"of float32 the gradient is {c.dtype} of shape {c.shape}, the argument has {x.shape}")


def _check_special(name: str, function: Callable[..., Any], args: tuple[Any, ...], partials: tuple[Any, ...]) -> None:
    with np.errstate(all="ignore"):
        nodes = [Tensor(float(x)) for x in args]
        actual = [g.value if isinstance(g, Tensor) else g for g in vjp(function, *(x.value for x in nodes))[1](np.float64(1.0))]
    for i, (a, b) in enumerate(zip(actual, partials, strict=True)):
        try:
            _equal(a, b, f"the derivative along argument {i} is not the one that is tabulated", 1e-13)
        except AssertionError as error:
            raise AssertionError(f"{name} at {args}: {error}") from None


def _equal(actual: Any, expected: Any, what: str, rtol: float, atol: float = 1e-13) -> None:
    if np.shape(actual) != np.shape(expected):
        raise AssertionError(f"{what}: the shapes are {np.shape(actual)} and {np.shape(expected)}")
    if not np.allclose(actual, expected, rtol=rtol, atol=atol, equal_nan=True):
        raise AssertionError(f"{what}: {np.asarray(actual)} and {np.asarray(expected)}")

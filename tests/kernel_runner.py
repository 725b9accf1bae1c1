"""Runs the text of the kernels of a program with NumPy: an oracle for the machine code that shares nothing with its writer.

Products and what NumPy computes in a program are computed here from the arrays in memory.
"""

import numpy as np
import scipy.special as sp
from numpy.lib.stride_tricks import as_strided

from ag.compiler.program import Constant


def lanes(n, width):
    for start in range(0, n, width):
        yield np.arange(start, min(start + width, n))


def at(i, n):
    i = np.asarray(i)
    return np.clip(np.where(i < 0, i + n, i), 0, n - 1)


def spread(x, index):
    return np.full(np.shape(index), x)


FUNCTIONS = {
    **{name: getattr(np, name) for name in (
        "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "tanh", "sinh", "cosh", "logaddexp", "logaddexp2", "power", "cbrt",
        "hypot", "sin", "cos", "tan", "fmod", "remainder", "floor_divide", "sign", "nextafter", "spacing", "isfinite", "isinf",
        "isnan", "signbit", "abs", "sqrt", "copysign", "floor", "ceil", "trunc", "rint", "maximum", "minimum", "less", "less_equal",
        "greater", "greater_equal", "equal", "not_equal", "logical_and", "logical_or", "logical_xor", "logical_not", "where",
        "float64", "float32", "int64", "int32", "empty", "sum", "prod", "max", "min", "inf", "nan",
    )},
    **{name: getattr(np, f"arc{name[1:]}") for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")},
    "atan2": np.arctan2, "pow": np.power, "bool": np.bool_, "erf": sp.erf, "erfc": sp.erfc, "sigmoid": sp.expit,
    "softplus": lambda x: np.logaddexp(np.zeros_like(x), x), "rsqrt": lambda x: 1 / np.sqrt(x), "xlogy": sp.xlogy,
    "fractional_part": lambda x: np.modf(x)[0], "lanes": lanes, "at": at, "spread": spread, "range": range,
}  # fmt: skip


def run(shown, arguments):
    """The outputs of a program whose kernels are run as text. ``shown``: what ``f.show`` returned."""
    program = shown.compiled
    memory = {}
    captured = [fetch() for fetch in program.captured]
    for number, x in zip(program.arguments, [*arguments, *captured], strict=True):
        memory[number] = np.array(x, program.quantities[number].dtype).ravel()
    for step in sorted(shown.steps, key=lambda step: step.kind != "constant"):  # which stand there before
        for number in step.made:
            q = program.quantities[number]
            memory.setdefault(number, np.full(q.size, 99, q.dtype))
        if step.kind == "kernel":
            namespace = {"__builtins__": {}, **FUNCTIONS}
            exec(step.text, namespace)
            with np.errstate(all="ignore"):
                namespace[step.name](*[memory[number] for number in step.arrays])
        elif step.step.item.product is not None:
            memory[step.step.item.number] = product(step.step.item, memory)
        else:
            called(program, step.step.item, memory)
    results = []
    for x in program.outputs:
        results.append(x.value if isinstance(x, Constant) else memory[x].reshape(program.quantities[x].shape))
    return results


def product(item, memory):
    p = item.product
    left, right, *added = item.operands
    a, b = (view(memory[o.base], o) for o in (left, right))
    a, b = a((*p.lead, p.rows, p.inner)), b((*p.lead, p.inner, p.columns))
    return np.ravel(a @ b) + (memory[added[0].base] if added else 0)


def view(flat, operand):
    size = flat.itemsize
    return lambda shape: as_strided(flat[operand.offset :], shape, [size * s for s in operand.strides])


def called(program, item, memory):
    q = item.quantity
    given = []
    for x, o in zip(q.inputs, item.operands, strict=True):
        if isinstance(x, Constant):
            given.append(x.value)
            continue
        shape = program.quantities[x].shape
        given.append(memory[o.base].reshape(shape)[()] if shape else memory[o.base][0].item())
    memory[item.number] = np.ravel(q.op.forward(*given, **q.params))

"""The elementwise rows against mpmath with thirty digits: values and derivatives within 1e-13, from plain points to extreme
ones."""

import mpmath
import numpy as np
import pytest

import ag
from ag.operators import everything
from ag.operators.rules import FUNCTIONS, Elementwise
from ag.operators.table import TABLE

everything()

mpmath.mp.dps = 30
m = mpmath

# name: (the function in mpmath, points)
SMALL, LARGE = (1e-8, 0.3, 1.0, -2.5), (1e-8, 0.3, 1.0, 7.0, 1e5)
ONE = {
    "negative": (lambda x: -x, SMALL), "positive": (lambda x: +x, SMALL), "reciprocal": (lambda x: 1 / x, (*LARGE, -2.5)),
    "square": (lambda x: x * x, SMALL), "sqrt": (m.sqrt, LARGE), "cbrt": (m.cbrt, LARGE),
    "exp": (m.exp, (*SMALL, 300.0, -300.0)), "exp2": (lambda x: m.power(2, x), (*SMALL, 300.0)), "expm1": (m.expm1, (*SMALL, 1e-15)),
    "log": (m.log, LARGE), "log2": (lambda x: m.log(x) / m.log(2), LARGE), "log10": (m.log10, LARGE), "log1p": (m.log1p, (*LARGE, 1e-15, -0.5)),
    "sin": (m.sin, (*SMALL, 100.0)), "cos": (m.cos, (*SMALL, 100.0)), "tan": (m.tan, SMALL), "asin": (m.asin, (1e-8, 0.3, -0.99)),
    "acos": (m.acos, (1e-8, 0.3, -0.99)), "atan": (m.atan, (*SMALL, 1e5)), "sinh": (m.sinh, SMALL), "cosh": (m.cosh, SMALL),
    "tanh": (m.tanh, (*SMALL, 15.0)), "asinh": (m.asinh, (*SMALL, 1e5)), "acosh": (m.acosh, (1.001, 2.0, 1e5)), "atanh": (m.atanh, (1e-8, 0.3, -0.99)),
    "sigmoid": (lambda x: 1 / (1 + m.exp(-x)), (*SMALL, 30.0, -30.0, -700.0)), "softplus": (lambda x: m.log1p(m.exp(x)), (*SMALL, 30.0, -30.0)),
    "abs": (abs, SMALL), "fabs": (abs, SMALL), "relu": (lambda x: max(x, m.mpf(0)), SMALL),
    "degrees": (m.degrees, SMALL), "radians": (m.radians, SMALL), "sinc": (lambda x: m.sincpi(x), (1e-8, 0.3, -2.5, 7.3)),
    "i0": (lambda x: m.besseli(0, x), (*SMALL, 20.0)), "fractional_part": (lambda x: x - m.sign(x) * m.floor(abs(x)), (0.3, -2.5, 1e5 + 0.25)),
}  # fmt: skip
PAIRS = ((0.3, 0.7), (2.5, -1.3), (1e-8, 3.0), (5.0, 1e5))
POSITIVE = ((0.3, 0.7), (2.5, 1.3), (1e-8, 3.0), (5.0, 12.0))
TWO = {
    "add": (lambda x, y: x + y, PAIRS), "subtract": (lambda x, y: x - y, PAIRS), "multiply": (lambda x, y: x * y, PAIRS),
    "divide": (lambda x, y: x / y, PAIRS), "pow": (m.power, (*POSITIVE, (0.5, -3.2))), "hypot": (m.hypot, PAIRS),
    "atan2": (m.atan2, PAIRS), "logaddexp": (lambda x, y: m.log(m.exp(x) + m.exp(y)), ((0.3, 0.7), (-30.0, 2.0), (50.0, 50.1))),
    "xlogy": (lambda x, y: x * m.log(y), POSITIVE), "maximum": (max, PAIRS), "minimum": (min, PAIRS),
    "remainder": (lambda x, y: x - y * m.floor(x / y), ((7.3, 2.0), (-7.3, 2.0), (7.3, -2.0))),
    "fmod": (lambda x, y: x - y * m.sign(x / y) * m.floor(abs(x / y)), ((7.3, 2.0), (-7.3, 2.0), (7.3, -2.0))),
    "logaddexp2": (lambda x, y: m.log(2**x + 2**y) / m.log(2), ((0.3, 0.7), (-30.0, 2.0), (50.0, 50.1))), "fmax": (max, PAIRS),
    "fmin": (min, PAIRS), "copysign": (lambda x, y: abs(x) * m.sign(y), (*PAIRS, (-0.3, -2.0))),
    "heaviside": (lambda x, y: m.mpf(x > 0), ((0.3, 0.7), (-2.5, 1.3))),
}  # fmt: skip
THREE = {"clip": (lambda x, low, high: min(max(x, low), high), ((0.3, -1.0, 1.0), (0.3, 0.5, 1.0), (7.0, 0.5, 1.0)))}
EXEMPT = {
    "where": "gives one of its arguments as it is",
    "nextafter": "is about the numbers of the machine: mpmath has another precision",
}


def test_every_elementwise_row_of_numpys_is_here():
    rows = {
        name for name, op in TABLE.items()
        if isinstance(op.rule, Elementwise) and any(getattr(np, f.__name__, None) is f for f in op.numpy)
    }
    assert rows - {*ONE, *TWO, *THREE} == EXEMPT.keys()


# Of tanh the derivative (1 - ans)(1 + ans) is exact to a rounding of 1, as its row says, not of itself.
ABSOLUTE = {"tanh": 2.3e-16}


def close(actual, expected, name):
    expected = float(expected)
    assert float(actual) == pytest.approx(expected, rel=1e-13, abs=ABSOLUTE.get(name, 5e-324)), name


@pytest.mark.parametrize("name,x", [(name, x) for name, (_, points) in ONE.items() for x in points])
@pytest.mark.parametrize("face", [ag.Scalar, ag.Tensor])
def test_functions_of_one_argument(name, x, face):
    oracle, node = ONE[name][0], face(x)
    y = FUNCTIONS[name](node)
    y.backward()
    close(y.value, oracle(m.mpf(x)), name)
    close(node.grad, m.diff(oracle, m.mpf(x)), name)


@pytest.mark.parametrize("name,point", [
    (name, point) for table in (TWO, THREE) for name, (_, points) in table.items() for point in points
])  # fmt: skip
@pytest.mark.parametrize("face", [ag.Scalar, ag.Tensor])
def test_functions_of_several_arguments(name, point, face):
    oracle, nodes = {**TWO, **THREE}[name][0], [face(x) for x in point]
    y = FUNCTIONS[name](*nodes)
    y.backward()
    exact = tuple(map(m.mpf, point))
    close(y.value, oracle(*exact), name)
    for i, node in enumerate(nodes):
        close(node.grad, m.diff(oracle, exact, tuple(int(i == j) for j in range(len(exact)))), name)

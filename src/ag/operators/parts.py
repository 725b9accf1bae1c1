"""Rows of complex numbers: their parts, and what makes real numbers of them.

A pass carries the cotangent w with df = Re(w dz): for it a row whose value is complex-differentiable has the rule that it has for
real numbers, w times the derivative. What people are given is the conjugate, ∂f/∂x + i ∂f/∂y (see `adjoint.pull`).
"""

from __future__ import annotations

import numpy as np

from ..node import Node
from .batching import leading
from .domains import arrays
from .rules import FUNCTIONS, Linear, numbers_of
from .table import ANY, ATOM, compose, define

real = define(
    "real", np.real, Linear((lambda g, z: g,)), numpy=(np.real,), batch=leading,
    latex=r"\operatorname{{Re}} {0}",
    samples=arrays(((2, 3), {}), ((), {})),
    doc="the real part x of x + iy",
)
imag = define(
    "imag", np.imag, Linear((lambda g, z: -1j * g,)), numpy=(np.imag,), batch=leading,
    latex=r"\operatorname{{Im}} {0}",
    samples=arrays(((2, 3), {}), ((), {})),
    doc="the imaginary part y of x + iy",
)
conj = define(
    "conj", np.conjugate, Linear((lambda g, z: conj(g),)), methods=("conj", "conjugate"), batch=leading,
    latex=r"\overline{{{0}}}",
    precedence=(ATOM, ANY), samples=arrays(((2, 3), {}), ((), {})), doc="x - iy, the conjugate of x + iy",
)

Node.real = property(real)  # type: ignore[attr-defined]
Node.imag = property(imag)  # type: ignore[attr-defined]


@compose("angle", forward=np.angle, numpy=(np.angle,), samples=arrays(((2, 3), {}), ((3,), {"deg": True})))
def angle(z, deg=False):
    """The argument of a complex number, atan2(y, x) of x + iy: in radians, or in degrees."""
    radians = FUNCTIONS["atan2"](imag(z), FUNCTIONS["astype"](z, int) if numbers_of(z) == "b" else real(z))
    return radians * (180 / np.pi) if deg else radians

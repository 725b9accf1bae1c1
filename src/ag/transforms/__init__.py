"""Transforms of functions, with JAX's names and meaning. What few need is imported when it is asked for (see ``ag``)."""

from .forward import jvp, linearize
from .reverse import grad, value_and_grad, vjp
from .stopping import stop_gradient

__all__ = ["grad", "jvp", "linearize", "stop_gradient", "value_and_grad", "vjp"]

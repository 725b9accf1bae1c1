"""Transforms of functions, with JAX's names and meaning. What not everybody needs is imported when asked for (see ``ag``)."""

from .reverse import grad, value_and_grad, vjp
from .stopping import stop_gradient

__all__ = ["grad", "stop_gradient", "value_and_grad", "vjp"]

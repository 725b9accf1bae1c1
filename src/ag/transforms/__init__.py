"""Transforms of functions, with JAX's names and meaning."""

from .forward import jvp
from .reverse import grad, value_and_grad, vjp
from .stopping import stop_gradient

__all__ = ["grad", "jvp", "stop_gradient", "value_and_grad", "vjp"]

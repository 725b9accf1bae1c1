"""What a program is: one function, written once for NumPy and for the peer's copy of it, and once by hand for PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

Arrays = tuple[Any, ...]


def value_and_grad(library: SimpleNamespace, f: Callable, argnums: tuple[int, ...]) -> Callable:
    """What is measured unless a program says otherwise."""
    return library.value_and_grad(f, argnums=argnums)


def torch_value_and_grad(torch: Any, f: Callable, argnums: tuple[int, ...], *arrays: Any) -> Arrays:
    """The same by PyTorch: afresh at each call, as eager code does it."""
    arrays = tuple(a.detach().requires_grad_() if i in argnums else a for i, a in enumerate(arrays))
    value = f(torch, *arrays)
    return value.detach(), torch.autograd.grad(value, [arrays[i] for i in argnums])


class Program(NamedTuple):
    """``f(np, library, *arrays)`` and ``torch(torch, *arrays)`` compute the same; ``inputs(rng)`` makes the arrays in
    float64, and those of floats are cast to ``dtype``.

    ``library`` has what NumPy lacks, by the same names for ag and JAX: see ``sides.py``.
    ``derivative(library, f, argnums)`` and ``torch_derivative(torch, f, argnums, *arrays)`` make what is measured of f.
    """

    name: str
    size: str
    dtype: str
    f: Callable
    torch: Callable
    inputs: Callable[[Any], Arrays]
    argnums: tuple[int, ...]
    derivative: Callable = value_and_grad
    torch_derivative: Callable = torch_value_and_grad

    @property
    def title(self) -> str:
        return f"{self.name} {self.size} {self.dtype}"

    @property
    def is_gradient(self) -> bool:
        """Whether value and gradient are measured, and not something else made of f."""
        return self.derivative is value_and_grad

"""Who is measured: ag and JAX compile the same function, PyTorch runs its own; all give NumPy arrays back."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from .program import Program


def converted(array_of: Callable, result: Any) -> Any:
    """``result`` with each of its arrays as ``array_of`` gives it; tuples and lists come out as tuples."""
    if isinstance(result, (tuple, list)):
        return tuple([converted(array_of, part) for part in result])
    return array_of(result)


def arrays_of(program: Program) -> tuple[np.ndarray, ...]:
    """The program's inputs, the same at each call."""
    arrays = (np.asarray(a) for a in program.inputs(np.random.default_rng(0)))
    return tuple(a.astype(program.dtype) if a.dtype == np.float64 else a for a in arrays)


class Ag:
    """``ag.jit``: NumPy arrays in and out."""

    def __init__(self, threads: int):
        import ag

        self.jit = ag.jit
        self.library = SimpleNamespace(
            value_and_grad=ag.value_and_grad, grad=ag.grad, jvp=ag.jvp,
            scan=ag.scan, fori_loop=ag.fori_loop, while_loop=ag.while_loop, cond=ag.cond,
            softmax=ag.softmax, log_softmax=ag.log_softmax, logsumexp=ag.logsumexp, sigmoid=ag.sigmoid, erf=ag.special.erf,
        )  # fmt: skip

    def prepared(self, program: Program, derivative: bool) -> Callable[[], Any]:
        """What compiles at its first call."""
        arrays = arrays_of(program)
        f = self._function(program, derivative)
        compiled = self.jit(f)
        return lambda: compiled(*arrays)

    def _function(self, program: Program, derivative: bool) -> Callable:
        def f(*arrays: Any) -> Any:
            return program.f(np, self.library, *arrays)

        return program.derivative(self.library, f, program.argnums) if derivative else f

    def forget(self) -> None:
        """Nothing that is compiled is kept on the disk: ``AG_CACHE_DIR`` is empty."""


class Jax:
    """``jax.jit``: its own arrays in, made beforehand, NumPy's out."""

    def __init__(self, threads: int):
        import jax
        import jax.numpy as jnp

        self.jax, self.jnp, lax = jax, jnp, jax.lax
        self.library = SimpleNamespace(
            value_and_grad=jax.value_and_grad, grad=jax.grad, jvp=jax.jvp,
            scan=lax.scan, fori_loop=lax.fori_loop, while_loop=lax.while_loop, cond=lax.cond,
            softmax=jax.nn.softmax, log_softmax=jax.nn.log_softmax, logsumexp=jax.nn.logsumexp, sigmoid=jax.nn.sigmoid,
            erf=lax.erf,
        )  # fmt: skip

    def prepared(self, program: Program, derivative: bool) -> Callable[[], Any]:
        """What compiles at its first call."""

        def f(*arrays: Any) -> Any:
            return program.f(self.jnp, self.library, *arrays)

        arrays = [self.jnp.asarray(a) for a in arrays_of(program)]
        compiled = self.jax.jit(program.derivative(self.library, f, program.argnums) if derivative else f)
        return lambda: converted(np.asarray, compiled(*arrays))

    def forget(self) -> None:
        self.jax.clear_caches()


class Torch:
    """PyTorch, eager: its own tensors in, made beforehand, NumPy's arrays out."""

    def __init__(self, threads: int):
        import torch

        self.torch = torch
        torch.set_num_threads(threads)

    def prepared(self, program: Program, derivative: bool) -> Callable[[], Any]:
        """Nothing is compiled."""
        arrays = [self.torch.tensor(a) for a in arrays_of(program)]
        if derivative:

            def run() -> Any:
                return program.torch_derivative(self.torch, program.torch, program.argnums, *arrays)
        else:

            def run() -> Any:
                with self.torch.no_grad():
                    return program.torch(self.torch, *arrays)

        return lambda: converted(self.torch.Tensor.numpy, run())

    def forget(self) -> None:
        """Nothing is kept."""


SIDES = {"ag": Ag, "JAX": Jax, "PyTorch": Torch}

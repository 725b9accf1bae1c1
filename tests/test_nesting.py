"""Random programs that differentiate, map and differentiate again: every mode gives what polynomials give in exact numbers.

A program is a chain of transforms on a random polynomial. The oracle is arithmetic on coefficients: the derivative of a
polynomial is a polynomial, a vmap is a loop. Nothing of the library is in it.
"""

from typing import NamedTuple

import numpy as np
from hypothesis import given, settings, strategies as st

import ag

N = 3  # variables


class Polynomial(NamedTuple):
    """Σ c Π xᵢ^eᵢ over the terms (c, e)."""

    terms: tuple

    def __call__(self, x):
        total = 0.0
        for c, powers in self.terms:
            product = c
            for i, e in enumerate(powers):
                for _ in range(e):
                    product = product * x[i]
            total = total + product
        return total

    def derivative(self, i):
        return Polynomial(tuple(
            (c * e[i], (*e[:i], e[i] - 1, *e[i + 1 :])) for c, e in self.terms if e[i]
        ))  # fmt: skip

    def gradient(self, x):
        return np.array([self.derivative(i)(x) for i in range(N)], float)

    def along(self, v):
        """The polynomial x ↦ ∂p/∂x · v."""
        return Polynomial(tuple(t for i in range(N) for t in Polynomial(tuple((c * v[i], e) for c, e in self.terms)).derivative(i).terms))


polynomials = st.lists(
    st.tuples(st.integers(-3, 3).map(float), st.tuples(*[st.integers(0, 2)] * N)), min_size=1, max_size=4
).map(lambda terms: Polynomial(tuple(terms)))

# Each step turns a function of x with one number as output into another one, whose polynomial is p.along(v).
V = np.array([1.0, -2.0, 0.5])
STEPS = {
    "grad": lambda f: lambda x: (ag.grad(f)(x) * V).sum(),
    "value_and_grad": lambda f: lambda x: ag.value_and_grad(f)(x)[1] @ V,
    "jvp": lambda f: lambda x: ag.jvp(f, (x,), (V,))[1],
    "vjp": lambda f: lambda x: ag.vjp(f, x)[1](1.0)[0] @ V,
    "linearize": lambda f: lambda x: ag.linearize(f, x)[1](V),
    "jacfwd": lambda f: lambda x: ag.jacfwd(f)(x) @ V,
    "jacrev": lambda f: lambda x: ag.jacrev(lambda x: ag.stack([f(x), 2 * f(x)]))(x)[0] @ V,
    "jacobian": lambda f: lambda x: ag.jacobian(lambda x: {"y": f(x)})(x)["y"] @ V,
    "vmap of grad": lambda f: lambda x: ag.vmap(ag.grad(f))(ag.stack([x, 2 * x]))[0] @ V,
    "grad of vmap": lambda f: lambda x: ag.grad(lambda x: ag.vmap(f)(ag.stack([x, x])).sum() / 2)(x) @ V,
    "jvp of vmap": lambda f: lambda x: ag.jvp(ag.vmap(f), (ag.stack([x]),), (V[None],))[1][0],
    "vmap of jvp": lambda f: lambda x: ag.vmap(lambda v: ag.jvp(f, (x,), (v,))[1])(np.stack([V, V]))[1],
    "vmap of pullback": lambda f: lambda x: ag.vmap(ag.vjp(f, x)[1])(np.array([1.0, 2.0]))[0][0] @ V,
    "closure": lambda f: lambda x: ag.grad(lambda t: f(x + t * V))(0.0),
    "closure forward": lambda f: lambda x: ag.jvp(lambda t: f(x + t * V), (0.0,), (1.0,))[1],
    "closure mapped": lambda f: lambda x: ag.vmap(ag.grad(lambda t: f(x + t * V)))(np.zeros(2))[0],
    "dictionary": lambda f: lambda x: ag.grad(lambda d: f(d["x"] + 0 * d["y"][0]))({"x": x, "y": [1.0]})["x"] @ V,
}


@settings(max_examples=150, deadline=None)
@given(p=polynomials, steps=st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=3), point=st.tuples(*[st.integers(-4, 4)] * N))
def test_random_chains_of_transforms(p, steps, point):
    x = np.array(point) / 2.0
    f = p
    for step in steps:
        f = STEPS[step](f)
        p = p.along(V)
    np.testing.assert_allclose(f(x), p(x), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(ag.grad(f)(x), p.gradient(x), rtol=1e-10, atol=1e-10)
    batch = np.stack([x, x + 1, 1 - x])
    np.testing.assert_allclose(ag.vmap(f)(batch), [p(y) for y in batch], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(ag.vmap(ag.grad(f))(batch), [p.gradient(y) for y in batch], rtol=1e-10, atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(p=polynomials, step=st.sampled_from(sorted(STEPS)), point=st.tuples(*[st.integers(-4, 4)] * N))
def test_the_hessian_of_a_random_program(p, step, point):
    x = np.array(point) / 2.0
    f, q = STEPS[step](p), p.along(V)
    expected = np.array([[q.derivative(i).derivative(j)(x) for j in range(N)] for i in range(N)], float)
    for second in (
        ag.hessian(f), ag.jacfwd(ag.jacfwd(f)), ag.jacrev(ag.jacrev(f)), ag.jacrev(ag.jacfwd(f)), ag.jacfwd(ag.grad(f)), ag.jacrev(ag.grad(f)),
        lambda x: ag.vmap(lambda v: ag.hvp(f, (x,), (v,)))(np.eye(N)),
    ):  # fmt: skip
        np.testing.assert_allclose(second(x), expected, rtol=1e-10, atol=1e-10)


# ---------------------------------------------------------------------- perturbations that must not be confused

DERIVATIVES = {
    "grad": ag.grad,
    "jvp": lambda f: lambda x: ag.jvp(f, (x,), (1.0,))[1],
    "vjp": lambda f: lambda x: ag.vjp(f, x)[1](1.0)[0],
    "linearize": lambda f: lambda x: ag.linearize(f, x)[1](1.0),
    "jacfwd": ag.jacfwd,
    "jacrev": ag.jacrev,
    "vmap": lambda f: lambda x: ag.vmap(ag.grad(f))(x * np.ones(2))[0],
    "inside vmap": lambda f: lambda x: ag.vmap(lambda s: ag.grad(lambda t: f(x + t))(0.0 * s))(np.ones(2))[1],
}


def test_no_perturbation_is_confused_with_another():
    """Siskind and Pearlmutter's programs, in every pair of modes."""
    for outer in DERIVATIVES.values():
        for inner in DERIVATIVES.values():
            assert outer(lambda x, d=inner: x * d(lambda y: x + y)(1.0))(1.0) == 1.0
            assert outer(lambda x, d=inner: x * d(lambda y: x * y)(2.0))(3.0) == 6.0
            assert outer(lambda x, d=inner: d(lambda y: x * y * y)(x))(3.0) == 12.0
            assert outer(lambda x, d=inner: d(lambda x: x**3)(x) * x)(2.0) == 36.0
            assert outer(lambda x, d=inner: d(lambda y: d(lambda z: x * y * z)(5.0))(4.0))(3.0) == 1.0
            assert outer(lambda x, d=inner: d(lambda y: x)(1.0) + 0 * x)(1.0) == 0.0


def test_a_function_that_returns_functions_keeps_its_perturbations_apart():
    """The counter-example of Manzyuk et al.: d/dx (y ↦ f(x + y)), applied twice, is f″."""

    def shifted(f):
        return lambda u: lambda x: f(x + u)

    for derivative in DERIVATIVES.values():
        def d_of_shifted(f, derivative=derivative):
            return lambda x: derivative(lambda u: shifted(f)(u)(x))(0.0)

        twice = d_of_shifted(d_of_shifted(lambda x: x**3))
        assert abs(twice(2.0) - 12.0) < 1e-12

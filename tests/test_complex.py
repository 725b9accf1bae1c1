"""Complex numbers: a function of z = x + iy is a function of x and y, and its derivatives are compared with those of that."""

import subprocess
import sys

import numpy as np
import pytest

import ag
from ag.operators import everything
from ag.operators.rules import FUNCTIONS
from ag.operators.table import COMPOSITES, TABLE
from ag.testing import check_grads
from ag.transforms.containers import leaves, rebuilt

everything()
rng = np.random.default_rng(0)

# Rows whose samples have complex values beside the real ones, and composites of such rows.
# Complex singular vectors are determined up to a phase, which NumPy chooses without regard to smoothness: see test_linalg.
ANY_PHASE = {"eigen", "singular", "orthonormal_complement"}
ROWS = [name for name, op in TABLE.items() if op.complex and op.records and op.face is None and name not in ANY_PHASE]
LINEAR = [name for name in COMPOSITES if name in ("fft2", "fftn", "ifft2", "ifftn", "irfft2", "irfftn", "hfft", "fftshift", "ifftshift", "angle", "diagonal",
                                                  "trace", "moveaxis", "dot", "inner", "outer", "vecdot", "kron", "split", "inv", "solve", "det", "slogdet", "pinv", "lstsq", "matrix_power", "multi_dot", "cholesky", "qr", "numpy_norm",
                                                  "eigvalsh", "svdvals", "cond", "vector_norm", "matrix_norm", "vdot", "vecmat", "correlate", "convolve", "vstack", "take", "squeeze",
                                                  "eig", "eigvals", "roots", "sqrtm", "solve_sylvester", "solve_triangular", "cho_solve", "add_reduceat", "sliding_window_view")]  # fmt: skip
REAL_ONLY = {"rfft"}  # refuses complex numbers, as NumPy does
SAMPLES = [(name, k) for name in [*ROWS, *LINEAR] if name not in REAL_ONLY
           for k, (_, params) in enumerate({**TABLE, **COMPOSITES}[name].samples(np.random.default_rng(0)))
           if params.get("mode") != "complete"]  # fmt: skip


def is_float(x):
    return isinstance(x, (float, np.ndarray, np.floating)) and np.asarray(x).dtype.kind == "f"


def of_parts(name, k):
    """A row on complex arguments as a function of their real and imaginary parts, and a point."""
    entry = {**TABLE, **COMPOSITES}[name]
    args, params = entry.samples(np.random.default_rng(0))[k]
    everything = leaves(list(args))
    dtype = params.get("dtype")
    params = {**params, "dtype": np.dtype(complex)} if dtype is not None else params
    places = [i for i, x in enumerate(everything) if is_float(x)]
    reals = [np.asarray(everything[i], float) for i in places]
    imags = [0.3 * rng.uniform(0.2, 1.0, x.shape) for x in reals]

    def f(reals, imags):
        given = list(everything)
        within = getattr(entry, "within", None) or (lambda z: z)
        for i, x, y in zip(places, reals, imags, strict=True):
            given[i] = within(x + 1j * y)
        results = leaves(FUNCTIONS[name](*rebuilt(list(args), given), **params))
        return [part for w in results for part in ((ag.real(w), ag.imag(w)) if np.iscomplexobj(getattr(w, "value", w)) else (w,))]

    return f, reals, imags


@pytest.mark.parametrize("name,k", SAMPLES)
def test_both_modes_are_those_of_the_two_parts(name, k):
    f, reals, imags = of_parts(name, k)
    check_grads(f, (reals, imags), order=1, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", [*ROWS, *LINEAR])
def test_second_order(name):
    if name in REAL_ONLY or name == "abs":
        return
    f, reals, imags = of_parts(name, 0)
    check_grads(f, (reals, imags), order=2, rtol=1e-6, atol=1e-7)


def test_the_second_order_of_a_modulus_says_what_to_write():
    """Its first derivative is conj z / |z|, whose own rule would be that of |z| again: it works."""
    check_grads(lambda x, y: ag.abs(x + 1j * y), (np.array([1.0, -2.0]), np.array([0.5, 1.5])), order=2)


def complex_args(name, k):
    args, params = COMPOSITES[name].samples(np.random.default_rng(0))[k]
    everything = leaves(list(args))
    within = COMPOSITES[name].within or (lambda z: z)
    given = [within(np.asarray(x) + 0.3j * rng.uniform(0.2, 1.0, np.shape(x))) if is_float(x) else x for x in everything]
    return rebuilt(list(args), given), params


@pytest.mark.parametrize("name,k", [(name, k) for name, c in COMPOSITES.items() for k in range(len(c.samples(np.random.default_rng(0))))])
def test_composites_compute_what_numpy_does_of_complex_numbers_or_refuse_them(name, k):
    args, params = complex_args(name, k)
    try:
        expected = leaves(COMPOSITES[name].forward(*args, **params))
    except (TypeError, ValueError, np.exceptions.ComplexWarning):
        pytest.skip("NumPy refuses complex numbers")
    if name == "unique_values":
        pytest.skip("NumPy gives them in no order")
    nodes = rebuilt(args, [ag.Tensor(x) if np.iscomplexobj(x) and not callable(x) else x for x in leaves(args)])
    try:
        actual = leaves(FUNCTIONS[name](*nodes, **params))
    except (TypeError, ValueError) as error:
        assert "complex" in str(error) or "real numbers" in str(error), error
        return
    for x, y in zip(actual, expected, strict=True):
        np.testing.assert_allclose(getattr(x, "value", x), y, rtol=1e-13, atol=1e-14)


# ---------------------------------------------------------------------- the convention


def test_the_gradient_of_a_real_function_is_the_direction_of_its_steepest_ascent():
    """∂f/∂x + i ∂f/∂y: of |z - c|² it is 2 (z - c), so z - h·grad comes closer to c."""
    c = np.array([1.0 - 2.0j, 0.5j])
    z = np.array([3.0 + 1.0j, -1.0 - 1.0j])
    g = ag.grad(lambda z: ag.sum(ag.abs(z - c) ** 2))(z)
    np.testing.assert_allclose(g, 2 * (z - c), rtol=1e-14)
    for _ in range(60):
        z = z - 0.1 * ag.grad(lambda z: ag.sum(ag.abs(z - c) ** 2))(z)
    np.testing.assert_allclose(z, c, atol=1e-5)


def test_the_gradient_by_parts_is_the_gradient():
    z = rng.normal(size=(3, 2)) + 1j * rng.normal(size=(3, 2))
    w = rng.normal(size=(2, 3)) + 1j * rng.normal(size=(2, 3))

    def f(z):
        return ag.real(ag.sum(ag.exp(z) * ag.conj(z) + ag.sin(z @ w @ z))) + ag.sum(ag.abs(z))

    by_parts = ag.grad(lambda x, y: f(x + 1j * y), argnums=(0, 1))(z.real, z.imag)
    np.testing.assert_allclose(ag.grad(f)(z), by_parts[0] + 1j * by_parts[1], rtol=1e-12)
    node = ag.Tensor(z)
    f(node).backward()
    np.testing.assert_allclose(node.grad, ag.grad(f)(z), rtol=1e-14)


def test_the_pullback_is_the_adjoint_of_the_pushforward():
    """Re⟨J^H g, t⟩ = Re⟨g, J t⟩ with the inner product of complex numbers."""
    z, t = (rng.normal(size=4) + 1j * rng.normal(size=4) for _ in range(2))
    f = lambda z: ag.fft.fft(z * z) * ag.conj(z) + ag.exp(1j * z)  # noqa: E731
    _, pushed = ag.jvp(f, (z,), (t,))
    g = rng.normal(size=4) + 1j * rng.normal(size=4)
    (pulled,) = ag.vjp(f, z)[1](g)
    assert np.vdot(pulled, t).real == pytest.approx(np.vdot(g, pushed).real, rel=1e-12)


def test_the_loop_by_hand_equals_backward():
    z = ag.Tensor(np.array([1.0 + 2.0j, -0.5 + 1.0j]))
    f = ag.real(ag.sum(z * z * ag.conj(z)))
    f.backward()
    expected = z.grad
    nodes, stack = {f}, [f]
    while stack:
        for x in stack.pop().inputs:
            if isinstance(x, ag.Tensor) and x not in nodes:
                nodes.add(x)
                stack.append(x)
    for node in nodes:
        node.grad = None
    f.grad = np.float64(1.0)
    for node in sorted(nodes, key=lambda n: -n.number):
        node._backward()
    np.testing.assert_allclose(z.grad, expected, rtol=1e-15)


def test_a_real_argument_has_a_real_gradient():
    x = np.array([0.3, -1.2])
    g = ag.grad(lambda x: ag.abs(ag.sum(ag.exp(1j * x) * (2 - 1j))) ** 2)(x)
    assert g.dtype == np.float64
    s = np.sum(np.exp(1j * x) * (2 - 1j))
    np.testing.assert_allclose(g, 2 * np.real(np.conj(s) * 1j * np.exp(1j * x) * (2 - 1j)), rtol=1e-13)
    assert type(ag.grad(lambda s: ag.real((s * (1 + 1j)) ** 3))(2.0)) is float
    assert ag.grad(lambda x: ag.sum(ag.abs(x.astype(complex)) ** 2))(x.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("f,words", [
    (lambda z: ag.relu(z).sum(), "relu has no derivative rule for complex numbers"),
    (lambda z: ag.real(ag.softmax(z)).sum(), "softmax has no derivative rule for complex numbers"),
    (lambda z: ag.real(ag.max(z)), "max has no derivative rule for complex numbers"),
    (lambda z: ag.sum(z), r"needs a real output.*take ag\.real\(y\), ag\.abs\(y\)"),
])  # fmt: skip
def test_what_has_no_rule_for_complex_numbers_is_named(f, words):
    with pytest.raises(TypeError, match=words):
        ag.grad(f)(np.array([1.0 + 2.0j, 3.0j]))
    with pytest.raises(TypeError, match="real numbers, got"):
        ag.fft.rfft(ag.Tensor([1.0j, 2.0]))
    with pytest.raises(ValueError, match="none of 'backward', 'ortho' and 'forward'"):
        ag.fft.fft(ag.Tensor([1.0, 2.0]), norm="both")
    with pytest.raises(ValueError, match="at least one point"):
        ag.fft.fft(ag.Tensor([1.0, 2.0]), n=0)


def test_an_explanation_of_complex_numbers_says_what_to_explain_instead():
    with pytest.raises(TypeError, match=r"explain a function of x and y in place of x \+ iy"):
        ag.explain(ag.sum(ag.abs(ag.fft.fft(ag.Tensor([1.0, 2.0])))))


def test_the_modulus_at_zero_has_the_gradient_zero():
    np.testing.assert_allclose(ag.grad(lambda z: ag.sum(ag.abs(z)))(np.array([0.0j, 3.0 + 4.0j])), [0.0, 0.6 + 0.8j], rtol=1e-15)


def test_numpys_own_functions_and_the_attributes():
    z = ag.Tensor(np.array([1.0 + 2.0j, -3.0j]))
    assert z.real.op.name == "real" and z.imag.op.name == "imag" and z.conj().op.name == "conj"
    for f in (np.real, np.imag, np.conj, np.conjugate, np.abs, np.angle, np.fft.fft, np.fft.ifft, np.fft.fftshift):
        np.testing.assert_allclose(f(z).value, f(z.value), rtol=1e-15)
    x = ag.Tensor([1.0, 2.0, 4.0])
    for f in (np.fft.rfft, np.fft.fft, np.fft.irfft, np.fft.ihfft):
        np.testing.assert_allclose(f(x).value, f(x.value), rtol=1e-14)


def test_complex_numbers_that_a_row_makes_of_real_ones_are_noticed():
    """In a process that has seen no other: what a pass looks for is switched on by the first of them."""
    program = (
        "import ag, numpy as np\n"
        "x = ag.Tensor([1.0, 2.0, 4.0])\n"
        "y = np.fft.fft(x)\n"
        "ag.sum(ag.real(y * ag.Tensor([1.0, 2.0, 3.0]) )).backward()\n"
        "assert np.iscomplexobj(y.grad) and np.allclose(y.grad, [1, 2, 3])\n"
        "z = ag.Tensor([1.0, 2.0]); w = np.fft.fft(z); ag.sum(ag.imag(w)).backward()\n"
        "assert np.allclose(w.grad, [1j, 1j]), w.grad\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.fixture
def nothing_complex_yet(monkeypatch):
    """As in a process in which no complex number has entered a graph."""
    from ag.capture import seen

    monkeypatch.setattr(seen, "complex", False)
    yield seen
    seen.complex = True


@pytest.mark.parametrize("name", [*TABLE, *COMPOSITES])
def test_no_row_makes_complex_numbers_unnoticed(name, nothing_complex_yet):
    for args, params in {**TABLE, **COMPOSITES}[name].samples(np.random.default_rng(0)):
        if "dtype" in params:
            params = {**params, "dtype": np.dtype(complex)}
        nodes = [ag.Tensor(x) if is_float(x) else x for x in leaves(list(args))]
        try:
            with np.errstate(all="ignore"):
                results = leaves(FUNCTIONS[name](*rebuilt(list(args), nodes), **params))
        except TypeError:
            continue  # it makes no complex numbers
        if any(np.asarray(getattr(y, "value", y)).dtype.kind == "c" for y in results):
            assert nothing_complex_yet.complex


def test_the_gradient_of_complex_numbers_within_a_real_function(nothing_complex_yet):
    """∂f/∂x + i ∂f/∂y of f = Σ|y|² is 2y, whether or not the process has seen a complex number before."""
    y = np.fft.fft(ag.Tensor([1.0, 2.0, 3.0, 5.0]))
    (np.abs(y) ** 2).sum().backward()
    np.testing.assert_allclose(y.grad, 2 * y.value, rtol=1e-14)


def test_rows_without_a_complex_rule_are_refused_within_a_real_function(nothing_complex_yet):
    y = np.fft.fft(ag.Tensor([1.0, 2.0, 3.0, 5.0]))
    with pytest.raises(TypeError, match="has no derivative rule for complex numbers"):
        ag.real(ag.max(y)).backward()
    with pytest.raises(TypeError, match="is computed with complex numbers"):
        ag.explain((np.abs(y) ** 2).sum())


# ---------------------------------------------------------------------- Python's complex numbers


def polynomial(z):
    """x² + y² + Re((1 + 2i) z) = x² + y² + x - 2y, whose gradient is 2x + 1 + i (2y - 2)."""
    return ag.abs(z) ** 2 + ag.real(z * (1 + 2j))


@pytest.mark.parametrize("z", [0.5 + 1j, np.complex128(0.5 + 1j)], ids=["of Python", "of NumPy"])
@pytest.mark.parametrize("wrap", [lambda f: f, ag.jit], ids=["eager", "jit"])
def test_a_complex_number_of_python_is_one_of_numpys(wrap, z):
    def same(actual, expected):
        assert type(actual) is np.complex128
        np.testing.assert_allclose(actual, expected, rtol=1e-15)

    same(wrap(ag.grad(polynomial))(z), 2 + 0j)
    value, gradient = wrap(ag.value_and_grad(polynomial))(z)
    np.testing.assert_allclose(value, 0.25 + 1 + 0.5 - 2, rtol=1e-15)
    same(gradient, 2 + 0j)
    same(wrap(lambda z: ag.grad(lambda tree: polynomial(tree["z"][0]))({"z": [z]})["z"][0])(z), 2 + 0j)
    same(wrap(lambda z: ag.grad(lambda z: ag.real(ag.grad(polynomial)(z)))(z))(z), 2 + 0j)  # of 2x + 1
    same(wrap(lambda z: ag.hvp(polynomial, (z,), (1 + 1j,)))(z), 2 + 2j)
    same(wrap(lambda z: ag.jvp(ag.square, (z,), (1 + 1j,))[1])(z), 2 * (0.5 + 1j) * (1 + 1j))
    np.testing.assert_array_equal(wrap(ag.vmap(ag.grad(lambda z, w: ag.abs(z * w) ** 2), (None, 0)))(z, np.array([1.0, 2.0])), [1 + 2j, 4 + 8j])
    same(wrap(lambda z: ag.vjp(ag.square, z)[1](1 + 0j)[0])(z), np.conj(2 * (0.5 + 1j)))


def test_results_of_which_some_are_complex():
    """A call with a rule of its own packs them in one array: the real ones come out real."""
    f = ag.checkpoint(lambda x: (x, 1j * x, ag.sum(x)))
    real, imaginary, total = f(ag.Tensor([1.0, 2.0]))
    assert (real.dtype, imaginary.dtype, total.dtype) == (float, complex, float)
    assert ag.grad(lambda x: f(x)[0] + ag.imag(f(x)[1]) * 3.0)(2.0) == 4.0


def test_derivatives_by_complex_arguments_are_checked():
    z = np.array([1j, 2.0 + 0.5j])
    for f, args in (
        (lambda z: abs(z) ** 2, (z,)), (lambda z: ag.exp(z) * z, (z,)), (lambda z: ag.real(z) * z, (1 + 2j,)),
        (lambda z, x: (np.conj(z) * x).sum(), (z, np.array([1.0, 2.0]))), (lambda x: ag.exp(1j * x), (0.5,)),
    ):  # fmt: skip
        check_grads(f, args)
    for modes in (("fwd",), ("rev",)):
        with pytest.raises(AssertionError, match="is off"):
            check_grads(lambda z: z * ag.stop_gradient(z), (z,), modes=modes)

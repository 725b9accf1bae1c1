"""What the rows of linear algebra promise beyond the enumerated tests: singular and degenerate matrices, names, errors."""

import sys

import mpmath
import numpy as np
import pytest
import scipy.linalg

import ag

RNG = np.random.default_rng(3)
A = RNG.normal(size=(4, 4)) + 4 * np.eye(4)
S = A @ A.T
SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])


def test_the_namespace_is_numpys():
    """Every public function of numpy.linalg, under its own name; its array API ones among them."""
    functions = {name for name in np.linalg.__all__ if callable(getattr(np.linalg, name)) and name != "LinAlgError"}
    missing = {name for name in functions if not callable(getattr(ag.linalg, name, None))}
    assert not missing
    assert ag.linalg.LinAlgError is np.linalg.LinAlgError


def test_log_likelihood_of_a_gaussian_process():
    """-½ (yᵀ K⁻¹ y + log |K| + n log 2π) by Cholesky; its gradient is ½ (α αᵀ - K⁻¹), α = K⁻¹ y (Rasmussen and Williams, 5.9)."""
    y = RNG.normal(size=4)

    def likelihood(k):
        factor = np.linalg.cholesky(k)
        alpha = np.linalg.solve(factor, y)
        return -0.5 * alpha @ alpha - np.sum(np.log(np.diagonal(factor))) - 2 * np.log(2 * np.pi)

    value, gradient = ag.value_and_grad(likelihood)(S)
    assert value == pytest.approx(scipy.stats.multivariate_normal(np.zeros(4), S).logpdf(y), rel=1e-13)
    alpha = np.linalg.solve(S, y)
    np.testing.assert_allclose(gradient, 0.5 * (np.outer(alpha, alpha) - np.linalg.inv(S)), rtol=1e-11, atol=1e-13)
    np.testing.assert_array_equal(gradient, gradient.T)


def test_gradients_of_symmetric_matrices_are_symmetric():
    for f in (lambda a: np.linalg.eigvalsh(a)[-1], lambda a: np.linalg.eigh(a)[0][-1], lambda a: np.linalg.cholesky(a)[2, 1]):
        g = ag.grad(f)(S)
        np.testing.assert_allclose(g, g.T, rtol=1e-13, atol=1e-15)
    vector = np.linalg.eigh(S)[1][:, -1]
    np.testing.assert_allclose(ag.grad(lambda a: np.linalg.eigvalsh(a)[-1])(S), np.outer(vector, vector), rtol=1e-12)


# ---------------------------------------------------------------------- singular and degenerate


def test_det_of_singular_matrices():
    """The cofactors, which need no inverse; and of rank n - 2, where all of them are 0; to the second order."""
    np.testing.assert_array_equal(ag.grad(np.linalg.det)(SINGULAR), [[4.0, -2.0], [-2.0, 1.0]])
    np.testing.assert_array_equal(ag.grad(np.linalg.det)(np.zeros((3, 3))), np.zeros((3, 3)))
    low = np.diag([2.0, 0.0, 0.0])
    second = ag.grad(lambda a: ag.grad(np.linalg.det)(a)[1, 1])(low)
    np.testing.assert_array_equal(second, np.diag([0.0, 0.0, 2.0]))
    stack = np.stack([np.eye(2), SINGULAR])
    np.testing.assert_allclose(ag.grad(lambda a: np.linalg.det(a).sum())(stack), [np.eye(2), [[4.0, -2.0], [-2.0, 1.0]]])


def test_log_det_of_a_singular_matrix():
    value, gradient = ag.value_and_grad(lambda a: np.linalg.slogdet(a)[1])(SINGULAR)
    assert value == -np.inf and np.isnan(gradient).all()
    both = ag.grad(lambda a: ag.where(np.linalg.det(a) == 0, 0.0, np.linalg.slogdet(a)[1]).sum())(np.stack([2 * np.eye(2), SINGULAR]))
    np.testing.assert_array_equal(both, [0.5 * np.eye(2), np.zeros((2, 2))])


def test_equal_eigenvalues():
    """What depends on the eigenvalues alone is exact; what depends on the eigenvectors says nan, never a wrong number."""
    trace_of_cube = ag.grad(lambda a: np.sum(np.linalg.eigvalsh(a) ** 3))
    np.testing.assert_allclose(trace_of_cube(2 * np.eye(3)), 12 * np.eye(3), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(ag.grad(lambda a: np.sum(np.linalg.eigh(a)[0] ** 3))(2 * np.eye(3)), 12 * np.eye(3), rtol=1e-14, atol=1e-14)

    def root(a):
        w, v = np.linalg.eigh(a)
        return np.sum((v * np.sqrt(w)) @ v.T)

    assert np.isnan(ag.grad(root)(np.eye(3))).any()
    turned = scipy.linalg.qr(RNG.normal(size=(3, 3)))[0]
    nearly = turned @ np.diag([1.0, 1.0, 3.0]) @ turned.T  # equal but for rounding
    assert np.isnan(ag.grad(root)(nearly)).any()
    t = ag.jvp(lambda a: np.linalg.eigh(a)[0], (np.diag([1.0, 1.0, 2.0]),), (np.diag([1.0, 2.0, 3.0]),))[1]
    np.testing.assert_array_equal(t, [1.0, 2.0, 3.0])


def test_equal_singular_values():
    nuclear = ag.grad(lambda a: np.linalg.norm(a, "nuc"))
    np.testing.assert_allclose(nuclear(np.eye(3)), np.eye(3), rtol=1e-14, atol=1e-14)
    u, _, vh = np.linalg.svd(A)
    np.testing.assert_allclose(nuclear(A), u @ vh, rtol=1e-12)
    assert np.isnan(ag.grad(lambda a: np.linalg.svd(a)[0][1, 0])(np.eye(3))).any()


def test_singular_matrices_are_linalg_errors_with_names():
    """Code that catches NumPy's error, as to add a little to the diagonal and try again, goes on working."""
    a = ag.Tensor(SINGULAR, label="K")
    for f, name in ((np.linalg.inv, "inv"), (lambda a: np.linalg.solve(a, [1.0, 2.0]), "solution")):
        with pytest.raises(np.linalg.LinAlgError, match=rf"{name} of Tensor 'K' of shape \(2, 2\).*Singular matrix"):
            f(a)
    with pytest.raises(np.linalg.LinAlgError, match=r"cholesky_factor of Tensor.*not positive definite"):
        np.linalg.cholesky(-a)


def test_a_matrix_that_is_not_taken_contributes_nothing():
    """The exact pass: the inverse of the second matrix overflows, and is not taken."""
    stack = np.stack([2 * np.eye(2), 1e-200 * np.eye(2)])
    taken = np.array([True, False])[:, None, None]
    gradient = ag.grad(lambda a: np.sum(np.where(taken, np.linalg.inv(a), 0.0)))(stack)
    np.testing.assert_array_equal(gradient, [-0.25 * np.ones((2, 2)), np.zeros((2, 2))])


# ---------------------------------------------------------------------- arguments and errors


def test_constant_cases():
    a = ag.Tensor(A)
    np.testing.assert_array_equal(np.linalg.matrix_power(a, 0), np.eye(4))
    assert np.linalg.norm(ag.Tensor([0.0, 2.0, 3.0]), 0) == 2.0
    assert ag.linalg.matrix_rank(ag.Tensor(SINGULAR)) == 1


@pytest.mark.parametrize("call,words", [
    (lambda: ag.linalg.inv(A[:3]), r"inv takes square matrices; got ndarray of shape \(3, 4\)"),
    (lambda: ag.linalg.svd(A[0]), r"svd takes a matrix, or a stack of matrices; got ndarray of shape \(4,\)"),
    (lambda: ag.linalg.lstsq(A, ag.Tensor([1.0])), r"lstsq: Tensor of shape \(1,\) does not fit ndarray of shape \(4, 4\)"),
])  # fmt: skip
def test_errors_of_shapes(call, words):
    with pytest.raises(np.linalg.LinAlgError, match=words):
        call()


@pytest.mark.parametrize("call,words", [
    (lambda: ag.linalg.solve(A, ag.Tensor([1.0])), r"solve: Tensor of shape \(1,\) does not fit.*a vector of length 4"),
    (lambda: ag.linalg.qr(ag.Tensor(A), "raw"), "mode='raw' has no rule"),
    (lambda: ag.linalg.eigh(ag.Tensor(S), "X"), "UPLO is 'L' or 'U'"),
    (lambda: ag.linalg.multi_dot([ag.Tensor(A)]), "multi_dot takes two or more matrices, got 1"),
    (lambda: ag.linalg.norm(ag.Tensor(A), "nuclear"), "the order of the norm of a matrix is 'fro'"),
    (lambda: ag.linalg.norm(ag.Tensor(A[0]), "fro"), "the order of the norm of vectors is a number, got 'fro'"),
    (lambda: ag.linalg.norm(ag.Tensor(np.ones((2, 2, 2))), 1), "of 3 axes only the order None is defined"),
    (lambda: ag.linalg.outer(ag.Tensor(A), A), "outer takes two vectors"),
    (lambda: ag.linalg.tensorinv(ag.Tensor(A), 0), "ind counts the first axes"),
])  # fmt: skip
def test_errors_of_arguments(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_least_squares_of_a_short_matrix_has_no_residuals():
    x, residuals, rank, s = np.linalg.lstsq(ag.Tensor(SINGULAR), [1.0, 1.0])
    assert residuals.shape == (0,) and rank == 1
    np.testing.assert_allclose(x.value, np.linalg.lstsq(SINGULAR, [1.0, 1.0])[0], rtol=1e-14)
    np.testing.assert_allclose(s.value, [5.0, 0.0], atol=1e-15)


def test_large_matrices_agree_with_the_closed_form():
    """log |K| of a 200 x 200 matrix: its gradient is K⁻¹."""
    k = RNG.normal(size=(200, 300))
    k = k @ k.T + np.eye(200)
    inverse = np.linalg.inv(k)
    for f in (lambda k: np.linalg.slogdet(k)[1], lambda k: 2 * np.sum(np.log(np.diagonal(np.linalg.cholesky(k)))),
              lambda k: np.sum(np.log(np.linalg.eigvalsh(k))), lambda k: np.sum(np.log(np.linalg.svdvals(k)))):  # fmt: skip
        np.testing.assert_allclose(ag.grad(f)(k), inverse, rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------------- eigenvalues of any matrices, further columns


def numerically(f, x, t, h=1e-4):
    """The derivative of f at x along t by central differences of the fourth order."""
    return (8 * (f(x + h * t) - f(x - h * t)) - (f(x + 2 * h * t) - f(x - 2 * h * t))) / (12 * h)


@pytest.mark.parametrize("kind", [float, complex])
def test_further_columns_span_the_complement(kind):
    """Of two of them or more, only what does not depend on their choice has a derivative; it is exact."""
    a, t = RNG.normal(size=(2, 5, 2, 2)) @ ([1, 1j] if kind is complex else [1, 0])
    a, t = a.astype(kind), t.astype(kind)

    def projector(a):
        q = np.linalg.qr(a, mode="complete").Q[:, 2:]
        return q @ q.conj().T

    _, tangent = ag.jvp(projector, (a,), (t,))
    np.testing.assert_allclose(tangent, numerically(projector, a, t), rtol=1e-8, atol=1e-9)
    q, r = np.linalg.qr(ag.Tensor(a), mode="complete")
    np.testing.assert_allclose((q @ r).value, a, atol=1e-14)
    np.testing.assert_allclose(q.value, np.linalg.qr(a, mode="complete").Q, atol=1e-14)


@pytest.mark.parametrize("kind", [float, complex])
def test_functions_of_a_matrix_by_its_eigenvectors(kind):
    """V λ³ V⁻¹ = A³, whatever the phases of the vectors: its derivative along T is T A A + A T A + A A T."""
    a, t = RNG.normal(size=(2, 4, 4, 2)) @ ([1, 1j] if kind is complex else [1, 0])
    a, t = a.astype(kind), t.astype(kind)

    def cube(a):
        w, v = np.linalg.eig(a)
        result = (v * w**3) @ np.linalg.inv(v)
        return result.real if kind is float else result

    value, tangent = ag.jvp(cube, (a,), (t,))
    np.testing.assert_allclose(value, a @ a @ a, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(tangent, t @ a @ a + a @ t @ a + a @ a @ t, rtol=1e-10, atol=1e-10)


def test_eigenvalues_that_are_all_real_are_as_numpy_has_them():
    a = np.array([[1.0, 2.0], [0.5, 4.0]])
    for f in (np.linalg.eigvals, lambda a: np.linalg.eig(a)[0], np.roots):
        x = a if f is not np.roots else np.array([1.0, -3.0, 2.0])
        assert f(ag.Tensor(x)).dtype == f(x).dtype
        np.testing.assert_allclose(f(ag.Tensor(x)).value, f(x), rtol=1e-15)
    s = A + A.T
    np.testing.assert_allclose(
        ag.grad(lambda s: ag.real(np.linalg.eigvals(s)).max())(s), ag.grad(lambda s: np.linalg.eigvalsh(s)[-1])(s), atol=1e-12
    )


def test_a_matrix_without_a_full_set_of_eigenvectors_has_no_derivative():
    g = ag.grad(lambda a: ag.sum(ag.real(np.linalg.eigvals(a)) * np.array([1.0, 2.0])))(np.array([[1.0, 1.0], [0.0, 1.0]]))
    assert np.isnan(g).all()


def test_zeros_of_polynomials_with_zero_coefficients():
    """The zero at 0 moves with the last coefficient, and a leading 0 has an influence on the others: np.roots cuts both off."""
    p = np.array([0.0, 1.0, -1.0, 0.0])  # x² - x
    np.testing.assert_array_equal(np.roots(ag.Tensor(p)).value, [1.0, 0.0])
    jacobian = ag.jacobian(np.roots)(p)
    np.testing.assert_allclose(jacobian, [[-1.0, -1.0, -1.0, -1.0], [0.0, 0.0, 0.0, 1.0]], atol=1e-15)
    assert np.roots(ag.Tensor([3.0])).shape == (0,)
    with pytest.raises(ValueError, match=r"roots takes a vector of coefficients.*shape \(2, 2\)"):
        np.roots(ag.Tensor(np.eye(2)))
    with pytest.raises(TypeError, match=r"the result of np\.roots has a shape that depends on the values, in which the examples of ag\.vmap differ"):
        ag.vmap(np.roots)(np.array([[1.0, 2.0, 1.5], [0.0, 1.0, 1.0]]))


def test_real_if_close_takes_the_real_part_of_numbers_that_are_real_but_for_rounding():
    z = np.array([1.0 + 1e-16j, 2.0])
    assert np.real_if_close(ag.Tensor(z)).dtype == float
    assert np.real_if_close(ag.Tensor(z + 1e-3j)).dtype == complex
    assert np.real_if_close(ag.Tensor(z + 1e-3j), tol=0.1).dtype == float
    np.testing.assert_array_equal(np.sort_complex(ag.Tensor([2.0 + 1j, 1.0, 2.0 - 1j])).value, [1.0, 2.0 - 1j, 2.0 + 1j])


# ---------------------------------------------------------------------- what SciPy has


@pytest.mark.parametrize("scale", [1e-9, 0.3, 1.0, 30.0, 1000.0])
@pytest.mark.parametrize("kind", [float, complex])
def test_exponential_of_matrices(scale, kind):
    """Against mpmath with fifty digits."""
    a = RNG.normal(size=(4, 4, 2)) @ ([1, 1j] if kind is complex else [1, 0])
    a = scale * (a - a.conj().T + 0.1 * np.eye(4) - np.diag(np.abs(RNG.normal(size=4)))).astype(kind)
    with mpmath.workdps(50):
        expected = mpmath.expm(mpmath.matrix(a.tolist()), method="pade")
        expected = np.array(expected.tolist(), complex)
    actual = ag.linalg.expm(a)
    assert actual.dtype == kind
    tolerance = 1e-13 * max(1.0, scale)  # the condition of the problem is about the norm of A
    np.testing.assert_allclose(actual, expected if kind is complex else expected.real, rtol=0, atol=tolerance * np.abs(expected).max())
    np.testing.assert_array_equal(ag.linalg.expm(np.stack([a, 0 * a]))[0], actual)


def test_derivatives_of_the_exponential_are_frechets():
    a, t = A / 3, RNG.normal(size=(4, 4))
    value, tangent = ag.jvp(ag.linalg.expm, (a,), (t,))
    np.testing.assert_allclose(value, scipy.linalg.expm(a), rtol=1e-13)
    np.testing.assert_allclose(tangent, scipy.linalg.expm_frechet(a, t, compute_expm=False), rtol=1e-12)
    np.testing.assert_array_equal(ag.linalg.expm(np.zeros((2, 2))), np.eye(2))
    np.testing.assert_array_equal(ag.linalg.expm(np.zeros((0, 3, 3))), np.zeros((0, 3, 3)))
    assert ag.linalg.expm(np.eye(2, dtype=int)).dtype == float


def test_roots_and_logarithms_of_matrices_with_negative_eigenvalues_are_complex():
    a = np.array([[-1.0, 0.5], [0.0, 4.0]])
    for f in (ag.linalg.sqrtm, ag.linalg.logm):
        assert f(a).dtype == complex
        h = ag.grad(lambda a, f=f: ag.real(ag.sum(f(a) * np.array([[1.0, 2j], [3.0, 1.0]]))))(a)
        t = np.array([[1.0, 0.3], [0.0, -2.0]])  # along triangular matrices, where the eigenvalues stay on the axis

        def g(a, f=f):
            return np.real(np.sum(f(a) * np.array([[1.0, 2j], [3.0, 1.0]])))

        assert np.sum(h * t) == pytest.approx(numerically(g, a, t), rel=1e-8)
    assert ag.linalg.sqrtm(A @ A).dtype == float
    np.testing.assert_allclose(ag.linalg.sqrtm(S) @ ag.linalg.sqrtm(S), S, rtol=1e-12)
    np.testing.assert_allclose(ag.linalg.expm(ag.linalg.logm(S)), S, rtol=1e-12)


def test_the_other_triangle_has_no_influence():
    b = RNG.normal(size=4)
    for lower in (False, True):
        g = ag.grad(lambda a, lower=lower: ag.sum(ag.linalg.solve_triangular(a, b, lower=lower)))(A)
        np.testing.assert_array_equal(np.triu(g, 1) if lower else np.tril(g, -1), np.zeros((4, 4)))
    garbage = scipy.linalg.cho_factor(S)
    np.testing.assert_allclose(ag.linalg.cho_solve(garbage, ag.Tensor(b)).value, np.linalg.solve(S, b), rtol=1e-12)
    g = ag.grad(lambda s: b @ ag.linalg.cho_solve(ag.linalg.cho_factor(s), b))(S)
    x = np.linalg.solve(S, b)
    np.testing.assert_allclose(g, -np.outer(x, x), rtol=1e-11)


@pytest.mark.parametrize("call,ours", [
    (lambda x: scipy.linalg.solve(x, np.ones(2)), r"ag\.linalg\.solve"),
    (lambda x: scipy.linalg.solve_triangular(x, np.ones(2)), r"ag\.linalg\.solve_triangular"),
    (lambda x: scipy.linalg.cho_solve((x, True), np.ones(2)), r"ag\.linalg\.cho_solve"),
    (lambda x: scipy.linalg.cho_factor(x), r"ag\.linalg\.cho_factor"),
    (lambda x: scipy.linalg.expm(x), r"ag\.linalg\.expm"),
    (lambda x: scipy.linalg.sqrtm(x), r"ag\.linalg\.sqrtm"),
    (lambda x: scipy.linalg.logm(x), r"ag\.linalg\.logm"),
    (lambda x: scipy.linalg.solve_sylvester(x, np.eye(2), np.eye(2)), r"ag\.linalg\.solve_sylvester"),
    (lambda x: scipy.linalg.inv(x), r"ag\.linalg\.inv"),
    (lambda x: scipy.linalg.eig(x), r"ag\.linalg\.eig"),
])  # fmt: skip
def test_scipys_own_functions_name_ours(call, ours):
    for x in (ag.Tensor(np.eye(2)), ag.Tensor(np.eye(2), label="K")):
        with pytest.raises(TypeError, match=rf"in place of scipy\.linalg\..* write {ours}"):
            call(x)


@pytest.mark.parametrize("call,words", [
    (lambda: ag.linalg.solve_triangular(A, ag.Tensor(A[0]), trans=3), "trans is 0, 1 or 2"),
    (lambda: ag.linalg.solve_sylvester(A, ag.Tensor(A), A[:3, :3]), "as many rows as the first"),
    (lambda: ag.linalg.expm(ag.Tensor(A[:3])), "expm takes square matrices"),
    (lambda: ag.linalg.sqrtm(ag.Tensor(A[0])), "sqrtm takes a matrix"),
    (lambda: np.add.reduceat(ag.Tensor(A), [5]), r"add\.reduceat of Tensor of shape \(4, 4\) takes a vector of places from 0 to 3"),
    (lambda: ag.sliding_window_view(ag.Tensor(A), 5, 0), "a window of 5 does not fit axis 0"),
    (lambda: ag.sliding_window_view(ag.Tensor(A), 5), "1 lengths of windows for 2 axes"),
])  # fmt: skip
def test_errors_of_later_arguments(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_what_needs_scipy_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.linalg", None)
    with pytest.raises(ImportError, match=r"pip install 'ag-autodiff\[learn\]'"):
        ag.linalg.logm(ag.Tensor(A))


def test_methods_of_ufuncs_that_write_say_what_to_write():
    x, a = ag.Tensor([1.0, 2.0]), np.zeros(3)
    for call, words in (
        (lambda: np.add.at(x, [0], 1.0), r"np\.add\.at has no rule.*write a = a\.at\[index\]\.add\(v\)"),
        (lambda: np.add.at(a, [0, 1], x), r"write a = ag\.Tensor\(a\)\.at\[index\]\.add\(v\)"),
        (lambda: np.subtract.at(x, [0], 1.0), r"\.add\(-v\)"),
        (lambda: np.multiply.at(x, [0], 2.0), r"\.set\(np\.multiply\(a\[index\], v\)\)"),
        (lambda: np.negative.at(x, [0]), r"\.set\(np\.negative\(a\[index\]\)\)"),
    ):
        with pytest.raises(TypeError, match=words):
            call()
    np.testing.assert_array_equal(np.add.reduceat(ag.Tensor(np.arange(4.0)), [0, 2]).value, [1.0, 5.0])
    np.testing.assert_array_equal(a, 0.0)


def test_sides_of_cuts():
    """Beyond the real domain a function has two values, one from above and one from below; so has its derivative."""
    for f in (np.arcsin, np.arccos, np.arctanh, np.arccosh, np.sqrt, np.log):
        for x in (-2.5, 2.5):
            for y in (0.0, -0.0):
                z = complex(x, y)
                side = complex(0, np.copysign(1e-7, y))
                _, t = ag.jvp(f, (np.array(z),), (np.array(1.0 + 0j),))
                near = (f(z + side + 1e-5) - f(z + side - 1e-5)) / 2e-5
                np.testing.assert_allclose(t, near, rtol=1e-5, err_msg=f"{f.__name__} at {z}")


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_logarithms_of_matrices(scale):
    """Against mpmath with fifty digits."""
    a = scale * (S + RNG.normal(size=(4, 4))) if scale != 1e-8 else np.eye(4) + scale * A
    with mpmath.workdps(50):
        expected = np.array(mpmath.logm(mpmath.matrix(a.tolist())).tolist(), complex).real
    np.testing.assert_allclose(ag.linalg.logm(a), expected, rtol=0, atol=1e-13 * np.abs(expected).max())
    assert np.isnan(ag.linalg.logm(np.zeros((2, 2)))).all()


def test_a_matrix_that_is_singular_but_for_rounding_has_no_logarithm():
    turn = scipy.linalg.qr(np.arange(9.0).reshape(3, 3) + np.eye(3))[0]
    value = ag.linalg.logm(turn @ np.diag([1.0, 2.0, 1e-30]) @ turn.T)
    assert np.isnan(value).all() or np.abs(value).max() > 30

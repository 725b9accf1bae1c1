"""What the rows of linear algebra promise beyond the enumerated tests: singular and degenerate matrices, names, errors."""

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
    assert missing == {"eig", "eigvals"}
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
    (lambda: ag.linalg.qr(ag.Tensor(A), "complete"), "mode='complete' has no rule"),
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

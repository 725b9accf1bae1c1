"""The namespace of tensors against array_api_strict, the standard's own reference, and real programs that ask for a namespace."""

import array_api_strict as strict
import numpy as np
import pytest

import ag
from ag import array_api

strict.set_array_api_strict_flags(api_version="2024.12")
rng = np.random.default_rng(0)
A, B, V, W = rng.normal(size=(2, 3)), rng.normal(size=(2, 3)), rng.normal(size=4), rng.normal(size=4)
POSITIVE, UNIT, ABOVE = np.abs(A) + 0.5, np.tanh(A) * 0.9, np.abs(A) + 1.5
INTEGERS, SHIFTS = np.array([[3, 1, 2], [0, 7, 5]]), np.array([[1, 2, 1], [2, 1, 2]])
TRUE, OTHER = A > 0, B > 0
Z = A + 1j * B
SQUARE = np.eye(3) * 3 + rng.normal(size=(3, 3)) * 0.3
SYMMETRIC = SQUARE + SQUARE.T
DEFINITE = SQUARE @ SQUARE.T + np.eye(3)


def case(name, *args, **kwargs):
    return pytest.param(name, args, kwargs, id=f"{name}-{len(args)}")


UNARY = {
    **dict.fromkeys(["abs", "atan", "ceil", "cos", "exp", "expm1", "floor", "isfinite", "isinf", "isnan", "negative", "positive", "round",
                     "sign", "signbit", "sin", "sinh", "cosh", "asinh", "square", "tan", "tanh", "trunc"], A),
    **dict.fromkeys(["log", "log10", "log1p", "log2", "sqrt", "reciprocal"], POSITIVE),
    **dict.fromkeys(["acos", "asin", "atanh"], UNIT), "acosh": ABOVE, **dict.fromkeys(["conj", "imag", "real"], Z),
    **dict.fromkeys(["logical_not", "bitwise_invert"], TRUE),
}  # fmt: skip
BINARY = {
    **dict.fromkeys(["add", "atan2", "copysign", "divide", "equal", "floor_divide", "greater", "greater_equal", "hypot", "less", "less_equal",
                     "logaddexp", "maximum", "minimum", "multiply", "nextafter", "not_equal", "remainder", "subtract"], (A, B)),
    "pow": (POSITIVE, B), **dict.fromkeys(["logical_and", "logical_or", "logical_xor"], (TRUE, OTHER)),
    **dict.fromkeys(["bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"], (INTEGERS, SHIFTS)),
}  # fmt: skip
CASES = [
    *(case(name, x) for name, x in UNARY.items()),
    *(case(name, *xs) for name, xs in BINARY.items()),
    *(case(name, A, axis=axis) for name in ("sum", "prod", "mean", "max", "min", "std", "var") for axis in (None, 0, (0, 1))),
    case("sum", A, axis=0, keepdims=True), case("var", A, correction=1.0), case("std", A, correction=1), case("sum", INTEGERS), case("prod", A, dtype="float64"),
    *(case(name, A, axis=1) for name in ("argmax", "argmin", "argsort", "sort", "cumulative_sum", "cumulative_prod", "count_nonzero", "diff")),
    case("cumulative_sum", A, axis=0, include_initial=True), case("cumulative_prod", A, axis=0, include_initial=True),
    case("sort", A, descending=True), case("argsort", A, descending=True), case("diff", V, n=2), case("diff", V, prepend=W[:1], append=W[1:]),
    *(case(name, TRUE) for name in ("all", "any", "nonzero")), case("any", TRUE, axis=0), case("all", TRUE, keepdims=True),
    case("clip", A, -0.5, 0.5), case("clip", A, min=0.0), case("where", TRUE, A, B), case("searchsorted", np.sort(V), W),
    case("searchsorted", np.sort(V), W, side="right"), case("take", A, np.array([2, 0]), axis=1), case("take_along_axis", A, np.array([[0, 2], [1, 1]]), axis=1),
    case("expand_dims", A, axis=1), case("flip", A), case("flip", A, axis=1), case("moveaxis", A, 0, 1), case("permute_dims", A, (1, 0)),
    case("repeat", A, 2, axis=1), case("reshape", A, (3, -1)), case("reshape", A, shape=(6,), copy=True), case("roll", A, 1), case("roll", A, (1, -1), axis=(0, 1)),
    case("squeeze", A[:, :1], axis=1), case("tile", A, (2, 1)), case("tril", A), case("triu", A, k=1), case("unstack", A), case("unstack", A, axis=1),
    case("broadcast_to", V, (2, 4)), case("matmul", A, B.T), case("matrix_transpose", A), case("tensordot", A, B, axes=((0,), (0,))), case("vecdot", A, B),
    case("concat", [A, B], axis=1), case("stack", [A, B], axis=-1), case("broadcast_arrays", A, V[:3]), case("meshgrid", V, W, indexing="ij"), case("meshgrid", V, W),
    case("unique_values", INTEGERS), case("unique_counts", INTEGERS), case("unique_inverse", INTEGERS), case("unique_all", INTEGERS), case("astype", A, "float32"), case("astype", A, "int64"),
    case("full", (2, 3), 1.5), case("zeros", 3), case("ones", (2,)), case("eye", 3, k=1), case("arange", 1, 7, 2), case("linspace", 0.0, 1.0, 5),
    case("linspace", 0.0, 1.0, num=4, endpoint=False), case("full_like", A, 2.0), case("zeros_like", A), case("ones_like", A),
    *(case(f"linalg.{name}", SQUARE) for name in ("det", "inv", "slogdet", "pinv", "svdvals", "matrix_norm", "diagonal", "trace", "matrix_rank", "matrix_transpose")),
    *(case(f"linalg.{name}", DEFINITE) for name in ("cholesky", "eigvalsh")), case("linalg.cholesky", DEFINITE, upper=True), case("linalg.matrix_power", SQUARE, 3),
    case("linalg.solve", SQUARE, A.T), case("linalg.solve", SQUARE, A[0]), case("linalg.outer", V, W), case("linalg.cross", A, B), case("linalg.vector_norm", A, axis=1),
    case("linalg.vector_norm", A, ord=1), case("linalg.matmul", A, B.T), case("linalg.vecdot", A, B), case("linalg.tensordot", A, B), case("linalg.matrix_norm", A, ord=1),
    *(case(f"fft.{name}", Z) for name in ("fft", "ifft", "fftn", "ifftn", "irfft", "hfft", "fftshift", "ifftshift")),
    *(case(f"fft.{name}", A) for name in ("rfft", "rfftn", "ihfft")), case("fft.irfftn", Z), case("fft.fftfreq", 6, d=0.5), case("fft.rfftfreq", 6),
    case("fft.fft", Z, n=4, axis=0, norm="ortho"),
]  # fmt: skip


def find(xp, name):
    for part in name.split("."):
        xp = getattr(xp, part)
    return xp


def given(x, to):
    if isinstance(x, np.ndarray):
        return to(x)
    if isinstance(x, list):
        return [given(y, to) for y in x]
    return x


def plain(x):
    if isinstance(x, (tuple, list)):
        return [plain(y) for y in x]
    return x.value if isinstance(x, ag.Tensor) else np.asarray(x)


@pytest.mark.parametrize("name,args,kwargs", CASES)
def test_each_function_is_that_of_the_standard(name, args, kwargs):
    def dtype(xp, kwargs):
        return {k: getattr(xp, v) if k == "dtype" else v for k, v in kwargs.items()}

    def named(xp, args):
        return [getattr(xp, x) if isinstance(x, str) else x for x in args]

    xp = ag.Tensor(A).__array_namespace__()
    expected = find(strict, name)(*named(strict, [given(x, strict.asarray) for x in args]), **{k: given(v, strict.asarray) for k, v in dtype(strict, kwargs).items()})
    actual = find(xp, name)(*named(xp, [given(x, ag.Tensor) for x in args]), **{k: given(v, ag.Tensor) for k, v in dtype(xp, kwargs).items()})
    for x, y in zip(*(z if isinstance(z, list) else [z] for z in (plain(actual), plain(expected))), strict=True):
        assert x.shape == y.shape and x.dtype == y.dtype, f"{x.shape} {x.dtype}, {y.shape} {y.dtype}"
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-14)


QR = [("linalg.qr", "Q", "R"), ("linalg.svd", "U", "S", "Vh"), ("linalg.eigh", "eigenvalues", "eigenvectors")]


@pytest.mark.parametrize("name,fields", [(name, fields) for name, *fields in QR])
def test_factorizations_have_the_standards_names_and_multiply_to_the_matrix(name, fields):
    x = SYMMETRIC if "eigh" in name else SQUARE
    result = find(array_api, name)(ag.Tensor(x))
    parts = [getattr(result, field).value for field in fields]
    if name == "linalg.qr":
        product = parts[0] @ parts[1]
    else:
        u, s, vh = parts if len(parts) == 3 else (parts[1], parts[0], parts[1].T)
        product = u * s @ vh
    np.testing.assert_allclose(product, x, atol=1e-13)


def test_everything_that_the_standard_names_is_there():
    flags = {"Device", "__version__", "isin", "set_array_api_strict_flags", "get_array_api_strict_flags", "reset_array_api_strict_flags", "ArrayAPIStrictFlags"}  # and what 2025.12 adds
    asked = {name for name in strict.__all__ if name not in flags}
    missing = {name for name in asked if not hasattr(array_api, name)}
    assert not missing
    assert {name for name in asked if not name.startswith("__")} <= set(dir(array_api))
    for extension in ("linalg", "fft"):
        names = {n for n in dir(getattr(strict, extension)) if not n.startswith("_") and callable(getattr(getattr(strict, extension), n))}
        ours = getattr(array_api, extension)
        own = {n for n in names if getattr(getattr(strict, extension), n).__module__ == f"array_api_strict._{extension}"}
        own = {n for n in own if n[0].islower()} - {"eig", "eigvals"}  # which 2025.12 adds
        assert own and not {n for n in own if not hasattr(ours, n)}


def test_the_derivative_goes_through_a_program_that_only_knows_the_standard():
    def program(x):
        xp = x.__array_namespace__()
        centred = x - xp.mean(x, axis=0, keepdims=True)
        covariance = xp.matmul(xp.matrix_transpose(centred), centred) / (x.shape[0] - 1)
        return xp.linalg.slogdet(covariance + xp.eye(x.shape[1])).logabsdet

    ag.check_grads(lambda x: program(ag.array_api.asarray(x)), (rng.normal(size=(5, 3)),), order=2)


def test_libraries_that_dispatch_run_on_tensors():
    xpx = pytest.importorskip("array_api_extra")
    x = ag.Tensor(A, label="x")
    np.testing.assert_allclose(xpx.cov(x).value, np.cov(A), rtol=1e-13)
    np.testing.assert_allclose(xpx.kron(x, ag.Tensor(B)).value, np.kron(A, B), rtol=1e-14)
    xpx.cov(x).sum().backward()
    assert np.isfinite(x.grad).all()


def test_what_can_not_be_says_why():
    x = ag.Tensor(A, label="x")
    with pytest.raises(ValueError, match=r"followed up to 2024\.12"):
        x.__array_namespace__(api_version="2030.12")
    with pytest.raises(AttributeError, match="has no 'cheese'"):
        array_api.cheese  # noqa: B018
    with pytest.raises(ValueError, match="in the memory of this machine"):
        x.to_device("gpu")
    with pytest.raises(ValueError, match="device='cpu'"):
        array_api.zeros(3, device="gpu")
    with pytest.raises(TypeError, match=r"DLPack.*hand over x\.value"):
        np.from_dlpack(x)
    assert x.to_device("cpu") is x and x.device == "cpu"
    assert array_api.asarray(x) is x and array_api.asarray(x, copy=True) is not x
    assert array_api.asarray(x, dtype=array_api.float32).dtype == np.float32
    assert array_api.from_dlpack(A).shape == A.shape
    with pytest.raises(ValueError, match="copy=False"):
        array_api.asarray([1.0], copy=False)

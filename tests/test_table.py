"""Nothing here names an operator: a new row is tested because it is a row."""

import copy
import inspect
import math

import numpy as np
import pytest

import ag
import ag.special
from ag.explanation.formula import Formula
from ag.explanation.names import Name
from ag.node import Node
from ag.operators import everything
from ag.operators.rules import FUNCTIONS, Bilinear, Custom, Elementwise, Linear, Missing, Reduction, Zero
from ag.operators.table import COMPOSITES, NUMPY, TABLE
from ag.reach import Reach
from ag.symbol import Symbol
from ag.testing import check_grads
from ag.transforms.containers import leaves, rebuilt

everything()
ENTRIES = {**TABLE, **COMPOSITES}


def samples(entry):
    return entry.samples(np.random.default_rng(0))


def cases(names):
    return [pytest.param(name, k, id=f"{name}-{k}") for name in names for k in range(len(samples(ENTRIES[name])))]


def is_float(x):
    return isinstance(x, (float, np.ndarray, np.floating)) and np.asarray(x).dtype.kind == "f"


def real_parts(y):
    """Complex results as the real ones that they are made of."""
    return [part for z in leaves(y) for part in ((ag.real(z), ag.imag(z)) if is_complex(z) else (z,))]


def is_complex(x):
    return getattr(x, "dtype", np.dtype(float)).kind == "c"


class Case:
    """One sample of an entry: ``f`` as a function of its float arrays alone."""

    def __init__(self, name, k, function=None):
        self.entry = ENTRIES[name]
        self.function = function or FUNCTIONS[name]
        self.args, self.params = samples(self.entry)[k]
        self.everything = leaves(list(self.args))
        rule = getattr(self.entry, "rule", None)
        self.places = [
            i for i, x in enumerate(self.everything) if is_float(x) and (rule is None or self.input_depends(rule, i))
        ]
        self.floats = tuple(self.everything[i] for i in self.places)

    def input_depends(self, rule, i):
        if isinstance(rule, Elementwise) and isinstance(rule.partials[i], Missing):
            return False
        return isinstance(rule, Zero) or rule.depends_on(i) or not isinstance(rule, (Elementwise, Custom))

    def __call__(self, *floats):
        everything = list(self.everything)
        within = getattr(self.entry, "within", None) or (lambda x: x)
        for i, x in zip(self.places, floats, strict=True):
            everything[i] = within(x)
        y = self.function(*rebuilt(list(self.args), everything), **self.params)
        return real_parts(y) if any(map(is_complex, leaves(y))) else y


# The imaginary part of the samples, which are real, is 0: test_complex tries it on others.
DIFFERENTIABLE = [name for name, e in ENTRIES.items() if not isinstance(getattr(e, "rule", None), Zero) and name != "imag"]
ZERO = [name for name, e in TABLE.items() if isinstance(e.rule, Zero)]


@pytest.mark.parametrize("name,k", cases(DIFFERENTIABLE))
def test_both_modes_agree_with_differences(name, k):
    case = Case(name, k)
    check_grads(case, case.floats, order=1, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name,k", cases(DIFFERENTIABLE))
def test_second_order_in_all_four_mixtures(name, k):
    case = Case(name, k)
    check_grads(case, case.floats, order=2, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name,k", cases(DIFFERENTIABLE))
def test_duality_of_the_modes(name, k):
    """⟨Jᵀg, t⟩ = ⟨g, Jt⟩, whatever the step of a difference."""
    case = Case(name, k)
    rng = np.random.default_rng(1)
    tangents = tuple(rng.normal(size=np.shape(x))[()] for x in case.floats)
    y, t = ag.jvp(case, case.floats, tangents)
    g = [rng.normal(size=np.shape(z))[()] for z in leaves(y)]
    cotangents = ag.vjp(case, *case.floats)[1](rebuilt(y, g))
    left = sum(np.vdot(c, t) for c, t in zip(leaves(cotangents), tangents, strict=True))
    right = sum(np.vdot(a, b) for a, b in zip(g, leaves(t), strict=True))
    assert left == pytest.approx(right, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name,k", cases(ENTRIES))
def test_shapes_and_dtypes(name, k):
    case = Case(name, k)
    plain = leaves(case(*case.floats))
    nodes = [ag.Tensor(x) for x in case.floats]
    recorded = leaves(case(*nodes))
    for x, y in zip(plain, recorded, strict=True):
        np.testing.assert_array_equal(x, getattr(y, "value", y))
        assert np.asarray(x).dtype == np.asarray(getattr(y, "value", y)).dtype
    for y in recorded:
        if isinstance(y, Node) and isinstance(y, ag.Tensor):
            y.backward(np.ones(y.shape))
            for x in nodes:
                if x.grad is not None:
                    assert np.shape(x.grad) == x.shape and x.grad.dtype == x.dtype


@pytest.mark.parametrize("name,k", cases(ENTRIES))
def test_float32_stays_float32(name, k):
    case = Case(name, k)
    if "dtype" in case.params:
        pytest.skip("the sample asks for a dtype")
    single = [np.asarray(x, np.float32)[()] for x in case.floats]
    nodes = [ag.Tensor(x) for x in single]
    exact = leaves(case(*case.floats))
    if name in COMPOSITES and COMPOSITES[name].numpy:
        dtypes = [np.asarray(y).dtype for y in leaves(Case(name, k, COMPOSITES[name].forward)(*single))]
    else:
        rest = [x for i, x in enumerate(case.everything) if i not in case.places and is_float(x) and type(x) is not float]
        dtypes = [np.result_type(np.float32, *rest)] * len(exact)
    for y, reference, dtype in zip(leaves(case(*nodes)), exact, dtypes, strict=True):
        value = np.asarray(getattr(y, "value", y))
        if isinstance(y, ag.Tensor) and not np.issubdtype(value.dtype, np.bool_):
            assert value.dtype == dtype
            np.testing.assert_allclose(value, reference, rtol=2e-5, atol=2e-6)
            y.backward(np.ones(y.shape))
            assert all(x.grad is None or x.grad.dtype == np.float32 for x in nodes)


@pytest.mark.parametrize("name,k", cases(ZERO))
def test_zero_rules(name, k):
    case = Case(name, k)
    nodes = [ag.Tensor(x) for x in case.floats]
    y = case(*nodes)
    if not ENTRIES[name].records:
        assert not isinstance(y, Node)
        return
    y.backward(np.ones(y.shape))
    assert all((x.grad == 0).all() for x in nodes)
    _, t = ag.jvp(case, case.floats, tuple(np.ones(np.shape(x))[()] for x in case.floats))
    assert (np.asarray(t) == 0).all()


@pytest.mark.parametrize("name,k", cases(TABLE))
def test_the_abstract_value_is_the_shape_and_dtype(name, k):
    case = Case(name, k)
    op = TABLE[name]
    inputs, params = op.signature(*case.args, **case.params) if op.signature else (case.args, {})
    shapes = [(np.shape(x), np.asarray(x).dtype) for x in inputs]
    if any(dtype.kind in "ib" and shape for shape, dtype in shapes):
        pytest.skip("an index array decides the shape by its values")
    value = np.asarray(op.forward(*inputs, **params))
    assert op.abstract(shapes, params) == (value.shape, value.dtype)


@pytest.mark.parametrize("name", [name for name, op in TABLE.items() if op.numpy])
def test_numpys_own_functions_record_the_row(name):
    case = Case(name, 0)
    nodes = [ag.Tensor(x) for x in case.floats]
    expected = case(*nodes)
    for f in TABLE[name].numpy:
        result = Case(name, 0, f)(*nodes)
        for x, y in zip(leaves(result), leaves(expected), strict=True):
            np.testing.assert_array_equal(getattr(x, "value", x), getattr(y, "value", y))


@pytest.mark.parametrize("name,k", cases(COMPOSITES))
def test_composites_compute_what_numpy_does(name, k):
    case = Case(name, k)
    for x, y in zip(leaves(case(*case.floats)), leaves(Case(name, k, COMPOSITES[name].forward)(*case.floats)), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-14)


# ---------------------------------------------------------------------- numbers

SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, math.inf, -math.inf, math.nan, 1e-310, 1e300, -1e4, 710.0)
SCALARS = [
    name for name, op in TABLE.items()
    if op.scalar is not None and op.signature is None and all(np.asarray(x).dtype.kind in "fb" for x in samples(op)[0][0])
]


def arity(name):
    return len(samples(TABLE[name])[0][0])


@pytest.mark.parametrize("name", SCALARS)
def test_scalars_obey_ieee_as_arrays_do(name):
    op = TABLE[name]
    with np.errstate(all="ignore"):
        for args in np.array(np.meshgrid(*[SPECIAL] * arity(name))).reshape(arity(name), -1).T:
            expected = op.forward(*args)
            actual = FUNCTIONS[name](*map(ag.Scalar, args))
            assert isinstance(actual, ag.Scalar) == op.records
            actual = getattr(actual, "value", actual)
            np.testing.assert_allclose(actual, expected, rtol=4e-15, err_msg=f"{name}{tuple(args)}")
            if expected == 0 and "the sign of the result is not defined" not in op.convention:
                assert math.copysign(1, actual) == math.copysign(1, expected), f"{name}{tuple(args)}"


@pytest.mark.parametrize("name", [name for name, op in TABLE.items() if op.special])
def test_special_points(name):
    """At kinks and ends of the domain both modes give the tabulated derivatives, for scalars and for arrays."""
    op = TABLE[name]
    with np.errstate(all="ignore"):
        for args, partials in op.special:
            for face in (ag.Scalar, ag.Tensor):
                nodes = [face(x) if isinstance(x, float) else x for x in args]
                FUNCTIONS[name](*nodes).backward()
                given = [x.grad if isinstance(x, Node) else 0.0 for x in nodes]
                np.testing.assert_allclose(given, partials, rtol=1e-14, err_msg=f"{name}{args}")
            for i, partial in enumerate(partials):
                if not isinstance(args[i], float):
                    continue
                tangent = tuple(float(i == j) for j in range(len(args)))
                _, t = ag.jvp(lambda x, i=i, args=args: FUNCTIONS[name](*args[:i], x, *args[i + 1 :]), (args[i],), (1.0,))
                np.testing.assert_allclose(t, partial, rtol=1e-14, err_msg=f"{name}{args}, tangent {tangent}")


# ---------------------------------------------------------------------- what else a row says

MATH = [
    "exp", "expm1", "exp2", "log", "log2", "log10", "log1p", "sqrt", "cbrt", "hypot", "sin", "cos", "tan",
    "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "floor", "ceil",
    "trunc",
]
NAMES = {
    **{n: getattr(math, n) for n in MATH},
    "abs": abs, "maximum": max, "minimum": min, "sign": np.sign, "rint": np.rint, "logaddexp": np.logaddexp,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)), "softplus": lambda x: math.log1p(math.exp(x)),
    "xlogy": lambda x, y: x * math.log(y) if x else 0.0, "power": math.pow,
    "erf": math.erf, "erfc": math.erfc, "ndtr": lambda x: math.erfc(-x * math.sqrt(0.5)) / 2,
    **{n: getattr(np, n) for n in ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]},
    **{n: getattr(np, n) for n in ["logaddexp2", "copysign", "fmod", "nextafter", "spacing"]},
    "fractional_part": lambda x: math.modf(x)[0],
    **{n: getattr(np, n) for n in ["logical_and", "logical_or", "logical_xor", "logical_not"]},
    **{n: getattr(np, n) for n in ["isfinite", "isinf", "isnan", "signbit"]},
}  # fmt: skip


def kernel_of(op):
    """A kernel that is an expression, as a function of numbers."""
    return eval(f"lambda x, y=None, z=None: {op.kernel}", {"__builtins__": {}, **NAMES})


@pytest.mark.parametrize("name", [name for name, op in TABLE.items() if op.kernel])
def test_the_kernel_computes_the_value(name):
    op = TABLE[name]
    for args, params in samples(op):
        inputs, params = op.signature(*args, **params) if op.signature else (args, params)
        if not all(map(np.size, inputs)):
            continue
        expected = op.forward(*inputs, **params)
        if callable(op.kernel):
            value = op.kernel(*inputs, **params)
        elif isinstance(op.rule, Reduction):
            value = np.asarray(inputs[0], object)
            for axis in params["axis"]:
                value = np.frompyfunc(kernel_of(op), 2, 1).reduce(value, axis, keepdims=True)
            value = value.reshape(np.shape(expected))
        else:
            value = np.vectorize(kernel_of(op), otypes=[float])(*inputs)
        np.testing.assert_allclose(np.asarray(value, float), np.asarray(expected, float), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", TABLE)
def test_a_row_is_complete(name):
    op = TABLE[name]
    function = FUNCTIONS[name]
    assert function.op is op and repr(op) == name
    assert inspect.getdoc(function), "what the operator computes"
    assert op.symbol
    for args, params in samples(op):
        inputs, params = op.signature(*args, **params) if op.signature else (args, params)
        names = (Name.of(name) for name in "xyzuvw")
        formula = Formula(op.apply(tuple(Symbol(next(names), x) for x in inputs), params)).latex()
        assert formula and formula.count("{") == formula.count("}") and formula.count(r"\left") == formula.count(r"\right")
    if isinstance(op.rule, Elementwise):
        assert len(op.precedence) == 1 + len(op.rule.partials)
        assert op.kernel or hasattr(ag.special, name) or not isinstance(op.forward, np.ufunc), "a row of NumPy has a kernel"
    for method in op.methods:
        assert hasattr(Node, method)


# Parts of others, which people do not call by name.
INTERNAL = {
    "argument", "as_scalar", "as_tensor", "getitem", "index_set", "index_add", "residual", "cross_entropy_of_labels", "vstack",
    "hstack", "column_stack", "convolution", "fractional_part", "spherical_bessel", "divmod", "cholesky_factor", "eigen", "singular",
    "eigvalsh", "solution", "least_squares", "pseudo_inverse", "orthogonal_and_triangular", "sign_and_logarithm_of_det", "p_norm",
    "general_eigen", "general_eigenvalues", "general_power", "zeros_of_polynomial", "orthonormal_complement", "sylvester", "square_root_of_matrix", "banded_solution",
    *(f"{name}_reduceat" for name in ("add", "multiply", "maximum", "minimum")),
    *(f"scimath_{name}" for name in np.lib.scimath.__all__),
}  # fmt: skip


def test_every_row_that_people_need_has_a_public_name():
    public = {getattr(home, name) for home in (ag, ag.linalg, ag.special, ag.fft) for name in dir(home) if callable(getattr(home, name))}
    assert {name for name in ENTRIES if FUNCTIONS[name] not in public} == INTERNAL


def test_numpy_functions_are_answered_once():
    assert all(callable(f) and callable(g) for f, g in NUMPY.items())


# ---------------------------------------------------------------------- the tests are tested


def replaced(x, **fields):
    """A copy with some fields changed."""
    y = copy.copy(x)
    for name, value in fields.items():
        setattr(y, name, value)
    return y


def perturbed(rule):
    """Rules of the same kind that are wrong by 0.1 %, one for each place where a derivative is stated."""

    def off(f):
        return lambda *args, **params: f(*args, **params) * 1.001

    if isinstance(rule, Elementwise):
        for i, p in enumerate(rule.partials):
            if p is not None and not isinstance(p, Missing):
                wrong = off(p if callable(p) else lambda *args, p=p: p)
                yield replaced(rule, partials=(*rule.partials[:i], wrong, *rule.partials[i + 1 :]))
    elif isinstance(rule, Reduction):
        yield replaced(rule, weights=off(rule.weights))
    elif isinstance(rule, (Linear, Bilinear)):
        if callable(rule.transposes):
            yield replaced(rule, transposes=off(rule.transposes))
        else:
            for i, p in enumerate(rule.transposes):
                if p is not None:
                    yield replaced(rule, transposes=(*rule.transposes[:i], off(p), *rule.transposes[i + 1 :]))
    else:
        yield replaced(rule, vjp_rule=off(rule.vjp_rule))
        yield replaced(rule, jvp_rule=off(rule.jvp_rule))


@pytest.mark.parametrize("name", [name for name in DIFFERENTIABLE if name in TABLE])
def test_a_wrong_rule_is_caught(name):
    op = TABLE[name]
    wrong_rules = list(perturbed(op.rule))
    assert wrong_rules
    for rule in wrong_rules:
        wrong = replaced(op, rule=rule)

        def function(*args, wrong=wrong, **params):
            inputs, params = op.signature(*args, **params) if op.signature else (args, params)
            return wrong.apply(inputs, params)

        caught = False
        for k in range(len(samples(op))):
            case = Case(name, k, function)
            try:
                check_grads(case, case.floats, order=1, rtol=1e-8, atol=1e-9)
            except AssertionError:
                caught = True
        assert caught, f"a derivative of {name} that is wrong by 0.1 % passes"


@pytest.mark.parametrize("name,k", cases(DIFFERENTIABLE))
def test_a_quiz_marks_every_row(name, k):
    """The gradients are right, others are not, and no mistake is looked for in vain: marks come from the rows' rules."""
    case, rng = Case(name, k), np.random.default_rng(2)
    nodes = [ag.Scalar(x, f"x{i}") if isinstance(x, float) else ag.Tensor(x, f"x{i}") for i, x in enumerate(case.floats)]
    outputs = [y for y in leaves(case(*nodes)) if isinstance(y, Node)]
    total = sum((ag.sum(y * rng.normal(size=np.shape(y.value))) for y in outputs[1:]), ag.sum(outputs[0] * 1.5))
    if Reach([total]).complex:
        with pytest.raises(TypeError, match="computed with complex numbers"):
            ag.quiz(total)
        return
    quiz = ag.quiz(total, of=[x for x in nodes if x in ag.explain(total).graph.by_node])
    gradients = {q.node: q.adjoint for q in quiz.questions}
    assert quiz.answer(gradients).right
    for x, g in gradients.items():
        for wrong in (3 * g + 1, -g, np.zeros((7, 1, 1))):
            result = quiz.answer(x, wrong)[0]
            assert result.right == np.array_equal(g, wrong), (wrong, g)

"""Every row of the table is explained truly: what is printed is read again by an independent reader and computed.

Nothing here names an operator: a new row is tested because it is a row.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

import ag
from ag.explanation.formula import Formula, Pattern
from ag.explanation.names import Name
from ag.explanation.plain_text import plain_text
from ag.explanation.quantities import Graph
from ag.node import Node
from ag.operators import everything
from ag.operators.rules import FUNCTIONS, Elementwise, Missing, Zero
from ag.operators.table import TABLE
from ag.symbol import Symbol
from ag.transforms.containers import leaves, rebuilt
from formula_reader import evaluate

everything()  # the rows that are imported when they are asked for
DIGITS = 17
LABELS = "xyzuvw"


def samples(name):
    return TABLE[name].samples(np.random.default_rng(0))


def is_real(name, k):
    """Complex numbers are not explained: the error says so."""
    args, params = samples(name)[k]
    with np.errstate(all="ignore"):
        results = leaves(FUNCTIONS[name](*args, **params))
    return not any(np.iscomplexobj(x) for x in (*leaves(list(args)), *results))


def places(name):
    """The numbers of the samples that can be explained."""
    return [k for k in range(len(samples(name))) if is_real(name, k)]


def cases(names):
    return [pytest.param(name, k, id=f"{name}-{k}") for name in names for k in places(name)]


ROWS = [name for name, op in TABLE.items() if op.records and places(name)]
DIFFERENTIABLE = [name for name in ROWS if not isinstance(TABLE[name].rule, Zero)]


class Case:
    """One sample of a row as a graph: its float arrays as labelled leaves, and a random cotangent."""

    def __init__(self, name, k):
        args, params = samples(name)[k]
        parts = leaves(list(args))
        labels = iter(LABELS)
        missing = [isinstance(partial, Missing) for partial in TABLE[name].rule.partials or ()] or [False] * len(parts)
        self.leaves = [
            ag.Tensor(x, label=next(labels)) if np.asarray(x).dtype.kind == "f" and not (i < len(missing) and missing[i]) else x
            for i, x in enumerate(parts)
        ]
        self.y = FUNCTIONS[name](*rebuilt(list(args), self.leaves), **params)
        self.op = self.y.op
        g = np.random.default_rng(1).normal(size=np.shape(self.y.value))
        self.cotangent = float(g) if isinstance(self.y.value, float) else g
        self.graph = Graph(self.y, self.cotangent)
        self.q = self.graph.output
        self.step = [q for q in self.graph.quantities if q.op is not None]

    @property
    def names(self):
        """What the names in the formulas stand for."""
        found = {constant.name.text: constant.value for constant in self.graph.constants}
        for q in self.graph.quantities:
            found[q.name.text] = q.value
            found[q.derivative.text] = q.adjoint
        return found

    def read(self, formula, shape):
        exact = Formula(formula.symbol, DIGITS, formula.as_recorded)
        return evaluate(exact.text(), self.names, shape, [given.text() for given in exact.given()])

    def differences(self, i):
        """Σ g · ∂y/∂xᵢ by fourth-order differences of the row's forward computation alone, one element after another."""
        inputs = [x.value if isinstance(x, Node) else x for x in self.y.inputs]
        params = {k: {} if isinstance(v, dict) else v for k, v in self.y.params.items()}
        x = np.asarray(inputs[i], float)
        within = self.op.within or np.asarray  # symmetric matrices are moved as such
        found = np.empty(x.shape)
        h = 1e-3

        def at(place, step):
            moved = x.copy()
            moved[place] += step
            y = self.op.forward(*inputs[:i], within(moved)[()], *inputs[i + 1 :], **params)
            return float(np.sum(self.cotangent * np.asarray(y, float)))

        for place in np.ndindex(x.shape):
            found[place] = (8 * (at(place, h) - at(place, -h)) - (at(place, 2 * h) - at(place, -2 * h))) / (12 * h)
        return found


@pytest.mark.parametrize("name,k", cases(ROWS))
def test_the_definition_computes_the_value(name, k):
    case = Case(name, k)
    for q in case.step:
        np.testing.assert_allclose(case.read(q.definition, q.shape), q.value, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name,k", cases(DIFFERENTIABLE))
def test_the_contributions_compute_the_derivative(name, k):
    """Of every input: what is printed, read and computed, is what the engine computes and what differences say."""
    case = Case(name, k)
    assert any(q.terms for q in case.graph.quantities)
    for q in case.graph.quantities:
        for term in q.terms:
            printed = case.read(term.contribution, q.shape)
            np.testing.assert_allclose(printed, term.value, rtol=1e-12, atol=1e-13)
            if term.consumer is case.q:
                within = case.op.within or np.asarray
                np.testing.assert_allclose(within(printed), case.differences(term.position), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name,k", cases([name for name in DIFFERENTIABLE if isinstance(TABLE[name].rule, Elementwise)]))
def test_the_local_partials_compute_the_derivative(name, k):
    case = Case(name, k)
    for q in case.graph.quantities:
        for term in q.terms:
            partial = case.read(term.partial, term.consumer.shape)
            product = np.asarray(partial * case.cotangent)
            extra = product.ndim - len(q.shape)
            axes = [i for i in range(product.ndim) if i < extra or (q.shape[i - extra] == 1 and product.shape[i] != 1)]
            total = product.sum(axis=tuple(axes)).reshape(q.shape)
            np.testing.assert_allclose(total, case.differences(term.position), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", [name for name, op in TABLE.items() if op.jacobian])
def test_the_jacobian_is_the_matrix_of_differences(name):
    seen = 0
    for k in places(name):
        case = Case(name, k)
        if len(case.q.shape) != 1:
            continue
        (term,) = case.graph.quantities[0].terms
        matrix = Formula(Pattern(case.op.jacobian, case.q.definition.symbol, case.q.symbol))
        n = len(case.q.value)
        printed = case.read(matrix, (n, n))
        for i in range(n):
            unit = Case(name, k)
            unit.cotangent = np.eye(n)[i]
            np.testing.assert_allclose(printed[i], unit.differences(term.position), rtol=1e-8, atol=1e-9)
        seen += 1
    assert seen


# ---------------------------------------------------------------------- LaTeX says the same


def formulas(case):
    """All that is printed of a graph."""
    for q in case.graph.quantities:
        yield q.definition
        for term in q.terms:
            yield term.contribution
            yield from term.contribution.given()
            if term.partial is not None:
                yield term.partial


def typeset(line):
    """Let matplotlib set a formula, an independent reader of LaTeX; what it does not know is given as what it does."""
    from matplotlib.mathtext import MathTextParser

    known = {r"\bmod": r"\mathrm{mod}", r"\mathrel{+}=": "+=", r"\left[": "[", r"\right]": "]", r"\lnot": r"\neg", r"\land": r"\wedge", r"\lor": r"\vee",
             r"\begin{cases}": "(", r"\end{cases}": ")", r"\\": ",", "&": ","}  # fmt: skip
    for command, other in known.items():
        line = line.replace(command, other)
    return MathTextParser("path").parse(f"${line}$")


@pytest.mark.parametrize("name", ROWS)
def test_the_latex_says_what_the_text_says(name):
    """The LaTeX, made text, computes the same."""
    for k in places(name):
        case = Case(name, k)
        for q in case.step:
            assert_same(case, q.definition, q.value)
            for x in q.inputs:
                for term in [term for term in getattr(x, "terms", []) if term.consumer is q]:
                    assert_same(case, term.contribution, term.value)


def assert_same(case, formula, value):
    exact = Formula(formula.symbol, DIGITS, formula.as_recorded)
    latex = exact.latex()
    assert latex.count("{") == latex.count("}") and latex.count(r"\left") == latex.count(r"\right")
    names = {constant.name: constant.value for constant in case.graph.constants}
    names |= {q.name: q.value for q in case.graph.quantities} | {q.derivative: q.adjoint for q in case.graph.quantities}
    names = {plain_text(name.latex): x for name, x in names.items()}
    given = [plain_text(given.latex()) for given in exact.given()]
    np.testing.assert_allclose(evaluate(plain_text(latex), names, np.shape(value), given), value, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ROWS)
def test_the_latex_can_be_set(name):
    case = Case(name, places(name)[:2][-1])
    for formula in formulas(case):
        assert typeset(formula.latex()).width > 0


# ---------------------------------------------------------------------- precedence


SCALED = [
    name for name in ROWS if isinstance(TABLE[name].rule, (Elementwise, Zero)) and TABLE[name].signature is None and TABLE[name].kernel
    and all(np.asarray(x).dtype.kind != "i" for x in samples(name)[0][0])
]  # fmt: skip
COMPARISONS = [name for name, op in TABLE.items() if not op.records and len(op.samples(np.random.default_rng(0))[0][0]) == 2]
SHAPES = ((), (3,), (2, 3), (2, 1), (1,))


def arity(name):
    return len(samples(name)[0][0])


LEAVES = st.one_of(
    st.tuples(st.just("name"), st.sampled_from("xyzuvw"), st.sampled_from(SHAPES)),
    st.tuples(st.just("number"), st.sampled_from([1, 2, -1, -3, 0.5, 1.25, -0.75, 3e-07, -2.5e06])),
)


def larger(inner):
    rows = [st.tuples(st.just("row"), st.just(name), *[inner] * arity(name)) for name in SCALED]
    others = [
        st.tuples(st.just("reduce"), st.sampled_from(["sum", "mean", "prod", "max", "logsumexp", "norm", "var"]), inner, st.integers(-3, 1), st.booleans()),
        st.tuples(st.just("matmul"), inner, inner),
        st.tuples(st.just("indicator"), st.sampled_from(COMPARISONS), inner, inner, inner),
        st.tuples(st.just("where"), st.sampled_from(COMPARISONS), inner, inner, inner, inner),
        st.tuples(st.just("index"), inner, st.sampled_from([0, None, (..., None), (slice(None), None), (..., 0), (None, ..., None)])),
        st.tuples(st.just("transpose"), inner),
        st.tuples(st.just("softmax"), st.sampled_from(["softmax", "log_softmax"]), inner),
    ]
    return st.one_of(*rows[:8], st.one_of(*rows), st.one_of(*others))


EXPRESSIONS = st.recursive(LEAVES, larger, max_leaves=7)


def built(expression, values):
    """An expression from symbols; None where the shapes do not allow it."""
    kind, *parts = expression
    if kind == "name":
        name, shape = parts
        return values.setdefault((name, shape), Symbol(Name.of(f"{name}{len(shape)}{sum(shape)}"), values["rng"].uniform(0.3, 1.7, shape)))
    if kind == "number":
        return parts[0]
    args = [built(part, values) if isinstance(part, tuple) and part and isinstance(part[0], str) else part for part in parts]
    if kind == "row":
        return FUNCTIONS[args[0]](*args[1:])
    if kind in ("reduce", "softmax"):
        return FUNCTIONS[args[0]](args[1], **({"axis": args[2] if args[2] < 1 else None, "keepdims": args[3]} if kind == "reduce" else {}))
    if kind == "indicator":
        return FUNCTIONS[args[0]](*args[1:3]) * args[3]
    if kind == "where":
        return FUNCTIONS["where"](FUNCTIONS[args[0]](*args[1:3]), *args[3:])
    if kind == "matmul":
        return FUNCTIONS["matmul"](*args)
    if kind == "index":
        return args[0][args[1]]
    return args[0].T


def tame(x):
    """Are all numbers on the way finite?"""
    value = np.asarray(x._value if isinstance(x, Node) else x)
    return value.size and np.max(np.abs(value)) < 1e12 and all(map(tame, x.inputs if isinstance(x, Node) else ()))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(EXPRESSIONS, st.integers(0, 2**31), st.booleans())
def test_random_formulas_compute_their_value(expression, seed, as_recorded):
    """Nested as never a rule does: parentheses stand where they must, in both ways of printing."""
    with np.errstate(all="ignore"):
        try:
            values = {"rng": np.random.default_rng(seed)}
            symbol = built(expression, values)
        except (ValueError, IndexError, TypeError, AttributeError):
            assume(False)
        assume(isinstance(symbol, Symbol) and symbol.op is not None and tame(symbol))
        moved = {"rng": np.random.default_rng(seed)}
        for key, leaf in values.items():  # no formula that rounding decides
            if key != "rng":
                moved[key] = Symbol(leaf.name, leaf._value * (1 + 1e-9 * np.random.default_rng(seed + 1).normal(size=leaf.shape)))
        scale = max(1.0, float(np.max(np.abs(symbol._value))))
        names = {leaf.name.text: leaf._value for key, leaf in values.items() if key != "rng"}
        text = Formula(symbol, DIGITS, as_recorded).text()
        try:
            other = built(expression, moved)._value
            assume(np.max(np.abs(other - symbol._value)) < 1e-6 * scale)
            read = evaluate(text, names, symbol.shape, [given.text() for given in Formula(symbol, DIGITS).given()])
        except np.linalg.LinAlgError:  # of a matrix that is singular but for rounding
            assume(False)
        assume(np.isfinite(read).all())  # log(eˣ + eʸ) as it is written overflows where the row does not
        np.testing.assert_allclose(read, symbol._value, rtol=1e-6, atol=1e-6 * scale, err_msg=text)
        latex = Formula(symbol, DIGITS, as_recorded).latex()
        assert latex.count("{") == latex.count("}") and latex.count(r"\left") == latex.count(r"\right")

"""The page as text: its formulas in MathML, its kernels in JavaScript, what it says of graphs without sliders. `tests_browser` opens it."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

import ag
from ag.explanation.formula import Formula
from ag.explanation.kernels import NotPrintable, javascript
from ag.explanation.live import Program
from ag.explanation.mathml import mathml, pieces
from ag.explanation.names import Name
from ag.explanation.page import numeral_mathml
from ag.explanation.quantities import Graph
from ag.operators import everything
from ag.operators.table import TABLE
from ag.symbol import Symbol

everything()


def running():
    x, y = ag.Scalar(2.0, label="x"), ag.Scalar(1.0, label="y")
    s = x + y
    return ag.log(1 + ag.exp(-s)) * s


# ---------------------------------------------------------------------- MathML


@pytest.mark.parametrize(
    "latex,expected",
    [
        (r"z_{7}", "<msub><mi>z</mi><mn>7</mn></msub>"),
        (r"\frac{\partial f}{\partial z_{7}}", "<mfrac><mrow><mi>∂</mi><mi>f</mi></mrow><mrow><mi>∂</mi><msub><mi>z</mi><mn>7</mn></msub></mrow></mfrac>"),
        (r"-z_{3}", '<mrow><mo form="prefix">−</mo><msub><mi>z</mi><mn>3</mn></msub></mrow>'),
        (r"x - 12.5", '<mrow><mi>x</mi><mo form="infix">−</mo><mn>12.5</mn></mrow>'),
        (r"e^{-x}", '<msup><mi>e</mi><mrow><mo form="prefix">−</mo><mi>x</mi></mrow></msup>'),
        (r"W_{2}^{\top}", '<msubsup><mi>W</mi><mn>2</mn><mi mathvariant="normal">T</mi></msubsup>'),
        (r"\sqrt[3]{x}", "<mroot><mi>x</mi><mn>3</mn></mroot>"),
        (r"\operatorname{softmax}(z)", '<mrow><mi mathvariant="normal">softmax</mi><mo form="prefix" stretchy="false">(</mo><mi>z</mi><mo form="postfix" stretchy="false">)</mo></mrow>'),
        (r"\text{a<b}", "<mtext>a&lt;b</mtext>"),
        (r"\left(x\right)", '<mrow><mo form="prefix" stretchy="false">(</mo><mi>x</mi><mo form="postfix" stretchy="false">)</mo></mrow>'),
        (r"\left|\frac{x}{y}\right|", '<mrow><mo form="prefix" stretchy="true">|</mo><mfrac><mi>x</mi><mi>y</mi></mfrac><mo form="postfix" stretchy="true">|</mo></mrow>'),
    ],
)  # fmt: skip
def test_formulas_in_mathml(latex, expected):
    assert mathml(latex) == expected


def letters(elements):
    return "".join(ElementTree.fromstring(f"<math>{elements}</math>").itertext())


@pytest.mark.parametrize("latex,expected", [
    (r"z_{5} = x + y", ["z5=", "x", "+y"]),
    (r"= x + y", ["=x", "+y"]),
    (r"L = \operatorname{mean}\left(X \cdot W + b\right)_{y}", ["L=", "mean(X", "⋅W", "+b)y"]),
    (r"\left(\frac{x + 1}{y}\right) - 1", ["(x+1y)", "−1"]),  # brackets that grow stay with what they hold
    (r"-x^{a + b}", ["−xa+b"]),
    (r"f(x, y)", ["f(x,", "y)"]),
])  # fmt: skip
def test_where_a_formula_may_be_broken(latex, expected):
    assert [letters(piece) for piece in pieces(latex)] == expected


@pytest.mark.parametrize("name", TABLE)
def test_the_formula_of_every_row_is_mathml(name):
    """It is well-formed, and no command of LaTeX is left over."""
    op = TABLE[name]
    for args, params in op.samples(np.random.default_rng(0)):
        inputs, params = op.signature(*args, **params) if op.signature else (args, params)
        symbols = tuple(Symbol(Name.of(letter), x) if np.asarray(x).dtype.kind == "f" else x for letter, x in zip("xyzuvw", inputs, strict=False))
        if len(symbols) < len(inputs):
            continue
        latex = Formula(op.apply(symbols, params), as_recorded=True).latex() if any(isinstance(x, Symbol) for x in symbols) else ""
        text = mathml(latex)
        assert letters("".join(pieces(latex))) == letters(text), "in pieces it says the same"
        ElementTree.fromstring(f"<math>{text}</math>")
        assert "\\" not in text


@pytest.mark.parametrize(
    "label", ["x", "x1", "alpha", "a_b", "50 %", "a\\b", "a^b~c", "{}$#&", "<script>", "größe", "a  b", "x\\ y", "2×3", "损失 🙂"]
)
def test_labels_in_formulas_keep_their_letters(label):
    name = Name.of(label)
    both = rf"\frac{{\partial f}}{{\partial {name.latex}}} + {name.latex}"
    text = "".join(ElementTree.fromstring(f"<math>{mathml(both, labels={name.latex: name.text} if 'text' in name.latex else None)}</math>").itertext())
    shown = {"alpha": "α"}.get(label, " ".join(label.split()))
    assert text == f"∂f∂{shown}+{shown}"


@pytest.mark.parametrize("x,text", [(0.5, "<mn>0.5</mn>"), (-3.0, "<mo>−</mo><mn>3</mn>"), (np.inf, "<mi>∞</mi>"), (-np.inf, "<mo>−</mo><mi>∞</mi>"),
                                    (np.nan, "<mtext>nan</mtext>"), (1.5e-7, "<mn>1.5</mn><mo>⋅</mo><msup><mn>10</mn><mrow><mo>−</mo><mn>7</mn></mrow></msup>")])
def test_numbers_in_mathml(x, text):
    assert numeral_mathml(x) == text


# ---------------------------------------------------------------------- JavaScript


@pytest.mark.parametrize(
    "kernel,expected",
    [
        ("x + y", "(x + y)"),
        ("-x", "(-x)"),
        ("x ** y", "kernel.pow(x, y)"),
        ("x % y", "kernel.remainder(x, y)"),
        ("x // y", "kernel.floor_divide(x, y)"),
        ("maximum(x, 0)", "kernel.maximum(x, 0)"),
        ("y if x else z", "(x !== 0 ? y : z)"),
        ("x if x >= y or y != y else 0.5", "(x >= y || y !== y ? x : 0.5)"),
    ],
)
def test_kernels_in_javascript(kernel, expected):
    assert javascript(kernel) == expected


@pytest.mark.parametrize("kernel", ["x.y", "x[0]", "[x]", "f(x, k=1)", "'x'", "x and y", "x < y < z", "lambda: x"])
def test_what_is_no_kernel(kernel):
    with pytest.raises(ValueError, match="a kernel is made of x, y, z, numbers"):
        javascript(kernel)


def test_the_program_of_the_running_example():
    text = Program(Graph(running())).text()
    assert "log: lift((x) => kernel.log(x))," in text
    assert "{number: 8, inputs: (z) => [z[7], z[3]], forward: (a) => row.multiply(a[0], a[1])" in text
    assert "{of: 7, position: 0, weight: (ans, a) => a[1]}" in text


# ---------------------------------------------------------------------- graphs without sliders


def condition():
    x = ag.Scalar(2.0, label="x")
    return ag.where(x > 0, ag.sqrt(x), x)


def sorted_numbers():
    return (ag.sort(ag.Tensor([2.0, 1.0])) * [1.0, 2.0]).sum()


def exponent():
    mantissa, _ = ag.frexp(ag.Scalar(3.0))
    return mantissa * 2.0


REASONS = [
    (condition, r"the condition of z3 \(line \d+\) was fixed before it entered the graph: it would not follow"),
    (sorted_numbers, r"the index of z2 \(line \d+\) was fixed before it entered the graph: it would not follow"),
    (exponent, r"the integer of z2 \(line \d+\) was fixed before it entered the graph: it would not follow"),
    (lambda: ag.Tensor(np.zeros(100)).sum(), "a page computes arrays of up to 64 elements again, and z1 has 100"),
    (lambda: ag.Tensor(np.zeros(30)).sum(), "a page has up to 24, one for each element of a leaf, and here they would be 30"),
    (lambda: ag.Tensor(np.zeros(3, np.float32)).sum(), "z1 is float32, and a page computes in float64"),
    (lambda: sum((ag.Scalar(1.0) for _ in range(40)), ag.Scalar(0.0)), "a page computes up to 60 quantities again, and the graph has 81"),
    (lambda: (ag.Tensor(np.zeros((2, 1))) * np.zeros((2, 200))).sum(), "a page computes arrays of up to 64 elements again, and z2 has 400"),
    (lambda: ag.prod(ag.Tensor([1.0, 2.0])), "the row 'prod' has no kernel"),
    (lambda: ag.Tensor([1.0]).sum() * ag.special.gamma(ag.Scalar(2.0)), "the row 'gamma' has no kernel"),
    (lambda: (np.zeros((60, 10)) @ ag.Tensor(np.zeros(10))).sum(), "a page takes constants of up to 256 elements, and one of z2 has more"),
]


@pytest.mark.parametrize("make,reason", REASONS)
def test_why_there_are_no_sliders(make, reason):
    graph = Graph(make())
    with pytest.raises(NotPrintable, match=reason):
        Program(graph)


# ---------------------------------------------------------------------- the file


class Links(HTMLParser):
    """What a page would load, and the elements that are open at its end."""

    def __init__(self):
        super().__init__()
        self.found, self.scripts = [], 0

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script"
        self.found += [value for name, value in attrs if name in ("src", "href", "action") or tag in ("link", "iframe", "object", "img")]


def test_the_page_is_one_file(tmp_path):
    explanation = ag.explain(running())
    explanation.save(tmp_path / "f.html")
    text = (tmp_path / "f.html").read_text(encoding="utf-8")
    assert text == explanation.html()
    links = Links()
    links.feed(text)
    assert not links.found and links.scripts == 2
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(", text)
    assert not re.search(r"<!-- [a-z.]+ -->", text), "every place is filled"
    assert text.startswith("<!DOCTYPE html>") and text.rstrip().endswith("</html>")


def test_all_steps_are_in_the_file():
    """Without its script the page is a list."""
    text = ag.explain(running()).html()
    assert text.count('<li class="step forward"') == 8 and text.count('<li class="step backward"') == 8


def test_user_text_can_not_end_the_script():
    x = ag.Scalar(1.0, label="</script><b>\u2028")
    text = ag.explain(x * 2.0).html()
    assert "</script><b>" not in text and "\u2028" not in text.partition('id="data">')[2].partition("</script>")[0]


def test_a_page_of_a_thousand_quantities():
    x = ag.Scalar(0.3, label="x")
    y = x
    for _ in range(400):
        y = ag.sin(y) * 1.01 + x
    text = ag.explain(y).html()
    assert "There are no sliders: a page computes up to 60 quantities again, and the graph has 1,201." in text
    assert len(text) < 400_000

"""The page in a real browser: the golden data of the running example, steps, keys, sliders against the engine, looks, and safety."""

import math
import re

import numpy as np
import pytest

import ag
from ag.explanation import layout
from ag.explanation.numerals import numeral
from examples import ALL, LIVE, kinks, linear, logits, loop, network, running, stacked, vector

FORWARD = [
    "z1 = x = 2", "z2 = y = 1", "z3 = z1 + z2 = 3", "z4 = -z3 = -3", "z5 = e^z4 = 0.049787", "z6 = 1 + z5 = 1.0498",
    "z7 = log z6 = 0.048587", "z8 = z7 · z3 = 0.14576",
]  # fmt: skip
BACKWARD = [
    "∂f/∂z8 = 1",
    "∂f/∂z7 = ∂f/∂z8 · ∂z8/∂z7 = 1 · z3 = 1 · 3 = 3",
    "∂f/∂z6 = ∂f/∂z7 · ∂z7/∂z6 = 3 · (1 / z6) = 3 · 0.95257 = 2.8577",
    "∂f/∂z5 = ∂f/∂z6 · ∂z6/∂z5 = 2.8577 · 1 = 2.8577",
    "∂f/∂z4 = ∂f/∂z5 · ∂z5/∂z4 = 2.8577 · z5 = 2.8577 · 0.049787 = 0.14228",
    "∂f/∂z3 = ∂f/∂z8 · ∂z8/∂z3 + ∂f/∂z4 · ∂z4/∂z3 = 1 · z7 + 0.14228 · -1 = 1 · 0.048587 + 0.14228 · -1"
    " = 0.048587 + -0.14228 = -0.09369",
    "∂f/∂z2 = ∂f/∂z3 · ∂z3/∂z2 = -0.09369 · 1 = -0.09369",
    "∂f/∂z1 = ∂f/∂z3 · ∂z3/∂z1 = -0.09369 · 1 = -0.09369",
]


def spoken(page):
    return page.locator("#spoken").text_content()


def text_of(locator):
    """The letters of a formula without the invisible ones."""
    text = re.sub(r"\s+", "", locator.text_content()).replace("−", "-").replace("⋅", "·")
    return text.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-"))


def printed(x, digits=5):
    """A number as the page shows it, in the letters of `text_of`."""
    text = numeral(x, digits).replace("inf", "∞")
    return re.sub(r"e([+-])0*(\d+)", lambda m: "·10" + m[1].replace("+", "") + m[2], text)


# ---------------------------------------------------------------------- steps


def test_the_running_example_step_by_step(opened):
    page = opened(ag.explain(running()))
    assert page.title() == "f: 8 quantities, 2 of them leaves"
    assert text_of(page.locator("h1")).startswith("f(x,y)=")
    found = []
    for _ in range(16):
        page.keyboard.press("ArrowRight")
        found.append(spoken(page))
    assert found == [f"Forward, {i} of 8: {text}" for i, text in enumerate(FORWARD, 1)] + [
        f"Backward, {i} of 8: {text}" for i, text in enumerate(BACKWARD, 1)
    ]
    page.keyboard.press("ArrowRight")  # there is nothing after the last
    assert spoken(page) == found[-1]


def test_the_shown_formulas_of_the_running_example(opened):
    page = opened(ag.explain(running()))
    shown = []
    for _ in range(16):
        page.keyboard.press("ArrowRight")
        equation = page.locator("#steps > li.shown .equation")
        shown.append(text_of(equation.locator(".head")) + "".join(map(text_of, equation.locator(".side:not(.same)").all())))
    assert shown[6] == "z7=logz6=log1.0498=0.048587"
    assert shown[3] == "z4=-z3=-3"
    assert shown[9] == "∂f∂z7=∂f∂z8·∂z8∂z7=1·z3=1·3=3"
    assert shown[13] == (
        "∂f∂z3=∂f∂z8·∂z8∂z3+∂f∂z4·∂z4∂z3=1·z7+0.14228·(-1)=1·0.048587+0.14228·(-1)=0.048587+(-0.14228)=-0.09369"
    )


def test_the_table_has_all_quantities_with_their_numbers(opened):
    explanation = ag.explain(running())
    page = opened(explanation)
    rows = page.locator("#quantities tbody tr").all()
    assert [text_of(row.locator("th")) for row in rows] == [
        "z1=x", "z2=y", "z3=z1+z2", "z4=-z3", "z5=ez4", "z6=1+z5", "z7=logz6", "z8=z7·z3",
    ]  # fmt: skip
    for row, q in zip(rows, explanation.quantities, strict=True):
        assert text_of(row.locator("td.value")) == printed(q.value)
        assert text_of(row.locator("td.derivative")) == printed(q.adjoint)


def test_keys(opened):
    page = opened(ag.explain(running()))
    assert spoken(page) == "Overview" and page.locator("li.overview").is_visible()
    page.keyboard.press("End")
    assert spoken(page).startswith("Backward, 8 of 8")
    page.keyboard.press("ArrowLeft")
    assert spoken(page).startswith("Backward, 7 of 8")
    page.keyboard.press("Home")
    assert spoken(page) == "Overview"
    page.keyboard.press("ArrowLeft")
    assert spoken(page) == "Overview"
    page.clock.install()
    page.keyboard.press(" ")
    assert page.locator("#play").get_attribute("aria-label") == "Pause"
    page.clock.run_for(4000)
    assert spoken(page).startswith("Forward, 2 of 8")
    page.keyboard.press(" ")
    page.clock.run_for(4000)
    assert spoken(page).startswith("Forward, 2 of 8")
    assert page.locator("#play").get_attribute("aria-label") == "Play"


def test_keys_that_belong_to_somebody_else(opened):
    """A key in a number box edits the number, one on a slider moves it, and one with Ctrl is the browser's."""
    page = opened(ag.explain(running()))
    box = page.get_by_label("x, as a number")
    box.focus()
    box.press("ArrowLeft")
    assert spoken(page) == "Overview"
    page.locator(".slider input[type=range]").first.press("ArrowRight")
    assert spoken(page) == "Overview" and float(box.input_value()) > 2
    page.locator("body").press("Control+ArrowRight")
    assert spoken(page) == "Overview"


def test_buttons_and_the_position(opened):
    page = opened(ag.explain(running()))
    first, previous, following, last = (page.locator(f"#{name}") for name in ("first", "previous", "next", "last"))
    assert first.is_disabled() and previous.is_disabled() and following.is_enabled()
    following.click()
    following.click()
    assert spoken(page).startswith("Forward, 2 of 8")
    previous.click()
    assert spoken(page).startswith("Forward, 1 of 8")
    last.click()
    assert spoken(page).startswith("Backward, 8 of 8") and last.is_disabled() and following.is_disabled()
    assert page.locator("#ticks .done").count() == 16
    first.click()
    assert spoken(page) == "Overview" and page.locator("#ticks .done").count() == 0
    position = page.get_by_role("slider", name="Step")
    position.fill("9")
    assert spoken(page).startswith("Backward, 1 of 8")
    assert position.get_attribute("aria-valuetext") == spoken(page)


def test_a_quantity_leads_to_its_step(opened):
    page = opened(ag.explain(running()))
    page.locator("#drawing [data-key=z5]").click()
    assert spoken(page).startswith("Forward, 5 of 8")
    page.locator("#last").click()
    page.locator("#quantities tbody button").nth(6).click()
    assert spoken(page).startswith("Backward, 2 of 8: ∂f/∂z7")
    assert page.locator("#quantities [aria-current=step]").count() == 1


def test_what_is_lit_and_what_is_dim(opened):
    page = opened(ag.explain(running()))

    def keys(kind):
        return {node.get_attribute("data-key") for node in page.locator(f"#drawing [data-key].{kind}").all()}

    assert not keys("pending") and not keys("active")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    assert keys("active") == {"z6"} and keys("near") == {"z5"} and keys("pending") == {"z7", "z8"}
    assert page.locator("#drawing .ag-edge.lit").count() == 2, "from z5 and from the constant 1"
    assert page.locator("#quantities tr.pending").count() == 2
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    assert keys("active") == {"z3"} and keys("near") == {"z8", "z4"} and not keys("pending")
    assert keys("underived") >= {"z1", "z2"} and "z3" not in keys("underived")
    page.wait_for_timeout(400)
    opacity = "(node) => getComputedStyle(node).opacity"
    assert page.locator("#drawing [data-key=z1] text.ag-derivative").evaluate(opacity) == "0"
    assert page.locator("#drawing [data-key=z4] text.ag-derivative").evaluate(opacity) == "1"


# ---------------------------------------------------------------------- sliders


def values_of(page):
    """All numbers of the page."""
    found = page.evaluate("values")
    return {key: x if isinstance(x, (int, float)) else np.reshape(x["data"], x["shape"]) for key, x in found.items()}


def compare(page, graph):
    """The numbers of the page against a graph that was computed at the same values."""
    explanation = ag.explain(graph)
    found = values_of(page)
    for q in explanation.quantities:
        np.testing.assert_allclose(found[f"z{q.number}"], q.value, rtol=1e-12, atol=1e-15, err_msg=f"the value of {q!r}")
        np.testing.assert_allclose(found[f"g{q.number}"], q.adjoint, rtol=1e-12, atol=1e-15, err_msg=f"the derivative of {q!r}")
        for term in q.terms:
            key = f"{term.consumer.number}.{term.position}"
            np.testing.assert_allclose(found[f"t{key}"], term.value, rtol=1e-12, atol=1e-15, err_msg=f"a term of {q!r}")
    output = explanation.output
    assert text_of(page.locator(".overview .result").first).endswith(printed(output.value))
    rows = page.locator("#quantities tbody tr").all()
    for row, q in zip(rows, explanation.quantities, strict=True):
        if q.shape == ():
            assert text_of(row.locator("td.value")) == printed(q.value)
            assert text_of(row.locator("td.derivative")) == printed(q.adjoint)


@pytest.mark.parametrize("example", LIVE, ids=lambda f: f.__name__)
def test_sliders_compute_what_the_engine_computes(opened, example):
    page = opened(ag.explain(example()))
    compare(page, example())
    sliders = page.locator(".slider input[type=range]").all()
    rng = np.random.default_rng(0)
    for _ in range(4):
        for slider in sliders:
            slider.fill(str(rng.uniform(-4, 4)))
        given = [float(box.input_value()) for box in page.locator(".slider input[type=number]").all()]
        compare(page, example(*given))


@pytest.mark.parametrize(
    "x,y", [(-1.0, 2.0), (0.0, 0.0), (1.0, 3.0), (0.2, 2.0), (2.0, 0.0), (-2.0, -3.0), (1e3, 2.0), (1e-9, 1.0)]
)
def test_special_points_in_the_number_boxes(opened, x, y):
    """Kinks, ties, branches not taken whose own derivative is not finite, numbers beyond the ends of the sliders."""
    page = opened(ag.explain(kinks()))
    page.get_by_label("x, as a number").fill(str(x))
    page.get_by_label("y, as a number").fill(str(y))
    with np.errstate(all="ignore"):
        compare(page, kinks(x, y))
    assert abs(float(page.locator(".slider input[type=range]").first.input_value()) - x) <= abs(x) * 0.01


def test_a_formula_follows_its_branch(opened):
    """∂(x^y)/∂x is 0 at x = y = 0, and y x^(y-1) elsewhere: the page shows the one that holds."""
    x, y = ag.Scalar(0.0, label="x"), ag.Scalar(0.0, label="y")
    page = opened(ag.explain(x**y * 2.0))
    page.locator("#last").click()
    side = page.locator("#steps > li.shown .side").nth(1)
    taken = "(side) => [...side.querySelectorAll('mrow[data-choice] > :not(.off)')].map((part) => part.textContent)"
    assert side.evaluate(taken)[0] == "0"
    page.get_by_label("x, as a number").fill("1.5")
    page.get_by_label("y, as a number").fill("3")
    assert side.evaluate(taken)[0].startswith("z2")
    page.wait_for_timeout(600)
    assert spoken(page).endswith("= 2 · 6.75 = 13.5"), "2 · 3 · 1.5², and nothing of the branch that was recorded"


def test_the_drawing_has_the_new_numbers(opened):
    page = opened(ag.explain(running()))
    page.get_by_label("x, as a number").fill("-3")
    node = page.locator("#drawing [data-key=z4]")
    assert node.locator("text.ag-value").text_content() == "2"
    assert node.locator("text.ag-derivative").text_content() == "∂f/∂z₄ = −1.762"
    assert "z₅ = 7.389" in page.locator("#drawing .ag-partial").all_text_contents()[2].replace("\n", "") or any(
        "7.389" in text for text in page.locator("#drawing .ag-partial").all_text_contents()
    )
    for text in page.locator("#drawing text.ag-derivative").all():
        circle = text.locator("xpath=..").locator("circle").last.bounding_box()
        box = text.bounding_box()
        assert circle["x"] < box["x"] and box["x"] + box["width"] < circle["x"] + circle["width"]


def test_reset_and_what_is_not_a_number(opened):
    page = opened(ag.explain(running()))
    reset, box = page.locator("#reset"), page.get_by_label("x, as a number")
    assert reset.is_disabled()
    box.fill("0.25")
    assert reset.is_enabled() and values_of(page)["z3"] == 1.25
    box.fill("")
    assert values_of(page)["z3"] == 1.25, "nothing is computed from nothing"
    assert box.evaluate("(box) => box.validationMessage") == "a number, such as 0.5"
    reset.click()
    assert box.input_value() == "2" and reset.is_disabled()
    compare(page, running())


@pytest.mark.parametrize("example", [logits, stacked, linear], ids=lambda f: f.__name__)
def test_the_probabilities_of_the_classes(opened, example):
    """The slider shows p, p - e_y and the loss."""
    page = opened(ag.explain(example()))
    page.locator(".slider input[type=number]").first.fill("-2.5")
    given = [float(box.input_value()) for box in page.locator(".slider input[type=number]").all()]
    graph = ag.explain(example(*given))
    z = next(q for q in graph.quantities if q.op is None and q.label == "z") if example is logits else graph.quantities[-2 if example is linear else 3]
    p = ag.softmax(z.value)
    label = 0 if example is linear else 1
    rows = page.locator("#classes tbody tr").all()
    assert len(rows) == 3
    for k, row in enumerate(rows):
        cells = [text_of(cell) for cell in row.locator("td").all()]
        assert cells == [printed(z.value[k], 4), printed(p[k], 4), printed(p[k] - (k == label), 4)]
        bar = row.locator(".bar").first
        width = bar.locator("i").evaluate("(bar) => bar.getBoundingClientRect().width / bar.parentElement.clientWidth")
        assert width == pytest.approx(p[k], abs=0.02)
    assert text_of(page.locator("#loss")) == f"L={printed(-math.log(p[label]))}"


def test_numbers_are_written_as_python_writes_them(opened):
    page = opened(ag.explain(running()))
    rng = np.random.default_rng(0)
    numbers = [0.0, -0.0, 0.5, 1e15, 123456.7, 1e-5, 99999.5, 0.000099999999, 1.00005, 2.03125, 1.03125, -7.0, 1e300, 5e-324, math.inf, math.nan]
    numbers += [*(rng.normal(size=200) * 10.0 ** rng.integers(-12, 12, 200)), *(rng.integers(-(2**20), 2**20, 200) / 2**12)]
    for digits in (3, 4, 5):
        found = page.evaluate("([numbers, digits]) => numbers.map((x) => numeral(x, digits))", [list(map(float, numbers)), digits])
        assert found == [numeral(x, digits) for x in numbers]


# ---------------------------------------------------------------------- without sliders


def test_a_large_graph_is_folded_and_says_why_it_has_no_sliders(opened):
    page = opened(ag.explain(loop()))
    assert page.locator(".slider").count() == 0
    assert "There are no sliders: a page computes up to 60 quantities again, and the graph has 1,201." in page.locator("#quantities").text_content()
    assert page.locator("#quantities tbody tr").count() == 4
    page.keyboard.press("End")
    assert spoken(page).startswith("Backward, 4 of 4")


def test_the_network(opened):
    page = opened(ag.explain(network()))
    assert page.locator(".slider").count() == 0
    steps = page.locator("#steps > li").count() - 1
    assert steps == 20
    for i in range(1, steps + 1):
        page.keyboard.press("ArrowRight")
        assert page.locator("#drawing .active").count() == 1, i
    assert "∂L/∂W1 = Xᵀ · ∂L/∂z5" in spoken(page)
    assert "(64×32)" in page.locator("#steps > li.shown").text_content()


def test_an_output_without_a_derivative(opened):
    page = opened(ag.explain(vector()))
    assert page.locator("#steps > li").count() == 3
    page.keyboard.press("End")
    assert spoken(page).startswith("Forward, 2 of 2")
    page.locator(".slider input[type=number]").first.fill("3")
    np.testing.assert_allclose(values_of(page)["z2"], ag.softmax([3.0, 2.0, 0.5]), rtol=1e-12)


def test_without_graphviz_the_page_lists_the_quantities(opened, monkeypatch):
    monkeypatch.setattr(layout, "installed", lambda: False)
    page = opened(ag.explain(running()))
    assert "pip install 'ag-autodiff[draw]'" in page.locator("#drawing").text_content()
    assert page.locator("#quantities tbody tr").count() == 8
    page.keyboard.press("ArrowRight")
    page.get_by_label("x, as a number").fill("1")
    compare(page, running(1.0, 1.0))


# ---------------------------------------------------------------------- how it looks


@pytest.mark.parametrize("example", ALL, ids=lambda f: f.__name__)
@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_is_wider_than_the_window(opened, example, width):
    page = opened(ag.explain(example()), viewport={"width": width, "height": 800})
    for key in ("Home", "End"):
        page.keyboard.press(key)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


HIDDEN = """() => [...document.querySelectorAll('#classes, #quantities, #quantities button, h1, .side, .result, .source, .slider input')]
  .filter((x) => x.checkVisibility() && (x.scrollWidth > x.clientWidth + 1)).map((x) => `${x.tagName} ${x.className}: ${x.textContent.trim()}`)"""
OUTSIDE = """() => [...document.querySelectorAll('#quantities td > span, #classes td')]
  .filter((x) => x.getBoundingClientRect().right > x.closest('section').getBoundingClientRect().right - 10).map((x) => x.textContent)"""
OVERLAPS = """() => [...document.querySelectorAll('#classes tr')].flatMap((row) => {
  const boxes = [...row.querySelectorAll('.number, .bar, th')].map((x) => x.getBoundingClientRect());
  return boxes.filter((a, i) => boxes.some((b, j) => i < j && a.left < b.right - 0.5 && b.left < a.right - 0.5 && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5));
}).length"""


def batch():
    """Four examples of three classes, one of which is nearly certain."""
    W = ag.Tensor([[-0.374643, -1.728005, 1.487198], [-1.327521, -0.09855, -0.349775]], label="W")
    X = np.array([[0.36, 1.3], [0.95, -0.7], [1.04, -1.27], [-0.54, 1.37]]) * 3
    return ag.cross_entropy(X @ W + ag.Tensor(np.zeros(3), label="b"), [0, 2, 1, 1])


def perceptron():
    """A network whose arrays are too large for sliders, and whose formulas are long."""
    rng = np.random.default_rng(1)
    W1, b1, W2, b2 = (ag.Tensor(rng.normal(size=s), label=n) for n, s in (("W1", (4, 8)), ("b1", 8), ("W2", (8, 3)), ("b2", 3)))
    X, y = rng.normal(size=(10, 4)), rng.integers(0, 3, 10)
    return ag.cross_entropy(np.tanh(X @ W1 + b1) @ W2 + b2, y)


@pytest.mark.parametrize("example", [*ALL, batch, perceptron], ids=lambda f: f.__name__)
@pytest.mark.parametrize("width", [390, 900, 1280])
def test_no_number_and_no_formula_is_cut(opened, example, width):
    page = opened(ag.explain(example()), viewport={"width": width, "height": 800})
    for key in ("Home", "End"):
        page.keyboard.press(key)
        assert page.evaluate(HIDDEN) == []
    assert page.evaluate(OVERLAPS) == 0
    assert page.evaluate(OUTSIDE) == []


def test_the_classes_of_each_example(opened):
    page = opened(ag.explain(batch()))
    names = page.locator("#classes th[scope=rowgroup]").all_text_contents()
    assert names == ["example 0", "example 1", "example 2", "example 3"]
    points = page.locator("#classes td:last-child .number i").evaluate_all("(parts) => parts.map((x) => x.getBoundingClientRect().left)")
    assert len(points) == 12 and max(points) - min(points) < 0.5, "point under point"


def test_what_needs_a_keyboard_is_not_said_where_there_is_none(opened):
    assert opened(ag.explain(running())).locator(".overview kbd").first.is_visible()
    assert not opened(ag.explain(running()), has_touch=True, is_mobile=True).locator(".overview kbd").first.is_visible()


def test_number_boxes_compute_with_all_digits(opened):
    page = opened(ag.explain(batch()))
    box = page.locator(".slider input[type=number]").first
    assert box.input_value() == "-0.37464" and values_of(page)["z1"][0, 0] == -0.374643
    box.focus()
    assert box.input_value() == "-0.374643"
    box.fill("0.123456789")
    box.blur()
    assert box.input_value() == "0.12346" and values_of(page)["z1"][0, 0] == 0.123456789


def test_infinity_is_written_in_one_way(opened):
    page = opened(ag.explain(running()))
    page.get_by_label("x, as a number").fill("-1000")
    for place in (".overview .result", "#quantities tr:last-child td.value", "#drawing [data-key=z8] text.ag-value"):
        assert text_of(page.locator(place).first).endswith("-∞"), place
    assert "inf" not in page.locator("main").inner_text()


def luminance(page, selector, what):
    red, green, blue = page.evaluate(
        """([selector, what]) => {
          const context = new OffscreenCanvas(1, 1).getContext("2d");
          context.fillStyle = getComputedStyle(document.querySelector(selector))[what];
          context.fillRect(0, 0, 1, 1);
          return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map((c) => c / 255);
        }""",
        [selector, what],
    )
    linear_light = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    return np.dot([0.2126, 0.7152, 0.0722], linear_light)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system_and_the_button(opened, scheme):
    page = opened(ag.explain(running()), color_scheme=scheme)
    page.keyboard.press("End")

    def is_dark():
        return luminance(page, "body", "backgroundColor") < 0.2

    def contrast(selector):
        pair = sorted((luminance(page, selector, "color"), luminance(page, ".card", "backgroundColor")))
        return (pair[1] + 0.05) / (pair[0] + 0.05)

    for expected in (scheme == "dark", scheme != "dark"):
        assert is_dark() == expected
        assert page.locator("#theme").get_attribute("aria-pressed") == str(expected).lower()
        for selector in ("#steps .shown .equation", "#steps .shown .phase", "#steps .shown .phase b", "#quantities thead th", ".source code"):
            assert contrast(selector) >= 4.5, selector
        page.locator("#theme").click()


def test_printed_it_is_a_list_of_all_steps(opened):
    page = opened(ag.explain(running()), color_scheme="dark")
    page.keyboard.press("ArrowRight")
    assert page.locator("#steps > li:visible").count() == 1
    page.emulate_media(media="print")
    assert page.locator("#steps > li:visible").count() == 16
    assert not page.locator(".controls").is_visible() and not page.locator(".slider").first.is_visible()
    assert luminance(page, "#steps .equation", "color") < 0.1
    opacity = page.locator("#quantities tr:last-child td.derivative").evaluate("(cell) => getComputedStyle(cell).opacity")
    assert opacity == "1"
    assert page.pdf().startswith(b"%PDF")


def test_the_page_for_who_does_not_see_it(opened):
    page = opened(ag.explain(running()))
    tree = page.locator("body").aria_snapshot()
    for part in ('heading "f(x, y) = log(1 + e^(-(x + y))) · (x + y)"', 'button "Next step"', 'button "Previous step" [disabled]', 'button "Play"', 'slider "Step"',
                 'region "Step by step"', 'region "Computation graph"', 'region "Try other values"', 'slider "x"',
                 'spinbutton "x, as a number"', 'columnheader "derivative"', 'button "Dark colours"'):  # fmt: skip
        assert part in tree, part
    assert "img \"Computation graph of f" in tree
    assert page.locator("[aria-live=polite]").count() == 1
    assert page.locator("html").get_attribute("lang") == "en"
    unnamed = page.evaluate("[...document.querySelectorAll('button')].filter((b) => !b.textContent.trim() && !b.ariaLabel).length")
    assert unnamed == 0


def test_the_focus_is_seen(opened):
    page = opened(ag.explain(running()))
    for _ in range(3):
        page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth")
    assert outline.startswith("solid") and float(outline.removeprefix("solid").removesuffix("px")) >= 2


# ---------------------------------------------------------------------- what users write

WORDS = [
    "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "a\u2028b\u2029c", "$x$ \\ {} ^ ~ # % & _", '"quoted" \'twice\'',
    "<!-- steps -->", "\ue000z1\ue001", "größe 损失 🙂", "-->", "]]>",
]  # fmt: skip


@pytest.mark.parametrize("label", WORDS)
@pytest.mark.parametrize("face", [ag.Scalar, lambda x, label: ag.Tensor([x, x + 1], label=label)], ids=["scalar", "tensor"])
def test_labels_are_text_whatever_they_say(opened, label, face):
    x = face(2.0, label)
    y = ag.exp(x * 2.0)
    page = opened(ag.explain(y.sum() if isinstance(y, ag.Tensor) else y))
    shown = " ".join(label.split())
    assert shown.replace(" ", "") in re.sub(r"\s+", "", page.locator("#quantities").text_content())
    assert page.locator(".slider label").first.text_content().startswith(shown)
    page.keyboard.press("End")
    page.locator(".slider input[type=number]").first.fill("1")
    assert page.locator("img[src]").count() == 0 and page.locator("script").count() == 2


def test_lines_of_the_program_are_text_whatever_they_say(opened, tmp_path):
    line = 'y = ag.exp(x) * 2.0  # </script><img src=x onerror=alert(1)> <!-- data --> & "quoted"'
    path = tmp_path / "<b>model.py"
    path.write_text(line)
    names = {"ag": ag, "x": ag.Scalar(1.0, label="x")}
    exec(compile(line, str(path), "exec"), names)
    page = opened(ag.explain(names["y"]))
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#steps > li.shown code").text_content() == line
    assert "<b>model.py:1" in page.locator("#steps > li.shown .source").text_content()

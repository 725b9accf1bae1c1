"""The pages of a compiled function, show() and cost(), in a real browser: nothing is cut at any width, all can be read."""

import numpy as np
import pytest

import ag
from ag.compiler.machine import native

pytestmark = pytest.mark.skipif(not native.available(), reason="needs llvmlite")
RNG = np.random.default_rng(0)


def recurrent(p, xs):
    def step(h, x):
        h = ag.tanh(p["W"] @ h + p["U"] @ x)
        return h, p["v"] @ h

    return (ag.scan(step, np.zeros(8), xs)[1] ** 2).sum()


def classifier(W, b, X, y):
    return ag.cross_entropy(X @ W + b, y)


PROGRAMS = {
    "a loop": (recurrent, {"W": np.eye(8) / 2, "U": RNG.normal(size=(8, 4)), "v": np.ones(8)}, RNG.normal(size=(50, 4))),
    "a classifier": (classifier, np.zeros((784, 10)), np.zeros(10), RNG.normal(size=(500, 784)), RNG.integers(0, 10, 500)),
}  # fmt: skip
CUT = """() => [...document.querySelectorAll('body, section, table, .scroll, td, summary, figure, header')]
  .filter((x) => x.checkVisibility() && x.scrollWidth > x.clientWidth + 1 && x.clientWidth > 0).map((x) => x.className || x.tagName)"""
CONTRAST = """() => {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgb = (colours) => {
    for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map((c) => c / 255);
  };
  const light = (colours) => rgb(colours).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const found = [];
  for (const x of document.querySelectorAll(".listing td, .listing code, .listing span, .pass span, .steps td, .facts td, .hint")) {
    if (!x.checkVisibility() || !x.textContent.trim()) continue;
    const above = [];
    for (let y = x; y; y = y.parentElement) above.unshift(y);
    if (above.some((y) => getComputedStyle(y).opacity !== "1")) found.push(`${x.className} is seen through`);
    const grounds = above.map((y) => getComputedStyle(y).backgroundColor);
    const [a, b] = [light(grounds), light([...grounds, getComputedStyle(x).color])].sort((p, q) => q - p);
    if ((a + 0.05) / (b + 0.05) < 4.5) found.push(`${x.tagName} ${x.className}: ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
  }
  return [...new Set(found)];
}"""


@pytest.fixture(params=PROGRAMS)
def program(request):
    f, *args = PROGRAMS[request.param]
    return ag.jit(ag.value_and_grad(f)), args


def unfold(page):
    page.evaluate("document.querySelectorAll('.pass').forEach((each) => (each.open = true))")


@pytest.mark.parametrize("width", [390, 900, 1280])
def test_nothing_is_cut(opened, program, width):
    f, args = program
    for made in (f.show(*args), f.cost(*args)):
        page = opened(made, viewport={"width": width, "height": 800})
        unfold(page)
        assert page.evaluate(CUT) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_can_be_read(opened, program, scheme):
    f, args = program
    for made in (f.show(*args), f.cost(*args)):
        page = opened(made, color_scheme=scheme)
        unfold(page)
        assert page.evaluate(CONTRAST) == []


def test_the_roof_can_be_read_on_a_phone(opened, program):
    f, args = program
    page = opened(f.cost(*args), viewport={"width": 390, "height": 800})
    scale = page.locator(".roof").evaluate("(x) => x.getBoundingClientRect().width / x.viewBox.baseVal.width")
    sizes = page.locator(".roof text").evaluate_all("(texts) => texts.map((x) => parseFloat(getComputedStyle(x).fontSize))")
    assert min(sizes) * scale >= 9
    card = page.locator("#part-roof").bounding_box()
    for text in page.locator(".roof text").all():
        box = text.bounding_box()
        assert card["x"] <= box["x"] and box["x"] + box["width"] <= card["x"] + card["width"]


def test_a_body_has_quantities_of_its_own(opened):
    f, *args = PROGRAMS["a loop"]
    page = opened(ag.jit(f).show(*args, stage="program"))
    inner = page.locator(".body table").first
    inner.locator(".own").nth(0).hover()
    assert page.locator(".lit").count() == inner.locator(".lit").count() >= 2
    page.locator(".listing > tbody > tr > .quantity > .own").nth(0).hover()
    assert page.locator(".lit").count() == 2, "where it is named, and where the loop is given it"
    assert inner.locator(".lit").count() == 0

"""The pictures of ag.draw in a real browser, with its own fonts: every line stands in its disc or plate, and none on another."""

import numpy as np
import pytest

import ag
from examples import ALL

MEASURED = """() => {
  const box = text => { const b = text.getBBox(), y = +text.getAttribute('y'), size = +text.getAttribute('font-size');
                        return [b.x, y - 0.72 * size, b.x + b.width, y + 0.05 * size]; };
  return [...document.querySelectorAll('svg text')].map(text => {
    const disc = [...text.parentNode.querySelectorAll('circle')].pop(), plate = text.parentNode.querySelector('rect');
    const number = (x, ...names) => names.map(name => +x.getAttribute(name));
    return {text: text.textContent, box: box(text), disc: disc && number(disc, 'cx', 'cy', 'r'),
            plate: plate && number(plate, 'x', 'y', 'width', 'height'), width: text.ownerSVGElement.viewBox.baseVal.width,
            smallest: Math.min(...[text, ...text.querySelectorAll('[font-size]')].map(x => +x.getAttribute('font-size')))};
  });
}"""


def neurons():
    """Two neurons, whose weights all have names."""
    w = [[ag.Scalar(0.3 * i - 0.2 * j, label=f"w{i}{j}") for j in range(3)] for i in range(2)]
    x = [ag.Scalar(v, label=f"x{i}") for i, v in enumerate((1.0, -0.5, 2.0))]
    h = [ag.tanh(w[i][0] * x[0] + w[i][1] * x[1] + w[i][2] * x[2]) for i in range(2)]
    return (h[0] - h[1] - 0.5) ** 2


def scalars():
    """A network of more than 10,000 scalars."""
    rng = np.random.default_rng(0)
    values = [ag.Scalar(float(v), label=f"x{i}") for i, v in enumerate(rng.random(30))]
    for n in (40, 40, 12, 1):
        values = [ag.tanh(sum((ag.Scalar(rng.normal()) * v for v in values), ag.Scalar(0.0))) for _ in range(n)]
    return values[0]


def wide(n=500):
    """A sum of many leaves."""
    return sum(ag.Scalar(float(i), label=f"x{i}") for i in range(n))


DRAWN = [(make, backward) for make in (*ALL, neurons, scalars, wide) for backward in (False, True) if not (backward and make.__name__ == "vector")]


@pytest.mark.parametrize(("make", "backward"), DRAWN, ids=lambda x: getattr(x, "__name__", "backward" if x else "forward"))
def test_every_line_has_its_room(browser, make, backward):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_content(ag.draw(make(), backward=backward).svg())
    lines = page.evaluate(MEASURED)
    page.close()
    assert lines
    for line in lines:
        x0, y0, x1, y1 = line["box"]
        assert line["smallest"] * min(1, 1280 / line["width"]) >= 9, line
        if line["disc"]:
            x, y, r = line["disc"]
            assert max(np.hypot(cx - x, cy - y) for cx in (x0, x1) for cy in (y0, y1)) <= r, line
        else:
            x, y, w, h = line["plate"]
            assert x <= x0 and x1 <= x + w and y <= y0 and y1 <= y + h, line
    for i, first in enumerate(lines):
        for second in lines[:i]:
            a, b = first["box"], second["box"]
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (first, second)


def test_screen_readers_are_told_the_picture(browser):
    page = browser.new_page()
    page.set_content(ag.draw(ALL[0]()).svg())
    picture = page.get_by_role("img", name="Computation graph of f: 8 quantities, 2 leaves")
    assert picture.count() == 1
    page.close()

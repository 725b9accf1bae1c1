"""How nodes and explanations show themselves in a notebook."""

import re
import xml.etree.ElementTree as ET

import numpy as np

import ag


def cells(html):
    """The rows of a table, as text."""
    table = ET.fromstring(html[html.index("<table") :])
    return [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]


def test_a_node_shows_its_value_its_grad_and_what_made_it():
    x, y = ag.Scalar(2.0, label="x"), ag.Scalar(1.0)
    f = x * y + 3.0
    f.backward()
    assert cells(x._repr_html_()) == [["Scalar x"], ["value", "2.0", ""], ["grad", "1.0", ""]]
    name, *rows = cells(f.inputs[0]._repr_html_())
    assert name == ["Scalar"]
    assert rows[:2] == [["value", "2.0", ""], ["grad", "1.0", ""]]
    assert rows[2][:2] == ["made by", "multiply(x, 1)"]
    assert re.fullmatch(r"test_notebooks.py:\d+", rows[2][2])
    assert cells(f._repr_html_())[3][1] == "add(2, 3)"


def test_arrays_show_their_shape_and_not_too_many_elements():
    W = ag.Tensor(np.arange(640, dtype=np.float32).reshape(64, 10), label="W")
    (name, (_, text, kind)) = cells(W._repr_html_())
    assert (name, kind) == (["Tensor W"], "(64×10) float32")
    assert "..." in text and len(text) < 200
    assert cells(ag.where(W > 3, W, 0)._repr_html_())[2][1] == "where((64×10) bool, W, 0)"


def test_a_node_never_shows_its_graph():
    z = ag.Scalar(0.5)
    for _ in range(10_000):
        z = ag.sin(z)
    assert len(z._repr_html_()) < 1500


def test_labels_can_not_be_taken_for_html():
    assert "<script>" not in ag.Scalar(1.0, label="<script>")._repr_html_()


def test_nodes_in_latex():
    assert ag.Scalar(2.5, label="x1")._repr_latex_() == r"$\displaystyle x_{1} = 2.5$"
    assert ag.Scalar(-np.inf)._repr_latex_() == r"$\displaystyle -\infty$"
    W = ag.Tensor([[1.0, 2.0], [3.0, 4.0]], label="W")
    assert W._repr_latex_() == r"$\displaystyle W = \begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}$"
    assert ag.Tensor(np.zeros((64, 10)))._repr_latex_() == r"$\displaystyle \text{array of shape } 64\times 10$"


def test_an_explanation_in_latex_is_its_equations():
    x = ag.Scalar(2.0, label="x")
    text = ag.explain(ag.exp(x))._repr_latex_()
    assert text.count(r"\begin{align*}") == text.count(r"\end{align*}") == 2
    assert r"\frac{\partial f}{\partial z_{1}}" in text and r"\documentclass" not in text
    forward_alone = ag.explain(ag.Tensor([1.0, 2.0]) * 2)._repr_latex_()
    assert forward_alone.count(r"\begin{align*}") == 1

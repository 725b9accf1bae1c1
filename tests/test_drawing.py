"""ag.draw: what is drawn of a graph, how large graphs are folded, what every format says, and that pictures can be read."""

import itertools
import os
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import ImageFont

import ag
from ag.explanation import appearance, drawing, layout

SVG = "{http://www.w3.org/2000/svg}"


def running_example():
    x, y = ag.Scalar(2.0, label="x"), ag.Scalar(1.0, label="y")
    s = x + y
    return ag.log(1 + ag.exp(-s)) * s


def network(backward=False):
    """A two-layer network on real digits."""
    data = ag.datasets.digits()
    images, labels = data.X_train[:64], data.y_train[:64]
    rng = np.random.default_rng(0)

    def loss(W1, b1, W2, b2):
        return ag.cross_entropy(np.tanh(images @ W1 + b1) @ W2 + b2, labels)

    args = rng.normal(0, 0.1, (64, 32)), np.zeros(32), rng.normal(0, 0.1, (32, 10)), np.zeros(10)
    return ag.draw(loss, *args, backward=backward)


def scalar_network():
    """A network of scalars, written as one would for teaching: 10,092 quantities."""
    rng = np.random.default_rng(0)
    values = [ag.Scalar(float(v), label=f"x{i}") for i, v in enumerate(rng.random(30))]
    for n in (40, 40, 12, 1):
        layer = []
        for _ in range(n):
            total = ag.Scalar(0.0)
            for v in values:
                total = total + ag.Scalar(rng.normal()) * v
            layer.append(ag.tanh(total))
        values = layer
    return values[0]


def chain(n):
    z = ag.Scalar(0.5, label="x")
    for _ in range(n):
        z = ag.sin(z)
    return z


def wide_sum(n):
    return sum(ag.Scalar(float(i), label=f"x{i}") for i in range(n))


def small_network():
    """Two neurons, every weight with a label of its own."""
    w = [[ag.Scalar(0.3 * i - 0.2 * j, label=f"w{i}{j}") for j in range(3)] for i in range(2)]
    x = [ag.Scalar(v, label=f"x{i}") for i, v in enumerate((1.0, -0.5, 2.0))]
    h = [ag.tanh(w[i][0] * x[0] + w[i][1] * x[1] + w[i][2] * x[2]) for i in range(2)]
    return (h[0] - h[1] - 0.5) ** 2


def different_lines():
    """Thirty operators one after the other, each on a line of its own."""
    names = {"z": ag.Scalar(0.5, label="x"), "ag": ag}
    for i in range(30):
        exec(compile("\n" * i + "z = ag.sin(z)", "program.py", "exec"), names)
    return names["z"]


PICTURES = {
    "running example": lambda: ag.draw(running_example()),
    "running example, backward": lambda: ag.draw(running_example(), backward=True),
    "network on digits": network,
    "network on digits, backward": lambda: network(backward=True),
    "10,000 scalars": lambda: ag.draw(scalar_network()),
    "10,000 scalars, backward": lambda: ag.draw(scalar_network(), backward=True),
    "chain of 1,000": lambda: ag.draw(chain(1000)),
    "sum of 500": lambda: ag.draw(wide_sum(500)),
    "sum of 500, backward": lambda: ag.draw(wide_sum(500), backward=True),
    "stack of 40": lambda: ag.draw(ag.stack([ag.Scalar(float(i), label=f"x{i}") for i in range(40)]).sum(), backward=True),
    "two neurons": lambda: ag.draw(small_network()),
    "two neurons, backward": lambda: ag.draw(small_network(), backward=True),
    "thirty lines": lambda: ag.draw(different_lines()),
    "thirty lines, backward": lambda: ag.draw(different_lines(), backward=True),
    "a leaf": lambda: ag.draw(ag.Scalar(2.0)),
    "a square": lambda: ag.draw((lambda x: x * x)(ag.Scalar(3.0, label="x")), backward=True),
}


# ---------------------------------------------------------------------- what is drawn


def test_the_running_example():
    picture = ag.draw(running_example())
    assert [(n.key, n.kind, *(line.text for line in n.lines)) for n in picture.nodes] == [
        ("z1", "leaf", "z₁ = x", "2"),
        ("z2", "leaf", "z₂ = y", "1"),
        ("z3", "quantity", "z₃ = z₁ + z₂", "3"),
        ("z4", "quantity", "z₄ = −z₃", "−3"),
        ("z5", "quantity", "z₅ = e^z₄", "0.04979"),
        ("z6_c1", "constant", "1"),  # in its place, and not numbered
        ("z6", "quantity", "z₆ = 1 + z₅", "1.05"),
        ("z7", "quantity", "z₇ = log z₆", "0.04859"),
        ("z8", "quantity", "z₈ = z₇ · z₃", "0.1458"),
    ]
    assert [(e.tail, e.head) for e in picture.edges] == [
        ("z1", "z3"), ("z2", "z3"), ("z3", "z4"), ("z4", "z5"), ("z6_c1", "z6"), ("z5", "z6"), ("z6", "z7"), ("z7", "z8"), ("z3", "z8"),
    ]  # fmt: skip
    leaves = {n.key for n in picture.nodes if n.kind in ("leaf", "constant")}
    assert not leaves & {e.head for e in picture.edges}
    assert picture.title == "Computation graph of f: 8 quantities, 2 leaves"
    assert picture.description.startswith("z1 = x = 2. z2 = y = 1. z3 = z1 + z2 = 3. z4 = -z3 = -3. z5 = e^z4 = 0.049787.")


def test_the_running_example_backward():
    picture = ag.draw(running_example(), backward=True)
    adjoints = {n.key: n.lines[-1].text for n in picture.nodes if n.kind != "constant"}
    assert adjoints == {
        "z1": "∂f/∂z₁ = −0.0937", "z2": "∂f/∂z₂ = −0.0937", "z3": "∂f/∂z₃ = −0.0937", "z4": "∂f/∂z₄ = 0.142",
        "z5": "∂f/∂z₅ = 2.86", "z6": "∂f/∂z₆ = 2.86", "z7": "∂f/∂z₇ = 3", "z8": "∂f/∂z₈ = 1",
    }  # fmt: skip
    assert {(e.tail, e.head): e.label for e in picture.edges} == {
        ("z1", "z3"): "1", ("z2", "z3"): "1", ("z3", "z4"): "−1", ("z4", "z5"): "z₅ = 0.04979", ("z6_c1", "z6"): "", ("z5", "z6"): "1",
        ("z6", "z7"): "1 / z₆ = 0.9526", ("z7", "z8"): "z₃ = 3", ("z3", "z8"): "z₇ = 0.04859",
    }  # fmt: skip
    assert [e.carries for e in picture.edges] == [e.tail != "z6_c1" for e in picture.edges]
    assert "∂f/∂z8 = 1. ∂f/∂z7 = 3." in picture.description


def test_grad_is_shown_when_there_is_one():
    f = running_example()
    assert not any("grad" in line.text for n in ag.draw(f).nodes for line in n.lines)
    f.backward()
    assert {n.key: n.lines[-1].text for n in ag.draw(f).nodes if n.kind == "leaf"} == {
        "z1": "grad −0.09369", "z2": "grad −0.09369",
    }  # fmt: skip


def test_ranges_are_true():
    """A disc says between which numbers an array lies, or how large they are at most; nothing is cut off from it."""
    x = ag.Tensor([[-0.1432, 0.0725], [0.01, 0.0]], label="x")
    (x * x.value).sum().backward()
    assert [line.text for line in ag.draw(x).nodes[0].lines] == ["x", "(2×2)", "−0.143 … 0.0725", "grad", "−0.14 … 0.072"]
    tiny = ag.Tensor([[-1.234e-112, 5.6e-113], [3.41e-112, 0.0]], label="tiny")
    assert ag.draw(tiny).nodes[0].lines[-1].text == "|·| ≤ 3.5·10⁻¹¹²"
    counts = ag.Tensor([[-123456789.0, 987654321.0], [0.0, 1.0]], label="counts")
    assert ag.draw(counts).nodes[0].lines[-1].text == "|·| ≤ 990000000"
    assert ag.draw(ag.Scalar(-np.inf)).nodes[0].lines[-1].text == "−∞"


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=4, max_size=8), st.floats(1e-30, 1e30))
@settings(deadline=None)
def test_every_range_holds_its_numbers(numbers, scale):
    x = np.array([numbers, numbers]) * scale
    with np.errstate(over="ignore"):
        line = ag.draw(ag.Tensor(x, label="x")).nodes[0].lines[-1].text
    assert line.count("…") <= 1 and "±" not in line
    finite = x[np.isfinite(x)]
    if line.startswith("|·| ≤ "):
        most = line.removeprefix("|·| ≤ ")
        mantissa, _, power = most.partition("·10")
        power = power.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-"))
        assert np.abs(finite).max() <= float(f"{mantissa}e{power or 0}") * (1 + 1e-15)


def test_the_plates_of_constants_have_the_names_of_the_formulas():
    x, W = np.ones((4, 2)), ag.Tensor(np.ones((2, 3)), label="W")

    def plates(f):
        return [[line.text for line in n.lines] for n in ag.draw(f).nodes if n.kind == "constant"]

    assert plates(ag.cross_entropy(x @ W, [0, 2, 1, 1])) == [["x", "(4×2)"], ["[0, 2, 1, 1]"]]
    assert plates(np.ones((4, 2)) @ W) == [["const(4×2)"]]
    assert plates(np.linspace(0.123456, 9.87654, 6).reshape(3, 2) @ W) == [["const(3×2)"]]
    assert plates((W * 2.5).sum()) == [["2.5"]]
    data = [np.full((2, 3), float(i)) for i in range(100)]
    assert ["rows", "(2×3)"] not in plates(sum(W * rows for rows in data)), "of many different arrays there is no one shape to show"


def test_nothing_flows_back_to_a_constant():
    back = ET.fromstring(ag.draw(running_example(), backward=True).svg())
    heads = {(g.get("data-tail"), g.get("data-head")): len(g.findall(f"{SVG}polygon")) for g in back.iter(f"{SVG}g") if g.get("class") == "ag-edge"}
    assert heads.pop(("z6_c1", "z6")) == 0 and set(heads.values()) == {1}
    assert ag.draw(running_example(), backward=True).dot().count("dir=none") == 1
    assert "dir=none" not in ag.draw(running_example()).dot()


def test_the_network_on_digits():
    picture = network()
    lines = {n.key: [line.text for line in n.lines] for n in picture.nodes}
    assert lines["z1"][:2] == ["W₁", "(64×32)"]
    assert lines["z7"][:2] == ["z₇ = tanh z₆", "(64×32)"]
    assert lines["z10"][:2] == ["z₁₀", "cross-entropy"]
    assert lines["z5_c1"] == ["images", "(64×64) float32"], "called as the formula calls it"
    assert lines["z10_c2"] == ["labels", "(64) int64"]
    labels = {(e.tail, e.head): e.label for e in network(backward=True).edges}
    assert labels["z3", "z8"] == "z₇ᵀ · ∂L/∂z₈"
    assert labels["z9", "z10"] == "(p − e_y) / 64"


def test_jacobians_that_have_a_name_stand_on_their_edge():
    edges = ag.draw(lambda z: (ag.softmax(z) ** 2).sum(), np.array([0.0, 1.0, 2.0]), backward=True).edges
    assert edges[0].label == "diag(z₂) − z₂ · z₂ᵀ"


def test_a_branch_not_taken_says_so():
    x = ag.Tensor([-1.0, -2.0], label="x")
    with np.errstate(invalid="ignore"):
        f = ag.where(x > 0, ag.sqrt(x), x).sum()
    edges = [e for e in ag.draw(f, backward=True).edges if "branch" in e.note]
    assert [e.label for e in edges] == ["0", "0"]


def test_two_uses_are_two_arrows():
    x = ag.Scalar(3.0)
    assert [(e.tail, e.head) for e in ag.draw(x * x).edges] == [("z1", "z2")] * 2


def test_functions_are_drawn_with_the_names_of_their_parameters():
    picture = ag.draw(lambda w, b: (w * b).sum(), np.ones(3), 2.0)
    assert [n.lines[0].text for n in picture.nodes][:2] == ["w", "b"]


# ---------------------------------------------------------------------- folding


def test_what_a_line_computed_again_and_again_is_one_disc():
    picture = ag.draw(chain(468))
    leaf, disc = picture.nodes
    assert (leaf.kind, disc.kind, disc.amount, disc.numbers) == ("leaf", "quantity", 468, tuple(range(2, 470)))
    assert [line.text for line in disc.lines][:2] == ["sin", "× 468"]
    assert re.fullmatch(r"test_drawing.py:\d+", disc.lines[2].text)
    assert [(e.tail, e.head, e.again) for e in picture.edges] == [("z1", "z2", False), ("z2", "z2", True)]


def test_leaves_of_one_place_keep_few_labels_apart_and_fold_many():
    def parameter(name):
        return ag.Scalar(1.0, label=name)

    total = parameter("W1") * parameter("W2")
    for i in range(100):
        total = total + ag.Scalar(2.0, label=f"x{i}")
    leaves = [n for n in ag.draw(total).nodes if n.kind == "leaf"]
    assert [n.lines[0].text for n in leaves] == ["z₁ = W₁", "z₂ = W₂", "x₀ … x₉₉"]


@pytest.mark.parametrize("make", [scalar_network, lambda: chain(1000), lambda: wide_sum(500)])
def test_large_graphs_are_few_nodes(make):
    picture = ag.draw(make())
    assert len(picture.nodes) <= 120
    assert sum(n.amount for n in picture.nodes if n.kind != "constant") == len(ag.explain(make()).quantities)


def test_a_graph_of_as_many_lines_as_quantities_is_folded_all_the_same():
    names = {"z": ag.Scalar(0.5, label="x"), "ag": ag}
    for i in range(200):
        operator = ("sin", "cos", "tanh", "exp")[i % 4]
        exec(compile("\n" * i + f"z = ag.{operator}(z)", f"program{i % 40}.py", "exec"), names)
    picture = ag.draw(names["z"])
    assert len(picture.nodes) <= 120
    assert sum(n.amount for n in picture.nodes) == 201


def test_formulas_that_were_given_as_text_have_no_place():
    from ag.explanation.parsing import parse

    picture = ag.draw(parse("+".join(f"x*{i}.5" for i in range(40)), {"x": 2.0}))
    texts = [line.text for n in picture.nodes for line in n.lines]
    assert "× 40" in texts and "" not in texts
    ET.fromstring(picture.svg())


def test_a_tall_picture_of_nodes_beside_each_other_is_folded():
    leaves = [ag.Scalar(float(i), label=f"x{i}") for i in range(50)]
    picture = ag.draw(ag.stack(leaves).sum())
    assert len(picture.nodes) == 52
    height = float(ET.fromstring(picture.svg()).get("height"))
    assert height < 3000 and [n.amount for n in picture.nodes] == [50, 1, 1]


# ---------------------------------------------------------------------- formats


def test_every_format_is_saved(tmp_path):
    picture = ag.draw(running_example(), backward=True)
    starts = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph {", "mmd": b"flowchart RL", "html": b"<!doctype html>"}
    for ending, start in starts.items():
        picture.save(tmp_path / f"graph.{ending}")
        assert (tmp_path / f"graph.{ending}").read_bytes().lower().startswith(start.lower())
    with pytest.raises(ValueError, match=r"ending.*\.svg, \.png, \.pdf, \.dot, \.mmd"):
        picture.save(tmp_path / "graph.jpg")


def test_dot_text_is_what_graphviz_reads():
    pygraphviz = pytest.importorskip("pygraphviz")
    picture = ag.draw(running_example(), backward=True)
    graph = pygraphviz.AGraph(string=picture.dot())
    assert sorted(graph.nodes()) == sorted(n.key for n in picture.nodes)
    assert sorted(graph.edges()) == sorted((e.tail, e.head) for e in picture.edges)


def test_mermaid_text():
    x = ag.Scalar(2.0, label="x")
    text = ag.draw(ag.exp(1 + x)).mermaid()
    assert text.replace("\u00a0", "") == (  # spaces, as discs are as large as their first line is wide
        "flowchart LR\n"
        "  accTitle: Computation graph of f#58; 3 quantities, 1 leaf\n"
        "  accDescr: z1 = x = 2. z2 = 1 + z1 = 3. z3 = e#94;z2 = 20.086.\n"
        '  z1(("<b>z₁ = x</b><br/>2"))\n'
        '  z2_c1["1"]\n'
        '  z2(("<b>z₂ = 1 + z₁</b><br/>3"))\n'
        '  z3(("<b>z₃ = e<sup>z₂</sup></b><br/>20.09"))\n'
        "  z2_c1 --> z2\n"
        "  z1 --> z2\n"
        "  z2 --> z3\n"
        "  classDef leaf fill:#e6f0ff,stroke:#2563eb,color:#0f1f3d\n"
        "  class z1 leaf\n"
        "  classDef quantity fill:#2160e8,stroke:#1a4fc4,color:#ffffff\n"
        "  class z2,z3 quantity\n"
        "  classDef constant fill:#d5dbe4,stroke:#8490a4,color:#1f2937\n"
        "  class z2_c1 constant\n"
        "  linkStyle default stroke:#6b7a90\n"
    )


def test_mermaid_text_of_the_backward_pass_leads_back():
    lines = [line.strip() for line in ag.draw(running_example(), backward=True).mermaid().splitlines()]
    assert lines[0] == "flowchart RL"
    assert 'z8 -->|"z₃ = 3"| z7' in lines
    assert "z6 --- z6_c1" in lines  # nothing flows back to a constant
    assert lines[-1] == "linkStyle 4 stroke:#6b7a90"


LABELS = ['<b>"A" & \'B\'</b>', "two\nlines", "\\N \\l", "$x_1$", "漢字 and 😀", "```", "a" * 500, "\x00\x1b\ufffe", "]; z9 [label=", "#quot;", " "]


@pytest.mark.parametrize("label", LABELS)
def test_labels_say_what_they_say(label):
    pygraphviz = pytest.importorskip("pygraphviz")
    x = ag.Tensor([1.0, 2.0], label=label)
    picture = ag.draw((x * 2).sum(), backward=True)
    root = ET.fromstring(picture.svg())
    assert len(root.findall(f".//{SVG}circle")) == 3
    assert sorted(pygraphviz.AGraph(string=picture.dot()).nodes()) == ["z1", "z2", "z2_c2", "z3"]
    first = next(line for line in picture.mermaid().splitlines() if line.startswith("  z1(("))
    text = re.fullmatch(r'  z1\(\("<b>(.*?)</b>.*"\)\)', first)[1]
    assert not set(text) & set("\"'<>[](){}|`\\$")


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=30))
def test_any_label_can_be_drawn(label):
    ET.fromstring(ag.draw(ag.exp(ag.Scalar(1.0, label=label))).svg())


# ---------------------------------------------------------------------- for who can't see it


def test_screen_readers_find_a_title_and_the_equations():
    root = ET.fromstring(ag.draw(running_example()).svg())
    title, description = root[0], root[1]
    assert (title.tag, description.tag) == (f"{SVG}title", f"{SVG}desc")
    assert root.get("role") == "img"
    assert root.get("aria-labelledby").split() == [title.get("id"), description.get("id")]
    assert title.text == "Computation graph of f: 8 quantities, 2 leaves"
    assert "z7 = log z6 = 0.048587. z8 = z7 · z3 = 0.14576." in description.text


def test_titles_of_several_pictures_on_a_page_are_told_apart():
    names = [re.search('<title id="(.*?)"', ag.draw(f).svg())[1] for f in (running_example(), chain(3), chain(4))]
    assert len(set(names)) == 3


def test_who_points_at_a_disc_reads_all_of_it():
    f = running_example()
    f.backward()
    notes = [node.note.splitlines() for node in ag.draw(f).nodes]
    assert notes[4][:3] == ["z5 = e^z4", "value 0.049787", "grad 2.8577"]
    assert re.fullmatch(r"test_drawing.py:\d+: return ag.log\(1 \+ ag.exp\(-s\)\) \* s", notes[4][3])
    titles = [title.text for title in ET.fromstring(ag.draw(f).svg()).iter(f"{SVG}title")]
    assert "\n".join(notes[4]) in titles


# ---------------------------------------------------------------------- can it be read?


def boxes(root):
    """Of every line of text its box, measured with a font that is none of ours, and the size of its smallest letters."""
    for text in root.iter(f"{SVG}text"):
        size = float(text.get("font-size"))
        width, smallest = 0.0, size
        for part, letters in [(text.text, size), *((x.text, float(x.get("font-size", size))) for x in text), *((x.tail, size) for x in text)]:
            width += ImageFont.load_default(letters).getlength(part or "")
            smallest = min(smallest, letters)
        width *= 1.08 if text.get("font-weight") == "bold" else 1
        x, y = float(text.get("x")), float(text.get("y"))
        yield (x - width / 2, y - 0.72 * size, x + width / 2, y + 0.1 * size), smallest, "".join(text.itertext())


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_can_be_read(name):
    root = ET.fromstring(PICTURES[name]().svg())
    width = float(root.get("width"))
    texts = list(boxes(root))
    for _, smallest, text in texts:
        assert smallest * min(1, 1280 / width) >= 9, f"{text!r} is small where {width:g} pixels are shown with 1280"
    for (a, _, first), (b, _, second) in itertools.combinations(texts, 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, f"{first!r} and {second!r} overlap"
    discs = [(float(c.get("cx")), float(c.get("cy")), float(c.get("r"))) for c in root.iter(f"{SVG}circle")]
    for (x0, y0, x1, y1), _, text in texts:
        inside = [(x, y, r) for x, y, r in discs if x0 < x < x1 and abs((y0 + y1) / 2 - y) < r]
        for x, y, r in inside:
            corner = max(np.hypot(cx - x, cy - y) for cx in (x0, x1) for cy in (y0, y1))
            assert corner <= r + 1, f"{text!r} leaves its disc"


# ---------------------------------------------------------------------- Graphviz, aside


HANGS = """
import os, sys, time
text = sys.stdin.buffer.read().decode()
if text.count("shape=circle") > {most}:
    with open({log!r}, "a") as file:
        print(os.getpid(), file=file)
    time.sleep(600)
import pygraphviz
sys.stdout.buffer.write(pygraphviz.AGraph(string=text).draw(format=sys.argv[1], prog=sys.argv[2]))
"""


def test_a_layout_that_takes_too_long_is_ended_and_the_graph_folded_harder(monkeypatch, tmp_path):
    log = tmp_path / "log"
    monkeypatch.setattr(layout, "RUN", HANGS.format(most=20, log=str(log)))
    monkeypatch.setattr(layout, "SECONDS", 3.0)
    f = small_network()  # 24 quantities on 4 lines
    picture = ag.draw(f)
    assert len(picture.nodes) == 26
    ET.fromstring(picture.svg())
    assert len(picture.nodes) < 20
    assert sum(n.amount for n in picture.nodes if n.kind != "constant") == 24
    for pid in map(int, log.read_text().split()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_if_no_layout_is_ever_found_an_error_says_what_to_write(monkeypatch, tmp_path):
    monkeypatch.setattr(layout, "RUN", HANGS.format(most=0, log=str(tmp_path / "log")))
    monkeypatch.setattr(layout, "SECONDS", 0.2)
    with pytest.raises(TimeoutError, match=r"within 0.2 seconds.*\.save\('graph\.dot'\)"):
        ag.draw(chain(3)).svg()


def test_if_graphviz_fails_its_words_are_told(monkeypatch):
    monkeypatch.setattr(layout, "RUN", "import sys; sys.exit('no room')")
    with pytest.raises(RuntimeError, match="Graphviz failed: no room"):
        ag.draw(chain(3)).svg()


def test_png_and_pdf_are_also_ended(monkeypatch):
    picture = ag.draw(chain(3))
    picture.svg()
    monkeypatch.setattr(layout, "SECONDS", 0.001)
    with pytest.raises(TimeoutError, match=r"did not write the PNG.*save the \.svg"):
        picture.png()


def test_without_graphviz_there_is_text_and_an_error_that_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setattr(layout, "find_spec", lambda name: None)
    picture = ag.draw(running_example())
    for ending in ("svg", "png", "pdf"):
        with pytest.raises(ImportError, match=r"pip install 'ag-autodiff\[draw\]'"):
            picture.save(tmp_path / f"graph.{ending}")
    picture.save(tmp_path / "graph.dot")
    picture.save(tmp_path / "graph.mmd")
    assert sorted(os.listdir(tmp_path)) == ["graph.dot", "graph.mmd"]
    shown = picture._repr_markdown_()
    assert shown.startswith("```mermaid\nflowchart LR\n")
    assert shown.rstrip().splitlines()[-1] == "The picture itself needs pygraphviz: pip install 'ag-autodiff[draw]'"
    assert picture._repr_svg_() is None and picture._repr_html_() is None


# ---------------------------------------------------------------------- notebooks and errors


def test_a_notebook_shows_the_picture():
    picture = ag.draw(running_example())
    assert picture._repr_html_() == picture._repr_svg_() == picture.svg()
    assert picture._repr_markdown_() is None
    assert repr(picture) == "<Computation graph of f: 8 quantities, 2 leaves; a notebook shows it, .save('graph.svg') writes it>"


def test_wrong_arguments():
    x = ag.Tensor([1.0, 2.0])
    with pytest.raises(TypeError, match=r"ag\.draw takes a node, or a function and its arguments, got 3"):
        ag.draw(3)
    with pytest.raises(TypeError, match=r"ag\.draw\(node\) takes no further arguments"):
        ag.draw(x, 1.0)
    with pytest.raises(ValueError, match=r"ag\.draw: a backward drawing needs an output with one element.*give its cotangent"):
        ag.draw(x * 2, backward=True)
    with pytest.raises(ValueError, match=r"ag\.draw: the cotangent has shape"):
        ag.draw(x * 2, backward=True, cotangent=np.ones(3))
    assert [e.label for e in ag.draw(x * 2, backward=True, cotangent=np.ones(2)).edges] == ["", "∂L/∂z₂ · 2"]


# ---------------------------------------------------------------------- text


@pytest.mark.parametrize(("given", "expected"), [
    ("z12 = z1 - z2", "z₁₂ = z₁ − z₂"), ("-z3", "−z₃"), ("1.5e-07", "1.5·10⁻⁷"), ("2e+30", "2·10³⁰"), ("W2ᵀ · dz", "W₂ᵀ · dz"),
    ("cross-entropy", "cross-entropy"), ("float32", "float32"), ("log2 z1", "log2 z₁"), ("0 ... 1", "0 … 1"), ("x1_y2", "x1_y2"),
])  # fmt: skip
def test_signs_of_print(given, expected):
    assert appearance.drawn(given) == expected


@pytest.mark.parametrize(("text", "expected"), [
    ("e^z₄", [("e", 0), ("z₄", 1)]), ("e^(−(x + y)) + 1", [("e", 0), ("−(x + y)", 1), (" + 1", 0)]),
    ("p − e_y", [("p − e", 0), ("y", -1)]), ("my_label", [("my_label", 0)]), ("x^", [("x^", 0)]), ("e^(x", [("e", 0), ("x", 1)]),
])  # fmt: skip
def test_exponents_and_indices(text, expected):
    assert appearance.runs(text) == [appearance.Run(*run) for run in expected]


def test_long_lines_are_cut():
    letters = appearance.LETTERS["text"]
    line = appearance.cut("a" * 200, letters, 100)
    assert line.endswith("…") and 80 < appearance.width(line, letters) <= 100
    assert appearance.cut("short", letters, 100) == "short"
    assert appearance.cut("∂L/∂z₇ ⊙ (1 − z₇) ⊙ (1 + z₇)", letters, 150) == "∂L/∂z₇ ⊙ (1 − z₇) ⊙ (…)"
    assert appearance.cut("mean(log(softmax(z₇) + 1) · y)", letters, 100) == "mean(…)"
    assert appearance.cut("−0.17 … 0.3123", letters, 60) == "−0.17…"


def contrast(first, second):
    """Of two colours, as the accessibility guidelines of the web define it: from 1 to 21."""
    lights = []
    for colour in (first, second):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        lights.append(float(np.dot(linear, (0.2126, 0.7152, 0.0722))))
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def test_colours_stand_out_on_light_and_on_dark_pages():
    for colours in (*appearance.KINDS.values(), appearance.PARTIAL):
        assert contrast(colours.face, colours.ink) >= 4.5 and contrast(colours.face, colours.faint) >= 4.5
    for page in ("#ffffff", "#111111"):
        for edge in (appearance.FORWARD, appearance.BACKWARD):
            assert contrast(edge, page) >= 3
        for colours in appearance.KINDS.values():
            assert max(contrast(colours.face, page), contrast(colours.rim, page)) >= 3


def test_the_widest_drawing_is_what_its_smallest_letters_allow():
    smallest = min(x.size for x in appearance.LETTERS.values()) * appearance.SMALL
    assert smallest * 1280 / appearance.WIDEST == pytest.approx(9)
    assert drawing.WIDEST == appearance.WIDEST


def test_a_folded_png_shows_its_words():
    """White letters on the front disc of each stack: nothing is drawn over them."""
    import io

    from PIL import Image

    y = ag.Scalar(0.5)
    for _ in range(200):
        y = ag.sin(y) * 1.01
    pixels = np.asarray(Image.open(io.BytesIO(ag.draw(y).png())).convert("RGBA")).astype(int)
    white = (pixels[..., :3] > 240).all(axis=-1) & (pixels[..., 3] > 250)
    assert white.sum() > 500


def test_a_file_keeps_its_name_in_a_picture():
    assert appearance.drawn("d5.py:12, z7 = 1e-05") == "d5.py:12, z₇ = 1·10⁻⁵"

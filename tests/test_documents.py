"""What the documents show is what happens."""

import doctest
import gc
import importlib
import pkgutil
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import numpy as np
import pytest

import ag

ROOT = Path(__file__).parent.parent
MODULES = [m.name for m in pkgutil.walk_packages(ag.__path__, "ag.") if m.name != "ag.__main__"]


class Fenced(doctest.DocTestParser):
    """Examples of documents: what is printed ends at the next prompt or where the code ends, so that it may have empty lines."""

    _EXAMPLE_RE = re.compile(
        r"""(?P<source>^(?P<indent>[ ]*)>>>.*(?:\n[ ]*\.\.\.(?:[ ].*|$))*)\n(?P<want>(?:(?![ ]*>>>)(?!```).*\n)*)""", re.MULTILINE
    )


class AsPrinted(doctest.OutputChecker):
    """What is shown is what is printed, line by line and column by column; only the text of errors may be broken."""

    def check_output(self, want, got, optionflags):
        if re.match(r"[\w.]+(Error|Exception)\b", want):
            optionflags |= doctest.NORMALIZE_WHITESPACE
        return super().check_output(*(text.strip("\n") and text.strip("\n") + "\n" for text in (want, got)), optionflags)


def tried(test):
    """How many of its examples are wrong, and how many there are."""
    return doctest.DocTestRunner(AsPrinted(), verbose=False, optionflags=doctest.ELLIPSIS).run(test)


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", ["ag", *MODULES])
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    found = [test for test in doctest.DocTestFinder().find(module, globs={"ag": ag, "np": np}) if test.examples]
    for test in found:
        assert not tried(test).failed, f"{test.name} does not give what it shows"


def test_functions_of_the_table_carry_their_examples():
    """Functions that rows make are found through the table, not through their modules."""
    count = 0
    for name in dir(ag):
        text = getattr(getattr(ag, name), "__doc__", None) or ""
        if ">>>" in text and callable(getattr(ag, name)):
            test = doctest.DocTestParser().get_doctest(text, {"ag": ag, "np": np}, name, None, None)
            assert not tried(test).failed, name
            count += 1
    assert count > 20


DOCUMENTS = [path for folder in ("", "docs/", "examples/") for path in sorted(ROOT.glob(f"{folder}*.md"))]
SHOWING = {ROOT / "README.md": 20, ROOT / "docs/notes.md": 80}  # documents that show code, with at least so many examples


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_documents(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where they may save pictures
    try:
        with np.printoptions():
            result = tried(Fenced().get_doctest(path.read_text(encoding="utf-8"), {}, path.name, str(path), 0))
    finally:
        gc.enable()  # which the notes turn off and on
    assert not result.failed
    assert result.attempted >= SHOWING.get(path, 0)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_the_source_distribution_is_complete():
    """It holds what its documents link to, what `make` runs, and what the tests read."""
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    linked = {
        (path.parent / target).resolve().relative_to(ROOT.resolve())
        for path in DOCUMENTS for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8"))
    }  # fmt: skip
    used = {Path(name) for name in ("Makefile", ".ci/setup", "benchmarks/run.py", "data/mnist", "tests/conftest.py")}
    assert len(linked) > 20
    for path in linked | used:
        assert (ROOT / path).exists() and any(path.is_relative_to(entry) for entry in packed), path


EXAMPLES = sorted(path for path in ROOT.glob("examples/*.py") if path.stem != "needed")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_say_what_to_install(path):
    """In place of a traceback; and each stands in the list."""
    code = f"import sys, runpy; sys.modules['matplotlib'] = None; sys.path.insert(0, {str(path.parent)!r}); runpy.run_path({str(path)!r})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr == "matplotlib is missing, which the examples need: pip install 'ag-autodiff[learn,plots]'\n"
    assert f"[{path.name}]({path.name})" in (path.parent / "README.md").read_text(encoding="utf-8")


def test_the_readme_is_compact_and_quotes_the_measurements():
    readme, speed = ((ROOT / path).read_text(encoding="utf-8") for path in ("README.md", "docs/speed.md"))
    assert len(readme.splitlines()) <= 200
    rows = re.search(r"^## Speed\n.*?(\n\|.*?)\n\n", readme, re.MULTILINE | re.DOTALL)[1].split("\n")[1:]
    assert len(rows) > 5 and all(row in speed.split("\n") for row in rows)


def test_the_pictures_are_what_is_drawn(tmp_path):
    """Graphviz may place things otherwise in another version; what is written in them is the same."""
    subprocess.run([sys.executable, ROOT / "docs/pictures.py", tmp_path], check=True, env={"PYTHONPATH": str(ROOT / "src")})
    drawn = sorted(tmp_path.iterdir())
    assert [path.name for path in drawn] == sorted(path.name for path in (ROOT / "docs/images").iterdir())
    for path in drawn:
        kept, new = (p.read_text(encoding="utf-8") for p in (ROOT / "docs/images" / path.name, path))
        written = r"<(text|title|desc|tspan)[^>]*>([^<]+)"
        assert re.findall(written, kept) == re.findall(written, new), f"python docs/pictures.py draws {path.name} anew"


@pytest.mark.skipif(not hasattr(np, "matvec"), reason="older ones have not all functions")
def test_the_page_of_operators_is_what_the_table_says(tmp_path):
    """And that `ag` has every operator that the peers have."""
    new = tmp_path / "operators.md"
    subprocess.run([sys.executable, ROOT / "docs/operators_page.py", new], check=True, env={"PYTHONPATH": str(ROOT / "src")})
    kept = (ROOT / "docs/operators.md").read_text(encoding="utf-8")
    assert kept == new.read_text(encoding="utf-8"), "python docs/operators_page.py writes docs/operators.md anew"


def test_honesty_is_tested():
    """Each item of the list names a test that exists."""
    sources = "\n".join(p.read_text(encoding="utf-8") for p in Path(__file__).parent.glob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs/honesty.md").read_text(encoding="utf-8"))
    assert len(named) > 10
    missing = [name for name in named if f"def {name}(" not in sources]
    assert not missing


def the_row_of_contributing():
    """The row that the first section of CONTRIBUTING.md adds."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return textwrap.dedent(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1])


def tried_with(row, folder, chosen, public=None):
    """Run the chosen tests of the table in a copy of the library with one more row, and a line more of public names."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(__file__).parent / "test_table.py", folder)
    with open(folder / "src/ag/operators/elementwise.py", "a", encoding="utf-8") as file:
        file.write("\n" + row)
    if public:
        names = folder / "src/ag/__init__.py"
        first = "from .operators.elementwise import (\n"
        names.write_text(names.read_text(encoding="utf-8").replace(first, f"{first}    {public}\n"), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_table.py", "-k", chosen]
    return subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(folder / "src")}, capture_output=True, text=True)


def test_adding_an_operator_is_as_easy_as_it_says(tmp_path):
    """The first section of CONTRIBUTING.md, followed to the letter in a copy."""
    line = "gaussian as gaussian,"
    assert line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    result = tried_with(the_row_of_contributing(), tmp_path, "gaussian or public_name", public=line)
    assert result.returncode == 0, result.stdout
    assert int(re.search(r"(\d+) passed", result.stdout)[1]) > 20


def test_a_wrong_row_is_caught(tmp_path):
    """The same with a derivative that is wrong by 0.1 %: the tests must fail."""
    row = the_row_of_contributing()
    wrong = row.replace("-2 * x * ans", "-2.002 * x * ans")
    assert wrong != row
    result = tried_with(wrong, tmp_path, "gaussian and differences")
    assert result.returncode == 1 and "failed" in result.stdout

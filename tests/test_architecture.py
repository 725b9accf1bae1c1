"""The house: imports run downwards, modules are small, names do not hide functions, and NumPy is all that is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ag

ROOT = Path(ag.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

# From the ground up; a module may import from its own layer and from those before it.
LAYERS = [
    ["source", "advice", "capture", "files"], ["node"], ["scalar", "tensor", "symbol", "batched", "traced"], ["operators"],
    ["array_api", "fft", "reach", "adjoint", "tangents", "special", "linalg"], ["transforms"], ["compiler"],
    ["explanation"], ["testing", "datasets", "learn"], ["__init__"], ["cli", "__main__"],
]  # fmt: skip
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts)


def imports(path):
    """The library's modules that a module imports when it is imported itself."""
    package = path.relative_to(ROOT).parent.parts
    hidden = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        lazy = isinstance(node, ast.FunctionDef) or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        if lazy:
            hidden.update(id(x) for x in ast.walk(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level and id(node) not in hidden:
            base = package[: len(package) - node.level + 1]
            if node.module:
                yield ".".join((*base, *node.module.split(".")))
            else:
                yield from (".".join((*base, alias.name)) for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_run_downwards(path):
    layer = name_of(path).split(".")[0]
    for imported in imports(path):
        assert RANK[imported.split(".")[0]] <= RANK[layer], f"{name_of(path)} imports {imported}, which stands above it"


def test_no_module_imports_itself_in_a_circle():
    names = {name_of(path): path for path in MODULES}
    graph = {name: {x for x in imports(path) if x in names and x != name} for name, path in names.items()}
    while graph:
        free = {name for name, needed in graph.items() if not needed}
        assert free, f"a circle among {sorted(graph)}"
        graph = {name: needed - free for name, needed in graph.items() if name not in free}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_are_small(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 420


def test_no_module_hides_a_function():
    for path in MODULES:
        name = path.parent.name if path.stem == "__init__" else path.stem
        assert not callable(getattr(ag, name, None)), f"the module {name} bears the name of a public function"


def test_public_functions_are_documented():
    for name in dir(ag):
        if not name.startswith("_") and callable(getattr(ag, name)):
            assert (getattr(ag, name).__doc__ or "").strip(), f"ag.{name} says nothing of itself"


ALONE = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ("numpy", "ag"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Block())
import ag
data = ag.datasets.digits()
model = ag.learn.LinearClassifier(random_state=0, epochs=20).fit(data.X_train, data.y_train)
assert model.score(data.X_test, data.y_test) > 0.8
x = ag.Scalar(2.0)
(x * x).backward()
assert x.grad == 4.0
for needs, call in (
    ("learn", lambda: ag.learn.LinearClassifier("lbfgs").fit(data.X_train, data.y_train)),
    ("cli", lambda: ag.learn.save(model, "never-written")),
    ("draw", lambda: ag.draw(x * x).svg()),
):
    try:
        call()
    except ImportError as error:
        assert f"ag-autodiff[{needs}]" in str(error), error
    else:
        raise AssertionError(f"{needs} was not missed")
"""


def test_numpy_is_all_that_is_needed():
    """Importing, differentiating and training work without any other package; what needs one says which extra."""
    subprocess.run([sys.executable, "-c", ALONE], check=True, cwd=ROOT.parent)


def test_the_table_keeps_slow_imports_out():
    code = "import sys, numpy; before = set(sys.modules); import ag; print(*sorted(set(sys.modules) - before))"
    new = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT.parent).stdout.split()
    assert not {"dataclasses", "inspect", "json", "tempfile", "numpy.random", "linecache", "scipy", "gzip"} & set(new)

"""Every function of NumPy is answered: it has a rule, or gives plain results, or says why a node can't have it."""

import ast
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import ag
from ag.advice import REWRITES
from ag.node import Operand
from ag.operators import everything
from ag.operators.later import METHODS
from ag.operators.table import NUMPY

everything()

NAMESPACES = {"np": np, "np.linalg": np.linalg, "np.fft": np.fft, "np.lib.scimath": np.lib.scimath}

# Functions that no node can reach, and why that is right.
MAKES = "makes an array from numbers, shapes or files; a node among its arguments is refused by Node.__array__ or __index__"
EXEMPT = {
    **dict.fromkeys(
        ["arange", "array", "asanyarray", "asarray", "asarray_chkfinite", "ascontiguousarray", "asfortranarray", "asmatrix", "bartlett", "blackman", "bmat", "diag_indices", "empty", "eye", "from_dlpack", "frombuffer", "fromfile", "fromfunction", "fromiter", "fromregex", "fromstring", "full", "genfromtxt", "hamming", "hanning", "identity", "indices", "kaiser", "load", "loadtxt", "mask_indices", "ones", "require", "tri", "tril_indices", "triu_indices", "zeros", "fftfreq", "rfftfreq"], MAKES),
    **dict.fromkeys(
        ["base_repr", "binary_repr", "format_float_positional", "format_float_scientific", "get_include", "get_printoptions", "getbufsize", "geterr", "geterrcall", "info", "iterable", "mintypecode", "nested_iters", "printoptions", "set_printoptions", "setbufsize", "seterr", "seterrcall", "show_config", "show_runtime", "test", "typename", "frompyfunc", "issubdtype", "isdtype", "promote_types", "errstate", "vectorize"],
        "about types, settings and printing, not about arrays"),
    **dict.fromkeys(
        ["busday_count", "busday_offset", "is_busday", "datetime_as_string", "datetime_data"], "dates are no real numbers"),
}  # fmt: skip
if not hasattr(getattr(np, "astype", None), "_implementation"):
    EXEMPT["astype"] = "takes an array alone, before NumPy 2.1: np.astype(x, dtype) of a node says so; x.astype(dtype) is the same"

# Functions that write into an array, or to a file: a node can't have them, and the error says what to write instead.
REFUSED = ["copyto", "put", "place", "putmask", "put_along_axis", "fill_diagonal", "save", "savez", "savez_compressed", "savetxt"]

# What they make does not depend on the values of a node: places in a matrix of a given size.
NO_VALUES = {"bmat", "tri", "tril_indices", "triu_indices", "fftfreq", "rfftfreq"}

FUNCTIONS = [
    pytest.param(f, id=f"{prefix}.{name}")
    for prefix, module in NAMESPACES.items()
    for name in sorted(set(module.__all__))
    if callable(f := getattr(module, name)) and not isinstance(f, type)
]


@pytest.mark.parametrize("f", FUNCTIONS)
def test_every_function_of_numpy_is_answered(f):
    name = getattr(f, "__name__", "test")
    if name in EXEMPT:
        assert f not in NUMPY, "it is answered: it needs no exemption"
        return
    assert f in NUMPY or name in REFUSED, f"{name} has no rule, is not declared plain, and is not exempt"


@pytest.mark.parametrize("name", sorted(name for name, why in EXEMPT.items() if why is MAKES and name not in NO_VALUES))
def test_what_makes_arrays_refuses_nodes(name):
    """None of them gives an array that has silently lost a derivative."""
    for x in (ag.Tensor([[1.0, 2.0], [3.0, 4.0]]), ag.Scalar(2.0)):
        with pytest.raises((TypeError, ValueError, AttributeError)), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # np.matrix is not recommended
            getattr(np, name)(*((2, 2), x) if name == "full" else (x,))


@pytest.mark.parametrize("name", REFUSED)
def test_what_nodes_can_not_have_says_what_to_write(name):
    x = ag.Tensor([[1.0, 2.0], [3.0, 4.0]])
    f = getattr(np, name)
    calls = ((x,), (x, [0], 1.0), (np.zeros((2, 2)), x), (x, np.zeros((2, 2), int), 1.0, 0), ("never-written", x), (x, 0.0))
    messages = []
    for args in calls:
        try:
            f(*args)
        except (TypeError, ValueError, AttributeError) as error:
            messages.append(str(error))
    assert any(m.startswith(f"np.{name} has no rule") and REWRITES[name] in m for m in messages), messages
    assert not Path("never-written").exists()


def test_names_that_come_later_are_those_that_type_checkers_see():
    tree = ast.parse(Path(ag.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {x.module.removeprefix("operators.") for x in block.body if isinstance(x, ast.ImportFrom) and x.names[0].name == "*"}
    offering = [module for module in everything() if hasattr(module, "__all__")]
    assert seen == {module.__name__.rpartition(".")[2] for module in offering}
    for module in offering:
        for name in module.__all__:
            assert getattr(ag, name) is vars(module)[name]
            assert name in dir(ag)


def test_methods_of_rows_that_come_later_are_there_from_the_start():
    """In a new process, as this one has the rows."""
    code = "import ag; from ag.operators.later import METHODS; x = ag.Tensor([3.0, 1.0]); print(x.copy().op, divmod(x, 2.0)[1].op)"
    path = str(Path(ag.__file__).parent.parent)
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=path)
    assert result.stdout == "positive remainder\n"
    assert not [name for name in METHODS if "_method" in vars(Operand)[name].__qualname__], "each is replaced by its row"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'ag' has no attribute 'medain'"):
        ag.medain  # noqa: B018

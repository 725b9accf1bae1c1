"""The page of all operators, docs/operators.md, from the table: `python docs/operators_page.py` writes it anew.

The lists of the peers are data: what HIPS autograd 1.9.1 and Advect 0.3.1 differentiate by their own statement (the primitives of
`autograd.core.primitive_vjps`, and `advect.numpy._support_contract`), one NumPy function under one name.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import warnings
from operator import attrgetter
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

import ag
from ag.advice import REWRITES
from ag.compiler.kernels.lowering import Lowered
from ag.compiler.passes.pipeline import optimized
from ag.compiler.tracing import Trace
from ag.operators import later
from ag.operators.batching import one_by_one
from ag.operators.dispatch import METHODS
from ag.operators.rules import FUNCTIONS, Elementwise, Missing, Zero
from ag.operators.special import SCIPY
from ag.operators.table import COMPOSITES, CONSTANTS, NUMPY, TABLE
from ag.transforms.containers import leaves
from ag.transforms.defining import OWN

# ---------------------------------------------------------------------- the peers

HIPS = """
absolute add amax amin angle append arccos arccosh arcsin arcsinh arctan arctan2 arctanh array array_split astype atleast_1d
atleast_2d atleast_3d broadcast_to clip column_stack concatenate conjugate cos cosh cross cumsum deg2rad degrees diag diagonal
diff divide dot dsplit einsum exp exp2 expand_dims expm1 fabs fft.fft fft.fft2 fft.fftn fft.fftshift fft.ifft fft.ifft2
fft.ifftn fft.ifftshift fft.irfft fft.irfft2 fft.irfftn fft.rfft fft.rfft2 fft.rfftn fliplr flipud fmax fmin full gradient
hsplit hstack hypot imag inner kron linalg.cholesky linalg.det linalg.eig linalg.eigh linalg.inv linalg.norm linalg.pinv
linalg.slogdet linalg.solve linalg.svd linspace log log10 log1p log2 logaddexp logaddexp2 matmul max maximum mean min minimum
moveaxis multiply nan_to_num negative outer pad partition power prod rad2deg radians ravel real real_if_close reciprocal
remainder repeat reshape roll rollaxis rot90 select sin sinc sinh sort split sqrt square squeeze stack std subtract sum
swapaxes tan tanh tensordot tile trace transpose tril triu var vsplit vstack where
"""
HIPS_SCIPY = """
linalg.solve_banded linalg.solve_sylvester linalg.solve_triangular linalg.sqrtm special.beta special.betainc special.betaln
special.erf special.erfc special.erfcinv special.erfinv special.expit special.gamma special.gammainc special.gammaincc
special.gammaln special.i0 special.i1 special.iv special.ive special.j0 special.j1 special.jv special.logit special.logsumexp
special.multigammaln special.polygamma special.psi special.rgamma special.y0 special.y1 special.yn
"""
ADVECT = """
absolute add amax amin angle append apply_along_axis apply_over_axes arccos arccosh arcsin arcsinh arctan arctan2 arctanh around
array array_split asanyarray asarray astype atleast_1d atleast_2d atleast_3d average bincount block broadcast_arrays
broadcast_to cbrt ceil choose clip column_stack compress concatenate conjugate convolve copy copysign copyto corrcoef correlate
cos cosh cov cross cumprod cumsum cumulative_prod cumulative_sum deg2rad degrees delete diag diagflat diagonal diff divide
divmod dot dsplit dstack ediff1d einsum exp exp2 expand_dims expm1 extract fabs fft.fft fft.fft2 fft.fftn fft.fftshift fft.hfft
fft.ifft fft.ifft2 fft.ifftn fft.ifftshift fft.ihfft fft.irfft fft.irfft2 fft.irfftn fft.rfft fft.rfft2 fft.rfftn fill_diagonal
fix flip fliplr flipud float_power floor floor_divide fmax fmin fmod frexp full full_like geomspace gradient heaviside histogram
histogram2d histogram_bin_edges histogramdd hsplit hstack hypot i0 imag inner insert interp intersect1d kron ldexp
lib.scimath.arccos lib.scimath.arcsin lib.scimath.arctanh lib.scimath.log lib.scimath.log10 lib.scimath.log2 lib.scimath.logn
lib.scimath.power lib.scimath.sqrt lib.stride_tricks.sliding_window_view linalg.cholesky linalg.cond linalg.cross linalg.det
linalg.diagonal linalg.eig linalg.eigh linalg.eigvals linalg.eigvalsh linalg.inv linalg.lstsq linalg.matmul linalg.matrix_norm
linalg.matrix_power linalg.matrix_transpose linalg.multi_dot linalg.norm linalg.outer linalg.pinv linalg.qr linalg.slogdet
linalg.solve linalg.svd linalg.svdvals linalg.tensordot linalg.tensorinv linalg.tensorsolve linalg.trace linalg.vecdot
linalg.vector_norm linspace log log10 log1p log2 logaddexp logaddexp2 logspace matmul matrix_transpose matvec max maximum mean
median meshgrid min minimum modf moveaxis multiply nan_to_num nancumprod nancumsum nanmax nanmean nanmedian nanmin nanpercentile
nanprod nanquantile nanstd nansum nanvar negative nextafter ones_like outer pad partition percentile piecewise place poly
polyadd polyder polydiv polyfit polyint polymul polysub polyval positive power prod ptp put put_along_axis putmask quantile
rad2deg radians ravel real real_if_close reciprocal remainder repeat reshape resize rint roll rollaxis roots rot90 round select
setdiff1d setxor1d sign sin sinc sinh sort sort_complex spacing split sqrt square squeeze stack std subtract sum swapaxes take
take_along_axis tan tanh tensordot tile trace transpose trapezoid tril trim_zeros triu trunc union1d unique unique_all
unique_counts unique_inverse unique_values unstack unwrap vander var vdot vecdot vecmat vsplit vstack where zeros_like
"""
ADVECT_METHODS = """
add.accumulate add.outer add.reduce arctan2.outer copysign.outer divide.outer float_power.outer floor_divide.outer fmax.outer
fmin.outer fmod.outer heaviside.outer hypot.outer ldexp.outer logaddexp.outer logaddexp2.outer maximum.outer minimum.outer
multiply.accumulate multiply.outer multiply.reduce nextafter.outer power.outer remainder.outer subtract.outer
"""
ADVECT_SCIPY = """
special.digamma special.erf special.erfc special.erfcx special.erfinv special.expit special.gammaln special.log_expit
special.log_ndtr special.log_softmax special.logsumexp special.ndtr special.ndtri special.polygamma special.softmax
"""
PEERS = {"HIPS autograd 1.9.1": HIPS, "Advect 0.3.1": ADVECT}

# ---------------------------------------------------------------------- the sections

CORE = ("elementwise", "steps", "parts", "reductions", "shaping", "joining", "selecting", "products", "probability")
TITLES = {
    "elementwise": "Element by element", "steps": "Steps, comparisons and logic", "parts": "Parts of complex numbers",
    "reductions": "Reductions", "shaping": "Shapes and dtypes", "joining": "Joining, flipping, repeating",
    "selecting": "Selecting", "products": "Products", "probability": "Probabilities", "floating": "Floating point",
    "missing": "Passing over nan", "ordering": "Order statistics", "sets": "Sets", "statistics": "Statistics",
    "differences": "Differences, integrals, interpolation", "signals": "Convolution", "arranging": "Arranging",
    "building": "Building arrays", "choosing": "Choosing", "polynomials": "Polynomials", "special": "Special functions",
    "fourier": "Fourier transforms", "solving": "Linear equations", "factors": "Factors of matrices",
    "spectra": "Eigenvalues of symmetric matrices, singular values", "eigenvalues": "Eigenvalues, zeros of polynomials",
    "matrices": "Norms and parts of matrices", "matrix_functions": "Functions of matrices, triangular systems",
    "banded": "Banded systems", "segments": "Reductions of slices", "complex_domain": "Beyond the real domain",
}  # fmt: skip

HOMES = (("ag", ag), ("ag.linalg", ag.linalg), ("ag.special", ag.special), ("ag.fft", ag.fft))


def modules() -> dict[str, ModuleType]:
    """The modules of rows, in the order of the page."""
    names = [*CORE, *(name for name in later.MODULES if name != "declared")]
    return {name: importlib.import_module(f"ag.operators.{name}") for name in names}


def homes(names: set[str]) -> dict[str, str]:
    """In which module each operator is defined: where its function has a name that is not imported."""
    found: dict[str, str] = {}
    for title, module in modules().items():
        tree = ast.parse(inspect.getsource(module))
        imported = {alias.asname or alias.name for x in ast.walk(tree) if isinstance(x, ast.ImportFrom) for alias in x.names}
        own = [x for name, x in vars(module).items() if name not in imported]
        own += [x for table in own if isinstance(table, dict) for x in table.values() if callable(x)]
        own_ids = {id(x) for x in own} | {id(x.op) for x in own if hasattr(x, "op")}
        for name in names - found.keys():
            if own_ids & {id(FUNCTIONS[name]), id(getattr(FUNCTIONS[name], "op", None) or FUNCTIONS[name])}:
                found[name] = title
    missing = names - found.keys()
    assert not missing, f"nobody knows where these are defined: {missing}"
    return found


# ---------------------------------------------------------------------- the columns


def path_of(f: Any) -> str:
    """A function of NumPy as people write it."""
    for home, prefix in ((np, "np"), (np.linalg, "np.linalg"), (np.fft, "np.fft"), (np.lib.scimath, "np.lib.scimath")):
        if getattr(home, f.__name__, None) is f:
            return f"{prefix}.{f.__name__}"
    return f"np.lib.stride_tricks.{f.__name__}"


def public(name: str) -> str:
    """The name under which people call an operator; none of a row that only others use."""
    for prefix, home in HOMES:
        for alias in (name, *dir(home)):
            if getattr(home, alias, None) is FUNCTIONS[name]:
                return f"{prefix}.{alias}"
    return ""


OLD = {"row_stack", "trapz", "in1d"}  # names that not every NumPy has
METHODS_OF_UFUNCS = {name: f"np.{f.__name__}.{method}" for method, names in METHODS.items() for f, name in names.items()}


def answers_to(name: str, functions: tuple[Any, ...]) -> list[str]:
    """The functions of NumPy and SciPy that do the same on nodes."""
    functions = (*functions, *(f for f, g in NUMPY.items() if g is FUNCTIONS[name] and f not in functions))
    of_numpy = [path_of(f) for f in functions if f.__name__ not in OLD]
    of_scipy = [f"scipy.special.{known}" for known, f in SCIPY.items() if f is FUNCTIONS[name]]
    return [*of_numpy, *of_scipy, *([METHODS_OF_UFUNCS[name]] if name in METHODS_OF_UFUNCS else [])]


def derivative(op: Any) -> str:
    """By which arguments an operator is differentiated."""
    if isinstance(op.rule, Zero):
        return "0" if op.records else "none"
    if isinstance(op.rule, Elementwise):
        parts = op.rule.partials
        codes = [part.__code__ for part in parts if isinstance(part, FunctionType)]
        names = codes[0].co_varnames[1 : codes[0].co_argcount] if codes else "xyz"[: len(parts)]
        given = [name for name, part in zip(names, parts, strict=True) if part is not None and not isinstance(part, Missing)]
        return "yes" if len(given) == len(parts) else f"by {', '.join(given)}"
    return "yes"


RANKS = ("kernel", "rows", "kernel, NumPy", "rows, NumPy", "NumPy")  # from the most that the compiler does to the least


def compiled(op: Any) -> str:
    """What ag.jit makes of an operator, found by compiling its samples: of all that is said the best."""
    found = {"NumPy"}
    for args, params in op.samples(np.random.default_rng(0)):
        program = _program(op, args, params) if all(np.size(x) for x in leaves(list(args))) else None
        kinds = {item.kind for item in Lowered(optimized(program)).items} if program is not None else {"call"}
        if kinds != {"call"}:
            found.add(("rows" if callable(op.kernel) else "kernel") + (", NumPy" if "call" in kinds else ""))
    return min(found, key=RANKS.index)


def _program(op: Any, args: Any, params: Any) -> Any:
    """An operator on its sample as a program; None where it asks for numbers."""
    inputs, params = op.signature(*args, **params) if op.signature else (args, params)
    trace = Trace()
    with trace:
        given = [
            trace.argument(np.shape(x), np.asarray(x).dtype) if isinstance(x, (np.ndarray, float)) else x for x in inputs
        ]
        try:
            result = op.apply(tuple(given), params)
        except TypeError:
            return None
        return trace.finish([result])


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def sentence(text: str) -> str:
    """A convention in one line, with a full stop."""
    text = " ".join(text.split())
    return text + "." * (bool(text) and not text.endswith("."))


def code(texts: list[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts)


# ---------------------------------------------------------------------- the page

HEAD = """# The operators

What `ag` differentiates, from its table. The functions of NumPy and SciPy in the second column do the same on nodes: `np.exp(x)`
is `ag.exp(x)`.

- **Reverse, forward:** the modes that have a rule, of any order. *by x*: by this argument alone; by the others an error says that
  there is no rule. *0*: piecewise constant, so the derivative is zero. *none*: plain results.
- **Batch:** what `ag.vmap` does. *at once*: one call for all examples; *one by one*: a loop.
- **Compiled:** what `ag.jit` does. *kernel*: machine code of its own, fused with its neighbours, or no work at all, as for views;
  *rows*: written in other operators, which are compiled; *NumPy*: a call of NumPy from the program.
- Rows without a public name are parts of others. **Composites** are written in other operators, from which they have both modes,
  every order, batches and programs.
"""


def rows_of(names: list[str]) -> list[str]:
    lines = ["| operator | on nodes also | reverse | forward | batch | compiled | conventions |", "|---|---|---|---|---|---|---|"]
    for name in names:
        op = TABLE[name]
        mode = derivative(op)
        batch = "one by one" if op.batch is one_by_one else "at once"
        called = public(name)
        lines.append(
            f"| {f'`{called}`' if called else name} | {code(answers_to(name, op.numpy))} | {mode} | {mode} | {batch} "
            f"| {compiled(op)} | {cell(sentence(op.convention))} |"
        )
    return lines


def composites_of(names: list[str]) -> list[str]:
    lines = ["| composite | on nodes also | conventions |", "|---|---|---|"]
    for name in names:
        entry, called = COMPOSITES[name], public(name)
        convention = sentence(entry.convention)
        if entry.varying:
            convention += " Not under `ag.vmap`, as the shape of the result depends on values."
        also = code(answers_to(name, entry.numpy))
        lines.append(f"| {f'`{called}`' if called else name} | {also} | {cell(convention.strip())} |")
    return lines


def sections() -> list[str]:
    """The tables, a section for each module."""
    rows = [name for name in TABLE if name not in OWN]
    where = homes({*rows, *COMPOSITES})
    lines = []
    for title in modules():
        own_rows = [name for name in rows if where[name] == title]
        own_composites = [name for name in COMPOSITES if where[name] == title]
        lines += ["", f"## {TITLES[title]}", ""]
        lines += rows_of(own_rows) if own_rows else []
        lines += [""] if own_rows and own_composites else []
        lines += composites_of(own_composites) if own_composites else []
    return lines


def constants() -> list[str]:
    """Functions without a derivative."""
    names = sorted({path_of(f) for f in CONSTANTS.values()} | {
        path_of(f) for name, op in TABLE.items() if isinstance(op.rule, Zero) and not op.records for f in op.numpy
    })  # fmt: skip
    return [
        "", "## Without a derivative", "", "Indices, counts, truths, shapes: plain results, also of nodes.", "", code(names),
    ]  # fmt: skip


def is_refused(name: str) -> bool:
    """Can a node not have a function of NumPy, as that makes an array of it, or writes into one?"""
    return name in REWRITES and attrgetter(name)(np) not in NUMPY


def ours(name: str) -> str:
    """What ag has for a function of NumPy."""
    if is_refused(name):
        return f"write `{REWRITES[name]}`"
    head, _, method = name.rpartition(".")
    if method in ("outer", "reduce", "accumulate") and hasattr(np, head):
        assert method == "outer" or getattr(np, head) in METHODS[method], name
        return "yes"
    function = attrgetter(name)(np)
    assert function in NUMPY, f"np.{name} has no operator"
    return "plain" if NUMPY[function].__name__ in CONSTANTS else "yes"


def beside(lists: dict[str, str], prefix: str, has: Any) -> list[str]:
    """A table of functions, with a column for each of the lists, and one for ag."""
    known = {peer: set(text.split()) for peer, text in lists.items()}
    lines = [f"| {prefix} | {' | '.join(known)} | ag |", "|---" * (len(known) + 2) + "|"]
    for name in sorted(set().union(*known.values()), key=lambda name: (name.count("."), name)):
        marks = " | ".join("yes" if name in names else "" for names in known.values())
        lines.append(f"| `{name}` | {marks} | {has(name)} |")
    return lines


def of_scipy(name: str) -> str:
    """What ag has for a function of SciPy."""
    head, _, short = name.partition(".")
    if head == "special" and short in SCIPY:
        return "yes"
    for prefix, home in HOMES:
        if callable(getattr(home, short, None)):
            return f"`{prefix}.{short}`"
    raise AssertionError(f"scipy.{name} has no operator")


def peers() -> list[str]:
    """The lists of the peers beside ours."""
    lists = {peer: set(text.split()) for peer, text in PEERS.items()}
    together = set.union(*lists.values())
    written = set(filter(is_refused, together))
    plain = {name for name in together - written if ours(name) == "plain"}
    counts = ", ".join(f"{peer} {len(names)}" for peer, names in lists.items())
    return [
        "", "## Beside the peers", "",
        f"Functions of NumPy that are differentiated: {counts}, both together {len(together)}. Of these `ag` "
        f"differentiates {len(together) - len(written) - len(plain)} by their names; {len(written)} can't take a node, as NumPy "
        "would make a plain array of it or write into one and lose the derivative, so they raise and say what to write "
        "(*write ...*); "
        f"{len(plain)} depend on shapes alone (*plain*).", "",
        "A name stands here once, whatever its aliases. The lists are those that the projects state: the primitives of HIPS "
        "autograd that have a reverse rule, and the entries of Advect's support contract that have derivatives.",
        "", *beside(PEERS, "NumPy", ours), "", "Methods of ufuncs:", "",
        *beside({"Advect 0.3.1": ADVECT_METHODS}, "NumPy", ours), "",
        "Of SciPy, whose ufuncs take nodes; its other functions raise and name the one here:", "",
        *beside({"HIPS autograd 1.9.1": HIPS_SCIPY, "Advect 0.3.1": ADVECT_SCIPY}, "SciPy", of_scipy), "",
        "HIPS autograd has also the densities of `scipy.stats`, `scipy.signal.convolve` and `scipy.integrate.odeint`, and Advect "
        "the filters of `scipy.ndimage` and sparse matrices; `ag` has not.",
    ]  # fmt: skip


def page() -> str:
    """The text of the page."""
    later.everything()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, where a stand-in has too few elements for a variance
        return "\n".join([HEAD.rstrip(), *sections(), *constants(), *peers(), ""])


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "operators.md"
    target.write_text(page(), encoding="utf-8")

"""What to write instead: the call in the user's program that would lose a derivative, and the one that keeps it."""

from __future__ import annotations

from sys import _getframe
from types import FrameType
from typing import Any, NoReturn

from .source import PACKAGE

# By the name of the function that was called. What stands in a line below is written about x, a node.
REWRITES = {
    "array": "ag.stack([x, y])",
    "asarray": "x itself, or ag.stack([x, y])",
    "asanyarray": "x itself, or ag.stack([x, y])",
    "full": "x * np.ones(shape), or ag.broadcast_to(x, shape)",
    "full_like": "x * np.ones_like(a)",
    "fill": "a = x * np.ones_like(a)",
    "arange": "a + step * np.arange(n)",
    "fromiter": "ag.stack(list(values))",
    "vectorize": "the function on the whole array, or ag.stack([f(v) for v in x])",
    "frompyfunc": "the function on the whole array, or ag.stack([f(v) for v in x])",
    "copyto": "a = ag.where(mask, x, a)",
    "put": "a = ag.Tensor(a).at[index].set(x)",
    "place": "a = ag.where(mask, x, a)",
    "putmask": "a = ag.where(mask, x, a)",
    "put_along_axis": "a = ag.Tensor(a).at[index].set(x)",
    "fill_diagonal": "a * (1 - np.eye(n)) + x * np.eye(n)",
    "normal": "mean + scale * rng.normal(size=shape): the noise must not depend on x",
    "standard_normal": "rng.standard_normal(shape) * scale + mean",
    "lognormal": "ag.exp(mean + sigma * rng.normal(size=shape))",
    "uniform": "low + (high - low) * rng.random(shape)",
    "exponential": "scale * rng.exponential(size=shape)",
    "laplace": "loc + scale * rng.laplace(size=shape)",
    "gumbel": "loc + scale * rng.gumbel(size=shape)",
    "logistic": "loc + scale * rng.logistic(size=shape)",
    "multivariate_normal": "mean + np.linalg.cholesky(covariance) @ rng.normal(size=n)",
    "choice": "rng.choice(n, p=p.value): a draw has no derivative; weight its log-probability instead",
    "poisson": "rng.poisson(x.value): a draw of integers has no derivative",
    "binomial": "rng.binomial(n, p.value): a draw of integers has no derivative",
    "fsum": "ag.sum(ag.stack(values))",
    "fmean": "ag.mean(ag.stack(values))",
    "stdev": "ag.std(ag.stack(values), ddof=1)",
    "dot": "a @ x",
    "save": "np.save(path, x.value)",
    "savetxt": "np.savetxt(path, x.value)",
    "savez": "np.savez(path, x=x.value)",
    "savez_compressed": "np.savez_compressed(path, x=x.value)",
}  # fmt: skip

# Names that other libraries have. What stands behind one is written about x, a node.
ATTRIBUTES = {
    **dict.fromkeys(("numpy", "data", "cpu"), "its numbers are x.value"),
    "tolist": "write x.value.tolist()",
    "zero_grad": "backward() writes grad afresh, unless it is told to accumulate; x.grad = None resets it",
    **dict.fromkeys(
        ("requires_grad", "requires_grad_"), "every node has a derivative; x.detach() and ag.stop_gradient(x) stop it",
    ),
    "grad_fn": "what made it is x.op, of x.inputs",
    "_op": "what made it is x.op",
    "_prev": "what it was made of is x.inputs",
    "block_until_ready": "its numbers are there at once",
    **{name: f"a node is a value that is never written in place: write {rewrite}" for name, rewrite in {
        "sort": "x = np.sort(x, axis=-1)",
        "partition": "x = np.partition(x, k, axis=-1)",
        "fill": "x = np.full_like(x, v)",
        "put": "x = x.reshape(-1).at[i].set(v).reshape(x.shape)",
        "itemset": "x = x.at[i].set(v)",
        "resize": "x = np.resize(x, shape), or x.reshape(shape)",
        "flat": "x.reshape(-1)[i] for an element, and x = x.reshape(-1).at[i].set(v).reshape(x.shape) to change one",
    }.items()},
    **{
        name: f"write x.value.{name}(...), under ag.jit y.{name}(...) of what is returned"
        for name in ("tobytes", "tofile", "dump", "dumps", "view", "byteswap", "getfield")
    },
}
KEYWORDS = {
    "requires_grad": "every node has a derivative: leave it out, and use plain arrays for what has none",
    "dtype": "the dtype is that of the array, write np.asarray(a, dtype=...)",
    "name": "write label=...",
    "device": "the memory of this machine is the only one",
}
NAMES = {
    **dict.fromkeys(("array", "asarray", "tensor", "Variable"), "write ag.Tensor(a) for a node, np.array(a) for a plain array"),
    **dict.fromkeys(("scalar", "Value"), "write ag.Scalar(2.0)"),
    "no_grad": "nothing is recorded of plain arrays: compute with x.value",
    "elementwise_grad": "write ag.vmap(ag.grad(f))",
    "numpy": "NumPy's own functions take nodes, np.sin(x)",
    "lax": "ag.scan, ag.cond, ag.while_loop and ag.fori_loop stand in ag itself",
}
MODELS = {"save": "write ag.learn.save(model, path)", "load": "write ag.learn.load(path)"}

JOINS = ("array", "asarray", "asanyarray")
NOTHING = "", "", ""
FOREIGN = ("numpy", "scipy", "math", "statistics", "pandas", "sklearn", "matplotlib")


def instead(name: str) -> str:
    """What keeps the derivative in place of a call of ``name``; empty if nothing is known."""
    if name in REWRITES:
        return REWRITES[name]
    import ag

    for prefix, home in (("ag", ag), ("ag.linalg", getattr(ag, "linalg", None)), ("ag.special", getattr(ag, "special", None))):
        if callable(getattr(home, name, None)):
            return f"{prefix}.{name}(...)"
    return ""


class Elsewhere:
    """An attribute that other libraries have: who asks for it is told what to write."""

    __slots__ = ("hint", "name")

    def __init__(self, name: str, hint: str) -> None:
        self.name, self.hint = name, hint

    def __get__(self, instance: Any, owner: type) -> NoReturn:
        raise AttributeError(f"{owner.__name__} has no attribute {self.name!r}: {self.hint}")

    def __set__(self, instance: Any, value: Any) -> NoReturn:
        self.__get__(instance, type(instance))


def unknown_keyword(given: dict[str, Any]) -> TypeError:
    """What to say of a keyword that ag.Tensor does not take."""
    name = next(iter(given))
    hint = f": {KEYWORDS[name]}" if name in KEYWORDS else ", only label"
    return TypeError(f"ag.Tensor takes no {name}={given[name]!r}{hint}")


def unknown_name(name: str) -> str:
    """What to write in place of ag.name, which there is not; empty if nothing is known."""
    import numpy as np

    if name in NAMES:
        return f": {NAMES[name]}"
    return f": NumPy has it, np.{name}" if callable(vars(np).get(name)) else ""


def advice() -> str:
    """The call that the user's program is making at this moment, and what to write instead; empty if that can't be told."""
    frame = _users()
    text, name, listed = _call(frame) if frame is not None else ("", "", "")
    rewrite = f"ag.stack({listed})" if listed and name in JOINS else instead(name) if name else ""
    if not text.endswith(")"):  # the name of a function that is handed over
        rewrite = rewrite.removesuffix("(...)")
    own = rewrite.endswith("(...)") and text.startswith(rewrite.removesuffix("...)"))
    return f"; in place of {text} write {rewrite}" if rewrite and not own else ""


def called() -> str:
    """The name of the function that the user's program is calling at this moment; empty if that can't be told."""
    frame = _users()
    return _call(frame)[1] if frame is not None else ""


def storing() -> bool:
    """Is the user's program just now storing something into an array, ``a[i] = x``?"""
    import dis

    frame = _users()
    return frame is not None and dis.opname[frame.f_code.co_code[frame.f_lasti]] == "STORE_SUBSCR"


STACKED = "build the array from nodes, ag.stack([x, y]), or make a new one, ag.Tensor(a).at[index].set(x)"  # in place of storing


def said_last(error: Any) -> None:
    """Of an error that NumPy raises about ``a[i] = x``: what x said, which is its cause, as the last line of it."""
    cause = error.__cause__
    if cause is not None and "setting an array element" in str(error) and str(cause) not in getattr(error, "__notes__", ()):
        error.add_note(str(cause))


def _users() -> FrameType | None:
    """The innermost frame that is neither ours nor of a library of numbers."""
    frame: FrameType | None = _getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "").partition(".")[0]
        if module not in FOREIGN and not frame.f_code.co_filename.startswith(PACKAGE):
            return frame
        frame = frame.f_back
    return None


def _call(frame: FrameType) -> tuple[str, str, str]:
    """The call that a frame is making: its text, the name of the function and the list of numbers that is its argument.

    Of the call of a transform the text and the name of the function that it is given."""
    import ast
    import linecache

    places = list(frame.f_code.co_positions())
    first, last, start, end = places[frame.f_lasti // 2]
    if first is None or last is None or start is None or end is None:
        return NOTHING
    lines = [linecache.getline(frame.f_code.co_filename, n) for n in range(first, last + 1)]
    if not all(lines):
        return NOTHING
    raw = [line.encode() for line in lines]  # columns are counted in bytes
    raw[-1] = raw[-1][:end]
    raw[0] = raw[0][start:]
    text = " ".join(b"".join(raw).decode().split())
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return NOTHING
    if not isinstance(tree, ast.Call):
        return NOTHING
    f = tree.func
    while isinstance(f, ast.Call):  # np.vectorize(f)(x)
        tree, f = f, f.func
    name = _name(f)
    given = tree.args[0] if tree.args else None
    if _is_transform(name):
        return (ast.unparse(given), _name(given), "") if given is not None else NOTHING
    flat = isinstance(given, ast.List) and not any(isinstance(x, (ast.List, ast.Tuple, ast.Starred)) for x in given.elts)
    return text, name, ast.unparse(given) if given is not None and flat else ""


def _name(f: Any) -> str:
    """The name of a function in the program's text, without the module that it is taken from."""
    return getattr(f, "attr", "") or getattr(f, "id", "")


def _is_transform(name: str) -> bool:
    import ag

    home = getattr(getattr(ag, name, None), "__module__", "") if name else ""
    return home.startswith(("ag.transforms", "ag.compiler"))

"""An independent reader of printed formulas: the text of a formula in, its numbers out.

It reads as a person does who was told this much. Indices, powers and ᵀ bind first, to what stands right before them. A function
word (log, sin, Σ, mean, ...) takes the next thing alone; with axes as low digits (Σ₀,₂) it reduces along those, without any along
all. Then come products and quotients from the left, then sums. ``·`` scales by a number, and is the product of matrices
otherwise (a vector times a row vᵀ makes a matrix); ``⊙`` goes element by element. Brackets around a comparison are 1 where it
holds and 0 elsewhere. Arrays broadcast as NumPy's. Nothing here is the library's: the words are NumPy's functions.
"""

import math
import re

import numpy as np
import scipy.linalg
import scipy.special


def in_a_row(*parts):
    """The parts of a factorisation one after another along the last axis; the first, if it has one axis less, are values."""
    lead = min(parts, key=np.ndim).shape[:-1] if len({np.ndim(part) for part in parts}) > 1 else parts[0].shape[:-2]
    return np.concatenate([part.reshape(*lead, math.prod(part.shape[len(lead) :])) for part in parts], -1)


UNARY = {
    "log": np.log, "log₂": np.log2, "log₁₀": np.log10, "sin": np.sin, "cos": np.cos, "tan": np.tan, "arcsin": np.arcsin,
    "arccos": np.arccos, "arctan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "arsinh": np.arcsinh,
    "arcosh": np.arccosh, "artanh": np.arctanh, "sign": np.sign, "σ": scipy.special.expit, "trunc": np.trunc, "rint": np.rint,
    "sinc": np.sinc, "logit": scipy.special.logit, "Γ": scipy.special.gamma, "Φ": scipy.special.ndtr,
    "ω": scipy.special.wrightomega, "K": scipy.special.ellipk, "E": scipy.special.ellipe, "E₁": scipy.special.exp1,
    "Ei": scipy.special.expi, "Re": np.real, "Im": np.imag, "det": np.linalg.det, "chol": np.linalg.cholesky,
    "λ": np.linalg.eigvalsh, "qr": lambda x: in_a_row(*np.linalg.qr(x)), "eigh": lambda x: in_a_row(*np.linalg.eigh(x)),
    "slogdet": lambda x: np.stack(np.linalg.slogdet(x), -1),
}  # fmt: skip
REDUCED = {"Σ": np.sum, "Π": np.prod, "mean": np.mean, "max": np.max, "min": np.min}
UFUNCS = {name: f for module in (np, scipy.special) for name, f in vars(module).items() if isinstance(f, np.ufunc) and len(name) > 2}
BESSEL = {"J": scipy.special.jv, "Y": scipy.special.yv, "I": scipy.special.iv, "K": scipy.special.kv,
          "j": scipy.special.spherical_jn}  # fmt: skip
CALLED = {
    **UFUNCS, "B": scipy.special.beta, "P": scipy.special.gammainc, "Q": scipy.special.gammaincc, "ζ": scipy.special.zeta,
    "svd": lambda x, full=False: in_a_row(*np.linalg.svd(x, full_matrices=full)), "rfft": np.fft.rfft, "irfft": np.fft.irfft,
    "expm": scipy.linalg.expm, "complement": lambda x: np.linalg.qr(x, "complete")[0][..., x.shape[-1] :],
    "logm": np.vectorize(scipy.linalg.logm, otypes=[float], signature="(n,n)->(n,n)"), "sqrtm": np.vectorize(scipy.linalg.sqrtm, otypes=[float], signature="(n,n)->(n,n)"),
    "banded": lambda ab, b, lower, upper: scipy.linalg.solve_banded((lower, upper), ab, b),
    "sylvester": np.vectorize(scipy.linalg.solve_sylvester, otypes=[float], signature="(m,m),(n,n),(m,n)->(m,n)"),
    "huber": scipy.special.huber, "svdvals": np.linalg.svdvals,
    "p_norm": lambda x, axis, ord: np.linalg.norm(x, ord, axis),
    "softmax": lambda z, axis=-1: scipy.special.softmax(z, axis=axis),
    "clip": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "atan2": np.arctan2, "diag": np.diag, "reshape": np.reshape, "broadcast_to": np.broadcast_to, "flip": np.flip, "roll": np.roll, "tile": np.tile,
    "repeat": np.repeat, "cumulative_sum": np.cumsum, "cumulative_prod": np.cumprod, "permute_dims": np.transpose,
    "concat": lambda *xs, axis: np.concatenate(xs, axis), "stack": np.stack, "einsum": np.einsum,
    "pad": lambda x, widths, value: np.pad(x, widths, constant_values=value),
    "var": lambda x, axis, correction=0: np.var(x, axis=axis, ddof=correction),
    "std": lambda x, axis, correction=0: np.std(x, axis=axis, ddof=correction),
    "isfinite": np.isfinite, "isinf": np.isinf, "isnan": np.isnan, "signbit": np.signbit,
}  # fmt: skip
TWO = {"max": np.maximum, "min": np.minimum}
COMPARED = {"=": np.equal, "≠": np.not_equal, "<": np.less, "≤": np.less_equal, ">": np.greater, "≥": np.greater_equal}
COMBINED = {"∧": np.logical_and, "∨": np.logical_or, "⊕": np.logical_xor}
CONSTANTS = {"true": True, "false": False, "nan": math.nan, "inf": math.inf, "∞": math.inf, "π": math.pi, "i": 1j, "None": None, "True": True,
             **{word: word for word in ("ortho", "forward", "backward")}}  # fmt: skip
WORDS = [*UNARY, *REDUCED, *CALLED, *CONSTANTS, *BESSEL, "ψ", "axis", "axes", "shift", "widths", "value", "reps", "repeats", "correction", "ord", "full", "lower", "upper", "n", "norm",
         "with", "if", "else", "mod", "e", "p", "y"]  # fmt: skip
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉₋", "0123456789-")


class Row(np.ndarray):
    """vᵀ of a vector v."""


class Token(str):
    """A piece of the line, and whether it stands right behind the one before."""

    close: bool


def tokens(text, names):
    """The pieces of the line; known names first, the longest first."""
    known = sorted([*names, *WORDS], key=len, reverse=True)
    pattern = re.compile(
        "|".join([
            *(re.escape(name) + (r"(?![A-Za-z_0-9])" if name[-1].isalnum() else "") for name in known),
            r"\d+(?:\.\d+)?(?:e[+-]\d+)?", r"[⁰¹²³⁴-⁹⁻]+|⁺", r"₋?[₀-₉]+(?:,[₀-₉]+)*", r'"[^"]*"', r"\.\.\.", r"\+=", r"\S",
        ])
    )
    found, end = [], 0
    for match in pattern.finditer(text):
        assert not text[end : match.start()].strip()
        token = Token(match[0])
        token.close = end == match.start() and end > 0
        found.append(token)
        end = match.end()
    return found


def evaluate(text, names, shape=(), given=()):
    """The number(s) that a formula says, for a result of the given shape; ``given``: what its letters stand for."""
    letters = {}
    for line in given:
        letters.update(Reader(line, names, shape).assignments())
    value = Reader(text, {**names, **letters}, shape).whole()
    return fitted(value, shape)


def fitted(value, shape):
    """Broadcasting, and leading axes of length 1, need no word."""
    value = np.asarray(np.real(value), dtype=float)
    if value.size == math.prod(shape) and [n for n in value.shape if n != 1] == [n for n in shape if n != 1]:
        return value.reshape(shape)
    return np.broadcast_to(value, shape)


class Reader:
    def __init__(self, text, names, shape=()):
        self.text = text
        self.names = names
        self.shape = shape
        self.tokens = tokens(text, names)
        self.place = 0

    def peek(self):
        return self.tokens[self.place] if self.place < len(self.tokens) else Token("")

    def after(self):
        return self.tokens[self.place + 1] if self.place + 1 < len(self.tokens) else ""

    def next(self, expected=None):
        token = self.peek()
        assert token and (expected is None or token == expected), f"{expected or 'something'} is missing at {token!r} in {self.text!r}"
        self.place += 1
        return token

    def take(self, *choices):
        """The next token if it is one of these."""
        return self.next() if self.peek() in choices else None

    def whole(self):
        value = self.expression()
        assert not self.peek(), f"{self.peek()!r} is left over in {self.text!r}"
        return value

    def assignments(self):
        found = {}
        while self.peek():
            letter = str(self.next())
            self.next("=")
            found[letter] = self.expression()
            self.take(",")
        return found

    # ------------------------------------------------------------------ from the loosest to the tightest

    def expression(self):
        """x with [i] = v."""
        value = self.sum()
        if self.take("with"):
            value = np.array(np.zeros(self.shape) if np.ndim(value) == 0 and value == 0 else value, dtype=float)
            self.next("[")
            index = self.index()
            how = self.next()
            new = self.sum()
            if how == "+=":
                np.add.at(value, index, new)
            else:
                assert how == "="
                value[index] = new
        return value

    def sum(self):
        value = self.negative()
        while sign := self.take("+", "-"):
            term = self.product()
            value = value + term if sign == "+" else value - term
        return value

    def negative(self):
        if not self.take("-"):
            return self.product()
        value = np.asarray(self.product())
        return -value if value.any() else -0.0 * value

    def product(self):
        value = self.factor()
        while True:
            if self.take("·"):
                value = dot(value, self.factor())
            elif self.take("⊙"):
                value = 1.0 * np.asarray(value) * self.factor()
            elif self.take("/"):
                value = np.divide(value, self.factor())
            elif self.take("∗"):
                value = np.convolve(value, self.factor())
            elif self.take("mod"):
                value = np.mod(value, self.factor())
            elif self.peek() == "log":  # x log y
                value = np.multiply(value, self.factor())
            else:
                return value

    def factor(self):
        """A function word with the next thing, or a power."""
        word = self.peek()
        if word in BESSEL and word not in self.names and (self.after() == "_" or re.match("[₋₀-₉]", self.after())):
            self.next()
            order = self.primary() if self.take("_") else int(self.next().translate(LOWERED))
            return self.powers(BESSEL[word](order, *self.arguments()))
        if word == "ψ" and word not in self.names:
            self.next()
            order = self.primary() if self.take("^") else 0
            return self.powers(scipy.special.polygamma(order, *self.arguments()))
        if word in UNARY and word not in self.names:
            self.next()
            return self.powers(UNARY[word](self.arguments()[0])) if self.called() else UNARY[word](self.factor())
        if word in REDUCED and word not in self.names:
            self.next()
            if self.called() and word in TWO:
                arguments = self.arguments()
                return self.powers(TWO[word](*arguments) if len(arguments) == 2 else REDUCED[word](*arguments))
            axes = self.axes()
            return REDUCED[word](self.factor(), axis=axes)
        return self.power()

    def called(self):
        return self.peek() == "(" and self.peek().close

    def axes(self):
        if not re.match("[₋₀-₉]", self.peek()):
            return None
        return tuple(int(a) for a in self.next().translate(LOWERED).split(","))

    def power(self):
        return self.powers(self.postfix(self.primary()))

    def powers(self, value):
        """What stands raised behind a value, or as an index."""
        value = self.postfix(value)
        if self.take("^"):
            return np.power(np.asarray(value, float), self.factor())
        if np.ndim(value) > 1 and self.peek() in ("⁻¹", "⁺"):
            return self.powers((np.linalg.inv if self.next() == "⁻¹" else np.linalg.pinv)(value))
        if re.match("[⁰¹²³⁴-⁹⁻]", self.peek()):
            return np.power(np.asarray(value, float), int(self.next().translate(RAISED)))
        return value

    def postfix(self, value):
        while True:
            if self.peek() == "[" and self.peek().close:
                self.next()
                value = np.asarray(value)[self.index()]
            elif self.take("ᵀ"):
                value = value[None, :].view(Row) if np.ndim(value) == 1 else np.swapaxes(value, -1, -2)
            elif re.match("[₋₀-₉]", self.peek()):
                value = value[..., int(self.next().translate(LOWERED))]
            elif self.take("_"):
                labels = np.asarray(self.primary())
                value = np.take_along_axis(value, labels.astype(int)[..., None], -1)[..., 0]
            else:
                return value

    def primary(self):
        token = self.next()
        if token in self.names:
            return self.names[token]
        if token == "(":
            return self.group()
        if token == "[":
            return self.brackets()
        if token == "{":
            value = self.sum()
            self.next("}")
            return value - np.trunc(value)
        if token in ("|", "‖", "⌊", "⌈"):
            inner = self.sum()
            self.next({"|": "|", "‖": "‖", "⌊": "⌋", "⌈": "⌉"}[token])
            if token == "‖":
                return np.sqrt(np.sum(np.square(inner), axis=self.axes()))
            return {"|": np.abs, "⌊": np.floor, "⌈": np.ceil}[token](inner)
        if token == "√":
            return np.sqrt(self.postfix(self.primary()))
        if token == "∛":
            return np.cbrt(self.postfix(self.primary()))
        if token == "-":
            return -1 * np.asarray(self.primary())
        if token == "e" and self.take("_"):
            return np.eye(np.shape(self.names["p"])[-1])[np.asarray(self.primary(), dtype=int)]
        if token == "e":
            return math.e
        if token in CONSTANTS:
            return CONSTANTS[token]
        if token in CALLED:
            positional, named = [], {}
            self.next("(")
            while not self.take(")"):
                if token == "einsum" and self.peek().startswith('"'):
                    positional.append(self.next()[1:-1].replace(" → ", "->"))
                elif self.tokens[self.place + 1] == "=":
                    word = str(self.next())
                    self.next("=")
                    named[word] = self.expression()
                else:
                    positional.append(self.expression())
                self.take(",")
            return CALLED[token](*positional, **named)
        if re.fullmatch(r"\d+", token):
            return int(token)
        assert re.fullmatch(r"\d.*", token), f"{token!r} is no word of {self.text!r}"
        return float(token)

    def arguments(self):
        """(x, y): what a function word is called with."""
        self.next("(")
        found = [self.choice()]
        while self.take(","):
            found.append(self.choice())
        self.next(")")
        return found

    def choice(self):
        """x if c else y, or x."""
        value = self.expression()
        if self.take("if"):
            condition = np.asarray(self.expression()) != 0
            self.next("else")
            value = np.where(condition, value, self.expression())
        return value

    def group(self):
        """(x), (x if c else y), or a tuple."""
        if self.take(")"):
            return ()
        value = self.choice()
        if self.peek() == ",":
            value = [value]
            while self.take(","):
                if self.peek() != ")":
                    value.append(self.expression())
            value = tuple(value)
        self.next(")")
        return value

    def brackets(self):
        """A comparison, a combination of such, or a list."""
        if self.take("¬"):
            value = 1.0 * np.logical_not(self.sum())
            self.next("]")
            return value
        found = []
        while not self.take("]"):
            value = self.sum()
            if self.peek() in COMPARED:
                value = 1.0 * COMPARED[self.next()](value, self.sum())
                self.next("]")
                return value
            if self.peek() in COMBINED:
                value = 1.0 * COMBINED[self.next()](value, self.sum())
                self.next("]")
                return value
            found.append(value)
            self.take(",")
        return np.array(found) if found else np.zeros(0, int)

    def index(self):
        """The inside of [1:3, None, ..., [0, 2]]."""
        parts = []
        while not self.take("]"):
            if self.take("..."):
                parts.append(Ellipsis)
            elif self.take("None"):
                parts.append(None)
            else:
                ends = [None]
                while self.peek() not in (",", "]"):
                    if self.take(":"):
                        ends.append(None)
                    else:
                        ends[-1] = self.sum()
                part = ends[0] if len(ends) == 1 else slice(*(None if n is None else int(n) for n in ends))
                parts.append(int(part) if np.ndim(part) == 0 and not isinstance(part, slice) and np.asarray(part).dtype.kind == "i" else part)
            self.take(",")
        return tuple(parts)


def dot(x, y):
    """x · y."""
    if np.ndim(x) == 0 or np.ndim(y) == 0:
        return 1.0 * np.asarray(x) * y
    if np.ndim(x) == 1 and isinstance(y, Row):
        return np.multiply.outer(x, np.asarray(y)[0])
    return np.matmul(np.asarray(x), np.asarray(y))

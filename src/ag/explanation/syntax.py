"""From text to a syntax tree. Errors of syntax, and what is refused of Python's grammar, point to the place."""

from __future__ import annotations

import ast
import re
import unicodedata
import warnings

from .pointing import ExpressionError
from .vocabulary import find

LONGEST = 10_000  # characters

# How Python's operators are called as methods; a row of the table answers to each.
METHODS: dict[type[ast.AST], str] = {
    ast.Add: "__add__", ast.Sub: "__sub__", ast.Mult: "__mul__", ast.Div: "__truediv__", ast.FloorDiv: "__floordiv__",
    ast.Mod: "__mod__", ast.Pow: "__pow__", ast.MatMult: "__matmul__", ast.USub: "__neg__", ast.UAdd: "__pos__",
    ast.Eq: "__eq__", ast.NotEq: "__ne__", ast.Lt: "__lt__", ast.LtE: "__le__", ast.Gt: "__gt__", ast.GtE: "__ge__",
}

# What people write who copy a formula.
LOOKALIKES = {
    "−": "-", "–": "-", "×": "*", "·": "*", "⋅": "*", "∙": "*", "÷": "/", "∕": "/", "⁄": "/",
    "²": "**2", "³": "**3", "√": "sqrt(...)",
    "≤": "<=", "≥": ">=", "≠": "!=", "½": "1/2", "∞": "inf", "’": "nothing there", "′": "nothing there",
}

# What is refused, and what to write instead.
REFUSED: dict[type[ast.AST], str] = {
    ast.Lambda: "an expression defines no functions: write the formula itself",
    ast.ListComp: "an expression has no loops: write the elements out, [x, y, z]",
    ast.GeneratorExp: "an expression has no loops: write the terms out, x + y + z",
    ast.SetComp: "an expression has no loops: write the elements out, [x, y, z]",
    ast.DictComp: "an expression has no loops: write the elements out, [x, y, z]",
    ast.Set: "braces have no meaning here: write ( ) around a formula, [ ] around a vector",
    ast.Dict: "braces have no meaning here: write ( ) around a formula, [ ] around a vector",
    ast.Tuple: "several numbers make a vector in brackets: write [x, y]",
    ast.Starred: "a star unpacks nothing here: write the elements out, [x, y, z]",
    ast.NamedExpr: "an expression sets no variables: what occurs several times is computed once anyway",
    ast.Await: "an expression awaits nothing: write the formula itself",
    ast.Yield: "an expression yields nothing: write the formula itself",
    ast.YieldFrom: "an expression yields nothing: write the formula itself",
    ast.BitXor: "^ is no power here: write ** (x**2)",
    ast.BitAnd: "& has no meaning for numbers: of two conditions write logical_and(x > 0, y > 0)",
    ast.BitOr: "| has no meaning for numbers: write abs(x) for an absolute value, logical_or(x > 0, y > 0) of two conditions",
    ast.Invert: "~ has no meaning for numbers: of a condition write logical_not(x > 0)",
    ast.LShift: "<< has no meaning for numbers: write x * 2**n",
    ast.RShift: ">> has no meaning for numbers: write x / 2**n",
    ast.Is: "'is' compares no numbers: write ==",
    ast.IsNot: "'is not' compares no numbers: write !=",
    ast.In: "'in' has no meaning for numbers: compare with ==, <, <=, > or >=",
    ast.NotIn: "'not in' has no meaning for numbers: compare with ==, <, <=, > or >=",
}


def normalized(name: str) -> str:
    """A name as Python reads it: x₁ is x1."""
    return unicodedata.normalize("NFKC", name)


class Syntax:
    """A syntax tree with its text, which all errors point into."""

    def __init__(self, text: str, *, vector: bool = False) -> None:
        if not isinstance(text, str):
            raise TypeError(f"an expression is a string, got {type(text).__name__}: write parse('x*y', {{'x': 2.0, 'y': 1.0}})")
        self.text = "".join(" " if c.isspace() else c for c in text.strip())
        self.tree = self._parsed()
        self._bytes = self.text_read.encode()
        if vector and isinstance(self.tree, ast.Tuple):  # x=1,2,3
            self.tree = ast.copy_location(ast.List(self.tree.elts, ast.Load()), self.tree)

    def error(self, message: str, place: ast.AST | tuple[int, int]) -> ExpressionError:
        """The error to raise: what is wrong, at a node of the tree or from one character to another."""
        start, stop = self.span(place) if isinstance(place, ast.AST) else place
        return ExpressionError(message, self.text, start, stop)

    def span(self, node: ast.AST) -> tuple[int, int]:
        """The characters of a node: the tree counts in bytes."""
        start, stop = node.col_offset, node.end_col_offset  # type: ignore[attr-defined]
        return self._characters(start), self._characters(stop)

    def segment(self, node: ast.AST) -> str:
        """The text of a node, as it was written."""
        start, stop = self.span(node)
        return self.text[start:stop]

    def between(self, left: ast.AST, right: ast.AST) -> str:
        """The sign between two nodes."""
        return self.text[self.span(left)[1] : self.span(right)[0]].strip(" ()")

    def _characters(self, offset: int) -> int:
        return len(self._bytes[:offset].decode())

    # ------------------------------------------------------------------ reading

    def _parsed(self) -> ast.expr:
        text = self.text
        if not text:
            raise self.error("the expression is empty: write one such as x*y", (0, 1))
        if len(text) > LONGEST:
            raise self.error(f"the expression has {len(text):,} characters, at most {LONGEST:,} are read", (LONGEST, LONGEST + 1))
        odd = re.search("[#\0\ud800-\udfff]", text)
        if odd:
            what = "an expression has no comments: leave out # and what follows"
            raise self.error(what if odd[0] == "#" else "this character can't be read", odd.span())
        self.text_read = re.sub(r"\w+", lambda word: _subscripts(word[0]), text)  # of the same length
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Python, on its way to an error
                return ast.parse(self.text_read, mode="eval").body
        except (RecursionError, MemoryError):
            raise self.error("the expression is nested too deeply, or has too many terms: shorten it", (0, 1)) from None
        except SyntaxError as error:
            raise self._explained(error) from None

    def _explained(self, error: SyntaxError) -> ExpressionError:
        """Python's word on a syntax error in ours."""
        text, message = self.text, error.msg
        start = (error.offset or len(text) + 1) - 1
        stop = (error.end_offset or 0) - 1 if (error.end_offset or 0) - 1 > start else start + 1
        here = text[start : start + 1]
        digits = re.search(r"\d[\d_]{4299,}", text)
        if digits and "Exceeds the limit" in message:
            return self.error(TOO_LARGE, digits.span())
        if "too many nested" in message:
            return self.error("the parentheses are nested too deeply: at most 200 levels are read", (start, stop))
        if here in LOOKALIKES:
            return self.error(f"{here!r} can't be read: write {LOOKALIKES[here]}", (start, stop))
        number = re.compile(r"(\d[\d.]*)([^\W\d]\w*)").match(text, _start_of_number(text, start))
        if "invalid" in message and "literal" in message and number:
            return self.error(f"a product is written with *: {number[1]}*{number[2]}", number.span())
        at = re.search(r"(?<![=!<>])=(?!=)", text)
        if at and (at.start() == start or "instead of '='" in message):
            return self.error("an expression has no '=': the values of variables are given beside it, as in x=2", at.span())
        if "never closed" in message:
            return self.error(f"{here!r} is never closed", (start, start + 1))
        if "unmatched" in message or "does not match" in message:
            return self.error(f"{here!r} closes nothing that was opened with {OPENING.get(here, '(')!r}", (start, start + 1))
        if start >= len(text):
            return self.error("the expression ends too early: something must follow", (len(text), len(text) + 1))
        word = re.search(r"(\w+|[)\]])$", text[:start].rstrip())
        if word and re.match(r"[\w(\[]", here) and "else" not in message:
            second = re.match(r"[\w.]*", text[start:])[0]  # type: ignore[index]
            if find(word[0]) is not None:
                return self.error(f"a function is called with parentheses: {word[0]}({second or '...'})", (start, stop))
            return self.error(f"an operator is missing here: write {word[0]}*{second or here} for a product", (start, stop))
        why = "" if message == "invalid syntax" else f" ({message})"
        what = f"this can't stand here{why}: write numbers, variables and functions with operators between them"
        return self.error(what, (start, stop))


TOO_LARGE = "this number is too large: the largest is about 1.8e308, and infinity is written inf"
OPENING = {")": "(", "]": "[", "}": "{"}
SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


def _subscripts(word: str) -> str:
    """x₁ as x1; what begins with a digit is no name."""
    return word.translate(SUBSCRIPTS) if word[0].isidentifier() else word


def _start_of_number(text: str, at: int) -> int:
    while at > 0 and (text[at - 1].isdigit() or text[at - 1] == "."):
        at -= 1
    return at

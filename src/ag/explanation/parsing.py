"""From text to a graph: ``log(1+exp(-(x+y)))*(x+y)`` with x = 2 and y = 1 as nodes.

The text is read as Python's grammar reads it, but nothing of it is ever run: each piece of the syntax tree names an
operator of the table, a variable or a number, or it is refused with a pointer to its place. Subexpressions that are
written alike are computed once.
"""

from __future__ import annotations

import ast
import difflib
import keyword
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..node import OFFSETS, Node, next_stamp, relocate
from ..operators.rules import FUNCTIONS, shape_of, value_of
from ..scalar import Scalar
from ..tensor import Tensor
from .grammar import EXACT, Applied, Element, Grammar, Label, Number, Variable
from .pointing import ExpressionError
from .syntax import Syntax, normalized
from .vocabulary import CONDITION, NUMBERS, ORDER, VECTOR, Function


class Expression(NamedTuple):
    """An expression that was read, as a graph.

    text    the expression, on one line
    node    its value, with the graph behind it
    leaves  the nodes of its variables by name, in the order in which they occur
    spans   where each node stands in the text: its first character and the one after its last
    """

    text: str
    node: Node
    leaves: dict[str, Node]
    spans: dict[Node, tuple[int, int]]


def parse(text: str, values: Mapping[str, Any]) -> Node:
    """The graph of an expression such as ``log(1 + exp(-(x + y)))``, at given values of its variables.

    Arguments: ``text``, the expression: numbers, variables, pi and e, + - * / // % ** @, parentheses, the operators of the
    table by their names (``exp(x)``, ``where(x > 0, x, 0)``), vectors in brackets and functions of them
    (``softmax([a, b])``, ``p[0]``, ``cross_entropy([a, b], 0)``), matrices as vectors of rows. ``values``, for each
    variable a number or an array, which becomes a leaf with its name as label, or a node, which is taken as it is.

    Returns the node of the whole, a `Scalar` or a `Tensor`. What occurs several times is one node. Arithmetic is that of
    IEEE, without a warning: 1/x at 0 is inf.

    Raises `ExpressionError`, a ValueError that shows the place, for all that is not such an expression.

    >>> from ag.explanation.parsing import parse
    >>> parse("log(1+exp(-(x+y)))*(x+y)", {"x": 2.0, "y": 1.0})
    Scalar(0.1457620547212259, op=multiply)
    >>> parse("x + lgo(y)", {"x": 2.0, "y": 1.0})
    Traceback (most recent call last):
    ...
    ag.explanation.pointing.ExpressionError: there is no function lgo: did you mean log?
      x + lgo(y)
          ^^^
    """
    return read(text, values).node


def read(text: str, values: Mapping[str, Any]) -> Expression:
    """As `parse`, with the leaves, and with the place of each node in the text."""
    syntax = Syntax(text)
    reader = _Reader(syntax, values)
    return Expression(syntax.text, reader.computed(), reader.leaves, reader.spans)


def evaluate(text: str, values: Mapping[str, Any]) -> Any:
    """The number, or the array, that an expression comes to. It may use any of the values, or none.

    Raises `ExpressionError`, as `parse` does.

    >>> from ag.explanation.parsing import evaluate
    >>> evaluate("1/z6", {"z3": 3.0, "z6": 2.0}), evaluate("1/4", {})
    (0.5, 0.25)
    """
    syntax = Syntax(text)
    grammar = Grammar(syntax, {normalized(name) for name in values})
    places = grammar.variables | grammar.labels
    used = {name: value for name, value in values.items() if normalized(name) in places}
    for name in places.keys() - {normalized(name) for name in used}:
        if grammar.function(name) is None:
            known = ", ".join(list(values)[:20]) + (", ..." if len(values) > 20 else "")
            message = f"{name} is not known here; these are: {known}" if values else f"{name} is not a number"
            raise syntax.error(message, places[name])
    return value_of(_Reader(syntax, used or None).computed())


def assignments(words: Iterable[str]) -> dict[str, Any]:
    """The values in words such as ``x=2``, ``x=-pi/4`` or ``z=1,2,3`` (a vector), by name.

    Raises `ExpressionError` with the word and the place in it.

    >>> from ag.explanation.parsing import assignments
    >>> assignments(["x=2", "y=1/4"])
    {'x': 2.0, 'y': 0.25}
    """
    result: dict[str, Any] = {}
    known: dict[str, str] = {}
    for word in words:
        name, sign, text = word.partition("=")
        name = name.strip()
        if not sign:
            raise ExpressionError("a value is given as NAME=NUMBER, such as x=2", word, 0, len(word))
        if not normalized(name).isidentifier() or keyword.iskeyword(name):
            what = "is empty" if not name else "is a word of Python's grammar" if keyword.iskeyword(name) else "is no name"
            raise ExpressionError(f"left of = stands the name of a variable, as in x=2; this {what}", word, 0, word.find("="))
        if normalized(name) in known:
            raise ExpressionError(f"{name} is given twice, as {known[normalized(name)]} and as {word}", word, 0, len(name))
        if not text.strip():
            raise ExpressionError(f"{name} has no value: write a number after =, as in {name}=2", word, len(word), len(word) + 1)
        known[normalized(name)] = word
        try:
            number = _Reader(Syntax(text, vector=True), None).computed()
        except ExpressionError as error:
            shift = len(word) - len(text.lstrip())
            raise ExpressionError(f"{name}: {error.message}", word, error.start + shift, error.stop + shift) from None
        if np.isnan(number).any() or (np.isinf(number).any() and "inf" not in text):
            raise ExpressionError(
                f"{name} would be {number}: give a finite number, or inf by its name", word, word.find("=") + 1, len(word)
            )
        result[name] = float(number) if np.ndim(number) == 0 else number
    return result


class _Truth(NamedTuple):
    """A condition: an object of its own, as conditions that happen to agree are not the same."""

    value: Any


class _Reader:
    """One expression, computed. ``values`` None: of numbers alone."""

    def __init__(self, syntax: Syntax, values: Mapping[str, Any] | None) -> None:
        self.syntax = syntax
        self.only_numbers = values is None
        self.written = {normalized(name): name for name in values or {}}
        self.values = {normalized(name): value for name, value in (values or {}).items()}
        self.grammar = Grammar(syntax, self.values)
        self.leaves: dict[str, Node] = {}
        self.spans: dict[Node, tuple[int, int]] = {}
        self._made: dict[tuple[Any, ...], Any] = {}  # what was computed, by what it was computed from: objects that live here
        self._check_variables()

    def _check_variables(self) -> None:
        """Every variable has a value, every value belongs to a variable."""
        if not self.only_numbers and not self.grammar.variables:
            raise self.syntax.error("no variable occurs here, so there is nothing to differentiate", self.syntax.tree)
        places = self.grammar.variables | self.grammar.labels
        missing = [name for name in places if name not in self.values]
        unused = [name for key, name in self.written.items() if key not in places]
        if missing:
            raise self.syntax.error(self._missing(missing, unused), places[missing[0]])
        if unused:
            verb = "does" if len(unused) == 1 else "do"
            known = f"its variable{'s are' if len(places) > 1 else ' is'} {', '.join(places)}"
            raise self.syntax.error(
                f"{' and '.join(unused)} {verb} not occur in the expression, {known}: "
                f"leave out {' '.join(f'{name}=...' for name in unused)}", (0, len(self.syntax.text)),
            )

    def _missing(self, missing: list[str], unused: list[str]) -> str:
        first = missing[0]
        if self.only_numbers:
            return f"{first} is not a number"
        if self.grammar.function(first) is not None:
            return f"{first} is a function: write {first}(...); or for a variable of that name add {first}=..."
        close = difflib.get_close_matches(first, unused, 1, 0.5)
        hint = f"; {close[0]} was given: is that it?" if close else ""
        values = " ".join(f"{name}=..." for name in missing)
        if len(missing) == 1:
            return f"the variable {first} has no value: add {values}{hint}"
        return f"the variables {', '.join(missing[:-1])} and {missing[-1]} have no values: add {values}{hint}"

    # ------------------------------------------------------------------ values

    def computed(self) -> Any:
        """The value of the whole: the leaves in the order in which they occur, then the rest in the order in which it is
        written; without recursion, as sums may be long."""
        with np.errstate(all="ignore"):
            self.leaves = {name: self._leaf(name, place) for name, place in self.grammar.variables.items()}
            stack: list[tuple[ast.expr, bool]] = [(self.syntax.tree, False)]
            done: list[Any] = []
            while stack:
                node, ready = stack.pop()
                parts = self.grammar.pieces[node].parts
                if ready:
                    first = len(done) - len(parts)
                    done[first:] = [self._value(node, done[first:])]
                else:
                    stack.append((node, True))
                    stack.extend((part, False) for part in reversed(parts))
        self._accept(NUMBERS, self.syntax.tree, done[0])
        return done[0]

    def _leaf(self, name: str, place: ast.expr) -> Node:
        value = self.values[name]
        self._refuse_complex(value, place)
        if isinstance(value, Node):
            return value
        label = self.syntax.segment(place)
        since = next_stamp()
        try:
            number = np.ndim(value) == 0
            leaf: Node = Scalar(value, label) if number else Tensor(_floats(value), label)
        except (TypeError, ValueError) as error:
            raise self.syntax.error(f"the value of {label}: {error}", place) from None
        return self._placed(leaf, place, since)

    def _value(self, node: ast.expr, parts: list[Any]) -> Any:
        """The value of one piece from those of its parts."""
        what = self.grammar.pieces[node].what
        if isinstance(what, Number):
            return self._constant(what.value)
        if isinstance(what, Variable):
            return self.leaves[what.name]
        places = self.grammar.pieces[node].parts
        if isinstance(what, Applied):
            return self._applied(what, node, places, parts)
        if isinstance(what, Element):
            return self._element(what, node, parts[0])
        return self._vector(node, places, parts)

    def _applied(self, what: Applied, node: ast.expr, places: list[ast.expr], parts: list[Any]) -> Any:
        function = what.function
        for kind, place, part in zip(function.arguments, places, parts, strict=False):
            self._accept(kind, place, part, function)
        self._fit(function, node, parts)
        label = () if what.label is None else (self._label(what.label, parts[0]),)
        values = [part.value if isinstance(part, _Truth) else part for part in parts]
        if not any(isinstance(x, Node) for x in values):  # by IEEE, and integers would grow without bound
            kinds = zip(function.arguments, values, strict=False)
            values = [float(x) if type(x) is int and kind == NUMBERS else x for kind, x in kinds]

        def call() -> Any:
            result = function.call(*values, *label)
            if function.conditional:
                return _Truth(result)
            whole = all(type(x) is int for x in parts) and float(result).is_integer() and abs(result) <= EXACT
            return int(result) if whole and math.copysign(1, result) == (-1 if result < 0 else 1) else result

        return self._once((function.name, *map(id, parts), *map(str, label)), node, call)

    def _vector(self, node: ast.expr, places: list[ast.expr], parts: list[Any]) -> Any:
        for place, part in zip(places, parts, strict=True):
            self._accept(NUMBERS, place, part)
            if shape_of(part) != shape_of(parts[0]):
                one, other = _kind(parts[0]), _kind(part)
                raise self.syntax.error(f"the elements of a vector are of one kind; this is {other}, the first is {one}", place)
        if len(shape_of(parts[0])) > 1:
            raise self.syntax.error("a matrix is a vector of vectors, and nothing goes deeper", node)
        plain = not any(isinstance(x, Node) for x in parts)
        return self._once(
            ("stack", *map(id, parts)), node, lambda: np.array(parts, float) if plain else FUNCTIONS["stack"](parts)
        )

    def _element(self, what: Element, node: ast.expr, x: Any) -> Any:
        assert isinstance(node, ast.Subscript)
        self._accept(NUMBERS, node.value, x)
        shape = shape_of(x)
        if len(what.integers) > len(shape):
            given = f"{len(what.integers)} indices are" if len(what.integers) > 1 else "an index is"
            raise self.syntax.error(f"{given} one too many: {self.syntax.segment(node.value)} is {_kind(x)}", node)
        for i, n, place in zip(what.integers, shape, what.places, strict=False):
            if not -n <= i < n:
                raise self.syntax.error(f"there is no element {i}: this is {_kind(x)}, counted from 0 to {n - 1}", place)
        index = what.integers if len(what.integers) > 1 else what.integers[0]
        return self._once(("getitem", id(x), what.integers), node, lambda: FUNCTIONS["getitem"](x, index))

    def _label(self, label: Label, z: Any) -> Any:
        """The label as an integer, or integers; the losses check the rest."""
        def number(x: Any) -> Any:
            if isinstance(x, list):
                return [number(y) for y in x]
            if not isinstance(x, str):
                return x
            value = np.asarray(value_of(self.values[x]))
            if value.dtype.kind not in "iuf" or not np.all(value == np.floor(value)):
                raise self.syntax.error(f"a label is an integer, counted from 0; {x} is {value_of(self.values[x])}", label.place)
            return value.astype(int).tolist()

        value = number(label.value)
        many, classes = shape_of(z)[:-1], shape_of(z)[-1]
        if np.shape(value) != many:
            expected = f"{many[0]} labels in brackets" if many else "one label"
            raise self.syntax.error(f"{_kind(z)} takes {expected}", label.place)
        if np.any((np.asarray(value) < 0) | (np.asarray(value) >= classes)):
            raise self.syntax.error(f"labels of {classes} classes are counted from 0 to {classes - 1}, got {value}", label.place)
        return value

    # ------------------------------------------------------------------ each thing once

    def _once(self, key: tuple[Any, ...], node: ast.expr, make: Any) -> Any:
        """What is computed from the same objects in the same way is the same."""
        if key in self._made:
            return self._made[key]
        since = next_stamp()
        try:
            result = make()
        except (TypeError, ValueError, IndexError) as error:
            raise self.syntax.error(str(error), node) from None
        self._refuse_complex(result, node)
        if isinstance(result, Node):
            self._placed(result, node, since)
        elif isinstance(result, (int, float, np.number)):
            result = self._constant(result.item() if isinstance(result, np.number) else result)
        self._made[key] = result
        return result

    def _constant(self, value: float) -> Any:
        return self._made.setdefault(("constant", float(value).hex()), value)

    def _placed(self, node: Node, place: ast.expr, since: int) -> Node:
        """No line of a program made it: an instruction that no code has."""
        relocate((node,), since, _nowhere.__code__, OFFSETS - 1)
        self.spans.setdefault(node, self.syntax.span(place))
        return node

    # ------------------------------------------------------------------ what goes with what

    def _accept(self, kind: str, place: ast.expr, x: Any, function: Function | None = None) -> None:
        """Is this a number where one is needed, a condition, a vector?"""
        text = self.syntax.segment(place)
        if kind == CONDITION and not isinstance(x, _Truth):
            raise self.syntax.error(f"{text} is a number, not a condition: compare it, as in {text} > 0", place)
        if kind in (NUMBERS, ORDER, VECTOR) and isinstance(x, _Truth):
            raise self.syntax.error(f"{text} is a condition, not a number: write where({text}, 1, 0) for 1 or 0", place)
        if kind == VECTOR and not shape_of(x):
            assert function is not None
            raise self.syntax.error(f"{function.name} takes a vector, {text} is a number: {function.instead(text)}", place)

    def _refuse_complex(self, x: Any, place: ast.expr) -> None:
        if np.iscomplexobj(value_of(x)):
            raise self.syntax.error(f"{self.syntax.segment(place)} is complex: only what is real is explained", place)

    def _fit(self, function: Function, node: ast.expr, parts: list[Any]) -> None:
        """Do the shapes of the arguments go together?"""
        shapes = [shape_of(x.value if isinstance(x, _Truth) else x) for x in parts]
        if VECTOR not in function.arguments:
            try:
                np.broadcast_shapes(*shapes)
            except ValueError:
                kinds = " and ".join(_kind(x) for x in parts)
                raise self.syntax.error(f"{kinds} do not go together: elements are paired one by one", node) from None
        elif function.call is FUNCTIONS["matmul"] and shapes[0][-1] != shapes[1][max(0, len(shapes[1]) - 2)]:
            kinds = " and ".join(_kind(x) for x in parts)
            raise self.syntax.error(f"{kinds} have no product: a row of the one must be as long as a column of the other", node)


def _nowhere() -> None:
    """Where the nodes of an expression were made."""


def _floats(value: Any) -> Any:
    array = np.asarray(value)
    return array.astype(float) if array.dtype.kind in "iub" else array


def _kind(x: Any) -> str:
    """A value in words: a number, a vector of 3, a matrix of 2×3."""
    shape = shape_of(x.value if isinstance(x, _Truth) else x)
    name = ("a number", "a vector of ", "a matrix of ")[min(len(shape), 2)]
    return name + "×".join(map(str, shape))

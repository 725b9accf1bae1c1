"""`ag.quiz`: the derivatives of a graph as questions, and the answers marked."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..node import Node, describe
from ..operators.rules import value_of
from . import printing, steps
from .explained import output_of
from .folding import SHOWN
from .marking import FOLLOWS, RIGHT, WRONG, Answer, Mark, mark
from .numerals import summary, times
from .parsing import evaluate
from .quantities import Graph, Quantity

DECIMAL = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
WIDEST = 40  # characters of an answer beside which the marks are aligned


class Marks(list[Mark]):
    """Answers with their marks, in the order of the reverse pass."""

    @property
    def right(self) -> bool:
        """Are all of them right?"""
        return all(result.right for result in self)

    @property
    def first_wrong(self) -> Mark | None:
        """The first that is wrong by itself; what follows from it counts as right."""
        return next((result for result in self if result.status not in (RIGHT, FOLLOWS)), None)

    def __str__(self) -> str:
        lines = aligned([(f"{result.quantity.derivative.text} = {result.answer}", str(result)) for result in self])
        if self.first_wrong:
            lines += ["", "the first wrong step", f"  {symbols(self.first_wrong.quantity)}"]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"


class Quiz:
    """The derivatives of a graph, to be found. It shows itself as the forward pass, and a question mark for each derivative.

    ``quiz.answer("z7", 3.0)`` marks an answer, ``quiz.run()`` asks for one after the other.

    questions   the quantities that are asked for, in the order of the reverse pass
    marks       what was answered, by quantity, with its mark
    shown       the quantities of which the answer was shown
    names       the values that an expression may use, by name
    """

    def __init__(self, root: Node, cotangent: Any = None, of: Any = None) -> None:
        self.graph = graph = Graph(root, cotangent, "ag.quiz")
        if not graph.differentiated:
            raise ValueError(
                f"ag.quiz: the output has {np.size(value_of(root))} elements, so it has no single derivative: give the weights "
                f"of its elements, cotangent=..."
            )
        self.questions = self._chosen(of)
        self.marks: dict[Quantity, Mark] = {}
        self.shown: set[Quantity] = set()
        names = [(name, q.value) for q in graph.quantities for name in (f"z{q.number}", q.label or "", q.name.text)]
        self.names = {name: value for name, value in names if name.isidentifier()}

    def _chosen(self, of: Any) -> tuple[Quantity, ...]:
        """The quantities to ask for, the last one first."""
        if of is not None:
            named = [of] if isinstance(of, (str, Node)) else list(of)
            chosen = {self.graph[key] for key in named}
        else:
            chosen = {q for q in self.graph.quantities if np.asarray(value_of(q.node)).dtype.kind == "f"}
            if len(chosen) > SHOWN:
                raise ValueError(f"ag.quiz: {len(chosen):,} derivatives are too many to ask for: choose some, of=['x', 'z7']")
        return tuple(sorted(chosen, key=lambda q: -q.number))

    # ------------------------------------------------------------------ marking

    def answer(self, of: Any, value: Any = None) -> Marks:
        """Mark an answer: the derivative with respect to a quantity, given by its name or as the node. Or several, as a dict.

        An answer is a number, an array of the quantity's shape, or text: a decimal number, a fraction "1/3", an expression
        of the quantities' values such as "z3" or "-1/z6". It is right within 0.1 %, or to the digits given if there are two.

        Returns `Marks`, in the order of the reverse pass.

        Raises KeyError for a name that no quantity has; ValueError for text that can't be read.
        """
        given = of if isinstance(of, Mapping) else {of: value}
        answers = {self.graph[key]: self._read(self.graph[key], x) for key, x in given.items()}
        for q, answer in answers.items():
            self.marks[q] = Mark(q, answer, WRONG)
        self._mark_again()
        return Marks(self.marks[q] for q in self._backward(answers))

    def _mark_again(self) -> None:
        """Mark all answers, in the order of the reverse pass: later ones are judged by what earlier ones led to."""
        given, self.marks = self.marks, {}
        for q in self._backward(given):
            self.marks[q] = mark(self.graph, q, given[q].answer, self.marks)

    @staticmethod
    def _backward(quantities: Iterable[Quantity]) -> list[Quantity]:
        return sorted(quantities, key=lambda q: -q.number)

    def _read(self, q: Quantity, x: Any) -> Answer:
        """An answer from what was given for one quantity."""
        if isinstance(x, str):
            answer = _decimals(x) or Answer(np.asarray(evaluate(x, self.names), float)[()])
        else:
            try:
                answer = Answer.of(x)
            except (TypeError, ValueError):
                raise TypeError(
                    f"an answer is a number, an array of numbers, or text such as '1/3', got {describe(x)}: "
                    f"write quiz.answer({q.name.text!r}, 0.5)"
                ) from None
        if answer.value.shape == q.shape[1:] != () and q.shape[0] == 1:  # a row is written as a vector
            return Answer(*(np.broadcast_to(part, q.shape) for part in answer))
        return answer

    # ------------------------------------------------------------------ helping

    def hints(self, of: Any) -> list[str]:
        """The chain rule for one quantity: in symbols, then with the numbers that arrive. The result is not among them."""
        q = self.graph[of]
        first = symbols(q)
        sides = steps.chain(q)
        return [first, " = ".join(sides[:3])] if len(sides) > 3 else [first]

    def show(self, of: Any) -> str:
        """The chain rule for one quantity, with its numbers. It no longer counts as found."""
        q = self.graph[of]
        self.shown.add(q)
        self.marks[q] = Mark(q, Answer(np.asarray(q.adjoint, dtype=float)[()]), RIGHT)
        self._mark_again()
        sides = steps.chain(q) + ([summary(q.adjoint)] if q.shape else [])
        return "\n".join(printing.wrapped(sides, printing.columns(None) - 2, _letters(q)))

    # ------------------------------------------------------------------ as it is shown

    @property
    def score(self) -> tuple[int, int]:
        """How many derivatives were found, and how many are asked for."""
        found = [q for q in self.questions if q in self.marks and self.marks[q].right and q not in self.shown]
        return len(found), len(self.questions)

    def text(self, width: int | None = None) -> str:
        """For a terminal: the forward pass, and what is to be found."""
        lines = [*self.forward(width), "", "backward: what is to be found"]
        lines += [f"  {line}" for line in aligned([self.cells(q) for q in self.questions])]
        return "\n".join([*lines, "", self.how])

    @property
    def how(self) -> str:
        """How to answer."""
        first = next((q for q in self.questions if q not in self.marks), self.questions[-1])
        return f"quiz.answer({first.name.text!r}, ...) marks an answer, quiz.run() asks for one after the other"

    def forward(self, width: int | None = None) -> list[str]:
        """The quantities with their values, line by line."""
        blocks = printing.blocks_of(self.graph, True)
        return [printing.title(self.graph), "", *printing.forward(blocks, printing.columns(width))]

    def cells(self, q: Quantity) -> tuple[str, str]:
        """A question with the shape of its answer; or the answer with its mark."""
        if q in self.marks:
            return f"{q.derivative.text} = {self.marks[q].answer}", str(self.marks[q])
        return f"{q.derivative.text} = ?", f"({times(q.shape)})" if q.shape else ""

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from .notebook import quiz_html

        return quiz_html(self)

    def run(self, input: Callable[[str], str] | None = None, print: Callable[[str], Any] | None = None) -> None:
        """Ask for one derivative after the other, from the output back to the leaves.

        ``?`` gives a hint, ``!`` the answer, as three wrong answers do; ``q``, the end of the input or Ctrl-C ends it.
        ``input`` and ``print`` are what the questions and answers go through, by default Python's own.
        """
        from .asking import ask

        ask(self, input or builtins.input, print or builtins.print)  # looked up now, as notebooks put their own there


def aligned(rows: list[tuple[str, str]]) -> list[str]:
    """Two columns, as lines of text."""
    width = max((len(left) for left, _ in rows if len(left) <= WIDEST), default=0)
    return [f"{left.ljust(width)}   {right}".rstrip() for left, right in rows]


def symbols(q: Quantity) -> str:
    """The chain rule for a quantity in symbols, and what its consumers are."""
    if not q.terms:
        if steps.is_output(q):
            return f"{q.derivative.text}: {q.name.text} is the output itself: how much does it change when it changes by 1?"
        return f"{q.derivative.text}: does the output depend on {q.name.text} at all?"
    consumers = dict.fromkeys(printing.equation(term.consumer, steps.Text) for term in q.terms)
    return " = ".join(steps.chain(q)[:2]) + f"   where {', '.join(consumers)}" + _letters(q)


def _letters(q: Quantity) -> str:
    """What the letters in its derivative stand for."""
    given = steps.given(q)
    return f"   with {'; '.join(given)}" if given else ""


def _decimals(text: str) -> Answer | None:
    """Numbers as they are written out, whose digits say how exact they are; None for anything else."""
    if not re.fullmatch(rf"[\[\],\s]*({DECIMAL}[\[\],\s]*)+", text):
        return None
    value, texts = np.asarray(evaluate(text, {}), dtype=float), re.findall(DECIMAL, text)
    return Answer.rounded(value, texts) if len(texts) == value.size else None  # 1 -2 is a difference


def quiz(f: Any, *args: Any, cotangent: Any = None, of: Any = None) -> Quiz:
    """The derivatives ∂f/∂z of a graph as questions: hidden, asked for, and marked, with the first wrong step of the chain rule.

    Arguments: ``f``, ``args`` and ``cotangent`` as for `ag.explain`; ``of``, the quantities to ask for, by name or as nodes
    (None: all).

    Returns a `Quiz`, which shows the forward pass; ``.answer("z7", 3.0)`` marks an answer, and ``.run()`` asks for one after
    the other.

    Raises ValueError for an output of several elements without a cotangent, and for more than 60 questions.

    >>> x, y = ag.Scalar(2.0, label="x"), ag.Scalar(1.0, label="y")
    >>> quiz = ag.quiz(ag.log(x) * y)
    >>> quiz.answer({"z4": 1, "z3": "z2", "z2": 0.69, "z1": 0.5})
    ∂f/∂z4 = 1      ✓
    ∂f/∂z3 = 1      ✓
    ∂f/∂z2 = 0.69   ✓
    ∂f/∂z1 = 0.5    ✓
    >>> quiz.answer("x", 2)
    ∂f/∂z1 = 2   ✗ z1 itself stands where the local partial ∂z3/∂z1 belongs
    <BLANKLINE>
    the first wrong step
      ∂f/∂z1 = ∂f/∂z3 · ∂z3/∂z1   where z3 = log z1
    """
    return Quiz(output_of(f, args, "ag.quiz"), cotangent, of)

"""A quiz in a terminal: one derivative after the other, with hints, until it is found or shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .marking import ROUNDED, Mark
from .numerals import summary, times
from .printing import columns, wrapped_line
from .quantities import Quantity

if TYPE_CHECKING:
    from .quizzing import Quiz

TRIES = 3  # wrong answers, until the right one is shown
TYPED = 12  # elements: more nobody types

HELP = """\
Find the derivative of {output} with respect to each of them, the last one first.
Answer with a number, 0.25 or 1/3, or an expression, z3 or -exp(-3)/z6.{vectors}
?  a hint      !  the answer      q  the end"""

ENDS = ("q", "quit", "exit")
FOUND, HELPED, SHOWN = "at the first try", "with help", "shown"


class _End(Exception):
    """The learner has had enough."""


def ask(quiz: Quiz, input: Callable[[str], str], print: Callable[[str], Any]) -> None:
    """Ask for the derivatives of a quiz in the order of the reverse pass, and sum up."""
    vectors = "\nA vector is written [1, 0.5]." if any(q.shape for q in quiz.questions) else ""
    how = HELP.format(output=quiz.graph.output_name.text, vectors=vectors).split("\n")
    print("\n".join([*quiz.forward(), "", *(part for line in how for part in wrapped_line(line, columns(None))), ""]))
    found: Counter[str] = Counter()
    try:
        for q in quiz.questions:
            if np.size(q.adjoint) > TYPED:
                print(f"{q.derivative.text} has {np.size(q.adjoint):,} elements: quiz.answer({q.name.text!r}, array) marks it")
            else:
                found[_asked(quiz, q, input, print)] += 1
    except (EOFError, KeyboardInterrupt):
        print("")
    except _End:
        pass
    print(_summed_up(found, len(quiz.questions)))


def _asked(quiz: Quiz, q: Quantity, input: Callable[[str], str], print: Callable[[str], Any]) -> str:
    """Ask for one derivative until it is found or shown. Returns how that came about."""
    hints, given, wrong = quiz.hints(q), 0, 0
    prompt = q.derivative.text + (f" ({times(q.shape)})" if q.shape else "") + " = "
    while True:
        text = input(prompt).strip()
        if text in ENDS and text not in quiz.names:
            raise _End
        if text == "?":
            print(f"  {hints[min(given, len(hints) - 1)]}")
            given += 1
        elif text == "!":
            break
        elif text:
            result = _marked(quiz, q, text, print)
            if result and result.right:
                exact = summary(q.adjoint)
                print("  ✓" if text == exact else f"  ✓ {exact}")
                return HELPED if given or wrong else FOUND
            wrong += result is not None and result.status != ROUNDED
            if wrong == TRIES:
                break
    print(indented(quiz.show(q)))
    return SHOWN


def _marked(quiz: Quiz, q: Quantity, text: str, print: Callable[[str], Any]) -> Mark | None:
    """The mark of an answer; None if it can't be read. What is wrong is said."""
    try:
        result = quiz.answer(q, text)[0]
    except ValueError as error:
        print(indented(str(error)))
        return None
    if not result.right:
        print(indented(str(result) if result.note else f"{result} not so; ? gives a hint"))
    return result


def indented(text: str) -> str:
    """The lines of a text, two characters in."""
    return "\n".join(f"  {line}" for line in text.split("\n"))


def _summed_up(found: Counter[str], asked: int) -> str:
    """5 of 8 found, 2 of them with help; 1 shown."""
    right = found[FOUND] + found[HELPED]
    text = f"{right} of {asked} found"
    if found[HELPED]:
        text += f", {found[HELPED]} of them with help"
    return text + (f"; {found[SHOWN]} shown" if found[SHOWN] else "")

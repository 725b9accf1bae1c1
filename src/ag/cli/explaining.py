"""`ag explain`, `ag draw` and `ag quiz`: a formula on the command line, seen through."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence

import click
import numpy as np

import ag

from ..explanation.explained import Explanation
from ..explanation.nonfinite import nonfinite
from ..explanation.parsing import Expression, assignments, read
from ..explanation.pointing import ExpressionError
from ..files import check_place, write


def explain(text: str, words: Sequence[str], form: str | None, page: str | None, check: bool) -> None:
    """Print the explanation of an expression, or write it as a page."""
    if page is not None:
        if not page.lower().endswith((".html", ".htm")):
            raise ValueError(f"{page}: --html writes a file that ends in .html")
        check_place(page)
    expression, warned = _read(text, words)
    explanation = _Explanation(expression.node)
    printed = form != "latex" and (form is not None or page is None)
    _warn(x for x in warned if not (printed and any(x in misuse for misuse in explanation.misuses)))
    if check and explanation.graph.differentiated:
        explanation.check()
    if page is not None:
        write(page, explanation.html().encode())
        click.echo(f"{expression.text} is explained in {page}", err=form is not None)
    if form is not None or page is None:
        shown = {"text": explanation.text, "latex": explanation.latex, "markdown": explanation.markdown}[form or "text"]
        click.echo(shown(fold=False))  # nobody types more than can be read
    _refuse_what_is_not_finite(expression)
    _refuse_several_numbers(expression)
    if explanation.failures:
        raise click.ClickException(f"{len(explanation.failures)} of the numbers are not those of finite differences")


class _Explanation(Explanation):
    """In a shell, an error tells of numbers that are not finite, with their place in the formula."""

    @property
    def warnings(self) -> list[str]:
        return self.misuses


def draw(text: str, words: Sequence[str], path: str, backward: bool) -> None:
    """Draw the graph of an expression into a file."""
    check_place(path)
    expression, warned = _read(text, words)
    _warn(warned)
    try:
        ag.draw(expression.node, backward=backward).save(path)
    except (ImportError, TimeoutError) as error:  # what can be written without Graphviz is said as Python has it
        raise click.ClickException(re.sub(r"\.save\('(.*?)'\)", r"-o \1", str(error))) from None
    click.echo(f"{expression.text} is drawn in {path}")
    _refuse_what_is_not_finite(expression)


def quiz(text: str, words: Sequence[str]) -> None:
    """Ask for the derivatives of an expression."""
    expression, warned = _read(text, words)
    _warn(warned)
    _refuse_several_numbers(expression)
    ag.quiz(expression.node).run()


def _read(text: str, words: Sequence[str]) -> tuple[Expression, list[str]]:
    """The expression with its values, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        expression = read(text, assignments(words))
    return expression, [str(warning.message) for warning in caught]


def _warn(messages: Iterable[str]) -> None:
    for message in messages:
        click.echo(f"Warning: {message}", err=True)


def _refuse_several_numbers(expression: Expression) -> None:
    n = np.size(expression.node.value)
    if n != 1:
        message = f"a derivative is that of one number, these are {n}: take one, as in p[0], or their sum"
        raise ExpressionError(message, expression.text, 0, len(expression.text))


def _refuse_what_is_not_finite(expression: Expression) -> None:
    """A division by zero and its like is an error that shows the place, after the rest was shown. To give inf is none."""
    report = nonfinite(expression.node)
    found = report.value or report.cotangent
    if report and found is not None and found.operator is not None:
        what = "; ".join(map(str, report.damage))
        instead = f"{'write ' if found.advice.because else ''}{found.advice.write}".replace("ag.", "")
        message = f"{what}, as {found.cause}: {instead}"
        raise ExpressionError(message, expression.text, *expression.spans[found.node])

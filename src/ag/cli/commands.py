"""The subcommands, their options and their help."""

from __future__ import annotations

import re
from typing import Any

import click

import ag as library

HELP = """See through derivatives, and train softmax classifiers with honest probabilities.

\b
Examples:
  ag train mnist                          train on the real MNIST, about 92.6 %
  ag train mnist --deskew                 with upright digits, about 95.6 %
  ag train flowers.csv --label species    your own data
  ag evaluate model.safetensors mnist     accuracy, likelihood, calibration, confusion
  ag predict model.safetensors seven.png  the label of an image, with probabilities
  ag explain "log(1+exp(-(x+y)))*(x+y)" x=2 y=1     the chain rule, with its numbers
  ag draw "log(1+exp(-(x+y)))*(x+y)" x=2 y=1        the graph, as graph.svg
  ag quiz "log(1+exp(-(x+y)))*(x+y)" x=2 y=1        the same as questions
"""


class Group(click.Group):
    """Errors about data and files end in one line, not in a traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except (ValueError, TypeError, OSError, ImportError, FloatingPointError) as error:
            if isinstance(error, OSError) and error.filename and error.strerror:
                raise click.ClickException(f"{error.filename}: {error.strerror}") from error
            raise click.ClickException(str(error)) from error


@click.group(cls=Group, help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(library.__version__, prog_name="ag")
def ag() -> None:
    pass


class Formula(click.Command):
    """A command whose first words are a formula and values: a formula may begin with a minus, -x**2."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        takes_a_value = {
            name: isinstance(option, click.Option) and not option.is_flag
            for option in self.get_params(context) for name in option.opts if isinstance(option, click.Option)
        }
        options: list[str] = []
        words: list[str] = []
        rest = iter(args)
        for word in rest:
            name, value, _ = word.partition("=")
            if word == "--":
                words += rest
            elif name in takes_a_value:
                options.append(word)
                if takes_a_value[name] and not value:
                    following = next(rest, None)
                    if following is None:
                        raise click.BadOptionUsage(name, f"Option {name!r} requires an argument.", context)
                    options.append(following)
            else:
                (options if UNKNOWN.fullmatch(word) else words).append(word)
        return super().parse_args(context, [*options, "--", *words])

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        from ..explanation.vocabulary import names

        with formatter.section("Functions"):
            formatter.write_text(" ".join(names()))


UNKNOWN = re.compile("--[a-z-]+(=.*)?")  # --latx is meant as an option


@ag.command()
@click.argument("data")
@click.option("--solver", type=click.Choice(["sgd", "adam", "lbfgs"]), default="sgd", show_default=True)
@click.option("--epochs", type=click.IntRange(1), help="How often to go through the examples.  [default: 10 or more]")
@click.option("--batch-size", type=click.IntRange(1), default=128, show_default=True)
@click.option("--learning-rate", type=float, help="Length of a step.  [default: by the size of the examples]")
@click.option("--momentum", type=float, default=0.0, show_default=True)
@click.option("--l2", type=float, default=0.0, show_default=True, help="Weight of the penalty on the weights.")
@click.option("--deskew", is_flag=True, help="Make images upright and centred by their moments.")
@click.option("--standardize", is_flag=True, help="Give each feature mean 0 and variance 1.")
@click.option("--validation", type=click.FloatRange(0, 1, max_open=True), default=0.1, show_default=True,
              help="Share of the training examples on which the best epoch is chosen.")
@click.option("--test-fraction", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.2, show_default=True,
              help="Share of a file's examples that are kept to test, if it names none.")
@click.option("--label", help="Column with the labels in a CSV file.  [default: label, class, target, y, or the last]")
@click.option("--folder", type=click.Path(exists=True, file_okay=False), help="Where the files of MNIST lie.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--evaluations-per-epoch", type=click.IntRange(1), default=1, show_default=True)
@click.option("--target-accuracy", type=click.FloatRange(0, 1, min_open=True),
              help="Stop as soon as the test accuracy is this high: a race, not a way to choose a model.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), default="model.safetensors", show_default=True)
def train(**options: Any) -> None:
    """Train a softmax classifier on DATA: mnist, digits, FILE.npz (with X and y) or FILE.csv.

    \b
    Examples:
      ag train mnist --epochs 5 --seed 1
      ag train mnist --deskew --output upright.safetensors
      ag train measurements.csv --label kind --standardize
    """
    from .training import run

    run(**options)


@ag.command()
@click.argument("model", type=click.Path(dir_okay=False))
@click.argument("data")
@click.option("--label", help="Column with the labels in a CSV file.")
@click.option("--folder", type=click.Path(exists=True, file_okay=False), help="Where the files of MNIST lie.")
def evaluate(model: str, data: str, label: str | None, folder: str | None) -> None:
    """Judge MODEL on DATA: accuracy, negative log-likelihood, calibration, confusion.

    DATA is mnist or digits (their test sets), FILE.npz (X_test and y_test, or X and y) or FILE.csv.

    \b
    Example:
      ag evaluate model.safetensors mnist
    """
    from .judging import run

    run(model, data, label, folder)


@ag.command()
@click.argument("model", type=click.Path(dir_okay=False))
@click.argument("images", nargs=-1, required=True, type=click.Path(dir_okay=False))
def predict(model: str, images: tuple[str, ...]) -> None:
    """Print the label of each of the IMAGES, and the probabilities as bars.

    \b
    Example:
      ag predict model.safetensors seven.png
    """
    from .pictures import run

    run(model, images)


FORMULA = """EXPRESSION is a formula: numbers, variables, pi, e, + - * / ** % // @, parentheses, and the functions below; a vector
    is written [x, y], its first element p[0], a choice where(x > 0, a, b). Quote it, as the shell has its own use for * and (.
    VALUES are numbers for its variables, x=2, or vectors, z=1,2,3."""


@ag.command(cls=Formula, help=f"""Differentiate EXPRESSION by the chain rule, each step with its numbers.

    {FORMULA}

    \b
    Examples:
      ag explain "log(1+exp(-(x+y)))*(x+y)" x=2 y=1
      ag explain "cross_entropy([a, b, c], 0)" a=1 b=2 c=0 --html loss.html
      ag explain "sin(x)**2" x=pi/4 --latex > sine.tex
    """)
@click.argument("expression")
@click.argument("values", nargs=-1)
@click.option("--latex", "form", flag_value="latex", help="Print a LaTeX document that compiles as it is.")
@click.option("--markdown", "form", flag_value="markdown", help="Print Markdown, with formulas in TeX.")
@click.option("--html", "page", type=click.Path(dir_okay=False), metavar="FILE",
              help="Write a page that works offline: the graph, forward and backward step by step, sliders.")
@click.option("--check", is_flag=True, help="Compare every number with finite differences.")
def explain(expression: str, values: tuple[str, ...], form: str | None, page: str | None, check: bool) -> None:
    from .explaining import explain as run

    run(expression, values, form, page, check)


@ag.command(cls=Formula, help=f"""Draw the graph of EXPRESSION: leaves, quantities in blue, constants in grey.

    {FORMULA}

    \b
    Example:
      ag draw "log(1+exp(-(x+y)))*(x+y)" x=2 y=1 -o graph.svg
    """)
@click.argument("expression")
@click.argument("values", nargs=-1)
@click.option("-o", "--output", type=click.Path(dir_okay=False), default="graph.svg", show_default=True,
              help="By its ending: .svg, .png, .pdf, .html (a page to step through), or as text .dot, .mmd.")
@click.option("--backward", is_flag=True, help="Draw how the derivatives flow back, with the local partials on the edges.")
def draw(expression: str, values: tuple[str, ...], output: str, backward: bool) -> None:
    from .explaining import draw as run

    run(expression, values, output, backward)


@ag.command(cls=Formula, help=f"""Find the derivatives of EXPRESSION yourself: they are asked for one by one, and marked.

    {FORMULA}

    \b
    Example:
      ag quiz "log(1+exp(-(x+y)))*(x+y)" x=2 y=1
    """)
@click.argument("expression")
@click.argument("values", nargs=-1)
def quiz(expression: str, values: tuple[str, ...]) -> None:
    from .explaining import quiz as run

    run(expression, values)

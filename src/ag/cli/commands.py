"""The subcommands, their options and their help."""

from __future__ import annotations

import math
import re
from typing import Any

import click
import numpy as np

import ag as library

HELP = """See through derivatives, and train softmax classifiers with honest probabilities.

\b
Examples:
  ag train mnist                          train on MNIST, about 92.6 % right
  ag train mnist --deskew                 with upright digits, about 95.6 %
  ag train flowers.csv --label species    your own data
  ag evaluate model.safetensors mnist     accuracy, calibration, confusion
  ag predict model.safetensors seven.png  the label of an image
  ag explain "log(1+exp(-(x+y)))*(x+y)" x=2 y=1     the chain rule in numbers
  ag draw "log(1+exp(-(x+y)))*(x+y)" x=2 y=1        the graph, as graph.svg
  ag quiz "log(1+exp(-(x+y)))*(x+y)" x=2 y=1        the same as questions
"""


class Group(click.Group):
    """Errors about data and files end in one line, not in a traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except BrokenPipeError:  # who reads the output has seen enough
            raise
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(click.Option(
            ["--functions"], is_flag=True, is_eager=True, expose_value=False, callback=list_functions,
            help="List all functions that a formula may call, and exit.",
        ))  # fmt: skip

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
        with formatter.section("Functions"):
            formatter.write_text(f"{USUAL}; all others are listed by: {context.command_path} --functions")


USUAL = (
    "exp log sqrt abs sin cos tan tanh sigmoid softplus relu where maximum minimum sum mean max matmul norm softmax logsumexp "
    "cross_entropy"
)


def list_functions(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    """Print the names of all functions, by where they come from, and exit."""
    if not wanted or context.resilient_parsing:
        return
    from ..explanation.vocabulary import names

    rest = sorted(names())
    formatter = context.make_formatter()
    for title, module in (("Functions", library), ("Special functions", library.special), ("Fourier transforms", library.fft),
                          ("NumPy's names for some of these", np)):  # fmt: skip
        found = [name for name in rest if callable(getattr(module, name, None))]
        rest = [name for name in rest if name not in found]  # in the end those that only the library itself calls
        with formatter.section(title):
            formatter.write_text(" ".join(found))
    click.echo(formatter.getvalue(), nl=False)
    context.exit()


class Number(click.FloatRange):
    """A number in a range, and no nan, which is in all of them."""

    def convert(self, value: Any, option: click.Parameter | None, context: click.Context | None) -> Any:
        x = super().convert(value, option, context)
        if not math.isfinite(x):
            self.fail(f"{value} is not a finite number.", option, context)
        return x


UNKNOWN = re.compile("--[a-z-]+(=.*)?")  # --latx is meant as an option


@ag.command(short_help="Train a softmax classifier.")
@click.argument("data")
@click.option("--solver", type=click.Choice(["sgd", "adam", "lbfgs"]), default="sgd", show_default=True,
              help="sgd and adam take mini-batches, lbfgs all examples at once (it needs SciPy).")
@click.option("--epochs", type=click.IntRange(1), help="How often to go through the examples.  [default: 10 or more]")
@click.option("--batch-size", type=click.IntRange(1), default=128, show_default=True, help="Examples in a mini-batch.")
@click.option("--learning-rate", type=Number(0, min_open=True),
              help="Length of a step.  [default: by the size of the examples]")
@click.option("--momentum", type=Number(0, 1, max_open=True), default=0.0, show_default=True,
              help="Share of a step of sgd that goes into the next one.")
@click.option("--l2", type=Number(0), default=0.0, show_default=True, help="Weight of the penalty on the weights.")
@click.option("--deskew", is_flag=True, help="Make images upright and centred by their moments.")
@click.option("--standardize", is_flag=True, help="Give each feature mean 0 and variance 1.")
@click.option("--validation", type=Number(0, 1, max_open=True), default=0.1, show_default=True,
              help="Share of the training examples on which the best epoch is chosen.")
@click.option("--test-fraction", type=Number(0, 1, min_open=True, max_open=True), default=0.2, show_default=True,
              help="Share of a file's examples that are kept to test, if it names none.")
@click.option("--label", help="Column with the labels in a CSV file.  [default: label, class, target, y, or the last]")
@click.option("--folder", type=click.Path(exists=True, file_okay=False), help="Where the files of MNIST lie.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True,
              help="Of the split and the order of the examples: the same seed gives the same model.")
@click.option("--evaluations-per-epoch", type=click.IntRange(1), default=1, show_default=True,
              help="How often the validation examples are judged.")
@click.option("--target-accuracy", type=Number(0, 1, min_open=True),
              help="Stop as soon as the test accuracy is this high: a race, not a way to choose a model.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), default="model.safetensors", show_default=True,
              help="The file that the model is written to.")
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


@ag.command(short_help="Judge a model: accuracy, likelihood, calibration, confusion.")
@click.argument("model", type=click.Path(dir_okay=False))
@click.argument("data")
@click.option("--label", help="Column with the labels in a CSV file.")
@click.option("--folder", type=click.Path(exists=True, file_okay=False), help="Where the files of MNIST lie.")
def evaluate(model: str, data: str, label: str | None, folder: str | None) -> None:
    """Judge MODEL on DATA: accuracy, negative log-likelihood, calibration, confusion.

    DATA is mnist or digits (their test sets), FILE.npz (X_test and y_test, or X and y) or FILE.csv. Of the file that the
    model was trained on, those examples are taken that were kept to test.

    \b
    Example:
      ag evaluate model.safetensors mnist
    """
    from .judging import run

    run(model, data, label, folder)


@ag.command(short_help="Print the label of an image, with probabilities.")
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


@ag.command(cls=Formula, short_help="Write out the chain rule of a formula, with its numbers.", help=f"""\
    Differentiate EXPRESSION by the chain rule, each step with its numbers.

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


@ag.command(cls=Formula, short_help="Draw the graph of a formula.", help=f"""\
    Draw the graph of EXPRESSION: leaves, quantities in blue, constants in grey.

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


@ag.command(cls=Formula, short_help="Ask for the derivatives of a formula, and mark the answers.", help=f"""\
    Find the derivatives of EXPRESSION yourself: they are asked for one by one, and marked.

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

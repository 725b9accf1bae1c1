"""A compiled function as one HTML file that works by itself."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any

from ..compiler.program import Constant, typed
from ..compiler.shown.amounts import amount
from ..compiler.shown.showing import ALL, TITLES, computed
from .assets import filled

if TYPE_CHECKING:
    from ..compiler.program import Program
    from ..compiler.shown.showing import Pass, Shown
    from ..compiler.shown.shown_steps import ShownStep

MEANINGS = {
    "program": "What the function did with its arguments, one quantity a line, and the expression of yours that made it. "
    "A quantity that you point at or tap is lit wherever it is used.",
    "passes": "Each makes another program that computes the same. It is the work that gets less, the count of quantities can "
    "grow: a softmax is written out as several steps, and of a row only the element that is asked for is computed.",
    "steps": "What is computed together, in one passage through memory. Operations are + − × ÷ √ of floats; an elementary "
    "function counts as many as its code has.",
    "kernels": "The loops of each step as Python. lanes(n, w): the numbers below n, w at a time. at(i, n): an index, negative "
    "ones counted from the end. v7 is a quantity, m7 its place in memory, s7 its place in the cache.",
    "ir": "What is handed to LLVM.", "assembly": "What the processor runs.",
}  # fmt: skip
DITTO = '<span aria-label="the same">″</span>'
WORD = re.compile(r"(?P<c>#[^\n]*)|(?P<w>[A-Za-z_]\w*)|[^#A-Za-z_]+")
STYLE = "<style>.ag-compiled{font:13px/1.5 ui-monospace,monospace;white-space:pre;overflow-x:auto;max-height:40em}</style>"


def page(shown: Shown) -> str:
    """The page of a compiled function."""
    names = ALL if shown.stage == "all" else (shown.stage,)
    write = {"program": _program, "passes": _passes, "steps": _steps, "kernels": _kernels, "ir": _code, "assembly": _code}
    sections = [section(name, TITLES[name], MEANINGS[name], write[name](shown, name)) for name in names]
    links = "".join(f'<a href="#part-{name}">{name if name != "ir" else "IR"}</a>' for name in names)
    n, m = computed(shown.recorded), computed(shown.compiled)
    operations = sum(s.work.operations or 0 for s in shown.steps)
    sizes = f"{n} quantit{'y' if n == 1 else 'ies'} recorded, {m} after the passes"
    steps = f"{len(shown.steps)} step{'s' * (len(shown.steps) != 1)}"
    subtitle = f"{sizes}, {steps}, {amount(operations)} operations. Run by {shown.how}."
    contents = f"<nav>{links}</nav>" if len(names) > 1 else ""
    return file(shown.name, subtitle, contents, sections, "show")


def file(name: str, subtitle: str, contents: str, sections: Iterable[str], maker: str) -> str:
    """A page of sections; ``maker`` is the method that it comes from."""
    parts = {
        "title": escape(f"{name}: {maker}"), "name": escape(name), "subtitle": escape(subtitle), "contents": contents,
        "sections": "\n".join(sections), "maker": f"ag.jit(f).{maker}",
    }  # fmt: skip
    return filled("compiled.html", parts)


def section(key: str, title: str, meaning: str, inner: str) -> str:
    """A part of a page."""
    return f'<section id="part-{key}" class="card"><h2>{escape(title)}</h2><p class="hint">{escape(meaning)}</p>{inner}</section>'


def notebook(text: str) -> str:
    """Text with columns, where a page does not fit."""
    return f"{STYLE}<div class='ag-compiled'>{escape(text)}</div>"


# ---------------------------------------------------------------------- programs


def _program(shown: Shown, _: str) -> str:
    numbers = "".join(f"<li><code>{escape(value)}</code> {escape(users)}</li>" for value, users in shown.constants())
    constants = f'<ul class="chips"><li class="label">Constants</li>{numbers}</ul>' if numbers else ""
    legend = "".join(f'<p class="hint">{escape(sentence)}</p>' for sentence in shown.legend())
    return f"{_listing(shown, shown.recorded)}{constants}{legend}"


def _listing(shown: Shown, program: Program, new: Iterable[int] = (), kinds: Iterable[str] = ()) -> str:
    """A program as a table; ``kinds``: where its arguments come from."""
    rows = []
    kinds = list(kinds) or [kind for _, _, kind in shown.arguments()]
    for n, kind in zip(program.arguments, kinds, strict=True):
        rows.append(
            f'<tr class="given"><td class="quantity">{_name(program, n, "own")}</td>'
            f'<td class="type"><code>{typed(program.quantities[n])}</code></td>'
            f'<td class="call">{escape(kind)}</td><td class="source"></td><td class="place"></td></tr>'
        )
    for n, q, note, place, again in shown.annotated(program):
        made, same = " made" * (q.place == shown.caller), " same" * again
        note, place = (escape(note), escape(place)) if not again else (DITTO if note else "", DITTO)
        rows.append(
            f'<tr class="{"new" if n in new else ""}"><td class="quantity">{_name(program, n, "own")}</td>'
            f'<td class="type"><code>{typed(q)}</code></td><td class="call"><code>{_call(program, q)}</code></td>'
            f'<td class="source{same}"><code>{note}</code></td><td class="place{made}{same}">{place}</td></tr>'
        )
        for when, body, inner in shown.bodies(program, q):
            title = f"{escape(program.name(n))} {when}:"
            rows.append(f'<tr class="body"><td colspan="5"><p>{title}</p>{_listing(shown, body, (), inner)}</td></tr>')
    results = ", ".join(_name(program, n) for n in program.outputs)
    expected = ", ".join(_name(program, n) for n in program.expected)
    expect = f" as long as {expected} = 0; else the function itself is computed" if expected else ""
    rows.append(f'<tr class="end"><td colspan="5">returns {results}{expect}</td></tr>')
    return f'<table class="listing" data-program>{"".join(rows)}</table>'


def _name(program: Program, n: int | Constant, kind: str = "", tag: str = "code") -> str:
    """The name of a quantity, which can be pointed at."""
    text = escape(program.name(n))
    if isinstance(n, Constant):
        return text
    return f'<{tag} data-v="{n}"{f" class={kind}" if kind else ""}>{text}</{tag}>'


def _call(program: Program, q: Any) -> str:
    """The operator of a quantity, whose inputs can be pointed at; of a loop without its body."""
    text = program.call(q).partition("\n")[0]
    head, _, rest = text.partition("(")
    inputs = ", ".join(map(program.name, q.inputs))
    marked = ", ".join(_name(program, n, tag="span") for n in q.inputs)
    return f"{escape(head)}({marked}{escape(rest.removeprefix(inputs))}"


def _passes(shown: Shown, _: str) -> str:
    counts = [computed(p.program) for p in shown.passes]
    first = computed(shown.recorded)
    most = max([*counts, first, 1])
    cells = f'<span>recorded</span><span class="count">{first}</span>{bar(first / most)}<span class="meaning">quantities</span>'
    recorded = f'<div class="pass"><div class="nothing">{cells}</div></div>'
    return recorded + "".join(_pass(shown, p, count / most) for p, count in zip(shown.passes, counts, strict=True))


def _pass(shown: Shown, p: Pass, share: float) -> str:
    if not p.changed:
        cells = f'<span>{escape(p.name)}</span><span></span><span></span><span class="meaning">changes nothing</span>'
        return f'<div class="pass"><div class="nothing">{cells}</div></div>'
    head = (
        f'<summary><b>{escape(p.name)}</b><span class="count">{computed(p.program)}</span>{bar(share)}'
        f'<span class="meaning">{escape(p.meaning)}</span></summary>'
    )
    return f'<details class="pass">{head}<div>{_listing(shown, p.program, p.new)}</div></details>'


def bar(share: float, kind: str = "") -> str:
    """A share of 1 as a bar."""
    return f'<span class="bar"><i class="{kind}" style="left:0;width:{100 * share:.1f}%"></i></span>'


# ---------------------------------------------------------------------- steps and kernels

HEADS = ("step", "", "space", "lanes", "stages", "threads", "read", "written", "", "operations", "", "functions")
NUMBERS = (3, 4, 5, 6, 7, 9)


def _steps(shown: Shown, _: str) -> str:
    moved = max((s.work.moved for s in shown.every()), default=0) or 1
    operations = max((s.work.operations or 0 for s in shown.every()), default=0) or 1
    head = "".join(f'<th scope="col"{_right(i)}>{name}</th>' for i, name in enumerate(HEADS))
    rows = []
    for s in shown.every():
        _, kind, space, lanes, stages, threads, read, written, count, functions = shown.step_row(s)
        cells = [
            f'{"&emsp;" * s.depth}<a href="#{s.name}">{s.name}</a>', f'<span class="kind {kind}">{kind}</span>',
            space.replace(" x ", " × "), lanes, stages, threads, read, written, bar(s.work.moved / moved), count,
            bar((s.work.operations or 0) / operations, "negative"), functions,
        ]  # fmt: skip
        rows.append(f"<tr>{_row(cells)}</tr>")
    works = [s.work for s in shown.steps]
    total = [
        "", "", "", "", "", "all", amount(sum(w.read for w in works), "B"), amount(sum(w.written for w in works), "B"), "",
        amount(sum(w.operations or 0 for w in works)), "", "",
    ]  # fmt: skip
    return (
        f'<div class="scroll"><table class="steps"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody>'
        f"<tfoot><tr>{_row(total)}</tr></tfoot></table></div>"
    )


def _right(i: int) -> str:
    return ' class="n"' if i in NUMBERS else ' class="share"' if i in (8, 10) else ' class="functions"' if i == 11 else ""


def _row(cells: Iterable[str]) -> str:
    """Cells that know their heads, for where these are not beside them."""
    return "".join(f'<td{_right(i)} data-head="{HEADS[i]}">{cell}</td>' for i, cell in enumerate(cells))


def _kernels(shown: Shown, _: str) -> str:
    return "".join(map(_kernel, shown.every()))


def _kernel(s: ShownStep) -> str:
    said = [s.space.replace(" x ", " × ")]
    said += [f"{s.lanes} lanes"] if s.lanes else []
    said += [f"shared by {s.threads} threads"] if s.threads and s.threads > 1 else []
    said += [f"{s.stages} passages of each row"] if s.stages and s.stages > 1 else []
    caption = f"<figcaption><b>{s.name}</b>{', '.join(said)}</figcaption>"
    return f'<figure id="{s.name}">{caption}<pre>{coloured(s.text)}</pre></figure>'


def coloured(text: str) -> str:
    """Python in HTML, with its keywords, functions, places in memory and comments marked."""
    found = []
    for m in WORD.finditer(text):
        word = escape(m[0])
        kind = "c" if m["c"] else ""
        if m["w"]:
            following = text[m.end() : m.end() + 1]
            if keyword.iskeyword(m[0]) or m[0] in ("range", "lanes"):
                kind = "k"
            elif following == "(" or hasattr(builtins, m[0]):
                kind = "f"
            elif following == "[":
                kind = "m"
        found.append(f'<span class="{kind}">{word}</span>' if kind else word)
    return "".join(found)


def _code(shown: Shown, name: str) -> str:
    text = getattr(shown, name)
    lines = text.count("\n")
    return f'<details class="code"><summary>{lines:,} lines</summary><pre>{escape(text)}</pre></details>'

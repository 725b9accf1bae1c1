"""Formulas as MathML, which browsers typeset by themselves: the LaTeX of the rows, read and written again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape

from .plain_text import SYMBOLS
from .reading import Cases, Choice, Fenced, Fraction, Group, Item, Items, Label, Live, Lowered, Raised, Root, Sign, Words, read

OPERATORS = {"·": "⋅", "-": "−", "Σ": "∑", "Π": "∏", "mod": "mod"} | {c: c for c in "+=<>≤≥≠×⊙±∧∨¬⊕∈→"}
OPENING, CLOSING = "([{⌊⌈", ")]}⌋⌉"
TALL = "<mfrac", "<mtable", "<mroot", "<msqrt"  # with what brackets grow
THIN = '<mspace width="0.17em"/>'
INFIX, COMMA = '<mo form="infix">', "<mo>,</mo>"
EQUALS = f"{INFIX}=</mo>"

Number = Callable[[str, bool], str]


def mathml(latex: str, number: Number | None = None, labels: Mapping[str, str] | None = None) -> str:
    """The inside of a ``<math>`` element.

    ``number`` writes one that a page changes, from its key and whether it is a factor; ``labels``: names that are words, by
    their LaTeX, which may not have all letters.
    """
    writer, items = _prepared(latex, number, labels)
    return writer.row(items)


def pieces(latex: str, number: Number | None = None, labels: Mapping[str, str] | None = None) -> list[str]:
    """The insides of several ``<math>`` elements, which are the formula if they stand side by side: between them a line may end,
    which it can't within one. It ends before operators, also those in brackets that do not grow, and after commas and what is
    defined: z5 =."""
    writer, items = _prepared(latex, number, labels)
    out: list[str] = []
    defined = False
    for element in writer.elements(items, apart=True):
        equals = element == EQUALS
        if not out or out[-1].endswith(COMMA) or (element.startswith(INFIX) and not equals) or defined:
            out.append(element)
        else:
            out[-1] += element
        defined = equals and out[-1] != EQUALS
    return out


def _prepared(latex: str, number: Number | None, labels: Mapping[str, str] | None) -> tuple[_Writer, Items]:
    texts = sorted((labels or {}).items(), key=lambda item: -len(item[0]))
    for i, (name, _) in enumerate(texts):
        latex = latex.replace(name, rf"\label{{{i}}}")
    return _Writer(number, [text for _, text in texts]), read(latex)


class _Writer:
    def __init__(self, number: Number | None, labels: list[str]) -> None:
        self.number = number
        self.labels = labels

    def row(self, items: Items) -> str:
        """Some items as one element."""
        elements = self.elements(items)
        return elements[0] if len(elements) == 1 else f"<mrow>{''.join(elements)}</mrow>"

    def elements(self, items: Items, apart: bool = False) -> list[str]:
        """Some items as elements in a row; ``apart``: what brackets hold, too, unless they grow."""
        out: list[str] = []
        operator = True  # is what stands before an operator, or nothing?
        place = 0
        while place < len(items):
            item = items[place]
            place += 1
            if isinstance(item, Sign) and item.token.isspace():
                continue
            if _is_digit(item):
                start = place - 1
                while place < len(items) and (_is_digit(items[place]) or _is_point(items, place)):
                    place += 1
                out.append(f"<mn>{''.join(x.token for x in items[start:place] if isinstance(x, Sign))}</mn>")
                operator = False
            elif isinstance(item, (Raised, Lowered)):
                below = item if isinstance(item, Lowered) else None
                above = item if isinstance(item, Raised) else None
                if below and place < len(items) and isinstance(items[place], Raised):
                    above = items[place]  # type: ignore[assignment]
                    place += 1
                space = out.pop() if out and out[-1] == THIN else ""
                out.append(self.scripts(out.pop() if out else "<mrow/>", below, above))
                out += [space] if space else []
            elif isinstance(item, Sign) and (sign := _operator(item.token)):
                out.append(f'<mo form="{"prefix" if operator else "infix"}">{escape(sign)}</mo>')
                operator = True
            elif _is_function(item):
                if not operator:
                    out.append(THIN)
                out.append(self.element(item))
                if not _opens(items[place:]):
                    out.append(THIN)
                operator = True
            else:
                out += self.apart(item) if apart else [self.element(item)]
                operator = isinstance(item, Sign) and item.token in OPENING + ","
        return out

    def apart(self, item: Item) -> list[str]:
        """An item as elements in a row, as many as it falls into."""
        match item:
            case Group(items):
                return self.elements(items, apart=True)
            case Fenced(left, items, right) if not any(part in self.row(items) for part in TALL):
                fences = _fence(left, "prefix", False), _fence(right, "postfix", False)
                return [x for x in (fences[0], *self.elements(items, apart=True), fences[1]) if x]
        return [self.element(item)]

    def scripts(self, base: str, below: Lowered | None, above: Raised | None) -> str:
        if below and above:
            return f"<msubsup>{base}{self.row(below.items)}{self.row(above.items)}</msubsup>"
        if below:
            return f"<msub>{base}{self.row(below.items)}</msub>" if below.items else base
        assert above is not None
        return f"<msup>{base}{self.row(above.items)}</msup>"

    def element(self, item: Item) -> str:
        match item:
            case Sign(token):
                return _sign(token)
            case Group(items):
                return self.row(items)
            case Words(command, items):
                text = escape(_letters(items))
                return f"<mtext>{text}</mtext>" if command == "\\text" else f'<mi mathvariant="normal">{text}</mi>'
            case Fraction(top, bottom):
                return f"<mfrac>{self.row(top)}{self.row(bottom)}</mfrac>"
            case Root(degree, items):
                inner = self.row(items)
                return f"<mroot>{inner}{self.row(degree)}</mroot>" if degree else f"<msqrt>{inner}</msqrt>"
            case Fenced(left, items, right):
                inner = self.row(items)
                tall = any(part in inner for part in TALL)
                return f"<mrow>{_fence(left, 'prefix', tall)}{inner}{_fence(right, 'postfix', tall)}</mrow>"
            case Cases(taken, condition, other):
                rows = {self.row(taken): f"<mtext>if </mtext>{self.row(condition)}", self.row(other): "<mtext>otherwise</mtext>"}
                table = "".join(f"<mtr><mtd>{value}</mtd><mtd>{when}</mtd></mtr>" for value, when in rows.items())
                return f'<mrow>{_fence("{", "prefix", True)}<mtable class="cases">{table}</mtable></mrow>'
            case Live(key, factor):
                assert self.number is not None, "a live number outside a page"
                return self.number(key, factor)
            case Label(i):
                return f"<mtext>{escape(self.labels[i])}</mtext>"
            case Choice(key, taken, other):
                return f'<mrow data-choice="{key}">{self.row(taken)}{self.row(other)}</mrow>'
        raise TypeError(f"no MathML for {item!r}")


def _is_digit(item: Item) -> bool:
    return isinstance(item, Sign) and item.token in "0123456789"


def _is_point(items: Items, place: int) -> bool:
    """A decimal point, between digits."""
    return items[place] == Sign(".") and place + 1 < len(items) and _is_digit(items[place + 1])


def _symbol(token: str) -> str:
    """The character of a sign; the name itself of a function."""
    return SYMBOLS.get(token[1:], token[1:]) if token.startswith("\\") else token


def _operator(token: str) -> str:
    return OPERATORS.get(_symbol(token), "")


def _is_function(item: Item) -> bool:
    if isinstance(item, Sign):
        return len(_symbol(item.token)) > 1 and item.token[0] == "\\" and item.token[1:] not in SYMBOLS
    return isinstance(item, Words) and item.command == "\\operatorname"


def _opens(items: Items) -> bool:
    """Does a bracket follow, or nothing at all, so that there is no need for a space?"""
    rest = [x for x in items if not (isinstance(x, Sign) and x.token.isspace()) and not isinstance(x, (Lowered, Raised))]
    return not rest or isinstance(rest[0], Fenced) or rest[0] == Sign("(")


def _sign(token: str) -> str:
    text = _symbol(token)
    if not text.strip():
        return f'<mspace width="{0.3 * len(text)}em"/>'
    if text == "ᵀ":
        return '<mi mathvariant="normal">T</mi>'
    if text == "ᴴ":
        return '<mi mathvariant="normal">H</mi>'
    if text in OPENING + CLOSING + "‖|":
        form = "prefix" if text in OPENING else "postfix"
        return f'<mo form="{form}" stretchy="false">{escape(text)}</mo>'
    if text == ",":
        return COMMA
    if text.isalpha() or text == "∂":
        return f"<mi>{escape(text)}</mi>"
    return f"<mtext>{escape(text)}</mtext>"


def _fence(token: str, form: str, tall: bool) -> str:
    text = _symbol(token)
    return "" if text == "." else f'<mo form="{form}" stretchy="{"true" if tall else "false"}">{escape(text)}</mo>'


def _letters(items: Items) -> str:
    """The letters of a word."""
    return "".join(_symbol(item.token) if isinstance(item, Sign) else "" for item in items)

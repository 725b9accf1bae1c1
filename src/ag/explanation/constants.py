"""What stands for arrays that are constants: few numbers are written out, more are called as the program calls them."""

from __future__ import annotations

import ast
from typing import Any, NamedTuple

import numpy as np

from ..node import OFFSETS, Node
from ..source import expression
from ..symbol import Symbol
from .formula import listed, shape_name
from .names import Name

LONGEST = 24  # characters of a name that is read off the program

BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.MatMult: "matmul", ast.Pow: "pow",
    ast.Mod: "remainder", ast.FloorDiv: "floor_divide",
}  # fmt: skip


class Constant(NamedTuple):
    """An array that is a constant: its name, and its value where it is used first; ``uses`` of that name."""

    name: Name
    value: Any
    uses: int


class Constants:
    """The symbols of the arrays that are constants of a graph. Arrays of one place in the program share their name, as in a
    loop; so do equal ones. ``taken``: the names of the quantities."""

    def __init__(self, taken: set[str]) -> None:
        self.taken = taken
        self.places: dict[tuple[Any, ...], Name] = {}
        self.found: dict[Name, list[Any]] = {}

    def symbol(self, node: Node, position: int) -> Any:
        """What stands for the input of a node in formulas."""
        x = node.inputs[position]
        if not isinstance(x, np.ndarray) or not x.ndim:
            return x
        if listed(x):
            # Of floats a transpose is to be seen; of indices and truth values the elements.
            return Symbol(None, x) if x.dtype.kind == "f" else x
        place = (node._code, node._stamp % OFFSETS, position, x.shape)
        name = self.places.get(place)
        if name is None:
            name = self.places[place] = self.name(x, variable(node, position))
        self.found.setdefault(name, []).append(x)
        return Symbol(name, x)

    def name(self, x: Any, variable: str) -> Name:
        if variable and variable not in self.taken:
            name = Name.of(variable)
            if name not in self.found or _same(x, self.found[name][0]):
                return name
        for number in range(1, len(self.found) + 2):
            name = shape_name(x, "const" if number == 1 else f"const{number}")
            if name not in self.found or _same(x, self.found[name][0]):
                break
        return name

    def all(self) -> tuple[Constant, ...]:
        """Those with a name, in the order of their first use."""
        return tuple(Constant(name, arrays[0], len(arrays)) for name, arrays in self.found.items())


def _same(x: Any, y: Any) -> bool:
    return x.shape == y.shape and x.dtype == y.dtype and (x is y or bool(np.array_equal(x, y)))


def variable(node: Node, position: int) -> str:
    """The variable that the program gave to an operator as one of its inputs; empty where the line does not tell for sure."""
    text = expression(node._code, node._stamp % OFFSETS)
    try:
        tree = ast.parse(f"({text})", mode="eval").body
    except SyntaxError:
        return ""
    operands = _operands(tree, node.op)
    if position >= len(operands) or any(isinstance(x, ast.Starred) for x in operands):
        return ""
    x = operands[position]
    inner = x
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    name = ast.unparse(x) if isinstance(inner, ast.Name) else ""
    return name if len(name) <= LONGEST else ""


def _operands(tree: ast.expr, op: Any) -> list[ast.expr]:
    """What an expression gives to a row as its inputs, in order; nothing if it is not this row that it calls."""
    match tree:
        case ast.BinOp(left=left, op=sign, right=right) if BINARY.get(type(sign)) == op.name:
            return [left, right]
        case ast.Subscript(value=value, slice=index) if op.name == "getitem":
            return [value, index]
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=args):
            names = {op.name, *(f.__name__ for f in op.numpy)} - set(op.methods)
            if (called in names and op.signature is None) or op.name.startswith(f"{called}_of_"):
                return args
    return []

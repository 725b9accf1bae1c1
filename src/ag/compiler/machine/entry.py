"""Compiled kernels as functions that Python calls directly, with arrays as arguments.

Going through ctypes costs about half a microsecond, and fetching an array's address in Python a whole one, each time. So the
way in is compiled, too: a builtin function of CPython's, whose machine code reads the addresses out of the arrays.
"""

from __future__ import annotations

import ctypes
import functools
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..kernels.writing_code import Writer
from . import kept, native

HEADER = object.__basicsize__  # what every object begins with; its type is the last part of that
PAYLOAD = bytes.__basicsize__ - 1  # where the content of a bytes object begins
POINTER = ctypes.sizeof(ctypes.c_void_p)
METH_FASTCALL = 0x0080

# What the machine code reads through its first argument: the kernel, the number of arrays, ndarray, TypeError, the name, and
# what is expected of each array: its dtype (0: anything), the number of its axes and the address of their lengths.
TARGET = struct.Struct("PnPPPP")
KIND = struct.Struct("PnP")
ORDERED = 0x0101  # the flags of an array in row-major order, at an address that is a multiple of its elements' size
UNEXPECTED = -1  # what is returned for arrays that are not as expected

# After its header an array has its data, its number of axes, their lengths, its strides, its base, its dtype and its flags.
AXES, LENGTHS, DTYPE, FLAGS = (HEADER + k * POINTER for k in (1, 2, 5, 6))

MESSAGES = {
    "miscounted": "%s() takes exactly %zd arrays, but %zd were given",
    "unfit": "%s() takes arrays of type numpy.ndarray itself, not %R: give numpy.asarray(...) of it",
}

DECLARATIONS = "declare ptr @PyErr_Format(ptr, ptr, ...)", "declare ptr @PyLong_FromSsize_t(i64)"


def _program() -> str:
    """The way in for arrays of any number, which stands in the target, as do the kernel and what is expected of the arrays."""
    w = Writer(native.host(), set())

    def field(base: str, offset: int, type: str = "ptr") -> str:
        """What an object holds so many bytes behind its address."""
        return w.line(f"load {type}, ptr {w.element(base, 'i8', offset)}, align 1")

    def require(type: str, a: str, b: str, otherwise: str) -> None:
        """Go on if these are equal, else return what another call returns."""
        k, equal = next(w.names), w.line(f"icmp eq {type} {a}, {b}")
        w.emit(f"br i1 {equal}, label %held{k}, label %refused{k}")
        w.label(f"refused{k}")
        w.emit(f"ret ptr {w.line(otherwise)}")
        w.label(f"held{k}")

    def each(count: str, do: Callable[[str], None]) -> None:
        w.when(w.line(f"icmp ne i64 {count}, 0"), lambda: w.loop(count, do))

    target = w.element("%self", "i8", PAYLOAD)
    kernel, count, ndarray, error, name, kinds = (field(target, k * POINTER, "i64" if k == 1 else "ptr") for k in range(6))
    unexpected = f"call ptr @PyLong_FromSsize_t(i64 {UNEXPECTED})"
    raised = f"call ptr (ptr, ptr, ...) @PyErr_Format(ptr {error}, "  # which returns null
    require("i64", "%given", count, f"{raised}ptr @miscounted, ptr {name}, i64 {count}, i64 %given)")
    addresses = w.line(f"alloca ptr, i64 {count}")

    def take(i: str) -> None:
        """The address of an array's data, if it is one, and as expected."""
        array = w.line(f"load ptr, ptr {w.element('%arguments', 'ptr', i)}")
        type = field(array, HEADER - POINTER)
        require("ptr", type, ndarray, f"{raised}ptr @unfit, ptr {name}, ptr {type})")
        kind = w.element(kinds, "i8", w.sum_of("0", [i], [KIND.size]))
        dtype = field(kind, 0)

        def compare() -> None:
            require("ptr", field(array, DTYPE), dtype, unexpected)
            require("i32", w.line(f"and i32 {field(array, FLAGS, 'i32')}, {ORDERED}"), str(ORDERED), unexpected)
            axes = w.line(f"sext i32 {field(array, AXES, 'i32')} to i64")
            require("i64", axes, field(kind, POINTER, "i64"), unexpected)
            lengths = field(array, LENGTHS), field(kind, 2 * POINTER)

            def length(k: str) -> None:
                own, wanted = (w.line(f"load i64, ptr {w.element(x, 'i64', k)}") for x in lengths)
                require("i64", own, wanted, unexpected)

            each(axes, length)

        w.when(w.line(f"icmp ne ptr {dtype}, null"), compare)
        w.emit(f"store ptr {field(array, HEADER)}, ptr {w.element(addresses, 'ptr', i)}")

    each(count, take)
    status = w.line(f"sext i32 {w.line(f'call i32 {kernel}(ptr {addresses})')} to i64")
    w.emit(f"ret ptr {w.line(f'call ptr @PyLong_FromSsize_t(i64 {status})')}")
    texts = [f'@{name} = private constant [{len(text) + 1} x i8] c"{text}\\00"' for name, text in MESSAGES.items()]
    head = "define ptr @enter(ptr %self, ptr %arguments, i64 %given) {"
    return "\n".join([*DECLARATIONS, *texts, head, *w.entry, *w.body, "}"])


@functools.cache
def direct() -> bool:
    """Whether this interpreter keeps objects in memory as the compiled way in expects: CPython of 64 bits, as it is so far."""
    if sys.implementation.name != "cpython" or POINTER != 8:
        return False
    array, content = np.arange(3.0), b"content"
    where, address = id(array) + HEADER, ctypes.c_void_p.from_address
    return (
        address(where).value == array.ctypes.data
        and address(where - POINTER).value == id(np.ndarray)
        and address(id(array) + DTYPE).value == id(array.dtype)
        and ctypes.c_int.from_address(id(array) + AXES).value == array.ndim
        and ctypes.c_ssize_t.from_address(address(id(array) + LENGTHS).value or 0).value == array.size
        and ctypes.c_int.from_address(id(array) + FLAGS).value & ORDERED == ORDERED
        and ctypes.string_at(id(content) + PAYLOAD, len(content)) == content
    )


class _Method(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = (("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p))


class _Target(bytes):
    """The builtin's `__self__`: its content is what the machine code reads, its attributes are what has to live as long."""

    method: _Method
    library: native.Library
    name: bytes
    keep: object


@functools.cache
def _way() -> native.Library:
    """The compiled way in, one library for all functions."""
    symbols = {name: native.function_address(getattr(ctypes.pythonapi, name)) for name in ("PyErr_Format", "PyLong_FromSsize_t")}
    return native.Library(kept.compiled(_program()), ["enter"], symbols)


def entry(address: int, count: int, name: str, keep: object = None, kinds: Sequence[Any] = ()) -> Callable[..., int]:
    """A Python function that calls ``int kernel(void **data)`` at ``address`` with the data pointers of its arrays.

    The function takes ``count`` arrays by position and returns the kernel's 32-bit integer. It checks their number and
    that each is a ``numpy.ndarray``. ``kinds``, pairs of a shape and a dtype, say what the first of them have to be, in
    row-major order: else the result is ``UNEXPECTED``. ``keep``, such as the kernel's library, lives as long as the function.
    Raises ImportError without llvmlite, ValueError for a negative ``count``.
    """
    if count < 0:
        raise ValueError(f"the number of arrays is at least 0, not {count}")
    if not direct():
        return _through_ctypes(address, count, name, keep, kinds)
    library, spelled = _way(), name.encode()
    text = ctypes.c_char_p(spelled)
    lengths = [(ctypes.c_ssize_t * len(shape))(*shape) for shape, _ in kinds]
    table = ctypes.create_string_buffer(KIND.size * max(count, 1))
    for k, ((shape, dtype), of_kind) in enumerate(zip(kinds, lengths, strict=True)):
        KIND.pack_into(table, k * KIND.size, id(dtype), len(shape), ctypes.addressof(of_kind))
    where = ctypes.cast(text, ctypes.c_void_p).value, ctypes.addressof(table)
    target = _Target(TARGET.pack(address, count, id(np.ndarray), id(TypeError), *where))
    target.method = _Method(spelled, library.address("enter"), METH_FASTCALL, None)
    target.library, target.name, target.keep = library, spelled, (keep, table, lengths, kinds)
    create = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    return create(("PyCFunction_NewEx", ctypes.pythonapi))(ctypes.addressof(target.method), target, None)


def _through_ctypes(address: int, count: int, name: str, keep: object, kinds: Sequence[Any]) -> Callable[..., int]:
    """The same, for interpreters that keep their objects in other ways."""
    kernel = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(address)
    addresses = ctypes.c_void_p * count
    living = (keep,)

    def call(*arrays: np.ndarray[Any, Any], _living: tuple[object] = living) -> int:
        if len(arrays) != count:
            raise TypeError(MESSAGES["miscounted"].replace("%zd", "%d") % (name, count, len(arrays)))
        for array in arrays:
            if type(array) is not np.ndarray:
                raise TypeError(MESSAGES["unfit"].replace("%R", "%r") % (name, type(array)))
        for array, (shape, dtype) in zip(arrays, kinds, strict=False):
            if array.shape != shape or array.dtype != dtype or not (array.flags.c_contiguous and array.flags.aligned):
                return UNEXPECTED
        return kernel(addresses(*(array.ctypes.data for array in arrays)))

    call.__name__ = name
    return call

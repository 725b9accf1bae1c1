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

DECLARATIONS = """
declare ptr @PyErr_Format(ptr, ptr, ...)
declare ptr @PyLong_FromLong(i{long})
"""

FUNCTION = """
define ptr @enter(ptr %self, ptr %arguments, {size} %given) {{
  %target = getelementptr i8, ptr %self, {size} {payload}
  %kernel = load ptr, ptr %target, align 1
  %count.at = getelementptr {size}, ptr %target, {size} 1
  %count = load {size}, ptr %count.at, align 1
  %ndarray.at = getelementptr ptr, ptr %target, {size} 2
  %ndarray = load ptr, ptr %ndarray.at, align 1
  %error.at = getelementptr ptr, ptr %target, {size} 3
  %name.at = getelementptr ptr, ptr %target, {size} 4
  %kinds.at = getelementptr ptr, ptr %target, {size} 5
  %kinds = load ptr, ptr %kinds.at, align 1
  %right = icmp eq {size} %given, %count
  br i1 %right, label %room, label %miscounted
room:
  %addresses = alloca ptr, {size} %count
  %none = icmp eq {size} %count, 0
  br i1 %none, label %run, label %each
each:
  %i = phi {size} [ 0, %room ], [ %next, %store ]
  %argument.at = getelementptr ptr, ptr %arguments, {size} %i
  %argument = load ptr, ptr %argument.at
  %type.at = getelementptr i8, ptr %argument, {size} {type}
  %type = load ptr, ptr %type.at
  %array = icmp eq ptr %type, %ndarray
  br i1 %array, label %look, label %unfit
look:
  %kind = getelementptr [3 x {size}], ptr %kinds, {size} %i
  %dtype = load ptr, ptr %kind, align 1
  %any = icmp eq ptr %dtype, null
  br i1 %any, label %store, label %compare
compare:
  %dtype.at = getelementptr i8, ptr %argument, {size} {dtype}
  %own = load ptr, ptr %dtype.at
  %same = icmp eq ptr %own, %dtype
  %flags.at = getelementptr i8, ptr %argument, {size} {flags}
  %flags = load i32, ptr %flags.at
  %masked = and i32 %flags, {ordered}
  %lined = icmp eq i32 %masked, {ordered}
  %axes.at = getelementptr i8, ptr %argument, {size} {axes}
  %axes = load i32, ptr %axes.at
  %wide = sext i32 %axes to {size}
  %expected.at = getelementptr {size}, ptr %kind, {size} 1
  %expected = load {size}, ptr %expected.at, align 1
  %ranked = icmp eq {size} %wide, %expected
  %both = and i1 %same, %lined
  %fits = and i1 %both, %ranked
  br i1 %fits, label %lengths, label %unexpected
lengths:
  %own.at = getelementptr i8, ptr %argument, {size} {lengths}
  %own.lengths = load ptr, ptr %own.at
  %wanted.at = getelementptr ptr, ptr %kind, {size} 2
  %wanted = load ptr, ptr %wanted.at, align 1
  %number = icmp eq {size} %expected, 0
  br i1 %number, label %store, label %length
length:
  %k = phi {size} [ 0, %lengths ], [ %k.next, %longer ]
  %own.length.at = getelementptr {size}, ptr %own.lengths, {size} %k
  %own.length = load {size}, ptr %own.length.at
  %wanted.length.at = getelementptr {size}, ptr %wanted, {size} %k
  %wanted.length = load {size}, ptr %wanted.length.at
  %equal = icmp eq {size} %own.length, %wanted.length
  br i1 %equal, label %longer, label %unexpected
longer:
  %k.next = add {size} %k, 1
  %another = icmp ult {size} %k.next, %expected
  br i1 %another, label %length, label %store
unexpected:
  %no = call ptr @PyLong_FromLong(i{long} {refused})
  ret ptr %no
store:
  %data.at = getelementptr i8, ptr %argument, {size} {header}
  %data = load ptr, ptr %data.at
  %address.at = getelementptr ptr, ptr %addresses, {size} %i
  store ptr %data, ptr %address.at
  %next = add {size} %i, 1
  %more = icmp ult {size} %next, %count
  br i1 %more, label %each, label %run
run:
  %status = call i32 %kernel(ptr %addresses)
  %long = {widened}
  %result = call ptr @PyLong_FromLong(i{long} %long)
  ret ptr %result
miscounted:
  %error.1 = load ptr, ptr %error.at, align 1
  %name.1 = load ptr, ptr %name.at, align 1
  call ptr (ptr, ptr, ...) @PyErr_Format(ptr %error.1, ptr @miscounted, ptr %name.1, {size} %count, {size} %given)
  ret ptr null
unfit:
  %error.2 = load ptr, ptr %error.at, align 1
  %name.2 = load ptr, ptr %name.at, align 1
  call ptr (ptr, ptr, ...) @PyErr_Format(ptr %error.2, ptr @unfit, ptr %name.2, ptr %type)
  ret ptr null
}}
"""


def _program() -> str:
    """The way in for arrays of any number: it stands in the target."""
    size, long = f"i{8 * POINTER}", 8 * ctypes.sizeof(ctypes.c_long)
    parts = [DECLARATIONS.format(long=long)]
    for name, message in MESSAGES.items():
        parts.append(f'@{name} = private constant [{len(message) + 1} x i8] c"{message}\\00"')
    layout: dict[str, object] = {"size": size, "long": long, "header": HEADER, "type": HEADER - POINTER, "payload": PAYLOAD}
    layout |= {"axes": AXES, "lengths": LENGTHS, "dtype": DTYPE, "flags": FLAGS, "ordered": ORDERED, "refused": UNEXPECTED}
    layout["widened"] = "sext i32 %status to i64" if long == 64 else "add i32 %status, 0"
    return "\n".join([*parts, FUNCTION.format(**layout)])


@functools.cache
def direct() -> bool:
    """Whether this interpreter keeps objects in memory as the compiled way in expects: CPython, as it is so far."""
    if sys.implementation.name != "cpython":
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
    symbols = {name: native.function_address(getattr(ctypes.pythonapi, name)) for name in ("PyErr_Format", "PyLong_FromLong")}
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

"""The IDX format of MNIST: a magic number, the lengths of the axes, then the elements, all big-endian.

The magic number is 0, 0, the code of the element type, the number of axes.
"""

from __future__ import annotations

import math
import os
from typing import Any, NamedTuple

import numpy as np

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP = b"\x1f\x8b"
PIECE = 1 << 16  # bytes
RATIO = 1100  # gzip packs no tighter


class DataError(ValueError):
    """A file that does not hold what its format or its name promises."""


def read_idx(path: str | os.PathLike[str]) -> Any:
    """The array in an IDX file, plain or compressed with gzip.

    Returns a read-only array of the file's shape and element type.
    Raises FileNotFoundError, and DataError when the file is damaged: it says which byte count was expected.

    >>> import ag.datasets, importlib.resources
    >>> folder = importlib.resources.files("ag.datasets") / "files"
    >>> ag.datasets.read_idx(folder / "digits-labels-idx1-ubyte.gz").shape
    (1797,)
    """
    with open(path, "rb") as file:
        content = file.read()
    return parsed(_unpacked(content, path) if content[:2] == GZIP else content, path)


def _unpacked(content: bytes, path: Any) -> bytes:
    import zlib  # here, as reading data is the only use: `import ag` stays light

    size = min(int.from_bytes(content[-4:], "little"), RATIO * len(content))  # as a gzip file ends with it
    try:
        return zlib.decompress(content, wbits=31, bufsize=max(size, 1))
    except zlib.error as error:
        message = str(error)
    unpacker = zlib.decompressobj(wbits=31)
    result = b""
    damage = "truncated"
    try:  # in pieces, as what came before the damage tells how long the file should be
        for start in range(0, len(content), PIECE):
            result += unpacker.decompress(content[start : start + PIECE])
    except zlib.error:
        damage = f"damaged ({message})"
    header = _header(result)
    promised = f"its header promises {header.size} bytes" if header else "its header can't be read"
    raise DataError(
        f"{path}: {damage} gzip file: of its {len(content)} bytes {len(result)} could be unpacked, {promised}: get it again"
    )


class _Header(NamedTuple):
    kind: np.dtype[Any]
    shape: tuple[int, ...]
    start: int  # bytes before the elements

    @property
    def size(self) -> int:
        """The byte count that it promises for the whole file."""
        return self.start + math.prod(self.shape) * self.kind.itemsize


def _header(content: bytes) -> _Header | None:
    """What the first bytes promise; None if they are no whole IDX header."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES or len(content) < 4 + 4 * content[3]:
        return None
    shape = np.frombuffer(content, ">u4", content[3], 4).tolist()
    return _Header(np.dtype(TYPES[content[2]]), tuple(shape), 4 + 4 * content[3])


def parsed(content: bytes, path: Any) -> Any:
    """The array in the bytes of an IDX file; ``path`` is for the error."""
    if content[:2] != b"\0\0" or len(content) < 4 or content[2] not in TYPES:
        raise DataError(
            f"{path}: not an IDX file: it begins with the bytes {content[:4].hex(' ') or '(none)'}; "
            f"expected 00 00, a type code ({', '.join(f'{code:02x}' for code in TYPES)}) and the number of axes"
        )
    header = _header(content)
    if header is None:
        axes = content[3]
        raise DataError(f"{path}: truncated IDX header: {len(content)} bytes, expected {4 + 4 * axes} for {axes} axes")
    if len(content) != header.size:
        raise DataError(
            f"{path}: {len(content)} bytes, expected {header.size} for the shape {header.shape} in its header: "
            f"the file is {'truncated' if len(content) < header.size else 'too long'}; get it again"
        )
    return np.frombuffer(content, header.kind, offset=header.start).reshape(header.shape)

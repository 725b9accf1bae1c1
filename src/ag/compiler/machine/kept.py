"""Compiled code kept on disk, so that a program is compiled once on a machine and not once in every process."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from collections.abc import Callable

from ... import files
from . import native

MARK = b"ag compiled 2\n"
ENDING = ".compiled"
LIMIT = 256 << 20  # bytes in the folder; beyond, what was used least recently goes
STALE = 3600.0  # seconds after which a file that is still being written has been left behind


@functools.cache
def versions() -> str:
    """What compiled code depends on besides its program: the versions of ag, llvmlite and LLVM, and the state of ag's modules."""
    from ... import __version__

    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    state = hashlib.sha256()
    for folder, _, names in sorted(os.walk(root)):
        for name in sorted(names):
            if name.endswith(".py"):
                facts = os.stat(os.path.join(folder, name))
                state.update(f"{os.path.relpath(folder, root)}/{name} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return f"ag {__version__} {state.hexdigest()[:16]} llvmlite {' LLVM '.join(native.llvm_versions())}"


def folder() -> str | None:
    """Where compiled code is kept: $AG_CACHE_DIR, or the user's folder for such files; None if $AG_CACHE_DIR is empty."""
    named = os.environ.get("AG_CACHE_DIR")
    if named is None:
        return os.path.join(files.cache(), "compiled")
    return named or None


def compiled(ir: str) -> bytes:
    """Object code for the text of a module, for this machine, from the disk if it is there."""
    return kept(f"{versions()}\n{native.host().text()}\n{ir}", lambda: native.compile_to_object(ir))


def kept(key: str, build: Callable[[], bytes]) -> bytes:
    """Object code, from the disk if it is there, else from ``build``, and then kept.

    ``key`` holds all that the code depends on. A file that is damaged, or that another user wrote, counts as absent; a folder
    that can't be read or written only means that everything is built.
    """
    place = folder()
    if place is None:
        return build()
    digest = hashlib.sha256(key.encode()).digest()
    path = os.path.join(place, digest.hex() + ENDING)
    found = _read(path, digest)
    if found is not None:
        return found
    code = build()
    with contextlib.suppress(OSError):  # the folder is a convenience; the code is here
        os.makedirs(place, mode=0o700, exist_ok=True)
        files.write(path, MARK + _checksum(digest, code) + code, durable=False)
        if digest[0] == 0:  # one file in 256: looking through the folder at every one would be slow
            tidy(place)
    return code


def _checksum(digest: bytes, code: bytes) -> bytes:
    return hashlib.sha256(digest + code).digest()  # with the key's own, so that a renamed file is noticed


def _read(path: str, digest: bytes) -> bytes | None:
    """The code that the file holds; None if there is none. A damaged one is removed."""
    try:
        with open(path, "rb") as file:
            if hasattr(os, "getuid") and os.fstat(file.fileno()).st_uid != os.getuid():
                return None  # code that somebody else wrote is not run
            whole = file.read()
    except OSError:
        return None
    start = len(MARK)
    checksum, code = whole[start : start + 32], whole[start + 32 :]
    if not whole.startswith(MARK) or checksum != _checksum(digest, code):
        _remove(path)
        return None
    with contextlib.suppress(OSError):  # a folder may be for reading only
        os.utime(path)  # the least recently used go first
    return code


def tidy(place: str, limit: int = LIMIT) -> None:
    """If the folder holds more than ``limit`` bytes, remove the least recently used code until it holds three quarters."""
    import time

    entries = []
    for entry in os.scandir(place):
        try:
            facts = entry.stat()
        except OSError:
            continue  # another process removed it
        if entry.name.startswith(files.UNFINISHED):
            if time.time() - facts.st_mtime > STALE:
                _remove(entry.path)
        elif entry.name.endswith(ENDING):
            entries.append((facts.st_mtime_ns, facts.st_size, entry.path))
    total = sum(size for _, size, _ in entries)
    if total <= limit:
        return
    for _, size, path in sorted(entries):
        _remove(path)
        total -= size
        if total <= limit * 3 // 4:
            return


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):  # gone already, or not ours to remove
        os.unlink(path)

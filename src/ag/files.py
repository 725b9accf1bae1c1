"""Files that are either written whole or not at all, and the folder for those that can be made again."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping

UNFINISHED = ".ag-"  # how the name of a file begins while it is being written


def cache() -> str:
    """The user's folder for what ag can download or compute again, as the system wants it."""
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/AppData/Local")
    else:
        usual = "~/Library/Caches" if sys.platform == "darwin" else "~/.cache"
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser(usual)
    return os.path.join(base, "ag")


def write(path: str | os.PathLike[str], content: bytes, durable: bool = True) -> None:
    """Write a file under another name first, and move it when it is complete.

    What can be made again and carries a checksum need not be ``durable``: it does not wait for the disk.
    Raises OSError with the name that was given.
    """
    import tempfile  # here, as `import ag` is to stay light

    check_place(path)
    try:
        handle, temporary = tempfile.mkstemp(prefix=UNFINISHED, dir=_folder(path))
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


def check_place(path: str | os.PathLike[str]) -> None:
    """Raises OSError where a file can't be written: before the work whose result is to stand in it."""
    folder = _folder(path)
    if not os.path.isdir(folder):
        number, what = (errno.ENOTDIR, "is no folder") if os.path.exists(folder) else (errno.ENOENT, "is not there")
        raise OSError(number, f"can't be written, as the folder {folder} {what}", os.fspath(path))
    if os.path.isdir(path):
        raise OSError(errno.EISDIR, "can't be written, as this is a folder: give the name of a file in it", os.fspath(path))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OSError(errno.EACCES, f"can't be written, as you may not write into the folder {folder}", os.fspath(path))


def _folder(path: str | os.PathLike[str]) -> str:
    return os.path.dirname(os.path.abspath(path))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_by_ending(path: str | os.PathLike[str], writers: Mapping[str, Callable[[], str | bytes]]) -> None:
    """Write what the writer for the path's ending returns. Raises ValueError, naming the endings, for another one; OSError
    where the file can't be written, before any is called."""
    ending = os.path.splitext(os.fspath(path))[1].lower()
    if ending not in writers:
        raise ValueError(f"{os.fspath(path)}: the ending says what to write; it is one of {', '.join(writers)}")
    check_place(path)
    content = writers[ending]()
    write(path, content.encode() if isinstance(content, str) else content)

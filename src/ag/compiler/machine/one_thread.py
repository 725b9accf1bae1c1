"""Small products by one thread of NumPy's BLAS.

Where a product is split among threads, each waits for the slowest of them; and while other programs have the processors, that
one waits for its turn, which takes a hundred times as long as a small product.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from .native import _found

SMALL = 1 << 22  # multiplications: what several threads gain on them is little beside what they may lose


class OneThread:
    """As a context, it has BLAS compute by one thread, and afterwards by as many as before.

    BLAS counts its threads for the whole process. So the first that enters keeps the count, and the last that leaves sets it
    back; in between, products of other threads of Python are computed by one thread, too. Who was interrupted while entering
    is to call ``leave``, which does no harm outside.
    """

    def __init__(self, count: Callable[[], int], set_count: Callable[[int], Any]) -> None:
        self.count, self.set_count = count, set_count
        self.lock = threading.RLock()  # as a handler of signals may come in between
        self.inside: set[int] = set()  # threads of Python
        self.before: int | None = None

    def __enter__(self) -> None:
        with self.lock:
            self.inside.add(threading.get_ident())
            if self.before is None:
                self.before = self.count()
            self.set_count(1)

    def __exit__(self, *error: object) -> None:
        self.leave()

    def leave(self) -> None:
        """This thread is not inside, or no longer."""
        with self.lock:
            self.inside.discard(threading.get_ident())
            if not self.inside and self.before is not None:
                self.set_count(self.before)
                self.before = None

    def forked(self) -> None:
        """In a child process there is no thread but the one that forked, which was not inside."""
        self.lock = threading.RLock()
        self.inside.clear()
        self.leave()


def _openblas() -> OneThread | None:
    """NumPy's OpenBLAS by one thread; None where NumPy was built with another library."""
    found = _found(("openblas_get_num_threads", "openblas_set_num_threads"))
    if found is None:
        return None
    count = ctypes.PYFUNCTYPE(ctypes.c_int)(found["openblas_get_num_threads"])
    set_count = ctypes.PYFUNCTYPE(None, ctypes.c_int)(found["openblas_set_num_threads"])
    one = OneThread(count, set_count)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=one.forked)
    return one


OPENBLAS = _openblas()  # found while this module is imported, which one thread does: there must not be two


@contextlib.contextmanager
def for_products(multiplications: int) -> Iterator[contextlib.AbstractContextManager[None]]:
    """A context for products of so many multiplications each, to be entered around each of them: small ones take one thread."""
    one = OPENBLAS if multiplications <= SMALL else None
    try:
        yield one or contextlib.nullcontext()
    finally:
        if one is not None:
            one.leave()

"""Threads for machine code: a few that wait for work, and a function that shares a kernel out among them.

They are threads of the system and know nothing of Python, so they run while the caller holds the interpreter's lock. Each spins
for a while before it sleeps, as work often comes in quick succession. The caller, when it is done with its own part, takes back
what a thread has not begun, as one that finds no free core does not. In a child process, where there are no threads but the
caller, it does all the work itself.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from typing import Any

from . import kept, native

MOST = 16
SPINS = 4000  # looks for work, or for its end, before a thread sleeps

DECLARATIONS = """
declare i32 @sem_init(ptr, i32, i32)
declare i32 @sem_post(ptr)
declare i32 @sem_wait(ptr)
declare i32 @sem_trywait(ptr)
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_detach(i64)
declare i32 @getpid()
"""

# A worker: its two semaphores (work is there; work is done), the function, what it is given, its number and how many there are.
PROGRAM = """
%worker = type {{ [64 x i8], [64 x i8], ptr, ptr, i64, i64 }}
@workers = internal global [{most} x %worker] zeroinitializer, align 64
@process = internal global i32 0

define internal void @take(ptr %semaphore) {{
start:
  br label %look
look:
  %n = phi i32 [ 0, %start ], [ %more, %again ]
  %free = call i32 @sem_trywait(ptr %semaphore)
  %taken = icmp eq i32 %free, 0
  br i1 %taken, label %done, label %again
again:
  %more = add i32 %n, 1
  %tired = icmp ugt i32 %more, {spins}
  br i1 %tired, label %sleep, label %look
sleep:
  %status = call i32 @sem_wait(ptr %semaphore)
  %woken = icmp eq i32 %status, 0
  br i1 %woken, label %done, label %sleep
done:
  ret void
}}

define internal ptr @work(ptr %w) {{
start:
  %ended = getelementptr %worker, ptr %w, i64 0, i32 1
  %function.at = getelementptr %worker, ptr %w, i64 0, i32 2
  %given.at = getelementptr %worker, ptr %w, i64 0, i32 3
  %part.at = getelementptr %worker, ptr %w, i64 0, i32 4
  %parts.at = getelementptr %worker, ptr %w, i64 0, i32 5
  br label %next
next:
  call void @take(ptr %w)
  %function = load ptr, ptr %function.at
  %given = load ptr, ptr %given.at
  %part = load i64, ptr %part.at
  %parts = load i64, ptr %parts.at
  call void %function(ptr %given, i64 %part, i64 %parts)
  %posted = call i32 @sem_post(ptr %ended)
  br label %next
}}

define void @begin(i64 %count) {{
start:
  %thread = alloca i64
  %pid = call i32 @getpid()
  store i32 %pid, ptr @process
  br label %each
each:
  %k = phi i64 [ 1, %start ], [ %next, %made ]
  %any = icmp ult i64 %k, %count
  br i1 %any, label %made, label %done
made:
  %w = getelementptr [{most} x %worker], ptr @workers, i64 0, i64 %k
  %ended = getelementptr %worker, ptr %w, i64 0, i32 1
  %s1 = call i32 @sem_init(ptr %w, i32 0, i32 0)
  %s2 = call i32 @sem_init(ptr %ended, i32 0, i32 0)
  %s3 = call i32 @pthread_create(ptr %thread, ptr null, ptr @work, ptr %w)
  %id = load i64, ptr %thread
  %s4 = call i32 @pthread_detach(i64 %id)
  %next = add i64 %k, 1
  br label %each
done:
  ret void
}}

define void @share(ptr %function, ptr %given, i64 %parts) {{
start:
  %pid = call i32 @getpid()
  %own = load i32, ptr @process
  %here = icmp eq i32 %pid, %own
  br label %each
each:
  %k = phi i64 [ 1, %start ], [ %next, %given.out ]
  %any = icmp ult i64 %k, %parts
  br i1 %any, label %one, label %mine
one:
  %g.at = getelementptr ptr, ptr %given, i64 %k
  %g = load ptr, ptr %g.at
  br i1 %here, label %hand, label %alone
alone:
  call void %function(ptr %g, i64 %k, i64 %parts)
  br label %given.out
hand:
  %w = getelementptr [{most} x %worker], ptr @workers, i64 0, i64 %k
  %function.at = getelementptr %worker, ptr %w, i64 0, i32 2
  store ptr %function, ptr %function.at
  %given.at = getelementptr %worker, ptr %w, i64 0, i32 3
  store ptr %g, ptr %given.at
  %part.at = getelementptr %worker, ptr %w, i64 0, i32 4
  store i64 %k, ptr %part.at
  %parts.at = getelementptr %worker, ptr %w, i64 0, i32 5
  store i64 %parts, ptr %parts.at
  %posted = call i32 @sem_post(ptr %w)
  br label %given.out
given.out:
  %next = add i64 %k, 1
  br label %each
mine:
  %first = load ptr, ptr %given
  call void %function(ptr %first, i64 0, i64 %parts)
  br i1 %here, label %wait, label %done
wait:
  %j = phi i64 [ 1, %mine ], [ %j.next, %waited ]
  %left = icmp ult i64 %j, %parts
  br i1 %left, label %begun, label %done
begun:
  %v = getelementptr [{most} x %worker], ptr @workers, i64 0, i64 %j
  %asleep = call i32 @sem_trywait(ptr %v)
  %back = icmp eq i32 %asleep, 0
  br i1 %back, label %instead, label %ending
instead:
  %j.at = getelementptr ptr, ptr %given, i64 %j
  %j.given = load ptr, ptr %j.at
  call void %function(ptr %j.given, i64 %j, i64 %parts)
  br label %waited
ending:
  %v.ended = getelementptr %worker, ptr %v, i64 0, i32 1
  call void @take(ptr %v.ended)
  br label %waited
waited:
  %j.next = add i64 %j, 1
  br label %wait
done:
  ret void
}}
"""


def count() -> int:
    """How many threads a program may use: AG_THREADS, or as many as there are cores for this process."""
    given = os.environ.get("AG_THREADS", "")
    if given and not (given.isdigit() and int(given)):
        raise ValueError(f"AG_THREADS is a number of threads from 1 on, got {given!r}")
    if not sys.platform.startswith("linux"):
        return 1  # elsewhere the system's semaphores are others
    return min(int(given) if given else len(os.sched_getaffinity(0)), MOST)


@functools.cache
def share_address(threads: int) -> int:
    """The address of ``share(function, given, parts)``: function(given[k], k, parts) for all k at once; threads are begun."""
    library, begin = _library()
    begin(threads)
    return library.address("share")


@functools.cache
def _library() -> tuple[native.Library, Any]:
    program = DECLARATIONS + PROGRAM.format(most=MOST, spins=SPINS)
    key = f"workers\n{program}\n{native.host().text()}\n{kept.versions()}"
    code, _ = kept.kept(key, lambda: (native.compile_to_object(program), {}))
    library = native.Library(code, ["begin", "share"])
    return library, ctypes.CFUNCTYPE(None, ctypes.c_int64)(library.address("begin"))

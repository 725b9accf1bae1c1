"""Threads for machine code: a few that wait for work, and a function that shares a kernel out among them.

They are threads of the system and know nothing of Python, so they run while the caller holds the interpreter's lock. Each spins
for a while before it sleeps, as work often comes in quick succession. Work falls into more parts than there are threads, and each
takes the next that is left: a thread that finds no free core is not waited for. In a child process, where there are no threads
but the caller, it does all the work itself.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import threading
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

# A worker: its two semaphores (work is there; work is done). The work: a function, what each part of it is given, how many parts
# there are, and the next that nobody has taken.
PROGRAM = """
%worker = type {{ [64 x i8], [64 x i8] }}
@workers = internal global [{most} x %worker] zeroinitializer, align 64
@process = internal global i32 0
@threads = internal global i64 1
@function = internal global ptr null
@given = internal global ptr null
@parts = internal global i64 0
@next = internal global i64 0, align 64

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

define internal void @run(ptr %function, ptr %given, i64 %parts) {{
start:
  br label %each
each:
  %part = atomicrmw add ptr @next, i64 1 acq_rel
  %any = icmp ult i64 %part, %parts
  br i1 %any, label %one, label %done
one:
  %g.at = getelementptr ptr, ptr %given, i64 %part
  %g = load ptr, ptr %g.at
  call void %function(ptr %g, i64 %part, i64 %parts)
  br label %each
done:
  ret void
}}

define internal ptr @work(ptr %w) {{
start:
  %ended = getelementptr %worker, ptr %w, i64 0, i32 1
  br label %next
next:
  call void @take(ptr %w)
  %function = load ptr, ptr @function
  %given = load ptr, ptr @given
  %parts = load i64, ptr @parts
  call void @run(ptr %function, ptr %given, i64 %parts)
  %posted = call i32 @sem_post(ptr %ended)
  br label %next
}}

define void @begin(i64 %count) {{
start:
  %thread = alloca i64
  %pid = call i32 @getpid()
  %last = load i32, ptr @process
  store i32 %pid, ptr @process
  %same = icmp eq i32 %last, %pid
  %begun = load i64, ptr @threads
  %living = select i1 %same, i64 %begun, i64 1
  br label %each
each:
  %k = phi i64 [ %living, %start ], [ %next, %made ]
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
  store i64 %next, ptr @threads
  br label %each
done:
  ret void
}}

define void @share(ptr %function, ptr %given, i64 %parts, i64 %threads.given) {{
start:
  store ptr %function, ptr @function
  store ptr %given, ptr @given
  store i64 %parts, ptr @parts
  store atomic i64 0, ptr @next release, align 8
  %pid = call i32 @getpid()
  %own = load i32, ptr @process
  %here = icmp eq i32 %pid, %own
  %threads = select i1 %here, i64 %threads.given, i64 1
  br label %each
each:
  %k = phi i64 [ 1, %start ], [ %k.next, %called ]
  %other = icmp ult i64 %k, %threads
  br i1 %other, label %called, label %mine
called:
  %w = getelementptr [{most} x %worker], ptr @workers, i64 0, i64 %k
  %posted = call i32 @sem_post(ptr %w)
  %k.next = add i64 %k, 1
  br label %each
mine:
  call void @run(ptr %function, ptr %given, i64 %parts)
  br label %wait
wait:
  %j = phi i64 [ 1, %mine ], [ %j.next, %waited ]
  %left = icmp ult i64 %j, %threads
  br i1 %left, label %begun, label %done
begun:
  %v = getelementptr [{most} x %worker], ptr @workers, i64 0, i64 %j
  %late = call i32 @sem_trywait(ptr %v)
  %back = icmp eq i32 %late, 0
  br i1 %back, label %waited, label %ending
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


_lock = threading.Lock()  # two threads must not make two libraries: the threads of one would live on when it is gone


def share_address(threads: int) -> int:
    """The address of ``share(function, given, parts, threads)``: function(given[k], k, parts) for all k, by so many threads, of
    which those that are missing are begun."""
    with _lock:
        library, begin = _library()
        begin(threads)
    return library.address("share")


@functools.cache
def _library() -> tuple[native.Library, Any]:
    program = DECLARATIONS + PROGRAM.format(most=MOST, spins=SPINS)
    library = native.Library(kept.compiled(program), ["begin", "share"])
    return library, ctypes.CFUNCTYPE(None, ctypes.c_int64)(library.address("begin"))

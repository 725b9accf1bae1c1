"""ag.jit: a function recorded once for each kind of arguments, and run as a program from then on."""

from __future__ import annotations

import contextlib
import copy
import functools
import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from ..capture import debug, recorder
from ..node import Node, Operand, describe
from ..operators.rules import value_of
from ..source import warn
from ..tensor import Tensor
from ..transforms.arguments import function_of
from ..transforms.containers import built_from, leaves, mapped, rebuilt, replaced
from ..transforms.opaque import Again, Call, name_of, recorded_call, records
from ..transforms.recording import Recorded
from . import executable
from .binding import Bound, sent
from .literals import rises
from .program import Program
from .recording import Captures, Given, Recording, recording
from .references import Watched
from .signature import chosen, form, several, told_apart
from .tape.running import Tape
from .tracing import user_place

if TYPE_CHECKING:
    from .shown.costing import Cost
    from .shown.showing import Shown

Places = int | Sequence[int]
Names = str | Sequence[str]
BOUND = 256  # programs that one function keeps


@overload
def jit(
    f: Callable[..., Any], *, static_argnums: Places = (), static_argnames: Names = (), donate_argnums: Places = ()
) -> Compiled: ...
@overload
def jit(*, static_argnums: Places = (), static_argnames: Names = (), donate_argnums: Places = ()) -> Callable[..., Compiled]: ...
def jit(f: Any = None, *, static_argnums: Places = (), static_argnames: Names = (), donate_argnums: Places = ()) -> Any:
    """f, recorded at its first call as a program of operators, compiled, and run as machine code from then on.

    Arguments: ``f``, a function of arrays, numbers and containers of them; ``static_argnums`` and ``static_argnames``, the
    arguments that are known while f is recorded (any hashable value; another value is another program), by place or by name;
    ``donate_argnums``, the arguments whose arrays the caller gives up: results may be written in their place. Without f it is a
    decorator with these options, ``@ag.jit(static_argnames="n")``.

    Returns a function of the same arguments with the same results, as NumPy arrays and numbers. For other shapes or dtypes it is
    compiled again. ``show(*args)`` of it is the program and its kernels, ``cost(*args)`` its operations and bytes.

    Arrays that f uses without getting them as arguments are read at each call; Python numbers are constants, and f is recorded
    again when their names are bound to others. Where the numbers show that the program may not hold (an index out of range, a
    derivative that is not finite, where another pass decides), the call is computed by f itself. Without llvmlite the program
    runs through NumPy, and a warning says once what to install.

    f itself runs only while it is recorded, and where its program does not hold. So what it does besides computing its result,
    such as printing or appending to a list, is not done at each call; and numbers that it draws at random are drawn once: an
    array of them is a part of the program, the same at each call. Give random numbers as arguments.

    Raises TypeError, with the line, where f asks for the numbers of a traced value: ``if x > 0``, ``float(x)``, ``range(n)``;
    ValueError for a place or name among these arguments that f has not.

    >>> @ag.jit
    ... def f(x):
    ...     return np.sum(np.exp(-x) * x)
    >>> f(np.array([0.0, 1.0]))
    np.float64(0.36787944117144233)
    >>> ag.jit(ag.grad(f))(np.array([0.0, 1.0]))
    array([1., 0.])
    """
    if f is None:
        return functools.partial(
            jit, static_argnums=static_argnums, static_argnames=static_argnames, donate_argnums=donate_argnums
        )
    function_of(f, "ag.jit")
    static, names, donated = several(static_argnums), several(static_argnames), several(donate_argnums)
    if static or names or donated:
        static, names = chosen(f, static, names, donated)
    return Compiled(f, static, names, donated)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Nothing is searched for circles meanwhile: a compiler makes many small things and no circles, and would wait for that."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Entry:
    """What one kind of arguments is compiled to: the program, what runs it, and the container of its results."""

    def __init__(self, program: Program, recorded: Recording) -> None:
        self.rising = recorded.rising
        self.traced = recorded.program
        self.program = program
        self.run: Any = executable.prepare(program, recorded.donated)
        self.caller: Any = user_place()  # where the call stands that it was recorded at
        self.finished = built_from(recorded.result, recorded.places)  # the outputs in the containers of the result

    def __call__(self, ends: Sequence[Any]) -> Any:
        """The result, or `executable.DECLINED`."""
        outputs = self.run(ends)
        return outputs if outputs is executable.DECLINED else self.finished(outputs)

    @property
    def direct(self) -> bool:
        """Can it be tried on any arguments, as it looks itself whether they are of its kind?"""
        if isinstance(self.run, Tape):
            self.run = self.run.fastest
        return isinstance(self.run, executable.Machine) or (isinstance(self.run, Tape) and self.run.direct)


class Compiled:
    """A function that `jit` has made; ``function`` is the one it was made of."""

    def __init__(
        self, function: Callable[..., Any], static_argnums: tuple[int, ...], static_argnames: tuple[str, ...],
        donate_argnums: tuple[int, ...],
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.static_argnums, self.static_argnames, self.donate_argnums = static_argnums, static_argnames, donate_argnums
        self.entries: dict[Any, Entry] = {}
        self.programs: dict[Any, _Programs] = {}  # for calls with nodes
        self.watched = Watched(None)
        self.functions: list[Any] = []  # that it was given
        self.latest: Entry | None = None  # the last that was given arrays alone
        self.name = name_of(function, "function")
        self.rising = True  # are indices 0, 1, 2, ... taken to stay that?

    def __repr__(self) -> str:
        return f"<ag.jit of {self.name}, compiled for {len(self.entries)} kind{'s' * (len(self.entries) != 1)} of arguments>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else Bound(self, instance)

    def __reduce__(self) -> Any:
        return sent(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Compiled:
        function = copy.deepcopy(self.function, memo)
        same = function is self.function  # as functions are, but for methods and objects that can be called
        return self if same else Compiled(function, self.static_argnums, self.static_argnames, self.donate_argnums)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if recorder.trace is not None:
            return self.function(*args, **kwargs)  # a part of the program that is recorded
        changed = self.watched.changed()
        latest = self.latest
        if latest is not None and changed is None and not kwargs:
            result = latest.run.directly(args)
            if result is executable.DECLINED:
                return self._by_function(args, kwargs)
            if result is not None:
                result = latest.finished(result)
                return self._judged(result, args, kwargs) if debug.depth else result
        if changed is not None:
            self._forget(f"{changed} is bound to something else")
        given = self.given(args, kwargs)
        ends = given[1]
        try:
            if any(issubclass(kind, Operand) for kind in set(map(type, ends))):
                return self._of_nodes(args, kwargs)
            entry = self._entry(given, kwargs)
        except Captures as error:
            warn(
                f"ag.jit: {self.name} was computed without the compiler, as its result depends on a node that it was not given "
                f"({error}): make it an argument of {self.name}"
            )
            return self.function(*args, **kwargs)
        if entry.direct and not kwargs and not self.static_argnums and len(args) == len(ends):
            self.latest = entry
        result = entry(ends)
        if result is executable.DECLINED:
            return self._by_function(args, kwargs)
        return self._judged(result, args, kwargs) if debug.depth else result

    def _judged(self, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A result under `debug`: if it is not finite f computes it as well, whose passes raise with their report."""
        if debug.watch.is_finite(leaves(result)):
            return result
        if self.donate_argnums:
            warn(
                f"ag.jit: a result of {self.name} is not finite, and as its arguments were given up it can't be told where that "
                f"comes from: compile it without donate_argnums"
            )
        else:
            self.function(*args, **kwargs)
        return result

    def _by_function(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result without the compiler, where its program does not hold; first without what it took for granted."""
        if not all(rises(array) for entry in self.entries.values() for array in entry.rising):
            self.rising = False
            self._forget("it no longer takes index arrays to be 0, 1, 2, ... for granted")
            return self(*args, **kwargs)
        if debug.depth:
            warn(f"ag.jit: {self.name} was computed without the compiler, as its program does not hold here")
        try:
            return self.function(*args, **kwargs)
        except AttributeError as error:
            if error.name != "at" or not isinstance(error.obj, np.ndarray):
                raise
        # x.at[i].add(v) is said of nodes, as of the values that f was recorded on; arrays have no such attribute.
        args, kwargs = mapped(lambda x: Tensor(x) if isinstance(x, np.ndarray) else x, (args, kwargs))
        return mapped(lambda y: y.value if isinstance(y, Node) else y, self.function(*args, **kwargs))

    def given(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Given:
        """What tells a call from others, and what its results are computed from."""
        ends: list[Any] = []
        if not self.static_argnums and not kwargs:
            return tuple([form(x, ends) for x in args]), ends, args, ()
        names = sorted(kwargs)
        arguments = [*args, *[kwargs[name] for name in names]]
        static = self._static(len(args), names)
        key = (*[told_apart(x) if i in static else form(x, ends) for i, x in enumerate(arguments)], *names)
        if static:
            try:
                hash(key)
            except TypeError as error:
                raise TypeError(f"ag.jit: static arguments have to be hashable: {error}") from None
        return key, ends, arguments, static

    def _static(self, count: int, names: Sequence[str]) -> set[int]:
        """Which of ``count`` arguments by place and these by name, behind them, are static."""
        static = {i % count for i in self.static_argnums if -count <= i < count}
        return static.union(i for i, name in enumerate(names, count) if name in self.static_argnames)

    # ------------------------------------------------------------------ seeing

    def show(self, *args: Any, stage: str = "all", **kwargs: Any) -> Shown:
        """What these arguments are compiled to, stage by stage, as text or as a page.

        ``stage``: "program" (as recorded, with the lines that made it), "passes", "steps" (with their bytes and operations),
        "kernels" (as Python), "ir" (LLVM's text), "assembly", or "all" of them but the last.

        >>> print(ag.jit(lambda x: np.sum(x * x)).show(np.ones(1000), stage="kernels"))
        def k0(x, m2):
            v2 = 0.0                                                # np.sum(x * x)
            for column in lanes(1000, ...):
                v1 = x[column] * x[column]                          # x * x
                v2 = v2 + sum(v1)
            m2[0] = v2
        """
        from .shown.showing import Shown

        return Shown(self, self.entry(*args, **kwargs), stage)

    def cost(self, *args: Any, **kwargs: Any) -> Cost:
        """Operations, bytes and the measured time for these arguments, and the least time that the machine could take.

        >>> ag.jit(lambda x: x + 1).cost(np.ones(1000))
        cost of function
          operations  1 k
          bytes       16 kB ...
          time        ...
        """
        from .shown.costing import Cost

        return Cost.measured(self, args, kwargs)

    # ------------------------------------------------------------------ recording

    def entry(self, *args: Any, **kwargs: Any) -> Entry:
        """What these arguments are compiled to."""
        changed = self.watched.changed()
        if changed is not None:
            self._forget(f"{changed} is bound to something else")
        return self._entry(self.given(args, kwargs), kwargs)

    def _forget(self, reason: str) -> None:
        """All that is compiled, as it does not hold any more."""
        if debug.depth:
            warn(f"ag.jit compiles {self.name} again: {reason}")
        self.entries.clear()
        self.programs.clear()
        self.latest = None

    def _entry(self, given: Given, kwargs: dict[str, Any]) -> Entry:
        """What a call is compiled to."""
        key = given[0]
        known = self.entries.get(key)
        if known is not None:
            return known
        if debug.depth and self.entries:
            warn(f"ag.jit compiles {self.name} again: other shapes, dtypes or static values were given")
        recorded = recording(self.function, given, sorted(kwargs), self.donate_argnums, self.rising)
        with uncollected():
            entry = Entry(executable.optimized(recorded.program), recorded)
        return self._kept(self.entries, key, entry, given[2])

    def _kept(self, among: dict[Any, Any], key: Any, new: Any, arguments: Iterable[Any]) -> Any:
        """``new``, which is kept for calls of its kind, in place of the oldest if there are many.

        From now on the names that f refers to are watched: it has run, and may have bound some itself.
        """
        while len(among) >= BOUND:
            del among[next(iter(among))]
        among[key] = new
        self.functions = [*self.functions[1 - BOUND :], *filter(callable, arguments)]
        self.watched = Watched(self.function, self.functions)
        return new

    # ------------------------------------------------------------------ inside of transforms

    def _of_nodes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The function on nodes and batches: one node, whose value and derivatives are computed by programs."""
        call = Call((args, kwargs))
        if call.levels or not call.is_recorded():
            return self.function(*args, **kwargs)
        ends = [value_of(x) for x in call.ends]
        plain = rebuilt(call.arguments, ends)
        key = (self.given(*plain)[0], tuple(call.places))
        programs = self.programs.get(key)
        if programs is None:
            static = self._static(len(args), list(kwargs))
            owners = [i for i, x in enumerate((*args, *kwargs.values())) for _ in leaves(x)]
            free = [i for i, owner in enumerate(owners) if owner not in static]
            if not set(call.places) <= set(free):
                raise TypeError(f"ag.jit: a static argument of {self.name} is a plain value, and can't be differentiated by")
            programs = _Programs(self.function, call, plain, free)
            self._kept(self.programs, key, programs, (*args, *kwargs.values()))
        if programs.captured:
            raise Captures(programs.captured)
        call.result, call.parts = programs.result
        given = [ends[i] for i in programs.free]
        value = programs.forward(given)
        if isinstance(value, Operand):  # it has found a node where there was a number before
            return self.function(*args, **kwargs)
        rule = _Pulled(programs, given)
        return call.node(self.name, value, rule, rule.function)


class _Programs:
    """A function of nodes, by programs: its results as one array, and the cotangents of its inputs.

    ``free``: the leaves of its arguments that are not static, in the order in which the programs are given them; ``places``:
    which of these are nodes; ``captured``: a node that the function was not given, described.
    """

    def __init__(self, function: Callable[..., Any], call: Call, plain: Any, free: list[int]) -> None:
        ends = leaves(plain)
        fixed = replaced(ends, free, [None] * len(free))
        self.free = free
        self.places = places = [free.index(i) for i in call.places]

        def value(given: list[Any]) -> Any:
            args, kwargs = rebuilt(plain, replaced(fixed, free, given))
            return call.packed(function(*args, **kwargs))

        def recorded(given: list[Any]) -> Recorded:
            def of_inputs(*inputs: Any) -> Any:
                return value(replaced(given, places, inputs))

            return recorded_call(of_inputs, [given[i] for i in places], "ag.jit")

        self.recorded = recorded
        self.value = value
        self.captured = ", ".join(describe(x) for x in recorded([ends[i] for i in free]).captured()[:1])
        self.result = call.result, call.parts  # how every call of this kind cuts up its value
        self.forward = jit(value)
        self.back = jit(lambda given, g: recorded(given).carried_back(g, [], False))


class _Pulled(Again):
    """The derivative of a compiled function: by a program as well, unless it is recorded."""

    def __init__(self, programs: _Programs, given: list[Any]) -> None:
        super().__init__(lambda *inputs: programs.value(replaced(given, programs.places, inputs)), "ag.jit", [])
        self.programs, self.given = programs, given

    def pulled(self, g: Any, step: Any) -> list[Any]:
        if records(step, g) or recorder.trace is not None:
            return super().pulled(g, step)
        return self.programs.back(replaced(self.given, self.programs.places, step.args), g)

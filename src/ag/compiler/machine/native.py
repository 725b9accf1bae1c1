"""From the text of LLVM IR to machine code in this process: the machine, the compiler, the loader, and NumPy's BLAS."""

from __future__ import annotations

import ctypes
import functools
import glob
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

NEEDS = "compiling needs llvmlite 0.45 or later: pip install 'ag-autodiff[jit]'"
OLDEST = 20  # the LLVM of llvmlite 0.45: the first that reads `splat (...)` constants

# Explicit vectors leave little to do, so that a light pipeline runs as fast as a full one and compiles twice as fast:
# promote the accumulators to registers, join the blocks. At level 0 nothing is done, for long straight-line code that is
# run few times.
PASSES = {0: (), 1: ("sroa", "simplify_cfg")}
CODE_GENERATION = {0: 0, 1: 1, 2: 3}

# A machine can be told to do without these and still be of its kind; without "64bit" or "sse2" it could not.
VECTOR_EXTENSIONS = ("avx", "fma", "f16c", "amx", "vaes", "vpclmulqdq", "gfni", "xop", "sve", "sme")


@functools.cache
def _llvm() -> Any:
    """The module llvmlite.binding, ready for use. Raises ImportError, naming the extra, where it is missing or too old."""
    try:
        from llvmlite import binding
    except (ImportError, OSError) as error:  # OSError: its library is there and can't be loaded
        raise ImportError(f"{NEEDS} ({error})") from None
    if binding.llvm_version_info[0] < OLDEST:
        raise ImportError(f"{NEEDS} (this one is built on LLVM {'.'.join(map(str, binding.llvm_version_info))})")
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    binding.check_jit_execution()
    return binding


@functools.cache
def available() -> bool:
    """Whether programs can be compiled here: llvmlite is there, recent enough, and the system lets new code run."""
    try:
        _llvm()
    except (ImportError, OSError):
        return False
    return True


def llvm_versions() -> tuple[str, str]:
    """The versions of llvmlite and of LLVM."""
    llvm = ".".join(map(str, _llvm().llvm_version_info))
    import llvmlite

    return llvmlite.__version__, llvm


@dataclass(frozen=True)
class Machine:
    """What code is made for: a triple, a CPU by LLVM's name, and the names of the features that are on."""

    triple: str
    cpu: str
    features: frozenset[str]

    @property
    def vector_bytes(self) -> int:
        """The width of a vector register: 64, 32 or 16 bytes."""
        if "avx512f" in self.features:
            return 64
        return 32 if self.features & {"avx", "avx2"} else 16

    def restricted(self, features: Iterable[str]) -> Machine:
        """The same machine, of whose vector extensions only those in ``features`` are on."""
        wanted = frozenset(features)
        return replace(self, features=frozenset(x for x in self.features if x in wanted or not x.startswith(VECTOR_EXTENSIONS)))

    def text(self) -> str:
        """One line that tells two machines apart, for the key of a cache."""
        return f"{self.triple} {self.cpu} {','.join(sorted(self.features))}"


@functools.cache
def _host_features() -> dict[str, bool]:
    return dict(_llvm().get_host_cpu_features())


@functools.cache
def host() -> Machine:
    """The machine that this process runs on."""
    llvm = _llvm()
    return Machine(llvm.get_process_triple(), llvm.get_host_cpu_name(), frozenset(x for x, on in _host_features().items() if on))


@functools.cache
def _compiler(machine: Machine, level: int, model: str) -> tuple[Any, Any, Any]:
    """LLVM's target machine and its passes, made once: llvmlite keeps something of every list of passes that there was."""
    if level not in CODE_GENERATION:
        raise ValueError(f"level is 0, 1 or 2, not {level!r}")
    llvm = _llvm()
    # What the CPU's name implies and this machine lacks, as virtual ones do, is turned off.
    known = _host_features() if machine.cpu and machine.features and machine.triple == host().triple else {}
    flags = [f"-{x}" for x in sorted(known) if x not in machine.features] + [f"+{x}" for x in sorted(machine.features)]
    compiler = llvm.Target.from_triple(machine.triple).create_target_machine(
        cpu=machine.cpu, features=",".join(flags), opt=CODE_GENERATION[level], codemodel=model, jit=model == "jitdefault"
    )
    builder = llvm.create_pass_builder(compiler, llvm.create_pipeline_tuning_options(speed_level=level))
    if level not in PASSES:
        return compiler, builder, builder.getModulePassManager()
    manager = llvm.create_new_module_pass_manager()
    for name in PASSES[level]:
        getattr(manager, f"add_{name}_pass")()
    return compiler, builder, manager


def _made(ir: str, machine: Machine, level: int, model: str) -> tuple[Any, Any]:
    """The optimized module, in a context of its own that is freed with it, and the compiler for it."""
    compiler, builder, manager = _compiler(machine, level, model)
    module = _llvm().parse_assembly(ir, _llvm().create_context())
    module.triple, module.data_layout = compiler.triple, str(compiler.target_data)
    module.verify()
    manager.run(module, builder)
    return module, compiler


def compile_to_object(ir: str, machine: Machine | None = None, level: int = 1) -> bytes:
    """Object code for the text of a module.

    ``level`` 0 compiles fastest, 1 suits code with explicit vectors, 2 runs LLVM's full pipeline.
    Raises RuntimeError with LLVM's message where the text is not valid; ImportError without llvmlite.
    """
    module, compiler = _made(ir, machine or host(), level, "jitdefault")
    return compiler.emit_object(module)


@functools.cache
def _all_targets() -> None:
    _llvm().initialize_all_targets()
    _llvm().initialize_all_asmprinters()


def assembly(ir: str, triple: str, cpu: str = "", features: Iterable[str] = (), level: int = 1) -> str:
    """The assembly text of a module for any machine that LLVM knows: ``assembly(ir, "aarch64-linux-gnu", "", ["neon"])``."""
    _all_targets()
    module, compiler = _made(ir, Machine(triple, cpu, frozenset(features)), level, "default")
    return compiler.emit_assembly(module)


# A linker weighs some 150 KB and keeps some 10 KB of every library that it ever held, until it goes itself; it goes with the
# last of its libraries. So a few libraries share one: little for each, and what stays of those that are gone is bounded.
SHARING = 32
_linkers = threading.local()  # each thread its own, so that none is replaced while another thread uses it


def _linker() -> tuple[Any, str]:
    """A linker, and a name for a library that it has not had yet."""
    used = getattr(_linkers, "used", SHARING)
    if used == SHARING:
        target = _llvm().Target.from_triple(_llvm().get_process_triple())
        # Loading needs no knowledge of the CPU, and finding it out would take most of the time.
        _linkers.current = _llvm().create_lljit_compiler(target.create_target_machine(opt=0, jit=True), suppress_errors=True)
        used = 0
    _linkers.used = used + 1
    return _linkers.current, f"library {used}"


class Library:
    """Object code, loaded into this process; it is unloaded with the last reference to the library.

    ``names`` are the functions it is asked for; ``symbols`` gives the addresses of external names that only the caller knows,
    others (``memset``, ``memcpy``) are those of the process. Raises RuntimeError where a name is in neither.
    """

    def __init__(self, code: bytes, names: Iterable[str], symbols: Mapping[str, int] | None = None) -> None:
        builder = _llvm().JITLibraryBuilder().add_object_img(code).add_current_process()
        for name, address in (symbols or {}).items():
            builder.import_symbol(name, address)
        for name in names:
            builder.export_symbol(name)
        self._loaded = builder.link(*_linker())  # holds its linker

    def address(self, name: str) -> int:
        """Where the function is. Raises KeyError for one that the library was not asked for."""
        return self._loaded[name]


def function_address(function: Any) -> int:
    """The address of a function of ctypes."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


# How builds of CBLAS with 64-bit integers spell their names: NumPy's own wheels, OpenBLAS, CBLAS and MKL, Accelerate.
SPELLINGS = ("scipy_{}64_", "{}64_", "{}_64", "{}$NEWLAPACK$ILP64")
ROUTINES = ("cblas_sgemm", "cblas_dgemm", "cblas_sgemv", "cblas_dgemv")


@functools.cache
def _numpy_libraries() -> list[ctypes.CDLL]:
    """The libraries in which NumPy's products may be; both are loaded with NumPy already."""
    import numpy
    from numpy._core import _multiarray_umath  # type: ignore[attr-defined]

    bundled = os.path.join(os.path.dirname(os.path.dirname(numpy.__file__)), "numpy.libs", "*openblas*")
    # Looking a name up in the extension searches what it was linked with, too; on Windows it does not.
    paths = [_multiarray_umath.__file__, *(glob.glob(bundled) if os.name == "nt" else [])]
    return [ctypes.CDLL(path) for path in paths]


def _found(names: Iterable[str]) -> dict[str, int] | None:
    """The addresses of all these names in one library and one spelling."""
    for library in _numpy_libraries():
        for spelling in SPELLINGS:
            functions = {name: getattr(library, spelling.format(name), None) for name in names}
            if all(functions.values()):
                return {name: function_address(function) for name, function in functions.items()}
    return None


@functools.cache
def blas() -> dict[str, int] | None:
    """The addresses of NumPy's own cblas_sgemm, cblas_dgemm, cblas_sgemv and cblas_dgemv, whose integers have 64 bits.

    None where NumPy was built with another library.
    """
    return _found(ROUTINES)


def blas_threads() -> int | None:
    """How many threads NumPy's OpenBLAS uses; None where it is another library."""
    found = _found(("openblas_get_num_threads",))
    return ctypes.CFUNCTYPE(ctypes.c_int)(found["openblas_get_num_threads"])() if found else None

"""Under `ag.jit`: machine code from the text of LLVM IR, kept on disk, loaded, and called by Python."""

import ctypes
import functools
import gc
import json
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import ag
from ag import files
from ag.compiler.machine import entry, kept, native
from side_by_side import run_side_by_side

ROOT = Path(ag.__file__).parent.parent

ANSWER = "define i32 @k(ptr %a) { ret i32 %N }"
# c = a * b + c on eight numbers
MULTIPLY_ADD = """
declare <8 x double> @llvm.fma.v8f64(<8 x double>, <8 x double>, <8 x double>)
define i32 @k(ptr %args) {
  %a = load ptr, ptr %args
  %b.at = getelementptr ptr, ptr %args, i64 1
  %b = load ptr, ptr %b.at
  %c.at = getelementptr ptr, ptr %args, i64 2
  %c = load ptr, ptr %c.at
  %x = load <8 x double>, ptr %a, align 8
  %y = load <8 x double>, ptr %b, align 8
  %z = load <8 x double>, ptr %c, align 8
  %r = call <8 x double> @llvm.fma.v8f64(<8 x double> %x, <8 x double> %y, <8 x double> %z)
  store <8 x double> %r, ptr %c, align 8
  ret i32 0
}
"""
AVX2 = ["avx", "avx2", "fma", "f16c"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test has a cache of its own."""
    monkeypatch.setenv("AG_CACHE_DIR", str(tmp_path / "kept"))
    return tmp_path / "kept"


def loaded(ir, names=("k",), symbols=None, **how):
    return native.Library(native.compile_to_object(ir, **how), names, symbols)


def function(library, *kinds, name="k"):
    called = ctypes.CFUNCTYPE(ctypes.c_int, *kinds)(library.address(name))
    called.library = library  # the code lives as long as the function
    return called


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class TestMachineCode:
    def test_it_is_available_and_tells_its_versions(self):
        assert native.available()
        wrapper, compiler = native.llvm_versions()
        assert wrapper == sys.modules["llvmlite"].__version__ and int(compiler.split(".")[0]) >= native.OLDEST

    @pytest.mark.parametrize("level", [0, 1, 2])
    def test_round_trip(self, level):
        library = loaded(MULTIPLY_ADD, level=level)
        a, b, c = np.random.default_rng(0).normal(size=(3, 8))
        expected = np.array(np.longdouble(a) * np.longdouble(b) + np.longdouble(c), float)
        data = (ctypes.c_void_p * 3)(a.ctypes.data, b.ctypes.data, c.ctypes.data)
        assert function(library, ctypes.c_void_p)(data) == 0
        np.testing.assert_allclose(c, expected, rtol=2.3e-16)

    @pytest.mark.parametrize(
        ("ir", "message"),
        [
            ("define i32 @k() { ret i64 1 }", "doesn't match function result type"),
            ("define i32 @k() {\n br label %b\na:\n %x = add i32 1, 2\n br label %b\nb:\n ret i32 %x }", "dominate"),
        ],
    )
    def test_text_that_is_not_valid_is_an_error(self, ir, message):
        with pytest.raises(RuntimeError, match=message):
            native.compile_to_object(ir)

    def test_a_level_that_is_not_there(self):
        with pytest.raises(ValueError, match="level is 0, 1 or 2, not 3"):
            native.compile_to_object(ANSWER.replace("%N", "1"), level=3)

    def test_what_the_process_has_is_found(self):
        library = loaded("""
            declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
            declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
            define i32 @k(ptr %to, ptr %from, i64 %n) {
              call void @llvm.memset.p0.i64(ptr %from, i8 1, i64 %n, i1 false)
              call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %n, i1 false)
              ret i32 0
            }""")
        to, source = np.zeros(1000, np.uint8), np.zeros(1000, np.uint8)
        function(library, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(to.ctypes.data, source.ctypes.data, 999)
        assert to[:999].all() and not to[999]

    def test_what_only_the_caller_has_is_given(self):
        ir = "declare i32 @given(i32)\ndefine i32 @k(i32 %x) { %y = call i32 @given(i32 %x)\n ret i32 %y }"
        callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: 3 * x)
        library = loaded(ir, symbols={"given": native.function_address(callback)})
        assert function(library, ctypes.c_int)(5) == 15
        with pytest.raises(RuntimeError, match="symbols"):
            loaded(ir)

    def test_a_name_that_is_not_there(self):
        with pytest.raises(RuntimeError):
            loaded(ANSWER.replace("%N", "1"), names=["other"])
        with pytest.raises(KeyError):
            loaded(ANSWER.replace("%N", "1")).address("other")

    def test_libraries_with_the_same_names_side_by_side(self):
        """More than share a linker; each is its own, in whatever order the others go."""
        libraries = [loaded(ANSWER.replace("%N", str(i))) for i in range(2 * native.SHARING + 5)]
        gone = {*range(0, len(libraries), 3), *range(native.SHARING, 2 * native.SHARING - 1)}
        for i in gone:
            libraries[i] = None
        gc.collect()
        assert all(function(x, ctypes.c_void_p)(None) == i for i, x in enumerate(libraries) if x)

    def test_threads_compile_side_by_side(self):
        results = {}

        def work(start):
            for i in range(start, start + 20):
                results[i] = function(loaded(ANSWER.replace("%N", str(i))), ctypes.c_void_p)(None)

        run_side_by_side(*[functools.partial(work, 100 * k) for k in range(4)])
        assert results == {i: i for k in range(4) for i in range(100 * k, 100 * k + 20)}

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the resident memory from /proc")
    def test_a_thousand_compilations_leave_nothing(self):
        sizes = []
        for rounds in (200, 1000):  # the first finds the process's usual size
            for i in range(rounds):
                code = native.compile_to_object(ANSWER.replace("%N", str(i)), level=i % 2)
                library = native.Library(code, ["k"])
                assert entry.entry(library.address("k"), 0, "k", keep=library)() == i
            gc.collect()
            sizes.append(resident())
        assert sizes[1] - sizes[0] < 500 * len(code)  # half of the object code alone


class TestMachine:
    def test_the_host(self):
        machine = native.host()
        assert machine is native.host() and machine.triple and machine.cpu
        assert machine.vector_bytes in (16, 32, 64)

    @pytest.mark.parametrize(
        ("features", "width"), [(["sse2", "avx", "avx2", "avx512f"], 64), (["avx", "avx2"], 32), (["avx"], 32), (["sse2"], 16), (["neon"], 16)]
    )
    def test_the_width_of_vectors(self, features, width):
        assert native.Machine("", "", frozenset(features)).vector_bytes == width

    def test_text_tells_machines_apart(self):
        machine = native.Machine("t", "c", frozenset("ab"))
        others = [native.Machine("u", "c", frozenset("ab")), native.Machine("t", "d", frozenset("ab")), machine.restricted([]), native.Machine("t", "c", frozenset("a"))]
        assert [x.text() == machine.text() for x in others] == [False, False, True, False], "neither a nor b extends the vectors"

    def test_a_machine_with_shorter_vectors(self):
        machine = native.host().restricted(AVX2)
        if not {"avx2", "fma"} <= machine.features:
            pytest.skip("the processor has no AVX2")
        assert machine.vector_bytes == 32 and "avx512f" not in machine.features and "sse2" in machine.features
        text = native.assembly(MULTIPLY_ADD, machine.triple, machine.cpu, machine.features)
        assert "ymm" in text and "zmm" not in text and "vfmadd" in text
        library = loaded(MULTIPLY_ADD, machine=machine)
        a, b, c = np.arange(8.0), np.full(8, 2.0), np.ones(8)
        entry.entry(library.address("k"), 3, "k", keep=library)(a, b, c)
        np.testing.assert_array_equal(c, 2 * a + 1)

    def test_a_machine_with_long_vectors_uses_them(self):
        machine = native.host()
        if machine.vector_bytes != 64:
            pytest.skip("the processor has no AVX-512")
        assert "zmm" in native.assembly(MULTIPLY_ADD, machine.triple, machine.cpu, machine.features)

    def test_another_processor(self):
        text = native.assembly(MULTIPLY_ADD, "aarch64-unknown-linux-gnu")
        assert text.count("fmla") == 4 and ".2d" in text

    def test_a_processor_of_that_kind_by_name(self):
        assert "vfmadd" in native.assembly(MULTIPLY_ADD, "x86_64-unknown-linux-gnu", "haswell")

    def test_an_unknown_kind(self):
        with pytest.raises(RuntimeError, match="nothing"):
            native.assembly(MULTIPLY_ADD, "nothing-at-all")


MATMUL = """
declare void @cblas_{x}gemm(i32, i32, i32, i64, i64, i64, {type}, ptr, i64, ptr, i64, {type}, ptr, i64)
define i32 @k(ptr %args) {{
  %a = load ptr, ptr %args
  %b.at = getelementptr ptr, ptr %args, i64 1
  %b = load ptr, ptr %b.at
  %c.at = getelementptr ptr, ptr %args, i64 2
  %c = load ptr, ptr %c.at
  call void @cblas_{x}gemm(i32 101, i32 111, i32 111, i64 5, i64 7, i64 3, {type} 1.0, ptr %a, i64 3, ptr %b, i64 7, {type} 0.0, ptr %c, i64 7)
  ret i32 0
}}
"""
MATVEC = """
declare void @cblas_{x}gemv(i32, i32, i64, i64, {type}, ptr, i64, ptr, i64, {type}, ptr, i64)
define i32 @k(ptr %args) {{
  %a = load ptr, ptr %args
  %b.at = getelementptr ptr, ptr %args, i64 1
  %b = load ptr, ptr %b.at
  %c.at = getelementptr ptr, ptr %args, i64 2
  %c = load ptr, ptr %c.at
  call void @cblas_{x}gemv(i32 101, i32 111, i64 5, i64 3, {type} 1.0, ptr %a, i64 3, ptr %b, i64 1, {type} 0.0, ptr %c, i64 1)
  ret i32 0
}}
"""


class TestBLAS:
    def test_the_one_in_the_wheels_is_found(self):
        config = np.show_config("dicts")["Build Dependencies"]["blas"]
        if "openblas" not in config["name"] or "USE64BITINT" not in config.get("openblas configuration", ""):
            pytest.skip("NumPy was built with another library")
        assert native.blas() is not None and native.blas_threads() is not None

    @pytest.mark.parametrize(("x", "type", "dtype"), [("s", "float", np.float32), ("d", "double", np.float64)])
    @pytest.mark.parametrize(("text", "shape"), [(MATMUL, (3, 7)), (MATVEC, (3,))])
    def test_products_from_compiled_code(self, x, type, dtype, text, shape):
        if native.blas() is None:
            pytest.skip("NumPy has no BLAS that can be called")
        library = loaded(text.format(x=x, type=type), symbols=native.blas())
        rng = np.random.default_rng(1)
        a, b = rng.normal(size=(5, 3)).astype(dtype), rng.normal(size=shape).astype(dtype)
        c = np.full((5, *shape[1:]), np.nan, dtype)
        entry.entry(library.address("k"), 3, "k", keep=library)(a, b, c)
        np.testing.assert_allclose(c, np.matmul(a, b), rtol=8 * np.finfo(dtype).eps, atol=8 * np.finfo(dtype).eps)

    def test_the_number_of_its_threads(self):
        threads = native.blas_threads()
        if threads is None:
            pytest.skip("NumPy has no OpenBLAS")
        assert 1 <= threads <= (os.cpu_count() or 1)

    def test_another_library(self, monkeypatch):
        monkeypatch.setattr(native, "SPELLINGS", ("no_{}",))
        monkeypatch.setattr(native, "blas", native.blas.__wrapped__)
        assert native.blas() is None and native.blas_threads() is None


class Builder:
    """Builds and counts."""

    def __init__(self, code=b"\x00code\xff" * 50):
        self.made, self.count = code, 0

    def __call__(self):
        self.count += 1
        return self.made


TWO_AT_ONCE = """
import sys, time, json
from pathlib import Path
from ag.compiler.machine import kept
here, built = Path(sys.argv[1]), 0
def build(i):
    global built
    built += 1
    return bytes([i]) * 5000
(here / sys.argv[2]).touch()
while not (here / "go").exists():
    time.sleep(0.001)
for i in range(60):
    assert kept.kept(f"program {i}", lambda: build(i)) == bytes([i]) * 5000
print(built)
"""


class TestKept:
    def test_built_once(self, folder):
        build = Builder()
        assert [kept.kept("key", build) for _ in range(3)] == [build.made] * 3
        assert build.count == 1
        assert kept.kept("other key", build) == build.made and build.count == 2
        assert len(list(folder.iterdir())) == 2

    def test_damage_is_noticed_and_mended(self, folder):
        build = Builder()
        kept.kept("key", build)
        [path] = folder.iterdir()
        whole = path.read_bytes()
        damaged = [b"", whole[:5], whole[:30], whole[:60], whole[:-1], whole + b"\0", b"other" + whole]
        damaged += [whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :] for i in range(0, len(whole), 7)]
        for count, content in enumerate(damaged, 1):
            path.write_bytes(content)
            assert kept.kept("key", build) == build.made and build.count == 1 + count
            assert path.read_bytes() == whole

    def test_a_damaged_file_that_cannot_be_replaced_is_removed(self, folder, monkeypatch):
        build = Builder()
        kept.kept("key", build)
        [path] = folder.iterdir()
        path.write_bytes(path.read_bytes()[:-3])

        def full(*_, **__):
            raise OSError("no space left")

        monkeypatch.setattr(files, "write", full)
        assert kept.kept("key", build) == build.made and not list(folder.iterdir())

    def test_the_file_of_another_key_is_not_taken(self, folder):
        kept.kept("key", Builder())
        [one] = folder.iterdir()
        kept.kept("other", Builder(b"other code"))
        [other] = set(folder.iterdir()) - {one}
        one.write_bytes(other.read_bytes())
        build = Builder()
        assert kept.kept("key", build) == build.made and build.count == 1

    @pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owner here")
    def test_code_of_another_user_is_not_run(self, folder, monkeypatch):
        build = Builder()
        kept.kept("key", build)
        monkeypatch.setattr(os, "getuid", lambda: os.stat(folder).st_uid + 1)
        assert kept.kept("key", build) == build.made and build.count == 2

    @pytest.mark.skipif(os.name == "nt", reason="folders have other rights here")
    def test_the_folder_is_the_users_own(self, folder):
        kept.kept("key", Builder())
        assert folder.stat().st_mode & 0o777 == 0o700

    def test_it_can_be_turned_off(self, monkeypatch, folder):
        monkeypatch.setenv("AG_CACHE_DIR", "")
        build = Builder()
        assert kept.folder() is None
        assert kept.kept("key", build) == kept.kept("key", build) == build.made
        assert build.count == 2 and not folder.exists()

    def test_where_it_is(self, monkeypatch, tmp_path):
        monkeypatch.delenv("AG_CACHE_DIR")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
        assert kept.folder() == str(tmp_path / "ag" / "compiled")
        monkeypatch.delenv("XDG_CACHE_HOME")
        if os.name != "nt":
            monkeypatch.setenv("HOME", str(tmp_path))
            for platform, base in (("linux", ".cache"), ("darwin", "Library/Caches")):
                monkeypatch.setattr(sys, "platform", platform)
                assert kept.folder() == str(tmp_path / base / "ag" / "compiled")

    def test_a_folder_that_cannot_be_made_is_no_error(self, monkeypatch, tmp_path):
        (tmp_path / "file").write_text("not a folder")
        monkeypatch.setenv("AG_CACHE_DIR", str(tmp_path / "file" / "below"))
        build = Builder()
        assert kept.kept("key", build) == kept.kept("key", build) == build.made
        assert build.count == 2

    def test_a_folder_for_reading_only_is_read(self, monkeypatch):
        build = Builder()
        kept.kept("key", build)

        def refuse(*_, **__):
            raise PermissionError("read-only file system")

        monkeypatch.setattr(os, "utime", refuse)
        assert kept.kept("key", build) == build.made and build.count == 1

    def test_what_fails_to_build_is_not_kept(self, folder):
        def fail():
            raise RuntimeError("does not compile")

        with pytest.raises(RuntimeError, match="does not compile"):
            kept.kept("key", fail)
        assert not folder.exists()

    def test_the_least_recently_used_goes(self, folder):
        build = Builder(bytes(10000))
        for i in range(20):
            kept.kept(f"key {i}", build)
        for i, path in enumerate(sorted(folder.iterdir())):
            os.utime(path, (1e9 + i, 1e9 + i))
        kept.kept("key 3", build)  # used, so younger than all
        left_behind, others = folder / (files.UNFINISHED + "x"), folder / "others.txt"
        for path in (left_behind, others):
            path.write_bytes(bytes(10**6))
            os.utime(path, (1, 1))
        (folder / (files.UNFINISHED + "y")).write_bytes(b"just being written")
        before = sorted(folder.glob("*" + kept.ENDING), key=os.path.getmtime)
        kept.tidy(str(folder), limit=10**6)
        assert sorted(folder.glob("*" + kept.ENDING), key=os.path.getmtime) == before, "they are few enough"
        assert not left_behind.exists() and others.exists() and (folder / (files.UNFINISHED + "y")).exists()
        kept.tidy(str(folder), limit=100_000)
        left = sorted(folder.glob("*" + kept.ENDING), key=os.path.getmtime)
        assert left == before[-len(left) :] and 5 <= len(left) <= 7
        build.count = 0
        assert kept.kept("key 3", build) == build.made and build.count == 0

    def test_the_folder_is_looked_through_now_and_then(self, folder, monkeypatch):
        asked = []
        monkeypatch.setattr(kept, "tidy", lambda place: asked.append(place))
        for i in range(1500):
            kept.kept(str(i), Builder(b""))
        assert 1 <= len(asked) <= 20 and set(asked) == {str(folder)}

    def test_two_processes_at_once_and_one_later(self, folder, tmp_path):
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        start = lambda name: subprocess.Popen([sys.executable, "-c", TWO_AT_ONCE, tmp_path, name], env=environment, stdout=subprocess.PIPE, text=True)  # noqa: E731
        both = [start("a"), start("b")]
        while not all((tmp_path / name).exists() for name in "ab"):
            assert all(process.poll() is None for process in both)
        (tmp_path / "go").touch()
        counts = [int(process.communicate(timeout=60)[0]) for process in both]
        assert [process.returncode for process in both] == [0, 0]
        assert 60 <= sum(counts) <= 120 and len(list(folder.iterdir())) == 60
        assert start("c").communicate(timeout=60)[0] == "0\n", "a later process builds nothing"

    def test_code_comes_back_and_runs(self, monkeypatch):
        made, compile_to_object = [], native.compile_to_object
        monkeypatch.setattr(native, "compile_to_object", lambda ir: made.append(ir) or compile_to_object(ir))
        for _ in range(2):
            library = native.Library(kept.compiled(MULTIPLY_ADD), ["k"])
            c = np.ones(8)
            entry.entry(library.address("k"), 3, "k", keep=library)(np.arange(8.0), np.full(8, 3.0), c)
            np.testing.assert_array_equal(c, 3 * np.arange(8) + 1)
        assert made == [MULTIPLY_ADD]

    def test_versions_tell_all_that_code_depends_on(self):
        text = kept.versions()
        assert ag.__version__ in text and all(x in text for x in native.llvm_versions())
        json.dumps(text)


@pytest.fixture(params=["direct", "ctypes"])
def way(request, monkeypatch):
    """Both ways in: what CPython has, and what others have."""
    if request.param == "ctypes":
        monkeypatch.setattr(entry, "direct", lambda: False)
    else:
        assert entry.direct()
    return request.param


class TestEntry:
    def make(self, ir, count, name="kernel", symbols=None):
        library = loaded(ir, symbols=symbols)
        return entry.entry(library.address("k"), count, name, library)

    @pytest.mark.parametrize("count", [0, 1, 2, 4, 8, 40])
    def test_every_array_arrives_in_its_place(self, way, count):
        stores = "\n".join(
            f"%at{i} = getelementptr ptr, ptr %a, i64 {i}\n%p{i} = load ptr, ptr %at{i}\nstore i64 {i + 1}, ptr %p{i}" for i in range(count)
        )
        f = self.make(f"define i32 @k(ptr %a) {{\n{stores}\nret i32 {count} }}", count)
        arrays = [np.zeros(2, np.int64) for _ in range(count)]
        counts = [sys.getrefcount(x) for x in arrays]
        for _ in range(3):
            assert f(*arrays) == count
        assert [x.tolist() for x in arrays] == [[i + 1, 0] for i in range(count)]
        assert [sys.getrefcount(x) for x in arrays] == counts
        assert f.__name__ == "kernel"

    @pytest.mark.parametrize("value", [0, 1, -1, 2**31 - 1, -(2**31)])
    def test_the_status_comes_back(self, way, value):
        result = self.make(ANSWER.replace("%N", str(value)), 1)(np.zeros(1))
        assert result == value and type(result) is int

    def test_views_and_empty_arrays(self, way):
        f = self.make("define i32 @k(ptr %a) { %p = load ptr, ptr %a\n %x = load i32, ptr %p\n ret i32 %x }", 1)
        x = np.arange(10, dtype=np.int32)
        assert [f(x), f(x[3:]), f(x[::-1])] == [0, 3, 9]
        assert self.make(ANSWER.replace("%N", "5"), 1)(np.zeros((0, 3))) == 5

    @pytest.mark.parametrize("given", [0, 1, 3, 50])
    def test_a_wrong_number_of_arrays(self, way, given):
        f = self.make(ANSWER.replace("%N", "5"), 2, "loss")
        with pytest.raises(TypeError, match=rf"loss\(\) takes exactly 2 arrays, but {given} were given"):
            f(*[np.zeros(1)] * given)
        assert f(np.zeros(1), np.zeros(1)) == 5

    @pytest.mark.parametrize("other", [1.0, [1.0], None, np.float64(1.0), np.zeros(2).view(np.recarray), np.ma.zeros(2), object])
    def test_what_is_not_an_array(self, way, other):
        f = self.make(ANSWER.replace("%N", "5"), 2, "loss")
        with pytest.raises(TypeError, match=r"loss\(\) takes arrays of type numpy.ndarray itself, not <class .*numpy.asarray"):
            f(np.zeros(1), other)

    def test_names_are_not_for_arrays(self, way):
        with pytest.raises(TypeError, match="keyword"):
            self.make(ANSWER.replace("%N", "5"), 1)(x=np.zeros(1))

    def test_a_negative_number_of_arrays(self):
        with pytest.raises(ValueError, match="at least 0, not -1"):
            entry.entry(0, -1, "k")

    def test_it_holds_the_lock(self, way):
        """What the code shares, such as the work of its threads, is one caller's at a time."""
        ir = "declare i32 @PyGILState_Check()\ndefine i32 @k(ptr %a) { %x = call i32 @PyGILState_Check()\n ret i32 %x }"
        assert self.make(ir, 0, symbols={"PyGILState_Check": native.function_address(ctypes.pythonapi.PyGILState_Check)})() == 1

    def test_it_keeps_what_it_needs_and_no_longer(self, way):
        library = loaded(ANSWER.replace("%N", "5"))
        alive = weakref.ref(library)
        f = entry.entry(library.address("k"), 1, "k", keep=library)
        del library
        gc.collect()
        others = [self.make(ANSWER.replace("%N", str(i)), 1) for i in range(40)]  # would take the freed memory
        assert alive() is not None and f(np.zeros(1)) == 5 and [g(np.zeros(1)) for g in others] == list(range(40))
        del f
        gc.collect()
        assert alive() is None

    def test_it_goes_with_a_cycle(self, way):
        class Holder:
            pass

        holder = Holder()
        library = loaded(ANSWER.replace("%N", "5"))
        holder.library, holder.function = library, entry.entry(library.address("k"), 0, "k", keep=holder)
        alive = weakref.ref(holder)
        del holder, library
        gc.collect()
        assert alive() is None

    def test_an_interpreter_that_is_laid_out_otherwise(self, monkeypatch):
        check = entry.direct.__wrapped__
        assert check()
        for name in ("HEADER", "PAYLOAD"):
            with monkeypatch.context() as patch:
                patch.setattr(entry, name, getattr(entry, name) + 8)
                assert not check(), name


WITHOUT = """
import sys
sys.modules["llvmlite"] = None
from ag.compiler.machine import entry, native
assert not native.available()
for call in (lambda: native.compile_to_object(""), native.host, lambda: native.Library(b"", ["k"]), lambda: entry.entry(0, 1, "k")):
    try:
        call()
    except ImportError as error:
        assert "pip install 'ag-autodiff[jit]'" in str(error), error
    else:
        raise AssertionError("llvmlite was not missed")
assert native.blas() is None or native.blas()["cblas_dgemm"], "needs no compiler"
"""


def test_without_the_extra_it_says_what_to_install():
    subprocess.run([sys.executable, "-c", WITHOUT], check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})

"""Models in files."""

import errno
import json
import os
import pickle
import re
import struct
import sys

import numpy as np
import pytest

import ag
from ag.learn import LinearClassifier, ModelFileError, load, save
from ag.learn.storage import check_savable

DIGITS = ag.datasets.digits()
X, Y = DIGITS.X_train.astype(float), DIGITS.y_train


@pytest.fixture(scope="module")
def model():
    return LinearClassifier(random_state=0, epochs=2).fit(X, Y)


def test_a_model_in_a_file(model, tmp_path):
    path = tmp_path / "m.safetensors"
    save(model, path, preprocessing={"deskew": True, "mean": np.arange(3.0)})
    other, preprocessing = load(path)
    np.testing.assert_array_equal(other.predict_proba(DIGITS.X_test), model.predict_proba(DIGITS.X_test))
    assert other.get_params() == model.get_params() and other.best_epoch_ == model.best_epoch_
    assert preprocessing["deskew"] is True
    np.testing.assert_array_equal(preprocessing["mean"], np.arange(3.0))
    assert os.listdir(tmp_path) == ["m.safetensors"]


@pytest.mark.parametrize("names", [[False, True], [-5, 2**40], [-1.0, 2.0], ["ja", "nein ü"], np.array([1, 2], np.float32)])
def test_names_come_back_as_they_were(names, tmp_path):
    names = np.asarray(names)
    model = LinearClassifier(random_state=0, epochs=1).fit(X, names[(Y > 4).astype(int)])
    save(model, tmp_path / "m")
    classes = load(tmp_path / "m")[0].classes_
    assert classes.dtype == names.dtype and classes.tolist() == names.tolist()


def test_arguments_of_numpys_types_are_kept(tmp_path):
    arguments = {"epochs": np.int64(1), "l2": np.float32(0.5), "random_state": np.int32(3)}
    save(LinearClassifier(**arguments).fit(X, Y), tmp_path / "m")
    assert {name: load(tmp_path / "m")[0].get_params()[name] for name in arguments} == arguments


def test_preprocessing_comes_back(model, tmp_path):
    kept = {"frame": [8, 8], "note": "ü", "nothing": None, "mean": np.arange(4.0), "T": np.arange(6).reshape(2, 3).T}
    save(model, tmp_path / "m", preprocessing=kept)
    _, back = load(tmp_path / "m")
    assert back.keys() == kept.keys()
    for name, value in kept.items():
        np.testing.assert_array_equal(back[name], value)


def test_a_file_is_written_whole_or_not_at_all(model, tmp_path, monkeypatch):
    path = tmp_path / "m"
    path.write_bytes(b"what was there")

    def fails(*names):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="the disk is full"):
        save(model, path)
    assert path.read_bytes() == b"what was there" and os.listdir(tmp_path) == ["m"]


@pytest.mark.parametrize("place", ["os.replace", "os.fsync", "tempfile.mkstemp"])
def test_errors_of_the_system_name_the_path_that_was_given(model, tmp_path, monkeypatch, place):
    def fails(*given, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / ".temporary"))

    monkeypatch.setattr(place, fails)
    with pytest.raises(OSError, match=re.escape(f"{os.strerror(errno.ENOSPC)}: '{tmp_path / 'm'}'")) as caught:
        save(model, tmp_path / "m")
    assert caught.value.errno == errno.ENOSPC and os.listdir(tmp_path) == []


@pytest.mark.parametrize("path, error, words", [
    ("absent/m", FileNotFoundError, "as the folder {}/absent is not there: '{}/absent/m'"),
    ("file/m", NotADirectoryError, "as the folder {}/file is no folder: '{}/file/m'"),
    ("folder", IsADirectoryError, "this is a folder: give the name of a file in it: '{}/folder'"),
])  # fmt: skip
def test_where_nothing_can_be_written(model, tmp_path, path, error, words):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for attempt in (lambda: save(model, tmp_path / path), lambda: check_savable(tmp_path / path)):
        with pytest.raises(error, match=re.escape(words.replace("{}", str(tmp_path)))):
            attempt()
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


@pytest.mark.skipif(os.name == "nt", reason="other rights")
def test_a_folder_that_is_not_to_be_written_to(tmp_path, monkeypatch):
    """An administrator may write anywhere, so the system's answer is given here."""
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK | os.X_OK or path != str(tmp_path))
    with pytest.raises(PermissionError, match=f"you may not write into the folder {tmp_path}"):
        check_savable(tmp_path / "m")


def test_a_file_is_replaced(model, tmp_path):
    (tmp_path / "m").write_bytes(b"an older one")
    save(model, tmp_path / "m")
    assert load(tmp_path / "m")[0].coef_.shape == (64, 10) and os.listdir(tmp_path) == ["m"]


@pytest.mark.skipif(os.name == "nt", reason="other rights")
def test_others_may_read_it(model, tmp_path):
    """A temporary file is for its owner alone; the model has the rights of any new file."""
    save(model, tmp_path / "m")
    (tmp_path / "n").touch()
    assert (tmp_path / "m").stat().st_mode == (tmp_path / "n").stat().st_mode


def test_a_file_that_is_not_there(model, tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "absent")
    with pytest.raises(FileNotFoundError):
        save(model, tmp_path / "absent" / "m")


def changed(content, **fields):
    """The bytes of a model file with other metadata."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"]["ag"] = json.dumps({**json.loads(header["__metadata__"]["ag"]), **fields})
    new = json.dumps(header).encode()
    new += b" " * (-len(new) % 8)
    return len(new).to_bytes(8, "little") + new + content[8 + length :]


@pytest.mark.parametrize("damage, words", [
    (lambda c: b"", "not a model of this library.*found 0 bytes"),
    (lambda c: b"\x80\x04\x95" + c, "not a model of this library"),
    (lambda c: c[:-100], "damaged, its arrays can't be read"),
    (lambda c: c[:200], "not a model of this library"),
    (lambda c: changed(c, format="another"), "holds 'another', not a model"),
    (lambda c: changed(c, version=99), "version 99 of the format, this library reads version 1"),
    (lambda c: changed(c, classes=[1, 2]), "damaged, its parts do not fit together"),
    (lambda c: changed(c, classes_dtype="nonsense"), "damaged, its parts do not fit together"),
    (lambda c: changed(c, parameters={"unknown": 1}), "damaged, its parts do not fit together"),
])  # fmt: skip
def test_a_damaged_model(model, tmp_path, damage, words):
    path = tmp_path / "m"
    save(model, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelFileError, match=words):
        load(path)


def test_a_foreign_file_of_arrays(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    safetensors.save_file({"weight": np.zeros((2, 2))}, tmp_path / "m")
    with pytest.raises(ModelFileError, match="not a model of this library"):
        load(tmp_path / "m")


class Trap:
    """Unpickling it would call `print` with a word that the test looks for."""

    def __reduce__(self):
        return print, ("unpickled",)


@pytest.mark.parametrize("wrapped", [False, True])
def test_nothing_is_unpickled(tmp_path, capsys, wrapped):
    content = pickle.dumps(Trap())
    pickle.loads(content)
    assert "unpickled" in capsys.readouterr().out, "the trap works"
    (tmp_path / "m").write_bytes(struct.pack("<Q", len(content)) + content if wrapped else content)
    with pytest.raises(ModelFileError, match="not a model of this library"):
        load(tmp_path / "m")
    assert "unpickled" not in capsys.readouterr().out


@pytest.mark.parametrize("fields", [
    {"classes": list(range(9))}, {"classes": None}, {"classes": [300] * 10, "classes_dtype": "|u1"}, {"shape": [10, 64]},
    {"preprocessing": 5}, {"best_epoch": "soon"}, {"parameters": []}, {"parameters": {"callback_": 1}}, {"classes_dtype": "bogus"},
], ids=str)  # fmt: skip
def test_parts_that_do_not_fit(model, tmp_path, fields):
    path = tmp_path / "m"
    save(model, path)
    path.write_bytes(changed(path.read_bytes()))
    load(path)  # with nothing changed it is still a model
    path.write_bytes(changed(path.read_bytes(), **fields))
    with pytest.raises(ModelFileError, match="damaged, its parts do not fit together"):
        load(tmp_path / "m")


def test_what_to_install_for_files(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    for call in (lambda: save(model, tmp_path / "m"), lambda: load(tmp_path / "m")):
        with pytest.raises(ImportError, match=r"ag-autodiff\[cli\]"):
            call()

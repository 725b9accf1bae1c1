"""Data sets at their edges: what `test_data.py` leaves out, against SciPy and bytes made by hand."""

import functools
import gzip
import hashlib
import http.server
import struct
import sys
import threading

import numpy as np
import pytest

import ag
from ag.datasets import DataError, deskew, download, images


def idx(array):
    """The bytes of an IDX file of unsigned bytes."""
    array = np.asarray(array, np.uint8)
    return bytes([0, 0, 0x08, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_an_array_can_not_be_changed(tmp_path):
    """It shares the memory of the file's bytes."""
    path = tmp_path / "x"
    path.write_bytes(idx([1, 2]))
    with pytest.raises(ValueError, match="read-only"):
        ag.datasets.read_idx(path)[0] = 3


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1, 1, 1, 1, 1)])
def test_every_number_of_axes(tmp_path, shape):
    (tmp_path / "x").write_bytes(idx(np.ones(shape)))
    result = ag.datasets.read_idx(tmp_path / "x")
    assert result.shape == shape and (result == 1).all()


@pytest.mark.parametrize("code, kind, values", [
    (0x09, "b", [-128, 127]), (0x0B, "h", [-32768, 258]), (0x0C, "i", [-(2**31), 66051]), (0x0D, "f", [-0.5, 2.0**100]),
    (0x0E, "d", [-0.1, 1e300]),
])  # fmt: skip
def test_elements_are_big_endian(tmp_path, code, kind, values):
    """The bytes are made by struct, so that a mistake in an order of bytes can't be made twice."""
    (tmp_path / "x").write_bytes(struct.pack(f">BBBBI2{kind}", 0, 0, code, 1, 2, *values))
    assert ag.datasets.read_idx(tmp_path / "x").tolist() == values


def test_labels_from_a_file_are_labels(tmp_path):
    """Integers whose bytes stand in the other order are the same integers to a loss."""
    (tmp_path / "x").write_bytes(struct.pack(">BBBBI3i", 0, 0, 0x0C, 1, 3, 2, 0, 1))
    labels = ag.datasets.read_idx(tmp_path / "x")
    z = np.random.default_rng(0).normal(size=(3, 3))
    assert ag.cross_entropy(z, labels) == ag.cross_entropy(z, [2, 0, 1])
    with pytest.raises(ValueError, match="label 2 at position 0 is out of range"):
        ag.cross_entropy(z[:, :2], labels)


@pytest.mark.parametrize("kept", [5, 12, 30])
def test_a_gzip_file_that_ends_too_early(tmp_path, kept):
    (tmp_path / "x").write_bytes(gzip.compress(idx(np.arange(200)))[:kept])
    with pytest.raises(DataError, match=f"truncated gzip file: of its {kept} bytes"):
        ag.datasets.read_idx(tmp_path / "x")


def test_a_gzip_file_with_another_checksum(tmp_path):
    """One changed byte at the end: everything unpacks, and is still not to be trusted."""
    content = bytearray(gzip.compress(idx(np.arange(200))))
    content[-8] ^= 1
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match=r"damaged \(.*\) gzip file"):
        ag.datasets.read_idx(tmp_path / "x")


def test_a_short_file_in_a_good_gzip(tmp_path):
    (tmp_path / "x").write_bytes(gzip.compress(idx(np.arange(200))[:-3]))
    with pytest.raises(DataError, match=r"205 bytes, expected 208 for the shape \(200,\)"):
        ag.datasets.read_idx(tmp_path / "x")


# ---------------------------------------------------------------------- MNIST


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """MNIST of 3 and 2 images of one pixel, and a machine that has none; returns the bytes of its files."""
    shapes = {name: (3 if name.startswith("train") else 2, *((1, 1) if "images" in name else ())) for name in images.MNIST}
    monkeypatch.setattr(images, "MNIST", shapes)
    monkeypatch.setattr(images, "REPOSITORY", str(tmp_path / "repository"))
    monkeypatch.delenv("AG_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return {name: gzip.compress(idx(np.arange(np.prod(shape)).reshape(shape)), mtime=0) for name, shape in shapes.items()}


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def test_an_incomplete_place_is_passed_over(alone, tmp_path, monkeypatch):
    """$AG_DATA holds one file: the data of the working folder are taken."""
    monkeypatch.setenv("AG_DATA", str(tmp_path / "named"))
    write(tmp_path / "named", dict(list(alone.items())[:1]))
    write(tmp_path / "data/mnist", alone)
    assert ag.datasets.mnist().y_train.tolist() == [0, 1, 2]


def test_all_missing_files_are_named(alone, tmp_path):
    write(tmp_path / "given", dict(list(alone.items())[:1]))
    with pytest.raises(FileNotFoundError) as caught:
        ag.datasets.mnist(tmp_path / "given")
    names = list(alone)
    assert all(name in str(caught.value) for name in names[1:]) and names[0] not in str(caught.value)


def test_a_given_folder_is_the_only_place(alone, tmp_path):
    """Nobody who names a folder wants other data."""
    write(tmp_path / "data/mnist", alone)
    with pytest.raises(FileNotFoundError, match="absent lacks"):
        ag.datasets.mnist(tmp_path / "absent")


def test_signed_bytes_are_not_those_of_mnist(alone, tmp_path):
    files = dict(alone)
    files["train-labels-idx1-ubyte.gz"] = struct.pack(">BBBBI3b", 0, 0, 0x09, 1, 3, 0, 1, 2)
    write(tmp_path, files)
    with pytest.raises(DataError, match=r"train-labels.*holds int8 of shape \(3,\).*11 bytes unpacked"):
        ag.datasets.mnist(tmp_path)


def test_without_data_and_pooch(alone, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"not found here.*ag-autodiff\[data\].*AG_DATA"):
        ag.datasets.mnist()


@pytest.fixture
def mirror(alone, tmp_path):
    """A server with the files: its address, its folder, and the paths that were asked of it."""
    pytest.importorskip("pooch")
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    write(tmp_path / "mirror", alone)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(tmp_path / "mirror")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", tmp_path / "mirror", asked
    server.shutdown()
    thread.join()
    server.server_close()


def checksums(files):
    return {name: "md5:" + hashlib.md5(content).hexdigest() for name, content in files.items()}


def test_mnist_is_downloaded_once(alone, mirror, monkeypatch, tmp_path):
    address, _, asked = mirror
    monkeypatch.setattr(download.fetch, "__defaults__", (address, checksums(alone)))
    assert ag.datasets.mnist().y_test.tolist() == [0, 1]
    assert len(asked) == 4 and sorted(p.name for p in (tmp_path / "cache/ag/mnist").iterdir()) == sorted(alone)
    assert ag.datasets.mnist().y_test.tolist() == [0, 1]
    assert len(asked) == 4, "the second time from the cache"


def test_a_download_goes_on_where_it_stopped(alone, mirror, tmp_path):
    """A wrong third file ends it; the two before are kept, and not asked for again."""
    address, folder, asked = mirror
    names = list(alone)
    (folder / names[2]).write_bytes(b"another file")
    with pytest.raises(OSError, match=f"{names[2]} is not the file that was expected"):
        download.fetch(str(tmp_path / "got"), address, checksums(alone))
    assert sorted(p.name for p in (tmp_path / "got").iterdir()) == sorted(names[:2])
    (folder / names[2]).write_bytes(alone[names[2]])
    asked.clear()
    download.fetch(str(tmp_path / "got"), address, checksums(alone))
    assert len(asked) == 2 and all((tmp_path / "got" / name).read_bytes() == alone[name] for name in names)


# ---------------------------------------------------------------------- upright images


def moments(image):
    r, c = np.indices(image.shape)
    mass = image.sum()
    mr, mc = (r * image).sum() / mass, (c * image).sum() / mass
    return mr, mc, ((r - mr) * (c - mc) * image).sum() / ((r - mr) ** 2 * image).sum()


def test_deskew_is_an_affine_map():
    """SciPy's map with the same matrix; the centre lies a whole number of rows off, where both interpolate alike."""
    ndimage = pytest.importorskip("scipy.ndimage")
    r, c = np.indices((15, 15)).astype(float)
    image = np.exp(-(((r - 6) / 2) ** 2) - ((c - 8 - 0.4 * (r - 6)) / 1.5) ** 2)
    image[:1] = image[12:] = 0  # rows alike above and below the centre
    mr, mc, slant = moments(image)
    assert mr == pytest.approx(6)
    expected = ndimage.affine_transform(
        image, [[1, 0], [slant, 1]], offset=[mr - 7, mc - 7 - slant * 7], order=1, mode="grid-constant"
    )
    np.testing.assert_allclose(deskew(image.reshape(1, -1)).reshape(15, 15), expected, atol=1e-9)


@pytest.mark.parametrize("slant", [-0.8, -0.3, 0.5, 1.0])
def test_any_slant_becomes_none(slant):
    r, c = np.indices((31, 25)).astype(float)
    image = np.exp(-(((r - 14) / 4) ** 2) - ((c - 11 - slant * (r - 14)) / 2) ** 2)
    row, column, rest = moments(deskew(image.reshape(1, -1), (31, 25)).reshape(31, 25))
    assert abs(moments(image)[2]) > 0.25 and abs(rest) < 0.01
    assert (row, column) == pytest.approx((15, 12), abs=0.05)


def test_one_row_has_no_slant():
    """Its variance along the rows is 0."""
    image = np.zeros((5, 5))
    image[1, 1:4] = 1
    expected = np.zeros((5, 5))
    expected[2, 1:4] = 1
    np.testing.assert_allclose(deskew(image.reshape(1, -1)).reshape(5, 5), expected)


def test_images_of_integers_become_floats():
    result = deskew(np.eye(4, dtype=np.uint8).reshape(1, 16))
    assert result.dtype == np.float32 and 0 < result.max() <= 1


def test_deskew_leaves_its_argument_alone():
    X = ag.datasets.digits().X_train[:20]
    before = X.copy()
    deskew(X)
    np.testing.assert_array_equal(X, before)
    assert deskew(X[:0]).shape == (0, 64)

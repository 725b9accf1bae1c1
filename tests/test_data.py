"""Data sets: what is read is what was written, and a file that is not what it says is named."""

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
from ag.datasets import DataError, deskew, images
from ag.datasets.download import fetch

CODES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def idx(array, code):
    """The bytes of an IDX file, made by hand."""
    array = np.asarray(array, CODES[code])
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("code", CODES)
def test_every_type_of_element(tmp_path, code, packed):
    array = np.arange(24).reshape(2, 3, 4)
    content = idx(array, code)
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(content) if packed else content)
    result = ag.datasets.read_idx(path)
    np.testing.assert_array_equal(result, array)
    assert result.dtype.itemsize == np.dtype(CODES[code]).itemsize


GOOD = idx(np.arange(6).reshape(2, 3), 0x08)
PACKED = gzip.compress(idx(np.random.default_rng(0).integers(0, 256, 100_000), 0x08))


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", r"not an IDX file.*\(none\)"),
        (b"\x89PNG\r\n", r"not an IDX file: it begins with the bytes 89 50 4e 47; expected 00 00"),
        (b"\0\0\x07\x01", "not an IDX file"),
        (GOOD[:9], r"truncated IDX header: 9 bytes, expected 12 for 2 axes"),
        (GOOD[:-1], r"17 bytes, expected 18 for the shape \(2, 3\).*truncated"),
        (GOOD + b"\0", r"19 bytes, expected 18 for the shape \(2, 3\).*too long"),
        (PACKED[:50_000], r"truncated gzip file: of its 50000 bytes \d+ could be unpacked, its header promises 100008 bytes"),
        (PACKED[:90_000] + b"\xff" * 9 + PACKED[90_009:], r"damaged .* gzip file.*its header promises 100008 bytes"),
        (b"\x1f\x8b" + b"\xff" * 40, r"damaged .* gzip file.*its header can't be read"),
    ],
)  # fmt: skip
def test_a_damaged_file(tmp_path, content, words):
    path = tmp_path / "some-file"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"some-file.*{words}"):
        ag.datasets.read_idx(path)


@pytest.fixture
def small(monkeypatch):
    """MNIST with 6 and 2 images of 2 × 2 pixels, as four files in a folder."""
    shapes = {name: (6 if name.startswith("train") else 2, *((2, 2) if "images" in name else ())) for name in images.MNIST}
    monkeypatch.setattr(images, "MNIST", shapes)
    monkeypatch.delenv("AG_DATA", raising=False)

    def write(folder, packed=True, shift=0):
        folder.mkdir(parents=True, exist_ok=True)
        for name, shape in shapes.items():
            content = idx((np.arange(np.prod(shape)).reshape(shape) + shift) % 10, 0x08)
            (folder / (name if packed else name[:-3])).write_bytes(gzip.compress(content) if packed else content)
        return folder

    return write


@pytest.mark.parametrize("packed", [True, False])
def test_a_given_folder(small, tmp_path, packed):
    data = ag.datasets.mnist(small(tmp_path, packed))
    assert data.X_train.dtype == np.float32 and data.y_train.dtype == np.int64
    np.testing.assert_allclose(data.X_train, (np.arange(24).reshape(6, 4) % 10) / 255, rtol=1e-6)
    np.testing.assert_array_equal(data.y_test, [0, 1])


def test_the_order_of_places(small, tmp_path, monkeypatch):
    """A given folder, $AG_DATA, the cache, the repository."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    monkeypatch.setattr(images, "REPOSITORY", str(tmp_path / "repository"))
    monkeypatch.chdir(tmp_path)
    folders = ["repository/data/mnist", "cache/ag/mnist", "named/mnist", "named", "given"]
    monkeypatch.setenv("AG_DATA", str(tmp_path / "named"))
    for shift, folder in enumerate(folders):
        small(tmp_path / folder, shift=shift)
        given = tmp_path / "given" if folder == "given" else None
        assert ag.datasets.mnist(given).y_train[0] == shift


def test_a_folder_that_lacks_a_file(small, tmp_path):
    (small(tmp_path) / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks t10k-labels-idx1-ubyte\.gz"):
        ag.datasets.mnist(tmp_path)


def test_a_mislabelled_file(small, tmp_path):
    small(tmp_path)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes((tmp_path / "train-labels-idx1-ubyte.gz").read_bytes())
    with pytest.raises(DataError, match=r"holds uint8 of shape \(6,\).*uint8 of shape \(6, 2, 2\), 40 bytes.*mislabelled"):
        ag.datasets.mnist(tmp_path)


def test_a_label_out_of_range(small, tmp_path):
    small(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx([1, 2, 77, 3, 4, 5], 0x08)))
    with pytest.raises(DataError, match="label 77 at position 2; the labels are 0..9"):
        ag.datasets.mnist(tmp_path)


@pytest.fixture
def mirror(tmp_path):
    """A server with two files, and their checksums."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    contents = {"a.gz": b"first", "b.gz": b"second"}
    for name, content in contents.items():
        (folder / name).write_bytes(content)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", {n: "md5:" + hashlib.md5(c).hexdigest() for n, c in contents.items()}
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download(mirror, tmp_path):
    address, checksums = mirror
    folder = tmp_path / "cache"
    assert fetch(str(folder), address, checksums) == str(folder)
    assert sorted(p.name for p in folder.iterdir()) == ["a.gz", "b.gz"]
    assert (folder / "b.gz").read_bytes() == b"second"


def test_a_download_with_another_checksum_leaves_nothing(mirror, tmp_path):
    address, checksums = mirror
    folder = tmp_path / "cache"
    with pytest.raises(OSError, match="is not the file that was expected.*nothing was kept"):
        fetch(str(folder), address, {"a.gz": checksums["b.gz"]})
    assert list(folder.iterdir()) == []


def test_a_mirror_without_the_file(mirror, tmp_path):
    with pytest.raises(OSError, match="could not be downloaded.*AG_DATA"):
        fetch(str(tmp_path / "cache"), mirror[0], {"absent.gz": "md5:" + "0" * 32})
    assert not list((tmp_path / "cache").iterdir())


def test_what_to_install_for_a_download(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"pip install 'ag-autodiff\[data\]'"):
        fetch(str(tmp_path))


def test_digits_are_those_of_scikit_learn():
    reference = pytest.importorskip("sklearn.datasets").load_digits()
    data = ag.datasets.digits()
    np.testing.assert_array_equal(np.concatenate([data.X_train, data.X_test]), (reference.data / 16).astype(np.float32))
    np.testing.assert_array_equal(np.concatenate([data.y_train, data.y_test]), reference.target)


def test_the_real_mnist():
    """Facts about it that are known from elsewhere: how often each digit occurs, and the mean pixel."""
    data = ag.datasets.mnist()
    assert data.X_train.shape == (60000, 784) and data.X_test.shape == (10000, 784)
    assert np.bincount(data.y_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(data.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert data.X_train.mean(dtype=float) == pytest.approx(0.1306605, abs=1e-6)
    assert data.X_train.std(dtype=float) == pytest.approx(0.3081078, abs=1e-6)


def moments(image):
    r, c = np.indices(image.shape)
    mass = image.sum()
    mr, mc = (r * image).sum() / mass, (c * image).sum() / mass
    return mr, mc, ((r - mr) * (c - mc) * image).sum() / mass


def test_deskew_makes_upright_and_centres():
    r, c = np.indices((28, 28)).astype(float)
    slanted = np.exp(-(((r - 11) / 5) ** 2) - ((c - 16 - 0.6 * (r - 11)) / 2) ** 2)
    assert moments(slanted)[2] > 5
    row, column, covariance = moments(deskew(slanted.reshape(1, -1)).reshape(28, 28))
    assert row == pytest.approx(13.5, abs=0.05) and column == pytest.approx(13.5, abs=0.05)
    assert abs(covariance) < 0.05


def test_deskew_leaves_what_is_upright():
    r, c = np.indices((9, 7)).astype(np.float32)
    upright = np.exp(-(((r - 4) / 2) ** 2) - ((c - 3) / 1.5) ** 2).astype(np.float32)
    result = deskew(np.stack([upright.ravel(), 0 * upright.ravel()]), (9, 7))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result[0], upright.ravel(), atol=1e-5)
    assert (result[1] == 0).all()


def test_deskew_of_many_is_that_of_each():
    X = ag.datasets.digits().X_train[:1100]
    np.testing.assert_allclose(deskew(X)[1050], deskew(X[1050:1051])[0], atol=1e-6)


@pytest.mark.parametrize("X, shape, words", [
    (np.zeros(4), None, r"images as rows.*got \(4,\)"),
    (np.zeros((2, 5)), None, r"rows of 5 numbers are no images of shape \(2, 2\)"),
    (np.zeros((2, 6)), (2, 2), r"give shape=\(height, width\)"),
])  # fmt: skip
def test_deskew_of_what_is_no_image(X, shape, words):
    with pytest.raises(ValueError, match=words):
        deskew(X, shape)

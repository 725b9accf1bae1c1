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


def idx(array, code=0x08):
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


def miniature(monkeypatch, train, side):
    """Make MNIST a data set of ``train`` and 2 images of side × side pixels; returns the shapes of its files."""
    shapes = {name: (train if name.startswith("train") else 2, *((side, side) if "images" in name else ())) for name in images.MNIST}
    monkeypatch.setattr(images, "MNIST", shapes)
    monkeypatch.delenv("AG_DATA", raising=False)
    return shapes


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.fixture
def small(monkeypatch):
    """MNIST with 6 and 2 images of 2 × 2 pixels, as four files in a folder."""
    shapes = miniature(monkeypatch, 6, 2)

    def write_shifted(folder, packed=True, shift=0):
        files = {}
        for name, shape in shapes.items():
            content = idx((np.arange(np.prod(shape)).reshape(shape) + shift) % 10)
            files[name if packed else name[:-3]] = gzip.compress(content) if packed else content
        write(folder, files)
        return folder

    return write_shifted


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """MNIST of 3 and 2 images of one pixel, and a machine that has none; returns the bytes of its files."""
    shapes = miniature(monkeypatch, 3, 1)
    monkeypatch.setattr(images, "REPOSITORY", str(tmp_path / "repository"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return {name: gzip.compress(idx(np.arange(np.prod(shape)).reshape(shape)), mtime=0) for name, shape in shapes.items()}


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


def test_a_download(alone, mirror, tmp_path):
    folder = tmp_path / "got"
    assert fetch(str(folder), mirror[0], checksums(alone)) == str(folder)
    assert sorted(p.name for p in folder.iterdir()) == sorted(alone)
    assert all((folder / name).read_bytes() == content for name, content in alone.items())


def test_a_download_with_another_checksum_leaves_nothing(alone, mirror, tmp_path):
    folder = tmp_path / "got"
    first, second = list(alone)[:2]
    with pytest.raises(OSError, match="is not the file that was expected.*nothing was kept"):
        fetch(str(folder), mirror[0], {first: checksums(alone)[second]})
    assert list(folder.iterdir()) == []


def test_a_mirror_without_the_file(mirror, tmp_path):
    with pytest.raises(OSError, match="could not be downloaded.*AG_DATA"):
        fetch(str(tmp_path / "got"), mirror[0], {"absent.gz": "md5:" + "0" * 32})
    assert not list((tmp_path / "got").iterdir())


def test_what_to_install_for_a_download(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"pip install 'ag-autodiff\[data\]'"):
        fetch(str(tmp_path))


def test_mnist_is_downloaded_once(alone, mirror, monkeypatch, tmp_path):
    address, _, asked = mirror
    monkeypatch.setattr(fetch, "__defaults__", (address, checksums(alone)))
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
        fetch(str(tmp_path / "got"), address, checksums(alone))
    assert sorted(p.name for p in (tmp_path / "got").iterdir()) == sorted(names[:2])
    (folder / names[2]).write_bytes(alone[names[2]])
    asked.clear()
    fetch(str(tmp_path / "got"), address, checksums(alone))
    assert len(asked) == 2 and all((tmp_path / "got" / name).read_bytes() == alone[name] for name in names)


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


# ---------------------------------------------------------------------- upright images


def moments(image):
    """The centre of mass, the covariance of rows and columns, and the slant: the covariance over the variance of rows."""
    r, c = np.indices(image.shape)
    mass = image.sum()
    mr, mc = (r * image).sum() / mass, (c * image).sum() / mass
    covariance = ((r - mr) * (c - mc) * image).sum() / mass
    return mr, mc, covariance, covariance / (((r - mr) ** 2 * image).sum() / mass)


def test_deskew_makes_upright_and_centres():
    r, c = np.indices((28, 28)).astype(float)
    slanted = np.exp(-(((r - 11) / 5) ** 2) - ((c - 16 - 0.6 * (r - 11)) / 2) ** 2)
    assert moments(slanted)[2] > 5
    row, column, covariance, _ = moments(deskew(slanted.reshape(1, -1)).reshape(28, 28))
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


def test_deskew_is_an_affine_map():
    """SciPy's map with the same matrix; the centre lies a whole number of rows off, where both interpolate alike."""
    ndimage = pytest.importorskip("scipy.ndimage")
    r, c = np.indices((15, 15)).astype(float)
    image = np.exp(-(((r - 6) / 2) ** 2) - ((c - 8 - 0.4 * (r - 6)) / 1.5) ** 2)
    image[:1] = image[12:] = 0  # rows alike above and below the centre
    mr, mc, _, slant = moments(image)
    assert mr == pytest.approx(6)
    expected = ndimage.affine_transform(
        image, [[1, 0], [slant, 1]], offset=[mr - 7, mc - 7 - slant * 7], order=1, mode="grid-constant"
    )
    np.testing.assert_allclose(deskew(image.reshape(1, -1)).reshape(15, 15), expected, atol=1e-9)


@pytest.mark.parametrize("slant", [-0.8, -0.3, 0.5, 1.0])
def test_any_slant_becomes_none(slant):
    r, c = np.indices((31, 25)).astype(float)
    image = np.exp(-(((r - 14) / 4) ** 2) - ((c - 11 - slant * (r - 14)) / 2) ** 2)
    row, column, _, rest = moments(deskew(image.reshape(1, -1), (31, 25)).reshape(31, 25))
    assert abs(moments(image)[3]) > 0.25 and abs(rest) < 0.01
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

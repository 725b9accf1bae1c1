"""The command, as somebody types it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import ag

pytest.importorskip("click")
from click.testing import CliRunner

from ag.cli.commands import ag as command
from ag.cli.screen import bar

ROOT = Path(__file__).parent.parent


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words, code=0):
    result = CliRunner().invoke(command, [str(w) for w in words])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


def blobs(n=200):
    """Three clouds of points."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, n)
    return rng.normal(size=(n, 2)) + 6 * np.array([[0, 0], [1, 0], [0, 1]])[y], y


def shares(output):
    """The accuracies in a table."""
    return [float(x) / 100 for x in re.findall(r"([\d.]+) %", output)]


def test_mnist(here):
    """The main job: 92 % with few epochs, and what evaluate says of it is what train said."""
    output = run("train", "mnist", "--epochs", 3, "--folder", ROOT / "data/mnist")
    training, test = shares(output)[:2]
    assert training > 0.92 and test >= 0.92
    output = run("evaluate", "model.safetensors", "mnist", "--folder", ROOT / "data/mnist")
    assert shares(output)[0] == pytest.approx(test, abs=1e-9)
    counts = np.array([[int(n.replace("·", "0")) for n in line.split()[1:]] for line in output.splitlines()[-10:]])
    assert counts.sum() == 10_000 and np.trace(counts) == pytest.approx(test * 10_000, abs=0.5)


def test_digits_and_its_options(here):
    for words in (["--solver", "adam"], ["--solver", "lbfgs", "--epochs", 30], ["--momentum", 0.9], ["--deskew"],
                  ["--standardize"], ["--l2", 0.001, "--batch-size", 64, "--learning-rate", 0.5]):  # fmt: skip
        output = run("train", "digits", "--output", "d", "--seed", 1, *words)
        assert shares(output)[1] > 0.85
        assert shares(run("evaluate", "d", "digits"))[0] == pytest.approx(shares(output)[1], abs=1e-9), words


@pytest.mark.parametrize("header", ["x,y1,kind", "kind,x,y1", None])
def test_csv(here, header):
    X, y = blobs()
    names = np.array(["red", "green", "blue"])[y]
    place = header.split(",").index("kind") if header else 2
    lines = [",".join([*[str(v) for v in row][:place], name, *[str(v) for v in row][place:]]) for row, name in zip(X, names, strict=True)]
    Path("points.csv").write_text("\n".join(([header] if header else []) + lines) + "\n")
    label = ["--label", "kind"] if header else []
    output = run("train", "points.csv", *label)
    assert "160 examples to train, 40 to test, 2 features, 3 classes" in output
    assert shares(output)[1] > 0.95
    output = run("evaluate", "model.safetensors", "points.csv", *label)
    assert shares(output)[0] > 0.95 and re.search(r"blue +green +red", output)


def test_npz_with_and_without_a_test_part(here):
    X, y = blobs()
    np.savez("a.npz", X=X, y=y)
    np.savez("b.npz", X_train=X[:150], y_train=y[:150], X_test=X[150:], y_test=y[150:])
    assert "140 examples to train, 60 to test" in run("train", "a.npz", "--test-fraction", 0.3)
    assert "150 examples to train, 50 to test" in run("train", "b.npz")
    assert "on 50 examples" in run("evaluate", "model.safetensors", "b.npz")


def test_images_in_an_npz(here):
    d = ag.datasets.digits()
    np.savez("d.npz", X=d.X_train.reshape(-1, 8, 8), y=d.y_train)
    assert shares(run("train", "d.npz", "--deskew"))[1] > 0.9


def test_a_target_is_reached_or_not(here):
    words = ["train", "digits", "--evaluations-per-epoch", 2, "--target-accuracy"]
    assert "as they were when the test accuracy reached the target" in run(*words, 0.8)
    assert shares(run("evaluate", "model.safetensors", "digits"))[0] >= 0.8
    output = run(*words, 0.999, "--epochs", 3, code=1)
    assert re.search(r"the test accuracy 0.999 was not reached; the highest was 0\.\d+", output)


def test_predict(here):
    image = pytest.importorskip("PIL.Image")
    data = ag.datasets.mnist()
    run("train", "mnist", "--epochs", 2, "--folder", ROOT / "data/mnist")
    pixels = (255 * data.X_test[0].reshape(28, 28)).astype(np.uint8)  # a seven
    image.fromarray(pixels).save("exact.png")
    image.fromarray(255 - pixels).save("paper.png")
    image.fromarray(255 - np.pad(pixels, ((10, 90), (70, 3)))).resize((505, 640)).save("photo.jpg")
    transparent = np.zeros((28, 28, 4), np.uint8)
    transparent[..., 3] = pixels
    image.fromarray(transparent).save("ink.png")
    output = run("predict", "model.safetensors", "exact.png", "paper.png", "photo.jpg", "ink.png")
    assert re.findall(r"^(\S+): (\d)", output, re.M) == [("exact.png", "7"), ("paper.png", "7"), ("photo.jpg", "7"), ("ink.png", "7")]
    bars = re.findall(r"^ +(\d) +([\d.]+) %", output, re.M)[:10]
    assert [int(k) for k, _ in bars] == list(range(10)) and sum(float(p) for _, p in bars) == pytest.approx(100, abs=0.06)


def test_bars_are_in_proportion():
    assert bar(1.0) == "█" * 40 and bar(0.5) == "█" * 20 and bar(0.0) == "" and bar(1 / 320) == "▏"


@pytest.mark.parametrize("words, content, message", [
    (["train", "absent.csv"], None, "absent.csv: there is no such file; DATA is mnist, digits, FILE.npz or FILE.csv"),
    (["train", "f.txt"], "x", r"f.txt: files of the kinds .npz and .csv are read, not .txt"),
    (["train", "f.csv"], "", "f.csv: is empty"),
    (["train", "f.csv"], "a,b\n", "holds a header and no examples"),
    (["train", "f.csv"], "a\n1\n", "has 1 column"),
    (["train", "f.csv"], "a,b\n1,2\n3\n", "line 3 has 1 fields, 2 are expected"),
    (["train", "f.csv"], "a,b\n1,u\nx,v\n", "line 3, column a: 'x' is no number"),
    (["train", "f.csv", "--label", "c"], "a,b\n1,u\n", "no column 'c'; its columns are a, b"),
    (["train", "f.csv", "--label", "c"], "1,u\n2,v\n", "has no header line, so no column 'c'"),
    (["train", "f.csv"], "a,b\n" + "1,u\n" * 20, "holds np.str_.'u'. alone"),
    (["train", "f.npz"], "no zip", r"f.npz: can't be read as an .npz file|damaged, or no .npz file"),
    (["train", "f.csv", "--deskew"], "a,b\n1,u\n2,v\n", "--deskew needs images"),
    (["evaluate", "absent", "digits"], None, "absent: No such file or directory"),
    (["evaluate", "f.txt", "digits"], "x", "f.txt: not a model of this library"),
    (["predict", "absent", "f.png"], None, "absent: No such file"),
])  # fmt: skip
def test_errors_are_one_line(here, words, content, message):
    if content is not None:
        Path(words[1]).write_text(content)
    output = run(*words, code=2 if "--deskew" in words else 1)
    assert re.search(message, output) and "Error: " in output


def test_arrays_of_objects_are_not_unpickled(here):
    np.savez("f.npz", X=np.array([{}], object), y=[0])
    assert "can't be read as an .npz file of plain arrays" in run("train", "f.npz", code=1)


def test_a_model_and_data_that_do_not_fit(here):
    X, y = blobs()
    np.savez("a.npz", X=X, y=y)
    np.savez("b.npz", X=X, y=y + 7)
    np.savez("c.npz", X=X)
    run("train", "a.npz", "--standardize")
    assert "takes 2 features, X has 64" in run("evaluate", "model.safetensors", "digits", code=1)
    assert "is none of the model's classes, 0, 1, 2" in run("evaluate", "model.safetensors", "b.npz", code=1)
    assert "holds X; the arrays X and y are expected" in run("train", "c.npz", code=1)
    Path("p.png").write_bytes(b"")
    assert "was not trained on images" in run("predict", "model.safetensors", "p.png", code=1)


def test_what_is_no_image(here):
    image = pytest.importorskip("PIL.Image")
    run("train", "digits")
    Path("p.png").write_text("not an image")
    assert "p.png: not an image that can be read" in run("predict", "model.safetensors", "p.png", code=1)
    image.new("L", (50, 50), 255).save("blank.png")
    assert "blank.png: nothing is drawn on it" in run("predict", "model.safetensors", "blank.png", code=1)


@pytest.mark.skipif(os.name == "nt", reason="another way to interrupt")
def test_an_interrupt_keeps_the_best_model(here):
    X, y = blobs(3000)
    np.savez("a.npz", X=X, y=y)
    words = [sys.executable, "-m", "ag", "train", "a.npz", "--epochs", "100000"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert "to train" in process.stdout.readline()
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert re.search(r"stopped after epoch \d+: the best weights so far, of epoch \d+, are kept", output)
    assert "Traceback" not in output
    assert shares(run("evaluate", "model.safetensors", "a.npz"))[0] > 0.95


def test_help_shows_examples():
    output = run("--help")
    assert "ag train mnist" in output and "ag predict model.safetensors seven.png" in output
    for name in ("train", "evaluate", "predict"):
        assert "Example" in run(name, "--help")


def test_the_module_is_the_command():
    output = subprocess.run([sys.executable, "-m", "ag", "--version"], capture_output=True, text=True, check=True).stdout
    assert output.strip() == f"ag, version {ag.__version__}"


def test_what_to_install_for_the_command():
    code = "import sys; sys.modules['click'] = None; from ag.cli.main import main; main()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 2 and "pip install 'ag-autodiff[cli]'" in result.stderr and "Traceback" not in result.stderr

"""The command, as somebody types it: what it prints, what it keeps, and what it says of odd and damaged files."""

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

from ag.cli.commands import USUAL, ag as command
from ag.cli.screen import bar, table
from ag.explanation.parsing import parse
from ag.explanation.vocabulary import names
from ag.operators.table import TABLE

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words, code=0, error=None, typed=None):
    """What the command prints; an error (``error=True``, and by itself with the code 1) is one line at the end, or one that
    is followed by the place in an expression."""
    result = CliRunner().invoke(command, [str(w) for w in words], input=typed)
    assert result.exit_code == code, (result.output, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), "an error that nobody caught"
    assert "Traceback" not in result.output
    if code == 1 if error is None else error:
        lines = result.output.splitlines()
        pointed = re.fullmatch(r" +\^+", lines[-1]) is not None
        assert result.output.count("Error: ") == 1 and lines[-3 if pointed else -1].startswith("Error: ")
    return result.output


def shares(output):
    """The accuracies in a table."""
    return [float(x) / 100 for x in re.findall(r"([\d.]+) %", output)]


def blobs(n=200):
    """Three clouds of points."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, n)
    return rng.normal(size=(n, 2)) + 6 * np.array([[0, 0], [1, 0], [0, 1]])[y], y


def write_csv(names, header="a,b,kind", end="\n", encoding="utf-8", n=60):
    X, y = blobs(n)
    lines = [*([header] if header else []), *(f"{p[0]},{p[1]},{names[k]}" for p, k in zip(X, y, strict=True))]
    Path("f.csv").write_bytes((end.join(lines) + end).encode(encoding))


def test_mnist():
    """The main job: 92 % with few epochs, and what evaluate says of it is what train said."""
    output = run("train", "mnist", "--epochs", 3, "--folder", ROOT / "data/mnist")
    training, test = shares(output)[:2]
    assert training > 0.92 and test >= 0.92
    output = run("evaluate", "model.safetensors", "mnist", "--folder", ROOT / "data/mnist")
    assert shares(output)[0] == pytest.approx(test, abs=1e-9)
    counts = np.array([[int(n.replace("·", "0")) for n in line.split()[1:]] for line in output.splitlines()[-10:]])
    assert counts.sum() == 10_000 and np.trace(counts) == pytest.approx(test * 10_000, abs=0.5)


def test_digits_and_its_options():
    for words in (["--solver", "adam"], ["--solver", "lbfgs", "--epochs", 30], ["--momentum", 0.9], ["--deskew"],
                  ["--standardize"], ["--l2", 0.001, "--batch-size", 64, "--learning-rate", 0.5]):  # fmt: skip
        output = run("train", "digits", "--output", "d", "--seed", 1, *words)
        assert shares(output)[1] > 0.85
        assert shares(run("evaluate", "d", "digits"))[0] == pytest.approx(shares(output)[1], abs=1e-9), words


@pytest.mark.parametrize("header", ["x,y1,kind", "kind,x,y1", None])
def test_csv(header):
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


def overlapping(n=120):
    """Two clouds of which no line divides the points: judged on other examples, other shares are right."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    return rng.normal(size=(n, 2)) + y[:, None], y


@pytest.mark.parametrize("name", ["points.csv", "points.npz"])
def test_a_model_is_judged_on_what_it_was_not_trained_on(name):
    """Of the file that it was trained on it takes the same part as in the training; others it takes whole."""
    X, y = overlapping()

    def save(path, X, y):
        if path.endswith(".npz"):
            np.savez(path, X=X, y=y)
        else:
            Path(path).write_text("".join(f"{a!r},{b!r},{'uv'[k]}\n" for (a, b), k in zip(X.tolist(), y, strict=True)))

    save(name, X, y)
    output = run("train", name, "--test-fraction", 0.3, "--seed", 5, "--standardize")
    assert "84 examples to train, 36 to test" in output
    Path("copy").mkdir()
    for path in (name, f"copy/{name}"):
        save(path, X, y)
        judged = run("evaluate", "model.safetensors", path)
        assert f"on 36 examples of {path}\n(the model was trained on the other 84 of them)\n" in judged
        assert shares(judged)[0] == shares(output)[1]
    for other in ((X[::-1], y[::-1]), (X[1:], y[1:]), (X, 1 - y), (X + 1e-9, y)):
        save(name, *other)
        judged = run("evaluate", "model.safetensors", name)
        assert f"on {len(other[0])} examples of {name}\n\n" in judged


def test_a_test_part_of_its_own_is_judged_whole():
    X, y = overlapping()
    np.savez("f.npz", X=X, y=y, X_test=X[:50], y_test=y[:50])
    run("train", "f.npz")
    assert "on 50 examples of f.npz\n\n" in run("evaluate", "model.safetensors", "f.npz")
    np.savez("g.npz", X=X, y=y)
    assert "on 120 examples of g.npz\n\n" in run("evaluate", "model.safetensors", "g.npz")


def test_npz_with_and_without_a_test_part():
    X, y = blobs()
    np.savez("a.npz", X=X, y=y)
    np.savez("b.npz", X_train=X[:150], y_train=y[:150], X_test=X[150:], y_test=y[150:])
    assert "140 examples to train, 60 to test" in run("train", "a.npz", "--test-fraction", 0.3)
    assert "150 examples to train, 50 to test" in run("train", "b.npz")
    assert "on 50 examples" in run("evaluate", "model.safetensors", "b.npz")


def test_images_in_an_npz():
    d = ag.datasets.digits()
    np.savez("d.npz", X=d.X_train.reshape(-1, 8, 8), y=d.y_train)
    assert shares(run("train", "d.npz", "--deskew"))[1] > 0.9


def test_a_target_is_reached_or_not():
    words = ["train", "digits", "--evaluations-per-epoch", 2, "--target-accuracy"]
    assert "as they were when the test accuracy reached the target" in run(*words, 0.8)
    assert shares(run("evaluate", "model.safetensors", "digits"))[0] >= 0.8
    output = run(*words, 0.999, "--epochs", 3, code=1, error=False)
    assert re.search(r"the test accuracy 0.999 was not reached; the highest was 0\.\d+", output)


@pytest.mark.parametrize("words, content, message", [
    (["train", "absent.csv"], None, "absent.csv: there is no such file; DATA is mnist, digits, FILE.npz or FILE.csv"),
    (["train", "f.txt"], "x", r"f.txt: files of the kinds .npz and .csv are read, not .txt"),
    (["train", "f.csv"], "", "f.csv: is empty"),
    (["train", "f.csv"], "a,b\n", "holds a header and no examples"),
    (["train", "f.csv"], "a\n1\n", "has 1 column"),
    (["train", "f.csv"], "a,b\n1,2\n3\n", "line 3 has 1 fields, 2 are expected"),
    (["train", "f.csv"], "a,b\n1,u\nx,v\n", "line 3, column a: 'x' is no finite number"),
    (["train", "f.csv", "--label", "c"], "a,b\n1,u\n", "no column 'c'; its columns are a, b"),
    (["train", "f.csv", "--label", "c"], "1,u\n2,v\n", "has no header line, so no column 'c'"),
    (["train", "f.csv"], "a,b\n" + "1,u\n" * 20, "^Error: f.csv, 16 examples to train: all labels are 'u'; a classifier needs"),
    (["train", "f.npz"], "no zip", r"f.npz: can't be read as an .npz file|damaged, or no .npz file"),
    (["train", "f.csv", "--deskew"], "a,b\n1,u\n2,v\n", "--deskew needs images"),
    (["evaluate", "absent", "digits"], None, "absent: No such file or directory"),
    (["evaluate", "f.txt", "digits"], "x", "f.txt: not a model of this library"),
    (["predict", "absent", "f.png"], None, "absent: No such file"),
])  # fmt: skip
def test_errors_are_one_line(words, content, message):
    if content is not None:
        Path(words[1]).write_text(content)
    output = run(*words, code=2 if "--deskew" in words else 1)
    assert re.search(message, output) and "Error: " in output


def test_arrays_of_objects_are_not_unpickled():
    np.savez("f.npz", X=np.array([{}], object), y=[0])
    assert "can't be read as an .npz file of plain arrays" in run("train", "f.npz", code=1)


def test_a_model_and_data_that_do_not_fit():
    X, y = blobs()
    np.savez("a.npz", X=X, y=y)
    np.savez("b.npz", X=X, y=y + 7)
    np.savez("c.npz", X=X)
    run("train", "a.npz", "--standardize")
    assert "model.safetensors takes 2 features, digits has 64: give it data like" in run("evaluate", "model.safetensors", "digits", code=1)
    assert "is none of the model's classes, 0, 1, 2" in run("evaluate", "model.safetensors", "b.npz", code=1)
    assert "holds X; the arrays X and y are expected" in run("train", "c.npz", code=1)
    Path("p.png").write_bytes(b"")
    assert "was not trained on images" in run("predict", "model.safetensors", "p.png", code=1)


# `python -m ag` as a shell starts it: what nohup and the like start ignores interrupts, and hands that on to its children.
INTERRUPTIBLE = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("ag", run_name="__main__", alter_sys=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="another way to interrupt")
def test_an_interrupt_keeps_the_best_model():
    X, y = blobs(3000)
    np.savez("a.npz", X=X, y=y)
    words = [sys.executable, "-c", INTERRUPTIBLE, "train", "a.npz", "--epochs", "100000"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "env": {**environment(), "PYTHONUNBUFFERED": "1"}}
    with subprocess.Popen(words, **options) as process:
        try:
            assert "to train" in process.stdout.readline()
            time.sleep(1.5)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=60)
        finally:
            process.kill()  # where the test failed before
    assert process.returncode == 130, output
    assert re.search(r"stopped after epoch \d+: the best weights so far, of epoch \d+, are kept", output)
    assert "Traceback" not in output
    assert shares(run("evaluate", "model.safetensors", "a.npz"))[0] > 0.95


@pytest.mark.parametrize("options", [
    {"encoding": "utf-8-sig"}, {"end": "\r\n"}, {"header": " a , b , kind "}, {"header": None}, {"end": "\n\n"},
], ids=str)  # fmt: skip
def test_tables_as_programs_write_them(options):
    """A byte order mark, line ends of Windows, blanks around names, no header, empty lines."""
    write_csv(["rot", "grün", '"b, l"'], **options)
    run("train", "f.csv", "--epochs", 100)
    assert ag.learn.load("model.safetensors")[0].classes_.tolist() == ["b, l", "grün", "rot"]
    assert shares(run("evaluate", "model.safetensors", "f.csv"))[0] > 0.97


@pytest.mark.parametrize("header, place", [("x,Class,z", 1), ("target,x,z", 0), ("x,y,label", 2), ("x,y,z", 1), ("u,v,w", 2)])
def test_the_column_of_labels_is_found(header, place):
    """By its usual names, whatever their case and wherever it stands; else it is the last."""
    Path("f.csv").write_text(header + "\n" + "".join(",".join("uv"[i % 2] if k == place else str(i % 2) for k in range(3)) + "\n" for i in range(30)))
    assert "2 features, 2 classes" in run("train", "f.csv", "--epochs", 20)


def test_labels_that_are_integers():
    write_csv([-1, 0, 12])
    run("train", "f.csv", "--epochs", 50)
    classes = ag.learn.load("model.safetensors")[0].classes_
    assert classes.tolist() == [-1, 0, 12] and classes.dtype.kind == "i"


@pytest.mark.parametrize("names", ["²³¹", "٣-x", ["1.0", "2.0", "3.0"], ["", "-", "--"]])
def test_labels_that_look_like_integers_and_are_none(names):
    """Superscripts are digits to Python's isdigit, but int() refuses them."""
    write_csv(names)
    assert "3 classes" in run("train", "f.csv", "--epochs", 5)
    assert ag.learn.load("model.safetensors")[0].classes_.tolist() == sorted(names)


def test_a_table_with_some_of_the_names():
    """Of the names 1, 2 and x another file holds the first two, which alone would be read as integers."""
    write_csv(["1", "2", "x"])
    run("train", "f.csv", "--epochs", 100)
    Path("g.csv").write_text("a,b,kind\n0,0,1\n8,0,2\n")
    assert shares(run("evaluate", "model.safetensors", "g.csv"))[0] == 1
    Path("g.csv").write_text("a,b,kind\n0,0,1\n8,0,3\n")
    assert "the label '3' is none of the model's classes, 1, 2, x" in run("evaluate", "model.safetensors", "g.csv", code=1)


def test_lines_are_counted_as_an_editor_does():
    """Empty ones too, and those inside quotation marks."""
    Path("f.csv").write_text('a,b\n\n\n1,"u\nv"\nx,w\n')
    assert "f.csv: line 6, column a: 'x' is no finite number" in run("train", "f.csv", code=1)


@pytest.mark.parametrize("content, message", [
    (b"a,b\n1,\xe9\n", r"f\.csv: can't be read as CSV \('utf-8' codec"),
    (b"a,b\n1,u\nnan,v\n2,u\n", r"f\.csv: line 3, column a: 'nan' is no finite number"),
    (b"a,b\n1,u\n1e999,v\n2,u\n", r"f\.csv: line 3, column a: '1e999' is no finite number"),
    (b"a,b\n1,u\n,v\n", r"f\.csv: line 3, column a: '' is no finite number.*drop what is missing"),
    (b"1,2,u\n1,x,v\n", r"f\.csv: line 2, column 2: 'x' is no finite number"),
    (b"label,b,c\nu,1,2\nv,1,x\n", r"f\.csv: line 3, column c: 'x' is no finite number"),
])  # fmt: skip
def test_tables_that_can_not_be_read(content, message):
    Path("f.csv").write_bytes(content)
    assert re.search(message, run("train", "f.csv", code=1))


@pytest.mark.parametrize("names", [["a", "b", "c"], [True, False, True], [0.0, 1.0, 7.0]], ids=str)
def test_arrays_of_labels_of_any_type(names):
    X, y = blobs(60)
    np.savez("f.npz", X=X, y=np.array(names)[y])
    run("train", "f.npz", "--epochs", 50)
    run("evaluate", "model.safetensors", "f.npz")
    assert set(ag.learn.load("model.safetensors")[0].classes_.tolist()) == set(names)


def test_a_plain_array_under_the_name_of_many():
    with open("f.npz", "wb") as file:
        np.save(file, np.zeros((3, 2)))
    assert "f.npz: can't be read as an .npz file" in run("train", "f.npz", code=1)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("damage", [
    lambda c: c[:-30],
    lambda c: c[: len(c) // 2],
    lambda c: c[:300] + b"\xff" * 60 + c[360:],
    lambda c: c[:3],
    lambda c: b"",
])  # fmt: skip
def test_a_damaged_file_of_arrays(save, damage):
    X, y = blobs(300)
    save("f.npz", X=X, y=y)
    Path("f.npz").write_bytes(damage(Path("f.npz").read_bytes()))
    assert "Error: f.npz: " in run("train", "f.npz", code=1)


@pytest.mark.parametrize("change, message", [
    (lambda X, y: {"X": X, "y": y[:-1]}, "f.npz: 60 examples, 59 labels"),
    (lambda X, y: {"X": X, "y": y, "X_test": X}, "f.npz: holds one of X_test and y_test"),
    (lambda X, y: {"X": X, "y": y, "X_test": X, "y_test": y[:2]}, "f.npz: 60 examples, 2 labels"),
    (lambda X, y: {"X": X, "y": y, "X_test": X[:, :1], "y_test": y}, "f.npz: X has 2 features, X_test has 1: there must be as many in both"),
    (lambda X, y: {"X": X, "y": np.eye(3)[y]}, "f.npz, 48 examples to train: y has the shape (48, 3), one label for each example is expected: write y.argmax(axis=1)"),
    (lambda X, y: {"X": X.astype(str), "y": y}, "numbers are expected"),
    (lambda X, y: {"images": X, "labels": y}, "holds images, labels; the arrays X and y are expected"),
])  # fmt: skip
def test_arrays_that_do_not_go_together(change, message):
    np.savez("f.npz", **change(*blobs(60)))
    assert message in run("train", "f.npz", code=1)


def test_what_is_standardized_in_training_is_so_afterwards():
    """A feature in other units: what the model file says of it is what NumPy says."""
    X, y = blobs(200)
    X[:, 1] = 1e6 + 1e3 * X[:, 1]
    np.savez("f.npz", X=X, y=y, X_test=X, y_test=y)
    output = run("train", "f.npz", "--standardize", "--epochs", 50)
    assert shares(output)[1] > 0.97 and shares(run("evaluate", "model.safetensors", "f.npz"))[0] == shares(output)[1]
    _, kept = ag.learn.load("model.safetensors")
    np.testing.assert_allclose(kept["mean"], X.mean(axis=0))
    np.testing.assert_allclose(kept["scale"], 1 / X.std(axis=0))


def test_a_constant_feature():
    X, y = blobs(60)
    np.savez("f.npz", X=np.c_[X, np.full(60, 3.0)], y=y)
    assert shares(run("train", "f.npz", "--standardize", "--epochs", 50))[0] > 0.97


def test_a_seed_reproduces_the_file():
    files = []
    for seed in (1, 1, 2):
        run("train", "digits", "--epochs", 1, "--seed", seed, "-o", "m")
        files.append(Path("m").read_bytes())
    assert files[0] == files[1] != files[2]


def test_without_validation_the_last_weights_are_kept():
    assert "weights of the last epoch, 2" in run("train", "digits", "--epochs", 2, "--validation", 0)


def test_the_epoch_of_the_weights_that_reached_the_target():
    """The file tells the epoch of the weights that it holds: where the training ended, not where validation was best."""
    words = ["--learning-rate", 100, "--batch-size", 16, "--evaluations-per-epoch", 8, "--epochs", 10, "--target-accuracy", 0.9]
    run("train", "digits", *words)
    model, _ = ag.learn.load("model.safetensors")
    data, W, epoch = ag.datasets.digits(), model.coef_, model.best_epoch_
    assert model.score(data.X_test, data.y_test) >= 0.9
    seen = {}

    def reached(evaluation, model):
        seen[evaluation.epoch] = model.coef_
        return model.score(data.X_test, data.y_test) >= 0.9

    model.set_params(callback=reached).fit(data.X_train, data.y_train)
    assert epoch == max(seen) and np.array_equal(seen[epoch], W)
    assert model.best_epoch_ < epoch, "the two differ here"


def test_a_test_part_of_its_own():
    X, y = blobs(60)
    np.savez("f.npz", X=X, y=y)
    assert "30 examples to train, 30 to test" in run("train", "f.npz", "--test-fraction", 0.5, "--epochs", 5)


@pytest.mark.parametrize("words", [
    ["--solver", "newton"], ["--epochs", 0], ["--batch-size", 0], ["--validation", 1], ["--test-fraction", 0],
    ["--target-accuracy", 2], ["--folder", "absent"], ["--learning-rate", "fast"], ["--unknown"], ["-o", "."],
    ["--momentum", 1.5], ["--l2", -1], ["--learning-rate", 0], ["--learning-rate", "nan"], ["--l2", "inf"], ["--validation", "nan"],
    ["--seed", -1],
], ids=str)  # fmt: skip
def test_options_that_make_no_sense(words):
    """Wrong use ends with 2, as everywhere, and names the option."""
    output = run("train", "digits", *words, code=2)
    assert words[0] in output.replace("--output", "-o") and "Usage: ag train" in output


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_steps_that_are_too_long():
    """What to write is said in the words of the shell, and NumPy's warnings do not come before it."""
    output = run("train", "digits", "--learning-rate", 1e308, code=1)
    assert output.splitlines()[-1].endswith("the steps are too long. Give a smaller --learning-rate, or --standardize the features")
    words = [sys.executable, "-m", "ag", "train", "digits", "--learning-rate", "1e308"]
    result = subprocess.run(words, capture_output=True, text=True, env=environment())
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1


@pytest.mark.parametrize("path, message", [
    ("absent/m", "absent/m: can't be written, as the folder {}/absent is not there"),
    ("file/m", "file/m: can't be written, as the folder {}/file is no folder"),
])  # fmt: skip
@pytest.mark.parametrize("words", [["train", "digits", "-o"], ["explain", "x", "x=1", "--html"], ["draw", "x", "x=1", "-o"]], ids=" ".join)
def test_where_nothing_can_be_written(monkeypatch, here, path, message, words):
    """It is said before the work."""
    for place in ("ag.learn.LinearClassifier.fit", "ag.explanation.parsing.parse"):
        monkeypatch.setattr(place, lambda *_: pytest.fail("the work was begun"))
    Path("file").write_text("")
    ending = "" if words[0] == "train" else ".html"
    expected = message.replace("/m:", f"/m{ending}:").format(here)
    assert run(*words, path + ending, code=1) == f"Error: {expected}\n"
    assert os.listdir() == ["file"]


def test_what_reads_the_output_may_stop():
    """As `head` does: no message of a broken pipe."""
    words = [sys.executable, "-m", "ag", "explain", "+".join(f"sin({i}*x)" for i in range(900)), "x=1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()) as process:
        process.stdout.close()
        assert process.stderr.read() == ""


def test_a_folder_without_mnist(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "empty lacks train-images-idx3-ubyte.gz" in run("train", "mnist", "--folder", "empty", code=1)


@pytest.mark.parametrize("place", ["ag.learn.linear.checked_examples", "ag.learn.solvers.Sgd.step"])
def test_an_interrupt_before_anything_is_learned(monkeypatch, place):
    """Nothing to keep, so an older model stays as it is."""

    def interrupt(*arguments):
        raise KeyboardInterrupt

    Path("model.safetensors").write_bytes(b"an older one")
    monkeypatch.setattr(place, interrupt)
    result = CliRunner().invoke(command, ["train", "digits"])
    assert result.exit_code == 130 and "nothing is kept" in result.output
    assert Path("model.safetensors").read_bytes() == b"an older one"


# ---------------------------------------------------------------------- images


@pytest.fixture
def pictures(monkeypatch):
    """Pillow, a model of digits of 8 × 8 pixels, and a drawing."""
    image = pytest.importorskip("PIL.Image")
    run("train", "digits", "--epochs", 5, "-o", "m")
    drawing = np.zeros((200, 150), np.uint8)
    drawing[40:160, 60:80] = 255
    return image, drawing


def test_predict():
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


def test_what_is_no_image():
    image = pytest.importorskip("PIL.Image")
    run("train", "digits")
    Path("p.png").write_text("not an image")
    assert "p.png: not an image that can be read" in run("predict", "model.safetensors", "p.png", code=1)
    image.new("L", (50, 50), 255).save("blank.png")
    assert "blank.png: nothing is drawn on it" in run("predict", "model.safetensors", "blank.png", code=1)


def test_a_drawing_is_the_same_wherever_it_stands(pictures):
    """Size of the paper, place on it, and which of pen and paper is dark do not change the probabilities."""
    image, drawing = pictures
    variants = {
        "a.png": drawing, "b.png": 255 - drawing, "c.png": np.pad(drawing, ((0, 80), (70, 0))), "d.png": np.stack([drawing] * 3, axis=-1),
        "e.bmp": drawing, "f.gif": drawing,
    }  # fmt: skip
    for name, pixels in variants.items():
        image.fromarray(pixels).save(name)
    output = run("predict", "m", *variants)
    blocks = [re.findall(r"^ +\d +([\d.]+ %)", block, re.M) for block in re.split(r"^\S+: ", output, flags=re.M)[1:]]
    assert len(blocks) == len(variants) and all(len(block) == 10 and block == blocks[0] for block in blocks)


def test_the_probabilities_on_the_screen_are_the_models(pictures):
    image, _ = pictures
    data = ag.datasets.digits()
    pixels = np.rint(255 * data.X_test[3]).astype(np.uint8)
    image.fromarray(pixels.reshape(8, 8)).save("a.png")
    p = ag.learn.load("m")[0].predict_proba(pixels[None] / 255)[0]
    shown = re.findall(r"^ +(\d) +([\d.]+) % *(\S*)$", run("predict", "m", "a.png"), re.M)
    np.testing.assert_allclose([float(x) for _, x, _ in shown], 100 * p, atol=0.00501)
    assert [b for *_, b in shown] == [bar(float(x)) for x in p]


@pytest.mark.parametrize("damage", [
    lambda c: c[: len(c) // 2],
    lambda c: c[:60] + bytes([c[60] ^ 255]) + c[61:],
    lambda c: c[:20],
    lambda c: b"",
])  # fmt: skip
def test_a_damaged_image_is_named(pictures, damage):
    image, drawing = pictures
    image.fromarray(drawing).save("a.png")
    Path("a.png").write_bytes(damage(Path("a.png").read_bytes()))
    assert re.search(r"Error: a\.png: (a damaged image|not an image that can be read)", run("predict", "m", "a.png", code=1))


def test_an_image_that_is_not_there(pictures):
    assert "absent.png: No such file or directory" in run("predict", "m", "absent.png", code=1)


def test_tables_stand_in_columns():
    assert table([("a", 1), ("long", 234)], ("", "n")).splitlines() == ["           n", "  ────   ───", "  a        1", "  long   234"]
    assert table([("x", "y")]) == "  x   y"


@pytest.mark.parametrize("share", np.linspace(0, 1, 33))
def test_a_bar_has_the_length_of_its_share(share):
    """Whole blocks and one part of a block, in eighths."""
    text = bar(share)
    part = " ▏▎▍▌▋▊▉".find(text[-1]) if text and text[-1] != "█" else 0
    assert text.count("█") + part / 8 == pytest.approx(40 * share, abs=1 / 16)


def test_no_progress_bar_in_a_file():
    result = subprocess.run([sys.executable, "-m", "ag", "train", "digits", "--epochs", "2"], capture_output=True, text=True, env=environment())
    assert result.returncode == 0 and result.stderr == "" and "\r" not in result.stdout


def in_a_terminal(columns, *words, interrupt=None):
    """What a command writes to a terminal, both its streams, and its code. It is interrupted when ``interrupt`` has come."""
    import fcntl
    import pty
    import struct
    import termios

    outside, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    command = [sys.executable, "-c", INTERRUPTIBLE, *words]
    process = subprocess.Popen(command, stdout=inside, stderr=inside, env={**environment(), "PYTHONUNBUFFERED": "1"})
    os.close(inside)
    shown = b""
    try:
        while piece := os.read(outside, 4096):
            shown += piece
            if interrupt is not None and interrupt in shown.decode(errors="ignore"):
                process.send_signal(signal.SIGINT)
                interrupt = None
    except OSError:  # the other end is closed
        pass
    finally:
        process.kill()  # where the test failed before
        os.close(outside)
    return shown.decode().replace("\r\n", "\n"), process.wait()


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminal")
@pytest.mark.parametrize("columns", [80, 60])
def test_the_progress_in_a_terminal(columns):
    """Its counts, and the losses at the last evaluation; a line that is one character short of wrapping at most."""
    output, code = in_a_terminal(columns, "train", "digits", "--epochs", "3")
    assert code == 0
    _, first, *later = output.partition("\n\n")[0].split("\r")
    assert first.startswith("  epoch 0 of 3 ") and "epoch 3 of 3 █" in later[-1]
    assert all(len(line) < columns for line in (first, *later))
    pattern = r"  epoch 3 of 3 █+ \d\d:\d\d, loss \d\.\d{4}, validation loss \d\.\d{4}, accuracy [\d.]+ %"
    if columns == 80:
        assert re.fullmatch(pattern, later[-1]), output


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminal")
def test_an_interrupt_leaves_the_line_once():
    output, code = in_a_terminal(80, "train", "digits", "--epochs", "100000", interrupt="epoch 3 of")
    assert code == 130
    lines = output.split("\n")
    assert [i for i, line in enumerate(lines) if "epoch 0 of 100000" in line] == [1]
    assert lines[2].startswith("stopped after epoch ")


def environment():
    """The package under test for another process, whether it is installed or not."""
    source = str(Path(ag.__file__).parent.parent)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])]), "PYTHONIOENCODING": "utf-8"}


@pytest.mark.parametrize("missing, words, extra", [
    ("safetensors.numpy", ["train", "digits", "--epochs", "1"], "cli"),
    ("scipy.optimize", ["train", "digits", "--solver", "lbfgs"], "learn"),
])  # fmt: skip
def test_what_to_install(monkeypatch, missing, words, extra):
    """It is said before the work."""
    monkeypatch.setattr("ag.learn.linear._Progress.evaluate", lambda *_: pytest.fail("the work was begun"))
    monkeypatch.setitem(sys.modules, missing, None)
    assert f"pip install 'ag-autodiff[{extra}]'" in run(*words, code=1)


def test_what_to_install_for_images(monkeypatch, pictures):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert "pip install 'ag-autodiff[cli]'" in run("predict", "m", "a.png", code=1)


def test_help_at_once():
    """Neither data nor the file system is touched before the arguments are known."""
    assert run("-h") == run("--help")
    for name in ("train", "evaluate", "predict", "explain", "draw", "quiz"):
        output = run(name, "-h")
        assert max(map(len, output.splitlines())) <= 80 and f"ag {name} " in output
        options = command.commands[name].params
        assert all(option.help for option in options if option.param_type_name == "option"), "each option is explained"
    assert max(map(len, run("-h").splitlines())) <= 80 and "..." not in run("-h").partition("Commands:")[2]
    assert not os.listdir()


def test_bars_are_in_proportion():
    assert bar(1.0) == "█" * 40 and bar(0.5) == "█" * 20 and bar(0.0) == "" and bar(1 / 320) == "▏"


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


# ---------------------------------------------------------------------- formulas

RUNNING = ["log(1+exp(-(x+y)))*(x+y)", "x=2", "y=1"]


def test_explain():
    output = run("explain", *RUNNING)
    lines = [line.split("   ")[0].strip() for line in output.splitlines()]
    assert lines[0] == "f: 8 quantities, 2 of them leaves"
    definitions = ["x", "y", "z1 + z2", "-z3", "e^z4", "1 + z5", "log z6", "z7 · z3"]
    assert lines[3:11] == [f"z{i} = {definition}" for i, definition in enumerate(definitions, 1)]
    assert "∂f/∂z7 = ∂f/∂z8 · ∂z8/∂z7 = 1 · z3 = 1 · 3 = 3" in lines and "-0.09369" in lines[-1]
    assert "✓" not in output and ".py" not in output, "no line of a program made it"


@pytest.mark.parametrize("form", ["markdown", "latex"])
def test_explain_as(form):
    explanation = ag.explain(parse(RUNNING[0], {"x": 2.0, "y": 1.0}))
    assert run("explain", *RUNNING, f"--{form}") == getattr(explanation, form)() + "\n"


def test_explain_checked():
    output = run("explain", *RUNNING, "--check")
    assert output.count("✓") == 8 and "✗" not in output
    assert run("explain", "--check", *RUNNING) == output, "options may stand anywhere"
    assert run("explain", RUNNING[0], "--check", *RUNNING[1:]) == output


def test_explain_finds_a_row_that_is_wrong(monkeypatch):
    wrong = (lambda ans, x: 1.001 * ag.cos(x),)
    monkeypatch.setattr(TABLE["sin"].rule, "partials", wrong)
    monkeypatch.setattr(TABLE["sin"], "partials", wrong)
    output = run("explain", "sin(x)*x", "x=1", "--check", code=1)
    assert "✗" in output and output.endswith("Error: 1 of the numbers are not those of finite differences\n")


def test_explain_many_quantities_one_by_one():
    terms = "+".join(f"sin({i}*x)" for i in range(1, 41))
    output = run("explain", terms, "x=1")
    assert "×" not in output and "z120 =" in output


@pytest.mark.parametrize("words", [
    ["-x**2", "x=-3"], ["-cosh(x)", "x=1"], ["-h*o", "h=2", "o=-1"], ["--x*2", "x=1"], ["--", "-x", "x=1"], ["-o", "o=-1"], ["-1-x", "x=-1e-3"],
], ids=str)  # fmt: skip
def test_a_formula_may_begin_with_a_minus(words):
    assert re.match(r"f: \d quantities, [12] of them", run("explain", *words))


@pytest.mark.parametrize("command_name", ["explain", "draw", "quiz"])
@pytest.mark.parametrize("words, message", [
    (["x*lgo(y)", "x=1", "y=2"], "there is no function lgo: did you mean log?\n  x*lgo(y)\n    ^^^"),
    (["x*y", "x=1"], "the variable y has no value: add y=...\n  x*y\n    ^"),
    (["x*(y", "x=1", "y=2"], "'(' is never closed\n  x*(y\n    ^"),
    (["x", "x=1", "y=2"], "y does not occur in the expression, its variable is x: leave out y=...\n  x\n  ^"),
    (["x", "x"], "a value is given as NAME=NUMBER, such as x=2\n  x\n  ^"),
    (["x", "x=a"], "x: a is not a number\n  x=a\n    ^"),
    (["x", "y", "x=1"], "a value is given as NAME=NUMBER, such as x=2\n  y\n  ^"),
    (["__import__('os').system('touch broken')"], "nothing has attributes here: write functions and variables by their names alone\n  __import__('os').system('touch broken')\n  ^^^^^^^^^^^^^^^^^^^^^^^"),
])  # fmt: skip
def test_errors_in_formulas_show_the_place(command_name, words, message):
    assert run(command_name, *words, code=1) == f"Error: {message}\n"
    assert not list(Path().iterdir())


@pytest.mark.parametrize("words, message", [
    (["1/x", "x=0"], "the output is inf; the derivative by x is -inf, as 1 is divided by 0: "),
    (["x*log(x)", "x=0"], "the output is nan; the derivative by x is nan, as the logarithm of 0 is -inf: write xlogy(x, x)\n  x*log(x)\n    ^^^^^^"),
    (["sqrt(x)", "x=0"], "the derivative by x is inf, as sqrt has an infinite derivative at x = 0: "),
    (["x + log(y-2)", "x=0", "y=1"], "the output is nan, as a negative number, -1, has no logarithm, in what was computed for subtract: check where y - 2 comes from"),
])  # fmt: skip
def test_a_division_by_zero(words, message):
    """All is shown, as IEEE has it; then the place is."""
    output = run("explain", *words, code=1)
    assert "forward" in output and f"\nError: {message}" in output
    assert "nonfinite" not in output and "\n! " not in output, "it is said once"


def test_what_does_no_harm_is_no_error():
    run("explain", "where(x > 0, sqrt(x), x)", "x=-1")
    run("explain", "sum([x, 2])", "x=-inf")


def test_a_vector_has_no_derivative():
    output = run("explain", "softmax([a, b])", "a=1", "b=2", "--check", code=1)
    assert "0.7311" in output
    assert output.endswith("Error: a derivative is that of one number, these are 2: take one, as in p[0], or their sum\n  softmax([a, b])\n  ^^^^^^^^^^^^^^^\n")


def test_a_softmax_of_three_classes():
    output = run("explain", "cross_entropy([z1, z2, z3], 0)", "z1=1", "z2=2", "z3=0.5", "--check")
    assert "p - e_y" in output and "✗" not in output
    assert "-log" in run("explain", "cross_entropy(z @ W, y)", "z=1,2", "W=[[1,2,3],[0,-1,1]]", "y=2")


def test_a_warning_is_one_line():
    """It is said once: by the explanation if that says it, else beside the output."""
    words = ["cross_entropy(softmax([x, y]), 0)", "x=1", "y=2"]
    for more in ([], ["--markdown"], ["--latex"], ["--html", "f.html"]):
        result = CliRunner().invoke(command, ["explain", *words, *more])
        beside = more not in ([], ["--markdown"])
        assert len(re.findall("^Warning: cross_entropy takes logits.*$", result.stderr, re.M)) == result.stderr.count("takes logits") == beside
        assert len(re.findall("^[!>] cross(\\\\)?_entropy takes logits", result.stdout, re.M)) == result.stdout.count("takes logits") == (not beside)
    assert run("draw", *words, "-o", "g.dot").startswith("Warning: cross_entropy takes logits")


def test_help_of_formulas():
    for name in ("explain", "draw", "quiz"):
        output = run(name, "--help")
        assert RUNNING[0] in output and "logsumexp" in output and run(name, "-h") == output
        assert "convolution" not in output and f"ag {name} --functions" in output
    assert RUNNING[0] in run("--help")


def test_the_list_of_functions():
    """All that a formula may call and that somebody may know by this name, once."""
    output = run("explain", "--functions")
    assert run("quiz", "--functions") == run("draw", "x", "x=1", "--functions") == output
    listed = [word for line in output.splitlines() if line.startswith("  ") for word in line.split()]
    assert len(set(listed)) == len(listed) > 150
    unknown = set(names()) - set(listed)
    assert {"p_norm", "spherical_bessel", "convolution", "fractional_part"} <= unknown
    assert not unknown & {*dir(ag), *dir(ag.special), *dir(ag.fft), *dir(np)} - {"fft"} and set(listed) < set(names())
    assert set(USUAL.split()) < set(listed) and "erf" in output.partition("Special functions")[2]


@pytest.mark.parametrize("words", [["explain"], ["quiz"], ["explain", "x", "x=1", "--latx"], ["explain", "x", "x=1", "--html"], ["draw", "x", "x=1", "-o"]], ids=str)
def test_wrong_use_of_explain_and_draw(words):
    assert f"Usage: ag {words[0]}" in run(*words, code=2)


@pytest.mark.parametrize("ending", ["svg", "png", "pdf", "dot", "mmd", "html"])
def test_draw(ending):
    path = f"graph.{ending}"
    assert run("draw", *RUNNING, "-o", path) == f"{RUNNING[0]} is drawn in {path}\n"
    drawn = Path(path).read_bytes()
    assert drawn
    backward = run("draw", *RUNNING, "--backward", f"--output=back.{ending}")
    assert "back" in backward
    assert (Path(f"back.{ending}").read_bytes() == drawn) == (ending == "html"), "the page has both passes"


def test_draw_by_default_and_elsewhere():
    assert "graph.svg" in run("draw", *RUNNING)
    assert Path("graph.svg").read_text().count("<svg") == 1
    assert "the ending says what to write" in run("draw", *RUNNING, "-o", "graph.gif", code=1)


def test_what_can_be_drawn_without_graphviz(monkeypatch):
    monkeypatch.setattr("ag.explanation.layout.installed", lambda: False)
    output = run("draw", *RUNNING, code=1)
    assert "pip install 'ag-autodiff[draw]'" in output and output.endswith("-o graph.dot, -o graph.mmd\n")
    run("draw", *RUNNING, "-o", "graph.dot")


def test_quiz():
    """What is typed is marked; the end of the input ends it."""
    output = run("quiz", *RUNNING, typed="1\nz3\n3\n?\n")
    assert "z8 = z7 · z3" in output and "∂f/∂z8 = " in output and "✓ 3" in output
    assert "✗ ∂f/∂z7 is passed on as it arrives" in output and "∂z7/∂z6   where z7 = log z6" in output
    assert output.endswith("2 of 8 found\n")
    assert "0.142" not in output, "what was not found is not shown"


def test_quiz_of_what_has_no_single_derivative():
    assert "a derivative is that of one number, these are 2" in run("quiz", "softmax([a, b])", "a=1", "b=2", code=1)


def test_a_page():
    assert run("explain", *RUNNING, "--html", "f.html") == f"{RUNNING[0]} is explained in f.html\n"
    page = Path("f.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>") and "http://" not in page.replace("http://www.w3.org/", "") and "src=" not in page
    result = CliRunner().invoke(command, ["explain", *RUNNING, "--latex", "--html", "f.html"])
    assert "is explained in f.html" in result.stderr and result.stdout.startswith(r"\documentclass")
    assert "f.gif: --html writes a file that ends in .html" in run("explain", *RUNNING, "--html", "f.gif", code=1)

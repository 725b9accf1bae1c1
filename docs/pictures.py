"""The pictures of the documents, drawn by the library: `python docs/pictures.py` draws them anew."""

import sys
from pathlib import Path

import ag


def example():
    """f(x, y) = log(1 + e^{-(x + y)}) (x + y), differentiated."""
    x, y = ag.Scalar(2.0, label="x"), ag.Scalar(1.0, label="y")
    s = x + y
    f = ag.log(1 + ag.exp(-s)) * s
    f.backward()
    return f


def main(folder):
    f = example()
    ag.draw(f).save(folder / "graph.svg")
    ag.draw(f, backward=True).save(folder / "backward.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images")

"""`ag predict`: images as the classifier was trained on them."""

from __future__ import annotations

from typing import Any

import click
import numpy as np

from .judging import opened
from .screen import bar, percent

FILLED = 20 / 28  # MNIST's digits fill this share of their frame


def run(path: str, images: tuple[str, ...]) -> None:
    """Print the label and the probabilities of each image."""
    model, prepare, _ = opened(path)
    if prepare.frame is None:
        raise ValueError(f"{path}: this model was not trained on images, so it can't take one")
    for image in images:
        p = model.predict_proba(prepare(_read(image, prepare.frame)[None]))[0]
        best = int(p.argmax())
        click.echo(f"{image}: {model.classes_[best]}  ({percent(p[best])})\n")
        width = max(len(str(name)) for name in model.classes_)
        for name, share in zip(model.classes_, p, strict=True):
            click.echo(f"  {name!s:>{width}}  {percent(share):>8}  {bar(float(share))}")
        click.echo()


def _read(path: str, frame: tuple[int, int]) -> Any:
    """An image file as the training images are: light on dark, in a frame, in [0, 1], one row of numbers.

    An image of another size is cut to what is drawn, scaled to MNIST's share of the frame and centred by its mass.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise ImportError("reading images needs Pillow: pip install 'ag-autodiff[cli]'") from None
    try:
        with Image.open(path) as file:
            rgba = file.convert("RGBA")
            paper = Image.new("RGBA", rgba.size, "white")
            grey = Image.alpha_composite(paper, rgba).convert("L")
    except UnidentifiedImageError:
        raise ValueError(f"{path}: not an image that can be read") from None
    except (OSError, SyntaxError) as error:  # Pillow's words for a damaged file, without its name
        if isinstance(error, OSError) and error.filename:
            raise
        raise ValueError(f"{path}: a damaged image ({error})") from None
    pixels = np.asarray(grey, dtype=np.float32) / 255
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    if np.median(edge) > 0.5:  # dark on light, as on paper
        pixels = 1 - pixels
    if pixels.shape == frame:
        return pixels.ravel()
    drawn = np.argwhere(pixels > 0.25)
    if not len(drawn):
        raise ValueError(f"{path}: nothing is drawn on it: all pixels are of one brightness")
    (top, left), (bottom, right) = drawn.min(axis=0), drawn.max(axis=0) + 1
    cut = Image.fromarray((255 * pixels[top:bottom, left:right]).astype(np.uint8))
    scale = FILLED * min(frame[0] / cut.height, frame[1] / cut.width)
    small = cut.resize((max(1, round(cut.width * scale)), max(1, round(cut.height * scale))), Image.Resampling.LANCZOS)
    mass = np.asarray(small, dtype=np.float32) / 255
    total = max(float(mass.sum()), 1e-6)
    centre = [float((mass.sum(axis=1 - k) * np.arange(mass.shape[k])).sum()) / total for k in (0, 1)]
    start = [
        int(np.clip(round((frame[k] - 1) / 2 - centre[k]), 0, frame[k] - mass.shape[k])) for k in (0, 1)
    ]
    result = np.zeros(frame, np.float32)
    result[start[0] : start[0] + mass.shape[0], start[1] : start[1] + mass.shape[1]] = mass
    return result.ravel()

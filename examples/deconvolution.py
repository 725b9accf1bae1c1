"""A blurred picture made sharp again: deconvolution by FFT, with a penalty that keeps edges.

Minimised is ½ ‖blur(x) - seen‖² + λ Σ √(|∇x|² + ε²), where the blur is a product in the frequency domain and the penalty is
the smoothed total variation (Rudin, Osher & Fatemi 1992).
"""

import sys

import needed  # noqa: F401
import numpy as np
from scipy.optimize import minimize

import ag

SIZE = 64


def transfer():
    """The Fourier transform of a Gaussian blur of two pixels."""
    f = np.fft.fftfreq(SIZE)
    return np.exp(-2 * (np.pi * 2.0) ** 2 * (f[:, None] ** 2 + f[: SIZE // 2 + 1][None, :] ** 2))


def blurred(x, h):
    return np.fft.irfft2(np.fft.rfft2(x) * h, s=(SIZE, SIZE))


def cost(flat, seen, h, weight=2e-3, smooth=1e-2):
    """The misfit and the total variation: plain NumPy."""
    x = flat.reshape(SIZE, SIZE)
    misfit = 0.5 * np.sum((blurred(x, h) - seen) ** 2)
    down, right = x - np.roll(x, 1, axis=0), x - np.roll(x, 1, axis=1)
    return misfit + weight * np.sum(np.sqrt(down**2 + right**2 + smooth**2))


value_and_gradient = ag.value_and_grad(cost)  # the line that was added


def picture():
    """A disc, a ring and a bar."""
    y, x = np.mgrid[:SIZE, :SIZE]
    r = np.hypot(x - 22, y - 24)
    image = 0.8 * (r < 11.0) + 0.5 * (np.abs(np.hypot(x - 44, y - 40) - 10) < 2.5)
    image[50:55, 8:34] = 1.0
    return image


def run(iterations=150):
    """What is true, what is seen, and what is found."""
    true, h = picture(), transfer()
    seen = blurred(true, h) + 0.01 * np.random.default_rng(0).normal(size=true.shape)
    result = minimize(
        value_and_gradient, seen.ravel(), args=(seen, h), jac=True, method="L-BFGS-B",
        bounds=[(0.0, 1.2)] * SIZE**2, options={"maxiter": iterations},
    )  # fmt: skip
    return true, seen, result.x.reshape(SIZE, SIZE)


def draw(path):
    import matplotlib.pyplot as plt

    true, seen, found = run()
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
    for axis, image, name in zip(axes, (true, seen, found), ("true", "seen", "found"), strict=True):
        error = np.sqrt(np.mean((image - true) ** 2))
        axis.imshow(image, cmap="gray", vmin=0, vmax=1.1)
        axis.set_title(name if name == "true" else f"{name}, error {error:.3f}", fontsize=11)
        axis.axis("off")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    draw(sys.argv[1] if len(sys.argv) > 1 else "deconvolution.png")

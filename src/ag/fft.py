"""The Fourier transforms of NumPy, differentiable: ``ag.fft.fft(x)``. NumPy's own work on nodes as well: ``np.fft.fft(x)``.

>>> x = ag.Tensor([1.0, 2.0, 3.0, 4.0])
>>> power = ag.sum(ag.abs(ag.fft.fft(x)) ** 2)  # Parseval: 4 Σ x²
>>> power.backward()
>>> x.grad
array([ 8., 16., 24., 32.])
"""

from __future__ import annotations

from numpy.fft import fftfreq as fftfreq, rfftfreq as rfftfreq

from .operators.fourier import (
    fft as fft,
    fft2 as fft2,
    fftn as fftn,
    fftshift as fftshift,
    hfft as hfft,
    ifft as ifft,
    ifft2 as ifft2,
    ifftn as ifftn,
    ifftshift as ifftshift,
    ihfft as ihfft,
    irfft as irfft,
    irfft2 as irfft2,
    irfftn as irfftn,
    rfft as rfft,
    rfft2 as rfft2,
    rfftn as rfftn,
)

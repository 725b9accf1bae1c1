"""MNIST from its public mirror, each file checked before it gets its name."""

from __future__ import annotations

import os

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"

# Of the compressed files on the mirror.
CHECKSUMS = {
    "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
}


def fetch(folder: str, mirror: str = MIRROR, checksums: dict[str, str] = CHECKSUMS) -> str:
    """Download the four files into ``folder`` and return it.

    A file is written under another name and moved to its own only when its checksum is right.
    Raises ImportError when pooch is missing; OSError when the mirror can't be reached or sends something else.
    """
    try:
        import pooch
    except ImportError:
        raise ImportError(
            "MNIST was not found here, and downloading it needs pooch: pip install 'ag-autodiff[data]', "
            "or set AG_DATA to a folder that holds the four files"
        ) from None
    os.makedirs(folder, exist_ok=True)
    for name, checksum in checksums.items():
        try:
            pooch.retrieve(mirror + name, known_hash=checksum, fname=name, path=folder, progressbar=False)
        except ValueError as error:  # pooch's word for a wrong checksum; it has removed the file
            raise OSError(f"{mirror}{name} is not the file that was expected ({error}): nothing was kept") from None
        except OSError as error:
            raise OSError(
                f"MNIST could not be downloaded from {mirror} ({error}): "
                f"set AG_DATA to a folder that holds the four files"
            ) from error
    return folder

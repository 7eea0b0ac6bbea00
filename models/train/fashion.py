# SPDX-License-Identifier: Apache-2.0
"""Fashion-MNIST as the nets see it: 28x28 grey pixels in the middle of 32x32."""

import gzip
from pathlib import Path

import numpy as np
import torch

# Where Debian's package dataset-fashion-mnist puts the four files of the data set.
DEFAULT_FOLDER = Path("/usr/share/datasets/fashion-mnist")
SIZE = 32
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def read_idx(path: Path) -> np.ndarray:
    """Reads an IDX file of unsigned bytes: two zero bytes, type 8, rank, big-endian sizes, data."""
    data = gzip.decompress(path.read_bytes())
    if data[:3] != b"\0\0\x08":
        raise ValueError(f"{path}: expected an IDX file of unsigned bytes, got header {data[:4]!r}")
    rank = data[3]
    shape = np.frombuffer(data, ">i4", rank, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def read_split(folder: Path, split: str) -> "tuple[np.ndarray, np.ndarray]":
    """
    Reads `train` (60,000) or `t10k` (10,000).

    Returns pixels u8 [N,32,32] and labels u8 [N]. Two rows or columns of zeros (the data set's
    own background) stand on each side of the original 28x28: no pixel is resampled.
    """
    pixels = read_idx(folder / f"{split}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz")
    border = (SIZE - pixels.shape[1]) // 2
    return np.pad(pixels, ((0, 0), (border, border), (border, border))), labels


def normalize(pixels: torch.Tensor) -> torch.Tensor:
    """u8 [N,32,32] -> f32 [N,3,32,32]: preset `tf`, x / 127.5 - 1, grey repeated to 3 channels."""
    grey = pixels.to(torch.float32) / 127.5 - 1.0
    return grey.unsqueeze(1).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


def mirror_some(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirrors each image left to right with probability 1/2."""
    mirrored = torch.rand(len(pixels), 1, 1, generator=generator) < 0.5
    return torch.where(mirrored, pixels.flip(2), pixels)

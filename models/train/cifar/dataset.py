# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10 from a folder of JPEG files: `train/<class>/*.jpg` and `test/<class>/*.jpg`, 32x32 RGB."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

# Folder names in alphabetical order are the class numbers.
CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
# Zeros around an image before a random 32x32 part of it is taken (He et al. 2015, section 4.2).
CROP_MARGIN = 4


def read_split(folder: Path, split: str, cache: Path) -> "tuple[torch.Tensor, torch.Tensor]":
    """
    Pixels u8 [N, 3, 32, 32] and labels i64 [N], in the order of class and file name.

    Decoding 60,000 files takes a minute, so pixels are kept in `cache`.
    """
    file = cache / f"cifar10-{split}.npz"
    if not file.exists():
        pixels, labels = [], []
        for label, name in enumerate(CLASSES):
            for image in sorted((folder / split / name).glob("*.jpg")):
                pixels.append(np.asarray(Image.open(image).convert("RGB")))
                labels.append(label)
        if not pixels:
            raise SystemExit(f"{folder / split}: expected folders {', '.join(CLASSES)} with .jpg files")
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(file, pixels=np.stack(pixels).transpose(0, 3, 1, 2), labels=np.array(labels))
    data = np.load(file)
    return torch.from_numpy(data["pixels"]), torch.from_numpy(data["labels"])


def normalize(pixels: torch.Tensor) -> torch.Tensor:
    """Preset `tf`: x / 127.5 - 1."""
    return (pixels.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def augment(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirrors half of the images and takes a random 32x32 part of each, four zeros around it."""
    count = len(pixels)
    mirrored = torch.rand(count, generator=generator) < 0.5
    pixels = torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)
    padded = torch.nn.functional.pad(pixels, [CROP_MARGIN] * 4)
    offsets = torch.randint(0, 2 * CROP_MARGIN + 1, (2, count), generator=generator)
    rows = (offsets[0][:, None] + torch.arange(32))[:, None, :, None]
    columns = (offsets[1][:, None] + torch.arange(32))[:, None, None, :]
    images = torch.arange(count)[:, None, None, None]
    return padded[images, torch.arange(3)[None, :, None, None], rows, columns]

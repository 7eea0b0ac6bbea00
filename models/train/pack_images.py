#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Packs the images that come with lastbit: the first 1,000 of Fashion-MNIST's test set and the first
200 of its training set (for calibration), as plain .npy files.

    python3 models/train/pack_images.py --out models/fashion
"""

import argparse
from pathlib import Path

import numpy as np

import fashion

PACKS = (("test", "t10k", 1000), ("calibration", "train", 200))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=fashion.DEFAULT_FOLDER)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, split, count in PACKS:
        pixels, labels = fashion.read_split(options.data, split)
        np.save(options.out / f"{name}-images.npy", pixels[:count, :, :, np.newaxis])
        np.save(options.out / f"{name}-labels.npy", labels[:count])
    (options.out / "classes.txt").write_text("".join(f"{name}\n" for name in fashion.CLASSES))


if __name__ == "__main__":
    main()

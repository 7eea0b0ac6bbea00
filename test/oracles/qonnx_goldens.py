#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goldens of qonnx's MultiThreshold, which FINN's activations are.

    pip install qonnx==1.0.0
    python test/oracles/qonnx_goldens.py test/golden/hardware/qonnx.json

Thresholds are made here from fractions: code k is reached from ceil((k - 1/2) * so / (si * sw)) on.
"""
import base64
import json
import sys
from fractions import Fraction
from math import ceil

import numpy as np
from qonnx.custom_op.general.multithreshold import multithreshold


def b64(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def scale(rng, dyadic, least, greatest):
    value = float(np.exp(rng.uniform(np.log(least), np.log(greatest))))
    return float(np.float32(2.0 ** round(np.log2(value)) if dyadic else value))


def case(rng, number):
    dyadic, signed, relu = number % 2 == 1, number % 3 == 0, number % 4 == 2
    ic, oc, side = int(rng.integers(1, 9)), int(rng.integers(1, 9)), 5
    least, greatest = (-128, 127) if signed else (0, 255)
    x = {"dtype": "s8" if signed else "u8", "shape": [1, ic, side, side], "zeroPoint": 0}
    x["scale"] = scale(rng, dyadic, 0.01, 0.1)
    codes = rng.integers(least, greatest + 1, (1, ic, side, side))
    weight = rng.integers(-127, 128, (oc, ic)).astype(np.int8)
    scales = [scale(rng, dyadic, 0.002, 0.02) for _ in range(oc)]
    reach = x["scale"] * scales[0] * 8192 * ic
    y = {"dtype": x["dtype"], "shape": [1, oc, side, side], "zeroPoint": 0}
    y["scale"] = scale(rng, dyadic, reach / 600, reach / 200)
    bias = rng.integers(-20000, 20000, oc)
    lowest = max(least, 0) if relu else least
    thresholds = np.array([
        [
            ceil(Fraction(2 * k - 1, 2) * Fraction(y["scale"]) / (Fraction(x["scale"]) * Fraction(s)))
            for k in range(lowest + 1, greatest + 1)
        ]
        for s in scales
    ])
    sums = np.einsum("oc,nchw->nohw", weight.astype(np.int64), codes) + bias[:, None, None]
    out = multithreshold(sums.astype(np.float64), thresholds.astype(np.float64), 1.0, lowest)
    kind = np.int8 if signed else np.uint8
    return {
        "target": "finn",
        "name": f"conv {number}",
        "op": "conv",
        "values": {"x": x, "y": y},
        "kernel": [1, 1],
        "pads": [0, 0, 0, 0],
        "group": 1,
        "fullyConnected": False,
        "relu": relu,
        "weight": {"shape": [oc, ic, 1, 1], "scales": scales, "data": b64(weight)},
        "bias": [int(b) for b in bias],
        "input": b64(np.moveaxis(codes, 1, -1).astype(kind)),
        "expected": b64(np.moveaxis(out, 1, -1).astype(kind)),
    }


def main(path):
    rng = np.random.default_rng(1)
    provenance = {
        "script": "test/oracles/qonnx_goldens.py",
        "qonnx": "1.0.0",
        "licence": "generated data; no third-party content",
    }
    goldens = {"provenance": provenance, "cases": [case(rng, number) for number in range(24)]}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(goldens, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])

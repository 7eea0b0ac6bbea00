#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""LiteRT's ADD over all 65,536 pairs of 8-bit codes, as whole vectors and in rows of 7 codes, which
fill none.

    python test/oracles/add_goldens.py test/golden/hardware/add.json

Near-ties of sums are rare (50 to 180 pairs of scales that have any), so noise does not find them.
An image has the first operand as channel 0 and the second as channel 1; convolutions with factor 1
pick them.
"""
import base64
import hashlib
import importlib.metadata
import json
import pathlib
import sys

import numpy as np

import tie_models
import tflite_run
from tie_models import OPS, File, middle, options

CODES = {'s8': np.int8, 'u8': np.uint8}
SCALES = {'thirds': (0.1, 0.7, 0.12), 'apart': (0.3, 1 / 64, 0.3), 'halves': (0.5, 1.0, 1.0)}


def pick(file, x, dtype, shape, channel, scale, weight_scale, zeros):
    weights = np.zeros((1, 1, 1, 2)) + (7 if dtype == 'u8' else 0)
    weights[0, 0, 0, channel] += 1
    kind = 'u8' if dtype == 'u8' else 's8'
    w = file.add_tensor(f'w{channel}', kind, (1, 1, 1, 2), weight_scale, 7 if dtype == 'u8' else 0, weights)
    out = np.float32(np.float32(scale) * np.float32(weight_scale))
    b = file.add_tensor(f'b{channel}', 's32', [1], out, 0, [0])
    y = file.add_tensor(f'operand{channel}', dtype, shape, out, zeros)
    file.add_operator(OPS.CONV_2D, [x, w, b], [y], tie_models.conv_options('Conv2DOptions'), 3)
    return y


def model(dtype, rows, columns, scales):
    scale, weight_scale, scale_out = scales
    mid = middle(dtype)
    # The operands' zero points differ, so that convolutions keep all codes: x less its own.
    file = File()
    x = file.add_tensor('x', dtype, [1, rows, columns, 2], scale, mid)
    shape = [1, rows, columns, 1]
    a = pick(file, x, dtype, shape, 0, scale, 1.0, mid)
    b = pick(file, x, dtype, shape, 1, scale, weight_scale, mid)
    y = file.add_tensor('y', dtype, shape, scale_out, mid - 2)
    chosen = options('AddOptions', fusedActivationFunction=0, potScaleInt16=False)
    file.add_operator(OPS.ADD, [a, b], [y], chosen, 2)
    return file.finish(x, y)


def pairs(dtype):
    """[65536, 2]: the first code slowly, the second fast."""
    codes = np.arange(256) + (0 if dtype == 'u8' else -128)
    grid = np.meshgrid(codes, codes, indexing='ij')
    return np.stack([part.ravel() for part in grid], -1).astype(CODES[dtype])


def run(file, dtype, columns):
    """SHA-256 of the sums of all pairs; what is left of 7 codes at the end is left out."""
    data = pairs(dtype)
    images = data.reshape(1, 1, 256, 256, 2)
    if columns == 7:
        images = data[: len(data) // 7 * 7].reshape(-1, 1, 1, 7, 2)
    results = {}
    for runtime, (_, resolver) in tflite_run.RUNTIMES.items():
        try:
            oracle = (
                tflite_run.Micro(file)
                if resolver is None
                else tflite_run.LiteRt(file, resolver, 1)
            )
            last = tflite_run.activations(tflite_run.unpack(file).subgraphs[0])
            digest = hashlib.sha256()
            for image in images:
                digest.update(np.ascontiguousarray(oracle.run(image, last)[-1]).tobytes())
            results[runtime] = digest.hexdigest()
        except (RuntimeError, ValueError):
            results[runtime] = None
    return results


def main(path):
    cases = []
    for dtype in ('s8', 'u8'):
        for name, scales in SCALES.items():
            for rows, columns in ((256, 256), (1, 7)):
                file = model(dtype, rows, columns, scales)
                cases.append({
                    'name': f'{name}-{dtype}-{columns}',
                    'dtype': dtype,
                    'columns': columns,
                    'model': base64.b64encode(file).decode(),
                    'sums': run(file, dtype, columns),
                })
    packages = sorted({package for package, _ in tflite_run.RUNTIMES.values()})
    provenance = {
        'script': 'test/oracles/add_goldens.py',
        'packages': [f'{name} {importlib.metadata.version(name)}' for name in packages],
        'licence': 'generated data; no third-party content',
    }
    record = {'provenance': provenance, 'cases': cases}
    pathlib.Path(path).write_text(json.dumps(record, indent=1) + '\n')


if __name__ == '__main__':
    main(sys.argv[1])

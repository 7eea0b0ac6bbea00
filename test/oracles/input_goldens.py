# SPDX-License-Identifier: Apache-2.0
"""Makes test/golden/litert/inputs.json: how each TFLite runtime turns float32 inputs into codes.

    python input_goldens.py [OUT]

Each case is one QUANTIZE of seeded values near and on ties: (code + 0, 1/4 or 1/2) times the scale.
Versions: requirements/litert.txt.
"""
import base64
import importlib.metadata
import json
import pathlib
import sys

import numpy as np

import tflite_run
from tie_models import File, OPS, TYPES, schema, stream

SCALES = (1 / 128, 0.00784314, 0.000183, 0.03137)
COUNT = 512


def quantizer(dtype, scale, zero):
    file = File()
    x = file.add_tensor('x', dtype, [1, 1, 1, COUNT], None, 0)
    file.graph.tensors[x].type = schema.TensorType.FLOAT32
    y = file.add_tensor('y', dtype, [1, 1, 1, COUNT], scale, zero)
    file.add_operator(OPS.QUANTIZE, [x], [y], schema.QuantizeOptionsT(), 2)
    return file.finish(x, y)


def codes_of(model, runtime, reals):
    resolver = tflite_run.RUNTIMES[runtime][1]
    if resolver is None:
        oracle = tflite_run.Micro(model)
    else:
        oracle = tflite_run.LiteRt(model, resolver, 1)
    graph = tflite_run.unpack(model).subgraphs[0]
    return oracle.run(reals, [int(graph.outputs[0])])[0].tobytes()


def text(data):
    return base64.b64encode(data).decode()


def case(dtype, scale):
    limits = np.iinfo(TYPES[dtype][1])
    zero = 0 if dtype == 's16' else int(limits.min) + 131
    rng = stream(f'{dtype} {scale}')
    steps = rng.integers(limits.min, limits.max + 1, COUNT) - zero + rng.choice([0, 0.25, 0.5, 0.5], COUNT)
    reals = (steps.astype(np.float32) * np.float32(scale)).reshape(1, 1, 1, COUNT)
    model = quantizer(dtype, scale, zero)
    results = {}
    for runtime in tflite_run.RUNTIMES:
        try:
            results[runtime] = text(codes_of(model, runtime, reals))
        except (RuntimeError, ValueError):
            pass  # TFLite Micro does not write u8 here
    return {'dtype': dtype, 'scale': float(np.float32(scale)), 'zeroPoint': zero,
            'reals': text(reals.tobytes()), 'results': results}


def main():
    packages = [f'{name} {importlib.metadata.version(name)}' for name in ('ai-edge-litert', 'tflite-micro')]
    golden = {
        'provenance': {
            'command': 'python test/oracles/input_goldens.py',
            'packages': packages,
            'licence': "Apache-2.0; lastbit's own, from seeds",
        },
        'cases': [case(dtype, scale) for dtype in ('u8', 's8', 's16') for scale in SCALES],
    }
    committed = pathlib.Path(__file__).parent.parent / 'golden/litert/inputs.json'
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else committed
    target.write_text(json.dumps(golden, indent=1) + '\n')


main()

# SPDX-License-Identifier: Apache-2.0
"""Turns a folder of tflite_run.py or ort_run.py into a golden: hashes of every tensor, no codes.

    python record_golden.py FOLDER GOLDEN NOISE IMAGES DATASET

NOISE and IMAGES are what inputs.cjs was given; DATASET is its folder below LASTBIT_DATA, or the
golden whose last tensor was the input.
"""
import json
import pathlib
import sys

folder, golden, noise, images, dataset = sys.argv[1:]
dump = json.loads((pathlib.Path(folder) / 'tensors.json').read_text())
record = {
    'provenance': {
        'commands': [
            f'node inputs.cjs HEIGHT WIDTH TYPE {noise} {images} {dataset} > codes.bin',
            f'python tflite_run.py {dump["model"]["file"]} {dump["runtime"]} codes.bin OUT',
            f'python record_golden.py OUT GOLDEN {noise} {images} {dataset}',
        ],
        'runtime': dump['runtime'],
        'version': dump['version'],
        'model': dump['model'],
    },
    'inputs': {'noise': int(noise), 'images': int(images), 'dataset': dataset, 'sha256': dump['inputs']},
    'values': sum(t['values'] for t in dump['tensors']),
    'tensors': {t['name']: t['sha256'] for t in dump['tensors']},
}
pathlib.Path(golden).parent.mkdir(parents=True, exist_ok=True)
pathlib.Path(golden).write_text(json.dumps(record, indent=1) + '\n')

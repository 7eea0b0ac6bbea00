#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Integer files in ONNX's own reference evaluator: every tensor against the engine's codes.

    node test/exactness/integer-form.cjs --dump FOLDER --count 1 MODEL...
    python test/oracles/integer_form.py FOLDER

The evaluator is NumPy written from the operators' definitions, so it shares no kernel with
onnxruntime. FOLDER holds NAME.onnx, NAME.json (input and expected tensors, NCHW) for each file.
Exits with 1 where a value differs.
"""
import json
import pathlib
import sys

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator


def compare(path):
    """Returns the numbers of values compared and differing."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    case = json.loads(path.with_suffix('.json').read_text())
    image = np.array(case['input'], np.float32).reshape(case['shape'])
    names = list(case['expected'])
    results = ReferenceEvaluator(model).run(names, {model.graph.input[0].name: image})
    compared = differing = 0
    for name, result in zip(names, results):
        expected = np.array(case['expected'][name], np.int64)
        compared += expected.size
        wrong = np.count_nonzero(result.astype(np.int64).reshape(-1) != expected)
        differing += int(wrong)
        if wrong:
            print(f'{path.name} {name}: {wrong} of {expected.size}')
    return compared, differing


def main(folder):
    files = sorted(pathlib.Path(folder).glob('*.onnx'))
    totals = [compare(path) for path in files]
    compared, differing = (sum(column) for column in zip(*totals))
    print(f'{len(files)} files, {compared} values compared, {differing} differ')
    return 1 if differing or not compared else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))

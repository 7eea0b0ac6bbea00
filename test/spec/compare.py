# SPDX-License-Identifier: Apache-2.0
"""
Runs every NAME.lbp of a folder on NAME.codes and compares with NAME.json, which spec.test.ts and
programs.cjs write: { "taps": { tensor: sha256 of its codes }, "trap": [layer, element, value] or null }.
Prints what differs and, last, a line of JSON with the counts. Exits with 1 where anything differs.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

import lbp


def compare(file):
    """Number of codes compared, and names of what differs."""
    program = lbp.read_program(file.read_bytes())
    expected = json.loads(file.with_suffix(".json").read_text())
    types = {tensor["name"]: lbp.DTYPES[tensor["type"]] for tensor in program["tensors"]}
    given = program["tensors"][program["input"]]
    codes = np.frombuffer(file.with_suffix(".codes").read_bytes(), types[given["name"]])
    trap = None
    try:
        values = lbp.run(program, codes)
    except lbp.Trap as caught:
        trap, values = [caught.args[0], caught.args[1], str(caught.args[2])], caught.tensors
    differing = [] if trap == expected["trap"] else [f"trap {trap}, expected {expected['trap']}"]
    compared = 0
    for name, sha256 in expected["taps"].items():
        own = values.get(name)
        if own is None:
            differing.append(f"{name} is missing")
            continue
        compared += own.size
        own = own.astype(types[name])
        if hashlib.sha256(own.tobytes()).hexdigest() != sha256:
            differing.append(name)
    return compared, differing


def main():
    files = sorted(Path(sys.argv[1]).glob("*.lbp"))
    codes, wrong = 0, 0
    for file in files:
        compared, differing = compare(file)
        codes += compared
        if differing:
            wrong += 1
            print(f"{file.name}: {'; '.join(differing[:3])}")
    print(json.dumps({"programs": len(files), "codes": codes, "differing": wrong}))
    sys.exit(1 if wrong else 0)


main()

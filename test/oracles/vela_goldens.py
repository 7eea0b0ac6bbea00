#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Register values that Arm's Vela compiler computes for the Ethos-U from scales.

    pip install ethos-u-vela==5.2.0
    python test/oracles/vela_goldens.py test/golden/hardware/vela.json
"""
import json
import sys

import numpy as np
from ethosu.vela import scaling


def scales(rng, count, dyadic):
    values = np.exp(rng.uniform(np.log(0.002), np.log(0.2), count))
    return [float(np.float32(2.0 ** round(np.log2(v)) if dyadic else v)) for v in values]


def main(path):
    rng = np.random.default_rng(1)
    convs, adds, muls = [], [], []
    for number in range(60):
        si, sw, so = scales(rng, 3, number % 3 == 0)
        f32 = np.float32
        wide = np.double(si) * np.double(sw) / np.double(so)
        narrow = np.double(f32(si) * f32(sw)) / np.double(f32(so))
        convs.append({
            "scales": [si, sw, so],
            "s8": scaling.quantise_scale(wide),
            "u8": scaling.quantise_scale(narrow),
        })
        muls.append({"scales": [si, sw, so], "out": scaling.elementwise_mul_scale(si, sw, so)})
        scale, shift, out_scale, out_shift, operand = scaling.advanced_elementwise_add_sub_scale(
            f32(si), f32(sw), f32(so), 8
        )
        adds.append({
            "scales": [si, sw, so],
            "in": [scale, shift],
            "out": [out_scale, out_shift],
            "operand": int(operand) - 1,
        })
    pools = [{"n": n, "out": scaling.quantise_pooling_scale(n)} for n in range(1, 260)]
    provenance = {
        "script": "test/oracles/vela_goldens.py",
        "ethos-u-vela": "5.2.0",
        "licence": "generated data; no third-party content",
    }
    goldens = {"provenance": provenance, "convs": convs, "adds": adds, "muls": muls, "pools": pools}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(goldens, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])

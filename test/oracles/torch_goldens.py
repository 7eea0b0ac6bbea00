#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goldens of PyTorch's QNNPACK and FBGEMM engines: one-operator cases, codes in and codes out.

    pip install torch==1.13.1 'numpy<2'
    python test/oracles/torch_goldens.py test/golden/hardware/torch.json

FBGEMM adds pairs of products in 16 bits on x86 without VNNI. Cases of `fbgemm` have activations of
7 bits, which cannot saturate; those of `fbgemm-avx2` have 8 and were recorded on such a machine.
"""
import base64
import json
import sys

import numpy as np
import torch

ENGINES = {"qnnpack": "qnnpack", "fbgemm": "fbgemm", "fbgemm-avx2": "fbgemm"}


def b64(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def nhwc(array):
    return np.moveaxis(array, 1, -1)


def scale(rng, dyadic, least, greatest):
    value = float(np.exp(rng.uniform(np.log(least), np.log(greatest))))
    return float(np.float32(2.0 ** round(np.log2(value)) if dyadic else value))


def tensor(codes, value):
    made = torch._make_per_tensor_quantized_tensor(
        torch.from_numpy(codes), value["scale"], value["zeroPoint"]
    )
    return made.contiguous(memory_format=torch.channels_last)


def codes_of(made):
    return made.int_repr().numpy()


def activation(rng, shape, target, dyadic, extreme):
    greatest = 127 if target == "fbgemm" else 255
    value = {
        "dtype": "u8",
        "shape": list(shape),
        "scale": scale(rng, dyadic, 0.01, 0.1),
        "zeroPoint": int(rng.integers(0, greatest + 1)),
    }
    if extreme:
        return value, rng.choice([0, greatest], shape).astype(np.uint8)
    return value, rng.integers(0, greatest + 1, shape).astype(np.uint8)


def conv_case(rng, target, op, dyadic, extreme, relu):
    ic, oc = int(rng.integers(1, 5)) * 4, int(rng.integers(1, 4)) * 4
    kernel = int(rng.choice([1, 3])) if op != "linear" else 1
    group = 1
    if op == "depthwise":
        oc, group, kernel = ic, ic, 3
    side = 1 if op == "linear" else 6
    x, codes = activation(rng, (1, ic, side, side), target, dyadic, extreme)
    per_channel = op != "linear" and rng.random() < 0.5
    scales = [scale(rng, dyadic, 0.002, 0.02) for _ in range(oc if per_channel else 1)]
    shape = (oc, ic // group, kernel, kernel)
    low, high = (-128, 127) if target != "qnnpack" else (-127, 127)
    weight = (
        rng.choice([low, high], shape) if extreme else rng.integers(low, high + 1, shape)
    ).astype(np.int8)
    reach = 128 * 64 * (ic // group) * kernel * kernel
    y = {
        "dtype": "u8",
        "scale": scale(rng, dyadic, x["scale"] * scales[0] * reach / 600, x["scale"] * scales[0] * reach / 200),
        "zeroPoint": int(rng.integers(0, 256)),
    }
    bias = rng.integers(-20000, 20000, oc)
    bias_scale = np.float64(x["scale"]) * np.resize(np.float64(scales), oc)
    real_bias = torch.from_numpy((bias * bias_scale).astype(np.float32))
    made = torch.from_numpy(weight if op != "linear" else weight.reshape(oc, ic))
    if per_channel:
        made = torch._make_per_channel_quantized_tensor(
            made, torch.tensor(scales, dtype=torch.float64), torch.zeros(oc, dtype=torch.int64), 0
        )
    else:
        made = torch._make_per_tensor_quantized_tensor(made, scales[0], 0)
    ops = torch.ops.quantized
    pad = kernel // 2
    if op == "linear":
        packed = ops.linear_prepack(made, real_bias)
        run = ops.linear_relu if relu else ops.linear
        flat = torch._make_per_tensor_quantized_tensor(
            torch.from_numpy(codes.reshape(1, ic)), x["scale"], x["zeroPoint"]
        )
        out = codes_of(run(flat, packed, y["scale"], y["zeroPoint"])).reshape(1, oc, 1, 1)
    else:
        packed = ops.conv2d_prepack(made, real_bias, [1, 1], [pad, pad], [1, 1], group)
        run = ops.conv2d_relu if relu else ops.conv2d
        out = codes_of(run(tensor(codes, x), packed, y["scale"], y["zeroPoint"]))
    y["shape"] = list(out.shape)
    return {
        "op": "conv",
        "values": {"x": x, "y": y},
        "kernel": [kernel, kernel],
        "pads": [pad] * 4,
        "group": group,
        "fullyConnected": op == "linear",
        "relu": relu,
        "weight": {"shape": list(shape), "scales": scales, "data": b64(weight)},
        "bias": [int(b) for b in bias],
        "input": b64(nhwc(codes)),
        "expected": b64(nhwc(out)),
    }


def add_case(rng, target, dyadic):
    shape = (1, 16, 8, 8)
    a, left = activation(rng, shape, "qnnpack", dyadic, False)
    b, right = activation(rng, shape, "qnnpack", dyadic, False)
    y, _ = activation(rng, shape, "qnnpack", dyadic, False)
    out = torch.ops.quantized.add(tensor(left, a), tensor(right, b), y["scale"], y["zeroPoint"])
    return {
        "op": "add",
        "values": {"a": a, "b": b, "y": y},
        "input": b64(nhwc(np.concatenate([left, right], 1))),
        "expected": b64(nhwc(codes_of(out))),
    }


def pool_case(rng, target, side, window):
    x, codes = activation(rng, (1, 32, side, side), "qnnpack", False, False)
    functional = torch.nn.functional
    if window is None:
        out = codes_of(functional.adaptive_avg_pool2d(tensor(codes, x), (1, 1)))
    else:
        out = codes_of(functional.avg_pool2d(tensor(codes, x), window, stride=1))
    return {
        "op": "globalPool" if window is None else "averagePool",
        "values": {"x": x, "y": {**x, "shape": list(out.shape)}},
        "kernel": [side, side] if window is None else [window, window],
        "input": b64(nhwc(codes)),
        "expected": b64(nhwc(out)),
    }


def cases_of(target, seed):
    torch.backends.quantized.engine = ENGINES[target]
    rng = np.random.default_rng(seed)
    for op in ("pointwise", "depthwise", "linear"):
        for number in range(8):
            dyadic, extreme = number % 2 == 1, number >= 6
            case = conv_case(rng, target, op, dyadic, extreme, number % 3 == 0)
            yield {"name": f"{op} {number}", **case}
    if target == "fbgemm-avx2":
        return
    for number in range(6):
        yield {"name": f"add {number}", **add_case(rng, target, number % 2 == 1)}
    for side, window in ((7, None), (4, None), (3, None), (6, 2), (6, 3), (8, 4)):
        yield {"name": f"pool {side} {window}", **pool_case(rng, target, side, window)}


def main(path):
    cases = [
        {"target": target, **case}
        for seed, target in enumerate(ENGINES, 1)
        for case in cases_of(target, seed)
    ]
    provenance = {
        "script": "test/oracles/torch_goldens.py",
        "torch": torch.__version__.split("+")[0],
        "cpu": "x86-64 with AVX2 and without VNNI (AMD Zen 3)",
        "licence": "generated data; no third-party content",
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"provenance": provenance, "cases": cases}, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])

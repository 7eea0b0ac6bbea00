#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goldens of Arm's TOSA reference model: one-operator networks as TFLite is lowered to TOSA.

    pip install tosa-tools==2026.8.0
    python test/oracles/tosa_goldens.py test/golden/hardware/tosa.json

The model computes CONV2D, DEPTHWISE_CONV2D, RESCALE, ADD, REDUCE_SUM and AVG_POOL2D; multipliers
and shifts are made here, in doubles, as TensorFlow's lowering to TOSA makes them.
"""
import base64
import json
import math
import sys

import numpy as np
import tosa_reference_model
import tosa_serializer as ts

ROUNDING = {"tosa-single": ts.RoundingMode.SINGLE_ROUND, "tosa-double": ts.RoundingMode.DOUBLE_ROUND}


def b64(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def multiplier(real):
    q, exponent = math.frexp(real)
    m = math.floor(q * 2**31 + 0.5)
    return (m // 2, 30 - exponent) if m == 2**31 else (m, 31 - exponent)


class Network:
    """A TOSA graph under construction, on int8 NHWC tensors."""

    def __init__(self, rounding):
        self.graph = ts.TosaSerializer()
        self.rounding = rounding
        self.inputs = []

    def name(self, tensor):
        return tensor.name

    def input(self, codes):
        tensor = ts.TosaSerializerTensor(f"input{len(self.inputs)}", list(codes.shape), ts.DType.INT8)
        self.graph.addInputTensor(tensor)
        self.inputs.append(codes)
        return tensor

    def constant(self, values, dtype):
        values = np.asarray(values)
        return self.graph.addConst(list(values.shape), dtype, values)

    def operator(self, op, inputs, shape, dtype, fill):
        out = self.graph.addIntermediate(list(shape), dtype)
        attribute = ts.TosaSerializerAttribute()
        fill(attribute)
        self.graph.addOperator(op, [self.name(i) for i in inputs], [self.name(out)], attribute)
        return out

    def rescale(self, tensor, shape, dtype_in, dtype_out, factors, zero_in, zero_out):
        pairs = [multiplier(factor) for factor in factors]
        inputs = [
            tensor,
            self.constant(np.array([m for m, _ in pairs], np.int32), ts.DType.INT32),
            self.constant(np.array([s for _, s in pairs], np.int8), ts.DType.INT8),
            self.constant(np.array([zero_in], dtype_in[1]), dtype_in[0]),
            self.constant(np.array([zero_out], dtype_out[1]), dtype_out[0]),
        ]
        return self.operator(
            ts.Op.RESCALE,
            inputs,
            shape,
            dtype_out[0],
            lambda a: a.RescaleAttribute(True, self.rounding, len(pairs) > 1, False, False),
        )

    def run(self, output):
        self.graph.addOutputTensor(output)
        outputs, status = tosa_reference_model.run(self.graph.serialize(), self.inputs)
        if status != tosa_reference_model.GraphStatus.TOSA_VALID:
            raise RuntimeError(f"the reference model says {status}")
        return outputs[0]


INT8 = (ts.DType.INT8, np.int8)
INT32 = (ts.DType.INT32, np.int32)


def scale(rng, dyadic, least, greatest):
    value = float(np.exp(rng.uniform(np.log(least), np.log(greatest))))
    return float(np.float32(2.0 ** round(np.log2(value)) if dyadic else value))


def value_of(rng, shape, dyadic, extreme=False):
    n, h, w, c = shape
    value = {
        "dtype": "s8",
        "shape": [n, c, h, w],
        "scale": scale(rng, dyadic, 0.01, 0.1),
        "zeroPoint": int(rng.integers(-128, 128)),
    }
    codes = rng.choice([-128, 127], shape) if extreme else rng.integers(-128, 128, shape)
    return value, codes.astype(np.int8)


def conv_case(rng, rounding, depthwise, dyadic, extreme):
    ic = int(rng.integers(1, 9))
    oc = ic if depthwise else int(rng.integers(1, 9))
    kernel, side = 3 if depthwise else int(rng.choice([1, 3])), 6
    x, codes = value_of(rng, (1, side, side, ic), dyadic, extreme)
    per = 1 if depthwise else ic
    weight = rng.choice([-127, 127], (oc, kernel, kernel, per)) if extreme else rng.integers(
        -127, 128, (oc, kernel, kernel, per)
    )
    weight = weight.astype(np.int8)
    scales = [scale(rng, dyadic, 0.002, 0.02) for _ in range(oc)]
    reach = x["scale"] * scales[0] * 8192 * per * kernel * kernel
    y = {"dtype": "s8", "scale": scale(rng, dyadic, reach / 600, reach / 200)}
    y["zeroPoint"] = int(rng.integers(-128, 128))
    y["shape"] = [1, oc, side, side]
    bias = rng.integers(-20000, 20000, oc).astype(np.int32)
    pad = kernel // 2
    net = Network(rounding)
    order = np.moveaxis(weight, 0, 2) if depthwise else weight
    if depthwise:
        order = order[:, :, :, 0][:, :, :, None]
    inputs = [
        net.input(codes),
        net.constant(order, ts.DType.INT8),
        net.constant(bias, ts.DType.INT32),
        net.constant(np.array([x["zeroPoint"]], np.int8), ts.DType.INT8),
        net.constant(np.array([0], np.int8), ts.DType.INT8),
    ]
    op = ts.Op.DEPTHWISE_CONV2D if depthwise else ts.Op.CONV2D

    def fill(a):
        make = a.DepthwiseConv2dAttribute if depthwise else a.Conv2dAttribute
        make([pad] * 4, [1, 1], [1, 1], False, ts.DType.INT32)

    shape = (1, side, side, oc)
    sums = net.operator(op, inputs, shape, ts.DType.INT32, fill)
    factors = [x["scale"] * s / y["scale"] for s in scales]
    out = net.run(net.rescale(sums, shape, INT32, INT8, factors, 0, y["zeroPoint"]))
    return {
        "op": "conv",
        "values": {"x": x, "y": y},
        "kernel": [kernel, kernel],
        "pads": [pad] * 4,
        "group": ic if depthwise else 1,
        "fullyConnected": False,
        "relu": False,
        "weight": {
            "shape": [oc, per, kernel, kernel],
            "scales": scales,
            "data": b64(np.moveaxis(weight, -1, 1)),
        },
        "bias": [int(b) for b in bias],
        "input": b64(codes),
        "expected": b64(out),
    }


def add_case(rng, rounding, dyadic):
    shape = (1, 8, 8, 16)
    a, left = value_of(rng, shape, dyadic)
    b, right = value_of(rng, shape, dyadic)
    y, _ = value_of(rng, shape, dyadic)
    net = Network(rounding)
    twice = 2 * max(a["scale"], b["scale"])
    wide = [
        net.rescale(net.input(codes), shape, INT8, INT32, [v["scale"] / twice * 2**20], v["zeroPoint"], 0)
        for codes, v in ((left, a), (right, b))
    ]
    total = net.operator(ts.Op.ADD, wide, shape, ts.DType.INT32, lambda t: t.AddAttribute())
    factor = twice / (y["scale"] * 2**20)
    out = net.run(net.rescale(total, shape, INT32, INT8, [factor], 0, y["zeroPoint"]))
    return {
        "op": "add",
        "values": {"a": a, "b": b, "y": y},
        "input": b64(np.concatenate([left, right], -1)),
        "expected": b64(out),
    }


def window_case(rng, rounding, side, window):
    x, codes = value_of(rng, (1, side, side, 32), False)
    net = Network(rounding)
    zero = np.array([x["zeroPoint"]], np.int8)
    inputs = [net.input(codes)] + [net.constant(zero, ts.DType.INT8) for _ in range(2)]
    left = side - window + 1
    out = net.run(
        net.operator(
            ts.Op.AVG_POOL2D,
            inputs,
            (1, left, left, 32),
            ts.DType.INT8,
            lambda a: a.AvgPool2dAttribute([window] * 2, [1, 1], [0] * 4, ts.DType.INT32),
        )
    )
    return {
        "op": "averagePool",
        "values": {"x": x, "y": {**x, "shape": [1, 32, left, left]}},
        "kernel": [window, window],
        "input": b64(codes),
        "expected": b64(out),
    }


def mean_case(rng, rounding, side):
    x, codes = value_of(rng, (1, side, side, 64), side % 2 == 0)
    y, _ = value_of(rng, (1, 1, 1, 64), side % 2 == 0)
    net = Network(rounding)
    wide = net.rescale(net.input(codes), codes.shape, INT8, INT32, [1.0], x["zeroPoint"], 0)
    for axis, shape in ((1, (1, 1, side, 64)), (2, (1, 1, 1, 64))):
        wide = net.operator(
            ts.Op.REDUCE_SUM, [wide], shape, ts.DType.INT32, lambda a, axis=axis: a.ReduceSumAttribute(axis)
        )
    factor = 1 / (side * side) * (x["scale"] / y["scale"])
    out = net.run(net.rescale(wide, (1, 1, 1, 64), INT32, INT8, [factor], 0, y["zeroPoint"]))
    return {
        "op": "globalPool",
        "values": {"x": x, "y": y},
        "kernel": [side, side],
        "input": b64(codes),
        "expected": b64(out),
    }


def cases_of(target, seed):
    rng, rounding = np.random.default_rng(seed), ROUNDING[target]
    for depthwise in (False, True):
        for number in range(10):
            case = conv_case(rng, rounding, depthwise, number % 2 == 1, number >= 8)
            yield {"name": f"{'depthwise' if depthwise else 'conv'} {number}", **case}
    for number in range(6):
        yield {"name": f"add {number}", **add_case(rng, rounding, number % 2 == 1)}
    for side, window in ((6, 2), (6, 3), (7, 7), (8, 4)):
        yield {"name": f"window {window}", **window_case(rng, rounding, side, window)}
    for side in (3, 4, 7, 8):
        yield {"name": f"mean {side}", **mean_case(rng, rounding, side)}


def main(path):
    cases = [
        {"target": target, **case}
        for seed, target in enumerate(ROUNDING, 1)
        for case in cases_of(target, seed)
    ]
    provenance = {
        "script": "test/oracles/tosa_goldens.py",
        "tosa-tools": "2026.8.0",
        "licence": "generated data; no third-party content",
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"provenance": provenance, "cases": cases}, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])

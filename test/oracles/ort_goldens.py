# SPDX-License-Identifier: Apache-2.0
"""Layers whose products onnxruntime pairs in an order of its own, as goldens.

    python test/oracles/ort_goldens.py test/golden/hardware/ort.json

To be run on x86 with AVX2 and without VNNI (or emulated: qemu-x86_64 -cpu Haswell python ...), where
pairs of u8 x s8 products saturate. Codes are NHWC, one image after the other.
"""
import base64
import json
import platform
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

IMAGES = 20
INPUT_SCALE, INPUT_ZERO, WEIGHT_SCALE, OUTPUT_ZERO = 1 / 32, 7, 1 / 128, 120
FLATTENED = {
    "flatten": {"image": (4, 3, 5), "outputs": 10},
    "flatten-odd": {"image": (3, 5, 3), "outputs": 6},
}
CONVOLUTIONS = {
    "grouped": {"image": (4, 3, 5), "outputs": 6, "group": 2},
    "depthwise": {"image": (4, 3, 5), "outputs": 4, "group": 4},
    "depthwise-twice": {"image": (4, 3, 5), "outputs": 8, "group": 4},
    "one-channel": {"image": (1, 5, 5), "outputs": 1, "group": 1},
    "one-to-many": {"image": (1, 5, 5), "outputs": 4, "group": 1},
}


def pair(nodes, real, codes, again, scale, zero):
    nodes.append(helper.make_node("QuantizeLinear", [real, scale, zero], [codes]))
    nodes.append(helper.make_node("DequantizeLinear", [codes, scale, zero], [again]))


def model(rng, image, outputs, group=None):
    channels, height, width = image
    shape = (outputs, channels // group, 3, 3) if group else (channels * height * width, outputs)
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    bias = rng.integers(-3000, 3000, outputs).astype(np.int32)
    constants = {
        "sx": np.float32(INPUT_SCALE), "zx": np.uint8(INPUT_ZERO),
        "sw": np.float32(WEIGHT_SCALE), "zw": np.int8(0),
        "sb": np.float32(INPUT_SCALE * WEIGHT_SCALE), "zb": np.int32(0),
        "sy": np.float32(1), "zy": np.uint8(OUTPUT_ZERO), "w": weights, "b": bias,
    }
    nodes = []
    pair(nodes, "x", "xq", "xd", "sx", "zx")
    nodes.append(helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["wd"]))
    nodes.append(helper.make_node("DequantizeLinear", ["b", "sb", "zb"], ["bd"]))
    if group:
        attributes = {"group": group, "pads": [1] * 4, "kernel_shape": [3, 3]}
        nodes.append(helper.make_node("Conv", ["xd", "wd", "bd"], ["y"], **attributes))
    else:
        nodes.append(helper.make_node("Flatten", ["xd"], ["f"], axis=1))
        pair(nodes, "f", "fq", "fd", "sx", "zx")
        nodes.append(helper.make_node("Gemm", ["fd", "wd", "bd"], ["y"]))
    pair(nodes, "y", "yq", "yd", "sy", "zy")
    result = (1, outputs, height, width) if group else (1, outputs)
    graph = helper.make_graph(
        nodes, "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, *image))],
        [helper.make_tensor_value_info("yd", TensorProto.FLOAT, result)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def text(codes):
    return base64.b64encode(np.ascontiguousarray(codes, np.uint8).tobytes()).decode()


def channels_last(codes):
    return codes.transpose(0, 2, 3, 1) if codes.ndim == 4 else codes


def case(rng, name, form):
    file = model(rng, **form).SerializeToString()
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    inputs = rng.integers(0, 256, (IMAGES, *form["image"]))
    reals = ((inputs - INPUT_ZERO) * INPUT_SCALE).astype(np.float32)
    # The output's scale is 1, so reals give its codes.
    results = np.concatenate([session.run(None, {"x": x[None]})[0] for x in reals]) + OUTPUT_ZERO
    return {
        "name": name,
        "model": base64.b64encode(file).decode(),
        "inputs": text(channels_last(inputs)),
        "expected": text(channels_last(results)),
    }


def main(out):
    rng = np.random.default_rng(41)
    provenance = {
        "script": "test/oracles/ort_goldens.py",
        "onnxruntime": onnxruntime.__version__,
        "onnx": onnx.__version__,
        "machine": f"{platform.machine()}, AVX2 without VNNI",
        "images": IMAGES,
    }
    forms = {**FLATTENED, **CONVOLUTIONS}
    cases = [case(rng, name, form) for name, form in forms.items()]
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"provenance": provenance, "cases": cases}, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])

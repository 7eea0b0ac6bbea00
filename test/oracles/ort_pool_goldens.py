# SPDX-License-Identifier: Apache-2.0
"""QLinearAveragePool and QLinearGlobalAveragePool (com.microsoft) of onnxruntime, as goldens.

    python test/oracles/ort_pool_goldens.py test/golden/hardware/ort-pools.json

Random windows, strides, pads, scales and zero points over u8 and s8, in halves with scales that are
powers of two, so that results fall on ties. Codes are NHWC.
"""
import base64
import json
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

CASES = 120


def text(codes):
    return base64.b64encode(np.ascontiguousarray(codes).tobytes()).decode()


def draw(rng, dyadic):
    """A pool: its window is smaller than the image, or it is the whole image."""
    kernel = [int(k) for k in rng.integers(1, 5, 2)]
    pads = [int(rng.integers(0, k)) for k in [*kernel, *kernel]]
    size = [int(rng.integers(k + 1, 9)) for k in kernel]
    scales = 2.0 ** rng.integers(-6, -1, 2) if dyadic else rng.uniform(0.01, 0.3, 2)
    return {
        "kernel": kernel,
        "strides": [int(s) for s in rng.integers(1, 4, 2)],
        "pads": pads,
        "size": size,
        "channels": int(rng.integers(1, 20)),
        "scaleIn": float(np.float32(scales[0])),
        "scaleOut": float(np.float32(scales[0] if rng.integers(0, 3) == 0 else scales[1])),
    }


def model(case, op, dtype, zeros):
    shape = (1, case["channels"], *case["size"])
    constants = {
        "sx": np.float32(case["scaleIn"]), "zx": np.array(zeros[0], dtype),
        "sy": np.float32(case["scaleOut"]), "zy": np.array(zeros[1], dtype),
    }
    attributes = {
        "kernel_shape": case["kernel"],
        "strides": case["strides"],
        "pads": case["pads"],
        "count_include_pad": 0,
    } if op == "QLinearAveragePool" else {}
    node = helper.make_node(op, ["x", "sx", "zx", "sy", "zy"], ["y"], domain="com.microsoft", **attributes)
    kind = TensorProto.UINT8 if dtype == np.uint8 else TensorProto.INT8
    graph = helper.make_graph(
        [node], "pool",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def golden(rng, index):
    case = draw(rng, dyadic=index % 2 == 0)
    op = "QLinearGlobalAveragePool" if index % 5 == 4 else "QLinearAveragePool"
    dtype = np.uint8 if index % 3 else np.int8
    least, greatest = np.iinfo(dtype).min, np.iinfo(dtype).max
    zeros = [int(z) for z in rng.integers(least, greatest + 1, 2)]
    codes = rng.integers(least, greatest + 1, (1, case["channels"], *case["size"])).astype(dtype)
    file = model(case, op, dtype, zeros).SerializeToString()
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    result = session.run(None, {"x": codes})[0]
    return {
        "model": base64.b64encode(file).decode(),
        "input": text(codes.transpose(0, 2, 3, 1)),
        "expected": text(result.transpose(0, 2, 3, 1)),
    }


def main(out):
    rng = np.random.default_rng(77)
    provenance = {
        "script": "test/oracles/ort_pool_goldens.py",
        "onnxruntime": onnxruntime.__version__,
        "onnx": onnx.__version__,
    }
    cases = [golden(rng, index) for index in range(CASES)]
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"provenance": provenance, "cases": cases}, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])

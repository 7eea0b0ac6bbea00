# SPDX-License-Identifier: Apache-2.0
"""Resize, LeakyRelu and Gelu between DequantizeLinear and QuantizeLinear, and QLinearLeakyRelu, of onnxruntime, as
goldens.

    python test/oracles/ort_operator_goldens.py test/golden/hardware/ort-operators.json

u8 and s8; optimizations as onnxruntime has them by default. Codes are NHWC.
"""
import base64
import json
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from ort_pool_goldens import text

SIZES = ((4, 5, 8, 10), (7, 5, 13, 17), (9, 9, 5, 4), (1, 3, 4, 3), (6, 10, 9, 7))
COORDINATES = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")
NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


def model(nodes, dtype, shape, constants, opset):
    kind = TensorProto.UINT8 if dtype == np.uint8 else TensorProto.INT8
    graph = helper.make_graph(
        nodes, "operator",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9 if opset > 18 else 8)


def quantization(dtype, scales, zeros):
    return {
        "sx": np.float32(scales[0]), "zx": np.array(zeros[0], dtype),
        "sy": np.float32(scales[1]), "zy": np.array(zeros[1], dtype),
    }


def between(op, extra=(), **attributes):
    """The operator between a pair."""
    return [
        helper.make_node("DequantizeLinear", ["x", "sx", "zx"], ["real"]),
        helper.make_node(op, ["real", *extra], ["result"], **attributes),
        helper.make_node("QuantizeLinear", ["result", "sy", "zy"], ["y"]),
    ]


def resize(dtype, sizes, zero, scales, **attributes):
    height, width, rows, columns = sizes
    nodes = between("Resize", ("", "", "sizes"), **attributes)
    shape = (1, 3, height, width)
    constants = {**quantization(dtype, scales, (zero, zero)), "sizes": np.array([1, 3, rows, columns])}
    return model(nodes, dtype, shape, constants, 19), shape


def function(dtype, scales, zeros, nodes, opset=20):
    shape = (1, 1, 16, 16)
    return model(nodes, dtype, shape, quantization(dtype, scales, zeros), opset), shape


def chain(dtype, shape, steps, constants):
    """Operators of equal scales with a pair behind each, as onnxruntime's quantizer writes them."""
    nodes, codes = [], "x"
    for i, (op, extra, attributes) in enumerate(steps):
        result = "y" if i == len(steps) - 1 else f"codes{i}"
        nodes += [
            helper.make_node("DequantizeLinear", [codes, "sx", "zx"], [f"real{i}"]),
            helper.make_node(op, [f"real{i}", *extra], [f"result{i}"], **attributes),
            helper.make_node("QuantizeLinear", [f"result{i}", "sx", "zx"], [result]),
        ]
        codes = result
    stated = {"sx": np.float32(0.125), "zx": np.array(130 if dtype == np.uint8 else 2, dtype), **constants}
    return model(nodes, dtype, shape, stated, 18), shape


def moving(dtype):
    shape = (1, 12, 3, 5)
    for groups in (2, 3):
        constants = {"split": np.array([1, groups, 12 // groups, 3, 5]), "joined": np.array([1, 12, 3, 5])}
        yield chain(dtype, shape, [
            ("Reshape", ["split"], {}), ("Transpose", [], {"perm": [0, 2, 1, 3, 4]}), ("Reshape", ["joined"], {}),
        ], constants)
    yield chain(dtype, shape, [("Gather", ["picked"], {"axis": 1})], {"picked": np.array([5, 0, -1, 3, 3])})
    yield chain(dtype, shape, [("GlobalMaxPool", [], {})], {})
    yield chain(dtype, shape, [("ReduceMax", ["axes"], {"keepdims": 1})], {"axes": np.array([2, 3])})
    yield chain(dtype, shape, [("ReduceMax", ["axes"], {"keepdims": 0})], {"axes": np.array([-1, 2])})


def with_functions(dtype):
    """The file names a pair with a LeakyRelu in it, whose slope is the caller's, and a function that calls it twice."""
    slope = onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    leaky = helper.make_node("LeakyRelu", ["real"], ["bent"])
    leaky.attribute.append(slope)
    opsets = [helper.make_opsetid("", 16), helper.make_opsetid("own", 1)]
    bend = helper.make_function(
        "own", "Bend", ["codes", "scale", "zero"], ["result"],
        [helper.make_node("DequantizeLinear", ["codes", "scale", "zero"], ["real"]), leaky,
         helper.make_node("QuantizeLinear", ["bent", "scale", "zero"], ["result"])],
        opsets, ["slope"])
    twice = helper.make_function(
        "own", "Twice", ["x", "s", "z"], ["y"],
        [helper.make_node("Bend", ["x", "s", "z"], ["inner"], domain="own", slope=0.25),
         helper.make_node("Bend", ["inner", "s", "z"], ["y"], domain="own", slope=0.5)],
        opsets)
    made = model([helper.make_node("Twice", ["x", "sx", "zx"], ["y"], domain="own", name="both")], dtype,
                 (1, 1, 16, 16), quantization(dtype, (0.1, 0.1), (3, 3)), 16)
    made.functions.extend([bend, twice])
    made.opset_import.append(helper.make_opsetid("own", 1))
    return made, (1, 1, 16, 16)


def models():
    for dtype in (np.uint8, np.int8):
        mid = 128 if dtype == np.uint8 else 0
        for made in moving(dtype):
            yield dtype, made
        yield dtype, with_functions(dtype)
        for mode in COORDINATES:
            for sizes in SIZES:
                for scale in (0.125, 0.1):
                    yield dtype, resize(dtype, sizes, mid + 3, (scale, scale), mode="linear",
                                        coordinate_transformation_mode=mode)
                for nearest in NEAREST:
                    yield dtype, resize(dtype, sizes, mid + 3, (0.1, 0.1), mode="nearest",
                                        coordinate_transformation_mode=mode, nearest_mode=nearest)
        for scales in ((0.1, 0.07), (0.5, 0.5), (0.25, 1.0), (0.03, 0.021)):
            zeros = (mid + 7, mid - 11)
            for slope in (0.1, 0.25, 0.01):
                yield dtype, function(dtype, scales, zeros, between("LeakyRelu", alpha=slope), 16)
                lut = helper.make_node("QLinearLeakyRelu", ["x", "sx", "zx", "sy", "zy"], ["y"],
                                       domain="com.microsoft", alpha=slope)
                yield dtype, function(dtype, scales, zeros, [lut], 16)
            for approximate in ("none", "tanh"):
                yield dtype, function(dtype, (scales[0] / 2, scales[1] / 2), (mid + 7, mid - 100),
                                      between("Gelu", approximate=approximate))


def every_code(shape, dtype, rng):
    """All 256 codes where they fit, else random ones."""
    limits = np.iinfo(dtype)
    if shape[1:] == (1, 16, 16):
        return np.arange(limits.min, limits.max + 1).astype(dtype).reshape(shape)
    return rng.integers(limits.min, limits.max + 1, shape).astype(dtype)


def golden(rng, dtype, made):
    file, shape = made
    data = file.SerializeToString()
    codes = every_code(shape, dtype, rng)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    result = session.run(None, {"x": codes})[0]
    return {
        "model": base64.b64encode(data).decode(),
        "input": text(codes.transpose(0, 2, 3, 1)),
        "expected": text(result if result.ndim == 2 else result.transpose(0, 2, 3, 1)),
    }


def main(out):
    rng = np.random.default_rng(78)
    provenance = {
        "script": "test/oracles/ort_operator_goldens.py",
        "onnxruntime": onnxruntime.__version__,
        "onnx": onnx.__version__,
    }
    cases = [golden(rng, dtype, made) for dtype, made in models()]
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"provenance": provenance, "cases": cases}, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])

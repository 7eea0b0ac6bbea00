# SPDX-License-Identifier: Apache-2.0
"""Makes test/golden/litert/vww.json: what LiteRT computes for every tensor of the VWW net.

    pip install ai-edge-litert==2.3.0 tflite==2.18.0 numpy
    LASTBIT_DATA=... python test/oracles/litert.py [OUT]

Two forms of the net: as it is, and with every scale rounded to a power of two, which puts ties
everywhere and so separates the rounding rules. Three resolvers: reference kernels, builtin kernels
without delegates, and the default (XNNPACK). Only hashes are stored.
"""
import hashlib
import json
import os
import pathlib
import platform
import sys

import numpy as np
import tflite
from ai_edge_litert.interpreter import Interpreter, OpResolverType

NET = "models/quantized/mobilenet_v1_0.25_96_vww_int8.tflite"
RESOLVERS = {
    "reference": OpResolverType.BUILTIN_REF,
    "builtin": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "xnnpack": OpResolverType.BUILTIN,
}
SEED = 20261122
CONVOLUTIONS = (3, 4, 9)  # CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED


def scale_position(tensor):
    """Where a tensor's scales lie in the file, and how many they are."""
    quantization = tensor.Quantization()
    if quantization is None or quantization.ScaleLength() == 0:
        return None
    table = quantization._tab
    return table.Vector(table.Offset(8)), quantization.ScaleLength()


def write_floats(data, position, values):
    raw = np.asarray(values, dtype="<f4").tobytes()
    data[position : position + len(raw)] = raw


def with_dyadic_scales(original):
    """Every scale to its nearest power of two; bias scales to the product of the other two."""
    data = bytearray(original)
    graph = tflite.Model.GetRootAs(data, 0).Subgraphs(0)
    places = {scale_position(graph.Tensors(i)) for i in range(graph.TensorsLength())} - {None}
    for position, count in places:
        scales = np.frombuffer(data, dtype="<f4", count=count, offset=position)
        write_floats(data, position, 2.0 ** np.round(np.log2(scales)))
    model = tflite.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = model.OperatorCodes(operator.OpcodeIndex())
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if builtin not in CONVOLUTIONS:
            continue
        scales = [graph.Tensors(operator.Inputs(k)).Quantization().ScaleAsNumpy() for k in (0, 1)]
        position, _ = scale_position(graph.Tensors(operator.Inputs(2)))
        write_floats(data, position, scales[0][0] * scales[1])
    return bytes(data)


def noise(count):
    """The low bytes of a linear congruential generator, as the test makes them too."""
    state, result = SEED, []
    for _ in range(count):
        state = (state * 1103515245 + 12345) % 2**31
        result.append((state >> 16) & 255)
    return np.array(result, dtype=np.uint8)


def hashes(net, resolver):
    interpreter = Interpreter(
        model_content=net,
        experimental_op_resolver_type=resolver,
        experimental_preserve_all_tensors=True,
        num_threads=1,
    )
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]
    codes = noise(int(np.prod(entry["shape"]))).view(np.int8).reshape(entry["shape"])
    interpreter.set_tensor(entry["index"], codes)
    interpreter.invoke()
    graph = tflite.Model.GetRootAs(net, 0).Subgraphs(0)
    outputs = [graph.Operators(i).Outputs(0) for i in range(graph.OperatorsLength())]
    tensors = [np.ascontiguousarray(interpreter.get_tensor(i)).tobytes() for i in outputs]
    return [hashlib.sha256(tensor).hexdigest() for tensor in tensors]


def main():
    original = (pathlib.Path(os.environ["LASTBIT_DATA"]) / NET).read_bytes()
    nets = {"as-is": original, "dyadic": with_dyadic_scales(original)}
    golden = {
        "provenance": {
            "command": "python test/oracles/litert.py",
            "runtime": "ai-edge-litert 2.3.0",
            "machine": platform.machine(),
            "net": NET,
            "netSha256": hashlib.sha256(original).hexdigest(),
            "licence": "hashes of outputs; the net is MLPerf Tiny's, Apache-2.0",
        },
        "seed": SEED,
        "cases": [
            {"scales": form, "resolver": name, "sha256": hashes(net, resolver)}
            for form, net in nets.items()
            for name, resolver in RESOLVERS.items()
        ],
    }
    committed = pathlib.Path(__file__).parent.parent / "golden/litert/vww.json"
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else committed
    target.write_text(json.dumps(golden, indent=2) + "\n")


main()

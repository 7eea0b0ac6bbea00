# SPDX-License-Identifier: Apache-2.0
"""The networks of export_models.py quantized as users do it with onnxruntime: quantize_static in its
forms, types and options, quantize_dynamic, and parts left in float. With the codes that onnxruntime
computes, where the whole network is in integers.

    python test/oracles/export_quantized.py test/golden/exports-quantized

To be run on x86 with AVX2 and without VNNI (or emulated: qemu-x86_64 -cpu Haswell python ...), where
pairs of u8 x s8 products saturate. All networks get the same numbers, whatever their layout.
"""
import json
import pathlib
import platform
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

import export_models as nets

IMAGES = 6
TYPES = {"u8": QuantType.QUInt8, "s8": QuantType.QInt8, "s16": QuantType.QInt16, "u16": QuantType.QUInt16,
         "s4": QuantType.QInt4, "u4": QuantType.QUInt4}


class Reader(CalibrationDataReader):
    def __init__(self, name, images):
        self.feeds = iter([{name: image} for image in images])

    def get_next(self):
        return next(self.feeds, None)


def images(seed, shape, count):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, shape).astype(np.float32) for _ in range(count)]


def fixed(model):
    """Batch sizes that are names become 1."""
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    return model


def static(model, form="qdq", activations="u8", weights="s8", per_channel=True, exclude=(), options=None, ops=None):
    model = fixed(model)
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    with tempfile.TemporaryDirectory() as folder:
        before, folded, after = (f"{folder}/{name}.onnx" for name in ("before", "folded", "after"))
        onnx.save(model, before)
        quant_pre_process(before, folded, skip_symbolic_shape=True)
        quantize_static(
            folded, after, Reader("input", images(1, shape, 8)),
            quant_format=QuantFormat.QDQ if form == "qdq" else QuantFormat.QOperator,
            per_channel=per_channel,
            activation_type=TYPES[activations],
            weight_type=TYPES[weights],
            op_types_to_quantize=ops,
            nodes_to_exclude=[n.name for n in onnx.load(folded).graph.node if n.op_type in exclude],
            extra_options=options or {},
        )
        return onnx.load(after)


def dynamic(model):
    with tempfile.TemporaryDirectory() as folder:
        before, after = f"{folder}/before.onnx", f"{folder}/after.onnx"
        onnx.save(fixed(model), before)
        quantize_dynamic(before, after, weight_type=QuantType.QUInt8, op_types_to_quantize=["Conv", "MatMul", "Gemm"])
        return onnx.load(after)


def cases():
    v3 = lambda: nets.torch_v3(17, "HardSwish")
    spelled = lambda: nets.torch_v3(13, "HardSigmoid", "ReduceMean")
    written_out = lambda: nets.torch_v3(13, "div last", "ReduceMean")
    yield "v3-qdq", static(v3())
    yield "v3-qdq-s8", static(v3(), activations="s8")
    yield "v3-qdq-s16", static(nets.torch_v3(21, "HardSwish"), activations="s16")
    yield "v3-qdq-u16", static(nets.torch_v3(21, "HardSwish"), activations="u16")
    yield "v3-qdq-s4", static(nets.torch_v3(21, "HardSwish"), weights="s4")
    yield "v3-qdq-u8u8", static(v3(), weights="u8", per_channel=False)
    yield "v3-qop", static(v3(), form="qop")
    yield "v3-sigmoid-qdq", static(spelled())
    yield "v3-written-out-qdq", static(written_out())
    yield "timm-qdq", static(nets.timm(16, "initializers"))
    yield "silu-qdq", static(nets.silu())
    yield "v2-qdq", static(nets.torch_v2(13))
    yield "v2-qop", static(nets.torch_v2(13), form="qop")
    yield "v2-qdq-symmetric", static(nets.torch_v2(17), activations="s8", options={"ActivationSymmetric": True})
    yield "v2-qdq-weight-zeros", static(nets.torch_v2(17), weights="u8", per_channel=False, options={"WeightSymmetric": False})
    yield "v2-qdq-float-bias", static(nets.torch_v2(17), options={"QuantizeBias": False})
    yield "v2-qdq-weight-pairs", static(nets.torch_v2(17), options={"AddQDQPairToWeight": True})
    yield "keras-v1-qdq", static(nets.keras_v1())
    yield "slim-v1-qdq", static(nets.slim_v1(13))
    yield "slim-v1-qop", static(nets.slim_v1(13), form="qop")
    yield "edge-tpu-qdq-u8u8", static(nets.edge_tpu(), weights="u8", per_channel=False)
    yield "normalize-qdq", static(nets.torch_normalize())
    yield "pad-first-qdq", static(nets.pad_first())
    yield "flatten-qdq", static(nets.flatten_chain(), ops=["Conv", "MatMul", "GlobalAveragePool", "Relu", "Reshape"])
    # Parts in float, or scales that only a run knows.
    yield "v2-conv-only", static(nets.torch_v2(17), ops=["Conv"])
    yield "v2-dynamic", dynamic(nets.torch_v2(13))


def results(model, inputs, optimized):
    """Optimized runs use integer kernels; plain ones compute every node in float as it stands."""
    options = onnxruntime.SessionOptions()
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    shape = [d if isinstance(d, int) else 1 for d in session.get_inputs()[0].shape]
    return [session.run(None, {"input": x.reshape(shape)})[0] for x in inputs]


def main(folder):
    out = pathlib.Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    index, parts, offset = {}, [], 0

    def put(data):
        nonlocal offset
        place = {"offset": offset, "length": len(data)}
        parts.append(data)
        offset += len(data)
        return place

    def reals(arrays):
        return put(np.concatenate([x.ravel() for x in arrays]).astype(np.float32).tobytes())

    inputs = images(2, (3 * nets.SIZE * nets.SIZE,), IMAGES)
    for name, model in cases():
        index[name] = {
            "model": put(model.SerializeToString()),
            "optimized": reals(results(model, inputs, True)),
            "plain": reals(results(model, inputs, False)),
        }
    shared = reals(inputs)
    (out / "models.bin").write_bytes(b"".join(parts))
    provenance = {
        "script": "test/oracles/export_quantized.py",
        "onnxruntime": onnxruntime.__version__,
        "onnx": onnx.__version__,
        "machine": f"{platform.machine()}, AVX2 without VNNI",
        "images": IMAGES,
    }
    text = json.dumps({"provenance": provenance, "inputs": shared, "models": index}, indent=1)
    (out / "index.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])

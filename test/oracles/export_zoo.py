# SPDX-License-Identifier: Apache-2.0
"""Exports of the network of zoo_net.py by the tools that people quantize with, and what their runtime computes.

    python test/oracles/export_zoo.py TOOL test/golden/zoo

Each tool has an environment of its own (requirements/zoo-TOOL.txt). Writes one file an export, and adds its
entry to zoo.json: versions, and the outputs of onnxruntime or LiteRT for the images of zoo_net.py.
"""
import base64
import importlib.metadata
import json
import pathlib
import sys
import tempfile

import numpy as np

import zoo_net

IMAGES = 32


class Images:
    """A reader of calibration images, one after the other."""

    def __init__(self):
        self.feeds = iter([{"input": x[None]} for x in zoo_net.images(1, 16)])

    def get_next(self):
        return next(self.feeds, None)

    def rewind(self):
        self.__init__()


def feeds():
    return [{"input": x[None]} for x in zoo_net.images(1, 16)]


def through_files(change):
    """The model that a tool writes of the float one, from path to path."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        before, after = f"{folder}/float.onnx", f"{folder}/quantized.onnx"
        onnx.save(zoo_net.float_onnx(), before)
        change(before, after)
        return onnx.load(after).SerializeToString()


def nncf():
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, QuantizationParameters

    def quantized(**more):
        data = nncf.Dataset(feeds(), lambda one: one)
        return nncf.quantize(zoo_net.float_onnx(), data, subset_size=16, **more).SerializeToString()

    tensor = AdvancedQuantizationParameters(
        activations_quantization_params=QuantizationParameters(per_channel=False))
    yield "nncf", "onnx", quantized()
    yield "nncf-per-tensor", "onnx", quantized(advanced_parameters=tensor)


def quark():
    from quark.onnx import ModelQuantizer
    from quark.onnx.quantization.config import Config, get_default_config

    for name in ("XINT8", "A8W8", "S8S8_AAWS", "U8S8_AAWS"):
        def change(before, after):
            config = Config(global_quant_config=get_default_config(name))
            ModelQuantizer(config).quantize_model(before, after, Images())

        yield f"quark-{name.lower().replace('_', '-')}", "onnx", through_files(change)


def modelopt():
    from modelopt.onnx.quantization import quantize

    def change(before, after):
        quantize(before, quantize_mode="int8", calibration_data={"input": zoo_net.images(1, 16)},
                 calibration_method="max", output_path=after, calibration_eps=["cpu"], high_precision_dtype="fp32")

    yield "modelopt", "onnx", through_files(change)


def aimet():
    from aimet_onnx.quantsim import QuantizationSimModel

    simulated = QuantizationSimModel(zoo_net.float_onnx(), providers=["CPUExecutionProvider"])
    simulated.compute_encodings(feeds())
    yield "aimet", "onnx", simulated.to_onnx_qdq().SerializeToString()


def brevitas():
    import torch
    from brevitas.export import export_onnx_qcdq, export_qonnx
    from brevitas.graph.calibrate import calibration_mode
    from brevitas.graph.quantize import preprocess_for_quantize, quantize

    net = quantize(preprocess_for_quantize(zoo_net.torch_net()))
    images = torch.from_numpy(zoo_net.images(1, 16))
    with torch.no_grad():
        with calibration_mode(net):
            for image in images:
                net(image[None])
        net.eval()
        net(images[:1])
    for name, export in (("brevitas-qcdq", export_onnx_qcdq), ("brevitas-qonnx", export_qonnx)):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "net.onnx"
            export(net, args=images[:1], export_path=str(file), opset_version=13, dynamo=False)
            yield name, "onnx", file.read_bytes()


def pt2e():
    import torch
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
        X86InductorQuantizer,
        get_default_x86_inductor_quantization_config,
    )

    quantizers = {"pt2e-x86": X86InductorQuantizer().set_global(get_default_x86_inductor_quantization_config())}
    try:
        from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
            XNNPACKQuantizer,
            get_symmetric_quantization_config,
        )

        config = get_symmetric_quantization_config(is_per_channel=True)
        quantizers["pt2e-xnnpack"] = XNNPACKQuantizer().set_global(config)
    except ImportError as error:
        print("no XNNPACK quantizer:", error)
    images = torch.from_numpy(zoo_net.images(1, 16))
    for name, quantizer in quantizers.items():
        net = torch.export.export(zoo_net.torch_net(), (images[:1],)).module()
        net = prepare_pt2e(net, quantizer)
        for image in images:
            net(image[None])
        net = convert_pt2e(net)
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "net.onnx"
            torch.onnx.export(net, (images[:1],), str(file), dynamo=True, input_names=["input"],
                              external_data=False, opset_version=20)
            yield name, "onnx", file.read_bytes()


def ai_edge_quantizer():
    """Of the float .tflite network of float_tflite_goldens.py, which has more operators."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer, recipe

    source = pathlib.Path(__file__).parent.parent / "golden/float-tflite/residual-f32.tflite"
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(source.read_bytes(), 0))
    graph = model.subgraphs[0]

    def mapped(index):
        tensor = schema.TensorMapT()
        tensor.name, tensor.tensorIndex = graph.tensors[index].name, index
        return tensor

    # The tool calibrates by signatures, which the file has none of.
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs = [mapped(i) for i in graph.inputs]
    signature.outputs = [mapped(i) for i in graph.outputs]
    model.signatureDefs = [signature]
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    with tempfile.TemporaryDirectory() as folder:
        before, after = f"{folder}/float.tflite", f"{folder}/quantized.tflite"
        pathlib.Path(before).write_bytes(bytes(builder.Output()))
        details = Interpreter(before).get_input_details()[0]
        rng = np.random.default_rng(3)
        data = [{details["name"]: rng.uniform(-1, 1, details["shape"]).astype(np.float32)} for _ in range(16)]
        tool = quantizer.Quantizer(before, recipe.static_wi8_ai8())
        tool.quantize(tool.calibrate({"serving_default": data})).export_model(after)
        yield "ai-edge-quantizer", "tflite", pathlib.Path(after).read_bytes()


TOOLS = {
    "nncf": (nncf, ["nncf", "onnxruntime"]),
    "quark": (quark, ["amd-quark", "onnxruntime"]),
    "modelopt": (modelopt, ["nvidia-modelopt", "onnxruntime"]),
    "aimet": (aimet, ["aimet-onnx", "onnxruntime"]),
    "brevitas": (brevitas, ["brevitas", "qonnx", "torch", "onnxruntime"]),
    "pt2e": (pt2e, ["torch", "torchao", "onnxscript", "onnxruntime"]),
    "ai-edge-quantizer": (ai_edge_quantizer, ["ai-edge-quantizer", "ai-edge-litert"]),
}


def bare(data):
    """The model without the stack traces and paths that exporters leave in it."""
    import onnx

    model = onnx.load_from_string(data)
    for part in [model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info,
                 *model.graph.initializer]:
        part.ClearField("doc_string")
        if hasattr(part, "metadata_props"):
            part.ClearField("metadata_props")
    return model.SerializeToString()


def onnx_outputs(data):
    """Real outputs of onnxruntime; of qonnx's own executor where a file has its operators."""
    import onnx
    import onnxruntime

    images = zoo_net.images(2, IMAGES)
    model = onnx.load_from_string(data)
    if any(node.op_type == "Quant" for node in model.graph.node):
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.core.onnx_exec import execute_onnx
        from qonnx.transformation.infer_shapes import InferShapes

        wrapped = ModelWrapper(model).transform(InferShapes())
        name = model.graph.input[0].name
        runs = [execute_onnx(wrapped, {name: x[None]}) for x in images]
        return np.concatenate([list(one.values())[0].ravel() for one in runs])
    options = onnxruntime.SessionOptions()
    # Layers over s8 codes in integers, too.
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: x[None]})[0].ravel() for x in images])


def tflite_outputs(data):
    """Output codes of the reference kernels, for codes that are all of the input's type."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    net = Interpreter(model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    net.allocate_tensors()
    source, result = net.get_input_details()[0], net.get_output_details()[0]
    rng = np.random.default_rng(4)
    rows, inputs = [], []
    for _ in range(IMAGES):
        codes = rng.integers(-128, 128, source["shape"]).astype(source["dtype"])
        net.set_tensor(source["index"], codes)
        net.invoke()
        inputs.append(codes.ravel())
        rows.append(net.get_tensor(result["index"]).ravel())
    return np.concatenate(inputs), np.concatenate(rows)


def text(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def main(tool, folder):
    out = pathlib.Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    listed = out / "zoo.json"
    entries = json.loads(listed.read_text()) if listed.exists() else {}
    make, packages = TOOLS[tool]
    versions = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    for name, kind, data in make():
        data = bare(data) if kind == "onnx" else data
        (out / f"{name}.{kind}").write_bytes(data)
        entry = {"tool": tool, "file": f"{name}.{kind}", "versions": versions, "images": IMAGES}
        if kind == "onnx":
            entry["outputs"] = text(onnx_outputs(data).astype(np.float32))
        else:
            inputs, outputs = tflite_outputs(data)
            entry["inputs"], entry["outputs"] = text(inputs), text(outputs)
        entries[name] = entry
        print(name, len(data), "bytes")
    if any(entry["file"].endswith(".onnx") for entry in entries.values()):
        images = out / "images.f32"
        images.write_bytes(zoo_net.images(2, IMAGES).tobytes())
    listed.write_text(json.dumps(dict(sorted(entries.items())), indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

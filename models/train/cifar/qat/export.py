# SPDX-License-Identifier: Apache-2.0
"""A trained quantized net as QDQ ONNX with INT4 weights, which lastbit runs exactly under `pow2`."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from net import (
    RELU6,
    Activation,
    QuantizedClassifier,
    QuantizedInverted,
    QuantizedLayer,
    QuantizedNet,
)

# INT4 came with opset 21.
OPSET = 21


class Writer:
    """Collects the nodes and constants of a graph."""

    def __init__(self) -> None:
        self.nodes: "list[onnx.NodeProto]" = []
        self.constants: "list[onnx.TensorProto]" = []

    def node(self, op: str, name: str, inputs: "list[str]", **attributes) -> str:
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, values, kind: int) -> str:
        """Of any ONNX type; `values` are numbers of any array."""
        array = np.asarray(values)
        if kind == TensorProto.INT4:
            flat = [int(value) for value in array.flatten()]
            self.constants.append(helper.make_tensor(name, kind, array.shape, flat))
        else:
            dtype = helper.tensor_dtype_to_np_dtype(kind)
            self.constants.append(numpy_helper.from_array(array.astype(dtype), name))
        return name

    def grid(self, name: str, exponent: int, kind: int) -> "list[str]":
        """Scale and zero point."""
        return [
            self.constant(f"{name}.scale", 2.0**exponent, TensorProto.FLOAT),
            self.constant(f"{name}.zero_point", 0, kind),
        ]

    def requantized(self, value: str, exponent: int) -> str:
        grid = self.grid(value, exponent, TensorProto.INT8)
        codes = self.node("QuantizeLinear", f"{value}.codes", [value, *grid])
        return self.node("DequantizeLinear", f"{value}.value", [codes, *grid])

    def codes(self, name: str, values, exponent: int, kind: int) -> str:
        constant = self.constant(f"{name}.codes", values, kind)
        return self.node("DequantizeLinear", name, [constant, *self.grid(name, exponent, kind)])


def _layer(writer: Writer, name: str, layer: QuantizedLayer, x: str) -> str:
    exponent = layer.quantizer.exponent
    weight = layer.quantizer.codes(layer.weight).numpy()
    inputs = [
        x,
        writer.codes(f"{name}.weight", weight, exponent, TensorProto.INT4),
        writer.codes(
            f"{name}.bias",
            layer.bias_codes().numpy(),
            exponent + layer.input_exponent,
            TensorProto.INT32,
        ),
    ]
    if layer.options is None:
        y = writer.node("Gemm", name, inputs, transB=1)
    else:
        kernel = list(layer.weight.shape[2:])
        (vertical, horizontal), groups = layer.options["padding"], layer.options["groups"]
        y = writer.node(
            "Conv",
            name,
            inputs,
            kernel_shape=kernel,
            strides=list(layer.options["stride"]),
            pads=[vertical, horizontal] * 2,
            group=groups,
        )
    return _activated(writer, y, layer.output)


def _activated(writer: Writer, value: str, activation: Activation) -> str:
    if activation.low == 0:
        bounds = [
            writer.constant(f"{value}.low", 0.0, TensorProto.FLOAT),
            writer.constant(f"{value}.high", RELU6, TensorProto.FLOAT),
        ]
        value = writer.node("Clip", f"{value}.relu6", [value, *bounds])
    return writer.requantized(value, activation.exponent)


def _block(writer: Writer, name: str, block, x: str) -> str:
    if isinstance(block, QuantizedClassifier):
        pooled = writer.node("GlobalAveragePool", f"{name}.pool", [x])
        pooled = writer.requantized(pooled, block.pool.exponent)
        flat = writer.node("Flatten", f"{name}.flat", [pooled], axis=1)
        return _layer(writer, f"{name}.linear", block.linear, flat)
    layers = block.layers if isinstance(block, QuantizedInverted) else block
    y = x
    for part, layer in layers.named_children():
        y = _layer(writer, f"{name}.{part}", layer, y)
    if isinstance(block, QuantizedInverted) and block.sum is not None:
        y = writer.requantized(writer.node("Add", f"{name}.sum", [x, y]), block.sum.exponent)
    return y


def export_qdq(net: QuantizedNet, name: str, bits: int, file: Path) -> None:
    """Input `input` f32 [1, 3, 32, 32], output `logits` f32 [1, 10] on the grid of its 8 bits."""
    writer = Writer()
    x = writer.requantized("input", net.input.exponent)
    for block, module in net.blocks.named_children():
        x = _block(writer, block, module, x)
    writer.node("Identity", "logits", [x])
    graph = helper.make_graph(
        writer.nodes,
        name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])],
        writer.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    layers = [node.name for node in writer.nodes if node.op_type in ("Conv", "Gemm")]
    metadata = {
        "lastbit.preprocess": "tf",
        "lastbit.target": "pow2@1",
        "lastbit.weight_bits": json.dumps({layer: bits for layer in layers}),
        "lastbit.data": "CIFAR-10 32x32, decoded from JPEG",
    }
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model, full_check=True)
    file.write_bytes(model.SerializeToString())

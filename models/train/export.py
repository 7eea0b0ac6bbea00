# SPDX-License-Identifier: Apache-2.0
"""PyTorch net -> ONNX opset 13 with batch norms as nodes, readable names and lastbit's metadata."""

import inspect
import io
from pathlib import Path

import onnx
import torch
from torch import nn

OPSET = 13
# From 2.5 on PyTorch has two exporters; names of modules and unfolded norms are the older one's.
CLASSIC_EXPORTER = (
    {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
)
METADATA = {"lastbit.preprocess": "tf", "lastbit.data": "Fashion-MNIST 28x28, zero-padded to 32x32"}


def _readable(name: str) -> str:
    """`/block_1/depthwise/conv/Conv_output_0` -> `block_1/depthwise/conv/Conv`."""
    return name[1:].replace("_output_0", "") if name.startswith("/") else name


def export_onnx(
    net: nn.Module, name: str, file: Path, metadata: "dict[str, str]" = METADATA
) -> None:
    """Input `input` f32 [1,3,32,32], output `logits` f32 [1,10]; no softmax."""
    exported = io.BytesIO()
    torch.onnx.export(
        net.eval(),
        torch.zeros(1, 3, 32, 32),
        exported,
        opset_version=OPSET,
        input_names=["input"],
        output_names=["logits"],
        # PRESERVE keeps eval mode and leaves convolution and batch norm apart.
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
        **CLASSIC_EXPORTER,
    )
    model = onnx.load_from_string(exported.getvalue())
    model.graph.name = name
    for node in model.graph.node:
        node.name = _readable(node.name)
        node.input[:] = [_readable(value) for value in node.input]
        node.output[:] = [_readable(value) for value in node.output]
    for value in model.graph.value_info:
        value.name = _readable(value.name)
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model, full_check=True)
    kinds = [node.op_type for node in model.graph.node]
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    if kinds.count("BatchNormalization") != norms:
        raise RuntimeError(f"{name}: expected {norms} batch norms in the export, got {kinds}")
    file.write_bytes(model.SerializeToString())

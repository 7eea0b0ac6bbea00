# SPDX-License-Identifier: Apache-2.0
"""The small network that every tool of export_zoo.py quantizes: a layer, two inverted residuals with an addition,
a pool and scores. Seeded weights in numpy, so that all tools start from the same numbers."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE, CLASSES = 16, 10
# Name, input channels, output channels, kernel, stride, groups, whether ReLU6 follows.
LAYERS = (
    ("stem", 3, 8, 3, 2, 1, True),
    ("expand", 8, 24, 1, 1, 1, True),
    ("depthwise", 24, 24, 3, 1, 24, True),
    ("project", 24, 8, 1, 1, 1, False),
    ("depthwise2", 8, 8, 3, 2, 8, True),
    ("project2", 8, 16, 1, 1, 1, True),
)


def weights():
    rng = np.random.default_rng(7)
    made = {}
    for name, inputs, outputs, kernel, _, groups, _ in LAYERS:
        fan = inputs // groups * kernel * kernel
        shape = (outputs, inputs // groups, kernel, kernel)
        made[f"{name}.weight"] = rng.normal(0, (2 / fan) ** 0.5, shape).astype(np.float32)
        made[f"{name}.bias"] = rng.normal(0, 0.2, outputs).astype(np.float32)
    made["scores.weight"] = rng.normal(0, 0.3, (CLASSES, 16)).astype(np.float32)
    made["scores.bias"] = rng.normal(0, 0.3, CLASSES).astype(np.float32)
    return made


def images(seed, count):
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(-1, 1, (count, 3, 4, 4)).repeat(SIZE // 4, 2).repeat(SIZE // 4, 3)
    return (0.7 * coarse + 0.3 * rng.uniform(-1, 1, coarse.shape)).astype(np.float32)


def float_onnx(opset=17):
    """The network as torch's exporter writes it."""
    nodes, at = [], "input"
    for name, _, _, kernel, stride, groups, relu in LAYERS:
        nodes.append(helper.make_node(
            "Conv", [at, f"{name}.weight", f"{name}.bias"], [name], name=name, kernel_shape=[kernel] * 2,
            strides=[stride] * 2, pads=[kernel // 2] * 4, group=groups))
        at = name
        if relu:
            nodes.append(helper.make_node("Clip", [at, "zero", "six"], [f"{name}_relu"], name=f"{name}_relu"))
            at = f"{name}_relu"
        if name == "project":
            nodes.append(helper.make_node("Add", ["stem_relu", at], ["sum"], name="sum"))
            at = "sum"
    nodes.append(helper.make_node("GlobalAveragePool", [at], ["pool"], name="pool"))
    nodes.append(helper.make_node("Flatten", ["pool"], ["flat"], name="flat", axis=1))
    nodes.append(helper.make_node("Gemm", ["flat", "scores.weight", "scores.bias"], ["output"], name="scores", transB=1))
    constants = {**weights(), "zero": np.float32(0), "six": np.float32(6)}
    graph = helper.make_graph(
        nodes, "zoo",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, (1, 3, SIZE, SIZE))],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, (1, CLASSES))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def torch_net():
    import torch
    from torch import nn

    class Zoo(nn.Module):
        def __init__(self):
            super().__init__()
            for name, inputs, outputs, kernel, stride, groups, _ in LAYERS:
                setattr(self, name, nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups))
                setattr(self, f"{name}_relu", nn.ReLU6())
            self.scores = nn.Linear(16, CLASSES)

        def forward(self, x):
            stem = self.stem_relu(self.stem(x))
            y = self.depthwise_relu(self.depthwise(self.expand_relu(self.expand(stem))))
            y = self.depthwise2_relu(self.depthwise2(stem + self.project(y)))
            y = self.project2_relu(self.project2(y))
            return self.scores(y.mean((2, 3)))

    net = Zoo().eval()
    net.load_state_dict({name: torch.from_numpy(value) for name, value in weights().items()})
    return net

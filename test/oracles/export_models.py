# SPDX-License-Identifier: Apache-2.0
"""Small float MobileNets in the spellings of exporters that exist: opsets 10 to 24, constants as nodes
and as initializers, float16 and 4-bit weights, preprocessing in the graph.

    python test/oracles/export_models.py test/golden/exports

Writes models.bin, the files one after the other, and index.json with their places. The comparison
runs each file in onnxruntime, so no outputs are stored.
"""
import json
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 16
CLASSES = 5


class Net:
    """A graph that grows at its end; `at` is the current value, `channels` its channels."""

    def __init__(self, seed, opset, constants="initializers", layout="nchw"):
        self.rng = np.random.default_rng(seed)
        self.opset = opset
        self.constants = constants
        self.layout = layout
        self.nodes, self.initializers, self.count = [], [], 0
        self.at, self.channels, self.size = "input", 3, SIZE

    def name(self, stem):
        self.count += 1
        return f"{stem}_{self.count}"

    def constant(self, value, stem="const", how=None):
        name = self.name(stem)
        value = np.asarray(value)
        if (how or self.constants) == "nodes":
            tensor = numpy_helper.from_array(value, name + "_value")
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def ints(self, *values):
        return self.constant(np.array(values, np.int64), "shape")

    def f32(self, value):
        return self.constant(np.float32(value), "scalar")

    def random(self, *shape, gain=None):
        fan = int(np.prod(shape[1:])) if len(shape) > 1 else 4
        spread = gain if gain is not None else (2 / fan) ** 0.5
        return (self.rng.standard_normal(shape) * spread).astype(np.float32)

    def op(self, op, inputs, **attributes):
        output = self.name(op.lower())
        domain = attributes.pop("domain", "")
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"node_{output}", domain=domain, **attributes))
        return output

    def then(self, op, *others, **attributes):
        self.at = self.op(op, [self.at, *others], **attributes)
        return self

    # Layers

    def conv(self, outputs, kernel=3, stride=1, group=1, bias=True, pad="pads", weight=None):
        shape = (outputs, self.channels // group, kernel, kernel)
        values = self.random(*shape)
        name = weight(self, values) if weight else self.constant(values, "weight")
        inputs = [name] + ([self.constant(self.random(outputs, gain=0.3), "bias")] if bias else [])
        attributes = {"kernel_shape": [kernel, kernel], "strides": [stride, stride]}
        total = kernel - 1
        if pad == "pads":
            attributes["pads"] = [total // 2] * 4
        elif pad == "tf":  # as SAME with an even size: one more below and to the right
            less = (total - (stride - 1)) // 2 if stride > 1 else total // 2
            more = max(total - (stride - 1), 0) - less if stride > 1 else total // 2
            attributes["pads"] = [less, less, more, more]
        elif pad == "Pad":
            self.pad(0, 0, 1, 1)
        else:
            attributes["auto_pad"] = pad
        if group > 1:
            attributes["group"] = group
        self.then("Conv", *inputs, **attributes)
        self.channels = outputs
        self.size = -(-self.size // stride)
        return self

    def depthwise(self, stride=1, kernel=3, **rest):
        return self.conv(self.channels, kernel, stride, group=self.channels, **rest)

    def norm(self):
        c = self.channels
        values = [1 + self.random(c, gain=0.2), self.random(c, gain=0.3), self.random(c, gain=0.3),
                  np.abs(self.random(c, gain=0.5)) + 0.3]
        names = [self.constant(value.astype(np.float32), "bn") for value in values]
        return self.then("BatchNormalization", *names, epsilon=1e-3, momentum=0.9)

    def scaled_norm(self, shape):
        """What tf2onnx leaves of a batch norm that it could not fold."""
        gain = (1 + self.random(self.channels, gain=0.2)).reshape(shape)
        shift = self.random(self.channels, gain=0.3).reshape(shape)
        return self.then("Mul", self.constant(gain)).then("Add", self.constant(shift))

    def clip(self, low, high, value=None):
        x = value or self.at
        if self.opset < 11:
            return self.op("Clip", [x], min=float(low), max=float(high))
        return self.op("Clip", [x, self.f32(low), self.f32(high)])

    def relu6(self, how="clip"):
        if how == "clip":
            self.at = self.clip(0, 6)
        elif how == "min":
            self.then("Relu").then("Min", self.f32(6))
        else:
            self.at = self.op("Min", [self.f32(6), self.op("Max", [self.at, self.f32(0)])])
        return self

    def relu(self):
        return self.then("Relu")

    def hard_swish(self, how):
        x = self.at
        if how == "HardSwish":
            return self.then("HardSwish")
        if how == "HardSigmoid":
            self.at = self.op("Mul", [x, self.op("HardSigmoid", [x], alpha=1 / 6, beta=0.5)])
            return self
        ramp = self.clip(0, 6, self.op("Add", [x, self.f32(3)]))
        if how == "div last":
            self.at = self.op("Div", [self.op("Mul", [x, ramp]), self.f32(6)])
        elif how == "div gate":
            self.at = self.op("Mul", [x, self.op("Div", [ramp, self.f32(6)])])
        elif how == "mul gate":
            self.at = self.op("Mul", [self.op("Mul", [ramp, self.f32(1 / 6)]), x])
        elif how == "mul last":
            self.at = self.op("Mul", [self.op("Mul", [x, ramp]), self.f32(1 / 6)])
        elif how == "mul first":  # keras-applications of 2020: (x * relu6(x + 3)) with x / 6
            self.at = self.op("Mul", [self.op("Mul", [x, self.f32(1 / 6)]), ramp])
        elif how == "relu6 of min":
            gate = self.op("Min", [self.op("Relu", [self.op("Add", [x, self.f32(3)])]), self.f32(6)])
            self.at = self.op("Mul", [x, self.op("Mul", [gate, self.f32(1 / 6)])])
        else:
            raise ValueError(how)
        return self

    def mean(self, how, keep=True):
        if how == "GlobalAveragePool":
            return self.then("GlobalAveragePool")
        if how == "AveragePool":
            return self.then("AveragePool", kernel_shape=[self.size, self.size])
        keepdims = 1 if keep else 0
        if self.opset >= 18:
            return self.then("ReduceMean", self.ints(2, 3), keepdims=keepdims)
        return self.then("ReduceMean", axes=[2, 3] if how == "ReduceMean" else [-1, -2], keepdims=keepdims)

    def squeeze_excite(self, mean="GlobalAveragePool", gate="HardSigmoid", bottleneck=2, dense=False):
        x, channels, size = self.at, self.channels, self.size
        self.mean(mean)
        self.size = 1
        if dense:  # Keras: GlobalAveragePooling, Reshape, Dense, Dense
            self.then("Reshape", self.ints(-1, channels))
            self.gemm(bottleneck).relu().gemm(channels)
            self.then("Reshape", self.ints(-1, channels, 1, 1))
        else:
            self.conv(bottleneck, 1).relu().conv(channels, 1)
        self.channels, self.size = channels, size
        if gate == "HardSigmoid":
            self.then("HardSigmoid", alpha=1 / 6, beta=0.5)
        elif gate == "Sigmoid":
            self.then("Sigmoid")
        else:
            ramp = self.clip(0, 6, self.op("Add", [self.at, self.f32(3)]))
            self.at = self.op("Mul", [ramp, self.f32(1 / 6)])
        self.at = self.op("Mul", [x, self.at])
        return self

    def gemm(self, outputs, transposed=True, **attributes):
        shape = (outputs, self.channels) if transposed else (self.channels, outputs)
        names = [self.constant(self.random(*shape), "kernel"), self.constant(self.random(outputs, gain=0.2), "bias")]
        self.then("Gemm", *names, **({"transB": 1} if transposed else {}), **attributes)
        self.channels = outputs
        return self

    def matmul(self, outputs):
        kernel = self.constant(self.random(self.channels, outputs), "kernel")
        self.then("MatMul", kernel).then("Add", self.constant(self.random(outputs, gain=0.2), "bias"))
        self.channels = outputs
        return self

    def pad(self, top, left, bottom, right, value=None, last=False):
        amounts = [0, top, left, 0, 0, bottom, right, 0] if last else [0, 0, top, left, 0, 0, bottom, right]
        if self.opset < 11:
            return self.then("Pad", pads=amounts, **({} if value is None else {"value": float(value)}))
        more = [] if value is None else [self.f32(value)]
        return self.then("Pad", self.ints(*amounts), *more, mode="constant")

    def residual(self, build):
        x = self.at
        build(self)
        self.at = self.op("Add", [x, self.at])
        return self

    # Whole models

    def model(self, batch=1, dtype=TensorProto.FLOAT, ir=8, size=SIZE, classes=CLASSES):
        image = (3, size, size) if self.layout == "nchw" else (size, size, 3)
        self.nodes[-1].output[0] = "output"
        graph = helper.make_graph(
            self.nodes, "main_graph",
            [helper.make_tensor_value_info("input", dtype, (batch, *image))],
            [helper.make_tensor_value_info("output", dtype if dtype == TensorProto.FLOAT16 else TensorProto.FLOAT, (batch, classes))],
            self.initializers,
        )
        opsets = [helper.make_opsetid("", self.opset)]
        if any(node.domain for node in self.nodes):
            opsets.append(helper.make_opsetid("com.microsoft", 1))
        made = helper.make_model(graph, opset_imports=opsets, ir_version=ir, producer_name="lastbit-test")
        return made


def torch_v3(opset=17, swish="HardSwish", mean="GlobalAveragePool", constants="initializers", seed=1):
    """torchvision's V3, batch norms folded by the exporter."""
    net = Net(seed, opset, constants)
    net.conv(6, stride=2).hard_swish(swish)
    net.residual(lambda n: n.conv(8, 1).relu().depthwise().relu().squeeze_excite(mean).conv(6, 1))
    net.conv(12, 1).hard_swish(swish).depthwise(2, kernel=5).hard_swish(swish).squeeze_excite(mean).conv(8, 1)
    net.conv(10, 1).hard_swish(swish).mean(mean)
    net.then("Flatten", axis=1).gemm(12).hard_swish(swish).gemm(CLASSES)
    return net.model()


def torch_v2(opset, constants="initializers", ir=8):
    """torchvision's V2 in evaluation mode, batch norms kept, Dropout kept, dynamic batch."""
    net = Net(2, opset, constants)
    net.conv(6, stride=2, bias=False).norm().relu6()
    net.depthwise(bias=False).norm().relu6().conv(4, 1, bias=False).norm()
    net.residual(lambda n: n.conv(8, 1, bias=False).norm().relu6("min").depthwise(bias=False).norm().relu6("max")
                 .conv(4, 1, bias=False).norm())
    net.conv(12, 1, bias=False).norm().relu6().mean("ReduceMean", keep=False)
    if opset >= 12:
        net.then("Dropout", "", net.constant(np.array(False)))
    else:
        net.then("Dropout", ratio=0.2)
    return net.gemm(CLASSES).model(batch="batch", ir=ir)


def torch_dynamo():
    """The newer PyTorch exporter: opset 18, allowzero, Identity of shared weights, ReduceMean of inputs."""
    net = Net(3, 18)
    net.conv(6, stride=2)
    shared = net.constant(net.random(6, 1, 3, 3), "weight")
    net.relu6()
    for _ in range(2):
        again = net.op("Identity", [shared])
        net.then("Conv", again, pads=[1] * 4, group=6, dilations=[1, 1], strides=[1, 1], auto_pad="NOTSET").relu6()
    net.mean("ReduceMean").then("Reshape", net.ints(1, 6), allowzero=1)
    return net.gemm(CLASSES).model(ir=10)


def timm(opset, constants):
    """timm: V3 with batch norms, a 1x1 convolution as head, Squeeze and Flatten."""
    net = Net(4, opset, constants)
    net.conv(6, stride=2, bias=False).norm().hard_swish("mul gate")
    net.depthwise(2, bias=False).norm().hard_swish("div gate").squeeze_excite("negative axes", "ramp")
    net.conv(8, 1, bias=False).norm()
    net.conv(12, 1, bias=False).norm().hard_swish("relu6 of min").mean("GlobalAveragePool")
    net.conv(10, 1).hard_swish("mul last").then("Flatten", axis=1)
    return net.gemm(CLASSES).model()


def channels_last(opset, seed, preprocess):
    """The start of a tf2onnx file: NHWC input, preprocessing on it, Transpose."""
    net = Net(seed, opset, layout="nhwc")
    preprocess(net)
    return net.then("Transpose", perm=[0, 3, 1, 2])


def rescaling(net):
    net.then("Mul", net.f32(1 / 127.5)).then("Add", net.f32(-1))


def tf_div_sub(net):
    net.then("Div", net.f32(127.5)).then("Sub", net.f32(1))


def tf_sub_mul(net):
    net.then("Sub", net.f32(127.5)).then("Mul", net.f32(1 / 127.5))


def per_channel(net):
    mean = np.array([0.485, 0.456, 0.406], np.float32)
    std = np.array([0.229, 0.224, 0.225], np.float32)
    net.then("Div", net.f32(255)).then("Sub", net.constant(mean.reshape(1, 1, 1, 3)))
    net.then("Div", net.constant(std.reshape(3)))


def keras_v1(opset=13, seed=5, preprocess=rescaling):
    """Keras V1: ZeroPadding2D of one side, batch norms, Reshape, convolution as head, Softmax."""
    net = channels_last(opset, seed, preprocess)
    net.conv(6, stride=2, bias=False, pad="Pad").norm().relu6()
    net.depthwise(bias=False).norm().relu6().conv(8, 1, bias=False).norm().relu6()
    net.depthwise(2, bias=False, pad="Pad").norm().relu6().conv(10, 1, bias=False).norm().relu6()
    net.mean("ReduceMean").conv(CLASSES, 1)
    net.then("Reshape", net.ints(-1, CLASSES))
    return net.then("Softmax", axis=-1 if opset >= 13 else 1).model(batch="unk__1")


def keras_v3(opset=15):
    """Keras V3: Rescaling inside, swish in its oldest form, dense squeeze and excite."""
    net = channels_last(opset, 6, rescaling)
    net.conv(6, stride=2, pad="SAME_UPPER").scaled_norm((1, -1, 1, 1)).hard_swish("mul first")
    net.depthwise(2, pad="SAME_UPPER").scaled_norm((-1, 1, 1)).relu().squeeze_excite(dense=True, gate="ramp")
    net.conv(8, 1).scaled_norm((1, -1, 1, 1)).hard_swish("div last").mean("GlobalAveragePool")
    return net.conv(CLASSES, 1).then("Flatten").then("Softmax", axis=1).model()


def slim_v1(opset=10):
    """TF-slim by an old tf2onnx: explicit SAME pads, AvgPool over the image, Squeeze."""
    net = channels_last(opset, 7, tf_sub_mul)
    net.conv(6, stride=2, pad="tf").relu6().depthwise().relu6().conv(8, 1).relu6()
    net.depthwise(2, pad="tf").relu6().conv(8, 1).relu6().mean("AveragePool")
    net.conv(CLASSES, 1)
    if opset < 13:
        net.then("Squeeze", axes=[2, 3])
    else:
        net.then("Squeeze", net.ints(2, 3))
    return net.then("Softmax", axis=1).model()


def flatten_chain(opset=13):
    """x.view(x.size(0), -1) as traced: Shape, Gather, Unsqueeze, Concat, Reshape; MatMul and Add."""
    net = Net(8, opset)
    net.conv(6, stride=2, pad="VALID").relu().mean("GlobalAveragePool")
    shape = net.op("Shape", [net.at])
    batch = net.op("Gather", [shape, net.constant(np.int64(0))], axis=0)
    first = net.op("Unsqueeze", [batch, net.ints(0)])
    whole = net.op("Concat", [first, net.ints(-1)], axis=0)
    return net.then("Reshape", whole).matmul(8).norm().relu().matmul(CLASSES).model(batch="N")


def gemm_norm(opset=16):
    """BatchNormalization behind Gemm, Gemm with alpha and beta and without transposition."""
    net = Net(9, opset)
    net.conv(6, stride=2).relu().mean("ReduceMean", keep=False)
    net.gemm(8).norm().relu6().gemm(7, transposed=False, alpha=0.5, beta=2.0).norm()
    return net.gemm(CLASSES).model()


def edge_tpu(opset=14):
    """EdgeTPU: fused expansions, plain Relu, residuals, no squeeze and excite."""
    net = Net(10, opset)
    net.conv(6, stride=2).relu()
    net.residual(lambda n: n.conv(12, 3).relu().conv(6, 1))
    net.conv(12, 3, stride=2, group=2).relu().conv(8, 1)
    net.conv(8, 5, group=8, pad="SAME_LOWER").relu().mean("GlobalAveragePool")
    return net.then("Squeeze", net.ints(-1, -2)).gemm(CLASSES).model()


def pad_first(opset=13, value=None, seed=11):
    """Pad on the input itself, before its normalization."""
    net = Net(seed, opset)
    net.pad(1, 2, 2, 1, value)
    net.then("Sub", net.constant(np.array([0.4, 0.5, 0.6], np.float32).reshape(3, 1, 1)))
    net.then("Div", net.f32(0.25)).conv(6, stride=2, pad="VALID").relu().pad(0, 0, 1, 1)
    net.depthwise(2, pad="VALID").relu().mean("GlobalAveragePool")
    return net.then("Flatten").gemm(CLASSES).model()


def pad_after(opset=13):
    """Normalization, then a Pad with zeros, then a convolution without pads."""
    net = Net(12, opset)
    per_channel_nchw(net)
    net.pad(0, 0, 1, 1).conv(6, stride=2, pad="VALID").relu6().mean("GlobalAveragePool")
    return net.then("Flatten").gemm(CLASSES).model()


def per_channel_nchw(net):
    mean = np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1)
    std = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)
    net.then("Sub", net.constant(mean)).then("Div", net.constant(std))


def torch_normalize():
    """A wrapper module around V2 that normalizes: (x / 255 - mean) / std, padded convolution behind."""
    net = Net(13, 17, "nodes")
    net.then("Div", net.f32(255))
    per_channel_nchw(net)
    net.conv(6, stride=2).relu6().depthwise().relu6().conv(4, 1).mean("ReduceMean", keep=False)
    return net.gemm(CLASSES).model()


def reversed_sub():
    """1 - x and the like: constants as the first operand, Neg, Sub of a scalar."""
    net = Net(14, 13)
    net.at = net.op("Sub", [net.f32(1), net.at])
    net.at = net.op("Mul", [net.f32(2), net.at])
    net.conv(6, stride=2, bias=False).relu().mean("GlobalAveragePool")
    return net.then("Flatten").gemm(CLASSES).model()


def pixels_as_bytes():
    """uint8 image, Cast to float in the graph."""
    net = Net(15, 13)
    net.then("Cast", to=TensorProto.FLOAT).then("Div", net.f32(255))
    net.conv(6, stride=2).relu().mean("GlobalAveragePool").then("Flatten").gemm(CLASSES)
    made = net.model()
    made.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    return made


def half_weights(net, values):
    half = net.constant(values.astype(np.float16), "half")
    return net.op("Cast", [half], to=TensorProto.FLOAT)


def float16_weights():
    """Weights stored as float16 and cast, activations float32."""
    net = Net(16, 17)
    net.conv(6, stride=2, weight=half_weights).relu6().depthwise(weight=half_weights).relu6()
    return net.conv(8, 1, weight=half_weights).relu().mean("GlobalAveragePool").then("Flatten").gemm(CLASSES).model()


def float16_net(keep_io):
    """Everything in float16, with float32 at the ends (keep_io_types) or without."""
    net = Net(17, 17)
    if keep_io:
        net.then("Cast", to=TensorProto.FLOAT16)
    net.conv(6, stride=2).then("Relu").depthwise().hard_swish("HardSigmoid").mean("GlobalAveragePool")
    net.then("Flatten").gemm(CLASSES)
    for i, tensor in enumerate(net.initializers):
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32:
            net.initializers[i].CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))
    if keep_io:
        net.then("Cast", to=TensorProto.FLOAT)
    return net.model(dtype=TensorProto.FLOAT if keep_io else TensorProto.FLOAT16)


def weight_only(bits, opset, seed=18, block=0):
    """Weights behind DequantizeLinear per channel, activations float: weight-only quantization."""
    def weight(net, values):
        channels = values.shape[0]
        flat = np.abs(values.reshape(channels, -1)).max(axis=1)
        limit = 2 ** (bits - 1) - 1
        scale = (flat / limit).astype(np.float32)
        shape = (-1,) + (1,) * (values.ndim - 1)
        codes = np.clip(np.rint(values / scale.reshape(shape)), -limit, limit).astype(np.int8)
        name = net.name("codes")
        if bits == 4:
            tensor = helper.make_tensor(name, TensorProto.INT4, codes.shape, codes.flatten().tolist())
        else:
            tensor = numpy_helper.from_array(codes, name)
        net.initializers.append(tensor)
        if block:
            repeats = -(-values.shape[1] // block)
            scale = np.repeat(scale.reshape(shape), repeats, axis=1).reshape(channels, repeats, *values.shape[2:2])
            scale = np.broadcast_to(scale.reshape(channels, repeats, 1, 1), (channels, repeats, *values.shape[2:])).copy()
            return net.op("DequantizeLinear", [name, net.constant(scale, "scale")], axis=1, block_size=block)
        zero = []
        return net.op("DequantizeLinear", [name, net.constant(scale, "scale"), *zero], axis=0)

    net = Net(seed, opset)
    net.conv(6, stride=2).relu6()
    net.conv(8, 1, weight=weight).relu6().depthwise(weight=weight).relu6().conv(8, 1, weight=weight)
    net.mean("GlobalAveragePool").then("Flatten").gemm(CLASSES)
    return net.model(ir=10)


def log_softmax():
    """PyTorch classifiers that end in LogSoftmax."""
    net = Net(19, 13)
    net.conv(6, stride=2).relu().mean("GlobalAveragePool").then("Flatten").gemm(CLASSES)
    return net.then("LogSoftmax", axis=1).model()


def silu(opset=17):
    """x * Sigmoid(x), as EfficientNet-like MobileNets have it, and a Sigmoid gate."""
    net = Net(20, opset)
    net.conv(6, stride=2)
    net.at = net.op("Mul", [net.at, net.op("Sigmoid", [net.at])])
    net.depthwise().relu6().squeeze_excite(gate="Sigmoid").mean("GlobalAveragePool").then("Flatten")
    return net.gemm(CLASSES).model()


def newest(opset):
    return torch_v3(opset, seed=30 + opset)


def cases():
    yield "torch-v3", torch_v3()
    yield "torch-v3-nodes-16", torch_v3(16, "HardSigmoid", constants="nodes")
    yield "torch-v3-spelled-11", torch_v3(11, "div last", "ReduceMean")
    yield "torch-v3-spelled-21", torch_v3(21, "div gate", "ReduceMean")
    yield "torch-v3-spelled-14", torch_v3(14, "relu6 of min", "AveragePool")
    yield "torch-v3-first-13", torch_v3(13, "mul first")
    for opset, constants in [(10, "nodes"), (11, "initializers"), (12, "nodes"), (18, "nodes"), (20, "initializers")]:
        yield f"torch-v2-{opset}", torch_v2(opset, constants, ir=7 if opset < 13 else 9)
    yield "torch-dynamo", torch_dynamo()
    yield "timm-16", timm(16, "initializers")
    yield "timm-19-nodes", timm(19, "nodes")
    yield "keras-v1", keras_v1()
    yield "keras-v1-10", keras_v1(10, preprocess=tf_div_sub)
    yield "keras-v1-per-channel", keras_v1(17, preprocess=per_channel)
    yield "keras-v3", keras_v3()
    yield "slim-v1-10", slim_v1()
    yield "slim-v1-21", slim_v1(21)
    yield "flatten-chain", flatten_chain()
    yield "gemm-norm", gemm_norm()
    yield "edge-tpu", edge_tpu()
    yield "pad-first", pad_first()
    yield "pad-first-10", pad_first(10)
    yield "pad-first-value", pad_first(13, 0.5)
    yield "pad-after", pad_after()
    yield "torch-normalize", torch_normalize()
    yield "reversed-sub", reversed_sub()
    yield "pixels-as-bytes", pixels_as_bytes()
    yield "float16-weights", float16_weights()
    yield "float16-net", float16_net(True)
    yield "float16-net-io", float16_net(False)
    yield "weight-only-8", weight_only(8, 13)
    yield "weight-only-4", weight_only(4, 21)
    yield "weight-only-4-24", weight_only(4, 24)
    yield "weight-only-blocks", weight_only(4, 21, block=4)
    yield "log-softmax", log_softmax()
    yield "silu", silu()
    for opset in (22, 23, 24):
        yield f"newest-{opset}", newest(opset)


def main(folder):
    out = pathlib.Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    index, parts, offset = {}, [], 0
    for name, made in cases():
        onnx.checker.check_model(made)
        data = made.SerializeToString()
        index[name] = {"offset": offset, "length": len(data)}
        parts.append(data)
        offset += len(data)
    (out / "models.bin").write_bytes(b"".join(parts))
    provenance = {"script": "test/oracles/export_models.py", "onnx": onnx.__version__}
    text = json.dumps({"provenance": provenance, "models": index}, indent=1)
    (out / "index.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])

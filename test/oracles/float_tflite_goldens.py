# SPDX-License-Identifier: Apache-2.0
"""Small float .tflite networks (float32 weights, and float16 and int8 ones behind DEQUANTIZE) and what LiteRT's
reference kernels compute of one image.

    python float_tflite_goldens.py test/golden/float-tflite

Weights come from seeds. Writes NAME.tflite and goldens.json (input NHWC and outputs, float32 as base64).
"""
import base64
import importlib.metadata
import json
import pathlib
import sys

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tie_models import OPS, TYPES, File, conv_options, options, stream

TYPES['f32'] = (schema.TensorType.FLOAT32, np.float32)
TYPES['f16'] = (schema.TensorType.FLOAT16, np.float16)
SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
RELU, RELU6 = 1, 3


class Net(File):
    """Grows at its end: `at` is the current tensor, `shape` its sizes (NHWC)."""

    def __init__(self, name, shape, stored='f32'):
        super().__init__()
        self.rng, self.stored, self.count = stream(name), stored, 0
        self.shape = shape
        self.source = self.at = self.add_tensor('image', 'f32', shape, None, 0)

    def constant(self, values, kind='weight'):
        """A weight as the file stores it."""
        self.count += 1
        name, shape = f'{kind}_{self.count}', np.shape(values)
        if self.stored == 'f32' or kind == 'bias':
            return self.add_tensor(name, 'f32', shape, None, 0, values)
        if self.stored == 'f16':
            codes = self.add_tensor(f'{name}_half', 'f16', shape, None, 0, values)
        else:
            scale = np.float32(np.abs(values).max() / 127)
            codes = self.add_tensor(f'{name}_codes', 's8', shape, scale, 0, np.rint(values / scale))
        made = self.add_tensor(name, 'f32', shape, None, 0)
        self.add_operator(OPS.DEQUANTIZE, [codes], [made], version=3)
        return made

    def integers(self, values):
        self.count += 1
        return self.add_tensor(f'sizes_{self.count}', 's32', np.shape(values), None, 0, values)

    def random(self, *shape, fan):
        return self.rng.standard_normal(shape) * np.sqrt(2 / fan)

    def then(self, op, shape, inputs=None, made=None, at=None, version=1):
        self.count += 1
        result = self.add_tensor(f'{op.lower()}_{self.count}', 'f32', shape, None, 0)
        self.add_operator(getattr(OPS, op), inputs or [self.at], [result], made, version)
        self.at, self.shape = result, list(shape)
        return result

    def conv(self, outputs, kernel, stride=1, padding=SAME, activation=0):
        _, h, w, c = self.shape
        size = [-(-side // stride) if padding == SAME else (side - kernel) // stride + 1 for side in (h, w)]
        weight = self.constant(self.random(outputs, kernel, kernel, c, fan=kernel * kernel * c))
        bias = self.constant(self.rng.uniform(-0.3, 0.3, outputs), 'bias')
        made = conv_options('Conv2DOptions', stride, padding, activation)
        return self.then('CONV_2D', [1, *size, outputs], [self.at, weight, bias], made)

    def depthwise(self, kernel, stride=1, multiplier=1, activation=0):
        _, h, w, c = self.shape
        weight = self.constant(self.random(1, kernel, kernel, c * multiplier, fan=kernel * kernel))
        bias = self.constant(self.rng.uniform(-0.3, 0.3, c * multiplier), 'bias')
        made = conv_options('DepthwiseConv2DOptions', stride, SAME, activation)
        made.depthMultiplier = multiplier
        shape = [1, -(-h // stride), -(-w // stride), c * multiplier]
        return self.then('DEPTHWISE_CONV_2D', shape, [self.at, weight, bias], made)

    def dense(self, outputs, activation=0):
        depth = self.shape[-1]
        weight = self.constant(self.random(outputs, depth, fan=depth))
        bias = self.constant(self.rng.uniform(-0.3, 0.3, outputs), 'bias')
        made = options('FullyConnectedOptions', fusedActivationFunction=activation)
        return self.then('FULLY_CONNECTED', [1, outputs], [self.at, weight, bias], made)

    def pair(self, op, other, activation=0):
        kind = {'ADD': 'Add', 'SUB': 'Sub', 'MUL': 'Mul'}[op] + 'Options'
        made = options(kind, fusedActivationFunction=activation)
        return self.then(op, self.shape, [self.at, other], made)

    def mean(self, keeps):
        made = options('ReducerOptions', keepDims=keeps)
        c = self.shape[3]
        return self.then('MEAN', [1, 1, 1, c] if keeps else [1, c], [self.at, self.integers([1, 2])], made)


def residual(stored):
    """A V2 block, a V3 gate, pads, pools and channels joined, taken apart and flattened."""
    net = Net(f'residual {stored}', [1, 11, 13, 3], stored)
    net.then('PAD', [1, 12, 14, 3], [net.at, net.integers([[0, 0], [0, 1], [1, 0], [0, 0]])])
    net.conv(8, 3, 2, VALID, RELU6)
    skip = net.at
    net.depthwise(3, multiplier=2, activation=RELU6)
    net.conv(8, 1)
    net.pair('ADD', skip, RELU)
    image, shape = net.at, net.shape
    net.mean(True)
    net.conv(4, 1, activation=RELU)
    net.conv(8, 1)
    gate = net.then('LOGISTIC', net.shape)
    net.at, net.shape = image, shape
    net.pair('MUL', gate)
    net.then('HARD_SWISH', net.shape)
    swish = net.at
    pool = dict(padding=SAME, strideW=2, strideH=2, filterWidth=3, filterHeight=3)
    small = [1, -(-net.shape[1] // 2), -(-net.shape[2] // 2), 8]
    net.then('MAX_POOL_2D', small, made=options('Pool2DOptions', **pool))
    most = net.at
    net.at = swish
    net.then('AVERAGE_POOL_2D', small, made=options('Pool2DOptions', **pool))
    joined = [*small[:3], 16]
    net.then('CONCATENATION', joined, [most, net.at], options('ConcatenationOptions', axis=3, fusedActivationFunction=0))
    begin, size = net.integers([0, 0, 0, 3]), net.integers([1, small[1], small[2], 9])
    net.then('SLICE', [*small[:3], 9], [net.at, begin, size])
    net.then('RELU', net.shape)
    area = small[1] * small[2]
    net.then('RESHAPE', [1, area * 9], [net.at, net.integers([1, area * 9])])
    net.dense(6, RELU)
    net.dense(5)
    net.then('SOFTMAX', [1, 5], made=options('SoftmaxOptions', beta=1.0))
    return net


def pooled(stored):
    """A stem, a normalization by constants, a subtraction and a mean that drops its axes."""
    net = Net(f'pooled {stored}', [1, 8, 8, 3], stored)
    net.pair('MUL', net.constant(np.array([0.5, 2, 1]), 'bias'))
    net.pair('SUB', net.constant(np.array([0.1, -0.2, 0.3]), 'bias'))
    net.conv(6, 3, 1, SAME, RELU)
    net.depthwise(5, 2)
    net.then('RELU6', net.shape)
    net.mean(False)
    net.dense(4)
    return net


def curved(stored):
    """Leaky ReLUs, GELU, images made larger and smaller, and their maxima."""
    net = Net(f'curved {stored}', [1, 6, 5, 3], stored)
    net.conv(8, 3)
    net.then('LEAKY_RELU', net.shape, made=options('LeakyReluOptions', alpha=0.1))
    halves = dict(alignCorners=False, halfPixelCenters=True)
    size = net.integers([11, 13])
    net.then('RESIZE_BILINEAR', [1, 11, 13, 8], [net.at, size], options('ResizeBilinearOptions', **halves), version=3)
    net.depthwise(3)
    slopes = net.constant(np.linspace(-0.2, 0.5, 8).reshape(1, 1, 8), 'bias')
    net.then('PRELU', net.shape, [net.at, slopes])
    made = options('ResizeNearestNeighborOptions', alignCorners=False, halfPixelCenters=False)
    net.then('RESIZE_NEAREST_NEIGHBOR', [1, 4, 7, 8], [net.at, net.integers([4, 7])], made)
    net.conv(8, 1)
    net.then('GELU', net.shape, made=options('GeluOptions', approximate=stored == 'f32'))
    net.then('REDUCE_MAX', [1, 8], [net.at, net.integers([1, 2])], options('ReducerOptions', keepDims=False))
    net.dense(4)
    return net


def run(content, image):
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    [source] = interpreter.get_input_details()
    interpreter.set_tensor(source['index'], image)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]['index'])


def encoded(values):
    return base64.b64encode(np.asarray(values, np.float32).tobytes()).decode()


def main(out):
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    goldens = []
    for make in (residual, pooled, curved):
        for stored in ('f32', 'f16', 's8'):
            net = make(stored)
            content = net.finish(net.source, net.at)
            name = f'{make.__name__}-{stored}'
            (out / f'{name}.tflite').write_bytes(content)
            shape = net.graph.tensors[net.source].shape
            image = stream(name).uniform(-2, 2, shape).astype(np.float32)
            goldens.append({'name': name, 'image': encoded(image), 'output': encoded(run(content, image))})
    version = importlib.metadata.version('ai-edge-litert')
    record = {'runtime': f'ai-edge-litert {version}, reference kernels', 'goldens': goldens}
    (out / 'goldens.json').write_text(json.dumps(record, indent=1) + '\n')


if __name__ == '__main__':
    main(sys.argv[1])

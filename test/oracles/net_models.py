# SPDX-License-Identifier: Apache-2.0
"""Makes small .tflite networks of the kinds that converters write: MobileNetV3 with squeeze and
excitation, MobileNet-EdgeTPU with fused expansions, networks with preprocessing inside, with shape
computations, with channels split and joined, with 4-bit weights.

    python net_models.py OUT

Weights come from seeds; output scales follow from the expected spread of the sums, so that codes
use their range. tie_goldens.py runs them.
"""
import pathlib
import sys

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tie_models import OPS, File, conv_options, middle, options, stream

SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
NONE, RELU, RELU6 = 0, 1, 3
# Code ranges and the deviation that activations should have.
RANGES = {'s8': (-128, 127), 'u8': (0, 255), 's16': (-32768, 32767)}


class Net(File):
    """A network under construction; `self.at` is the current tensor."""

    def __init__(self, name, dtype, shape, scale=1 / 32, zero=None, weights='s8'):
        super().__init__()
        self.rng = stream(name)
        self.dtype = dtype
        self.weights = 'u8' if dtype == 'u8' else weights
        self.facts = {}
        self.count = 0
        zero = (0 if dtype == 's16' else middle(dtype) + 4) if zero is None else zero
        self.source = self.at = self.activation('input', shape, scale, zero)

    def activation(self, name, shape, scale, zero, dtype=None):
        dtype = dtype or self.dtype
        scale = np.float32(scale)
        index = self.add_tensor(name, dtype, shape, scale, 0 if dtype == 's16' else zero)
        self.facts[index] = (list(shape), scale, 0 if dtype == 's16' else zero)
        return index

    def name(self, kind):
        self.count += 1
        return f'{kind}_{self.count}'

    def spread(self, index):
        """The expected deviation of a tensor's real values: a fifth of its range."""
        low, high = RANGES[self.dtype]
        return self.facts[index][1] * (high - low) / 5

    def result(self, kind, shape, deviation, activation=NONE):
        """A tensor for values of this deviation, after an activation."""
        low, high = RANGES[self.dtype]
        reach = {NONE: 6, RELU: 3, RELU6: min(3, 6 / deviation)}[activation] * deviation
        if self.dtype == 's16':
            return self.activation(self.name(kind), shape, reach / 32768, 0)
        zero = low if activation else middle(self.dtype) + int(self.rng.integers(-9, 10))
        return self.activation(self.name(kind), shape, reach / (high - low), zero)

    def filter(self, shape, axis, fan, dtype):
        """Weights of deviation 1 / sqrt(fan); per channel unless they are unsigned."""
        channels = shape[axis]
        per_channel = dtype != 'u8'
        high = {'s8': 127, 's4': 7, 'u8': 127}[dtype]
        spread = [1] * len(shape)
        spread[axis] = channels
        gains = self.rng.uniform(0.4, 1, channels) if per_channel else np.full(1, 0.8)
        scales = (gains * 3 / high / np.sqrt(fan)).astype(np.float32)
        codes = np.clip(np.rint(self.rng.normal(0, high / 3, shape)), -high, high)
        zero = 0
        if dtype == 'u8':
            zero = 121
            codes = np.clip(codes + zero, 0, 255)
        return scales, zero, codes

    def weight_tensor(self, shape, axis, fan, dtype=None):
        dtype = dtype or self.weights
        scales, zero, codes = self.filter(shape, axis, fan, dtype)
        index = self.add_tensor(self.name('weights'), dtype, shape, scales, zero, codes,
                                axis if len(scales) > 1 else 0)
        return index, scales

    def bias(self, scale_in, scales, count, deviation):
        real = self.rng.normal(0, deviation / 3, count)
        unit = np.broadcast_to(np.float32(scale_in) * scales, (count,)).astype(np.float64)
        dtype = 's64' if self.dtype == 's16' else 's32'
        return self.add_tensor(self.name('bias'), dtype, [count], scale_in * scales, 0,
                               np.rint(real / unit))

    def conv(self, outputs, kernel=1, stride=1, activation=NONE, padding=SAME, groups=1):
        shape, scale, _ = self.facts[self.at]
        _, height, width, channels = shape
        fan = kernel * kernel * channels // groups
        w, scales = self.weight_tensor((outputs, kernel, kernel, channels // groups), 0, fan)
        deviation = self.spread(self.at) * 0.7
        b = self.bias(scale, scales, outputs, deviation)
        side = self.window(height, width, kernel, stride, padding)
        y = self.result('conv', [1, *side, outputs], deviation, activation)
        self.add_operator(OPS.CONV_2D, [self.at, w, b], [y],
                          conv_options('Conv2DOptions', stride, padding, activation), 3)
        self.at = y
        return self

    def depthwise(self, kernel=3, stride=1, activation=NONE, padding=SAME, multiplier=1):
        shape, scale, _ = self.facts[self.at]
        _, height, width, channels = shape
        outputs = channels * multiplier
        w, scales = self.weight_tensor((1, kernel, kernel, outputs), 3, kernel * kernel)
        deviation = self.spread(self.at) * 0.7
        b = self.bias(scale, scales, outputs, deviation)
        side = self.window(height, width, kernel, stride, padding)
        y = self.result('depthwise', [1, *side, outputs], deviation, activation)
        chosen = conv_options('DepthwiseConv2DOptions', stride, padding, activation)
        chosen.depthMultiplier = multiplier
        self.add_operator(OPS.DEPTHWISE_CONV_2D, [self.at, w, b], [y], chosen, 3)
        self.at = y
        return self

    @staticmethod
    def window(height, width, kernel, stride, padding):
        if padding == SAME:
            return -(-height // stride), -(-width // stride)
        return (height - kernel) // stride + 1, (width - kernel) // stride + 1

    def dense(self, outputs, bias=True):
        shape, scale, _ = self.facts[self.at]
        length = int(np.prod(shape))
        # TFLite Micro has no 4-bit weights here.
        dtype = 's8' if self.weights == 's4' else None
        w, scales = self.weight_tensor((outputs, length), 0, length, dtype)
        deviation = self.spread(self.at) * 0.7
        inputs = [self.at, w]
        if bias:
            inputs.append(self.bias(scale, scales, outputs, deviation))
        y = self.result('dense', [1, outputs], deviation)
        self.add_operator(OPS.FULLY_CONNECTED, inputs, [y],
                          options('FullyConnectedOptions', fusedActivationFunction=0), 4)
        self.at = y
        return self

    def unary(self, code, scale=None, zero=None, chosen=None, version=1):
        shape, own_scale, own_zero = self.facts[self.at]
        y = self.activation(self.name('unary'), shape, scale or own_scale,
                            own_zero if zero is None else zero)
        self.add_operator(code, [self.at], [y], chosen, version)
        self.at = y
        return self

    def hard_swish(self):
        _, scale, _ = self.facts[self.at]
        low, _ = RANGES[self.dtype]
        # Values reach from -3/8 to the input's greatest.
        reach = self.spread(self.at) * 3
        step = (reach + 0.375) / 255
        return self.unary(OPS.HARD_SWISH, step, low + round(0.375 / step))

    def constant(self, value, scale=None):
        """A scalar as converters store it: its whole range is [0, value] or [value, 0]."""
        low, high = RANGES[self.dtype]
        step = scale or abs(value) / (high - low)
        zero = low if value > 0 else high
        code = zero + round(value / step)
        return self.add_tensor(self.name('constant'), self.dtype, [], step, zero, [code])

    def scalar(self, code, value, activation, low_real, high_real):
        """ADD, SUB or MUL by a constant, into [low_real, high_real]."""
        kind = {OPS.ADD: 'AddOptions', OPS.MUL: 'MulOptions', OPS.SUB: 'SubOptions'}[code]
        shape, _, _ = self.facts[self.at]
        low, high = RANGES[self.dtype]
        step = (high_real - low_real) / (high - low)
        y = self.activation(self.name('scalar'), shape, step, low + round(-low_real / step))
        self.add_operator(code, [self.at, self.constant(value)], [y],
                          options(kind, fusedActivationFunction=activation), 2)
        self.at = y
        return self

    def hard_sigmoid(self):
        """relu6(x + 3) / 6, as converters spell it where they do not know the pattern."""
        self.scalar(OPS.ADD, 3, RELU6, 0, 6)
        return self.scalar(OPS.MUL, 1 / 6, NONE, 0, 1)

    def mean(self, keep=True):
        shape, _, _ = self.facts[self.at]
        deviation = self.spread(self.at) / 3
        result = [1, 1, 1, shape[3]] if keep else [1, shape[3]]
        y = self.result('mean', result, deviation)
        axes = self.add_tensor(self.name('axes'), 's32', [2], None, 0, [1, 2])
        self.add_operator(OPS.MEAN, [self.at, axes], [y],
                          options('ReducerOptions', keepDims=keep), 2)
        self.at = y
        return self

    def pool(self, code=OPS.AVERAGE_POOL_2D, kernel=None, stride=1, padding=VALID):
        shape, scale, zero = self.facts[self.at]
        kernel = kernel or shape[1]
        side = self.window(shape[1], shape[2], kernel, stride, padding)
        y = self.activation(self.name('pool'), [1, *side, shape[3]], scale, zero)
        chosen = options('Pool2DOptions', padding=padding, strideW=stride, strideH=stride,
                         filterWidth=kernel, filterHeight=kernel, fusedActivationFunction=0)
        self.add_operator(code, [self.at], [y], chosen, 2)
        self.at = y
        return self

    def join(self, code, other, activation=NONE):
        """ADD, SUB or MUL of two activations."""
        kind = {OPS.ADD: 'AddOptions', OPS.MUL: 'MulOptions', OPS.SUB: 'SubOptions'}[code]
        shape, _, _ = self.facts[self.at]
        both = (self.spread(self.at), self.spread(other))
        deviation = np.hypot(*both) * 0.7 if code != OPS.MUL else both[0] * both[1]
        y = self.result('join', shape, deviation, activation)
        # Without it, LiteRT takes 16-bit scales for powers of two.
        general = {'potScaleInt16': False} if self.dtype == 's16' and code != OPS.MUL else {}
        self.add_operator(code, [self.at, other], [y],
                          options(kind, fusedActivationFunction=activation, **general), 2)
        self.at = y
        return self

    def gate(self):
        """Squeeze and excitation."""
        wide = self.at
        channels = self.facts[wide][0][3]
        self.mean().conv(max(channels // 4, 8), activation=RELU).conv(channels).hard_sigmoid()
        gate, self.at = self.at, wide
        return self.join(OPS.MUL, gate)

    def reshape(self, shape, code=OPS.RESHAPE):
        _, scale, zero = self.facts[self.at]
        y = self.activation(self.name('reshape'), shape, scale, zero)
        inputs, chosen = [self.at], None
        if code == OPS.RESHAPE:
            inputs.append(self.add_tensor(self.name('shape'), 's32', [len(shape)], None, 0, shape))
            chosen = options('ReshapeOptions', newShape=list(shape))
        else:
            chosen = options('SqueezeOptions', squeezeDims=[1, 2])
        self.add_operator(code, inputs, [y], chosen)
        self.at = y
        return self

    def computed_reshape(self, shape):
        """Keras' Reshape with an unknown batch: SHAPE, STRIDED_SLICE, PACK, RESHAPE."""
        rank = len(self.facts[self.at][0])
        _, scale, zero = self.facts[self.at]
        sizes = self.add_tensor(self.name('sizes'), 's32', [rank], None, 0)
        self.add_operator(OPS.SHAPE, [self.at], [sizes], options('ShapeOptions', outType=2))
        ends = [self.add_tensor(self.name('end'), 's32', [1], None, 0, [n]) for n in (0, 1, 1)]
        batch = self.add_tensor(self.name('batch'), 's32', [], None, 0)
        self.add_operator(OPS.STRIDED_SLICE, [sizes, *ends], [batch],
                          options('StridedSliceOptions', shrinkAxisMask=1))
        rest = [self.add_tensor(self.name('size'), 's32', [], None, 0, [n]) for n in shape[1:]]
        packed = self.add_tensor(self.name('packed'), 's32', [len(shape)], None, 0)
        self.add_operator(OPS.PACK, [batch, *rest], [packed],
                          options('PackOptions', valuesCount=len(shape), axis=0))
        y = self.activation(self.name('reshape'), shape, scale, zero)
        self.add_operator(OPS.RESHAPE, [self.at, packed], [y])
        self.at = y
        return self

    def pad(self, rows, columns):
        shape, scale, zero = self.facts[self.at]
        amounts = self.add_tensor(self.name('pads'), 's32', [4, 2], None, 0,
                                  [0, 0, *rows, *columns, 0, 0])
        result = [1, shape[1] + sum(rows), shape[2] + sum(columns), shape[3]]
        y = self.activation(self.name('pad'), result, scale, zero)
        self.add_operator(OPS.PAD, [self.at, amounts], [y], schema.PadOptionsT(), 2)
        self.at = y
        return self

    def split(self, parts):
        shape, scale, zero = self.facts[self.at]
        part = [*shape[:3], shape[3] // parts]
        axis = self.add_tensor(self.name('axis'), 's32', [], None, 0, [3])
        results = [self.activation(self.name('split'), part, scale, zero) for _ in range(parts)]
        self.add_operator(OPS.SPLIT, [axis, self.at], results,
                          options('SplitOptions', numSplits=parts), 2)
        return results

    def slice(self, begin, count):
        shape, scale, zero = self.facts[self.at]
        part = [*shape[:3], count]
        inputs = [self.add_tensor(self.name(kind), 's32', [4], None, 0, list(values))
                  for kind, values in (('begin', (0, 0, 0, begin)), ('size', part))]
        y = self.activation(self.name('slice'), part, scale, zero)
        self.add_operator(OPS.SLICE, [self.at, *inputs], [y], schema.SliceOptionsT(), 2)
        return y

    def concatenation(self, parts):
        shapes = [self.facts[part] for part in parts]
        shape, scale, zero = shapes[0]
        total = sum(one[0][3] for one in shapes)
        if any(one[1] != scale for one in shapes):
            scale = max(one[1] for one in shapes)
        y = self.activation(self.name('concatenation'), [*shape[:3], total], scale, zero)
        self.add_operator(OPS.CONCATENATION, parts, [y],
                          options('ConcatenationOptions', axis=3, fusedActivationFunction=0), 2)
        self.at = y
        return self

    def softmax(self):
        shape, _, _ = self.facts[self.at]
        scale, zero = (1 / 32768, 0) if self.dtype == 's16' else (1 / 256, RANGES[self.dtype][0])
        y = self.activation(self.name('softmax'), shape, scale, zero)
        self.add_operator(OPS.SOFTMAX, [self.at], [y], options('SoftmaxOptions', beta=1.0), 2)
        self.at = y
        return self

    def done(self):
        return self.finish(self.source, self.at)


def inverted(net, channels, expansion, kernel=3, stride=1, swish=False, gate=False):
    """Inverted residual of MobileNetV2 and V3."""
    start = net.at
    wide = net.facts[start][0][3] * expansion
    net.conv(wide, activation=NONE if swish else RELU6)
    if swish:
        net.hard_swish()
    net.depthwise(kernel, stride, NONE if swish else RELU6)
    if swish:
        net.hard_swish()
    if gate:
        net.gate()
    net.conv(channels)
    if stride == 1 and net.facts[start][0] == net.facts[net.at][0]:
        net.join(OPS.ADD, start)
    return net


def fused(net, channels, expansion, kernel=3, stride=1):
    """Fused expansion of MobileNet-EdgeTPU: a dense convolution, then the projection."""
    start = net.at
    net.conv(net.facts[start][0][3] * expansion, kernel, stride, RELU).conv(channels)
    if stride == 1 and net.facts[start][0] == net.facts[net.at][0]:
        net.join(OPS.ADD, start)
    return net


def mobilenet_v3(dtype, weights='s8'):
    net = Net(f'v3 {dtype} {weights}', dtype, [1, 24, 24, 3], weights=weights)
    net.conv(16, 3, 2).hard_swish()
    inverted(net, 16, 1, stride=1, gate=True)
    inverted(net, 24, 3, stride=2)
    inverted(net, 24, 3)
    inverted(net, 40, 4, 5, 2, swish=True, gate=True)
    inverted(net, 40, 3, 5, swish=True, gate=True)
    net.conv(96).hard_swish().pool()
    net.conv(64).hard_swish().conv(20)
    return net.reshape([1, 20], OPS.SQUEEZE).softmax().done()


def mobilenet_v3_spelled(dtype):
    """Hard-swish from ADD, RELU6 and MUL, preprocessing inside, computed shapes."""
    net = Net(f'v3 spelled {dtype}', dtype, [1, 25, 25, 3], 1.0, RANGES[dtype][0])
    net.scalar(OPS.MUL, 1 / 127.5, NONE, 0, 2).scalar(OPS.SUB, 1, NONE, -1, 1)
    for outputs, kernel, stride in ((16, 3, 2), (32, 1, 1)):
        net.conv(outputs, kernel, stride)
        linear = net.at
        net.hard_sigmoid()
        ramp, net.at = net.at, linear
        net.join(OPS.MUL, ramp)
    net.pad((0, 1), (0, 1)).depthwise(3, 2, RELU6, VALID).conv(24, activation=RELU6)
    net.mean(keep=False).computed_reshape([1, 1, 1, 24])
    net.conv(12).computed_reshape([1, 12])
    return net.softmax().done()


def edgetpu(dtype, weights='s8'):
    net = Net(f'edgetpu {dtype} {weights}', dtype, [1, 24, 24, 3], weights=weights)
    net.conv(16, 5, 2, RELU)
    fused(net, 16, 2)
    fused(net, 24, 4, stride=2)
    fused(net, 24, 3)
    inverted(net, 32, 4, 5, 2)
    inverted(net, 32, 4)
    net.depthwise(3, 1, RELU6, multiplier=2).pool(kernel=3)
    return net.reshape([1, 64]).dense(20).softmax().done()


def branches(dtype):
    """Channels split, sliced, treated apart and joined; pools with padding; flattening."""
    net = Net(f'branches {dtype}', dtype, [1, 17, 17, 4])
    net.conv(24, 3, 2, RELU)
    parts = net.split(3)
    net.at = parts[0]
    net.conv(8, 3, activation=RELU6)
    if dtype == 's8':  # int8 concatenation takes one scale only
        _, scale, zero = net.facts[parts[1]]
        net.unary(OPS.QUANTIZE, scale, zero, schema.QuantizeOptionsT(), 2)
    first, net.at = net.at, parts[1]
    net.pool(OPS.MAX_POOL_2D, 3, 1, SAME)
    second, net.at = net.at, parts[2]
    net.pool(OPS.AVERAGE_POOL_2D, 3, 1, SAME)
    third, net.at = net.at, first
    net.concatenation([first, second, third])
    tail = net.slice(5, 11)
    net.at = tail
    net.unary(OPS.QUANTIZE, net.facts[tail][1] * np.float32(1.37),
              middle(dtype) + 11, schema.QuantizeOptionsT(), 2)
    net.unary(OPS.RELU6).unary(OPS.LOGISTIC, 1 / 256, RANGES[dtype][0])
    net.conv(6, 3, 2, RELU)
    net.reshape([1, 150]).dense(16, bias=False)
    return net.done()


def wide(head):
    """16x8: a stem, inverted residuals, fused expansions and a head over a mean or a pool."""
    net = Net(f'wide {head}', 's16', [1, 20, 20, 3], 1 / 8192)
    net.conv(16, 3, 2, RELU6)
    inverted(net, 16, 2)
    inverted(net, 24, 3, stride=2)
    inverted(net, 24, 3, 5)
    fused(net, 24, 2)
    net.depthwise(3, 1, RELU, multiplier=2)
    if head == 'mean':
        return net.mean(keep=False).dense(20).done()
    net.pool(OPS.MAX_POOL_2D, 2, 1, SAME).pool(kernel=5)
    return net.conv(12).reshape([1, 12]).done()


def wide_cases():
    return {f'wide-{head}': wide(head) for head in ('mean', 'pool')}


def cases():
    return {
        'v3-s8': mobilenet_v3('s8'),
        'v3-u8': mobilenet_v3('u8'),
        'v3-spelled-s8': mobilenet_v3_spelled('s8'),
        'v3-spelled-u8': mobilenet_v3_spelled('u8'),
        'edgetpu-s8': edgetpu('s8'),
        'edgetpu-u8': edgetpu('u8'),
        'branches-s8': branches('s8'),
        'branches-u8': branches('u8'),
        'v3-s4': mobilenet_v3('s8', 's4'),
        'edgetpu-s4': edgetpu('s8', 's4'),
    }


if __name__ == '__main__':
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for case, data in cases().items():
        (folder / f'{case}.tflite').write_bytes(data)

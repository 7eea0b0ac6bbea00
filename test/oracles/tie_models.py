# SPDX-License-Identifier: Apache-2.0
"""Makes the dyadic-tie suite: one-operator .tflite files whose scales are powers of two, or barely
miss one, so that ties and near-ties are everywhere, with extreme zero points and saturation.

    python tie_models.py OUT

Real networks hardly ever meet a tie; here rounding rules part in every case. The files are made
from seeds and are lastbit's own. tie_goldens.py runs them.
"""
import hashlib
import pathlib
import sys

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

OPS = schema.BuiltinOperator
TYPES = {
    's8': (schema.TensorType.INT8, np.int8),
    'u8': (schema.TensorType.UINT8, np.uint8),
    's32': (schema.TensorType.INT32, np.int32),
    's16': (schema.TensorType.INT16, np.int16),
    's64': (schema.TensorType.INT64, np.int64),
    's4': (schema.TensorType.INT4, np.int8),
}
NO_PADDING = schema.Padding.VALID


def packed(dtype, data):
    """The bytes of a constant; 4-bit codes two to a byte, the first in the low half."""
    codes = np.asarray(data, TYPES[dtype][1])
    if dtype == 's4':
        halves = np.append(codes.ravel(), np.zeros(codes.size % 2, np.int8)) & 15
        codes = (halves[0::2] | halves[1::2] << 4).astype(np.int8)
    return np.frombuffer(codes.tobytes(), np.uint8)


def stream(seed):
    """A generator of its own for each name, so that adding a case changes no other."""
    return np.random.Generator(np.random.PCG64(list(hashlib.sha256(seed.encode()).digest())))


class File:
    """A .tflite file under construction; `add` methods return tensor indices."""

    def __init__(self):
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = 'lastbit dyadic-tie suite'
        self.model.operatorCodes = []
        self.model.buffers = [schema.BufferT()]
        self.graph = schema.SubGraphT()
        self.graph.name = 'main'
        self.graph.tensors = []
        self.graph.operators = []
        self.model.subgraphs = [self.graph]

    def add_tensor(self, name, dtype, shape, scale, zero, data=None, axis=0):
        tensor = schema.TensorT()
        tensor.name = name
        tensor.type = TYPES[dtype][0]
        tensor.shape = np.array(shape, np.int32)
        tensor.shapeSignature = None
        tensor.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = packed(dtype, data)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            quantization = schema.QuantizationParametersT()
            quantization.scale = scales
            quantization.zeroPoint = np.full(len(scales), zero, np.int64)
            quantization.quantizedDimension = axis
            tensor.quantization = quantization
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def add_operator(self, code, inputs, outputs, options=None, version=1):
        operator_code = schema.OperatorCodeT()
        operator_code.builtinCode = code
        operator_code.deprecatedBuiltinCode = min(code, 127)
        operator_code.version = version
        self.model.operatorCodes.append(operator_code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array(outputs, np.int32)
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(
                schema.BuiltinOptions, type(options).__name__.removesuffix('T')
            )
        self.graph.operators.append(operator)

    def finish(self, source, result):
        self.graph.inputs = np.array([source], np.int32)
        self.graph.outputs = np.array([result], np.int32)
        builder = flatbuffers.Builder(4096)
        builder.Finish(self.model.Pack(builder), b'TFL3')
        return bytes(builder.Output())


def options(kind, **fields):
    made = getattr(schema, kind + 'T')()
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def conv_options(kind, stride=1, padding=NO_PADDING, activation=0):
    more = {'depthMultiplier': 1} if kind == 'DepthwiseConv2DOptions' else {}
    return options(
        kind,
        padding=padding,
        strideW=stride,
        strideH=stride,
        dilationWFactor=1,
        dilationHFactor=1,
        fusedActivationFunction=activation,
        **more,
    )


# Products that are 1 in float32 and 1 - 2^-26 in double: at a tie the two part.
THIRD = np.float32(8 / 3)
NEAR = (np.float32(1 + 2**-13), np.float32(1 - 2**-13))


def layer_scales(form, shifts, rng):
    """(input scale, weight scales, output scale): the factors are 2^-shift, or nearly so."""
    shifts = np.asarray(shifts, np.float64)
    if form == 'dyadic':
        return 2.0**-5, 2.0 ** (1 - shifts), 2.0**-4
    if form == 'near':
        return NEAR[0], (NEAR[1] * 2.0 ** (-2 - shifts)).astype(np.float32), 2.0**-2
    if form == 'above':
        # f32(1/3) is above 1/3: acc * factor is just above a tie, f32(acc * factor) is on it.
        return 0.5, 2.0 ** (3 - shifts), 3.0
    if form == 'full':
        # 16 bits of the multiplier round up to 2^15, which the 16x8 kernels cut to 2^15 - 1.
        return 2.0**-5, (2.0 ** (1 - shifts) * (1 - 2.0**-18)).astype(np.float32), 2.0**-4
    if form == 'third':
        # 1 / THIRD is 3/8 once rounded to float32, and not before.
        return 0.5, 2.0 ** (3 - shifts), THIRD
    random = rng.uniform(0.5, 1, len(shifts)) * 2.0 ** (1 - shifts)
    return np.float32(rng.uniform(0.02, 0.04)), random.astype(np.float32), np.float32(0.0471)


def middle(dtype):
    return 128 if dtype == 'u8' else 0


def bias_type(dtype):
    return 's64' if dtype == 's16' else 's32'


def layer(op, dtype, form, zero_in, zero_out, per_channel, zero_weight=0, activation=0):
    """CONV_2D, DEPTHWISE_CONV_2D (3 x 3, padded) or FULLY_CONNECTED."""
    rng = stream(f'{op} {dtype} {form} {zero_in} {zero_out} {per_channel} {zero_weight}')
    file = File()
    side, channels = (6, 16) if op != 'fully_connected' else (1, 48)
    count = 16 if op != 'fully_connected' else 96
    # A sum of n products of codes with std 74 and weights up to w has std 74 w sqrt(n / 3).
    n = {'conv': channels, 'depthwise': 9, 'fully_connected': channels}[op]
    reach = 2 ** (np.arange(count) % 7) if per_channel else np.full(count, 24)
    shifts = np.round(np.log2(74 * reach * np.sqrt(n / 3) / 45)).astype(int)
    if per_channel:
        shifts[1::8] -= 2  # saturates
    scale_in, scales, scale_out = layer_scales(form, shifts if per_channel else shifts[:1], rng)
    shape = {
        'conv': (count, 1, 1, channels),
        'depthwise': (1, 3, 3, count),
        'fully_connected': (count, channels),
    }[op]
    channel_axis = 3 if op == 'depthwise' else 0
    # Files with one scale name dimension 0, and XNNPACK takes no other from them.
    axis = channel_axis if per_channel else 0
    spread = [1] * len(shape)
    spread[channel_axis] = count
    weights = np.rint(rng.uniform(-1, 1, shape) * reach.reshape(spread))
    if dtype == 'u8':
        weights = np.clip(weights + zero_weight, 0, 255)
    bias = rng.integers(-40, 41, count) * 2 ** np.maximum(shifts - 1, 0) + rng.integers(-1, 2, count)
    image = [1, side, side, channels] if op != 'fully_connected' else [1, channels]
    result = [1, side, side, count] if op != 'fully_connected' else [1, count]
    x = file.add_tensor('x', dtype, image, scale_in, zero_in)
    w = file.add_tensor('w', 'u8' if dtype == 'u8' else 's8', shape, scales, zero_weight, weights, axis)
    bias_scale = np.float32(scale_in) * np.asarray(scales, np.float32)
    if dtype == 's16':
        bias = bias * 256 + rng.integers(-1, 2, count)
    b = file.add_tensor('b', bias_type(dtype), [count], bias_scale, 0, bias)
    y = file.add_tensor('y', dtype, result, scale_out, zero_out)
    if op == 'conv':
        file.add_operator(
            OPS.CONV_2D, [x, w, b], [y], conv_options('Conv2DOptions', activation=activation), 3
        )
    elif op == 'depthwise':
        chosen = conv_options(
            'DepthwiseConv2DOptions', padding=schema.Padding.SAME, activation=activation
        )
        file.add_operator(OPS.DEPTHWISE_CONV_2D, [x, w, b], [y], chosen, 3)
    else:
        chosen = options('FullyConnectedOptions', fusedActivationFunction=activation)
        file.add_operator(OPS.FULLY_CONNECTED, [x, w, b], [y], chosen, 4)
    return file.finish(x, y)


def permuted(file, x, dtype, shape, scale, zero, zero_out, weight_scale):
    """x with its channels in another order, by a convolution whose factor is 1: nothing rounds."""
    channels = shape[-1]
    zero_weight = 7 if dtype == 'u8' else 0
    weights = np.full((channels, 1, 1, channels), zero_weight)
    for c in range(channels):
        weights[c, 0, 0, (5 * c + 3) % channels] += 1
    w = file.add_tensor('order', 'u8' if dtype == 'u8' else 's8', weights.shape, weight_scale, zero_weight, weights)
    scale_out = np.float32(np.float32(scale) * np.float32(weight_scale))
    b = file.add_tensor('none', bias_type(dtype), [channels], scale_out, 0, np.zeros(channels))
    y = file.add_tensor('permuted', dtype, shape, scale_out, zero_out)
    file.add_operator(OPS.CONV_2D, [x, w, b], [y], conv_options('Conv2DOptions'), 3)
    return y, scale_out


def pair(op, dtype, scale, weight_scale, scale_out, zeros, activation=0):
    """ADD, MUL or CONCATENATION of x and its permutation."""
    file = File()
    shape = [1, 6, 6, 16]
    x = file.add_tensor('x', dtype, shape, scale, zeros[0])
    second, second_scale = permuted(file, x, dtype, shape, scale, zeros[0], zeros[1], weight_scale)
    if op == 'concat':
        y = file.add_tensor('y', dtype, [1, 6, 6, 32], scale_out or second_scale, zeros[2])
        chosen = options('ConcatenationOptions', axis=3, fusedActivationFunction=0)
        file.add_operator(OPS.CONCATENATION, [x, second], [y], chosen, 2)
        return file.finish(x, y)
    y = file.add_tensor('y', dtype, shape, scale_out, zeros[2])
    if op == 'add':
        chosen = options('AddOptions', fusedActivationFunction=activation, potScaleInt16=False)
        file.add_operator(OPS.ADD, [x, second], [y], chosen, 2)
    else:
        chosen = options('MulOptions', fusedActivationFunction=activation)
        file.add_operator(OPS.MUL, [x, second], [y], chosen, 2)
    return file.finish(x, y)


def with_constant(op, scales, codes):
    """A 16-bit ADD or MUL of the input and a constant, one code for each channel or one for all."""
    file = File()
    x = file.add_tensor('x', 's16', [1, 3, 5, 16], scales[0], 0)
    k = file.add_tensor('k', 's16', [len(codes)], scales[1], 0, codes)
    y = file.add_tensor('y', 's16', [1, 3, 5, 16], scales[2], 0)
    chosen = options('AddOptions', potScaleInt16=False) if op == 'add' else options('MulOptions')
    file.add_operator(OPS.ADD if op == 'add' else OPS.MUL, [x, k], [y], chosen, 2)
    return file.finish(x, y)


def mean(dtype, side, scale_in, scale_out, zero_in, zero_out):
    file = File()
    x = file.add_tensor('x', dtype, [1, *side, 64], scale_in, zero_in)
    axes = file.add_tensor('axes', 's32', [2], None, 0, [1, 2])
    y = file.add_tensor('y', dtype, [1, 1, 1, 64], scale_out, zero_out)
    file.add_operator(OPS.MEAN, [x, axes], [y], options('ReducerOptions', keepDims=True), 2)
    return file.finish(x, y)


def average(dtype, side, kernel, stride, padding, zero):
    file = File()
    positions = -(-side // stride) if padding == schema.Padding.SAME else (side - kernel) // stride + 1
    x = file.add_tensor('x', dtype, [1, side, side, 16], 0.5, zero)
    y = file.add_tensor('y', dtype, [1, positions, positions, 16], 0.5, zero)
    chosen = options(
        'Pool2DOptions',
        padding=padding,
        strideW=stride,
        strideH=stride,
        filterWidth=kernel,
        filterHeight=kernel,
        fusedActivationFunction=0,
    )
    file.add_operator(OPS.AVERAGE_POOL_2D, [x], [y], chosen, 2)
    return file.finish(x, y)


def softmax(dtype, channels, scale, beta=1.0):
    file = File()
    step, least = {'s8': (1 / 256, -128), 'u8': (1 / 256, 0), 's16': (1 / 32768, 0)}[dtype]
    x = file.add_tensor('x', dtype, [1, channels], scale, 0 if dtype == 's16' else 3)
    y = file.add_tensor('y', dtype, [1, channels], step, least)
    file.add_operator(OPS.SOFTMAX, [x], [y], options('SoftmaxOptions', beta=beta), 2)
    return file.finish(x, y)


def unary(code, dtype, scale_in, zero_in, scale_out, zero_out, chosen=None, version=1):
    file = File()
    x = file.add_tensor('x', dtype, [1, 4, 4, 64], scale_in, zero_in)
    y = file.add_tensor('y', dtype, [1, 4, 4, 64], scale_out, zero_out)
    file.add_operator(code, [x], [y], chosen, version)
    return file.finish(x, y)


def change(source, result):
    """QUANTIZE from one (type, scale, zero point) to another."""
    file = File()
    x = file.add_tensor('x', source[0], [1, 4, 4, 64], *source[1:])
    y = file.add_tensor('y', result[0], [1, 4, 4, 64], *result[1:])
    file.add_operator(OPS.QUANTIZE, [x], [y], schema.QuantizeOptionsT(), 2)
    return file.finish(x, y)


def cases():
    same, valid = schema.Padding.SAME, schema.Padding.VALID
    made = {}
    for dtype in ('s8', 'u8'):
        low, high = (-128, 127) if dtype == 's8' else (0, 255)
        mid = middle(dtype)
        for op in ('conv', 'depthwise', 'fully_connected'):
            for form in ('dyadic', 'near', 'above', 'third', 'random'):
                per_channel = dtype == 's8' and op != 'fully_connected'
                zero_weight = 0 if dtype == 's8' else {'dyadic': 131, 'near': 125}.get(form, 128)
                made[f'{op}-{dtype}-{form}'] = layer(
                    op, dtype, form, mid + 5, mid - 9, per_channel, zero_weight
                )
            made[f'{op}-{dtype}-zeros'] = layer(
                op, dtype, 'dyadic', high, low, per_channel, 0 if dtype == 's8' else 120, 1
            )
        if dtype == 's8':
            for op in ('conv', 'depthwise'):
                for form in ('dyadic', 'near'):
                    made[f'{op}-s8-tensor-{form}'] = layer(op, dtype, form, 5, -9, False)
            for form in ('dyadic', 'near', 'above'):
                made[f'fully_connected-s8-channel-{form}'] = layer(
                    'fully_connected', dtype, form, 5, -9, True
                )
        made[f'add-{dtype}-dyadic'] = pair(
            'add', dtype, 0.5, 0.5, 1.0, (mid + 3, mid - 7, mid - 2)
        )
        made[f'add-{dtype}-halves'] = pair('add', dtype, 0.5, 1.0, 1.0, (mid + 3, mid - 7, mid + 1))
        made[f'add-{dtype}-thirds'] = pair(
            'add', dtype, 0.1, 0.7, 0.12, (mid + 30, mid - 47, mid + 11)
        )
        made[f'add-{dtype}-apart'] = pair('add', dtype, 0.3, 1 / 64, 0.3, (low, high, mid), 1)
        made[f'add-{dtype}-coarse'] = pair('add', dtype, 2**-6, 4.0, 2**-2, (mid, mid, mid))
        made[f'mul-{dtype}-dyadic'] = pair('mul', dtype, 0.5, 0.5, 16.0, (mid + 3, mid - 7, mid - 2))
        made[f'mul-{dtype}-near'] = pair(
            'mul', dtype, NEAR[0], NEAR[1] / NEAR[0], 64.0, (mid + 3, mid - 7, mid - 2)
        )
        made[f'mul-{dtype}-above'] = pair('mul', dtype, 0.5, 1.0, 12.0, (mid + 3, mid - 7, mid))
        made[f'mul-{dtype}-third'] = pair(
            'mul', dtype, 0.5, 0.5, THIRD * 2, (mid + 3, mid - 7, mid - 2)
        )
        made[f'concat-{dtype}-equal'] = pair('concat', dtype, 0.5, 1.0, None, (mid + 3,) * 3)
        if dtype == 'u8':
            made['concat-u8-scales'] = pair('concat', dtype, 0.5, 0.5, 1.0, (mid + 3, mid - 7, mid))
        for n, side in ((16, (4, 4)), (49, (7, 7)), (6, (2, 3)), (1, (1, 1))):
            made[f'mean-{dtype}-{n}-equal'] = mean(dtype, side, 0.5, 0.5, mid + 3, mid + 3)
            made[f'mean-{dtype}-{n}-finer'] = mean(dtype, side, 0.5, 0.125, mid + 3, mid - 4)
        made[f'mean-{dtype}-49-random'] = mean(dtype, (7, 7), 0.0235, 0.0171, mid + 3, mid - 4)
        # Where the zero points meet: zi * si / so is no integer, or half of one.
        for zero in (low, mid - 1, mid + 1, high):
            made[f'mean-{dtype}-49-zero{zero}'] = mean(dtype, (7, 7), 0.0235, 0.0191, zero, mid)
            made[f'mean-{dtype}-49-half{zero}'] = mean(dtype, (7, 7), 0.25, 0.5, zero, mid)
        made[f'average-{dtype}-2x2'] = average(dtype, 8, 2, 2, valid, mid + 3)
        made[f'average-{dtype}-4x4'] = average(dtype, 10, 4, 2, valid, mid - 5)
        made[f'average-{dtype}-3x3-padded'] = average(dtype, 7, 3, 1, same, mid + 3)
        made[f'average-{dtype}-7x7'] = average(dtype, 7, 7, 1, valid, mid)
        for channels, scale in ((3, 0.010183702), (10, 0.01), (100, 0.02), (257, 0.03125), (1001, 0.05)):
            made[f'softmax-{dtype}-{channels}'] = softmax(dtype, channels, scale)
        for name, scale_in, scale_out in (
            ('coarser', 0.25, 0.5),
            ('coarser4', 0.25, 1.0),
            ('finer', 0.5, 0.25),
            ('third', 1.0, THIRD),
            ('random', 0.0312, 0.0471),
            ('shifted', 0.5, 0.5),
        ):
            made[f'quantize-{dtype}-{name}'] = unary(
                OPS.QUANTIZE, dtype, scale_in, mid + 3, scale_out, mid - 8,
                schema.QuantizeOptionsT(), 2,
            )
        other = 'u8' if dtype == 's8' else 's8'
        for name, scale_in, scale_out in (('dyadic', 0.5, 1.0), ('random', 0.0235, 0.0171)):
            made[f'quantize-{dtype}-{other}-{name}'] = change(
                (dtype, scale_in, mid + 3), (other, scale_out, middle(other) - 8)
            )
        made[f'relu-{dtype}-dyadic'] = unary(OPS.RELU, dtype, 0.25, mid + 3, 1.0, mid, None, 2)
        made[f'relu-{dtype}-third'] = unary(OPS.RELU, dtype, 1.0, mid + 3, THIRD, mid, None, 2)
        made[f'relu-{dtype}-equal'] = unary(OPS.RELU, dtype, 0.25, mid + 3, 0.25, mid + 3, None, 2)
        made[f'relu6-{dtype}-dyadic'] = unary(OPS.RELU6, dtype, 0.0625, mid + 3, 0.25, mid, None, 2)
        made[f'relu6-{dtype}-equal'] = unary(OPS.RELU6, dtype, 0.0625, 3, 0.0625, 3, None, 2)
        for name, scale_in, zero, scale_out in (
            ('sixteenth', 0.0625, 0, 0.0625),
            ('fine', 0.03, 11, 0.02),
            ('wide', 0.1, -20, 0.07),
        ):
            made[f'hard_swish-{dtype}-{name}'] = unary(
                OPS.HARD_SWISH, dtype, scale_in, mid + zero, scale_out, mid - 100
            )
        for name, scale_in in (('eighth', 0.125), ('fine', 0.0173), ('wide', 0.31)):
            made[f'logistic-{dtype}-{name}'] = unary(
                OPS.LOGISTIC, dtype, scale_in, mid + 3, 1 / 256, low
            )
    return made


def wide_cases():
    """16x8: codes of 16 bits without zero points, weights of 8 bits, biases of 64."""
    same, valid = schema.Padding.SAME, schema.Padding.VALID
    made = {}
    for op in ('conv', 'depthwise', 'fully_connected'):
        for form in ('dyadic', 'near', 'above', 'third', 'full', 'random'):
            per_channel = op != 'fully_connected'
            made[f'{op}-s16-{form}'] = layer(op, 's16', form, 0, 0, per_channel)
        made[f'{op}-s16-relu'] = layer(op, 's16', 'dyadic', 0, 0, op != 'fully_connected', 0, 1)
    for form in ('dyadic', 'random'):
        made[f'fully_connected-s16-channel-{form}'] = layer(
            'fully_connected', 's16', form, 0, 0, True
        )
        made[f'conv-s16-tensor-{form}'] = layer('conv', 's16', form, 0, 0, False)
    zeros = (0, 0, 0)
    for name, scales in (
        ('dyadic', (0.5, 0.5, 1.0)),
        ('halves', (0.5, 1.0, 1.0)),
        ('thirds', (0.1, 0.7, 0.12)),
        ('coarse', (2**-6, 4.0, 2**-2)),
    ):
        made[f'add-s16-{name}'] = pair('add', 's16', *scales, zeros)
    made['add-s16-apart'] = pair('add', 's16', 0.3, 1 / 64, 0.3, zeros, 1)
    for name, scales in (
        ('dyadic', (0.5, 0.5, 2.0**12)),
        ('near', (NEAR[0], NEAR[1] / NEAR[0], 2.0**14)),
        ('above', (0.5, 1.0, 3.0 * 2**11)),
        ('third', (0.5, 0.5, THIRD * 2**10)),
        ('random', (0.0173, 0.31, 3.3)),
    ):
        made[f'mul-s16-{name}'] = pair('mul', 's16', *scales, zeros)
    codes = stream('constants').integers(-32768, 32768, 16)
    for name, chosen in (('channels', codes), ('one', codes[:1])):
        made[f'add-s16-constant-{name}'] = with_constant('add', (0.1, 0.7, 0.12), chosen)
        made[f'mul-s16-constant-{name}'] = with_constant('mul', (0.0173, 0.31, 3.3), chosen)
    made['concat-s16-equal'] = pair('concat', 's16', 0.5, 1.0, None, zeros)
    for n, side in ((16, (4, 4)), (49, (7, 7)), (6, (2, 3)), (1, (1, 1))):
        made[f'mean-s16-{n}-equal'] = mean('s16', side, 0.5, 0.5, 0, 0)
        made[f'mean-s16-{n}-finer'] = mean('s16', side, 0.5, 0.125, 0, 0)
    made['mean-s16-49-random'] = mean('s16', (7, 7), 0.0235, 0.0171, 0, 0)
    for name, scale_in, zero_in, scale_out, zero_out in (
        ('sixty-fourth', 2.0**-9, 0, 2.0**-3, -8),
        ('dyadic', 2.0**-8, 0, 0.5, 3),
        ('near', float(NEAR[0]) * 2.0**-8, 0, 1.0, 0),
        ('third', 2.0**-7, 0, THIRD, -128),
        ('random', 0.000183, 0, 0.0235, 17),
    ):
        made[f'quantize-s16-s8-{name}'] = change(
            ('s16', scale_in, zero_in), ('s8', scale_out, zero_out)
        )
        made[f'quantize-s8-s16-{name}'] = change(
            ('s8', scale_out, zero_out), ('s16', scale_in, zero_in)
        )
    for name, scale_out in (('finer', 0.125), ('coarser', 2.0), ('random', 0.317)):
        made[f'quantize-s16-{name}'] = change(('s16', 0.5, 0), ('s16', scale_out, 0))
    for channels, scale in ((2, 0.001), (10, 0.0005), (257, 0.002), (1001, 0.0004)):
        made[f'softmax-s16-{channels}'] = softmax('s16', channels, scale)
    made['average-s16-2x2'] = average('s16', 8, 2, 2, valid, 0)
    made['average-s16-3x3-padded'] = average('s16', 7, 3, 1, same, 0)
    made['average-s16-7x7'] = average('s16', 7, 7, 1, valid, 0)
    return made


if __name__ == '__main__':
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in cases().items():
        (folder / f'{name}.tflite').write_bytes(data)

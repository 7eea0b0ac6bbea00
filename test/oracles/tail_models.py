# SPDX-License-Identifier: Apache-2.0
"""Makes one-operator .tflite files of odd sizes: optimized kernels compute whole vectors in one way
and what is left of a row in another, which may round differently. Scales as in tie_models.py.

tie_goldens.py --tails runs them.
"""
import numpy as np
from ai_edge_litert import schema_py_generated as schema

import tie_models
from tie_models import NEAR, OPS, THIRD, File, middle, permuted, options

# On both sides of the widths of vectors: 8 and 16 codes.
SIZES = (1, 5, 12, 17, 27)


def pair(op, dtype, shape, scale, weight_scale, scale_out, zeros):
    """ADD or MUL of x and another order of its channels."""
    file = File()
    x = file.add_tensor('x', dtype, shape, scale, zeros[0])
    second, _ = permuted(file, x, dtype, shape, scale, zeros[0], zeros[1], weight_scale)
    y = file.add_tensor('y', dtype, shape, scale_out, zeros[2])
    if op == 'add':
        chosen = options('AddOptions', fusedActivationFunction=0, potScaleInt16=False)
        file.add_operator(OPS.ADD, [x, second], [y], chosen, 2)
    else:
        file.add_operator(
            OPS.MUL, [x, second], [y], options('MulOptions', fusedActivationFunction=0), 2
        )
    return file.finish(x, y)


def layer(op, dtype, form, image, count, zeros):
    """A convolution of `image` ([h, w, c]) with `count` outputs and tie-prone factors."""
    rng = tie_models.stream(f'tail {op} {dtype} {form} {image} {count}')
    file = File()
    height, width, channels = image
    per_channel = dtype == 's8' and op != 'fully_connected'
    n = {'conv': channels, 'depthwise': 9, 'fully_connected': channels}[op]
    reach = 2 ** (np.arange(count) % 7) if per_channel else np.full(count, 24)
    shifts = np.round(np.log2(74 * reach * np.sqrt(n / 3) / 45)).astype(int)
    used = shifts if per_channel else shifts[:1]
    scale_in, scales, scale_out = tie_models.layer_scales(form, used, rng)
    shape = {
        'conv': (count, 1, 1, channels),
        'depthwise': (1, 3, 3, count),
        'fully_connected': (count, channels),
    }[op]
    axis = 3 if op == 'depthwise' else 0
    spread = [1] * len(shape)
    spread[axis] = count
    zero_weight = 0 if dtype == 's8' else 125
    weights = np.rint(rng.uniform(-1, 1, shape) * reach.reshape(spread)) + zero_weight
    bias = rng.integers(-40, 41, count) * 2 ** np.maximum(shifts - 1, 0) + rng.integers(-1, 2, count)
    flat = op == 'fully_connected'
    x = file.add_tensor('x', dtype, [1, channels] if flat else [1, *image], scale_in, zeros[0])
    w = file.add_tensor('w', dtype, shape, scales, zero_weight, weights, axis if per_channel else 0)
    bias_scale = np.float32(scale_in) * np.asarray(scales, np.float32)
    b = file.add_tensor('b', 's32', [count], bias_scale, 0, bias)
    result = [1, count] if flat else [1, height, width, count]
    y = file.add_tensor('y', dtype, result, scale_out, zeros[1])
    if op == 'conv':
        file.add_operator(OPS.CONV_2D, [x, w, b], [y], tie_models.conv_options('Conv2DOptions'), 3)
    elif op == 'depthwise':
        chosen = tie_models.conv_options('DepthwiseConv2DOptions', padding=schema.Padding.SAME)
        file.add_operator(OPS.DEPTHWISE_CONV_2D, [x, w, b], [y], chosen, 3)
    else:
        chosen = options('FullyConnectedOptions', fusedActivationFunction=0)
        file.add_operator(OPS.FULLY_CONNECTED, [x, w, b], [y], chosen, 4)
    return file.finish(x, y)


def mean(dtype, image, scale_in, scale_out, zeros, keep=True):
    file = File()
    x = file.add_tensor('x', dtype, [1, *image], scale_in, zeros[0])
    axes = file.add_tensor('axes', 's32', [2], None, 0, [1, 2])
    shape = [1, 1, 1, image[2]] if keep else [1, image[2]]
    y = file.add_tensor('y', dtype, shape, scale_out, zeros[1])
    file.add_operator(OPS.MEAN, [x, axes], [y], options('ReducerOptions', keepDims=keep), 2)
    return file.finish(x, y)


def average(dtype, side, kernel, channels, zero):
    file = File()
    height, width = (side - k + 1 for k in kernel)
    x = file.add_tensor('x', dtype, [1, side, side, channels], 0.5, zero)
    y = file.add_tensor('y', dtype, [1, height, width, channels], 0.5, zero)
    chosen = options(
        'Pool2DOptions',
        padding=schema.Padding.VALID,
        strideW=1,
        strideH=1,
        filterWidth=kernel[1],
        filterHeight=kernel[0],
        fusedActivationFunction=0,
    )
    file.add_operator(OPS.AVERAGE_POOL_2D, [x], [y], chosen, 2)
    return file.finish(x, y)


def unary(code, dtype, n, scales, zeros, chosen=None, version=1):
    file = File()
    x = file.add_tensor('x', dtype, [1, 1, 1, n], scales[0], zeros[0])
    y = file.add_tensor('y', dtype, [1, 1, 1, n], scales[1], zeros[1])
    file.add_operator(code, [x], [y], chosen, version)
    return file.finish(x, y)


def of_size(n, dtype):
    """All operators whose row has n codes."""
    mid = middle(dtype)
    low = mid - 128
    zeros = (mid + 3, mid - 7, mid - 2)
    far = (low, low + 255, mid + 11)
    row = [1, 1, 1, n]
    for name, scales in (
        ('dyadic', (0.5, 0.5, 1.0)),
        ('halves', (0.5, 1.0, 1.0)),
        ('thirds', (0.1, 0.7, 0.12)),
        ('apart', (0.3, 1 / 64, 0.3)),
        ('coarse', (2.0**-6, 4.0, 2.0**-2)),
    ):
        yield f'add-{dtype}-{name}', pair('add', dtype, row, *scales, far if name == 'apart' else zeros)
    for name, scales in (
        ('dyadic', (0.5, 0.5, 16.0)),
        ('near', (NEAR[0], NEAR[1] / NEAR[0], 64.0)),
        ('above', (0.5, 1.0, 12.0)),
    ):
        yield f'mul-{dtype}-{name}', pair('mul', dtype, row, *scales, zeros)
    for form in ('dyadic', 'near', 'above'):
        outer = (mid + 5, mid - 9)
        yield f'conv-{dtype}-{form}', layer('conv', dtype, form, (1, 1, 16), n, outer)
        yield f'conv-{dtype}-row-{form}', layer('conv', dtype, form, (3, 3, n), 7, outer)
        yield f'depthwise-{dtype}-{form}', layer('depthwise', dtype, form, (3, 3, n), n, outer)
        yield f'fully_connected-{dtype}-{form}', layer(
            'fully_connected', dtype, form, (1, 1, n), n, outer
        )
    for name, scales in (('equal', (0.5, 0.5)), ('finer', (0.5, 0.125)), ('third', (1.0, THIRD))):
        yield f'mean-{dtype}-{name}', mean(dtype, (2, 3, n), *scales, zeros)
        yield f'mean-{dtype}-row-{name}', mean(dtype, (2, 3, n), *scales, zeros, False)
    for kernel in ((3, 3), (3, 5), (2, 2)):
        yield f'average-{dtype}-{kernel[0]}x{kernel[1]}', average(dtype, 5, kernel, n, mid + 3)
    yield f'softmax-{dtype}', tie_models.softmax(dtype, n, 0.03125)
    yield f'hard_swish-{dtype}', unary(OPS.HARD_SWISH, dtype, n, (0.03, 0.02), (mid + 11, mid - 100))
    yield f'logistic-{dtype}', unary(OPS.LOGISTIC, dtype, n, (0.125, 1 / 256), (mid + 3, low))
    for name, scales in (('coarser4', (0.25, 1.0)), ('third', (1.0, THIRD)), ('finer', (0.5, 0.25))):
        chosen = schema.QuantizeOptionsT()
        yield f'quantize-{dtype}-{name}', unary(OPS.QUANTIZE, dtype, n, scales, zeros, chosen, 2)
    yield f'relu-{dtype}', unary(OPS.RELU, dtype, n, (0.25, 1.0), (mid + 3, mid), None, 2)


def cases(sizes=SIZES):
    return {
        f'{name}-{n}': model
        for n in sizes
        for dtype in ('s8', 'u8')
        for name, model in of_size(n, dtype)
    }

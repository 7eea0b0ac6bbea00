# SPDX-License-Identifier: Apache-2.0
"""Makes small .tflite files of operators that are neither layers nor pools: resizing, and functions of one value.

tie_goldens.py --operators runs them.
"""
from tie_models import OPS, File, middle, options

# Height, width, and those of the result: whole factors, others, smaller ones, one pixel.
SIZES = ((4, 5, 8, 10), (3, 3, 24, 24), (7, 5, 13, 17), (9, 9, 5, 4), (1, 1, 4, 3), (33, 3, 65, 9), (6, 10, 9, 7))
COORDINATES = {'asymmetric': (False, False), 'aligned': (True, False), 'half': (False, True)}
# Of one value; the last two reach what XNNPACK leaves to TFLite's kernels.
SCALES = ((0.1, 0.07), (0.5, 0.5), (0.25, 1.0), (0.03, 0.021), (0.4, 0.1), (1.0, 300.0))
SLOPES = (0.1, 0.25, 0.01, 0.3, 0.0)


def resize(op, dtype, sizes, flags, channels):
    height, width, rows, columns = sizes
    aligned, half = flags
    file = File()
    zero = middle(dtype) + 3
    x = file.add_tensor('x', dtype, [1, height, width, channels], 0.125, zero)
    size = file.add_tensor('size', 's32', [2], None, 0, [rows, columns])
    y = file.add_tensor('y', dtype, [1, rows, columns, channels], 0.125, zero)
    kind = 'ResizeBilinearOptions' if op == 'bilinear' else 'ResizeNearestNeighborOptions'
    chosen = options(kind, alignCorners=aligned, halfPixelCenters=half)
    code = OPS.RESIZE_BILINEAR if op == 'bilinear' else OPS.RESIZE_NEAREST_NEIGHBOR
    file.add_operator(code, [x, size], [y], chosen, 3)
    return file.finish(x, y)


def function(code, dtype, scales, zeros, chosen, version=2):
    """Of 256 values: seeded inputs of 16 images meet almost every code."""
    file = File()
    x = file.add_tensor('x', dtype, [1, 16, 16, 1], scales[0], zeros[0])
    y = file.add_tensor('y', dtype, [1, 16, 16, 1], scales[1], zeros[1])
    file.add_operator(code, [x], [y], chosen, version)
    return file.finish(x, y)


def same_codes(dtype, shape, result, build):
    """An operator that keeps scale and zero point; `build` adds what stands between x and y."""
    file = File()
    zero = middle(dtype) + 3
    x = file.add_tensor('x', dtype, shape, 0.125, zero)
    y = file.add_tensor('y', dtype, result, 0.125, zero)
    build(file, x, y, zero)
    return file.finish(x, y)


def integers(file, name, values):
    return file.add_tensor(name, 's32', [len(values)], None, 0, values)


def reduce_max(keep):
    def build(file, x, y, _):
        axes = integers(file, 'axes', [1, 2])
        file.add_operator(OPS.REDUCE_MAX, [x, axes], [y], options('ReducerOptions', keepDims=keep), 2)

    return build


def gather(picked):
    def build(file, x, y, _):
        indices = integers(file, 'indices', picked)
        file.add_operator(OPS.GATHER, [x, indices], [y], options('GatherOptions', axis=3), 2)

    return build


def shuffle(dtype, image, groups):
    """The channel shuffle of ShuffleNet, by five axes."""
    height, width, channels = image

    def build(file, x, y, zero):
        split = [1, height, width, groups, channels // groups]
        swapped = [*split[:3], channels // groups, groups]
        a = file.add_tensor('split', dtype, split, 0.125, zero)
        b = file.add_tensor('swapped', dtype, swapped, 0.125, zero)
        shapes = [integers(file, 'shape0', split), integers(file, 'shape1', [1, *image])]
        perm = integers(file, 'perm', [0, 1, 2, 4, 3])
        file.add_operator(OPS.RESHAPE, [x, shapes[0]], [a], options('ReshapeOptions', newShape=split))
        file.add_operator(OPS.TRANSPOSE, [a, perm], [b], options('TransposeOptions'), 4)
        file.add_operator(OPS.RESHAPE, [b, shapes[1]], [y], options('ReshapeOptions', newShape=[1, *image]))

    return same_codes(dtype, [1, *image], [1, *image], build)


def pad_with_value(dtype):
    def build(file, x, y, zero):
        amounts = file.add_tensor('amounts', 's32', [4, 2], None, 0, [0, 0, 1, 2, 0, 3, 0, 0])
        value = file.add_tensor('value', dtype, [1], 0.125, zero, [zero])
        file.add_operator(OPS.PADV2, [x, amounts, value], [y], options('PadV2Options'), 2)

    return same_codes(dtype, [1, 4, 5, 3], [1, 7, 8, 3], build)


def moving(dtype):
    """Operators that only move codes."""
    yield f'max-{dtype}', same_codes(dtype, [1, 5, 4, 7], [1, 1, 1, 7], reduce_max(True))
    yield f'max-{dtype}-row', same_codes(dtype, [1, 5, 4, 7], [1, 7], reduce_max(False))
    yield f'gather-{dtype}', same_codes(dtype, [1, 3, 4, 6], [1, 3, 4, 5], gather([5, 0, 3, 3, 1]))
    for groups in (2, 3):
        yield f'shuffle-{dtype}-{groups}', shuffle(dtype, (3, 5, 12), groups)
    yield f'pad-{dtype}', pad_with_value(dtype)


def of_type(dtype):
    yield from moving(dtype)
    mid = middle(dtype)
    for name, flags in COORDINATES.items():
        for sizes in SIZES:
            tag = f'{dtype}-{name}-{"x".join(map(str, sizes))}'
            for op in ('bilinear', 'nearest'):
                yield f'{op}-{tag}', resize(op, dtype, sizes, flags, 3 + sizes[0] % 2 * 13)
    for i, scales in enumerate(SCALES):
        for slope in SLOPES:
            chosen = options('LeakyReluOptions', alpha=slope)
            yield f'leaky-{dtype}-{slope}-{i}', function(
                OPS.LEAKY_RELU, dtype, scales, (mid + 7, mid - 11), chosen
            )
    for approximate in (False, True):
        for i, scales in enumerate(((0.03, 0.02), (0.06, 0.05), (0.0078125, 0.0078125), (0.1, 0.03))):
            chosen = options('GeluOptions', approximate=approximate)
            tag = 'tanh' if approximate else 'erf'
            yield f'gelu-{dtype}-{tag}-{i}', function(
                OPS.GELU, dtype, scales, (mid + 7, mid - 100), chosen
            )


def cases():
    return {name: model for dtype in ('s8', 'u8') for name, model in of_type(dtype)}



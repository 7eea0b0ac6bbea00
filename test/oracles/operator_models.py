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


def of_type(dtype):
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



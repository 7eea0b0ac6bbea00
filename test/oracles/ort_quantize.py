# SPDX-License-Identifier: Apache-2.0
"""Quantizes a float ONNX file with onnxruntime's quantize_static, as users do,
after its quant_pre_process, which folds batch norms.

    python ort_quantize.py MODEL IMAGES OUT [--format qdq|qop] [--per-tensor] [--weights s8|u8]

IMAGES is an .npy of u8 images, NHWC; pixels are divided by 255. The first 100 calibrate (min-max).
--reals FILE receives the next 20 images as f32 NCHW, the inputs for ort_run.cjs.
"""
import argparse
import pathlib

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process


class Reader(CalibrationDataReader):
    def __init__(self, name, images):
        self.feeds = iter([{name: image[None]} for image in images])

    def get_next(self):
        return next(self.feeds, None)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('model')
    parser.add_argument('images')
    parser.add_argument('out')
    parser.add_argument('--format', choices=['qdq', 'qop'], default='qdq')
    parser.add_argument('--per-tensor', action='store_true')
    parser.add_argument('--weights', choices=['s8', 'u8'], default='s8')
    parser.add_argument('--reals')
    options = parser.parse_args()
    images = np.load(options.images)
    if images.ndim == 3:
        images = images[..., None]
    if images.shape[3] == 1:
        images = images.repeat(3, axis=3)  # grey
    reals = np.ascontiguousarray(images[:120].transpose(0, 3, 1, 2).astype(np.float32) / 255)
    graph = onnx.load(options.model).graph
    folded = f'{options.out}.folded'
    quant_pre_process(options.model, folded, skip_symbolic_shape=True)
    quantize_static(
        folded,
        options.out,
        Reader(graph.input[0].name, reals[:100]),
        quant_format=QuantFormat.QDQ if options.format == 'qdq' else QuantFormat.QOperator,
        per_channel=not options.per_tensor,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8 if options.weights == 's8' else QuantType.QUInt8,
    )
    pathlib.Path(folded).unlink()
    if options.reals:
        reals[100:].tofile(options.reals)


main()

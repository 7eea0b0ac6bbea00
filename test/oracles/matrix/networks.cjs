// SPDX-License-Identifier: Apache-2.0
// The networks that the matrix runs, and the images that it feeds them.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { readNpy } = require('../../../dist/data/npy.js');
const { goldenInputs } = require('../inputs.cjs');
const { onnxRuntimes, tfliteRuntimes } = require('./runtimes.cjs');

const root = join(__dirname, '../../..');
const data = process.env.LASTBIT_DATA;
const noData = data === undefined ? 'LASTBIT_DATA is not set' : undefined;
const quantized = (name) => join(data ?? '', 'models/quantized', name);
const fashionNet = (name) => join(root, 'test/golden/mobilenet_fashion', name);

/** Two images of noise and twenty of a folder, as codes. */
async function codes(size, type, folder) {
  const facts = { height: size, width: size, type, noise: 2, images: 20 };
  const parts = [];
  for await (const image of goldenInputs(facts, join(data, folder))) parts.push(image);
  return parts;
}

/** Images of the embedded nets: f32, NCHW, grey in three channels. */
function fashion() {
  const file = join(root, 'models/fashion/calibration-images.npy');
  const { shape, data: pixels } = readNpy(readFileSync(file), file);
  const area = shape[1] * shape[2];
  const all = Float32Array.from({ length: 20 * 3 * area }, (_, i) => {
    const image = Math.floor(i / (3 * area));
    return Number(pixels[(100 + image) * area + (i % area)]) / 255;
  });
  return [Buffer.from(all.buffer)];
}

const mean = [0.485, 0.456, 0.406];
const deviation = [0.229, 0.224, 0.225];

/** Images under torchvision's normalization: f32, NCHW. */
async function normalized() {
  const images = await codes(224, 'u8', 'imagenet/val/images');
  const area = 224 * 224;
  return images.map((pixels) => {
    const reals = Float32Array.from({ length: 3 * area }, (_, i) => {
      const c = Math.floor(i / area);
      return (pixels[(i % area) * 3 + c] / 255 - mean[c]) / deviation[c];
    });
    return Buffer.from(reals.buffer);
  });
}

const photos = (size) => () => codes(size, 'u8', 'imagenet/val/images');

/**
 * Each network: its file, its runtimes, a maker of its inputs, `next` (a file that reads what a
 * runtime's last tensor holds, in the same runtime) and why it is skipped.
 */
function networks() {
  const onnx = onnxRuntimes();
  const tflite = tfliteRuntimes();
  // TFLite Micro has no uint8 convolutions.
  const unsigned = tflite.filter(({ name }) => name !== 'tflm');
  return [
    { file: fashionNet('v2_qdq.onnx'), runtimes: onnx, inputs: fashion },
    { file: fashionNet('v2_qop.onnx'), runtimes: onnx, inputs: fashion },
    {
      file: quantized('mobilenet_v2_1.0_224_torchvision_qop.onnx'),
      runtimes: onnx,
      inputs: normalized,
      why: noData,
    },
    {
      file: quantized('mobilenet_v1_0.25_96_vww_int8.tflite'),
      runtimes: tflite,
      inputs: () => codes(96, 's8', 'vww/images'),
      why: noData,
    },
    {
      file: quantized('mobilenet_v1_0.25_128_quant.tflite'),
      runtimes: unsigned,
      inputs: photos(128),
      why: noData,
    },
    {
      file: quantized('mobilenet_v2_1.0_224_quant.tflite'),
      runtimes: unsigned,
      inputs: photos(224),
      why: noData,
    },
    {
      file: quantized('mobilenet_v1_1.0_224_quant_backbone.tflite'),
      next: quantized('mobilenet_v1_1.0_224_quant_head.tflite'),
      runtimes: unsigned,
      inputs: photos(224),
      why: noData,
    },
  ];
}

module.exports = { networks };

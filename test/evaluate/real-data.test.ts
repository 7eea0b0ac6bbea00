// SPDX-License-Identifier: Apache-2.0
// The whole path from JPEG to accuracy against figures recorded with onnxruntime 1.30 on the same
// images: decoding, cropping, input quantization, the network, ties and labels all have to agree.
import { join } from 'node:path';

import { evaluateModel } from '../../src/index.js';

const data = process.env.LASTBIT_DATA;
const suite = data === undefined ? describe.skip : describe;
const title = data === undefined ? ' (LASTBIT_DATA is not set)' : '';

suite(`650 validation images${title}`, () => {
  test('torchvision V2 as QOperator: 66.31 % top-1, 22.6 % ties at the top', async () => {
    const images = join(data!, 'imagenet/val');
    const result = await evaluateModel({
      model: join(data!, 'models/quantized/mobilenet_v2_1.0_224_torchvision_qop.onnx'),
      images,
      labels: join(images, 'labels.csv'),
      preprocess: 'torchvision',
    });
    expect(result.n).toBe(650);
    expect(result.target).toMatch(/^onnxruntime@/);
    expect(result.top1.toFixed(2)).toBe('66.31');
    expect(result.top1IfTiesCount.toFixed(1)).toBe('78.3');
    expect(result.tiesAtTopPercent.toFixed(1)).toBe('22.6');
    // About 8 s on a quiet machine with two cores, a minute on a busy one.
  }, 240_000);
});

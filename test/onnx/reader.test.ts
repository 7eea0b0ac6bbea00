// SPDX-License-Identifier: Apache-2.0
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { encodeModel } from '../../src/onnx/encode.js';
import { readOnnx, readOnnxFile } from '../../src/onnx/reader.js';

const data = process.env.LASTBIT_DATA;

(data === undefined ? describe.skip : describe)('real files (LASTBIT_DATA)', () => {
  const folder = join(data ?? '', 'models/float');
  const files = data === undefined ? [''] : readdirSync(folder).filter((f) => f.endsWith('.onnx'));

  test.each(files)('%s: read, encoded and read again is the same', (file) => {
    const model = readOnnxFile(join(folder, file));
    expect(model.graph.nodes.length).toBeGreaterThan(20);
    expect(readOnnx(encodeModel(model))).toEqual(model);
    expect(readFileSync(join(folder, file)).length).toBeGreaterThan(0);
  });
});

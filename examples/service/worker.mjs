// SPDX-License-Identifier: Apache-2.0
import { parentPort, workerData } from 'node:worker_threads';

import { Engine, loadQuantizedModel, pixelTable, presets, programOf, topClasses } from 'lastbit';
import sharp from 'sharp';

const model = await loadQuantizedModel(workerData.model);
const program = programOf(model);
const engine = Engine.load(program, { threads: 1 });
const { height, width } = engine.input;
// What each pixel value becomes in the target's own input quantization: a table, made once.
const table = pixelTable(program, presets[model.quantGraph.metadata.preprocess ?? 'tf'].value);

parentPort.on('message', async ({ id, bytes }) => {
  try {
    const pixels = await sharp(bytes)
      .resize(width, height, { fit: 'cover' })
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer();
    const { outputs } = await engine.run({ pixels, table });
    parentPort.postMessage({ id, status: 200, body: { top: topClasses(outputs[0].data, 5) } });
  } catch (error) {
    parentPort.postMessage({ id, status: 415, body: { error: error.message } });
  }
});

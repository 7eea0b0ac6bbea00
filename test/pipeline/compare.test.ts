// SPDX-License-Identifier: Apache-2.0
// Models that are not the same network are refused before a layer is compared.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { writeNpy } from '../../src/data/npy.js';
import type { Graph } from '../../src/graph/graph.js';
import { compareModels, quantizeModel } from '../../src/index.js';
import { writeOnnx } from '../../src/onnx/write/float.js';
import { GraphBuilder } from '../quantize/small-graphs.js';

const folder = mkdtempSync(join(tmpdir(), 'compare-'));
const at = (file: string): string => join(folder, file);

/** A classifier of `classes`, its inner layer of `channels`; layers of all have the same names. */
function classifier(classes: number, channels = 4): Graph {
  const builder = new GraphBuilder([1, 3, 4, 4], 5);
  const inner = builder.conv('inner', 'x', { outputs: channels, kernel: 3 });
  return builder.graph(builder.conv('fc', builder.globalPool('pool', inner), { outputs: classes }));
}

test.each([
  ['other classes', classifier(11), /the float one gives 11 scores, the quantized one 10; give/],
  [
    'other layers',
    classifier(10, 6),
    /"inner\/y" is \[1, 6, 4, 4\].*\[1, 4, 4, 4\] in the quantized/,
  ],
])('%s', async (name, other, message) => {
  const data = Float32Array.from({ length: 2 * 48 }, (_, i) => Math.sin(i));
  writeFileSync(at('stack.npy'), writeNpy({ dtype: 'f32', shape: [2, 3, 4, 4], data }));
  writeFileSync(at('ten.onnx'), writeOnnx(classifier(10)));
  writeFileSync(at('other.onnx'), writeOnnx(other));
  const images = at('stack.npy');
  const quant = at(`${name}.int8.onnx`);
  await quantizeModel({ model: at('ten.onnx'), output: quant, calib: images, recipe: 'naive' });
  await expect(compareModels({ float: at('other.onnx'), quant, images })).rejects.toThrow(
    /\[different-networks\]/,
  );
  await expect(compareModels({ float: at('other.onnx'), quant, images })).rejects.toThrow(message);
  const same = await compareModels({ float: at('ten.onnx'), quant, images });
  expect(same.images).toBe(2);
});

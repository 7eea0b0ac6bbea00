// SPDX-License-Identifier: Apache-2.0
// node examples/streaming/frames.mjs MODEL < FRAMES: raw RGB frames of the network's size from a pipe; one line
// a frame with its class. While a frame runs the next one is read, and the pipe waits when the network does.
import { Engine, loadQuantizedModel, pixelTable, presets, programOf, topClasses } from 'lastbit';

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: node examples/streaming/frames.mjs MODEL < FRAMES');
  process.exit(2);
}
const model = await loadQuantizedModel(file);
const program = programOf(model);
const engine = Engine.load(program, { threads: 1 });
const { height, width, channels } = engine.input;
const table = pixelTable(program, presets[model.quantGraph.metadata.preprocess ?? 'tf'].value);

async function* framesOf(stream, size) {
  let frame = new Uint8Array(size);
  let filled = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + size - filled);
      frame.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < size) continue;
      yield frame;
      [frame, filled] = [new Uint8Array(size), 0];
    }
  }
  if (filled > 0) console.error(`the last frame has ${filled} of ${size} bytes and is left out`);
}

let frames = 0;
let pending;
for await (const pixels of framesOf(process.stdin, height * width * channels)) {
  const run = engine.run({ pixels, table });
  if (pending !== undefined) print(await pending);
  pending = run;
}
if (pending !== undefined) print(await pending);
engine.close();

function print({ outputs }) {
  const [best] = topClasses(outputs[0].data, 1);
  console.log(`${frames++}\t${best.index}\t${best.score}`);
}

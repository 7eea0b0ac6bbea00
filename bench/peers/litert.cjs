// SPDX-License-Identifier: Apache-2.0
// LiteRT.js (TFLite with XNNPACK as WebAssembly, one thread) as a peer: the protocol of serve.h.
//   node litert.cjs MODEL.tflite CODES.bin
// A run takes the input's codes and gives those of the output, as a program that uses it would.
const { readFileSync } = require('node:fs');
const { createInterface } = require('node:readline');
const { LiteRtWasm } = require('../../test/oracles/litert-wasm.cjs');

function* endless(codes) {
  for (;;) yield codes;
}

async function main([file, codesFile]) {
  const runtime = await LiteRtWasm.load();
  const results = runtime.run(readFileSync(file), endless(readFileSync(codesFile)));
  const [output] = (await results.next()).value;
  const { version } = runtime;
  console.log(JSON.stringify({ ready: 'litert-wasm', version, output: [...output] }));
  for await (const line of createInterface({ input: process.stdin })) {
    const times = [];
    for (let run = 0; run < Number(line); run += 1) {
      const begin = performance.now();
      await results.next();
      times.push(performance.now() - begin);
    }
    console.log(JSON.stringify(times));
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.log(JSON.stringify({ refused: error.message }));
  process.exit(1);
});

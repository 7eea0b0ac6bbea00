// SPDX-License-Identifier: Apache-2.0
import type { Engine } from '../engine/engine.js';
import type { Codes } from '../numeric/code-types.js';
import { quantile } from './latency.js';

/** Time of one layer within whole runs. */
export interface LayerTime {
  readonly name: string;
  readonly op: string;
  readonly kernel: string;
  /** Median over the runs. */
  readonly ms: number;
  /** Billions of multiplications a second; 0 for layers without. */
  readonly gmacs: number;
}

/** Times every layer of `runs` whole runs. */
export function timeLayers(engine: Engine, codes: Codes, runs: number): readonly LayerTime[] {
  const samples = engine.layers.map(() => new Float64Array(runs));
  for (let run = 0; run < runs; run += 1) {
    engine.timeLayers(codes).forEach((ns, layer) => {
      samples[layer]![run] = ns;
    });
  }
  return engine.layers.map(({ name, op, kernel, macs }, layer) => {
    const ns = quantile(samples[layer]!.sort(), 0.5);
    return { name, op, kernel, ms: ns / 1e6, gmacs: macs === 0 || ns === 0 ? 0 : macs / ns };
  });
}

// SPDX-License-Identifier: Apache-2.0
import type { LayerNoise } from '../noise/noise-model.js';
import type { Term } from './clamp-mismatch.js';
import type { NoiseOptions } from './noise-options.js';
import type { Places } from './places.js';
import { firstInputs, order, sidesOf } from './smooth-max.js';
import { VisibleRows } from './visible-pairs.js';

/**
 * One scale per output channel: its own factor cancels out, only the inputs' factors count,
 * noise = sum over o of step_o^2 / 12 x cost_o x (power_i t_i^2 over i and taps, + biasPower).
 */
export function rowTerm(layer: LayerNoise, places: Places, options: NoiseOptions): Term {
  const { outputs, inputs, perGroup, cost, power, taps, biasPower } = layer;
  // A bias counts as one more input of its output, in units of a tap.
  const ofBias = biasPower / taps;
  const { sides, share } = sidesOf(layer, options.asymmetricWeights);
  const [side] = sides;
  const maxima = new Float64Array(outputs);
  const ratios = new Float64Array(side!.length);
  for (let o = 0; o < outputs; o++) {
    const row = side!.subarray(o * perGroup, (o + 1) * perGroup);
    maxima[o] = row.reduce((a, b) => Math.max(a, b), 0);
    row.forEach((value, k) => {
      ratios[o * perGroup + k] = maxima[o] === 0 ? 0 : value / maxima[o]!;
    });
  }
  const firstOf = firstInputs(layer);
  const pairs = new VisibleRows(ratios, perGroup, firstOf);
  const into = new Float64Array(inputs);
  // What each input takes from the sums and from the norms of the outputs that read it.
  const shares = new Float64Array(inputs);
  const pulls = new Float64Array(inputs);
  return (logs, gradient) => {
    if (places.read === undefined) return 0;
    const inLogs = logs[places.read]!;
    const part = gradient[places.read]!;
    pairs.update(inLogs);
    for (let i = 0; i < inputs; i++) into[i] = Math.exp(-order * inLogs[i]!);
    const received = power.map((value, i) => value * Math.exp(2 * inLogs[i]!));
    const dense = perGroup === inputs;
    const sumOfAll = received.reduce((a, b) => a + b, 0) + ofBias;
    let noise = 0;
    shares.fill(0);
    pulls.fill(0);
    for (let o = 0; o < outputs; o++) {
      const first = firstOf[o]!;
      const [start, end] = [pairs.starts[o]!, pairs.starts[o + 1]!];
      let norm = 0;
      for (let k = start; k < end; k++) norm += pairs.powers[k]! * into[pairs.inputs[k]!]!;
      let sum = dense ? sumOfAll : ofBias;
      if (!dense) for (let k = 0; k < perGroup; k++) sum += received[first + k]!;
      if (norm === 0 || sum === 0) continue;
      const step = (share * maxima[o]! * norm ** (1 / order)) / options.weightLevels;
      const term = ((step * step) / 12) * cost[o]! * taps * sum;
      noise += term;
      const ofSum = (2 * term) / sum;
      const ofNorm = (2 * term) / norm;
      if (dense) shares[0]! += ofSum;
      else for (let k = 0; k < perGroup; k++) shares[first + k]! += ofSum;
      for (let k = start; k < end; k++) pulls[pairs.inputs[k]!]! += ofNorm * pairs.powers[k]!;
    }
    for (let i = 0; i < inputs; i++) {
      part[i]! += shares[dense ? 0 : i]! * received[i]! - pulls[i]! * into[i]!;
    }
    return noise;
  };
}

// SPDX-License-Identifier: Apache-2.0
import type { LayerNoise } from '../noise/noise-model.js';
import type { Term } from './clamp-mismatch.js';
import type { NoiseOptions } from './noise-options.js';
import type { Places } from './places.js';
import { addTo, firstInputs, order, sideOf, sidesOf } from './smooth-max.js';
import { VisiblePairs } from './visible-pairs.js';

/**
 * One scale for the layer: step = norm of |w| t_o / t_i,
 * noise = step^2 / 12 x sum of cost_o / t_o^2 x (power_i t_i^2 over i and taps, + biasPower).
 */
export function tensorTerm(layer: LayerNoise, places: Places, options: NoiseOptions): Term {
  const { outputs, inputs, cost, power, taps } = layer;
  const { sides, share } = sidesOf(layer, options.asymmetricWeights);
  const firstOf = firstInputs(layer);
  const pairs = sides
    .map(sideOf)
    .filter(({ max }) => max > 0)
    .map((side) => new VisiblePairs(side, layer, firstOf));
  const rows = pairs.map(() => new Float64Array(outputs));
  const columns = pairs.map(() => new Float64Array(inputs));
  const out = new Float64Array(outputs);
  const into = new Float64Array(inputs);
  return (logs, gradient) => {
    const outLogs = places.written === undefined ? undefined : logs[places.written]!;
    const inLogs = places.read === undefined ? undefined : logs[places.read]!;
    for (let o = 0; o < outputs; o++) out[o] = Math.exp(order * (outLogs?.[o] ?? 0));
    for (let i = 0; i < inputs; i++) into[i] = Math.exp(-order * (inLogs?.[i] ?? 0));
    const norms = pairs.map((side, s) => side.norm(out, into, rows[s]!, columns[s]!));
    const width = norms.reduce((sum, { norm }) => sum + norm, 0);
    if (width === 0) return 0;
    const step = (width * share) / options.weightLevels;
    const { total, byOutput, byInput } = spread(layer, firstOf, cost, power, outLogs, inLogs);
    if (total === 0) return 0;
    const noise = ((step * step) / 12) * taps * total;
    norms.forEach(({ total: sum, norm }, s) => {
      const weight = (2 * noise * norm) / (width * sum);
      if (places.written !== undefined) addTo(gradient[places.written]!, rows[s]!, weight);
      if (places.read !== undefined) addTo(gradient[places.read]!, columns[s]!, -weight);
    });
    const weight = (2 * noise) / total;
    if (places.written !== undefined) addTo(gradient[places.written]!, byOutput, -weight);
    if (places.read !== undefined) addTo(gradient[places.read]!, byInput, weight);
    return noise;
  };
}

/**
 * sum over pairs of cost_o / t_o^2 x power_i t_i^2, and its parts by output and by input; a bias
 * counts as one more input of its output, in units of a tap
 */
function spread(
  layer: LayerNoise,
  firstOf: Int32Array,
  cost: Float64Array,
  power: Float64Array,
  outLogs: Float64Array | undefined,
  inLogs: Float64Array | undefined,
): { readonly total: number; readonly byOutput: Float64Array; readonly byInput: Float64Array } {
  const { outputs, inputs, perGroup, biasPower, taps } = layer;
  const a = cost.map((value, o) => value * Math.exp(-2 * (outLogs?.[o] ?? 0)));
  const ofBias = biasPower / taps;
  const b = power.map((value, i) => value * Math.exp(2 * (inLogs?.[i] ?? 0)));
  if (perGroup === inputs) {
    const sumA = a.reduce((x, y) => x + y, 0);
    const sumB = b.reduce((x, y) => x + y, 0) + ofBias;
    return {
      total: sumA * sumB,
      byOutput: a.map((value) => value * sumB),
      byInput: b.map((value) => value * sumA),
    };
  }
  const byOutput = new Float64Array(outputs);
  const byInput = new Float64Array(inputs);
  let total = 0;
  for (let o = 0; o < outputs; o++) {
    const first = firstOf[o]!;
    let sum = ofBias;
    for (let k = first; k < first + perGroup; k++) {
      sum += b[k]!;
      byInput[k]! += a[o]! * b[k]!;
    }
    byOutput[o] = a[o]! * sum;
    total += byOutput[o]!;
  }
  return { total, byOutput, byInput };
}

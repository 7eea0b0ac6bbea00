// SPDX-License-Identifier: Apache-2.0
import type { ChannelGroup } from './channel-groups.js';
import { mismatchTerm, type ClampMismatch, type Term } from './clamp-mismatch.js';
import type { LayerNoise, NoiseModel, ValueNoise } from './noise-model.js';

/** Least and greatest logarithm of each factor of a group. */
export interface Bounds {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

export interface NoiseOptions {
  readonly iterations: number;
  readonly perChannelWeights: boolean;
  /** Steps in the range of a weight tensor and of an activation: 2^bits - 1. */
  readonly weightLevels: number;
  readonly activationLevels: number;
  /** Zero points are chosen freely, so a range counts from its least to its greatest value. */
  readonly asymmetricWeights: boolean;
  readonly asymmetricActivations: boolean;
}

/**
 * The greatest of many is replaced by their norm of this order, which has a gradient everywhere.
 * Higher is closer to the maximum and slower to settle.
 */
const order = 24;

/**
 * Finds a factor for every channel of every group so that the modelled noise is least: the sum over
 * tensors of (step^2 / 12) x (what noise there costs). Each such term is a maximum of exponentials
 * of the factors' logarithms times a sum of such exponentials, so without clamp mismatches the
 * problem is convex in the logarithms and has no local minima. Adam, with a step that shrinks to
 * zero, and projection on the bounds.
 */
export function minimizeNoise(
  model: NoiseModel,
  mismatches: readonly ClampMismatch[],
  groups: readonly ChannelGroup[],
  bounds: readonly Bounds[],
  options: NoiseOptions,
): { readonly factors: Float64Array[]; readonly noiseRatio: number } {
  const terms = [...noiseTerms(model, groups, options), ...mismatches.map(mismatchTerm)];
  const logs = groups.map((group) => new Float64Array(group.channels));
  const gradient = groups.map((group) => new Float64Array(group.channels));
  const adam = groups.map((group, g) => new Adam(group.channels, bounds[g]!));
  const evaluate = (): number => {
    for (const part of gradient) part.fill(0);
    return terms.reduce((sum, term) => sum + term(logs, gradient), 0);
  };
  const before = evaluate();
  let best = before;
  let factors = logs.map((part) => part.slice());
  for (let step = 0; step < options.iterations; step++) {
    const rate = 0.04 * (1 - step / options.iterations) ** 2;
    // Relative to the total, so that the step does not depend on the network's units.
    adam.forEach((optimizer, g) => {
      optimizer.step(logs[g]!, gradient[g]!, rate, step + 1);
    });
    const noise = evaluate();
    if (noise < best) {
      best = noise;
      factors = logs.map((part) => part.slice());
    }
  }
  return {
    factors: factors.map((part) => part.map((value) => Math.exp(value))),
    noiseRatio: before === 0 ? 1 : best / before,
  };
}

/** The modelled noise of all weights and activations, as a sum. */
export function noiseTerms(
  model: NoiseModel,
  groups: readonly ChannelGroup[],
  options: NoiseOptions,
): Term[] {
  return [...layerTerms(model, groups, options), ...valueTerms(model, groups, options)];
}

function layerTerms(
  model: NoiseModel,
  groups: readonly ChannelGroup[],
  options: NoiseOptions,
): Term[] {
  const written = new Map<string, number>();
  const read = new Map<string, number>();
  groups.forEach((group, g) => {
    for (const conv of group.writers) written.set(conv.name, g);
    for (const conv of group.readers) read.set(conv.name, g);
  });
  return model.layers.map((layer) => {
    const places = { written: written.get(layer.conv.name), read: read.get(layer.conv.name) };
    return options.perChannelWeights
      ? rowTerm(layer, places, options)
      : tensorTerm(layer, places, options);
  });
}

interface Places {
  readonly written: number | undefined;
  readonly read: number | undefined;
}

/** The sides of a range that count: two where there is a zero point, else the larger. */
function sidesOf(layer: LayerNoise, asymmetric: boolean): { sides: Float64Array[]; share: number } {
  if (asymmetric) return { sides: [layer.positive, layer.negative], share: 1 };
  return { sides: [layer.positive.map((v, i) => Math.max(v, layer.negative[i]!))], share: 2 };
}

/** One side of a layer's range: a greatest weight above 0 and how the pairs compare with it. */
interface Side {
  readonly greatest: number;
  /** weight / greatest, by pair */
  readonly ratios: Float64Array;
}

function sideOf(weights: Float64Array): Side {
  const greatest = weights.reduce((a, b) => Math.max(a, b), 0);
  return { greatest, ratios: weights.map((value) => (greatest === 0 ? 0 : value / greatest)) };
}

/** Pairs below this share of the greatest add nothing to a norm of this order. */
const visible = 0.45;

/** Evaluations after which the visible pairs are looked for again. */
const refresh = 8;

/** The pairs of one side that are large under the present factors. */
class VisiblePairs {
  readonly #side: Side;
  readonly #layer: LayerNoise;
  readonly #firstOf: Int32Array;
  #outputs = new Int32Array(0);
  #inputs = new Int32Array(0);
  #powers = new Float64Array(0);
  #age = refresh;

  constructor(side: Side, layer: LayerNoise, firstOf: Int32Array) {
    this.#side = side;
    this.#layer = layer;
    this.#firstOf = firstOf;
  }

  /**
   * Norm over the pairs of ratio x out / into, where `out` and `into` are the factors to the power
   * `order`; `rows` and `columns` receive each output's and input's part of the sum of powers.
   */
  norm(
    out: Float64Array,
    into: Float64Array,
    rows: Float64Array,
    columns: Float64Array,
  ): { readonly total: number; readonly norm: number } {
    if (this.#age++ >= refresh) this.#find(out, into);
    rows.fill(0);
    columns.fill(0);
    let total = 0;
    for (let k = 0; k < this.#powers.length; k++) {
      const o = this.#outputs[k]!;
      const i = this.#inputs[k]!;
      const part = this.#powers[k]! * out[o]! * into[i]!;
      rows[o]! += part;
      columns[i]! += part;
      total += part;
    }
    return { total, norm: this.#side.greatest * total ** (1 / order) };
  }

  #find(out: Float64Array, into: Float64Array): void {
    const { ratios } = this.#side;
    const { outputs, perGroup } = this.#layer;
    const outFactors = out.map((value) => value ** (1 / order));
    const inFactors = into.map((value) => value ** (1 / order));
    let greatest = 0;
    this.#each(outputs, perGroup, (pair, o, i) => {
      greatest = Math.max(greatest, ratios[pair]! * outFactors[o]! * inFactors[i]!);
    });
    const found: number[] = [];
    const least = greatest * visible;
    this.#each(outputs, perGroup, (pair, o, i) => {
      if (ratios[pair]! * outFactors[o]! * inFactors[i]! >= least) found.push(pair, o, i);
    });
    const count = found.length / 3;
    this.#outputs = Int32Array.from({ length: count }, (_, k) => found[3 * k + 1]!);
    this.#inputs = Int32Array.from({ length: count }, (_, k) => found[3 * k + 2]!);
    this.#powers = Float64Array.from({ length: count }, (_, k) => ratios[found[3 * k]!]! ** order);
    this.#age = 1;
  }

  #each(
    outputs: number,
    perGroup: number,
    visit: (pair: number, output: number, input: number) => void,
  ): void {
    for (let o = 0; o < outputs; o++) {
      const first = this.#firstOf[o]!;
      for (let k = 0; k < perGroup; k++) visit(o * perGroup + k, o, first + k);
    }
  }
}

/**
 * One scale for the layer: step = norm of |w| t_o / t_i,
 * noise = step^2 / 12 x sum of cost_o / t_o^2 x (power_i t_i^2 over i and taps, + biasPower).
 */
function tensorTerm(layer: LayerNoise, places: Places, options: NoiseOptions): Term {
  const { outputs, inputs, cost, power, taps } = layer;
  const { sides, share } = sidesOf(layer, options.asymmetricWeights);
  const firstOf = firstInputs(layer);
  const pairs = sides
    .map(sideOf)
    .filter(({ greatest }) => greatest > 0)
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

/** The pairs of each row that are large under the present factors of the inputs. */
class VisibleRows {
  readonly #ratios: Float64Array;
  readonly #perGroup: number;
  readonly #firstOf: Int32Array;
  /** Where the pairs of each output begin; one entry more than outputs. */
  starts = new Int32Array(0);
  inputs = new Int32Array(0);
  powers = new Float64Array(0);
  #age = refresh;

  /** @param ratios weight / greatest of its row, by pair */
  constructor(ratios: Float64Array, perGroup: number, firstOf: Int32Array) {
    this.#ratios = ratios;
    this.#perGroup = perGroup;
    this.#firstOf = firstOf;
  }

  /** To be called once in each evaluation. */
  update(inLogs: Float64Array): void {
    if (this.#age++ < refresh) return;
    this.#age = 1;
    const factors = inLogs.map((log) => Math.exp(-log));
    const found: number[] = [];
    const inputs: number[] = [];
    this.starts = new Int32Array(this.#firstOf.length + 1);
    this.#firstOf.forEach((first, o) => {
      const start = o * this.#perGroup;
      let greatest = 0;
      for (let k = 0; k < this.#perGroup; k++) {
        greatest = Math.max(greatest, this.#ratios[start + k]! * factors[first + k]!);
      }
      const least = greatest * visible;
      for (let k = 0; k < this.#perGroup; k++) {
        const ratio = this.#ratios[start + k]!;
        if (ratio * factors[first + k]! < least) continue;
        found.push(ratio ** order);
        inputs.push(first + k);
      }
      this.starts[o + 1] = found.length;
    });
    this.powers = Float64Array.from(found);
    this.inputs = Int32Array.from(inputs);
  }
}

/** One scale per output channel: its own factor cancels out, only the inputs' factors count. */
function rowTerm(layer: LayerNoise, places: Places, options: NoiseOptions): Term {
  const { outputs, inputs, perGroup, cost, power, taps } = layer;
  const { sides, share } = sidesOf(layer, options.asymmetricWeights);
  const [side] = sides;
  const greatest = new Float64Array(outputs);
  const ratios = new Float64Array(side!.length);
  for (let o = 0; o < outputs; o++) {
    const row = side!.subarray(o * perGroup, (o + 1) * perGroup);
    greatest[o] = row.reduce((a, b) => Math.max(a, b), 0);
    row.forEach((value, k) => {
      ratios[o * perGroup + k] = greatest[o] === 0 ? 0 : value / greatest[o]!;
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
    const sumOfAll = received.reduce((a, b) => a + b, 0);
    let noise = 0;
    shares.fill(0);
    pulls.fill(0);
    for (let o = 0; o < outputs; o++) {
      const first = firstOf[o]!;
      const [start, end] = [pairs.starts[o]!, pairs.starts[o + 1]!];
      let norm = 0;
      for (let k = start; k < end; k++) norm += pairs.powers[k]! * into[pairs.inputs[k]!]!;
      let sum = dense ? sumOfAll : 0;
      if (!dense) for (let k = 0; k < perGroup; k++) sum += received[first + k]!;
      if (norm === 0 || sum === 0) continue;
      const step = (share * greatest[o]! * norm ** (1 / order)) / options.weightLevels;
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

function firstInputs(layer: LayerNoise): Int32Array {
  const perOutputGroup = layer.outputs / layer.conv.group;
  return Int32Array.from(
    { length: layer.outputs },
    (_, o) => Math.floor(o / perOutputGroup) * layer.perGroup,
  );
}

function valueTerms(
  model: NoiseModel,
  groups: readonly ChannelGroup[],
  options: NoiseOptions,
): Term[] {
  const groupOf = new Map(groups.flatMap((group, g) => group.values.map((value) => [value, g])));
  return model.values.flatMap((value): Term[] => {
    const g = groupOf.get(value.value);
    return g === undefined ? [] : [valueTerm(value, g, options)];
  });
}

/** step = norm of range_c t_c, noise = step^2/12 sum cost_c / t_c^2 */
function valueTerm(value: ValueNoise, g: number, options: NoiseOptions): Term {
  const highs = Float64Array.from(value.max, (max) => Math.max(max, 0));
  const lows = Float64Array.from(value.min, (min) => Math.max(-min, 0));
  const sides = options.asymmetricActivations
    ? [highs, lows]
    : [highs.map((high, c) => Math.max(high, lows[c]!))];
  const share = options.asymmetricActivations ? 1 : 2;
  const raised = sides
    .map(sideOf)
    .filter(({ greatest }) => greatest > 0)
    .map(({ greatest, ratios }) => ({ greatest, power: ratios.map((ratio) => ratio ** order) }));
  return (logs, gradient) => {
    const own = logs[g]!;
    const factors = own.map((log) => Math.exp(order * log));
    const parts = raised.map(({ greatest, power }) => {
      const shares = power.map((p, c) => p * factors[c]!);
      const total = shares.reduce((a, b) => a + b, 0);
      return { shares, total, norm: greatest * total ** (1 / order) };
    });
    const width = parts.reduce((sum, { norm }) => sum + norm, 0);
    if (width === 0) return 0;
    const step = (width * share) / options.activationLevels;
    const costs = value.cost.map((cost, c) => cost * Math.exp(-2 * own[c]!));
    const total = costs.reduce((a, b) => a + b, 0);
    const noise = ((step * step) / 12) * total;
    for (const part of parts) {
      addTo(gradient[g]!, part.shares, (2 * noise * part.norm) / (width * part.total));
    }
    if (total > 0) addTo(gradient[g]!, costs, (-2 * noise) / total);
    return noise;
  };
}

function addTo(sum: Float64Array, values: Float64Array, factor: number): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += values[i]! * factor;
}

/** Adam (Kingma & Ba 2015), b1 = 0.9, b2 = 0.99, with projection on bounds. */
class Adam {
  readonly #mean: Float64Array;
  readonly #square: Float64Array;
  readonly #bounds: Bounds;

  constructor(size: number, bounds: Bounds) {
    this.#mean = new Float64Array(size);
    this.#square = new Float64Array(size);
    this.#bounds = bounds;
  }

  step(values: Float64Array, gradient: Float64Array, rate: number, count: number): void {
    for (let i = 0; i < values.length; i++) {
      this.#mean[i] = 0.9 * this.#mean[i]! + 0.1 * gradient[i]!;
      this.#square[i] = 0.99 * this.#square[i]! + 0.01 * gradient[i]! ** 2;
      const mean = this.#mean[i]! / (1 - 0.9 ** count);
      const square = this.#square[i]! / (1 - 0.99 ** count);
      const moved = values[i]! - (rate * mean) / (Math.sqrt(square) + 1e-30);
      values[i] = Math.min(this.#bounds.upper[i]!, Math.max(this.#bounds.lower[i]!, moved));
    }
  }
}

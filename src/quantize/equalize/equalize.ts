// SPDX-License-Identifier: Apache-2.0
// The step's straight line: which channels may be scaled (channel-groups.ts), what noise costs
// (../noise/), the factors that minimize it (minimize-noise.ts), and the network scaled by them
// (scale-channels.ts).
import type { Needs, Statistics } from '../../calibrate/statistics.js';
import type { Clamp, Graph, Node } from '../../graph/graph.js';
import { convolutionsOf } from '../network/connections.js';
import { preActivationOf } from '../network/pre-activations.js';
import { noiseModel, type NoiseModel } from '../noise/noise-model.js';
import { channelGroups, type ChannelGroup } from './channel-groups.js';
import { clampMismatch, type ClampMismatch } from './clamp-mismatch.js';
import { minimizeNoise, type Bounds } from './minimize-noise.js';
import { type NoiseOptions } from './noise-options.js';
import { scaleChannels } from './scale-channels.js';

/** How factors are looked for, and what the target lets clamps and biases be. */
export interface EqualizeOptions extends NoiseOptions {
  /** Whether a fused clamp may differ between the channels of a tensor. */
  readonly perChannelClamp: boolean;
  /** Step of the target's biases, where it is more than 1. */
  readonly biasStep?: number | undefined;
}

/** The scaled network, and by what it was scaled. */
export interface Equalization {
  readonly graph: Graph;
  /** Number of groups and of channels whose scale moved. */
  readonly groups: number;
  readonly channels: number;
  /** Modelled noise at the output after / before. */
  readonly noiseRatio: number;
  /** What each channel of a value was multiplied by, for the values of all groups. */
  readonly factors: ReadonlyMap<string, Float64Array>;
}

/** What `equalize` needs to know; `tail` is of the graph with its pre-activations exposed. */
export function equalizeNeeds(graph: Graph, perChannelClamp: boolean): Needs {
  const values = [graph.inputs[0]!.name, ...graph.nodes.flatMap((node) => node.outputs)];
  const active = graph.nodes.flatMap((node) => (clampedBy(node) === undefined ? [] : node.outputs));
  const needs = { moments: values, channelRange: values, active };
  if (perChannelClamp) return needs;
  const tail = new Map<string, Float32Array>();
  for (const conv of convolutionsOf(graph)) {
    const bound = conv.clamp?.hi;
    if (bound?.every((value) => value > 0 && value < Infinity) === true) {
      tail.set(preActivationOf(conv), bound);
    }
  }
  return { ...needs, tail };
}

/**
 * Rescales channels so that quantization noise, as modelled, is minimal at the output, with the
 * network's function kept. After Nagel et al. 2019, who equalize ranges; here the objective is the
 * noise itself, which also weighs activations and how much each channel matters.
 *
 * A clamp such as ReLU6 scales with its channel and stays exact where the target has clamps per
 * channel. Where it has one per tensor, the clamp stays as it is, and a factor makes it wrong by
 * what the channel has between the bound and the scaled bound: that error counts as noise, so a
 * channel that never comes near the bound is free to move and one that is often clamped stays.
 */
export function equalize(
  graph: Graph,
  statistics: Statistics,
  options: EqualizeOptions,
): Equalization {
  const groups = channelGroups(graph);
  const model = noiseModel(graph, statistics, statistics.active, options.biasStep);
  const bounds = groups.map((group) =>
    options.perChannelClamp ? layerBounds(group) : clampBounds(group),
  );
  const mismatches = options.perChannelClamp ? [] : clampMismatches(groups, model, statistics);
  const { factors, noiseRatio } = minimizeNoise(model, mismatches, groups, bounds, options);
  const scaled = scaleChannels(
    graph,
    groups.map((group, g) => ({ group, factors: factors[g]! })),
    options.perChannelClamp,
  );
  const moved = factors.flatMap((list) => [...list]).filter((factor) => factor !== 1);
  return {
    graph: scaled,
    groups: groups.length,
    channels: moved.length,
    noiseRatio,
    factors: new Map(
      groups.flatMap(({ values }, g) => values.map((value) => [value, factors[g]!] as const)),
    ),
  };
}

/** Factors stay within e^-7 and e^7. */
const widest = 7;

function freeBounds(group: ChannelGroup): Bounds {
  return {
    lower: new Float64Array(group.channels).fill(-widest),
    upper: new Float64Array(group.channels).fill(widest),
  };
}

/** Clamps of anything but convolutions have one bound per tensor on every target: their channels keep their scale. */
function layerBounds(group: ChannelGroup): Bounds {
  const alone = group.clamped.filter(({ op }) => op !== 'Conv');
  return clampBounds({ ...group, clamped: alone });
}

/** Bounds other than an upper one on a convolution's sum: their channels keep their scale. */
function clampBounds(group: ChannelGroup): Bounds {
  const bounds = freeBounds(group);
  for (const node of group.clamped) {
    const clamp = clampedBy(node)!;
    for (let c = 0; c < group.channels; c++) {
      const lo = pick(clamp.lo, c);
      const hi = pick(clamp.hi, c);
      const modelled = hi === Infinity || hi === 0 || (node.op === 'Conv' && hi > 0);
      if ((lo === 0 || lo === -Infinity) && modelled) continue;
      bounds.lower[c] = 0;
      bounds.upper[c] = 0;
    }
  }
  return bounds;
}

function clampMismatches(
  groups: readonly ChannelGroup[],
  model: NoiseModel,
  statistics: Statistics,
): ClampMismatch[] {
  const costs = new Map(model.values.map(({ value, cost }) => [value, cost]));
  return groups.flatMap((group, g) =>
    group.clamped.flatMap((node) => {
      if (node.op !== 'Conv') return [];
      const tail = statistics.tail.get(preActivationOf(node));
      const bound = node.clamp!.hi;
      const cost = costs.get(node.outputs[0]!);
      if (tail === undefined || cost === undefined) return [];
      return [clampMismatch(g, tail, bound, cost)];
    }),
  );
}

function clampedBy(node: Node): Clamp | undefined {
  return 'clamp' in node ? node.clamp : undefined;
}

function pick(bound: Float32Array, c: number): number {
  return bound.length === 1 ? bound[0]! : bound[c]!;
}

// SPDX-License-Identifier: Apache-2.0
// The layers of a network against what a device takes (targets/limits.ts).
import type { QuantConv, QuantGraph, QuantPool } from '../../graph/quant-graph.js';
import type { LayerLimits } from '../../targets/limits.js';
import type { TargetSpec } from '../../targets/target.js';
import { imageOf } from './state.js';
import { Violations } from './violations.js';

/** Records every layer that the device has no integers for. */
export function checkLimits(graph: QuantGraph, target: TargetSpec, violations: Violations): void {
  const { limits } = target;
  if (limits?.refused === undefined) return;
  const wayOut = `change the layer, or take away "limits" in a target of your own (${limits.source})`;
  compare(graph, limits.refused, (reason, where) => {
    violations.add(`${reason}; ${wayOut}`, where);
  });
}

/** One sentence about what does not fit the device, though it can be emulated; undefined: all fits. */
export function limitsNote(graph: QuantGraph, target: TargetSpec): string | undefined {
  const { limits } = target;
  if (limits?.noted === undefined) return undefined;
  const violations = new Violations();
  compare(graph, limits.noted, (reason, where) => {
    violations.add(reason, where);
  });
  const text = violations.text();
  if (text === undefined) return undefined;
  return `the arithmetic is emulated, but the network does not fit the device (${limits.source}): ${text}`;
}

type Report = (reason: string, where: string) => void;

function compare(graph: QuantGraph, limits: LayerLimits, report: Report): void {
  for (const node of graph.nodes) {
    const add = (reason: string): void => {
      report(reason, `node "${node.name}"`);
    };
    if (node.op === 'Conv') compareConv(graph, node, limits, add);
    if (node.op === 'AveragePool' || node.op === 'MaxPool') comparePool(graph, node, limits, add);
  }
  compareNetwork(graph, limits, report);
}

function compareConv(
  graph: QuantGraph,
  node: QuantConv,
  limits: LayerLimits,
  add: (reason: string) => void,
): void {
  const { kernel, strides, dilations, group, weight } = node;
  const [outputs, perGroup] = weight.shape as [number, number];
  const channels = Math.max(outputs, perGroup * group);
  const { greatestChannels } = limits;
  if (greatestChannels !== undefined && channels > greatestChannels) {
    add(`has ${channels} channels, at most ${greatestChannels} are possible`);
  }
  if (node.fullyConnected) return;
  const extent = kernel.map((side, axis) => (side - 1) * dilations[axis]! + 1);
  const [height, width] = extent as [number, number];
  const { squareKernels: sides, greatestKernel, greatestKernelArea } = limits;
  if (sides !== undefined && !(kernel[0] === kernel[1] && sides.includes(kernel[0]))) {
    const known = sides.map((side) => `${side} x ${side}`).join(' or ');
    add(`has a kernel of ${kernel.join(' x ')}, which must be ${known}`);
  }
  if (greatestKernel !== undefined && Math.max(height, width) > greatestKernel) {
    add(`has a kernel of ${height} x ${width}, sides reach at most ${greatestKernel}`);
  }
  if (greatestKernelArea !== undefined && height * width > greatestKernelArea) {
    add(
      `has a kernel of ${height} x ${width}, at most ${greatestKernelArea} positions are possible`,
    );
  }
  const stride = Math.max(...strides);
  if (limits.greatestStride !== undefined && stride > limits.greatestStride) {
    add(`has stride ${stride}, which must be at most ${limits.greatestStride}`);
  }
  const dilation = Math.max(...dilations);
  if (limits.greatestDilation !== undefined && dilation > limits.greatestDilation) {
    add(`has dilation ${dilation}, which must be at most ${limits.greatestDilation}`);
  }
  compareGroups(group, channels, limits, add);
  compareImage(graph, node, limits, add);
}

function compareGroups(
  group: number,
  channels: number,
  { groups }: LayerLimits,
  add: (reason: string) => void,
): void {
  if (groups === undefined || group === 1) return;
  if (groups === 'one') add(`has ${group} groups, there are no grouped or depthwise convolutions`);
  else if (group !== channels) add(`has ${group} groups, which must be 1 or one per channel`);
}

function compareImage(
  graph: QuantGraph,
  node: QuantConv,
  { imageHeight, imageWidth }: LayerLimits,
  add: (reason: string) => void,
): void {
  const image = imageOf(graph.values.get(node.inputs[0]!)!);
  if (image === undefined) return;
  const { height, width } = image;
  const misses = (side: number, range: readonly [number, number] | undefined): boolean =>
    range !== undefined && (side < range[0] || side > range[1]);
  if (!misses(height, imageHeight) && !misses(width, imageWidth)) return;
  const text = (range: readonly [number, number] | undefined): string =>
    range === undefined ? 'any' : `${range[0]} to ${range[1]}`;
  add(`reads ${height} x ${width}, possible are ${text(imageHeight)} x ${text(imageWidth)}`);
}

function comparePool(
  graph: QuantGraph,
  { kernel, strides, pads, inputs }: QuantPool,
  { greatestPool, greatestPoolStride, paddedPools }: LayerLimits,
  add: (reason: string) => void,
): void {
  const image = imageOf(graph.values.get(inputs[0]!)!);
  if (image?.height === kernel[0] && image.width === kernel[1]) return;
  const side = Math.max(...kernel);
  if (greatestPool !== undefined && side > greatestPool) {
    add(`has a window of ${kernel.join(' x ')}, sides reach at most ${greatestPool}`);
  }
  const stride = Math.max(...strides);
  if (greatestPoolStride !== undefined && stride > greatestPoolStride) {
    add(`pools with stride ${stride}, which must be at most ${greatestPoolStride}`);
  }
  if (paddedPools === false && pads.some((pad) => pad > 0)) add('pools with padding');
}

function compareNetwork(graph: QuantGraph, limits: LayerLimits, report: Report): void {
  const layers = graph.nodes.filter((node) => node.op === 'Conv');
  if (limits.layers !== undefined && layers.length > limits.layers) {
    report(`has ${layers.length} layers, at most ${limits.layers} are possible`, 'the network');
  }
  const bytes = layers.reduce((sum, { weight }) => sum + (weight.data.length * weight.bits) / 8, 0);
  if (limits.weightBytes !== undefined && bytes > limits.weightBytes) {
    report(`has ${Math.ceil(bytes)} bytes of weights, ${limits.weightBytes} fit`, 'the network');
  }
}

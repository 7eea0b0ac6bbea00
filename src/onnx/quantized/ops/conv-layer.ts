// SPDX-License-Identifier: Apache-2.0
// Convolutions and fully connected layers, however the file spells them.
import type { Shape } from '../../../graph/graph.js';
import type { QuantValue, QuantWeight } from '../../../graph/quant-graph.js';
import { clampInteger, codeLimits } from '../../../numeric/code-types.js';
import { roundHalfEven } from '../../../numeric/round.js';
import type { OnnxNode } from '../../file/model.js';
import type { BiasLoss, ConstantCodes, ConvLayer, Pending } from '../known.js';
import { storageOf } from '../parameters.js';
import type { ImportState } from '../state.js';
import { gridOf } from '../weight-grid.js';

/** Weights in the layout of QuantWeight, from the layout that the operator has. */
export interface WeightLayout {
  /** Rank that the operator wants. */
  readonly rank: 2 | 4;
  /** The axis of the output channels. */
  readonly outputAxis: 0 | 1;
}

/**
 * Reads the weights of `node`: quantized constants, or float32 ones that lie on an 8-bit grid.
 *
 * @returns undefined where there are none, which is reported
 */
export function readWeight(
  state: ImportState,
  node: OnnxNode,
  index: number,
  layer: string,
  layout: WeightLayout,
): QuantWeight | undefined {
  const known = state.get(node, index);
  const name = node.inputs[index]!;
  if (known.kind === 'constantReal') return arrange(state, node, layer, known.codes, layout);
  if (known.kind === 'constant' && known.tensor.dtype === 'f32') {
    const { shape, data } = known.tensor;
    const codes = gridOf(data as Float32Array, shape, layout.outputAxis);
    if (codes !== undefined) return arrange(state, node, layer, codes, layout);
    state.fail(node, 'float-layer', floatWeights(name));
    return undefined;
  }
  if (known.kind === 'failed') {
    state.giveUp(node);
    return undefined;
  }
  state.fail(node, 'unsupported-weights', `expected constant weights, got "${name}"; fold them`);
  return undefined;
}

/** What errors say of weights without codes. */
export function floatWeights(name: string): string {
  return `its weights "${name}" are float32 and lie on no 8-bit grid; quantize them`;
}

/** Brings quantized constants into the layout [O, I, KH, KW]. */
export function arrange(
  state: ImportState,
  node: OnnxNode,
  layer: string,
  codes: ConstantCodes,
  { rank, outputAxis }: WeightLayout,
): QuantWeight | undefined {
  const { dtype, shape, scales, zeroPoints } = codes;
  if (shape.length !== rank) {
    state.fail(
      node,
      'unsupported-shape',
      `expected weights of ${rank} dimensions, got [${shape.join(', ')}]`,
    );
    return undefined;
  }
  if (dtype === 's32') {
    state.fail(node, 'bad-quantization', 'expected weights of 16 bits or fewer, got s32');
    return undefined;
  }
  if (scales.length > 1 && codes.axis !== outputAxis) {
    state.fail(
      node,
      'bad-quantization-axis',
      `expected weights quantized along output channels (axis ${outputAxis}), got axis ${codes.axis}; quantize them per output channel or per tensor`,
    );
    return undefined;
  }
  const bits = state.facts.weightBits.get(layer) ?? codes.bits;
  const data = codes.data as Uint8Array | Int8Array | Int16Array;
  if (rank === 4) return { dtype, bits, shape, data, scales, zeroPoints };
  const [rows, columns] = shape as [number, number];
  return outputAxis === 0
    ? { dtype, bits, shape: [rows, columns, 1, 1], data, scales, zeroPoints }
    : {
        dtype,
        bits,
        shape: [columns, rows, 1, 1],
        data: transpose(data, rows, columns),
        scales,
        zeroPoints,
      };
}

function transpose<T extends Uint8Array | Int8Array | Int16Array>(
  data: T,
  rows: number,
  columns: number,
): T {
  const result = data.slice() as T;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) result[c * rows + r] = data[r * columns + c]!;
  }
  return result;
}

/**
 * Reads a bias as integers at scale (input scale x weight scale).
 *
 * @returns null where something is wrong, which is reported
 */
export function readBias(
  state: ImportState,
  node: OnnxNode,
  index: number,
  input: QuantValue,
  weight: QuantWeight,
): Int32Array | undefined | null {
  if ((node.inputs[index] ?? '') === '') return undefined;
  const known = state.get(node, index);
  if (known.kind === 'failed') {
    state.giveUp(node);
    return null;
  }
  const bias = biasCodes(known, input.scale, weight);
  if (bias === undefined) {
    state.fail(
      node,
      'unsupported-bias',
      `expected a constant bias of ${weight.shape[0]!} entries, got "${node.inputs[index]!}"`,
    );
    return null;
  }
  return saturatedBias(state, node, input, weight, bias);
}

/** A bias within 32 bits; what is lost of it is kept for a note. */
export function saturatedBias(
  state: ImportState,
  node: OnnxNode,
  { scale }: Pick<QuantValue, 'scale'>,
  { scales }: QuantWeight,
  codes: Float64Array,
): Int32Array {
  const saturated = Int32Array.from(codes, saturate);
  const losses = Array.from(codes, (code, channel): BiasLoss => {
    const step = scale * scales[scales.length === 1 ? 0 : channel]!;
    return { channel, wanted: code * step, held: saturated[channel]! * step };
  }).filter((_, channel) => codes[channel] !== saturated[channel]);
  if (losses.length > 0) state.biasLosses.push({ layer: nameOf(node), losses });
  return saturated;
}

function nameOf({ name, outputs }: OnnxNode): string {
  return name === '' ? outputs[0]! : name;
}

/** What the caller has to know of biases that saturated: the channel that loses most of each layer. */
export function biasNote(layers: ImportState['biasLosses']): string {
  const number = (value: number) => String(Number(value.toPrecision(3)));
  const shown = layers.slice(0, 3).map(({ layer, losses }) => {
    const lost = ({ wanted, held }: BiasLoss) => Math.abs(wanted - held);
    const worst = losses.reduce((a, b) => (lost(b) > lost(a) ? b : a));
    const others = losses.length > 1 ? ` (and ${losses.length - 1} more)` : '';
    return `"${layer}" channel ${worst.channel}${others}: ${number(worst.wanted)} becomes ${number(worst.held)}, ${number(lost(worst))} is lost`;
  });
  const more = layers.length > 3 ? `; and ${layers.length - 3} more layers` : '';
  return (
    `biases do not fit 32 bits at their scale (input scale x weight scale) and saturate: ${shown.join('; ')}${more}; ` +
    'results may be wrong: give these channels a larger weight scale, or quantize the float model again'
  );
}

/**
 * Bias constants -> integers, not yet within 32 bits. Integers whose scale is the product of input and weight scale (to
 * float32 accuracy: tools round that product differently) are taken as they are; others, and
 * float32 ones, are divided by it and rounded to nearest even.
 */
export function biasCodes(
  known: ReturnType<ImportState['get']>,
  inputScale: number,
  weight: QuantWeight,
): Float64Array | undefined {
  const channels = weight.shape[0]!;
  const step = (c: number) => inputScale * weight.scales[weight.scales.length === 1 ? 0 : c]!;
  if (known.kind === 'constant') {
    const { dtype, data } = known.tensor;
    if (data.length !== channels) return undefined;
    if (dtype === 's32') return Float64Array.from(data);
    if (dtype !== 'f32') return undefined;
    return Float64Array.from(data, (b, c) => roundHalfEven(b / step(c)));
  }
  if (known.kind !== 'constantReal') return undefined;
  const { data, scales, zeroPoints } = known.codes;
  if (data.length !== channels) return undefined;
  return Float64Array.from(data, (code, c) => {
    const scale = scales[scales.length === 1 ? 0 : c]!;
    const centred = code - zeroPoints[zeroPoints.length === 1 ? 0 : c]!;
    const ratio = scale / step(c);
    return Math.abs(ratio - 1) < 1e-5 ? centred : roundHalfEven(centred * ratio);
  });
}

/** An integer within 32 bits. */
export function saturate(x: number): number {
  return clampInteger(x, ...codeLimits('s32'));
}

/** Makes the output of `node` a pending convolution. */
export function pendConv(state: ImportState, node: OnnxNode, conv: ConvLayer, shape: Shape): void {
  state.pend(node, convPending(state, conv, shape));
}

/** A convolution that waits for its output quantization. */
export function convPending(
  state: ImportState,
  conv: ConvLayer,
  shape: Shape,
): Omit<Pending, 'fate' | 'clamp'> {
  const { scales } = conv.weight;
  const inputScale = state.value(conv.inputs[0]!).scale;
  return {
    name: conv.name,
    shape,
    takesClamp: true,
    conv,
    ...(scales.length === 1 && {
      wide: {
        ...storageOf('s32')!,
        scale: Math.fround(inputScale * scales[0]!),
        zeroPoint: 0,
      },
    }),
    emit: (output, clamp) => {
      state.add({
        op: 'Conv',
        ...conv,
        output: output.name,
        ...(clamp === undefined ? {} : { clamp }),
      });
    },
  };
}

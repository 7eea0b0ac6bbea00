// SPDX-License-Identifier: Apache-2.0
// BatchNormalization behind a convolution with quantized weights, as quantization-aware training leaves
// it: y = gain * conv + shift per channel. The gain goes into the weights' scales, the shift into
// the bias; codes change their sign at most. On other values it is a layer of its own.
import { roundHalfEven } from '../../../numeric/round.js';
import type { OnnxNode } from '../../file/model.js';
import { floatOf, intOf } from '../attributes.js';
import { scaledCodes } from '../code-constants.js';
import type { ConvLayer } from '../known.js';
import { type ImportState, type ReadOperator, wayOut } from '../state.js';
import { affineOf, pendAffine } from './affine.js';
import { convPending, saturate } from './conv-layer.js';

/** y = gain * x + shift, one of each per channel. */
interface Norm {
  readonly gain: Float64Array;
  readonly shift: Float64Array;
}

export const batchNorm: ReadOperator = (state, node) => {
  const known = state.get(node, 0);
  if (known.kind === 'tail') {
    state.set(node.outputs[0]!, known);
    return;
  }
  const pending = known.kind === 'pending' ? known.pending : undefined;
  const conv = pending?.clamp === undefined ? pending?.conv : undefined;
  const before = conv === undefined ? affineOf(state, node.inputs[0]!) : undefined;
  if (conv === undefined && before === undefined) {
    if (known.kind === 'pending' || state.activation(node, 0) !== undefined) {
      state.fail(
        node,
        'float-layer',
        `expected it behind a convolution that nothing else reads, or behind DequantizeLinear; ${wayOut}`,
      );
    }
    return;
  }
  const channels = conv?.weight.shape[0] ?? before!.gain.length;
  const norm = readNorm(state, node, channels);
  if (norm === undefined) return;
  const { gain, shift } = norm;
  if (before !== undefined) {
    pendAffine(state, node, {
      value: before.value,
      gain: before.gain.map((x, c) => x * gain[c]!),
      shift: before.shift.map((x, c) => x * gain[c]! + shift[c]!),
    });
    return;
  }
  if (state.readersOf(node.inputs[0]!).length !== 1) {
    const detail = `its convolution "${conv!.name}" has other readers; export without the batch norm`;
    state.fail(node, 'float-layer', detail);
    return;
  }
  state.foldedNorms.push(conv!.name);
  state.pend(node, convPending(state, normalized(state, conv!, norm), pending!.shape));
};

/** The gain and shift of a batch norm in evaluation; undefined for another, which is reported. */
function readNorm(state: ImportState, node: OnnxNode, channels: number): Norm | undefined {
  const constants = [1, 2, 3, 4].map((i) => state.realConstant(node, i)?.data);
  const epsilon = floatOf(node, 'epsilon', Math.fround(1e-5));
  const isWhole = constants.every((data) => data?.length === channels);
  if (!isWhole || intOf(node, 'training_mode', 0) !== 0) {
    const detail = `expected ${channels} constant scales, biases, means and variances, in evaluation mode`;
    state.fail(node, 'unsupported-constant', `${detail}; export the model in evaluation mode`);
    return undefined;
  }
  const [scale, bias, mean, variance] = constants.map((data) => Float64Array.from(data!));
  const gain = scale!.map((g, c) => g / Math.sqrt(variance![c]! + epsilon));
  const shift = bias!.map((b, c) => b - mean![c]! * gain[c]!);
  if (gain.every(Number.isFinite) && shift.every(Number.isFinite)) return { gain, shift };
  state.fail(node, 'bad-constant', 'its variance plus epsilon is not positive; repair the model');
  return undefined;
}

/** Bits that a shift may take of the bias's 31, so that it saturates nothing. */
const shiftBits = 30;

function normalized(state: ImportState, conv: ConvLayer, { gain, shift }: Norm): ConvLayer {
  const inputScale = state.value(conv.inputs[0]!).scale;
  const scaled = scaledCodes(conv.weight, 0, gain);
  const at = (list: Float32Array | Int32Array, c: number) => list[list.length === 1 ? 0 : c]!;
  const data = scaled.data.slice() as typeof scaled.data;
  const perChannel = data.length / gain.length;
  const scales = Float32Array.from(gain, (_, c) => {
    const step = at(scaled.scales, c);
    const coarse = Math.abs(shift[c]!) / (inputScale * 2 ** shiftBits);
    if (coarse <= step) return step;
    // A channel that almost vanishes beside its shift: coarser weights, so that the bias has room.
    const zero = at(scaled.zeroPoints, c);
    const wide = Math.fround(coarse);
    for (let i = c * perChannel; i < (c + 1) * perChannel; i++) {
      data[i] = zero + roundHalfEven(((data[i]! - zero) * step) / wide);
    }
    return wide;
  });
  const bias = Int32Array.from(gain, (factor, c) => {
    const before = conv.bias?.[c] ?? 0;
    const step = inputScale * at(conv.weight.scales, c);
    return saturate(
      roundHalfEven((before * step * factor + shift[c]!) / (inputScale * scales[c]!)),
    );
  });
  const single = scales.every((scale) => scale === scales[0]);
  return {
    ...conv,
    weight: { ...scaled, data, scales: single ? scales.slice(0, 1) : scales },
    bias,
    floatKernel: true,
  };
}

/** What the caller has to know of batch norms that became a part of their convolutions. */
export function normsNote(layers: readonly string[]): string {
  const shown = layers.slice(0, 3).map((name) => `"${name}"`);
  const more = layers.length > 3 ? ` and ${layers.length - 3} more` : '';
  return (
    `batch norms behind ${shown.join(', ')}${more} are folded into their weights' scales and biases: ` +
    'codes may be a step off those of a runtime that computes them in float'
  );
}

// SPDX-License-Identifier: Apache-2.0
// Where the first wrong number of a stream comes, and what it is, tells most faults apart: a fault is to
// blame only if it changes nothing before.
import { type Fault, faultsOf } from './faults.js';
import type { LayerNumbers } from './layer-numbers.js';
import type { Stream } from './stream.js';

/** One mistake and where it first shows in a stream of the layer's output. */
export interface Cause {
  readonly name: string;
  /** Index into the stream. */
  readonly first: number;
  /** The wrong number there. */
  readonly value: number;
}

/** The faults that would change a layer's output, by the place of their first change. */
export function causesOf(layer: LayerNumbers, stream: Stream): readonly Cause[] {
  const found: Cause[] = [];
  const add = ({ name, codeAt }: Fault): void => {
    for (let at = 0; at < stream.length; at++) {
      const index = stream.indexOf(at);
      if (index < 0) continue;
      const value = codeAt(index);
      if (value === layer.output[index]) continue;
      found.push({ name, first: at, value });
      return;
    }
  };
  faultsOf(layer).forEach(add);
  const transposed = transposition(layer, stream);
  if (transposed !== undefined) {
    const name = 'channels before rows and columns (NCHW for NHWC, or the reverse)';
    add({ name, codeAt: transposed });
  }
  return found.sort((a, b) => a.first - b.first);
}

/** What a stream in the other order brings; undefined where both are one order, or tiles are streamed. */
function transposition(
  { height, width, channels, output }: LayerNumbers,
  stream: Stream,
): Fault['codeAt'] | undefined {
  const pixels = height * width;
  if (pixels === 1 || channels === 1 || stream.length !== output.length) return undefined;
  const isNhwc = stream.indexOf(1) === 1;
  return (index) => {
    const [pixel, channel] = [Math.floor(index / channels), index % channels];
    // The place of the number in its stream, and what the other order has there.
    const at = isNhwc ? index : channel * pixels + pixel;
    const other = isNhwc ? (at % pixels) * channels + Math.floor(at / pixels) : at;
    return output[other]!;
  };
}

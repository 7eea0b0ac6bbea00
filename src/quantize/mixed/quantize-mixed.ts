// SPDX-License-Identifier: Apache-2.0
import { UsageError } from '../../errors.js';
import type { Sample, SampleSource } from '../../graph/samples.js';
import { quantizeGraph, type QuantizeOptions, type QuantizeResult } from '../quantize.js';
import { chooseSchemes, type Cost, type SchemeChoice } from './choose-schemes.js';

/** As of `quantizeGraph`, with the choice that it was quantized by. */
export interface MixedResult extends QuantizeResult {
  readonly choice: SchemeChoice;
}

/** Every fifth image is held out: it judges the schemes and has no part in the ranges. */
const heldOutEvery = 5;

const minImages = 10;

/**
 * `quantizeGraph` with a weight scheme for each layer, and where `wideLayers` is `all` with 16- or 8-bit
 * activations: the network is quantized with the widest weights, `chooseSchemes` finds which layers
 * can do with less, and it is quantized again so.
 *
 * @param maxDrop maximal points of top-1 agreement with float that may be given up
 * @throws UsageError `too-few-images`; those of `quantizeGraph`
 */
export async function quantizeMixed(
  options: QuantizeOptions,
  maxDrop: number,
): Promise<MixedResult> {
  const { samples, wideLayers } = options;
  if (samples.count < minImages) {
    throw new UsageError(
      'too-few-images',
      '--auto',
      `it holds out every fifth calibration image and needs at least ${minImages}, got ${samples.count}`,
    );
  }
  const known = part(samples, (i) => i % heldOutEvery !== 0);
  const base = await quantizeGraph({ ...options, samples: known, wideLayers: new Set() });
  const held = part(samples, (i) => i % heldOutEvery === 0);
  const choice = await chooseSchemes({
    ...options,
    quantGraph: base.quantGraph,
    samples: held,
    wide: wideLayers === 'all',
    maxDrop,
    onProgress: (done, total) => options.onProgress?.({ step: 'auto', done, total }),
  });
  const layerWeights = new Map(
    choice.layers.map(({ name, bits, perChannel }) => [name, { bits, perChannel }]),
  );
  const wide = choice.layers.filter(({ activationBits }) => activationBits === 16);
  const final = await quantizeGraph({
    ...options,
    layerWeights,
    wideLayers: new Set(wide.map(({ name }) => name)),
  });
  const step = { name: 'auto', changed: describe(choice, held.count) };
  return { ...final, steps: [step, ...final.steps], choice };
}

function describe(choice: SchemeChoice, images: number): string {
  const { layers, before, after, offered, activationBits } = choice;
  if (offered.length === 1 && activationBits.length === 1) {
    const { bits } = offered[0]!;
    return `the target takes weights of ${bits} bits in one form only: nothing to choose`;
  }
  const narrow = layers.filter(({ sqnrDb }) => sqnrDb !== null).length;
  const size = ({ bytes }: Cost): string => kibibytes(bytes);
  const wide = layers.filter((layer) => layer.activationBits === 16).length;
  const activations =
    activationBits.length === 1
      ? ''
      : `16-bit activations in ${wide}, ${kibibytes(before.activationBytes)} to ` +
        `${kibibytes(after.activationBytes)} an image, `;
  const ops = ({ bitOps }: Cost): string => `${(bitOps / 1000).toFixed(2)} G bit operations`;
  const same = ({ agreement }: Cost): string => `${agreement.toFixed(1)} %`;
  return (
    `${narrow} of ${layers.length} layers with cheaper weights, ${size(before)} to ${size(after)}, ` +
    `${activations}${ops(before)} to ${ops(after)}, agreement with float ${same(before)} to ${same(after)} ` +
    `on ${images} held-out images (before bias correction of the choice)`
  );
}

const kibibytes = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KiB`;

function part(samples: SampleSource, wanted: (index: number) => boolean): SampleSource {
  const iterate = async function* (): AsyncGenerator<Sample> {
    let index = 0;
    for await (const sample of samples) if (wanted(index++)) yield sample;
  };
  const indices = Array.from({ length: samples.count }, (_, i) => i);
  return { count: indices.filter(wanted).length, [Symbol.asyncIterator]: iterate };
}

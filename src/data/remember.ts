// SPDX-License-Identifier: Apache-2.0
import type { LoadedSample } from './load-sample.js';
import type { LoadedSource } from './source.js';

/** Of inputs kept in memory: 849 images of 224 x 224. */
const budgetBytes = 512 * 2 ** 20;

/**
 * The same samples, decoded only once where they fit the budget; those beyond it are loaded again
 * at each pass. Quantization passes over its images up to a dozen times.
 */
export function remember(source: LoadedSource, budget = budgetBytes): LoadedSource {
  const kept: LoadedSample[] = [];
  let bytes = 0;
  const iterate = async function* (): AsyncGenerator<LoadedSample> {
    const known = kept.slice();
    yield* known;
    let position = known.length;
    for await (const sample of source.skip(known.length)) {
      const size = sample.input.byteLength;
      if (position === kept.length && bytes + size <= budget) {
        kept.push(sample);
        bytes += size;
      }
      position++;
      yield sample;
    }
  };
  return {
    items: source.items,
    count: source.count,
    skip: (count) => source.skip(count),
    [Symbol.asyncIterator]: iterate,
  };
}

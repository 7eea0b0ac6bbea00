// SPDX-License-Identifier: Apache-2.0
import { itemSource, remember, type LoadedSample } from '../../src/data/index.js';

describe('remember', () => {
  /** Three samples of 8 bytes, and how often each was loaded. */
  function counted() {
    const loads = [0, 0, 0];
    const source = itemSource(
      loads.map((_, i) => ({
        name: `image ${i}`,
        content: () => String(i),
        load: () => {
          loads[i]!++;
          return Promise.resolve({
            name: `image ${i}`,
            how: 'as it is',
            input: Float32Array.of(i, i),
          });
        },
      })),
    );
    return { loads, source };
  }

  async function names(samples: AsyncIterable<LoadedSample>): Promise<string[]> {
    const seen: string[] = [];
    for await (const { name, input } of samples) seen.push(`${name}: ${input.join()}`);
    return seen;
  }

  const all = ['image 0: 0,0', 'image 1: 1,1', 'image 2: 2,2'];

  it.each([
    [24, [1, 1, 1]],
    [16, [1, 1, 3]],
    [0, [3, 3, 3]],
  ])('with %i bytes loads %j times in three passes', async (budget, expected) => {
    const { loads, source } = counted();
    const remembered = remember(source, budget);
    for (let pass = 0; pass < 3; pass++) expect(await names(remembered)).toEqual(all);
    expect(loads).toEqual(expected);
    expect(remembered.count).toBe(3);
  });

  it('goes on after a pass that was broken off', async () => {
    const { source } = counted();
    const remembered = remember(source, 24);
    for await (const { name } of remembered) if (name === 'image 1') break;
    expect(await names(remembered)).toEqual(all);
    expect(await names(remembered.skip(2))).toEqual(all.slice(2));
  });
});

// SPDX-License-Identifier: Apache-2.0
import { collect, sampleWarnings } from '../../src/calibrate/collect.js';
import type { FloatRunner, Graph, OpenFloatRunner } from '../../src/graph/graph.js';
import type { SampleSource } from '../../src/graph/samples.js';

const graph: Graph = {
  name: 'double',
  inputs: [{ name: 'x', dtype: 'f32', shape: [1, 2, 1, 2] }],
  outputs: [{ name: 'y', dtype: 'f32', shape: [1, 2, 1, 2] }],
  nodes: [{ op: 'Add', name: 'twice', inputs: ['x', 'x'], outputs: ['y'] }],
  constants: new Map(),
  shapes: new Map([
    ['x', [1, 2, 1, 2]],
    ['y', [1, 2, 1, 2]],
  ]),
  normalizations: new Map(),
  metadata: new Map(),
};

/** Counts how often it was opened and closed. */
class Doubling {
  opened = 0;
  closed = 0;
  taps: readonly string[] = [];

  readonly open: OpenFloatRunner = (_, taps) => {
    this.opened++;
    this.taps = taps;
    const runner: FloatRunner = {
      run: (input) => Promise.resolve(new Map([['y', input.map((value) => 2 * value)]])),
      close: () => {
        this.closed++;
        return Promise.resolve();
      },
    };
    return Promise.resolve(runner);
  };
}

function samplesOf(...inputs: readonly (readonly number[])[]): SampleSource {
  return {
    count: inputs.length,
    async *[Symbol.asyncIterator]() {
      await Promise.resolve();
      for (const [i, input] of inputs.entries()) {
        yield { name: `${i}.png`, input: Float32Array.from(input) };
      }
    },
  };
}

describe('collect', () => {
  it('meets all needs in one pass, the input included', async () => {
    const runner = new Doubling();
    const done: number[] = [];
    const statistics = await collect(
      graph,
      samplesOf([1, 2, 3, 4], [5, 6, -7, 8]),
      runner.open,
      { range: ['x', 'y'], moments: ['y'], channelRange: ['x'], histogram: ['y'] },
      (count) => done.push(count),
    );
    expect([runner.opened, runner.closed, runner.taps]).toEqual([1, 1, ['y']]);
    expect(done).toEqual([1, 2]);
    expect(statistics.images).toBe(2);
    expect(statistics.range.get('x')).toEqual({ min: -7, max: 8 });
    expect(statistics.range.get('y')).toEqual({ min: -14, max: 16 });
    expect([...statistics.moments.get('y')!.mean]).toEqual([7, 4]);
    expect(statistics.channelRange.get('x')).toEqual({
      min: Float32Array.of(1, -7),
      max: Float32Array.of(6, 8),
      reach: expect.any(Float32Array) as Float32Array,
    });
    expect(statistics.histogram.get('y')!.counts.reduce((a, b) => a + b, 0)).toBe(8);
  });

  it('refuses an empty set and an unknown value', async () => {
    const runner = new Doubling();
    await expect(collect(graph, samplesOf(), runner.open, {})).rejects.toThrow(
      /no-calibration-images/,
    );
    await expect(
      collect(graph, samplesOf([1, 2, 3, 4]), runner.open, { range: ['z'] }),
    ).rejects.toThrow(/"z"/);
  });

  it('names the image or the layer that is not finite, and closes the runner', async () => {
    const runner = new Doubling();
    const needs = { range: ['y'] };
    await expect(
      collect(graph, samplesOf([1, 2, 3, 4], [1, NaN, 3, 4]), runner.open, needs),
    ).rejects.toThrow(/image "1\.png"/);
    await expect(collect(graph, samplesOf([1, 3e38, 3, 4]), runner.open, needs)).rejects.toThrow(
      /node "twice".*"0\.png"/,
    );
    expect(runner.closed).toBe(2);
  });

  it('warns of fewer than 8 images', () => {
    const image = [1, 2, 3, 4];
    expect(sampleWarnings(samplesOf(image))).toHaveLength(1);
    expect(sampleWarnings(samplesOf(...new Array<number[]>(8).fill(image)))).toEqual([]);
  });
});

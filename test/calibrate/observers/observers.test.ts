// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { ActiveObserver } from '../../../src/calibrate/observers/active.js';
import { HistogramObserver, type Histogram } from '../../../src/calibrate/observers/histogram.js';
import { MomentsObserver } from '../../../src/calibrate/observers/moments.js';
import { ChannelRangeObserver, RangeObserver } from '../../../src/calibrate/observers/range.js';
import { TailObserver } from '../../../src/calibrate/observers/tail.js';

const finite = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 });
const arrays = fc.array(fc.array(finite, { minLength: 1, maxLength: 20 }), {
  minLength: 1,
  maxLength: 6,
});

/** A text that is equal exactly where the histograms are. */
function digest(histogram: Histogram): string {
  const bins = [...histogram.counts.entries()].filter(([, count]) => count > 0);
  const { width, zeros, min, max } = histogram;
  return JSON.stringify({ width, zeros, min, max, bins });
}

describe('RangeObserver', () => {
  it('holds what it saw, over all images', () => {
    const observer = new RangeObserver();
    observer.observe(Float32Array.of(1, -2, 0.5));
    observer.observe(Float32Array.of(3));
    expect(observer.result()).toEqual({ min: -2, max: 3 });
  });

  it('keeps channels apart', () => {
    const observer = new ChannelRangeObserver(2);
    observer.observe(Float32Array.of(1, 2, -5, 7));
    observer.observe(Float32Array.of(0, 1.5, 6, 6));
    expect(observer.result()).toEqual({
      min: Float32Array.of(0, -5),
      max: Float32Array.of(2, 7),
      reach: expect.any(Float32Array) as Float32Array,
    });
  });

  it('reaches further where few images use a channel', () => {
    // Peaks of ten images: always the same; by a tenth less each time; one image alone.
    const observer = new ChannelRangeObserver(3);
    for (let image = 0; image < 10; image++) {
      const peaks = [2, 4 * 0.9 ** ((image + 3) % 10), image === 5 ? 1 : 0];
      observer.observe(Float32Array.from(peaks.flatMap((peak) => [peak, -1])));
    }
    const { max, reach } = observer.result();
    expect([...max]).toEqual([2, 4, 1]);
    expect(reach[0]).toBe(2);
    // The mean logarithm of the eight greatest over the ninth is 4.5 steps.
    expect(reach[1]! / 4).toBeCloseTo(100 ** (4.5 * Math.log(1 / 0.9)), 4);
    expect(reach[2]).toBe(Infinity);
  });

  it('sees no tail in one image, whatever its order of values', () => {
    const observer = new ChannelRangeObserver(2);
    observer.observe(Float32Array.of(1, 3, -2, -1));
    expect([...observer.result().reach]).toEqual([3, 0]);
  });
});

describe('HistogramObserver', () => {
  it('counts into power-of-two bins aligned at zero', () => {
    const observer = new HistogramObserver();
    observer.observe(Float32Array.of(0, 1, -1, 3));
    const { width, side, counts, zeros, min, max } = observer.result();
    expect(width).toBe(4 / side);
    expect([min, max, zeros]).toEqual([-1, 3, 1]);
    expect(counts[side]).toBe(1);
    expect(counts[side + side / 4]).toBe(1);
    expect(counts[side - side / 4]).toBe(1);
    expect(counts[side + (3 * side) / 4]).toBe(1);
  });

  it('loses no value and does not depend on the order of the images', () => {
    fc.assert(
      fc.property(arrays, (images) => {
        const forward = new HistogramObserver();
        const backward = new HistogramObserver();
        for (const image of images) forward.observe(Float32Array.from(image));
        for (const image of [...images].reverse()) backward.observe(Float32Array.from(image));
        const result = forward.result();
        const total = result.counts.reduce((a, b) => a + b, 0);
        expect(total).toBe(images.flat().length);
        expect(digest(backward.result())).toBe(digest(result));
      }),
      { numRuns: 30, seed: 1 },
    );
  });

  it('of zeros alone has a usable width', () => {
    const observer = new HistogramObserver();
    observer.observe(new Float32Array(4));
    expect(observer.result()).toMatchObject({ width: 1, zeros: 4, min: 0, max: 0 });
  });

  it('holds values at either end of float32', () => {
    const observer = new HistogramObserver();
    observer.observe(Float32Array.of(1e-45, -1e-45, 3.4e38, -3.4e38));
    const { counts, width, side } = observer.result();
    expect(counts.reduce((a, b) => a + b, 0)).toBe(4);
    expect(width * side).toBeGreaterThan(3.4e38);
  });
});

describe('MomentsObserver', () => {
  it('is exact on known values', () => {
    const observer = new MomentsObserver(2);
    observer.observe(Float32Array.of(1, 3, 10, 10));
    observer.observe(Float32Array.of(5, 7, 10, 10));
    const { mean, variance, count } = observer.result();
    expect([...mean]).toEqual([4, 10]);
    expect([...variance]).toEqual([5, 0]);
    expect(count).toBe(4);
  });

  it('keeps a small variance beside a large mean', () => {
    const observer = new MomentsObserver(1);
    const values = Float32Array.from({ length: 1000 }, (_, i) => 4096 + (i % 2) / 1024);
    for (let image = 0; image < 10; image++) observer.observe(values);
    expect(observer.result().variance[0]).toBeCloseTo(1 / 2048 ** 2, 12);
  });
});

describe('ActiveObserver', () => {
  it('counts what lies strictly inside, per channel', () => {
    const clamp = { lo: Float32Array.of(0), hi: Float32Array.of(6, 3) };
    const observer = new ActiveObserver(2, clamp);
    observer.observe(Float32Array.of(0, 1, 6, 5, 0, 1, 3, 3));
    expect([...observer.result()]).toEqual([0.5, 0.25]);
  });
});

describe('TailObserver', () => {
  it('sorts values by their ratio to the bound', () => {
    const observer = new TailObserver(1, Float32Array.of(6));
    observer.observe(Float32Array.of(-3, 0, 6.1, 12.5, 1e9, 0.01, 3.01, 3.02));
    const { centres, shares } = observer.result();
    const at = (ratio: number): number =>
      shares[0]![centres.findIndex((centre) => Math.abs(Math.log2(centre / ratio)) <= 1 / 16)]!;
    expect(at(6.1 / 6)).toBe(1 / 8);
    expect(at(12.5 / 6)).toBe(1 / 8);
    expect(at(3.01 / 6)).toBe(2 / 8);
    expect(shares[0]!.at(-1)).toBe(1 / 8);
    expect(shares[0]!.reduce((a, b) => a + b, 0)).toBe(5 / 8);
  });
});

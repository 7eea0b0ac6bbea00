import { interleave, ratioOver } from '../../src/bench/interleave.js';
import { quantile, summarize } from '../../src/bench/latency.js';

describe('quantile', () => {
  it('interpolates between order statistics', () => {
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantile([10], 0.99)).toBe(10);
    expect(quantile([0, 10], 0.9)).toBeCloseTo(9, 12);
  });

  it('refuses an empty list by name', () => {
    expect(() => quantile([], 0.5)).toThrow('[no-runs]');
  });

  it('does not depend on the order of the samples', () => {
    expect(summarize([3, 1, 2])).toEqual(summarize([1, 2, 3]));
  });
});

describe('interleave', () => {
  it('gives every contender the same number of runs, in turns', async () => {
    const order: string[] = [];
    const contender = (name: string) => ({ name, run: () => void order.push(name) });
    const timed = await interleave([contender('a'), contender('b')], {
      runs: 4,
      block: 2,
      warmup: 0,
    });
    // One untimed run opens each block.
    expect(order.join('')).toBe('aaabbbaaabbb');
    expect(timed.map((one) => one.latency.runs)).toEqual([4, 4]);
  });

  it('takes ratios from neighbouring blocks, so that a drift cancels', () => {
    const latency = summarize([1]);
    const subject = { name: 's', latency, blockMediansMs: [1, 2, 4] };
    const peer = { name: 'p', latency, blockMediansMs: [3, 6, 12] };
    expect(ratioOver(subject, peer)).toEqual({ median: 3, p10: 3, p90: 3 });
  });
});

// SPDX-License-Identifier: Apache-2.0
// Profiles of accelerators against their arithmetic in hardware.ts, on random layers, on layers whose
// scales are powers of two (ties everywhere), and on extreme weights, codes and biases.
import type { QuantConv, QuantGraph, QuantNode, QuantValue } from '../../src/graph/quant-graph.js';
import { interpret } from '../../src/program/interpret.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';
import { convNode, graphOf, value } from '../program/quant-graphs.js';
import { Random } from '../program/random.js';
import * as hardware from './hardware.js';

const side = 5;
const pixels = side * side;

interface Kind {
  readonly target: string;
  readonly finish: (layer: hardware.Layer, reach: number) => hardware.Finish;
  readonly unsigned?: boolean;
  readonly powers: boolean;
  readonly perChannel: boolean;
  readonly largestBias: number;
}

const kinds: readonly Kind[] = [
  {
    target: 'nvdla',
    finish: hardware.nvdlaConv,
    powers: false,
    perChannel: true,
    largestBias: 2 ** 17,
  },
  {
    target: 'dpu',
    finish: hardware.dpuConv,
    powers: true,
    perChannel: false,
    largestBias: 2 ** 14,
  },
  {
    target: 'max78000',
    finish: hardware.max78000Conv,
    powers: true,
    perChannel: false,
    largestBias: 20000,
  },
  {
    target: 'esp-dl-s3',
    finish: hardware.espConv(false),
    powers: true,
    perChannel: false,
    largestBias: 2 ** 14,
  },
  {
    target: 'esp-dl-p4',
    finish: hardware.espConv(true),
    powers: true,
    perChannel: false,
    largestBias: 2 ** 14,
  },
  {
    target: 'k210',
    finish: hardware.k210Conv,
    unsigned: true,
    powers: false,
    perChannel: true,
    largestBias: 2 ** 15,
  },
  {
    target: 'finn',
    finish: hardware.finnConv,
    powers: false,
    perChannel: true,
    largestBias: 2 ** 15,
  },
];

/** Integers as codes hold them: without negative zeros. */
const codesOf = (numbers: readonly number[]): number[] => Array.from(Int32Array.from(numbers));

type Flavour = 'random' | 'dyadic' | 'extreme';

interface Case {
  readonly graph: QuantGraph;
  readonly layer: hardware.Layer;
  readonly codes: Int8Array | Uint8Array;
}

function makeCase(kind: Kind, flavour: Flavour, seed: number): Case {
  const random = new Random(seed);
  const [ic, oc] = [random.integer(1, 9), random.integer(1, 6)];
  const dyadic = kind.powers || flavour === 'dyadic';
  const scale = (least: number, greatest: number): number =>
    Math.fround(
      dyadic
        ? 2 ** Math.round(Math.log2(random.magnitude(least, greatest)))
        : random.magnitude(least, greatest),
    );
  const zero = kind.unsigned ? random.integer(0, 255) : 0;
  const dtype = kind.unsigned ? 'u8' : 's8';
  const x = value('x', [1, ic, side, side], {
    dtype,
    scale: scale(1 / 128, 1 / 16),
    zeroPoint: zero,
  });
  const scales = Array.from({ length: kind.perChannel ? oc : 1 }, () => scale(1 / 256, 1 / 32));
  const growth = flavour === 'extreme' ? 4 : 64;
  const so = scale((x.scale * growth) / 256, (x.scale * growth) / 16);
  const y = value('y', [1, oc, side, side], {
    dtype,
    scale: so,
    zeroPoint: kind.unsigned ? random.integer(0, 255) : 0,
  });
  const weightCode = (): number =>
    flavour === 'extreme' ? random.pick([-128, 127, -127]) : random.integer(-128, 127);
  const offset = kind.unsigned ? 128 : 0;
  const data = Array.from({ length: oc * ic }, () => weightCode() + offset);
  const clamped = random.chance(0.5);
  const relu6 = { lo: Float32Array.of(0), hi: Float32Array.of(random.pick([6, 1, Infinity])) };
  const conv = convNode(oc, ic, {
    weight: {
      dtype,
      bits: 8,
      shape: [oc, ic, 1, 1],
      data: kind.unsigned ? Uint8Array.from(data) : Int8Array.from(data),
      scales: Float32Array.from(scales),
      zeroPoints: new Int32Array(scales.length).fill(offset),
    },
    bias: Int32Array.from({ length: oc }, () =>
      flavour === 'extreme'
        ? random.pick([-kind.largestBias, kind.largestBias, 0])
        : random.integer(-kind.largestBias, kind.largestBias),
    ),
    ...(clamped ? { clamp: relu6 } : {}),
  });
  const least = kind.unsigned ? 0 : -128;
  const codes = Array.from({ length: pixels * ic }, () =>
    flavour === 'extreme' ? random.pick([least, least + 255]) : random.integer(least, least + 255),
  );
  const bound = (real: number): number =>
    Math.min(Math.max(Math.round(real / so) + y.zeroPoint, least), least + 255);
  return {
    graph: graphOf([x, y], [conv]),
    layer: {
      conv,
      input: x,
      output: y,
      lo: clamped ? bound(0) : least,
      hi: clamped ? bound(relu6.hi[0]!) : least + 255,
    },
    codes: kind.unsigned ? Uint8Array.from(codes) : Int8Array.from(codes),
  };
}

function sumsOf({ layer, codes }: Case): { sums: number[]; reach: number } {
  const { conv, input } = layer;
  const { shape, data } = conv.weight;
  const [oc, ic] = [shape[0]!, shape[1]!];
  const z = conv.weight.zeroPoints[0]!;
  const far = input.dtype === 'u8' ? Math.max(input.zeroPoint, 255 - input.zeroPoint) : 128;
  const sums = Array.from({ length: pixels * oc }, (_, i) => {
    const [pixel, o] = [Math.floor(i / oc), i % oc];
    let sum = 0;
    for (let c = 0; c < ic; ++c)
      sum += (codes[pixel * ic + c]! - input.zeroPoint) * (data[o * ic + c]! - z);
    return sum;
  });
  const reaches = Array.from({ length: oc }, (_, o) => {
    let reach = 0;
    for (let c = 0; c < ic; ++c) reach += Math.abs(data[o * ic + c]! - z) * far;
    return reach;
  });
  return { sums, reach: Math.max(...reaches) };
}

describe.each(kinds)('$target: convolution', (kind) => {
  test.each<Flavour>(['random', 'dyadic', 'extreme'])('%s layers', (flavour) => {
    const target = findTarget(kind.target);
    const seen = new Set<number>();
    for (let seed = 1; seed <= 60; ++seed) {
      const one = makeCase(kind, flavour, seed);
      const { sums, reach } = sumsOf(one);
      const finish = kind.finish(one.layer, reach);
      const channels = one.layer.conv.bias!.length;
      const expected = codesOf(sums.map((sum, i) => finish(sum, i % channels)));
      const { data } = interpret(lower(one.graph, target), one.codes).outputs[0]!;
      expect({ seed, codes: Array.from(data) }).toEqual({ seed, codes: expected });
      for (const code of expected) seen.add(code);
    }
    // Layers that saturate everywhere would prove nothing.
    expect(seen.size).toBeGreaterThan(flavour === 'extreme' ? 8 : 100);
  });
});

/** Runs one node over all codes of one value, or over pairs of codes. */
function runNode(
  target: string,
  values: readonly QuantValue[],
  nodes: readonly QuantNode[],
  codes: Int8Array,
): number[] {
  const graph = graphOf(values, nodes);
  return Array.from(interpret(lower(graph, findTarget(target)), codes).outputs[0]!.data);
}

/** All pairs of codes would be 65536; every third of both is enough to meet every tie. */
const some = Array.from({ length: 86 }, (_, i) => -128 + 3 * i);

/**
 * A sum of two values from one input: an image of two channels, whose channels two layers pick.
 * These layers only rename codes, by a weight of 1 and equal scales.
 */
function sumOf(
  target: string,
  [sa, sb, so]: readonly [number, number, number],
): { codes: readonly (readonly [number, number])[]; results: number[] } {
  const pairs = some.flatMap((a) => some.map((b) => [a, b] as const));
  const shape = [1, 1, 1, pairs.length];
  const pick = (name: string, channel: number, scale: number): QuantConv => ({
    ...convNode(1, 2, { inputs: ['x'], output: name, name: `pick ${name}` }, [scale]),
    weight: {
      dtype: 's8',
      bits: 8,
      shape: [1, 2, 1, 1],
      data: Int8Array.from([0, 1], (c) => (c === channel ? 1 : 0)),
      scales: Float32Array.of(scale),
      zeroPoints: Int32Array.of(0),
    },
  });
  const results = runNode(
    target,
    [
      value('x', [1, 2, 1, pairs.length]),
      value('a', shape, { scale: sa }),
      value('b', shape, { scale: sb }),
      value('y', shape, { scale: so }),
    ],
    [
      pick('a', 0, sa),
      pick('b', 1, sb),
      { op: 'Add', name: 'add', inputs: ['a', 'b'], output: 'y' },
    ],
    Int8Array.from(pairs.flat()),
  );
  return { codes: pairs, results };
}

const f = Math.fround;

describe('additions', () => {
  const powers = [
    [1, 1, 1],
    [1, 1, 2],
    [0.5, 2, 1],
    [0.25, 1, 2],
    [4, 0.5, 8],
  ] as const;
  const reals = [...powers, [f(0.37), f(0.37), f(0.61)], [f(0.021), f(0.17), f(0.19)]] as const;
  const saturating =
    (even: boolean) =>
    (sa: number, sb: number, so: number) =>
    (a: number, b: number): number => {
      const moved = (code: number, s: number): number =>
        Math.min(Math.max(hardware.espShift(code, Math.log2(so / s), even), -128), 127);
      return Math.min(Math.max(moved(a, sa) + moved(b, sb), -128), 127);
    };
  const exact = (sa: number, sb: number, so: number) => {
    const larger = Math.max(sa, sb);
    const step = sa === sb ? sa : larger / 2 ** 14;
    const [wa, wb] = [Math.round(sa / step), Math.round(sb / step)];
    return (a: number, b: number): number =>
      Math.min(Math.max(hardware.nearestUp(a * wa + b * wb, [step], 1, so), -128), 127);
  };
  const ethos = (sa: number, sb: number, so: number) =>
    hardware.ethosAdd([sa, 0], [sb, 0], [so, 0]);
  type Add = (sa: number, sb: number, so: number) => (a: number, b: number) => number;
  test.each<[string, Add, typeof powers | typeof reals]>([
    ['nvdla', hardware.nvdlaAdd, reals],
    ['dpu', hardware.dpuAdd, powers],
    ['max78000', saturating(false), powers],
    ['esp-dl-s3', saturating(false), powers],
    ['esp-dl-p4', saturating(true), powers],
    ['finn', exact, reals],
    ['ethos-u', ethos, reals],
  ])('%s', (target, add, scales) => {
    for (const [sa, sb, so] of scales) {
      const sum = add(sa, sb, so);
      const { codes, results } = sumOf(target, [sa, sb, so]);
      expect({ scales: [sa, sb, so], results }).toEqual({
        scales: [sa, sb, so],
        results: codesOf(codes.map(([a, b]) => sum(a, b))),
      });
    }
  });
});

describe('averages', () => {
  /** Windows of height x width with every sum from the least to the greatest, one per channel. */
  const averages = (
    target: string,
    [height, width]: readonly [number, number],
    si: number,
    so: number,
  ): { sums: number[]; results: number[] } => {
    const n = height * width;
    const sums = Array.from({ length: 255 * n + 1 }, (_, i) => i - 128 * n);
    const codes = new Int8Array(n * sums.length);
    sums.forEach((sum, c) => {
      const down = Math.floor(sum / n);
      for (let i = 0; i < n; ++i) codes[i * sums.length + c] = down + (i < sum - down * n ? 1 : 0);
    });
    const results = runNode(
      target,
      [
        value('x', [1, sums.length, height, width], { scale: si }),
        value('y', [1, sums.length, 1, 1], { scale: so }),
      ],
      [{ op: 'GlobalAveragePool', name: 'pool', inputs: ['x'], output: 'y' }],
      codes,
    );
    return { sums, results };
  };
  const s8 = (x: number): number => Math.min(Math.max(x, -128), 127);

  test.each([
    [7, 7],
    [4, 4],
    [6, 3],
    [1, 8],
  ] as const)('nvdla %i x %i: two roundings', (height, width) => {
    const { sums, results } = averages('nvdla', [height, width], 1, 1);
    expect(results).toEqual(
      codesOf(sums.map((sum) => s8(hardware.nvdlaMean(sum, [height, width])))),
    );
  });

  test('nvdla: sides above 8 are refused', () => {
    expect(() => averages('nvdla', [9, 1], 1, 1)).toThrow(/sides up to 8; pool in two steps/);
  });

  test.each([3, 5, 7] as const)('dpu, side %i: N / 2^M', (length) => {
    for (const cut of [-1, 0, 1, 3]) {
      const { sums, results } = averages('dpu', [length, length], 1, 2 ** cut);
      expect(results).toEqual(codesOf(sums.map((sum) => hardware.dpuMean(sum, length, cut))));
    }
  });

  test('dpu: other windows take the nearest N / 2^M', () => {
    const { sums, results } = averages('dpu', [4, 4], 1, 1);
    expect(results).toEqual(codesOf(sums.map((sum) => hardware.dpuFix(sum / 16))));
    // 2 x 3: 1/6 is nearest to 85 / 2^9 among the denominators below 2^ceil(log2(6 * 128))
    const six = averages('dpu', [2, 3], 1, 1);
    expect(six.results).toEqual(codesOf(six.sums.map((sum) => hardware.dpuFix((sum * 85) / 512))));
  });

  test.each([
    ['esp-dl-s3', false],
    ['esp-dl-p4', true],
  ] as const)('%s: float32', (target, even) => {
    for (const so of [1, 0.5, 2]) {
      const { sums, results } = averages(target, [7, 7], 1, so);
      expect(results).toEqual(codesOf(sums.map((sum) => hardware.espMean(sum, 49, 1, so, even))));
    }
  });

  test('max78000: truncates; a change of scale is a layer of its own', () => {
    for (const cut of [0, 1, -1]) {
      const { sums, results } = averages('max78000', [4, 4], 1, 2 ** cut);
      const moved = sums.map((sum) => s8(hardware.espShift(Math.trunc(sum / 16), cut, false)));
      expect(results).toEqual(codesOf(moved));
    }
  });

  test('finn: thresholds on the sum', () => {
    const { sums, results } = averages('finn', [7, 7], f(0.3), f(0.11));
    const exact = sums.map((sum) => s8(hardware.nearestUp(sum, [f(0.3)], 49, f(0.11))));
    expect(results).toEqual(exact);
  });
});

test('ethos-u: windows by a 32-bit reciprocal', () => {
  for (const length of [2, 3, 7]) {
    const n = length * length;
    const sums = Array.from({ length: 255 * n + 1 }, (_, i) => i - 128 * n);
    const codes = new Int8Array(n * sums.length);
    sums.forEach((sum, c) => {
      const down = Math.floor(sum / n);
      for (let i = 0; i < n; ++i) codes[i * sums.length + c] = down + (i < sum - down * n ? 1 : 0);
    });
    const pool: QuantNode = {
      op: 'AveragePool',
      name: 'pool',
      inputs: ['x'],
      output: 'y',
      kernel: [length, length],
      strides: [1, 1],
      pads: [0, 0, 0, 0],
      countIncludePad: false,
    };
    const sides = [
      value('x', [1, sums.length, length, length]),
      value('y', [1, sums.length, 1, 1]),
    ];
    const results = runNode('ethos-u', sides, [pool], codes);
    expect(results).toEqual(codesOf(sums.map((sum) => hardware.ethosMean(sum, n))));
  }
});

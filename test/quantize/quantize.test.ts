// SPDX-License-Identifier: Apache-2.0
import { nativeSolver } from '../../src/engine/solver.js';
import { ModelError, UsageError } from '../../src/errors.js';
import { openFloatRunner } from '../../src/float/runner.js';
import type { Graph } from '../../src/graph/graph.js';
import type { QuantGraph } from '../../src/graph/quant-graph.js';
import type { SampleSource } from '../../src/graph/samples.js';
import { floatLayers } from '../../src/pipeline/float-layers.js';
import { lower, interpret, quantizeInput } from '../../src/program/index.js';
import { quantizeGraph, type QuantizeResult } from '../../src/quantize/quantize.js';
import { findRecipe, parseRecipe, withChanges, type Recipe } from '../../src/quantize/recipe.js';
import { simulate } from '../../src/quantize/choices/simulate.js';
import { findTarget } from '../../src/targets/index.js';
import { GraphBuilder, randomSamples, relu6, separableNet } from './small-graphs.js';

function quantize(
  graph: Graph,
  target: string,
  recipe: Recipe = findRecipe('best'),
  perChannel?: boolean,
  samples: SampleSource = randomSamples(graph, 16),
): Promise<QuantizeResult> {
  return quantizeGraph({
    graph,
    samples,
    constraints: findTarget(target).constraints,
    recipe,
    openFloatRunner,
    solver: nativeSolver(),
    ...(perChannel === undefined ? {} : { weights: { perChannel } }),
  });
}

/** Signal-to-noise ratio of integers against floats, in dB, on images that calibration did not see. */
async function sqnr(graph: Graph, quantGraph: QuantGraph, target: string): Promise<number> {
  const program = lower(quantGraph, findTarget(target));
  const runner = await openFloatRunner(graph);
  let signal = 0;
  let noise = 0;
  for await (const { input } of randomSamples(graph, 8, 99)) {
    const real = (await runner.run(input)).get(graph.outputs[0]!.name)!;
    const [output] = interpret(program, quantizeInput(program, input)).outputs;
    output!.data.forEach((code, i) => {
      signal += real[i]! ** 2;
      noise += (real[i]! - (code - output!.zeroPoint) * output!.scale) ** 2;
    });
  }
  await runner.close();
  return 10 * Math.log10(signal / noise);
}

test('for onnxruntime no clamp is left that its integer kernels have not', async () => {
  const { quantGraph } = await quantize(separableNet(3, 1), 'onnxruntime');
  const clamps = quantGraph.nodes.flatMap((node) => (node.op === 'Conv' ? (node.clamp ?? []) : []));
  expect(clamps.length).toBeGreaterThan(1);
  for (const { lo, hi } of clamps) expect([lo.length, hi.length]).toEqual([1, 1]);
  expect(floatLayers(quantGraph, findTarget('onnxruntime'))).toBeUndefined();
});

describe('recipe best', () => {
  it.each([
    ['tflm', undefined, 20],
    ['q31-pc', false, 12],
    ['sheng2018', undefined, 8],
    ['pow2', undefined, 8],
  ] as const)('on %s beats naive and is good', async (target, perChannel, least) => {
    const graph = separableNet(3, 1);
    const best = await quantize(graph, target, findRecipe('best'), perChannel);
    const naive = await quantize(graph, target, findRecipe('naive'), perChannel);
    const reached = await sqnr(graph, best.quantGraph, target);
    expect(reached).toBeGreaterThan(least);
    expect(reached).toBeGreaterThan(await sqnr(graph, naive.quantGraph, target));
    expect(best.steps.map(({ name }) => name)).toContain('equalize');
    expect(naive.steps.map(({ name }) => name)).toEqual(['activation-ranges', 'weights']);
  });

  it('gives the same integers twice', async () => {
    const graph = separableNet(4);
    const once = await quantize(graph, 'q31-pc', undefined, false);
    const twice = await quantize(graph, 'q31-pc', undefined, false);
    expect(once.quantGraph).toEqual(twice.quantGraph);
  });

  it('writes 16-bit logits where the target has them', async () => {
    const graph = separableNet(4);
    const { quantGraph } = await quantize(graph, 'pow2');
    expect(quantGraph.values.get(quantGraph.outputs[0]!)).toMatchObject({ dtype: 's16', bits: 16 });
    const scales = [...quantGraph.values.values()].map(({ scale }) => Math.log2(scale));
    expect(scales.every((exponent) => Number.isInteger(exponent))).toBe(true);
  });
});

describe('simulate', () => {
  it.each(['naive', 'best'])('follows the integers to the ties: %s', async (recipe) => {
    const graph = separableNet(8);
    const { quantGraph } = await quantize(graph, 'tflm', findRecipe(recipe));
    const program = lower(quantGraph, findTarget('tflm'));
    const names = [...quantGraph.values.keys()].filter((name) => name !== quantGraph.input);
    const runner = await openFloatRunner(simulate(quantGraph), names);
    let compared = 0;
    let distance = 0;
    for await (const { input } of randomSamples(graph, 4, 5)) {
      const simulated = await runner.run(input);
      const { taps } = interpret(program, quantizeInput(program, input), { taps: 'all' });
      for (const name of names) {
        const tap = taps.get(name);
        if (tap === undefined) continue;
        const { height, width, channels, zeroPoint, data } = tap;
        const expected = simulated.get(name)!;
        for (let i = 0; i < data.length; i++) {
          const pixel = Math.floor(i / channels);
          const steps = expected[(i % channels) * height * width + pixel]!;
          compared++;
          distance += Math.abs(data[i]! - zeroPoint - steps);
        }
      }
    }
    await runner.close();
    expect(compared).toBeGreaterThan(5000);
    // A channel that is clamped everywhere can sit on a tie everywhere.
    expect(distance / compared).toBeLessThan(0.1);
  });
});

describe('quantizeGraph', () => {
  it('gives tflm and xnnpack the same integers, which bench/cases relies on', async () => {
    const graph = separableNet(2);
    const [tflm, xnnpack] = await Promise.all(
      ['tflm', 'xnnpack'].map(async (target) => {
        const { constraints } = findTarget(target);
        const samples = randomSamples(graph, 16);
        const recipe = findRecipe('best');
        const solver = nativeSolver(1);
        return quantizeGraph({ graph, samples, constraints, recipe, solver, openFloatRunner });
      }),
    );
    expect(xnnpack!.quantGraph).toEqual(tflm!.quantGraph);
  });

  it('keeps the range of a fused ReLU6 within [0, 6]', async () => {
    const builder = new GraphBuilder([1, 3, 4, 4]);
    const y = builder.conv('a', 'x', { outputs: 4, clamp: relu6(), spread: 1, bias: 3 });
    const { quantGraph } = await quantize(
      builder.graph(builder.conv('b', y, { outputs: 2 })),
      'tflm',
      findRecipe('naive'),
    );
    const { scale, zeroPoint } = quantGraph.values.get(y)!;
    expect(zeroPoint).toBe(-128);
    expect(scale).toBeLessThanOrEqual(Math.fround(6 / 255));
  });

  it('shares one quantization across pools, padding and concatenation', async () => {
    const builder = new GraphBuilder([1, 2, 4, 4]);
    const a = builder.conv('a', 'x', { outputs: 2 });
    const b = builder.conv('b', 'x', { outputs: 3, spread: 1 });
    builder.node(
      { op: 'Concat', name: 'cat', inputs: [a, b], outputs: ['c'], axis: 1 },
      [1, 5, 4, 4],
    );
    builder.node(
      {
        op: 'MaxPool',
        name: 'max',
        inputs: ['c'],
        outputs: ['m'],
        kernel: [2, 2],
        strides: [2, 2],
        pads: [0, 0, 0, 0],
        dilations: [1, 1],
      },
      [1, 5, 2, 2],
    );
    const graph = builder.graph(builder.conv('d', 'm', { outputs: 2 }));
    const { quantGraph } = await quantize(graph, 'tflm');
    const of = (name: string) => {
      const { scale, zeroPoint } = quantGraph.values.get(name)!;
      return [scale, zeroPoint];
    };
    for (const name of [b, 'c', 'm']) expect(of(name)).toEqual(of(a));
  });

  it('warns of few images and refuses none', async () => {
    const graph = separableNet(1);
    const few = await quantize(
      graph,
      'tflm',
      findRecipe('naive'),
      undefined,
      randomSamples(graph, 3),
    );
    expect(few.warnings[0]).toMatch(/only 3 calibration image/);
    const none = quantize(graph, 'tflm', undefined, undefined, randomSamples(graph, 0));
    await expect(none).rejects.toThrow(UsageError);
  });

  it('names the layer of weights or activations that are not finite', async () => {
    const graph = separableNet(1);
    const poisoned = new Map(graph.constants);
    const weight = poisoned.get('up/w')!;
    poisoned.set('up/w', {
      ...weight,
      data: Float32Array.from(weight.data, (w, i) => (i === 5 ? NaN : w)),
    });
    await expect(quantize({ ...graph, constants: poisoned }, 'tflm')).rejects.toThrow(
      /\[not-finite\] node "up".*weight/,
    );
    const huge = new Map(graph.constants);
    huge.set('pw1/w', { ...huge.get('pw1/w')!, data: huge.get('pw1/w')!.data.map(() => 3e38) });
    await expect(quantize({ ...graph, constants: huge }, 'tflm')).rejects.toThrow(
      /\[not-finite\] node "pw1"/,
    );
  });

  it('names the image that is not finite', async () => {
    const graph = separableNet(1);
    const samples: SampleSource = {
      count: 9,
      async *[Symbol.asyncIterator]() {
        for await (const sample of randomSamples(graph, 8)) yield sample;
        yield { name: 'broken.npy', input: new Float32Array(192).fill(Infinity) };
      },
    };
    const error = quantize(graph, 'tflm', undefined, undefined, samples);
    await expect(error).rejects.toThrow(ModelError);
    await expect(error).rejects.toThrow(/broken\.npy/);
  });

  it.each(['tflm', 'sheng2018', 'pow2'])('survives layers of zeros on %s', async (target) => {
    const graph = separableNet(2);
    const constants = new Map(graph.constants);
    for (const name of ['dw1/w', 'dw1/b', 'down/w']) {
      const tensor = constants.get(name)!;
      constants.set(name, { ...tensor, data: new Float32Array(tensor.data.length) });
    }
    const { quantGraph } = await quantize({ ...graph, constants }, target);
    for (const { scale, zeroPoint } of quantGraph.values.values()) {
      expect(scale > 0 && Number.isFinite(scale) && Number.isInteger(zeroPoint)).toBe(true);
    }
    for (const node of quantGraph.nodes) {
      if (node.op === 'Conv') expect(node.weight.scales.every((s) => s > 0)).toBe(true);
    }
    lower(quantGraph, findTarget(target));
  });
});

describe('steps', () => {
  const collected = async (recipe: Recipe): Promise<number> => {
    const graph = separableNet(2);
    let passes = 0;
    await quantizeGraph({
      graph,
      samples: randomSamples(graph, 8),
      constraints: findTarget('tflm').constraints,
      recipe,
      openFloatRunner: (part, taps) => {
        passes++;
        return openFloatRunner(part, taps);
      },
    });
    return passes;
  };

  it('share passes over the images until the network is rewritten', async () => {
    const ranges = parseRecipe('{"weights":{"method":"mse"}}', 'r.json');
    expect(await collected(ranges)).toBe(1);
    expect(await collected(withChanges(ranges, { equalize: true }))).toBe(2);
    // One for the errors of rounded weights, one for the float means, three for the corrections.
    expect(await collected(withChanges(ranges, { biasCorrection: 'iterated' }))).toBe(6);
  });

  it('that were switched off are not reported', async () => {
    const recipe = withChanges(findRecipe('best'), { equalize: false, biasCorrection: 'none' });
    const { steps } = await quantize(separableNet(2), 'pow2', recipe);
    expect(steps.map(({ name }) => name)).toEqual([
      'repair-variance',
      'activation-ranges',
      'wide-output',
      'weights',
      'reconstruct',
    ]);
  });

  it('give the layers of one warning', async () => {
    const graph = separableNet(2);
    const constants = new Map(graph.constants);
    for (const name of ['dw1', 'down']) {
      const tensor = constants.get(`${name}/w`)!;
      const bias = constants.get(`${name}/b`)!;
      constants.set(`${name}/w`, { ...tensor, data: tensor.data.map(() => 1e-9) });
      constants.set(`${name}/b`, { ...bias, data: bias.data.map(() => 3) });
    }
    const { warnings } = await quantize({ ...graph, constants }, 'tflm', findRecipe('naive'));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/raised .*; layers: dw1, down/);
  });
});

describe('recipes', () => {
  it('take single changes, which their name tells', () => {
    const best = findRecipe('best');
    const changed = withChanges(best, { equalize: false, ranges: 'minmax', wideOutput: true });
    expect(changed).toEqual({
      ...best,
      name: 'best no-equalize ranges=minmax wide-output',
      equalize: false,
      activations: { ...best.activations, method: 'minmax' },
    });
    expect(withChanges(findRecipe('naive'), { equalize: true }).equalize).toEqual(best.equalize);
    expect(withChanges(best, { equalize: true }).equalize).toBe(best.equalize);
    expect(withChanges(best, { reconstruct: false }).reconstruct).toBe(false);
    expect(withChanges(findRecipe('naive'), { reconstruct: true }).reconstruct).toEqual(
      best.reconstruct,
    );
  });

  it('fill in what a file leaves out', () => {
    const recipe = parseRecipe('{"correctBias":"analytic"}', 'r.json');
    expect(recipe).toMatchObject({ equalize: false, correctBias: 'analytic' });
    expect(recipe.activations.method).toBe('minmax');
  });

  it.each([
    ['{"corectBias":"analytic"}', /corectBias/],
    ['{"activations":{"method":"mean"}}', /activations\.method/],
    ['{"equalize":{"steps":3}}', /steps/],
    ['[', /not JSON/],
  ])('refuse %s', (text, message) => {
    expect(() => parseRecipe(text, 'r.json')).toThrow(UsageError);
    expect(() => parseRecipe(text, 'r.json')).toThrow(message);
  });

  it('are named or are files', () => {
    expect(findRecipe('naive').correctBias).toBe('none');
    expect(() => findRecipe('finest')).toThrow(/best, naive/);
    expect(() => findRecipe('/nowhere/r.json')).toThrow(/there is no such file/);
  });
});

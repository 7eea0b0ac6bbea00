// SPDX-License-Identifier: Apache-2.0
import { nativeSolver } from '../../../src/engine/solver.js';
import { openFloatRunner } from '../../../src/float/runner.js';
import type { Graph } from '../../../src/graph/graph.js';
import { nodeWithoutGradient } from '../../../src/quantize/distill/distill.js';
import { quantizeGraph, type QuantizeResult } from '../../../src/quantize/quantize.js';
import { recipeSchema } from '../../../src/quantize/recipe.js';
import { simulate } from '../../../src/quantize/choices/simulate.js';
import type { TargetConstraints } from '../../../src/targets/target.js';
import { constraints, GraphBuilder, randomSamples, relu6 } from '../small-graphs.js';

const settings = { epochs: 4, batch: 8, biasRate: 4, gainRate: 0.05 };

/** Its scores are a map that varies, with a mean near zero. */
function variedNet(): Graph {
  const builder = new GraphBuilder([1, 3, 6, 6], 8);
  const clamp = relu6();
  const stem = builder.conv('stem', 'x', { outputs: 12, kernel: 3, clamp });
  const dw = builder.conv('dw', stem, { outputs: 12, kernel: 3, depthwise: true, clamp });
  const branch = builder.conv('branch', dw, { outputs: 12 });
  const sum = builder.add('sum', stem, branch);
  return builder.graph(builder.conv('last', sum, { outputs: 4, stride: 2 }));
}

function quantize(
  graph: Graph,
  distill: object | false,
  target: TargetConstraints = constraints,
  { threads = 1, correctBias = 'iterated' } = {},
): Promise<QuantizeResult> {
  return quantizeGraph({
    graph,
    samples: randomSamples(graph, 32),
    constraints: target,
    recipe: recipeSchema.parse({ distill, correctBias }),
    openFloatRunner: (part, taps, choice) => openFloatRunner(part, taps, { ...choice, threads }),
    solver: nativeSolver(threads),
    weights: { bits: 4 },
  });
}

/** Squared error of the scores on images that were not used. */
async function errorOf(graph: Graph, { quantGraph }: QuantizeResult): Promise<number> {
  const [output] = quantGraph.outputs;
  const { scale } = quantGraph.values.get(output!)!;
  const float = await openFloatRunner(graph);
  const integer = await openFloatRunner(simulate(quantGraph));
  let sum = 0;
  for await (const { input } of randomSamples(graph, 50, 99)) {
    const expected = (await float.run(input)).get(output!)!;
    const got = (await integer.run(input)).get(output!)!;
    sum += expected.reduce((total, value, i) => total + (value - scale * got[i]!) ** 2, 0);
  }
  await float.close();
  await integer.close();
  return sum;
}

const codes = ({ quantGraph }: QuantizeResult) =>
  quantGraph.nodes.flatMap((node) => (node.op === 'Conv' ? [[...node.weight.data]] : []));
const scales = ({ quantGraph }: QuantizeResult) =>
  quantGraph.nodes.flatMap((node) => (node.op === 'Conv' ? [[...node.weight.scales]] : []));

describe.each([
  ['scales per channel', constraints],
  ['powers of two', { ...constraints, scales: 'powerOfTwo', activationZeroPoint: false }],
] as const)('%s', (_, target) => {
  test('a smaller error on other images, the same integer weights', async () => {
    const graph = variedNet();
    const none = { correctBias: 'none' };
    const plain = await quantize(graph, false, target, none);
    const tuned = await quantize(graph, settings, target, none);
    const before = await errorOf(graph, plain);
    expect(await errorOf(graph, tuned)).toBeLessThan(before * 0.8);
    expect(codes(tuned)).toEqual(codes(plain));
    if (target.scales === 'powerOfTwo') expect(scales(tuned)).toEqual(scales(plain));
    else expect(scales(tuned)).not.toEqual(scales(plain));
  });
});

test('the same integers with any number of threads', async () => {
  const net = variedNet();
  const [one, many] = await Promise.all(
    [1, 3].map((threads) => quantize(net, settings, constraints, { threads })),
  );
  expect(many!.quantGraph).toEqual(one!.quantGraph);
});

test('the report has the error of the first and the last epoch', async () => {
  const { steps } = await quantize(variedNet(), settings);
  const changed = new Map(steps.map((step) => [step.name, step.changed]));
  expect(changed.get('bias-correction')).toMatch(/analytic/);
  const [, first, last] = /4 epochs; scores (\S+) dB in the first, (\S+) dB/.exec(
    changed.get('distill')!,
  )!;
  expect(Number(last)).toBeGreaterThan(Number(first));
});

function pooledNet(op: 'MaxPool' | 'Softmax'): Graph {
  const builder = new GraphBuilder([1, 3, 4, 4], 2);
  const first = builder.conv('first', 'x', { outputs: 6 });
  const window = {
    kernel: [2, 2],
    strides: [2, 2],
    pads: [0, 0, 0, 0],
    dilations: [1, 1],
  } as const;
  const base = { name: 'middle', outputs: ['middle'] };
  if (op === 'Softmax') {
    const scores = builder.globalPool('scores', first);
    return builder.graph(builder.node({ op, ...base, inputs: [scores], axis: 1 }, [1, 6, 1, 1]));
  }
  const pooled = builder.node({ op, ...base, ...window, inputs: [first] }, [1, 6, 2, 2]);
  return builder.graph(builder.conv('last', pooled, { outputs: 4 }));
}

test('left out with its reason where an operator has no gradient; bias correction stays', async () => {
  const graph = pooledNet('MaxPool');
  expect(nodeWithoutGradient(graph)?.name).toBe('middle');
  const { steps } = await quantize(graph, settings);
  const changed = new Map(steps.map((step) => [step.name, step.changed]));
  expect(changed.get('distill')).toBe('left out: no gradient of MaxPool (node "middle")');
  expect(changed.get('bias-correction')).toMatch(/iterated/);
});

test('a final softmax is looked behind', async () => {
  const graph = pooledNet('Softmax');
  expect(nodeWithoutGradient(graph)).toBeUndefined();
  const { steps } = await quantize(graph, settings);
  expect(steps.at(-1)!.changed).toMatch(/4 epochs/);
});

// SPDX-License-Identifier: Apache-2.0
import { Engine } from '../../../src/engine/engine.js';
import { nativeSolver } from '../../../src/engine/solver.js';
import { openFloatRunner } from '../../../src/float/runner.js';
import type { Graph } from '../../../src/graph/graph.js';
import type { QuantGraph } from '../../../src/graph/quant-graph.js';
import { importQuantized } from '../../../src/onnx/quantized/import.js';
import { writeQdq } from '../../../src/onnx/write/qdq.js';
import { readOnnx } from '../../../src/onnx/file/reader.js';
import { encode } from '../../../src/program/encode.js';
import { quantizeInput } from '../../../src/program/input.js';
import { interpret } from '../../../src/program/interpret.js';
import { lower } from '../../../src/program/lower.js';
import { withParameters } from '../../../src/quantize/network/connections.js';
import { quantizeGraph, type QuantizeOptions } from '../../../src/quantize/quantize.js';
import { quantizeMixed } from '../../../src/quantize/mixed/quantize-mixed.js';
import { findRecipe } from '../../../src/quantize/recipe.js';
import { dequantizeWeights } from '../../../src/quantize/codes/weights.js';
import {
  canBeWide,
  widened,
  widenQuantGraph,
} from '../../../src/quantize/activation-width/widths.js';
import { findTarget } from '../../../src/targets/index.js';
import { randomSamples, separableNet } from '../small-graphs.js';

const graph = separableNet(3, 0.2);
const tflm = findTarget('tflm');

function optionsOf(
  wideLayers: QuantizeOptions['wideLayers'],
  recipe = 'naive',
  target = 'tflm',
): QuantizeOptions {
  return {
    graph,
    samples: randomSamples(graph, 20),
    constraints: findTarget(target).constraints,
    recipe: findRecipe(recipe),
    solver: nativeSolver(1),
    openFloatRunner,
    ...(wideLayers === undefined ? {} : { wideLayers }),
  };
}

async function quantized(wideLayers: QuantizeOptions['wideLayers'], recipe?: string) {
  return (await quantizeGraph(optionsOf(wideLayers, recipe))).quantGraph;
}

/** The float network with the weights that the codes stand for. */
function onGrid({ nodes }: QuantGraph): Graph {
  const weights = nodes.flatMap((node) =>
    node.op === 'Conv' ? [[node.name, { weight: dequantizeWeights(node.weight) }] as const] : [],
  );
  return withParameters(graph, new Map(weights));
}

/** What activations alone do: squared distance of the scores to those of float activations. */
async function errorOf(quantGraph: QuantGraph): Promise<number> {
  const program = lower(quantGraph, tflm);
  const runner = await openFloatRunner(onGrid(quantGraph), []);
  const engine = Engine.load(program, { threads: 1 });
  let sum = 0;
  for await (const { input } of randomSamples(graph, 10, 5)) {
    const expected = (await runner.run(input)).get(graph.outputs[0]!.name)!;
    const { data, scale, zeroPoint } = engine.runSync(quantizeInput(program, input)).outputs[0]!;
    expected.forEach((score, i) => (sum += (score - scale * (data[i]! - zeroPoint)) ** 2));
  }
  engine.close();
  await runner.close();
  return sum;
}

const widthsOf = (quantGraph: QuantGraph) =>
  Object.fromEntries(
    quantGraph.nodes.map(({ name, output }) => [name, bitsOf(quantGraph, output)]),
  );
const bitsOf = ({ values }: QuantGraph, name: string) => values.get(name)!.bits;

test('all layers on 16 bits: the input alone changes its width, and scores come closer to float', async () => {
  const wide = await quantized('all');
  expect(bitsOf(wide, wide.input)).toBe(8);
  const changes = wide.nodes.filter(({ op }) => op === 'Requantize');
  expect(changes.map(({ inputs }) => inputs)).toEqual([[wide.input]]);
  for (const { output } of wide.nodes) {
    expect(wide.values.get(output)).toMatchObject({ dtype: 's16', bits: 16, zeroPoint: 0 });
  }
  expect(await errorOf(wide)).toBeLessThan((await errorOf(await quantized(undefined))) / 2);
});

test('widths change where layers of both meet, once for a value; additions follow their operands', async () => {
  const mixed = await quantized(new Set(['pw1', 'down', 'fc']));
  expect(widthsOf(mixed)).toEqual({
    ...{ stem: 8, dw1: 8, 'dw1/y/16-bit': 16, pw1: 16, 'pw1/y/8-bit': 8, up: 8, dw2: 8 },
    ...{ 'dw2/y/16-bit': 16, down: 16, sum: 16, 'sum/y/8-bit': 8, last: 8, pool: 8 },
    ...{ 'pool/y/16-bit': 16, fc: 16 },
  });
  const inputs = (name: string) => mixed.nodes.find((node) => node.name === name)!.inputs;
  expect(inputs('sum')).toEqual(['pw1/y', 'down/y']);
  expect(inputs('up')).toEqual(['pw1/y/8-bit']);
  const half = await quantized(new Set(['down']));
  expect(widthsOf(half)).toMatchObject({ down: 16, 'down/y/8-bit': 8, sum: 8 });
});

test.each(['naive', 'best'])(
  'the file means the same, executors agree: recipe %s',
  async (recipe) => {
    const mixed = await quantized(new Set(['dw2', 'down', 'last', 'fc']), recipe);
    const program = lower(mixed, tflm);
    expect(encode(lower(importQuantized(readOnnx(writeQdq(mixed))), tflm))).toEqual(
      encode(program),
    );
    const engine = Engine.load(program, { threads: 1 });
    for await (const { input } of randomSamples(graph, 3, 9)) {
      const codes = quantizeInput(program, input);
      const { taps } = engine.runSync(codes, { taps: 'all' });
      expect(taps.size).toBeGreaterThan(mixed.nodes.length - 2);
      for (const [name, { data }] of interpret(program, codes, { taps: 'all' }).taps) {
        expect(taps.get(name)!.data).toEqual(data);
      }
    }
    engine.close();
  },
);

test('16 bits stand for the same reals as 8 bits, 64 times finer, and reach twice as far', () => {
  const narrow = { dtype: 's8', bits: 8, scale: 0.5, zeroPoint: -128 } as const;
  expect(widened(narrow)).toEqual({ dtype: 's16', bits: 16, scale: 0.5 / 64, zeroPoint: 0 });
  expect((0.5 / 64) * 32767).toBeGreaterThan(2 * 0.5 * 127);
});

test('widening a quantized graph keeps what its layers compute', async () => {
  const narrow = await quantized(undefined);
  const convs = narrow.nodes.filter(({ op }) => op === 'Conv');
  expect(convs.every(canBeWide)).toBe(true);
  const wide = widenQuantGraph(narrow, new Set(convs.map(({ name }) => name)));
  for (const conv of convs) {
    const other = wide.nodes.find(({ name }) => name === conv.name)!;
    if (conv.op !== 'Conv' || other.op !== 'Conv') throw new Error('not a convolution');
    const before = narrow.values.get(conv.inputs[0]!)!.scale;
    const after = wide.values.get(other.inputs[0]!)!.scale;
    conv.bias!.forEach((code, c) => {
      expect(other.bias![c]! * after).toBe(code * before);
    });
  }
  expect(await errorOf(wide)).toBeLessThan((await errorOf(narrow)) / 2);
  const huge = { ...convs[0]!, bias: Int32Array.of(2 ** 25) };
  expect(canBeWide(huge as (typeof convs)[0])).toBe(false);
});

test('--auto keeps 16 bits where agreement needs them, and 8 where any drop is allowed', async () => {
  const options = { ...optionsOf('all'), samples: randomSamples(graph, 40) };
  const none = await quantizeMixed(options, -1);
  expect(none.choice.activationBits).toEqual([16, 8]);
  expect(none.choice.layers.every(({ activationBits }) => activationBits === 16)).toBe(true);
  expect(none.choice.after).toEqual(none.choice.before);
  const any = await quantizeMixed(options, 100);
  expect(any.choice.layers.every(({ activationBits }) => activationBits === 8)).toBe(true);
  expect(any.choice.layers.every((one) => Number.isFinite(one.activationSqnrDb))).toBe(true);
  expect(2 * any.choice.after.activationBytes).toBe(any.choice.before.activationBytes);
  expect([...any.quantGraph.values.values()].every(({ bits }) => bits === 8)).toBe(true);
  // 4-bit weights and 8-bit activations: a quarter of the work of 8 and 16.
  expect(any.choice.after.bitOps).toBeCloseTo(any.choice.before.bitOps / 4, 10);
});

test('a target without 16-bit layers refuses them', async () => {
  await expect(quantizeGraph(optionsOf('all', 'naive', 'pow2'))).rejects.toThrow(
    /activation-bits.*s8 only/,
  );
});

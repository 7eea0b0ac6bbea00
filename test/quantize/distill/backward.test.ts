// SPDX-License-Identifier: Apache-2.0
// Gradients against differences of the graph's own output.
import { openFloatRunner } from '../../../src/float/runner.js';
import type { Graph, Node, Pads } from '../../../src/graph/graph.js';
import { differentiate } from '../../../src/quantize/distill/backward.js';
import { GraphBuilder, randomNumbers } from '../small-graphs.js';

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** x -> "start" (x itself), so that the input has a gradient. */
function starting(height: number, channels = 4): { builder: GraphBuilder; start: string } {
  const shape = [1, channels, height, height];
  const builder = new GraphBuilder(shape, 5);
  builder.constant('one', [1], Float32Array.of(1));
  const base = { op: 'Mul', name: 'start', inputs: ['x', 'one'], outputs: ['start'] } as const;
  return { builder, start: builder.node(base, shape) };
}

/** The gradient of sum(seed x output) at "start", and that sum for any input. */
async function gradientOf(graph: Graph, input: Float32Array) {
  const [output] = graph.outputs;
  const random = randomNumbers(3);
  const seed = Float32Array.from({ length: size(output!.shape) }, () => random());
  const constants = new Map(graph.constants);
  constants.set('seed', { dtype: 'f32', shape: output!.shape, data: seed });
  const seeds = new Map([[output!.name, 'seed']]);
  const result = differentiate({ ...graph, constants }, seeds, new Set(['start']));
  const name = result.gradients.get('start')!;
  const runner = await openFloatRunner(result.graph, [name]);
  const objective = async (x: Float32Array): Promise<number> => {
    const y = (await runner.run(x)).get(output!.name)!;
    return y.reduce((sum, value, i) => sum + value * seed[i]!, 0);
  };
  const gradient = (await runner.run(input)).get(name)!;
  return { gradient, objective, close: () => runner.close() };
}

type Case = [name: string, build: () => Graph];

const pool = (pads: Pads, stride: number): Node => ({
  op: 'AveragePool',
  name: 'pool',
  inputs: ['start'],
  outputs: ['pool'],
  kernel: [3, 3],
  strides: [stride, stride],
  pads,
  countIncludePad: true,
});

const cases: Case[] = [
  ...[
    { kernel: 1, stride: 1, height: 5 },
    { kernel: 1, stride: 2, height: 6 },
    { kernel: 1, stride: 2, height: 7 },
    { kernel: 3, stride: 1, height: 5 },
    { kernel: 3, stride: 2, height: 6 },
    { kernel: 3, stride: 2, height: 7 },
    { kernel: 5, stride: 3, height: 8 },
  ].flatMap(({ kernel, stride, height }) =>
    [false, true].map((depthwise): Case => [
      `convolution ${kernel}x${kernel} / ${stride}, depthwise ${depthwise}, height ${height}`,
      () => {
        const { builder, start } = starting(height);
        const outputs = depthwise ? 8 : 6;
        return builder.graph(builder.conv('conv', start, { outputs, kernel, stride, depthwise }));
      },
    ]),
  ),
  [
    'a residual block, global average, reshape',
    () => {
      const { builder, start } = starting(6);
      const branch = builder.conv('branch', start, { outputs: 4, kernel: 3 });
      const sum = builder.add('sum', start, branch);
      const pooled = builder.globalPool('pooled', sum);
      const base = { name: 'flat', inputs: [pooled], outputs: ['flat'], shape: [1, 4] };
      return builder.graph(builder.node({ op: 'Reshape', ...base }, [1, 4]));
    },
  ],
  [
    'padding, growing and cropping',
    () => {
      const { builder, start } = starting(5);
      const [begin, end] = [
        [0, 0, 1, -1],
        [0, 0, -2, 3],
      ];
      const base = { op: 'Pad', name: 'pad', inputs: [start], outputs: ['pad'] } as const;
      return builder.graph(builder.node({ ...base, begin, end, value: 0 }, [1, 4, 4, 7]));
    },
  ],
  [
    'average pool',
    () => {
      const { builder } = starting(7);
      return builder.graph(builder.node(pool([1, 1, 1, 1], 2), [1, 4, 4, 4]));
    },
  ],
];

test.each(cases)('%s', async (_, build) => {
  const graph = build();
  const random = randomNumbers(11);
  const input = Float32Array.from({ length: size(graph.inputs[0]!.shape) }, () => random());
  const { gradient, objective, close } = await gradientOf(graph, input);
  expect(gradient.length).toBe(input.length);
  const base = await objective(input);
  // Everything is linear: a step of 1 in one value gives its gradient but for rounding.
  for (let i = 0; i < input.length; i++) {
    const moved = input.slice();
    moved[i]! += 1;
    expect(gradient[i]!).toBeCloseTo((await objective(moved)) - base, 3);
  }
  await close();
});

test('a clamp passes gradients strictly inside its bounds, channel by channel', async () => {
  const { builder, start } = starting(3, 2);
  const clamp = { lo: Float32Array.of(0, -1), hi: Float32Array.of(6, 2) };
  const base = { op: 'Clamp', name: 'clamp', inputs: [start], outputs: ['clamp'], clamp } as const;
  const graph = builder.graph(builder.node(base, [1, 2, 3, 3]));
  const input = Float32Array.of(-3, -1, 0, 1, 3, 5, 6, 7, 9, -3, -2, -1, 0, 1, 2, 3, 5, 9);
  const { gradient, close } = await gradientOf(graph, input);
  const passed = [...gradient].flatMap((value, i) => (value === 0 ? [] : [i]));
  expect(passed).toEqual([3, 4, 5, 12, 13]);
  await close();
});

test('an operator without a gradient is named', () => {
  const { builder, start } = starting(3, 2);
  const base = { name: 'soft', inputs: [start], outputs: ['soft'], axis: 1 };
  const graph = builder.graph(builder.node({ op: 'Softmax', ...base }, [1, 2, 3, 3]));
  const run = () => differentiate(graph, new Map([['soft', 'soft']]), new Set(['start']));
  expect(run).toThrow(/"soft".*Softmax has no gradient/);
});

// SPDX-License-Identifier: Apache-2.0
// What devices take: every offending layer in one error, or in one note.
import { ModelError } from '../../src/errors.js';
import type { QuantConv, QuantGraph, QuantNode, QuantValue } from '../../src/graph/quant-graph.js';
import { lower } from '../../src/program/lower.js';
import { findTarget } from '../../src/targets/index.js';
import { parseUserTarget } from '../../src/targets/user-target.js';

/** A layer of the test network; 1 x 1, stride 1, 4 to 4 channels where nothing else is said. */
interface Layer {
  readonly kernel?: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly group?: number;
  readonly outputs?: number;
}

const unsigned = new Set(['k210']);

/** Layers after one another over 4 channels of `size` x `size`, padded to keep the size. */
function network(target: string, layers: readonly Layer[], size = 16): QuantGraph {
  const dtype = unsigned.has(target) ? 'u8' : 's8';
  const values: QuantValue[] = [];
  const add = (name: string, channels: number, side: number): string => {
    const shape = [1, channels, side, side];
    values.push({ name, shape, dtype, bits: 8, scale: 0.5, zeroPoint: 0 });
    return name;
  };
  let at = { name: add('x', 4, size), channels: 4, side: size };
  const nodes = layers.map((layer, i): QuantNode => {
    const { kernel = 1, stride = 1, dilation = 1, group = 1, outputs = 4 } = layer;
    const pad = (dilation * (kernel - 1)) / 2;
    const side = Math.floor((at.side - 1) / stride) + 1;
    const input = at;
    at = { name: add(`v${i}`, outputs, side), channels: outputs, side };
    return conv(`layer${i}`, input, at.name, dtype, {
      kernel,
      stride,
      dilation,
      group,
      outputs,
      pad,
    });
  });
  return {
    name: 'net',
    input: 'x',
    outputs: [at.name],
    values: new Map(values.map((value) => [value.name, value])),
    nodes,
    metadata: {},
    origin: 'lastbit',
  };
}

function conv(
  name: string,
  input: { readonly name: string; readonly channels: number },
  output: string,
  dtype: 's8' | 'u8',
  layer: Required<Layer> & { readonly pad: number },
): QuantConv {
  const { kernel, stride, dilation, group, outputs, pad } = layer;
  const shape = [outputs, input.channels / group, kernel, kernel];
  const count = shape.reduce((a, b) => a * b, 1);
  return {
    op: 'Conv',
    name,
    inputs: [input.name],
    output,
    kernel: [kernel, kernel],
    strides: [stride, stride],
    pads: [pad, pad, pad, pad],
    dilations: [dilation, dilation],
    group,
    weight: {
      dtype,
      bits: 8,
      shape,
      data: dtype === 'u8' ? new Uint8Array(count).fill(1) : new Int8Array(count).fill(1),
      scales: Float32Array.of(0.25),
      zeroPoints: Int32Array.of(0),
    },
    bias: undefined,
    fullyConnected: false,
  };
}

function errorOf(target: string, layers: readonly Layer[], size?: number): string {
  try {
    lower(network(target, layers, size), findTarget(target));
  } catch (error) {
    if (error instanceof ModelError) return error.message;
    throw error;
  }
  return 'none';
}

const fits: readonly Layer[] = [{ kernel: 3 }, { group: 4, kernel: 3 }, { outputs: 8 }];

test.each(['max78000', 'k210', 'ethos-u', 'dpu'])('%s takes separable layers', (target) => {
  expect(errorOf(target, fits)).toBe('none');
});

const bad: readonly Layer[] = [
  { kernel: 5 },
  {},
  { kernel: 3, dilation: 2 },
  { group: 2 },
  { kernel: 7 },
];

test.each(['max78000', 'k210'])('%s names every layer and its limit in one error', (target) => {
  const message = errorOf(target, bad);
  expect(message).toMatch(/^\[target-constraint\] target (max78000|k210)@/);
  expect(message).toContain('"layer0": has a kernel of 5 x 5, which must be 1 x 1 or 3 x 3');
  expect(message).toContain('"layer4": has a kernel of 7 x 7');
  expect(message).toContain('"layer2": has dilation 2, which must be at most 1');
  expect(message).toContain('"layer3": has 2 groups, which must be 1 or one per channel');
  expect(message).not.toContain('"layer1"');
  expect(message).toMatch(/ai8x-training README|nncase modules\/k210/);
});

test('channels, kernels and strides of others', () => {
  expect(errorOf('k210', [{ outputs: 1025 }])).toMatch(/"layer0": has 1025 channels, at most 1024/);
  expect(errorOf('k210', [{ outputs: 1024 }])).toBe('none');
  expect(errorOf('ethos-u', [{ kernel: 3, stride: 4 }])).toMatch(
    /stride 4, .* at most 3.*SUPPORTED_OPS/,
  );
  expect(errorOf('ethos-u', [{ kernel: 33, dilation: 2 }], 80)).toMatch(/kernel of 65 x 65/);
  expect(errorOf('dpu', [{ kernel: 17 }], 32)).toMatch(/sides reach at most 16.*UG1414/);
  expect(errorOf('dpu', [{ kernel: 3, stride: 9 }])).toMatch(/stride 9, which must be at most 8/);
});

test('what a network needs beyond the MAX78000 is one note of its program', () => {
  const note = (layers: readonly Layer[], size?: number) =>
    lower(network('max78000', layers, size), findTarget('max78000')).metadata['lastbit.unfit'];
  expect(note([{ kernel: 3 }, { outputs: 8 }])).toBeUndefined();
  const text = note([
    { kernel: 3, stride: 2 },
    { group: 4, kernel: 3 },
    ...Array<Layer>(31).fill({}),
  ]);
  expect(text).toMatch(/arithmetic is emulated, but the network does not fit the device/);
  expect(text).toMatch(/"layer0": has stride 2, which must be at most 1/);
  expect(text).toMatch(/"layer1": has 4 groups, there are no grouped or depthwise/);
  expect(text).toMatch(/the network: has 33 layers, at most 32/);
  expect(note([{ outputs: 1024, kernel: 3 }, { outputs: 512 }])).toMatch(
    /the network: has 561152 bytes of weights, 442368 fit/,
  );
});

test('a small image is noted for the K210', () => {
  const { metadata } = lower(network('k210', [{ kernel: 3 }], 3), findTarget('k210'));
  expect(metadata['lastbit.unfit']).toMatch(
    /"layer0": reads 3 x 3, possible are 4 to 256 x 4 to 512/,
  );
});

test("a user's target takes limits over, changes them, takes them away", () => {
  const own = (limits?: object | null) =>
    parseUserTarget(JSON.stringify({ id: 'npu@1', extends: 'k210', limits }), 'npu.json');
  const graph = network('k210', [{ kernel: 5 }]);
  expect(() => lower(graph, own())).toThrow(/"layer0": has a kernel of 5 x 5/);
  expect(() => lower(graph, own({ refused: { squareKernels: [1, 3, 5] } }))).not.toThrow();
  expect(() => lower(graph, own(null))).not.toThrow();
  expect(() => own({ refused: { squareKernel: [1] } })).toThrow(/unknown key "squareKernel"/);
});

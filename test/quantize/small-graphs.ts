// SPDX-License-Identifier: Apache-2.0
// Small networks and targets that several tests of quantization build on.
import type { Clamp, ConvNode, Graph, Node, Shape, Tensor } from '../../src/graph/graph.js';
import type { Sample, SampleSource } from '../../src/graph/samples.js';
import type { TargetConstraints } from '../../src/targets/target.js';

/** As an int8 target with per-channel weights. */
export const constraints: TargetConstraints = {
  activations: ['s8'],
  weights: ['s8'],
  weightBits: [8, 4],
  activationZeroPoint: true,
  weightZeroPoint: false,
  perChannelWeights: true,
  narrowWeights: true,
  scales: 'real',
  perChannelClamp: false,
  wideOutputs: [],
};

/** Uniform numbers in [-1, 1) that depend on the seed alone (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

export function relu6(): Clamp {
  return { lo: Float32Array.of(0), hi: Float32Array.of(6) };
}

/** Builds a graph node by node, random weights and shapes included. */
export class GraphBuilder {
  readonly #nodes: Node[] = [];
  readonly #constants = new Map<string, Tensor>();
  readonly #shapes = new Map<string, Shape>();
  readonly #random: () => number;
  readonly #input: Shape;

  constructor(input: Shape, seed = 1) {
    this.#random = randomNumbers(seed);
    this.#input = input;
    this.#shapes.set('x', input);
  }

  /** Adds a convolution with "same" padding whose channels differ widely in size. */
  conv(
    name: string,
    input: string,
    options: {
      readonly outputs: number;
      readonly kernel?: number;
      readonly stride?: number;
      readonly depthwise?: boolean;
      readonly clamp?: Clamp;
      readonly spread?: number;
      readonly bias?: number;
    },
  ): string {
    const { outputs, kernel = 1, stride = 1, depthwise = false, spread = 0, bias = 0.5 } = options;
    const [, channels = 1, height = 1, width = 1] = this.#shapes.get(input)!;
    const perGroup = depthwise ? 1 : channels;
    const size = perGroup * kernel * kernel;
    const sizes = Array.from({ length: outputs }, () => 10 ** (spread * this.#random()));
    const weight = Float32Array.from(
      { length: outputs * size },
      (_, i) => (this.#random() * sizes[Math.floor(i / size)]!) / Math.sqrt(size),
    );
    const biases = Float32Array.from(
      { length: outputs },
      (_, c) => this.#random() * sizes[c]! * bias,
    );
    this.constant(`${name}/w`, [outputs, perGroup, kernel, kernel], weight);
    this.constant(`${name}/b`, [outputs], biases);
    const pad = (kernel - 1) >> 1;
    const node: ConvNode = {
      op: 'Conv',
      name,
      inputs: [input, `${name}/w`, `${name}/b`],
      outputs: [`${name}/y`],
      kernel: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      dilations: [1, 1],
      group: depthwise ? channels : 1,
      ...(options.clamp === undefined ? {} : { clamp: options.clamp }),
    };
    const side = (length: number): number => Math.floor((length - 1) / stride) + 1;
    return this.node(node, [1, outputs, side(height), side(width)]);
  }

  node(node: Node, shape: Shape): string {
    this.#nodes.push(node);
    this.#shapes.set(node.outputs[0]!, shape);
    return node.outputs[0]!;
  }

  add(name: string, a: string, b: string): string {
    return this.node(
      { op: 'Add', name, inputs: [a, b], outputs: [`${name}/y`] },
      this.#shapes.get(a)!,
    );
  }

  globalPool(name: string, input: string): string {
    const channels = this.#shapes.get(input)![1]!;
    return this.node({ op: 'GlobalAveragePool', name, inputs: [input], outputs: [`${name}/y`] }, [
      1,
      channels,
      1,
      1,
    ]);
  }

  constant(name: string, shape: Shape, data: Float32Array): void {
    this.#constants.set(name, { dtype: 'f32', shape, data });
  }

  graph(output: string): Graph {
    return {
      name: 'small',
      inputs: [{ name: 'x', dtype: 'f32', shape: this.#input }],
      outputs: [{ name: output, dtype: 'f32', shape: this.#shapes.get(output)! }],
      nodes: this.#nodes,
      constants: this.#constants,
      shapes: this.#shapes,
      normalizations: new Map(),
      metadata: new Map(),
    };
  }
}

/** A separable network with ReLU6, a residual block and a classifier, as MobileNets have them. */
export function separableNet(seed: number, spread = 1): Graph {
  const builder = new GraphBuilder([1, 3, 8, 8], seed);
  const clamp = relu6();
  const stem = builder.conv('stem', 'x', { outputs: 8, kernel: 3, clamp, spread, bias: 4 });
  const dw1 = builder.conv('dw1', stem, { outputs: 8, kernel: 3, depthwise: true, clamp, spread });
  const pw1 = builder.conv('pw1', dw1, { outputs: 6 });
  const up = builder.conv('up', pw1, { outputs: 12, clamp, spread, bias: 4 });
  const dw2 = builder.conv('dw2', up, { outputs: 12, kernel: 3, depthwise: true, clamp, spread });
  const down = builder.conv('down', dw2, { outputs: 6 });
  const sum = builder.add('sum', pw1, down);
  const last = builder.conv('last', sum, { outputs: 10, stride: 2, clamp, spread, bias: 2 });
  const pooled = builder.globalPool('pool', last);
  return builder.graph(builder.conv('fc', pooled, { outputs: 5 }));
}

/** Random images of a graph's input shape. */
export function randomSamples(graph: Graph, count: number, seed = 7): SampleSource {
  const size = graph.inputs[0]!.shape.reduce((a, b) => a * b, 1);
  return {
    count,
    async *[Symbol.asyncIterator](): AsyncIterator<Sample> {
      await Promise.resolve();
      for (let i = 0; i < count; i++) {
        const random = randomNumbers(seed * 1000 + i);
        yield { name: `image-${i}`, input: Float32Array.from({ length: size }, () => random()) };
      }
    },
  };
}

// SPDX-License-Identifier: Apache-2.0
// Random small float networks that together hold every operator of the graph, in uses that a quantizer knows
// and in uses that it has to refuse.
import { rebuild } from '../../src/graph/edit.js';
import type {
  Clamp,
  Graph,
  Node,
  OpName,
  Pads,
  Pair,
  Shape,
  Tensor,
} from '../../src/graph/graph.js';
import { resizeCoordinates, resizeNearest } from '../../src/graph/resizing.js';
import { inferShape } from '../../src/graph/shapes.js';
import { elementCount } from '../../src/graph/tensors.js';
import { randomNumbers } from './small-graphs.js';

/** Adds one or several nodes behind the last value. */
type Grow = (net: RandomNet) => void;

/** One way to grow for each operator; a new kind does not compile without one. */
const growing: Readonly<Record<OpName, Grow>> = {
  Conv: (net) => {
    const [, c = 1, h = 1, w = 1] = net.imageShape();
    const group = net.pick(divisors(c));
    const outputs = group * net.between(1, 3);
    const kernel: Pair = [net.between(1, Math.min(3, h)), net.between(1, Math.min(3, w))];
    const pad = net.between(0, 1);
    const weight = net.constant([outputs, c / group, ...kernel]);
    const bias = net.chance(0.7) ? net.constant([outputs]) : '';
    net.push({
      ...net.base([net.last, weight, bias]),
      ...{ op: 'Conv', kernel, group },
      strides: [net.between(1, 2), net.between(1, 2)],
      pads: [pad, pad, net.between(0, 1), pad],
      dilations: net.chance(0.8) || kernel[0] + kernel[1] < 4 ? [1, 1] : [1, 1 + pad],
      ...(net.chance(0.3) ? { clamp: net.clamp(outputs) } : {}),
    });
  },
  BatchNorm: (net) => {
    const [, c = 1] = net.imageShape();
    const variance = net.constant([c], (value) => Math.max(0, value));
    const [gamma, beta, mean] = [net.constant([c]), net.constant([c]), net.constant([c])];
    const base = net.base([net.last, gamma, beta, mean, variance]);
    net.push({ ...base, op: 'BatchNorm', epsilon: 1e-3 });
  },
  Gemm: (net) => {
    const [, k = 1] = net.flatShape();
    const [n, transB] = [net.between(1, 5), net.chance(0.5)];
    const weight = net.constant(transB ? [n, k] : [k, n]);
    const bias = net.chance(0.6) ? net.constant([n]) : '';
    const scalars = { alpha: net.pick([1, 0.5]), beta: net.pick([1, 2]), transA: false, transB };
    net.push({ ...net.base([net.last, weight, bias]), op: 'Gemm', ...scalars });
  },
  MatMul: (net) => {
    const k = net.chance(0.7) ? net.flatShape()[1]! : net.shape().at(-1)!;
    net.push({ ...net.base([net.last, net.constant([k, net.between(1, 4)])]), op: 'MatMul' });
  },
  Add: (net) => {
    const clamped = net.chance(0.2) ? { clamp: net.clamp(1) } : {};
    net.push({ ...net.base(net.pair()), op: 'Add', ...clamped });
  },
  Sub: (net) => {
    net.push({ ...net.base(net.pair()), op: 'Sub' });
  },
  Mul: (net) => {
    net.push({ ...net.base(net.pair()), op: 'Mul' });
  },
  Div: (net) => {
    const by = net.constant(net.operandShape(), (value) => value + Math.sign(value || 1));
    net.push({ ...net.base([net.last, by]), op: 'Div' });
  },
  Clamp: (net) => {
    const channels = net.shape()[1] ?? 1;
    net.push({ ...net.base([net.last]), op: 'Clamp', clamp: net.clamp(channels) });
  },
  AveragePool: (net) => {
    net.push({ ...net.window(), op: 'AveragePool', countIncludePad: net.chance(0.5) });
  },
  MaxPool: (net) => {
    const dilations: Pair = net.chance(0.9) ? [1, 1] : [2, 1];
    net.push({ ...net.window(), op: 'MaxPool', dilations });
  },
  GlobalAveragePool: (net) => {
    net.imageShape();
    net.push({ ...net.base([net.last]), op: 'GlobalAveragePool' });
  },
  Concat: (net) => {
    const axis = net.chance(0.8) ? 1 : net.between(0, net.shape().length - 1);
    const others = net.like((shape, own) =>
      shape.every((size, i) => i === axis || size === own[i]),
    );
    const inputs = net.chance(0.5) ? [net.last, net.pick(others)] : [net.pick(others), net.last];
    net.push({ ...net.base(inputs), op: 'Concat', axis });
  },
  Pad: (net) => {
    const all = (): number[] =>
      net.shape().map((_, axis) => (axis > 1 || net.chance(0.05) ? net.between(0, 2) : 0));
    const value = net.chance(0.9) ? 0 : 1;
    net.push({ ...net.base([net.last]), op: 'Pad', begin: all(), end: all(), value });
  },
  Reshape: (net) => {
    const shape = net.shape();
    const [n = 1, c = 1, h = 1, w = 1] = shape;
    const options: Shape[] = [
      [n, elementCount(shape) / n],
      [n, c, h * w],
      [n, c, h, w],
    ];
    options.push([n, c, w, h], [n, 1, elementCount(shape) / n, 1], [n, h, c * w], [n, h, w, c]);
    const fitting = options.filter((one) => elementCount(one) === elementCount(shape));
    net.push({ ...net.base([net.last]), op: 'Reshape', shape: net.pick(fitting) });
  },
  Gelu: (net) => {
    net.push({ ...net.base([net.last]), op: 'Gelu', approximate: net.chance(0.5) });
  },
  Resize: (net) => {
    net.imageShape();
    const mode = net.pick(['nearest', 'linear'] as const);
    const coordinates = net.pick(resizeCoordinates);
    const nearest = mode === 'linear' ? 'preferFloor' : net.pick(resizeNearest);
    const size: Pair = [net.between(1, 6), net.between(1, 6)];
    net.push({ ...net.base([net.last]), op: 'Resize', mode, coordinates, nearest, size });
  },
  Transpose: (net) => {
    const axes = [...net.shape().keys()];
    const perm = net.chance(0.6) ? [axes[0]!, ...net.shuffled(axes.slice(1))] : net.shuffled(axes);
    net.push({ ...net.base([net.last]), op: 'Transpose', perm });
    const back = axes.map((axis) => perm.indexOf(axis));
    if (net.chance(0.5)) net.push({ ...net.base([net.last]), op: 'Transpose', perm: back });
  },
  Softmax: (net) => {
    const axis = net.chance(0.7) ? Math.min(1, net.shape().length - 1) : net.shape().length - 1;
    net.push({ ...net.base([net.last]), op: 'Softmax', axis });
  },
  HardSigmoid: (net) => {
    net.push({ ...net.base([net.last]), op: 'HardSigmoid', alpha: 1 / 6, beta: 0.5 });
  },
  HardSwish: (net) => {
    net.push({ ...net.base([net.last]), op: 'HardSwish', alpha: 1 / 6, beta: 0.5 });
  },
  ReduceMean: (net) => {
    const axes = net.chance(0.7) ? [2, 3] : [net.between(1, net.shape().length - 1)];
    const known = axes.filter((axis) => axis < net.shape().length);
    net.push({
      ...net.base([net.last]),
      ...{ op: 'ReduceMean', keepDims: net.chance(0.5) },
      axes: known.length > 0 ? known : [net.shape().length - 1],
    });
  },
  Identity: (net) => {
    net.push({ ...net.base([net.last]), op: 'Identity' });
  },
  Sigmoid: (net) => {
    net.push({ ...net.base([net.last]), op: 'Sigmoid' });
  },
};

/** Every operator of float graphs. */
export const everyOperator = Object.keys(growing) as OpName[];

/** Those that most networks are made of: nets of nothing else are refused too often. */
const usual: readonly OpName[] = [
  'Conv',
  'Conv',
  'Conv',
  'Add',
  'Clamp',
  'Concat',
  'MaxPool',
  'Mul',
];

/**
 * A network that has the operator in its middle.
 *
 * @param seed the same seed and operator give the same network
 */
export function randomNet(seed: number, op: OpName): Graph {
  const net = new RandomNet(seed);
  if (net.chance(0.8)) growing.Conv(net);
  for (let i = net.between(0, 2); i > 0; i--) growing[net.pick(usual)](net);
  growing[op](net);
  for (let i = net.between(0, 2); i > 0; i--) {
    growing[net.chance(0.7) ? net.pick(usual) : net.pick(everyOperator)](net);
  }
  if (net.chance(0.3)) {
    growing.GlobalAveragePool(net);
    growing.Gemm(net);
  }
  return net.graph();
}

function divisors(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);
}

class RandomNet {
  last = 'x';
  readonly #random: () => number;
  readonly #nodes: Node[] = [];
  readonly #constants = new Map<string, Tensor>();
  readonly #shapes = new Map<string, Shape>();
  readonly #input: Shape;

  constructor(seed: number) {
    this.#random = randomNumbers(seed);
    this.#input = [1, this.between(1, 4), this.between(3, 6), this.between(3, 6)];
    this.#shapes.set('x', this.#input);
  }

  chance(share: number): boolean {
    return this.#random() / 2 + 0.5 < share;
  }

  /** A whole number, both ends included. */
  between(low: number, high: number): number {
    return low + Math.floor((this.#random() / 2 + 0.5) * (high - low + 1));
  }

  pick<One>(list: readonly One[]): One {
    return list[this.between(0, list.length - 1)]!;
  }

  shuffled(list: readonly number[]): number[] {
    const keys = new Map(list.map((one) => [one, this.#random()]));
    return [...list].sort((a, b) => keys.get(a)! - keys.get(b)!);
  }

  shape(): Shape {
    return this.#shapes.get(this.last)!;
  }

  /** The last value's shape, once it is made [1,C,H,W]. */
  imageShape(): Shape {
    const shape = this.shape();
    if (shape.length === 4 && shape[0] === 1) return shape;
    const channels = shape.at(-1)!;
    this.#reshape([1, channels, elementCount(shape) / channels, 1]);
    return this.shape();
  }

  /** The last value's shape, once it is made [1,K]. */
  flatShape(): Shape {
    const shape = this.shape();
    if (shape.length !== 2 || shape[0] !== 1) this.#reshape([1, elementCount(shape)]);
    return this.shape();
  }

  /** Values whose shape goes with the last one's; that itself always does. */
  like(fits: (shape: Shape, own: Shape) => boolean): string[] {
    const own = this.shape();
    return [...this.#shapes].flatMap(([name, shape]) =>
      shape.length === own.length && fits(shape, own) ? [name] : [],
    );
  }

  /** The shape of a constant operand of the last value. */
  operandShape(): Shape {
    const shape = this.shape();
    const perChannel = shape.map((size, axis) => (axis === 1 ? size : 1));
    return this.pick([[1], perChannel, perChannel, shape]);
  }

  /** The last value and another operand, in any order. */
  pair(): string[] {
    const gates = this.like((shape, own) =>
      shape.every((size, i) => size === own[i] || (i > 1 && size === 1)),
    );
    const other = this.chance(0.6) ? this.pick(gates) : this.constant(this.operandShape());
    return this.chance(0.8) ? [this.last, other] : [other, this.last];
  }

  clamp(channels: number): Clamp {
    const bound = (low: number, high: number): Float32Array => {
      const count = this.chance(0.8) ? 1 : channels;
      return Float32Array.from({ length: count }, () => low + (this.#random() + 1) * (high - low));
    };
    if (this.chance(0.6))
      return { lo: Float32Array.of(0), hi: Float32Array.of(this.pick([6, Infinity])) };
    const [lo, hi] = [bound(-1, 0), bound(0.5, 3)];
    const count = Math.max(lo.length, hi.length);
    const wide = (side: Float32Array): Float32Array =>
      Float32Array.from({ length: count }, (_, c) => side[side.length === 1 ? 0 : c]!);
    return { lo: wide(lo), hi: wide(hi) };
  }

  window() {
    const [, , h = 1, w = 1] = this.imageShape();
    const kernel: Pair = [this.between(1, Math.min(3, h)), this.between(1, Math.min(3, w))];
    const strides: Pair = [this.between(1, 2), this.between(1, 2)];
    const padded = this.chance(0.3) && kernel[0] > 1 && kernel[1] > 1;
    const pads: Pads = padded ? [1, 0, 0, 1] : [0, 0, 0, 0];
    return { ...this.base([this.last]), kernel, strides, pads };
  }

  constant(shape: Shape, change = (value: number): number => value): string {
    const name = `k${this.#constants.size}`;
    // Some channels far apart, some dead: what calibration meets.
    const size = 10 ** this.between(-1, 1);
    const data = Float32Array.from({ length: elementCount(shape) }, () =>
      this.chance(0.05) ? change(0) : change(this.#random() * size),
    );
    this.#constants.set(name, { dtype: 'f32', shape, data });
    return name;
  }

  base(inputs: readonly string[]) {
    const name = `n${this.#nodes.length}`;
    return { name, inputs, outputs: [`${name}/y`] };
  }

  /** Adds the node, unless its shapes do not fit. */
  push(node: Node): void {
    const shapeOf = (name: string): Shape =>
      this.#shapes.get(name) ?? this.#constants.get(name)!.shape;
    let shape: Shape;
    try {
      shape = inferShape(node, shapeOf);
    } catch {
      return;
    }
    if (elementCount(shape) > 2000) return;
    this.#nodes.push(node);
    [this.last] = node.outputs as [string];
    this.#shapes.set(this.last, shape);
  }

  graph(): Graph {
    const [input, output] = ['x', this.last];
    const graph: Graph = {
      name: 'random',
      inputs: [{ name: input, dtype: 'f32', shape: this.#input }],
      outputs: [{ name: output, dtype: 'f32', shape: this.shape() }],
      nodes: this.#nodes,
      constants: this.#constants,
      shapes: this.#shapes,
      normalizations: new Map(),
      metadata: new Map(),
    };
    return rebuild(graph, {});
  }

  #reshape(shape: Shape): void {
    this.push({ ...this.base([this.last]), op: 'Reshape', shape });
  }
}

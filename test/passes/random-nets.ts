// SPDX-License-Identifier: Apache-2.0
// Random small networks of the MobileNet kind, in any operator set and in the many spellings that
// exporters have.
import type { OnnxModel, OnnxNode, OnnxTensor } from '../../src/onnx/file/model.js';
import {
  f32,
  float,
  int,
  ints,
  model,
  node,
  randomNumbers,
  randomTensor,
  s64,
  text,
} from '../onnx/build.js';

interface Value {
  readonly name: string;
  readonly shape: readonly [number, number, number];
}

class NetBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly weights: Record<string, Omit<OnnxTensor, 'name'>> = {};
  private readonly next: () => number;
  private count = 0;
  readonly opset: number;

  constructor(private readonly seed: number) {
    this.next = randomNumbers(seed);
    this.opset = this.pick([7, 9, 11, 13, 18]);
  }

  below(n: number): number {
    return Math.floor(((this.next() + 1) / 2) * n);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  fresh(): string {
    return `v${++this.count}`;
  }

  weight(shape: number[]): string {
    const name = this.fresh();
    this.weights[name] = randomTensor(shape, this.seed * 1000 + this.count);
    return name;
  }

  constant(tensor: Omit<OnnxTensor, 'name'>): string {
    const name = this.fresh();
    this.weights[name] = tensor;
    return name;
  }

  emit(op: string, inputs: string[], attributes: Parameters<typeof node>[3] = {}): string {
    const output = this.fresh();
    this.nodes.push(node(op, inputs, output, attributes));
    return output;
  }

  scalar(value: number): string {
    return this.constant(f32([], [value]));
  }

  conv(x: Value): Value {
    const [c, h, w] = x.shape;
    const depthwise = this.below(2) === 0;
    const outputs = depthwise ? c : this.pick([2, 3, 6]);
    const [kernel, stride] = [this.pick([1, 3]), this.pick([1, 2])];
    const weight = this.weight([outputs, depthwise ? 1 : c, kernel, kernel]);
    const mode = this.pick(['SAME_UPPER', 'SAME_LOWER', 'pads', 'Pad']);
    const attributes = {
      strides: ints(stride, stride),
      ...(depthwise ? { group: int(c) } : {}),
      ...(mode.startsWith('SAME') ? { auto_pad: text(mode) } : {}),
      ...(mode === 'pads' ? { pads: ints(kernel - 1, 0, 0, kernel - 1) } : {}),
    };
    const padded = mode === 'Pad' ? this.pad(x.name, kernel - 1) : x.name;
    const bias = this.below(2) === 0 ? [this.weight([outputs])] : [];
    const name = this.emit('Conv', [padded, weight, ...bias], attributes);
    return { name, shape: [outputs, Math.ceil(h / stride), Math.ceil(w / stride)] };
  }

  pad(x: string, amount: number): string {
    const pads = [0, 0, amount, 0, 0, 0, 0, amount];
    if (this.opset < 11) return this.emit('Pad', [x], { pads: ints(...pads) });
    return this.emit('Pad', [x, this.constant(s64(pads))]);
  }

  norm(x: Value): Value {
    const [c] = x.shape;
    const form = this.below(4);
    if (form === 0) return x;
    if (form === 1) {
      const scaled = this.emit('Mul', [x.name, this.weight([c, 1, 1])]);
      return { ...x, name: this.emit('Add', [this.weight([1, c, 1, 1]), scaled]) };
    }
    const variance = this.constant(
      f32(
        [c],
        Array.from({ length: c }, () => this.below(3)),
      ),
    );
    const rest = [this.weight([c]), this.weight([c]), this.weight([c]), variance];
    const name = this.emit('BatchNormalization', [x.name, ...rest], { epsilon: float(0.1) });
    return { ...x, name };
  }

  clip(x: string, lo: number, hi: number): string {
    if (this.opset < 11) return this.emit('Clip', [x], { min: float(lo), max: float(hi) });
    return this.emit('Clip', [x, this.scalar(lo), this.scalar(hi)]);
  }

  activation(x: Value): Value {
    switch (this.below(6)) {
      case 0:
        return x;
      case 1:
        return { ...x, name: this.emit('Relu', [x.name]) };
      case 2: {
        const ramp = this.clip(this.emit('Add', [x.name, this.scalar(3)]), 0, 6);
        const gate = this.emit('Div', [ramp, this.scalar(6)]);
        return { ...x, name: this.emit('Mul', [x.name, gate]) };
      }
      case 3:
        return { ...x, name: this.emit('Dropout', [x.name]) };
      default:
        return { ...x, name: this.clip(x.name, 0, 6) };
    }
  }

  /** Squeeze and excite: pool, two layers, gate. */
  gate(x: Value): Value {
    const [c] = x.shape;
    const pooled = this.emit('GlobalAveragePool', [x.name]);
    const flat = this.emit('Flatten', [pooled]);
    const hidden = this.emit('Relu', [
      this.emit('Gemm', [flat, this.weight([c, 2]), this.weight([2])]),
    ]);
    const dense = this.emit('MatMul', [hidden, this.weight([2, c])]);
    const gate = this.emit(this.pick(['Sigmoid', 'HardSigmoid']), [dense]);
    const image = this.emit('Reshape', [gate, this.constant(s64([1, c, 1, 1]))]);
    return { ...x, name: this.emit('Mul', [x.name, image]) };
  }

  block(x: Value): Value {
    const y = this.activation(this.norm(this.conv(x)));
    switch (this.below(5)) {
      case 0:
        return this.gate(y);
      case 1: {
        const z = this.norm(y);
        return { ...y, name: this.emit('Add', [y.name, this.activation(z).name]) };
      }
      case 2: {
        const z = this.activation(y);
        const [c, h, w] = y.shape;
        return {
          name: this.emit('Concat', [y.name, z.name], { axis: int(1) }),
          shape: [2 * c, h, w],
        };
      }
      default:
        return y;
    }
  }

  head(x: Value): number {
    const [c, h, w] = x.shape;
    const classes = 5;
    const pooled = this.below(3);
    if (pooled === 0) {
      const flat = this.emit('Flatten', [x.name]);
      const weight = this.weight([classes, c * h * w]);
      this.nodes.push(
        node('Gemm', [flat, weight, this.weight([classes])], 'y', { transB: int(1) }),
      );
      return classes;
    }
    const mean =
      pooled === 1 && this.opset < 18
        ? this.emit('ReduceMean', [x.name], { axes: ints(2, 3), keepdims: int(0) })
        : this.emit('Flatten', [this.emit('GlobalAveragePool', [x.name])]);
    const logits = this.emit('MatMul', [mean, this.weight([c, classes])]);
    const biased = this.emit('Add', [logits, this.weight([classes])]);
    this.nodes.push(
      this.below(2) === 0
        ? node('Softmax', [biased], 'y', { axis: int(1) })
        : node('Identity', [biased], 'y'),
    );
    return classes;
  }
}

/** The `seed`-th random network, from `x` to `y`. */
export function randomNet(seed: number): OnnxModel {
  const net = new NetBuilder(seed);
  const [c, h, w] = [net.pick([2, 3]), net.pick([7, 8]), net.pick([8, 9])];
  const nhwc = net.below(3) === 0;
  let x: Value = { name: 'x', shape: [c, h, w] };
  if (nhwc) x = { ...x, name: net.emit('Transpose', ['x'], { perm: ints(0, 3, 1, 2) }) };
  for (let i = 1 + net.below(4); i > 0; i--) x = net.block(x);
  const classes = net.head(x);
  return model({
    opset: net.opset,
    irVersion: net.opset < 9 ? 3 : 7,
    weightsAsInputs: net.opset < 9,
    input: nhwc ? [1, h, w, c] : [1, c, h, w],
    output: [1, classes],
    nodes: net.nodes,
    weights: net.weights,
  });
}

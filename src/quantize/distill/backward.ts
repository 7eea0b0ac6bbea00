// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../../errors.js';
import type {
  AveragePoolNode,
  Clamp,
  ConvNode,
  Graph,
  Node,
  Shape,
  Tensor,
} from '../../graph/graph.js';
import { broadcastShape, elementCount, f32Tensor, sameShape } from '../../graph/tensors.js';

/** A graph that computes gradients as well. */
export interface Differentiated {
  /** The given graph and the nodes of the gradients; its outputs are the given graph's. */
  readonly graph: Graph;
  /** By value name, the value that holds its gradient, where the seeds depend on it. */
  readonly gradients: ReadonlyMap<string, string>;
}

/**
 * Adds the reverse pass to a graph, as nodes of the same operators, so that any runner of
 * float graphs computes gradients. Rounding as `simulate` writes it (adding and taking away a constant)
 * passes them on unchanged (the straight-through estimator), a clamp where the value lies at
 * least one step inside its bounds: values are meant to be whole steps.
 *
 * @param seeds by value name, the value of the graph that holds the objective's own gradient there
 * @param wanted values whose gradient is asked for; nothing before the first of them is computed
 * @throws ModelError `no-gradient` for an operator without one
 */
export function differentiate(
  graph: Graph,
  seeds: ReadonlyMap<string, string>,
  wanted: ReadonlySet<string>,
): Differentiated {
  const backward = new Backward(graph, downstream(graph, wanted));
  for (const [value, seed] of seeds) backward.add(value, seed);
  for (const node of [...graph.nodes].reverse()) backward.through(node);
  return backward.result();
}

/** The values, and all that depend on them. */
function downstream(graph: Graph, values: ReadonlySet<string>): ReadonlySet<string> {
  const found = new Set(values);
  for (const node of graph.nodes) {
    if (node.inputs.some((input) => found.has(input))) {
      for (const output of node.outputs) found.add(output);
    }
  }
  return found;
}

class Backward {
  readonly #source: Graph;
  readonly #depends: ReadonlySet<string>;
  readonly #nodes: Node[] = [];
  readonly #constants: Map<string, Tensor>;
  readonly #shapes: Map<string, Shape>;
  /** What each value's readers hand back. */
  readonly #parts = new Map<string, string[]>();
  readonly #gradients = new Map<string, string>();

  constructor(source: Graph, depends: ReadonlySet<string>) {
    this.#source = source;
    this.#depends = depends;
    this.#constants = new Map(source.constants);
    this.#shapes = new Map(source.shapes);
  }

  result(): Differentiated {
    const graph: Graph = {
      ...this.#source,
      nodes: [...this.#source.nodes, ...this.#nodes],
      constants: this.#constants,
      shapes: this.#shapes,
    };
    return { graph, gradients: this.#gradients };
  }

  add(value: string, part: string): void {
    if (!this.#depends.has(value)) return;
    this.#parts.set(value, [...(this.#parts.get(value) ?? []), part]);
  }

  through(node: Node): void {
    const [output] = node.outputs;
    const gradient = this.#sumOf(output!);
    if (gradient === undefined) return;
    this.#gradients.set(output!, gradient);
    if (!node.inputs.some((input) => this.#depends.has(input))) return;
    const [input] = node.inputs;
    switch (node.op) {
      case 'Conv':
        this.#conv(node, gradient);
        return;
      case 'Add':
        for (const name of node.inputs) this.#passed(node, name, gradient);
        return;
      case 'Sub':
        if (this.#depends.has(node.inputs[1]!)) throw without(node, 'of its second input');
        this.#passed(node, input!, gradient);
        return;
      case 'Mul':
        this.#mul(node, gradient);
        return;
      case 'Clamp':
        this.#clamp(node.name, input!, output!, node.clamp, gradient);
        return;
      case 'AveragePool':
        this.#conv(this.#asConv(node), gradient);
        return;
      case 'GlobalAveragePool':
        this.#average(node.name, input!, gradient);
        return;
      case 'Reshape': {
        const shape = this.#shapeOf(input!);
        this.#hand(node, input!, { op: 'Reshape', shape }, [gradient]);
        return;
      }
      case 'Pad': {
        const crop = { begin: node.begin.map((n) => -n), end: node.end.map((n) => -n), value: 0 };
        this.#hand(node, input!, { op: 'Pad', ...crop }, [gradient]);
        return;
      }
      case 'Identity':
        this.#passed(node, input!, gradient);
        return;
      case 'BatchNorm':
      case 'Concat':
      case 'Div':
      case 'Gemm':
      case 'HardSigmoid':
      case 'HardSwish':
      case 'MatMul':
      case 'MaxPool':
      case 'ReduceMean':
      case 'Resize':
      case 'Sigmoid':
      case 'Gelu':
      case 'Softmax':
      case 'Transpose':
        throw without(node, '');
    }
  }

  #passed(node: Node, input: string, gradient: string): void {
    if (!this.#depends.has(input)) return;
    if (!sameShape(this.#shapeOf(input), this.#shapeOf(node.outputs[0]!))) {
      throw without(node, 'of an input that is repeated');
    }
    this.add(input, gradient);
  }

  #mul(node: Node, gradient: string): void {
    const [a, b] = node.inputs as [string, string];
    for (const [input, other] of [
      [a, b],
      [b, a],
    ] as const) {
      if (!this.#depends.has(input)) continue;
      if (!sameShape(this.#shapeOf(input), this.#shapeOf(node.outputs[0]!))) {
        throw without(node, 'of an input that is repeated');
      }
      this.#hand(node, input, { op: 'Mul' }, [gradient, other]);
    }
  }

  #average(name: string, input: string, gradient: string): void {
    const [, , height = 1, width = 1] = this.#shapeOf(input);
    const share = `${name}/share`;
    const ones = new Float32Array(height * width).fill(1 / (height * width));
    this.#constants.set(share, f32Tensor([1, 1, height, width], ones));
    this.add(input, this.#push(`${name}/backward`, { op: 'Mul' }, [gradient, share]));
  }

  /** 1 where a value in whole steps is inside, 0 at the bounds. */
  #clamp(name: string, input: string, output: string, clamp: Clamp, gradient: string): void {
    let passed = gradient;
    const inside = (side: string, bound: Float32Array): void => {
      if (bound.every((value) => !Number.isFinite(value))) return;
      const constant = `${name}/${side}`;
      const shape = bound.length === 1 ? [1] : [1, bound.length, 1, 1];
      this.#constants.set(constant, f32Tensor(shape, bound));
      const pair = side === 'low' ? [output, constant] : [constant, output];
      const distance = this.#push(`${name}/${side}/distance`, { op: 'Sub' }, pair);
      const mask = this.#push(`${name}/${side}/mask`, { op: 'Clamp', clamp: unit }, [distance]);
      passed = this.#push(`${name}/${side}/passed`, { op: 'Mul' }, [passed, mask]);
    };
    inside('low', clamp.lo);
    inside('high', clamp.hi);
    this.add(input, passed);
  }

  /** The depthwise convolution that averages. */
  #asConv(node: AveragePoolNode): ConvNode {
    if (!node.countIncludePad && node.pads.some((pad) => pad !== 0)) {
      throw without(node, 'with borders left out');
    }
    const channels = this.#shapeOf(node.inputs[0]!)[1]!;
    const [height, width] = node.kernel;
    const weight = `${node.name}/share`;
    const ones = new Float32Array(channels * height * width).fill(1 / (height * width));
    this.#constants.set(weight, f32Tensor([channels, 1, height, width], ones));
    const { name, kernel, strides, pads, outputs } = node;
    const inputs = [node.inputs[0]!, weight, ''];
    const base = { name, kernel, strides, pads, inputs, outputs, dilations: [1, 1] } as const;
    return { op: 'Conv', ...base, group: channels };
  }

  /** The transposed convolution: zeros between the gradient's values, then the kernel rotated by 180 degrees. */
  #conv(node: ConvNode, gradient: string): void {
    const [input, weight] = node.inputs as [string, string];
    if (node.clamp !== undefined) throw without(node, 'with a clamp of its own');
    if (!this.#depends.has(input)) return;
    const kernel = this.#constants.get(weight);
    if (kernel === undefined || node.dilations.some((d) => d !== 1)) throw without(node, 'here');
    const [, , height = 1, width = 1] = this.#shapeOf(input);
    const spread = this.#spread(node, gradient);
    const [, , spreadHeight = 1, spreadWidth = 1] = this.#shapeOf(spread);
    const [kh, kw] = node.kernel;
    const [top, left] = [kh - 1 - node.pads[0], kw - 1 - node.pads[1]];
    const bottom = height + kh - 1 - spreadHeight - top;
    const right = width + kw - 1 - spreadWidth - left;
    const cut = [top, left, bottom, right].map((n) => Math.min(n, 0));
    const pads = [top, left, bottom, right].map((n) => Math.max(n, 0));
    const from = cut.every((n) => n === 0) ? spread : this.#pad(`${node.name}/cut`, spread, cut);
    const rotated = `${node.name}/rotated`;
    this.#constants.set(rotated, rotatedKernel(kernel, node.group));
    const back = {
      op: 'Conv',
      kernel: node.kernel,
      strides: [1, 1],
      pads: pads as [number, number, number, number],
      dilations: [1, 1],
      group: node.group,
    } as const;
    const name = `${node.name}/backward`;
    this.#nodes.push({ ...back, name, inputs: [from, rotated, ''], outputs: [name] });
    this.#shapes.set(name, this.#shapeOf(input));
    this.add(input, name);
  }

  #spread(node: ConvNode, gradient: string): string {
    const [sh, sw] = node.strides;
    if (sh === 1 && sw === 1) return gradient;
    const [, channels = 1, height = 1, width = 1] = this.#shapeOf(gradient);
    const name = `${node.name}/spread`;
    const apart = [1, channels, height, 1, width, 1];
    const wide = [1, channels, height, sh, width, sw];
    const flat = [1, channels, height * sh, width * sw];
    const nodes: [string, string, Shape, Node][] = [];
    const end = [0, 0, 0, sh - 1, 0, sw - 1];
    const [a, b] = [`${name}/apart`, `${name}/zeros`];
    const base = (to: string, from: string) => ({ name: to, inputs: [from], outputs: [to] });
    nodes.push([a, gradient, apart, { op: 'Reshape', ...base(a, gradient), shape: apart }]);
    const begin = [0, 0, 0, 0, 0, 0];
    nodes.push([b, a, wide, { op: 'Pad', ...base(b, a), begin, end, value: 0 }]);
    nodes.push([name, b, flat, { op: 'Reshape', ...base(name, b), shape: flat }]);
    for (const [to, , shape, made] of nodes) {
      this.#nodes.push(made);
      this.#shapes.set(to, shape);
    }
    return name;
  }

  /** @param amounts top, left, bottom, right */
  #pad(name: string, input: string, amounts: readonly number[]): string {
    const [top = 0, left = 0, bottom = 0, right = 0] = amounts;
    const [begin, end] = [
      [0, 0, top, left],
      [0, 0, bottom, right],
    ];
    this.#nodes.push({ op: 'Pad', name, inputs: [input], outputs: [name], begin, end, value: 0 });
    const [n = 1, c = 1, h = 1, w = 1] = this.#shapeOf(input);
    this.#shapes.set(name, [n, c, h + top + bottom, w + left + right]);
    return name;
  }

  #hand(
    node: Node,
    input: string,
    what: DistributiveOmit<Node, 'name' | 'inputs' | 'outputs'>,
    from: readonly string[],
  ): void {
    const place = node.inputs.indexOf(input);
    const name = `${node.name}/backward/${place}`;
    this.#nodes.push({ ...what, name, inputs: from, outputs: [name] });
    this.#shapes.set(name, this.#shapeOf(input));
    this.add(input, name);
  }

  /** A node whose output takes the broadcast shape of its inputs. */
  #push(
    name: string,
    what: DistributiveOmit<Node, 'name' | 'inputs' | 'outputs'>,
    inputs: readonly string[],
  ): string {
    this.#nodes.push({ ...what, name, inputs, outputs: [name] });
    const shape = inputs
      .map((input) => this.#shapeOf(input))
      .reduce((a, b) => broadcastShape(a, b)!);
    this.#shapes.set(name, shape);
    return name;
  }

  #sumOf(value: string): string | undefined {
    const [first, ...others] = this.#parts.get(value) ?? [];
    if (first === undefined) return undefined;
    return others.reduce(
      (sum, part, i) => this.#push(`${value}/gradient/${i}`, { op: 'Add' }, [sum, part]),
      first,
    );
  }

  #shapeOf(value: string): Shape {
    return this.#shapes.get(value) ?? this.#constants.get(value)!.shape;
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

const unit: Clamp = { lo: Float32Array.of(0), hi: Float32Array.of(1) };

function without(node: Node, which: string): ModelError {
  const what = `${node.op} has no gradient ${which}`.trimEnd();
  return new ModelError('no-gradient', `node "${node.name}"`, what);
}

/** [O, I/group, KH, KW] -> [I, O/group, KH, KW], each kernel rotated by 180 degrees. */
function rotatedKernel({ shape, data }: Tensor, groups: number): Tensor {
  const [outputs = 1, perGroup = 1, height = 1, width = 1] = shape;
  const outputsPerGroup = outputs / groups;
  const taps = height * width;
  const rotated = new Float32Array(elementCount(shape));
  for (let o = 0; o < outputs; o++) {
    const group = Math.floor(o / outputsPerGroup);
    for (let i = 0; i < perGroup; i++) {
      const from = (o * perGroup + i) * taps;
      const to = ((group * perGroup + i) * outputsPerGroup + (o % outputsPerGroup)) * taps;
      for (let t = 0; t < taps; t++) rotated[to + taps - 1 - t] = data[from + t]!;
    }
  }
  return f32Tensor([perGroup * groups, outputsPerGroup, height, width], rotated);
}

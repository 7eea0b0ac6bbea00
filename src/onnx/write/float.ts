// SPDX-License-Identifier: Apache-2.0
// Graph -> float ONNX, operator set 13: what the float reference runs, and what a user can open in
// a viewer. Every node keeps its name; a node's own clamp becomes a node behind it.
import { ModelError } from '../../errors.js';
import type { Clamp, GeluNode, Graph, Node, Tensor, Window } from '../../graph/graph.js';
import { f32Tensor, s64Tensor } from '../../graph/tensors.js';
import { encodeModel } from '../file/encode.js';
import { resizeAttributes } from '../file/resize-words.js';
import type { OnnxAttribute, OnnxModel, OnnxNode, OnnxTensor } from '../file/model.js';

export interface WriteOptions {
  /** Values (of inner nodes) that become extra outputs. */
  readonly taps?: readonly string[];
}

/**
 * Writes a float graph as an ONNX model.
 *
 * @returns the bytes of a .onnx file, operator set 13, IR version 7
 * @throws ModelError `missing-value` for a tap that the graph does not compute
 */
export function writeOnnx(graph: Graph, options: WriteOptions = {}): Uint8Array {
  return encodeModel(toOnnxModel(graph, options));
}

/** The same as {@link writeOnnx}, before encoding. */
export function toOnnxModel(graph: Graph, options: WriteOptions = {}): OnnxModel {
  const writer = new GraphWriter(graph);
  for (const node of graph.nodes) writer.write(node);
  return {
    irVersion: 7,
    opsets: new Map([['', 13]]),
    producer: { name: 'lastbit', version: '' },
    metadata: graph.metadata,
    graph: {
      name: graph.name === '' ? 'graph' : graph.name,
      nodes: writer.nodes,
      initializers: writer.initializers,
      inputs: graph.inputs,
      outputs: [...graph.outputs, ...tapInfos(graph, options.taps ?? [])],
      valueInfo: [],
    },
  };
}

function tapInfos(graph: Graph, taps: readonly string[]) {
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const inputs = new Set(graph.inputs.map((input) => input.name));
  return [...new Set(taps)]
    .filter((name) => !outputs.has(name))
    .map((name) => {
      const shape = graph.shapes.get(name);
      if (shape === undefined || inputs.has(name)) {
        const detail = 'is no value that a node computes; pick one that the graph dump shows';
        throw new ModelError('missing-value', `tap "${name}"`, detail);
      }
      return { name, dtype: 'f32' as const, shape };
    });
}

const ints = (value: readonly number[]): OnnxAttribute => ({ type: 'ints', value });
const int = (value: number): OnnxAttribute => ({ type: 'int', value });
const float = (value: number): OnnxAttribute => ({ type: 'float', value });

function windowAttributes(window: Window): [string, OnnxAttribute][] {
  return [
    ['kernel_shape', ints(window.kernel)],
    ['strides', ints(window.strides)],
    ['pads', ints(window.pads)],
  ];
}

class GraphWriter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: Map<string, OnnxTensor>;
  private readonly taken: Set<string>;
  private readonly shapes: Graph['shapes'];

  constructor(graph: Graph) {
    this.initializers = new Map(
      [...graph.constants].map(([name, tensor]) => [name, { name, ...tensor }]),
    );
    this.shapes = graph.shapes;
    this.taken = new Set([...graph.constants.keys(), ...graph.shapes.keys()]);
  }

  write(node: Node): void {
    const [output] = node.outputs;
    const clamp = node.op === 'Conv' || node.op === 'Add' ? node.clamp : undefined;
    if (clamp === undefined) {
      this.writePlain(node, output!);
      return;
    }
    const inner = this.fresh(`${output!}_linear`);
    this.writePlain(node, inner);
    this.writeClamp(`${node.name}/clamp`, inner, output!, clamp);
  }

  private writePlain(node: Node, output: string): void {
    switch (node.op) {
      case 'Conv':
        this.emit(node, 'Conv', output, [
          ...windowAttributes(node),
          ['dilations', ints(node.dilations)],
          ['group', int(node.group)],
        ]);
        return;
      case 'BatchNorm':
        this.emit(node, 'BatchNormalization', output, [['epsilon', float(node.epsilon)]]);
        return;
      case 'Gemm':
        this.emit(node, 'Gemm', output, [
          ['alpha', float(node.alpha)],
          ['beta', float(node.beta)],
          ['transA', int(Number(node.transA))],
          ['transB', int(Number(node.transB))],
        ]);
        return;
      case 'Clamp':
        this.writeClamp(node.name, node.inputs[0]!, output, node.clamp);
        return;
      case 'AveragePool':
        this.emit(node, 'AveragePool', output, [
          ...windowAttributes(node),
          ['count_include_pad', int(Number(node.countIncludePad))],
        ]);
        return;
      case 'MaxPool':
        this.emit(node, 'MaxPool', output, [
          ...windowAttributes(node),
          ['dilations', ints(node.dilations)],
        ]);
        return;
      case 'Concat':
      case 'Softmax':
        this.emit(node, node.op, output, [['axis', int(node.axis)]]);
        return;
      case 'Pad': {
        const amounts = this.constant(output, 'pads', s64Tensor([...node.begin, ...node.end]));
        const value = this.constant(output, 'value', f32Tensor([], [node.value]));
        this.push(node.name, 'Pad', [node.inputs[0]!, amounts, value], output);
        return;
      }
      case 'Resize': {
        const [, channels] = this.shapes.get(node.inputs[0]!)!;
        const sizes = this.constant(output, 'sizes', s64Tensor([1, channels!, ...node.size]));
        const attributes = Object.entries(resizeAttributes(node));
        this.push(node.name, 'Resize', [node.inputs[0]!, '', '', sizes], output, attributes);
        return;
      }
      case 'Reshape': {
        const shape = this.constant(output, 'shape', s64Tensor(node.shape));
        this.push(node.name, 'Reshape', [node.inputs[0]!, shape], output);
        return;
      }
      case 'Transpose':
        this.emit(node, 'Transpose', output, [['perm', ints(node.perm)]]);
        return;
      case 'ReduceMean':
        this.emit(node, 'ReduceMean', output, [
          ['axes', ints(node.axes)],
          ['keepdims', int(Number(node.keepDims))],
        ]);
        return;
      case 'Gelu':
        this.writeGelu(node, output);
        return;
      case 'HardSigmoid':
        this.writeHardSigmoid(node.name, node.inputs[0]!, output, node.alpha, node.beta);
        return;
      case 'HardSwish': {
        // The operator came with opset 14; its parts are older.
        const gate = this.fresh(`${output}_gate`);
        this.writeHardSigmoid(`${node.name}/gate`, node.inputs[0]!, gate, node.alpha, node.beta);
        this.push(node.name, 'Mul', [node.inputs[0]!, gate], output);
        return;
      }
      case 'GlobalAveragePool':
      case 'Add':
      case 'Identity':
      case 'Mul':
      case 'Sub':
      case 'Div':
      case 'MatMul':
      case 'Sigmoid':
        this.emit(node, node.op, output, []);
        return;
    }
  }

  /** 0.5 * x * (1 + share); the operator came with opset 20, its parts are older. */
  private writeGelu({ name, inputs: [input], approximate }: GeluNode, output: string): void {
    const x = input!;
    const step = (op: string, operands: readonly string[]): string => {
      const value = this.fresh(`${output}_${op}`);
      this.push(`${name}/${value}`, op, operands, value);
      return value;
    };
    const number = (what: string, value: number): string =>
      this.constant(output, what, f32Tensor([], [value]));
    const argument = (): string => {
      if (!approximate) return step('Mul', [x, number('root', Math.SQRT1_2)]);
      const cube = step('Mul', [step('Mul', [x, x]), x]);
      const bent = step('Add', [x, step('Mul', [cube, number('cubic', 0.044715)])]);
      return step('Mul', [bent, number('root', Math.sqrt(2 / Math.PI))]);
    };
    const share = step('Add', [step(approximate ? 'Tanh' : 'Erf', [argument()]), number('one', 1)]);
    this.push(name, 'Mul', [step('Mul', [x, number('half', 0.5)]), share], output);
  }

  private writeHardSigmoid(name: string, x: string, y: string, alpha: number, beta: number): void {
    this.push(name, 'HardSigmoid', [x], y, [
      ['alpha', float(alpha)],
      ['beta', float(beta)],
    ]);
  }

  /** One bound for the tensor: Clip. One per channel: Max and Min with [1,C,1,1]. */
  private writeClamp(name: string, x: string, y: string, { lo, hi }: Clamp): void {
    if (lo.length === 1 && hi.length === 1) {
      const bound = (what: string, value: number) =>
        Number.isFinite(value) ? this.constant(y, what, f32Tensor([], [value])) : '';
      const bounds = [bound('min', lo[0]!), bound('max', hi[0]!)];
      this.push(name, 'Clip', [x, ...bounds].slice(0, bounds[1] === '' ? 2 : 3), y);
      return;
    }
    const side = (what: string, values: Float32Array) =>
      this.constant(y, what, f32Tensor([1, values.length, 1, 1], values));
    const open = hi.every((bound) => bound === Infinity);
    const above = open
      ? y
      : lo.every((bound) => bound === -Infinity)
        ? x
        : this.fresh(`${y}_above`);
    if (above !== x) this.push(open ? name : `${name}/max`, 'Max', [x, side('min', lo)], above);
    if (!open) this.push(name, 'Min', [above, side('max', hi)], y);
  }

  private emit(node: Node, op: string, output: string, attributes: [string, OnnxAttribute][]) {
    const absent = node.inputs.at(-1) === '';
    this.push(node.name, op, absent ? node.inputs.slice(0, -1) : node.inputs, output, attributes);
  }

  private push(
    name: string,
    op: string,
    inputs: readonly string[],
    output: string,
    attributes: [string, OnnxAttribute][] = [],
  ): void {
    const outputs = [output];
    this.nodes.push({ name, op, domain: '', inputs, outputs, attributes: new Map(attributes) });
  }

  private constant(output: string, what: string, tensor: Tensor): string {
    const name = this.fresh(`${output}_${what}`);
    this.initializers.set(name, { name, ...tensor });
    return name;
  }

  private fresh(wanted: string): string {
    let name = wanted;
    for (let i = 2; this.taken.has(name); i++) name = `${wanted}_${i}`;
    this.taken.add(name);
    return name;
  }
}

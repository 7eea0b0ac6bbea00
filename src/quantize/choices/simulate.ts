// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../../errors.js';
import { resizingOf } from '../../graph/resizing.js';
import type { Clamp, Graph, Node, Tensor, ValueInfo } from '../../graph/graph.js';
import type {
  QuantConv,
  QuantGraph,
  QuantNode,
  QuantSoftmax,
  QuantUnary,
  QuantValue,
} from '../../graph/quant-graph.js';
import { biasScale } from '../codes/bias.js';
import { codeLimits } from '../codes/scales.js';

/**
 * 1.5 x 2^23: adding it to a float32 below 2^22 in magnitude and taking it away again rounds to
 * the nearest integer, ties to even. Beyond that it is off by a few, where every code saturates.
 */
const magic = 12582912;

/** The accumulator of a convolution in output steps, before rounding and clamp. */
export function accumulatorOf(conv: string): string {
  return `${conv}/accumulator`;
}

/** The input of `simulate`'s graph, in real units. */
export function realInputOf(input: string): string {
  return `${input}/real`;
}

/**
 * A float graph that computes what the quantized graph means: every value holds
 * `code - zeroPoint` of the value of the same name, rounded and saturated with float operators.
 * It differs from a target's integers only where a sum falls next to a tie; quantization uses it
 * to look at the effect of its choices without an integer engine.
 *
 * @throws ModelError for an operator without such a form
 */
export function simulate(quantGraph: QuantGraph): Graph {
  const builder = new Builder(quantGraph);
  const input = quantGraph.values.get(quantGraph.input)!;
  const real = realInputOf(input.name);
  builder.shape(real, input.shape);
  builder.scaled(real, `${input.name}/steps`, 1 / input.scale, input.shape);
  builder.finish(`${input.name}/steps`, input, undefined);
  for (const node of quantGraph.nodes) builder.node(node);
  return builder.graph({ name: real, dtype: 'f32', shape: input.shape });
}

class Builder {
  readonly #source: QuantGraph;
  readonly #nodes: Node[] = [];
  readonly #constants = new Map<string, Tensor>();
  readonly #shapes = new Map<string, readonly number[]>();

  constructor(source: QuantGraph) {
    this.#source = source;
  }

  graph(input: ValueInfo): Graph {
    return {
      name: `${this.#source.name}, simulated`,
      inputs: [input],
      outputs: this.#source.outputs.map((name) => ({
        name,
        dtype: 'f32',
        shape: this.#value(name).shape,
      })),
      nodes: this.#nodes,
      constants: this.#constants,
      shapes: this.#shapes,
      normalizations: new Map(),
      metadata: new Map(),
    };
  }

  shape(name: string, shape: readonly number[]): void {
    this.#shapes.set(name, shape);
  }

  /** output = input x factor */
  scaled(input: string, output: string, factor: number, shape: readonly number[]): void {
    const factorName = this.#scalar(`${output}/factor`, factor);
    this.#push(
      { op: 'Mul', name: `${output}/scale`, inputs: [input, factorName], outputs: [output] },
      shape,
    );
  }

  /** Rounds a value counted in steps and bounds it by the type and by the operator's clamp. */
  finish(steps: string, value: QuantValue, clamp: Clamp | undefined): void {
    const bounds = stepBounds(value, clamp);
    let rounded = steps;
    if (value.bits <= 16) {
      const constant = this.#scalar('round/magic', magic);
      const shifted = `${value.name}/shifted`;
      rounded = `${value.name}/rounded`;
      this.#push(
        { op: 'Add', name: shifted, inputs: [steps, constant], outputs: [shifted] },
        value.shape,
      );
      this.#push(
        { op: 'Sub', name: rounded, inputs: [shifted, constant], outputs: [rounded] },
        value.shape,
      );
    }
    this.#push(
      {
        op: 'Clamp',
        name: `${value.name}/saturate`,
        inputs: [rounded],
        outputs: [value.name],
        clamp: bounds,
      },
      value.shape,
    );
  }

  node(node: QuantNode): void {
    const output = this.#value(node.output);
    const input = this.#value(node.inputs[0]!);
    const steps = `${node.output}/steps`;
    switch (node.op) {
      case 'Conv':
        this.#conv(node, input, output);
        this.finish(accumulatorOf(node.name), output, node.clamp);
        return;
      case 'Add': {
        const other = this.#value(node.inputs[1]!);
        this.scaled(input.name, `${node.name}/a`, input.scale / output.scale, input.shape);
        this.scaled(other.name, `${node.name}/b`, other.scale / output.scale, other.shape);
        this.#push(
          {
            op: 'Add',
            name: node.name,
            inputs: [`${node.name}/a`, `${node.name}/b`],
            outputs: [steps],
          },
          output.shape,
        );
        this.finish(steps, output, node.clamp);
        return;
      }
      case 'Mul': {
        const other = this.#value(node.inputs[1]!);
        const factor = (input.scale * other.scale) / output.scale;
        this.scaled(input.name, `${node.name}/a`, factor, input.shape);
        this.#push(
          { op: 'Mul', name: node.name, inputs: [`${node.name}/a`, other.name], outputs: [steps] },
          output.shape,
        );
        this.finish(steps, output, node.clamp);
        return;
      }
      case 'AveragePool':
        this.#push(
          { ...node, inputs: [input.name], outputs: [steps], op: 'AveragePool' },
          output.shape,
        );
        this.finish(steps, output, node.clamp);
        return;
      case 'MaxPool':
        this.#push(
          { ...node, inputs: [input.name], outputs: [steps], op: 'MaxPool', dilations: [1, 1] },
          output.shape,
        );
        this.finish(steps, output, node.clamp);
        return;
      case 'GlobalAveragePool': {
        const mean = `${node.name}/mean`;
        this.#push(
          { op: 'GlobalAveragePool', name: node.name, inputs: [input.name], outputs: [mean] },
          output.shape,
        );
        this.scaled(mean, steps, input.scale / output.scale, output.shape);
        this.finish(steps, output, undefined);
        return;
      }
      case 'Concat':
        this.#push(
          { op: 'Concat', name: node.name, inputs: node.inputs, outputs: [node.output], axis: 1 },
          output.shape,
        );
        return;
      case 'Pad': {
        const [top, left, bottom, right] = node.pads;
        this.#push(
          {
            op: 'Pad',
            name: node.name,
            inputs: [input.name],
            outputs: [node.output],
            begin: [0, 0, top, left],
            end: [0, 0, bottom, right],
            value: 0,
          },
          output.shape,
        );
        return;
      }
      case 'Reshape':
        this.#push(
          {
            op: 'Reshape',
            name: node.name,
            inputs: [input.name],
            outputs: [node.output],
            shape: output.shape,
          },
          output.shape,
        );
        return;
      case 'Resize':
        this.#push(
          {
            op: 'Resize',
            name: node.name,
            inputs: [input.name],
            outputs: [steps],
            ...resizingOf(node),
          },
          output.shape,
        );
        this.finish(steps, output, undefined);
        return;
      case 'Requantize':
        this.scaled(input.name, steps, input.scale / output.scale, output.shape);
        this.finish(steps, output, node.clamp);
        return;
      case 'Softmax':
      case 'Sigmoid':
      case 'Gelu':
      case 'HardSigmoid':
      case 'HardSwish':
        this.#function(node, input, output);
        this.finish(steps, output, undefined);
        return;
      case 'LeakyRelu':
        throw new Error(`"${node.name}": float graphs have no LeakyRelu`);
    }
  }

  #conv(node: QuantConv, input: QuantValue, output: QuantValue): void {
    const weight = `${node.name}/weight`;
    const bias = `${node.name}/bias`;
    this.#constants.set(weight, {
      dtype: 'f32',
      shape: node.weight.shape,
      data: weightsInSteps(node, input.scale / output.scale),
    });
    this.#constants.set(bias, {
      dtype: 'f32',
      shape: [node.weight.shape[0]!],
      data: biasInSteps(node, input.scale, output.scale),
    });
    this.#push(
      {
        op: 'Conv',
        name: node.name,
        inputs: [input.name, weight, bias],
        outputs: [accumulatorOf(node.name)],
        kernel: node.kernel,
        strides: node.strides,
        pads: node.pads,
        dilations: node.dilations,
        group: node.group,
      },
      output.shape,
    );
  }

  #function(node: QuantSoftmax | QuantUnary, input: QuantValue, output: QuantValue): void {
    const real = `${node.name}/input`;
    const result = `${node.name}/result`;
    const base = { name: node.name, inputs: [real], outputs: [result] };
    const beta = node.op === 'Softmax' ? node.beta : 1;
    this.scaled(input.name, real, input.scale * beta, input.shape);
    if (node.op === 'Softmax') this.#push({ ...base, op: 'Softmax', axis: 1 }, output.shape);
    else if (node.op === 'Sigmoid') this.#push({ ...base, op: 'Sigmoid' }, output.shape);
    else if (node.op === 'Gelu') {
      const approximate = node.approximate ?? false;
      this.#push({ ...base, op: 'Gelu', approximate }, output.shape);
    } else if (node.op === 'HardSigmoid' || node.op === 'HardSwish') {
      const { alpha = 1 / 6, beta: offset = 0.5 } = node;
      this.#push({ ...base, op: node.op, alpha, beta: offset }, output.shape);
    }
    this.scaled(result, `${node.output}/steps`, 1 / output.scale, output.shape);
  }

  #value(name: string): QuantValue {
    const value = this.#source.values.get(name);
    if (value !== undefined) return value;
    throw new ModelError('no-quantization', `value "${name}"`, 'has no scale and zero point');
  }

  #scalar(name: string, value: number): string {
    this.#constants.set(name, { dtype: 'f32', shape: [1], data: Float32Array.of(value) });
    return name;
  }

  #push(node: Node, shape: readonly number[]): void {
    this.#nodes.push(node);
    this.#shapes.set(node.outputs[0]!, shape);
  }
}

function weightsInSteps(node: QuantConv, ratio: number): Float32Array {
  const { data, scales, zeroPoints } = node.weight;
  const size = data.length / scales.length;
  const zeroPointSize = data.length / zeroPoints.length;
  const steps = new Float32Array(data.length);
  // Loops, since layer after layer every weight passes here again.
  for (let first = 0; first < data.length; first += Math.min(size, zeroPointSize)) {
    const last = first + Math.min(size, zeroPointSize);
    const scale = scales[Math.floor(first / size)]!;
    const zeroPoint = zeroPoints[Math.floor(first / zeroPointSize)]!;
    for (let i = first; i < last; i++) steps[i] = (data[i]! - zeroPoint) * scale * ratio;
  }
  return steps;
}

function biasInSteps(node: QuantConv, inputScale: number, outputScale: number): Float32Array {
  const { scales, shape } = node.weight;
  const bias = new Float32Array(shape[0]!);
  if (node.bias === undefined) return bias;
  return bias.map((_, c) => {
    const weightScale = scales.length === 1 ? scales[0]! : scales[c]!;
    return (node.bias![c]! * biasScale(inputScale, weightScale)) / outputScale;
  });
}

/** The bounds of the type and of the clamp, as distances from the zero point in steps. */
function stepBounds(value: QuantValue, clamp: Clamp | undefined): Clamp {
  const [minCode, maxCode] = codeLimits(value.dtype, value.bits);
  const lo = clamp?.lo ?? Float32Array.of(-Infinity);
  const hi = clamp?.hi ?? Float32Array.of(Infinity);
  const bound = (real: number): number =>
    Math.min(
      maxCode - value.zeroPoint,
      Math.max(minCode - value.zeroPoint, Math.round(real / value.scale)),
    );
  return { lo: lo.map(bound), hi: hi.map(bound) };
}

// SPDX-License-Identifier: Apache-2.0
// What is known about the values of a quantized ONNX file while its nodes are read in order, and
// the quantized graph that grows from them.
import type { Budget } from '../../limits/budget.js';
import type { Clamp, Shape } from '../../graph/graph.js';
import { QuantAssembly } from '../../graph/quant-assembly.js';
import type { QuantNode, QuantValue } from '../../graph/quant-graph.js';
import { sameQuantization } from '../../graph/quant-types.js';
import { type FileFacts, withMarks } from '../../graph/file-facts.js';
import type { OnnxModel, OnnxNode, OnnxTensor } from '../file/model.js';
import { sameClamp } from './clamp-bounds.js';
import { realsOf, storedType } from './code-constants.js';
import { widened } from './float-types.js';
import type { BiasLoss, Known, Pending, Quantization } from './known.js';

/** Reads one operator: sets what is known of its outputs, or reports why it cannot. */
export type ReadOperator = (state: ImportState, node: OnnxNode) => void;

export class ImportState extends QuantAssembly {
  /** Name of the network's input. */
  input = '';
  /** Layers whose biases saturated. */
  readonly biasLosses: { readonly layer: string; readonly losses: readonly BiasLoss[] }[] = [];
  /** Convolutions that a batch norm was folded into. */
  readonly foldedNorms: string[] = [];
  private readonly known = new Map<string, Known>();
  private readonly consumers = new Map<string, OnnxNode[]>();
  private readonly outputs: ReadonlySet<string>;
  /** Values whose codes a Clip behind their QuantizeLinear bounds. */
  private readonly narrowed = new Set<string>();

  constructor(
    readonly model: OnnxModel,
    readonly facts: FileFacts,
    /** Pays for constants that are computed. */
    readonly budget: Budget,
  ) {
    super();
    for (const node of model.graph.nodes) {
      for (const input of node.inputs) {
        const list = this.consumers.get(input) ?? [];
        list.push(node);
        this.consumers.set(input, list);
      }
    }
    this.outputs = new Set(model.graph.outputs.map(({ name }) => name));
    for (const [name, tensor] of model.graph.initializers)
      this.set(name, { kind: 'constant', tensor: widened(tensor) });
  }

  set(name: string, known: Known): undefined {
    this.known.set(name, known);
  }

  /** `failed` for a name that nothing makes, which is reported. */
  get(node: OnnxNode, index: number): Known {
    const name = node.inputs[index] ?? '';
    const known = this.known.get(name);
    if (known !== undefined) return known;
    this.fail(node, 'missing-value', `input ${index} ("${name}") is made by nothing before it`);
    return { kind: 'failed' };
  }

  /** Operators that read a value. */
  readersOf(name: string): readonly string[] {
    return (this.consumers.get(name) ?? []).map(({ op }) => op);
  }

  /** What is known of a value, if anything. */
  peek(name: string): Known | undefined {
    return this.known.get(name);
  }

  /** A constant input; undefined where the input is absent or no constant. */
  constant(node: OnnxNode, index: number): OnnxTensor | undefined {
    const known = this.known.get(node.inputs[index] ?? '');
    return known?.kind === 'constant' ? known.tensor : undefined;
  }

  /** A constant input of codes: stored, or made by a QuantizeLinear of constants. */
  codesConstant(node: OnnxNode, index: number): OnnxTensor | undefined {
    const name = node.inputs[index] ?? '';
    const known = this.known.get(name);
    return known?.kind === 'constantCodes'
      ? { ...known.codes, name, dtype: storedType(known.codes) }
      : this.constant(node, index);
  }

  /** A constant input; a dequantized one with the float32 values that it stands for. */
  realConstant(node: OnnxNode, index: number): OnnxTensor | undefined {
    const name = node.inputs[index] ?? '';
    const known = this.known.get(name);
    return known?.kind === 'constantReal' ? realsOf(known.codes, name) : this.constant(node, index);
  }

  /** Reports a problem at `node` and marks its outputs, so that nothing is reported twice. */
  fail(node: OnnxNode, code: string, detail: string): undefined {
    this.problems.add(code, describe(node), detail);
    for (const output of node.outputs) this.set(output, { kind: 'failed' });
  }

  /** Marks the outputs of a node that failed for a reason reported before. */
  giveUp(node: OnnxNode): undefined {
    for (const output of node.outputs) {
      if (!this.known.has(output)) this.set(output, { kind: 'failed' });
    }
  }

  /** A name for the layer that `node` becomes. */
  layerName(node: OnnxNode): string {
    const wanted = node.name === '' ? (node.outputs[0] ?? node.op) : node.name;
    return this.claimLayer(wanted);
  }

  /**
   * Adds a layer, with what the metadata says of it: marks, and the clamp that its saturation stands
   * for.
   */
  override add(node: QuantNode): void {
    const clamp = this.facts.clamps.get(node.name);
    const takes = clamp !== undefined && clampingOps.has(node.op) && !('clamp' in node);
    super.add(withMarks(takes ? ({ ...node, clamp } as QuantNode) : node, this.facts.marks));
  }

  addValue(value: QuantValue): QuantValue {
    let { name } = value;
    for (let n = 2; this.values.has(name); n++) name = `${value.name}#${n}`;
    const unique = { ...value, name };
    this.values.set(name, unique);
    return unique;
  }

  /** Gives a value fewer bits; nothing else may stand for it from then on. */
  narrow(value: QuantValue): QuantValue {
    this.values.set(value.name, value);
    this.narrowed.add(value.name);
    return value;
  }

  /** Whether one node reads these codes, and no other quantization of what they were made from is. */
  isOnlyReader(codes: string): boolean {
    if (this.outputs.has(codes) || this.readersOf(codes).length !== 1) return false;
    const maker = this.model.graph.nodes.find(({ outputs }) => outputs.includes(codes));
    const readers = maker?.op === 'QuantizeLinear' ? this.readersOf(maker.inputs[0]!) : [];
    return readers.filter((op) => op === 'QuantizeLinear').length <= 1;
  }

  value(name: string): QuantValue {
    return this.values.get(name)!;
  }

  /**
   * The name of the value whose codes the tensor `codes` holds: what the network calls it at its
   * end, or else the tensor that was quantized.
   */
  valueName(quantized: string, codes: string): string {
    for (const consumer of this.consumers.get(codes) ?? []) {
      const output = consumer.outputs[0]!;
      if (consumer.op === 'DequantizeLinear' && this.outputs.has(output)) return output;
    }
    return quantized;
  }

  /** The value that a clamp's result will be: follows its quantization, however it is spelled. */
  futureValueName(tensor: string): string {
    let codes = tensor;
    for (const ops of [['QuantizeLinear', 'Div'], ['Round'], ['Cast']]) {
      const next = this.consumers.get(codes)?.[0];
      if (next === undefined || !ops.includes(next.op)) return tensor;
      codes = next.outputs[0]!;
      if (next.op === 'QuantizeLinear' || next.op === 'Cast') return this.valueName(tensor, codes);
    }
    return tensor;
  }

  makeValue(name: string, shape: Shape, quantization: Quantization): QuantValue {
    const bits = this.facts.activationBits.get(name) ?? quantization.bits;
    const { dtype, scale, zeroPoint } = quantization;
    return this.addValue({ name, shape, dtype, bits, scale, zeroPoint });
  }

  /**
   * An activation input as a quantized value. Values that only moved codes are settled here.
   * Undefined where the input is not quantized, which is reported.
   */
  activation(node: OnnxNode, index: number): QuantValue | undefined {
    const known = this.get(node, index);
    const tensor = node.inputs[index]!;
    switch (known.kind) {
      case 'codes':
      case 'real':
        return this.value(known.value);
      case 'pending':
        return this.settle(node, tensor, known.pending);
      case 'failed':
        break;
      case 'input':
        this.fail(node, 'float-layer', `it reads the input "${tensor}" in float; ${wayOut}`);
        break;
      case 'tail':
        this.problems.add('float-layer', `node "${known.node}"`, unquantized(node));
        break;
      case 'scaled':
      case 'quotient':
      case 'sums':
        this.fail(node, 'float-layer', `its input "${tensor}" is not quantized; ${wayOut}`);
        break;
      case 'constant':
      case 'constantCodes':
      case 'constantReal':
        this.fail(node, 'unsupported-constant', `its input "${tensor}" is a constant; fold it`);
        break;
    }
    this.giveUp(node);
    return undefined;
  }

  private settle(node: OnnxNode, tensor: string, pending: Pending): QuantValue | undefined {
    if (pending.inherits !== undefined && pending.clamp === undefined) {
      const name = this.valueName(tensor, tensor);
      const value = this.quantize(node, tensor, pending, this.value(pending.inherits), name);
      if (value !== undefined) this.set(tensor, { kind: 'real', value: value.name });
      return value;
    }
    if (pending.fate.reported !== true) {
      this.problems.add('float-layer', `node "${pending.name}"`, unquantized(node));
      pending.fate.reported = true;
    }
    this.giveUp(node);
    return undefined;
  }

  /**
   * Gives a pending layer its output quantization and adds it to the graph, once.
   *
   * @param node the node that asks for it
   * @param name the value's name
   */
  quantize(
    node: OnnxNode,
    tensor: string,
    pending: Pending,
    quantization: Quantization,
    name: string,
  ): QuantValue | undefined {
    const { fate, clamp, shape } = pending;
    if (fate.value !== undefined) {
      const before = this.value(fate.value);
      const isSame = sameQuantization(before, quantization) && sameClamp(fate.clamp, clamp);
      if (isSame && !this.narrowed.has(before.name)) return before;
      this.fail(
        node,
        'conflicting-quantization',
        `"${tensor}" of layer "${pending.name}" is quantized in two ways; give all its readers one scale, zero point and clamp`,
      );
      return undefined;
    }
    const { inherits, movesOnly } = pending;
    const kept = inherits === undefined ? undefined : this.value(inherits);
    const direct =
      (movesOnly !== true || kept === undefined || sameQuantization(kept, quantization)) &&
      (clamp === undefined || pending.takesClamp);
    let value: QuantValue;
    if (direct) {
      value = this.makeValue(name, shape, quantization);
      pending.emit(value, clamp);
    } else {
      // What the layer cannot do itself, another quantization or a clamp, is a layer of its own.
      const own = movesOnly === true && kept !== undefined ? kept : quantization;
      const moved = this.makeValue(`${name}/before`, shape, own);
      pending.emit(moved, undefined);
      value = this.makeValue(name, shape, quantization);
      this.add({
        op: 'Requantize',
        name: this.claimLayer(`${pending.name}/requantize`),
        inputs: [moved.name],
        output: value.name,
        ...(clamp === undefined ? {} : { clamp }),
      });
    }
    fate.value = value.name;
    fate.clamp = clamp;
    return value;
  }

  /** Makes `output` of `node` a pending layer. */
  pend(node: OnnxNode, pending: Omit<Pending, 'fate' | 'clamp'>, clamp?: Clamp): undefined {
    this.set(node.outputs[0]!, { kind: 'pending', pending: { ...pending, clamp, fate: {} } });
  }
}

const clampingOps: ReadonlySet<QuantNode['op']> = new Set([
  'Conv',
  'Add',
  'Mul',
  'AveragePool',
  'MaxPool',
]);

/** How errors call a node. */
function describe(node: OnnxNode): string {
  return `node "${node.name === '' ? (node.outputs[0] ?? '') : node.name}" (${node.op})`;
}

export const wayOut =
  'quantize the whole network without excluded nodes, for example with `lastbit quantize` on the float model';

function unquantized(reader: OnnxNode): string {
  return `its result reaches ${describe(reader)} without QuantizeLinear/DequantizeLinear, so it would run in float between integer layers; ${wayOut}`;
}

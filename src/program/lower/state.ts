// SPDX-License-Identifier: Apache-2.0
import type { QuantGraph, QuantNode, QuantValue } from '../../graph/quant-graph.js';
import { codeLimits } from '../../numeric/code-types.js';
import type { TargetSpec } from '../../targets/target.js';
import type { Op, ProgramTensor } from '../program.js';
import { Refusal, type Violations } from './violations.js';

/** A value's image: [1, C, H, W] as it is, [1, C] and [C] as one pixel. */
export function imageOf(
  value: Pick<QuantValue, 'shape'>,
): Pick<ProgramTensor, 'height' | 'width' | 'channels'> | undefined {
  const { shape } = value;
  const [first = 1, channels = first, height = 1, width = 1] = shape;
  if (shape.length > 4 || (shape.length > 1 && first !== 1)) return undefined;
  return { height, width, channels };
}

/** What a caller wants beyond the target's arithmetic. */
export interface LowerOptions {
  /**
   * Layers over flattened images read rows even where the order of their sums changes nothing, so
   * that operation i is the same layer in the programs of all targets.
   */
  readonly rows?: boolean | undefined;
}

/** The program under construction. */
export class LoweringState {
  readonly tensors: ProgramTensor[] = [];
  readonly ops: Op[] = [];
  /** Tensor index by value name. */
  private readonly written = new Map<string, number>();
  /** What the target leaves out of the network, one sentence each. */
  readonly omissions: string[] = [];
  /** Values that an earlier one stands for, because what was between them is left out. */
  private readonly stoodFor = new Set<string>();
  /** Flattened values (see `move.ts`) and the image that each one stands for. */
  readonly flattened = new Map<string, QuantValue>();

  constructor(
    readonly graph: QuantGraph,
    readonly target: TargetSpec,
    readonly violations: Violations,
    readonly options: LowerOptions = {},
  ) {}

  /** @throws Refusal after recording why this node cannot be represented */
  refuse(node: QuantNode, reason: string): never {
    this.violations.add(reason, `node "${node.name}"`);
    throw new Refusal(reason);
  }

  value(name: string): QuantValue {
    return this.graph.values.get(name)!;
  }

  /** Whether a tensor holds a value. */
  isWritten(name: string): boolean {
    return this.written.has(name);
  }

  /** Index of the tensor that holds a value. */
  read(node: QuantNode, name: string): number {
    const index = this.written.get(name);
    if (index !== undefined) return index;
    if (this.flattened.has(name)) {
      this.refuse(
        node,
        `reads a flattened image, which only fully connected layers can; keep C x H x W`,
      );
    }
    throw new Refusal(`"${name}" was refused before`);
  }

  /** Lets the tensor of one value stand for another, which nothing writes. */
  standIn(node: QuantNode, name: string): void {
    this.written.set(node.output, this.read(node, name));
    this.stoodFor.add(node.output);
  }

  isStoodFor(name: string): boolean {
    return this.stoodFor.has(name);
  }

  /** The tensor of one of the network's outputs. */
  outputTensor(name: string): number {
    return this.written.get(name) ?? -1;
  }

  /** The tensor of a value that is about to be written. */
  write(name: string): number {
    const index = this.append(this.value(name), name);
    this.written.set(name, index);
    return index;
  }

  /** A tensor with the quantization of one value and the image of another. */
  append(quantization: QuantValue, name: string, image: QuantValue = quantization): number {
    const { dtype, scale, zeroPoint } = quantization;
    const { height, width, channels } = imageOf(image) ?? { height: 1, width: 1, channels: 1 };
    this.tensors.push({ name, dtype, height, width, channels, zeroPoint, scale });
    return this.tensors.length - 1;
  }
}

/** Least and greatest code that a value uses. */
export function limitsOf({ dtype, bits }: QuantValue): readonly [least: number, greatest: number] {
  return codeLimits(dtype, bits);
}

// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';

import type { TrapOperands } from '../analyze/index.js';
import type { LoadedSample, Preprocessing } from '../data/index.js';
import { Engine } from '../engine/engine.js';
import type { EngineInput } from '../engine/input.js';
import type { Codes } from '../numeric/code-types.js';
import type { CodeTensor, RunResult } from '../program/executor.js';
import { pixelTable, quantizeInput } from '../program/input.js';
import { allocate } from '../program/interpret.js';
import type { Program } from '../program/program.js';
import type { TensorFacts, TrapFacts } from '../report/index.js';

/** Runs a program on samples, however their input came. */
export interface SampleExecutor {
  run(sample: LoadedSample, taps?: 'all' | readonly string[]): Promise<RunResult>;
  /** The codes that `run` starts from. */
  codesOf(sample: LoadedSample): Codes;
  close(): void;
}

/**
 * Opens the native engine on a program. Pixels become codes by a table made with the target's own
 * input quantization, so the result is that of the preprocessed reals, to the bit.
 */
export function openExecutor(
  program: Program,
  preprocessing: () => Preprocessing,
  options: { readonly threads?: number | undefined } = {},
): SampleExecutor {
  const engine = Engine.load(program, { threads: options.threads ?? 1 });
  const tableOf = lazily(() => pixelTable(program, preprocessing().preset.value));
  const inputOf = (sample: LoadedSample): EngineInput => {
    const { codes, pixels } = sample;
    return codes ?? (pixels ? { pixels, table: tableOf() } : sample.input);
  };
  return {
    codesOf: inputEncoder(program, preprocessing),
    run: (sample, taps = []) => engine.run(inputOf(sample), { taps }),
    close: () => {
      engine.close();
    },
  };
}

/** How a program's input codes come from a sample, under its target's input quantization. */
export function inputEncoder(
  program: Program,
  preprocessing: () => Preprocessing,
): (sample: LoadedSample) => Codes {
  const tableOf = lazily(() => pixelTable(program, preprocessing().preset.value));
  return (sample) => {
    if (sample.codes) return sample.codes;
    if (!sample.pixels) return quantizeInput(program, sample.input);
    return byTable(program, sample.pixels, tableOf());
  };
}

/** What `make` makes, made when it is first asked for: the preprocessing is known only then. */
function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function byTable(program: Program, pixels: Uint8Array, table: Int32Array): Codes {
  const input = program.tensors[program.input]!;
  const codes = allocate(input);
  for (let i = 0; i < codes.length; i += input.channels) {
    for (let c = 0; c < input.channels; c++) codes[i + c] = table[c * 256 + pixels[i + c]!]!;
  }
  return codes;
}

/** A tensor's name, NHWC shape, type and hash. */
export function tensorFacts(tensor: CodeTensor): TensorFacts {
  const { name, dtype, height, width, channels } = tensor;
  return { name, dtype, shape: [1, height, width, channels], sha256: hashOfNumbers(tensor.data) };
}

/** A trap for a document. */
export function trapFacts(
  { trap }: Pick<RunResult, 'trap'>,
  operands?: TrapOperands,
): { trap?: TrapFacts } {
  if (!trap) return {};
  const { layer, element, value } = trap;
  const facts = { layer, element, value: value.toString() };
  if (!operands) return { trap: facts };
  return { trap: { ...facts, position: operands.position, operands: inWords(operands) } };
}

function inWords({ sum, added }: TrapOperands): string {
  if (sum === undefined) return 'bias and all products';
  if (added.kind !== 'product') return `${sum} + bias ${added.value}`;
  const { input, weight, at } = added;
  return `${sum} + ${input} * ${weight} (input at y ${at[0]}, x ${at[1]}, channel ${at[2]}, less its zero point, times the weight)`;
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Of an array's numbers, little-endian, in their order; hex. */
export function hashOfNumbers({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  return sha256(new Uint8Array(buffer, byteOffset, byteLength));
}

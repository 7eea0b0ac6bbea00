// SPDX-License-Identifier: Apache-2.0
// The integer program, executed as NOTES.md defines it: the meaning of every other executor.
import { UsageError } from '../errors.js';
import { type Codes, type CodeType, codeTypes, codeArrays } from '../numeric/code-types.js';
import type { CodeTensor, RunOptions, RunResult, Trap } from './executor.js';
import { add, mul } from './interpret/add.js';
import { conv, type TrapSite } from './interpret/conv.js';
import { concat, lut, pad, splice } from './interpret/move.js';
import { averagePool, maxPool } from './interpret/pool.js';
import { resize } from './interpret/resize.js';
import { softmax } from './interpret/softmax.js';
import type { Op, Program, ProgramTensor } from './program.js';

/**
 * Runs a program that `decode` or `lower` made.
 *
 * @param input NHWC codes of the input tensor, of its type
 * @param options.taps 'all' for what every operation writes, or names of operations or tensors
 * @returns outputs in program order. After a trap: no outputs, and the taps written before it.
 * @throws UsageError for a wrong number or type of input codes, or an unknown tap
 */
export function interpret(program: Program, input: Codes, options: RunOptions = {}): RunResult {
  const wanted = tappedTensors(program, options.taps ?? []);
  const codes = new Map([[program.input, checkedInput(program, input)]]);
  let trap: Trap | undefined;
  for (const op of program.ops) {
    const result = allocate(program.tensors[op.output]!);
    const site = execute(program, op, codes, result);
    if (site !== undefined) {
      trap = { layer: op.name, ...site };
      break;
    }
    codes.set(op.output, result);
  }
  const view = (index: number) => codeTensor(program.tensors[index]!, codes.get(index)!);
  const taps = wanted.filter((index) => codes.has(index)).map(view);
  return {
    outputs: trap === undefined ? program.outputs.map(view) : [],
    taps: new Map(taps.map((tensor) => [tensor.name, tensor])),
    ...(trap === undefined ? {} : { trap }),
  };
}

function execute(
  program: Program,
  op: Op,
  codes: ReadonlyMap<number, Codes>,
  y: Codes,
): TrapSite | undefined {
  const inputs = op.inputs.map((index) => program.tensors[index]!);
  const xs = op.inputs.map((index) => codes.get(index)!);
  const [input, other] = inputs as [ProgramTensor, ProgramTensor];
  const [x, w] = xs as [Codes, Codes];
  const output = program.tensors[op.output]!;
  switch (op.op) {
    case 'conv':
      return conv(op, input, output, x, y);
    case 'add':
      add(op, [input, other], output, x, w, y);
      break;
    case 'mul':
      mul(op, [input, other], output, x, w, y);
      break;
    case 'averagePool':
      averagePool(op, input, output, x, y);
      break;
    case 'maxPool':
      maxPool(op, input, output, x, y);
      break;
    case 'concat':
      concat(inputs, output, xs, y);
      break;
    case 'pad':
      pad(op, input, output, x, y);
      break;
    case 'reshape':
      y.set(x);
      break;
    case 'lut':
      lut(op, input, x, y);
      break;
    case 'softmax':
      softmax(op, output, x, y);
      break;
    case 'splice':
      splice(op, x, w, y);
      break;
    case 'resize':
      resize(op, input, output, x, y);
      break;
  }
  return undefined;
}

/** Zeros for all codes of a tensor, in an array of its type. */
export function allocate(tensor: ProgramTensor): Codes {
  return new codeArrays[tensor.dtype](tensor.height * tensor.width * tensor.channels);
}

function codeTensor(tensor: ProgramTensor, data: Codes): CodeTensor {
  const { name, dtype, height, width, channels, scale, zeroPoint } = tensor;
  return { name, dtype, height, width, channels, data, scale, zeroPoint };
}

function checkedInput(program: Program, input: Codes): Codes {
  const tensor = program.tensors[program.input]!;
  const expected = tensor.height * tensor.width * tensor.channels;
  const type = typeOf(input);
  if (type !== tensor.dtype || input.length !== expected) {
    throw new UsageError(
      'input-codes',
      `input "${tensor.name}"`,
      `expected ${expected} codes of ${tensor.dtype} (${tensor.height} x ${tensor.width} x ` +
        `${tensor.channels}, NHWC), got ${input.length} of ${type}; quantizeInput makes them from reals`,
    );
  }
  return input;
}

function typeOf(codes: Codes): CodeType {
  return codeTypes.find((type) => codes.constructor.name === codeArrays[type].name)!;
}

/** Indices of the tensors that `taps` names, in program order. */
function tappedTensors(program: Program, taps: 'all' | readonly string[]): number[] {
  const written = program.ops.map((op) => op.output);
  if (taps === 'all') return written;
  const names = new Map<string, number>([
    ...program.ops.map((op) => [op.name, op.output] as const),
    ...[program.input, ...written].map((i) => [program.tensors[i]!.name, i] as const),
  ]);
  const wanted = new Set(
    taps.map((name) => {
      const index = names.get(name);
      if (index !== undefined) return index;
      throw new UsageError(
        'unknown-tap',
        `tap "${name}"`,
        `expected the name of an operation or a tensor, such as ${[...names.keys()].slice(0, 8).join(', ')}`,
      );
    }),
  );
  return [program.input, ...written].filter((index) => wanted.has(index));
}

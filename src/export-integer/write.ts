// SPDX-License-Identifier: Apache-2.0
// An integer program as an ONNX graph of standard operators that are exact in every runtime; the
// reverse, a program from such a graph, does not exist. NOTES.md beside the folder says how.
import { OnnxBuilder } from '../onnx/file/builder.js';
import { encodeModel } from '../onnx/file/encode.js';
import type { OnnxModel, OnnxValueInfo } from '../onnx/file/model.js';
import type { Op, Program } from '../program/program.js';
import { writeConv } from './conv.js';
import { writeAdd, writeMul } from './elementwise.js';
import { realShape, writeInput, writeReal } from './input.js';
import { writeConcat, writeLut, writePad, writeReshape, writeSplice } from './move.js';
import { writeAveragePool, writeMaxPool } from './pool.js';
import { writeResize } from './resize.js';
import { writeSoftmax } from './softmax.js';
import { type CodesTensor, type Shared, Steps } from './steps.js';

/** The metadata key that tells such a file from a float network. */
export const formKey = 'lastbit.form';

/**
 * Writes a program as ONNX, operator set 13, without domains of anyone's own. Any runtime that
 * follows the operators' definitions gets the program's codes, to the bit.
 *
 * The input and the outputs are float32 as in the other forms, so that files can take each other's
 * place: the input X [1, C, H, W], an output Y [1, C], or [1, C, H, W] where it is an image. The
 * codes of outputs, `Y_codes`, are outputs too. All other tensors of the program keep their names.
 *
 * @returns the bytes of an .onnx file
 * @throws ModelError `no-integer-form` for an operation that no standard operators compute exactly
 */
export function writeInteger(program: Program): Uint8Array {
  return encodeModel(toIntegerModel(program));
}

/** The model that {@link writeInteger} encodes. */
export function toIntegerModel(program: Program): OnnxModel {
  const file = new OnnxBuilder(
    program.tensors.map(({ name }) => name),
    program.ops.map(({ name }) => name),
  );
  const { target, tensors } = program;
  const shared: Shared = { file, target, constants: new Map(), derived: new Map() };
  const codes = codeTensors(program, file);
  const input = tensors[program.input]!;
  writeInput(new Steps(shared, input.name, 'input'), program, input.name, codes[program.input]!);
  for (const op of program.ops) writeOp(new Steps(shared, op.name, op.op), op, codes);
  return {
    irVersion: 7,
    opsets: new Map([['', 13]]),
    producer: { name: 'lastbit', version: program.metadata['lastbit.version'] ?? '' },
    metadata: new Map([
      ...Object.entries(program.metadata),
      ['lastbit.target', target],
      [formKey, 'integer'],
    ]),
    graph: {
      name: 'integer',
      inputs: [floatInfo(input.name, imageShape(codes[program.input]!))],
      outputs: writeOutputs(program, shared, codes),
      nodes: file.nodes,
      initializers: file.initializers,
      valueInfo: inner(program).map((index) => codesInfo(codes[index]!)),
    },
  };
}

/** Tensors that are neither the input nor an output. */
function inner({ tensors, input, outputs }: Program): readonly number[] {
  return tensors.map((_, index) => index).filter((i) => i !== input && !outputs.includes(i));
}

/** The input's and the outputs' own names mean real numbers. */
function codeTensors(program: Program, file: OnnxBuilder): readonly CodesTensor[] {
  const plain = new Set(inner(program));
  return program.tensors.map(({ name, ...facts }, index) => ({
    ...facts,
    tensor: plain.has(index) ? name : file.value(`${name}_codes`),
  }));
}

function writeOutputs(
  { tensors, input, outputs }: Program,
  shared: Shared,
  codes: readonly CodesTensor[],
): readonly OnnxValueInfo[] {
  const unique = [...new Set(outputs)];
  const reals = unique.map((index) => {
    const { name, scale } = tensors[index]!;
    const real = index === input ? shared.file.value(`${name}_real`) : name;
    writeReal(new Steps(shared, name, 'output'), codes[index]!, scale, real);
    return floatInfo(real, realShape(codes[index]!));
  });
  return [...reals, ...unique.map((index) => codesInfo(codes[index]!))];
}

function floatInfo(name: string, shape: readonly number[]): OnnxValueInfo {
  return { name, dtype: 'f32', shape };
}

function codesInfo(codes: CodesTensor): OnnxValueInfo {
  return { name: codes.tensor, dtype: codes.dtype, shape: imageShape(codes) };
}

function imageShape({ height, width, channels }: CodesTensor): readonly number[] {
  return [1, channels, height, width];
}

function writeOp(steps: Steps, op: Op, codes: readonly CodesTensor[]): void {
  const inputs = op.inputs.map((index) => codes[index]!);
  const [first, second] = inputs as [CodesTensor, CodesTensor];
  const output = codes[op.output]!;
  switch (op.op) {
    case 'conv':
      writeConv(steps, op, first, output);
      return;
    case 'add':
      writeAdd(steps, op, [first, second], output);
      return;
    case 'mul':
      writeMul(steps, op, [first, second], output);
      return;
    case 'averagePool':
      writeAveragePool(steps, op, first, output);
      return;
    case 'maxPool':
      writeMaxPool(steps, op, first, output);
      return;
    case 'concat':
      writeConcat(steps, inputs, output);
      return;
    case 'pad':
      writePad(steps, op, first, output);
      return;
    case 'reshape':
      writeReshape(steps, first, output);
      return;
    case 'lut':
      writeLut(steps, op, first, output);
      return;
    case 'softmax':
      writeSoftmax(steps, op, first, output);
      return;
    case 'splice':
      writeSplice(steps, op, [first, second], output);
      return;
    case 'resize':
      writeResize(steps, op, first, output);
  }
}

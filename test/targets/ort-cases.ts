// SPDX-License-Identifier: Apache-2.0
// One-operator ONNX files with codes on both sides, and what onnxruntime computes of one input each
// (test/oracles/ort_*_goldens.py). Codes are NHWC.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Engine } from '../../src/engine/engine.js';
import { readOnnx } from '../../src/onnx/file/reader.js';
import { importQuantized } from '../../src/onnx/quantized/import.js';
import { interpret } from '../../src/program/interpret.js';
import { lower } from '../../src/program/lower.js';
import type { Program } from '../../src/program/program.js';
import { findTarget } from '../../src/targets/index.js';

export interface OrtCase {
  readonly model: string;
  readonly input: string;
  readonly expected: string;
}

/** The cases of a file of test/golden/hardware. */
export function ortCases(file: string): readonly OrtCase[] {
  const text = readFileSync(join(__dirname, '../golden/hardware', file), 'utf8');
  return (JSON.parse(text) as { readonly cases: readonly OrtCase[] }).cases;
}

const decode = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));

function codes(text: string, program: Program): Uint8Array | Int8Array {
  const bytes = decode(text);
  return program.tensors[program.input]!.dtype === 's8' ? new Int8Array(bytes.buffer) : bytes;
}

/** Codes that interpreter and engine have otherwise than the runtime, over all cases. */
export function countWrong(
  cases: readonly OrtCase[],
  alter: (program: Program) => Program = (program) => program,
) {
  const total = { codes: 0, interpreted: 0, native: 0 };
  for (const { model, input, expected } of cases) {
    const graph = importQuantized(readOnnx(decode(model)));
    const program = alter(lower(graph, findTarget('onnxruntime')));
    const [from, want] = [codes(input, program), codes(expected, program)];
    const wrong = (got: ArrayLike<number>) => want.filter((code, i) => got[i] !== code).length;
    const engine = Engine.load(program);
    total.codes += want.length;
    total.interpreted += wrong(interpret(program, from).outputs[0]!.data);
    total.native += wrong(engine.runSync(from).outputs[0]!.data);
    engine.close();
  }
  return total;
}

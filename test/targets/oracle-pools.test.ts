// SPDX-License-Identifier: Apache-2.0
// onnxruntime's integer average pools over windows and over whole images, u8 and s8, ties included
// (test/oracles/ort_pool_goldens.py).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Engine } from '../../src/engine/engine.js';
import { readOnnx } from '../../src/onnx/file/reader.js';
import { importQuantized } from '../../src/onnx/quantized/import.js';
import { interpret } from '../../src/program/interpret.js';
import { lower } from '../../src/program/lower.js';
import type { Program } from '../../src/program/program.js';
import { findTarget } from '../../src/targets/index.js';

interface Case {
  readonly model: string;
  readonly input: string;
  readonly expected: string;
}

const file = join(__dirname, '../golden/hardware/ort-pools.json');
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { readonly cases: readonly Case[] };

const decode = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));

function codes(text: string, program: Program): Uint8Array | Int8Array {
  const bytes = decode(text);
  return program.tensors[program.input]!.dtype === 's8' ? new Int8Array(bytes.buffer) : bytes;
}

/** Codes that interpreter and engine have otherwise than the runtime, over all cases. */
function count(alter: (program: Program) => Program) {
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

test('every code of 120 pools', () => {
  const { codes: all, ...wrong } = count((program) => program);
  expect(wrong).toEqual({ interpreted: 0, native: 0 });
  expect(all).toBeGreaterThan(13_000);
});

test('a scale that is off by its last bit shows', () => {
  const { native } = count((program) => ({
    ...program,
    ops: program.ops.map((op) =>
      op.op === 'averagePool' && op.form.kind === 'f32Window'
        ? { ...op, form: { ...op.form, scaleOut: Math.fround(op.form.scaleOut * (1 + 2 ** -20)) } }
        : op,
    ),
  }));
  expect(native).toBeGreaterThan(10);
});

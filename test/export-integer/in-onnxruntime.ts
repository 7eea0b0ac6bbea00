// SPDX-License-Identifier: Apache-2.0
// An integer file in onnxruntime, every tensor of it, beside the definition of its program.
import * as ort from 'onnxruntime-node';

import { encodeModel } from '../../src/onnx/file/encode.js';
import { toIntegerModel } from '../../src/export-integer/write.js';
import type { OnnxModel } from '../../src/onnx/file/model.js';
import type { Codes } from '../../src/numeric/code-types.js';
import type { RunResult } from '../../src/program/executor.js';
import { interpret } from '../../src/program/interpret.js';
import type { Program } from '../../src/program/program.js';

export interface Comparison {
  readonly compared: number;
  /** In words; empty if all values agree. */
  readonly differing: readonly string[];
}

/** A tensor of the program as the file's: NHWC to NCHW. */
function toNchw(codes: Codes, channels: number): number[] {
  const pixels = codes.length / channels;
  return Array.from(codes, (_, i) => codes[(i % pixels) * channels + Math.floor(i / pixels)]!);
}

/** Reals that the input's quantization turns into these codes. */
export function realsOf(program: Program, codes: Codes): Float32Array {
  const { scale, zeroPoint, channels } = program.tensors[program.input]!;
  return Float32Array.from(toNchw(codes, channels), (code) => (code - zeroPoint) * scale);
}

/** The model with every tensor of the program as an output. */
function withTaps(model: OnnxModel, program: Program): OnnxModel {
  const { name, dtype, channels, height, width } = program.tensors[program.input]!;
  const input = { name: `${name}_codes`, dtype, shape: [1, channels, height, width] };
  const known = new Set(model.graph.outputs.map((output) => output.name));
  const taps = [input, ...model.graph.valueInfo].filter((tap) => !known.has(tap.name));
  const outputs = [...model.graph.outputs, ...taps];
  return { ...model, graph: { ...model.graph, outputs, valueInfo: [] } };
}

/** What defines a program's tensors, for one image. */
export type Executor = (program: Program, codes: Codes) => RunResult;

const definition: Executor = (program, codes) => interpret(program, codes, { taps: 'all' });

/** The tensors of a file, NCHW, as a program's executor says they must be. */
function expectedTensors(
  program: Program,
  codes: Codes,
  execute: Executor,
): ReadonlyMap<string, readonly number[]> {
  const { taps } = execute(program, codes);
  const input = program.tensors[program.input]!;
  const expected = new Map([[`${input.name}_codes`, toNchw(codes, input.channels)]]);
  for (const { output } of program.ops) {
    const { name, channels, scale, zeroPoint } = program.tensors[output]!;
    const values = toNchw(taps.get(name)!.data, channels);
    const isOutput = program.outputs.includes(output);
    expected.set(isOutput ? `${name}_codes` : name, values);
    if (!isOutput) continue;
    const f32 = Math.fround;
    expected.set(
      name,
      values.map((code) => f32(f32(code - zeroPoint) * scale)),
    );
  }
  return expected;
}

/** Runs the file of a program once for each optimization and compares all tensors, bit for bit. */
export async function compareInOnnxruntime(
  program: Program,
  inputs: readonly Codes[],
  execute: Executor = definition,
): Promise<Comparison> {
  const bytes = encodeModel(withTaps(toIntegerModel(program), program));
  const cases = inputs.map((codes) => ({
    real: realsOf(program, codes),
    expected: expectedTensors(program, codes, execute),
  }));
  let compared = 0;
  const differing: string[] = [];
  for (const optimization of ['disabled', 'all'] as const) {
    const session = await openSession(bytes, optimization);
    for (const { real, expected } of cases) {
      const got = await run(session, program, real);
      for (const [name, want] of expected) {
        compared += want.length;
        const what = difference(want, got.get(name)!);
        if (what !== undefined) differing.push(`${optimization}: ${name}${what}`);
      }
    }
    await session.release();
  }
  return { compared, differing };
}

export function openSession(
  bytes: Uint8Array,
  optimization: 'disabled' | 'all',
): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(bytes, {
    graphOptimizationLevel: optimization,
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
}

/** All outputs of a session for one image of reals, NCHW. */
export async function run(
  session: ort.InferenceSession,
  program: Program,
  real: Float32Array,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const { name, channels, height, width } = program.tensors[program.input]!;
  const tensor = new ort.Tensor('float32', real, [1, channels, height, width]);
  const results = (await session.run({ [name]: tensor })) as Record<string, ort.Tensor>;
  return new Map(
    Object.entries(results).map(([output, { data }]) => [
      output,
      Array.from(data as ArrayLike<number>),
    ]),
  );
}

function difference(want: readonly number[], got: readonly number[]): string | undefined {
  if (want.length !== got.length) return ` has ${got.length} values, not ${want.length}`;
  const wrong = want.flatMap((value, i) => (value === got[i] ? [] : [i]));
  const [first] = wrong;
  if (first === undefined) return undefined;
  return `[${first}] is ${got[first]}, not ${want[first]} (${wrong.length} of ${want.length} differ)`;
}

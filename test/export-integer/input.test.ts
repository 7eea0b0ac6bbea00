// SPDX-License-Identifier: Apache-2.0
// The file quantizes a real input as the target does: ties, the floats beside them, and infinities.
import { toIntegerModel } from '../../src/export-integer/write.js';
import type { CodeType } from '../../src/numeric/code-types.js';
import { encodeModel } from '../../src/onnx/file/encode.js';
import { quantizeInput } from '../../src/program/input.js';
import type { InputQuantization, Program } from '../../src/program/program.js';
import { openSession, run } from './in-onnxruntime.js';
import { layersOf } from './small-programs.js';

const nearHalf = [0.49999997, 0.5, 0.50000006, 1.5, 2.5, 8388609.5];
const far = [0, 1e-45, 127.5, 128.5, 255.5, 32767.5, 65536, 3e38, Infinity];
const values = Float32Array.from([...nearHalf, ...far].flatMap((x) => [x, -x]));

function programOf(dtype: CodeType, scale: number, zeroPoint: number): Program {
  const image = { dtype, height: 1, width: values.length, channels: 1, zeroPoint };
  const program = layersOf(image, [{ name: 'conv' }]);
  const [input, ...others] = program.tensors;
  return { ...program, tensors: [{ ...input!, scale }, ...others] };
}

const cases = (['divide', 'multiplyInverse'] as const).flatMap((form) =>
  (['halfAway', 'halfEven'] as const).map((rule): InputQuantization => ({ form, rule })),
);

test.each(cases)('%j', async (inputQuantization) => {
  for (const [dtype, zeroPoint] of [
    ['u8', 7],
    ['s8', -128],
    ['s16', 300],
  ] as const) {
    for (const scale of [1, Math.fround(0.1)]) {
      const program = { ...programOf(dtype, scale, zeroPoint), inputQuantization };
      const reals = values.map((x) => x * scale);
      const model = toIntegerModel(program);
      const codes = { name: 'x_codes', dtype, shape: [1, 1, 1, values.length] };
      const outputs = [codes];
      const graph = { ...model.graph, outputs };
      const session = await openSession(encodeModel({ ...model, graph }), 'all');
      const got = (await run(session, program, reals)).get('x_codes');
      expect(got).toEqual(Array.from(quantizeInput(program, reals)));
      await session.release();
    }
  }
});

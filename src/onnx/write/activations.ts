// SPDX-License-Identifier: Apache-2.0
// QuantizeLinear and DequantizeLinear of activations.
import { ModelError } from '../../errors.js';
import type { QuantValue } from '../../graph/quant-graph.js';
import { type OnnxBuilder, attribute } from '../file/builder.js';
import type { Writer } from './writer.js';

/** Emits the QuantizeLinear of `value`; `float` is the tensor that enters it. */
export function quantize(writer: Writer, value: QuantValue, float: string): void {
  const { file } = writer;
  const { name, dtype } = value;
  const tensor = file.value(`${name}_QuantizeLinear_Output`);
  const parameters = parametersOf(writer, value);
  if (dtype === 's32') {
    roundToInt32(file, value, float, parameters[0]!, tensor);
  } else {
    file.node(
      'QuantizeLinear',
      file.layer(`${name}_QuantizeLinear`),
      [float, ...parameters],
      tensor,
    );
  }
  writer.codes.set(name, { tensor, parameters });
}

/** Writes scale and zero point of `value`; 32-bit codes have no zero point. */
export function parametersOf({ file }: Writer, value: QuantValue): readonly string[] {
  const { name, dtype, zeroPoint } = value;
  const scale = file.constant(`${name}_scale`, 'f32', [], Float32Array.of(value.scale));
  if (dtype === 's32') return [scale];
  return [scale, file.constant(`${name}_zero_point`, dtype, [], intArray(dtype, [zeroPoint]))];
}

/** Emits the DequantizeLinear of the value `name` unless it is there. */
export function dequantize({ graph, file, codes, real }: Writer, name: string): void {
  const known = codes.get(name);
  if (known === undefined || real.has(name)) return;
  const isOutput = graph.outputs.includes(name) && name !== graph.input;
  const dequantized = isOutput ? name : file.value(`${name}_DequantizeLinear_Output`);
  file.node(
    'DequantizeLinear',
    file.layer(`${name}_DequantizeLinear`),
    [known.tensor, ...known.parameters],
    dequantized,
  );
  real.set(name, dequantized);
}

/** QuantizeLinear has no int32 form, so its definition is spelled out: divide, round, cast. */
function roundToInt32(
  file: OnnxBuilder,
  value: QuantValue,
  float: string,
  scale: string,
  codes: string,
): void {
  const { name, zeroPoint } = value;
  if (zeroPoint !== 0) {
    throw new ModelError(
      'unsupported-zero-point',
      `value "${name}"`,
      `32-bit codes need zero point 0 in ONNX, got ${zeroPoint}; quantize it to 16 bits or fewer`,
    );
  }
  const quotient = file.value(`${name}_quotient`);
  const rounded = file.value(`${name}_rounded`);
  file.node('Div', file.layer(`${name}_Div`), [float, scale], quotient);
  file.node('Round', file.layer(`${name}_Round`), [quotient], rounded);
  file.node('Cast', file.layer(`${name}_Cast`), [rounded], codes, { to: attribute.int(6) });
}

export function intArray(dtype: 'u8' | 's8' | 's16', values: readonly number[]) {
  if (dtype === 'u8') return Uint8Array.from(values);
  return dtype === 's8' ? Int8Array.from(values) : Int16Array.from(values);
}

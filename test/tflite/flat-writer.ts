// SPDX-License-Identifier: Apache-2.0
// Small .tflite files for tests, written with the flatbuffers builder. Field numbers as in
// src/tflite/reader.ts.
import { Builder, type Offset } from 'flatbuffers';

export interface TensorSpec {
  readonly name: string;
  /** TensorType: 0 f32, 2 s32, 3 u8, 7 s16, 9 s8, 17 s4. */
  readonly type: number;
  readonly shape: readonly number[];
  readonly scales?: readonly number[];
  readonly zeroPoints?: readonly number[];
  readonly axis?: number;
  readonly data?: Uint8Array;
  /** Where the data lie in the file, if behind the FlatBuffer as in files beyond 2 GB. */
  readonly behind?: { readonly offset: number; readonly size: number };
}

/** Option fields: number -> value; 8-bit enumerations and 32-bit integers and floats. */
export type Options = Readonly<Record<number, Partial<Record<'i8' | 'i32' | 'f32', number>>>>;

export interface OperatorSpec {
  readonly code: number;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options?: Options;
}

export interface FileSpec {
  readonly tensors: readonly TensorSpec[];
  readonly operators: readonly OperatorSpec[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Operators are named by the first field's byte alone, as files before schema 3a do. */
  readonly oldCodes?: boolean;
}

export function writeTflite(spec: FileSpec): Uint8Array {
  const b = new Builder(1024);
  const bytes = (data: Uint8Array) => b.createByteVector(data);
  const ints = (list: readonly number[]) => {
    b.startVector(4, list.length, 4);
    for (const value of [...list].reverse()) b.addInt32(value);
    return b.endVector();
  };
  const longs = (list: readonly number[]) => {
    b.startVector(8, list.length, 8);
    for (const value of [...list].reverse()) b.addInt64(BigInt(value));
    return b.endVector();
  };
  const floats = (list: readonly number[]) => {
    b.startVector(4, list.length, 4);
    for (const value of [...list].reverse()) b.addFloat32(value);
    return b.endVector();
  };
  const offsets = (list: readonly Offset[]) => {
    b.startVector(4, list.length, 4);
    for (const value of [...list].reverse()) b.addOffset(value);
    return b.endVector();
  };
  const table = (fields: number, fill: () => void): Offset => {
    b.startObject(fields);
    fill();
    return b.endObject();
  };

  const buffers: Offset[] = [table(1, () => undefined)];
  const tensors = spec.tensors.map((tensor) => {
    let buffer = 0;
    if (tensor.data !== undefined) {
      const data = bytes(tensor.data);
      buffer = buffers.length;
      buffers.push(
        table(1, () => {
          b.addFieldOffset(0, data, 0);
        }),
      );
    }
    const { behind } = tensor;
    if (behind !== undefined) {
      buffer = buffers.length;
      buffers.push(
        table(3, () => {
          b.addFieldInt64(1, BigInt(behind.offset), 0n);
          b.addFieldInt64(2, BigInt(behind.size), 0n);
        }),
      );
    }
    const shape = ints(tensor.shape);
    const name = b.createString(tensor.name);
    let quantization = 0;
    if (tensor.scales !== undefined) {
      const scales = floats(tensor.scales);
      const zeros = longs(tensor.zeroPoints ?? tensor.scales.map(() => 0));
      quantization = table(7, () => {
        b.addFieldOffset(2, scales, 0);
        b.addFieldOffset(3, zeros, 0);
        b.addFieldInt32(6, tensor.axis ?? 0, 0);
      });
    }
    return table(5, () => {
      b.addFieldOffset(0, shape, 0);
      b.addFieldInt8(1, tensor.type, 0);
      b.addFieldInt32(2, buffer, 0);
      b.addFieldOffset(3, name, 0);
      if (quantization !== 0) b.addFieldOffset(4, quantization, 0);
    });
  });
  const codes = [...new Set(spec.operators.map(({ code }) => code))];
  const operators = spec.operators.map(({ code, inputs, outputs, options }) => {
    const ins = ints(inputs);
    const outs = ints(outputs);
    let stored = 0;
    if (options !== undefined) {
      stored = table(8, () => {
        // A given 0 is written, too: some fields have other defaults.
        b.forceDefaults(true);
        for (const [field, value] of Object.entries(options)) {
          if (value.i8 !== undefined) b.addFieldInt8(Number(field), value.i8, 0);
          if (value.i32 !== undefined) b.addFieldInt32(Number(field), value.i32, 0);
          if (value.f32 !== undefined) b.addFieldFloat32(Number(field), value.f32, 0);
        }
        b.forceDefaults(false);
      });
    }
    return table(5, () => {
      b.addFieldInt32(0, codes.indexOf(code), 0);
      b.addFieldOffset(1, ins, 0);
      b.addFieldOffset(2, outs, 0);
      if (stored !== 0) b.addFieldOffset(4, stored, 0);
    });
  });
  const graphParts = [offsets(tensors), ints(spec.inputs), ints(spec.outputs), offsets(operators)];
  const graph = table(5, () => {
    graphParts.forEach((part, i) => {
      b.addFieldOffset(i, part, 0);
    });
  });
  const operatorCodes = codes.map((code) =>
    table(4, () => {
      b.addFieldInt8(0, Math.min(code, 127), 0);
      if (spec.oldCodes !== true) b.addFieldInt32(3, code, 0);
    }),
  );
  const parts = { 1: offsets(operatorCodes), 2: offsets([graph]), 4: offsets(buffers) };
  const model = table(5, () => {
    b.addFieldInt32(0, 3, 0);
    for (const [field, part] of Object.entries(parts)) b.addFieldOffset(Number(field), part, 0);
  });
  b.finish(model, 'TFL3');
  return b.asUint8Array().slice();
}

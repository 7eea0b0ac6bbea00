// SPDX-License-Identifier: Apache-2.0
type Names = ReadonlySet<string>;

interface Registries {
  readonly floatOnnx: Names;
  readonly constants: Names;
  readonly qdq: Names;
  readonly qOperator: Names;
  readonly floatTflite: Names;
  readonly tflite: Names;
}

export const kinds: readonly (readonly [
  kind: string,
  onnx: string,
  qOperator: string,
  tflite: string,
])[];

export function operatorsPage(registries: Registries): string;

// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A model as a file; its hash says which of two files of one name it was. */
interface ModelFile {
  readonly file: string;
  /** Of the file's bytes, lower case hexadecimal; of an ONNX file without its external data. */
  readonly sha256: string;
}

/** The models that a result is about. */
export interface ModelFiles {
  readonly float?: ModelFile;
  readonly quantized?: ModelFile;
}

/** @param files that have been read already, so that they are there */
export function modelFiles(files: {
  readonly float?: string | undefined;
  readonly quantized?: string | undefined;
}): ModelFiles {
  const { float, quantized } = files;
  return {
    ...(float === undefined ? {} : { float: described(float) }),
    ...(quantized === undefined ? {} : { quantized: described(quantized) }),
  };
}

function described(file: string): ModelFile {
  return { file, sha256: createHash('sha256').update(readFileSync(file)).digest('hex') };
}

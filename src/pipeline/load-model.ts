// SPDX-License-Identifier: Apache-2.0
import { dirname } from 'node:path';

import { ModelError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import type { QuantGraph } from '../graph/quant-graph.js';
import { formKey } from '../export-integer/write.js';
import { importOnnx } from '../onnx/float/import.js';
import type { OnnxModel } from '../onnx/file/model.js';
import { importQuantized, quantizationState } from '../onnx/quantized/import.js';
import { readOnnx } from '../onnx/file/reader.js';
import { canonicalize } from '../passes/index.js';
import { Budget, type Limits } from '../limits/budget.js';
import { readPlainFile } from '../limits/read-file.js';
import { decodeFile } from '../program/file.js';
import type { Program } from '../program/program.js';
import { importFloatTflite } from '../tflite/float/import.js';
import { importTflite } from '../tflite/import.js';
import { isFloatTflite } from '../tflite/is-float.js';
import { readTflite } from '../tflite/reader.js';

/** A float network. */
export interface FloatModel {
  readonly kind: 'float';
  readonly file: string;
  readonly graph: Graph;
}

/** A quantized network that no target is bound to yet. */
export interface QuantizedModel {
  readonly kind: 'quantized';
  readonly file: string;
  readonly quantGraph: QuantGraph;
}

/** An integer program, bound to its target. */
export interface ProgramModel {
  readonly kind: 'program';
  readonly file: string;
  readonly program: Program;
}

/** A model file after loading: float, quantized, or a program. */
export type Model = FloatModel | QuantizedModel | ProgramModel;

/** `integer`: one target's arithmetic node by node, which is not read again. */
export type OnnxState = 'float' | 'qdq' | 'qop' | 'integer';

/** A file by its content, not by its name. */
export type ModelFile =
  | { readonly format: 'onnx'; readonly onnx: OnnxModel; readonly state: OnnxState }
  | { readonly format: 'tflite'; readonly bytes: Uint8Array }
  | { readonly format: 'lbp'; readonly program: Program };

/**
 * Reads a file without importing its operators.
 * @param budget of this file
 * @throws ModelError `no-such-file` and those of the formats' readers
 */
export function readModelFile(file: string, budget: Budget): Promise<ModelFile> {
  return Promise.resolve().then(() => readNow(file, budget));
}

function readNow(file: string, budget: Budget): ModelFile {
  const bytes = readPlainFile(
    file,
    budget,
    (reason) => new ModelError('no-such-file', file, `expected a model: ${reason}`),
  );
  if (startsWith(bytes, 0, 'LBP1')) {
    return { format: 'lbp', program: decodeFile(bytes, file, budget) };
  }
  if (startsWith(bytes, 4, 'TFL3')) return { format: 'tflite', bytes };
  const onnx = readOnnx(bytes, { directory: dirname(file), file, budget });
  return { format: 'onnx', onnx, state: stateOf(onnx) };
}

function stateOf(onnx: OnnxModel): OnnxState {
  return onnx.metadata.get(formKey) === 'integer' ? 'integer' : quantizationState(onnx);
}

/**
 * Reads any model that lastbit knows; a float graph comes back canonical (batch norms folded,
 * clamps fused).
 * @param limits of memory and work; the defaults of `Limits` unless given
 * @throws ModelError naming the file, and every unsupported node at once; LimitError
 */
export async function loadModel(file: string, limits?: Limits): Promise<Model> {
  const budget = new Budget(limits);
  const content = await readModelFile(file, budget);
  switch (content.format) {
    case 'lbp':
      return { kind: 'program', file, program: content.program };
    case 'tflite':
      return ofTflite(content.bytes, file, budget);
    case 'onnx':
      return ofOnnx(content.onnx, content.state, file, budget);
  }
}

function ofTflite(bytes: Uint8Array, file: string, budget: Budget): Model {
  if (isFloatTflite(readTflite(bytes, file))) {
    return { kind: 'float', file, graph: canonicalize(importFloatTflite(bytes, file, budget)) };
  }
  return { kind: 'quantized', file, quantGraph: importTflite(bytes, file, budget) };
}

function ofOnnx(onnx: OnnxModel, state: OnnxState, file: string, budget: Budget): Model {
  switch (state) {
    case 'float':
      return { kind: 'float', file, graph: canonicalize(importOnnx(onnx, budget)) };
    case 'qdq':
    case 'qop':
      return { kind: 'quantized', file, quantGraph: importQuantized(onnx, budget) };
    case 'integer':
      throw new ModelError(
        'integer-form',
        file,
        'was written by --form integer, for other runtimes; give the model that it was made from',
      );
  }
}

/**
 * A float model, for quantization or as reference.
 * @throws ModelError `not-float`
 */
export async function loadFloatModel(file: string, limits?: Limits): Promise<FloatModel> {
  const model = await loadModel(file, limits);
  if (model.kind === 'float') return model;
  throw new ModelError(
    'not-float',
    file,
    'expected a float model, this one is quantized already; give the float original',
  );
}

/**
 * A model that can run in integers.
 * @throws ModelError `float-model`
 */
export async function loadQuantizedModel(
  file: string,
  limits?: Limits,
): Promise<QuantizedModel | ProgramModel> {
  const model = await loadModel(file, limits);
  if (model.kind !== 'float') return model;
  const output = file.replace(/(\.onnx|\.tflite)?$/, '.int8.onnx');
  throw new ModelError(
    'float-model',
    file,
    `this model is float and integers are needed; first run: lastbit quantize ${file} -o ${output} --calib IMAGES --preprocess PRESET`,
  );
}

function startsWith(bytes: Uint8Array, offset: number, text: string): boolean {
  return Buffer.from(bytes.subarray(offset, offset + text.length)).toString('latin1') === text;
}

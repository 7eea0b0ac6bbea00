// SPDX-License-Identifier: Apache-2.0
import type { Limits } from '../limits/budget.js';
import { sizeOfProgram, sizeOfQuantGraph } from '../analyze/index.js';
import { requireFree, writeFileAtomic } from '../data/index.js';
import { ModelError, UsageError } from '../errors.js';
import { writeInteger } from '../export-integer/write.js';
import { join } from '../graph/join.js';
import type { QuantGraph } from '../graph/quant-graph.js';
import { writeQdq } from '../onnx/write/qdq.js';
import { writeQop } from '../onnx/write/qop.js';
import { encode } from '../program/encode.js';
import { allTargets } from '../targets/index.js';
import type { ConvertDocument } from '../report/index.js';
import { writeTflite } from '../tflite/write/write.js';
import { notesOf, programOf } from './choose-program.js';
import { type ProgramModel, type QuantizedModel, loadQuantizedModel } from './load-model.js';
import { slowLayers } from './slow-layers.js';
import { forTflite } from './tflite-target.js';

type OnnxForm = 'qdq' | 'qop' | 'integer';

/** Options of `convert`, as on the command line. */
export interface ConvertModelOptions extends Limits {
  /** Any quantized model; the backbone where there is a head. */
  readonly model: string;
  /** A second model that continues the first. */
  readonly head?: string | undefined;
  /** `.onnx`, `.tflite` or `.lbp`. */
  readonly output: string;
  /**
   * Of an `.onnx` file: QDQ (default), QOperator, or the integers of one target in operators that
   * are exact in every runtime.
   */
  readonly form?: OnnxForm | undefined;
  /** For `.lbp` and the form `integer`, which are bound to one. */
  readonly target?: string | undefined;
  readonly overwrite?: boolean | undefined;
}

/**
 * Writes a quantized model in another form, the same to the bit.
 * @throws UsageError, ModelError; nothing is written then
 */
export async function convertModel(options: ConvertModelOptions): Promise<ConvertDocument> {
  const { output, head, target } = options;
  const form = formOf(output, options.form);
  requireFree(output, options.overwrite ?? false);
  const first = await loadQuantizedModel(options.model, options);
  const model = head === undefined ? first : await joinFiles(first, head, options);
  const inputs = head === undefined ? [options.model] : [options.model, head];
  if (form === 'lbp' || form === 'integer') {
    const program = programOf(model, target);
    const bytes = form === 'lbp' ? encode(program) : writeInteger(program);
    writeFileAtomic(output, bytes);
    const { layers } = sizeOfProgram(program);
    const { target: id } = program;
    const notes = notesOf(model, program);
    return { inputs, output, form, target: id, layers, bytes: bytes.length, notes };
  }
  if (target !== undefined) {
    throw new UsageError(
      'target-unused',
      '--target',
      `a ${form} file runs under any target; choose it when the model runs, or write a .lbp or --form integer`,
    );
  }
  const { quantGraph: given } = requireGraph(model);
  const { quantGraph, notes } =
    form === 'tflite' ? forTflite(given) : { quantGraph: given, notes: slowNotes(given) };
  const bytes = writers[form](quantGraph);
  writeFileAtomic(output, bytes);
  const { layers } = sizeOfQuantGraph(quantGraph);
  return {
    inputs,
    output,
    form,
    target: quantGraph.metadata.target ?? null,
    layers,
    bytes: bytes.length,
    notes: [...(quantGraph.notes ?? []), ...notes],
  };
}

/** What slows down a file for the target that its metadata name. */
function slowNotes(graph: QuantGraph): readonly string[] {
  const target = allTargets.find(({ id }) => id === graph.metadata.target);
  const slow = target && slowLayers(graph, target);
  return slow === undefined ? [] : [slow];
}

const writers = { qdq: writeQdq, qop: writeQop, tflite: writeTflite } as const;

function formOf(output: string, wish: OnnxForm | undefined): OnnxForm | 'tflite' | 'lbp' {
  const name = output.toLowerCase();
  if (name.endsWith('.onnx')) return wish ?? 'qdq';
  const ending = (['tflite', 'lbp'] as const).find((known) => name.endsWith(`.${known}`));
  if (ending === undefined) {
    throw new UsageError(
      'output-form',
      output,
      'expected a name that ends in .onnx, .tflite or .lbp',
    );
  }
  if (wish === undefined) return ending;
  throw new UsageError('output-form', output, '--form is for .onnx files; leave it away');
}

async function joinFiles(
  backbone: QuantizedModel | ProgramModel,
  head: string,
  limits: Limits,
): Promise<QuantizedModel> {
  const first = requireGraph(backbone);
  const second = requireGraph(await loadQuantizedModel(head, limits));
  return { ...first, quantGraph: join(first.quantGraph, second.quantGraph) };
}

function requireGraph(model: QuantizedModel | ProgramModel): QuantizedModel {
  if (model.kind === 'quantized') return model;
  throw new ModelError(
    'program-bound',
    model.file,
    'a .lbp is the end of the line: it holds integers without scales; convert the model it was made from',
  );
}

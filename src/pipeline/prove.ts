// SPDX-License-Identifier: Apache-2.0
import { modelFiles } from '../data/index.js';
import { networkOf } from '../analyze/index.js';
import type { Limits } from '../limits/budget.js';
import { prove } from '../prove/index.js';
import type { ProveDocument } from '../report/index.js';
import { notesOf, programOf } from './choose-program.js';
import { loadQuantizedModel } from './load-model.js';
import { evidenceOf } from './target-choice.js';

export interface ProveModelOptions extends Limits {
  /** Any quantized model. */
  readonly model: string;
  readonly target?: string | undefined;
}

/**
 * A range certificate: what each accumulator can reach over all inputs, and whether the target's width holds it.
 * @throws UsageError, ModelError
 */
export async function proveModel(options: ProveModelOptions): Promise<ProveDocument> {
  const { model, target } = options;
  const started = performance.now();
  const quantized = await loadQuantizedModel(model, options);
  const program = programOf(quantized, target);
  const certificate = prove(program);
  return {
    model,
    models: modelFiles({ quantized: model }),
    target: program.target,
    evidence: evidenceOf(program.target, program.metadata),
    ...certificate,
    notes: notesOf(quantized, program),
    network: networkOf(program),
    seconds: (performance.now() - started) / 1000,
  };
}

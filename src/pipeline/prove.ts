// SPDX-License-Identifier: Apache-2.0
import { modelFiles } from '../data/index.js';
import { networkOf } from '../analyze/index.js';
import type { Program } from '../program/program.js';
import { prove } from '../prove/index.js';
import type { ProveDocument } from '../report/index.js';
import { notesOf, presetOf, programOf } from './choose-program.js';
import { openExecutor } from './executor.js';
import { openInputs, programInput, type InputOptions } from './inputs.js';
import { loadQuantizedModel } from './load-model.js';
import type { ProgressListener } from './progress.js';
import { meterSums } from './reached-sums.js';
import { evidenceOf } from './target-choice.js';

/** Options of `prove`, as on the command line. */
export interface ProveModelOptions extends InputOptions {
  /** Any quantized model. */
  readonly model: string;
  readonly target?: string | undefined;
  readonly threads?: number | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

/**
 * A range certificate: what each accumulator can reach over all inputs, and whether the target's width holds it.
 * With images: what they reach beside that, and the share of their sums that the accumulator changes.
 * @throws UsageError, ModelError
 */
export async function proveModel(options: ProveModelOptions): Promise<ProveDocument> {
  const { model, target } = options;
  const started = performance.now();
  const quantized = await loadQuantizedModel(model, options);
  const program = programOf(quantized, target);
  const certificate = prove(program);
  const measured = hasInput(options)
    ? await measure(program, presetOf(quantized), options)
    : undefined;
  return {
    model,
    models: modelFiles({ quantized: model }),
    target: program.target,
    evidence: evidenceOf(program.target, program.metadata),
    ok: certificate.ok,
    layers: certificate.layers.map((layer) => {
      const reached = measured?.reached.get(layer.name);
      return reached === undefined ? layer : { ...layer, reached };
    }),
    ...(measured === undefined ? {} : { measured: { images: measured.images, ...measured.facts } }),
    notes: notesOf(quantized, program),
    network: networkOf(program),
    seconds: (performance.now() - started) / 1000,
  };
}

function hasInput({ images, input }: InputOptions): boolean {
  return images !== undefined || input !== undefined;
}

/** Runs the images with every convolution's sums on show. */
async function measure(program: Program, preset: string | undefined, options: ProveModelOptions) {
  const layers = new Set(program.ops.map(({ name }) => name));
  const meter = meterSums(program, layers);
  const inputs = openInputs(programInput(program), preset, options);
  const executor = openExecutor(meter.program, inputs.preprocessing, options);
  let images = 0;
  try {
    for await (const sample of inputs.source) {
      inputs.note(sample);
      meter.add(await executor.run(sample, meter.taps));
      images++;
      options.onProgress?.('prove', images, inputs.source.count);
    }
  } finally {
    executor.close();
  }
  return { reached: meter.result(), images, facts: inputs.facts() };
}

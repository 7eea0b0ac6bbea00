// SPDX-License-Identifier: Apache-2.0
import type { Limits } from '../limits/budget.js';
import { distributionNeeds, distributionsOf, findingsOf, untilScores } from '../analyze/index.js';
import { collect, sampleWarnings } from '../calibrate/collect.js';
import { derive, requireNormalizations } from '../calibrate/data-free/index.js';
import type { Statistics } from '../calibrate/statistics.js';
import { type GeometryChoice, modelFiles } from '../data/index.js';
import { UsageError } from '../errors.js';
import { openFloatRunner } from '../float/runner.js';
import type { Graph } from '../graph/graph.js';
import type { AnalyzeDocument, PreprocessFacts } from '../report/index.js';
import { openCalibration, type Calibration } from './calibration.js';
import { loadFloatModel } from './load-model.js';
import type { ProgressListener } from './progress.js';

/** Options of `analyze`, as on the command line. */
export interface AnalyzeModelOptions extends Limits {
  /** Float ONNX. */
  readonly model: string;
  /** A folder of images or one .npy of many; without them and without `dataFree` weights only. */
  readonly images?: string | undefined;
  /** Activations as the batch norms describe them. */
  readonly dataFree?: boolean | undefined;
  readonly limit?: number | undefined;
  readonly preprocess?: string | undefined;
  readonly geometry?: GeometryChoice | undefined;
  readonly threads?: number | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

/**
 * Why a float network will quantize well or badly: how its weights and activations spread, layer by layer, and
 * what of that is to be done about.
 * @throws UsageError, ModelError
 */
export async function analyzeModel(options: AnalyzeModelOptions): Promise<AnalyzeDocument> {
  const { images, dataFree = false, model } = options;
  const started = performance.now();
  if (images !== undefined && dataFree) {
    throw new UsageError('clash', '--images, --data-free', 'give one of them, not both');
  }
  const graph = untilScores((await loadFloatModel(model, options)).graph);
  if (images === undefined && !dataFree) {
    const only = 'weights only: give --images DIR, or --data-free for a model with batch norms';
    return document(
      options,
      graph,
      undefined,
      { ...unseen, seenBy: 'weights', notes: [only] },
      started,
    );
  }
  const calibration = openCalibration(graph, { ...options, calib: images });
  const statistics = await statisticsOf(graph, calibration, options);
  const facts = {
    ...calibration.facts(),
    seenBy: images === undefined ? ('data-free' as const) : ('images' as const),
    notes: images === undefined ? [] : sampleWarnings(calibration.samples),
  };
  return document(options, graph, statistics, facts, started);
}

const unseen: PreprocessFacts = {
  preprocess: null,
  preprocessDecidedBy: null,
  geometry: null,
  geometryApplied: {},
};

async function statisticsOf(
  graph: Graph,
  { samples, inputDistribution }: Calibration,
  { threads = 1, onProgress }: AnalyzeModelOptions,
): Promise<Statistics> {
  const needs = distributionNeeds(graph);
  if (inputDistribution !== undefined) {
    requireNormalizations(graph);
    return derive(graph, inputDistribution, needs);
  }
  return collect(
    graph,
    samples,
    (part, taps) => openFloatRunner(part, taps, { threads }),
    needs,
    (done) => onProgress?.('analyze', done, samples.count),
  );
}

function document(
  { model }: AnalyzeModelOptions,
  graph: Graph,
  statistics: Statistics | undefined,
  facts: PreprocessFacts & Pick<AnalyzeDocument, 'seenBy' | 'notes'>,
  started: number,
): AnalyzeDocument {
  const distributions = distributionsOf(graph, statistics);
  return {
    model,
    models: modelFiles({ float: model }),
    images: statistics?.images ?? 0,
    ...facts,
    findings: findingsOf(distributions),
    ...distributions,
    seconds: (performance.now() - started) / 1000,
  };
}

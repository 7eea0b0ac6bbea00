// SPDX-License-Identifier: Apache-2.0
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';

import type { GeometryChoice } from '../data/index.js';
import { writeFileAtomic } from '../data/index.js';
import { didYouMean, ModelError, UsageError } from '../errors.js';
import type { ImageOutcome } from '../evaluate/index.js';
import {
  csvOf,
  experiments,
  type Experiment,
  type LayerError,
  type MeasuredNet,
  parseTrainingReport,
  type QuantizedRun,
  type Scheme,
  type TrainedRun,
  type TrainingReport,
} from '../experiment/index.js';
import { writeQdq } from '../onnx/write/qdq.js';
import type { ExperimentDocument } from '../report/index.js';
import { toJson } from '../report/index.js';
import { analyzeModel } from './analyze.js';
import { compareModels } from './compare.js';
import { evaluateModel } from './evaluate.js';
import { sha256 } from './executor.js';
import { classFolders, type ExperimentImages, imageOrder } from './experiment-data.js';
import { loadFloatModel } from './load-model.js';
import type { ProgressListener } from './progress.js';
import { quantizeInMemory } from './quantize.js';
import { packageFolder, version } from '../engine/own-package.js';

/** Options of `experiment`, as on the command line. */
export interface ExperimentOptions {
  /** yun-wong, sheng or bae. */
  readonly name: string;
  /** Float ONNX files; default: those of models/cifar10. */
  readonly nets?: readonly string[] | undefined;
  /** A folder with test/<class>/ and train/<class>/, such as CIFAR-10. */
  readonly data?: string | undefined;
  /** In the place of `data`: as `evaluate` and `quantize` take them. */
  readonly images?: string | undefined;
  readonly labels?: string | undefined;
  readonly calib?: string | undefined;
  readonly preprocess?: string | undefined;
  readonly geometry?: GeometryChoice | undefined;
  /** Images tested; default 2000. */
  readonly limit?: number | undefined;
  /** Images of calibration; default 50. */
  readonly calibrationImages?: number | undefined;
  /** Folder for result.json, a .csv for each table, and what a second call need not compute again. */
  readonly out?: string | undefined;
  readonly threads?: number | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

const defaults = { limit: 2000, calibrationImages: 50, comparedImages: 40 } as const;

/**
 * Tests a paper's claims on nets and images that are here: every accuracy in exact integers, every
 * difference with its interval. No net is trained.
 * @throws UsageError `unknown-experiment`, `missing-option`; ModelError `no-nets`, `no-images`, and those of
 *   the stages
 */
export async function runExperiment(options: ExperimentOptions): Promise<ExperimentDocument> {
  const started = performance.now();
  const experiment = experimentOf(options.name);
  const files = netsOf(experiment, options.nets);
  const scratch = mkdtempSync(join(tmpdir(), 'lastbit-experiment-'));
  try {
    const images = imagesOf(options, scratch);
    const stage = new Measuring(experiment, images, scratch, options);
    const nets: MeasuredNet[] = [];
    for (const file of files) nets.push(await stage.net(file));
    const trained = await trainedRuns(experiment, options, stage);
    const document: ExperimentDocument = {
      experiment: experiment.name,
      paper: experiment.paper,
      nets: nets.map(({ name, file, sha256: hash }) => ({
        ...{ name, sha256: hash },
        file: options.nets === undefined ? relative(packageFolder, file) : file,
      })),
      images: nets[0]!.runs[0]!.accuracy.n,
      ...experiment.resultOf(nets, trained),
      notes: missingNets(experiment, options.nets, files),
      seconds: (performance.now() - started) / 1000,
    };
    if (options.out !== undefined) write(options.out, document);
    return document;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function experimentOf(name: string): Experiment {
  const found = experiments.find((one) => one.name === name);
  if (found !== undefined) return found;
  const known = experiments.map((one) => one.name);
  throw new UsageError(
    'unknown-experiment',
    name,
    `expected one of ${known.join(', ')}${didYouMean(name, known)}`,
  );
}

const netFolder = join(packageFolder, 'models', 'cifar10');

/** The nets that are named, else those of the experiment that are there. */
function netsOf({ nets }: Experiment, given: readonly string[] | undefined): readonly string[] {
  if (given !== undefined) return given;
  const found = nets.map((name) => join(netFolder, `${name}.onnx`)).filter(existsSync);
  if (found.length > 0) return found;
  throw new ModelError(
    'no-nets',
    netFolder,
    'the CIFAR-10 nets are not there (they do not travel in the npm package); clone the repository, or name nets with --nets A.onnx,B.onnx',
  );
}

function missingNets(
  { nets }: Experiment,
  given: readonly string[] | undefined,
  files: readonly string[],
): string[] {
  if (given !== undefined) return [];
  const there = new Set(files.map((file) => basename(file, '.onnx')));
  const missing = nets.filter((name) => !there.has(name));
  if (missing.length === 0) return [];
  return [`not trained yet, so left out: ${missing.join(', ')} (models/train/cifar)`];
}

/** Nets that were trained with their quantizers: only the images that they were tested on tell anything. */
async function trainedRuns(
  { trained }: Experiment,
  { data, nets, onProgress }: ExperimentOptions,
  stage: Measuring,
): Promise<TrainedRun[]> {
  if (trained === undefined || data === undefined || nets !== undefined) return [];
  const folder = join(netFolder, trained);
  if (!existsSync(folder)) return [];
  const reports = readdirSync(folder).filter((name) => name.endsWith('.json'));
  const order = imageOrder(join(data, 'test'));
  const runs: TrainedRun[] = [];
  for (const name of reports) {
    onProgress?.(`trained: ${name}`, runs.length, reports.length);
    const file = join(folder, name);
    const report = parseTrainingReport(readFileSync(file, 'utf8'), file);
    runs.push(await stage.trained(join(folder, report.file), report, order));
  }
  return runs;
}

function imagesOf(options: ExperimentOptions, scratch: string): ExperimentImages {
  const { data, images, labels, calib } = options;
  if (data !== undefined) {
    return classFolders(data, scratch, {
      tested: options.limit ?? defaults.limit,
      calibrated: options.calibrationImages ?? defaults.calibrationImages,
    });
  }
  if (images !== undefined && labels !== undefined && calib !== undefined)
    return { images, labels, calib };
  throw new UsageError(
    'missing-option',
    '--data',
    'give a folder with test/<class>/*.jpg and train/<class>/*.jpg (CIFAR-10), or --images, --labels and --calib',
  );
}

function write(out: string, document: ExperimentDocument): void {
  for (const table of document.tables)
    writeFileAtomic(join(out, `${table.name}.csv`), csvOf(table));
  writeFileAtomic(join(out, 'result.json'), toJson(document));
}

/** Measures nets one after the other; what was measured before is read again. */
class Measuring {
  private readonly data: string;
  private readonly pixels: Pick<ExperimentOptions, 'preprocess' | 'geometry'>;

  constructor(
    private readonly experiment: Experiment,
    private readonly images: ExperimentImages,
    private readonly scratch: string,
    private readonly options: ExperimentOptions,
  ) {
    const { preprocess, geometry } = options;
    this.pixels = { preprocess, geometry };
    // The images are told apart by their list, and a packed file by its time and size.
    const { mtimeMs, size } = statSync(images.images);
    const facts = [readFileSync(images.labels), `${images.images} ${mtimeMs} ${size}`];
    const choices = JSON.stringify(this.pixels);
    this.data = sha256([...facts, choices].map((fact) => sha256(fact)).join());
  }

  async net(file: string): Promise<MeasuredNet> {
    // What cannot be read is refused here.
    await loadFloatModel(file);
    const hash = sha256(readFileSync(file));
    const name = basename(file).replace(/\.onnx$/, '');
    const { calib } = this.images;
    const limit = this.options.calibrationImages ?? defaults.calibrationImages;
    const { layers } = await this.kept([hash, 'analyze', limit], () =>
      analyzeModel({ model: file, images: calib, limit, ...this.pixels }),
    );
    const runs: QuantizedRun[] = [];
    for (const scheme of this.experiment.schemes) {
      this.options.onProgress?.(
        `${name}, ${scheme.scheme}`,
        runs.length,
        this.experiment.schemes.length,
      );
      runs.push(
        await this.kept(
          [hash, scheme, this.options.limit, limit, this.experiment.comparesLayers],
          () => this.run(file, name, scheme),
        ),
      );
    }
    return { name, file, sha256: hash, layers, runs };
  }

  /** A net that is quantized already. */
  async trained(
    file: string,
    report: TrainingReport,
    order: ReadonlyMap<string, number>,
  ): Promise<TrainedRun> {
    const { net, method, weightBits, settings, flips, top1, answers } = report;
    if (sha256(readFileSync(file)) !== report.sha256) {
      throw new ModelError(
        'bad-report',
        file,
        'it is not the net that the report beside it is about; train it again or take both from one commit',
      );
    }
    const outcomes = await this.kept([report.sha256, 'trained', this.options.limit], async () =>
      (await this.accuracy(file)).outcomes.map(({ name, label, quantized }) => ({
        ...{ name, label },
        answer: quantized.top,
      })),
    );
    return {
      ...{ net, weightBits, flips, method: method.name, seed: settings.seed },
      ...{ untrainedTop1: top1.untrained, pytorchTop1: top1.all10000 },
      hits: outcomes.map(({ label, answer }) => (answer === label ? 1 : 0)),
      differing: outcomes.map(({ name, answer }) =>
        String(answer) === answers[order.get(name) ?? -1] ? 0 : 1,
      ),
    };
  }

  private async run(float: string, name: string, scheme: Scheme): Promise<QuantizedRun> {
    const { target, weightBits } = scheme;
    const file = join(this.scratch, `${name}.onnx`);
    const { quantGraph, document } = await quantizeInMemory({
      ...{ model: float, calib: this.images.calib, target, weightBits, weights: 'per-tensor' },
      limit: this.options.calibrationImages ?? defaults.calibrationImages,
      recipe: this.recipeFile(scheme),
      ...this.pixels,
    });
    writeFileSync(file, writeQdq(quantGraph));
    const { accuracy, outcomes } = await this.accuracy(file, float);
    const hit = (rank: number | undefined): number => (rank === 0 ? 1 : 0);
    return {
      ...{ scheme: scheme.scheme, target: document.target, weightBits, recipe: document.method },
      accuracy,
      hits: outcomes.map(({ quantized }) => hit(quantized.rank)),
      floatHits: outcomes.map((outcome) => hit(outcome.float?.rank)),
      layers: this.experiment.comparesLayers ? await this.errors(file, float) : [],
      steps: document.steps.map(({ name: step, changed }) => ({ name: step, changed })),
    };
  }

  private recipeFile({ recipe = {} }: Scheme): string {
    if (typeof recipe === 'string') return recipe;
    const file = join(this.scratch, 'recipe.json');
    writeFileSync(file, JSON.stringify({ name: 'experiment', ...recipe }));
    return file;
  }

  private async accuracy(model: string, float?: string) {
    const { images, labels } = this.images;
    const out = join(this.scratch, 'evaluation');
    const accuracy = await evaluateModel({
      ...{ model, float, images, labels, out, overwrite: true, ...this.pixels },
      limit: this.options.limit ?? defaults.limit,
      threads: this.options.threads ?? availableParallelism(),
    });
    const progress = JSON.parse(readFileSync(join(out, 'progress.json'), 'utf8')) as {
      readonly outcomes: readonly ImageOutcome[];
    };
    return { accuracy, outcomes: progress.outcomes };
  }

  private async errors(quant: string, float: string): Promise<LayerError[]> {
    const { layers } = await compareModels({
      ...{ float, quant, images: this.images.calib, limit: defaults.comparedImages },
      ...this.pixels,
    });
    const finite = (value: number | undefined): number | null =>
      value !== undefined && Number.isFinite(value) ? value : null;
    return layers.map((layer) => ({
      ...{ name: layer.name, kind: layer.kind, saturatedPercent: layer.saturatedPercent },
      accumulatedDb: finite(layer.sqnrDb),
      isolatedDb: finite(layer.sqnrIsolatedDb),
    }));
  }

  /** The result of an earlier call with the same net, images, settings and version, where there is one. */
  private async kept<Result extends object>(
    facts: readonly unknown[],
    make: () => Promise<Result>,
  ): Promise<Result> {
    const { out } = this.options;
    if (out === undefined) return make();
    const key = sha256(JSON.stringify([version, this.data, ...facts]));
    const file = join(out, 'cache', `${key}.json`);
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Result;
    const result = await make();
    writeFileAtomic(file, JSON.stringify(result));
    return result;
  }
}

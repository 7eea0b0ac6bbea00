// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';

import type { LayerComparison } from '../analyze/index.js';
import { writeFileAtomic } from '../data/index.js';
import { ModelError } from '../errors.js';
import { onnxruntime } from '../float/runtime.js';
import { findPackage } from '../optional-package.js';
import { writeQdq } from '../onnx/write/qdq.js';
import type { DemoDocument, DemoNet, DemoVariant, EvaluateDocument } from '../report/index.js';
import { compareModels } from './compare.js';
import { evaluateModel } from './evaluate.js';
import type { ProgressListener } from './progress.js';
import { quantizeInMemory } from './quantize.js';
import { evidenceOf } from './target-choice.js';
import { packageFolder } from '../engine/own-package.js';

/** Options of `demo`, as on the command line. */
export interface DemoOptions {
  readonly target?: string | undefined;
  readonly threads?: number | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

/** Images of the layer comparison; the accuracy takes all. */
const comparedImages = 20;

const worstLayers = 5;

/**
 * The main job on the networks and images that come with lastbit: quantized naively and with the
 * best recipe, all test images run in exact integers. Without onnxruntime-node nothing runs float models:
 * both recipes then work data-free, and the document says what was left out.
 *
 * @throws ModelError `demo-missing` without the embedded networks; UsageError `no-addon` without an engine
 */
export async function runDemo(options: DemoOptions = {}): Promise<DemoDocument> {
  const started = performance.now();
  const folder = join(packageFolder, 'models', 'fashion');
  const models = existsSync(folder)
    ? readdirSync(folder).filter((name) => name.endsWith('.onnx'))
    : [];
  if (models.length === 0) {
    throw new ModelError(
      'demo-missing',
      folder,
      'the embedded networks are not there; reinstall lastbit',
    );
  }
  const scratch = mkdtempSync(join(tmpdir(), 'lastbit-demo-'));
  try {
    const nets: DemoNet[] = [];
    const withFloat = 'library' in findPackage(onnxruntime);
    for (const model of models.sort())
      nets.push(await demoNet(join(folder, model), folder, scratch, withFloat, options));
    const images = nets[0]!.images;
    const leftOut = withFloat ? null : withoutFloat;
    return { images, leftOut, nets, seconds: (performance.now() - started) / 1000 };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const withoutFloat =
  'calibration on images and the float reference were left out, both recipes worked data-free; ' +
  `for the whole demo run: ${onnxruntime.install}`;

async function demoNet(
  float: string,
  folder: string,
  scratch: string,
  withFloat: boolean,
  options: DemoOptions,
): Promise<DemoNet> {
  const name = float.slice(folder.length + 1).replace(/\.onnx$/, '');
  const listener =
    (what: string): ProgressListener =>
    (stage, done, total) =>
      options.onProgress?.(`${name} ${what}: ${stage}`, done, total);
  const make = async (recipe: 'naive' | 'best'): Promise<Made> => {
    const file = join(scratch, `${name}.${recipe}.onnx`);
    const { quantGraph, document } = await quantizeInMemory({
      model: float,
      calib: withFloat ? join(folder, 'calibration-images.npy') : undefined,
      dataFree: !withFloat,
      target: options.target,
      recipe,
      weights: recipe === 'naive' ? 'per-tensor' : undefined,
      onProgress: listener(recipe),
    });
    writeFileAtomic(file, writeQdq(quantGraph));
    const accuracy = await evaluateModel({
      model: file,
      images: join(folder, 'test-images.npy'),
      labels: join(folder, 'test-labels.npy'),
      // Once is enough: it is the same network on the same images.
      float: withFloat && recipe === 'best' ? float : undefined,
      threads: options.threads ?? availableParallelism(),
      onProgress: listener(recipe),
    });
    return { file, target: document.target, accuracy };
  };
  const naive = await make('naive');
  const best = await make('best');
  return {
    model: name,
    images: best.accuracy.n,
    target: best.target,
    evidence: evidenceOf(best.target),
    variants: variantsOf(naive.accuracy, best.accuracy),
    worst: withFloat ? await worstOf(float, naive.file, folder) : [],
    imagesPerSecond: best.accuracy.imagesPerSecond ?? 0,
  };
}

interface Made {
  readonly file: string;
  readonly target: string;
  readonly accuracy: EvaluateDocument;
}

function variantsOf(naive: EvaluateDocument, best: EvaluateDocument): DemoVariant[] {
  const reference = best.float?.top1;
  const variant = (name: string, { top1, tiesAtTopPercent }: EvaluateDocument): DemoVariant => ({
    name,
    top1,
    delta: reference === undefined ? null : top1 - reference,
    tiesAtTopPercent,
  });
  const float: DemoVariant[] =
    reference === undefined
      ? []
      : [{ name: 'float', top1: reference, delta: null, tiesAtTopPercent: null }];
  return [...float, variant('naive, per tensor', naive), variant('best recipe', best)];
}

async function worstOf(float: string, quant: string, folder: string): Promise<LayerComparison[]> {
  const { layers } = await compareModels({
    float,
    quant,
    images: join(folder, 'test-images.npy'),
    limit: comparedImages,
  });
  return [...layers].sort((a, b) => a.sqnrDb - b.sqnrDb).slice(0, worstLayers);
}

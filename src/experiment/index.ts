// SPDX-License-Identifier: Apache-2.0
import { baeNets, baeResult, baeSchemes } from './bae.js';
import type { Claim, ExperimentTable } from './document.js';
import type { MeasuredNet } from './measured-net.js';
import { shengNets, shengResult, shengSchemes } from './sheng.js';
import type { TrainedRun } from './trained-net.js';
import { yunWongNets, yunWongResult, yunWongSchemes } from './yun-wong.js';

export { csvOf } from './document.js';
export type { Claim, ExperimentTable } from './document.js';
export { parseTrainingReport } from './trained-net.js';
export type { TrainedRun, TrainingReport } from './trained-net.js';
export type { LayerError, MeasuredNet, QuantizedRun } from './measured-net.js';

/** One way of quantizing, all weights with one scale per tensor. */
export interface Scheme {
  /** In words; unique within the experiment. */
  readonly scheme: string;
  readonly target: string;
  readonly weightBits: number;
  /** A recipe by name, or keys beyond the recipe `naive`, which is the default. */
  readonly recipe?: string | object;
}

/** One paper. */
export interface Experiment {
  readonly name: string;
  readonly paper: string;
  /** Nets that are taken where none are named, those of them that are there. */
  readonly nets: readonly string[];
  readonly schemes: readonly Scheme[];
  /** Whether layers are compared one by one, which takes most of the time. */
  readonly comparesLayers: boolean;
  /** Folder of models/cifar10 with nets whose quantizers were trained. */
  readonly trained?: string;
  readonly resultOf: (
    nets: readonly MeasuredNet[],
    trained?: readonly TrainedRun[],
  ) => {
    readonly claims: readonly Claim[];
    readonly tables: readonly ExperimentTable[];
  };
}

export const experiments: readonly Experiment[] = [
  {
    name: 'yun-wong',
    paper: 'Yun and Wong 2021, Do All MobileNets Quantize Poorly?',
    ...{ nets: yunWongNets, schemes: yunWongSchemes, comparesLayers: true },
    resultOf: yunWongResult,
  },
  {
    name: 'sheng',
    paper: 'Sheng et al. 2018, A Quantization-Friendly Separable Convolution for MobileNets',
    ...{ nets: shengNets, schemes: shengSchemes, comparesLayers: true },
    resultOf: shengResult,
  },
  {
    name: 'bae',
    paper: 'Bae et al. 2022, A Closer Look at Hardware-Friendly Weight Quantization',
    ...{ nets: baeNets, schemes: baeSchemes, comparesLayers: false },
    trained: 'bae',
    resultOf: baeResult,
  },
];

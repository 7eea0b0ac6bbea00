// SPDX-License-Identifier: Apache-2.0
import { absorbBiasStep } from './absorb-bias.js';
import { activationRangesStep } from './activation-ranges.js';
import { activationWidthStep } from './activation-width.js';
import { biasCorrectionStep } from './bias-correction.js';
import { distillStep } from './distill.js';
import { equalizeStep } from './equalize.js';
import { outputRangeStep } from './output-range.js';
import { pixelInputStep } from './pixel-input.js';
import { reconstructStep } from './reconstruct.js';
import { repairVarianceStep } from './repair-variance.js';
import type { Step } from './step.js';
import { weightsStep } from './weights.js';
import { wideOutputStep } from './wide-output.js';

export type { Context, LayerFigures, Outcome, State, Step } from './step.js';

/** All steps in the order in which they run; the recipe says which of them do. */
export const steps: readonly Step[] = [
  repairVarianceStep,
  equalizeStep,
  absorbBiasStep,
  activationWidthStep,
  activationRangesStep,
  pixelInputStep,
  wideOutputStep,
  outputRangeStep,
  weightsStep,
  reconstructStep,
  biasCorrectionStep,
  distillStep,
];

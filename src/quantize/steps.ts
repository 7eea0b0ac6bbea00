// SPDX-License-Identifier: Apache-2.0
import { absorbBiasStep } from './absorb-bias/step.js';
import { activationWidthStep } from './activation-width/step.js';
import { biasCorrectionStep } from './bias/step.js';
import { distillStep } from './distill/step.js';
import { equalizeStep } from './equalize/step.js';
import { outputRangeStep } from './output-range/step.js';
import { pixelInputStep } from './pixel-input/step.js';
import { activationRangesStep } from './ranges/step.js';
import { reconstructStep } from './reconstruct/step.js';
import { repairVarianceStep } from './repair-variance/step.js';
import { weightsStep } from './weights/step.js';
import { wideOutputStep } from './wide-output/step.js';

/**
 * All steps in the order in which they run. Recipes, their changes and the options of the command
 * line follow from this list (recipe.ts).
 */
export const steps = [
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
] as const;

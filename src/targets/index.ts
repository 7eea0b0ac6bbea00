// SPDX-License-Identifier: Apache-2.0
import { didYouMean, UsageError } from '../errors.js';
import { dpu } from './dpu.js';
import { espDlP4, espDlS3 } from './esp-dl.js';
import { ethosU } from './ethos-u.js';
import { fbgemm, fbgemmAvx2 } from './fbgemm.js';
import { finn } from './finn.js';
import { k210 } from './k210.js';
import { max78000 } from './max78000.js';
import { nvdla } from './nvdla.js';
import { onnxruntime, onnxruntimeArm64, onnxruntimeAvx2, onnxruntimeSse41 } from './onnxruntime.js';
import { pow2, pow2Unsigned } from './pow2.js';
import { qnnpack } from './qnnpack.js';
import type { TargetSpec } from './target.js';
import {
  jacob2018,
  sheng2018,
  tfliteBuiltinArm,
  tfliteBuiltinX86,
  tfliteRef,
  tfliteU8,
} from './tflite.js';
import { q31PerChannel, tflm, tflmSingle } from './tflm.js';
import { tosaDouble, tosaSingle } from './tosa.js';
import { xnnpack, xnnpackRndnu } from './xnnpack.js';

export type { TargetSpec } from './target.js';

/** Every profile, the common ones first. A new one is a data file and a line here. */
export const allTargets: readonly TargetSpec[] = [
  tflm,
  onnxruntime,
  pow2,
  pow2Unsigned,
  q31PerChannel,
  tflmSingle,
  tfliteRef,
  tfliteU8,
  tfliteBuiltinX86,
  tfliteBuiltinArm,
  xnnpack,
  xnnpackRndnu,
  onnxruntimeAvx2,
  onnxruntimeSse41,
  onnxruntimeArm64,
  qnnpack,
  fbgemm,
  fbgemmAvx2,
  tosaSingle,
  tosaDouble,
  ethosU,
  nvdla,
  dpu,
  max78000,
  espDlS3,
  espDlP4,
  k210,
  finn,
  jacob2018,
  sheng2018,
];

/**
 * The profile with this id (`tflm@2024.1`) or alias (`tflm`).
 *
 * @throws UsageError listing what there is
 */
export function findTarget(name: string): TargetSpec {
  const found = allTargets.find(({ id, aliases }) => id === name || aliases.includes(name));
  if (found !== undefined) return found;
  const known = allTargets.map(({ id, aliases }) => [...aliases, id][0]!);
  const names = allTargets.flatMap(({ id, aliases }) => [...aliases, id]);
  throw new UsageError(
    'unknown-target',
    `target "${name}"`,
    `expected one of ${known.join(', ')}, or a full id${didYouMean(name, names)}; lastbit targets describes them`,
  );
}

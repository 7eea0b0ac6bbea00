// SPDX-License-Identifier: Apache-2.0
// Numbers of the enumerations in a file: each is numbered from 0 in the order given here, which is
// the order of NOTES.md.
import type {
  Accumulator,
  AddForm,
  AverageForm,
  ConvOp,
  InputQuantization,
  Op,
  Requant,
  ResizeForm,
  SoftmaxForm,
  Stage,
} from './program.js';

/** The first four bytes of a file. */
export const magic = 'LBP1';

/** Magic, version, total bytes, CRC-32. */
export const headerBytes = 16;

export const inputForms = [
  'divide',
  'multiplyInverse',
] as const satisfies readonly InputQuantization['form'][];
export const opcodes = [
  'conv',
  'add',
  'mul',
  'averagePool',
  'maxPool',
  'concat',
  'pad',
  'reshape',
  'lut',
  'softmax',
  'splice',
  'resize',
] as const satisfies readonly Op['op'][];
export const weightTypes = ['s8', 'u8', 's16'] as const satisfies readonly ConvOp['weightType'][];
export const overflows = [
  'wrap',
  'saturate',
  'saturateSymmetric',
  'trap',
] as const satisfies readonly Accumulator['overflow'][];
export const moments = ['each', 'end'] as const satisfies readonly Accumulator['when'][];
export const productKinds = [
  'exact',
  'satPairs16',
] as const satisfies readonly Accumulator['products'][];
export const requantKinds = [
  'none',
  'fixed',
  'f32',
  'shift',
  'stages',
  'f32Rule',
  'f64',
] as const satisfies readonly Requant['kind'][];
export const stageKinds = [
  'add',
  'multiply',
  'shift',
  'saturate',
  'clamp',
  'segments',
  'thresholds',
] as const satisfies readonly Stage['kind'][];
export const addKinds = [
  'rescaled',
  'aligned',
  'f32',
  'requant',
  'tables',
] as const satisfies readonly AddForm['kind'][];
export const f32AddForms = ['separate', 'fused', 'direct'] as const satisfies readonly Extract<
  AddForm,
  { kind: 'f32' }
>['form'][];
export const averageKinds = [
  'divide',
  'requant',
  'f32Window',
] as const satisfies readonly AverageForm['kind'][];
export const resizeKinds = [
  'integer',
  'f32Codes',
  'f32Reals',
  'f32Shares',
] as const satisfies readonly ResizeForm['kind'][];
export const softmaxKinds = [
  'gemmlowp',
  'f32Table',
  'wideTable',
] as const satisfies readonly SoftmaxForm['kind'][];

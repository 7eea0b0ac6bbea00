// SPDX-License-Identifier: Apache-2.0
// What a layer's registers and memories hold before the first image, as arrays; single numbers are
// attributes. Names and meanings are those of program/NOTES.md.
import type { NpyDType } from '../data/index.js';
import { bitsOfType } from '../numeric/code-types.js';
import type {
  CodeClamp,
  ConvOp,
  Op,
  Requant,
  ResizeAxis,
  ResizeOp,
  ResizeWeights,
  Stage,
} from '../program/program.js';
import type { GoldenArray, Role } from './array.js';

/** JSON-able facts of a layer: geometry, rules, single numbers. */
type Attributes = Readonly<Record<string, unknown>>;

export interface LayerRegisters {
  readonly arrays: readonly GoldenArray[];
  readonly attributes: Attributes;
}

/** All that an operation knows besides its inputs' codes. */
export function registersOf(op: Op): LayerRegisters {
  switch (op.op) {
    case 'conv':
      return convRegisters(op);
    case 'add':
    case 'averagePool':
    case 'softmax':
      return plain(op, [...formArrays(op.form), ...('clamp' in op ? clampArrays(op.clamp) : [])]);
    case 'mul':
      return plain(op, [...requantArrays(op.requant), ...clampArrays(op.clamp)]);
    case 'maxPool':
      return plain(op, clampArrays(op.clamp));
    case 'lut':
      return plain(op, [vector('table', 'table', 's32', op.table, 'K')]);
    case 'resize':
      return plain(op, resizeArrays(op));
    case 'concat':
    case 'pad':
    case 'reshape':
    case 'splice':
      return plain(op, []);
  }
}

function resizeArrays({ form, rows, columns }: ResizeOp): GoldenArray[] {
  const table = (name: string, dtype: NpyDType, data: Vector): GoldenArray =>
    vector('table', name, dtype, data, 'K');
  const positions = (axis: string, { first, second }: ResizeAxis): GoldenArray[] => [
    table(`${axis}-first`, 's32', first),
    table(`${axis}-second`, 's32', second),
  ];
  const weights = (axis: string, held: Int32Array | ResizeWeights): GoldenArray[] =>
    held instanceof Int32Array
      ? [table(`${axis}-weights`, 's32', held)]
      : [
          table(`${axis}-first-weights`, 'f32', held.first),
          table(`${axis}-second-weights`, 'f32', held.second),
        ];
  return [
    ...positions('row', rows),
    ...positions('column', columns),
    ...weights('row', form.rows),
    ...weights('column', form.columns),
  ];
}

const dtypeOfWeights = { s8: 's8', u8: 'u8', s16: 's16' } as const;

function convRegisters(op: ConvOp): LayerRegisters {
  const [height, width] = op.kernel;
  const outputs = op.bias.length;
  const dtype = dtypeOfWeights[op.weightType];
  const weights: GoldenArray = {
    role: 'weights',
    name: 'weights',
    dtype,
    axes: 'OHWI',
    shape: [outputs, height, width, op.weights.length / (outputs * height * width)],
    data: op.weights,
    filler: op.weightZeroPoints[0]!,
    bits: bitsOfType[op.weightType],
  };
  return plain(op, [
    weights,
    vector('weight-zero-points', 'weight-zero-points', 's32', op.weightZeroPoints),
    vector('bias', 'bias', 's32', op.bias),
    ...requantArrays(op.requant),
    ...clampArrays(op.clamp),
  ]);
}

type Vector = GoldenArray['data'];

/** One entry for all channels, or one each. */
function vector(role: Role, name: string, dtype: NpyDType, data: Vector, axes = 'O'): GoldenArray {
  const bits = 8 * data.BYTES_PER_ELEMENT;
  return { role, name, dtype, axes, shape: [data.length], data, filler: 0, bits };
}

function clampArrays({ lo, hi }: CodeClamp): GoldenArray[] {
  return [vector('clamp-min', 'clamp-min', 's32', lo), vector('clamp-max', 'clamp-max', 's32', hi)];
}

function requantArrays(requant: Requant): GoldenArray[] {
  switch (requant.kind) {
    case 'none':
      return [];
    case 'fixed':
      return [
        vector('multipliers', 'multipliers', 's32', requant.multiplier),
        vector('shifts', 'shifts', 'u8', requant.shift),
      ];
    case 'shift':
      return [vector('shifts', 'shifts', 's8', requant.shift)];
    case 'f32':
    case 'f32Rule':
      return [vector('scales', 'scales', 'f32', requant.scale)];
    case 'f64':
      return [vector('scales', 'scales', 'f64', requant.scale)];
    case 'stages':
      return requant.stages.flatMap(stageArrays);
  }
}

/** The arrays of one step, named by its place and kind. */
function stageArrays(stage: Stage, index: number): GoldenArray[] {
  const own = (name: string, dtype: NpyDType, data: Vector): GoldenArray =>
    vector('stage', `stage-${index}-${stage.kind}-${name}`, dtype, data);
  switch (stage.kind) {
    case 'saturate':
      return [];
    case 'add':
      return [own('value', 's64', stage.value)];
    case 'multiply':
      return [own('factor', 's32', stage.factor)];
    case 'shift':
      return [own('shift', 's8', stage.shift)];
    case 'clamp':
      return [own('min', 's64', stage.lo), own('max', 's64', stage.hi)];
    case 'segments':
      return [
        own('start', 's64', stage.start),
        own('multiplier', 's32', stage.multiplier),
        own('shift', 'u8', stage.shift),
        own('offset', 's64', stage.offset),
      ];
    case 'thresholds':
      return [
        {
          ...own('values', 's64', stage.values),
          axes: 'OK',
          shape: [stage.values.length / stage.count, stage.count],
        },
      ];
  }
}

type Form = Extract<Op, { readonly form: unknown }>['form'];

function formArrays(form: Form): GoldenArray[] {
  const requant = 'requant' in form ? requantArrays(form.requant) : [];
  const table = (name: string, dtype: NpyDType, data: Vector): GoldenArray =>
    vector('table', name, dtype, data, 'K');
  if (form.kind === 'tables')
    return [table('table-a', 's32', form.tableA), table('table-b', 's32', form.tableB), ...requant];
  if (form.kind === 'f32Table') return [table('table', 'f32', form.table)];
  if (form.kind === 'wideTable')
    return [table('exp', 's16', form.exp), table('reciprocal', 's16', form.reciprocal)];
  return requant;
}

/** Arrays by themselves; what is left of the operation are its attributes. */
function plain(op: Op, arrays: readonly GoldenArray[]): LayerRegisters {
  const known = new Set(['name', 'inputs', 'output']);
  const rest = Object.entries(op).filter(([key]) => !known.has(key));
  return { arrays, attributes: withoutArrays(Object.fromEntries(rest)) as Attributes };
}

function withoutArrays(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutArrays);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([, field]) => !ArrayBuffer.isView(field));
  return Object.fromEntries(kept.map(([key, field]) => [key, withoutArrays(field)]));
}

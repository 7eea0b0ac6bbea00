// SPDX-License-Identifier: Apache-2.0
// The only place that loads the addon. What it says to the addon and hears from it is typed here;
// native/addon/addon.cc is the other side.
import type { GramSum } from '../calibrate/gram.js';
import { UsageError } from '../errors.js';
import type { Codes } from '../numeric/code-types.js';
import { programVersion } from '../program/program.js';
import type { RoundedWeights, RoundingProblem } from '../quantize/reconstruct/solver.js';
import { type EngineFile, findEngine, loadEngine } from './find-engine.js';

/** Names of instruction sets that LASTBIT_ISA and the option `isa` take. */
export const isaNames = [
  'ref',
  'sse41',
  'avx2',
  'avx512',
  'vnni',
  'amx',
  'avxvnni',
  'neon',
  'neondot',
  'i8mm',
] as const;

/** One instruction set and all that it stands on; `ref` is plain C++. */
export type Isa = (typeof isaNames)[number];

/** Numbered as in the program's format. */
export interface NativeTensor {
  readonly name: string;
  readonly type: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly zeroPoint: number;
  readonly scale: number;
}

interface NativeOp {
  readonly name: string;
  readonly opcode: number;
  readonly output: number;
  readonly kernel: string;
  readonly macs: number;
  readonly accMin: bigint;
  readonly accMax: bigint;
}

export interface NativeInfo {
  readonly target: string;
  readonly input: number;
  readonly outputs: readonly number[];
  readonly tensors: readonly NativeTensor[];
  readonly ops: readonly NativeOp[];
  readonly threads: number;
  readonly tier: Isa;
  readonly arenaBytes: number;
}

export interface NativeTrap {
  readonly op: number;
  readonly element: number;
  readonly value: bigint;
}

/** Codes, reals (NCHW), or pixels (NHWC) with 256 codes for each channel. */
export type NativeInput = Codes | Float32Array | readonly [pixels: Uint8Array, table: Int32Array];

/** The first trap, a NaN among the reals, a cancelled run, or nothing to report. */
export type NativeOutcome = NativeTrap | 'not-a-number' | 'cancelled' | null;

export interface NativeEngine {
  info(): NativeInfo;
  runSync(
    input: NativeInput,
    tensors: readonly number[],
    arrays: readonly Codes[],
    opNs?: Float64Array,
  ): NativeOutcome;
  run(
    input: NativeInput,
    tensors: readonly number[],
    arrays: readonly Codes[],
    token?: NativeCancelToken,
  ): Promise<NativeOutcome>;
  runMany(
    inputs: readonly NativeInput[],
    tensors: readonly number[],
    arrays: readonly (readonly Codes[])[],
    token?: NativeCancelToken,
  ): Promise<NativeOutcome[]>;
  close(): void;
}

/** Asks the runs that were given it to end. */
export interface NativeCancelToken {
  cancel(): void;
}

export interface Native {
  readonly interfaceVersion: number;
  readonly programVersion: number;
  /** The best instruction set of this CPU. */
  readonly tier: Isa;
  /** Those that this CPU has. */
  readonly tiers: readonly Isa[];
  readonly allTiers: readonly Isa[];
  /** Throws an Error with a number `offset` for bytes that are no program. */
  readonly Engine: new (
    bytes: Uint8Array,
    threads: number,
    tier: string,
    reference: boolean,
  ) => NativeEngine;
  readonly CancelToken: new () => NativeCancelToken;
  readonly GramSum: new (geometry: Int32Array, threads: number, cross: boolean) => GramSum;
  roundWeights(problem: RoundingProblem & { readonly threads: number }): Promise<RoundedWeights>;
}

const interfaceVersion = 5;

let loaded: Native | undefined;

/**
 * The addon, loaded once.
 *
 * @throws UsageError `no-addon` where there is none or it does not load, `addon-version` where it
 * was built from other sources than this TypeScript
 */
export function native(): Native {
  loaded ??= open(findEngine());
  return loaded;
}

function open(file: EngineFile): Native {
  const addon = loadEngine(file) as Native;
  if (addon.interfaceVersion === interfaceVersion && addon.programVersion === programVersion) {
    return addon;
  }
  throw new UsageError(
    'addon-version',
    file.path,
    `expected interface ${interfaceVersion} and program version ${programVersion}, got ` +
      `${addon.interfaceVersion} and ${addon.programVersion}; ` +
      (file.from === 'package' ? 'install lastbit again' : 'run "npm run build:native"'),
  );
}

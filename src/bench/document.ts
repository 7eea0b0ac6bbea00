// SPDX-License-Identifier: Apache-2.0
import type { NetworkLayer } from '../analyze/index.js';
import type { ModelFiles } from '../data/index.js';
import type { Exactness } from './exactness.js';
import type { RatioSpread } from './interleave.js';
import type { LayerTime } from './layers.js';
import type { Quietness } from './machine.js';

/** A peer that was timed. */
export interface TimedPeer {
  readonly name: string;
  readonly version: string;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly minMs: number;
  readonly runs: number;
  /** Peer's p50 / lastbit's p50: above 1, lastbit is faster. */
  readonly ratio: number;
  /** The same by neighbouring blocks of the interleaved run: median, 10th and 90th percentile. */
  readonly ratioSpread: RatioSpread;
  /** Share of inputs on which its top-1 is the reference's, percent; null where not compared. */
  readonly top1Agreement: number | null;
  /** Of a summary row: the form that was fastest. */
  readonly fastestOf?: string;
}

/** A peer that was left out, and why. */
export interface ExcludedPeer {
  readonly name: string;
  readonly excluded: string;
}

/** Another runtime beside lastbit: its median latency and ratio, or why it did not run. */
export type Peer = TimedPeer | ExcludedPeer;

/** Result of `lastbit bench`. Times in milliseconds, sizes in MiB. */
export interface BenchDocument {
  readonly model: string;
  readonly models: ModelFiles;
  readonly target: string;
  readonly cpu: string;
  readonly isa: string;
  readonly threads: number;
  readonly runs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly minMs: number;
  /** From the bytes of a .lbp to an engine that can run: median of several. */
  readonly loadMs: number;
  /** Greatest resident set of a fresh process that loads the program and runs it ten times. */
  readonly peakRssMiB: number;
  /** Resident set of that process after ten runs minus before the load. */
  readonly addedRssMiB: number;
  /** The engine's memory for activations. */
  readonly arenaMiB: number;
  readonly layers: readonly LayerTime[];
  /** Every operation, with what feeds it. */
  readonly network: readonly NetworkLayer[];
  /** Values of all layers against the executors that define them, in this same run. */
  readonly exact: Exactness & {
    readonly against: readonly string[];
    /** Images, random and real. */
    readonly inputs: number;
  };
  readonly machine: Quietness;
  readonly node: string;
  readonly peers: readonly Peer[];
}

// SPDX-License-Identifier: Apache-2.0
import { networkOf } from '../analyze/index.js';
import { modelFiles } from '../data/index.js';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { BenchDocument } from '../bench/document.js';
import { compareRuns, together, type Exactness } from '../bench/exactness.js';
import { interleave, type Schedule } from '../bench/interleave.js';
import { quantile } from '../bench/latency.js';
import { timeLayers } from '../bench/layers.js';
import { cpuName, measureQuietness } from '../bench/machine.js';
import { measureMemory } from '../bench/memory.js';
import { openPeers, peerNames, type PeerInput, type PeerName } from '../bench/peers.js';
import { randomCodes, realsOf } from '../bench/random-codes.js';
import { summarizePeers } from '../bench/summary.js';
import { Engine, type EngineOptions } from '../engine/engine.js';
import type { Isa } from '../engine/native.js';
import { didYouMean, UsageError } from '../errors.js';
import type { Codes } from '../numeric/code-types.js';
import { encode } from '../program/encode.js';
import { interpret } from '../program/interpret.js';
import type { Program } from '../program/program.js';
import { presetOf, programOf } from './choose-program.js';
import { openExecutor } from './executor.js';
import { openInputs, programInput, type InputOptions } from './inputs.js';
import { loadFloatModel, loadQuantizedModel } from './load-model.js';
import type { ProgressListener } from './progress.js';

/** Options of `bench`, as on the command line. */
export interface BenchModelOptions extends Omit<InputOptions, 'input'> {
  /** Any quantized model. */
  readonly model: string;
  readonly target?: string | undefined;
  /** 1 by default. */
  readonly threads?: number | undefined;
  /** Timed runs; 200 by default. */
  readonly runs?: number | undefined;
  /** Greatest instruction set. */
  readonly isa?: string | undefined;
  /** Peers to take turns with: onnxruntime, onednn, litert, loops. */
  readonly vs?: readonly string[] | undefined;
  /** The float original, for onnxruntime's float row; else the integers' real values. */
  readonly float?: string | undefined;
  /** Compare with the TypeScript interpreter as well (seconds an image). */
  readonly verify?: 'interpreter' | undefined;
  readonly seed?: number | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

/** As many inputs as decide whether a peer computes the same network. */
const inputCount = 10;
const loads = 5;

/** One input, as lastbit and as others take it. */
interface BenchInput {
  readonly codes: Codes;
  readonly real: Float32Array;
}

/**
 * Times a program whole and by layer, its load and its memory; compares what was timed with the
 * executors that define the result; times peers in turns with it.
 *
 * @throws UsageError, ModelError; differing values are part of the document
 */
export async function benchModel(options: BenchModelOptions): Promise<BenchDocument> {
  const { threads = 1, onProgress } = options;
  const names = checkedPeers(options.vs ?? []);
  const model = await loadQuantizedModel(options.model, options);
  const program = programOf(model, options.target);
  const float =
    options.float === undefined ? undefined : await loadFloatModel(options.float, options);
  const bytes = encode(program);
  const inputs = await readInputs(program, presetOf(model), options);
  const engine = Engine.load(bytes, engineOptions(options, threads));
  const folder = mkdtempSync(join(tmpdir(), 'lastbit-bench-'));
  try {
    const files = {
      programFile: join(folder, 'program.lbp'),
      codesFile: join(folder, 'input.bin'),
    };
    const [first] = inputs;
    writeFileSync(files.programFile, bytes);
    writeFileSync(files.codesFile, bytesOf(first!.codes));
    const exact = checkExactness(program, bytes, engine, inputs, options);
    onProgress?.('exactness', 1, 1);
    const field = await openPeers(names, {
      quantGraph: model.kind === 'quantized' ? model.quantGraph : undefined,
      float: float?.graph,
      inputs: inputs.map((input) => peerInput(engine, input)),
      realImages: options.images !== undefined,
      threads,
      forcedIsa: options.isa === undefined ? undefined : engine.isa,
      tfliteFile: options.model.endsWith('.tflite') ? options.model : undefined,
      onnxFile: options.model.endsWith('.onnx') ? options.model : undefined,
      ...files,
    });
    try {
      const machine = await measureQuietness();
      const outputs = engine.outputs.map((tensor) => randomCodes(tensor, 0));
      const subject = {
        name: 'lastbit',
        run: () => void engine.runSync(first!.codes, { outputs }),
      };
      const schedule = scheduleOf(options.runs ?? 200);
      const [own, ...others] = await interleave(
        [subject, ...field.open.map(({ contender }) => contender)],
        schedule,
        (done, rounds) => onProgress?.('runs', done, rounds),
      );
      const { p50Ms, p90Ms, p99Ms, minMs, runs } = own!.latency;
      const { peakRssMiB, addedRssMiB } = measureMemory(files.programFile, engine.isa);
      return {
        model: options.model,
        models: modelFiles({ quantized: options.model }),
        target: program.target,
        cpu: cpuName(),
        isa: engine.isa,
        threads,
        runs,
        p50Ms,
        p90Ms,
        p99Ms,
        minMs,
        loadMs: timeLoads(bytes, engineOptions(options, threads)),
        peakRssMiB,
        addedRssMiB,
        arenaMiB: engine.arenaBytes / 2 ** 20,
        layers: timeLayers(engine, first!.codes, Math.min(runs, 100)),
        network: networkOf(program),
        exact,
        machine,
        node: process.version,
        peers: [...summarizePeers(own!, field.open, others), ...field.excluded],
      };
    } finally {
      for (const peer of field.open) await peer.close();
    }
  } finally {
    engine.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function checkedPeers(names: readonly string[]): readonly PeerName[] {
  return names.map((name) => {
    const known = peerNames.find((peer) => peer === name);
    if (known !== undefined) return known;
    throw new UsageError(
      'unknown-peer',
      '--vs',
      `expected ${peerNames.join(', ')}, got "${name}"${didYouMean(name, peerNames)}`,
    );
  });
}

/** Options of the engine that is timed; the engine itself checks them. */
function engineOptions({ isa }: BenchModelOptions, threads: number): EngineOptions {
  return { threads, ...(isa === undefined ? {} : { isa: isa as Isa }) };
}

function scheduleOf(runs: number): Schedule {
  return { runs, block: Math.max(1, Math.min(10, Math.floor(runs / 10))), warmup: 5 };
}

/** Real images first, then random ones; at least one of these, ten in all. */
async function readInputs(
  program: Program,
  preset: string | undefined,
  options: BenchModelOptions,
): Promise<readonly BenchInput[]> {
  const tensor = programInput(program) as Program['tensors'][number];
  const inputs: BenchInput[] = [];
  if (options.images !== undefined) {
    const limit = Math.min(options.limit ?? inputCount, inputCount);
    const reader = openInputs(programInput(program), preset, { ...options, limit });
    const executor = openExecutor(program, reader.preprocessing);
    try {
      for await (const sample of reader.source) {
        inputs.push({ codes: executor.codesOf(sample), real: sample.input });
      }
    } finally {
      executor.close();
    }
    return inputs;
  }
  for (let i = 0; i < inputCount; i += 1) {
    const codes = randomCodes(tensor, (options.seed ?? 1) + i);
    inputs.push({ codes, real: realsOf(tensor, codes) });
  }
  return inputs;
}

/** Compares a random image and, where there are some, a real one. */
function checkExactness(
  program: Program,
  bytes: Uint8Array,
  engine: Engine,
  inputs: readonly BenchInput[],
  { seed = 1, verify, images }: BenchModelOptions,
): BenchDocument['exact'] {
  const random = randomCodes(program.tensors[program.input]!, seed);
  const checked = images === undefined ? [random] : [random, inputs[0]!.codes];
  const timed = (codes: Codes) => engine.runSync(codes, { taps: 'all' });
  const reference = Engine.load(bytes, { reference: true });
  const against = ['reference'];
  let exact: Exactness;
  try {
    const defined = (codes: Codes) => reference.runSync(codes, { taps: 'all' });
    exact = compareRuns(timed, defined, checked);
  } finally {
    reference.close();
  }
  if (verify === 'interpreter') {
    against.push('interpreter');
    const defined = (codes: Codes) => interpret(program, codes, { taps: 'all' });
    exact = together(exact, compareRuns(timed, defined, checked));
  }
  return { ...exact, against, inputs: checked.length };
}

function peerInput(engine: Engine, { codes, real }: BenchInput): PeerInput {
  const [output] = engine.runSync(codes).outputs;
  return { real, output: output?.data ?? [] };
}

function timeLoads(bytes: Uint8Array, options: EngineOptions): number {
  const times = Array.from({ length: loads }, () => {
    const begin = performance.now();
    const engine = Engine.load(bytes, options);
    const taken = performance.now() - begin;
    engine.close();
    return taken;
  });
  return quantile(
    times.sort((a, b) => a - b),
    0.5,
  );
}

function bytesOf(codes: Codes): Uint8Array {
  return new Uint8Array(codes.buffer, codes.byteOffset, codes.byteLength);
}

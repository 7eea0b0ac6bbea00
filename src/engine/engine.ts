// SPDX-License-Identifier: Apache-2.0
// The native executor as a class. Options, names and lengths are checked here; then it is one
// native call.
import { crc32 } from 'node:zlib';
import { LimitError, ModelError, UsageError } from '../errors.js';
import type { Codes } from '../numeric/code-types.js';
import { encode } from '../program/encode.js';
import type { CodeTensor, RunOptions, RunResult, Trap } from '../program/executor.js';
import { opcodes } from '../program/format.js';
import type { Op, Program } from '../program/program.js';
import { abortable } from './abort.js';
import { type EngineInput, nativeInput } from './input.js';
import {
  isaNames,
  native,
  type Isa,
  type NativeEngine,
  type NativeInfo,
  type NativeCancelToken,
  type NativeInput,
  type NativeOutcome,
  type NativeTrap,
} from './native.js';
import { allocate, checkCodes, described } from './tensors.js';

export interface EngineOptions {
  /** Threads that work on one image, 1 to 256; 1 by default. Results do not depend on it. */
  readonly threads?: number;
  /** Greatest instruction set to use; by default LASTBIT_ISA, else the best of this CPU. */
  readonly isa?: Isa;
  /** Reference kernels for all operations: slow, and the definition. */
  readonly reference?: boolean;
}

export interface EngineRunOptions extends RunOptions {
  /** Arrays to fill with the outputs, instead of newly allocated ones; in the order of outputs. */
  readonly outputs?: readonly Codes[];
}

/** For runs off the thread. */
export interface AbortOptions {
  /** Ends the run within a task of the engine (milliseconds); the promise rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** One operation, as the engine runs it. */
export interface EngineLayer {
  readonly name: string;
  readonly op: Op['op'];
  /** Family and instruction set of its kernel, such as `gemm_u8s8_vnni` or `add_ref`. */
  readonly kernel: string;
  /** Multiplications of a convolution; 0 for other operations. */
  readonly macs: number;
  /** What partial sums of a convolution can reach, over all channels; 0n for other operations. */
  readonly accumulatorMin: bigint;
  readonly accumulatorMax: bigint;
}

const maxThreads = 256;

/** The instruction sets of this CPU that `isa` may name, weakest first. */
export function availableIsas(): readonly Isa[] {
  return native().tiers;
}

/** A program, loaded into native code with its weights packed. Runs are exact and repeatable. */
export class Engine {
  /** Full id of the target whose arithmetic the program carries. */
  readonly target: string;
  /** Instruction set that kernels were chosen for. */
  readonly isa: Isa;
  readonly threads: number;
  /** Bytes of the activations' arena. */
  readonly arenaBytes: number;
  readonly layers: readonly EngineLayer[];
  private readonly info: NativeInfo;
  private handle: NativeEngine | undefined;

  private constructor(handle: NativeEngine) {
    this.handle = handle;
    this.info = handle.info();
    this.target = this.info.target;
    this.isa = this.info.tier;
    this.threads = this.info.threads;
    this.arenaBytes = this.info.arenaBytes;
    this.layers = this.info.ops.map((op) => ({
      name: op.name,
      op: opcodes[op.opcode]!,
      kernel: op.kernel,
      macs: op.macs,
      accumulatorMin: op.accMin,
      accumulatorMax: op.accMax,
    }));
  }

  /**
   * Loads a program, or the bytes of one (they are not needed afterwards).
   *
   * @throws ModelError `invalid-program` with the byte at fault
   * @throws UsageError for an option out of range, an instruction set that does not exist or that
   * this CPU lacks, or a missing addon
   */
  static load(programOrBytes: Program | Uint8Array, options: EngineOptions = {}): Engine {
    const threads = checkedThreads(options.threads ?? 1);
    const isa = forcedIsa(options.isa);
    const { Engine: Handle } = native();
    const bytes =
      programOrBytes instanceof Uint8Array ? checkedCrc(programOrBytes) : encode(programOrBytes);
    try {
      return new Engine(new Handle(bytes, threads, isa ?? '', options.reference ?? false));
    } catch (error) {
      throw invalidProgram(error as NativeError);
    }
  }

  /** Name, type, shape, scale and zero point of the input. */
  get input(): Omit<CodeTensor, 'data'> {
    return described(this.info.tensors[this.info.input]!);
  }

  /** The same of the outputs, in program order. */
  get outputs(): readonly Omit<CodeTensor, 'data'>[] {
    return this.info.outputs.map((index) => described(this.info.tensors[index]!));
  }

  /**
   * Runs one image on this thread and the engine's own.
   *
   * @param input NHWC codes of the input tensor, of its type; or f32 NCHW of the preprocessed
   * image, or pixels with a table, which become codes by the target's own input quantization
   * @returns outputs in program order and taps; after a trap no outputs, and the taps before it
   * @throws UsageError for an input of another type or length, an unknown tap, or a closed engine;
   * ModelError `not-a-number` for a NaN
   */
  runSync(input: EngineInput, options: EngineRunOptions = {}): RunResult {
    const request = this.request(input, options);
    const { tensors, arrays } = request;
    return this.result(request, this.open().runSync(request.input, tensors, arrays));
  }

  /**
   * Runs one image off this thread, on one of the engine's own; the arrays may be used again at once.
   * Runs of one engine take turns. Parameters and errors as for runSync; errors of the arguments reject.
   */
  async run(input: EngineInput, options: EngineRunOptions & AbortOptions = {}): Promise<RunResult> {
    const request = this.request(input, options);
    const { tensors, arrays } = request;
    const outcome = await off(options.signal, (token) =>
      this.open().run(request.input, tensors, arrays, token),
    );
    return this.result(request, outcome);
  }

  /**
   * Runs many images off this thread, one image per thread: more images a second than `run`, each
   * of them later. Parameters and errors as for run.
   */
  async runMany(
    images: readonly EngineInput[],
    options: RunOptions & AbortOptions = {},
  ): Promise<readonly RunResult[]> {
    if (images.length === 0) return [];
    const requests = images.map((input) => this.request(input, options));
    const inputs = requests.map(({ input }) => input);
    const arrays = requests.map((request) => request.arrays);
    const { tensors } = requests[0]!;
    const outcomes = await off(options.signal, (token) =>
      this.open().runMany(inputs, tensors, arrays, token),
    );
    return requests.map((request, i) => this.result(request, outcomes[i]!));
  }

  /**
   * Runs one image and measures each operation.
   *
   * @returns nanoseconds by operation, in the order of `layers`
   */
  timeLayers(input: EngineInput): Float64Array {
    const request = this.request(input, {});
    const opNs = new Float64Array(this.layers.length);
    this.open().runSync(request.input, request.tensors, request.arrays, opNs);
    return opNs;
  }

  /** Lets go of the native memory; runs in flight end first. Closing twice is no error. */
  close(): void {
    this.handle?.close();
    this.handle = undefined;
  }

  private open(): NativeEngine {
    if (this.handle !== undefined) return this.handle;
    throw new UsageError(
      'closed-engine',
      'engine',
      'expected an open engine; load the program again',
    );
  }

  private request(given: EngineInput, options: EngineRunOptions): Request {
    const { outputs } = this.info;
    const input = nativeInput(given, this.info.tensors[this.info.input]!);
    const taps = this.tappedTensors(options.taps ?? []);
    const outputArrays = this.outputArrays(options.outputs);
    const tapArrays = taps.map((index) => allocate(this.info.tensors[index]!));
    return { input, tensors: [...outputs, ...taps], arrays: [...outputArrays, ...tapArrays] };
  }

  /** The caller's arrays, or new ones. */
  private outputArrays(given: readonly Codes[] | undefined): readonly Codes[] {
    const tensors = this.info.outputs.map((index) => this.info.tensors[index]!);
    if (given === undefined) return tensors.map(allocate);
    if (given.length !== tensors.length) {
      throw new UsageError(
        'output-arrays',
        'outputs',
        `expected ${tensors.length}, got ${given.length}`,
      );
    }
    given.forEach((array, i) => {
      checkCodes(array, tensors[i]!, 'output');
    });
    return given;
  }

  private result({ tensors, arrays }: Request, outcome: NativeOutcome): RunResult {
    const { outputs } = this.info;
    const trap = this.trapOf(outcome);
    const written = this.writtenBefore(trap);
    const taken = tensors.map((index, i) => ({
      index,
      codes: { ...described(this.info.tensors[index]!), data: arrays[i]! },
    }));
    const taps = taken.slice(outputs.length).filter(({ index }) => written.has(index));
    return {
      outputs: trap === null ? taken.slice(0, outputs.length).map(({ codes }) => codes) : [],
      taps: new Map(taps.map(({ codes }) => [codes.name, codes])),
      ...(trap === null ? {} : { trap: this.named(trap) }),
    };
  }

  private trapOf(outcome: NativeOutcome): NativeTrap | null {
    if (outcome === 'cancelled') throw new DOMException('The run was cancelled', 'AbortError');
    if (outcome !== 'not-a-number') return outcome;
    throw new ModelError(
      'not-a-number',
      `input "${this.input.name}"`,
      'holds a NaN; repair the image or its preprocessing',
    );
  }

  /** Tensors that a run writes, up to the trap if there was one. */
  private writtenBefore(trap: NativeTrap | null): ReadonlySet<number> {
    const { input, ops } = this.info;
    return new Set([input, ...ops.slice(0, trap?.op ?? ops.length).map((op) => op.output)]);
  }

  private named({ op, element, value }: NativeTrap): Trap {
    return { layer: this.info.ops[op]!.name, element, value };
  }

  /** Indices of the tensors that `taps` names, in program order, each once. */
  private tappedTensors(taps: 'all' | readonly string[]): number[] {
    const { input, ops, tensors } = this.info;
    const written = ops.map((op) => op.output);
    if (taps === 'all') return written;
    const names = new Map<string, number>([
      ...ops.map((op) => [op.name, op.output] as const),
      ...[input, ...written].map((index) => [tensors[index]!.name, index] as const),
    ]);
    const wanted = new Set(taps.map((name) => names.get(name) ?? unknownTap(name, names.keys())));
    return [input, ...written].filter((index) => wanted.has(index));
  }
}

/** An input; tensors to copy out and the arrays that take them: outputs first, then taps. */
interface Request {
  readonly input: NativeInput;
  readonly tensors: readonly number[];
  readonly arrays: readonly Codes[];
}

function unknownTap(name: string, known: Iterable<string>): never {
  throw new UsageError(
    'unknown-tap',
    `tap "${name}"`,
    `expected the name of an operation or a tensor, such as ${[...known].slice(0, 8).join(', ')}`,
  );
}

function checkedThreads(threads: number): number {
  if (Number.isInteger(threads) && threads >= 1 && threads <= maxThreads) return threads;
  throw new UsageError('threads', 'threads', `expected 1 to ${maxThreads}, got ${threads}`);
}

/**
 * The instruction set that the option or, without it, LASTBIT_ISA forces, if any.
 *
 * @throws UsageError `unknown-isa`, `missing-isa` where this CPU lacks it
 */
export function forcedIsa(option: string | undefined): Isa | undefined {
  const fromEnvironment = option === undefined;
  const name = option ?? process.env.LASTBIT_ISA;
  if (name === undefined || name === '') return undefined;
  const where = fromEnvironment ? 'LASTBIT_ISA' : 'isa';
  const isa = isaNames.find((known) => known === name);
  if (isa === undefined) {
    throw new UsageError(
      'unknown-isa',
      where,
      `expected one of ${isaNames.join(', ')}, got "${name}"`,
    );
  }
  const available = availableIsas();
  if (available.includes(isa)) return isa;
  throw new UsageError('missing-isa', where, `this CPU has ${available.join(', ')}, not ${isa}`);
}

/** A file cut short or altered is told apart from one that was made wrong. */
function checkedCrc(bytes: Uint8Array): Uint8Array {
  const headerBytes = 16;
  if (bytes.length < headerBytes) return bytes; // the loader says what is missing
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(8, true) !== bytes.length) return bytes; // likewise
  if (view.getUint32(12, true) === crc32(bytes.subarray(headerBytes))) return bytes;
  throw new ModelError('invalid-program', 'program', 'its CRC does not match; make it again');
}

/** Starts runs off the thread; what ends them is the signal's reason, or what the addon throws. */
async function off<Result>(
  signal: AbortSignal | undefined,
  start: (token: NativeCancelToken | undefined) => Promise<Result>,
): Promise<Result> {
  let outcome: Result;
  try {
    outcome = await abortable(signal, native(), start);
  } catch (error) {
    throw nativeError(error as NativeError);
  }
  const outcomes: readonly unknown[] = Array.isArray(outcome) ? outcome : [outcome];
  if (outcomes.includes('cancelled')) signal?.throwIfAborted();
  return outcome;
}

type NativeError = Error & { readonly offset?: number; readonly outOfMemory?: boolean };

function nativeError(error: NativeError): Error {
  if (error.outOfMemory !== true) return error;
  return new LimitError(
    'out-of-memory',
    'engine',
    'the system gives no more memory; close engines that are not needed, or take fewer threads',
  );
}

function invalidProgram(error: NativeError): Error {
  if (error.offset === undefined) return nativeError(error);
  return new ModelError(
    'invalid-program',
    `byte ${error.offset}`,
    `${error.message}; the program is damaged, make it again`,
  );
}

// SPDX-License-Identifier: Apache-2.0
// Who a program is timed against. A peer that cannot run the network, or runs it wrong, is listed
// with the reason and not timed.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Isa } from '../engine/native.js';
import type { Graph } from '../graph/graph.js';
import type { QuantGraph } from '../graph/quant-graph.js';
import { writeOnnx } from '../onnx/write/float.js';
import { writeQdq } from '../onnx/write/qdq.js';
import { writeQop } from '../onnx/write/qop.js';
import { withActivationType } from './activation-type.js';
import { dequantizeGraph } from './dequantize.js';
import type { ExcludedPeer } from './document.js';
import type { Contender } from './interleave.js';
import { type NativePeer, findNativePeer, openNativePeer } from './native-peers.js';
import { openOrtPeer } from './onnxruntime.js';

export const peerNames = ['onnxruntime', 'onednn', 'litert', 'loops'] as const;
export type PeerName = (typeof peerNames)[number];

/** A peer that is ready to take its turns. */
export interface OpenPeer {
  readonly name: string;
  readonly version: string;
  readonly top1Agreement: number | null;
  readonly contender: Contender;
  close(): void | Promise<void>;
}

/** An input as each side takes it, and what lastbit makes of it. */
export interface PeerInput {
  /** f32 NCHW */
  readonly real: Float32Array;
  /** lastbit's output codes. */
  readonly output: ArrayLike<number>;
}

export interface PeerSetup {
  /** Undefined for a .lbp, which holds no scales to write ONNX with. */
  readonly quantGraph: QuantGraph | undefined;
  /** The float original, where it is at hand. */
  readonly float: Graph | undefined;
  readonly inputs: readonly PeerInput[];
  /** Whether the inputs are real images: then the float network says what is right. */
  readonly realImages: boolean;
  readonly threads: number;
  /** lastbit's instruction set, if it was forced: oneDNN is held to the same. */
  readonly forcedIsa: Isa | undefined;
  /** The model itself, where it is a .tflite. */
  readonly tfliteFile: string | undefined;
  /** The model itself, where it is an .onnx. */
  readonly onnxFile: string | undefined;
  /** The program and the first input's codes as files, for peers in other processes. */
  readonly programFile: string;
  readonly codesFile: string;
}

export interface PeerField {
  readonly open: readonly OpenPeer[];
  readonly excluded: readonly ExcludedPeer[];
}

/** Opens all peers of the named kinds. */
export async function openPeers(names: readonly PeerName[], setup: PeerSetup): Promise<PeerField> {
  const open: OpenPeer[] = [];
  const excluded: ExcludedPeer[] = [];
  const attempt = async (name: string, start: () => Promise<OpenPeer>): Promise<void> => {
    try {
      open.push(await start());
    } catch (error) {
      excluded.push({ name, excluded: (error as Error).message.split('\n')[0]! });
    }
  };
  if (names.includes('onnxruntime')) await openRuntime(setup, attempt);
  if (names.includes('onednn')) await attempt('onednn-int8', () => openOneDnn(setup));
  if (names.includes('litert')) await attempt('litert-wasm-int8', () => openLiteRt(setup));
  if (names.includes('loops')) await attempt('loops-O2', () => openLoops(setup));
  return { open, excluded };
}

// --- onnxruntime -------------------------------------------------------------------------------

type Attempt = (name: string, start: () => Promise<OpenPeer>) => Promise<void>;

interface Form {
  readonly name: string;
  readonly bytes: () => Uint8Array;
}

async function openRuntime(setup: PeerSetup, attempt: Attempt): Promise<void> {
  const { quantGraph, float } = setup;
  const graph = float ?? (quantGraph && dequantizeGraph(quantGraph));
  if (graph === undefined || quantGraph === undefined) {
    await attempt('onnxruntime', () =>
      Promise.reject(new Error('a .lbp cannot be written as ONNX; give the .onnx or .tflite file')),
    );
    return;
  }
  // Real images are judged by the float network, others by what lastbit itself says.
  let expected = setup.inputs.map(({ output }) => argmax(output));
  await attempt('onnxruntime-fp32', async () => {
    const { shape } = graph.inputs[0]!;
    const peer = await openOrtPeer(writeOnnx(graph), shape, setup.inputs[0]!.real, setup.threads);
    if (setup.realImages) {
      expected = [];
      for (const { real } of setup.inputs) expected.push(argmax(await peer.outputOf(real)));
    }
    return {
      name: 'onnxruntime-fp32',
      version: peer.version,
      top1Agreement: null,
      contender: { name: 'onnxruntime-fp32', run: () => peer.run() },
      close: () => peer.close(),
    };
  });
  for (const form of [...ownForm(setup), ...integerForms(quantGraph)]) {
    await attempt(form.name, () => openForm(form, quantGraph, setup, expected));
  }
}

/** The file as the user has it, which its forms beside it may outrun. */
function ownForm({ onnxFile }: PeerSetup): readonly Form[] {
  if (onnxFile === undefined) return [];
  return [{ name: 'onnxruntime-file', bytes: () => readFileSync(onnxFile) }];
}

/** QDQ and QOperator files, with activations as they are best multiplied with the weights. */
export function integerForms(graph: QuantGraph): readonly Form[] {
  const convs = graph.nodes.filter((node) => node.op === 'Conv');
  const weights = convs.some(({ weight }) => weight.dtype === 'u8') ? 'u8' : 's8';
  const activations = weights === 'u8' ? (['u8'] as const) : (['u8', 's8'] as const);
  return activations.flatMap((dtype) => {
    const retyped = withActivationType(graph, dtype);
    const name = (form: string) => `onnxruntime-int8-${form}-${dtype}${weights}`;
    return [
      { name: name('qdq'), bytes: () => writeQdq(retyped) },
      { name: name('qop'), bytes: () => writeQop(retyped) },
    ];
  });
}

async function openForm(
  { name, bytes }: Form,
  graph: QuantGraph,
  { inputs, threads }: PeerSetup,
  expected: readonly number[],
): Promise<OpenPeer> {
  const { shape } = graph.values.get(graph.input)!;
  const peer = await openOrtPeer(bytes(), shape, inputs[0]!.real, threads);
  let agreeing = 0;
  for (const [i, { real }] of inputs.entries()) {
    const output = await peer.outputOf(real);
    // Integer logits may tie; the expected class among the highest is agreement.
    if (output[expected[i]!]! >= output[argmax(output)]!) agreeing += 1;
  }
  if (2 * agreeing < inputs.length) {
    await peer.close();
    throw new Error(
      `its top-1 is right on ${agreeing} of ${inputs.length} inputs only: it computes another network`,
    );
  }
  return {
    name,
    version: peer.version,
    top1Agreement: (100 * agreeing) / inputs.length,
    contender: { name, run: () => peer.run() },
    close: () => peer.close(),
  };
}

/** Index of the maximum, the lowest of several. */
function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i += 1) if (values[i]! > values[best]!) best = i;
  return best;
}

// --- programs of their own ---------------------------------------------------------------------

/** oneDNN's words for instruction sets, by lastbit's. */
const oneDnnIsa: Readonly<Partial<Record<Isa, string>>> = {
  sse41: 'SSE41',
  avx2: 'AVX2',
  avx512: 'AVX512_CORE',
  vnni: 'AVX512_CORE_VNNI',
  amx: 'AVX512_CORE_AMX',
  avxvnni: 'AVX2_VNNI',
};

async function openOneDnn(setup: PeerSetup): Promise<OpenPeer> {
  const args = [setup.programFile, setup.codesFile, String(setup.threads)];
  const isa = setup.forcedIsa && oneDnnIsa[setup.forcedIsa];
  const environment: Record<string, string> = isa === undefined ? {} : { DNNL_MAX_CPU_ISA: isa };
  const peer = await openNativePeer(requirePeer('onednn'), args, environment);
  const version = isa === undefined ? peer.version : `${peer.version}, at most ${isa}`;
  return approximatePeer('onednn-int8', version, peer, setup);
}

/** LiteRT.js runs the .tflite file itself, on one thread whatever is asked for. */
async function openLiteRt(setup: PeerSetup): Promise<OpenPeer> {
  if (setup.tfliteFile === undefined) {
    throw new Error('it runs .tflite files only; give one as the model');
  }
  const script = join(__dirname, '..', '..', 'bench', 'peers', 'litert.cjs');
  if (!existsSync(script)) throw new Error('it comes with the repository, not with the package');
  const args = [script, setup.tfliteFile, setup.codesFile];
  const peer = await openNativePeer(process.execPath, args);
  const output = codesOf(Uint8Array.from(peer.output), setup.inputs[0]!.output);
  const version = `${peer.version}, one thread`;
  return approximatePeer('litert-wasm-int8', version, { ...peer, output }, setup);
}

/** Bytes as codes of the type that `like` has. */
function codesOf(bytes: Uint8Array, like: ArrayLike<number>): readonly number[] {
  if (like instanceof Int8Array) return [...new Int8Array(bytes.buffer)];
  if (like instanceof Int16Array) return [...new Int16Array(bytes.buffer)];
  return [...bytes];
}

/** A peer that rounds in its own way: it has to find lastbit's class, not lastbit's codes. */
function approximatePeer(
  name: string,
  version: string,
  peer: NativePeer,
  { inputs }: PeerSetup,
): OpenPeer {
  const isRight = argmax(peer.output) === argmax(inputs[0]!.output);
  return {
    name,
    version,
    top1Agreement: isRight ? 100 : 0,
    contender: { name, runBlock: (count) => peer.runBlock(count) },
    close: () => {
      peer.close();
    },
  };
}

async function openLoops({ programFile, codesFile, inputs }: PeerSetup): Promise<OpenPeer> {
  const peer = await openNativePeer(requirePeer('loops'), [programFile, codesFile]);
  const { output } = inputs[0]!;
  const differing = peer.output.filter((code, i) => code !== output[i]).length;
  if (differing > 0 || peer.output.length !== output.length) {
    peer.close();
    throw new Error(`its output differs in ${differing} values: these loops are not exact`);
  }
  return {
    name: 'loops-O2',
    version: peer.version,
    top1Agreement: 100,
    contender: { name: 'loops-O2', runBlock: (count) => peer.runBlock(count), block: 1 },
    close: () => {
      peer.close();
    },
  };
}

function requirePeer(name: string): string {
  const file = findNativePeer(name);
  if (file !== undefined) return file;
  throw new Error(
    name === 'onednn'
      ? 'not built: install libdnnl-dev and run node bench/peers/build.cjs'
      : 'not built: run node bench/peers/build.cjs',
  );
}

// SPDX-License-Identifier: Apache-2.0
// What a file of a quantized graph cannot say with operators alone travels in its metadata (ONNX:
// `metadata_props`, TFLite: `metadata`); onnx/NOTES.md and tflite/NOTES.md list the keys. Writers and
// importers meet here.
import { ModelError } from '../errors.js';
import type { Clamp } from './graph.js';
import type { QuantGraph, QuantMetadata, QuantNode } from './quant-graph.js';

const prefix = 'lastbit.';
const plainKeys = ['target', 'preprocess', 'calibration', 'version'] as const;

/** Keys that list layers, the field that says so of a layer, and the kind of layer that has it. */
const layerLists = [
  { key: 'oddWeightAxes', mark: 'oddWeightAxis', op: 'Conv' },
  { key: 'floatLayers', mark: 'floatKernel', op: undefined },
  { key: 'oneChannelDepthwise', mark: 'oneChannelDepthwise', op: 'Conv' },
  { key: 'rowMeans', mark: 'rowMean', op: 'GlobalAveragePool' },
] as const;

/** A field of a layer that says what its operators do not. */
type LayerMark = (typeof layerLists)[number]['mark'];

const origins: readonly QuantGraph['origin'][] = ['lastbit', 'qdq', 'qop', 'tflite'];

/** The part of a quantized graph that lives in metadata. */
export interface FileFacts {
  readonly metadata: QuantMetadata;
  /** Absent in files that other tools wrote. */
  readonly origin: QuantGraph['origin'] | undefined;
  /** Bits of activations that use fewer than their type has, by value name. */
  readonly activationBits: ReadonlyMap<string, number>;
  /** Bits of weights that use fewer than their type has, by layer name. */
  readonly weightBits: ReadonlyMap<string, number>;
  /** Fully connected layers that are written as Conv because their image is 4-dimensional. */
  readonly fullyConnected: ReadonlySet<string>;
  /** Clamps of QOperator layers that the saturation of their codes carries out, by layer name. */
  readonly clamps: ReadonlyMap<string, Clamp>;
  /** QGemm layers with several scales, whose list of zero points stands for a single 0. */
  readonly singleZero: ReadonlySet<string>;
  /** Names of the layers that have a mark. */
  readonly marks: ReadonlyMap<LayerMark, ReadonlySet<string>>;
  /** Where operators have no names: those of layers that are not called as their output is. */
  readonly layerNames: ReadonlyMap<string, string>;
  /** Outputs of operators that are no layer but the padding of the one that reads them. */
  readonly paddings: ReadonlySet<string>;
}

/** The marks of layers, for {@link FileFacts}. */
export function marksOf(nodes: readonly QuantNode[]): FileFacts['marks'] {
  const named = (mark: LayerMark): string[] =>
    nodes.filter((node) => mark in node).map(({ name }) => name);
  return new Map(layerLists.map(({ mark }) => [mark, new Set(named(mark))]));
}

/** The layer with the marks that belong to its name. */
export function withMarks(node: QuantNode, marks: FileFacts['marks']): QuantNode {
  const own = layerLists.filter(
    ({ mark, op }) => (op === undefined || op === node.op) && marks.get(mark)?.has(node.name),
  );
  if (own.length === 0) return node;
  return { ...node, ...Object.fromEntries(own.map(({ mark }) => [mark, true])) };
}

/** Facts -> `metadata_props`; keys whose value would be empty are left out. */
export function formatFacts(file: FileFacts): ReadonlyMap<string, string> {
  const entries = new Map<string, string>();
  for (const key of plainKeys) {
    const value = file.metadata[key];
    if (value !== undefined) entries.set(prefix + key, value);
  }
  const put = (key: string, value: unknown, isEmpty: boolean) => {
    if (!isEmpty) entries.set(prefix + key, JSON.stringify(value));
  };
  const factors = [...(file.metadata.channelFactors ?? [])];
  put('channelFactors', Object.fromEntries(factors.map(encodeFactors)), factors.length === 0);
  for (const { key, mark } of layerLists) {
    const layers = [...(file.marks.get(mark) ?? [])];
    put(key, layers, layers.length === 0);
  }
  if (file.origin !== undefined) entries.set(`${prefix}origin`, file.origin);
  put('activation_bits', Object.fromEntries(file.activationBits), file.activationBits.size === 0);
  put('weight_bits', Object.fromEntries(file.weightBits), file.weightBits.size === 0);
  put('fully_connected', [...file.fullyConnected], file.fullyConnected.size === 0);
  put('single_zero', [...file.singleZero], file.singleZero.size === 0);
  const clamps = [...file.clamps].map(([name, { lo, hi }]) => [name, [bounds(lo), bounds(hi)]]);
  put('clamps', Object.fromEntries(clamps), clamps.length === 0);
  put('layer_names', Object.fromEntries(file.layerNames), file.layerNames.size === 0);
  put('paddings', [...file.paddings], file.paddings.size === 0);
  return entries;
}

/** JSON has no infinity: an open side is null. */
function bounds(values: Float32Array): readonly (number | null)[] {
  return [...values].map((value) => (Number.isFinite(value) ? value : null));
}

/**
 * The inverse of {@link formatFacts}; keys of other tools are ignored.
 *
 * @throws ModelError where one of lastbit's own keys holds something else than it should
 */
export function parseFacts(entries: ReadonlyMap<string, string>): FileFacts {
  const metadata: Record<string, string> = {};
  for (const key of plainKeys) {
    const value = entries.get(prefix + key);
    if (value !== undefined) metadata[key] = value;
  }
  const channelFactors = factorsOf(entries);
  const origin = entries.get(`${prefix}origin`);
  if (origin !== undefined && !origins.some((known) => known === origin)) {
    throw invalid('origin', `one of ${origins.join(', ')}`, origin);
  }
  return {
    metadata: channelFactors === undefined ? metadata : { ...metadata, channelFactors },
    origin: origin as QuantGraph['origin'] | undefined,
    activationBits: bitCounts(entries, 'activation_bits', 32),
    weightBits: bitCounts(entries, 'weight_bits', 16),
    fullyConnected: new Set(names(entries, 'fully_connected')),
    singleZero: new Set(names(entries, 'single_zero')),
    clamps: clampsOf(entries),
    marks: new Map(layerLists.map(({ key, mark }) => [mark, new Set(names(entries, key))])),
    layerNames: layerNamesOf(entries),
    paddings: new Set(names(entries, 'paddings')),
  };
}

function encodeFactors([name, factors]: [string, Float32Array]): [string, string] {
  const { buffer, byteOffset, byteLength } = factors;
  return [name, Buffer.from(buffer, byteOffset, byteLength).toString('base64')];
}

/** Undefined where the file has none. */
function factorsOf(entries: ReadonlyMap<string, string>): QuantMetadata['channelFactors'] {
  const key = 'channelFactors';
  const parsed = parseJson(entries, key);
  if (parsed === undefined) return undefined;
  const expected = 'an object of names and the base64 of float32 factors';
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw invalid(key, expected, JSON.stringify(parsed).slice(0, 40));
  }
  return new Map(
    Object.entries(parsed).map(([name, code]: [string, unknown]) => {
      const factors = decodeFactors(code);
      if (factors !== undefined) return [name, factors];
      throw invalid(key, expected, `${name}: ${JSON.stringify(code).slice(0, 40)}`);
    }),
  );
}

function decodeFactors(code: unknown): Float32Array | undefined {
  if (typeof code !== 'string') return undefined;
  const bytes = Uint8Array.from(Buffer.from(code, 'base64'));
  // What is no base64 is skipped in decoding, so that it does not come back.
  const isWhole = Buffer.from(bytes).toString('base64') === code;
  if (!isWhole || bytes.length === 0 || bytes.length % 4 !== 0) return undefined;
  return new Float32Array(bytes.buffer);
}

function bitCounts(
  entries: ReadonlyMap<string, string>,
  key: string,
  most: number,
): ReadonlyMap<string, number> {
  const parsed = parseJson(entries, key) ?? {};
  const expected = `an object of names and bit counts from 2 to ${most}`;
  if (typeof parsed !== 'object' || Array.isArray(parsed)) {
    throw invalid(key, expected, JSON.stringify(parsed));
  }
  const counts = new Map<string, number>();
  for (const [name, bits] of Object.entries(parsed)) {
    if (!Number.isInteger(bits) || Number(bits) < 2 || Number(bits) > most) {
      throw invalid(key, expected, `${name}: ${JSON.stringify(bits)}`);
    }
    counts.set(name, Number(bits));
  }
  return counts;
}

function clampsOf(entries: ReadonlyMap<string, string>): ReadonlyMap<string, Clamp> {
  const parsed = parseJson(entries, 'clamps') ?? {};
  const expected = 'an object of names and pairs of bounds';
  if (typeof parsed !== 'object' || Array.isArray(parsed)) {
    throw invalid('clamps', expected, JSON.stringify(parsed));
  }
  return new Map(
    Object.entries(parsed).map(([name, sides]: [string, unknown]) => {
      const [lo, hi] = Array.isArray(sides) && sides.length === 2 ? (sides as unknown[]) : [];
      if (!isBounds(lo) || !isBounds(hi)) {
        throw invalid('clamps', expected, `${name}: ${JSON.stringify(sides)}`);
      }
      return [
        name,
        {
          lo: Float32Array.from(lo, (bound) => bound ?? -Infinity),
          hi: Float32Array.from(hi, (bound) => bound ?? Infinity),
        },
      ];
    }),
  );
}

function layerNamesOf(entries: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const key = 'layer_names';
  const parsed = parseJson(entries, key) ?? {};
  const expected = 'a JSON object of value names and layer names';
  const pairs = typeof parsed === 'object' && !Array.isArray(parsed) ? Object.entries(parsed) : [];
  const isGood = pairs.every(([, name]: [string, unknown]) => typeof name === 'string');
  if (typeof parsed !== 'object' || Array.isArray(parsed) || !isGood) {
    throw invalid(key, expected, JSON.stringify(parsed).slice(0, 40));
  }
  return new Map(pairs as [string, string][]);
}

function isBounds(side: unknown): side is readonly (number | null)[] {
  return (
    Array.isArray(side) &&
    side.length > 0 &&
    side.every((bound) => bound === null || typeof bound === 'number')
  );
}

function names(entries: ReadonlyMap<string, string>, key: string): readonly string[] {
  const parsed = parseJson(entries, key) ?? [];
  if (!Array.isArray(parsed) || !parsed.every((name) => typeof name === 'string')) {
    throw invalid(key, 'a JSON list of layer names', JSON.stringify(parsed));
  }
  return parsed;
}

function parseJson(entries: ReadonlyMap<string, string>, key: string): unknown {
  const text = entries.get(prefix + key);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw invalid(key, 'JSON', text.slice(0, 40));
  }
}

function invalid(key: string, expected: string, got: string): ModelError {
  return new ModelError(
    'bad-metadata',
    `metadata "${prefix}${key}"`,
    `expected ${expected}, got ${got}; write the file again or remove the key`,
  );
}

// SPDX-License-Identifier: Apache-2.0
// What a QDQ file cannot say with operators alone travels in `metadata_props`; NOTES.md lists the
// keys. The writer and the importer meet here.
import { ModelError } from '../../errors.js';
import type { Clamp } from '../../graph/graph.js';
import type { QuantGraph, QuantMetadata } from '../../graph/quant-graph.js';

const prefix = 'lastbit.';
const facts = [
  'target',
  'preprocess',
  'calibration',
  'version',
  'channelFactors',
  'oddWeightAxes',
  'floatLayers',
  'oneChannelDepthwise',
  'rowMeans',
] as const;
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
}

/** Facts -> `metadata_props`; keys whose value would be empty are left out. */
export function formatFacts(file: FileFacts): ReadonlyMap<string, string> {
  const entries = new Map<string, string>();
  for (const key of facts) {
    const value = file.metadata[key];
    if (value !== undefined) entries.set(prefix + key, value);
  }
  if (file.origin !== undefined) entries.set(`${prefix}origin`, file.origin);
  const put = (key: string, value: unknown, isEmpty: boolean) => {
    if (!isEmpty) entries.set(prefix + key, JSON.stringify(value));
  };
  put('activation_bits', Object.fromEntries(file.activationBits), file.activationBits.size === 0);
  put('weight_bits', Object.fromEntries(file.weightBits), file.weightBits.size === 0);
  put('fully_connected', [...file.fullyConnected], file.fullyConnected.size === 0);
  put('single_zero', [...file.singleZero], file.singleZero.size === 0);
  const clamps = [...file.clamps].map(([name, { lo, hi }]) => [name, [bounds(lo), bounds(hi)]]);
  put('clamps', Object.fromEntries(clamps), clamps.length === 0);
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
  for (const key of facts) {
    const value = entries.get(prefix + key);
    if (value !== undefined) metadata[key] = value;
  }
  const origin = entries.get(`${prefix}origin`);
  if (origin !== undefined && !origins.some((known) => known === origin)) {
    throw invalid('origin', `one of ${origins.join(', ')}`, origin);
  }
  return {
    metadata,
    origin: origin as QuantGraph['origin'] | undefined,
    activationBits: bitCounts(entries, 'activation_bits', 32),
    weightBits: bitCounts(entries, 'weight_bits', 16),
    fullyConnected: new Set(names(entries, 'fully_connected')),
    singleZero: new Set(names(entries, 'single_zero')),
    clamps: clampsOf(entries),
  };
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
    throw invalid(key, 'a list of layer names', JSON.stringify(parsed));
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

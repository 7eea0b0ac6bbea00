// SPDX-License-Identifier: Apache-2.0
// Which results are about the same network. A quantized file is joined to its float original by the
// documents that name both: quantize, compare, and evaluate with --float.
import { basename } from 'node:path';

import { UsageError } from '../../errors.js';
import type { Result } from './recognize.js';

/** The results about one network, or of one experiment with several. */
export interface Network {
  /** Unique in the page, for anchors and names of files. */
  readonly id: string;
  readonly name: string;
  /** In the order given. */
  readonly results: readonly Result[];
}

interface Group {
  readonly keys: Set<string>;
  readonly results: Result[];
}

/**
 * Groups results by network.
 * @throws UsageError `unknown-network` where a result does not say which of several it is about
 */
export function networksOf(results: readonly Result[]): readonly Network[] {
  const groups = results.reduce<readonly Group[]>((known, result) => {
    const keys = keysOf(result);
    if (keys.length === 0) return known;
    const [joined, others] = partition(known, (group) => keys.some((key) => group.keys.has(key)));
    return [...others, merge([...joined, { keys: new Set(keys), results: [result] }])];
  }, []);
  const nameless = results.filter((result) => keysOf(result).length === 0);
  return withNames(withNameless(groups, nameless), results);
}

/** The file that the networks of two results differ by, for messages. */
export function modelNameOf({ document, file }: Result): string {
  const { float, quantized } = filesOf(document);
  return basename(float ?? quantized ?? file);
}

function keysOf(result: Result): readonly string[] {
  const { document } = result;
  if ('experiment' in document) return [`experiment ${document.experiment}`];
  const hashes = Object.values(('models' in document ? document.models : undefined) ?? {});
  const keys = hashes.flatMap((model) => (model === undefined ? [] : [`sha256 ${model.sha256}`]));
  if ('manifest' in document) keys.push(`manifest ${document.manifest}`);
  if (result.kind === 'manifest') keys.push(`manifest ${result.file}`);
  if (typeof modelOf(document) === 'object') keys.push(`sha256 ${hashOf(document)}`);
  if (keys.length > 0) return keys;
  const { float, quantized } = filesOf(document);
  return [float, quantized].flatMap((file) => (file === undefined ? [] : [`name ${file}`]));
}

function modelOf(document: Result['document']): unknown {
  return 'model' in document ? document.model : undefined;
}

function hashOf(document: Result['document']): string {
  const model = modelOf(document);
  return typeof model === 'object' ? (model as { sha256: string }).sha256 : '';
}

/** Names of the models, by what old documents have as well. */
function filesOf(document: Result['document']): { float?: string; quantized?: string } {
  const models = 'models' in document ? document.models : undefined;
  const { float, quantized } = models ?? {};
  if (float !== undefined || quantized !== undefined) {
    return {
      ...(float === undefined ? {} : { float: float.file }),
      ...(quantized === undefined ? {} : { quantized: quantized.file }),
    };
  }
  if ('method' in document) return { quantized: document.output };
  if ('findings' in document) return { float: document.model };
  if (!('model' in document)) return {};
  const { model } = document;
  return { quantized: typeof model === 'string' ? model : model.file };
}

function merge(groups: readonly Group[]): Group {
  return {
    keys: new Set(groups.flatMap(({ keys }) => [...keys])),
    results: groups.flatMap(({ results }) => results),
  };
}

/** Results that name no model belong to the only network there is. */
function withNameless(groups: readonly Group[], nameless: readonly Result[]): readonly Group[] {
  const [first] = nameless;
  if (first === undefined) return groups;
  if (groups.length > 1) {
    throw new UsageError(
      'unknown-network',
      first.file,
      'it does not say which of the networks it is about; write it again with this version of lastbit',
    );
  }
  return [merge([...groups, { keys: new Set<string>(), results: [...nameless] }])];
}

function withNames(groups: readonly Group[], order: readonly Result[]): readonly Network[] {
  const sorted = groups
    .map(({ results }) => order.filter((result) => results.includes(result)))
    .sort((a, b) => order.indexOf(a[0]!) - order.indexOf(b[0]!));
  return sorted.map((results, index) => ({
    id: `n${index + 1}`,
    name: networkName(results),
    results,
  }));
}

/** The float original's name where some result has it. */
function networkName(results: readonly Result[]): string {
  const [{ document }] = results as [Result];
  if ('experiment' in document) return `experiment ${document.experiment}`;
  const files = results.map(({ document }) => filesOf(document));
  const float = files.find((one) => one.float !== undefined)?.float;
  const quantized = files.find((one) => one.quantized !== undefined)?.quantized;
  const named = float ?? quantized ?? results[0]!.file;
  return basename(named).replace(/\.(onnx|tflite|lbp|json)$/, '');
}

function partition<Item>(items: readonly Item[], test: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}

// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { join } from 'node:path';

import { ModelError } from '../errors.js';
import { Budget, type Limits } from '../limits/budget.js';
import { readPlainFile } from '../limits/read-file.js';
import type { SampleSource } from '../graph/samples.js';
import { findInputFiles, requireFiles } from './find-files.js';
import { classFolders, labelsByFolder, offsetLabel, readLabels } from './labels.js';
import type { Labelled } from './labels.js';
import type { LoadOptions, LoadedSample } from './load-sample.js';
import { loadSample } from './load-sample.js';

/** Samples in a fixed order, loaded a few at a time ahead of whoever takes them. */
export interface LoadedSource extends SampleSource {
  /** The samples, from the first. */
  [Symbol.asyncIterator](): AsyncIterator<LoadedSample>;
  /** The same without the first `count`. */
  skip(count: number): LoadedSource;
  readonly items: readonly SourceItem[];
}

export interface FolderOptions extends LoadOptions {
  /** Take only the first so many. */
  readonly limit?: number | undefined;
}

export interface LabelledOptions extends FolderOptions {
  readonly labelOffset: number;
  readonly classes: number;
}

/** How a single item of a source is made. */
export interface SourceItem {
  readonly name: string;
  readonly load: () => Promise<LoadedSample>;
  /** sha256 of the bytes that it is made from, hex. */
  readonly content: () => string;
}

/** Decoding runs on other threads; a few images ahead keep the network busy. */
const ahead = 4;

/**
 * Every image and array in a folder and below, by name.
 * @throws ModelError `no-such-folder`, `no-images`; while iterating, those of `loadSample`
 */
export function folderSource(folder: string, options: FolderOptions): LoadedSource {
  const names = findInputFiles(folder).slice(0, options.limit);
  return itemSource(
    names.map((name) => ({
      name,
      load: () => loadSample(join(folder, name), options, name),
      content: () => hashOfFile(join(folder, name), options.limits),
    })),
  );
}

/** One file. */
export function fileSource(file: string, options: LoadOptions): LoadedSource {
  return itemSource([
    {
      name: file,
      load: () => loadSample(file, options),
      content: () => hashOfFile(file, options.limits),
    },
  ]);
}

/**
 * The files of a CSV with the columns `file` (relative to the folder) and `label`, by name.
 * @throws ModelError `bad-labels`, `no-such-file`, `label-out-of-range`
 */
export function labelledSource(
  folder: string,
  csv: string,
  options: LabelledOptions,
): LoadedSource {
  const entries = (csv === classFolders ? byFolder(folder) : readLabels(csv)).slice(
    0,
    options.limit,
  );
  requireFiles(folder, entries);
  return itemSource(
    entries.map((entry) => {
      const label = offsetLabel(entry, options.labelOffset, options.classes);
      const load = async (): Promise<LoadedSample> =>
        withLabel(await loadSample(join(folder, entry.file), options, entry.file), label);
      return {
        name: entry.file,
        load,
        content: () => hashOfFile(join(folder, entry.file), options.limits),
      };
    }),
  );
}

/** In turn an image of each class, so that a limit takes all classes alike. */
function byFolder(folder: string): Labelled[] {
  const all = labelsByFolder(folder, findInputFiles(folder));
  const seen = new Map<number, number>();
  const turns = all.map((entry) => {
    const turn = seen.get(entry.label) ?? 0;
    seen.set(entry.label, turn + 1);
    return { entry, turn };
  });
  return turns.sort((a, b) => a.turn - b.turn).map(({ entry }) => entry);
}

/** A source over items that are loaded when their turn comes. */
export function itemSource(items: readonly SourceItem[]): LoadedSource {
  return {
    items,
    count: items.length,
    skip: (count) => itemSource(items.slice(count)),
    [Symbol.asyncIterator]: () => loadAhead(items),
  };
}

/** sha256 of bytes, hex. */
export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function hashOfFile(file: string, limits: Limits | undefined): string {
  const refuse = (reason: string) => new ModelError('no-such-file', file, reason);
  return hashOf(readPlainFile(file, new Budget(limits), refuse));
}

/** The same sample with its class; a getter stays a getter. */
export function withLabel(sample: LoadedSample, label: number): LoadedSample {
  return Object.defineProperties(
    { label },
    Object.getOwnPropertyDescriptors(sample),
  ) as unknown as LoadedSample;
}

async function* loadAhead(items: readonly SourceItem[]): AsyncGenerator<LoadedSample, void> {
  const pending: Promise<LoadedSample>[] = [];
  let next = 0;
  while (next < items.length || pending.length > 0) {
    while (next < items.length && pending.length < ahead) {
      const loading = items[next++]!.load();
      // Reported where it is awaited, in order; until then it must not count as unhandled.
      loading.catch(() => undefined);
      pending.push(loading);
    }
    yield await pending.shift()!;
  }
}

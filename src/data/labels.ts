// SPDX-License-Identifier: Apache-2.0

import { ModelError, UsageError } from '../errors.js';
import { readTextFile } from '../limits/read-file.js';
import { parseCsv } from './csv.js';

/** One labelled file; the label as the CSV counts it. */
export interface Labelled {
  readonly file: string;
  readonly label: number;
}

/**
 * Reads a CSV with the columns `file` and `label` (others are ignored), or lines of both without a header.
 * @returns sorted by file name, so that every run takes the images in one order
 * @throws ModelError `bad-labels`, `no-such-file`
 */
export function readLabels(csv: string): Labelled[] {
  const text = readText(csv);
  const [header, ...rows] = parseCsv(isPlainList(text) ? asCsv(text) : text, csv);
  const columns = header?.fields.map((name) => name.trim().toLowerCase()) ?? [];
  const [file, label] = [columns.indexOf('file'), columns.indexOf('label')];
  if (file < 0 || label < 0) {
    throw new ModelError(
      'bad-labels',
      csv,
      `expected a header line with the columns "file" and "label", got "${columns.join(',')}"`,
    );
  }
  const labels = new Map<string, number>();
  for (const { line, fields } of rows) {
    const [name, text] = [fields[file]?.trim() ?? '', fields[label]?.trim() ?? ''];
    if (name === '' || !/^\d+$/.test(text)) {
      const got = `"${name}" and "${text}"`;
      throw new ModelError(
        'bad-labels',
        `${csv}:${line}`,
        `expected a file and a class, got ${got}`,
      );
    }
    if (labels.has(name)) {
      throw new ModelError('bad-labels', `${csv}:${line}`, `"${name}" is listed twice`);
    }
    labels.set(name, Number(text));
  }
  if (labels.size === 0) throw new ModelError('bad-labels', csv, 'it lists no files');
  const sorted = [...labels].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([name, value]) => ({ file: name, label: value }));
}

/** Caffe's `val.txt`: a file and a class on each line, a blank between them, no header. */
function isPlainList(text: string): boolean {
  return /^[^,]*\S[ \t]+\d+[ \t]*\r?$/m.test(text.slice(0, text.indexOf('\n') + 1 || undefined));
}

function asCsv(text: string): string {
  const lines = text.split(/\r?\n/).map((line) => {
    const [, file, label] = /^(.*\S)[ \t]+(\S+)$/.exec(line.trim()) ?? [];
    return file === undefined ? line : `"${file.replaceAll('"', '""')}",${label}`;
  });
  return ['file,label', ...lines].join('\n');
}

/** In the place of a file of labels: the folders below `--images` are the classes. */
export const classFolders = 'folders';

/**
 * Labels by folder: the folders' names in alphabetical order are the classes, as torchvision's ImageFolder
 * and ImageNet's synsets have it.
 * @param files paths relative to the folder of images, sorted
 * @throws ModelError `bad-labels` for an image outside of any folder
 */
export function labelsByFolder(folder: string, files: readonly string[]): Labelled[] {
  const classOf = (file: string): string => file.slice(0, file.indexOf('/'));
  const outside = files.find((file) => !file.includes('/'));
  if (outside !== undefined) {
    throw new ModelError(
      'bad-labels',
      folder,
      `"${outside}" lies in no folder; with --labels folders each class has one`,
    );
  }
  const classes = new Map([...new Set(files.map(classOf))].sort().map((name, i) => [name, i]));
  return files.map((file) => ({ file, label: classes.get(classOf(file))! }));
}

/** Background-first networks have one class more than ImageNet's 1,000. */
const backgroundFirst = 1001;

/** What to add to a label to get the network's output index. */
export function resolveLabelOffset(classes: number, override?: number): number {
  return override ?? (classes === backgroundFirst ? 1 : 0);
}

/**
 * A label as the network counts it.
 * @throws ModelError `label-out-of-range`
 */
export function offsetLabel(entry: Labelled, offset: number, classes: number): number {
  const label = entry.label + offset;
  if (label >= 0 && label < classes) return label;
  throw new ModelError(
    'label-out-of-range',
    entry.file,
    `label ${entry.label} with offset ${offset} is not one of the network's ${classes} classes; see --label-offset`,
  );
}

/**
 * Class names, one a line, by output index. A WordNet id at the start of a line is dropped; a list
 * of 1,000 serves a network of 1,001 whose class 0 is the background.
 * @throws ModelError `no-such-file`; UsageError `names-count`
 */
export function readNames(file: string, classes: number): string[] {
  const lines = readText(file).split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  const names = lines.map((line) => line.replace(/^n\d{8}\s+/, '').trim());
  if (names.length === classes - 1 && classes === backgroundFirst) names.unshift('background');
  if (names.length === classes) return names;
  throw new UsageError(
    'names-count',
    file,
    `it has ${names.length} lines, the network ${classes} classes`,
  );
}

function readText(file: string): string {
  return readTextFile(file, (reason) => new ModelError('no-such-file', file, reason));
}

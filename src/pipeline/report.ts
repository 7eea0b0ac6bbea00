// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { requireFree, writeFileAtomic } from '../data/index.js';
import { UsageError } from '../errors.js';
import {
  commandOf,
  drawPage,
  type DrawnPage,
  modelNameOf,
  type Network,
  networksOf,
  pngOf,
  recognize,
  type ReportDocument,
  type Result,
  standaloneSpec,
  standaloneSvg,
} from '../report/index.js';
import { requireFreeFolder } from './output-folder.js';
import type { ProgressListener } from './progress.js';
import { version } from '../engine/own-package.js';

/** Options of `report`, as on the command line. */
export interface ReportOptions {
  /** JSON documents of commands, in the order in which they are to stand. */
  readonly results: readonly string[];
  /** The page, .html. */
  readonly output: string;
  /** Takes results of different networks, a chapter each. */
  readonly severalNetworks?: boolean | undefined;
  /** Folder for each chart as .svg and .png. */
  readonly plots?: string | undefined;
  /** With `plots`: each chart's Vega-Lite specification as well. */
  readonly spec?: boolean | undefined;
  readonly overwrite?: boolean | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

/**
 * One self-contained page from the documents that other commands wrote.
 * @throws UsageError `output-form`, `several-networks`, `unknown-network`, `missing-option`; ModelError
 *   `no-such-file`, `bad-document`, `document-version`, `unknown-document`; nothing is written then
 */
export async function reportResults(options: ReportOptions): Promise<ReportDocument> {
  const started = performance.now();
  const { output, plots, overwrite = false } = options;
  requireOptions(options);
  requireFree(output, overwrite);
  if (plots !== undefined) requireFreeFolder(plots, overwrite);
  const results = options.results.map(readResult);
  const networks = networksOf(results);
  if (options.severalNetworks !== true) requireOneNetwork(networks);
  const page = await drawPage(networks, version);
  const files = plots === undefined ? [] : await writePlots(plots, page.charts, options);
  writeFileAtomic(output, page.html);
  return {
    output,
    bytes: Buffer.byteLength(page.html),
    networks: networks.map(({ name, results: own }, i) => ({
      name,
      documents: own.map(({ file, kind }) => ({ file, command: commandOf(kind) })),
      sections: page.chapters[i]!.sections.map(({ title }) => title),
    })),
    plots: files,
    seconds: (performance.now() - started) / 1000,
  };
}

function requireOptions({ output, plots, spec = false }: ReportOptions): void {
  if (!/\.html?$/i.test(output)) {
    throw new UsageError('output-form', output, 'expected a name that ends in .html');
  }
  if (!spec || plots !== undefined) return;
  throw new UsageError('missing-option', '--spec', 'stands beside the plots; add --plots DIR');
}

function readResult(file: string): Result {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) {
    throw new UsageError('no-such-file', file, 'expected a document of a command, there is none');
  }
  if (stat.isDirectory()) {
    const inside = existsSync(join(file, 'manifest.json'))
      ? join(file, 'manifest.json')
      : 'its .json files';
    throw new UsageError(
      'no-such-file',
      file,
      `expected a JSON document, got a folder; give ${inside}`,
    );
  }
  return recognize(textOf(file), file);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError('no-such-file', file, `it cannot be read: ${(error as Error).message}`);
  }
}

/** Mixed by mistake, figures of two networks would look like two results of one; experiments name theirs. */
function requireOneNetwork(networks: readonly Network[]): void {
  const [one, other] = networks.filter(({ results }) => results[0]!.kind !== 'experiment');
  if (one === undefined || other === undefined) return;
  const [a, b] = [one.results[0]!, other.results[0]!];
  throw new UsageError(
    'several-networks',
    b.file,
    `it is about ${modelNameOf(b)}, and ${a.file} about ${modelNameOf(a)}; leave one out, add the quantize or compare document that joins them, or take --several-networks for a chapter each`,
  );
}

async function writePlots(
  folder: string,
  charts: DrawnPage['charts'],
  { spec = false, onProgress }: ReportOptions,
): Promise<string[]> {
  const files: string[] = [];
  const write = (name: string, content: string | Uint8Array): void => {
    files.push(join(folder, name));
    writeFileAtomic(files.at(-1)!, content);
  };
  for (const [index, chart] of charts.entries()) {
    const alone = await standaloneSvg(chart);
    write(`${chart.id}.svg`, alone);
    write(`${chart.id}.png`, await pngOf(alone));
    if (spec) write(`${chart.id}.vl.json`, standaloneSpec(chart));
    onProgress?.('plots', index + 1, charts.length);
  }
  return files;
}

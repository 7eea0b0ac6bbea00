// SPDX-License-Identifier: Apache-2.0
// Commands, versions and hashes behind every figure of the chapter.
import { commandOf, type Network, type Result } from '../read/index.js';
import { missing, words } from './cells.js';
import type { Block, Cell, Section } from './section.js';

export function reproduceSection(network: Network): Section {
  const { id, results } = network;
  const blocks: Block[] = [
    { kind: 'table', table: documents(id, results) },
    ...modelTable(id, results),
    { kind: 'code', label: 'Commands', text: results.map(commandLine).join('\n') },
  ];
  return { id: `${id}-reproduce`, title: 'How to reproduce', blocks };
}

function documents(id: string, results: readonly Result[]) {
  return {
    id: `${id}-documents`,
    caption: 'Documents of this chapter',
    interactive: false,
    columns: ['document', 'command', 'lastbit', 'target'].map((title) => ({ title })),
    rows: results.map(({ file, kind, document }): readonly Cell[] => [
      words(file),
      words(commandOf(kind)),
      words(versionOf(document)),
      'target' in document ? words(document.target) : targetsCell(document),
    ]),
  };
}

function versionOf(document: Result['document']): string | undefined {
  return document.version ?? ('tool' in document ? document.tool.version : undefined);
}

function targetsCell(document: Result['document']): Cell {
  return 'targets' in document ? words(document.targets.join(', ')) : { text: 'none needed' };
}

/** Each model file once. */
function modelTable(id: string, results: readonly Result[]): Block[] {
  const models = results.flatMap(({ document }) => {
    if ('nets' in document) {
      return document.nets.map(({ file, sha256 }) => ({ role: 'float', file, sha256 }));
    }
    if ('tool' in document) return [{ role: 'quantized', ...document.model }];
    const { float, quantized } = ('models' in document ? document.models : undefined) ?? {};
    return [
      ...(float === undefined ? [] : [{ role: 'float', ...float }]),
      ...(quantized === undefined ? [] : [{ role: 'quantized', ...quantized }]),
    ];
  });
  const unique = [...new Map(models.map((model) => [model.sha256, model])).values()];
  if (unique.length === 0) {
    return [{ kind: 'text', text: 'These documents do not state the hashes of their models.' }];
  }
  const table = {
    id: `${id}-models`,
    caption: 'Models',
    interactive: false,
    columns: ['model', 'file', 'sha256'].map((title) => ({ title })),
    rows: unique.map(({ role, file, sha256 }) => [
      words(role),
      words(file),
      sha256 === '' ? missing : words(sha256),
    ]),
  };
  return [{ kind: 'table', table }];
}

/** Options of every command, which are not part of what it computes. */
const presentation = new Set(['format', 'verbose', 'config', 'overwrite', 'resume']);

function commandLine({ kind, file, document }: Result): string {
  const { options } = document;
  if (options === undefined) return `# ${file}: the document does not state its command`;
  const flags = Object.entries(options).flatMap(([name, value]) =>
    presentation.has(name) ? [] : flagOf(name, value),
  );
  return ['lastbit', commandOf(kind), ...flags, '--format json'].join(' ');
}

function flagOf(name: string, value: unknown): readonly string[] {
  const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  if (value === false || value === null) return [];
  if (value === true) return [flag];
  return [`${flag} ${quoted(textOf(value))}`];
}

/** As the command line takes lists and pairs. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join(',');
  if (typeof value !== 'object' || value === null) return String(value);
  const pairs = Object.entries(value as Record<string, unknown>);
  return pairs.map(([key, part]) => `${key}=${textOf(part)}`).join(',');
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return /^[\w./:,=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

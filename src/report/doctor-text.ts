// SPDX-License-Identifier: Apache-2.0
import type { DoctorCheck, DoctorDocument } from './documents.js';
import { factList, textTable } from './text-table.js';

/** Facts, then a line for each check, then what to do about those that failed. */
export function doctorText(document: DoctorDocument): string {
  const { engine, checks } = document;
  const facts = factList([
    ['lastbit', document.lastbit],
    ['runs on', `${document.runtime}, ${document.platform}`],
    ['processor', `${document.cpu}, ${document.threads} threads`],
    ['memory', `${document.memoryMiB} MiB, ${document.freeMemoryMiB} free`],
    ['engine', engine?.file],
    [
      'instructions',
      engine === null ? undefined : `${engine.best} (has ${engine.tiers.join(', ')})`,
    ],
  ]);
  const table = textTable(checks, [
    { title: 'check', value: ({ name }) => name },
    { title: '', value: stateOf },
    { title: 'found', value: ({ found }) => found },
  ]);
  const advice = checks
    .filter(({ wayOut }) => wayOut !== null)
    .map(({ name, wayOut }) => `${name}: ${wayOut!}\n`);
  const verdict = document.ok ? 'lastbit can work here\n' : 'lastbit cannot work here yet\n';
  return `${facts}\n${table}\n${advice.join('')}${verdict}`;
}

function stateOf({ ok, required }: DoctorCheck): string {
  if (ok) return 'ok';
  return required ? 'failed' : 'left out';
}

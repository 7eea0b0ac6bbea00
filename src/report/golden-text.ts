// SPDX-License-Identifier: Apache-2.0
import type { GoldenDocument, VerifyDifference, VerifyDocument } from './documents.js';
import { factList, shortName } from './text-table.js';

export function goldenText(document: GoldenDocument): string {
  const { layers, images, arrays, files, values, seconds, manifest } = document;
  return factList([
    ['model', document.model],
    ['target', document.target],
    ['vectors', `${count(values)} numbers in ${count(arrays)} arrays, ${count(files)} files`],
    ['of', `${count(layers)} layers, ${count(images)} ${images === 1 ? 'image' : 'images'}`],
    ['manifest', manifest],
    ['time', `${seconds.toFixed(1)} s`],
    ...document.notes.map((note) => ['note', note] as const),
    ['check', `lastbit verify ${manifest}`],
  ]);
}

export function verifyText(document: VerifyDocument): string {
  const { ok, files, arrays, values, differing, first, seconds } = document;
  return factList([
    ['manifest', document.manifest],
    ['target', document.target],
    ['compared', `${count(values)} numbers in ${count(arrays)} arrays, ${count(files)} files`],
    ['time', `${seconds.toFixed(1)} s`],
    ['verdict', ok ? 'all as the manifest says' : `${count(differing)} differences`],
    ['first', first === null ? undefined : described(first)],
  ]);
}

function described({
  kind,
  path,
  layer,
  array,
  position,
  expected,
  got,
}: VerifyDifference): string {
  const place = layer === undefined ? path : `layer "${shortName(layer)}", ${array}`;
  if (position === undefined) return `${kind}: ${place}`;
  return `${kind}: ${place} at [${position.join(', ')}]: the file has ${expected}, computed is ${got}`;
}

function count(n: number): string {
  return n.toLocaleString('en-US');
}

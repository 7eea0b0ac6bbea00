// SPDX-License-Identifier: Apache-2.0
import { basename } from 'node:path';

import type { Network } from './networks.js';
import { isKind, type Result } from './recognize.js';
import type { ResultKind } from './schemas.js';

/** A result with the words that tell it from others of its kind. */
export interface Labelled<Kind extends ResultKind = ResultKind> {
  readonly label: string;
  readonly file: string;
  readonly document: Result<Kind>['document'];
}

/** The results of one kind, in the order given, with the shortest words that tell them apart. */
export function resultsOf<Kind extends ResultKind>(
  network: Network,
  kind: Kind,
): readonly Labelled<Kind>[] {
  const found = network.results.filter((result): result is Result<Kind> => isKind(result, kind));
  const words = found.map((result) => wordsOf(network, result));
  return found.map(({ file, document }, index) => ({
    ...{ file, document },
    label: shortest(words, index),
  }));
}

/** From the most to the least telling. */
function wordsOf(network: Network, result: Result): readonly string[] {
  return [variantOf(network, result), targetOf(result), basename(result.file)];
}

function shortest(words: readonly (readonly string[])[], index: number): string {
  const own = words[index]!;
  const lengths = own.map((_, i) => i + 1);
  const join = (list: readonly string[], length: number): string =>
    list
      .slice(0, length)
      .filter((word) => word !== '')
      .join(', ');
  const enough = lengths.find((length) =>
    words.every((other, i) => i === index || join(other, length) !== join(own, length)),
  );
  return join(own, enough ?? own.length) || own.at(-1)!;
}

/** The recipe that made the quantized file, where a result says it; else the file's name. */
function variantOf(network: Network, { document }: Result): string {
  if ('seenBy' in document) return seenBy[document.seenBy];
  const models = 'models' in document ? document.models : undefined;
  const hash = models?.quantized?.sha256;
  const maker = network.results.find(
    (result): result is Result<'quantize'> =>
      isKind(result, 'quantize') &&
      hash !== undefined &&
      result.document.models?.quantized?.sha256 === hash,
  );
  if (maker !== undefined) return recipeOf(maker.document);
  if ('method' in document) return recipeOf(document);
  const file = models?.quantized?.file;
  return file === undefined ? '' : basename(file).replace(/\.(onnx|tflite|lbp)$/, '');
}

const seenBy = { images: 'by images', 'data-free': 'by batch norms', weights: 'weights alone' };

function recipeOf({ method, options }: Result<'quantize'>['document']): string {
  const weights = options?.weights;
  return typeof weights === 'string' ? `${method} ${weights}` : method;
}

function targetOf({ document }: Result): string {
  if ('targets' in document) return document.targets.join(' and ');
  return 'target' in document ? document.target : '';
}

// SPDX-License-Identifier: Apache-2.0
import type { Block } from './section.js';

interface Noted {
  readonly label: string;
  readonly document: { readonly notes?: readonly string[] | undefined };
}

/** What the documents themselves remark, each remark once. */
export function noteBlocks(results: readonly Noted[]): Block[] {
  const texts = results.flatMap(({ label, document }) =>
    (document.notes ?? []).map((note) => `${label}: ${note}`),
  );
  return [...new Set(texts)].map((text) => ({ kind: 'text', text }));
}

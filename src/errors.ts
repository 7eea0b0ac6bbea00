// SPDX-License-Identifier: Apache-2.0
import { distance } from 'fastest-levenshtein';

/** Exit codes of the command line; every error class below carries the one it leads to. */
export const exitCodes = { ok: 0, checkFailed: 1, usage: 2, model: 3, limit: 4, bug: 70 } as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/**
 * The base of every error that lastbit throws on purpose. Its message is one line: what was
 * expected, where, what came, and the way out.
 */
export abstract class LastbitError extends Error {
  abstract readonly exitCode: ExitCode;

  /**
   * @param code kebab-case and stable, for scripts: `unsupported-op`, `not-an-image`
   * @param where the node, layer, file or flag at fault
   * @param detail what was expected, what came, and what to do about it
   */
  constructor(
    readonly code: string,
    readonly where: string,
    readonly detail: string,
  ) {
    super(escapeControls(`[${code}] ${where === '' ? '' : `${where}: `}${detail}`));
    this.name = new.target.name;
  }
}

/**
 * What a terminal or an editor obeys instead of showing it: controls (C0, DEL, C1), separators of lines, and
 * marks that change the direction of writing (Unicode Bidirectional Algorithm, UAX #9).
 */
// eslint-disable-next-line no-control-regex -- these are what is looked for
const controls = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Names from files may hold anything; what a terminal would obey is shown as `\u000a`, on one line. */
export function escapeControls(text: string): string {
  return text.replace(controls, asEscape);
}

/** The same for text that is laid out already: ends of lines stay. */
export function escapeAllButLines(text: string): string {
  return text.replace(controls, (character) =>
    character === '\n' ? character : asEscape(character),
  );
}

function asEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Characters that a refusal has at most: what a person reads at once. */
const longestRefusal = 600;

/**
 * What is wrong, one sentence after the other, as many as fit a refusal beside its code and place; the first
 * in any case, shortened in its middle where it is too long by itself.
 *
 * @param beside the code and the place
 */
export function listedIn(sentences: readonly string[], ...beside: readonly string[]): string {
  const taken = beside.reduce((sum, text) => sum + text.length + 4, 0);
  const more = (left: number): string => (left === 0 ? '' : `; and ${left} more`);
  const room = longestRefusal - taken - more(sentences.length).length;
  let text = shortened(sentences[0] ?? '', room);
  let shown = 1;
  while (shown < sentences.length && text.length + 2 + sentences[shown]!.length <= room) {
    text = `${text}; ${sentences[shown]!}`;
    shown += 1;
  }
  return `${text}${more(Math.max(sentences.length - shown, 0))}`;
}

/** With its middle left out where it is longer; the way out stands at the end. */
function shortened(text: string, length: number): string {
  if (text.length <= length) return text;
  const side = Math.floor((length - 3) / 2);
  return `${text.slice(0, side)}...${text.slice(-side)}`;
}

/** The model or the data is bad or not supported. */
export class ModelError extends LastbitError {
  readonly exitCode = exitCodes.model;
}

/** The caller asked for something that does not exist or does not fit together. */
export class UsageError extends LastbitError {
  readonly exitCode = exitCodes.usage;
}

/** The work would need more memory, time or space than is allowed. */
export class LimitError extends LastbitError {
  readonly exitCode = exitCodes.limit;
}

/**
 * ` (did you mean "tflm"?)` where one of the known names is nearly the given one, else nothing. Near is at
 * most three edits, and at most half of its letters (Levenshtein's distance); of equally near ones the first.
 */
export function didYouMean(given: string, known: readonly string[]): string {
  const measured = known.map((name) => ({
    name,
    edits: distance(name.toLowerCase(), given.toLowerCase()),
  }));
  const [best] = measured.sort((a, b) => a.edits - b.edits);
  const isNear = best !== undefined && best.edits <= Math.min(3, given.length / 2);
  return isNear ? ` (did you mean "${best.name}"?)` : '';
}

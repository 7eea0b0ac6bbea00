// SPDX-License-Identifier: Apache-2.0
import { listedIn, ModelError } from '../../errors.js';

/** Thrown where one node cannot be represented; caught per node, so that all are listed. */
export class Refusal extends Error {}

const listed = 6;

/** Characters of one place and of one constraint where they are told in brief. */
const longestPlace = 60;
const longestConstraint = 120;
/** Characters that a comma and "and N more" take. */
const tail = 14;

function shortened(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 3)}...`;
}

/** What a target cannot represent of a model; equal reasons are told once, with all their nodes. */
export class Violations {
  private readonly places = new Map<string, string[]>();

  /**
   * @param reason the constraint and, behind "; ", the way out
   * @param where the node or value, and the channel where there is one
   */
  add(reason: string, where: string): void {
    const places = this.places.get(reason);
    if (places === undefined) this.places.set(reason, [where]);
    else if (!places.includes(where)) places.push(where);
  }

  /** How many different reasons there are. */
  get count(): number {
    return this.places.size;
  }

  /**
   * ModelError `target-constraint` that names as many violations as fit a refusal, and each way out once,
   * behind them.
   */
  error(target: string): ModelError {
    const [code, where] = ['target-constraint', `target ${target}`];
    const parts = [...this.places].map(([reason, places]) => ({ ...split(reason), places }));
    const constraints = parts.map(({ constraint, places }) => sentence(places, constraint));
    const ways = [...new Set(parts.flatMap(({ wayOut }) => wayOut ?? []))];
    const end = ways.map((wayOut) => `; ${wayOut}`).join('');
    return new ModelError(code, where, listedIn(constraints, code, where, end) + end);
  }

  /**
   * The constraints that are broken, each with its first place and without the way out, in at most
   * `length` characters.
   */
  brief(length: number): string {
    const reasons = Array.from(this.places, ([reason, [place]]) => {
      const { constraint } = split(reason);
      return `${shortened(place!, longestPlace)} ${shortened(constraint, longestConstraint)}`;
    });
    let shown = 1;
    let text = reasons[0] ?? '';
    while (shown < reasons.length && text.length + reasons[shown]!.length + tail <= length) {
      text = `${text}, ${reasons[shown]!}`;
      shown += 1;
    }
    return shown < reasons.length ? `${text} and ${reasons.length - shown} more` : text;
  }

  /** All of them in one line; undefined where there is none. */
  text(): string | undefined {
    if (this.places.size === 0) return undefined;
    return Array.from(this.places, ([reason, places]) => sentence(places, reason)).join('; ');
  }
}

function split(reason: string): { readonly constraint: string; readonly wayOut?: string } {
  const at = reason.indexOf('; ');
  return at < 0
    ? { constraint: reason }
    : { constraint: reason.slice(0, at), wayOut: reason.slice(at + 2) };
}

function sentence(places: readonly string[], words: string): string {
  const more = places.length > listed ? ` and ${places.length - listed} more` : '';
  return `${places.slice(0, listed).join(', ')}${more}: ${words}`;
}

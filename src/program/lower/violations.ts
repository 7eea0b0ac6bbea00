// SPDX-License-Identifier: Apache-2.0
import { ModelError } from '../../errors.js';

/** Thrown where one node cannot be represented; caught per node, so that all are listed. */
export class Refusal extends Error {}

const listed = 6;

/** What a target cannot represent of a model; equal reasons are told once, with all their nodes. */
export class Violations {
  private readonly places = new Map<string, string[]>();

  /**
   * @param reason the constraint and the way out
   * @param where the node or value, and the channel where there is one
   */
  add(reason: string, where: string): void {
    const places = this.places.get(reason);
    if (places === undefined) this.places.set(reason, [where]);
    else if (!places.includes(where)) places.push(where);
  }

  /** @throws ModelError `target-constraint` naming every violation, if there is one */
  throwIfAny(target: string): void {
    const text = this.text();
    if (text !== undefined) throw new ModelError('target-constraint', `target ${target}`, text);
  }

  /** All of them in one line; undefined where there is none. */
  text(): string | undefined {
    if (this.places.size === 0) return undefined;
    const reasons = Array.from(this.places, ([reason, places]) => {
      const more = places.length > listed ? ` and ${places.length - listed} more` : '';
      return `${places.slice(0, listed).join(', ')}${more}: ${reason}`;
    });
    return reasons.join('; ');
  }
}

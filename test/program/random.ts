// SPDX-License-Identifier: Apache-2.0

/** A seeded source of numbers; equal seeds give equal sequences on every machine. */
export class Random {
  constructor(private state: number) {}

  /** In [0, 1), 32 bits (mulberry32). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer in [least, greatest]. */
  integer(least: number, greatest: number): number {
    return least + Math.floor(this.next() * (greatest - least + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length - 1)]!;
  }

  /** In [least, greatest], on a logarithmic scale. */
  magnitude(least: number, greatest: number): number {
    return least * (greatest / least) ** this.next();
  }
}

// SPDX-License-Identifier: Apache-2.0
// Ties: a class stands before an equal one of higher index, as argmax takes the lowest index.

/** One class of a result. */
export interface Ranked {
  /** Index in the network's output. */
  readonly index: number;
  readonly score: number;
}

/** The `count` best classes, best first. */
export function topClasses(scores: ArrayLike<number>, count: number): Ranked[] {
  const ranked = Array.from(scores, (score, index) => ({ index, score }));
  ranked.sort((a, b) => b.score - a.score || a.index - b.index);
  return ranked.slice(0, count);
}

/** Where a label stands among the scores. */
export interface Placement {
  /** The winner. */
  readonly top: number;
  /** 0 for the winner: how many classes stand before the label. */
  readonly rank: number;
  /** Whether another class shares the highest score. */
  readonly tiedAtTop: boolean;
  /** Whether the label has the highest score, shared or not. */
  readonly hitIfTiesCount: boolean;
}

/** Places a label in one pass over the scores. */
export function placeLabel(scores: ArrayLike<number>, label: number): Placement {
  const own = scores[label]!;
  let top = 0;
  let rank = 0;
  let atTop = 0;
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i]!;
    if (score > scores[top]!) {
      top = i;
      atTop = 0;
    }
    if (score === scores[top]) atTop++;
    if (score > own || (score === own && i < label)) rank++;
  }
  return { top, rank, tiedAtTop: atTop > 1, hitIfTiesCount: own === scores[top] };
}

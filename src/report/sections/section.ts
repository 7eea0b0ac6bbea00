// SPDX-License-Identifier: Apache-2.0
// What a page says, as data: sections of blocks. Nothing here knows HTML.
import type { Chart } from '../charts/index.js';

export type Tone = 'good' | 'bad' | 'plain';

export interface Cell {
  readonly text: string;
  /** What the column is sorted by; the text where absent. */
  readonly sort?: number;
  /** Whole, where the text is short for it. */
  readonly title?: string;
  /** An anchor in the page. */
  readonly href?: string;
  readonly tone?: Tone;
  /** The document does not have it. */
  readonly missing?: true;
}

export interface Column {
  readonly title: string;
  /** Columns of one result stand under its name. */
  readonly group?: string;
  readonly align?: 'right';
}

export interface Table {
  /** Unique in the page. */
  readonly id: string;
  readonly caption: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
  /** Whether readers sort and filter it. */
  readonly interactive: boolean;
}

export type Fact = readonly [name: string, value: Cell];

/** One answer at the top of a chapter. */
export interface Tile {
  readonly title: string;
  readonly value: string;
  readonly details: readonly string[];
  readonly tone: Tone;
  readonly href?: string;
}

export interface GraphNode {
  readonly name: string;
  readonly label: string;
  /** Words on hovering and for screen readers. */
  readonly words: string;
  readonly href: string;
  /** Severity 0 to 4; undefined where the document has no figure. */
  readonly severity: number | undefined;
  readonly inputs: readonly string[];
  /** Rows and columns of its output: one line of the picture each. */
  readonly resolution: string;
  readonly macs: number;
}

export interface Graph {
  readonly id: string;
  readonly caption: string;
  readonly explanation: string;
  readonly legend: readonly string[];
  readonly nodes: readonly GraphNode[];
}

export type Block =
  | { readonly kind: 'text'; readonly text: string; readonly tone?: Tone }
  | { readonly kind: 'facts'; readonly facts: readonly Fact[] }
  | { readonly kind: 'tiles'; readonly tiles: readonly Tile[] }
  | { readonly kind: 'table'; readonly table: Table }
  | { readonly kind: 'chart'; readonly chart: Chart }
  | { readonly kind: 'graph'; readonly graph: Graph }
  | { readonly kind: 'code'; readonly label: string; readonly text: string };

export interface Section {
  /** Unique in the page. */
  readonly id: string;
  readonly title: string;
  readonly blocks: readonly Block[];
}

/** All that is known of one layer. */
export interface Card {
  readonly id: string;
  readonly title: string;
  /** Whole name; converters join those of fused nodes. */
  readonly name: string;
  readonly groups: readonly { readonly title: string; readonly facts: readonly Fact[] }[];
}

/** The part of a page about one network. */
export interface Chapter {
  readonly id: string;
  readonly title: string;
  readonly sections: readonly Section[];
  readonly cards: readonly Card[];
}

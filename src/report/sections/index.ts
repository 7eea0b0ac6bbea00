// SPDX-License-Identifier: Apache-2.0
import type { Network } from '../read/index.js';
import { accumulatorsSection } from './accumulators.js';
import { cardsOf } from './cards.js';
import { claimsSection } from './claims.js';
import { divergenceSection } from './divergence.js';
import { dumpsSection } from './dumps.js';
import { findingsSection } from './findings.js';
import { latencySection } from './latency.js';
import { layerAnchors, type LayerAnchors } from './layer-names.js';
import { layersSection } from './layers.js';
import { networkSection } from './network.js';
import { preprocessingSection } from './preprocessing.js';
import { rangesSection } from './ranges.js';
import { recipeSection } from './recipe.js';
import { reproduceSection } from './reproduce.js';
import type { Chapter, Section } from './section.js';
import { vectorsSection } from './vectors.js';
import { verdictSection } from './verdict.js';

export type {
  Block,
  Card,
  Cell,
  Chapter,
  Fact,
  Graph,
  GraphNode,
  Section,
  Table,
  Tile,
} from './section.js';

/** In the order of the page; each is left out where no result has something for it. */
const makers: readonly ((network: Network, anchors: LayerAnchors) => Section | undefined)[] = [
  verdictSection,
  claimsSection,
  findingsSection,
  networkSection,
  layersSection,
  rangesSection,
  divergenceSection,
  dumpsSection,
  accumulatorsSection,
  latencySection,
  recipeSection,
  vectorsSection,
  preprocessingSection,
  reproduceSection,
];

/** What the page says about one network. */
export function chapterOf(network: Network): Chapter {
  const anchors = layerAnchors(network);
  return {
    id: network.id,
    title: network.name,
    sections: makers.flatMap((make) => make(network, anchors) ?? []),
    cards: cardsOf(network, anchors),
  };
}

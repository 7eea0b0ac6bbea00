// SPDX-License-Identifier: Apache-2.0
import type { Graph } from '../graph/graph.js';

/** A rewrite: takes a graph, returns another that computes the same; never changes its argument. */
export type Pass = (graph: Graph) => Graph;

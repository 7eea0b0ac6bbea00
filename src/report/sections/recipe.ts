// SPDX-License-Identifier: Apache-2.0
import { type Labelled, type Network, resultsOf } from '../read/index.js';
import { decibels, fixed, layerCell, percent, whole, words } from './cells.js';
import { hrefOf, type LayerAnchors } from './layer-names.js';
import type { Block, Cell, Column, Section } from './section.js';

type Quantization = Labelled<'quantize'>;

/** What quantization did, step by step; of several recipes beside each other. */
export function recipeSection(network: Network, anchors: LayerAnchors): Section | undefined {
  const results = resultsOf(network, 'quantize');
  if (results.length === 0) return undefined;
  const blocks: Block[] = [
    { kind: 'table', table: facts(network, results) },
    { kind: 'table', table: steps(network, results) },
    ...results.flatMap(warnings),
    ...results.flatMap((result, index) => choiceBlocks(network, result, index, anchors)),
  ];
  return { id: `${network.id}-recipe`, title: 'How it was quantized', blocks };
}

function facts(network: Network, results: readonly Quantization[]) {
  return {
    id: `${network.id}-recipe-facts`,
    caption: 'Quantizations',
    interactive: false,
    columns: [
      ...['recipe', 'target', 'form'].map((title): Column => ({ title })),
      ...['layers', 'images', 'seconds'].map((title): Column => ({ title, align: 'right' })),
      { title: 'file' },
    ],
    rows: results.map(({ label, document }): readonly Cell[] => [
      words(label),
      words(document.target),
      words(document.form),
      whole(document.layers),
      whole(document.images),
      fixed(document.seconds, 1),
      words(document.output),
    ]),
  };
}

function steps(network: Network, results: readonly Quantization[]) {
  const names = [
    ...new Set(results.flatMap(({ document }) => document.steps.map(({ name }) => name))),
  ];
  return {
    id: `${network.id}-recipe-steps`,
    caption: 'What each step changed',
    interactive: false,
    columns: [{ title: 'step' }, ...results.map(({ label }): Column => ({ title: label }))],
    rows: names.map((name): readonly Cell[] => [
      words(name),
      ...results.map(({ document }) => stepCell(document, name)),
    ]),
  };
}

/** A step can run more than once. */
function stepCell({ steps: made }: Quantization['document'], name: string): Cell {
  const found = made.filter((step) => step.name === name);
  if (found.length === 0) return { text: 'not taken' };
  return words(found.map(({ changed }) => changed).join('; '));
}

function warnings({ label, document }: Quantization): Block[] {
  return document.warnings.map((text) => ({
    kind: 'text',
    text: `${label}: ${text}`,
    tone: 'bad',
  }));
}

function choiceBlocks(
  network: Network,
  { label, document: { choice } }: Quantization,
  index: number,
  anchors: LayerAnchors,
): Block[] {
  if (choice === undefined) return [];
  const { before, after, layers } = choice;
  const saved = `${label}: from ${before.bytes.toLocaleString('en-US')} to ${after.bytes.toLocaleString('en-US')} bytes; same class as float on ${percent(before.agreement).text} before, ${percent(after.agreement).text} after.`;
  const table = {
    id: `${network.id}-choice-${index}`,
    caption: `Bits and scales chosen for ${label}; dB: of the scores when only this layer has them`,
    interactive: true,
    columns: [
      { title: 'layer' },
      { title: 'bits', align: 'right' as const },
      { title: 'scales' },
      { title: 'bytes', align: 'right' as const },
      { title: 'weights alone, dB', align: 'right' as const },
      { title: 'activation bits', align: 'right' as const },
      { title: '8 bits alone, dB', align: 'right' as const },
    ],
    rows: layers.map((layer): readonly Cell[] => [
      layerCell(layer.name, hrefOf(anchors, layer.name)),
      whole(layer.bits),
      words(layer.perChannel ? 'per channel' : 'per tensor'),
      whole(layer.bytes),
      layer.sqnrDb === null ? { text: 'the widest' } : decibels(layer.sqnrDb),
      whole(layer.activationBits),
      layer.activationSqnrDb === null ? { text: 'no choice' } : decibels(layer.activationSqnrDb),
    ]),
  };
  return [
    { kind: 'text', text: saved },
    { kind: 'table', table },
  ];
}

// SPDX-License-Identifier: Apache-2.0
import { type Labelled, type Network, resultsOf } from '../read/index.js';
import { missing, whole, words } from './cells.js';
import { noteBlocks } from './notes.js';
import type { Block, Fact, Section } from './section.js';

/** Golden vectors, and whether they still hold. */
export function vectorsSection(network: Network): Section | undefined {
  const blocks: Block[] = [
    ...noteBlocks(resultsOf(network, 'golden')),
    ...resultsOf(network, 'golden').map(goldenFacts),
    ...resultsOf(network, 'manifest').map(manifestFacts),
    ...resultsOf(network, 'verify').map(verifyFacts),
  ];
  if (blocks.length === 0) return undefined;
  return { id: `${network.id}-vectors`, title: 'Golden vectors', blocks };
}

function goldenFacts({ document }: Labelled<'golden'>): Block {
  const { manifest, target, layers, images, arrays, files, values } = document;
  const facts: Fact[] = [
    ['written', words(manifest)],
    ['target', words(target)],
    ['layers', whole(layers)],
    ['images', whole(images)],
    ['numbers', whole(values)],
    ['arrays', whole(arrays)],
    ['files', whole(files)],
  ];
  return { kind: 'facts', facts };
}

function manifestFacts({ file, document }: Labelled<'manifest'>): Block {
  const { target, layers, images, tool, model } = document;
  const arrays = layers.reduce((sum, layer) => sum + layer.arrays.length, 0);
  const facts: Fact[] = [
    ['manifest', words(file)],
    ['target', words(target)],
    ['model', words(`${model.file}, sha256 ${model.sha256}`)],
    ['layers', whole(layers.length)],
    ['images', whole(images.length)],
    ['arrays', whole(arrays)],
    ['written by', words(`${tool.name} ${tool.version}`)],
  ];
  return { kind: 'facts', facts };
}

function verifyFacts({ document }: Labelled<'verify'>): Block {
  const { ok, manifest, target, differing, arrays, files, values, first } = document;
  const where =
    first === null
      ? { text: 'none' }
      : words(`${first.kind}: ${first.layer ?? first.path} ${first.array ?? ''}`.trim(), 'bad');
  const facts: Fact[] = [
    ['verified', words(manifest)],
    ['target', words(target)],
    [
      'verdict',
      words(ok ? 'all as the manifest says' : `${differing} differ`, ok ? 'good' : 'bad'),
    ],
    [
      'compared',
      words(`${values.toLocaleString('en-US')} numbers, ${arrays} arrays, ${files} files`),
    ],
    ['first difference', where],
    ...(first === null
      ? []
      : [
          ['in the file', words(first.expected)] as const,
          ['computed', words(first.got)] as const,
          [
            'at',
            first.position === undefined ? missing : words(first.position.join(', ')),
          ] as const,
        ]),
  ];
  return { kind: 'facts', facts };
}

// SPDX-License-Identifier: Apache-2.0
import type { BenchDocument, Peer } from '../bench/document.js';
import { factList, shortName, textTable } from './text-table.js';

/** The document of `bench` for people. */
export function benchText(document: BenchDocument): string {
  const { exact, machine, layers, peers } = document;
  const facts = factList([
    ['target', document.target],
    ['machine', `${document.cpu}, ${document.isa}, ${quietness(machine)}`],
    ['threads', String(document.threads)],
    ['latency', `${times(document)}, ${document.runs} runs`],
    ['load', `${document.loadMs.toFixed(1)} ms`],
    [
      'memory',
      `${document.addedRssMiB.toFixed(1)} MiB added, peak ${document.peakRssMiB.toFixed(0)} MiB`,
    ],
    ['exact', exactness(exact)],
  ]);
  const slowest = [...layers].sort((a, b) => b.ms - a.ms).slice(0, 12);
  const table = textTable(slowest, [
    { title: 'slowest layers', value: ({ name }) => shortName(name) },
    { title: 'kernel', value: ({ kernel }) => kernel },
    { title: 'ms', value: ({ ms }) => ms.toFixed(3), align: 'right' },
    { title: 'GMAC/s', value: ({ gmacs }) => gmacs.toFixed(0), align: 'right' },
  ]);
  return `${facts}\n${table}${peers.length === 0 ? '' : `\n${peerTable(peers)}`}`;
}

function quietness({ jitter, othersBusyCores, quiet }: BenchDocument['machine']): string {
  const state = quiet ? 'quiet' : 'NOT QUIET, times are unreliable';
  return `${state} (others keep ${othersBusyCores.toFixed(1)} cores busy, p90/p50 of fixed work ${jitter.toFixed(2)})`;
}

function times({ p50Ms, p90Ms, p99Ms }: Record<'p50Ms' | 'p90Ms' | 'p99Ms', number>): string {
  return `${p50Ms.toFixed(3)} ms (p90 ${p90Ms.toFixed(3)}, p99 ${p99Ms.toFixed(3)})`;
}

function exactness({ compared, differing, against, inputs, first }: BenchDocument['exact']) {
  const where = first === undefined ? '' : `; first in "${first.tensor}" at ${first.element}`;
  const images = inputs === 1 ? '1 image' : `${inputs} images`;
  return `${differing} of ${compared} values differ from the ${against.join(' and the ')}${where} (${images})`;
}

function peerTable(peers: readonly Peer[]): string {
  const timed = (peer: Peer, figure: (known: Exclude<Peer, { excluded: string }>) => string) =>
    'excluded' in peer ? '' : figure(peer);
  return textTable(peers, [
    { title: 'peer', value: ({ name }) => name },
    {
      title: 'p50 ms',
      value: (peer) => timed(peer, ({ p50Ms }) => p50Ms.toFixed(3)),
      align: 'right',
    },
    {
      title: 'ratio',
      value: (peer) => timed(peer, ({ ratio }) => `${ratio.toFixed(2)}x`),
      align: 'right',
    },
    {
      title: 'blocks p10..p90',
      value: (peer) =>
        timed(peer, ({ ratioSpread: { p10, p90 } }) => `${p10.toFixed(2)}..${p90.toFixed(2)}`),
    },
    {
      title: 'remarks',
      value: (peer) =>
        'excluded' in peer ? `left out: ${peer.excluded}` : (peer.fastestOf ?? peer.version),
    },
  ]);
}

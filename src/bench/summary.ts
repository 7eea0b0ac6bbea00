// SPDX-License-Identifier: Apache-2.0
import type { Peer, TimedPeer } from './document.js';
import { ratioOver, type Timed } from './interleave.js';
import type { OpenPeer } from './peers.js';

/** Rows that stand for the fastest of several forms, by the beginning of their names. */
const groups = ['onnxruntime-int8-qdq', 'onnxruntime-int8-qop', 'onnxruntime-int8'] as const;

/** The timed peers, and for each group of forms the fastest one under the group's name. */
export function summarizePeers(
  subject: Timed,
  open: readonly OpenPeer[],
  timed: readonly Timed[],
): readonly Peer[] {
  const peers = open.map((peer, i): TimedPeer => {
    const { latency } = timed[i]!;
    const { runs, p50Ms, p90Ms, p99Ms, minMs } = latency;
    return {
      name: peer.name,
      version: peer.version,
      p50Ms,
      p90Ms,
      p99Ms,
      minMs,
      runs,
      ratio: p50Ms / subject.latency.p50Ms,
      ratioSpread: ratioOver(subject, timed[i]!),
      top1Agreement: peer.top1Agreement,
    };
  });
  return [...peers, ...groups.flatMap((group) => fastestOf(group, peers))];
}

function fastestOf(group: string, peers: readonly TimedPeer[]): TimedPeer[] {
  const members = peers.filter(({ name }) => name.startsWith(`${group}-`));
  if (members.length === 0) return [];
  const best = members.reduce((a, b) => (b.p50Ms < a.p50Ms ? b : a));
  return [{ ...best, name: group, fastestOf: best.name }];
}

// SPDX-License-Identifier: Apache-2.0
// Tables that several experiments show.
import { tableOf, type ExperimentTable } from './document.js';
import { relativeDrop, type MeasuredNet } from './measured-net.js';

/** One row for each net and scheme. */
export function accuracyTable(nets: readonly MeasuredNet[]): ExperimentTable {
  const rows = nets.flatMap((net) =>
    net.runs.map((run) => {
      const { accuracy } = run;
      return {
        net: net.name,
        scheme: run.scheme,
        target: run.target,
        images: accuracy.n,
        'float top-1 %': round(accuracy.float!.top1),
        'integer top-1 %': round(accuracy.top1),
        'delta points': round(accuracy.paired!.delta),
        'delta from': round(accuracy.paired!.ci95[0]),
        'delta to': round(accuracy.paired!.ci95[1]),
        'relative drop %': round(relativeDrop(run)),
        'score SQNR dB': accuracy.scoreSqnrDb == null ? null : round(accuracy.scoreSqnrDb),
      };
    }),
  );
  return tableOf('accuracy', 'Accuracy in exact integers', rows);
}

/** Ranges and channel precision of each layer, of folded weights and of activations behind the clamp. */
export function layerTable(nets: readonly MeasuredNet[]): ExperimentTable {
  const rows = nets.flatMap((net) =>
    net.layers.map(({ name, kind, channels, weights, activations, normalization }, depth) => ({
      net: net.name,
      depth,
      layer: name,
      kind,
      channels,
      'weight range': weights && round(weights.max - weights.min),
      'weight channel precision': weights && round(weights.channelPrecision),
      'weight SQNR of the middle channel dB': weights?.perTensor.medianChannelDb,
      'activation range': activations && round(activations.max - activations.min),
      'activation range / input range': activations?.rangeChange,
      'activation channel precision': activations && round(activations.channelPrecision),
      'clamped %': activations?.clampedPercent,
      'channels without variance': normalization?.zeroVariance,
      'largest alpha / median': normalization && round(normalization.largestAlpha),
    })),
  );
  return tableOf('layers', 'Distributions of float layers, batch norms folded', rows);
}

/** Error of each layer over depth. */
export function errorTable(nets: readonly MeasuredNet[]): ExperimentTable {
  const rows = nets.flatMap((net) =>
    net.runs.flatMap((run) =>
      run.layers.map((layer, depth) => ({
        net: net.name,
        scheme: run.scheme,
        depth,
        layer: layer.name,
        kind: layer.kind,
        'accumulated dB': layer.accumulatedDb,
        'isolated dB': layer.isolatedDb,
        'saturated %': round(layer.saturatedPercent),
      })),
    ),
  );
  return tableOf('errors', 'Error of each layer, alone and behind its predecessors', rows);
}

/** Four significant digits: more is noise in a table. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}

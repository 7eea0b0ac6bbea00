// SPDX-License-Identifier: Apache-2.0
// The target of a .tflite file: one whose runtime reads such files.
import { UsageError } from '../errors.js';
import type { QuantGraph } from '../graph/quant-graph.js';
import { allTargets } from '../targets/index.js';
import type { TargetSpec } from '../targets/target.js';
import { firstAccepting } from './default-target.js';

/** @throws UsageError where the target's runtime reads no .tflite files */
export function requireTfliteTarget({ id, readsTflite }: TargetSpec, output: string): void {
  if (readsTflite) return;
  const family = allTargets.filter((target) => target.readsTflite);
  const names = family.map(({ aliases, id: full }) => aliases[0] ?? full);
  throw new UsageError(
    'output-form',
    output,
    `${id} reads no .tflite files; write an .onnx file, or quantize for one of ${names.join(', ')}`,
  );
}

/**
 * A graph as a .tflite file holds it, which runs under a target that reads such files unless it
 * names none.
 *
 * @returns notes: one sentence where the target had to change
 * @throws ModelError `target-constraint` where no such target accepts the model
 */
export function forTflite(quantGraph: QuantGraph): {
  readonly quantGraph: QuantGraph;
  readonly notes: readonly string[];
} {
  const { metadata, origin } = quantGraph;
  const own = allTargets.find(({ id }) => id === metadata.target);
  if (own?.readsTflite || (origin === 'tflite' && metadata.target === undefined)) {
    return { quantGraph, notes: [] };
  }
  const { target } = firstAccepting({ ...quantGraph, origin: 'tflite' }, undefined);
  const described = { ...quantGraph, metadata: { ...metadata, target: target.id } };
  const was = metadata.target ?? 'no target';
  const note = `the model was made for ${was}, as .tflite it runs under ${target.id} unless --target says otherwise`;
  return { quantGraph: described, notes: [note] };
}

// SPDX-License-Identifier: Apache-2.0
// What the page reads of each document. Documents may have more fields; figures that JSON cannot
// hold (an SQNR without noise) are null there.
import { z } from 'zod';

const count = z.number();
/** Null where it is infinite. */
const figure = z.number().nullable();
const text = z.string();
const notes = z.array(text).optional();
const evidence = z.enum(['verified', 'source', 'unverified']).optional();
const modelFile = z.object({ file: text, sha256: text });

const origin = {
  schemaVersion: z.literal(1),
  version: text.optional(),
  options: z.record(text, z.unknown()).optional(),
};
const aboutModels = {
  models: z.object({ float: modelFile.optional(), quantized: modelFile.optional() }).optional(),
};
const preprocessing = {
  preprocess: text.nullable().optional(),
  preprocessDecidedBy: text.nullable().optional(),
  preprocessContradicts: text.optional(),
  geometry: text.nullable().optional(),
  geometryApplied: z.record(text, count).optional(),
};
const network = z
  .array(
    z.object({
      name: text,
      op: text,
      inputs: z.array(text),
      shape: z.tuple([count, count, count]),
      macs: count,
    }),
  )
  .optional();
const trap = z.object({ layer: text, element: count, value: text });

const roundedWeights = z.object({ medianChannelDb: figure.optional(), lostChannels: count });
const spread = { min: count, max: count, channelPrecision: count, constantChannels: count };
const noisePercent = z.object({ perTensor: figure, perChannel: figure }).optional();

const analyze = z.object({
  ...origin,
  ...aboutModels,
  ...preprocessing,
  model: text,
  images: count,
  seenBy: z.enum(['images', 'data-free', 'weights']),
  findings: z.array(z.object({ code: text, layers: z.array(text), what: text, remedy: text })),
  layers: z.array(
    z.object({
      name: text,
      kind: text,
      channels: count,
      weights: z
        .object({ ...spread, perTensor: roundedWeights, perChannel: roundedWeights, noisePercent })
        .optional(),
      normalization: z.object({ zeroVariance: count, largestAlpha: figure }).optional(),
      activations: z
        .object({
          ...spread,
          expectedDb: figure.optional(),
          medianChannelDb: figure.optional(),
          clampedPercent: figure.optional(),
          noisePercent,
        })
        .optional(),
    }),
  ),
  notes,
});

const cost = z.object({ bytes: count, agreement: count });
const quantize = z.object({
  ...origin,
  ...aboutModels,
  ...preprocessing,
  output: text,
  form: text,
  target: text,
  method: text,
  layers: count,
  images: count,
  steps: z.array(z.object({ name: text, changed: text })),
  choice: z
    .object({
      layers: z.array(
        z.object({
          name: text,
          bits: count,
          perChannel: z.boolean(),
          activationBits: count,
          bytes: count,
          sqnrDb: figure,
          activationSqnrDb: figure,
        }),
      ),
      before: cost,
      after: cost,
    })
    .optional(),
  warnings: z.array(text),
  seconds: count,
});

const layerComparison = z.object({
  name: text,
  op: text,
  kind: text,
  sqnrDb: figure,
  sqnrIsolatedDb: figure.optional(),
  rmsErrorLsb: figure.optional(),
  rmsErrorIsolatedLsb: figure.optional(),
  maxErrorLsb: figure.optional(),
  maxErrorIsolatedLsb: figure.optional(),
  cosine: figure,
  maxAbsError: figure,
  saturatedPercent: figure,
});
const compare = z.object({
  ...origin,
  ...aboutModels,
  ...preprocessing,
  target: text,
  evidence,
  layers: z.array(layerComparison),
  network,
  top1Agreement: count,
  images: count,
  notes,
  trap: trap.extend({ input: text }).optional(),
});

const codeDifference = z.object({ elements: count, differing: count, maxLsb: count });
const causeStep = z.object({ ingredient: text, detail: text, changed: count });
const first = z
  .object({
    target: text,
    layer: text,
    op: text,
    elements: count,
    differing: count,
    maxLsb: count,
    cause: text,
    alone: z.boolean(),
    steps: z.array(causeStep),
    trap: trap.optional(),
  })
  .nullable();
const diff = z.object({
  ...origin,
  ...aboutModels,
  ...preprocessing,
  model: text,
  targets: z.array(text).min(1),
  evidence: z.record(text, text).optional(),
  refused: z.array(z.object({ target: text, reason: text })),
  images: count,
  first,
  firsts: z.array(z.object({ target: text, first })),
  layers: z.array(
    z.object({
      name: text,
      op: text,
      others: z.array(
        z.object({
          target: text,
          isolated: codeDifference,
          accumulated: codeDifference,
          cause: z.object({ text, alone: z.boolean() }).nullable(),
          trap: trap.optional(),
        }),
      ),
    }),
  ),
  network,
  notes,
});

const dumpLayer = z.object({
  name: text,
  op: text,
  file: text,
  dtype: text,
  elements: count,
  differing: count,
  maxLsb: count,
  layout: text,
  layoutFrom: text,
  read: text,
  positions: z.array(z.object({ y: count, x: count, channel: count, expected: count, got: count })),
  hints: z.array(text),
});
const compareDump = z.object({
  ...origin,
  ...aboutModels,
  ...preprocessing,
  model: text,
  target: text,
  evidence,
  input: text,
  first: dumpLayer.nullable(),
  layers: z.array(dumpLayer),
  unmatched: z.array(text),
  missing: z.array(text),
  notes,
  trap: trap.optional(),
});

const interval = z.tuple([figure, figure]);
const evaluate = z.object({
  ...origin,
  ...aboutModels,
  ...preprocessing,
  model: text,
  target: text,
  evidence,
  n: count,
  top1: count,
  top1Ci95: interval,
  top5: count,
  tiesAtTopPercent: count,
  top1IfTiesCount: count.optional(),
  float: z.object({ top1: count, top5: count }).optional(),
  paired: z
    .object({ delta: count, ci95: interval, better: count, worse: count, pValue: figure })
    .optional(),
  top1Agreement: count.optional(),
  scoreSqnrDb: figure.optional(),
  detectableDrop: count.optional(),
  expect: z.object({ name: text, ok: z.boolean() }).optional(),
  labelOffset: count,
  notes,
});

const peer = z.union([
  z.object({ name: text, version: text, p50Ms: count, ratio: count, fastestOf: text.optional() }),
  z.object({ name: text, excluded: text }),
]);
const bench = z.object({
  ...origin,
  ...aboutModels,
  model: text,
  target: text,
  cpu: text,
  isa: text,
  threads: count,
  runs: count,
  p50Ms: count,
  p90Ms: count,
  p99Ms: count,
  loadMs: count.optional(),
  peakRssMiB: count.optional(),
  addedRssMiB: count.optional(),
  arenaMiB: count.optional(),
  layers: z.array(z.object({ name: text, op: text, kernel: text, ms: count, gmacs: count })),
  network,
  exact: z.object({ compared: count, differing: count, against: z.array(text) }),
  machine: z.object({ quiet: z.boolean(), jitter: count, othersBusyCores: count }).optional(),
  peers: z.array(peer),
});

const prove = z.object({
  ...origin,
  ...aboutModels,
  model: text,
  target: text,
  evidence,
  ok: z.boolean(),
  layers: z.array(
    z.object({
      name: text,
      op: text,
      accMin: count,
      accMax: count,
      bitsNeeded: count,
      bitsHave: count,
      ok: z.boolean(),
      overflow: text.optional(),
      pairs: z.object({ min: count, max: count, ok: z.boolean() }).optional(),
      counterexample: z.object({ channel: count, value: count, codes: z.array(count) }).optional(),
    }),
  ),
  network,
  notes,
});

const golden = z.object({
  ...origin,
  ...aboutModels,
  model: text,
  target: text,
  evidence,
  manifest: text,
  layers: count,
  images: count,
  arrays: count,
  files: count,
  values: count,
  notes,
});

/** The manifest of a folder of golden vectors; `golden/manifest.ts` has all of it. */
const manifest = z.object({
  schemaVersion: z.literal(1),
  version: text.optional(),
  options: z.record(text, z.unknown()).optional(),
  tool: z.object({ name: z.literal('lastbit'), version: text }),
  target: text,
  evidence,
  model: modelFile,
  images: z.array(z.object({ name: text, sha256: text })),
  layers: z.array(
    z.object({ name: text, op: text, arrays: z.array(z.object({ name: text, sha256: text })) }),
  ),
  notes,
});

const verify = z.object({
  ...origin,
  manifest: text,
  target: text,
  ok: z.boolean(),
  layers: count,
  images: count,
  files: count,
  arrays: count,
  values: count,
  differing: count,
  first: z
    .object({
      kind: text,
      path: text,
      layer: text.optional(),
      array: text.optional(),
      position: z.array(count).optional(),
      expected: text.optional(),
      got: text.optional(),
    })
    .nullable(),
});

const cell = z.union([text, figure]);
const experiment = z.object({
  ...origin,
  experiment: text,
  paper: text,
  nets: z.array(z.object({ name: text, file: text, sha256: text })),
  images: count,
  claims: z.array(
    z.object({
      id: text,
      statement: text,
      measurement: text,
      unit: text,
      value: figure,
      ci95: interval.nullable(),
      statistic: text,
      verdict: z.enum(['shown', 'refuted', 'undecided']),
      reason: text,
    }),
  ),
  tables: z.array(
    z.object({ name: text, title: text, columns: z.array(text), rows: z.array(z.array(cell)) }),
  ),
  notes,
});

/** By kind, in the order in which a page has them. */
export const schemas = {
  analyze,
  quantize,
  evaluate,
  compare,
  diff,
  'compare-dump': compareDump,
  prove,
  bench,
  golden,
  manifest,
  verify,
  experiment,
} as const;

export type ResultKind = keyof typeof schemas;

/** A document as the page reads it. */
export type ResultDocument<Kind extends ResultKind = ResultKind> = z.infer<(typeof schemas)[Kind]>;

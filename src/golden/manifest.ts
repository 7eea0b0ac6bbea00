// SPDX-License-Identifier: Apache-2.0
// The manifest of a folder of golden vectors: the schema is its type and, as JSON schema, its document.
import { z } from 'zod';
import { ModelError } from '../errors.js';
import { roles } from './array.js';
import { vectorFormats } from './encode.js';

const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .describe('SHA-256, lower case hexadecimal');
const shape = z.array(z.int().positive());

const file = z.strictObject({
  path: z.string().min(1).describe('relative to the manifest, with /'),
  format: z.enum(vectorFormats),
  axes: z.string().describe('N image, H W C activation, O I weights, K step or entry; c a tile'),
  shape,
  word: z
    .strictObject({
      width: z.int().positive().describe('bits of one number'),
      wordBits: z.int().positive(),
      laneOrder: z.enum(['low-first', 'high-first']),
    })
    .optional(),
  endian: z.enum(['little', 'big']).optional(),
  sha256,
});

const array = z.strictObject({
  role: z.enum(roles),
  name: z.string(),
  tensor: z.string().optional().describe('the tensor of the network, where it is one'),
  image: z.int().min(0).optional().describe('index into images; absent: the same for all'),
  dtype: z.enum(['u8', 's8', 'u16', 's16', 's32', 's64', 'f32', 'f64']),
  axes: z.string(),
  shape,
  scale: z.number().optional().describe('real = scale x (code - zeroPoint)'),
  zeroPoint: z.int().optional(),
  sha256: sha256.describe('of the numbers in the order of axes, little endian'),
  files: z.array(file).min(1),
});

const layer = z.strictObject({
  name: z.string(),
  op: z.string(),
  folder: z.string(),
  attributes: z.record(z.string(), z.unknown()),
  arrays: z.array(array),
});

const manifestSchema = z.strictObject({
  $schema: z.string().optional(),
  schemaVersion: z.literal(1),
  tool: z.strictObject({ name: z.literal('lastbit'), version: z.string() }),
  target: z.string().describe('full id, name@version'),
  evidence: z.enum(['verified', 'source', 'unverified']),
  model: z.strictObject({ file: z.string(), sha256 }),
  program: z.strictObject({ path: z.string(), sha256 }),
  images: z
    .array(z.strictObject({ name: z.string(), path: z.string(), sha256 }))
    .min(1)
    .describe("the network's input codes, NHWC, as .npy"),
  partialSums: z.int().positive().optional().describe('products from one partial sum to the next'),
  layers: z.array(layer),
  notes: z.array(z.string()),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestArray = z.infer<typeof array>;
export type ManifestLayer = z.infer<typeof layer>;

/** The manifest as JSON Schema (draft 2020-12). */
export function manifestJsonSchema(): object {
  return z.toJSONSchema(manifestSchema);
}

/**
 * Reads a manifest.
 * @throws ModelError `bad-manifest` with the first place that is not as it should be
 */
export function parseManifest(text: string, where: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw damaged(where, 'it is no JSON');
  }
  const parsed = manifestSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw damaged(where, `${issue!.path.join('.') || 'the document'}: ${issue!.message}`);
}

function damaged(where: string, detail: string): ModelError {
  return new ModelError(
    'bad-manifest',
    where,
    `expected a manifest of golden vectors, but ${detail}; write the vectors again with lastbit golden`,
  );
}

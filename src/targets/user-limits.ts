// SPDX-License-Identifier: Apache-2.0
// The schema of limits.ts.
import { z } from 'zod';
import { object, whole } from './schema.js';

const side = z.tuple([whole(1, 65536), whole(1, 65536)]).optional();
const layerLimits = object({
  squareKernels: z.array(whole(1, 65536)).min(1).optional(),
  greatestKernel: whole(1, 65536).optional(),
  greatestKernelArea: whole(1, 2 ** 30).optional(),
  greatestStride: whole(1, 65536).optional(),
  greatestDilation: whole(1, 65536).optional(),
  groups: z.enum(['one', 'oneOrDepthwise']).optional(),
  greatestChannels: whole(1, 65536).optional(),
  imageHeight: side,
  imageWidth: side,
  greatestPool: whole(1, 65536).optional(),
  greatestPoolStride: whole(1, 65536).optional(),
  paddedPools: z.literal(false).optional(),
  layers: whole(1, 65536).optional(),
  weightBytes: whole(1, 2 ** 40).optional(),
});
/** Limits of the device in a user's target. */
export const deviceLimits = object({
  source: z.string().min(1),
  refused: layerLimits.optional(),
  noted: layerLimits.optional(),
});

// SPDX-License-Identifier: Apache-2.0
// A layer's files as the TOSA conformance tests describe theirs (desc.json of tosa-tools): runners that
// know that form read inputs and expected outputs without knowing ours.
import type { ManifestArray, ManifestLayer } from './manifest.js';

/** @param image index of the image, whose files stand beside the description */
export function tosaDescription(layer: ManifestLayer, target: string, image: number): object {
  const of = (role: ManifestArray['role']) =>
    layer.arrays.filter((array) => array.role === role && array.image === image);
  const names = (arrays: readonly ManifestArray[]) => arrays.map(({ tensor }) => tensor);
  const files = (arrays: readonly ManifestArray[]) => arrays.map(({ name }) => `${name}.npy`);
  const [inputs, outputs] = [of('input'), of('output')];
  return {
    tag: `lastbit-${layer.op}`,
    ifm_name: names(inputs),
    ifm_file: files(inputs),
    ofm_name: names(outputs),
    ofm_file: files(outputs),
    expected_failure: false,
    expected_failure_desc: '',
    meta: { tool: 'lastbit', target, layer: layer.name, op: layer.op, data_layout: 'NHWC' },
  };
}

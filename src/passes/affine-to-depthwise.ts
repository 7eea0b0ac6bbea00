// SPDX-License-Identifier: Apache-2.0
import { indexOf, namer, outputOf, substitute } from '../graph/edit.js';
import type { ConvNode, Node, Tensor } from '../graph/graph.js';
import { f32Tensor } from '../graph/tensors.js';
import { channelAffine } from './affine.js';
import type { Pass } from './pass.js';

/**
 * Writes what no convolution could take in (a batch norm behind a pool or an addition, a
 * normalization of the input) as a depthwise 1x1 convolution, which every target has. Of a chain
 * only the first node: the others fold into it afterwards.
 * Equal in real arithmetic; float32 may round differently.
 */
export const affineToDepthwise: Pass = (graph) => {
  const index = indexOf(graph);
  const fresh = namer(graph);
  const changes = new Map<Node, ConvNode>();
  const constants: [string, Tensor][] = [];
  for (const node of graph.nodes) {
    const affine = channelAffine(graph, node);
    if (affine === undefined || graph.shapes.get(affine.input)?.length !== 4) continue;
    // The rest of a chain folds into its first.
    const before = index.soleProducer(affine.input);
    if (before !== undefined && channelAffine(graph, before) !== undefined) continue;
    const channels = affine.gain.length;
    const weight = fresh(`${node.name}/weight`);
    const bias = fresh(`${node.name}/bias`);
    constants.push([weight, f32Tensor([channels, 1, 1, 1], affine.gain)]);
    constants.push([bias, f32Tensor([channels], affine.shift)]);
    changes.set(node, {
      op: 'Conv',
      name: node.name,
      inputs: [affine.input, weight, bias],
      outputs: [outputOf(node)],
      kernel: [1, 1],
      strides: [1, 1],
      pads: [0, 0, 0, 0],
      dilations: [1, 1],
      group: channels,
    });
  }
  return substitute(graph, changes, constants);
};

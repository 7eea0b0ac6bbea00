// SPDX-License-Identifier: Apache-2.0
// The frame of a quantized file: quantized input, layers, dequantized outputs, metadata.
import type { QuantGraph, QuantNode, QuantValue } from '../../graph/quant-graph.js';
import { bitsOfType } from '../../numeric/code-types.js';
import { OnnxBuilder } from '../file/builder.js';
import { type FileFacts, formatFacts, marksOf } from '../../graph/file-facts.js';
import type { OnnxModel, OnnxTensor } from '../file/model.js';
import { dequantize, quantize } from './activations.js';
import { isStandardHardSwish } from './float-layer.js';
import { type Writer, isGemm, isNarrow, valueOf } from './writer.js';

/**
 * A model whose input is quantized and whose outputs are dequantized; `writeLayer` writes the rest.
 *
 * @param facts what `writeLayer` leaves to the metadata
 */
export function buildModel(
  graph: QuantGraph,
  writeLayer: (writer: Writer, node: QuantNode) => void,
  { clamps, singleZero }: Pick<FileFacts, 'clamps' | 'singleZero'> = {
    clamps: new Map(),
    singleZero: new Set(),
  },
): OnnxModel {
  const file = new OnnxBuilder(
    graph.values.keys(),
    graph.nodes.map((node) => node.name),
  );
  const writer: Writer = { graph, file, codes: new Map(), real: new Map() };
  quantize(writer, valueOf(graph, graph.input), graph.input);
  for (const node of graph.nodes) writeLayer(writer, node);
  for (const name of graph.outputs) dequantize(writer, name);
  const opset = requiredOpset(graph);
  const initializers: ReadonlyMap<string, OnnxTensor> = file.initializers;
  return {
    irVersion: opset >= 21 ? 10 : opset >= 20 ? 9 : 7,
    opsets: new Map([['', opset], ...file.domains]),
    producer: { name: 'lastbit', version: graph.metadata.version ?? '' },
    metadata: formatFacts({ ...factsOf(graph), clamps, singleZero }),
    graph: {
      name: graph.name,
      nodes: file.nodes,
      initializers,
      inputs: [floatInfo(valueOf(graph, graph.input))],
      outputs: graph.outputs.map((name) => floatInfo(valueOf(graph, name))),
      valueInfo: [],
    },
  };
}

function floatInfo({ name, shape }: QuantValue) {
  return { name, dtype: 'f32' as const, shape };
}

function requiredOpset(graph: QuantGraph): number {
  const wide = [...graph.values.values()].some((value) => value.dtype === 's16');
  const wideWeights = graph.nodes.some((node) => node.op === 'Conv' && node.weight.dtype === 's16');
  if (wide || wideWeights) return 21;
  if (graph.nodes.some(({ op }) => op === 'Gelu')) return 20;
  return graph.nodes.some(isStandardHardSwish) ? 14 : 13;
}

function factsOf(graph: QuantGraph) {
  const convs = graph.nodes.filter((node) => node.op === 'Conv');
  return {
    metadata: graph.metadata,
    origin: graph.origin,
    marks: marksOf(graph.nodes),
    activationBits: new Map(
      [...graph.values.values()].filter(isNarrow).map(({ name, bits }) => [name, bits]),
    ),
    weightBits: new Map(
      convs
        .filter(({ weight }) => weight.bits < bitsOfType[weight.dtype])
        .map(({ name, weight }) => [name, weight.bits]),
    ),
    fullyConnected: new Set(
      convs.filter((conv) => conv.fullyConnected && !isGemm(graph, conv)).map(({ name }) => name),
    ),
    layerNames: new Map<string, string>(),
    paddings: new Set<string>(),
  };
}

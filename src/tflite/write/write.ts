// SPDX-License-Identifier: Apache-2.0
// A quantized graph as a .tflite file. importTflite gives back an equal graph; NOTES.md says how each
// fact is encoded.
import { formatFacts, marksOf } from '../../graph/file-facts.js';
import type { QuantGraph, QuantNode } from '../../graph/quant-graph.js';
import { bitsOfType } from '../../numeric/code-types.js';
import { requireKernels, writeConv } from './convolutions.js';
import { type FileModel, encodeTflite } from './file.js';
import {
  writeConcat,
  writeElementwise,
  writeGlobalPool,
  writePad,
  writePool,
  writeReshape,
  writeResize,
  writeSoftmax,
  writeUnary,
} from './plain.js';
import { TfliteWriter } from './state.js';

/**
 * Writes a .tflite file (schema version 3) whose input and outputs are codes: int8 with weights per
 * tensor or per channel, uint8 with weights per tensor, or 16-bit activations with 8-bit weights.
 * Activations [1,C,H,W] become [1,H,W,C]. Padding that is neither SAME nor none becomes a PAD.
 *
 * @returns the bytes of the file
 * @throws ModelError naming every layer and value that TFLite has no form for
 */
export function writeTflite(graph: QuantGraph): Uint8Array {
  return encodeTflite(toFile(graph));
}

function toFile(graph: QuantGraph): FileModel {
  const writer = new TfliteWriter(graph);
  requireKernels(writer);
  const input = writer.tensorOf(writer.value(graph.input));
  for (const node of graph.nodes) {
    if (!writer.done.has(node)) writeNode(writer, node);
  }
  const outputs = graph.outputs.map((name) => writer.tensorOf(writer.value(name)));
  writer.problems.throwIfAny();
  const { tensors, operators } = writer;
  return { name: graph.name, tensors, operators, input, outputs, metadata: metadataOf(writer) };
}

function writeNode(writer: TfliteWriter, node: QuantNode): void {
  switch (node.op) {
    case 'Conv': {
      writeConv(writer, node);
      return;
    }
    case 'Add':
    case 'Mul': {
      writeElementwise(writer, node);
      return;
    }
    case 'AveragePool':
    case 'MaxPool': {
      writePool(writer, node);
      return;
    }
    case 'GlobalAveragePool': {
      writeGlobalPool(writer, node);
      return;
    }
    case 'Concat': {
      writeConcat(writer, node);
      return;
    }
    case 'Pad': {
      writePad(writer, node);
      return;
    }
    case 'Reshape': {
      writeReshape(writer, node);
      return;
    }
    case 'Resize': {
      writeResize(writer, node);
      return;
    }
    case 'Softmax': {
      writeSoftmax(writer, node);
      return;
    }
    case 'HardSwish':
    case 'HardSigmoid':
    case 'Sigmoid':
    case 'LeakyRelu':
    case 'Gelu':
    case 'Requantize': {
      writeUnary(writer, node);
      return;
    }
  }
}

function metadataOf({ graph, clamps, layerNames, paddings }: TfliteWriter) {
  const convs = graph.nodes.filter((node) => node.op === 'Conv');
  const narrow = convs.filter(
    ({ weight: { bits, dtype } }) => bits !== 4 && bits < bitsOfType[dtype],
  );
  return formatFacts({
    metadata: graph.metadata,
    origin: graph.origin,
    activationBits: new Map(),
    weightBits: new Map(narrow.map(({ name, weight }) => [name, weight.bits])),
    fullyConnected: new Set(),
    clamps,
    singleZero: new Set(),
    marks: marksOf(graph.nodes),
    layerNames,
    paddings,
  });
}

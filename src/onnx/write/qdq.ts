// SPDX-License-Identifier: Apache-2.0
// A quantized graph as standard QDQ ONNX. importQuantized gives back an equal graph; NOTES.md says
// how each fact is encoded and why.
import type { QuantGraph } from '../../graph/quant-graph.js';
import { encodeModel } from '../file/encode.js';
import type { OnnxModel } from '../file/model.js';
import { dequantize } from './activations.js';
import { writeFloatLayer } from './float-layer.js';
import { buildModel } from './model.js';

/**
 * Writes standard ONNX with QuantizeLinear/DequantizeLinear pairs on every activation, integer
 * weights and biases behind DequantizeLinear, and clamps as Relu, Clip or Max/Min. Opset 13, or 14
 * for HardSwish, or 21 where 16-bit codes need it.
 *
 * @returns the bytes of an .onnx file whose input and outputs are float32
 * @throws ModelError where a value is missing or a layer cannot be expressed
 */
export function writeQdq(graph: QuantGraph): Uint8Array {
  return encodeModel(toQdqModel(graph));
}

/** The model that {@link writeQdq} encodes. */
function toQdqModel(graph: QuantGraph): OnnxModel {
  return buildModel(graph, (writer, node) => {
    const value = writeFloatLayer(writer, node);
    dequantize(writer, value.name);
  });
}

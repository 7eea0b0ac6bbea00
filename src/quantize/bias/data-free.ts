// SPDX-License-Identifier: Apache-2.0
// The same without images: E[x] by channel from batch norms (calibrate/data-free/), so that E[(W'
// - W) x] = sum over i and taps of (W' - W)_oi E[x_i], borders by the share of positions that meet
// one.
import { convResponse } from '../../calibrate/data-free/index.js';
import type { ChannelMoments } from '../../calibrate/observers/moments.js';
import type { Choices } from '../choices/choices.js';
import { dequantizeWeights } from '../codes/weights.js';
import { convolutionsOf, shapeOf, weightOf } from '../network/connections.js';

/**
 * b -= E[(W' - W) x] as `correctBiasAnalytic`, with the mean of x by channel from the batch norms
 * instead of from images (Nagel et al. 2019, section 4.2). Borders count by the share of positions
 * at which a tap meets one.
 *
 * @param moments of the input of every convolution
 * @returns biases by convolution name
 */
export function correctBiasDataFree(
  choices: Choices,
  moments: ReadonlyMap<string, ChannelMoments>,
): ReadonlyMap<string, Float64Array> {
  const { graph } = choices;
  return new Map(
    convolutionsOf(graph).map((conv) => {
      const { data, shape } = weightOf(graph, conv);
      const rounded = dequantizeWeights(choices.weights.get(conv.name)!);
      const error = rounded.map((value, i) => value - data[i]!);
      const [input, output] = [conv.inputs[0]!, conv.outputs[0]!];
      const response = convResponse(
        conv,
        { data: error, shape },
        shapeOf(graph, input),
        shapeOf(graph, output),
      );
      const moved = response.mean(moments.get(input)!.mean);
      return [conv.name, choices.biases.get(conv.name)!.map((bias, c) => bias - moved[c]!)];
    }),
  );
}

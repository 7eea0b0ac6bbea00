// SPDX-License-Identifier: Apache-2.0
import type { ConvNode, Graph } from '../../graph/graph.js';
import { momentsOf, type Distributions } from './distributions.js';
import { convResponse, type ConvResponse } from './response.js';

/** How far the clamped normal's mean may be off, in deviations of the channel. */
const distributionError = 0.25;

/** How far a running mean may be off from that of the same network now, in deviations. */
const runningError = 0.02;

/** How much a channel's mean may vary from position to position, in deviations. */
const unevenness = 1;

/** A convolution's channels tell sums of its input's means: `response(mean)` = `wanted`. */
interface Equations {
  readonly response: ConvResponse;
  readonly wanted: Float64Array;
  /** One over what each equation may be off by. */
  readonly trust: Float64Array;
}

/**
 * Channel means of every value, better than those of the distributions: a batch norm behind a convolution
 * saw the mean of its sums, which is the convolution of its input's means, so
 * W E[x] = beta - bias holds exactly for the activations of training, whatever their distribution.
 * The means are those that satisfy these equations best and stay near the distributions'
 * (regularized least squares, by conjugate gradients).
 */
export function channelMeans(
  graph: Graph,
  distributions: Distributions,
): ReadonlyMap<string, Float64Array> {
  const readers = new Map<string, ConvNode[]>();
  for (const node of graph.nodes) {
    if (node.op !== 'Conv' || !graph.normalizations.has(node.name)) continue;
    const input = node.inputs[0]!;
    readers.set(input, [...(readers.get(input) ?? []), node]);
  }
  return new Map(
    [...distributions].map(([value, distribution]) => {
      const { mean, variance } = momentsOf(distribution);
      const equations = (readers.get(value) ?? []).map((conv) =>
        equationsOf(graph, conv, variance),
      );
      const slack = variance.map((v) => distributionError * Math.sqrt(v));
      return [value, equations.length === 0 ? mean : reconcile(mean, slack, equations)];
    }),
  );
}

function equationsOf(graph: Graph, conv: ConvNode, variance: Float64Array): Equations {
  const [input, kernel, biasName = ''] = conv.inputs;
  const { mean, std } = graph.normalizations.get(conv.name)!;
  const bias = graph.constants.get(biasName)?.data;
  const shapes = [graph.shapes.get(input!)!, graph.shapes.get(conv.outputs[0]!)!] as const;
  const response = convResponse(conv, graph.constants.get(kernel!)!, ...shapes);
  const border = response.borderVariance(variance.map((v) => v * unevenness ** 2));
  return {
    response,
    wanted: Float64Array.from(mean, (value, c) => value - (bias?.[c] ?? 0)),
    // A channel without deviation was scaled by zero: it tells nothing.
    trust: Float64Array.from(std, (value, c) =>
      value === 0 ? 0 : 1 / Math.hypot(runningError * value, Math.sqrt(border[c]!)),
    ),
  };
}

/** Relative residual at which the iteration ends, and the maximal number of iterations. */
const tolerance = 1e-6;
const maxIterations = 200;

/**
 * The x that minimizes sum ((x - prior) / slack)^2 + sum (trust (response(x) - wanted))^2.
 * With x = prior + slack u that is (I + B'B) u = B'r, B = trust response slack; CGLS.
 */
function reconcile(
  prior: Float64Array,
  slack: Float64Array,
  equations: readonly Equations[],
): Float64Array {
  const forward = (u: Float64Array): Float64Array[] =>
    equations.map(({ response, trust }) =>
      response.mean(times(slack, u)).map((value, o) => value * trust[o]!),
    );
  const back = (residuals: readonly Float64Array[]): Float64Array => {
    const sum = new Float64Array(prior.length);
    equations.forEach(({ response, trust }, e) => {
      addTo(sum, response.adjoint(times(trust, residuals[e]!)), 1);
    });
    return times(slack, sum);
  };
  const residuals = equations.map(({ response, wanted, trust }) =>
    times(
      trust,
      response.mean(prior).map((value, o) => wanted[o]! - value),
    ),
  );
  const u = new Float64Array(prior.length);
  let gradient = back(residuals);
  let direction = gradient.slice();
  let norm = dot(gradient, gradient);
  const enough = norm * tolerance ** 2;
  for (let i = 0; i < maxIterations && norm > enough; i++) {
    const image = forward(direction);
    const curvature =
      dot(direction, direction) + image.reduce((sum, part) => sum + dot(part, part), 0);
    const step = norm / curvature;
    addTo(u, direction, step);
    image.forEach((part, e) => {
      addTo(residuals[e]!, part, -step);
    });
    gradient = back(residuals);
    addTo(gradient, u, -1);
    const next = dot(gradient, gradient);
    direction = direction.map((value, c) => gradient[c]! + (value * next) / norm);
    norm = next;
  }
  return prior.map((value, c) => value + slack[c]! * u[c]!);
}

function times(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value * b[i]!);
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function addTo(sum: Float64Array, values: Float64Array, factor: number): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += factor * values[i]!;
}

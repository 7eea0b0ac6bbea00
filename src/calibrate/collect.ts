// SPDX-License-Identifier: Apache-2.0
import { ModelError, UsageError } from '../errors.js';
import type { Clamp, FloatRunner, Graph, OpenFloatRunner } from '../graph/graph.js';
import type { Sample, SampleSource } from '../graph/samples.js';
import { ActiveObserver } from './observers/active.js';
import { EachObserver } from './observers/each.js';
import { HistogramObserver } from './observers/histogram.js';
import { MomentsObserver } from './observers/moments.js';
import { ChannelRangeObserver, RangeObserver } from './observers/range.js';
import { TailObserver } from './observers/tail.js';
import type { Needs, Statistics } from './statistics.js';

interface Observer<Result> {
  observe(data: Float32Array): void;
  result(): Result;
}

type Observers<Result> = ReadonlyMap<string, Observer<Result>>;

/**
 * Runs the float graph over all samples once and reduces the asked-for values image by image, so
 * memory does not grow with their number. The result depends on the samples only, not on threads.
 *
 * @param onImage called after each image with the number done so far
 * @throws UsageError without samples, or for a value that the graph does not have
 * @throws ModelError `not-finite` naming the layer (or the image) where a NaN or infinity appeared
 */
export async function collect(
  graph: Graph,
  samples: SampleSource,
  openFloatRunner: OpenFloatRunner,
  needs: Needs,
  onImage?: (done: number) => void,
): Promise<Statistics> {
  requireSamples(samples);
  const range = observers(graph, needs.range, () => new RangeObserver());
  const histogram = observers(graph, needs.histogram, () => new HistogramObserver());
  const weights = needs.weightedHistogram ?? new Map<string, Float64Array>();
  const weightedHistogram = observers(
    graph,
    [...weights.keys()],
    (_, name) => new HistogramObserver(weights.get(name)),
  );
  const channelRange = observers(graph, needs.channelRange, (c) => new ChannelRangeObserver(c));
  const moments = observers(graph, needs.moments, (c) => new MomentsObserver(c));
  const each = observers(graph, needs.each, () => new EachObserver());
  const active = observers(
    graph,
    needs.active,
    (c, name) => new ActiveObserver(c, clampOf(graph, name)),
  );
  const bounds = needs.tail ?? new Map<string, Float32Array>();
  const tail = observers(
    graph,
    [...bounds.keys()],
    (c, name) => new TailObserver(c, bounds.get(name)!),
  );
  const all = [range, histogram, weightedHistogram, channelRange, moments, each, active, tail];
  const values = [...new Set(all.flatMap((map) => [...map.keys()]))];
  const images = await eachImage(
    graph,
    samples,
    openFloatRunner,
    values,
    (name, data) => {
      for (const map of all) map.get(name)?.observe(data);
    },
    onImage,
  );
  return {
    images,
    range: results(range),
    histogram: results(histogram),
    weightedHistogram: results(weightedHistogram),
    channelRange: results(channelRange),
    moments: results(moments),
    each: results(each),
    active: results(active),
    tail: results(tail),
  };
}

/** A calibration set of fewer images than this is reported as too small. */
const fewSamples = 8;

/** Warnings about a calibration set that can be used, but should not be trusted. */
export function sampleWarnings(samples: SampleSource): string[] {
  return samples.count < fewSamples
    ? [
        `only ${samples.count} calibration image(s): ranges found from fewer than ${fewSamples} ` +
          'are unreliable; give 100 or more',
      ]
    : [];
}

function requireSamples(samples: SampleSource): void {
  if (samples.count > 0) return;
  throw new UsageError(
    'no-calibration-images',
    'calibration',
    'expected at least one image, got none; point --calib to a folder with images',
  );
}

function observers<Result>(
  graph: Graph,
  names: readonly string[] | undefined,
  make: (channels: number, name: string) => Observer<Result>,
): Observers<Result> {
  return new Map(
    (names ?? []).map((name) => {
      const shape = graph.shapes.get(name);
      if (shape === undefined) {
        throw new UsageError('unknown-value', `value "${name}"`, 'is not in the graph');
      }
      return [name, make(shape[1] ?? 1, name)];
    }),
  );
}

function clampOf(graph: Graph, value: string): Clamp {
  const node = graph.nodes.find((candidate) => candidate.outputs.includes(value));
  if (node !== undefined && 'clamp' in node) return node.clamp;
  return { lo: Float32Array.of(-Infinity), hi: Float32Array.of(Infinity) };
}

function results<Result>(map: Observers<Result>): ReadonlyMap<string, Result> {
  return new Map([...map].map(([name, observer]) => [name, observer.result()]));
}

async function eachImage(
  graph: Graph,
  samples: SampleSource,
  openFloatRunner: OpenFloatRunner,
  values: readonly string[],
  reduce: (name: string, data: Float32Array) => void,
  onImage: ((done: number) => void) | undefined,
): Promise<number> {
  const input = graph.inputs[0]!.name;
  const taps = values.filter((name) => name !== input);
  const runner = await openFloatRunner(graph, taps);
  let done = 0;
  try {
    for await (const sample of samples) {
      const tensors = await runSample(runner, sample);
      for (const name of values) {
        const data = name === input ? sample.input : tensors.get(name)!;
        requireFinite(graph, sample, name, data);
        reduce(name, data);
      }
      done++;
      onImage?.(done);
    }
  } finally {
    await runner.close();
  }
  return done;
}

async function runSample(
  runner: FloatRunner,
  sample: Sample,
): Promise<ReadonlyMap<string, Float32Array>> {
  requireFiniteInput(sample);
  return runner.run(sample.input);
}

function requireFiniteInput(sample: Sample): void {
  if (allFinite(sample.input)) return;
  throw new ModelError(
    'not-finite',
    `image "${sample.name}"`,
    'holds a NaN or an infinity after preprocessing; check the file and --preprocess',
  );
}

function requireFinite(graph: Graph, sample: Sample, value: string, data: Float32Array): void {
  if (allFinite(data)) return;
  const node = graph.nodes.find((candidate) => candidate.outputs.includes(value));
  throw new ModelError(
    'not-finite',
    `node "${node?.name ?? value}"`,
    `its output "${value}" holds a NaN or an infinity for image "${sample.name}"; ` +
      'check the weights and the preprocessing',
  );
}

/**
 * A product with zero is zero for finite values and NaN otherwise, and NaN survives a sum. Four
 * sums, because one waits for its own last addition.
 */
function allFinite(data: Float32Array): boolean {
  const even = data.length - (data.length % 4);
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < even; i += 4) {
    a += data[i]! * 0;
    b += data[i + 1]! * 0;
    c += data[i + 2]! * 0;
    d += data[i + 3]! * 0;
  }
  for (let i = even; i < data.length; i++) a += data[i]! * 0;
  return a + b + c + d === 0;
}

// SPDX-License-Identifier: Apache-2.0
// The float reference: onnxruntime with its graph optimisation off, so that every value exists and
// is computed as the graph says. An independent library on purpose: an error of ours cannot hide on
// both sides of a comparison.
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { ModelError, UsageError } from '../errors.js';
import type { FloatRunner, Graph, RunnerChoice } from '../graph/graph.js';
import { elementCount } from '../graph/tensors.js';
import { writeOnnx } from '../onnx/write/float.js';
import { needPackage } from '../optional-package.js';
import { onnxruntime, type Runtime } from './runtime.js';

export interface FloatRunnerOptions extends RunnerChoice {
  /** Threads of one run; one by default, which makes runs repeatable bit for bit. */
  readonly threads?: number;
}

/**
 * Opens a runner that returns the graph's outputs and the values named in `taps`. A tap may also
 * be the graph's input, which comes back as it was given. The runtime is loaded on first use: the
 * rest of lastbit works without it.
 *
 * @throws UsageError `missing-package` without onnxruntime-node; ModelError `missing-value` for an
 *   unknown tap, `float-runtime` if the runtime refuses the graph
 */
export async function openFloatRunner(
  graph: Graph,
  taps: readonly string[] = [],
  options: FloatRunnerOptions = {},
): Promise<FloatRunner> {
  const inputNames = new Set(graph.inputs.map((input) => input.name));
  const inner = taps.filter((name) => !inputNames.has(name));
  const bytes = writeOnnx(graph, { taps: inner });
  const runtime = needPackage(onnxruntime, 'the float reference');
  const session = await openSession(runtime, bytes, options);
  return new OrtRunner(runtime, session, graph, new Set([...taps, ...outputNames(graph)]));
}

/**
 * Opens a runner for the bytes of any float ONNX file with one input, exactly as they are.
 *
 * @param inputShape the input's dimensions, all known
 */
export async function openFileRunner(
  bytes: Uint8Array,
  inputShape: readonly number[],
  options: FloatRunnerOptions = {},
): Promise<FloatRunner> {
  const runtime = needPackage(onnxruntime, 'the float reference');
  const session = await openSession(runtime, bytes, options);
  const inputs = [{ name: session.inputNames[0] ?? '', dtype: 'f32', shape: inputShape }] as const;
  return new OrtRunner(runtime, session, { inputs }, new Set(session.outputNames));
}

function outputNames(graph: Graph): string[] {
  return graph.outputs.map((output) => output.name);
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}

async function openSession(
  runtime: Runtime,
  bytes: Uint8Array,
  { threads = 1, optimize = false }: FloatRunnerOptions,
): Promise<InferenceSession> {
  try {
    return await runtime.InferenceSession.create(bytes, {
      graphOptimizationLevel: optimize ? 'all' : 'disabled',
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionProviders: ['cpu'],
      logSeverityLevel: 3,
    });
  } catch (error) {
    throw new ModelError('float-runtime', 'onnxruntime', `refuses the model: ${firstLine(error)}`);
  }
}

class OrtRunner implements FloatRunner {
  constructor(
    private readonly runtime: Runtime,
    private readonly session: InferenceSession,
    private readonly graph: Pick<Graph, 'inputs'>,
    private readonly wanted: ReadonlySet<string>,
  ) {}

  async run(input: Float32Array): Promise<ReadonlyMap<string, Float32Array>> {
    const [declared] = this.graph.inputs;
    const { name, shape } = declared!;
    if (input.length !== elementCount(shape)) {
      throw new UsageError(
        'bad-input',
        `input "${name}"`,
        `expected ${elementCount(shape)} values for [${shape.join()}], got ${input.length}`,
      );
    }
    const tensor = new this.runtime.Tensor('float32', input, shape);
    const results = (await this.session.run({ [name]: tensor })) as Record<string, OrtTensor>;
    const values = new Map<string, Float32Array>();
    for (const [output, result] of Object.entries(results)) {
      // A copy: the runtime may reuse or free its own buffer.
      values.set(output, new Float32Array(result.data as Float32Array));
      result.dispose();
    }
    if (this.wanted.has(name)) values.set(name, new Float32Array(input));
    return values;
  }

  async close(): Promise<void> {
    await this.session.release();
  }
}

// SPDX-License-Identifier: Apache-2.0
// onnxruntime-node as a peer: as fast as its options make it, which is not how the float reference
// (src/float) runs it.
import type { InferenceSession } from 'onnxruntime-node';
import { onnxruntime, runtimeVersion } from '../float/runtime.js';
import { needPackage } from '../optional-package.js';

/** An open session with its input in place. */
export interface OrtPeer {
  readonly version: string;
  /** One inference on the input that stands ready; the result is read by nobody. */
  run(): Promise<void>;
  /** The first output for an input, f32 NCHW. */
  outputOf(input: Float32Array): Promise<Float32Array>;
  close(): Promise<void>;
}

/**
 * Opens a model with all graph optimisations, sequential execution and so many threads.
 *
 * @param input f32 NCHW, what `run` starts from; made a tensor once
 * @throws UsageError `missing-package`; Error with the runtime's words where it refuses the model
 */
export async function openOrtPeer(
  bytes: Uint8Array,
  shape: readonly number[],
  input: Float32Array,
  threads: number,
): Promise<OrtPeer> {
  const runtime = needPackage(onnxruntime, 'this peer');
  const session = await runtime.InferenceSession.create(bytes, {
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionProviders: ['cpu'],
    logSeverityLevel: 4,
    // Its workers spin while a run lasts, as they do for anyone, but not on into the next contender's turn.
    extra: { session: { force_spinning_stop: '1' } },
  });
  const tensorOf = (data: Float32Array) => new runtime.Tensor('float32', data, shape);
  const [name] = session.inputNames;
  const feeds = { [name!]: tensorOf(input) };
  return {
    version: runtimeVersion(runtime),
    run: async () => {
      await session.run(feeds);
    },
    outputOf: (data) => firstOutput(session, { [name!]: tensorOf(data) }),
    close: () => session.release(),
  };
}

async function firstOutput(
  session: InferenceSession,
  feeds: InferenceSession.FeedsType,
): Promise<Float32Array> {
  const results = await session.run(feeds);
  const [output] = session.outputNames;
  return Float32Array.from(results[output!]!.data as Float32Array);
}

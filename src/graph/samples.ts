// SPDX-License-Identifier: Apache-2.0
// Images on their way into a network. Made by `data/`, consumed one at a time by calibration and
// evaluation, so that memory does not grow with their number.

/** One preprocessed input: float32 values, NCHW, with a name for messages. */
export interface Sample {
  /** File name relative to its folder. */
  readonly name: string;
  /** The preprocessed image, f32 NCHW. */
  readonly input: Float32Array;
  /** The same image before normalization, u8 NHWC, where it came as pixels. */
  readonly pixels?: Uint8Array;
  /** Class index as the network counts it. */
  readonly label?: number;
}

/** Can be iterated any number of times, always in the same order. */
export interface SampleSource extends AsyncIterable<Sample> {
  readonly count: number;
}

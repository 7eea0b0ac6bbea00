// SPDX-License-Identifier: Apache-2.0
/** LiteRT.js in plain Node: TFLite with XNNPACK as WebAssembly. */
export class LiteRtWasm {
  /** Name and version of the package. */
  readonly version: string;
  static load(): Promise<LiteRtWasm>;
  /**
   * Runs a .tflite file on inputs (bytes of codes); for each, the bytes of every output.
   *
   * @throws Error with the runtime's words where it refuses the file
   */
  run(
    model: Uint8Array,
    inputs: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): AsyncGenerator<readonly Uint8Array[]>;
}
